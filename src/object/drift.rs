//! What of a declared object is not so in the live one, offline: every declared field must be there with an equal value.
//!
//! Not a difference: other spellings of one quantity (`1000m` and `1`, `0.5Gi` and `512Mi`), `null` and absent, fields that
//! the server or others added, the order of lists whose elements have a name, injected `caBundle`s.

use serde_json::{Map, Value};

/// Keys by which elements of lists are told apart, the first that all elements have as a scalar. From the list-map keys of
/// the built-in types (`x-kubernetes-list-map-keys` of the API server's schema).
const LIST_KEYS: &[&[&str]] = &[
    &["name"],
    &["mountPath"],
    &["devicePath"],
    &["containerPort", "protocol"],
    &["containerPort"],
    &["port", "protocol"],
    &["port"],
    &["key", "effect"],
    &["ip"],
    &["type"],
    &["topologyKey"],
];

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

/// The key fields by which all elements can be told apart.
fn keys_of(list: &[Value]) -> Option<&'static [&'static str]> {
    let usable = |keys: &&&'static [&'static str]| {
        let named = |v: &Value| {
            keys.iter()
                .all(|k| v.get(k).is_some_and(|k| k.is_string() || k.is_number()))
        };
        let key = |v: &Value| keys.iter().map(|k| v.get(k).map(Value::to_string)).collect::<Vec<_>>();
        let mut seen: Vec<_> = list.iter().map(key).collect();
        seen.sort();
        seen.dedup();
        list.iter().all(named) && seen.len() == list.len()
    };
    LIST_KEYS.iter().find(usable).copied()
}

fn label(element: &Value, keys: &[&str]) -> String {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    keys.iter()
        .filter_map(|key| Some(format!("{key}={}", shown(element.get(key)?))))
        .collect::<Vec<_>>()
        .join(",")
}

fn child(path: &str, key: &str) -> String {
    if key.contains(['.', '/', '[']) {
        format!("{path}[{key}]")
    } else {
        format!("{path}.{key}")
    }
}

/// Values that the server leaves out: `null`, empty maps and lists, and the zero values of fields with `omitempty`.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_nothing),
        Value::Array(list) => list.is_empty(),
        Value::Bool(flag) => !flag,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
    }
}

fn same_scalar(declared: &Value, live: &Value) -> bool {
    if declared == live || (is_nothing(declared) && is_nothing(live)) {
        return true;
    }
    if let (Some(declared), Some(live)) = (declared.as_f64(), live.as_f64()) {
        return declared == live;
    }
    match (quantity(declared), quantity(live)) {
        (Some(declared), Some(live)) => declared == live,
        _ => false,
    }
}

/// A Kubernetes quantity in billionths, rounded up; `None` for other values.
/// Suffixes as in apimachinery's `resource.Quantity`.
fn quantity(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+'));
    let (number, suffix) = text.split_at(split.unwrap_or(text.len()));
    if number.is_empty() {
        None
    } else {
        billionths(number, suffix)
    }
}

fn billionths(number: &str, suffix: &str) -> Option<i128> {
    let nano: i128 = 1_000_000_000;
    let factor: i128 = match suffix {
        "" => nano,
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "k" => nano * 1_000,
        "M" => nano * 1_000_000,
        "G" => nano * 1_000_000_000,
        "T" => nano * 1_000_000_000_000,
        "P" => nano * 1_000_000_000_000_000,
        "E" => nano * 1_000_000_000_000_000_000,
        "Ki" => nano << 10,
        "Mi" => nano << 20,
        "Gi" => nano << 30,
        "Ti" => nano << 40,
        "Pi" => nano << 50,
        "Ei" => nano << 60,
        _ => nano.checked_mul(10_i128.checked_pow(suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?)?,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole_value = if whole.is_empty() {
        0
    } else {
        whole.parse::<i128>().ok()?
    }
    .checked_mul(factor)?;
    if part.is_empty() {
        return Some(whole_value);
    }
    let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part_value = part.parse::<i128>().ok()?.checked_mul(factor)? / scale;
    Some(if whole.starts_with('-') {
        whole_value - part_value
    } else {
        whole_value + part_value
    })
}

#[cfg(test)]
mod tests {
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
