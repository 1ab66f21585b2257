//! Writing as `kubectl apply` does: what was applied is kept in an annotation, changes are a patch between that, the
//! manifest and the live object. For repositories whose own tool works so (Jenkins X): it then finds what it expects.

use std::fmt::Write as _;

use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use super::Cluster;
use super::endpoint::segment;
use super::wire::{Ask, Trouble};
use super::write::{self, Answer, Apply, Effect, Head, LAST_APPLIED};
use super::{merge, refusal};

const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";

/// Groups whose kinds know strategic merge patch: those compiled into both kubectl and the API server. Custom resources do not.
const STRATEGIC_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

pub(super) async fn apply(cluster: &Cluster, ask: &Apply<'_>, manifest: &Value, manager: &str) -> Answer {
    let wanted = with_last_applied(manifest);
    match write::create(cluster, ask, wanted.to_string(), manager).await {
        Ok(reply) if write::already_exists(&reply) => {}
        other => return write::written(other, ask.manifest, None),
    }
    let (namespace, name) = (ask.manifest.namespace(), ask.manifest.name());
    let live = match cluster.get_as::<Value>(ask.at, namespace, name).await {
        Ok(Some(live)) => live,
        Ok(None) => {
            let reason = "it was deleted a moment ago".to_owned();
            return Answer::Retry { reason, after: None };
        }
        Err(trouble) => return refusal::answer(trouble, &HeaderMap::new(), write::secret(ask.manifest)),
    };
    let strategic = is_strategic(ask.manifest.group());
    let patch = patch(&wanted, &live, strategic);
    let head: Head = serde_json::from_value(live).unwrap_or_default();
    if patch.as_object().is_some_and(Map::is_empty) {
        return head.metadata.answer(Effect::Unchanged, Vec::new());
    }
    let path = format!(
        "{}?fieldManager={}&fieldValidation={}",
        ask.at.object(namespace, name),
        segment(manager),
        write::validation(ask.strict)
    );
    let reply = cluster
        .send(&Ask::with(Method::PATCH, path, form(strategic), patch.to_string()))
        .await;
    write::written(
        reply.map_err(Trouble::from),
        ask.manifest,
        Some(&head.metadata.resource_version),
    )
}

/// Whether a group's kinds are patched strategically.
pub(super) fn is_strategic(group: &str) -> bool {
    STRATEGIC_GROUPS.contains(&group)
}

/// `Content-Type` of a patch.
pub(super) fn form(strategic: bool) -> &'static str {
    if strategic { STRATEGIC_PATCH } else { write::MERGE_PATCH }
}

/// The patch that `kubectl apply` would send for an object that is there.
pub(super) fn patch(wanted: &Value, live: &Value, strategic: bool) -> Value {
    let before = live
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(LAST_APPLIED));
    let before = before.and_then(|text| serde_json::from_str::<Value>(text.as_str()?).ok());
    merge::three_way(before.as_ref(), wanted, live, strategic)
}

/// The manifest with the annotation that repeats it, as kubectl makes it.
pub(super) fn with_last_applied(manifest: &Value) -> Value {
    let mut plain = manifest.clone();
    // kubectl's copy has an annotations mapping, be it empty, and never holds itself.
    if let Some(annotations) = annotations(&mut plain) {
        annotations.shift_remove(LAST_APPLIED);
    }
    let mut text = String::new();
    go_json(&plain, &mut text);
    text.push('\n');
    if let Some(annotations) = annotations(&mut plain) {
        annotations.insert(LAST_APPLIED.to_owned(), text.into());
    }
    plain
}

fn annotations(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.entry("annotations").or_insert_with(|| Map::new().into());
    if annotations.is_null() {
        *annotations = Map::new().into();
    }
    annotations.as_object_mut()
}

/// JSON as Go's `encoding/json` writes it: keys sorted, `<`, `>` and `&` escaped.
fn go_json(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                go_text(key, out);
                out.push(':');
                go_json(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                go_json(item, out);
            }
            out.push(']');
        }
        Value::String(text) => go_text(text, out),
        // Writing to a String cannot fail.
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn go_text(text: &str, out: &mut String) {
    for c in Value::from(text).to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_annotation_is_kubectls() {
        let manifest = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"namespace": "shop", "name": "web"}, "data": {"b": "x<y & z", "a": "1"}});
        let text = r#"{"apiVersion":"v1","data":{"a":"1","b":"x\u003cy \u0026 z"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"web","namespace":"shop"}}"#;
        let once = with_last_applied(&manifest);
        assert_eq!(once["metadata"]["annotations"][LAST_APPLIED], format!("{text}\n"));
        assert_eq!(with_last_applied(&once), once, "because it does not hold itself");
    }
}
