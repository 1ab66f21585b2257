//! What reading gives: documents, errors and warnings, all with their place in the file.

use std::fmt;
use std::ops::Range;

use serde_json::Value;

/// One document of a stream that has content.
///
/// Documents that are empty, hold only comments, or are `null` are left out, as `kubectl` leaves
/// them out; except when there is a warning to tell, then the value is `null`.
#[derive(Clone, PartialEq)]
pub struct Document {
    /// Position among the documents that were returned, from 0. Left-out documents do not count.
    pub index: usize,
    /// First line of content in the file, from 1: comments, blank lines and `---` come before it.
    pub line: usize,
    /// The content as JSON: order of keys kept, integers within `i64`, all other numbers `f64`.
    pub value: Result<Value, DocumentError>,
    /// What was accepted as `kubectl` accepts it, and is probably a mistake. In order of lines.
    pub warnings: Vec<Warning>,
    /// Where it stands in the file: all between the separators around it, comments and blank lines too; of JSON the value alone.
    pub bytes: Range<usize>,
    /// How nulls of maps are written; told only of what is read as kustomize reads it.
    pub nulls: Nulls,
}

/// How a document writes its nulls. kustomize's strategic merge drops those of the first kind and keeps those of the second.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Nulls {
    /// JSON pointers of those that are written as nothing: `key:`.
    pub empty: Vec<String>,
    /// Whether there are others: `key: null`, `key: ~`.
    pub written: bool,
}

/// Shows place and problems, never the content: it may be a Secret.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("index", &self.index)
            .field("line", &self.line)
            .field("value", &self.value.as_ref().map(|_| "…"))
            .field("warnings", &self.warnings)
            .finish()
    }
}

/// Why a document cannot be read. Never holds values of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong, in one line, without the place.
    pub message: String,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for DocumentError {}

/// Something that Kubernetes accepts and that is probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Line in the file, from 1: of the key that won, or of the content that is not read.
    pub line: usize,
    /// The warning in one line, without the place.
    pub message: String,
    /// The same as data.
    pub kind: WarningKind,
}

/// What a [`Warning`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// A key is given twice in one map. The last one wins.
    DuplicateKey {
        /// Where the map is, such as `spec.containers[0]`; empty for the top of the document.
        path: String,
        /// The key.
        key: String,
        /// Line of the one that is overridden, from 1.
        first_line: usize,
    },
    /// Content that follows the end of the first document, which Kubernetes never reads.
    Unread,
    /// U+0085, U+2028 or U+2029: text for this crate, the end of a line for Kubernetes.
    LineEnd,
}

/// A key as it may be shown: control characters escaped, long ones cut.
pub(crate) fn shown(key: &str) -> String {
    const LONGEST: usize = 64;
    let mut out = String::new();
    for (at, c) in key.chars().enumerate() {
        if at == LONGEST {
            out.push('…');
            break;
        }
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}
