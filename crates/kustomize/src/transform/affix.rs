//! `namePrefix` and `nameSuffix` (kustomize's PrefixTransformer and SuffixTransformer).

use serde_json::Value;

use crate::config::{FIELD_SPECS, FieldSpec};
use crate::context::Context;
use crate::fieldspec::{ByKind, Made, scalar, set_field, set_text};
use crate::resmap::ResMap;
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};

/// Which end of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Prefix,
    Suffix,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    pub end: End,
    /// What is put there.
    pub affix: String,
    /// Where to; `None` for those of the configuration.
    pub fields: Option<Vec<FieldSpec>>,
}

impl Spec {
    /// As the fields `namePrefix` and `nameSuffix` of a kustomization ask for it.
    pub fn new(end: End, affix: &str) -> Self {
        Spec {
            end,
            affix: affix.to_owned(),
            fields: None,
        }
    }

    /// Reads a PrefixTransformer or a SuffixTransformer: `prefix` or `suffix`, and `fieldSpecs`, which must be there. A
    /// PrefixSuffixTransformer is read as both, and applied in this order.
    pub fn from_plugin(end: End, value: &Value) -> Outcome<Self> {
        let plugin: Plugin = read(value, &PLUGIN, Manner::Lenient)?;
        let affix = match end {
            End::Prefix => plugin.prefix,
            End::Suffix => plugin.suffix,
        };
        let fields = plugin
            .field_specs
            .ok_or_else(|| Trouble::new("fieldSpecs is not there"))?;
        Ok(Spec {
            end,
            affix,
            fields: Some(fields),
        })
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Plugin {
    prefix: String,
    suffix: String,
    field_specs: Option<Vec<FieldSpec>>,
}

const PLUGIN: Shape = Shape::Fields(&[
    ("prefix", Shape::Text),
    ("suffix", Shape::Text),
    ("fieldSpecs", FIELD_SPECS),
]);

/// Kinds whose names stand for something else than the object: they are left alone.
fn is_skipped(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        (_, "CustomResourceDefinition" | "Namespace") | ("apiregistration.k8s.io", "APIService")
    )
}

/// Puts the affix to the names, and remembers it and the names that were.
///
/// # Errors
///
/// Where a field has another kind of value than text.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    let table = match (&spec.fields, spec.end) {
        (Some(fields), _) => fields,
        (None, End::Prefix) => &cx.config.name_prefix,
        (None, End::Suffix) => &cx.config.name_suffix,
    };
    let mut specs = ByKind::new(table);
    for resource in &mut map.list {
        let original = resource.original_id(cx.schema);
        if is_skipped(original.group, original.kind) {
            continue;
        }
        // The kind may have changed since; what counts is the first.
        let fits: Vec<&FieldSpec> = specs
            .of(original.kind)
            .iter()
            .copied()
            .filter(|spec| spec.is_for(original))
            .collect();
        for field in fits {
            if field.path == "metadata/name" && !spec.affix.is_empty() {
                let list = match spec.end {
                    End::Prefix => &mut resource.prefixes,
                    End::Suffix => &mut resource.suffixes,
                };
                list.push(spec.affix.clone());
                resource.remember_id(cx.schema);
            }
            let differs = |value: &Value| !spec.affix.is_empty() || !value.is_string();
            set_field(resource, field, Made::Scalar, &differs, &mut |value| {
                let text = scalar(value)?;
                let text = match spec.end {
                    End::Prefix => format!("{}{text}", spec.affix),
                    End::Suffix => format!("{text}{}", spec.affix),
                };
                set_text(value, &text)
            })?;
        }
    }
    Ok(())
}
