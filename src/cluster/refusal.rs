//! What a refusal means: try again, or not.

use std::time::Duration;

use http::{HeaderMap, header};
use serde_json::Value;

use super::wire::{Break, Broken, Status, Trouble};
use super::write::Answer;

/// What to do about an answer that is none of the good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The cluster is still waking, or busy.
    Retry,
    /// It will not change its mind.
    Refuse,
    /// It will not change its mind, but would take the object if it were made anew.
    Immutable,
}
use Verdict::{Immutable, Refuse, Retry};

/// One rule; the first that fits decides. `code` 0 fits any, `reason` and `says` "" fit any.
struct Row {
    code: u16,
    reason: &'static str,
    /// Part of the message, in lower case.
    says: &'static str,
    verdict: Verdict,
    /// A message as servers give it, on which the row fires.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests' example"))]
    example: &'static str,
}

const fn row(code: u16, reason: &'static str, says: &'static str, verdict: Verdict, example: &'static str) -> Row {
    Row {
        code,
        reason,
        says,
        verdict,
        example,
    }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // A cluster that is still waking.
    row(403, "", "status unknown for quota", Retry, r#"pods "web" is forbidden: status unknown for quota: team, resources: pods"#),
    row(403, "", "error looking up service account", Retry, r#"pods "web" is forbidden: error looking up service account shop/default: serviceaccount "default" not found"#),
    row(403, "", "not yet ready to handle request", Retry, r#"deployments.apps "web" is forbidden: not yet ready to handle request"#),
    row(403, "", "no api token found for service account", Retry, r#"pods "web" is forbidden: no API token found for service account "default", retry after the token is automatically created"#),
    row(404, "", "the server could not find the requested resource", Retry, "the server could not find the requested resource"),
    row(404, "", "404 page not found", Retry, "404 page not found"),
    // Webhooks: an answer of theirs stands, no answer passes.
    row(0, "", "denied the request", Refuse, r#"admission webhook "policy.bank.example" denied the request: no"#),
    row(0, "", "failed calling webhook", Retry, r#"Internal error occurred: failed calling webhook "policy.bank.example": failed to call webhook: Post "https://policy.bank.svc:443/?timeout=10s": dial tcp 10.0.0.9:443: connect: connection refused"#),
    row(0, "", "conversion webhook for", Retry, r#"conversion webhook for stable.example.com/v1, Kind=Cron failed: Post "https://c.x.svc:443/convert?timeout=30s": no endpoints available for service "c""#),
    row(0, "", "no endpoints available for service", Retry, r#"no endpoints available for service "policy""#),
    // What holds the name, or the version.
    row(409, "", "object is being deleted", Retry, r#"object is being deleted: configmaps "web" already exists"#),
    row(409, "", "the object has been modified", Retry, r#"Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again"#),
    row(409, "", "please apply your changes to the latest version", Retry, "please apply your changes to the latest version and try again"),
    row(409, "", "operation cannot be fulfilled on resourcequotas", Retry, r#"Operation cannot be fulfilled on resourcequotas "team": StorageError: invalid object"#),
    row(409, "Conflict", "conflict with", Refuse, r#"Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas"#),
    row(409, "", "", Refuse, r#"configmaps "web" already exists"#),
    // Fields that cannot be changed in place.
    row(422, "", "is immutable", Immutable, r#"Service "web" is invalid: spec.loadBalancerClass: Invalid value: "b": field is immutable"#),
    row(422, "", "updates to statefulset spec", Immutable, r#"StatefulSet.apps "db" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy' are forbidden"#),
    row(422, "", "may not change once set", Immutable, r#"Service "web" is invalid: spec.clusterIPs[0]: Invalid value: ["10.0.0.7"]: may not change once set"#),
    row(422, "", "may not be changed", Immutable, r#"PriorityClass.scheduling.k8s.io "high" is invalid: value: Forbidden: may not be changed in an update."#),
    row(422, "", "updates to parameters are forbidden", Immutable, r#"StorageClass.storage.k8s.io "fast" is invalid: parameters: Forbidden: updates to parameters are forbidden."#),
    row(422, "", "updates to provisioner are forbidden", Immutable, r#"StorageClass.storage.k8s.io "fast" is invalid: provisioner: Forbidden: updates to provisioner are forbidden."#),
    row(422, "", "pod updates may not change fields", Immutable, r#"Pod "web" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"#),
    row(422, "", "cannot change roleref", Immutable, r#"RoleBinding.rbac.authorization.k8s.io "web" is invalid: roleRef: Invalid value: {"kind":"Role","name":"b"}: cannot change roleRef"#),
    // Server-side apply answers 500 where the manifest itself is wrong.
    row(500, "", "failed to create typed patch object", Refuse, "failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or float), got string"),
    row(500, "", "failed to create manager for existing fields", Refuse, "failed to create manager for existing fields: failed to convert new object (shop/web; apps/v1, Kind=Deployment) to smd typed: .spec.x: field not declared in schema"),
    row(500, "", "failed to convert new object", Refuse, "failed to convert new object (/db; /v1, Kind=Secret) to proper version: unable to convert unstructured object to /v1, Kind=Secret: error decoding from json: illegal base64 data at input byte 0"),
    // The server is busy, restarting, or has lost its store for a moment.
    row(408, "", "", Retry, "request timeout"),
    row(429, "", "", Retry, "Too many requests, please try again later."),
    row(501, "", "", Refuse, "not implemented"),
    row(500, "", "etcdserver: request is too large", Refuse, "etcdserver: request is too large"),
    row(500, "", "", Retry, "etcdserver: leader changed"),
    row(502, "", "", Retry, "Bad Gateway"),
    row(503, "", "", Retry, "apiserver is shutting down"),
    row(504, "", "", Retry, "Timeout: request did not complete within requested timeout - context deadline exceeded"),
];

/// What a failed request to write `kind` amounts to. For Secrets nothing that may be a value is passed on.
pub(super) fn answer(trouble: Trouble, headers: &HeaderMap, secret: Option<&Value>) -> Answer {
    match trouble {
        Trouble::Broken(broken) => broken_answer(broken),
        Trouble::Refused(status) => {
            let verdict = verdict(&status);
            let reason = words(&status, secret);
            if verdict == Retry {
                let after = after(headers, &status);
                return Answer::Retry { reason, after };
            }
            Answer::Refused {
                reason,
                immutable: verdict == Immutable,
            }
        }
    }
}

fn broken_answer(broken: Broken) -> Answer {
    match broken.at {
        // A wrong certificate stays wrong, and so do missing credentials: the run would wait for nothing.
        Break::Certificate | Break::Login => Answer::Refused {
            reason: broken.text,
            immutable: false,
        },
        _ => Answer::Retry {
            reason: broken.text,
            after: None,
        },
    }
}

pub(super) fn verdict(status: &Status) -> Verdict {
    let message = status.message.to_lowercase();
    ROWS.iter()
        .find(|row| row.fits(status, &message))
        .map_or(Refuse, |row| row.verdict)
}

impl Row {
    fn fits(&self, status: &Status, message: &str) -> bool {
        (self.code == 0 || self.code == status.code)
            && (self.reason.is_empty() || self.reason == status.reason)
            && message.contains(self.says)
    }
}

/// How long the server asks to wait: the Retry-After header in seconds, else `details.retryAfterSeconds`.
fn after(headers: &HeaderMap, status: &Status) -> Option<Duration> {
    let header = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let seconds = header
        .or(Some(status.details.retry_after_seconds))
        .filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs)
}

/// How much of a message is passed on at its beginning and its end, in characters.
const LONGEST: usize = 600;

/// The server's words, shortened. Of a Secret's refusal nothing remains that could be a value.
pub(super) fn words(status: &Status, secret: Option<&Value>) -> String {
    // A diff of the whole spec may follow.
    let text = status.message.split("\n@@").next().unwrap_or_default().trim();
    let text = match secret {
        Some(secret) => masked(text, secret),
        None => without_long_values(text),
    };
    let count = text.chars().count();
    if count == 0 {
        return format!("the server answered {}", status.code);
    }
    if count <= 2 * LONGEST {
        return text;
    }
    // The cause is at the end.
    let start: String = text.chars().take(LONGEST).collect();
    let end: String = text.chars().skip(count - LONGEST).collect();
    format!("{start} … {end}")
}

/// The message with JSON values longer than 80 bytes left out: of a Job the server quotes the whole template.
fn without_long_values(text: &str) -> String {
    const OPENING: &str = "Invalid value: ";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPENING) {
        let (before, after) = rest.split_at(at + OPENING.len());
        out.push_str(before);
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<serde::de::IgnoredAny>();
        let length = values.next().and_then(Result::ok).map_or(0, |_| values.byte_offset());
        if length > 80 {
            out.push('…');
            rest = &after[length..];
        } else {
            rest = after;
        }
    }
    out + rest
}

/// A message about a Secret with everything replaced that may be its content: the values themselves, in either encoding,
/// and whatever the server quotes as a value (`Invalid value: "…"`, `got &value.valueUnstructured{…}`).
fn masked(text: &str, secret: &Value) -> String {
    let mut values = Vec::new();
    // A mistyped field (`stringdata`) holds values too.
    let open = ["apiVersion", "kind", "metadata", "type", "immutable"];
    let parts = secret.as_object().into_iter().flatten();
    for (_, part) in parts.filter(|(name, _)| !open.contains(&name.as_str())) {
        leaves(part, &mut values);
    }
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let mut out = text.to_owned();
    for value in values.iter().filter(|value| value.len() >= 3) {
        out = out.replace(value.as_str(), "(hidden)");
        // As Go's %q and JSON write it.
        let quoted = Value::from(value.as_str()).to_string();
        out = out.replace(quoted.trim_matches('"'), "(hidden)");
    }
    for opening in [
        "Invalid value: ",
        ", got ",
        "Unsupported value: ",
        "Duplicate value: ",
        "found in ",
    ] {
        let mut done = String::new();
        let mut rest = out.as_str();
        while let Some(at) = rest.find(opening) {
            let (before, after) = rest.split_at(at + opening.len());
            done.push_str(before);
            done.push_str("(hidden)");
            // What follows a value is ": reason"; a value that holds that too is hidden up to its last one.
            rest = after.rfind(": ").map_or("", |end| &after[end..]);
        }
        done.push_str(rest);
        out = done;
    }
    out
}

fn leaves(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, into)),
        Value::Null => {}
        Value::String(text) => {
            let decoded = serde_json::from_value::<k8s_openapi::ByteString>(value.clone()).ok();
            if let Some(decoded) = decoded.and_then(|bytes| String::from_utf8(bytes.0).ok()) {
                into.push(decoded);
            }
            into.push(text.clone());
        }
        Value::Bool(_) | Value::Number(_) => into.push(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(code: u16, reason: &str, message: &str) -> Status {
        Status {
            code,
            reason: reason.into(),
            message: message.into(),
            ..Status::default()
        }
    }

    #[test]
    fn every_row_fires_on_its_example() {
        for (index, row) in ROWS.iter().enumerate() {
            let code = if row.code == 0 { 500 } else { row.code };
            let status = status(code, row.reason, row.example);
            let message = row.example.to_lowercase();
            let first = ROWS.iter().position(|row| row.fits(&status, &message));
            assert_eq!(first, Some(index), "{} {}", row.code, row.example);
        }
    }

    #[test]
    fn what_no_row_knows_is_refused() {
        for (code, message) in [
            (400, "strict decoding error: unknown field \"spec.x\""),
            (401, "Unauthorized"),
            (
                403,
                "configmaps is forbidden: User \"viewer\" cannot create resource \"configmaps\"",
            ),
            (403, "pods \"x\" is forbidden: exceeded quota: team"),
            (
                403,
                "configmaps \"x\" is forbidden: unable to create new content in namespace shop because it is being terminated",
            ),
            (404, "namespaces \"shop\" not found"),
            (405, "the server does not allow this method on the requested resource"),
            (413, "Request entity too large: limit is 3145728"),
            (
                422,
                "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            ),
        ] {
            assert_eq!(verdict(&status(code, "", message)), Refuse, "{code} {message}");
        }
    }

    #[test]
    fn the_servers_wish_to_wait_is_heard() {
        let mut headers = HeaderMap::new();
        let mut busy = status(429, "TooManyRequests", "busy");
        assert_eq!(after(&headers, &busy), None);
        busy.details.retry_after_seconds = 7;
        assert_eq!(after(&headers, &busy), Some(Duration::from_secs(7)));
        headers.insert(header::RETRY_AFTER, http::HeaderValue::from_static("2"));
        assert_eq!(after(&headers, &busy), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_secrets_values_are_never_passed_on() {
        let secret = json!({"data": {"password": "Y2FuYXJ5", "pin": 123_456}, "stringData": {"key": "line\nbreak"}, "stringdata": {"k": "typed wrong"}});
        for (message, expected) in [
            (
                r#"Secret "db" is invalid: data[password]: Invalid value: "Y2FuYXJ5": bad"#,
                r#"Secret "db" is invalid: data[password]: Invalid value: (hidden): bad"#,
            ),
            (
                "failed to create typed patch object (shop/db; /v1, Kind=Secret): .data.pin: expected string, got &value.valueUnstructured{Value:123456}",
                "failed to create typed patch object (shop/db; /v1, Kind=Secret): .data.pin: expected string, got (hidden)",
            ),
            (
                "webhook says canary and line\\nbreak and typed wrong",
                "webhook says (hidden) and (hidden) and (hidden)",
            ),
        ] {
            assert_eq!(words(&status(422, "", message), Some(&secret)), expected);
        }
        let live = r#"The request is invalid: patch: Invalid value: "{\"data\":{\"a\":\"live: canary\"}}": illegal base64 data"#;
        assert_eq!(
            words(&status(422, "", live), Some(&secret)),
            "The request is invalid: patch: Invalid value: (hidden): illegal base64 data"
        );
    }

    #[test]
    fn long_messages_keep_their_cause() {
        let value = json!({"spec": "x".repeat(100)});
        let message = format!("Job \"a\" is invalid: spec.template: Invalid value: {value}: field is immutable");
        let short = "Job \"a\" is invalid: spec.template: Invalid value: …: field is immutable";
        assert_eq!(words(&status(422, "", &message), None), short);
        assert_eq!(
            words(&status(422, "", "spec is immutable\n@@ -1 +1 @@\n+x"), None),
            "spec is immutable"
        );
        let long = words(&status(422, "", &format!("{}end", "ä".repeat(5000))), None);
        assert!(long.ends_with("ääend") && long.chars().count() == 1203);
        assert_eq!(words(&status(422, "", "  "), None), "the server answered 422");
    }
}
