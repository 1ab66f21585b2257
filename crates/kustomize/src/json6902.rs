//! JSON patches (RFC 6902) as kustomize applies them: with evanphx/json-patch v4, whose liberties are kept. `replace` of a
//! missing key adds it, `copy` of one adds null, indexes may be negative, and what is before the first `/` of a path does not count.

use serde_json::{Map, Value};

use crate::budget::weight;

/// The operations of a patch, checked in form only: what an operation lacks is told when it is applied, as kustomize does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operations<'p>(&'p [Value]);

impl<'p> Operations<'p> {
    /// Takes a document for a patch; `None` where it is not a list of objects.
    pub fn of(document: &'p Value) -> Option<Self> {
        let list = document.as_array()?;
        list.iter().all(Value::is_object).then_some(Operations(list))
    }

    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Applies all in turn; the work of copies is told to `spend`. After an error the object is half changed and must not be used.
    ///
    /// # Errors
    ///
    /// The operation that does not apply: its place in the patch, name and path, and why.
    pub fn apply(self, object: &mut Value, spend: &dyn Fn(usize) -> Result<(), String>) -> Result<(), String> {
        for (at, operation) in self.0.iter().enumerate() {
            one(object, operation, spend).map_err(|cause| {
                let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
                format!("operation {at} ({} {}): {cause}", text("op"), text("path"))
            })?;
        }
        lose_precision(object);
        match object {
            Value::Object(_) => Ok(()),
            _ => Err("the patched object is not an object".to_owned()),
        }
    }
}

fn one(object: &mut Value, operation: &Value, spend: &dyn Fn(usize) -> Result<(), String>) -> Result<(), String> {
    let text = |key: &str| match operation.get(key) {
        None | Some(Value::Null) => Err(format!("{key} is missing")),
        Some(Value::String(text)) => Ok(&**text),
        Some(_) => Err(format!("{key} is not a string")),
    };
    let value = || operation.get("value").cloned().unwrap_or(Value::Null);
    match text("op")? {
        "add" => add(object, text("path")?, value()),
        "remove" => remove(object, text("path")?).map(drop),
        "replace" => replace(object, text("path")?, value()),
        "move" => {
            let moved = remove(object, text("from")?)?;
            add(object, text("path")?, moved)
        }
        "copy" => {
            let (within, key) = holder(object, text("from")?)?;
            let copied = get(within, &key)?.cloned().unwrap_or(Value::Null);
            // A value can be copied into itself, and be twice as large each time.
            spend(weight(&copied))?;
            add(object, text("path")?, copied)
        }
        "test" => test(object, text("path")?, &value()),
        other => Err(format!("there is no such operation as {other:?}")),
    }
}

const MISSING: &str = "the object has no such path";

/// The value that has the last key of a path, and that key.
fn holder<'v>(object: &'v mut Value, path: &str) -> Result<(&'v mut Value, String), String> {
    let mut parts = path.split('/').skip(1);
    let mut key = parts.next().map(decoded).ok_or(MISSING)?;
    let mut within = object;
    for part in parts {
        within = match within {
            Value::Object(map) => map.get_mut(&key),
            Value::Array(list) => index(&key, list.len()).and_then(|at| list.get_mut(at)),
            _ => None,
        }
        .filter(|next| next.is_object() || next.is_array())
        .ok_or(MISSING)?;
        key = decoded(part);
    }
    Ok((within, key))
}

/// `~1` is `/` and `~0` is `~`.
fn decoded(part: &str) -> String {
    let mut decoded = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(at) = rest.find("~0").into_iter().chain(rest.find("~1")).min() {
        let (before, escaped) = rest.split_at(at);
        decoded.push_str(before);
        decoded.push(if escaped.starts_with("~0") { '~' } else { '/' });
        rest = &escaped[2..];
    }
    decoded.push_str(rest);
    decoded
}

/// The place of an item; negative indexes count from the end.
fn index(key: &str, length: usize) -> Option<usize> {
    let at: i64 = key.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let at = if at < 0 { at + length } else { at };
    usize::try_from(at).ok().filter(|_| at < length)
}

fn no_index(key: &str) -> String {
    format!("the list has no index {key}")
}

fn get<'v>(within: &'v Value, key: &str) -> Result<Option<&'v Value>, String> {
    match within {
        Value::Object(map) => Ok(map.get(key)),
        Value::Array(list) => {
            let item = index(key, list.len()).and_then(|at| list.get(at));
            item.map(Some).ok_or_else(|| no_index(key))
        }
        _ => Err(MISSING.to_owned()),
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), String> {
    match holder(object, path)? {
        (Value::Object(map), key) => drop(map.insert(key, value)),
        (Value::Array(list), key) if key == "-" => list.push(value),
        (Value::Array(list), key) => {
            let at = index(&key, list.len() + 1).ok_or_else(|| no_index(&key))?;
            list.insert(at, value);
        }
        _ => return Err(MISSING.to_owned()),
    }
    Ok(())
}

fn remove(object: &mut Value, path: &str) -> Result<Value, String> {
    match holder(object, path)? {
        (Value::Object(map), key) => map
            .shift_remove(&key)
            .ok_or_else(|| format!("there is no key {key} to remove")),
        (Value::Array(list), key) => index(&key, list.len())
            .map(|at| list.remove(at))
            .ok_or_else(|| no_index(&key)),
        _ => Err(MISSING.to_owned()),
    }
}

fn replace(object: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *object = value;
        return match object {
            Value::Object(_) | Value::Array(_) => Ok(()),
            _ => Err("the value must be an object or a list".to_owned()),
        };
    }
    match holder(object, path)? {
        (Value::Object(map), key) => drop(map.insert(key, value)),
        (Value::Array(list), key) => {
            let place = index(&key, list.len()).and_then(|at| list.get_mut(at));
            *place.ok_or_else(|| no_index(&key))? = value;
        }
        _ => return Err(MISSING.to_owned()),
    }
    Ok(())
}

fn test(object: &mut Value, path: &str, value: &Value) -> Result<(), String> {
    let is_equal = match path {
        "" => equal(object, value),
        path => {
            let (within, key) = holder(object, path)?;
            equal(get(within, &key)?.unwrap_or(&Value::Null), value)
        }
    };
    is_equal.then_some(()).ok_or_else(|| "the value is another".to_owned())
}

/// Numbers are equal by value, however they are written.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// kustomize reads the patched object with all numbers as 64-bit floats: of larger integers the last digits are lost.
fn lose_precision(value: &mut Value) {
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Number(number) => {
            let large = number
                .as_i64()
                .map_or(number.is_u64(), |integer| integer.unsigned_abs() > EXACT);
            let float = number.as_f64().filter(|_| large);
            if let Some(rounded) = float.and_then(serde_json::Number::from_f64) {
                *number = rounded;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(lose_precision),
        Value::Object(map) => Map::values_mut(map).for_each(lose_precision),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(operations: Value) -> Result<Value, String> {
        let mut object = json!({"a": {"b/c": 1, "d~e": 2, "n": null}, "l": [1, 2, 3], "m": [{"x": 1}]});
        Operations::of(&operations)
            .expect("a patch")
            .apply(&mut object, &|_| Ok(()))?;
        Ok(object)
    }

    fn with(change: impl FnOnce(&mut Value)) -> Result<Value, String> {
        let mut object = patched(json!([])).expect("nothing to do");
        change(&mut object);
        Ok(object)
    }

    #[test]
    fn operations_do_what_they_do_in_kustomize() {
        let rows = [
            (
                json!({"op": "add", "path": "/a/z", "value": 9}),
                with(|o| o["a"]["z"] = json!(9)),
            ),
            (
                json!({"op": "add", "path": "/a/z"}),
                with(|o| o["a"]["z"] = Value::Null),
            ),
            (
                json!({"op": "add", "path": "spec/z", "value": 9}),
                with(|o| o["z"] = json!(9)),
            ),
            (
                json!({"op": "add", "path": "/l/-", "value": 9}),
                with(|o| o["l"] = json!([1, 2, 3, 9])),
            ),
            (
                json!({"op": "add", "path": "/l/0", "value": 9}),
                with(|o| o["l"] = json!([9, 1, 2, 3])),
            ),
            (
                json!({"op": "add", "path": "/l/3", "value": 9}),
                with(|o| o["l"] = json!([1, 2, 3, 9])),
            ),
            (
                json!({"op": "add", "path": "/l/-1", "value": 9}),
                with(|o| o["l"] = json!([1, 2, 3, 9])),
            ),
            (
                json!({"op": "add", "path": "/l/-2", "value": 9}),
                with(|o| o["l"] = json!([1, 2, 9, 3])),
            ),
            (
                json!({"op": "replace", "path": "/l/-1", "value": 9}),
                with(|o| o["l"] = json!([1, 2, 9])),
            ),
            (
                json!({"op": "replace", "path": "/a/missing", "value": 9}),
                with(|o| o["a"]["missing"] = json!(9)),
            ),
            (
                json!({"op": "replace", "path": "/a/b~1c", "value": 9}),
                with(|o| o["a"]["b/c"] = json!(9)),
            ),
            (
                json!({"op": "replace", "path": "/a/d~0e", "value": 9}),
                with(|o| o["a"]["d~e"] = json!(9)),
            ),
            (
                json!({"op": "replace", "path": "", "value": {"q": 1}}),
                Ok(json!({"q": 1})),
            ),
            (
                json!({"op": "remove", "path": "/l/1"}),
                with(|o| o["l"] = json!([1, 3])),
            ),
            (
                json!({"op": "remove", "path": "/m/0/x"}),
                with(|o| o["m"] = json!([{}])),
            ),
            (
                json!({"op": "move", "from": "/l/0", "path": "/l/-"}),
                with(|o| o["l"] = json!([2, 3, 1])),
            ),
            (
                json!({"op": "copy", "from": "/a/nope", "path": "/z"}),
                with(|o| o["z"] = Value::Null),
            ),
            (
                json!({"op": "copy", "from": "/m/0", "path": "/m/-"}),
                with(|o| o["m"] = json!([{"x": 1}, {"x": 1}])),
            ),
            (json!({"op": "test", "path": "/l", "value": [1, 2, 3]}), with(|_| ())),
            (json!({"op": "test", "path": "/l", "value": [1.0, 2, 3]}), with(|_| ())),
            (json!({"op": "test", "path": "/nope", "value": null}), with(|_| ())),
        ];
        for (operation, want) in rows {
            assert_eq!(patched(json!([operation])), want, "{operation}");
        }
    }

    #[test]
    fn what_does_not_apply_is_told_with_operation_and_path() {
        let rows = [
            (json!({"op": "remove", "path": "/a/nope"}), "there is no key nope"),
            (json!({"op": "remove", "path": "/l/3"}), "no index 3"),
            (json!({"op": "remove", "path": "/l/-"}), "no index -"),
            (json!({"op": "remove", "path": ""}), MISSING),
            (json!({"op": "add", "path": "", "value": {}}), MISSING),
            (json!({"op": "add", "path": "/a/n/x", "value": 1}), MISSING),
            (json!({"op": "add", "path": "/nope/x", "value": 1}), MISSING),
            (json!({"op": "add", "path": "/l/4", "value": 1}), "no index 4"),
            (json!({"op": "replace", "path": "/l/x", "value": 1}), "no index x"),
            (
                json!({"op": "move", "from": "/a/nope", "path": "/z"}),
                "there is no key nope",
            ),
            (json!({"op": "copy", "from": "/l/7", "path": "/z"}), "no index 7"),
            (json!({"op": "test", "path": "/l/0", "value": 2}), "another"),
            (json!({"op": "jump", "path": "/l"}), "no such operation"),
            (json!({"op": "add", "value": 1}), "path is missing"),
            (json!({"op": "add", "path": 1, "value": 1}), "path is not a string"),
            (json!({"path": "/a"}), "op is missing"),
        ];
        for (operation, want) in rows {
            let refused = patched(json!([operation])).expect_err("does not apply");
            assert!(refused.starts_with("operation 0 ("), "{refused}");
            assert!(refused.contains(want), "{refused}");
        }
    }

    #[test]
    fn large_integers_lose_their_last_digits() {
        let object =
            patched(json!([{"op": "add", "path": "/a", "value": 9_007_199_254_740_993_i64}])).expect("applies");
        assert_eq!(object["a"].as_f64(), Some(9_007_199_254_740_992.0));
        assert_eq!(patched(json!([])).expect("applies")["l"], json!([1, 2, 3]));
    }
}
