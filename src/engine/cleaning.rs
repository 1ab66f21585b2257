//! Hooks whose objects go again once they are done, as their delete policies say.

use super::input::Command;
use super::machine::{Machine, Phase};
use super::waits::Mark;
use crate::event::Event;
use crate::object::{Action, Readiness, SkipReason};
use crate::plan::{NodeIndex, StepAction};
use std::time::Duration;

/// What a step came to whose object is still to be deleted.
#[derive(Debug)]
pub(super) struct Kept {
    action: Action,
    readiness: Readiness,
    /// Since when it may be deleted.
    pub(super) since: Option<Duration>,
}

impl Machine<'_> {
    /// Whether a step that comes to its end does not yet, since its object is to be deleted first.
    pub(super) fn keeps(&mut self, index: u32, action: &Action, readiness: &Readiness) -> bool {
        let step = self.step(index);
        let is_there = !matches!(action, Action::Failed(_) | Action::Skipped(_))
            || *action == Action::Skipped(SkipReason::Generated);
        let Some(cleanup) = step.cleanup.as_ref().filter(|_| is_there) else {
            return false;
        };
        if self.stopping.is_some() || self.node(index).ours.is_none() {
            return false;
        }
        let succeeded = match readiness {
            Readiness::Current => true,
            Readiness::NotWaitedFor => !step.has_contract,
            _ => false,
        };
        // A gate that can be passed waits for this one, too.
        let gate = (cleanup.succeeded).filter(|gate| succeeded && self.node(gate.0).phase != Phase::Settled);
        let failed = cleanup.failed && matches!(readiness, Readiness::Failed(_));
        if gate.is_none() && !failed {
            return false;
        }
        self.close_since(index);
        self.set_phase(index, Phase::Kept);
        let now = self.now;
        let node = self.node_mut(index);
        node.seen = None;
        node.times.settled = Some(now);
        node.kept = Some(Kept {
            action: action.clone(),
            readiness: readiness.clone(),
            since: None,
        });
        match failed {
            true => self.let_go(index),
            false => self.marks.push_back((index, Mark::Ready)),
        }
        true
    }

    /// All that the deletion of some hooks waits for is there.
    pub(super) fn passed(&mut self, gate: u32) {
        for index in self.kept_until(gate) {
            self.emit(Event::Done { step: NodeIndex(index) });
            self.let_go(index);
        }
    }

    /// Something that the deletion of some hooks waits for will not come: they stay.
    pub(super) fn never_passed(&mut self, gate: u32) {
        for index in self.kept_until(gate) {
            self.stays(index, None);
        }
    }

    fn kept_until(&self, gate: u32) -> Vec<u32> {
        let hooks = self.cleaned.get(&gate).into_iter().flatten().copied();
        hooks.filter(|index| self.node(*index).phase == Phase::Kept).collect()
    }

    fn let_go(&mut self, index: u32) {
        let now = self.now;
        let node = self.node_mut(index);
        node.deletes = true;
        node.tries = 0;
        if let Some(kept) = &mut node.kept {
            kept.since = Some(now);
        }
        self.again(index);
    }

    /// The object of a hook that is done is gone.
    pub(super) fn cleaned(&mut self, index: u32) {
        self.end(index, |readiness| match readiness {
            Readiness::Failed(why) => Readiness::Failed(format!("{why} (deleted since, as its delete policy says)")),
            _ => Readiness::Done,
        });
    }

    /// The object of a hook that is done stays; `why` where it was to be deleted.
    pub(super) fn stays(&mut self, index: u32, why: Option<&str>) {
        if let Some(why) = why {
            let warning = format!("it is done, and was not deleted as its delete policy says: {why}");
            self.node_mut(index).warnings.push(warning);
        }
        self.end(index, |readiness| readiness);
    }

    fn end(&mut self, index: u32, as_what: impl FnOnce(Readiness) -> Readiness) {
        let node = self.node_mut(index);
        // It is not kept once more.
        node.ours = None;
        if let Some(Kept { action, readiness, .. }) = node.kept.take() {
            self.settle(index, action, as_what(readiness));
        }
    }

    /// It ran before: nothing is sent, but for the deletion of what is left of it.
    pub(super) fn done_before(&mut self, index: u32, left: Option<&String>) {
        self.node_mut(index).ours = left.map(|uid| (uid.clone(), 0));
        let readiness = match left {
            Some(_) => Readiness::Current,
            None => Readiness::Done,
        };
        self.settle(index, Action::Unchanged, readiness);
    }

    /// A hook that failed before is deleted first.
    pub(super) fn begin_anew(&mut self, index: u32) {
        let before = self.step(index).cleanup.as_ref();
        if before.is_some_and(|cleanup| cleanup.before.is_some()) {
            let node = self.node_mut(index);
            node.recreates = true;
            node.deletes = true;
            node.said = "it failed before".to_owned();
        }
    }

    /// The deletion that a step asks for now.
    pub(super) fn deletion(&self, index: u32) -> Option<Command> {
        let (step, node) = (self.step(index), self.node(index));
        let before = || step.cleanup.as_ref().and_then(|cleanup| cleanup.before.clone());
        let (uid, for_good) = match &step.action {
            StepAction::Delete { uid, .. } => (Some(uid.clone()), true),
            _ if !node.deletes => return None,
            _ if node.kept.is_some() => (node.ours.as_ref().map(|(uid, _)| uid.clone()), true),
            _ => (before(), false),
        };
        Some(Command::Delete {
            step: NodeIndex(index),
            uid,
            for_good,
            orphan: !for_good && step.id.is("apps", "StatefulSet"),
        })
    }

    /// Whether the object that a step deletes for good has this uid.
    pub(super) fn is_doomed(&self, index: u32, gone: &str) -> bool {
        matches!(self.deletion(index), Some(Command::Delete { uid: Some(uid), for_good: true, .. }) if uid == gone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulate::{Run, Script, World};
    use super::super::{Answer, Input, Options};
    use super::*;
    use crate::plan::{Cleanup, Strength, Until};

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn once_done(gate: NodeIndex) -> Cleanup {
        Cleanup {
            succeeded: Some(gate),
            ..Cleanup::default()
        }
    }

    /// A hook that is deleted once it and another one succeeded, and what waits for the hook.
    fn event(other: Script) -> World {
        let mut world = World::default();
        let hook = world.apply("Job", "hook", Script::default());
        let second = world.apply("Job", "second", other);
        let web = world.apply("ConfigMap", "web", Script::default());
        let gate = world.gate("all hooks");
        world.wait(web, hook, Until::Ready, Strength::Hard);
        world.wait(gate, hook, Until::Ready, Strength::Hard);
        world.wait(gate, second, Until::Ready, Strength::Hard);
        world.cleans(hook, once_done(gate));
        world
    }

    fn ended(run: &Run, name: &str) -> (Action, Readiness) {
        let outcome = run.outcome(name).clone();
        (outcome.action, outcome.readiness)
    }

    fn later() -> Script {
        Script {
            ready: Some(ms(1000)),
            ..Script::default()
        }
    }

    #[test]
    fn a_hook_is_deleted_once_all_of_its_event_succeeded() {
        let run = event(later()).run(Options::default());
        assert_eq!(ended(&run, "hook"), (Action::Created, Readiness::Done));
        assert!(run.deleted.iter().all(|id| id.name == "hook") && !run.deleted.is_empty());
        assert!(run.end > ms(1000), "not before the other one");
        assert!(
            run.sent_at("web").is_some_and(|at| at < ms(100)),
            "others do not wait for that"
        );
        let done = run
            .events
            .iter()
            .filter(|event| matches!(event, Event::Done { step } if step.0 == 0));
        assert_eq!(done.count(), 1);
        let chain = &run.summary.critical_path;
        assert_eq!(
            chain.last(),
            Some(&NodeIndex(1)),
            "its deletion is no part of the slowest chain"
        );
    }

    #[test]
    fn a_hook_stays_where_another_one_failed() {
        let run = event(Script { fails: true, ..later() }).run(Options::default());
        assert_eq!(ended(&run, "hook"), (Action::Created, Readiness::Current));
        assert_eq!(run.deleted, []);
    }

    #[test]
    fn a_hook_that_fails_goes_where_its_policy_says_so() {
        let mut world = World::default();
        let fails = Script {
            fails: true,
            ..Script::default()
        };
        let hook = world.apply("Job", "hook", fails);
        let web = world.apply("ConfigMap", "web", Script::default());
        world.wait(web, hook, Until::Ready, Strength::Hard);
        world.cleans(
            hook,
            Cleanup {
                failed: true,
                ..Cleanup::default()
            },
        );
        let run = world.run(Options::default());
        let said = "it is Failed (deleted since, as its delete policy says)";
        assert_eq!(
            ended(&run, "hook"),
            (Action::Created, Readiness::Failed(said.to_owned()))
        );
        assert!(!run.deleted.is_empty());
        assert_eq!(run.sent_at("web"), None);
    }

    #[test]
    fn a_hook_that_failed_before_is_deleted_and_runs_again() {
        let mut world = World::default();
        let hook = world.apply("Job", "hook", Script::default());
        world.cleans(
            hook,
            Cleanup {
                before: Some("old".to_owned()),
                ..Cleanup::default()
            },
        );
        let run = world.run(Options::default());
        assert_eq!(ended(&run, "hook"), (Action::Recreated, Readiness::Current));
        assert!(!run.deleted.is_empty() && run.sent.len() == 1);
    }

    #[test]
    fn what_is_left_of_a_hook_that_ran_before_goes() {
        let mut world = event(Script::default());
        world.plan.steps[0].action = StepAction::Done {
            why: "it ran".to_owned(),
            left: Some("u".to_owned()),
        };
        let run = world.run(Options::default());
        assert_eq!(ended(&run, "hook"), (Action::Unchanged, Readiness::Done));
        assert_eq!(run.sent_at("hook"), None);
        assert!(!run.deleted.is_empty());
    }

    #[test]
    fn a_hook_that_waits_for_its_deletion_stays_at_an_interruption() {
        let mut world = event(later());
        world.outside.push((ms(500), Input::Interrupted));
        let run = world.run(Options::default());
        assert_eq!(ended(&run, "hook"), (Action::Created, Readiness::Current));
        assert_eq!(run.deleted, []);
    }

    #[test]
    fn a_deletion_is_for_one_object_and_what_is_refused_is_told() {
        let mut world = World::default();
        let hook = world.apply("ConfigMap", "hook", Script::default());
        let gate = world.gate("all hooks");
        world.wait(gate, hook, Until::Ready, Strength::Hard);
        world.cleans(hook, once_done(gate));
        let mut machine = Machine::new(&world.plan, Options::default());
        machine.on(Input::Started, Duration::ZERO);
        let written = Answer::Written {
            action: Action::Created,
            uid: "u".to_owned(),
            generation: 0,
            warnings: Vec::new(),
        };
        let asked = machine.on(Input::Answered(hook, written), ms(10));
        let deletes = |one: &Command| matches!(one, Command::Delete { uid: Some(uid), for_good: true, orphan: false, .. } if uid == "u");
        assert!(asked.iter().any(deletes), "{asked:?}");
        let refused = Answer::Refused {
            reason: "you may not".to_owned(),
            immutable: false,
        };
        machine.on(Input::Answered(hook, refused), ms(20));
        let (_, outcome) = machine.summary().outcomes.remove(0);
        assert_eq!(
            (outcome.action, outcome.readiness),
            (Action::Created, Readiness::NotWaitedFor)
        );
        let told = "it is done, and was not deleted as its delete policy says: you may not";
        assert_eq!(outcome.warnings, [told]);
    }
}
