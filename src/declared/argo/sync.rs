//! What a sync makes of the objects of an Application before it applies them.

use std::collections::BTreeMap;

use argo_cd::application::Cluster;
use argo_cd::tracking::Tracking;
use serde_json::Value;

use super::{App, Known};
use crate::object::builtin::builtin;
use crate::object::{Manifest, ObjectId, Repository, Scope, Turn, api_group};

/// What all Applications are synced with.
pub(in crate::declared) struct Sync<'k> {
    known: &'k Known,
    tracking: Tracking,
    /// The first letters of the commit, and its time.
    revision: Option<(String, i64)>,
    /// Whether kinds that the set defines live in namespaces, by group and kind.
    defined: BTreeMap<(String, String), bool>,
}

/// What of a commit Argo CD puts into names.
const SHORT: usize = 7;

impl<'k> Sync<'k> {
    /// Of a repository; `all` are the objects of the set.
    pub fn new<'v>(known: &'k Known, repository: &Repository, all: impl Iterator<Item = &'v Value>) -> Self {
        let short = |commit: &String| commit.chars().take(SHORT).collect();
        let defined = all.filter(|value| value["kind"] == "CustomResourceDefinition");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            known,
            tracking: known.tracking(),
            revision: repository.commit.as_ref().map(short).zip(repository.time),
            defined: defined
                .map(|value| &value["spec"])
                .map(|spec| {
                    let kind = (text(&spec["group"]), text(&spec["names"]["kind"]));
                    (kind, spec["scope"] != "Cluster")
                })
                .collect(),
        }
    }

    /// Marks an object as the Application's.
    ///
    /// # Errors
    /// Says why it cannot be marked.
    pub fn mark(&self, app: &App, object: &mut Value) -> Result<(), String> {
        let marked = self.tracking.mark(object, &self.known.instance(app), app.namespace());
        marked.map_err(|error| error.to_string())
    }

    /// Gives a hook that only says how its name begins the name that a sync gives it (`gitops-engine/pkg/sync/sync_context.go`,
    /// `getSyncTasks`). In place of the time of the sync stands that of the commit: a second restore of it runs nothing again.
    pub fn name(&self, object: &mut Value, turn: Turn) {
        let begins = object["metadata"]["generateName"].as_str().map(str::to_owned);
        let is_named = object["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty());
        let is_hook = ["argocd.argoproj.io/hook", "helm.sh/hook"]
            .iter()
            .any(|key| object["metadata"]["annotations"][key].is_string());
        let (Some(begins), false, true, Some((commit, time))) = (begins, is_named, is_hook, &self.revision) else {
            return;
        };
        let phase = match turn.phase {
            ..0 => "presync",
            0 => "sync",
            1.. => "postsync",
        };
        object["metadata"]["name"] = format!("{begins}{commit}-{phase}-{time}").into();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("generateName");
        }
    }

    /// What the Application's project forbids of these objects, if it does: then a sync applies none of them
    /// (`controller/sync.go`, the permission validator).
    pub fn forbids(&self, app: &App, objects: &[&Value]) -> Option<String> {
        let read = app.read.as_ref().ok()?;
        let project = self.known.project(&read.project)?.ok()?;
        // It is rendered, so it is for this cluster.
        let cluster = self.known.cluster_of(app, &read.destination).ok().flatten();
        let cluster = cluster.unwrap_or_else(Cluster::own);
        let violation = |object: &&Value| project.object_violation(object, self.is_namespaced(object)?, &cluster);
        let errors: Vec<String> = objects
            .iter()
            .filter_map(violation)
            .map(|error| error.message)
            .collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    }

    /// What an Application's object is called in the cluster.
    pub fn identity(&self, app: &App, object: &Value) -> Option<ObjectId> {
        let mut id = Manifest::new(object.clone()).ok()?.id();
        id.namespace = match self.is_namespaced(object) {
            Some(false) => None,
            _ => id.namespace.or_else(|| Some(app.namespace().to_owned())),
        };
        Some(id)
    }

    /// Whether an object lives in a namespace, as far as is known without a cluster.
    fn is_namespaced(&self, object: &Value) -> Option<bool> {
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        let group = api_group(text("apiVersion"));
        let known = builtin(group, text("kind")).map(|row| row.scope == Scope::Namespaced);
        let defined = || self.defined.get(&(group.to_owned(), text("kind").to_owned())).copied();
        let says = || object["metadata"]["namespace"].is_string().then_some(true);
        known.or_else(defined).or_else(says)
    }
}
