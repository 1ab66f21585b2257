//! Fields that the server does not know.
//!
//! A create or update with `fieldValidation=Warn` drops them and warns. Server-side apply refuses the whole object instead
//! ("field not declared in schema", HTTP 500), whatever the validation, and names one field of each mapping at a time. So
//! they are taken out here, one refusal after the other, and warned of in the same words.

use serde_json::Value;

use super::Cluster;
use super::wire::{Ask, Reply, Status, Trouble};

/// Refusals that are worked off for one object; each names at least one field.
const ROUNDS: usize = 20;
const UNKNOWN: &str = ": field not declared in schema";

/// Sends a server-side apply; unless `strict`, without the fields that the server does not know. Gives the last answer and
/// a warning for each field that was left out.
pub(super) async fn send(
    cluster: &Cluster,
    manifest: &Value,
    strict: bool,
    ask: impl Fn(String) -> Ask,
) -> (Result<Reply, Trouble>, Vec<String>) {
    let mut reply = cluster.send(&ask(manifest.to_string())).await;
    let mut warnings = Vec::new();
    let mut known: Option<Value> = None;
    for _ in 0..ROUNDS {
        let Ok(answer) = &reply else { break };
        if strict || answer.status.is_success() {
            break;
        }
        let message = Status::of(answer).message;
        if !message.contains(UNKNOWN) {
            break;
        }
        let known = known.get_or_insert_with(|| manifest.clone());
        let removed = remove(known, &message);
        if removed.is_empty() {
            break;
        }
        warnings.extend(removed);
        reply = cluster.send(&ask(known.to_string())).await;
    }
    (reply.map_err(Trouble::from), warnings)
}

/// Takes out the fields that a refusal names; gives a warning for each.
fn remove(object: &mut Value, message: &str) -> Vec<String> {
    let mut removed = Vec::new();
    for (before, _) in message.match_indices(UNKNOWN).map(|(at, _)| message.split_at(at)) {
        // A path begins after the message's head or on a line of its own; values of keys may hold spaces.
        let start = before.rfind("\n  .").map(|at| at + 3);
        let start = start.or_else(|| before.rfind("): .").map(|at| at + 3));
        let Some(path) = start.map(|at| &before[at..]) else {
            continue;
        };
        let field = steps(path).filter(|steps| remove_at(object, steps));
        if field.is_some() {
            removed.push(format!("unknown field {:?}", path.trim_start_matches('.')));
        }
    }
    removed
}

/// One step of a path as structured-merge-diff prints it.
#[derive(Debug, PartialEq)]
enum Step {
    /// `.name`
    Field(String),
    /// `[3]`
    Index(usize),
    /// `[name="web"]`, `[port=80,protocol="TCP"]`
    Keys(Vec<(String, Value)>),
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            steps.push(Step::Field(after[..end].to_owned()));
            rest = &after[end..];
            continue;
        }
        let mut after = rest.strip_prefix('[')?;
        if let Some((index, behind)) = after.split_once(']')
            && let Ok(index) = index.parse()
        {
            steps.push(Step::Index(index));
            rest = behind;
            continue;
        }
        let mut keys = Vec::new();
        loop {
            let (key, behind) = after.split_once('=')?;
            let mut values = serde_json::Deserializer::from_str(behind).into_iter::<Value>();
            keys.push((key.to_owned(), values.next()?.ok()?));
            after = &behind[values.byte_offset()..];
            if let Some(behind) = after.strip_prefix(']') {
                rest = behind;
                break;
            }
            after = after.strip_prefix(',')?;
        }
        steps.push(Step::Keys(keys));
    }
    Some(steps)
}

fn remove_at(value: &mut Value, steps: &[Step]) -> bool {
    match (steps, value) {
        ([Step::Field(name)], Value::Object(map)) => map.shift_remove(name).is_some(),
        ([Step::Field(name), rest @ ..], Value::Object(map)) => {
            map.get_mut(name).is_some_and(|inner| remove_at(inner, rest))
        }
        ([Step::Index(index), rest @ ..], Value::Array(items)) => {
            items.get_mut(*index).is_some_and(|inner| remove_at(inner, rest))
        }
        ([Step::Keys(keys), rest @ ..], Value::Array(items)) => {
            // A key that an item leaves out has its default (`protocol` of a port).
            let fits = |item: &Value| {
                keys.iter()
                    .all(|(key, value)| item.get(key).is_none_or(|held| held == value))
            };
            let found = items.iter_mut().find(|item| fits(item));
            found.is_some_and(|inner| remove_at(inner, rest))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_fields_that_are_named_are_taken_out() {
        let mut pod = json!({"spec": {
            "containers": [{"name": "c", "foo": 1, "ports": [{"containerPort": 80, "foo": 1}]}, {"name": "b.[=", "foo": 1}],
            "tolerations": [{"foo": 1}],
        }});
        let message = "failed to create typed patch object (t1/q; /v1, Kind=Pod): errors:\n  \
            .spec.containers[name=\"c\"].foo: field not declared in schema\n  \
            .spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].foo: field not declared in schema\n  \
            .spec.containers[name=\"b.[=\"].foo: field not declared in schema\n  \
            .spec.tolerations[0].foo: field not declared in schema";
        assert_eq!(
            remove(&mut pod, message),
            [
                "unknown field \"spec.containers[name=\\\"c\\\"].foo\"",
                "unknown field \"spec.containers[name=\\\"c\\\"].ports[containerPort=80,protocol=\\\"TCP\\\"].foo\"",
                "unknown field \"spec.containers[name=\\\"b.[=\\\"].foo\"",
                "unknown field \"spec.tolerations[0].foo\"",
            ]
        );
        assert!(!pod.to_string().contains("foo"));
        let mut map = json!({"dat": 1, "data": {}});
        let one = "failed to create typed patch object (t1/q; /v1, Kind=ConfigMap): .dat: field not declared in schema";
        assert_eq!(remove(&mut map, one), ["unknown field \"dat\""]);
        assert!(
            remove(&mut map, one).is_empty(),
            "because it is gone, and asking again would not help"
        );
    }
}
