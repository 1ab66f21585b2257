//! What is going to be done, as a value: `DeclaredSet` + `Facts` → [`Plan`].
//!
//! Pure: no cluster, no files, no clock, no environment. The same input, in any order, gives the same plan.

mod types;

pub use types::{
    Cut, Edge, Gate, NodeIndex, Note, NoteKind, Plan, PlanOptions, Reason, Selection, Step, StepAction, Strength,
    Target, Until,
};
