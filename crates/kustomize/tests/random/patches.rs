//! Patches and replacements of an object.

use serde_json::{Value, json};

use super::objects;
use super::place::{self, Step};
use super::rng::Rng;

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}

pub fn name(object: &Value) -> &str {
    text(&object["metadata"], "name")
}

/// A strategic merge patch of an object.
pub fn merge(rng: &mut Rng, of: &Value) -> Value {
    let mut patch = objects::object(rng, text(of, "apiVersion"), text(of, "kind"), name(of));
    match of["metadata"].get("namespace") {
        Some(namespace) if rng.chance(95) => patch["metadata"]["namespace"] = namespace.clone(),
        _ => drop(
            patch["metadata"]
                .as_object_mut()
                .map(|metadata| metadata.shift_remove("namespace")),
        ),
    }
    for found in place::all(&patch) {
        let head = matches!(&found[..], [Step::Key(key)] if key != "spec" && key != "data")
            || matches!(&found[..], [_, Step::Key(key)] if key == "name" || key == "namespace");
        if head || place::at(&mut patch, &found).is_none() {
            continue;
        }
        let keyed =
            matches!(found.last(), Some(Step::Key(key)) if key == "name" || key == "containerPort" || key == "port");
        match rng.below(100) {
            0..12 if !keyed => place::remove(&mut patch, &found),
            12..15 if !keyed => *place::at(&mut patch, &found).expect("because it was just there") = Value::Null,
            15..20 => direct(rng, place::at(&mut patch, &found).expect("because it was just there")),
            _ => {}
        }
    }
    if rng.chance(4) {
        patch["$patch"] = json!(rng.pick(&["delete", "replace", "merge"]));
    }
    patch
}

/// Keys of mappings that hold labels.
const HOLD_LABELS: &[&str] = &[
    "app",
    "tier",
    "app.kubernetes.io/name",
    "labels",
    "matchLabels",
    "metadata",
    "selector",
    "template",
    "jobTemplate",
];

/// Puts a directive into a map or a list.
fn direct(rng: &mut Rng, value: &mut Value) {
    match value {
        // Labels that kustomize set in several places at once are one as long as nothing replaces their mapping.
        Value::Object(map) if map.keys().any(|key| HOLD_LABELS.contains(&key.as_str())) => {}
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let (key, value) = match rng.below(4) {
                0 => ("$patch".to_owned(), json!(rng.pick(&["delete", "replace", "merge"]))),
                1 => ("$retainKeys".to_owned(), json!(rng.some(&keys, 70))),
                2 if map.contains_key("args") => ("$deleteFromPrimitiveList/args".to_owned(), json!(["a"])),
                2 => ("$patch".to_owned(), json!("delete")),
                _ if map.contains_key("containers") => (
                    "$setElementOrder/containers".to_owned(),
                    json!([{ "name": "side" }, { "name": "main" }]),
                ),
                _ => ("$patch".to_owned(), json!("replace")),
            };
            map.insert(key, value);
        }
        Value::Array(list) if list.iter().all(Value::is_object) => {
            list.push(json!({ "$patch": rng.pick(&["replace", "delete"]) }));
        }
        _ => {}
    }
}

/// Some value.
pub fn value(rng: &mut Rng) -> Value {
    let values = [
        json!("new"),
        json!("5"),
        json!(7),
        json!(true),
        json!({ "name": "x", "v": 1 }),
        json!(["p", "q"]),
        json!(1.5),
    ];
    rng.pick(&values).clone()
}

/// A JSON 6902 patch of an object.
pub fn json6902(rng: &mut Rng, of: &Value) -> Value {
    let mut operations = Vec::new();
    for _ in 0..[1, 1, 1, 2, 3][rng.below(5)] {
        let places = place::all(of);
        let found = rng.pick(&places).clone();
        let is_head = matches!(&found[..], [Step::Key(key)] if key != "spec" && key != "data");
        // What kustomize itself notes in annotations is seen by a copy or a test of them.
        let is_noted =
            matches!(&found[..], [Step::Key(key), Step::Key(last)] if key == "metadata" && last == "annotations");
        let is_name =
            matches!(&found[..], [Step::Key(key), Step::Key(last)] if key == "metadata" && last.starts_with("name"));
        if is_head || is_noted || is_name {
            operations.extend(
                is_name.then(|| json!({ "op": "replace", "path": place::pointer(&found), "value": "renamed" })),
            );
            continue;
        }
        let path = place::pointer(&found);
        let operation = match rng.below(30) {
            0..8 => json!({ "op": "replace", "path": path, "value": value(rng) }),
            8..11 => json!({ "op": "remove", "path": path }),
            11..13 => json!({ "op": "test", "path": path, "value": place::at(&mut of.clone(), &found) }),
            13..15 => json!({ "op": "copy", "from": path, "path": "/metadata/copied" }),
            15..17 => json!({ "op": "move", "from": path, "path": "/metadata/moved" }),
            17..22 => json!({ "op": "add", "path": path, "value": value(rng) }),
            22..27 if matches!(found.last(), Some(Step::Index(_))) => {
                json!({ "op": "add", "path": format!("{}/-", place::pointer(&found[..found.len() - 1])), "value": value(rng) })
            }
            27 => json!({ "op": "replace", "path": format!("{path}/none"), "value": 1 }),
            _ => json!({ "op": "add", "path": "/metadata/labels", "value": { "added": "yes" } }),
        };
        operations.push(operation);
    }
    Value::Array(operations)
}

/// Selects an object, and with a chance of `wide` more.
pub fn target(rng: &mut Rng, of: &Value, wide: usize) -> Value {
    let mut target = match if rng.chance(wide) { rng.below(4) } else { 9 } {
        0 => json!({ "labelSelector": rng.pick(&["app", "app=web", "app!=web,tier", "tier in (web, db)", "!app"]) }),
        1 => json!({ "kind": "Deployment|StatefulSet" }),
        2 => json!({ "name": format!("{}.*", name(of)) }),
        3 => json!({ "version": "v1" }),
        _ => json!({ "kind": of["kind"], "name": name(of) }),
    };
    if rng.chance(10) && !of["metadata"]["namespace"].is_null() {
        target["namespace"] = of["metadata"]["namespace"].clone();
    }
    if rng.chance(10) {
        let (group, version) = text(of, "apiVersion")
            .split_once('/')
            .unwrap_or(("", text(of, "apiVersion")));
        target["group"] = json!(group);
        target["version"] = json!(version);
    }
    target
}

/// A field that replacements may take and set: no name, which could become a number, and not all annotations, among which kustomize
/// has its own.
fn is_field(found: &[Step]) -> bool {
    let is_own = |key: &str| key.starts_with("name") || key == "annotations";
    let is_head = matches!(found, [Step::Key(key), Step::Key(last)] if key == "metadata" && is_own(last));
    found.len() > 1 && !is_head
}

/// A replacement that takes a value of one object to another.
pub fn replacement(rng: &mut Rng, from: &Value, to: &Value) -> Value {
    let path_in = |rng: &mut Rng, object: &Value| {
        let leaves: Vec<Vec<Step>> = place::all(object).into_iter().filter(|found| is_field(found)).collect();
        let texts = leaves
            .iter()
            .filter(|found| place::at(&mut object.clone(), found).is_some_and(|value| value.is_string()));
        let texts: Vec<&Vec<Step>> = texts.collect();
        match (texts.is_empty(), rng.chance(85)) {
            (false, true) => rng.pick(&texts).to_vec(),
            _ if leaves.is_empty() => vec![Step::Key("data".to_owned()), Step::Key("a".to_owned())],
            _ => rng.pick(&leaves).clone(),
        }
    };
    let (source, found) = (path_in(rng, from), path_in(rng, to));
    let source_path = place::field_path(rng, from, &source).replace('*', "0");
    let mut path = place::field_path(rng, to, &found);
    let mut options = json!({});
    if rng.chance(20) {
        options["create"] = json!(true);
        path += rng.pick::<&str>(&["", ".made", ".x.y"]);
    }
    if rng.chance(20) {
        options["delimiter"] = json!(rng.pick(&["-", ".", "/", ":"]));
        options["index"] = json!(rng.below(4) as i64 - 1);
    }
    if rng.chance(5) {
        options["encoding"] = json!("base64");
    }
    let mut replacement = json!({
        "source": { "kind": from["kind"], "name": name(from), "fieldPath": source_path },
        "targets": [{ "select": target(rng, to, 15), "fieldPaths": [path] }],
    });
    if rng.chance(60) {
        replacement["targets"][0]["options"] = options;
    }
    if rng.chance(10) {
        replacement["targets"][0]["reject"] = json!([{ "name": rng.pick(objects::NAMES) }]);
    }
    if rng.chance(10) {
        replacement["source"]["options"] = json!({ "delimiter": rng.pick(&["-", "."]), "index": rng.below(2) });
    }
    replacement
}
