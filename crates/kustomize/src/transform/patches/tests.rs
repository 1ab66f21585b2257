use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::context::Reads;
use crate::resource::Resource;
use crate::schema::Schema;

struct Memory(HashMap<&'static str, &'static str>);

impl Reads for Memory {
    fn read(&self, path: &str) -> Outcome<(Arc<[u8]>, String)> {
        let text = self
            .0
            .get(path)
            .ok_or_else(|| Trouble::new(format!("{path}: no such file")))?;
        Ok((text.as_bytes().into(), format!("base/{path}")))
    }
}

const OBJECTS: &str = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: '1'}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: shop, labels: {l: '1'}, annotations: {q: w}}
data: {x: '2'}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 1}}
";

const FILE: &str = "# a patch\n{apiVersion: v1, kind: ConfigMap, metadata: {name: nope}}\n";

/// Applies patches to [`OBJECTS`], and gives what differs from them: `a`, `b` and `d` for the three, null where one is gone.
fn with(apply: impl FnOnce(&mut ResMap, &Context<'_>) -> Outcome<()>) -> Outcome<Value> {
    let (schema, config) = (Schema::builtin(), Config::default());
    let files = Memory(HashMap::from([("nope.yaml", FILE), ("empty.yaml", "# nothing\n")]));
    let cx = Context {
        schema: &schema,
        config: &config,
        files: &files,
    };
    let objects = crate::context::parse(OBJECTS.as_bytes())?;
    let list = objects
        .iter()
        .map(|parsed| Resource::new(Arc::clone(&parsed.value), Arc::default()));
    let mut map = ResMap { list: list.collect() };
    for (resource, name) in map.list.iter_mut().zip(["a", "b", "d"]) {
        resource.vars.push(name.to_owned());
    }
    apply(&mut map, &cx)?;
    let mut changed = json!({});
    for (before, name) in objects.iter().zip(["a", "b", "d"]) {
        let now = map.list.iter().find(|resource| resource.vars[0] == name);
        match now {
            None => changed[name] = Value::Null,
            Some(now) if now.value == before.value => {}
            Some(now) => changed[name] = (*now.value).clone(),
        }
    }
    Ok(changed)
}

fn patched(patches: &Value) -> Outcome<Value> {
    let patches: Vec<Patch> = serde_json::from_value(patches.clone()).expect("patches");
    with(|map, cx| apply(map, &patches, cx))
}

fn config_map(name: &str, rest: &str) -> String {
    format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}{rest}}}")
}

/// What kustomize 5.8.1 does.
#[test]
fn patches_find_their_objects() {
    let y = ", data: {yy: z}";
    let a = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1", "yy": "z"}});
    let b = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "b", "namespace": "shop", "labels": {"l": "1"}, "annotations": {"q": "w"}},
        "data": {"x": "2", "yy": "z"},
    });
    let d = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"replicas": 1},
        "data": {"yy": "z"},
    });
    let replicas = |replicas: u64| {
        let mut d = d.clone();
        d["spec"]["replicas"] = json!(replicas);
        d.as_object_mut().expect("an object").shift_remove("data");
        d
    };
    let list = "{kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {yy: z}}, \
        {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 4}}]}";
    let rows = [
        (json!({"patch": config_map("a", y)}), json!({"a": a})),
        (json!({"patch": config_map("b, namespace: shop", y)}), json!({"b": b})),
        (
            json!({"patch": format!("{}\n---\n{}", config_map("a", y), config_map("b, namespace: shop", y))}),
            json!({"a": a, "b": b}),
        ),
        (json!({"patch": list}), json!({"a": a, "d": replicas(4)})),
        (
            json!({"patch": config_map("any", y), "target": {"kind": "ConfigMap"}}),
            json!({"a": a, "b": b}),
        ),
        (
            json!({"patch": config_map("any", y), "target": {"namespace": "default"}}),
            json!({"a": a, "d": d}),
        ),
        (
            json!({"patch": config_map("any", y), "target": {"kind": "Nope"}}),
            json!({}),
        ),
        (
            json!({"patch": config_map("any", ", $patch: delete"), "target": {"kind": "ConfigMap"}}),
            json!({"a": null, "b": null}),
        ),
        (
            json!({"patch": config_map("a", ", $patch: delete")}),
            json!({"a": null}),
        ),
        (json!({"path": "empty.yaml"}), json!({})),
        (json!({"patch": "[]", "target": {}}), json!({})),
        (
            json!({"patch": "- {op: replace, path: /spec/replicas, value: 3}", "target": {"kind": "Deployment"}}),
            json!({"d": replicas(3)}),
        ),
        (
            json!({"patch": "- {op: add, path: /data/yy, value: z}\n---\nnot: read", "target": {"name": "a", "kind": "ConfigMap"}}),
            json!({"a": a}),
        ),
    ];
    for (patch, want) in rows {
        assert_eq!(patched(&json!([patch])), Ok(want), "{patch}");
    }
}

#[test]
fn patches_are_refused_with_place_and_cause() {
    let rows = [
        (
            json!({"patch": config_map("b", "")}),
            "ConfigMap.v1.[noGrp]/b.[noNs]: none matches",
        ),
        (json!({"path": "nope.yaml"}), "/nope.[noNs]: none matches"),
        (json!({"path": "missing.yaml"}), "no such file"),
        (json!({}), "one of patch and path"),
        (json!({"patch": "a", "path": "b"}), "both patch and path"),
        (
            json!({"patch": "just text", "target": {}}),
            "neither an object nor a list",
        ),
        (json!({"patch": "{kind: ConfigMap}", "target": {}}), "no metadata.name"),
        (json!({"patch": "{metadata: {name: a}}", "target": {}}), "no kind"),
        (json!({"patch": "{kind: List, items: {}}"}), "not a list"),
        (
            json!({"patch": "- {op: remove, path: /data/x}"}),
            "must specify a target",
        ),
        (
            json!({"patch": "- {op: remove, path: /data/z}", "target": {"name": "a"}}),
            "ConfigMap.v1.[noGrp]/a.[noNs]: operation 0 (remove /data/z)",
        ),
        (
            json!({"patch": format!("{0}\n---\n{0}", config_map("a", "")), "target": {}}),
            "several strategic merge patches",
        ),
        (
            json!({"patch": config_map("a", ", data: [1]")}),
            "data: wrong node kind",
        ),
        (
            json!({"patch": config_map("a", ""), "target": {"name": "("}}),
            "regular expression",
        ),
        (json!({"patch": "{a: [b"}), "malformed YAML"),
        (
            json!({"patch": "[{op: remove, path: /data/x}]", "target": {"name": "a"}}),
            "no JSON",
        ),
        (
            json!({"patch": "- {op: remove, path: /kind}", "target": {"name": "a"}}),
            "takes its kind away",
        ),
        (
            json!({"patch": "- {op: remove, path: /metadata}", "target": {"name": "a"}}),
            "takes its metadata.name away",
        ),
    ];
    for (patch, want) in rows {
        let trouble = patched(&json!([{"patch": config_map("a", "")}, patch])).expect_err(&patch.to_string());
        assert!(trouble.message.contains(want), "{patch}: {}", trouble.message);
        assert_eq!(trouble.field.as_deref(), Some("patches[1]"));
    }
    let trouble = patched(&json!([{"path": "nope.yaml"}])).expect_err("refused");
    assert_eq!(
        (trouble.file.as_deref(), trouble.line),
        (Some("base/nope.yaml"), Some(2))
    );
}

/// Labels and annotations of the patched `b`.
fn metadata(patch: Value) -> Value {
    let mut changed = patched(&json!([patch])).expect("applies");
    let metadata = changed["b"]["metadata"].take();
    json!([metadata["labels"], metadata["annotations"]])
}

#[test]
fn a_target_makes_labels_and_annotations_texts() {
    let name = "b, namespace: shop, ";
    let rows = [
        (
            "labels: {l: null}",
            json!([{}, {"q": "w"}]),
            json!([{"l": "null"}, {"q": "w"}]),
        ),
        (
            "labels: null, annotations: {z: 1}",
            // Annotations are read as texts.
            json!([null, {"q": "w", "z": "1"}]),
            json!([{"l": "1"}, {"q": "w", "z": "1"}]),
        ),
        (
            "annotations: null",
            json!([{"l": "1"}, null]),
            json!([{"l": "1"}, {"q": "w"}]),
        ),
        (
            "labels: {$patch: delete}",
            json!([null, {"q": "w"}]),
            json!([null, {"q": "w"}]),
        ),
        (
            "labels: {$patch: replace, m: '2'}",
            json!([{"m": "2"}, {"q": "w"}]),
            json!([{"m": "2"}, {"q": "w"}]),
        ),
    ];
    for (fields, plain, targeted) in rows {
        // Something always changes, so that the object is there to look at.
        let text = config_map(&format!("{name}{fields}"), ", data: {yy: z}");
        assert_eq!(metadata(json!({"patch": text})), plain, "{fields}");
        assert_eq!(
            metadata(json!({"patch": text, "target": {"name": "b"}})),
            targeted,
            "{fields} with target"
        );
    }
}

#[test]
fn json_patches_find_annotations_to_add_to() {
    let add = "- {op: add, path: /metadata/annotations/z, value: 5}";
    let target = json!({"kind": "ConfigMap", "name": "a"});
    let changed = patched(&json!([{"patch": add, "target": target}])).expect("applies");
    assert_eq!(changed["a"]["metadata"]["annotations"], json!({"z": "5"}));
    let remove = "- {op: remove, path: /metadata/annotations}";
    assert_eq!(patched(&json!([{"patch": remove, "target": target}])), Ok(json!({})));

    let old: Vec<Patch> = serde_json::from_value(json!([{"patch": add, "target": target}])).expect("patches");
    let trouble = with(|map, cx| apply_json6902(map, &old, cx)).expect_err("there are none");
    assert_eq!(trouble.field.as_deref(), Some("patchesJson6902[0]"));
}

#[test]
fn names_and_kinds_change_where_that_is_allowed() {
    let row = |options: Value| {
        let text = "{kind: Secret, metadata: {name: c, namespace: other}}";
        let target = json!({"kind": "ConfigMap", "name": "a"});
        let mut changed = patched(&json!([{"patch": text, "target": target, "options": options}])).expect("applies");
        let a = changed["a"].take();
        json!([a["apiVersion"], a["kind"], a["metadata"]])
    };
    assert_eq!(row(json!(null)), json!([null, null, null]));
    assert_eq!(
        row(json!({"allowNameChange": true})),
        json!(["v1", "ConfigMap", {"name": "c"}])
    );
    assert_eq!(
        row(json!({"allowKindChange": true})),
        json!(["v1", "Secret", {"name": "a"}])
    );
}

#[test]
fn patches_strategic_merge_are_files_or_in_place() {
    let apply = |spec: Value| {
        let spec: PatchStrategicMerge = serde_json::from_value(spec).expect("a plugin");
        with(|map, cx| apply_strategic_merge(map, &spec, cx))
    };
    let text = config_map("a", ", data: {x: null}, extra: 1");
    let want =
        json!({"a": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}, "extra": 1}});
    assert_eq!(apply(json!({"paths": [text]})), Ok(want.clone()));
    assert_eq!(
        apply(json!({"apiVersion": "builtin", "kind": "x", "patches": text})),
        Ok(want)
    );
    let rows = [
        (
            json!({"paths": ["missing-kind.yaml"]}),
            "no such file",
            Some("patchesStrategicMerge[0]"),
        ),
        (
            json!({"paths": [text, "nope.yaml"]}),
            "none matches",
            Some("patchesStrategicMerge[1]"),
        ),
        (json!({"paths": ["empty.yaml"]}), "empty", None),
        (json!({}), "neither", None),
    ];
    for (spec, want, field) in rows {
        let trouble = apply(spec.clone()).expect_err("refused");
        assert!(trouble.message.contains(want), "{spec}: {}", trouble.message);
        assert_eq!(trouble.field.as_deref(), field, "{spec}");
    }
}

#[test]
fn patches_json6902_need_a_name() {
    let apply = |patch: Value| {
        let patches: Vec<Patch> = serde_json::from_value(json!([patch])).expect("patches");
        with(|map, cx| apply_json6902(map, &patches, cx))
    };
    let remove = "- {op: remove, path: /data/x}";
    let changed = apply(json!({"patch": remove, "target": {"version": "v1", "kind": "ConfigMap", "name": "a"}}));
    assert_eq!(changed.map(|changed| changed["a"]["data"].clone()), Ok(json!({})));
    assert_eq!(
        apply(json!({"patch": remove, "target": {"name": "nope"}})),
        Ok(json!({}))
    );
    for bad in [
        json!({"patch": remove, "target": {"kind": "ConfigMap"}}),
        json!({"patch": remove}),
        json!({"target": {"name": "a"}}),
        json!({"patch": "[]", "target": {"name": "a"}}),
        json!({"patch": "{a: b}", "target": {"name": "a"}}),
        json!({"path": "empty.yaml", "target": {"name": "a"}}),
    ] {
        assert!(apply(bad.clone()).is_err(), "{bad}");
    }
}
