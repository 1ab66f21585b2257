//! What engines would make of a repository, without the engines.

mod anew;
mod argo;
mod argo_clusters;
mod argo_engine;
mod argo_settings;
mod argo_shop;
mod argo_sources;
mod artifacts;
mod chart_refs;
mod controller;
mod elsewhere;
mod external_secrets;
mod flux;
mod hand_over;
mod key_services;
mod keys;
mod ready;
mod releases;
mod rings;
mod sealed;
mod sops;

use std::collections::BTreeMap;

use refloat::declared::{self, Known, Options};
use refloat::object::{DeclaredSet, Facts, KubeVersion, ObjectId, builtin, resolve};
use refloat::source;
use serde_json::Value;

use crate::support::repo::Repo;

/// What a repository declares for a new cluster that has these ConfigMaps and Secrets.
fn load(repo: &Repo, path: &str, known: Known) -> DeclaredSet {
    load_with(
        repo,
        path,
        Options {
            inputs: known,
            ..Options::default()
        },
    )
}

/// What a repository declares for a new cluster, read in a way of the test's own.
fn load_with(repo: &Repo, path: &str, options: Options) -> DeclaredSet {
    let reference = repo.path().display().to_string();
    let tree = source::open(&reference, &source::Options::default()).expect("because it is a repository");
    let options = Options {
        paths: vec![path.to_owned()],
        namespace: "default".to_owned(),
        ..options
    };
    let set = declared::load(&tree, &options).expect("because there is something to read");
    resolve(
        set,
        &builtin::served_kinds(KubeVersion { major: 1, minor: 37 }),
        "default",
    )
}

fn objects(set: &DeclaredSet) -> BTreeMap<String, &Value> {
    let named = set.objects.iter().map(|one| (one.id.to_string(), one.manifest.value()));
    named.collect()
}

fn problems(set: &DeclaredSet) -> Vec<String> {
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    set.problems.iter().map(|one| first_line(one.to_string())).collect()
}

/// A Kustomization that the entry holds.
fn kustomization(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux-system}}\n\
         spec:\n  path: {path}\n  prune: true\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n{more}"
    )
}

fn facts() -> Facts {
    let version = KubeVersion { major: 1, minor: 37 };
    Facts::of_a_new_cluster(version, builtin::served_kinds(version))
}

fn config_map(namespace: &str, name: &str) -> ObjectId {
    ObjectId::new("", "ConfigMap", Some(namespace), name)
}
