//! Keeps an audit up to date: what is done to a cluster is told when it happens.
//!
//! Every kind that can be listed is watched by its metadata. An object that is declared and was written to, other than to its status,
//! is compared again; then all is judged again, which is pure and cheap, and the difference is told. Before anything is told the
//! repository is asked whether it moved: what an engine applies from a newer commit is no drift.
//!
//! | file | what it knows |
//! |---|---|
//! | `input` | what happens, what is to be done, what is told: as data |
//! | `machine` | the core, pure: inputs in, commands out; from a change to what is told of it |
//! | `kinds` | which kinds are watched, and how that goes |
//! | `compares` | which objects are compared again, and when |
//! | `waivers` | what units leave alone |
//! | `seen` | what is live, and which changes matter |
//! | `runner` | the world around the machine: watches, requests, the clock |
//! | `tail` | what is added to audit logs |
//! | `notify` | posting to a webhook, again and again |

mod compares;
mod input;
mod kinds;
mod machine;
mod notify;
mod runner;
mod seen;
mod tail;
#[cfg(test)]
mod tests;
mod waivers;

pub use input::{Answer, Basis, Message, Question, Start};
pub use notify::Notifier;
pub use runner::{Ended, Inquiry, Options, run};
pub use tail::Tail;
