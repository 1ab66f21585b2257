//! How charts are rendered: with Helm 4 and 3 alike, several at once.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use refloat::declared::{self, Options};
use refloat::object::DeclaredSet;
use refloat::source;
use serde_json::Value;

use crate::support::repo::Repo;
use crate::support::run::tool_folder;

fn load(folder: &Path, helm: PathBuf) -> DeclaredSet {
    let reference = folder.display().to_string();
    let tree = source::open(&reference, &source::Options::default()).expect("because it is a repository");
    let options = Options {
        paths: vec![".".to_owned()],
        namespace: "shop".to_owned(),
        helm: Some(helm),
        kube_version: Some("v1.37.2".to_owned()),
        ..Options::default()
    };
    declared::load(&tree, &options).expect("because there is something to read")
}

#[test]
fn helm_3_renders_what_helm_4_renders() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/helm-shop");
    let repo = Repo::of_folder(&folder);
    let rendered = |version: &str| {
        let set = load(repo.path(), tool_folder(version).join(version));
        assert_eq!(set.problems, Vec::new(), "{version}");
        let object = |one: &refloat::object::Declared| {
            let mut value = one.manifest.value().clone();
            // What is made anew each time differs each time.
            for pointer in &one.generated {
                value.pointer_mut(pointer).map(Value::take);
            }
            (one.id.to_string(), one.hook.clone(), one.provenance.place(), value)
        };
        set.objects.iter().map(object).collect::<Vec<_>>()
    };
    let (four, three) = (rendered("helm"), rendered("helm3"));
    assert!(four.len() > 10, "{}", four.len());
    assert_eq!(four, three);
}

/// Each run of this helm waits for another one to be there, so that charts that are rendered one after the other are not rendered at all.
#[test]
fn charts_are_rendered_at_once() {
    const ALONE: &str = "#!/bin/sh\nset -e\ntouch \"$(mktemp -p HERE run.XXXXXX)\"\ncount=0\n\
        while [ \"$(ls HERE | wc -l)\" -lt 2 ]; do\n  count=$((count + 1))\n  [ $count -lt 300 ] || { echo 'Error: alone' >&2; exit 1; }\n  sleep 0.1\ndone\n\
        exec HELM \"$@\"\n";
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let runs = folder.path().join("runs");
    std::fs::create_dir(&runs).expect("because the folder is ours");
    let helm = folder.path().join("helm");
    let real = tool_folder("helm").join("helm").display().to_string();
    let script = ALONE
        .replace("HERE", &runs.display().to_string())
        .replace("HELM", &real);
    std::fs::write(&helm, script).expect("because the folder is ours");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&helm, executable).expect("because the folder is ours");
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let repo = Repo::with(&[
        ("a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        ("a/templates/map.yaml", &map("a")),
        ("b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
        ("b/templates/map.yaml", &map("b")),
    ]);
    let set = load(repo.path(), helm);
    assert_eq!(set.problems, Vec::new());
    let names: Vec<String> = set.objects.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(names, ["ConfigMap/a", "ConfigMap/b"]);
}
