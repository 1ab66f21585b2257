//! The formats: from bytes to a tree and back, with and without metadata.

mod dotenv;
mod ini;
mod json;
mod yaml;

use zeroize::Zeroizing;

use crate::cipher::Clear;
use crate::error::{Error, metadata as wrong};
use crate::format::{Format, Layout};
use crate::metadata::flat;
use crate::numbers;
use crate::tree::{Entry, Item, Map, Path, Step, Tree, Value};

/// The key of the metadata.
const METADATA: &str = "sops";
/// What the names of metadata begin with where there are no maps.
const PREFIX: &str = "sops_";
/// Maps and lists within each other. SOPS has no such limit; no document comes near it.
pub(crate) const MAX_DEPTH: usize = 200;

pub(crate) fn read_plain(format: Format, file: &[u8]) -> Result<Tree, Error> {
    match format {
        Format::Yaml => yaml::read(text(format, file)?),
        Format::Json => json::read(text(format, file)?, format),
        Format::Dotenv => dotenv::read(file),
        Format::Ini => ini::read(file),
        Format::Binary => Ok(one(vec![Entry::Pair("data".to_owned(), Value::Text(file.into()))])),
    }
}

pub(crate) fn write_plain(format: Format, tree: &Tree, layout: &Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
    match format {
        Format::Yaml => yaml::write(tree, layout.yaml_indent),
        Format::Json => json::write(tree, layout.json_indent, format),
        Format::Dotenv => dotenv::write(tree),
        Format::Ini => ini::write(tree),
        Format::Binary => match tree.documents.first().and_then(|map| map.get("data")) {
            Some(Value::Text(data)) => Ok(Zeroizing::new(data.as_bytes().to_vec())),
            _ => Err(unwritable(
                format,
                &["data"],
                "there is no text of this name, so it is no binary file",
            )),
        },
    }
}

/// The tree without its metadata, and the metadata.
pub(crate) fn read_sealed(format: Format, file: &[u8]) -> Result<(Tree, Map), Error> {
    let mut tree = match format {
        Format::Binary => json::read(text(format, file)?, format)?,
        _ => read_plain(format, file)?,
    };
    let metadata = match format {
        Format::Dotenv => take_prefixed(&mut tree)?,
        _ => take_metadata(&mut tree)?,
    };
    if format == Format::Ini {
        return Ok((tree, flat::unflatten(unescaped(metadata))?));
    }
    Ok((tree, metadata))
}

/// SOPS takes the metadata of the first document; those of others are the same.
fn take_metadata(tree: &mut Tree) -> Result<Map, Error> {
    let mut found = None;
    for (at, map) in tree.documents.iter_mut().enumerate() {
        let entries = std::mem::take(&mut map.entries);
        for entry in entries {
            match entry {
                Entry::Pair(key, value) if key == METADATA => {
                    if at == 0 && found.replace(value).is_some() {
                        return Err(wrong(METADATA, "given twice"));
                    }
                }
                entry => map.entries.push(entry),
            }
        }
    }
    match found {
        None => Err(Error::NotEncrypted),
        Some(Value::Map(metadata)) => Ok(metadata),
        Some(_) => Err(wrong(METADATA, "not a map")),
    }
}

fn take_prefixed(tree: &mut Tree) -> Result<Map, Error> {
    let mut found = Vec::new();
    if let Some(map) = tree.documents.first_mut() {
        let entries = std::mem::take(&mut map.entries);
        for entry in entries {
            match entry {
                Entry::Pair(key, value) if key.starts_with(PREFIX) => {
                    found.push((key[PREFIX.len()..].to_owned(), value))
                }
                entry => map.entries.push(entry),
            }
        }
    }
    if found.is_empty() {
        return Err(Error::NotEncrypted);
    }
    flat::unflatten(found)
}

/// INI has no line ends in values.
fn unescaped(metadata: Map) -> Vec<(String, Value)> {
    let pairs = metadata.entries.into_iter().filter_map(|entry| match entry {
        Entry::Comment(_) => None,
        Entry::Pair(key, Value::Text(text)) => {
            let text = text.as_str().unwrap_or_default().replace("\\n", "\n");
            Some((key, Value::Text(text.into())))
        }
        Entry::Pair(key, value) => Some((key, value)),
    });
    pairs.collect()
}

/// Makes sure that a tree can be encrypted in this format.
pub(crate) fn check(format: Format, tree: &Tree) -> Result<(), Error> {
    let Some(first) = tree.documents.first() else {
        return Err(unwritable(format, &[], "it must have a document"));
    };
    if tree.documents.len() > 1 && format != Format::Yaml {
        return Err(unwritable(format, &[], "only YAML holds several documents"));
    }
    let reserved = |key: &str| match format {
        Format::Dotenv => key.starts_with(PREFIX),
        _ => key == METADATA,
    };
    if tree
        .documents
        .iter()
        .any(|map| map.pairs().any(|(key, _)| reserved(key)))
    {
        return Err(Error::Encrypted);
    }
    let binary = first.entries.len() == 1 && matches!(first.get("data"), Some(Value::Text(_)));
    if format == Format::Binary && !binary {
        return Err(unwritable(format, &["data"], "a binary file is one text of this name"));
    }
    Ok(())
}

/// Writes what is encrypted, and reads it again: a file is never written that does not hold the tree.
pub(crate) fn write_sealed(format: Format, tree: &Tree, metadata: &Map, layout: &Layout) -> Result<Vec<u8>, Error> {
    let mut whole = tree.clone();
    let flat = || flat::flatten(metadata).into_iter();
    for map in &mut whole.documents {
        match format {
            Format::Dotenv => {
                let named = flat().map(|(key, value)| Entry::Pair(format!("{PREFIX}{key}"), value));
                map.entries.extend(named);
            }
            Format::Ini => {
                let escaped = flat().map(|(key, value)| match value {
                    Value::Text(text) => {
                        let text = text.as_str().unwrap_or_default().replace('\n', "\\n");
                        Entry::Pair(key, Value::Text(text.into()))
                    }
                    value => Entry::Pair(key, value),
                });
                let section = Map {
                    entries: escaped.collect(),
                };
                map.entries.push(Entry::Pair(METADATA.to_owned(), Value::Map(section)));
            }
            _ => map
                .entries
                .push(Entry::Pair(METADATA.to_owned(), Value::Map(metadata.clone()))),
        }
    }
    let file = match format {
        Format::Binary => json::write(&whole, layout.binary_indent, format)?,
        _ => write_plain(format, &whole, layout)?,
    };
    let file = file.to_vec();
    let (again, _) =
        read_sealed(format, &file).map_err(|_| unwritable(format, &[], "what is written does not read again"))?;
    same(format, tree, &again)?;
    Ok(file)
}

/// Whether two trees have the same values at the same places; comments aside, and a number may have lost its `.0`.
fn same(format: Format, tree: &Tree, again: &Tree) -> Result<(), Error> {
    let mut path = Path::default();
    let lost = |path: &Path| Error::Unwritable {
        format,
        path: path.clone(),
        message: "what is written does not hold it".to_owned(),
    };
    if tree.documents.len() != again.documents.len() {
        return Err(lost(&path));
    }
    for (document, (a, b)) in tree.documents.iter().zip(&again.documents).enumerate() {
        path.document = document;
        let same = match format {
            // A section without keys may vanish, and that of keys without a section is always there.
            Format::Ini => same_maps(&without_empty(a), &without_empty(b), &mut path),
            _ => same_maps(a, b, &mut path),
        };
        if !same {
            return Err(lost(&path));
        }
    }
    Ok(())
}

fn without_empty(map: &Map) -> Map {
    let empty = |entry: &Entry| matches!(entry, Entry::Pair(_, Value::Map(map)) if map.pairs().next().is_none());
    Map {
        entries: map.entries.iter().filter(|entry| !empty(entry)).cloned().collect(),
    }
}

fn same_maps(a: &Map, b: &Map, path: &mut Path) -> bool {
    let mut others = b.pairs();
    for (key, value) in a.pairs() {
        path.steps.push(Step::Key(key.to_owned()));
        if !others
            .next()
            .is_some_and(|(other, b)| other == key && same_values(value, b, path))
        {
            return false;
        }
        path.steps.pop();
    }
    others.next().is_none()
}

fn same_values(a: &Value, b: &Value, path: &mut Path) -> bool {
    let values = |items: &[Item]| items.iter().filter(|item| matches!(item, Item::Value(_))).count();
    match (a, b) {
        (Value::Map(a), Value::Map(b)) => same_maps(a, b, path),
        (Value::List(a), Value::List(b)) => {
            let mut others = b.iter().filter_map(|item| match item {
                Item::Value(value) => Some(value),
                Item::Comment(_) => None,
            });
            if values(a) != values(b) {
                return false;
            }
            for (at, item) in a.iter().enumerate() {
                let Item::Value(a) = item else { continue };
                path.steps.push(Step::Item(at));
                if !others.next().is_some_and(|b| same_values(a, b, path)) {
                    return false;
                }
                path.steps.pop();
            }
            true
        }
        (Value::Null, Value::Null) => true,
        // INI and dotenv know texts only; a number that YAML writes without a fraction is read as an integer.
        _ => match (Clear::Value(a.clone()).bytes(), Clear::Value(b.clone()).bytes()) {
            (Some((_, a_bytes)), Some((b_kind, b_bytes))) => {
                a_bytes == b_bytes || (b_kind == "str" && scalar_text(a).as_bytes() == &**b_bytes)
            }
            _ => false,
        },
    }
}

/// A scalar that is no text, in a format that knows texts only.
fn scalar_text(value: &Value) -> String {
    match value {
        Value::Bool(it) => it.to_string(),
        Value::Int(it) => it.to_string(),
        Value::Time(it) => it.to_the_second(),
        Value::Float(it) => {
            let text = numbers::general(*it, 'E');
            match text.contains(['.', 'E']) || !it.is_finite() {
                true => text,
                false => format!("{it:.1}"),
            }
        }
        _ => "<nil>".to_owned(),
    }
}

fn text(format: Format, file: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(file).map_err(|error| {
        let line = 1 + file[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        syntax(format, line, "bytes that are not UTF-8")
    })
}

fn syntax(format: Format, line: usize, message: impl Into<String>) -> Error {
    Error::Syntax {
        format,
        line,
        message: message.into(),
    }
}

fn unwritable(format: Format, keys: &[&str], message: &str) -> Error {
    Error::Unwritable {
        format,
        path: Path {
            document: 0,
            steps: keys.iter().map(|key| Step::Key((*key).to_owned())).collect(),
        },
        message: message.to_owned(),
    }
}

fn one(entries: Vec<Entry>) -> Tree {
    Tree {
        documents: vec![Map { entries }],
    }
}
