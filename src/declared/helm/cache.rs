//! What was fetched: contents by their checksum, and which checksum an address had last. No credentials, no values.
//!
//! Several runs may share it: files are written beside and moved into place, and whoever reads one checks its checksum. Where it
//! cannot be written, what this run fetched lies in a folder for temporary files instead.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::net::{Stamp, public};

/// The SHA-256 checksum of bytes, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What an address answered last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Remembered {
    version: u32,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// What the content is called, where that matters: the digest of a manifest.
    pub name: Option<String>,
    etag: Option<String>,
    modified: Option<String>,
}

/// The form of files in it.
const VERSION: u32 = 1;

impl Remembered {
    /// A content, as it was stamped.
    pub fn new(sha256: &str, name: Option<String>, stamp: Stamp) -> Self {
        Self {
            version: VERSION,
            sha256: sha256.to_owned(),
            name,
            etag: stamp.etag,
            modified: stamp.modified,
        }
    }

    /// Its stamp, to ask again with.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            etag: self.etag.clone(),
            modified: self.modified.clone(),
        }
    }
}

/// A folder of contents.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// `None`: nothing is kept beyond this run.
    folder: Option<PathBuf>,
    temporary: OnceLock<Option<TempDir>>,
    /// What this run learned, for where the folder cannot be written.
    remembered: Mutex<Vec<(String, Remembered)>>,
}

impl Cache {
    /// The one in a folder, which need not exist.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            ..Self::default()
        }
    }

    /// The content with a checksum, and the file that it lies in.
    pub fn content(&self, sum: &str) -> Option<(PathBuf, Vec<u8>)> {
        let temporary = self.temporary.get().and_then(Option::as_ref).map(TempDir::path);
        let folders = self.folder.as_deref().into_iter().chain(temporary);
        folders.map(|folder| file(folder, sum)).find_map(|file| {
            let bytes = std::fs::read(&file).ok()?;
            (sha256(&bytes) == sum).then_some((file, bytes))
        })
    }

    /// Keeps a content; the file that it lies in.
    ///
    /// # Errors
    /// When there is no room even for temporary files.
    pub fn keep(&self, bytes: &[u8]) -> std::io::Result<PathBuf> {
        let sum = sha256(bytes);
        if let Some((file, _)) = self.content(&sum) {
            return Ok(file);
        }
        if let Some(folder) = &self.folder {
            let file = file(folder, &sum);
            if write(&file, bytes).is_ok() {
                return Ok(file);
            }
        }
        let temporary = self
            .temporary
            .get_or_init(|| tempfile::Builder::new().prefix("refloat-charts-").tempdir().ok());
        let folder = temporary
            .as_ref()
            .ok_or_else(|| std::io::Error::other("no room for temporary files"))?;
        let file = file(folder.path(), &sum);
        write(&file, bytes)?;
        Ok(file)
    }

    /// What an address answered last.
    pub fn recall(&self, address: &str) -> Option<Remembered> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = remembered.iter().rev().find(|(known, _)| known == address) {
            return Some(found.clone());
        }
        let text = std::fs::read(place(self.folder.as_ref()?, address)).ok()?;
        let found: Remembered = serde_json::from_slice(&text).ok()?;
        (found.version == VERSION).then_some(found)
    }

    /// Remembers what an address answered. The content that it had before is not needed any more where `replace` is set.
    pub fn remember(&self, address: &str, now: Remembered, replace: bool) {
        let before = self.recall(address);
        if let Some(folder) = &self.folder {
            if let Ok(text) = serde_json::to_vec(&now) {
                // A cache that cannot be written is none.
                let _ = write(&place(folder, address), &text);
            }
            if let Some(before) = before.filter(|before| replace && before.sha256 != now.sha256) {
                let _ = std::fs::remove_file(file(folder, &before.sha256));
            }
        }
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.push((address.to_owned(), now));
    }
}

/// Charts end with `.tgz`, which Helm asks for; contents do not tell what they are.
fn file(folder: &Path, sum: &str) -> PathBuf {
    folder.join("sha256").join(format!("{sum}.tgz"))
}

/// An address may hold a password, so it is not spelt out.
fn place(folder: &Path, address: &str) -> PathBuf {
    folder
        .join("addresses")
        .join(format!("{}.json", sha256(public(address).as_bytes())))
}

/// Whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::DirBuilderExt;
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    part.write_all(bytes)?;
    part.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn stamped(sum: &str) -> Remembered {
        Remembered::new(
            sum,
            None,
            Stamp {
                etag: Some("\"1\"".to_owned()),
                modified: None,
            },
        )
    }

    #[test]
    fn contents_are_found_again_by_another_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = Cache::new(Some(folder.path().join("charts")));
        let file = first.keep(b"chart").expect("there is room");
        first.remember(
            "https://me:canary@host/index.yaml?token=canary",
            stamped(&sha256(b"chart")),
            true,
        );
        let second = Cache::new(Some(folder.path().join("charts")));
        assert_eq!(
            second.content(&sha256(b"chart")),
            Some((file.clone(), b"chart".to_vec()))
        );
        let found = second.recall("https://host/index.yaml").expect("it was remembered");
        assert_eq!(found.stamp().etag.as_deref(), Some("\"1\""));
        // Damaged: as if it were not there, and written anew.
        std::fs::write(&file, b"other").expect("the folder is ours");
        assert_eq!(second.content(&sha256(b"chart")), None);
        assert_eq!(second.keep(b"chart").expect("there is room"), file);
        assert_eq!(
            std::fs::metadata(folder.path().join("charts"))
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
        let mut all = String::new();
        for entry in ["charts/addresses", "charts/sha256"] {
            for file in std::fs::read_dir(folder.path().join(entry)).expect("it is there") {
                let file = file.expect("it was listed").path();
                all.push_str(&format!(
                    "{} {}",
                    file.display(),
                    String::from_utf8_lossy(&std::fs::read(&file).expect("it was listed"))
                ));
            }
        }
        assert!(!all.contains("canary"), "{all}");
    }

    #[test]
    fn what_was_replaced_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache::new(Some(folder.path().to_owned()));
        for content in [b"old", b"new"] {
            cache.keep(content).expect("there is room");
            cache.remember("https://host/index.yaml", stamped(&sha256(content)), true);
        }
        assert!(cache.content(&sha256(b"old")).is_none() && cache.content(&sha256(b"new")).is_some());
    }

    /// A file where the folder should be stands for a disk that cannot be written, which root can.
    #[test]
    fn a_folder_that_cannot_be_written_is_no_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").expect("the folder is ours");
        for cache in [Cache::new(Some(blocked.join("charts"))), Cache::new(None)] {
            let file = cache.keep(b"chart").expect("there is room elsewhere");
            cache.remember("https://host/x", stamped(&sha256(b"chart")), false);
            assert_eq!(
                cache.content(&sha256(b"chart")),
                Some((file.clone(), b"chart".to_vec()))
            );
            assert!(cache.recall("https://host/x").is_some());
            drop(cache);
            assert!(!file.exists());
        }
    }

    #[test]
    fn two_runs_at_once_do_not_meet() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let content = vec![b'x'; 1 << 20];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let cache = Cache::new(Some(folder.path().to_owned()));
                    for _ in 0..20 {
                        cache.keep(&content).expect("there is room");
                        let (_, found) = cache.content(&sha256(&content)).expect("it is whole");
                        assert_eq!(found, content);
                        cache.remember("https://host/x", stamped(&sha256(&content)), false);
                        assert!(cache.recall("https://host/x").is_some());
                    }
                });
            }
        });
        assert_eq!(
            std::fs::read_dir(folder.path().join("sha256"))
                .expect("it is there")
                .count(),
            1
        );
    }
}
