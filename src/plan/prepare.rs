//! From what is declared to what is planned: in versions that are served, with what it makes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::edges;
use super::item::{Content, Item};
use super::migrate::{Migration, migrate};
use super::{Note, NoteKind, PlanOptions, modes};
use crate::object::{Declared, DeclaredSet, Facts, Manifest, ObjectId, Problem, ProblemKind, ServedKinds};

/// What is declared, in versions that are served, and what it makes; sorted by identity.
pub(super) fn items<'a>(
    set: &'a DeclaredSet,
    facts: &Facts,
    options: &PlanOptions,
    notes: &mut Vec<Note>,
    problems: &mut Vec<Problem>,
) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::with_capacity(set.objects.len());
    let left = modes::left(set, options);
    for declared in &set.objects {
        let left_to = left.get(&declared.unit).copied();
        if left_to.is_some() && modes::comes_and_goes(declared) {
            continue;
        }
        if let Some(mark) = declared.left_out().filter(|_| declared.is_of_kustomization()) {
            let message = format!("it is not restored: Flux leaves it out ({mark})");
            problems.push(Problem::note(declared.provenance.place(), message).of(declared.id.clone()));
            continue;
        }
        let manifest = migrated(declared, facts, options, notes);
        let mut id = declared.id.clone();
        manifest.group().clone_into(&mut id.group);
        items.push(Item {
            id,
            content: Content::Declared(declared, manifest),
            left_to,
        });
    }
    items.sort_by(|a, b| a.id.cmp(&b.id));
    drop_doubles(&mut items, problems);
    let ids: BTreeSet<&ObjectId> = items.iter().map(|item| &item.id).collect();
    let mut made: Vec<(ObjectId, ObjectId)> = (items.iter())
        .filter(|item| options.is_played(&item.id))
        .flat_map(|item| edges::made_by(item).into_iter().map(|secret| (secret, item.id.clone())))
        .filter(|(secret, _)| !ids.contains(secret))
        .collect();
    made.sort();
    made.dedup_by(|later, first| later.0 == first.0);
    items.extend(made.into_iter().map(|(id, maker)| Item {
        id,
        content: Content::MadeBy(maker),
        left_to: None,
    }));
    items.sort_by(|a, b| a.id.cmp(&b.id));
    items
}

/// The manifest in a version that is served, where it can be rewritten; what was or cannot be done about it is noted.
fn migrated<'a>(
    declared: &'a Declared,
    facts: &Facts,
    options: &PlanOptions,
    notes: &mut Vec<Note>,
) -> Cow<'a, Manifest> {
    let old = &declared.manifest;
    let mut note = |kind, object: ObjectId, message: String, hint: String| {
        notes.push(Note {
            kind,
            object: Some(object),
            place: Some(declared.provenance.place()),
            message,
            hint: Some(hint),
        });
    };
    match migrate(old, &facts.kinds) {
        Migration::AsItIs => Cow::Borrowed(old),
        Migration::Rewritten(new, remark) if options.migrate => {
            let id = ObjectId::new(new.group(), new.kind(), declared.id.namespace.as_deref(), new.name());
            let remark = remark.map_or(String::new(), |remark| format!("; {remark}"));
            let message = format!(
                "rewritten to {}: {} is not served{remark}",
                new.api_version(),
                old.api_version()
            );
            let hint = format!("Git still declares {}: your engine will fail on it", old.api_version());
            note(NoteKind::Migrated, id, message, hint);
            Cow::Owned(new)
        }
        Migration::Rewritten(new, _) => {
            let message = format!("not restored: {} is not served", old.api_version());
            let hint = format!("declare it as {}, or leave --no-migrate out", new.api_version());
            note(NoteKind::NotServed, declared.id.clone(), message, hint);
            Cow::Borrowed(old)
        }
        Migration::NeedsEdit(why, edit) => {
            note(NoteKind::NeedsEdit, declared.id.clone(), not_restored(old, &why), edit);
            Cow::Borrowed(old)
        }
    }
}

/// Objects that became one by being rewritten (an Ingress in two groups): the last in path order stays.
fn drop_doubles(items: &mut Vec<Item<'_>>, problems: &mut Vec<Problem>) {
    let mut kept: Vec<Item<'_>> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        match kept.last_mut() {
            Some(last) if last.id == item.id => {
                let place = |item: &Item<'_>| item.declared().map(|declared| declared.provenance.place());
                problems.push(Problem {
                    kind: ProblemKind::Error,
                    places: place(last).into_iter().chain(place(&item)).collect(),
                    object: Some(item.id.clone()),
                    message: "declared in two API versions; only the last place is used".to_owned(),
                    hint: Some("keep one of them".to_owned()),
                });
                *last = item;
            }
            _ => kept.push(item),
        }
    }
    *items = kept;
}

/// The set under the identities that are going to be written, to ask a target about. They differ from those declared where an
/// API version that is not served moves to another group.
pub fn with_written_ids(mut set: DeclaredSet, kinds: &ServedKinds, options: &PlanOptions) -> DeclaredSet {
    for declared in &mut set.objects {
        if let (true, Migration::Rewritten(new, _)) = (options.migrate, migrate(&declared.manifest, kinds)) {
            new.group().clone_into(&mut declared.id.group);
        }
    }
    set
}

/// Likewise with the manifests that are written, to compare them with what is live. What is not written until somebody edits it
/// is a problem of the set.
pub fn with_written_manifests(mut set: DeclaredSet, kinds: &ServedKinds, options: &PlanOptions) -> DeclaredSet {
    for declared in &mut set.objects {
        match migrate(&declared.manifest, kinds) {
            Migration::Rewritten(new, _) if options.migrate => {
                new.group().clone_into(&mut declared.id.group);
                declared.manifest = new;
            }
            Migration::NeedsEdit(why, edit) => set.problems.push(Problem {
                kind: ProblemKind::Error,
                places: vec![declared.provenance.place()],
                object: Some(declared.id.clone()),
                message: not_restored(&declared.manifest, &why),
                hint: Some(edit),
            }),
            Migration::Rewritten(..) | Migration::AsItIs => {}
        }
    }
    set.problems.sort_by(|a, b| a.places.cmp(&b.places));
    set
}

fn not_restored(manifest: &Manifest, why: &str) -> String {
    format!("not restored: {} is not served, and {why}", manifest.api_version())
}
