//! refloat: rebuild a Kubernetes cluster from Git.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // kube and gix would each look for a provider, and panic on finding two or none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    refloat::command::run(refloat::cli::Cli::parse())
}
