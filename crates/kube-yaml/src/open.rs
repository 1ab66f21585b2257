//! Maps and lists whose end has not come yet.

use serde_json::{Map, Value};

use crate::document::shown;

/// A map or a list that is still open.
pub(crate) struct Frame {
    pub content: Content,
    pub anchor: usize,
    /// What `Loader::nodes` was before it.
    pub nodes_before: u64,
}

pub(crate) enum Content {
    List(Vec<Value>),
    Map(OpenMap),
}

#[derive(Default)]
pub(crate) struct OpenMap {
    pub entries: Map<String, Value>,
    /// Line of each entry's key, in the order of `entries`; 0 for what came by a merge.
    pub lines: Vec<usize>,
    /// The key whose value comes next.
    pub key: Option<Key>,
}

pub(crate) enum Key {
    Merge,
    Name(String),
}

impl OpenMap {
    /// `<<`: go-yaml sets the merged keys there and then, so they override what stands before them.
    /// Of several maps the first wins.
    pub(crate) fn merge(&mut self, value: Value, alias: bool) -> Result<(), &'static str> {
        let maps: Option<Vec<_>> = match value {
            Value::Object(map) => Some(vec![map]),
            Value::Array(items) if !alias => items
                .into_iter()
                .rev()
                .map(|item| match item {
                    Value::Object(map) => Some(map),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let Some(maps) = maps else {
            return Err("<< needs a map, or a list of maps");
        };
        for (name, value) in maps.into_iter().flatten() {
            if self.entries.insert(name, value).is_none() {
                self.lines.push(0);
            }
        }
        Ok(())
    }
}

/// Where the innermost of the open maps is, such as `spec.containers[0]`.
pub(crate) fn path(frames: &[Frame]) -> String {
    let mut path = String::new();
    for frame in frames.iter().take(frames.len().saturating_sub(1)) {
        match &frame.content {
            Content::List(items) => path.push_str(&format!("[{}]", items.len())),
            Content::Map(OpenMap {
                key: Some(Key::Name(name)),
                ..
            }) => {
                let name = shown(name);
                if name.contains(['.', '/', '[', ' ']) {
                    path.push_str(&format!("[\"{name}\"]"));
                } else {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&name);
                }
            }
            Content::Map(_) => path.push_str("<<"),
        }
    }
    path
}
