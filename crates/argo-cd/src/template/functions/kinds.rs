//! Functions of defaults and types (sprig's `defaults.go`, `reflect.go`).

use std::rc::Rc;

use super::Type::{Any, Bool, Text};
use super::{Bounds, Failure, Function, Type, Value, fail, fixed, text, variadic};

const TWO: &[Type] = &[Any, Any];

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("default", &[Any], Any, |_, args| match args.get(1) {
        Some(given) if given.truth() => Ok(given.clone()),
        _ => Ok(args[0].clone()),
    }),
    fixed("empty", &[Any], |_, args| Ok(Value::Bool(!args[0].truth()))),
    variadic("coalesce", &[], Any, |_, args| {
        Ok(args.iter().find(|value| value.truth()).cloned().unwrap_or(Value::Nil))
    }),
    variadic("all", &[], Any, |_, args| {
        Ok(Value::Bool(args.iter().all(Value::truth)))
    }),
    variadic("any", &[], Any, |_, args| {
        Ok(Value::Bool(args.iter().any(Value::truth)))
    }),
    fixed("ternary", &[Any, Any, Bool], |_, args| {
        Ok(args[usize::from(!args[2].truth())].clone())
    }),
    fixed("typeOf", &[Any], |_, args| Ok(Value::from(args[0].type_name()))),
    fixed("typeIs", &[Text, Any], |_, args| {
        Ok(Value::Bool(*text(args, 0) == *args[1].type_name()))
    }),
    fixed("typeIsLike", &[Text, Any], |_, args| {
        let (target, name) = (text(args, 0), args[1].type_name());
        Ok(Value::Bool(*target == *name || target.strip_prefix('*') == Some(name)))
    }),
    fixed("kindOf", &[Any], |_, args| Ok(Value::from(args[0].kind_name()))),
    fixed("kindIs", &[Text, Any], |_, args| {
        Ok(Value::Bool(*text(args, 0) == *args[1].kind_name()))
    }),
    fixed("deepEqual", TWO, |bounds, args| {
        deep_equal(bounds, &args[0], &args[1]).map(Value::Bool)
    }),
];

/// Go's `reflect.DeepEqual`: types count too.
pub(super) fn deep_equal(bounds: &mut Bounds, a: &Value, b: &Value) -> Result<bool, Failure> {
    equal_at(bounds, a, b, 0)
}

fn equal_at(bounds: &mut Bounds, a: &Value, b: &Value, depth: usize) -> Result<bool, Failure> {
    bounds.step(1)?;
    if depth > 200 {
        return fail("values of more than 200 levels are compared");
    }
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        // As Go compares them.
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Texts(a), Value::Texts(b)) => a == b,
        (Value::Ints(a), Value::Ints(b)) => a == b,
        (Value::TextMap(a), Value::TextMap(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            let mut equal = a.len() == b.len();
            for (a, b) in a.iter().zip(b.iter()) {
                equal = equal && equal_at(bounds, a, b, depth + 1)?;
            }
            equal
        }
        (Value::Map(a), Value::Map(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            let (a, b) = (a.borrow(), b.borrow());
            let mut equal = a.len() == b.len();
            for ((key, a), (other, b)) in a.iter().zip(b.iter()) {
                equal = equal && key == other && equal_at(bounds, a, b, depth + 1)?;
            }
            equal
        }
        (a, b) => a.is_nothing() && b.is_nothing(),
    })
}

/// A copy that shares no map.
pub(super) fn deep_copy(bounds: &mut Bounds, value: &Value, depth: usize) -> Result<Value, Failure> {
    bounds.step(1)?;
    if depth > 200 {
        return fail("a value of more than 200 levels is copied");
    }
    Ok(match value {
        Value::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| deep_copy(bounds, item, depth + 1)).collect();
            Value::list(items?)
        }
        Value::Map(_) => {
            let mut entries = Vec::new();
            for (key, item) in value.entries().unwrap_or_default() {
                entries.push((key, deep_copy(bounds, &item, depth + 1)?));
            }
            Value::map(entries)
        }
        other => other.clone(),
    })
}
