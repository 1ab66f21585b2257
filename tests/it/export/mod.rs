//! Live state back into Git, against a real control plane.

mod applied;
mod charted_bank;
mod charts;
mod deliver;
mod edits;
mod inflated;
mod kinds;
mod odd;
mod pull_request;
mod rehearsed;
mod round_trip;
mod secrets;
mod through_sops;
mod two_clusters;

use std::path::Path;

use crate::support::plane::Plane;
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

/// What no output may hold: values of Secrets, as they are and as the API has them. The bank has such in clear in its files.
const CANARIES: [&str; 2] = ["canary-not-a-secret", "Y2FuYXJ5LW5vdC1hLXNlY3JldC"];

/// What no file may hold either: values that were made by hand.
const BY_HAND: [&str; 3] = ["canary-not-a-secret-by-hand", "canary-not-a-secret-other", CANARIES[1]];

fn run(command: &str, plane: &Plane, repo: &Path, more: &[&str]) -> Ran {
    run_with(&[], command, plane, repo, more)
}

/// With these tools at hand.
fn run_with(tools: &[&str], command: &str, plane: &Plane, repo: &Path, more: &[&str]) -> Ran {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.display().to_string());
    let args = [command, &repo, "--kubeconfig", &kubeconfig];
    let ran = refloat(args.iter().chain(more).copied()).with_tools(tools).run();
    for canary in CANARIES {
        assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary), "{more:?}");
    }
    ran
}

/// Exports what was done by hand to the bank, all but two Secrets, and commits it: the difference, and what the export said.
fn committed(tools: &[&str], plane: &Plane, repo: &Repo, args: &[&str]) -> (String, Ran) {
    let ran = run_with(tools, "export", plane, repo.path(), args);
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Left out (2)"), "{}", ran.stdout);
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached"]);
    assert!(BY_HAND.iter().all(|canary| !diff.contains(canary)));
    repo.commit("what was done by hand");
    (diff, ran)
}
