//! What units made, by the tools themselves, and what units leave alone.

use std::process::Command;

use serde_json::{Value, json};

use super::send;
use super::whole::json as report;
use crate::support::fault_proxy::FaultProxy;
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat, tool_folder};

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: \"1\"}}\n")
}

fn audit(plane: &Plane, repo: &Repo, more: &[&str]) -> Ran {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.path().display().to_string());
    let args = ["audit", &repo, "--kubeconfig", &kubeconfig, "--output", "json"];
    refloat(args.iter().chain(more).copied()).run()
}

fn helm(plane: &Plane, args: &[&str]) {
    helm_of("helm", plane, args);
}

/// By this version of it: `helm` applies on the server's side, `helm3` does not.
fn helm_of(version: &str, plane: &Plane, args: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "tests run helm itself")]
    let output = Command::new(tool_folder(version).join(version))
        .args(args)
        .args(["--kubeconfig", &plane.kubeconfig()])
        .output()
        .expect("because it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A release that helm installs is one finding, with all that is of it; where Git had it, with the commit that removed it.
#[test]
fn a_release_of_helm_is_one_finding() {
    let plane = fresh();
    let repo = Repo::with(&[("shop.yaml", NAMESPACE)]);
    super::restore(&plane, repo.path(), &[]);
    let chart = tempfile::tempdir().expect("because a temporary folder can be made");
    let write = |name: &str, text: &str| std::fs::write(chart.path().join(name), text);
    let made = std::fs::create_dir(chart.path().join("templates"))
        .and_then(|()| write("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"))
        .and_then(|()| write("templates/a.yaml", &map("a")))
        .and_then(|()| write("templates/b.yaml", &map("b")));
    made.expect("because the folder is ours");
    let path = chart.path().display().to_string();
    helm(&plane, &["install", "web", &path, "--namespace", "shop"]);

    let one = || {
        let ran = audit(&plane, &repo, &[]);
        let told = report(&ran);
        let findings = told["findings"].as_array().expect("because a report lists them");
        let [finding] = &findings[..] else { panic!("{told}") };
        assert_eq!(finding["object"]["name"], "sh.helm.release.v1.web.v1");
        assert_eq!(finding["unit"], json!({"tool": "Helm", "name": "shop/web"}));
        let evidence = finding["evidence"].as_array().expect("because it has evidence");
        assert!(evidence.contains(&json!("it manages 3 objects")), "{finding}");
        let remedy = finding["remedy"].as_str().unwrap_or_default();
        assert!(remedy.starts_with("helm uninstall web -n shop "), "{remedy}");
        finding.clone()
    };
    let finding = one();
    assert_eq!(
        (&finding["verdict"], &finding["matched"]),
        (&json!("managed-undeclared"), &json!("none"))
    );

    let release =
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec: {}\n";
    repo.write("web.yaml", release);
    repo.commit("release the web");
    repo.git(&["rm", "-q", "web.yaml"]);
    let id = repo.commit("take the web back");
    let finding = one();
    assert_eq!(
        (&finding["verdict"], &finding["matched"], &finding["path"]),
        (&json!("removed-from-git"), &json!("made-by-unit"), &json!("web.yaml"))
    );
    assert_eq!(
        (&finding["commit"]["id"], &finding["commit"]["subject"]),
        (&json!(id), &json!("take the web back"))
    );
}

/// What somebody adds with the tool that the declarer uses, too, is drift; what the server filled in when that tool wrote is none, and of
/// what is in sync the server is asked nothing more than ever.
#[test]
fn what_helm_added_beside_git_is_drift() {
    let plane = fresh();
    let workload = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  selector: {matchLabels: {app: web}}\n\
        \x20 template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: web\n        image: registry.example.com/web:1\n\
        \x20       ports: [{containerPort: 80}]\n        {{- with .Values.debug }}\n        env: [{name: DEBUG, value: {{ . | quote }}}]\n        {{- end }}\n\
        {{- with .Values.pull }}\n      imagePullSecrets: [{name: {{ . }}}]\n{{- end }}\n";
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n";
    let repo = Repo::with(&[
        ("base/shop.yaml", NAMESPACE),
        ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("web/templates/workload.yaml", workload),
        ("web/templates/service.yaml", service),
        ("web/templates/map.yaml", &map("a")),
    ]);
    super::restore(&plane, repo.path(), &["base"]);
    let chart = repo.path().join("web").display().to_string();
    helm_of("helm3", &plane, &["install", "web", &chart, "--namespace", "shop"]);
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let through = folder.path().join("kubeconfig");
    std::fs::write(&through, proxy.kubeconfig()).expect("because the folder is ours");
    let (through, place) = (through.display().to_string(), repo.path().display().to_string());
    let args = [
        "audit",
        &place,
        "--kubeconfig",
        &through,
        "--output",
        "json",
        "--path",
        "base",
        "--path",
        "web",
        "--namespace",
        "shop",
    ];
    let drift = || {
        proxy.clear_log();
        let told = report(&refloat(args).with_tools(&["helm"]).run());
        let written = |method: &str| proxy.log().iter().filter(|one| one.method == method).count();
        let fields = told["findings"].as_array().into_iter().flatten().flat_map(|finding| {
            let fields = finding["fields"].as_array().cloned().unwrap_or_default();
            fields
                .into_iter()
                .map(|field| format!("{} {}", field["change"], field["path"]).replace('"', ""))
        });
        (fields.collect::<Vec<_>>(), written("PATCH"), written("PUT"))
    };
    let (found, applied, replaced) = drift();
    assert_eq!((found, replaced), (Vec::new(), 0));
    assert!(applied > 3, "each declared object is asked about: {applied}");

    helm_of(
        "helm3",
        &plane,
        &[
            "upgrade",
            "web",
            &chart,
            "--namespace",
            "shop",
            "--set",
            "debug=on",
            "--set",
            "pull=partner",
        ],
    );
    let (found, _, replaced) = drift();
    let expected = [
        "added .spec.template.spec.containers[name=web].env",
        "added .spec.template.spec.imagePullSecrets",
    ];
    assert_eq!((found, replaced), (expected.map(str::to_owned).to_vec(), 1));
}

/// What an engine was told not to compare is no drift; the units themselves, which the entry does not reach, are told of.
#[test]
fn what_units_leave_alone_is_no_drift() {
    let plane = fresh();
    let ignored = json!([{"kind": "ConfigMap", "jsonPointers": ["/data/a"]}]);
    let application = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"ignoreDifferences": ignored}});
    let kustomization = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "shop"}, "spec": {"ignore": [{"paths": ["/data/a"]}]}});
    let maps = ["of-argo", "of-flux", "plain"];
    let declared: String = maps.iter().map(|name| format!("---\n{}", map(name))).collect();
    let repo = Repo::with(&[
        ("apps/shop.yaml", &format!("{NAMESPACE}{declared}")),
        ("engines/argo.yaml", &application.to_string()),
        ("engines/flux.yaml", &kustomization.to_string()),
    ]);
    super::restore(&plane, repo.path(), &["apps"]);
    plane.serve("argoproj.io", "v1alpha1", "Application", "applications");
    plane.serve("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    for (path, object) in [
        ("/apis/argoproj.io/v1alpha1/namespaces/shop/applications", &application),
        (
            "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/shop/kustomizations",
            &kustomization,
        ),
    ] {
        send(&plane, "POST", path, "application/json", object);
    }
    let path = "/api/v1/namespaces/shop/configmaps";
    let merge = "application/merge-patch+json";
    for (name, manager, labels) in [
        (
            "of-argo",
            "argocd-controller",
            json!({"argocd.argoproj.io/instance": "web"}),
        ),
        (
            "of-flux",
            "kustomize-controller",
            json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "shop"}),
        ),
        ("plain", "somebody", json!({})),
    ] {
        let labelled = json!({"metadata": {"labels": labels}});
        send(
            &plane,
            "PATCH",
            &format!("{path}/{name}?fieldManager={manager}"),
            merge,
            &labelled,
        );
        let edited = json!({"data": {"a": "2"}});
        send(
            &plane,
            "PATCH",
            &format!("{path}/{name}?fieldManager=kubectl-edit"),
            merge,
            &edited,
        );
    }
    for way in [&["--path", "apps"][..], &["--path", "apps", "--no-dry-run"]] {
        let told = report(&audit(&plane, &repo, way));
        let found: Vec<String> = told["findings"]
            .as_array()
            .expect("because a report lists them")
            .iter()
            .map(|one| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                format!("{} {}", text(&one["verdict"]), text(&one["object"]["name"]))
            })
            .filter(|one| !one.starts_with("never-in-git "))
            .collect();
        assert_eq!(
            found,
            ["drifted plain", "not-reached web", "not-reached apps"],
            "{told}"
        );
        assert_eq!(
            told["waived"],
            json!({"Application/shop/web": 1, "Kustomization/shop/apps": 1}),
            "{told}"
        );
        let findings = told["findings"].as_array().expect("because a report lists them");
        let drifted = findings.iter().find(|one| one["verdict"] == "drifted");
        let fields = &drifted.expect("because one did")["fields"];
        assert_eq!(
            (
                &fields[0]["path"],
                &fields[0]["owner"]["manager"],
                &fields[0]["owner"]["operation"]
            ),
            (&json!(".data.a"), &json!("kubectl-edit"), &json!("Update"))
        );
        assert!(
            fields[0]["owner"]["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z')),
            "{fields}"
        );
    }
}

/// What Flux lists as its own is its own, in the words of the real API server: labels that came along with a copy are not.
#[test]
fn what_a_kustomization_lists_is_its_own() {
    let plane = fresh();
    let kustomization = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "shop"}, "spec": {"path": "./apps"}});
    let repo = Repo::with(&[("apps/shop.yaml", NAMESPACE)]);
    super::restore(&plane, repo.path(), &["apps"]);
    plane.serve_with_status("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations");
    repo.write("apps/flux.yaml", &kustomization.to_string());
    repo.commit("declare the unit");
    let path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/shop/kustomizations";
    send(&plane, "POST", path, "application/json", &kustomization);
    let labels = json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "shop"});
    for (name, manager, labels) in [
        ("kept", "kustomize-controller", json!({})),
        ("copied", "pipeline", labels.clone()),
    ] {
        let path = format!("/api/v1/namespaces/shop/configmaps?fieldManager={manager}");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}});
        send(&plane, "POST", &path, "application/json", &map);
    }
    let told = || {
        let told = report(&audit(&plane, &repo, &["--path", "apps"]));
        let findings = told["findings"].as_array().expect("because a report lists them");
        let one = |one: &Value| format!("{}: {}", one["object"]["name"], one["evidence"][0]);
        let maps = findings.iter().filter(|one| one["object"]["kind"] == "ConfigMap");
        (maps.map(one).collect::<Vec<_>>(), told["by_unit"].clone())
    };
    let labelled = || json!([{"tool": "Flux", "name": "Kustomization/shop/apps", "objects": 1}]);
    let (found, units) = told();
    assert_eq!((found.len(), &units), (1, &labelled()), "{found:?}");
    assert!(found[0].starts_with("\"kept\": "), "by labels: {found:?}");

    let status = json!({"status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}],
        "inventory": {"entries": [{"id": "shop_kept__ConfigMap", "v": "v1"}]}}});
    send(
        &plane,
        "PATCH",
        &format!("{path}/apps/status?fieldManager=gotk"),
        "application/merge-patch+json",
        &status,
    );
    let (found, units) = told();
    let copied =
        "\"copied\": \"it has the marks of Flux Kustomization/shop/apps, which does not list it in its inventory\"";
    assert_eq!((found, units), (vec![copied.to_owned()], labelled()));
}
