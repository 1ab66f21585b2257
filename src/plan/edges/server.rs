//! What the API server itself enforces, and role bindings.

use super::super::admission::{backends, fails_closed};
use super::super::index::Index;
use super::super::item::{Item, text};
use super::Sink;

const ADMISSION: &str = "admissionregistration.k8s.io";

pub(super) fn namespace(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some(namespace) = index.item(node).namespace() {
        sink.need("", "Namespace", None, namespace);
    }
}

pub(super) fn crd(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let id = &index.item(node).id;
    if let Some(crd) = index.crd(&id.group, &id.kind) {
        sink.wait(crd);
    }
}

/// Workloads behind the conversion webhook of an item's CRD, and whether the item is written in the stored version.
fn converters(index: &Index<'_>, node: u32) -> Option<(Vec<u32>, bool)> {
    let item = index.item(node);
    let crd = index.item(index.crd(&item.id.group, &item.id.kind)?);
    let service = crd.at("/spec/conversion/webhook/clientConfig/service")?;
    let stored = (crd.list("/spec/versions").iter())
        .find(|version| version.get("storage") == Some(&serde_json::Value::Bool(true)))
        .map(|version| text(version, "/name"));
    let behind = index.behind(text(service, "/namespace"), text(service, "/name"));
    Some((behind, stored == item.manifest().map(|manifest| manifest.version())))
}

pub(super) fn conversion(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((behind, false)) = converters(index, node) {
        behind.into_iter().for_each(|to| sink.wait(to));
    }
}

pub(super) fn conversion_later(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((behind, true)) = converters(index, node) {
        behind.into_iter().for_each(|to| sink.wait(to));
    }
}

pub(super) fn api_service(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(manifest) = index.item(node).manifest() else {
        return;
    };
    if let Some(service) = index.api_service(manifest.group(), manifest.version()) {
        sink.wait(service);
    }
}

pub(super) fn api_service_backend(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is("apiregistration.k8s.io", "APIService") {
        let (namespace, name) = (item.text("/spec/service/namespace"), item.text("/spec/service/name"));
        sink.like("", "Service", Some(namespace), name);
        index.behind(namespace, name).into_iter().for_each(|to| sink.wait(to));
    }
}

fn is_webhook_configuration(item: &Item<'_>) -> bool {
    item.id.group == ADMISSION && item.id.kind.ends_with("WebhookConfiguration")
}

pub(super) fn closed_backend(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if is_webhook_configuration(item) {
        let closed = |webhook: &&serde_json::Value| fails_closed(webhook);
        for webhook in item.list("/webhooks").iter().filter(closed) {
            let service = |field| text(webhook, field);
            let namespace = service("/clientConfig/service/namespace");
            sink.like("", "Service", Some(namespace), service("/clientConfig/service/name"));
        }
        backends(index, item, true).into_iter().for_each(|to| sink.wait(to));
    }
}

pub(super) fn open_backend(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if is_webhook_configuration(item) {
        backends(index, item, false).into_iter().for_each(|to| sink.wait(to));
    }
}

/// A fail-closed webhook that an earlier run left in the cluster refuses objects until its backend is back.
pub(super) fn live_webhook(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    for guard in index.admission.of(index, item) {
        let config = index.item(guard.node);
        if guard.webhook && guard.closed && index.facts.existing.contains_key(&config.id) {
            backends(index, config, true).into_iter().for_each(|to| sink.wait(to));
        }
    }
}

/// cert-manager's CA injector: `cert-manager.io/inject-ca-from: namespace/certificate`.
pub(super) fn injected_certificate(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    injected(index, node, sink, "inject-ca-from", "cert-manager.io", "Certificate");
}

/// `cert-manager.io/inject-ca-from-secret: namespace/secret`.
pub(super) fn injected_secret(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    injected(index, node, sink, "inject-ca-from-secret", "", "Secret");
}

fn injected(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>, key: &str, group: &str, kind: &str) {
    let item = index.item(node);
    if !is_webhook_configuration(item) && !item.is("apiregistration.k8s.io", "APIService") {
        return; // a CRD of cert-manager itself would wait for its own kind
    }
    let from = item.annotation(&format!("cert-manager.io/{key}"));
    if let Some((namespace, name)) = from.and_then(|from| from.split_once('/')) {
        sink.like(group, kind, Some(namespace), name);
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn is_binding(item: &Item<'_>) -> bool {
    item.is(RBAC, "RoleBinding") || item.is(RBAC, "ClusterRoleBinding")
}

pub(super) fn role(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if is_binding(item) {
        match item.text("/roleRef/kind") {
            "Role" => sink.need(RBAC, "Role", item.namespace(), item.text("/roleRef/name")),
            _ => sink.need(RBAC, "ClusterRole", None, item.text("/roleRef/name")),
        }
    }
}

pub(super) fn subjects(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if !is_binding(item) {
        return;
    }
    for subject in item.list("/subjects") {
        if text(subject, "/kind") == "ServiceAccount" {
            let namespace = match text(subject, "/namespace") {
                "" => item.namespace(),
                namespace => Some(namespace),
            };
            sink.like("", "ServiceAccount", namespace, text(subject, "/name"));
        }
    }
}
