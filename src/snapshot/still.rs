//! What moves while nothing happens, and is left out.

use serde_json::Value;

/// A field that is written again and again: group and kind ("*" any), the way to it (`*` stands for each element), why.
struct Row {
    group: &'static str,
    kind: &'static str,
    way: &'static [&'static str],
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the table"))]
    why: &'static str,
}

#[rustfmt::skip]
const MOVING: &[Row] = &[
    Row { group: "coordination.k8s.io", kind: "Lease", way: &["spec", "renewTime"], why: "written anew every few seconds by whoever holds it" },
    Row { group: "", kind: "Node", way: &["status", "conditions", "*", "lastHeartbeatTime"], why: "written anew every few minutes by the kubelet" },
    Row { group: "*", kind: "*", way: &["metadata", "annotations", "control-plane.alpha.kubernetes.io/leader"], why: "elections before there were Leases" },
    Row { group: "argoproj.io", kind: "Application", way: &["status", "reconciledAt"], why: "written anew every few minutes by Argo CD" },
];

/// Takes out what moves: the resource version of every object, the fields of the table, and, where one of these was, the times at which
/// managers wrote, which moved with it.
pub(super) fn still(group: &str, kind: &str, value: &mut Value) {
    take(value, &["metadata", "resourceVersion"]);
    let mut moved = false;
    for row in MOVING {
        let fits = |pattern: &str, text: &str| pattern == "*" || pattern == text;
        if fits(row.group, group) && fits(row.kind, kind) {
            moved |= take(value, row.way);
        }
    }
    if moved {
        take(value, &["metadata", "managedFields", "*", "time"]);
    }
}

/// Takes out what is there; says whether there was any. A mapping that is empty then goes, too.
fn take(value: &mut Value, way: &[&str]) -> bool {
    let Some((first, rest)) = way.split_first() else {
        return false;
    };
    match value {
        Value::Array(list) if *first == "*" => list.iter_mut().fold(false, |any, one| take(one, rest) | any),
        Value::Object(map) if rest.is_empty() => map.shift_remove(*first).is_some(),
        Value::Object(map) => {
            let Some(below) = map.get_mut(*first) else {
                return false;
            };
            let taken = take(below, rest);
            if taken && below.as_object().is_some_and(serde_json::Map::is_empty) {
                map.shift_remove(*first);
            }
            taken
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_row_fires_in_its_kind_only() {
        for row in MOVING {
            let (group, kind) = (row.group.replace('*', "x"), row.kind.replace('*', "X"));
            let mut object = json!({"metadata": {"name": "a", "resourceVersion": "7", "managedFields": [{"manager": "m", "time": "t"}]}});
            let mut at = &mut object;
            for step in row.way {
                at = match *step {
                    "*" => {
                        *at = json!([{"type": "Ready"}]);
                        &mut at[0]
                    }
                    name => {
                        if !at.is_object() {
                            *at = json!({});
                        }
                        &mut at[name]
                    }
                };
            }
            *at = "2026-01-02T03:04:05Z".into();
            let mut other = object.clone();
            still(&group, &kind, &mut object);
            assert!(!object.to_string().contains("2026-01-02"), "{object}");
            assert_eq!(
                object["metadata"],
                json!({"name": "a", "managedFields": [{"manager": "m"}]}),
                "{}",
                row.why
            );
            if row.kind != "*" {
                still("other.example", "Other", &mut other);
                assert!(other.to_string().contains("2026-01-02"), "{other}");
                assert_eq!(other["metadata"]["managedFields"][0]["time"], "t");
            }
        }
    }
}
