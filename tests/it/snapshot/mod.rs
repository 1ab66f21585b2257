//! The live state of a real cluster as files, and back.

mod back;
mod compare;
mod take;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use refloat::control_plane::Options;
use serde_json::{Value, json};

use crate::support::plane::{Plane, fresh_with, wait};
use crate::support::run::{Ran, refloat};

/// What no file and no output may hold: a value of a Secret as it is, and as the API has it.
const CANARY: &str = "canary-hunter2-not-a-secret";
const ENCODED: &str = "Y2FuYXJ5LWh1bnRlcjItbm90LWEtc2VjcmV0";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Sends a request as the administrator; must succeed.
fn send(plane: &Plane, method: &str, path: &str, body: &Value) -> Value {
    let form = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let answer = wait(plane.api().request(method, path, form, Some(body))).expect("because the server runs");
    assert!(answer.is_success(), "{method} {path}: {}", answer.message());
    answer.body
}

/// The file of a key of age, and its public half.
pub(crate) fn key() -> (PathBuf, String) {
    let file = root("fixtures/flux-shop.agekey");
    let text = std::fs::read_to_string(&file).expect("because it is part of the repository");
    let mut identities = sops::Identities::new();
    identities.add_age(&text).expect("because it is a key");
    (file, identities.recipients().remove(0))
}

fn snapshot(kubeconfig: &str, to: &Path, more: &[&str]) -> Ran {
    let to = to.display().to_string();
    let args = ["snapshot", "--kubeconfig", kubeconfig, "-o", &to];
    refloat(args.iter().chain(more).copied()).run()
}

/// A namespace with secrets wherever tools put them.
fn fill_with_secrets(plane: &Plane) {
    let namespace = "/api/v1/namespaces/vault";
    send(
        plane,
        "POST",
        "/api/v1/namespaces",
        &json!({"metadata": {"name": "vault"}}),
    );
    let memory = format!("{{\"stringData\":{{\"password\":\"{CANARY}\"}}}}");
    let annotations = json!({
        "kubectl.kubernetes.io/last-applied-configuration": memory,
        "kapp.k14s.io/original": memory,
        "example.com/note": format!("the password is {CANARY}"),
        "example.com/kept": "yes",
    });
    let secret = json!({"metadata": {"name": "db", "annotations": annotations}, "stringData": {"password": CANARY}});
    send(plane, "POST", &format!("{namespace}/secrets"), &secret);
    let release = json!({"metadata": {"name": "sh.helm.release.v1.web.v1", "labels": {"owner": "helm"}}, "data": {"release": CANARY}});
    send(plane, "POST", &format!("{namespace}/configmaps"), &release);
    let plain = json!({"metadata": {"name": "settings"}, "data": {"colour": "blue"}});
    send(plane, "POST", &format!("{namespace}/configmaps"), &plain);
}

/// A control plane with nothing in it, on which the bank gets ready.
pub(crate) fn empty() -> Plane {
    fresh_with(Options {
        simulate: vec![root("fixtures/simulate/bank-operator.yaml")],
        ..Options::default()
    })
}

/// A control plane with the bank in it, and Secrets.
fn bank() -> Plane {
    let plane = empty();
    let (kubeconfig, repo) = (plane.kubeconfig(), root("fixtures/mobile-bank").display().to_string());
    let args = ["restore", &repo, "--kubeconfig", &kubeconfig, "--old-cluster-is-gone"];
    let ran = refloat(args).run();
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    fill_with_secrets(&plane);
    plane
}

/// The files of a folder, by their path in it.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(&at).expect("because it was written") {
            let path = entry.expect("because it was just listed").path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let name = path
                .strip_prefix(folder)
                .expect("because it lies in it")
                .display()
                .to_string();
            found.insert(name, std::fs::read(&path).expect("because it was written"));
        }
    }
    found
}

/// The files of an archive, by `tar`, which knows nothing of refloat.
fn unpacked(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let packed = std::fs::File::open(archive).expect("because it was written");
    let plain = ruzstd::decoding::StreamingDecoder::new(packed).expect("because it is compressed");
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    tar::Archive::new(plain)
        .unpack(folder.path())
        .expect("because it is an archive");
    files(folder.path())
}

fn contents(files: &BTreeMap<String, Vec<u8>>) -> Value {
    serde_json::from_slice(&files["snapshot.json"]).expect("because it is JSON")
}

/// Neither the value nor its encoding.
#[track_caller]
fn clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for word in [CANARY, ENCODED, "hunter2"] {
        assert!(!text.contains(word), "{what} gives the secret away");
    }
}
