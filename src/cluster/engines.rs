//! What engines in the cluster sync.

use std::collections::BTreeMap;

use super::{Cluster, Endpoint};
use crate::object::{FactGap, GroupKind, LiveUnit, ObjectId, ServedKinds, engine_kinds};

/// What Flux reads from.
const SOURCE: (&str, &str) = ("source.toolkit.fluxcd.io", "GitRepository");

impl Cluster {
    /// The objects of engines that the cluster has, sorted, each with what it says of its source; what could not be listed is a gap.
    pub async fn engines(&self, kinds: &ServedKinds) -> (Vec<LiveUnit>, Vec<FactGap>) {
        let mut gaps = Vec::new();
        let sources = self.all_of_kind(SOURCE, kinds, &mut gaps).await;
        let named = sources.into_iter().filter_map(|value| {
            let text = |pointer: &str| value.pointer(pointer)?.as_str();
            let id = ObjectId::new(SOURCE.0, SOURCE.1, text("/metadata/namespace"), text("/metadata/name")?);
            Some((id, value))
        });
        let sources: BTreeMap<ObjectId, serde_json::Value> = named.collect();
        let mut units = Vec::new();
        for kind in engine_kinds() {
            let objects = self.all_of_kind(kind, kinds, &mut gaps).await;
            units.extend(objects.iter().filter_map(|value| LiveUnit::of(value, &sources)));
        }
        units.sort_by(|a, b| a.id.cmp(&b.id));
        (units, gaps)
    }

    async fn all_of_kind(
        &self,
        (group, kind): (&str, &str),
        kinds: &ServedKinds,
        gaps: &mut Vec<FactGap>,
    ) -> Vec<serde_json::Value> {
        let served = kinds.get(&GroupKind::new(group, kind));
        let Some(at) = served.and_then(Endpoint::preferred) else {
            return Vec::new();
        };
        match self.list(&at, None).await {
            Ok(objects) => objects,
            Err(why) => {
                gaps.push(FactGap {
                    what: format!("list {}.{group}, to see what engines sync", at.plural),
                    reason: why.reason,
                });
                Vec::new()
            }
        }
    }
}
