//! What a person declared of a live object: what the server, controllers and engines wrote goes, and so do defaults. Which
//! fields may be defaults is known here; that they are is the server's word: it is asked what it makes of the object without
//! them, and what its answer lacks is put back. Pure: whoever asks the server drives this.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::arrange::arrange;
use super::managed::{Owners, owners};
use super::pair::children;
use super::path::{Path, Step, child};
use super::walk::{Against, is_plain, walk};
use super::{by_design, defaults};
use crate::object::builtin::builtin;
use crate::object::normalize::LAST_APPLIED;
use crate::object::{LiveObject, api_group};

/// What is known of an object beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// What Git declares of it.
    pub declared: Option<&'a Value>,
    /// An autoscaler sets its replicas.
    pub scaled: bool,
    /// Of a custom resource: the schema of its version (`openAPIV3Schema`), which has defaults.
    pub schema: Option<&'a Value>,
    /// Of a custom resource: its status is a field as any other.
    pub status_is_data: bool,
    /// The marks of engines stay: the object goes to another cluster, where they are to know it for theirs.
    pub keeps_marks: bool,
}

/// A live object on its way to a manifest.
pub struct Cleaning<'a> {
    live: &'a Value,
    object: &'a LiveObject,
    known: Known<'a>,
    /// What `kubectl apply` applied last.
    applied: Option<Value>,
    group: &'a str,
    kind: &'a str,
    /// The object without what others wrote.
    own: Value,
    /// Fields of `own` that may be defaults, and are left out.
    dropped: BTreeSet<String>,
    /// Fields that are not: they were put back.
    kept: BTreeSet<String>,
}

/// What an answer of the server taught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    /// It makes the live object of the draft.
    Proven,
    /// Some fields were no defaults and are back: ask again.
    Mended,
    /// It makes something else of it, and no field that was left out is why: these paths differ.
    Differs(Vec<String>),
}

/// What an object is.
const IDENTITY: &[&str] = &[".apiVersion", ".kind", ".metadata.name", ".metadata.namespace"];

/// Finalizers that Kubernetes itself sets: names without a domain, and these.
const FINALIZERS: &[&str] = &["kubernetes.io/*", "*.kubernetes.io/*", "*.k8s.io/*"];

/// Fields that the server fills in while it creates the object, so that whoever created it is said to own them.
/// (group, kind, pattern); what is in `by_design` beside these is written later, by a controller under its own name.
#[rustfmt::skip]
const AT_CREATION: &[(&str, &str, &str)] = &[
    ("", "Service", "*"),
    ("batch", "Job", "*"),
    ("", "Namespace", "*"),
    ("", "Pod", "*kube-api-access-*"),
    ("apiregistration.k8s.io", "APIService", "*"),
];

/// Labels and annotations by which engines mark what they apply; on an object that no engine declares they are copies.
/// (pattern of the path, value)
const ENGINES: &[(&str, &str)] = &[
    (".metadata.labels[kustomize.toolkit.fluxcd.io/*", "*"),
    (".metadata.labels[helm.toolkit.fluxcd.io/*", "*"),
    (".metadata.annotations[meta.helm.sh/*", "*"),
    (".metadata.labels[app.kubernetes.io/managed-by]", "Helm"),
    (".metadata.labels[argocd.argoproj.io/instance]", "*"),
    (".metadata.labels[applyset.kubernetes.io/part-of]", "*"),
    (".metadata.labels[kapp.k14s.io/*", "*"),
    (".metadata.annotations[kapp.k14s.io/*", "*"),
    (".metadata.labels[gitops.jenkins-x.io/pipeline]", "*"),
    (".metadata.labels[objectset.rio.cattle.io/*", "*"),
    (".metadata.annotations[objectset.rio.cattle.io/*", "*"),
];

/// Fields that the server may have copied from elsewhere in the object; where it did is proven. (group, kind, pattern)
const COPIED: &[(&str, &str, &str)] = &[
    ("batch", "Job", ".metadata.labels*"),
    ("", "ReplicationController", ".metadata.labels*"),
];

/// What people write though the server would put it there by itself. (pattern, why)
const WRITTEN: &[(&str, &str)] = &[
    ("*.emptyDir", "a volume without a source puzzles readers"),
    (".roleRef.apiGroup", "other tools than the server want it"),
    (".subjects*.apiGroup", "likewise"),
];

/// Whose a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Somebody declared it.
    Declared,
    /// The server's, a controller's, an engine's: it goes.
    Others,
    /// Perhaps the server's: a default.
    Doubtful,
}

impl<'a> Cleaning<'a> {
    /// `live` is the object as the server gives it, `object` its metadata with the managers' fields.
    pub fn new(live: &'a Value, object: &'a LiveObject, known: Known<'a>) -> Self {
        let annotations = live.pointer("/metadata/annotations");
        let applied = annotations.and_then(|all| all.get(LAST_APPLIED)?.as_str());
        let api_version = live["apiVersion"].as_str().unwrap_or_default();
        let mut cleaning = Self {
            live,
            object,
            known,
            applied: applied.and_then(|text| serde_json::from_str(text).ok()),
            group: api_group(api_version),
            kind: live["kind"].as_str().unwrap_or_default(),
            own: Value::Null,
            dropped: BTreeSet::new(),
            kept: BTreeSet::new(),
        };
        cleaning.own = cleaning.owned(live, &Path::default()).unwrap_or_default();
        let mut dropped = BTreeSet::new();
        cleaning.doubtful(&cleaning.own, &Path::default(), &mut dropped);
        cleaning.dropped = dropped;
        cleaning
    }

    /// The manifest, as far as is known: without what others wrote and without what may be defaults; keys in the order in
    /// which people write them.
    pub fn draft(&self) -> Value {
        let mut value = self.without(&self.own, &Path::default()).unwrap_or_default();
        arrange(&mut value, builtin(self.group, self.kind).is_none());
        value
    }

    /// Whether anything is left out that may be a default.
    pub fn is_in_doubt(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Learns from what the server makes of the draft in place of the live object, or of the draft under another name.
    pub fn learn(&mut self, answer: &Value) -> Learned {
        let paths = self.differing(answer);
        if paths.is_empty() {
            return Learned::Proven;
        }
        let related = |one: &String| paths.iter().any(|path| is_on_the_way(one, path));
        let back: Vec<String> = self.dropped.iter().filter(|one| related(one)).cloned().collect();
        match self.put_back(back) {
            true => Learned::Mended,
            false => Learned::Differs(paths),
        }
    }

    /// Puts back what the server's refusal names (`spec.containers[0].image`); says whether there was any of it.
    pub fn put_back_named(&mut self, fields: &[String]) -> bool {
        let mut named = BTreeSet::new();
        self.numbered(&self.own, &Path::default(), "", fields, &mut named);
        let related = |one: &&String| named.iter().any(|path| is_on_the_way(one, path));
        let back = self.dropped.iter().filter(related).cloned().collect();
        self.put_back(back)
    }

    /// Puts everything back that may be a default; says whether there was any of it.
    pub fn put_all_back(&mut self) -> bool {
        let all = self.dropped.iter().cloned().collect();
        self.put_back(all)
    }

    fn put_back(&mut self, back: Vec<String>) -> bool {
        let any = !back.is_empty();
        for path in back {
            self.dropped.remove(&path);
            self.kept.insert(path);
        }
        any
    }

    /// Where the server's answer is not the live object; what is others' does not count.
    fn differing(&self, answer: &Value) -> Vec<String> {
        let answer = self.owned(answer, &Path::default()).unwrap_or_default();
        let found = walk(&answer, &self.own, Against::Server).into_iter();
        let paths = found.map(|(path, _)| path.to_string());
        // A name of its own, if it was created beside.
        paths
            .filter(|path| path != ".metadata.name" && path != ".metadata")
            .collect()
    }

    /// What is left of a value without what others wrote.
    fn owned(&self, value: &Value, path: &Path) -> Option<Value> {
        if !path.0.is_empty() && self.whose(path, value) == Whose::Others {
            return None;
        }
        let left = match value {
            Value::Object(map) => {
                let inner = map.iter().filter_map(|(key, value)| {
                    let value = self.owned(value, &path.child(Step::Field(key.clone())))?;
                    Some((key.clone(), value))
                });
                Value::Object(inner.collect())
            }
            Value::Array(list) => {
                let inner = list.iter().zip(steps(value, path));
                let left = inner.filter_map(|(one, step)| self.owned(one, &path.child(step)));
                Value::Array(left.collect())
            }
            plain => plain.clone(),
        };
        // What had nothing but others' in it is theirs.
        let emptied = is_empty(&left) && !is_empty(value);
        (!emptied || path.0.is_empty()).then_some(left)
    }

    /// Collects what may be defaults; says whether all of this is.
    fn doubtful(&self, value: &Value, path: &Path, found: &mut BTreeSet<String>) -> bool {
        let inner = match value {
            Value::Array(list) if is_plain(list) => Vec::new(),
            _ => children(value),
        };
        if inner.is_empty() {
            let doubtful = self.whose(path, value) == Whose::Doubtful;
            if doubtful {
                found.insert(path.to_string());
            }
            return doubtful;
        }
        let all = inner.into_iter().fold(true, |all, (step, value)| {
            self.doubtful(value, &path.child(step), found) && all
        });
        // A whole element, whatever is in it (a toleration that admission adds); what is keyed by a default is another.
        if !all && !path.0.is_empty() && self.is_default(path, value) && self.whose(path, value) == Whose::Doubtful {
            found.insert(path.to_string());
            return true;
        }
        all
    }

    /// The value without what was dropped, and without what is empty because of that.
    fn without(&self, value: &Value, path: &Path) -> Option<Value> {
        if self.dropped.contains(&path.to_string()) {
            return None;
        }
        match value {
            Value::Object(map) if !map.is_empty() => {
                let inner = map.iter().filter_map(|(key, value)| {
                    let value = self.without(value, &path.child(Step::Field(key.clone())))?;
                    Some((key.clone(), value))
                });
                let map: Map<String, Value> = inner.collect();
                (!map.is_empty()).then_some(Value::Object(map))
            }
            Value::Array(list) if !is_plain(list) => {
                let inner = list.iter().zip(steps(value, path));
                let list: Vec<Value> = inner
                    .filter_map(|(one, step)| self.without(one, &path.child(step)))
                    .collect();
                (!list.is_empty()).then_some(Value::Array(list))
            }
            other => Some(other.clone()),
        }
    }

    fn whose(&self, path: &Path, value: &Value) -> Whose {
        let text = path.to_string();
        if IDENTITY.contains(&text.as_str()) {
            return Whose::Declared;
        }
        if self.is_the_servers(path, &text, value) {
            return Whose::Others;
        }
        let owners = owners(&self.object.managers, self.live, path);
        if self.is_declared(path, value, &owners) {
            return Whose::Declared;
        }
        if self.is_a_controllers(path, &text, value, &owners) {
            return Whose::Others;
        }
        let unknown = self.object.managers.iter().all(|manager| manager.fields.is_none());
        let nobodys = !unknown && owners.indices.is_empty() && !path.begins(&["metadata"]);
        let written = WRITTEN.iter().any(|(pattern, _)| by_design::matches(pattern, &text));
        // That somebody wrote an empty mapping, managers do not tell everywhere.
        match (nobodys && !is_empty(value)) || self.is_default(path, value) {
            true if !written => Whose::Doubtful,
            _ => Whose::Declared,
        }
    }

    /// Written by the server whatever anybody declares.
    fn is_the_servers(&self, path: &Path, text: &str, value: &Value) -> bool {
        let undeclared = || self.known.declared.is_none_or(|declared| path.at(declared).is_none());
        value.is_null()
            || (!self.known.keeps_marks && is_an_engines(text, value) && undeclared())
            || (path.begins(&["status"]) && !self.known.status_is_data)
            || path.begins(&["metadata", "ownerReferences"])
            || (by_design::field(self.group, self.kind, text, true) && path.last_field() != "caBundle")
    }

    /// Somebody said so: Git, the last `kubectl apply`, a server-side apply.
    fn is_declared(&self, path: &Path, value: &Value, owners: &Owners) -> bool {
        let known = |object: Option<&Value>| object.is_some_and(|object| path.at(object).is_some());
        let applies = |index: &usize| {
            let manager = &self.object.managers[*index];
            manager.operation == "Apply" && !by_design::controller(&manager.name)
        };
        // A list that is applied as one holds defaults, too.
        let as_written = || !owners.as_part || !self.is_default(path, value);
        known(self.known.declared) || known(self.applied.as_ref()) || owners.indices.iter().any(applies) && as_written()
    }

    /// Written by a controller, or allocated by the server.
    fn is_a_controllers(&self, path: &Path, text: &str, value: &Value, owners: &Owners) -> bool {
        if self.known.scaled && path.begins(&["spec", "replicas"]) {
            return true;
        }
        let controllers = |index: &usize| {
            let manager = &self.object.managers[*index];
            manager.subresource == "status" || by_design::controller(&manager.name)
        };
        let by_controllers = !owners.indices.is_empty() && owners.indices.iter().all(controllers);
        if path.begins(&["metadata", "finalizers"]) && path.0.len() > 2 {
            let by_hand = |index: &usize| by_design::by_hand(&self.object.managers[*index].name);
            return is_kubernetes_finalizer(value) || !owners.indices.iter().any(by_hand);
        }
        // Headless, and families that were asked for, are no allocation.
        if text == ".spec.clusterIP" && value == "None" || text == ".spec.ipFamilyPolicy" && value != "SingleStack" {
            return false;
        }
        if by_design::field(self.group, self.kind, text, false) && path.last_field() != "caBundle" {
            let at_creation = AT_CREATION.iter().any(|(group, kind, pattern)| {
                self.group == *group && self.kind == *kind && by_design::matches(pattern, text)
            });
            return at_creation || by_controllers || owners.indices.is_empty();
        }
        by_controllers && !(path.begins(&["spec", "replicas"]) || path.0.len() == 1)
    }

    /// Whether the server is known to put this value there.
    fn is_default(&self, path: &Path, value: &Value) -> bool {
        let text = path.to_string();
        let copied = |(group, kind, pattern): &(&str, &str, &str)| {
            self.group == *group && self.kind == *kind && by_design::matches(pattern, &text)
        };
        COPIED.iter().any(copied)
            || defaults::is_default(self.group, self.kind, &text, value)
            || self.known.schema.is_some_and(|schema| {
                let default = path.0.iter().try_fold(schema, |schema, step| below(schema, step));
                default.and_then(|schema| schema.get("default")) == Some(value)
            })
    }

    /// Paths of the fields that a refusal names by numbers.
    fn numbered(&self, value: &Value, path: &Path, text: &str, fields: &[String], found: &mut BTreeSet<String>) {
        if !text.is_empty() && fields.iter().any(|field| field == text) {
            found.insert(path.to_string());
        }
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let text = if text.is_empty() {
                        key.clone()
                    } else {
                        format!("{text}.{key}")
                    };
                    self.numbered(value, &path.child(Step::Field(key.clone())), &text, fields, found);
                }
                // A field that is not there: what lies around it.
                let missing = |field: &&String| {
                    field.strip_prefix(text).is_some_and(|rest| {
                        let rest = rest.trim_start_matches('.');
                        !rest.is_empty() && !rest.contains(['.', '[']) && !map.contains_key(rest)
                    })
                };
                if !text.is_empty() && fields.iter().any(|field| missing(&field)) {
                    found.insert(path.to_string());
                }
            }
            Value::Array(list) => {
                for (index, (value, step)) in list.iter().zip(steps(value, path)).enumerate() {
                    self.numbered(value, &path.child(step), &format!("{text}[{index}]"), fields, found);
                }
            }
            _ => {}
        }
    }
}

/// The steps to the elements of a list.
fn steps(list: &Value, path: &Path) -> Vec<Step> {
    let Value::Array(plain) = list else {
        return Vec::new();
    };
    if path.last_field() == "finalizers" {
        return plain.iter().cloned().map(Step::Item).collect();
    }
    match is_plain(plain) {
        true => (0..plain.len()).map(Step::Index).collect(),
        false => children(list).into_iter().map(|(step, _)| step).collect(),
    }
}

/// The schema of what is below, one step on.
fn below<'s>(schema: &'s Value, step: &Step) -> Option<&'s Value> {
    match step {
        Step::Field(name) => {
            let known = schema.get("properties").and_then(|all| all.get(name));
            known.or_else(|| schema.get("additionalProperties"))
        }
        _ => schema.get("items"),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Whether a field, as a drift names it, with this value holds nothing but marks of engines: they set them when they apply the object.
pub fn is_mark(path: &str, value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty() && map.iter().all(|(key, value)| is_mark(&child(path, key), value)),
        value => is_an_engines(path, value),
    }
}

/// Whether an engine marks what it applies by this.
fn is_an_engines(text: &str, value: &Value) -> bool {
    let fits = |(pattern, of): &&(&str, &str)| by_design::matches(pattern, text) && (*of == "*" || value == of);
    ENGINES.iter().any(|row| fits(&row))
}

fn is_kubernetes_finalizer(value: &Value) -> bool {
    let name = value.as_str().unwrap_or_default();
    !name.contains('/') || FINALIZERS.iter().any(|pattern| by_design::matches(pattern, name))
}

/// Whether one path is the other, or lies above or below it.
fn is_on_the_way(one: &str, other: &str) -> bool {
    let above = |a: &str, b: &str| {
        b.strip_prefix(a)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    above(one, other) || above(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Manager;
    use serde_json::json;

    fn manager(name: &str, operation: &str, fields: Value) -> Manager {
        Manager {
            name: name.to_owned(),
            operation: operation.to_owned(),
            subresource: String::new(),
            time: String::new(),
            fields: Some(Box::new(fields)),
        }
    }

    fn draft(live: &Value, managers: Vec<Manager>, known: Known<'_>) -> Value {
        let object = LiveObject {
            managers,
            ..LiveObject::default()
        };
        Cleaning::new(live, &object, known).draft()
    }

    fn service() -> Value {
        json!({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a", "uid": "1", "creationTimestamp": "x",
            "labels": {"app": "a", "kustomize.toolkit.fluxcd.io/name": "apps"}, "finalizers": ["a.example/b", "service.kubernetes.io/load-balancer-cleanup"],
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "x"}},
            "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "type": "NodePort",
                "sessionAffinity": "None", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30080}]},
            "status": {"loadBalancer": {}}})
    }

    fn all_of(live: &Value) -> Value {
        match live {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (format!("f:{key}"), all_of(value)))
                .collect(),
            _ => json!({}),
        }
    }

    #[test]
    fn what_the_server_allocates_stays_only_if_somebody_asked_for_it() {
        let live = service();
        let created = || vec![manager("kubectl-create", "Update", all_of(&live))];
        let plain = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": {"app": "a"},
            "finalizers": ["a.example/b"]}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
        assert_eq!(draft(&live, created(), Known::default()), plain);
        let declared = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}});
        let known = Known {
            declared: Some(&declared),
            ..Known::default()
        };
        let kept = draft(&live, created(), known);
        assert_eq!(
            kept["spec"]["ports"],
            json!([{"port": 80, "protocol": "TCP", "nodePort": 30080}])
        );
        assert_eq!(kept["spec"].get("clusterIP"), None);
        let applied = manager("kubectl", "Apply", json!({"f:spec": {"f:clusterIP": {}}}));
        let kept = draft(&live, vec![applied], Known::default());
        assert_eq!(kept["spec"]["clusterIP"], "10.0.0.1");
        let mut live = service();
        live["metadata"]["annotations"][LAST_APPLIED] = json!({"spec": {"sessionAffinity": "None"}}).to_string().into();
        let kept = draft(
            &live,
            vec![manager("kubectl-client-side-apply", "Update", all_of(&live))],
            Known::default(),
        );
        assert_eq!(kept["spec"]["sessionAffinity"], "None");
        assert!(
            kept["metadata"].get("annotations").is_none(),
            "the annotation itself goes"
        );
    }

    #[test]
    fn what_controllers_wrote_goes_and_what_people_wrote_stays() {
        let live = json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "a"},
            "spec": {"volumeName": "pv-1", "accessModes": ["ReadWriteOnce"]}});
        let by = |name: &str| {
            let binder = manager(name, "Update", json!({"f:spec": {"f:volumeName": {}}}));
            let person = manager("kubectl-create", "Update", json!({"f:spec": {"f:accessModes": {}}}));
            draft(&live, vec![person, binder], Known::default())
        };
        assert_eq!(by("kube-controller-manager")["spec"].get("volumeName"), None);
        assert_eq!(by("kubectl-edit")["spec"]["volumeName"], "pv-1");
        let hook = json!({"kind": "ValidatingWebhookConfiguration", "apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "a"},
            "webhooks": [{"name": "w", "clientConfig": {"url": "https://w", "caBundle": "Q0E="}}]});
        let bundle = |name: &str| {
            let fields = json!({"f:webhooks": {"k:{\"name\":\"w\"}": {"f:clientConfig": {"f:caBundle": {}}}}});
            let rest = json!({"f:webhooks": {"k:{\"name\":\"w\"}": {".": {}, "f:name": {}, "f:clientConfig": {".": {}, "f:url": {}}}}});
            let managers = vec![
                manager("kubectl-create", "Update", rest),
                manager(name, "Update", fields),
            ];
            draft(&hook, managers, Known::default())["webhooks"][0]["clientConfig"]
                .get("caBundle")
                .cloned()
        };
        assert_eq!(bundle("cainjector"), None);
        assert_eq!(bundle("kubectl-patch"), Some("Q0E=".into()));
        let scaled = json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "a"}, "spec": {"replicas": 7, "paused": true}});
        let known = Known {
            scaled: true,
            ..Known::default()
        };
        assert_eq!(draft(&scaled, Vec::new(), known)["spec"], json!({"paused": true}));
    }

    #[test]
    fn defaults_go_and_what_the_answer_lacks_comes_back() {
        let live = json!({"kind": "Rail", "apiVersion": "x.example/v1", "metadata": {"name": "a"},
            "spec": {"mode": "batch", "retries": 3, "mtls": {"selfSigned": {}}}, "status": {"phase": "done"}});
        let schema =
            json!({"properties": {"spec": {"properties": {"mode": {"default": "batch"}, "retries": {"default": 3}}}}});
        let known = Known {
            schema: Some(&schema),
            ..Known::default()
        };
        let object = LiveObject {
            managers: vec![manager("kubectl-create", "Update", all_of(&live))],
            ..LiveObject::default()
        };
        let mut cleaning = Cleaning::new(&live, &object, known);
        assert_eq!(cleaning.draft()["spec"], json!({"mtls": {"selfSigned": {}}}));
        let mut answer = live.clone();
        answer["metadata"]["resourceVersion"] = "7".into();
        assert_eq!(cleaning.learn(&answer), Learned::Proven);
        answer["spec"]
            .as_object_mut()
            .expect("because it is one")
            .shift_remove("retries");
        assert_eq!(cleaning.learn(&answer), Learned::Mended);
        assert_eq!(
            cleaning.draft()["spec"],
            json!({"retries": 3, "mtls": {"selfSigned": {}}})
        );
        answer["spec"]["mtls"] = json!({});
        assert_eq!(
            cleaning.learn(&answer),
            Learned::Differs(vec![".spec.mtls.selfSigned".to_owned(), ".spec.retries".to_owned()])
        );
        assert!(cleaning.put_back_named(&["spec.mode".to_owned()]));
        assert_eq!(cleaning.draft()["spec"]["mode"], "batch");
        assert!(!cleaning.put_all_back() && !cleaning.is_in_doubt());
        let known = Known {
            status_is_data: true,
            ..Known::default()
        };
        assert_eq!(draft(&live, Vec::new(), known)["status"], json!({"phase": "done"}));
    }
}
