//! The types of an OpenAPI document that a kustomization names in `openapi.path`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{NOWHERE, Schema, Text, Type};
use crate::trouble::{Outcome, Trouble};

impl Schema {
    /// The types of a Swagger 2 document, which come in place of the embedded ones. `over` are those that stay for what the document
    /// does not define. In kustomize the first kustomization with an `openapi` (the root, then in the order of the walk) decides for all
    /// that comes after, and the embedded types stay only where they were loaded before: by a strategic merge patch, or because an
    /// object of a kind was met whose scope is not known. Scopes of the embedded kinds always stay.
    ///
    /// # Errors
    ///
    /// Where the document is not an object, or its definitions are not objects.
    pub fn from_openapi(document: &Value, over: Option<&Schema>) -> Outcome<Schema> {
        let invalid = |what: &str| Trouble::new(format!("invalid schema file: {what}"));
        let document = document.as_object().ok_or_else(|| invalid("not an object"))?;
        let mut schema = over.map_or_else(scopes_only, Schema::clone);
        match document.get("definitions") {
            None | Some(Value::Null) => {}
            Some(Value::Object(definitions)) => add_definitions(&mut schema, definitions)
                .map_err(|name| invalid(&format!("definition {name} is not an object")))?,
            Some(_) => return Err(invalid("definitions is not an object")),
        }
        if let Some(paths) = document.get("paths").and_then(Value::as_object) {
            add_scopes(&mut schema, paths);
        }
        Ok(schema)
    }
}

/// The embedded kinds without their types.
fn scopes_only() -> Schema {
    let mut kinds = Schema::builtin().kinds.clone();
    kinds.values_mut().flatten().for_each(|known| known.at = None);
    Schema {
        kinds,
        ..Schema::default()
    }
}

fn add_definitions(schema: &mut Schema, definitions: &Map<String, Value>) -> Result<(), String> {
    for name in definitions.keys() {
        let next = schema.types.len();
        if *schema.names.entry(Cow::Owned(name.clone())).or_insert(next) == next {
            schema.types.push(Type::default());
        }
    }
    for (name, definition) in definitions {
        let object = definition.as_object().ok_or_else(|| name.clone())?;
        let it = one_type(schema, object);
        let at = schema.names.get(&**name).copied().unwrap_or(NOWHERE);
        if let Some(place) = schema.types.get_mut(at) {
            *place = it;
        }
        for gvk in object.get(GVK).and_then(Value::as_array).into_iter().flatten() {
            if let Some((group, version, kind)) = group_version_kind(gvk)
                && let Some(known) = schema.known_mut(group, version, kind)
            {
                known.at = Some(at);
            }
        }
    }
    Ok(())
}

/// kyaml reads scopes from the paths of GET operations; what it knows beforehand is stronger.
fn add_scopes(schema: &mut Schema, paths: &Map<String, Value>) {
    let builtin = Schema::builtin();
    for (path, item) in paths {
        let gvk = item.get("get").and_then(|get| get.get(GVK));
        let Some((group, version, kind)) = gvk.and_then(group_version_kind) else {
            continue;
        };
        if builtin
            .known(&group, &version, &kind)
            .is_some_and(|known| known.namespaced.is_some())
        {
            continue;
        }
        if let Some(known) = schema.known_mut(group, version, kind) {
            let namespaced = path.contains("namespaces/{namespace}");
            known.namespaced = Some(namespaced || known.namespaced == Some(true));
        }
    }
}

const GVK: &str = "x-kubernetes-group-version-kind";

fn group_version_kind(gvk: &Value) -> Option<(Text, Text, Text)> {
    let text = |key: &str| gvk.get(key)?.as_str().map(|text| Cow::Owned(text.to_owned()));
    Some((text("group").unwrap_or_default(), text("version")?, text("kind")?))
}

fn one_type(schema: &mut Schema, object: &Map<String, Value>) -> Type {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let owned = |text: &str| Cow::Owned(text.to_owned());
    let keys = match object.get("x-kubernetes-list-map-keys").and_then(Value::as_array) {
        Some(keys) => keys.iter().filter_map(Value::as_str).map(owned).collect(),
        None => text("x-kubernetes-patch-merge-key").map(owned).into_iter().collect(),
    };
    let is_list = match object.get("type") {
        Some(Value::String(only)) => only == "array",
        Some(Value::Array(all)) => matches!(&all[..], [Value::String(only)] if only == "array"),
        _ => false,
    };
    let mut inner = |key: &str| {
        object
            .get(key)
            .and_then(Value::as_object)
            .map(|object| place(schema, object))
    };
    let items = inner("items").filter(|_| is_list);
    let additional = inner("additionalProperties");
    let mut fields = Vec::new();
    for (name, field) in object
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(field) = field.as_object() {
            fields.push((Cow::Owned(name.clone()), place(schema, field)));
        }
    }
    fields.sort();
    let merges = text("x-kubernetes-patch-strategy").is_some_and(|all| all.split(',').any(|one| one == "merge"));
    Type {
        merges,
        keys,
        items,
        additional,
        fields,
    }
}

/// The place of a type that is written within another: that of the definition it names, or a new one.
fn place(schema: &mut Schema, object: &Map<String, Value>) -> usize {
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        let name = reference.strip_prefix("#/definitions/").unwrap_or_default();
        return schema.names.get(name).copied().unwrap_or(NOWHERE);
    }
    let it = one_type(schema, object);
    schema.types.push(it);
    schema.types.len() - 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "definitions": {
                "v1.Shop": {
                    "properties": {
                        "spec": {"$ref": "#/definitions/v1.ShopSpec"},
                        "lost": {"$ref": "#/definitions/nowhere"},
                    },
                    "x-kubernetes-group-version-kind": [{"group": "example.org", "kind": "Shop", "version": "v1"}],
                },
                "v1.ShopSpec": {"properties": {
                    "shelves": {
                        "type": "array",
                        "items": {"properties": {"goods": {"type": "array", "x-kubernetes-patch-strategy": "merge"}}},
                        "x-kubernetes-patch-strategy": "merge",
                        "x-kubernetes-patch-merge-key": "row",
                    },
                    "doors": {
                        "type": ["array"],
                        "x-kubernetes-patch-strategy": "retainKeys,merge",
                        "x-kubernetes-list-map-keys": ["side", "number"],
                    },
                    "signs": {"type": "array", "x-kubernetes-patch-merge-key": "name"},
                }},
            },
            "paths": {
                "/apis/example.org/v1/shops": {"get": {GVK: {"group": "example.org", "kind": "Shop", "version": "v1"}}},
                "/apis/example.org/v1/namespaces/{namespace}/carts": {
                    "get": {GVK: {"group": "example.org", "kind": "Cart", "version": "v1"}},
                },
                "/apis/example.org/v1/carts": {"get": {GVK: {"group": "example.org", "kind": "Cart", "version": "v1"}}},
                "/api/v1/pods": {"get": {GVK: {"group": "", "kind": "Pod", "version": "v1"}}},
            },
        })
    }

    #[test]
    fn a_custom_document_replaces_the_types_and_adds_scopes() {
        let schema = Schema::from_openapi(&document(), None).expect("a good document");
        let spec = schema
            .of_kind("example.org/v1", "Shop")
            .and_then(|shop| shop.field("spec"))
            .expect("a reference followed");
        let keys = |field: &str| {
            spec.field(field)
                .and_then(|node| node.merge_keys())
                .map(|keys| keys.join("+"))
        };
        assert_eq!(keys("shelves").as_deref(), Some("row"));
        assert_eq!(keys("doors").as_deref(), Some("side+number"));
        assert_eq!(keys("signs"), None);
        let goods = spec
            .field("shelves")
            .and_then(|node| node.elements()?.field("goods")?.merge_keys());
        assert_eq!(goods.map(<[_]>::len), Some(0));
        assert!(
            schema
                .of_kind("example.org/v1", "Shop")
                .and_then(|shop| shop.field("lost"))
                .is_none()
        );
        assert!(schema.of_kind("v1", "Pod").is_none(), "the embedded types are gone");
        assert!(schema.is_cluster_scoped("example.org", "v1", "Shop"));
        assert!(!schema.is_cluster_scoped("example.org", "v1", "Cart"));
        assert!(
            !schema.is_cluster_scoped("", "v1", "Pod"),
            "what kyaml knows beforehand is stronger"
        );
        assert!(schema.is_cluster_scoped("", "v1", "Namespace"));
    }

    #[test]
    fn a_base_adds_to_what_was_in_use() {
        let schema = Schema::from_openapi(&document(), Some(&Schema::builtin())).expect("a good document");
        assert!(schema.of_kind("v1", "Pod").is_some());
        assert!(schema.of_kind("example.org/v1", "Shop").is_some());
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for bad in [json!([]), json!({"definitions": []}), json!({"definitions": {"a": 1}})] {
            let refused = Schema::from_openapi(&bad, None).expect_err("bad");
            assert!(
                refused.message.starts_with("invalid schema file"),
                "{}",
                refused.message
            );
        }
    }
}
