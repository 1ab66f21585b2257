//! Every object in full: what [`live`](super::live) lists by its metadata.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::ask::{Listed, Page, page_path};
use super::live::{Cut, LISTS, Listable, OBJECTS, PAGES, RESTARTS};
use super::wire::Ask;
use super::{Cluster, Endpoint};
use crate::object::{FactGap, GroupKind, ObjectId};

/// Whole objects in one page of a list: they can be large.
const PAGE: usize = 100;

/// What is made of each object as soon as its page is there, so that pages need not be kept.
pub type Make<T> = Arc<dyn Fn(&Endpoint, &ObjectId, Value) -> Result<T, String> + Send + Sync>;

/// What came of reading every object.
pub struct Whole<T> {
    /// What was made of each object. One that several groups serve is here once, under the group that the server prefers.
    pub objects: BTreeMap<ObjectId, T>,
    /// Kinds that were listed whole, sorted.
    pub listed: Vec<GroupKind>,
    /// What could not be read, with the reason; sorted.
    pub gaps: Vec<FactGap>,
}

/// What came of one kind.
struct OfKind<'a, T> {
    at: &'a Endpoint,
    objects: Vec<Made<T>>,
    /// Why that is not all.
    cut: Option<Cut>,
}

struct Made<T> {
    id: ObjectId,
    uid: String,
    made: Result<T, String>,
}

impl Cluster {
    /// Reads every object of every kind that can be listed and changed, values of Secrets too: in pages of 100, 8 lists at a time.
    /// The lists are not of one instant. Where a kind may not be listed in all namespaces, it is listed in each that is known: those
    /// that may be listed, and these. What could not be read (403, a broken APIService, a list that does not end) is a gap.
    pub async fn read_all<T: Send + 'static>(
        &self,
        found: &Listable,
        namespaces: &BTreeSet<String>,
        make: &Make<T>,
    ) -> Whole<T> {
        let asked = stream::iter(found.ends.iter().enumerate()).map(|(number, at)| async move {
            let mut objects = Vec::new();
            let cut = self.whole_list(at, None, make, &mut objects).await.err();
            // A kind that lists nothing (405) has nothing to miss.
            let cut = cut.filter(|cut| cut.code() != 405);
            (number, OfKind { at, objects, cut })
        });
        // In the server's order of groups.
        let kinds: BTreeMap<usize, OfKind<'_, T>> = asked.buffer_unordered(LISTS).collect().await;
        let mut namespaces = namespaces.clone();
        let known = kinds.values().filter(|kind| kind.at.is_namespaces());
        namespaces.extend(known.flat_map(|kind| kind.objects.iter().map(|one| one.id.name.clone())));
        let mut whole = Whole {
            objects: BTreeMap::new(),
            listed: Vec::new(),
            gaps: found.gaps.clone(),
        };
        let mut seen = HashSet::new();
        for mut kind in kinds.into_values() {
            match kind.cut.take() {
                None => whole.listed.push(kind.at.kind.clone()),
                Some(cut) => whole
                    .gaps
                    .extend(self.whole_within(&mut kind, &cut, &namespaces, make).await),
            }
            let mut others = HashSet::new();
            for Made { id, uid, made } in kind.objects {
                if !uid.is_empty() && seen.contains(&uid) {
                    continue;
                }
                others.insert(uid);
                match made {
                    Ok(made) => _ = whole.objects.insert(id, made),
                    Err(reason) => whole.gaps.push(FactGap {
                        what: format!("keep {id}"),
                        reason,
                    }),
                }
            }
            seen.extend(others);
        }
        whole.listed.sort();
        whole.gaps.sort();
        whole.gaps.dedup();
        whole
    }

    /// Lists what of a kind is in these namespaces, where it may not be listed in all. Gives what cannot be read of it.
    async fn whole_within<T: Send + 'static>(
        &self,
        kind: &mut OfKind<'_, T>,
        cut: &Cut,
        namespaces: &BTreeSet<String>,
        make: &Make<T>,
    ) -> Vec<FactGap> {
        let at = kind.at;
        let mut within = Vec::new();
        for namespace in namespaces.iter().filter(|_| cut.code() == 403 && at.namespaced) {
            let listed = self.whole_list(at, Some(namespace), make, &mut kind.objects).await;
            // That these may not be read either, the gap of the kind says.
            if listed.is_ok() {
                within.push(namespace.as_str());
            }
        }
        let elsewhere = match &*within {
            [] => String::new(),
            some => format!(" outside of {}", some.join(", ")),
        };
        vec![FactGap {
            what: format!("list {}{elsewhere}", at.name()),
            reason: cut.to_string(),
        }]
    }

    /// Reads all pages of a list. What was read before it broke stays.
    async fn whole_list<T: Send + 'static>(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        make: &Make<T>,
        objects: &mut Vec<Made<T>>,
    ) -> Result<(), Cut> {
        let start = objects.len();
        let (mut restarts, mut next, mut pages) = (0, None, 0);
        loop {
            let path = page_path(at, namespace, PAGE, next.as_deref());
            let page = match self.read::<Page<Value>>(&Ask::get(path)).await {
                Ok(page) => Listed::from(page),
                // The snapshot that the pages are cut from is gone: a mix of two would miss objects.
                Err(trouble) if trouble.code() == 410 && next.is_some() && restarts < RESTARTS => {
                    restarts += 1;
                    next = None;
                    objects.truncate(start);
                    continue;
                }
                Err(trouble) => return Err(Cut::Trouble(trouble)),
            };
            pages += 1;
            let before = std::mem::replace(&mut next, page.next);
            objects.extend(made(at, page.items, make).await);
            if next.is_none() {
                return Ok(());
            }
            if next == before || pages >= PAGES || objects.len() >= start + OBJECTS {
                return Err(Cut::TooLong(objects.len() - start));
            }
        }
    }
}

/// What is made of a page, beside the requests of others.
async fn made<T: Send + 'static>(at: &Endpoint, items: Vec<Value>, make: &Make<T>) -> Vec<Made<T>> {
    let (at, make) = (at.clone(), Arc::clone(make));
    let all = move || {
        let of = |mut value: Value| {
            at.complete(&mut value);
            let text = |key: &str| value["metadata"][key].as_str().unwrap_or_default().to_owned();
            let (id, uid) = (at.id(Some(&text("namespace")), &text("name")), text("uid"));
            let made = make(&at, &id, value);
            Made { id, uid, made }
        };
        items.into_iter().map(of).collect()
    };
    match tokio::task::spawn_blocking(all).await {
        Ok(made) => made,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The program ends, and nobody waits for it.
            Err(_) => Vec::new(),
        },
    }
}
