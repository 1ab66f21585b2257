//! Runs the refloat binary hermetically: own HOME, scrubbed environment; exit code, stdout and stderr are returned together.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use refloat::control_plane::{Sources, obtain};

/// Where caches live while tests run: the user's own, so that the control plane is built once.
pub fn cache_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("because a user has a home"));
    std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from)
}

/// A run of refloat to be.
pub struct Refloat {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cwd: Option<PathBuf>,
    stdin: Vec<u8>,
    home: tempfile::TempDir,
}

/// What a run left.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// Exit code; -1 when ended by a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// `refloat ARGS…`
pub fn refloat<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Refloat {
    Refloat {
        args: args.into_iter().map(Into::into).collect(),
        env: Vec::new(),
        cwd: None,
        stdin: Vec::new(),
        home: tempfile::tempdir().expect("because a temporary folder can be made"),
    }
}

impl Refloat {
    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Puts folders in front of the PATH.
    pub fn with_tools(self, tools: &[&str]) -> Self {
        let mut path = OsString::new();
        for tool in tools {
            path.push(tool_folder(tool));
            path.push(":");
        }
        path.push(std::env::var_os("PATH").unwrap_or_default());
        self.env("PATH", path)
    }

    /// Runs it in a folder.
    pub fn cwd(mut self, folder: &Path) -> Self {
        self.cwd = Some(folder.to_owned());
        self
    }

    /// Types this.
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    fn command(&self) -> Command {
        #[expect(clippy::disallowed_methods, reason = "tests run the binary as a user does")]
        let mut command = Command::new("/usr/bin/env");
        command
            // Ctrl-C ends it as on a terminal: what a shell starts in the background ignores it, tests among that.
            .args(["--default-signal=INT", env!("CARGO_BIN_EXE_refloat")])
            .args(&self.args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_CACHE_HOME", cache_home())
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in ["GOPROXY", "GOFLAGS", "GOMODCACHE", "GOCACHE", "GOTOOLCHAIN"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.cwd {
            command.current_dir(folder);
        }
        command
    }

    /// Runs it to its end.
    pub fn run(self) -> Ran {
        let mut child = self.start();
        child
            .stdin
            .take()
            .expect("because it is piped")
            .write_all(&self.stdin)
            .or_else(|error| {
                if error.kind() == std::io::ErrorKind::BrokenPipe {
                    Ok(())
                } else {
                    Err(error)
                }
            })
            .expect("because the child reads or ends");
        let output = child.wait_with_output().expect("because it was started");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("because refloat writes UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("because refloat writes UTF-8"),
        }
    }

    /// Runs it to its end; exit code, and what a person would see: both streams in the order in which they were written.
    pub fn run_as_seen(self) -> (i32, String) {
        self.start_as_seen().end()
    }

    /// Starts it, to be looked at while it runs.
    pub fn start_as_seen(self) -> Seen {
        let text = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
        let stream = || {
            let file = std::fs::OpenOptions::new().append(true).open(text.path());
            Stdio::from(file.expect("because it was just made"))
        };
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("because the binary was built");
        Seen {
            child,
            text,
            _home: self.home,
        }
    }

    /// Starts it, to be watched or stopped.
    pub fn start(&self) -> Child {
        let own_cache = self.env.iter().any(|(name, _)| name == "XDG_CACHE_HOME");
        if self.args.first().is_some_and(|command| command == "drill") && !own_cache {
            have_programs();
        }
        self.command().spawn().expect("because the binary was built")
    }
}

/// A run that somebody looks at.
pub struct Seen {
    child: Child,
    text: tempfile::NamedTempFile,
    _home: tempfile::TempDir,
}

impl Seen {
    /// What is to be seen by now: both streams in the order in which they were written.
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.text.path()).expect("because refloat writes UTF-8")
    }

    /// Waits for its end; exit code and all that was to be seen.
    pub fn end(mut self) -> (i32, String) {
        let status = self.child.wait().expect("because it was started");
        (status.code().unwrap_or(-1), self.text())
    }

    /// Ends it with Ctrl-C.
    pub fn interrupt(self) -> (i32, String) {
        interrupt(&self.child);
        self.end()
    }
}

/// Kills it as soon as something is so; it must not have ended by itself.
pub fn kill_once(mut child: Child, is_so: impl Fn() -> bool) {
    while !is_so() {
        assert!(
            child.try_wait().is_ok_and(|ended| ended.is_none()),
            "it does not end by itself"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let ended = child.kill().and_then(|()| child.wait());
    assert!(ended.is_ok(), "{ended:?}");
}

/// Presses Ctrl-C.
pub fn interrupt(child: &Child) {
    #[expect(clippy::disallowed_methods, reason = "tests stop the binary as a user does")]
    let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(stopped.is_ok_and(|status| status.success()));
}

/// Builds the control plane into the cache where it is not there yet: `go` is on the PATH of the tests, not on that of a run.
fn have_programs() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let sources = Sources::from_environment(None, |name| std::env::var_os(name));
        let obtaining = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("because threads can be started");
            runtime.block_on(obtain::obtain(&sources, None, &mut |_| {}))
        });
        let obtained = obtaining.join().expect("because obtaining does not panic");
        if let Err(failure) = obtained {
            panic!("{failure}");
        }
    });
}

/// The folder of a program of tests/tools, built when it is not there yet.
pub fn tool_folder(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/build");
    #[expect(clippy::disallowed_methods, reason = "tests build what they run")]
    let output = Command::new("bash")
        .arg(script)
        .arg(name)
        .output()
        .expect("because bash is there");
    assert!(
        output.status.success(),
        "{name} was not built: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8(output.stdout).expect("because it is a path").trim())
}
