//! Numbers as Go writes and reads them.

/// Without an exponent and with no more digits than needed: `strconv.FormatFloat(f, 'f', -1, 64)`.
pub(crate) fn plain(number: f64) -> String {
    special(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`: with an exponent from a million on, and below a ten-thousandth.
pub(crate) fn general(number: f64, letter: char) -> String {
    scientific(number, letter, -4, 6)
}

/// As `encoding/json` writes a number: with an exponent from 1e21 on, and below a millionth.
pub(crate) fn json(number: f64) -> String {
    let text = scientific(number, 'e', -6, 21);
    // One digit is enough where there is a minus.
    match text.split_once("e-0") {
        Some((digits, exponent)) => format!("{digits}e-{exponent}"),
        None => text,
    }
}

fn special(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

fn scientific(number: f64, letter: char, low: i32, high: i32) -> String {
    if let Some(text) = special(number) {
        return text.to_owned();
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if number == 0.0 || (low..high).contains(&exponent) {
        return plain(number);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{letter}{sign}{:02}", exponent.unsigned_abs())
}

/// `strconv.ParseFloat`, without hexadecimal.
pub(crate) fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    if !matches!(unsigned.as_str(), "inf" | "infinity" | "nan")
        && !unsigned.starts_with(|c: char| c == '.' || c.is_ascii_digit())
    {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    // Go says "value out of range" where this says infinity.
    (number.is_finite() || unsigned.starts_with(['i', 'n'])).then_some(number)
}

/// `strconv.ParseInt(text, 0, 64)`, with the base told by its prefix; the underscores are gone already.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (base, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let size = i128::from(u64::from_str_radix(digits, base).ok()?);
    i64::try_from(if negative { -size } else { size }).ok()
}

/// Whether a text is an integer beyond 63 bits that go-yaml still takes for one; SOPS cannot encrypt it.
pub(crate) fn beyond(text: &str) -> bool {
    let (base, digits) = match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &text[2..]),
        Some("0b") => (2, &text[2..]),
        Some("0o") => (8, &text[2..]),
        _ if text.len() > 1 && text.starts_with('0') => (8, &text[1..]),
        _ => (10, text),
    };
    digits.starts_with(|c: char| c.is_ascii_alphanumeric())
        && u64::from_str_radix(digits, base).is_ok_and(|n| n > i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_go_writes_them() {
        for (number, f, g, json_text) in [
            (1.0, "1", "1", "1"),
            (0.1, "0.1", "0.1", "0.1"),
            (100_000.0, "100000", "100000", "100000"),
            (1e6, "1000000", "1e+06", "1000000"),
            (1_234_567.5, "1234567.5", "1.2345675e+06", "1234567.5"),
            (1e-5, "0.00001", "1e-05", "0.00001"),
            (1e-7, "0.0000001", "1e-07", "1e-7"),
            (1e21, "1000000000000000000000", "1e+21", "1e+21"),
            (-0.0, "-0", "-0", "-0"),
        ] {
            assert_eq!(plain(number), f);
            assert_eq!(general(number, 'e'), g);
            assert_eq!(json(number), json_text);
        }
    }

    #[test]
    fn integers_as_go_reads_them() {
        for (text, number) in [
            ("0777", Some(511)),
            ("08", None),
            ("0x1F", Some(31)),
            ("-0b101", Some(-5)),
            ("0o17", Some(15)),
            ("+5", Some(5)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("0x", None),
            ("--1", None),
            ("", None),
        ] {
            assert_eq!(integer(text), number, "{text}");
        }
        assert!(beyond("9223372036854775808"));
        assert!(!beyond("9223372036854775807"));
    }
}
