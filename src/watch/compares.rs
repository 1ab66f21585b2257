//! Which declared objects are to be compared again, and when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::object::ObjectId;

/// An object that was left alone for so long is compared at once when it changes.
const CALM: Duration = Duration::from_secs(60);
/// So often in a row an object is compared at once; then with growing pauses.
const AT_ONCE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Objects that wait for their comparison. One that somebody writes to every second costs no dry run each time.
#[derive(Debug, Default)]
pub(super) struct Compares {
    /// When each is due.
    wanted: BTreeMap<ObjectId, Duration>,
    /// Those that are being compared.
    sent: BTreeSet<ObjectId>,
    paces: HashMap<ObjectId, Pace>,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    last: Duration,
    in_a_row: u32,
}

impl Compares {
    /// Wants an object compared, not before `at`.
    pub fn want(&mut self, id: ObjectId, at: Duration) {
        if self.wanted.contains_key(&id) {
            return;
        }
        let due = match self.paces.get(&id) {
            Some(pace) => at.max(pace.last + pause(pace.in_a_row)),
            None => at,
        };
        self.wanted.insert(id, due);
    }

    /// It is not there any more.
    pub fn forget(&mut self, id: &ObjectId) {
        self.wanted.remove(id);
    }

    /// Whether what is known of an object is about to change.
    pub fn is_open(&self, id: &ObjectId) -> bool {
        self.wanted.contains_key(id) || self.sent.contains(id)
    }

    /// When something is due; `None` while an answer is out.
    pub fn next(&self) -> Option<Duration> {
        let earliest = self.wanted.values().min().copied();
        earliest.filter(|_| self.sent.is_empty())
    }

    /// Those that are due; they are being compared from now on.
    pub fn due(&mut self, now: Duration) -> BTreeSet<ObjectId> {
        if self.next().is_none_or(|next| next > now) {
            return BTreeSet::new();
        }
        let due = self.wanted.iter().filter(|(_, at)| **at <= now);
        self.sent = due.map(|(id, _)| id.clone()).collect();
        self.wanted.retain(|_, at| *at > now);
        self.paces.retain(|_, pace| pace.last + CALM > now);
        for id in &self.sent {
            let before = self.paces.get(id).map_or(0, |pace| pace.in_a_row);
            let pace = Pace {
                last: now,
                in_a_row: before + 1,
            };
            self.paces.insert(id.clone(), pace);
        }
        self.sent.clone()
    }

    /// The answer is there.
    pub fn answered(&mut self) {
        self.sent.clear();
    }
}

/// How long to wait after so many comparisons in a row.
fn pause(in_a_row: u32) -> Duration {
    match in_a_row.checked_sub(AT_ONCE) {
        None => Duration::ZERO,
        Some(more) => FIRST_PAUSE.saturating_mul(1 << more.min(10)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ObjectId {
        ObjectId::new("", "ConfigMap", Some("shop"), name)
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_that_never_rests_is_compared_less_and_less_often() {
        let mut compares = Compares::default();
        let mut compared = Vec::new();
        for now in 0..300 {
            compares.want(id("a"), s(now));
            if !compares.due(s(now)).is_empty() {
                compared.push(now);
                compares.answered();
            }
        }
        assert_eq!(compared[..9], [0, 1, 2, 3, 5, 9, 17, 33, 63]);
        assert_eq!(compared[8..].windows(2).map(|two| two[1] - two[0]).max(), Some(30));
        // After a calm minute at once again.
        compares.due(s(400));
        compares.answered();
        compares.want(id("a"), s(500));
        assert_eq!(compares.due(s(500)).len(), 1);
    }

    #[test]
    fn one_answer_is_out_at_a_time() {
        let mut compares = Compares::default();
        compares.want(id("a"), s(1));
        assert_eq!((compares.next(), compares.due(s(0)).len()), (Some(s(1)), 0));
        assert_eq!(compares.due(s(1)), BTreeSet::from([id("a")]));
        compares.want(id("a"), s(2));
        compares.want(id("b"), s(2));
        assert_eq!((compares.next(), compares.due(s(9)).len()), (None, 0));
        assert!(compares.is_open(&id("a")) && compares.is_open(&id("b")));
        compares.answered();
        compares.forget(&id("b"));
        assert!(!compares.is_open(&id("b")));
        assert_eq!(compares.due(s(2)), BTreeSet::from([id("a")]));
    }
}
