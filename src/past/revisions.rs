//! What each revision changed of what is declared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::build::{self, LARGEST};
use super::index::{Begins, GONE};
use super::names::objects;
use super::replay::{View, day};
use super::{Options, Unknown};
use crate::error::Failure;
use crate::object::{Edit, ObjectEdit, ObjectId, PastRevision, Revisions, edits};
use crate::source::path::{is_manifest_name, is_within};
use crate::source::{Beginning, FileChange, GitId, History, Reader, Revision};

/// The revisions that changed files in these paths, newest first, at most so many.
pub(super) fn all(
    history: &History<'_>,
    paths: &[String],
    limit: usize,
    options: &Options,
) -> Result<Revisions, Failure> {
    let since = options.since.map(|since| since.as_second());
    let mut found = Revisions::default();
    let mut reader = history.reader();
    let mut walk = history.walk();
    while let Some(revision) = walk.next() {
        let revision = revision?;
        if let Some(date) = since.filter(|date| revision.committed < *date) {
            found.incomplete = Some(format!("history before {} was not read, as asked for", day(date)));
            break;
        }
        let begins = match walk.beginning() {
            Some(Beginning::Shallow) => Begins::Shallow,
            Some(Beginning::Missing) => Begins::Missing,
            Some(Beginning::Root) | None => Begins::Root,
        };
        if let Some(said) = begins.words(revision.commit.time, revision.id) {
            // What this commit changed cannot be told.
            found.incomplete = Some(said);
            break;
        }
        let take = |path: &str| is_in(path, paths);
        let changes = reader.changes(revision.tree_before, revision.tree, &take)?;
        if changes.is_empty() {
            continue;
        }
        if found.revisions.len() == limit {
            found.more = true;
            break;
        }
        found.revisions.push(of_files(&mut reader, revision, &changes));
    }
    Ok(found)
}

fn is_in(path: &str, paths: &[String]) -> bool {
    paths.is_empty() || paths.iter().any(|folder| is_within(path, folder))
}

fn of_files(reader: &mut Reader, revision: Revision, changes: &[FileChange]) -> PastRevision {
    let (objects, files) = compare(reader, changes, &|_| true);
    PastRevision {
        commit: revision.commit,
        objects,
        files,
        is_rendered: false,
    }
}

/// The revisions that changed an object, newest first, at most so many. `name` is as [`ObjectId::is_named_by`] takes it; manifests that
/// say no namespace are taken for one of any.
pub(super) fn of_object(
    history: &History<'_>,
    paths: &[String],
    name: &str,
    limit: usize,
    options: &Options,
) -> Result<Result<Revisions, Unknown>, Failure> {
    let view = build::view(history, options)?;
    let index = &view.index;
    let named: BTreeSet<u32> = (0u32..)
        .zip(&index.identities)
        .filter(|(_, id)| is_meant(id, name))
        .map(|(number, _)| number)
        .collect();
    let touching = touching(&view, &named, paths);
    if touching.is_empty() {
        return Ok(Err(unknown(&view, name)));
    }
    let mut found = Revisions {
        incomplete: view.past_set().incomplete,
        ..Revisions::default()
    };
    let mut reader = history.reader();
    for (commit, changes) in touching.into_iter().rev() {
        if commit == view.start && (view.start > 0 || index.begins != Begins::Root) {
            // It was there when the history that is read begins.
            continue;
        }
        let (objects, _) = compare(&mut reader, &changes, &|id| is_meant(id, name));
        if objects.is_empty() {
            continue;
        }
        if found.revisions.len() == limit {
            found.more = true;
            break;
        }
        found.revisions.push(PastRevision {
            commit: index.quoted(commit),
            objects,
            files: Vec::new(),
            is_rendered: false,
        });
    }
    Ok(Ok(found))
}

/// Whether a name stands for an object as it is written; one that says no namespace is taken for one of any.
pub fn is_meant(id: &ObjectId, name: &str) -> bool {
    if id.is_named_by(name) {
        return true;
    }
    let mut parts = name.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(kind), Some(_), Some(own), None) if id.namespace.is_none() => id.is_named_by(&format!("{kind}/{own}")),
        _ => false,
    }
}

/// By commit, the files that it changed and that had or have one of these identities.
fn touching(view: &View, named: &BTreeSet<u32>, paths: &[String]) -> BTreeMap<usize, Vec<FileChange>> {
    let index = &view.index;
    let has = |content: u32| index.identities_of(content).iter().any(|id| named.contains(id));
    let id = |content: u32| index.contents.get(content as usize).map(|content| content.id);
    let mut there: HashMap<u32, u32> = HashMap::new();
    let mut found: BTreeMap<usize, Vec<FileChange>> = BTreeMap::new();
    for change in &index.changes {
        let commit = change.commit as usize;
        if commit > view.end {
            break;
        }
        let before = there.insert(change.path, change.content).unwrap_or(GONE);
        let path = &index.paths[change.path as usize];
        if commit >= view.start && (has(before) || has(change.content)) && is_in(path, paths) {
            found.entry(commit).or_default().push(FileChange {
                path: path.clone(),
                before: id(before),
                after: id(change.content),
            });
        }
    }
    found
}

/// What may have been meant: all of that name, else all of that kind, the most alike first.
fn unknown(view: &View, name: &str) -> Unknown {
    let parts: Vec<&str> = name.split('/').collect();
    let (kind, own) = (parts[0].split('.').next().unwrap_or_default(), parts[parts.len() - 1]);
    let ids = &view.index.identities;
    let alike = |id: &ObjectId| {
        let same = id.name.chars().zip(own.chars()).take_while(|(a, b)| a == b);
        std::cmp::Reverse(same.count())
    };
    let names = |wanted: &dyn Fn(&ObjectId) -> bool| -> Vec<String> {
        let found = ids.iter().filter(|id| wanted(id));
        let found: BTreeSet<_> = found.map(|id| (alike(id), id.to_string())).collect();
        found.into_iter().map(|(_, name)| name).collect()
    };
    let of_name = names(&|id| id.name == own);
    let near = match of_name.is_empty() {
        true => names(&|id| id.kind.eq_ignore_ascii_case(kind)),
        false => of_name,
    };
    Unknown {
        walked: view.end + 1 - view.start,
        near,
    }
}

/// An object in a file, with what it is.
struct Sighting {
    file: String,
    value: Value,
}

/// What changes of files do to the objects in them; and the files that do nothing to any.
fn compare(
    reader: &mut Reader,
    changes: &[FileChange],
    wanted: &dyn Fn(&ObjectId) -> bool,
) -> (Vec<ObjectEdit>, Vec<String>) {
    type Side = BTreeMap<ObjectId, Vec<Sighting>>;
    let (mut before, mut after): (Side, Side) = Default::default();
    let mut read = |id: Option<GitId>, file: &str, side: &mut Side| {
        let Some(text) = id.filter(|_| is_manifest_name(file)) else {
            return;
        };
        // What is too large or not in the clone is told as a file.
        let Ok(text) = reader.blob(text, LARGEST) else { return };
        objects(&text, &mut |id, value| {
            if wanted(&id) {
                let (file, value) = (file.to_owned(), value.clone());
                side.entry(id).or_default().push(Sighting { file, value });
            }
        });
    };
    for change in changes {
        read(change.before, &change.path, &mut before);
        read(change.after, &change.path, &mut after);
    }
    let ids: BTreeSet<ObjectId> = before.keys().chain(after.keys()).cloned().collect();
    let mut found = Vec::new();
    for id in ids {
        let (before, after) = (before.remove(&id), after.remove(&id));
        pair(&id, before.unwrap_or_default(), after.unwrap_or_default(), &mut found);
    }
    let told: BTreeSet<&str> = found
        .iter()
        .flat_map(|edit: &ObjectEdit| {
            let from = match &edit.edit {
                Edit::Moved(from) => Some(from.as_str()),
                _ => None,
            };
            [Some(edit.file.as_str()), from]
        })
        .flatten()
        .collect();
    let files = changes.iter().map(|change| &change.path);
    let files = files.filter(|file| !told.contains(file.as_str())).cloned().collect();
    (found, files)
}

/// What happened to the objects of one identity: first those of the same file belong together, then those that moved.
fn pair(id: &ObjectId, before: Vec<Sighting>, mut after: Vec<Sighting>, found: &mut Vec<ObjectEdit>) {
    let mut edit = |edit: Edit, file: String, fields| {
        found.push(ObjectEdit {
            id: id.clone(),
            edit,
            file,
            fields,
        });
    };
    let mut left = Vec::new();
    for old in before {
        match after.iter().position(|new| new.file == old.file) {
            Some(at) => {
                let new = after.remove(at);
                let fields = edits(id, &old.value, &new.value);
                if !fields.is_empty() {
                    edit(Edit::Changed, new.file, fields);
                }
            }
            None => left.push(old),
        }
    }
    for old in left {
        if after.is_empty() {
            edit(Edit::Removed, old.file, Vec::new());
            continue;
        }
        let new = after.remove(0);
        let fields = edits(id, &old.value, &new.value);
        match fields.is_empty() {
            true => edit(Edit::Moved(old.file), new.file, Vec::new()),
            false => edit(Edit::Changed, new.file, fields),
        }
    }
    for new in after {
        edit(Edit::Added, new.file, Vec::new());
    }
}
