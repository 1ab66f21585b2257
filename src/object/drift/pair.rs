//! A declared object beside the live one: which fields drifted, and who owns them.
//!
//! What was changed or removed the server tells (a dry-run apply), or the declaration does (offline). What was added only
//! `managedFields` tells: a field that is not declared and that neither the declarer nor a known controller owns; one that
//! nobody owns is the server's default. A person's tool may own defaults too (it created the object, or added a container), so
//! that what is suspected is taken out of the live object and the server asked what it would put there (a dry-run replace). So is
//! what the declarer wrote by `Update`, where it keeps no memory of what it applied.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use serde_json::Value;

use super::clean::is_mark;
use super::managed::{Owned, owners};
use super::path::{Path, Step, keys_of};
use super::waived::Waivers;
use super::walk::{Against, Side, is_plain, undeclared, walk};
use super::{Scaling, by_design, defaults};
use crate::object::normalize::LAST_APPLIED;
use crate::object::{Declared, FieldChange, FieldDrift, LiveObject, Writer};

/// Field manager of `kubectl apply`; what it owns and did not apply is the server's default.
const KUBECTL_APPLY: &str = "kubectl-client-side-apply";

/// A declared object and the live one of that name.
pub struct Pair<'a> {
    declared: Cow<'a, Value>,
    live: &'a Value,
    object: &'a LiveObject,
    generated: &'a [String],
    writer: &'a Writer,
    waivers: Waivers<'a>,
    scaling: Scaling,
    /// What `kubectl apply` applied last.
    applied: Option<Value>,
    group: &'a str,
    kind: &'a str,
}

/// Fields that may have been added by hand.
#[derive(Debug, Default)]
pub struct Suspects(Vec<Path>);

impl Suspects {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Pair<'a> {
    /// `live` is the object as the server gives it in the declared version, `object` its metadata with the managers' fields;
    /// `scaling` says whether an autoscaler owns its replicas.
    pub fn new(declared: &'a Declared, live: &'a Value, object: &'a LiveObject, scaling: Scaling) -> Self {
        let manifest = &declared.manifest;
        let annotations = live.pointer("/metadata/annotations");
        let applied = annotations.and_then(|all| all.get(LAST_APPLIED)?.as_str());
        let applied = applied.and_then(|text| serde_json::from_str(text).ok());
        let as_declared = as_written(manifest.value());
        Self {
            waivers: Waivers::new(&declared.waivers, &as_declared, live),
            declared: as_declared,
            live,
            object,
            generated: &declared.generated,
            writer: &declared.writer,
            scaling,
            applied,
            group: manifest.group(),
            kind: manifest.kind(),
        }
    }

    /// What applying the declaration would change, where `then` is the object as the server says it would be.
    pub fn changed_by(&self, then: &Value) -> Vec<FieldDrift> {
        let found = walk(then, self.live, Against::Server).into_iter();
        let drift = found.filter_map(|(path, side)| {
            let declared = path.at(&self.declared).filter(|value| !value.is_null());
            let change = match (side, declared) {
                (Side::OnlyWanted, Some(_)) => FieldChange::Removed,
                (Side::Differs, Some(_)) => FieldChange::Changed,
                (Side::OnlyLive, None) => FieldChange::Added,
                // What the server or a webhook would do besides is not what Git declares.
                _ => return None,
            };
            Some((path, change))
        });
        self.drifts(drift)
    }

    /// What of the declaration is not so, without the server.
    pub fn changed_offline(&self) -> Vec<FieldDrift> {
        let found = walk(&self.declared, self.live, Against::declaration(&self.declared)).into_iter();
        let drift = found
            .filter(|(path, _)| !self.is_old_name(path))
            .filter_map(|(path, side)| {
                let change = match side {
                    Side::OnlyWanted => FieldChange::Removed,
                    Side::Differs => FieldChange::Changed,
                    Side::OnlyLive => return None,
                };
                Some((path, change))
            });
        self.drifts(drift)
    }

    /// The declaration with what the live object has in the fields that its unit tells its engine to leave alone, where both say
    /// something of them; what is not there live is not declared either.
    pub fn left_alone(&self) -> Value {
        let mut kept = self.declared.clone().into_owned();
        // Of a list the last go first, so that numbers hold.
        for (path, side) in walk(&self.declared, self.live, Against::declaration(&self.declared))
            .into_iter()
            .rev()
        {
            let change = match side {
                Side::OnlyWanted => FieldChange::Removed,
                Side::Differs => FieldChange::Changed,
                Side::OnlyLive => continue,
            };
            let objects = (&*self.declared, self.live);
            if self
                .waivers
                .of((&path, change), objects, || self.others(&path))
                .is_none()
            {
                continue;
            }
            let here = path.pointer(&kept).and_then(|pointer| kept.pointer_mut(&pointer));
            match (here, path.at(self.live)) {
                (Some(here), Some(live)) => *here = live.clone(),
                _ => path.remove_from(&mut kept),
            }
        }
        kept
    }

    /// `serviceAccount`, the old name of `serviceAccountName`, which goes before it.
    fn is_old_name(&self, path: &Path) -> bool {
        let holder = || Path(path.0[..path.0.len() - 1].to_vec());
        path.last_field() == "serviceAccount"
            && holder()
                .at(&self.declared)
                .is_some_and(|holder| holder.get("serviceAccountName").is_some())
    }

    /// Fields that Git does not declare and that may not be there by anybody's right, without those that applying (`then`)
    /// would take out anyway. `asked` says that the server is going to be asked about them; only then an object without
    /// managers can be judged.
    pub fn suspects(&self, then: Option<&Value>, asked: bool) -> Suspects {
        let unknown = self.object.managers.iter().all(|manager| manager.fields.is_none());
        if unknown && !asked {
            return Suspects::default();
        }
        let mut found = Vec::new();
        for path in undeclared(&self.declared, self.live) {
            if then.is_some_and(|then| path.at(then).is_none()) {
                continue;
            }
            if let Some(value) = path.at(self.live) {
                self.foreign(value, &path, (unknown, asked), &mut found);
            }
        }
        Suspects(found)
    }

    /// Collects the topmost fields of which all is foreign; gives whose what is in this one is. An element of a list is one
    /// thing, with what the server filled in.
    fn foreign(&self, value: &Value, path: &Path, (unknown, asked): (bool, bool), found: &mut Vec<Path>) -> Owned {
        if self.is_nobodys_drift(path, FieldChange::Added) {
            return Owned::NOBODY;
        }
        let before = found.len();
        let inner = children(value);
        let owned = if inner.is_empty() {
            match unknown {
                true => Owned::FOREIGN,
                false => self.whose(path, value, asked),
            }
        } else {
            let inner = inner.into_iter();
            inner.fold(Owned::default(), |owned, (step, value)| {
                owned.and(self.foreign(value, &path.child(step), (unknown, asked), found))
            })
        };
        let element = !matches!(path.0.last(), Some(Step::Field(_)));
        if owned.foreign && !owned.rightful && (element || !owned.nobody) {
            found.truncate(before);
            found.push(path.clone());
        }
        owned
    }

    /// Whether who owns this field has any business with it.
    ///
    /// A declarer that writes by `Update` and has no memory of what it wrote (Helm 3) owns what the server filled in, too, what Git
    /// declared once, and what somebody added with the declarer's own tool: the server can tell, where it is `asked`.
    fn whose(&self, path: &Path, value: &Value, asked: bool) -> Owned {
        let mut owners = owners(&self.object.managers, self.live, path);
        let remembers = matches!(self.writer, Writer::ClientSide(_)) && self.applied.is_some();
        let to_ask = asked && !remembers;
        // What is known to be a default is none of theirs.
        if to_ask && defaults::is_default(self.group, self.kind, &path.to_string(), value) {
            let its_own = |index: &usize| {
                let manager = &self.object.managers[*index];
                manager.name == self.writer.manager() && manager.operation == "Update" && manager.subresource.is_empty()
            };
            owners.indices.retain(|index| !its_own(index));
        }
        let controllers_too = path.begins(&["metadata", "finalizers"]) || path.begins(&["metadata", "ownerReferences"]);
        let applied = || self.applied.as_ref().is_some_and(|applied| path.at(applied).is_some());
        let rightful = |index: &usize| {
            let manager = &self.object.managers[*index];
            let by_update = manager.operation == "Update";
            // What it once applied and Git no longer declares goes with its next apply; a default in a list that it applied
            // stays.
            let stays = if by_update {
                !to_ask && !applied()
            } else {
                owners.as_part
            };
            // `kubectl scale` goes by the name of `kubectl apply --server-side`.
            let declarer = manager.name == self.writer.manager() && manager.subresource.is_empty() && stays;
            let default = manager.name == KUBECTL_APPLY && by_update && self.applied.is_some() && !applied();
            declarer
                || default
                || manager.subresource == "status"
                || by_design::controller(&manager.name)
                || (controllers_too && !by_design::by_hand(&manager.name))
        };
        if owners.indices.is_empty() {
            match self.was_scaled(path) {
                true => Owned::FOREIGN,
                false => Owned::NOBODY,
            }
        } else if owners.indices.iter().any(rightful) {
            Owned::RIGHTFUL
        } else {
            Owned::FOREIGN
        }
    }

    /// Whether this is a number of replicas that somebody set by `kubectl scale`: where nobody owned it before, that leaves no trace in
    /// managedFields (`ScaleHandler` of the API server keeps entries that had it), and no default is other than 1.
    fn was_scaled(&self, path: &Path) -> bool {
        self.group == "apps"
            && path.0.len() == 2
            && path.begins(&["spec", "replicas"])
            && path.at(self.live).is_some_and(|count| *count != 1)
    }

    /// The object as it would be after an apply (`then`), without the suspects: what to ask the server with.
    pub fn without(suspects: &Suspects, then: &Value) -> Value {
        let mut value = then.clone();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
        }
        // Of a list the last go first, so that numbers hold.
        suspects.0.iter().rev().for_each(|path| path.remove_from(&mut value));
        value
    }

    /// The suspects that are no defaults: `replaced` is what the server would make of the object [without](Pair::without)
    /// them.
    pub fn added(&self, suspects: &Suspects, replaced: &Value) -> Vec<FieldDrift> {
        let mut found = Vec::new();
        for path in &suspects.0 {
            match (path.at(replaced), path.at(self.live)) {
                (Some(default), Some(live)) => {
                    let differing = walk(default, live, Against::Server).into_iter();
                    let paths = differing.filter(|(_, side)| *side != Side::OnlyWanted);
                    found.extend(paths.map(|(below, _)| Path([path.0.clone(), below.0].concat())));
                }
                _ => found.push(path.clone()),
            }
        }
        // A default that follows from another change (`externalTrafficPolicy` from `type`).
        found.retain(|path| {
            let value = path.at(self.live);
            !value.is_some_and(|value| defaults::is_default(self.group, self.kind, &path.to_string(), value))
        });
        self.drifts(found.into_iter().map(|path| (path, FieldChange::Added)))
    }

    /// The suspects that are no defaults known here.
    pub fn added_offline(&self, suspects: &Suspects) -> Vec<FieldDrift> {
        let mut found = Vec::new();
        for path in &suspects.0 {
            if let Some(value) = path.at(self.live) {
                self.not_default(value, path, &mut found);
            }
        }
        self.drifts(found.into_iter().map(|path| (path, FieldChange::Added)))
    }

    /// Collects the topmost fields of which nothing is a default; says whether there is any in this one. An element of a list
    /// is one thing: it has defaults because it was added.
    fn not_default(&self, value: &Value, path: &Path, found: &mut Vec<Path>) -> bool {
        if defaults::is_default(self.group, self.kind, &path.to_string(), value) {
            return true;
        }
        let before = found.len();
        let inner = children(value);
        let count = inner.len();
        let mut with_defaults = false;
        for (step, value) in inner {
            with_defaults |= self.not_default(value, &path.child(step), found);
        }
        let element = !matches!(path.0.last(), Some(Step::Field(_)));
        let whole = count == 0 || !with_defaults || (element && found.len() > before);
        if whole {
            found.truncate(before);
            found.push(path.clone());
        }
        with_defaults && !whole
    }

    /// Whether a field is left to others, whatever stands there.
    fn is_nobodys_drift(&self, path: &Path, change: FieldChange) -> bool {
        let declared = change != FieldChange::Added;
        (path.begins(&["status"]) && self.declared.get("status").is_none())
            || (path.begins(&["spec", "replicas"]) && self.is_scaled())
            || by_design::filled(&self.declared, path)
            || by_design::field(self.group, self.kind, &path.to_string(), declared)
            || (declared && self.is_generated(path, change))
            // Copied, with the labels of what an engine does declare. Its annotations are copied by nobody.
            || (!declared
                && path.begins(&["metadata", "labels"])
                && path.at(self.live).is_some_and(|value| is_mark(&path.to_string(), value)))
    }

    /// Whether an autoscaler set the replicas that are there.
    fn is_scaled(&self) -> bool {
        match self.scaling {
            Scaling::Declared => false,
            Scaling::FromOne => self.live.pointer("/spec/replicas").and_then(Value::as_i64) != Some(0),
            Scaling::FromZero => true,
        }
    }

    fn is_generated(&self, path: &Path, change: FieldChange) -> bool {
        if self.generated.is_empty() {
            return false;
        }
        let Some(here) = path.pointer(&self.declared) else {
            return false;
        };
        let below = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        let covers = |field: &String| {
            *field == here || below(&here, field) || (change == FieldChange::Changed && below(field, &here))
        };
        self.generated.iter().any(covers)
    }

    /// Each label and annotation is a field of its own, also where all of them came or went.
    fn drifts(&self, found: impl Iterator<Item = (Path, FieldChange)>) -> Vec<FieldDrift> {
        let mut all = Vec::new();
        for (path, change) in found {
            let held = match change {
                FieldChange::Removed => path.at(&self.declared),
                _ => path.at(self.live),
            };
            match held {
                Some(Value::Object(map)) if matches!(path.last_field(), "labels" | "annotations") => {
                    let paths = map.keys().map(|key| path.child(Step::Field(key.clone())));
                    all.extend(paths.filter_map(|path| self.drift(&path, change)));
                }
                _ => all.extend(self.drift(&path, change)),
            }
        }
        all
    }

    fn drift(&self, path: &Path, change: FieldChange) -> Option<FieldDrift> {
        if self.is_nobodys_drift(path, change) {
            return None;
        }
        let value = |object: &Value| path.at(object).filter(|_| self.may_be_shown(path)).cloned();
        let waived = self
            .waivers
            .of((path, change), (&self.declared, self.live), || self.others(path));
        Some(FieldDrift {
            path: path.to_string(),
            change,
            declared: value(&self.declared).filter(|_| change != FieldChange::Added),
            live: value(self.live).filter(|_| change != FieldChange::Removed),
            manager: self.owner(path).filter(|_| change != FieldChange::Removed),
            digest: if self.may_be_shown(path) {
                0
            } else {
                digest(&[path.at(&self.declared), path.at(self.live)])
            },
            waived: waived.map(str::to_owned),
        })
    }

    /// The managers, but for the declarer, that own a field or something in it.
    fn others(&self, path: &Path) -> Vec<&'a str> {
        let object: &'a LiveObject = self.object;
        let names = self
            .all_owners(path)
            .into_iter()
            .map(|index| object.managers[index].name.as_str());
        names.filter(|name| *name != self.writer.manager()).collect()
    }

    /// Of a Secret only what cannot hold a value.
    fn may_be_shown(&self, path: &Path) -> bool {
        let secret = self.group.is_empty() && self.kind == "Secret";
        !secret || path.begins(&["metadata", "labels"]) || path.begins(&["type"]) || path.begins(&["immutable"])
    }

    /// The manager that owns a field, or something below it: of several the one who wrote last, the declarer and controllers
    /// after all others.
    fn owner(&self, path: &Path) -> Option<usize> {
        self.all_owners(path).into_iter().max_by_key(|index| {
            let manager = &self.object.managers[*index];
            let declarer = manager.name == self.writer.manager();
            (!declarer, !by_design::controller(&manager.name), &manager.time)
        })
    }

    /// Of a field and of what is in it, with repeats.
    fn all_owners(&self, path: &Path) -> Vec<usize> {
        let mut all = owners(&self.object.managers, self.live, path).indices;
        if let Some(value) = path.at(self.live) {
            self.owners_below(value, path, &mut all);
        }
        all
    }

    fn owners_below(&self, value: &Value, path: &Path, all: &mut Vec<usize>) {
        for (step, value) in children(value) {
            let path = path.child(step);
            all.extend(owners(&self.object.managers, self.live, &path).indices);
            self.owners_below(value, &path, all);
        }
    }
}

/// What is in a value, with the steps to it; of a list of plain values nothing: it is one.
pub(super) fn children(value: &Value) -> Vec<(Step, &Value)> {
    match value {
        Value::Object(map) => {
            let field = |(key, value)| (Step::Field(String::clone(key)), value);
            map.iter().map(field).collect()
        }
        Value::Array(list) if !is_plain(list) => {
            let keys = keys_of(list);
            let step = |(index, element)| (keys.map_or(Step::Index(index), |keys| Step::to(element, keys)), element);
            list.iter().enumerate().map(step).collect()
        }
        _ => Vec::new(),
    }
}

/// Of values that must not be shown: with a key that nobody knows and that ends with this run.
fn digest(values: &[Option<&Value>]) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(
        values
            .iter()
            .map(|value| value.map(Value::to_string))
            .collect::<Vec<_>>(),
    )
}

/// The declaration with base64 as the server writes it, on one line.
fn as_written(manifest: &Value) -> Cow<'_, Value> {
    let field = match manifest.get("kind").and_then(Value::as_str) {
        Some("Secret") => "data",
        Some("ConfigMap") => "binaryData",
        _ => return Cow::Borrowed(manifest),
    };
    let broken = |text: &Value| text.as_str().is_some_and(|text| text.contains(['\n', '\r', ' ']));
    let entries = manifest.get(field).and_then(Value::as_object);
    if !entries.is_some_and(|entries| entries.values().any(broken)) {
        return Cow::Borrowed(manifest);
    }
    let mut value = manifest.clone();
    for (_, text) in value
        .get_mut(field)
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        if let Value::String(text) = text {
            text.retain(|c| !c.is_ascii_whitespace());
        }
    }
    Cow::Owned(value)
}
