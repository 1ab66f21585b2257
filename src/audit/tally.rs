//! Adding up findings.

use super::{Finding, Findings};
use crate::object::{GroupKind, ObjectId};

impl Findings {
    /// So many objects more have a verdict.
    pub(super) fn count(&mut self, verdict: &'static str, number: usize) {
        *self.counts.entry(verdict).or_default() += number;
    }

    /// So many declared objects of a kind more were compared offline.
    pub(super) fn compared_offline(&mut self, kind: GroupKind, number: usize, reason: &str) {
        let (count, why) = self.offline.entry(kind).or_insert_with(|| (0, reason.to_owned()));
        *count += number;
        // Of the reasons the first one, whoever was compared first.
        if reason < why.as_str() {
            reason.clone_into(why);
        }
    }

    /// An object more that counts for coverage.
    pub(super) fn cover(&mut self, namespace: Option<&str>, in_sync: bool) {
        let namespace = namespace.unwrap_or_default();
        // Looked up first: there are few namespaces, and an entry would want a name of its own each time.
        if !self.coverage.contains_key(namespace) {
            self.coverage.insert(namespace.to_owned(), super::Coverage::default());
        }
        if let Some(coverage) = self.coverage.get_mut(namespace) {
            coverage.counted += 1;
            coverage.in_sync += usize::from(in_sync);
        }
    }

    /// Takes in what was found of other objects.
    pub(super) fn take_in(&mut self, mut other: Self) {
        for (verdict, number) in other.counts {
            self.count(verdict, number);
        }
        for (namespace, other) in other.coverage {
            let coverage = self.coverage.entry(namespace).or_default();
            coverage.counted += other.counted;
            coverage.in_sync += other.in_sync;
        }
        for (by, number) in other.waived {
            *self.waived.entry(by).or_default() += number;
        }
        for (kind, (number, reason)) in other.offline {
            self.compared_offline(kind, number, &reason);
        }
        for (rule, number) in other.by_rule {
            *self.by_rule.entry(rule).or_default() += number;
        }
        for (unit, number) in other.by_unit {
            *self.by_unit.entry(unit).or_default() += number;
        }
        self.lost.extend(other.lost);
        self.ignored += other.ignored;
        // They are large, and may be many: those stay where they are that have room for the others.
        if other.findings.capacity() > self.findings.capacity() {
            std::mem::swap(&mut self.findings, &mut other.findings);
        }
        self.findings.append(&mut other.findings);
    }

    /// Puts them in the order of a report: by verdict, then by place. What is in order in parts costs little.
    pub(super) fn sort(&mut self) {
        let rank = |finding: &Finding| finding.verdict.rank();
        self.findings
            .sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| place(&a.id).cmp(&place(&b.id))));
    }
}

/// Where an object stands among those of its verdict.
pub(super) fn place(id: &ObjectId) -> (Option<&str>, &str, &str, &str) {
    (id.namespace.as_deref(), &id.kind, &id.name, &id.group)
}
