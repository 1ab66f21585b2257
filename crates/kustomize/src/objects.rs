//! Which objects a file declares (kustomize's resource factory).

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::context::{Nulls, Parsed};
use crate::id::text;
use crate::trouble::{Outcome, Trouble};

/// The objects of a file's documents. A list is replaced by its items, which come after everything else, as in kustomize; what is
/// empty is left out.
///
/// # Errors
///
/// A document or item without kind, or without name.
pub(crate) fn of(documents: &[Parsed]) -> Outcome<Arc<[Parsed]>> {
    let is_plain = |document: &Parsed| !text(&document.value, &["kind"]).ends_with("List");
    let mut waiting = VecDeque::with_capacity(documents.len());
    for document in documents {
        if is_good(document)? {
            waiting.push_back(document.clone());
        }
    }
    if waiting.iter().all(is_plain) {
        return Ok(Vec::from(waiting).into());
    }
    let mut found = Vec::new();
    while let Some(document) = waiting.pop_front() {
        let items = match document.value.get("items") {
            Some(items) if !is_plain(&document) => items,
            _ => {
                found.push(document);
                continue;
            }
        };
        match items {
            Value::Null => {}
            Value::Array(items) => {
                for item in items {
                    // kustomize writes items as JSON in between.
                    let item = Parsed {
                        value: Arc::new(item.clone()),
                        nulls: Nulls::Kept,
                        ..document
                    };
                    if is_good(&item)? {
                        waiting.push_back(item);
                    }
                }
            }
            _ => {
                let kind = text(&document.value, &["kind"]);
                return Err(at(&document, format!("items of a {kind} should be a list")));
            }
        }
    }
    Ok(found.into())
}

/// Whether there is an object.
fn is_good(document: &Parsed) -> Outcome<bool> {
    let value = &*document.value;
    let empty = match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if empty {
        return Ok(false);
    }
    if !value.is_object() {
        return Err(at(document, "this is no Kubernetes object: it is not a map".to_owned()));
    }
    let kind = scalar(value.get("kind"));
    let name = scalar(value.get("metadata").and_then(|metadata| metadata.get("name")));
    match (kind.as_deref(), name.as_deref()) {
        (None, None) => Err(at(document, "the object has no kind and no metadata.name".to_owned())),
        (None, Some(name)) => Err(at(document, format!("object \"{name}\" has no kind"))),
        (Some(kind), None) if !kind.ends_with("List") => Err(at(document, format!("a {kind} has no metadata.name"))),
        _ => Ok(true),
    }
}

/// A scalar as text, when it is there.
fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn at(document: &Parsed, message: String) -> Trouble {
    let mut trouble = Trouble::new(message);
    trouble.line = Some(document.line);
    trouble
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::context::parse;

    fn names(text: &str) -> Result<Vec<String>, (String, Option<usize>)> {
        let documents = parse(text.as_bytes()).expect("it is YAML");
        let objects = of(&documents).map_err(|trouble| (trouble.message, trouble.line))?;
        let name = |it: &Parsed| text_of_name(&it.value);
        Ok(objects.iter().map(name).collect())
    }

    fn text_of_name(value: &Value) -> String {
        text(value, &["metadata", "name"]).to_owned()
    }

    #[test]
    fn items_of_lists_come_last() {
        let text = "kind: List\nitems:\n- {kind: A, metadata: {name: a}}\n- {}\n- {kind: BList, items: [{kind: B, metadata: {name: b}}]}\n\
            ---\nkind: C\nmetadata: {name: c}\n---\nkind: EmptyList\nitems: null\n---\nkind: NoList\n";
        assert_eq!(
            names(text),
            Ok(vec!["c".to_owned(), String::new(), "a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (text, message, line) in [
            ("kind: A\n", "a A has no metadata.name", 1),
            (
                "kind: A\nmetadata: {name: a}\n---\nmetadata: {name: a}\n",
                "object \"a\" has no kind",
                4,
            ),
            ("a: b\n", "the object has no kind and no metadata.name", 1),
            ("- a\n", "this is no Kubernetes object: it is not a map", 1),
            ("kind: AList\nitems: {}\n", "items of a AList should be a list", 1),
        ] {
            assert_eq!(names(text), Err((message.to_owned(), Some(line))), "{text}");
        }
    }

    #[test]
    fn a_plain_object_is_shared() {
        let documents = parse(b"kind: A\nmetadata: {name: a}\n").expect("it is YAML");
        let objects = of(&documents).expect("it is an object");
        assert!(Arc::ptr_eq(&objects[0].value, &documents[0].value));
        assert_eq!(*objects[0].value, json!({"kind": "A", "metadata": {"name": "a"}}));
    }
}
