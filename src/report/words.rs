//! The words of outcomes, the same in every format.

use crate::object::{Action, ProblemKind, Readiness, Renderer, SkipReason};
use crate::plan::{Step, StepAction, Strength, Until};

/// `created`, `configured`, `unchanged`, `recreated`, `deleted`, `suspended`, `resumed`, `awaited`, `skipped`, `failed`.
pub(super) fn action(action: &Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Configured => "configured",
        Action::Unchanged => "unchanged",
        Action::Recreated => "recreated",
        Action::Deleted => "deleted",
        Action::Suspended => "suspended",
        Action::Resumed => "resumed",
        Action::Awaited => "awaited",
        Action::Skipped(_) => "skipped",
        Action::Failed(_) => "failed",
    }
}

/// `dependency`, `stalled`, `not-served`, `held-back`, `interrupted`, `generated`.
pub(super) fn skip(reason: &SkipReason) -> &'static str {
    match reason {
        SkipReason::Dependency(_) => "dependency",
        SkipReason::Stalled(_) => "stalled",
        SkipReason::NotServed(_) => "not-served",
        SkipReason::HeldBack(_) => "held-back",
        SkipReason::Interrupted => "interrupted",
        SkipReason::Generated => "generated",
    }
}

/// `current`, `done`, `not-waited-for`, `failed`, `timed-out`.
pub(super) fn readiness(readiness: &Readiness) -> &'static str {
    match readiness {
        Readiness::Current => "current",
        Readiness::Done => "done",
        Readiness::NotWaitedFor => "not-waited-for",
        Readiness::Failed(_) => "failed",
        Readiness::TimedOut(_) => "timed-out",
    }
}

/// `apply`, `await`, `done`, `hold-back`, `delete`, `suspend`, `resume`.
pub(super) fn step_action(action: &StepAction) -> &'static str {
    match action {
        StepAction::Apply { .. } => "apply",
        StepAction::Await(_) => "await",
        StepAction::Done { .. } => "done",
        StepAction::HoldBack(_) => "hold-back",
        StepAction::Delete { .. } => "delete",
        StepAction::Patch {
            outcome: Action::Resumed,
            ..
        } => "resume",
        StepAction::Patch { .. } => "suspend",
    }
}

/// What becomes of the object of a hook: `failed-before`, `once-done`, `once-failed`.
pub(super) fn cleanup(step: &Step) -> Vec<&'static str> {
    let Some(cleanup) = &step.cleanup else {
        return Vec::new();
    };
    let parts = [
        (cleanup.before.is_some(), "failed-before"),
        (cleanup.succeeded.is_some(), "once-done"),
        (cleanup.failed, "once-failed"),
    ];
    parts.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect()
}

/// `settled`, `exists`, `ready`.
pub(super) fn until(until: Until) -> &'static str {
    match until {
        Until::Settled => "settled",
        Until::Exists => "exists",
        Until::Ready => "ready",
    }
}

/// `soft`, `hard`, `written`.
pub(super) fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::Soft => "soft",
        Strength::Hard => "hard",
        Strength::Written => "written",
    }
}

/// `error`, `warning`.
pub(super) fn problem(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Error => "error",
        ProblemKind::Warning => "warning",
        ProblemKind::Note => "note",
    }
}

/// `plain`, `kustomize`, `helm`.
pub(super) fn renderer(renderer: Renderer) -> &'static str {
    match renderer {
        Renderer::Plain => "plain",
        Renderer::Kustomize => "kustomize",
        Renderer::Helm => "helm",
    }
}
