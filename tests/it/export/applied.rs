//! Exported again before the engine applied what was exported and merged: nothing is reverted, and nothing is declared twice.

use refloat::control_plane::Options;
use serde_json::json;

use super::odd::said;
use super::run;
use crate::rollback::{returns, send};
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::Ran;
use crate::support::tools::at_hand;

const MERGE: &str = "application/merge-patch+json";
const UNIT: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/apps";
const SOURCE: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system";
const PROD: [&str; 2] = ["--path", "clusters/prod"];

fn map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{{data}}}\n")
}

/// What Flux syncs.
fn fleet() -> Repo {
    let unit = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\n\
        spec: {path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}\n";
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  replicas: 2\n  \
        selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      \
        containers: [{name: web, image: 'registry.example.com/web:1'}]\n";
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", unit),
        (
            "apps/shop.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
        ),
        ("apps/web.yaml", web),
        ("apps/map.yaml", &map("map", "a: '1', b: '1'")),
        ("apps/gone.yaml", &map("gone", "a: '1'")),
    ]);
    repo.git(&["remote", "add", "origin", "https://git.example/fleet.git"]);
    repo
}

/// What Flux's controllers do with a commit: they apply all of it, and note that.
fn synced(plane: &Plane, repo: &Repo, commit: &str) {
    let artifact = json!({"status": {"artifact": {"revision": format!("main@sha1:{commit}")}}});
    send(plane, "PATCH", SOURCE, MERGE, Some(&artifact));
    let sure = ["--rev", commit, "--yes", "--context", "refloat-throwaway"];
    let _ = returns(0, run("restore", plane, repo.path(), &[&PROD[..], &sure].concat()));
    noted(plane, commit);
}

fn noted(plane: &Plane, commit: &str) {
    let status = json!({"status": {"lastAppliedRevision": format!("main@sha1:{commit}")}});
    send(plane, "PATCH", UNIT, MERGE, Some(&status));
}

fn head(repo: &Repo) -> String {
    repo.git(&["rev-parse", "HEAD"]).trim().to_owned()
}

/// Exports into the work tree.
fn exported(plane: &Plane, repo: &Repo, code: i32) -> Ran {
    let args = [&PROD[..], &["--only", "shop", "--write"]].concat();
    let ran = returns(code, run("export", plane, repo.path(), &args));
    assert!(!ran.stdout.contains("not proven"), "{}", said(&ran));
    ran
}

/// The lines of a change that came and went.
fn lines(repo: &Repo) -> String {
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached", "-U0"]);
    let is_line = |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---");
    diff.lines().filter(is_line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_engines_are_late_with_is_not_reverted() {
    if !at_hand("kubectl") {
        return;
    }
    let plane = fresh_with(Options::default());
    plane.serve("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    plane.serve("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories");
    plane.kubectl(&["create", "namespace", "flux-system"], "");
    let repo = fleet();
    let first = head(&repo);
    let sure = ["--yes", "--context", "refloat-throwaway"];
    let _ = returns(0, run("restore", &plane, repo.path(), &[&PROD[..], &sure].concat()));
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {"url": "ssh://git@git.example/fleet", "ref": {"branch": "main"}},
        "status": {"artifact": {"revision": format!("main@sha1:{first}")}},
    });
    let sources = SOURCE.trim_end_matches("/flux-system");
    send(&plane, "POST", sources, "application/json", Some(&source));
    noted(&plane, &first);

    let by_hand = |command: &str| plane.kubectl(&command.split(' ').collect::<Vec<_>>(), "");
    by_hand("scale deployment web --replicas=5 -n shop");
    by_hand("create configmap made --from-literal=a=b -n shop");
    by_hand("delete configmap gone -n shop");
    let ran = exported(&plane, &repo, 0);
    assert!(ran.stdout.contains("2 files changed, 1 removed"), "{}", said(&ran));
    repo.commit("what was done by hand");
    // And what somebody else merged since.
    repo.write("apps/map.yaml", &map("map", "a: '2', c: '2'"));
    repo.write("apps/extra.yaml", &map("extra", "a: '2'"));
    let second = repo.commit("change the map, bring another");

    // On its own branch or merged, Flux still has the first commit, and sets right what was done by hand.
    synced(&plane, &repo, &first);
    let ran = exported(&plane, &repo, 3);
    assert_eq!(lines(&repo), "", "{}", said(&ran));
    let unit = format!("Kustomization/flux-system/apps applied {} last", &first[..12]);
    for left in [
        format!("ConfigMap/shop/extra: {unit}, which does not declare it"),
        format!("ConfigMap/shop/map: .data.a, .data.b, .data.c: {unit}, which declares what is live"),
        format!("Deployment/shop/web: .spec.replicas: {unit}, which declares what is live"),
    ] {
        assert!(ran.stdout.contains(&format!("\n  {left}\n")), "{left}\n{}", said(&ran));
    }
    assert!(ran.stdout.contains("0 files changed"), "{}", said(&ran));
    while_it_is_late(&plane, &repo);
    // Another clone, or a commit that nobody pushed.
    noted(&plane, &"0".repeat(40));
    let ran = exported(&plane, &repo, 3);
    assert_eq!(lines(&repo), "", "{}", said(&ran));
    assert!(
        ran.stdout
            .contains(" applied 000000000000 last, which cannot be read here: fetch it")
            && ran.stderr.contains("warning     "),
        "{}",
        said(&ran)
    );

    // Once it applied the commit, the marks of what was made by hand are its own too, and a hand's work is a hand's work again.
    synced(&plane, &repo, &head(&repo));
    // It prunes what is in Git no more.
    by_hand("delete configmap gone -n shop");
    let ran = exported(&plane, &repo, 2);
    assert!(ran.stderr.contains("no finding matches shop"), "{}", said(&ran));
    by_hand("delete configmap extra -n shop");
    by_hand("scale deployment web --replicas=4 -n shop");
    let _ = exported(&plane, &repo, 0);
    assert_eq!(
        lines(&repo)
            .lines()
            .filter(|line| line.starts_with('+'))
            .collect::<Vec<_>>(),
        ["+  replicas: 4"]
    );
    assert!(!repo.path().join("apps/extra.yaml").exists() && second != head(&repo));
}

/// What is done by hand while the engine is late is exported all the same, also where it is what the engine has.
fn while_it_is_late(plane: &Plane, repo: &Repo) {
    let web = "/apis/apps/v1/namespaces/shop/deployments/web/scale?fieldManager=kubectl";
    for replicas in [7, 2] {
        send(
            plane,
            "PATCH",
            web,
            MERGE,
            Some(&json!({"spec": {"replicas": replicas}})),
        );
    }
    let map = "/api/v1/namespaces/shop/configmaps/map?fieldManager=kubectl-edit";
    send(plane, "PATCH", map, MERGE, Some(&json!({"data": {"d": "by hand"}})));
    let ran = exported(plane, repo, 3);
    let told = lines(repo);
    assert!(
        told.contains("+  replicas: 2") && told.contains("d: by hand"),
        "{told}\n{}",
        said(&ran)
    );
    assert!(
        told.contains("a: '2'") && told.contains("c: '2'") && !told.contains("extra"),
        "{told}"
    );
    repo.commit("more of it");
}
