//! What is in the cluster: every object of every kind that can be listed and changed, from its metadata.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use super::listed::{Column, Listed, Passed, Row, type_column};
use super::wire::{Ask, METADATA, METADATA_LIST, Trouble, null_is_default};
use super::{Cluster, Endpoint};
use crate::error::Failure;
use crate::object::{FactGap, GroupKind, LiveObject, LiveSet, ObjectId, ServedKinds};

/// Pages of one kind: whatever gives more is no list that ends.
const PAGES: usize = 10_000;
/// Objects of one kind, so that memory ends too.
const OBJECTS: usize = 1_000_000;
/// How often a list starts over because its snapshot is gone (410).
const RESTARTS: usize = 3;
/// Lists at a time.
const LISTS: usize = 8;

/// Secrets as a table: names, types, how many keys, and metadata; no values leave the server. No other form is accepted.
const SECRETS: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
/// Where that is not known (before Kubernetes 1.15 and behind odd proxies), metadata alone, without types.
const SECRETS_PLAIN: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Group and kind.
type Kind = (&'static str, &'static str);

/// The same objects in two groups: the first kind is not listed where the second one is.
const TWICE: &[(Kind, Kind)] = &[
    (("events.k8s.io", "Event"), ("", "Event")),
    (("extensions", "DaemonSet"), ("apps", "DaemonSet")),
    (("extensions", "Deployment"), ("apps", "Deployment")),
    (("extensions", "ReplicaSet"), ("apps", "ReplicaSet")),
    (("extensions", "Ingress"), ("networking.k8s.io", "Ingress")),
    (("extensions", "NetworkPolicy"), ("networking.k8s.io", "NetworkPolicy")),
    (("extensions", "PodSecurityPolicy"), ("policy", "PodSecurityPolicy")),
    (("project.openshift.io", "Project"), ("", "Namespace")),
    (
        ("authorization.openshift.io", "Role"),
        ("rbac.authorization.k8s.io", "Role"),
    ),
    (
        ("authorization.openshift.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
    ),
    (
        ("authorization.openshift.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
    ),
    (
        ("authorization.openshift.io", "ClusterRoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ),
];

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct LiveOptions {
    /// Namespaces to look into one by one where a kind may not be listed in all.
    pub namespaces: BTreeSet<String>,
}

/// What can be listed and changed.
#[derive(Debug, Clone, Default)]
pub struct Listable {
    /// Every kind that is served.
    pub kinds: ServedKinds,
    /// Those of which objects can be listed and changed, in the server's order of groups, without what is another by another name.
    pub ends: Vec<Endpoint>,
    /// API groups that could not be asked, sorted.
    pub gaps: Vec<FactGap>,
}

/// What came of one kind.
struct OfKind {
    at: Endpoint,
    objects: Vec<(ObjectId, LiveObject)>,
    gaps: Vec<FactGap>,
    /// Listed, and whole.
    whole: bool,
}

/// A page of a list, or of a table. `F`: what is made of the fields of managers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "F: Deserialize<'de>")]
pub(super) struct Page<F> {
    #[serde(default)]
    pub metadata: PageMeta,
    #[serde(default = "Vec::new", deserialize_with = "null_is_default")]
    items: Vec<Listed<F>>,
    #[serde(default, deserialize_with = "null_is_default")]
    column_definitions: Vec<Column>,
    #[serde(default = "Vec::new", deserialize_with = "null_is_default")]
    rows: Vec<Row<F>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PageMeta {
    #[serde(rename = "continue", deserialize_with = "null_is_default")]
    pub next: String,
    pub resource_version: String,
}

/// Why a list is not whole.
enum Cut {
    Trouble(Trouble),
    TooLong(usize),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::TooLong(count) => write!(
                f,
                "the list does not end: {count} objects were read of it, and more are there"
            ),
        }
    }
}

impl Cluster {
    /// What can be listed and changed.
    ///
    /// # Errors
    /// The server does not say which kinds it serves.
    pub async fn listable(&self) -> Result<Listable, Failure> {
        let found = self.served().await?;
        let kinds: BTreeSet<&GroupKind> = found.listable.iter().map(|(kind, _)| kind).collect();
        let wanted = found.listable.iter().filter(|(kind, _)| !is_twice(kind, &kinds));
        let ends = wanted.filter_map(|(kind, version)| {
            let served = found.kinds.get(kind)?;
            Some(Endpoint::new(kind.clone(), version, &*served.plural, served.scope))
        });
        let ends = ends.collect();
        Ok(Listable {
            ends,
            gaps: found.gaps,
            kinds: ServedKinds(found.kinds),
        })
    }

    /// Every object of every kind that can be listed and changed, in all groups, cluster-scoped ones too; metadata only, in
    /// pages of 500, 8 lists at a time. What could not be read (403, a broken APIService, a list that does not end) is a gap.
    /// Of Secrets their type is read, never a value.
    ///
    /// # Errors
    /// The server does not say which kinds it serves.
    pub async fn live(&self, options: &LiveOptions) -> Result<LiveSet, Failure> {
        let found = self.listable().await?;
        let asked = stream::iter(found.ends.into_iter().enumerate()).map(|(number, at)| async move {
            let answer = self.all_of(at, &options.namespaces).await;
            (number, answer)
        });
        // In the server's order of groups: of one object in two groups the one of the first stays.
        let answers: BTreeMap<usize, OfKind> = asked.buffer_unordered(LISTS).collect().await;
        let mut set = LiveSet {
            gaps: found.gaps,
            ..LiveSet::default()
        };
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (number, kind) in answers {
            if kind.whole {
                set.listed.push(kind.at.kind.clone());
            }
            set.gaps.extend(kind.gaps);
            for (id, object) in kind.objects {
                let first = *seen.entry(object.uid.clone()).or_insert(number);
                if first == number || object.uid.is_empty() {
                    set.objects.insert(id, object);
                }
            }
        }
        set.listed.sort();
        set.gaps.sort();
        set.gaps.dedup();
        Ok(set)
    }

    /// All objects of a kind; where only namespaces may be listed, those of these namespaces.
    async fn all_of(&self, at: Endpoint, namespaces: &BTreeSet<String>) -> OfKind {
        let gap = |what: String, cut: &Cut| FactGap {
            what,
            reason: cut.to_string(),
        };
        let mut objects = Vec::new();
        let mut gaps = Vec::new();
        match self.pages(&at, None, &mut objects).await {
            // A kind that lists nothing (405) has nothing to miss.
            Ok(()) => {}
            Err(Cut::Trouble(trouble)) if trouble.code() == 405 => {}
            Err(cut) => {
                let denied = matches!(&cut, Cut::Trouble(trouble) if trouble.code() == 403);
                let mut within = Vec::new();
                for namespace in namespaces.iter().filter(|_| denied && at.namespaced) {
                    match self.pages(&at, Some(namespace), &mut objects).await {
                        Ok(()) => within.push(namespace.as_str()),
                        Err(cut) => gaps.push(gap(format!("list {} in {namespace}", at.name()), &cut)),
                    }
                }
                let elsewhere = match &*within {
                    [] => String::new(),
                    some => format!(" outside of {}", some.join(", ")),
                };
                gaps.push(gap(format!("list {}{elsewhere}", at.name()), &cut));
            }
        }
        OfKind {
            whole: gaps.is_empty(),
            at,
            objects,
            gaps,
        }
    }

    /// Reads all pages of a list. What was read before it broke stays.
    async fn pages(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        objects: &mut Vec<(ObjectId, LiveObject)>,
    ) -> Result<(), Cut> {
        let start = objects.len();
        let (mut restarts, mut next, mut pages) = (0, String::new(), 0);
        let mut accept = if at.is_secret() { SECRETS } else { METADATA_LIST };
        loop {
            let from = Some(next.as_str()).filter(|next| !next.is_empty());
            let page: Page<Passed> = match self.page(at, namespace, accept, from).await {
                Ok(page) => page,
                Err(trouble) if trouble.code() == 406 && accept == SECRETS => {
                    accept = SECRETS_PLAIN;
                    continue;
                }
                // The snapshot that the pages are cut from is gone: a mix of two would miss objects.
                Err(trouble) if trouble.code() == 410 && !next.is_empty() && restarts < RESTARTS => {
                    restarts += 1;
                    next.clear();
                    objects.truncate(start);
                    continue;
                }
                Err(trouble) => return Err(Cut::Trouble(trouble)),
            };
            pages += 1;
            let before = std::mem::replace(&mut next, page.metadata.next.clone());
            page.read_into(at, objects);
            if next.is_empty() {
                return Ok(());
            }
            if next == before || pages >= PAGES || objects.len() >= start + OBJECTS {
                return Err(Cut::TooLong(objects.len() - start));
            }
        }
    }

    /// These objects with what their managers own: metadata only, for saying who wrote what. What is not there (any more) is
    /// left out; what may not be read is a gap.
    ///
    /// # Errors
    /// The server does not say which kinds it serves.
    pub async fn with_managers(
        &self,
        ids: impl IntoIterator<Item = ObjectId>,
    ) -> Result<(BTreeMap<ObjectId, LiveObject>, Vec<FactGap>), Failure> {
        let found = self.served().await?;
        let end = |id: ObjectId| {
            let kind = id.group_kind();
            let (_, version) = found.listable.iter().find(|(known, _)| *known == kind)?;
            let served = found.kinds.get(&kind)?;
            Some((id, Endpoint::new(kind, version, &*served.plural, served.scope)))
        };
        let ends: Vec<_> = ids.into_iter().filter_map(end).collect();
        let asked = stream::iter(ends).map(|(id, at)| async move {
            let ask = Ask::get(at.object(id.namespace.as_deref(), &id.name)).accept(METADATA);
            let read = self.read::<Listed<Value>>(&ask).await;
            (id, at, read)
        });
        let (mut objects, mut gaps) = (BTreeMap::new(), Vec::new());
        for (id, at, read) in asked.buffer_unordered(self.in_flight()).collect::<Vec<_>>().await {
            match read {
                Ok(listed) => {
                    objects.insert(id, listed.metadata.into_live(String::new()));
                }
                Err(trouble) if trouble.code() == 404 => {}
                Err(trouble) => gaps.push(FactGap {
                    what: format!("get {}", at.name()),
                    reason: trouble.to_string(),
                }),
            }
        }
        gaps.sort();
        gaps.dedup_by(|later, first| later.what == first.what);
        Ok((objects, gaps))
    }
}

impl Page<Passed> {
    fn read_into(self, at: &Endpoint, objects: &mut Vec<(ObjectId, LiveObject)>) {
        objects.extend(self.into_typed(&mut None).map(|(listed, secret_type)| {
            let metadata = listed.metadata;
            let id = at.id(Some(&metadata.namespace), &metadata.name);
            (id, metadata.into_live(secret_type))
        }));
    }
}

impl<F> Page<F> {
    /// The objects, Secrets with their type. `column` of a table has it: a later page or event may not say which.
    pub(super) fn into_typed(self, column: &mut Option<usize>) -> impl Iterator<Item = (Listed<F>, String)> + use<F> {
        *column = type_column(&self.column_definitions).or(*column);
        let column = *column;
        let rows = self.rows.into_iter().map(move |row| row.typed(column));
        rows.chain(self.items.into_iter().map(Listed::typed))
    }
}

fn is_twice(kind: &GroupKind, listable: &BTreeSet<&GroupKind>) -> bool {
    let is = |(group, name): (&str, &str)| kind.group == group && kind.kind == name;
    let other = TWICE.iter().find(|(twice, _)| is(*twice));
    other.is_some_and(|(_, (group, kind))| listable.contains(&GroupKind::new(*group, *kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_fires_where_the_other_is_listed() {
        for ((group, kind), (other, same)) in TWICE {
            let (twice, first) = (GroupKind::new(*group, *kind), GroupKind::new(*other, *same));
            assert!(is_twice(&twice, &BTreeSet::from([&twice, &first])), "{twice}");
            assert!(!is_twice(&twice, &BTreeSet::from([&twice])), "{twice}");
            assert!(!is_twice(&first, &BTreeSet::from([&twice, &first])), "{first}");
        }
    }
}
