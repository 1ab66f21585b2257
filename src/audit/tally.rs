//! Adding up findings.

use super::{Finding, Findings};
use crate::object::{GroupKind, LiveObject, ObjectId};

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
        let coverage = match self.coverage.get_mut(namespace) {
            Some(coverage) => coverage,
            None => self.coverage.entry(namespace.to_owned()).or_default(),
        };
        coverage.counted += 1;
        coverage.in_sync += usize::from(in_sync);
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

/// Objects in the order in which a report has them, so that findings need not be put in order, which are large. Those of a kind in a
/// namespace stand together and are in order.
pub(super) fn in_order_of_report<'a>(
    objects: &[(&'a ObjectId, &'a LiveObject)],
) -> Vec<(&'a ObjectId, &'a LiveObject)> {
    let beside = |id: &'a ObjectId| (id.namespace.as_deref(), id.kind.as_str());
    let mut runs: Vec<_> = objects
        .chunk_by(|(a, _), (b, _)| beside(a) == beside(b) && a.group == b.group)
        .collect();
    runs.sort_by_key(|run| beside(run[0].0));
    let mut ordered = Vec::with_capacity(objects.len());
    for of_one in runs.chunk_by(|a, b| beside(a[0].0) == beside(b[0].0)) {
        let first = ordered.len();
        of_one.iter().for_each(|run| ordered.extend_from_slice(run));
        if of_one.len() > 1 {
            ordered[first..].sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)));
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_put_in_the_order_of_a_report() {
        let mut ids = Vec::new();
        for group in ["", "apps", "example.com"] {
            for kind in ["Deployment", "Ingress"] {
                for namespace in [None, Some("a"), Some("b")] {
                    ids.extend(["x", "y"].map(|name| ObjectId::new(group, kind, namespace, name)));
                }
            }
        }
        ids.sort();
        let object = LiveObject::default();
        let given: Vec<_> = ids.iter().map(|id| (id, &object)).collect();
        let ordered: Vec<&ObjectId> = in_order_of_report(&given).into_iter().map(|(id, _)| id).collect();
        let mut expected: Vec<&ObjectId> = ids.iter().collect();
        assert!(
            !expected.is_sorted_by_key(|id| place(id)),
            "the order of the set is another one"
        );
        expected.sort_by(|a, b| place(a).cmp(&place(b)));
        assert_eq!(ordered, expected);
        assert!(in_order_of_report(&[]).is_empty());
    }
}
