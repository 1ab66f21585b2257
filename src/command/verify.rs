//! After a drill: is every declared object live and as declared?

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Cluster, Endpoint};
use crate::error::{Failure, Kind};
use crate::event::Summary;
use crate::object::{Action, ExistingChange, Facts, GroupKind, Manifest, ObjectId, SkipReason, differences};
use crate::plan::{Plan, PlanOptions, Step, StepAction, Target};
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
pub(super) async fn verify(
    plan: &Plan,
    summary: &Summary,
    options: &PlanOptions,
    cluster: &Cluster,
) -> Result<Verified, Failure> {
    let mut by_kind: BTreeMap<(GroupKind, String), Sent<'_>> = BTreeMap::new();
    for (step, (_, outcome)) in plan.steps.iter().zip(&summary.outcomes) {
        let sent = !matches!(outcome.action, Action::Failed(_) | Action::Skipped(_));
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
    let mut verified = Verified {
        not_simulated: not_simulated(plan, summary, options),
        ..Verified::default()
    };
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
    let listed = cluster.list(&endpoint, None).await.map_err(|error| {
        Failure::new(
            Kind::Cluster,
            format!("the restored {} were not compared", target.plural),
        )
        .because(error)
    })?;
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

/// Custom kinds that were written and whose controllers nothing plays.
fn not_simulated(plan: &Plan, summary: &Summary, options: &PlanOptions) -> Vec<GroupKind> {
    let written = |action: &Action| matches!(action, Action::Created | Action::Configured | Action::Unchanged);
    let outcomes = plan.steps.iter().zip(&summary.outcomes);
    let found: BTreeSet<GroupKind> = outcomes
        .filter(|(step, (_, outcome))| written(&outcome.action) && !options.is_played(&step.id))
        .map(|(step, _)| step.id.group_kind())
        .collect();
    found.into_iter().collect()
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
    let before: BTreeMap<&ObjectId, &Action> = first
        .outcomes
        .iter()
        .map(|(id, outcome)| (id, &outcome.action))
        .collect();
    let left = |id: &ObjectId, action: &Action| match action {
        Action::Unchanged | Action::Awaited | Action::Skipped(SkipReason::Generated) => true,
        // What was refused or skipped the first time is so again.
        Action::Failed(_) | Action::Skipped(_) => {
            matches!(before.get(id), Some(Action::Failed(_) | Action::Skipped(_)))
        }
        Action::Configured => same(id),
        Action::Created | Action::Recreated | Action::Deleted => false,
    };
    let outcomes = second
        .outcomes
        .iter()
        .filter(|(id, outcome)| !left(id, &outcome.action));
    let mut changed: Vec<ObjectId> = outcomes.map(|(id, _)| id.clone()).collect();
    changed.sort();
    changed
}
