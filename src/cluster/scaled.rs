//! What autoscalers scale.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Cluster, Endpoint};
use crate::object::{Declared, GroupKind, ObjectId, Scaling, ServedKinds, api_group};

/// Kinds that set the replicas of others: (group, kind).
pub const AUTOSCALERS: &[(&str, &str)] = &[("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")];

/// Whether an autoscaler may set the replicas of an object.
pub fn may_be_scaled(declared: &Declared) -> bool {
    declared.id.group == "apps" || declared.manifest.value().pointer("/spec/replicas").is_some()
}

/// What autoscalers scale, by kind, namespace and name, and how.
#[derive(Default)]
pub(super) struct Scaled(BTreeMap<(GroupKind, Option<String>, String), Scaling>);

impl Scaled {
    pub fn of(&self, kind: &GroupKind, id: &ObjectId) -> Scaling {
        let key = (kind.clone(), id.namespace.clone(), id.name.clone());
        self.0.get(&key).copied().unwrap_or_default()
    }

    /// Of several autoscalers the one counts that goes lowest: KEDA makes a HorizontalPodAutoscaler of its own.
    pub fn add(&mut self, kind: &str, autoscaler: &Value, namespace: Option<&str>) {
        if let Some(target) = target(autoscaler, namespace) {
            let scaling = self.0.entry(target).or_default();
            *scaling = Scaling::by(kind, autoscaler).max(*scaling);
        }
    }
}

impl Cluster {
    /// What live autoscalers scale, and which kinds of them cannot be listed, with the reason.
    pub(super) async fn scaled_live(&self, kinds: &ServedKinds) -> (Scaled, Vec<(GroupKind, String)>) {
        let (mut scaled, mut unknown) = (Scaled::default(), Vec::new());
        for (group, kind) in AUTOSCALERS {
            let Some(served) = kinds.get(&GroupKind::new(*group, *kind)) else {
                continue;
            };
            let Some(at) = Endpoint::preferred(served) else {
                continue;
            };
            match self.list(&at, None).await {
                Ok(all) => {
                    let namespace = |one: &Value| one.pointer("/metadata/namespace")?.as_str().map(str::to_owned);
                    all.iter()
                        .for_each(|one| scaled.add(kind, one, namespace(one).as_deref()));
                }
                Err(why) => unknown.push((served.kind.clone(), why.to_string())),
            }
        }
        (scaled, unknown)
    }
}

/// What an autoscaler scales. KEDA's `scaleTargetRef` may leave the kind out: a Deployment.
fn target(autoscaler: &Value, namespace: Option<&str>) -> Option<(GroupKind, Option<String>, String)> {
    let reference = autoscaler.pointer("/spec/scaleTargetRef")?;
    let text = |key: &str| reference.get(key).and_then(Value::as_str);
    let kind = text("kind").unwrap_or("Deployment");
    let group = text("apiVersion").map_or("apps", api_group);
    Some((
        GroupKind::new(group, kind),
        namespace.map(str::to_owned),
        text("name")?.to_owned(),
    ))
}
