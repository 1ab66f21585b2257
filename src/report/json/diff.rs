//! What differs between two clusters, snapshots or revisions, as one document.

use std::io::{self, Write};

use serde::Serialize;

use super::audit::{Gap, gaps};
use super::history::{Edited, edited};
use super::shape::{Object, objects};
use super::{VERSION, document};
use crate::report::{Diff, SideOf};

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    before: Side<'a>,
    after: Side<'a>,
    objects: Vec<Edited<'a>>,
    same: usize,
    masked: Vec<Object<'a>>,
    gaps: Vec<Gap<'a>>,
}

#[derive(Debug, Serialize)]
struct Side<'a> {
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
}

/// Writes what differs as one document.
///
/// # Errors
/// Those of the writer.
pub fn diff(diff: &Diff<'_>, out: &mut dyn Write) -> io::Result<()> {
    let shown = Document {
        version: VERSION,
        before: side(diff.before),
        after: side(diff.after),
        objects: diff.objects.iter().map(edited).collect(),
        same: diff.same,
        masked: objects(diff.masked),
        gaps: gaps(diff.gaps),
    };
    document(&shown, out)
}

fn side(of: SideOf<'_>) -> Side<'_> {
    Side {
        kind: of.kind,
        name: of.name,
        kubernetes: of.version.map(|version| version.to_string()),
        commit: of.commit,
    }
}
