//! `apiextensions.k8s.io/v1beta1`: everything goes below versions, and schemas must be structural.
//!
//! Unknown fields were kept unless `preserveUnknownFields: false` was said. v1 prunes them, unless each mapping of the schema
//! says `x-kubernetes-preserve-unknown-fields: true`; that is written out, so that custom resources keep what they have.

use serde_json::{Map, Value, json};

use super::{Edit, Object, default, rename};

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

pub(super) fn rewrite(object: &mut Object) -> Result<(), Edit> {
    approve(object);
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    default(spec, "scope", "Namespaced");
    let preserve = spec.shift_remove("preserveUnknownFields") != Some(Value::Bool(false));
    let validation = spec.shift_remove("validation");
    let subresources = spec.shift_remove("subresources");
    let columns = spec.shift_remove("additionalPrinterColumns");
    let version = spec.shift_remove("version");
    if !spec
        .get("versions")
        .is_some_and(|versions| versions.as_array().is_some_and(|list| !list.is_empty()))
    {
        let named = version.unwrap_or_default();
        spec.insert(
            "versions".to_owned(),
            json!([{"name": named, "served": true, "storage": true}]),
        );
    }
    let versions = spec.get_mut("versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten().filter_map(Value::as_object_mut) {
        for (key, value) in [
            ("schema", &validation),
            ("subresources", &subresources),
            ("additionalPrinterColumns", &columns),
        ] {
            if let Some(value) = value {
                default(version, key, value.clone());
            }
        }
        let columns = version
            .get_mut("additionalPrinterColumns")
            .and_then(Value::as_array_mut);
        for column in columns.into_iter().flatten().filter_map(Value::as_object_mut) {
            rename(column, "JSONPath", "jsonPath");
        }
        schema(version, preserve)?;
    }
    conversion(spec);
    Ok(())
}

/// Groups below k8s.io need an approval or a word that there is none.
fn approve(object: &mut Object) {
    let group = object
        .get("spec")
        .and_then(|spec| spec.get("group"))
        .and_then(Value::as_str);
    let protected = |group: &str| group.ends_with(".k8s.io") || group.ends_with(".kubernetes.io");
    if group.is_some_and(protected)
        && let Some(metadata) = super::below(object, "metadata")
        && let Some(annotations) = super::below(metadata, "annotations")
    {
        default(
            annotations,
            "api-approved.kubernetes.io",
            "unapproved, was declared in v1beta1",
        );
    }
}

fn conversion(spec: &mut Object) {
    let Some(conversion) = spec.get_mut("conversion").and_then(Value::as_object_mut) else {
        return;
    };
    let client = conversion.shift_remove("webhookClientConfig");
    let reviews = conversion.shift_remove("conversionReviewVersions");
    if conversion.get("strategy").is_some_and(|strategy| strategy == "Webhook") {
        let reviews = reviews.unwrap_or_else(|| json!(["v1beta1"]));
        let mut webhook = json!({"conversionReviewVersions": reviews});
        if let Some(client) = client {
            webhook["clientConfig"] = client;
        }
        conversion.insert("webhook".to_owned(), webhook);
    }
}

fn schema(version: &mut Object, preserve: bool) -> Result<(), Edit> {
    let Some(Value::Object(root)) = (version.get_mut("schema")).and_then(|schema| schema.get_mut("openAPIV3Schema"))
    else {
        let open = json!({"openAPIV3Schema": {"type": "object", PRESERVE: true}});
        version.insert("schema".to_owned(), open);
        return Ok(());
    };
    default(root, "type", "object");
    structural(root, preserve, true)
}

/// Makes a schema structural.
fn structural(schema: &mut Object, preserve: bool, resource: bool) -> Result<(), Edit> {
    if schema.get("uniqueItems") == Some(&Value::Bool(false)) {
        schema.shift_remove("uniqueItems");
    }
    if schema.get("additionalProperties").is_some_and(Value::is_boolean) {
        schema.shift_remove("additionalProperties"); // only `true` was allowed: any field
        schema.insert(PRESERVE.to_owned(), true.into());
    }
    if schema.contains_key("additionalProperties") && schema.contains_key("properties") {
        return Err(EDIT);
    }
    give_type(schema);
    let embedded = resource || schema.get("x-kubernetes-embedded-resource") == Some(&Value::Bool(true));
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties {
            let Some(property) = property.as_object_mut() else {
                continue;
            };
            if embedded && matches!(&**name, "metadata" | "apiVersion" | "kind") {
                default(property, "type", if name == "metadata" { "object" } else { "string" });
                continue; // the server knows what is in there and keeps it
            }
            structural(property, preserve, false)?;
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key).and_then(Value::as_object_mut) {
            structural(inner, preserve, false)?;
        }
    }
    let is_object = schema.get("type").is_some_and(|kind| kind == "object");
    if preserve && is_object && !schema.contains_key("additionalProperties") {
        schema.insert(PRESERVE.to_owned(), true.into());
    }
    junctors(schema)
}

/// A type must be given, outside of `anyOf` and the like; where it cannot be told, anything goes, as before.
fn give_type(schema: &mut Object) {
    if schema.contains_key("type") || schema.contains_key(INT_OR_STRING) {
        return;
    }
    let either = json!([{"type": "integer"}, {"type": "string"}]);
    let other = json!([{"type": "string"}, {"type": "integer"}]);
    let strings = |values: &Vec<Value>| !values.is_empty() && values.iter().all(Value::is_string);
    if ["anyOf", "oneOf"]
        .iter()
        .any(|key| schema.get(*key).is_some_and(|any| *any == either || *any == other))
    {
        schema.shift_remove("anyOf");
        schema.shift_remove("oneOf");
        schema.insert(INT_OR_STRING.to_owned(), true.into());
    } else if schema.contains_key("properties") || schema.contains_key("additionalProperties") {
        schema.insert("type".to_owned(), "object".into());
    } else if schema.contains_key("items") {
        schema.insert("type".to_owned(), "array".into());
    } else if schema.get("enum").and_then(Value::as_array).is_some_and(strings) {
        schema.insert("type".to_owned(), "string".into());
    } else {
        schema.insert(PRESERVE.to_owned(), true.into());
    }
}

const EDIT: Edit = Edit(
    "its schema cannot be made structural without changing what it allows",
    "write spec.versions[*].schema.openAPIV3Schema as a structural schema and set apiVersion: apiextensions.k8s.io/v1; take the CRD from a newer release of its project where there is one",
);

/// Below `allOf`, `anyOf`, `oneOf` and `not` only values may be restricted, of fields that are declared outside.
fn junctors(schema: &mut Object) -> Result<(), Edit> {
    let outer_type = schema.get("type").cloned();
    let mut inner_fields: Vec<String> = Vec::new();
    for key in ["allOf", "anyOf", "oneOf", "not"] {
        let branches: Vec<&mut Object> = match schema.get_mut(key) {
            Some(Value::Array(list)) => list.iter_mut().filter_map(Value::as_object_mut).collect(),
            Some(Value::Object(branch)) => vec![branch],
            _ => continue,
        };
        for branch in branches {
            plain(branch, outer_type.as_ref())?;
            let fields = branch.get("properties").and_then(Value::as_object);
            inner_fields.extend(fields.into_iter().flatten().map(|(name, _)| name.clone()));
        }
    }
    if !inner_fields.is_empty() {
        let properties = schema.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        if let Some(properties) = properties.as_object_mut() {
            for name in inner_fields {
                default(properties, &name, json!({PRESERVE: true}));
            }
        }
    }
    Ok(())
}

/// Takes out of a branch what may not stand there and says nothing more than what stands outside.
fn plain(branch: &mut Object, outer_type: Option<&Value>) -> Result<(), Edit> {
    for key in ["description", "title", "example"] {
        branch.shift_remove(key);
    }
    if branch.get("type").is_some_and(|kind| Some(kind) == outer_type) {
        branch.shift_remove("type");
    }
    if ["type", "default", "additionalProperties", "nullable"]
        .iter()
        .any(|key| branch.contains_key(*key))
    {
        return Err(EDIT);
    }
    let properties = branch.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties
        .into_iter()
        .flatten()
        .filter_map(|(_, inner)| inner.as_object_mut())
    {
        plain(property, None)?;
    }
    Ok(())
}
