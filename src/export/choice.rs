//! Which findings are exported. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::audit::{Finding, Verdict};
use crate::object::{LiveObject, Texts};

/// What the operator chose. Of lists that are empty nothing is asked.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// By [`Verdict::name`].
    pub verdicts: Vec<String>,
    /// Terms of which one has to match: `namespace=NAME`, `kind=KIND[.group]`, `label=KEY[=VALUE]`, `Kind/[namespace/]name`; a bare word
    /// is a namespace.
    pub only: Vec<String>,
    /// Terms of which none may match.
    pub except: Vec<String>,
    /// Changed since then, as far as it is known when.
    pub since: Option<Timestamp>,
    /// Tools (`kubectl`, `kubectl edit`, `Lens`) and users, one of whom changed it.
    pub by: Vec<String>,
}

/// What is exported where nobody says what: what was made, changed and deleted by hand. What was removed from Git, or is not reached,
/// somebody decided in Git.
pub const VERDICTS: [&str; 3] = ["never-in-git", "drifted", "missing"];

impl Choice {
    /// Whether a finding is exported. `live` has its labels; of what is missing there are none.
    pub fn takes(&self, finding: &Finding, live: Option<&LiveObject>) -> bool {
        let labels = live.map(|live| &live.labels);
        let any = |terms: &[String]| terms.iter().any(|term| matches(term, finding, labels));
        self.verdicts.iter().any(|name| name == finding.verdict.name())
            && (self.only.is_empty() || any(&self.only))
            && !any(&self.except)
            && self.since.is_none_or(|since| changed_since(finding, since))
            && (self.by.is_empty() || self.by.iter().any(|who| changed_by(finding, who)))
    }

    /// Terms and names that fit no finding at all, whatever its verdict: most likely they are misspelt.
    pub fn unused<'f>(
        &self,
        findings: impl Iterator<Item = (&'f Finding, Option<&'f LiveObject>)> + Clone,
    ) -> Vec<String> {
        let mut unused = BTreeSet::new();
        for term in self.only.iter().chain(&self.except) {
            let mut fitting = findings.clone();
            if !fitting.any(|(finding, live)| matches(term, finding, live.map(|live| &live.labels))) {
                unused.insert(term.clone());
            }
        }
        for who in &self.by {
            if !findings.clone().any(|(finding, _)| changed_by(finding, who)) {
                unused.insert(who.clone());
            }
        }
        unused.into_iter().collect()
    }
}

fn matches(term: &str, finding: &Finding, labels: Option<&Texts>) -> bool {
    finding.id.fits(term, |key| labels?.get(key).map(String::as_str))
}

/// What has no known time does not count: it may be older.
fn changed_since(finding: &Finding, since: Timestamp) -> bool {
    let times = finding.authors.iter().filter_map(|author| author.time.parse().ok());
    times.max().is_some_and(|time: Timestamp| time >= since)
}

fn changed_by(finding: &Finding, who: &str) -> bool {
    finding.authors.iter().any(|author| {
        let tool = author.tool.to_lowercase();
        let who_in_small = who.to_lowercase();
        let is_tool = tool == who_in_small
            || tool
                .strip_prefix(&*who_in_small)
                .is_some_and(|rest| rest.starts_with(' '));
        is_tool || author.user.as_deref() == Some(who)
    })
}

/// Why a finding is never exported, for those that are not.
pub(super) fn not_exported(finding: &Finding) -> Option<String> {
    if let Some(made) = &finding.unit {
        return Some(format!("{} {} made it: declare that", made.tool, made.unit));
    }
    if let Some(owner) = &finding.owner {
        return Some(format!("it belongs to {owner}: change that"));
    }
    match &finding.verdict {
        Verdict::NotReached { path } => Some(format!("{path} has it: add that to the entry")),
        Verdict::InSync | Verdict::Owned(_) | Verdict::BuiltIn(_) | Verdict::Managed { declared: true, .. } => {
            Some("something else makes it".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Author, Confidence, MadeBy};
    use crate::object::{Method, ObjectId};

    fn finding(kind: &str, namespace: &str, name: &str, tool: &str, user: Option<&str>, time: &str) -> Finding {
        let id = ObjectId::new("", kind, Some(namespace).filter(|name| !name.is_empty()), name);
        let mut finding = Finding::new(id, Verdict::NeverInGit);
        finding.authors.push(Author {
            tool: tool.to_owned(),
            user: user.map(str::to_owned),
            from: None,
            time: time.to_owned(),
            operation: "patch".to_owned(),
            confidence: Confidence::Certain,
            evidence: String::new(),
        });
        finding
    }

    fn choice(change: impl FnOnce(&mut Choice)) -> Choice {
        let mut choice = Choice {
            verdicts: VERDICTS.iter().map(|name| (*name).to_owned()).collect(),
            ..Choice::default()
        };
        change(&mut choice);
        choice
    }

    #[test]
    fn every_way_to_choose() {
        let one = finding(
            "ConfigMap",
            "shop",
            "a",
            "kubectl edit",
            Some("eve"),
            "2026-01-02T03:04:05Z",
        );
        let live = LiveObject {
            labels: [("team".to_owned(), "web".to_owned())].into_iter().collect(),
            ..LiveObject::default()
        };
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let takes = |choice: Choice| choice.takes(&one, Some(&live));
        for term in [
            "shop",
            "namespace=shop",
            "kind=configmap",
            "kind=ConfigMap",
            "label=team",
            "label=team=web",
            "ConfigMap/shop/a",
            "configmap/a",
        ] {
            assert!(
                takes(choice(|choice| choice.only = strings(&["other", term]))),
                "{term}"
            );
            assert!(!takes(choice(|choice| choice.except = strings(&[term]))), "{term}");
        }
        for term in ["kind=ConfigMap.apps", "label=team=a", "label=x", "ConfigMap/b", "web"] {
            assert!(!takes(choice(|choice| choice.only = strings(&[term]))), "{term}");
        }
        for (who, taken) in [
            ("kubectl", true),
            ("kubectl edit", true),
            ("eve", true),
            ("kube", false),
            ("Helm", false),
        ] {
            assert_eq!(takes(choice(|choice| choice.by = strings(&[who]))), taken, "{who}");
        }
        for (since, taken) in [("2026-01-02T03:04:05Z", true), ("2026-01-02T03:04:06Z", false)] {
            let since = since.parse().expect("because it is a time");
            assert_eq!(takes(choice(|choice| choice.since = Some(since))), taken, "{since}");
        }
        assert!(!takes(choice(|choice| choice.verdicts = strings(&["drifted"]))));
        assert!(takes(choice(|_| {})));
    }

    #[test]
    fn what_something_else_makes_is_not_exported() {
        let managed = |declared| Verdict::Managed {
            tool: "Helm",
            unit: "shop/web".to_owned(),
            declared,
        };
        let drifted = Verdict::Drifted {
            fields: Vec::new(),
            managers: Vec::new(),
            method: Method::DryRun,
        };
        let removed = Verdict::RemovedFromGit {
            commit: Default::default(),
            path: "a.yaml".to_owned(),
        };
        let not_reached = Verdict::NotReached {
            path: "apps/a.yaml".to_owned(),
        };
        let other = Some("something else makes it");
        for (verdict, expected) in [
            (Verdict::InSync, other),
            (
                Verdict::Owned(ObjectId::new("apps", "Deployment", Some("shop"), "web")),
                other,
            ),
            (Verdict::BuiltIn("x"), other),
            (managed(true), other),
            (managed(false), None),
            (not_reached, Some("apps/a.yaml has it: add that to the entry")),
            (drifted, None),
            (removed, None),
            (Verdict::Missing, None),
            (Verdict::NeverInGit, None),
        ] {
            let mut one = Finding::new(ObjectId::new("", "ConfigMap", Some("shop"), "a"), verdict);
            assert_eq!(not_exported(&one).as_deref(), expected, "{:?}", one.verdict);
            one.unit = Some(Box::new(MadeBy {
                tool: "Helm",
                unit: "shop/web".to_owned(),
            }));
            let made = Some("Helm shop/web made it: declare that");
            assert_eq!(not_exported(&one).as_deref(), made, "{:?}", one.verdict);
        }
        let mut owned = Finding::new(ObjectId::new("", "Pod", Some("shop"), "a"), Verdict::NeverInGit);
        owned.owner = Some(Box::new(ObjectId::new("apps", "ReplicaSet", Some("shop"), "web")));
        let belongs = Some("it belongs to ReplicaSet/shop/web: change that");
        assert_eq!(not_exported(&owned).as_deref(), belongs);
    }

    #[test]
    fn the_time_must_be_known() {
        let one = finding("ConfigMap", "shop", "a", "unknown", None, "");
        assert!(!choice(|choice| choice.since = Some(Timestamp::UNIX_EPOCH)).takes(&one, None));
    }

    #[test]
    fn what_fits_nothing_is_told() {
        let one = finding("ConfigMap", "shop", "a", "kubectl edit", None, "");
        let choice = choice(|choice| {
            choice.only = vec!["shop".to_owned(), "shp".to_owned()];
            choice.by = vec!["Lens".to_owned()];
        });
        assert_eq!(choice.unused(std::iter::once((&one, None))), ["Lens", "shp"]);
    }
}
