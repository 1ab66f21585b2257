//! The audit log of an API server: who changed what, as far as findings need it; never values.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::request::{FIELDS, Request, fields};
use crate::object::{GroupKind, ObjectId};

/// The largest number of requests kept of one object: the first, and the last ones, people's before the cluster's own.
const KEPT: usize = 32;
/// The largest number of requests kept in all, so that memory ends.
const KEPT_IN_ALL: usize = 500_000;
/// The largest number of bad lines that are named one by one.
const NAMED: usize = 5;

/// What a log is kept by: API group, resource in the plural, namespace ("" for cluster-scoped), name ("" for a whole collection).
type Key = (String, String, String, String);

/// The changes that a log tells of, of the objects that an audit is about.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// What it is asked for.
    about: HashSet<Key>,
    /// It is asked for anything: objects come.
    about_all: bool,
    changes: BTreeMap<Key, Vec<Request>>,
    kept: usize,
    /// Texts that come again and again, once each.
    texts: HashSet<Arc<str>>,
    /// Events of writes that are about what becomes of a request: received, and carried out.
    received: usize,
    completed: usize,
    /// Lines read.
    pub lines: usize,
    /// Times of the first and the last request, RFC 3339; `None` for a log without any.
    pub span: Option<(String, String)>,
    /// What is wrong with the log: file, line and what it means.
    pub problems: Vec<String>,
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
    response_object: Option<Named>,
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

/// The object that the server made, of which only the name is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    metadata: Name,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Name {
    name: String,
}

impl Log {
    /// An empty log that keeps what is about these objects and their namespaces. `plurals` are the resource names of kinds.
    pub fn about<'a>(ids: impl Iterator<Item = &'a ObjectId>, plurals: &BTreeMap<GroupKind, String>) -> Self {
        let mut about = HashSet::new();
        for id in ids {
            about.insert(key(&id.group, &plural(id, plurals), id.namespace.as_deref(), &id.name));
            if let Some(namespace) = &id.namespace {
                about.insert(key("", "namespaces", None, namespace));
            }
        }
        Self {
            about,
            ..Self::default()
        }
    }

    /// Keeps from now on what is about any object: those that are made are told of by the log before they are seen.
    pub fn follow(&mut self) {
        self.about_all = true;
    }

    /// Whether it is time to [`forget`](Self::forget).
    pub fn is_large(&self) -> bool {
        self.kept > KEPT_IN_ALL / 2
    }

    /// Forgets what is not about these objects and their namespaces.
    pub fn forget<'a>(&mut self, ids: impl Iterator<Item = &'a ObjectId>, plurals: &BTreeMap<GroupKind, String>) {
        self.about = Self::about(ids, plurals).about;
        self.changes
            .retain(|key, _| key.3.is_empty() || self.about.contains(key));
        self.kept = self.changes.values().map(Vec::len).sum();
        self.texts.clear();
    }

    /// Reads the lines of a file: events of `audit.k8s.io/v1`, one a line. May be called for several files, in any order.
    ///
    /// Lines that are no events are counted in [`problems`](Self::problems), and so is a last line that is cut off; the rest counts.
    /// A read error ends the file.
    pub fn read(&mut self, file: &str, lines: impl Iterator<Item = std::io::Result<String>>) {
        let (mut bad, mut named, mut last_bad) = (0, Vec::new(), false);
        let mut number = 0;
        for line in lines {
            number += 1;
            match line {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    self.lines += 1;
                    last_bad = !self.line(&line);
                    bad += usize::from(last_bad);
                    named.extend((last_bad && named.len() < NAMED).then(|| number.to_string()));
                }
                Err(error) => {
                    self.problems.push(format!(
                        "{file}:{number}: the log ends here: {error}; later changes are not known"
                    ));
                    break;
                }
            }
        }
        if last_bad && bad == 1 {
            self.problems.push(format!(
                "{file}:{number}: the last line is cut off or no audit event; what came after it is not known"
            ));
        } else if bad > 0 {
            let more = if bad > NAMED { ", …" } else { "" };
            self.problems.push(format!(
                "{file}: {bad} of {number} lines are no audit events and were left out: {}{more}",
                named.join(", ")
            ));
        }
    }

    /// Says what the log as a whole cannot tell; to be called after the last file.
    pub fn close(&mut self) {
        if self.received > 0 && self.completed == 0 {
            self.problems.push(
                "it has no event of the stage ResponseComplete: whether requests were carried out is not known, and none counts"
                    .to_owned(),
            );
        }
        if self.kept == KEPT_IN_ALL {
            self.problems.push(format!(
                "it tells of more than {KEPT_IN_ALL} changes of the objects that are there; those read last were left out"
            ));
        }
    }

    /// Whether it is an event.
    fn line(&mut self, line: &str) -> bool {
        let Ok(event) = serde_json::from_str::<Event>(line) else {
            return false;
        };
        let version = event.api_version.as_deref().unwrap_or_default();
        if !version.starts_with("audit.k8s.io/") {
            return false;
        }
        self.note_time(&event.request_received_timestamp);
        if matches!(
            event.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        ) {
            match event.stage.as_deref() {
                Some("ResponseComplete") => self.completed += 1,
                _ => self.received += 1,
            }
            if let Some((key, request)) = self.change(event) {
                self.keep(key, request);
            }
        }
        true
    }

    /// Of an object the first request and the last ones are kept, whatever order the files are read in.
    fn keep(&mut self, key: Key, request: Request) {
        let wanted = self.about_all || key.3.is_empty() || self.about.contains(&key);
        if self.kept == KEPT_IN_ALL || !wanted {
            return;
        }
        let kept = self.changes.entry(key).or_default();
        let at = kept.partition_point(|other| other.time <= request.time);
        kept.insert(at, request);
        if kept.len() > KEPT {
            // An autoscaler writes more often than people do.
            let own = |request: &Request| request.is_of_the_cluster() && !request.is_delete();
            let own = kept.iter().skip(1).position(own).map(|at| at + 1);
            kept.remove(own.unwrap_or(1));
        } else {
            self.kept += 1;
        }
    }

    /// One text for all that are the same.
    fn text(&mut self, text: String) -> Arc<str> {
        if let Some(known) = self.texts.get(text.as_str()) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
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
    pub(super) fn of(&self, id: &ObjectId, plurals: &BTreeMap<GroupKind, String>) -> Vec<&Request> {
        let plural = plural(id, plurals);
        let key = |namespace: Option<&str>, name: &str| key(&id.group, &plural, namespace, name);
        let namespace = id.namespace.as_deref();
        let mut found: Vec<&Request> = self
            .changes
            .get(&key(namespace, &id.name))
            .into_iter()
            .flatten()
            .collect();
        found.extend(self.changes.get(&key(namespace, "")).into_iter().flatten());
        // All namespaces at once.
        if namespace.is_some() {
            found.extend(self.changes.get(&key(None, "")).into_iter().flatten());
        }
        found.sort_by(|a, b| a.time.cmp(&b.time));
        found
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The change that an event tells of: one that was carried out, of an object and not of its status.
    fn change(&mut self, mut event: Event) -> Option<(Key, Request)> {
        let status = event.response_status.as_ref().map_or(0, |status| status.code);
        let done = event.stage.as_deref() == Some("ResponseComplete") && (200..300).contains(&status);
        let reference = event.object_ref?;
        let counts = matches!(
            reference.subresource.as_str(),
            "" | "scale" | "eviction" | "ephemeralcontainers" | "resize"
        );
        // Written by machines every few seconds; people write the latter two at times.
        let noise = match reference.resource.as_str() {
            "events" | "leases" => true,
            "endpoints" | "endpointslices" => {
                event.impersonated_user.is_none() && event.user.username.starts_with("system:")
            }
            _ => false,
        };
        // The server makes up the rest of `generateName`.
        let made = || {
            event
                .response_object
                .map(|object| object.metadata.name)
                .unwrap_or_default()
        };
        let name = match event.verb.as_str() {
            "create" if reference.name.is_empty() => made(),
            _ => reference.name,
        };
        let whose = !name.is_empty() || event.verb == "deletecollection";
        let delete = event.verb.starts_with("delete") || reference.subresource == "eviction";
        let body = event.request_object.as_ref();
        if !done || !counts || noise || !whose || is_dry_run(&event.uri, body.filter(|_| delete)) {
            return None;
        }
        let agent = event.user_agent.split('/').next().unwrap_or_default().to_owned();
        let manager = parameter(&event.uri, "fieldManager").unwrap_or_else(|| agent.clone());
        let selective = ["labelSelector", "fieldSelector"]
            .iter()
            .any(|one| parameter(&event.uri, one).is_some());
        let whole = body.is_some_and(is_whole);
        // The content type, which would tell, is not in the log; kubectl and the engines say whether they force.
        let applies = event.verb == "patch" && (whole || parameter(&event.uri, "force").is_some());
        let touched = body.filter(|_| event.verb == "patch" && !applies).map(fields);
        // The last one is the server's own observation.
        let from = event.source_ips.pop();
        let request = Request {
            verb: match reference.subresource.as_str() {
                "eviction" => self.text("delete".to_owned()),
                _ => self.text(event.verb),
            },
            subresource: self.text(reference.subresource),
            user: self.text(event.user.username),
            acting_as: event.impersonated_user.map(|user| self.text(user.username)),
            from: from.map(|from| self.text(from)),
            claimed: Some(event.source_ips.join(", "))
                .filter(|all| !all.is_empty())
                .map(|all| self.text(all)),
            time: event.request_received_timestamp,
            manager: self.text(manager),
            agent: self.text(agent),
            applies,
            selective,
            touched: touched.filter(|fields| fields.len() < FIELDS),
        };
        // The server takes a Namespace to be in itself.
        let own = reference.resource == "namespaces" && reference.api_group.is_empty();
        let namespace = Some(reference.namespace.as_str()).filter(|_| !own);
        Some((
            key(&reference.api_group, &reference.resource, namespace, &name),
            request,
        ))
    }
}

fn key(group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Key {
    let own = str::to_owned;
    (own(group), own(plural), own(namespace.unwrap_or_default()), own(name))
}

/// The resource name of a kind, or the plural that nearly all kinds have where it is no longer served.
fn plural(id: &ObjectId, plurals: &BTreeMap<GroupKind, String>) -> String {
    if let Some(plural) = plurals.get(&id.group_kind()) {
        return plural.clone();
    }
    let lower = id.kind.to_lowercase();
    match lower.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if lower.ends_with(['s', 'x']) || lower.ends_with("ch") => format!("{lower}es"),
        _ => format!("{lower}s"),
    }
}

/// Whether a request only asked what would become of it: in its address or, of deletions, in its body.
fn is_dry_run(uri: &str, options: Option<&Value>) -> bool {
    let asked = options.and_then(|options| options["dryRun"].as_array());
    parameter(uri, "dryRun").is_some() || asked.is_some_and(|asked| !asked.is_empty())
}

/// Whether a patch is a whole object, as of a server-side apply: it tells nothing of what it changed.
fn is_whole(body: &Value) -> bool {
    body.get("apiVersion").is_some() && body.get("kind").is_some()
}

fn parameter(uri: &str, name: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| decoded(value))
        .next()
}

/// The text of a parameter: `+` is a space, `%40` an `@`.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::request::Touches;
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

    fn id(name: &str) -> ObjectId {
        ObjectId::new("", "Secret", Some("shop"), name)
    }

    fn empty() -> Log {
        Log::about([id("db")].iter(), &BTreeMap::new())
    }

    fn read(events: &[Value], rest: &str) -> Log {
        let text: String = events.iter().map(|event| format!("{event}\n")).collect::<String>() + rest;
        let mut log = empty();
        log.read("a.log", text.lines().map(|line| Ok(line.to_owned())));
        log
    }

    fn of(log: &Log) -> Vec<Request> {
        log.of(&id("db"), &BTreeMap::new()).into_iter().cloned().collect()
    }

    fn with(key: &str, value: Value) -> Value {
        let mut one = event("patch", "db", "alice");
        one[key] = value;
        one
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
        // What the server saw, and what the client said of itself.
        assert_eq!(found[0].from.as_deref(), Some("10.0.0.1"));
        assert_eq!(found[0].claimed.as_deref(), Some("10.1.2.3"));
        assert_eq!((&*found[0].manager, &*found[0].agent), ("kubectl-edit", "kubectl"));
        assert_eq!(found[0].tool().map(|tool| tool.tool.as_str()), Some("kubectl edit"));
        assert_eq!(found[0].touches(".data.password"), Touches::Surely);
        assert_eq!(found[0].touches(".data"), Touches::Perhaps);
        assert_eq!(found[0].touches(".spec.replicas"), Touches::Not);
        let shown = format!("{log:?}");
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }

    #[test]
    fn what_changed_nothing_is_left_out() {
        let uri = |query: &str| {
            with(
                "requestURI",
                json!(format!("/api/v1/namespaces/shop/secrets/db?{query}")),
            )
        };
        let part = |name: &str| {
            with(
                "objectRef",
                json!({"resource": "secrets", "namespace": "shop", "name": "db", "subresource": name}),
            )
        };
        let mut dry = event("delete", "db", "alice");
        dry["requestObject"] = json!({"kind": "DeleteOptions", "dryRun": ["All"]});
        let events = [
            event("get", "db", "alice"),
            with("stage", json!("RequestReceived")),
            with("stage", json!("Panic")),
            with("responseStatus", json!({"code": 403})),
            with("responseStatus", json!({"code": 409})),
            with("responseStatus", Value::Null),
            uri("dryRun=All&fieldManager=x"),
            dry,
            part("status"),
            part("token"),
            event("patch", "other", "alice"),
        ];
        let log = read(&events, "");
        assert!(of(&log).is_empty() && log.changes.is_empty());
        assert_eq!((log.lines, log.problems.len()), (11, 0));
        assert_eq!(
            log.span.map(|span| span.0),
            Some("2026-01-02T03:04:05.000001Z".to_owned())
        );
        for name in ["scale", "ephemeralcontainers", "resize", "eviction"] {
            let found = of(&read(&[part(name)], ""));
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(
                (&*found[0].subresource, found[0].is_delete()),
                (name, name == "eviction")
            );
        }
    }

    #[test]
    fn whose_requests_the_cluster_s_own_are() {
        let by = |user: &str, agent: &str, manager: &str| {
            let mut one = event("patch", "db", user);
            one["userAgent"] = json!(agent);
            one["requestURI"] = json!(format!("/x?fieldManager={manager}"));
            of(&read(&[one], ""))[0].is_of_the_cluster()
        };
        assert!(by(
            "system:kube-controller-manager",
            "kube-controller-manager/v1",
            "kube-controller-manager"
        ));
        assert!(by("system:node:a", "kubelet/v1", "kubelet"));
        assert!(by(
            "system:serviceaccount:kube-system:generic-garbage-collector",
            "kube-controller-manager/v1",
            "x"
        ));
        assert!(by("system:serviceaccount:ops:operator", "manager/v1", "bank-operator"));
        // Whoever borrows an account of the cluster, or a name, is still a person.
        assert!(!by(
            "system:serviceaccount:kube-system:admin",
            "kubectl/v1",
            "kubectl-edit"
        ));
        assert!(!by("alice", "kubectl/v1", "evil-controller"));
        assert!(!by("system:serviceaccount:ci:deployer", "kubectl/v1", "kubectl-patch"));
    }

    #[test]
    fn an_apply_and_a_whole_object_do_not_tell_what_they_touched() {
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"a": "b"}});
        let mut applied = with("requestObject", body.clone());
        applied["requestURI"] = json!("/x?fieldManager=kubectl&fieldValidation=Strict&force=false");
        let mut replaced = event("update", "db", "alice");
        replaced["requestObject"] = body;
        replaced["requestURI"] = json!("/x?fieldManager=deploy%40node-1+b");
        let found = of(&read(&[applied, replaced], ""));
        assert!(
            found
                .iter()
                .all(|request| request.touches(".data.a") == Touches::Unknown)
        );
        let tools: Vec<&str> = found.iter().filter_map(|one| Some(one.tool()?.tool.as_str())).collect();
        assert_eq!(tools, ["kubectl apply --server-side", "k3s"]);
        assert_eq!(&*found[1].manager, "deploy@node-1 b");
    }

    #[test]
    fn a_name_that_the_server_made_is_found() {
        let mut created = event("create", "", "alice");
        assert!(of(&read(&[created.clone()], "")).is_empty(), "which one is not known");
        created["responseObject"] = json!({"metadata": {"name": "db"}, "data": {"x": "canary"}});
        let log = read(&[created], "");
        assert_eq!(&*of(&log)[0].verb, "create");
        assert!(!format!("{log:?}").contains("canary"));
    }

    #[test]
    fn files_may_come_in_any_order_and_memory_ends() {
        let at = |second: usize| {
            let mut one = event("patch", "db", &format!("user-{second}"));
            one["requestReceivedTimestamp"] = json!(format!("2026-01-02T03:{:02}:{:02}Z", second / 60, second % 60));
            one.to_string()
        };
        let mut log = empty();
        for (file, seconds) in [("b", 100..200), ("a", 0..100)] {
            log.read(file, seconds.map(|second| Ok(at(second))));
        }
        let kept = of(&log);
        assert_eq!((kept.len(), log.kept), (KEPT, KEPT));
        assert_eq!((&*kept[0].user, &*kept[KEPT - 1].user), ("user-0", "user-199"));
        assert_eq!(&*kept[1].user, format!("user-{}", 200 - KEPT + 1));
        // What an audit is not about takes no room, however much of it there is.
        log.read(
            "c",
            (0..10_000).map(|number| Ok(event("create", &format!("pod-{number}"), "x").to_string())),
        );
        assert_eq!((log.kept, log.changes.len(), log.lines), (KEPT, 1, 10_200));
        let texts = log.texts.len();
        log.read("a", (0..100).map(|second| Ok(at(second))));
        assert_eq!(log.texts.len(), texts, "each text is there once");
    }

    #[test]
    fn people_are_kept_however_much_the_cluster_writes() {
        let at = |second: usize, user: &str, manager: &str, verb: &str| {
            let mut one = event(verb, "db", user);
            one["requestURI"] = json!(format!("/x?fieldManager={manager}"));
            one["requestReceivedTimestamp"] =
                json!(format!("2026-01-02T03:{:02}:{:02}.000000Z", second / 60, second % 60));
            one
        };
        let scaler = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
        let mut events = vec![
            at(0, "dev", "refloat", "create"),
            at(1, "alice", "kubectl-edit", "patch"),
            at(2, scaler, "kube-controller-manager", "delete"),
        ];
        events.extend((3..200).map(|second| at(second, scaler, "kube-controller-manager", "patch")));
        let log = read(&events, "");
        let kept = of(&log);
        let who: Vec<&str> = kept.iter().map(|request| &*request.user).collect();
        assert_eq!((who.len(), &who[..3]), (KEPT, &["dev", "alice", scaler][..]));
        assert!(kept[2].is_delete() && kept[KEPT - 1].time.contains("03:03:19"));
    }

    #[test]
    fn a_log_without_what_became_of_requests_is_told() {
        let mut log = read(&[with("stage", json!("RequestReceived"))], "");
        log.close();
        assert_eq!(
            log.problems,
            [
                "it has no event of the stage ResponseComplete: whether requests were carried out is not known, and none counts"
            ]
        );
        let mut log = read(
            &[with("stage", json!("RequestReceived")), event("patch", "db", "alice")],
            "",
        );
        log.close();
        assert!(log.problems.is_empty());
    }

    #[test]
    fn names_of_kinds_are_guessed_where_they_are_gone() {
        for (kind, expected) in [
            ("NetworkPolicy", "networkpolicies"),
            ("Ingress", "ingresses"),
            ("Gateway", "gateways"),
            ("Secret", "secrets"),
        ] {
            assert_eq!(plural(&ObjectId::new("", kind, None, "x"), &BTreeMap::new()), expected);
        }
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
        let mut log = empty();
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
        assert_eq!(found.iter().map(|one| &*one.user).collect::<Vec<_>>(), ["alice", "bob"]);
    }

    #[test]
    fn a_selected_part_of_a_collection_may_be_any_of_its_objects() {
        let mut some = event("deletecollection", "", "alice");
        some["requestURI"] = json!("/api/v1/namespaces/shop/secrets?labelSelector=app%3Dweb");
        assert!(of(&read(&[some], ""))[0].selective);
    }
}
