//! What is in the cluster now.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FactGap, GroupKind, ObjectId};

/// Every object that could be read, and what could not.
#[derive(Debug, Clone, Default)]
pub struct LiveSet {
    /// By identity. An object that several groups serve (Events, Ingresses) is here once, under the group that the server prefers.
    pub objects: BTreeMap<ObjectId, LiveObject>,
    /// Kinds that were listed whole.
    pub listed: Vec<GroupKind>,
    /// What could not be read, with the reason; sorted.
    pub gaps: Vec<FactGap>,
}

/// A live object, from its metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveObject {
    /// Server-given uid.
    pub uid: String,
    /// Resource version when it was read.
    pub resource_version: String,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: String,
    /// Being deleted.
    pub terminating: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations, without `kubectl.kubernetes.io/last-applied-configuration`, which may carry Secret values.
    pub annotations: BTreeMap<String, String>,
    /// Whether that annotation is there: somebody used `kubectl apply` or a tool that does the same.
    pub last_applied: bool,
    /// Owners, as written.
    pub owners: Vec<Owner>,
    /// Who wrote it, in the server's order; empty where the server does not tell.
    pub managers: Vec<Manager>,
    /// Type of a Secret (`helm.sh/release.v1`, …); empty for other kinds and where it was not read.
    pub secret_type: String,
}

/// An owner reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Group and kind.
    pub kind: GroupKind,
    /// Name; of the same namespace, or cluster-scoped.
    pub name: String,
    /// Uid it had.
    pub uid: String,
    /// Whether it is the managing controller.
    pub controller: bool,
}

/// An entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// Field manager: the name that the tool gave, or what the server made of its user agent.
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// `status`, `scale`, or empty.
    pub subresource: String,
    /// When it last wrote, RFC 3339; empty where not told.
    pub time: String,
    /// The fields (`fieldsV1`), where they were read: only of declared objects and findings. Never values.
    pub fields: Option<Value>,
}

/// How a declared object that exists differs from what is declared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Fields, sorted by path.
    pub fields: Vec<FieldDrift>,
    /// How it was found out.
    pub method: Method,
    /// The object with its managers' fields.
    pub live: LiveObject,
}

/// How the comparison was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// By the server: dry-run apply, and dry-run replace for what was added.
    DryRun,
    /// Offline, because of this (asked for with `--no-dry-run`, not allowed, refused by a webhook).
    Offline(String),
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDrift {
    /// `.spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// What happened to it.
    pub change: FieldChange,
    /// Declared value; `None` for an added field, and for values that must not be shown.
    pub declared: Option<Value>,
    /// Live value; `None` for a removed field, and for values that must not be shown.
    pub live: Option<Value>,
    /// Index in [`LiveObject::managers`] of who owns it; nobody owns a removed field.
    pub manager: Option<usize>,
    /// Who tells the engine to leave it alone ([`Waiver::by`](super::Waiver::by)); such a field is no drift.
    pub waived: Option<String>,
}

/// What happened to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldChange {
    /// Another value.
    Changed,
    /// Declared, and not there.
    Removed,
    /// There, and not declared; neither the declarer, nor a controller that is known to, nor the server set it.
    Added,
}
