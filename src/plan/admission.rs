//! Which webhooks and admission policies look at which objects when they are created.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::index::Index;
use super::item::{Item, list, text};
use super::selector::{Labels, Selector};
use crate::object::Scope;

const GROUP: &str = "admissionregistration.k8s.io";

/// What looks at objects when they are created.
#[derive(Default)]
pub(crate) struct Admission<'a> {
    guards: Vec<Guard<'a>>,
    /// By group and plural; `*` stands for itself.
    by_resource: HashMap<(&'a str, &'a str), Vec<usize>>,
    namespaces: HashMap<&'a str, Labels>,
}

/// One webhook of a configuration, or one policy binding.
pub(crate) struct Guard<'a> {
    /// The configuration or binding.
    pub node: u32,
    /// A webhook, else a policy.
    pub webhook: bool,
    /// Refuses what it cannot look at.
    pub closed: bool,
    mutating: bool,
    namespaces: Selector<'a>,
    objects: Selector<'a>,
    rules: Vec<&'a Value>,
}

/// An object as admission sees it.
struct Seen<'b> {
    group: &'b str,
    plural: &'b str,
    scope: Scope,
    labels: Option<&'b Labels>,
}

impl<'a> Admission<'a> {
    pub fn new(index: &Index<'a>) -> Self {
        let mut admission = Self::default();
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            for node in index.of_kind(GROUP, kind) {
                for webhook in index.item(*node).list("/webhooks") {
                    admission.add(Guard {
                        node: *node,
                        webhook: true,
                        closed: fails_closed(webhook),
                        mutating: kind.starts_with('M'),
                        namespaces: Selector::read(webhook.get("namespaceSelector")),
                        objects: Selector::read(webhook.get("objectSelector")),
                        rules: list(webhook, "/rules").iter().collect(),
                    });
                }
            }
        }
        for kind in ["MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"] {
            for node in index.of_kind(GROUP, &format!("{kind}Binding")) {
                let policy = index.find(GROUP, kind, None, index.item(*node).text("/spec/policyName"));
                if let Some(matched) = policy.and_then(|policy| index.item(policy).at("/spec/matchConstraints")) {
                    admission.add(Guard {
                        node: *node,
                        webhook: false,
                        closed: true,
                        mutating: kind.starts_with('M'),
                        namespaces: Selector::read(matched.get("namespaceSelector")),
                        objects: Selector::read(matched.get("objectSelector")),
                        rules: list(matched, "/resourceRules").iter().collect(),
                    });
                }
            }
        }
        if !admission.guards.is_empty() {
            admission.label_namespaces(index);
        }
        admission
    }

    fn add(&mut self, guard: Guard<'a>) {
        let place = self.guards.len();
        for rule in guard.rules.iter().filter(|rule| on_create(rule)) {
            for group in list(rule, "/apiGroups").iter().filter_map(Value::as_str) {
                for resource in list(rule, "/resources").iter().filter_map(Value::as_str) {
                    let resource = if resource == "*/*" { "*" } else { resource };
                    let guards = self.by_resource.entry((group, resource)).or_default();
                    if guards.last() != Some(&place) {
                        guards.push(place);
                    }
                }
            }
        }
        self.guards.push(guard);
    }

    /// Every namespace has its own name as a label.
    fn label_namespaces(&mut self, index: &Index<'a>) {
        for item in index.items {
            let namespace = match &item.id.namespace {
                Some(namespace) => namespace,
                None if item.is("", "Namespace") => &item.id.name,
                None => continue,
            };
            self.namespaces.entry(namespace).or_insert_with(|| {
                let mut labels = index.namespace_labels(namespace).cloned().unwrap_or_else(Map::new);
                labels.insert(
                    "kubernetes.io/metadata.name".to_owned(),
                    Value::from(namespace.as_str()),
                );
                labels
            });
        }
    }

    /// What looks at an item, or at the pods it makes, when it is created, and either changes it or refuses when it cannot.
    pub fn of(&self, index: &Index<'a>, item: &Item<'_>) -> Vec<&Guard<'a>> {
        if self.guards.is_empty() || item.id.group == GROUP {
            return Vec::new(); // the server does not send these to webhooks
        }
        let mut found = Vec::new();
        if let Some((plural, scope)) = index.plural(item) {
            let labels = item.at("/metadata/labels").and_then(Value::as_object);
            let seen = Seen {
                group: &item.id.group,
                plural,
                scope,
                labels,
            };
            self.look(item, &seen, &mut found);
        }
        if let Some(pod) = item.pod().filter(|_| !item.is("", "Pod")) {
            let seen = Seen {
                group: "",
                plural: "pods",
                scope: Scope::Namespaced,
                labels: pod.labels,
            };
            self.look(item, &seen, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|place| &self.guards[place]).collect()
    }

    fn look(&self, item: &Item<'_>, seen: &Seen<'_>, found: &mut Vec<usize>) {
        let namespace = match item.namespace() {
            None if item.is("", "Namespace") => Some(&*item.id.name),
            namespace => namespace,
        };
        for key in [
            (seen.group, seen.plural),
            ("*", seen.plural),
            (seen.group, "*"),
            ("*", "*"),
        ] {
            for place in self.by_resource.get(&key).into_iter().flatten() {
                let guard = &self.guards[*place];
                let namespace_matches =
                    namespace.is_none_or(|name| guard.namespaces.matches(self.namespaces.get(name)));
                let scope_matches = guard.rules.iter().any(|rule| match text(rule, "/scope") {
                    "Cluster" => seen.scope == Scope::Cluster,
                    "Namespaced" => seen.scope == Scope::Namespaced,
                    _ => true,
                });
                if (guard.mutating || guard.closed)
                    && namespace_matches
                    && scope_matches
                    && guard.objects.matches(seen.labels)
                {
                    found.push(*place);
                }
            }
        }
    }
}

/// `failurePolicy` is `Fail` unless said otherwise.
pub(crate) fn fails_closed(webhook: &Value) -> bool {
    text(webhook, "/failurePolicy") != "Ignore"
}

fn on_create(rule: &Value) -> bool {
    let operations = list(rule, "/operations");
    operations
        .iter()
        .any(|operation| matches!(operation.as_str(), Some("CREATE" | "*")))
}

/// Workloads behind the Services that the webhooks of a configuration call; only of those that fail closed, or of the others.
pub(crate) fn backends(index: &Index<'_>, config: &Item<'_>, closed: bool) -> Vec<u32> {
    let mut found: Vec<u32> = (config.list("/webhooks").iter())
        .filter(|webhook| fails_closed(webhook) == closed)
        .filter_map(|webhook| webhook.pointer("/clientConfig/service"))
        .flat_map(|service| index.behind(text(service, "/namespace"), text(service, "/name")))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
