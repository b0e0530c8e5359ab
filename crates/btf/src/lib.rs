//! What BTF bytes mean: types, split BTF, and the ID sets of .BTF_ids.
