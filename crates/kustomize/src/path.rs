//! Paths to fields, as `fieldPath` and `fieldPaths` write them.

use serde_json::{Map, Value};

use crate::plain::text;
use crate::trouble::{Outcome, Trouble};

/// A path in its parts: `.` divides them unless it is escaped with `\` or stands between brackets. `[a=b]` keeps its brackets, `[a.b]`
/// loses them (kustomize's `SmarterPathSplitter`).
pub(crate) fn split(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut pieces = split_escaped(path, '.').into_iter();
    while let Some(mut part) = pieces.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            parts.push(part);
            continue;
        }
        for piece in pieces.by_ref() {
            part.push('.');
            part.push_str(&piece);
            if piece.ends_with(']') {
                break;
            }
        }
        match part.contains('=') {
            true => parts.push(part),
            false => parts.push(part.trim_matches(['[', ']']).to_owned()),
        }
    }
    parts
}

/// A text in its parts, a divider after `\` being none. One divider at the beginning does not count.
pub(crate) fn split_escaped(path: &str, divider: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for piece in path.strip_prefix(divider).unwrap_or(path).split(divider) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(divider);
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// One part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'p> {
    Field(&'p str),
    /// An item of a list by its place.
    Place(usize),
    /// `*`: every item of a list.
    Every,
    /// `[field=value]`, or `[=value]` with an empty field: items of a list.
    Item(&'p str, &'p str),
}

impl<'p> Part<'p> {
    pub fn of(part: &'p str) -> Outcome<Part<'p>> {
        if let Ok(place) = part.parse::<i64>()
            && let Ok(place) = usize::try_from(place)
        {
            return Ok(Part::Place(place));
        }
        if let Some(inner) = part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
            let item = inner.split_once('=').map(|(field, value)| Part::Item(field, value));
            return item.ok_or_else(|| Trouble::new(format!("{part} is not of the form [field=value]")));
        }
        Ok(if part == "*" { Part::Every } else { Part::Field(part) })
    }

    /// Whether it leads into a list.
    pub fn is_of_list(self) -> bool {
        matches!(self, Part::Place(_) | Part::Item(..))
    }
}

/// The value at a path, which may not have `*`; `-` is the last item of a list, and the first item that fits `[field=value]` exactly is
/// taken (kyaml's `PathGetter`).
pub(crate) fn lookup<'v>(value: &'v Value, path: &[impl AsRef<str>]) -> Outcome<Option<&'v Value>> {
    let mut at = value;
    for part in parts(path) {
        match step(at, part)? {
            Some(Step::Key(key)) => match at.get(key) {
                Some(next) => at = next,
                None => return Ok(None),
            },
            Some(Step::Place(place)) => match at.get(place) {
                Some(next) => at = next,
                None => return Ok(None),
            },
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// The same, with the keys and places that lead there.
pub(crate) fn locate<'v>(value: &'v Value, path: &[impl AsRef<str>]) -> Outcome<Option<(Vec<String>, &'v Value)>> {
    let (mut at, mut way) = (value, Vec::new());
    for part in parts(path) {
        let (next, step) = match step(at, part)? {
            Some(Step::Key(key)) => (at.get(key), key.to_owned()),
            Some(Step::Place(place)) => (at.get(place), place.to_string()),
            None => return Ok(None),
        };
        let Some(next) = next else { return Ok(None) };
        at = next;
        way.push(step);
    }
    Ok(Some((way, at)))
}

/// The same, to be changed.
pub(crate) fn lookup_mut<'v>(value: &'v mut Value, path: &[impl AsRef<str>]) -> Outcome<Option<&'v mut Value>> {
    let mut at = value;
    for part in parts(path) {
        let next = match step(at, part)? {
            Some(Step::Key(key)) => at.get_mut(key),
            Some(Step::Place(place)) => at.get_mut(place),
            None => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// The value that keys and places lead to, as [`locate`] gives them.
pub(crate) fn at_way<'v>(value: &'v Value, way: &[String]) -> Option<&'v Value> {
    way.iter().try_fold(value, |at, step| match at {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step.as_str()),
    })
}

/// The same, made where it is not there: missing fields as mappings, or as lists where the next part leads into one, the last as null
/// (kyaml's `LookupCreate` with a scalar). Items of a list by place are not made.
pub(crate) fn lookup_create<'v>(value: &'v mut Value, path: &[impl AsRef<str>]) -> Outcome<Option<&'v mut Value>> {
    let parts: Vec<&str> = parts(path).collect();
    let mut at = value;
    for (index, part) in parts.iter().enumerate() {
        let next = match parts.get(index + 1).map(|next| Part::of(next)).transpose() {
            Ok(None) => Value::Null,
            Ok(Some(next)) if !next.is_of_list() => Value::Object(Map::new()),
            _ => Value::Array(Vec::new()),
        };
        let found = match (step(at, part)?, Part::of(part)?) {
            (Some(Step::Place(place)), _) => at.get_mut(place),
            (Some(Step::Key(key)), _) => at.as_object_mut().map(|fields| fields.entry(key).or_insert(next)),
            (None, Part::Item(field, wanted)) => at.as_array_mut().and_then(|items| {
                items.push(made_item(field, wanted));
                items.last_mut()
            }),
            (None, _) => None,
        };
        match found {
            Some(found) => at = found,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// The item that is made for `[field=value]`.
pub(crate) fn made_item(field: &str, value: &str) -> Value {
    let value = crate::plain::resolve(value);
    match field {
        "" => value,
        field => Value::Object(Map::from_iter([(field.to_owned(), value)])),
    }
}

/// Space around parts, and parts of nothing else, do not count.
fn parts(path: &[impl AsRef<str>]) -> impl Iterator<Item = &str> {
    path.iter()
        .map(|part| part.as_ref().trim())
        .filter(|part| !part.is_empty())
}

enum Step<'p> {
    Key(&'p str),
    Place(usize),
}

/// Where a part leads from a value; `None` where nothing is there.
fn step<'p>(value: &Value, part: &'p str) -> Outcome<Option<Step<'p>>> {
    if part == "-" {
        let last = list(value)?.len().checked_sub(1);
        return last
            .map(|last| Some(Step::Place(last)))
            .ok_or_else(|| Trouble::new("an empty list has no last item"));
    }
    match Part::of(part)? {
        Part::Every => Err(Trouble::new("the wildcard * is not allowed here")),
        Part::Place(place) => Ok((place < list(value)?.len()).then_some(Step::Place(place))),
        Part::Item(field, wanted) => {
            let fits = |item: &Value| match field {
                "" => text(item) == wanted,
                field => item.get(field).is_some_and(|value| text(value) == wanted),
            };
            Ok(list(value)?.iter().position(fits).map(Step::Place))
        }
        Part::Field(name) if name.parse::<i64>().is_ok() => {
            Err(Trouble::new(format!("the place {name} in a list cannot be negative")))
        }
        Part::Field(name) => match value {
            Value::Null => Ok(None),
            Value::Object(_) => Ok(Some(Step::Key(name))),
            other => Err(wrong(other, "a mapping")),
        },
    }
}

/// The items of a list; null has none.
pub(crate) fn list(value: &Value) -> Outcome<&[Value]> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        other => Err(wrong(other, "a list")),
    }
}

/// Another sort of value is there than a path needs.
pub(crate) fn wrong(value: &Value, wanted: &str) -> Trouble {
    let found = match value {
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
        _ => "a scalar",
    };
    Trouble::new(format!("expected {wanted} but found {found}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_split_as_kustomize_does() {
        let rows: [(&str, &[&str]); 9] = [
            ("a.b", &["a", "b"]),
            (".a.b", &["a", "b"]),
            ("a..b", &["a", "", "b"]),
            (r"a.b\.c.d", &["a", "b.c", "d"]),
            ("a.[n=x.y.z].i", &["a", "[n=x.y.z]", "i"]),
            ("a.[x.y/z]", &["a", "x.y/z"]),
            ("a.[x]", &["a", "[x]"]),
            ("a.[n=x", &["a", "[n=x"]),
            ("", &[""]),
        ];
        for (path, parts) in rows {
            assert_eq!(split(path), parts, "{path}");
        }
    }

    #[test]
    fn values_are_found_at_paths() {
        let value = json!({"a": [{"n": 1, "v": "x"}, {"n": 2}, "s"], "z": null, "m": {"k": "v"}});
        let rows = [
            ("a.0.v", Ok(Some(json!("x")))),
            ("a.-", Ok(Some(json!("s")))),
            ("a.[n=2]", Ok(Some(json!({"n": 2})))),
            ("a.[=s]", Ok(Some(json!("s")))),
            ("a.[n=3]", Ok(None)),
            ("a.7", Ok(None)),
            ("z.q", Ok(None)),
            ("m.q", Ok(None)),
            ("m.k.q", Err("expected a mapping but found a scalar")),
            ("m.0", Err("expected a list but found a mapping")),
            ("a.*", Err("the wildcard * is not allowed here")),
            ("a.[x]", Err("[x] is not of the form [field=value]")),
            ("a.-1", Err("the place -1 in a list cannot be negative")),
        ];
        for (path, expected) in rows {
            let found = lookup(&value, &split(path));
            assert_eq!(
                found.map(Option::<&Value>::cloned).map_err(|trouble| trouble.message),
                expected.map_err(str::to_owned),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_not_there_is_made() {
        let mut value = json!({"a": {}});
        for path in ["a.b.c", "a.l.[n=5].x"] {
            *lookup_create(&mut value, &split(path))
                .expect("a good path")
                .expect("made") = json!("new");
        }
        assert_eq!(value, json!({"a": {"b": {"c": "new"}, "l": [{"n": 5, "x": "new"}]}}));
        assert_eq!(lookup_create(&mut value, &["a", "l", "3"]), Ok(None));
    }
}
