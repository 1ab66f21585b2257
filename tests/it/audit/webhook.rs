//! What mutating webhooks do to every object is no drift; what a person does behind them is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bad_input::{audit, found, report};
use super::{restore, send};
use crate::support::repo::Repo;
use crate::support::webhook;

/// As injectors do: marks ConfigMaps and fills in a key, and puts a container beside those of pods.
fn inject(request: &Value) -> Value {
    let object = &request["object"];
    let mut patch = vec![json!({"op": "add", "path": "/metadata/labels", "value": {"injected": "yes"}})];
    if request["kind"]["kind"] == "ConfigMap" {
        patch.push(json!({"op": "add", "path": "/data/filled-in", "value": "by the webhook"}));
    }
    let containers = object
        .pointer("/spec/template/spec/containers")
        .and_then(Value::as_array);
    if containers.is_some_and(|all| all.iter().all(|one| one["name"] != "proxy")) {
        let proxy = json!({"name": "proxy", "image": "registry.example.com/proxy:1"});
        patch.push(json!({"op": "add", "path": "/spec/template/spec/containers/-", "value": proxy}));
    }
    let patch = STANDARD.encode(Value::from(patch).to_string());
    json!({"allowed": true, "patchType": "JSONPatch", "patch": patch})
}

const SHOP: &str = "apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: '1'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example.com/web:1}]}
";

#[test]
fn what_a_mutating_webhook_adds_is_no_drift() {
    let plane = webhook::plane();
    let address = webhook::serve(&plane, inject);
    let injector = format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {{name: injector}}
webhooks:
- name: injector.bank.example
  clientConfig: {{url: '{address}'}}
  rules:
  - {{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}
  - {{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}}
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: shop}}}}
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
"
    );
    let repo = Repo::with(&[("injector.yaml", &injector)]);
    restore(&plane, repo.path(), &[]);
    repo.write("shop.yaml", SHOP);
    repo.commit("a shop behind the webhook");
    restore(&plane, repo.path(), &[]);
    let containers = "jsonpath={.spec.template.spec.containers[*].name}";
    let injected = plane.kubectl(&["get", "deployment/web", "-n", "shop", "-o", containers], "");
    assert_eq!(injected, "web proxy");

    let told = |more: &[&str]| {
        let ran = audit(
            &plane.kubeconfig(),
            repo.path(),
            &[&["--output", "json"], more].concat(),
        );
        let report = report(&ran);
        assert_eq!(report["gaps"], json!([]));
        let fields = report["findings"].as_array().into_iter().flatten();
        let fields = fields.flat_map(|one| one["fields"].as_array().cloned().unwrap_or_default());
        let fields: Vec<String> = fields
            .map(|field| {
                format!(
                    "{} {}",
                    field["change"].as_str().unwrap_or_default(),
                    field["path"].as_str().unwrap_or_default()
                )
            })
            .collect();
        (found(&report), fields)
    };
    for more in [&[][..], &["--no-dry-run"]] {
        assert_eq!(told(more), (Vec::new(), Vec::new()), "{more:?}");
    }
    let settings = "/api/v1/namespaces/shop/configmaps/settings?fieldManager=kubectl-edit";
    let merge = "application/merge-patch+json";
    send(
        &plane,
        "PATCH",
        settings,
        merge,
        &json!({"data": {"a": "2", "by-hand": "1"}}),
    );
    let by_hand = ["added .data.by-hand", "changed .data.a"].map(str::to_owned);
    for more in [&[][..], &["--no-dry-run"]] {
        let (objects, mut fields) = told(more);
        fields.sort();
        assert_eq!(objects, ["drifted ConfigMap/settings"], "{more:?}");
        assert_eq!(fields, by_hand, "{more:?}");
    }
}
