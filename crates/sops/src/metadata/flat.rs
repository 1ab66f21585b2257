//! Metadata as a flat list, for formats that have no lists and maps: `age__list_0__map_recipient`.

use std::collections::BTreeMap;

use crate::error::{Error, metadata as wrong};
use crate::tree::{Entry, Item, Map, Value};

const MAP: &str = "__map_";
const LIST: &str = "__list_";
/// Deeper than any metadata.
const MAX_DEPTH: usize = 16;

/// Names and scalars, in their order.
pub(crate) fn flatten(map: &Map) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (key, value) in map.pairs() {
        descend(key.to_owned(), value, &mut flat);
    }
    flat
}

fn descend(name: String, value: &Value, flat: &mut Vec<(String, Value)>) {
    match value {
        Value::Map(map) => {
            for (key, value) in map.pairs() {
                descend(format!("{name}{MAP}{key}"), value, flat);
            }
        }
        Value::List(items) => {
            let values = items.iter().filter_map(|item| match item {
                Item::Value(value) => Some(value),
                Item::Comment(_) => None,
            });
            for (at, value) in values.enumerate() {
                descend(format!("{name}{LIST}{at}"), value, flat);
            }
        }
        value => flat.push((name, value.clone())),
    }
}

#[derive(Default)]
struct Node {
    value: Option<Value>,
    keys: BTreeMap<String, Node>,
    items: BTreeMap<usize, Node>,
}

/// The map that a flat list stands for.
pub(crate) fn unflatten(flat: Vec<(String, Value)>) -> Result<Map, Error> {
    let mut root = Node::default();
    for (name, value) in flat {
        let mut node = &mut root;
        for (depth, step) in steps(&name).into_iter().enumerate() {
            if depth == MAX_DEPTH {
                return Err(wrong(name, "nested deeper than any metadata"));
            }
            node = match step {
                Step::Key(key) => node.keys.entry(key.to_owned()).or_default(),
                Step::Item(Some(at)) => node.items.entry(at).or_default(),
                Step::Item(None) => return Err(wrong(name, "not a place in a list")),
            };
        }
        if node.value.replace(value).is_some() {
            return Err(wrong(name, "given twice"));
        }
    }
    match tree(root, "sops")? {
        Value::Map(map) => Ok(map),
        _ => Err(wrong("sops", "not a map")),
    }
}

enum Step<'n> {
    Key(&'n str),
    Item(Option<usize>),
}

fn steps(name: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = name;
    let mut key = true;
    loop {
        let next = [
            rest.find(MAP).map(|at| (at, true)),
            rest.find(LIST).map(|at| (at, false)),
        ];
        let next = next.into_iter().flatten().min();
        let part = &rest[..next.map_or(rest.len(), |(at, _)| at)];
        steps.push(match key {
            true => Step::Key(part),
            false => Step::Item(part.parse().ok()),
        });
        let Some((at, map)) = next else {
            return steps;
        };
        rest = &rest[at + if map { MAP.len() } else { LIST.len() }..];
        key = map;
    }
}

fn tree(node: Node, name: &str) -> Result<Value, Error> {
    let kinds = [node.value.is_some(), !node.keys.is_empty(), !node.items.is_empty()];
    if kinds.iter().filter(|kind| **kind).count() > 1 {
        return Err(wrong(name, "a value, a map and a list at once"));
    }
    if let Some(value) = node.value {
        return Ok(value);
    }
    if !node.items.is_empty() {
        let whole = (0..).zip(node.items.keys()).all(|(at, item)| at == *item);
        if !whole {
            return Err(wrong(name, "a list with gaps"));
        }
        let items = node.items.into_values().map(|item| tree(item, name).map(Item::Value));
        return Ok(Value::List(items.collect::<Result<_, _>>()?));
    }
    let pairs = node.keys.into_iter().map(|(key, node)| {
        let value = tree(node, &key)?;
        Ok(Entry::Pair(key, value))
    });
    Ok(Value::Map(Map {
        entries: pairs.collect::<Result<_, _>>()?,
    }))
}
