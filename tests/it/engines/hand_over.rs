//! What engines find after a restore: releases that Helm and helm-controller know for their own, and units that are whole or suspended.

use std::path::Path;

use serde_json::{Value, json};

use super::kustomization;
use crate::rollback::{live, returns};
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, Refloat, kill_once, refloat, tool_folder};

/// A definition of a kind, with a status of its own.
pub(super) fn definition(group: &str, version: &str, kind: &str, plural: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n\
         \x20 names: {{kind: {kind}, plural: {plural}, singular: {singular}, listKind: {kind}List}}\n\
         \x20 versions:\n  - {{name: {version}, served: true, storage: true, subresources: {{status: {{}}}}, schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}\n---\n",
        singular = kind.to_lowercase()
    )
}

const OBJECTS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {size: {{ .Values.size | quote }}}\n\
    ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\n\
    spec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: {{ .Release.Name }}}}\n  template:\n    metadata: {labels: {app: {{ .Release.Name }}}}\n    spec: {containers: [{name: web, image: 'web:1'}]}\n";
const HOOK: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-before, annotations: {helm.sh/hook: pre-install}}\n";
const TEST: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}\n";

pub(super) fn release(name: &str, values: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  interval: 1h\n\
         \x20 chart: {{spec: {{chart: ./charts/web, sourceRef: {{kind: GitRepository, name: flux-system, namespace: flux-system}}}}}}\n  values: {values}\n"
    )
}

fn repository() -> Repo {
    let definitions = [
        ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
        ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases"),
    ];
    let definitions: String = definitions
        .map(|(group, version, kind, plural)| definition(group, version, kind, plural))
        .concat();
    let namespaces = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n";
    Repo::with(&[
        ("clusters/prod/infra.yaml", &kustomization("infra", "./infra", "")),
        (
            "clusters/prod/apps.yaml",
            &kustomization("apps", "./apps", "  dependsOn: [{name: infra}]\n"),
        ),
        ("infra/definitions.yaml", &definitions),
        ("infra/namespaces.yaml", namespaces),
        ("apps/web.yaml", &release("web", "{replicas: 2}")),
        ("apps/bad.yaml", &release("bad", "{replicas: -1}")),
        (
            "charts/web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: '7'\n",
        ),
        ("charts/web/values.yaml", "replicas: 1\nsize: small\n"),
        ("charts/web/templates/objects.yaml", OBJECTS),
        ("charts/web/templates/hook.yaml", HOOK),
        ("charts/web/templates/test.yaml", TEST),
    ])
}

pub(super) fn run(plane: &Plane, repo: &Repo, command: &str, more: &[&str]) -> Ran {
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let mut args = vec![command];
    if command == "restore" {
        args.extend([&*place, "--path", "clusters/prod"]);
    }
    args.extend(["--kubeconfig", &*kubeconfig]);
    args.extend(more);
    refloat(args).with_tools(&["helm"]).run()
}

fn kustomization_path(name: &str) -> String {
    format!("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/{name}")
}

pub(super) fn release_path(name: &str) -> String {
    format!("/apis/helm.toolkit.fluxcd.io/v2/namespaces/shop/helmreleases/{name}")
}

pub(super) fn secret_path(name: &str) -> String {
    format!("/api/v1/namespaces/shop/secrets/sh.helm.release.v1.{name}.v1")
}

pub(super) fn found(plane: &Plane, path: &str) -> Value {
    live(plane, path).unwrap_or_else(|| panic!("{path} is not there"))
}

/// Whether an engine's object is suspended, and whether refloat marked it so.
pub(super) fn suspended(plane: &Plane, path: &str) -> (bool, bool) {
    let object = found(plane, path);
    let mark = object.pointer("/metadata/annotations/refloat.dev~1suspended");
    (object["spec"]["suspend"] == true, mark.is_some())
}

#[expect(clippy::disallowed_methods, reason = "tests run helm itself")]
fn tried(plane: &Plane, args: &[&str]) -> Result<String, String> {
    let output = std::process::Command::new(tool_folder("helm").join("helm"))
        .args(args)
        .args(["--kubeconfig", &plane.kubeconfig()])
        .output()
        .expect("because it was built");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

pub(super) fn helm(plane: &Plane, args: &[&str]) -> String {
    tried(plane, args).unwrap_or_else(|said| panic!("{args:?}: {said}"))
}

fn listed(plane: &Plane) -> Vec<(String, String, String)> {
    let all: Value = serde_json::from_str(&helm(plane, &["list", "--namespace", "shop", "--output", "json"]))
        .expect("because it is JSON");
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let all = all.as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|one| (text(one, "name"), text(one, "revision"), text(one, "status")))
        .collect()
}

#[test]
fn engines_find_whole_units_and_releases_that_they_know() {
    let (plane, repo) = (fresh(), repository());
    let ran = returns(3, run(&plane, &repo, "restore", &[]));
    assert!(ran.stdout.contains("Deployment/shop/bad"), "{}", ran.stdout);
    // What is whole goes on by itself.
    assert_eq!(suspended(&plane, &kustomization_path("infra")), (false, false));
    let web = found(&plane, &release_path("web"));
    assert_eq!(
        (&web["spec"]["suspend"], &web["status"]["observedGeneration"]),
        (&Value::Null, &web["metadata"]["generation"])
    );
    let history = &web["status"]["history"][0];
    for (key, value) in [
        ("name", json!("web")),
        ("namespace", json!("shop")),
        ("version", json!(1)),
        ("status", json!("deployed")),
        ("chartVersion", json!("0.1.0")),
    ] {
        assert_eq!(history[key], value, "{key}");
    }
    assert!(
        history["digest"]
            .as_str()
            .is_some_and(|digest| digest.starts_with("sha256:"))
    );
    assert_eq!(found(&plane, &secret_path("web"))["type"], "helm.sh/release.v1");
    let deployed = |name: &str, revision: &str| (name.to_owned(), revision.to_owned(), "deployed".to_owned());
    assert_eq!(listed(&plane), [deployed("web", "1")]);
    assert!(
        helm(&plane, &["get", "hooks", "web", "--namespace", "shop"]).contains("helm.sh/hook: test"),
        "for helm test"
    );
    // What is not stays away from it, and so does what would write it again.
    assert!(live(&plane, &secret_path("bad")).is_none());
    for path in [release_path("bad"), kustomization_path("apps")] {
        assert_eq!(suspended(&plane, &path), (true, true), "{path}");
    }
    assert!(ran.stdout.contains("written suspended"), "{}", ran.stdout);

    repo.write("apps/bad.yaml", &release("bad", "{replicas: 1}"));
    repo.commit("mend it");
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(listed(&plane), [deployed("bad", "1"), deployed("web", "1")]);
    assert_eq!(
        suspended(&plane, &release_path("bad")),
        (true, true),
        "until it is let go"
    );
    let _ = returns(0, run(&plane, &repo, "resume", &[]));
    for path in [release_path("bad"), kustomization_path("apps")] {
        assert_eq!(suspended(&plane, &path), (false, false), "{path}");
    }
    let bad = found(&plane, &release_path("bad"));
    assert_eq!(bad["status"]["observedGeneration"], bad["metadata"]["generation"]);

    let record = found(&plane, &secret_path("web"));
    let again = returns(0, run(&plane, &repo, "restore", &[]));
    assert!(
        again.stdout.contains("nothing") || again.stdout.contains("unchanged"),
        "{}",
        again.stdout
    );
    assert_eq!(
        found(&plane, &secret_path("web")),
        record,
        "a record is never written again"
    );

    // Helm goes on from there; a later restore leaves its records alone.
    let objects = [
        "/api/v1/namespaces/shop/configmaps/web",
        "/apis/apps/v1/namespaces/shop/deployments/web",
    ];
    // A ConfigMap has no generation: what it holds tells.
    let versions = || {
        objects.map(|path| {
            let object = found(&plane, path);
            (
                object["metadata"]["generation"].clone(),
                object["data"].clone(),
                object["spec"].clone(),
            )
        })
    };
    let before = versions();
    assert_eq!(before[0].1, json!({"size": "small"}));
    let chart = repo.path().join("charts/web").display().to_string();
    helm(
        &plane,
        &[
            "upgrade",
            "web",
            &chart,
            "--set",
            "replicas=2",
            "--namespace",
            "shop",
            "--force-conflicts",
        ],
    );
    assert_eq!(listed(&plane)[1], deployed("web", "2"));
    assert_eq!(versions(), before, "the same chart changes nothing");
    helm(
        &plane,
        &[
            "upgrade",
            "web",
            &chart,
            "--set",
            "replicas=2",
            "--namespace",
            "shop",
            "--force-conflicts",
            "--history-max",
            "1",
        ],
    );
    assert!(live(&plane, &secret_path("web")).is_none(), "helm has forgotten it");
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    assert!(
        live(&plane, &secret_path("web")).is_none(),
        "the release is known by a later record"
    );

    // What helm-controller owns, helm changes by force only.
    let change = ["upgrade", "web", &chart, "--set", "replicas=3", "--namespace", "shop"];
    let refused = tried(&plane, &change).expect_err("because the replicas are helm-controller's");
    assert!(refused.contains("conflict with \"helm-controller\""), "{refused}");
    helm(&plane, &[&change[..], &["--force-conflicts"]].concat());
    assert_eq!(found(&plane, objects[1])["spec"]["replicas"], 3);
}

#[test]
fn a_chart_of_no_engine_is_a_release_of_helm() {
    let plane = fresh();
    let repo = Repo::with(&[
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("charts/web/values.yaml", "replicas: 1\nsize: small\n"),
        ("charts/web/templates/objects.yaml", OBJECTS),
        ("prod.yaml", "replicas: 3\n"),
    ]);
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let args = [
        "restore",
        &*place,
        "--path",
        "charts/web",
        "--values",
        "prod.yaml",
        "--namespace",
        "default",
        "--kubeconfig",
        &*kubeconfig,
    ];
    let _ = returns(0, refloat(args).with_tools(&["helm"]).run());
    let chart = repo.path().join("charts/web").display().to_string();
    let helm = |args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(["--namespace", "default"]).collect();
        helm(&plane, &args)
    };
    assert!(helm(&["get", "values", "web"]).contains("replicas: 3"));
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let before = found(&plane, path)["metadata"]["generation"].clone();
    helm(&["upgrade", "web", &chart, "--set", "replicas=3"]);
    assert_eq!(found(&plane, path)["metadata"]["generation"], before);
    helm(&["uninstall", "web"]);
    assert!(live(&plane, path).is_none(), "all of it is the release's");
}

/// A repository with one release, whose HelmRelease says more.
pub(super) fn one_release(more: &str) -> Repo {
    let repo = repository();
    let web = release("web", "{replicas: 2}");
    repo.write("apps/web.yaml", &format!("{web}{more}"));
    repo.write("apps/bad.yaml", "");
    repo.commit("only web");
    repo
}

fn through(proxy: &FaultProxy, repo: &Repo) -> Ran {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    restore_through(proxy, repo, folder.path()).run()
}

pub(super) fn restore_through(proxy: &FaultProxy, repo: &Repo, folder: &Path) -> Refloat {
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, proxy.kubeconfig()).expect("because the folder is ours");
    let (kubeconfig, place) = (kubeconfig.display().to_string(), repo.path().display().to_string());
    let args = [
        "restore",
        &*place,
        "--path",
        "clusters/prod",
        "--kubeconfig",
        &*kubeconfig,
        "--no-lease",
    ];
    refloat(args).with_tools(&["helm"])
}

const STATUS: &str = "/helmreleases/web/status";

#[test]
fn a_release_whose_status_is_refused_stays_suspended() {
    let (plane, repo) = (fresh(), one_release(""));
    let proxy = wait(FaultProxy::start(Path::new(&plane.kubeconfig())));
    proxy.set([Fault::on("PATCH", STATUS, Act::Status(403, "Forbidden", "not you", 0))]);
    let ran = returns(0, through(&proxy, &repo));
    assert_eq!(suspended(&plane, &release_path("web")), (true, true), "and marked");
    assert_eq!(
        suspended(&plane, &kustomization_path("apps")),
        (true, true),
        "which would write it again"
    );
    assert!(ran.stdout.contains("its status was not written"), "{}", ran.stdout);
    let _ = returns(0, run(&plane, &repo, "resume", &[]));
    assert_eq!(suspended(&plane, &release_path("web")), (false, false));
}

#[test]
fn a_status_that_is_not_taken_at_once_is_sent_again() {
    let (plane, repo) = (fresh(), one_release(""));
    let proxy = wait(FaultProxy::start(Path::new(&plane.kubeconfig())));
    proxy.set([Fault::on("PATCH", STATUS, Act::Status(503, "ServiceUnavailable", "later", 0)).times(2)]);
    let _ = returns(0, through(&proxy, &repo));
    let web = found(&plane, &release_path("web"));
    assert_eq!(suspended(&plane, &release_path("web")), (false, false));
    assert_eq!(web["status"]["history"][0]["status"], "deployed");
    assert_eq!(web["status"]["observedGeneration"], web["metadata"]["generation"]);
}

#[test]
fn a_release_that_its_controller_would_not_know_is_not_let_go() {
    let (plane, repo) = (fresh(), one_release(""));
    // Something of it is left out.
    let left_out = ["--except", "ConfigMap/shop/web"];
    let _ = returns(0, run(&plane, &repo, "restore", &left_out));
    assert!(live(&plane, &secret_path("web")).is_none(), "it is not whole");
    for path in [release_path("web"), kustomization_path("apps")] {
        assert_eq!(suspended(&plane, &path), (true, true), "{path}");
    }
    assert_eq!(suspended(&plane, &kustomization_path("infra")), (false, false));
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    let _ = returns(0, run(&plane, &repo, "resume", &[]));
    assert_eq!(listed(&plane).len(), 1);
    // What the record tells of is not what is declared by now.
    plane.kubectl(&["--namespace", "shop", "delete", "helmrelease", "web"], "");
    repo.write("apps/web.yaml", &release("web", "{replicas: 3}"));
    repo.commit("another release");
    let ran = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(suspended(&plane, &release_path("web")), (true, true));
    assert!(
        ran.stdout.contains("the cluster has a record of the release web"),
        "{}",
        ran.stdout
    );
}

/// Killed between a record and the object of its unit, and while that is written.
#[test]
fn what_a_killed_run_did_not_tell_of_a_release_the_next_one_tells() {
    let (plane, repo) = (fresh(), one_release(""));
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    let history = || found(&plane, &release_path("web"))["status"]["history"].clone();
    let (first, record) = (history(), found(&plane, &secret_path("web")));
    let forget = || plane.kubectl(&["--namespace", "shop", "delete", "helmrelease", "web"], "");
    forget();
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(suspended(&plane, &release_path("web")), (false, false));
    assert_eq!(history(), first, "as it was told of when the record was made");

    forget();
    let proxy = wait(FaultProxy::start(Path::new(&plane.kubeconfig())));
    proxy.set([Fault::on("PATCH", STATUS, Act::Swallow)]);
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let restore = restore_through(&proxy, &repo, folder.path());
    kill_once(restore.start(), || live(&plane, &release_path("web")).is_some());
    assert_eq!(suspended(&plane, &release_path("web")), (true, true));
    assert_eq!(history(), Value::Null);
    // To let it go on now would have its controller release anew.
    let warned = returns(0, run(&plane, &repo, "resume", &["--dry-run"]));
    let why = "HelmRelease/shop/web: its status tells of no release, so its controller releases anew";
    assert!(warned.stderr.contains(why), "{}", warned.stderr);
    let ran = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(history(), first);
    assert_eq!(
        suspended(&plane, &release_path("web")),
        (true, true),
        "until it is let go"
    );
    assert!(
        ran.stdout.contains("is suspended: `refloat resume` lets go on"),
        "{}",
        ran.stdout
    );
    let resumed = returns(0, run(&plane, &repo, "resume", &[]));
    assert!(!resumed.stderr.contains("tells of no release"), "{}", resumed.stderr);
    let web = found(&plane, &release_path("web"));
    assert_eq!(suspended(&plane, &release_path("web")), (false, false));
    assert_eq!(web["status"]["observedGeneration"], web["metadata"]["generation"]);
    assert_eq!(
        found(&plane, &secret_path("web")),
        record,
        "a record is never written again"
    );
}

#[test]
fn a_release_of_which_no_record_can_be_made_is_not_let_go() {
    let (plane, repo) = (fresh(), one_release(""));
    // Charts' files are part of the record, and these do not pack.
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + ((seed >> 33) % 90) as u8)
    };
    let noise: String = (0..1_500_000).map(|_| next()).collect();
    repo.write("charts/web/files/noise", &noise);
    repo.commit("noise");
    let ran = returns(0, run(&plane, &repo, "restore", &[]));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("a Secret holds 1024 at most"), "{said}");
    assert_eq!(
        found(&plane, "/api/v1/namespaces/shop/configmaps/web")["data"]["size"],
        "small"
    );
    for path in [release_path("web"), kustomization_path("apps")] {
        assert_eq!(suspended(&plane, &path), (true, true), "{path}");
    }
}

#[test]
fn a_release_that_cannot_be_finished_has_no_record() {
    let broken = "  postRenderers:\n  - kustomize:\n      patches:\n      - target: {kind: Deployment}\n        patch: '- {op: remove, path: /spec/none}'\n";
    let (plane, repo) = (fresh(), one_release(broken));
    let ran = returns(3, run(&plane, &repo, "restore", &[]));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("its postRenderers cannot be used"), "{said}");
    assert!(live(&plane, &secret_path("web")).is_none());
    assert!(live(&plane, "/api/v1/namespaces/shop/configmaps/web").is_none());
    let web = found(&plane, &release_path("web"));
    assert!(web.get("status").is_none(), "it is told of nothing");
}

/// Flux starts nothing until each unit that it depends on is ready.
/// Source: kustomize-controller (internal/controller/kustomization_controller.go: checkDependencies).
#[test]
fn what_depends_on_a_unit_that_could_not_be_rendered_is_skipped() {
    let definition = definition("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    let namespaces = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n";
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n");
    let on = |other: &str| format!("  dependsOn: [{{name: {other}}}]\n");
    let repo = Repo::with(&[
        ("clusters/prod/base.yaml", &kustomization("base", "./base", "")),
        ("clusters/prod/infra.yaml", &kustomization("infra", "./gone", "")),
        (
            "clusters/prod/apps.yaml",
            &kustomization("apps", "./apps", &on("infra")),
        ),
        ("clusters/prod/more.yaml", &kustomization("more", "./more", &on("apps"))),
        (
            "clusters/prod/other.yaml",
            &kustomization("other", "./other", &on("base")),
        ),
        ("base/definition.yaml", &definition),
        ("base/namespaces.yaml", namespaces),
        ("apps/web.yaml", &map("web")),
        ("more/more.yaml", &map("more")),
        ("other/other.yaml", &map("other")),
    ]);
    let plane = fresh();
    let ran = returns(3, run(&plane, &repo, "restore", &[]));
    for (name, is_there) in [("web", false), ("more", false), ("other", true)] {
        let map = live(&plane, &format!("/api/v1/namespaces/shop/configmaps/{name}"));
        assert_eq!(map.is_some(), is_there, "{name}");
    }
    for said in [
        "clusters/prod/apps.yaml:1: Kustomization/flux-system/apps: nothing of it is restored: it depends on \
         Kustomization/flux-system/infra, of which nothing could be rendered",
        "clusters/prod/infra.yaml:1: Kustomization/flux-system/infra: nothing of this Kustomization is restored: there is no folder gone in the repository",
    ] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let said = "nothing of this Kustomization is restored: there is no folder gone in the repository";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
    for (name, is) in [
        ("infra", (false, false)),
        ("apps", (true, true)),
        ("more", (true, true)),
    ] {
        assert_eq!(suspended(&plane, &kustomization_path(name)), is, "{name}");
    }
}
