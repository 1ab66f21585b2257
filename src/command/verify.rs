//! After a drill: is every declared object live and as declared?

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::{Cluster, Endpoint};
use crate::error::{Failure, Kind};
use crate::event::Summary;
use crate::object::{
    Action, ExistingChange, Facts, GroupKind, Manifest, ObjectId, Outcome, Readiness, SkipReason, builtin::builtin,
    differences,
};
use crate::plan::{Plan, Step, StepAction, Target};
use crate::report::Verified;

/// What was sent of one kind in one version.
struct Sent<'p> {
    target: &'p Target,
    steps: Vec<(&'p Step, &'p Manifest)>,
}

/// Compares what was sent with what is live.
///
/// # Errors
/// The cluster does not answer.
pub(super) async fn verify(plan: &Plan, summary: &Summary, cluster: &Cluster) -> Result<Verified, Failure> {
    let mut by_kind: BTreeMap<(GroupKind, String), Sent<'_>> = BTreeMap::new();
    for (step, (_, outcome)) in plan.steps.iter().zip(&summary.outcomes) {
        let sent =
            !matches!(outcome.action, Action::Failed(_) | Action::Skipped(_)) && outcome.readiness != Readiness::Done;
        if let (
            StepAction::Apply {
                manifest,
                create_only: false,
                ..
            },
            Some(target),
            true,
        ) = (&step.action, &step.target, sent)
        {
            let key = (target.kind.clone(), target.version.clone());
            let sent = by_kind.entry(key).or_insert_with(|| Sent {
                target,
                steps: Vec::new(),
            });
            sent.steps.push((step, manifest));
        }
    }
    let mut verified = Verified::default();
    for sent in by_kind.into_values() {
        verified.checked += sent.steps.len();
        compare(&sent, cluster, &mut verified).await?;
    }
    verified.missing.sort();
    verified.different.sort();
    Ok(verified)
}

async fn compare(sent: &Sent<'_>, cluster: &Cluster, verified: &mut Verified) -> Result<(), Failure> {
    let target = sent.target;
    let endpoint = Endpoint::new(target.kind.clone(), &*target.version, &*target.plural, target.scope);
    let listed = list(target, cluster).await?;
    let live: BTreeMap<ObjectId, _> = listed
        .into_iter()
        .map(|value| {
            let text = |pointer: &str| value.pointer(pointer).and_then(|v| v.as_str()).map(str::to_owned);
            let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name").unwrap_or_default());
            (endpoint.id(namespace.as_deref(), &name), value)
        })
        .collect();
    for (step, manifest) in &sent.steps {
        match live.get(&step.id) {
            None => verified.missing.push(step.id.clone()),
            Some(live) => {
                let paths = differences(manifest.value(), live);
                if !paths.is_empty() {
                    verified.different.push((step.id.clone(), paths));
                }
            }
        }
    }
    Ok(())
}

/// Kinds of custom resources that were written and whose status nobody wrote, though their definition has room for one: nothing
/// here plays their controller.
///
/// # Errors
/// The cluster does not answer.
pub(super) async fn not_simulated(
    plan: &Plan,
    summary: &Summary,
    cluster: &Cluster,
) -> Result<Vec<GroupKind>, Failure> {
    let mut custom: BTreeMap<GroupKind, &Target> = BTreeMap::new();
    for (step, (_, outcome)) in plan.steps.iter().zip(&summary.outcomes) {
        let written = !matches!(outcome.action, Action::Failed(_) | Action::Skipped(_));
        let built_in = builtin(&step.id.group, &step.id.kind).is_some();
        if let (Some(target), true, false) = (&step.target, written, built_in) {
            custom.insert(step.id.group_kind(), target);
        }
    }
    let mut found = Vec::new();
    for (kind, target) in custom {
        if !has_status(plan, target) {
            continue;
        }
        let silent = list(target, cluster).await?.iter().any(|live| live["status"].is_null());
        if silent {
            found.push(kind);
        }
    }
    Ok(found)
}

/// Whether a definition that is declared gives its objects a status; of one that is not declared it is assumed.
fn has_status(plan: &Plan, target: &Target) -> bool {
    let definition = plan.steps.iter().find_map(|step| match &step.action {
        StepAction::Apply { manifest, .. } if step.id.kind == "CustomResourceDefinition" => {
            let spec = &manifest.value()["spec"];
            let defines = spec["group"] == *target.kind.group && spec["names"]["kind"] == *target.kind.kind;
            defines.then_some(spec)
        }
        _ => None,
    });
    let Some(spec) = definition else { return true };
    let mut versions = spec["versions"].as_array().into_iter().flatten();
    versions.any(|version| version["name"] == *target.version && version.pointer("/subresources/status").is_some())
}

async fn list(target: &Target, cluster: &Cluster) -> Result<Vec<Value>, Failure> {
    let endpoint = Endpoint::new(target.kind.clone(), &*target.version, &*target.plural, target.scope);
    cluster.list(&endpoint, None).await.map_err(|error| {
        let plural = &target.plural;
        Failure::new(Kind::Cluster, format!("the restored {plural} were not compared")).because(error)
    })
}

/// The objects that a second restore did not leave as the first one left them. Where a dry run beforehand said that nothing
/// would change, a new resource version is the server's own book-keeping (who applied last).
pub(super) fn changed(first: &Summary, facts: &Facts, second: &Summary) -> Vec<ObjectId> {
    let same = |id: &ObjectId| {
        matches!(
            facts.existing.get(id).map(|e| &e.change),
            Some(Some(ExistingChange::None))
        )
    };
    let before: BTreeMap<&ObjectId, &Outcome> = first.outcomes.iter().map(|(id, outcome)| (id, outcome)).collect();
    let failed = |id: &ObjectId| matches!(before.get(id).map(|one| &one.readiness), Some(Readiness::Failed(_)));
    let left = |id: &ObjectId, action: &Action| match action {
        Action::Unchanged | Action::Awaited | Action::Skipped(SkipReason::Generated) => true,
        // What was refused or skipped the first time is so again.
        Action::Failed(_) | Action::Skipped(_) => {
            matches!(
                before.get(id).map(|one| &one.action),
                Some(Action::Failed(_) | Action::Skipped(_))
            )
        }
        Action::Configured => same(id),
        // A hook that failed runs again.
        Action::Recreated => failed(id),
        Action::Created | Action::Deleted | Action::Suspended | Action::Resumed => false,
    };
    let outcomes = second
        .outcomes
        .iter()
        .filter(|(id, outcome)| !left(id, &outcome.action));
    let mut changed: Vec<ObjectId> = outcomes.map(|(id, _)| id.clone()).collect();
    changed.sort();
    changed
}
