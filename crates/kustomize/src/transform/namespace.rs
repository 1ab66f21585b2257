//! `namespace`: puts every namespaced object into one namespace (kustomize's NamespaceTransformer and `filters/namespace`).

use std::collections::HashSet;

use serde_json::Value;

use crate::config::{FIELD_SPECS, FieldSpec};
use crate::context::Context;
use crate::fieldspec::{ByKind, Made, scalar, set_field, set_text, wrong_kind};
use crate::id::{Id, text};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schema;
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};

/// Which subjects of RoleBindings and ClusterRoleBindings get the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Subjects {
    /// Those named `default`.
    #[default]
    DefaultOnly,
    AllServiceAccounts,
    None,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Spec {
    /// Empty: nothing is done.
    pub namespace: String,
    /// Fields beside `metadata/namespace`; `None` for those of the configuration.
    pub fields: Option<Vec<FieldSpec>>,
    /// Only fields that are empty are set.
    pub unset_only: bool,
    pub subjects: Subjects,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Plugin {
    metadata: Metadata,
    field_specs: Vec<FieldSpec>,
    unset_only: bool,
    set_role_binding_subjects: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Metadata {
    namespace: String,
}

const PLUGIN: Shape = Shape::Fields(&[
    ("metadata", Shape::Fields(&[("namespace", Shape::Text)])),
    ("fieldSpecs", FIELD_SPECS),
    ("unsetOnly", Shape::Flag),
    ("setRoleBindingSubjects", Shape::Text),
]);

/// Marks what a chart rendered; such objects keep their namespaces. The walk takes it away in the end.
pub(crate) const HELM_GENERATED: &str = "internal.config.kubernetes.io/helm-generated";

impl Spec {
    /// As the field `namespace` of a kustomization asks for it.
    pub fn new(namespace: &str) -> Self {
        Spec {
            namespace: namespace.to_owned(),
            ..Spec::default()
        }
    }

    /// Reads a NamespaceTransformer: `metadata.namespace`, `fieldSpecs`, `unsetOnly`, `setRoleBindingSubjects`.
    pub fn from_plugin(value: &Value) -> Outcome<Self> {
        let plugin: Plugin = read(value, &PLUGIN, Manner::Lenient)?;
        let subjects = match plugin.set_role_binding_subjects.as_str() {
            "" | "defaultOnly" => Subjects::DefaultOnly,
            "allServiceAccounts" => Subjects::AllServiceAccounts,
            "none" => Subjects::None,
            other => {
                return Err(Trouble::new(format!(
                    "invalid value {other:?} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
                     \"allServiceAccounts\""
                )));
            }
        };
        Ok(Spec {
            namespace: plugin.metadata.namespace,
            fields: Some(plugin.field_specs),
            unset_only: plugin.unset_only,
            subjects,
        })
    }

    fn differs(&self, field: &Value) -> bool {
        match field {
            Value::String(text) => *text != self.namespace && (text.is_empty() || !self.unset_only),
            _ => true,
        }
    }

    fn set(&self, field: &mut Value) -> Outcome<()> {
        let kept = self.unset_only && matches!(scalar(field), Ok(text) if !text.is_empty());
        if kept { Ok(()) } else { set_text(field, &self.namespace) }
    }
}

/// Puts the objects into the namespace.
///
/// # Errors
///
/// Where a field has another kind of value than text, and where two objects come to have one identity.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    if spec.namespace.is_empty() {
        return Ok(());
    }
    let table = spec.fields.as_deref().unwrap_or(&cx.config.namespace);
    let mut specs = ByKind::new(table);
    for resource in &mut map.list {
        let helm = text(&resource.value, &["metadata", "annotations", HELM_GENERATED]) == "true";
        if !helm {
            resource.remember_id(cx.schema);
            place(resource, spec, specs.of(resource.kind()), cx.schema).map_err(|trouble| Trouble {
                message: format!("namespace transformation failed: {}", trouble.message),
                ..trouble
            })?;
        }
    }
    conflicts(map, cx.schema)
}

fn place(resource: &mut Resource, spec: &Spec, specs: &[&FieldSpec], schema: &Schema) -> Outcome<()> {
    let (group, version) = resource.group_version();
    let core = group.is_empty() && version == "v1";
    if !schema.is_cluster_scoped(group, version, resource.kind()) {
        own(resource, spec)?;
    }
    let binding = is_binding(resource.kind());
    if binding {
        subjects(resource, spec)?;
    }
    for field in specs {
        let elsewhere = field.path == "metadata/namespace"
            || (!core && field.path == "metadata/name")
            || (binding && is_binding(&field.kind) && field.path == "subjects/namespace");
        if !elsewhere {
            set_field(
                resource,
                field,
                Made::Scalar,
                &|value| spec.differs(value),
                &mut |value| spec.set(value),
            )?;
        }
    }
    Ok(())
}

/// `metadata.namespace`.
fn own(resource: &mut Resource, spec: &Spec) -> Outcome<()> {
    if let Some(field) = resource
        .value
        .get("metadata")
        .and_then(|metadata| metadata.get("namespace"))
        && !spec.differs(field)
    {
        return Ok(());
    }
    let field = FieldSpec::new("metadata/namespace", true);
    set_field(
        resource,
        &field,
        Made::Scalar,
        &|value| spec.differs(value),
        &mut |value| spec.set(value),
    )
}

fn is_binding(kind: &str) -> bool {
    matches!(kind, "RoleBinding" | "ClusterRoleBinding")
}

/// The namespaces of a binding's subjects.
fn subjects(resource: &mut Resource, spec: &Spec) -> Outcome<()> {
    let (key, wanted) = match spec.subjects {
        Subjects::None => return Ok(()),
        Subjects::DefaultOnly => ("name", "default"),
        Subjects::AllServiceAccounts => ("kind", "ServiceAccount"),
    };
    let list = match resource.value.get("subjects") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(in_subjects(wrong_kind("SequenceNode", other))),
    };
    let mut chosen = Vec::new();
    for (at, subject) in list.iter().enumerate() {
        match subject {
            Value::Null => {}
            Value::Object(map) => {
                let is = scalar(map.get(key).unwrap_or(&Value::Null)).map_err(in_subjects)?;
                if is == wanted && map.get("namespace").is_none_or(|field| spec.differs(field)) {
                    chosen.push(at);
                }
            }
            other => return Err(in_subjects(wrong_kind("MappingNode", other))),
        }
    }
    if chosen.is_empty() {
        return Ok(());
    }
    let list = resource.value_mut().get_mut("subjects").and_then(Value::as_array_mut);
    for (at, subject) in list.into_iter().flatten().enumerate() {
        if let (true, Some(map)) = (chosen.contains(&at), subject.as_object_mut()) {
            let field = map.entry("namespace").or_insert_with(|| Value::String(String::new()));
            spec.set(field).map_err(in_subjects)?;
        }
    }
    Ok(())
}

fn in_subjects(trouble: Trouble) -> Trouble {
    Trouble {
        message: format!(
            "setting namespace on (cluster)role binding subjects: {}",
            trouble.message
        ),
        ..trouble
    }
}

fn conflicts(map: &ResMap, schema: &Schema) -> Outcome<()> {
    let mut seen = HashSet::with_capacity(map.list.len());
    for resource in &map.list {
        let id = resource.id(schema);
        if !seen.insert(Id {
            namespace: id.effective_namespace(),
            ..id
        }) {
            return Err(Trouble::new(format!(
                "namespace transformation produces ID conflict: {id} is there more than once"
            )));
        }
    }
    Ok(())
}
