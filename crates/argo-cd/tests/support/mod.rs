//! The Go libraries themselves: the program `tests/tools/argo-oracle`, run as a child that answers as long as it is asked.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The program, started when it is first asked and again after it ended: Go ends it when a template recurses without end.
pub struct Oracle {
    program: PathBuf,
    running: Option<(Child, ChildStdin, BufReader<ChildStdout>)>,
}

#[expect(clippy::disallowed_methods, reason = "tests build and run the program")]
impl Oracle {
    /// The program, built when it is not there yet; `None`, with a message, where it cannot be built because `go` is not there.
    pub fn new() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/build");
        if Command::new("go").arg("version").output().is_err() || !script.exists() {
            eprintln!("skipped: argo-oracle is not at hand");
            return None;
        }
        let built = Command::new("bash").arg(script).arg("argo-oracle").output();
        let built = built.expect("because bash is there");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let folder = String::from_utf8(built.stdout).expect("because paths are text");
        Some(Oracle {
            program: Path::new(folder.trim()).join("argo-oracle"),
            running: None,
        })
    }

    /// What the library says: a text, or why there is none.
    pub fn ask(&mut self, request: &Value) -> Result<String, String> {
        let program = &self.program;
        let (_, to, from) = self.running.get_or_insert_with(|| {
            let mut child = Command::new(program)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("because it was just built");
            let to = child.stdin.take().expect("because it is a pipe");
            let from = BufReader::new(child.stdout.take().expect("because it is a pipe"));
            (child, to, from)
        });
        let mut line = String::new();
        // A program that has ended shows in its missing answer.
        let _ = writeln!(to, "{request}").and_then(|()| to.flush());
        let _ = from.read_line(&mut line);
        let Ok(answer) = serde_json::from_str::<Value>(&line) else {
            self.stop();
            return Err("the library ends the process".to_owned());
        };
        match answer["text"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(answer["error"].as_str().unwrap_or("no reason given").to_owned()),
        }
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
