//! Lists and maps in flow style: `[a, b]`, `{a: b}`.

use super::{Comments, Content, Next, Parser};
use crate::error::Error;

impl Parser<'_> {
    fn end_flow(&mut self, node: usize) {
        let last = self.take();
        self.skip();
        let comments = &mut self.nodes[node].comments;
        comments.line = last.line;
        comments.foot = last.foot;
    }

    fn comma(&mut self, first: bool) -> Result<(), Error> {
        if first {
            return Ok(());
        }
        if self.peek() != Next::FlowEntry {
            return self.wrong("neither a comma nor the end of what is open here");
        }
        self.skip();
        Ok(())
    }

    pub(super) fn flow_list(&mut self, node: usize) -> Result<(), Error> {
        self.skip();
        for first in std::iter::once(true).chain(std::iter::repeat(false)) {
            if self.peek() == Next::FlowListEnd {
                break;
            }
            self.comma(first)?;
            match self.peek() {
                Next::FlowListEnd => break,
                Next::Key => {
                    self.skip();
                    let pair = self.begin(Content::Map(Vec::new()), None, Comments::default());
                    self.child(node, pair);
                    let key = match self.peek() {
                        Next::Value | Next::FlowEntry | Next::FlowListEnd => self.nothing(),
                        _ => self.node(false, false)?,
                    };
                    self.child(pair, key);
                    let value = self.flow_value(Next::FlowListEnd)?;
                    self.pair(pair, key, value);
                }
                _ => {
                    let item = self.node(false, false)?;
                    self.child(node, item);
                }
            }
        }
        self.end_flow(node);
        Ok(())
    }

    fn flow_value(&mut self, end: Next) -> Result<usize, Error> {
        if self.peek() != Next::Value {
            return Ok(self.nothing());
        }
        self.skip();
        match self.peek() {
            Next::FlowEntry => Ok(self.nothing()),
            next if next == end => Ok(self.nothing()),
            _ => self.node(false, false),
        }
    }

    pub(super) fn flow_map(&mut self, node: usize) -> Result<(), Error> {
        self.skip();
        for first in std::iter::once(true).chain(std::iter::repeat(false)) {
            if self.peek() == Next::FlowMapEnd {
                break;
            }
            self.comma(first)?;
            let (key, value) = match self.peek() {
                Next::FlowMapEnd => break,
                Next::Key => {
                    self.skip();
                    let key = match self.peek() {
                        Next::Value | Next::FlowEntry | Next::FlowMapEnd => self.nothing(),
                        _ => self.node(false, false)?,
                    };
                    self.child(node, key);
                    (key, self.flow_value(Next::FlowMapEnd)?)
                }
                _ => {
                    let key = self.node(false, false)?;
                    self.child(node, key);
                    let value = match self.peek() {
                        Next::Value => self.flow_value(Next::FlowMapEnd)?,
                        _ => self.nothing(),
                    };
                    (key, value)
                }
            };
            self.pair(node, key, value);
        }
        self.end_flow(node);
        Ok(())
    }
}
