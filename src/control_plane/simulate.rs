//! What plays the kubelets, the provisioner of volumes and the load balancers: KWOK Stages, and the nodes they run on.
//!
//! Not simulated: custom resources (no controller sets their status), unless a file of the user's does (`stages`). Missing Secrets
//! and ConfigMaps do not keep a simulated Pod from starting.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// The address of the first node; the others follow.
const FIRST_NODE: Ipv4Addr = Ipv4Addr::new(10, 132, 0, 1);

/// All Stages of refloat's own, as one YAML file.
#[must_use]
pub fn stages() -> String {
    [
        include_str!("simulate/nodes.yaml"),
        include_str!("simulate/pods.yaml"),
        include_str!("simulate/volumes.yaml"),
        include_str!("simulate/services.yaml"),
    ]
    .join("---\n")
}

/// The node of that number (from 1), with more room than any repository asks for. Three zones, in turn, so that Pods that
/// must not share one find places.
#[must_use]
pub fn node(number: u32, version: &str, extra: &BTreeMap<String, String>) -> Value {
    let name = node_name(number);
    let zone = ["a", "b", "c"][usize::try_from((number + 2) % 3).unwrap_or_default()];
    let mut labels: BTreeMap<String, String> = [
        ("kubernetes.io/hostname", name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("node-role.kubernetes.io/worker", ""),
        ("topology.kubernetes.io/region", "simulated"),
        ("topology.kubernetes.io/zone", &format!("simulated-{zone}")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    labels.extend(extra.clone());
    let room = json!({
        "cpu": "10k", "memory": "100Ti", "ephemeral-storage": "1Pi", "pods": "100k", "nvidia.com/gpu": "1k",
    });
    // Nobody calls them; they only must differ.
    let address = Ipv4Addr::from(u32::from(FIRST_NODE).wrapping_add(number.saturating_sub(1)));
    let addresses = json!([{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": room, "capacity": room, "nodeInfo": node_info(version), "addresses": addresses},
    })
}

fn node_info(version: &str) -> Value {
    json!({
        "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": version, "kubeProxyVersion": "",
        "containerRuntimeVersion": "simulated://1", "kernelVersion": "simulated", "osImage": "simulated",
        "machineID": "", "systemUUID": "", "bootID": "",
    })
}

/// The name of the node of that number.
#[must_use]
pub fn node_name(number: u32) -> String {
    format!("simulated-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_all_there() {
        let stages = stages();
        let documents: Vec<Value> = stages
            .split("\n---\n")
            .map(|document| serde_yaml::from_str(document).expect("each is YAML of its own"))
            .collect();
        let names: Vec<&str> = documents
            .iter()
            .filter_map(|stage| stage["metadata"]["name"].as_str())
            .collect();
        let expected = [
            "refloat-node-ready",
            "refloat-pod-ready",
            "refloat-pod-complete",
            "refloat-pod-delete",
            "refloat-volume-make",
            "refloat-volume-delete",
            "refloat-load-balancer",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn nodes_are_spread_over_zones() {
        let zone = |number| {
            node(number, "v1.37.2", &BTreeMap::new())["metadata"]["labels"]["topology.kubernetes.io/zone"].clone()
        };
        assert_eq!(
            [zone(1), zone(2), zone(3), zone(4)],
            ["simulated-a", "simulated-b", "simulated-c", "simulated-a"]
        );
        let extra = BTreeMap::from([("pool".to_owned(), "payments".to_owned())]);
        assert_eq!(node(1, "v1.37.2", &extra)["metadata"]["labels"]["pool"], "payments");
        assert_eq!(
            node(2, "v1.37.2", &extra)["status"]["addresses"][0]["address"],
            "10.132.0.2"
        );
    }
}
