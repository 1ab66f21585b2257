//! Places in a value.

use serde_json::Value;

use super::rng::Rng;

/// A key or an index on the way to a place.
#[derive(Debug, Clone)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// All places in a value, the top excepted.
pub fn all(value: &Value) -> Vec<Vec<Step>> {
    fn walk(value: &Value, here: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
        let children: Vec<(Step, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect(),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .map(|(at, value)| (Step::Index(at), value))
                .collect(),
            _ => Vec::new(),
        };
        for (step, child) in children {
            here.push(step);
            found.push(here.clone());
            walk(child, here, found);
            here.pop();
        }
    }
    let mut found = Vec::new();
    walk(value, &mut Vec::new(), &mut found);
    found
}

/// What is at a place.
pub fn at<'a>(value: &'a mut Value, place: &[Step]) -> Option<&'a mut Value> {
    place.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(at) => value.get_mut(at),
    })
}

/// Takes a place out of a value.
pub fn remove(value: &mut Value, place: &[Step]) {
    let Some((last, parent)) = place.split_last() else {
        return;
    };
    match (at(value, parent), last) {
        (Some(Value::Object(map)), Step::Key(key)) => drop(map.shift_remove(key)),
        (Some(Value::Array(list)), Step::Index(at)) if *at < list.len() => drop(list.remove(*at)),
        _ => {}
    }
}

/// A place as JSON 6902 writes it.
pub fn pointer(place: &[Step]) -> String {
    let part = |step: &Step| match step {
        Step::Key(key) => key.replace('~', "~0").replace('/', "~1"),
        Step::Index(at) => at.to_string(),
    };
    place.iter().map(|step| format!("/{}", part(step))).collect()
}

/// A place as replacements write it; items of lists by name, now and then.
pub fn field_path(rng: &mut Rng, value: &Value, place: &[Step]) -> String {
    let mut here = value;
    let mut parts = Vec::new();
    for step in place {
        let next = match step {
            Step::Key(key) => &here[key.as_str()],
            Step::Index(at) => &here[*at],
        };
        parts.push(match step {
            Step::Key(key) if key.contains('.') => format!("[{key}]"),
            Step::Key(key) => key.clone(),
            Step::Index(_) if rng.chance(10) => "*".to_owned(),
            Step::Index(at) => match next["name"].as_str() {
                Some(name) if rng.chance(70) => format!("[name={name}]"),
                _ => at.to_string(),
            },
        });
        here = next;
    }
    parts.join(".")
}

/// Whether a place is the `kind` or `apiVersion` of an object.
pub fn is_type(place: &[Step]) -> bool {
    matches!(place, [Step::Key(key)] if key == "kind" || key == "apiVersion")
}
