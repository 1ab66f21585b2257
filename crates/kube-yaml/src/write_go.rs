//! Writing YAML exactly as go-yaml v2 does, to the byte: for checksums that engines take over it.
//!
//! The look is decided by `emitterc.go` and `encode.go` of go-yaml v2.4: lines of more than 80 characters are folded, strings are
//! quoted where *that* reader would take them for something else, and no more. Lists are not indented in maps.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use crate::scalar::{Scalar, is_date_of_go, resolve};

/// Longest line, except where nothing can be folded.
const WIDTH: usize = 80;
/// A longer key does not stand on the line of its value.
const LONGEST_SIMPLE_KEY: usize = 128;

/// One document as `sigs.k8s.io/yaml` and Flux write a map, its keys in the order they have. Numbers are written as Go knows those
/// of JSON, all of them `float64`: integers up to 2^64 as such.
///
/// ```
/// let value = serde_json::json!({"on": "yes", "date": "2026-01-31", "ports": [8080, 1e3, 0.5]});
/// assert_eq!(
///     kube_yaml::to_go_string(&value),
///     "\"on\": \"yes\"\ndate: \"2026-01-31\"\nports:\n- 8080\n- 1000\n- 0.5\n"
/// );
/// ```
pub fn to_go_string(value: &Value) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        after_space: true,
        after_indent: true,
    };
    emitter.node(value, 0, Place::Root);
    emitter.indent(0);
    emitter.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// The value of a map's key.
    InMap,
    InList,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Where the writer stands: the names of go-yaml are `whitespace` and `indention`.
struct Emitter {
    out: String,
    column: usize,
    after_space: bool,
    after_indent: bool,
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn end_line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    /// Goes to a column: on this line if nothing stands on it yet.
    fn indent(&mut self, indent: usize) {
        if !self.after_indent || self.column > indent || (self.column == indent && !self.after_space) {
            self.end_line();
        }
        while self.column < indent {
            self.put(' ');
        }
        (self.after_space, self.after_indent) = (true, true);
    }

    fn sign(&mut self, sign: &str, wants_space: bool, is_space: bool, is_indent: bool) {
        if wants_space && !self.after_space {
            self.put(' ');
        }
        sign.chars().for_each(|c| self.put(c));
        self.after_space = is_space;
        self.after_indent &= is_indent;
    }

    /// `indent` is that of what the node stands in.
    fn node(&mut self, value: &Value, indent: usize, place: Place) {
        let inner = match place {
            Place::Root => 0,
            _ => indent + 2,
        };
        match value {
            Value::Object(map) if map.is_empty() => self.empty("{", "}"),
            Value::Array(items) if items.is_empty() => self.empty("[", "]"),
            Value::Object(map) => self.map(map, inner),
            Value::Array(items) => {
                let indent = match place == Place::InMap && !self.after_indent {
                    true => indent,
                    false => inner,
                };
                for item in items {
                    self.indent(indent);
                    self.sign("-", true, false, true);
                    self.node(item, indent, Place::InList);
                }
            }
            Value::String(text) => self.text(text, indent + 2, false),
            Value::Number(number) => self.plain(&spelt(number), indent + 2, true),
            Value::Bool(value) => self.plain(if *value { "true" } else { "false" }, indent + 2, true),
            Value::Null => self.plain("null", indent + 2, true),
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.sign(open, true, true, false);
        self.sign(close, false, false, false);
    }

    fn map(&mut self, map: &Map<String, Value>, indent: usize) {
        for (key, value) in map {
            self.indent(indent);
            if key.len() <= LONGEST_SIMPLE_KEY && !key.contains(is_break) {
                self.text(key, indent + 2, true);
                self.sign(":", false, false, false);
            } else {
                self.sign("?", true, false, true);
                self.text(key, indent + 2, false);
                self.indent(indent);
                self.sign(":", true, false, true);
            }
            self.node(value, indent, Place::InMap);
        }
    }

    fn text(&mut self, text: &str, indent: usize, is_simple_key: bool) {
        match style(text, is_simple_key) {
            Style::Plain => self.plain(text, indent, !is_simple_key),
            Style::Single => self.single(text, indent, !is_simple_key),
            Style::Double => self.double(text, indent, !is_simple_key),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, may_fold: bool) {
        if !self.after_space {
            self.put(' ');
        }
        let mut after_space = false;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let next_is_space = rest.as_str().starts_with(' ');
            if c == ' ' && may_fold && !after_space && self.column > WIDTH && !next_is_space {
                self.indent(indent);
            } else {
                self.put(c);
            }
            if c != ' ' {
                self.after_indent = false;
            }
            after_space = c == ' ';
        }
        (self.after_space, self.after_indent) = (false, false);
    }

    fn single(&mut self, text: &str, indent: usize, may_fold: bool) {
        self.sign("'", true, false, false);
        let (mut after_space, mut after_break) = (false, false);
        for (at, c) in text.char_indices() {
            let rest = &text[at + c.len_utf8()..];
            if c == ' ' {
                let may_fold = may_fold && !after_space && at > 0 && !rest.is_empty() && !rest.starts_with(' ');
                match may_fold && self.column > WIDTH {
                    true => self.indent(indent),
                    false => self.put(c),
                }
                after_space = true;
            } else if is_break(c) {
                if !after_break && c == '\n' {
                    self.end_line();
                }
                self.line_break(c);
                after_break = true;
            } else {
                if after_break {
                    self.indent(indent);
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.after_indent = false;
                (after_space, after_break) = (false, false);
            }
        }
        self.sign("'", false, false, false);
        (self.after_space, self.after_indent) = (false, false);
    }

    fn double(&mut self, text: &str, indent: usize, may_fold: bool) {
        // go-yaml asks the first character instead of each.
        let all_escaped = text.starts_with('\u{feff}');
        let mut after_space = false;
        self.sign("\"", true, false, false);
        for (at, c) in text.char_indices() {
            let rest = &text[at + c.len_utf8()..];
            if all_escaped || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                escape(c).chars().for_each(|c| self.put(c));
                after_space = false;
            } else if c == ' ' {
                if may_fold && !after_space && self.column > WIDTH && at > 0 && !rest.is_empty() {
                    self.indent(indent);
                    if rest.starts_with(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.sign("\"", false, false, false);
        (self.after_space, self.after_indent) = (false, false);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.sign("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.sign("2", false, false, false);
        }
        let mut backwards = text.chars().rev();
        match (backwards.next().is_some_and(is_break), backwards.next()) {
            (false, _) => self.sign("-", false, false, false),
            (true, None) => self.sign("+", false, false, false),
            (true, Some(before)) if is_break(before) => self.sign("+", false, false, false),
            (true, Some(_)) => {}
        }
        self.end_line();
        (self.after_space, self.after_indent) = (true, true);
        let mut after_break = true;
        for c in text.chars() {
            if is_break(c) {
                self.line_break(c);
                after_break = true;
            } else {
                if after_break {
                    self.indent(indent);
                }
                self.put(c);
                self.after_indent = false;
                after_break = false;
            }
        }
    }

    fn line_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
        self.after_indent = true;
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Tabs and everything beyond the basic plane are not, for go-yaml.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn escape(c: char) -> String {
    let code = u32::from(c);
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ if code <= 0xff => return format!("\\x{code:02X}"),
        _ if code <= 0xffff => return format!("\\u{code:04X}"),
        _ => return format!("\\U{code:08X}"),
    };
    format!("\\{short}")
}

/// What a text looks like: `encode.go` proposes, `emitterc.go` decides.
fn style(text: &str, is_simple_key: bool) -> Style {
    let shape = Shape::of(text);
    let quoted = if shape.single { Style::Single } else { Style::Double };
    if text.contains('\n') {
        return match shape.block && !is_simple_key {
            true => Style::Literal,
            false => Style::Double,
        };
    }
    let is_text = matches!(resolve(Cow::Borrowed(text)), Scalar::Text(_)) && !is_date_of_go(text);
    if !is_text || is_base_60(text) {
        return Style::Double;
    }
    match shape.plain && !(text.is_empty() && is_simple_key) {
        true => Style::Plain,
        false => quoted,
    }
}

/// In which styles the characters of a text can stand.
struct Shape {
    plain: bool,
    single: bool,
    block: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let blank = |c: Option<char>| c.is_none_or(|c| matches!(c, ' ' | '\t'));
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut breaks, mut break_space, mut space_break) = (false, false, false, false);
        let mut before: Option<char> = None;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let followed_by_blank = blank(rest.as_str().chars().next());
            indicator |= match (before, c) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`',
                ) => true,
                (None, '?' | '-') | (_, ':') => followed_by_blank,
                (Some(before), '#') => matches!(before, ' ' | '\t' | '\0') || is_break(before),
                _ => false,
            };
            special |= !is_printable(c);
            breaks |= is_break(c);
            break_space |= c == ' ' && before.is_some_and(is_break);
            space_break |= is_break(c) && before == Some(' ');
            before = Some(c);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let broken = space_break || special;
        Self {
            plain: !(indicator || breaks || broken || break_space || text.starts_with(edge) || text.ends_with(edge)),
            single: !(broken || break_space),
            block: !(broken || text.ends_with(' ') || text.is_empty()),
        }
    }
}

/// `12:30:45`, a number of base 60 to readers of YAML 1.1: `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digit_or_line = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default().as_bytes();
    let is_sixtieth = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [ten, digit] => matches!(ten, b'0'..=b'5') && digit.is_ascii_digit(),
        _ => false,
    };
    whole.contains(':')
        && first.first().is_some_and(u8::is_ascii_digit)
        && first.iter().copied().all(is_digit_or_line)
        && parts.all(is_sixtieth)
        && fraction.bytes().all(is_digit_or_line)
}

/// A number as Go writes the `float64` that it is after JSON was read.
fn spelt(number: &Number) -> String {
    let value = number.as_f64().unwrap_or_default();
    // Whole numbers are integers to Go where an int64 or an uint64 holds them.
    if value.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&value) {
        return (value as u64).to_string();
    }
    if value.fract() == 0.0 && (-9_223_372_036_854_775_808.0..0.0).contains(&value) {
        return (value as i64).to_string();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        -4..=5 => format!("{value}"),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}
