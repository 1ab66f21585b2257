//! Asking and writing, against a real API server.

mod asking;
mod faults;
mod leasing;
mod writing;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use refloat::cluster::write::{self, Answer, Apply, Written};
use refloat::cluster::{Cluster, ConnectOptions, Endpoint};
use refloat::object::{GroupKind, Manifest, Scope, Writer};
use serde_json::{Value, json};

use crate::support::plane::{self, Plane};

/// The kubeconfig of a control plane of these tests' own: they break an API group and fight over the Lease.
async fn kubeconfig() -> PathBuf {
    static OWN: OnceLock<Plane> = OnceLock::new();
    // Starting waits, which a thread of the test's runtime must not.
    let starting = tokio::task::spawn_blocking(|| OWN.get_or_init(plane::fresh).kubeconfig().into());
    starting.await.expect("because the control plane starts")
}

async fn connect() -> Cluster {
    let options = ConnectOptions {
        kubeconfig: Some(kubeconfig().await),
        ..ConnectOptions::default()
    };
    Cluster::connect(options)
        .await
        .expect("because the control plane is up")
}

/// A namespace of its own for each test.
async fn namespace(cluster: &Cluster) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let object = manifest(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    assert!(matches!(apply(cluster, &object).await, Answer::Done(_)));
    name
}

fn manifest(value: Value) -> Manifest {
    Manifest::new(value).expect("because the test's manifest is complete")
}

fn config_map(namespace: &str, name: &str, data: Value) -> Manifest {
    manifest(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data,
    }))
}

fn endpoint(manifest: &Manifest) -> Endpoint {
    let scope = if manifest.namespace().is_some() {
        Scope::Namespaced
    } else {
        Scope::Cluster
    };
    let plural = match manifest.kind() {
        "StorageClass" => "storageclasses".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    Endpoint::new(manifest.group_kind(), manifest.version(), plural, scope)
}

fn config_maps() -> Endpoint {
    Endpoint::new(GroupKind::new("", "ConfigMap"), "v1", "configmaps", Scope::Namespaced)
}

fn server_side() -> Writer {
    Writer::ServerSide("refloat-test".to_owned())
}

async fn apply(cluster: &Cluster, manifest: &Manifest) -> Answer {
    apply_with(cluster, manifest, &server_side(), |_| {}).await
}

async fn apply_with(
    cluster: &Cluster,
    manifest: &Manifest,
    writer: &Writer,
    change: impl FnOnce(&mut Apply<'_>),
) -> Answer {
    let at = endpoint(manifest);
    let mut ask = Apply {
        at: &at,
        manifest,
        writer,
        force: true,
        create_only: false,
        strict: false,
        known: None,
    };
    change(&mut ask);
    write::apply(cluster, &ask).await
}

#[track_caller]
fn done(answer: Answer) -> Written {
    match answer {
        Answer::Done(written) => written,
        other => panic!("not done: {other:?}"),
    }
}

#[track_caller]
fn refused(answer: Answer) -> (String, bool) {
    match answer {
        Answer::Refused { reason, immutable } => (reason, immutable),
        other => panic!("not refused: {other:?}"),
    }
}
