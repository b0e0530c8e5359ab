//! What lies behind the last structure.

use super::contents::Bytes;
use super::kernel::Hex;
use super::report::Out;
use super::{Files, Key};
use crate::kernel::{Signature, signature};
use crate::layout;

pub(super) fn compare(files: &Files, out: &mut Out) {
    let in_a = layout::trailer(&files.a, &layout::ranges(&files.a));
    let in_b = layout::trailer(&files.b, &layout::ranges(&files.b));
    if in_a == in_b {
        return;
    }
    let signed = |data| signature(data).and_then(Result::ok);
    let (sig_a, sig_b) = (signed(in_a), signed(in_b));
    let rest = |whole, signature: &Option<Signature<'_>>| signature.as_ref().map_or(whole, |s| s.before.len());
    let (rest_a, rest_b) = (rest(in_a.len(), &sig_a), rest(in_b.len(), &sig_b));
    let describe = |s: &Signature| format!("{}, {} bytes", s.kind(), s.contents.len());
    match (&sig_a, &sig_b) {
        (Some(a), Some(b)) => compare_signatures(a, b, out),
        (Some(a), None) => out.say(Key::Signature, "signature", format_args!("removed ({})", describe(a))),
        (None, Some(b)) => out.say(Key::Signature, "signature", format_args!("added ({})", describe(b))),
        (None, None) => {}
    }
    let (a, b) = (in_a.get(..rest_a).unwrap_or_default(), in_b.get(..rest_b).unwrap_or_default());
    if a != b {
        out.say(Key::Trailer, "trailer", Bytes(a, b));
    }
}

fn compare_signatures(a: &Signature, b: &Signature, out: &mut Out) {
    let mut say = |text: String| out.say(Key::Signature, "signature", text);
    if a.id_type != b.id_type {
        return say(format!("{} -> {}", a.kind(), b.kind()));
    }
    if a.zeros != b.zeros {
        say(format!("bytes of struct module_signature that must be 0: {} -> {}", Hex(&a.zeros), Hex(&b.zeros)));
    }
    match (a.proof(), b.proof()) {
        _ if a.contents == b.contents => {}
        (Some((position_a, hashes_a)), Some((position_b, hashes_b))) => {
            if position_a != position_b {
                say(format!("Merkle proof of module {position_a} -> {position_b}"));
            }
            if hashes_a.len() != hashes_b.len() {
                say(format!("Merkle proof of {} -> {} levels", hashes_a.len(), hashes_b.len()));
            }
            if let Some(level) = hashes_a.iter().zip(hashes_b).position(|(a, b)| a != b) {
                say(format!("Merkle proof: another sibling, first at level {level} from the leaf"));
            }
        }
        _ => say(format!("{}: {}", a.kind(), Bytes(a.contents, b.contents))),
    }
}
