//! What the bytes of an ELF file mean: a checked, borrowed view of headers, sections, segments and symbols.
