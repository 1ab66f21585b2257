//! The fields that differ between two revisions of a manifest.

use serde_json::{Map, Value};

use super::drift::{child, keys_of, label};
use super::{FieldEdit, ObjectId};

/// Where `kubectl apply` keeps a whole manifest, the values of a Secret too.
const LAST_APPLIED: &str = "[kubectl.kubernetes.io/last-applied-configuration]";

/// The fields that differ between two manifests of an object, in the order of the earlier one, added ones last.
///
/// Elements of lists are matched by their names where they have some, as in
/// [`differences`](super::differences); other lists are one value. Of a Secret no value is given, and its data is one field, `.data`.
pub fn edits(id: &ObjectId, before: &Value, after: &Value) -> Vec<FieldEdit> {
    let mut found = Vec::new();
    compare(before, after, "", &mut found);
    if id.is("", "Secret") {
        hide_data(&mut found);
    }
    for edit in &mut found {
        if edit.path.ends_with(LAST_APPLIED) {
            hide(edit);
        }
    }
    found
}

/// Takes the values from the edits of a Secret, and makes one of those of its data.
fn hide_data(found: &mut Vec<FieldEdit>) {
    let is_data = |edit: &FieldEdit| {
        let field = edit.path.get(1..).unwrap_or_default();
        let field = field.split(['.', '[']).next().unwrap_or_default();
        matches!(field, "data" | "stringData")
    };
    let first = found.iter().position(is_data);
    if let Some(first) = first {
        found[first].path = ".data".to_owned();
        let mut at = 0;
        found.retain(|edit| {
            at += 1;
            at == first + 1 || !is_data(edit)
        });
    }
    found.iter_mut().for_each(hide);
}

fn hide(edit: &mut FieldEdit) {
    *edit = FieldEdit {
        path: std::mem::take(&mut edit.path),
        before: None,
        after: None,
        is_hidden: true,
    };
}

fn compare(before: &Value, after: &Value, path: &str, found: &mut Vec<FieldEdit>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => compare_maps(before, after, path, found),
        (Value::Array(before), Value::Array(after)) if has_names(before, after) => {
            compare_lists(before, after, path, found);
        }
        _ => found.push(edit(path.to_owned(), Some(before), Some(after))),
    }
}

fn edit(path: String, before: Option<&Value>, after: Option<&Value>) -> FieldEdit {
    FieldEdit {
        path,
        before: before.cloned(),
        after: after.cloned(),
        is_hidden: false,
    }
}

fn compare_maps(before: &Map<String, Value>, after: &Map<String, Value>, path: &str, found: &mut Vec<FieldEdit>) {
    for (key, value) in before {
        let path = child(path, key);
        match after.get(key) {
            Some(after) => compare(value, after, &path, found),
            None => found.push(edit(path, Some(value), None)),
        }
    }
    for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        found.push(edit(child(path, key), None, Some(value)));
    }
}

/// Whether the elements of both lists can be told apart by the same fields.
fn has_names(before: &[Value], after: &[Value]) -> bool {
    !before.is_empty() && !after.is_empty() && keys_of(before).is_some() && keys_of(before) == keys_of(after)
}

fn compare_lists(before: &[Value], after: &[Value], path: &str, found: &mut Vec<FieldEdit>) {
    let Some(keys) = keys_of(before) else { return };
    let place = |element: &Value| format!("{path}[{}]", label(element, keys));
    let same = |a: &Value, b: &Value| keys.iter().all(|key| a.get(key) == b.get(key));
    let known = found.len();
    for element in before {
        match after.iter().find(|other| same(element, other)) {
            Some(other) => compare(element, other, &place(element), found),
            None => found.push(edit(place(element), Some(element), None)),
        }
    }
    for element in after.iter().filter(|a| !before.iter().any(|b| same(a, b))) {
        found.push(edit(place(element), None, Some(element)));
    }
    if found.len() == known {
        // Only the order differs.
        let (before, after) = (Value::from(before), Value::from(after));
        found.push(edit(path.to_owned(), Some(&before), Some(&after)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(kind: &str, before: &Value, after: &Value) -> Vec<String> {
        let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let id = ObjectId::new("", kind, None, "a");
        let found = edits(&id, before, after);
        found
            .iter()
            .map(|edit| format!("{} {} {}", edit.path, text(&edit.before), text(&edit.after)))
            .collect()
    }

    #[test]
    fn fields_are_named_by_path() {
        let before = json!({"spec": {"replicas": 2, "paused": true, "args": ["a"],
            "containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}});
        let after = json!({"spec": {"replicas": 3, "args": ["a", "b"], "new": {},
            "containers": [{"name": "c"}, {"name": "b", "image": "z"}]}});
        assert_eq!(
            shown("Pod", &before, &after),
            [
                ".spec.replicas 2 3",
                ".spec.paused true -",
                ".spec.args [\"a\"] [\"a\",\"b\"]",
                ".spec.containers[name=a] {\"name\":\"a\",\"image\":\"x\"} -",
                ".spec.containers[name=b].image \"y\" \"z\"",
                ".spec.containers[name=c] - {\"name\":\"c\"}",
                ".spec.new - {}",
            ]
        );
        let (one, two) = (
            json!({"l": [{"name": "a"}, {"name": "b"}]}),
            json!({"l": [{"name": "b"}, {"name": "a"}]}),
        );
        assert_eq!(shown("Pod", &one, &one), Vec::<String>::new());
        assert_eq!(shown("Pod", &one, &two).len(), 1);
    }

    #[test]
    fn values_of_secrets_are_not_given() {
        let before =
            json!({"metadata": {"labels": {"a": "canary"}}, "data": {"p": "canary", "q": "canary"}, "type": "x"});
        let after = json!({"metadata": {"labels": {"a": "canary2"}}, "stringData": {"r": "canary"}, "type": "canary"});
        assert_eq!(
            shown("Secret", &before, &after),
            [".metadata.labels.a - -", ".data - -", ".type - -"]
        );
        assert_eq!(
            shown(
                "Secret",
                &json!({"a": 1, "data": {"p": "x"}}),
                &json!({"a": 1, "data": {"p": "y"}})
            ),
            [".data - -"]
        );
        let with = |text: &str| json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": text}}});
        assert_eq!(
            shown("ConfigMap", &with("canary"), &with("other")),
            [".metadata.annotations[kubectl.kubernetes.io/last-applied-configuration] - -"]
        );
    }
}
