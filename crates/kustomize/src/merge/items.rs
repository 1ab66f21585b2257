//! Merges lists whose items lack keys or share them, step by step as kyaml does: what comes out follows from the order of its
//! steps and from the nodes that its lists share, and is often not what one expects.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use super::associative::{Keys, too_long};
use super::{DIRECTIVE, Fits, Merge, Out, directive_of, wrong_kind};
use crate::scalar;
use crate::schema::Node;

/// The patch beside a list of the object.
pub(super) enum Origin<'o> {
    Patch(&'o [Value]),
    Nothing,
    /// The same node.
    Same,
}

/// A node: two lists that hold it see each other's changes.
type Item = Rc<RefCell<Value>>;

/// More comparisons of items than this are not made.
const MOST_COMPARISONS: usize = 100_000_000;

/// Merges the items of a list.
pub(super) fn walk<'s>(
    cx: Merge<'s>,
    list: &mut Vec<Value>,
    origin: Origin<'_>,
    keys: Keys<'_>,
    elements: Option<Node<'s>>,
) -> Fits<()> {
    let shared = |value: Value| Rc::new(RefCell::new(value));
    let mut dest: Vec<Item> = std::mem::take(list).into_iter().map(shared).collect();
    let patch: Option<Vec<Item>> = match origin {
        Origin::Patch(patch) => Some(patch.iter().cloned().map(shared).collect()),
        Origin::Nothing | Origin::Same => None,
    };
    let length = dest.len() + patch.as_ref().map_or(0, Vec::len);
    if length.saturating_mul(length) > MOST_COMPARISONS {
        return Err(too_long(length));
    }
    let is_same = matches!(origin, Origin::Same);

    let keys: Vec<&str> = if keys.is_empty() {
        vec![""]
    } else {
        keys.iter().map(|key| &**key).collect()
    };
    let mut values: Vec<Vec<String>> = Vec::new();
    for item in patch.iter().flatten().chain(&dest) {
        let texts = keys
            .iter()
            .map(|key| key_text(&item.borrow(), key).into_owned())
            .collect();
        if !values.contains(&texts) {
            values.push(texts);
        }
    }
    if keys.len() > 1 {
        complete(&mut values);
    }
    let (used, _) = valid(&values, &[], &keys);
    let mut items: Vec<Item> = Vec::new();
    for texts in &values {
        let (_, texts) = valid(&values, texts, &keys);
        let (find_keys, find_texts) = valid(std::slice::from_ref(&texts), &texts, &used);
        let own = find(&dest, &find_keys, &find_texts);
        let other = match is_same {
            true => own.clone(),
            false => patch.as_ref().and_then(|patch| find(patch, &find_keys, &find_texts)),
        };
        let item = one(cx, own, other, is_same, elements)?;
        match item.filter(|item| !is_empty(&item.borrow())) {
            None => set(&mut dest, None, &used, &texts)?,
            Some(item) => set(&mut items, Some(&item), &used, &texts)?,
        }
    }
    if values.is_empty() {
        items = dest;
    } else {
        append(&mut items, &dest, &used)?;
    }
    *list = items.iter().map(|item| item.borrow().clone()).collect();
    Ok(())
}

/// Walks the two nodes that are found for an item.
fn one<'s>(
    cx: Merge<'s>,
    own: Option<Item>,
    other: Option<Item>,
    is_same: bool,
    elements: Option<Node<'s>>,
) -> Fits<Option<Item>> {
    let stays = |own: Item, stays: bool| if stays { Some(own) } else { None };
    match (own, other) {
        (None, None) => Ok(None),
        (Some(own), None) => {
            let keep = super::settle(cx, &mut own.borrow_mut(), elements)?;
            Ok(stays(own, keep))
        }
        (Some(own), Some(_)) if is_same => {
            let keep = super::same(cx, &mut own.borrow_mut(), elements)?;
            Ok(stays(own, keep))
        }
        (own, Some(other)) => {
            let out = match &own {
                Some(own) => super::merge(cx, &mut own.borrow_mut(), &other.borrow(), elements)?,
                None => super::add(cx, &other.borrow(), elements)?.map_or(Out::Nothing, Out::Other),
            };
            // A directive is read once.
            if let Some(map) = other.borrow_mut().as_object_mut()
                && directive_of(map).is_ok()
            {
                map.shift_remove(DIRECTIVE);
            }
            Ok(match out {
                Out::Dest => own,
                Out::Other(value) => Some(Rc::new(RefCell::new(value))),
                Out::Nothing => None,
            })
        }
    }
}

/// The text of a value where kyaml compares nodes: a null has the text it is written with. One that is written as nothing is told
/// apart nowhere here, and is rare in such a place.
fn node_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed("null"),
        value => scalar::text(value),
    }
}

/// The text of a key; that of the item itself for the key `""`.
fn key_text<'v>(item: &'v Value, key: &str) -> Cow<'v, str> {
    match key {
        "" => node_text(item),
        key => item.get(key).map_or(Cow::Borrowed(""), scalar::text),
    }
}

fn is_empty(item: &Value) -> bool {
    item.is_null() || item.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Texts that agree where both have one, and somewhere at all, are those of one item: each gets what it lacks of the other.
fn complete(values: &mut [Vec<String>]) {
    for i in 0..values.len() {
        // As they are before any of this round: kyaml does not look again.
        let one = values.get(i).cloned().unwrap_or_default();
        for j in 0..values.len() {
            let both = values.get(j).and_then(|other| united(&one, other));
            if let Some(both) = both {
                for at in [i, j] {
                    if let Some(place) = values.get_mut(at) {
                        place.clone_from(&both);
                    }
                }
            }
        }
    }
}

fn united(a: &[String], b: &[String]) -> Option<Vec<String>> {
    let mut agree = false;
    let mut both = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        agree |= a == b;
        match (a.is_empty(), b.is_empty()) {
            (false, false) if a != b => return None,
            (false, _) => both.push(a.clone()),
            (true, _) => both.push(b.clone()),
        }
    }
    agree.then_some(both)
}

/// The keys for which any of `all` has a text, and those of `texts` for them. All, where none has.
fn valid<'k>(all: &[Vec<String>], texts: &[String], keys: &[&'k str]) -> (Vec<&'k str>, Vec<String>) {
    let used = |at: usize| {
        all.iter()
            .any(|texts| texts.get(at).is_some_and(|text| !text.is_empty()))
    };
    let places: Vec<usize> = (0..keys.len()).filter(|at| used(*at)).collect();
    if places.is_empty() {
        return (keys.to_vec(), texts.to_vec());
    }
    (
        places.iter().filter_map(|at| keys.get(*at).copied()).collect(),
        places.iter().filter_map(|at| texts.get(*at).cloned()).collect(),
    )
}

/// The first item whose keys have these texts (kyaml's `ElementMatcher`).
fn find(items: &[Item], keys: &[&str], texts: &[String]) -> Option<Item> {
    let matches = |item: &&Item| {
        let item = item.borrow();
        keys.iter().zip(texts).all(|(key, text)| match (*key, &*item) {
            ("", item) => node_text(item) == **text,
            (key, Value::Object(map)) => map.get(key).is_some_and(|value| node_text(value) == **text),
            _ => false,
        })
    };
    items.iter().find(matches).cloned()
}

/// Replaces the items whose keys have these texts by another, which is appended where there are none, or, for `None`, removes
/// them (kyaml's `ElementSetter`). Empty items go. An empty text stands for any, a missing one for what the key before it says, and
/// where there are no texts at all everything goes.
fn set(items: &mut Vec<Item>, element: Option<&Item>, keys: &[&str], texts: &[String]) -> Fits<()> {
    let for_maps =
        keys.first().is_some_and(|key| !key.is_empty()) && texts.first().is_some_and(|text| !text.is_empty());
    let mut found = false;
    let mut kept = Vec::with_capacity(items.len() + 1);
    for item in items.drain(..) {
        let value = item.borrow();
        if is_empty(&value) {
            continue;
        }
        if for_maps && !value.is_object() {
            drop(value);
            kept.push(item);
            continue;
        }
        let mut matches = false;
        for (at, key) in keys.iter().enumerate() {
            if let Some(text) = texts.get(at) {
                matches = has(&value, key, text)?;
            }
            if !matches {
                break;
            }
        }
        drop(value);
        if matches {
            found = true;
            kept.extend(element.cloned());
        } else if !texts.is_empty() {
            kept.push(item);
        }
    }
    if let Some(element) = element.filter(|element| !found && !element.borrow().is_null()) {
        kept.push(Rc::clone(element));
    }
    *items = kept;
    Ok(())
}

fn has(item: &Value, key: &str, text: &str) -> Fits<bool> {
    match (key, item) {
        ("", Value::Object(_) | Value::Array(_)) => Err(wrong_kind("ScalarNode", item)),
        ("", item) => Ok(node_text(item) == text),
        (key, Value::Object(map)) => Ok(map
            .get(key)
            .is_some_and(|value| text.is_empty() || node_text(value) == text)),
        (_, item) => Err(wrong_kind("MappingNode", item)),
    }
}

/// Puts the items of the object after those that were merged, each in the place of its like (kyaml's `appendListNode`).
fn append(items: &mut Vec<Item>, dest: &[Item], keys: &[&str]) -> Fits<()> {
    for item in dest {
        if keys.first().is_some_and(|key| key.is_empty()) {
            let text = node_text(&item.borrow()).into_owned();
            set(items, Some(item), &[""], &[text])?;
            continue;
        }
        let mut texts = Vec::new();
        for key in keys {
            let value = item.borrow();
            match &*value {
                Value::Object(map) => match map.get(*key) {
                    Some(value) => texts.push(node_text(value).into_owned()),
                    None => items.push(Rc::clone(item)),
                },
                Value::Null => items.push(Rc::clone(item)),
                other => return Err(wrong_kind("MappingNode", other)),
            }
        }
        if keys.len() > 1 {
            set(items, None, keys, &texts)?;
        }
        set(items, Some(item), keys, &texts)?;
    }
    Ok(())
}
