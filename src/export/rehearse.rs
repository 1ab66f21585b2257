//! What was exported, beside what came of it in an empty cluster. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Change, Changeset, Intent, proof};
use crate::cluster::Cleaned;
use crate::object::{Declared, DeclaredSet, Edit, FieldEdit, ObjectEdit, ObjectId, Outcome, Readiness, between};

/// What came of exported objects in an empty cluster.
#[derive(Debug, Clone, Default)]
pub struct Rehearsed {
    /// How many objects were compared.
    pub checked: usize,
    /// Those that came out otherwise, by identity: from what is live to what is there.
    pub objects: Vec<ObjectEdit>,
    /// Those that are there, and did not become ready. Simulated nodes are not those of the cluster: it need not be so there.
    pub not_ready: Vec<ObjectId>,
    /// What happened to those that are not there or not ready, and to what they were to wait for.
    pub outcomes: BTreeMap<ObjectId, Outcome>,
}

/// The objects that were exported, to be read where `set`, the changed repository, was restored.
pub fn to_rehearse<'a>(
    intent: &'a Intent,
    made: &Changeset,
    set: &'a DeclaredSet,
) -> Vec<(ObjectId, Option<&'a Declared>)> {
    let declared: BTreeMap<&ObjectId, &Declared> = set.objects.iter().map(|one| (&one.id, one)).collect();
    let exported = exported(intent, made).into_iter();
    exported
        .map(|(id, changes)| {
            let called = called(&id, &changes, declared.keys().copied()).clone();
            let declared = declared.get(&called).copied();
            (called, declared)
        })
        .collect()
}

/// Compares what was exported with what is there, and what happened to it. Of an object that was in Git before only the exported fields
/// count: the others are as declared, or are left to others.
pub fn rehearsed(
    intent: &Intent,
    made: &Changeset,
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    there: &BTreeMap<ObjectId, Cleaned>,
    outcomes: &[(ObjectId, Outcome)],
) -> Rehearsed {
    let exported = exported(intent, made);
    let mut found = Rehearsed {
        checked: exported.len(),
        ..Rehearsed::default()
    };
    for (id, changes) in exported {
        let live = match changes[..] {
            [Change::Remove { .. }, ..] => None,
            [Change::Add { manifest }, ..] => Some(manifest.value()),
            _ => cleaned.get(&id).map(|one| one.manifest.value()),
        };
        let called = called(&id, &changes, there.keys());
        let there = there.get(called).map(|one| one.manifest.value());
        if live.is_some() && there.is_some() {
            found.not_ready.push(called.clone());
        }
        let (edit, fields) = match (live, there) {
            (Some(live), Some(there)) => (Edit::Changed, differing(&id, &changes, live, there)),
            (Some(_), None) => (Edit::Removed, Vec::new()),
            (None, Some(_)) => (Edit::Added, Vec::new()),
            (None, None) => continue,
        };
        if edit != Edit::Changed || !fields.is_empty() {
            found.objects.push(ObjectEdit {
                id,
                edit,
                file: String::new(),
                fields,
            });
        }
    }
    let gone = found.objects.iter().filter(|one| one.edit == Edit::Removed);
    let gone: BTreeSet<&ObjectId> = gone.map(|one| &one.id).collect();
    // With those that are the reason why others are not there.
    let telling = |(id, outcome): &&(ObjectId, Outcome)| gone.contains(id) || outcome.wants_a_look();
    found.outcomes = outcomes.iter().filter(telling).cloned().collect();
    let is_late = |outcome: &Outcome| matches!(outcome.readiness, Readiness::Failed(_) | Readiness::TimedOut(_));
    found.not_ready.retain(|id| found.outcomes.get(id).is_some_and(is_late));
    found
}

/// The changes that have a place, by object.
fn exported<'a>(intent: &'a Intent, made: &Changeset) -> BTreeMap<ObjectId, Vec<&'a Change>> {
    let mut found: BTreeMap<ObjectId, Vec<&Change>> = BTreeMap::new();
    for placed in &made.placed {
        let change = &intent.changes[placed.change];
        found.entry(change.object()).or_default().push(change);
    }
    found
}

/// An object as it is called among these: the name of a generated one ends in another hash once a field is another.
fn called<'a>(
    id: &'a ObjectId,
    changes: &[&Change],
    among: impl Iterator<Item = &'a ObjectId> + Clone,
) -> &'a ObjectId {
    let of_field = changes.iter().any(|change| change.path().is_some());
    let Some(stem) = id
        .without_hash()
        .filter(|_| of_field && !among.clone().any(|one| one == id))
    else {
        return id;
    };
    let of_stem =
        |one: &&ObjectId| (&one.kind, &one.namespace) == (&id.kind, &id.namespace) && one.without_hash() == Some(stem);
    let mut of_stem = among.filter(of_stem);
    match (of_stem.next(), of_stem.next()) {
        (Some(one), None) => one,
        _ => id,
    }
}

fn differing(id: &ObjectId, changes: &[&Change], live: &Value, there: &Value) -> Vec<FieldEdit> {
    let is_secret = id.is("", "Secret");
    let mut there = there.clone();
    let paths: Vec<&str> = changes.iter().filter_map(|change| change.path()).collect();
    if paths.is_empty() {
        proof::take_marks(&mut there, live);
    }
    let mut fields = between(live, &there, is_secret);
    fields.retain(|edit| paths.is_empty() || paths.iter().any(|path| lie_on_one_way(path, &edit.path)));
    fields
}

/// Whether one field is the other, or lies in it.
fn lie_on_one_way(one: &str, other: &str) -> bool {
    let lies_in = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    lies_in(one, other) || lies_in(other, one)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::Proof;
    use crate::export::Placed;
    use crate::object::{Action, LiveObject, Manifest, Place};

    fn manifest(name: &str, more: &Value) -> Manifest {
        let mut value =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
        for (key, field) in more.as_object().into_iter().flatten() {
            value[key] = field.clone();
        }
        Manifest::new(value).expect("because it is one")
    }

    fn cleaned<const N: usize>(of: [(&str, Value); N]) -> BTreeMap<ObjectId, Cleaned> {
        let one = |(name, more): (&str, Value)| {
            let manifest = manifest(name, &more);
            let cleaned = Cleaned {
                live: manifest.clone(),
                object: LiveObject::default(),
                proof: Proof::Replaced,
                manifest,
            };
            (cleaned.manifest.id(), cleaned)
        };
        of.map(one).into()
    }

    /// What came of it, where `a` was new, of `b` a field was changed, and `c` was deleted.
    fn found<const N: usize>(there: [(&str, Value); N], outcomes: &[(ObjectId, Outcome)]) -> Rehearsed {
        let id = |name: &str| ObjectId::new("", "ConfigMap", Some("shop"), name);
        let set = Change::Set {
            object: id("b"),
            path: ".data.x".to_owned(),
            value: "1".into(),
        };
        let unplaced = Change::Unset {
            object: id("d"),
            path: ".data.x".to_owned(),
        };
        let new = manifest("a", &json!({"data": {"k": "v"}}));
        let intent = Intent {
            changes: vec![
                Change::Add { manifest: new },
                set,
                Change::Remove { object: id("c") },
                unplaced,
            ],
            ..Intent::default()
        };
        let placed = (0..3).map(|change| Placed {
            change,
            place: Place::file("x.yaml"),
            why: String::new(),
        });
        let made = Changeset {
            placed: placed.collect(),
            ..Changeset::default()
        };
        let live = cleaned([("b", json!({"data": {"x": "1", "waived": "live"}}))]);
        let found = rehearsed(&intent, &made, &live, &cleaned(there), outcomes);
        assert_eq!(found.checked, 3);
        found
    }

    fn told<const N: usize>(there: [(&str, Value); N]) -> Vec<String> {
        let found = found(there, &[]);
        let objects = found.objects.iter();
        let fields = |one: &ObjectEdit| {
            one.fields
                .iter()
                .map(|edit| format!(" {}", edit.path))
                .collect::<String>()
        };
        objects
            .map(|one| format!("{:?} {}{}", one.edit, one.id.name, fields(one)))
            .collect()
    }

    #[test]
    fn only_what_was_exported_counts() {
        let new =
            json!({"data": {"k": "v"}, "metadata": {"name": "a", "namespace": "shop", "labels": {"of": "the unit"}}});
        let changed = json!({"data": {"x": "1", "waived": "declared"}});
        assert_eq!(told([("a", new), ("b", changed.clone())]), [""; 0]);
        let other = json!({"data": {"k": "w", "more": "x"}});
        assert_eq!(
            told([("a", other), ("b", json!({"data": {"x": "2"}})), ("c", json!({}))]),
            ["Changed a .data.k .data.more", "Changed b .data.x", "Added c"]
        );
        assert_eq!(told([("b", changed)]), ["Removed a"]);
    }

    #[test]
    fn what_is_there_and_not_ready_is_told() {
        let id = |name: &str| ObjectId::new("", "ConfigMap", Some("shop"), name);
        let outcome = |action: Action, readiness: Readiness| Outcome {
            action,
            readiness,
            without: Vec::new(),
            warnings: Vec::new(),
        };
        let late = || outcome(Action::Created, Readiness::TimedOut("no room".to_owned()));
        let failed = outcome(Action::Created, Readiness::Failed("it broke".to_owned()));
        let refused = outcome(Action::Failed("no".to_owned()), Readiness::NotWaitedFor);
        let current = || outcome(Action::Created, Readiness::Current);
        let changed = || ("b", json!({"data": {"x": "1"}}));
        let names = |found: &Rehearsed| found.not_ready.iter().map(|id| id.name.clone()).collect::<Vec<_>>();

        let all = found(
            [("a", json!({"data": {"k": "v"}})), changed()],
            &[
                (id("a"), failed),
                (id("b"), late()),
                (id("other"), late()),
                (id("d"), current()),
            ],
        );
        assert_eq!(
            (names(&all), all.objects.len()),
            (vec!["a".to_owned(), "b".to_owned()], 0)
        );
        assert!(all.outcomes.contains_key(&id("other")) && !all.outcomes.contains_key(&id("d")));

        // What is not there is not late too, and what was deleted is not to be there at all.
        let all = found(
            [changed(), ("c", json!({}))],
            &[(id("a"), refused), (id("b"), current()), (id("c"), late())],
        );
        assert_eq!((names(&all), all.objects.len()), (Vec::new(), 2));
    }

    #[test]
    fn a_generated_object_is_found_by_its_new_name() {
        let named = |name: &str| ObjectId::new("", "ConfigMap", Some("shop"), name);
        let (old, new, other) = (
            named("web-bcdfghkmt2"),
            named("web-2456789bcd"),
            named("web-t2t2t2t2t2"),
        );
        let path = ".data.x".to_owned();
        let unset = Change::Unset {
            object: old.clone(),
            path,
        };
        let remove = Change::Remove { object: old.clone() };
        let of = |change: &Change, among: &[&ObjectId]| called(&old, &[change], among.iter().copied()).name.clone();
        assert_eq!(of(&unset, &[&named("web"), &new]), new.name);
        assert_eq!(of(&unset, &[&old, &new]), old.name);
        assert_eq!(of(&unset, &[&new, &other]), old.name);
        assert_eq!(of(&remove, &[&new]), old.name);
    }
}
