//! Live state back into Git, against a real control plane.

mod charted_bank;
mod charts;
mod deliver;
mod kinds;
mod pull_request;
mod round_trip;
mod secrets;
mod two_clusters;

use std::path::Path;

use crate::support::plane::Plane;
use crate::support::run::{Ran, refloat};

/// What no output and no file may hold: values of Secrets, as they are and as the API has them.
const CANARIES: [&str; 3] = [
    "canary-not-a-secret-by-hand",
    "canary-not-a-secret-other",
    "Y2FuYXJ5LW5vdC1hLXNlY3JldC",
];

fn run(command: &str, plane: &Plane, repo: &Path, more: &[&str]) -> Ran {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.display().to_string());
    let args = [command, &repo, "--kubeconfig", &kubeconfig];
    let ran = refloat(args.iter().chain(more).copied()).run();
    for canary in CANARIES {
        assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary), "{more:?}");
    }
    ran
}
