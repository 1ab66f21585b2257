//! Scalars in their four styles.

use std::borrow::Cow;

use super::Emitter;
use super::node::{Content, Node, Style, is_break, is_printable};

impl Emitter {
    pub(super) fn scalar(&mut self, node: &Node<'_>, in_item: bool, simple_key: bool) {
        let (text, style): (&str, Style) = match &node.content {
            Content::Map(_) | Content::List(_) => return,
            Content::Null => ("null", Style::Plain),
            Content::Scalar(text, style) => (text, *style),
            Content::Binary(text) => {
                self.indicator("!!binary", true, false, false);
                (
                    text,
                    if text.contains('\n') {
                        Style::Literal
                    } else {
                        Style::Plain
                    },
                )
            }
        };
        if text == "<<" {
            // As go-yaml has it, lest it be a merge.
            self.indicator("!!merge", true, false, false);
        }
        let outer = self.increase(true, in_item);
        match style {
            Style::Literal if !simple_key => self.literal(text, outer.max(0)),
            Style::Literal | Style::Double => self.double_quoted(text),
            Style::Single => self.single_quoted(text),
            Style::Plain => self.plain(text),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str) {
        if !text.is_empty() && !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace &= text.is_empty();
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str) {
        self.indicator("'", true, false, false);
        for c in text.chars() {
            if c == '\'' {
                self.put(c);
            }
            self.put(c);
        }
        self.indicator("'", false, false, false);
        self.indention = false;
    }

    fn double_quoted(&mut self, text: &str) {
        self.indicator("\"", true, false, false);
        for c in text.chars() {
            if is_printable(c) && !is_break(c) && !matches!(c, '"' | '\\') {
                self.put(c);
                continue;
            }
            let escape: Cow<'_, str> = match c {
                '\0' => "\\0".into(),
                '\u{7}' => "\\a".into(),
                '\u{8}' => "\\b".into(),
                '\t' => "\\t".into(),
                '\n' => "\\n".into(),
                '\u{b}' => "\\v".into(),
                '\u{c}' => "\\f".into(),
                '\r' => "\\r".into(),
                '\u{1b}' => "\\e".into(),
                '"' => "\\\"".into(),
                '\\' => "\\\\".into(),
                '\u{85}' => "\\N".into(),
                '\u{2028}' => "\\L".into(),
                '\u{2029}' => "\\P".into(),
                ..='\u{ff}' => format!("\\x{:02X}", u32::from(c)).into(),
                ..='\u{ffff}' => format!("\\u{:04X}", u32::from(c)).into(),
                c => format!("\\U{:08X}", u32::from(c)).into(),
            };
            escape.chars().for_each(|c| self.put(c));
        }
        self.indicator("\"", false, false, false);
        self.indention = false;
    }

    fn literal(&mut self, text: &str, outer: i64) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c: char| c == ' ' || is_break(c)) {
            // go-yaml writes the spaces of a level here, even where the text is indented by less, and cannot read it then.
            let hint = (self.indent - outer).to_string();
            self.indicator(&hint, false, false, false);
        }
        let mut from_end = text.chars().rev();
        match (
            from_end.next().is_some_and(is_break),
            from_end.next().is_none_or(is_break),
        ) {
            (false, _) => self.indicator("-", false, false, false),
            (true, true) => self.indicator("+", false, false, false),
            (true, false) => {}
        }
        if self.pending.line.is_empty() {
            self.put_break();
        } else {
            self.line_comment();
        }
        self.whitespace = true;
        self.broken_text(text, false);
    }

    /// Lines, each indented as it begins.
    pub(super) fn broken_text(&mut self, text: &str, comment: bool) -> bool {
        let mut breaks = !comment;
        let mut marked = false;
        for c in text.chars() {
            if is_break(c) {
                match c {
                    '\n' => self.put_break(),
                    c => {
                        self.put(c);
                        self.column = 0;
                        self.indention = true;
                    }
                }
                breaks = true;
                marked = false;
                continue;
            }
            if breaks {
                self.write_indent();
            }
            if comment && !marked && c != '#' {
                self.put('#');
                self.put(' ');
            }
            marked = true;
            self.put(c);
            self.indention = false;
            breaks = false;
        }
        breaks
    }
}
