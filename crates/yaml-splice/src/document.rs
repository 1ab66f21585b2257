//! Documents of a file: read by both readers, added and taken away.

use std::ops::Range;

use kube_yaml::Document;
use serde_json::Value;

use crate::look::{self, line_start};
use crate::refine::same;
use crate::tree;
use crate::{Error, intent};

/// What a file says to those who read it.
pub(crate) struct Reading {
    kubernetes: Vec<Document>,
    /// As kustomize reads it.
    kustomize: Vec<Document>,
}

impl Reading {
    pub fn of(text: &str) -> Self {
        Reading {
            kubernetes: kube_yaml::parse(text.as_bytes()),
            kustomize: kube_yaml::parse_kustomize(text.as_bytes()),
        }
    }

    pub fn len(&self) -> usize {
        self.kubernetes.len()
    }

    pub fn value(&self, index: usize) -> Result<&Value, Error> {
        let document = self.kubernetes.get(index).ok_or(Error::NoDocument(index))?;
        document
            .value
            .as_ref()
            .map_err(|error| Error::Unreadable(error.to_string()))
    }

    /// Where a document stands.
    pub fn range(&self, index: usize) -> Option<Range<usize>> {
        Some(self.kubernetes.get(index)?.bytes.clone())
    }

    /// Whether in a text this document has a value, and all others are as they were.
    pub fn becomes(&self, text: &str, index: usize, value: &Value) -> bool {
        let now = Reading::of(text);
        let as_they_were = |old: &[Document], new: &[Document]| {
            old.len() == new.len()
                && old
                    .iter()
                    .zip(new)
                    .enumerate()
                    .all(|(at, (a, b))| at == index || equal(a, b))
        };
        let is = |documents: &[Document]| {
            let found = documents.get(index).and_then(|document| document.value.as_ref().ok());
            found.is_some_and(|found| same(found, value))
        };
        // Where the two do not agree on the document, only the one that counts is asked.
        let alike = |reading: &Reading| match (reading.kubernetes.get(index), reading.kustomize.get(index)) {
            (Some(a), Some(b)) => equal(a, b),
            _ => false,
        };
        as_they_were(&self.kubernetes, &now.kubernetes)
            && as_they_were(&self.kustomize, &now.kustomize)
            && is(&now.kubernetes)
            && (!alike(self)
                || now
                    .kustomize
                    .get(index)
                    .is_some_and(|found| is_with_texts(found, value)))
    }
}

/// Whether a document that kustomize read is a value: it makes texts of all annotations.
fn is_with_texts(document: &Document, value: &Value) -> bool {
    let mut value = value.clone();
    let annotations = value
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut);
    for annotation in annotations.into_iter().flat_map(|map| map.values_mut()) {
        if annotation.is_number() || annotation.is_boolean() {
            *annotation = Value::String(annotation.to_string());
        }
    }
    document.value.as_ref().is_ok_and(|found| same(found, &value))
}

fn equal(a: &Document, b: &Document) -> bool {
    match (&a.value, &b.value) {
        (Ok(a), Ok(b)) => same(a, b),
        (Err(a), Err(b)) => a.message == b.message,
        _ => false,
    }
}

/// Takes a document out of a file, with the separator that it no longer needs. Comments at the top that a blank line parts from the first
/// document stay while another one does. What is left may be no document at all.
///
/// # Errors
/// When there is no such document, or the file is read otherwise without it.
pub fn remove_document(text: &str, document: usize) -> Result<String, Error> {
    let reading = Reading::of(text);
    let range = reading.range(document).ok_or(Error::NoDocument(document))?;
    let separator = text[..range.start]
        .strip_suffix('\n')
        .map(|before| line_start(before, before.len()));
    let separator = separator.filter(|start| text[*start..].starts_with("---"));
    let cut = match separator {
        Some(start) => start..range.end,
        None if text[range.end..].starts_with("---") => {
            range.start + header(&text[range.clone()])..look::next_line(text, range.end)
        }
        None => range,
    };
    let out = format!("{}{}", &text[..cut.start], &text[cut.end..]);
    let now = Reading::of(&out);
    let left = |documents: &[Document], now: &[Document]| {
        let kept = documents.iter().enumerate().filter(|(at, _)| *at != document);
        documents.len() == now.len() + 1 && kept.zip(now).all(|((_, a), b)| equal(a, b))
    };
    match left(&reading.kubernetes, &now.kubernetes) && left(&reading.kustomize, &now.kustomize) {
        true => Ok(out),
        false => Err(Error::Unwritable),
    }
}

/// The length of the comments that a blank line parts from what follows them: they are about the file (a licence), not about its first
/// document.
fn header(text: &str) -> usize {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        match line.trim() {
            "" => return end,
            line if line.starts_with('#') => {}
            _ => return 0,
        }
    }
    0
}

/// Adds a document to the end of a file, in the look of what is there.
///
/// # Errors
/// When the file is no YAML stream (JSON), or would be read otherwise.
pub fn append_document(text: &str, value: &Value) -> Result<String, Error> {
    let reading = Reading::of(text);
    let last = reading.len().checked_sub(1).and_then(|last| reading.range(last));
    let piece = last.map_or("", |range| &text[range]);
    let root = tree::read(piece).ok().flatten();
    let look = look::of(piece, root.as_ref(), &[]);
    if look.json {
        return Err(Error::Unwritable);
    }
    let end = look.line_end();
    let mut out = text.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str(end);
    }
    let last_line = out
        .strip_suffix('\n')
        .map_or("", |before| &before[line_start(before, before.len())..]);
    if reading.len() > 0 && !last_line.starts_with("---") {
        out.push_str(&format!("---{end}"));
    }
    for line in look.lines(value) {
        out.push_str(&line);
        out.push_str(end);
    }
    let now = Reading::of(&out);
    let grown = now.len() == reading.len() + 1 && now.kustomize.len() == reading.kustomize.len() + 1;
    let kept = reading.kubernetes.iter().zip(&now.kubernetes).all(|(a, b)| equal(a, b))
        && reading.kustomize.iter().zip(&now.kustomize).all(|(a, b)| equal(a, b));
    let is = |documents: &[Document]| {
        let last = documents.last().and_then(|document| document.value.as_ref().ok());
        last.and_then(|last| intent::at(last, &[]))
            .is_some_and(|last| same(last, value))
    };
    match grown && kept && is(&now.kubernetes) && is(&now.kustomize) {
        true => Ok(out),
        false => Err(Error::Unwritable),
    }
}
