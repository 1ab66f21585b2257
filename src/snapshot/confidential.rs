//! Which objects hold secrets, and what of them must not be kept in clear.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::object::ObjectId;

/// Objects whose values are secrets: kind, and how its name begins ("": any), why. All of the core group.
const HOLDERS: &[(&str, &str, &str)] = &[
    ("Secret", "", "that is what it is for"),
    (
        "ConfigMap",
        "sh.helm.release.v1.",
        "a release that Helm keeps in a ConfigMap holds the chart's Secrets and values",
    ),
];

/// The fields with the values, whose keys are no secret.
pub(super) const FIELDS: [&str; 3] = ["data", "stringData", "binaryData"];

/// Annotations in which tools keep copies of the whole object: pattern at the beginning, tool.
const COPIES: &[(&str, &str)] = &[
    ("kubectl.kubernetes.io/last-applied-configuration", "kubectl apply"),
    ("kapp.k14s.io/original", "kapp"),
    ("objectset.rio.cattle.io/applied", "Rancher"),
    ("banzaicloud.com/last-applied", "operators of Banzai Cloud"),
];

/// Shorter values (`true`, a user's name) are found everywhere.
const SHORTEST: usize = 8;

/// Whether an object's values are secrets.
pub fn is_confidential(id: &ObjectId) -> bool {
    let fits = |(kind, begins, _): &(&str, &str, &str)| id.is("", kind) && id.name.starts_with(begins);
    HOLDERS.iter().any(fits)
}

/// Takes out the annotations that repeat values: copies of the object that tools keep there, and whatever other one has a value in it.
/// Labels stay: they are selected by, and a value in one is no secret any more.
pub(super) fn drop_copies(value: &mut Value) {
    let secrets = secrets(value);
    let repeats = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else {
        return;
    };
    annotations.retain(|key, value| {
        let copy = COPIES.iter().any(|(pattern, _)| key.starts_with(pattern));
        !copy && !value.as_str().is_some_and(repeats)
    });
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
    }
}

/// The values, as they are written and in clear.
fn secrets(value: &Value) -> Vec<String> {
    let maps = FIELDS.iter().filter_map(|field| value.get(field)?.as_object());
    let texts = maps.flat_map(Map::values).filter_map(Value::as_str);
    let mut secrets = Vec::new();
    for text in texts {
        secrets.push(text.to_owned());
        let clear = BASE64_STANDARD.decode(text).ok();
        secrets.extend(clear.and_then(|bytes| String::from_utf8(bytes).ok()));
    }
    secrets.retain(|text| text.len() >= SHORTEST);
    secrets
}

/// Puts nothing in the place of each value; the keys stay.
pub(super) fn leave_out(value: &mut Value) {
    for field in FIELDS {
        match value.get_mut(field) {
            Some(Value::Object(map)) => map.values_mut().for_each(|value| *value = Value::Null),
            Some(other) => *other = Value::Null,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_holder_is_known_and_no_other() {
        let is = |group: &str, kind: &str, name: &str| is_confidential(&ObjectId::new(group, kind, Some("shop"), name));
        for (kind, begins, why) in HOLDERS {
            assert!(is("", kind, &format!("{begins}x")) && !why.is_empty());
            assert!(!is("example.com", kind, &format!("{begins}x")));
        }
        assert!(!is("", "ConfigMap", "settings"));
    }

    #[test]
    fn every_copy_goes_and_the_keys_stay() {
        let clear = "canary-hunter2";
        let encoded = BASE64_STANDARD.encode(clear);
        let mut annotations: Map<String, Value> = COPIES
            .iter()
            .map(|(key, _)| (format!("{key}x"), "anything".into()))
            .collect();
        annotations.insert("a/plain".to_owned(), format!("password is {clear}!").into());
        annotations.insert("a/encoded".to_owned(), encoded.clone().into());
        annotations.insert("a/kept".to_owned(), "ours".into());
        let mut secret = json!({"metadata": {"name": "a", "annotations": annotations, "labels": {"l": "a"}},
            "data": {"p": encoded, "short": "b3Vycw=="}, "stringData": {"q": clear}, "type": "Opaque"});
        drop_copies(&mut secret);
        assert_eq!(
            secret["metadata"],
            json!({"name": "a", "annotations": {"a/kept": "ours"}, "labels": {"l": "a"}})
        );
        leave_out(&mut secret);
        assert_eq!(
            secret,
            json!({"metadata": {"name": "a", "annotations": {"a/kept": "ours"}, "labels": {"l": "a"}}, "data": {"p": null, "short": null},
                "stringData": {"q": null}, "type": "Opaque"})
        );
    }
}
