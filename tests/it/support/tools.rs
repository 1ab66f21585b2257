//! Programs that machines of tests may lack.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;

/// Whether a program is there. A test that needs it ends at once where it is not, and for all of them it is said once: past what
/// `cargo test` keeps of tests that pass, where nobody would see it.
pub fn at_hand(program: &'static str) -> bool {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let found = refloat::process::which(program).is_some();
    if !found && SAID.lock().expect("because nobody panics with it").insert(program) {
        skipped(&format!("the tests that need {program}, which is not on PATH"));
    }
    found
}

/// Says what is not tested here.
pub fn skipped(what: &str) {
    // Nobody reads it who closed it.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}
