//! The layout of documents: that of `serde_json::to_writer_pretty`. Long lists in them are made by several threads.

use std::io::{self, Write};
use std::sync::mpsc::sync_channel;

use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

/// Items that a thread makes text of at a time.
const BLOCK: usize = 500;
/// Blocks that wait to be written, of each thread.
const AHEAD: usize = 2;
/// How deep the items of a list are in that is a field of the document.
const OF_A_LIST: usize = 2;

/// A comma, the end of a line and the indentation of the next one, of which as much is taken as is needed.
const BEGINNING: &str = ",\n                                                                ";
/// Deepest level with an indentation of its own; no document of ours is as deep.
const DEEPEST: usize = (BEGINNING.len() - 2) / 2;

/// The text of a value as a document.
pub(super) fn write<W: Write>(value: &impl Serialize, out: W) -> io::Result<()> {
    at(0, value, out).map_err(io::Error::from)
}

fn at<W: Write>(level: usize, value: &impl Serialize, out: W) -> serde_json::Result<()> {
    let layout = Indented {
        level,
        has_value: false,
    };
    value.serialize(&mut serde_json::Serializer::with_formatter(out, layout))
}

/// Serialises a field of a document: a list, with what is `made` of each item as it is written. There may be tens of thousands.
pub(super) fn list<'a, T: Sync, M: Serialize, S: Serializer>(
    items: &'a [T],
    made: impl Fn(&'a T) -> M + Copy + Send,
    into: S,
) -> Result<S::Ok, S::Error> {
    if items.len() <= BLOCK {
        return into.collect_seq(items.iter().map(made));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut list = into.serialize_seq(None)?;
    std::thread::scope(|scope| {
        let makers = (0..threads).map(|first| {
            let (send, receive) = sync_channel(AHEAD);
            let blocks = items.chunks(BLOCK).skip(first).step_by(threads);
            scope.spawn(move || {
                let mut size = 0;
                let mut texts = blocks.map(|block| {
                    let text = text(block, made, size);
                    // The next one is about as long, and to grow it would be to copy it.
                    size = text.as_ref().map_or(0, |text| text.len() + text.len() / 8);
                    text
                });
                texts.try_for_each(|text| send.send(text))
            });
            receive
        });
        let makers: Vec<_> = makers.collect();
        for number in 0..items.len().div_ceil(BLOCK) {
            let block = makers[number % threads].recv().map_err(S::Error::custom)?;
            list.serialize_element(&Text(&block.map_err(S::Error::custom)?))?;
        }
        Ok(())
    })?;
    list.end()
}

/// Items of a list, all but the beginning of the first one's line; of about this size in bytes.
fn text<'a, T, M: Serialize>(items: &'a [T], made: impl Fn(&'a T) -> M, size: usize) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(size);
    for item in items {
        if !text.is_empty() {
            text.extend_from_slice(line(OF_A_LIST, true));
        }
        at(OF_A_LIST, &made(item), &mut text)?;
    }
    Ok(text)
}

/// What is JSON already. In no document of ours are there bytes that are something else.
struct Text<'t>(&'t [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.serialize_bytes(self.0)
    }
}

/// The beginning of a line, after a comma unless something begins or ends.
fn line(level: usize, comma: bool) -> &'static [u8] {
    &BEGINNING.as_bytes()[usize::from(!comma)..2 + 2 * level.min(DEEPEST)]
}

/// How deep it is in, and whether something was written at that level.
struct Indented {
    level: usize,
    has_value: bool,
}

impl Indented {
    fn begin<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level += 1;
        self.has_value = false;
        out.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level -= 1;
        if self.has_value {
            out.write_all(line(self.level, false))?;
        }
        out.write_all(bracket)
    }
}

impl Formatter for Indented {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(line(self.level, !first))
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(line(self.level, !first))
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    /// See [`Text`].
    fn write_byte_array<W: ?Sized + Write>(&mut self, out: &mut W, value: &[u8]) -> io::Result<()> {
        out.write_all(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Document<'a> {
        before: usize,
        #[serde(serialize_with = "each")]
        items: &'a [usize],
        after: [u8; 0],
    }

    fn each<S: Serializer>(items: &&[usize], into: S) -> Result<S::Ok, S::Error> {
        list(
            items,
            |item| json!({"item": item, "none": {}, "deep": [[], [{"a": "b"}, item]]}),
            into,
        )
    }

    #[test]
    fn a_document_looks_as_one_made_at_once() {
        for count in [0, 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7] {
            let items: Vec<usize> = (0..count).collect();
            let document = Document {
                before: 1,
                items: &items,
                after: [],
            };
            let mut text = Vec::new();
            write(&document, &mut text).expect("a Vec takes all");
            let value: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
            assert_eq!(value["items"].as_array().map(Vec::len), Some(count));
            assert_eq!(
                value["items"]
                    .as_array()
                    .and_then(|items| items.last()?.get("item")?.as_u64()),
                count.checked_sub(1).map(|last| last as u64)
            );
            let pretty = serde_json::to_string_pretty(&value).expect("it is JSON");
            assert_eq!(String::from_utf8(text).expect("it is text"), pretty);
        }
    }

    #[test]
    fn a_writer_that_takes_no_more_ends_it() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self
                    .0
                    .checked_sub(bytes.len())
                    .ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let items: Vec<usize> = (0..20 * BLOCK).collect();
        let document = Document {
            before: 1,
            items: &items,
            after: [],
        };
        let error = write(&document, Full(100_000)).expect_err("because it is full");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
