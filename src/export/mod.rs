//! From changes of objects to changes of the files that declare them.
//!
//! [`place`] takes what is to become of objects and finds the file that says so now, edits it in place (crate `yaml-splice`), and proves the
//! result: the changed tree is read and rendered again, and must differ from the old one by just what was asked for. What cannot be
//! proven is taken back and told with the reason ([`Unplaced`]), and what else would change is told too ([`Changeset::side_effects`]).
//! Nothing is written: a [`Changeset`] is files as data.
//!
//! So far the file that declares an object is edited: manifests as they stand, and what a kustomization passes on. Where something in
//! between decides (a patch, an image or replicas entry, a generator, a chart), the proof fails and the change is unplaced.

mod add;
mod path;
mod proof;
mod work;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::declared;
use crate::error::Failure;
use crate::object::{DeclaredSet, Manifest, ObjectId, Place};
use crate::source::Tree;

/// What is to become of an object.
#[derive(Debug, Clone)]
pub enum Change {
    /// A field becomes this.
    Set {
        /// The object, as [`DeclaredSet`] names it.
        object: ObjectId,
        /// The field as a drift names it: `.spec.template.spec.containers[name=web].image`.
        path: String,
        /// Its value.
        value: Value,
    },
    /// A field goes.
    Unset {
        /// The object, as [`DeclaredSet`] names it.
        object: ObjectId,
        /// The field, as in [`Change::Set`].
        path: String,
    },
    /// An object that is not declared is.
    Add {
        /// The object as it is to be written.
        manifest: Manifest,
    },
    /// An object is declared no longer.
    Remove {
        /// The object, as [`DeclaredSet`] names it.
        object: ObjectId,
    },
}

impl Change {
    /// The object that it is about.
    pub fn object(&self) -> ObjectId {
        match self {
            Self::Set { object, .. } | Self::Unset { object, .. } | Self::Remove { object } => object.clone(),
            Self::Add { manifest } => manifest.id(),
        }
    }
}

/// Files as they are to be, and what was done for which change. The indices are those of the changes given to [`place`].
#[derive(Debug, Clone, Default)]
pub struct Changeset {
    /// By path in the tree: the new content; `None`: the file goes.
    pub files: BTreeMap<String, Option<Vec<u8>>>,
    /// What has a place.
    pub placed: Vec<Placed>,
    /// What has none, sorted by change.
    pub unplaced: Vec<Unplaced>,
    /// Other objects that change too, in this entry or another of the repository, each with the entry: `Deployment/shop/web in
    /// overlays/staging`. A file that several share is the cause. Sorted.
    pub side_effects: Vec<String>,
    /// Places of documents that had to be written anew in part, so that comments in them may be lost.
    pub reemitted: Vec<Place>,
}

/// A change and where it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Index of the change.
    pub change: usize,
    /// The file, and the line of the document before the change.
    pub place: Place,
    /// Why there, in words.
    pub why: String,
}

/// A change without a safe place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// Index of the change.
    pub change: usize,
    /// Why, in words; never a value.
    pub reason: String,
}

/// Finds the places of changes. `set` is what `tree` declares, read with `options` and resolved.
///
/// # Errors
/// When the changed tree cannot be read at all, as for [`declared::load`].
pub fn place(
    tree: &Tree,
    options: &declared::Options,
    set: &DeclaredSet,
    changes: &[Change],
) -> Result<Changeset, Failure> {
    let mut refused: BTreeMap<usize, String> = BTreeMap::new();
    let before = proof::Rendered::of(tree, options)?;
    loop {
        let mut work = work::Work::new(tree, set);
        for (index, change) in changes.iter().enumerate() {
            if !refused.contains_key(&index) {
                work.make(index, change);
            }
        }
        let mut made = work.finish();
        if made.files.is_empty() {
            made.placed.clear();
            return Ok(with_refused(made, refused));
        }
        let after = proof::Rendered::of(&tree.with(&made.files), options)?;
        let found = proof::compare(&before, &after, set, changes, &made.placed);
        if found.wrong.is_empty() {
            made.side_effects = found.others;
            made.side_effects
                .extend(proof::elsewhere(tree, options, set, &made.files)?);
            made.side_effects.sort();
            return Ok(with_refused(made, refused));
        }
        refused.extend(found.wrong);
    }
}

fn with_refused(mut made: Changeset, refused: BTreeMap<usize, String>) -> Changeset {
    let refused = refused.into_iter().map(|(change, reason)| Unplaced { change, reason });
    made.unplaced.extend(refused);
    made.unplaced.sort_by_key(|one| one.change);
    made
}
