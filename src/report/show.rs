//! Which renderer a run is told by.

use std::io::{self, Write};
use std::time::Duration;

use super::{Bars, Lines, json, summary};
use crate::event::Event;
use crate::plan::Plan;

/// How a run is told.
#[derive(Debug)]
pub enum Show {
    /// Bars on a terminal, the summary to the data.
    Bars(Bars),
    /// Lines to the talk, the summary to the data.
    Lines(Lines),
    /// JSON lines to the data, the summary last.
    Json,
}

/// Where it is told.
pub struct Streams<'a> {
    /// Standard output, by custom.
    pub data: &'a mut dyn Write,
    /// Standard error, by custom.
    pub talk: &'a mut dyn Write,
}

impl Show {
    /// Tells an event; the last one, [`Event::Finished`], with the whole summary. `now` is the time since the start of the
    /// command, `plan` the one that runs (an empty one before there is any).
    ///
    /// # Errors
    /// Those of the writers.
    pub fn event(&mut self, plan: &Plan, event: &Event, now: Duration, to: &mut Streams<'_>) -> io::Result<()> {
        match self {
            Self::Bars(bars) => bars.event(plan, event, now)?,
            Self::Lines(lines) => lines.event(plan, event, now, to.talk)?,
            Self::Json => return json::event(plan, event, now, to.data),
        }
        match event {
            Event::Finished(of) => summary(plan, of, to.data),
            _ => Ok(()),
        }
    }

    /// Takes what moves off the screen, to ask a question or to end.
    pub fn pause(&mut self) {
        if let Self::Bars(bars) = self {
            bars.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, millis};
    use super::*;

    fn told(mut show: Show) -> (String, String) {
        let (plan, summary) = sample::fine();
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        for (at, event) in sample::events(&summary) {
            let mut to = Streams {
                data: &mut data,
                talk: &mut talk,
            };
            show.event(&plan, &event, millis(at), &mut to)
                .expect("because a Vec takes all");
        }
        let text = |bytes| String::from_utf8(bytes).expect("because it is text");
        (text(data), text(talk))
    }

    #[test]
    fn data_and_talk_are_kept_apart() {
        let (data, talk) = told(Show::Json);
        assert!(talk.is_empty() && data.lines().all(|line| line.starts_with("{\"version\":1,")));
        let (data, talk) = told(Show::Lines(Lines::default()));
        assert!(talk.starts_with("created     Namespace/bank\n"), "{talk}");
        assert!(data.starts_with("3 of 3 objects are in the cluster"), "{data}");
        let bars = Bars::new(indicatif::ProgressDrawTarget::hidden());
        let (data, talk) = told(Show::Bars(bars));
        assert!(
            talk.is_empty() && data.starts_with("3 of 3 objects are in the cluster"),
            "{data}"
        );
    }
}
