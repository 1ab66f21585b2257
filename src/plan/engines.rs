//! Engines in the cluster: those that would undo what is restored, and how they are suspended and let go again.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::{Edge, NodeIndex, Note, NoteKind, Plan, Step, StepAction, Target, Until};
use crate::object::{Action, Facts, LiveUnit, ServedKinds, suspend_declared};

/// The units of [`Facts::engines`] that sync another commit than this, and so would undo what is restored of it.
pub fn undoing<'f>(facts: &'f Facts, commit: Option<&str>) -> Vec<&'f LiveUnit> {
    let units = facts.engines.iter();
    units
        .filter(|unit| !unit.suspended && is_elsewhere(unit, commit))
        .collect()
}

fn is_elsewhere(unit: &LiveUnit, commit: Option<&str>) -> bool {
    !unit.repositories.is_empty() && !unit.next.is_empty() && commit.is_some_and(|commit| unit.next != commit)
}

/// Suspends, before the first write, every unit of [`Facts::engines`], and writes declared ones suspended, where `all` says so.
/// Otherwise it remarks on those that would undo what is restored of `commit`. In either case a unit that refloat suspended before stays
/// so, and one that somebody else suspended and that would undo the restore too.
pub fn suspend(plan: &mut Plan, facts: &Facts, commit: Option<&str>, all: bool) {
    let live: HashMap<_, _> = facts.engines.iter().map(|unit| (&unit.id, unit)).collect();
    for step in &mut plan.steps {
        let StepAction::Apply { manifest, .. } = &mut step.action else {
            continue;
        };
        let unit = live.get(&step.id);
        let by_others = unit.is_some_and(|unit| unit.suspended && unit.put_aside.is_none());
        let stays = unit.is_some_and(|unit| unit.put_aside.is_some() || by_others && is_elsewhere(unit, commit));
        if all || stays {
            suspend_declared(manifest, !by_others);
        }
    }
    if !all {
        plan.notes.extend(undoing(facts, commit).into_iter().map(would_undo));
        return plan.put_in_order();
    }
    let patches = facts.engines.iter().filter_map(|unit| Some((unit, unit.suspend()?)));
    let steps: Vec<Step> = patches
        .filter_map(|(unit, merge)| patch(unit, merge, Action::Suspended, &facts.kinds))
        .collect();
    first(plan, steps, facts);
}

/// What lifts the suspension of all units that refloat suspended.
pub fn resume(units: &[LiveUnit], kinds: &ServedKinds) -> Plan {
    let patches = units.iter().filter_map(|unit| Some((unit, unit.resume()?)));
    Plan {
        steps: patches
            .filter_map(|(unit, merge)| patch(unit, merge, Action::Resumed, kinds))
            .collect(),
        ..Plan::default()
    }
}

fn would_undo(unit: &LiveUnit) -> Note {
    let follows = match &*unit.follows {
        "" => String::new(),
        follows => format!(", following {follows}"),
    };
    Note {
        kind: NoteKind::EngineUndoes,
        object: Some(unit.id.clone()),
        place: None,
        message: format!("syncs {}{follows}", unit.next.chars().take(12).collect::<String>()),
        hint: Some("--suspend-engines suspends them first; `refloat resume` lets them go on".to_owned()),
    }
}

fn patch(unit: &LiveUnit, merge: Value, outcome: Action, kinds: &ServedKinds) -> Option<Step> {
    let served = kinds.get(&unit.id.group_kind())?;
    Some(Step {
        target: Some(Target {
            kind: served.kind.clone(),
            version: served.versions.first()?.clone(),
            plural: served.plural.clone(),
            scope: served.scope,
        }),
        id: unit.id.clone(),
        action: StepAction::Patch { merge, outcome },
        provenance: None,
        unit: None,
        hook: None,
        cleanup: None,
        has_contract: false,
    })
}

/// Puts steps before all others of a plan.
fn first(plan: &mut Plan, steps: Vec<Step>, facts: &Facts) {
    if steps.is_empty() {
        return;
    }
    let count = steps.len() as u32;
    plan.make_room(0, count);
    // What makes others suspends before them, or it makes them anew as they were.
    for (node, step) in (0..).map(NodeIndex).zip(&steps) {
        let owner = facts
            .engines
            .iter()
            .find(|unit| unit.id == step.id)
            .and_then(|unit| unit.owner.as_ref());
        let owner = owner.and_then(|owner| steps.iter().position(|step| step.id == *owner));
        if let Some(owner) = owner {
            plan.edges
                .push(wait(node, NodeIndex(owner as u32), "that one makes it"));
        }
    }
    plan.steps.splice(0..0, steps);
    let waiting: BTreeSet<NodeIndex> = plan.edges.iter().map(|edge| edge.from).collect();
    let gate = plan.add_gate("every engine is suspended".to_owned());
    let suspended = (0..count).map(|node| wait(gate, NodeIndex(node), "it would undo what is restored"));
    plan.edges.extend(suspended);
    let others = (count..gate.0).map(NodeIndex).filter(|node| !waiting.contains(node));
    let others = others.map(|node| wait(node, gate, "engines would undo what is restored"));
    plan.edges.extend(others);
    plan.put_in_order();
}

fn wait(from: NodeIndex, to: NodeIndex, text: &str) -> Edge {
    Edge::hard(from, to, Until::Exists, "engines", text)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{edges, facts, planned, yaml};
    use super::*;
    use crate::object::{GroupKind, SUSPENDED, Scope, ServedKind};
    use serde_json::json;
    use std::collections::BTreeMap;

    const NOW: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "89abcdef0123456789abcdef0123456701234567";

    /// A cluster with an Application of an ApplicationSet, at another commit.
    fn with_application(policy: &Value, annotations: &Value) -> Facts {
        let mut facts = facts();
        let application = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": "bank", "namespace": "argocd", "uid": "u", "annotations": annotations,
                "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "all", "controller": true}],
            },
            "spec": {"source": {"repoURL": "https://git.example/bank", "targetRevision": "main"}, "syncPolicy": policy},
            "status": {"sync": {"revision": OTHER}},
        });
        let set = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": "all", "namespace": "argocd", "uid": "s"},
        });
        for (value, plural) in [(application, "applications"), (set, "applicationsets")] {
            let kind = GroupKind::new("argoproj.io", value["kind"].as_str().unwrap_or_default());
            facts.engines.extend(LiveUnit::of(&value, &BTreeMap::new()));
            let served = ServedKind {
                kind: kind.clone(),
                plural: plural.to_owned(),
                scope: Scope::Namespaced,
                versions: vec!["v1alpha1".to_owned()],
                watchable: true,
            };
            facts.kinds.0.insert(kind, served);
        }
        facts
    }

    fn declared() -> Plan {
        planned(yaml(
            "{apiVersion: v1, kind: Namespace, metadata: {name: argocd}}\n---\n\
             {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: argocd}}\n---\n\
             {apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: bank, namespace: argocd}, spec: {syncPolicy: {automated: {prune: true}}}}",
        ))
    }

    /// The Application as it is going to be written.
    fn written(plan: &Plan) -> &Value {
        let mut manifests = plan.steps.iter().filter_map(|step| match &step.action {
            StepAction::Apply { manifest, .. } if step.id.kind == "Application" => Some(manifest.value()),
            _ => None,
        });
        manifests.next_back().expect("because it is declared")
    }

    #[test]
    fn engines_are_suspended_before_all_else_and_written_so() {
        let facts = with_application(&json!({"automated": {}}), &Value::Null);
        let mut plan = declared();
        suspend(&mut plan, &facts, Some(NOW), true);
        let (set, bank) = ("ApplicationSet/argocd/all", "Application/argocd/bank");
        let gate = "[every engine is suspended]";
        let found = edges(&plan);
        for (from, to) in [(bank, set), (gate, bank), (gate, set), ("Namespace/argocd", gate)] {
            let edge = (from.to_owned(), to.to_owned(), "engines");
            assert!(found.contains(&edge), "{from} → {to} in {found:#?}");
        }
        let patches = plan
            .steps
            .iter()
            .map(|step| matches!(step.action, StepAction::Patch { .. }));
        assert_eq!(patches.collect::<Vec<_>>()[..3], [true, true, false]);
        assert_eq!(written(&plan)["spec"]["syncPolicy"]["automated"], Value::Null);
        assert_eq!(written(&plan)["metadata"]["annotations"][SUSPENDED], "{\"prune\":true}");
    }

    #[test]
    fn what_would_undo_is_told() {
        let facts = with_application(&json!({"automated": {}}), &Value::Null);
        let mut plan = declared();
        suspend(&mut plan, &facts, Some(NOW), false);
        let notes: Vec<_> = plan
            .notes
            .iter()
            .filter(|note| note.kind == NoteKind::EngineUndoes)
            .collect();
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].message, "syncs 89abcdef0123, following main");
        assert_eq!(written(&plan)["spec"]["syncPolicy"]["automated"]["prune"], true);
        assert!(undoing(&facts, Some(OTHER)).is_empty(), "it syncs what is restored");
        assert!(undoing(&facts, None).is_empty(), "a folder has no commit");
    }

    #[test]
    fn a_suspended_unit_stays_so() {
        let ours = with_application(&Value::Null, &json!({SUSPENDED: "{}"}));
        let mut plan = declared();
        suspend(&mut plan, &ours, Some(NOW), false);
        assert_eq!(written(&plan)["spec"]["syncPolicy"]["automated"], Value::Null);
        assert_eq!(written(&plan)["metadata"]["annotations"][SUSPENDED], "{\"prune\":true}");
        let lifted = resume(&ours.engines, &ours.kinds);
        assert_eq!(lifted.steps.len(), 1, "the ApplicationSet was not suspended");

        let theirs = with_application(&Value::Null, &Value::Null);
        for all in [false, true] {
            let mut plan = declared();
            suspend(&mut plan, &theirs, Some(NOW), all);
            assert_eq!(written(&plan)["spec"]["syncPolicy"]["automated"], Value::Null);
            assert_eq!(
                written(&plan)["metadata"]["annotations"][SUSPENDED],
                Value::Null,
                "not ours to lift"
            );
        }
        assert!(resume(&theirs.engines, &theirs.kinds).steps.is_empty());
        let mut plan = declared();
        suspend(&mut plan, &theirs, Some(OTHER), false);
        assert_eq!(
            written(&plan)["spec"]["syncPolicy"]["automated"]["prune"],
            true,
            "as Git says"
        );
    }
}
