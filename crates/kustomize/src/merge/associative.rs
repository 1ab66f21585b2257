//! Lists whose items merge by keys, or, without keys, as a set.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::items::{Origin, walk};
use super::{DIRECTIVE, Directive, Fits, Merge, Misfit, Out, directive};
use crate::scalar;
use crate::schema::Node;

/// The keys of a list, as the schema has them.
pub(super) type Keys<'k> = &'k [Cow<'static, str>];

/// A list of the object and one of the patch.
pub(super) fn merge<'s>(
    cx: Merge<'s>,
    dest: &mut Vec<Value>,
    origin: &[Value],
    keys: Keys<'_>,
    elements: Option<Node<'s>>,
) -> Fits<Out> {
    let (origin, directive) = elide(origin)?;
    match directive {
        Directive::Delete => return Ok(Out::Nothing),
        Directive::Replace => {
            let mut list = origin.into_owned();
            same(cx, &mut list, keys, elements)?;
            return Ok(Out::Other(Value::Array(list)));
        }
        Directive::Merge => {}
    }
    match keys.is_empty() {
        true if dest.iter().chain(&*origin).all(Value::is_string) => union(dest, &origin),
        false if plain_patch(&origin) => match Plain::of(&[&**dest, &*origin], keys) {
            Some(plain) => merge_plain(cx, dest, &origin, &plain, elements)?,
            None => walk(cx, dest, Origin::Patch(&origin), keys, elements)?,
        },
        _ => walk(cx, dest, Origin::Patch(&origin), keys, elements)?,
    }
    Ok(Out::Dest)
}

/// A list of the object alone.
pub(super) fn settle<'s>(cx: Merge<'s>, list: &mut Vec<Value>, keys: Keys<'_>, elements: Option<Node<'s>>) -> Fits<()> {
    if keys.is_empty() && list.iter().all(Value::is_string) {
        union(list, &[]);
        return Ok(());
    }
    if keys.is_empty() || Plain::of(&[list], keys).is_none() {
        return walk(cx, list, Origin::Nothing, keys, elements);
    }
    list.iter_mut()
        .try_for_each(|item| super::settle(cx, item, elements).map(drop))
}

/// A list within an addition.
pub(super) fn same<'s>(cx: Merge<'s>, list: &mut Vec<Value>, keys: Keys<'_>, elements: Option<Node<'s>>) -> Fits<()> {
    if keys.is_empty() && list.iter().all(Value::is_string) {
        union(list, &[]);
        return Ok(());
    }
    if keys.is_empty() || !plain_patch(list) || Plain::of(&[list], keys).is_none() {
        return walk(cx, list, Origin::Same, keys, elements);
    }
    list.iter_mut()
        .try_for_each(|item| super::same(cx, item, elements).map(drop))
}

/// The directive of a list is its first item that has a `$patch`, if it has nothing else. All items with that directive go, and with
/// them those that are empty.
pub(super) fn elide(list: &[Value]) -> Fits<(Cow<'_, [Value]>, Directive)> {
    let alone = list
        .iter()
        .filter_map(Value::as_object)
        .find(|item| item.contains_key(DIRECTIVE));
    let Some(written) = alone
        .filter(|item| item.len() == 1)
        .and_then(|item| item.get(DIRECTIVE))
    else {
        return Ok((Cow::Borrowed(list), Directive::Merge));
    };
    let written = scalar::text(written);
    let directive = directive(&written)?;
    let stays = |item: &&Value| match item {
        Value::Null => false,
        Value::Object(map) => !map.is_empty() && map.get(DIRECTIVE).is_none_or(|other| scalar::text(other) != written),
        _ => true,
    };
    Ok((list.iter().filter(stays).cloned().collect(), directive))
}

/// No item has a directive of its own.
fn plain_patch(list: &[Value]) -> bool {
    list.iter().all(|item| item.get(DIRECTIVE).is_none())
}

/// Texts of the patch first, then those of the object, each once.
fn union(dest: &mut Vec<Value>, origin: &[Value]) {
    let mut seen = HashSet::new();
    let own = std::mem::take(dest);
    for value in origin.iter().cloned().chain(own) {
        if seen.insert(scalar::text(&value).into_owned()) {
            dest.push(value);
        }
    }
}

/// Lists in which everything is as it should be: each item is an object that has all the keys that any has, and no two of a
/// list have the same. There the result is what one expects, and is found without [`walk`].
struct Plain<'k> {
    /// The keys that items have.
    keys: Vec<&'k str>,
    /// For each list, items by the texts of their keys.
    items: Vec<HashMap<Vec<String>, usize>>,
}

impl<'k> Plain<'k> {
    fn of(lists: &[&[Value]], keys: Keys<'k>) -> Option<Plain<'k>> {
        let has = |item: &Value, key: &str| item.get(key).is_some_and(|value| !scalar::text(value).is_empty());
        let used = |key: &&str| lists.iter().any(|list| list.iter().any(|item| has(item, key)));
        let keys: Vec<&str> = keys.iter().map(|key| &**key).filter(used).collect();
        if keys.is_empty() {
            return lists.iter().all(|list| list.is_empty()).then_some(Plain {
                keys,
                items: Vec::new(),
            });
        }
        let mut items = Vec::new();
        for list in lists {
            let mut by_texts = HashMap::with_capacity(list.len());
            for (at, item) in list.iter().enumerate() {
                if by_texts.insert(texts(item, &keys)?, at).is_some() {
                    return None;
                }
            }
            items.push(by_texts);
        }
        Some(Plain { keys, items })
    }
}

/// The texts of an item's keys, if it has all.
fn texts(item: &Value, keys: &[&str]) -> Option<Vec<String>> {
    let text = |key: &&str| {
        item.get(key)
            .map(scalar::text)
            .filter(|text| !text.is_empty())
            .map(Cow::into_owned)
    };
    keys.iter().map(text).collect()
}

/// With one key, items that the patch names come first, in its order. With several, only those that it adds do.
fn merge_plain<'s>(
    cx: Merge<'s>,
    dest: &mut Vec<Value>,
    origin: &[Value],
    plain: &Plain<'_>,
    elements: Option<Node<'s>>,
) -> Fits<()> {
    let Some(own) = plain.items.first() else {
        return Ok(());
    };
    let mut taken: Vec<Option<Value>> = std::mem::take(dest).into_iter().map(Some).collect();
    for patch in origin {
        let texts = texts(patch, &plain.keys).unwrap_or_default();
        let name = || texts.join(",");
        let place = own.get(&texts).and_then(|at| taken.get_mut(*at));
        match place {
            None => dest.extend(super::add(cx, patch, elements).map_err(|misfit| misfit.within(&name()))?),
            Some(place) => {
                if let Some(item) = place {
                    let out = super::merge(cx, item, patch, elements).map_err(|misfit| misfit.within(&name()))?;
                    if let Out::Other(other) = out {
                        *item = other;
                    }
                }
                if plain.keys.len() == 1 {
                    dest.extend(place.take());
                }
            }
        }
    }
    let named = plain.items.get(1);
    for mut item in taken.into_iter().flatten() {
        let patched =
            named.is_some_and(|named| texts(&item, &plain.keys).is_some_and(|texts| named.contains_key(&texts)));
        if patched || super::settle(cx, &mut item, elements)? {
            dest.push(item);
        }
    }
    Ok(())
}

/// Such a list takes time that grows with the square of its length.
pub(super) fn too_long(items: usize) -> Misfit {
    Misfit::new(format!(
        "a list of {items} items, some without merge key or with the same, is too long to merge"
    ))
}
