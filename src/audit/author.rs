//! Who did it, with what, when: from managedFields and, where given, from the audit log. Evidence is quoted.

use std::collections::BTreeMap;

use super::log::Log;
use super::request::{Request, Touches};
use super::tools::{self, By, Tool};
use super::{Author, Confidence};
use crate::object::{FieldChange, FieldDrift, GroupKind, LiveObject, Manager, ObjectId};

/// The largest number of authors of a finding.
const AT_MOST: usize = 6;
/// How far apart the server's time of a write and the log's time of the request may be, in seconds: managedFields has whole
/// seconds, and admission takes its time.
const APART: i64 = 3;

/// Where authors are looked up.
pub(super) struct Records<'a> {
    /// The audit log, if one was given.
    pub log: Option<&'a Log>,
    /// Plural resource names, by kind.
    pub plurals: &'a BTreeMap<GroupKind, String>,
}

impl Records<'_> {
    /// Who made an object that is not declared, and who changed it, the first first.
    pub(super) fn of_live(&self, id: &ObjectId, live: &LiveObject) -> Vec<Author> {
        let mut requests = self.requests_about_it(id);
        // What deletions were about is gone, and this is not.
        requests.retain(|request| !request.is_of_the_cluster() && !request.is_delete());
        let certain = requests.iter().map(|request| said(request, Confidence::Certain));
        // Exactly as large as it has to be: every finding of a large cluster keeps one.
        let mut authors = Vec::with_capacity(requests.len() + live.managers.len());
        authors.extend(certain);
        let mut managers: Vec<&Manager> = live.managers.iter().filter(|one| one.subresource != "status").collect();
        // By hand before engines before the cluster, then by time.
        managers.sort_by_key(|one| (rank(one), one.time.clone()));
        let logged = |manager: &Manager| requests.iter().any(|request| is_of(request, manager));
        authors.extend(managers.into_iter().filter(|one| !logged(one)).map(wrote));
        without_repeats(authors)
    }

    /// Who changed the fields that differ.
    pub(super) fn of_drift(
        &self,
        id: &ObjectId,
        declarer: &str,
        fields: &[FieldDrift],
        live: &LiveObject,
    ) -> Vec<Author> {
        let requests = self.requests(id);
        let mut authors = Vec::new();
        for field in fields {
            let manager = field.manager.and_then(|index| live.managers.get(index));
            let manager = manager.or_else(|| owner_of_the_whole(&live.managers, declarer, &field.path));
            match manager {
                Some(manager) => {
                    let request = requests.iter().rev().find(|request| is_of(request, manager));
                    let mut author =
                        request.map_or_else(|| wrote(manager), |request| said(request, Confidence::Certain));
                    if field.path.contains("kubectl.kubernetes.io/restartedAt") && author.tool == "kubectl rollout" {
                        "kubectl rollout restart".clone_into(&mut author.tool);
                    }
                    authors.push(author);
                }
                // Nobody owns a removed field: only the log can tell.
                None => authors.extend(changed(&requests, declarer, &field.path, field.change)),
            }
        }
        authors.sort_by_key(|author| author.confidence);
        without_repeats(authors)
    }

    /// Who deleted a declared object.
    pub(super) fn of_missing(&self, id: &ObjectId) -> Vec<Author> {
        let requests = self.requests(id);
        let by_people = |request: &&&Request| request.is_delete() && !request.is_of_the_cluster();
        let mut authors = Vec::new();
        if let Some(request) = requests.iter().rev().find(by_people) {
            let sure = if request.selective {
                Confidence::Likely
            } else {
                Confidence::Certain
            };
            authors.push(said(request, sure));
        } else if let Some(request) = self.namespace_deletion(id) {
            let mut author = said(request, Confidence::Likely);
            author.evidence = format!("{}, of its Namespace", author.evidence);
            authors.push(author);
        } else if let Some(request) = requests.iter().rev().find(|request| request.is_delete()) {
            authors.push(said(request, Confidence::Likely));
        }
        authors
    }

    /// Whether such a tool changed an object that somebody else made, by the log: not all kinds keep managers.
    pub(super) fn is_changed_by(&self, id: &ObjectId, by: impl Fn(&Tool) -> bool) -> bool {
        let mut changes = self.requests_about_it(id).into_iter();
        changes.any(|request| {
            let is_change = !request.is_delete() && &*request.verb != "create";
            is_change && !request.is_of_the_cluster() && request.tool().is_some_and(&by)
        })
    }

    fn namespace_deletion(&self, id: &ObjectId) -> Option<&Request> {
        let namespace = ObjectId::new("", "Namespace", None, id.namespace.as_deref()?);
        let requests = self.requests(&namespace).into_iter().rev();
        requests
            .filter(|request| request.is_delete() && !request.is_of_the_cluster())
            .find(|request| !request.selective)
    }

    /// Without those about another object, which was there before under the same name.
    fn requests_about_it(&self, id: &ObjectId) -> Vec<&Request> {
        let mut requests = self.requests(id);
        let is_end = |request: &&Request| request.is_delete() && !request.selective;
        if let Some(last) = requests.iter().rposition(is_end) {
            requests.drain(..=last);
        }
        requests
    }

    fn requests(&self, id: &ObjectId) -> Vec<&Request> {
        self.log.map(|log| log.of(id, self.plurals)).unwrap_or_default()
    }
}

/// Somebody else who owns something around a field as one piece: a list that the server takes as a whole, which they wrote without it.
fn owner_of_the_whole<'m>(managers: &'m [Manager], declarer: &str, path: &str) -> Option<&'m Manager> {
    let whole = |manager: &&Manager| {
        let mut at = manager.fields.as_deref();
        // What is within selectors is deeper than what is looked for.
        for part in path.split('.').skip(1) {
            let name = part.split('[').next().unwrap_or_default();
            let Some(below) = at.and_then(|fields| fields.get(format!("f:{name}"))) else {
                return false;
            };
            if below.as_object().is_some_and(serde_json::Map::is_empty) {
                return true;
            }
            at = Some(below);
        }
        false
    };
    let others = managers
        .iter()
        .filter(|one| one.name != declarer && one.subresource != "status");
    others.filter(whole).max_by(|a, b| a.time.cmp(&b.time))
}

fn rank(manager: &Manager) -> u8 {
    match tools::of_manager(manager).map(|tool| tool.by) {
        Some(By::Hand) => 0,
        None => 1,
        Some(By::Engine) => 2,
        Some(By::Cluster) => 3,
    }
}

/// Whether a request is what made an entry of managedFields what it is.
fn is_of(request: &Request, manager: &Manager) -> bool {
    let time = |text: &str| text.parse::<jiff::Timestamp>().map(|time| time.as_second()).ok();
    let near = match (time(&request.time), time(&manager.time)) {
        (Some(one), Some(other)) => (one - other).abs() <= APART,
        // Entries of the scale subresource have no time.
        _ => manager.time.is_empty(),
    };
    near && *request.manager == manager.name && *request.subresource == manager.subresource && !request.is_delete()
}

/// Requests that may have changed a field that nobody owns: by people and engines, after the declarer wrote last.
fn changed(requests: &[&Request], declarer: &str, path: &str, change: FieldChange) -> Vec<Author> {
    let after = requests
        .iter()
        .rposition(|request| *request.manager == *declarer)
        .map_or(0, |index| index + 1);
    let late = requests[after..]
        .iter()
        .filter(|request| !request.is_delete() && !request.is_of_the_cluster() && request.subresource.is_empty());
    let (mut sure, mut open, mut others) = (None, Vec::new(), Vec::new());
    for request in late {
        match request.touches(path) {
            Touches::Surely => sure = Some(request),
            touches @ (Touches::Unknown | Touches::Perhaps) => open.push((request, touches)),
            Touches::Not => others.push(request),
        }
    }
    if let Some(request) = sure {
        return vec![said(request, Confidence::Certain)];
    }
    if let [(request, Touches::Unknown)] = open[..] {
        return vec![said(request, Confidence::Likely)];
    }
    // A webhook may have taken out more than the request did.
    let any = if open.is_empty() && change == FieldChange::Removed {
        others
    } else {
        open.into_iter().map(|(request, _)| request).collect()
    };
    any.into_iter()
        .map(|request| said(request, Confidence::Possible))
        .collect()
}

/// What the audit log says.
fn said(request: &Request, confidence: Confidence) -> Author {
    let tool = request
        .tool()
        .map_or_else(|| request.manager.to_string(), |tool| tool.tool.clone());
    let tool = if request.is_delete() && request.agent.starts_with("kubectl") {
        "kubectl delete".to_owned()
    } else {
        tool
    };
    let from = request
        .from
        .as_deref()
        .map(|from| format!(" from {from}"))
        .unwrap_or_default();
    let claimed = request
        .claimed
        .as_deref()
        .map(|others| format!(" (said to come from {others}, which the client may make up)"))
        .unwrap_or_default();
    let of = if request.subresource.is_empty() {
        String::new()
    } else {
        format!(" of {}", request.subresource)
    };
    Author {
        tool,
        user: Some(request.who()),
        from: request.from.as_deref().map(str::to_owned),
        time: request.time.clone(),
        operation: request.verb.to_string(),
        confidence,
        evidence: format!(
            "audit log: {} {}{of}{from}{claimed} {}",
            request.who(),
            request.verb,
            request.time
        ),
    }
}

/// What an entry of managedFields says. Names of managers can be chosen, so this is likely, never certain.
fn wrote(manager: &Manager) -> Author {
    let tool = tools::of_manager(manager).map_or_else(|| manager.name.clone(), |tool| tool.tool.clone());
    let of = if manager.subresource.is_empty() {
        String::new()
    } else {
        format!(" of {}", manager.subresource)
    };
    Author {
        tool,
        user: None,
        from: None,
        time: manager.time.clone(),
        operation: manager.operation.clone(),
        confidence: Confidence::Likely,
        evidence: format!(
            "managedFields: {} {}{of} {}",
            manager.name, manager.operation, manager.time
        ),
    }
}

fn without_repeats(mut authors: Vec<Author>) -> Vec<Author> {
    if authors.len() < 2 {
        authors.shrink_to_fit();
        return authors;
    }
    let mut kept: Vec<Author> = Vec::with_capacity(authors.len().min(AT_MOST));
    for author in authors {
        if kept.len() < AT_MOST && !kept.iter().any(|one| one.evidence == author.evidence) {
            kept.push(author);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn event(verb: &str, user: &str, manager: &str, second: u32, body: Option<Value>) -> String {
        let mut event = json!({"apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": verb,
            "requestURI": format!("/x?fieldManager={manager}"), "user": {"username": user}, "sourceIPs": ["10.1.2.3"],
            "userAgent": "kubectl/v1.32", "objectRef": {"resource": "deployments", "apiGroup": "apps", "namespace": "shop", "name": "web"},
            "responseStatus": {"code": 200}, "requestReceivedTimestamp": format!("2026-01-02T03:04:{second:02}.500000Z")});
        if let Some(body) = body {
            event["requestObject"] = body;
        }
        event.to_string()
    }

    fn manager(name: &str, second: u32) -> Manager {
        Manager {
            name: name.to_owned(),
            operation: "Update".to_owned(),
            subresource: String::new(),
            time: format!("2026-01-02T03:04:{second:02}Z"),
            fields: None,
        }
    }

    fn id() -> ObjectId {
        ObjectId::new("apps", "Deployment", Some("shop"), "web")
    }

    fn log(lines: Vec<String>) -> Log {
        let mut log = Log::about([id()].iter(), &BTreeMap::new());
        log.read("a", lines.into_iter().map(Ok));
        assert!(log.problems.is_empty());
        log
    }

    fn told(authors: &[Author]) -> Vec<String> {
        authors
            .iter()
            .map(|one| {
                let user = one.user.as_deref().unwrap_or("unknown");
                format!("{user} {} {:?}", one.tool, one.confidence)
            })
            .collect()
    }

    fn drift(change: FieldChange, manager: Option<usize>, managers: Vec<Manager>) -> (FieldDrift, LiveObject) {
        let field = FieldDrift {
            path: ".spec.replicas".to_owned(),
            change,
            declared: None,
            live: None,
            manager,
            digest: 0,
            waived: None,
        };
        let live = LiveObject {
            managers,
            ..LiveObject::default()
        };
        (field, live)
    }

    fn of_drift(records: &Records<'_>, (field, live): &(FieldDrift, LiveObject)) -> Vec<Author> {
        records.of_drift(&id(), "refloat", std::slice::from_ref(field), live)
    }

    #[test]
    fn a_maker_is_told_by_the_log_else_by_the_manager() {
        let live = LiveObject {
            managers: vec![manager("kube-controller-manager", 9), manager("kubectl-create", 5)],
            ..LiveObject::default()
        };
        let plurals = BTreeMap::new();
        let records = |log| Records { log, plurals: &plurals };
        assert_eq!(
            told(&records(None).of_live(&id(), &live)),
            ["unknown kubectl create Likely", "unknown the controller manager Likely"]
        );
        let log = log(vec![
            event("create", "mallory", "kubectl-create", 1, None),
            event("delete", "mallory", "", 2, None),
            event("create", "alice", "kubectl-create", 5, None),
            event(
                "patch",
                "system:serviceaccount:kube-system:x",
                "kube-controller-manager",
                9,
                None,
            ),
        ]);
        assert_eq!(
            told(&records(Some(&log)).of_live(&id(), &live)),
            ["alice kubectl create Certain", "unknown the controller manager Likely"]
        );
    }

    #[test]
    fn a_field_s_owner_is_found_in_the_log_by_manager_and_time() {
        let plurals = BTreeMap::new();
        let log = log(vec![
            event("patch", "dev", "refloat", 1, None),
            event("patch", "bob", "kubectl-edit", 3, None),
            event("patch", "alice", "kubectl-edit", 20, None),
        ]);
        let records = Records {
            log: Some(&log),
            plurals: &plurals,
        };
        let owned = drift(FieldChange::Changed, Some(0), vec![manager("kubectl-edit", 20)]);
        let authors = of_drift(&records, &owned);
        assert_eq!(told(&authors), ["alice kubectl edit Certain"]);
        assert_eq!(
            authors[0].evidence,
            "audit log: alice patch from 10.1.2.3 2026-01-02T03:04:20.500000Z"
        );
        assert_eq!(authors[0].from.as_deref(), Some("10.1.2.3"));
        let none = Records {
            log: None,
            plurals: &plurals,
        };
        assert_eq!(told(&of_drift(&none, &owned)), ["unknown kubectl edit Likely"]);
    }

    #[test]
    fn what_a_client_says_of_its_address_is_quoted_as_its_word() {
        let plurals = BTreeMap::new();
        let forged = event("patch", "alice", "kubectl-edit", 20, None)
            .replace(r#"["10.1.2.3"]"#, r#"["192.0.2.1","192.0.2.2","10.1.2.3"]"#);
        let log = log(vec![forged]);
        let records = Records {
            log: Some(&log),
            plurals: &plurals,
        };
        let owned = drift(FieldChange::Changed, Some(0), vec![manager("kubectl-edit", 20)]);
        let authors = of_drift(&records, &owned);
        assert_eq!(authors[0].from.as_deref(), Some("10.1.2.3"));
        assert_eq!(
            authors[0].evidence,
            "audit log: alice patch from 10.1.2.3 (said to come from 192.0.2.1, 192.0.2.2, which the client may make up) 2026-01-02T03:04:20.500000Z"
        );
    }

    #[test]
    fn only_the_log_knows_who_removed_a_field() {
        let plurals = BTreeMap::new();
        let removed = drift(FieldChange::Removed, None, vec![manager("refloat", 1)]);
        let none = Records {
            log: None,
            plurals: &plurals,
        };
        assert!(of_drift(&none, &removed).is_empty(), "unknown");
        let told_by = |events: Vec<String>| {
            let log = log(events);
            let records = Records {
                log: Some(&log),
                plurals: &plurals,
            };
            told(&of_drift(&records, &removed))
        };
        let first = || event("patch", "dev", "refloat", 1, None);
        let touching = json!({"spec": {"replicas": null}});
        assert_eq!(
            told_by(vec![first(), event("patch", "alice", "kubectl-edit", 5, None)]),
            ["alice kubectl edit Likely"]
        );
        assert_eq!(
            told_by(vec![
                first(),
                event("patch", "alice", "kubectl-edit", 5, None),
                event("patch", "bob", "kubectl-patch", 6, None)
            ]),
            ["alice kubectl edit Possible", "bob kubectl patch Possible"]
        );
        assert_eq!(
            told_by(vec![
                first(),
                event("patch", "alice", "kubectl-edit", 5, Some(touching)),
                event("patch", "bob", "kubectl-patch", 6, None)
            ]),
            ["alice kubectl edit Certain"]
        );
        assert!(
            told_by(vec![event("patch", "alice", "kubectl-edit", 1, None), first()]).is_empty(),
            "before the declarer wrote"
        );
    }

    #[test]
    fn who_touched_what_is_beside_a_removed_field_is_not_said_to_have_removed_it() {
        let plurals = BTreeMap::new();
        let first = || event("patch", "dev", "refloat", 1, None);
        let by = |who: &str, second: u32, body: Value| event("patch", who, "kubectl-patch", second, Some(body));
        let told_by = |path: &str, events: Vec<String>| {
            let log = log(events);
            let records = Records {
                log: Some(&log),
                plurals: &plurals,
            };
            let mut removed = drift(FieldChange::Removed, None, vec![manager("refloat", 1)]);
            path.clone_into(&mut removed.0.path);
            told(&of_drift(&records, &removed))
        };
        let annotate = |key: &str, value: Value| json!({"metadata": {"annotations": {key: value}}});
        let contact = ".metadata.annotations[example.com/contact]";
        let removes = || by("alice", 5, annotate("example.com/contact", json!(null)));
        let beside = || by("bob", 6, annotate("example.com/team", json!("a")));
        assert_eq!(
            told_by(contact, vec![first(), removes(), beside()]),
            ["alice kubectl patch Certain"]
        );
        assert_eq!(
            told_by(contact, vec![first(), beside()]),
            ["bob kubectl patch Possible"]
        );

        let containers = |inner: Value| json!({"spec": {"template": {"spec": {"containers": [inner]}}}});
        let env = ".spec.template.spec.containers[name=web].env[name=B]";
        let image = || by("bob", 6, containers(json!({"name": "web", "image": "web:2"})));
        let by_place = json!([{"op": "remove", "path": "/spec/template/spec/containers/0/env/1"}]);
        assert_eq!(
            told_by(env, vec![first(), by("alice", 5, by_place), image()]),
            ["alice kubectl patch Possible", "bob kubectl patch Possible"]
        );
        let named = containers(json!({"name": "web", "env": [{"name": "B", "$patch": "delete"}]}));
        assert_eq!(
            told_by(env, vec![first(), by("alice", 5, named), image()]),
            ["alice kubectl patch Certain"]
        );
    }

    #[test]
    fn who_deleted_others_of_its_kind_did_not_make_what_is_there() {
        let plurals = BTreeMap::new();
        let some = event("deletecollection", "bob", "", 8, None)
            .replace("/x?", "/x?labelSelector=app%3Dold&")
            .replace(r#""name":"web""#, r#""name":"""#);
        let log = log(vec![event("create", "alice", "kubectl-create", 5, None), some]);
        let records = Records {
            log: Some(&log),
            plurals: &plurals,
        };
        assert_eq!(records.requests(&id()).len(), 2);
        assert_eq!(
            told(&records.of_live(&id(), &LiveObject::default())),
            ["alice kubectl create Certain"]
        );
    }

    #[test]
    fn who_wrote_a_whole_list_removed_what_is_not_in_it() {
        let plurals = BTreeMap::new();
        let none = Records {
            log: None,
            plurals: &plurals,
        };
        let mut patch = manager("kubectl-patch", 5);
        patch.fields = Some(Box::new(json!({"f:spec": {"f:ingress": {}}})));
        let mut removed = drift(FieldChange::Removed, None, vec![manager("refloat", 1), patch]);
        removed.0.path = ".spec.ingress[0].from".to_owned();
        assert_eq!(told(&of_drift(&none, &removed)), ["unknown kubectl patch Likely"]);
        for path in [".spec.egress[0]", ".metadata.labels.ingress", ".spec"] {
            path.clone_into(&mut removed.0.path);
            assert!(of_drift(&none, &removed).is_empty(), "{path}");
        }
    }

    #[test]
    fn only_the_log_knows_who_deleted() {
        let plurals = BTreeMap::new();
        let of = |log: Option<&Log>| told(&Records { log, plurals: &plurals }.of_missing(&id()));
        assert!(of(None).is_empty());
        assert_eq!(
            of(Some(&log(vec![event("delete", "alice", "", 5, None)]))),
            ["alice kubectl delete Certain"]
        );
        let namespace = event("delete", "alice", "", 5, None)
            .replace(r#""apiGroup":"apps","#, "")
            .replace(r#""deployments""#, r#""namespaces""#)
            .replace(r#""name":"web""#, r#""name":"shop""#);
        assert_eq!(of(Some(&log(vec![namespace]))), ["alice kubectl delete Likely"]);
    }
}
