//! `replicas` (kustomize's ReplicaCountTransformer).

use serde_json::Value;

use crate::config::{FIELD_SPECS, FieldSpec, selects};
use crate::context::Context;
use crate::fieldspec::{Made, scalar, set_field};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};

/// An entry of `replicas`: `name`, `count`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    /// A name that the object has or had.
    pub name: String,
    pub count: i64,
}

const ENTRY: Shape = Shape::Fields(&[("name", Shape::Text), ("count", Shape::Whole)]);

impl Entry {
    /// Reads an item of `replicas`.
    #[cfg(test)]
    pub fn from_field(item: &Value) -> Outcome<Self> {
        read(item, &ENTRY, Manner::Strict)
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    pub replica: Entry,
    /// Where to; `None` for those of the configuration.
    #[serde(rename = "fieldSpecs")]
    pub fields: Option<Vec<FieldSpec>>,
}

const PLUGIN: Shape = Shape::Fields(&[("replica", ENTRY), ("fieldSpecs", FIELD_SPECS)]);

impl Spec {
    /// As an entry of the field `replicas` of a kustomization asks for it.
    pub fn new(replica: Entry) -> Self {
        Spec { replica, fields: None }
    }

    /// Reads a ReplicaCountTransformer: `replica`, `fieldSpecs`.
    pub fn from_plugin(value: &Value) -> Outcome<Self> {
        let mut spec: Spec = read(value, &PLUGIN, Manner::Lenient)?;
        spec.fields.get_or_insert_default();
        Ok(spec)
    }
}

/// Sets the count.
///
/// # Errors
///
/// Where no object of a kind that has replicas is or was of that name.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    let table = spec.fields.as_deref().unwrap_or(&cx.config.replicas);
    let count = spec.replica.count;
    let mut found = false;
    for field in table {
        let named = |resource: &Resource| {
            let (group, version) = resource.group_version();
            let is = |name: &str, kind: &str| name == spec.replica.name && selects(field.gvk(), group, version, kind);
            is(resource.name(), resource.kind()) || resource.previous.iter().any(|was| is(&was.name, &was.kind))
        };
        for resource in map.list.iter_mut().filter(|resource| named(resource)) {
            found = true;
            let differs = |value: &Value| value.as_i64() != Some(count);
            set_field(resource, field, Made::Scalar, &differs, &mut |value| set(value, count))?;
        }
    }
    if found {
        return Ok(());
    }
    let or = |text: &str, none: &str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text.to_owned()
        }
    };
    let gvk = |spec: &FieldSpec| {
        format!(
            "{}.{}.{}",
            or(&spec.kind, "[noKind]"),
            or(&spec.version, "[noVer]"),
            or(&spec.group, "[noGrp]")
        )
    };
    let kinds: Vec<String> = table.iter().map(gvk).collect();
    Err(Trouble::new(format!(
        "resource with name {} does not match a config with the following GVK [{}]",
        spec.replica.name,
        kinds.join(" ")
    )))
}

/// Sets a count. kustomize keeps the quotes that were there, and then it is a text: it had quotes if it would be no text without.
fn set(value: &mut Value, count: i64) -> Outcome<()> {
    let quoted = match &*value {
        Value::String(text) => text.parse::<f64>().is_ok() || matches!(text.as_str(), "true" | "false" | "null"),
        other => {
            scalar(other)?;
            false
        }
    };
    *value = if quoted {
        Value::String(count.to_string())
    } else {
        Value::from(count)
    };
    Ok(())
}
