//! Files as a compressed archive or as a folder: written whole or not at all, and read again. It knows no Kubernetes.
//!
//! The same files give the same bytes: an archive is a tar file, sorted by path, with no owners and one fixed time, compressed with
//! zstd, by a library in Rust: one binary, and no library in C that it would need. What is written only its owner may read.

mod folder;
mod pack;

use std::io;
use std::path::Path;

use crate::error::{Failure, Kind, printable};

pub use folder::{check, lay_out};
pub use pack::{EXTENSION, is_packed, pack, unpack};

/// That nothing was written to a place.
fn not_written(to: &Path, cause: &io::Error) -> Failure {
    let failure = Failure::new(
        Kind::Io,
        format!("{} was not written", printable(&to.display().to_string())),
    )
    .because(without_path(&cause.to_string()));
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            failure.hint("make room, or write to another place; what was there before is still there")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            failure.hint("write to a folder in which you may make files")
        }
        io::ErrorKind::NotFound => failure.hint("make the folder around it first"),
        _ => failure,
    }
}

/// The path in a message is that of a temporary file.
fn without_path(cause: &str) -> &str {
    cause.split_once(" at path ").map_or(cause, |(cause, _)| cause)
}

/// The folder around a place.
fn parent(to: &Path) -> &Path {
    match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
