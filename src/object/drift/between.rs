//! Two states of an object side by side, neither of which is the other's declaration.

use serde_json::{Map, Value};

use super::path::{Path, Step};
use super::walk::{Against, Side, walk};
use crate::object::FieldEdit;
use crate::object::normalize::LAST_APPLIED;

/// Fields of a Secret that hold no secret.
const IN_CLEAR: &[&[&str]] = &[&["metadata", "labels"], &["type"], &["immutable"]];

/// The fields in which two states of an object differ, in the order of the first one, what only the second has last. Other
/// spellings of one quantity and the order of lists whose elements have a name or none that counts are no difference.
///
/// Where `is_confidential`, values are given of those fields only that hold no secret.
pub fn between(before: &Value, after: &Value, is_confidential: bool) -> Vec<FieldEdit> {
    let mut found = Vec::new();
    for (path, side) in walk(before, after, Against::Server) {
        let held = match side {
            Side::OnlyWanted => path.at(before),
            _ => path.at(after),
        };
        // Each label, annotation and key is a field of its own, also where all of them came or went.
        match held {
            Some(Value::Object(map)) if side != Side::Differs && is_text_map(&path) => {
                let paths = map.keys().map(|key| path.child(Step::Field(key.clone())));
                found.extend(paths);
            }
            _ => found.push(path),
        }
    }
    let edit = |path: Path| {
        let text = path.to_string();
        let in_clear = || IN_CLEAR.iter().any(|fields| path.begins(fields));
        let is_hidden = is_confidential && !in_clear() || text.ends_with(&format!("[{LAST_APPLIED}]"));
        let value = |object: &Value| path.at(object).filter(|_| !is_hidden).cloned();
        FieldEdit {
            before: value(before),
            after: value(after),
            path: text,
            is_hidden,
        }
    };
    found.into_iter().map(edit).collect()
}

fn is_text_map(path: &Path) -> bool {
    matches!(path.last_field(), "labels" | "annotations" | "data" | "binaryData")
}

/// Puts one text in the place of every value of an object that holds secrets, so that only its keys are compared.
pub fn without_values(value: &Value) -> Value {
    let mut value = value.clone();
    for field in ["data", "stringData", "binaryData"] {
        if let Some(map) = value.get_mut(field).and_then(Value::as_object_mut) {
            *map = map
                .keys()
                .map(|key| (key.clone(), Value::from("…")))
                .collect::<Map<_, _>>();
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(before: &Value, after: &Value, is_confidential: bool) -> Vec<String> {
        let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let found = between(before, after, is_confidential);
        let one = |edit: &FieldEdit| {
            let hidden = if edit.is_hidden { " hidden" } else { "" };
            format!("{} {} {}{hidden}", edit.path, text(&edit.before), text(&edit.after))
        };
        found.iter().map(one).collect()
    }

    #[test]
    fn fields_are_named_and_spellings_are_one() {
        let before = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 2, "cpu": "1000m", "paused": true,
            "containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}});
        let after = json!({"metadata": {"annotations": {"b": "2", "c": "3"}}, "spec": {"replicas": 3, "cpu": "1",
            "containers": [{"name": "b", "image": "y"}, {"name": "a", "image": "z"}]}});
        assert_eq!(
            shown(&before, &after, false),
            [
                ".metadata.labels.a \"1\" -",
                ".metadata.annotations.b - \"2\"",
                ".metadata.annotations.c - \"3\"",
                ".spec.replicas 2 3",
                ".spec.paused true -",
                ".spec.containers[name=a].image \"x\" \"z\"",
            ]
        );
        assert_eq!(shown(&before, &before, false), Vec::<String>::new());
    }

    #[test]
    fn values_of_secrets_are_not_given() {
        let before = json!({"metadata": {"labels": {"l": "1"}, "annotations": {"a": "canary"}}, "data": {"p": "canary", "q": "same"}});
        let after =
            json!({"metadata": {"labels": {"l": "2"}}, "data": {"p": "canary2", "q": "same", "r": "new"}, "type": "x"});
        assert_eq!(
            shown(&before, &after, true),
            [
                ".metadata.labels.l \"1\" \"2\"",
                ".metadata.annotations.a - - hidden",
                ".data.p - - hidden",
                ".data.r - - hidden",
                ".type - \"x\"",
            ]
        );
        let (before, after) = (without_values(&before), without_values(&after));
        assert_eq!(
            shown(&before, &after, true)[2..],
            [".data.r - - hidden".to_owned(), ".type - \"x\"".to_owned()]
        );
        assert!(!before.to_string().contains("same"));
    }
}
