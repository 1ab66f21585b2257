//! What a watching audit tells, for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::super::text::{count, message, one_line};
use super::human::details;
use super::title;
use crate::audit::{Cause, Divergence, Finding, News, Resolved, Verdict};
use crate::object::{FactGap, Repository};

/// So many that came at once are told with all there is to say; of more (a whole namespace that goes), one line each.
const IN_FULL: usize = 20;

/// Writes what came, changed and went, all at once. `time` is RFC 3339; `with_log`: there is an audit log.
///
/// ```text
/// 2026-11-20T08:00:00Z  Drifted: Deployment/bank/api  apps/api.yaml:1
///       changed  .spec.replicas: 3 → 5
///       by: kubectl scale (user unknown), 2026-11-20T08:00:00Z [likely; managedFields: kubectl Update of scale 2026-11-20T08:00:00Z]
///       $ refloat restore ./gitops --only Deployment.apps/bank/api --no-deps
/// 2026-11-20T08:01:00Z  In sync again: Deployment/bank/api
/// ```
///
/// # Errors
/// Those of the writer.
pub fn divergences(all: &[Divergence], time: &str, with_log: bool, out: &mut dyn Write) -> io::Result<()> {
    let came = all.iter().filter(|one| !matches!(one.news, News::Resolved(_))).count();
    for one in all {
        let finding = &one.finding;
        let place = finding
            .place
            .as_ref()
            .map(|place| format!("  {}", one_line(place)))
            .unwrap_or_default();
        writeln!(out, "{time}  {}: {}{place}", headline(one), one_line(&finding.id))?;
        if !matches!(one.news, News::Resolved(_)) && came <= IN_FULL {
            details(finding, with_log, out)?;
        }
    }
    if came > IN_FULL {
        writeln!(
            out,
            "      {} at once; an audit without --watch tells all about them",
            count(came, "finding")
        )?;
    }
    Ok(())
}

fn headline(one: &Divergence) -> String {
    let title = title(one.finding.verdict.name());
    let text = match one.news {
        News::New => title.to_owned(),
        News::Changed => format!("{title}, changed again"),
        News::Resolved(Resolved::InSync) => "In sync again".to_owned(),
        News::Resolved(Resolved::Gone) => "Gone".to_owned(),
        News::Resolved(Resolved::AccountedFor) => format!("No more: {}", lower(title)),
    };
    match one.cause {
        Cause::Cluster => text,
        Cause::Revision => format!("{text} (by the new revision)"),
    }
}

fn lower(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Writes which commit is compared with from now on.
///
/// # Errors
/// Those of the writer.
pub fn revision(repository: &Repository, time: &str, out: &mut dyn Write) -> io::Result<()> {
    let commit = repository.commit.as_deref().unwrap_or("the files as they are");
    let commit: String = commit.chars().take(12).collect();
    let subject = repository
        .subject
        .as_deref()
        .map(|text| format!(" \"{}\"", one_line(text)));
    writeln!(
        out,
        "{time}  Compared from now on with {}{}",
        one_line(commit),
        subject.unwrap_or_default()
    )
}

/// Writes how things stood when the watching was ended.
///
/// # Errors
/// Those of the writer.
pub fn watched(open: &[Finding], gaps: &[FactGap], out: &mut dyn Write) -> io::Result<()> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in open {
        *counts.entry(finding.verdict.name()).or_default() += 1;
    }
    let by_verdict = Verdict::FINDINGS.iter().filter_map(|name| {
        let number = counts.get(name)?;
        Some(format!("{number} {}", lower(title(name))))
    });
    let by_verdict: Vec<String> = by_verdict.collect();
    match by_verdict.is_empty() {
        true => writeln!(out, "Stopped. Nothing is open.")?,
        false => writeln!(
            out,
            "Stopped. {} open: {}.",
            match open.len() {
                1 => "1 finding is".to_owned(),
                number => format!("{number} findings are"),
            },
            by_verdict.join(", ")
        )?,
    }
    for gap in gaps {
        writeln!(
            out,
            "  not read: {}: {}",
            one_line(&gap.what),
            message(&gap.reason, "    ")
        )?;
    }
    Ok(())
}
