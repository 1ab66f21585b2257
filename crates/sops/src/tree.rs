//! A document as SOPS sees it: maps in their order, lists, scalars, and comments among them.

use std::fmt;

use crate::text::Text;
use crate::time::Timestamp;

/// All documents of a file. Only YAML has more than one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    /// The documents, in their order.
    pub documents: Vec<Map>,
}

/// A map: its entries in their order. SOPS does not merge or sort them, and they count for the MAC in this order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map {
    /// Pairs of key and value, and the comments among them.
    pub entries: Vec<Entry>,
}

/// What stands in a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A comment: the line of one, without its `#`.
    Comment(Comment),
    /// A key and its value. Keys are never secret.
    Pair(String, Value),
}

/// What stands in a list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A comment: the line of one, without its `#`.
    Comment(Comment),
    /// A value.
    Value(Value),
}

/// The line of a comment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comment {
    /// What stands behind `#`. It may have been encrypted, so it is handled as a secret.
    pub text: Text,
    /// Whether it stands behind the value that comes next, on the same line (YAML only).
    pub inline: bool,
}

/// A value. `Debug` tells its type and nothing else.
#[derive(Clone)]
pub enum Value {
    /// Nothing; never encrypted.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A text.
    Text(Text),
    /// A point in time that YAML gives without quotes.
    Time(Timestamp),
    /// A list.
    List(Vec<Item>),
    /// A map.
    Map(Map),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Time(a), Value::Time(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(_) => f.write_str("Bool(..)"),
            Value::Int(_) => f.write_str("Int(..)"),
            Value::Float(_) => f.write_str("Float(..)"),
            Value::Text(_) => f.write_str("Text(..)"),
            Value::Time(_) => f.write_str("Time(..)"),
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Map(map) => map.fmt(f),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl Map {
    /// The value of a key; of the last one, where it is given twice.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Pair(name, value) if name == key => Some(value),
            _ => None,
        })
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Pair(name, value) if name == key => Some(value),
            _ => None,
        })
    }

    /// Sets the value of a key; a new key comes last.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.get_mut(key) {
            Some(place) => *place = value,
            None => self.entries.push(Entry::Pair(key.to_owned(), value)),
        }
    }

    /// Takes a key out, and the comments stay.
    pub fn remove(&mut self, key: &str) {
        self.entries
            .retain(|entry| !matches!(entry, Entry::Pair(name, _) if name == key));
    }

    /// Keys and values, without the comments.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Pair(key, value) => Some((key.as_str(), value)),
            Entry::Comment(_) => None,
        })
    }
}

/// Where a value stands in a file: the number of its document, keys, and places in lists. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Path {
    /// The document, from 0.
    pub document: usize,
    /// The steps down from its root.
    pub steps: Vec<Step>,
}

/// A step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// To the value of a key.
    Key(String),
    /// To an item of a list, from 0. Comments are counted, as they are encrypted as items.
    Item(usize),
}

impl Path {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(&shown(key))?,
                Step::Key(key) => write!(f, ".{}", shown(key))?,
                Step::Item(item) => write!(f, "[{item}]")?,
            }
        }
        if self.document > 0 {
            write!(f, " of document {}", self.document + 1)?;
        }
        Ok(())
    }
}

/// A key as messages show it: control characters escaped, and not longer than a line.
pub(crate) fn shown(key: &str) -> String {
    let plain = !key.is_empty() && !key.chars().any(|c| c.is_control() || c == '.' || c == '"');
    let text = if plain { key.to_owned() } else { format!("{key:?}") };
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
