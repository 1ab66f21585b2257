//! How Go's `fmt` and `encoding/json` write values.

use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

use super::bounds::LONGEST;
use super::{Failure, Value};

/// Levels of a value that is written. A map may hold itself.
const DEEPEST: usize = 400;

/// A value as `%v` writes it.
pub(crate) fn display(value: &Value) -> Result<String, Failure> {
    let mut out = String::new();
    write_value(value, &mut out, 0)?;
    Ok(out)
}

fn check(out: &str, depth: usize) -> Result<(), Failure> {
    if depth > DEEPEST {
        return Err(Failure::new(format!("a value has more than {DEEPEST} levels")));
    }
    match out.len() > LONGEST {
        true => Err(Failure::new(format!("a value is longer than {LONGEST} bytes"))),
        false => Ok(()),
    }
}

fn write_value(value: &Value, out: &mut String, depth: usize) -> Result<(), Failure> {
    check(out, depth)?;
    match value {
        Value::Absent | Value::Nil => out.push_str("<nil>"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) | Value::Int64(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Float(number) => out.push_str(&float(*number)),
        Value::Text(text) => out.push_str(text),
        Value::List(_) | Value::Texts(_) | Value::Ints(_) => {
            out.push('[');
            for (at, item) in value.items().into_iter().flatten().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                write_value(&item, out, depth + 1)?;
            }
            out.push(']');
        }
        Value::Map(_) | Value::TextMap(_) => {
            out.push_str("map[");
            for (at, (key, item)) in value.entries().into_iter().flatten().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                out.push_str(&key);
                out.push(':');
                write_value(&item, out, depth + 1)?;
            }
            out.push(']');
        }
    }
    Ok(())
}

/// The shortest digits of a float: sign, digits, and the power of ten of the first.
fn digits(number: f64) -> (bool, String, i32) {
    let text = format!("{:e}", number.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (
        number.is_sign_negative(),
        digits.replace('.', ""),
        exponent.parse().unwrap_or(0),
    )
}

fn special(number: f64) -> Option<&'static str> {
    match number {
        n if n.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// A float as `%v` and `%g` write it.
pub(crate) fn float(number: f64) -> String {
    if let Some(name) = special(number) {
        return name.to_owned();
    }
    let (negative, digits, exponent) = digits(number);
    // Exponents from 6 on, and below -4, are written as such.
    let text = match number == 0.0 || (-4..6).contains(&exponent) {
        true => positional(&digits, exponent),
        false => exponential(&digits, exponent, 2),
    };
    if negative { format!("-{text}") } else { text }
}

fn positional(digits: &str, exponent: i32) -> String {
    let Ok(whole) = usize::try_from(exponent + 1) else {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        return format!("0.{}{digits}", "0".repeat(zeros));
    };
    match (whole, digits.len()) {
        (0, _) => format!("0.{digits}"),
        (whole, len) if whole >= len => format!("{digits}{}", "0".repeat(whole - len)),
        (whole, _) => format!("{}.{}", &digits[..whole], &digits[whole..]),
    }
}

fn exponential(digits: &str, exponent: i32, least: usize) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:0least$}", exponent.unsigned_abs())
}

/// A float as JSON has it (`encoding/json`, `floatEncoder`).
fn json_float(number: f64) -> Option<String> {
    if special(number).is_some() {
        return None;
    }
    let (negative, digits, exponent) = digits(number);
    let text = match number == 0.0 || (-6..21).contains(&exponent) {
        true => positional(&digits, exponent),
        false => exponential(&digits, exponent, if exponent > 0 { 2 } else { 1 }),
    };
    Some(if negative { format!("-{text}") } else { text })
}

/// A value as JSON. `indent` spreads it over lines, `html` escapes what HTML has a meaning for.
pub(crate) fn json(value: &Value, indent: bool, html: bool) -> Result<String, Failure> {
    let mut out = String::new();
    write_json(value, &mut out, 0, indent, html)?;
    Ok(out)
}

fn write_json(value: &Value, out: &mut String, depth: usize, indent: bool, html: bool) -> Result<(), Failure> {
    check(out, depth)?;
    let line = |out: &mut String, depth: usize| {
        if indent {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
    };
    match value {
        Value::Absent | Value::Nil => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) | Value::Int64(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Float(number) => match json_float(*number) {
            Some(text) => out.push_str(&text),
            None => return Err(Failure::new("json: unsupported value")),
        },
        Value::Text(text) => json_text(text, out, html),
        Value::List(_) | Value::Texts(_) | Value::Ints(_) => {
            let items = value.items().unwrap_or_default();
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                write_json(item, out, depth + 1, indent, html)?;
            }
            if !items.is_empty() {
                line(out, depth);
            }
            out.push(']');
        }
        Value::Map(_) | Value::TextMap(_) => {
            let entries = value.entries().unwrap_or_default();
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                json_text(key, out, html);
                out.push_str(if indent { ": " } else { ":" });
                write_json(item, out, depth + 1, indent, html)?;
            }
            if !entries.is_empty() {
                line(out, depth);
            }
            out.push('}');
        }
    }
    Ok(())
}

fn json_text(text: &str, out: &mut String, html: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || matches!(c, '\u{2028}' | '\u{2029}') || html && matches!(c, '<' | '>' | '&') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A value as JSON data, with whole floats as integers.
pub(crate) fn to_json(value: &Value) -> Result<Json, Failure> {
    let text = json(value, false, false)?;
    serde_json::from_str(&text).map_err(|_| Failure::new("a value is no JSON"))
}

/// What Go calls printable: letters, marks, numbers, punctuation, symbols and the blank.
fn printable(c: char) -> bool {
    static PRINTABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$").ok());
    match c.is_ascii() {
        true => (' '..='~').contains(&c),
        false => PRINTABLE
            .as_ref()
            .is_some_and(|regex| regex.is_match(c.encode_utf8(&mut [0; 4]))),
    }
}

/// A text in double quotes, as `%q` writes it (`strconv.Quote`).
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        quote_char(c, '"', &mut out);
    }
    out.push('"');
    out
}

pub(crate) fn quote_char(c: char, quote: char, out: &mut String) {
    const NAMED: &[(char, &str)] = &[
        ('\u{7}', "\\a"),
        ('\u{8}', "\\b"),
        ('\u{c}', "\\f"),
        ('\n', "\\n"),
        ('\r', "\\r"),
        ('\t', "\\t"),
        ('\u{b}', "\\v"),
        ('\\', "\\\\"),
    ];
    let code = u32::from(c);
    let _ = match NAMED.iter().find(|(named, _)| *named == c) {
        Some((_, name)) => write!(out, "{name}"),
        None if c == quote => write!(out, "\\{c}"),
        None if printable(c) => write!(out, "{c}"),
        None if code < 0x80 => write!(out, "\\x{code:02x}"),
        None if code < 0x1_0000 => write!(out, "\\u{code:04x}"),
        None => write!(out, "\\U{code:08x}"),
    };
}
