//! What happened, as data: one enum, several renderers (`report/`).

use std::time::Duration;

use crate::object::{ObjectId, Outcome};
use crate::plan::NodeIndex;

/// Something happened in a run. Times are measured from the start of the run.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something slow goes on before the engine starts ("cloning …", "building kube-apiserver"); a later one replaces it.
    Progress(String),
    /// Worth saying, not wrong ("entry: clusters/production").
    Said(String),
    /// Worth a look, not tied to one step ("the Lease could not be written").
    Warned(String),
    /// The engine starts: number of steps, and of those that will be waited for.
    Started {
        /// Steps in the plan.
        steps: usize,
    },
    /// A step is being sent for the first time.
    Sent {
        /// The step.
        step: NodeIndex,
        /// When.
        at: Duration,
    },
    /// The server asked to wait or could not answer; it will be sent again.
    Retrying {
        /// The step.
        step: NodeIndex,
        /// The server's reason.
        reason: String,
        /// After how long.
        after: Duration,
    },
    /// A step is in the cluster; readiness is open.
    Written {
        /// The step.
        step: NodeIndex,
        /// When.
        at: Duration,
    },
    /// A hook did what it is for, and its object is going to be deleted.
    Done {
        /// The step.
        step: NodeIndex,
    },
    /// A step came to its end.
    Settled {
        /// The step.
        step: NodeIndex,
        /// How.
        outcome: Outcome,
        /// When.
        at: Duration,
    },
    /// What is being waited for now, longest first (at most 3 lines are shown).
    Waiting(Vec<(NodeIndex, String)>),
    /// The first Ctrl-C: what is in flight is finished.
    Interrupted {
        /// Requests still in flight.
        in_flight: usize,
    },
    /// The run came to its end.
    Finished(Summary),
}

/// A run, summed up.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// One for each step of the plan, in its order.
    pub outcomes: Vec<(ObjectId, Outcome)>,
    /// For each step: (sent, written, settled) from the start of the run; `None` if it did not come to that.
    pub times: Vec<StepTimes>,
    /// The chain of waits that took longest: each waited for the one before it.
    pub critical_path: Vec<NodeIndex>,
    /// From the first to the last event of the engine.
    pub total: Duration,
    /// Stopped by the user.
    pub interrupted: bool,
    /// Set when the run had to stop writing (the Lease was lost, the server is gone for good).
    pub stopped: Option<String>,
}

/// When a step came where, from the start of the run.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepTimes {
    /// Nothing it waits for was open any more.
    pub free: Option<Duration>,
    /// First sent.
    pub sent: Option<Duration>,
    /// Answered by the server.
    pub written: Option<Duration>,
    /// At its end.
    pub settled: Option<Duration>,
}
