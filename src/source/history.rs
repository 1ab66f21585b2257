//! The first-parent history of the commit that a tree is at: commits, what each changed, and the bytes of files then.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use gix::bstr::{BStr, ByteSlice};
use gix::diff::tree::{Recorder, State, Visit, visit};
use gix::objs::{FindExt, TreeRefIter};

use crate::error::{Failure, Kind, printable};
use crate::object::Commit;

pub use gix::ObjectId as GitId;

/// Bytes of trees that a reader keeps: neighbouring commits share nearly all of theirs.
const CACHED_TREES: usize = 64 << 20;

/// The history of a commit, following first parents.
pub struct History<'t> {
    repository: &'t gix::ThreadSafeRepository,
    head: GitId,
    location: String,
    place: String,
    shallow: BTreeSet<GitId>,
}

/// A commit of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its id.
    pub id: GitId,
    /// Its tree.
    pub tree: GitId,
    /// The tree of its first parent; `None` where there is none, or it is not in this clone.
    pub tree_before: Option<GitId>,
    /// Committer time, seconds since 1970: what dates on the command line are compared with.
    pub committed: i64,
    /// As it is quoted.
    pub commit: Commit,
}

/// A file that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file, `/`-separated.
    pub path: String,
    /// Its content before; `None` for a new file.
    pub before: Option<GitId>,
    /// Its content after; `None` for a removed file.
    pub after: Option<GitId>,
}

/// How the history ends, going back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With a commit that has no parent.
    Root,
    /// The clone is shallow, and has no more.
    Shallow,
    /// The clone should have more, and has not: it is damaged.
    Missing,
}

/// Why the bytes of a file are not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unread {
    /// It is larger than asked for.
    TooLarge,
    /// It is not in the clone: a partial or damaged one.
    Missing,
}

impl<'t> History<'t> {
    pub(super) fn new(
        repository: &'t gix::ThreadSafeRepository,
        head: GitId,
        location: &str,
        is_temporary: bool,
    ) -> Self {
        let local = repository.to_thread_local();
        let shallow = local.shallow_commits().ok().flatten();
        let folder = local.common_dir();
        let place = match is_temporary {
            true => location.to_owned(),
            false => folder
                .canonicalize()
                .unwrap_or_else(|_| folder.to_owned())
                .display()
                .to_string(),
        };
        Self {
            repository,
            head,
            location: printable(location),
            place,
            shallow: shallow.iter().flat_map(|ids| ids.iter().copied()).collect(),
        }
    }

    /// The commit that the tree is at.
    pub fn head(&self) -> GitId {
        self.head
    }

    /// What tells this repository from others on this machine, over time: the folder of a clone, or the address of what is cloned
    /// anew each time. Without credentials.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether a shallow clone begins with this commit.
    pub fn is_shallow_at(&self, commit: GitId) -> bool {
        self.shallow.contains(&commit)
    }

    /// A reader for one thread.
    pub fn reader(&self) -> Reader {
        let mut repository = self.repository.to_thread_local();
        repository.object_cache_size(CACHED_TREES);
        Reader {
            repository,
            location: self.location.clone(),
            state: State::default(),
            trees: (Vec::new(), Vec::new()),
        }
    }

    /// The commits, newest first, each read when it is asked for.
    pub fn walk(&self) -> Walk<'_> {
        let mut repository = self.repository.to_thread_local();
        repository.object_cache_size(CACHED_TREES);
        Walk {
            history: self,
            repository,
            next: Some(Next::Unread(self.head)),
            beginning: None,
        }
    }

    /// Whether a branch or tag still leads to this commit, by any parents.
    pub fn is_reachable(&self, commit: GitId) -> bool {
        let repository = self.repository.to_thread_local();
        if !repository.has_object(commit) {
            return false;
        }
        let tips = repository.references().ok().and_then(|all| {
            let all = all.all().ok()?;
            let ids = all.filter_map(|name| name.ok()?.peel_to_id().ok().map(gix::Id::detach));
            Some(ids.collect::<Vec<_>>())
        });
        let walk = repository.rev_walk(tips.unwrap_or_default()).all();
        walk.is_ok_and(|mut walk| walk.any(|info| info.is_ok_and(|info| info.id == commit)))
    }

    fn unreadable(&self, id: GitId, cause: &dyn fmt::Display) -> Failure {
        Failure::new(
            Kind::Input,
            format!("the history of {} could not be read", self.location),
        )
        .because(format!("commit {}: {cause}", id.to_hex_with_len(12)))
        .hint("the clone may be damaged: `git fsck` tells, a fresh clone helps")
    }
}

enum Next {
    Unread(GitId),
    /// Read already, for its tree.
    Read(Box<(Revision, Option<GitId>)>),
}

/// Commits, newest first. After the last one [`Walk::beginning`] tells how the history ends.
pub struct Walk<'h> {
    history: &'h History<'h>,
    repository: gix::Repository,
    next: Option<Next>,
    beginning: Option<Beginning>,
}

impl Walk<'_> {
    /// How the history ends; `None` while there are more commits.
    pub fn beginning(&self) -> Option<Beginning> {
        self.beginning
    }

    fn read(&self, id: GitId) -> Result<(Revision, Option<GitId>), Failure> {
        let broken = |cause: &dyn fmt::Display| self.history.unreadable(id, cause);
        let object = self.repository.find_commit(id).map_err(|cause| broken(&cause))?;
        let decoded = object.decode().map_err(|cause| broken(&cause))?;
        // Some old tools wrote names and dates that Git itself does not take.
        let author = decoded.author().ok();
        let committed = decoded.time().map_or(0, |time| time.seconds);
        let text = |bytes: &BStr| bytes.to_str_lossy().trim().to_owned();
        let revision = Revision {
            id,
            tree: decoded.tree(),
            tree_before: None,
            committed,
            commit: Commit {
                id: id.to_string(),
                time: author.map_or(committed, |author| author.seconds()),
                author: author.map_or_else(|| "unknown".to_owned(), |author| text(author.name)),
                subject: text(&decoded.message().summary()),
            },
        };
        let parent = decoded.parents().next();
        Ok((revision, parent))
    }

    fn step(&mut self, next: Next) -> Result<Revision, Failure> {
        let (mut revision, parent) = match next {
            Next::Unread(id) => self.read(id)?,
            Next::Read(read) => *read,
        };
        let Some(parent) = parent else {
            self.beginning = Some(Beginning::Root);
            return Ok(revision);
        };
        if self.history.shallow.contains(&revision.id) {
            self.beginning = Some(Beginning::Shallow);
        } else if !self.repository.has_object(parent) {
            self.beginning = Some(Beginning::Missing);
        } else {
            let read = self.read(parent)?;
            revision.tree_before = Some(read.0.tree);
            self.next = Some(Next::Read(Box::new(read)));
        }
        Ok(revision)
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Revision, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next.take()?;
        Some(self.step(next))
    }
}

/// Reads what commits changed, and files.
pub struct Reader {
    repository: gix::Repository,
    location: String,
    state: State,
    trees: (Vec<u8>, Vec<u8>),
}

impl Reader {
    /// The files that differ between two trees and whose path is taken, sorted by path. Links and submodules do not count, nor do
    /// changed modes.
    ///
    /// # Errors
    /// When a tree is not in the clone, or is damaged.
    pub fn changes(
        &mut self,
        before: Option<GitId>,
        after: GitId,
        take: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<FileChange>, Failure> {
        let (before_buffer, after_buffer) = (&mut self.trees.0, &mut self.trees.1);
        let objects = &self.repository.objects;
        let location = &self.location;
        let failed = |cause: &dyn fmt::Display| {
            Failure::new(Kind::Input, format!("the history of {location} could not be read"))
                .because(format!("tree {}: {cause}", after.to_hex_with_len(12)))
                .hint("the clone may be partial or damaged: `git fsck` tells, a fresh clone helps")
        };
        let from = match before {
            Some(id) => objects.find_tree_iter(&id, before_buffer).map_err(|e| failed(&e))?,
            None => TreeRefIter::from_bytes(&[], after.kind()),
        };
        let to = objects
            .find_tree_iter(&after, after_buffer)
            .map_err(|cause| failed(&cause))?;
        let mut seen = Seen {
            path: Recorder::default(),
            take,
            found: Vec::new(),
        };
        gix::diff::tree(from, to, &mut self.state, objects, &mut seen).map_err(|cause| failed(&cause))?;
        let mut found = seen.found;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        // A file that became a folder, or the other way round, may come in two halves.
        found.dedup_by(|later, earlier| {
            let same = later.path == earlier.path;
            if same {
                earlier.before = earlier.before.or(later.before);
                earlier.after = earlier.after.or(later.after);
            }
            same
        });
        Ok(found)
    }

    /// The bytes of a file, if they are at most `largest`.
    ///
    /// # Errors
    /// Says why they are not given.
    pub fn blob(&mut self, id: GitId, largest: u64) -> Result<Vec<u8>, Unread> {
        let header = self.repository.find_header(id).map_err(|_| Unread::Missing)?;
        if header.size() > largest {
            return Err(Unread::TooLarge);
        }
        let mut blob = self.repository.find_blob(id).map_err(|_| Unread::Missing)?;
        Ok(std::mem::take(&mut blob.data))
    }
}

/// Notes the changes of files; the path is kept by gix's own recorder, whose records stay empty.
struct Seen<'f> {
    path: Recorder,
    take: &'f dyn Fn(&str) -> bool,
    found: Vec<FileChange>,
}

impl Visit for Seen<'_> {
    fn pop_front_tracked_path_and_set_current(&mut self) {
        self.path.pop_front_tracked_path_and_set_current();
    }

    fn push_back_tracked_path_component(&mut self, component: &BStr) {
        self.path.push_back_tracked_path_component(component);
    }

    fn push_path_component(&mut self, component: &BStr) {
        self.path.push_path_component(component);
    }

    fn pop_path_component(&mut self) {
        self.path.pop_path_component();
    }

    fn visit(&mut self, change: visit::Change) -> visit::Action {
        let file = |mode: gix::objs::tree::EntryMode, id: GitId| mode.is_blob().then_some(id);
        let (before, after) = match change {
            visit::Change::Addition { entry_mode, oid, .. } => (None, file(entry_mode, oid)),
            visit::Change::Deletion { entry_mode, oid, .. } => (file(entry_mode, oid), None),
            visit::Change::Modification {
                previous_entry_mode,
                previous_oid,
                entry_mode,
                oid,
            } => (file(previous_entry_mode, previous_oid), file(entry_mode, oid)),
        };
        if before != after {
            let path = self.path.path().to_str_lossy();
            if (self.take)(&path) {
                let path = path.into_owned();
                self.found.push(FileChange { path, before, after });
            }
        }
        ControlFlow::Continue(())
    }
}
