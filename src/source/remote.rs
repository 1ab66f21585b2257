//! A repository elsewhere: cloned bare, then read as a local one.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

use super::{Options, Tree, git, revision, without_credentials};
use crate::error::{Failure, Kind, printable};

/// Clones and opens. As little history as the revision needs is fetched.
pub(super) fn open(location: &str, options: &Options) -> Result<Tree, Failure> {
    if let Some(cache) = &options.cache {
        return open_cached(location, cache, options);
    }
    let folder = tempfile::Builder::new()
        .prefix("refloat-clone-")
        .tempdir()
        .map_err(|cause| no_room(location, &cause))?;
    let at = folder.path().join("bare");
    let repository = match shallow_name(options) {
        Some(name) => match clone(location, &at, Some(name)) {
            // The name may be a commit, or unknown: only all of the history can tell.
            Err(_) if name.is_some() => {
                let _ = std::fs::remove_dir_all(&at);
                clone(location, &at, None)
            }
            other => other,
        },
        None => clone(location, &at, None),
    };
    let repository = repository.map_err(|cause| unreachable(location, &cause))?;
    git::open_clone(location, repository, options, Some(folder))
}

/// The names of a remote that a revision may mean, each with what it points to: of a branch or tag that name, else all.
pub(super) fn mark(location: &str, rev: Option<&str>) -> Result<String, Failure> {
    let folder = tempfile::tempdir().map_err(|cause| no_room(location, &cause))?;
    let refs = refs(location, folder.path()).map_err(|cause| unreachable(location, &cause))?;
    let name = rev.unwrap_or("HEAD");
    let is_meant = |full: &str| full == name || full.strip_prefix("refs/").is_some_and(|rest| is_short(rest, name));
    let meant: Vec<&String> = refs
        .iter()
        .filter(|(full, _)| is_meant(full))
        .map(|(_, line)| line)
        .collect();
    let lines = match meant.is_empty() {
        true => refs.iter().map(|(_, line)| line).collect(),
        false => meant,
    };
    Ok(lines.into_iter().fold(String::new(), |text, line| text + line + "\n"))
}

/// Names of all tags.
pub(super) fn tags(location: &str) -> Result<Vec<String>, Failure> {
    let folder = tempfile::tempdir().map_err(|cause| no_room(location, &cause))?;
    let refs = refs(location, folder.path()).map_err(|cause| unreachable(location, &cause))?;
    let tags = refs.iter().filter_map(|(name, _)| name.strip_prefix("refs/tags/"));
    Ok(tags.map(str::to_owned).collect())
}

/// Whether `heads/main` or `tags/v1` has this short name.
fn is_short(rest: &str, name: &str) -> bool {
    ["heads/", "tags/"]
        .iter()
        .any(|folder| rest.strip_prefix(folder) == Some(name))
}

/// All branches and tags of a remote and its HEAD: name, and a line with the id too.
fn refs(location: &str, empty: &Path) -> Result<Vec<(String, String)>, String> {
    let repository = gix::init_bare(empty).map_err(|e| describe(&e))?;
    let remote = repository.remote_at(location).map_err(|e| describe(&e))?;
    let specs = ["HEAD", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    let remote = remote
        .with_refspecs(specs, gix::remote::Direction::Fetch)
        .map_err(|e| describe(&e))?;
    let connection = remote
        .connect(gix::remote::Direction::Fetch)
        .map_err(|e| describe(&e))?;
    let (map, _) = connection
        .ref_map(gix::progress::Discard, gix::remote::ref_map::Options::default())
        .map_err(|e| describe(&e))?;
    let mut refs: Vec<(String, String)> = Vec::new();
    for one in &map.remote_refs {
        let (name, id, peeled) = one.unpack();
        if let Some(id) = peeled.or(id) {
            refs.push((name.to_string(), format!("{id} {name}")));
        }
    }
    refs.sort();
    refs.dedup();
    Ok(refs)
}

/// `Some(name)`: one commit of that branch or tag (of `HEAD` for `Some(None)`) is enough.
#[allow(clippy::option_option, reason = "the outer one is whether, the inner one is which")]
fn shallow_name(options: &Options) -> Option<Option<&str>> {
    if options.at.is_some() || options.history {
        return None;
    }
    let Some(spec) = options.rev.as_deref() else {
        return Some(None);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_plain = spec.chars().all(plain) && !spec.contains("..");
    (spec != "HEAD" && is_plain && !revision::is_id(spec)).then_some(Some(spec))
}

/// A bare clone: of one commit where `name` is given, else with all history.
#[allow(clippy::option_option, reason = "as in shallow_name")]
fn clone(location: &str, at: &Path, name: Option<Option<&str>>) -> Result<gix::Repository, String> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let mut prepared = gix::prepare_clone_bare(location, at).map_err(|e| describe(&e))?;
    if let Some(name) = name {
        prepared = prepared
            .with_shallow(gix::remote::fetch::Shallow::DepthAtRemote(NonZeroU32::MIN))
            .with_ref_name(name)
            .map_err(|e| describe(&e))?;
    }
    let (repository, _) = prepared
        .fetch_only(gix::progress::Discard, &NEVER)
        .map_err(|e| describe(&e))?;
    Ok(repository)
}

/// Clones into the cache on the first time, fetches on later ones.
fn open_cached(location: &str, cache: &Path, options: &Options) -> Result<Tree, Failure> {
    std::fs::create_dir_all(cache).map_err(|cause| no_room(location, &cause))?;
    let kept = cache.join(folder_name(location));
    if !kept.is_dir() {
        // Cloned beside and moved into place, so that a half-made clone is never taken.
        let fresh = tempfile::Builder::new()
            .prefix(".clone-")
            .tempdir_in(cache)
            .map_err(|cause| no_room(location, &cause))?;
        let at = fresh.path().join("bare");
        clone(location, &at, None).map_err(|cause| unreachable(location, &cause))?;
        if let Err(cause) = std::fs::rename(&at, &kept)
            && !kept.is_dir()
        {
            return Err(no_room(location, &cause));
        }
        return git::open_clone(location, reopen(location, &kept)?, options, None);
    }
    let repository = reopen(location, &kept)?;
    fetch(&repository).map_err(|cause| {
        unreachable(location, &cause).hint(format!("what was cloned last is in {}: give that path", kept.display()))
    })?;
    git::open_clone(location, reopen(location, &kept)?, options, None)
}

fn reopen(location: &str, kept: &Path) -> Result<gix::Repository, Failure> {
    gix::open(kept).map_err(|cause| {
        unreachable(location, &describe(&cause)).hint(format!("remove {} and try again", kept.display()))
    })
}

/// Brings all branches and tags to where the remote's are. Names that the remote no longer has stay.
fn fetch(repository: &gix::Repository) -> Result<(), String> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    let remote = repository.find_remote("origin").map_err(|e| describe(&e))?;
    let remote = remote
        .with_refspecs(specs, gix::remote::Direction::Fetch)
        .map_err(|e| describe(&e))?;
    let connection = remote
        .connect(gix::remote::Direction::Fetch)
        .map_err(|e| describe(&e))?;
    connection
        .prepare_fetch(gix::progress::Discard, gix::remote::ref_map::Options::default())
        .and_then(|fetch| fetch.receive(gix::progress::Discard, &NEVER))
        .map_err(|e| describe(&e))?;
    Ok(())
}

/// A name for a URL in the cache; the URL may hold credentials, so it is not spelt out.
fn folder_name(location: &str) -> PathBuf {
    let sum = Sha256::digest(without_credentials(location).as_bytes());
    let short: String = sum.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    PathBuf::from(format!("{short}.git"))
}

/// An error with all that is behind it, in one line. Where the network itself failed, only how: what went through which
/// layer helps nobody.
pub(super) fn describe(error: &gix::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    let text = text.replace('\n', " ");
    match text.split_once("client error (Connect): ") {
        Some((_, cause)) => format!("no connection: {}", cause.trim_start_matches("tcp connect error: ")),
        None => text,
    }
}

fn unreachable(location: &str, cause: &str) -> Failure {
    let public = without_credentials(location);
    let cause = cause.replace(location, &public);
    Failure::new(Kind::Io, format!("{} could not be cloned", printable(&public)))
        .because(cause)
        .hint("check the address, the network and your credentials; a path to a clone needs none of them")
}

fn no_room(location: &str, cause: &std::io::Error) -> Failure {
    let public = without_credentials(location);
    Failure::new(Kind::Io, format!("{} could not be cloned", printable(&public)))
        .because(cause)
        .hint("make room in the folder for temporary files, or name another place for clones")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_commit_is_enough_for_names() {
        let with = |rev: Option<&str>| Options {
            rev: rev.map(str::to_owned),
            ..Options::default()
        };
        assert_eq!(shallow_name(&with(None)), Some(None));
        assert_eq!(shallow_name(&with(Some("release/1.2"))), Some(Some("release/1.2")));
        for spec in ["main~2", "HEAD", "d06a73b1a49d", "a..b", ":/fix"] {
            assert_eq!(shallow_name(&with(Some(spec))), None, "{spec}");
        }
    }

    #[test]
    fn the_cache_does_not_tell_credentials() {
        let with = folder_name("https://me:hunter2@host/r.git");
        assert_eq!(with, folder_name("https://host/r.git"));
        assert_ne!(with, folder_name("https://host/q.git"));
    }
}
