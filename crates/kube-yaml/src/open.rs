//! Maps and lists whose end has not come yet.

use serde_json::{Map, Value};

use crate::document::shown;
use crate::scalar::Dialect;

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
    /// Of several maps the first wins. kustomize keeps what stands there already.
    pub(crate) fn merge(&mut self, value: Value, alias: bool, dialect: Dialect) -> Result<(), &'static str> {
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
        let merged: Vec<(String, Value)> = match dialect {
            Dialect::Kubernetes => maps.into_iter().flatten().collect(),
            // The last of these are inserted, so the first wins here too.
            Dialect::Kustomize | Dialect::KustomizePatch => {
                let missing = |(name, _): &(String, Value)| !self.entries.contains_key(name);
                maps.into_iter().flatten().filter(missing).collect()
            }
        };
        for (name, value) in merged {
            if self.entries.insert(name, value).is_none() {
                self.lines.push(0);
            }
        }
        Ok(())
    }
}

/// The JSON pointer of the value that comes next, when it comes into a map.
pub(crate) fn pointer(frames: &[Frame]) -> Option<String> {
    let mut pointer = String::new();
    for frame in frames {
        pointer.push('/');
        match &frame.content {
            Content::List(items) => pointer.push_str(&items.len().to_string()),
            Content::Map(OpenMap {
                key: Some(Key::Name(name)),
                ..
            }) => {
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Content::Map(_) => return None,
        }
    }
    matches!(
        frames.last(),
        Some(Frame {
            content: Content::Map(_),
            ..
        })
    )
    .then_some(pointer)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    /// Read off kustomize 5.8.1 and kubectl.
    #[test]
    fn what_a_merge_overrides() {
        let text = b"x: &x {a: 2, b: 2}\nm:\n  a: 1\n  <<: [*x, {a: 7, c: 8}]\n  b: 3\n";
        let read = |documents: Vec<crate::Document>| documents.into_iter().next().and_then(|it| it.value.ok());
        let value = |a: i32| json!({"x": {"a": 2, "b": 2}, "m": {"a": a, "b": 3, "c": 8}});
        assert_eq!(read(crate::parse_kustomize(text)), Some(value(1)));
        assert_eq!(read(crate::parse(text)), Some(value(2)));
    }
}
