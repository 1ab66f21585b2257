//! The folder that keeps programs, one a version of Kubernetes.
//!
//! Beside each program stands a marker, `NAME.json`, that is written last. A program without one, or of another size than
//! it says, was cut off while it was written and is not used. The size is compared and not the checksum, which was
//! verified when the program came: hashing half a gigabyte at every start would take longer than starting.

use std::collections::BTreeMap;
use std::fs::{File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Progress;
use super::obtain::version_of;
use super::parts::{Part, Program};

/// The file that is four programs.
pub(super) const SEVERAL: &str = "control-plane";
/// How the names of folders begin in which programs are made.
const WORKPLACE: &str = ".making-";
/// How often a lock that another process holds is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// A marker as it stands on the disk.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    /// Of this format: 1.
    version: u32,
    /// The program's size in bytes.
    size: u64,
    /// The program's version.
    of: String,
    /// Where it came from, for people.
    from: String,
}

/// A program that the cache has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub program: Program,
}

/// The folder for one version.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The one for a version of Kubernetes below `root`.
    pub fn at(root: &Path, version: &str) -> Cache {
        Cache {
            folder: root.join(version),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every whole program of this Kubernetes version.
    pub fn find_all(&self, version: &str) -> BTreeMap<Part, Stored> {
        let several = self.whole(SEVERAL, version);
        let mut found = BTreeMap::new();
        for part in Part::ALL {
            let program = match self.whole(part.name(), version_of(part, version)) {
                Some(file) => Some(Program { file, part: None }),
                None if part == Part::Kwok => None,
                None => several.clone().map(|file| Program { file, part: Some(part) }),
            };
            if let Some(program) = program {
                found.insert(part, Stored { program });
            }
        }
        found
    }

    fn whole(&self, name: &str, version: &str) -> Option<PathBuf> {
        let file = self.folder.join(name);
        let marker = std::fs::read(self.marker(name)).ok()?;
        let marker: Marker = serde_json::from_slice(&marker).ok()?;
        let size = std::fs::metadata(&file).ok()?.len();
        (marker.version == 1 && marker.size == size && marker.of == version).then_some(file)
    }

    fn marker(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// A folder on the same disk, to make a program in; it goes when it is dropped.
    pub fn workplace(&self) -> Result<tempfile::TempDir, String> {
        tempfile::Builder::new()
            .prefix(WORKPLACE)
            .tempdir_in(&self.folder)
            .map_err(|error| self.unwritable(&error))
    }

    /// Takes in a finished file: on the disk first, then under its name, then its marker.
    pub fn store(&self, made: &Path, name: &str, version: &str, from: &str) -> Result<(), String> {
        let stored = || -> std::io::Result<()> {
            std::fs::set_permissions(made, Permissions::from_mode(0o755))?;
            let file = File::open(made)?;
            file.sync_all()?;
            let size = file.metadata()?.len();
            let marker = Marker {
                version: 1,
                size,
                of: version.to_owned(),
                from: from.to_owned(),
            };
            // The marker of an older file must not vouch for this one.
            match std::fs::remove_file(self.marker(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => std::fs::rename(made, self.folder.join(name))?,
            }
            let mut part = tempfile::NamedTempFile::new_in(&self.folder)?;
            part.write_all(&serde_json::to_vec(&marker)?)?;
            part.as_file().sync_all()?;
            part.persist(self.marker(name))?;
            Ok(())
        };
        stored().map_err(|error| self.unwritable(&error))
    }

    /// Makes the folder and takes its lock, which lasts as long as the file is open; waits for another process that has it.
    pub async fn lock(&self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<File, String> {
        std::fs::create_dir_all(&self.folder).map_err(|error| self.unwritable(&error))?;
        let file = File::create(self.folder.join(".lock")).map_err(|error| self.unwritable(&error))?;
        let mut said = false;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    self.sweep();
                    return Ok(file);
                }
                // Some network file systems have no locks. Then two may do the same work; renaming keeps it whole.
                Err(TryLockError::Error(_)) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
            }
            if !said {
                progress(Progress::Waiting(self.folder.clone()));
                said = true;
            }
            // Tried again and again, because a thread that blocks on a lock could not be interrupted.
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Removes what a process left that was killed at work; whoever has the lock is the only one at work.
    fn sweep(&self) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(WORKPLACE)) {
            // It takes room and does no other harm.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }

    /// What to say when the folder cannot be written.
    pub fn unwritable(&self, error: &std::io::Error) -> String {
        format!("{} cannot be written: {error}", self.folder.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache::at(root.path(), "v1.37.2");
        std::fs::create_dir_all(cache.folder()).expect("it can be written");
        (root, cache)
    }

    fn store(cache: &Cache, name: &str, version: &str) {
        let workplace = cache.workplace().expect("it can be written");
        let made = workplace.path().join("made");
        std::fs::write(&made, "program").expect("it can be written");
        cache.store(&made, name, version, "a test").expect("it can be written");
    }

    #[test]
    fn one_file_stands_for_four_programs() {
        let (_root, cache) = cache();
        store(&cache, SEVERAL, "v1.37.2");
        let found: Vec<Part> = cache.find_all("v1.37.2").into_keys().collect();
        assert_eq!(
            found,
            [
                Part::Etcd,
                Part::KubeApiserver,
                Part::KubeControllerManager,
                Part::KubeScheduler
            ]
        );
        assert_eq!(
            std::fs::read_dir(cache.folder()).expect("it is there").count(),
            2,
            "the workplace is gone"
        );
    }

    #[test]
    fn what_is_half_written_is_not_used() {
        let (_root, cache) = cache();
        std::fs::write(cache.folder().join("kwok"), "program").expect("it can be written");
        assert!(cache.find_all("v1.37.2").is_empty(), "no marker");
        store(&cache, "kwok", super::super::KWOK_VERSION);
        assert_eq!(cache.find_all("v1.37.2").len(), 1);
        std::fs::write(cache.folder().join("kwok"), "prog").expect("it can be written");
        assert!(cache.find_all("v1.37.2").is_empty(), "another size");
        store(&cache, "kwok", "v0.1.0");
        assert!(cache.find_all("v1.37.2").is_empty(), "another version");
        std::fs::write(cache.folder().join("kwok.json"), "{").expect("it can be written");
        assert!(cache.find_all("v1.37.2").is_empty(), "half a marker");
    }

    #[test]
    fn what_a_killed_process_left_is_swept_up() {
        let (_root, cache) = cache();
        let left = cache.workplace().expect("it can be written").keep();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let _lock = runtime.block_on(cache.lock(&mut |_| {})).expect("nobody else has it");
        assert!(!left.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said_so() {
        let root = tempfile::NamedTempFile::new().expect("a temporary file");
        let cache = Cache::at(root.path(), "v1.37.2");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let error = runtime
            .block_on(cache.lock(&mut |_| {}))
            .expect_err("a file is no folder");
        assert!(
            error.ends_with("/v1.37.2 cannot be written: Not a directory (os error 20)"),
            "{error}"
        );
    }
}
