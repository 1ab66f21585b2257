//! JSON as `encoding/json` of Go reads and writes it, with the order of keys kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::{MAX_DEPTH, syntax, unwritable};
use crate::error::Error;
use crate::format::Format;
use crate::numbers;
use crate::text::{Buffer, Text};
use crate::tree::{Entry, Item, Map, Tree, Value};

pub(super) fn read(text: &str, format: Format) -> Result<Tree, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = reader.deserialize_any(Reader { depth: 0 });
    let value = value.map_err(|error| syntax(format, error.line(), message(&error)))?;
    // SOPS does not look at what comes behind the object; a file that was put together wrongly is not one to trust.
    reader
        .end()
        .map_err(|error| syntax(format, error.line(), "text behind the end of the object"))?;
    match value {
        Value::Map(map) => Ok(Tree { documents: vec![map] }),
        _ => Err(syntax(format, 1, "not an object")),
    }
}

/// What serde_json says, without the place and without values: those it quotes in messages about types only, and there are none.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

#[derive(Clone, Copy)]
struct Reader {
    depth: usize,
}

impl Reader {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth == MAX_DEPTH {
            true => Err(E::custom("nested too deeply")),
            false => Ok(Reader { depth: self.depth + 1 }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = items.next_element_seed(deeper)? {
            list.push(Item::Value(value));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut map = Map::default();
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = pairs.next_key::<String>()? {
            // SOPS keeps both, and what reads the file then takes one of them.
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("a key is given twice in an object"));
            }
            let value = pairs.next_value_seed(deeper)?;
            map.entries.push(Entry::Pair(key, value));
        }
        Ok(Value::Map(map))
    }
}

pub(super) fn write(tree: &Tree, indent: Option<usize>, format: Format) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut writer = Writer {
        out: Buffer::default(),
        unit: indent.map_or_else(|| "\t".to_owned(), |spaces| " ".repeat(spaces)),
    };
    let Some(map) = tree.documents.first() else {
        return Err(unwritable(format, &[], "there is no document"));
    };
    writer
        .map(map, 0)
        .map_err(|()| unwritable(format, &[], "infinity and not-a-number do not exist in JSON"))?;
    writer.out.put(b"\n");
    Ok(writer.out.done())
}

struct Writer {
    out: Buffer,
    unit: String,
}

impl Writer {
    fn line(&mut self, depth: usize) {
        self.out.put([b'\n']);
        for _ in 0..depth {
            self.out.put(self.unit.as_bytes());
        }
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), ()> {
        self.out.put([b'{']);
        let mut empty = true;
        for (key, value) in map.pairs() {
            if !empty {
                self.out.put([b',']);
            }
            empty = false;
            self.line(depth + 1);
            self.text(&key.into());
            self.out.put(b": ");
            self.value(value, depth + 1)?;
        }
        if !empty {
            self.line(depth);
        }
        self.out.put([b'}']);
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), ()> {
        match value {
            Value::Null => self.out.put(b"null"),
            Value::Bool(it) => self.out.put(it.to_string().as_bytes()),
            Value::Int(it) => self.out.put(it.to_string().as_bytes()),
            Value::Float(it) if !it.is_finite() => return Err(()),
            Value::Float(it) => self.out.put(numbers::json(*it).as_bytes()),
            Value::Text(text) => self.text(text),
            Value::Time(time) => self.text(&time.to_string().into()),
            Value::Map(map) => self.map(map, depth)?,
            Value::List(items) => {
                self.out.put([b'[']);
                let mut empty = true;
                for item in items {
                    let Item::Value(value) = item else { continue };
                    if !empty {
                        self.out.put([b',']);
                    }
                    empty = false;
                    self.line(depth + 1);
                    self.value(value, depth + 1)?;
                }
                if !empty {
                    self.line(depth);
                }
                self.out.put([b']']);
            }
        }
        Ok(())
    }

    /// Go escapes what HTML would take for its own, and writes bytes that are not UTF-8 as replacement characters.
    fn text(&mut self, text: &Text) {
        self.out.put([b'"']);
        for chunk in text.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                self.char(c);
            }
            for _ in chunk.invalid() {
                self.out.put(b"\\ufffd");
            }
        }
        self.out.put([b'"']);
    }

    fn char(&mut self, c: char) {
        match c {
            '"' => self.out.put(b"\\\""),
            '\\' => self.out.put(b"\\\\"),
            '\u{8}' => self.out.put(b"\\b"),
            '\u{c}' => self.out.put(b"\\f"),
            '\n' => self.out.put(b"\\n"),
            '\r' => self.out.put(b"\\r"),
            '\t' => self.out.put(b"\\t"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                self.out.put(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            c => self.out.put(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
