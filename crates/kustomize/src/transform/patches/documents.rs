//! Texts and files of patches.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use crate::context::{Context, Parsed, parse, parse_plain};
use crate::id::text;
use crate::json6902::Operations;
use crate::scalar;
use crate::trouble::{Outcome, Trouble};

/// The documents of a patch, and the file they are from.
pub(super) struct Documents {
    pub found: Arc<[Parsed]>,
    /// The first one as kustomize reads JSON patches (YAML 1.1), where it may be one.
    plain: Arc<[Parsed]>,
    file: Option<String>,
    is_sham: bool,
}

fn is_list(found: &[Parsed]) -> bool {
    found.first().is_some_and(|document| document.value.is_array())
}

/// kustomize takes what begins with `[` for JSON, and then it must be.
fn is_sham_json(text: &[u8]) -> bool {
    text.starts_with(b"[") && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err()
}

impl Documents {
    pub fn inline(text: &str) -> Outcome<Self> {
        let found = parse(text.as_bytes())?;
        let plain = match is_list(&found) {
            true => parse_plain(text.as_bytes())?,
            false => Arc::from([]),
        };
        let is_sham = is_list(&found) && is_sham_json(text.as_bytes());
        Ok(Documents {
            found,
            plain,
            file: None,
            is_sham,
        })
    }

    pub fn file(path: &str, cx: &Context<'_>) -> Outcome<Self> {
        let (found, file) = cx.files.documents(path)?;
        let plain = match is_list(&found) {
            true => cx.files.plain(path)?.0,
            false => Arc::from([]),
        };
        let is_sham = is_list(&found) && is_sham_json(&cx.files.read(path)?.0);
        Ok(Documents {
            found,
            plain,
            file: Some(file),
            is_sham,
        })
    }

    /// The trouble, in the file if there is one.
    pub fn blame(&self, trouble: Trouble, line: Option<usize>) -> Trouble {
        match &self.file {
            Some(file) => trouble.in_file(file.clone(), line),
            None => trouble,
        }
    }

    /// The objects of the documents as strategic merge patches, each with its line: lists are replaced by their items, what is
    /// empty is left out.
    pub fn objects(&self) -> Outcome<Vec<(Cow<'_, Value>, usize)>> {
        let mut objects = Vec::new();
        for document in self.found.iter() {
            let mut open = vec![&*document.value];
            while let Some(value) = open.pop() {
                let is_list = text(value, &["kind"]).ends_with("List");
                match value.get("items").filter(|_| is_list) {
                    Some(Value::Array(items)) => open.extend(items.iter().rev()),
                    Some(Value::Null) => {}
                    Some(_) => {
                        let trouble = Trouble::new("the items of a list are not a list");
                        return Err(self.blame(trouble, Some(document.line)));
                    }
                    _ if is_empty(value) => {}
                    _ => {
                        check(value).map_err(|trouble| self.blame(trouble, Some(document.line)))?;
                        objects.push((Cow::Borrowed(value), document.line));
                    }
                }
            }
        }
        Ok(objects)
    }

    /// The documents of a patch that is written where a path may be.
    pub fn in_place(text: &str) -> Option<Documents> {
        // A path on one line is no object: it has no `kind: ` in it.
        if !text.contains("kind") {
            return None;
        }
        Documents::inline(text)
            .ok()
            .filter(|documents| documents.objects().is_ok())
    }

    /// The first document as a JSON patch, if it is one.
    pub fn operations(&self) -> Outcome<Option<Operations<'_>>> {
        let Some(operations) = self.plain.first().and_then(|document| Operations::of(&document.value)) else {
            return Ok(None);
        };
        if self.is_sham {
            let trouble = Trouble::new("the patch begins with [ but is no JSON");
            return Err(self.blame(trouble, None));
        }
        Ok(Some(operations))
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// A patch has a kind and a name even where its target is chosen otherwise.
fn check(patch: &Value) -> Outcome<()> {
    if !patch.is_object() {
        return Err(Trouble::new(
            "the patch is neither an object nor a list of JSON patch operations",
        ));
    }
    lacks(patch).map_or(Ok(()), |field| Err(Trouble::new(format!("the patch has no {field}"))))
}

/// The field that an object must have and does not.
pub(super) fn lacks(object: &Value) -> Option<&'static str> {
    let metadata = object.get("metadata").unwrap_or(&Value::Null);
    let [kind, name] =
        [(object, "kind"), (metadata, "name")].map(|(map, key)| scalar::text(map.get(key).unwrap_or(&Value::Null)));
    match &*kind {
        "" => Some("kind"),
        kind if kind.ends_with("List") => None,
        _ => name.is_empty().then_some("metadata.name"),
    }
}
