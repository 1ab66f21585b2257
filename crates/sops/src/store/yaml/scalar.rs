//! What a scalar means: `resolve.go` of go-yaml v3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::numbers;
use crate::text::Text;
use crate::time::Timestamp;
use crate::tree::Value;

/// A scalar without quotes and tag.
pub(super) enum Plain {
    Value(Value),
    /// An integer that SOPS cannot encrypt.
    Beyond,
    Text,
}

pub(super) fn plain(text: &str) -> Plain {
    let is = Plain::Value;
    match text {
        "true" | "True" | "TRUE" => return is(Value::Bool(true)),
        "false" | "False" | "FALSE" => return is(Value::Bool(false)),
        "" | "~" | "null" | "Null" | "NULL" => return is(Value::Null),
        ".nan" | ".NaN" | ".NAN" => return is(Value::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return is(Value::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return is(Value::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'.' => numbers::float(text).map_or(Plain::Text, |number| is(Value::Float(number))),
        b'0'..=b'9' | b'+' | b'-' => number(text),
        _ => Plain::Text,
    }
}

fn number(text: &str) -> Plain {
    if let Some(time) = Timestamp::yaml(text) {
        return Plain::Value(Value::Time(time));
    }
    let bare = Zeroizing::new(text.replace('_', ""));
    if let Some(number) = numbers::integer(&bare) {
        return Plain::Value(Value::Int(number));
    }
    if numbers::beyond(&bare) {
        return Plain::Beyond;
    }
    match is_float(&bare).then(|| numbers::float(&bare)).flatten() {
        Some(number) => Plain::Value(Value::Float(number)),
        None => Plain::Text,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &mut &str| {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let some = rest.len() < text.len();
        *text = rest;
        some
    };
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole = digits(&mut rest);
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        if !digits(&mut rest) && !whole {
            return false;
        }
    } else if !whole {
        return false;
    }
    if let Some(after) = rest.strip_prefix(['e', 'E']) {
        rest = after.strip_prefix(['+', '-']).unwrap_or(after);
        return digits(&mut rest) && rest.is_empty();
    }
    rest.is_empty()
}

/// The value of a scalar with its tag, if it has one.
pub(super) fn value(text: Text, plain_style: bool, tag: Option<&str>) -> Result<Value, &'static str> {
    let beyond = "an integer of more than 63 bits, which SOPS cannot encrypt; put it in quotes";
    let resolved = match text.as_str() {
        Some(text) => plain(text),
        None => Plain::Text,
    };
    match tag {
        None | Some("!") if !plain_style => Ok(Value::Text(text)),
        None | Some("!") => match resolved {
            Plain::Value(value) => Ok(value),
            Plain::Beyond => Err(beyond),
            Plain::Text => Ok(Value::Text(text)),
        },
        Some("!!str") => Ok(Value::Text(text)),
        Some("!!binary") => {
            let bare: Vec<u8> = text
                .as_bytes()
                .iter()
                .copied()
                .filter(|byte| !matches!(byte, b'\r' | b'\n'))
                .collect();
            let bare = Zeroizing::new(bare);
            let bytes = STANDARD.decode(&*bare).map_err(|_| "`!!binary`, and not base64")?;
            Ok(Value::Text(bytes.into()))
        }
        Some(tag @ ("!!null" | "!!bool" | "!!int" | "!!float" | "!!timestamp")) => match (tag, resolved) {
            ("!!null", Plain::Value(Value::Null)) => Ok(Value::Null),
            ("!!bool", Plain::Value(value @ Value::Bool(_))) => Ok(value),
            ("!!int", Plain::Value(value @ Value::Int(_))) => Ok(value),
            ("!!float", Plain::Value(value @ Value::Float(_))) => Ok(value),
            ("!!float", Plain::Value(Value::Int(number))) => Ok(Value::Float(number as f64)),
            ("!!timestamp", Plain::Value(value @ Value::Time(_))) => Ok(value),
            _ => Err("a value that is not what its tag says"),
        },
        // SOPS does not keep other tags.
        Some(_) => Ok(Value::Text(text)),
    }
}

/// Whether a text must be in quotes lest it be read as something else, by this reader or by one of YAML 1.1.
pub(super) fn needs_quotes(text: &str) -> bool {
    !matches!(plain(text), Plain::Text) || is_sexagesimal(text) || is_old_bool(text)
}

fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF"
    )
}

/// `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`
fn is_sexagesimal(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (rest, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut parts = rest.split(':');
    let first = parts.next().unwrap_or_default();
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut rest = parts.peekable();
    first.starts_with(|c: char| c.is_ascii_digit())
        && number(first)
        && number(fraction)
        && rest.peek().is_some()
        && rest.all(|part| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']))
}
