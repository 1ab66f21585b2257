//! Objects by which engines act on units: written so that an engine never starts on half of a unit, and knows a release for its own.

use serde_json::Value;

use super::input::{Answer, How};
use super::machine::Machine;
use super::runner::understood;
use crate::cluster::Cluster;
use crate::cluster::write::{self, Apply};
use crate::object::{Action, ReleaseRecord, suspend_declared};
use crate::plan::{NodeIndex, StepAction, is_whole, unit_of};

/// Who writes the status of a HelmRelease.
const STATUS_MANAGER: &str = "helm-controller";

impl Machine<'_> {
    /// As what a step is written. All that it waits for is settled.
    pub(super) fn how(&mut self, index: u32) -> How {
        let step = self.step(index);
        if !matches!(step.action, StepAction::Apply { .. }) {
            return How::AsDeclared;
        }
        let unit = unit_of(self.plan, NodeIndex(index));
        let is_missing = |member: &&NodeIndex| {
            let node = self.node(member.0);
            let whole = node.outcome.as_ref().is_some_and(|outcome| is_whole(&outcome.action));
            !whole || node.suspended
        };
        if let Some(missing) = unit.iter().find(is_missing) {
            let missing = self.step(missing.0).id.clone();
            let node = self.node_mut(index);
            if !std::mem::replace(&mut node.suspended, true) {
                node.warnings.push(format!(
                    "written suspended, since {missing} of its unit is not as declared: once it is, `refloat resume` lets it go on"
                ));
            }
            return How::Suspended;
        }
        let hand_over = self.plan.hand_over.get(&step.id);
        let record = hand_over.and_then(|hand_over| self.step_of(&hand_over.record));
        let outcome = record.and_then(|record| self.node(record).outcome.as_ref());
        match outcome.is_some_and(|outcome| outcome.action == Action::Created) {
            true => How::WithStatus,
            false => How::AsDeclared,
        }
    }
}

/// Writes an engine's object suspended.
pub(super) async fn suspended(cluster: &Cluster, ask: &Apply<'_>) -> Answer {
    let mut manifest = ask.manifest.clone();
    suspend_declared(&mut manifest, true);
    let ask = Apply {
        manifest: &manifest,
        ..*ask
    };
    understood(write::apply(cluster, &ask).await, false)
}

/// Writes an engine's object with a status that tells of its release. Until that is there it is suspended: an engine that saw it without
/// would release anew.
pub(super) async fn with_status(cluster: &Cluster, ask: &Apply<'_>, status: &Value) -> Answer {
    let mut held = ask.manifest.clone();
    suspend_declared(&mut held, false);
    let first = Apply {
        manifest: &held,
        ..*ask
    };
    let first = match write::apply(cluster, &first).await {
        write::Answer::Done(written) => written,
        other => return understood(other, false),
    };
    let id = ask.manifest.id();
    // The generation that it has once it is no longer suspended.
    let status = ReleaseRecord::status_at(status, first.generation + 1);
    let told = write::patch_status(
        cluster,
        ask.at,
        id.namespace.as_deref(),
        &id.name,
        STATUS_MANAGER,
        &status,
    )
    .await;
    let warning = match told {
        write::Answer::Done(_) => None,
        write::Answer::Retry { reason, .. } | write::Answer::Refused { reason, .. } => Some(reason),
        write::Answer::Gone => Some("it was deleted a moment ago".to_owned()),
    };
    let last = Apply { known: None, ..*ask };
    let mut answer = understood(write::apply(cluster, &last).await, false);
    if let Answer::Written { action, warnings, .. } = &mut answer {
        if first.effect == write::Effect::Created {
            *action = Action::Created;
        }
        let told =
            warning.map(|why| format!("its controller will release anew, since its status was not written: {why}"));
        warnings.extend(told);
    }
    answer
}
