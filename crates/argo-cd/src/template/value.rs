//! Values of templates: what Go's `any` may hold there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value as Json;

use super::Failure;

/// Levels of lists and maps in what a template is given.
const DEEPEST: usize = 300;

/// A value. Lists and maps are shared; maps can be changed (`set`, `unset`), and every holder sees it, as in Go.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// No value at all, such as of a key that is not there. Go: the zero `reflect.Value`.
    Absent,
    /// `nil`, such as of JSON.
    Nil,
    Bool(bool),
    /// Go's `int`.
    Int(i64),
    /// Go's `int64`, which is another type.
    Int64(i64),
    Float(f64),
    Text(Rc<str>),
    /// `[]any`.
    List(Rc<Vec<Value>>),
    /// `[]string`, which is another type.
    Texts(Rc<Vec<Rc<str>>>),
    /// `[]int`, which is another type.
    Ints(Rc<Vec<i64>>),
    /// `map[string]any`.
    Map(Rc<RefCell<BTreeMap<Rc<str>, Value>>>),
    /// `map[string]string`, which is another type.
    TextMap(Rc<BTreeMap<Rc<str>, Rc<str>>>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl Value {
    pub(crate) fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Value::List(Rc::new(items.into_iter().collect()))
    }

    pub(crate) fn texts<T: Into<Rc<str>>>(items: impl IntoIterator<Item = T>) -> Self {
        Value::Texts(Rc::new(items.into_iter().map(Into::into).collect()))
    }

    pub(crate) fn map(entries: impl IntoIterator<Item = (Rc<str>, Value)>) -> Self {
        Value::Map(Rc::new(RefCell::new(entries.into_iter().collect())))
    }

    /// Of JSON, whose numbers are all floats as Go's decoder reads them.
    pub(crate) fn from_json(json: &Json) -> Result<Self, Failure> {
        Self::from_json_at(json, 0)
    }

    fn from_json_at(json: &Json, depth: usize) -> Result<Self, Failure> {
        if depth > DEEPEST {
            return Err(Failure::new(format!(
                "what the template is given has more than {DEEPEST} levels"
            )));
        }
        Ok(match json {
            Json::Null => Value::Nil,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Value::from(text.as_str()),
            Json::Array(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| Self::from_json_at(item, depth + 1)).collect();
                Value::List(Rc::new(items?))
            }
            Json::Object(entries) => {
                let entries = entries.iter();
                let entries: Result<Vec<_>, _> = entries
                    .map(|(key, value)| Ok((Rc::from(key.as_str()), Self::from_json_at(value, depth + 1)?)))
                    .collect();
                Value::map(entries?)
            }
        })
    }

    /// Absent and nil are one where Go unwraps an interface.
    pub(crate) fn unwrapped(self) -> Self {
        match self {
            Value::Nil => Value::Absent,
            other => other,
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Value::Absent | Value::Nil)
    }

    /// Whether it counts as true (`text/template`, `IsTrue`).
    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::Absent | Value::Nil => false,
            Value::Bool(truth) => *truth,
            Value::Int(number) | Value::Int64(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            _ => self.len() != Some(0),
        }
    }

    /// Items, entries or bytes of what has a length.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Value::Text(text) => Some(text.len()),
            Value::List(items) => Some(items.len()),
            Value::Texts(items) => Some(items.len()),
            Value::Ints(items) => Some(items.len()),
            Value::Map(entries) => Some(entries.borrow().len()),
            Value::TextMap(entries) => Some(entries.len()),
            _ => None,
        }
    }

    /// The items of a list of either type.
    pub(crate) fn items(&self) -> Option<Vec<Value>> {
        match self {
            Value::List(items) => Some(items.to_vec()),
            Value::Texts(items) => Some(items.iter().cloned().map(Value::Text).collect()),
            Value::Ints(items) => Some(items.iter().copied().map(Value::Int).collect()),
            _ => None,
        }
    }

    /// The entries of a map of either type, by their keys.
    pub(crate) fn entries(&self) -> Option<Vec<(Rc<str>, Value)>> {
        match self {
            Value::Map(entries) => Some(entries.borrow().iter().map(|(k, v)| (k.clone(), v.clone())).collect()),
            Value::TextMap(entries) => Some(
                entries
                    .iter()
                    .map(|(k, v)| (k.clone(), Value::Text(v.clone())))
                    .collect(),
            ),
            _ => None,
        }
    }

    pub(crate) fn is_collection(&self) -> bool {
        matches!(
            self,
            Value::List(_) | Value::Texts(_) | Value::Ints(_) | Value::Map(_) | Value::TextMap(_)
        )
    }

    /// The type's name in Go.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Absent | Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Int64(_) => "int64",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::List(_) => "[]interface {}",
            Value::Texts(_) => "[]string",
            Value::Ints(_) => "[]int",
            Value::Map(_) => "map[string]interface {}",
            Value::TextMap(_) => "map[string]string",
        }
    }

    /// The kind's name in Go.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Value::Absent | Value::Nil => "invalid",
            Value::List(_) | Value::Texts(_) | Value::Ints(_) => "slice",
            Value::Map(_) | Value::TextMap(_) => "map",
            _ => self.type_name(),
        }
    }
}
