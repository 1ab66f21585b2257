//! How a file looks: what most of it does, new parts do too.

use std::collections::BTreeMap;

use kube_yaml::Style;
use serde_json::Value;
use serde_yaml::granit_parser::ScalarStyle;

use crate::tree::{Kind, Node};

/// The look of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub style: Style,
    /// JSON: flow style with all texts in double quotes.
    pub json: bool,
    /// `\r\n` ends lines.
    pub crlf: bool,
    /// Whether the document tells how maps and lists are indented.
    pub told: bool,
}

impl Look {
    pub fn line_end(self) -> &'static str {
        if self.crlf { "\r\n" } else { "\n" }
    }

    /// A value on one line, inside of `{}` or `[]`.
    pub fn flow(self, value: &Value) -> String {
        match self.json {
            true => json_line(value),
            false => kube_yaml::to_flow(value, &self.style),
        }
    }

    /// Lines of a value in block style, without line ends.
    pub fn lines(self, value: &Value) -> Vec<String> {
        let text = kube_yaml::to_styled(value, &self.style);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        text.split('\n').map(str::to_owned).collect()
    }
}

/// Counts what is seen.
#[derive(Default)]
struct Seen {
    steps: BTreeMap<usize, usize>,
    lists: BTreeMap<usize, usize>,
    single: usize,
    double: usize,
}

/// The look of a document with this tree, in a file of which `others` are other documents.
pub(crate) fn of(text: &str, root: Option<&Node>, others: &[(&str, Node)]) -> Look {
    let mut seen = Seen::default();
    if let Some(root) = root {
        seen.node(text, root);
    }
    if seen.steps.is_empty() || seen.lists.is_empty() {
        others.iter().for_each(|(text, node)| seen.node(text, node));
    }
    let most = |counts: &BTreeMap<usize, usize>| {
        counts
            .iter()
            .max_by_key(|(_, count)| **count)
            .map(|(columns, _)| *columns)
    };
    let usual = Style::default();
    let json = matches!(
        root.map(|root| &root.kind),
        Some(Kind::Map { flow: true, .. } | Kind::List { flow: true, .. })
    ) && serde_json::from_str::<Value>(text).is_ok();
    let lines = text.matches('\n').count();
    Look {
        style: Style {
            step: most(&seen.steps).unwrap_or(usual.step),
            list: most(&seen.lists).unwrap_or(usual.list),
            single: seen.single > seen.double,
        },
        json,
        told: !seen.steps.is_empty() && !seen.lists.is_empty(),
        crlf: text.matches("\r\n").count() * 2 > lines,
    }
}

impl Seen {
    fn node(&mut self, text: &str, root: &Node) {
        root.visit(&mut |node| match &node.kind {
            Kind::Scalar(ScalarStyle::SingleQuoted) => self.single += 1,
            Kind::Scalar(ScalarStyle::DoubleQuoted) => self.double += 1,
            Kind::Map { flow: false, entries } => {
                for entry in entries.iter().filter(|entry| entry.value.is_block_collection()) {
                    let inner = column(text, entry.value.start);
                    let Some(by) = inner.checked_sub(column(text, entry.key_start)) else {
                        continue;
                    };
                    match entry.value.kind {
                        Kind::List { .. } => *self.lists.entry(by).or_default() += 1,
                        _ if by > 0 => *self.steps.entry(by).or_default() += 1,
                        _ => {}
                    }
                }
            }
            _ => {}
        });
    }
}

/// JSON on one line, spaced as people space it.
fn json_line(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), json_line(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(json_line).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

/// Characters before a byte on its line.
pub(crate) fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at]
        .chars()
        .filter(|c| *c != '\u{feff}')
        .count()
}

pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// Where the line ends that a byte is on, before its `\n` or `\r\n`.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    match text[at..end].ends_with('\r') {
        true => end - 1,
        false => end,
    }
}

/// Where the next line begins, or the text ends.
pub(crate) fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length + 1)
}
