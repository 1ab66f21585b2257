//! How long to wait before a step is sent again.

use std::time::Duration;

/// The first wait.
const BASE: Duration = Duration::from_millis(100);
/// The longest wait that we choose ourselves; a server's Retry-After may be longer.
const CAP: Duration = Duration::from_secs(10);

/// The wait after the given attempt (from 1) of a step: doubled at each attempt from 100 ms to 10 s, of which a half to all is
/// taken, so that steps that were refused together do not come back together. Never shorter than the server asked for.
///
/// The jitter is drawn from step and attempt, so that a run can be played again.
pub fn backoff(step: u32, attempt: u32, asked: Option<Duration>) -> Duration {
    let whole = BASE.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(CAP);
    let share = mixed((u64::from(step) << 32) | u64::from(attempt)) % 1024;
    let jittered = whole / 2 + whole.mul_f64(share as f64 / 2048.0);
    jittered.max(asked.unwrap_or_default())
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads a counter over all 64 bits.
pub fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_cap_and_stays_within_its_jitter() {
        for (attempt, whole) in [(1, 100), (2, 200), (3, 400), (7, 6_400), (8, 10_000), (60, 10_000)] {
            for step in 0..200 {
                let wait = backoff(step, attempt, None).as_millis();
                assert!((whole / 2..=whole).contains(&wait), "attempt {attempt}: {wait} ms");
            }
        }
    }

    #[test]
    fn what_the_server_asks_for_is_kept_to() {
        let asked = Duration::from_secs(30);
        assert_eq!(backoff(1, 1, Some(asked)), asked);
        assert!(backoff(1, 9, Some(Duration::from_secs(1))) >= Duration::from_secs(5));
    }

    #[test]
    fn steps_are_spread() {
        let waits: std::collections::BTreeSet<_> = (0..100).map(|step| backoff(step, 8, None)).collect();
        assert!(waits.len() > 80, "{} different waits of 100", waits.len());
    }
}
