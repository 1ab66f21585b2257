//! What a new cluster makes itself, so that anything else shows that it is not new.

use super::ask::Metadata;
use crate::object::{GroupKind, ObjectId};

/// Kinds looked at: (group, kind).
pub(super) const LOOKED_AT: &[(&str, &str)] = &[
    ("", "ConfigMap"),
    ("", "Namespace"),
    ("", "PersistentVolumeClaim"),
    ("", "Pod"),
    ("", "Secret"),
    ("", "Service"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("networking.k8s.io", "Ingress"),
];

/// Objects that are there from the start: kind ("*" any), namespace pattern ("" none), name pattern, why. A `*` in a
/// pattern stands for anything.
const FROM_THE_START: &[(&str, &str, &str, &str)] = &[
    ("Namespace", "", "default", "every cluster"),
    (
        "Namespace",
        "",
        "kube-*",
        "every cluster: kube-system, kube-public, kube-node-lease",
    ),
    ("Namespace", "", "gke-*", "GKE"),
    ("Namespace", "", "gmp-*", "GKE, managed Prometheus"),
    ("Namespace", "", "aks-*", "AKS"),
    ("Namespace", "", "calico-*", "network of many installers"),
    ("Namespace", "", "tigera-operator", "network of many installers"),
    ("Namespace", "", "cilium-*", "network of many installers"),
    ("Namespace", "", "local-path-storage", "kind, k3s"),
    ("Service", "default", "kubernetes", "every cluster"),
    ("ConfigMap", "*", "kube-root-ca.crt", "every namespace"),
    (
        "ConfigMap",
        "*",
        "openshift-service-ca.crt",
        "OpenShift, every namespace",
    ),
    (
        "Secret",
        "*",
        "default-token-*",
        "every namespace, before Kubernetes 1.24",
    ),
    (
        "*",
        "kube-*",
        "*",
        "what installers and clouds run for the cluster itself",
    ),
    ("*", "gke-*", "*", "GKE"),
    ("*", "gmp-*", "*", "GKE, managed Prometheus"),
    ("*", "aks-*", "*", "AKS"),
    ("*", "calico-*", "*", "network of many installers"),
    ("*", "tigera-operator", "*", "network of many installers"),
    ("*", "cilium-*", "*", "network of many installers"),
    ("*", "local-path-storage", "*", "kind, k3s"),
    (
        "CustomResourceDefinition",
        "",
        "*.k8s.io",
        "snapshots, metrics, networking of many clouds",
    ),
    ("CustomResourceDefinition", "", "*.x-k8s.io", "likewise"),
    ("CustomResourceDefinition", "", "*.gke.io", "GKE"),
    (
        "CustomResourceDefinition",
        "",
        "*.monitoring.googleapis.com",
        "GKE, managed Prometheus",
    ),
    ("CustomResourceDefinition", "", "*.k8s.aws", "EKS"),
    ("CustomResourceDefinition", "", "*.amazonaws.com", "EKS"),
    ("CustomResourceDefinition", "", "*.azure.com", "AKS"),
    ("CustomResourceDefinition", "", "*.cattle.io", "k3s, RKE2"),
    (
        "CustomResourceDefinition",
        "",
        "*.projectcalico.org",
        "network of many installers",
    ),
    (
        "CustomResourceDefinition",
        "",
        "*.operator.tigera.io",
        "network of many installers",
    ),
    (
        "CustomResourceDefinition",
        "",
        "*.cilium.io",
        "network of many installers",
    ),
    ("MutatingWebhookConfiguration", "", "*.gke.io", "GKE"),
    ("MutatingWebhookConfiguration", "", "gke-*", "GKE"),
    ("MutatingWebhookConfiguration", "", "gmp-*", "GKE, managed Prometheus"),
    ("MutatingWebhookConfiguration", "", "warden-*", "GKE Autopilot"),
    ("MutatingWebhookConfiguration", "", "pod-identity-webhook", "EKS"),
    (
        "MutatingWebhookConfiguration",
        "",
        "vpc-resource-mutating-webhook",
        "EKS",
    ),
    ("MutatingWebhookConfiguration", "", "eks-*", "EKS"),
    ("MutatingWebhookConfiguration", "", "aks-*", "AKS"),
    ("ValidatingWebhookConfiguration", "", "*.gke.io", "GKE"),
    ("ValidatingWebhookConfiguration", "", "gke-*", "GKE"),
    ("ValidatingWebhookConfiguration", "", "gmp-*", "GKE, managed Prometheus"),
    ("ValidatingWebhookConfiguration", "", "warden-*", "GKE Autopilot"),
    (
        "ValidatingWebhookConfiguration",
        "",
        "vpc-resource-validating-webhook",
        "EKS",
    ),
    ("ValidatingWebhookConfiguration", "", "eks-*", "EKS"),
    ("ValidatingWebhookConfiguration", "", "aks-*", "AKS"),
];

/// Whether an object that is not declared shows that the cluster is in use.
pub(super) fn is_foreign(id: &ObjectId, metadata: &Metadata, claimed: impl Fn(&str, &str) -> bool) -> bool {
    // What has an owner stands or falls with it.
    if !metadata.owner_references.is_empty() || metadata.deletion_timestamp.is_some() {
        return false;
    }
    if id.kind == "PersistentVolumeClaim" && claimed(id.namespace.as_deref().unwrap_or_default(), &id.name) {
        return false;
    }
    !FROM_THE_START.iter().any(|row| fits(row, id))
}

fn fits((kind, namespace, name, _): &(&str, &str, &str, &str), id: &ObjectId) -> bool {
    (*kind == "*" || *kind == id.kind)
        && matches(namespace, id.namespace.as_deref().unwrap_or_default())
        && matches(name, &id.name)
}

/// A pattern with at most one `*`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

/// Whether a claim was made for a StatefulSet: `<template>-<set>-<number>`. Such claims have no owner.
pub(super) fn is_claim_of(claim: &str, set: &str) -> bool {
    claim.rsplit_once('-').is_some_and(|(rest, number)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && rest
                .strip_suffix(set)
                .is_some_and(|template| template.len() > 1 && template.ends_with('-'))
    })
}

/// Whether a kind is looked at.
pub(super) fn is_looked_at(kind: &GroupKind) -> bool {
    LOOKED_AT
        .iter()
        .any(|(group, name)| *group == kind.group && *name == kind.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(kind: &str, namespace: Option<&str>, name: &str) -> bool {
        is_foreign(
            &ObjectId::new("", kind, namespace, name),
            &Metadata::default(),
            |_, claim| is_claim_of(claim, "db"),
        )
    }

    #[test]
    fn every_row_fires() {
        for row @ (kind, namespace, name, _) in FROM_THE_START {
            let kind = if *kind == "*" { "Deployment" } else { kind };
            let namespace = Some(namespace.replace('*', "x")).filter(|text| !text.is_empty());
            let id = ObjectId::new("", kind, namespace.as_deref(), name.replace('*', "x"));
            let first = FROM_THE_START.iter().find(|row| fits(row, &id));
            assert_eq!(first, Some(row), "{id}");
        }
    }

    #[test]
    fn what_people_made_is_foreign() {
        assert!(foreign("Namespace", None, "shop"));
        assert!(foreign("Service", Some("default"), "web"));
        assert!(foreign("ConfigMap", Some("default"), "settings"));
        assert!(!foreign("ConfigMap", Some("default"), "kube-root-ca.crt"));
        assert!(!foreign("Secret", Some("kube-system"), "bootstrap-token-abcdef"));
        assert!(foreign("Deployment", Some("shop"), "kubernetes"));
        assert!(foreign(
            "CustomResourceDefinition",
            None,
            "certificates.cert-manager.io"
        ));
        assert!(!foreign("Service", Some("default"), "kubernetes"));
        assert!(!foreign("Deployment", Some("kube-system"), "coredns"));
        assert!(!foreign("PersistentVolumeClaim", Some("shop"), "data-db-0"));
        assert!(foreign("PersistentVolumeClaim", Some("shop"), "db-0"));
        let owned = Metadata {
            owner_references: vec![serde::de::IgnoredAny],
            ..Metadata::default()
        };
        let pod = ObjectId::new("", "Pod", Some("shop"), "web-1");
        assert!(!is_foreign(&pod, &owned, |_, _| false));
    }
}
