//! What a changed tree declares beside what the old one did.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use yaml_splice::{Edit, Step};

use super::work::at;
use super::{Change, Placed, path};
use crate::declared::{self, entries};
use crate::error::{Failure, printable};
use crate::object::{DeclaredSet, ObjectId, ProblemKind};
use crate::source::Tree;

/// What an error is about, and what it says. Where it stands is not of it: lines move.
type Complaint = (Option<ObjectId>, String);

/// Objects of an entry by their ids as written, and what could not be rendered.
#[derive(Clone)]
pub(super) struct Rendered {
    pub objects: BTreeMap<ObjectId, Value>,
    /// How often each is there, and the last of them in words.
    errors: BTreeMap<Complaint, (usize, String)>,
}

impl Rendered {
    pub fn of(tree: &Tree, options: &declared::Options) -> Result<Self, Failure> {
        let set = declared::load(tree, options)?;
        let mut errors: BTreeMap<Complaint, (usize, String)> = BTreeMap::new();
        for error in set.problems.iter().filter(|problem| problem.kind == ProblemKind::Error) {
            let (count, words) = errors.entry((error.object.clone(), error.message.clone())).or_default();
            *count += 1;
            *words = error.to_string();
        }
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

    /// What a changed tree declares. Where it cannot be read at all, that is the error.
    pub fn of_changed(tree: &Tree, options: &declared::Options) -> Self {
        Self::of(tree, options).unwrap_or_else(|failure| {
            let words = std::iter::once(&failure.consequence).chain(&failure.causes);
            let words = words.map(String::as_str).collect::<Vec<_>>().join(": ");
            Self {
                objects: BTreeMap::new(),
                errors: [((None, words.clone()), (1, words))].into(),
            }
        })
    }

    /// The id as written of an object whose namespace is resolved.
    pub fn written(&self, id: &ObjectId) -> Option<ObjectId> {
        let mut bare = id.clone();
        bare.namespace = None;
        [id.clone(), bare].into_iter().find(|id| self.objects.contains_key(id))
    }
}

impl Rendered {
    /// An error that there was not before, in words.
    fn new_error(&self, before: &Self) -> Option<&String> {
        let known = |what: &Complaint| before.errors.get(what).map_or(0, |(count, _)| *count);
        let new = self.errors.iter().find(|(what, (count, _))| *count > known(what));
        new.map(|(_, (_, words))| words)
    }

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
    pub others: BTreeSet<ObjectId>,
    /// Objects that changed as they were to, and otherwise too.
    pub more: BTreeSet<ObjectId>,
    /// Why the whole is not to be: something can be rendered no more.
    pub error: Option<String>,
}

/// Compares two renderings with what was meant. Only changes that were placed count. Carriers are objects in which changes of others were
/// made, by their ids as written.
pub(super) fn compare(
    before: &Rendered,
    after: &Rendered,
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
    let error = after.new_error(before);
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
                let wrong: Vec<&usize> = indices.iter().filter(|index| !came_out(index)).collect();
                // What else changed in a carrier may be for what is made of it.
                if wrong.is_empty() && !carriers.contains(id) {
                    found.more.insert(id.clone());
                }
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
            None => drop(found.others.insert(id.clone())),
        }
    }
    found.error = error;
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

/// An entry in words.
pub(super) fn shown(paths: &[String]) -> String {
    let path = paths.join(", ");
    printable(if path.is_empty() { "." } else { &path })
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

/// The other entries of a repository, as they are.
pub(super) struct Around {
    entries: Vec<(declared::Options, Rendered)>,
}

impl Around {
    /// All that can be read: what cannot be is no entry that could change. One that is a unit of this entry is a part of it.
    pub fn of(tree: &Tree, options: &declared::Options, set: &DeclaredSet) -> Self {
        let others = entries(tree, "")
            .into_iter()
            .filter(|candidate| !set.entry.paths.contains(&candidate.path))
            .filter(|candidate| !set.units.iter().any(|unit| unit.path == candidate.path));
        let read = others.filter_map(|candidate| {
            let options = declared::Options {
                paths: vec![candidate.path],
                ..options.clone()
            };
            let before = Rendered::of(tree, &options).ok()?;
            Some((options, before))
        });
        Self {
            entries: read.collect(),
        }
    }

    /// What changes in them. An object that changes there just as it does here is the same object, in an entry around this one.
    pub fn changes(&self, changed: &Tree, (before_here, after_here): (&Rendered, &Rendered)) -> Vec<String> {
        let mut found = Vec::new();
        for (options, before) in &self.entries {
            let place = shown(&options.paths);
            let Ok(after) = Rendered::of(changed, options) else {
                found.push(format!("everything in {place}"));
                continue;
            };
            let ids: BTreeSet<&ObjectId> = before.objects.keys().chain(after.objects.keys()).collect();
            let same = |a: &Rendered, b: &Rendered, id: &ObjectId| a.objects.get(id) == b.objects.get(id);
            let differs = ids.into_iter().filter(|id| {
                !(same(before, &after, id) || same(before, before_here, id) && same(&after, after_here, id))
            });
            found.extend(differs.map(|id| format!("{id} in {place}")));
        }
        found
    }
}
