//! Where a run is told: stdout is data, stderr is talk.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use crate::cli::Output;
use crate::error::Failure;
use crate::event::Event;
use crate::object::Problem;
use crate::plan::{Note, Plan};
use crate::report::{self, Bars, Lines, Show, Streams};

/// Tells what happens while it happens.
pub(super) struct Console {
    start: Instant,
    /// `None`: nothing is told.
    show: Option<Show>,
}

impl Console {
    pub fn new(output: Output) -> Self {
        let show = match output {
            Output::Json => Show::Json,
            Output::Human if io::stderr().is_terminal() => Show::Bars(Bars::on_stderr()),
            Output::Human => Show::Lines(Lines::default()),
        };
        Self {
            start: Instant::now(),
            show: Some(show),
        }
    }

    /// Tells nothing: for the second restore of a drill.
    pub fn silent() -> Self {
        Self {
            start: Instant::now(),
            show: None,
        }
    }

    /// Tells an event of a plan that runs; the last one with the whole summary.
    pub fn event(&mut self, plan: &Plan, event: &Event) {
        let Some(show) = &mut self.show else { return };
        let now = self.start.elapsed();
        let (mut data, mut talk) = (io::stdout().lock(), io::stderr().lock());
        let mut streams = Streams {
            data: &mut data,
            talk: &mut talk,
        };
        if matches!(event, Event::Finished(_)) {
            show.pause();
        }
        ignore_broken_pipe(show.event(plan, event, now, &mut streams));
    }

    /// Tells something before there is a plan.
    pub fn say(&mut self, event: &Event) {
        self.event(&Plan::default(), event);
    }

    /// Takes progress off the screen, before other text is written.
    pub fn pause(&mut self) {
        if let Some(show) = &mut self.show {
            show.pause();
        }
    }

    /// Tells people what is wrong with the input and what preflight found. As JSON it stands in the plan and in the report.
    pub fn preflight(&mut self, problems: &[Problem], notes: &[Note], all: bool) {
        self.pause();
        if self.is_human() {
            let mut err = io::stderr().lock();
            let told = report::problems(problems, &mut err).and_then(|()| report::notes(notes, all, &mut err));
            ignore_broken_pipe(told);
        }
    }

    /// Whether this is for people.
    pub fn is_human(&self) -> bool {
        matches!(self.show, Some(Show::Bars(_) | Show::Lines(_)))
    }
}

/// Writes data to stdout. A reader that went away is no error: it had enough.
pub(super) fn data(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    ignore_broken_pipe(more_data(write));
}

/// Writes data to stdout, for as long as somebody reads it.
pub(super) fn more_data(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    write(&mut out).and_then(|()| out.flush())
}

/// What would be written, as text.
pub(super) fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    // A Vec takes all.
    let _ = write(&mut bytes);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

/// Writes talk to stderr.
pub(super) fn talk(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    ignore_broken_pipe(write(&mut io::stderr().lock()));
}

/// Tells why a run could not go on: on stderr and, where JSON was asked for, as the last line of it.
pub(super) fn complain(failure: &Failure, output: Output) {
    talk(|err| writeln!(err, "{failure}"));
    if output == Output::Json {
        data(|out| report::json::failure(failure, out));
    }
}

fn ignore_broken_pipe(told: io::Result<()>) {
    // Nobody is left to be told where stdout or stderr itself is gone or full; the exit code still tells.
    let _ = told;
}
