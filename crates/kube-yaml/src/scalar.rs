//! What a plain scalar means. The rules are those of go-yaml v2 (`resolve.go`), which Kubernetes uses.

use std::borrow::Cow;

use serde_json::Value;

/// A scalar with its YAML 1.1 type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

/// Spellings with a meaning of their own.
const WORDS: &[(&[&str], Scalar<'static>)] = &[
    (&["", "~", "null", "Null", "NULL"], Scalar::Null),
    (
        &["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"],
        Scalar::Bool(true),
    ),
    (
        &[
            "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF",
        ],
        Scalar::Bool(false),
    ),
    (&[".nan", ".NaN", ".NAN"], Scalar::Float(f64::NAN)),
    (
        &[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"],
        Scalar::Float(f64::INFINITY),
    ),
    (&["-.inf", "-.Inf", "-.INF"], Scalar::Float(f64::NEG_INFINITY)),
];

/// Whose rules say what a plain scalar means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dialect {
    /// Kubernetes: go-yaml v2.
    #[default]
    Kubernetes,
    /// kustomize where it reads objects: go-yaml v3, whose result is written and read again.
    Kustomize,
    /// The same of a patch, where a null says that something is to go.
    KustomizePatch,
}

impl Dialect {
    /// The type of a plain scalar.
    pub(crate) fn resolve(self, text: Cow<'_, str>) -> Scalar<'_> {
        match (self, text.as_bytes().first()) {
            // Only `true` and `false` are booleans in v3.
            (Self::Kustomize | Self::KustomizePatch, Some(b'y' | b'Y' | b'n' | b'N' | b'o' | b'O'))
                if !matches!(&*text, "null" | "Null" | "NULL") =>
            {
                Scalar::Text(text)
            }
            // A date becomes a point in time, and is written as one.
            (Self::Kustomize | Self::KustomizePatch, Some(b'0'..=b'9')) => {
                match looks_like_date(&text).then(|| moment(&text)).flatten() {
                    Some(moment) => Scalar::Text(Cow::Owned(moment)),
                    None => resolve(text),
                }
            }
            _ => resolve(text),
        }
    }
}

/// A date, or a date and a time, as Go writes it (RFC 3339). `None` where go-yaml v3 takes it for text.
fn moment(text: &str) -> Option<String> {
    let mut rest = text;
    let mut number = |most: usize, until: &[char]| -> Option<u32> {
        let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (head, tail) = rest.split_at_checked(digits)?;
        let value = head.parse().ok()?;
        rest = match until {
            [] => tail,
            until => tail.strip_prefix(until)?,
        };
        Some(value)
    };
    let (year, month) = (number(4, &['-'])?, number(2, &['-'])?);
    let day = number(2, &[])?;
    let february = if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) {
        29
    } else {
        28
    };
    let days = match month {
        2 => february,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some(separator) = rest.chars().next() else {
        return Some(format!("{date}T00:00:00Z"));
    };
    rest = rest.strip_prefix(['T', 't', ' '])?;
    let mut number = |until: &[char]| -> Option<u32> {
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let (head, tail) = rest.split_at_checked(digits)?;
        let value = head.parse().ok()?;
        rest = if until.is_empty() {
            tail
        } else {
            tail.strip_prefix(until)?
        };
        Some(value)
    };
    let (hour, minute, second) = (number(&[':'])?, number(&[':'])?, number(&[])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let digits = rest
        .strip_prefix(['.', ','])
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, zone) = rest.split_at_checked(if digits == 0 { 0 } else { digits + 1 })?;
    let fraction = fraction.get(1..).unwrap_or_default();
    let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let fraction = if fraction.is_empty() {
        String::new()
    } else {
        format!(".{fraction}")
    };
    let zone = match (separator, zone) {
        (' ', "") | ('T' | 't', "Z" | "+00:00" | "-00:00") => "Z",
        ('T' | 't', zone) if is_offset(zone) => zone,
        _ => return None,
    };
    Some(format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

/// Whether go-yaml takes a plain scalar for a point in time: a date, or a date and a time.
pub(crate) fn is_date_of_go(text: &str) -> bool {
    let is_four = text.bytes().take_while(u8::is_ascii_digit).count() == 4 && text.as_bytes().get(4) == Some(&b'-');
    is_four && moment(text).is_some()
}

/// `+hh:mm` or `-hh:mm`.
fn is_offset(zone: &str) -> bool {
    let digits = |at: usize| zone.get(at..at + 2).and_then(|two| two.parse::<u32>().ok());
    zone.len() == 6
        && zone.starts_with(['+', '-'])
        && zone.as_bytes().get(3) == Some(&b':')
        && digits(1).is_some_and(|hours| hours <= 24)
        && digits(4).is_some_and(|minutes| minutes < 60)
}

/// The type of a plain scalar. What is nothing else is text.
pub(crate) fn resolve(text: Cow<'_, str>) -> Scalar<'_> {
    let first = text.as_bytes().first().copied();
    // Most scalars end here: nothing but these characters begins a word or a number.
    if !matches!(
        first,
        None | Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' | b'.' | b'+' | b'-')
            | Some(b'0'..=b'9')
    ) {
        return Scalar::Text(text);
    }
    // The longest word has five letters.
    if text.len() <= 5
        && let Some((_, meaning)) = WORDS.iter().find(|(words, _)| words.contains(&&*text))
    {
        return meaning.clone();
    }
    let number = match first {
        Some(b'.') => float(&text),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let plain: Cow<'_, str> = match text.contains('_') {
                true => Cow::Owned(text.replace('_', "")),
                false => Cow::Borrowed(&*text),
            };
            integer(&plain).or_else(|| float(&plain))
        }
        _ => None,
    };
    number.unwrap_or(Scalar::Text(text))
}

/// An integer as Go's `strconv.ParseInt(text, 0, 64)` reads it, else as `ParseUint` does: prefixes
/// `0x`, `0b`, `0o`, and a leading zero for octal.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // from_str_radix would take a second sign.
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(value)) => Some(Scalar::Int(value)),
        (true, Ok(value)) => Some(Scalar::Int(-value)),
        (true, Err(_)) if magnitude == i64::MIN.unsigned_abs() => Some(Scalar::Int(i64::MIN)),
        (false, Err(_)) if !signed => Some(Scalar::Uint(magnitude)),
        _ => None,
    }
}

/// A float in the spelling that YAML knows. One too large for an `f64` is text, as in Go.
fn float(text: &str) -> Option<Scalar<'static>> {
    if !is_float_spelling(text) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Scalar::Float(value))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float_spelling(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

/// A float as the JSON number that Kubernetes makes of it: Go writes 1.0 and 1e3 as `1` and `1000`, and
/// reads what looks like an integer and fits as an integer. `None` for infinities and NaN.
pub(crate) fn number(value: f64) -> Option<Value> {
    if value.fract() == 0.0
        && value.abs() < 1e19
        && let Ok(whole) = format!("{value}").parse::<i64>()
    {
        return Some(Value::from(whole));
    }
    serde_json::Number::from_f64(value).map(Value::Number)
}

impl Scalar<'_> {
    /// As a JSON value. `None` for infinities and NaN, which JSON does not have.
    pub(crate) fn into_value(self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::from(value),
            // The JSON decoder of Kubernetes knows i64 and f64 only.
            Self::Uint(value) => return number(value as f64),
            Self::Float(value) => return number(value),
            Self::Text(text) => Value::String(text.into_owned()),
        })
    }

    /// As the key of a JSON object. `None` for null and for integers above `i64::MAX`, which
    /// Kubernetes refuses as keys.
    pub(crate) fn into_key(self) -> Option<String> {
        match self {
            Self::Null | Self::Uint(_) => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(float_key(value)),
            Self::Text(text) => Some(text.into_owned()),
        }
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, which sigs.k8s.io/yaml uses for keys.
fn float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        -4..=5 => value.to_string(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

/// Whether some YAML reader, 1.1 or 1.2, would take this text for something else than text if it stood
/// there without quotes.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    if matches!(text, "=" | "<<") || !matches!(resolve(Cow::Borrowed(text)), Scalar::Text(_)) {
        return true;
    }
    looks_like_number(text) || looks_like_date(text)
}

/// Numbers of any size in any notation, base 60 (`12:30:45`) too.
fn looks_like_number(text: &str) -> bool {
    let plain = text.replace('_', "");
    if is_float_spelling(&plain) {
        return true;
    }
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    if let [b'0', base, rest @ ..] = digits.as_bytes()
        && matches!(base, b'x' | b'X' | b'o' | b'O' | b'b' | b'B')
    {
        return rest.iter().all(u8::is_ascii_hexdigit);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    whole.contains(':')
        && all_digits(first)
        && parts.all(|p| all_digits(p) && p.len() <= 2 && (p.len() == 1 || p.as_bytes()[0] < b'6'))
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

/// `2026-01-31`, alone or with a time after it.
pub(crate) fn looks_like_date(text: &str) -> bool {
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let Some(month) = text
        .get(4..)
        .filter(|_| digits(text) == 4)
        .and_then(|s| s.strip_prefix('-'))
    else {
        return false;
    };
    let Some(day) = month
        .get(digits(month)..)
        .filter(|_| (1..=2).contains(&digits(month)))
        .and_then(|s| s.strip_prefix('-'))
    else {
        return false;
    };
    let rest = &day[digits(day)..];
    (1..=2).contains(&digits(day)) && (rest.is_empty() || rest.starts_with(['T', 't', ' ']))
}

#[cfg(test)]
mod kustomize_tests {
    use super::*;

    /// Read off kustomize 5.8.1.
    #[test]
    fn what_plain_scalars_mean_to_kustomize() {
        for (text, expected) in [
            ("yes", Scalar::Text("yes".into())),
            ("on", Scalar::Text("on".into())),
            ("n", Scalar::Text("n".into())),
            ("TRUE", Scalar::Bool(true)),
            ("false", Scalar::Bool(false)),
            ("Null", Scalar::Null),
            ("~", Scalar::Null),
            ("0644", Scalar::Int(420)),
            ("1:30", Scalar::Text("1:30".into())),
            ("2020-01-01", Scalar::Text("2020-01-01T00:00:00Z".into())),
            ("2020-01-01 10:00:00", Scalar::Text("2020-01-01T10:00:00Z".into())),
            ("2020-02-30", Scalar::Text("2020-02-30".into())),
            (
                "2001-12-14t21:59:43.10-05:00",
                Scalar::Text("2001-12-14T21:59:43.1-05:00".into()),
            ),
            ("2020-01-01T10:00:00", Scalar::Text("2020-01-01T10:00:00".into())),
            ("2020-1-2T1:2:3Z", Scalar::Text("2020-01-02T01:02:03Z".into())),
            ("1.10", Scalar::Float(1.1)),
        ] {
            assert_eq!(Dialect::Kustomize.resolve(text.into()), expected, "{text}");
        }
    }
}
