//! Releases of which the target has a record that their engine does not know: left by a run that was killed between the two.

use crate::cluster::Cluster;
use crate::declared::helm;
use crate::object::{DeclaredSet, Facts, ObjectId, ReleaseRecord, Unit};
use crate::plan;

/// Looks up these records, and whether they are those that this run would make.
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
