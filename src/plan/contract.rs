//! Which kinds have a status contract, so that they can be waited for.

/// Kinds that say in their status whether they are ready.
const CONTRACTS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "Namespace",
            "Node",
            "PersistentVolumeClaim",
            "Pod",
            "ReplicationController",
        ],
    ),
    ("apps", &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("batch", &["Job"]),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("policy", &["PodDisruptionBudget"]),
    ("cert-manager.io", &["Certificate", "ClusterIssuer", "Issuer"]),
    (
        "external-secrets.io",
        &[
            "ClusterExternalSecret",
            "ClusterSecretStore",
            "ExternalSecret",
            "SecretStore",
        ],
    ),
    ("bitnami.com", &["SealedSecret"]),
    ("gateway.networking.k8s.io", &["Gateway", "GatewayClass"]),
];

/// Whether a kind has a status contract.
pub(crate) fn has_contract(group: &str, kind: &str) -> bool {
    CONTRACTS
        .iter()
        .any(|(of, kinds)| *of == group && kinds.contains(&kind))
}
