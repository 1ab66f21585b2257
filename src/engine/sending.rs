//! Requests: what is sent, and what the answers mean.

use std::time::Duration;

use super::backoff::backoff;
use super::input::{Answer, Command};
use super::machine::{Machine, Phase, Stopping, seconds};
use super::timers::Timer;
use super::waits::Mark;
use crate::event::Event;
use crate::object::{Action, Readiness, SkipReason, is_never_deleted};
use crate::plan::{NodeIndex, StepAction};

impl Machine<'_> {
    pub(super) fn enqueue(&mut self, index: u32) {
        self.set_phase(index, Phase::Queued);
        self.queue.insert(index);
    }

    /// Sends as many as the flow allows, lowest index first.
    pub(super) fn send(&mut self) {
        while self.in_flight() < self.flow.limit() {
            let Some(index) = self.queue.pop_first() else { break };
            let (now, step) = (self.now, NodeIndex(index));
            let removes = self.removes(index);
            if self.step(index).has_contract || removes {
                self.watch(index);
            }
            let node = self.node_mut(index);
            node.asked = now;
            let deletes = node.deletes;
            let deletion = self.deletion(index);
            if let (true, Some(deletion)) = (deletes, &deletion) {
                self.set_phase(index, Phase::Deleting);
                self.commands.push(deletion.clone());
                continue;
            }
            let node = self.node_mut(index);
            node.attempt += 1;
            let attempt = node.attempt;
            let first = node.times.sent.is_none();
            node.times.sent.get_or_insert(now);
            if first {
                self.open_since(index, now);
                self.emit(Event::Sent { step, at: now });
            }
            let (phase, command) = match deletion {
                Some(deletion) => (Phase::Deleting, deletion),
                None => {
                    let how = self.how(index);
                    (Phase::InFlight, Command::Send { step, attempt, how })
                }
            };
            self.set_phase(index, phase);
            self.commands.push(command);
        }
    }

    /// Asks for a watch of a step's kind, once.
    pub(super) fn watch(&mut self, index: u32) {
        let Some(target) = &self.node(index).target else { return };
        if !self.watched.contains(&target.kind) {
            let target = target.clone();
            self.watched.insert(target.kind.clone());
            self.commands.push(Command::Watch(target));
        }
    }

    pub(super) fn answered(&mut self, index: u32, answer: Answer) {
        let phase = self.node(index).phase;
        if !matches!(phase, Phase::InFlight | Phase::Deleting) {
            return;
        }
        let overloaded = matches!(answer, Answer::Retry { after: Some(_), .. });
        let (asked, in_flight) = (self.node(index).asked, self.in_flight());
        self.flow.answered(asked, self.now, in_flight, overloaded);
        let answer = match answer {
            Answer::Held(written, why) => {
                self.stays_suspended(index, &why);
                *written
            }
            other => other,
        };
        match answer {
            Answer::Written {
                action,
                uid,
                generation,
                warnings,
            } if phase == Phase::InFlight => {
                let node = self.node_mut(index);
                node.ours = Some((uid, generation));
                node.warnings.extend(warnings);
                self.written(index, action);
            }
            Answer::Written { .. } | Answer::Held(..) | Answer::Gone => self.deleted(index),
            Answer::Leaving(reason) => self.leaving(index, reason),
            Answer::Refused { reason, .. } if self.node(index).kept.is_some() => self.stays(index, Some(&reason)),
            Answer::Refused { reason, .. } if self.removes(index) => self.fail(index, reason),
            Answer::Refused { reason, .. } if phase == Phase::Deleting => {
                self.fail(index, format!("it could not be deleted to be made anew: {reason}"));
            }
            Answer::Refused { reason, immutable } => self.refused(index, reason, immutable),
            Answer::Retry { reason, after, .. } => self.retry(index, reason, after),
        }
    }

    fn written(&mut self, index: u32, action: Action) {
        let now = self.now;
        let node = self.node_mut(index);
        node.times.written = Some(now);
        let (recreates, sent_before) = (node.recreates, node.tries > 0);
        let was_there = self.options.known.contains_key(&self.step(index).id);
        let action = match action {
            _ if recreates => Action::Recreated,
            // An earlier sending made it, and the answer to that one was lost.
            Action::Configured | Action::Unchanged | Action::Skipped(SkipReason::Generated)
                if sent_before && !was_there =>
            {
                Action::Created
            }
            Action::Configured if self.options.as_declared.contains(&self.step(index).id) => Action::Unchanged,
            action => action,
        };
        let node = self.node_mut(index);
        node.action = Some(action.clone());
        self.marks.push_back((index, Mark::Exists));
        let step = self.step(index);
        let unwatchable = self.unwatchable.get(&step.id.group_kind()).cloned();
        if !step.has_contract {
            self.settle(index, action, Readiness::NotWaitedFor);
        } else if let Some(reason) = unwatchable {
            self.settle_unseen(index, &reason);
        } else {
            self.wait_until_ready(index);
        }
    }

    pub(super) fn deleted(&mut self, index: u32) {
        if self.node(index).kept.is_some() {
            return self.cleaned(index);
        }
        if self.removes(index) {
            return self.settle(index, Action::Deleted, Readiness::Current);
        }
        let node = self.node_mut(index);
        node.deletes = false;
        node.tries = 0;
        node.seen = None;
        self.again(index);
    }

    /// The server took a deletion, and finalizers or a grace period hold the object: a watch tells when it is gone. It is looked
    /// at again too, since a watch may begin too late to see it go.
    fn leaving(&mut self, index: u32, reason: String) {
        let (now, timeout) = (self.now, self.options.timeout);
        let node = self.node_mut(index);
        node.accepted = true;
        node.tries += 1;
        let tries = node.tries;
        let hook = node.kept.as_ref().and_then(|kept| kept.since);
        let since = hook.or(node.times.sent).unwrap_or(now);
        let at = (now + backoff(index, tries, None)).min(since + timeout);
        node.said.clone_from(&reason);
        if self.stopping.is_some() {
            return match hook {
                Some(_) => self.cleaned(index),
                None => self.settle(index, Action::Deleted, Readiness::NotWaitedFor),
            };
        }
        if now >= since + timeout {
            let message = format!("still there {} after its deletion: {reason}", seconds(now - since));
            if hook.is_some() {
                return self.stays(index, Some(&message));
            }
            return self.settle(index, Action::Deleted, Readiness::TimedOut(message));
        }
        self.set_phase(index, Phase::Retrying);
        self.timers.set(at, Timer::Resend(index, tries));
    }

    /// Queues a step that was sent before, if that is still allowed.
    pub(super) fn again(&mut self, index: u32) {
        match &self.stopping {
            Some(Stopping::Stopped(reason)) => {
                let reason = reason.clone();
                self.leave(index, &reason);
            }
            _ => self.enqueue(index),
        }
    }

    fn refused(&mut self, index: u32, reason: String, immutable: bool) {
        let step = self.step(index);
        let wanted = matches!(step.action, StepAction::Apply { recreate: true, .. });
        let allowed = !is_never_deleted(&step.id);
        let recreates = self.node(index).recreates;
        if immutable && wanted && allowed && !recreates && self.stopping.is_none() {
            let node = self.node_mut(index);
            node.recreates = true;
            node.deletes = true;
            node.tries = 0;
            node.said = reason;
            self.enqueue(index);
        } else if recreates {
            self.fail(index, format!("it was deleted, and could not be made anew: {reason}"));
        } else {
            self.fail(index, reason);
        }
    }

    fn retry(&mut self, index: u32, reason: String, after: Option<Duration>) {
        let now = self.now;
        let timeout = self.options.timeout;
        let node = self.node_mut(index);
        node.tries += 1;
        let wait = backoff(index, node.tries, after);
        node.said.clone_from(&reason);
        let tries = node.tries;
        let hook = self.node(index).kept.as_ref().and_then(|kept| kept.since);
        if self.stopping.is_some() && hook.is_some() {
            return self.stays(index, None);
        }
        if self.stopping.is_some() && !self.node(index).recreates {
            return self.settle(index, Action::Skipped(SkipReason::Interrupted), Readiness::NotWaitedFor);
        }
        let since = hook.or(self.node(index).times.sent).unwrap_or(now);
        if now + wait > since + timeout {
            let times = if tries == 1 {
                "once".to_owned()
            } else {
                format!("{tries} times")
            };
            let reason = format!("{reason} (sent {times}, given up after {})", seconds(now - since));
            return match hook {
                Some(_) => self.stays(index, Some(&reason)),
                None => self.fail(index, reason),
            };
        }
        self.emit(Event::Retrying {
            step: NodeIndex(index),
            reason,
            after: wait,
        });
        self.set_phase(index, Phase::Retrying);
        self.timers.set(now + wait, Timer::Resend(index, tries));
    }
}
