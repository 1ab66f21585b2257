//! The simulated backends behind webhooks, converters and aggregated APIs.

use refloat::net::Api;
use serde_json::{Value, json};

use super::{condition, create, options, started, until};

/// `Cg==`: the placeholder that many charts carry.
const PLACEHOLDER: &str = "Cg==";

async fn backend(api: &Api) {
    let hook = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hook"},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "hook"}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "hook"}},
                "spec": {"containers": [{"name": "main", "image": "hook:1"}]},
            },
        },
    });
    create(api, "/apis/apps/v1/namespaces/default/deployments", hook).await;
    let path = "/apis/apps/v1/namespaces/default/deployments/hook";
    until(api, path, |hook| hook["status"]["availableReplicas"] == 1).await;
}

async fn service(api: &Api) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
        "spec": {"selector": {"app.kubernetes.io/name": "hook"}, "ports": [{"port": 443, "targetPort": 9443}]},
    });
    create(api, "/api/v1/namespaces/default/services", service).await;
}

fn webhook(name: &str, client: Value, resources: &str) -> Value {
    json!({
        "name": name, "clientConfig": client, "failurePolicy": "Fail", "sideEffects": "None", "timeoutSeconds": 5,
        "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resources]}],
    })
}

fn to_service(bundle: Option<&str>) -> Value {
    let mut client = json!({"service": {"namespace": "default", "name": "hook", "path": "/check", "port": 443}});
    if let Some(bundle) = bundle {
        client["caBundle"] = json!(bundle);
    }
    client
}

fn configuration(kind: &str, webhooks: &[Value]) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "hooks"},
        "webhooks": webhooks,
    })
}

const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// Creates objects until one is refused or allowed, whichever is awaited: configurations take effect a moment later.
async fn becomes(api: &Api, path: &str, object: &Value, allowed: bool) -> String {
    for _ in 0..500 {
        let answer = api.create(path, object).await.expect("because the server runs");
        if answer.is_success() == allowed {
            return answer.message();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{path}: never {}", if allowed { "allowed" } else { "refused" });
}

#[tokio::test]
async fn a_webhook_refuses_until_its_pods_are_ready() {
    let control_plane = started(&options()).await;
    let api = control_plane.api();
    service(api).await;
    let validating = [
        webhook("placeholder.bank.io", to_service(Some(PLACEHOLDER)), "configmaps"),
        webhook(
            "url.bank.io",
            json!({"url": "https://hooks.example.com/check", "caBundle": PLACEHOLDER}),
            "secrets",
        ),
    ];
    create(
        api,
        VALIDATING,
        configuration("ValidatingWebhookConfiguration", &validating),
    )
    .await;
    let mutating = [webhook("empty.bank.io", to_service(None), "services")];
    create(api, MUTATING, configuration("MutatingWebhookConfiguration", &mutating)).await;

    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "map-"}});
    let maps = "/api/v1/namespaces/default/configmaps";
    let port = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"generateName": "port-"}, "spec": {"ports": [{"port": 1}]},
    });
    let services = "/api/v1/namespaces/default/services";
    let refused = becomes(api, maps, &map, false).await;
    assert!(
        refused.contains("failed calling webhook \"placeholder.bank.io\""),
        "{refused}"
    );
    until(api, &format!("{VALIDATING}/hooks"), |hooks| {
        hooks["webhooks"][0]["clientConfig"]["caBundle"] != PLACEHOLDER
    })
    .await;
    let refused = becomes(api, services, &port, false).await;
    assert!(
        refused.contains("the Service default/hook has no Pod that is Ready"),
        "{refused}"
    );

    backend(api).await;
    becomes(api, maps, &map, true).await;
    let again = api.create(maps, &map).await.expect("because the server runs");
    assert!(again.is_success(), "{}", again.message());
    assert_eq!(again.body["metadata"]["labels"], Value::Null, "nothing is changed");
    becomes(api, services, &port, true).await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "secret-"}});
    becomes(api, "/api/v1/namespaces/default/secrets", &secret, true).await;
    control_plane.stop().await;
}

#[tokio::test]
async fn versions_are_converted_and_aggregated_groups_served() {
    let control_plane = started(&options()).await;
    let api = control_plane.api();
    service(api).await;
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
        })
    };
    let accounts = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "accounts.bank.io"},
        "spec": {
            "group": "bank.io", "scope": "Namespaced", "versions": [version("v1", false), version("v2", true)],
            "names": {"kind": "Account", "plural": "accounts", "singular": "account", "listKind": "AccountList"},
            "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"], "clientConfig": to_service(None),
            }},
        },
    });
    create(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", accounts).await;
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/accounts.bank.io";
    until(api, path, |found| condition(found, "Established") == Some("True")).await;
    let metrics = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": {"namespace": "default", "name": "hook"},
        },
    });
    create(api, "/apis/apiregistration.k8s.io/v1/apiservices", metrics).await;
    let metrics = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io";
    until(api, metrics, |found| condition(found, "Available") == Some("False")).await;

    let accounts = "/apis/bank.io/v1/namespaces/default/accounts";
    let account = json!({"apiVersion": "bank.io/v1", "kind": "Account", "metadata": {"name": "one"}, "spec": {"a": 1}});
    let refused = becomes(api, accounts, &account, false).await;
    assert!(
        refused.contains("conversion webhook for bank.io/v1, Kind=Account failed"),
        "{refused}"
    );
    backend(api).await;
    becomes(api, accounts, &account, true).await;
    let newer = until(api, "/apis/bank.io/v2/namespaces/default/accounts/one", |found| {
        found["kind"] == "Account"
    })
    .await;
    assert_eq!(
        (&newer["apiVersion"], &newer["spec"]["a"]),
        (&json!("bank.io/v2"), &json!(1))
    );
    until(api, metrics, |found| condition(found, "Available") == Some("True")).await;
    control_plane.stop().await;
}
