//! kustomize v5.8.1 itself: the Go program `tests/tools/kustomize-oracle`, run as a child that answers as long as it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// What a build came to.
pub type Built = Result<Vec<Value>, String>;

/// The program, started when it is first asked and again after it ended.
pub struct Oracle {
    program: PathBuf,
    processors: Option<usize>,
    running: Option<(Child, ChildStdin, BufReader<ChildStdout>)>,
}

impl Oracle {
    /// The program, built when it is not there yet; `None`, with a message, where it cannot be built because `go` is not there.
    pub fn new() -> Option<Self> {
        let program = tool("kustomize-oracle")?;
        Some(Oracle {
            program,
            processors: None,
            running: None,
        })
    }

    /// The same, with so many processors for its threads.
    pub fn on_processors(mut self, count: usize) -> Self {
        self.processors = Some(count);
        self
    }

    /// What kustomize makes of a folder among these files.
    pub fn build(&mut self, files: &BTreeMap<String, String>, root: &str, unrestricted: bool) -> Built {
        self.ask_build(&json!({ "files": files, "root": root, "unrestricted": unrestricted }))
    }

    /// The answer to a request to build.
    pub fn ask_build(&mut self, request: &Value) -> Built {
        match self.ask(request) {
            Some(mut answer) => match answer["objects"].take() {
                Value::Array(objects) => Ok(objects),
                _ => Err(answer["error"].as_str().unwrap_or("no reason given").to_owned()),
            },
            None => Err("the library ends the process without a word".to_owned()),
        }
    }

    /// The answer to any request; `None` where the program ended without one. It is started again for the next.
    pub fn ask(&mut self, request: &Value) -> Option<Value> {
        let (program, processors) = (&self.program, self.processors);
        let (_, to, from) = self.running.get_or_insert_with(|| start(program, processors));
        let mut line = String::new();
        // A program that has ended shows in its missing answer.
        let _ = writeln!(to, "{request}").and_then(|()| to.flush());
        let _ = from.read_line(&mut line);
        let answer: Option<Value> = serde_json::from_str(&line).ok();
        if answer.as_ref().is_none_or(|answer| answer["last"] == true) {
            self.stop();
        }
        answer
    }

    /// Largest resident memory of the running program so far, in MiB, where the system tells.
    pub fn peak(&self) -> Option<f64> {
        let (child, ..) = self.running.as_ref()?;
        peak(&child.id().to_string())
    }

    fn stop(&mut self) {
        if let Some((mut child, to, from)) = self.running.take() {
            drop((to, from));
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(program: &Path, processors: Option<usize>) -> (Child, ChildStdin, BufReader<ChildStdout>) {
    #[expect(clippy::disallowed_methods, reason = "a program of the tests")]
    let mut child = Command::new(program)
        .envs(processors.map(|count| ("GOMAXPROCS", count.to_string())))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("because it was just built");
    let to = child.stdin.take().expect("because it is a pipe");
    let from = BufReader::new(child.stdout.take().expect("because it is a pipe"));
    (child, to, from)
}

/// A program of `tests/tools`, built when it is not there yet; `None`, with a message, where `go` is not there to do so.
#[expect(clippy::disallowed_methods, reason = "tests build what they run")]
pub fn tool(name: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/build");
    if run(Command::new("go").arg("version")).is_err() || !script.exists() {
        eprintln!("skipped: {name} is not at hand");
        return None;
    }
    let folder = run(Command::new("bash").arg(script).arg(name));
    let folder = folder.unwrap_or_else(|error| panic!("{name} was not built: {error}"));
    Some(Path::new(folder.trim()).join(name))
}

/// Largest resident memory of a process (`self` for this one), in MiB, where the system tells.
pub fn peak(process: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse::<f64>()
        .ok()
        .map(|kib| kib / 1024.0)
}

/// Runs a program to its end; its output, or what went wrong.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
