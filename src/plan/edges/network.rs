//! Ways into the cluster, and what is about a workload without being part of it.

use serde_json::Value;

use super::super::index::Index;
use super::super::item::{Item, list, text};
use super::super::selector::Selector;
use super::Sink;
use crate::object::api_group;

const NETWORKING: &str = "networking.k8s.io";
const GATEWAY: &str = "gateway.networking.k8s.io";

fn ingress<'a>(index: &Index<'a>, node: u32) -> Option<&'a Item<'a>> {
    Some(index.item(node)).filter(|item| item.is(NETWORKING, "Ingress"))
}

/// The class named, by the field or by the older annotation, else the default one. The annotation is no reference: it may name
/// what no IngressClass stands for.
pub(super) fn ingress_class(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(item) = ingress(index, node) else { return };
    match (
        item.text("/spec/ingressClassName"),
        item.annotation("kubernetes.io/ingress.class"),
    ) {
        ("", Some(name)) => sink.like(NETWORKING, "IngressClass", None, name),
        ("", None) => {
            if let Some(class) = index.default_class(NETWORKING, "IngressClass") {
                sink.wait(class);
            }
        }
        (name, _) => sink.need(NETWORKING, "IngressClass", None, name),
    }
}

pub(super) fn ingress_backends(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(item) = ingress(index, node) else { return };
    let paths = (item.list("/spec/rules").iter()).flat_map(|rule| list(rule, "/http/paths"));
    let backends = paths.filter_map(|path| path.get("backend"));
    for backend in backends.chain(item.at("/spec/defaultBackend")) {
        sink.need("", "Service", item.namespace(), text(backend, "/service/name"));
    }
}

pub(super) fn ingress_secrets(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(item) = ingress(index, node) else { return };
    for tls in item.list("/spec/tls") {
        sink.need("", "Secret", item.namespace(), text(tls, "/secretName"));
    }
}

fn is_route(item: &Item<'_>) -> bool {
    item.id.group == GATEWAY && item.id.kind.ends_with("Route")
}

pub(super) fn gateway(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if !is_route(item) {
        return;
    }
    for parent in item.list("/spec/parentRefs") {
        if matches!(text(parent, "/kind"), "" | "Gateway") {
            let namespace = match text(parent, "/namespace") {
                "" => item.namespace(),
                namespace => Some(namespace),
            };
            sink.need(GATEWAY, "Gateway", namespace, text(parent, "/name"));
        }
    }
}

pub(super) fn route_backends(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if !is_route(item) {
        return;
    }
    for backend in item
        .list("/spec/rules")
        .iter()
        .flat_map(|rule| list(rule, "/backendRefs"))
    {
        if matches!(text(backend, "/kind"), "" | "Service") && text(backend, "/group").is_empty() {
            let namespace = match text(backend, "/namespace") {
                "" => item.namespace(),
                namespace => Some(namespace),
            };
            sink.need("", "Service", namespace, text(backend, "/name"));
        }
    }
}

pub(super) fn gateway_class(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is(GATEWAY, "Gateway") {
        sink.need(GATEWAY, "GatewayClass", None, item.text("/spec/gatewayClassName"));
    }
}

pub(super) fn gateway_secrets(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if !item.is(GATEWAY, "Gateway") {
        return;
    }
    let references = (item.list("/spec/listeners").iter()).flat_map(|listener| list(listener, "/tls/certificateRefs"));
    for reference in references.filter(|reference| matches!(text(reference, "/kind"), "" | "Secret")) {
        let namespace = match text(reference, "/namespace") {
            "" => item.namespace(),
            namespace => Some(namespace),
        };
        sink.need("", "Secret", namespace, text(reference, "/name"));
    }
}

pub(super) fn endpoints(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    let service = match (&*item.id.group, &*item.id.kind) {
        ("", "Endpoints") => &*item.id.name,
        ("discovery.k8s.io", "EndpointSlice") => item.text("/metadata/labels/kubernetes.io~1service-name"),
        _ => return,
    };
    sink.like("", "Service", item.namespace(), service);
}

/// What scales a workload, and where it names it.
pub(crate) const SCALERS: &[(&str, &str, &str)] = &[
    ("autoscaling", "HorizontalPodAutoscaler", "/spec/scaleTargetRef"),
    ("autoscaling.k8s.io", "VerticalPodAutoscaler", "/spec/targetRef"),
    ("keda.sh", "ScaledObject", "/spec/scaleTargetRef"),
];

/// Group, kind and name of what an item scales. KEDA means a Deployment where nothing is said.
pub(crate) fn target_of<'a>(item: &'a Item<'_>) -> Option<(&'a str, &'a str, &'a str)> {
    let (_, _, pointer) = (SCALERS.iter()).find(|(group, kind, _)| item.is(group, kind))?;
    let target = item.at(pointer)?;
    let kind = match text(target, "/kind") {
        "" => "Deployment",
        kind => kind,
    };
    let group = match target.get("apiVersion").and_then(Value::as_str) {
        Some(version) => api_group(version),
        None => "apps",
    };
    // `extensions/v1beta1` still stands in many scalers and means the same workload
    let group = if group == "extensions" { "apps" } else { group };
    Some((group, kind, text(target, "/name")))
}

pub(super) fn scale_target(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if let Some((group, kind, name)) = target_of(item) {
        sink.need(group, kind, item.namespace(), name);
    }
}

pub(super) fn disruption_budget(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if let (true, Some(namespace), Some(selector)) = (
        item.is("policy", "PodDisruptionBudget"),
        item.namespace(),
        item.at("/spec/selector"),
    ) {
        let workloads = index.workloads(namespace, &Selector::read(Some(selector)));
        sink.wait_all(&format!("workloads protected by {}", item.id), &workloads);
    }
}
