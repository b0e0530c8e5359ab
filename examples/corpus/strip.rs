//! L1 for stripping: what was stripped has nothing more to lose, so that the second run is planned as "nothing to do".

use elfgraft_edit::{Edits, Strip, SymbolEdits};

use crate::laws::{Subject, edit, is_identity};
use crate::tally::{
    Tally,
    Verdict::{Held, Refused},
};

/// Strips the file in three ways, and each result once more.
pub fn check(file: &Subject, tally: &mut Tally) {
    let ways = [("strip -g", Strip::Debug), ("strip --strip-unneeded", Strip::Unneeded), ("strip -s", Strip::All)];
    for (case, strip) in ways {
        let symbols = SymbolEdits { strip, ..SymbolEdits::default() };
        let edits = Edits { drop_in: true, symbols, ..Edits::default() };
        match edit(file.x, &edits) {
            Ok(y) => {
                tally.law("stripping", file.name, case, Held);
                file.say("L1 strip twice is once", case, is_identity(&y, &edits), tally);
            }
            Err(e) => tally.law("stripping", file.name, case, Refused(e.to_string())),
        }
    }
}
