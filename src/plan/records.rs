//! What Helm and the engines above it keep of releases: written once all of a release is there, and only where the target knows no
//! release of that name.

use super::{Edge, HandOver, NodeIndex, Plan, Step, StepAction, Target, Until};
use crate::object::{Action, DeclaredSet, Facts, GroupKind, ObjectId, ReleaseRecord, Scope, UnitIndex, Writer};

/// The row of the edge by which a unit's object waits for the rest of the unit; the record is a part of that.
const UNIT_OBJECT: &str = "unit-object";
const RECORD: &str = "release-record";

/// Adds the records of all releases of the set that the plan restores whole.
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
        let Some(record) = &unit.record else { continue };
        let members = members(plan, index);
        let declared = set.objects.iter().filter(|object| object.unit == index).count();
        if members.len() < declared || is_known(record, facts) {
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

/// Whether the target has a record of this release, of whatever revision.
fn is_known(record: &ReleaseRecord, facts: &Facts) -> bool {
    let own = record.secret.id();
    let prefix = format!("sh.helm.release.v1.{}.v", record.release);
    let is_record = |id: &ObjectId| {
        let revision = id.name.strip_prefix(&*prefix).unwrap_or_default();
        id.is("", "Secret") && id.namespace == own.namespace && revision.parse::<u32>().is_ok()
    };
    facts.present.iter().any(is_record)
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

/// Whether an outcome leaves its object as it is declared.
pub fn is_whole(action: &Action) -> bool {
    match action {
        Action::Failed(_) => false,
        Action::Skipped(reason) => *reason == crate::object::SkipReason::Generated,
        _ => true,
    }
}
