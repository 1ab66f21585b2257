//! What an audit reads of a real cluster.

mod bad_input;
mod bounds;
mod canaries;
mod clean;
mod compare;
mod live;
mod owned;
mod page;
mod remedies;
mod units;
mod watch;
mod webhook;
pub(crate) mod whole;

use std::path::{Path, PathBuf};

use refloat::cluster::{Cluster, ConnectOptions};
use refloat::control_plane::Options;
use refloat::object::{DeclaredSet, resolve};
use refloat::plan::{PlanOptions, with_written_manifests};
use refloat::{declared, source};
use serde_json::Value;

use crate::support::plane::{Plane, fresh_with, wait};
use crate::support::run::refloat;

pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A control plane in which mobile-bank was restored.
pub(crate) fn bank() -> Plane {
    let plane = fresh_with(Options {
        simulate: vec![root("fixtures/simulate/bank-operator.yaml")],
        ..Options::default()
    });
    restore(&plane, &root("fixtures/mobile-bank"), &[]);
    plane
}

/// Restores; what an audit has to say of the repository itself (3) is not of interest here.
pub(crate) fn restore(plane: &Plane, repo: &Path, paths: &[&str]) {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.display().to_string());
    let mut args = vec!["restore", &repo, "--kubeconfig", &kubeconfig, "--old-cluster-is-gone"];
    // Some of what real repositories hold never gets ready here, which is not waited for.
    args.extend(
        ["--timeout", "10s", "--soft-wait", "1s"]
            .iter()
            .filter(|_| !paths.is_empty()),
    );
    args.extend(paths.iter().flat_map(|path| ["--path", path]));
    let ran = refloat(args).run();
    assert!(matches!(ran.code, 0 | 3), "{}\n{}", ran.stdout, ran.stderr);
}

/// What a folder declares for this cluster.
fn declares(cluster: &Cluster, repo: &Path, paths: &[&str]) -> DeclaredSet {
    let (kinds, _) = wait(cluster.discover()).expect("because the core group answers");
    let tree = source::open(&repo.display().to_string(), &source::Options::default());
    let tree = tree.expect("because the folder is there");
    let options = declared::Options {
        paths: paths.iter().map(ToString::to_string).collect(),
        namespace: "default".to_owned(),
        ..declared::Options::default()
    };
    let set = declared::load(&tree, &options).expect("because it declares something");
    with_written_manifests(resolve(set, &kinds, "default"), &kinds, &PlanOptions::default())
}

/// The cluster as this user sees it; the administrator may impersonate everybody.
fn connect_as(plane: &Plane, user: &str) -> Cluster {
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let mut value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    value["users"][0]["user"]["as"] = user.into();
    let options = ConnectOptions {
        kubeconfig_text: Some(value.to_string()),
        ..ConnectOptions::default()
    };
    wait(Cluster::connect(options)).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Sends a request as the administrator, with this form of body; must succeed.
fn send(plane: &Plane, method: &str, path: &str, form: &str, body: &Value) -> Value {
    let answer = wait(plane.api().request(method, path, form, Some(body))).expect("because the server runs");
    assert!(answer.is_success(), "{method} {path}: {}", answer.message());
    answer.body
}
