//! `--report FILE`: the whole report of a run.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::text::{one_line, took};
use super::{About, Verified, about, human, json, notes, problems, summary, verified};
use crate::error::{Failure, Kind};
use crate::event::Summary;
use crate::plan::{NodeIndex, Plan};

/// All there is to say about a run.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// What it was about.
    pub about: About<'a>,
    /// What was planned.
    pub plan: &'a Plan,
    /// What came of it.
    pub summary: &'a Summary,
    /// What a drill found.
    pub verified: Option<&'a Verified>,
}

impl Report<'_> {
    /// Writes the report as text: what it is about, problems, remarks, the summary, what a drill found, and each object with
    /// its times.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        about(&self.about, out)?;
        writeln!(out)?;
        problems(&self.plan.problems, out)?;
        notes(&self.plan.notes, true, out)?;
        if !self.plan.problems.is_empty() || !self.plan.notes.is_empty() {
            writeln!(out)?;
        }
        summary(self.plan, self.summary, out)?;
        if let Some(found) = self.verified {
            writeln!(out)?;
            verified(found, out)?;
        }
        self.objects(out)
    }

    fn objects(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.summary.outcomes.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\nEach object, with the times at which it was sent, written and at its end:"
        )?;
        for (index, (id, outcome)) in self.summary.outcomes.iter().enumerate() {
            let times = self.summary.times.get(index).copied().unwrap_or_default();
            let cell = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), took);
            let (sent, written, settled) = (cell(times.sent), cell(times.written), cell(times.settled));
            let node = u32::try_from(index).map(NodeIndex).ok();
            let (word, rest) = match node.filter(|node| self.plan.step(*node).is_some()) {
                Some(node) => human::settled(self.plan, node, outcome, None),
                None => ("", one_line(id)),
            };
            writeln!(out, "{sent:>8} {written:>8} {settled:>8}  {word:<11} {rest}")?;
        }
        Ok(())
    }

    /// Writes the report as one JSON document; the fields are in [`json`].
    ///
    /// # Errors
    /// Those of the writer.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let extra = json::Extra {
            about: Some(self.about),
            verified: self.verified,
            whole: true,
        };
        json::report(self.plan, self.summary, &extra, out)
    }

    /// Writes the report to a file: JSON if its name ends in `.json`, else text. A file that was there is replaced whole or
    /// not at all; pipes and devices are written to as they are.
    ///
    /// # Errors
    /// When the file cannot be written; the run itself is done by then, and the failure says so.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let made = match wants_json(path) {
            true => self.json(&mut bytes),
            false => self.text(&mut bytes),
        };
        made.and_then(|()| put(path, &bytes)).map_err(|error| {
            Failure::new(Kind::Io, format!("the report {} was not written", path.display()))
                .because(error)
                .hint("what was restored stays as it is; the summary stands above")
        })
    }
}

/// Whether its name ends in `.json`.
pub(super) fn wants_json(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"))
}

pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let special = fs::metadata(path).is_ok_and(|found| !found.is_file());
    if special {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".refloat-report-");
    // As any file that is made anew: what the umask leaves of it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::object::{Place, Problem};
    use crate::plan::{Note, NoteKind};

    /// Calls back with a report that has one of everything.
    fn with_report<T>(then: impl FnOnce(&Report<'_>) -> T) -> T {
        let (mut plan, summary) = sample::fine();
        plan.problems.push(Problem::error(Place::file("x.yaml"), "is no YAML"));
        plan.notes.push(Note {
            kind: NoteKind::NotInGit,
            object: None,
            place: None,
            message: "the content of volumes".to_owned(),
            hint: None,
        });
        let verified = sample::verified();
        then(&Report {
            about: sample::about(),
            plan: &plan,
            summary: &summary,
            verified: Some(&verified),
        })
    }

    #[test]
    fn text_has_it_all() {
        let mut out = Vec::new();
        with_report(|report| report.text(&mut out)).expect("because a Vec takes all");
        insta::assert_snapshot!(String::from_utf8(out).expect("because it is text"), @r#"
        Repository  ./gitops at 0123456789ab "Raise the \u{1b}limits" (2026-11-20 08:00 UTC)
        Entry       clusters/production, the whole repository: kustomization, found by itself
        Cluster     bank, context bank-dr, https://10.0.0.1:6443, 3 nodes

        1 error in the repository:
          error: x.yaml: is no YAML
        note: Git cannot bring this back; restore it from a backup or make it anew (1)
          the content of volumes

        3 of 3 objects are in the cluster (3.5s, 0.9 objects/s).
        In the repository: 1 error, listed above.

                      objects   ready  not waited for  failed  timed out
        created             2       1               1       -          -
        configured          1       1               -       -          -

        Slowest chain: 3.5s of 3.5s
             0.0s  Namespace/bank
             2.3s  Deployment/bank/db  (waited, because it lives in that namespace)
                   unit apps/db  (waited, because it belongs to that unit)
             1.2s  Deployment/bank/api  (waited, because the annotation depends-on says so)

        Verified: 78 of 80 declared objects are live and equal to what was declared.
          missing: ConfigMap/bank/gone\u{1b}
          different: Deployment/bank/api: .spec.replicas, .spec.paused
        Second restore: changed 1 object: Deployment/bank/api
        Not simulated: Certificate.cert-manager.io: nothing here plays their controllers; --simulate can.
        The times are those of the API: not the time that images and volumes take.

        Each object, with the times at which it was sent, written and at its end:
            0.0s     0.0s     0.0s  created     Namespace/bank
            0.0s     0.0s     2.3s  created     Deployment/bank/db  ready
            2.3s     2.4s     3.5s  configured  Deployment/bank/api  ready
        "#);
    }

    #[test]
    fn the_name_decides_and_what_was_there_is_replaced() {
        let folder = tempfile::tempdir().expect("because there is room");
        for (name, start) in [("a.json", "{\n  \"version\": 1,"), ("a.txt", "Repository  ./gitops")] {
            let path = folder.path().join(name);
            fs::write(&path, "old").expect("because there is room");
            with_report(|report| report.write(&path)).expect("because there is room");
            let text = fs::read_to_string(&path).expect("because it was written");
            assert!(text.starts_with(start), "{text}");
        }
        let names = fs::read_dir(folder.path()).expect("because it is there").count();
        assert_eq!(names, 2);
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        let failure = with_report(|report| report.write(Path::new("/nowhere/at/all.json")))
            .expect_err("because there is no such folder");
        let text = failure.to_string();
        assert!(
            text.starts_with("Error: the report /nowhere/at/all.json was not written\n  because: "),
            "{text}"
        );
    }
}
