//! What proves this crate equal to kustomize v5.8.1: recorded outputs, the Go library itself where `go` is there, and what bad
//! input comes to.
#![expect(clippy::print_stderr, reason = "tests say what they skipped and what they counted")]

mod bad_input;
mod corpus;
#[path = "../fuzz/entry.rs"]
mod entry;
mod golden;
mod hostile;
mod random;
mod support;
