//! Reading Kubernetes objects that are JSON values.

use serde_json::Value;

/// A text below a path of keys; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    let mut at = value;
    for key in path {
        match at.get(key) {
            Some(next) => at = next,
            None => return "",
        }
    }
    at.as_str().unwrap_or_default()
}

/// The API group of an object: nothing for `v1`.
pub(crate) fn group(object: &Value) -> &str {
    let version = text(object, &["apiVersion"]);
    version.split_once('/').map_or("", |(group, _)| group)
}

pub(crate) fn kind(object: &Value) -> &str {
    text(object, &["kind"])
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Whether an object defines custom resources.
pub(crate) fn is_crd(object: &Value) -> bool {
    group(object) == "apiextensions.k8s.io" && kind(object) == "CustomResourceDefinition"
}

/// The items of an annotation that lists with commas, each once (`gitops-engine/pkg/sync/resource/annotations.go`).
pub(crate) fn listed<'a>(object: &'a Value, key: &str) -> Vec<&'a str> {
    let mut items = Vec::new();
    for item in annotation(object, key).unwrap_or_default().split(',').map(str::trim) {
        if !item.is_empty() && !items.contains(&item) {
            items.push(item);
        }
    }
    items
}
