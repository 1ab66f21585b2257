//! Transcripts in Markdown: every command of a ```` ```console ```` block is run, and what comes out is compared with what is shown.
//!
//! A line `…` stands for any number of lines. What differs from run to run (times, ports, commits, temporary folders) counts as
//! equal. `$ echo $?` shows the exit code of the command before it; a command that is not followed by it must return 0. A line `^C`
//! is where Ctrl-C is pressed, once what stands above it came out. Beside refloat only git is run. With `REFLOAT_BLESS=1` outputs that differ are rewritten, abridged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use regex::Regex;

use super::run::{Refloat, refloat};

/// What terminals show where Ctrl-C is pressed.
const INTERRUPT: &str = "^C";
/// How long a command may take until what is shown came out.
const PATIENCE: Duration = Duration::from_secs(60);

/// One command of a transcript.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// Without the `$ `.
    text: String,
    /// The lines of the file with the output shown, from 0, without the end.
    lines: std::ops::Range<usize>,
    /// How far the block is indented.
    indent: usize,
}

/// A Markdown file with transcripts.
pub struct Transcript {
    path: PathBuf,
    lines: Vec<String>,
}

/// Where its commands are run.
pub struct Scene<'a> {
    /// The working folder.
    pub folder: &'a Path,
    /// Variables of the environment.
    pub env: Vec<(&'a str, String)>,
}

impl Transcript {
    /// Reads a file of the repository.
    pub fn of(path: &str) -> Transcript {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read_to_string(&path).expect("because it is part of the repository");
        let lines = text.lines().map(str::to_owned).collect();
        Transcript { path, lines }
    }

    fn commands(&self) -> Vec<Line> {
        let mut commands: Vec<Line> = Vec::new();
        let mut block = None;
        for (number, line) in self.lines.iter().enumerate() {
            let text = line.trim_start();
            match block {
                None if text == "```console" => block = Some(line.len() - text.len()),
                Some(_) if text == "```" => block = None,
                None => {}
                // What refloat proposes to run stands further in.
                Some(indent) => match (
                    line.get(indent..).and_then(|line| line.strip_prefix("$ ")),
                    commands.last_mut(),
                ) {
                    (Some(command), _) => commands.push(Line {
                        text: command.to_owned(),
                        lines: number + 1..number + 1,
                        indent,
                    }),
                    (None, Some(last)) => last.lines.end = number + 1,
                    (None, None) => panic!("{}:{}: output without a command", self.path.display(), number + 1),
                },
            }
        }
        commands
    }

    /// Runs every command in its order; gives each with its output.
    pub fn play(self, scene: &Scene<'_>) -> Vec<(String, String)> {
        self.play_with(scene, &|| {})
    }

    /// Likewise; while a command watches that Ctrl-C ends, something happens to what it watches.
    pub fn play_with(mut self, scene: &Scene<'_>, meanwhile: &dyn Fn()) -> Vec<(String, String)> {
        let bless = std::env::var_os("REFLOAT_BLESS").is_some();
        let (mut played, mut wrong, mut code) = (Vec::new(), Vec::new(), 0);
        let commands = self.commands();
        assert!(!commands.is_empty(), "{} has no command", self.path.display());
        let mut rewritten = Vec::new();
        for (number, command) in commands.iter().enumerate() {
            let asks_code = commands.get(number + 1).is_some_and(|next| next.text == "echo $?");
            let shown = self.lines[command.lines.clone()]
                .iter()
                .map(|line| line.trim().to_owned());
            let shown: Vec<String> = shown.map(|line| normal(&line)).collect();
            let output = match command.text.as_str() {
                "echo $?" => format!("{code}\n"),
                text => {
                    let ran = match shown.iter().position(|line| line == INTERRUPT) {
                        Some(at) => run_until(text, scene, &shown[..at], meanwhile),
                        None => match text.strip_prefix("git ") {
                            Some(args) => git(args, scene),
                            None => refloat_of(text, scene).run_as_seen(),
                        },
                    };
                    code = ran.0;
                    if code != 0 && !asks_code {
                        wrong.push(format!("$ {text}\nreturned {code}:\n{}", ran.1));
                    }
                    ran.1
                }
            };
            let lines: Vec<String> = output.lines().map(|line| normal(line.trim())).collect();
            if !matches(&shown, &lines) {
                if bless {
                    rewritten.push((command.lines.clone(), abridged(&output, command.indent)));
                } else {
                    let shown = shown.join("\n");
                    wrong.push(format!("$ {}\nshown:\n{shown}\n\ncame out:\n{output}", command.text));
                }
            }
            played.push((command.text.clone(), output));
        }
        for (lines, output) in rewritten.into_iter().rev() {
            self.lines.splice(lines, output);
        }
        if bless {
            std::fs::write(&self.path, self.lines.join("\n") + "\n").expect("because the repository can be written");
        }
        assert!(wrong.is_empty(), "{}:\n{}", self.path.display(), wrong.join("\n\n"));
        played
    }
}

/// A command line, as a run; only refloat's, in the ways that people call it.
fn refloat_of(text: &str, scene: &Scene<'_>) -> Refloat {
    let args = text
        .strip_prefix("refloat ")
        .or_else(|| text.strip_prefix("cargo run --release -- "))
        .unwrap_or_else(|| panic!("`{text}` is no command of refloat"));
    let run = refloat(args.split_whitespace()).cwd(scene.folder);
    let variables = scene.env.iter();
    variables.fold(run, |run, (name, value)| run.env(*name, value))
}

/// Runs git as an operator does; exit code, and what it says.
fn git(args: &str, scene: &Scene<'_>) -> (i32, String) {
    #[expect(clippy::disallowed_methods, reason = "runbooks use git itself")]
    let output = Command::new("git")
        .args(args.split_whitespace())
        .current_dir(scene.folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Ada")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "ada@example.invalid")))
        .output()
        .expect("because git is there");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Runs a command that watches until what is shown came out, and ends it with Ctrl-C.
fn run_until(text: &str, scene: &Scene<'_>, shown: &[String], meanwhile: &dyn Fn()) -> (i32, String) {
    let seen = refloat_of(text, scene).start_as_seen();
    let (began, mut done) = (Instant::now(), false);
    let before = loop {
        let output = seen.text();
        if !done && output.contains("Ctrl-C ends it") {
            meanwhile();
            done = true;
        }
        let lines: Vec<String> = output.lines().map(|line| normal(line.trim())).collect();
        if done && matches(shown, &lines) || began.elapsed() > PATIENCE {
            break output;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let (code, all) = seen.interrupt();
    let (first, rest) = all.split_at(before.len());
    (code, format!("{first}{INTERRUPT}\n{rest}"))
}

/// What differs from run to run is made equal.
fn normal(line: &str) -> String {
    let rules = [
        (r"\b\d+(\.\d+)? ?(s|ms|m|m\d\ds)\b", "TIME"),
        (r"\b\d+\.\d objects/s", "RATE"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r#"\b[0-9a-f]{12}( ".*")? \(.*UTC\)"#, "COMMIT"),
        (r"/\S*/refloat-\w+", "FOLDER"),
        (r"^kill \d+", "kill PID"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "WHEN"),
        // In which column a time or number stands.
        (r" +", " "),
    ];
    rules.iter().fold(line.to_owned(), |line, (rule, by)| {
        let rule = Regex::new(rule).expect("because the rules are right");
        rule.replace_all(&line, *by).into_owned()
    })
}

/// Whether lines are as shown, where `…` stands for any number of them.
fn matches(shown: &[String], lines: &[String]) -> bool {
    match (shown.split_first(), lines.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((first, rest)), _) if first == "…" => (0..=lines.len()).any(|from| matches(rest, &lines[from..])),
        (Some((first, shown)), Some((line, lines))) => first == line && matches(shown, lines),
        (Some(_), None) => false,
    }
}

/// An output for people to read: without what comes in no fixed order, and long lists cut.
fn abridged(output: &str, indent: usize) -> Vec<String> {
    const LONGEST: usize = 12;
    let volatile = Regex::new(
        r"^(created|configured|unchanged|skipped|waiting|retrying|starting|reading|asking|listing|comparing|restoring|the control plane is ready|\s+\d+\.\ds) ",
    );
    let volatile = volatile.expect("because it is right");
    let mut lines: Vec<String> = Vec::new();
    let mut run = 0;
    for line in output.lines() {
        run = if line.starts_with(' ') { run + 1 } else { 0 };
        let line = if volatile.is_match(line) || run > LONGEST {
            "…"
        } else {
            line
        };
        if line != "…" || lines.last().is_none_or(|last| last.trim() != "…") {
            lines.push(format!("{}{line}", " ".repeat(indent)).trim_end().to_owned());
        }
    }
    lines
}

#[test]
fn an_ellipsis_stands_for_any_lines() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(&lines("a … d"), &lines("a b c d")));
    assert!(matches(&lines("a … b"), &lines("a b")));
    assert!(!matches(&lines("a … d"), &lines("a b c")));
    assert!(!matches(&lines("a"), &lines("a b")));
}

#[test]
fn what_differs_each_time_counts_as_equal() {
    assert_eq!(
        normal("created X  ready after 0.1s"),
        normal("created X  ready after 12.5s")
    );
    assert_eq!(
        normal("bank at 0123456789ab \"declare\" (2026-01-02 03:04 UTC)"),
        normal("bank at ba9876543210 \"mend\" (2027-01-02 03:04 UTC)")
    );
    assert_ne!(normal("98 of 98 objects"), normal("97 of 98 objects"));
}
