//! INI as `gopkg.in/ini.v1` reads and writes it with the options of SOPS. Comments stand behind the key that they belong to.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::{one, scalar_text, syntax, unwritable};
use crate::error::Error;
use crate::format::Format;
use crate::text::Buffer;
use crate::tree::{Comment, Entry, Map, Tree, Value};

/// The section of keys before any section. It is always there.
const DEFAULT: &str = "DEFAULT";
const DELIMITERS: [char; 2] = ['=', ':'];

pub(super) fn read(file: &[u8]) -> Result<Tree, Error> {
    let text = super::text(Format::Ini, file)?;
    let mut reader = Reader {
        lines: text
            .strip_prefix('\u{feff}')
            .unwrap_or(text)
            .split_inclusive('\n')
            .collect(),
        at: 0,
        comment: String::new(),
        counted: 0,
    };
    let mut sections = vec![Section::new(DEFAULT, "")];
    while let Some(line) = reader.next() {
        let line = line.trim_start();
        if line.is_empty() {
            continue;
        }
        if line.starts_with(['#', ';']) {
            reader.comment.push_str(line);
            continue;
        }
        if line.starts_with('[') {
            let end = line
                .rfind(']')
                .ok_or_else(|| reader.wrong("a section without its `]`"))?;
            if end == 1 {
                return Err(reader.wrong("a section without a name"));
            }
            if let Some(at) = line[end + 1..].find(['#', ';']) {
                reader.comment.push_str(&line[end + 1 + at..]);
            }
            sections.push(Section::new(&line[1..end], &reader.taken_comment()));
            reader.counted = 0;
            continue;
        }
        let (name, value) = reader.pair(line)?;
        let comment = reader.taken_comment();
        if let Some(section) = sections.last_mut() {
            section.set(name, value, comment);
        }
    }
    Ok(one(sections.into_iter().map(Section::entry).collect()))
}

struct Section {
    name: String,
    comment: String,
    keys: Vec<(String, String, String)>,
    /// Where each key is in `keys`.
    places: HashMap<String, usize>,
}

impl Section {
    fn new(name: &str, comment: &str) -> Self {
        Section {
            name: name.to_owned(),
            comment: comment.to_owned(),
            keys: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// A key that comes again replaces the value of the first, at its place.
    fn set(&mut self, name: String, value: String, comment: String) {
        match self.places.get(&name) {
            Some(place) => self.keys[*place] = (name, value, comment),
            None => {
                self.places.insert(name.clone(), self.keys.len());
                self.keys.push((name, value, comment));
            }
        }
    }

    fn entry(self) -> Entry {
        let mut entries = Vec::new();
        let note = |entries: &mut Vec<Entry>, comment: &str| {
            if !comment.is_empty() {
                let sign = comment.chars().next().unwrap_or_default();
                let text = comment.trim_start_matches([sign, ' ']);
                entries.push(Entry::Comment(Comment {
                    text: text.into(),
                    inline: false,
                }));
            }
        };
        note(&mut entries, &self.comment);
        for (name, value, comment) in self.keys {
            entries.push(Entry::Pair(name, Value::Text(value.into())));
            note(&mut entries, &comment);
        }
        Entry::Pair(self.name, Value::Map(Map { entries }))
    }
}

struct Reader<'t> {
    lines: Vec<&'t str>,
    /// The line that comes next.
    at: usize,
    /// Comments since the last key or section.
    comment: String,
    /// Keys named `-` in this section.
    counted: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let line = self.lines.get(self.at).copied();
        self.at += 1;
        line
    }

    fn wrong(&self, message: &str) -> Error {
        syntax(Format::Ini, self.at.min(self.lines.len().max(1)), message)
    }

    fn taken_comment(&mut self) -> String {
        std::mem::take(&mut self.comment).trim().to_owned()
    }

    fn pair(&mut self, line: &str) -> Result<(String, String), Error> {
        let quote = match line.as_bytes()[0] {
            b'"' if line.len() > 6 && line.starts_with("\"\"\"") => "\"\"\"",
            b'"' => "\"",
            b'`' => "`",
            _ => "",
        };
        let inner = &line[quote.len()..];
        let end = match quote {
            "" => 0,
            quote => {
                let end = inner.find(quote);
                end.ok_or_else(|| self.wrong("a name without its closing quote"))? + quote.len()
            }
        };
        let delimiter = inner[end..].find(DELIMITERS).map(|at| at + end);
        let delimiter = delimiter.ok_or_else(|| self.wrong("neither a comment, a section nor `name = value`"))?;
        let name = match quote {
            "" => inner[..delimiter].trim(),
            quote => inner[..end - quote.len()].trim(),
        };
        let name = match name {
            "" => return Err(self.wrong("a value without a name")),
            // Keys without a name are counted.
            "-" => {
                self.counted += 1;
                format!("#{}", self.counted)
            }
            name => name.to_owned(),
        };
        let value = self.value(&inner[delimiter + 1..])?;
        Ok((name, value))
    }

    fn value(&mut self, text: &str) -> Result<String, Error> {
        let line = text.trim_start();
        let quote = match line.as_bytes().first() {
            None => return Ok(String::new()),
            Some(b'"') if line.len() > 3 && line.starts_with("\"\"\"") => "\"\"\"",
            Some(b'`') => "`",
            Some(_) => "",
        };
        if !quote.is_empty() {
            let inner = &line[quote.len()..];
            return match inner.rfind(quote) {
                Some(end) => Ok(inner[..end].to_owned()),
                None => self.lines_until(inner, quote),
            };
        }
        let line = line.trim_end();
        if let Some(begun) = line.strip_suffix('\\') {
            return Ok(self.continued(begun));
        }
        let line = match line.find(['#', ';']) {
            None => line,
            Some(at) => {
                self.comment.push_str(&line[at..]);
                line[..at].trim()
            }
        };
        let quoted = ['\'', '"'].into_iter().find_map(|quote| {
            let inner = line.strip_prefix(quote)?.strip_suffix(quote)?;
            (!inner.contains(quote)).then_some(inner)
        });
        Ok(quoted.unwrap_or(line).to_owned())
    }

    fn lines_until(&mut self, begun: &str, quote: &str) -> Result<String, Error> {
        let mut value = begun.to_owned();
        while let Some(line) = self.next() {
            let Some(end) = line.rfind(quote) else {
                value.push_str(line);
                continue;
            };
            let rest = &line[end + quote.len()..];
            if rest.trim().ends_with('\\') {
                value.push_str(line);
                continue;
            }
            value.push_str(&line[..end]);
            if let Some(at) = line[end..].find(['#', ';']) {
                self.comment.push_str(line[end + at..].trim());
            }
            return Ok(value);
        }
        Err(self.wrong("a value without its closing quote"))
    }

    fn continued(&mut self, begun: &str) -> String {
        let mut value = begun.to_owned();
        while let Some(line) = self.next() {
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            match line.strip_suffix('\\') {
                Some(more) => value.push_str(more),
                None => {
                    value.push_str(line);
                    break;
                }
            }
        }
        value
    }
}

pub(super) fn write(tree: &Tree) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut out = Buffer::default();
    let sections: Vec<(&str, &Value)> = tree.documents.iter().take(1).flat_map(|map| map.pairs()).collect();
    for (at, (name, value)) in sections.iter().enumerate() {
        let Value::Map(section) = value else {
            return Err(unwritable(Format::Ini, &[name], "it must be a map: a section"));
        };
        let (comment, keys) = keys(name, section)?;
        note(&mut out, comment.as_ref());
        if at > 0 || !name.eq_ignore_ascii_case(DEFAULT) {
            out.put(format!("[{name}]\n"));
        } else if keys.is_empty() {
            continue;
        }
        let width = keys.iter().map(|key| key.name.len()).max().unwrap_or_default();
        for key in &keys {
            note(&mut out, key.comment.as_ref());
            out.put(format!("{}{} = ", key.name, " ".repeat(width - key.name.len())));
            let quote = quote(&key.value);
            for part in [quote, &key.value, quote, "\n"] {
                out.put(part);
            }
        }
        if at + 1 < sections.len() {
            out.put("\n");
        }
    }
    Ok(out.done())
}

struct Key {
    name: String,
    value: Zeroizing<String>,
    comment: Option<Zeroizing<String>>,
}

/// The comment of a section and its keys, each with its comment; one that is given twice keeps its first place and its last value.
fn keys(section: &str, map: &Map) -> Result<(Option<Zeroizing<String>>, Vec<Key>), Error> {
    let mut own = None;
    let mut keys: Vec<Key> = Vec::new();
    let mut places = HashMap::new();
    let mut last = None;
    for (at, entry) in map.entries.iter().enumerate() {
        match entry {
            Entry::Comment(comment) => {
                let text = Zeroizing::new(comment.text.as_str().unwrap_or_default().to_owned());
                match last {
                    None if at == 0 => own = Some(text),
                    None => {}
                    Some(place) => {
                        let key: &mut Key = &mut keys[place];
                        key.comment = Some(text);
                    }
                }
            }
            Entry::Pair(name, value) => {
                let wrong = |message| unwritable(Format::Ini, &[section, name], message);
                let value = match value {
                    Value::Map(_) | Value::List(_) => return Err(wrong("a map or a list in a section")),
                    Value::Text(text) => text
                        .as_str()
                        .ok_or_else(|| wrong("bytes that are not UTF-8"))?
                        .to_owned(),
                    value => scalar_text(value),
                };
                let place = *places.entry(name).or_insert(keys.len());
                if place == keys.len() {
                    keys.push(Key {
                        name: written(name),
                        value: Zeroizing::default(),
                        comment: None,
                    });
                }
                keys[place].value = Zeroizing::new(value);
                last = Some(place);
            }
        }
    }
    Ok((own, keys))
}

fn written(name: &str) -> String {
    match name {
        name if name.contains('"') || name.contains(DELIMITERS) => format!("`{name}`"),
        name if name.contains('`') => format!("\"\"\"{name}\"\"\""),
        name => name.to_owned(),
    }
}

fn note(out: &mut Buffer, comment: Option<&Zeroizing<String>>) {
    let Some(comment) = comment.filter(|comment| !comment.is_empty()) else {
        return;
    };
    for line in comment.split('\n') {
        match line.chars().next() {
            Some('#') => out.put("# "),
            _ => out.put("; "),
        }
        out.put(line.strip_prefix(['#', ';']).unwrap_or(line).trim());
        out.put("\n");
    }
}

/// What a value must stand in.
fn quote(value: &str) -> &'static str {
    match value {
        value if value.contains(['\n', '`']) => "\"\"\"",
        value if value.contains(['#', ';']) => "`",
        value if value.trim() != value => "\"",
        _ => "",
    }
}
