//! From a repository, and what the cache has of it, to an index.

use std::collections::HashMap;

use super::index::{Begins, Change, Content, GONE, Index, Known, Numbers};
use super::names::{Names, names};
use super::replay::View;
use super::spread::spread;
use super::{Options, cache};
use crate::error::Failure;
use crate::source::path::is_manifest_name;
use crate::source::{Beginning, FileChange, GitId, History, Reader, Revision, Unread};

/// Largest file that is read, in bytes. What is larger is generated, and no manifest that anyone applies in one piece.
pub(super) const LARGEST: u64 = 8 << 20;

/// Neighbours that one thread takes at a time: commits that have most of their trees in common, contents that are stored as
/// differences from each other.
const RUN: usize = 256;

/// The part of the history that is asked for, from the cache as far as it has it. The cache is brought up to date.
pub(super) fn view(history: &History<'_>, options: &Options) -> Result<View, Failure> {
    let since = options.since.map(|since| since.as_second());
    let folder = options.cache.as_deref();
    let cached = folder.and_then(|folder| cache::load(folder, history.place()));
    let mut index = cached
        .filter(|index| is_usable(index, since, history))
        .unwrap_or_default();
    let end = match walk(history, &index, since)? {
        Walked::Known(end) => end,
        Walked::New { revisions, begins } => {
            if let Some(begins) = begins {
                let replaced = replaced(&index, begins, history);
                index = Index {
                    begins,
                    replaced,
                    ..Index::default()
                };
            }
            extend(&mut index, revisions, history)?;
            if let Some(folder) = folder {
                // Where it cannot be written, the next run reads the history again.
                let _ = cache::store(folder, history.place(), &index);
            }
            index.commits.len() - 1
        }
    };
    Ok(View::new(index, end, since))
}

/// Whether an index begins early enough, and where the clone begins now.
fn is_usable(index: &Index, since: Option<i64>, history: &History<'_>) -> bool {
    let first = index.commits.first();
    match index.begins {
        Begins::Root => first.is_some(),
        Begins::Shallow => first.is_some_and(|first| history.is_shallow_at(first.id)),
        Begins::Missing => false,
        Begins::Since(date) => since.is_some_and(|since| since >= date),
    }
}

/// The commit that an earlier history ended with and this one does not have.
fn replaced(old: &Index, begins: Begins, history: &History<'_>) -> Option<(GitId, i64)> {
    let last = old.commits.last()?;
    // A shallow clone that was moved on does not tell what lies between.
    let is_whole = matches!(begins, Begins::Root | Begins::Since(_));
    match is_whole && !history.is_reachable(last.id) {
        true => Some((last.id, last.time)),
        false => old.replaced,
    }
}

/// What walking the history found.
enum Walked {
    /// The head is this commit of the index.
    Known(usize),
    /// Commits, newest first: what follows the index or, with where they begin, instead of it.
    New {
        revisions: Vec<Revision>,
        begins: Option<Begins>,
    },
}

fn walk(history: &History<'_>, index: &Index, since: Option<i64>) -> Result<Walked, Failure> {
    let known: HashMap<GitId, usize> = index.commits.iter().map(|known| known.id).zip(0..).collect();
    let is_old = |revision: &Revision| since.is_some_and(|since| revision.committed < since);
    let mut revisions: Vec<Revision> = Vec::new();
    let mut walk = history.walk();
    for revision in walk.by_ref() {
        let revision = revision?;
        match known.get(&revision.id) {
            Some(at) if revisions.is_empty() => return Ok(Walked::Known(*at)),
            Some(at) if at + 1 == known.len() => {
                return Ok(Walked::New {
                    revisions,
                    begins: None,
                });
            }
            _ => revisions.push(revision),
        }
        if known.is_empty() && revisions.len() > 1 && revisions.last().is_some_and(is_old) {
            break;
        }
    }
    // The head counts however old it is.
    let old = revisions.iter().skip(1).position(is_old).map(|at| at + 1);
    revisions.truncate(old.unwrap_or(revisions.len()));
    let begins = match (walk.beginning(), since) {
        (Some(Beginning::Root), _) if old.is_none() => Begins::Root,
        (Some(Beginning::Shallow), _) if old.is_none() => Begins::Shallow,
        (Some(Beginning::Missing), _) if old.is_none() => Begins::Missing,
        (_, date) => date.map_or(Begins::Root, Begins::Since),
    };
    Ok(Walked::New {
        revisions,
        begins: Some(begins),
    })
}

/// Adds commits (newest first) to the end of an index.
fn extend(index: &mut Index, mut revisions: Vec<Revision>, history: &History<'_>) -> Result<(), Failure> {
    revisions.reverse();
    let is_new = index.commits.is_empty();
    let trees: Vec<(Option<GitId>, GitId)> = revisions
        .iter()
        .enumerate()
        // The first commit of an index has all of its files.
        .map(|(at, revision)| (revision.tree_before.filter(|_| at > 0 || !is_new), revision.tree))
        .collect();
    let changes = spread(
        &trees,
        RUN,
        || history.reader(),
        |reader, (before, after)| reader.changes(*before, *after, &is_manifest_name),
    );
    let mut paths = Numbers::of(&index.paths);
    let mut authors = Numbers::of(&index.authors);
    let mut contents: HashMap<GitId, u32> = index.contents.iter().map(|content| content.id).zip(0..).collect();
    let mut unread = Vec::new();
    for (revision, changes) in revisions.into_iter().zip(changes) {
        let commit = u32::try_from(index.commits.len()).unwrap_or(GONE);
        for FileChange { path, after, .. } in changes? {
            let path = paths.number(path, &mut index.paths);
            let content = after.map_or(GONE, |id| {
                *contents.entry(id).or_insert_with(|| {
                    let number = u32::try_from(index.contents.len() + unread.len()).unwrap_or(GONE);
                    unread.push((path, number, id));
                    number
                })
            });
            index.changes.push(Change { commit, path, content });
        }
        index.commits.push(Known {
            id: revision.id,
            committed: revision.committed,
            time: revision.commit.time,
            author: authors.number(revision.commit.author, &mut index.authors),
            subject: revision.commit.subject,
        });
    }
    read_contents(index, unread, history);
    Ok(())
}

/// Reads contents, which are numbered from the end of the index's list on.
fn read_contents(index: &mut Index, mut unread: Vec<(u32, u32, GitId)>, history: &History<'_>) {
    unread.sort_unstable_by_key(|(path, number, _)| (*path, *number));
    let read = spread(
        &unread,
        RUN,
        || history.reader(),
        |reader, (_, number, id)| (*number, *id, read_one(reader, *id)),
    );
    let mut numbers = Numbers::of(&index.identities);
    let mut contents: Vec<(u32, Content)> = Vec::with_capacity(read.len());
    for (number, id, read) in read {
        let (names, skipped) = match read {
            Ok(names) => {
                let skipped = names.unparsed.then_some(super::index::Skipped::Unparsed);
                (names.found, skipped)
            }
            Err(unread) => (Vec::new(), Some(unread.into())),
        };
        let mut identities: Vec<u32> = names
            .into_iter()
            .map(|name| numbers.number(name, &mut index.identities))
            .collect();
        identities.sort_unstable();
        let content = Content {
            id,
            identities,
            skipped,
        };
        contents.push((number, content));
    }
    contents.sort_unstable_by_key(|(number, _)| *number);
    index.contents.extend(contents.into_iter().map(|(_, content)| content));
}

fn read_one(reader: &mut Reader, id: GitId) -> Result<Names, Unread> {
    reader.blob(id, LARGEST).map(|text| names(&text))
}
