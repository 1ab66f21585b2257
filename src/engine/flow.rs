//! How many requests are kept in flight.
//!
//! The right number depends on the distance: an API server beside us, on two cores, gives its best at 16 to 32 and loses
//! little at 64; at 20 ms per round trip 64 write a fifth faster than 32, and 32 half as fast again as 16. Too few cost
//! more than too many. So it is found by trying:
//!
//! * Start at 32. Take the rate over a window of four rounds in which the number in flight was at the limit.
//! * Try twice as many. If the rate grew by at least a tenth of that, keep them and try again; if not, go back, and try
//!   again after 10 windows.
//! * An overloaded server (one that says when to come again) halves the number, once for all that were in flight together.
//!   Afterwards each round without another adds one in eight, up to where it was, and the trying starts again.

use std::time::Duration;

/// Where it starts.
const START: usize = 32;
/// Rounds (as many answers as may be in flight) in a window.
const ROUNDS: usize = 4;
/// Windows to wait after a try that was not worth it.
const PAUSE: u32 = 10;
/// Share of the added requests that the rate has to grow by.
const WORTH: f64 = 0.1;

/// Finds how many requests to keep in flight.
#[derive(Debug, Clone)]
pub struct Flow {
    most: usize,
    limit: usize,
    adapts: bool,
    /// Where to come back to after the server was overloaded; the trying rests until then.
    recover_to: Option<usize>,
    /// Requests sent before do not count as overload again.
    halved_at: Option<Duration>,
    /// Limit and rate before the try that is being measured.
    trying_from: Option<(usize, f64)>,
    /// Windows until the next try.
    pause: u32,
    window: Window,
}

/// Answers since some time, all with the limit in flight.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// Answers to leave out: sent under the limit before.
    settling: usize,
    since: Option<Duration>,
    answers: usize,
}

impl Flow {
    /// Adapts between 1 and `most`.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            most,
            limit: START.min(most),
            adapts: true,
            recover_to: None,
            halved_at: None,
            trying_from: None,
            pause: 0,
            window: Window::default(),
        }
    }

    /// Stays at `limit`.
    pub fn fixed(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            adapts: false,
            ..Self::new(limit)
        }
    }

    /// How many may be in flight now.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A request sent at `sent` was answered `now`, with `in_flight` requests in flight before the answer.
    pub fn answered(&mut self, sent: Duration, now: Duration, in_flight: usize, overloaded: bool) {
        if !self.adapts {
            return;
        }
        if overloaded {
            self.halve(sent, now);
            return;
        }
        if in_flight < self.limit {
            self.window.since = None;
            self.window.answers = 0;
            return;
        }
        if self.window.settling > 0 {
            self.window.settling -= 1;
            return;
        }
        let Some(since) = self.window.since else {
            self.window.since = Some(now);
            return;
        };
        self.window.answers += 1;
        if self.recover_to.is_some() {
            self.grow_back(self.window.answers);
        } else if self.window.answers >= ROUNDS * self.limit && now > since {
            let rate = self.window.answers as f64 / (now - since).as_secs_f64();
            self.measured(rate);
        }
    }

    fn halve(&mut self, sent: Duration, now: Duration) {
        if self.halved_at.is_some_and(|at| sent < at) {
            return;
        }
        let before = self.trying_from.take().map_or(self.limit, |(limit, _)| limit);
        self.recover_to = Some(self.recover_to.map_or(before, |to| to.max(before)));
        self.halved_at = Some(now);
        self.set(self.limit / 2);
    }

    fn grow_back(&mut self, answers: usize) {
        let Some(to) = self.recover_to else { return };
        if answers < self.limit {
            return;
        }
        let limit = (self.limit + self.limit.div_ceil(8)).min(to);
        self.set(limit);
        if limit == to {
            self.recover_to = None;
            self.pause = PAUSE;
        }
    }

    fn measured(&mut self, rate: f64) {
        match self.trying_from.take() {
            Some((before, was)) => {
                let added = self.limit as f64 / before as f64 - 1.0;
                if rate < was * (1.0 + added * WORTH) {
                    self.pause = PAUSE;
                    self.set(before);
                    return;
                }
            }
            None if self.pause > 0 => {
                self.pause -= 1;
                self.window = Window::default();
                return;
            }
            None => {}
        }
        if self.limit < self.most {
            self.trying_from = Some((self.limit, rate));
            self.set((self.limit * 2).min(self.most));
        } else {
            self.window = Window::default();
        }
    }

    fn set(&mut self, limit: usize) {
        self.limit = limit.clamp(1, self.most);
        self.window = Window {
            settling: self.limit,
            ..Window::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backoff::mixed;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    /// A server that answers with a latency that depends on how many are in flight, and a client that always has more to
    /// send. Counts answers by second of simulated time.
    struct Run {
        flow: Flow,
        in_flight: BinaryHeap<Reverse<(Duration, u64, Duration)>>,
        sent: u64,
        now: Duration,
        good: usize,
    }

    impl Run {
        fn new(flow: Flow) -> Self {
            Self {
                flow,
                in_flight: BinaryHeap::new(),
                sent: 0,
                now: Duration::ZERO,
                good: 0,
            }
        }

        fn until(&mut self, end: Duration, latency: impl Fn(usize) -> Duration, refuses: impl Fn(usize) -> bool) {
            while self.now < end {
                while self.in_flight.len() < self.flow.limit() {
                    self.sent += 1;
                    let jitter = 0.8 + 0.4 * (mixed(self.sent) % 1000) as f64 / 1000.0;
                    let due = self.now + latency(self.in_flight.len() + 1).mul_f64(jitter);
                    self.in_flight.push(Reverse((due, self.sent, self.now)));
                }
                let in_flight = self.in_flight.len();
                let Reverse((due, _, sent)) = self.in_flight.pop().expect("because the limit is at least 1");
                self.now = due;
                let refused = refuses(in_flight);
                self.good += usize::from(!refused);
                self.flow.answered(sent, due, in_flight, refused);
            }
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// 1 ms for each request, and no more than 16 at once: more in flight wait for each other.
    fn busy(in_flight: usize) -> Duration {
        Duration::from_micros(10_000).mul_f64((in_flight as f64 / 16.0).max(1.0))
    }

    #[test]
    fn a_server_at_its_best_with_16_loses_nothing() {
        let mut run = Run::new(Flow::new(64));
        run.until(10 * SECOND, busy, |_| false);
        let mut fixed = Run::new(Flow::fixed(16));
        fixed.until(10 * SECOND, busy, |_| false);
        let share = run.good as f64 / fixed.good as f64;
        assert!(share > 0.95, "{share:.3} of the rate with 16 in flight");
    }

    #[test]
    fn a_server_at_a_distance_gets_all_within_a_second() {
        let mut run = Run::new(Flow::new(64));
        run.until(SECOND, |_| Duration::from_millis(20), |_| false);
        assert_eq!(run.flow.limit(), 64);
    }

    #[test]
    fn refusals_halve_once_and_it_recovers() {
        let mut run = Run::new(Flow::new(64));
        let distant = |_| Duration::from_millis(20);
        run.until(2 * SECOND, distant, |_| false);
        assert_eq!(run.flow.limit(), 64);
        run.until(2 * SECOND + Duration::from_millis(30), distant, |in_flight| {
            in_flight > 40
        });
        assert_eq!(run.flow.limit(), 32, "all that were in flight together halve once");
        run.until(6 * SECOND, distant, |_| false);
        assert_eq!(run.flow.limit(), 64);
    }

    #[test]
    fn a_server_that_always_refuses_is_asked_one_at_a_time() {
        let mut run = Run::new(Flow::new(64));
        run.until(SECOND, |_| Duration::from_millis(5), |_| true);
        assert_eq!(run.flow.limit(), 1);
    }

    #[test]
    fn too_little_to_send_changes_nothing() {
        let mut flow = Flow::new(64);
        for answer in 1..1_000 {
            let now = Duration::from_millis(answer);
            flow.answered(now, now, 3, false);
        }
        assert_eq!(flow.limit(), START);
    }

    #[test]
    fn never_more_than_allowed() {
        for most in [0, 1, 2, 10, 20, 50] {
            let mut run = Run::new(Flow::new(most));
            run.until(SECOND, |_| Duration::from_millis(20), |_| false);
            assert_eq!(run.flow.limit(), most.clamp(1, 50), "--concurrency {most}");
        }
    }
}
