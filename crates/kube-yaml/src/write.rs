//! Writing YAML: what `kubectl` prints, with the order of keys kept.
//!
//! Own code and not the serializer of serde-saphyr: the look is kubectl's to the letter (lists not
//! indented, never folded, never wrapped), and quoting is decided by the very rules that reading uses.

use std::io;

use serde_json::{Map, Value};

use crate::scalar::{is_ambiguous, number};
use crate::stream::{is_forbidden, is_old_line_end};

/// One document, without `---`, ending with a line feed.
///
/// Strings of several lines become `|` blocks; strings that some YAML reader (1.1 or 1.2) would take for
/// something else are quoted. Reading it back with [`crate::parse`] gives the same value, numbers as
/// Kubernetes knows them: `1.0` is written `1`.
///
/// ```
/// let value = serde_json::json!({"metadata": {"labels": {}}, "args": ["--port=80", "0644", "*"]});
/// assert_eq!(
///     kube_yaml::to_string(&value),
///     "metadata:\n  labels: {}\nargs:\n- --port=80\n- \"0644\"\n- '*'\n"
/// );
/// ```
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => write_list(&mut out, items, 0),
        Value::String(text) => {
            // A block at the top would have an indent that readers do not agree on.
            write_inline(&mut out, text);
            out.push('\n');
        }
        _ => {
            write_scalar(&mut out, value, 0);
            out.push('\n');
        }
    }
    out
}

/// Many documents, `---` between them.
pub fn write_stream<'a, W: io::Write>(mut out: W, values: impl IntoIterator<Item = &'a Value>) -> io::Result<()> {
    for (at, value) in values.into_iter().enumerate() {
        if at > 0 {
            out.write_all(b"---\n")?;
        }
        out.write_all(to_string(value).as_bytes())?;
    }
    out.flush()
}

/// A key of more characters than this does not fit on one line for YAML (1024, the quotes included).
const LONGEST_PLAIN_KEY: usize = 120;

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// The entries of a map, the first without indent: the caller stands there already.
fn write_map(out: &mut String, map: &Map<String, Value>, depth: usize) {
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            indent(out, depth);
        }
        let long = key.len() > LONGEST_PLAIN_KEY;
        if long {
            out.push_str("? ");
        }
        write_inline(out, key);
        if long {
            out.push('\n');
            indent(out, depth);
        }
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                indent(out, depth + 1);
                write_map(out, map, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                indent(out, depth);
                write_list(out, items, depth);
            }
            _ => {
                out.push(' ');
                write_scalar(out, value, depth + 1);
                out.push('\n');
            }
        }
    }
}

/// The items of a list, the first without indent.
fn write_list(out: &mut String, items: &[Value], depth: usize) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            indent(out, depth);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => write_map(out, map, depth + 1),
            Value::Array(items) if !items.is_empty() => write_list(out, items, depth + 1),
            _ => {
                write_scalar(out, item, depth + 1);
                out.push('\n');
            }
        }
    }
}

/// A scalar or an empty container. Lines of a block are indented to `depth`.
fn write_scalar(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => match value.as_f64().filter(|_| value.is_f64()).and_then(number) {
            Some(value) => out.push_str(&value.to_string()),
            None => out.push_str(&value.to_string()),
        },
        Value::String(text) if fits_block(text) => write_block(out, text, depth),
        Value::String(text) => write_inline(out, text),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// Whether a `|` block can hold the text so that every reader gives it back and an editor that trims
/// lines would not change it: several lines, none of them only of white space, none ending with it.
fn fits_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with(['\n', '\t'])
        && !text.contains(needs_escape)
        && text.lines().all(|line| !line.ends_with([' ', '\t']))
}

/// Characters that cannot stand in YAML as they are, or that YAML 1.1 takes for the end of a line.
fn needs_escape(c: char) -> bool {
    is_forbidden(c) || is_old_line_end(c) || matches!(c, '\r' | '\u{feff}')
}

fn write_block(out: &mut String, text: &str, depth: usize) {
    out.push('|');
    if text.starts_with(' ') {
        // Otherwise the spaces would be taken for the indent.
        out.push('2');
    }
    match text.strip_suffix('\n') {
        None => out.push('-'),
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
    }
}

/// A string on one line: plain where that is safe, else in quotes.
fn write_inline(out: &mut String, text: &str) {
    if text.contains(|c| c == '\n' || c == '\t' || needs_escape(c)) || is_ambiguous(text) {
        write_double_quoted(out, text);
    } else if needs_quotes(text) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        out.push_str(text);
    }
}

/// Whether the characters of a text mean something to YAML. Flow collections are never written, so
/// brackets and commas matter only at the beginning.
fn needs_quotes(text: &str) -> bool {
    let first_is_special = text.starts_with([
        '#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ',
    ]);
    let indicator_alone = matches!(text.as_bytes(), [b'-' | b'?' | b':'] | [b'-' | b'?' | b':', b' ', ..]);
    first_is_special
        || indicator_alone
        || text.starts_with("---")
        || text.starts_with("...")
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
}

fn write_double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if needs_escape(c) => {
                let code = u32::from(c);
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02X}"),
                    _ => format!("\\u{code:04X}"),
                });
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
