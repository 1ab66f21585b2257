//! What is to happen when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Something that is to happen at a time, unless it was overtaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Send a step again; the refusal it follows.
    Resend(u32, u32),
    /// Apply a node without its open soft edges.
    Soft(u32),
    /// A step has to be ready.
    Deadline(u32),
    /// Ask again what is served.
    Discover,
    /// Say what is being waited for.
    Report,
}

/// Timers by time. Timers that were overtaken stay until they come first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Duration, Timer)>>,
    told: Option<Duration>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Duration, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    pub(super) fn first(&self) -> Option<(Duration, Timer)> {
        self.heap.peek().map(|Reverse(first)| *first)
    }

    pub(super) fn drop_first(&mut self) {
        self.heap.pop();
    }

    /// The time last told has come.
    pub(super) fn woken(&mut self) {
        self.told = None;
    }

    /// The first time, if it is another than was told last.
    pub(super) fn news(&mut self) -> Option<Duration> {
        let (at, _) = self.first()?;
        (self.told.replace(at) != Some(at)).then_some(at)
    }
}
