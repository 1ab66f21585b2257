//! Secrets that an operator brings from a store: what waits for the store does so until it answers.

use refloat::control_plane::Options;
use serde_json::Value;

use super::hand_over::definition;
use crate::rollback::{live, returns};
use crate::support::plane::fresh_with;
use crate::support::repo::Repo;
use crate::support::run::refloat;

const GROUP: &str = "external-secrets.io";

/// Plays the operator: makes objects of a kind ready, so many milliseconds after they came.
fn stage(kind: &str, after: u32) -> String {
    format!(
        "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\nmetadata: {{name: ready-{}}}\nspec:\n  resourceRef: {{apiGroup: {GROUP}/v1, kind: {kind}}}\n\
         \x20 selector:\n    matchExpressions:\n    - {{key: '.metadata.deletionTimestamp', operator: DoesNotExist}}\n\
         \x20   - {{key: '.status.conditions.[] | select( .type == \"Ready\" ) | .status', operator: NotIn, values: ['True']}}\n\
         \x20 delay: {{durationMilliseconds: {after}}}\n\
         \x20 next:\n    patches:\n    - subresource: status\n      type: merge\n      root: status\n      template: |\n\
         \x20       observedGeneration: {{{{ .metadata.generation }}}}\n        conditions:\n        - type: Ready\n          status: \"True\"\n          reason: Valid\n\
         \x20         message: it answers\n          lastTransitionTime: {{{{ Now | Quote }}}}\n",
        kind.to_lowercase()
    )
}

#[test]
fn an_external_secret_waits_until_its_store_is_ready() {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let stages = folder.path().join("operator.yaml");
    let both = [stage("SecretStore", 3000), stage("ExternalSecret", 0)].join("---\n");
    std::fs::write(&stages, both).expect("because the folder is ours");
    let all = [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n",
        &definition(GROUP, "v1", "SecretStore", "secretstores"),
        &definition(GROUP, "v1", "ExternalSecret", "externalsecrets"),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: vault-token, namespace: shop}\nstringData: {token: a}\n---\n\
         apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: vault, namespace: shop}\n\
         spec: {provider: {vault: {auth: {tokenSecretRef: {name: vault-token}}}}}\n---\n\
         apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db, namespace: shop}\n\
         spec: {secretStoreRef: {name: vault}, target: {name: db}}\n",
    ]
    .concat();
    let repo = Repo::with(&[("all.yaml", &*all)]);
    let plane = fresh_with(Options {
        request_log: true,
        simulate: vec![stages],
        ..Options::default()
    });
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let ran = refloat([
        "restore",
        &*place,
        "--kubeconfig",
        &*kubeconfig,
        "--old-cluster-is-gone",
    ])
    .run();
    let ran = returns(0, ran);
    assert!(ran.stderr.contains("ExternalSecret/shop/db  ready"), "{ran:?}");
    let path = "/apis/external-secrets.io/v1/namespaces/shop/externalsecrets/db";
    let status = live(&plane, path).expect("because it was restored")["status"].clone();
    assert_eq!(status["conditions"][0]["message"], "it answers");

    let log = plane.requests();
    let first = |resource: &str, subresource: &str| {
        let text = |request: &Value, pointer: &str| {
            let text = request.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let at = log.iter().position(|request| {
            text(request, "/objectRef/resource") == resource
                && text(request, "/objectRef/subresource") == subresource
                && matches!(&*text(request, "/verb"), "create" | "patch" | "update")
                && text(request, "/stage") == "ResponseComplete"
                && !text(request, "/requestURI").contains("dryRun=")
        });
        at.unwrap_or_else(|| panic!("nobody wrote {resource} {subresource}"))
    };
    let order = [
        first("secrets", ""),
        first("secretstores", ""),
        first("secretstores", "status"),
        first("externalsecrets", ""),
    ];
    assert!(order.is_sorted(), "{order:?}");
}
