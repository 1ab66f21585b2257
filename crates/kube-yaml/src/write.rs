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
    to_styled(value, &Style::default())
}

/// How a document looks, as far as people differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns by which a map is indented in a map.
    pub step: usize,
    /// Columns by which the dashes of a list are indented in a map.
    pub list: usize,
    /// Whether `'` is used where both kinds of quotes would do.
    pub single: bool,
}

impl Default for Style {
    /// The look of `kubectl get -o yaml`.
    fn default() -> Self {
        Style {
            step: 2,
            list: 0,
            single: false,
        }
    }
}

/// One document as [`to_string`] writes it, in another look.
///
/// ```
/// let style = kube_yaml::Style { step: 4, list: 2, single: true };
/// let value = serde_json::json!({"on": "yes", "args": ["-v"], "run": {"sh": "a\n b"}});
/// assert_eq!(
///     kube_yaml::to_styled(&value, &style),
///     "'on': 'yes'\nargs:\n  - -v\nrun:\n    sh: |-\n        a\n         b\n"
/// );
/// ```
pub fn to_styled(value: &Value, style: &Style) -> String {
    let mut writer = Writer {
        out: String::new(),
        style: *style,
    };
    match value {
        Value::Object(map) if !map.is_empty() => writer.map(map, 0),
        Value::Array(items) if !items.is_empty() => writer.list(items, 0),
        Value::String(text) => {
            // A block at the top would have an indent that readers do not agree on.
            writer.inline(text);
            writer.out.push('\n');
        }
        _ => {
            writer.scalar(value, 0, 0);
            writer.out.push('\n');
        }
    }
    writer.out
}

/// A value on one line, as it may stand inside of `{}` and `[]`, and for texts and numbers anywhere.
///
/// ```
/// let value = serde_json::json!({"a": ["b", "c, d", "on"], "e": null});
/// assert_eq!(kube_yaml::to_flow(&value, &kube_yaml::Style::default()), "{a: [b, 'c, d', \"on\"], e: null}");
/// ```
pub fn to_flow(value: &Value, style: &Style) -> String {
    let mut writer = Writer {
        out: String::new(),
        style: *style,
    };
    writer.flow(value);
    writer.out
}

/// A text on one line as it may stand in block style.
pub fn to_line(text: &str, style: &Style) -> String {
    let mut writer = Writer {
        out: String::new(),
        style: *style,
    };
    writer.inline(text);
    writer.out
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

struct Writer {
    out: String,
    style: Style,
}

impl Writer {
    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    /// The entries of a map, the first without indent: the caller stands there already.
    fn map(&mut self, map: &Map<String, Value>, column: usize) {
        for (at, (key, value)) in map.iter().enumerate() {
            if at > 0 {
                self.indent(column);
            }
            let long = key.len() > LONGEST_PLAIN_KEY;
            if long {
                self.out.push_str("? ");
            }
            self.inline(key);
            if long {
                self.out.push('\n');
                self.indent(column);
            }
            self.out.push(':');
            match value {
                Value::Object(map) if !map.is_empty() => {
                    self.out.push('\n');
                    self.indent(column + self.style.step);
                    self.map(map, column + self.style.step);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.out.push('\n');
                    self.indent(column + self.style.list);
                    self.list(items, column + self.style.list);
                }
                _ => {
                    self.out.push(' ');
                    self.scalar(value, column, self.style.step);
                    self.out.push('\n');
                }
            }
        }
    }

    /// The items of a list, the first without indent.
    fn list(&mut self, items: &[Value], column: usize) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.indent(column);
            }
            self.out.push_str("- ");
            match item {
                Value::Object(map) if !map.is_empty() => self.map(map, column + 2),
                Value::Array(items) if !items.is_empty() => self.list(items, column + 2),
                _ => {
                    self.scalar(item, column, 2);
                    self.out.push('\n');
                }
            }
        }
    }

    /// A scalar or an empty container. Lines of a block are indented by `step` from the column of what holds it.
    fn scalar(&mut self, value: &Value, column: usize, step: usize) {
        match value {
            Value::String(text) if fits_block(text) => self.block(text, column, step),
            Value::String(text) => self.inline(text),
            _ => self.bare(value),
        }
    }

    /// What needs no quotes.
    fn bare(&mut self, value: &Value) {
        match value {
            Value::Null | Value::String(_) => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Number(value) => match value.as_f64().filter(|_| value.is_f64()).and_then(number) {
                Some(value) => self.out.push_str(&value.to_string()),
                None => self.out.push_str(&value.to_string()),
            },
            Value::Array(_) => self.out.push_str("[]"),
            Value::Object(_) => self.out.push_str("{}"),
        }
    }

    fn block(&mut self, text: &str, column: usize, step: usize) {
        self.out.push('|');
        if text.starts_with(' ') {
            // Otherwise the spaces would be taken for the indent.
            self.out.push_str(&step.to_string());
        }
        match text.strip_suffix('\n') {
            None => self.out.push('-'),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => self.out.push('+'),
            Some(_) => {}
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.out.push('\n');
            if !line.is_empty() {
                self.indent(column + step);
                self.out.push_str(line);
            }
        }
    }

    fn flow(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                self.out.push('{');
                for (at, (key, value)) in map.iter().enumerate() {
                    self.out.push_str(if at > 0 { ", " } else { "" });
                    self.in_flow(key);
                    self.out.push_str(": ");
                    self.flow(value);
                }
                self.out.push('}');
            }
            Value::Array(items) => {
                self.out.push('[');
                for (at, value) in items.iter().enumerate() {
                    self.out.push_str(if at > 0 { ", " } else { "" });
                    self.flow(value);
                }
                self.out.push(']');
            }
            Value::String(text) => self.in_flow(text),
            _ => self.bare(value),
        }
    }

    /// A text inside of `{}` and `[]`.
    fn in_flow(&mut self, text: &str) {
        let special =
            text.contains([',', '[', ']', '{', '}']) || text.contains(":/") || text.starts_with(['?', '-', ':']);
        match special && !text.contains(|c| c == '\n' || c == '\t' || needs_escape(c)) {
            true => self.single(text),
            false => self.inline(text),
        }
    }

    fn single(&mut self, text: &str) {
        self.out.push('\'');
        self.out.push_str(&text.replace('\'', "''"));
        self.out.push('\'');
    }

    /// A string on one line: plain where that is safe, else in quotes.
    fn inline(&mut self, text: &str) {
        let escapes = text.contains(|c| c == '\n' || c == '\t' || needs_escape(c));
        if escapes || is_ambiguous(text) && !self.style.single {
            self.double(text);
        } else if needs_quotes(text) || is_ambiguous(text) {
            self.single(text);
        } else {
            self.out.push_str(text);
        }
    }

    fn double(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '\r' => self.out.push_str("\\r"),
                c if needs_escape(c) => {
                    let code = u32::from(c);
                    self.out.push_str(&match code {
                        0..=0xff => format!("\\x{code:02X}"),
                        _ => format!("\\u{code:04X}"),
                    });
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
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
