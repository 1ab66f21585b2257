//! Tokens, and the comments between them. The rules are those of go-yaml v3 (`scannerc.go`).
//!
//! go-yaml keeps a queue of comments beside its queue of tokens. A comment is of three kinds (in front of something, on its line, behind
//! it) and has a mark: the parser takes it along with the first token that does not begin before that mark.

mod comments;

use serde_yaml::granit_parser::{Options, ScalarStyle, Scanner, StrInput, TokenType};

use super::super::{MAX_DEPTH, syntax};
use crate::error::Error;
use crate::format::Format;

pub(super) struct Token<'t> {
    pub kind: TokenType<'t>,
    /// Where it begins, in bytes. The end of a block begins where comments that belong to what is around it begin.
    pub start: usize,
    /// The line, from 0.
    pub line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Head,
    Line,
    Foot,
}

#[derive(Debug)]
pub(super) struct Remark {
    pub kind: Kind,
    /// Lines with their `#`; an empty line between them is kept.
    pub text: String,
    /// The parser takes it with the first token that begins here or later.
    pub mark: usize,
    /// Where the search for comments began that found it.
    scanned_from: usize,
    start: usize,
    /// Its column, from 1.
    column: usize,
    end: usize,
}

/// All tokens and all comments of a text.
pub(super) struct Scanned<'t> {
    pub tokens: Vec<Token<'t>>,
    pub remarks: Vec<Remark>,
}

pub(super) fn scan(text: &str) -> Result<Scanned<'_>, Error> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut reader = Reader {
        text,
        at: 0,
        line: 0,
        line_start: 0,
        scan_from: 0,
        scan_line: 0,
        indents: vec![],
        flow: 0,
        tokens: Vec::new(),
        remarks: Vec::new(),
        closed_from: None,
    };
    for token in Scanner::with_options(StrInput::new(text), options) {
        let token = token.map_err(|error| {
            let line = error.marker().line();
            syntax(Format::Yaml, line, without_text(&error.info()))
        })?;
        let (span, kind) = token.into_parts();
        let start = span.start.byte_offset().unwrap_or_default();
        let end = span.end.byte_offset().unwrap_or_default();
        reader.token(kind, start, end, span.start.col());
    }
    Ok(Scanned {
        tokens: reader.tokens,
        remarks: reader.remarks,
    })
}

/// A message of the scanner; what it may quote is cut off.
pub(super) fn without_text(message: &str) -> String {
    message
        .split(['\'', '"', '`'])
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}

struct Reader<'t> {
    text: &'t str,
    /// Up to here the text is read.
    at: usize,
    line: usize,
    line_start: usize,
    scan_from: usize,
    scan_line: usize,
    /// The columns of the open blocks.
    indents: Vec<usize>,
    flow: usize,
    tokens: Vec<Token<'t>>,
    remarks: Vec<Remark>,
    /// From where the last block was closed.
    closed_from: Option<usize>,
}

impl<'t> Reader<'t> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn indent(&self) -> usize {
        self.indents.last().copied().unwrap_or(0)
    }

    /// Moves on, over line ends.
    fn advance(&mut self, to: usize) {
        let to = to.clamp(self.at, self.text.len());
        let bytes = self.text.as_bytes();
        while let Some(found) = bytes[self.at..to].iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.at += found + 1;
            if bytes[self.at - 1] == b'\r' && self.byte(self.at) == Some(b'\n') {
                self.at += 1;
            }
            self.line += 1;
            self.line_start = self.at;
            if self.at >= to {
                break;
            }
        }
        self.at = self.at.max(to);
    }

    fn token(&mut self, kind: TokenType<'t>, start: usize, end: usize, column: usize) {
        match kind {
            TokenType::StreamStart => self.push(kind, 0),
            // Of the blocks that begin, only the entry says where in the text that is.
            TokenType::BlockMappingStart => {
                self.gap(start);
                self.indents.push(column);
                self.push(kind, start);
            }
            TokenType::BlockSequenceStart => {
                self.gap(start);
                self.indents.push(column);
                self.push(kind, start);
            }
            TokenType::Key if self.byte(start) != Some(b'?') || !self.is_indicator(start) => {
                self.gap(start);
                self.push(kind, start);
            }
            TokenType::BlockEnd => {
                self.gap(start);
                self.close_block(start, column);
            }
            TokenType::BlockEntry => {
                let dash = self.find(|byte| byte == b'-');
                self.gap(dash);
                self.push(kind, dash);
                self.advance(dash + 1);
            }
            TokenType::Scalar(ScalarStyle::Literal | ScalarStyle::Folded, _) => {
                let header = self.find(|byte| matches!(byte, b'|' | b'>'));
                self.gap(header);
                self.push(kind, header);
                self.block_scalar(header, end);
            }
            kind => self.physical(kind, start, end),
        }
    }

    /// A token that stands in the text as it is told.
    fn physical(&mut self, kind: TokenType<'t>, start: usize, end: usize) {
        self.gap(start);
        let flow_entry = matches!(kind, TokenType::FlowEntry);
        let behind_prior = match self.flow {
            0 => self.byte(start) == Some(b':'),
            _ => flow_entry,
        };
        let mark = match self.tokens.last() {
            Some(prior) if behind_prior => prior.start,
            _ => start,
        };
        let has_line = !matches!(
            kind,
            TokenType::StreamEnd
                | TokenType::DocumentStart
                | TokenType::DocumentEnd
                | TokenType::VersionDirective(..)
                | TokenType::TagDirective(..)
                | TokenType::ReservedDirective(..)
        );
        match kind {
            TokenType::FlowSequenceStart | TokenType::FlowMappingStart => self.flow += 1,
            TokenType::FlowSequenceEnd | TokenType::FlowMappingEnd => self.flow = self.flow.saturating_sub(1),
            _ => {}
        }
        let width = match kind {
            TokenType::Value | TokenType::Key => 1,
            _ => end.saturating_sub(start),
        };
        self.push(kind, start);
        self.advance(start + width);
        if has_line {
            self.line_comment(mark);
        } else {
            self.rest_of_directive();
        }
    }

    fn push(&mut self, kind: TokenType<'t>, start: usize) {
        self.closed_from = None;
        self.tokens.push(Token {
            kind,
            start,
            line: self.line,
        });
        self.scan_from = self.at;
        self.scan_line = self.line;
    }

    fn is_indicator(&self, at: usize) -> bool {
        self.byte(at + 1)
            .is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
    }

    /// The first such byte behind blanks, line ends and comments.
    fn find(&self, wanted: impl Fn(u8) -> bool) -> usize {
        let mut at = self.at;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'#' => at = self.line_end(at),
                byte if wanted(byte) => return at,
                _ => at += 1,
            }
        }
        self.text.len()
    }

    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text.as_bytes()[at..];
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        at + length.unwrap_or(rest.len())
    }

    /// A comment behind a token, on its line.
    fn line_comment(&mut self, mark: usize) {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let start = self.at + blanks;
        if self.byte(start) == Some(b'#') {
            let end = self.line_end(start);
            self.remarks.push(Remark {
                kind: Kind::Line,
                text: self.text[start..end].to_owned(),
                mark,
                scanned_from: 0,
                start,
                column: start - self.line_start,
                end: 0,
            });
            self.advance(end);
        }
        self.scan_from = self.at;
        self.scan_line = self.line;
    }

    /// What stands behind `%YAML 1.1` on its line is dropped.
    fn rest_of_directive(&mut self) {
        if matches!(
            self.tokens.last().map(|token| &token.kind),
            Some(TokenType::VersionDirective(..) | TokenType::TagDirective(..) | TokenType::ReservedDirective(..))
        ) {
            self.advance(self.line_end(self.at));
        }
        self.scan_from = self.at;
        self.scan_line = self.line;
    }

    fn block_scalar(&mut self, header: usize, end: usize) {
        self.advance(header + 1);
        let header_end = self.line_end(header);
        if let Some(sharp) = self.text[self.at..header_end].find('#') {
            self.advance(self.at + sharp);
            self.line_comment(header);
        }
        self.advance(end.max(header_end));
        self.scan_from = self.at;
        self.scan_line = self.line;
    }

    /// Reads the comments before a token that begins at `next`.
    fn gap(&mut self, next: usize) {
        let from = (self.scan_from, self.scan_line);
        while self.at < next {
            match self.byte(self.at) {
                Some(b'#') => self.comments(from),
                Some(_) => self.advance(self.at + 1),
                None => break,
            }
        }
    }

    /// The end of a block goes before comments that stand at its own column, for what comes behind them is of what is around it.
    fn close_block(&mut self, next: usize, column: usize) {
        let Some(indent) = self.indents.pop() else {
            return;
        };
        let column = match next == self.text.len() {
            true => next.saturating_sub(self.line_start),
            false => column,
        };
        // What is left open at the end of a document is closed in a second go, from where the end is.
        let from = if indent > column { self.scan_from } else { next };
        let mut begins = match self.tokens.last() {
            Some(prior) if matches!(prior.kind, TokenType::BlockEnd) && self.closed_from == Some(from) => prior.start,
            _ => from.saturating_sub(1),
        };
        self.closed_from = Some(from);
        let mut stop = begins;
        for remark in self.remarks.iter().rev() {
            if remark.end < stop {
                break;
            }
            if remark.column == indent + 1 {
                begins = remark.start;
            }
            stop = remark.scanned_from;
        }
        self.tokens.push(Token {
            kind: TokenType::BlockEnd,
            start: begins,
            line: self.line,
        });
    }
}
