//! Changes inside of `{}` and `[]`.

use serde_json::Value;

use crate::look::{column, line_start};
use crate::slot::{Change, Page, as_quoted};
use crate::tree::{Kind, Node};

impl Page<'_> {
    pub(crate) fn write_flow(self, node: &Node, value: &Value) -> Vec<Change> {
        let text = as_quoted(node, value).unwrap_or_else(|| self.look.flow(value));
        let start = node.tag.as_ref().map_or(node.start, |tag| tag.start.min(node.start));
        let text = match node.kind {
            Kind::Empty => format!(" {text}"),
            _ => text,
        };
        vec![Change {
            start,
            end: node.end,
            text,
        }]
    }

    /// A new part among those that have these spans.
    pub(crate) fn insert_in_flow(self, spans: &[(usize, usize)], at: usize, new: &str) -> Option<Vec<Change>> {
        let (neighbour, _) = *spans.get(at.saturating_sub(1))?;
        let line = line_start(self.text, neighbour);
        let gap = match self.text[line..neighbour].trim().is_empty() {
            true => format!("{}{:2$}", self.look.line_end(), "", column(self.text, neighbour)),
            false => " ".to_owned(),
        };
        Some(vec![match at.checked_sub(1) {
            None => Change::put(neighbour, format!("{new},{gap}")),
            Some(before) => Change::put(spans.get(before)?.1, format!(",{gap}{new}")),
        }])
    }

    /// Cuts one of several parts, with the comma that it no longer needs.
    pub(crate) fn cut_in_flow(self, spans: &[(usize, usize)], at: usize) -> Change {
        match (spans.get(at + 1), at.checked_sub(1)) {
            (Some((next, _)), _) => Change::cut(spans[at].0, *next),
            (None, Some(before)) => Change::cut(spans[before].1, spans[at].1),
            (None, None) => Change::cut(spans[at].0, spans[at].1),
        }
    }
}
