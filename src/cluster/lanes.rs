//! Comparing many objects: shared out to threads, since reading and comparing them keeps a processor busy.

use std::collections::BTreeMap;
use std::thread::{self, available_parallelism};

use futures::StreamExt;
use tokio::runtime::Handle;

use super::Cluster;
use super::compare::{Answer, CompareOptions, Question};
use crate::object::LiveSet;

/// A thread more for each so many questions.
const WORTH_A_THREAD: usize = 50;

impl Cluster {
    /// The answers, in any order.
    pub(super) async fn answers<'a>(
        &'a self,
        questions: Vec<Question<'a>>,
        live: Option<&'a LiveSet>,
        options: CompareOptions,
    ) -> Vec<(Question<'a>, Answer)> {
        let threads = available_parallelism().map_or(1, usize::from);
        let key = |question: &Question<'a>| {
            let id = &question.declared.id;
            (&*id.group, &*id.kind, id.namespace.as_deref())
        };
        // One list may answer all that is asked about a kind in a namespace.
        let mut lanes = shared_out(questions, threads, key);
        lanes.retain(|lane| !lane.is_empty());
        let at_once = self.in_flight().div_ceil(lanes.len().max(1));
        let lane = async |questions| {
            let asked = self.told(questions, live).map(|(question, told)| async move {
                let answer = self.compare_one(&question, told, options).await;
                (question, answer)
            });
            asked.buffer_unordered(at_once).collect::<Vec<_>>().await
        };
        if lanes.len() < 2 {
            return lane(lanes.pop().unwrap_or_default()).await;
        }
        let (runtime, lane) = (Handle::current(), &lane);
        let threads = || {
            thread::scope(|scope| {
                let lanes = lanes.into_iter().map(|questions| {
                    let runtime = runtime.clone();
                    scope.spawn(move || runtime.block_on(lane(questions)))
                });
                let lanes: Vec<_> = lanes.collect();
                let lanes = lanes.into_iter().map(|lane| match lane.join() {
                    Ok(answers) => answers,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                lanes.flatten().collect()
            })
        };
        tokio::task::block_in_place(threads)
    }
}

/// Shares things out to so many lanes at most, those of one key to one. There is at least one lane.
fn shared_out<T, K: Ord>(things: Vec<T>, most: usize, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let count = most.min(things.len() / WORTH_A_THREAD).max(1);
    let mut together: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for thing in things {
        together.entry(key(&thing)).or_default().push(thing);
    }
    let mut together: Vec<Vec<T>> = together.into_values().collect();
    together.sort_by_key(|things| std::cmp::Reverse(things.len()));
    let mut lanes: Vec<Vec<T>> = std::iter::repeat_with(Vec::new).take(count).collect();
    for things in together {
        if let Some(least) = lanes.iter_mut().min_by_key(|lane| lane.len()) {
            least.extend(things);
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_stays_and_the_rest_is_shared_evenly() {
        let things = |counts: &[usize]| -> Vec<usize> {
            let keys = counts.iter().enumerate();
            keys.flat_map(|(key, count)| std::iter::repeat_n(key, *count)).collect()
        };
        let lanes = |counts: &[usize], most| -> Vec<Vec<usize>> {
            let lanes = shared_out(things(counts), most, |key| *key).into_iter();
            lanes
                .map(|mut lane| {
                    lane.dedup();
                    lane
                })
                .collect()
        };
        assert_eq!(lanes(&[60, 10, 20, 50], 2), [[0, 1], [3, 2]]);
        assert_eq!(
            lanes(&[60, 10, 20, 50], 4),
            lanes(&[60, 10, 20, 50], 2),
            "it is not worth more"
        );
        assert_eq!(lanes(&[60, 10], 1), [[0, 1]]);
        assert_eq!(lanes(&[200], 2), [vec![0], Vec::new()], "one list answers them all");
        assert_eq!(lanes(&[], 2), [Vec::<usize>::new()]);
    }
}
