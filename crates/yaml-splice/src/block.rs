//! Changes in block style.

use crate::look::{line_end, line_start, next_line};
use crate::slot::{Change, Page};
use crate::tree::{Kind, Node};

impl Page<'_> {
    /// A value instead of another that stands behind `after`: `head` on its line, `rest` (lines, each begun by a line end) below.
    pub(crate) fn write_block(self, node: &Node, after: usize, head: &str, rest: String) -> Option<Vec<Change>> {
        let from = node.tag.as_ref().map_or(node.start, |tag| tag.start.min(node.start));
        let behind_head = |start: usize, end: usize| match head {
            // Nothing stays between the colon and what follows on the line.
            "" => Change::cut(self.text[..start].trim_end_matches([' ', '\t']).len().max(after), end),
            head => Change {
                start,
                end,
                text: head.to_owned(),
            },
        };
        Some(match &node.kind {
            Kind::Empty => {
                let text = match head {
                    "" => String::new(),
                    head => format!(" {head}"),
                };
                let at = node.properties_end().unwrap_or(after);
                let start = node
                    .tag
                    .as_ref()
                    .map_or(at, |tag| self.text[..tag.start].trim_end().len());
                let line = line_end(self.text, at);
                // Spaces at the end of the line make way.
                let is_last = self.text[at..line].trim().is_empty();
                let end = if is_last { line } else { at };
                vec![Change { start, end, text }, Change::put(line, rest)]
            }
            Kind::Block { header_end } => {
                let body = line_end(self.text, *header_end);
                vec![
                    behind_head(from, *header_end),
                    Change {
                        start: body,
                        end: node.end.max(body),
                        text: rest,
                    },
                ]
            }
            _ if node.is_block_collection() => return self.write_over_block(node, after, head, rest),
            _ => vec![
                behind_head(from, node.end),
                Change::put(line_end(self.text, node.end), rest),
            ],
        })
    }

    /// Instead of a map or a list in block style.
    fn write_over_block(self, node: &Node, after: usize, head: &str, rest: String) -> Option<Vec<Change>> {
        if node.tag.is_some() {
            return None;
        }
        let at = node.properties_end().unwrap_or(after);
        if line_start(self.text, at) == line_start(self.text, node.start) {
            let text = format!("{head}{rest}");
            return Some(vec![Change {
                start: node.start,
                end: node.end,
                text,
            }]);
        }
        let text = match head {
            "" => String::new(),
            head => format!(" {head}"),
        };
        let below = line_end(self.text, at);
        Some(vec![
            Change::put(at, text),
            Change {
                start: below,
                end: line_end(self.text, node.end),
                text: rest,
            },
        ])
    }

    /// New lines among entries or items that have these spans.
    pub(crate) fn insert_lines(
        self,
        spans: &[(usize, usize)],
        at: usize,
        lines: &[String],
        column: usize,
    ) -> Option<Vec<Change>> {
        let text = self.indented(lines, column);
        let Some(before) = at.checked_sub(1) else {
            let (first, _) = spans.first()?;
            // The first line takes the place of the old one; that begins a line of its own.
            let text = text.get(self.look.line_end().len() + column..)?;
            let gap = self.look.line_end();
            return Some(vec![Change::put(*first, format!("{text}{gap}{:column$}", ""))]);
        };
        let (_, end) = spans.get(before)?;
        Some(vec![Change::put(line_end(self.text, *end), text)])
    }

    /// Cuts the lines of an entry or an item.
    pub(crate) fn cut_lines(self, spans: &[(usize, usize)], at: usize) -> Option<Change> {
        let (start, end) = *spans.get(at)?;
        let line = line_start(self.text, start);
        if self.text[line..start].trim_matches([' ', '\t', '\u{feff}']).is_empty() {
            return Some(Change::cut(line, next_line(self.text, end)));
        }
        // It shares its line with a dash: the next one, or a comment before it, moves up.
        let (next, _) = *spans.get(at + 1)?;
        let below = line_end(self.text, end);
        let comment = self.text[below..next].find('#').map(|comment| below + comment);
        Some(Change::cut(start, comment.unwrap_or(next)))
    }
}
