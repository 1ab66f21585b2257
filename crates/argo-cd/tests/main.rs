//! What proves this crate equal to Argo CD: recorded answers of the libraries that it renders with, those libraries themselves where `go`
//! is there, and what bad input comes to.
#![expect(clippy::print_stderr, reason = "tests say what they skipped and what they counted")]

mod hostile;
mod support;
mod templates;
