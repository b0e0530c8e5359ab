//! Module hashes: trailers, proofs, `.module_hashes`, `modules.order`.

use std::collections::HashSet;

use elfgraft_hashes::{
    ByteOrder, IdType, LeafHasher, Proof, RootSection, Trailer, Tree, merkle_file, parse_merkle_file, parse_order,
    without_proofs,
};

/// Byte 0 picks what the bytes are.
pub fn hashes(input: &[u8]) {
    let Some((pick, bytes)) = input.split_first() else { return };
    match pick % 5 {
        0 => module(bytes),
        1 => proof(bytes),
        2 => root(bytes),
        3 => order(bytes),
        _ => tree(bytes),
    }
}

/// A module is itself and proofs behind it; adding one and taking it off gives it back.
fn module(bytes: &[u8]) {
    let tail = &bytes[bytes.len().saturating_sub(Trailer::LEN)..];
    if let Ok(Some(trailer)) = Trailer::parse(tail, bytes.len() as u64) {
        assert!(trailer.signature.start > 0 && trailer.signature.start <= trailer.signature.end);
        assert!(trailer.signature.end + Trailer::LEN as u64 == bytes.len() as u64);
    }
    let Ok((contents, kind)) = without_proofs(bytes) else { return };
    assert!(bytes.starts_with(contents) && kind != Some(IdType::Merkle));
    assert_eq!(without_proofs(contents).expect("as before"), (contents, kind), "L1");
    let leaf = LeafHasher::new(7).finish();
    let proof = Tree::new([leaf; 9]).proof(7).expect("there are nine");
    if !contents.is_empty() {
        let signed = [contents, &merkle_file(&proof)].concat();
        assert_eq!(without_proofs(&signed).expect("a proof of ours"), (contents, kind), "L3");
    }
}

fn proof(bytes: &[u8]) {
    if let Ok(proof) = Proof::decode(bytes) {
        assert_eq!(proof.encode(), bytes);
        let file = merkle_file(&proof);
        assert_eq!(parse_merkle_file(&file).expect("ours"), proof);
        assert_eq!(proof.root(LeafHasher::new(1).finish()).levels(), proof.levels());
    }
    if let Ok(proof) = parse_merkle_file(bytes) {
        assert_eq!(merkle_file(&proof), bytes);
    }
}

fn root(bytes: &[u8]) {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        if let Ok(root) = RootSection::decode(bytes, order) {
            assert!(root.levels() <= 32);
            assert_eq!(root.encode(order)[..], *bytes);
        }
    }
}

/// Each line is one module at its own position, and is found again in what was read.
fn order(bytes: &[u8]) {
    let Ok(modules) = parse_order(bytes) else { return };
    let names: Vec<_> = modules.iter().map(|m| m.with_suffix(".o").into_os_string().into_encoded_bytes()).collect();
    let used = bytes.iter().rposition(|&b| b != b'\n').map_or(0, |last| last + 1);
    assert_eq!(names.join(&b'\n'), bytes[..used]);
    assert!(modules.iter().zip(0..).all(|(module, at)| module.pos() == at));
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
}

/// Every module's proof leads to the root, and no other module's does.
fn tree(bytes: &[u8]) {
    let leaf = |(pos, byte): (u32, &u8)| {
        let mut leaf = LeafHasher::new(pos);
        leaf.update(&[*byte]);
        leaf.finish()
    };
    let leaves: Vec<_> = (0..).zip(bytes.iter().take(300)).map(leaf).collect();
    let tree = Tree::new(leaves.iter().copied());
    assert!(tree.proof(leaves.len() as u32).is_none());
    for (pos, leaf) in (0..).zip(&leaves) {
        let proof = tree.proof(pos).expect("a module of the tree");
        assert_eq!(proof.root(*leaf), tree.root());
        let other = leaves[(pos as usize + 1) % leaves.len()];
        assert!(other == *leaf || proof.root(other) != tree.root(), "another module passes for this one");
    }
}
