//! An audit for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;

use super::super::text::{count, message, one_line};
use super::super::{about, problems};
use super::{Audited, compared_offline, coverage, per_cent, shows_values, title, told_by, unread_history};
use crate::audit::{Finding, NOT_COMPARED, Verdict};
use crate::object::{FieldChange, FieldDrift, Manager};

/// The largest number of characters of a value that are shown.
const WIDTH: usize = 60;

pub(super) fn write(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    about(&audited.about, out)?;
    read(audited, out)?;
    writeln!(out)?;
    problems(audited.problems, out)?;
    if !audited.problems.is_empty() {
        writeln!(out)?;
    }
    findings(audited, out)?;
    summary(audited, out)
}

/// What was read beside the cluster.
fn read(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut text = vec![count(audited.past.walked, "commit")];
    text.extend(unread_history(audited.past));
    writeln!(out, "History     {}", text.join("; "))?;
    if let Some(log) = audited.log {
        let span = log.span.as_ref().map_or_else(String::new, |(first, last)| {
            format!(", {} to {}", one_line(first), one_line(last))
        });
        writeln!(out, "Audit log   {}{span}", count(log.lines, "line"))?;
        for problem in &log.problems {
            writeln!(out, "            {}", one_line(problem))?;
        }
    }
    Ok(())
}

fn findings(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    for verdict in Verdict::FINDINGS {
        let of: Vec<&Finding> = audited
            .findings
            .findings
            .iter()
            .filter(|one| one.verdict.name() == verdict)
            .collect();
        if of.is_empty() {
            continue;
        }
        writeln!(out, "{} ({})", title(verdict), of.len())?;
        let mut namespaces: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in of {
            namespaces
                .entry(finding.id.namespace.as_deref().unwrap_or_default())
                .or_default()
                .push(finding);
        }
        for (namespace, findings) in namespaces {
            let name = if namespace.is_empty() {
                "cluster-scoped".to_owned()
            } else {
                one_line(namespace)
            };
            writeln!(out, "  {name}")?;
            for one in findings {
                finding(one, audited.log.is_some(), out)?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn finding(one: &Finding, with_log: bool, out: &mut dyn Write) -> io::Result<()> {
    let place = one
        .place
        .as_ref()
        .map(|place| format!("  {}", one_line(place)))
        .unwrap_or_default();
    writeln!(out, "    {}{place}", one_line(&one.id))?;
    details(one, with_log, out)
}

/// All there is to say about a finding but what and where it is.
pub(super) fn details(one: &Finding, with_log: bool, out: &mut dyn Write) -> io::Result<()> {
    for line in of_verdict(one) {
        writeln!(out, "      {line}")?;
    }
    for line in &one.evidence {
        writeln!(out, "      {}", message(line, "        "))?;
    }
    if one.authors.is_empty() {
        let why = match with_log {
            true => "neither managedFields nor the audit log tells",
            false => "managedFields does not tell, an audit log would",
        };
        writeln!(out, "      by: unknown; {why}")?;
    }
    for author in &one.authors {
        writeln!(out, "      by: {}", told_by(author))?;
    }
    if let Some(remedy) = &one.remedy {
        writeln!(out, "      $ {}", one_line(remedy))?;
    }
    Ok(())
}

/// What a verdict holds: the fields that differ, each with its owner, or where the repository has the object; and the unit.
pub(super) fn of_verdict(finding: &Finding) -> Vec<String> {
    let mut lines = Vec::new();
    match &finding.verdict {
        Verdict::Drifted { fields, .. } => lines.extend(fields.iter().map(|drift| {
            let owner = finding.verdict.owner(drift).map(owner).unwrap_or_default();
            format!("{}{owner}", field(drift, shows_values(finding)))
        })),
        Verdict::NotReached { path } => lines.push(one_line(path)),
        _ => {}
    }
    let unit = finding.unit.as_ref();
    lines.extend(unit.map(|made| format!("{} {}", made.tool, one_line(&made.unit))));
    lines
}

/// ` (kubectl-edit, 2026-01-02T03:04:05Z)`: who owns a field, and when that manager wrote last.
fn owner(manager: &Manager) -> String {
    let of = match manager.subresource.as_str() {
        "" => String::new(),
        part => format!(" of {}", one_line(part)),
    };
    let time = match manager.time.as_str() {
        "" => String::new(),
        time => format!(", {}", one_line(time)),
    };
    format!(" ({}{of}{time})", one_line(&manager.name))
}

/// `changed  .spec.replicas: 3 → 5`.
fn field(drift: &FieldDrift, values: bool) -> String {
    let word = change(drift.change);
    let shown = |value: &Option<Value>| value.as_ref().filter(|_| values).map(short);
    let path = one_line(&drift.path);
    match (shown(&drift.declared), shown(&drift.live)) {
        (Some(declared), Some(live)) => format!("{word:<8} {path}: {declared} → {live}"),
        (Some(declared), None) => format!("{word:<8} {path}: declared {declared}"),
        (None, Some(live)) => format!("{word:<8} {path}: {live}"),
        (None, None) => format!("{word:<8} {path}"),
    }
}

fn change(change: FieldChange) -> &'static str {
    match change {
        FieldChange::Changed => "changed",
        FieldChange::Removed => "removed",
        FieldChange::Added => "added",
    }
}

fn short(value: &Value) -> String {
    let text = one_line(value);
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

fn summary(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    let findings = audited.findings;
    let counts: Vec<String> = findings
        .counts
        .iter()
        .map(|(name, number)| format!("{number} {}", name.replace('-', " ")))
        .collect();
    if findings.findings.is_empty() {
        writeln!(out, "Nothing found.")?;
    } else {
        writeln!(out, "{}.", count(findings.findings.len(), "finding"))?;
    }
    writeln!(
        out,
        "{} declared, {} live: {}.",
        audited.declared,
        audited.live,
        counts.join(", ")
    )?;
    if findings.counts.contains_key(NOT_COMPARED) {
        writeln!(out, "Not compared: declared objects that could not be read; see below.")?;
    }
    if findings.ignored > 0 {
        writeln!(
            out,
            "{} left out by .refloatignore.",
            count(findings.ignored, "finding")
        )?;
    }
    if !findings.waived.is_empty() {
        let by = findings.waived.iter();
        let by: Vec<String> = by.map(|(by, number)| format!("{} ({number})", one_line(by))).collect();
        let all = count(findings.waived.values().sum(), "field");
        writeln!(
            out,
            "{all} left out, since Git tells the engine not to compare them: {}.",
            by.join(", ")
        )?;
    }
    if let Some(offline) = compared_offline(findings) {
        writeln!(out, "{offline}.")?;
    }
    let all = coverage(findings);
    writeln!(
        out,
        "Coverage {:.1} %: {} of {} are in the cluster as Git declares them.",
        per_cent(all),
        all.in_sync,
        count(all.counted, "object")
    )?;
    for (namespace, one) in findings.coverage.iter().filter(|(_, one)| one.in_sync < one.counted) {
        let name = if namespace.is_empty() {
            "cluster-scoped".to_owned()
        } else {
            one_line(namespace)
        };
        writeln!(
            out,
            "  {:>5.1} %  {name} ({} of {})",
            per_cent(*one),
            one.in_sync,
            one.counted
        )?;
    }
    if !audited.gaps.is_empty() {
        writeln!(out, "\nNot read ({}): what is there is not known", audited.gaps.len())?;
        for gap in audited.gaps {
            writeln!(out, "  {}: {}", one_line(&gap.what), message(&gap.reason, "    "))?;
        }
    }
    Ok(())
}
