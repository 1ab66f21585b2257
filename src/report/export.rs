//! An export for people: what is to be declared where, and what was left out.

use std::io::{self, Write};
use std::path::Path;

use super::audit::{by, title};
use super::text::{count, message, one_line, said_of};
use super::{About, about, file, history, json};
use crate::audit::{Finding, Verdict};
use crate::error::{Failure, Kind};
use crate::export::{Change, Changeset, Intent, Placed, Rehearsed, Wish};
use crate::object::{Action, Edit, FactGap, ObjectEdit, ObjectId, Outcome, Place, Readiness, SkipReason};

/// All there is to say about an export.
#[derive(Clone, Copy)]
pub struct Exported<'a> {
    /// What it was about.
    pub about: About<'a>,
    /// What was chosen.
    pub findings: &'a [&'a Finding],
    /// Findings that were not.
    pub others: usize,
    /// What was to become of them.
    pub intent: &'a Intent,
    /// What became of them.
    pub made: &'a Changeset,
    /// What came of it in an empty control plane, where that was asked for.
    pub rehearsed: Option<&'a Rehearsed>,
    /// What could not be read, sorted.
    pub gaps: &'a [FactGap],
}

/// Where a change was put, as far as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// A folder.
    pub folder: Option<String>,
    /// The working tree.
    pub working_tree: Option<String>,
    /// A patch; `-` is standard output.
    pub patch: Option<String>,
    /// A commit.
    pub commit: Option<Committed>,
    /// Where that was pushed to, without credentials.
    pub pushed_to: Option<String>,
    /// A pull request.
    pub request: Option<Requested>,
}

/// A commit on a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The branch's name.
    pub branch: String,
    /// The full id of the commit.
    pub id: String,
    /// What happened to the branch: `created`, `updated`, `unchanged`.
    pub was: &'static str,
}

/// A pull request of the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// Its page.
    pub address: String,
    /// Its number in the project.
    pub number: u64,
    /// What happened to it: `opened`, `updated`, `unchanged`.
    pub was: &'static str,
}

/// A change of a finding, and what became of it.
pub(super) struct Told<'a> {
    pub change: &'a Change,
    /// Where it is declared now, or why it is not.
    pub placed: Result<&'a Placed, &'a str>,
}

/// Something that was chosen and is not exported.
pub(super) struct LeftOut<'a> {
    pub finding: &'a Finding,
    /// The field; `None`: the whole object.
    pub field: Option<&'a str>,
    pub reason: &'a str,
    /// The file that shows what is live.
    pub aside: Option<&'a str>,
}

impl<'a> Exported<'a> {
    /// Whether all could be read, all that was chosen has a place in the repository, and became ready where that was tried.
    pub fn is_whole(&self) -> bool {
        let is_ready = |rehearsed: &Rehearsed| rehearsed.not_ready.is_empty();
        self.intent.left.is_empty()
            && self.made.unplaced.is_empty()
            && self.gaps.is_empty()
            && self.rehearsed.is_none_or(is_ready)
    }

    /// Writes it for people: by verdict and namespace, then what was left out, then the files.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        about(&self.about, out)?;
        writeln!(out)?;
        let exported: Vec<(usize, Vec<Told<'_>>)> = self.exported().collect();
        for verdict in Verdict::FINDINGS {
            self.verdict(verdict, &exported, out)?;
        }
        self.left_out(out)?;
        self.side_effects(out)?;
        self.rehearsed(out)?;
        self.files(out)
    }

    /// Writes it to a file: JSON if its name ends in `.json`, else as for people. A file that was there is replaced whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written; what was delivered is by then, and the failure says so.
    pub fn write(&self, delivered: &Delivered, path: &Path) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let written = match file::wants_json(path) {
            true => json::exported(self, delivered, &mut bytes),
            false => self.human(&mut bytes),
        };
        written.and_then(|()| file::put(path, &bytes)).map_err(|error| {
            Failure::new(Kind::Io, format!("the report {} was not written", path.display()))
                .because(error)
                .hint("what was exported is; what became of it stands above")
        })
    }

    /// The message of a commit that makes the change: subject, empty line, body.
    pub fn message(&self) -> String {
        let exported: Vec<(usize, Vec<Told<'_>>)> = self.exported().collect();
        let mut text = match exported[..] {
            [(one, _)] => format!("Declare what was done by hand: {}\n\n", self.findings[one].id),
            _ => format!("Declare what was done by hand: {}\n\n", count(exported.len(), "object")),
        };
        if let Some(context) = self.about.context {
            text.push_str(&format!(
                "As it is in cluster {}, context {}.\n",
                one_line(&context.cluster),
                one_line(&context.name)
            ));
        }
        for verdict in Verdict::FINDINGS {
            let of = |(index, _): &&(usize, Vec<Told<'_>>)| self.findings[*index].verdict.name() == verdict;
            let mut lines = exported.iter().filter(of).peekable();
            if lines.peek().is_some() {
                text.push_str(&format!("\n{}:\n\n", title(verdict)));
            }
            for (index, told) in lines {
                text.push_str(&self.exported_line(*index, told));
            }
        }
        let mut section = |title: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                text.push_str(&format!("\n{title}:\n\n"));
                text.extend(lines.into_iter().map(|line| format!("- {line}\n")));
            }
        };
        section(
            "These change too",
            self.made.side_effects.iter().map(one_line).collect(),
        );
        section(
            "Written anew, where comments may be lost",
            self.made.reemitted.iter().map(place).collect(),
        );
        section("Left out", self.left().iter().map(LeftOut::line).collect());
        text
    }

    /// A finding in a message: its fields, who, and what a reviewer has to know.
    fn exported_line(&self, index: usize, told: &[Told<'_>]) -> String {
        let finding = self.findings[index];
        let fields = told.iter().filter_map(|told| told.change.path());
        let fields: Vec<String> = fields.map(one_line).collect();
        let fields = match fields.is_empty() {
            true => String::new(),
            false => format!(": {}", fields.join(", ")),
        };
        let who = finding
            .authors
            .first()
            .map_or(String::new(), |author| format!(" ({})", one_line(by(author))));
        let mut text = format!("- {}{fields}{who}\n", one_line(&finding.id));
        let wish = self.wish(index);
        if let Some(why) = wish.and_then(|wish| wish.unproven.as_ref()) {
            text.push_str(&format!("  Not proven: {}\n", one_line(why)));
        }
        if let Some(first) = wish.and_then(|wish| wish.first.as_ref()) {
            text.push_str(&format!("  First: {}\n", one_line(first)));
        }
        text
    }

    /// Indices of findings of which something is placed, with that.
    pub(super) fn exported(&self) -> impl Iterator<Item = (usize, Vec<Told<'a>>)> {
        let all = (0..self.findings.len()).map(|index| {
            let told = self.told(index).into_iter();
            (index, told.filter(|told| told.placed.is_ok()).collect::<Vec<_>>())
        });
        all.filter(|(_, told)| !told.is_empty())
    }

    /// What is to be made of a finding.
    pub(super) fn wish(&self, finding: usize) -> Option<&'a Wish> {
        self.intent.wishes.iter().find(|wish| wish.finding == finding)
    }

    fn verdict(&self, verdict: &str, exported: &[(usize, Vec<Told<'_>>)], out: &mut dyn Write) -> io::Result<()> {
        let of = |(index, _): &&(usize, Vec<Told<'_>>)| self.findings[*index].verdict.name() == verdict;
        let told: Vec<_> = exported.iter().filter(of).collect();
        if told.is_empty() {
            return Ok(());
        }
        writeln!(out, "{} ({})", title(verdict), told.len())?;
        for (index, lines) in told {
            let finding = self.findings[*index];
            let who = finding
                .authors
                .first()
                .map_or(String::new(), |author| format!("  by {}", by(author)));
            writeln!(out, "  {}{}", one_line(&finding.id), one_line(who))?;
            for line in lines {
                let Ok(placed) = line.placed else { continue };
                let place = format!("{}: {}", place(&placed.place), placed.why);
                match line.change.path() {
                    None => writeln!(out, "      {place}")?,
                    Some(field) => writeln!(out, "      {}  {place}", one_line(field))?,
                }
            }
            let wish = self.wish(*index);
            if let Some(why) = wish.and_then(|wish| wish.unproven.as_ref()) {
                writeln!(out, "      not proven: {}", one_line(why))?;
            }
            if let Some(first) = wish.and_then(|wish| wish.first.as_ref()) {
                writeln!(out, "      first: {}", one_line(first))?;
            }
        }
        writeln!(out)
    }

    /// What became of the changes of a finding.
    fn told(&self, finding: usize) -> Vec<Told<'a>> {
        let (intent, made) = (self.intent, self.made);
        let changes = self.wish(finding).map_or(0..0, |wish| wish.changes.clone());
        let told = changes.map(|index| {
            let placed = made.placed.iter().find(|placed| placed.change == index);
            let unplaced = made.unplaced.iter().find(|unplaced| unplaced.change == index);
            Told {
                change: &intent.changes[index],
                placed: placed.ok_or_else(|| unplaced.map_or("", |unplaced| &*unplaced.reason)),
            }
        });
        told.collect()
    }

    /// What was left out, and why.
    pub(super) fn left(&self) -> Vec<LeftOut<'a>> {
        let whole = self.intent.left.iter().map(|left| LeftOut {
            finding: self.findings[left.finding],
            field: None,
            reason: &left.reason,
            aside: None,
        });
        let mut all: Vec<LeftOut<'a>> = whole.collect();
        for (index, finding) in self.findings.iter().copied().enumerate() {
            let told = self.told(index).into_iter();
            all.extend(told.filter_map(|told| {
                Some(LeftOut {
                    finding,
                    field: told.change.path(),
                    reason: told.placed.err()?,
                    aside: self.made.aside.get(&finding.id).map(String::as_str),
                })
            }));
        }
        all
    }

    fn left_out(&self, out: &mut dyn Write) -> io::Result<()> {
        let left = self.left();
        if left.is_empty() {
            return Ok(());
        }
        writeln!(out, "Left out ({})", left.len())?;
        for left in left {
            writeln!(out, "  {}", left.line())?;
        }
        writeln!(out)
    }

    fn side_effects(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.made.side_effects.is_empty() {
            return Ok(());
        }
        writeln!(out, "These change too ({})", self.made.side_effects.len())?;
        for line in &self.made.side_effects {
            writeln!(out, "  {}", one_line(line))?;
        }
        writeln!(out)
    }

    fn rehearsed(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(rehearsed) = self.rehearsed else {
            return Ok(());
        };
        if rehearsed.objects.is_empty() {
            let all = count(rehearsed.checked, "exported object");
            writeln!(out, "Verified: in an empty control plane {all} came out as live.\n")?;
        } else {
            writeln!(
                out,
                "Otherwise in an empty control plane ({} of {})",
                rehearsed.objects.len(),
                rehearsed.checked
            )?;
            for one in &rehearsed.objects {
                writeln!(out, "  {}", otherwise(one, rehearsed))?;
                for field in &one.fields {
                    writeln!(out, "      {}", history::shown(field))?;
                }
            }
            writeln!(out)?;
        }
        if rehearsed.not_ready.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "There, but not ready in an empty control plane ({} of {})",
            rehearsed.not_ready.len(),
            rehearsed.checked
        )?;
        for id in &rehearsed.not_ready {
            let why = rehearsed.outcomes.get(id).and_then(|outcome| late(id, outcome));
            writeln!(out, "  {}: {}", one_line(id), why.unwrap_or_default())?;
        }
        writeln!(out)
    }

    fn files(&self, out: &mut dyn Write) -> io::Result<()> {
        for place in &self.made.reemitted {
            writeln!(
                out,
                "Comments may be lost at {}: it could not be edited in place",
                self::place(place)
            )?;
        }
        let gone = self.made.files.values().filter(|content| content.is_none()).count();
        let mut text = format!("{} changed", count(self.made.files.len() - gone, "file"));
        if gone > 0 {
            text.push_str(&format!(", {gone} removed"));
        }
        if self.others > 0 {
            text.push_str(&format!("; {} not chosen", count(self.others, "finding")));
        }
        writeln!(out, "{text}")
    }
}

impl LeftOut<'_> {
    fn line(&self) -> String {
        let mut text = self.finding.id.to_string();
        if let Some(field) = self.field {
            text.push_str(&format!(" {field}"));
        }
        text.push_str(&format!(": {}", self.reason));
        if let Some(file) = self.aside {
            text.push_str(&format!("; what is live is in {file}"));
        }
        one_line(text)
    }
}

/// An object that did not come out as it is live.
fn otherwise(edit: &ObjectEdit, rehearsed: &Rehearsed) -> String {
    let id = one_line(&edit.id);
    match &edit.edit {
        Edit::Added => format!("{id}: it is there, and is not live"),
        Edit::Removed => format!("{id}: {}", why_not(&edit.id, rehearsed)),
        Edit::Changed | Edit::Moved(_) => id,
    }
}

fn why_not(id: &ObjectId, rehearsed: &Rehearsed) -> String {
    let Some(outcome) = rehearsed.outcomes.get(id) else {
        return "it is not there".to_owned();
    };
    match &outcome.action {
        Action::Skipped(SkipReason::Dependency(other)) => {
            let why = why_not(other, rehearsed);
            format!("not made, because of {}: {why}", one_line(other))
        }
        Action::Failed(text)
        | Action::Skipped(SkipReason::Stalled(text) | SkipReason::NotServed(text) | SkipReason::HeldBack(text)) => {
            said(id, text)
        }
        _ => late(id, outcome).map_or_else(
            || "it was made, and went again".to_owned(),
            |why| format!("not ready: {why}"),
        ),
    }
}

/// Why an object did not become ready.
fn late(id: &ObjectId, outcome: &Outcome) -> Option<String> {
    match &outcome.readiness {
        Readiness::Failed(text) | Readiness::TimedOut(text) => Some(said(id, text)),
        Readiness::Current | Readiness::Done | Readiness::NotWaitedFor => None,
    }
}

fn said(id: &ObjectId, text: &str) -> String {
    message(&said_of(id, text), "      ")
}

fn place(place: &Place) -> String {
    match place.line {
        Some(line) => format!("{}:{line}", one_line(&place.file)),
        None => one_line(&place.file),
    }
}
