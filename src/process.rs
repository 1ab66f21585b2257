//! The only place that starts child processes.
//!
//! A child inherits nothing: not the environment (only names that the caller lists), not stdin. Each runs in a process
//! group of its own, so that a timeout ends everything it started, and a Ctrl-C on the terminal reaches refloat alone.
//! Values of Secrets are never passed here: the environment and the arguments of a process are public to its user. The one exception is
//! the environment of `sops`, which can have keys of age, and what it signs in with at services, in no other way but from a disk.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

/// What nearly every program needs from the environment to work at all: where programs, home and temporary files are,
/// the language of messages, and the certificates and proxies of the network.
pub const BASIC_ENVIRONMENT: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// A program to run, and how.
///
/// Its `Debug` form shows no environment values.
#[derive(Clone)]
pub struct Tool {
    program: PathBuf,
    args: Vec<OsString>,
    folder: Option<PathBuf>,
    environment: BTreeMap<OsString, OsString>,
    input: Zeroizing<Vec<u8>>,
    timeout: Option<Duration>,
    limit: usize,
}

/// What a program that ran to its end left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All it wrote to stdout.
    pub stdout: Vec<u8>,
    /// All it wrote to stderr.
    pub stderr: Vec<u8>,
}

/// Why a program did not run to its end. An exit code other than 0 is no error here: it is in [`Output::code`].
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no such program; the caller knows what to install.
    #[error("{program} was not found")]
    NotFound {
        /// The program's name as it was asked for.
        program: String,
    },
    /// The operating system refused to start it.
    #[error("{program} could not be started: {source}")]
    Start {
        /// The program's name as it was asked for.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// It did not end in time, and was ended with everything it had started.
    #[error("{program} did not finish within {} s", after.as_secs_f64())]
    TimedOut {
        /// The program's name as it was asked for.
        program: String,
        /// How long it was given.
        after: Duration,
    },
    /// It wrote more than it may, and was ended.
    #[error("{program} wrote more than {limit} bytes")]
    TooMuch {
        /// The program's name as it was asked for.
        program: String,
        /// How many bytes it may write to stdout, and again to stderr.
        limit: usize,
    },
    /// Reading from it or waiting for it failed.
    #[error("talking to {program} failed: {source}")]
    Talk {
        /// The program's name as it was asked for.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Tool {
    /// A program by path, or by name to be found on `PATH`. No arguments, an empty environment, no stdin, no timeout,
    /// at most 256 MiB of output.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Tool {
            program: program.into(),
            args: Vec::new(),
            folder: None,
            environment: BTreeMap::new(),
            input: Zeroizing::default(),
            timeout: None,
            limit: 256 << 20,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The folder it starts in; without it, refloat's own.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Passes on those of the named environment variables that refloat itself has.
    #[must_use]
    pub fn inherit<N: AsRef<OsStr>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        for name in names {
            if let Some(value) = std::env::var_os(name.as_ref()) {
                self.environment.insert(name.as_ref().to_owned(), value);
            }
        }
        self
    }

    /// What it reads from stdin; without it, stdin is empty. It is wiped with the [`Tool`].
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Zeroizing::new(input.into());
        self
    }

    /// How long it may take before it is ended.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many bytes it may write to stdout, and again to stderr, before it is ended.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Runs it to its end, blocking this thread. May be called from any thread, one of an async runtime included.
    pub fn run(&self) -> Result<Output, ToolError> {
        // A thread of its own, because a runtime cannot be entered from a thread that already drives one.
        let ran = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    match runtime {
                        Ok(runtime) => runtime.block_on(self.run_async()),
                        Err(source) => Err(ToolError::Start {
                            program: self.name(),
                            source,
                        }),
                    }
                })
                .join()
        });
        ran.unwrap_or_else(|_| {
            Err(ToolError::Talk {
                program: self.name(),
                source: io::Error::other("its thread ended"),
            })
        })
    }

    /// Runs it to its end. When the future is dropped, the program and everything it started is ended.
    pub async fn run_async(&self) -> Result<Output, ToolError> {
        let mut command = self.command();
        command.process_group(0);
        command.stdin(if self.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| self.not_started(source))?;
        let group = Group::of(&child);
        let (input, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut pipe) = input {
                // A program need not read its input to the end.
                let _ = pipe.write_all(&self.input).await;
            }
            Ok(())
        };
        let all = async { tokio::try_join!(write, self.read(stdout), self.read(stderr)) };
        let ran = async {
            let ((), stdout, stderr) = all.await?;
            let status = child.wait().await.map_err(|source| self.talk(source))?;
            Ok(Output {
                code: status.code(),
                stdout,
                stderr,
            })
        };
        let ran = match self.timeout {
            None => ran.await,
            Some(after) => tokio::time::timeout(after, ran).await.unwrap_or_else(|_| {
                Err(ToolError::TimedOut {
                    program: self.name(),
                    after,
                })
            }),
        };
        if ran.is_ok() {
            // Its leader has ended by itself.
            group.take();
        }
        ran
    }

    /// Starts it in a process group of its own and comes back at once: stdin and stdout are pipes held by the caller,
    /// stderr goes to `log`. What it started outlives refloat unless [`Running::kill_group`] is called.
    pub fn spawn_in_group(&self, log: File) -> Result<Running, ToolError> {
        let mut command = self.command();
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        self.start(command, true)
    }

    /// Starts it in this process's own group and comes back at once: no stdin, stdout and stderr go to `log`. It is
    /// killed when the [`Running`] is dropped.
    pub fn spawn_logged(&self, log: File) -> Result<Running, ToolError> {
        let both = log.try_clone().map_err(|source| self.not_started(source))?;
        let mut command = self.command();
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(both).stderr(log);
        self.start(command, false)
    }

    fn start(&self, mut command: tokio::process::Command, leads: bool) -> Result<Running, ToolError> {
        let child = command.spawn().map_err(|source| self.not_started(source))?;
        let group = Group::of(&child).take().filter(|_| leads);
        Ok(Running { child, group })
    }

    fn command(&self) -> tokio::process::Command {
        #[allow(clippy::disallowed_methods, reason = "this is that place")]
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.args).env_clear().envs(&self.environment);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Reads a pipe to its end, but not more than the limit.
    async fn read(&self, pipe: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, ToolError> {
        let mut bytes = Vec::new();
        let Some(pipe) = pipe else { return Ok(bytes) };
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX - 1);
        pipe.take(limit + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(|source| self.talk(source))?;
        if bytes.len() > self.limit {
            return Err(ToolError::TooMuch {
                program: self.name(),
                limit: self.limit,
            });
        }
        Ok(bytes)
    }

    fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    fn not_started(&self, source: io::Error) -> ToolError {
        let program = self.name();
        // "Not found" is said of a missing working folder too; that one is not to be answered with "install it".
        let folder_there = self.folder.as_ref().is_none_or(|folder| folder.is_dir());
        if source.kind() == io::ErrorKind::NotFound && folder_there {
            return ToolError::NotFound { program };
        }
        ToolError::Start { program, source }
    }

    fn talk(&self, source: io::Error) -> ToolError {
        ToolError::Talk {
            program: self.name(),
            source,
        }
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.keys().collect();
        f.debug_struct("Tool")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("folder", &self.folder)
            .field("environment", &names)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A renderer's output may hold Secrets.
        f.debug_struct("Output")
            .field("code", &self.code)
            .field("stdout", &format_args!("{} bytes", self.stdout.len()))
            .field("stderr", &format_args!("{} bytes", self.stderr.len()))
            .finish()
    }
}

/// A process that goes on running beside this one.
#[derive(Debug)]
pub struct Running {
    child: tokio::process::Child,
    /// The group that it leads, if it was given one.
    group: Option<Pid>,
}

impl Running {
    /// Its process id; `None` once it has ended and was waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The pipe to its stdin, once.
    pub fn take_stdin(&mut self) -> Option<tokio::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// The pipe from its stdout, once.
    pub fn take_stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until it ends; the text says how it did.
    pub async fn wait(&mut self) -> io::Result<std::process::ExitStatus> {
        self.child.wait().await
    }

    /// Kills it and waits until it is gone.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Kills the process group that it leads, which is whatever it started and did not move elsewhere; also when it has
    /// ended itself. Does nothing for one that was started in this process's group.
    pub fn kill_group(&self) {
        drop(Group(self.group));
    }
}

/// A process group that is killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Group {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Leaves it alone from now on.
    fn take(mut self) -> Option<Pid> {
        self.0.take()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It may be gone already, which is what is wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// The program of that name on `PATH`, or the path itself when `name` has a slash; `None` when nothing executable is
/// there.
#[must_use]
pub fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    which_in(name, &path)
}

/// The program of that name in a list of folders written as `PATH` is.
#[must_use]
pub fn which_in(name: &str, path: &OsStr) -> Option<PathBuf> {
    let executable = |file: &Path| {
        std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|file| executable(file));
    }
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| executable(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Tool {
        Tool::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn a_child_inherits_no_environment() {
        let ran = shell("env").env("GIVEN", "1").run().expect("sh is everywhere");
        let text = String::from_utf8(ran.stdout).expect("env prints text");
        let ours: Vec<&str> = text
            .lines()
            .filter(|line| !["PWD", "SHLVL", "_", "OLDPWD"].contains(&line.split('=').next().unwrap_or("")))
            .collect();
        assert_eq!(ours, ["GIVEN=1"]);
    }

    #[test]
    fn listed_names_are_passed_on() {
        let ran = shell("echo $PATH")
            .inherit(["PATH", "NOT_SET_ANYWHERE"])
            .run()
            .expect("sh is everywhere");
        let path = std::env::var("PATH").expect("cargo sets PATH");
        assert_eq!(String::from_utf8_lossy(&ran.stdout).trim_end(), path);
    }

    #[test]
    fn exit_code_and_both_streams_come_back() {
        let ran = shell("cat; echo bad >&2; exit 7")
            .input("good")
            .run()
            .expect("sh is everywhere");
        assert_eq!(
            (ran.code, ran.stdout.as_slice(), ran.stderr.as_slice()),
            (Some(7), &b"good"[..], &b"bad\n"[..])
        );
    }

    #[test]
    fn a_missing_program_is_told_from_a_missing_folder() {
        let missing = Tool::new("no-such-program-anywhere")
            .run()
            .expect_err("it does not exist");
        assert!(matches!(missing, ToolError::NotFound { .. }), "{missing}");
        let folder = shell("true")
            .folder("/no/such/folder")
            .run()
            .expect_err("the folder does not exist");
        assert!(matches!(folder, ToolError::Start { .. }), "{folder}");
    }

    #[test]
    fn a_timeout_ends_grandchildren_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = shell("(sleep 1; echo > outlived) & sleep 60")
            .env("PATH", "/bin:/usr/bin")
            .folder(folder.path())
            .timeout(Duration::from_millis(200))
            .run()
            .expect_err("it sleeps");
        assert_eq!(error.to_string(), "/bin/sh did not finish within 0.2 s");
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!folder.path().join("outlived").exists());
    }

    #[test]
    fn endless_output_is_cut() {
        let error = shell("while :; do echo yyyyyyyyyyyyyyyyyyyyyy; done")
            .limit(1 << 16)
            .run()
            .expect_err("it never ends");
        assert_eq!(error.to_string(), "/bin/sh wrote more than 65536 bytes");
    }

    #[tokio::test]
    async fn it_runs_from_async_code_too() {
        let ran = shell("echo blocking").run().expect("a runtime is no hindrance");
        assert_eq!(ran.stdout, b"blocking\n");
    }

    #[test]
    fn debug_shows_no_values() {
        let shown = format!("{:?}", shell("true").env("TOKEN", "hunter2"));
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn which_looks_in_folders_in_turn() {
        assert!(which_in("sh", OsStr::new("/nowhere:/bin")).is_some());
        assert_eq!(which_in("sh", OsStr::new("/nowhere")), None);
        assert_eq!(which_in("/bin/no-such", OsStr::new("/bin")), None);
    }
}
