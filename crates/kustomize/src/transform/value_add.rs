//! The plugin `ValueAddTransformer`: puts a text into fields, or into file paths that fields hold.

use serde::Deserialize;
use serde_json::Value;

use super::replacements::SELECTOR;
use crate::context::Context;
use crate::path::{lookup_create, split_escaped, wrong};
use crate::plain::{self, resolve};
use crate::resmap::ResMap;
use crate::selector::Selector;
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};

/// What is put where.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Spec {
    value: String,
    targets: Vec<Target>,
    /// A file with more targets.
    target_file_path: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Target {
    /// All objects where there is none.
    selector: Option<Selector>,
    /// As `spec/template/metadata`, `\/` for a slash in a key.
    field_path: String,
    /// From 1: the value becomes a part of the file path that the field has, at this place. 0: it becomes the field.
    file_path_position: i64,
}

const TARGETS: Shape = Shape::List(&Shape::Fields(&[
    ("selector", SELECTOR),
    ("fieldPath", Shape::Text),
    ("filePathPosition", Shape::Whole),
]));

const SPEC: Shape = Shape::Fields(&[
    ("value", Shape::Text),
    ("targets", TARGETS),
    ("targetFilePath", Shape::Text),
]);

impl Spec {
    /// The configuration of the plugin. `folder` is that of the kustomization: the last part of its path is the value where none is
    /// written.
    pub fn from_plugin(config: &Value, cx: &Context<'_>, folder: &str) -> Outcome<Spec> {
        let mut spec: Spec = read(config, &SPEC, Manner::Lenient)?;
        spec.value = match spec.value.trim() {
            "" => folder
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            value => value.to_owned(),
        };
        if !spec.target_file_path.is_empty() {
            const FILE: Shape = Shape::Fields(&[("targets", TARGETS)]);
            let (documents, file) = cx.files.documents(&spec.target_file_path)?;
            if let Some(document) = documents.first() {
                let more: Outcome<Spec> = read(&document.value, &FILE, Manner::Lenient);
                let more = more.map_err(|trouble| trouble.in_file(file, Some(document.line)))?;
                spec.targets.extend(more.targets);
            }
        }
        if spec.targets.is_empty() {
            return Err(Trouble::new("must specify at least one target"));
        }
        for target in &spec.targets {
            if target.field_path.is_empty() {
                return Err(Trouble::new("fieldPath cannot be empty"));
            }
            if target.file_path_position < 0 {
                return Err(Trouble::new(format!(
                    "filePathPosition {} cannot be negative",
                    target.file_path_position
                )));
            }
        }
        Ok(spec)
    }
}

/// Puts the value in. `metadata/namespace` is set as the namespace transformer sets it.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    for target in &spec.targets {
        let selection = target.selector.as_ref().map(Selector::compile).transpose()?;
        for resource in &mut map.list {
            if let Some(selection) = &selection
                && !selection.matches(resource, cx.schema)?
            {
                continue;
            }
            if target.field_path == "metadata/namespace" {
                set_namespace(resource, &spec.value, cx);
                continue;
            }
            add(resource.value_mut(), &spec.value, target).map_err(|trouble| {
                let id = resource.id(cx.schema);
                Trouble::new(format!("field {:?} of {id}: {}", target.field_path, trouble.message))
            })?;
        }
    }
    Ok(())
}

/// Sets the namespace of an object that can have one, and of subjects of bindings that are named `default`.
fn set_namespace(resource: &mut crate::resource::Resource, namespace: &str, cx: &Context<'_>) {
    if !resource.id(cx.schema).cluster_scoped {
        resource.set_namespace(namespace);
    }
    if !matches!(resource.kind(), "RoleBinding" | "ClusterRoleBinding") {
        return;
    }
    let is_default = |subject: &Value| subject.get("name").and_then(Value::as_str) == Some("default");
    let due =
        |subject: &Value| is_default(subject) && subject.get("namespace").and_then(Value::as_str) != Some(namespace);
    let subjects = resource.value.get("subjects").and_then(Value::as_array);
    if !subjects.is_some_and(|subjects| subjects.iter().any(due)) {
        return;
    }
    let subjects = resource.value_mut().get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten().filter(|subject| is_default(subject)) {
        if let Some(fields) = subject.as_object_mut() {
            fields.insert("namespace".to_owned(), Value::String(namespace.to_owned()));
        }
    }
}

fn add(object: &mut Value, value: &str, target: &Target) -> Outcome<()> {
    // Unlike other paths this one keeps its first slash, but parts of nothing do not count anyway.
    let Some(field) = lookup_create(object, &split_escaped(&target.field_path, '/'))? else {
        return Ok(());
    };
    if field.is_array() || field.is_object() {
        return Err(wrong(field, "a scalar"));
    }
    let text = match usize::try_from(target.file_path_position) {
        Ok(position @ 1..) => insert_part(&plain::text(field), position, value),
        _ => value.to_owned(),
    };
    // A text in quotes stays one; as others are written is not known, and they are rarely in quotes.
    let quoted = field.as_str().is_some_and(|text| resolve(text) != *field);
    *field = if quoted { Value::String(text) } else { resolve(&text) };
    Ok(())
}

/// Puts a part into a file path, at a place from 1; at the end where the path is shorter. An absolute path stays absolute.
fn insert_part(path: &str, position: usize, part: &str) -> String {
    let relative = path.trim_start_matches('/');
    let mut parts: Vec<&str> = relative.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert((position - 1).min(parts.len()), part);
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::generate::tests::Folder;
    use crate::resource::Resource;

    fn added(config: &Value, folder: &str) -> Outcome<Vec<Value>> {
        let objects = [
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                "data": {
                    "p0": "a/nice/pie", "p1": "/a/nice/pie", "e": "", "r": "/", "n": null, "list": ["x"], "s": "a//b", "a/b": "q",
                },
            }),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
                "subjects": [{"kind": "ServiceAccount", "name": "default"}, {"kind": "ServiceAccount", "name": "x"}],
            }),
        ];
        let mut map = ResMap {
            list: objects
                .map(|object| Resource::new(object.into(), Default::default()))
                .to_vec(),
        };
        let more = "targets: [{selector: {kind: ConfigMap}, fieldPath: data/more}]";
        Folder::with([("more.yaml", more)]).run(|cx| apply(&mut map, &Spec::from_plugin(config, cx, folder)?, cx))?;
        Ok(map.list.iter().map(|resource| Value::clone(&resource.value)).collect())
    }

    fn config(value: &str) -> Value {
        let at = |path: &str, position: i64| {
            json!({
                "selector": {"kind": "ConfigMap"}, "fieldPath": path, "filePathPosition": position,
            })
        };
        json!({
            "kind": "ValueAddTransformer", "metadata": {"name": "x"}, "value": value, "other": 1, "targetFilePath": "more.yaml",
            "targets": [
                at("data/p0", 2), at("data/p1", 1), at("data/e", 1), at("data/r", 1), at("data/s", 99), at("data/n", 0),
                at("data/a\\/b", 0), at("data/new/deep", 0), at("data/list/[=y]", 0), at("data/l2/[name=z]/v", 0),
                {"fieldPath": "metadata/namespace"},
            ],
        })
    }

    #[test]
    fn values_are_put_where_kustomize_puts_them() {
        let objects = added(&config(" PEACH "), "").expect("a good configuration");
        let expected = json!({
            "p0": "a/PEACH/nice/pie", "p1": "/PEACH/a/nice/pie", "e": "PEACH", "r": "/PEACH", "n": "PEACH", "list": ["x", "PEACH"],
            "s": "a/b/PEACH", "a/b": "PEACH", "new": {"deep": "PEACH"}, "l2": [{"name": "z", "v": "PEACH"}], "more": "PEACH",
        });
        assert_eq!(objects[0]["data"], expected);
        assert_eq!(objects[0]["metadata"]["namespace"], "PEACH");
        let subjects = json!([
            {"kind": "ServiceAccount", "name": "default", "namespace": "PEACH"}, {"kind": "ServiceAccount", "name": "x"},
        ]);
        assert_eq!(objects[1]["subjects"], subjects);
        let objects = added(&config("8080"), "").expect("a good configuration");
        let expected = json!({
            "p0": "a/8080/nice/pie", "p1": "/8080/a/nice/pie", "e": "8080", "r": "/8080", "n": 8080, "list": ["x", 8080],
            "s": "a/b/8080", "a/b": 8080, "new": {"deep": 8080}, "l2": [{"name": "z", "v": 8080}], "more": 8080,
        });
        assert_eq!(objects[0]["data"], expected);
        let objects = added(&config(""), "clusters/prod").expect("a good configuration");
        assert_eq!(objects[0]["data"]["n"], "prod");
    }

    #[test]
    fn malformed_configurations_are_refused() {
        let rows = [
            (json!({"value": "a"}), "must specify at least one target"),
            (json!({"targets": [{}]}), "fieldPath cannot be empty"),
            (
                json!({"targets": [{"fieldPath": "a", "filePathPosition": -1}]}),
                "filePathPosition -1 cannot be negative",
            ),
            (
                json!({"value": "a", "targets": [{"selector": {"kind": "ConfigMap"}, "fieldPath": "data"}]}),
                "field \"data\" of ConfigMap.v1.[noGrp]/a.[noNs]: expected a scalar but found a mapping",
            ),
        ];
        for (config, message) in rows {
            assert_eq!(added(&config, "x").expect_err("a bad configuration").message, message);
        }
    }
}
