//! A snapshot that was taken, as one line.

use std::io::{self, Write};

use serde::Serialize;

use super::audit::{Gap, gaps};
use super::{VERSION, line};
use crate::report::Taken;

#[derive(Debug, Serialize)]
struct Line<'a> {
    version: u32,
    event: &'static str,
    snapshot: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    context: &'a str,
    kubernetes: String,
    objects: usize,
    own: usize,
    owned: usize,
    built_in: usize,
    kinds: usize,
    secrets: usize,
    encrypted_to: &'a [String],
    gaps: Vec<Gap<'a>>,
}

/// Writes what a snapshot holds as one line.
///
/// # Errors
/// Those of the writer.
pub fn snapshot(taken: &Taken<'_>, out: &mut dyn Write) -> io::Result<()> {
    let shown = Line {
        version: VERSION,
        event: "snapshot",
        snapshot: taken.to,
        bytes: taken.size,
        context: &taken.context.name,
        kubernetes: taken.version.to_string(),
        objects: taken.objects,
        own: taken.own(),
        owned: taken.owned,
        built_in: taken.built_in,
        kinds: taken.kinds,
        secrets: taken.secrets,
        encrypted_to: taken.recipients,
        gaps: gaps(taken.gaps),
    };
    line(&shown, out)
}
