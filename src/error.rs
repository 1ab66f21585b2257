//! What goes wrong so that a run cannot go on, and how it is printed.
//!
//! What happens to one object is an [`Outcome`](crate::object::Outcome); what is wrong with one input is a
//! [`Problem`](crate::object::Problem). A [`Failure`] is the rest: the run could not go on.

use std::fmt;
use std::process::ExitCode;

/// What sort of failure it is: decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line asks for something that cannot be (exit code 2).
    Usage,
    /// The repository, a revision, a file or a manifest is not as needed.
    Input,
    /// The cluster could not be reached, refused, or is not the one meant.
    Cluster,
    /// A program that is needed is missing or failed.
    Tool,
    /// The machine: disk, permissions, network.
    Io,
    /// Stopped by the user (exit code 130).
    Interrupted,
    /// A bug in refloat.
    Internal,
}

/// A failure of the whole run: consequence, causes, hints.
///
/// Printed as
/// ```text
/// Error: <consequence>
///   because: <cause>
///   hint: <what to do next>
/// ```
#[derive(Debug, Clone)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// What did not happen, first; one line, no full stop needed.
    pub consequence: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What the operator can do next.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with its consequence; causes and hints are added with [`because`](Self::because) and [`hint`](Self::hint).
    pub fn new(kind: Kind, consequence: impl Into<String>) -> Self {
        Self {
            kind,
            consequence: consequence.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Adds a cause; call it outermost first.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Consequence and causes in one line, for where it is a part of something else.
    pub fn in_one_line(&self) -> String {
        let all: Vec<&str> = std::iter::once(&self.consequence)
            .chain(&self.causes)
            .map(String::as_str)
            .collect();
        printable(&all.join(": "))
    }

    /// The exit code that `main` returns for it.
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Usage => Exit::Usage,
            Kind::Interrupted => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error: {}", printable(&self.consequence))?;
        for cause in &self.causes {
            write!(f, "\n  because: {}", indented(cause))?;
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {}", indented(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

fn indented(text: &str) -> String {
    printable(text.trim_end()).replace('\n', "\n    ")
}

/// Control characters other than the newline are shown as `\u{..}` escapes, so that a name or a server's message cannot
/// drive the terminal.
pub fn printable(text: &str) -> String {
    let clean = |c: char| c == '\n' || !c.is_control();
    if text.chars().all(clean) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if clean(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    out
}

/// The exit codes of refloat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, nothing to report.
    Done,
    /// 1: could not do it; the message says what was changed so far.
    Failed,
    /// 2: wrong command line.
    Usage,
    /// 3: done, with something to look at.
    LookAt,
    /// 130: interrupted; the summary so far is printed.
    Interrupted,
}

impl Exit {
    /// The number that the process returns.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::LookAt => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_consequence_cause_hint() {
        let failure = Failure::new(Kind::Input, "nothing was restored")
            .because("no such revision: main~9")
            .because("line one\nline two")
            .hint("name a revision that `git log` shows");
        assert_eq!(
            failure.to_string(),
            "Error: nothing was restored\n  because: no such revision: main~9\n  because: line one\n    line two\n  hint: name a revision that `git log` shows"
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[31mred\n"), "a\\u{1b}[31mred\n");
    }

    #[test]
    fn each_kind_has_its_code() {
        let code = |kind| Failure::new(kind, "x").exit().code();
        assert_eq!(code(Kind::Usage), 2);
        assert_eq!(code(Kind::Interrupted), 130);
        for kind in [Kind::Input, Kind::Cluster, Kind::Tool, Kind::Io, Kind::Internal] {
            assert_eq!(code(kind), 1);
        }
        assert_eq!((Exit::Done.code(), Exit::LookAt.code()), (0, 3));
    }
}
