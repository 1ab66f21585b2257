//! Walks a plan over a cluster: the one writer.
//!
//! The core is a [`Machine`]: what happened goes in, what to do comes out, and no clock, network or task is inside. [`run`] is what is around it.

pub mod backoff;
mod cleaning;
mod ending;
pub mod flow;
mod hand_over;
mod input;
mod machine;
mod passing;
mod runner;
mod seeing;
mod sending;
mod serving;
mod timers;
mod waits;

pub use input::{Answer, Command, How, Input, Options, Sighted, Sighting};
pub use machine::Machine;
pub use runner::run;

#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tests;
