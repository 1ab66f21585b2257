//! Lists and maps in block style.

use super::{Comments, Content, Next, Parser};
use crate::error::Error;

impl Parser<'_> {
    /// Skips a dash. What was pending before it is the head of all of an item that is a list or a map.
    fn dash(&mut self) {
        let before = self.pending.head.len();
        self.skip();
        if before == 0 || !matches!(self.peek(), Next::ListStart | Next::MapStart) {
            return;
        }
        let rest = self.pending.head.split_off(before);
        self.stem = Some(std::mem::take(&mut self.pending.head));
        self.pending.head = rest.strip_prefix('\n').unwrap_or(&rest).to_owned();
    }

    pub(super) fn block_list(&mut self, node: usize) -> Result<(), Error> {
        self.skip();
        loop {
            match self.peek() {
                Next::BlockEntry => {
                    self.dash();
                    let item = match self.peek() {
                        Next::BlockEntry | Next::BlockEnd => self.nothing(),
                        _ => self.node(true, false)?,
                    };
                    self.child(node, item);
                }
                Next::BlockEnd => {
                    self.skip();
                    return Ok(());
                }
                _ => return self.wrong("not an item of the list that is open here"),
            }
        }
    }

    pub(super) fn indentless_list(&mut self, node: usize) -> Result<(), Error> {
        while self.peek() == Next::BlockEntry {
            self.dash();
            let item = match self.peek() {
                Next::BlockEntry | Next::Key | Next::Value | Next::BlockEnd => self.nothing(),
                _ => self.node(true, false)?,
            };
            self.child(node, item);
        }
        Ok(())
    }

    pub(super) fn block_map(&mut self, node: usize) -> Result<(), Error> {
        self.skip();
        loop {
            let key = match self.peek() {
                Next::Key => {
                    self.skip();
                    match self.peek() {
                        Next::Key | Next::Value | Next::BlockEnd => self.nothing(),
                        _ => self.node(true, true)?,
                    }
                }
                Next::Value => self.nothing(),
                Next::BlockEnd => {
                    let last = self.take();
                    self.skip();
                    self.end_block_map(node, last);
                    return Ok(());
                }
                _ => return self.wrong("not a key of the map that is open here"),
            };
            self.foot_of_dedented(node, key);
            self.child(node, key);
            let value = match self.peek() {
                Next::Value => {
                    self.skip();
                    match self.peek() {
                        Next::Key | Next::Value | Next::BlockEnd => self.nothing(),
                        _ => self.node(true, true)?,
                    }
                }
                _ => self.nothing(),
            };
            self.pair(node, key, value);
        }
    }

    /// A foot on a key is that of the pair before it.
    fn foot_of_dedented(&mut self, node: usize, key: usize) {
        if self.nodes[key].comments.foot.is_empty() {
            return;
        }
        if let Content::Map(items) = &self.nodes[node].content
            && let [.., prior, _] = items.as_slice()
        {
            let prior = *prior;
            let foot = std::mem::take(&mut self.nodes[key].comments.foot);
            self.nodes[prior].comments.foot = foot;
        }
    }

    pub(super) fn pair(&mut self, node: usize, key: usize, value: usize) {
        self.child(node, value);
        if self.nodes[key].comments.foot.is_empty() {
            self.nodes[key].comments.foot = std::mem::take(&mut self.nodes[value].comments.foot);
        }
    }

    fn end_block_map(&mut self, node: usize, last: Comments) {
        let last_key = match &self.nodes[node].content {
            Content::Map(items) if items.len() > 1 => Some(items[items.len() - 2]),
            _ => None,
        };
        let comments = &mut self.nodes[node].comments;
        comments.line = last.line;
        match last_key.filter(|_| !last.foot.is_empty()) {
            Some(key) => self.nodes[key].comments.foot = last.foot,
            None => comments.foot = last.foot,
        }
    }
}
