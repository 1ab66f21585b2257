//! A local Git repository, read from its object database.

use std::collections::BTreeMap;
use std::path::Path;

use gix::Repository as Git;
use tempfile::TempDir;

use super::links::Raw;
use super::path::is_within;
use super::tree::{Store, Tree};
use super::{Options, beside, folder, revision, without_credentials};
use crate::error::{Failure, Kind, printable};
use crate::object::Repository;

/// Opens the repository that `path` (canonical) is, or lies in.
pub(super) fn open_local(location: &str, git: Git, path: &Path, options: &Options) -> Result<Tree, Failure> {
    let shown = printable(&without_credentials(location));
    let work = git.workdir().and_then(|work| work.canonicalize().ok());
    // Inside of `.git` or of a bare repository there is no base.
    let inside = work.as_deref().and_then(|work| path.strip_prefix(work).ok());
    let base = inside.filter(|path| !path.starts_with(".git")).unwrap_or(Path::new(""));
    let base = base.to_string_lossy().into_owned();
    let chosen = options.rev.is_some() || options.at.is_some();
    if !base.is_empty() && !chosen && !is_in_head(&git, &base) {
        let note = format!("{shown} is read as it is on disk: the repository around it has no commit with it");
        return open_on_disk(location, path, note);
    }
    let commit = commit(&git, &shown, options, false)?;
    let raw = listing(&commit, &shown)?;
    let mut notes = Vec::new();
    let mut repository = about(location, &commit);
    if !base.is_empty() && !raw.keys().any(|entry| is_within(entry, &base)) {
        return Err(Failure::new(Kind::Input, format!("nothing could be read from {shown}"))
            .because(format!("commit {} has no {}", short(&commit), printable(&base)))
            .hint("name a revision that has it, or give another folder"));
    }
    if let (Some(_), false) = (&work, chosen) {
        match uncommitted(&git, &base) {
            Ok(0) => {}
            Ok(count) => {
                repository.dirty = true;
                let files = if count == 1 {
                    "1 file that differs"
                } else {
                    &format!("{count} files that differ")
                };
                notes.push(format!(
                    "commit {} is read, and not {files} in the work tree",
                    short(&commit)
                ));
            }
            Err(cause) => notes.push(format!(
                "commit {} is read; whether the work tree differs could not be told: {cause}",
                short(&commit)
            )),
        }
    }
    let follows = beside::follows(&git, options);
    let store = Store::Git(Box::new(git.clone().into_sync()));
    let mut addresses = remotes(&git);
    addresses.push(location.to_owned());
    let tree = Tree::new(repository, base, notes, raw, store);
    Ok(tree.known_as(addresses).following(follows))
}

/// The tree of a repository that refloat cloned; `clone` is removed with it.
pub(super) fn open_clone(location: &str, git: Git, options: &Options, clone: Option<TempDir>) -> Result<Tree, Failure> {
    let shown = printable(&without_credentials(location));
    let commit = commit(&git, &shown, options, true)?;
    let raw = listing(&commit, &shown)?;
    let repository = about(location, &commit);
    let follows = beside::follows(&git, options);
    let store = Store::Git(Box::new(git.clone().into_sync()));
    let tree = Tree::new(repository, String::new(), Vec::new(), raw, store).known_as(vec![location.to_owned()]);
    Ok(tree.following(follows).holding(clone))
}

/// Addresses that a clone fetches from.
fn remotes(git: &Git) -> Vec<String> {
    let names = git.remote_names();
    let remotes = names.iter().filter_map(|name| git.find_remote(&**name).ok());
    let url = |remote: gix::Remote<'_>| Some(remote.url(gix::remote::Direction::Fetch)?.to_bstring().to_string());
    remotes.filter_map(url).collect()
}

fn open_on_disk(location: &str, path: &Path, note: String) -> Result<Tree, Failure> {
    match (path.is_dir(), path.parent(), path.file_name()) {
        (false, Some(parent), Some(name)) => folder::open_with(location, parent, &name.to_string_lossy(), vec![note]),
        _ => folder::open_with(location, path, "", vec![note]),
    }
}

fn is_in_head(git: &Git, base: &str) -> bool {
    let tree = git.head_commit().and_then(|commit| commit.tree());
    tree.and_then(|tree| tree.lookup_entry_by_path(base))
        .is_ok_and(|entry| entry.is_some())
}

fn commit<'r>(git: &'r Git, shown: &str, options: &Options, remote_names: bool) -> Result<gix::Commit<'r>, Failure> {
    let commit = revision::resolve(git, options.rev.as_deref(), shown, remote_names)?;
    match options.at {
        Some(date) => revision::at(commit, date, shown),
        None => Ok(commit),
    }
}

fn short(commit: &gix::Commit<'_>) -> String {
    commit.id.to_hex_with_len(12).to_string()
}

fn about(location: &str, commit: &gix::Commit<'_>) -> Repository {
    let subject = commit.message().ok().map(|message| message.summary().to_string());
    Repository {
        location: without_credentials(location),
        commit: Some(commit.id.to_string()),
        subject,
        time: commit.time().ok().map(|time| time.seconds),
        dirty: false,
    }
}

/// Everything in a commit's tree.
fn listing(commit: &gix::Commit<'_>, shown: &str) -> Result<BTreeMap<String, Raw>, Failure> {
    let failed = || {
        Failure::new(
            Kind::Input,
            format!("{shown} could not be read at commit {}", short(commit)),
        )
    };
    let broken = |cause: gix::Error| {
        let partial = "the clone may be partial or damaged: `git fsck` tells, a fresh clone helps";
        failed().because(cause).hint(partial)
    };
    let tree = commit.tree().map_err(broken)?;
    let entries = tree.traverse().breadthfirst.files().map_err(broken)?;
    let mut raw = BTreeMap::new();
    for entry in entries {
        let kind = match entry.mode.kind() {
            gix::object::tree::EntryKind::Tree => continue,
            gix::object::tree::EntryKind::Commit => Raw::Submodule,
            gix::object::tree::EntryKind::Link => {
                let blob = commit.repo.find_blob(entry.oid).map_err(broken)?;
                Raw::Link(String::from_utf8_lossy(&blob.data).into_owned())
            }
            _ => Raw::Blob(entry.oid),
        };
        raw.insert(entry.filepath.to_string(), kind);
    }
    if raw.is_empty() {
        return Err(failed()
            .because("the commit has no files")
            .hint("name a revision that has some with --rev"));
    }
    Ok(raw)
}

/// Files in the work tree or the index, `base` or below it, that are not as in `HEAD`; ignored ones do not count.
fn uncommitted(git: &Git, base: &str) -> Result<usize, gix::Error> {
    let status = git
        .status(gix::progress::Discard)?
        .untracked_files(gix::status::UntrackedFiles::Files)
        .index_worktree_rewrites(None)
        .index_worktree_submodules(None);
    let mut files = std::collections::BTreeSet::new();
    for item in status.into_iter(None)? {
        let item = item?;
        let path = item.location().to_string();
        if is_within(&path, base) {
            files.insert(path);
        }
    }
    Ok(files.len())
}
