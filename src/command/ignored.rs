//! What Applications of Argo CD are not to write over in objects that are there already (`RespectIgnoreDifferences=true`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::audit;
use crate::cluster::Cluster;
use crate::object::{
    Declared, DeclaredSet, FactGap, LiveObject, LiveSet, Manifest, ObjectId, Pair, PastSet, Scaling, ServedKinds,
};

/// The option of a sync.
const OPTION: &str = "RespectIgnoreDifferences=true";

/// Has objects of such Applications declared as they are, in the fields that `ignoreDifferences` names, as a sync would apply them
/// (`controller/sync.go`, `normalizeTargetResources`). Gives what could not be read or understood.
pub(super) async fn keep(set: &mut DeclaredSet, kinds: &ServedKinds, cluster: &Cluster) -> Vec<FactGap> {
    let applications: BTreeSet<&ObjectId> = set
        .objects
        .iter()
        .filter(|one| says_so(one))
        .map(|one| &one.id)
        .collect();
    let is_kept = |one: &&Declared| {
        let engine = set.units.get(one.unit.0).and_then(|unit| unit.engine.as_ref());
        engine.is_some_and(|engine| applications.contains(&engine.object)) && one.generated.is_empty()
    };
    let ids: BTreeSet<ObjectId> = set.objects.iter().filter(is_kept).map(|one| one.id.clone()).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let (found, mut gaps) = cluster.get_all(kinds, ids).await;
    let mut live = LiveSet::default();
    // Whose they are the declaration says: what is there may not be marked yet.
    let marked = |one: &Declared| {
        let LiveObject {
            labels, annotations, ..
        } = LiveObject::of(one.manifest.value());
        let there = found.get(&one.id).map(LiveObject::of)?;
        Some((
            one.id.clone(),
            Box::new(LiveObject {
                labels,
                annotations,
                ..there
            }),
        ))
    };
    live.objects.extend(set.objects.iter().filter_map(marked));
    let mut waived = set.clone();
    let settings = ObjectId::new("", "ConfigMap", Some("argocd"), "argocd-cm");
    let (read, _) = cluster.get_all(kinds, [settings]).await;
    gaps.extend(audit::waive(&mut waived, &PastSet::default(), &live, &read));
    let waived: BTreeMap<&ObjectId, &Declared> = waived.objects.iter().map(|one| (&one.id, one)).collect();
    for one in &mut set.objects {
        let (Some(value), Some(object), Some(waived)) =
            (found.get(&one.id), live.objects.get(&one.id), waived.get(&one.id))
        else {
            continue;
        };
        let kept: Value = Pair::new(waived, value, object, Scaling::Declared).left_alone();
        if let Ok(manifest) = Manifest::new(kept) {
            one.manifest = manifest;
        }
    }
    gaps
}

fn says_so(one: &Declared) -> bool {
    let options = one
        .manifest
        .value()
        .pointer("/spec/syncPolicy/syncOptions")
        .and_then(Value::as_array);
    let is_it = |option: &Value| option == OPTION;
    one.id.is("argoproj.io", "Application") && options.is_some_and(|options| options.iter().any(is_it))
}
