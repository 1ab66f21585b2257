//! The exit code of a run.

use super::{Audited, preflight};
use crate::audit::Finding;
use crate::error::Exit;
use crate::event::Summary;
use crate::object::{Problem, ProblemKind};
use crate::plan::{Note, NoteKind};

/// What a run that came to its end returns. Pure.
///
/// | code | when |
/// |---|---|
/// | 130 | the run was interrupted |
/// | 1 | the run had to stop writing ([`Summary::stopped`]) |
/// | 3 | an object failed, was skipped (other than held back or left alone) or did not become ready; an input could not be used; or preflight names something that stays open after the run (the table in [`preflight`](super::notes)) |
/// | 0 | otherwise |
///
/// `summary` is `None` for `plan`, `render` and `--dry-run`, which write nothing.
pub fn exit_of(summary: Option<&Summary>, problems: &[Problem], notes: &[Note]) -> Exit {
    if let Some(summary) = summary {
        if summary.interrupted {
            return Exit::Interrupted;
        }
        if summary.stopped.is_some() {
            return Exit::Failed;
        }
        if summary.outcomes.iter().any(|(_, outcome)| outcome.wants_a_look()) {
            return Exit::LookAt;
        }
    }
    let unusable = problems.iter().any(|problem| problem.kind == ProblemKind::Error);
    // After a run the outcomes say what was served in the end: an operator may have brought a kind meanwhile.
    let settled = |note: &Note| summary.is_some() && note.kind == NoteKind::NotServed;
    let open = notes
        .iter()
        .any(|note| preflight::stays_open(note.kind) && !settled(note));
    if unusable || open { Exit::LookAt } else { Exit::Done }
}

/// What an audit returns: 3 with findings of these verdicts (none given: any), with gaps, or with an input that could not be used;
/// else 0. Pure.
pub fn exit_of_audit(audited: &Audited<'_>, fail_on: &[String]) -> Exit {
    let findings = &audited.findings.findings;
    let found = findings.iter().any(|one| counts_as_failure(one, fail_on));
    let unusable = audited
        .problems
        .iter()
        .any(|problem| problem.kind == ProblemKind::Error);
    if found || unusable || !audited.gaps.is_empty() {
        Exit::LookAt
    } else {
        Exit::Done
    }
}

/// Whether a finding has one of these verdicts (none given: any).
pub fn counts_as_failure(finding: &Finding, fail_on: &[String]) -> bool {
    fail_on.is_empty() || fail_on.iter().any(|one| one == finding.verdict.name())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, id};
    use super::*;
    use crate::audit::{Findings, Verdict};
    use crate::object::{Action, FactGap, Outcome, PastSet, Place, Readiness, SkipReason};

    fn of(outcome: Outcome) -> Exit {
        let summary = Summary {
            outcomes: vec![(id("ConfigMap", "a"), outcome)],
            ..Summary::default()
        };
        exit_of(Some(&summary), &[], &[])
    }

    #[test]
    fn outcomes_decide() {
        let done = |action| sample::outcome(action, Readiness::Current);
        assert_eq!(of(done(Action::Created)), Exit::Done);
        assert_eq!(of(done(Action::Failed("no".to_owned()))), Exit::LookAt);
        assert_eq!(of(sample::skipped(SkipReason::Stalled("x".to_owned()))), Exit::LookAt);
        assert_eq!(of(sample::skipped(SkipReason::HeldBack("x".to_owned()))), Exit::Done);
        assert_eq!(of(sample::skipped(SkipReason::Generated)), Exit::Done);
        let late = Readiness::TimedOut("x".to_owned());
        assert_eq!(of(sample::outcome(Action::Created, late)), Exit::LookAt);
    }

    #[test]
    fn verdicts_gaps_and_inputs_decide_an_audit() {
        let gap = || FactGap {
            what: "list secrets".to_owned(),
            reason: "forbidden".to_owned(),
        };
        let error = || Problem::error(Place::file("a.yaml"), "is no YAML");
        let warning = || Problem::warning(Place::file("a.yaml"), "key given twice");
        let missing = || vec![Finding::new(id("ConfigMap", "a"), Verdict::Missing)];
        for (findings, gaps, problems, fail_on, expected) in [
            (vec![], vec![], vec![], vec![], Exit::Done),
            (missing(), vec![], vec![], vec![], Exit::LookAt),
            (missing(), vec![], vec![], vec!["missing"], Exit::LookAt),
            (missing(), vec![], vec![], vec!["drifted", "missing"], Exit::LookAt),
            (missing(), vec![], vec![], vec!["drifted"], Exit::Done),
            (missing(), vec![gap()], vec![], vec!["drifted"], Exit::LookAt),
            (vec![], vec![gap()], vec![], vec![], Exit::LookAt),
            (vec![], vec![], vec![error()], vec!["drifted"], Exit::LookAt),
            (vec![], vec![], vec![warning()], vec![], Exit::Done),
        ] {
            let (findings, past) = (
                Findings {
                    findings,
                    ..Findings::default()
                },
                PastSet::default(),
            );
            let audited = Audited {
                about: sample::about(),
                findings: &findings,
                gaps: &gaps,
                past: &past,
                log: None,
                problems: &problems,
                declared: 1,
                live: 1,
            };
            let fail_on: Vec<String> = fail_on.into_iter().map(str::to_owned).collect();
            assert_eq!(exit_of_audit(&audited, &fail_on), expected, "{fail_on:?} {audited:?}");
        }
    }

    #[test]
    fn an_end_before_the_end_goes_first() {
        let (_, mut summary) = sample::troubled();
        assert_eq!(exit_of(Some(&summary), &[], &[]), Exit::LookAt);
        summary.stopped = Some("the Lease was lost".to_owned());
        assert_eq!(exit_of(Some(&summary), &[], &[]), Exit::Failed);
        summary.interrupted = true;
        assert_eq!(exit_of(Some(&summary), &[], &[]), Exit::Interrupted);
    }

    #[test]
    fn problems_and_notes_decide_without_a_run() {
        let error = Problem::error(Place::file("a.yaml"), "is no YAML");
        let warning = Problem::warning(Place::file("a.yaml"), "key given twice");
        assert_eq!(exit_of(None, &[], &[]), Exit::Done);
        assert_eq!(exit_of(None, &[warning], &[]), Exit::Done);
        assert_eq!(exit_of(None, &[error], &[]), Exit::LookAt);
        let note = |kind| Note {
            kind,
            object: None,
            place: None,
            message: String::new(),
            hint: None,
        };
        assert_eq!(exit_of(None, &[], &[note(NoteKind::ActsOutside)]), Exit::Done);
        assert_eq!(exit_of(None, &[], &[note(NoteKind::NotServed)]), Exit::LookAt);
        let ran = Summary::default();
        assert_eq!(exit_of(Some(&ran), &[], &[note(NoteKind::NotServed)]), Exit::Done);
        assert_eq!(exit_of(Some(&ran), &[], &[note(NoteKind::NeedsEdit)]), Exit::LookAt);
    }
}
