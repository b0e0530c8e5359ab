//! What was asked of an ELF file, turned into a Patch: resolve, layout, lower. Pure functions of bytes.
