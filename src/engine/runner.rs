//! Runs the machine against a real cluster: requests, watches and the clock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use super::hand_over;
use super::input::{Answer, Command, How, Input, Options, Sighted, Sighting};
use super::machine::Machine;
use crate::cluster::write::{self, Effect};
use crate::cluster::{Cluster, Endpoint, Observed, WatchEvent};
use crate::error::{Failure, Kind};
use crate::event::{Event, Summary};
use crate::object::{Action, Assessment, Basis, Health, HealthCheck, ObjectId, SkipReason, assess};
use crate::plan::{NodeIndex, Plan, StepAction, Target};

/// Sightings that may wait to be read; the watches wait beyond that.
const BACKLOG: usize = 1024;

/// Walks a plan over a cluster to its end.
///
/// Each message of `interrupts` is a Ctrl-C: at the first one what is in flight is finished, at the second it is dropped.
/// `stop` comes to an end, with the reason, when nothing may be written any more (the Lease was lost). `events` is called in
/// between and must not block. What goes wrong with a step is in its outcome. Must be called within a tokio runtime; dropping
/// the future drops the requests in flight.
///
/// # Errors
/// Only for a bug in here.
pub async fn run(
    plan: Arc<Plan>,
    cluster: &Cluster,
    options: Options,
    mut interrupts: mpsc::Receiver<()>,
    stop: impl Future<Output = String>,
    events: impl FnMut(Event),
) -> Result<Summary, Failure> {
    let mut stop = std::pin::pin!(stop);
    let (mut may_interrupt, mut may_stop) = (true, true);
    let mut machine = Machine::new(&plan, options.clone());
    let mut world = World::new(cluster, &plan, options, events);
    let mut input = Input::Started;
    loop {
        for command in machine.on(input, world.began.elapsed()) {
            world.obey(command, &machine);
        }
        if world.finished {
            return world.summary.ok_or_else(lost);
        }
        let wake = world.wake;
        input = tokio::select! {
            interrupt = interrupts.recv(), if may_interrupt => {
                may_interrupt = interrupt.is_some();
                if may_interrupt { Input::Interrupted } else { Input::Tick }
            }
            reason = &mut stop, if may_stop => {
                may_stop = false;
                Input::Stopped(reason)
            }
            Some(answer) = world.requests.join_next_with_id() => world.answer(answer),
            Some(input) = world.heard.recv() => input,
            () = tokio::time::sleep_until(wake.unwrap_or(world.began)), if wake.is_some() => {
                world.wake = None;
                Input::Tick
            }
            else => return Err(lost()),
        };
    }
}

fn lost() -> Failure {
    Failure::new(Kind::Internal, "the restore stopped before its end")
        .because("the engine waits for nothing, and yet has steps left")
        .hint("run it again: what is in the cluster already stays as it is")
}

/// What a request came to; for deletions with the uid of the object that is to go.
type Reply = (NodeIndex, Answer, Option<String>);

/// Everything outside of the machine.
struct World<'c, E> {
    cluster: &'c Cluster,
    plan: Arc<Plan>,
    /// The ids of the plan: of all that a watch sees only these are told.
    ids: Arc<HashSet<ObjectId>>,
    options: Options,
    events: E,
    began: Instant,
    wake: Option<Instant>,
    requests: JoinSet<Reply>,
    /// Whose request a task is.
    steps: HashMap<Id, NodeIndex>,
    /// Uids of objects that are being deleted to be made anew.
    doomed: BTreeMap<NodeIndex, String>,
    /// Watches and discovery; they end with the run.
    listeners: JoinSet<()>,
    tells: mpsc::Sender<Input>,
    heard: mpsc::Receiver<Input>,
    summary: Option<Summary>,
    finished: bool,
}

impl<'c, E: FnMut(Event)> World<'c, E> {
    fn new(cluster: &'c Cluster, plan: &Arc<Plan>, options: Options, events: E) -> Self {
        let (tells, heard) = mpsc::channel(BACKLOG);
        Self {
            cluster,
            plan: Arc::clone(plan),
            ids: Arc::new(plan.steps.iter().map(|step| step.id.clone()).collect()),
            options,
            events,
            began: Instant::now(),
            wake: None,
            requests: JoinSet::new(),
            steps: HashMap::new(),
            doomed: BTreeMap::new(),
            listeners: JoinSet::new(),
            tells,
            heard,
            summary: None,
            finished: false,
        }
    }

    fn obey(&mut self, command: Command, machine: &Machine<'_>) {
        match command {
            Command::Send { step, how, .. } => self.send(step, machine.target(step), how),
            Command::Delete {
                step,
                uid,
                for_good,
                orphan,
            } => self.delete(step, machine.target(step), uid.map(|uid| (uid, for_good)), orphan),
            Command::Watch(target) => self.watch(&target),
            Command::Discover => self.discover(),
            Command::WakeAt(at) => self.wake = Some(self.began + at),
            Command::Emit(event) => {
                if let Event::Finished(summary) = &event {
                    self.summary = Some(summary.clone());
                }
                (self.events)(event);
            }
            Command::Finish => self.finished = true,
        }
    }

    fn send(&mut self, step: NodeIndex, target: Option<&Target>, how: How) {
        let (cluster, plan) = (self.cluster.clone(), Arc::clone(&self.plan));
        let known = plan
            .step(step)
            .and_then(|step| self.options.known.get(&step.id))
            .cloned();
        let (at, strict) = (target.map(endpoint), self.options.strict);
        let task = self.requests.spawn(async move {
            let answer = apply(&cluster, &plan, step, at.as_ref(), known.as_deref(), strict, how).await;
            (step, answer, None)
        });
        self.steps.insert(task.id(), step);
    }

    /// `known`: the uid of what is to go, and whether it is not to be made anew.
    fn delete(&mut self, step: NodeIndex, target: Option<&Target>, known: Option<(String, bool)>, orphan: bool) {
        let (cluster, plan) = (self.cluster.clone(), Arc::clone(&self.plan));
        let (at, doomed) = (target.map(endpoint), self.doomed.get(&step).cloned());
        let task = self.requests.spawn(async move {
            match (plan.step(step), at) {
                (Some(of), Some(at)) => match known {
                    Some((uid, true)) => {
                        let (answer, sent) = remove(&cluster, &at, &of.id, &uid, doomed.is_some()).await;
                        (step, answer, sent.then_some(uid))
                    }
                    known => {
                        let doomed = doomed.or(known.map(|(uid, _)| uid));
                        let (answer, uid) = delete(&cluster, &at, &of.id, doomed, orphan).await;
                        (step, answer, uid)
                    }
                },
                _ => (step, unreachable_step(), None),
            }
        });
        self.steps.insert(task.id(), step);
    }

    fn answer(&mut self, answer: Result<(Id, Reply), tokio::task::JoinError>) -> Input {
        match answer {
            Ok((id, (step, answer, uid))) => {
                self.steps.remove(&id);
                match uid {
                    Some(uid) => self.doomed.insert(step, uid),
                    None => self.doomed.remove(&step),
                };
                Input::Answered(step, answer)
            }
            Err(error) => match self.steps.remove(&error.id()) {
                Some(step) => Input::Answered(step, refused("its request ended by a bug in refloat")),
                None => Input::Tick,
            },
        }
    }

    fn watch(&mut self, target: &Target) {
        let mut watching = self.cluster.watch(&endpoint(target), None);
        let (tells, ids, kind) = (self.tells.clone(), Arc::clone(&self.ids), target.kind.clone());
        let plan = Arc::clone(&self.plan);
        self.listeners.spawn(async move {
            while let Some(event) = watching.next().await {
                let input = match event {
                    WatchEvent::Observed(observed) if ids.contains(&observed.id) => {
                        let check = plan.checks.get(&observed.id);
                        seen(observed, check)
                    }
                    WatchEvent::Refused(reason) => Input::Unwatchable(kind.clone(), reason),
                    // It goes on by itself.
                    WatchEvent::Observed(_) | WatchEvent::Listed | WatchEvent::Interrupted(_) | WatchEvent::Resumed => {
                        continue;
                    }
                };
                if tells.send(input).await.is_err() {
                    return;
                }
            }
        });
    }

    fn discover(&mut self) {
        let (tells, cluster) = (self.tells.clone(), self.cluster.clone());
        self.listeners.spawn(async move {
            let found = match cluster.discover().await {
                Ok((kinds, _)) => Ok(kinds),
                Err(failure) => Err(failure.causes.join(": ")),
            };
            // If nobody listens any more, the run is over.
            let _ = tells.send(Input::Discovered(found)).await;
        });
    }
}

fn endpoint(target: &Target) -> Endpoint {
    Endpoint::new(target.kind.clone(), &*target.version, &*target.plural, target.scope)
}

fn refused(reason: &str) -> Answer {
    Answer::Refused {
        reason: reason.to_owned(),
        immutable: false,
    }
}

fn unreachable_step() -> Answer {
    refused("a bug in refloat: a step was sent before its kind was served")
}

async fn apply(
    cluster: &Cluster,
    plan: &Plan,
    step: NodeIndex,
    at: Option<&Endpoint>,
    known: Option<&str>,
    strict: bool,
    how: How,
) -> Answer {
    let (Some(step), Some(at)) = (plan.step(step), at) else {
        return unreachable_step();
    };
    let (manifest, writer, create_only) = match &step.action {
        StepAction::Apply {
            manifest,
            writer,
            create_only,
            ..
        } => (manifest, writer, create_only),
        StepAction::Patch { merge, outcome } => return patch(cluster, at, &step.id, merge, outcome).await,
        _ => return unreachable_step(),
    };
    let ask = write::Apply {
        at,
        manifest,
        writer,
        force: true,
        create_only: *create_only,
        strict,
        known,
    };
    match how {
        How::AsDeclared => understood(write::apply(cluster, &ask).await, *create_only),
        How::Suspended => hand_over::suspended(cluster, &ask).await,
        How::WithStatus => match plan.hand_over.get(&step.id) {
            Some(hand_over) => hand_over::with_status(cluster, &ask, &hand_over.status).await,
            None => unreachable_step(),
        },
    }
}

/// Merges a patch into an object. What is gone needs none.
async fn patch(cluster: &Cluster, at: &Endpoint, id: &ObjectId, merge: &Value, outcome: &Action) -> Answer {
    let namespace = id.namespace.as_deref();
    let written = |action: Action, uid: String, generation: i64, warnings: Vec<String>| Answer::Written {
        action,
        uid,
        generation,
        warnings,
    };
    match write::patch_merge(cluster, at, namespace, &id.name, "refloat", merge).await {
        write::Answer::Done(done) => written(outcome.clone(), done.uid, done.generation, done.warnings),
        write::Answer::Gone => written(Action::Unchanged, String::new(), 0, Vec::new()),
        write::Answer::Retry { reason, after } => Answer::Retry { reason, after },
        write::Answer::Refused { reason, .. } => refused(&reason),
    }
}

/// What an answer to an apply means to the machine.
pub(super) fn understood(answer: write::Answer, create_only: bool) -> Answer {
    match answer {
        write::Answer::Done(written) => Answer::Written {
            action: match written.effect {
                Effect::Created => Action::Created,
                Effect::Unchanged if create_only => Action::Skipped(SkipReason::Generated),
                Effect::Unchanged => Action::Unchanged,
                Effect::Configured | Effect::Deleted => Action::Configured,
            },
            uid: written.uid,
            generation: written.generation,
            warnings: written.warnings,
        },
        write::Answer::Retry { reason, after } => Answer::Retry { reason, after },
        write::Answer::Refused { reason, immutable } => Answer::Refused { reason, immutable },
        write::Answer::Gone => Answer::Retry {
            reason: "it was deleted a moment ago".to_owned(),
            after: None,
        },
    }
}

/// Deletes the object that was there first, and says whether it is gone. The uid is the one that is to go: what was made
/// under the same name meanwhile stays.
async fn delete(
    cluster: &Cluster,
    at: &Endpoint,
    id: &ObjectId,
    doomed: Option<String>,
    orphan: bool,
) -> (Answer, Option<String>) {
    let namespace = id.namespace.as_deref();
    let live = match cluster.get(at, namespace, &id.name).await {
        Ok(Some(live)) => live,
        Ok(None) => return (Answer::Gone, None),
        Err(error) if error.code == 403 => return (refused(&error.reason), None),
        Err(error) => return (later(error.reason), doomed),
    };
    let uid = live.pointer("/metadata/uid").and_then(|uid| uid.as_str());
    let uid = uid.unwrap_or_default().to_owned();
    if doomed.is_some_and(|doomed| doomed != uid) {
        return (Answer::Gone, None);
    }
    let judged = assess(&live);
    if judged.health == Health::Terminating {
        return (later(judged.message), Some(uid));
    }
    let answer = match write::delete(cluster, at, namespace, &id.name, &uid, orphan).await {
        write::Answer::Gone => return (Answer::Gone, None),
        write::Answer::Done(_) => later("is being deleted".to_owned()),
        write::Answer::Retry { reason, after } => Answer::Retry { reason, after },
        write::Answer::Refused { reason, .. } => return (refused(&reason), None),
    };
    (answer, Some(uid))
}

/// Deletes an object for good if it still is the one with this uid. `sent`: a deletion was taken before. Also whether one was taken
/// by now.
async fn remove(cluster: &Cluster, at: &Endpoint, id: &ObjectId, uid: &str, sent: bool) -> (Answer, bool) {
    let namespace = id.namespace.as_deref();
    let live = match cluster.get(at, namespace, &id.name).await {
        Ok(Some(live)) => live,
        Ok(None) => return (Answer::Gone, sent),
        Err(error) if error.code == 403 => return (refused(&error.reason), sent),
        Err(error) => return (later(error.reason), sent),
    };
    if live.pointer("/metadata/uid").and_then(|uid| uid.as_str()) != Some(uid) {
        let answer = match sent {
            true => Answer::Gone,
            false => refused("it was left: another object has its name now, which came after it was looked at"),
        };
        return (answer, sent);
    }
    let judged = assess(&live);
    if judged.health == Health::Terminating {
        return (Answer::Leaving(judged.message), true);
    }
    match write::delete(cluster, at, namespace, &id.name, uid, false).await {
        // Gone, or another one by now: the next look tells.
        write::Answer::Gone => (later("it changed a moment ago".to_owned()), sent),
        write::Answer::Done(_) => (Answer::Leaving("it is being deleted".to_owned()), true),
        write::Answer::Retry { reason, after } => (Answer::Retry { reason, after }, sent),
        write::Answer::Refused { reason, .. } => (refused(&reason), sent),
    }
}

fn later(reason: String) -> Answer {
    Answer::Retry { reason, after: None }
}

fn seen(observed: Observed, check: Option<&HealthCheck>) -> Input {
    let Observed {
        id,
        uid,
        generation,
        value,
        ..
    } = observed;
    let Some(value) = value else {
        return Input::Gone(id, uid);
    };
    let (state, message) = judged(match check {
        Some(check) => check.assess(&value),
        None => assess(&value),
    });
    let sighting = Sighting {
        uid,
        generation,
        state,
        message,
    };
    Input::Observed(id, sighting)
}

/// Only kinds with a contract are asked how they are: one that says nothing yet has not been looked at by its controller.
fn judged(assessment: Assessment) -> (Sighted, String) {
    match (assessment.health, assessment.basis) {
        (_, Basis::NoContract) => (Sighted::Underway, "has no status yet".to_owned()),
        (Health::Current, _) => (Sighted::Current, assessment.message),
        (Health::Failed, _) => (Sighted::Failed, assessment.message),
        _ => (Sighted::Underway, assessment.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_has_no_status_is_not_ready() {
        let certificate = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "x"}});
        assert_eq!(
            judged(assess(&certificate)),
            (Sighted::Underway, "has no status yet".to_owned())
        );
    }

    #[test]
    fn what_is_generated_and_there_is_left() {
        let written = |effect| {
            write::Answer::Done(write::Written {
                uid: "1".to_owned(),
                generation: 0,
                resource_version: "7".to_owned(),
                effect,
                warnings: Vec::new(),
            })
        };
        for (effect, create_only, expected) in [
            (Effect::Created, true, Action::Created),
            (Effect::Unchanged, true, Action::Skipped(SkipReason::Generated)),
            (Effect::Unchanged, false, Action::Unchanged),
            (Effect::Configured, false, Action::Configured),
        ] {
            let Answer::Written { action, .. } = understood(written(effect), create_only) else {
                panic!("it is written");
            };
            assert_eq!(action, expected);
        }
    }
}
