//! What runs that were killed left of releases: a record that its engine does not know of, or objects without a record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::declared::helm;
use crate::object::{Declared, DeclaredSet, Facts, ObjectId, ReleaseRecord, Scope, Unit, UnitIndex};
use crate::plan;

/// Has the records that are to be made tell of what the target has, where a chart makes values anew at each rendering: an object that
/// is there keeps those that it has.
pub(super) async fn take_values(set: &mut DeclaredSet, facts: &mut Facts, cluster: &Cluster) {
    for unit in &mut set.units {
        let Some(record) = &unit.record else { continue };
        if !plan::revisions(record, facts).is_empty() {
            continue;
        }
        // By how the server knows them, with how the record does.
        let there: BTreeMap<ObjectId, &ObjectId> = record
            .generated
            .iter()
            .map(|(id, _)| (live_id(id, facts), id))
            .filter(|(live, _)| facts.existing.get(live).is_some_and(|existing| !existing.terminating))
            .collect();
        if there.is_empty() {
            continue;
        }
        let (found, gaps) = cluster.get_all(&facts.kinds, there.keys().cloned()).await;
        facts.gaps.extend(gaps);
        let named = |(live, value)| Some(((*there.get(&live)?).clone(), value));
        let found: BTreeMap<ObjectId, Value> = found.into_iter().filter_map(named).collect();
        match helm::with_live_values(record, &found) {
            Ok(with) => unit.record = Some(Arc::new(with)),
            // As without a record: its engine must not take the release for its own.
            Err(_) => unit.record = None,
        }
    }
}

fn live_id(id: &ObjectId, facts: &Facts) -> ObjectId {
    let served = facts.kinds.get(&id.group_kind());
    let is_of_cluster = served.is_some_and(|served| served.scope == Scope::Cluster);
    ObjectId {
        namespace: id.namespace.clone().filter(|_| !is_of_cluster),
        ..id.clone()
    }
}

/// Looks up records that their engine does not know of, and whether they are those that this run would make.
pub(super) async fn look_up(set: &DeclaredSet, facts: &mut Facts, cluster: &Cluster) {
    let unknown: Vec<(ObjectId, &ReleaseRecord)> = set
        .units
        .iter()
        .filter_map(|unit| {
            let record = unit.record.as_ref()?;
            let is_recorded = !plan::revisions(record, facts).is_empty();
            (is_recorded && is_unknown(unit, facts)).then(|| (record.secret.id(), &**record))
        })
        .collect();
    // Of a later revision only helm itself knows what it is about.
    let first = unknown
        .iter()
        .filter(|(_, record)| plan::revisions(record, facts) == [1]);
    let (found, gaps) = cluster.get_all(&facts.kinds, first.map(|(id, _)| id.clone())).await;
    facts.gaps.extend(gaps);
    let recorded = unknown.into_iter().map(|(id, own)| {
        let status = found.get(&id).and_then(|live| helm::status_of_known(own, live));
        (id, status)
    });
    facts.recorded = recorded.collect();
    facts.deployed = deployed(set, facts, cluster).await;
}

/// The releases of which hooks are not there and that Helm has installed, by the records of their first revisions.
async fn deployed(set: &DeclaredSet, facts: &mut Facts, cluster: &Cluster) -> BTreeSet<ObjectId> {
    let is_gone = |one: &&Declared| one.hook_policy().is_some() && !facts.existing.contains_key(&one.id);
    let units: BTreeSet<UnitIndex> = set.objects.iter().filter(is_gone).map(|one| one.unit).collect();
    let mut records: BTreeMap<ObjectId, ObjectId> = BTreeMap::new();
    for record in units.iter().filter_map(|unit| set.units.get(unit.0)?.record.as_ref()) {
        let first = record.secret.id();
        for revision in plan::revisions(record, facts) {
            let name = format!("sh.helm.release.v1.{}.v{revision}", record.release);
            records.insert(ObjectId { name, ..first.clone() }, first.clone());
        }
    }
    let (found, gaps) = cluster.get_all(&facts.kinds, records.keys().cloned()).await;
    facts.gaps.extend(gaps);
    let is_deployed = |live: &Value| live["metadata"]["labels"]["status"] == "deployed";
    let deployed = records
        .into_iter()
        .filter(|(id, _)| found.get(id).is_some_and(is_deployed));
    deployed.map(|(_, first)| first).collect()
}

/// Whether the engine of a unit knows nothing of its release, for want of the unit's object or of what that is to tell.
fn is_unknown(unit: &Unit, facts: &Facts) -> bool {
    let Some(engine) = unit
        .engine
        .as_ref()
        .filter(|engine| engine.object.kind == "HelmRelease")
    else {
        return false;
    };
    let live = facts.engines.iter().find(|live| live.id == engine.object);
    match live {
        // What runs, or was suspended by somebody else, is its engine's affair.
        Some(live) => live.releases_anew && live.suspended && live.put_aside.is_some(),
        None => !facts.existing.contains_key(&engine.object),
    }
}
