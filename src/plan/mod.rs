//! What is going to be done, as a value: `DeclaredSet` + `Facts` → [`Plan`].
//!
//! Pure: no cluster, no files, no clock, no environment. The same input, in any order, gives the same plan.

mod admission;
mod build;
mod checks;
mod edges;
mod engines;
mod extend;
mod graph;
mod hooks;
mod index;
mod item;
mod migrate;
mod modes;
mod order;
mod outside;
mod preflight;
mod prepare;
mod prune;
mod records;
mod rights;
mod selection;
mod selector;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod types;

pub use build::build;
pub use engines::{resume, suspend, undoing};
pub use modes::Mode;
pub use prepare::{with_written_ids, with_written_manifests};
pub use prune::{Earlier, Known, Removed, prune, removed};
pub use records::{is_whole, record_releases, revisions, unit_of};
pub use types::{
    Cleanup, Cut, Edge, Gate, HandOver, NodeIndex, Note, NoteKind, Plan, PlanOptions, Reason, Selection, Step,
    StepAction, Strength, Target, Until,
};
