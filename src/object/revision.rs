//! What revisions of the declared state changed.

use serde_json::Value;

use super::{Commit, ObjectId};

/// Revisions of what is declared, newest first.
#[derive(Debug, Clone, Default)]
pub struct Revisions {
    /// Those that were asked for.
    pub revisions: Vec<PastRevision>,
    /// Whether there are older ones, beyond the limit.
    pub more: bool,
    /// Where the history that was read begins, when that is not its beginning; in words.
    pub incomplete: Option<String>,
}

/// A commit that changed what is declared.
#[derive(Debug, Clone)]
pub struct PastRevision {
    /// The commit.
    pub commit: Commit,
    /// Objects that it added, changed, removed or moved, sorted by identity, then file.
    pub objects: Vec<ObjectEdit>,
    /// Other files that it changed: values, kustomizations, what is no manifest; and manifests of which only the spelling changed.
    /// Sorted.
    pub files: Vec<String>,
    /// Whether the objects are those after rendering; else those written in files.
    pub is_rendered: bool,
}

/// What a commit did to an object.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectEdit {
    /// The object; as written: the namespace may be absent.
    pub id: ObjectId,
    /// What was done.
    pub edit: Edit,
    /// The file that declares it; of a removed one, that did.
    pub file: String,
    /// Fields that differ, in the order of the manifest; for changed objects only.
    pub fields: Vec<FieldEdit>,
}

/// What was done to an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edit {
    /// It is new.
    Added,
    /// It is another.
    Changed,
    /// It is the same, in another file than this one.
    Moved(String),
    /// It is gone.
    Removed,
}

/// A field that differs between two revisions of an object.
#[derive(Clone, PartialEq)]
pub struct FieldEdit {
    /// `.spec.template.spec.containers[name=web].image`; `.data` for all values of a Secret.
    pub path: String,
    /// Value before; `None`: it was not there, or must not be shown.
    pub before: Option<Value>,
    /// Value after, likewise.
    pub after: Option<Value>,
    /// The values must not be shown.
    pub is_hidden: bool,
}

impl std::fmt::Debug for FieldEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldEdit({})", self.path)
    }
}
