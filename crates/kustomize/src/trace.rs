//! Who set a field: found out by comparing an object before and after a step.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::id::text;
use crate::origin::Setter;
use crate::resmap::ResMap;
use crate::schema::{Node, Schema};

/// All values by the number of their object.
pub(crate) fn snapshot(map: &ResMap) -> HashMap<usize, Arc<Value>> {
    map.list
        .iter()
        .map(|resource| (resource.serial, Arc::clone(&resource.value)))
        .collect()
}

/// A field that a step changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    Set(String),
    Removed(String),
}

/// Paths of the fields that differ: of each scalar, and of each list or map that is new or was emptied.
pub(crate) fn changed(old: &Value, new: &Value, schema: &Schema) -> Vec<Changed> {
    let node = schema.of_kind(text(new, &["apiVersion"]), text(new, &["kind"]));
    let mut found = Vec::new();
    compare(Some(old), Some(new), node, &mut String::new(), &mut found);
    found
}

/// Notes who set the fields; what was below them is forgotten.
pub(crate) fn write(fields: &mut BTreeMap<String, Setter>, paths: Vec<Changed>, setter: &Setter) {
    for changed in paths {
        let path = match &changed {
            Changed::Set(path) | Changed::Removed(path) => path,
        };
        let below: Vec<String> = fields
            .range(path.clone()..)
            .map(|(known, _)| known)
            .take_while(|known| known.starts_with(path.as_str()))
            .filter(|known| known[path.len()..].is_empty() || known[path.len()..].starts_with(['.', '[']))
            .cloned()
            .collect();
        below.iter().for_each(|known| drop(fields.remove(known)));
        fields.insert(path.clone(), setter.clone());
    }
}

fn compare(
    old: Option<&Value>,
    new: Option<&Value>,
    node: Option<Node<'_>>,
    path: &mut String,
    found: &mut Vec<Changed>,
) {
    match (old, new) {
        (None, None) => {}
        (Some(_), None) => found.push(Changed::Removed(path.clone())),
        (Some(old), Some(new)) if old == new => {}
        (old, Some(Value::Object(new))) if !new.is_empty() => {
            let none = Map::new();
            let old = old.and_then(Value::as_object).unwrap_or(&none);
            for key in new.keys().chain(old.keys().filter(|key| !new.contains_key(*key))) {
                let node = node.and_then(|node| node.field(key));
                step(
                    path,
                    |path| push_key(path, key),
                    |path| compare(old.get(key), new.get(key), node, path, found),
                );
            }
        }
        (old, Some(Value::Array(new))) if !new.is_empty() => {
            let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            compare_lists(old, new, node, path, found);
        }
        (_, Some(_)) => found.push(Changed::Set(path.clone())),
    }
}

fn compare_lists(old: &[Value], new: &[Value], node: Option<Node<'_>>, path: &mut String, found: &mut Vec<Changed>) {
    let inner = node.and_then(Node::elements);
    match key_of(node, old, new) {
        Some(key) => {
            let name = |item: &Value| item.get(&key).map(shown).unwrap_or_default();
            let named: HashMap<String, &Value> = old.iter().map(|item| (name(item), item)).collect();
            for item in new {
                let name = name(item);
                let label = format!("[{key}={name}]");
                step(
                    path,
                    |path| path.push_str(&label),
                    |path| compare(named.get(&name).copied(), Some(item), inner, path, found),
                );
            }
            for item in old {
                let gone = name(item);
                if !new.iter().any(|item| name(item) == gone) {
                    found.push(Changed::Removed(format!("{path}[{key}={gone}]")));
                }
            }
        }
        None => {
            for at in 0..new.len().max(old.len()) {
                let label = format!("[{at}]");
                step(
                    path,
                    |path| path.push_str(&label),
                    |path| compare(old.get(at), new.get(at), inner, path, found),
                );
            }
        }
    }
}

/// The key by which items of a list are told apart: that of the schema; `name` where all items have one and none is twice.
fn key_of(node: Option<Node<'_>>, old: &[Value], new: &[Value]) -> Option<String> {
    let keys = node.and_then(Node::merge_keys).unwrap_or_default();
    let tells_apart = |key: &str| {
        let unique = |items: &[Value]| {
            let mut seen = std::collections::HashSet::new();
            items
                .iter()
                .all(|item| item.get(key).is_some_and(|value| seen.insert(shown(value))))
        };
        unique(old) && unique(new)
    };
    let mut candidates = keys.iter().map(AsRef::as_ref).chain(["name"]);
    candidates.find(|key: &&str| tells_apart(key)).map(str::to_owned)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn step(path: &mut String, push: impl FnOnce(&mut String), inner: impl FnOnce(&mut String)) {
    let length = path.len();
    push(path);
    inner(path);
    path.truncate(length);
}

/// `.key`, and `["a.b/c"]` for a key that has a point or bracket itself.
fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && !key.contains(['.', '[', ']', '"']);
    match (plain, path.is_empty()) {
        (true, true) => path.push_str(key),
        (true, false) => {
            path.push('.');
            path.push_str(key);
        }
        // Writing to a string cannot fail.
        (false, _) => drop(write!(path, "[{key:?}]")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_by_merge_key() {
        let old = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"a.b/c": "1"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "x", "image": "x:1", "args": ["1", "2"], "ports": [{"containerPort": 80, "name": "h"}]}, {"name": "y"}]}}}});
        let new = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b", "labels": {"a.b/c": "2"}},
            "spec": {"template": {"spec": {"containers": [
                {"name": "z", "image": "z"}, {"name": "x", "image": "x:2", "args": ["1", "3"], "ports": [{"containerPort": 81, "name": "h"}]}]}}}});
        let mut paths: Vec<String> = changed(&old, &new, &Schema::builtin())
            .into_iter()
            .map(|changed| match changed {
                Changed::Set(path) => path,
                Changed::Removed(path) => format!("-{path}"),
            })
            .collect();
        paths.sort();
        assert_eq!(
            paths,
            [
                "-spec.replicas",
                "-spec.template.spec.containers[name=x].ports[containerPort=80]",
                "-spec.template.spec.containers[name=y]",
                "metadata.labels[\"a.b/c\"]",
                "metadata.name",
                "spec.template.spec.containers[name=x].args[1]",
                "spec.template.spec.containers[name=x].image",
                "spec.template.spec.containers[name=x].ports[containerPort=81].containerPort",
                "spec.template.spec.containers[name=x].ports[containerPort=81].name",
                "spec.template.spec.containers[name=z].image",
                "spec.template.spec.containers[name=z].name",
            ]
        );
    }

    #[test]
    fn what_is_below_is_forgotten() {
        let setter = |field: &str| Setter {
            file: "f".into(),
            field: field.into(),
            kustomization: "k".into(),
        };
        let mut fields = BTreeMap::new();
        write(
            &mut fields,
            vec![Changed::Set("a.b".to_owned()), Changed::Set("a.bc".to_owned())],
            &setter("1"),
        );
        write(&mut fields, vec![Changed::Removed("a.b".to_owned())], &setter("2"));
        write(&mut fields, vec![Changed::Set("a".to_owned())], &setter("3"));
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["a"]);
    }
}
