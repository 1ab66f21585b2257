//! From nodes to the tree of SOPS: where the comments of a node go among the entries (`stores/yaml/store.go`).

use std::collections::HashSet;

use super::super::{MAX_DEPTH, syntax};
use super::nodes::{Content, Nodes, parse};
use super::{gaps, scalar};
use crate::error::Error;
use crate::format::Format;
use crate::text::Text;
use crate::tree::{Comment, Entry, Item, Map, Tree, Value, shown};

/// Nodes and bytes that aliases may stand for, against documents that explode.
const MAX_ALIASED: usize = 64 << 20;

pub(in super::super) fn read(text: &str) -> Result<Tree, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        nodes: parse(gaps::scan(text)?)?,
        aliased: 0,
        in_alias: 0,
        depth: 0,
    };
    let mut tree = Tree::default();
    for document in std::mem::take(&mut builder.nodes.documents) {
        let mut map = Map::default();
        comments(&mut map.entries, &document.head, false);
        builder.root(document.root, &mut map)?;
        comments(&mut map.entries, &document.foot, false);
        tree.documents.push(map);
    }
    Ok(tree)
}

/// One entry for each line of a comment.
fn comments<E: From<Comment>>(entries: &mut Vec<E>, comment: &str, inline: bool) {
    for line in comment.split('\n').filter(|line| !line.is_empty()) {
        let text = Text::from(&line[1..]);
        entries.push(E::from(Comment { text, inline }));
    }
}

impl From<Comment> for Entry {
    fn from(comment: Comment) -> Self {
        Entry::Comment(comment)
    }
}

impl From<Comment> for Item {
    fn from(comment: Comment) -> Self {
        Item::Comment(comment)
    }
}

struct Builder {
    nodes: Nodes,
    aliased: usize,
    in_alias: usize,
    depth: usize,
}

impl Builder {
    fn wrong<T>(&self, node: usize, message: impl Into<String>) -> Result<T, Error> {
        Err(syntax(Format::Yaml, self.nodes.nodes[node].line, message))
    }

    /// Counts what is read once more for an alias.
    fn count(&mut self, node: usize, bytes: usize) -> Result<(), Error> {
        if self.in_alias > 0 {
            self.aliased += bytes + 64;
            if self.aliased > MAX_ALIASED {
                return self.wrong(node, "the aliases stand for more than 64 MiB");
            }
        }
        Ok(())
    }

    fn root(&mut self, node: usize, map: &mut Map) -> Result<(), Error> {
        match &self.nodes.nodes[node].content {
            Content::Map(_) => self.map(node, &mut map.entries, false),
            Content::Alias(_) => self.wrong(node, "a document that is an alias"),
            Content::List(_) => self.wrong(node, "a document that is a list; SOPS wants a map"),
            Content::Scalar(text, plain) => {
                let comments_of = &self.nodes.nodes[node].comments;
                comments(&mut map.entries, &comments_of.head, false);
                comments(&mut map.entries, &comments_of.line, false);
                let null = *plain
                    && text
                        .as_str()
                        .is_some_and(|text| matches!(scalar::plain(text), scalar::Plain::Value(Value::Null)));
                match null {
                    true => Ok(()),
                    false => self.wrong(node, "a document that is a single value; SOPS wants a map"),
                }
            }
        }
    }

    fn map(&mut self, node: usize, entries: &mut Vec<Entry>, handled: bool) -> Result<(), Error> {
        let Content::Map(children) = &self.nodes.nodes[node].content else {
            return Ok(());
        };
        let children = children.clone();
        if !handled {
            comments(entries, &self.nodes.nodes[node].comments.head, false);
            comments(entries, &self.nodes.nodes[node].comments.line, false);
        }
        let mut seen = HashSet::new();
        for pair in children.chunks_exact(2) {
            let (key, value) = (pair[0], pair[1]);
            comments(entries, &self.nodes.nodes[key].comments.head, false);
            comments(entries, &self.nodes.nodes[key].comments.line, false);
            let own = matches!(self.nodes.nodes[value].content, Content::Scalar(..) | Content::Alias(_));
            if own {
                comments(entries, &self.nodes.nodes[value].comments.head, false);
                comments(entries, &self.nodes.nodes[value].comments.line, true);
            }
            let name = self.key(key)?;
            if !seen.insert(name.clone()) {
                return self.wrong(key, format!("the key {} is given twice", shown(&name)));
            }
            let content = self.value(value, own)?;
            entries.push(Entry::Pair(name, content));
            if own {
                comments(entries, &self.nodes.nodes[value].comments.foot, false);
            }
            comments(entries, &self.nodes.nodes[key].comments.foot, false);
        }
        if !handled {
            comments(entries, &self.nodes.nodes[node].comments.foot, false);
        }
        Ok(())
    }

    fn key(&mut self, node: usize) -> Result<String, Error> {
        let Content::Scalar(text, plain) = &self.nodes.nodes[node].content else {
            return self.wrong(
                node,
                "a key that is not a text; SOPS takes only texts, put it in quotes",
            );
        };
        let tag = self.nodes.nodes[node].tag.as_deref();
        match scalar::value(text.clone(), *plain, tag) {
            Ok(Value::Text(text)) => match text.as_str() {
                Some(name) => Ok(name.to_owned()),
                None => self.wrong(node, "a key that is not UTF-8"),
            },
            Ok(_) => self.wrong(
                node,
                "a key that is not a text; SOPS takes only texts, put it in quotes",
            ),
            Err(message) => self.wrong(node, message),
        }
    }

    fn value(&mut self, node: usize, handled: bool) -> Result<Value, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.wrong(node, "nested too deeply");
        }
        let value = self.value_within(node, handled);
        self.depth -= 1;
        value
    }

    fn value_within(&mut self, node: usize, handled: bool) -> Result<Value, Error> {
        match &self.nodes.nodes[node].content {
            Content::Scalar(text, plain) => {
                let (plain, length, tag) = (*plain, text.as_bytes().len(), self.nodes.nodes[node].tag.clone());
                // A text is needed once, unless an anchor stands there.
                let text = text.clone();
                self.count(node, length)?;
                scalar::value(text, plain, tag.as_deref()).or_else(|message| self.wrong(node, message))
            }
            Content::Map(_) => {
                self.count(node, 0)?;
                let mut map = Map::default();
                self.map(node, &mut map.entries, handled)?;
                Ok(Value::Map(map))
            }
            Content::List(children) => {
                let children = children.clone();
                self.count(node, children.len())?;
                self.list(node, &children, handled)
            }
            Content::Alias(target) => {
                let target = *target;
                self.in_alias += 1;
                let value = self.value(target, false);
                self.in_alias -= 1;
                value
            }
        }
    }

    fn list(&mut self, node: usize, children: &[usize], handled: bool) -> Result<Value, Error> {
        let mut items = Vec::new();
        if !handled {
            comments(&mut items, &self.nodes.nodes[node].comments.head, false);
            comments(&mut items, &self.nodes.nodes[node].comments.line, false);
        }
        for &child in children {
            comments(&mut items, &self.nodes.nodes[child].comments.head, false);
            comments(&mut items, &self.nodes.nodes[child].comments.line, true);
            let value = self.value(child, true)?;
            items.push(Item::Value(value));
            comments(&mut items, &self.nodes.nodes[child].comments.foot, false);
        }
        if !handled {
            comments(&mut items, &self.nodes.nodes[node].comments.foot, false);
        }
        Ok(Value::List(items))
    }
}
