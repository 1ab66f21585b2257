//! What pods need, for everything that makes pods.

use serde_json::Value;

use super::super::index::Index;
use super::super::item::{list, text};
use super::Sink;

/// The pod's spec, the namespace it runs in, and whether the item is the Pod itself.
fn pod<'a>(index: &Index<'a>, node: u32) -> Option<(&'a Value, &'a str, bool)> {
    let item = index.item(node);
    let pod = item.pod()?;
    Some((pod.spec, item.namespace()?, item.is("", "Pod")))
}

fn optional(reference: &Value) -> bool {
    reference.get("optional") == Some(&Value::Bool(true))
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["/initContainers", "/containers", "/ephemeralContainers"]
        .into_iter()
        .flat_map(|pointer| list(spec, pointer))
}

/// Names of ConfigMaps or Secrets in `env`, `envFrom` and projected volumes: those that must be there, then those that may.
fn references<'a>(spec: &'a Value, of: &Names, found: &mut dyn FnMut(&'a str, bool)) {
    for container in containers(spec) {
        for source in list(container, "/envFrom").iter().filter_map(|from| from.get(of.from)) {
            found(text(source, "/name"), optional(source));
        }
        for key in list(container, "/env")
            .iter()
            .filter_map(|env| env.get("valueFrom")?.get(of.key))
        {
            found(text(key, "/name"), optional(key));
        }
    }
    for volume in list(spec, "/volumes") {
        if let Some(source) = volume.get(of.volume) {
            found(text(source, of.volume_name), optional(source));
        }
        for source in list(volume, "/projected/sources") {
            if let Some(source) = source.get(of.projected) {
                found(text(source, "/name"), optional(source));
            }
        }
    }
}

/// How a ConfigMap or a Secret is called where pods name it.
struct Names {
    from: &'static str,
    key: &'static str,
    volume: &'static str,
    volume_name: &'static str,
    projected: &'static str,
}

const CONFIG_MAP: Names = Names {
    from: "configMapRef",
    key: "configMapKeyRef",
    volume: "configMap",
    volume_name: "/name",
    projected: "configMap",
};

const SECRET: Names = Names {
    from: "secretRef",
    key: "secretKeyRef",
    volume: "secret",
    volume_name: "/secretName",
    projected: "secret",
};

pub(super) fn config_maps(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((spec, namespace, _)) = pod(index, node) else {
        return;
    };
    references(spec, &CONFIG_MAP, &mut |name, optional| {
        if optional || name == "kube-root-ca.crt" {
            sink.like("", "ConfigMap", Some(namespace), name);
        } else {
            sink.need("", "ConfigMap", Some(namespace), name);
        }
    });
}

/// In-tree and CSI volumes that name a Secret; each in the pod's namespace unless it says otherwise.
const VOLUME_SECRETS: &[&str] = &[
    "/csi/nodePublishSecretRef/name",
    "/azureFile/secretName",
    "/cephfs/secretRef/name",
    "/flexVolume/secretRef/name",
    "/iscsi/secretRef/name",
    "/rbd/secretRef/name",
    "/scaleIO/secretRef/name",
    "/storageos/secretRef/name",
];

pub(super) fn secrets(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((spec, namespace, _)) = pod(index, node) else {
        return;
    };
    references(spec, &SECRET, &mut |name, optional| {
        if optional {
            sink.like("", "Secret", Some(namespace), name);
        } else {
            sink.need("", "Secret", Some(namespace), name);
        }
    });
    for volume in list(spec, "/volumes") {
        for pointer in VOLUME_SECRETS {
            sink.need("", "Secret", Some(namespace), text(volume, pointer));
        }
    }
}

/// A pull secret that is not there does not keep the pod from starting; so it is not said to be missing.
pub(super) fn pull_secrets(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((spec, namespace, _)) = pod(index, node) else {
        return;
    };
    for secret in list(spec, "/imagePullSecrets") {
        sink.need("", "Secret", Some(namespace), text(secret, "/name"));
    }
}

pub(super) fn account_pull_secrets(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is("", "ServiceAccount") {
        for secret in item.list("/imagePullSecrets") {
            sink.need("", "Secret", item.namespace(), text(secret, "/name"));
        }
    }
}

fn account_of(spec: &Value) -> &str {
    match (text(spec, "/serviceAccountName"), text(spec, "/serviceAccount")) {
        ("", "") => "default",
        ("", deprecated) => deprecated,
        (name, _) => name,
    }
}

fn wait_for_account(sink: &mut Sink<'_, '_>, spec: &Value, namespace: &str) {
    match account_of(spec) {
        "default" => sink.like("", "ServiceAccount", Some(namespace), "default"),
        name => sink.need("", "ServiceAccount", Some(namespace), name),
    }
}

pub(super) fn pod_account(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((spec, namespace, true)) = pod(index, node) {
        wait_for_account(sink, spec, namespace);
    }
}

pub(super) fn account(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((spec, namespace, false)) = pod(index, node) {
        wait_for_account(sink, spec, namespace);
    }
}

pub(super) fn permissions(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((spec, namespace, _)) = pod(index, node) else {
        return;
    };
    let account = account_of(spec);
    let bindings = index.bindings(namespace, account);
    sink.wait_all(
        &format!("permissions of ServiceAccount/{namespace}/{account}"),
        bindings,
    );
}

pub(super) fn claims(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((spec, namespace, _)) = pod(index, node) else {
        return;
    };
    for volume in list(spec, "/volumes") {
        let name = text(volume, "/persistentVolumeClaim/claimName");
        sink.need("", "PersistentVolumeClaim", Some(namespace), name);
    }
}

/// Priority classes that every cluster has.
const SYSTEM_PRIORITIES: [&str; 2] = ["system-cluster-critical", "system-node-critical"];

fn wait_for_priority(sink: &mut Sink<'_, '_>, spec: &Value) {
    let name = text(spec, "/priorityClassName");
    if !SYSTEM_PRIORITIES.contains(&name) {
        sink.need("scheduling.k8s.io", "PriorityClass", None, name);
    }
}

pub(super) fn pod_priority(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((spec, _, true)) = pod(index, node) {
        wait_for_priority(sink, spec);
    }
}

pub(super) fn priority(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((spec, _, false)) = pod(index, node) {
        wait_for_priority(sink, spec);
    }
}

pub(super) fn pod_runtime(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((spec, _, true)) = pod(index, node) {
        sink.need("node.k8s.io", "RuntimeClass", None, text(spec, "/runtimeClassName"));
    }
}

pub(super) fn runtime(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Some((spec, _, false)) = pod(index, node) {
        sink.need("node.k8s.io", "RuntimeClass", None, text(spec, "/runtimeClassName"));
    }
}

pub(super) fn resource_claims(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((spec, namespace, _)) = pod(index, node) else {
        return;
    };
    for claim in list(spec, "/resourceClaims") {
        for (kind, pointer) in [
            ("ResourceClaim", "/resourceClaimName"),
            ("ResourceClaimTemplate", "/resourceClaimTemplateName"),
        ] {
            sink.need("resource.k8s.io", kind, Some(namespace), text(claim, pointer));
        }
    }
}

pub(super) fn governing_service(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is("apps", "StatefulSet") {
        sink.need("", "Service", item.namespace(), item.text("/spec/serviceName"));
    }
}

pub(super) fn limits(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((_, namespace, _)) = pod(index, node) else {
        return;
    };
    let both: Vec<u32> = [
        index.limits("LimitRange", namespace),
        index.limits("ResourceQuota", namespace),
    ]
    .concat();
    sink.wait_all(&format!("limits of namespace {namespace}"), &both);
}

pub(super) fn network_policies(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if let (Some(pod), Some(namespace)) = (item.pod(), item.namespace()) {
        let policies = index.policies(namespace, pod.labels);
        sink.wait_all(&format!("network policies of namespace {namespace}"), &policies);
    }
}
