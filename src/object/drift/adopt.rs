//! A declaration that says what is live: drift, taken over into Git.

use serde_json::Value;

use super::path::{Path, Step};
use crate::object::{FieldChange, FieldDrift};

/// A field as it has to be declared for the declaration to say what is live.
#[derive(Clone, PartialEq)]
pub struct Adopted {
    /// As in [`FieldDrift::path`].
    pub path: String,
    /// Its value; `None`: it goes.
    pub value: Option<Value>,
}

/// Fields of a declaration as they are live, in the order in which they can be written one after the other. `clean` is the live
/// object without defaults and what controllers wrote ([`Cleaning`](super::Cleaning)): of what was added nothing else is taken.
///
/// # Errors
/// The paths that are not where they are said to be.
pub fn adopt(
    declared: &Value,
    live: &Value,
    clean: &Value,
    fields: &[FieldDrift],
) -> Result<Vec<Adopted>, Vec<String>> {
    let (mut adopted, mut lost) = (Vec::new(), Vec::new());
    let mut left = declared.clone();
    // Of a list the last go first, so that numbers hold.
    for field in fields.iter().rev().filter(|field| field.change == FieldChange::Removed) {
        match Path::find(&left, &field.path) {
            Some(path) => adopted.push(Adopted {
                path: remove(path, &mut left, live).to_string(),
                value: None,
            }),
            // It went with what was around it.
            None if Path::find(declared, &field.path).is_some() => {}
            None => lost.push(field.path.clone()),
        }
    }
    for field in fields.iter().filter(|field| field.change != FieldChange::Removed) {
        let found = Path::find(live, &field.path).and_then(|path| path.at(clean).or_else(|| path.at(live)));
        match found {
            Some(value) => adopted.push(Adopted {
                path: field.path.clone(),
                value: Some(value.clone()),
            }),
            None => lost.push(field.path.clone()),
        }
    }
    match lost.is_empty() {
        true => Ok(adopted),
        false => Err(lost),
    }
}

/// Takes a field out, and the mappings around it that are empty then and not there live. Gives the outermost that went.
fn remove(mut path: Path, left: &mut Value, live: &Value) -> Path {
    path.remove_from(left);
    let mut around = path.clone();
    while around.0.pop().is_some() && matches!(around.0.last(), Some(Step::Field(_))) {
        let is_empty = around
            .at(left)
            .is_some_and(|left| left.as_object().is_some_and(serde_json::Map::is_empty));
        if !is_empty || around.at(live).is_some() {
            break;
        }
        around.remove_from(left);
        path = around.clone();
    }
    path
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
            digest: 0,
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
        let adopted = adopt(&declared, &live, &clean, &fields).unwrap_or_else(|lost| panic!("{lost:?}"));
        let shown = |one: &Adopted| {
            let value = one.value.as_ref().map_or("gone".to_owned(), ToString::to_string);
            format!("{} {value}", one.path)
        };
        assert_eq!(
            adopted.iter().map(shown).collect::<Vec<_>>(),
            [
                ".spec.tls gone",
                ".metadata.labels gone",
                ".metadata.annotations[a.b/c] \"new\"",
                ".spec.replicas 5",
                ".spec.containers[name=web].image \"i:2\"",
                ".spec.containers[name=web].env[name=B] {\"name\":\"B\",\"value\":\"2\"}",
                ".spec.containers[name=side] {\"name\":\"side\",\"image\":\"s\"}",
            ]
        );
        let gone = [drift(FieldChange::Changed, ".spec.nothing")];
        assert!(adopt(&declared, &live, &clean, &gone).is_err_and(|lost| lost == [".spec.nothing"]));
    }

    #[test]
    fn what_goes_with_what_is_around_it_is_told_once() {
        let declared = json!({"metadata": {"labels": {"x": "1", "y": "2"}}});
        let live = json!({"metadata": {"name": "a"}});
        let fields = [
            drift(FieldChange::Removed, ".metadata.labels.x"),
            drift(FieldChange::Removed, ".metadata.labels.y"),
        ];
        let adopted = adopt(&declared, &live, &live, &fields).unwrap_or_else(|lost| panic!("{lost:?}"));
        let paths: Vec<&str> = adopted.iter().map(|one| &*one.path).collect();
        assert_eq!(paths, [".metadata.labels.y", ".metadata.labels"]);
    }
}
