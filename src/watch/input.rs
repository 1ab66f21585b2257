//! What happens, what is to be done about it, and what is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::audit::{Divergence, Findings, Ignore, Log, Reach};
use crate::cluster::{Compared, Endpoint, Listable, Sighted};
use crate::object::{Comparison, DeclaredSet, FactGap, GroupKind, LiveSet, ObjectId, PastSet, Repository, ServedKinds};

/// What a cluster is compared with.
#[derive(Debug, Clone)]
pub struct Basis {
    /// What the repository declares, resolved for the kinds that are served.
    pub set: Arc<DeclaredSet>,
    /// What it ever declared.
    pub past: PastSet,
    /// What reports leave out.
    pub ignore: Ignore,
}

/// The audit that the watching goes on from.
#[derive(Debug)]
pub struct Start {
    /// What it compared with.
    pub basis: Basis,
    /// The units that were read to know what they leave alone.
    pub units: BTreeMap<ObjectId, Value>,
    /// What was live.
    pub live: LiveSet,
    /// How what is declared differed.
    pub comparisons: BTreeMap<ObjectId, Comparison>,
    /// What was found.
    pub findings: Findings,
    /// Kinds that were served.
    pub kinds: ServedKinds,
    /// The audit log of the API server, as far as it was read.
    pub log: Option<Log>,
    /// The version that the server tells, with what distributions put behind it.
    pub release: String,
    /// How the cluster is reached, for the commands that put findings right.
    pub reach: Reach,
}

/// What the repository is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Kinds that are served now.
    pub kinds: ServedKinds,
    /// It is to be read again even if it did not move: other kinds are served.
    pub anew: bool,
}

/// What the repository answers.
#[derive(Debug)]
pub enum Answer {
    /// Nothing new.
    Unchanged,
    /// It moved, and is being read; another answer follows.
    Moved,
    /// What it declares now.
    Read(Box<Basis>),
    /// It could not be asked or read: why.
    Unread(String),
}

/// What is worth telling.
#[derive(Debug, Clone)]
pub enum Message {
    /// From now on changes are told at once: so many kinds are watched.
    Watching(usize),
    /// What came, changed or went, all at once.
    Diverged(Vec<Divergence>),
    /// This commit is compared with from now on.
    Revision(Repository),
    /// What cannot be watched or compared any more, once.
    Gap(FactGap),
    /// Worth saying, not wrong.
    Said(String),
    /// Worth a look.
    Warned(String),
}

/// A watch: of a kind, in one namespace or in all.
pub(super) type Watched = (GroupKind, Option<String>);

/// What happens to the machine.
#[derive(Debug)]
pub(super) enum Input {
    Sighted(Box<Sighted>),
    Listed(Watched),
    Interrupted(Watched, String),
    Resumed(Watched),
    Refused(Watched, String),
    /// What can be listed, or why that is not known.
    Discovered(Result<Listable, String>),
    /// What came of comparing these.
    Compared(BTreeSet<ObjectId>, Compared),
    /// What came of reading units.
    Units(BTreeMap<ObjectId, Value>, Vec<FactGap>),
    Repository(Answer),
    /// The clock.
    Tick,
}

/// What the machine wants done.
#[derive(Debug)]
pub(super) enum Command {
    Watch(Endpoint, Option<String>),
    Unwatch(Watched),
    Discover,
    Compare(BTreeSet<ObjectId>),
    /// Read these units whole.
    Units(BTreeSet<ObjectId>),
    Ask {
        anew: bool,
    },
    Tell(Message),
}
