//! What is being planned, before it has its place in the order.

use std::borrow::Cow;

use serde_json::Value;

use crate::object::{Declared, Manifest, ObjectId};

/// One object to plan: declared, or made by another one that is.
pub(crate) struct Item<'a> {
    /// Final identity: in the group it is going to be written in.
    pub id: ObjectId,
    pub content: Content<'a>,
    /// The engine's object that makes it, where its unit is left to its engine.
    pub left_to: Option<&'a ObjectId>,
}

pub(crate) enum Content<'a> {
    /// Declared; the manifest is rewritten where its API version had to be.
    Declared(&'a Declared, Cow<'a, Manifest>),
    /// Made by another one (an ExternalSecret makes a Secret).
    MadeBy(ObjectId),
}

impl<'a> Item<'a> {
    pub fn declared(&self) -> Option<&'a Declared> {
        match &self.content {
            Content::Declared(declared, _) => Some(declared),
            Content::MadeBy(_) => None,
        }
    }

    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.content {
            Content::Declared(_, manifest) => Some(manifest),
            Content::MadeBy(_) => None,
        }
    }

    /// The value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.manifest()?.value().pointer(pointer)
    }

    /// The string at a JSON pointer, or "".
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The list at a JSON pointer, or an empty one.
    pub fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.manifest()?.annotation(key)
    }

    pub fn namespace(&self) -> Option<&str> {
        self.id.namespace.as_deref()
    }

    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.id.is(group, kind)
    }

    /// What it runs, if it runs pods.
    pub fn pod(&self) -> Option<Pod<'_>> {
        let (_, _, pointer) = POD_TEMPLATES.iter().find(|(group, kind, _)| self.is(group, kind))?;
        let template = self.at(pointer)?;
        Some(Pod {
            labels: template.pointer("/metadata/labels").and_then(Value::as_object),
            spec: template.get("spec")?,
        })
    }
}

/// A pod as a workload describes it.
#[derive(Clone, Copy)]
pub(crate) struct Pod<'a> {
    pub labels: Option<&'a super::selector::Labels>,
    pub spec: &'a Value,
}

/// Kinds that run pods, and where the pod stands in them.
pub(crate) const POD_TEMPLATES: &[(&str, &str, &str)] = &[
    ("", "Pod", ""),
    ("", "ReplicationController", "/spec/template"),
    ("apps", "DaemonSet", "/spec/template"),
    ("apps", "Deployment", "/spec/template"),
    ("apps", "ReplicaSet", "/spec/template"),
    ("apps", "StatefulSet", "/spec/template"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template"),
    ("batch", "Job", "/spec/template"),
    ("argoproj.io", "Rollout", "/spec/template"),
    ("apps.kruise.io", "CloneSet", "/spec/template"),
    ("apps.kruise.io", "DaemonSet", "/spec/template"),
    ("apps.kruise.io", "StatefulSet", "/spec/template"),
    ("serving.knative.dev", "Service", "/spec/template"),
];

/// `key` of a value as a string, or "".
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a pointer of a value, or an empty one.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
