//! The Go libraries themselves: the program `tests/tools/argo-oracle`, run as a child that answers as long as it is asked.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The program.
pub struct Oracle {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
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
        let mut child = Command::new(Path::new(folder.trim()).join("argo-oracle"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("because it was just built");
        let to = child.stdin.take().expect("because it is a pipe");
        let from = BufReader::new(child.stdout.take().expect("because it is a pipe"));
        Some(Oracle { child, to, from })
    }

    /// What the library says: a text, or why there is none.
    pub fn ask(&mut self, request: &Value) -> Result<String, String> {
        writeln!(self.to, "{request}").expect("because it reads");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("because it answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no answer to {request}"));
        match answer["text"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(answer["error"].as_str().unwrap_or("no reason given").to_owned()),
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
