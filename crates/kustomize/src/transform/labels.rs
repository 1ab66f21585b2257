//! `labels` and `commonLabels` (kustomize's LabelTransformer and `filters/labels`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Config, FIELD_SPECS, FieldSpec, add, add_all};
use crate::context::Context;
use crate::fieldspec::{ByKind, Made, is_due, mappings, set_entry, set_field};
use crate::resmap::ResMap;
use crate::resource::{Behavior, Resource};
use crate::shape::{Manner, Shape, read};
use crate::shared::{By, Place};
use crate::trouble::{Outcome, Trouble};

/// An entry of `labels`: `pairs`, `includeSelectors`, `includeTemplates`, `fields`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Entry {
    pub pairs: BTreeMap<String, String>,
    pub include_selectors: bool,
    pub include_templates: bool,
    pub fields: Vec<FieldSpec>,
}

#[cfg(test)]
const ENTRY: Shape = Shape::Fields(&[
    ("pairs", Shape::Texts),
    ("includeSelectors", Shape::Flag),
    ("includeTemplates", Shape::Flag),
    ("fields", FIELD_SPECS),
]);

#[cfg(test)]
impl Entry {
    /// Reads an item of `labels`.
    pub fn from_field(item: &Value) -> Outcome<Self> {
        read(item, &ENTRY, Manner::Strict)
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    pub labels: BTreeMap<String, String>,
    /// Where to; `None` for those of `commonLabels` in the configuration.
    #[serde(rename = "fieldSpecs")]
    pub fields: Option<Vec<FieldSpec>>,
}

const PLUGIN: Shape = Shape::Fields(&[("labels", Shape::Texts), ("fieldSpecs", FIELD_SPECS)]);

impl Spec {
    /// As the field `commonLabels` of a kustomization asks for it.
    pub fn common(labels: BTreeMap<String, String>) -> Self {
        Spec { labels, fields: None }
    }

    /// As an entry of the field `labels` of a kustomization asks for it.
    ///
    /// # Errors
    ///
    /// Where the entry's fields and those of the configuration differ in `create`.
    pub fn from_entry(entry: &Entry, config: &Config) -> Outcome<Self> {
        let mut fields = entry.fields.clone();
        let merged = add_all(&mut fields, &config.labels).and_then(|()| {
            if entry.include_selectors {
                return add_all(&mut fields, &config.common_labels);
            }
            if entry.include_templates {
                add_all(&mut fields, &config.template_labels)?;
            }
            add(&mut fields, &FieldSpec::new("metadata/labels", true))
        });
        merged.map_err(|trouble| Trouble::new(format!("failed to merge labels: {}", trouble.message)))?;
        Ok(Spec {
            labels: entry.pairs.clone(),
            fields: Some(fields),
        })
    }

    /// Reads a LabelTransformer: `labels`, `fieldSpecs`.
    pub fn from_plugin(value: &Value) -> Outcome<Self> {
        let mut spec: Spec = read(value, &PLUGIN, Manner::Lenient)?;
        spec.fields.get_or_insert_default();
        Ok(spec)
    }
}

/// Sets the labels.
///
/// # Errors
///
/// Where something else than a mapping is where labels go.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    let table = spec.fields.as_deref().unwrap_or(&cx.config.common_labels);
    set_pairs(map, &spec.labels, table)
}

/// Sets pairs in the mappings that a table names.
pub(super) fn set_pairs(map: &mut ResMap, pairs: &BTreeMap<String, String>, table: &[FieldSpec]) -> Outcome<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut specs = ByKind::new(table);
    let differs = |value: &Value| match value {
        Value::Null => false,
        Value::Object(had) => pairs
            .iter()
            .any(|(key, text)| had.get(key).and_then(Value::as_str) != Some(text)),
        _ => true,
    };
    let mut set = |value: &mut Value| pairs.iter().try_for_each(|(key, text)| set_entry(value, key, text));
    for resource in &mut map.list {
        let specs = specs.of(resource.kind());
        let mut made: Vec<Vec<Place>> = vec![Vec::new(); if specs.len() > 1 { pairs.len() } else { 0 }];
        for spec in specs {
            let spec = &*existing(resource, spec);
            if !is_due(resource, spec, Made::Mapping, &differs) {
                continue;
            }
            let before = if made.is_empty() {
                Vec::new()
            } else {
                entries(resource, spec, pairs)
            };
            set_field(resource, spec, Made::Mapping, &differs, &mut set)?;
            if !made.is_empty() {
                let after = entries(resource, spec, pairs);
                let new = after.into_iter().filter(|entry| !before.contains(entry));
                new.for_each(|(index, place)| {
                    made.get_mut(index)
                        .into_iter()
                        .for_each(|made| made.push(place.clone()))
                });
            }
        }
        resource.settle(By::Setting);
        for (places, text) in made.into_iter().zip(pairs.values()) {
            resource.share(places, Value::String(text.clone()));
        }
    }
    Ok(())
}

/// The spec as it is for an object that kustomize remembers something of: it does so in annotations, which are there then.
fn existing<'s>(resource: &Resource, spec: &'s FieldSpec) -> Cow<'s, FieldSpec> {
    let remembered = !resource.previous.is_empty() || resource.needs_hash || resource.behavior != Behavior::Unspecified;
    if remembered && !spec.create && spec.path == "metadata/annotations" {
        return Cow::Owned(FieldSpec {
            create: true,
            ..spec.clone()
        });
    }
    Cow::Borrowed(spec)
}

/// Where an object has the keys of the pairs, in the mappings that a spec names: index of the pair, and place.
fn entries(resource: &Resource, spec: &FieldSpec, pairs: &BTreeMap<String, String>) -> Vec<(usize, Place)> {
    let mut found = Vec::new();
    for mapping in mappings(resource, spec) {
        let map = resource.value.pointer(&mapping.pointer).and_then(Value::as_object);
        let has = |key: &&String| map.is_some_and(|map| map.contains_key(key.as_str()));
        let entries = pairs.keys().enumerate().filter(|(_, key)| has(key));
        found.extend(entries.map(|(index, key)| (index, mapping.key(key))));
    }
    found
}
