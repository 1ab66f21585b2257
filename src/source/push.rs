//! A branch sent to a remote, by the `git` program: it knows credential helpers, agents and proxies.
//!
//! Nothing is asked on the terminal. A branch of the remote is only replaced as long as it is what was looked at
//! (`--force-with-lease`), and only if it is of earlier exports of the same entry.

use std::path::PathBuf;

use gix::objs::Commit;
use gix::{ObjectId, Repository as Git};

use super::branch::{Was, Written, diverged, foreign, same};
use super::remote::describe;
use super::tree::Store;
use super::{Tree, program, without_credentials};
use crate::error::{Failure, Kind, printable};
use crate::process::{Output, Tool, ToolError};

mod causes;

use causes::CAUSES;

/// Most lines of a remote's words that are repeated.
const MOST_LINES: usize = 12;

/// A branch that arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where it went, as it may be shown.
    pub shown: String,
    /// What happened to the branch of the remote.
    pub was: Was,
    /// The id that the branch of the remote has now: the commit's, or that of one that says the same.
    pub commit: String,
    /// The remote's default branch, as far as it tells.
    pub default_branch: Option<String>,
}

/// The address that a branch of this repository is pushed to, with what stands in for others (`url.*.pushInsteadOf`). It may hold
/// credentials.
///
/// # Errors
/// No Git repository, no remote, or several and none is chosen.
pub fn push_address(tree: &Tree, branch: &str) -> Result<String, Failure> {
    let Store::Git(git) = tree.store() else {
        return Err(failed(branch).because(format!(
            "{} is no Git repository",
            printable(&tree.repository().location)
        )));
    };
    Ok(Remote::of(&git.to_thread_local(), branch)?.address)
}

/// Sends the branch to the remote that Git would send it to: `branch.<name>.pushRemote`, `remote.pushDefault`,
/// `branch.<name>.remote`, `origin`, or the only one.
///
/// # Errors
/// The remote has somebody's commits on this branch, or it is its default branch; the remote refuses it, cannot be reached, or does not
/// let the user write; the branch moved meanwhile. Nothing has changed there then.
pub fn push(tree: &Tree, written: &Written) -> Result<Pushed, Failure> {
    let branch = written.branch.as_str();
    let Store::Git(git) = tree.store() else {
        return Err(failed(branch).because(format!(
            "{} is no Git repository",
            printable(&tree.repository().location)
        )));
    };
    let git = git.to_thread_local();
    let unread = |cause: gix::Error| failed(branch).because(describe(&cause));
    let remote = Remote::of(&git, branch)?;
    let there = remote.look(branch)?;
    if there.default_branch.as_deref() == Some(branch) {
        return Err(failed(branch)
            .because(format!("it is the default branch of {}", remote.shown()))
            .hint("name a branch that nobody works on: refloat puts its own commits there"));
    }
    let new = ObjectId::from_hex(written.commit.as_bytes()).map_err(|cause| failed(branch).because(cause))?;
    let done = |was, commit: ObjectId| Pushed {
        shown: remote.shown(),
        was,
        commit: commit.to_string(),
        default_branch: there.default_branch.clone(),
    };
    let Some(old) = there.commit else {
        remote.send(branch, new, None)?;
        return Ok(done(Was::Created, new));
    };
    remote.have(&git, branch, old)?;
    let commit = git.find_commit(new).map_err(unread)?;
    let made: Commit = commit
        .decode()
        .and_then(gix::objs::CommitRef::into_owned)
        .map_err(unread)?;
    if same(&git, old, &made).map_err(unread)? {
        return Ok(done(Was::Unchanged, old));
    }
    let parent = made.parents.first().copied().unwrap_or(new);
    if let Some(foreign) = foreign(&git, old, parent, branch, &written.entry).map_err(unread)? {
        return Err(diverged(
            failed(branch),
            &format!("{branch} of {}", remote.shown()),
            &foreign,
        ));
    }
    remote.send(branch, new, Some(old))?;
    Ok(done(Was::Updated { from: old.to_string() }, new))
}

/// The commit that a branch of the remote is at, brought here.
pub(super) fn there(git: &Git, branch: &str) -> Option<ObjectId> {
    let remote = Remote::of(git, branch).ok()?;
    let commit = remote.look(branch).ok()?.commit?;
    remote.have(git, branch, commit).ok()?;
    Some(commit)
}

fn failed(branch: &str) -> Failure {
    Failure::new(Kind::Io, format!("{} was not pushed", printable(branch)))
}

/// Where a branch goes.
struct Remote {
    /// A configured name, or an address.
    name: String,
    address: String,
    folder: PathBuf,
    batch_ssh: bool,
}

/// What a remote has.
struct There {
    default_branch: Option<String>,
    commit: Option<ObjectId>,
}

impl Remote {
    fn of(git: &Git, branch: &str) -> Result<Self, Failure> {
        let config = git.config_snapshot();
        let text = |key: &str| config.string(key).map(|value| value.to_string());
        let names: Vec<String> = git.remote_names().iter().map(ToString::to_string).collect();
        let chosen = text(&format!("branch.{branch}.pushRemote"))
            .or_else(|| text("remote.pushDefault"))
            .or_else(|| text(&format!("branch.{branch}.remote")))
            .or_else(|| names.iter().find(|name| *name == "origin").cloned());
        let name = match (chosen, names.as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => only.clone(),
            (None, []) => {
                return Err(failed(branch)
                    .because("the repository has no remote")
                    .hint("`git remote add origin URL`"));
            }
            (None, _) => {
                let cause = format!("the repository has several remotes: {}", names.join(", "));
                return Err(failed(branch)
                    .because(cause)
                    .hint("`git config remote.pushDefault NAME` chooses one"));
            }
        };
        let found = git.find_remote(name.as_str()).ok();
        let url = found.and_then(|remote| Some(remote.url(gix::remote::Direction::Push)?.to_bstring().to_string()));
        let folder = git.workdir().unwrap_or(git.path());
        Ok(Self {
            address: url.unwrap_or_else(|| name.clone()),
            name,
            folder: folder.to_owned(),
            batch_ssh: text("core.sshCommand").is_none(),
        })
    }

    fn shown(&self) -> String {
        printable(&without_credentials(&self.address))
    }

    fn git(&self) -> Tool {
        program::git(&self.folder, self.batch_ssh)
    }

    /// The branch and the default branch of the remote.
    fn look(&self, branch: &str) -> Result<There, Failure> {
        let full = format!("refs/heads/{branch}");
        let ran = self.run(
            branch,
            &self
                .git()
                .args(["ls-remote", "--symref", "--", &self.name, "HEAD", &full]),
        )?;
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let mut there = There {
            default_branch: None,
            commit: None,
        };
        for (value, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            if let ("HEAD", Some(target)) = (name, value.strip_prefix("ref: refs/heads/")) {
                there.default_branch = Some(target.to_owned());
            }
            if name == full {
                there.commit = ObjectId::from_hex(value.as_bytes()).ok();
            }
        }
        Ok(there)
    }

    /// Brings the commits of the remote's branch here, where its last is not known yet; no name points to them.
    fn have(&self, git: &Git, branch: &str, commit: ObjectId) -> Result<(), Failure> {
        if git.has_object(commit) {
            return Ok(());
        }
        let mut tool = self
            .git()
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]);
        if git.is_shallow().unwrap_or(false) {
            tool = tool.arg("--depth=20");
        }
        let full = format!("refs/heads/{branch}");
        self.run(branch, &tool.args(["--refmap=", "--", &self.name, &full]))
            .map(|_| ())
    }

    /// Moves the remote's branch from one commit, or from none, to another.
    fn send(&self, branch: &str, new: ObjectId, old: Option<ObjectId>) -> Result<(), Failure> {
        let full = format!("refs/heads/{branch}");
        let old = old.map(|id| id.to_string()).unwrap_or_default();
        let lease = format!("--force-with-lease={full}:{old}");
        let what = format!("{new}:{full}");
        let tool = self.git().args([
            "push",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            &lease,
            "--",
            &self.name,
            &what,
        ]);
        self.run(branch, &tool).map(|_| ())
    }

    fn run(&self, branch: &str, tool: &Tool) -> Result<Output, Failure> {
        let ran = tool.run().map_err(|cause| {
            let failure = Failure::new(Kind::Tool, failed(branch).consequence).because(&cause);
            match cause {
                ToolError::NotFound { .. } => failure.hint("install git: only pushing needs it"),
                ToolError::TimedOut { .. } => failure.hint(
                    "check the network and the proxy, and that nothing has to be typed: `git push` by hand tells",
                ),
                _ => failure,
            }
        })?;
        match ran.code {
            Some(0) => Ok(ran),
            _ => Err(self.refused(branch, &ran)),
        }
    }

    /// What went wrong, from what `git` said.
    fn refused(&self, branch: &str, ran: &Output) -> Failure {
        let said = format!(
            "{}\n{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
        let said = said.replace(&self.address, &without_credentials(&self.address));
        let lower = said.to_lowercase();
        let row = CAUSES
            .iter()
            .find(|row| row.words.iter().any(|words| lower.contains(words)));
        let failure = failed(branch);
        let failure = match row {
            Some(row) => failure
                .because(format!("{}: {}", self.shown(), row.means))
                .hint(row.hint),
            None => failure
                .because(format!("{} could not be used", self.shown()))
                .hint("`git push` by hand may tell more"),
        };
        let telling = telling(&said);
        match telling.is_empty() {
            true => failure,
            false => failure.because(telling),
        }
    }
}

/// The lines that say something, without what could be a credential.
fn telling(said: &str) -> String {
    let noise = ["To ", "Done", "hint:", "error: failed to push some refs"];
    let lines = said.lines().map(str::trim).filter(|line| {
        let bare = line.trim_start_matches("remote:").trim();
        !bare.is_empty() && !noise.iter().any(|begin| line.starts_with(begin))
    });
    let mut lines: Vec<String> = lines
        .map(|line| without_users(&printable(line)).replace("\\t", " "))
        .collect();
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

/// A line without the users and passwords of addresses in it.
fn without_users(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let quote = |c: char| "'\"<>(),".contains(c);
        let address = word.trim_matches(quote);
        match address.contains("://") && address.contains('@') {
            true => word.replace(address, &without_credentials(address)),
            false => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
