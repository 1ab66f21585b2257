//! Rings of dependencies, and where they are cut.

use std::collections::HashMap;

use super::edges::{Draft, RULES};
use super::{Strength, Until};

/// An edge that was dropped, with the ring it closed: in waiting order, the first one's edge to the second is the one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cutting {
    pub ring: Vec<u32>,
    pub edge: Draft,
}

/// Drops edges until no ring is left, the weakest of each ring: soft before hard, yielding rows first, until ready before until
/// exists (the server may well take an object whose other is there but not ready). Nothing weaker than dropping helps, since
/// an edge holds an object back whatever it waits for. Edges stay in their order.
///
/// # Errors
/// Rings that people wrote, which are never cut.
pub(crate) fn cut_rings(nodes: usize, edges: &mut Vec<Draft>) -> Result<Vec<Cutting>, Vec<Vec<u32>>> {
    let component = components(nodes, edges);
    let inside = |edge: &Draft| component[edge.from as usize] == component[edge.to as usize];
    let mut within: Vec<Draft> = edges.iter().copied().filter(inside).collect();
    if within.is_empty() {
        return Ok(Vec::new());
    }
    // The strongest are laid first; one that would close a ring is the weakest of that ring.
    within.sort_by_key(|edge| (std::cmp::Reverse(weight(edge)), edge.rule, edge.from, edge.to));
    let mut order = Order::default();
    let (mut cuts, mut written) = (Vec::new(), Vec::new());
    for edge in within {
        match order.lay(edge.from, edge.to) {
            Ok(()) => {}
            Err(ring) if edge.strength == Strength::Written => written.push(ring),
            Err(ring) => cuts.push(Cutting { ring, edge }),
        }
    }
    if !written.is_empty() {
        return Err(written);
    }
    let cut: std::collections::HashSet<(u32, u32)> = cuts.iter().map(|cut| (cut.edge.from, cut.edge.to)).collect();
    edges.retain(|edge| !cut.contains(&(edge.from, edge.to)));
    Ok(cuts)
}

/// How much an edge resists being cut.
fn weight(edge: &Draft) -> (Strength, bool, u8) {
    let until = match edge.until {
        Until::Exists => 2,
        Until::Settled => 1,
        Until::Ready => 0,
    };
    (edge.strength, !RULES[usize::from(edge.rule)].yields, until)
}

/// The strongly connected component of each node (Tarjan's algorithm, without recursion).
fn components(nodes: usize, edges: &[Draft]) -> Vec<u32> {
    let mut next: Vec<Vec<u32>> = vec![Vec::new(); nodes];
    for edge in edges {
        next[edge.from as usize].push(edge.to);
    }
    const NEW: u32 = u32::MAX;
    let mut seen = vec![NEW; nodes]; // when it was first met
    let mut low = vec![0; nodes];
    let mut component = vec![NEW; nodes];
    let (mut time, mut count) = (0, 0);
    let (mut open, mut path): (Vec<u32>, Vec<(u32, usize)>) = (Vec::new(), Vec::new());
    for root in 0..nodes as u32 {
        if seen[root as usize] == NEW {
            path.push((root, 0));
        }
        while let Some((node, place)) = path.pop() {
            let at = node as usize;
            if place == 0 {
                (seen[at], low[at]) = (time, time);
                time += 1;
                open.push(node);
            } else {
                low[at] = low[at].min(low[next[at][place - 1] as usize]);
            }
            let mut place = place;
            let mut deeper = None;
            while let Some(to) = next[at].get(place).copied() {
                place += 1;
                if seen[to as usize] == NEW {
                    deeper = Some(to);
                    break;
                }
                if component[to as usize] == NEW {
                    low[at] = low[at].min(seen[to as usize]);
                }
            }
            if let Some(to) = deeper {
                path.push((node, place));
                path.push((to, 0));
            } else if low[at] == seen[at] {
                while let Some(member) = open.pop() {
                    component[member as usize] = count;
                    if member == node {
                        break;
                    }
                }
                count += 1;
            }
        }
    }
    component
}

/// An order of nodes that is kept right while edges are laid (Pearce and Kelly, "A dynamic topological sort algorithm for
/// directed acyclic graphs", 2006): laying one costs no more than what it moves.
#[derive(Default)]
struct Order {
    place: HashMap<u32, usize>,
    next: HashMap<u32, Vec<u32>>,
    before: HashMap<u32, Vec<u32>>,
}

impl Order {
    /// Lays an edge.
    ///
    /// # Errors
    /// The ring it would close, beginning with `from` and `to`; it is not laid then.
    fn lay(&mut self, from: u32, to: u32) -> Result<(), Vec<u32>> {
        for node in [from, to] {
            let last = self.place.len();
            self.place.entry(node).or_insert(last);
        }
        let (low, high) = (self.place[&to], self.place[&from]);
        if low < high {
            let ahead = self.ahead(from, to, high)?;
            let mut moved = self.behind(from, low);
            let by_place = |order: &Self, nodes: &mut Vec<u32>| nodes.sort_by_key(|node| order.place[node]);
            let mut ahead = ahead;
            by_place(self, &mut moved);
            by_place(self, &mut ahead);
            moved.extend(ahead);
            let mut places: Vec<usize> = moved.iter().map(|node| self.place[node]).collect();
            places.sort_unstable();
            self.place.extend(moved.into_iter().zip(places));
        }
        self.next.entry(from).or_default().push(to);
        self.before.entry(to).or_default().push(from);
        Ok(())
    }

    /// All that can be reached from `to` up to a place; the way to `from` is a ring.
    fn ahead(&self, from: u32, to: u32, high: usize) -> Result<Vec<u32>, Vec<u32>> {
        let mut came_from: HashMap<u32, u32> = HashMap::from([(to, from)]);
        let mut found = vec![to];
        let mut at = 0;
        while let Some(node) = found.get(at).copied() {
            at += 1;
            for next in self.next.get(&node).into_iter().flatten().copied() {
                if next == from {
                    let mut ring = vec![node];
                    while let Some(last) = ring.last().copied().filter(|last| *last != to) {
                        ring.push(came_from[&last]);
                    }
                    ring.push(from);
                    ring.reverse();
                    return Err(ring);
                }
                if self.place[&next] <= high && !came_from.contains_key(&next) {
                    came_from.insert(next, node);
                    found.push(next);
                }
            }
        }
        Ok(found)
    }

    /// All from which `from` can be reached, down to a place.
    fn behind(&self, from: u32, low: usize) -> Vec<u32> {
        let mut seen = std::collections::HashSet::from([from]);
        let mut found = vec![from];
        let mut at = 0;
        while let Some(node) = found.get(at).copied() {
            at += 1;
            for before in self.before.get(&node).into_iter().flatten().copied() {
                if self.place[&before] >= low && seen.insert(before) {
                    found.push(before);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(name: &str) -> u16 {
        let place = RULES.iter().position(|rule| rule.name == name);
        place.expect("because tests name rows of the table") as u16
    }

    fn edge(from: u32, to: u32, name: &str) -> Draft {
        let rule = rule(name);
        let row = &RULES[usize::from(rule)];
        Draft {
            from,
            to,
            rule,
            strength: row.strength,
            until: row.until,
        }
    }

    #[test]
    fn the_weakest_edge_of_a_ring_goes() {
        // A webhook configuration → its backend (hard, ready) → its Namespace (hard, exists) → the webhook (yields).
        let ring = [
            edge(0, 1, "webhook-backend"),
            edge(1, 2, "namespace"),
            edge(2, 0, "admission-webhook"),
        ];
        for (drop, expected) in [(None, (2, 0)), (Some(2), (0, 1))] {
            let mut edges: Vec<Draft> = ring.to_vec();
            if let Some(drop) = drop {
                edges[drop] = edge(2, 0, "namespace");
            }
            let cuts = cut_rings(3, &mut edges).expect("because nobody wrote this ring");
            assert_eq!(cuts.len(), 1);
            assert_eq!((cuts[0].edge.from, cuts[0].edge.to), expected);
            assert_eq!(
                (cuts[0].ring[0], cuts[0].ring[1], cuts[0].ring.len()),
                (expected.0, expected.1, 3)
            );
            assert_eq!(edges.len(), 2);
        }
    }

    #[test]
    fn a_ring_that_people_wrote_stays() {
        let mut edges = vec![edge(0, 1, "depends-on"), edge(1, 0, "kapp-change-rule")];
        assert_eq!(cut_rings(2, &mut edges), Err(vec![vec![1, 0]]));
        let mut edges = vec![edge(0, 1, "depends-on"), edge(1, 0, "namespace")];
        assert_eq!(cut_rings(2, &mut edges).map(|cuts| cuts.len()), Ok(1));
        assert_eq!(edges, [edge(0, 1, "depends-on")]);
    }

    proptest! {
        #[test]
        fn no_ring_is_left_and_nothing_else_is_cut(pairs in prop::collection::btree_set((0u32..30, 0u32..30), 0..200)) {
            let mut edges: Vec<Draft> = (pairs.into_iter())
                .filter(|(from, to)| from != to)
                .map(|(from, to)| edge(from, to, if (from + to) % 3 == 0 { "namespace" } else { "secret" }))
                .collect();
            let before = edges.clone();
            let cuts = cut_rings(30, &mut edges).expect("because none is written");
            let component = components(30, &edges);
            prop_assert!(edges.iter().all(|edge| component[edge.from as usize] != component[edge.to as usize]));
            prop_assert_eq!(edges.len() + cuts.len(), before.len());
            for cut in cuts {
                let pairs = cut.ring.iter().zip(cut.ring.iter().cycle().skip(1));
                for (from, to) in pairs {
                    let side = before.iter().find(|edge| (edge.from, edge.to) == (*from, *to));
                    let side = side.expect("because a ring is made of edges");
                    prop_assert!(weight(side) >= weight(&cut.edge));
                }
            }
        }
    }
}
