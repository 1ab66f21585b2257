//! The shop that Argo CD runs, restored into a real control plane: in its turns, as Argo CD would have written it, and handed over.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use refloat::control_plane::Options;
use serde_json::{Value, json};

use crate::fixtures::{ended, number, summary, written};
use crate::rollback::{live, returns};
use crate::support::plane::{Plane, fresh, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

/// Opens what the fixture encrypts.
pub(super) const KEY: &str = "fixtures/argo-shop.agekey";
const PASSWORD: &str = "made-for-this-fixture";

fn shop() -> Repo {
    Repo::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/argo-shop"))
}

fn run(plane: &Plane, repo: &Repo, command: &str, more: &[&str]) -> Ran {
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let mut args = vec![command];
    if command != "resume" {
        args.extend([&*place, "--path", "argocd", "--decryption-key", KEY]);
    }
    args.extend(["--kubeconfig", &*kubeconfig]);
    args.extend(more);
    let ran = refloat(args).with_tools(&["helm"]).run();
    for text in [PASSWORD, &BASE64_STANDARD.encode(PASSWORD)] {
        assert!(!ran.stdout.contains(text) && !ran.stderr.contains(text), "{command}");
    }
    ran
}

fn restore(plane: &Plane, repo: &Repo, code: i32) -> Ran {
    let more = ["--old-cluster-is-gone", "--output", "json"];
    returns(code, run(plane, repo, "restore", &more))
}

fn found(plane: &Plane, path: &str) -> Value {
    live(plane, path).unwrap_or_else(|| panic!("{path} is not there"))
}

fn argo(plural: &str, name: &str) -> String {
    format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/{plural}/{name}")
}

#[test]
fn a_shop_that_argo_cd_runs_comes_back() {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    let repo = shop();
    let first = restore(&plane, &repo, 0);
    assert_eq!(number(&summary(&first), "created"), 64);
    in_turns(&plane.requests());
    as_argo_cd_writes(&plane);
    as_rendered(&plane);
    let second = restore(&plane, &repo, 0);
    let again = summary(&second);
    // Namespaces without metadata of their own are made where they are absent, and not looked at again.
    assert_eq!(number(&again, "unchanged"), 59, "{again}");
    for action in ["created", "configured", "recreated", "deleted"] {
        assert_eq!(number(&again, action), 0, "{action}");
    }
}

/// Writes follow phases and waves, also over two levels, and an Application comes after all that it declares.
fn in_turns(log: &[Value]) {
    let of = |object: &str| {
        let (resource, name) = object.split_once('/').expect("because it is so written");
        written(log, resource, name).unwrap_or_else(|| panic!("{object} was not written"))
    };
    // A Job counts once it has ended.
    let done = |object: &str| match object.strip_prefix("jobs/") {
        Some(job) => ended(log, job).unwrap_or_else(|| panic!("{object} did not end")),
        None => of(object).1,
    };
    for chain in [
        &[
            "customresourcedefinitions/appprojects.argoproj.io",
            "appprojects/shop",
            "namespaces/catalog",
            "configmaps/catalog-tables",
            "jobs/catalog-migrate",
            "rolebindings/catalog",
            "deployments/catalog",
            "horizontalpodautoscalers/catalog",
            "ingresses/catalog",
            "jobs/catalog-warm",
            "applications/catalog",
            "namespaces/orders",
            "secrets/shop-orders-database",
            "deployments/shop-orders",
            "applications/orders",
            "namespaces/payments",
            "configmaps/pay-tables",
            "jobs/pay-migrate",
            "configmaps/pay-ledger",
            "jobs/pay-announce",
            "applications/payments",
            "applications/root",
        ][..],
        &[
            "applications/orders",
            "namespaces/region-europe",
            "applications/region-europe",
            "applicationsets/regions",
            "applications/root",
        ],
        &[
            "applications/orders",
            "deployments/counter-lyon-front",
            "applications/counter-lyon-front",
            "applicationsets/counters",
            "applications/root",
        ],
    ] {
        for pair in chain.windows(2) {
            assert!(done(pair[0]) < of(pair[1]).0, "{pair:?}");
        }
    }
    for application in ["catalog", "orders", "payments", "region-asia", "region-europe"] {
        let since = of(&format!("applications/{application}")).0;
        let late = log.iter().find(|line| {
            line["userAgent"]
                .as_str()
                .is_some_and(|agent| agent.starts_with("refloat"))
                && matches!(line["verb"].as_str(), Some("create" | "patch"))
                && line["objectRef"]["namespace"] == application
                && line["requestReceivedTimestamp"].as_str() > Some(since)
        });
        assert_eq!(late, None, "after {application}");
    }
    for (resource, name, why) in [
        ("jobs", "catalog-alarm", "no sync failed"),
        ("pods", "pay-test", "a test is not part of an installation"),
        ("configmaps", "catalog-next", "the file is excluded"),
        ("configmaps", "catalog-notes", "the file says that it is to be skipped"),
        ("applications", "region-closed", "the folder is excluded"),
    ] {
        assert_eq!(written(log, resource, name), None, "{why}");
    }
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const TRACKING: &str = "argocd.argoproj.io/tracking-id";
const CATALOG: &str = "/apis/apps/v1/namespaces/catalog/deployments/catalog";
const ORDERS: &str = "/apis/apps/v1/namespaces/orders/deployments/shop-orders";
const DATABASE: &str = "/api/v1/namespaces/orders/secrets/shop-orders-database";

/// Objects are marked, and owned by who would have written them, in the way that they would have been.
fn as_argo_cd_writes(plane: &Plane) {
    for (path, tracking, manager, by_server) in [
        (
            CATALOG,
            "catalog:apps/Deployment:catalog/catalog",
            "argocd-controller",
            false,
        ),
        (
            "/api/v1/namespaces/catalog/configmaps/catalog",
            "catalog:/ConfigMap:catalog/catalog",
            "argocd-controller",
            true,
        ),
        (
            ORDERS,
            "orders:apps/Deployment:orders/shop-orders",
            "argocd-controller",
            true,
        ),
        (
            DATABASE,
            "orders:/Secret:orders/shop-orders-database",
            "argocd-controller",
            true,
        ),
        (
            "/apis/apps/v1/namespaces/payments/deployments/pay",
            "payments:apps/Deployment:payments/pay",
            "argocd-controller",
            false,
        ),
        (
            &argo("applications", "catalog"),
            "root:argoproj.io/Application:argocd/catalog",
            "argocd-controller",
            false,
        ),
        (
            &argo("applications", "region-asia"),
            "",
            "argocd-applicationset-controller",
            true,
        ),
    ] {
        let object = found(plane, path);
        let annotations = &object["metadata"]["annotations"];
        assert_eq!(annotations[TRACKING].as_str().unwrap_or_default(), tracking, "{path}");
        assert_eq!(annotations[LAST_APPLIED].is_string(), !by_server, "{path}");
        let how = if by_server { "Apply" } else { "Update" };
        let managers = object["metadata"]["managedFields"]
            .as_array()
            .expect("because it was written");
        let is_theirs = |one: &&Value| one["manager"] == manager && one["operation"] == how;
        assert_eq!(managers.iter().filter(is_theirs).count(), 1, "{path}: {managers:#?}");
    }
    let metadata = found(plane, "/api/v1/namespaces/catalog")["metadata"].clone();
    assert_eq!(metadata["labels"]["team"], "catalog");
    assert_eq!(metadata["annotations"]["shop.example.com/owner"], "catalog@example.com");
}

/// Options of sources and parameters of generators have come through.
fn as_rendered(plane: &Plane) {
    for (path, pointer, expected) in [
        (ORDERS, "/spec/replicas", json!(3)),
        (ORDERS, "/metadata/labels", json!({"team": "orders"})),
        (
            ORDERS,
            "/spec/template/spec/containers/0/image",
            json!("registry.example.com/orders:2.4.1"),
        ),
        (
            ORDERS,
            "/spec/template/spec/containers/0/envFrom/1/secretRef/name",
            json!("shop-orders-database"),
        ),
        (
            DATABASE,
            "/data",
            json!({"user": BASE64_STANDARD.encode("orders"), "password": BASE64_STANDARD.encode(PASSWORD)}),
        ),
        (
            "/api/v1/namespaces/orders/services/shop-orders",
            "/spec/ports/0/appProtocol",
            json!("http"),
        ),
        (
            "/apis/policy/v1/namespaces/orders/poddisruptionbudgets/shop-orders",
            "/spec/minAvailable",
            json!(1),
        ),
        (
            "/apis/apps/v1/namespaces/payments/deployments/pay",
            "/spec/template/spec/containers/0/image",
            json!("registry.example.com/payments:1.10"),
        ),
        (
            "/api/v1/namespaces/payments/configmaps/pay",
            "/data",
            json!({"currency": "EUR", "owner": "payments"}),
        ),
        (
            "/apis/apps/v1/namespaces/counters/deployments/counter-oslo-front",
            "/spec/replicas",
            json!(2),
        ),
        (
            "/api/v1/namespaces/counters/configmaps/counter-lyon-back",
            "/data/hours",
            json!("[\"08:00\",\"20:00\"]"),
        ),
    ] {
        let object = found(plane, path);
        assert_eq!(object.pointer(pointer), Some(&expected), "{path}");
    }
}

/// What stands where an engine's object is suspended, and whether refloat marked it.
fn policy(plane: &Plane, plural: &str, name: &str) -> (Value, bool) {
    let object = found(plane, &argo(plural, name));
    let field = if plural == "applications" {
        "automated"
    } else {
        "applicationsSync"
    };
    let mark = object.pointer("/metadata/annotations/refloat.dev~1suspended");
    (object["spec"]["syncPolicy"][field].clone(), mark.is_some())
}

const BAD: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: bad}\nspec:\n  replicas: -1\n  selector: {matchLabels: {app: bad}}\n\
    \x20 template: {metadata: {labels: {app: bad}}, spec: {containers: [{name: bad, image: 'registry.example.com/bad:1'}]}}\n";

#[test]
fn an_application_of_which_something_is_missing_does_not_sync_until_it_is_let_go() {
    let (plane, repo) = (fresh(), shop());
    let path = repo.path().join("apps/payments.yaml");
    let good = std::fs::read_to_string(&path).expect("because it is part of the fixture");
    let broken = good.replace("replicas: 2", "replicas: -1");
    assert_ne!(broken, good);
    repo.write("apps/payments.yaml", &broken);
    repo.write("regions/europe/bad.yaml", BAD);
    repo.commit("break two");
    let _ = restore(&plane, &repo, 3);
    let suspended = [
        ("applications", "payments", json!({"prune": false, "selfHeal": true})),
        ("applications", "region-europe", json!({"prune": true})),
        ("applicationsets", "regions", Value::Null),
        ("applications", "root", json!({"prune": true, "selfHeal": true})),
    ];
    let whole = [
        ("applications", "catalog", json!({"prune": true, "selfHeal": true})),
        ("applications", "region-asia", json!({"prune": true})),
        ("applicationsets", "counters", Value::Null),
    ];
    let off = |plural| {
        if plural == "applications" {
            Value::Null
        } else {
            json!("create-only")
        }
    };
    for (plural, name, _) in &suspended {
        assert_eq!(policy(&plane, plural, name), (off(*plural), true), "{name}");
    }
    for (plural, name, value) in &whole {
        assert_eq!(policy(&plane, plural, name), (value.clone(), false), "{name}");
    }
    assert!(
        live(&plane, "/apis/batch/v1/namespaces/payments/jobs/pay-announce").is_none(),
        "what comes after the Deployment waits for it"
    );

    repo.write("apps/payments.yaml", &good);
    repo.write("regions/europe/bad.yaml", &BAD.replace("-1", "1"));
    repo.commit("mend them");
    let _ = restore(&plane, &repo, 0);
    assert!(live(&plane, "/apis/batch/v1/namespaces/payments/jobs/pay-announce").is_some());
    for (plural, name, _) in &suspended {
        assert_eq!(
            policy(&plane, plural, name),
            (off(*plural), true),
            "{name}: until it is let go"
        );
    }
    let _ = returns(0, run(&plane, &repo, "resume", &[]));
    for (plural, name, value) in suspended.iter().chain(&whole) {
        assert_eq!(policy(&plane, plural, name), (value.clone(), false), "{name}");
    }
    let again = summary(&restore(&plane, &repo, 0));
    assert_eq!(
        (number(&again, "created"), number(&again, "configured")),
        (0, 0),
        "nothing of a suspension is left: {again}"
    );
}
