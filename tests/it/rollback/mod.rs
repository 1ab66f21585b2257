//! Rolling back to an older revision, in a real cluster.

mod engines;
mod prune;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::plane::{Plane, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

/// The context of a control plane's kubeconfig.
const CONTEXT: &str = "refloat-throwaway";

/// `refloat COMMAND REPO --kubeconfig … ARGS…`
fn run(plane: &Plane, command: &str, repo: &Repo, args: &[&str]) -> Ran {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.path().display().to_string());
    let first = [command, &repo, "--kubeconfig", &kubeconfig];
    refloat(first.iter().chain(args).copied()).run()
}

/// Runs, must return this exit code.
pub fn returns(code: i32, ran: Ran) -> Ran {
    assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
    ran
}

/// The object at a path of the API; `None` if it is not there.
pub fn live(plane: &Plane, path: &str) -> Option<Value> {
    let answer = wait(plane.api().get(path)).expect("because the server runs");
    answer.is_success().then_some(answer.body)
}

/// Sends a request; must succeed.
pub fn send(plane: &Plane, method: &str, path: &str, form: &str, body: Option<&Value>) -> Value {
    let answer = wait(plane.api().request(method, path, form, body)).expect("because the server runs");
    assert!(answer.is_success(), "{method} {path}: {}", answer.message());
    answer.body
}

/// The objects of which a line of the output begins with this word.
fn told(ran: &Ran, word: &str) -> BTreeSet<String> {
    let lines = ran.stderr.lines().filter_map(|line| line.strip_prefix(word));
    lines
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
