//! What CustomResourceDefinitions of the set tell about its other objects: pure.

use std::collections::BTreeSet;

use serde_json::Value;

/// The (apiVersion, kind) that a CustomResourceDefinition brings without a status subresource.
pub(super) fn status_is_data(value: &Value) -> Vec<(String, String)> {
    let has_status = |holder: &Value| !holder["subresources"]["status"].is_null();
    let (spec, kind) = (&value["spec"], &value["spec"]["names"]["kind"]);
    let is_crd = value["kind"] == "CustomResourceDefinition";
    let (true, false, Some(group), Some(kind)) = (is_crd, has_status(spec), spec["group"].as_str(), kind.as_str())
    else {
        return Vec::new();
    };
    let listed = spec["versions"].as_array().into_iter().flatten();
    let plain = listed
        .filter(|version| !has_status(version))
        .filter_map(|version| version["name"].as_str());
    let old = spec["version"].as_str().filter(|_| spec["versions"].is_null());
    plain
        .chain(old)
        .map(|version| (format!("{group}/{version}"), kind.to_owned()))
        .collect()
}

/// The APIs that a CustomResourceDefinition brings, as Helm's capabilities spell them.
pub(super) fn brought(value: &Value) -> Vec<String> {
    if value["kind"] != "CustomResourceDefinition" {
        return Vec::new();
    }
    let spec = &value["spec"];
    let (Some(group), Some(kind)) = (spec["group"].as_str(), spec["names"]["kind"].as_str()) else {
        return Vec::new();
    };
    let listed = spec["versions"].as_array().into_iter().flatten();
    let versions = listed
        .filter(|version| version["served"] != false)
        .filter_map(|version| version["name"].as_str());
    // `apiextensions.k8s.io/v1beta1` may name one version outside of the list.
    let versions: BTreeSet<&str> = versions.chain(spec["version"].as_str()).collect();
    versions
        .iter()
        .flat_map(|version| [format!("{group}/{version}"), format!("{group}/{version}/{kind}")])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn crd(spec: Value) -> Value {
        let mut spec = spec;
        spec["group"] = "x.example.com".into();
        spec["names"] = json!({"kind": "A"});
        json!({"kind": "CustomResourceDefinition", "spec": spec})
    }

    #[test]
    fn apis_are_named_as_helm_names_them() {
        let new = crd(json!({"versions": [{"name": "v1", "served": true}, {"name": "v0", "served": false}]}));
        assert_eq!(brought(&new), ["x.example.com/v1", "x.example.com/v1/A"]);
        assert_eq!(
            brought(&crd(json!({"version": "v1beta1"}))),
            ["x.example.com/v1beta1", "x.example.com/v1beta1/A"]
        );
        assert_eq!(brought(&json!({"kind": "ConfigMap"})), Vec::<String>::new());
    }

    #[test]
    fn versions_without_a_status_subresource_are_named() {
        let name = |version: &str| vec![(format!("x.example.com/{version}"), "A".to_owned())];
        let both = json!({"versions": [{"name": "v1"}, {"name": "v2", "subresources": {"status": {}}}]});
        assert_eq!(status_is_data(&crd(both)), name("v1"));
        assert_eq!(status_is_data(&crd(json!({"version": "v1beta1"}))), name("v1beta1"));
        let old = json!({"subresources": {"status": {}}, "versions": [{"name": "v1"}]});
        assert_eq!(status_is_data(&crd(old)), []);
    }
}
