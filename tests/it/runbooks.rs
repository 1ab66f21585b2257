//! The runbooks, as an operator follows them: every command in order, against real control planes.

use std::path::Path;

use refloat::control_plane::Options;
use serde_json::{Value, json};

use crate::support::plane::{Plane, fresh_with, wait};
use crate::support::repo::{Repo, git_in};
use crate::support::run::refloat;
use crate::support::transcript::{Scene, Transcript};
use crate::support::web::{Answer, Web};

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with `bank`, a repository of two commits, and the operator's files.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().expect("because a temporary folder can be made");
    let bank = Repo::of_folder(&root("fixtures/mobile-bank"));
    bank.write("CHANGES.md", "The settlement runs at 22:00.\n");
    bank.commit("say when the settlement runs");
    bank.move_to(&desk.path().join("bank"));
    let stages = root("fixtures/simulate/bank-operator.yaml");
    std::fs::copy(stages, desk.path().join("bank-operator.yaml")).expect("because the folder is ours");
    desk
}

/// A cluster that is reached by this context; gives the variables that point to it.
fn cluster(desk: &Path, context: &str) -> (Plane, Vec<(&'static str, String)>) {
    cluster_with(desk, context, Options::default())
}

fn cluster_with(desk: &Path, context: &str, options: Options) -> (Plane, Vec<(&'static str, String)>) {
    let plane = fresh_with(options);
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because it is there");
    let file = desk.join("kubeconfig");
    std::fs::write(&file, text.replace("refloat-throwaway", context)).expect("because the folder is ours");
    (plane, vec![("KUBECONFIG", file.display().to_string())])
}

#[test]
fn restore() {
    let desk = desk();
    let (_plane, env) = cluster(desk.path(), "bank-dr");
    Transcript::of("runbooks/restore.md").play(&Scene {
        folder: desk.path(),
        env,
    });
    for report in ["ground.txt", "bank.txt", "door.txt"] {
        assert!(desk.path().join(report).is_file(), "{report}");
    }
}

#[test]
fn partial_restore() {
    let desk = desk();
    let (plane, env) = cluster(desk.path(), "bank-prod");
    let whole = ["restore", "bank", "--old-cluster-is-gone"];
    let (name, value) = &env[0];
    let whole = refloat(whole).cwd(desk.path()).env(*name, value).run();
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let api = plane.api();
    let deleted = wait(api.request("DELETE", "/api/v1/namespaces/payments", "", None));
    assert!(deleted.is_ok_and(|answer| answer.is_success()));
    while wait(api.get("/api/v1/namespaces/payments")).is_ok_and(|answer| answer.body["kind"] == "Namespace") {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Transcript::of("runbooks/partial-restore.md").play(&Scene {
        folder: desk.path(),
        env,
    });
    let path = "/apis/apps/v1/namespaces/payments/deployments/payments-api";
    let back = wait(api.get(path)).expect("because the server runs").body;
    assert_eq!(back["status"]["availableReplicas"], back["spec"]["replicas"]);
    assert_ne!(back["spec"]["replicas"], Value::Null);
}

/// What Flux would have made of the newest commit by now, and the kinds that it needs for that.
fn synced_by_flux(plane: &Plane, commit: &str) {
    let api = plane.api();
    let create = |path: &str, object: Value| {
        let made = wait(api.create(path, &object)).expect("because the server runs");
        assert!(made.is_success(), "{path}: {}", made.message());
    };
    plane.serve("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories");
    plane.serve("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    create("/api/v1/namespaces", json!({"metadata": {"name": "flux-system"}}));
    let revision = format!("main@sha1:{commit}");
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "flux-system"},
        "spec": {"url": "https://git.example.com/bank", "ref": {"branch": "main"}},
        "status": {"artifact": {"revision": revision}},
    });
    create(
        "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories",
        source,
    );
    let unit = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "bank"},
        "spec": {"path": "./clusters/production", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}},
        "status": {"lastAppliedRevision": revision},
    });
    create(
        "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations",
        unit,
    );
}

/// A repository whose last commit changes the payments and brings a program and a claim.
fn changed_bank(desk: &Path) -> String {
    let bank = Repo::of_folder(&root("fixtures/mobile-bank"));
    let payments = "clusters/production/apps/payments";
    let api = std::fs::read_to_string(bank.path().join(payments).join("api.yaml")).expect("because it is there");
    let changed = api.replace("priorityClassName: bank-critical", "priorityClassName: bank-batch");
    assert_ne!(api, changed);
    bank.write(&format!("{payments}/api.yaml"), &changed);
    let meta = |name: &str| format!("metadata: {{name: {name}, namespace: payments}}");
    let limits = format!(
        "apiVersion: v1\nkind: ConfigMap\n{}\ndata: {{daily: '0'}}\n",
        meta("limits")
    );
    let ledger = format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\n{}\nspec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n",
        meta("ledger")
    );
    bank.write(&format!("{payments}/limits.yaml"), &limits);
    bank.write(&format!("{payments}/ledger.yaml"), &ledger);
    let commit = bank.commit("give the payments limits and a ledger");
    bank.git(&["remote", "add", "origin", "https://git.example.com/bank.git"]);
    bank.move_to(&desk.join("bank"));
    commit
}

#[test]
fn rollback() {
    let desk = tempfile::tempdir().expect("because a temporary folder can be made");
    let commit = changed_bank(desk.path());
    let (plane, env) = cluster(desk.path(), "bank-prod");
    let (name, value) = &env[0];
    let newest = refloat(["restore", "bank", "--old-cluster-is-gone"]);
    let newest = newest.cwd(desk.path()).env(*name, value).run();
    assert_eq!(newest.code, 0, "{}", newest.stderr);
    synced_by_flux(&plane, &commit);
    Transcript::of("runbooks/rollback.md").play(&Scene {
        folder: desk.path(),
        env,
    });
    let there = |path: &str| {
        let path = format!("/api/v1/namespaces/payments/{path}");
        wait(plane.api().get(&path)).is_ok_and(|answer| answer.is_success())
    };
    assert!(!there("configmaps/limits") && there("persistentvolumeclaims/ledger"));
}

/// A cluster in which the bank was restored, with an audit log.
fn production(desk: &Path) -> (Plane, Vec<(&'static str, String)>) {
    let (plane, env) = cluster_with(
        desk,
        "bank-prod",
        Options {
            request_log: true,
            ..Options::default()
        },
    );
    let whole = refloat(["restore", "bank", "--old-cluster-is-gone"]).cwd(desk);
    let whole = whole.env(env[0].0, &env[0].1).run();
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    (plane, env)
}

/// One thing is changed, one made, one deleted.
fn by_hand(plane: &Plane) {
    another_image(plane);
    let flags = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "feature-flags"}, "data": {"instant": "off"}});
    let path = "/api/v1/namespaces/payments/configmaps?fieldManager=kubectl-create";
    act(plane, "POST", path, "application/json", Some(&flags));
    let policy = "/apis/networking.k8s.io/v1/namespaces/data/networkpolicies/bank-db";
    act(plane, "DELETE", policy, "", None);
}

/// Somebody changes an image.
fn another_image(plane: &Plane) {
    let image = "registry.example.com/bank/card-gateway:hotfix";
    let body = json!({"spec": {"template": {"spec": {"containers": [{"name": "gateway", "image": image}]}}}});
    let path = "/apis/apps/v1/namespaces/payments/deployments/card-gateway?fieldManager=kubectl-set";
    act(
        plane,
        "PATCH",
        path,
        "application/strategic-merge-patch+json",
        Some(&body),
    );
}

fn act(plane: &Plane, method: &str, path: &str, form: &str, body: Option<&Value>) {
    let answer = wait(plane.api().request(method, path, form, body)).expect("because the server runs");
    assert!(answer.is_success(), "{method} {path}: {}", answer.message());
}

#[test]
fn audit() {
    let desk = desk();
    let (plane, env) = production(desk.path());
    by_hand(&plane);
    let log: String = plane.requests().iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(desk.path().join("audit.log"), log).expect("because the folder is ours");
    Transcript::of("runbooks/audit.md").play(&Scene {
        folder: desk.path(),
        env,
    });
    for file in ["proposal.txt", "audit.html"] {
        let text = std::fs::read_to_string(desk.path().join(file)).expect("because it was written");
        assert!(text.contains("feature-flags"), "{file}: {text}");
    }
}

#[test]
fn export() {
    let desk = desk();
    let (plane, env) = production(desk.path());
    by_hand(&plane);
    let bank = |args: &[&str]| git_in(&desk.path().join("bank"), "2026-01-02T03:04:05Z", args);
    let remote = desk.path().join("bank.git").display().to_string();
    bank(&["init", "-q", "--bare", "-b", "main", &remote]);
    bank(&["remote", "add", "origin", &remote]);
    bank(&["push", "-q", "origin", "main"]);
    for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.invalid")] {
        bank(&["config", key, value]);
    }
    Transcript::of("runbooks/export.md").play(&Scene {
        folder: desk.path(),
        env,
    });
    // What was pushed is what was proven, and nothing else moved.
    let pushed = bank(&["--git-dir", &remote, "rev-parse", "after-the-outage"]);
    assert_eq!(pushed, bank(&["rev-parse", "after-the-outage"]));
    assert_eq!(bank(&["status", "--porcelain"]), "");
    // What was merged is on the default branch, with all that was there before.
    let merged = bank(&["rev-parse", "main", "main^2"]);
    let ids: Vec<&str> = merged.lines().collect();
    assert_eq!(ids[1], pushed.trim());
    assert_eq!(bank(&["--git-dir", &remote, "rev-parse", "main"]).trim(), ids[0]);
    assert_eq!(bank(&["diff", "main", "after-the-outage"]), "");
}

#[test]
fn drift_alerts() {
    let desk = desk();
    let (plane, mut env) = production(desk.path());
    let webhook = Web::start(|_| Answer::status(204));
    env.push(("REFLOAT_NOTIFY", webhook.address.clone()));
    Transcript::of("runbooks/drift-alerts.md").play_with(
        &Scene {
            folder: desk.path(),
            env,
        },
        &|| another_image(&plane),
    );
    let posts = webhook.asked();
    let post: Value = serde_json::from_str(&posts[0].body).expect("because it is JSON");
    assert_eq!(
        (posts.len(), &post["object"]["name"]),
        (1, &json!("card-gateway")),
        "{post}"
    );
    // Every field that the runbook explains is there.
    let text = std::fs::read_to_string(root("runbooks/drift-alerts.md")).expect("because it is part of the repository");
    for field in text.lines().filter_map(|line| line.strip_prefix("| `")) {
        let names = field.split(" |").next().unwrap_or_default().split(", ");
        for name in names.map(|name| name.trim_matches('`')) {
            assert!(post.get(name).is_some(), "{name}: {post}");
        }
    }
}

#[test]
fn drill() {
    let desk = desk();
    let played = Transcript::of("runbooks/drill.md").play(&Scene {
        folder: desk.path(),
        env: Vec::new(),
    });
    let (_, kept) = played.last().expect("because the last command keeps it");
    let stop = kept.lines().find_map(|line| line.trim().strip_prefix("kill "));
    let stop = stop.expect("because it says how to stop it");
    #[expect(clippy::disallowed_methods, reason = "the test stops it as it says")]
    let stopped = std::process::Command::new("kill").arg(stop).status();
    assert!(stopped.is_ok_and(|status| status.success()));
}
