//! Taking one: the same state is the same bytes, no value leaks, and what goes wrong is said.

use std::collections::BTreeMap;
use std::path::Path;

use refloat::control_plane::Options;
use serde_json::{Value, json};

use super::{ENCODED, bank, clean, contents, files, key, send, snapshot, unpacked};
use crate::support::plane::{Plane, fresh_with, shared};
use crate::support::tools::skipped;

#[test]
fn the_same_state_is_the_same_bytes_and_no_value_leaks() {
    let plane = bank();
    let place = tempfile::tempdir().expect("because a temporary folder can be made");
    let at = |name: &str| place.path().join(name);
    let twice = || {
        for name in ["one.tar.zst", "two.tar.zst"] {
            let ran = snapshot(&plane.kubeconfig(), &at(name), &[]);
            assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
            clean(name, ran.stdout.as_bytes());
            clean(name, ran.stderr.as_bytes());
        }
        ["one.tar.zst", "two.tar.zst"].map(|name| std::fs::read(at(name)).expect("because it was written"))
    };
    // What a restore set going may still go on: Pods, Events of them.
    let mut pair = twice();
    for _ in 0..10 {
        if pair[0] == pair[1] {
            break;
        }
        pair = twice();
    }
    let [one, two] = [unpacked(&at("one.tar.zst")), unpacked(&at("two.tar.zst"))];
    let differing: Vec<&String> = one.keys().filter(|path| one.get(*path) != two.get(*path)).collect();
    assert_eq!(differing, ["x"; 0], "what differs while nothing happens");
    assert_eq!(pair[0], pair[1]);

    let ran = snapshot(&plane.kubeconfig(), &at("live"), &["--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let folder = files(&at("live"));
    assert_eq!(folder.keys().collect::<Vec<_>>(), one.keys().collect::<Vec<_>>());
    for (path, bytes) in &one {
        clean(path, bytes);
    }
    told(ran.stdout.lines().last().unwrap_or_default(), &one);
    holds_everything(&one);
    sums_hold(&one);
    encrypted(&plane, &at("sealed.tar.zst"));
}

fn told(line: &str, files: &BTreeMap<String, Vec<u8>>) {
    let told: Value = serde_json::from_str(line).expect("because it is JSON");
    let objects = contents(files)["objects"].as_array().map_or(0, Vec::len);
    assert_eq!(told["event"], "snapshot");
    assert_eq!(told["objects"], objects);
    assert_eq!(told["gaps"], json!([]));
    let number = |key: &str| told[key].as_u64().expect("because it is a number");
    assert_eq!(number("own") + number("owned") + number("built_in"), objects as u64);
    assert!(
        number("own") > 90 && number("owned") > 20 && number("built_in") > 60,
        "{told}"
    );
    assert_eq!(files.len(), objects + 2, "each object is a file");
}

fn holds_everything(files: &BTreeMap<String, Vec<u8>>) {
    let contents = contents(files);
    let entry = |file: &str| {
        let all = contents["objects"].as_array().into_iter().flatten();
        all.into_iter()
            .find(|one| one["file"] == file)
            .unwrap_or_else(|| panic!("{file} is not listed"))
            .clone()
    };
    let file = |path: &str| -> Value {
        let text = files.get(path).unwrap_or_else(|| panic!("there is no {path}"));
        serde_yaml::from_slice(text).expect("because it is YAML")
    };
    let checkout = "objects/mobile/deployments.apps/mobile-backend.yaml";
    assert_eq!(
        entry(checkout),
        json!({"group": "apps", "kind": "Deployment", "namespace": "mobile", "name": "mobile-backend", "file": checkout})
    );
    let backend = file(checkout);
    assert!(backend["metadata"]["managedFields"].is_array() && backend["status"].is_object());
    assert!(backend["metadata"]["resourceVersion"].is_null());
    let sets = files
        .keys()
        .find(|path| path.starts_with("objects/mobile/replicasets.apps/mobile-backend-"));
    let set = entry(sets.expect("because the Deployment made one"));
    assert_eq!(set["owned_by"]["name"], "mobile-backend", "{set}");
    let certificate = entry("objects/mobile/configmaps/kube-root-ca.crt.yaml");
    assert!(certificate["built_in"].is_string(), "{certificate}");
    let secret = file("objects/vault/secrets/db.yaml");
    assert_eq!(secret["data"], json!({"password": null}));
    assert_eq!(secret["metadata"]["annotations"], json!({"example.com/kept": "yes"}));
    assert_eq!(entry("objects/vault/secrets/db.yaml")["values"], "left out");
    assert_eq!(
        file("objects/vault/configmaps/sh.helm.release.v1.web.v1.yaml")["data"],
        json!({"release": null})
    );
    assert_eq!(
        file("objects/vault/configmaps/settings.yaml")["data"],
        json!({"colour": "blue"})
    );
    let resources = contents["resources"].as_array().expect("because it lists them");
    let pods = resources
        .iter()
        .find(|one| one["plural"] == "pods")
        .expect("because it is served");
    assert_eq!((&pods["listed"], &pods["versions"]), (&json!(true), &json!(["v1"])));
    assert_eq!(contents["kubernetes"], "1.37");
}

fn sums_hold(files: &BTreeMap<String, Vec<u8>>) {
    let sums = refloat::snapshot::read_sums(&files["SHA256SUMS"]);
    assert_eq!(sums.len(), files.len() - 1);
    for (path, bytes) in files.iter().filter(|(path, _)| *path != "SHA256SUMS") {
        assert_eq!(sums[path], refloat::snapshot::sum(bytes), "{path}");
    }
}

/// With a key the values are there, and nobody without the other half reads them.
fn encrypted(plane: &Plane, to: &Path) {
    let (private, public) = key();
    let ran = snapshot(&plane.kubeconfig(), to, &["--encrypt-to", &public]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("are encrypted for 1 recipient."), "{}", ran.stdout);
    let sealed = unpacked(to);
    for (path, bytes) in &sealed {
        clean(path, bytes);
    }
    let mut identities = sops::Identities::new();
    let private = std::fs::read_to_string(private).expect("because it is part of the repository");
    identities.add_age(&private).expect("because it is a key");
    for (path, value) in [
        ("objects/vault/secrets/db.yaml", format!("password: {ENCODED}")),
        (
            "objects/vault/configmaps/sh.helm.release.v1.web.v1.yaml",
            format!("release: {}", super::CANARY),
        ),
    ] {
        let file = sops::Encrypted::read(sops::Format::Yaml, &sealed[path]).expect("because SOPS wrote it");
        let plain = file.decrypt(&identities).expect("because it is the key");
        let plain = plain.plain(&sops::Layout::default()).expect("because it is YAML");
        assert!(String::from_utf8_lossy(&plain).contains(&value), "{path}");
    }
}

/// A kubeconfig in which the administrator acts as somebody else.
fn kubeconfig_as(plane: &Plane, user: &str, folder: &Path) -> String {
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let mut value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    value["users"][0]["user"]["as"] = user.into();
    value["contexts"][0]["context"]["namespace"] = "corner".into();
    let file = folder.join("kubeconfig");
    std::fs::write(&file, value.to_string()).expect("because the folder is ours");
    file.display().to_string()
}

#[test]
fn what_may_not_be_read_is_named() {
    let plane = fresh_with(Options::default());
    send(
        &plane,
        "POST",
        "/api/v1/namespaces",
        &json!({"metadata": {"name": "corner"}}),
    );
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let group = "rbac.authorization.k8s.io";
    let subjects = json!([{"kind": "User", "apiGroup": group, "name": "limited"}]);
    let rule = |resource: &str| json!([{"apiGroups": [""], "resources": [resource], "verbs": ["get", "list"]}]);
    let bind = |kind: &str| json!({"metadata": {"name": "some"}, "roleRef": {"apiGroup": group, "kind": kind, "name": "some"}, "subjects": subjects});
    let some = |rules: Value| json!({"metadata": {"name": "some"}, "rules": rules});
    send(
        &plane,
        "POST",
        &format!("{rbac}/clusterroles"),
        &some(rule("serviceaccounts")),
    );
    send(
        &plane,
        "POST",
        &format!("{rbac}/clusterrolebindings"),
        &bind("ClusterRole"),
    );
    send(
        &plane,
        "POST",
        &format!("{rbac}/namespaces/corner/roles"),
        &some(rule("configmaps")),
    );
    send(
        &plane,
        "POST",
        &format!("{rbac}/namespaces/corner/rolebindings"),
        &bind("Role"),
    );
    let broken = json!({"metadata": {"name": "v1.broken.example.com"}, "spec": {"group": "broken.example.com", "version": "v1",
        "groupPriorityMinimum": 100, "versionPriority": 100, "service": {"namespace": "corner", "name": "nobody"}, "insecureSkipTLSVerify": true}});
    send(&plane, "POST", "/apis/apiregistration.k8s.io/v1/apiservices", &broken);

    let place = tempfile::tempdir().expect("because a temporary folder can be made");
    let to = place.path().join("live");
    let ran = snapshot(&plane.kubeconfig(), &to, &[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("Not read (1), and not in it:\n  "),
        "{}",
        ran.stdout
    );
    let gaps = contents(&files(&to))["gaps"].clone();
    assert!(gaps.to_string().contains("broken.example.com"), "{gaps}");
    let all = files(&to).len();
    assert!(all > 200, "what answers is there all the same: {all}");

    let limited = kubeconfig_as(&plane, "limited", place.path());
    // A new right takes the server a moment.
    let mut found = BTreeMap::new();
    for _ in 0..50 {
        let ran = snapshot(&limited, &to, &[]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        found = files(&to);
        if found.keys().any(|path| path.contains("/serviceaccounts/"))
            && found.keys().any(|path| path.contains("/configmaps/"))
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let mut kinds: Vec<String> = found
        .keys()
        .filter_map(|path| path.strip_prefix("objects/"))
        .map(|path| path.rsplit_once('/').expect("because it lies in a folder").0.to_owned())
        .collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "corner/configmaps",
            "corner/serviceaccounts",
            "default/serviceaccounts",
            "kube-node-lease/serviceaccounts",
            "kube-public/serviceaccounts",
            "kube-system/serviceaccounts"
        ]
    );
    let contents = contents(&found);
    let listed = contents["resources"].as_array().into_iter().flatten();
    let listed: Vec<&str> = listed
        .filter(|one| one["listed"] == true)
        .filter_map(|one| one["plural"].as_str())
        .collect();
    assert_eq!(listed, ["serviceaccounts"]);
    let gaps = contents["gaps"].to_string();
    assert!(
        gaps.contains("list configmaps outside of corner") && gaps.contains("list secrets"),
        "{gaps}"
    );
}

#[expect(clippy::disallowed_methods, reason = "a test mounts a small disk")]
fn mounted(command: &str, args: &[&str], place: &Path) -> bool {
    let mut command = std::process::Command::new(command);
    command
        .args(args)
        .arg(place)
        .status()
        .is_ok_and(|status| status.success())
}

fn said(to: &Path, more: &[&str], place: &Path) -> String {
    let ran = snapshot(&shared().kubeconfig(), to, more);
    let text = format!("exit {}\n{}{}", ran.code, ran.stderr, ran.stdout);
    let lines = text
        .lines()
        .filter(|line| !line.ends_with("serves") && !line.starts_with("reading") && !line.starts_with("writing"));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.replace(&place.display().to_string(), "TMP")
}

#[test]
fn where_it_cannot_be_written_nothing_changes() {
    let place = tempfile::tempdir().expect("because a temporary folder can be made");
    let at = |name: &str| place.path().join(name);
    std::fs::write(at("thesis.tex"), "mine").expect("because the folder is ours");
    let said = |name: &str, more: &[&str]| said(&at(name), more, place.path());
    insta::assert_snapshot!(said(".", &[]), @r"
    exit 1
    Error: TMP/. was not written
      because: it would be replaced, and holds thesis.tex
      hint: name a folder that is not there yet, or one that was written by the same command
    ");
    insta::assert_snapshot!(said("thesis.tex", &[]), @r"
    exit 1
    Error: TMP/thesis.tex was not written
      because: a file stands there
      hint: name a folder that is not there yet, or one that was written by the same command
    ");
    insta::assert_snapshot!(said("no/live.tar.zst", &[]), @r"
    exit 1
    Error: TMP/no/live.tar.zst was not written
      because: No such file or directory (os error 2)
      hint: make the folder around it first
    ");
    insta::assert_snapshot!(said("no/live", &[]), @r"
    exit 1
    Error: TMP/no/live was not written
      because: No such file or directory (os error 2)
      hint: make the folder around it first
    ");
    insta::assert_snapshot!(said("live.tgz", &[]), @r"
    exit 2
    Error: no snapshot was taken
      because: no archive is written that ends in .tgz
      hint: let it end in .tar.zst, or name a folder
    ");
    insta::assert_snapshot!(said("live.tar.zst", &["--encrypt-to", "age1nonsense"]), @r"
    exit 2
    Error: no snapshot was taken: --encrypt-to cannot be used
      because: age1nonsense: not an age public key: its check sum does not fit
      hint: give the public key of an age identity, age1..., or an SSH public key
    ");
    assert_eq!(std::fs::read_dir(place.path()).expect("because it is ours").count(), 1);
}

#[test]
fn a_disk_that_is_full_or_may_only_be_read() {
    for (options, why) in [
        ("size=24k", "No space left on device (os error 28)"),
        ("ro", "Read-only file system (os error 30)"),
    ] {
        let disk = tempfile::tempdir().expect("because a temporary folder can be made");
        let old = b"the one of yesterday";
        if !mounted("mount", &["-t", "tmpfs", "-o", "size=24k", "tmpfs"], disk.path()) {
            // What cannot be written is tested above for all.
            skipped("a snapshot on a disk that is full or may only be read: only root may mount one");
            return;
        }
        std::fs::write(disk.path().join("live.tar.zst"), old).expect("because there is room");
        assert!(mounted("mount", &["-o", &format!("remount,{options}")], disk.path()));
        for name in ["live.tar.zst", "live"] {
            let said = said(&disk.path().join(name), &[], disk.path());
            assert!(
                said.starts_with(&format!(
                    "exit 1\nError: TMP/{name} was not written\n  because: {why}\n  hint: "
                )),
                "{said}"
            );
        }
        let left = files(disk.path());
        assert_eq!(left, BTreeMap::from([("live.tar.zst".to_owned(), old.to_vec())]));
        assert!(mounted("umount", &[], disk.path()));
    }
}
