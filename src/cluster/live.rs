//! What is in the cluster: every object of every kind that can be listed and changed, from its metadata.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use super::ask::page_path;
use super::listed::{Column, Listed, Passed, Row, type_column};
use super::wire::{Ask, Break, Broken, METADATA, Reply, Trouble, null_is_default};
use super::{Cluster, Endpoint, protobuf};
use crate::error::Failure;
use crate::object::{FactGap, GroupKind, LiveObject, LiveSet, ObjectId, ServedKinds};

/// Objects in one page: more than of whole objects, since metadata is small, and since the server has the first page of a list in
/// memory, but may have to get the others out of its storage.
const PAGE: usize = 2_500;
/// Pages of one kind: whatever gives more is no list that ends.
pub(super) const PAGES: usize = 10_000;
/// Objects of one kind, so that memory ends too.
pub(super) const OBJECTS: usize = 1_000_000;
/// How often a list starts over because its snapshot is gone (410).
pub(super) const RESTARTS: usize = 3;
/// Lists at a time.
pub(super) const LISTS: usize = 8;

/// Metadata as the server sends it fastest, of custom resources too; as JSON where a server behind it knows no other form.
const BINARY: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
    application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
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

/// What was listed of all kinds, as far as it could be without knowing any namespace.
pub struct Listing {
    /// In the server's order of groups.
    kinds: BTreeMap<usize, OfKind>,
    gaps: Vec<FactGap>,
}

/// What came of one kind.
struct OfKind {
    at: Endpoint,
    objects: Vec<(ObjectId, Box<LiveObject>)>,
    /// Why that is not all.
    cut: Option<Cut>,
}

/// A page of a list, read.
pub(super) struct LivePage {
    /// Where the next page begins; empty after the last one.
    pub next: String,
    pub objects: Vec<(ObjectId, Box<LiveObject>)>,
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
pub(super) enum Cut {
    Trouble(Trouble),
    TooLong(usize),
}

impl Cut {
    /// The HTTP status of a refusal, or 0.
    pub fn code(&self) -> u16 {
        match self {
            Self::Trouble(trouble) => trouble.code(),
            Self::TooLong(_) => 0,
        }
    }
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

    /// [`list`](Self::list_all) and [`complete`](Self::complete) in one.
    ///
    /// # Errors
    /// The server does not say which kinds it serves.
    pub async fn live(&self, options: &LiveOptions) -> Result<LiveSet, Failure> {
        let listing = self.list_all(self.listable().await?).await;
        Ok(self.complete(listing, options).await)
    }

    /// Every object of every kind that can be listed and changed, in all groups, cluster-scoped ones too; metadata only, in
    /// pages of 2,500, 8 lists at a time. Of Secrets their type is read, never a value.
    pub async fn list_all(&self, found: Listable) -> Listing {
        let asked = stream::iter(found.ends.into_iter().enumerate()).map(|(number, at)| async move {
            let mut objects = Vec::new();
            let cut = self.pages(&at, None, &mut objects).await.err();
            // A kind that lists nothing (405) has nothing to miss.
            let cut = cut.filter(|cut| cut.code() != 405);
            (number, OfKind { at, objects, cut })
        });
        Listing {
            gaps: found.gaps,
            kinds: asked.buffer_unordered(LISTS).collect().await,
        }
    }

    /// The set of what was listed; where a kind may not be listed in all namespaces, with those of its objects that are in the
    /// namespaces of the options. What could not be read (403, a broken APIService, a list that does not end) is a gap.
    pub async fn complete(&self, listing: Listing, options: &LiveOptions) -> LiveSet {
        let mut set = LiveSet {
            gaps: listing.gaps,
            ..LiveSet::default()
        };
        let mut kinds = Vec::new();
        for mut kind in listing.kinds.into_values() {
            match kind.cut.take() {
                None => set.listed.push(kind.at.kind.clone()),
                Some(cut) => {
                    let (within, gaps) = self.within(&mut kind, &cut, &options.namespaces).await;
                    let within = within.into_iter().map(|namespace| (kind.at.kind.clone(), namespace));
                    set.listed_within.extend(within);
                    set.gaps.extend(gaps);
                }
            }
            kinds.push(kind.objects);
        }
        // In the server's order of groups: of one object in two groups the one of the first stays.
        let count = kinds.iter().map(Vec::len).sum();
        let (mut seen, mut firsts) = (HashMap::with_capacity(count), Vec::with_capacity(count));
        for (number, objects) in kinds.iter().enumerate() {
            firsts.extend(objects.iter().map(|(_, object)| {
                object.uid.is_empty() || *seen.entry(object.uid.as_str()).or_insert(number) == number
            }));
        }
        let mut firsts = firsts.into_iter();
        kinds
            .iter_mut()
            .for_each(|objects| objects.retain(|_| firsts.next() == Some(true)));
        // In the order of the set, so that putting them in order costs little; in one piece of memory that is large enough.
        kinds.sort_by(|a, b| a.first().map(|(id, _)| id).cmp(&b.first().map(|(id, _)| id)));
        let mut all = Vec::with_capacity(count);
        kinds.into_iter().for_each(|mut objects| all.append(&mut objects));
        set.objects = BTreeMap::from_iter(all);
        set.listed.sort();
        set.gaps.sort();
        set.gaps.dedup();
        set
    }

    /// Lists what of a kind is in these namespaces, where it may not be listed in all. Gives those in which it could be, and what
    /// cannot be read of it.
    async fn within(&self, kind: &mut OfKind, cut: &Cut, namespaces: &BTreeSet<String>) -> (Vec<String>, Vec<FactGap>) {
        let at = &kind.at;
        let gap = |what: String, cut: &Cut| FactGap {
            what,
            reason: cut.to_string(),
        };
        let (mut within, mut gaps) = (Vec::new(), Vec::new());
        for namespace in namespaces.iter().filter(|_| cut.code() == 403 && at.namespaced) {
            match self.pages(at, Some(namespace), &mut kind.objects).await {
                Ok(()) => within.push(namespace.clone()),
                Err(cut) => gaps.push(gap(format!("list {} in {namespace}", at.name()), &cut)),
            }
        }
        let elsewhere = match &*within {
            [] => String::new(),
            some => format!(" outside of {}", some.join(", ")),
        };
        gaps.push(gap(format!("list {}{elsewhere}", at.name()), cut));
        (within, gaps)
    }

    /// Reads all pages of a list. What was read before it broke stays.
    async fn pages(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        objects: &mut Vec<(ObjectId, Box<LiveObject>)>,
    ) -> Result<(), Cut> {
        let start = objects.len();
        let (mut restarts, mut next, mut pages) = (0, String::new(), 0);
        let mut accept = if at.is_secret() { SECRETS } else { BINARY };
        loop {
            let from = Some(next.as_str()).filter(|next| !next.is_empty());
            let page = match self.live_page(at, namespace, accept, from).await {
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
            let before = std::mem::replace(&mut next, page.next);
            // Most lists are one page: it is taken as it is.
            match objects.is_empty() {
                true => *objects = page.objects,
                false => objects.extend(page.objects),
            }
            if next.is_empty() {
                return Ok(());
            }
            if next == before || pages >= PAGES || objects.len() >= start + OBJECTS {
                return Err(Cut::TooLong(objects.len() - start));
            }
        }
    }

    /// One page of a list, in whichever form the server gives it.
    async fn live_page(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        accept: &'static str,
        from: Option<&str>,
    ) -> Result<LivePage, Trouble> {
        let ask = Ask::get(page_path(at, namespace, PAGE, from)).accept(accept);
        let read = |reply: &Reply| {
            if reply.is(protobuf::MEDIA_TYPE) {
                let page = protobuf::page(&reply.body, at);
                return page.ok_or_else(|| Broken::new(Break::Other, "the answer cannot be read").into());
            }
            Ok(LivePage::from((reply.read::<Page<Passed>>()?, at)))
        };
        self.read_with(&ask, read).await
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

impl From<(Page<Passed>, &Endpoint)> for LivePage {
    fn from((page, at): (Page<Passed>, &Endpoint)) -> Self {
        let next = page.metadata.next.clone();
        let objects = page.into_typed(&mut None).map(|(listed, secret_type)| {
            let metadata = listed.metadata;
            let id = at.id(Some(&metadata.namespace), &metadata.name);
            (id, Box::new(metadata.into_live(secret_type)))
        });
        let objects = objects.collect();
        Self { next, objects }
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
