//! Work on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Most threads: beyond that reading packs no longer gets faster.
const MOST_THREADS: usize = 8;

/// Does something with each item on several threads; each thread begins with a value of its own, and takes `run` neighbours at
/// a time. The results are in the order of the items.
pub(super) fn spread<T: Sync, S, R: Send>(
    items: &[T],
    run: usize,
    begin: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    let runs: Vec<&[T]> = items.chunks(run.max(1)).collect();
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let next = AtomicUsize::new(0);
    let labour = || {
        let mut done = Vec::new();
        let mut own = None;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(items) = runs.get(index) else { return done };
            let own = own.get_or_insert_with(&begin);
            let results: Vec<R> = items.iter().map(|item| work(own, item)).collect();
            done.push((index, results));
        }
    };
    let mut done: Vec<(usize, Vec<R>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.min(MOST_THREADS).min(runs.len()))
            .map(|_| scope.spawn(labour))
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept() {
        let items: Vec<usize> = (0..1000).collect();
        let doubled = spread(
            &items,
            7,
            || 0,
            |seen, item| {
                *seen += 1;
                item * 2
            },
        );
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(spread(&[] as &[u8], 7, || (), |(), _| 0).is_empty());
    }
}
