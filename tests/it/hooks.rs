//! Hooks of Helm and Argo CD go as their delete policies say, and what ran does not run again.

use std::collections::BTreeSet;

use refloat::control_plane::Options;
use serde_json::{Value, json};

use crate::fixtures::{number, summary};
use crate::rollback::{live, returns, send};
use crate::support::plane::{Plane, fresh, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat, tool_folder};

fn job(name: &str, annotations: &str, more: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec:\n  activeDeadlineSeconds: 2\n\
         \x20 template: {{spec: {{restartPolicy: Never{more}, containers: [{{name: a, image: 'a:1'}}]}}}}\n---\n"
    )
}

fn config_map(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\ndata: {{a: b}}\n---\n"
    )
}

fn run(plane: &Plane, repo: &Repo, command: &str, paths: &[&str], more: &[&str]) -> Ran {
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let mut args = vec![
        command,
        &*place,
        "--kubeconfig",
        &*kubeconfig,
        "--context",
        "refloat-throwaway",
    ];
    if command != "audit" {
        args.push("--old-cluster-is-gone");
    }
    args.extend(paths.iter().flat_map(|path| ["--path", *path]));
    args.extend(more);
    refloat(args).with_tools(&["helm"]).run()
}

fn restore(plane: &Plane, repo: &Repo, paths: &[&str], code: i32) -> Ran {
    let ran = run(plane, repo, "restore", paths, &["--output", "json", "--yes"]);
    returns(code, ran)
}

fn there(plane: &Plane, namespace: &str, kind: &str, name: &str) -> Option<Value> {
    let api = if kind == "jobs" { "apis/batch/v1" } else { "api/v1" };
    live(plane, &format!("/{api}/namespaces/{namespace}/{kind}/{name}"))
}

fn changes_nothing(ran: &Ran) {
    for action in ["created", "configured", "recreated", "deleted"] {
        assert_eq!(number(&summary(ran), action), 0, "{action}: {}", ran.stdout);
    }
}

/// The requests that write these objects, dry runs not counted.
fn writes(plane: &Plane, names: &[&str]) -> usize {
    let log = plane.requests();
    let is_write = |line: &&Value| {
        let reference = &line["objectRef"];
        let named = reference["name"].as_str().is_some_and(|name| names.contains(&name));
        let dry = line["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"));
        let writes = ["create", "patch", "update"].iter().any(|verb| line["verb"] == *verb);
        named && writes && !dry && reference["subresource"].is_null()
    };
    log.iter().filter(is_write).count()
}

#[expect(clippy::disallowed_methods, reason = "tests run helm itself")]
fn helm(plane: &Plane, args: &[&str]) -> String {
    let output = std::process::Command::new(tool_folder("helm").join("helm"))
        .args(args)
        .args(["--kubeconfig", &plane.kubeconfig()])
        .output()
        .expect("because it was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn hooks_of_a_chart_go_once_their_event_succeeded_and_do_not_run_again() {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    let goes = "helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'";
    let hooks = [
        config_map(
            "web-tables",
            &format!("helm.sh/hook: pre-install, helm.sh/hook-weight: '-5', {goes}"),
        ),
        job("web-migrate", &format!("helm.sh/hook: pre-install, {goes}"), ""),
        job("web-seed", "helm.sh/hook: post-install", ""),
    ]
    .concat();
    let repo = Repo::with(&[
        ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("web/templates/hooks.yaml", &hooks),
        ("web/templates/web.yaml", &config_map("web", "")),
    ]);
    let paths = ["web"];
    let planned = returns(0, run(&plane, &repo, "plan", &paths, &[]));
    assert!(planned.stdout.contains("[deleted once done]"), "{}", planned.stdout);

    let first = restore(&plane, &repo, &paths, 0);
    assert_eq!(number(&summary(&first), "created"), 5, "{}", first.stdout);
    let left = || {
        let object = |kind, name| there(&plane, "default", kind, name).is_some();
        (
            object("configmaps", "web-tables"),
            object("jobs", "web-migrate"),
            object("jobs", "web-seed"),
        )
    };
    assert_eq!(left(), (false, false, true));
    let all = ["web-tables", "web-migrate"];
    let written = writes(&plane, &all);

    changes_nothing(&restore(&plane, &repo, &paths, 0));
    // The record of the release tells, even where nothing else does.
    let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/refloat";
    send(&plane, "DELETE", lease, "application/json", None);
    let planned = returns(0, run(&plane, &repo, "plan", &paths, &[]));
    let told = "[not run again: it ran when the release web was installed]";
    assert!(planned.stdout.contains(told), "{}", planned.stdout);
    changes_nothing(&restore(&plane, &repo, &paths, 0));
    assert_eq!(left(), (false, false, true));
    assert_eq!(writes(&plane, &all), written, "nobody writes them again");

    let chart = repo.path().join("web").display().to_string();
    helm(&plane, &["upgrade", "web", &chart, "--namespace", "default"]);
    let listed = helm(&plane, &["list", "--namespace", "default", "--output", "json"]);
    let listed: Value = serde_json::from_str(&listed).expect("because it is JSON");
    assert_eq!(
        (&listed[0]["revision"], &listed[0]["status"]),
        (&json!("2"), &json!("deployed"))
    );
    changes_nothing(&restore(&plane, &repo, &paths, 0));
    assert_eq!(left(), (false, false, true));
    let audited = run(&plane, &repo, "audit", &paths, &[]);
    assert!(!audited.stdout.contains("web-migrate"), "{}", audited.stdout);
}

#[test]
fn a_hook_that_failed_runs_again_once_the_cause_is_mended() {
    let plane = fresh();
    let nowhere = ", nodeSelector: {mended: 'yes'}";
    let migrate = job("a-migrate", "helm.sh/hook: pre-install", nowhere);
    let alarm = "helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-failed";
    let repo = Repo::with(&[
        ("a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 0.1.0\n"),
        ("a/templates/all.yaml", &[migrate, config_map("a", "")].concat()),
        ("b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 0.1.0\n"),
        ("b/templates/all.yaml", &job("b-alarm", alarm, nowhere)),
    ]);
    let paths = ["a", "b"];
    let first = restore(&plane, &repo, &paths, 3);
    let uid = |name: &str| there(&plane, "default", "jobs", name).map(|job| job["metadata"]["uid"].clone());
    let before = uid("a-migrate").expect("because it is left where it failed");
    assert_eq!(uid("b-alarm"), None, "its policy says so: {}", first.stdout);
    assert!(
        first.stdout.contains("deleted since, as its delete policy says"),
        "{}",
        first.stdout
    );
    assert!(there(&plane, "default", "configmaps", "a").is_none());

    let planned = returns(0, run(&plane, &repo, "plan", &paths, &[]));
    let told = "Job/default/a-migrate (a/templates/all.yaml) [deleted first, since it failed before]";
    assert!(planned.stdout.contains(told), "{}", planned.stdout);
    let nodes = live(&plane, "/api/v1/nodes").expect("because there are some");
    let node = nodes["items"][0]["metadata"]["name"]
        .as_str()
        .expect("because it has a name");
    let mended = json!({"metadata": {"labels": {"mended": "yes"}}});
    let form = "application/merge-patch+json";
    send(&plane, "PATCH", &format!("/api/v1/nodes/{node}"), form, Some(&mended));

    let second = restore(&plane, &repo, &paths, 0);
    assert_eq!(number(&summary(&second), "recreated"), 1, "{}", second.stdout);
    let after = uid("a-migrate").expect("because nothing deletes it where it succeeded");
    assert_ne!(after, before);
    assert!(there(&plane, "default", "configmaps", "a").is_some());
    assert!(uid("b-alarm").is_some(), "it succeeded this time");
    changes_nothing(&restore(&plane, &repo, &paths, 0));
    assert_eq!(uid("a-migrate"), Some(after), "what succeeded is not run again");
}

const APPLICATION: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n\
    \x20 destination: {server: 'https://kubernetes.default.svc', namespace: shop}\n\
    \x20 source: {repoURL: 'https://git.example.com/shop.git', path: shop, targetRevision: HEAD}\n---\n";
const NAMESPACES: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

#[test]
fn hooks_of_an_application_go_once_its_sync_succeeded_and_do_not_run_again() {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    plane.serve("argoproj.io", "v1alpha1", "Application", "applications");
    let goes = "argocd.argoproj.io/hook-delete-policy: HookSucceeded";
    let shop = [
        config_map(
            "tables",
            &format!("argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/sync-wave: '-1', {goes}"),
        ),
        job("migrate", &format!("argocd.argoproj.io/hook: PreSync, {goes}"), ""),
        config_map("shop", ""),
        job("warm", "argocd.argoproj.io/hook: PostSync", ""),
    ]
    .concat();
    let repo = Repo::with(&[
        ("argocd/shop.yaml", APPLICATION),
        ("argocd/namespaces.yaml", NAMESPACES),
        ("shop/all.yaml", &shop),
    ]);
    let paths = ["argocd"];
    let left = || {
        let object = |kind, name| there(&plane, "shop", kind, name).is_some();
        (
            object("configmaps", "tables"),
            object("jobs", "migrate"),
            object("jobs", "warm"),
        )
    };
    // Nothing could tell that they ran.
    let forgets = run(&plane, &repo, "restore", &paths, &["--no-lease", "--yes"]);
    let _ = returns(0, forgets);
    assert_eq!(left(), (true, true, true));
    let written = |names: &[&str]| writes(&plane, names);
    let jobs = ["migrate", "warm"];
    let started = plane.requests().len();

    // They succeeded before: only their deletion is left to do.
    let second = restore(&plane, &repo, &paths, 0);
    changes_nothing(&second);
    assert_eq!(left(), (false, false, true), "{}", second.stdout);
    let log = plane.requests();
    let deleted: BTreeSet<&str> = log[started..]
        .iter()
        .filter(|line| line["verb"] == "delete" && jobs.iter().any(|name| line["objectRef"]["name"] == *name))
        .filter_map(|line| line["objectRef"]["name"].as_str())
        .collect();
    assert_eq!(deleted, BTreeSet::from(["migrate"]));

    let before = written(&["tables", "migrate"]);
    let planned = returns(0, run(&plane, &repo, "plan", &paths, &[]));
    let told = "[not run again: an earlier run of this restore saw it done]";
    assert_eq!(planned.stdout.matches(told).count(), 3, "{}", planned.stdout);
    changes_nothing(&restore(&plane, &repo, &paths, 0));
    assert_eq!(left(), (false, false, true));
    assert_eq!(written(&["tables", "migrate"]), before, "nobody writes them again");
}
