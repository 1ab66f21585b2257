//! What the target serves, has and allows, as a value.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{GroupKind, LiveUnit, ObjectId};

/// Version of a Kubernetes server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubeVersion {
    /// 1.
    pub major: u32,
    /// 37 for v1.37.2.
    pub minor: u32,
}

impl std::fmt::Display for KubeVersion {
    /// `1.37`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for KubeVersion {
    type Err = String;

    /// Reads `1.37`, `v1.37.2`, `v1.33.4-gke.100`, `1.29+`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let mut number = || {
            let part = parts.next()?;
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse().ok()
        };
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(format!("{text:?} is no Kubernetes version such as 1.37")),
        }
    }
}

/// Whether objects of a kind live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// Cluster-scoped.
    Cluster,
}

/// A kind that the target serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedKind {
    /// Group and kind.
    pub kind: GroupKind,
    /// Plural resource name, as in URLs.
    pub plural: String,
    /// Scope.
    pub scope: Scope,
    /// Versions served, the server's preferred one first.
    pub versions: Vec<String>,
    /// Has list and watch.
    pub watchable: bool,
}

/// All kinds that the target serves, by group and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedKinds(pub BTreeMap<GroupKind, ServedKind>);

impl ServedKinds {
    /// The kind, if served.
    pub fn get(&self, kind: &GroupKind) -> Option<&ServedKind> {
        self.0.get(kind)
    }

    /// Whether this group and kind is served in this version.
    pub fn serves(&self, kind: &GroupKind, version: &str) -> bool {
        self.get(kind)
            .is_some_and(|served| served.versions.iter().any(|v| v == version))
    }
}

/// A live object, as far as planning needs it; from metadata only, annotations and data are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingObject {
    /// Server-given uid.
    pub uid: String,
    /// Resource version at the time of listing.
    pub resource_version: String,
    /// Being deleted.
    pub terminating: bool,
    /// Field managers other than the declared writer, sorted.
    pub managers: BTreeSet<String>,
    /// Its replicas now, where they were set through the scale subresource: by an autoscaler, by `kubectl scale`.
    pub replicas: Option<i64>,
    /// It ran as a hook and failed, and its delete policy has it deleted before it runs again.
    pub failed: bool,
    /// What a dry-run apply says would happen; `None` where it was not tried or could not be.
    pub change: Option<ExistingChange>,
}

/// What applying the declared manifest to an existing object would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExistingChange {
    /// Nothing.
    None,
    /// These fields would change (paths such as `.spec.replicas`; never values).
    Fields(Vec<String>),
    /// These fields belong to other managers and would be taken from them: (manager, field path).
    Overrides(Vec<(String, String)>),
    /// The server refuses the change; the message says why (an immutable field, …).
    Refused(String),
}

/// The cluster that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Context name in the kubeconfig.
    pub name: String,
    /// Cluster name in the kubeconfig: what the operator types to confirm.
    pub cluster: String,
    /// API server address.
    pub server: String,
    /// Default namespace of the context.
    pub namespace: String,
    /// Number of nodes; `None` where they cannot be listed.
    pub nodes: Option<usize>,
}

/// What an earlier restore noted in the cluster (annotations of the Lease `kube-system/refloat`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRecord {
    /// Repository location, without credentials.
    pub repository: String,
    /// Entry paths, joined by a comma.
    pub entry: String,
    /// Commit id, or "" for a plain directory.
    pub revision: String,
    /// The commit that was restored before that one, from the same place; "" where there is none.
    pub before: String,
}

impl RestoreRecord {
    /// Whether another record is of the same restore: of the same place at the same commit.
    pub fn same_restore(&self, other: &Self) -> bool {
        self.same_place(other) && self.revision == other.revision
    }

    /// Whether another record is of the same place in the same repository.
    pub fn same_place(&self, other: &Self) -> bool {
        self.repository == other.repository && self.entry == other.entry
    }
}

/// A permission that is lacking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// `create`, `patch`, `escalate`, `bind`, …
    pub verb: String,
    /// Group and kind it is asked for.
    pub kind: GroupKind,
    /// Namespace, or `None` for all.
    pub namespace: Option<String>,
}

/// Something about the target that could not be found out, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FactGap {
    /// What was asked: "API group metrics.k8s.io/v1beta1", "list secrets".
    pub what: String,
    /// Why there is no answer.
    pub reason: String,
}

/// What the target serves, has and allows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The cluster asked; `None` when planning without one.
    pub context: Option<Context>,
    /// Server version.
    pub version: KubeVersion,
    /// Kinds served.
    pub kinds: ServedKinds,
    /// Those of the declared objects that exist.
    pub existing: BTreeMap<ObjectId, ExistingObject>,
    /// Objects that exist and are referred to but not declared: Secrets, ConfigMaps, ServiceAccounts, StorageClasses, … (names only).
    pub present: BTreeSet<ObjectId>,
    /// Objects beyond what a new cluster makes itself and that are not declared (a sample of at most 20).
    pub foreign: Vec<ObjectId>,
    /// What engines sync, sorted: units of whatever repository until the command narrows them down to those that it restores.
    pub engines: Vec<LiveUnit>,
    /// What an earlier restore noted.
    pub record: Option<RestoreRecord>,
    /// Records of releases that the target has and whose engine does not know them, with the status by which it would: that of a record
    /// which is the one that is to be made, whoever made it. `None`: it is another one.
    pub recorded: BTreeMap<ObjectId, Option<Value>>,
    /// Releases, by the record of their first revision, of which the target has one that Helm calls deployed: their hooks ran. Looked up
    /// only for releases of which hooks are not there.
    pub deployed: BTreeSet<ObjectId>,
    /// What an earlier run of the same restore saw done and that is not to be done again: Jobs, hooks that were deleted since.
    pub ran: BTreeSet<ObjectId>,
    /// Flux HelmCharts that were changed since they were made.
    pub changed_charts: BTreeSet<ObjectId>,
    /// Permissions that are lacking, sorted.
    pub denied: Vec<Denied>,
    /// What could not be found out, sorted.
    pub gaps: Vec<FactGap>,
}

impl Facts {
    /// What is known of a cluster that nobody asked: these kinds, nothing in it, everything allowed.
    pub fn of_a_new_cluster(version: KubeVersion, kinds: ServedKinds) -> Self {
        Self {
            context: None,
            version,
            kinds,
            existing: BTreeMap::new(),
            present: BTreeSet::new(),
            foreign: Vec::new(),
            engines: Vec::new(),
            record: None,
            recorded: BTreeMap::new(),
            deployed: BTreeSet::new(),
            ran: BTreeSet::new(),
            changed_charts: BTreeSet::new(),
            denied: Vec::new(),
            gaps: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_spelling() {
        for text in ["1.37", "v1.37.2", "v1.37.4-gke.100", "1.37+"] {
            assert_eq!(text.parse(), Ok(KubeVersion { major: 1, minor: 37 }), "{text}");
        }
        assert!("latest".parse::<KubeVersion>().is_err());
    }
}
