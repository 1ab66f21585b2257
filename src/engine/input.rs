//! What the machine is told and what it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::flow::Flow;
use crate::event::Event;
use crate::object::{Action, GroupKind, ObjectId, ServedKinds};
use crate::plan::{NodeIndex, Target};

/// What the operator chose for a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most requests in flight (`--concurrency`).
    pub concurrency: usize,
    /// Whether the number in flight adapts to the server; otherwise it is always `concurrency`.
    pub adapts: bool,
    /// How long an object may take to be accepted, and from then on to be ready (`--timeout`).
    pub timeout: Duration,
    /// How long soft edges delay a step once its hard ones are met (`--soft-wait`).
    pub soft_wait: Duration,
    /// How long after the last workload or CRD became ready a kind may take to be served.
    pub served_wait: Duration,
    /// Unknown and duplicate fields are refused by the server instead of warned of (`--strict`).
    pub strict: bool,
    /// Resource versions that objects are known to have, to tell "unchanged" from "configured".
    pub known: BTreeMap<ObjectId, String>,
    /// Objects of which a dry run said that nothing would change: a new resource version is somebody's change of their status, or
    /// the server's own book-keeping.
    pub as_declared: BTreeSet<ObjectId>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 64,
            adapts: true,
            timeout: Duration::from_secs(600),
            soft_wait: Duration::from_secs(60),
            served_wait: Duration::from_secs(10),
            strict: false,
            known: BTreeMap::new(),
            as_declared: BTreeSet::new(),
        }
    }
}

impl Options {
    pub(super) fn flow(&self) -> Flow {
        if self.adapts {
            Flow::new(self.concurrency)
        } else {
            Flow::fixed(self.concurrency)
        }
    }
}

/// An object as it was seen in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Server-given uid.
    pub uid: String,
    /// `metadata.generation`, 0 where the kind has none.
    pub generation: i64,
    /// How far it is by its kind's contract.
    pub state: Sighted,
    /// What its status says, for people; one line.
    pub message: String,
}

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighted {
    /// Ready.
    Current,
    /// On its way (also: nothing known yet, being deleted).
    Underway,
    /// Its status says that it failed.
    Failed,
}

/// How the server answered a write or a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is in the cluster as declared (or left as it is, being generated).
    Written {
        /// `Created`, `Configured`, `Unchanged` or `Skipped(Generated)`.
        action: Action,
        /// Its uid: another one means another object of the same name.
        uid: String,
        /// `metadata.generation` after the write, 0 where the kind has none.
        generation: i64,
        /// The server's warnings.
        warnings: Vec<String>,
    },
    /// Likewise, but an engine's object stays suspended; the text says why.
    Held(Box<Self>, String),
    /// A deletion: it is not there any more.
    Gone,
    /// A deletion for good was accepted, and the object is on its way out.
    Leaving(String),
    /// The server will not have it, however often it is sent.
    Refused {
        /// In the server's words.
        reason: String,
        /// A field of the existing object cannot be changed.
        immutable: bool,
    },
    /// It may go through later.
    Retry {
        /// In the server's words.
        reason: String,
        /// The server's Retry-After: it has too much to do, so that fewer are sent at once.
        after: Option<Duration>,
    },
}

/// What the machine is told.
#[derive(Debug, Clone)]
pub enum Input {
    /// Once, first.
    Started,
    /// The answer to [`Command::Send`] or [`Command::Delete`].
    Answered(NodeIndex, Answer),
    /// A watch saw an object (of a watched kind; it need not be in the plan).
    Observed(ObjectId, Sighting),
    /// A watch saw that the object with this uid is gone.
    Gone(ObjectId, String),
    /// A kind cannot be watched (no permission, no such verb); the text says why. Comes once and for all.
    Unwatchable(GroupKind, String),
    /// The answer to [`Command::Discover`]; the error says why there is none.
    Discovered(Result<ServedKinds, String>),
    /// The time of [`Command::WakeAt`] has come.
    Tick,
    /// Ctrl-C. The second time stops at once.
    Interrupted,
    /// Nothing may be written any more, and why (the Lease was lost).
    Stopped(String),
}

/// As what an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As it is declared.
    AsDeclared,
    /// Suspended, and marked so: of the unit that it stands for something is missing.
    Suspended,
    /// With the status by which its engine knows the unit for its own.
    WithStatus,
}

/// What the machine asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Write a step; how to reach it is in [`Machine::target`](super::Machine::target).
    Send {
        /// The step.
        step: NodeIndex,
        /// From 1.
        attempt: u32,
        /// As what.
        how: How,
    },
    /// Delete the object of a step. [`Answer::Gone`] once it is not there any more; while it is, [`Answer::Retry`] if it is to be made
    /// anew, [`Answer::Leaving`] else.
    Delete {
        /// The step.
        step: NodeIndex,
        /// Only the object with this uid; whichever is there, if it is not known.
        uid: Option<String>,
        /// It is not to be made anew.
        for_good: bool,
        /// Leave what belongs to it (the pods of a StatefulSet).
        orphan: bool,
    },
    /// Watch a kind in all namespaces until the end. Comes once for each kind.
    Watch(Target),
    /// Ask what the server serves. One at a time.
    Discover,
    /// Send [`Input::Tick`] at this time from the start; replaces an earlier one.
    WakeAt(Duration),
    /// Tell people.
    Emit(Event),
    /// All is settled; nothing follows.
    Finish,
}
