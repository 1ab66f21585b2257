//! The selector of kustomizations, asked of objects that no kustomization made: Flux's ignore rules have it too.

use serde_json::Value;

use crate::id::Id;
use crate::selector::Selector;

/// Which objects something is meant for: group, version, kind, name and namespace as regular expressions for the whole text, and
/// requirements on labels and annotations.
///
/// ```
/// use serde_json::json;
///
/// let target = kustomize::Target::read(&json!({"kind": "Deploy.*", "labelSelector": "tier in (front, back)"}))?;
/// let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"tier": "front"}}});
/// assert!(target.selects(&web)?);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct Target(Selector);

impl Target {
    /// Reads `{group, version, kind, name, namespace, labelSelector, annotationSelector}`.
    ///
    /// # Errors
    ///
    /// Where it has other fields, or an expression is malformed.
    pub fn read(value: &Value) -> Result<Self, String> {
        let selector: Selector = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        let target = Self(selector);
        // What is malformed shows when it is asked.
        target.selects(&Value::Null)?;
        Ok(target)
    }

    /// Whether it is meant for this object.
    ///
    /// # Errors
    ///
    /// Where an expression is malformed.
    pub fn selects(&self, object: &Value) -> Result<bool, String> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let api_version = text("/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let id = Id {
            group,
            version,
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            cluster_scoped: false,
        };
        let selection = self.0.compile().map_err(|trouble| trouble.message)?;
        let labels = selection.labels(object).map_err(|trouble| trouble.message)?;
        let annotations = selection.annotations(object).map_err(|trouble| trouble.message)?;
        Ok(labels && annotations && selection.gvk(id) && selection.name(id.name) && selection.namespace(id.namespace))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_is_asked_for_must_hold() {
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop",
            "labels": {"tier": "front"}, "annotations": {"note": "x"}}});
        for (target, expected) in [
            (json!({}), true),
            (
                json!({"group": "apps", "version": "v1", "kind": "Deployment", "name": "we.", "namespace": "shop|bank"}),
                true,
            ),
            (json!({"group": ""}), true),
            (json!({"version": "v1beta1"}), false),
            (json!({"name": "we"}), false),
            (json!({"namespace": "default"}), false),
            (
                json!({"labelSelector": "tier=front", "annotationSelector": "note"}),
                true,
            ),
            (json!({"labelSelector": "tier notin (front)"}), false),
            (json!({"annotationSelector": "!note"}), false),
        ] {
            let selects = Target::read(&target).and_then(|target| target.selects(&web));
            assert_eq!(selects, Ok(expected), "{target}");
        }
    }

    #[test]
    fn what_is_malformed_is_told_at_once() {
        for target in [
            json!({"name": "("}),
            json!({"labelSelector": "a=b=c"}),
            json!({"colour": "red"}),
            json!("Deployment"),
        ] {
            assert!(Target::read(&target).is_err(), "{target}");
        }
    }
}
