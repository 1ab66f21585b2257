//! How a run ends: nothing can move any more, Ctrl-C, the lease lost; and what is said of it.

use std::collections::HashMap;

use super::machine::{Machine, Phase, Stopping};
use crate::event::{Event, Summary};
use crate::object::{Action, Outcome, Readiness, SkipReason};
use crate::plan::NodeIndex;

/// How many of a ring are named.
const NAMED: usize = 8;

impl Machine<'_> {
    /// If nothing can move by itself any more, moves something or answers. False if something still can.
    pub(super) fn unstick(&mut self) -> bool {
        let moving = [
            Phase::InFlight,
            Phase::Deleting,
            Phase::Queued,
            Phase::Retrying,
            Phase::Written,
            Phase::Awaiting,
        ];
        let moves = moving.iter().any(|phase| self.count(*phase) > 0) || self.serving.is_open();
        if moves || self.remaining == 0 || self.stopping.is_some() {
            return false;
        }
        if let Some(index) = self.softly.pop_first() {
            self.give_up_soft(index);
            return true;
        }
        if !self.give_up_unserved() {
            self.settle_stalled();
        }
        true
    }

    /// Every step left waits, hard, for another that is left.
    fn settle_stalled(&mut self) {
        let left: Vec<u32> = (0..self.plan.steps.len() as u32)
            .filter(|index| self.node(*index).phase != Phase::Settled)
            .collect();
        let mut next: HashMap<u32, Option<u32>> = HashMap::new();
        let mut texts = Vec::new();
        for index in &left {
            texts.push(self.ring(*index, &mut next));
        }
        for (index, text) in left.into_iter().zip(texts) {
            if self.node(index).kept.is_some() {
                self.stays(index, None);
                continue;
            }
            let action = Action::Skipped(SkipReason::Stalled(text));
            self.settle(index, action, Readiness::NotWaitedFor);
        }
    }

    /// `waits for A, which waits for B, which waits for A`.
    fn ring(&self, index: u32, next: &mut HashMap<u32, Option<u32>>) -> String {
        let mut text = String::new();
        let mut passed = vec![index];
        let mut at = index;
        loop {
            let to = *next
                .entry(at)
                .or_insert_with(|| self.waits.first_open(at).map(|edge| edge.to.0));
            let Some(to) = to else { break };
            text.push_str(if text.is_empty() {
                "waits for "
            } else {
                ", which waits for "
            });
            if to == index {
                text.push_str("it");
                break;
            }
            text.push_str(&self.name(to));
            if passed.contains(&to) {
                break;
            }
            if passed.len() == NAMED {
                text.push_str(", and so on");
                break;
            }
            passed.push(to);
            at = to;
        }
        text
    }

    fn name(&self, index: u32) -> String {
        let node = NodeIndex(index);
        match (self.plan.step(node), self.plan.gate(node)) {
            (Some(step), _) => step.id.to_string(),
            (None, gate) => gate.map(|gate| gate.name.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn interrupt(&mut self) {
        self.interrupts += 1;
        if self.interrupts > 1 {
            for index in 0..self.plan.steps.len() as u32 {
                if self.node(index).phase != Phase::Settled {
                    self.leave(index, "interrupted");
                }
            }
            return;
        }
        let in_flight = self.in_flight();
        self.emit(Event::Interrupted { in_flight });
        if self.stopping.is_none() {
            self.stop(Stopping::Interrupted);
        }
    }

    /// Nothing new is sent. What is in flight is finished; so is, unless nothing may be written at all, what was deleted to
    /// be made anew.
    pub(super) fn stop(&mut self, why: Stopping) {
        let reason = match &why {
            Stopping::Interrupted => "interrupted".to_owned(),
            Stopping::Stopped(reason) => reason.clone(),
        };
        let finishes = why == Stopping::Interrupted;
        self.stopping = Some(why);
        for index in 0..self.plan.steps.len() as u32 {
            let node = self.node(index);
            let stays = match node.phase {
                Phase::Settled | Phase::InFlight | Phase::Deleting => true,
                Phase::Queued | Phase::Retrying => node.recreates && !self.not_deleted(index) && finishes,
                _ => false,
            };
            if !stays {
                self.leave(index, &reason);
            }
        }
    }

    /// It is to be made anew, and its deletion was not sent yet.
    fn not_deleted(&self, index: u32) -> bool {
        let node = self.node(index);
        node.phase == Phase::Queued && node.deletes && node.tries == 0
    }

    /// Settles a step where it is.
    pub(super) fn leave(&mut self, index: u32, reason: &str) {
        let node = self.node(index);
        match node.phase {
            _ if node.kept.is_some() => self.stays(index, None),
            Phase::Written => self.ready(index, Readiness::NotWaitedFor),
            _ if node.accepted => self.settle(index, Action::Deleted, Readiness::NotWaitedFor),
            Phase::Deleting if self.removes(index) => {
                self.fail(
                    index,
                    format!("{reason} before the server answered: it may have been deleted or not"),
                );
            }
            _ if self.not_deleted(index) => {
                let said = node.said.clone();
                self.fail(
                    index,
                    format!("{said} ({reason} before it was deleted to be made anew)"),
                );
            }
            _ if node.recreates => {
                self.fail(
                    index,
                    format!("it may have been deleted, and was not made anew: {reason}"),
                );
            }
            Phase::InFlight => {
                self.fail(
                    index,
                    format!("{reason} before the server answered: it may have been written or not"),
                );
            }
            _ => self.settle(index, Action::Skipped(SkipReason::Interrupted), Readiness::NotWaitedFor),
        }
    }

    /// The run so far.
    pub fn summary(&self) -> Summary {
        let unfinished = || Outcome {
            action: Action::Skipped(SkipReason::Interrupted),
            readiness: Readiness::NotWaitedFor,
            without: Vec::new(),
            warnings: Vec::new(),
        };
        let steps = &self.nodes[..self.plan.steps.len()];
        let outcome = |(index, step): (usize, &crate::plan::Step)| {
            let outcome = steps[index].outcome.clone().unwrap_or_else(unfinished);
            (step.id.clone(), outcome)
        };
        Summary {
            outcomes: self.plan.steps.iter().enumerate().map(outcome).collect(),
            times: steps.iter().map(|node| node.times).collect(),
            critical_path: self.critical_path(),
            total: self.now - self.started,
            interrupted: self.stopping == Some(Stopping::Interrupted),
            stopped: match &self.stopping {
                Some(Stopping::Stopped(reason)) => Some(reason.clone()),
                _ => None,
            },
        }
    }

    /// From the step that was settled last back along the waits that ended last; gates are passed through.
    fn critical_path(&self) -> Vec<NodeIndex> {
        let sent = (0..).zip(&self.nodes[..self.plan.steps.len()]);
        let done = sent.filter(
            |(_, node)| !matches!(&node.outcome, Some(outcome) if matches!(outcome.action, Action::Skipped(_))),
        );
        let last = done.max_by_key(|(index, node)| (node.times.settled, std::cmp::Reverse(*index)));
        let mut path = Vec::new();
        let mut passed = std::collections::HashSet::new();
        let mut at = last.map(|(index, _)| NodeIndex(index));
        while let Some(node) = at.filter(|node| passed.insert(*node)) {
            if self.plan.step(node).is_some() {
                path.push(node);
            }
            at = self.node(node.0).released_by;
        }
        path.reverse();
        path
    }
}
