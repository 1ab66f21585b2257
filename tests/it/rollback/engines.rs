//! Engines that would undo a roll-back: refused, suspended, resumed.

use std::future::pending;
use std::sync::Arc;

use refloat::control_plane::Options;
use refloat::object::{Action, ObjectId};
use refloat::{engine, plan};
use serde_json::{Value, json};

use super::{CONTEXT, live, names, returns, run, send, told};
use crate::support::plane::{Plane, fresh_with, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

const MERGE: &str = "application/merge-patch+json";
const FLUX: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations";
const ARGO: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd";

/// A control plane with these kinds, and a namespace.
fn cluster(kinds: &[(&str, &str, &str, &str)], namespace: &str) -> Plane {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    for (group, version, kind, plural) in kinds {
        plane.serve(group, version, kind, plural);
    }
    create(&plane, "/api/v1/namespaces", &json!({"metadata": {"name": namespace}}));
    plane
}

fn create(plane: &Plane, path: &str, value: &Value) -> Value {
    send(plane, "POST", path, "application/json", Some(value))
}

fn field(plane: &Plane, path: &str, pointer: &str) -> Value {
    let found = live(plane, path).expect("because it is there");
    found.pointer(pointer).cloned().unwrap_or_default()
}

fn mark(plane: &Plane, path: &str) -> Value {
    field(plane, path, "/metadata/annotations/refloat.dev~1suspended")
}

fn resume(plane: &Plane, args: &[&str]) -> Ran {
    let kubeconfig = plane.kubeconfig();
    let first = ["resume", "--kubeconfig", &kubeconfig];
    returns(0, refloat(first.iter().chain(args).copied()).run())
}

const MAP: &str = "/api/v1/namespaces/shop/configmaps/map";

fn config_map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: '{value}'}}\n---\n"
    )
}

fn kustomization(name: &str, suspend: bool) -> Value {
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"path": "./apps", "suspend": suspend, "sourceRef": {"kind": "GitRepository", "name": "flux-system"}},
    })
}

/// Two revisions of what Flux syncs; the second changes an object and brings one.
fn fleet() -> (Repo, [String; 2]) {
    let apps = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\n\
        spec: {path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}\n";
    let shop = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", apps),
        ("clusters/prod/shop.yaml", shop),
        ("apps/map.yaml", &config_map("map", "1")),
    ]);
    repo.git(&["remote", "add", "origin", "https://git.example/fleet.git"]);
    let first = repo.git(&["rev-parse", "HEAD"]).trim().to_owned();
    repo.write("apps/map.yaml", &config_map("map", "2"));
    repo.write("apps/extra.yaml", &config_map("extra", "2"));
    let unit = apps.replace("name: apps", "name: more").replace("./apps", "./more");
    repo.write("clusters/prod/more.yaml", &unit);
    repo.write("more/map.yaml", &config_map("more", "2"));
    let second = repo.commit("change it, bring others");
    (repo, [first, second])
}

#[test]
fn flux_is_suspended_first_and_resumes_only_what_was() {
    let (repo, [first, second]) = fleet();
    let plane = cluster(
        &[
            ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
            ("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories"),
        ],
        "flux-system",
    );
    let prod = ["--path", "clusters/prod"];
    let sure = ["--yes", "--context", CONTEXT];
    let _ = returns(0, run(&plane, "restore", &repo, &[&prod[..], &sure].concat()));
    // What its controllers would have written by now.
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {"url": "ssh://git@git.example/fleet", "ref": {"branch": "main"}},
        "status": {"artifact": {"revision": format!("main@sha1:{second}")}},
    });
    create(
        &plane,
        "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories",
        &source,
    );
    let apps = format!("{FLUX}/apps");
    let synced = json!({"status": {"lastAppliedRevision": format!("main@sha1:{second}")}});
    let more = format!("{FLUX}/more");
    send(&plane, "PATCH", &apps, MERGE, Some(&synced));
    send(&plane, "PATCH", &more, MERGE, Some(&synced));
    create(&plane, FLUX, &kustomization("theirs", true));
    let theirs = format!("{FLUX}/theirs");

    let back = [&["--rev", first.as_str()], &prod[..]].concat();
    let planned = returns(3, run(&plane, "plan", &repo, &back));
    let told_so = format!(
        "Kustomization/flux-system/apps: syncs {}, following branch main",
        &second[..12]
    );
    assert!(planned.stderr.contains(&told_so), "{}", planned.stderr);
    let refused = returns(1, run(&plane, "restore", &repo, &[&back[..], &sure].concat()));
    let expected = format!(
        "Error: nothing was changed: an engine in the cluster would undo it within minutes
  because: Kustomization/flux-system/apps syncs {} (branch main)
  hint: --suspend-engines suspends all of them first; `refloat resume` lets them go on
  hint: or revert in Git, and let the engine do it
",
        &second[..12]
    );
    assert!(refused.stderr.ends_with(&expected), "{}", refused.stderr);
    assert_eq!(field(&plane, MAP, "/data/a"), "2", "nothing was changed");

    // With what it declared goes a unit of its own, if its engine does not take more with it.
    let prune = [&back[..], &["--prune-removed"]].concat();
    let planned = returns(3, run(&plane, "plan", &repo, &prune));
    let kept = "Kustomization/flux-system/more: its engine would delete all that it made, of whatever kind, unless it is suspended";
    assert!(planned.stderr.contains(kept), "{}", planned.stderr);
    let planned = returns(
        0,
        run(&plane, "plan", &repo, &[&prune[..], &["--suspend-engines"]].concat()),
    );
    assert!(
        planned.stdout.contains("2 to suspend first (engines), 3 to delete"),
        "{}",
        planned.stdout
    );

    // Nothing notes what was restored: what the engine synced tells.
    let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/refloat";
    send(&plane, "DELETE", lease, "", None);
    let before = plane.requests().len();
    let rolled = [&back[..], &["--suspend-engines", "--prune-removed"], &sure].concat();
    let ran = returns(0, run(&plane, "restore", &repo, &rolled));
    // Also the one that would make anew what is deleted.
    let units = names(&["Kustomization/flux-system/apps", "Kustomization/flux-system/more"]);
    assert_eq!(told(&ran, "suspended "), units);
    let deleted = names(&["ConfigMap/shop/extra", "ConfigMap/shop/more"]);
    assert_eq!(told(&ran, "deleted "), deleted, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("2 engine units are suspended: `refloat resume`"),
        "{}",
        ran.stdout
    );
    let first = first_write(&plane, before);
    assert!(first.starts_with("kustomizations/"), "{first}");
    assert_eq!(field(&plane, MAP, "/data/a"), "1");
    assert_eq!(
        (field(&plane, &apps, "/spec/suspend"), mark(&plane, &apps)),
        (json!(true), json!("null"))
    );
    assert_eq!(mark(&plane, &theirs), Value::Null, "somebody else suspended it");

    // Restored once more, without a word of engines: it stays suspended.
    let _ = returns(0, run(&plane, "restore", &repo, &[&back[..], &sure].concat()));
    assert_eq!(
        (field(&plane, &apps, "/spec/suspend"), mark(&plane, &apps)),
        (json!(true), json!("null"))
    );

    let shown = resume(&plane, &["--dry-run"]);
    assert_eq!(
        shown.stdout,
        "Plan: 2 engine units to resume:\n  Kustomization/flux-system/apps [resume]\n  Kustomization/flux-system/more [resume]\n"
    );
    let ran = resume(&plane, &[]);
    assert_eq!(told(&ran, "resumed "), units, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("2 engine units go on.\n"), "{}", ran.stdout);
    assert_eq!(
        (field(&plane, &apps, "/spec/suspend"), mark(&plane, &apps)),
        (Value::Null, Value::Null)
    );
    assert_eq!(field(&plane, &theirs, "/spec/suspend"), true);
    let ran = resume(&plane, &[]);
    assert!(
        ran.stderr
            .ends_with("refloat suspended nothing here that is suspended still\n"),
        "{}",
        ran.stderr
    );
}

/// The object that was first written since, other than Leases.
fn first_write(plane: &Plane, since: usize) -> String {
    let requests = plane.requests().into_iter().skip(since);
    let mut written = requests.filter_map(|request| {
        let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (verb, resource) = (text("/verb"), text("/objectRef/resource"));
        let counts = ["create", "patch", "update", "delete"].contains(&verb) && !text("/requestURI").contains("dryRun");
        let by_refloat = ![
            "leases",
            "events",
            "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
        ]
        .contains(&resource);
        let (sent, system) = (
            text("/stage") == "ResponseComplete",
            text("/user/username").starts_with("system:"),
        );
        (counts && by_refloat && sent && !system).then(|| format!("{resource}/{}", text("/objectRef/name")))
    });
    written.next().unwrap_or_default()
}

/// An Application that an ApplicationSet made, as Argo CD has it after a sync.
fn application(set: &Value, commit: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "bank", "namespace": "argocd",
            "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "all", "controller": true,
                "uid": set["metadata"]["uid"],
            }],
        },
        "spec": {
            "source": {"repoURL": "https://git.example/bank", "path": ".", "targetRevision": "main"},
            "syncPolicy": {"automated": {"prune": true}, "retry": {"limit": 2}},
        },
        "status": {"sync": {"revision": commit}},
    })
}

#[test]
fn argo_cd_is_suspended_first_and_gets_its_policy_back() {
    let shop = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let repo = Repo::with(&[("shop.yaml", shop), ("map.yaml", &config_map("map", "1"))]);
    repo.git(&["remote", "add", "origin", "git@git.example:bank"]);
    let first = repo.git(&["rev-parse", "HEAD"]).trim().to_owned();
    repo.write("map.yaml", &config_map("map", "2"));
    let second = repo.commit("change it");
    let (group, version) = ("argoproj.io", "v1alpha1");
    let plane = cluster(
        &[
            (group, version, "Application", "applications"),
            (group, version, "ApplicationSet", "applicationsets"),
        ],
        "argocd",
    );
    let sure = ["--yes", "--context", CONTEXT];
    let _ = returns(0, run(&plane, "restore", &repo, &sure));
    let set = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "all"}});
    let set = create(&plane, &format!("{ARGO}/applicationsets"), &set);
    create(&plane, &format!("{ARGO}/applications"), &application(&set, &second));
    let (bank, all) = (
        format!("{ARGO}/applications/bank"),
        format!("{ARGO}/applicationsets/all"),
    );

    let back = [&["--rev", first.as_str()], &sure[..]].concat();
    let refused = returns(1, run(&plane, "restore", &repo, &back));
    let expected = format!("because: Application/argocd/bank syncs {} (main)", &second[..12]);
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);

    let before = plane.requests().len();
    let ran = returns(
        0,
        run(&plane, "restore", &repo, &[&back[..], &["--suspend-engines"]].concat()),
    );
    let suspended = names(&["Application/argocd/bank", "ApplicationSet/argocd/all"]);
    assert_eq!(told(&ran, "suspended "), suspended);
    assert_eq!(
        first_write(&plane, before),
        "applicationsets/all",
        "it would make the other anew"
    );
    assert_eq!(field(&plane, &bank, "/spec/syncPolicy"), json!({"retry": {"limit": 2}}));
    assert_eq!(field(&plane, &all, "/spec/syncPolicy/applicationsSync"), "create-only");
    assert_eq!(field(&plane, MAP, "/data/a"), "1");

    // Another one of the same name is not touched.
    let cluster = plane.connect();
    let (kinds, _) = wait(cluster.discover()).expect("because the server runs");
    let (units, gaps) = wait(cluster.engines(&kinds));
    assert!(gaps.is_empty(), "{gaps:?}");
    let old = live(&plane, &bank).expect("because it is there");
    send(&plane, "DELETE", &bank, "", None);
    let mut anew = old.clone();
    anew["metadata"] = json!({"name": "bank", "namespace": "argocd", "annotations": old["metadata"]["annotations"]});
    create(&plane, &format!("{ARGO}/applications"), &anew);
    let plan = Arc::new(plan::resume(&units, &kinds));
    let (_keep, interrupts) = tokio::sync::mpsc::channel(1);
    let options = engine::Options::default();
    let ran = wait(engine::run(plan, &cluster, options, interrupts, pending(), |_| {}));
    let ran = ran.unwrap_or_else(|failure| panic!("{failure}"));
    let id = ObjectId::new("argoproj.io", "Application", Some("argocd"), "bank");
    let outcome = ran
        .outcomes
        .iter()
        .find(|(one, _)| *one == id)
        .map(|(_, outcome)| &outcome.action);
    let Some(Action::Failed(why)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("uid"), "{why}");

    let ran = resume(&plane, &[]);
    assert_eq!(
        told(&ran, "resumed "),
        names(&["Application/argocd/bank"]),
        "{}",
        ran.stderr
    );
    assert_eq!(
        field(&plane, &bank, "/spec/syncPolicy"),
        json!({"retry": {"limit": 2}, "automated": {"prune": true}})
    );
    assert_eq!(field(&plane, &all, "/spec/syncPolicy/applicationsSync"), Value::Null);
}
