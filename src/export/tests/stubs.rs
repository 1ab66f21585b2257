//! The ExternalSecret that stands for a new Secret.

use serde_json::json;

use super::super::external::stub;
use super::*;

fn external(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{spec}---\n"
    )
}

fn stub_beside(others: &[String], secret: Value) -> Option<(Value, String)> {
    let case = Case::files(&[("all.yaml", &others.concat())], "");
    assert_eq!(case.set.objects.len(), others.len());
    let (made, todo) = stub(&manifest(secret), &case.set)?;
    Some((made.value().clone(), todo))
}

const BY_PROPERTY: &str = "  refreshInterval: 1h\n  secretStoreRef: {kind: ClusterSecretStore, name: vault}\n  data:\n  - secretKey: user\n    remoteRef: {key: shop/db, property: user}\n";

#[test]
fn it_asks_as_those_beside_it_and_has_no_value() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": "till", "namespace": "shop", "labels": {"team": "pay"}},
        "data": {"password": "Y2FuYXJ5LTQ3MTE=", "username": "Y2FuYXJ5LTQ3MTE="}});
    let elsewhere = external("db", "bank", "  secretStoreRef: {name: other}\n");
    let (made, todo) =
        stub_beside(&[external("db", "shop", BY_PROPERTY), elsewhere], secret).expect("because all ask in one way");
    assert_eq!(
        made,
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "till", "namespace": "shop"},
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
            "target": {"name": "till",
                "template": {"type": "kubernetes.io/basic-auth", "metadata": {"labels": {"team": "pay"}}}},
            "data": [
                {"secretKey": "password", "remoteRef": {"key": "shop/till", "property": "password"}},
                {"secretKey": "username", "remoteRef": {"key": "shop/till", "property": "username"}},
            ],
        }})
    );
    assert_eq!(
        todo,
        "put its values into ClusterSecretStore vault before this is merged: shop/till property password, shop/till property username"
    );
}

#[test]
fn what_those_beside_it_do_not_agree_on_is_left_out_or_makes_none() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "till", "namespace": "shop"}, "data": {"pin": "Y2FuYXJ5LTQ3MTE="}});
    let by_key = |name: &str, rest: &str| {
        let data = format!("  data:\n  - secretKey: user\n    remoteRef: {{key: shop-{name}-user}}\n{rest}");
        external(name, "shop", &format!("  secretStoreRef: {{name: vault}}\n{data}"))
    };
    let others = [
        by_key("db", "  refreshInterval: 1h\n"),
        by_key("mq", "  refreshInterval: 2h\n"),
    ];
    let (made, todo) = stub_beside(&others, secret.clone()).expect("because all ask in one way");
    assert_eq!(
        made["spec"],
        json!({
            "secretStoreRef": {"name": "vault"},
            "target": {"name": "till"},
            "data": [{"secretKey": "pin", "remoteRef": {"key": "shop-till-pin"}}],
        })
    );
    assert_eq!(
        todo,
        "put its values into SecretStore vault before this is merged: shop-till-pin"
    );
    let from = "  secretStoreRef: {name: vault}\n  dataFrom:\n  - extract: {key: shop/db}\n";
    let other_store = external(
        "mq",
        "shop",
        &BY_PROPERTY.replace("vault", "other").replace("shop/db", "shop/mq"),
    );
    for unclear in [
        vec![external("db", "shop", from)],
        vec![by_key("mq", ""), external("db", "shop", from)],
        vec![external("db", "shop", BY_PROPERTY), other_store],
        vec![external("db", "bank", BY_PROPERTY)],
    ] {
        assert_eq!(stub_beside(&unclear, secret.clone()), None, "{unclear:?}");
    }
}
