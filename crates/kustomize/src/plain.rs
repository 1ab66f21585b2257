//! What a plain YAML scalar is to kustomize.
//!
//! kustomize moves values as texts and lets its YAML parser (go-yaml v3) say at the end what they are: a text put where a number was must
//! read as a number, and one put into a field that was not there becomes what it looks like.

use serde_json::{Number, Value};

use crate::scalar;
use crate::trouble::{Outcome, Trouble};

/// What kind of scalar a field is; its text may change, this does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// None yet: whatever the text looks like.
    Open,
    Text,
    Whole,
    Float,
    Flag,
    Null,
}

impl Tag {
    /// That of a scalar; `None` for lists and mappings.
    pub fn of(value: &Value) -> Option<Tag> {
        match value {
            Value::Null => Some(Tag::Null),
            Value::Bool(_) => Some(Tag::Flag),
            Value::Number(number) if number.is_f64() => Some(Tag::Float),
            Value::Number(_) => Some(Tag::Whole),
            Value::String(_) => Some(Tag::Text),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The scalar of this kind that has a text.
    ///
    /// # Errors
    ///
    /// Where the text is not of the kind. The text is not quoted, as it may be secret.
    pub fn read(self, text: &str) -> Outcome<Value> {
        if self == Tag::Text {
            return Ok(Value::String(text.to_owned()));
        }
        let value = resolve(text);
        let is = Tag::of(&value).unwrap_or(Tag::Text);
        match self == Tag::Open || self == is || (self == Tag::Float && is == Tag::Whole) {
            true => Ok(value),
            false => Err(Trouble::new(format!(
                "{} cannot take the place of {}",
                is.name(),
                self.name()
            ))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Tag::Open => "anything",
            Tag::Text => "text",
            Tag::Whole => "a whole number",
            Tag::Float => "a fraction",
            Tag::Flag => "a boolean",
            Tag::Null => "null",
        }
    }
}

/// A value put where a scalar of some text may be: the text of the scalar, nothing for a list or mapping.
pub(crate) fn text(value: &Value) -> String {
    scalar::text(value).into_owned()
}

/// What a plain scalar is to go-yaml v3.
pub(crate) fn resolve(text: &str) -> Value {
    let string = || Value::String(text.to_owned());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => text.parse().ok().and_then(float).unwrap_or_else(string),
        Some(b'0'..=b'9' | b'+' | b'-') => match date(text) {
            Some(date) => Value::String(date),
            None => number(&text.replace('_', "")).unwrap_or_else(string),
        },
        _ => string(),
    }
}

fn float(float: f64) -> Option<Value> {
    Number::from_f64(float).map(Value::Number)
}

fn number(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if let Some(size) = whole(digits) {
        let signed = match negative {
            true => 0i64.checked_sub_unsigned(size).map(Value::from),
            false => Some(Value::from(size)),
        };
        if signed.is_some() {
            return signed;
        }
    }
    let is_float = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    text.parse().ok().filter(|_| is_float).and_then(float)
}

/// A whole number without sign, in the bases that Go knows.
fn whole(digits: &str) -> Option<u64> {
    let (digits, base) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (digits.get(2..)?, 16),
        [b'0', b'o' | b'O', ..] => (digits.get(2..)?, 8),
        [b'0', b'b' | b'B', ..] => (digits.get(2..)?, 2),
        [b'0', _, ..] => (digits.get(1..)?, 8),
        _ => (digits, 10),
    };
    // `from_str_radix` would take a second sign.
    let unsigned = digits.starts_with(|first: char| first.is_ascii_hexdigit());
    u64::from_str_radix(digits, base).ok().filter(|_| unsigned)
}

/// The time that a date alone is taken for. Dates with a time stay as they are, as far as Kubernetes writes them.
fn date(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits =
        |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.next().is_some() || year.len() != 4 || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    let (year, month, day): (u32, u32, u32) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days)
        .contains(&day)
        .then(|| format!("{year:04}-{month:02}-{day:02}T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_are_what_go_yaml_3_takes_them_for() {
        let rows = [
            ("", json!(null)),
            ("~", json!(null)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("8080", json!(8080)),
            ("+5", json!(5)),
            ("-5", json!(-5)),
            ("1_000", json!(1000)),
            ("0644", json!(420)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("08", json!(8.0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.50", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("1:30", json!("1:30")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            ("--5", json!("--5")),
            ("0x+1", json!("0x+1")),
            ("- a", json!("- a")),
            (" 8080", json!(" 8080")),
            ("2001-01-01", json!("2001-01-01T00:00:00Z")),
            ("2001-02-30", json!("2001-02-30")),
            ("1\n2", json!("1\n2")),
            (".inf", json!(".inf")),
        ];
        for (text, value) in rows {
            assert_eq!(resolve(text), value, "{text}");
        }
    }

    #[test]
    fn what_a_field_is_stays() {
        assert_eq!(Tag::Text.read("8080"), Ok(json!("8080")));
        assert_eq!(Tag::Whole.read("0644"), Ok(json!(420)));
        assert_eq!(Tag::Float.read("8"), Ok(json!(8)));
        assert_eq!(Tag::Null.read(""), Ok(json!(null)));
        for (tag, text) in [
            (Tag::Whole, "1.5"),
            (Tag::Whole, "hello"),
            (Tag::Flag, "yes"),
            (Tag::Null, "a"),
            (Tag::Float, ""),
        ] {
            assert!(tag.read(text).is_err(), "{tag:?} {text}");
        }
    }
}
