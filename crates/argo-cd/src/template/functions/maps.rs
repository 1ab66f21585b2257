//! Functions of maps (sprig's `dict.go`).

use std::rc::Rc;

use super::Type::{Any, Map, Text};
use super::kinds::deep_copy;
use super::{Bounds, Failure, Function, Value, fail, fixed, list, strslice, strval, text, variadic};

type Result<T> = std::result::Result<T, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Any, dict),
    fixed("get", &[Map, Text], |_, args| {
        Ok(of(args, 0, &text(args, 1)).unwrap_or_else(|| Value::from("")))
    }),
    fixed("set", &[Map, Text, Any], |bounds, args| {
        if let Value::Map(entries) = &args[0] {
            if args[2].is_collection() {
                bounds.nest()?;
            }
            entries.borrow_mut().insert(text(args, 1), args[2].clone());
        }
        Ok(args[0].clone())
    }),
    fixed("unset", &[Map, Text], |_, args| {
        if let Value::Map(entries) = &args[0] {
            entries.borrow_mut().remove(&text(args, 1));
        }
        Ok(args[0].clone())
    }),
    fixed("hasKey", &[Map, Text], |_, args| {
        Ok(Value::Bool(of(args, 0, &text(args, 1)).is_some()))
    }),
    variadic("pluck", &[Text], Map, |bounds, args| {
        let found = (1..args.len()).filter_map(|at| of(args, at, &text(args, 0)));
        list(bounds, found.collect())
    }),
    // Go gives keys and values in no order; here it is that of the keys.
    variadic("keys", &[], Map, |_, args| {
        let keys = args.iter().flat_map(|map| map.entries().unwrap_or_default());
        Ok(Value::texts(keys.map(|(key, _)| key)))
    }),
    fixed("values", &[Map], |bounds, args| {
        let values = args[0]
            .entries()
            .unwrap_or_default()
            .into_iter()
            .map(|(_, value)| value);
        list(bounds, values.collect())
    }),
    variadic("pick", &[Map], Text, |bounds, args| chosen(bounds, args, true)),
    variadic("omit", &[Map], Text, |bounds, args| chosen(bounds, args, false)),
    variadic("merge", &[Map], Map, |bounds, args| merged(bounds, args, false)),
    variadic("mustMerge", &[Map], Map, |bounds, args| merged(bounds, args, false)),
    variadic("mergeOverwrite", &[Map], Map, |bounds, args| merged(bounds, args, true)),
    variadic("mustMergeOverwrite", &[Map], Map, |bounds, args| {
        merged(bounds, args, true)
    }),
    variadic("dig", &[], Any, dig),
    fixed("deepCopy", &[Any], |bounds, args| deep_copy(bounds, &args[0], 0)),
    fixed("mustDeepCopy", &[Any], |bounds, args| deep_copy(bounds, &args[0], 0)),
];

fn of(args: &[Value], at: usize, key: &str) -> Option<Value> {
    match args.get(at) {
        Some(Value::Map(entries)) => entries.borrow().get(key).cloned(),
        _ => None,
    }
}

fn made(bounds: &mut Bounds, entries: Vec<(Rc<str>, Value)>) -> Result<Value> {
    bounds.step(entries.len())?;
    if entries.iter().any(|(_, value)| value.is_collection()) {
        bounds.nest()?;
    }
    Ok(Value::map(entries))
}

fn dict(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut entries = Vec::new();
    for pair in args.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::from(""));
        entries.push((strval(&pair[0])?, value));
    }
    made(bounds, entries)
}

fn chosen(bounds: &mut Bounds, args: &[Value], keep: bool) -> Result<Value> {
    let names = strslice(&Value::list(args.get(1..).unwrap_or_default().to_vec()))?;
    let entries = args[0].entries().unwrap_or_default();
    made(
        bounds,
        entries
            .into_iter()
            .filter(|(key, _)| names.contains(key) == keep)
            .collect(),
    )
}

/// `mergo`: maps merge; of anything else, what is not empty in the first stays, or goes where it is to be overwritten.
fn merged(bounds: &mut Bounds, args: &[Value], overwrite: bool) -> Result<Value> {
    let Some((first, others)) = args.split_first() else {
        return Ok(Value::Nil);
    };
    for other in others {
        merge_into(bounds, first, other, overwrite, 0)?;
    }
    Ok(first.clone())
}

/// A copy of a map with another over it, as `mergo` merges with `WithOverride`.
pub(crate) fn merge_over(base: &Value, with: &Value) -> Result<Value> {
    let bounds = &mut Bounds::unlimited();
    let merged = deep_copy(bounds, base, 0)?;
    let with = deep_copy(bounds, with, 0)?;
    merge_into(bounds, &merged, &with, true, 0)?;
    Ok(merged)
}

fn merge_into(bounds: &mut Bounds, into: &Value, from: &Value, overwrite: bool, depth: usize) -> Result<()> {
    if depth > 200 {
        return fail("maps of more than 200 levels are merged");
    }
    let Value::Map(entries) = into else { return Ok(()) };
    for (key, value) in from.entries().unwrap_or_default() {
        bounds.step(1)?;
        if value.is_nothing() && !overwrite {
            continue;
        }
        let there = entries.borrow().get(&key).cloned();
        match there {
            Some(there @ Value::Map(_)) if matches!(value, Value::Map(_)) => {
                if !same(&there, &value) {
                    merge_into(bounds, &there, &value, overwrite, depth + 1)?;
                }
            }
            Some(Value::TextMap(there)) if overwrite && matches!(value, Value::TextMap(_)) => {
                let mut texts = (*there).clone();
                if let Value::TextMap(more) = &value {
                    texts.extend(more.iter().map(|(key, text)| (key.clone(), text.clone())));
                }
                entries.borrow_mut().insert(key, Value::TextMap(Rc::new(texts)));
            }
            Some(there) if there.truth() && !overwrite => {}
            Some(_) if !overwrite && !value.truth() => {}
            _ => {
                if value.is_collection() {
                    bounds.nest()?;
                }
                entries.borrow_mut().insert(key, value);
            }
        }
    }
    Ok(())
}

fn same(a: &Value, b: &Value) -> bool {
    matches!((a, b), (Value::Map(a), Value::Map(b)) if Rc::ptr_eq(a, b))
}

fn dig(_: &mut Bounds, args: &[Value]) -> Result<Value> {
    let [keys @ .., default, dict] = args else {
        return fail("dig needs at least three arguments");
    };
    if keys.is_empty() {
        return fail("dig needs at least three arguments");
    }
    let mut value = dict.clone();
    for key in keys {
        let Value::Text(key) = key else {
            return fail(format!(
                "interface conversion: interface {{}} is {}, not string",
                key.type_name()
            ));
        };
        let Value::Map(entries) = &value else {
            return fail(format!(
                "interface conversion: interface {{}} is {}, not map[string]interface {{}}",
                value.type_name()
            ));
        };
        let found = entries.borrow().get(key).cloned();
        match found {
            Some(found) => value = found,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}
