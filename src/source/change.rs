//! What other contents of some files mean for the tree as it is stored.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use gix::objs::tree::EntryKind;

use super::Tree;
use super::links::Raw;
use super::tree::Store;
use crate::error::{Failure, Kind};
use crate::object::Repository;

/// Other contents of files by their path in the tree as it is seen; `None`: the file is removed.
pub type Files = BTreeMap<String, Option<Vec<u8>>>;

/// Longest name of a file or folder, in bytes (`NAME_MAX` of Linux, macOS and NTFS).
const LONGEST_NAME: usize = 255;

/// One file that is not as it was.
#[derive(Debug)]
pub(super) struct Change {
    /// Where it lies: links followed.
    pub path: String,
    /// A plain or an executable file.
    pub mode: EntryKind,
    /// What it was; `None`: it is new.
    pub before: Option<Arc<[u8]>>,
    /// What it becomes; `None`: it is removed.
    pub after: Option<Arc<[u8]>>,
}

/// What really changes, sorted by path. Files whose content stays are left out.
///
/// # Errors
/// All files at once that cannot be changed: names that are none, what leads out of the repository or into a submodule, files where
/// folders are and the other way round.
pub(super) fn changes(tree: &Tree, files: &Files) -> Result<Vec<Change>, Failure> {
    let mut wrong = Vec::new();
    let mut wanted: BTreeMap<String, (&String, Option<&[u8]>)> = BTreeMap::new();
    for (seen, content) in files {
        let content = content.as_deref();
        match place(tree, seen) {
            Err(why) => wrong.push(format!("{seen}: {why}")),
            Ok(stored) => match wanted.get(&stored) {
                Some((other, before)) if *before != content => {
                    wrong.push(format!("{seen}: it is the same file as {other}, with another content"));
                }
                _ => drop(wanted.insert(stored, (seen, content))),
            },
        }
    }
    let mut changes = Vec::new();
    for (path, (seen, after)) in &wanted {
        match change(tree, path, *after) {
            Ok(None) => {}
            Ok(Some(change)) => {
                if let (None, Some(why)) = (&change.before, in_the_way(tree, &wanted, path)) {
                    wrong.push(format!("{seen}: {why}"));
                }
                changes.push(change);
            }
            Err(why) => wrong.push(format!("{seen}: {why}")),
        }
    }
    if wrong.is_empty() {
        return Ok(changes);
    }
    let failure = Failure::new(Kind::Input, "these files cannot be changed in the repository");
    Err(wrong.into_iter().fold(failure, Failure::because))
}

/// The path where a file lies, if it can have that name.
fn place(tree: &Tree, seen: &str) -> Result<String, String> {
    // Names that only Windows refuses are in many repositories.
    let options = gix::validate::path::component::Options {
        protect_windows: false,
        ..Default::default()
    };
    for name in seen.split('/') {
        gix::validate::path::component(name.into(), None, options)
            .map_err(|cause| format!("it is no name for a file: {cause}"))?;
        if name.contains('\0') {
            return Err("it is no name for a file: it has a NUL byte".to_owned());
        }
        if name.len() > LONGEST_NAME {
            return Err(format!(
                "it is no name for a file: {} bytes are more than {LONGEST_NAME}",
                name.len()
            ));
        }
    }
    tree.stored(seen).map_err(str::to_owned)
}

fn change(tree: &Tree, path: &str, after: Option<&[u8]>) -> Result<Option<Change>, String> {
    let before = match tree.raw().get(path) {
        Some(Raw::Blob(_) | Raw::File | Raw::Laid(_)) => Some(tree.bytes(path)?),
        Some(Raw::Submodule) => return Err("it is a submodule".to_owned()),
        Some(Raw::Link(_)) | None => None,
    };
    if before.as_deref() == after {
        return Ok(None);
    }
    Ok(Some(Change {
        path: path.to_owned(),
        mode: mode(tree, path)?,
        before,
        after: after.map(Arc::from),
    }))
}

/// Why a new file cannot lie there: a file or submodule is where a folder would have to be, or a folder where it would be.
fn in_the_way(tree: &Tree, wanted: &BTreeMap<String, (&String, Option<&[u8]>)>, path: &str) -> Option<String> {
    let stays = |at: &str| match wanted.get(at) {
        Some((_, content)) => content.is_some(),
        None => tree.raw().contains_key(at),
    };
    let above = path.match_indices('/').map(|(end, _)| &path[..end]);
    if let Some(file) = above.into_iter().find(|at| stays(at)) {
        let what = match tree.raw().get(file) {
            Some(Raw::Submodule) => "a submodule",
            _ => "a file",
        };
        return Some(format!("{file} is {what}, and no folder"));
    }
    let folder = format!("{path}/");
    let below = |at: &&String| at.starts_with(&folder);
    let old = tree.raw().range(folder.clone()..).map(|(at, _)| at).take_while(below);
    let new = wanted.range(folder.clone()..).map(|(at, _)| at).take_while(below);
    let mut inside = old.chain(new).filter(|at| stays(at));
    inside.next().map(|_| format!("{path} is a folder, and no file"))
}

/// Whether a file is executable: of a new one it is not.
fn mode(tree: &Tree, path: &str) -> Result<EntryKind, String> {
    let executable = match (tree.raw().get(path), tree.store()) {
        (Some(Raw::Blob(_) | Raw::Laid(_)), Store::Git(git)) => {
            let git = git.to_thread_local();
            let found = commit_of(tree.repository(), &git).and_then(|commit| commit.tree()?.lookup_entry_by_path(path));
            let entry = found.map_err(|cause| cause.to_string())?;
            entry.is_some_and(|entry| entry.mode().kind() == EntryKind::BlobExecutable)
        }
        (Some(Raw::File), Store::Folder(root)) => {
            let about = std::fs::metadata(root.join(path)).map_err(|cause| cause.to_string())?;
            about.permissions().mode() & 0o100 != 0
        }
        _ => false,
    };
    Ok(match executable {
        true => EntryKind::BlobExecutable,
        false => EntryKind::Blob,
    })
}

/// The commit that a tree was read at.
pub(super) fn commit_of<'r>(about: &Repository, git: &'r gix::Repository) -> Result<gix::Commit<'r>, gix::Error> {
    let id = about.commit.as_deref().unwrap_or_default();
    git.rev_parse_single(id)?
        .object()?
        .peel_to_kind(gix::object::Kind::Commit)
        .map(gix::Object::into_commit)
}
