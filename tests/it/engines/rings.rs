//! Units that yield themselves, alone, in a ring, or anew each time: followed to an end.

use refloat::declared::Known;

use super::argo::{application, config_map, read, source};
use super::flux::map;
use super::{kustomization, load, objects, problems};
use crate::support::repo::Repo;

/// A root Application that lies in its own folder is usual.
#[test]
fn an_application_that_declares_itself_is_followed_once() {
    let root = application("root", &source("apps", ""));
    let repo = Repo::with(&[
        ("boot/root.yaml", &root),
        ("apps/root.yaml", &root),
        ("apps/map.yaml", &config_map("web", "")),
    ]);
    let set = read(&repo, "boot");
    assert_eq!(problems(&set), Vec::<String>::new());
    let names: Vec<String> = objects(&set).keys().cloned().collect();
    let root = &objects(&set)["Application/argocd/root"];
    let tracking = &root["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"];
    assert_eq!(
        tracking, "root:argoproj.io/Application:argocd/root",
        "as it makes itself"
    );
    assert_eq!(names, ["Application/argocd/root", "ConfigMap/shop/web"]);
}

#[test]
fn kustomizations_that_declare_each_other_are_followed_once() {
    let (a, b) = (kustomization("a", "./a", ""), kustomization("b", "./b", ""));
    let repo = Repo::with(&[
        ("clusters/prod/a.yaml", &a),
        ("a/b.yaml", &b),
        ("a/map.yaml", &map("of-a", "")),
        ("b/a.yaml", &a),
        ("b/map.yaml", &map("of-b", "")),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    assert_eq!(
        problems(&set),
        [
            "b/a.yaml:1 and clusters/prod/a.yaml:1: Kustomization/flux-system/a: declared by Kustomization/flux-system/b and by Kustomization/flux-system/flux-system, which would take it from each other for ever; that of Kustomization/flux-system/flux-system is used"
        ]
    );
    for name in ["ConfigMap/shop/of-a", "ConfigMap/shop/of-b"] {
        assert!(objects(&set).contains_key(name), "{name}");
    }
}

#[test]
fn a_unit_that_makes_another_one_each_time_ends() {
    let child = kustomization("child", "./again", "  postBuild: {substitute: {NAME: '${NAME}x'}}\n");
    let child = child.replace("name: child", "name: '${NAME}'");
    let repo = Repo::with(&[
        (
            "clusters/prod/first.yaml",
            &kustomization("first", "./again", "  postBuild: {substitute: {NAME: a}}\n"),
        ),
        ("again/child.yaml", &child),
    ]);
    let told = problems(&load(&repo, "clusters/prod", Known::new()));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("more than 100 units come of each other in a row"),
        "{told:?}"
    );
}
