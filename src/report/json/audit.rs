//! An audit, as one document.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::shape::{Object, Where, Wrong, wrongs};
use super::summary::Subject;
use super::{VERSION, document, indented, line};
use crate::audit::{Author, Coverage, Finding, Findings, MadeBy, Match, Verdict};
use crate::object::{FactGap, FieldChange, FieldDrift, Manager, Method};
use crate::report::audit::{Audited, coverage, per_cent, shows_values, sure};

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    /// Of a line among others.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'static str>,
    about: Subject<'a>,
    declared: usize,
    live: usize,
    counts: &'a BTreeMap<&'static str, usize>,
    ignored: usize,
    waived: &'a BTreeMap<String, usize>,
    offline: Vec<Offline<'a>>,
    by_rule: &'a BTreeMap<&'static str, usize>,
    by_unit: Vec<OfUnit<'a>>,
    coverage: Covered<'a>,
    namespaces: Vec<Covered<'a>>,
    #[serde(serialize_with = "each")]
    findings: All<'a>,
    gaps: Vec<Gap<'a>>,
    history: History<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Logged<'a>>,
    problems: Vec<Wrong<'a>>,
}

#[derive(Debug)]
struct All<'a> {
    findings: &'a [Finding],
    in_a_line: bool,
}

#[derive(Debug, Serialize)]
struct Covered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    in_sync: usize,
    counted: usize,
    percent: f64,
}

/// How many objects of a kind were compared offline.
#[derive(Debug, Serialize)]
struct Offline<'a> {
    group: &'a str,
    kind: &'a str,
    objects: usize,
    reason: &'a str,
}

/// How many objects a unit of Git made.
#[derive(Debug, Serialize)]
struct OfUnit<'a> {
    #[serde(flatten)]
    unit: Unit<'a>,
    objects: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Gap<'a> {
    what: &'a str,
    reason: &'a str,
}

pub(super) fn gaps(gaps: &[FactGap]) -> Vec<Gap<'_>> {
    gaps.iter()
        .map(|FactGap { what, reason }| Gap { what, reason })
        .collect()
}

#[derive(Debug, Serialize)]
struct History<'a> {
    commits: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<&'a str>,
    skipped: &'a BTreeMap<String, usize>,
}

#[derive(Debug, Serialize)]
struct Logged<'a> {
    lines: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<&'a str>,
    problems: &'a [String],
}

#[derive(Debug, Serialize)]
pub(super) struct Found<'a> {
    object: Object<'a>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Where>,
    matched: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<Field<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offline_because: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<Unit<'a>>,
    authors: Vec<By<'a>>,
    evidence: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Field<'a> {
    path: &'a str,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Owner<'a>>,
}

#[derive(Debug, Serialize)]
struct Owner<'a> {
    manager: &'a str,
    operation: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subresource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    time: &'a str,
}

#[derive(Debug, Serialize)]
struct Commit<'a> {
    id: &'a str,
    subject: &'a str,
    time: &'a str,
}

#[derive(Debug, Serialize)]
struct Unit<'a> {
    tool: &'a str,
    name: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct By<'a> {
    tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    time: &'a str,
    operation: &'a str,
    confidence: &'static str,
    evidence: &'a str,
}

/// Writes an audit as one document.
///
/// # Errors
/// Those of the writer.
pub fn audited(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    document(&whole(audited, None), out)
}

/// Writes an audit as one line, with `event`: `audit`.
///
/// # Errors
/// Those of the writer.
pub fn audited_line(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    line(&whole(audited, Some("audit")), out)
}

fn whole<'a>(audited: &Audited<'a>, event: Option<&'static str>) -> Document<'a> {
    let findings = audited.findings;
    Document {
        version: VERSION,
        event,
        about: Subject::from(audited.about),
        declared: audited.declared,
        live: audited.live,
        counts: &findings.counts,
        ignored: findings.ignored,
        waived: &findings.waived,
        offline: offline(findings),
        by_rule: &findings.by_rule,
        by_unit: findings
            .by_unit
            .iter()
            .map(|(made, objects)| OfUnit {
                unit: unit(made),
                objects: *objects,
            })
            .collect(),
        coverage: covered(None, coverage(findings)),
        namespaces: findings
            .coverage
            .iter()
            .map(|(name, one)| covered(Some(name), *one))
            .collect(),
        findings: All {
            findings: &findings.findings,
            in_a_line: event.is_some(),
        },
        gaps: gaps(audited.gaps),
        history: History {
            commits: audited.past.walked,
            incomplete: audited.past.incomplete.as_deref(),
            skipped: &audited.past.skipped,
        },
        log: audited.log.map(|log| Logged {
            lines: log.lines,
            from: log.span.as_ref().map(|span| span.0.as_str()),
            until: log.span.as_ref().map(|span| span.1.as_str()),
            problems: &log.problems,
        }),
        problems: wrongs(audited.problems),
    }
}

/// Each finding is made as it is written: there may be tens of thousands.
fn each<S: Serializer>(all: &All<'_>, into: S) -> Result<S::Ok, S::Error> {
    match all.in_a_line {
        true => into.collect_seq(all.findings.iter().map(found)),
        false => indented::list(all.findings, found, into),
    }
}

fn offline(findings: &Findings) -> Vec<Offline<'_>> {
    let kinds = findings.offline.iter();
    kinds
        .map(|(kind, (objects, reason))| Offline {
            group: &kind.group,
            kind: &kind.kind,
            objects: *objects,
            reason,
        })
        .collect()
}

fn unit(made: &MadeBy) -> Unit<'_> {
    Unit {
        tool: made.tool,
        name: &made.unit,
    }
}

fn covered(namespace: Option<&str>, one: Coverage) -> Covered<'_> {
    Covered {
        namespace,
        in_sync: one.in_sync,
        counted: one.counted,
        percent: per_cent(one),
    }
}

pub(super) fn found(finding: &Finding) -> Found<'_> {
    let mut one = Found {
        object: Object::from(&finding.id),
        verdict: finding.verdict.name(),
        place: finding.place.as_ref().map(Where::from),
        matched: matched(finding.matched),
        fields: None,
        compared: None,
        offline_because: None,
        commit: None,
        path: None,
        unit: finding.unit.as_deref().map(unit),
        authors: finding.authors.iter().map(by).collect(),
        evidence: &finding.evidence,
        remedy: finding.remedy.as_deref(),
    };
    match &finding.verdict {
        Verdict::Drifted { fields, method, .. } => {
            one.fields = Some(fields.iter().map(|drift| field(drift, finding)).collect());
            (one.compared, one.offline_because) = match method {
                Method::DryRun => (Some("dry-run"), None),
                Method::Offline(why) => (Some("offline"), Some(why.as_str())),
            };
        }
        Verdict::RemovedFromGit { commit, path } => {
            one.path = Some(path);
            one.commit = Some(Commit {
                id: &commit.0,
                subject: &commit.1,
                time: &commit.2,
            });
        }
        Verdict::NotReached { path } => one.path = Some(path),
        _ => {}
    }
    one
}

fn field<'a>(drift: &'a FieldDrift, finding: &'a Finding) -> Field<'a> {
    let values = shows_values(finding);
    let owner = |manager: &'a Manager| Owner {
        manager: &manager.name,
        operation: &manager.operation,
        subresource: &manager.subresource,
        time: &manager.time,
    };
    Field {
        path: &drift.path,
        change: match drift.change {
            FieldChange::Changed => "changed",
            FieldChange::Removed => "removed",
            FieldChange::Added => "added",
        },
        declared: drift.declared.as_ref().filter(|_| values),
        live: drift.live.as_ref().filter(|_| values),
        owner: finding.verdict.owner(drift).map(owner),
    }
}

pub(super) fn by(author: &Author) -> By<'_> {
    By {
        tool: &author.tool,
        user: author.user.as_deref(),
        from: author.from.as_deref(),
        time: &author.time,
        operation: &author.operation,
        confidence: sure(author.confidence),
        evidence: &author.evidence,
    }
}

fn matched(level: Match) -> &'static str {
    match level {
        Match::Exact => "exact",
        Match::NamespaceAbsent => "namespace-absent",
        Match::GroupMigrated => "group-migrated",
        Match::MadeByUnit => "made-by-unit",
        Match::None => "none",
    }
}
