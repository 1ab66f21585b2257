//! A real repository in parts, in two goes, and again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use super::stopping::{Running, signal};
use super::{Admin, CONTEXT, proxy};
use crate::support::plane::{self, Plane};
use crate::support::repo::Repo;
use crate::support::run::{Ran, Refloat, refloat};

fn repo() -> String {
    static REPO: OnceLock<Repo> = OnceLock::new();
    let fixture = || Repo::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mobile-bank"));
    REPO.get_or_init(fixture).path().display().to_string()
}

fn bank(plane: &Plane, more: &[&str]) -> Refloat {
    let repo = repo();
    let kubeconfig = plane.kubeconfig();
    let mut args = vec![
        "restore",
        &repo,
        "--kubeconfig",
        &kubeconfig,
        "--old-cluster-is-gone",
        "--yes",
        "--context",
        CONTEXT,
    ];
    args.extend(more);
    refloat(args)
}

/// Action and object of each settled step, in their order.
fn settled(ran: &Ran) -> Vec<(String, String)> {
    let words = ["created", "configured", "unchanged", "recreated", "failed"];
    let lines = ran.stderr.lines().filter_map(|line| {
        let mut parts = line.split_whitespace();
        let word = parts.next().filter(|word| words.contains(word))?;
        Some((word.to_owned(), parts.next()?.to_owned()))
    });
    lines.collect()
}

fn namespaces(settled: &[(String, String)]) -> BTreeSet<&str> {
    settled
        .iter()
        .filter_map(|(_, id)| id.split('/').nth(1).filter(|_| id.matches('/').count() == 2))
        .collect()
}

/// What is live of the kinds that declare most, without what differs between any two clusters.
fn live(plane: &Plane) -> BTreeMap<String, Value> {
    let admin = Admin::of(plane);
    let mut live = BTreeMap::new();
    for path in [
        "/api/v1/configmaps",
        "/api/v1/secrets",
        "/api/v1/serviceaccounts",
        "/api/v1/persistentvolumeclaims",
        "/api/v1/resourcequotas",
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/statefulsets",
        "/apis/batch/v1/jobs",
        "/apis/batch/v1/cronjobs",
        "/apis/networking.k8s.io/v1/networkpolicies",
        "/apis/rbac.authorization.k8s.io/v1/rolebindings",
        "/apis/policy/v1/poddisruptionbudgets",
        "/apis/autoscaling/v2/horizontalpodautoscalers",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    ] {
        let list = admin.get(path);
        for mut item in list["items"].as_array().cloned().unwrap_or_default() {
            let name = format!("{path} {} {}", item["metadata"]["namespace"], item["metadata"]["name"]);
            if name.contains("\"kube-") || item["metadata"]["name"] == "kube-root-ca.crt" {
                continue;
            }
            // What the cluster's own controllers note differs: which node, which volume.
            let of_refloat = |entry: &Value| !entry["manager"].as_str().is_some_and(|name| name.starts_with("kube-"));
            let mut managers: Vec<Value> = item["metadata"]["managedFields"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            managers.retain(|entry| entry["subresource"].is_null() && of_refloat(entry));
            for entry in managers.iter_mut().filter_map(Value::as_object_mut) {
                entry.remove("time");
            }
            let mut annotations = item["metadata"]["annotations"].clone();
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.retain(|key, _| {
                    !key.contains("volume") && !key.starts_with("pv.") && !key.starts_with("deployment.")
                });
            }
            item["metadata"] =
                serde_json::json!({"labels": item["metadata"]["labels"], "annotations": annotations, "by": managers});
            for per_cluster in ["/status", "/spec/volumeName"] {
                if let Some(value) = item.pointer_mut(per_cluster) {
                    *value = Value::Null;
                }
            }
            let mut text = item.to_string();
            // The uid of a Job is in its selector; an injected CA is each cluster's own.
            for pattern in ["[0-9a-f]{8}-[0-9a-f-]{27}", "\"caBundle\":\"[^\"]*\""] {
                text = regex::Regex::new(pattern)
                    .expect("because it is written right")
                    .replace_all(&text, "#")
                    .into_owned();
            }
            live.insert(name, Value::String(text));
        }
    }
    live
}

#[test]
fn the_bank_in_parts_and_in_two_goes() {
    let (parts, goes) = (plane::fresh(), plane::fresh());

    // One namespace, with what it needs.
    let ran = bank(&parts, &["--only", "accounts"]).run();
    let done = settled(&ran);
    assert!(
        ran.code == 0 && done.iter().all(|(word, _)| word == "created"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let there = namespaces(&done);
    assert!(
        there.contains("accounts")
            && there.contains("data")
            && !there.contains("mobile")
            && !there.contains("monitoring"),
        "{there:?}"
    );

    // A dry run writes nothing, and asks the server what it would make of what is there.
    let proxy = proxy(&parts, []);
    let kubeconfig = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    std::fs::write(kubeconfig.path(), proxy.kubeconfig()).expect("because it is ours");
    let path = kubeconfig.path().display().to_string();
    let ran = refloat(["restore", &repo(), "--dry-run", "--kubeconfig", &path]).run();
    assert!(
        ran.stdout.contains("Plan: 94 objects to apply"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let (mut dry, mut writes) = (0, Vec::new());
    for request in proxy.log() {
        match request.method.as_str() {
            "GET" => {}
            "POST" if request.path.contains("/selfsubjectaccessreviews") => {}
            _ if request.path.contains("dryRun=All") => dry += 1,
            _ => writes.push(request.path),
        }
    }
    assert_eq!(writes, [""; 0]);
    assert!(dry > 20, "{dry}");

    // One object, without what it needs.
    let ran = bank(&parts, &["--only", "ConfigMap/payments/payments-config", "--no-deps"]).run();
    assert_eq!(settled(&ran), [], "{}{}", ran.stdout, ran.stderr);

    // The rest, but for one namespace, payments first.
    let ran = bank(
        &parts,
        &["--except", "monitoring", "--first", "payments", "--concurrency", "1"],
    )
    .run();
    let done = settled(&ran);
    let at = |namespace: &str| -> Vec<usize> {
        let of = |(at, (word, id)): (usize, &(String, String))| {
            let sorts = ["ConfigMap/", "Secret/", "ServiceAccount/"].map(|kind| format!("{kind}{namespace}/"));
            (word == "created" && sorts.iter().any(|sort| id.starts_with(sort))).then_some(at)
        };
        done.iter().enumerate().filter_map(of).collect()
    };
    let (payments, mobile) = (at("payments"), at("mobile"));
    assert!(
        payments.len() > 2 && mobile.len() > 2 && payments.last() < mobile.first(),
        "{}",
        ran.stderr
    );
    assert!(
        ran.code == 0 && !namespaces(&done).contains("monitoring"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let ran = bank(&parts, &[]).run();
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);

    // Stopped twice, once by force, and gone on with.
    let mut first = Running::new(bank(&goes, &["--no-lease", "--concurrency", "1"]).start());
    first.until("created     ServiceAccount");
    signal("-INT", first.child.id());
    let ran = first.end();
    assert_eq!(ran.code, 130, "{}{}", ran.stdout, ran.stderr);
    let mut second = Running::new(bank(&goes, &["--no-lease", "--concurrency", "2"]).start());
    second.until("created     StatefulSet");
    signal("-KILL", second.child.id());
    assert_eq!(second.end().code, -1);
    let ran = bank(&goes, &[]).run();
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let done = settled(&ran);
    let count = |word: &str| done.iter().filter(|(action, _)| action == word).count();
    assert!(count("unchanged") > 10 && count("created") > 3, "{}", ran.stderr);

    // Again, nothing changes; and both clusters are the same.
    for plane in [&parts, &goes] {
        let ran = bank(plane, &[]).run();
        let changed: Vec<_> = settled(&ran)
            .into_iter()
            .filter(|(word, _)| word != "unchanged")
            .collect();
        assert_eq!(changed, [], "{}", ran.stdout);
        assert_eq!(ran.code, 0);
    }
    let (one, other) = (live(&parts), live(&goes));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, object) in &one {
        assert_eq!(object, &other[name], "{name}");
    }
    assert!(one.len() > 50, "{}", one.len());
}
