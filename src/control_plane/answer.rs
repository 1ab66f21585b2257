//! What a simulated backend answers: allow and change nothing, convert by changing the version only, and for an aggregated
//! API: serve the group, with no kinds in it. Pure.

use serde_json::{Value, json};

/// The answer to one request: HTTP status and body.
#[must_use]
pub fn answer(method: &str, path: &str, body: &Value) -> (u16, Value) {
    match (method, body["kind"].as_str()) {
        ("POST", Some("AdmissionReview")) => (200, admission(body)),
        ("POST", Some("ConversionReview")) => (200, conversion(body)),
        ("GET", _) => discovery(path),
        _ => not_found(path),
    }
}

fn admission(review: &Value) -> Value {
    json!({
        "apiVersion": review["apiVersion"],
        "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": true},
    })
}

fn conversion(review: &Value) -> Value {
    let request = &review["request"];
    let wanted = &request["desiredAPIVersion"];
    let mut objects = request["objects"].as_array().cloned().unwrap_or_default();
    for object in &mut objects {
        object["apiVersion"] = wanted.clone();
        // A list is converted with what is in it.
        for item in object
            .get_mut("items")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            item["apiVersion"] = wanted.clone();
        }
    }
    json!({
        "apiVersion": review["apiVersion"],
        "kind": "ConversionReview",
        "response": {"uid": request["uid"], "convertedObjects": objects, "result": {"status": "Success"}},
    })
}

fn discovery(path: &str) -> (u16, Value) {
    let pieces: Vec<&str> = path.trim_matches('/').split('/').collect();
    match pieces.as_slice() {
        ["apis", group, version] => {
            let list = json!({
                "apiVersion": "v1",
                "kind": "APIResourceList",
                "groupVersion": format!("{group}/{version}"),
                "resources": [],
            });
            (200, list)
        }
        _ => not_found(path),
    }
}

fn not_found(path: &str) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "reason": "NotFound",
        "message": format!("this backend is simulated and has no {path}"),
        "code": 404,
    });
    (404, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admission_is_allowed_in_the_version_asked() {
        for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
            let review =
                json!({"apiVersion": version, "kind": "AdmissionReview", "request": {"uid": "7", "object": {}}});
            let (status, body) = answer("POST", "/mutate", &review);
            assert_eq!(status, 200);
            let expected = json!({
                "apiVersion": version, "kind": "AdmissionReview", "response": {"uid": "7", "allowed": true},
            });
            assert_eq!(body, expected);
        }
    }

    #[test]
    fn conversion_changes_the_version_alone() {
        let review = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "request": {"uid": "7", "desiredAPIVersion": "bank.io/v2", "objects": [
                {"apiVersion": "bank.io/v1", "kind": "Account", "spec": {"a": 1}},
                {"apiVersion": "bank.io/v1", "kind": "AccountList", "items": [{"apiVersion": "bank.io/v1", "kind": "Account"}]},
            ]},
        });
        let (status, body) = answer("POST", "/convert", &review);
        assert_eq!(status, 200);
        let expected = json!({"uid": "7", "result": {"status": "Success"}, "convertedObjects": [
            {"apiVersion": "bank.io/v2", "kind": "Account", "spec": {"a": 1}},
            {"apiVersion": "bank.io/v2", "kind": "AccountList", "items": [{"apiVersion": "bank.io/v2", "kind": "Account"}]},
        ]});
        assert_eq!(body["response"], expected);
    }

    #[test]
    fn an_aggregated_group_is_served_empty() {
        let (status, body) = answer("GET", "/apis/metrics.k8s.io/v1beta1", &Value::Null);
        assert_eq!((status, &body["groupVersion"]), (200, &json!("metrics.k8s.io/v1beta1")));
        assert_eq!(answer("GET", "/containerLogs/shop/web/web", &Value::Null).0, 404);
        assert_eq!(answer("POST", "/mutate", &json!({"kind": "Pod"})).0, 404);
    }
}
