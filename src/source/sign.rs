//! Signatures of commits, made by the program that Git's configuration names.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use gix::objs::Commit;
use gix::objs::WriteTo;
use gix::objs::signature::Format;

use super::remote::describe;
use crate::error::{Failure, Kind};
use crate::process::{BASIC_ENVIRONMENT, Output, Tool, ToolError};

/// How long a signature may take: somebody may have to touch a key, or to type a PIN into a window.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Where agents and keys are, and where they may ask.
const ENVIRONMENT: [&str; 9] = [
    "GNUPGHOME",
    "GPG_TTY",
    "GPG_AGENT_INFO",
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// Signs a commit where `commit.gpgSign` is set, as `gpg.format`, `user.signingKey`, `gpg.program`, `gpg.ssh.program` and
/// `gpg.ssh.defaultKeyCommand` say. Tells whether it did.
///
/// # Errors
/// It cannot be signed: it is not committed unsigned instead.
pub(super) fn sign(git: &gix::Repository, commit: &mut Commit) -> Result<bool, Failure> {
    let options = git
        .commit_signing_options_if_enabled()
        .map_err(|cause| failed().because(describe(&cause)))?;
    let Some(options) = options else {
        return Ok(false);
    };
    let mut payload = Vec::new();
    commit.write_to(&mut payload).map_err(|cause| failed().because(cause))?;
    let tool = || {
        Tool::new(&options.program)
            .inherit(BASIC_ENVIRONMENT)
            .inherit(ENVIRONMENT)
            .timeout(TIMEOUT)
    };
    let signature = match options.format {
        Format::OpenPgp | Format::X509 => {
            let tool = tool()
                .args(["--status-fd=2", "-bsau"])
                .arg(&options.signing_key)
                .input(payload);
            let ran = run(&tool)?;
            // It can end well without a signature.
            if !String::from_utf8_lossy(&ran.stderr)
                .lines()
                .any(|line| line.starts_with("[GNUPG:] SIG_CREATED "))
            {
                return Err(failed().because("the signing program made no signature"));
            }
            ran.stdout
        }
        Format::Ssh => ssh(tool(), &options.signing_key, &payload)?,
    };
    let text = String::from_utf8_lossy(&signature).replace("\r\n", "\n");
    commit.extra_headers.push(("gpgsig".into(), text.trim_end().into()));
    Ok(true)
}

/// `ssh-keygen -Y sign` signs a file, with a key in a file or one that the agent holds.
fn ssh(tool: Tool, key: &OsString, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let unwritten = |cause: std::io::Error| failed().because(cause);
    let folder = tempfile::tempdir().map_err(unwritten)?;
    let (commit, public) = (folder.path().join("commit"), folder.path().join("key.pub"));
    std::fs::write(&commit, payload).map_err(unwritten)?;
    let literal = key
        .to_str()
        .and_then(|key| key.strip_prefix("key::").or(key.starts_with("ssh-").then_some(key)));
    let key = match literal {
        Some(key) => {
            std::fs::write(&public, key).map_err(unwritten)?;
            public.as_os_str()
        }
        None => key,
    };
    let mut tool = tool.args(["-Y", "sign", "-n", "git", "-f"]).arg(key);
    if literal.is_some() {
        tool = tool.arg("-U");
    }
    // Without a window to ask in, a locked key is an error and not a question on the terminal.
    if std::env::var_os("SSH_ASKPASS").is_none() {
        tool = tool.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
    }
    run(&tool.arg(&commit))?;
    std::fs::read(Path::new(&commit).with_extension("sig")).map_err(unwritten)
}

fn run(tool: &Tool) -> Result<Output, Failure> {
    let ran = tool.run().map_err(|cause| {
        let failure = failed().because(&cause);
        match cause {
            ToolError::NotFound { .. } => {
                failure.hint("install it, or name another one with gpg.program or gpg.ssh.program")
            }
            _ => failure,
        }
    })?;
    if ran.code == Some(0) {
        return Ok(ran);
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let said: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("[GNUPG:]") && !line.is_empty())
        .collect();
    Err(failed().because(said.join("\n")))
}

fn failed() -> Failure {
    Failure::new(Kind::Tool, "nothing was committed: the commit could not be signed, and commit.gpgSign is set")
        .hint("load the key into its agent (`ssh-add`, or sign something with gpg), or run `git config commit.gpgSign false` in the clone")
}
