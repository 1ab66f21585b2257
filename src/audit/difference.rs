//! What one audit says that the one before did not.

use std::collections::BTreeMap;

use super::{Finding, Findings, MadeBy, Verdict};
use crate::object::{FieldDrift, ObjectId};

/// A finding that came, changed or went.
#[derive(Debug, Clone)]
pub struct Divergence {
    /// Which of these.
    pub news: News,
    /// What made it so.
    pub cause: Cause,
    /// The finding as it is now; one that went, as it was told last.
    pub finding: Finding,
}

/// What is new about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It was not there before.
    New,
    /// It has another verdict, or other fields differ, or they have other values.
    Changed,
    /// It is none any more.
    Resolved(Resolved),
}

/// Why an object is no finding any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// Declared, and live as declared.
    InSync,
    /// Neither declared nor live.
    Gone,
    /// It has an owner or a unit that answers for it, the cluster makes it, or it is ignored.
    AccountedFor,
}

/// What made a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A change in the cluster.
    Cluster,
    /// Another revision of the repository that is compared with.
    Revision,
}

/// The findings that were told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    findings: BTreeMap<Key, Finding>,
}

/// What a finding is about: an object, or a unit, whatever object stands for it at the time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Object(ObjectId),
    Unit(MadeBy),
}

impl Key {
    fn of(finding: &Finding) -> Self {
        match &finding.unit {
            Some(made) => Self::Unit(MadeBy::clone(made)),
            None => Self::Object(finding.id.clone()),
        }
    }
}

impl Told {
    /// All findings of an audit.
    pub fn of(findings: &Findings) -> Self {
        let keyed = findings
            .findings
            .iter()
            .map(|finding| (Key::of(finding), finding.clone()));
        Self {
            findings: keyed.collect(),
        }
    }

    /// What these findings say beside what was told: what came or changed in their order, then what went, by identity. `is_open`
    /// names objects of which nothing can be said yet; `resolved` tells how one is that is no finding any more.
    pub fn differences(
        &self,
        findings: &Findings,
        cause: impl Fn(&ObjectId) -> Cause,
        mut is_open: impl FnMut(&Finding, News) -> bool,
        resolved: impl Fn(&ObjectId) -> Resolved,
    ) -> Vec<Divergence> {
        let now: BTreeMap<Key, &Finding> = findings.findings.iter().map(|one| (Key::of(one), one)).collect();
        let came = findings.findings.iter().filter_map(|finding| {
            let news = match self.findings.get(&Key::of(finding)) {
                None => News::New,
                Some(before) if is_same(&before.verdict, &finding.verdict) => return None,
                Some(_) => News::Changed,
            };
            Some((news, finding))
        });
        let went = self.findings.iter().filter(|(key, _)| !now.contains_key(key));
        let went = went.map(|(_, before)| (News::Resolved(resolved(&before.id)), before));
        let open = came.chain(went).filter(|(news, finding)| !is_open(finding, *news));
        let told = open.map(|(news, finding)| {
            let mut finding = finding.clone();
            // There is nothing to put right any more.
            finding.remedy.take_if(|_| matches!(news, News::Resolved(_)));
            Divergence {
                news,
                cause: cause(&finding.id),
                finding,
            }
        });
        told.collect()
    }

    /// Notes that these were told.
    pub fn note(&mut self, told: &[Divergence]) {
        for one in told {
            let key = Key::of(&one.finding);
            match one.news {
                News::Resolved(_) => self.findings.remove(&key),
                News::New | News::Changed => self.findings.insert(key, one.finding.clone()),
            };
        }
    }

    /// What is still open, as it was told last.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values()
    }
}

/// Whether nobody has to be told again: the same verdict and, of drift, the same fields with the same values.
fn is_same(before: &Verdict, now: &Verdict) -> bool {
    match (before, now) {
        (Verdict::Drifted { fields: before, .. }, Verdict::Drifted { fields: now, .. }) => {
            before.len() == now.len() && before.iter().zip(now).all(|(before, now)| is_same_drift(before, now))
        }
        _ => before.name() == now.name(),
    }
}

/// Whoever owns the field: that may change by a write that leaves it as it is.
fn is_same_drift(before: &FieldDrift, now: &FieldDrift) -> bool {
    before.path == now.path
        && before.change == now.change
        && before.declared == now.declared
        && before.live == now.live
        && before.digest == now.digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{FieldChange, Method};
    use serde_json::json;

    fn id(name: &str) -> ObjectId {
        ObjectId::new("", "ConfigMap", Some("shop"), name)
    }

    fn drifted(name: &str, live: u32, manager: usize) -> Finding {
        let field = FieldDrift {
            path: ".data.a".to_owned(),
            change: FieldChange::Changed,
            declared: Some(json!(1)),
            live: Some(json!(live)),
            manager: Some(manager),
            digest: 0,
            waived: None,
        };
        let verdict = Verdict::Drifted {
            fields: vec![field],
            managers: Vec::new(),
            method: Method::DryRun,
        };
        Finding::new(id(name), verdict)
    }

    fn never(name: &str) -> Finding {
        Finding::new(id(name), Verdict::NeverInGit)
    }

    fn unit(first: &str, unit: &str) -> Finding {
        let verdict = Verdict::Managed {
            tool: "Helm",
            unit: unit.to_owned(),
            declared: false,
        };
        let mut finding = Finding::new(id(first), verdict);
        finding.unit = Some(Box::new(MadeBy {
            tool: "Helm",
            unit: unit.to_owned(),
        }));
        finding
    }

    fn all(findings: Vec<Finding>) -> Findings {
        Findings {
            findings,
            ..Findings::default()
        }
    }

    /// What is told, as `news name`.
    fn told(told: &Told, findings: &Findings) -> Vec<String> {
        let found = told.differences(findings, |_| Cause::Cluster, |_, _| false, |_| Resolved::Gone);
        found
            .iter()
            .map(|one| format!("{:?} {}", one.news, one.finding.id.name))
            .collect()
    }

    #[test]
    fn what_came_changed_and_went_is_told_once() {
        let first = all(vec![never("a"), drifted("b", 2, 0), drifted("c", 2, 0)]);
        let mut ledger = Told::of(&first);
        assert!(told(&ledger, &first).is_empty());
        // The owner of a field is another one, and nothing else is.
        let then = all(vec![
            never("d"),
            drifted("b", 3, 0),
            drifted("c", 2, 1),
            drifted("a", 2, 0),
        ]);
        assert_eq!(told(&ledger, &then), ["New d", "Changed b", "Changed a"]);
        let found = ledger.differences(&then, |_| Cause::Cluster, |_, _| false, |_| Resolved::Gone);
        ledger.note(&found);
        assert!(told(&ledger, &then).is_empty());
        let last = all(vec![drifted("c", 2, 1)]);
        assert_eq!(
            told(&ledger, &last),
            ["Resolved(Gone) a", "Resolved(Gone) b", "Resolved(Gone) d"]
        );
    }

    #[test]
    fn another_value_that_must_not_be_shown_is_told() {
        let hidden = |digest: u64| {
            let mut finding = drifted("a", 2, 0);
            if let Verdict::Drifted { fields, .. } = &mut finding.verdict {
                (fields[0].declared, fields[0].live, fields[0].digest) = (None, None, digest);
            }
            all(vec![finding])
        };
        let ledger = Told::of(&hidden(1));
        assert!(told(&ledger, &hidden(1)).is_empty());
        assert_eq!(told(&ledger, &hidden(2)), ["Changed a"]);
    }

    #[test]
    fn a_unit_is_one_whatever_object_stands_for_it() {
        let ledger = Told::of(&all(vec![unit("a", "shop/web")]));
        assert!(told(&ledger, &all(vec![unit("b", "shop/web")])).is_empty());
        assert_eq!(
            told(&ledger, &all(vec![unit("a", "shop/db")])),
            ["New a", "Resolved(Gone) a"]
        );
    }

    #[test]
    fn what_is_open_is_left_as_it_was_told() {
        let ledger = Told::of(&all(vec![drifted("a", 2, 0)]));
        let now = all(vec![never("b")]);
        let only_b = |finding: &Finding, _| finding.id.name == "a";
        let found = ledger.differences(&now, |_| Cause::Revision, only_b, |_| Resolved::InSync);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].news, found[0].cause), (News::New, Cause::Revision));
    }
}
