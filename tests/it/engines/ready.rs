//! Flux: expressions that say when a unit is ready, and when one that depends on it starts.

use std::path::Path;
use std::thread;
use std::time::Duration;

use refloat::declared::Known;
use refloat::plan::{self, PlanOptions};
use serde_json::{Value, json};

use super::{facts, kustomization, load, objects, problems};
use crate::rollback::live;
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

const NAMESPACES: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n";
const THING: &str =
    "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: gate, namespace: shop}\nspec: {size: 1}\n";
const CHECKS: &str = "  wait: true\n  healthCheckExprs:\n  - apiVersion: example.com/v1\n    kind: Thing\n    \
     current: status.phase == 'Good'\n    failed: status.phase == 'Bad'\n";

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n")
}

fn repository(checks: &str, depends: &str) -> Repo {
    Repo::with(&[
        ("clusters/prod/namespaces.yaml", NAMESPACES),
        ("clusters/prod/base.yaml", &kustomization("base", "./base", checks)),
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", depends)),
        ("base/thing.yaml", THING),
        ("apps/map.yaml", &map("late")),
    ])
}

fn restored(plane: &Plane, repo: &Repo, more: &[&str]) -> Ran {
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let args = [
        "restore",
        &place,
        "--path",
        "clusters/prod",
        "--kubeconfig",
        &kubeconfig,
    ];
    let args = args.into_iter().chain(["--yes", "--context", "refloat-throwaway"]);
    refloat(args.chain(more.iter().copied())).run()
}

fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    for _ in 0..600 {
        if look() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} did not come");
}

#[test]
fn a_unit_is_ready_when_its_expressions_say_so() {
    let plane = fresh();
    plane.serve("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    plane.serve("example.com", "v1", "Thing", "things");
    let repo = repository(CHECKS, "  dependsOn: [{name: base}]\n");
    let (gate, late) = (
        "/apis/example.com/v1/namespaces/shop/things/gate",
        "/api/v1/namespaces/shop/configmaps/late",
    );
    let becomes = |plane: &Plane, phase: &str| {
        let patch = json!({"status": {"phase": phase}});
        let done = wait(
            plane
                .api()
                .request("PATCH", gate, "application/merge-patch+json", Some(&patch)),
        );
        assert!(done.is_ok_and(|answer| answer.is_success()));
    };
    let ran = thread::scope(|scope| {
        let restore = scope.spawn(|| restored(&plane, &repo, &["--output", "json"]));
        eventually("the gate", || live(&plane, gate).is_some());
        for phase in ["", "Other", "Bad"] {
            becomes(&plane, phase);
            thread::sleep(Duration::from_secs(1));
            assert_eq!(live(&plane, late), None, "what depends on it waits: {phase:?}");
        }
        becomes(&plane, "Good");
        restore.join().expect("because it does not panic")
    });
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(live(&plane, late).is_some());
    let lines = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<String> = lines
        .filter(|line| line["event"] == "waiting")
        .map(|line| line.to_string())
        .collect();
    for said in [
        "not as its healthCheckExprs want it",
        "as its healthCheckExprs say: failed",
    ] {
        assert!(told.iter().any(|line| line.contains(said)), "{said}: {told:#?}");
    }
}

#[test]
fn a_broken_expression_is_its_units_error() {
    for (checks, depends, message) in [
        (
            "  healthCheckExprs: [{apiVersion: example.com/v1, kind: Thing, current: 'status.phase =='}]\n",
            "",
            "clusters/prod/base.yaml:1: Kustomization/flux-system/base: nothing of this Kustomization is restored: its healthCheckExprs[0].current is no expression: ",
        ),
        (
            "",
            "  dependsOn: [{name: base, readyExpr: 'dep.status.phase =='}]\n",
            "clusters/prod/apps.yaml:1: Kustomization/flux-system/apps: nothing of this Kustomization is restored: its dependsOn[0].readyExpr is no expression: ",
        ),
        (
            "",
            "  dependsOn: [{name: base, readyExpr: \"dep.spec.path == './other'\"}]\n",
            "clusters/prod/apps.yaml:1: Kustomization/flux-system/apps: nothing of this Kustomization is restored: its dependsOn[0].readyExpr says no even when \
             Kustomization/flux-system/base is ready: Flux does not start it",
        ),
    ] {
        let set = load(&repository(checks, depends), "clusters/prod", Known::new());
        let told = problems(&set);
        assert!(matches!(&*told, [one] if one.starts_with(message)), "{told:#?}");
        let there = objects(&set);
        let (gate, late) = (
            there.contains_key("Thing/shop/gate"),
            there.contains_key("ConfigMap/shop/late"),
        );
        assert_eq!(
            (gate, late),
            (checks.is_empty(), !checks.is_empty()),
            "the other one is restored"
        );
        assert!(
            there.contains_key("Kustomization/flux-system/base")
                && there.contains_key("Kustomization/flux-system/apps")
        );
    }
}

#[test]
fn what_is_ready_by_its_own_is_not_waited_for() {
    let ready = "dep.status.conditions.exists(e, e.type == \"Ready\" && e.status == \"True\")";
    for (expression, waits) in [("self.spec.prune == dep.spec.prune", false), (ready, true)] {
        let depends = format!("  dependsOn: [{{name: base, readyExpr: '{expression}'}}]\n");
        let set = load(&repository(CHECKS, &depends), "clusters/prod", Known::new());
        assert_eq!(problems(&set), Vec::<String>::new());
        let plan = plan::build(&set, &facts(), &PlanOptions::default()).expect("because it has no ring");
        let found = plan.edges.iter().any(|edge| {
            let from = plan.step(edge.from).map(|step| step.id.to_string());
            edge.reason.rule == "unit-after" && from.as_deref() == Some("ConfigMap/shop/late")
        });
        assert_eq!(found, waits, "{expression}");
    }
}

#[test]
fn what_refloat_cannot_render_is_left_to_its_engine_and_waited_for() {
    let plane = fresh();
    plane.serve("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    let far = kustomization("far", "./far", "").replace("name: flux-system}\n", "name: far}\n");
    let repo = Repo::with(&[
        ("clusters/prod/namespaces.yaml", NAMESPACES),
        ("clusters/prod/far.yaml", &far),
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", "")),
        ("apps/map.yaml", &map("here")),
    ]);
    let object = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/far";
    let restore = |mode: &str| restored(&plane, &repo, &["--mode", mode, "--timeout", "2m"]);
    let direct = restore("direct");
    assert_eq!(direct.code, 3, "it is an error: {}", direct.stderr);
    let ran = thread::scope(|scope| {
        let ran = scope.spawn(|| restore("auto"));
        // Flux, played.
        let condition = json!({"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded"});
        let status = json!({"status": {"conditions": [condition], "lastAppliedRevision": "main"}});
        thread::sleep(Duration::from_secs(3));
        assert!(!ran.is_finished(), "it waits for what Flux says");
        let done = wait(
            plane
                .api()
                .request("PATCH", object, "application/merge-patch+json", Some(&status)),
        );
        assert!(done.is_ok_and(|answer| answer.is_success()));
        ran.join().expect("because it does not panic")
    });
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("left to its engine: nothing of this Kustomization is restored: nothing declares its source"),
        "{said}"
    );
}

#[test]
fn what_only_the_cluster_has_is_read_from_it_or_given() {
    let plane = fresh();
    plane.serve("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    let from = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n";
    let repo = Repo::with(&[
        ("clusters/prod/namespaces.yaml", NAMESPACES),
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", from)),
        ("apps/map.yaml", &format!("{}data: {{tag: '${{TAG}}'}}\n", map("web"))),
    ]);
    let settings = |tag: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: flux-system}}\ndata: {{TAG: {tag}}}\n"
        )
    };
    plane.kubectl(&["create", "namespace", "flux-system"], "");
    plane.kubectl(&["create", "-f", "-"], &settings("v-live"));
    let run = |command: &str, more: &[&str]| {
        let place = repo.path().display().to_string();
        let args = [command, &place, "--path", "clusters/prod"];
        refloat(args.iter().chain(more).copied()).run()
    };
    let kubeconfig = plane.kubeconfig();
    let restore = ["--kubeconfig", &*kubeconfig, "--context", "refloat-throwaway", "--yes"];
    let ran = run("restore", &restore);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let web = || live(&plane, "/api/v1/namespaces/shop/configmaps/web").expect("because it was restored");
    assert_eq!(web()["data"]["tag"], "v-live");
    // What the operator gives goes before what is there.
    let file = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    let input = format!("ConfigMap/flux-system/settings={}", file.path().display());
    std::fs::write(file.path(), settings("v-given")).expect("because it is ours");
    let ran = run("restore", &[&restore[..], &["--input", &input]].concat());
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(web()["data"]["tag"], "v-given");
    let other = settings("x").replace("name: settings", "name: other");
    let elsewhere = settings("x").replace("namespace: flux-system", "namespace: shop");
    for (text, said) in [
        ("apiVersion: v1\nkind: Secret\n", "is no ConfigMap"),
        ("a: [", ""),
        (&*other, " is ConfigMap/flux-system/other"),
        (&*elsewhere, " is ConfigMap/shop/settings"),
    ] {
        std::fs::write(file.path(), text).expect("because it is ours");
        let wrong = run("render", &["--input", &input]);
        assert_eq!(wrong.code, 1, "{}", wrong.stderr);
        for part in ["nothing was read: ConfigMap/flux-system/settings was not given", said] {
            assert!(wrong.stderr.contains(part), "{}", wrong.stderr);
        }
    }
    let missing = run("render", &["--input", "ConfigMap/flux-system/settings=/none"]);
    assert!(
        missing.code == 1 && missing.stderr.contains("/none"),
        "{}",
        missing.stderr
    );
}

/// Flux does without what is not there, and only that.
/// Source: `github.com/fluxcd/pkg` (kustomize/kustomize_varsub.go, chartutil/values.go).
#[test]
fn an_optional_input_that_cannot_be_read_is_not_taken_for_absent() {
    let plane = fresh();
    plane.serve("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    let from =
        "  postBuild: {substitute: {OTHER: a}, substituteFrom: [{kind: Secret, name: settings, optional: true}]}\n";
    let repo = Repo::with(&[
        ("clusters/prod/namespaces.yaml", NAMESPACES),
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", from)),
        (
            "apps/map.yaml",
            &format!("{}data: {{tag: '${{TAG:-default}}'}}\n", map("web")),
        ),
    ]);
    let kubeconfig = plane.kubeconfig();
    let proxy = wait(FaultProxy::start(Path::new(&kubeconfig)));
    let through = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    std::fs::write(through.path(), proxy.kubeconfig()).expect("because it is ours");
    let through = through.path().display().to_string();
    let place = repo.path().display().to_string();
    let run = || {
        let args = ["restore", &*place, "--path", "clusters/prod", "--kubeconfig", &*through];
        let confirmed = ["--context", "proxied", "--yes"];
        refloat(args.iter().chain(&confirmed).copied()).run()
    };
    let web = || live(&plane, "/api/v1/namespaces/shop/configmaps/web");
    let refused = Act::Status(403, "Forbidden", "secrets \"settings\" is forbidden", 0);
    proxy.set([Fault::on("GET", "/namespaces/flux-system/secrets/settings", refused)]);
    let ran = run();
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    assert!(web().is_none(), "nothing is rendered with defaults");
    let said = "nothing of this Kustomization is restored: its variables come from Secret/flux-system/settings, which could not be read from the cluster: ";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("with --input Secret/flux-system/settings=FILE"),
        "{}",
        ran.stderr
    );
    // Once it is known not to be there, it is done without.
    proxy.set([]);
    let ran = run();
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(web().expect("because it was restored")["data"]["tag"], "default");
}
