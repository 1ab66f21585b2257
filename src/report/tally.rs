//! Running counts of a run, for progress.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::event::Event;
use crate::object::{Action, SkipReason};
use crate::plan::NodeIndex;

/// How far a run is, counted from its events.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Steps in the plan.
    pub(super) total: usize,
    /// Sent at least once.
    pub(super) sent: usize,
    /// In the cluster.
    pub(super) written: usize,
    /// At their end, and nothing to look at.
    pub(super) done: usize,
    /// At their end, and failed, skipped or not ready.
    pub(super) failed: usize,
    /// Of these, skipped.
    pub(super) skipped: usize,
    /// Of those done, held back.
    pub(super) held_back: usize,
    /// Requests sent again.
    pub(super) retries: usize,
    times: HashMap<NodeIndex, Duration>,
    written_steps: HashSet<NodeIndex>,
}

impl Tally {
    /// Counts an event in.
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::Started { steps } => {
                *self = Self {
                    total: *steps,
                    ..Self::default()
                }
            }
            Event::Sent { step, at } => {
                self.times.entry(*step).or_insert(*at);
                self.sent = self.times.len();
            }
            Event::Retrying { .. } => self.retries += 1,
            Event::Written { step, .. } => {
                self.written += usize::from(self.written_steps.insert(*step));
            }
            Event::Settled { step, outcome, .. } => {
                // What has no contract settles with its answer; it was written all the same.
                let written = !matches!(outcome.action, Action::Failed(_) | Action::Skipped(_) | Action::Awaited);
                self.written += usize::from(written && self.written_steps.insert(*step));
                if outcome.wants_a_look() {
                    self.failed += 1;
                    self.skipped += usize::from(matches!(outcome.action, Action::Skipped(_)));
                } else {
                    self.done += 1;
                    let held_back = matches!(outcome.action, Action::Skipped(SkipReason::HeldBack(_)));
                    self.held_back += usize::from(held_back);
                }
            }
            _ => {}
        }
    }

    /// From a step's first sending to `at`; `None` if it was not sent.
    pub(super) fn since_sent(&self, step: NodeIndex, at: Duration) -> Option<Duration> {
        self.times.get(&step).map(|sent| at.saturating_sub(*sent))
    }

    /// `42 of 80 done, 3 failed, 2 skipped`.
    pub(super) fn in_words(&self) -> String {
        let mut text = format!("{} of {} done", self.done, self.total);
        for (number, word) in [(self.failed - self.skipped, "failed"), (self.skipped, "skipped")] {
            if number > 0 {
                text.push_str(&format!(", {number} {word}"));
            }
        }
        text
    }
}
