//! What an audit found, in each format.

mod html;
mod human;
mod sarif;
mod watch;

use std::collections::BTreeMap;
use std::io;

use super::text::{count, one_line};
use super::{About, json};
use crate::audit::{Author, Confidence, Coverage, Finding, Findings, Log};
use crate::object::{FactGap, PastSet, Problem};

pub use watch::{divergences, revision, watched};

/// All there is to say about an audit.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    /// What it was about.
    pub about: About<'a>,
    /// What it found.
    pub findings: &'a Findings,
    /// What could not be read or compared, with the reason.
    pub gaps: &'a [FactGap],
    /// The history that was read.
    pub past: &'a PastSet,
    /// The audit log that was read.
    pub log: Option<&'a Log>,
    /// What is wrong with the input.
    pub problems: &'a [Problem],
    /// How many objects are declared.
    pub declared: usize,
    /// How many objects are live.
    pub live: usize,
}

impl Audited<'_> {
    /// Writes it for people: findings by verdict, then namespace, worst first, each with who, when and the command that puts it right.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn human(&self, out: &mut dyn io::Write) -> io::Result<()> {
        human::write(self, out)
    }

    /// Writes it as one JSON document; the fields are in [`json`].
    ///
    /// # Errors
    /// Those of the writer.
    pub fn json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        json::audited(self, out)
    }

    /// Writes it as SARIF 2.1.0.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn sarif(&self, out: &mut dyn io::Write) -> io::Result<()> {
        sarif::write(self, out)
    }

    /// Writes it as one HTML page that needs nothing else.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn html(&self, out: &mut dyn io::Write) -> io::Result<()> {
        html::write(self, out)
    }
}

/// Of the whole cluster.
pub(super) fn coverage(findings: &Findings) -> Coverage {
    findings
        .coverage
        .values()
        .fold(Coverage::default(), |all, one| Coverage {
            in_sync: all.in_sync + one.in_sync,
            counted: all.counted + one.counted,
        })
}

/// What of the history is not known.
pub(super) fn unread_history(past: &PastSet) -> Vec<String> {
    let mut lines: Vec<String> = past.incomplete.iter().map(one_line).collect();
    let skipped: usize = past.skipped.values().sum();
    if skipped > 0 {
        let reasons = past.skipped.iter();
        let reasons: Vec<String> = reasons
            .map(|(why, number)| format!("{number} {}", one_line(why)))
            .collect();
        lines.push(format!("{} not read: {}", count(skipped, "file"), reasons.join(", ")));
    }
    lines
}

/// Why an audit may say less than it could, or something else than is meant, beside its gaps: history that is not whole, lines of
/// a log that are none, files of the repository that cannot be read, objects that were compared offline.
pub(super) fn cautions(audited: &Audited<'_>) -> Vec<String> {
    let history = unread_history(audited.past).into_iter();
    let log = audited.log.iter().flat_map(|log| &log.problems);
    let wrong = audited.problems.iter().map(ToString::to_string);
    let offline = compared_offline(audited.findings);
    history
        .map(|line| format!("history: {line}"))
        .chain(offline)
        .chain(log.map(|line| format!("audit log: {}", one_line(line))))
        .chain(wrong)
        .collect()
}

/// How many declared objects, drifted or not, were compared without the server's word, and why: of several reasons the one that most
/// objects have.
pub(super) fn compared_offline(findings: &Findings) -> Option<String> {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, reason) in findings.offline.values() {
        *reasons.entry(reason).or_default() += number;
    }
    let (reason, _) = reasons.iter().max_by_key(|(_, number)| **number)?;
    let others = match reasons.len() - 1 {
        0 => String::new(),
        others => format!("; and {}", count(others, "other reason")),
    };
    let all = count(reasons.values().sum(), "declared object");
    Some(format!(
        "{all} compared offline, without the server's defaults and webhooks: {}{others}",
        one_line(reason)
    ))
}

/// In per cent, to one decimal, rounded down: 100 means all. Nothing to cover is covered.
pub(super) fn per_cent(coverage: Coverage) -> f64 {
    if coverage.counted == 0 {
        return 100.0;
    }
    let tenths = coverage.in_sync * 1000 / coverage.counted;
    tenths as f64 / 10.0
}

/// The name of a verdict, for people.
pub(super) fn title(verdict: &str) -> &'static str {
    match verdict {
        "never-in-git" => "Never in Git",
        "managed-undeclared" => "Managed by a unit that Git never declared",
        "drifted" => "Drifted",
        "missing" => "Missing",
        "removed-from-git" => "Removed from Git",
        "not-reached" => "In the repository, not reached from the entry",
        "in-sync" => "In sync",
        "owned" => "Owned by another object",
        "managed" => "Managed by a unit of Git",
        "built-in" => "Made by the cluster itself",
        _ => "Not compared",
    }
}

/// `alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3`.
pub(super) fn by(author: &Author) -> String {
    let mut text = match &author.user {
        // A program that does not say what it is.
        Some(user) if author.tool.is_empty() => user.clone(),
        Some(user) => format!("{user} with {}", author.tool),
        None => format!("{} (user unknown)", author.tool),
    };
    if !author.time.is_empty() {
        text.push_str(&format!(", {}", author.time));
    }
    if let Some(from) = &author.from {
        text.push_str(&format!(", from {from}"));
    }
    text
}

/// [`by`], how sure that is, and the evidence.
pub(super) fn told_by(author: &Author) -> String {
    let evidence = one_line(&author.evidence);
    format!("{} [{}; {evidence}]", one_line(by(author)), sure(author.confidence))
}

/// A word for how sure a statement is.
pub(super) fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible",
    }
}

/// Whether values of a finding's fields may be shown.
pub(super) fn shows_values(finding: &Finding) -> bool {
    !finding.id.is("", "Secret")
}

#[cfg(test)]
mod tests;
