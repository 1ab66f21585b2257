//! What Helm and the engines above it keep of releases: written once all of a release is there, and only where the target knows no
//! release of that name.

use super::{Edge, HandOver, NodeIndex, Plan, Step, StepAction, Target, Until};
use crate::object::{
    DeclaredSet, ExistingChange, Facts, GroupKind, ObjectId, Outcome, Readiness, ReleaseRecord, Scope, Unit, UnitIndex,
    Writer,
};

/// The row of the edge by which a unit's object waits for the rest of the unit; the record is a part of that.
const UNIT_OBJECT: &str = "unit-object";
const RECORD: &str = "release-record";

/// Adds the records of all releases of the set that the plan restores whole. The object of a release that its engine would not know
/// for its own is withheld: the engine would release anew, with all hooks.
pub fn record_releases(plan: &mut Plan, set: &DeclaredSet, facts: &Facts) {
    let Some(secrets) = facts.kinds.get(&GroupKind::new("", "Secret")) else {
        return;
    };
    let target = Target {
        kind: secrets.kind.clone(),
        version: "v1".to_owned(),
        plural: secrets.plural.clone(),
        scope: Scope::Namespaced,
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut waits: Vec<(ObjectId, NodeIndex)> = Vec::new();
    let first = plan.steps.len() as u32;
    for (unit, index) in set.units.iter().zip(0..).map(|(unit, index)| (unit, UnitIndex(index))) {
        let members = members(plan, index);
        let declared = set.objects.iter().filter(|object| object.unit == index).count();
        let is_whole = members.len() >= declared;
        if let Some(why) = unknown(unit, facts, is_whole).filter(|_| !members.is_empty())
            && let Some(engine) = &unit.engine
        {
            plan.withheld.entry(engine.object.clone()).or_insert(why);
        }
        let Some(record) = &unit.record else { continue };
        if changed_chart(record, facts).is_some() {
            continue;
        }
        if is_whole && let (Some(engine), Some(Some(status))) = (&unit.engine, facts.recorded.get(&record.secret.id()))
        {
            let hand_over = HandOver {
                record: record.secret.id(),
                status: status.clone(),
            };
            plan.hand_over.insert(engine.object.clone(), hand_over);
        }
        if !is_whole || is_known(record, facts) {
            continue;
        }
        let node = NodeIndex(first + steps.len() as u32);
        let writer = writer_of(set, index);
        let id = record.secret.id();
        let home = |step: &Step| step.id.is("", "Namespace") && Some(&*step.id.name) == id.namespace.as_deref();
        let namespace = plan.steps.iter().zip(0..).find(|(step, _)| home(step));
        let namespace = namespace.map(|(_, at)| NodeIndex(at));
        plan.edges.extend(
            namespace
                .filter(|at| !members.contains(at))
                .map(|at| Edge::hard(node, at, Until::Exists, RECORD, "it lives in that namespace")),
        );
        let whole = "Helm records a release once it is installed";
        plan.edges.extend(
            members
                .iter()
                .map(|member| Edge::hard(node, *member, Until::Ready, RECORD, whole)),
        );
        if let Some(engine) = &unit.engine {
            waits.push((engine.object.clone(), node));
            if let Some(status) = &record.status {
                let hand_over = HandOver {
                    record: id.clone(),
                    status: status.clone(),
                };
                plan.hand_over.insert(engine.object.clone(), hand_over);
            }
        }
        steps.push(Step {
            id,
            target: Some(target.clone()),
            action: StepAction::Apply {
                manifest: record.secret.clone(),
                writer,
                create_only: true,
                recreate: false,
            },
            provenance: None,
            unit: None,
            hook: None,
            cleanup: None,
            has_contract: false,
        });
    }
    let objects: Vec<(NodeIndex, NodeIndex)> = waits
        .into_iter()
        .filter_map(|(object, node)| {
            let at = plan.steps.iter().position(|step| step.id == object)?;
            Some((NodeIndex(at as u32), node))
        })
        .collect();
    let is_there = "its engine is to find the whole unit there";
    // Records come after all steps, where gates begin: these make room for them, and edges of records are counted so already.
    let (own, others): (Vec<Edge>, Vec<Edge>) = std::mem::take(&mut plan.edges)
        .into_iter()
        .partition(|edge| edge.reason.rule == RECORD);
    plan.edges = others;
    plan.make_room(first, steps.len() as u32);
    plan.edges.extend(own);
    plan.edges.extend(
        objects
            .into_iter()
            .map(|(object, node)| Edge::hard(object, node, Until::Settled, UNIT_OBJECT, is_there)),
    );
    plan.steps.extend(steps);
    plan.put_in_order();
}

fn members(plan: &Plan, unit: UnitIndex) -> Vec<NodeIndex> {
    let all = plan.steps.iter().zip(0..);
    // Those that an engine makes it records itself.
    all.filter(|(step, _)| step.unit == Some(unit) && !matches!(step.action, StepAction::Await(_)))
        .map(|(_, index)| NodeIndex(index))
        .collect()
}

/// Who writes the unit's objects writes its record.
fn writer_of(set: &DeclaredSet, unit: UnitIndex) -> Writer {
    let of_unit = set.objects.iter().find(|object| object.unit == unit);
    of_unit.map_or_else(|| Writer::ServerSide("helm".to_owned()), |object| object.writer.clone())
}

/// Why an engine would not know a release for its own, if so. One whose object is there already knows by itself, unless that was found
/// out to be otherwise.
fn unknown(unit: &Unit, facts: &Facts, is_whole: bool) -> Option<String> {
    let object = &unit.engine.as_ref()?.object;
    let recorded = unit
        .record
        .as_ref()
        .and_then(|record| facts.recorded.get(&record.secret.id()));
    if object.kind != "HelmRelease" || facts.existing.contains_key(object) && recorded.is_none() {
        return None;
    }
    match &unit.record {
        Some(record) if changed_chart(record, facts).is_some() => {
            let chart = record.helm_chart.as_ref().map(ObjectId::to_string).unwrap_or_default();
            Some(format!(
                "the version of its chart carries the generation of {chart}, which was changed in the cluster since it was made, and its \
                 controller would release anew"
            ))
        }
        Some(_) if is_whole && recorded.is_some_and(Option::is_some) => None,
        None => Some("no record of its release could be made, and its controller would release anew".to_owned()),
        Some(record) if is_known(record, facts) => Some(format!(
            "the cluster has a record of the release {} that this run did not make, and its controller would release anew",
            record.release
        )),
        Some(_) => None,
    }
}

/// The HelmChart by whose generation its engine finds another version of the chart than is recorded, if so: it was changed since it was
/// made, or will be.
fn changed_chart<'r>(record: &'r ReleaseRecord, facts: &Facts) -> Option<&'r ObjectId> {
    record.helm_chart.as_ref().filter(|chart| {
        let change = facts.existing.get(chart).and_then(|existing| existing.change.as_ref());
        let is_to_change = matches!(change, Some(ExistingChange::Fields(_) | ExistingChange::Overrides(_)));
        facts.changed_charts.contains(chart) || is_to_change
    })
}

/// Whether the target has a record of this release, of whatever revision.
fn is_known(record: &ReleaseRecord, facts: &Facts) -> bool {
    !revisions(record, facts).is_empty()
}

/// The revisions of this release that the target has records of.
pub fn revisions(record: &ReleaseRecord, facts: &Facts) -> Vec<u32> {
    let own = record.secret.id();
    let prefix = format!("sh.helm.release.v1.{}.v", record.release);
    let here = facts
        .present
        .iter()
        .filter(|id| id.is("", "Secret") && id.namespace == own.namespace);
    here.filter_map(|id| id.name.strip_prefix(&*prefix)?.parse().ok())
        .collect()
}

/// The steps that a unit's object waits for, since they are that unit.
pub fn unit_of(plan: &Plan, object: NodeIndex) -> Vec<NodeIndex> {
    let edges = plan
        .waits_of(object)
        .iter()
        .filter(|edge| edge.reason.rule == UNIT_OBJECT);
    let behind = |node: NodeIndex| match plan.step(node) {
        Some(_) => vec![node],
        None => plan.waits_of(node).iter().map(|edge| edge.to).collect(),
    };
    edges.flat_map(|edge| behind(edge.to)).collect()
}

/// Whether an outcome leaves its object as it is declared, and nothing says that it does not work: an engine that began there would
/// run again what failed.
pub fn is_whole(outcome: &Outcome) -> bool {
    outcome.is_there() && !matches!(outcome.readiness, Readiness::Failed(_) | Readiness::TimedOut(_))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use super::super::testing::{existing, facts, set, yaml};
    use super::super::{PlanOptions, Selection, build};
    use super::*;
    use crate::object::{ExistingObject, Manifest, resolve};
    use serde_json::json;

    const SHOP: &str = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: apps, namespace: shop}}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, unit: shop/apps}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: shop}, unit: shop/apps}";

    /// Why engines' objects are withheld, when these are left out and those are there.
    fn withheld(except: &[&str], there: &[ObjectId]) -> BTreeMap<ObjectId, String> {
        let mut facts = facts();
        facts.existing.extend(there.iter().map(|id| (id.clone(), existing())));
        let options = PlanOptions {
            selection: Selection {
                except: except.iter().map(|term| (*term).to_owned()).collect(),
                ..Selection::default()
            },
            ..PlanOptions::default()
        };
        let set = resolve(set(yaml(SHOP)), &facts.kinds, "default");
        build(&set, &facts, &options).expect("because it has no ring").withheld
    }

    #[test]
    fn the_object_of_a_unit_of_which_something_is_left_out_is_withheld() {
        let map = ObjectId::new("", "ConfigMap", Some("shop"), "b");
        let unit = ObjectId::new("kustomize.toolkit.fluxcd.io", "Kustomization", Some("shop"), "apps");
        let why = "ConfigMap/shop/b of its unit was left out, and its engine would make it";
        let left_out = withheld(&["ConfigMap/shop/b"], &[]);
        assert_eq!(left_out, BTreeMap::from([(unit.clone(), why.to_owned())]));
        for (except, there) in [
            (&[][..], vec![]),
            // Its engine has made it already.
            (&["ConfigMap/shop/b"], vec![map]),
            // Its engine acts on it already.
            (&["ConfigMap/shop/b"], vec![unit]),
        ] {
            assert!(withheld(except, &there).is_empty(), "{except:?} {there:?}");
        }
    }

    fn chart() -> ObjectId {
        ObjectId::new("source.toolkit.fluxcd.io", "HelmChart", Some("shop"), "shop-web")
    }

    fn release(record: bool) -> DeclaredSet {
        let mut set = set(yaml(SHOP));
        let unit = &mut set.units[1];
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sh.helm.release.v1.web.v1", "namespace": "shop"}});
        if let Some(engine) = &mut unit.engine {
            engine.object = ObjectId::new("helm.toolkit.fluxcd.io", "HelmRelease", Some("shop"), "web");
        }
        unit.record = record.then(|| {
            Arc::new(ReleaseRecord {
                release: "web".to_owned(),
                secret: Manifest::new(secret).expect("because it is whole"),
                helm_chart: Some(chart()),
                generated: Vec::new(),
                status: Some(json!({})),
            })
        });
        resolve(set, &facts().kinds, "default")
    }

    #[test]
    fn the_object_of_a_release_that_its_engine_would_not_know_is_withheld() {
        let object = ObjectId::new("helm.toolkit.fluxcd.io", "HelmRelease", Some("shop"), "web");
        let later = ObjectId::new("", "Secret", Some("shop"), "sh.helm.release.v1.web.v3");
        let plan = |record: bool, known: bool, there: bool| {
            let (set, mut facts) = (release(record), facts());
            if known {
                facts.present.insert(later.clone());
            }
            if there {
                facts.existing.insert(object.clone(), existing());
            }
            let mut plan = build(&set, &facts, &PlanOptions::default()).expect("because it has no ring");
            record_releases(&mut plan, &set, &facts);
            plan
        };
        for (record, known, there, withheld, handed_over) in [
            (true, false, false, false, true),
            (true, true, false, true, false),
            (true, true, true, false, false),
            (false, false, false, true, false),
            (false, false, true, false, false),
        ] {
            let plan = plan(record, known, there);
            assert_eq!(
                (
                    plan.withheld.contains_key(&object),
                    plan.hand_over.contains_key(&object)
                ),
                (withheld, handed_over),
                "{record} {known} {there}: {:?}",
                plan.withheld
            );
        }
    }

    #[test]
    fn the_object_of_a_release_whose_chart_has_another_version_in_the_cluster_is_withheld() {
        let object = ObjectId::new("helm.toolkit.fluxcd.io", "HelmRelease", Some("shop"), "web");
        let (set, mut facts) = (release(true), facts());
        for change in [
            None,
            Some(ExistingChange::None),
            Some(ExistingChange::Fields(vec![".spec.chart".to_owned()])),
        ] {
            let there = ExistingObject { change, ..existing() };
            let is_to_change = matches!(there.change, Some(ExistingChange::Fields(_)));
            facts.existing.insert(chart(), there);
            for changed in [false, true] {
                facts.changed_charts = BTreeSet::from_iter(changed.then(chart));
                let mut plan = build(&set, &facts, &PlanOptions::default()).expect("because it has no ring");
                record_releases(&mut plan, &set, &facts);
                let withheld = plan.withheld.get(&object).map(String::as_str);
                let unknown = "the version of its chart carries the generation of HelmChart/shop/shop-web, which was changed in the cluster \
                    since it was made, and its controller would release anew";
                assert_eq!(withheld, (changed || is_to_change).then_some(unknown));
                let is_recorded = plan.steps.iter().any(|step| step.id.is("", "Secret"));
                assert_eq!(is_recorded, withheld.is_none());
            }
        }
    }

    #[test]
    fn a_release_that_was_recorded_and_not_told_of_is_told_of_where_the_unit_is_whole() {
        let object = ObjectId::new("helm.toolkit.fluxcd.io", "HelmRelease", Some("shop"), "web");
        let record = ObjectId::new("", "Secret", Some("shop"), "sh.helm.release.v1.web.v1");
        let status = || Some(json!({"of": "the record"}));
        for (recorded, there, except, withheld, told) in [
            (status(), false, &[][..], false, true),
            (status(), true, &[], false, true),
            // It is another one.
            (None, false, &[], true, false),
            (None, true, &[], true, false),
            // Who leaves something out does not restore it whole.
            (status(), false, &["ConfigMap/shop/b"], true, false),
        ] {
            let (set, mut facts) = (release(true), facts());
            facts.present.insert(record.clone());
            facts.recorded.insert(record.clone(), recorded.clone());
            if there {
                facts.existing.insert(object.clone(), existing());
            }
            let options = PlanOptions {
                selection: Selection {
                    except: except.iter().map(|term| (*term).to_owned()).collect(),
                    ..Selection::default()
                },
                ..PlanOptions::default()
            };
            let mut plan = build(&set, &facts, &options).expect("because it has no ring");
            record_releases(&mut plan, &set, &facts);
            let status = plan.hand_over.get(&object).map(|one| one.status.clone());
            let case = format!("{recorded:?} {there} {except:?}: {:?}", plan.withheld);
            assert_eq!(plan.withheld.contains_key(&object), withheld, "{case}");
            assert_eq!(status, recorded.filter(|_| told), "{case}");
            assert!(!plan.steps.iter().any(|step| step.id == record), "it is there: {case}");
        }
    }
}
