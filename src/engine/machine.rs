//! The machine: what happened in, what to do out.
//!
//! Pure: no clock (the time comes with each input), no I/O, no waiting. Every input costs what it changes (edges closed, one
//! heap operation), never a look at all steps, except once when nothing can move any more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::cleaning::Kept;
use super::flow::Flow;
use super::input::{Command, Input, Options, Sighting};
use super::serving::Serving;
use super::timers::{Timer, Timers};
use super::waits::{Mark, Waits};
use crate::event::{Event, StepTimes};
use crate::object::{Action, GroupKind, ObjectId, Outcome, Readiness, SkipReason};
use crate::plan::{NodeIndex, Plan, Step, StepAction, Target};

/// Where a node is. Gates know `Waiting`, `Softly` and `Settled` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Hard edges are open.
    Waiting,
    /// Only soft edges are open, until the soft wait ends.
    Softly,
    /// Free to be sent, but nothing serves its kind.
    Unserved,
    /// Free, in the queue.
    Queued,
    /// Sent, not answered.
    InFlight,
    /// Its deletion was sent, not answered.
    Deleting,
    /// To be sent again later.
    Retrying,
    /// In the cluster, not ready.
    Written,
    /// A hook that is done: its object is to be deleted, and it is settled once that is gone.
    Kept,
    /// Free; someone else makes it.
    Awaiting,
    /// At its end.
    Settled,
}

/// What is known of a node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) phase: Phase,
    /// Sends of the step, deletions not counted.
    pub(super) attempt: u32,
    /// When the request in flight was sent.
    pub(super) asked: Duration,
    /// Refusals that can pass since the last success.
    pub(super) tries: u32,
    /// It is deleted to be made anew.
    pub(super) recreates: bool,
    /// The next request is a deletion.
    pub(super) deletes: bool,
    /// It is a hook that is done: what it came to.
    pub(super) kept: Option<Kept>,
    /// The server took the deletion of an object that goes for good.
    pub(super) accepted: bool,
    /// When it has to be ready.
    pub(super) deadline: Option<Duration>,
    /// How to reach it, once served.
    pub(super) target: Option<Target>,
    /// Uid and generation that our write returned.
    pub(super) ours: Option<(String, i64)>,
    /// What our write did.
    pub(super) action: Option<Action>,
    /// It stands for a unit of which something is missing, and is written suspended.
    pub(super) suspended: bool,
    /// The latest sighting.
    pub(super) seen: Option<Sighting>,
    /// Soft dependants were told that it failed.
    pub(super) doubted: bool,
    /// The last thing heard of it, for people.
    pub(super) said: String,
    pub(super) warnings: Vec<String>,
    pub(super) without: Vec<ObjectId>,
    /// Whose wait ended last.
    pub(super) released_by: Option<NodeIndex>,
    /// For gates: who failed behind it.
    pub(super) blame: Option<ObjectId>,
    pub(super) times: StepTimes,
    pub(super) outcome: Option<Outcome>,
}

impl Node {
    fn new(target: Option<Target>) -> Self {
        Self {
            phase: Phase::Waiting,
            attempt: 0,
            asked: Duration::ZERO,
            tries: 0,
            recreates: false,
            deletes: false,
            kept: None,
            accepted: false,
            deadline: None,
            target,
            ours: None,
            action: None,
            suspended: false,
            seen: None,
            doubted: false,
            said: String::new(),
            warnings: Vec::new(),
            without: Vec::new(),
            released_by: None,
            blame: None,
            times: StepTimes::default(),
            outcome: None,
        }
    }
}

/// Why nothing new is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stopping {
    /// Ctrl-C.
    Interrupted,
    /// Nothing may be written any more.
    Stopped(String),
}

/// Walks a plan.
#[derive(Debug)]
pub struct Machine<'p> {
    pub(super) plan: &'p Plan,
    pub(super) options: Options,
    pub(super) now: Duration,
    pub(super) started: Duration,
    pub(super) nodes: Vec<Node>,
    pub(super) waits: Waits<'p>,
    steps_of: HashMap<&'p ObjectId, u32>,
    /// Hooks, by the gate after which their objects are deleted.
    pub(super) cleaned: HashMap<u32, Vec<u32>>,
    counts: [usize; Phase::Settled as usize + 1],
    /// Steps that are not settled.
    pub(super) remaining: usize,
    /// Free steps; the lowest is sent first.
    pub(super) queue: BTreeSet<u32>,
    /// Nodes in [`Phase::Softly`].
    pub(super) softly: BTreeSet<u32>,
    /// Sent or awaited and not settled, by since when.
    pub(super) open: BTreeSet<(Duration, u32)>,
    /// When people are told next what is being waited for.
    pub(super) report_at: Option<Duration>,
    /// Marks whose effects are still to be worked out.
    pub(super) marks: VecDeque<(u32, Mark)>,
    pub(super) flow: Flow,
    pub(super) timers: Timers,
    pub(super) serving: Serving,
    pub(super) watched: HashSet<GroupKind>,
    pub(super) unwatchable: BTreeMap<GroupKind, String>,
    pub(super) stopping: Option<Stopping>,
    pub(super) interrupts: u32,
    finished: bool,
    pub(super) commands: Vec<Command>,
}

impl<'p> Machine<'p> {
    /// A machine at the start of a plan.
    pub fn new(plan: &'p Plan, options: Options) -> Self {
        let targets = plan.steps.iter().map(|step| step.target.clone());
        let gates = plan.gates.iter().map(|_| None);
        let nodes: Vec<Node> = targets.chain(gates).map(Node::new).collect();
        let mut cleaned: HashMap<u32, Vec<u32>> = HashMap::new();
        for (index, step) in (0..).zip(&plan.steps) {
            if let Some(gate) = step.cleanup.as_ref().and_then(|cleanup| cleanup.succeeded) {
                cleaned.entry(gate.0).or_default().push(index);
            }
        }
        let mut counts = [0; Phase::Settled as usize + 1];
        counts[Phase::Waiting as usize] = nodes.len();
        Self {
            plan,
            now: Duration::ZERO,
            started: Duration::ZERO,
            waits: Waits::new(plan),
            steps_of: (0..).zip(&plan.steps).map(|(index, step)| (&step.id, index)).collect(),
            cleaned,
            counts,
            remaining: plan.steps.len(),
            queue: BTreeSet::new(),
            softly: BTreeSet::new(),
            open: BTreeSet::new(),
            report_at: None,
            marks: VecDeque::new(),
            flow: options.flow(),
            timers: Timers::default(),
            serving: Serving::new(plan),
            watched: HashSet::new(),
            unwatchable: BTreeMap::new(),
            stopping: None,
            interrupts: 0,
            finished: false,
            commands: Vec::new(),
            nodes,
            options,
        }
    }

    /// What to do, now that this happened. `now` is measured from the start of the run and never goes back.
    pub fn on(&mut self, input: Input, now: Duration) -> Vec<Command> {
        if self.finished {
            return Vec::new();
        }
        self.now = self.now.max(now);
        match input {
            Input::Started => self.start(),
            Input::Answered(step, answer) => self.answered(step.0, answer),
            Input::Observed(id, sighting) => self.observed(&id, sighting),
            Input::Gone(id, uid) => self.gone(&id, &uid),
            Input::Unwatchable(kind, reason) => self.cannot_watch(kind, reason),
            Input::Discovered(kinds) => self.discovered(kinds),
            Input::Tick => self.tick(),
            Input::Interrupted => self.interrupt(),
            Input::Stopped(reason) => self.stop(Stopping::Stopped(reason)),
        }
        loop {
            self.work_out_marks();
            self.send();
            if !self.unstick() {
                break;
            }
        }
        if self.remaining == 0 {
            self.finish();
        } else {
            self.wake();
        }
        std::mem::take(&mut self.commands)
    }

    /// How to reach a step's object: from the plan, or found when discovery was refreshed.
    pub fn target(&self, step: NodeIndex) -> Option<&Target> {
        self.nodes.get(step.0 as usize)?.target.as_ref()
    }

    fn start(&mut self) {
        self.started = self.now;
        let steps = self.plan.steps.len();
        self.emit(Event::Started { steps });
        for index in 0..steps as u32 {
            if let StepAction::HoldBack(why) = &self.step(index).action {
                let action = Action::Skipped(SkipReason::HeldBack(why.clone()));
                self.settle(index, action, Readiness::NotWaitedFor);
            }
        }
        for index in 0..self.nodes.len() as u32 {
            self.advance(index);
        }
    }

    fn tick(&mut self) {
        self.timers.woken();
        while let Some(timer) = self.due() {
            match timer {
                Timer::Resend(index, _) => self.again(index),
                Timer::Soft(index) => self.give_up_soft(index),
                Timer::Deadline(index) => self.overdue(index),
                Timer::Discover => self.discover(),
                Timer::Report => self.report(),
            }
        }
    }

    /// The next timer that is due and still means something.
    fn due(&mut self) -> Option<Timer> {
        while let Some((at, timer)) = self.timers.first().filter(|(at, _)| *at <= self.now) {
            self.timers.drop_first();
            if self.stands(at, timer) {
                return Some(timer);
            }
        }
        None
    }

    /// Whether a timer still means something.
    fn stands(&self, at: Duration, timer: Timer) -> bool {
        match timer {
            Timer::Resend(index, tries) => {
                let node = self.node(index);
                node.phase == Phase::Retrying && node.tries == tries
            }
            Timer::Soft(index) => self.node(index).phase == Phase::Softly,
            Timer::Deadline(index) => {
                let node = self.node(index);
                matches!(node.phase, Phase::Written | Phase::Awaiting) && node.deadline == Some(at)
            }
            Timer::Discover => self.serving.next == Some(at),
            Timer::Report => self.report_at == Some(at),
        }
    }

    fn wake(&mut self) {
        while let Some((at, timer)) = self.timers.first() {
            if self.stands(at, timer) {
                break;
            }
            self.timers.drop_first();
        }
        if let Some(at) = self.timers.news() {
            self.commands.push(Command::WakeAt(at));
        }
    }

    pub(super) fn fail(&mut self, index: u32, reason: String) {
        self.settle(index, Action::Failed(reason), Readiness::NotWaitedFor);
    }

    /// A step's end.
    pub(super) fn settle(&mut self, index: u32, action: Action, readiness: Readiness) {
        if self.keeps(index, &action, &readiness) {
            return;
        }
        let now = self.now;
        // Nobody made what it stands for.
        let is_hollow = self.plan.not_rendered.contains_key(&self.step(index).id);
        let is_fine = !is_hollow
            && matches!(
                readiness,
                Readiness::Current | Readiness::Done | Readiness::NotWaitedFor
            );
        self.close_since(index);
        self.queue.remove(&index);
        self.softly.remove(&index);
        self.set_phase(index, Phase::Settled);
        self.remaining -= 1;
        let node = self.node_mut(index);
        node.seen = None;
        node.times.settled.get_or_insert(now);
        let outcome = Outcome {
            action,
            readiness,
            without: std::mem::take(&mut node.without),
            warnings: std::mem::take(&mut node.warnings),
        };
        let ready = outcome.is_there() && is_fine;
        node.outcome = Some(outcome.clone());
        self.emit(Event::Settled {
            step: NodeIndex(index),
            outcome,
            at: now,
        });
        if self.stopping.is_some() {
            return;
        }
        if ready {
            self.marks.push_back((index, Mark::Ready));
            self.brings(index);
        }
        self.marks.push_back((index, Mark::Over));
    }

    fn finish(&mut self) {
        self.finished = true;
        let summary = self.summary();
        self.emit(Event::Finished(summary));
        self.commands.push(Command::Finish);
    }

    /// Whether a step deletes its object for good.
    pub(super) fn removes(&self, index: u32) -> bool {
        matches!(self.step(index).action, StepAction::Delete { .. })
    }

    pub(super) fn step(&self, index: u32) -> &'p Step {
        &self.plan.steps[index as usize]
    }

    pub(super) fn step_of(&self, id: &ObjectId) -> Option<u32> {
        self.steps_of.get(id).copied()
    }

    pub(super) fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    pub(super) fn node_mut(&mut self, index: u32) -> &mut Node {
        &mut self.nodes[index as usize]
    }

    pub(super) fn set_phase(&mut self, index: u32, phase: Phase) {
        let node = &mut self.nodes[index as usize];
        self.counts[node.phase as usize] -= 1;
        self.counts[phase as usize] += 1;
        node.phase = phase;
    }

    pub(super) fn count(&self, phase: Phase) -> usize {
        self.counts[phase as usize]
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.count(Phase::InFlight) + self.count(Phase::Deleting)
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.commands.push(Command::Emit(event));
    }
}

/// `12 s`, `0.4 s`.
pub(super) fn seconds(time: Duration) -> String {
    if time >= Duration::from_secs(10) {
        format!("{:.0} s", time.as_secs_f64())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
