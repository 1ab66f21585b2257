//! A commit on a branch, written into the object database: work tree and index stay as they are.

use std::collections::BTreeSet;

use gix::objs::Commit;
use gix::refs::transaction::{Change as RefChange, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};
use gix::{ObjectId, Repository as Git};

use super::Tree;
use super::change::{Change, Files, changes, commit_of};
use super::identity::person;
use super::remote::describe;
use super::sign::sign;
use super::tree::Store;
use crate::error::{Failure, Kind, printable};

/// The trailer that tells commits of refloat from those of people; its value is the entry that was exported.
pub(super) const TRAILER: &str = "Refloat-Export";

/// A commit that is to be.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// The branch's name, without `refs/heads/`.
    pub branch: &'a str,
    /// What changes in the tree that was read.
    pub files: &'a Files,
    /// Subject, an empty line, body. Trailers are added.
    pub message: &'a str,
    /// What was exported. Commits of the same entry are replaced by a later run, others never.
    pub entry: &'a str,
    /// Add a `Signed-off-by`. `format.signOff` does so too.
    pub sign_off: bool,
}

/// A commit that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its full id.
    pub commit: String,
    /// The branch's name, without `refs/heads/`.
    pub branch: String,
    /// What happened to the branch.
    pub was: Was,
    pub(super) entry: String,
}

/// What happened to a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Was {
    /// There was none.
    Created,
    /// The commits of an earlier run were replaced.
    Updated {
        /// The id of the commit that it was at.
        from: String,
    },
    /// It had this commit already: same files, same parent, same message.
    Unchanged,
}

/// Writes one commit on top of the commit that the tree was read at, and puts a branch there. Author, committer, sign-off and signature
/// are those of Git's configuration; hooks are not run. `None`, and nothing is written, when no file changes.
///
/// A branch that is there is replaced if it is of earlier exports of the same entry, and nobody else's commits would be lost.
///
/// # Errors
/// The tree is not of Git; the branch is one that people work on, or has commits of theirs; there is no author; the repository cannot
/// be written to. Nothing happened then.
pub fn commit(tree: &Tree, draft: &Draft<'_>) -> Result<Option<Written>, Failure> {
    let Store::Git(git) = tree.store() else {
        return Err(failed(draft.branch)
            .because(format!(
                "{} is no Git repository",
                printable(&tree.repository().location)
            ))
            .hint("ask for a patch or for files instead"));
    };
    let git = &git.to_thread_local();
    let unread = |cause: gix::Error| failed(draft.branch).because(describe(&cause));
    let name = branch_name(git, draft.branch)?;
    let changes = changes(tree, draft.files)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let parent = commit_of(tree.repository(), git).map_err(unread)?;
    let before = existing(git, &name, parent.id, draft)?;
    let made = make(git, &parent, &changes, draft)?;
    let done = |id: ObjectId, was: Was| Written {
        commit: id.to_string(),
        branch: draft.branch.to_owned(),
        was,
        entry: draft.entry.to_owned(),
    };
    if let Some(before) = before
        && same(git, before, &made).map_err(unread)?
    {
        return Ok(Some(done(before, Was::Unchanged)));
    }
    let id = write(git, &name, made, before).map_err(|failure| match failure {
        Unwritten::Sign(failure) => failure,
        Unwritten::Git(cause) => failed(draft.branch)
            .because(describe(&cause))
            .hint("see that the repository's folder can be written to, and that no other branch has a part of this one's name as its own"),
    })?;
    let was = before.map_or(Was::Created, |before| Was::Updated {
        from: before.to_string(),
    });
    Ok(Some(done(id, was)))
}

fn failed(branch: &str) -> Failure {
    Failure::new(Kind::Input, format!("nothing was committed on {}", printable(branch)))
}

/// The full name of a branch that may be written to.
fn branch_name(git: &Git, branch: &str) -> Result<FullName, Failure> {
    let full = format!("refs/heads/{branch}");
    let valid = gix::validate::reference::branch_name(full.as_str().into()).is_ok() && !branch.starts_with('-');
    let name = FullName::try_from(full).ok().filter(|_| valid);
    let name = name.ok_or_else(|| {
        failed(branch)
            .because("it is no name for a branch")
            .hint("`git help check-ref-format` has the rules")
    })?;
    match protected(git, branch) {
        None => Ok(name),
        Some(why) => Err(failed(branch)
            .because(why)
            .hint("name a branch that nobody works on: refloat puts its own commits there")),
    }
}

/// Why a branch is not written to, whatever is on it.
fn protected(git: &Git, branch: &str) -> Option<String> {
    let is = |name: &FullName| name.shorten() == branch;
    for repository in git.worktrees_including_main().into_iter().flatten().flatten() {
        if repository.head_name().is_ok_and(|head| head.as_ref().is_some_and(is)) {
            return Some(match repository.workdir() {
                Some(work) => format!("it is checked out in {}", printable(&work.display().to_string())),
                None => "it is the default branch".to_owned(),
            });
        }
    }
    let of_remotes = git.remote_names().iter().any(|remote| {
        let head = git.find_reference(&format!("refs/remotes/{remote}/HEAD")).ok();
        let target = head.and_then(|head| head.target().try_name().map(|name| name.as_bstr().to_string()));
        target.is_some_and(|target| target == format!("refs/remotes/{remote}/{branch}"))
    });
    let configured = git
        .config_snapshot()
        .string("init.defaultBranch")
        .is_some_and(|name| name == branch);
    let usual = ["main", "master"].contains(&branch);
    (of_remotes || configured || usual).then(|| "it is the default branch, or named like one".to_owned())
}

/// Where the branch is, here or as it was last seen in a remote. Refused if it has commits that would be lost.
fn existing(git: &Git, name: &FullName, parent: ObjectId, draft: &Draft<'_>) -> Result<Option<ObjectId>, Failure> {
    let unread = |cause: gix::Error| failed(draft.branch).because(describe(&cause));
    let mut at = None;
    for full in sightings(git, draft.branch) {
        let Some(mut reference) = git.try_find_reference(full.as_str()).map_err(unread)? else {
            continue;
        };
        let tip = reference.peel_to_id().map_err(unread)?.detach();
        if let Some(foreign) = foreign(git, tip, parent, draft.branch, draft.entry).map_err(unread)? {
            let seen = full
                .strip_prefix("refs/heads/")
                .or(full.strip_prefix("refs/remotes/"))
                .unwrap_or(&full);
            return Err(diverged(failed(draft.branch), seen, &foreign));
        }
        if full.as_bytes() == name.as_bstr().to_vec() {
            at = Some(tip);
        }
    }
    Ok(at)
}

/// Names under which a branch may be known.
pub(super) fn sightings(git: &Git, branch: &str) -> Vec<String> {
    let remotes = git.remote_names();
    let of_remotes = remotes.iter().map(|remote| format!("refs/remotes/{remote}/{branch}"));
    std::iter::once(format!("refs/heads/{branch}"))
        .chain(of_remotes)
        .collect()
}

/// Says that a branch has a commit of somebody's, and what to do.
pub(super) fn diverged(failure: Failure, seen: &str, foreign: &str) -> Failure {
    failure
        .because(format!("{} has commits that are not of this export, and they would be lost: {foreign}", printable(seen)))
        .hint("merge them or name another branch; if nobody needs them, delete the branch (`git fetch --prune` forgets one that is gone from the remote)")
}

/// A commit of the branch that is not of an earlier export of this entry, and that nothing else keeps: its id and subject. The
/// newest one counts in any case: a branch that stands at a commit of somebody's is somebody's, if only to deploy from.
pub(super) fn foreign(
    git: &Git,
    tip: ObjectId,
    parent: ObjectId,
    branch: &str,
    entry: &str,
) -> Result<Option<String>, gix::Error> {
    let shallow = git.is_shallow()?;
    let own = sightings(git, branch);
    let mut kept = vec![parent];
    for reference in git.references()?.all()?.filter_map(Result::ok) {
        let name = reference.name().as_bstr().to_string();
        if !own.contains(&name)
            && name.starts_with("refs/")
            && let Ok(id) = reference.into_fully_peeled_id()
            && id
                .header()
                .is_ok_and(|header| header.kind() == gix::object::Kind::Commit)
        {
            kept.push(id.detach());
        }
    }
    let (mut todo, mut seen) = (vec![tip], BTreeSet::new());
    while let Some(id) = todo.pop() {
        if !seen.insert(id) || (id != tip && kept.contains(&id)) {
            continue;
        }
        let commit = git.find_commit(id)?;
        let message = commit.message_raw()?.to_string();
        if is_of(&message, entry) {
            // It was put on a commit that was read from this repository. A shallow clone cannot tell how that is kept.
            if !shallow {
                todo.extend(commit.parent_ids().map(gix::Id::detach));
            }
        } else if id == tip
            || git
                .rev_walk([id])
                .with_hidden(kept.iter().copied())
                .all()?
                .next()
                .is_some()
        {
            let subject = message.lines().next().unwrap_or_default();
            return Ok(Some(format!("{} {}", id.to_hex_with_len(12), printable(subject))));
        }
    }
    Ok(None)
}

/// Whether a commit is of an export of this entry, by its trailers.
fn is_of(message: &str, entry: &str) -> bool {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().any(|line| line == trailer(entry))
}

fn trailer(entry: &str) -> String {
    let entry = printable(entry).replace('\n', " ");
    format!("{TRAILER}: {}", if entry.is_empty() { "." } else { &entry })
}

/// The message with its trailers.
fn message(draft: &Draft<'_>, sign_off: Option<String>) -> String {
    let text = draft.message.trim_end().replace("\r\n", "\n");
    let is_trailer = |line: &str| {
        let key = line.split_once(": ").map(|(key, _)| key);
        key.is_some_and(|key| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    };
    let has_trailers = text
        .rsplit_once("\n\n")
        .is_some_and(|(_, last)| last.lines().all(is_trailer));
    let gap = if has_trailers { "\n" } else { "\n\n" };
    let mut text = format!("{text}{gap}{}\n", trailer(draft.entry));
    if let Some(who) = sign_off {
        text += &format!("Signed-off-by: {who}\n");
    }
    text
}

/// The commit as a value; blobs and trees are written, and nothing points to them yet.
fn make(git: &Git, parent: &gix::Commit<'_>, changes: &[Change], draft: &Draft<'_>) -> Result<Commit, Failure> {
    let (author, committer) = (person(git, "author")?, person(git, "committer")?);
    let sign_off = draft.sign_off || git.config_snapshot().boolean("format.signOff") == Some(true);
    let message = message(draft, sign_off.then(|| committer.to_string()));
    let tree = tree(git, parent, changes).map_err(|cause| {
        let hint = "see that the repository's folder can be written to; a patch or files need no repository";
        failed(draft.branch).because(describe(&cause)).hint(hint)
    })?;
    let signature = |who: super::Author, date: &str| -> Result<gix::actor::Signature, Failure> {
        let now = gix::date::Time::now_local_or_utc();
        let time = match std::env::var(date) {
            Ok(text) => gix::date::parse(&text, Some(gix::date::Zoned::now()))
                .map_err(|cause| failed(draft.branch).because(format!("{date} is no date: {cause}")))?,
            Err(_) => now,
        };
        Ok(gix::actor::Signature {
            name: who.name.into(),
            email: who.email.into(),
            time,
        })
    };
    Ok(Commit {
        tree,
        parents: [parent.id].into_iter().collect(),
        author: signature(author, "GIT_AUTHOR_DATE")?,
        committer: signature(committer, "GIT_COMMITTER_DATE")?,
        encoding: None,
        message: message.into(),
        extra_headers: Vec::new(),
    })
}

fn tree(git: &Git, parent: &gix::Commit<'_>, changes: &[Change]) -> Result<ObjectId, gix::Error> {
    let tree = parent.tree()?;
    let mut editor = tree.edit()?;
    // What goes makes room for what comes: a folder where a file was.
    for change in changes.iter().filter(|change| change.after.is_none()) {
        editor.remove(change.path.as_str())?;
    }
    for change in changes {
        if let Some(content) = &change.after {
            let blob = git.write_blob(content)?;
            editor.upsert(change.path.as_str(), change.mode, blob)?;
        }
    }
    Ok(editor.write()?.detach())
}

/// Whether a commit says the same as one that is to be written, other than when and by whom.
pub(super) fn same(git: &Git, id: ObjectId, made: &Commit) -> Result<bool, gix::Error> {
    let commit = git.find_commit(id)?;
    let parents: Vec<ObjectId> = commit.parent_ids().map(gix::Id::detach).collect();
    let is_tree = commit.tree_id()?.detach() == made.tree;
    Ok(is_tree && parents.as_slice() == made.parents.as_slice() && commit.message_raw()? == made.message)
}

enum Unwritten {
    Sign(Failure),
    Git(gix::Error),
}

impl From<gix::Error> for Unwritten {
    fn from(cause: gix::Error) -> Self {
        Self::Git(cause)
    }
}

/// Writes the commit and moves the branch from where it was seen, if it is still there.
fn write(git: &Git, name: &FullName, mut made: Commit, before: Option<ObjectId>) -> Result<ObjectId, Unwritten> {
    sign(git, &mut made).map_err(Unwritten::Sign)?;
    let committer = made.committer.clone();
    let id = git.write_object(&made)?.detach();
    let edit = RefEdit {
        change: RefChange::Update {
            log: LogChange {
                mode: RefLog::AndReference,
                force_create_reflog: false,
                message: "refloat: export".into(),
            },
            expected: match before {
                Some(before) => PreviousValue::MustExistAndMatch(Target::Object(before)),
                None => PreviousValue::MustNotExist,
            },
            new: Target::Object(id),
        },
        name: name.clone(),
        deref: false,
    };
    let mut time = gix::date::parse::TimeBuf::default();
    git.edit_references_as([edit], Some(committer.to_ref(&mut time)))?;
    Ok(id)
}

#[cfg(test)]
pub(super) mod tests;
