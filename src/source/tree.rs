//! The tree as rooms above see it: paths, bytes, folders.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::LARGEST_FILE;
use super::beside::Follows;
use super::history::{GitId, History};
use super::links::{self, Raw};
use super::path::{is_within, join};
use crate::error::{Failure, Kind};
use crate::object::{Place, Problem, Repository};

/// Most bytes that are laid out on disk for renderers.
const LARGEST_COPY: u64 = 1 << 30;

static NUMBERS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The repository that this thread read last, and the number of its tree: opening its packs anew costs more than a read.
    static OPENED: RefCell<Option<(usize, gix::Repository)>> = const { RefCell::new(None) };
}

/// Where the bytes are.
#[derive(Clone)]
pub(super) enum Store {
    /// A repository's object database.
    Git(Box<gix::ThreadSafeRepository>),
    /// Files below a folder.
    Folder(PathBuf),
}

/// A tree of files at a revision. Paths are relative to its root, `/`-separated, symbolic links inside the tree followed.
///
/// May be read from several threads at once.
pub struct Tree {
    repository: Repository,
    base: String,
    notes: Vec<String>,
    /// Addresses of the repository, with their credentials.
    addresses: Vec<String>,
    /// The branch that it stands for.
    follows: Follows,
    raw: BTreeMap<String, Raw>,
    files: BTreeMap<String, String>,
    folders: BTreeMap<String, BTreeSet<String>>,
    links: Vec<String>,
    problems: Vec<Problem>,
    store: Store,
    copy: Mutex<Option<Arc<TempDir>>>,
    /// Tells trees apart, for [`OPENED`].
    number: usize,
    /// Holds the clone of a remote repository as long as the tree lives.
    _clone: Option<Arc<TempDir>>,
}

impl Tree {
    pub(super) fn new(
        repository: Repository,
        base: String,
        notes: Vec<String>,
        raw: BTreeMap<String, Raw>,
        store: Store,
    ) -> Self {
        let view = links::view(&raw);
        let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        folders.insert(String::new(), BTreeSet::new());
        for path in view.files.keys() {
            let mut rest = path.as_str();
            loop {
                let (parent, name) = rest.rsplit_once('/').unwrap_or(("", rest));
                let new = folders.entry(parent.to_owned()).or_default().insert(name.to_owned());
                if parent.is_empty() || !new {
                    break;
                }
                rest = parent;
            }
        }
        Self {
            repository,
            base,
            notes,
            addresses: Vec::new(),
            follows: Follows::default(),
            raw,
            files: view.files,
            folders,
            links: view.good_links,
            problems: view.problems,
            store,
            copy: Mutex::new(None),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            _clone: None,
        }
    }

    pub(super) fn holding(mut self, clone: Option<TempDir>) -> Self {
        self._clone = clone.map(Arc::new);
        self
    }

    /// The tree with other contents of some files, by their path; `None`: the file is gone. A file that is seen through a link is
    /// changed where it lies. Nothing on disk or in Git changes, and the new tree has no history of its own.
    #[must_use]
    pub fn with(&self, files: &BTreeMap<String, Option<Vec<u8>>>) -> Self {
        let mut raw = self.raw.clone();
        for (path, content) in files {
            let stored = self.stored(path).unwrap_or_else(|_| path.clone());
            match content {
                Some(content) => drop(raw.insert(stored, Raw::Laid(Arc::from(content.as_slice())))),
                None => drop(raw.remove(&stored)),
            }
        }
        let (repository, notes) = (self.repository.clone(), self.notes.clone());
        let mut tree = Self::new(repository, self.base.clone(), notes, raw, self.store.clone());
        tree.addresses.clone_from(&self.addresses);
        tree.follows.clone_from(&self.follows);
        tree._clone.clone_from(&self._clone);
        tree
    }

    /// Where a file lies, or would lie, that is seen at this path.
    pub(super) fn stored(&self, path: &str) -> Result<String, &'static str> {
        match self.files.get(path) {
            Some(stored) => Ok(stored.clone()),
            None => links::follow(&self.raw, path),
        }
    }

    pub(super) fn raw(&self) -> &BTreeMap<String, Raw> {
        &self.raw
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn known_as(mut self, addresses: Vec<String>) -> Self {
        self.addresses = addresses;
        self
    }

    pub(super) fn following(mut self, follows: Follows) -> Self {
        self.follows = follows;
        self
    }

    pub(super) fn follows(&self) -> &Follows {
        &self.follows
    }

    /// Keeps what holds the other's repository.
    pub(super) fn living_with(mut self, other: &Self) -> Self {
        self._clone.clone_from(&other._clone);
        self
    }

    /// Where the repository is fetched from, as far as is known: its own address, and those of a clone's remotes. They may hold
    /// credentials.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Where it was read from.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The folder or file that the reference named, from the tree's root; "" for the root.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What an operator should be told about the reading: uncommitted changes that do not count, and the like.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// All files, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// All files that are `path` or below it, sorted.
    pub fn files_within<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.files
            .range::<str, _>((std::ops::Bound::Included(path), std::ops::Bound::Unbounded))
            .map(|(seen, _)| seen.as_str())
            .take_while(move |seen| seen.starts_with(path))
            .filter(move |seen| is_within(seen, path))
    }

    /// Whether there is a file at this path.
    pub fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether there is a folder with a file somewhere in it at this path.
    pub fn is_dir(&self, path: &str) -> bool {
        self.folders.contains_key(path)
    }

    /// Names of files and folders in a folder, sorted; none if there is no such folder.
    pub fn list<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.folders.get(folder).into_iter().flatten().map(String::as_str)
    }

    /// Links that are not followed and submodules, `path` or below it, sorted by place.
    pub fn problems_within<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Problem> {
        let here = move |problem: &&Problem| problem.places.iter().any(|place| is_within(&place.file, path));
        self.problems.iter().filter(here)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When there is no such file, it is larger than [`LARGEST_FILE`], or it cannot be read.
    pub fn read(&self, path: &str) -> Result<Arc<[u8]>, Box<Problem>> {
        let bad = |message: String| Box::new(Problem::error(Place::file(path), message));
        let Some(stored) = self.files.get(path) else {
            return Err(bad("it is not there".to_owned()));
        };
        self.bytes(stored).map_err(bad)
    }

    /// The Git id of a file's content: two files with one id have the same bytes. `None` in a plain folder.
    pub fn content(&self, path: &str) -> Option<[u8; 32]> {
        match self.raw.get(self.files.get(path)?) {
            Some(Raw::Blob(id)) => {
                let mut all = [0; 32];
                let bytes = id.as_slice();
                all[..bytes.len()].copy_from_slice(bytes);
                Some(all)
            }
            _ => None,
        }
    }

    pub(super) fn bytes(&self, stored: &str) -> Result<Arc<[u8]>, String> {
        let too_large = |size: u64| {
            format!(
                "it is not read: it has {} MiB, more than {} MiB",
                size >> 20,
                LARGEST_FILE >> 20
            )
        };
        let broken = |cause: &dyn std::fmt::Display| format!("it is not read: {cause}");
        match (&self.store, self.raw.get(stored)) {
            (_, Some(Raw::Laid(content))) => Ok(Arc::clone(content)),
            (Store::Git(repository), Some(Raw::Blob(id))) => OPENED.with_borrow_mut(|opened| {
                let (_, repository) = match opened {
                    Some(here) if here.0 == self.number => here,
                    _ => opened.insert((self.number, repository.to_thread_local())),
                };
                if !is_small_on_disk(repository, *id) {
                    let size = repository.find_header(*id).map_err(|e| broken(&e))?.size();
                    if size > LARGEST_FILE {
                        return Err(too_large(size));
                    }
                }
                let blob = repository.find_blob(*id).map_err(|e| broken(&e))?;
                Ok(Arc::from(&*blob.data))
            }),
            (Store::Folder(root), _) => {
                let path = root.join(stored);
                let size = std::fs::metadata(&path).map_err(|e| broken(&e))?.len();
                if size > LARGEST_FILE {
                    return Err(too_large(size));
                }
                std::fs::read(&path).map(Arc::from).map_err(|e| broken(&e))
            }
            _ => Err("it is not there".to_owned()),
        }
    }

    /// The folder on disk that has its files, but for changes that are not committed: the plain folder, or the work tree of a clone
    /// that has this very commit checked out.
    pub fn checkout(&self) -> Option<PathBuf> {
        match &self.store {
            Store::Folder(root) => Some(root.clone()),
            Store::Git(repository) => {
                let repository = repository.to_thread_local();
                let head = repository.head_id().ok()?.to_string();
                let work = repository.workdir()?;
                (self.repository.commit.as_deref() == Some(&*head)).then(|| work.to_owned())
            }
        }
    }

    /// The history of the commit that is read; `None` for a plain directory.
    pub fn history(&self) -> Option<History<'_>> {
        let Store::Git(repository) = &self.store else {
            return None;
        };
        let head = GitId::from_hex(self.repository.commit.as_deref()?.as_bytes()).ok()?;
        let is_temporary = self._clone.is_some();
        Some(History::new(repository, head, &self.repository.location, is_temporary))
    }

    /// The whole tree on disk, for renderers that read files: laid out on the first call, in a temporary folder that is
    /// gone with the tree. Files that are too large and links out of the tree are left out.
    ///
    /// # Errors
    /// When the disk is full, or the tree is larger than 1 GiB.
    pub fn on_disk(&self) -> Result<PathBuf, Failure> {
        let mut copy = self.copy.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(copy) = &*copy {
            return Ok(copy.path().to_owned());
        }
        let made = self.lay_out().map_err(|cause| {
            Failure::new(Kind::Io, "the tree could not be laid out for rendering")
                .because(cause)
                .hint("make room in the folder for temporary files, or set TMPDIR to another one")
        })?;
        let path = made.path().to_owned();
        *copy = Some(Arc::new(made));
        Ok(path)
    }

    fn lay_out(&self) -> Result<TempDir, String> {
        let folder = tempfile::Builder::new()
            .prefix("refloat-tree-")
            .tempdir()
            .map_err(|e| e.to_string())?;
        let mut total = 0;
        for (path, raw) in &self.raw {
            if !matches!(raw, Raw::Blob(_) | Raw::File | Raw::Laid(_)) {
                continue;
            }
            // What cannot be read is reported when it is asked for.
            let Ok(bytes) = self.bytes(path) else { continue };
            total += bytes.len() as u64;
            if total > LARGEST_COPY {
                return Err(format!("it is larger than {} MiB", LARGEST_COPY >> 20));
            }
            let to = folder.path().join(path);
            make_parent(&to)
                .and_then(|()| std::fs::write(&to, &*bytes))
                .map_err(|e| format!("{path}: {e}"))?;
        }
        for link in &self.links {
            if let Some(Raw::Link(target)) = self.raw.get(link) {
                let at = folder.path().join(link);
                let made = make_parent(&at).and_then(|()| std::os::unix::fs::symlink(target, &at));
                // One link may be seen by several ways.
                match made {
                    Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(format!("{link}: {e}")),
                    _ => {}
                }
            }
        }
        Ok(folder)
    }

    /// The paths that are nearest below a folder of those names, for messages: `folder/name`, files and folders.
    pub fn children(&self, folder: &str) -> Vec<String> {
        self.list(folder).map(|name| join(folder, name)).collect()
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree")
            .field("repository", &self.repository)
            .field("base", &self.base)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

fn make_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}

/// Whether a blob lies in a file of its own that is so small that it cannot be too large: deflate makes at most 1,032 bytes of one. To ask
/// for its size first would be to open it twice.
fn is_small_on_disk(repository: &gix::Repository, id: gix::ObjectId) -> bool {
    let name = id.to_string();
    let (folder, file) = name.split_at(2);
    let path = repository.common_dir().join("objects").join(folder).join(file);
    std::fs::metadata(path).is_ok_and(|file| file.len() <= LARGEST_FILE / 1032)
}
