//! JSON values one after the other, with the number rules of Kubernetes.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::scalar::number;

/// A JSON value at the beginning of a text.
pub(crate) struct Parsed {
    pub value: Value,
    /// Bytes read, white space before it included.
    pub length: usize,
    /// Whether some map has a key twice. The last one won.
    pub repeated: bool,
}

/// Reads the first JSON value of `text`; lines of the error count from 1 there.
pub(crate) fn first(text: &[u8]) -> Result<Parsed, serde_json::Error> {
    let repeated = Cell::new(false);
    let mut input = serde_json::Deserializer::from_slice(text);
    let value = Json(&repeated).deserialize(&mut input)?;
    let length = input.into_iter::<IgnoredAny>().byte_offset();
    Ok(Parsed {
        value,
        length,
        repeated: repeated.get(),
    })
}

/// Length of the first value of `text` if it is JSON by its grammar, whatever it holds.
pub(crate) fn length(text: &[u8]) -> Option<usize> {
    let mut input = serde_json::Deserializer::from_slice(text);
    IgnoredAny::deserialize(&mut input).ok()?;
    Some(input.into_iter::<IgnoredAny>().byte_offset())
}

#[derive(Clone, Copy)]
struct Json<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => Ok(Value::from(value)),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        number(value).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = input.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = input.next_key::<String>()? {
            let value = input.next_value_seed(self)?;
            if entries.insert(key, value).is_some() {
                self.0.set(true);
            }
        }
        Ok(Value::Object(entries))
    }
}
