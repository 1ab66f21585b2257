//! How a node's mark passes on to those that wait for it.

use super::machine::{Machine, Phase};
use super::timers::Timer;
use super::waits::{Effect, Mark};
use crate::object::{Action, ObjectId, Readiness, SkipReason};
use crate::plan::{Edge, NodeIndex, StepAction, Strength};

impl Machine<'_> {
    /// Moves a waiting node on if what it waits for allows it.
    pub(super) fn advance(&mut self, index: u32) {
        let phase = self.node(index).phase;
        if !matches!(phase, Phase::Waiting | Phase::Softly) {
            return;
        }
        match self.waits.open(index) {
            (0, 0) => self.free(index),
            (0, _) if phase == Phase::Waiting => {
                self.set_phase(index, Phase::Softly);
                self.softly.insert(index);
                self.timers.set(self.now + self.options.soft_wait, Timer::Soft(index));
            }
            _ => {}
        }
    }

    /// Nothing it waits for is open any more.
    fn free(&mut self, index: u32) {
        self.softly.remove(&index);
        if index as usize >= self.plan.steps.len() {
            self.set_phase(index, Phase::Settled);
            self.marks.extend([(index, Mark::Ready), (index, Mark::Over)]);
            return self.passed(index);
        }
        let now = self.now;
        self.node_mut(index).times.free = Some(now);
        let step = self.step(index);
        match &step.action {
            StepAction::Await(_) => self.wait_for_another(index),
            StepAction::Done { left, .. } => self.done_before(index, left.as_ref()),
            _ if self.node(index).target.is_none() => {
                self.set_phase(index, Phase::Unserved);
                self.want_discovery();
            }
            _ => {
                self.begin_anew(index);
                self.enqueue(index);
            }
        }
    }

    /// Applies a node without the soft edges that are still open.
    pub(super) fn give_up_soft(&mut self, index: u32) {
        for to in self.waits.give_up(index) {
            self.lacks(index, to);
            self.node_mut(index).released_by = Some(to);
        }
        self.advance(index);
    }

    pub(super) fn work_out_marks(&mut self) {
        while let Some((index, mark)) = self.marks.pop_front() {
            for (edge, effect) in self.waits.mark(index, mark) {
                self.close(edge, effect);
            }
        }
    }

    /// An edge was closed: the waiting node goes on, or is skipped.
    pub(super) fn close(&mut self, edge: &Edge, effect: Effect) {
        let from = edge.from.0;
        if !matches!(self.node(from).phase, Phase::Waiting | Phase::Softly) {
            return;
        }
        match effect {
            Effect::Broken if edge.strength == Strength::Soft => self.lacks(from, edge.to),
            Effect::Broken => return self.skip_with(from, edge.to),
            Effect::Met => self.inherit(from, edge.to),
        }
        self.node_mut(from).released_by = Some(edge.to);
        self.advance(from);
    }

    /// What a gate did without, those behind it do without.
    fn inherit(&mut self, from: u32, to: NodeIndex) {
        let gate = self.plan.step(to).is_none();
        if gate && !self.node(to.0).without.is_empty() {
            for id in self.node(to.0).without.clone() {
                self.lack(from, id);
            }
        }
    }

    fn lacks(&mut self, from: u32, to: NodeIndex) {
        if let Some(id) = self.behind(to) {
            self.lack(from, id);
        }
    }

    fn lack(&mut self, from: u32, id: ObjectId) {
        let without = &mut self.node_mut(from).without;
        if !without.contains(&id) {
            without.push(id);
        }
    }

    /// The object of a node; for a gate the one that holds it up.
    fn behind(&self, node: NodeIndex) -> Option<ObjectId> {
        let mut at = node;
        for _ in 0..=self.plan.gates.len() {
            match self.plan.step(at) {
                Some(step) => return Some(step.id.clone()),
                None if self.node(at.0).blame.is_some() => return self.node(at.0).blame.clone(),
                None => at = self.waits.first_open(at.0)?.to,
            }
        }
        None
    }

    /// Skips a node because of one that it waits for, hard.
    fn skip_with(&mut self, index: u32, to: NodeIndex) {
        let blame = self.behind(to);
        self.softly.remove(&index);
        if index as usize >= self.plan.steps.len() {
            self.node_mut(index).blame = blame;
            self.set_phase(index, Phase::Settled);
            self.marks.push_back((index, Mark::Over));
            self.never_passed(index);
        } else {
            let reason = blame.map_or_else(
                || SkipReason::Stalled("what it waits for did not come".to_owned()),
                SkipReason::Dependency,
            );
            self.settle(index, Action::Skipped(reason), Readiness::NotWaitedFor);
        }
    }
}
