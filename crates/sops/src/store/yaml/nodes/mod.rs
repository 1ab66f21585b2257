//! From tokens to nodes with their comments: the grammar of YAML, and the places where go-yaml v3 (`parserc.go`, `decode.go`) hands the
//! comments seen so far to a node.

mod block;
mod flow;

use std::collections::HashMap;

use serde_yaml::granit_parser::{ScalarStyle, TokenType};

use super::super::{MAX_DEPTH, syntax};
use super::gaps::{Kind, Remark, Scanned, Token};
use crate::error::Error;
use crate::format::Format;
use crate::text::Text;

/// Comments in front of a node, on its line, and behind it.
#[derive(Default)]
pub(super) struct Comments {
    pub head: String,
    pub line: String,
    pub foot: String,
}

pub(super) struct Node {
    pub content: Content,
    pub tag: Option<String>,
    pub comments: Comments,
    /// From 1.
    pub line: usize,
}

pub(super) enum Content {
    /// Whether it stands there without quotes.
    Scalar(Text, bool),
    List(Vec<usize>),
    /// Keys and values in turn.
    Map(Vec<usize>),
    Alias(usize),
}

/// A document: its node, and the comments before and behind.
pub(super) struct Document {
    pub head: String,
    pub foot: String,
    pub root: usize,
}

/// All documents; nodes are known by their number.
pub(super) struct Nodes {
    pub nodes: Vec<Node>,
    pub documents: Vec<Document>,
}

pub(super) fn parse(scanned: Scanned<'_>) -> Result<Nodes, Error> {
    let mut parser = Parser {
        tokens: scanned.tokens.into_iter().peekable(),
        remarks: scanned.remarks.into_iter().peekable(),
        pending: Comments::default(),
        stem: None,
        nodes: Vec::new(),
        anchors: HashMap::new(),
        handles: HashMap::new(),
        depth: 0,
        line: 0,
    };
    let documents = parser.stream()?;
    Ok(Nodes {
        nodes: parser.nodes,
        documents,
    })
}

struct Parser<'t> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token<'t>>>,
    remarks: std::iter::Peekable<std::vec::IntoIter<Remark>>,
    /// Comments that no node has taken yet.
    pending: Comments,
    /// The head of an item that is a list or a map, which is that of all of it and not of its first entry.
    stem: Option<String>,
    nodes: Vec<Node>,
    /// Names, and whether the node is complete.
    anchors: HashMap<String, (usize, bool)>,
    /// Handles of tags that `%TAG` defines.
    handles: HashMap<String, String>,
    depth: usize,
    line: usize,
}

/// What the next token is, as far as the grammar asks.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Next {
    StreamStart,
    StreamEnd,
    Directive,
    DocumentStart,
    DocumentEnd,
    ListStart,
    MapStart,
    BlockEnd,
    FlowListStart,
    FlowListEnd,
    FlowMapStart,
    FlowMapEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

fn next_of(kind: &TokenType<'_>) -> Next {
    match kind {
        TokenType::StreamStart => Next::StreamStart,
        TokenType::StreamEnd => Next::StreamEnd,
        TokenType::DocumentStart => Next::DocumentStart,
        TokenType::DocumentEnd => Next::DocumentEnd,
        TokenType::BlockSequenceStart => Next::ListStart,
        TokenType::BlockMappingStart => Next::MapStart,
        TokenType::BlockEnd => Next::BlockEnd,
        TokenType::FlowSequenceStart => Next::FlowListStart,
        TokenType::FlowSequenceEnd => Next::FlowListEnd,
        TokenType::FlowMappingStart => Next::FlowMapStart,
        TokenType::FlowMappingEnd => Next::FlowMapEnd,
        TokenType::BlockEntry => Next::BlockEntry,
        TokenType::FlowEntry => Next::FlowEntry,
        TokenType::Key => Next::Key,
        TokenType::Value => Next::Value,
        TokenType::Alias(_) => Next::Alias,
        TokenType::Anchor(_) => Next::Anchor,
        TokenType::Tag(..) => Next::Tag,
        TokenType::Scalar(..) => Next::Scalar,
        _ => Next::Directive,
    }
}

fn join(to: &mut String, text: &str) {
    if !to.is_empty() {
        to.push('\n');
    }
    to.push_str(text);
}

impl<'t> Parser<'t> {
    /// Looks at the next token, and takes the comments that belong to it or to what is before it.
    fn peek(&mut self) -> Next {
        let Some(token) = self.tokens.peek() else {
            return Next::StreamEnd;
        };
        self.line = token.line + 1;
        let next = next_of(&token.kind);
        while let Some(remark) = self.remarks.next_if(|remark| {
            // No heads on ends: it is that of what follows.
            remark.mark <= token.start && !(remark.kind == Kind::Head && next == Next::BlockEnd)
        }) {
            let to = match remark.kind {
                Kind::Head => &mut self.pending.head,
                Kind::Line => &mut self.pending.line,
                Kind::Foot => &mut self.pending.foot,
            };
            join(to, &remark.text);
        }
        next
    }

    fn skip(&mut self) -> Option<Token<'t>> {
        self.tokens.next()
    }

    fn wrong<T>(&self, message: &str) -> Result<T, Error> {
        Err(syntax(Format::Yaml, self.line.max(1), message))
    }

    fn take(&mut self) -> Comments {
        self.stem = None;
        std::mem::take(&mut self.pending)
    }

    fn add(&mut self, content: Content, tag: Option<String>, comments: Comments) -> usize {
        self.nodes.push(Node {
            content,
            tag,
            comments,
            line: self.line,
        });
        self.nodes.len() - 1
    }

    /// A value that is not there.
    fn nothing(&mut self) -> usize {
        self.add(Content::Scalar(Text::default(), true), None, Comments::default())
    }

    fn stream(&mut self) -> Result<Vec<Document>, Error> {
        self.peek();
        self.skip();
        let mut documents = Vec::new();
        if !matches!(self.peek(), Next::Directive | Next::DocumentStart | Next::StreamEnd) {
            let head = self.split_head();
            let root = self.node(true, false)?;
            documents.push(self.document_end(head, root));
        }
        loop {
            while !documents.is_empty() && self.peek() == Next::DocumentEnd {
                self.skip();
            }
            if self.peek() == Next::StreamEnd {
                return Ok(documents);
            }
            self.directives()?;
            if self.peek() != Next::DocumentStart {
                return self.wrong("text behind the end of a document; the next one begins with `---`");
            }
            self.skip();
            let empty = matches!(
                self.peek(),
                Next::Directive | Next::DocumentStart | Next::DocumentEnd | Next::StreamEnd
            );
            let root = if empty { self.nothing() } else { self.node(true, false)? };
            documents.push(self.document_end(String::new(), root));
        }
    }

    fn directives(&mut self) -> Result<(), Error> {
        while self.peek() == Next::Directive {
            match self.skip().map(|token| token.kind) {
                Some(TokenType::VersionDirective(1, 1 | 2)) => {}
                Some(TokenType::TagDirective(handle, prefix)) => {
                    self.handles.insert(handle.into_owned(), prefix.into_owned());
                }
                _ => return self.wrong("a directive that is not known"),
            }
        }
        Ok(())
    }

    /// Of the comments at the top, those before the last empty line are of the document.
    fn split_head(&mut self) -> String {
        let head = &self.pending.head;
        let bytes = head.as_bytes();
        for at in (1..bytes.len()).rev() {
            if bytes[at] != b'\n' {
                continue;
            }
            let of_document = match bytes[at - 1] {
                _ if at == bytes.len() - 1 => at,
                b'\n' => at - 1,
                _ => continue,
            };
            let first = head[..of_document].to_owned();
            self.pending.head = head[at + 1..].to_owned();
            return first;
        }
        String::new()
    }

    fn document_end(&mut self, head: String, root: usize) -> Document {
        if self.peek() == Next::DocumentEnd {
            self.skip();
        }
        self.handles.clear();
        let last = self.take();
        let foot = if last.foot.is_empty() { last.head } else { last.foot };
        Document { head, foot, root }
    }

    fn node(&mut self, block: bool, indentless: bool) -> Result<usize, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.wrong("nested too deeply");
        }
        let node = self.node_within(block, indentless);
        self.depth -= 1;
        node
    }

    fn node_within(&mut self, block: bool, indentless: bool) -> Result<usize, Error> {
        let mut next = self.peek();
        if next == Next::Alias {
            return self.alias();
        }
        let (mut anchor, mut tag) = (None, None);
        while matches!(next, Next::Anchor | Next::Tag) {
            match self.skip().map(|token| token.kind) {
                Some(TokenType::Anchor(name)) if anchor.is_none() => anchor = Some(name.into_owned()),
                Some(TokenType::Tag(handle, suffix)) if tag.is_none() => tag = Some(self.tag(&handle, &suffix)?),
                _ => return self.wrong("two tags or two anchors of one node"),
            }
            next = self.peek();
        }
        let node = match next {
            Next::BlockEntry if indentless => self.begin(Content::List(Vec::new()), tag, Comments::default()),
            Next::Scalar => {
                let comments = self.take();
                let Some(TokenType::Scalar(style, text)) = self.skip().map(|token| token.kind) else {
                    return self.wrong("no value");
                };
                let text = Text::from(text.into_owned());
                self.begin(Content::Scalar(text, style == ScalarStyle::Plain), tag, comments)
            }
            Next::FlowListStart => {
                let comments = self.take();
                self.begin(Content::List(Vec::new()), tag, comments)
            }
            Next::FlowMapStart => {
                let comments = self.take();
                self.begin(Content::Map(Vec::new()), tag, comments)
            }
            Next::ListStart | Next::MapStart if block => {
                let head = self.stem.take().unwrap_or_default();
                let content = match next {
                    Next::ListStart => Content::List(Vec::new()),
                    _ => Content::Map(Vec::new()),
                };
                let comments = Comments {
                    head,
                    ..Comments::default()
                };
                self.begin(content, tag, comments)
            }
            _ if anchor.is_some() || tag.is_some() => {
                self.begin(Content::Scalar(Text::default(), true), tag, Comments::default())
            }
            _ => return self.wrong("a value is missing here"),
        };
        if let Some(name) = &anchor {
            self.anchors.insert(name.clone(), (node, false));
        }
        match next {
            Next::BlockEntry => self.indentless_list(node)?,
            Next::ListStart => self.block_list(node)?,
            Next::MapStart => self.block_map(node)?,
            Next::FlowListStart => self.flow_list(node)?,
            Next::FlowMapStart => self.flow_map(node)?,
            _ => {}
        }
        if let Some(known) = anchor
            .and_then(|name| self.anchors.get_mut(&name))
            .filter(|known| known.0 == node)
        {
            known.1 = true;
        }
        Ok(node)
    }

    fn begin(&mut self, content: Content, tag: Option<String>, comments: Comments) -> usize {
        self.add(content, tag, comments)
    }

    fn alias(&mut self) -> Result<usize, Error> {
        let comments = self.take();
        let Some(TokenType::Alias(name)) = self.skip().map(|token| token.kind) else {
            return self.wrong("no alias");
        };
        match self.anchors.get(&*name) {
            Some((node, true)) => {
                let content = Content::Alias(*node);
                Ok(self.add(content, None, comments))
            }
            Some(_) => self.wrong("the alias is inside the very node that it stands for"),
            None => self.wrong("an alias of an anchor that is not there"),
        }
    }

    /// The tag in its short form, such as `!!str`.
    fn tag(&self, handle: &str, suffix: &str) -> Result<String, Error> {
        let long = match (self.handles.get(handle), handle) {
            (Some(prefix), _) => format!("{prefix}{suffix}"),
            (None, "!!") => format!("tag:yaml.org,2002:{suffix}"),
            (None, "" | "!") => format!("{handle}{suffix}"),
            (None, _) => return self.wrong("a tag whose handle is not defined"),
        };
        Ok(match long.strip_prefix("tag:yaml.org,2002:") {
            Some(core) => format!("!!{core}"),
            None => long,
        })
    }

    fn child(&mut self, parent: usize, child: usize) {
        if let Content::List(items) | Content::Map(items) = &mut self.nodes[parent].content {
            items.push(child);
        }
    }
}
