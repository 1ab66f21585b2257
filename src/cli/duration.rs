//! Durations as people write them.

use std::time::Duration;

/// Reads `90s`, `10m`, `1h30m`, `250ms`: whole numbers, each with its unit, the bigger unit first.
///
/// # Errors
/// Says what is expected.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    read(text).ok_or_else(|| format!("{text:?} is no duration such as 90s, 10m or 1h30m"))
}

const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

fn read(text: &str) -> Option<Duration> {
    let mut millis: u64 = 0;
    let mut units = UNITS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let factor = units.find(|(name, _)| *name == unit)?.1;
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("90s", 90_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1h1m1s1ms", 3_661_001),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "10",
            "m",
            "5m1h",
            "1s1s",
            "-1s",
            "1.5m",
            "10 m",
            "99999999999999999999h",
            "10min",
            "ü",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
