//! An index on disk: one file a repository, in a folder. No content of files is in it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::index::{Begins, Change, Content, Index, Known, Skipped};
use crate::object::ObjectId;
use crate::source::GitId;

/// Goes up whenever what is stored, or how identities are read, changes. A file of another version is not read.
const VERSION: u32 = 1;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// How an index is written: lists of equal length stand for lists of structs, ids are hexadecimal in one text.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// What the file name stands for.
    place: String,
    /// `root`, `shallow`, `missing` or `since`.
    begins: String,
    since: i64,
    replaced: Option<(String, i64)>,
    commits: String,
    committed: Vec<i64>,
    times: Vec<i64>,
    authored: Vec<u32>,
    subjects: Vec<String>,
    authors: Vec<String>,
    paths: Vec<String>,
    /// Commit, path, content, one after the other.
    changes: Vec<u32>,
    contents: String,
    declares: Vec<Vec<u32>>,
    /// 0: nothing was skipped; else one more than the index in [`Skipped::ALL`].
    skipped: Vec<u8>,
    /// Group, kind, namespace, name.
    identities: Vec<(String, String, Option<String>, String)>,
}

/// Reads what is kept of a repository; `None` when there is nothing, or nothing that this version can use.
pub(super) fn load(folder: &Path, place: &str) -> Option<Index> {
    let path = file(folder, place);
    if std::fs::metadata(&path).ok()?.len() > LARGEST {
        return None;
    }
    let bytes = std::fs::read(&path).ok()?;
    let stored: Stored = serde_json::from_slice(&bytes).ok()?;
    if stored.version != VERSION || stored.place != place {
        return None;
    }
    stored
        .into_index()
        .filter(|index| index.is_sound() && !index.commits.is_empty())
}

/// Keeps an index. Whoever reads at the same time has the old one or the new one.
pub(super) fn store(folder: &Path, place: &str, index: &Index) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let stored = Stored::of(index, place);
    let mut new = tempfile::Builder::new().prefix(".past-").tempfile_in(folder)?;
    {
        let mut writer = io::BufWriter::with_capacity(1 << 16, new.as_file_mut());
        serde_json::to_writer(&mut writer, &stored)?;
        io::Write::flush(&mut writer)?;
    }
    new.persist(file(folder, place)).map_err(|failed| failed.error)?;
    Ok(())
}

fn file(folder: &Path, place: &str) -> PathBuf {
    let sum = Sha256::digest(place.as_bytes());
    let short: String = sum.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    folder.join(format!("{short}.json"))
}

impl Stored {
    fn of(index: &Index, place: &str) -> Self {
        let (begins, since) = match index.begins {
            Begins::Root => ("root", 0),
            Begins::Shallow => ("shallow", 0),
            Begins::Missing => ("missing", 0),
            Begins::Since(date) => ("since", date),
        };
        let commits = &index.commits;
        let of_id = |id: &ObjectId| (id.group.clone(), id.kind.clone(), id.namespace.clone(), id.name.clone());
        let number = |skipped: Option<Skipped>| {
            let at = Skipped::ALL.iter().position(|one| Some(*one) == skipped);
            at.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or(0)
        };
        Self {
            version: VERSION,
            place: place.to_owned(),
            begins: begins.to_owned(),
            since,
            replaced: index.replaced.map(|(id, time)| (id.to_string(), time)),
            commits: hex(commits.iter().map(|known| known.id)),
            committed: commits.iter().map(|known| known.committed).collect(),
            times: commits.iter().map(|known| known.time).collect(),
            authored: commits.iter().map(|known| known.author).collect(),
            subjects: commits.iter().map(|known| known.subject.clone()).collect(),
            authors: index.authors.clone(),
            paths: index.paths.clone(),
            changes: index
                .changes
                .iter()
                .flat_map(|c| [c.commit, c.path, c.content])
                .collect(),
            contents: hex(index.contents.iter().map(|content| content.id)),
            declares: index
                .contents
                .iter()
                .map(|content| content.identities.clone())
                .collect(),
            skipped: index.contents.iter().map(|content| number(content.skipped)).collect(),
            identities: index.identities.iter().map(of_id).collect(),
        }
    }

    /// `None` where lists that belong together are not of equal length, or an id is none.
    fn into_index(mut self) -> Option<Index> {
        let begins = match &*self.begins {
            "root" => Begins::Root,
            "shallow" => Begins::Shallow,
            "missing" => Begins::Missing,
            "since" => Begins::Since(self.since),
            _ => return None,
        };
        let replaced = match &self.replaced {
            Some((id, time)) => Some((GitId::from_hex(id.as_bytes()).ok()?, *time)),
            None => None,
        };
        let identities = std::mem::take(&mut self.identities).into_iter();
        let changes = self.changes.chunks_exact(3).map(|three| Change {
            commit: three[0],
            path: three[1],
            content: three[2],
        });
        Some(Index {
            begins,
            replaced,
            changes: (self.changes.len().is_multiple_of(3)).then(|| changes.collect())?,
            commits: self.take_commits()?,
            contents: self.take_contents()?,
            authors: self.authors,
            paths: self.paths,
            identities: identities
                .map(|(group, kind, namespace, name)| ObjectId {
                    group,
                    kind,
                    namespace,
                    name,
                })
                .collect(),
        })
    }

    fn take_commits(&mut self) -> Option<Vec<Known>> {
        let ids = unhex(&self.commits)?;
        let lengths = [
            self.committed.len(),
            self.times.len(),
            self.authored.len(),
            self.subjects.len(),
        ];
        if lengths != [ids.len(); 4] {
            return None;
        }
        let subjects = std::mem::take(&mut self.subjects).into_iter();
        let commits = ids
            .into_iter()
            .zip(subjects)
            .enumerate()
            .map(|(at, (id, subject))| Known {
                id,
                committed: self.committed[at],
                time: self.times[at],
                author: self.authored[at],
                subject,
            });
        Some(commits.collect())
    }

    fn take_contents(&mut self) -> Option<Vec<Content>> {
        let ids = unhex(&self.contents)?;
        if [self.declares.len(), self.skipped.len()] != [ids.len(); 2] {
            return None;
        }
        let declares = std::mem::take(&mut self.declares);
        let contents = ids.into_iter().zip(declares).zip(&self.skipped);
        let skipped = |number: u8| Skipped::ALL.get(usize::from(number).checked_sub(1)?).copied();
        let contents = contents.map(|((id, identities), number)| Content {
            id,
            identities,
            skipped: skipped(*number),
        });
        Some(contents.collect())
    }
}

fn hex(ids: impl Iterator<Item = GitId>) -> String {
    let mut text = String::new();
    for id in ids {
        text.push_str(&id.to_string());
    }
    text
}

fn unhex(text: &str) -> Option<Vec<GitId>> {
    let ids = text.as_bytes().chunks(40);
    ids.map(|hex| GitId::from_hex(hex).ok()).collect()
}
