//! Kinds that were not served when the plan was made: asked for again as CRDs, API services and workloads become ready.

use std::collections::BTreeMap;
use std::time::Duration;

use super::input::Command;
use super::machine::{Machine, Phase};
use super::timers::Timer;
use crate::object::builtin::builtin;
use crate::object::{Action, GroupKind, Readiness, ServedKinds, SkipReason};
use crate::plan::{Plan, StepAction, Target};

/// Kinds that can bring others: by declaring them, or by running the program that does.
const BRINGERS: [(&str, &str); 7] = [
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("", "Pod"),
];

/// CRDs become ready in bursts: one question for all of them.
const TOGETHER: Duration = Duration::from_millis(200);
/// First and longest time between two questions while nothing new became ready.
const GAP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// Discoveries that may fail one after the other before the kinds still missing are given up.
const FAILURES: u32 = 5;

/// What is known about kinds that nothing served.
#[derive(Debug)]
pub(super) struct Serving {
    /// Steps without target, by kind.
    wanted: BTreeMap<GroupKind, Vec<u32>>,
    asking: bool,
    /// Something became ready while the question was open.
    again: bool,
    /// When to ask next.
    pub(super) next: Option<Duration>,
    gap: Duration,
    last_brought: Option<Duration>,
    /// The last answer is younger than the last thing that could bring a kind.
    fresh: bool,
    failures: u32,
    reason: Option<String>,
}

impl Serving {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut wanted: BTreeMap<GroupKind, Vec<u32>> = BTreeMap::new();
        for (index, step) in (0..).zip(&plan.steps) {
            if step.target.is_none() && !matches!(step.action, StepAction::HoldBack(_)) {
                wanted.entry(step.id.group_kind()).or_default().push(index);
            }
        }
        Self {
            wanted,
            asking: false,
            again: false,
            next: None,
            gap: GAP.0,
            last_brought: None,
            fresh: false,
            failures: 0,
            reason: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.asking || self.next.is_some()
    }
}

impl Machine<'_> {
    /// A step became ready: if it can bring kinds that are wanted, they are asked for.
    pub(super) fn brings(&mut self, index: u32) {
        let id = &self.step(index).id;
        if self.serving.wanted.is_empty() || !BRINGERS.iter().any(|(group, kind)| id.is(group, kind)) {
            return;
        }
        self.serving.last_brought = Some(self.now);
        self.serving.fresh = false;
        self.serving.gap = GAP.0;
        self.serving.again = self.serving.asking;
        self.ask_by(self.now + TOGETHER);
    }

    /// Someone waits for a kind that is not served.
    pub(super) fn want_discovery(&mut self) {
        self.ask_by(self.now + TOGETHER);
    }

    fn ask_by(&mut self, at: Duration) {
        if !self.serving.asking && self.serving.next.is_none_or(|next| at < next) {
            self.serving.next = Some(at);
            self.timers.set(at, Timer::Discover);
        }
    }

    pub(super) fn discover(&mut self) {
        self.serving.next = None;
        if !self.serving.asking && !self.serving.wanted.is_empty() {
            self.serving.asking = true;
            self.commands.push(Command::Discover);
        }
    }

    pub(super) fn discovered(&mut self, kinds: Result<ServedKinds, String>) {
        self.serving.asking = false;
        match kinds {
            Ok(kinds) => {
                self.serving.failures = 0;
                self.serving.reason = None;
                self.find(&kinds);
                self.serving.fresh = !self.serving.again;
            }
            Err(reason) => {
                self.serving.failures += 1;
                self.serving.reason = Some(reason);
                self.serving.fresh = self.serving.failures >= FAILURES;
            }
        }
        if std::mem::take(&mut self.serving.again) {
            return self.ask_by(self.now + TOGETHER);
        }
        let wait = self.options.served_wait;
        let may_come = self.serving.last_brought.is_some_and(|at| self.now < at + wait);
        let failed = self.serving.failures > 0 && self.serving.failures < FAILURES;
        // A built-in kind that the server lacks (it is of another version) is brought by nobody.
        let comes = |kind: &GroupKind| builtin(&kind.group, &kind.kind).is_none();
        if may_come && self.serving.wanted.keys().any(comes) || self.awaits_unserved() || failed {
            let gap = self.serving.gap;
            self.serving.gap = (gap * 2).min(GAP.1);
            self.ask_by(self.now + gap);
        }
    }

    fn awaits_unserved(&self) -> bool {
        let awaiting = |index: &u32| self.node(*index).phase == Phase::Awaiting;
        self.count(Phase::Awaiting) > 0 && self.serving.wanted.values().flatten().any(awaiting)
    }

    /// Gives a target to the steps whose kind is served now.
    fn find(&mut self, kinds: &ServedKinds) {
        let wanted = std::mem::take(&mut self.serving.wanted);
        for (kind, steps) in wanted {
            let Some(served) = kinds.get(&kind) else {
                self.serving.wanted.insert(kind, steps);
                continue;
            };
            let mut missing = Vec::new();
            for index in steps {
                let version = match &self.step(index).action {
                    StepAction::Apply { manifest, .. } => Some(manifest.version()),
                    _ => served.versions.first().map(String::as_str),
                };
                let version = version.filter(|version| served.versions.iter().any(|v| v == version));
                let Some(version) = version else {
                    self.node_mut(index).said = format!("{kind} is served in {} only", served.versions.join(", "));
                    missing.push(index);
                    continue;
                };
                let target = Target {
                    kind: kind.clone(),
                    version: version.to_owned(),
                    plural: served.plural.clone(),
                    scope: served.scope,
                };
                self.found(index, target);
            }
            if !missing.is_empty() {
                self.serving.wanted.insert(kind, missing);
            }
        }
    }

    fn found(&mut self, index: u32, target: Target) {
        let node = self.node_mut(index);
        node.target = Some(target);
        node.said.clear();
        match node.phase {
            Phase::Unserved => self.enqueue(index),
            Phase::Awaiting => self.watch(index),
            _ => {}
        }
    }

    /// Nothing else can move: asks a last time, then skips what nothing serves. False if there is nothing of the sort.
    pub(super) fn give_up_unserved(&mut self) -> bool {
        if self.count(Phase::Unserved) == 0 {
            return false;
        }
        if !self.serving.fresh {
            self.discover();
            return true;
        }
        let unserved: Vec<u32> = self.serving.wanted.values().flatten().copied().collect();
        for index in unserved {
            if self.node(index).phase == Phase::Unserved {
                let action = Action::Skipped(SkipReason::NotServed(self.not_served(index)));
                self.settle(index, action, Readiness::NotWaitedFor);
            }
        }
        true
    }

    fn not_served(&self, index: u32) -> String {
        let said = &self.node(index).said;
        match &self.serving.reason {
            _ if !said.is_empty() => said.clone(),
            Some(reason) => format!("what the server serves could not be asked: {reason}"),
            None => format!("the server does not serve {}", self.step(index).id.group_kind()),
        }
    }
}
