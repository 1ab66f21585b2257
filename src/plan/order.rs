//! The tie-break: of several objects that could start, which one does.
//!
//! First what the operator asked for first (and all that it waits for), then the longest chain of waits still ahead, since that
//! is what the whole run takes, then the kind's rank, then unit, namespace and name.

use std::cmp::Reverse;

use super::edges::Draft;
use super::item::Item;
use super::{PlanOptions, Until};
use crate::object::has_contract;

/// Kinds in the order in which they are best made when nothing else decides: what others live in, are checked by, name, run;
/// webhook configurations last. Kinds that are not listed come before the ways into the cluster.
pub(crate) const RANKS: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttributesClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("node.k8s.io", "RuntimeClass"),
    ("networking.k8s.io", "IngressClass"),
    ("resource.k8s.io", "DeviceClass"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("", "ServiceAccount"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("", "Secret"),
    ("", "ConfigMap"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Service"),
    ("apps", "DaemonSet"),
    ("apps", "StatefulSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("", "ReplicationController"),
    ("", "Pod"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("policy", "PodDisruptionBudget"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("networking.k8s.io", "Ingress"),
    ("apiregistration.k8s.io", "APIService"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
];

/// Place of a kind in [`RANKS`]; kinds not listed stand just before Ingress.
fn rank(item: &Item<'_>) -> usize {
    let place = |group: &str, kind: &str| {
        RANKS
            .iter()
            .position(|row| *row == (group, kind))
            .map(|place| 2 * place)
    };
    place(&item.id.group, &item.id.kind)
        .or_else(|| place("networking.k8s.io", "Ingress").map(|place| place - 1))
        .unwrap_or_default()
}

/// What a wait costs beside another: being applied is short, becoming ready is long.
fn cost(edge: &Draft, items: &[Item<'_>]) -> u32 {
    match items.get(edge.to as usize) {
        Some(item) if edge.until == Until::Ready && has_contract(&item.id.group, &item.id.kind) => 10,
        Some(_) => 1,
        None => 0,
    }
}

/// Nodes so that each comes after all that it waits for; edges must have no ring.
fn sorted(nodes: usize, edges: &[Draft]) -> Vec<u32> {
    let mut open = vec![0u32; nodes];
    let mut dependants: Vec<Vec<u32>> = vec![Vec::new(); nodes];
    for edge in edges {
        open[edge.from as usize] += 1;
        dependants[edge.to as usize].push(edge.from);
    }
    let mut done: Vec<u32> = (0..nodes as u32).filter(|node| open[*node as usize] == 0).collect();
    let mut at = 0;
    while let Some(node) = done.get(at).copied() {
        at += 1;
        for from in &dependants[node as usize] {
            open[*from as usize] -= 1;
            if open[*from as usize] == 0 {
                done.push(*from);
            }
        }
    }
    done
}

/// The items in tie-break order. `gates` further nodes follow the items.
pub(crate) fn tie_break(items: &[Item<'_>], gates: usize, edges: &[Draft], options: &PlanOptions) -> Vec<u32> {
    let nodes = items.len() + gates;
    let mut first = vec![options.first.len(); nodes];
    for (place, item) in first.iter_mut().zip(items) {
        let namespace = match item.namespace() {
            None if item.is("", "Namespace") => Some(&*item.id.name),
            namespace => namespace,
        };
        let wanted = options.first.iter().position(|first| Some(&**first) == namespace);
        *place = wanted.unwrap_or(*place);
    }
    let mut waits: Vec<Vec<&Draft>> = vec![Vec::new(); nodes];
    for edge in edges {
        waits[edge.from as usize].push(edge);
    }
    let mut chain = vec![0u32; nodes];
    for node in sorted(nodes, edges).into_iter().rev() {
        let at = node as usize;
        for edge in &waits[at] {
            let to = edge.to as usize;
            chain[to] = chain[to].max(chain[at] + cost(edge, items));
            first[to] = first[to].min(first[at]);
        }
    }
    let mut order: Vec<u32> = (0..items.len() as u32).collect();
    order.sort_by_cached_key(|node| {
        let at = *node as usize;
        let unit = items[at].declared().map(|declared| declared.unit);
        // Items are sorted by identity, so the node stands for group, kind, namespace and name.
        let place = (items[at].id.namespace.clone(), items[at].id.name.clone());
        (first[at], Reverse(chain[at]), rank(&items[at]), unit, place, *node)
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::builtin::builtin;

    #[test]
    fn every_rank_is_of_a_kind_that_kubernetes_has() {
        for (group, kind) in RANKS {
            assert!(builtin(group, kind).is_some(), "{kind}.{group}");
        }
        let rows: std::collections::BTreeSet<_> = RANKS.iter().collect();
        assert_eq!(rows.len(), RANKS.len());
    }
}
