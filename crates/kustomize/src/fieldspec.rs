//! Walks to the fields that a [`FieldSpec`] names, making them where it says so (kustomize's `filters/fieldspec`).
//!
//! Lists need no mention in a path: whatever stands after one is looked for in each of its items. Before anything is changed, a walk that
//! only reads tells whether there is something to change, so that an untouched object stays shared.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::config::{FieldSpec, selects};
use crate::resource::Resource;
use crate::schema::Schema;
use crate::shared::Place;
use crate::trouble::{Outcome, Trouble};

/// What is made where the last field of a path is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// Nothing: even a spec with `create` makes nothing.
    Nothing,
    /// An empty text.
    Scalar,
    /// An empty mapping.
    Mapping,
}

/// Splits a path at `delimiter`, except where a backslash stands before it. One at the very beginning is left out
/// (kustomize's `PathSplitter`).
pub(crate) fn split(path: &str, delimiter: char) -> impl Iterator<Item = Cow<'_, str>> {
    let path = path.strip_prefix(delimiter).unwrap_or(path);
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let (part, after) = head(rest?, delimiter);
        rest = after;
        Some(part)
    })
}

/// The first part of a path, and what stands after it.
fn head(path: &str, delimiter: char) -> (Cow<'_, str>, Option<&str>) {
    let Some((part, mut rest)) = path.split_once(delimiter) else {
        return (Cow::Borrowed(path), None);
    };
    if !part.ends_with('\\') {
        return (Cow::Borrowed(part), Some(rest));
    }
    let mut joined = part.to_owned();
    while joined.ends_with('\\') {
        joined.pop();
        joined.push(delimiter);
        match rest.split_once(delimiter) {
            Some((part, after)) => {
                joined.push_str(part);
                rest = after;
            }
            None => {
                joined.push_str(rest);
                return (Cow::Owned(joined), None);
            }
        }
    }
    (Cow::Owned(joined), Some(rest))
}

/// The key that a part of a path looks up.
pub(crate) struct Key<'p> {
    pub name: &'p str,
    /// Written with `[]`: a null there becomes an empty list.
    pub list: bool,
}

/// Reads a part of a path. Errs where kustomize would take it for something else than a key of a mapping.
pub(crate) fn key(part: &str) -> Outcome<Key<'_>> {
    let (name, list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
    if name.is_empty() {
        return Err(Trouble::new("cannot set or create an empty field name"));
    }
    let name = name.trim();
    let item = name == "-" || name.parse::<i64>().is_ok() || (name.starts_with('[') && name.ends_with(']'));
    if item || name == "*" {
        return Err(Trouble::new(format!(
            "{name:?} stands for an item of a list, and a mapping is there"
        )));
    }
    Ok(Key { name, list })
}

/// What the walk carries along.
#[derive(Clone, Copy)]
struct Way<'p> {
    /// What is still before us; `None` at the field.
    rest: Option<&'p str>,
    /// What to make; `None` where the spec does not create.
    made: Option<Made>,
}

/// What becomes of a key that is missing or null.
enum Absent {
    Leave,
    Make(Value),
}

impl<'p> Way<'p> {
    fn new(spec: &'p FieldSpec, made: Made) -> Self {
        let path = spec.path.strip_prefix('/').unwrap_or(&spec.path);
        let made = (spec.create && made != Made::Nothing).then_some(made);
        Way { rest: Some(path), made }
    }

    fn step(self) -> Option<(Cow<'p, str>, Way<'p>)> {
        let (part, rest) = head(self.rest?, '/');
        Some((part, Way { rest, ..self }))
    }

    /// What is made of the key just stepped over: where it is missing, and where it is null.
    fn absent(self, key: &Key<'_>) -> (Absent, Absent) {
        match self.made {
            _ if key.list => (Absent::Leave, Absent::Make(Value::Array(Vec::new()))),
            None | Some(Made::Nothing) => (Absent::Leave, Absent::Leave),
            Some(Made::Scalar) if self.rest.is_none() => (
                Absent::Make(Value::String(String::new())),
                Absent::Make(Value::String(String::new())),
            ),
            Some(_) => (
                Absent::Make(Value::Object(Map::new())),
                Absent::Make(Value::Object(Map::new())),
            ),
        }
    }
}

/// Whether the walk would change something or err. `differs` says so of a field that is there.
fn would_change(value: &Value, way: Way<'_>, differs: &dyn Fn(&Value) -> bool) -> bool {
    let Some((part, next)) = way.step() else {
        return differs(value);
    };
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(|item| would_change(item, way, differs)),
        Value::Object(map) => {
            let Ok(key) = key(&part) else { return true };
            match map.get(key.name) {
                None => matches!(next.absent(&key).0, Absent::Make(_)),
                Some(Value::Null) => {
                    matches!(next.absent(&key).1, Absent::Make(_)) || would_change(&Value::Null, next, differs)
                }
                Some(field) => would_change(field, next, differs),
            }
        }
        _ => true,
    }
}

fn walk(value: &mut Value, way: Way<'_>, set: &mut dyn FnMut(&mut Value) -> Outcome<()>) -> Outcome<()> {
    let Some((part, next)) = way.step() else {
        return set(value);
    };
    match value {
        Value::Null => Ok(()),
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, way, set)),
        Value::Object(map) => {
            let key = key(&part)?;
            let (missing, null) = next.absent(&key);
            if let Some(field) = map.get_mut(key.name) {
                if let (Value::Null, Absent::Make(made)) = (&*field, null) {
                    *field = made;
                }
                return walk(field, next, set);
            }
            match missing {
                Absent::Leave => Ok(()),
                Absent::Make(made) => walk(map.entry(key.name).or_insert(made), next, set),
            }
        }
        _ => Err(Trouble::new("expected sequence or mapping node")),
    }
}

/// Whether [`set_field`] would change something or err.
pub(crate) fn is_due(resource: &Resource, spec: &FieldSpec, made: Made, differs: &dyn Fn(&Value) -> bool) -> bool {
    let (group, version) = resource.group_version();
    selects(spec.gvk(), group, version, resource.kind()) && would_change(&resource.value, Way::new(spec, made), differs)
}

/// The places of the mappings that a spec names.
pub(crate) fn mappings(resource: &Resource, spec: &FieldSpec) -> Vec<Place> {
    fn collect(value: &Value, way: Way<'_>, at: &Place, found: &mut Vec<Place>) {
        let Some((part, next)) = way.step() else {
            if value.is_object() {
                found.push(at.clone());
            }
            return;
        };
        match value {
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, item)| collect(item, way, &at.item(index), found));
            }
            Value::Object(map) => {
                if let Some((name, field)) = key(&part).ok().and_then(|key| map.get_key_value(key.name)) {
                    collect(field, next, &at.key(name), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(
        &resource.value,
        Way::new(spec, Made::Nothing),
        &Place::root(),
        &mut found,
    );
    found
}

/// Sets the field of `spec` in an object, if it is of the group, version and kind that the spec is for.
///
/// `differs` says whether `set` would change the field that is there, or refuse it; it must not say no to a field that `set` changes.
pub(crate) fn set_field(
    resource: &mut Resource,
    spec: &FieldSpec,
    made: Made,
    differs: &dyn Fn(&Value) -> bool,
    set: &mut dyn FnMut(&mut Value) -> Outcome<()>,
) -> Outcome<()> {
    if !is_due(resource, spec, made, differs) {
        return Ok(());
    }
    walk(resource.value_mut(), Way::new(spec, made), set).map_err(|trouble| considering(trouble, spec, resource))
}

fn considering(mut trouble: Trouble, spec: &FieldSpec, resource: &Resource) -> Trouble {
    // The schema only matters where namespaces are compared.
    let id = resource.id(&Schema::builtin());
    trouble.message = format!("considering field '{}' of object {id}: {}", spec.path, trouble.message);
    trouble
}

/// Makes a field a text. Errs where a list or a mapping is there.
pub(crate) fn set_text(field: &mut Value, text: &str) -> Outcome<()> {
    scalar(field)?;
    *field = Value::String(text.to_owned());
    Ok(())
}

/// Sets a key of a mapping to a text. A null is left as it is.
pub(crate) fn set_entry(field: &mut Value, key: &str, text: &str) -> Outcome<()> {
    match field {
        Value::Null => Ok(()),
        Value::Object(map) if !key.is_empty() => {
            map.insert(key.to_owned(), Value::String(text.to_owned()));
            Ok(())
        }
        other => Err(wrong_kind(
            if key.is_empty() { "ScalarNode" } else { "MappingNode" },
            other,
        )),
    }
}

/// The text of a scalar as it is written, as far as that is known: a number may have been written in another way. Null is empty.
/// Errs for a list or a mapping.
pub(crate) fn scalar(value: &Value) -> Outcome<Cow<'_, str>> {
    match value {
        Value::Null => Ok(Cow::Borrowed("")),
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Number(_) | Value::Bool(_) => Ok(Cow::Owned(value.to_string())),
        other => Err(wrong_kind("ScalarNode", other)),
    }
}

/// kustomize's error for a field of another kind than is due, in its words for kinds.
pub(crate) fn wrong_kind(due: &str, value: &Value) -> Trouble {
    let is = match value {
        Value::Array(_) => "SequenceNode",
        Value::Object(_) => "MappingNode",
        _ => "ScalarNode",
    };
    Trouble::new(format!("wrong node kind: expected {due} but got {is}"))
}

/// The specs of a table that are for a kind, looked up once for each kind that is met.
pub(crate) struct ByKind<'s> {
    table: &'s [FieldSpec],
    found: HashMap<String, Vec<&'s FieldSpec>>,
}

impl<'s> ByKind<'s> {
    pub fn new(table: &'s [FieldSpec]) -> Self {
        ByKind {
            table,
            found: HashMap::new(),
        }
    }

    /// Those for a kind, in the order of the table.
    pub fn of(&mut self, kind: &str) -> &[&'s FieldSpec] {
        if !self.found.contains_key(kind) {
            let fits = |spec: &&FieldSpec| spec.kind.is_empty() || spec.kind == kind;
            let specs = self.table.iter().filter(fits).collect();
            self.found.insert(kind.to_owned(), specs);
        }
        self.found.get(kind).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::origin::Origin;

    #[test]
    fn splits() {
        let cases: [(&str, &[&str]); 8] = [
            ("a/b", &["a", "b"]),
            ("/a/b", &["a", "b"]),
            ("", &[""]),
            ("a//b", &["a", "", "b"]),
            (r"a/b\/c/d", &["a", "b/c", "d"]),
            (r"a\/b\/c", &["a/b/c"]),
            (r"a\", &[r"a\"]),
            ("/", &[""]),
        ];
        for (path, parts) in cases {
            assert_eq!(split(path, '/').collect::<Vec<_>>(), parts, "{path}");
        }
        assert_eq!(split(r"a.b\.c", '.').collect::<Vec<_>>(), ["a", "b.c"]);
    }

    /// What comes of setting a field to `!`, and whether the object is another then.
    fn set(object: Value, path: &str, create: bool, made: Made) -> Outcome<(Value, bool)> {
        let value = Arc::new(object);
        let mut resource = Resource::new(Arc::clone(&value), Arc::new(Origin::default()));
        let spec = FieldSpec::new(path, create);
        let differs = |value: &Value| *value != json!("!");
        set_field(&mut resource, &spec, made, &differs, &mut |value| {
            *value = json!("!");
            Ok(())
        })?;
        Ok((Value::clone(&resource.value), !Arc::ptr_eq(&value, &resource.value)))
    }

    #[test]
    fn finds_and_makes() {
        let cases = [
            (json!({"a": {"b": 1}}), "a/b", false, json!({"a": {"b": "!"}})),
            (
                json!({"a": [{"b": 1}, {"b": 2}, {}, null]}),
                "a/b",
                false,
                json!({"a": [{"b": "!"}, {"b": "!"}, {}, null]}),
            ),
            (json!({"a": [[{"b": 1}]]}), "a[]/b", false, json!({"a": [[{"b": "!"}]]})),
            (json!({"a": {"b": 1}}), "a[]/b", false, json!({"a": {"b": "!"}})),
            (json!({"a": [1, 2]}), "a", false, json!({"a": "!"})),
            (json!({"a": {}}), "a/b", true, json!({"a": {"b": "!"}})),
            (json!({}), "a/b/c", true, json!({"a": {"b": {"c": "!"}}})),
            (json!({"a": null}), "a/b", true, json!({"a": {"b": "!"}})),
            (json!({"a": null}), "a/b", false, json!({"a": null})),
            (json!({"a": {"b": null}}), "a/b", false, json!({"a": {"b": "!"}})),
            (json!({"a": null}), "a[]/b", false, json!({"a": []})),
            (json!({}), "a[]/b", true, json!({})),
            (json!({"x/y": 1}), r"x\/y", false, json!({"x/y": "!"})),
            (json!({"a": {"b": "!"}}), "a/b", true, json!({"a": {"b": "!"}})),
        ];
        for (object, path, create, expected) in cases {
            let changes = object != expected;
            assert_eq!(
                set(object.clone(), path, create, Made::Scalar),
                Ok((expected, changes)),
                "{path} in {object}"
            );
        }
        assert_eq!(set(json!({}), "a", true, Made::Nothing), Ok((json!({}), false)));
    }

    #[test]
    fn refuses() {
        let cases = [
            (json!({"a": "text"}), "a/b", "expected sequence or mapping node"),
            (json!({"a": [1]}), "a/b", "expected sequence or mapping node"),
            (json!({"a": 1}), "", "cannot set or create an empty field name"),
            (json!({"a": {}}), "a/", "cannot set or create an empty field name"),
            (json!({"a": {}}), "a/0", "\"0\" stands for an item of a list"),
            (json!({"a": {}}), "a/*", "\"*\" stands for an item of a list"),
        ];
        for (object, path, words) in cases {
            let error = set(object, path, false, Made::Scalar)
                .expect_err("it cannot be set")
                .message;
            assert!(
                error.starts_with(&format!("considering field '{path}' of object ")) && error.contains(words),
                "{error}"
            );
        }
    }
}
