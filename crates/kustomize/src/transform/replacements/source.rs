//! Where the value of a replacement comes from.

use std::collections::HashMap;

use serde_json::Value;

use super::visit::Make;
use super::{From, Options};
use crate::budget::weight;
use crate::context::Context;
use crate::id::Id;
use crate::path;
use crate::plain::{self, Tag};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::trouble::{Outcome, Trouble};

/// The field that is meant where none is named.
pub(crate) const DEFAULT_FIELD: &str = "metadata.name";

/// A field: the place of its object among the others, and the keys and places that lead to it.
pub(crate) type Site = (usize, Vec<String>);

/// Scalars that replacements made, which are of no kind yet, and their texts.
pub(crate) type Open = HashMap<Site, String>;

/// The value of a replacement.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A scalar: its kind and its text.
    Scalar(Tag, String),
    /// A list or mapping.
    Tree(Value),
}

impl Source {
    /// Work that a copy is.
    pub fn weight(&self) -> usize {
        match self {
            Source::Scalar(_, text) => text.len() / 4 + 1,
            Source::Tree(tree) => weight(tree),
        }
    }

    /// A text that is written in the replacement itself.
    pub fn written(text: &str) -> Source {
        Source::Scalar(Tag::Open, text.to_owned())
    }

    /// Finds the value. The place where it was found is given when it is the value as a whole: where a target changes it there, the
    /// targets after that get the changed value.
    pub fn find(map: &ResMap, from: &From, open: &Open, cx: &Context<'_>) -> Outcome<(Source, Option<Site>)> {
        let is_source = |resource: &Resource| resource.all_ids(cx.schema).any(|id| is_meant(id, from));
        let mut found = map.list.iter().enumerate().filter(|(_, resource)| is_source(resource));
        let Some((at, resource)) = found.next() else {
            return Err(Trouble::new(format!("nothing is selected by {from}")));
        };
        if found.next().is_some() {
            return Err(Trouble::new(format!("several objects match the selector {from}")));
        }
        let field = if from.field_path.is_empty() {
            DEFAULT_FIELD
        } else {
            &from.field_path
        };
        let located = path::locate(&resource.value, &path::split(field)).map_err(|trouble| {
            let message = format!(
                "fieldPath {field:?} of the replacement source {from}: {}",
                trouble.message
            );
            Trouble::new(message)
        })?;
        let missing = || {
            Trouble::new(format!(
                "fieldPath {field:?} is missing for the replacement source {from}"
            ))
        };
        let (way, value) = located.ok_or_else(missing)?;
        let site = (at, way);
        let source = match value {
            Value::Null => return Err(missing()),
            Value::Array(items) if items.is_empty() => return Err(missing()),
            Value::Object(fields) if fields.is_empty() => return Err(missing()),
            value => Source::of(value, open.get(&site)),
        };
        match from.options.as_ref().filter(|options| !options.delimiter.is_empty()) {
            Some(options) => Ok((source.piece(options)?, None)),
            None => Ok((source, Some(site))),
        }
    }

    /// A value that is there; `open` is its text when it is a scalar of no kind yet.
    pub fn of(value: &Value, open: Option<&String>) -> Source {
        match (Tag::of(value), open) {
            (Some(_), Some(text)) => Source::written(text),
            (Some(tag), None) => Source::Scalar(tag, plain::text(value)),
            (None, _) => Source::Tree(value.clone()),
        }
    }

    /// The piece that the options ask for.
    fn piece(self, options: &Options) -> Outcome<Source> {
        let Source::Scalar(tag, text) = self else {
            return Err(Trouble::new("the option delimiter can only be used with scalars"));
        };
        let piece = usize::try_from(options.index)
            .ok()
            .and_then(|index| text.split(&options.delimiter).nth(index));
        match piece {
            Some(piece) => Ok(Source::Scalar(tag, piece.to_owned())),
            None => Err(Trouble::new(format!(
                "options.index {} is out of bounds of the source value",
                options.index
            ))),
        }
    }

    /// The text that takes the place of another.
    pub fn text(&self) -> &str {
        match self {
            Source::Scalar(_, text) => text,
            Source::Tree(_) => "",
        }
    }

    /// The value that takes the place of a list or mapping.
    pub fn value(&self) -> Outcome<Value> {
        match self {
            Source::Scalar(tag, text) => tag.read(text),
            Source::Tree(value) => Ok(value.clone()),
        }
    }

    /// What is made for it.
    pub fn make(&self) -> Make {
        match self {
            Source::Scalar(..) => Make::Scalar,
            Source::Tree(Value::Array(_)) => Make::List,
            Source::Tree(_) => Make::Mapping,
        }
    }
}

/// Whether an identity is that which a source asks for. No expressions here, and a cluster-scoped kind is in the default namespace.
fn is_meant(id: Id<'_>, from: &From) -> bool {
    let asked = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
    let namespace = if id.namespace.is_empty() {
        "default"
    } else {
        id.namespace
    };
    asked(&from.name, id.name)
        && asked(&from.kind, id.kind)
        && asked(&from.version, id.version)
        && asked(&from.group, id.group)
        && asked(&from.namespace, namespace)
}
