//! The plan as a value.

use std::collections::{BTreeMap, BTreeSet};

use super::modes::Mode;
use crate::object::builtin::builtin;
use crate::object::{
    Action, GroupKind, HealthCheck, Hook, Manifest, ObjectId, Place, Problem, Provenance, Scope, UnitIndex, Writer,
};

/// A node of the graph: steps come first (`0..steps.len()`), then gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex(pub u32);

/// Until what the waited-for node must have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Until {
    /// It is done, failed or skipped: only the order matters.
    Settled,
    /// It is in the cluster.
    Exists,
    /// It is ready by its kind's contract.
    Ready,
}

/// How much an edge holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strength {
    /// Kubernetes heals it by itself: delays at most the soft wait, not at all once the other failed.
    Soft,
    /// The server enforces it: when the other fails, this one is skipped.
    Hard,
    /// A person wrote it: as hard, and never cut to break a cycle.
    Written,
}

/// Why an edge is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reason {
    /// Name of the row in the edge table: `namespace`, `crd`, `service-account`, …
    pub rule: &'static str,
    /// For people, after "because": "it lives in that namespace".
    pub text: String,
}

/// `from` waits for `to`, until …, because …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who waits.
    pub from: NodeIndex,
    /// For whom.
    pub to: NodeIndex,
    /// Until what.
    pub until: Until,
    /// How much it holds.
    pub strength: Strength,
    /// Why.
    pub reason: Reason,
}

/// A node that stands for a whole group of steps being ready, so that "all of A before all of B" costs n + m edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// For people: "chart charts/shop, pre-install hooks of weight -5".
    pub name: String,
}

/// How to reach an object's kind on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Group and kind.
    pub kind: GroupKind,
    /// Version to write in.
    pub version: String,
    /// Plural resource name.
    pub plural: String,
    /// Scope.
    pub scope: Scope,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepAction {
    /// Writes the manifest.
    Apply {
        /// The object, in the version of [`Step::target`], namespace filled in.
        manifest: Manifest,
        /// Who writes it.
        writer: Writer,
        /// It has generated values: create where absent, never overwrite.
        create_only: bool,
        /// On a refusal for an immutable field, delete and make it anew (`--recreate`).
        recreate: bool,
    },
    /// Someone else makes it (an operator's CRD, a Secret of an ExternalSecret); the text says who, for people.
    Await(String),
    /// It ran before, and is not run again.
    Done {
        /// How that is known, for people.
        why: String,
        /// The uid of its object, where that is still there.
        left: Option<String>,
    },
    /// Acts outside the cluster and is held back; the text says what it would do.
    HoldBack(String),
    /// Deletes it: it was declared before, and is no longer.
    Delete {
        /// What the object had when it was looked at. One of the same name with another uid stays.
        uid: String,
        /// The commit that declared it last, short, for people.
        revision: String,
    },
    /// Suspends an engine's object, or lifts that.
    Patch {
        /// Merged into it (RFC 7386); with its uid, so that another one of its name is refused.
        merge: serde_json::Value,
        /// What that does: [`Action::Suspended`] or [`Action::Resumed`].
        outcome: Action,
    },
}

/// What the delete policy of a hook asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// The uid of an object that ran before and failed: it is deleted first, and the hook runs again.
    pub before: Option<String>,
    /// Once it succeeded and this gate is passed, its object is deleted.
    pub succeeded: Option<NodeIndex>,
    /// Where it failed, its object is deleted.
    pub failed: bool,
}

/// One object to deal with.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which object.
    pub id: ObjectId,
    /// How to reach it; `None` while nothing serves its kind (looked up again when discovery is refreshed).
    pub target: Option<Target>,
    /// What to do.
    pub action: StepAction,
    /// Where it is declared; `None` for awaited objects.
    pub provenance: Option<Provenance>,
    /// Its unit.
    pub unit: Option<UnitIndex>,
    /// Set for Helm install hooks.
    pub hook: Option<Hook>,
    /// What becomes of its object, where it is a hook with a delete policy that asks for something.
    pub cleanup: Option<Cleanup>,
    /// Its kind has a status contract, so that it can be waited for.
    pub has_contract: bool,
}

/// What kind of remark preflight makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// The kind is not served and nothing declared brings it.
    NotServed,
    /// The API version is not served; it was rewritten, the meaning is kept.
    Migrated,
    /// The API version is not served and the meaning would change: the edit to make is shown.
    NeedsEdit,
    /// Named by an object, declared by nobody, not in the cluster.
    MissingReference,
    /// Read by an engine beside Git (a key, credentials of a source, values), declared by nobody, not in the cluster.
    EngineInput,
    /// A permission is lacking.
    Forbidden,
    /// Exists already and would change, or the server would refuse the change.
    WouldChange,
    /// Exists already, and fields that other managers own would be taken from them.
    WouldOverride,
    /// A nodePort is declared twice.
    NodePortTwice,
    /// Acts outside the cluster: held back, or (with the old cluster gone) let go.
    ActsOutside,
    /// An engine in the cluster would undo the restore.
    EngineUndoes,
    /// Was declared before, is no longer, and is deleted.
    Removed,
    /// Was declared before, is no longer, and is left all the same.
    Kept,
    /// What Git cannot bring back: volumes' content, generated Secrets.
    NotInGit,
    /// It is made only where absent: its values are generated anew at each rendering, or its engine does so.
    Generated,
    /// A ring of dependencies was cut at its weakest edge.
    CycleCut,
    /// Something of the target could not be found out.
    Gap,
}

/// One remark of preflight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Sort of remark.
    pub kind: NoteKind,
    /// Object concerned.
    pub object: Option<ObjectId>,
    /// Where it is declared.
    pub place: Option<Place>,
    /// Consequence first; one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// An edge that was weakened or dropped to break a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The ring, in waiting order, gates left out; the first one's edge to the second was cut.
    pub ring: Vec<ObjectId>,
    /// The edge as it was.
    pub edge: Edge,
    /// What remains of it; `None` if dropped. Always so for now: an edge holds an object back whatever it waits for, so nothing
    /// weaker breaks a ring.
    pub weakened_to: Option<Until>,
}

/// Everything that is going to be done, in which order, and why.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Steps, in tie-break order: of two that could start, the one with the lower index does.
    pub steps: Vec<Step>,
    /// Gates.
    pub gates: Vec<Gate>,
    /// Edges, sorted by `from`, `to`; at most one for each pair (the strongest, others' reasons dropped).
    pub edges: Vec<Edge>,
    /// Remarks of preflight, sorted by kind and object.
    pub notes: Vec<Note>,
    /// Everything wrong with the input.
    pub problems: Vec<Problem>,
    /// Rings that were cut.
    pub cuts: Vec<Cut>,
    /// What engines' own objects get as their status, by object.
    pub hand_over: BTreeMap<ObjectId, HandOver>,
    /// Engines' own objects that are written suspended whatever becomes of their units, and why.
    pub withheld: BTreeMap<ObjectId, String>,
    /// Objects of units of which nothing could be rendered, and why: what depends on them is skipped.
    pub not_rendered: BTreeMap<ObjectId, String>,
    /// By what objects are judged that their units judge in a way of their own.
    pub checks: BTreeMap<ObjectId, HealthCheck>,
}

/// What an engine's own object gets as its status, so that the engine knows what was restored for its own.
#[derive(Debug, Clone)]
pub struct HandOver {
    /// The record of the release: only where the restore made it, or found it as it would make it, is the status true.
    pub record: ObjectId,
    /// For generation 0.
    pub status: serde_json::Value,
}

impl Plan {
    /// The step of a node; `None` for gates.
    pub fn step(&self, node: NodeIndex) -> Option<&Step> {
        self.steps.get(node.0 as usize)
    }

    /// The gate of a node; `None` for steps.
    pub fn gate(&self, node: NodeIndex) -> Option<&Gate> {
        (node.0 as usize)
            .checked_sub(self.steps.len())
            .and_then(|index| self.gates.get(index))
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.steps.len() + self.gates.len()
    }

    /// The edges by which a node waits for others.
    pub fn waits_of(&self, node: NodeIndex) -> &[Edge] {
        let start = self.edges.partition_point(|edge| edge.from < node);
        let end = self.edges.partition_point(|edge| edge.from <= node);
        &self.edges[start..end]
    }
}

/// Which of the declared objects to deal with. Terms are `unit=PATH`, `namespace=NAME`, `kind=KIND[.group]`, `label=KEY[=VALUE]`
/// or `Kind/[namespace/]name`; a bare word is an object if it holds a `/`, else a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these (any term matches); empty: all.
    pub only: Vec<String>,
    /// None of these.
    pub except: Vec<String>,
    /// Do not pull in what the selected depend on.
    pub no_deps: bool,
    /// Terms that name something of an earlier revision: they need to name nothing of this one.
    pub known: BTreeSet<String>,
}

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Namespace of namespaced objects that name none.
    pub namespace: String,
    /// Which objects.
    pub selection: Selection,
    /// Namespaces to bring back first.
    pub first: Vec<String>,
    /// Rewrite API versions that are no longer served where the meaning is kept.
    pub migrate: bool,
    /// Delete and make anew what cannot be changed in place.
    pub recreate: bool,
    /// Who makes what units of engines declare.
    pub mode: Mode,
    /// Nothing else acts on the outside world any more: hold nothing back.
    pub old_cluster_is_gone: bool,
    /// Nowhere is noted what was done, so that a hook may be deleted only where its release tells that it ran.
    pub forgets: bool,
    /// In a drill: the custom kinds whose controllers are played. Of all others nothing comes, so nothing is waited for.
    /// `None` for a real cluster, where each declared kind may have its controller.
    pub played: Option<BTreeSet<GroupKind>>,
}

impl PlanOptions {
    /// Whether something acts on objects of this kind.
    pub fn is_played(&self, id: &ObjectId) -> bool {
        builtin(&id.group, &id.kind).is_some()
            || self
                .played
                .as_ref()
                .is_none_or(|played| played.contains(&id.group_kind()))
    }
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            selection: Selection::default(),
            first: Vec::new(),
            migrate: true,
            recreate: false,
            mode: Mode::Direct,
            old_cluster_is_gone: false,
            forgets: false,
            played: None,
        }
    }
}
