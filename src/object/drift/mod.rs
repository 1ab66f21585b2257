//! What of a declared object is not so in the live one, offline: every declared field must be there with an equal value.
//!
//! Not a difference: other spellings of one quantity (`1000m` and `1`, `0.5Gi` and `512Mi`), `null` and absent, fields that
//! the server or others added, the order of lists whose elements have a name, injected `caBundle`s.

mod adopt;
mod arrange;
mod between;
mod by_design;
mod clean;
mod defaults;
mod jq;
mod kept;
mod managed;
mod pair;
mod path;
mod scalar;
mod scaling;
#[cfg(test)]
mod tests;
mod waived;
mod walk;

use serde_json::{Map, Value};

pub use adopt::{Adopted, adopt};
pub use between::{between, without_values};
pub use clean::{Cleaning, Known, Learned, is_mark};
pub use jq::Expression;
pub use pair::{Pair, Suspects};
pub(crate) use path::{child, keys_of, label};
use scalar::{is_nothing, same_scalar};
pub use scaling::Scaling;

/// The declared fields that are missing or different in `live`, as paths (`.spec.replicas`), sorted; never values.
pub fn differences(declared: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(declared, live, "", &mut found);
    found.sort();
    found
}

fn compare(declared: &Value, live: &Value, path: &str, found: &mut Vec<String>) {
    match (declared, live) {
        (Value::Object(declared), Value::Object(live)) => compare_maps(declared, live, path, found),
        (Value::Array(declared), Value::Array(live)) => compare_lists(declared, live, path, found),
        _ if same_scalar(declared, live) => {}
        _ => found.push(path.to_owned()),
    }
}

fn compare_maps(declared: &Map<String, Value>, live: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    for (key, value) in declared {
        if left_to_the_server(key, value, declared) {
            continue;
        }
        let path = child(path, key);
        match live.get(key) {
            Some(live) => compare(value, live, &path, found),
            None if is_nothing(value) => {}
            None => found.push(path),
        }
    }
}

/// Fields that the server fills in or overrules, whatever is declared.
fn left_to_the_server(key: &str, value: &Value, beside: &Map<String, Value>) -> bool {
    match key {
        // Injected.
        "caBundle" => true,
        // The old name of `serviceAccountName`, which goes before it.
        "serviceAccount" if beside.contains_key("serviceAccountName") => true,
        // Empty stands for "by the image's tag".
        "imagePullPolicy" if value.as_str() == Some("") => true,
        _ => value.is_null(),
    }
}

fn compare_lists(declared: &[Value], live: &[Value], path: &str, found: &mut Vec<String>) {
    if let Some(keys) = keys_of(declared).filter(|_| !declared.is_empty()) {
        for element in declared {
            let same = |other: &&Value| keys.iter().all(|key| element.get(key) == other.get(key));
            let path = format!("{path}[{}]", label(element, keys));
            match live.iter().find(same) {
                Some(live) => compare(element, live, &path, found),
                None => found.push(path),
            }
        }
        return;
    }
    let scalars = |list: &[Value]| list.iter().all(|v| !v.is_object() && !v.is_array());
    if declared.len() != live.len() {
        // A list of plain values that others may add to (finalizers) still holds what was declared.
        let added = scalars(declared) && declared.iter().all(|v| live.iter().any(|l| same_scalar(v, l)));
        if !added {
            found.push(path.to_owned());
        }
        return;
    }
    for (index, (declared, live)) in declared.iter().zip(live).enumerate() {
        compare(declared, live, &format!("{path}[{index}]"), found);
    }
}

#[cfg(test)]
mod offline {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_in_other_spellings() {
        for (declared, live) in [
            (json!({"cpu": "1000m"}), json!({"cpu": "1"})),
            (json!({"memory": "0.5Gi"}), json!({"memory": "512Mi"})),
            (json!({"size": "1e3"}), json!({"size": "1k"})),
            (json!({"cpu": 1}), json!({"cpu": "1"})),
            (json!({"a": null, "b": {}, "c": [], "d": false}), json!({})),
            (json!({"n": 1.0}), json!({"n": 1})),
            (
                json!({"terminationGracePeriodSeconds": null}),
                json!({"terminationGracePeriodSeconds": 30}),
            ),
            (json!({"imagePullPolicy": ""}), json!({"imagePullPolicy": "Always"})),
            (json!({"imagePullPolicy": null}), json!({"imagePullPolicy": "Always"})),
            (
                json!({"serviceAccount": "a", "serviceAccountName": "b"}),
                json!({"serviceAccount": "b", "serviceAccountName": "b"}),
            ),
            (
                json!({"clientConfig": {"caBundle": "Cg=="}}),
                json!({"clientConfig": {"caBundle": "TFMt"}}),
            ),
            (json!({"f": ["a"]}), json!({"f": ["a", "kubernetes"]})),
        ] {
            assert_eq!(differences(&declared, &live), Vec::<String>::new(), "{declared} {live}");
        }
    }

    #[test]
    fn changed_removed_and_wrong_type_are_found_by_path() {
        let declared = json!({"spec": {"replicas": 3, "paused": true, "template": {"x": 1}, "args": ["a", "b"]},
            "metadata": {"annotations": {"example.com/a": "b"}}});
        let live =
            json!({"spec": {"replicas": 2, "template": "x", "args": ["b", "a"]}, "metadata": {"annotations": {}}});
        assert_eq!(
            differences(&declared, &live),
            [
                ".metadata.annotations[example.com/a]",
                ".spec.args[0]",
                ".spec.args[1]",
                ".spec.paused",
                ".spec.replicas",
                ".spec.template"
            ]
        );
    }

    #[test]
    fn named_elements_are_matched_by_name() {
        let declared = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]});
        let live = json!({"containers": [{"name": "sidecar"}, {"name": "b", "image": "z"}, {"name": "a", "image": "x", "tty": false}]});
        assert_eq!(differences(&declared, &live), [".containers[name=b].image"]);
    }

    #[test]
    fn different_quantities_differ() {
        for (declared, live) in [("1", "1001m"), ("1Gi", "1G"), ("100m", "1"), ("abc", "abd")] {
            assert_eq!(
                differences(&json!({"q": declared}), &json!({"q": live})),
                [".q"],
                "{declared} {live}"
            );
        }
    }
}
