//! What is in the cluster now.

use std::collections::{BTreeMap, BTreeSet};

use litemap::LiteMap;
use serde_json::Value;

use super::normalize::LAST_APPLIED;
use super::{FactGap, GroupKind, ObjectId, api_group};

/// Every object that could be read, and what could not.
#[derive(Debug, Clone, Default)]
pub struct LiveSet {
    /// By identity. An object that several groups serve (Events, Ingresses) is here once, under the group that the server prefers.
    pub objects: BTreeMap<ObjectId, Box<LiveObject>>,
    /// Kinds that were listed whole.
    pub listed: Vec<GroupKind>,
    /// Kinds that were listed whole in a namespace, and may not be in all.
    pub listed_within: BTreeSet<(GroupKind, String)>,
    /// What could not be read, with the reason; sorted.
    pub gaps: Vec<FactGap>,
}

impl LiveSet {
    /// All objects, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectId, &LiveObject)> {
        self.objects.iter().map(|(id, object)| (id, &**object))
    }

    /// The objects of a kind, in order.
    pub fn of_kind(&self, group: &str, kind: &str) -> impl Iterator<Item = (&ObjectId, &LiveObject)> {
        let first = ObjectId::new(group, kind, None, "");
        let from = self.objects.range(first.clone()..);
        from.take_while(move |(id, _)| id.is(&first.group, &first.kind))
            .map(|(id, object)| (id, &**object))
    }
}

/// Labels or annotations. Most objects have a few: a list in order is a tenth of what the least tree takes.
pub type Texts = LiteMap<String, String>;

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
    pub labels: Texts,
    /// Annotations, without `kubectl.kubernetes.io/last-applied-configuration`, which may carry Secret values.
    pub annotations: Texts,
    /// Whether that annotation is there: somebody used `kubectl apply` or a tool that does the same.
    pub last_applied: bool,
    /// Owners, as written.
    pub owners: Vec<Owner>,
    /// Who wrote it, in the server's order; empty where the server does not tell.
    pub managers: Vec<Manager>,
    /// Type of a Secret (`helm.sh/release.v1`, …); empty for other kinds and where it was not read.
    pub secret_type: String,
}

impl LiveObject {
    /// From a whole object, with its managers' fields; what is not of the expected form is left out.
    pub fn of(value: &Value) -> Self {
        let metadata = &value["metadata"];
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let texts = |key: &str| -> Texts {
            let map = metadata[key].as_object().into_iter().flatten();
            map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        let list = |key: &str| metadata[key].as_array().into_iter().flatten();
        let mut annotations = texts("annotations");
        let last_applied = annotations.remove(LAST_APPLIED).is_some();
        let owner = |one: &Value| {
            let api_version = text(one, "apiVersion");
            let group = api_group(&api_version);
            Owner {
                kind: GroupKind::new(group, text(one, "kind")),
                name: text(one, "name"),
                uid: text(one, "uid"),
                controller: one["controller"].as_bool().unwrap_or_default(),
            }
        };
        let manager = |one: &Value| Manager {
            name: text(one, "manager"),
            operation: text(one, "operation"),
            subresource: text(one, "subresource"),
            time: text(one, "time"),
            fields: one.get("fieldsV1").cloned().map(Box::new),
        };
        Self {
            uid: text(metadata, "uid"),
            resource_version: text(metadata, "resourceVersion"),
            created: text(metadata, "creationTimestamp"),
            terminating: metadata["deletionTimestamp"].is_string(),
            labels: texts("labels"),
            annotations,
            last_applied,
            owners: list("ownerReferences").map(owner).collect(),
            managers: list("managedFields").map(manager).collect(),
            secret_type: match value["kind"] == "Secret" {
                true => text(value, "type"),
                false => String::new(),
            },
        }
    }
}

/// What a live object is by itself, whatever Git declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Somebody made it.
    Own,
    /// It belongs to this one in the end, which makes it anew.
    Owned(ObjectId),
    /// The cluster makes it by itself, by the rule of this name.
    BuiltIn(String),
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

impl Owner {
    /// The owner of an object in this namespace, if it is in one itself.
    pub fn beside(&self, namespace: Option<&str>) -> ObjectId {
        ObjectId::new(&*self.kind.group, &*self.kind.kind, namespace, &*self.name)
    }
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
    pub fields: Option<Box<Value>>,
}

/// How a declared object that exists differs from what is declared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Fields, sorted by path.
    pub fields: Vec<FieldDrift>,
    /// How it was found out.
    pub method: Method,
    /// The object, with its managers' fields where any field differs.
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
    /// What tells values apart that must not be shown, within this run only; 0 for those that may.
    pub digest: u64,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_object_is_read() {
        let live = LiveObject::of(
            &json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "a",
            "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:04:06Z",
            "labels": {"l": "1"}, "annotations": {LAST_APPLIED: "canary", "a": "1"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "o", "controller": true}],
            "managedFields": [{"manager": "m", "operation": "Apply", "time": "2026-01-02T03:04:05Z", "fieldsV1": {"f:data": {}}},
                {"manager": "n", "operation": "Update", "subresource": "status"}]}}),
        );
        assert_eq!(
            (&*live.uid, &*live.resource_version, &*live.secret_type),
            ("u", "7", "Opaque")
        );
        assert!(live.last_applied && live.terminating && live.created == "2026-01-02T03:04:05Z");
        assert!(!format!("{live:?}").contains("canary"));
        assert_eq!(live.labels.len(), 1);
        assert_eq!(live.annotations.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(live.owners[0].kind, GroupKind::new("apps", "ReplicaSet"));
        assert_eq!(live.managers[0].fields, Some(Box::new(json!({"f:data": {}}))));
        assert_eq!(
            (&*live.managers[1].subresource, &*live.managers[1].time),
            ("status", "")
        );
        assert_eq!(
            LiveObject::of(&json!({"metadata": {"labels": 3, "ownerReferences": null}})),
            LiveObject::default()
        );
    }
}
