//! Dotenv as SOPS has it: every line is a comment, or a name and behind the first `=` its value. Quotes and blanks mean nothing.

use zeroize::Zeroizing;

use super::{one, scalar_text, syntax, unwritable};
use crate::error::Error;
use crate::format::Format;
use crate::text::{Buffer, Text};
use crate::tree::{Comment, Entry, Tree, Value};

pub(super) fn read(file: &[u8]) -> Result<Tree, Error> {
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        if line.is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix(b"#") {
            entries.push(Entry::Comment(Comment {
                text: comment.into(),
                inline: false,
            }));
            continue;
        }
        let at = line.iter().position(|byte| *byte == b'=');
        let at = at.ok_or_else(|| syntax(Format::Dotenv, number, "neither a comment nor NAME=VALUE"))?;
        let name = std::str::from_utf8(&line[..at]);
        let name = name.map_err(|_| syntax(Format::Dotenv, number, "a name that is not UTF-8"))?;
        entries.push(Entry::Pair(name.to_owned(), Value::Text(unescaped(&line[at + 1..]))));
    }
    Ok(one(entries))
}

/// `\n` stands for a line end; nothing else is escaped.
fn unescaped(value: &[u8]) -> Text {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        match after.strip_prefix(b"n").filter(|_| byte == b'\\') {
            Some(after) => {
                out.push(b'\n');
                rest = after;
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out.into()
}

pub(super) fn write(tree: &Tree) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut out = Buffer::default();
    for entry in tree.documents.iter().take(1).flat_map(|map| &map.entries) {
        match entry {
            Entry::Comment(comment) => {
                out.put([b'#']);
                out.put(comment.text.as_bytes());
            }
            Entry::Pair(name, value) => {
                out.put(name.as_bytes());
                out.put([b'=']);
                match value {
                    Value::Map(_) | Value::List(_) => {
                        return Err(unwritable(Format::Dotenv, &[name], "a map or a list"));
                    }
                    Value::Text(text) => {
                        for byte in text.as_bytes() {
                            match byte {
                                b'\n' => out.put(b"\\n"),
                                byte => out.put([*byte]),
                            }
                        }
                    }
                    value => out.put(scalar_text(value).as_bytes()),
                }
            }
        }
        out.put([b'\n']);
    }
    Ok(out.done())
}
