//! Where a field stands: steps from the root of an object.

use std::fmt;

use serde_json::Value;

/// Keys by which elements of lists are told apart, the first that all elements have as a scalar. From the list-map keys of
/// the built-in types (`x-kubernetes-list-map-keys` of the API server's schema).
const LIST_KEYS: &[Keys] = &[
    &["name"],
    &["mountPath"],
    &["devicePath"],
    &["containerPort", "protocol"],
    &["containerPort"],
    &["port", "protocol"],
    &["port"],
    &["key", "effect"],
    &["ip"],
    &["uid"],
    &["type"],
    &["topologyKey"],
];

/// Fields that together tell the elements of a list apart.
pub(crate) type Keys = &'static [&'static str];

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Into a mapping.
    Field(String),
    /// To the element of a list that has these values of its keys.
    Element(Keys, Vec<Value>),
    /// To an element of a list by its number.
    Index(usize),
    /// To an element of a list of plain values that is a set.
    Item(Value),
}

impl Step {
    /// The step to an element by its keys, which it has.
    pub fn to(element: &Value, keys: Keys) -> Self {
        let value = |key: &&str| element.get(*key).cloned().unwrap_or_default();
        Self::Element(keys, keys.iter().map(value).collect())
    }

    /// Where it leads in `value`.
    pub fn into<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self, value) {
            (Self::Field(name), Value::Object(map)) => map.get(name),
            (_, Value::Array(list)) => list.get(self.position(list)?),
            _ => None,
        }
    }

    fn position(&self, list: &[Value]) -> Option<usize> {
        match self {
            Self::Field(_) => None,
            Self::Index(index) => Some(*index),
            Self::Item(item) => list.iter().position(|other| other == item),
            Self::Element(keys, values) => {
                let pairs = || keys.iter().zip(values);
                let is = |other: &Value| pairs().all(|(key, value)| other.get(key) == Some(value));
                // A key that an element leaves out has its default (`protocol` of a port).
                let may_be = |other: &Value| {
                    let known = |(key, value): (&&str, &Value)| Some(other.get(*key)? == value);
                    pairs().filter_map(known).all(|same| same) && pairs().any(|(key, _)| other.get(key).is_some())
                };
                let exact = list.iter().position(is);
                exact.or_else(|| list.iter().position(may_be))
            }
        }
    }
}

/// Steps from the root of an object. Printed as `.spec.template.spec.containers[name=web].image`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Path(pub Vec<Step>);

impl Path {
    /// Whether its first steps are these fields.
    pub fn begins(&self, fields: &[&str]) -> bool {
        let is = |(step, name): (&Step, &&str)| matches!(step, Step::Field(field) if field == name);
        self.0.len() >= fields.len() && self.0.iter().zip(fields).all(is)
    }

    /// Whether one of its steps is this field.
    pub fn has(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|step| matches!(step, Step::Field(field) if field == name))
    }

    /// The last field on the way.
    pub fn last_field(&self) -> &str {
        for step in self.0.iter().rev() {
            if let Step::Field(name) = step {
                return name;
            }
        }
        ""
    }

    /// One step more.
    pub fn child(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// What stands there in an object.
    pub fn at<'v>(&self, object: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(object, |value, step| step.into(value))
    }

    /// The JSON pointer to it in an object.
    pub fn pointer(&self, object: &Value) -> Option<String> {
        let tokens = self.tokens(object)?;
        let escaped = |token: &String| format!("/{}", token.replace('~', "~0").replace('/', "~1"));
        Some(tokens.iter().map(escaped).collect())
    }

    /// The parts of that pointer, not escaped.
    pub fn tokens(&self, object: &Value) -> Option<Vec<String>> {
        let (mut tokens, mut value) = (Vec::new(), object);
        for step in &self.0 {
            tokens.push(match (step, value) {
                (Step::Field(name), _) => name.clone(),
                (_, Value::Array(list)) => step.position(list)?.to_string(),
                _ => return None,
            });
            value = step.into(value)?;
        }
        Some(tokens)
    }

    /// The path that is printed so in an object.
    pub fn find(object: &Value, text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let steps: Vec<Step> = match object {
            Value::Object(map) => map.keys().cloned().map(Step::Field).collect(),
            Value::Array(list) => {
                let keyed = LIST_KEYS.iter().filter(|keys| tell_apart(keys, list));
                let elements = keyed.flat_map(|keys| list.iter().map(|one| Step::to(one, keys)));
                let plain = list.iter().cloned().map(Step::Item);
                elements.chain((0..list.len()).map(Step::Index)).chain(plain).collect()
            }
            _ => return None,
        };
        steps.into_iter().find_map(|step| {
            let first = Self(vec![step]);
            let rest = text.strip_prefix(&first.to_string())?;
            let below = first
                .at(object)
                .filter(|_| rest.is_empty() || rest.starts_with(['.', '[']))?;
            let below = Self::find(below, rest)?;
            Some(Self([first.0, below.0].concat()))
        })
    }

    /// Takes it out of an object. Of lists by number the last must go first.
    pub fn remove_from(&self, object: &mut Value) {
        let Some((last, way)) = self.0.split_last() else { return };
        let mut value = object;
        for step in way {
            let next = match value {
                Value::Object(map) => match step {
                    Step::Field(name) => map.get_mut(name),
                    _ => None,
                },
                Value::Array(list) => step.position(list).and_then(|index| list.get_mut(index)),
                _ => None,
            };
            let Some(next) = next else { return };
            value = next;
        }
        match (last, value) {
            (Step::Field(name), Value::Object(map)) => {
                map.shift_remove(name);
            }
            (step, Value::Array(list)) => {
                if let Some(index) = step.position(list).filter(|index| *index < list.len()) {
                    list.remove(index);
                }
            }
            _ => {}
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Field(name) => f.write_str(&child("", name))?,
                Step::Element(keys, values) => {
                    let text = |(key, value): (&&str, &Value)| format!("{key}={}", shown(value));
                    let all: Vec<String> = keys.iter().zip(values).map(text).collect();
                    write!(f, "[{}]", all.join(","))?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Item(item) => write!(f, "[{}]", shown(item))?,
            }
        }
        Ok(())
    }
}

/// The key fields by which all elements can be told apart.
pub(crate) fn keys_of(list: &[Value]) -> Option<Keys> {
    LIST_KEYS.iter().find(|keys| tell_apart(keys, list)).copied()
}

/// The key fields by which all elements of either list can be told apart.
pub(super) fn keys_of_both(one: &[Value], other: &[Value]) -> Option<Keys> {
    let both = |keys: &&Keys| tell_apart(keys, one) && tell_apart(keys, other);
    LIST_KEYS.iter().find(both).copied()
}

fn tell_apart(keys: Keys, list: &[Value]) -> bool {
    let named = |v: &Value| {
        keys.iter()
            .all(|k| v.get(k).is_some_and(|k| k.is_string() || k.is_number()))
    };
    let key = |v: &Value| keys.iter().map(|k| v.get(k).map(Value::to_string)).collect::<Vec<_>>();
    let mut seen: Vec<_> = list.iter().map(key).collect();
    seen.sort();
    seen.dedup();
    list.iter().all(named) && seen.len() == list.len()
}

/// An element of a list as a path names it: `name=web`.
pub(crate) fn label(element: &Value, keys: &[&str]) -> String {
    keys.iter()
        .filter_map(|key| Some(format!("{key}={}", shown(element.get(key)?))))
        .collect::<Vec<_>>()
        .join(",")
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A path, and a field in what is there.
pub(crate) fn child(path: &str, key: &str) -> String {
    if key.contains(['.', '/', '[']) {
        format!("{path}[{key}]")
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_printed_read_and_taken_out() {
        let mut pod = json!({"metadata": {"annotations": {"a.b/c": "1"}, "finalizers": ["x", "y"]},
            "spec": {"containers": [{"name": "a"}, {"name": "web", "env": [{"v": 1}, {"v": 2}]}]}});
        let field = |name: &str| Step::Field(name.to_owned());
        let web = Path(vec![
            field("spec"),
            field("containers"),
            Step::to(&json!({"name": "web"}), &["name"]),
        ]);
        for (path, text, pointer, value) in [
            (
                web.child(field("env")).child(Step::Index(1)),
                ".spec.containers[name=web].env[1]",
                "/spec/containers/1/env/1",
                json!({"v": 2}),
            ),
            (
                Path(vec![field("metadata"), field("annotations"), field("a.b/c")]),
                ".metadata.annotations[a.b/c]",
                "/metadata/annotations/a.b~1c",
                json!("1"),
            ),
            (
                Path(vec![field("metadata"), field("finalizers"), Step::Item(json!("x"))]),
                ".metadata.finalizers[x]",
                "/metadata/finalizers/0",
                json!("x"),
            ),
        ] {
            assert_eq!(path.to_string(), text);
            assert_eq!(path.pointer(&pod).as_deref(), Some(pointer));
            assert_eq!(path.at(&pod), Some(&value));
            path.remove_from(&mut pod);
            assert_ne!(path.at(&pod), Some(&value));
        }
        web.remove_from(&mut pod);
        assert_eq!(
            pod,
            json!({"metadata": {"annotations": {}, "finalizers": ["y"]}, "spec": {"containers": [{"name": "a"}]}})
        );
        assert!(web.at(&pod).is_none() && web.pointer(&pod).is_none());
    }
}
