//! The whole live state of a cluster as files: what is kept of each object, where, and the table of contents.
//!
//! ```text
//! snapshot.json                            what was asked and could not be read, and every object: its file, whose it is
//! SHA256SUMS                               of all other files, for `sha256sum --check`
//! objects/shop/deployments.apps/web.yaml   a namespaced object
//! objects/_cluster/nodes/worker-1.yaml     a cluster-scoped object
//! ```
//!
//! An object stands there as the server holds it, status, uid and managers' fields included: an owner reference means something only
//! with uids, and only managers tell which fields somebody declared. What reads a snapshot to restore from it takes out what belongs
//! to the cluster it was taken of.
//!
//! The same state of a cluster gives the same bytes. There is no time, address or name of the cluster in it; objects are sorted by
//! identity, never by age or resource version. Fields that move while nothing happens are left out (the table in `still`); everything
//! else stays, also what others count as noise: conditions with their times, Events, Leases.
//!
//! Values of Secrets, and of what else holds some (the table in `confidential`), are kept only where they are encrypted, by SOPS for
//! keys of age: the keys stay in clear, so that it is known what was there. Encryption is new each time, and the bytes of these files
//! with it.

mod confidential;
mod contents;
mod name;
mod piece;
mod still;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::object::{FactGap, GroupKind, KubeVersion, ObjectId, ServedKinds, Standing};

pub use confidential::is_confidential;
pub use contents::{Contents, Entry, Resource};
pub use piece::{Piece, Seal, Values};

/// The table of contents.
pub const CONTENTS: &str = "snapshot.json";
/// Checksums of all other files.
pub const SUMS: &str = "SHA256SUMS";
/// The folder of the objects.
pub const OBJECTS: &str = "objects";
/// All that stands at the top of a snapshot.
pub const TOP: [&str; 3] = [CONTENTS, SUMS, OBJECTS];

/// What a snapshot is of.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// The server's version.
    pub version: KubeVersion,
    /// What it serves.
    pub kinds: &'a ServedKinds,
    /// Kinds that were read whole, sorted.
    pub listed: &'a [GroupKind],
    /// What could not be read, sorted.
    pub gaps: &'a [FactGap],
    /// For whom values are encrypted; none: they are left out.
    pub recipients: &'a [String],
}

/// The files of a snapshot, by their path.
///
/// # Errors
/// Never, but for a bug: the table of contents cannot be written as JSON.
pub fn files(
    of: &Of<'_>,
    pieces: BTreeMap<ObjectId, Piece>,
    standings: &BTreeMap<ObjectId, Standing>,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    let mut entries = Vec::with_capacity(pieces.len());
    for (id, piece) in pieces {
        entries.push(Entry::new(&id, &piece, standings.get(&id)));
        files.insert(piece.file, piece.bytes);
    }
    let contents = Contents::new(of, entries)
        .to_json()
        .map_err(|error| error.to_string())?;
    files.insert(CONTENTS.to_owned(), contents);
    let sums = sums(&files);
    files.insert(SUMS.to_owned(), sums.into_bytes());
    Ok(files)
}

/// Checksums as `sha256sum` writes and reads them.
fn sums(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut text = String::new();
    for (path, bytes) in files {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {path}", sum(bytes));
    }
    text
}

/// The checksums of a file of them, by path.
pub fn read_sums(text: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines.map(|(sum, path)| (path.to_owned(), sum.to_owned())).collect()
}

/// SHA-256, in lower-case hexadecimal.
pub fn sum(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
