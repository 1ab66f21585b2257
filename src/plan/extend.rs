//! Steps that are put before or after those of a plan.

use super::{Edge, Gate, NodeIndex, Plan, Reason, Strength, Until};

impl Edge {
    /// An edge that holds until the other is there, or nothing comes of this one.
    pub(super) fn hard(from: NodeIndex, to: NodeIndex, until: Until, rule: &'static str, text: &str) -> Self {
        Self {
            from,
            to,
            until,
            strength: Strength::Hard,
            reason: Reason {
                rule,
                text: text.to_owned(),
            },
        }
    }
}

impl Plan {
    /// Makes room for `count` steps at `at`, to be put there: whatever stood there or later moves up.
    pub(super) fn make_room(&mut self, at: u32, count: u32) {
        let moved = |node: &mut NodeIndex| {
            if node.0 >= at {
                node.0 += count;
            }
        };
        let edges = self
            .edges
            .iter_mut()
            .chain(self.cuts.iter_mut().map(|cut| &mut cut.edge));
        for edge in edges {
            moved(&mut edge.from);
            moved(&mut edge.to);
        }
        let cleanups = self.steps.iter_mut().filter_map(|step| step.cleanup.as_mut());
        cleanups
            .filter_map(|cleanup| cleanup.succeeded.as_mut())
            .for_each(moved);
    }

    /// Adds a gate after all others.
    pub(super) fn add_gate(&mut self, name: String) -> NodeIndex {
        self.gates.push(Gate { name });
        NodeIndex(self.nodes() as u32 - 1)
    }

    /// Brings back into order what was added.
    pub(super) fn put_in_order(&mut self) {
        self.edges.sort_by_key(|edge| (edge.from, edge.to));
        self.notes
            .sort_by(|a, b| (a.kind, &a.object, &a.message).cmp(&(b.kind, &b.object, &b.message)));
    }
}
