//! `--prune-removed`: what a newer revision brought goes with it.

use refloat::control_plane::Options;
use serde_json::json;

use super::{CONTEXT, live, names, returns, run, send, told};
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::refloat;

fn config_map(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop, annotations: {{{annotations}}}}}\ndata: {{a: b}}\n---\n"
    )
}

const BASE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
    apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: moved, namespace: shop}\n---\n";

/// A workload and what it runs as; more that goes; and what stays for one reason each.
fn newer() -> String {
    let worker = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: worker, namespace: shop}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker, namespace: shop}\nspec:\n  selector: {matchLabels: {app: worker}}\n\
        \x20 template:\n    metadata: {labels: {app: worker}}\n    spec: {serviceAccountName: worker, containers: [{name: c, image: example.com/c}]}\n---\n";
    let kinds = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n---\n\
        apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: shop}\n\
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n";
    let volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: ledger}\n\
        spec: {capacity: {storage: 5Gi}, accessModes: [ReadWriteOnce], storageClassName: by-hand, hostPath: {path: /ledger}}\n---\n\
        apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n\
        spec:\n  group: example.com\n  names: {kind: Thing, plural: things}\n  scope: Namespaced\n\
        \x20 versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n---\n";
    [
        BASE,
        worker,
        kinds,
        &config_map("extra", ""),
        &config_map("flux", "kustomize.toolkit.fluxcd.io/prune: disabled"),
        &config_map("argo", "'argocd.argoproj.io/sync-options': 'Replace=true,Prune=false'"),
        &config_map("helm", "helm.sh/resource-policy: keep"),
        &config_map("handmade", ""),
        volume,
    ]
    .concat()
}

/// Three revisions: the base; what is newer; some of that in another file, and one more.
fn repository() -> (Repo, [String; 3]) {
    let repo = Repo::with(&[("all.yaml", BASE)]);
    let first = repo.git(&["rev-parse", "HEAD"]).trim().to_owned();
    repo.write("all.yaml", &newer());
    let second = repo.commit("bring a worker");
    let moved = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: moved, namespace: shop}\n---\n";
    repo.write("all.yaml", &newer().replace(moved, ""));
    repo.write("more.yaml", &format!("{moved}{}", config_map("newest", "")));
    let third = repo.commit("move one, bring another");
    (repo, [first, second, third])
}

/// A cluster that has the newest revision, and one object that somebody made anew by hand.
fn cluster(repo: &Repo) -> Plane {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    let _ = returns(0, run(&plane, "restore", repo, &["--old-cluster-is-gone"]));
    let maps = "/api/v1/namespaces/shop/configmaps";
    send(&plane, "DELETE", &format!("{maps}/handmade"), "", None);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "handmade", "namespace": "shop"}, "data": {"a": "c"}});
    let by_hand = format!("{maps}?fieldManager=kubectl-create");
    send(&plane, "POST", &by_hand, "application/json", Some(&map));
    plane
}

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

const GONE: [&str; 4] = [
    "ConfigMap/shop/extra",
    "ConfigMap/shop/newest",
    "Deployment/shop/worker",
    "ServiceAccount/shop/worker",
];

#[test]
fn what_newer_revisions_brought_goes_and_nothing_else() {
    let (repo, [first, _, third]) = repository();
    let plane = cluster(&repo);
    // As `history` prints it.
    let history = returns(0, refloat(["history", &repo.path().display().to_string()]).run());
    let printed = history.stdout.lines().find(|line| line.ends_with("  declare"));
    let id = printed.and_then(|line| line.split_whitespace().next());
    let id = id.unwrap_or_else(|| panic!("{}", history.stdout));
    assert!(id.len() < first.len() && first.starts_with(id), "{id}");
    let back = ["--rev", id, "--prune-removed"];

    let planned = returns(0, run(&plane, "plan", &repo, &back));
    let listed = format!(
        "decide: Declared before and not by this revision: to be deleted (4)
  ConfigMap/shop/extra: declared at {short} by all.yaml:27
  ConfigMap/shop/newest: declared at {short} by more.yaml:5
  ServiceAccount/shop/worker: declared at {short} by all.yaml:5
  Deployment/shop/worker: declared at {short} by all.yaml:9
",
        short = &third[..12]
    );
    for line in listed.lines() {
        assert!(planned.stderr.contains(line), "{line}\n{}", planned.stderr);
    }
    for line in [
        "Namespace/other: a Namespace goes only if it is named: --prune-removed=Namespace/other",
        "PersistentVolumeClaim/shop/data: a PersistentVolumeClaim goes only if it is named: --prune-removed=PersistentVolumeClaim/shop/data",
        "PersistentVolume/ledger: a PersistentVolume goes only if it is named: --prune-removed=PersistentVolume/ledger",
        "CustomResourceDefinition/things.example.com: a CustomResourceDefinition goes only if it is named: \
         --prune-removed=CustomResourceDefinition/things.example.com",
        "ConfigMap/shop/flux: it says kustomize.toolkit.fluxcd.io/prune: disabled",
        "ConfigMap/shop/argo: it says argocd.argoproj.io/sync-options: Prune=false",
        "ConfigMap/shop/helm: it says helm.sh/resource-policy: keep",
        "ConfigMap/shop/handmade: it was written by kubectl-create, not by refloat",
    ] {
        assert!(planned.stderr.contains(line), "{line}\n{}", planned.stderr);
    }
    assert!(
        planned.stdout.contains("2 objects to apply, 4 to delete"),
        "{}",
        planned.stdout
    );

    let asked = returns(1, run(&plane, "restore", &repo, &[&back[..], &["--yes"]].concat()));
    assert!(asked.stderr.contains("--yes --context"), "{}", asked.stderr);
    assert!(live(&plane, "/api/v1/namespaces/shop/configmaps/newest").is_some());

    let yes = [&back[..], &["--yes", "--context", CONTEXT]].concat();
    let ran = returns(0, run(&plane, "restore", &repo, &yes));
    assert_eq!(told(&ran, "deleted "), names(&GONE), "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains("4 of 4 objects that are no longer declared were deleted."),
        "{}",
        ran.stdout
    );
    let shop = "/api/v1/namespaces/shop";
    for path in ["configmaps/extra", "configmaps/newest", "serviceaccounts/worker"] {
        assert!(live(&plane, &format!("{shop}/{path}")).is_none(), "{path}");
    }
    for path in [
        "configmaps/flux",
        "configmaps/argo",
        "configmaps/helm",
        "configmaps/handmade",
        "persistentvolumeclaims/data",
        "serviceaccounts/moved",
    ] {
        assert!(live(&plane, &format!("{shop}/{path}")).is_some(), "{path}");
    }
    assert!(live(&plane, "/api/v1/namespaces/other").is_some());
    assert!(live(&plane, "/api/v1/persistentvolumes/ledger").is_some());
    assert!(live(&plane, &format!("{CRDS}/things.example.com")).is_some());
    assert_eq!(
        deletions(&plane),
        ["deployments/worker", "serviceaccounts/worker"],
        "dependants first"
    );
}

/// What refloat deleted of workloads and ServiceAccounts, in that order.
fn deletions(plane: &Plane) -> Vec<String> {
    let mut found = Vec::new();
    for request in plane.requests() {
        let text = |pointer: &str| {
            request
                .pointer(pointer)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        let resource = text("/objectRef/resource");
        let counts = text("/verb") == "delete" && ["deployments", "serviceaccounts"].contains(&resource);
        if counts && text("/stage") == "ResponseComplete" {
            found.push(format!("{resource}/{}", text("/objectRef/name")));
        }
    }
    found
}

#[test]
fn what_is_named_goes_and_a_second_run_remembers() {
    let (repo, [first, second, _]) = repository();
    let plane = cluster(&repo);
    let sure = ["--yes", "--context", CONTEXT];
    let back = ["--rev", first.as_str()];

    // Rolled back without it first: what was there before is remembered.
    let _ = returns(0, run(&plane, "restore", &repo, &[&back[..], &sure].concat()));
    assert!(
        live(&plane, "/api/v1/namespaces/shop/configmaps/newest").is_some(),
        "nothing is deleted unasked"
    );
    let unknown = ["--prune-removed=Namespace/shop"];
    let refused = returns(2, run(&plane, "restore", &repo, &[&back[..], &unknown, &sure].concat()));
    assert!(
        refused
            .stderr
            .contains("Namespace/other, PersistentVolume/ledger, PersistentVolumeClaim/shop/data"),
        "{}",
        refused.stderr
    );

    let chosen = [
        "--prune-removed=PersistentVolumeClaim/shop/data",
        "--prune-removed=PersistentVolume/ledger",
        "--except",
        "ConfigMap/shop/newest",
        "--except",
        "kind=Deployment",
    ];
    let ran = returns(0, run(&plane, "restore", &repo, &[&back[..], &chosen, &sure].concat()));
    let gone = [
        "ConfigMap/shop/extra",
        "PersistentVolume/ledger",
        "PersistentVolumeClaim/shop/data",
        "ServiceAccount/shop/worker",
    ];
    assert_eq!(told(&ran, "deleted "), names(&gone), "{}", ran.stderr);
    assert!(live(&plane, "/api/v1/namespaces/shop/configmaps/newest").is_some());

    // Another revision: what was restored last is the first one, which has nothing that this one lacks.
    let forward = ["--rev", second.as_str(), "--prune-removed"];
    let ran = returns(0, run(&plane, "restore", &repo, &[&forward[..], &sure].concat()));
    assert_eq!(told(&ran, "deleted "), names(&[]));

    repo.write("broken.yaml", "a: [");
    let broken = repo.commit("break it");
    let ran = returns(
        1,
        run(
            &plane,
            "restore",
            &repo,
            &[&["--rev", broken.as_str(), "--prune-removed"], &sure[..]].concat(),
        ),
    );
    assert!(
        ran.stderr
            .contains("not all of what this revision declares could be read"),
        "{}",
        ran.stderr
    );
}

#[test]
fn nothing_is_deleted_where_nothing_says_what_was_there() {
    let (repo, [first, ..]) = repository();
    let plane = crate::support::plane::fresh();
    let ran = returns(1, run(&plane, "restore", &repo, &["--rev", &first, "--prune-removed"]));
    assert!(
        ran.stderr
            .contains("neither an earlier restore of this entry nor an engine in the cluster says"),
        "{}",
        ran.stderr
    );
    assert!(live(&plane, "/api/v1/namespaces/shop").is_none(), "nothing was changed");
}
