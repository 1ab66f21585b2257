//! What waits for what: one table. Adding a dependency rule is adding a row.

mod admission;
mod hooks;
mod inputs;
mod network;
mod pods;
mod secrets;
mod server;
mod storage;
mod units;
mod waves;
pub(crate) mod written;

use std::collections::{BTreeMap, HashMap, HashSet};

pub(crate) use network::target_of;
pub(crate) use secrets::{is_sealing_key, made_by};

use super::index::Index;
use super::{Strength, Until};
use crate::object::{ObjectId, Turn, UnitIndex};

/// A row: who waits, for whom, how much and why.
pub(crate) struct Rule {
    /// In [`Reason::rule`](super::Reason).
    pub name: &'static str,
    pub strength: Strength,
    pub until: Until,
    /// For people, after "because".
    pub reason: &'static str,
    /// First to go when there is a ring, and never from what the other itself waits for.
    pub yields: bool,
    /// Finds what one item waits for.
    pub find: fn(&Index<'_>, u32, &mut Sink<'_, '_>),
}

const fn hard(
    name: &'static str,
    until: Until,
    reason: &'static str,
    find: fn(&Index<'_>, u32, &mut Sink<'_, '_>),
) -> Rule {
    Rule {
        name,
        strength: Strength::Hard,
        until,
        reason,
        yields: false,
        find,
    }
}

const fn soft(
    name: &'static str,
    until: Until,
    reason: &'static str,
    find: fn(&Index<'_>, u32, &mut Sink<'_, '_>),
) -> Rule {
    Rule {
        strength: Strength::Soft,
        ..hard(name, until, reason, find)
    }
}

const fn written(name: &'static str, reason: &'static str, find: fn(&Index<'_>, u32, &mut Sink<'_, '_>)) -> Rule {
    Rule {
        strength: Strength::Written,
        ..hard(name, Until::Ready, reason, find)
    }
}

const fn yielding(name: &'static str, reason: &'static str, find: fn(&Index<'_>, u32, &mut Sink<'_, '_>)) -> Rule {
    Rule {
        yields: true,
        ..soft(name, Until::Exists, reason, find)
    }
}

use Until::{Exists, Ready, Settled};

/// The table. Where several rows give an edge between the same two, the strongest stays, then the one that holds longest,
/// then the first.
#[rustfmt::skip]
pub(crate) const RULES: &[Rule] = &[
    written("depends-on", "its annotation config.kubernetes.io/depends-on says so", written::depends_on),
    written("kapp-change-rule", "its annotation kapp.k14s.io/change-rule says so", written::change_rules),
    written("unit-after", "its unit depends on that one", units::after),
    hard("unit-object", Settled, "its engine is to find the whole unit there", units::object),
    hard("unit-maker", Exists, "its engine makes it of that", units::maker),
    hard("helm-hook", Ready, "Helm runs hooks in this order", hooks::find),
    hard("sync-wave", Ready, "Argo CD syncs in this order", waves::find),
    hard("namespace", Exists, "it lives in that namespace", server::namespace),
    hard("crd", Ready, "that CRD brings its kind", server::crd),
    hard("crd-conversion", Ready, "the server converts it to the stored version there", server::conversion),
    soft("crd-conversion-later", Ready, "other versions of its kind are converted there", server::conversion_later),
    hard("api-service", Ready, "its API is served there", server::api_service),
    soft("api-service-backend", Ready, "it serves that API; without it the API is broken", server::api_service_backend),
    hard("webhook-backend", Ready, "the webhook refuses everything until that answers", server::closed_backend),
    soft("webhook-backend-open", Ready, "that answers the webhook's calls", server::open_backend),
    soft("webhook-certificate", Ready, "its CA bundle is injected from there", server::injected_certificate),
    soft("webhook-ca-secret", Exists, "its CA bundle is injected from there", server::injected_secret),
    soft("policy", Exists, "it binds that admission policy", admission::policy),
    soft("policy-parameters", Exists, "these are the parameters of the policy it binds", admission::parameters),
    hard("pod-service-account", Exists, "the server refuses a Pod without its ServiceAccount", pods::pod_account),
    soft("service-account", Exists, "its pods run as that ServiceAccount", pods::account),
    soft("permissions", Exists, "it gives permissions to its ServiceAccount", pods::permissions),
    soft("config-map", Exists, "its pods use that ConfigMap", pods::config_maps),
    soft("secret", Exists, "its pods use that Secret", pods::secrets),
    soft("image-pull-secret", Exists, "its images are pulled with that Secret", pods::pull_secrets),
    soft("account-pull-secret", Exists, "images of its pods are pulled with that Secret", pods::account_pull_secrets),
    soft("claim", Exists, "its pods mount that volume claim", pods::claims),
    hard("pod-priority-class", Exists, "the server refuses a Pod of an unknown priority class", pods::pod_priority),
    soft("priority-class", Exists, "its pods have that priority class", pods::priority),
    hard("pod-runtime-class", Exists, "the server refuses a Pod of an unknown runtime class", pods::pod_runtime),
    soft("runtime-class", Exists, "its pods have that runtime class", pods::runtime),
    soft("resource-claim", Exists, "its pods use that device claim", pods::resource_claims),
    soft("device-class", Exists, "it asks for devices of that class", storage::device_class),
    soft("stateful-set-service", Exists, "its pods get their names from that Service", pods::governing_service),
    soft("storage-class", Exists, "its volumes are of that class", storage::storage_class),
    soft("volume", Ready, "it is to be bound to that volume", storage::volume),
    soft("csi-driver", Exists, "that driver makes its volumes", storage::csi_driver),
    soft("ingress-class", Exists, "that class routes it", network::ingress_class),
    soft("ingress-backend", Exists, "it routes to that Service", network::ingress_backends),
    soft("ingress-secret", Exists, "it serves with that certificate", network::ingress_secrets),
    soft("gateway", Exists, "it is attached to that gateway", network::gateway),
    soft("route-backend", Exists, "it routes to that Service", network::route_backends),
    soft("gateway-class", Exists, "it is of that class", network::gateway_class),
    soft("gateway-secret", Exists, "it serves with that certificate", network::gateway_secrets),
    soft("endpoints", Exists, "these are endpoints of that Service", network::endpoints),
    soft("scale-target", Exists, "it scales that workload", network::scale_target),
    soft("disruption-budget", Exists, "it protects the pods of that workload", network::disruption_budget),
    soft("role", Exists, "it binds that role", server::role),
    soft("subject", Exists, "it binds a role to that ServiceAccount", server::subjects),
    hard("token-account", Exists, "a token Secret without its ServiceAccount is deleted", secrets::token_account),
    hard("made-by", Ready, "that one makes it", secrets::maker),
    soft("sealing-key", Exists, "it opens SealedSecrets with that key", secrets::sealing_key),
    soft("issuer", Ready, "that one issues it", secrets::issuer),
    soft("issuer-secret", Exists, "it issues with that Secret", secrets::issuer_secrets),
    soft("secret-store", Ready, "its values come from that store", secrets::store),
    soft("store-credentials", Exists, "the store is opened with that", secrets::credentials),
    yielding("engine-input", "its engine reads it", inputs::inputs),
    yielding("limits", "its pods get their limits from there", pods::limits),
    yielding("network-policy", "its pods are protected by that policy", pods::network_policies),
    Rule { strength: Strength::Hard, until: Ready,
        ..yielding("webhook-live", "a webhook that is in the cluster refuses it until that answers", server::live_webhook) },
    yielding("admission-policy", "that policy checks it when it is created", admission::policies),
    yielding("admission-webhook", "that webhook looks at it when it is created", admission::webhooks),
];

/// The rows that hold for what is left to an engine: it is looked for once the engine can have begun to make it.
const OF_LEFT: &[&str] = &["unit-after", "unit-maker", "engine-input"];

/// An edge before its nodes have their place in the order; nodes from `items.len()` on are gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draft {
    pub from: u32,
    pub to: u32,
    /// Place in [`RULES`].
    pub rule: u16,
    pub strength: Strength,
    pub until: Until,
}

/// Something that is named by an item and that no item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Missing {
    pub wanted: ObjectId,
    pub by: u32,
    pub rule: u16,
}

/// A gate, while edges are found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum GateKey {
    /// Hooks of one weight of a unit: (unit, after, weight).
    Hooks(UnitIndex, bool, i64),
    /// What of a unit is no hook.
    Rest(UnitIndex),
    /// What of a unit has one turn.
    Turn(UnitIndex, Turn),
    /// What a unit depends on.
    UnitStart(UnitIndex),
    /// A unit, ready as its engine sees it.
    UnitReady(UnitIndex),
    /// A unit, at its end.
    UnitSettled(UnitIndex),
    /// The same set of nodes that many wait for.
    Set(u16, Vec<u32>),
}

/// Where rows put what they find.
pub(crate) struct Sink<'s, 'a> {
    index: &'s Index<'a>,
    rule: u16,
    from: u32,
    pub edges: Vec<Draft>,
    pub missing: Vec<Missing>,
    pub written_unknown: Vec<(u32, String)>,
    gates: HashMap<GateKey, u32>,
    pub gate_names: Vec<String>,
    /// For nodes that yielding rows wait for: all that those wait for.
    closures: HashMap<u32, HashSet<u32>>,
    adjacency: Vec<Vec<u32>>,
}

/// Above this many, waiting for all of a set goes through a gate.
const DIRECT: usize = 4;

impl<'s, 'a> Sink<'s, 'a> {
    fn new(index: &'s Index<'a>) -> Self {
        Self {
            index,
            rule: 0,
            from: 0,
            edges: Vec::new(),
            missing: Vec::new(),
            written_unknown: Vec::new(),
            gates: HashMap::new(),
            gate_names: Vec::new(),
            closures: HashMap::new(),
            adjacency: Vec::new(),
        }
    }

    fn row(&self) -> &'static Rule {
        &RULES[usize::from(self.rule)]
    }

    fn edge(&mut self, from: u32, to: u32, until: Until) {
        let (rule, strength) = (self.rule, self.row().strength);
        if from != to {
            self.edges.push(Draft {
                from,
                to,
                rule,
                strength,
                until,
            });
        }
    }

    /// The item waits for another one.
    pub fn wait(&mut self, to: u32) {
        if self.row().yields && self.holds_up(to) {
            return;
        }
        self.edge(self.from, to, self.row().until);
    }

    /// Whether `to` itself waits for the item.
    fn holds_up(&mut self, to: u32) -> bool {
        let adjacency = &self.adjacency;
        let closure = self.closures.entry(to).or_insert_with(|| {
            let mut seen = HashSet::from([to]);
            let mut open = vec![to];
            while let Some(node) = open.pop() {
                let next = adjacency.get(node as usize).into_iter().flatten();
                open.extend(next.filter(|next| seen.insert(**next)));
            }
            seen
        });
        closure.contains(&self.from)
    }

    /// The item needs another one: waits for it, or says that it is missing.
    pub fn need(&mut self, group: &str, kind: &str, namespace: Option<&str>, name: &str) {
        if name.is_empty() {
            return;
        }
        let id = ObjectId::new(group, kind, namespace, name);
        match self.index.get(&id) {
            Some(node) => self.wait(node),
            None => self.missing.push(Missing {
                wanted: id,
                by: self.from,
                rule: self.rule,
            }),
        }
    }

    /// The item waits for another one if there is such.
    pub fn like(&mut self, group: &str, kind: &str, namespace: Option<&str>, name: &str) {
        if let Some(node) = self.index.find(group, kind, namespace, name) {
            self.wait(node);
        }
    }

    /// The item waits for all of a set, through a gate where it is large, so that n waiting for m cost n + m.
    pub fn wait_all(&mut self, name: &str, targets: &[u32]) {
        let mut targets: Vec<u32> = targets.iter().copied().filter(|to| *to != self.from).collect();
        if self.row().yields {
            targets.retain(|to| !self.holds_up(*to));
        }
        targets.sort_unstable();
        targets.dedup();
        if targets.len() <= DIRECT {
            for to in targets {
                self.edge(self.from, to, self.row().until);
            }
            return;
        }
        let key = GateKey::Set(self.rule, targets.clone());
        let (gate, is_new) = self.new_gate(key, || name.to_owned());
        if is_new {
            for to in targets {
                self.edge(gate, to, self.row().until);
            }
        }
        self.edge(self.from, gate, Until::Ready);
    }

    /// All of a set wait for the item.
    pub fn precede(&mut self, members: &[u32]) {
        for from in members {
            self.edge(*from, self.from, self.row().until);
        }
    }

    /// The gate of a key.
    fn gate(&mut self, key: GateKey, name: impl FnOnce() -> String) -> u32 {
        let next = (self.index.items.len() + self.gate_names.len()) as u32;
        let names = &mut self.gate_names;
        *self.gates.entry(key).or_insert_with(|| {
            names.push(name());
            next
        })
    }

    /// The gate of a key, and whether it was made just now.
    fn new_gate(&mut self, key: GateKey, name: impl FnOnce() -> String) -> (u32, bool) {
        let known = self.gates.contains_key(&key);
        (self.gate(key, name), !known)
    }

    /// A person named something that is not declared.
    pub fn unknown(&mut self, text: &str) {
        self.written_unknown.push((self.from, text.to_owned()));
    }

    fn link(&mut self) {
        self.adjacency = vec![Vec::new(); self.index.items.len() + self.gate_names.len()];
        for edge in &self.edges {
            self.adjacency[edge.from as usize].push(edge.to);
        }
    }
}

/// All edges, in two passes: rows that yield come second and know what the others said.
pub(crate) fn find<'s, 'a>(index: &'s Index<'a>) -> Sink<'s, 'a> {
    let mut sink = Sink::new(index);
    for yields in [false, true] {
        for node in 0..index.items.len() as u32 {
            // Whatever order it keeps, an engine makes what is left to it by itself.
            let is_left = index.item(node).left_to.is_some();
            let rows = (0..).zip(RULES).filter(|(_, row)| row.yields == yields);
            for (rule, row) in rows.filter(|(_, row)| !is_left || OF_LEFT.contains(&row.name)) {
                (sink.rule, sink.from) = (rule, node);
                (row.find)(index, node, &mut sink);
            }
        }
        if !yields {
            sink.link();
        }
    }
    sink
}

/// Of several edges between the same two keeps the strongest, then the one that holds longest, then the first row's.
pub(crate) fn strongest(edges: &mut Vec<Draft>) {
    let mut best: BTreeMap<(u32, u32), Draft> = BTreeMap::new();
    for edge in edges.drain(..) {
        let rank = |edge: &Draft| (edge.strength, edge.until, std::cmp::Reverse(edge.rule));
        best.entry((edge.from, edge.to))
            .and_modify(|kept| {
                if rank(&edge) > rank(kept) {
                    *kept = edge;
                }
            })
            .or_insert(edge);
    }
    edges.extend(best.into_values());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{ExistingObject, ObjectId};
    use crate::plan::testing::{edges, facts, planned_for};
    use crate::plan::{Mode, Plan, PlanOptions};
    use serde_json::Value;

    fn fixtures() -> Vec<Value> {
        let text = include_str!("fixtures.yaml");
        serde_yaml::from_str(text).expect("because the fixtures are good YAML")
    }

    fn plan_of(fixture: &Value) -> Plan {
        let mut facts = facts();
        if let Some(existing) = fixture.get("existing").and_then(Value::as_str) {
            let (kind, name) = existing.split_once('/').expect("because it is Kind/name");
            let existing = ExistingObject {
                uid: "u".to_owned(),
                resource_version: "1".to_owned(),
                terminating: false,
                managers: Default::default(),
                replicas: None,
                failed: false,
                change: None,
            };
            let id = ObjectId::new("admissionregistration.k8s.io", kind, None, name);
            facts.existing.insert(id, existing);
        }
        let options = PlanOptions {
            old_cluster_is_gone: true,
            mode: match fixture["mode"].as_str() {
                Some("engine") => Mode::Engine,
                _ => Mode::Direct,
            },
            ..PlanOptions::default()
        };
        let objects = fixture["objects"].as_array().cloned().unwrap_or_default();
        planned_for(objects, &facts, &options)
    }

    #[test]
    fn every_row_fires_on_its_fixture() {
        let mut fired = HashSet::new();
        for fixture in fixtures() {
            let field = |key: &str| fixture[key].as_str().unwrap_or_default().to_owned();
            let row = RULES.iter().find(|row| row.name == field("rule"));
            let row = row.expect("because fixtures name rows of the table");
            let found = edges(&plan_of(&fixture));
            let expected = (field("from"), field("to"), row.name);
            assert!(found.contains(&expected), "{expected:?} is not among {found:#?}");
            fired.insert(row.name);
        }
        for row in RULES {
            assert!(fired.contains(row.name), "no fixture for the row {}", row.name);
        }
        assert_eq!(fired.len(), RULES.len(), "two rows have one name");
    }

    #[test]
    fn nothing_waits_for_what_its_own_dependencies_are() {
        for fixture in fixtures() {
            let plan = plan_of(&fixture);
            assert_eq!(plan.cuts, [], "{}", fixture["rule"]);
        }
    }
}
