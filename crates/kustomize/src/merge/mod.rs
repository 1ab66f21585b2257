//! Strategic merge as kustomize does it (kyaml's `merge2` over its `walk`, with list items prepended).
//!
//! kyaml walks the object and the patch together, and the object alone where the patch says nothing: that too changes the object (list
//! items with one key become one, nulls go). So there are four ways to meet a value: with a patch beside it ([`merge`]), without one
//! ([`settle`]), as a patch where the object has nothing ([`add`]), and within such an addition, where kyaml takes one node for
//! both sides ([`same`]). Where kyaml returns another node than the object's own, what it does to that node does not reach
//! lists that hold the old one; [`Out`] keeps the two apart.
//!
//! What kyaml does not know, `$retainKeys`, `$setElementOrder` and `$deleteFromPrimitiveList`, it leaves in the result, and so does this.
//! Merge keys that YAML comments declare are not looked for.

mod associative;
mod items;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::scalar;
use crate::schema::{Node, Schema};

/// How to merge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merge<'s> {
    pub schema: &'s Schema,
    /// Nulls of the object that the patch does not touch stay. kyaml drops those that are written as nothing (`key:`) and keeps those
    /// that are written out (`key: null`).
    pub keeps_nulls: bool,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merged {
    Changed,
    /// The patch deletes it.
    Deleted,
}

/// Why a patch does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    message: String,
    /// Fields from the innermost.
    path: Vec<String>,
}

impl Misfit {
    fn new(message: impl Into<String>) -> Self {
        Misfit {
            message: message.into(),
            path: Vec::new(),
        }
    }

    fn within(mut self, field: &str) -> Self {
        self.path.push(field.to_owned());
        self
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, field) in self.path.iter().rev().enumerate() {
            write!(f, "{}{field}", if at > 0 { "." } else { "" })?;
        }
        write!(f, "{}{}", if self.path.is_empty() { "" } else { ": " }, self.message)
    }
}

type Fits<T> = Result<T, Misfit>;

impl Merge<'_> {
    /// Merges a patch into an object.
    ///
    /// # Errors
    ///
    /// Where the two have values of different kinds at one place, or a `$patch` is none of `delete`, `replace` and `merge`.
    pub fn apply(self, object: &mut Value, patch: &Value) -> Fits<Merged> {
        match merge(self, object, patch, None)? {
            Out::Nothing => Ok(Merged::Deleted),
            // kustomize does not look at the node that a `$patch: replace` of the whole object gives: nothing happens.
            Out::Dest | Out::Other(_) => Ok(Merged::Changed),
        }
    }
}

/// What a walk gives for a value that the object had.
#[derive(Debug)]
enum Out {
    /// That value, changed in place.
    Dest,
    /// Another one; the object's is as it was.
    Other(Value),
    Nothing,
}

/// The directive of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

const DIRECTIVE: &str = "$patch";

fn directive(written: &str) -> Fits<Directive> {
    match written {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        other => Err(Misfit::new(format!("unknown patch strategy '{other}'"))),
    }
}

fn directive_of(map: &Map<String, Value>) -> Fits<Directive> {
    map.get(DIRECTIVE)
        .map_or(Ok(Directive::Merge), |written| directive(&scalar::text(written)))
}

/// The type at hand, or that of a value which says what it is: `apiVersion` and `kind` count at any depth.
fn type_of<'s>(cx: Merge<'s>, node: Option<Node<'s>>, value: &Value) -> Option<Node<'s>> {
    node.or_else(|| {
        let map = value.as_object()?;
        let (api_version, kind) = (map.get("apiVersion")?, map.get("kind")?);
        cx.schema.of_kind(&scalar::text(api_version), &scalar::text(kind))
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "MappingNode",
        Value::Array(_) => "SequenceNode",
        _ => "ScalarNode",
    }
}

fn wrong_kind(expected: &str, found: &Value) -> Misfit {
    Misfit::new(format!(
        "wrong node kind: expected {expected} but got {}",
        kind_of(found)
    ))
}

/// A value of the object and one of the patch.
fn merge<'s>(cx: Merge<'s>, dest: &mut Value, origin: &Value, node: Option<Node<'s>>) -> Fits<Out> {
    match (&mut *dest, origin) {
        (_, Value::Null) => Ok(Out::Nothing),
        (Value::Null, _) => Ok(add(cx, origin, node)?.map_or(Out::Nothing, Out::Other)),
        (Value::Object(_), Value::Object(patch)) => merge_maps(cx, dest, patch, origin, node),
        (Value::Array(list), Value::Array(patch)) => match node.and_then(|node| Some((node, node.merge_keys()?))) {
            None => Ok(Out::Other(origin.clone())),
            Some((node, keys)) => associative::merge(cx, list, patch, keys, node.elements()),
        },
        (Value::Object(_), _) | (Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => {
            Err(wrong_kind(kind_of(dest), origin))
        }
        _ => Ok(Out::Other(origin.clone())),
    }
}

fn merge_maps<'s>(
    cx: Merge<'s>,
    dest: &mut Value,
    patch: &Map<String, Value>,
    origin: &Value,
    node: Option<Node<'s>>,
) -> Fits<Out> {
    let node = type_of(cx, type_of(cx, node, dest), origin);
    match directive_of(patch)? {
        Directive::Delete => return Ok(Out::Nothing),
        Directive::Replace => {
            let mut added = patch.clone();
            added.shift_remove(DIRECTIVE);
            same_fields(cx, &mut added, node)?;
            return Ok(Out::Other(Value::Object(added)));
        }
        Directive::Merge => {}
    }
    let Value::Object(dest) = dest else {
        return Ok(Out::Dest);
    };
    settle_fields(cx, dest, node, |key| patch.contains_key(key))?;
    for (key, origin) in patch.iter().filter(|(key, _)| *key != DIRECTIVE) {
        let node = node.and_then(|node| node.field(key));
        let out = match dest.get_mut(key) {
            Some(value) => merge(cx, value, origin, node),
            None => add(cx, origin, node).map(|added| added.map_or(Out::Nothing, Out::Other)),
        };
        match out.map_err(|misfit| misfit.within(key))? {
            Out::Dest => {}
            Out::Other(value) => set_field(dest, key, value),
            Out::Nothing => drop(dest.shift_remove(key)),
        }
    }
    // `$patch: merge` is elided from the patch; a field of that name in the object is settled like any other.
    Ok(Out::Dest)
}

/// Sets a field. kyaml keeps the quotes of the value that was there: a number or boolean in its place becomes a text. Quotes are
/// not known here, but a text that would be something else without them must have had them.
fn set_field(map: &mut Map<String, Value>, key: &str, mut value: Value) {
    let place = map.entry(key).or_insert(Value::Null);
    if place.is_string()
        && matches!(value, Value::Number(_) | Value::Bool(_))
        && kube_yaml::to_string(place).starts_with(['"', '\'', '|', '>'])
    {
        value = Value::String(scalar::text(&value).into_owned());
    }
    *place = value;
}

/// A value of the object alone; `false` where it goes.
fn settle<'s>(cx: Merge<'s>, value: &mut Value, node: Option<Node<'s>>) -> Fits<bool> {
    let typed = type_of(cx, node, value);
    match value {
        Value::Null => return Ok(cx.keeps_nulls),
        Value::Object(map) => settle_fields(cx, map, typed, |_| false)?,
        Value::Array(list) => {
            if let Some((node, keys)) = typed.and_then(|node| Some((node, node.merge_keys()?))) {
                associative::settle(cx, list, keys, node.elements())?;
            }
        }
        _ => {}
    }
    Ok(true)
}

fn settle_fields<'s>(
    cx: Merge<'s>,
    map: &mut Map<String, Value>,
    node: Option<Node<'s>>,
    but: impl Fn(&str) -> bool,
) -> Fits<()> {
    retain(map, |key, value| match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(true),
        _ if but(key) => Ok(true),
        _ => settle(cx, value, node.and_then(|node| node.field(key))),
    })
}

/// A value of the patch where the object has none; `None` where nothing is added.
fn add<'s>(cx: Merge<'s>, origin: &Value, node: Option<Node<'s>>) -> Fits<Option<Value>> {
    let node = type_of(cx, node, origin);
    let mut added = origin.clone();
    match &mut added {
        Value::Null => return Ok(None),
        Value::Object(map) => {
            // Here kyaml does not mind a directive that it does not know, and leaves it.
            match directive_of(map) {
                Ok(Directive::Delete) => return Ok(None),
                Ok(_) => drop(map.shift_remove(DIRECTIVE)),
                Err(_) => {}
            }
            same_fields(cx, map, node)?;
        }
        Value::Array(list) => {
            if let Some((node, keys)) = node.and_then(|node| Some((node, node.merge_keys()?))) {
                associative::same(cx, list, keys, node.elements())?;
            }
        }
        _ => {}
    }
    Ok(Some(added))
}

/// A value within an addition; `false` where it goes.
fn same<'s>(cx: Merge<'s>, value: &mut Value, node: Option<Node<'s>>) -> Fits<bool> {
    let node = type_of(cx, node, value);
    match value {
        Value::Null => return Ok(false),
        Value::Object(map) => {
            let directive = directive_of(map)?;
            map.shift_remove(DIRECTIVE);
            if directive == Directive::Delete {
                return Ok(false);
            }
            same_fields(cx, map, node)?;
        }
        Value::Array(list) => {
            if let Some((node, keys)) = node.and_then(|node| Some((node, node.merge_keys()?))) {
                let (elided, directive) = associative::elide(list)?;
                if directive == Directive::Delete {
                    return Ok(false);
                }
                if let Cow::Owned(elided) = elided {
                    *list = elided;
                }
                associative::same(cx, list, keys, node.elements())?;
            }
        }
        _ => {}
    }
    Ok(true)
}

fn same_fields<'s>(cx: Merge<'s>, map: &mut Map<String, Value>, node: Option<Node<'s>>) -> Fits<()> {
    retain(map, |key, value| same(cx, value, node.and_then(|node| node.field(key))))
}

/// Keeps the fields that `keep` is true for; the first misfit ends it.
fn retain(map: &mut Map<String, Value>, mut keep: impl FnMut(&str, &mut Value) -> Fits<bool>) -> Fits<()> {
    let mut misfit = None;
    map.retain(|key, value| {
        misfit.is_some()
            || keep(key, value).unwrap_or_else(|found| {
                misfit = Some(found.within(key));
                true
            })
    });
    misfit.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
