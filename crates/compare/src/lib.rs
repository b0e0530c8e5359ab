//! Semantic comparison of two ELF files, with a reader that the editor does not use.
