//! What engines would make of a repository, without the engines.

mod flux;

use std::collections::BTreeMap;

use refloat::declared::{self, Known, Options};
use refloat::object::{DeclaredSet, ObjectId, resolve};
use refloat::object::{KubeVersion, builtin};
use refloat::source;
use serde_json::Value;

use crate::support::repo::Repo;

/// What a repository declares for a new cluster that has these ConfigMaps and Secrets.
fn load(repo: &Repo, path: &str, known: Known) -> DeclaredSet {
    let reference = repo.path().display().to_string();
    let tree = source::open(&reference, &source::Options::default()).expect("because it is a repository");
    let options = Options {
        paths: vec![path.to_owned()],
        namespace: "default".to_owned(),
        inputs: known,
        ..Options::default()
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

fn config_map(namespace: &str, name: &str) -> ObjectId {
    ObjectId::new("", "ConfigMap", Some(namespace), name)
}
