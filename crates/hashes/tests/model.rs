//! The crate against a model of the format, written from `FORMATS.md` alone: it shares nothing with
//! the crate but SHA-256, recurses from the root down where the crate goes from the leaves up, and
//! needs each module in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers as well")]

use std::fs;
use std::path::{Path, PathBuf};

use elfgraft_hashes::{
    ByteOrder, Hash, Result, RootSection, Tree, hash_module, merkle_file, parse_order, verify_module,
};
use proptest::prelude::*;

mod model {
    use sha2::{Digest, Sha256};

    /// The leaves of all modules. Nothing else is kept: every question is answered from them anew.
    pub struct Model(Vec<[u8; 32]>);

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        Sha256::digest(parts.concat()).into()
    }

    impl Model {
        pub fn new<T: AsRef<[u8]>>(contents: impl IntoIterator<Item = T>) -> Self {
            let leaf = |(pos, contents): (u32, T)| sha256(&[&[0x01], &pos.to_be_bytes(), contents.as_ref()]);
            Self((0..).zip(contents).map(leaf).collect())
        }

        pub fn levels(&self) -> u32 {
            match self.0.len() {
                0 => 0,
                n => (1..).find(|&levels| 1_usize << levels >= n).unwrap(),
            }
        }

        /// How many hashes there are on a level; 0 is that of the leaves.
        fn width(&self, level: u32) -> usize {
            self.0.len().div_ceil(1 << level)
        }

        fn hash(&self, level: u32, index: usize) -> [u8; 32] {
            let Some(below) = level.checked_sub(1) else {
                return self.0[index];
            };
            let left = 2 * index;
            let right = if left + 1 == self.width(below) { left } else { left + 1 };
            sha256(&[&[0x02], &self.hash(below, left), &self.hash(below, right)])
        }

        fn root(&self) -> [u8; 32] {
            match self.0.len() {
                0 => [0; 32],
                _ => self.hash(self.levels(), 0),
            }
        }

        pub fn section(&self, big_endian: bool) -> Vec<u8> {
            let mut levels = self.levels().to_le_bytes();
            if big_endian {
                levels.reverse();
            }
            [&levels[..], &self.root()].concat()
        }

        pub fn merkle(&self, pos: usize) -> Vec<u8> {
            let mut file = u32::try_from(pos).unwrap().to_be_bytes().to_vec();
            let mut index = pos;
            for level in 0..self.levels() {
                let last = index + 1 == self.width(level);
                let sibling = match index % 2 {
                    0 if last => index,
                    0 => index + 1,
                    _ => index - 1,
                };
                file.extend(self.hash(level, sibling));
                index /= 2;
            }
            let len = u32::try_from(file.len()).unwrap();
            file.extend([0, 0, 3, 0, 0, 0, 0, 0]);
            file.extend(len.to_be_bytes());
            file.extend(b"~Module signature appended~\n");
            file
        }
    }
}

use model::Model;

/// Writes the modules and a `modules.order` that lists them, and takes the crate's way through all
/// of it: what it says must be what the model says, and every module with its proof must be good.
fn agree(contents: Vec<Vec<u8>>, suffix: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut order = String::new();
    for (i, contents) in contents.iter().enumerate() {
        // Names in no order of their own, with a space and more dots.
        let name = format!("{} module.v{i}", i * 7 % 10);
        order += &format!("{name}.o\n");
        fs::write(dir.path().join(name + suffix), contents).unwrap();
    }
    agree_on(dir.path(), order.as_bytes(), &Model::new(contents), suffix);
}

fn agree_on(dir: &Path, order: &[u8], model: &Model, suffix: &str) {
    let modules = parse_order(order).unwrap();
    let paths: Vec<PathBuf> = modules.iter().map(|module| dir.join(module.with_suffix(suffix))).collect();
    let leaves = modules.iter().zip(&paths).map(|(module, path)| hash_module(path, module.pos()));
    let tree = Tree::new(leaves.collect::<Result<Vec<Hash>>>().unwrap());

    let root = tree.root();
    assert_eq!(root.levels(), model.levels());
    assert_eq!(root.encode(ByteOrder::Little).to_vec(), model.section(false));
    assert_eq!(root.encode(ByteOrder::Big).to_vec(), model.section(true));
    assert_eq!(RootSection::decode(&model.section(true), ByteOrder::Big).unwrap(), root);

    let installed = tempfile::tempdir().unwrap();
    let installed = installed.path().join("installed.ko");
    for ((i, pos), path) in (0..).zip(0..).zip(&paths) {
        let merkle = merkle_file(&tree.proof(pos).unwrap());
        assert_eq!(merkle, model.merkle(i), "proof of module {pos}");
        let contents = fs::read(path).unwrap();
        fs::write(&installed, [&contents, &merkle[..]].concat()).unwrap();
        let verdict = verify_module(&installed, &root).unwrap();
        // The kernel takes no signature that leaves nothing: no proof makes an empty file good.
        let expected = if contents.is_empty() { Some("EBADMSG") } else { None };
        assert_eq!(verdict.errno(), expected, "{}: {verdict}", path.display());
    }
}

fn modules(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("contents of module {i}").into_bytes()).collect()
}

#[test]
fn small_counts() {
    for count in [0, 1, 2, 3, 5] {
        agree(modules(count), ".ko");
    }
}

#[test]
fn powers_of_two_and_one_more() {
    for count in [4, 8, 16, 32, 64, 128] {
        agree(modules(count), ".ko");
        agree(modules(count + 1), ".ko");
    }
}

#[test]
fn stripped_modules() {
    agree(modules(3), ".ko.stripped");
}

#[test]
fn empty_module() {
    agree(vec![b"a".to_vec(), Vec::new(), b"c".to_vec()], ".ko.stripped");
}

/// A third opinion, by hand: `printf '\1\0\0\0\0a' | openssl sha256 -binary > a`, and so on for b
/// and c, then `(printf '\2'; cat a b) | openssl sha256` and so on up.
#[test]
fn root_of_three_modules_by_openssl() {
    let model = Model::new(["a", "b", "c"]);
    let root = RootSection::decode(&model.section(false), ByteOrder::Little).unwrap();
    assert_eq!(root.levels(), 2);
    assert_eq!(root.root().to_string(), "4438e5251429c09faabf8294e2311e7a3bf4aea2dd63e630a159fab192bb5966");
}

/// `ELFGRAFT_CORPUS=DIR cargo test --release -- --ignored`: all modules below a directory, such as
/// those of an unpacked kernel package.
#[test]
#[ignore = "needs the modules of a kernel package"]
fn modules_of_a_kernel_package() {
    let dir = PathBuf::from(std::env::var_os("ELFGRAFT_CORPUS").expect("ELFGRAFT_CORPUS is a directory"));
    let mut names = Vec::new();
    let mut todo = vec![dir.clone()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ko") {
                names.push(path.strip_prefix(&dir).unwrap().with_extension("o"));
            }
        }
    }
    names.sort();
    assert!(!names.is_empty(), "no modules");
    let order: String = names.iter().map(|name| format!("{}\n", name.display())).collect();
    let contents = names.iter().map(|name| fs::read(dir.join(name).with_extension("ko")).unwrap());
    agree_on(&dir, order.as_bytes(), &Model::new(contents), ".ko");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_modules(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..40),
    ) {
        agree(contents, ".ko");
    }
}
