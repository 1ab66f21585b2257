//! A cluster on simulated time, for the tests of the machine: what each object does is written down first, then time runs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use super::backoff::mixed;
use super::{Answer, Command, Input, Machine, Options, Sighted, Sighting};
use crate::event::{Event, Summary};
use crate::object::{Action, GroupKind, Manifest, ObjectId, Scope, ServedKind, ServedKinds, Writer};
use crate::plan::{Cleanup, Edge, Gate, NodeIndex, Plan, Reason, Step, StepAction, Strength, Target, Until};

/// Random numbers from a seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    /// From 0 to `below`, exclusive.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = mixed(self.0);
        self.0 % below.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

/// What an object does when it is written.
#[derive(Debug, Clone)]
pub struct Script {
    /// How long an answer takes.
    pub write: Duration,
    /// From the answer until it is ready; `None`: never.
    pub ready: Option<Duration>,
    /// This many answers ask to come again first.
    pub retries: u32,
    /// It is refused.
    pub refused: bool,
    /// The refusal is for an immutable field, until it was deleted.
    pub immutable: bool,
    /// Its status says that it failed, after `ready`.
    pub fails: bool,
    /// The watch tells of it being ready before the answer comes.
    pub seen_first: bool,
    /// Someone else makes it at this time.
    pub appears: Option<Duration>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            write: Duration::from_millis(10),
            ready: Some(Duration::ZERO),
            retries: 0,
            refused: false,
            immutable: false,
            fails: false,
            seen_first: false,
            appears: None,
        }
    }
}

/// A plan and what its objects do, made step by step.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub plan: Plan,
    pub scripts: BTreeMap<ObjectId, Script>,
    /// Kinds that are served from a time on; all others are not.
    pub served: BTreeMap<GroupKind, Duration>,
    /// Kinds that are served once an object was ready.
    pub brings: BTreeMap<ObjectId, GroupKind>,
    /// Inputs from outside.
    pub outside: Vec<(Duration, Input)>,
}

/// Kinds that the simulated server does not serve at first.
const UNSERVED: [&str; 2] = ["Widget", "PodSecurityPolicy"];

impl World {
    /// Adds a step that is applied. Deployments, Jobs and CRDs have a contract.
    pub fn apply(&mut self, kind: &str, name: &str, script: Script) -> NodeIndex {
        let group = match kind {
            "Deployment" | "StatefulSet" => "apps",
            "Job" => "batch",
            "CustomResourceDefinition" => "apiextensions.k8s.io",
            "Widget" => "example.com",
            "PodSecurityPolicy" => "policy",
            _ => "",
        };
        let api_version = if group.is_empty() {
            "v1".to_owned()
        } else {
            format!("{group}/v1")
        };
        let value = serde_json::json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        let manifest = Manifest::new(value).expect("because it is complete");
        let id = manifest.id();
        self.scripts.insert(id.clone(), script);
        let action = StepAction::Apply {
            manifest,
            writer: Writer::ServerSide("refloat".to_owned()),
            create_only: false,
            recreate: false,
        };
        self.add(id, action, !group.is_empty() && !UNSERVED.contains(&kind))
    }

    /// Adds a step that someone else makes.
    pub fn awaits(&mut self, kind: &str, name: &str, appears: Option<Duration>) -> NodeIndex {
        let id = ObjectId::new("", kind, None, name);
        let script = Script {
            appears,
            ..Script::default()
        };
        self.scripts.insert(id.clone(), script);
        self.add(id, StepAction::Await("the operator makes it".to_owned()), false)
    }

    pub fn hold_back(&mut self, name: &str) -> NodeIndex {
        let id = ObjectId::new("batch", "Job", None, name);
        self.add(id, StepAction::HoldBack("it sends mail".to_owned()), true)
    }

    fn add(&mut self, id: ObjectId, action: StepAction, has_contract: bool) -> NodeIndex {
        assert!(self.plan.gates.is_empty(), "steps come before gates");
        let target = (!UNSERVED.contains(&&*id.kind)).then(|| Target {
            kind: id.group_kind(),
            version: "v1".to_owned(),
            plural: id.kind.to_lowercase(),
            scope: Scope::Cluster,
        });
        self.plan.steps.push(Step {
            id,
            target,
            action,
            provenance: None,
            unit: None,
            hook: None,
            cleanup: None,
            has_contract,
        });
        NodeIndex(self.plan.steps.len() as u32 - 1)
    }

    pub fn gate(&mut self, name: &str) -> NodeIndex {
        self.plan.gates.push(Gate { name: name.to_owned() });
        NodeIndex(self.plan.nodes() as u32 - 1)
    }

    pub fn cleans(&mut self, step: NodeIndex, cleanup: Cleanup) {
        self.plan.steps[step.0 as usize].cleanup = Some(cleanup);
    }

    pub fn recreates(&mut self, step: NodeIndex) {
        if let StepAction::Apply { recreate, .. } = &mut self.plan.steps[step.0 as usize].action {
            *recreate = true;
        }
    }

    pub fn wait(&mut self, from: NodeIndex, to: NodeIndex, until: Until, strength: Strength) {
        let reason = Reason {
            rule: "test",
            text: "the test says so".to_owned(),
        };
        self.plan.edges.push(Edge {
            from,
            to,
            until,
            strength,
            reason,
        });
    }

    /// The same world with its nodes in another order.
    pub fn shuffled(&self, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let steps = self.plan.steps.len();
        let mut order: Vec<usize> = (0..steps).collect();
        for last in (1..steps).rev() {
            order.swap(last, dice.roll(last as u64 + 1) as usize);
        }
        let mut place: Vec<usize> = (0..self.plan.nodes()).collect();
        for (new, old) in order.iter().enumerate() {
            place[*old] = new;
        }
        let moved = |node: NodeIndex| NodeIndex(place[node.0 as usize] as u32);
        let mut other = self.clone();
        other.plan.steps = order.iter().map(|old| self.plan.steps[*old].clone()).collect();
        for edge in &mut other.plan.edges {
            edge.from = moved(edge.from);
            edge.to = moved(edge.to);
        }
        other
    }

    /// Runs the plan to its end.
    pub fn run(mut self, options: Options) -> Run {
        self.plan.edges.sort_by_key(|edge| (edge.from, edge.to));
        Simulation::new(&self, options).run()
    }
}

/// What happened.
#[derive(Debug)]
pub struct Run {
    pub summary: Summary,
    pub events: Vec<Event>,
    /// Requests, in order.
    pub sent: Vec<(Duration, ObjectId)>,
    pub deleted: Vec<ObjectId>,
    pub discoveries: usize,
    pub inputs: usize,
    /// Most requests in flight at once.
    pub most: usize,
    /// When it ended.
    pub end: Duration,
}

impl Run {
    pub fn outcome(&self, name: &str) -> &crate::object::Outcome {
        let found = self.summary.outcomes.iter().find(|(id, _)| id.name == name);
        &found.expect("because every step has an outcome").1
    }

    pub fn sent_at(&self, name: &str) -> Option<Duration> {
        self.sent.iter().find(|(_, id)| id.name == name).map(|(at, _)| *at)
    }
}

/// What the cluster has of an object.
#[derive(Debug, Clone, Default)]
struct Live {
    uid: String,
    state: Option<Sighted>,
    deleted: bool,
    attempts: u32,
}

enum Happening {
    Input(Input),
    /// The object is in the cluster in this state.
    Becomes(ObjectId, Sighted),
    /// Wake-up with this number, if it is still the last.
    Wake(u64),
}

struct Simulation<'w> {
    world: &'w World,
    machine: Machine<'w>,
    now: Duration,
    /// Number of happenings so far: same times keep their order.
    count: u64,
    heap: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    last_wake: u64,
    live: BTreeMap<ObjectId, Live>,
    watched: BTreeSet<GroupKind>,
    served: BTreeSet<GroupKind>,
    in_flight: usize,
    /// What the machine was told: written, ready.
    told: Vec<(bool, bool)>,
    index: BTreeMap<&'w ObjectId, usize>,
    run: Run,
}

impl<'w> Simulation<'w> {
    fn new(world: &'w World, options: Options) -> Self {
        let mut simulation = Self {
            world,
            machine: Machine::new(&world.plan, options),
            now: Duration::ZERO,
            count: 0,
            heap: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            last_wake: 0,
            live: BTreeMap::new(),
            watched: BTreeSet::new(),
            served: BTreeSet::new(),
            in_flight: 0,
            told: vec![(false, false); world.plan.nodes()],
            index: world
                .plan
                .steps
                .iter()
                .zip(0..)
                .map(|(step, index)| (&step.id, index))
                .collect(),
            run: Run {
                summary: Summary::default(),
                events: Vec::new(),
                sent: Vec::new(),
                deleted: Vec::new(),
                discoveries: 0,
                inputs: 0,
                most: 0,
                end: Duration::ZERO,
            },
        };
        for (at, input) in &world.outside {
            simulation.later(*at, Happening::Input(input.clone()));
        }
        for (id, script) in &world.scripts {
            if let Some(at) = script.appears {
                simulation.later(at, Happening::Becomes(id.clone(), Sighted::Current));
            }
        }
        simulation
    }

    fn later(&mut self, at: Duration, happening: Happening) -> u64 {
        self.count += 1;
        self.heap.push(Reverse((at, self.count)));
        self.happenings.insert(self.count, happening);
        self.count
    }

    fn run(mut self) -> Run {
        let mut finished = self.tell(Input::Started);
        while !finished {
            let Reverse((at, number)) = self
                .heap
                .pop()
                .expect("because the machine has not finished, yet waits for nothing");
            self.now = at;
            let happening = self.happenings.remove(&number).expect("because it was put there");
            finished = match happening {
                Happening::Input(input) => self.tell(input),
                Happening::Becomes(id, state) => self.becomes(id, state),
                Happening::Wake(number) if number == self.last_wake => self.tell(Input::Tick),
                Happening::Wake(_) => false,
            };
        }
        self.run.end = self.now;
        self.run
    }

    fn becomes(&mut self, id: ObjectId, state: Sighted) -> bool {
        let live = self.live.entry(id.clone()).or_default();
        if live.uid.is_empty() {
            live.uid = format!("{id}-1");
        }
        live.state = Some(state);
        let uid = live.uid.clone();
        if let Some(kind) = self.world.brings.get(&id).filter(|_| state == Sighted::Current) {
            self.served.insert(kind.clone());
        }
        self.watched.contains(&id.group_kind()) && self.tell(Input::Observed(id, sighting(uid, state)))
    }

    /// Tells the machine and does what it asks for. True at the end.
    fn tell(&mut self, input: Input) -> bool {
        self.run.inputs += 1;
        assert!(self.run.inputs < 1_000_000, "the run does not end");
        self.note(&input);
        let mut finished = false;
        for command in self.machine.on(input, self.now) {
            assert!(!finished, "nothing follows the end");
            match command {
                Command::Send { step, .. } => self.send(step),
                Command::Delete { step, .. } => self.delete(step),
                Command::Watch(target) => self.watch(&target),
                Command::Discover => self.discover(),
                Command::WakeAt(at) => {
                    let number = self.later(at.max(self.now), Happening::Wake(0));
                    self.happenings.insert(number, Happening::Wake(number));
                    self.last_wake = number;
                }
                Command::Emit(Event::Finished(summary)) => self.run.summary = summary,
                Command::Emit(event) => self.run.events.push(event),
                Command::Finish => finished = true,
            }
        }
        finished
    }

    fn note(&mut self, input: &Input) {
        match input {
            Input::Answered(step, answer) => {
                self.in_flight -= 1;
                if matches!(answer, Answer::Written { .. }) {
                    self.told[step.0 as usize].0 = true;
                }
            }
            Input::Observed(id, seen) => {
                if let Some(&index) = self.index.get(id) {
                    self.told[index].1 |= seen.state == Sighted::Current;
                }
            }
            Input::Unwatchable(kind, _) => {
                for (step, told) in self.world.plan.steps.iter().zip(&mut self.told) {
                    told.1 |= step.id.group_kind() == *kind;
                }
            }
            _ => {}
        }
    }

    /// Whether what a node waits for, hard, is there as far as the machine was told.
    fn assert_allowed(&self, node: NodeIndex, passed: &mut Vec<NodeIndex>) {
        let plan = &self.world.plan;
        for edge in plan
            .waits_of(node)
            .iter()
            .filter(|edge| edge.strength != Strength::Soft)
        {
            let Some(target) = plan.step(edge.to) else {
                if !passed.contains(&edge.to) {
                    passed.push(edge.to);
                    self.assert_allowed(edge.to, passed);
                }
                continue;
            };
            if matches!(target.action, StepAction::Done { .. }) {
                continue;
            }
            let (written, ready) = self.told[edge.to.0 as usize];
            let awaited = matches!(target.action, StepAction::Await(_)) && ready;
            let met = match edge.until {
                Until::Settled => true,
                Until::Exists => written || awaited,
                Until::Ready => awaited || written && (ready || !target.has_contract),
            };
            assert!(met, "{node:?} was sent before {} was there", target.id);
        }
    }

    fn send(&mut self, step: NodeIndex) {
        self.assert_allowed(step, &mut Vec::new());
        self.in_flight += 1;
        self.run.most = self.run.most.max(self.in_flight);
        let id = &self.world.plan.steps[step.0 as usize].id;
        self.run.sent.push((self.now, id.clone()));
        let script = &self.world.scripts[id];
        let answered = self.now + script.write;
        let live = self.live.entry(id.clone()).or_default();
        live.attempts += 1;
        let answer = if live.attempts <= script.retries {
            Answer::Retry {
                reason: "too many requests".to_owned(),
                after: live.attempts.is_multiple_of(2).then_some(Duration::from_millis(50)),
            }
        } else if script.refused || script.immutable && !live.deleted {
            Answer::Refused {
                reason: "field is immutable".to_owned(),
                immutable: script.immutable,
            }
        } else {
            live.uid = format!("{id}-{}", live.attempts);
            live.state = Some(Sighted::Underway);
            let uid = live.uid.clone();
            self.later(self.now, Happening::Becomes(id.clone(), Sighted::Underway));
            let end = if script.fails {
                Sighted::Failed
            } else {
                Sighted::Current
            };
            if let Some(ready) = script.ready {
                let at = if script.seen_first { self.now } else { answered + ready };
                self.later(at, Happening::Becomes(id.clone(), end));
            }
            Answer::Written {
                action: Action::Created,
                uid,
                generation: 1,
                warnings: Vec::new(),
            }
        };
        self.later(answered, Happening::Input(Input::Answered(step, answer)));
    }

    fn delete(&mut self, step: NodeIndex) {
        self.in_flight += 1;
        let id = &self.world.plan.steps[step.0 as usize].id;
        let live = self.live.entry(id.clone()).or_default();
        // The first answer says that it is still there.
        let answer = match std::mem::replace(&mut live.deleted, true) {
            true => Answer::Gone,
            false => Answer::Retry {
                reason: "it is being deleted".to_owned(),
                after: None,
            },
        };
        self.run.deleted.push(id.clone());
        self.later(
            self.now + Duration::from_millis(10),
            Happening::Input(Input::Answered(step, answer)),
        );
    }

    fn watch(&mut self, target: &Target) {
        assert!(
            self.watched.insert(target.kind.clone()),
            "{} is watched twice",
            target.kind
        );
        let there: Vec<_> = self
            .live
            .iter()
            .filter(|(id, _)| id.group_kind() == target.kind)
            .collect();
        let first: Vec<_> = there
            .into_iter()
            .filter_map(|(id, live)| Some((id.clone(), sighting(live.uid.clone(), live.state?))))
            .collect();
        for (id, seen) in first {
            self.later(self.now, Happening::Input(Input::Observed(id, seen)));
        }
    }

    fn discover(&mut self) {
        self.run.discoveries += 1;
        let now = self.now;
        let by_time = self
            .world
            .served
            .iter()
            .filter(|(_, from)| **from <= now)
            .map(|(kind, _)| kind);
        let kinds = by_time.chain(&self.served).map(|kind| {
            let served = ServedKind {
                kind: kind.clone(),
                plural: kind.kind.to_lowercase(),
                scope: Scope::Cluster,
                versions: vec!["v1".to_owned()],
                watchable: true,
            };
            (kind.clone(), served)
        });
        let kinds = ServedKinds(kinds.collect());
        self.later(
            now + Duration::from_millis(5),
            Happening::Input(Input::Discovered(Ok(kinds))),
        );
    }
}

fn sighting(uid: String, state: Sighted) -> Sighting {
    Sighting {
        uid,
        generation: 1,
        state,
        message: format!("it is {state:?}"),
    }
}
