//! Comments on lines of their own: which of them are behind what comes before (a foot), and which in front of what follows (a head).

use serde_yaml::granit_parser::TokenType;

use super::{Kind, Reader, Remark};

/// Lines of comments that are not yet known to be a head or a foot.
struct Block {
    text: String,
    /// Byte, line and column of its first line; the column from 1.
    start: (usize, usize, usize),
    scanned_from: usize,
    mark: usize,
    /// No empty line so far.
    first_empty: bool,
    recent_empty: bool,
}

impl Reader<'_> {
    /// Line ends since the last character that is no blank.
    fn newlines(&self) -> usize {
        let before = &self.text.as_bytes()[..self.at];
        let blank = before
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_whitespace() || **byte == 0xef);
        let blank = blank.count();
        let text = &before[before.len() - blank..];
        text.iter().filter(|byte| **byte == b'\n').count()
            + text
                .iter()
                .zip(text.iter().skip(1).chain([&0]))
                .filter(|(a, b)| **a == b'\r' && **b != b'\n')
                .count()
    }

    /// Comments on lines of their own, up to the next token.
    pub(super) fn comments(&mut self, scanned_from: (usize, usize)) {
        let (mut prior, mut prior_is_value) = (0, false);
        if let [.., before, last] = self.tokens.as_slice() {
            let token = if matches!(last.kind, TokenType::FlowEntry) {
                before
            } else {
                last
            };
            (prior, prior_is_value) = (token.start, matches!(token.kind, TokenType::Value));
        } else if let [only] = self.tokens.as_slice() {
            (prior, prior_is_value) = (only.start, false);
        }
        let next_indent = self.indent();
        let newlines = self.newlines();
        let column = self.at - self.line_start;
        let foot_line = (scanned_from.1 > 0)
            .then(|| self.line + 1 - newlines.min(self.line) + usize::from(newlines == 0 && column > 1));
        let mut block = Block {
            text: String::new(),
            start: (0, 0, 0),
            scanned_from: scanned_from.0,
            mark: prior,
            first_empty: newlines <= 1,
            recent_empty: false,
        };
        let (mut at, mut line, mut column) = (self.at, self.line, column);
        loop {
            let byte = self.byte(at);
            column += 1;
            if matches!(byte, Some(b' ' | b'\t')) {
                at += 1;
                continue;
            }
            let closes = self.flow > 0 && matches!(byte, Some(b']' | b'}'));
            let breaks = matches!(byte, Some(b'\n' | b'\r'));
            if closes || breaks || byte.is_none() {
                if closes || !block.recent_empty {
                    let (_, start_line, start_column) = block.start;
                    let right_below = foot_line == Some(start_line) && !prior_is_value;
                    let dedented = start_column < next_indent + 1;
                    if closes || (block.first_empty && (right_below || dedented)) {
                        if dedented {
                            block.mark = if block.text.is_empty() {
                                block.mark
                            } else {
                                block.start.0
                            };
                        }
                        self.foot(&mut block, at);
                    } else if !block.text.is_empty() && byte.is_some() {
                        block.text.push('\n');
                    }
                }
                if !breaks {
                    break;
                }
                block.first_empty = false;
                block.recent_empty = true;
                column = 0;
                line += 1;
                at += 1;
                continue;
            }
            if !block.text.is_empty() && column < next_indent + 1 && column != block.start.2 {
                self.foot(&mut block, at);
            }
            if byte != Some(b'#') {
                break;
            }
            if block.text.is_empty() {
                block.start = (at, line, column);
            } else {
                block.text.push('\n');
            }
            block.recent_empty = false;
            let end = self.line_end(at);
            block.text.push_str(&self.text[at..end]);
            self.advance(end);
            line = self.line;
            column = 0;
            // The line end itself is passed over, so that only an empty line counts as one.
            at = end + 1;
        }
        if !block.text.is_empty() {
            self.remarks.push(Remark {
                kind: Kind::Head,
                text: block.text,
                mark: block.start.0,
                scanned_from: block.scanned_from,
                start: block.start.0,
                column: block.start.2,
                end: at.saturating_sub(1),
            });
        }
    }

    /// What was gathered is a foot of what comes before.
    fn foot(&mut self, block: &mut Block, at: usize) {
        if block.text.is_empty() {
            return;
        }
        self.remarks.push(Remark {
            kind: Kind::Foot,
            text: std::mem::take(&mut block.text),
            mark: block.mark,
            scanned_from: block.scanned_from,
            start: block.start.0,
            column: block.start.2,
            end: at,
        });
        block.scanned_from = at;
        block.mark = at;
    }
}
