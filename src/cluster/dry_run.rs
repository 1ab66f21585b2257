//! What applying would do to an object that is there, asked of the server itself (`dryRun=All`).

use http::Method;
use serde_json::Value;

use super::Cluster;
use super::client_side;
use super::endpoint::{Endpoint, segment};
use super::wire::{Ask, Status, Trouble};
use super::write;
use super::{refusal, refusal::Verdict, unknown};
use crate::object::{Declared, ExistingChange, Writer};

/// Fields named of one object; more are left out.
const FIELDS: usize = 50;

impl Cluster {
    /// What would change; `None` where the server cannot say (a webhook without dry run, no answer).
    pub(super) async fn would_change(&self, at: &Endpoint, declared: &Declared) -> Option<ExistingChange> {
        let manifest = &declared.manifest;
        let path = at.object(declared.id.namespace.as_deref(), &declared.id.name);
        let live: Value = self.read(&Ask::get(&*path)).await.ok()?;
        let wanted = write::without_placeholders(manifest);
        let manager = segment(declared.writer.manager());
        let answer = match &declared.writer {
            Writer::ServerSide(_) => {
                let path = format!("{path}?dryRun=All&fieldManager={manager}&force=false");
                let ask = |body| Ask::with(Method::PATCH, &*path, write::APPLY_PATCH, body);
                let (reply, _) = unknown::send(self, &wanted, false, ask).await;
                reply.and_then(|reply| reply.read::<Value>())
            }
            Writer::ClientSide(_) => {
                let strategic = client_side::is_strategic(manifest.group());
                let patch = client_side::patch(&client_side::with_last_applied(&wanted), &live, strategic);
                if patch.as_object().is_some_and(serde_json::Map::is_empty) {
                    return Some(ExistingChange::None);
                }
                let path = format!("{path}?dryRun=All&fieldManager={manager}");
                let form = client_side::form(strategic);
                self.read(&Ask::with(Method::PATCH, path, form, patch.to_string()))
                    .await
            }
        };
        match answer {
            Ok(then) => {
                let fields = changed(&live, &then);
                Some(if fields.is_empty() {
                    ExistingChange::None
                } else {
                    ExistingChange::Fields(fields)
                })
            }
            Err(Trouble::Refused(status)) => refused(&status, write::secret(manifest)),
            Err(Trouble::Broken(_)) => None,
        }
    }
}

fn refused(status: &Status, secret: Option<&Value>) -> Option<ExistingChange> {
    let overrides = overrides(status);
    if !overrides.is_empty() {
        return Some(ExistingChange::Overrides(overrides));
    }
    // "admission webhook … does not support dry run": nothing is known.
    if refusal::verdict(status) == Verdict::Retry || status.message.contains("dry run") {
        return None;
    }
    Some(ExistingChange::Refused(refusal::words(status, secret)))
}

/// (manager, field) of each conflict of a server-side apply without force.
fn overrides(status: &Status) -> Vec<(String, String)> {
    let causes = status
        .details
        .causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict");
    let mut all: Vec<_> = causes
        .map(|cause| {
            // `conflict with "kubectl" using apps/v1`, or with more after it (a time, a subresource).
            let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message);
            (manager.to_owned(), cause.field.clone())
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Paths of the fields that differ, sorted, without those that every write changes.
fn changed(live: &Value, then: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    differing(live, then, &mut String::new(), &mut paths);
    paths.sort();
    paths.truncate(FIELDS);
    paths
}

/// Changed by every write, or by nobody's wish.
const OF_THE_SERVER: &[&str] = &[
    ".metadata.managedFields",
    ".metadata.resourceVersion",
    ".metadata.generation",
    ".metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]",
    ".status",
];

fn differing(a: &Value, b: &Value, path: &mut String, paths: &mut Vec<String>) {
    if a == b || OF_THE_SERVER.contains(&path.as_str()) {
        return;
    }
    let length = path.len();
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let only_b = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(only_b) {
                let plain = key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
                path.push_str(&if plain { format!(".{key}") } else { format!("[{key:?}]") });
                let null = Value::Null;
                differing(a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null), path, paths);
                path.truncate(length);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                path.push_str(&format!("[{index}]"));
                differing(a, b, path, paths);
                path.truncate(length);
            }
        }
        _ => paths.push(path.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::wire::{Cause, Details};
    use serde_json::json;

    #[test]
    fn fields_are_named_and_never_their_values() {
        let live = json!({"metadata": {"resourceVersion": "1", "labels": {"a": "1"}}, "data": {"tls.crt": "x", "b": "1"}, "list": [{"a": 1}, 2], "status": {"x": 1}});
        let then = json!({"metadata": {"resourceVersion": "2", "managedFields": [], "labels": {"a": "2"}}, "data": {"tls.crt": "y", "b": "1"}, "list": [{"a": 2}, 2], "spec": {}});
        assert_eq!(
            changed(&live, &then),
            [".data[\"tls.crt\"]", ".list[0].a", ".metadata.labels.a", ".spec"]
        );
        assert!(changed(&live, &live).is_empty());
    }

    #[test]
    fn conflicts_name_manager_and_field() {
        let cause = |message: &str| Cause {
            reason: "FieldManagerConflict".into(),
            message: message.into(),
            field: ".spec.replicas".into(),
        };
        let causes = vec![
            cause("conflict with \"kubectl\" using apps/v1"),
            cause("conflict with \"helm\""),
        ];
        let status = Status {
            code: 409,
            details: Details {
                causes,
                ..Details::default()
            },
            ..Status::default()
        };
        let field = || ".spec.replicas".to_owned();
        assert_eq!(
            refused(&status, None),
            Some(ExistingChange::Overrides(vec![
                ("helm".into(), field()),
                ("kubectl".into(), field())
            ]))
        );
    }
}
