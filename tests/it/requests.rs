//! How many requests a restore costs: one for each object, and as many others as there are kinds, however many objects.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;

use crate::support::fault_proxy::{FaultProxy, Logged};
use crate::support::plane::{shared, wait};
use crate::support::run::refloat;

/// A namespace with ConfigMaps and Services in it, and a Deployment, whose readiness is watched.
fn declared(namespace: &str, count: usize) -> String {
    let mut text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
    for index in 0..count {
        let (kind, rest) = match index % 4 {
            0 => ("Service", "spec: {clusterIP: None, ports: [{port: 80}]}"),
            _ => ("ConfigMap", "data: {a: b}"),
        };
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: n{index}, namespace: {namespace}}}\n{rest}\n"
        );
    }
    let pods = "metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: example.com/c}]}";
    let _ = write!(
        text,
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d, namespace: {namespace}}}\n\
         spec: {{replicas: 1, selector: {{matchLabels: {{a: b}}}}, template: {{{pods}}}}}\n"
    );
    text
}

/// Restores so many objects and returns the requests that it took.
fn requests_of(namespace: &str, count: usize) -> Vec<Logged> {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let repo = folder.path().join("repo");
    std::fs::create_dir(&repo).expect("because the folder is ours");
    std::fs::write(repo.join("all.yaml"), declared(namespace, count)).expect("because the folder is ours");
    let proxy = wait(FaultProxy::start(shared().kubeconfig().as_ref()));
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, proxy.kubeconfig()).expect("because the folder is ours");
    let flags = ["restore", "--yes", "--context", "proxied", "--no-lease", "--kubeconfig"];
    let args = flags.map(OsString::from).into_iter();
    let ran = refloat(args.chain([kubeconfig.into(), repo.into()])).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    proxy.log()
}

/// What was asked besides the writes of objects, without the numbers in it; pages of a list count once, for the shared
/// server holds what other tests made.
fn others(log: &[Logged]) -> BTreeMap<String, usize> {
    let mut others = BTreeMap::new();
    for request in log {
        if request.method == "PATCH" || request.path.contains("continue=") {
            continue;
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let what = if query.contains("watch=1") {
            "watch"
        } else {
            &*request.method
        };
        *others.entry(format!("{what} {path}")).or_default() += 1;
    }
    others
}

#[test]
fn an_object_costs_one_request() {
    let few = requests_of("requests-few", 20);
    let many = requests_of("requests-many", 200);

    let mut writes: BTreeMap<&str, usize> = BTreeMap::new();
    for request in many.iter().filter(|request| request.method == "PATCH") {
        let path = request.path.split('?').next().unwrap_or_default();
        *writes.entry(path).or_default() += 1;
    }
    assert_eq!(writes.len(), 202);
    let twice: Vec<_> = writes.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "written more than once: {twice:?}");

    let (few, many) = (others(&few), others(&many));
    assert_eq!(few, many, "what else is asked does not grow with the number of objects");
    let watches: Vec<_> = many.iter().filter(|(what, _)| what.starts_with("watch ")).collect();
    let namespaces = "watch /api/v1/namespaces".to_owned();
    assert_eq!(
        watches,
        [(&namespaces, &1), (&"watch /apis/apps/v1/deployments".to_owned(), &1)]
    );
    let all: usize = many.values().sum();
    assert!(all < 80, "{all} requests besides the writes: {many:#?}");
}
