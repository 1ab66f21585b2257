//! What is live, kept up to date, and which changes of it matter.

use std::collections::HashMap;

use crate::audit;
use crate::cluster::{AUTOSCALERS, Mark, Sighted};
use crate::object::{GroupKind, LiveObject, LiveSet, Manager, ObjectId};

/// What is live.
#[derive(Debug)]
pub(super) struct Seen {
    pub live: LiveSet,
    uids: Uids,
    /// Of what is declared, of autoscalers, and of units.
    marks: HashMap<ObjectId, Mark>,
}

/// What a sighting comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// All may have to be judged again.
    pub judge: bool,
    /// The object was written to, other than to its status; or is new.
    pub written: bool,
    /// It is not there any more.
    pub gone: bool,
}

impl Seen {
    pub fn new(live: LiveSet) -> Self {
        let mut uids = Uids::default();
        for (id, object) in &live.objects {
            uids.insert(&object.uid, &id.group_kind());
        }
        Self {
            live,
            uids,
            marks: HashMap::new(),
        }
    }

    /// Takes in how an object is now. `marked`: whether what is written to it matters, beside its metadata.
    pub fn take(&mut self, sighted: Sighted, marked: bool) -> Change {
        let Sighted { id, object } = sighted;
        let kind = id.group_kind();
        let Some((object, mark)) = object else {
            return self.lose(&id, &kind);
        };
        // The same object in another group: the first one counts.
        if self.uids.is_of_another(&object.uid, &kind) {
            return Change::default();
        }
        let before = self.live.objects.get(&id).filter(|before| before.uid == object.uid);
        let same_version = before.is_some_and(|before| before.resource_version == object.resource_version);
        let marked = marked || is_autoscaler(&kind);
        let last = marked.then(|| self.marks.insert(id.clone(), mark)).flatten();
        if same_version {
            return Change::default();
        }
        let change = Change {
            judge: !audit::is_never_a_finding(&kind) && before.is_none_or(|before| !is_same(before, &object)),
            written: before.is_none() || last.is_none_or(|last| !mark.is_only_status(last)),
            gone: false,
        };
        self.uids.insert(&object.uid, &kind);
        let uid = object.uid.clone();
        if let Some(old) = self.live.objects.insert(id, Box::new(object))
            && old.uid != uid
        {
            self.uids.remove(&old.uid);
        }
        change
    }

    fn lose(&mut self, id: &ObjectId, kind: &GroupKind) -> Change {
        let Some(old) = self.live.objects.remove(id) else {
            return Change::default();
        };
        self.uids.remove(&old.uid);
        self.marks.remove(id);
        Change {
            judge: !audit::is_never_a_finding(kind),
            written: false,
            gone: true,
        }
    }

    /// The kind is not served any more. Gives what is gone.
    pub fn lose_kind(&mut self, kind: &GroupKind) -> Vec<ObjectId> {
        let ids: Vec<ObjectId> = self.of_kind(kind).map(|(id, _)| id.clone()).collect();
        for id in &ids {
            self.lose(id, kind);
        }
        self.live.listed.retain(|listed| listed != kind);
        self.live.listed_within.retain(|(listed, _)| listed != kind);
        ids
    }

    /// All objects of a kind: they stand together.
    pub fn of_kind<'a>(&'a self, kind: &'a GroupKind) -> impl Iterator<Item = (&'a ObjectId, &'a LiveObject)> {
        self.live.of_kind(&kind.group, &kind.kind)
    }

    /// Whether an object that nobody declares is only passing through: it is being deleted, or all its owners are gone, so that it is
    /// about to be collected, or it follows another one without a reference to it.
    pub fn is_passing(&self, id: &ObjectId) -> bool {
        let Some(object) = self.live.objects.get(id) else {
            return false;
        };
        let lost = !object.owners.is_empty() && object.owners.iter().all(|owner| !self.uids.has(&owner.uid));
        object.terminating || lost || id.is("", "Endpoints")
    }
}

/// Whether a kind sets the replicas of others.
pub(super) fn is_autoscaler(kind: &GroupKind) -> bool {
    AUTOSCALERS
        .iter()
        .any(|(group, name)| kind.group == *group && kind.kind == *name)
}

/// Whether an audit judges both alike: when a manager wrote last, and what happened to the status, decides nothing.
fn is_same(before: &LiveObject, now: &LiveObject) -> bool {
    let managers = |object: &LiveObject| -> Vec<(String, String, String)> {
        let content = object.managers.iter().filter(|manager| manager.subresource != "status");
        let named = |one: &Manager| (one.name.clone(), one.operation.clone(), one.subresource.clone());
        content.map(named).collect()
    };
    before.terminating == now.terminating
        && before.labels == now.labels
        && before.annotations == now.annotations
        && before.last_applied == now.last_applied
        && before.owners == now.owners
        && before.secret_type == now.secret_type
        && managers(before) == managers(now)
}

/// Of which kind the object with a uid is.
#[derive(Debug, Default)]
struct Uids {
    kinds: Vec<GroupKind>,
    of: HashMap<Box<str>, usize>,
}

impl Uids {
    fn insert(&mut self, uid: &str, kind: &GroupKind) {
        if uid.is_empty() || self.of.contains_key(uid) {
            return;
        }
        let known = self.kinds.iter().position(|known| known == kind);
        let index = known.unwrap_or_else(|| {
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        });
        self.of.insert(uid.into(), index);
    }

    fn remove(&mut self, uid: &str) {
        self.of.remove(uid);
    }

    fn has(&self, uid: &str) -> bool {
        self.of.contains_key(uid)
    }

    fn is_of_another(&self, uid: &str, kind: &GroupKind) -> bool {
        self.of.get(uid).is_some_and(|index| self.kinds[*index] != *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Owner;

    fn mark(generation: i64, content: u64, status: u64) -> Mark {
        Mark {
            generation,
            content,
            status,
        }
    }

    fn object(uid: &str, version: u32) -> LiveObject {
        LiveObject {
            uid: uid.to_owned(),
            resource_version: version.to_string(),
            ..LiveObject::default()
        }
    }

    fn id(kind: &str, name: &str) -> ObjectId {
        let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
        ObjectId::new(group, kind, Some("shop"), name)
    }

    fn sighted(id: &ObjectId, object: LiveObject, mark: Mark) -> Sighted {
        Sighted {
            id: id.clone(),
            object: Some((object, mark)),
        }
    }

    #[test]
    fn a_status_is_no_change_and_anything_else_is() {
        let mut seen = Seen::new(LiveSet::default());
        let web = id("Deployment.apps", "web");
        let mut take = |version, mark| seen.take(sighted(&web, object("u", version), mark), true);
        let written = |judge| Change {
            judge,
            written: true,
            gone: false,
        };
        assert_eq!(take(1, mark(1, 1, 1)), written(true));
        assert_eq!(take(1, mark(1, 1, 1)), Change::default(), "listed again");
        assert_eq!(take(2, mark(1, 1, 2)), Change::default(), "its status");
        assert_eq!(take(3, mark(2, 1, 2)), written(false), "its generation");
        assert_eq!(take(4, mark(2, 2, 2)), written(false), "its metadata");
        // Of a kind without generations: who owns what did not change, and neither did the status.
        assert_eq!(take(5, mark(0, 2, 2)), written(false));
        assert_eq!(take(6, mark(0, 2, 2)), written(false), "twice in a second");
        assert_eq!(take(7, mark(0, 2, 3)), Change::default(), "its status");
    }

    #[test]
    fn what_was_known_and_is_the_same_is_no_change() {
        let web = id("Deployment.apps", "web");
        let mut live = LiveSet::default();
        live.objects.insert(web.clone(), Box::new(object("u", 7)));
        let mut seen = Seen::new(live);
        assert_eq!(
            seen.take(sighted(&web, object("u", 7), mark(1, 1, 1)), true),
            Change::default()
        );
        let anew = seen.take(sighted(&web, object("v", 8), mark(1, 1, 1)), true);
        assert!(anew.written && anew.judge, "another object of the same name");
        let gone = Sighted { id: web, object: None };
        assert!(seen.take(gone.clone(), true).gone);
        assert_eq!(seen.take(gone, true), Change::default());
        assert!(!seen.uids.has("u") && !seen.uids.has("v"));
    }

    #[test]
    fn one_object_in_two_groups_is_one() {
        let mut seen = Seen::new(LiveSet::default());
        seen.take(sighted(&id("Thing.a", "x"), object("u", 1), mark(1, 1, 1)), false);
        let twin = seen.take(sighted(&id("Thing.b", "x"), object("u", 1), mark(1, 1, 1)), false);
        assert_eq!((twin, seen.live.objects.len()), (Change::default(), 1));
    }

    #[test]
    fn heartbeats_and_times_are_nothing_to_judge() {
        let mut seen = Seen::new(LiveSet::default());
        let lease = id("Lease.coordination.k8s.io", "node");
        assert!(!seen.take(sighted(&lease, object("u", 1), mark(0, 1, 0)), false).judge);
        let slice = id("EndpointSlice.discovery.k8s.io", "web");
        let at = |version: u32| {
            let manager = Manager {
                name: "kube-controller-manager".to_owned(),
                operation: "Update".to_owned(),
                subresource: String::new(),
                time: version.to_string(),
                fields: None,
            };
            LiveObject {
                managers: vec![manager],
                ..object("v", version)
            }
        };
        assert!(seen.take(sighted(&slice, at(1), mark(1, 1, 0)), false).judge);
        assert!(!seen.take(sighted(&slice, at(2), mark(2, 2, 0)), false).judge);
        let mut labelled = at(3);
        labelled.labels.insert("a".to_owned(), "b".to_owned());
        assert!(seen.take(sighted(&slice, labelled, mark(2, 3, 0)), false).judge);
    }

    #[test]
    fn what_is_about_to_be_collected_is_passing() {
        let mut seen = Seen::new(LiveSet::default());
        let (pod, set) = (id("Pod", "web-1"), id("ReplicaSet.apps", "web"));
        let owner = Owner {
            kind: set.group_kind(),
            name: "web".to_owned(),
            uid: "r".to_owned(),
            controller: true,
        };
        let owned = LiveObject {
            owners: vec![owner],
            ..object("p", 1)
        };
        seen.take(sighted(&pod, owned, mark(1, 1, 1)), false);
        assert!(seen.is_passing(&pod), "its owner is not there yet");
        seen.take(sighted(&set, object("r", 1), mark(1, 1, 1)), false);
        assert!(!seen.is_passing(&pod) && !seen.is_passing(&set));
        seen.lose_kind(&set.group_kind());
        assert!(seen.is_passing(&pod), "its owner is gone");
    }
}
