//! Fields as drift names them (`.spec.containers[name=web].image`), found in a document: pure.

use serde_json::Value;
use yaml_splice::Step;

/// The steps to a field in a value. What is not there yet is a new key, or a new item at the end of its list; `None` where the path
/// names an item that does not tell what it would be, or leads through a scalar.
pub(super) fn steps(path: &str, value: &Value) -> Option<Vec<Step>> {
    let mut found = Vec::new();
    let mut here = Some(value);
    for part in parts(path)? {
        let (step, next) = match (part, here) {
            (Part::Bracket(text), Some(Value::Array(items))) => {
                let index = item(text, items).unwrap_or(items.len());
                (Step::Index(index), items.get(index))
            }
            (Part::Field(key) | Part::Bracket(key), Some(Value::Object(map))) => (Step::from(key), map.get(key)),
            (Part::Field(key), None | Some(Value::Null)) => (Step::from(key), None),
            (Part::Bracket(key), None | Some(Value::Null)) if !key.contains('=') => (Step::from(key), None),
            _ => return None,
        };
        found.push(step);
        here = next;
    }
    Some(found)
}

/// The JSON pointer of steps (RFC 6901).
pub(super) fn pointer(steps: &[Step]) -> String {
    let token = |step: &Step| match step {
        Step::Key(key) => key.replace('~', "~0").replace('/', "~1"),
        Step::Index(index) => index.to_string(),
    };
    steps.iter().map(|step| format!("/{}", token(step))).collect()
}

enum Part<'p> {
    Field(&'p str),
    /// A key with points in it, or an item of a list.
    Bracket(&'p str),
}

fn parts(path: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = inside.find(']')?;
            parts.push(Part::Bracket(&inside[..end]));
            rest = &inside[end + 1..];
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(Part::Field(&rest[..end]));
            rest = &rest[end..];
        }
    }
    Some(parts)
}

/// The item that `name=web`, `containerPort=80,protocol=TCP`, a number or its own text names.
fn item(text: &str, items: &[Value]) -> Option<usize> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.contains('=') {
        let pairs: Vec<(&str, &str)> = text.split(',').filter_map(|pair| pair.split_once('=')).collect();
        let is = |item: &&Value, strict: bool| {
            let mut known = pairs
                .iter()
                .map(|(key, value)| item.get(*key).map(|found| shown(found) == *value));
            known.all(|same| same.unwrap_or(!strict))
        };
        let strictly = items.iter().position(|item| is(&item, true));
        // A key that is left out has its default (`protocol` of a port), but not all of them.
        let has_one = |item: &&Value| pairs.iter().any(|(key, _)| item.get(*key).is_some());
        return strictly.or_else(|| items.iter().position(|item| has_one(&item) && is(&item, false)));
    }
    match items.iter().position(|item| !item.is_object() && shown(item) == text) {
        None => text.parse().ok().filter(|index| *index < items.len()),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found_by_what_names_them() {
        let value = json!({"metadata": {"annotations": {"a.b/c": "1"}, "finalizers": ["x", "y"]}, "spec": {"containers": [
            {"name": "a"}, {"name": "web", "ports": [{"containerPort": 80}], "args": ["p", "q"]}]}});
        let shown = |path: &str| steps(path, &value).map(|steps| yaml_splice::shown(&steps));
        for (path, found) in [
            (".spec.containers[name=web].image", Some("spec.containers[1].image")),
            (
                ".spec.containers[name=web].ports[containerPort=80,protocol=TCP].name",
                Some("spec.containers[1].ports[0].name"),
            ),
            (".spec.containers[name=new]", Some("spec.containers[2]")),
            (".spec.containers[name=web].args[1]", Some("spec.containers[1].args[1]")),
            (".metadata.annotations[a.b/c]", Some("metadata.annotations[\"a.b/c\"]")),
            (".metadata.labels[a.b/d]", Some("metadata.labels[\"a.b/d\"]")),
            (".metadata.finalizers[y]", Some("metadata.finalizers[1]")),
            (".metadata.annotations[a.b/c].d", None),
            (".spec.list[name=a].x", None),
        ] {
            assert_eq!(shown(path).as_deref(), found, "{path}");
        }
    }
}
