//! Two states side by side: clusters, snapshots, revisions.

use std::path::Path;

use serde_json::{Value, json};

use super::{bank, clean, empty, key, root, send, snapshot};
use crate::support::plane::{Plane, contexts, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

fn diff(a: &str, b: &str, more: &[&str]) -> Ran {
    let ran = refloat(["diff", a, b].iter().chain(more).copied()).run();
    clean("diff", ran.stdout.as_bytes());
    clean("diff", ran.stderr.as_bytes());
    ran
}

/// What was said, with paths that differ from run to run taken out.
fn told(ran: &Ran, place: &Path) -> String {
    format!(
        "exit {}\n{}",
        ran.code,
        ran.stdout.replace(&place.display().to_string(), "TMP")
    )
}

#[test]
fn a_cluster_and_what_was_restored_of_it_are_the_same() {
    let (old, new) = (bank(), empty());
    let place = tempfile::tempdir().expect("because a temporary folder can be made");
    let (private, public) = key();
    let private = private.display().to_string();
    let sealed = place.path().join("live.tar.zst").display().to_string();
    assert_eq!(
        snapshot(&old.kubeconfig(), sealed.as_ref(), &["--encrypt-to", &public]).code,
        0
    );
    let target = new.kubeconfig();
    let restore = [
        "restore",
        &sealed,
        "--kubeconfig",
        &target,
        "--old-cluster-is-gone",
        "--decryption-key",
        &private,
    ];
    let ran = refloat(restore).run();
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);

    let config = contexts(&[("old", &old), ("new", &new)], place.path());
    let with = ["--kubeconfig", &config, "--decryption-key", &private];
    let same = diff(&sealed, "cluster:new", &with);
    assert!(
        same.stdout.starts_with("Nothing differs between snapshot "),
        "{}",
        told(&same, place.path())
    );
    assert_eq!(same.code, 0);
    // Annotations that repeat a Secret are in no snapshot.
    let clusters = diff("cluster:old", "cluster:new", &with);
    let lines: Vec<&str> = clusters.stdout.lines().collect();
    assert!(
        lines.len() == 4 && lines[0] == "  changed  Secret/vault/db",
        "{}",
        clusters.stdout
    );
    assert!(
        lines[1].contains("example.com/note") && lines[2].contains("kapp.k14s.io/original"),
        "{}",
        clusters.stdout
    );

    let bank = root("fixtures/mobile-bank").display().to_string();
    let ran = diff(&bank, "cluster:new", &with);
    let text = told(&ran, place.path()).replace(&bank, "BANK");
    let text: Vec<&str> = text.lines().filter(|line| !line.contains("differ between")).collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    exit 3
      added    ConfigMap/vault/settings
      added    ConfigMap/vault/sh.helm.release.v1.web.v1
      added    Namespace/vault
      added    Secret/vault/db
    ");
    changes(&old, &sealed, &config, &private, place.path());
}

fn changes(plane: &Plane, sealed: &str, config: &str, private: &str, place: &Path) {
    let vault = "/api/v1/namespaces/vault";
    let body = json!({"data": {"colour": "red", "size": "l"}});
    send(
        plane,
        "PATCH",
        &format!("{vault}/configmaps/settings?fieldManager=kubectl-edit"),
        &body,
    );
    let secret =
        json!({"metadata": {"labels": {"a": "b"}}, "stringData": {"password": "canary-hunter2-again", "more": "x"}});
    send(
        plane,
        "PATCH",
        &format!("{vault}/secrets/db?fieldManager=kubectl-edit"),
        &secret,
    );
    send(
        plane,
        "POST",
        &format!("{vault}/serviceaccounts"),
        &json!({"metadata": {"name": "new"}}),
    );
    let gone = format!("{vault}/configmaps/sh.helm.release.v1.web.v1");
    wait(plane.api().request("DELETE", &gone, "", None)).expect("because the server runs");
    // An autoscaler sets these, so that they do not count.
    let scale = json!({"spec": {"replicas": 5}});
    send(
        plane,
        "PATCH",
        "/apis/apps/v1/namespaces/mobile/deployments/mobile-backend?fieldManager=kubectl-edit",
        &scale,
    );

    let ran = diff(
        sealed,
        "cluster:old",
        &["--kubeconfig", config, "--decryption-key", private],
    );
    insta::assert_snapshot!(told(&ran, place), @r#"
    exit 3
      changed  ConfigMap/vault/settings
               .data.colour  "blue" → "red"
               .data.size  added: "l"
      removed  ConfigMap/vault/sh.helm.release.v1.web.v1  objects/vault/configmaps/sh.helm.release.v1.web.v1.yaml
      changed  Secret/vault/db
               .metadata.annotations[example.com/note]  changed; values are not shown
               .metadata.annotations[kapp.k14s.io/original]  changed; values are not shown
               .metadata.labels.a  added: "b"
               .data.password  changed; values are not shown
               .data.more  changed; values are not shown
      added    ServiceAccount/vault/new
    4 objects differ between snapshot TMP/live.tar.zst and cluster old: 1 added, 1 removed, 2 changed; 99 are the same.
    "#);
    let ran = diff(sealed, "cluster:old", &["--kubeconfig", config, "--output", "json"]);
    assert_eq!(ran.code, 3);
    let report: Value = serde_json::from_str(&ran.stdout).expect("because it is JSON");
    snapshots(plane, (sealed, place), private);
    assert_eq!(
        (&report["before"]["kind"], &report["after"]["name"]),
        (&json!("snapshot"), &json!("old"))
    );
    let masked = report["masked"].to_string();
    assert!(
        masked.contains("\"name\":\"db\"") && masked.contains("bank-db-credentials"),
        "{masked}"
    );
    let objects = report["objects"].as_array().expect("because a report lists them");
    let secret = objects
        .iter()
        .find(|one| one["object"]["name"] == "db")
        .expect("because its keys differ");
    let paths: Vec<&str> = secret["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["path"].as_str())
        .collect();
    assert!(
        paths.contains(&".data.more") && !paths.contains(&".data.password"),
        "{paths:?}"
    );
}

/// A snapshot from before the changes beside one from after them: the same differences as with the cluster.
fn snapshots(plane: &Plane, (sealed, place): (&str, &Path), private: &str) {
    let later = place.join("later.tar.zst");
    let mut identities = sops::Identities::new();
    let text = std::fs::read_to_string(private).expect("because it is the key's file");
    identities.add_age(&text).expect("because it is a key");
    let to = ["--encrypt-to", &*identities.recipients().remove(0)];
    assert_eq!(snapshot(&plane.kubeconfig(), &later, &to).code, 0);
    let later = later.display().to_string();
    let key = ["--decryption-key", private];
    let ran = diff(sealed, &later, &key);
    assert_eq!(ran.code, 3, "{}", told(&ran, place));
    let objects = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let objects: Vec<Vec<&str>> = objects.map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(
        objects,
        [
            ["changed", "ConfigMap/vault/settings"],
            ["removed", "ConfigMap/vault/sh.helm.release.v1.web.v1"],
            ["changed", "Secret/vault/db"],
            ["added", "ServiceAccount/vault/new"],
        ],
        "{}",
        told(&ran, place)
    );
    let same = diff(&later, &later, &key);
    assert_eq!(same.code, 0, "{}", same.stdout);
}

#[test]
fn revisions_of_a_repository_are_compared() {
    let text = |replicas: u32, more: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec:\n  replicas: {replicas}\n{more}"
        )
    };
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: canary-hunter2}\n";
    let repo = Repo::with(&[("web.yaml", &text(2, secret))]);
    repo.write("web.yaml", &text(3, ""));
    repo.commit("more of it");
    let at = |rev: &str| format!("{}@{rev}", repo.path().display());
    let ran = diff(&at("HEAD~1"), &at("HEAD"), &[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "  removed  Secret/shop/db  web.yaml",
            "  changed  Deployment/shop/web  web.yaml",
            "           .spec.replicas  2 → 3"
        ],
        "{}",
        ran.stdout
    );
    assert!(
        lines[3].starts_with("2 objects differ between repository ")
            && lines[3].ends_with(": 1 removed, 1 changed; 0 are the same.")
    );
    let ran = diff(&at("HEAD"), &repo.path().display().to_string(), &[]);
    assert_eq!(ran.code, 0);
    let ran = diff(&at("nonsense"), "cluster:nowhere", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(
        ran.stderr.contains("could not be read at revision nonsense"),
        "{}",
        ran.stderr
    );
}
