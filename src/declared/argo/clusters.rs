//! Clusters that Argo CD knows and Git does not declare: `argocd cluster add` writes their Secrets into the cluster only.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::object::normalize::LAST_APPLIED;

/// The label of Secrets of clusters, with its value.
pub const CLUSTER_LABEL: (&str, &str) = ("argocd.argoproj.io/secret-type", "cluster");

/// A live Secret of a cluster with what generators know of it alone: how Argo CD signs in there is nothing to them.
pub fn cluster_secret(live: &Value) -> Value {
    let metadata = &live["metadata"];
    let mut annotations = metadata["annotations"].clone();
    if let Some(annotations) = annotations.as_object_mut() {
        // It may repeat the whole Secret.
        annotations.remove(LAST_APPLIED);
    }
    let data = live["data"].as_object().into_iter().flatten();
    let data = data.filter(|(key, _)| matches!(&***key, "name" | "server" | "project"));
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "labels": metadata["labels"], "annotations": annotations,
        },
        "data": data.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>(),
    })
}

/// What generators know of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterParams {
    /// Its name.
    pub name: String,
    /// Its address.
    pub server: String,
    /// The AppProject that it is for, if it is for one only.
    #[serde(default)]
    pub project: String,
    /// Labels of its Secret.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations of its Secret.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl ClusterParams {
    /// Reads a YAML list of them.
    ///
    /// # Errors
    /// Says what is wrong with it: line, where that is known, and cause.
    pub fn read(text: &[u8]) -> Result<Vec<Self>, (Option<usize>, String)> {
        let value = kube_yaml::parse_one(text).value;
        let value = value.map_err(|error| (Some(error.line), error.message))?;
        serde_json::from_value(value).map_err(|error| (None, error.to_string()))
    }

    /// As its Secret would be.
    pub(super) fn secret(&self) -> Value {
        let mut labels = self.labels.clone();
        labels.insert(CLUSTER_LABEL.0.to_owned(), CLUSTER_LABEL.1.to_owned());
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.name, "labels": labels, "annotations": self.annotations},
            "stringData": {"name": self.name, "server": self.server, "project": self.project},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_live_secret_generators_see_no_credentials() {
        let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": "canary", "region": "eu"});
        let live = json!({
            "metadata": {"name": "cluster-eu", "namespace": "argocd", "labels": {"tier": "prod"}, "annotations": annotations, "uid": "u"},
            "data": {"name": "ZXU=", "server": "aHR0cHM6Ly9ldQ==", "config": "canary"},
        });
        let seen = cluster_secret(&live);
        assert!(!seen.to_string().contains("canary"), "{seen}");
        assert_eq!(seen["metadata"]["annotations"], json!({"region": "eu"}));
        assert_eq!(seen["data"], json!({"name": "ZXU=", "server": "aHR0cHM6Ly9ldQ=="}));
    }

    #[test]
    fn a_list_is_read_and_anything_else_refused() {
        let text = b"- {name: eu, server: 'https://eu.example.com', labels: {tier: prod}}\n";
        let read = ClusterParams::read(text).expect("because it is right");
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].secret()["metadata"]["labels"]["tier"], "prod");
        for (wrong, why) in [
            ("- {name: eu}", "missing field `server`"),
            ("- {name: eu, server: x, token: y}", "unknown field `token`"),
            ("name: eu", "expected a sequence"),
            ("- {name: eu, server: x", ""),
        ] {
            let (_, message) = ClusterParams::read(wrong.as_bytes()).expect_err(wrong);
            assert!(message.contains(why), "{message}");
        }
    }
}
