//! Who waits for whom, and what is still open.

use crate::plan::{Edge, NodeIndex, Plan, Strength, Until};

/// How far a node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is in the cluster.
    Exists,
    /// It is ready, or nothing has to be waited for.
    Ready,
    /// Nothing more comes of it.
    Over,
}

/// What a mark does to a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What it waited for is there.
    Met,
    /// What it waited for will not come.
    Broken,
}

/// The open edges of a plan, by target.
#[derive(Debug)]
pub struct Waits<'p> {
    edges: &'p [Edge],
    /// Edge indices, by target.
    by_target: Vec<u32>,
    /// Where a target's edges start in `by_target`; one more than nodes.
    starts: Vec<u32>,
    open: Vec<bool>,
    /// Open hard and soft edges, by waiting node.
    counts: Vec<(u32, u32)>,
}

impl<'p> Waits<'p> {
    /// Everything open.
    pub fn new(plan: &'p Plan) -> Self {
        let nodes = plan.nodes();
        let mut starts = vec![0u32; nodes + 1];
        let mut counts = vec![(0, 0); nodes];
        for edge in &plan.edges {
            starts[edge.to.0 as usize + 1] += 1;
            let (hard, soft) = &mut counts[edge.from.0 as usize];
            *if edge.strength == Strength::Soft { soft } else { hard } += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut by_target = vec![0u32; plan.edges.len()];
        for (index, edge) in (0u32..).zip(&plan.edges) {
            let at = &mut next[edge.to.0 as usize];
            by_target[*at as usize] = index;
            *at += 1;
        }
        Self {
            edges: &plan.edges,
            by_target,
            starts,
            open: vec![true; plan.edges.len()],
            counts,
        }
    }

    /// Open hard and soft edges of a waiting node.
    pub fn open(&self, node: u32) -> (u32, u32) {
        self.counts[node as usize]
    }

    /// Closes what a mark of `node` closes, and gives the edges with what became of them.
    pub fn mark(&mut self, node: u32, mark: Mark) -> Vec<(&'p Edge, Effect)> {
        let range = self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize;
        let mut closed = Vec::new();
        for &index in &self.by_target[range] {
            let edge = &self.edges[index as usize];
            let effect = match (mark, edge.until) {
                (Mark::Exists | Mark::Ready, Until::Exists) | (Mark::Ready, Until::Ready) => Effect::Met,
                (Mark::Over, Until::Settled) => Effect::Met,
                (Mark::Over, _) => Effect::Broken,
                _ => continue,
            };
            if !std::mem::replace(&mut self.open[index as usize], false) {
                continue;
            }
            let (hard, soft) = &mut self.counts[edge.from.0 as usize];
            *if edge.strength == Strength::Soft { soft } else { hard } -= 1;
            closed.push((edge, effect));
        }
        closed
    }

    /// Closes the open soft edges to `node` that wait for it to be ready: it says that it failed.
    pub fn doubt(&mut self, node: u32) -> Vec<&'p Edge> {
        let range = self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize;
        let mut closed = Vec::new();
        for &index in &self.by_target[range] {
            let edge = &self.edges[index as usize];
            let soft = edge.strength == Strength::Soft && edge.until == Until::Ready;
            if soft && std::mem::replace(&mut self.open[index as usize], false) {
                self.counts[edge.from.0 as usize].1 -= 1;
                closed.push(edge);
            }
        }
        closed
    }

    /// Closes all open soft edges of a waiting node and gives whom they waited for.
    pub fn give_up(&mut self, node: u32) -> Vec<NodeIndex> {
        let range = self.range_of(node);
        let mut closed = Vec::new();
        for index in range {
            let edge = &self.edges[index];
            if edge.strength == Strength::Soft && std::mem::replace(&mut self.open[index], false) {
                closed.push(edge.to);
            }
        }
        self.counts[node as usize].1 = 0;
        closed
    }

    /// The first open edge of a waiting node, hard ones before soft ones.
    pub fn first_open(&self, node: u32) -> Option<&'p Edge> {
        let open = || self.range_of(node).filter(|index| self.open[*index]);
        open()
            .find(|index| self.edges[*index].strength != Strength::Soft)
            .or_else(|| open().next())
            .map(|index| &self.edges[index])
    }

    fn range_of(&self, node: u32) -> std::ops::Range<usize> {
        let start = self.edges.partition_point(|edge| edge.from.0 < node);
        let end = self.edges.partition_point(|edge| edge.from.0 <= node);
        start..end
    }
}
