//! YAML as go-yaml v3 lays it out for SOPS (`emitterc.go`): block style, comments, no folding.

mod node;
mod scalar;

use node::{Content, Node, is_break, node_of_map};

use zeroize::Zeroizing;

use crate::error::Error;
use crate::text::Buffer;
use crate::tree::Tree;

pub(in super::super) fn write(tree: &Tree, indent: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut emitter = Emitter {
        out: Buffer::default(),
        unit: if (2..=9).contains(&indent) { indent as i64 } else { 2 },
        indent: -1,
        column: 0,
        whitespace: true,
        indention: true,
        foot_indent: -1,
        pending: Pending::default(),
    };
    for (at, map) in tree.documents.iter().enumerate() {
        if at > 0 {
            emitter.write_indent();
            emitter.indicator("---", true, false, false);
            emitter.write_indent();
        }
        emitter.document(&node_of_map(map));
    }
    Ok(emitter.out.done())
}

/// Comments that an event brought and nothing has written yet. A later event's comment of the same kind takes the place of an earlier.
#[derive(Default)]
struct Pending {
    head: Zeroizing<String>,
    line: Zeroizing<String>,
    foot: Zeroizing<String>,
    tail: Zeroizing<String>,
    key_line: Zeroizing<String>,
}

fn replace(pending: &mut Zeroizing<String>, comment: &str) {
    if !comment.is_empty() {
        *pending = Zeroizing::new(comment.to_owned());
    }
}

struct Emitter {
    out: Buffer,
    /// Spaces of a level.
    unit: i64,
    indent: i64,
    column: i64,
    /// Whether the last character was a blank.
    whitespace: bool,
    /// Whether the line has only indentation so far, and dashes and the like.
    indention: bool,
    /// The indentation at which a foot comment was written, so that an empty line comes next.
    foot_indent: i64,
    pending: Pending,
}

impl Emitter {
    fn document(&mut self, root: &Node<'_>) {
        self.note_begin(root, "");
        self.head_comment();
        self.line_comment();
        self.foot_comment();
        self.body(root, false);
        self.foot_indent = 0;
        self.foot_comment();
        self.foot_indent = -1;
        self.write_indent();
    }

    /// What the first event of a node brings: of maps and lists only the head, for the rest comes with their end.
    fn note_begin(&mut self, node: &Node<'_>, tail: &str) {
        replace(&mut self.pending.head, &node.head);
        replace(&mut self.pending.tail, tail);
        if !matches!(node.content, Content::Map(_) | Content::List(_)) {
            replace(&mut self.pending.line, &node.line);
            replace(&mut self.pending.foot, &node.foot);
        }
    }

    fn note_end(&mut self, node: &Node<'_>, tail: &str) {
        replace(&mut self.pending.tail, tail);
        replace(&mut self.pending.line, &node.line);
        replace(&mut self.pending.foot, &node.foot);
    }

    /// The content of a map or a list, up to and with its end.
    fn body(&mut self, node: &Node<'_>, in_item: bool) {
        match &node.content {
            Content::Map(pairs) if pairs.is_empty() => {
                self.note_end(node, "");
                let outer = self.deeper(true, in_item, "{");
                self.head_comment();
                self.indent = outer;
                self.indicator("}", false, false, false);
                self.line_comment();
                self.foot_comment();
            }
            Content::List(items) if items.is_empty() => {
                self.note_end(node, "");
                let outer = self.deeper(true, in_item, "[");
                self.indent = outer;
                if self.column == 0 {
                    self.write_indent();
                }
                self.indicator("]", false, false, false);
                self.line_comment();
                self.foot_comment();
            }
            Content::Map(pairs) => {
                let outer = self.increase(false, in_item);
                let mut tail = "";
                for (key, value) in pairs {
                    self.pair(key, value, tail);
                    tail = &key.foot;
                }
                self.note_end(node, tail);
                self.head_comment();
                self.indent = outer;
            }
            Content::List(items) => {
                let outer = self.increase(false, in_item);
                for item in items {
                    self.note_begin(item, "");
                    self.head_comment();
                    self.write_indent();
                    self.indicator("-", true, false, true);
                    self.scalar(item, true, false);
                    self.line_comment();
                    self.foot_comment();
                    self.body(item, true);
                }
                self.note_end(node, "");
                self.indent = outer;
            }
            _ => {}
        }
    }

    fn deeper(&mut self, flow: bool, in_item: bool, bracket: &str) -> i64 {
        self.indicator(bracket, true, true, false);
        self.increase(flow, in_item)
    }

    fn pair(&mut self, key: &Node<'_>, value: &Node<'_>, tail: &str) {
        replace(&mut self.pending.head, &key.head);
        replace(&mut self.pending.line, &key.line);
        replace(&mut self.pending.tail, tail);
        self.head_comment();
        self.write_indent();
        if !self.pending.line.is_empty() {
            self.pending.key_line = std::mem::take(&mut self.pending.line);
        }
        let simple = match &key.content {
            Content::Scalar(text, _) => text.len() <= 128 && !text.contains(is_break),
            _ => true,
        };
        if simple {
            self.scalar(key, false, true);
            self.note_begin(value, "");
            self.indicator(":", false, false, false);
        } else {
            self.indicator("?", true, false, true);
            self.scalar(key, false, false);
            self.note_begin(value, "");
            self.write_indent();
            self.indicator(":", true, false, true);
        }
        self.line_of_key(value);
        self.scalar(value, false, false);
        self.line_comment();
        self.foot_comment();
        self.body(value, false);
    }

    /// A comment on the line of a key goes behind its value, or behind the colon where a block follows.
    fn line_of_key(&mut self, value: &Node<'_>) {
        if self.pending.key_line.is_empty() {
            return;
        }
        if matches!(value.content, Content::Map(_) | Content::List(_)) {
            let line = std::mem::replace(&mut self.pending.line, std::mem::take(&mut self.pending.key_line));
            self.line_comment();
            self.pending.key_line = std::mem::replace(&mut self.pending.line, line);
        } else if self.pending.line.is_empty() {
            self.pending.line = std::mem::take(&mut self.pending.key_line);
        }
    }

    /// Sets the indentation of what comes and gives that of what is around it.
    fn increase(&mut self, flow: bool, in_item: bool) -> i64 {
        let outer = self.indent;
        self.indent = match outer {
            ..0 if flow => self.unit,
            ..0 => 0,
            _ if in_item => outer + 2,
            _ => self.unit * ((outer + self.unit) / self.unit),
        };
        outer
    }

    fn head_comment(&mut self) {
        if !self.pending.tail.is_empty() {
            self.write_indent();
            let tail = std::mem::take(&mut self.pending.tail);
            self.comment(&tail);
            self.foot_indent = self.indent.max(0);
        }
        if !self.pending.head.is_empty() {
            self.write_indent();
            let head = std::mem::take(&mut self.pending.head);
            self.comment(&head);
        }
    }

    fn line_comment(&mut self) {
        if self.pending.line.is_empty() {
            return;
        }
        if !self.whitespace {
            self.put(' ');
        }
        let line = std::mem::take(&mut self.pending.line);
        self.comment(&line);
    }

    fn foot_comment(&mut self) {
        if self.pending.foot.is_empty() {
            return;
        }
        self.write_indent();
        let foot = std::mem::take(&mut self.pending.foot);
        self.comment(&foot);
        self.foot_indent = self.indent.max(0);
    }

    fn comment(&mut self, text: &str) {
        if !self.broken_text(text, true) {
            self.put_break();
        }
        self.whitespace = true;
    }

    fn put(&mut self, c: char) {
        self.out.put(c.encode_utf8(&mut [0; 4]));
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.put("\n");
        self.column = 0;
        self.indention = true;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.max(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        if self.foot_indent == indent {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.foot_indent = -1;
    }

    fn indicator(&mut self, text: &str, needs_blank: bool, is_blank: bool, is_indention: bool) {
        if needs_blank && !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace = is_blank;
        self.indention &= is_indention;
    }
}
