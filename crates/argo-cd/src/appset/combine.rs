//! The generators `matrix` and `merge` (`applicationset/generators/{matrix,merge}.go`).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::MOST;
use super::generate::Generators;
use super::params::Params;
use super::render::Engine;
use crate::error::Error;
use crate::read::Reader;
use crate::template::{Value, merge_over};

/// The children of a generator, each with its place.
fn children<'v>(value: &'v Json, field: &str) -> Result<Vec<(String, &'v Json)>, Vec<Error>> {
    let mut errors = Vec::new();
    let mut reader = Reader::at(field.to_owned(), Some(value), &mut errors);
    reader.maps("generators", |_| ());
    let items = reader.any("generators").and_then(Json::as_array).into_iter().flatten();
    let found = items
        .enumerate()
        .map(|(at, item)| (format!("{field}.generators[{at}]"), item))
        .collect();
    match errors.is_empty() {
        true => Ok(found),
        false => Err(errors),
    }
}

/// The parameters of a child, which must be one generator.
fn of_child(
    generators: &Generators,
    (field, child): &(String, &Json),
    params: Option<&Params>,
    depth: usize,
    outside: &mut Vec<Error>,
) -> Result<Vec<Params>, Vec<Error>> {
    let before = outside.len();
    let mut found = generators.transform(child, params, depth, field, outside)?;
    match found.len() {
        1 => Ok(found.swap_remove(0).1),
        0 if outside.len() > before => Ok(Vec::new()),
        0 => Err(vec![Error::new(field.as_str(), "names no generator that can be here")]),
        _ => Err(vec![Error::new(field.as_str(), "names more than one generator")]),
    }
}

/// Each set of the first with each of the second, which is rendered with the first's parameters.
pub(crate) fn matrix(
    generators: &Generators,
    value: &Json,
    field: &str,
    depth: usize,
    outside: &mut Vec<Error>,
) -> Result<Vec<Params>, Vec<Error>> {
    let children = children(value, field)?;
    let [first, second] = children.as_slice() else {
        let message = format!("has {} generators, not two", children.len());
        return Err(vec![Error::new(format!("{field}.generators"), message)]);
    };
    let mut sets = Vec::new();
    for a in of_child(generators, first, None, depth + 1, outside)? {
        let before = outside.len();
        let others = of_child(generators, second, Some(&a), depth + 1, outside)?;
        // What is outside is said once, not for each of the first.
        let again: Vec<Error> = outside.drain(before..).collect();
        for error in again {
            if !outside.contains(&error) {
                outside.push(error);
            }
        }
        for b in others {
            sets.push(combined(generators, &a, &b).map_err(|message| vec![Error::new(field, message)])?);
            if sets.len() > MOST {
                return Err(vec![Error::new(
                    field,
                    format!("makes more than {MOST} sets of parameters"),
                )]);
            }
        }
    }
    Ok(sets)
}

fn combined(generators: &Generators, a: &Params, b: &Params) -> Result<Params, String> {
    match generators.mode.engine {
        Engine::Go(_) => {
            // Where both have a key the first's wins, and maps merge.
            let merged = over(&b.value(), &a.value())?;
            Ok(merged)
        }
        Engine::Fast => {
            let mut merged = Params::default();
            for (key, value) in a.texts().map_err(|failure| failure.message)? {
                merged.set(&key, value);
            }
            for (key, value) in b.texts().map_err(|failure| failure.message)? {
                match merged.entries.get(&key) {
                    Some(Value::Text(there)) if **there != *value => {
                        return Err(format!("both generators give the parameter {key:?}, and not the same"));
                    }
                    _ => merged.set(&key, value),
                }
            }
            Ok(merged)
        }
    }
}

fn over(base: &Value, with: &Value) -> Result<Params, String> {
    let merged = merge_over(base, with).map_err(|failure| failure.message)?;
    Ok(Params {
        entries: merged.entries().unwrap_or_default().into_iter().collect(),
    })
}

/// The sets of the first, each with those of the others over it that have the same values of some keys.
pub(crate) fn merge(
    generators: &Generators,
    value: &Json,
    field: &str,
    depth: usize,
    outside: &mut Vec<Error>,
) -> Result<Vec<Params>, Vec<Error>> {
    let children = children(value, field)?;
    if children.len() < 2 {
        let message = format!("has {} generators, not two or more", children.len());
        return Err(vec![Error::new(format!("{field}.generators"), message)]);
    }
    let mut errors = Vec::new();
    let keys = Reader::at(field.to_owned(), Some(value), &mut errors).texts("mergeKeys");
    if keys.is_empty() && errors.is_empty() {
        errors.push(Error::new(format!("{field}.mergeKeys"), "is missing"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut all = Vec::new();
    for child in &children {
        let sets = of_child(generators, child, None, depth + 1, outside)?;
        all.push((child.0.as_str(), sets));
    }
    let mut all = all.into_iter();
    let Some((place, mut base)) = all.next() else {
        return Ok(Vec::new());
    };
    by_keys(&keys, &base, place)?;
    for (place, others) in all {
        let by_key = by_keys(&keys, &others, place)?;
        for set in &mut base {
            let Some(at) = by_key.get(&key_of(&keys, set)) else {
                continue;
            };
            match generators.mode.engine {
                Engine::Go(_) => {
                    *set =
                        over(&set.value(), &others[*at].value()).map_err(|message| vec![Error::new(field, message)])?
                }
                Engine::Fast => set.entries.extend(others[*at].entries.clone()),
            }
        }
    }
    Ok(base)
}

fn key_of(keys: &[String], set: &Params) -> String {
    let all = set.to_json();
    let values: Vec<_> = keys
        .iter()
        .map(|key| all.get(key).cloned().unwrap_or(Json::Null))
        .collect();
    Json::Array(values).to_string()
}

/// Where each set is by its values of some keys, which must differ.
fn by_keys(keys: &[String], sets: &[Params], place: &str) -> Result<BTreeMap<String, usize>, Vec<Error>> {
    let mut found = BTreeMap::new();
    for (at, set) in sets.iter().enumerate() {
        let key = key_of(keys, set);
        if found.contains_key(&key) {
            let message = format!("two sets of parameters have the same {}: {key}", keys.join(", "));
            return Err(vec![Error::new(place, message)]);
        }
        found.insert(key, at);
    }
    Ok(found)
}
