//! For tests only: builds odd ELF files in memory.
