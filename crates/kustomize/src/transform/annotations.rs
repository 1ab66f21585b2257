//! `commonAnnotations` (kustomize's AnnotationsTransformer and `filters/annotations`).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{FIELD_SPECS, FieldSpec};
use crate::context::Context;
use crate::resmap::ResMap;
use crate::shape::{Manner, Shape, read};
use crate::trouble::Outcome;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    pub annotations: BTreeMap<String, String>,
    /// Where to; `None` for those of the configuration.
    #[serde(rename = "fieldSpecs")]
    pub fields: Option<Vec<FieldSpec>>,
}

const PLUGIN: Shape = Shape::Fields(&[("annotations", Shape::Texts), ("fieldSpecs", FIELD_SPECS)]);

impl Spec {
    /// As the field `commonAnnotations` of a kustomization asks for it.
    pub fn new(annotations: BTreeMap<String, String>) -> Self {
        Spec {
            annotations,
            fields: None,
        }
    }

    /// Reads an AnnotationsTransformer: `annotations`, `fieldSpecs`.
    pub fn from_plugin(value: &Value) -> Outcome<Self> {
        let mut spec: Spec = read(value, &PLUGIN, Manner::Lenient)?;
        spec.fields.get_or_insert_default();
        Ok(spec)
    }
}

/// Sets the annotations.
///
/// # Errors
///
/// Where something else than a mapping is where annotations go.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    let table = spec.fields.as_deref().unwrap_or(&cx.config.common_annotations);
    super::labels::set_pairs(map, &spec.annotations, table)
}
