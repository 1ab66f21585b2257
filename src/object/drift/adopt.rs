//! A declaration that says what is live: drift, taken over into Git.

use serde_json::Value;

use super::path::{Path, Step};
use crate::object::{FieldChange, FieldDrift};

/// The declaration with these fields as they are live. `clean` is the live object without defaults and what controllers wrote
/// ([`Cleaning`](super::Cleaning)): of what was added nothing else is taken.
///
/// # Errors
/// The paths that are not where they are said to be.
pub fn adopt(declared: &Value, live: &Value, clean: &Value, fields: &[FieldDrift]) -> Result<Value, Vec<String>> {
    let mut wanted = declared.clone();
    let mut lost = Vec::new();
    // Of a list the last go first, so that numbers hold.
    for field in fields.iter().rev().filter(|field| field.change == FieldChange::Removed) {
        match Path::find(declared, &field.path) {
            Some(path) => remove(&path, &mut wanted, live),
            None => lost.push(field.path.clone()),
        }
    }
    for field in fields.iter().filter(|field| field.change != FieldChange::Removed) {
        let found = Path::find(live, &field.path).and_then(|path| {
            let value = path.at(clean).or_else(|| path.at(live))?.clone();
            Some((path, value))
        });
        match found {
            Some((path, value)) => path.put(&mut wanted, value),
            None => lost.push(field.path.clone()),
        }
    }
    match lost.is_empty() {
        true => Ok(wanted),
        false => Err(lost),
    }
}

/// Takes a field out, and the mappings around it that are empty then and not there live.
fn remove(path: &Path, wanted: &mut Value, live: &Value) {
    path.remove_from(wanted);
    let mut around = path.clone();
    while around.0.pop().is_some() && matches!(around.0.last(), Some(Step::Field(_))) {
        let is_empty = around
            .at(wanted)
            .is_some_and(|left| left.as_object().is_some_and(serde_json::Map::is_empty));
        if !is_empty || around.at(live).is_some() {
            return;
        }
        around.remove_from(wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn drift(change: FieldChange, path: &str) -> FieldDrift {
        FieldDrift {
            path: path.to_owned(),
            change,
            declared: None,
            live: None,
            manager: None,
            waived: None,
        }
    }

    #[test]
    fn what_drifted_is_declared_and_nothing_else() {
        let declared = json!({"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"replicas": 2, "tls": [{"hosts": ["h"]}],
            "containers": [{"name": "web", "image": "i:1", "env": [{"name": "A", "value": "1"}]}]}});
        let clean = json!({"metadata": {"name": "a", "annotations": {"a.b/c": "new"}}, "spec": {"replicas": 5,
            "containers": [{"name": "web", "image": "i:2", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                {"name": "side", "image": "s"}]}});
        let mut live = clean.clone();
        live["spec"]["containers"][1]["pullPolicy"] = "Always".into();
        live["spec"]["other"] = 1.into();
        let fields = [
            drift(FieldChange::Added, ".metadata.annotations[a.b/c]"),
            drift(FieldChange::Removed, ".metadata.labels.x"),
            drift(FieldChange::Changed, ".spec.replicas"),
            drift(FieldChange::Removed, ".spec.tls"),
            drift(FieldChange::Changed, ".spec.containers[name=web].image"),
            drift(FieldChange::Added, ".spec.containers[name=web].env[name=B]"),
            drift(FieldChange::Added, ".spec.containers[name=side]"),
        ];
        let wanted = adopt(&declared, &live, &clean, &fields).expect("because all is there");
        assert_eq!(wanted, clean);
        let gone = [drift(FieldChange::Changed, ".spec.nothing")];
        assert_eq!(
            adopt(&declared, &live, &clean, &gone),
            Err(vec![".spec.nothing".to_owned()])
        );
    }
}
