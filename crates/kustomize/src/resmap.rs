//! The objects of a build, in order.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::id::Id;
use crate::resource::{Behavior, Resource};
use crate::schema::Schema;
use crate::trouble::{Outcome, Trouble};

/// Objects in kustomize's order, no two with one identity.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResMap {
    pub list: Vec<Resource>,
}

/// Where the identities of a [`ResMap`] are, as long as nothing else changes it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    places: HashMap<u64, Vec<usize>>,
}

impl Index {
    fn key(id: Id<'_>) -> u64 {
        let mut hasher = DefaultHasher::new();
        (id.group, id.version, id.kind, id.effective_namespace(), id.name).hash(&mut hasher);
        hasher.finish()
    }

    /// Enters the object at a place; whether another has its identity.
    fn enter(&mut self, list: &[Resource], at: usize, schema: &Schema) -> bool {
        let Some(resource) = list.get(at) else { return true };
        let id = resource.id(schema);
        let places = self.places.entry(Index::key(id)).or_default();
        let taken = places
            .iter()
            .filter_map(|at| list.get(*at))
            .any(|other| other.id(schema).equals(id));
        places.push(at);
        taken
    }
}

impl ResMap {
    /// The places of all identities.
    pub fn index(&self, schema: &Schema) -> Index {
        let mut index = Index::default();
        for at in 0..self.list.len() {
            index.enter(&self.list, at, schema);
        }
        index
    }

    /// Appends one; an identity that is there already is an error that names it.
    pub fn append(&mut self, resource: Resource, index: &mut Index, schema: &Schema) -> Outcome<()> {
        self.list.push(resource);
        if !index.enter(&self.list, self.list.len() - 1, schema) {
            return Ok(());
        }
        let Some(again) = self.list.pop() else { return Ok(()) };
        Err(already_there(again.id(schema)))
    }

    /// Appends all; an identity that is there already is an error that names it (kustomize's `AppendAll`).
    pub fn append_all(&mut self, more: impl IntoIterator<Item = Resource>, schema: &Schema) -> Outcome<()> {
        let mut index = self.index(schema);
        more.into_iter()
            .try_for_each(|resource| self.append(resource, &mut index, schema))
    }

    /// That no two have one identity.
    pub fn check_unique(&self, schema: &Schema) -> Outcome<()> {
        let mut index = Index::default();
        for (at, resource) in self.list.iter().enumerate() {
            if index.enter(&self.list, at, schema) {
                return Err(already_there(resource.id(schema)));
            }
        }
        Ok(())
    }

    /// Places of the objects one of whose identities, past or present, is chosen.
    pub fn matching_any_id(&self, schema: &Schema, chosen: impl Fn(Id<'_>) -> bool) -> Vec<usize> {
        let matches = |resource: &Resource| resource.all_ids(schema).any(&chosen);
        (0..self.list.len()).filter(|at| matches(&self.list[*at])).collect()
    }

    /// Places of the objects whose present identity is chosen.
    pub fn matching_current_id(&self, schema: &Schema, chosen: impl Fn(Id<'_>) -> bool) -> Vec<usize> {
        (0..self.list.len())
            .filter(|at| chosen(self.list[*at].id(schema)))
            .collect()
    }

    /// Takes in a generated object: it is appended, or replaces or merges with the one that has or had its identity, as its behavior
    /// says (kustomize's `AbsorbAll`).
    pub fn absorb(&mut self, mut new: Resource, schema: &Schema) -> Outcome<()> {
        let id = new.id(schema);
        let matches = self.matching_any_id(schema, |other| id.equals(other));
        let (place, old) = match matches.as_slice() {
            [] => match new.behavior {
                Behavior::Merge | Behavior::Replace => {
                    return Err(Trouble::new(format!(
                        "{id} does not exist; it cannot be merged with or replaced"
                    )));
                }
                _ => return self.append_all([new], schema),
            },
            [place] => (*place, &self.list[*place]),
            _ => {
                return Err(Trouble::new(format!(
                    "{} objects could be merged with {id}",
                    matches.len()
                )));
            }
        };
        match new.behavior {
            Behavior::Replace => take_metadata(&mut new, old),
            Behavior::Merge => {
                let origin = annotation(&old.value, crate::annotate::ORIGIN).map(str::to_owned);
                take_metadata(&mut new, old);
                for field in ["data", "binaryData"] {
                    merge_data(&mut new, old, field);
                }
                if let Some(origin) = origin {
                    crate::annotate::set(&mut new, crate::annotate::ORIGIN, origin);
                }
                new.trail = Arc::clone(&old.trail);
            }
            Behavior::Create | Behavior::Unspecified => {
                let message = format!("{id} exists already; behavior must be merge or replace to change it");
                return Err(Trouble::new(message));
            }
        }
        let id = new.id(schema);
        if self.matching_current_id(schema, |other| id.equals(other)) != [place] {
            return Err(Trouble::new(format!("{id} is not the only object of its name")));
        }
        self.list[place] = new;
        Ok(())
    }
}

fn already_there(id: Id<'_>) -> Trouble {
    Trouble::new(format!("may not add resource with an already registered id: {id}"))
}

fn annotation<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Name, namespace, labels, annotations and memories of an older object (kustomize's `CopyMergeMetaDataFieldsFrom`).
fn take_metadata(new: &mut Resource, old: &Resource) {
    for field in ["labels", "annotations"] {
        let of = |resource: &Resource| texts(resource.value.get("metadata").and_then(|it| it.get(field)));
        let mut merged = of(old);
        merged.extend(of(new));
        if let Some(metadata) = new.metadata_mut() {
            match merged.is_empty() {
                true => drop(metadata.shift_remove(field)),
                false => drop(metadata.insert(field.to_owned(), Value::Object(merged))),
            }
        }
    }
    new.set_name(old.name());
    new.set_namespace(old.namespace());
    new.previous.clone_from(&old.previous);
    new.prefixes.clone_from(&old.prefixes);
    new.suffixes.clone_from(&old.suffixes);
    new.referrers.clone_from(&old.referrers);
    new.vars.clone_from(&old.vars);
    new.behavior = old.behavior;
    new.needs_hash = new.needs_hash && old.needs_hash;
    new.serial = old.serial;
}

/// Entries of a map of data that only the older object has. A map that is empty then goes.
fn merge_data(new: &mut Resource, old: &Resource, field: &str) {
    let mut merged = texts(old.value.get(field));
    merged.extend(texts(new.value.get(field)));
    if let Some(object) = new.value_mut().as_object_mut() {
        match merged.is_empty() {
            true => drop(object.shift_remove(field)),
            false => drop(object.insert(field.to_owned(), Value::Object(merged))),
        }
    }
}

/// A map, its values as texts: so kustomize reads data, labels and annotations to merge them.
fn texts(map: Option<&Value>) -> Map<String, Value> {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| Value::String(crate::scalar::text(value).into_owned());
    entries.map(|(key, value)| (key.clone(), text(value))).collect()
}
