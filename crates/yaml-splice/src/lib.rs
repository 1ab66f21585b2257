//! Edits YAML in place: every byte that is not part of the change is kept.
//!
//! Comments, anchors, quotes, indentation, order, line ends (CRLF too), the final newline, other documents of the file, flow style
//! and block scalars stay as they are. What is new is written as people write it: block style, indented as its neighbours are, in
//! quotes only where some reader would take it for something else, `|` for texts of several lines.
//!
//! ```
//! use yaml_splice::{Edit, edit, path};
//!
//! let text = "kind: Deployment # ours\nspec:\n    replicas: 1   # few\n    hosts:\n      - a\n";
//! let edited = edit(text, 0, &[
//!     Edit::set(path!["spec", "replicas"], 3),
//!     Edit::insert(path!["spec", "hosts", 1], "on"),
//! ])?;
//! assert_eq!(
//!     edited.text,
//!     "kind: Deployment # ours\nspec:\n    replicas: 3   # few\n    hosts:\n      - a\n      - \"on\"\n"
//! );
//! # Ok::<(), yaml_splice::Error>(())
//! ```
//!
//! Nothing is taken on trust: after each edit the text is read again, as Kubernetes and as kustomize read it, and compared with what
//! was intended. Where that is not so (a map whose keys are written with `?`, a key that comes by `<<` and is to go), the smallest
//! map or list around the change that can be is written anew, at the last the whole document, and [`Edited::reemitted`] says so.
//!
//! A value that stands for others too (an anchor with aliases) is changed in the one place that was named: aliases keep the old
//! value, which moves to the first of them. A value that comes by an alias or a merge is overridden where it is used.
//!
//! `yaml-edit` was looked at first: it keeps bytes as well, but reads YAML its own way (no YAML 1.1 words, no cut at `---`), knows
//! nothing of aliases, and leaves some edits undone without a word.

mod block;
mod document;
mod flow;
mod intent;
mod look;
mod refine;
mod share;
mod slot;
mod splice;
mod tree;

use std::fmt;

use serde_json::Value;

pub use document::{append_document, remove_document};
pub use intent::apply;
pub use splice::edit;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into a map.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Step::Key(key.to_owned())
    }
}

impl From<String> for Step {
    fn from(key: String) -> Self {
        Step::Key(key)
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Step::Index(index)
    }
}

/// A path of keys and indices: `path!["spec", "containers", 0]`.
#[macro_export]
macro_rules! path {
    ($($step:expr),* $(,)?) => { vec![$($crate::Step::from($step)),*] };
}

/// What is to be changed. Keys are as Kubernetes reads them.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// The value at a path becomes this one. Maps on the way are made where missing. Of a map or a list only what differs is written.
    Set {
        /// Where.
        path: Vec<Step>,
        /// The value.
        value: Value,
    },
    /// A new item of a list comes before that of the given index, or a new key into a map.
    Insert {
        /// Where; the last step is the new one.
        path: Vec<Step>,
        /// The value.
        value: Value,
        /// The key before which a new key comes; `None`: at the end.
        before: Option<String>,
    },
    /// What is at a path goes. A map or a list that becomes empty stays as `{}` or `[]`.
    Remove {
        /// Where.
        path: Vec<Step>,
    },
}

impl Edit {
    /// [`Edit::Set`].
    pub fn set(path: Vec<Step>, value: impl Into<Value>) -> Self {
        let value = value.into();
        Edit::Set { path, value }
    }

    /// [`Edit::Insert`], at the end.
    pub fn insert(path: Vec<Step>, value: impl Into<Value>) -> Self {
        Edit::Insert {
            path,
            value: value.into(),
            before: None,
        }
    }

    /// [`Edit::Remove`].
    pub fn remove(path: Vec<Step>) -> Self {
        Edit::Remove { path }
    }

    /// The same, further in: its path is one from there.
    pub fn below(mut self, above: &[Step]) -> Self {
        let (Edit::Set { path, .. } | Edit::Insert { path, .. } | Edit::Remove { path }) = &mut self;
        path.splice(0..0, above.iter().cloned());
        self
    }

    /// Where.
    pub fn path(&self) -> &[Step] {
        match self {
            Edit::Set { path, .. } | Edit::Insert { path, .. } | Edit::Remove { path } => path,
        }
    }
}

/// A text after its edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// Whether something beside the change was written anew, with its comments lost.
    pub reemitted: bool,
}

/// Why a text was not edited. Never quotes values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The file has no such document.
    NoDocument(usize),
    /// The document is no valid YAML.
    Unreadable(String),
    /// The path leads nowhere: through a scalar, past the end of a list, to a key that is not there or, for a new one, is.
    NoSuchPlace(Vec<Step>),
    /// However written, it would be read as something else.
    Unwritable,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoDocument(index) => write!(f, "the file has no document {}", index + 1),
            Error::Unreadable(why) => write!(f, "the document is not valid YAML: {why}"),
            Error::NoSuchPlace(path) => write!(f, "it has no place {}", shown(path)),
            Error::Unwritable => f.write_str("the change cannot be written so that it is read as meant"),
        }
    }
}

impl std::error::Error for Error {}

/// A path as people write it: `spec.containers[0]`.
pub fn shown(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Index(index) => out.push_str(&format!("[{index}]")),
            Step::Key(key) if key.is_empty() || key.contains(['.', '[', ']', '"']) => {
                out.push_str(&format!("[{key:?}]"))
            }
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
        }
    }
    out
}
