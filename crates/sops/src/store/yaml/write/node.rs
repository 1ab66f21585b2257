//! What is written: nodes with their comments, made of the tree as `stores/yaml/store.go` of SOPS does, each scalar with its style.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::super::scalar;
use crate::numbers;
use crate::text::Text;
use crate::tree::{Comment, Entry, Item, Map, Value};

/// A node as the emitter gets it.
#[derive(Default)]
pub(super) struct Node<'t> {
    pub head: Zeroizing<String>,
    pub line: Zeroizing<String>,
    pub foot: Zeroizing<String>,
    pub content: Content<'t>,
}

#[derive(Default)]
pub(super) enum Content<'t> {
    #[default]
    Null,
    Scalar(Cow<'t, str>, Style),
    /// Bytes that are not UTF-8, as base64.
    Binary(Zeroizing<String>),
    List(Vec<Node<'t>>),
    Map(Vec<(Node<'t>, Node<'t>)>),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

fn lines(comments: &[&Comment]) -> Zeroizing<String> {
    let length: usize = comments.iter().map(|comment| comment.text.as_bytes().len() + 2).sum();
    // Bytes that are not UTF-8 take three.
    let mut lines = Zeroizing::new(String::with_capacity(3 * length));
    for comment in comments {
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push('#');
        for chunk in comment.text.as_bytes().utf8_chunks() {
            lines.push_str(chunk.valid());
            chunk.invalid().iter().for_each(|_| lines.push('\u{fffd}'));
        }
    }
    lines
}

/// Two comments, one above the other.
fn joined(above: &str, below: &str) -> Zeroizing<String> {
    let gap = if above.is_empty() || below.is_empty() { "" } else { "\n" };
    Zeroizing::new([above, gap, below].concat())
}

/// Comments on their way to the node that they are written with.
#[derive(Default)]
struct Waiting<'c> {
    head: Vec<&'c Comment>,
    inline: Vec<&'c Comment>,
}

impl<'c> Waiting<'c> {
    fn add(&mut self, comment: &'c Comment) {
        match comment.inline {
            true => self.inline.push(comment),
            false => self.head.push(comment),
        }
    }

    fn head_to(&mut self, node: &mut Node<'_>) {
        if !self.head.is_empty() {
            node.head = joined(&lines(&std::mem::take(&mut self.head)), &node.head);
        }
    }

    fn line_to(&mut self, node: &mut Node<'_>) {
        if !self.inline.is_empty() {
            node.line = joined(&node.line, &lines(&std::mem::take(&mut self.inline)));
        }
    }

    fn rest(mut self) -> Option<Zeroizing<String>> {
        self.head.append(&mut self.inline);
        (!self.head.is_empty()).then(|| lines(&self.head))
    }
}

pub(super) fn node_of_map(map: &Map) -> Node<'_> {
    let mut node = Node::default();
    let mut pairs: Vec<(Node<'_>, Node<'_>)> = Vec::new();
    let mut waiting = Waiting::default();
    for entry in &map.entries {
        match entry {
            Entry::Comment(comment) => waiting.add(comment),
            Entry::Pair(name, value) => {
                // The first comments are those of the map.
                if pairs.is_empty() {
                    waiting.head_to(&mut node);
                }
                let mut key = Node {
                    content: text_content(name),
                    ..Node::default()
                };
                waiting.head_to(&mut key);
                let mut value = node_of(value);
                waiting.line_to(&mut value);
                pairs.push((key, value));
            }
        }
    }
    match (waiting.rest(), pairs.last_mut()) {
        (None, _) => {}
        (Some(rest), None) => node.head = joined(&rest, &node.head),
        (Some(rest), Some((key, _))) => key.foot = joined(&key.foot, &rest),
    }
    node.content = Content::Map(pairs);
    node
}

fn node_of_list(items: &[Item]) -> Node<'_> {
    let mut node = Node::default();
    let mut nodes: Vec<Node<'_>> = Vec::new();
    let mut waiting = Waiting::default();
    for item in items {
        match item {
            Item::Comment(comment) => waiting.add(comment),
            Item::Value(value) => {
                if nodes.is_empty() {
                    waiting.head_to(&mut node);
                }
                let mut item = node_of(value);
                waiting.head_to(&mut item);
                waiting.line_to(&mut item);
                nodes.push(item);
            }
        }
    }
    match (waiting.rest(), nodes.last_mut()) {
        (None, _) => {}
        (Some(rest), None) => node.head = joined(&rest, &node.head),
        (Some(rest), Some(last)) => last.foot = joined(&last.foot, &rest),
    }
    node.content = Content::List(nodes);
    node
}

fn node_of(value: &Value) -> Node<'_> {
    let content = match value {
        Value::Map(map) => return node_of_map(map),
        Value::List(items) => return node_of_list(items),
        Value::Null => Content::Null,
        Value::Bool(it) => Content::Scalar(Cow::Borrowed(if *it { "true" } else { "false" }), Style::Plain),
        Value::Int(it) => Content::Scalar(Cow::Owned(it.to_string()), Style::Plain),
        Value::Time(it) => Content::Scalar(Cow::Owned(it.to_string()), Style::Plain),
        Value::Float(it) => Content::Scalar(float(*it), Style::Plain),
        Value::Text(text) => match text.as_str() {
            Some(text) => text_content(text),
            None => binary(text),
        },
    };
    Node {
        content,
        ..Node::default()
    }
}

fn float(number: f64) -> Cow<'static, str> {
    match number {
        f64::INFINITY => Cow::Borrowed(".inf"),
        f64::NEG_INFINITY => Cow::Borrowed("-.inf"),
        number if number.is_nan() => Cow::Borrowed(".nan"),
        number => Cow::Owned(numbers::general(number, 'e')),
    }
}

fn binary(text: &Text) -> Content<'static> {
    let encoded = Zeroizing::new(STANDARD.encode(text.as_bytes()));
    // In lines of 70, each with its end, unless one is enough.
    if encoded.len() < 70 {
        return Content::Binary(encoded);
    }
    let mut lines = Zeroizing::new(String::with_capacity(encoded.len() + encoded.len() / 70 + 1));
    for line in encoded.as_bytes().chunks(70) {
        lines.push_str(std::str::from_utf8(line).unwrap_or_default());
        lines.push('\n');
    }
    Content::Binary(lines)
}

fn text_content(text: &str) -> Content<'_> {
    let analysis = Analysis::of(text);
    let style = match text {
        text if text.contains('\n') && analysis.block => Style::Literal,
        text if text.contains('\n') || analysis.multiline || scalar::needs_quotes(text) => Style::Double,
        _ if analysis.plain => Style::Plain,
        _ if analysis.single => Style::Single,
        _ => Style::Double,
    };
    Content::Scalar(Cow::Borrowed(text), style)
}

/// In which styles a text can be written (`yaml_emitter_analyze_scalar`).
struct Analysis {
    multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            return Analysis {
                multiline: false,
                plain: true,
                single: true,
                block: false,
            };
        }
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut breaks, mut special, mut tabs) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut was_space, mut was_break, mut was_blank) = (false, false, true);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let blank_next = chars.peek().is_none_or(|(_, next)| matches!(next, ' ' | '\t'));
            indicators |= match c {
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => at == 0,
                '?' | '-' => at == 0 && blank_next,
                ':' => blank_next,
                '#' => at == 0 || was_blank,
                _ => false,
            };
            tabs |= c == '\t';
            special |= c != '\t' && !is_printable(c);
            if c == ' ' {
                break_space |= was_break;
                (was_space, was_break) = (true, false);
            } else if is_break(c) {
                breaks = true;
                space_break |= was_space;
                (was_space, was_break) = (false, true);
            } else {
                (was_space, was_break) = (false, false);
            }
            was_blank = matches!(c, ' ' | '\t' | '\0') || is_break(c);
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
        let edges = edge(text.chars().next()) || edge(text.chars().next_back());
        let odd = space_break || special;
        Analysis {
            multiline: breaks,
            plain: !(edges || break_space || odd || tabs || breaks || indicators),
            single: !(break_space || odd || tabs),
            block: !(text.ends_with(' ') || odd),
        }
    }
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}
