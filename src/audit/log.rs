//! The audit log of an API server: who changed what, as far as findings need it; never values.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::tools::{self, By};

/// The largest number of requests kept of one object: the first, and the last ones.
const KEPT: usize = 64;
/// The largest number of bad lines that are named one by one.
const NAMED: usize = 5;
/// How deep fields of a request are looked into.
const DEPTH: usize = 12;

/// What a log is kept by: API group, resource in the plural, namespace ("" for cluster-scoped), name ("" for a whole collection).
type Key = (String, String, String, String);

/// The changes that a log tells of.
#[derive(Debug, Clone, Default)]
pub struct Log {
    changes: BTreeMap<Key, Vec<Request>>,
    /// Lines read.
    pub lines: usize,
    /// Times of the first and the last request, RFC 3339; `None` for a log without any.
    pub span: Option<(String, String)>,
    /// What is wrong with the log: file, line and what it means.
    pub problems: Vec<String>,
}

/// A request that changed an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// Who sent it.
    pub user: String,
    /// As whom, where it acted for somebody else.
    pub acting_as: Option<String>,
    /// First source address.
    pub from: Option<String>,
    /// When it was received, RFC 3339.
    pub time: String,
    /// Field manager: as given in the request, else as the server makes it of the user agent.
    pub manager: String,
    /// The first word of the user agent.
    pub agent: String,
    /// Paths of the fields that the request sent, where the log has the request's body.
    pub touched: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    api_version: Option<String>,
    stage: Option<String>,
    #[serde(rename = "requestURI", default)]
    uri: String,
    #[serde(default)]
    verb: String,
    #[serde(default)]
    user: User,
    impersonated_user: Option<User>,
    #[serde(rename = "sourceIPs", default)]
    source_ips: Vec<String>,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<Reference>,
    response_status: Option<Status>,
    request_object: Option<Value>,
    #[serde(default)]
    request_received_timestamp: String,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reference {
    resource: String,
    namespace: String,
    name: String,
    api_group: String,
    subresource: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl Log {
    /// Reads the lines of a file: events of `audit.k8s.io/v1`, one a line. May be called for several files, oldest first or not.
    ///
    /// Lines that are no events are counted in [`problems`](Self::problems), and so is a last line that is cut off; the rest counts.
    /// A read error ends the file.
    pub fn read(&mut self, file: &str, lines: impl Iterator<Item = std::io::Result<String>>) {
        let mut bad: Vec<usize> = Vec::new();
        let mut number = 0;
        for line in lines {
            number += 1;
            match line {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    self.lines += 1;
                    if !self.line(&line) {
                        bad.push(number);
                    }
                }
                Err(error) => {
                    self.problems.push(format!(
                        "{file}:{number}: the log ends here: {error}; later changes are not known"
                    ));
                    break;
                }
            }
        }
        if bad.last() == Some(&number) && bad.len() == 1 {
            self.problems.push(format!(
                "{file}:{number}: the last line is cut off or no audit event; what came after it is not known"
            ));
        } else if !bad.is_empty() {
            let named: Vec<String> = bad.iter().take(NAMED).map(usize::to_string).collect();
            let more = if bad.len() > NAMED { ", …" } else { "" };
            self.problems.push(format!(
                "{file}: {} of {number} lines are no audit events and were left out: {}{more}",
                bad.len(),
                named.join(", ")
            ));
        }
    }

    /// Whether it is an event.
    fn line(&mut self, line: &str) -> bool {
        let Ok(event) = serde_json::from_str::<Event>(line) else {
            return false;
        };
        if !event
            .api_version
            .as_deref()
            .is_some_and(|v| v.starts_with("audit.k8s.io/"))
        {
            return false;
        }
        self.note_time(&event.request_received_timestamp);
        if let Some((key, request)) = change(event) {
            let kept = self.changes.entry(key).or_default();
            if kept.len() == KEPT {
                kept.remove(1);
            }
            kept.push(request);
        }
        true
    }

    fn note_time(&mut self, time: &str) {
        if time.is_empty() {
            return;
        }
        match &mut self.span {
            None => self.span = Some((time.to_owned(), time.to_owned())),
            Some((first, last)) => {
                if time < first.as_str() {
                    time.clone_into(first);
                }
                if time > last.as_str() {
                    time.clone_into(last);
                }
            }
        }
    }

    /// Changes of an object, oldest first.
    pub(super) fn of(&self, group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Vec<&Request> {
        let key = |name: &str| -> Key {
            let namespace = namespace.unwrap_or_default();
            (
                group.to_owned(),
                plural.to_owned(),
                namespace.to_owned(),
                name.to_owned(),
            )
        };
        let mut found: Vec<&Request> = self.changes.get(&key(name)).into_iter().flatten().collect();
        found.extend(self.changes.get(&key("")).into_iter().flatten());
        // All namespaces at once.
        if namespace.is_some() {
            let everywhere = (group.to_owned(), plural.to_owned(), String::new(), String::new());
            found.extend(self.changes.get(&everywhere).into_iter().flatten());
        }
        found.sort_by(|a, b| a.time.cmp(&b.time));
        found
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }
}

/// The change that an event tells of: one that was carried out, of an object and not of its status.
fn change(event: Event) -> Option<(Key, Request)> {
    let done = event.stage.as_deref() == Some("ResponseComplete")
        && event
            .response_status
            .as_ref()
            .is_some_and(|status| (200..300).contains(&status.code));
    let reference = event.object_ref?;
    let writes = matches!(
        event.verb.as_str(),
        "create" | "update" | "patch" | "delete" | "deletecollection"
    );
    let counts = matches!(
        reference.subresource.as_str(),
        "" | "scale" | "eviction" | "ephemeralcontainers"
    );
    // Written by machines every few seconds; people write the latter two at times.
    let noise = match reference.resource.as_str() {
        "events" | "leases" => true,
        "endpoints" | "endpointslices" => {
            event.impersonated_user.is_none() && event.user.username.starts_with("system:")
        }
        _ => false,
    };
    let name_known = !reference.name.is_empty() || event.verb == "deletecollection";
    if !done || !writes || !counts || noise || !name_known || is_dry_run(&event.uri) {
        return None;
    }
    let agent = event.user_agent.split('/').next().unwrap_or_default().to_owned();
    let manager = parameter(&event.uri, "fieldManager").unwrap_or_else(|| agent.clone());
    let request = Request {
        verb: if reference.subresource == "eviction" {
            "delete".to_owned()
        } else {
            event.verb
        },
        subresource: reference.subresource,
        user: event.user.username,
        acting_as: event.impersonated_user.map(|user| user.username),
        from: event.source_ips.into_iter().next(),
        time: event.request_received_timestamp,
        manager,
        agent,
        touched: event.request_object.as_ref().map(fields),
    };
    // The server takes a Namespace to be in itself.
    let own = reference.resource == "namespaces" && reference.api_group.is_empty();
    let namespace = if own { String::new() } else { reference.namespace };
    let key = (reference.api_group, reference.resource, namespace, reference.name);
    Some((key, request))
}

fn is_dry_run(uri: &str) -> bool {
    parameter(uri, "dryRun").is_some()
}

fn parameter(uri: &str, name: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.replace('+', " "))
        .next()
}

/// The paths of what a request's body sets or, in a merge patch, removes; of a JSON patch, its paths. Never values.
fn fields(body: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match body {
        Value::Array(operations) => {
            for path in operations.iter().filter_map(|operation| operation["path"].as_str()) {
                found.insert(path.replace('/', ".").replace("~1", "/").replace("~0", "~"));
            }
        }
        _ => walk(body, "", 0, &mut found),
    }
    found
}

fn walk(value: &Value, path: &str, depth: usize, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if depth < DEPTH && !map.is_empty() => {
            for (key, value) in map {
                walk(value, &format!("{path}.{key}"), depth + 1, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

impl Request {
    /// `alice`, or `root as alice`.
    pub(super) fn who(&self) -> String {
        match &self.acting_as {
            Some(other) => format!("{} as {other}", self.user),
            None => self.user.clone(),
        }
    }

    /// Whether Kubernetes itself sent it: what follows from other changes.
    pub(super) fn is_of_the_cluster(&self) -> bool {
        let user = self.acting_as.as_deref().unwrap_or(&self.user);
        let of_a_part = |prefix: &str| user.starts_with(prefix);
        of_a_part("system:kube-")
            || of_a_part("system:node:")
            || of_a_part("system:apiserver")
            || of_a_part("system:serviceaccount:kube-system:")
            || self.tool().is_some_and(|tool| tool.by == By::Cluster)
    }

    /// The tool, by its manager.
    pub(super) fn tool(&self) -> Option<&'static tools::Tool> {
        // An apply is a patch of its own content type, which the log does not tell; kubectl gives its name in both.
        let operation = if self.verb == "patch" && self.agent != self.manager {
            "Apply"
        } else {
            "Update"
        };
        tools::of(&self.manager, operation, &self.subresource)
    }

    /// Whether its body touched a field or something in it, where that is known.
    pub(super) fn touches(&self, path: &str) -> Option<bool> {
        let touched = self.touched.as_ref()?;
        let plain = without_selectors(path);
        Some(touched.iter().any(|one| {
            let below =
                |long: &str, short: &str| long == short || long.strip_prefix(short).is_some_and(|r| r.starts_with('.'));
            below(&plain, one) || below(one, &plain)
        }))
    }
}

/// `.spec.containers[name=web].image` → `.spec.containers`: bodies list elements by position, or whole.
fn without_selectors(path: &str) -> String {
    path.split('[').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(verb: &str, name: &str, user: &str) -> Value {
        json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/shop/secrets/db?fieldManager=kubectl-edit", "verb": verb,
            "user": {"username": user, "groups": ["x"]}, "sourceIPs": ["10.1.2.3", "10.0.0.1"],
            "userAgent": "kubectl/v1.32.4 (linux/amd64)",
            "objectRef": {"resource": "secrets", "namespace": "shop", "name": name, "apiVersion": "v1"},
            "responseStatus": {"code": 200}, "requestReceivedTimestamp": "2026-01-02T03:04:05.000001Z"})
    }

    fn read(events: &[Value], rest: &str) -> Log {
        let text: String = events.iter().map(|event| format!("{event}\n")).collect::<String>() + rest;
        let mut log = Log::default();
        log.read("a.log", text.lines().map(|line| Ok(line.to_owned())));
        log
    }

    fn of(log: &Log) -> Vec<Request> {
        log.of("", "secrets", Some("shop"), "db").into_iter().cloned().collect()
    }

    #[test]
    fn what_was_changed_is_kept_with_who_and_when() {
        let mut one = event("patch", "db", "root");
        one["impersonatedUser"] = json!({"username": "alice"});
        one["requestObject"] = json!({"data": {"password": "Y2FuYXJ5"}, "metadata": {"labels": {"a/b": "canary"}}});
        let log = read(&[one], "");
        let found = of(&log);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].who(), "root as alice");
        assert_eq!(found[0].from.as_deref(), Some("10.1.2.3"));
        assert_eq!((&*found[0].manager, &*found[0].agent), ("kubectl-edit", "kubectl"));
        assert_eq!(found[0].tool().map(|tool| tool.tool.as_str()), Some("kubectl edit"));
        assert_eq!(found[0].touches(".data.password"), Some(true));
        assert_eq!(found[0].touches(".data"), Some(true));
        assert_eq!(found[0].touches(".spec.replicas"), Some(false));
        let shown = format!("{log:?}");
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }

    #[test]
    fn what_changed_nothing_is_left_out() {
        let with = |key: &str, value: Value| {
            let mut one = event("patch", "db", "alice");
            one[key] = value;
            one
        };
        let events = [
            event("get", "db", "alice"),
            with("stage", json!("RequestReceived")),
            with("responseStatus", json!({"code": 403})),
            with(
                "requestURI",
                json!("/api/v1/namespaces/shop/secrets/db?dryRun=All&fieldManager=x"),
            ),
            with(
                "objectRef",
                json!({"resource": "secrets", "namespace": "shop", "name": "db", "subresource": "status"}),
            ),
        ];
        let log = read(&events, "");
        assert!(of(&log).is_empty());
        assert_eq!((log.lines, log.problems.len()), (5, 0));
        assert_eq!(
            log.span.map(|span| span.0),
            Some("2026-01-02T03:04:05.000001Z".to_owned())
        );
    }

    #[test]
    fn a_truncated_log_counts_as_far_as_it_goes() {
        let log = read(&[event("delete", "db", "alice")], r#"{"kind":"Event","apiVer"#);
        assert_eq!(of(&log).len(), 1);
        assert_eq!(
            log.problems,
            ["a.log:2: the last line is cut off or no audit event; what came after it is not known"]
        );
        let log = read(&[], "x\n{}\n[]\n");
        assert_eq!(
            log.problems,
            ["a.log: 3 of 3 lines are no audit events and were left out: 1, 2, 3"]
        );
        let mut log = Log::default();
        log.read("b.log", [Err(std::io::Error::other("bad gzip"))].into_iter());
        assert!(log.problems[0].starts_with("b.log:1: the log ends here: bad gzip"));
    }

    #[test]
    fn a_whole_collection_is_each_of_its_objects() {
        let mut all = event("deletecollection", "", "alice");
        all["requestURI"] = json!("/api/v1/namespaces/shop/secrets");
        let mut everywhere = event("deletecollection", "", "bob");
        everywhere["objectRef"] = json!({"resource": "secrets"});
        let found = of(&read(&[all, everywhere], ""));
        assert_eq!(
            found.iter().map(|one| one.user.as_str()).collect::<Vec<_>>(),
            ["alice", "bob"]
        );
    }

    #[test]
    fn json_patches_are_read_by_their_paths() {
        let paths = fields(&json!([{"op": "remove", "path": "/metadata/labels/a~1b"}]));
        assert_eq!(paths.into_iter().collect::<Vec<_>>(), [".metadata.labels.a/b"]);
    }
}
