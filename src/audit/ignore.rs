//! `.refloatignore`: what a report leaves out, and why.

use super::glob::fits;
use super::{Finding, Findings};
use crate::error::printable;
use crate::object::ObjectId;

/// The lines of `.refloatignore`, in order; the last one that fits an object decides.
///
/// A line is a pattern `Kind.group/namespace/name` (`Kind.group/name` for cluster-scoped objects; `*` and `?` as in a shell, the
/// group of the core left out), `!` in front to take an object back in, and a reason after ` #`. Empty lines and lines that begin
/// with `#` say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignore {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    kind: String,
    group: String,
    /// `None`: cluster-scoped, or any where the name is `*` too.
    namespace: Option<String>,
    name: String,
    take_back: bool,
}

impl Ignore {
    /// Reads the text of a `.refloatignore`.
    ///
    /// # Errors
    /// All broken lines, each with its number and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<(usize, String)>> {
        let mut lines = Vec::new();
        let mut broken = Vec::new();
        for (index, text) in text.lines().enumerate() {
            match line(text) {
                Ok(None) => {}
                Ok(Some(line)) => lines.push(line),
                Err(message) => broken.push((index + 1, message)),
            }
        }
        if broken.is_empty() {
            Ok(Self { lines })
        } else {
            Err(broken)
        }
    }

    /// Whether findings about an object are left out.
    pub fn hides(&self, id: &ObjectId) -> bool {
        let last = self.lines.iter().rev().find(|line| line.is_about(id));
        last.is_some_and(|line| !line.take_back)
    }
}

impl Line {
    fn is_about(&self, id: &ObjectId) -> bool {
        let place = match (&self.namespace, &id.namespace) {
            (Some(pattern), Some(namespace)) => fits(pattern, namespace),
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(_), None) => false,
        };
        place && fits(&self.kind, &id.kind) && fits(&self.group, &id.group) && fits(&self.name, &id.name)
    }
}

fn line(text: &str) -> Result<Option<Line>, String> {
    let text = text.split(" #").next().unwrap_or_default().trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (take_back, pattern) = match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let wrong = |what: &str| {
        Err(format!(
            "{}: {what}; write Kind.group/namespace/name",
            printable(pattern)
        ))
    };
    if pattern.contains(char::is_whitespace) {
        return wrong("has a space in it, and a reason goes after \" #\"");
    }
    let parts: Vec<&str> = pattern.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return wrong("has an empty part");
    }
    let (kind, namespace, name) = match parts[..] {
        [kind, name] => (kind, None, name),
        [kind, namespace, name] => (kind, Some(namespace.to_owned()), name),
        _ => return wrong("has not two or three parts"),
    };
    let (kind, group) = match kind.split_once('.') {
        Some((kind, group)) => (kind, group),
        // Whoever writes `*` for the kind means those of every group.
        None if kind == "*" => (kind, "*"),
        None => (kind, ""),
    };
    Ok(Some(Line {
        kind: kind.to_owned(),
        group: group.to_owned(),
        namespace,
        name: name.to_owned(),
        take_back,
    }))
}

/// A `.refloatignore` that would hide these findings, each with the reason that a person has yet to give.
///
/// Drifted and missing objects are left out: what is declared is mended, not ignored.
pub fn propose(findings: &Findings) -> String {
    let mut text = String::from(
        "# What audits leave out. The last line that fits decides; ! takes an object back in.\n# Kind.group/namespace/name  # why\n",
    );
    let undeclared = |finding: &&Finding| !matches!(finding.verdict.name(), "drifted" | "missing");
    let mut lines: Vec<String> = findings
        .findings
        .iter()
        .filter(undeclared)
        .map(|finding| format!("{}  # {}: say why\n", finding.id.with_group(), finding.verdict.name()))
        .collect();
    lines.sort();
    text.extend(lines);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Verdict;

    fn id(kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
        let group = if kind == "Deployment" { "apps" } else { "" };
        ObjectId::new(group, kind, namespace, name)
    }

    #[test]
    fn the_last_line_that_fits_decides() {
        let text = "# ours\n\nConfigMap/shop/*  # made by the shop\n!ConfigMap/shop/prices\nDeployment.apps/*/canary-?\nNamespace/tmp-*\n*/scratch/*\n";
        let ignore = Ignore::parse(text).expect("because it is good");
        for hidden in [
            id("ConfigMap", Some("shop"), "a"),
            id("Deployment", Some("web"), "canary-1"),
            id("Namespace", None, "tmp-1"),
            id("Deployment", Some("scratch"), "x"),
        ] {
            assert!(ignore.hides(&hidden), "{hidden}");
        }
        for shown in [
            id("ConfigMap", Some("shop"), "prices"),
            id("ConfigMap", Some("web"), "a"),
            id("Deployment", Some("web"), "canary-12"),
            id("Secret", Some("shop"), "a"),
        ] {
            assert!(!ignore.hides(&shown), "{shown}");
        }
    }

    #[test]
    fn broken_lines_are_named() {
        let broken =
            Ignore::parse("ConfigMap/a/b\nConfigMap\n\nA/b/c/d\nA//b\nA b/c").expect_err("because four are broken");
        assert_eq!(broken.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5, 6]);
        assert_eq!(
            broken[0].1,
            "ConfigMap: has not two or three parts; write Kind.group/namespace/name"
        );
    }

    #[test]
    fn what_is_proposed_hides_what_it_was_proposed_for() {
        let mut findings = Findings::default();
        for (object, verdict) in [
            (id("Deployment", Some("shop"), "x"), Verdict::NeverInGit),
            (id("ConfigMap", Some("shop"), "y"), Verdict::Missing),
        ] {
            findings.findings.push(Finding::new(object, verdict));
        }
        let text = propose(&findings);
        assert!(
            text.contains("Deployment.apps/shop/x  # never-in-git: say why\n"),
            "{text}"
        );
        let ignore = Ignore::parse(&text).expect("because refloat wrote it");
        assert!(ignore.hides(&findings.findings[0].id));
        assert!(!ignore.hides(&findings.findings[1].id));
    }
}
