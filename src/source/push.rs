//! A branch sent to a remote, by the `git` program: it knows credential helpers, agents and proxies.
//!
//! Nothing is asked on the terminal. A branch of the remote is only replaced as long as it is what was looked at
//! (`--force-with-lease`), and only if it is of earlier exports of the same entry.

use std::path::PathBuf;
use std::time::Duration;

use gix::objs::Commit;
use gix::{ObjectId, Repository as Git};

use super::branch::{Was, Written, diverged, foreign, same};
use super::tree::Store;
use super::{Tree, without_credentials};
use crate::error::{Failure, Kind, printable};
use crate::process::{BASIC_ENVIRONMENT, Output, Tool, ToolError};

/// How long one conversation with the remote may take.
const TIMEOUT: Duration = Duration::from_secs(180);
/// Most lines of a remote's words that are repeated.
const MOST_LINES: usize = 12;

/// What `git`, `ssh` and credential helpers need to know who the user is (git.1 "Environment variables", git-credential-store,
/// Git Credential Manager, `gh auth git-credential`, `glab auth git-credential`).
const ENVIRONMENT: [&str; 33] = [
    "ALL_PROXY",
    "all_proxy",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GIT_ASKPASS",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "GIT_SSL_NO_VERIFY",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_PARAMETERS",
    "GIT_EXEC_PATH",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "GNUPGHOME",
    "KRB5CCNAME",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "GH_HOST",
    "GH_CONFIG_DIR",
    "GITLAB_TOKEN",
    "GITLAB_HOST",
    "GLAB_CONFIG_DIR",
    "GITEA_TOKEN",
];

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
    let unread = |cause: gix::Error| failed(branch).because(cause);
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
    if !git.has_object(old) {
        remote.fetch(branch, git.is_shallow().unwrap_or(false))?;
    }
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

    /// `git`, never asking, in a language whose words are known.
    fn git(&self) -> Tool {
        let tool = Tool::new("git")
            .folder(&self.folder)
            .inherit(BASIC_ENVIRONMENT)
            .inherit(ENVIRONMENT);
        let tool = tool
            .inherit(configured_in_environment())
            .env("LC_ALL", "C")
            .env("LANGUAGE", "C");
        let tool = tool
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GCM_INTERACTIVE", "never")
            .timeout(TIMEOUT);
        let own_ssh = ["GIT_SSH", "GIT_SSH_COMMAND"]
            .iter()
            .any(|name| std::env::var_os(name).is_some());
        match self.batch_ssh && !own_ssh {
            true => tool.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
            false => tool,
        }
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

    /// Brings the commits of the remote's branch here; no name points to them.
    fn fetch(&self, branch: &str, shallow: bool) -> Result<(), Failure> {
        let mut tool = self
            .git()
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]);
        if shallow {
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

/// Configuration can be given in the environment, one name a setting (git-config.1, `GIT_CONFIG_COUNT`).
fn configured_in_environment() -> Vec<String> {
    let count = std::env::var("GIT_CONFIG_COUNT")
        .ok()
        .and_then(|count| count.parse::<usize>().ok())
        .unwrap_or(0);
    let names = (0..count.min(1000)).flat_map(|at| [format!("GIT_CONFIG_KEY_{at}"), format!("GIT_CONFIG_VALUE_{at}")]);
    std::iter::once("GIT_CONFIG_COUNT".to_owned()).chain(names).collect()
}

/// What `git` says of a push that did not succeed.
struct Cause {
    /// In lower case; one of them is enough.
    words: &'static [&'static str],
    means: &'static str,
    hint: &'static str,
}

/// In this order: what a server says is found before what `git` adds to it. From transport.c (`print_one_push_status`), http.c, remote-curl.c,
/// connect.c, and what GitHub, GitLab and OpenSSH write.
const CAUSES: [Cause; 6] = [
    Cause {
        words: &[
            "(stale info)",
            "(fetch first)",
            "(non-fast-forward)",
            "(cannot lock ref",
            "reference already exists",
        ],
        means: "the branch was moved meanwhile",
        hint: "run it again: it looks at the branch anew",
    },
    Cause {
        words: &[
            "insufficient permission",
            "unpacker error",
            "read-only file system",
            "permission denied (publickey",
            "permission to ",
            "authentication failed",
            "could not read username",
            "could not read password",
            "terminal prompts disabled",
            "the requested url returned error: 401",
            "the requested url returned error: 403",
            "write access to repository not granted",
            "you are not allowed to push",
            "access denied",
            "unable to create temporary object directory",
            "permission denied",
            "service not enabled",
        ],
        means: "it does not let you write",
        hint: "check who you are for Git: a credential helper (`gh auth setup-git`, `git credential`), a key in the ssh agent, and the right to push",
    },
    Cause {
        words: &["[remote rejected]", "hook declined", "protected branch"],
        means: "it refuses the branch",
        hint: "a rule or a hook of the repository is against it: name another branch, or ask those who set it",
    },
    Cause {
        words: &[
            "repository not found",
            "does not appear to be a git repository",
            "the requested url returned error: 404",
            "does not exist",
            "not found",
        ],
        means: "there is no such repository, or you may not see it",
        hint: "check the remote's address (`git remote -v`) and your credentials",
    },
    Cause {
        words: &["host key verification failed"],
        means: "its host key is not known",
        hint: "connect once by hand (`git fetch`) and confirm the key",
    },
    Cause {
        words: &[
            "could not resolve host",
            "could not resolve hostname",
            "connection refused",
            "connection timed out",
            "network is unreachable",
            "no route to host",
            "failed to connect",
            "unable to connect",
            "couldn't connect",
            "connection reset",
            "ssl",
            "tls",
            "gnutls",
            "the requested url returned error: 5",
        ],
        means: "it could not be reached",
        hint: "check the network, the proxy and the remote's address (`git remote -v`)",
    },
];

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
