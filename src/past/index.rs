//! What is kept of a history: commits, the files that each changed, the identities in each content.

use std::collections::HashMap;

use super::replay::day;
use crate::object::{Commit, ObjectId};
use crate::source::{GitId, Unread};

/// In place of a content: the file is gone.
pub(super) const GONE: u32 = u32::MAX;

/// A history from some commit on, oldest first. Indices are into the lists here.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Index {
    /// Where it begins.
    pub begins: Begins,
    /// The last commit of an earlier history that is no longer a part of this one, with its author time.
    pub replaced: Option<(GitId, i64)>,
    /// Oldest first.
    pub commits: Vec<Known>,
    /// Authors of commits.
    pub authors: Vec<String>,
    /// Paths of files.
    pub paths: Vec<String>,
    /// By commit, then path. The first commit has all of its files here.
    pub changes: Vec<Change>,
    /// Contents.
    pub contents: Vec<Content>,
    /// Identities, as they are written: the namespace may be absent.
    pub identities: Vec<ObjectId>,
}

/// Where an index begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Begins {
    /// With the first commit there is.
    #[default]
    Root,
    /// Where a shallow clone begins.
    Shallow,
    /// Where a damaged clone begins.
    Missing,
    /// With the first commit that is not older than this, seconds since 1970.
    Since(i64),
}

impl Begins {
    /// What a history that begins with this commit lacks; `None` where that does not lie with the clone.
    pub fn words(self, time: i64, id: GitId) -> Option<String> {
        let why = match self {
            Self::Shallow => "the clone is shallow; `git fetch --unshallow` gets the rest",
            Self::Missing => "the clone is damaged and lacks the commit before; a fresh clone helps",
            Self::Root | Self::Since(_) => return None,
        };
        let (day, id) = (day(time), id.to_hex_with_len(12));
        Some(format!("history is incomplete before {day} (commit {id}): {why}"))
    }
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub id: GitId,
    /// Committer time, seconds since 1970.
    pub committed: i64,
    /// Author time, seconds since 1970.
    pub time: i64,
    /// Index in [`Index::authors`].
    pub author: u32,
    pub subject: String,
}

/// A file that a commit changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    pub commit: u32,
    pub path: u32,
    /// Index in [`Index::contents`], or [`GONE`].
    pub content: u32,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub id: GitId,
    /// Indices in [`Index::identities`], ascending.
    pub identities: Vec<u32>,
    /// Why there may be more in it.
    pub skipped: Option<Skipped>,
}

/// Why identities of a content may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    TooLarge,
    Missing,
    Unparsed,
}

impl Skipped {
    /// All of them, in the order of their numbers in the cache.
    pub const ALL: [Self; 3] = [Self::TooLarge, Self::Missing, Self::Unparsed];

    /// As reports count it.
    pub fn words(self) -> &'static str {
        match self {
            Self::TooLarge => "larger than 8 MiB",
            Self::Missing => "not in this clone",
            Self::Unparsed => "not valid YAML or JSON",
        }
    }
}

impl From<Unread> for Skipped {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Self::TooLarge,
            Unread::Missing => Self::Missing,
        }
    }
}

impl Index {
    /// A commit, as it is quoted.
    pub fn quoted(&self, commit: usize) -> Commit {
        let known = &self.commits[commit];
        Commit {
            id: known.id.to_string(),
            time: known.time,
            author: self.authors[known.author as usize].clone(),
            subject: known.subject.clone(),
        }
    }

    /// Identities of a content; none for [`GONE`].
    pub fn identities_of(&self, content: u32) -> &[u32] {
        self.contents
            .get(content as usize)
            .map_or(&[], |content| &content.identities)
    }

    /// Whether every index is within its list and commits come in order: what was read from a file may be anything.
    pub fn is_sound(&self) -> bool {
        let within = |index: u32, length: usize| (index as usize) < length;
        let sorted = self.changes.is_sorted_by_key(|change| change.commit);
        sorted
            && self
                .commits
                .iter()
                .all(|known| within(known.author, self.authors.len()))
            && self.changes.iter().all(|change| {
                within(change.commit, self.commits.len())
                    && within(change.path, self.paths.len())
                    && (change.content == GONE || within(change.content, self.contents.len()))
            })
            && self.contents.iter().all(|content| {
                let mut identities = content.identities.iter();
                identities.all(|identity| within(*identity, self.identities.len()))
            })
    }
}

/// Gives each distinct value a number.
#[derive(Debug)]
pub(super) struct Numbers<T>(HashMap<T, u32>);

impl<T: Clone + Eq + std::hash::Hash> Numbers<T> {
    /// The numbers of a list.
    pub fn of(list: &[T]) -> Self {
        Self(list.iter().cloned().zip(0..).collect())
    }

    /// The number of a value, which is added to the list where it is new.
    pub fn number(&mut self, value: T, list: &mut Vec<T>) -> u32 {
        if let Some(number) = self.0.get(&value) {
            return *number;
        }
        // A list of four thousand million entries would not have fitted into memory.
        let number = u32::try_from(list.len()).unwrap_or(GONE);
        list.push(value.clone());
        self.0.insert(value, number);
        number
    }
}
