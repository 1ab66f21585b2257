//! The nodes of a document and where each stands, in bytes.

use std::collections::HashMap;
use std::ops::Range;

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, Scanner, StrInput, TokenType};

use crate::{Error, Step};

/// As deep as kube-yaml reads.
const MAX_DEPTH: usize = 256;

/// A node. `start..end` is its content: without anchor and tag before it, without what follows on its last line.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub start: usize,
    pub end: usize,
    pub anchor: Option<Anchor>,
    pub tag: Option<Range<usize>>,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    pub id: usize,
    /// Of `&name`.
    pub span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Nothing is written.
    Empty,
    /// Plain or in quotes.
    Scalar(ScalarStyle),
    /// `|` or `>`: `start` is that of the header, whose last byte is before `header_end`.
    Block {
        header_end: usize,
    },
    Alias(usize),
    Map {
        flow: bool,
        entries: Vec<Entry>,
    },
    List {
        flow: bool,
        items: Vec<Item>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// As Kubernetes reads it; `None` for `<<`.
    pub key: Option<String>,
    pub key_start: usize,
    /// Behind the colon; `None` where the key is written in some other way than `key:`.
    pub colon: Option<usize>,
    pub value: Node,
}

#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Of the `-`; in flow style where the item begins.
    pub dash: usize,
    pub value: Node,
}

impl Node {
    /// Where it begins, anchor and tag included.
    pub fn outer_start(&self) -> usize {
        let anchor = self.anchor.as_ref().map(|anchor| anchor.span.start);
        let tag = self.tag.as_ref().map(|tag| tag.start);
        [anchor, tag].into_iter().flatten().fold(self.start, usize::min)
    }

    /// Where anchor and tag end; `None` without them.
    pub fn properties_end(&self) -> Option<usize> {
        let anchor = self.anchor.as_ref().map(|anchor| anchor.span.end);
        anchor.max(self.tag.as_ref().map(|tag| tag.end))
    }

    pub fn is_block_collection(&self) -> bool {
        matches!(
            self.kind,
            Kind::Map { flow: false, .. } | Kind::List { flow: false, .. }
        )
    }

    /// The value at a step. Of a key given twice the last one counts.
    pub fn child(&self, step: &Step) -> Option<&Node> {
        match (&self.kind, step) {
            (Kind::Map { entries, .. }, Step::Key(key)) => {
                let entry = entries.iter().rfind(|entry| entry.key.as_ref() == Some(key))?;
                Some(&entry.value)
            }
            (Kind::List { items, .. }, Step::Index(index)) => Some(&items.get(*index)?.value),
            _ => None,
        }
    }

    /// Nodes below, in the order of the text, each with the step to it where there is one.
    pub fn children(&self) -> Vec<(Option<Step>, &Node)> {
        match &self.kind {
            Kind::Map { entries, .. } => {
                let step = |entry: &Entry| entry.key.clone().map(Step::Key);
                entries.iter().map(|entry| (step(entry), &entry.value)).collect()
            }
            Kind::List { items, .. } => {
                let steps = items.iter().enumerate();
                steps.map(|(at, item)| (Some(Step::Index(at)), &item.value)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// It and all below, in the order of the text.
    pub fn visit<'n>(&'n self, see: &mut impl FnMut(&'n Node)) {
        see(self);
        self.children().into_iter().for_each(|(_, child)| child.visit(see));
    }
}

/// The tree of the first document of a text; `None` without content.
pub(crate) fn read(text: &str) -> Result<Option<Node>, Error> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.bom_inside_document_as_content = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut dashes = Vec::new();
    for token in Scanner::with_options(StrInput::new(text), options.clone()) {
        let Ok(token) = token else { break };
        let (span, kind) = token.into_parts();
        if matches!(kind, TokenType::BlockEntry) {
            let behind = span.start.byte_offset().unwrap_or_default();
            dashes.push(text[..behind].rfind('-').unwrap_or(behind));
        }
        // What follows is another document.
        if matches!(kind, TokenType::DocumentEnd) {
            break;
        }
    }
    options.emit_anchor_events = true;
    let mut events = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Error::Unreadable(error.info()))?;
        match event {
            Event::DocumentEnd => break,
            Event::StreamStart | Event::DocumentStart(..) | Event::StreamEnd => {}
            event => events.push((
                event,
                span.byte_range().unwrap_or_default(),
                span.tag_span().and_then(|tag| tag.byte_range()),
            )),
        }
    }
    let mut reader = Reader {
        text,
        events: events.into_iter().peekable(),
        dashes: dashes.into_iter(),
        keys: HashMap::new(),
    };
    match reader.events.peek() {
        None => Ok(None),
        Some(_) => reader.node(0).map(Some),
    }
}

type Placed<'t> = (Event<'t>, Range<usize>, Option<Range<usize>>);

struct Reader<'t> {
    text: &'t str,
    events: std::iter::Peekable<std::vec::IntoIter<Placed<'t>>>,
    dashes: std::vec::IntoIter<usize>,
    /// What plain keys mean.
    keys: HashMap<String, String>,
}

impl Reader<'_> {
    /// The next node, which stands behind `after`.
    fn node(&mut self, after: usize) -> Result<Node, Error> {
        let unexpected = || Error::Unreadable("a value is missing".to_owned());
        let (event, span, tag) = self.events.next().ok_or_else(unexpected)?;
        let anchor = match self.events.peek() {
            Some((Event::Anchor(id, _), span, _)) => {
                let anchor = Anchor {
                    id: *id,
                    span: span.clone(),
                };
                self.events.next();
                Some(anchor)
            }
            _ => None,
        };
        let mut node = Node {
            start: span.start,
            end: span.end,
            anchor,
            tag,
            kind: Kind::Empty,
        };
        match event {
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => self.block(&mut node, after),
            Event::Scalar(_, ScalarStyle::Plain, ..) if span.is_empty() => {
                node.start = node.properties_end().unwrap_or(after);
                node.end = node.start;
            }
            Event::Scalar(_, style, ..) => node.kind = Kind::Scalar(style),
            Event::Alias(id) => node.kind = Kind::Alias(id),
            Event::MappingStart(..) => self.map(&mut node, !span.is_empty())?,
            Event::SequenceStart(..) => self.list(&mut node, !span.is_empty())?,
            _ => return Err(unexpected()),
        }
        Ok(node)
    }

    /// A block scalar: the parser tells where its lines are, and not where `|` is.
    fn block(&self, node: &mut Node, after: usize) {
        let from = node.properties_end().unwrap_or(after);
        let header = self.text[from..node.start]
            .find(['|', '>'])
            .map_or(from, |at| from + at);
        let rest = &self.text[header..node.start.max(header)];
        let length = rest.find([' ', '\t', '\r', '\n', '#']).unwrap_or(rest.len());
        let keeps = self.text[header..header + length].contains('+');
        let body = &self.text[node.start..node.end];
        let body = match keeps {
            true => body.strip_suffix('\n').unwrap_or(body).trim_end_matches('\r'),
            false => body.trim_end(),
        };
        node.end = (node.start + body.len()).max(header + length);
        node.start = header;
        node.kind = Kind::Block {
            header_end: header + length,
        };
    }

    fn map(&mut self, node: &mut Node, flow: bool) -> Result<(), Error> {
        let mut entries = Vec::new();
        loop {
            if let Some((Event::MappingEnd, span, _)) = self.events.peek() {
                if flow {
                    node.end = span.end;
                }
                self.events.next();
                break;
            }
            let plain = match self.events.peek() {
                Some((Event::Scalar(text, style, _, None), ..)) => Some((text.to_string(), *style)),
                _ => None,
            };
            let key = self.node(node.start)?;
            let (key_start, colon) = self.around_key(&key);
            let name = match plain {
                Some((text, ScalarStyle::Plain)) if text == "<<" => None,
                Some((text, ScalarStyle::Plain)) => Some(self.meaning(text)),
                Some((text, _)) => Some(text),
                // A tag or an alias: its meaning is not looked for, and what needs it finds nothing.
                None => Some(String::new()),
            };
            let value = self.node(colon.unwrap_or(key.end))?;
            entries.push(Entry {
                key: name,
                key_start,
                colon: colon.filter(|_| key.anchor.is_none() && key.tag.is_none()),
                value,
            });
        }
        if let (false, Some(first), Some(last)) = (flow, entries.first(), entries.last()) {
            node.start = first.key_start;
            node.end = last.value.end.max(last.colon.unwrap_or_default());
        }
        node.kind = Kind::Map { flow, entries };
        Ok(())
    }

    /// Where a key begins, and behind its colon.
    fn around_key(&self, key: &Node) -> (usize, Option<usize>) {
        let start = key.outer_start();
        let before = self.text[..start].trim_end_matches([' ', '\t']);
        if before.ends_with('?') {
            return (before.len() - 1, None);
        }
        let rest = &self.text[key.end..];
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let is_plain = !matches!(key.kind, Kind::Empty) && rest[spaces..].starts_with(':');
        (start, is_plain.then(|| key.end + spaces + 1))
    }

    fn list(&mut self, node: &mut Node, flow: bool) -> Result<(), Error> {
        let mut items = Vec::new();
        loop {
            if let Some((Event::SequenceEnd, span, _)) = self.events.peek() {
                if flow {
                    node.end = span.end;
                }
                self.events.next();
                break;
            }
            let dash = match flow {
                true => None,
                false => self.dashes.next(),
            };
            let value = self.node(dash.map_or(node.start, |dash| dash + 1))?;
            let dash = dash.unwrap_or(value.outer_start());
            items.push(Item { dash, value });
        }
        if let (false, Some(first), Some(last)) = (flow, items.first(), items.last()) {
            node.start = first.dash;
            node.end = last.value.end.max(last.dash + 1);
        }
        node.kind = Kind::List { flow, items };
        Ok(())
    }

    /// A plain key as Kubernetes reads it: `on` is `true`.
    fn meaning(&mut self, text: String) -> String {
        let begins = |c: char| c.is_ascii_digit() || "yYnNtTfFoO~.+-".contains(c);
        if !text.starts_with(begins) || text.len() > 5 && text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return text;
        }
        if let Some(known) = self.keys.get(&text) {
            return known.clone();
        }
        let read = kube_yaml::parse_one(format!("{text}: 0\n").as_bytes()).value.ok();
        let key = read.and_then(|value| value.as_object()?.keys().next().cloned());
        let key = key.unwrap_or_else(|| text.clone());
        self.keys.insert(text, key.clone());
        key
    }
}
