//! Reading the fields of an object, with all that is wrong in them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::Error;

/// A map of an object, or the place where one might be.
pub(crate) struct Reader<'v, 'e> {
    map: Option<&'v Map<String, Value>>,
    /// Where it is, such as `spec.source`.
    pub path: String,
    errors: &'e mut Vec<Error>,
}

/// What a value is, for messages that must not quote it.
pub(crate) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

impl<'v, 'e> Reader<'v, 'e> {
    /// The object itself.
    pub(crate) fn root(value: &'v Value, errors: &'e mut Vec<Error>) -> Self {
        Self::at(String::new(), Some(value), errors)
    }

    /// A value at some place.
    pub(crate) fn at(path: String, value: Option<&'v Value>, errors: &'e mut Vec<Error>) -> Self {
        let map = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(map),
            Some(other) => {
                errors.push(Error::new(path.as_str(), format!("is {}, not a map", shape(other))));
                None
            }
        };
        Reader { map, path, errors }
    }

    pub(crate) fn place(&self, key: &str) -> String {
        match self.path.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.path),
        }
    }

    pub(crate) fn error(&mut self, key: &str, message: impl Into<String>) {
        let place = self.place(key);
        self.errors.push(Error::new(place, message));
    }

    /// A value that is there and not null.
    pub(crate) fn any(&self, key: &str) -> Option<&'v Value> {
        self.map?.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.any(key).is_some()
    }

    fn wrong(&mut self, key: &str, value: &Value, wanted: &str) {
        self.error(key, format!("is {}, not {wanted}", shape(value)));
    }

    /// The map below a key.
    pub(crate) fn child(&mut self, key: &str) -> Reader<'v, '_> {
        let (path, value) = (self.place(key), self.any(key));
        Reader::at(path, value, self.errors)
    }

    /// A text; empty where there is none.
    pub(crate) fn text(&mut self, key: &str) -> String {
        match self.any(key) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                self.wrong(key, other, "a text");
                String::new()
            }
        }
    }

    pub(crate) fn truth(&mut self, key: &str) -> bool {
        self.maybe_truth(key).unwrap_or(false)
    }

    pub(crate) fn maybe_truth(&mut self, key: &str) -> Option<bool> {
        match self.any(key)? {
            Value::Bool(truth) => Some(*truth),
            other => {
                self.wrong(key, other, "a boolean");
                None
            }
        }
    }

    fn list(&mut self, key: &str) -> &'v [Value] {
        match self.any(key) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong(key, other, "a list");
                &[]
            }
        }
    }

    pub(crate) fn texts(&mut self, key: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for (at, item) in self.list(key).iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.clone()),
                other => self.wrong(&format!("{key}[{at}]"), other, "a text"),
            }
        }
        texts
    }

    /// What is read of each map of a list.
    pub(crate) fn maps<T>(&mut self, key: &str, mut read: impl FnMut(&mut Reader) -> T) -> Vec<T> {
        let mut found = Vec::new();
        for (at, item) in self.list(key).iter().enumerate() {
            let path = self.place(&format!("{key}[{at}]"));
            if item.is_null() {
                self.errors.push(Error::new(path, "is null, not a map"));
                continue;
            }
            found.push(read(&mut Reader::at(path, Some(item), self.errors)));
        }
        found
    }

    /// A map of texts.
    pub(crate) fn text_map(&mut self, key: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let child = self.child(key);
        for (name, value) in child.map.into_iter().flatten() {
            match value {
                Value::String(text) => {
                    found.insert(name.clone(), text.clone());
                }
                other => child.errors.push(Error::new(
                    format!("{}.{name}", child.path),
                    format!("is {}, not a text", shape(other)),
                )),
            }
        }
        found
    }
}
