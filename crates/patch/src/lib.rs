//! A new file as a checked list of byte ranges of the old one, and the executors that carry it out.
