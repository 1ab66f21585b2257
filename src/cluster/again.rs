//! Asking once more for what does not fit together: lists are of different instants.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::listed::{Listed, Passed};
use super::wire::{Ask, METADATA};
use super::{Cluster, Endpoint};
use crate::object::{LiveObject, LiveSet, ObjectId, ServedKinds};

/// So many objects at most are asked for once more: more of them are no accident of the moment.
const MOST: usize = 1_000;
/// How many owners of owners are followed.
const DEEP: usize = 4;

impl Cluster {
    /// Asks once more for objects whose owner was in no list, and for that owner: it may have been made after its kind was listed and
    /// before the object's was, or both may be gone by now. `live` takes in what is so; gives whether anything is. What cannot be
    /// asked stays as it was listed. Metadata only.
    pub async fn look_again(&self, kinds: &ServedKinds, live: &mut LiveSet, lost: &[(ObjectId, ObjectId)]) -> bool {
        let lost = &lost[..lost.len().min(MOST)];
        let mut changed = false;
        let mut owners: BTreeSet<ObjectId> = lost.iter().map(|(_, owner)| owner.clone()).collect();
        for _ in 0..DEEP {
            let found = self.as_they_are(kinds, owners).await;
            owners = BTreeSet::new();
            for (id, object) in found {
                let Some(object) = object else { continue };
                let above = object.owners.iter().map(|owner| owner.beside(id.namespace.as_deref()));
                owners.extend(above.filter(|owner| !live.objects.contains_key(owner)));
                changed |= take(live, id, object);
            }
            if owners.is_empty() {
                break;
            }
        }
        let objects = self.as_they_are(kinds, lost.iter().map(|(id, _)| id.clone())).await;
        for (id, object) in objects {
            changed |= match object {
                Some(object) => take(live, id, object),
                None => live.objects.remove(&id).is_some(),
            };
        }
        changed
    }

    /// Those of these objects that could be asked for; `None`: it is not there.
    async fn as_they_are(
        &self,
        kinds: &ServedKinds,
        ids: impl IntoIterator<Item = ObjectId>,
    ) -> BTreeMap<ObjectId, Option<LiveObject>> {
        let at = |id: ObjectId| Some((Endpoint::preferred(kinds.get(&id.group_kind())?)?, id));
        let asked = stream::iter(ids.into_iter().filter_map(at)).map(|(at, id)| async move {
            let namespace = id.namespace.as_deref();
            let ask = Ask::get(at.object(namespace, &id.name)).accept(METADATA);
            let object = match self.read::<Listed<Passed>>(&ask).await {
                Ok(listed) => Some(listed.metadata.into_live(String::new())),
                Err(trouble) if trouble.code() == 404 => None,
                Err(_) => return None,
            };
            Some((at.id(namespace, &id.name), object))
        });
        let asked = asked.buffer_unordered(self.in_flight());
        asked.filter_map(|answer| async { answer }).collect().await
    }
}

/// Takes an object in; says whether it is another one than was listed.
fn take(live: &mut LiveSet, id: ObjectId, mut object: LiveObject) -> bool {
    if let Some(before) = live.objects.get(&id) {
        if before.resource_version == object.resource_version {
            return false;
        }
        // Metadata does not tell it.
        before.secret_type.clone_into(&mut object.secret_type);
    }
    live.objects.insert(id, Box::new(object));
    true
}
