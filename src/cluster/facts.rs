//! What the target serves, has and allows, gathered as a value before anything is planned.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::ask::{Metadata, Partial};
use super::wire::Trouble;
use super::{Cluster, Endpoint, foreign};
use crate::error::Failure;
use crate::object::{
    Declared, DeclaredSet, ExistingObject, FactGap, Facts, GroupKind, Health, ObjectId, ServedKind, ServedKinds, assess,
};

/// Kinds that declared objects refer to by name: what exists of them counts as present. (group, kind)
const REFERRED_TO: &[(&str, &str)] = &[
    ("", "ConfigMap"),
    ("", "Namespace"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Secret"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("cert-manager.io", "ClusterIssuer"),
    ("cert-manager.io", "Issuer"),
    ("external-secrets.io", "ClusterSecretStore"),
    ("external-secrets.io", "SecretStore"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "Role"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    HELM_CHART,
    ("storage.k8s.io", "StorageClass"),
];

/// Its generation is in versions of charts.
const HELM_CHART: (&str, &str) = ("source.toolkit.fluxcd.io", "HelmChart");

/// Foreign objects named; more are left out.
const SAMPLE: usize = 20;
/// Lists at a time: each may be large.
const LISTS: usize = 8;

/// What to find out beyond versions, kinds and existing objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactsOptions {
    /// Ask for each declared object that exists what applying would change (two requests each).
    pub dry_run: bool,
    /// Ask which rights are lacking.
    pub rights: bool,
    /// Look whether the cluster is new.
    pub foreign: bool,
}

impl Default for FactsOptions {
    fn default() -> Self {
        Self {
            dry_run: true,
            rights: true,
            foreign: true,
        }
    }
}

/// Everything listed, by kind.
type Lists = BTreeMap<GroupKind, Vec<(ObjectId, Metadata)>>;

impl Cluster {
    /// Gathers the facts about these declared objects, whose scopes must be resolved.
    ///
    /// # Errors
    /// The server does not say which kinds it serves. All else that fails is a gap.
    pub async fn facts(&self, set: &DeclaredSet, options: FactsOptions) -> Result<Facts, Failure> {
        let (kinds, mut gaps) = self.discover().await?;
        let declared: BTreeMap<&ObjectId, &Declared> = set.objects.iter().map(|object| (&object.id, object)).collect();
        let (lists, noted, engines, (denied, rights_gaps)) = tokio::join!(
            self.lists(&declared, &kinds, options.foreign),
            self.noted(),
            self.engines(&kinds),
            async {
                if options.rights {
                    self.denied(declared.keys().copied(), &kinds).await
                } else {
                    (Vec::new(), Vec::new())
                }
            },
        );
        let (lists, list_gaps) = lists;
        let (record, ran) = noted.map_or((None, BTreeSet::new()), |(record, ran)| (Some(record), ran));
        let (engines, engine_gaps) = engines;
        gaps.extend(list_gaps);
        gaps.extend(engine_gaps);
        gaps.extend(rights_gaps);
        let mut existing = existing(&declared, &lists);
        self.replicas(&lists, &kinds, &mut existing).await;
        self.failed_hooks(&declared, &kinds, &mut existing).await;
        if options.dry_run {
            self.dry_run(&declared, &kinds, &mut existing).await;
        }
        let present = lists
            .values()
            .flatten()
            .map(|(id, _)| id)
            .filter(|id| is_referred_to(id) && !declared.contains_key(id));
        let charts = lists
            .values()
            .flatten()
            .filter(|(id, metadata)| id.is(HELM_CHART.0, HELM_CHART.1) && metadata.generation > 1);
        let changed_charts = charts.map(|(id, _)| id.clone()).collect();
        let foreign = if options.foreign {
            foreign_among(&declared, &lists, record.is_some())
        } else {
            Vec::new()
        };
        gaps.sort();
        gaps.dedup();
        Ok(Facts {
            context: Some(self.context().clone()),
            version: self.version(),
            present: present.cloned().collect(),
            kinds,
            existing,
            foreign,
            engines,
            record,
            recorded: BTreeMap::new(),
            deployed: BTreeSet::new(),
            ran,
            changed_charts,
            denied,
            gaps,
        })
    }

    /// Metadata of all objects of the kinds that matter, and what could not be listed.
    async fn lists(
        &self,
        declared: &BTreeMap<&ObjectId, &Declared>,
        kinds: &ServedKinds,
        foreign: bool,
    ) -> (Lists, Vec<FactGap>) {
        let namespaces: BTreeSet<&str> = declared.keys().filter_map(|id| id.namespace.as_deref()).collect();
        let mut wanted: BTreeSet<GroupKind> = declared.keys().map(|id| id.group_kind()).collect();
        wanted.extend(REFERRED_TO.iter().map(|(group, kind)| GroupKind::new(*group, *kind)));
        if foreign {
            wanted.extend(
                foreign::LOOKED_AT
                    .iter()
                    .map(|(group, kind)| GroupKind::new(*group, *kind)),
            );
        }
        let served: Vec<&ServedKind> = wanted.iter().filter_map(|kind| kinds.get(kind)).collect();
        let asks = served
            .into_iter()
            .filter(|served| served.watchable)
            .filter_map(Endpoint::preferred);
        let asked = stream::iter(asks).map(|at| {
            let namespaces = &namespaces;
            async move {
                let (items, gaps) = self.list_what_may_be(&at, namespaces).await;
                let items = items
                    .into_iter()
                    .map(|Partial { metadata }| (at.id(Some(&metadata.namespace), &metadata.name), metadata));
                (at.kind.clone(), items.collect::<Vec<_>>(), gaps)
            }
        });
        let answers: Vec<_> = asked.buffered(LISTS).collect().await;
        let (mut lists, mut gaps) = (Lists::new(), Vec::new());
        for (kind, items, missing) in answers {
            lists.insert(kind, items);
            gaps.extend(missing);
        }
        (lists, gaps)
    }

    /// All objects of a kind; where only namespaces may be listed, those of the declared namespaces.
    async fn list_what_may_be(&self, at: &Endpoint, namespaces: &BTreeSet<&str>) -> (Vec<Partial>, Vec<FactGap>) {
        let gap = |trouble: &Trouble, within: Option<&str>| FactGap {
            what: match within {
                Some(namespace) => format!("list {} in {namespace}", at.plural),
                None => format!("list {}", at.plural),
            },
            reason: trouble.to_string(),
        };
        let (mut all, mut gaps) = (Vec::new(), Vec::new());
        match self.list_metadata(at, None).await {
            Ok(items) => all = items,
            Err(trouble) if trouble.code() == 403 && at.namespaced && !namespaces.is_empty() => {
                for namespace in namespaces {
                    match self.list_metadata(at, Some(namespace)).await {
                        Ok(items) => all.extend(items),
                        Err(trouble) => gaps.push(gap(&trouble, Some(namespace))),
                    }
                }
            }
            // A kind that lists nothing (405) has nothing to miss.
            Err(trouble) if trouble.code() == 405 => {}
            Err(trouble) => gaps.push(gap(&trouble, None)),
        }
        (all, gaps)
    }

    /// Asks how many replicas those have that something scales.
    async fn replicas(&self, lists: &Lists, kinds: &ServedKinds, existing: &mut BTreeMap<ObjectId, ExistingObject>) {
        let is_scaled = |metadata: &Metadata| metadata.managed_fields.iter().any(|entry| entry.subresource == "scale");
        let scaled = lists
            .values()
            .flatten()
            .filter(|(id, metadata)| existing.contains_key(id) && is_scaled(metadata));
        let asks: Vec<_> = scaled
            .filter_map(|(id, _)| Some((id.clone(), Endpoint::preferred(kinds.get(&id.group_kind())?)?)))
            .collect();
        let asked = stream::iter(asks).map(|(id, at)| async move {
            let live = self.get(&at, id.namespace.as_deref(), &id.name).await;
            let replicas = live
                .ok()
                .flatten()
                .and_then(|live| live.pointer("/spec/replicas")?.as_i64());
            (id, replicas)
        });
        for (id, replicas) in asked.buffer_unordered(self.in_flight()).collect::<Vec<_>>().await {
            if let Some(existing) = existing.get_mut(&id) {
                existing.replicas = replicas;
            }
        }
    }

    /// Asks which of the hooks that are there failed, and are to be deleted before they run again.
    async fn failed_hooks(
        &self,
        declared: &BTreeMap<&ObjectId, &Declared>,
        kinds: &ServedKinds,
        existing: &mut BTreeMap<ObjectId, ExistingObject>,
    ) {
        let runs = |id: &&ObjectId| id.is("batch", "Job") || id.is("", "Pod");
        let goes = |id: &&ObjectId| {
            let policy = declared.get(id).and_then(|one| one.hook_policy());
            policy.is_some_and(|policy| policy.before)
        };
        let hooks = existing.keys().filter(runs).filter(goes);
        let (found, _) = self.get_all(kinds, hooks.cloned()).await;
        for (id, live) in &found {
            if let Some(object) = existing.get_mut(id) {
                object.failed = assess(live).health == Health::Failed;
            }
        }
    }

    async fn dry_run(
        &self,
        declared: &BTreeMap<&ObjectId, &Declared>,
        kinds: &ServedKinds,
        existing: &mut BTreeMap<ObjectId, ExistingObject>,
    ) {
        let asks = existing
            .iter()
            .filter(|(_, object)| !object.terminating)
            .filter_map(|(id, _)| {
                let declared = *declared.get(id)?;
                let served = kinds.get(&id.group_kind())?;
                // What has generated values is left as it is; what is not served in this version is asked after migration.
                let version = declared.manifest.version();
                let asked = declared.generated.is_empty() && served.versions.iter().any(|known| known == version);
                asked.then(|| {
                    (
                        id.clone(),
                        declared,
                        Endpoint::new(served.kind.clone(), version, &*served.plural, served.scope),
                    )
                })
            });
        let asks: Vec<_> = asks.collect();
        let changes = stream::iter(asks).map(|(id, declared, at)| async move {
            let change = self.would_change(&at, declared).await;
            (id, change)
        });
        let changes: Vec<_> = changes.buffer_unordered(self.in_flight()).collect().await;
        for (id, change) in changes {
            if let Some(object) = existing.get_mut(&id) {
                object.change = change;
            }
        }
    }
}

fn is_referred_to(id: &ObjectId) -> bool {
    REFERRED_TO.iter().any(|(group, kind)| id.is(group, kind))
}

fn existing(declared: &BTreeMap<&ObjectId, &Declared>, lists: &Lists) -> BTreeMap<ObjectId, ExistingObject> {
    let mut existing = BTreeMap::new();
    for (id, metadata) in lists.values().flatten() {
        let Some(declared) = declared.get(id) else { continue };
        let writer = declared.writer.manager();
        // Who writes status manages nothing that Git declares.
        let managers = metadata
            .managed_fields
            .iter()
            .filter(|entry| entry.subresource.is_empty());
        let others = managers
            .map(|entry| &entry.manager)
            .filter(|manager| *manager != writer);
        existing.insert(
            id.clone(),
            ExistingObject {
                uid: metadata.uid.clone(),
                resource_version: metadata.resource_version.clone(),
                terminating: metadata.deletion_timestamp.is_some(),
                managers: others.cloned().collect(),
                replicas: None,
                failed: false,
                change: None,
            },
        );
    }
    existing
}

fn foreign_among(declared: &BTreeMap<&ObjectId, &Declared>, lists: &Lists, restored: bool) -> Vec<ObjectId> {
    // What was restored before makes some of its own: certificates, elections, releases.
    let made_since = |id: &ObjectId| restored && (id.is("", "ConfigMap") || id.is("", "Secret"));
    let sets: Vec<&&ObjectId> = declared.keys().filter(|id| id.is("apps", "StatefulSet")).collect();
    let claimed = |namespace: &str, claim: &str| {
        sets.iter()
            .any(|set| set.namespace.as_deref() == Some(namespace) && foreign::is_claim_of(claim, &set.name))
    };
    let looked_at = lists.iter().filter(|(kind, _)| foreign::is_looked_at(kind));
    let mut all: Vec<&ObjectId> = looked_at
        .flat_map(|(_, items)| items)
        .filter(|(id, metadata)| {
            !declared.contains_key(id) && !made_since(id) && foreign::is_foreign(id, metadata, claimed)
        })
        .map(|(id, _)| id)
        .collect();
    all.sort();
    all.into_iter().take(SAMPLE).cloned().collect()
}
