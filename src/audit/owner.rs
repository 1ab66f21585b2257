//! Ownership chains: whom an object stands or falls with.

use std::collections::{BTreeMap, BTreeSet};

use super::unread::Unread;
use super::was::earlier_groups;
use crate::object::{Declared, GroupKind, LiveObject, LiveSet, ObjectId, Owner};

/// Whom an object belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owned {
    /// To nobody.
    No,
    /// To this one in the end.
    By(ObjectId),
    /// To one that could not be read.
    ByUnread(ObjectId),
    /// To one that does not exist: it has no owner in truth.
    Gone(ObjectId),
    /// To a ring of owners.
    Ring(ObjectId),
}

/// All that owners are looked up in.
pub(super) struct Owners<'a> {
    live: &'a LiveSet,
    declared: &'a BTreeMap<&'a ObjectId, &'a Declared>,
    unread: Unread<'a>,
    /// Names of StatefulSets, declared or live, by namespace.
    sets: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

/// One step up.
enum Step<'a> {
    None,
    /// The owner, and what is live of it if that was looked up.
    Up(ObjectId, Option<&'a LiveObject>),
    Unread(ObjectId),
    Gone(ObjectId),
}

impl<'a> Owners<'a> {
    pub(super) fn new(
        live: &'a LiveSet,
        declared: &'a BTreeMap<&'a ObjectId, &'a Declared>,
        unread: Unread<'a>,
    ) -> Self {
        let mut sets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let live_ones = live.of_kind("apps", "StatefulSet").map(|(id, _)| id);
        let declared_ones = declared.keys().copied().filter(|id| id.is("apps", "StatefulSet"));
        for id in live_ones.chain(declared_ones) {
            let names = sets.entry(id.namespace.as_deref().unwrap_or_default()).or_default();
            names.insert(&id.name);
        }
        Self {
            live,
            declared,
            unread,
            sets,
        }
    }

    /// Follows the owners to the top one.
    pub(super) fn of(&self, id: &ObjectId, object: &LiveObject) -> Owned {
        let (mut top, mut found) = match self.step(id, object) {
            Step::None => return Owned::No,
            Step::Gone(owner) => return Owned::Gone(owner),
            Step::Unread(owner) => return Owned::ByUnread(owner),
            Step::Up(owner, object) => (owner, object),
        };
        // Chains are short.
        let mut seen = vec![id.clone()];
        loop {
            if seen.contains(&top) {
                return Owned::Ring(top);
            }
            // What is declared answers for itself, whoever owns it.
            if self.declared.contains_key(&top) {
                return Owned::By(top);
            }
            let live = || self.live.objects.get(&top).map(|object| &**object);
            let Some(object) = found.or_else(live) else {
                return Owned::By(top);
            };
            match self.step(&top, object) {
                // An owner whose own owner is gone is the top one.
                Step::None | Step::Gone(_) => return Owned::By(top),
                Step::Unread(owner) => return Owned::ByUnread(owner),
                Step::Up(owner, object) => {
                    seen.push(std::mem::replace(&mut top, owner));
                    found = object;
                }
            }
        }
    }

    fn step(&self, id: &ObjectId, object: &LiveObject) -> Step<'a> {
        if object.owners.is_empty() {
            let owner = self.without_reference(id, object);
            return owner.map_or(Step::None, |owner| Step::Up(owner, None));
        }
        let mut owners: Vec<&Owner> = object.owners.iter().collect();
        owners.sort_by_key(|owner| !owner.controller);
        let mut missing = None;
        for owner in owners {
            match self.find(id, owner) {
                Step::Gone(gone) => missing = missing.or(Some(gone)),
                found => return found,
            }
        }
        if let Some(owner) = self.without_reference(id, object) {
            return Step::Up(owner, None);
        }
        missing.map_or(Step::None, Step::Gone)
    }

    fn find(&self, id: &ObjectId, owner: &Owner) -> Step<'a> {
        let named =
            |group: &str, namespace: Option<&str>| ObjectId::new(group, &*owner.kind.kind, namespace, &*owner.name);
        let same = |found: &LiveObject| found.uid.is_empty() || owner.uid.is_empty() || found.uid == owner.uid;
        let beside = owner.beside(id.namespace.as_deref());
        // Most are of the first.
        let groups = || {
            let others = earlier_groups(&beside).chain(later_groups(&owner.kind));
            std::iter::once(&*owner.kind.group).chain(others.map(|group| -> &str { group }))
        };
        for group in groups() {
            for namespace in [id.namespace.as_deref(), None] {
                let found = named(group, namespace);
                if let Some(object) = self.live.objects.get(&found).filter(|found| same(found)) {
                    return Step::Up(found, Some(object));
                }
            }
        }
        // A kind that is not served has no objects.
        let is_unread = groups().any(|group| self.unread.is(&named(group, id.namespace.as_deref())));
        match is_unread {
            true => Step::Unread(beside),
            false => Step::Gone(beside),
        }
    }

    /// Owners that Kubernetes knows without a reference: the StatefulSet of a claim, the Service of its Endpoints.
    fn without_reference(&self, id: &ObjectId, object: &LiveObject) -> Option<ObjectId> {
        let namespace = id.namespace.as_deref()?;
        if id.is("", "PersistentVolumeClaim") {
            let sets = self.sets.get(namespace)?;
            let set = sets.iter().find(|set| self.is_claim_of(namespace, &id.name, set))?;
            return Some(ObjectId::new("apps", "StatefulSet", Some(namespace), *set));
        }
        let service = match (id.group.as_str(), id.kind.as_str()) {
            ("", "Endpoints") => id.name.as_str(),
            ("discovery.k8s.io", "EndpointSlice") => object.labels.get("kubernetes.io/service-name")?,
            _ => return None,
        };
        let service = ObjectId::new("", "Service", Some(namespace), service);
        self.live.objects.contains_key(&service).then_some(service)
    }

    /// Whether a claim is called `<template>-<set>-<number>`; where the set is declared, by one of its templates.
    fn is_claim_of(&self, namespace: &str, claim: &str, set: &str) -> bool {
        let Some((rest, number)) = claim.rsplit_once('-') else {
            return false;
        };
        let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let template = rest.strip_suffix(set).and_then(|rest| rest.strip_suffix('-'));
        let Some(template) = template.filter(|template| numbered && !template.is_empty()) else {
            return false;
        };
        let id = ObjectId::new("apps", "StatefulSet", Some(namespace), set);
        self.declared.get(&id).is_none_or(|declared| {
            let templates = &declared.manifest.value()["spec"]["volumeClaimTemplates"];
            let mut templates = templates.as_array().into_iter().flatten();
            templates.any(|one| one.pointer("/metadata/name").and_then(|name| name.as_str()) == Some(template))
        })
    }
}

/// An owner that was written when its kind had another group.
fn later_groups(kind: &GroupKind) -> impl Iterator<Item = &'static str> + use<> {
    let old = kind.group == "extensions";
    ["apps", "networking.k8s.io"].into_iter().filter(move |_| old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ObjectId {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, group) = parts[0].split_once('.').unwrap_or((parts[0], ""));
        ObjectId::new(
            group,
            kind,
            (parts.len() == 3).then(|| parts[1]),
            parts[parts.len() - 1],
        )
    }

    /// Live objects: (who, owner). Uids are the names; `!` before an owner's name stands for another uid.
    fn live(objects: &[(&str, &[&str])]) -> LiveSet {
        let mut set = LiveSet::default();
        for (object, owners) in objects {
            let object = id(object);
            set.listed.push(object.group_kind());
            let owner = |text: &&str| {
                let of = id(&text.replace('!', ""));
                Owner {
                    kind: of.group_kind(),
                    name: of.name.clone(),
                    uid: if text.contains('!') {
                        "another".to_owned()
                    } else {
                        of.name
                    },
                    controller: true,
                }
            };
            let live = LiveObject {
                uid: object.name.clone(),
                owners: owners.iter().map(owner).collect(),
                ..LiveObject::default()
            };
            set.objects.insert(object, Box::new(live));
        }
        set
    }

    fn of(objects: &[(&str, &[&str])], who: &str) -> Owned {
        let set = live(objects);
        let declared = BTreeMap::new();
        let denied = GroupKind::new("example.com", "Denied");
        let served = BTreeMap::from([(denied, "denied".to_owned())]);
        let owners = Owners::new(&set, &declared, Unread::new(&set, &served));
        let who = id(who);
        owners.of(&who, &set.objects[&who])
    }

    #[test]
    fn the_chain_ends_at_the_top() {
        let objects: &[(&str, &[&str])] = &[
            ("Pod/shop/web-1-a", &["ReplicaSet.apps/shop/web-1"]),
            ("ReplicaSet.apps/shop/web-1", &["Deployment.extensions/shop/web"]),
            ("Deployment.apps/shop/web", &[]),
            ("Pod/shop/mirror", &["Node/a"]),
            ("Node/a", &[]),
        ];
        assert_eq!(
            of(objects, "Pod/shop/web-1-a"),
            Owned::By(id("Deployment.apps/shop/web"))
        );
        assert_eq!(of(objects, "Pod/shop/mirror"), Owned::By(id("Node/a")));
        assert_eq!(of(objects, "Node/a"), Owned::No);
    }

    #[test]
    fn owners_that_are_gone_unread_or_in_a_ring() {
        let objects: &[(&str, &[&str])] = &[
            ("Pod/shop/a", &["ReplicaSet.apps/shop/gone"]),
            ("ReplicaSet.apps/shop/other", &["Deployment.apps/shop/gone"]),
            ("Deployment.apps/shop/web", &[]),
            ("Pod/shop/b", &["Deployment.apps/shop/!web"]),
            ("Pod/shop/c", &["Denied.example.com/shop/x"]),
            ("Pod/shop/g", &["NotServed.example.com/shop/x"]),
            ("Pod/shop/d", &["Pod/shop/e"]),
            ("Pod/shop/e", &["Pod/shop/d"]),
            ("Pod/shop/f", &["ReplicaSet.apps/shop/other"]),
        ];
        assert_eq!(of(objects, "Pod/shop/a"), Owned::Gone(id("ReplicaSet.apps/shop/gone")));
        assert_eq!(of(objects, "Pod/shop/b"), Owned::Gone(id("Deployment.apps/shop/web")));
        assert_eq!(
            of(objects, "Pod/shop/c"),
            Owned::ByUnread(id("Denied.example.com/shop/x"))
        );
        assert_eq!(
            of(objects, "Pod/shop/g"),
            Owned::Gone(id("NotServed.example.com/shop/x"))
        );
        assert!(matches!(of(objects, "Pod/shop/d"), Owned::Ring(_)));
        assert_eq!(of(objects, "Pod/shop/f"), Owned::By(id("ReplicaSet.apps/shop/other")));
    }

    #[test]
    fn claims_of_sets_and_endpoints_of_services_have_no_reference() {
        let objects: &[(&str, &[&str])] = &[
            ("StatefulSet.apps/shop/db", &[]),
            ("PersistentVolumeClaim/shop/data-db-0", &[]),
            ("PersistentVolumeClaim/shop/db-0", &[]),
            ("PersistentVolumeClaim/web/data-db-0", &[]),
            ("Service/shop/web", &[]),
            ("Endpoints/shop/web", &[]),
            ("Endpoints/shop/other", &[]),
            ("EndpointSlice.discovery.k8s.io/shop/other-1", &["Endpoints/shop/other"]),
            ("EndpointSlice.discovery.k8s.io/shop/web-1", &["Endpoints/shop/web"]),
        ];
        let set = Owned::By(id("StatefulSet.apps/shop/db"));
        assert_eq!(of(objects, "PersistentVolumeClaim/shop/data-db-0"), set);
        assert_eq!(of(objects, "PersistentVolumeClaim/shop/db-0"), Owned::No);
        assert_eq!(of(objects, "PersistentVolumeClaim/web/data-db-0"), Owned::No);
        assert_eq!(of(objects, "Endpoints/shop/web"), Owned::By(id("Service/shop/web")));
        assert_eq!(of(objects, "Endpoints/shop/other"), Owned::No);
        assert_eq!(
            of(objects, "EndpointSlice.discovery.k8s.io/shop/web-1"),
            Owned::By(id("Service/shop/web"))
        );
        assert_eq!(
            of(objects, "EndpointSlice.discovery.k8s.io/shop/other-1"),
            Owned::By(id("Endpoints/shop/other"))
        );
    }
}
