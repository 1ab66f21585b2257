//! The plugin `IAMPolicyGenerator`: a ServiceAccount that stands for one of Google Cloud.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::resource::Resource;
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};

/// The account to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    cloud: String,
    kubernetes_service: Named,
    service_account: Account,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Account {
    name: String,
    project_id: String,
}

const SHAPE: Shape = Shape::Fields(&[
    ("cloud", Shape::Text),
    (
        "kubernetesService",
        Shape::Fields(&[("name", Shape::Text), ("namespace", Shape::Text)]),
    ),
    (
        "serviceAccount",
        Shape::Fields(&[("name", Shape::Text), ("projectId", Shape::Text)]),
    ),
]);

impl Spec {
    /// The configuration of a plugin.
    pub fn from_plugin(config: &Value) -> Outcome<Spec> {
        read(config, &SHAPE, Manner::Lenient)
    }
}

/// Makes the account.
pub(crate) fn generate(spec: &Spec) -> Outcome<Vec<Resource>> {
    if spec.cloud != "gke" {
        return Err(Trouble::new(format!("cloud provider {} is not supported", spec.cloud)).in_field("cloud"));
    }
    let account = format!(
        "{}@{}.iam.gserviceaccount.com",
        spec.service_account.name, spec.service_account.project_id
    );
    let mut metadata = Map::new();
    metadata.insert(
        "annotations".to_owned(),
        json!({ "iam.gke.io/gcp-service-account": account }),
    );
    metadata.insert("name".to_owned(), Value::from(spec.kubernetes_service.name.as_str()));
    if !spec.kubernetes_service.namespace.is_empty() {
        metadata.insert(
            "namespace".to_owned(),
            Value::from(spec.kubernetes_service.namespace.as_str()),
        );
    }
    let value = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    Ok(vec![Resource::new(Arc::new(value), Arc::default())])
}
