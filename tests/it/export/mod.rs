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
use std::time::SystemTime;

use sops::{Format, Layout, Rule, Selection};

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

/// Which values SOPS encrypts.
const SECRET: &str = "^(data|stringData)$";

/// A `.sops.yaml` that has Secrets encrypted for somebody.
fn rules(recipient: &str) -> String {
    format!("creation_rules:\n  - encrypted_regex: {SECRET}\n    age: {recipient}\n")
}

/// Takes the Secret that is going to be changed by hand out of a file of the bank: what is left of the file, and the Secret encrypted.
fn encrypted_apart(text: &str, recipient: &str) -> (String, String) {
    let (secrets, others): (Vec<&str>, Vec<&str>) = text
        .split("---\n")
        .partition(|document| document.contains("\n  name: payments-credentials\n"));
    assert_eq!(secrets.len(), 1, "{text}");
    let rule = Rule {
        selection: Selection::EncryptedRegex(SECRET.to_owned()),
        ..Rule::age([recipient])
    };
    let tree = Format::Yaml.read(secrets[0].as_bytes()).expect("because it is YAML");
    let sealed = sops::encrypt(Format::Yaml, tree, &rule, SystemTime::now(), &Layout::default());
    let sealed = String::from_utf8(sealed.expect("because it can be encrypted")).expect("because it is text");
    (others.join("---\n"), sealed)
}

/// Exports what was done by hand to the bank, all but a number of Secrets, and commits it: the difference, and what the export said.
fn committed(tools: &[&str], plane: &Plane, repo: &Repo, args: &[&str], left: usize) -> (String, Ran) {
    let ran = run_with(tools, "export", plane, repo.path(), args);
    let (code, told) = match left {
        0 => (0, String::new()),
        left => (3, format!("Left out ({left})")),
    };
    assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(&told), "{}", ran.stdout);
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached"]);
    assert!(BY_HAND.iter().all(|canary| !diff.contains(canary)));
    repo.commit("what was done by hand");
    (diff, ran)
}
