//! Where a value stands: what holds it decides how it is written.

use serde_json::{Map, Value};
use serde_yaml::granit_parser::ScalarStyle;

use crate::Step;
use crate::look::{Look, column, line_end, line_start};
use crate::tree::{Entry, Item, Kind, Node};

/// A change of a text: these bytes become that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub start: usize,
    pub end: usize,
    pub text: String,
}

impl Change {
    pub fn put(at: usize, text: String) -> Self {
        Change {
            start: at,
            end: at,
            text,
        }
    }

    pub fn cut(start: usize, end: usize) -> Self {
        Change {
            start,
            end,
            text: String::new(),
        }
    }
}

/// The text with its changes, which do not overlap.
pub(crate) fn changed(text: &str, mut changes: Vec<Change>) -> Option<String> {
    changes.sort_by_key(|change| (change.start, change.end));
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for change in changes {
        out.push_str(text.get(at..change.start)?);
        out.push_str(&change.text);
        at = change.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    Root,
    /// Of a map in block style: the column of its keys, and where behind the colon it stands.
    Key {
        column: usize,
        colon: usize,
    },
    /// Of a list in block style.
    Dash {
        column: usize,
        dash: usize,
    },
    /// Inside of `{}` or `[]`.
    Flow,
    /// Behind a key that is not written as `key:`.
    Odd,
}

/// A value and what holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'n> {
    pub node: &'n Node,
    pub holder: Holder,
}

impl<'n> Slot<'n> {
    pub fn root(node: &'n Node) -> Self {
        let holder = Holder::Root;
        Slot { node, holder }
    }

    /// The value at a step.
    pub fn child(&self, text: &str, step: &Step) -> Option<Slot<'n>> {
        let node = self.node.child(step)?;
        let holder = match (&self.node.kind, step) {
            (Kind::Map { flow: true, .. } | Kind::List { flow: true, .. }, _) => Holder::Flow,
            (Kind::Map { entries, .. }, Step::Key(key)) => {
                let entry = entries.iter().rfind(|entry| entry.key.as_ref() == Some(key))?;
                match entry.colon {
                    Some(colon) => Holder::Key {
                        column: column(text, entry.key_start),
                        colon,
                    },
                    None => Holder::Odd,
                }
            }
            (Kind::List { items, .. }, Step::Index(index)) => {
                let dash = items.get(*index)?.dash;
                Holder::Dash {
                    column: column(text, dash),
                    dash,
                }
            }
            _ => return None,
        };
        Some(Slot { node, holder })
    }
}

/// The nodes along a path, the root first, as far as they are written there; an alias ends it.
pub(crate) fn walk<'n>(text: &str, root: &'n Node, path: &[Step]) -> Vec<Slot<'n>> {
    let mut slots = vec![Slot::root(root)];
    for step in path {
        let Some(next) = slots.last().and_then(|slot| slot.child(text, step)) else {
            break;
        };
        slots.push(next);
    }
    slots
}

/// A text being edited, and its look.
#[derive(Clone, Copy)]
pub(crate) struct Page<'t> {
    pub text: &'t str,
    pub look: Look,
}

impl Page<'_> {
    /// A value instead of another.
    pub fn write(self, slot: Slot<'_>, value: &Value) -> Option<Vec<Change>> {
        match slot.holder {
            Holder::Root => Some(self.write_root(slot.node, value)),
            Holder::Flow => Some(self.write_flow(slot.node, value)),
            Holder::Key { column, colon } => {
                let mut holder = Map::new();
                holder.insert("k".to_owned(), value.clone());
                let lines = self.look.lines(&Value::Object(holder));
                let head = lines.first()?.strip_prefix("k:")?.trim_start_matches(' ').to_owned();
                let head = as_quoted(slot.node, value).unwrap_or(head);
                self.write_block(slot.node, colon, &head, self.indented(&lines[1..], column))
            }
            Holder::Dash { column, dash } => {
                let lines = self.look.lines(&Value::Array(vec![value.clone()]));
                let head = lines.first()?.strip_prefix("- ")?.to_owned();
                let head = as_quoted(slot.node, value).unwrap_or(head);
                self.write_block(slot.node, dash + 1, &head, self.indented(&lines[1..], column))
            }
            Holder::Odd => None,
        }
    }

    fn write_root(self, node: &Node, value: &Value) -> Vec<Change> {
        let text = match self.look.json {
            true => serde_json::to_string_pretty(value).unwrap_or_default(),
            false => self.look.lines(value).join(self.look.line_end()),
        };
        let start = node.outer_start();
        // A first line that is indented would make the rest wrong.
        let start = match self.text[line_start(self.text, start)..start].trim().is_empty() {
            true => line_start(self.text, start),
            false => start,
        };
        vec![Change {
            start,
            end: line_end(self.text, node.end),
            text,
        }]
    }

    /// Lines, each with the end of the line before it.
    pub fn indented(self, lines: &[String], column: usize) -> String {
        let mut out = String::new();
        for line in lines {
            out.push_str(self.look.line_end());
            if !line.is_empty() {
                out.extend(std::iter::repeat_n(' ', column));
                out.push_str(line);
            }
        }
        out
    }

    /// A new key of a map, before the entry of an index.
    pub fn insert_entry(self, map: Slot<'_>, key: &str, value: &Value, at: usize) -> Option<Vec<Change>> {
        let Kind::Map { flow, entries } = &map.node.kind else {
            return None;
        };
        let mut holder = Map::new();
        holder.insert(key.to_owned(), value.clone());
        let holder = Value::Object(holder);
        if *flow {
            let whole = self.look.flow(&holder);
            let spans: Vec<(usize, usize)> = entries.iter().map(span_of_entry).collect();
            return self.insert_in_flow(&spans, at, &whole[1..whole.len() - 1]);
        }
        let column = column(self.text, entries.first()?.key_start);
        let lines = self.look.lines(&holder);
        let spans: Vec<(usize, usize)> = entries.iter().map(span_of_entry).collect();
        self.insert_lines(&spans, at, &lines, column)
    }

    /// A new item of a list, before that of an index.
    pub fn insert_item(self, list: Slot<'_>, value: &Value, at: usize) -> Option<Vec<Change>> {
        let Kind::List { flow, items } = &list.node.kind else {
            return None;
        };
        if *flow {
            let spans: Vec<(usize, usize)> = items.iter().map(|item| (item.dash, item.value.end)).collect();
            return self.insert_in_flow(&spans, at, &self.look.flow(value));
        }
        let column = column(self.text, items.first()?.dash);
        let lines = self.look.lines(&Value::Array(vec![value.clone()]));
        let spans: Vec<(usize, usize)> = items.iter().map(span_of_item).collect();
        self.insert_lines(&spans, at, &lines, column)
    }

    /// A key, or an item of a list, goes. The last one leaves `{}` or `[]`.
    pub fn remove(self, holder: Slot<'_>, step: &Step) -> Option<Vec<Change>> {
        let (flow, spans, gone): (bool, Vec<(usize, usize)>, Vec<usize>) = match (&holder.node.kind, step) {
            (Kind::Map { flow, entries }, Step::Key(key)) => {
                let gone = entries
                    .iter()
                    .enumerate()
                    .filter(|(_, entry)| entry.key.as_ref() == Some(key));
                let gone = gone.map(|(at, _)| at).collect();
                (*flow, entries.iter().map(span_of_entry).collect(), gone)
            }
            (Kind::List { flow, items }, Step::Index(index)) => {
                (*flow, items.iter().map(span_of_item).collect(), vec![*index])
            }
            _ => return None,
        };
        if gone.len() == spans.len() {
            let empty = match step {
                Step::Key(_) => Value::Object(Map::new()),
                Step::Index(_) => Value::Array(Vec::new()),
            };
            return self.write(holder, &empty);
        }
        match (flow, gone.as_slice()) {
            (true, [at]) => Some(vec![self.cut_in_flow(&spans, *at)]),
            (true, _) => None,
            // A key that is given twice goes wherever it stands.
            (false, gone) => gone.iter().map(|at| self.cut_lines(&spans, *at)).collect(),
        }
    }
}

/// A text in the quotes of the one that it replaces.
pub(crate) fn as_quoted(old: &Node, new: &Value) -> Option<String> {
    let text = new.as_str()?;
    let is_simple = text
        .chars()
        .all(|c| c == ' ' || c.is_alphanumeric() || c.is_ascii_graphic());
    match old.kind {
        Kind::Scalar(ScalarStyle::DoubleQuoted) if is_simple => serde_json::to_string(text).ok(),
        Kind::Scalar(ScalarStyle::SingleQuoted) if is_simple => Some(format!("'{}'", text.replace('\'', "''"))),
        _ => None,
    }
}

fn span_of_entry(entry: &Entry) -> (usize, usize) {
    (entry.key_start, entry.value.end.max(entry.colon.unwrap_or_default()))
}

fn span_of_item(item: &Item) -> (usize, usize) {
    (item.dash, item.value.end.max(item.dash + 1))
}
