//! Objects by which engines act on units: written so that an engine never starts on half of a unit, and knows a release for its own.

use serde_json::Value;

use super::input::{Answer, How};
use super::machine::Machine;
use super::runner::understood;
use crate::cluster::Cluster;
use crate::cluster::write::{self, Apply};
use crate::object::{Action, Outcome, ReleaseRecord, suspend_declared};
use crate::plan::{NodeIndex, StepAction, is_whole, unit_of};

/// What lifts a suspension.
const RESUME: &str = "`refloat resume`";
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
            let whole = node.outcome.as_ref().is_some_and(is_whole);
            !whole || node.suspended
        };
        if let Some(missing) = unit.iter().find(is_missing) {
            let is_there = self.node(missing.0).outcome.as_ref().is_some_and(Outcome::is_there);
            let lacks = match is_there && !self.node(missing.0).suspended {
                true => "ready",
                false => "as declared",
            };
            let missing = &self.step(missing.0).id;
            let why = format!("{missing} of its unit is not {lacks}: once it is, {RESUME} lets it go on");
            return self.withheld(index, &why);
        }
        if let Some(why) = self.plan.withheld.get(&step.id) {
            let why = format!("{why}; {RESUME} lets it go on all the same");
            return self.withheld(index, &why);
        }
        let Some(hand_over) = self.plan.hand_over.get(&step.id) else {
            return How::AsDeclared;
        };
        // Without a step it was there before, and is the one that would have been made.
        let was_made = self.step_of(&hand_over.record).is_none_or(|record| {
            let outcome = self.node(record).outcome.as_ref();
            outcome.is_some_and(|outcome| outcome.action == Action::Created)
        });
        match was_made {
            true => How::WithStatus,
            // Somebody else released it meanwhile: what the status would tell is not true.
            false => {
                let why = format!(
                    "{} was made by somebody else; {RESUME} lets it go on all the same",
                    hand_over.record
                );
                self.withheld(index, &why)
            }
        }
    }

    fn withheld(&mut self, index: u32, why: &str) -> How {
        self.stays_suspended(index, why);
        How::Suspended
    }

    /// Takes note, once, that an engine's object is in the cluster and suspended, and says why.
    pub(super) fn stays_suspended(&mut self, index: u32, why: &str) {
        let node = self.node_mut(index);
        if !std::mem::replace(&mut node.suspended, true) {
            node.warnings.push(format!("written suspended, since {why}"));
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

/// Writes an engine's object with a status that tells of its release. Until that is there it is suspended, and marked so for a run that
/// comes after one that was killed: an engine that saw it without would release anew.
pub(super) async fn with_status(cluster: &Cluster, ask: &Apply<'_>, status: &Value) -> Answer {
    let mut held = ask.manifest.clone();
    suspend_declared(&mut held, true);
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
    match told {
        write::Answer::Done(_) => {}
        write::Answer::Refused { reason, .. } => {
            let why = format!(
                "its controller would release anew: its status was not written ({reason}). {RESUME} lets it go on all the same"
            );
            return Answer::Held(Box::new(understood(write::Answer::Done(first), false)), why);
        }
        // All of it is sent again.
        other => return understood(other, false),
    }
    let last = Apply { known: None, ..*ask };
    let mut answer = understood(write::apply(cluster, &last).await, false);
    if let Answer::Written { action, .. } = &mut answer
        && first.effect == write::Effect::Created
    {
        *action = Action::Created;
    }
    answer
}
