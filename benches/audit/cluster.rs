//! A large cluster, and the repository that declares some of it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::shared::create_namespace;
use crate::shared::objects::{self, Object, Set};
use crate::shared::process::{command, run_to};
use crate::shared::raw::{Request, Server};

/// Namespace of what is declared.
pub const DECLARED: &str = "declared";
/// Namespace of what is not.
const BY_HAND: &str = "by-hand";
/// Kinds that are made up.
const KINDS: usize = 50;
const GROUP: &str = "bench.refloat.test";

/// How much there is.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Objects in the repository.
    pub declared: usize,
    /// Custom resources of each kind.
    custom: usize,
    /// Objects of built-in kinds that are not declared.
    built_in: usize,
}

impl Sizes {
    /// Four fifths are custom resources.
    pub fn new(all: usize, declared: usize) -> Self {
        let custom = all * 4 / 5 / KINDS;
        Self {
            declared,
            custom,
            built_in: all - custom * KINDS - declared,
        }
    }
}

/// What is declared, without namespace.
pub fn declared(sizes: Sizes) -> Vec<Object> {
    objects::all(Set::Mixed, sizes.declared)
}

/// A repository with a history of ten commits.
pub fn repository(sizes: Sizes, repo: &Path) {
    objects::write(Set::Mixed, sizes.declared, repo);
    git(repo, &["init", "-q", "-b", "main"]);
    for number in 0..10 {
        std::fs::write(repo.join("changes.md"), number.to_string()).expect("because the folder is ours");
        git(repo, &["add", "-A"]);
        git(repo, &["commit", "-q", "-m", "change something"]);
    }
}

fn git(folder: &Path, args: &[&str]) {
    let mut git = command("git");
    git.current_dir(folder)
        .args(["-c", "user.name=dev", "-c", "user.email=dev@example.invalid"]);
    git.args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
    assert!(git.status().is_ok_and(|status| status.success()), "git {args:?}");
}

/// Fills the cluster: what is declared by a restore, the rest as if by hand.
pub async fn fill(server: &Server, sizes: Sizes, repo: &Path, kubeconfig: &Path, folder: &Path) {
    create_namespace(server, BY_HAND).await;
    create_namespace(server, DECLARED).await;
    let definitions: Vec<Request> = (0..KINDS).map(definition).collect();
    server.send_all("POST", Arc::new(definitions), 4).await;
    let mut refloat = command(env!("CARGO_BIN_EXE_refloat"));
    refloat.args(["restore", "--yes", "--context", "refloat-throwaway"]);
    refloat.args(["--old-cluster-is-gone", "--force-entry", "--namespace", DECLARED]);
    refloat.arg("--kubeconfig").arg(kubeconfig).arg(repo);
    let restored = tokio::task::block_in_place(|| run_to(&[0], refloat, folder));
    restored.unwrap_or_else(|error| panic!("refloat restore failed: {error}"));
    let built_in = objects::all(Set::Mixed, sizes.built_in);
    let built_in = applies(&built_in, BY_HAND, "fieldManager=kubectl&force=true");
    server.apply_all(Arc::new(built_in), 16).await;
    let custom = (0..KINDS * sizes.custom).map(custom);
    server.send_all("POST", Arc::new(custom.collect()), 32).await;
}

/// Server-side applies of objects in a namespace.
pub fn applies(objects: &[Object], namespace: &str, query: &str) -> Vec<Request> {
    let request = |object: &Object| {
        let mut body = object.body.clone();
        body["metadata"]["namespace"] = namespace.into();
        let Object { api, plural, name, .. } = object;
        Request {
            path: format!("{api}/namespaces/{namespace}/{plural}/{name}?{query}"),
            body: body.to_string(),
        }
    };
    objects.iter().map(request).collect()
}

fn definition(number: usize) -> Request {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let plural = format!("things{number:02}");
    let body = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": {"plural": plural, "kind": format!("Thing{number:02}")},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
    Request {
        path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
        body: body.to_string(),
    }
}

/// Kinds in turn, so that no list is long before the others are.
fn custom(number: usize) -> Request {
    let (kind, number) = (number % KINDS, number / KINDS);
    let spec: Value = (0..8)
        .map(|field| (format!("field{field}"), json!(format!("value {number}"))))
        .collect();
    let body = json!({"apiVersion": format!("{GROUP}/v1"), "kind": format!("Thing{kind:02}"),
        "metadata": {"name": format!("thing-{number}"), "labels": {"app.kubernetes.io/name": "thing"}}, "spec": spec});
    Request {
        path: format!("/apis/{GROUP}/v1/namespaces/{BY_HAND}/things{kind:02}?fieldManager=kubectl-create"),
        body: body.to_string(),
    }
}
