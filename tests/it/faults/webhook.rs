//! An admission webhook that runs and says no.

use serde_json::{Value, json};

use super::Given;
use crate::support::webhook;

/// Allows all but what has `data.free`.
fn review(request: &Value) -> Value {
    let free = request["object"]["data"]["free"].is_string();
    json!({"allowed": !free, "status": {"message": "free money needs the signature of two directors"}})
}

#[test]
fn a_webhook_that_rejects() {
    let plane = webhook::plane();
    let address = webhook::serve(&plane, review);
    let configuration = format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: no-free-money}}
webhooks:
- name: money.bank.example
  clientConfig: {{url: '{address}'}}
  rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}]
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: policy}}}}
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
"
    );
    let maps = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: policy}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: policy}\ndata: {free: '1'}\n";
    let files = [
        (
            "namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: policy}\n",
        ),
        ("webhook.yaml", &configuration),
    ];
    let ran = Given::new(&plane, &files).restore(&["--timeout", "10s"]).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let given = Given::new(&plane, &[("apps/maps.yaml", maps)]);
    insta::assert_snapshot!(given.said(&given.restore(&["--timeout", "10s"]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        created     ConfigMap/policy/a
        failed      ConfigMap/policy/b (apps/maps.yaml:5): admission webhook "money.bank.example" denied the request: free money needs the signature of two directors
        --
        1 of 2 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created             1       -               1       -          -
        failed              1       -               -       -          -

        Failed: 1
          ConfigMap/policy/b (apps/maps.yaml:5): admission webhook "money.bank.example" denied the request: free money needs the signature of two directors
            hint: a webhook decides here: see that the pods behind it run and what it asks for, then run again

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}
