//! `templatePatch` (`applicationset/controllers/template/patch.go`): a strategic merge patch of Applications. Of their lists only
//! finalizers and owners merge; all others are replaced as a whole.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::read::shape;

const FIELD: &str = "spec.templatePatch";
const DEEPEST: usize = 200;

/// An Application with a patch that is rendered, YAML or JSON. The project stays what it was.
pub(crate) fn patched(app: Value, patch: &str) -> Result<Value, Error> {
    let document = kube_yaml::parse_one(patch.as_bytes());
    let patch = document.value.map_err(|error| {
        Error::new(
            FIELD,
            format!("is no YAML once it is rendered: line {}: {}", error.line, error.message),
        )
    })?;
    let project = app["spec"].get("project").cloned();
    let mut out = match patch {
        Value::Null => app,
        Value::Object(_) => merged(app, &patch, "", 0)?,
        other => {
            return Err(Error::new(
                FIELD,
                format!("is {}, not a map, once it is rendered", shape(&other)),
            ));
        }
    };
    for part in ["metadata", "spec"] {
        if let Some(other) = out.get(part).filter(|value| !value.is_object()) {
            return Err(Error::new(FIELD, format!("makes {part} {}, not a map", shape(other))));
        }
    }
    match project {
        Some(project) => out["spec"]["project"] = project,
        None => {
            if let Some(spec) = out.get_mut("spec").and_then(Value::as_object_mut) {
                spec.shift_remove("project");
            }
        }
    }
    Ok(out)
}

/// The value with the patch over it. `path` is that of the value, for lists that merge.
fn merged(into: Value, patch: &Value, path: &str, depth: usize) -> Result<Value, Error> {
    let Value::Object(changes) = patch else {
        return Ok(patch.clone());
    };
    if depth > DEEPEST {
        return Err(Error::new(FIELD, format!("has more than {DEEPEST} levels")));
    }
    let mut map = match (into, changes.get("$patch").and_then(Value::as_str)) {
        (_, Some("delete")) => return Ok(Value::Object(Map::new())),
        (Value::Object(map), None | Some("merge")) => map,
        (_, None | Some("merge" | "replace")) => Map::new(),
        (_, Some(other)) => {
            return Err(Error::new(
                FIELD,
                format!("{other:?} is no $patch (merge, replace, delete)"),
            ));
        }
    };
    if let Some(kept) = changes.get("$retainKeys").and_then(Value::as_array) {
        map.retain(|key, _| kept.iter().any(|kept| kept == key.as_str()));
    }
    for (key, change) in changes {
        let place = format!("{path}/{key}");
        match (key.strip_prefix('$'), change) {
            (Some(directive), change) => {
                if let (Some(list), Some(gone)) =
                    (directive.strip_prefix("deleteFromPrimitiveList/"), change.as_array())
                    && let Some(items) = map.get_mut(list).and_then(Value::as_array_mut)
                {
                    items.retain(|item| !gone.contains(item));
                }
            }
            (None, Value::Null) => {
                map.shift_remove(key);
            }
            (None, Value::Array(items)) if place == "/metadata/finalizers" => {
                let list = map.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                if let Some(there) = list.as_array_mut() {
                    let new: Vec<Value> = items.iter().filter(|item| !there.contains(item)).cloned().collect();
                    there.extend(new);
                }
            }
            (None, change) => {
                let there = map.get(key).cloned().unwrap_or(Value::Null);
                map.insert(key.clone(), merged(there, change, &place, depth + 1)?);
            }
        }
    }
    Ok(Value::Object(map))
}
