//! The write verbs. Called by the engine alone.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Cluster;
use super::endpoint::{Endpoint, segment};
use super::wire::{Ask, JSON, Reply, Status, Trouble, null_is_default};
use super::{refusal, unknown};
pub use crate::object::normalize::LAST_APPLIED;
use crate::object::{Manifest, Writer};

pub(super) const APPLY_PATCH: &str = "application/apply-patch+yaml";
pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";

/// One object to write.
#[derive(Debug, Clone)]
pub struct Apply<'a> {
    /// Its kind, in the version of the manifest.
    pub at: &'a Endpoint,
    /// The object, namespace filled in.
    pub manifest: &'a Manifest,
    /// Who writes, and how.
    pub writer: &'a Writer,
    /// Take fields from other managers (server-side apply only).
    pub force: bool,
    /// Create where absent, leave alone where present.
    pub create_only: bool,
    /// Unknown and duplicate fields are refused instead of warned of.
    pub strict: bool,
    /// The resource version that the object is known to have, to tell "unchanged" from "configured".
    pub known: Option<&'a str>,
}

/// What the server made of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done(Written),
    /// Not now: the reason, and how long the server asks to wait.
    Retry {
        /// In the server's words, or ours.
        reason: String,
        /// Retry-After.
        after: Option<std::time::Duration>,
    },
    /// No, and it would not help to ask again.
    Refused {
        /// In the server's words, or ours.
        reason: String,
        /// Because of a field that cannot be changed in place: deleting and making anew would do.
        immutable: bool,
    },
    /// For delete and patch: it is not there (any more).
    Gone,
}

/// An object after a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its uid.
    pub uid: String,
    /// `metadata.generation` after the write; 0 for kinds that have none.
    pub generation: i64,
    /// `metadata.resourceVersion` after the write.
    pub resource_version: String,
    /// What the write did.
    pub effect: Effect,
    /// Warnings of the server (unknown fields, deprecated versions, webhooks), in its words.
    pub warnings: Vec<String>,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was not there.
    Created,
    /// It was there. Whether something changed is known only if [`Apply::known`] was given or nothing had to be sent.
    Configured,
    /// It was there and is as it was.
    Unchanged,
    /// It is being deleted; finalizers may hold it for a while.
    Deleted,
}

/// Writes one object: one request, unless [`Writer::ClientSide`] or `create_only` meet an object that is there already.
pub async fn apply(cluster: &Cluster, ask: &Apply<'_>) -> Answer {
    let manifest = without_placeholders(ask.manifest);
    if ask.create_only {
        return create_only(cluster, ask, &manifest).await;
    }
    match ask.writer {
        Writer::ServerSide(manager) => server_side(cluster, ask, &manifest, manager).await,
        Writer::ClientSide(manager) => super::client_side::apply(cluster, ask, &manifest, manager).await,
    }
}

async fn server_side(cluster: &Cluster, ask: &Apply<'_>, manifest: &Value, manager: &str) -> Answer {
    let path = format!(
        "{}?fieldManager={}&force={}&fieldValidation={}",
        ask.at.object(ask.manifest.namespace(), ask.manifest.name()),
        segment(manager),
        ask.force,
        validation(ask.strict)
    );
    let request = |body| Ask::with(Method::PATCH, &*path, APPLY_PATCH, body);
    let (reply, left_out) = unknown::send(cluster, manifest, ask.strict, request).await;
    let mut answer = written(reply, ask.manifest, ask.known);
    if let Answer::Done(written) = &mut answer {
        written.warnings.splice(0..0, left_out);
    }
    answer
}

async fn create_only(cluster: &Cluster, ask: &Apply<'_>, manifest: &Value) -> Answer {
    let reply = match create(cluster, ask, manifest.to_string(), ask.writer.manager()).await {
        Ok(reply) if already_exists(&reply) => reply,
        other => return written(other, ask.manifest, None),
    };
    match cluster
        .get_as::<Head>(ask.at, ask.manifest.namespace(), ask.manifest.name())
        .await
    {
        Ok(Some(head)) => head.metadata.answer(Effect::Unchanged, warnings(&reply.headers)),
        Ok(None) => Answer::Retry {
            reason: "it was deleted a moment ago".to_owned(),
            after: None,
        },
        Err(trouble) => refusal::answer(trouble, &HeaderMap::new(), secret(ask.manifest)),
    }
}

pub(super) async fn create(
    cluster: &Cluster,
    ask: &Apply<'_>,
    body: impl Into<Bytes>,
    manager: &str,
) -> Result<Reply, Trouble> {
    let path = format!(
        "{}?fieldManager={}&fieldValidation={}",
        ask.at.collection(ask.manifest.namespace()),
        segment(manager),
        validation(ask.strict)
    );
    Ok(cluster.send(&Ask::with(Method::POST, path, JSON, body)).await?)
}

/// Whether a create met an object of the same name that is not on its way out.
pub(super) fn already_exists(reply: &Reply) -> bool {
    reply.status == StatusCode::CONFLICT && {
        let status = Status::of(reply);
        status.reason == "AlreadyExists" && !status.message.contains("object is being deleted")
    }
}

/// Merges `patch` into an object (RFC 7386): suspend, resume, annotate.
pub async fn patch_merge(
    cluster: &Cluster,
    at: &Endpoint,
    namespace: Option<&str>,
    name: &str,
    manager: &str,
    patch: &Value,
) -> Answer {
    let path = format!("{}?fieldManager={}", at.object(namespace, name), segment(manager));
    let request = Ask::with(Method::PATCH, path, MERGE_PATCH, patch.to_string());
    let reply = cluster.send(&request).await.map_err(Trouble::from);
    if reply.as_ref().is_ok_and(is_gone) {
        return Answer::Gone;
    }
    answer(reply, at.is_secret().then_some(patch), |_| Effect::Configured)
}

/// Merges `status` into an object's status.
pub async fn patch_status(
    cluster: &Cluster,
    at: &Endpoint,
    namespace: Option<&str>,
    name: &str,
    manager: &str,
    status: &Value,
) -> Answer {
    let path = format!(
        "{}/status?fieldManager={}",
        at.object(namespace, name),
        segment(manager)
    );
    let body = json!({"status": status}).to_string();
    let request = Ask::with(Method::PATCH, path, MERGE_PATCH, body);
    let reply = cluster.send(&request).await.map_err(Trouble::from);
    if reply.as_ref().is_ok_and(is_gone) {
        return Answer::Gone;
    }
    answer(reply, None, |_| Effect::Configured)
}

/// Deletes an object, if it still has this uid. `orphan` leaves what it owns (the Pods of a StatefulSet).
pub async fn delete(
    cluster: &Cluster,
    at: &Endpoint,
    namespace: Option<&str>,
    name: &str,
    uid: &str,
    orphan: bool,
) -> Answer {
    let policy = if orphan { "Orphan" } else { "Background" };
    let body = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": policy,
        "preconditions": {"uid": uid},
    });
    let request = Ask::with(Method::DELETE, at.object(namespace, name), JSON, body.to_string());
    let reply = cluster.send(&request).await;
    if let Ok(reply) = &reply {
        let status = Status::of(reply);
        // Before 1.37: "UID in precondition", from then on: "the UID in the precondition".
        let other = reply.status == StatusCode::CONFLICT
            && status.message.contains("UID in")
            && status.message.contains("precondition");
        if other || is_gone(reply) {
            return Answer::Gone;
        }
        if reply.status.is_success() {
            return Answer::Done(Written {
                uid: uid.to_owned(),
                generation: 0,
                resource_version: String::new(),
                effect: Effect::Deleted,
                warnings: warnings(&reply.headers),
            });
        }
    }
    answer(reply.map_err(Trouble::from), None, |_| Effect::Deleted)
}

/// Whether a reply says that the object, not its kind, is not there.
fn is_gone(reply: &Reply) -> bool {
    reply.status == StatusCode::NOT_FOUND && {
        let status = Status::of(reply);
        status.reason == "NotFound" && !status.details.name.is_empty()
    }
}

pub(super) fn validation(strict: bool) -> &'static str {
    if strict { "Strict" } else { "Warn" }
}

/// An object's head, as far as a write's answer is read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Head {
    pub metadata: HeadMeta,
}

/// The part of `metadata` that says which object it is and how new.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HeadMeta {
    pub uid: String,
    #[serde(deserialize_with = "null_is_default")]
    pub generation: i64,
    pub resource_version: String,
    deletion_timestamp: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    finalizers: Vec<String>,
}

impl HeadMeta {
    /// What a write came to. What was written to an object on its way out goes with it: nothing is restored by that.
    pub fn answer(self, effect: Effect, warnings: Vec<String>) -> Answer {
        if self.deletion_timestamp.is_some() {
            let reason = match self.finalizers.as_slice() {
                [] => "it is being deleted".to_owned(),
                held => format!(
                    "it is being deleted, which waits for its finalizers: {}",
                    held.join(", ")
                ),
            };
            return Answer::Retry { reason, after: None };
        }
        Answer::Done(Written {
            uid: self.uid,
            generation: self.generation,
            resource_version: self.resource_version,
            effect,
            warnings,
        })
    }
}

/// The answer to a write of `manifest`.
pub(super) fn written(reply: Result<Reply, Trouble>, manifest: &Manifest, known: Option<&str>) -> Answer {
    answer(reply, secret(manifest), |head| {
        if known == Some(head.resource_version.as_str()) {
            Effect::Unchanged
        } else {
            Effect::Configured
        }
    })
}

fn answer(reply: Result<Reply, Trouble>, secret: Option<&Value>, effect: impl Fn(&HeadMeta) -> Effect) -> Answer {
    let reply = match reply {
        Ok(reply) => reply,
        Err(trouble) => return refusal::answer(trouble, &HeaderMap::new(), secret),
    };
    match reply.read::<Head>() {
        Ok(Head { metadata }) => {
            let effect = if reply.status == StatusCode::CREATED {
                Effect::Created
            } else {
                effect(&metadata)
            };
            metadata.answer(effect, warnings(&reply.headers))
        }
        Err(trouble) => refusal::answer(trouble, &reply.headers, secret),
    }
}

/// The manifest if it is a Secret: its values must not be passed on in messages.
pub(super) fn secret(manifest: &Manifest) -> Option<&Value> {
    (manifest.group().is_empty() && manifest.kind() == "Secret").then_some(manifest.value())
}

/// The texts of `Warning` headers (RFC 7234: `299 - "text"`), in the order given, each once.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for value in headers.get_all(http::header::WARNING) {
        let Some(text) = value.to_str().ok().and_then(warning) else {
            continue;
        };
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

fn warning(value: &str) -> Option<String> {
    let quoted = value.trim().strip_prefix("299 ")?.split_once('"')?.1;
    let (mut text, mut escaped) = (String::new(), false);
    for c in quoted.chars() {
        match c {
            _ if escaped => {
                escaped = false;
                text.push(c);
            }
            '\\' => escaped = true,
            '"' => return Some(text),
            _ => text.push(c),
        }
    }
    None
}

/// Where a CA bundle stands, by group and kind; `*` is every item of a list.
const BUNDLES: &[(&str, &str, &[&str])] = &[
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        &["webhooks", "*", "clientConfig"],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        &["webhooks", "*", "clientConfig"],
    ),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &["spec", "conversion", "webhook", "clientConfig"],
    ),
    ("apiregistration.k8s.io", "APIService", &["spec"]),
];

/// The manifest without CA bundles that are empty or placeholders: written, they would take a real one's place, which
/// cert-manager or an operator has put there.
pub(super) fn without_placeholders(manifest: &Manifest) -> Cow<'_, Value> {
    let row = BUNDLES
        .iter()
        .find(|(group, kind, _)| *group == manifest.group() && *kind == manifest.kind());
    let Some((_, _, path)) = row else {
        return Cow::Borrowed(manifest.value());
    };
    let mut value = manifest.value().clone();
    drop_placeholder(&mut value, path);
    Cow::Owned(value)
}

fn drop_placeholder(value: &mut Value, path: &[&str]) {
    match (path, value) {
        ([], Value::Object(map)) if map.get("caBundle").is_some_and(|bundle| !is_certificate(bundle)) => {
            map.shift_remove("caBundle");
        }
        (["*", rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|item| drop_placeholder(item, rest)),
        ([key, rest @ ..], Value::Object(map)) => {
            if let Some(inner) = map.get_mut(*key) {
                drop_placeholder(inner, rest);
            }
        }
        _ => {}
    }
}

/// Whether a value is base64 of something with a PEM certificate in it.
fn is_certificate(bundle: &Value) -> bool {
    serde_json::from_value::<k8s_openapi::ByteString>(bundle.clone())
        .is_ok_and(|bytes| String::from_utf8_lossy(&bytes.0).contains("-----BEGIN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read_as_the_server_wrote_them() {
        let mut headers = HeaderMap::new();
        for value in [
            r#"299 - "unknown field \"spec.x\"""#,
            r#"299 - "old""#,
            r#"299 - "old""#,
            "110 - \"stale\"",
            "299 - broken",
        ] {
            headers.append(http::header::WARNING, value.parse().expect("because it is plain text"));
        }
        assert_eq!(warnings(&headers), ["unknown field \"spec.x\"", "old"]);
    }

    #[test]
    fn placeholders_of_ca_bundles_are_not_written() {
        for (group, kind, path) in BUNDLES {
            for (bundle, stays) in [
                ("", false),
                ("Cg==", false),
                ("bm90IGEgY2VydA==", false),
                ("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", true),
            ] {
                let mut value = json!({"caBundle": bundle, "service": {}});
                for key in path.iter().rev() {
                    value = if *key == "*" {
                        json!([value])
                    } else {
                        json!({*key: value})
                    };
                }
                let map = value.as_object_mut().expect("because every path begins with a key");
                map.insert("apiVersion".into(), format!("{group}/v1").into());
                map.insert("kind".into(), (*kind).into());
                map.insert("metadata".into(), json!({"name": "x"}));
                let manifest = Manifest::new(value).expect("because it is complete");
                let written = without_placeholders(&manifest).to_string();
                assert_eq!(written.contains("caBundle"), stays, "{kind} {bundle:?}");
                assert!(written.contains("service"));
            }
        }
        let other =
            Manifest::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "caBundle": ""}));
        let other = other.expect("because it is complete");
        assert!(matches!(without_placeholders(&other), Cow::Borrowed(_)));
    }
}
