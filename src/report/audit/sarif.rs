//! An audit as SARIF 2.1.0 (OASIS, 2020), for code scanning: a result a finding, at the declaring file and line where there is one.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::human::of_verdict;
use super::{Audited, cautions, title, told_by};
use crate::audit::{Finding, Verdict};
use crate::report::json::escaped;
use crate::report::text::one_line;

pub(super) fn write(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<Value> = Verdict::FINDINGS
        .iter()
        .map(|name| {
            json!({"id": name, "name": name, "shortDescription": {"text": title(name)},
                "defaultConfiguration": {"level": level(name)}})
        })
        .collect();
    let results: Vec<Value> = audited.findings.findings.iter().map(result).collect();
    let gaps = audited.gaps.iter();
    let notes = gaps.map(|gap| format!("not read: {}: {}", gap.what, gap.reason));
    let note = |text: String| json!({"level": "warning", "message": {"text": text}});
    let notes: Vec<Value> = notes.chain(cautions(audited)).map(note).collect();
    let mut run = json!({
        "tool": {"driver": {"name": "refloat", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
        "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notes}],
        "results": results,
    });
    if let Some(commit) = &audited.about.repository.commit {
        // The schema wants a URI; a path has none to give.
        if audited.about.repository.location.contains("://") {
            run["versionControlProvenance"] =
                json!([{"repositoryUri": audited.about.repository.location, "revisionId": commit}]);
        }
    }
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    });
    let text = serde_json::to_string_pretty(&document).map_err(io::Error::other)?;
    writeln!(out, "{}", escaped(&text))
}

fn level(verdict: &str) -> &'static str {
    match verdict {
        "never-in-git" | "managed-undeclared" | "drifted" => "error",
        "not-reached" => "note",
        _ => "warning",
    }
}

fn result(finding: &Finding) -> Value {
    let name = finding.verdict.name();
    let object = finding.id.with_group();
    let mut result = json!({
        "ruleId": name,
        "ruleIndex": finding.verdict.rank(),
        "level": level(name),
        "message": {"text": said(finding)},
        // The same finding in the next run is the same alert.
        "partialFingerprints": {"object/v1": format!("{name} {object}")},
    });
    let logical = json!([{"fullyQualifiedName": object, "kind": "resource"}]);
    let path = match &finding.verdict {
        Verdict::RemovedFromGit { path, .. } | Verdict::NotReached { path } => Some((path.as_str(), None)),
        _ => finding.place.as_ref().map(|place| (place.file.as_str(), place.line)),
    };
    let mut location = json!({"logicalLocations": logical});
    if let Some((path, line)) = path {
        location["physicalLocation"] = json!({"artifactLocation": {"uri": uri(path)}});
        if let Some(line) = line {
            location["physicalLocation"]["region"] = json!({"startLine": line});
        }
    }
    result["locations"] = json!([location]);
    result
}

fn said(finding: &Finding) -> String {
    let mut text = format!("{}: {}", title(finding.verdict.name()), one_line(&finding.id));
    for line in of_verdict(finding).iter().chain(&finding.evidence) {
        text.push_str(&format!("\n{line}"));
    }
    if finding.authors.is_empty() {
        text.push_str("\nby: unknown");
    }
    for author in &finding.authors {
        text.push_str(&format!("\nby {}", told_by(author)));
    }
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!("\n$ {remedy}"));
    }
    text
}

/// A path in the repository as a relative URI.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
