//! What earlier runs put on a branch, here and in the remote that it is pushed to.

use gix::{ObjectId, ThreadSafeRepository};

use super::branch::sightings;
use super::tree::Store;
use super::{Tree, push};

/// The commits that a branch is known to be at. None where that cannot be told: whoever writes to the branch says why.
pub struct Earlier {
    found: Option<(ThreadSafeRepository, Vec<ObjectId>)>,
}

impl Earlier {
    /// Of this branch; the remote is asked where it is to be pushed.
    pub fn of(tree: &Tree, branch: &str, pushed: bool) -> Self {
        let Store::Git(store) = tree.store() else {
            return Self { found: None };
        };
        let git = store.to_thread_local();
        let seen = sightings(&git, branch).into_iter().filter_map(|name| {
            let mut reference = git.try_find_reference(name.as_str()).ok()??;
            Some(reference.peel_to_id().ok()?.detach())
        });
        let mut commits: Vec<ObjectId> = seen.collect();
        commits.extend(pushed.then(|| push::there(&git, branch)).flatten());
        Self {
            found: Some((ThreadSafeRepository::clone(store), commits)),
        }
    }

    /// What a file is there, in each.
    pub fn versions(&self, path: &str) -> Vec<Vec<u8>> {
        let Some((store, commits)) = &self.found else {
            return Vec::new();
        };
        let git = store.to_thread_local();
        let read = |commit: &ObjectId| {
            let tree = git.find_commit(*commit).ok()?.tree().ok()?;
            let entry = tree.lookup_entry_by_path(path).ok()??;
            entry
                .mode()
                .is_blob()
                .then(|| entry.object().ok().map(|blob| blob.data.clone()))?
        };
        commits.iter().filter_map(read).collect()
    }
}
