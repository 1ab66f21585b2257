//! `--mode engine`: refloat restores Flux and what it acts by, and Flux makes the rest.

use std::path::Path;
use std::thread;

use super::compare::applied;
use super::flux::{self, Artifacts, Controller, archive, head};
use super::{GIT, OWN, eventually, give_key, kinds, live, run, whole};
use crate::support::plane::fresh_with;
use crate::support::repo::Repo;
use refloat::control_plane::Options;
use serde_json::Value;

#[test]
fn flux_makes_the_shop_while_refloat_waits() {
    let repo = Repo::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/flux-shop"));
    let key = ["--decryption-key", "fixtures/flux-shop.agekey"];
    let rendered = run("render", repo.path(), &key);
    let stages = tempfile::Builder::new().suffix(".yaml").tempfile();
    let stages = stages.expect("because a temporary file can be made");
    std::fs::write(stages.path(), kinds::stages(&kinds::of(&rendered.stdout))).expect("because it is ours");
    let plane = fresh_with(Options {
        simulate: vec![stages.path().to_owned()],
        ..Options::default()
    });
    let (artifacts, revision) = (Artifacts::serve(), format!("main@sha1:{}", head(repo.path())));
    let kubeconfig = plane.kubeconfig();
    let args = [
        &key[..],
        &[
            "--kubeconfig",
            &kubeconfig,
            "--context",
            "refloat-throwaway",
            "--yes",
            "--mode",
            "engine",
            // How long Flux takes is up to the machine: it looks every 5 s at what it waits for, one unit after the other.
            "--timeout",
            "5m",
            "--output",
            "json",
            // Its controller cannot be had here.
            "--except",
            "unit=HelmRelease/shop/orders",
        ],
    ]
    .concat();

    // Jobs and load balancers would be let go, which nobody allowed.
    let refused = run("restore", repo.path(), &args);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("engines would let go what acts on the outside world"),
        "{}",
        refused.stderr
    );
    assert_eq!(live(&plane, GIT), None, "nothing was written");

    // Its being built is nothing to wait for.
    flux::program();
    let args = [&args[..], &["--old-cluster-is-gone"]].concat();
    let ran = thread::scope(|scope| {
        let restore = scope.spawn(|| run("restore", repo.path(), &args));
        // What Flux's operator brings beside Git, and what its other controllers do.
        eventually("its namespace", || live(&plane, "/api/v1/namespaces/flux-system"));
        give_key(&plane);
        eventually("its source", || live(&plane, GIT));
        artifacts.give(&plane, OWN, &revision, archive(repo.path(), whole));
        let controller = Controller::start(&plane);
        let ran = restore.join().expect("because it does not panic");
        assert_eq!(ran.code, 0, "{}\n{}\n{}", ran.stdout, ran.stderr, controller.errors());
        ran
    });
    let settled: Vec<Value> = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["event"] == "settled")
        .collect();
    let by = |action: &str| settled.iter().filter(|line| line["action"] == action).count();
    let all = applied(&plane);
    assert!(all.len() >= 40, "{}", all.len());
    assert!(by("awaited") >= 25, "{} of {} are Flux's", by("awaited"), settled.len());
    assert_eq!(
        by("awaited") + by("created") + by("unchanged"),
        settled.len(),
        "{}",
        ran.stdout
    );
}
