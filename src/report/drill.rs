//! What a drill found: whether what is live is what was declared.

use std::io::{self, Write};

use super::text::{count, listed, one_line};
use crate::error::Exit;
use crate::object::{GroupKind, ObjectId};

/// What a drill found after its restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Number of declared objects that were looked for.
    pub checked: usize,
    /// Declared, and not live.
    pub missing: Vec<ObjectId>,
    /// Live, and not equal to what was declared: paths of fields, such as `.spec.replicas`; never values.
    pub different: Vec<(ObjectId, Vec<String>)>,
    /// Changed by a second restore.
    pub second_run_changed: Vec<ObjectId>,
    /// Kinds of declared custom resources whose controller nothing plays, so that nothing follows from them.
    pub not_simulated: Vec<GroupKind>,
}

impl Verified {
    /// Whether every object is live and as declared, and a second restore changed nothing.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty() && self.second_run_changed.is_empty()
    }

    /// The exit code of a drill whose restore would return `restore`.
    pub fn exit(&self, restore: Exit) -> Exit {
        match restore {
            Exit::Done if !self.is_clean() => Exit::LookAt,
            other => other,
        }
    }
}

/// Writes what a drill found.
///
/// # Errors
/// Those of the writer.
pub fn verified(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    let bad = verified.missing.len() + verified.different.len();
    let (good, all) = (
        verified.checked.saturating_sub(bad),
        count(verified.checked, "declared object"),
    );
    if bad == 0 {
        writeln!(out, "Verified: all of {all} are live and equal to what was declared.")?;
    } else {
        writeln!(
            out,
            "Verified: {good} of {all} are live and equal to what was declared."
        )?;
    }
    if !verified.missing.is_empty() {
        writeln!(out, "  missing: {}", listed(&verified.missing, usize::MAX))?;
    }
    for (id, fields) in &verified.different {
        writeln!(out, "  different: {}: {}", one_line(id), listed(fields, 10))?;
    }
    if verified.second_run_changed.is_empty() {
        writeln!(out, "Second restore: changed nothing.")?;
    } else {
        let number = count(verified.second_run_changed.len(), "object");
        let names = listed(&verified.second_run_changed, usize::MAX);
        writeln!(out, "Second restore: changed {number}: {names}")?;
    }
    if !verified.not_simulated.is_empty() {
        let kinds = listed(&verified.not_simulated, usize::MAX);
        writeln!(
            out,
            "Not simulated: {kinds}: nothing here plays their controllers; --simulate can."
        )?;
    }
    writeln!(
        out,
        "The times are those of the API: not the time that images and volumes take."
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn shown(of: &Verified) -> String {
        let mut out = Vec::new();
        verified(of, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn says_what_is_not_as_declared() {
        insta::assert_snapshot!(shown(&sample::verified()), @r#"
        Verified: 78 of 80 declared objects are live and equal to what was declared.
          missing: ConfigMap/bank/gone\u{1b}
          different: Deployment/bank/api: .spec.replicas, .spec.paused
        Second restore: changed 1 object: Deployment/bank/api
        Not simulated: Certificate.cert-manager.io: nothing here plays their controllers; --simulate can.
        The times are those of the API: not the time that images and volumes take.
        "#);
    }

    #[test]
    fn says_that_all_is_well() {
        let clean = Verified {
            checked: 80,
            ..Verified::default()
        };
        insta::assert_snapshot!(shown(&clean), @r#"
        Verified: all of 80 declared objects are live and equal to what was declared.
        Second restore: changed nothing.
        The times are those of the API: not the time that images and volumes take.
        "#);
    }

    #[test]
    fn what_is_not_clean_is_to_be_looked_at() {
        let (found, clean) = (sample::verified(), Verified::default());
        assert_eq!(found.exit(Exit::Done), Exit::LookAt);
        assert_eq!(found.exit(Exit::Interrupted), Exit::Interrupted);
        assert_eq!(clean.exit(Exit::Done), Exit::Done);
    }
}
