//! What proves this crate equal to SOPS 3.13.3.
#![expect(clippy::print_stderr, reason = "tests say what they skipped and what they counted")]
#![allow(clippy::unwrap_used)]

mod config;
#[path = "../fuzz/entry.rs"]
mod entry;
mod flux;
mod golden;
mod hostile;
mod layout;
mod random;
mod sealed;
mod secrets;
mod support;
mod wrong;
