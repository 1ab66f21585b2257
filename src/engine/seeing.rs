//! Readiness: what the watches say, held against what was written.

use super::input::{Sighted, Sighting};
use super::machine::{Machine, Phase, seconds};
use super::timers::Timer;
use super::waits::{Effect, Mark};
use crate::event::Event;
use crate::object::{Action, GroupKind, ObjectId, Readiness};
use crate::plan::{NodeIndex, StepAction};
use std::time::Duration;

/// Kinds whose failure is final. Of all others a failure can pass (a crash loop until the database is there), so that they
/// have until their deadline; only soft dependants do not wait for them any more.
const FAILS_FOR_GOOD: [(&str, &str); 2] = [("batch", "Job"), ("apiextensions.k8s.io", "CustomResourceDefinition")];

/// How often people are told what is being waited for.
const REPORT: Duration = Duration::from_secs(1);

impl Machine<'_> {
    pub(super) fn observed(&mut self, id: &ObjectId, sighting: Sighting) {
        let Some(index) = self.step_of(id) else { return };
        if self.node(index).phase == Phase::Settled {
            return;
        }
        self.node_mut(index).seen = Some(sighting);
        self.look(index);
    }

    pub(super) fn gone(&mut self, id: &ObjectId, uid: &str) {
        let Some(index) = self.step_of(id) else { return };
        if self.removes(index) || self.node(index).kept.is_some() {
            // While a request is in flight, its answer tells.
            if self.is_doomed(index, uid) && self.node(index).phase == Phase::Retrying {
                self.deleted(index);
            }
            return;
        }
        let node = self.node_mut(index);
        if node.seen.as_ref().is_some_and(|seen| seen.uid == uid) {
            node.seen = None;
        }
        let ours = node.ours.as_ref().is_some_and(|(ours, _)| ours == uid);
        if node.phase != Phase::Written || !ours {
            return;
        }
        if self.step(index).id.is("batch", "Job") {
            let message = "it was deleted before its end was seen".to_owned();
            self.ready(index, Readiness::Failed(message));
        } else {
            self.node_mut(index).said = "it was deleted by someone else".to_owned();
        }
    }

    /// A step is in the cluster: from now on it has its time to become ready.
    pub(super) fn wait_until_ready(&mut self, index: u32) {
        self.set_phase(index, Phase::Written);
        self.set_deadline(index);
        self.node_mut(index).said.clear();
        let at = self.now;
        self.emit(Event::Written {
            step: NodeIndex(index),
            at,
        });
        self.look(index);
        if self.stopping.is_some() && self.node(index).phase == Phase::Written {
            self.ready(index, Readiness::NotWaitedFor);
        }
    }

    /// A step that someone else makes is free: it has its time to come.
    pub(super) fn wait_for_another(&mut self, index: u32) {
        self.set_phase(index, Phase::Awaiting);
        self.set_deadline(index);
        self.open_since(index, self.now);
        if self.node(index).target.is_none() {
            self.want_discovery();
            return;
        }
        let kind = self.step(index).id.group_kind();
        if let Some(reason) = self.unwatchable.get(&kind).cloned() {
            self.settle_unseen(index, &reason);
            return;
        }
        self.watch(index);
        self.look(index);
    }

    fn set_deadline(&mut self, index: u32) {
        let at = self.now + self.options.timeout;
        self.node_mut(index).deadline = Some(at);
        self.timers.set(at, Timer::Deadline(index));
    }

    /// Holds the latest sighting against what is waited for.
    fn look(&mut self, index: u32) {
        let step = self.step(index);
        let node = self.node(index);
        let Some(seen) = &node.seen else { return };
        match node.phase {
            Phase::Written => {
                let Some((uid, generation)) = &node.ours else { return };
                if seen.uid != *uid {
                    self.node_mut(index).said = "another object has its name now".to_owned();
                    return;
                }
                if seen.generation < *generation {
                    return;
                }
            }
            Phase::Awaiting => {
                for (edge, effect) in self.waits.mark(index, Mark::Exists) {
                    self.close(edge, effect);
                }
                if !step.has_contract {
                    return self.ready(index, Readiness::NotWaitedFor);
                }
            }
            _ => return,
        }
        let Some(seen) = &self.node(index).seen else { return };
        let (state, message) = (seen.state, seen.message.clone());
        match state {
            Sighted::Current => return self.ready(index, Readiness::Current),
            Sighted::Failed if FAILS_FOR_GOOD.iter().any(|(group, kind)| step.id.is(group, kind)) => {
                return self.ready(index, Readiness::Failed(message));
            }
            Sighted::Failed => self.doubt(index),
            Sighted::Underway => {}
        }
        self.node_mut(index).said = message;
    }

    /// Soft dependants do not wait for what says that it failed.
    fn doubt(&mut self, index: u32) {
        if std::mem::replace(&mut self.node_mut(index).doubted, true) {
            return;
        }
        for edge in self.waits.doubt(index) {
            self.close(edge, Effect::Broken);
        }
    }

    pub(super) fn ready(&mut self, index: u32, readiness: Readiness) {
        let action = self.node_mut(index).action.take().unwrap_or(Action::Awaited);
        self.settle(index, action, readiness);
    }

    /// The deadline of a step has come.
    pub(super) fn overdue(&mut self, index: u32) {
        let node = self.node(index);
        let failed = node.seen.as_ref().is_some_and(|seen| seen.state == Sighted::Failed);
        let said = node.said.clone();
        let never = node.phase == Phase::Awaiting && node.seen.is_none();
        let waited = seconds(self.options.timeout);
        let readiness = match &self.step(index).action {
            StepAction::Await(who) if never => {
                let told = if said.is_empty() {
                    String::new()
                } else {
                    format!("; {said}")
                };
                Readiness::TimedOut(format!("not there after {waited}: {who}{told}"))
            }
            _ if failed => Readiness::Failed(said),
            _ if said.is_empty() => {
                Readiness::TimedOut(format!("not ready after {waited}, and its status says nothing"))
            }
            _ => Readiness::TimedOut(format!("not ready after {waited}; last seen: {said}")),
        };
        self.ready(index, readiness);
    }

    /// Steps of a kind that cannot be watched are dealt with as if it had no contract, with a warning; what the server
    /// enforces it enforces anyway.
    pub(super) fn cannot_watch(&mut self, kind: GroupKind, reason: String) {
        for index in 0..self.plan.steps.len() as u32 {
            let waits = matches!(self.node(index).phase, Phase::Written | Phase::Awaiting);
            if waits && self.node(index).target.is_some() && self.step(index).id.group_kind() == kind {
                self.settle_unseen(index, &reason);
            }
        }
        self.unwatchable.insert(kind, reason);
    }

    pub(super) fn settle_unseen(&mut self, index: u32, reason: &str) {
        if self.node(index).action.is_none() {
            let message = format!("whether it is there could not be seen: {reason}");
            return self.ready(index, Readiness::TimedOut(message));
        }
        let warning = format!("whether it became ready could not be seen: {reason}");
        self.node_mut(index).warnings.push(warning);
        self.ready(index, Readiness::NotWaitedFor);
    }

    pub(super) fn open_since(&mut self, index: u32, since: Duration) {
        self.open.insert((since, index));
        if self.report_at.is_none() {
            self.report_later();
        }
    }

    pub(super) fn close_since(&mut self, index: u32) {
        let times = self.node(index).times;
        for since in [times.sent, times.free].into_iter().flatten() {
            self.open.remove(&(since, index));
        }
    }

    /// Says what has been open longest.
    pub(super) fn report(&mut self) {
        self.report_at = None;
        if !self.open.is_empty() {
            self.report_later();
        }
        let longest = self
            .open
            .iter()
            .take_while(|(since, _)| *since + REPORT <= self.now)
            .take(3);
        let lines: Vec<_> = longest
            .map(|(_, index)| (NodeIndex(*index), self.doing(*index)))
            .collect();
        if !lines.is_empty() {
            self.emit(Event::Waiting(lines));
        }
    }

    fn report_later(&mut self) {
        let at = self.now + REPORT;
        self.report_at = Some(at);
        self.timers.set(at, Timer::Report);
    }

    fn doing(&self, index: u32) -> String {
        let node = self.node(index);
        match (&self.step(index).action, node.phase) {
            (StepAction::Await(who), _) if node.said.is_empty() => who.clone(),
            (_, Phase::InFlight) if node.said.is_empty() => "not answered yet".to_owned(),
            (StepAction::Delete { .. }, _) if node.said.is_empty() => "being deleted".to_owned(),
            _ if node.kept.is_some() => "being deleted, since it is done".to_owned(),
            (StepAction::Apply { .. }, Phase::Deleting) => "being deleted to be made anew".to_owned(),
            _ if node.said.is_empty() => "not ready yet".to_owned(),
            _ => node.said.clone(),
        }
    }
}
