//! The smaller fixtures, restored into one real control plane each after the other.

use std::path::Path;

use refloat::control_plane::Options;
use serde_json::Value;

use crate::support::plane::{Plane, fresh_with, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

fn restore(plane: &Plane, args: &[&str]) -> Ran {
    let kubeconfig = plane.kubeconfig();
    let always = [
        "restore",
        "--kubeconfig",
        &kubeconfig,
        "--context",
        "refloat-throwaway",
        "--yes",
        "--force-entry",
    ];
    let own = ["--old-cluster-is-gone", "--output", "json"];
    let all = always.iter().chain(&own).chain(args);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    refloat(all.copied())
        .cwd(&fixtures)
        .with_tools(&["helm", "kustomize"])
        .run()
}

/// The last summary that a run with `--output json` tells.
pub fn summary(ran: &Ran) -> Value {
    let lines = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut of = lines.filter(|line| line["event"] == "summary");
    of.next_back()
        .unwrap_or_else(|| panic!("no summary:\n{}\n{}", ran.stdout, ran.stderr))
}

/// How many objects a summary counts for an action.
pub fn number(summary: &Value, action: &str) -> u64 {
    let counts = summary["counts"].as_array().expect("because a summary counts");
    let of = counts.iter().filter(|one| one["action"] == action);
    of.filter_map(|one| one["count"].as_u64()).sum()
}

/// When an object was first sent and answered, by the request log; `None` if never.
pub fn written<'a>(log: &'a [Value], resource: &str, name: &str) -> Option<(&'a str, &'a str)> {
    let ours = |line: &&Value| {
        let (reference, verb) = (&line["objectRef"], line["verb"].as_str());
        line["stage"] == "ResponseComplete"
            && reference["resource"] == resource
            && reference["name"] == name
            && reference["subresource"].is_null()
            && matches!(verb, Some("create" | "patch"))
            && matches!(line["responseStatus"]["code"].as_u64(), Some(200 | 201))
            && !line["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"))
    };
    let first = log.iter().find(ours)?;
    Some((
        first["requestReceivedTimestamp"].as_str()?,
        first["stageTimestamp"].as_str()?,
    ))
}

/// When the last status of a Job came in: watches tell of it before the write itself is answered.
pub fn ended<'a>(log: &'a [Value], job: &str) -> Option<&'a str> {
    let status = log.iter().filter(|line| {
        let reference = &line["objectRef"];
        reference["resource"] == "jobs" && reference["name"] == job && reference["subresource"] == "status"
    });
    status
        .filter_map(|line| line["requestReceivedTimestamp"].as_str())
        .max()
}

#[test]
fn a_chart_with_hooks_a_kustomization_and_a_jenkins_x_repository_come_back() {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    the_chart(&plane);

    let shop = ["kustomize-shop", "--path", "overlays/production"];
    let first = restore(&plane, &shop);
    assert_eq!(first.code, 0, "{}\n{}", first.stdout, first.stderr);
    assert_eq!(number(&summary(&first), "created"), 8);
    let second = restore(&plane, &shop);
    assert_eq!((second.code, number(&summary(&second), "unchanged")), (0, 8));

    let first = restore(&plane, &["jx-mini"]);
    assert_eq!(first.code, 3, "{}\n{}", first.stdout, first.stderr);
    assert_eq!(
        number(&summary(&first), "created"),
        47,
        "all but the PodDisruptionBudget that needs an edit"
    );
    let second = restore(&plane, &["jx-mini"]);
    assert_eq!((second.code, number(&summary(&second), "unchanged")), (3, 47));
}

#[test]
fn a_shop_that_flux_runs_comes_back() {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    // Flux counts paths from the root of a repository.
    let repo = Repo::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/flux-shop"));
    let path = repo.path().display().to_string();
    let args = [&*path, "--decryption-key", "flux-shop.agekey"];
    let first = restore(&plane, &args);
    assert_eq!(first.code, 0, "{}\n{}", first.stdout, first.stderr);
    assert_eq!(number(&summary(&first), "created"), 66);
    let shown = format!("{}{}", first.stdout, first.stderr);
    assert!(!shown.contains("canary"), "nothing in clear is shown: {shown}");

    let log = plane.requests();
    let of = |resource, name: &str| {
        let found = written(&log, resource, name);
        found.unwrap_or_else(|| panic!("{resource} {name} was not written"))
    };
    let ready = |job| ended(&log, job).expect("because its status is written");
    for (before, after, why) in [
        (
            of("deployments", "market-operator").1,
            of("markets", "europe").0,
            "infra-configs depends on infra-controllers",
        ),
        (
            of("deployments", "catalog").1,
            of("configmaps", "orders-values").0,
            "orders depends on catalog",
        ),
        (
            of("statefulsets", "pay-ledger").1,
            of("configmaps", "orders-values").0,
            "and on payments",
        ),
        (
            ready("orders-migrate"),
            of("deployments", "orders").0,
            "the chart waits for its hook",
        ),
        (
            of("deployments", "orders").1,
            of("jobs", "orders-warm").0,
            "and a hook for the chart",
        ),
        (
            ready("orders-warm"),
            of("helmreleases", "orders").0,
            "an engine's object comes last",
        ),
        (
            of("kustomizations", "orders").1,
            of("kustomizations", "apps").0,
            "also over two levels",
        ),
    ] {
        assert!(before < after, "{why}");
    }
    assert_eq!(written(&log, "jobs", "orders-farewell"), None);

    let second = restore(&plane, &args);
    assert_eq!(
        (second.code, number(&summary(&second), "unchanged")),
        (0, 65),
        "{}",
        second.stderr
    );
}

fn the_chart(plane: &Plane) {
    let args = ["helm-shop", "--values", "values-production.yaml"];
    let first = restore(plane, &args);
    assert_eq!(first.code, 0, "{}\n{}", first.stdout, first.stderr);
    assert_eq!(number(&summary(&first), "created"), 42);

    let log = plane.requests();
    let of = |resource, name: &str| {
        let found = written(&log, resource, &format!("helm-shop{name}"));
        found.unwrap_or_else(|| panic!("{resource} helm-shop{name} was not written"))
    };
    let tables = of("configmaps", "-tables");
    let migrate = of("jobs", "-migrate");
    assert!(tables.1 < migrate.0, "hooks go by weight");
    let migrated = ended(&log, "helm-shop-migrate").expect("because its status is written");
    let (chart, seed) = (of("deployments", ""), of("jobs", "-seed"));
    assert!(migrated < chart.0, "the chart waits for its pre-install hooks");
    assert!(chart.1 < seed.0, "post-install hooks wait for the chart");
    let seeded = ended(&log, "helm-shop-seed").expect("because its status is written");
    assert!(
        seeded < of("jobs", "-announce").0,
        "hooks wait for the weight before them"
    );
    for (resource, name) in [("pods", "test"), ("jobs", "farewell"), ("jobs", "upgrade")] {
        assert_eq!(
            written(&log, resource, &format!("helm-shop-{name}")),
            None,
            "{name} is no install hook"
        );
    }

    let secret = || wait(plane.api().get("/api/v1/namespaces/default/secrets/helm-shop"));
    let before = secret().expect("because the server runs").body;
    assert!(before["data"]["admin-password"].is_string());
    let second = restore(plane, &args);
    assert_eq!(second.code, 0, "{}\n{}", second.stdout, second.stderr);
    assert_eq!(
        secret().expect("because the server runs").body,
        before,
        "what was generated stays"
    );
}
