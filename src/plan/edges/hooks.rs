//! Helm install hooks: those before the rest of their chart by weight, the rest, those after by weight.

use super::super::index::Index;
use super::{GateKey, Sink};
use crate::object::UnitIndex;
use crate::plan::Until;

/// Namespaces and CRDs do not wait for hooks: Helm has them made first (`--create-namespace`, the folder `crds`). The rest must
/// only be there before the hooks that come after: a readiness that itself needs the hook would never come.
pub(super) fn find(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    let Some(declared) = item.declared() else { return };
    let unit = declared.unit;
    let Some(weights) = index.hooks.get(&unit) else { return };
    let first = item.is("", "Namespace") || item.is("apiextensions.k8s.io", "CustomResourceDefinition");
    let before = match &declared.hook {
        Some(hook) if hook.after => match weights.after.range(..hook.weight).next_back() {
            Some(weight) => Some(GateKey::Hooks(unit, true, *weight)),
            None => Some(GateKey::Rest(unit)),
        },
        Some(hook) => (weights.before.range(..hook.weight).next_back()).map(|w| GateKey::Hooks(unit, false, *w)),
        None if first => None,
        None => weights.before.last().map(|weight| GateKey::Hooks(unit, false, *weight)),
    };
    if let Some(key) = before {
        let gate = sink.gate(key.clone(), || name(index, &key));
        sink.edge(node, gate, Until::Ready);
    }
    let (member_of, until) = match &declared.hook {
        Some(hook) => (GateKey::Hooks(unit, hook.after, hook.weight), Until::Ready),
        None if weights.after.is_empty() || first => return,
        None => (GateKey::Rest(unit), Until::Exists),
    };
    let gate = sink.gate(member_of.clone(), || name(index, &member_of));
    sink.edge(gate, node, until);
}

fn name(index: &Index<'_>, key: &GateKey) -> String {
    let unit_name = |unit: &UnitIndex| index.units.get(unit.0).map_or("", |unit| &*unit.name);
    match key {
        GateKey::Hooks(unit, after, weight) => {
            let when = if *after { "post-install" } else { "pre-install" };
            format!("{}, {when} hooks of weight {weight}", unit_name(unit))
        }
        GateKey::Rest(unit) => format!("{} without its hooks", unit_name(unit)),
        _ => unreachable!("hooks make no others"),
    }
}
