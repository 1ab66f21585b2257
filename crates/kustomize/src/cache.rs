//! What was parsed once, for all roots and threads, by content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::context::Parsed;
use crate::files::ContentId;
use crate::kustomization::Kustomization;
use crate::trouble::{Outcome, Trouble};

/// What a kustomization file says, or all that is wrong with it.
pub(crate) type ReadKustomization = Result<Arc<Kustomization>, Arc<[Trouble]>>;

/// Parsed contents. Each shelf is bounded by the bytes of the texts that it stands for; parsed, a text takes some ten times as much.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Documents as they stand in the file.
    pub documents: Shelf<Outcome<Arc<[Parsed]>>>,
    /// First documents, of what is no object.
    pub plain: Shelf<Outcome<Arc<[Parsed]>>>,
    /// Objects of a file: lists taken apart, and checked.
    pub objects: Shelf<Outcome<Arc<[Parsed]>>>,
    pub kustomizations: Shelf<ReadKustomization>,
}

impl Cache {
    pub fn new(bytes: usize) -> Self {
        Cache {
            documents: Shelf::new(bytes / 4),
            plain: Shelf::new(bytes / 8),
            objects: Shelf::new(bytes * 3 / 8),
            kustomizations: Shelf::new(bytes / 4),
        }
    }
}

/// Values by content, of two generations: when the young one is full it becomes the old one, and the old one goes. What is asked for
/// becomes young again.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    /// Bytes of one generation.
    limit: usize,
    shelves: Mutex<Generations<T>>,
}

#[derive(Debug)]
struct Generations<T> {
    young: HashMap<ContentId, (T, usize)>,
    old: HashMap<ContentId, (T, usize)>,
    bytes: usize,
}

impl<T> Generations<T> {
    fn put(&mut self, id: ContentId, value: T, bytes: usize, limit: usize) {
        if self.bytes + bytes > limit {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.young.insert(id, (value, bytes));
    }
}

impl<T: Clone> Shelf<T> {
    fn new(bytes: usize) -> Self {
        let shelves = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            bytes: 0,
        };
        Shelf {
            limit: bytes / 2,
            shelves: Mutex::new(shelves),
        }
    }

    /// The value of a content, if it is there.
    pub fn find(&self, id: ContentId) -> Option<T> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, _)) = shelves.young.get(&id) {
            return Some(value.clone());
        }
        let (value, bytes) = shelves.old.remove(&id)?;
        shelves.put(id, value.clone(), bytes, self.limit);
        Some(value)
    }

    /// Keeps the value of a content of so many bytes. Contents without bytes are counted too, so that there are not too many of them.
    pub fn keep(&self, id: ContentId, value: T, bytes: usize) {
        let bytes = bytes.max(64);
        if bytes <= self.limit {
            let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
            shelves.put(id, value, bytes, self.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let shelf = Shelf::new(2000);
        let id = |at: u8| ContentId([at; 32]);
        shelf.keep(id(0), 0, 400);
        for at in 1..20 {
            shelf.keep(id(at), at, 400);
            assert_eq!(shelf.find(id(0)), Some(0));
        }
        assert_eq!(shelf.find(id(19)), Some(19));
        assert_eq!(shelf.find(id(1)), None);
        shelf.keep(id(30), 30, 5000);
        assert_eq!(shelf.find(id(30)), None);
    }
}
