//! Before the first write: problems of the input and remarks of preflight, for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{text, words};
use crate::object::{Problem, ProblemKind};
use crate::plan::{Note, NoteKind};

/// How a kind of remark is shown, and what it means for the run.
struct Row {
    kind: NoteKind,
    /// The word in JSON.
    word: &'static str,
    /// One sentence over all remarks of the kind.
    title: &'static str,
    /// Someone should decide or act before the first write.
    decide: bool,
    /// Something is missing or wrong whatever the operator decides, and the outcomes alone may not show it: exit code 3.
    open: bool,
}

const fn row(kind: NoteKind, word: &'static str, decide: bool, open: bool, title: &'static str) -> Row {
    Row {
        kind,
        word,
        title,
        decide,
        open,
    }
}

/// One row for each [`NoteKind`].
const ROWS: &[Row] = &[
    row(
        NoteKind::NotServed,
        "not-served",
        true,
        true,
        "The cluster does not serve these kinds and nothing declared is known to bring them; unless something does, these objects are left out",
    ),
    row(
        NoteKind::Migrated,
        "migrated",
        false,
        false,
        "Written in a newer API version with the same meaning; Git still declares the old one, and your engine will fail on it",
    ),
    row(
        NoteKind::NeedsEdit,
        "needs-edit",
        true,
        true,
        "Their API version is gone and the meaning would change, so they need an edit in Git first",
    ),
    row(
        NoteKind::MissingReference,
        "missing-reference",
        true,
        true,
        "Objects that others name are missing",
    ),
    row(
        NoteKind::EngineInput,
        "engine-input",
        true,
        false,
        "Engines read these and nobody brings them; once an engine runs, it does nothing with what reads them",
    ),
    row(
        NoteKind::Forbidden,
        "forbidden",
        true,
        true,
        "Permissions that the user of this kubeconfig lacks",
    ),
    row(
        NoteKind::WouldChange,
        "would-change",
        true,
        false,
        "There already, and would be changed",
    ),
    row(
        NoteKind::WouldOverride,
        "would-override",
        true,
        false,
        "There already, with fields that would be taken from their present owners",
    ),
    row(
        NoteKind::NodePortTwice,
        "node-port-twice",
        true,
        true,
        "The same nodePort is declared more than once; the server takes the first only",
    ),
    row(
        NoteKind::ActsOutside,
        "acts-outside",
        true,
        false,
        "Acts on the world outside the cluster",
    ),
    row(
        NoteKind::EngineUndoes,
        "engine-undoes",
        true,
        true,
        "An engine in the cluster syncs another revision, and would undo this within minutes",
    ),
    row(
        NoteKind::Removed,
        "removed",
        true,
        false,
        "Declared before and not by this revision: to be deleted",
    ),
    row(
        NoteKind::Kept,
        "kept",
        false,
        false,
        "Declared before and not by this revision, and left all the same",
    ),
    row(
        NoteKind::NotInGit,
        "not-in-git",
        false,
        false,
        "Git cannot bring this back; restore it from a backup or make it anew",
    ),
    row(
        NoteKind::Generated,
        "generated",
        false,
        false,
        "Made only where absent, and never overwritten",
    ),
    row(
        NoteKind::CycleCut,
        "cycle-cut",
        false,
        false,
        "These wait for each other in a ring; the weakest link was cut",
    ),
    row(
        NoteKind::Gap,
        "gap",
        false,
        false,
        "Could not be found out about the cluster",
    ),
];

fn row_of(kind: NoteKind) -> &'static Row {
    ROWS.iter()
        .find(|row| row.kind == kind)
        .expect("because a test goes through all kinds")
}

/// The word for a kind of remark in JSON.
pub(super) fn word(kind: NoteKind) -> &'static str {
    row_of(kind).word
}

/// Whether someone should decide or act before the first write.
pub(super) fn wants_decision(kind: NoteKind) -> bool {
    row_of(kind).decide
}

/// Whether a run with such a remark ends with exit code 3.
pub(super) fn stays_open(kind: NoteKind) -> bool {
    row_of(kind).open
}

/// Writes the remarks of preflight, grouped by kind, those that need a decision first. Nothing for no remarks.
///
/// At most 10 of each kind are shown unless `all`.
///
/// # Errors
/// Those of the writer.
pub fn notes(notes: &[Note], all: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut groups: BTreeMap<(bool, NoteKind), Vec<&Note>> = BTreeMap::new();
    for note in notes {
        let key = (!wants_decision(note.kind), note.kind);
        groups.entry(key).or_default().push(note);
    }
    for ((settled, kind), mut group) in groups {
        group.sort_by(|a, b| (&a.object, &a.place, &a.message).cmp(&(&b.object, &b.place, &b.message)));
        let mark = if settled { "note" } else { "decide" };
        writeln!(out, "{mark}: {} ({})", row_of(kind).title, group.len())?;
        // What is deleted is listed whole, before anybody says yes to it.
        let most = if all || kind == NoteKind::Removed {
            usize::MAX
        } else {
            10
        };
        for note in group.iter().take(most) {
            writeln!(out, "  {}", note_line(note))?;
        }
        if group.len() > most {
            writeln!(out, "  … and {} more; --verbose lists them all", group.len() - most)?;
        }
        let mut hints: Vec<&String> = Vec::new();
        // Its title says it already.
        group.retain(|note| note.kind != NoteKind::Migrated);
        for hint in group.iter().filter_map(|note| note.hint.as_ref()) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        for hint in hints.into_iter().take(most) {
            writeln!(out, "  hint: {}", text::message(hint, "    "))?;
        }
    }
    Ok(())
}

fn note_line(note: &Note) -> String {
    let message = text::message(&note.message, "    ");
    match (&note.object, &note.place) {
        (Some(id), Some(place)) => format!("{} ({}): {message}", text::one_line(id), text::one_line(place)),
        (Some(id), None) => format!("{}: {message}", text::one_line(id)),
        (None, Some(place)) => format!("{}: {message}", text::one_line(place)),
        (None, None) => message,
    }
}

/// Writes everything wrong with the input, errors first, each with place, object, consequence and hint, and their number.
/// Nothing for no problems.
///
/// # Errors
/// Those of the writer.
pub fn problems(problems: &[Problem], out: &mut dyn Write) -> io::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    writeln!(out, "{} in the repository:", counted(problems))?;
    for problem in sorted(problems) {
        let places: Vec<String> = problem.places.iter().map(text::one_line).collect();
        write!(out, "  {}: {}", words::problem(problem.kind), places.join(" and "))?;
        if let Some(object) = &problem.object {
            write!(out, ": {}", text::one_line(object))?;
        }
        writeln!(out, ": {}", text::message(&problem.message, "    "))?;
        if let Some(hint) = &problem.hint {
            writeln!(out, "    hint: {}", text::message(hint, "      "))?;
        }
    }
    Ok(())
}

/// Errors first, then by place, object and text.
pub(super) fn sorted(problems: &[Problem]) -> Vec<&Problem> {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by(|a, b| (a.kind, &a.places, &a.object, &a.message).cmp(&(b.kind, &b.places, &b.object, &b.message)));
    sorted
}

/// `2 errors and 1 warning`.
pub(super) fn counted(problems: &[Problem]) -> String {
    let kinds = [ProblemKind::Error, ProblemKind::Warning, ProblemKind::Note];
    let counts = kinds.into_iter().filter_map(|kind| {
        let count = problems.iter().filter(|problem| problem.kind == kind).count();
        (count > 0).then(|| text::count(count, words::problem(kind)))
    });
    let mut counts: Vec<String> = counts.collect();
    match counts.pop() {
        None => text::count(0, words::problem(ProblemKind::Error)),
        Some(last) if counts.is_empty() => last,
        Some(last) => format!("{} and {last}", counts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::id;
    use super::*;
    use crate::object::Place;

    fn note(kind: NoteKind, name: &str, message: &str, hint: Option<&str>) -> Note {
        Note {
            kind,
            object: Some(id("Deployment", name)),
            place: Some(Place::at("apps/web.yaml", 3)),
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
        }
    }

    fn shown(notes: &[Note], all: bool) -> String {
        let mut out = Vec::new();
        super::notes(notes, all, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    /// Lists all kinds; a kind that is added does not compile until it is named here, and then needs its row.
    fn each_kind() -> Vec<NoteKind> {
        use NoteKind::*;
        let all = [
            NotServed,
            Migrated,
            NeedsEdit,
            MissingReference,
            EngineInput,
            Forbidden,
            WouldChange,
            WouldOverride,
            NodePortTwice,
            ActsOutside,
            EngineUndoes,
            Removed,
            Kept,
            NotInGit,
            Generated,
            CycleCut,
            Gap,
        ];
        for kind in all {
            match kind {
                NotServed | Migrated | NeedsEdit | MissingReference | EngineInput | Forbidden | WouldChange
                | WouldOverride | NodePortTwice | ActsOutside | EngineUndoes | Removed | Kept | NotInGit
                | Generated | CycleCut | Gap => {}
            }
        }
        all.to_vec()
    }

    #[test]
    fn every_kind_has_one_row() {
        let kinds = each_kind();
        assert_eq!(ROWS.iter().map(|row| row.kind).collect::<Vec<_>>(), kinds);
        for kind in kinds {
            assert!(shown(&[note(kind, "a", "m", None)], false).contains(row_of(kind).title));
        }
    }

    #[test]
    fn groups_decisions_first_and_hints_once() {
        let notes = [
            note(
                NoteKind::NotInGit,
                "db",
                "the content of PersistentVolumeClaim/bank/data",
                None,
            ),
            note(
                NoteKind::MissingReference,
                "web",
                "Secret/bank/key is missing, so its pods will not start",
                Some("create it"),
            ),
            note(
                NoteKind::MissingReference,
                "api",
                "Secret/bank/key is missing, so its pods will not start",
                Some("create it"),
            ),
        ];
        insta::assert_snapshot!(shown(&notes, false), @r#"
        decide: Objects that others name are missing (2)
          Deployment/bank/api (apps/web.yaml:3): Secret/bank/key is missing, so its pods will not start
          Deployment/bank/web (apps/web.yaml:3): Secret/bank/key is missing, so its pods will not start
          hint: create it
        note: Git cannot bring this back; restore it from a backup or make it anew (1)
          Deployment/bank/db (apps/web.yaml:3): the content of PersistentVolumeClaim/bank/data
        "#);
    }

    #[test]
    fn long_groups_are_cut_and_say_so() {
        let notes: Vec<Note> = (10..23)
            .map(|number| note(NoteKind::Gap, &format!("web-{number}"), "x\u{1b}[2J", None))
            .collect();
        let cut = shown(&notes, false);
        assert_eq!(cut.lines().count(), 12);
        assert!(cut.ends_with("  … and 3 more; --verbose lists them all\n"), "{cut}");
        assert_eq!(shown(&notes, true).lines().count(), 14);
        assert!(!cut.contains('\u{1b}'));
        assert_eq!(shown(&[], false), "");
    }

    #[test]
    fn all_problems_are_shown_errors_first() {
        let problems = [
            Problem::warning(
                Place::at("b.yaml", 2),
                "the key replicas is given twice; the last one counts",
            ),
            Problem::error(
                Place::at("c.yaml", 9),
                "two different objects of one name:\nneither was used",
            )
            .and_at(Place::at("a.yaml", 1))
            .of(id("ConfigMap", "settings\nx"))
            .hint("take one of them out"),
        ];
        let mut out = Vec::new();
        super::problems(&problems, &mut out).expect("because a Vec takes all");
        insta::assert_snapshot!(String::from_utf8(out).expect("because it is text"), @r#"
        1 error and 1 warning in the repository:
          error: c.yaml:9 and a.yaml:1: ConfigMap/bank/settings\nx: two different objects of one name:
            neither was used
            hint: take one of them out
          warning: b.yaml:2: the key replicas is given twice; the last one counts
        "#);
    }
}
