//! Webhooks and admission policies: their own parts, and what they look at.

use super::super::index::Index;
use super::Sink;
use crate::object::api_group;

const GROUP: &str = "admissionregistration.k8s.io";

/// The policy that a binding binds.
fn bound<'a>(index: &Index<'a>, node: u32) -> Option<(&'a str, &'a str)> {
    let id = &index.item(node).id;
    let kind = (id.kind.strip_suffix("Binding")).filter(|_| id.group == GROUP)?;
    Some((kind, index.item(node).text("/spec/policyName")))
}

pub(super) fn policy(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((kind, name)) = bound(index, node) {
        sink.need(GROUP, kind, None, name);
    }
}

pub(super) fn parameters(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((kind, name)) = bound(index, node) else { return };
    let Some(policy) = index.find(GROUP, kind, None, name) else {
        return;
    };
    let policy = index.item(policy);
    let (version, kind) = (
        policy.text("/spec/paramKind/apiVersion"),
        policy.text("/spec/paramKind/kind"),
    );
    let group = api_group(version);
    let item = index.item(node);
    let namespace = Some(item.text("/spec/paramRef/namespace")).filter(|namespace| !namespace.is_empty());
    sink.like(group, kind, namespace, item.text("/spec/paramRef/name"));
}

pub(super) fn policies(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    for guard in index.admission.of(index, index.item(node)) {
        if !guard.webhook {
            sink.wait(guard.node);
        }
    }
}

pub(super) fn webhooks(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    for guard in index.admission.of(index, index.item(node)) {
        if guard.webhook {
            sink.wait(guard.node);
        }
    }
}
