//! Reading structures as Go does.
//!
//! Go finds a field whatever the case of its letters and takes null for "not written". A kustomization file may have no fields beside
//! those it knows and no number where text belongs; the configuration of a plugin, and files that the plugins read, may: there, what is
//! unknown is ignored and a scalar becomes the text that it looks like.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::trouble::{Outcome, Trouble};

/// What a structure looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Text,
    Flag,
    Whole,
    /// Texts by any key.
    Texts,
    /// Anything, as it is.
    Any,
    List(&'static Shape),
    Fields(&'static [(&'static str, Shape)]),
}

/// Who wrote a structure, and thereby how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A field of a kustomization file: nothing unknown.
    Strict,
    /// The configuration of a plugin.
    Lenient,
}

/// Reads a structure. A [`Trouble`] names the field, never its value, which may be secret.
pub(crate) fn read<T: DeserializeOwned>(value: &Value, shape: &Shape, manner: Manner) -> Outcome<T> {
    let mut path = String::new();
    let shaped = shaped(value, shape, manner, &mut path)?.unwrap_or_else(|| Value::Object(Map::new()));
    serde_json::from_value(shaped).map_err(|_| Trouble::new("malformed configuration"))
}

/// The value with the names that the shape has and without nulls; `None` for null.
fn shaped(value: &Value, shape: &Shape, manner: Manner, path: &mut String) -> Outcome<Option<Value>> {
    let shaped = match (shape, value) {
        (_, Value::Null) => return Ok(None),
        (Shape::Any, _) | (Shape::Text, Value::String(_)) | (Shape::Flag, Value::Bool(_)) => value.clone(),
        (Shape::Whole, Value::Number(number)) if number.is_i64() => value.clone(),
        (Shape::Text, Value::Number(number)) if manner == Manner::Lenient => Value::String(number.to_string()),
        (Shape::Text, Value::Bool(flag)) if manner == Manner::Lenient => Value::String(flag.to_string()),
        (Shape::Texts, Value::Object(texts)) => {
            let mut found = Map::new();
            for (key, value) in texts {
                let text = within(path, key, |path| shaped(value, &Shape::Text, manner, path))?;
                found.insert(key.clone(), text.unwrap_or_else(|| Value::String(String::new())));
            }
            Value::Object(found)
        }
        (Shape::List(item), Value::Array(items)) => {
            let mut found = Vec::with_capacity(items.len());
            for (at, value) in items.iter().enumerate() {
                let read = within(path, &format!("[{at}]"), |path| shaped(value, item, manner, path))?;
                found.push(read.unwrap_or_else(|| nothing(item)));
            }
            Value::Array(found)
        }
        (Shape::Fields(fields), Value::Object(values)) => fields_of(values, fields, manner, path)?,
        _ => return Err(wrong(value, shape, path)),
    };
    Ok(Some(shaped))
}

fn fields_of(
    values: &Map<String, Value>,
    fields: &'static [(&'static str, Shape)],
    manner: Manner,
    path: &mut String,
) -> Outcome<Value> {
    let mut found = Map::new();
    for (key, value) in values {
        let exactly = fields.iter().find(|(name, _)| name == key);
        let Some((name, shape)) = exactly.or_else(|| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)))
        else {
            if manner == Manner::Strict {
                return Err(Trouble::new(format!("unknown field {key:?}{}", place(path))));
            }
            continue;
        };
        if let Some(read) = within(path, name, |path| shaped(value, shape, manner, path))? {
            found.insert((*name).to_owned(), read);
        }
    }
    Ok(Value::Object(found))
}

/// Go's zero value, which a null in a list stands for.
fn nothing(shape: &Shape) -> Value {
    match shape {
        Shape::Text => Value::String(String::new()),
        Shape::Flag => Value::Bool(false),
        Shape::Whole => Value::from(0),
        Shape::Any => Value::Null,
        Shape::List(_) => Value::Array(Vec::new()),
        Shape::Texts | Shape::Fields(_) => Value::Object(Map::new()),
    }
}

fn within<T>(path: &mut String, step: &str, read: impl FnOnce(&mut String) -> Outcome<T>) -> Outcome<T> {
    let length = path.len();
    if length > 0 && !step.starts_with('[') {
        path.push('.');
    }
    path.push_str(step);
    let result = read(path);
    path.truncate(length);
    result
}

fn wrong(value: &Value, shape: &Shape, path: &str) -> Trouble {
    let wanted = match shape {
        Shape::Text => "text",
        Shape::Flag => "a boolean",
        Shape::Whole => "a whole number",
        Shape::Any => "anything",
        Shape::List(_) => "a list",
        Shape::Texts | Shape::Fields(_) => "a mapping",
    };
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    Trouble::new(format!("expected {wanted} but found {got}{}", place(path)))
}

fn place(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" at {path}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INNER: Shape = Shape::Fields(&[("deep", Shape::Text), ("flag", Shape::Flag)]);
    const OUTER: Shape = Shape::Fields(&[
        ("nameSuffix", Shape::Text),
        ("texts", Shape::Texts),
        ("items", Shape::List(&INNER)),
        ("count", Shape::Whole),
    ]);

    #[test]
    fn reads_as_go_does() {
        let cases = [
            (json!({"NAMESUFFIX": "a", "count": null}), json!({"nameSuffix": "a"})),
            (
                json!({"items": [{"deep": "x"}, null]}),
                json!({"items": [{"deep": "x"}, {}]}),
            ),
            (json!({"texts": {"a": null}}), json!({"texts": {"a": ""}})),
            (json!({"count": -3}), json!({"count": -3})),
            (Value::Null, json!({})),
        ];
        for (input, expected) in cases {
            for manner in [Manner::Strict, Manner::Lenient] {
                assert_eq!(read::<Value>(&input, &OUTER, manner).as_ref(), Ok(&expected), "{input}");
            }
        }
    }

    #[test]
    fn plugins_may_have_what_kustomizations_may_not() {
        let cases = [
            (json!({"other": 1}), json!({}), "unknown field \"other\""),
            (
                json!({"items": [{"deep": 1.5}]}),
                json!({"items": [{"deep": "1.5"}]}),
                "expected text but found a number at items[0].deep",
            ),
            (
                json!({"items": [{"x": 1}]}),
                json!({"items": [{}]}),
                "unknown field \"x\" at items[0]",
            ),
            (
                json!({"texts": {"a": true}}),
                json!({"texts": {"a": "true"}}),
                "expected text but found a boolean at texts.a",
            ),
        ];
        for (input, lenient, strict) in cases {
            assert_eq!(read::<Value>(&input, &OUTER, Manner::Lenient), Ok(lenient));
            assert_eq!(read::<Value>(&input, &OUTER, Manner::Strict), Err(Trouble::new(strict)));
        }
        assert_eq!(
            read::<Value>(&json!({"items": {}}), &OUTER, Manner::Lenient),
            Err(Trouble::new("expected a list but found a mapping at items"))
        );
    }
}
