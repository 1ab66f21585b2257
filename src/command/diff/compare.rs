//! The comparison: objects that one side has, and fields of those that both have.

use std::collections::{BTreeMap, BTreeSet};

use super::side::{Side, State};
use crate::declared::{Kept, declaration, statuses_are_data};
use crate::object::{
    Declared, Edit, FieldDrift, FieldEdit, Manifest, ObjectEdit, ObjectId, Pair, Scaling, Standing, between,
    without_values,
};
use crate::snapshot::is_confidential;

/// What came of it.
#[derive(Default)]
pub(super) struct Compared {
    /// Objects that differ, by identity.
    pub objects: Vec<ObjectEdit>,
    /// How many do not.
    pub same: usize,
    /// Objects on both sides of which only the keys were compared.
    pub masked: Vec<ObjectId>,
}

/// An object of a side.
#[derive(Clone, Copy)]
enum Thing<'a> {
    Declared(&'a Declared),
    Live(&'a Kept),
}

/// What counts for live objects of both sides.
struct Known {
    /// Kinds whose status is a field as any other.
    plain: BTreeSet<(String, String)>,
    /// Workloads whose replicas an autoscaler sets: kind, namespace, name.
    scaled: BTreeMap<(String, Option<String>, String), Scaling>,
}

/// Compares two sides.
pub(super) fn compare(before: &Side, after: &Side) -> Compared {
    let known = Known::of(&[before, after]);
    let mut ids: BTreeSet<&ObjectId> = BTreeSet::new();
    for side in [before, after] {
        match &side.state {
            State::Declared(objects) => ids.extend(objects.keys()),
            State::Live(live) => {
                let own = live.objects.iter().filter(|(_, kept)| kept.standing == Standing::Own);
                ids.extend(own.map(|(id, _)| id));
            }
        }
    }
    let mut all = Compared::default();
    for id in ids {
        let edit = |edit: Edit, thing: Thing<'_>, fields: Vec<FieldEdit>| ObjectEdit {
            id: id.clone(),
            edit,
            file: thing.file(),
            fields,
        };
        match (before.get(id), after.get(id)) {
            (Some(one), Some(other)) => {
                if one.is_masked() || other.is_masked() {
                    all.masked.push(id.clone());
                }
                match fields(id, one, other, &known) {
                    fields if fields.is_empty() => all.same += 1,
                    fields => all.objects.push(edit(Edit::Changed, other, fields)),
                }
            }
            (None, Some(new)) if before.would_have(id) => all.objects.push(edit(Edit::Added, new, Vec::new())),
            (Some(old), None) if after.would_have(id) => all.objects.push(edit(Edit::Removed, old, Vec::new())),
            _ => {}
        }
    }
    all
}

/// The fields in which two states of an object differ.
fn fields(id: &ObjectId, one: Thing<'_>, other: Thing<'_>, known: &Known) -> Vec<FieldEdit> {
    let masked = one.is_masked() || other.is_masked();
    let is_confidential = is_confidential(id);
    let plainly = |one: &serde_json::Value, other: &serde_json::Value| match masked {
        true => between(&without_values(one), &without_values(other), is_confidential),
        false => between(one, other, is_confidential),
    };
    match (one, other) {
        (Thing::Declared(one), Thing::Declared(other)) => plainly(one.manifest.value(), other.manifest.value()),
        (Thing::Live(one), Thing::Live(other)) => {
            let mut found = plainly(&known.declaration(id, one), &known.declaration(id, other));
            // The version it was read in, not one that somebody chose.
            found.retain(|edit| edit.path != ".apiVersion");
            found
        }
        (Thing::Declared(declared), Thing::Live(live)) => known.drift(id, declared, live, masked),
        (Thing::Live(live), Thing::Declared(declared)) => {
            let mut found = known.drift(id, declared, live, masked);
            found
                .iter_mut()
                .for_each(|edit| std::mem::swap(&mut edit.before, &mut edit.after));
            found
        }
    }
}

impl Side {
    fn get(&self, id: &ObjectId) -> Option<Thing<'_>> {
        match &self.state {
            State::Declared(objects) => objects.get(id).map(Thing::Declared),
            State::Live(live) => live.objects.get(id).map(Thing::Live),
        }
    }
}

impl Thing<'_> {
    fn file(&self) -> String {
        match self {
            Self::Declared(declared) => declared.provenance.file.clone(),
            Self::Live(kept) => kept.file.clone(),
        }
    }

    fn is_masked(&self) -> bool {
        matches!(self, Self::Live(kept) if kept.masked.is_some())
    }

    fn value(&self) -> &serde_json::Value {
        match self {
            Self::Declared(declared) => declared.manifest.value(),
            Self::Live(kept) => &kept.value,
        }
    }
}

impl Known {
    fn of(sides: &[&Side]) -> Self {
        let mut known = Self {
            plain: BTreeSet::new(),
            scaled: BTreeMap::new(),
        };
        for side in sides {
            let things: BTreeMap<&ObjectId, Thing<'_>> = match &side.state {
                State::Declared(objects) => objects.iter().map(|(id, one)| (id, Thing::Declared(one))).collect(),
                State::Live(live) => live.objects.iter().map(|(id, one)| (id, Thing::Live(one))).collect(),
            };
            known.plain.extend(statuses_are_data(things.values().map(Thing::value)));
            for (id, thing) in things {
                let is = |(group, kind): &(&str, &str)| id.is(group, kind);
                if crate::cluster::AUTOSCALERS.iter().any(is) {
                    let target = &thing.value()["spec"]["scaleTargetRef"];
                    let text = |key: &str| target[key].as_str().unwrap_or_default().to_owned();
                    let kind = Some(text("kind")).filter(|kind| !kind.is_empty());
                    let kind = kind.unwrap_or_else(|| "Deployment".to_owned());
                    let target = (kind, id.namespace.clone(), text("name"));
                    let scaling = known.scaled.entry(target).or_default();
                    *scaling = Scaling::by(&id.kind, thing.value()).max(*scaling);
                }
            }
        }
        known
    }

    fn scaling(&self, id: &ObjectId) -> Scaling {
        let workload = (id.kind.clone(), id.namespace.clone(), id.name.clone());
        self.scaled.get(&workload).copied().unwrap_or_default()
    }

    fn declaration(&self, id: &ObjectId, kept: &Kept) -> serde_json::Value {
        declaration(
            &kept.value,
            &kept.object,
            &self.plain,
            self.scaling(id) != Scaling::Declared,
        )
    }

    /// What is not live as it is declared, and what is live beside.
    fn drift(&self, id: &ObjectId, declared: &Declared, live: &Kept, masked: bool) -> Vec<FieldEdit> {
        let (mut declared, mut value) = (declared.clone(), live.value.clone());
        if masked {
            value = without_values(&value);
            // An object that has all that a manifest must have still has it.
            if let Ok(manifest) = Manifest::new(without_values(declared.manifest.value())) {
                declared.manifest = manifest;
            }
        }
        let pair = Pair::new(&declared, &value, &live.object, self.scaling(id));
        let mut found = pair.changed_offline();
        found.extend(pair.added_offline(&pair.suspects(None, false)));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let is_confidential = is_confidential(id);
        let edit = |drift: FieldDrift| {
            let is_hidden = is_confidential && drift.declared.is_none() && drift.live.is_none() || is_release(id);
            FieldEdit {
                path: drift.path,
                before: drift.declared.filter(|_| !is_hidden),
                after: drift.live.filter(|_| !is_hidden),
                is_hidden,
            }
        };
        found.into_iter().map(edit).collect()
    }
}

/// What holds secrets and is no Secret.
fn is_release(id: &ObjectId) -> bool {
    is_confidential(id) && !id.is("", "Secret")
}
