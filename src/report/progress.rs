//! A run on a terminal: a bar a state, what is being waited for now, failures above them as they happen.

use std::io;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::human;
use super::tally::Tally;
use super::text::{self, one_line};
use crate::event::Event;
use crate::object::Action;
use crate::plan::{NodeIndex, Plan};

/// Lines of "waiting for".
const WAITING: usize = 3;

/// Progress bars on a terminal. Nothing stays on the screen but the lines about what went wrong.
#[derive(Debug)]
pub struct Bars {
    multi: MultiProgress,
    tally: Tally,
    started: Duration,
    /// "cloning …" before the engine starts.
    spinner: Option<ProgressBar>,
    /// One a state, then the lines of what is being waited for; empty before the engine starts.
    bars: Vec<ProgressBar>,
}

/// The states that have a bar, in order.
const STATES: [&str; 4] = ["sent", "written", "ready", "failed"];

impl Bars {
    /// Bars that are drawn to `target`, such as [`ProgressDrawTarget::stderr`].
    pub fn new(target: ProgressDrawTarget) -> Self {
        Self {
            multi: MultiProgress::with_draw_target(target),
            tally: Tally::default(),
            started: Duration::ZERO,
            spinner: None,
            bars: Vec::new(),
        }
    }

    /// Bars on standard error.
    pub fn on_stderr() -> Self {
        Self::new(ProgressDrawTarget::stderr())
    }

    /// Takes everything off the screen, to ask a question or to end.
    pub fn clear(&mut self) {
        for bar in self.spinner.take().into_iter().chain(self.bars.drain(..)) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    /// Shows what an event has to say. `now` is the time since the start of the run, `plan` the one that runs.
    ///
    /// # Errors
    /// Those of the terminal.
    pub fn event(&mut self, plan: &Plan, event: &Event, now: Duration) -> io::Result<()> {
        self.tally.count(event);
        match event {
            Event::Progress(text) => self.spin(one_line(text)),
            Event::Said(text) => self.multi.println(text::message(text, "  "))?,
            Event::Warned(text) => self.multi.println(format!("warning: {}", text::message(text, "  ")))?,
            Event::Started { .. } => {
                self.clear();
                self.started = now;
                self.open();
            }
            Event::Sent { .. } | Event::Written { .. } | Event::Done { .. } | Event::Retrying { .. } => {}
            Event::Settled { step, outcome, at } => {
                let skipped = matches!(outcome.action, Action::Skipped(_));
                if outcome.wants_a_look() && !skipped {
                    let after = self.tally.since_sent(*step, *at);
                    let (word, rest) = human::settled(plan, *step, outcome, after);
                    self.multi.println(format!("{word:<11} {rest}"))?;
                }
            }
            Event::Waiting(waiting) => self.waiting(plan, waiting),
            Event::Interrupted { in_flight } => self.multi.println(human::interrupted(*in_flight))?,
            Event::Finished(_) => self.clear(),
        }
        self.draw(now);
        Ok(())
    }

    fn spin(&mut self, text: String) {
        let spinner = self.spinner.get_or_insert_with(|| {
            let spinner = self.multi.add(ProgressBar::new_spinner());
            spinner.set_style(style("{spinner} {wide_msg}"));
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        spinner.set_message(text);
    }

    fn open(&mut self) {
        for state in STATES {
            let bar = self.multi.add(ProgressBar::new(self.tally.total as u64));
            bar.set_style(style("{prefix:8} [{bar:30}] {pos:>6}/{len}  {wide_msg}"));
            bar.set_prefix(state);
            self.bars.push(bar);
        }
        for _ in 0..WAITING {
            let line = self.multi.add(ProgressBar::new(0));
            line.set_style(style("{wide_msg}"));
            self.bars.push(line);
        }
    }

    fn waiting(&mut self, plan: &Plan, waiting: &[(NodeIndex, String)]) {
        for (index, line) in self.bars.iter().skip(STATES.len()).enumerate() {
            let text = match waiting.get(index) {
                Some((node, reason)) => {
                    format!("waiting for {}: {}", human::step_name(plan, *node), one_line(reason))
                }
                None => String::new(),
            };
            line.set_message(text);
        }
    }

    fn draw(&self, now: Duration) {
        let time = now.saturating_sub(self.started);
        for (bar, (number, text)) in self.bars.iter().zip(told(&self.tally, time)) {
            bar.set_message(text);
            bar.set_position(number as u64);
        }
    }
}

/// For each state, how many and what stands behind the bar.
fn told(tally: &Tally, time: Duration) -> [(usize, String); STATES.len()] {
    let rate = |number: usize| match text::per_second(number, time) {
        rate if rate < 0.1 => String::new(),
        rate => format!("{rate:.1}/s"),
    };
    let also = |text: &mut String, number: usize, words: &str| {
        if number > 0 {
            let gap = if text.is_empty() { "" } else { ", " };
            text.push_str(&format!("{gap}{number} {words}"));
        }
    };
    let mut sent = rate(tally.sent);
    also(&mut sent, tally.retries, "sent again");
    let mut ready = rate(tally.done);
    also(&mut ready, tally.held_back, "of them held back");
    let mut failed = String::new();
    also(&mut failed, tally.skipped, "of them skipped");
    [
        (tally.sent, sent),
        (tally.written, rate(tally.written)),
        (tally.done, ready),
        (tally.failed, failed),
    ]
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("because the templates stand above and a test draws each")
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::super::sample::{self, millis};
    use super::*;

    /// A terminal of 80 columns that keeps the lines as they were written, one after the other.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn put(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("because no writer panics").push_str(text);
            Ok(())
        }

        fn text(&self) -> String {
            self.0.lock().expect("because no writer panics").clone()
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.put(text)?;
            self.put("\n")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.put(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.put("\n")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn drawn(plan: &Plan, events: &[(u64, Event)]) -> String {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), 255);
        let mut bars = Bars::new(target);
        for (at, event) in events {
            bars.event(plan, event, millis(*at)).expect("because paper takes all");
        }
        for bar in &bars.bars {
            bar.force_draw();
        }
        paper.text()
    }

    #[test]
    fn each_state_has_its_number_and_rate() {
        let (_, summary) = sample::troubled();
        let mut tally = Tally::default();
        for (_, event) in sample::events(&summary) {
            tally.count(&event);
        }
        tally.sent = 9;
        tally.retries = 2;
        let told = told(&tally, Duration::from_secs(3)).map(|(number, text)| format!("{number} {text}"));
        assert_eq!(
            told,
            [
                "9 3.0/s, 2 sent again",
                "4 1.3/s",
                "5 1.7/s, 2 of them held back",
                "10 6 of them skipped"
            ]
        );
    }

    #[test]
    fn bars_waits_and_failures_are_drawn_within_the_width() {
        let (mut plan, summary) = sample::troubled();
        plan.steps[5].id.name = "x".repeat(200);
        let mut events = sample::events(&summary);
        events.pop();
        events.insert(0, (0, Event::Progress("cloning\u{1b} x".to_owned())));
        events.push((
            2_000,
            Event::Waiting(vec![(NodeIndex(5), "0 of 1 replicas ready".to_owned())]),
        ));
        let drawn = drawn(&plan, &events);
        assert!(!drawn.contains('\u{1b}') && !drawn.contains("canary"));
        for part in [
            "sent     [",
            "ready    [",
            "5/15",
            "failed      Namespace/accounts",
            "waiting for Deployment/bank/xxx",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
        for line in drawn.lines().filter(|line| line.starts_with("waiting")) {
            assert!(line.trim_end().chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn nothing_is_left_at_the_end() {
        let (plan, summary) = sample::fine();
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        for (at, event) in sample::events(&summary) {
            bars.event(&plan, &event, millis(at)).expect("because nothing is drawn");
        }
        assert!(bars.bars.is_empty() && bars.spinner.is_none());
    }
}
