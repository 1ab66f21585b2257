//! An export for people: what is to be declared where, and what was left out.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::audit::{by, title};
use super::text::{count, one_line};
use super::{About, about};
use crate::audit::{Finding, Verdict};
use crate::export::{Change, Changeset, Intent, Wish};
use crate::object::{FactGap, Place};

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
    /// What could not be read, sorted.
    pub gaps: &'a [FactGap],
}

/// A line about a change of a finding.
struct Told {
    /// The field; empty for a whole object.
    field: String,
    /// Where it is declared now, or why it is not.
    place: Result<String, String>,
}

impl Exported<'_> {
    /// Whether all could be read, and all that was chosen has a place in the repository.
    pub fn is_whole(&self) -> bool {
        self.intent.left.is_empty() && self.made.unplaced.is_empty() && self.gaps.is_empty()
    }

    /// Writes it for people: by verdict and namespace, then what was left out, then the files.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        about(&self.about, out)?;
        writeln!(out)?;
        for verdict in Verdict::FINDINGS {
            self.verdict(verdict, out)?;
        }
        self.left_out(out)?;
        self.side_effects(out)?;
        self.files(out)
    }

    /// The message of a commit that makes the change: subject, empty line, body.
    pub fn message(&self) -> String {
        let exported: Vec<&Finding> = self.exported().map(|(index, _)| self.findings[index]).collect();
        let mut text = match exported[..] {
            [one] => format!("Declare what was done by hand: {}\n\n", one.id),
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
            let of = |(index, _): &(usize, Vec<Told>)| self.findings[*index].verdict.name() == verdict;
            let mut lines = self.exported().filter(of).peekable();
            if lines.peek().is_some() {
                text.push_str(&format!("\n{}:\n\n", title(verdict)));
            }
            for (index, told) in lines {
                let finding = self.findings[index];
                let fields: Vec<String> = told.iter().map(|told| one_line(&told.field)).collect();
                let fields: Vec<String> = fields.into_iter().filter(|field| !field.is_empty()).collect();
                let fields = if fields.is_empty() {
                    String::new()
                } else {
                    format!(": {}", fields.join(", "))
                };
                let who = finding
                    .authors
                    .first()
                    .map_or(String::new(), |author| format!(" ({})", one_line(by(author))));
                text.push_str(&format!("- {}{fields}{who}\n", one_line(&finding.id)));
                if let Some(first) = self.wish(index).and_then(|wish| wish.first.as_ref()) {
                    text.push_str(&format!("  First: {}\n", one_line(first)));
                }
            }
        }
        let left = self.left();
        if !left.is_empty() {
            text.push_str("\nLeft out:\n\n");
            text.extend(left.iter().map(|line| format!("- {}\n", one_line(line))));
        }
        text
    }

    fn wish(&self, finding: usize) -> Option<&Wish> {
        self.intent.wishes.iter().find(|wish| wish.finding == finding)
    }

    /// Findings of which something is placed, by index, with that.
    fn exported(&self) -> impl Iterator<Item = (usize, Vec<Told>)> {
        let all = (0..self.findings.len()).map(|index| {
            let placed = self.told(index).into_iter().filter(|told| told.place.is_ok());
            (index, placed.collect::<Vec<_>>())
        });
        all.filter(|(_, told)| !told.is_empty())
    }

    fn verdict(&self, verdict: &str, out: &mut dyn Write) -> io::Result<()> {
        let of_verdict = |(index, finding): (usize, &&Finding)| (finding.verdict.name() == verdict).then_some(index);
        let mut told: BTreeMap<usize, Vec<Told>> = BTreeMap::new();
        for index in self.findings.iter().enumerate().filter_map(of_verdict) {
            let lines: Vec<Told> = self.told(index).into_iter().filter(|told| told.place.is_ok()).collect();
            if !lines.is_empty() {
                told.insert(index, lines);
            }
        }
        if told.is_empty() {
            return Ok(());
        }
        writeln!(out, "{} ({})", title(verdict), told.len())?;
        for (index, lines) in told {
            let finding = self.findings[index];
            let who = finding
                .authors
                .first()
                .map_or(String::new(), |author| format!("  by {}", by(author)));
            writeln!(out, "  {}{}", one_line(&finding.id), one_line(who))?;
            for line in lines {
                let place = line.place.unwrap_or_default();
                match line.field.is_empty() {
                    true => writeln!(out, "      {place}")?,
                    false => writeln!(out, "      {}  {place}", one_line(&line.field))?,
                }
            }
            let wish = self.wish(index);
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
    fn told(&self, finding: usize) -> Vec<Told> {
        let changes = self.wish(finding).map_or(0..0, |wish| wish.changes.clone());
        let lines = changes.map(|index| {
            let placed = self.made.placed.iter().find(|placed| placed.change == index);
            let unplaced = self.made.unplaced.iter().find(|unplaced| unplaced.change == index);
            let reason = unplaced.map_or("", |unplaced| &unplaced.reason);
            Told {
                field: match &self.intent.changes[index] {
                    Change::Set { path, .. } | Change::Unset { path, .. } => path.clone(),
                    Change::Add { .. } | Change::Remove { .. } => String::new(),
                },
                place: placed
                    .map(|placed| format!("{}: {}", place(&placed.place), placed.why))
                    .ok_or_else(|| reason.to_owned()),
            }
        });
        lines.collect()
    }

    /// What was left out, and why.
    fn left(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for left in &self.intent.left {
            lines.push(format!("{}: {}", self.findings[left.finding].id, left.reason));
        }
        for index in 0..self.findings.len() {
            for told in self.told(index) {
                let Err(reason) = told.place else { continue };
                let field = if told.field.is_empty() {
                    String::new()
                } else {
                    format!(" {}", told.field)
                };
                let id = &self.findings[index].id;
                let aside = self.made.aside.get(id);
                let aside = aside.map_or(String::new(), |file| format!("; what is live is in {file}"));
                lines.push(format!("{id}{field}: {reason}{aside}"));
            }
        }
        lines
    }

    fn left_out(&self, out: &mut dyn Write) -> io::Result<()> {
        let lines = self.left();
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(out, "Left out ({})", lines.len())?;
        for line in lines {
            writeln!(out, "  {}", one_line(line))?;
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

fn place(place: &Place) -> String {
    match place.line {
        Some(line) => format!("{}:{line}", one_line(&place.file)),
        None => one_line(&place.file),
    }
}
