//! The commands that a report prints, run as they are printed.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::whole::json as report;
use super::{root, send};
use crate::support::plane::{fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{cache_home, refloat, tool_folder};

/// Runs a line of a report in a shell whose kubectl and refloat point to no cluster by themselves.
fn run_as_printed(line: &str) -> String {
    let home = tempfile::tempdir().expect("because a temporary folder can be made");
    let binary = Path::new(env!("CARGO_BIN_EXE_refloat")).parent();
    let folder = binary.expect("because it is in a folder").display();
    #[expect(clippy::disallowed_methods, reason = "tests run what is printed as people do")]
    let output = Command::new("sh")
        .args(["-c", line])
        .env_clear()
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", cache_home())
        .env(
            "PATH",
            format!("{folder}:{}:/usr/bin:/bin", tool_folder("helm").display()),
        )
        .output()
        .expect("because there is a shell");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{line}\n{said}");
    said
}

/// A restore writes what was audited: with the values of production, and at the commit that was asked for.
#[test]
fn a_printed_restore_writes_the_state_that_was_audited() {
    let plane = fresh();
    let repo = Repo::of_folder(&root("fixtures/helm-shop"));
    let audited = repo.git(&["rev-parse", "HEAD"]).trim().to_owned();
    repo.write("values-production.yaml", "replicas: 9\n");
    repo.commit("more of it");
    let run = |command: &str, more: &[&str]| {
        let (kubeconfig, repo) = (plane.kubeconfig(), repo.path().display().to_string());
        let args = [command, &repo, "--kubeconfig", &kubeconfig, "--rev", "HEAD~1"];
        let values = ["--values", "values-production.yaml"];
        let all = args.iter().chain(&values).chain(more).copied();
        refloat(all).with_tools(&["helm"]).run()
    };
    let ran = run("restore", &["--old-cluster-is-gone"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let deployment = "/apis/apps/v1/namespaces/default/deployments/helm-shop";
    let by_hand = format!("{deployment}?fieldManager=kubectl-edit");
    send(
        &plane,
        "PATCH",
        &by_hand,
        "application/merge-patch+json",
        &json!({"spec": {"replicas": 1}}),
    );
    let told = report(&run("audit", &["--output", "json"]));
    let remedy = told["findings"][0]["remedy"].as_str().unwrap_or_default();
    assert_eq!(told["findings"][0]["verdict"], "drifted", "{told}");
    assert!(remedy.contains(&format!(" --rev {audited} --values ")), "{remedy}");
    run_as_printed(remedy);
    let told = report(&run("audit", &["--output", "json"]));
    assert_eq!(told["findings"], Value::Array(Vec::new()), "{remedy}");
    let live = wait(plane.api().get(deployment)).expect("because the server runs");
    assert_eq!(live.body["spec"]["replicas"], 4, "{remedy}");
}
