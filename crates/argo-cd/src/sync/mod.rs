//! When and how Argo CD applies an object: phases, waves, order and options of a sync.

mod options;
mod order;
mod phase;

pub use options::{AppOptions, Consent, ObjectOptions, PropagationPolicy};
pub use order::{Step, kind_rank, order};
pub use phase::{DeleteHook, DeletePolicy, Phase, Place, place};
