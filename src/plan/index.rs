//! Items found by what others know of them, so that no rule ever scans all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::admission::Admission;
use super::item::{Item, text};
use super::selector::{Labelled, Labels, Selector, Selectors};
use crate::object::{Facts, ObjectId, Scope, Turn, Unit, UnitIndex};

/// Annotations that mark a class as the default one.
const DEFAULT_CLASS: [&str; 3] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
    "ingressclass.kubernetes.io/is-default-class",
];

/// Nodes by two names.
type Pairs<'a> = HashMap<&'a str, HashMap<&'a str, Vec<u32>>>;

fn pair<'m, 'a>(pairs: &'m mut Pairs<'a>, first: &'a str, second: &'a str) -> &'m mut Vec<u32> {
    pairs.entry(first).or_default().entry(second).or_default()
}

fn of_pair<'m>(pairs: &'m Pairs<'_>, first: &str, second: &str) -> &'m [u32] {
    let found = pairs.get(first).and_then(|pairs| pairs.get(second));
    found.map_or(&[], Vec::as_slice)
}

/// Weights of the Helm hooks of a unit.
#[derive(Default)]
pub(crate) struct Weights {
    pub before: BTreeSet<i64>,
    pub after: BTreeSet<i64>,
}

/// All items, sorted by identity, and the ways to find them. Nodes are places in `items`.
pub(crate) struct Index<'a> {
    pub items: &'a [Item<'a>],
    pub facts: &'a Facts,
    pub units: &'a [Unit],
    /// The objects of units of which nothing could be rendered.
    pub not_rendered: &'a BTreeMap<ObjectId, String>,
    ids: HashMap<&'a ObjectId, u32>,
    kinds: Pairs<'a>,
    limits: Pairs<'a>,
    pods: HashMap<&'a str, Labelled<'a>>,
    policies: HashMap<&'a str, Selectors<'a>>,
    bindings: Pairs<'a>,
    crds: HashMap<(&'a str, &'a str), u32>,
    api_services: HashMap<(&'a str, &'a str), u32>,
    claims: Pairs<'a>,
    free_volumes: HashMap<&'a str, Vec<u32>>,
    default_classes: HashMap<(&'a str, &'a str), u32>,
    pub hooks: HashMap<UnitIndex, Weights>,
    /// The turns that a unit goes through.
    pub turns: HashMap<UnitIndex, BTreeSet<Turn>>,
    /// Units by the objects by which their engines know them.
    pub units_by_object: HashMap<&'a ObjectId, UnitIndex>,
    members: HashMap<UnitIndex, Vec<u32>>,
    pub change_groups: BTreeMap<&'a str, Vec<u32>>,
    pub admission: Admission<'a>,
}

impl<'a> Index<'a> {
    pub fn new(
        items: &'a [Item<'a>],
        facts: &'a Facts,
        units: &'a [Unit],
        not_rendered: &'a BTreeMap<ObjectId, String>,
    ) -> Self {
        let mut index = Self {
            items,
            facts,
            units,
            not_rendered,
            ids: HashMap::with_capacity(items.len()),
            kinds: Pairs::new(),
            limits: Pairs::new(),
            pods: HashMap::new(),
            policies: HashMap::new(),
            bindings: Pairs::new(),
            crds: HashMap::new(),
            api_services: HashMap::new(),
            claims: Pairs::new(),
            free_volumes: HashMap::new(),
            default_classes: HashMap::new(),
            hooks: HashMap::new(),
            turns: HashMap::new(),
            units_by_object: HashMap::new(),
            members: HashMap::new(),
            change_groups: BTreeMap::new(),
            admission: Admission::default(),
        };
        for (number, unit) in units.iter().enumerate() {
            if let Some(engine) = &unit.engine {
                index.units_by_object.insert(&engine.object, UnitIndex(number));
            }
        }
        for (node, item) in (0..).zip(items) {
            index.add(node, item);
        }
        index.admission = Admission::new(&index);
        index
    }

    fn add(&mut self, node: u32, item: &'a Item<'a>) {
        let id = &item.id;
        self.ids.insert(id, node);
        pair(&mut self.kinds, &id.group, &id.kind).push(node);
        if let Some(namespace) = item.namespace() {
            if id.group.is_empty() && matches!(&*id.kind, "LimitRange" | "ResourceQuota") {
                pair(&mut self.limits, &id.kind, namespace).push(node);
            }
            if let Some(pod) = item.pod() {
                self.pods.entry(namespace).or_default().add(node, pod.labels);
            }
            if item.is("networking.k8s.io", "NetworkPolicy") {
                let selector = Selector::read(item.at("/spec/podSelector"));
                self.policies.entry(namespace).or_default().add(node, selector);
            }
        }
        self.add_named(node, item);
    }

    fn add_named(&mut self, node: u32, item: &'a Item<'a>) {
        match (&*item.id.group, &*item.id.kind) {
            ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
                for subject in item.list("/subjects") {
                    if text(subject, "/kind") == "ServiceAccount" {
                        let namespace = match text(subject, "/namespace") {
                            "" => item.namespace().unwrap_or_default(),
                            namespace => namespace,
                        };
                        let bindings = pair(&mut self.bindings, namespace, text(subject, "/name"));
                        if bindings.last() != Some(&node) {
                            bindings.push(node);
                        }
                    }
                }
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let kind = (item.text("/spec/group"), item.text("/spec/names/kind"));
                self.crds.insert(kind, node);
            }
            ("apiregistration.k8s.io", "APIService") if item.at("/spec/service").is_some_and(Value::is_object) => {
                let version = (item.text("/spec/group"), item.text("/spec/version"));
                self.api_services.insert(version, node);
            }
            ("", "PersistentVolume") => {
                let (namespace, claim) = (item.text("/spec/claimRef/namespace"), item.text("/spec/claimRef/name"));
                if claim.is_empty() {
                    let class = item.text("/spec/storageClassName");
                    self.free_volumes.entry(class).or_default().push(node);
                }
                pair(&mut self.claims, namespace, claim).push(node);
            }
            (group, kind @ ("StorageClass" | "IngressClass")) => {
                let marked = |key| item.annotation(key) == Some("true");
                if DEFAULT_CLASS.into_iter().any(marked) {
                    self.default_classes.entry((group, kind)).or_insert(node);
                }
            }
            _ => {}
        }
        if let Some(declared) = item.declared() {
            self.members.entry(declared.unit).or_default().push(node);
        }
        if let Some(declared) = item.declared()
            && let Some(hook) = &declared.hook
        {
            let weights = self.hooks.entry(declared.unit).or_default();
            let of = if hook.after {
                &mut weights.after
            } else {
                &mut weights.before
            };
            of.insert(hook.weight);
        }
        if let Some(declared) = item.declared()
            && let Some(turn) = declared.turn
        {
            self.turns.entry(declared.unit).or_default().insert(turn);
        }
        if let Some(groups) = item.manifest().map(super::edges::written::change_groups) {
            for group in groups {
                self.change_groups.entry(group).or_default().push(node);
            }
        }
    }

    pub fn item(&self, node: u32) -> &'a Item<'a> {
        &self.items[node as usize]
    }

    /// The items of a unit.
    pub fn members(&self, unit: UnitIndex) -> &[u32] {
        self.members.get(&unit).map_or(&[], Vec::as_slice)
    }

    /// The item of an identity.
    pub fn get(&self, id: &ObjectId) -> Option<u32> {
        self.ids.get(id).copied()
    }

    /// The item of a group, kind, namespace and name.
    pub fn find(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<u32> {
        self.get(&ObjectId::new(group, kind, namespace, name))
    }

    /// All items of a kind.
    pub fn of_kind(&self, group: &str, kind: &str) -> &[u32] {
        of_pair(&self.kinds, group, kind)
    }

    /// LimitRanges or ResourceQuotas of a namespace.
    pub fn limits(&self, kind: &'static str, namespace: &str) -> &[u32] {
        of_pair(&self.limits, kind, namespace)
    }

    /// Workloads of a namespace whose pods a selector matches.
    pub fn workloads(&self, namespace: &str, selector: &Selector<'_>) -> Vec<u32> {
        self.pods
            .get(namespace)
            .map(|pods| pods.find(selector))
            .unwrap_or_default()
    }

    /// Workloads behind a Service.
    pub fn behind(&self, namespace: &str, service: &str) -> Vec<u32> {
        let Some(service) = self.find("", "Service", Some(namespace), service) else {
            return Vec::new();
        };
        let selector = Selector::of_labels(self.item(service).at("/spec/selector"));
        if selector.is_empty() {
            return Vec::new(); // a Service without selector has no pods of its own
        }
        self.workloads(namespace, &selector)
    }

    /// Network policies of a namespace that match a pod.
    pub fn policies(&self, namespace: &str, labels: Option<&Labels>) -> Vec<u32> {
        self.policies
            .get(namespace)
            .map(|policies| policies.matching(labels))
            .unwrap_or_default()
    }

    /// Bindings that name a ServiceAccount.
    pub fn bindings(&self, namespace: &str, account: &str) -> &[u32] {
        of_pair(&self.bindings, namespace, account)
    }

    /// The CRD that brings a kind.
    pub fn crd(&self, group: &str, kind: &str) -> Option<u32> {
        self.crds.get(&(group, kind)).copied()
    }

    /// The aggregated APIService that serves a group's version.
    pub fn api_service(&self, group: &str, version: &str) -> Option<u32> {
        self.api_services.get(&(group, version)).copied()
    }

    /// PersistentVolumes that are meant for a claim.
    pub fn volumes_for(&self, namespace: &str, claim: &str) -> &[u32] {
        of_pair(&self.claims, namespace, claim)
    }

    /// PersistentVolumes of a storage class that are meant for no claim in particular.
    pub fn free_volumes(&self, class: &str) -> &[u32] {
        self.free_volumes.get(class).map_or(&[], Vec::as_slice)
    }

    /// The class of a kind that is marked as the default.
    pub fn default_class(&self, group: &str, kind: &str) -> Option<u32> {
        self.default_classes.get(&(group, kind)).copied()
    }

    /// Labels of a namespace as declared; every namespace also has its name as label, see [`super::admission`].
    pub fn namespace_labels(&self, namespace: &str) -> Option<&'a Labels> {
        let node = self.find("", "Namespace", None, namespace)?;
        self.item(node).at("/metadata/labels").and_then(Value::as_object)
    }

    /// Plural name and scope of an item's kind, as far as the target or a declared CRD says.
    pub fn plural(&self, item: &Item<'_>) -> Option<(&str, Scope)> {
        if let Some(served) = self.facts.kinds.get(&item.id.group_kind()) {
            return Some((&served.plural, served.scope));
        }
        let crd = self.item(self.crd(&item.id.group, &item.id.kind)?);
        let scope = match crd.text("/spec/scope") {
            "Cluster" => Scope::Cluster,
            _ => Scope::Namespaced,
        };
        Some((crd.text("/spec/names/plural"), scope))
    }
}
