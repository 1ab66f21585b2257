//! refloat as the CA injector of a throwaway control plane: whatever authority a configuration names, its simulated
//! backend is signed by ours, so ours is written into it.
//!
//! An empty `caBundle` needs nothing: the API server then uses the system's authorities, and its system is told to know
//! ours only. One that is there (a placeholder, or the real cluster's) is replaced as soon as it is seen.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::net::Api;

/// Where `caBundle`s are: the collection's path, and the pointers to the objects that have one (`*` stands for each
/// item of a list).
const PLACES: [(&str, &str); 4] = [
    (
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "/webhooks/*/clientConfig",
    ),
    (
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        "/webhooks/*/clientConfig",
    ),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/spec/conversion/webhook/clientConfig",
    ),
    ("/apis/apiregistration.k8s.io/v1/apiservices", "/spec"),
];

/// How long to wait before a watch that ended is begun again; the API server may be starting.
const AGAIN: Duration = Duration::from_millis(200);

/// Watches all places for as long as it is not dropped; `authority` is PEM.
pub async fn inject(api: Api, authority: String) {
    let bundle: Arc<str> = STANDARD.encode(authority).into();
    let follow = PLACES.map(|(path, place)| follow(api.clone(), path, place, Arc::clone(&bundle)));
    futures::future::join_all(follow).await;
}

async fn follow(api: Api, path: &'static str, place: &'static str, bundle: Arc<str>) {
    let (changes, mut waiting) = mpsc::unbounded_channel::<(String, Vec<Value>)>();
    let write = async {
        while let Some((name, patch)) = waiting.recv().await {
            let target = format!("{path}/{name}?fieldManager=refloat-simulator");
            // When it fails the object has changed or is gone: the watch tells of it.
            let _ = api
                .request(
                    "PATCH",
                    &target,
                    "application/json-patch+json",
                    Some(&Value::Array(patch)),
                )
                .await;
        }
    };
    let read = async {
        loop {
            // Without a resource version a watch begins with all that is there.
            let _ = api
                .watch(&format!("{path}?watch=1"), &mut |event| {
                    let object = &event["object"];
                    let patch = patch(object, place, &bundle);
                    if let (false, Some(name)) = (patch.is_empty(), object["metadata"]["name"].as_str()) {
                        // The receiver is in the same future.
                        let _ = changes.send((name.to_owned(), patch));
                    }
                })
                .await;
            tokio::time::sleep(AGAIN).await;
        }
    };
    futures::future::join(write, read).await;
}

/// The JSON patch that puts the bundle wherever another one is; each change is tested to meet what was seen.
fn patch(object: &Value, place: &str, bundle: &str) -> Vec<Value> {
    let mut patch = Vec::new();
    for at in places(object, place) {
        let field = format!("{at}/caBundle");
        let Some(present) = object
            .pointer(&field)
            .and_then(Value::as_str)
            .filter(|present| !present.is_empty())
        else {
            continue;
        };
        if present != bundle {
            patch.push(json!({"op": "test", "path": field, "value": present}));
            patch.push(json!({"op": "replace", "path": field, "value": bundle}));
        }
    }
    patch
}

/// The pointers that a place with `*` stands for in this object.
fn places(object: &Value, place: &str) -> Vec<String> {
    match place.split_once("/*") {
        None => vec![place.to_owned()],
        Some((list, rest)) => {
            let length = object.pointer(list).and_then(Value::as_array).map_or(0, Vec::len);
            (0..length).map(|index| format!("{list}/{index}{rest}")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_foreign_bundle_is_replaced() {
        let object = json!({"webhooks": [
            {"clientConfig": {"caBundle": "Cg=="}},
            {"clientConfig": {}},
            {"clientConfig": {"caBundle": "ours"}},
        ]});
        let expected = json!([
            {"op": "test", "path": "/webhooks/0/clientConfig/caBundle", "value": "Cg=="},
            {"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "ours"},
        ]);
        assert_eq!(Value::Array(patch(&object, PLACES[0].1, "ours")), expected);
    }

    #[test]
    fn every_place_is_found() {
        let objects = [
            json!({"webhooks": [{"clientConfig": {"caBundle": "x"}}]}),
            json!({"webhooks": [{"clientConfig": {"caBundle": "x"}}]}),
            json!({"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": "x"}}}}}),
            json!({"spec": {"caBundle": "x"}}),
        ];
        for ((path, place), object) in PLACES.iter().zip(objects) {
            assert_eq!(patch(&object, place, "ours").len(), 2, "{path}");
        }
    }
}
