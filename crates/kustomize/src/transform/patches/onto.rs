//! Applies a patch to the objects that it is for.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::PatchOptions;
use super::documents::lacks;
use crate::context::{Context, Nulls};
use crate::id::{Id, split_api_version, text};
use crate::json6902::Operations;
use crate::merge::{Merge, Merged};
use crate::resmap::ResMap;
use crate::resource::{Behavior, Previous, Resource};
use crate::scalar;
use crate::schema::Schema;
use crate::selector::Selector;
use crate::shared::By;
use crate::trouble::{Outcome, Trouble};

/// What it costs to patch an object.
const WORK: usize = 8;

/// Places of the objects that a target chooses.
fn chosen(map: &ResMap, target: &Selector, cx: &Context<'_>) -> Outcome<Vec<usize>> {
    cx.files.work(map.list.len())?;
    let selection = target.compile()?;
    let mut places = Vec::new();
    for (at, resource) in map.list.iter().enumerate() {
        if selection.matches(resource, cx.schema)? {
            places.push(at);
        }
    }
    Ok(places)
}

/// A JSON patch on the objects of its target. `remembers` says that they keep their identity from before, as with `patches`.
pub(super) fn json(
    map: &mut ResMap,
    target: Option<&Selector>,
    operations: Operations<'_>,
    remembers: bool,
    cx: &Context<'_>,
) -> Outcome<()> {
    let target = target.ok_or_else(|| Trouble::new("a JSON patch must specify a target"))?;
    for at in chosen(map, target, cx)? {
        let Some(resource) = map.list.get_mut(at) else { continue };
        cx.files.work(WORK)?;
        let id = resource.id(cx.schema).to_owned();
        if remembers {
            resource.remember_id(cx.schema);
        }
        // kustomize keeps memories in annotations, so that these are there for the patch to add to.
        if has_memories(resource)
            && let Some(metadata) = resource.metadata_mut()
        {
            let annotations = metadata.entry("annotations").or_insert(Value::Null);
            if annotations.is_null() {
                *annotations = Value::Object(Map::new());
            }
        }
        let value = resource.value_mut();
        operations
            .apply(value, &|amount| cx.files.work(amount).map_err(|over| over.message))
            .map_err(|cause| Trouble::new(format!("{}: {cause}", id.as_id())))?;
        if let Some(field) = lacks(value) {
            return Err(Trouble::new(format!(
                "{}: the patch takes its {field} away",
                id.as_id()
            )));
        }
        texts_only(value, "annotations");
        resource.nulls = Nulls::Kept;
        resource.part();
    }
    Ok(())
}

/// Whether kustomize would have annotations of its own on the object.
fn has_memories(resource: &Resource) -> bool {
    let lists = [
        resource.prefixes.is_empty(),
        resource.suffixes.is_empty(),
        resource.referrers.is_empty(),
    ];
    !resource.previous.is_empty()
        || lists.contains(&false)
        || resource.needs_hash
        || resource.behavior != Behavior::Unspecified
}

/// A strategic merge patch for the one object that it names, now or before. `copied` says that kustomize copies it first, which
/// is as for [`by_target`].
pub(super) fn by_name(
    map: &mut ResMap,
    patch: &mut Cow<'_, Value>,
    options: PatchOptions,
    copied: bool,
    cx: &Context<'_>,
) -> Outcome<()> {
    let (group, version) = split_api_version(text(patch, &["apiVersion"]));
    let kind = text(patch, &["kind"]);
    let id = Id {
        group,
        version,
        kind,
        namespace: text(patch, &["metadata", "namespace"]),
        name: text(patch, &["metadata", "name"]),
        cluster_scoped: cx.schema.is_cluster_scoped(group, version, kind),
    };
    let fail = |what: &str| {
        Err(Trouble::new(format!(
            "no unique object for the strategic merge patch {id}: {what}; the patch needs the \
            apiVersion, kind, name and namespace of an object that is there before this kustomization, or a target"
        )))
    };
    // Most are told apart by name and kind alone.
    let is_named = |resource: &Resource| {
        let was = |was: &Previous| was.name == id.name && was.kind == id.kind;
        (resource.name() == id.name && resource.kind() == id.kind) || resource.previous.iter().any(was)
    };
    let matches = |resource: &Resource| is_named(resource) && resource.all_ids(cx.schema).any(|other| other.equals(id));
    let mut places = (0..)
        .zip(&map.list)
        .filter(|(_, resource)| matches(resource))
        .map(|(at, _)| at);
    let at = match (places.next(), places.next()) {
        (Some(at), None) => at,
        (None, _) => return fail("none matches"),
        _ => return fail("several match"),
    };
    if copied {
        copy_metadata(patch);
    } else if options != PatchOptions::default() {
        // kustomize notes the options in the patch's annotations, which makes them texts.
        texts_only(patch.to_mut(), "annotations");
    }
    if let Some(resource) = map.list.get_mut(at)
        && merge(resource, patch, options, cx.schema)? == Merged::Deleted
    {
        map.list.remove(at);
    }
    Ok(())
}

/// A strategic merge patch for the objects of a target.
pub(super) fn by_target(
    map: &mut ResMap,
    target: &Selector,
    patch: &mut Cow<'_, Value>,
    options: PatchOptions,
    cx: &Context<'_>,
) -> Outcome<()> {
    let places = chosen(map, target, cx)?;
    copy_metadata(patch);
    let mut deleted = Vec::new();
    for at in places {
        let Some(resource) = map.list.get_mut(at) else { continue };
        cx.files.work(WORK)?;
        let api_version = text(&resource.value, &["apiVersion"]);
        if text(patch, &["apiVersion"]) != api_version
            && let Some(patch) = patch.to_mut().as_object_mut()
        {
            patch.insert("apiVersion".to_owned(), Value::String(api_version.to_owned()));
        }
        if merge(resource, patch, options, cx.schema)? == Merged::Deleted {
            deleted.push(at);
        }
    }
    for at in deleted.into_iter().rev() {
        map.list.remove(at);
    }
    if options != PatchOptions::default() {
        // Identities may have become one.
        let list = std::mem::take(&mut map.list);
        map.append_all(list, cx.schema)?;
    }
    Ok(())
}

/// Before kustomize applies a patch to a target, it copies the patch's labels and annotations as texts: null there deletes nothing, it
/// becomes a text, and a map that is null does nothing at all. A namespace that is null goes too.
fn copy_metadata(patch: &mut Cow<'_, Value>) {
    for field in ["labels", "annotations"] {
        let written = patch.get("metadata").and_then(|metadata| metadata.get(field));
        let differs = match written {
            None => false,
            Some(Value::Object(map)) => map.is_empty() || !map.values().all(Value::is_string),
            Some(_) => true,
        };
        if differs {
            texts_only(patch.to_mut(), field);
        }
    }
    let namespace = patch.get("metadata").and_then(|metadata| metadata.get("namespace"));
    if namespace.is_some_and(|namespace| scalar::text(namespace).is_empty())
        && let Some(Value::Object(metadata)) = patch.to_mut().get_mut("metadata")
    {
        metadata.shift_remove("namespace");
    }
}

/// Makes the values of a map in the metadata texts, and removes the map where it is empty or none.
fn texts_only(object: &mut Value, field: &str) {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else {
        return;
    };
    let Some(map) = metadata.get_mut(field) else { return };
    match map {
        Value::Object(map) if !map.is_empty() => {
            for value in map.values_mut().filter(|value| !value.is_string()) {
                // An explicit null is the text that it is written with.
                let written = if value.is_null() {
                    "null".to_owned()
                } else {
                    scalar::text(value).into_owned()
                };
                *value = Value::String(written);
            }
        }
        _ => drop(metadata.shift_remove(field)),
    }
}

/// Merges a patch into an object, whose name, kind and namespace stay where they may not change.
fn merge(resource: &mut Resource, patch: &Value, options: PatchOptions, schema: &Schema) -> Outcome<Merged> {
    let (name, namespace, kind) = (
        resource.name().to_owned(),
        resource.namespace().to_owned(),
        resource.kind().to_owned(),
    );
    if options != PatchOptions::default() {
        resource.remember_id(schema);
    }
    let keeps_nulls = resource.nulls != Nulls::Dropped;
    if let Nulls::Mixed(pointers) = resource.nulls.clone() {
        drop_nulls(resource.value_mut(), &pointers);
        resource.nulls = Nulls::Kept;
    }
    let cx = Merge { schema, keeps_nulls };
    let merged = cx
        .apply(resource.value_mut(), patch)
        .map_err(|misfit| Trouble::new(format!("the patch does not fit {}: {misfit}", resource.id(schema))))?;
    if merged == Merged::Deleted {
        return Ok(merged);
    }
    resource.restate(patch);
    resource.settle(By::Merging);
    if !options.allow_kind_change {
        resource.set_kind(&kind);
    }
    if !options.allow_name_change {
        resource.set_name(&name);
    }
    resource.set_namespace(&namespace);
    if removes_annotations(patch) {
        forget(resource);
    }
    Ok(merged)
}

/// Removes the nulls at some places.
fn drop_nulls(value: &mut Value, pointers: &[String]) {
    for pointer in pointers {
        let Some((map, key)) = pointer.rsplit_once('/') else {
            continue;
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        if let Some(Value::Object(map)) = value.pointer_mut(map)
            && map.get(&key).is_some_and(Value::is_null)
        {
            map.shift_remove(&key);
        }
    }
}

/// Whether a patch takes all annotations away, and with them kustomize's own.
fn removes_annotations(patch: &Value) -> bool {
    let Some(annotations) = patch.get("metadata").and_then(|metadata| metadata.get("annotations")) else {
        return false;
    };
    annotations.is_null() || matches!(text(annotations, &["$patch"]), "delete" | "replace")
}

/// What kustomize knows no more of an object whose annotations are gone.
fn forget(resource: &mut Resource) {
    resource.previous.clear();
    resource.prefixes.clear();
    resource.suffixes.clear();
    resource.referrers.clear();
    resource.behavior = Behavior::Unspecified;
    resource.needs_hash = false;
}
