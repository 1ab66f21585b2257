//! What Flux's Kustomizations list as theirs (`status.inventory`): labels can be copied and taken away, the inventory is the engine's own.
//!
//! Sources: kustomize-controller's `api/v1` (`ResourceInventory`) and `internal/inventory`; `ObjMetadata` of cli-utils for the form of an
//! entry, `namespace_name_group_kind`, in which `__` stands for a colon in a name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::managed::{KUSTOMIZATION, is};
use crate::object::{LiveObject, ObjectId};

/// As it calls itself in `managedFields`.
const CONTROLLER: &str = "kustomize-controller";

/// The inventories of the Kustomizations that were read.
#[derive(Debug, Default)]
pub(super) struct Inventories {
    /// By object the Kustomization that lists it.
    listed: BTreeMap<ObjectId, ObjectId>,
    /// When those that have applied all they were told to last said so, RFC 3339.
    settled: BTreeMap<ObjectId, String>,
}

impl Inventories {
    /// Of units as they are in the cluster. What is for another cluster lists nothing here.
    pub fn of(units: &BTreeMap<ObjectId, Value>) -> Self {
        let mut all = Self::default();
        let here = |(id, unit): &(&ObjectId, &Value)| is(id, KUSTOMIZATION) && unit["spec"]["kubeConfig"].is_null();
        for (id, unit) in units.iter().filter(here) {
            let Some(entries) = unit["status"]["inventory"]["entries"].as_array() else {
                continue;
            };
            let objects = entries.iter().filter_map(|entry| listed(entry["id"].as_str()?));
            all.listed.extend(objects.map(|object| (object, id.clone())));
            if let Some(time) = settled(unit) {
                all.settled.insert(id.clone(), time.to_owned());
            }
        }
        all
    }

    /// The Kustomization that lists an object.
    pub fn unit_of(&self, id: &ObjectId) -> Option<&ObjectId> {
        self.listed.get(id)
    }

    /// Whether a Kustomization says that an object is none of its own: it has applied everything, does not list the object, and did not
    /// write to it later.
    pub fn disown(&self, unit: &ObjectId, id: &ObjectId, object: &LiveObject) -> bool {
        let written = object.managers.iter().filter(|manager| manager.name == CONTROLLER);
        let last = written.map(|manager| manager.time.as_str()).max().unwrap_or_default();
        self.listed.get(id) != Some(unit) && self.settled.get(unit).is_some_and(|time| last <= time.as_str())
    }
}

/// When a Kustomization last wrote its status, if that says that all is applied as its spec has it.
fn settled(unit: &Value) -> Option<&str> {
    let status = &unit["status"];
    let conditions = status["conditions"].as_array()?;
    let is_ready = conditions
        .iter()
        .any(|one| one["type"] == "Ready" && one["status"] == "True");
    if !is_ready || status["observedGeneration"] != unit["metadata"]["generation"] {
        return None;
    }
    let managers = unit["metadata"]["managedFields"].as_array()?;
    let of_status = managers.iter().filter(|one| one["subresource"] == "status");
    of_status.filter_map(|one| one["time"].as_str()).max()
}

/// The object that an entry is about.
fn listed(entry: &str) -> Option<ObjectId> {
    let (rest, kind) = entry.rsplit_once('_')?;
    let (rest, group) = rest.rsplit_once('_')?;
    let (namespace, name) = rest.split_once('_')?;
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    (!name.is_empty() && !kind.is_empty()).then(|| ObjectId::new(group, kind, namespace, name.replace("__", ":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_objects() {
        let read = |entry: &str| listed(entry).map(|id| id.with_group());
        assert_eq!(
            read("shop_web_apps_Deployment").as_deref(),
            Some("Deployment.apps/shop/web")
        );
        assert_eq!(read("_shop__Namespace").as_deref(), Some("Namespace/shop"));
        assert_eq!(
            read("_system__shop__reader_rbac.authorization.k8s.io_ClusterRole").as_deref(),
            Some("ClusterRole.rbac.authorization.k8s.io/system:shop:reader")
        );
        for broken in ["", "_", "___", "shop_web_apps", "a_b_c_"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
