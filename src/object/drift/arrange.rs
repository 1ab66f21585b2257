//! The order in which people write the keys of a manifest.

use serde_json::{Map, Value};

/// At the top; what is not named keeps its place after these.
const TOP: &[&str] = &["apiVersion", "kind", "metadata", "type", "immutable"];
/// In `metadata`.
const METADATA: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
];

/// Puts the keys of a manifest in the order in which people write them. Servers give built-in kinds in the order of their
/// definition, which is that order but for the beginning, and custom resources by the alphabet.
pub(super) fn arrange(object: &mut Value, custom: bool) {
    let Some(map) = object.as_object_mut() else { return };
    first(map, TOP);
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        first(metadata, METADATA);
    }
    for (key, value) in map.iter_mut() {
        if custom && key != "metadata" {
            names_first(value);
        }
    }
}

fn first(map: &mut Map<String, Value>, keys: &[&str]) {
    let mut rest = std::mem::take(map);
    for key in keys {
        if let Some((key, value)) = rest.shift_remove_entry(*key) {
            map.insert(key, value);
        }
    }
    map.extend(rest);
}

/// The name of an element of a list stands first.
fn names_first(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(names_first),
        Value::Array(list) => {
            for one in list {
                if let Value::Object(map) = one {
                    first(map, &["name"]);
                }
                names_first(one);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_stand_as_people_write_them() {
        let mut value = json!({"spec": {"list": [{"a": 1, "name": "x"}]}, "kind": "K", "apiVersion": "v1",
            "metadata": {"labels": {"b": "1", "a": "2"}, "namespace": "n", "name": "m"}});
        arrange(&mut value, true);
        assert_eq!(
            value.to_string(),
            r#"{"apiVersion":"v1","kind":"K","metadata":{"name":"m","namespace":"n","labels":{"b":"1","a":"2"}},"spec":{"list":[{"name":"x","a":1}]}}"#
        );
    }
}
