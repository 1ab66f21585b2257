//! Reading one: a cluster comes back from it, and is compared with it.

use std::path::Path;

use serde_json::{Value, json};

use super::{CANARY, ENCODED, bank, clean, empty, files, key, send, snapshot};
use crate::support::plane::{Plane, contexts, wait};
use crate::support::run::{Ran, refloat};

fn run(command: &str, from: &Path, plane: &Plane, more: &[&str]) -> Ran {
    let (from, kubeconfig) = (from.display().to_string(), plane.kubeconfig());
    let args = [command, &from, "--kubeconfig", &kubeconfig];
    let ran = refloat(args.iter().chain(more).copied()).run();
    clean(command, ran.stdout.as_bytes());
    clean(command, ran.stderr.as_bytes());
    ran
}

fn get(plane: &Plane, path: &str) -> Value {
    wait(plane.api().get(path)).expect("because the server runs").body
}

/// `verdict Kind/name` of every finding.
fn found(ran: &Ran) -> Vec<String> {
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    let findings = report["findings"].as_array().expect("because a report lists them");
    let one = |finding: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &finding["object"];
        format!(
            "{} {}/{} {}",
            text(&finding["verdict"]),
            text(&object["kind"]),
            text(&object["name"]),
            finding["fields"]
        )
    };
    findings.iter().map(one).collect()
}

#[test]
fn a_cluster_comes_back() {
    let old = bank();
    let place = tempfile::tempdir().expect("because a temporary folder can be made");
    let (private, public) = key();
    let private = private.display().to_string();
    let sealed = place.path().join("live.tar.zst");
    let ran = snapshot(&old.kubeconfig(), &sealed, &["--encrypt-to", &public]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    // The cluster that it is of is as it says, and what is changed there is found.
    let with_key = ["--decryption-key", &private, "--output", "json"];
    let ran = run("audit", &sealed, &old, &with_key);
    let copies = found(&ran);
    assert!(
        copies.len() == 1 && copies[0].starts_with("drifted Secret/db") && copies[0].contains("kapp.k14s.io/original"),
        "annotations that repeat a Secret are not in it: {copies:?}"
    );
    let settings = "/api/v1/namespaces/vault/configmaps/settings?fieldManager=kubectl-edit";
    send(&old, "PATCH", settings, &json!({"data": {"colour": "red"}}));
    let ran = run("audit", &sealed, &old, &with_key);
    assert_eq!(ran.code, 3);
    let changes = found(&ran);
    assert!(
        changes.len() == 2 && changes.iter().any(|one| one.starts_with("drifted ConfigMap/settings")),
        "{changes:?}"
    );

    // Without the key Secrets are known, and not restored.
    let ran = run("audit", &sealed, &old, &["--output", "json"]);
    assert!(
        found(&ran).iter().any(|one| one.starts_with("not-reached Secret/db")),
        "{:?}",
        found(&ran)
    );
    let new = empty();
    let ran = run(
        "restore",
        &sealed,
        &new,
        &["--old-cluster-is-gone", "--soft-wait", "1s", "--dry-run"],
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("nothing of this file is restored: no key fits")
            && ran.stderr.contains("objects/vault/secrets/db.yaml"),
        "{}",
        ran.stderr
    );

    let ran = run(
        "restore",
        &sealed,
        &new,
        &["--old-cluster-is-gone", "--decryption-key", &private],
    );
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let secret = get(&new, "/api/v1/namespaces/vault/secrets/db");
    assert_eq!(secret["data"], json!({"password": ENCODED}));
    assert_eq!(secret["metadata"]["annotations"], json!({"example.com/kept": "yes"}));
    assert_eq!(
        get(&new, "/api/v1/namespaces/vault/configmaps/sh.helm.release.v1.web.v1")["data"],
        json!({"release": CANARY})
    );
    let backend = get(&new, "/apis/apps/v1/namespaces/mobile/deployments/mobile-backend");
    assert_ne!(backend["status"]["readyReplicas"], json!(null), "{backend}");
    let ran = run("audit", &sealed, &new, &with_key);
    assert_eq!(found(&ran), [""; 0]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    twice(&sealed, &new, &private);
}

/// Laid out as files, one can be read as it is packed: compared with its cluster, and restored.
#[test]
fn a_cluster_comes_back_from_a_folder() {
    let place = tempfile::tempdir().expect("because a temporary folder can be made");
    let live = place.path().join("live");
    let (old, new) = (empty(), empty());
    send(
        &old,
        "POST",
        "/api/v1/namespaces",
        &json!({"metadata": {"name": "shop"}}),
    );
    let maps = "/api/v1/namespaces/shop/configmaps";
    let colour = |colour: &str| json!({"metadata": {"name": "settings"}, "data": {"colour": colour}});
    send(&old, "POST", maps, &colour("blue"));
    let web = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]}}}});
    send(&old, "POST", "/apis/apps/v1/namespaces/shop/deployments", &web);
    let ran = snapshot(&old.kubeconfig(), &live, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(live.join("objects/shop/configmaps/settings.yaml").is_file());

    let json = ["--output", "json"];
    let ran = run("audit", &live, &old, &json);
    assert_eq!((found(&ran), ran.code), (Vec::new(), 0), "{}", ran.stderr);
    send(
        &old,
        "PATCH",
        &format!("{maps}/settings?fieldManager=kubectl-edit"),
        &colour("red"),
    );
    let ran = run("audit", &live, &old, &json);
    let changes = found(&ran);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        changes.len() == 1 && changes[0].starts_with("drifted ConfigMap/settings"),
        "{changes:?}"
    );

    let ran = run("restore", &live, &new, &["--old-cluster-is-gone"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(
        get(&new, &format!("{maps}/settings"))["data"],
        json!({"colour": "blue"})
    );
    let web = get(&new, "/apis/apps/v1/namespaces/shop/deployments/web");
    assert_eq!(web["status"]["readyReplicas"], 2, "{web}");
    let ran = run("audit", &live, &new, &json);
    assert_eq!((found(&ran), ran.code), (Vec::new(), 0), "{}", ran.stderr);

    let config = contexts(&[("old", &old), ("new", &new)], place.path());
    let diff = |cluster: &str| {
        let live = live.display().to_string();
        refloat(["diff", &live, cluster, "--kubeconfig", &config]).run()
    };
    let same = diff("cluster:new");
    assert!(
        same.stdout.starts_with("Nothing differs between snapshot ") && same.code == 0,
        "{}{}",
        same.stdout,
        same.stderr
    );
    let other = diff("cluster:old");
    let told = "  changed  ConfigMap/shop/settings\n           .data.colour  \"blue\" → \"red\"\n1 object differs between snapshot ";
    assert!(
        other.stdout.starts_with(told) && other.code == 3,
        "{}{}",
        other.stdout,
        other.stderr
    );
}

/// A second restore changes nothing.
fn twice(from: &Path, plane: &Plane, key: &str) {
    let ran = run(
        "restore",
        from,
        plane,
        &[
            "--old-cluster-is-gone",
            "--decryption-key",
            key,
            "--yes",
            "--context",
            "refloat-throwaway",
        ],
    );
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        !ran.stderr.contains("\nconfigured ") && !ran.stderr.contains("\ncreated "),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_is_damaged_is_said_and_the_rest_is_read() {
    let place = tempfile::tempdir().expect("because a temporary folder can be made");
    let live = place.path().join("live");
    let plane = empty();
    send(
        &plane,
        "POST",
        "/api/v1/namespaces",
        &json!({"metadata": {"name": "shop"}}),
    );
    for name in ["a", "b", "c", "d"] {
        let map = json!({"metadata": {"name": name}, "data": {"k": "v"}});
        send(&plane, "POST", "/api/v1/namespaces/shop/configmaps", &map);
    }
    assert_eq!(snapshot(&plane.kubeconfig(), &live, &[]).code, 0);
    let render = || {
        let ran = refloat(["render".to_owned(), live.display().to_string()]).run();
        (
            ran.code,
            ran.stderr.replace(&live.display().to_string(), "LIVE"),
            ran.stdout,
        )
    };
    let (code, stderr, stdout) = render();
    assert_eq!((code, stderr.as_str()), (0, "reading LIVE\n"));
    insta::assert_snapshot!(stdout, @r"
    apiVersion: v1
    kind: Namespace
    metadata:
      name: shop
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: a
      namespace: shop
    data:
      k: v
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: b
      namespace: shop
    data:
      k: v
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: c
      namespace: shop
    data:
      k: v
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: d
      namespace: shop
    data:
      k: v
    ");
    let maps = live.join("objects/shop/configmaps");
    std::fs::write(maps.join("a.yaml"), "kind: [").expect("because the folder is ours");
    std::fs::remove_file(maps.join("b.yaml")).expect("because it is there");
    std::fs::copy(maps.join("d.yaml"), maps.join("c.yaml")).expect("because it is there");
    let text = String::from_utf8(files(&maps)["d.yaml"].clone()).expect("because it is YAML");
    std::fs::write(maps.join("d.yaml"), text.replace("k: v", "k: w")).expect("because the folder is ours");
    let (code, stderr, stdout) = render();
    assert_eq!(code, 3);
    assert!(stdout.contains("k: w") && !stdout.contains("k: v"), "{stdout}");
    insta::assert_snapshot!(stderr, @r"
    reading LIVE
    3 errors and 1 warning in the repository:
      error: objects/shop/configmaps/a.yaml: ConfigMap/shop/a: this object is not read: line 1 is not valid YAML: unclosed bracket '['
      error: objects/shop/configmaps/b.yaml: ConfigMap/shop/b: this object is not read: it is not there
      error: objects/shop/configmaps/c.yaml: ConfigMap/shop/c: this object is not read: it is another one than the table of contents says
      warning: objects/shop/configmaps/d.yaml: ConfigMap/shop/d: this file is another one than the snapshot was taken with: its checksum in SHA256SUMS is another
        hint: take the snapshot from where it was kept, if nobody changed it on purpose
    ");
    let contents = live.join("snapshot.json");
    let text = std::fs::read_to_string(&contents).expect("because it is there");
    std::fs::write(&contents, text.replace("\"version\": 1,", "\"version\": 7,")).expect("because the folder is ours");
    let (code, stderr, _) = render();
    assert_eq!(code, 3);
    insta::assert_snapshot!(stderr, @r"
    reading LIVE
    1 error in the repository:
      error: snapshot.json: nothing of this snapshot is read: it has version 7, and this program reads version 1
    ");
}
