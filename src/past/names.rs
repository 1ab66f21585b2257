//! The identities in the content of a file.

use serde_json::Value;

use super::scan;
use crate::object::{ObjectId, api_group};

/// Deepest nesting of `List`s.
const DEEPEST_LIST: usize = 8;

/// What was found in a content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Identities as written, sorted, each once.
    pub found: Vec<ObjectId>,
    /// A document in it could not be read.
    pub unparsed: bool,
}

/// The identities that a content declares. Text that does not have the words `apiVersion` and `kind` declares none, and is
/// not looked at any further.
pub(super) fn names(text: &[u8]) -> Names {
    if !has(text, b"apiVersion") || !has(text, b"kind") {
        return Names::default();
    }
    let mut names = scan::scan(text).unwrap_or_else(|| parsed(text));
    names.found.sort();
    names.found.dedup();
    names
}

fn has(text: &[u8], word: &[u8]) -> bool {
    // The first letter is looked for first: both words' are rare enough for that.
    let (first, rest) = (word[0], &word[1..]);
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| *byte == first) {
        at += found + 1;
        if text[at..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// The same by reading all of it, in the order of the documents.
pub(super) fn parsed(text: &[u8]) -> Names {
    let mut names = Names::default();
    names.unparsed = objects(text, &mut |id, _| names.found.push(id));
    names
}

/// Gives each object of a content with its value, in the order of the documents; whether a document could not be read.
pub(super) fn objects(text: &[u8], give: &mut dyn FnMut(ObjectId, &Value)) -> bool {
    let mut unparsed = false;
    for document in kube_yaml::parse(text) {
        match document.value {
            Ok(value) => take(&value, None, 0, give),
            Err(_) => unparsed = true,
        }
    }
    unparsed
}

/// An object; the items of a `List`. Items of a typed list may leave out what the list says.
fn take(value: &Value, of_list: Option<(&str, &str)>, depth: usize, give: &mut dyn FnMut(ObjectId, &Value)) {
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let api_version = text("apiVersion").or(of_list.map(|(api_version, _)| api_version));
    let kind = text("kind").or(of_list.map(|(_, kind)| kind));
    let (Some(api_version), Some(kind)) = (api_version, kind) else {
        return;
    };
    if let (Some(item_kind), Some(items)) = (kind.strip_suffix("List"), value.get("items").and_then(Value::as_array)) {
        if depth < DEEPEST_LIST {
            for item in items {
                let of_list = (!item_kind.is_empty()).then_some((api_version, item_kind));
                take(item, of_list, depth + 1, give);
            }
        }
        return;
    }
    let metadata = |key: &str| {
        let text = value.get("metadata")?.get(key)?.as_str();
        text.filter(|text| !text.is_empty())
    };
    if let Some(name) = metadata("name") {
        give(identity(api_version, kind, metadata("namespace"), name), value);
    }
}

/// An identity from what a manifest says.
pub(super) fn identity(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    let group = api_group(api_version);
    ObjectId::new(group, kind, namespace, name)
}
