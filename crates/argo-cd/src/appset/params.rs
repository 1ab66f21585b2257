//! Sets of parameters.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::template::{Failure, Value, display, to_json};

/// One set of parameters, in Go's types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pub entries: BTreeMap<Rc<str>, Value>,
}

impl Params {
    pub(crate) fn from_json(map: &Map<String, Json>) -> Result<Self, Failure> {
        let mut params = Params::default();
        for (key, value) in map {
            params.set(key, Value::from_json(value)?);
        }
        Ok(params)
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.entries.insert(key.into(), value.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// As a value that templates take.
    pub(crate) fn value(&self) -> Value {
        Value::map(self.entries.iter().map(|(key, value)| (key.clone(), value.clone())))
    }

    /// As data.
    pub(crate) fn to_json(&self) -> Json {
        to_json(&self.value()).unwrap_or(Json::Null)
    }

    /// All values as `%v` writes them (`applicationset/utils/map.go`).
    pub(crate) fn texts(&self) -> Result<BTreeMap<Rc<str>, String>, Failure> {
        self.entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), display(value)?)))
            .collect()
    }

    /// Flat, with dots, for selectors (`flattenParameters`).
    pub(crate) fn flat(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut flat = BTreeMap::new();
        for (key, value) in &self.entries {
            flatten(key, value, true, &mut flat)?;
        }
        Ok(flat)
    }
}

/// `jeremywohl/flatten` in its style of dots. Empty lists and maps leave nothing. Where `text_maps` says so labels are maps too.
pub(crate) fn flatten(
    prefix: &str,
    value: &Value,
    text_maps: bool,
    into: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    match value {
        Value::TextMap(_) if !text_maps => {
            into.insert(prefix.to_owned(), display(value)?);
        }
        Value::Map(_) | Value::TextMap(_) => {
            for (key, item) in value.entries().unwrap_or_default() {
                flatten(&format!("{prefix}.{key}"), &item, text_maps, into)?;
            }
        }
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{prefix}.{at}"), item, text_maps, into)?;
            }
        }
        other => {
            into.insert(prefix.to_owned(), display(other)?);
        }
    }
    Ok(())
}
