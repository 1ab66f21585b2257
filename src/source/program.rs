//! The `git` program, as it is run for what only it can do.

use std::path::Path;
use std::time::Duration;

use super::Tree;
use super::tree::Store;
use crate::process::{BASIC_ENVIRONMENT, Tool};

/// How long one conversation with the remote may take.
const TIMEOUT: Duration = Duration::from_secs(180);
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

/// `git` in a folder, never asking, in a language whose words are known. `batch_ssh`: nothing configures how `ssh` is called.
pub(super) fn git(folder: &Path, batch_ssh: bool) -> Tool {
    let tool = Tool::new("git")
        .folder(folder)
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
    match batch_ssh && !own_ssh {
        true => tool.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        false => tool,
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

/// A user and a password or token. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user.
    pub user: String,
    /// The password or token.
    pub password: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

/// What Git's credential helpers have for an address, as they are configured for this repository (git-credential.1). `None` where
/// they have nothing, or there is no `git`.
pub fn credential(tree: &Tree, address: &str) -> Option<Credential> {
    let (folder, temporary);
    match tree.store() {
        Store::Git(git) => {
            let git = git.to_thread_local();
            folder = git.workdir().unwrap_or(git.path()).to_owned();
        }
        Store::Folder(_) => {
            temporary = tempfile::tempdir().ok()?;
            folder = temporary.path().to_owned();
        }
    }
    fill(&git(&folder, true), address)
}

fn fill(git: &Tool, address: &str) -> Option<Credential> {
    if address.chars().any(char::is_control) {
        return None;
    }
    let asked = git
        .clone()
        .args(["credential", "fill"])
        .input(format!("url={address}\n\n"));
    let ran = asked.run().ok().filter(|ran| ran.code == Some(0))?;
    let text = String::from_utf8(ran.stdout).ok()?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned()))
    };
    let password = value("password").filter(|password| !password.is_empty())?;
    Some(Credential {
        user: value("username").unwrap_or_default(),
        password,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_asked_and_people_are_not() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let config = folder.path().join("config");
        std::fs::write(&config, "[credential \"https://git.example.com\"]\n\thelper = \"!f() { echo username=bot; echo password=canary; }; f\"\n").expect("because the folder is ours");
        let git = Tool::new("git")
            .folder(folder.path())
            .inherit(["PATH"])
            .env("GIT_TERMINAL_PROMPT", "0");
        let git = git.env("GIT_CONFIG_GLOBAL", &config).env("GIT_CONFIG_NOSYSTEM", "1");
        let found = fill(&git, "https://git.example.com/org/repo.git").expect("because a helper has it");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("bot", "canary"));
        assert!(!format!("{found:?}").contains("canary"));
        let inline = fill(&git, "https://me:inline@other.example.com/r").expect("because the address has it");
        assert_eq!((inline.user.as_str(), inline.password.as_str()), ("me", "inline"));
        assert_eq!(fill(&git, "https://other.example.com/r"), None);
        assert_eq!(fill(&git, "https://x\npassword=y"), None);
    }
}
