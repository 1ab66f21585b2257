//! Points in time, as Go reads and writes them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time with its offset from UTC, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    nanos: u32,
    /// Minutes east of UTC.
    offset: i16,
}

impl Timestamp {
    /// Reads RFC 3339, such as `2026-11-28T20:49:10Z`.
    pub fn rfc3339(text: &str) -> Option<Timestamp> {
        let time = Timestamp::with_zone(text, "T", 2)?;
        (text.as_bytes().get(10) == Some(&b'T')).then_some(time)
    }

    /// Reads what YAML takes for a point in time when it stands there without quotes: the four layouts of go-yaml v3.
    pub(crate) fn yaml(text: &str) -> Option<Timestamp> {
        let number = text.bytes().take_while(u8::is_ascii_digit).count();
        if number != 4 || text.as_bytes().get(4) != Some(&b'-') {
            return None;
        }
        Timestamp::with_zone(text, "T", 1)
            .or_else(|| Timestamp::with_zone(text, "t", 1))
            .or_else(|| Timestamp::without_zone(text))
    }

    fn with_zone(text: &str, letter: &str, least: usize) -> Option<Timestamp> {
        let (mut time, rest) = date(text, least)?;
        let rest = clock(&mut time, rest.strip_prefix(letter)?)?;
        if rest == "Z" {
            return time.checked();
        }
        let sign = match rest.as_bytes() {
            [b'+', _, _, b':', _, _] => 1,
            [b'-', _, _, b':', _, _] => -1,
            _ => return None,
        };
        let (hours, _) = digits(rest.get(1..3)?, 2, 2)?;
        let (minutes, _) = digits(rest.get(4..6)?, 2, 2)?;
        if hours > 23 || minutes > 60 {
            return None;
        }
        time.offset = sign * (hours * 60 + minutes) as i16;
        time.checked()
    }

    fn without_zone(text: &str) -> Option<Timestamp> {
        let (mut time, rest) = date(text, 1)?;
        if rest.is_empty() {
            return time.checked();
        }
        let rest = clock(&mut time, rest.strip_prefix(' ')?.trim_start_matches(' '))?;
        if rest.is_empty() { time.checked() } else { None }
    }

    fn checked(self) -> Option<Timestamp> {
        let good = (1..=12).contains(&self.month)
            && self.day >= 1
            && self.day <= days(self.year, self.month)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        good.then_some(self)
    }

    /// The second that `time` falls in, in UTC. Before 1970 and after 9999 there is nothing to encrypt.
    pub(crate) fn of(time: SystemTime) -> Timestamp {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut left = (seconds / 86_400).min(2_932_896);
        let mut year = 1970u16;
        loop {
            let length = if days(year, 2) == 29 { 366 } else { 365 };
            if left < length {
                break;
            }
            left -= length;
            year += 1;
        }
        let mut month = 1u8;
        while left >= u64::from(days(year, month)) {
            left -= u64::from(days(year, month));
            month += 1;
        }
        let second = seconds % 86_400;
        Timestamp {
            year,
            month,
            day: left as u8 + 1,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            nanos: 0,
            offset: 0,
        }
    }

    /// RFC 3339 without fractions of a second: what stands in `lastmodified` and vouches for the MAC.
    pub(crate) fn to_the_second(self) -> String {
        Timestamp { nanos: 0, ..self }.to_string()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with as many digits of the second as there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timestamp {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanos,
            offset,
        } = *self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if nanos > 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        if offset == 0 {
            return f.write_str("Z");
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn days(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A number of `least` to `most` digits, and what comes after it.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if length < least {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

/// Month and day have `least` digits or two.
fn date(text: &str, least: usize) -> Option<(Timestamp, &str)> {
    let (year, rest) = digits(text, 4, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, least, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, least, 2)?;
    let time = Timestamp {
        year: year as u16,
        month: month as u8,
        day: day as u8,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        offset: 0,
    };
    Some((time, rest))
}

/// Go takes one digit or two for each of these in every layout, and a fraction even where the layout has none.
fn clock<'t>(time: &mut Timestamp, text: &'t str) -> Option<&'t str> {
    let (hour, rest) = digits(text, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 1, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 1, 2)?;
    time.hour = hour as u8;
    time.minute = minute as u8;
    time.second = second as u8;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return Some(rest);
    };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return None;
    }
    let known = &fraction[..length.min(9)];
    time.nanos = format!("{known:0<9}").parse().ok()?;
    Some(&fraction[length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layouts_of_go_yaml() {
        for (text, is) in [
            ("2001-12-14T21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
            ("2001-1-2t3:4:5Z", Some("2001-01-02T03:04:05Z")),
            ("2001-12-14 21:59:43.10", Some("2001-12-14T21:59:43.1Z")),
            ("2002-12-14", Some("2002-12-14T00:00:00Z")),
            ("2001-12-14T21:59:43+00:00", Some("2001-12-14T21:59:43Z")),
            ("2001-12-14 21:59:43.10 -5", None),
            ("2001-02-30", None),
            ("201-02-03", None),
            ("2001-12-14T21:59", None),
        ] {
            let read = Timestamp::yaml(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), is, "{text}");
        }
    }

    #[test]
    fn the_time_of_a_clock() {
        let time = UNIX_EPOCH + std::time::Duration::from_secs(1_709_210_096);
        assert_eq!(Timestamp::of(time).to_string(), "2024-02-29T12:34:56Z");
    }
}
