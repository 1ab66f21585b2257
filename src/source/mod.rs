//! A tree of files at a revision, wherever it comes from.
//!
//! A reference is a path to a clone (its root or a folder in it), a bare repository, a plain directory, one manifest file,
//! an archive (`.tar.zst`), or a Git URL (`https://`, `ssh://`, `git://`, `file://`, `user@host:path`). Of a Git repository the object database is
//! read: what lies uncommitted in the work tree does not count, and is only reported. Local repositories need no `git`
//! program.

mod beside;
mod branch;
mod change;
mod earlier;
mod folder;
mod git;
mod history;
mod identity;
mod links;
mod packed;
mod patch;
pub mod path;
mod program;
mod push;
mod remote;
mod revision;
mod sign;
mod tree;

#[cfg(test)]
pub(crate) mod example;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::archive;
use crate::error::{Failure, Kind, printable};

pub use beside::{Meant, tags};
pub use branch::{Draft, Was, Written, commit};
pub use change::Files;
pub use earlier::Earlier;
pub use history::{Beginning, FileChange, GitId, History, Reader, Revision, Unread, Walk};
pub use identity::{Author, author};
pub use patch::{PatchHead, diff, patch};
pub use program::{Credential, credential};
pub use push::{Pushed, push, push_address};
pub use revision::{parse_date, parse_since};
pub use tree::Tree;

/// Largest file that is read, in bytes. Generated files of tens of megabytes exist; they are no manifests.
pub const LARGEST_FILE: u64 = 32 << 20;

/// Which state of the source is meant.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Any revision that Git understands, other than by reflog; `None`: `HEAD`.
    pub rev: Option<String>,
    /// The last commit that is not newer than this, following first parents from `rev`.
    pub at: Option<Timestamp>,
    /// Where clones of remote repositories are kept; `None`: in a temporary folder, gone with the [`Tree`].
    pub cache: Option<PathBuf>,
    /// The history is wanted too: a remote repository is cloned with all of it, whatever the revision needs.
    pub history: bool,
}

/// Opens a tree at a revision.
///
/// The folder that the reference names inside a repository is [`Tree::base`].
///
/// # Errors
/// When there is no such place, it is no repository but a revision was asked for, the revision is unknown, there is no
/// commit, nothing was committed by the date, or a remote cannot be reached.
pub fn open(reference: &str, options: &Options) -> Result<Tree, Failure> {
    if let Some(spec) = &options.rev {
        revision::refuse_reflog(spec)?;
    }
    if let Some(path) = reference.strip_prefix("file://") {
        // `file://host/path` and `file:///path` alike name a path of this machine.
        let path = path.find('/').map_or(path, |slash| &path[slash..]);
        return open_path(reference, Path::new(path), options);
    }
    if is_remote(reference) {
        return remote::open(reference, options);
    }
    open_path(reference, Path::new(reference), options)
}

/// Whether a reference is a URL or `user@host:path`. As with Git, an existing path goes first.
pub fn is_remote(reference: &str) -> bool {
    if reference.contains("://") {
        return true;
    }
    let scp = reference
        .split_once(':')
        .is_some_and(|(host, path)| !host.is_empty() && !host.contains('/') && !path.is_empty());
    scp && !Path::new(reference).exists()
}

/// A text that changes whenever the revision may have come to mean another commit, without reading that. `None` where it always
/// means the same: a commit by its id, a date, files outside of Git as they were read.
///
/// # Errors
/// As for [`open`].
pub fn mark(reference: &str, options: &Options) -> Result<Option<String>, Failure> {
    if options.at.is_some() || options.rev.as_deref().is_some_and(revision::is_id) {
        return Ok(None);
    }
    let path = match reference.strip_prefix("file://") {
        Some(path) => path.find('/').map_or(path, |slash| &path[slash..]),
        None if is_remote(reference) => return remote::mark(reference, options.rev.as_deref()).map(Some),
        None => reference,
    };
    let folder = Path::new(path);
    if archive::is_packed(folder) {
        return Ok(None);
    }
    let folder = if folder.is_dir() {
        folder
    } else {
        folder.parent().unwrap_or(folder)
    };
    let Ok(repository) = gix::discover(folder) else {
        return Ok(None);
    };
    let shown = printable(&without_credentials(reference));
    let commit = revision::resolve(&repository, options.rev.as_deref(), &shown, false)?;
    Ok(Some(commit.id.to_string()))
}

fn open_path(location: &str, path: &Path, options: &Options) -> Result<Tree, Failure> {
    let shown = printable(location);
    let full = path.canonicalize().map_err(|cause| {
        let cause = match cause.kind() {
            std::io::ErrorKind::NotFound => "there is no such folder or file".to_owned(),
            _ => cause.to_string(),
        };
        let failure = Failure::new(Kind::Input, format!("nothing could be read from {shown}")).because(cause);
        failure.hint("give a folder, a clone, a bare repository or a Git URL")
    })?;
    if archive::is_packed(&full) {
        return match options.rev.is_some() || options.at.is_some() {
            true => Err(no_repository(&shown)),
            false => packed::open(location, &full),
        };
    }
    let folder = if full.is_dir() {
        &*full
    } else {
        full.parent().unwrap_or(&full)
    };
    let Ok(repository) = gix::discover(folder) else {
        if options.rev.is_some() || options.at.is_some() {
            return Err(no_repository(&shown));
        }
        return folder::open(location, &full);
    };
    git::open_local(location, repository, &full, options)
}

fn no_repository(shown: &str) -> Failure {
    Failure::new(Kind::Input, format!("no revision can be read from {shown}"))
        .because("it is not a Git repository, nor inside of one")
        .hint("leave out --rev and --at to read the files as they are")
}

/// A location as it may be shown and recorded: without user name and password, and without the query of a URL.
/// The user of an ssh address stays, since it is part of the address.
pub fn without_credentials(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else {
        return location.to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = match authority.rsplit_once('@') {
        None => authority.to_owned(),
        Some((user, host)) if scheme.ends_with("ssh") => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{name}@{host}")
        }
        Some((_, host)) => host.to_owned(),
    };
    format!("{scheme}://{host}{path}")
}

/// Whether two addresses are of one repository: host and path alike, whatever the scheme, the user, a port, and `.git` at the end.
pub fn same_repository(a: &str, b: &str) -> bool {
    let normal = |address: &str| {
        let (host, path) = match address.split_once("://") {
            Some((_, rest)) => rest.split_once('/')?,
            None => address.split_once(':')?,
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        Some((host.to_ascii_lowercase(), path.to_owned())).filter(|(_, path)| !path.is_empty())
    };
    match (normal(a), normal(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_repository() {
        let one = "https://github.com/org/repo";
        for same in [
            "https://github.com/org/repo.git",
            "ssh://git@github.com/org/repo",
            "ssh://git@GitHub.com:22/org/repo.git/",
            "git@github.com:org/repo.git",
            "https://token:x@github.com/org/repo?a=b",
        ] {
            assert!(same_repository(one, same), "{same}");
        }
        for other in [
            "https://github.com/org/other",
            "https://gitlab.com/org/repo",
            "org/repo",
            "/srv/org/repo",
        ] {
            assert!(!same_repository(one, other), "{other}");
        }
        assert!(same_repository("/srv/repo", "/srv/repo"));
    }

    #[test]
    fn urls_and_scp_addresses_are_remote() {
        for remote in [
            "https://example.com/a.git",
            "ssh://git@h/a",
            "git@host:org/repo",
            "host:repo",
        ] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in ["a/b", "/tmp/x", "./a:b/c", ".", "a", ":x"] {
            assert!(!is_remote(local), "{local}");
        }
    }

    #[test]
    fn credentials_are_cut() {
        for (given, shown) in [
            ("https://me:hunter2@host/org/repo.git", "https://host/org/repo.git"),
            ("https://token@host:8443/r?private_token=hunter2", "https://host:8443/r"),
            ("ssh://git:hunter2@host/r", "ssh://git@host/r"),
            ("git@host:org/repo", "git@host:org/repo"),
            ("https://host/a@b", "https://host/a@b"),
            ("./clone", "./clone"),
        ] {
            assert_eq!(without_credentials(given), shown);
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let failure = open("/no/such/place", &Options::default()).expect_err("because nothing is there");
        assert_eq!(
            failure.to_string(),
            "Error: nothing could be read from /no/such/place\n  because: there is no such folder or file\n  hint: give a folder, a clone, a bare repository or a Git URL"
        );
    }
}
