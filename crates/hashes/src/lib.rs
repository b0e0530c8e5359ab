//! Module hashes: the Merkle root over the contents of modules, the proofs, and their check.
