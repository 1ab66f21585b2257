//! What an edit means for the value, text aside.

use serde_json::{Map, Value};

use crate::{Edit, Error, Step};

/// Applies an edit to a value.
///
/// # Errors
/// [`Error::NoSuchPlace`].
pub fn apply(value: &mut Value, edit: &Edit) -> Result<(), Error> {
    let path = edit.path();
    let nowhere = || Error::NoSuchPlace(path.to_vec());
    let Some((last, above)) = path.split_last() else {
        return match edit {
            Edit::Set { value: new, .. } => {
                *value = new.clone();
                Ok(())
            }
            _ => Err(nowhere()),
        };
    };
    let creates = !matches!(edit, Edit::Remove { .. });
    let mut holder = value;
    for step in above {
        holder = enter(holder, step, creates).ok_or_else(nowhere)?;
    }
    let done = match edit {
        Edit::Set { value, .. } => set(holder, last, value),
        Edit::Insert { value, before, .. } => insert(holder, last, value, before.as_deref()),
        Edit::Remove { .. } => remove(holder, last),
    };
    done.ok_or_else(nowhere)
}

/// The value at a path.
pub(crate) fn at<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

/// Null holds a map or a list, whichever the step needs.
fn made(value: &mut Value, step: &Step) {
    if value.is_null() {
        *value = match step {
            Step::Key(_) => Value::Object(Map::new()),
            Step::Index(_) => Value::Array(Vec::new()),
        };
    }
}

fn enter<'v>(value: &'v mut Value, step: &Step, creates: bool) -> Option<&'v mut Value> {
    if creates {
        made(value, step);
    }
    match (value, step) {
        (Value::Object(map), Step::Key(key)) => match creates {
            true => Some(map.entry(key.clone()).or_insert(Value::Null)),
            false => map.get_mut(key),
        },
        (Value::Array(items), Step::Index(index)) => items.get_mut(*index),
        _ => None,
    }
}

fn set(holder: &mut Value, last: &Step, value: &Value) -> Option<()> {
    made(holder, last);
    match (holder, last) {
        (Value::Object(map), Step::Key(key)) => {
            map.insert(key.clone(), value.clone());
        }
        (Value::Array(items), Step::Index(index)) => *items.get_mut(*index)? = value.clone(),
        _ => return None,
    }
    Some(())
}

fn insert(holder: &mut Value, last: &Step, value: &Value, before: Option<&str>) -> Option<()> {
    made(holder, last);
    match (holder, last) {
        (Value::Object(map), Step::Key(key)) if !map.contains_key(key) => {
            let at = before.and_then(|before| map.keys().position(|known| known == before));
            map.shift_insert(at.unwrap_or(map.len()), key.clone(), value.clone());
        }
        (Value::Array(items), Step::Index(index)) if *index <= items.len() => items.insert(*index, value.clone()),
        _ => return None,
    }
    Some(())
}

fn remove(holder: &mut Value, last: &Step) -> Option<()> {
    match (holder, last) {
        (Value::Object(map), Step::Key(key)) => map.shift_remove(key).map(drop),
        (Value::Array(items), Step::Index(index)) if *index < items.len() => {
            items.remove(*index);
            Some(())
        }
        _ => None,
    }
}
