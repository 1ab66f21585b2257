//! From parser events to a JSON value, with the rules of go-yaml v2 and sigs.k8s.io/yaml.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::document::{DocumentError, Nulls, Warning, WarningKind, shown};
use crate::folded::rewritten;
use crate::open::{Content, Frame, Key, OpenMap, path, pointer};
use crate::scalar::{Dialect, Scalar, resolve};
use crate::tag::{core_suffix, tagged};

/// Maps and lists within each other. Kubernetes has no such limit; no object comes near it.
const MAX_DEPTH: usize = 256;
/// Bytes that aliases may add to a document, over the limits that go-yaml has on their number.
const MAX_ALIASED_BYTES: usize = 128 << 20;

/// The first document of `text`.
pub(crate) struct Loaded {
    /// Line of the first node in the file, from 1. `None` when there is no content.
    pub line: Option<usize>,
    pub value: Result<Value, DocumentError>,
    pub warnings: Vec<Warning>,
    pub nulls: Nulls,
}

/// Reads the first document of `text`, which has `before` lines of the file before it. `whole_file` says that nobody has made sure
/// that the last line ends with a line feed: go-yaml then adds none to a block scalar there.
pub(crate) fn load(text: &str, before: usize, whole_file: bool, dialect: Dialect) -> Loaded {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.bom_inside_document_as_content = true;
    options.block_scalar_eof_without_line_feed = whole_file;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut loader = Loader {
        before,
        dialect,
        ..Loader::default()
    };
    let value = loader.run(&mut parser).map_err(|mut error| {
        error.line += before;
        error
    });
    if value.is_ok() && loader.line.is_some() {
        loader.look_past_the_end(&mut parser);
    }
    loader.warnings.sort_by_key(|w| w.line);
    Loaded {
        line: loader.line.map(|line| line + before),
        value,
        warnings: loader.warnings,
        nulls: loader.nulls,
    }
}

#[derive(Default)]
struct Loader {
    /// Lines of the file before the text.
    before: usize,
    dialect: Dialect,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    warnings: Vec<Warning>,
    nulls: Nulls,
    line: Option<usize>,
    root: Option<Value>,
    /// Nodes so far, those that aliases stand for counted again each time, and the latter alone:
    /// go-yaml's measure against documents that explode.
    nodes: u64,
    aliased_nodes: u64,
    aliased_bytes: usize,
}

struct Anchored {
    value: Value,
    nodes: u64,
    bytes: usize,
}

fn fail<T>(span: &Span, message: impl Into<String>) -> Result<T, DocumentError> {
    Err(DocumentError {
        line: span.start.line(),
        column: Some(span.start.col() + 1),
        message: message.into(),
    })
}

fn syntax(error: &ScanError) -> DocumentError {
    DocumentError {
        line: error.marker().line(),
        column: Some(error.marker().col() + 1),
        message: error.info(),
    }
}

type Input<'i> = Parser<'i, serde_yaml::granit_parser::StrInput<'i>>;

impl Loader {
    fn run(&mut self, parser: &mut Input<'_>) -> Result<Value, DocumentError> {
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|e| syntax(&e))?;
            match event {
                Event::StreamEnd | Event::DocumentEnd => break,
                Event::Scalar(text, style, anchor, tag) => {
                    self.count(&span)?;
                    self.scalar(text, style, anchor, tag.as_deref(), &span)?;
                }
                Event::Alias(id) => self.alias(id, &span)?,
                Event::SequenceStart(_, anchor, _) => {
                    self.open(Content::List(Vec::new()), anchor, &span)?;
                }
                Event::MappingStart(_, anchor, _) => {
                    self.open(Content::Map(OpenMap::default()), anchor, &span)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(&span)?,
                _ => {}
            }
        }
        Ok(self.root.take().unwrap_or(Value::Null))
    }

    /// go-yaml stops after the first document; what a later one says is lost without a word.
    fn look_past_the_end(&mut self, parser: &mut Input<'_>) {
        let unread = loop {
            match parser.next_event() {
                None => return,
                Some(Ok((Event::StreamEnd, _))) => return,
                Some(Ok((event, span))) if event.is_node() => {
                    let empty = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None)
                        if resolve(Cow::Borrowed(text)) == Scalar::Null);
                    if !empty {
                        break span.start.line();
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.marker().line(),
            }
        };
        self.warnings.push(Warning {
            line: unread + self.before,
            message: "this comes after the end of the document; Kubernetes does not read it".to_owned(),
            kind: WarningKind::Unread,
        });
    }

    /// Counts a node and notes where the content begins.
    fn count(&mut self, span: &Span) -> Result<(), DocumentError> {
        self.nodes += 1;
        if self.line.is_none() {
            self.line = Some(span.start.line());
        }
        if self.aliased_nodes > 100
            && self.nodes > 1000
            && self.aliased_nodes as f64 / self.nodes as f64 > allowed_alias_ratio(self.nodes)
        {
            return fail(span, "the document is mostly made of aliases, as an attack would be");
        }
        Ok(())
    }

    fn open(&mut self, content: Content, anchor: usize, span: &Span) -> Result<(), DocumentError> {
        let nodes_before = self.nodes;
        self.count(span)?;
        if self.expects_key() {
            return fail(span, "a map or a list cannot be a key");
        }
        if self.frames.len() == MAX_DEPTH {
            return fail(span, format!("more than {MAX_DEPTH} maps and lists within each other"));
        }
        self.frames.push(Frame {
            content,
            anchor,
            nodes_before,
        });
        Ok(())
    }

    fn close(&mut self, span: &Span) -> Result<(), DocumentError> {
        let Some(frame) = self.frames.pop() else {
            return fail(span, "an end without a beginning");
        };
        let value = match frame.content {
            Content::List(items) => Value::Array(items),
            Content::Map(map) => Value::Object(map.entries),
        };
        let nodes = self.nodes - frame.nodes_before;
        self.remember(frame.anchor, &value, nodes);
        self.place(value, false, span)
    }

    fn remember(&mut self, anchor: usize, value: &Value, nodes: u64) {
        if anchor != 0 {
            let bytes = weight(value);
            let value = value.clone();
            self.anchors.insert(anchor, Anchored { value, nodes, bytes });
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { content: Content::Map(map), .. }) if map.key.is_none())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<(), DocumentError> {
        let plain = tag.is_none() && style == ScalarStyle::Plain;
        let merge = text == "<<" && (plain || tag.is_some_and(|t| core_suffix(t).as_deref() == Some("merge")));
        if self.expects_key() && merge {
            self.set_key(Key::Merge);
            return Ok(());
        }
        let written_as_nothing = plain && text.is_empty();
        let scalar = match tag {
            _ if plain && merge => Scalar::Text(text),
            _ if plain && !self.expects_key() && self.keeps_text(&text) => Scalar::Text(text),
            _ if plain => self.dialect.resolve(text),
            None if style == ScalarStyle::Folded && self.dialect != Dialect::Kubernetes && !self.keeps_text(&text) => {
                Scalar::Text(Cow::Owned(rewritten(&text)))
            }
            None => Scalar::Text(text),
            Some(tag) => tagged(tag, text).or_else(|message| fail(span, message))?,
        };
        if self.expects_key() {
            if anchor != 0
                && let Some(value) = scalar.clone().into_value()
            {
                self.remember(anchor, &value, 1);
            }
            return match scalar.into_key() {
                Some(name) => self.name(name, span),
                None => fail(span, "null or so large a number cannot be a key; put it in quotes"),
            };
        }
        if scalar == Scalar::Null && self.dialect != Dialect::Kubernetes {
            match written_as_nothing {
                true => self.nulls.empty.extend(pointer(&self.frames)),
                false => self.nulls.written = true,
            }
        }
        let Some(value) = scalar.into_value() else {
            return fail(
                span,
                "infinity and not-a-number do not exist in JSON; put it in quotes if it is text",
            );
        };
        self.remember(anchor, &value, 1);
        self.place(value, false, span)
    }

    /// Whether the value that comes next is an annotation of an object, which kustomize makes a text as it is written.
    fn keeps_text(&self, text: &str) -> bool {
        match self.dialect {
            Dialect::Kubernetes => return false,
            Dialect::KustomizePatch if matches!(text, "" | "~" | "null" | "Null" | "NULL") => return false,
            Dialect::Kustomize | Dialect::KustomizePatch => {}
        }
        let is_at = |frame: &Frame, wanted: &str| matches!(&frame.content, Content::Map(OpenMap { key: Some(Key::Name(name)), .. }) if name == wanted);
        match self.frames.as_slice() {
            [metadata, annotations, _] => is_at(metadata, "metadata") && is_at(annotations, "annotations"),
            [items, _, metadata, annotations, _] => {
                is_at(items, "items") && is_at(metadata, "metadata") && is_at(annotations, "annotations")
            }
            _ => false,
        }
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<(), DocumentError> {
        let Some(anchored) = self.anchors.get(&id) else {
            return fail(span, "the alias is inside the very node that it stands for");
        };
        let (nodes, bytes) = (anchored.nodes, anchored.bytes);
        self.nodes += nodes;
        self.aliased_nodes += nodes;
        self.aliased_bytes = self.aliased_bytes.saturating_add(bytes);
        self.count(span)?;
        if self.aliased_bytes > MAX_ALIASED_BYTES {
            return fail(span, "the aliases stand for more than 128 MiB");
        }
        let Some(value) = self.anchors.get(&id).map(|a| a.value.clone()) else {
            return Ok(());
        };
        if !self.expects_key() {
            return self.place(value, true, span);
        }
        match value {
            Value::String(name) => self.name(name, span),
            Value::Bool(_) | Value::Number(_) => self.name(value.to_string(), span),
            Value::Null => fail(span, "null cannot be a key; put it in quotes"),
            Value::Array(_) | Value::Object(_) => fail(span, "a map or a list cannot be a key"),
        }
    }

    fn set_key(&mut self, key: Key) {
        if let Some(Frame {
            content: Content::Map(map),
            ..
        }) = self.frames.last_mut()
        {
            map.key = Some(key);
        }
    }

    /// Takes `name` as the key of the value that comes next; warns if the map has it already.
    fn name(&mut self, name: String, span: &Span) -> Result<(), DocumentError> {
        let Some(Frame {
            content: Content::Map(map),
            ..
        }) = self.frames.last_mut()
        else {
            return fail(span, "a key outside of a map");
        };
        // A null holds the place until the value comes.
        let line = span.start.line();
        if !map.entries.contains_key(&name) {
            map.entries.insert(name.clone(), Value::Null);
            map.lines.push(line);
        } else if let Some(at) = map.entries.keys().position(|k| *k == name) {
            let first_line = std::mem::replace(&mut map.lines[at], line);
            // What a merge brought is there to be overridden.
            if first_line != 0 {
                self.warn_twice(&name, first_line, line);
            }
        }
        self.set_key(Key::Name(name));
        Ok(())
    }

    fn warn_twice(&mut self, key: &str, first_line: usize, line: usize) {
        let (first_line, line) = (first_line + self.before, line + self.before);
        let path = path(&self.frames);
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" in {path}")
        };
        self.warnings.push(Warning {
            line,
            message: format!(
                "{} is given again{place}: this one overrides line {first_line}",
                shown(key)
            ),
            kind: WarningKind::DuplicateKey {
                path,
                key: key.to_owned(),
                first_line,
            },
        });
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, value: Value, alias: bool, span: &Span) -> Result<(), DocumentError> {
        match self.frames.last_mut() {
            None => self.root = Some(value),
            Some(Frame {
                content: Content::List(items),
                ..
            }) => items.push(value),
            Some(Frame {
                content: Content::Map(map),
                ..
            }) => match map.key.take() {
                Some(Key::Name(name)) => {
                    map.entries.insert(name, value);
                }
                Some(Key::Merge) => {
                    return map
                        .merge(value, alias, self.dialect)
                        .or_else(|message| fail(span, message));
                }
                // Only containers come here without a key, and `open` has refused those.
                None => return fail(span, "a map or a list cannot be a key"),
            },
        }
        Ok(())
    }
}

/// go-yaml's `allowedAliasRatio`: 99 % up to 400,000 nodes, falling to 10 % at 4,000,000.
fn allowed_alias_ratio(nodes: u64) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let part = ((nodes as f64 - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    0.99 - 0.89 * part
}

/// Rough size of a value in bytes. Recursion is bounded by [`MAX_DEPTH`] and aliases: those multiply
/// breadth, and depth only by what the limits on aliases let through.
fn weight(value: &Value) -> usize {
    let mut total = 0usize;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        total += 32;
        match value {
            Value::String(text) => total += text.len(),
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                total += map.keys().map(|k| k.len() + 32).sum::<usize>();
                open.extend(map.values());
            }
            _ => {}
        }
    }
    total
}
