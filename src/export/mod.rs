//! From changes of objects to changes of the files that declare them.
//!
//! [`place`] takes what is to become of objects and finds the file that says so now, edits it in place (crate `yaml-splice`), and proves the
//! result: the changed tree is read and rendered again, and must differ from the old one by just what was asked for. What cannot be
//! proven is taken back and told with the reason ([`Unplaced`]), and what else would change is told too ([`Changeset::side_effects`]).
//! Nothing is written: a [`Changeset`] is files as data.
//!
//! | file | what it knows |
//! |---|---|
//! | `choice` | which findings are exported |
//! | `intend` | what has to change for a finding to be none |
//! | `applied` | what differs because engines applied another commit last |
//! | `layers`, `patches`, `replacements`, `common`, `engine`, `values`, `spot` | the kustomizations of a tree; what they patch, copy and give to all; what engines add to them; the values of its charts; where a field could be decided, the likeliest first |
//! | `work`, `make`, `add`, `remove` | changes made in documents, in what kustomizations say, as new files, and as files that go |
//! | `template` | changes made in templates of the repository's own charts |
//! | `homes` | folders and files for new objects: by app, by namespace, by kind |
//! | `generators` | what generators make a value of, and how it is changed |
//! | `secret`, `external` | values of Secrets, encrypted with SOPS or sealed; where they are kept elsewhere, what names them |
//! | `path` | a field as drift names it, found in a document |
//! | `proof` | what a changed tree declares beside what the old one did |
//! | `trial` | changes tried at their places, and which of them are the cause of what was not meant |
//! | `aside` | what has no place |
//! | `rehearse` | what was exported, beside what came of it in an empty cluster |
//! | `files` | a changeset on disk |

mod add;
mod applied;
mod aside;
mod choice;
mod common;
mod engine;
mod external;
mod files;
mod generators;
mod homes;
mod intend;
mod layers;
mod make;
mod patches;
mod path;
mod proof;
mod rehearse;
mod remove;
mod replacements;
mod secret;
mod spot;
mod template;
mod trial;
mod values;
mod work;

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sops::sealed::Certificate;

use crate::declared;
use crate::error::Failure;
use crate::object::{DeclaredSet, Manifest, ObjectId, Place};
use crate::source::Tree;

use layers::Layers;
use proof::Rendered;
use spot::Finder;
use trial::{Trial, Trials};
use work::Known;

pub use applied::Applied;
pub use aside::lay_aside;
pub use choice::{Choice, VERDICTS};
pub use files::{edit, write};
pub use intend::{Intent, Left, Ways, Wish, intend, wanted};
pub use rehearse::{Rehearsed, rehearsed, to_rehearse};
pub use secret::{keep, says_for_whom};

/// What is to become of an object. `Debug` shows no value: those of Secrets are among them.
#[derive(Clone)]
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

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { object, path, .. } => write!(f, "set {object} {path}"),
            Self::Unset { object, path } => write!(f, "unset {object} {path}"),
            Self::Add { manifest } => write!(f, "add {}", manifest.id()),
            Self::Remove { object } => write!(f, "remove {object}"),
        }
    }
}

impl Change {
    /// The object that it is about.
    pub fn object(&self) -> ObjectId {
        match self {
            Self::Set { object, .. } | Self::Unset { object, .. } | Self::Remove { object } => object.clone(),
            Self::Add { manifest } => manifest.id(),
        }
    }

    /// The field that it is about; `None`: the whole object.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Set { path, .. } | Self::Unset { path, .. } => Some(path),
            Self::Add { .. } | Self::Remove { .. } => None,
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
    /// Files that show what is live of objects without a place, by object: [`lay_aside`].
    pub aside: BTreeMap<ObjectId, String>,
    /// Places of documents that had to be written anew in part, so that comments in them may be lost.
    pub reemitted: Vec<Place>,
}

/// How changes are placed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Also in files that are rendered from something else and would be written over: a Jenkins X `config-root`.
    pub edit_rendered: bool,
    /// What SealedSecrets hold is sealed anew with this certificate.
    pub seal: Option<&'a Certificate>,
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

/// Finds the places of changes. `set` is what `tree` declares, read with `reading` and resolved.
///
/// Each change is tried where it most likely belongs; what does not come out as meant is tried at the next place. Where others would change
/// too, here or in another entry, that is the last resort.
///
/// # Errors
/// When the tree cannot be read at all, as for [`declared::load`].
pub fn place(
    tree: &Tree,
    reading: &declared::Options,
    set: &DeclaredSet,
    changes: &[Change],
    options: Options<'_>,
) -> Result<Changeset, Failure> {
    let (layers, known) = (Layers::of(tree), Known::of(set));
    let finder = Finder {
        tree,
        layers: &layers,
        known: &known,
        reading,
        homes: OnceCell::new(),
    };
    let mut trials = Trials {
        before: Rendered::of(tree, reading)?,
        trials: changes.iter().map(|change| Trial::new(finder.spots(change))).collect(),
        around: OnceCell::new(),
        finder: &finder,
        changes,
        options,
    };
    loop {
        let attempt = trials.all();
        if let Some(others) = trials.judge(&attempt) {
            return Ok(trials.made(attempt, others));
        }
    }
}
