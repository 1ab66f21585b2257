//! Charts that a kustomization asks for (`helmCharts`): what they make is changed by their values, wherever these stand, else patched.

use super::odd::{found, kubectl, said};
use super::secrets::{plane, run};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};
use crate::support::tools::at_hand;

const SPACE: &str = "inflated";

const KUSTOMIZATION: &str = "\
namespace: inflated
helmCharts:
  - name: web # ours
    releaseName: web
    valuesFile: values.yaml
    valuesInline:
      replicas: 2 # one a zone
      image: {repository: registry.example.com/web, tag: '1.0'}
";

const TEMPLATE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: '{{ .Values.image.repository }}:{{ .Values.image.tag }}'
          ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data: {address: 'https://{{ .Values.domain }}/', level: {{ .Values.level }}}
";

fn repo() -> Repo {
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {SPACE}}}\n");
    Repo::with(&[
        ("apps/kustomization.yaml", "resources: [namespace.yaml, web]\n"),
        ("apps/namespace.yaml", &namespace),
        ("apps/web/kustomization.yaml", KUSTOMIZATION),
        (
            "apps/web/values.yaml",
            "# Of this cluster.\ndomain: shop.example.com # for now\n",
        ),
        (
            "apps/web/charts/web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\n",
        ),
        (
            "apps/web/charts/web/values.yaml",
            "replicas: 1\nlevel: info # or debug\n",
        ),
        ("apps/web/charts/web/templates/web.yaml", TEMPLATE),
    ])
}

fn with_helm(command: &str, repo: &Repo, more: &[&str]) -> Ran {
    run(command, repo, &[&["--path", "apps"], more].concat(), |run| {
        run.with_tools(&["helm"])
    })
}

#[test]
fn what_a_kustomization_inflates_is_changed_by_its_values() {
    if !at_hand("kubectl") {
        return;
    }
    let repo = repo();
    let place = repo.path().display().to_string();
    let rendered = refloat(["render", &*place, "--path", "apps"])
        .with_tools(&["helm"])
        .run();
    assert_eq!(rendered.code, 0, "{}", said(&rendered));
    plane().kubectl(&["create", "namespace", SPACE], "");
    plane().kubectl(&["apply", "--server-side", "-f", "-"], &rendered.stdout);

    kubectl(SPACE, "scale deployment web --replicas=5");
    kubectl(SPACE, "set image deployment/web web=registry.example.com/web:1.1");
    kubectl(
        SPACE,
        "patch configmap web -p {\"data\":{\"address\":\"https://www.example.com/\",\"level\":\"debug\"}}",
    );
    kubectl(
        SPACE,
        "patch deployment web -p {\"spec\":{\"template\":{\"spec\":{\"hostNetwork\":true}}}}",
    );
    let ran = with_helm("export", &repo, &["--only", SPACE, "--write"]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached", "-U0"]);
    let is_line = |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("---");
    insta::assert_snapshot!(diff.lines().filter(is_line).collect::<Vec<_>>().join("\n"), @r"
    +++ b/apps/kustomization.yaml
    +patches:
    +- target:
    +    kind: Deployment
    +    name: web
    +  patch: |
    +    - op: add
    +      path: /spec/template/spec/hostNetwork
    +      value: true
    +++ b/apps/web/charts/web/values.yaml
    -level: info # or debug
    +level: debug # or debug
    +++ b/apps/web/kustomization.yaml
    -      replicas: 2 # one a zone
    -      image: {repository: registry.example.com/web, tag: '1.0'}
    +      replicas: 5 # one a zone
    +      image: {repository: registry.example.com/web, tag: '1.1'}
    +++ b/apps/web/values.yaml
    -domain: shop.example.com # for now
    +domain: www.example.com # for now
    ");
    repo.commit("what was done by hand");
    assert_eq!(found(SPACE, &repo), Vec::<String>::new());
}
