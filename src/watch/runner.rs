//! The world around the machine: watches, requests, the clock.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;

use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::input::{Answer, Command, Input, Message, Question, Start, Watched};
use super::machine::Machine;
use super::tail::Tail;
use crate::audit::Finding;
use crate::cluster::{Cluster, CompareOptions, Endpoint, Sighted, WatchEvent};
use crate::object::{FactGap, ObjectId};

/// Sightings that may wait to be read; the watches wait beyond that.
const BACKLOG: usize = 1024;
/// Kinds that are listed at a time.
const LISTS: usize = 8;

/// What a watching audit is told beside the audit that it goes on from.
#[derive(Debug)]
pub struct Options {
    /// How declared objects are compared.
    pub compare: CompareOptions,
    /// Where the repository is asked.
    pub repository: Inquiry,
    /// The repository never moves: it is only asked what it declares when other kinds are served.
    pub is_fixed: bool,
    /// Audit logs that are followed.
    pub tails: Vec<Tail>,
}

/// Where the repository is asked, and where it answers: each question once, after any number of [`Answer::Moved`].
#[derive(Debug)]
pub struct Inquiry {
    /// Questions, one at a time.
    pub questions: mpsc::Sender<Question>,
    /// Answers.
    pub answers: mpsc::Receiver<Answer>,
}

/// How things stood when the watching was ended.
#[derive(Debug)]
pub struct Ended {
    /// Findings that were told and are still so.
    pub open: Vec<Finding>,
    /// What is not known, sorted.
    pub gaps: Vec<FactGap>,
}

/// Tells what is done to a cluster from an audit on, until `stop` comes to its end. `tell` is called in between and must not block for
/// long. Must be called within a tokio runtime of several threads.
pub async fn run(
    cluster: &Cluster,
    start: Start,
    options: Options,
    stop: impl Future<Output = ()>,
    mut tell: impl FnMut(Message),
) -> Ended {
    let mut stop = std::pin::pin!(stop);
    let Options {
        compare,
        mut repository,
        is_fixed,
        mut tails,
    } = options;
    let mut machine = Machine::new(start, is_fixed);
    let mut world = World::new(cluster, compare);
    let mut input = Input::Tick;
    loop {
        let now = world.began.elapsed();
        // Before all is judged, so that it can tell who did it.
        if machine.wake().is_some_and(|at| at <= now) {
            for tail in &mut tails {
                machine.log(&tail.name(), tail.lines());
            }
        }
        let commands = machine.on(input, now);
        machine.took(world.began.elapsed() - now);
        for command in commands {
            match command {
                Command::Tell(message) => tell(message),
                Command::Ask { anew } => {
                    let kinds = machine.kinds().clone();
                    // One question is open at a time, and there is room for one.
                    let _ = repository.questions.try_send(Question { kinds, anew });
                }
                other => world.obey(other, &machine),
            }
        }
        let wake = machine.wake().map(|at| world.began + at);
        input = tokio::select! {
            () = &mut stop => break,
            Some(input) = world.heard.recv() => input,
            Some(input) = world.requests.next() => input,
            Some(answer) = repository.answers.recv() => Input::Repository(answer),
            () = tokio::time::sleep_until(wake.unwrap_or(world.began)), if wake.is_some() => Input::Tick,
        };
    }
    let (told, gaps) = machine.end();
    Ended {
        open: told.open().cloned().collect(),
        gaps,
    }
}

/// Everything outside of the machine.
struct World<'c> {
    cluster: &'c Cluster,
    compare: CompareOptions,
    began: Instant,
    lists: Arc<Semaphore>,
    watches: HashMap<Watched, AbortHandle>,
    /// What the watches tell; they end with the run.
    listeners: JoinSet<()>,
    tells: mpsc::Sender<Input>,
    heard: mpsc::Receiver<Input>,
    /// Comparisons and discovery.
    requests: FuturesUnordered<LocalBoxFuture<'c, Input>>,
}

impl<'c> World<'c> {
    fn new(cluster: &'c Cluster, compare: CompareOptions) -> Self {
        let (tells, heard) = mpsc::channel(BACKLOG);
        Self {
            cluster,
            compare,
            began: Instant::now(),
            lists: Arc::new(Semaphore::new(LISTS)),
            watches: HashMap::new(),
            listeners: JoinSet::new(),
            tells,
            heard,
            requests: FuturesUnordered::new(),
        }
    }

    fn obey(&mut self, command: Command, machine: &Machine) {
        match command {
            Command::Watch(at, namespace) => self.watch(&at, namespace, machine),
            Command::Unwatch(watched) => {
                if let Some(watch) = self.watches.remove(&watched) {
                    watch.abort();
                }
            }
            Command::Discover => {
                let cluster = self.cluster;
                let asked = async move {
                    let found = cluster.listable().await;
                    Input::Discovered(found.map_err(|failure| failure.in_one_line()))
                };
                self.requests.push(asked.boxed_local());
            }
            Command::Compare(ids) => self.compare(ids, machine),
            Command::Units(ids) => {
                let (cluster, kinds) = (self.cluster, machine.kinds().clone());
                let asked = async move {
                    let (units, gaps) = cluster.get_all(&kinds, ids).await;
                    Input::Units(units, gaps)
                };
                self.requests.push(asked.boxed_local());
            }
            Command::Ask { .. } | Command::Tell(_) => {}
        }
    }

    fn watch(&mut self, at: &Endpoint, namespace: Option<String>, machine: &Machine) {
        let known = machine.known(&at.kind, namespace.as_deref());
        let mut watching = self.cluster.watch_live(at, namespace.as_deref(), known, &self.lists);
        let watched: Watched = (at.kind.clone(), namespace);
        let (tells, of) = (self.tells.clone(), watched.clone());
        // The listener ends when the machine's end of the channel is gone.
        let listener = self.listeners.spawn(async move {
            while let Some(event) = watching.next().await {
                if tells.send(heard(event, &of)).await.is_err() {
                    return;
                }
            }
        });
        self.watches.insert(watched, listener);
    }

    fn compare(&mut self, ids: BTreeSet<ObjectId>, machine: &Machine) {
        let (cluster, options) = (self.cluster, self.compare);
        let (set, kinds) = (machine.set(), machine.kinds().clone());
        let asked = async move {
            let wanted = |id: &ObjectId| ids.contains(id);
            let compared = cluster.compare(&set, &kinds, None, &wanted, options).await;
            Input::Compared(ids, compared)
        };
        self.requests.push(asked.boxed_local());
    }
}

fn heard(event: WatchEvent<Sighted>, of: &Watched) -> Input {
    match event {
        WatchEvent::Observed(sighted) => Input::Sighted(Box::new(sighted)),
        WatchEvent::Listed => Input::Listed(of.clone()),
        WatchEvent::Interrupted(reason) => Input::Interrupted(of.clone(), reason),
        WatchEvent::Resumed => Input::Resumed(of.clone()),
        WatchEvent::Refused(reason) => Input::Refused(of.clone(), reason),
    }
}
