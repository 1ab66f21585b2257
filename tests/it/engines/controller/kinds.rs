//! Kinds that a repository names and that nothing in it defines: definitions that take everything, and Stages that play their controllers.

use std::collections::{BTreeMap, BTreeSet};

use refloat::object::{GroupKind, KubeVersion, builtin};
use serde_json::{Value, json};

use super::{eventually, live, send};
use crate::support::plane::Plane;

/// Kinds that are no part of a namespace, beside those whose name says it.
const OF_THE_CLUSTER: &[&str] = &[
    "GatewayClass",
    "VolumeSnapshotClass",
    "CiliumLoadBalancerIPPool",
    "CiliumL2AnnouncementPolicy",
    "CiliumBGPPeeringPolicy",
];

/// What the controller itself reads.
const OF_FLUX: &[(&str, &str)] = &[
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ("source.toolkit.fluxcd.io/v1", "GitRepository"),
    ("source.toolkit.fluxcd.io/v1", "OCIRepository"),
    ("source.toolkit.fluxcd.io/v1", "Bucket"),
    ("source.toolkit.fluxcd.io/v1", "ExternalArtifact"),
];

/// Kinds by group and name, each with its versions, the oldest last.
pub type Kinds = BTreeMap<(String, String), BTreeSet<String>>;

/// The kinds in a stream of documents that Kubernetes lacks, and Flux's own.
pub fn of(rendered: &str) -> Kinds {
    let served = builtin::served_kinds(KubeVersion { major: 1, minor: 37 });
    let named = rendered.split("\n---").filter_map(|document| {
        let field = |name: &str| document.lines().find_map(|line| line.strip_prefix(name));
        Some((field("apiVersion: ")?, field("kind: ")?))
    });
    let mut kinds = Kinds::new();
    for (api, kind) in named.chain(OF_FLUX.iter().copied()) {
        if let Some((group, version)) = api.split_once('/')
            && served.get(&GroupKind::new(group, kind)).is_none()
        {
            let versions = kinds.entry((group.to_owned(), kind.to_owned())).or_default();
            versions.insert(version.to_owned());
        }
    }
    kinds
}

fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower
        .strip_suffix('y')
        .filter(|start| !start.ends_with(['a', 'e', 'o']))
    {
        Some(start) => format!("{start}ies"),
        None if lower.ends_with('s') => format!("{lower}es"),
        None => format!("{lower}s"),
    }
}

/// Defines them all; each takes everything.
pub fn define(plane: &Plane, kinds: &Kinds) {
    for ((group, kind), versions) in kinds {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let plural = plural(kind);
        // `v1` goes before `v1beta2`, and is the one that is kept.
        let versions = versions.iter().enumerate().map(|(index, version)| {
            json!({
                "name": version, "served": true, "storage": index == 0, "schema": schema, "subresources": {"status": {}},
            })
        });
        let versions: Vec<Value> = versions.collect();
        let is_global = kind.starts_with("Cluster") || OF_THE_CLUSTER.contains(&&**kind);
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            // A group of Kubernetes itself wants to be asked.
            "metadata": {
                "name": format!("{plural}.{group}"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
            },
            "spec": {
                "group": group,
                "names": {
                    "plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List"),
                },
                "scope": if is_global { "Cluster" } else { "Namespaced" },
                "versions": versions,
            },
        });
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        send(plane, "POST", path, "application/json", Some(&definition));
    }
    for ((group, kind), versions) in kinds {
        for version in versions {
            let path = format!("/apis/{group}/{version}/{}", plural(kind));
            eventually(&path, || live(plane, &path));
        }
    }
}

/// Stages that make all of these kinds ready, but those that the controller makes ready itself and their sources.
pub fn stages(kinds: &Kinds) -> String {
    let played = kinds.iter().filter(|((group, kind), _)| {
        let is_of_flux = |row: &(&str, &str)| row.0.starts_with(&**group) && row.1 == kind;
        !OF_FLUX.iter().any(is_of_flux)
    });
    let stage = |(index, ((group, kind), versions)): (usize, (&(String, String), &BTreeSet<String>))| {
        let version = versions.first().map_or("", String::as_str);
        let template = "observedGeneration: {{ .metadata.generation }}\nconditions:\n- {type: Ready, status: 'True', reason: Played, message: played, \
            lastTransitionTime: {{ Now | Quote }}, observedGeneration: {{ .metadata.generation }}}\n";
        let stage: Value = json!({
            "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": format!("played-{index}")},
            "spec": {
                "resourceRef": {"apiGroup": format!("{group}/{version}"), "kind": kind},
                "selector": {"matchExpressions": [
                    {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                    // As the controllers of Flux: what is suspended is not looked at.
                    {"key": ".spec.suspend | select( . == true )", "operator": "DoesNotExist"},
                    {"key": ".status.conditions.[] | select( .type == \"Ready\" ) | .status", "operator": "NotIn", "values": ["True"]},
                ]},
                "next": {"patches": [{"subresource": "status", "type": "merge", "root": "status", "template": template}]},
            },
        });
        format!("---\n{stage}\n")
    };
    played.enumerate().map(stage).collect()
}
