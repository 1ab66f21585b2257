//! The kinds that Kubernetes brings itself, and between which versions it serves what.
//!
//! Source: discovery of a v1.37.2 server, and the deprecated API migration guide of Kubernetes for what was removed in
//! 1.16, 1.22, 1.25, 1.26, 1.27, 1.29 and 1.32. Versions that are off by default are left out.

use std::collections::BTreeMap;

use super::{GroupKind, KubeVersion, Scope, ServedKind, ServedKinds};

/// A kind that Kubernetes brings itself.
pub struct Builtin {
    /// API group; "" for the core group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural resource name.
    pub plural: &'static str,
    /// Scope.
    pub scope: Scope,
    /// Has list and watch.
    pub watchable: bool,
    /// Versions, the preferred one first.
    pub versions: &'static [Served],
}

/// From which minor of Kubernetes 1 a version is served, and from which no longer.
pub struct Served {
    /// `v1beta1`.
    pub version: &'static str,
    /// First minor that serves it; 0: before 1.16, which is as far back as it matters.
    pub since: u32,
    /// First minor that does not serve it; `None`: still served.
    pub until: Option<u32>,
}

impl Served {
    fn by(&self, version: KubeVersion) -> bool {
        version.major > 1 && self.until.is_none()
            || version.major == 1 && self.since <= version.minor && self.until.is_none_or(|until| version.minor < until)
    }
}

const fn always(version: &'static str) -> Served {
    since(version, 0)
}

const fn since(version: &'static str, since: u32) -> Served {
    Served {
        version,
        since,
        until: None,
    }
}

const fn between(version: &'static str, since: u32, until: u32) -> Served {
    Served {
        version,
        since,
        until: Some(until),
    }
}

const fn row(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    scope: Scope,
    versions: &'static [Served],
) -> Builtin {
    Builtin {
        group,
        kind,
        plural,
        scope,
        watchable: true,
        versions,
    }
}

/// A kind that can only be created (reviews) or only be read.
const fn fleeting(group: &'static str, kind: &'static str, plural: &'static str, scope: Scope) -> Builtin {
    Builtin {
        watchable: false,
        ..row(group, kind, plural, scope, V1)
    }
}

const V1: &[Served] = &[always("v1")];
const RBAC: &[Served] = &[always("v1"), between("v1beta1", 0, 22)];
const APPS: &[Served] = &[always("v1"), between("v1beta2", 0, 16)];
const APPS_OLD: &[Served] = &[always("v1"), between("v1beta2", 0, 16), between("v1beta1", 0, 16)];
const EXTENSIONS: &[Served] = &[between("v1beta1", 0, 16)];
const HOOKS: &[Served] = &[since("v1", 16), between("v1beta1", 0, 22)];
const FLOW: &[Served] = &[
    since("v1", 29),
    between("v1beta3", 26, 32),
    between("v1beta2", 23, 29),
    between("v1beta1", 20, 26),
];
const SINCE_30: &[Served] = &[since("v1", 30)];
const SINCE_33: &[Served] = &[since("v1", 33)];
const SINCE_34: &[Served] = &[since("v1", 34)];
const SINCE_36: &[Served] = &[since("v1", 36)];
const SINCE_37: &[Served] = &[since("v1", 37)];

use Scope::{Cluster, Namespaced};

const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
const FLOW_GROUP: &str = "flowcontrol.apiserver.k8s.io";

/// The newest version that the table knows.
pub const NEWEST: KubeVersion = KubeVersion { major: 1, minor: 37 };

/// The table.
#[rustfmt::skip]
pub const BUILTINS: &[Builtin] = &[
    fleeting("", "Binding", "bindings", Namespaced),
    fleeting("", "ComponentStatus", "componentstatuses", Cluster),
    row("", "ConfigMap", "configmaps", Namespaced, V1),
    row("", "Endpoints", "endpoints", Namespaced, V1),
    row("", "Event", "events", Namespaced, V1),
    row("", "LimitRange", "limitranges", Namespaced, V1),
    row("", "Namespace", "namespaces", Cluster, V1),
    row("", "Node", "nodes", Cluster, V1),
    row("", "PersistentVolume", "persistentvolumes", Cluster, V1),
    row("", "PersistentVolumeClaim", "persistentvolumeclaims", Namespaced, V1),
    row("", "Pod", "pods", Namespaced, V1),
    row("", "PodTemplate", "podtemplates", Namespaced, V1),
    row("", "ReplicationController", "replicationcontrollers", Namespaced, V1),
    row("", "ResourceQuota", "resourcequotas", Namespaced, V1),
    row("", "Secret", "secrets", Namespaced, V1),
    row("", "Service", "services", Namespaced, V1),
    row("", "ServiceAccount", "serviceaccounts", Namespaced, V1),
    row(ADMISSION, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", Cluster, SINCE_36),
    row(ADMISSION, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", Cluster, SINCE_36),
    row(ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", Cluster, HOOKS),
    row(ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", Cluster, SINCE_30),
    row(ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", Cluster, SINCE_30),
    row(ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", Cluster, HOOKS),
    row("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", Cluster, HOOKS),
    row("apiregistration.k8s.io", "APIService", "apiservices", Cluster, RBAC),
    row("apps", "ControllerRevision", "controllerrevisions", Namespaced, APPS_OLD),
    row("apps", "DaemonSet", "daemonsets", Namespaced, APPS),
    row("apps", "Deployment", "deployments", Namespaced, APPS_OLD),
    row("apps", "ReplicaSet", "replicasets", Namespaced, APPS),
    row("apps", "StatefulSet", "statefulsets", Namespaced, APPS_OLD),
    fleeting("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews", Cluster),
    fleeting("authentication.k8s.io", "TokenReview", "tokenreviews", Cluster),
    fleeting("authorization.k8s.io", "LocalSubjectAccessReview", "localsubjectaccessreviews", Namespaced),
    fleeting("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews", Cluster),
    fleeting("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews", Cluster),
    fleeting("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews", Cluster),
    row("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Namespaced,
        &[since("v2", 23), always("v1"), between("v2beta2", 0, 26), between("v2beta1", 0, 25)]),
    row("batch", "CronJob", "cronjobs", Namespaced, &[since("v1", 21), between("v1beta1", 0, 25)]),
    row("batch", "Job", "jobs", Namespaced, V1),
    row("certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests", Cluster,
        &[since("v1", 19), between("v1beta1", 0, 22)]),
    row("certificates.k8s.io", "ClusterTrustBundle", "clustertrustbundles", Cluster, SINCE_37),
    row("certificates.k8s.io", "PodCertificateRequest", "podcertificaterequests", Namespaced, SINCE_37),
    row("coordination.k8s.io", "Lease", "leases", Namespaced, RBAC),
    row("discovery.k8s.io", "EndpointSlice", "endpointslices", Namespaced, &[since("v1", 21), between("v1beta1", 17, 25)]),
    row("events.k8s.io", "Event", "events", Namespaced, &[since("v1", 19), between("v1beta1", 0, 25)]),
    row("extensions", "DaemonSet", "daemonsets", Namespaced, EXTENSIONS),
    row("extensions", "Deployment", "deployments", Namespaced, EXTENSIONS),
    row("extensions", "Ingress", "ingresses", Namespaced, &[between("v1beta1", 0, 22)]),
    row("extensions", "NetworkPolicy", "networkpolicies", Namespaced, EXTENSIONS),
    row("extensions", "PodSecurityPolicy", "podsecuritypolicies", Cluster, EXTENSIONS),
    row("extensions", "ReplicaSet", "replicasets", Namespaced, EXTENSIONS),
    row(FLOW_GROUP, "FlowSchema", "flowschemas", Cluster, FLOW),
    row(FLOW_GROUP, "PriorityLevelConfiguration", "prioritylevelconfigurations", Cluster, FLOW),
    row("networking.k8s.io", "IPAddress", "ipaddresses", Cluster, SINCE_33),
    row("networking.k8s.io", "Ingress", "ingresses", Namespaced, &[since("v1", 19), between("v1beta1", 0, 22)]),
    row("networking.k8s.io", "IngressClass", "ingressclasses", Cluster, &[since("v1", 19), between("v1beta1", 18, 22)]),
    row("networking.k8s.io", "NetworkPolicy", "networkpolicies", Namespaced, V1),
    row("networking.k8s.io", "ServiceCIDR", "servicecidrs", Cluster, SINCE_33),
    row("node.k8s.io", "RuntimeClass", "runtimeclasses", Cluster, &[since("v1", 20), between("v1beta1", 0, 25)]),
    row("policy", "PodDisruptionBudget", "poddisruptionbudgets", Namespaced, &[since("v1", 21), between("v1beta1", 0, 25)]),
    row("policy", "PodSecurityPolicy", "podsecuritypolicies", Cluster, &[between("v1beta1", 0, 25)]),
    row(RBAC_GROUP, "ClusterRole", "clusterroles", Cluster, RBAC),
    row(RBAC_GROUP, "ClusterRoleBinding", "clusterrolebindings", Cluster, RBAC),
    row(RBAC_GROUP, "Role", "roles", Namespaced, RBAC),
    row(RBAC_GROUP, "RoleBinding", "rolebindings", Namespaced, RBAC),
    row("resource.k8s.io", "DeviceClass", "deviceclasses", Cluster, SINCE_34),
    row("resource.k8s.io", "DeviceTaintRule", "devicetaintrules", Cluster, SINCE_37),
    row("resource.k8s.io", "ResourceClaim", "resourceclaims", Namespaced, SINCE_34),
    row("resource.k8s.io", "ResourceClaimTemplate", "resourceclaimtemplates", Namespaced, SINCE_34),
    row("resource.k8s.io", "ResourceSlice", "resourceslices", Cluster, SINCE_34),
    row("scheduling.k8s.io", "PriorityClass", "priorityclasses", Cluster, RBAC),
    row("storage.k8s.io", "CSIDriver", "csidrivers", Cluster, &[since("v1", 18), between("v1beta1", 0, 22)]),
    row("storage.k8s.io", "CSINode", "csinodes", Cluster, &[since("v1", 17), between("v1beta1", 0, 22)]),
    row("storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities", Namespaced, &[since("v1", 24), between("v1beta1", 21, 27)]),
    row("storage.k8s.io", "StorageClass", "storageclasses", Cluster, RBAC),
    row("storage.k8s.io", "VolumeAttachment", "volumeattachments", Cluster, RBAC),
    row("storage.k8s.io", "VolumeAttributesClass", "volumeattributesclasses", Cluster, SINCE_34),
    row("storagemigration.k8s.io", "StorageVersionMigration", "storageversionmigrations", Cluster, SINCE_37),
];

/// The row of a kind, whether or not any server in use still serves it.
pub fn builtin(group: &str, kind: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|row| row.group == group && row.kind == kind)
}

/// What a server of this version serves by itself: to plan without a cluster.
pub fn served_kinds(version: KubeVersion) -> ServedKinds {
    let kinds: BTreeMap<_, _> = BUILTINS
        .iter()
        .filter_map(|row| {
            let versions: Vec<String> = (row.versions.iter())
                .filter(|served| served.by(version))
                .map(|served| served.version.to_owned())
                .collect();
            let kind = GroupKind::new(row.group, row.kind);
            (!versions.is_empty()).then(|| {
                let served = ServedKind {
                    kind: kind.clone(),
                    plural: row.plural.to_owned(),
                    scope: row.scope,
                    versions,
                    watchable: row.watchable,
                };
                (kind, served)
            })
        })
        .collect();
    ServedKinds(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(minor: u32, group: &str, kind: &str) -> Vec<String> {
        served_kinds(KubeVersion { major: 1, minor })
            .get(&GroupKind::new(group, kind))
            .map(|served| served.versions.clone())
            .unwrap_or_default()
    }

    #[test]
    fn versions_come_and_go() {
        assert_eq!(served(15, "extensions", "Deployment"), ["v1beta1"]);
        assert!(served(16, "extensions", "Deployment").is_empty());
        assert_eq!(served(24, "policy", "PodDisruptionBudget"), ["v1", "v1beta1"]);
        assert_eq!(served(25, "policy", "PodDisruptionBudget"), ["v1"]);
        assert_eq!(served(20, "batch", "CronJob"), ["v1beta1"]);
        assert_eq!(served(37, "autoscaling", "HorizontalPodAutoscaler"), ["v2", "v1"]);
    }

    #[test]
    fn a_1_37_server_serves_what_its_discovery_says() {
        let kinds = served_kinds(KubeVersion { major: 1, minor: 37 });
        // Counted in the discovery of v1.37.2; all in v1, and HorizontalPodAutoscaler in v2 too.
        assert_eq!(kinds.0.len(), 71);
        assert!(
            kinds
                .0
                .values()
                .all(|served| served.versions.contains(&"v1".to_owned()))
        );
    }

    #[test]
    fn no_row_stands_twice() {
        let kinds: std::collections::BTreeSet<_> = BUILTINS.iter().map(|row| (row.group, row.kind)).collect();
        assert_eq!(kinds.len(), BUILTINS.len());
    }
}
