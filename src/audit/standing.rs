//! What live objects are by themselves, before any repository is asked.

use std::collections::BTreeMap;

use super::owner::{Owned, Owners};
use super::rules::{Ruled, Rules};
use super::tools::{Hands, hands};
use super::unread::Unread;
use crate::object::{LiveObject, LiveSet, ObjectId, Standing};

/// The objects that are not their own, and whose they are. What only a person's tool wrote is its own, whomever it names as its
/// owner; so is what the cluster makes by itself and a person changed. `release`: the version that the server tells.
pub fn standings(live: &LiveSet, release: &str) -> BTreeMap<ObjectId, Standing> {
    let nothing = BTreeMap::new();
    let owners = Owners::new(live, &nothing, Unread::new(live, None));
    let rules = Rules::of(release, live, std::iter::empty());
    let of = |(id, object): (&ObjectId, &LiveObject)| {
        let standing = match (owners.of(id, object), rules.judge(id, object)) {
            (Owned::By(top) | Owned::ByUnread(top), _) if hands(object) != Hands::Only => Standing::Owned(top),
            (_, Ruled::BuiltIn(rule)) => Standing::BuiltIn(rule.rule.clone()),
            _ => return None,
        };
        Some((id.clone(), standing))
    };
    live.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{GroupKind, Manager, Owner};

    #[test]
    fn owned_built_in_and_own_objects_are_told_apart() {
        let by = |manager: &str| Manager {
            name: manager.to_owned(),
            operation: "Update".to_owned(),
            subresource: String::new(),
            time: String::new(),
            fields: None,
        };
        let owner = Owner {
            kind: GroupKind::new("apps", "Deployment"),
            name: "web".to_owned(),
            uid: String::new(),
            controller: true,
        };
        let web = ObjectId::new("apps", "Deployment", Some("shop"), "web");
        let set = |name: &str| ObjectId::new("apps", "ReplicaSet", Some("shop"), name);
        let certificate = |namespace: &str| ObjectId::new("", "ConfigMap", Some(namespace), "kube-root-ca.crt");
        let (controller, hand) = ("kube-controller-manager", "kubectl-edit");
        let mut live = LiveSet::default();
        for (id, owners, managers) in [
            (web.clone(), vec![], vec![controller]),
            (set("made"), vec![owner.clone()], vec![controller]),
            (set("by-hand"), vec![owner], vec![hand]),
            (certificate("shop"), vec![], vec![controller]),
            (certificate("edited"), vec![], vec![controller, hand]),
        ] {
            let object = LiveObject {
                owners,
                managers: managers.into_iter().map(by).collect(),
                ..LiveObject::default()
            };
            live.objects.insert(id, Box::new(object));
        }
        let found = standings(&live, "v1.37.2");
        assert_eq!(found[&set("made")], Standing::Owned(web));
        assert!(matches!(&found[&certificate("shop")], Standing::BuiltIn(_)));
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
