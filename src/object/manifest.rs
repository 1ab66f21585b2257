//! One Kubernetes object as data.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{GroupKind, ObjectId, api_group};

/// One Kubernetes object: a JSON object that has `apiVersion`, `kind` and `metadata.name`; the order of keys is kept.
///
/// `Debug` prints the identity only, since the content may be a Secret. Clones share the content until one is changed: a plan
/// holds all that its declared set holds, and thousands of objects are to fit in memory once.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest(Arc<Value>);

impl Manifest {
    /// Wraps a value that has `apiVersion`, `kind` and `metadata.name` as non-empty strings.
    ///
    /// # Errors
    /// Says which of the three is missing or no string; the value is not quoted.
    pub fn new(value: Value) -> Result<Self, String> {
        if !value.is_object() {
            return Err("is not a mapping".to_owned());
        }
        let manifest = Self(Arc::new(value));
        for pointer in ["/apiVersion", "/kind", "/metadata/name"] {
            if manifest.text(pointer).is_empty() {
                return Err(format!("has no {}", pointer[1..].replace('/', ".")));
            }
        }
        Ok(manifest)
    }

    /// The whole object.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The whole object, given up.
    pub fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.0)
    }

    /// The top-level mapping, to change. `apiVersion`, `kind` and `metadata.name` must stay.
    pub fn object_mut(&mut self) -> &mut Map<String, Value> {
        match Arc::make_mut(&mut self.0) {
            Value::Object(map) => map,
            _ => unreachable!("new() accepts objects only"),
        }
    }

    /// The string at a JSON pointer, or "".
    pub fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// API group; "" for the core group.
    pub fn group(&self) -> &str {
        api_group(self.api_version())
    }

    /// API version without the group.
    pub fn version(&self) -> &str {
        self.api_version()
            .split_once('/')
            .map_or(self.api_version(), |(_, version)| version)
    }

    /// Kind.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Group and kind.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(self.group(), self.kind())
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.namespace` as written; `None` where absent or empty.
    pub fn namespace(&self) -> Option<&str> {
        Some(self.text("/metadata/namespace")).filter(|text| !text.is_empty())
    }

    /// The identity as written in the manifest.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.group(), self.kind(), self.namespace(), self.name())
    }

    /// Sets or removes `metadata.namespace`.
    pub fn set_namespace(&mut self, namespace: Option<&str>) {
        let Some(Value::Object(metadata)) = self.object_mut().get_mut("metadata") else {
            return;
        };
        match namespace {
            Some(namespace) => {
                metadata.insert("namespace".to_owned(), Value::from(namespace));
            }
            None => {
                metadata.shift_remove("namespace");
            }
        }
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.get("labels")?.get(key)?.as_str()
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manifest({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret() -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "data": {"password": "Y2FuYXJ5"}})
    }

    #[test]
    fn debug_shows_no_content() {
        let manifest = Manifest::new(secret()).expect("because it is complete");
        assert_eq!(format!("{manifest:?}"), "Manifest(Secret/shop/db)");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (pointer, message) in [
            ("/apiVersion", "has no apiVersion"),
            ("/kind", "has no kind"),
            ("/metadata/name", "has no metadata.name"),
        ] {
            let mut value = secret();
            *value.pointer_mut(pointer).expect("because secret() has it") = Value::Null;
            assert_eq!(Manifest::new(value).expect_err("because a field is missing"), message);
        }
        assert_eq!(
            Manifest::new(json!([1])).expect_err("because it is a list"),
            "is not a mapping"
        );
    }

    #[test]
    fn group_and_version_are_told_apart() {
        let mut manifest = Manifest::new(secret()).expect("because it is complete");
        assert_eq!((manifest.group(), manifest.version()), ("", "v1"));
        manifest.object_mut().insert("apiVersion".into(), "apps/v1".into());
        assert_eq!((manifest.group(), manifest.version()), ("apps", "v1"));
    }
}
