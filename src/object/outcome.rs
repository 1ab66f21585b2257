//! What happened to one object: what was done × whether it became ready.

use super::ObjectId;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It was not there and is now.
    Created,
    /// It was there and was changed.
    Configured,
    /// It was there and already as declared.
    Unchanged,
    /// It was deleted and made anew.
    Recreated,
    /// It was deleted.
    Deleted,
    /// It is an engine's, and syncs nothing by itself from now on.
    Suspended,
    /// It is an engine's that was suspended, and goes on.
    Resumed,
    /// Someone else made it, as expected.
    Awaited,
    /// Nothing was sent, because of …
    Skipped(SkipReason),
    /// The server refused it; the message says why.
    Failed(String),
}

/// Why nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// What it waits for, hard, failed or was skipped.
    Dependency(ObjectId),
    /// What it waits for is still missing and nothing can move any more; the text says what waits for what.
    Stalled(String),
    /// No server kind for it.
    NotServed(String),
    /// It acts outside the cluster and is held back.
    HeldBack(String),
    /// The run was interrupted first.
    Interrupted,
    /// It exists and is made only where absent, so it is left as it is.
    Generated,
}

/// Whether it became ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// As its kind's contract says.
    Current,
    /// A hook that did what it is for, and whose object was deleted since, as its delete policy says.
    Done,
    /// Its kind has no contract, or nothing waits for it to be more than there.
    NotWaitedFor,
    /// Its own status says that it failed.
    Failed(String),
    /// Not ready at the deadline; the message says what was last seen.
    TimedOut(String),
}

/// What happened to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was done.
    pub action: Action,
    /// Whether it became ready.
    pub readiness: Readiness,
    /// Soft dependencies that were not there when it was applied ("applied without B").
    pub without: Vec<ObjectId>,
    /// Warnings of the server (field validation, deprecated versions), in its words.
    pub warnings: Vec<String>,
}

impl Outcome {
    /// Whether its object is in the cluster as it is declared, ready or not.
    pub fn is_there(&self) -> bool {
        match &self.action {
            Action::Failed(_) => false,
            Action::Skipped(reason) => *reason == SkipReason::Generated,
            _ => true,
        }
    }

    /// Whether an operator has to look at it: failed, skipped other than held back on purpose, or not ready.
    pub fn wants_a_look(&self) -> bool {
        matches!(self.action, Action::Failed(_))
            || matches!(&self.action, Action::Skipped(reason) if !matches!(reason, SkipReason::HeldBack(_) | SkipReason::Generated))
            || matches!(self.readiness, Readiness::Failed(_) | Readiness::TimedOut(_))
    }
}
