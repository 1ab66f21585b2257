//! An object on its way through a build, with what kustomize remembers of it.
//!
//! kustomize keeps these memories in `internal.config.kubernetes.io/*` annotations and removes them at the end; here they are
//! fields, so that nothing has to be removed.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::context::Nulls;
use crate::id::{Id, OwnedId, split_api_version, text};
use crate::origin::Trail;
use crate::schema::Schema;
use crate::shared::Shared;

/// What a generated object does to one of its identity that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Behavior {
    /// Not written: as `Create`, and an object that a file declares.
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

/// An identity that an object had: its namespace is the effective one, its group and version are the present ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    pub namespace: String,
    pub name: String,
    pub kind: String,
}

/// An object and its memories.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    /// Shared with the cache of parsed documents until the first change.
    pub value: Arc<Value>,
    /// Identities it had, oldest first.
    pub previous: Vec<Previous>,
    /// Prefixes it was given, innermost first.
    pub prefixes: Vec<String>,
    /// Suffixes it was given, innermost first.
    pub suffixes: Vec<String>,
    /// Who named it in a reference that was fixed.
    pub referrers: Vec<OwnedId>,
    /// Names of the `vars` that take their value from it.
    pub vars: Vec<String>,
    /// Labels and annotations of it that change together.
    pub shared: Vec<Shared>,
    pub behavior: Behavior,
    /// Its name gets the hash of its content.
    pub needs_hash: bool,
    /// How its nulls are written, and so whether a strategic merge keeps those that it does not touch.
    pub nulls: Nulls,
    /// Where it comes from and what it went through.
    pub trail: Trail,
    /// Tells it from all others of a build, whatever its name becomes; 0 until the walk numbers it.
    pub serial: usize,
}

impl Resource {
    /// A fresh one without memories.
    pub fn new(value: Arc<Value>, trail: Trail) -> Self {
        Resource {
            value,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            referrers: Vec::new(),
            vars: Vec::new(),
            shared: Vec::new(),
            behavior: Behavior::Unspecified,
            needs_hash: false,
            nulls: Nulls::Kept,
            trail,
            serial: 0,
        }
    }

    /// The object, to be changed: copied now if it is still shared.
    pub fn value_mut(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.value)
    }

    pub fn kind(&self) -> &str {
        text(&self.value, &["kind"])
    }

    pub fn name(&self) -> &str {
        text(&self.value, &["metadata", "name"])
    }

    pub fn namespace(&self) -> &str {
        text(&self.value, &["metadata", "namespace"])
    }

    /// Group and version.
    pub fn group_version(&self) -> (&str, &str) {
        split_api_version(text(&self.value, &["apiVersion"]))
    }

    /// Its identity now (kustomize's `CurId`).
    pub fn id(&self, schema: &Schema) -> Id<'_> {
        self.identity(schema, self.kind(), self.namespace(), self.name())
    }

    /// Its first identity (kustomize's `OrgId`).
    pub fn original_id(&self, schema: &Schema) -> Id<'_> {
        self.previous_ids(schema).next().unwrap_or_else(|| self.id(schema))
    }

    /// The identities it had, oldest first, without the present one.
    pub fn previous_ids(&self, schema: &Schema) -> impl Iterator<Item = Id<'_>> {
        self.previous
            .iter()
            .map(|was| self.identity(schema, &was.kind, &was.namespace, &was.name))
    }

    /// The identities it had and the present one, last.
    pub fn all_ids(&self, schema: &Schema) -> impl Iterator<Item = Id<'_>> {
        self.previous_ids(schema).chain(std::iter::once(self.id(schema)))
    }

    fn identity<'a>(&'a self, schema: &Schema, kind: &'a str, namespace: &'a str, name: &'a str) -> Id<'a> {
        let (group, version) = self.group_version();
        let cluster_scoped = schema.is_cluster_scoped(group, version, kind);
        Id {
            group,
            version,
            kind,
            namespace,
            name,
            cluster_scoped,
        }
    }

    /// Remembers the present identity before a step changes it.
    pub fn remember_id(&mut self, schema: &Schema) {
        let id = self.id(schema);
        let previous = Previous {
            namespace: id.effective_namespace().to_owned(),
            name: id.name.to_owned(),
            kind: id.kind.to_owned(),
        };
        // Thousands of patches may each remember the same one.
        if self.previous.len() < 16 || self.previous.last() != Some(&previous) {
            self.previous.push(previous);
        }
    }

    /// The `metadata` of the object, made when it is not there.
    pub fn metadata_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.value_mut()
            .as_object_mut()?
            .entry("metadata")
            .or_insert_with(|| Value::Object(Map::new()))
            .as_object_mut()
    }

    pub fn set_name(&mut self, name: &str) {
        if self.name() != name
            && let Some(metadata) = self.metadata_mut()
        {
            metadata.insert("name".to_owned(), Value::String(name.to_owned()));
        }
    }

    /// Sets the namespace; an empty one removes the field.
    pub fn set_namespace(&mut self, namespace: &str) {
        if self.namespace() == namespace {
            return;
        }
        if let Some(metadata) = self.metadata_mut() {
            match namespace {
                "" => drop(metadata.shift_remove("namespace")),
                namespace => drop(metadata.insert("namespace".to_owned(), Value::String(namespace.to_owned()))),
            }
        }
    }

    pub fn set_kind(&mut self, kind: &str) {
        if self.kind() != kind
            && let Some(object) = self.value_mut().as_object_mut()
        {
            object.insert("kind".to_owned(), Value::String(kind.to_owned()));
        }
    }
}
