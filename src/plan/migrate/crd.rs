//! `apiextensions.k8s.io/v1beta1`: everything goes below versions, and schemas must be structural.
//!
//! Unknown fields were kept unless `preserveUnknownFields: false` was said. v1 prunes them, unless each mapping of the schema
//! says `x-kubernetes-preserve-unknown-fields: true`; that is written out, so that custom resources keep what they have.

use serde_json::{Value, json};

use super::{Edit, Object, Remark, default, rename};

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

pub(super) fn rewrite(object: &mut Object) -> Result<Remark, Edit> {
    approve(object);
    let mut hoisted = false;
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return Ok(None);
    };
    default(spec, "scope", "Namespaced");
    let preserve = spec.shift_remove("preserveUnknownFields") != Some(Value::Bool(false));
    let validation = spec.shift_remove("validation");
    let subresources = spec.shift_remove("subresources");
    let columns = spec.shift_remove("additionalPrinterColumns");
    let version = spec.shift_remove("version");
    let versions = spec.get("versions").and_then(Value::as_array);
    if versions.is_none_or(Vec::is_empty) {
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
        schema(version, preserve, &mut hoisted)?;
    }
    conversion(spec);
    Ok(hoisted.then_some(HOISTED))
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

fn schema(version: &mut Object, preserve: bool, hoisted: &mut bool) -> Result<(), Edit> {
    let Some(Value::Object(root)) = (version.get_mut("schema")).and_then(|schema| schema.get_mut("openAPIV3Schema"))
    else {
        let open = json!({"openAPIV3Schema": {"type": "object", PRESERVE: true}});
        version.insert("schema".to_owned(), open);
        return Ok(());
    };
    default(root, "type", "object");
    structural(root, preserve, true, hoisted)
}

/// Makes a schema structural.
fn structural(schema: &mut Object, preserve: bool, resource: bool, hoisted: &mut bool) -> Result<(), Edit> {
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
                if name == "metadata" {
                    metadata(property);
                }
                continue; // the server knows what is in there and keeps it
            }
            structural(property, preserve, false, hoisted)?;
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key).and_then(Value::as_object_mut) {
            structural(inner, preserve, false, hoisted)?;
        }
    }
    let is_object = schema.get("type").is_some_and(|kind| kind == "object");
    if preserve && is_object && !schema.contains_key("additionalProperties") {
        schema.insert(PRESERVE.to_owned(), true.into());
    }
    junctors(schema, hoisted)
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

/// Said where a type had to be moved out of a branch.
const HOISTED: &str = "types that its schema gave inside anyOf, oneOf or allOf now hold whichever branch applies, since v1 allows no others";

/// Of an object's own metadata a schema may only restrict the name; the rest the server checks by itself.
fn metadata(schema: &mut Object) {
    schema.retain(|key, _| matches!(&**key, "type" | "properties"));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|name, _| matches!(&**name, "name" | "generateName"));
        if properties.is_empty() {
            schema.shift_remove("properties");
        }
    }
}

/// Below `allOf`, `anyOf`, `oneOf` and `not` only values may be restricted, of fields that are declared outside.
fn junctors(schema: &mut Object, hoisted: &mut bool) -> Result<(), Edit> {
    for key in ["allOf", "anyOf", "oneOf", "not"] {
        let Some(mut value) = schema.shift_remove(key) else {
            continue;
        };
        let number_or_text = schema.contains_key(INT_OR_STRING) && matches!(key, "anyOf" | "allOf");
        if !number_or_text {
            let branches = match &mut value {
                Value::Array(list) => list.iter_mut().filter_map(Value::as_object_mut).collect(),
                Value::Object(branch) => vec![branch],
                _ => Vec::new(),
            };
            for branch in branches {
                hoist(schema, branch, hoisted)?;
            }
        }
        schema.insert(key.to_owned(), value);
    }
    Ok(())
}

/// Moves what may not stand in a branch out of it. Where two branches differ in it, it cannot be moved.
fn hoist(outer: &mut Object, branch: &mut Object, hoisted: &mut bool) -> Result<(), Edit> {
    for key in ["description", "title", "example"] {
        branch.shift_remove(key);
    }
    if ["default", "additionalProperties", "nullable"]
        .iter()
        .any(|key| branch.contains_key(*key))
    {
        return Err(EDIT);
    }
    if let Some(kind) = branch.shift_remove("type") {
        match outer.get("type") {
            Some(known) if *known == kind => {}
            Some(_) => return Err(EDIT),
            None if outer.get(PRESERVE) == Some(&Value::Bool(true)) && outer.len() == 1 => {
                if kind != "object" {
                    outer.shift_remove(PRESERVE);
                }
                outer.insert("type".to_owned(), kind);
                *hoisted = true;
            }
            None => return Err(EDIT),
        }
    }
    if let Some(inner) = branch.get_mut("properties").and_then(Value::as_object_mut) {
        let Some(fields) = super::below(outer, "properties") else {
            return Err(EDIT);
        };
        for (name, inner) in inner {
            let field = fields.entry(name.as_str()).or_insert_with(|| json!({PRESERVE: true}));
            if let (Some(field), Some(inner)) = (field.as_object_mut(), inner.as_object_mut()) {
                hoist(field, inner, hoisted)?;
            }
        }
    }
    if let Some(inner) = branch.get_mut("items").and_then(Value::as_object_mut) {
        let items = outer.entry("items").or_insert_with(|| json!({PRESERVE: true}));
        if let Some(items) = items.as_object_mut() {
            hoist(items, inner, hoisted)?;
        }
    }
    for key in ["allOf", "anyOf", "oneOf", "not"] {
        let branches = match branch.get_mut(key) {
            Some(Value::Array(list)) => list.iter_mut().filter_map(Value::as_object_mut).collect(),
            Some(Value::Object(inner)) => vec![inner],
            _ => Vec::new(),
        };
        for inner in branches {
            hoist(outer, inner, hoisted)?;
        }
    }
    Ok(())
}
