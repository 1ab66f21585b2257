use serde_json::json;

use super::*;

/// What the row is about, what its values are, a value of the object, that of the patch, and what kustomize makes of them.
type Row = (&'static str, &'static str, Value, Value, Result<Value, &'static str>);

/// The object that has the value: a `pod`'s spec, the `env` or `ports` of its container, its `finalizers`, the spec of a `thing` of no
/// known kind, or all of it.
fn wrapped(what: &str, value: Value) -> Value {
    let mut object = match what {
        "root" | "thing" => json!({"apiVersion": "example.org/v1", "kind": "Thing"}),
        _ => json!({"apiVersion": "v1", "kind": "Pod"}),
    };
    match (what, &value) {
        ("root", Value::Object(fields)) => {
            for (key, value) in fields {
                object[key] = value.clone();
            }
        }
        ("thing" | "pod", _) => object["spec"] = value,
        ("finalizers", _) => object["metadata"] = json!({"finalizers": value}),
        _ => object["spec"] = json!({"containers": [{"name": "c", what: value}]}),
    }
    object
}

/// All rows were made by kyaml 0.21.1.
#[test]
fn patches_merge_as_in_kustomize() {
    for (about, what, dest, patch, want) in rows() {
        let schema = Schema::builtin();
        let mut object = wrapped(what, dest);
        let merged = Merge {
            schema: &schema,
            keeps_nulls: true,
        }
        .apply(&mut object, &wrapped(what, patch));
        match (merged, want) {
            (Ok(Merged::Changed), Ok(want)) => assert_eq!(object, wrapped(what, want), "{about}"),
            (Err(misfit), Err(want)) => assert_eq!(misfit.message, want, "{about}"),
            (merged, want) => panic!("{about}: {merged:?}, not {want:?}"),
        }
    }
}

#[test]
fn an_object_is_deleted_by_directive() {
    let schema = Schema::builtin();
    let mut object = wrapped("thing", json!({}));
    let patch = json!({"apiVersion": "example.org/v1", "kind": "Thing", "$patch": "delete"});
    let merged = Merge {
        schema: &schema,
        keeps_nulls: false,
    }
    .apply(&mut object, &patch);
    assert_eq!(merged, Ok(Merged::Deleted));
}

#[test]
fn nulls_of_the_object_stay_where_they_are_written_out() {
    let schema = Schema::builtin();
    for (keeps_nulls, want) in [
        (true, json!({"a": null, "b": {"c": null}, "l": [null]})),
        (false, json!({"b": {}, "l": [null]})),
    ] {
        let mut object = wrapped("thing", json!({"a": null, "b": {"c": null}, "l": [null]}));
        let merged = Merge {
            schema: &schema,
            keeps_nulls,
        }
        .apply(&mut object, &wrapped("thing", json!({})));
        assert_eq!((merged, &object["spec"]), (Ok(Merged::Changed), &want));
    }
}

#[test]
fn a_misfit_tells_where() {
    let schema = Schema::builtin();
    let mut object = wrapped(
        "env",
        json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x"}}}]),
    );
    let patch = wrapped("env", json!([{"name": "A", "valueFrom": {"secretKeyRef": "y"}}]));
    let misfit = Merge {
        schema: &schema,
        keeps_nulls: true,
    }
    .apply(&mut object, &patch)
    .expect_err("no fit");
    assert_eq!(
        misfit.to_string(),
        "spec.containers.c.env.A.valueFrom.secretKeyRef: wrong node kind: expected MappingNode but got ScalarNode"
    );
}

#[test]
fn long_lists_with_shared_keys_are_refused() {
    let schema = Schema::builtin();
    let list: Vec<Value> = (0..20_000).map(|_| json!({"name": "A"})).collect();
    let mut object = wrapped("env", Value::Array(list));
    let misfit = Merge {
        schema: &schema,
        keeps_nulls: true,
    }
    .apply(&mut object, &wrapped("env", json!([])));
    assert!(misfit.expect_err("too long").to_string().contains("too long"));
}

fn rows() -> Vec<Row> {
    vec![
        (
            "a field is set, one is added, null removes one",
            "thing",
            json!({"a": 1, "b": 2}),
            json!({"a": 3, "b": null, "c": 4}),
            Ok(json!({"a": 3, "c": 4})),
        ),
        (
            "nulls within what is added go",
            "thing",
            json!({}),
            json!({"m": {"x": null, "y": {"z": null}}, "l": [null, 1]}),
            Ok(json!({"l": [null, 1], "m": {"y": {}}})),
        ),
        (
            "lists without merge key are replaced, and keep their directive",
            "thing",
            json!({"l": [1, 2]}),
            json!({"l": [{"$patch": "merge"}, 3]}),
            Ok(json!({"l": [{"$patch": "merge"}, 3]})),
        ),
        (
            "maps are deleted and replaced by directive",
            "thing",
            json!({"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}),
            json!({"a": {"$patch": "delete"}, "b": {"$patch": "replace", "y": 2}, "c": {"$patch": "merge", "y": 2}}),
            Ok(json!({"b": {"y": 2}, "c": {"x": 1, "y": 2}})),
        ),
        (
            "an addition loses its directive, or is none",
            "thing",
            json!({}),
            json!({"a": {"$patch": "delete", "x": 1}, "b": {"$patch": "replace", "y": 2, "z": {"$patch": "delete"}}}),
            Ok(json!({"b": {"y": 2}})),
        ),
        (
            "an addition keeps a directive that is not known",
            "thing",
            json!({}),
            json!({"a": {"$patch": "foo", "x": 1}}),
            Ok(json!({"a": {"$patch": "foo", "x": 1}})),
        ),
        (
            "a directive for the whole object that replaces does nothing",
            "root",
            json!({"a": 1}),
            json!({"$patch": "replace", "b": 1}),
            Ok(json!({"a": 1})),
        ),
        (
            "an embedded object merges by its own kind",
            "thing",
            json!({"t": {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "image": "i"}]}}}),
            json!({"t": {"spec": {"containers": [{"name": "a", "image": "j"}]}}}),
            Ok(
                json!({"t": {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "j", "name": "a"}]}}}),
            ),
        ),
        (
            "a quoted text keeps its quotes",
            "thing",
            json!({"a": "5", "b": "x"}),
            json!({"a": 7, "b": 7}),
            Ok(json!({"a": "7", "b": 7})),
        ),
        (
            "unknown directives stay",
            "pod",
            json!({"containers": [{"name": "a"}]}),
            json!({"$setElementOrder/containers": [{"name": "a"}], "$retainKeys": ["containers"], "$deleteFromPrimitiveList/args": ["x"]}),
            Ok(
                json!({"$deleteFromPrimitiveList/args": ["x"], "$retainKeys": ["containers"], "$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a"}]}),
            ),
        ),
        (
            "named items come first, in the order of the patch",
            "pod",
            json!({"containers": [{"name": "a"}, {"name": "b", "image": "i"}, {"name": "c"}]}),
            json!({"containers": [{"name": "d"}, {"name": "b", "image": "j"}]}),
            Ok(json!({"containers": [{"name": "d"}, {"image": "j", "name": "b"}, {"name": "a"}, {"name": "c"}]})),
        ),
        (
            "items are deleted",
            "pod",
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            json!({"containers": [{"name": "a", "$patch": "delete"}, {"name": "z", "$patch": "delete"}]}),
            Ok(json!({"containers": [{"name": "b"}]})),
        ),
        (
            "an item cannot be replaced",
            "pod",
            json!({"containers": [{"name": "a", "image": "i"}]}),
            json!({"containers": [{"name": "a", "$patch": "replace", "args": ["x"]}]}),
            Ok(json!({"containers": [{"image": "i", "name": "a"}]})),
        ),
        (
            "a list is replaced",
            "pod",
            json!({"containers": [{"name": "a", "image": "i"}]}),
            json!({"containers": [{"$patch": "replace"}, {"name": "b"}]}),
            Ok(json!({"containers": [{"name": "b"}]})),
        ),
        (
            "a list is deleted",
            "pod",
            json!({"containers": [{"name": "a"}], "volumes": [{"name": "v"}]}),
            json!({"volumes": [{"$patch": "delete"}]}),
            Ok(json!({"containers": [{"name": "a"}]})),
        ),
        (
            "a list is merged by directive",
            "pod",
            json!({"volumes": [{"name": "v"}]}),
            json!({"volumes": [{"name": "w"}, {"$patch": "merge"}]}),
            Ok(json!({"volumes": [{"name": "w"}, {"name": "v"}]})),
        ),
        (
            "a directive in a list that is added stays alone",
            "pod",
            json!({}),
            json!({"volumes": [{"$patch": "replace"}, {"name": "w"}]}),
            Ok(json!({"volumes": [{"$patch": "replace"}]})),
        ),
        (
            "an empty list changes nothing",
            "pod",
            json!({"volumes": [{"name": "v"}]}),
            json!({"volumes": []}),
            Ok(json!({"volumes": [{"name": "v"}]})),
        ),
        (
            "null removes a list",
            "pod",
            json!({"volumes": [{"name": "v"}]}),
            json!({"volumes": null}),
            Ok(json!({})),
        ),
        (
            "items with two keys",
            "ports",
            json!([{"containerPort": 80, "protocol": "TCP", "name": "a"}, {"containerPort": 80, "protocol": "UDP", "name": "b"}]),
            json!([{"containerPort": 80, "protocol": "UDP", "name": "c"}, {"containerPort": 81, "protocol": "TCP"}]),
            Ok(
                json!([{"containerPort": 81, "protocol": "TCP"}, {"containerPort": 80, "name": "a", "protocol": "TCP"}, {"containerPort": 80, "name": "c", "protocol": "UDP"}]),
            ),
        ),
        (
            "items with two keys, none with the second",
            "ports",
            json!([{"containerPort": 80, "name": "a"}]),
            json!([{"containerPort": 81}, {"containerPort": 80, "name": "b"}]),
            Ok(json!([{"containerPort": 81}, {"containerPort": 80, "name": "b"}])),
        ),
        (
            "the second key in the object only",
            "ports",
            json!([{"containerPort": 80, "protocol": "TCP", "name": "a"}]),
            json!([{"containerPort": 80, "name": "b"}]),
            Ok(json!([{"containerPort": 80, "name": "a", "protocol": "TCP"}])),
        ),
        (
            "the second key in the patch only",
            "ports",
            json!([{"containerPort": 80, "name": "a"}]),
            json!([{"containerPort": 80, "protocol": "TCP", "name": "b"}]),
            Ok(json!([{"containerPort": 80, "name": "a"}])),
        ),
        (
            "the second key in some",
            "ports",
            json!([{"containerPort": 80, "name": "a"}, {"containerPort": 81, "protocol": "TCP"}]),
            json!([{"containerPort": 82, "name": "b"}]),
            Ok(
                json!([{"containerPort": 82, "name": "b"}, {"containerPort": 80, "name": "a"}, {"containerPort": 81, "protocol": "TCP"}]),
            ),
        ),
        (
            "items with one key become one",
            "env",
            json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "B"}]),
            json!([]),
            Ok(json!([{"name": "A", "value": "2"}, {"name": "B"}])),
        ),
        (
            "items with one key, one of them patched",
            "env",
            json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "B"}]),
            json!([{"name": "A", "value": "3"}]),
            Ok(json!([{"name": "A", "value": "2"}, {"name": "B"}])),
        ),
        (
            "an item without key takes all others with it",
            "env",
            json!([{"name": "A"}, {"value": "x"}, {"name": "B"}]),
            json!([]),
            Ok(json!([{"value": "x"}])),
        ),
        (
            "an item without key is last",
            "env",
            json!([{"name": "A"}, {"value": "x"}]),
            json!([]),
            Ok(json!([{"value": "x"}])),
        ),
        (
            "a patch item without key",
            "env",
            json!([{"name": "A"}]),
            json!([{"value": "x"}]),
            Ok(json!([])),
        ),
        (
            "empty items go with the first change",
            "env",
            json!([{"name": "A"}, {}, null, {"name": "B"}]),
            json!([{"name": "C"}]),
            Ok(json!([{"name": "C"}, {"name": "A"}])),
        ),
        (
            "texts without key are a set",
            "finalizers",
            json!(["a", "b", "b"]),
            json!(["c", "a"]),
            Ok(json!(["c", "a", "b"])),
        ),
        (
            "keys are compared as texts",
            "ports",
            json!([{"containerPort": 80, "name": "a"}]),
            json!([{"containerPort": "80", "name": "b"}]),
            Ok(json!([{"containerPort": "80", "name": "b"}])),
        ),
        (
            "a map where a text is",
            "thing",
            json!({"a": "x"}),
            json!({"a": {"b": 1}}),
            Err("wrong node kind: expected ScalarNode but got MappingNode"),
        ),
        (
            "a list where a map is",
            "thing",
            json!({"a": {"b": {"c": 1}}}),
            json!({"a": {"b": [1]}}),
            Err("wrong node kind: expected MappingNode but got SequenceNode"),
        ),
        (
            "an unknown directive",
            "thing",
            json!({"a": {"b": 1}}),
            json!({"a": {"$patch": "foo"}}),
            Err("unknown patch strategy 'foo'"),
        ),
        (
            "an unknown directive of a list",
            "pod",
            json!({"volumes": [{"name": "v"}]}),
            json!({"volumes": [{"$patch": "foo"}]}),
            Err("unknown patch strategy 'foo'"),
        ),
    ]
}
