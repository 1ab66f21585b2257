//! What a changed tree declares beside what the old one did.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use yaml_splice::{Edit, Step};

use super::work::at;
use super::{Change, Placed, path};
use crate::declared::{self, entries};
use crate::error::{Failure, printable};
use crate::object::{DeclaredSet, ObjectId};
use crate::source::Tree;

/// Objects of an entry by their ids as written, and how many problems there are.
#[derive(Clone)]
pub(super) struct Rendered {
    pub objects: BTreeMap<ObjectId, Value>,
    errors: Vec<String>,
}

impl Rendered {
    pub fn of(tree: &Tree, options: &declared::Options) -> Result<Self, Failure> {
        let set = declared::load(tree, options)?;
        let errors = set.problems.iter().map(ToString::to_string).collect();
        let objects = set.objects.into_iter().map(|one| {
            let mut value = one.manifest.into_value();
            // Random, another at each rendering.
            for pointer in &one.generated {
                if let Some(value) = value.pointer_mut(pointer) {
                    *value = Value::Null;
                }
            }
            (one.id, value)
        });
        let objects = objects.collect();
        Ok(Self { objects, errors })
    }

    /// The id as written of an object whose namespace is resolved.
    pub fn written(&self, id: &ObjectId) -> Option<ObjectId> {
        let mut bare = id.clone();
        bare.namespace = None;
        [id.clone(), bare].into_iter().find(|id| self.objects.contains_key(id))
    }
}

impl Rendered {
    /// Generated objects whose name ends in another hash than before, since they hold something else: as they are called now, as they were.
    pub fn renamed_since(&self, before: &Self) -> BTreeMap<ObjectId, ObjectId> {
        let stem = |id: &ObjectId| {
            let stem = id.without_hash()?;
            Some(ObjectId::new("", &id.kind, id.namespace.as_deref(), stem))
        };
        let only_in = |one: &Self, other: &Self| {
            let mut found: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
            for id in one.objects.keys().filter(|id| !other.objects.contains_key(id)) {
                if let Some(stem) = stem(id) {
                    found.entry(stem).or_default().push(id.clone());
                }
            }
            found
        };
        let (new, old) = (only_in(self, before), only_in(before, self));
        let pairs = new
            .into_iter()
            .filter_map(|(stem, new)| match (&new[..], &old.get(&stem)?[..]) {
                ([new], [old]) => Some((new.clone(), old.clone())),
                _ => None,
            });
        pairs.collect()
    }

    /// The same, where these objects are called as they were, by all that names them too.
    pub fn named_as_before(&self, renamed: &BTreeMap<ObjectId, ObjectId>) -> Cow<'_, Self> {
        if renamed.is_empty() {
            return Cow::Borrowed(self);
        }
        let names: BTreeMap<&str, &str> = renamed.iter().map(|(new, old)| (&*new.name, &*old.name)).collect();
        let objects = self.objects.iter().map(|(id, value)| {
            let mut value = value.clone();
            rename(&mut value, &names);
            (renamed.get(id).unwrap_or(id).clone(), value)
        });
        Cow::Owned(Self {
            objects: objects.collect(),
            errors: self.errors.clone(),
        })
    }
}

/// Puts other names in the place of texts that are one of these.
fn rename(value: &mut Value, names: &BTreeMap<&str, &str>) {
    match value {
        Value::String(text) => {
            if let Some(name) = names.get(&**text) {
                *text = (*name).to_owned();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| rename(one, names)),
        Value::Object(map) => map.values_mut().for_each(|one| rename(one, names)),
        _ => {}
    }
}

/// What a comparison found.
#[derive(Default)]
pub(super) struct Found {
    /// Changes that did not come out as meant, with the reason.
    pub wrong: BTreeMap<usize, String>,
    /// Objects that changed and were not to.
    pub others: Vec<String>,
}

/// Compares two renderings with what was meant. Only changes that were placed count. Carriers are objects in which changes of others were
/// made, by their ids as written.
pub(super) fn compare(
    before: &Rendered,
    after: &Rendered,
    set: &DeclaredSet,
    changes: &[Change],
    placed: &[Placed],
    carriers: &BTreeSet<ObjectId>,
) -> Found {
    let mut found = Found::default();
    let mut meant = before.objects.clone();
    let mut by_object: BTreeMap<ObjectId, Vec<usize>> = BTreeMap::new();
    for index in placed.iter().map(|placed| placed.change) {
        let change = &changes[index];
        let id = change.object();
        let written = match change {
            Change::Add { .. } => after.written(&id).unwrap_or(id),
            _ => before.written(&id).unwrap_or(id),
        };
        match intend(&mut meant, &written, change) {
            Some(()) => by_object.entry(written).or_default().push(index),
            None => drop(
                found
                    .wrong
                    .insert(index, "its rendered form has no such place".to_owned()),
            ),
        }
    }
    let error = after.errors.iter().find(|error| !before.errors.contains(error));
    let error = error.map(|error| format!("the repository would have an error more: {error}"));
    let ids: BTreeSet<&ObjectId> = meant.keys().chain(after.objects.keys()).collect();
    for id in ids {
        let new = by_object.get(id).and_then(|indices| match &changes[*indices.first()?] {
            Change::Add { manifest } => Some(manifest.value()),
            _ => None,
        });
        let same = match (new, meant.get(id), after.objects.get(id)) {
            (Some(new), _, Some(rendered)) => declares(rendered, new),
            (_, Some(a), Some(b)) => a == b,
            (_, a, b) => a.is_none() && b.is_none(),
        };
        match by_object.get(id) {
            _ if same => {}
            Some(indices) => {
                let came_out = |index: &&usize| comes_out(after.objects.get(id), &changes[**index]);
                let not: Vec<&usize> = indices.iter().filter(|index| !came_out(index)).collect();
                // Where each came out and the object still is another, one of them did more than it was to.
                let wrong = match not.is_empty() {
                    // What else changed in it may be for what is made of it.
                    true if carriers.contains(id) => continue,
                    true => indices.iter().collect(),
                    false => not,
                };
                let reason = |index: usize| match (&changes[index], &error) {
                    (Change::Remove { .. }, _) => "taken out there, it would be rendered all the same",
                    (_, Some(error)) if !after.objects.contains_key(id) => error,
                    (Change::Add { .. }, _) => "declared in a file of its own, it would not be rendered so",
                    _ if !after.objects.contains_key(id) => {
                        "edited there, it would get another name, with another hash of what is in it, and all that names it would change: edit it there by hand"
                    }
                    _ => "edited there, it would be rendered otherwise: something in between decides",
                };
                found
                    .wrong
                    .extend(wrong.into_iter().map(|index| (*index, reason(*index).to_owned())));
            }
            None if carriers.contains(id) => {}
            None => found
                .others
                .push(format!("{id} in {}", shown(&set.entry.paths.join(", ")))),
        }
    }
    if let (Some(reason), true) = (error, found.wrong.is_empty()) {
        found
            .wrong
            .extend(placed.iter().map(|placed| (placed.change, reason.clone())));
    }
    found
}

/// Whether a rendered object is this one. Labels and annotations that all objects of its unit get may be there too.
fn declares(rendered: &Value, wanted: &Value) -> bool {
    let mut rendered = rendered.clone();
    take_marks(&mut rendered, wanted);
    rendered == *wanted
}

/// Takes labels and annotations out of an object that another one does not have.
pub(super) fn take_marks(object: &mut Value, other: &Value) {
    for field in ["labels", "annotations"] {
        let known = other["metadata"][field].as_object();
        let Some(Value::Object(metadata)) = object.get_mut("metadata") else {
            return;
        };
        if let Some(Value::Object(map)) = metadata.get_mut(field) {
            map.retain(|key, _| known.is_some_and(|known| known.contains_key(key)));
            if map.is_empty() && known.is_none() {
                metadata.shift_remove(field);
            }
        }
    }
}

/// Whether a change is to be seen in a rendered object.
fn comes_out(object: Option<&Value>, change: &Change) -> bool {
    match (change, object) {
        (Change::Remove { .. }, object) => object.is_none(),
        (Change::Add { manifest }, object) => object.is_some_and(|object| declares(object, manifest.value())),
        (Change::Set { path, value, .. }, Some(object)) => {
            path::steps(path, object).is_some_and(|steps| at(object, &steps) == Some(value))
        }
        (Change::Unset { path, .. }, Some(object)) => {
            path::steps(path, object).is_none_or(|steps| at(object, &steps).is_none())
        }
        (_, None) => false,
    }
}

fn shown(path: &str) -> String {
    printable(if path.is_empty() { "." } else { path })
}

/// Does a change to what is rendered.
pub(super) fn intend(meant: &mut BTreeMap<ObjectId, Value>, id: &ObjectId, change: &Change) -> Option<()> {
    match change {
        Change::Add { manifest } => drop(meant.insert(id.clone(), manifest.value().clone())),
        Change::Remove { .. } => drop(meant.remove(id)?),
        Change::Set { path, value: new, .. } => {
            let value = meant.get_mut(id)?;
            let steps = path::steps(path, value)?;
            let is_new = matches!(steps.last(), Some(Step::Index(_))) && at(value, &steps).is_none();
            let edit = match is_new {
                true => Edit::insert(steps, new.clone()),
                false => Edit::set(steps, new.clone()),
            };
            yaml_splice::apply(value, &edit).ok()?;
        }
        Change::Unset { path, .. } => {
            let value = meant.get_mut(id)?;
            let steps = path::steps(path, value)?;
            yaml_splice::apply(value, &Edit::remove(steps)).ok()?;
        }
    }
    Some(())
}

/// What changes in the other entries of the repository. An object that changes there just as it does here is the same object, in an entry
/// around this one.
pub(super) fn elsewhere(
    tree: &Tree,
    options: &declared::Options,
    set: &DeclaredSet,
    (before_here, after_here): (&Rendered, &Rendered),
    files: &BTreeMap<String, Option<Vec<u8>>>,
) -> Result<Vec<String>, Failure> {
    let changed = tree.with(files);
    let mut found = Vec::new();
    for candidate in entries(tree, "") {
        if set.entry.paths.contains(&candidate.path) {
            continue;
        }
        let options = declared::Options {
            paths: vec![candidate.path.clone()],
            ..options.clone()
        };
        // What cannot be read before is no entry that could change.
        let Ok(before) = Rendered::of(tree, &options) else {
            continue;
        };
        let after = match Rendered::of(&changed, &options) {
            Ok(after) => after,
            Err(_) => {
                found.push(format!("everything in {}", shown(&candidate.path)));
                continue;
            }
        };
        let ids: BTreeSet<&ObjectId> = before.objects.keys().chain(after.objects.keys()).collect();
        let same = |a: &Rendered, b: &Rendered, id: &ObjectId| a.objects.get(id) == b.objects.get(id);
        let differs = ids.into_iter().filter(|id| {
            !(same(&before, &after, id) || same(&before, before_here, id) && same(&after, after_here, id))
        });
        found.extend(differs.map(|id| format!("{id} in {}", shown(&candidate.path))));
    }
    Ok(found)
}
