//! API versions that are no longer served, rewritten where the meaning is kept.
//!
//! Source: the deprecated API migration guide of Kubernetes, and the defaults of the versions concerned; where a default
//! changed, the old one is written out.

mod admission;
mod autoscaling;
mod crd;
mod network;
mod workloads;

use serde_json::{Map, Value};

use crate::object::{GroupKind, Manifest, ServedKinds};

/// The top-level mapping of a manifest.
type Object = Map<String, Value>;

/// What becomes of a manifest.
pub(crate) enum Migration {
    /// Its version is served, or nothing is known of it.
    AsItIs,
    /// Rewritten; the meaning is kept, but for what the remark says.
    Rewritten(Manifest, Remark),
    /// Its version is not served, and the meaning would change: (why, the edit to make).
    NeedsEdit(String, String),
}

/// A row: kinds that went from one version to another.
struct Row {
    group: &'static str,
    version: &'static str,
    kinds: &'static [&'static str],
    to: (&'static str, &'static str),
    /// Changes what the new version says otherwise, all but `apiVersion`.
    rewrite: fn(&mut Object) -> Result<Remark, Edit>,
}

/// What an operator should know of a rewritten object.
type Remark = Option<&'static str>;

/// Why the meaning would change, and the edit to make.
struct Edit(&'static str, &'static str);

fn same(_: &mut Object) -> Result<Remark, Edit> {
    Ok(None)
}

fn security_policy(_: &mut Object) -> Result<Remark, Edit> {
    Err(Edit(
        "PodSecurityPolicy is gone",
        "label the namespaces with pod-security.kubernetes.io/enforce, or write a ValidatingAdmissionPolicy; then delete this",
    ))
}

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const FLOW: &str = "flowcontrol.apiserver.k8s.io";
const RBAC_KINDS: &[&str] = &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
const FLOW_KINDS: &[&str] = &["FlowSchema", "PriorityLevelConfiguration"];
const WEBHOOKS: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

const fn row(
    group: &'static str,
    version: &'static str,
    kinds: &'static [&'static str],
    to: (&'static str, &'static str),
    rewrite: fn(&mut Object) -> Result<Remark, Edit>,
) -> Row {
    Row {
        group,
        version,
        kinds,
        to,
        rewrite,
    }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("extensions", "v1beta1", &["Deployment"], ("apps", "v1"), workloads::extensions_deployment),
    row("extensions", "v1beta1", &["DaemonSet"], ("apps", "v1"), workloads::extensions_daemon_set),
    row("extensions", "v1beta1", &["ReplicaSet"], ("apps", "v1"), workloads::selector),
    row("extensions", "v1beta1", &["Ingress"], ("networking.k8s.io", "v1"), network::ingress),
    row("extensions", "v1beta1", &["NetworkPolicy"], ("networking.k8s.io", "v1"), same),
    row("extensions", "v1beta1", &["PodSecurityPolicy"], ("policy", "v1"), security_policy),
    row("apps", "v1beta1", &["Deployment"], ("apps", "v1"), workloads::apps_deployment),
    row("apps", "v1beta1", &["StatefulSet"], ("apps", "v1"), workloads::apps_stateful_set),
    row("apps", "v1beta1", &["ControllerRevision"], ("apps", "v1"), same),
    row("apps", "v1beta2", &["Deployment", "DaemonSet", "ReplicaSet", "StatefulSet", "ControllerRevision"], ("apps", "v1"), same),
    row("networking.k8s.io", "v1beta1", &["Ingress"], ("networking.k8s.io", "v1"), network::ingress),
    row("networking.k8s.io", "v1beta1", &["IngressClass"], ("networking.k8s.io", "v1"), same),
    row("policy", "v1beta1", &["PodDisruptionBudget"], ("policy", "v1"), workloads::disruption_budget),
    row("policy", "v1beta1", &["PodSecurityPolicy"], ("policy", "v1"), security_policy),
    row("batch", "v1beta1", &["CronJob"], ("batch", "v1"), same),
    row("batch", "v2alpha1", &["CronJob"], ("batch", "v1"), same),
    row(RBAC, "v1beta1", RBAC_KINDS, (RBAC, "v1"), same),
    row(RBAC, "v1alpha1", RBAC_KINDS, (RBAC, "v1"), workloads::rbac_alpha),
    row("storage.k8s.io", "v1beta1", &["StorageClass", "CSIDriver", "CSINode", "CSIStorageCapacity", "VolumeAttachment"], ("storage.k8s.io", "v1"), same),
    row("scheduling.k8s.io", "v1beta1", &["PriorityClass"], ("scheduling.k8s.io", "v1"), same),
    row("scheduling.k8s.io", "v1alpha1", &["PriorityClass"], ("scheduling.k8s.io", "v1"), same),
    row(ADMISSION, "v1beta1", WEBHOOKS, (ADMISSION, "v1"), admission::webhooks),
    row("apiextensions.k8s.io", "v1beta1", &["CustomResourceDefinition"], ("apiextensions.k8s.io", "v1"), crd::rewrite),
    row("apiregistration.k8s.io", "v1beta1", &["APIService"], ("apiregistration.k8s.io", "v1"), same),
    row("autoscaling", "v2beta1", &["HorizontalPodAutoscaler"], ("autoscaling", "v2"), autoscaling::v2beta1),
    row("autoscaling", "v2beta2", &["HorizontalPodAutoscaler"], ("autoscaling", "v2"), same),
    row("certificates.k8s.io", "v1beta1", &["CertificateSigningRequest"], ("certificates.k8s.io", "v1"), admission::signing_request),
    row("coordination.k8s.io", "v1beta1", &["Lease"], ("coordination.k8s.io", "v1"), same),
    row("discovery.k8s.io", "v1beta1", &["EndpointSlice"], ("discovery.k8s.io", "v1"), network::endpoint_slice),
    row("events.k8s.io", "v1beta1", &["Event"], ("events.k8s.io", "v1"), |_| Err(Edit("an event is a record of another cluster", "delete this"))),
    row(FLOW, "v1beta1", FLOW_KINDS, (FLOW, "v1"), admission::shares),
    row(FLOW, "v1beta2", FLOW_KINDS, (FLOW, "v1"), admission::shares),
    row(FLOW, "v1beta3", FLOW_KINDS, (FLOW, "v1"), admission::shares),
    row("node.k8s.io", "v1beta1", &["RuntimeClass"], ("node.k8s.io", "v1"), same),
    row("node.k8s.io", "v1alpha1", &["RuntimeClass"], ("node.k8s.io", "v1"), workloads::runtime_class),
];

/// Rewrites a manifest whose version the target does not serve into one that it serves.
pub(crate) fn migrate(manifest: &Manifest, kinds: &ServedKinds) -> Migration {
    if kinds.serves(&manifest.group_kind(), manifest.version()) {
        return Migration::AsItIs;
    }
    let row = ROWS.iter().find(|row| {
        row.group == manifest.group() && row.version == manifest.version() && row.kinds.contains(&manifest.kind())
    });
    let Some(row) = row else {
        return Migration::AsItIs;
    };
    let mut rewritten = manifest.clone();
    let remark = match (row.rewrite)(rewritten.object_mut()) {
        Ok(remark) => remark,
        Err(Edit(why, edit)) => return Migration::NeedsEdit(why.to_owned(), edit.to_owned()),
    };
    let (group, version) = row.to;
    if !kinds.serves(&GroupKind::new(group, manifest.kind()), version) {
        return Migration::AsItIs;
    }
    let api_version = Value::from(format!("{group}/{version}"));
    rewritten.object_mut().insert("apiVersion".to_owned(), api_version);
    Migration::Rewritten(rewritten, remark)
}

/// The mapping below a key, made where absent; `None` where something else stands there.
fn below<'a>(object: &'a mut Object, key: &str) -> Option<&'a mut Object> {
    object
        .entry(key)
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
}

/// Writes a default of the old version out.
fn default(object: &mut Object, key: &str, value: impl Into<Value>) {
    if object.get(key).is_none_or(Value::is_null) {
        object.insert(key.to_owned(), value.into());
    }
}

fn rename(object: &mut Object, from: &str, to: &str) {
    if let Some(value) = object.shift_remove(from) {
        object.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
