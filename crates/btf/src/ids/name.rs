//! Names of `__BTF_ID__` symbols.

use super::Problem;
use crate::Kind;

/// What the name of a `__BTF_ID__` symbol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdName<'a> {
    /// The word gets the ID of the type of this kind and name.
    Member {
        /// STRUCT, UNION, TYPEDEF or FUNC.
        kind: Kind,
        /// The type's name; may contain `__`.
        name: &'a [u8],
        /// What makes the symbol's name unique: digits, which grow in the order of the source.
        unique: &'a [u8],
    },
    /// A sorted set of IDs begins here.
    Set(&'a [u8]),
    /// A sorted set of IDs with flags begins here.
    Set8(&'a [u8]),
}

/// Parses a symbol's name: `None` where it is no `__BTF_ID__` symbol, else what it says or why it cannot be read.
#[must_use]
pub fn parse_id_name(symbol: &[u8]) -> Option<Result<IdName<'_>, Problem>> {
    let rest = symbol.strip_prefix(b"__BTF_ID__")?;
    let members =
        [(Kind::Struct, "struct__"), (Kind::Union, "union__"), (Kind::Typedef, "typedef__"), (Kind::Func, "func__")];
    for (kind, prefix) in members {
        if let Some(rest) = rest.strip_prefix(prefix.as_bytes()) {
            // As the kernel's tool does: the name ends at the last `__`, and no `_` follows that.
            let cut = rest.iter().rposition(|&byte| byte == b'_').and_then(|last| last.checked_sub(1));
            let parts = cut.and_then(|cut| Some((rest.get(..cut)?, rest.get(cut..)?.strip_prefix(b"__")?)));
            return Some(match parts {
                Some((name, unique)) if !name.is_empty() => Ok(IdName::Member { kind, name, unique }),
                _ => Err(Problem::BadSymbolName),
            });
        }
    }
    let set = rest.strip_prefix(b"set__").map(IdName::Set);
    Some(match set.or_else(|| rest.strip_prefix(b"set8__").map(IdName::Set8)) {
        Some(IdName::Set(b"") | IdName::Set8(b"")) => Err(Problem::BadSetName),
        Some(set) => Ok(set),
        None => Err(Problem::UnsupportedPrefix),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_sets_and_everything_else() {
        let member = |kind, name: &'static str, unique: &'static str| {
            Some(Ok(IdName::Member { kind, name: name.as_bytes(), unique: unique.as_bytes() }))
        };
        let parse = |name: &'static str| parse_id_name(name.as_bytes());
        assert_eq!(parse("__BTF_ID__func__bpf_ct_release__744528"), member(Kind::Func, "bpf_ct_release", "744528"));
        assert_eq!(parse("__BTF_ID__struct__nf_conn___init__7"), member(Kind::Struct, "nf_conn___init", "7"));
        assert_eq!(parse("__BTF_ID__union____a__b____7"), member(Kind::Union, "__a__b__", "7"));
        assert_eq!(parse("__BTF_ID__typedef__pid_t__"), member(Kind::Typedef, "pid_t", ""));
        assert_eq!(parse("__BTF_ID__set__set8__x"), Some(Ok(IdName::Set(b"set8__x"))));
        assert_eq!(parse("__BTF_ID__set8__my_set"), Some(Ok(IdName::Set8(b"my_set"))));
        for bad in ["func__", "func__f", "func__f_1", "func__f__1_2", "func____1", "func___1"] {
            let symbol = format!("__BTF_ID__{bad}");
            assert_eq!(parse_id_name(symbol.as_bytes()), Some(Err(Problem::BadSymbolName)), "{bad}");
        }
        assert_eq!(parse("__BTF_ID__set8__"), Some(Err(Problem::BadSetName)));
        for bad in ["", "enum__e__1", "structs__s__1", "set9__x", "func_f__1"] {
            let symbol = format!("__BTF_ID__{bad}");
            assert_eq!(parse_id_name(symbol.as_bytes()), Some(Err(Problem::UnsupportedPrefix)), "{bad}");
        }
        assert_eq!(parse("__BTF_ID_func__f__1"), None);
        assert_eq!(parse("nf_ct_kfunc_set"), None);
    }
}
