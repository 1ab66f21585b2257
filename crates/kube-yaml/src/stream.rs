//! From the bytes of a file to documents: what `kubectl` reads from a file given with `-f`.

use std::ops::Range;

use serde_json::Value;

use crate::document::{Document, DocumentError, Nulls, Warning, WarningKind};
use crate::json;
use crate::load::load;
use crate::scalar::Dialect;

/// Reads a stream of YAML documents or JSON values the way `kubectl` does.
///
/// - A text that begins with `{` is read as JSON values, one after the other, and from the first place
///   that is not JSON as YAML.
/// - YAML is cut at lines that begin with `---`, wherever they stand. Only a comment may follow on such
///   a line. Each piece is one document; what follows its end (`...`) is not read, and warned of.
/// - Empty documents are left out. A bad one does not lose its neighbours (with `kubectl` it does).
///
/// Never fails, and never panics on any input: problems are in [`Document::value`].
pub fn parse(text: &[u8]) -> Vec<Document> {
    parse_as(text, Dialect::Kubernetes)
}

/// Reads a stream of objects the way kustomize does, whose output Kubernetes then reads. It differs from [`parse`] in what
/// plain scalars mean:
///
/// - `yes`, `no`, `on`, `off`, `y` and `n` are texts; only `true` and `false` are booleans.
/// - A date is a point in time and written out as one: `2026-01-31` is the text `2026-01-31T00:00:00Z`.
/// - `<<` does not override what stands before it.
/// - A block of text that ends with the file, without a line feed, has none.
/// - Annotations are texts as they are written: `1.10` stays `1.10`.
///
/// ```
/// let text = b"kind: ConfigMap\nmetadata: {annotations: {version: 1.10}}\ndata: {debug: on}\n";
/// let documents = kube_yaml::parse_kustomize(text);
/// let value = documents[0].value.as_ref().expect("good");
/// assert_eq!(value["metadata"]["annotations"]["version"], "1.10");
/// assert_eq!(value["data"]["debug"], "on");
/// ```
pub fn parse_kustomize(text: &[u8]) -> Vec<Document> {
    parse_as(text, Dialect::Kustomize)
}

/// Reads a stream of strategic merge patches the way kustomize does: as [`parse_kustomize`], but an annotation that is null stays
/// null, which is to remove it.
pub fn parse_kustomize_patch(text: &[u8]) -> Vec<Document> {
    parse_as(text, Dialect::KustomizePatch)
}

fn parse_as(text: &[u8], dialect: Dialect) -> Vec<Document> {
    let mut out = Out::default();
    if let Some(error) = wrong_encoding(text) {
        out.push(error.line, Err(error), Vec::new(), 0..text.len());
        return out.0;
    }
    let mut place = Place { byte: 0, line: 1 };
    let mut error = None;
    if first_visible(text) == Some(b'{') {
        error = read_json(text, &mut place, &mut out);
    }
    for piece in pieces(text, &place) {
        read_piece(&piece, error.take(), dialect, &mut out);
    }
    out.0
}

/// Reads a file that holds one document, such as `kustomization.yaml`, `Chart.yaml` or Helm values, the
/// way their tools do (`sigs.k8s.io/yaml`): only the first document counts, more of them give a warning.
/// An empty file gives `null`.
pub fn parse_one(text: &[u8]) -> Document {
    let mut document = Document {
        index: 0,
        line: 1,
        value: Ok(Value::Null),
        warnings: Vec::new(),
        bytes: 0..text.len(),
        nulls: Nulls::default(),
    };
    if let Some(error) = wrong_encoding(text) {
        document.line = error.line;
        document.value = Err(error);
        return document;
    }
    match checked(text, 1) {
        Err(error) => {
            document.line = error.line;
            document.value = Err(error);
        }
        Ok((text, warning)) => {
            let loaded = load(text, 0, true, Dialect::Kubernetes);
            document.line = loaded.line.unwrap_or(1);
            document.value = loaded.value.map_err(|e| explained(e, text));
            document.warnings = in_order(loaded.warnings, warning);
        }
    }
    document
}

/// Documents found so far.
#[derive(Default)]
struct Out(Vec<Document>);

impl Out {
    fn push(
        &mut self,
        line: usize,
        value: Result<Value, DocumentError>,
        warnings: Vec<Warning>,
        bytes: Range<usize>,
    ) -> Option<&mut Document> {
        if matches!(value, Ok(Value::Null)) && warnings.is_empty() {
            return None;
        }
        self.0.push(Document {
            index: self.0.len(),
            line,
            value,
            warnings,
            bytes,
            nulls: Nulls::default(),
        });
        self.0.last_mut()
    }
}

/// How far a text has been read.
struct Place {
    byte: usize,
    /// Line of that byte, from 1.
    line: usize,
}

impl Place {
    fn advance(&mut self, text: &[u8], bytes: usize) {
        self.line += newlines(&text[self.byte..self.byte + bytes]);
        self.byte += bytes;
    }
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|b| **b == b'\n').count()
}

fn first_visible(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|b| !is_space(*b))
}

/// White space as Go's `unicode.IsSpace` sees it, as far as it is ASCII.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Reads JSON values as long as there are any. Returns what was wrong where they end before the text
/// does, if YAML is not to be tried there.
fn read_json(text: &[u8], place: &mut Place, out: &mut Out) -> Option<DocumentError> {
    let mut count = 0;
    loop {
        let rest = &text[place.byte..];
        let blank = rest.iter().take_while(|b| is_space(**b)).count();
        if blank == rest.len() {
            place.advance(text, blank);
            return None;
        }
        match json::first(rest) {
            Ok(parsed) => {
                let line = place.line + newlines(&rest[..blank]);
                let warnings = match parsed.repeated {
                    true => repeated_keys(&rest[blank..parsed.length], line),
                    false => Vec::new(),
                };
                let bytes = place.byte + blank..place.byte + parsed.length;
                out.push(line, Ok(parsed.value), warnings, bytes);
                place.advance(text, parsed.length);
                count += 1;
            }
            // Such as a number beyond f64: JSON, so YAML is not asked, but not a value.
            Err(error) if let Some(length) = json::length(rest) => {
                let line = place.line + newlines(&rest[..blank]);
                let bytes = place.byte + blank..place.byte + length;
                out.push(line, Err(json_error(&error, place.line)), Vec::new(), bytes);
                place.advance(text, length);
                count += 1;
            }
            Err(error) => {
                let looks_like_json = rest[blank] == b'{' && first_visible(&rest[blank + 1..]) == Some(b'"');
                let problem = json_error(&error, place.line);
                // What stands between the last value and the end of its line is not content.
                let head = rest[..blank]
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(blank, |at| at + 1);
                place.advance(text, head);
                return (count > 1 || looks_like_json).then_some(problem);
            }
        }
    }
}

fn json_error(error: &serde_json::Error, line: usize) -> DocumentError {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    DocumentError {
        line: line + error.line().saturating_sub(1),
        column: Some(error.column().max(1)),
        message: format!("not JSON: {message}"),
    }
}

/// The places of keys given twice, found by reading the value again as YAML.
fn repeated_keys(text: &[u8], line: usize) -> Vec<Warning> {
    let warnings = std::str::from_utf8(text)
        .map(|text| load(text, line - 1, false, Dialect::Kubernetes).warnings)
        .unwrap_or_default();
    if !warnings.is_empty() {
        return warnings;
    }
    // YAML could not read it: then at least the document is named.
    vec![Warning {
        line,
        message: "a key is given twice: the last one wins".to_owned(),
        kind: WarningKind::DuplicateKey {
            path: String::new(),
            key: String::new(),
            first_line: line,
        },
    }]
}

/// What stands between two separators.
struct Piece<'a> {
    text: &'a [u8],
    /// Where in the file.
    bytes: Range<usize>,
    /// Line of its first byte, from 1.
    line: usize,
    /// Whether the separator before it is not one by kubectl's rules.
    bad_separator: bool,
}

/// Cuts YAML the way apimachinery's `YAMLReader` does: at every line that begins with `---`, before the
/// YAML is looked at. On such a line only a comment may follow.
fn pieces<'a>(text: &'a [u8], from: &Place) -> Vec<Piece<'a>> {
    let (mut start, mut start_line, mut bad_separator) = (from.byte, from.line, false);
    let (mut at, mut line) = (from.byte, from.line);
    let mut found = Vec::new();
    for row in text[at..].split_inclusive(|b| *b == b'\n') {
        if let Some(after) = row.strip_prefix(b"---") {
            found.push(Piece {
                text: &text[start..at],
                bytes: start..at,
                line: start_line,
                bad_separator,
            });
            bad_separator = !matches!(first_visible(after), None | Some(b'#'));
            (start, start_line) = if bad_separator {
                (at, line)
            } else {
                (at + row.len(), line + 1)
            };
        }
        at += row.len();
        line += 1;
    }
    found.push(Piece {
        text: &text[start..],
        bytes: start..text.len(),
        line: start_line,
        bad_separator,
    });
    found
}

/// Reads one piece. `instead` takes the place of what YAML says is wrong with it.
fn read_piece(piece: &Piece<'_>, instead: Option<DocumentError>, dialect: Dialect, out: &mut Out) {
    if piece.bad_separator {
        let error = DocumentError {
            line: piece.line,
            column: None,
            message: "only a comment may follow the separator ---".to_owned(),
        };
        out.push(piece.line, Err(error), Vec::new(), piece.bytes.clone());
        return;
    }
    let (text, warning) = match checked(piece.text, piece.line) {
        Ok(checked) => checked,
        Err(error) => {
            out.push(content_line(piece), Err(error), Vec::new(), piece.bytes.clone());
            return;
        }
    };
    // kubectl adds a line feed to the last line, kustomize does not.
    let loaded = load(text, piece.line - 1, dialect != Dialect::Kubernetes, dialect);
    let warnings = in_order(loaded.warnings, warning);
    match loaded.value {
        // A comment or nothing: no document, whatever characters it holds.
        Ok(_) if loaded.line.is_none() => {}
        Ok(value) => {
            let line = loaded.line.unwrap_or(piece.line);
            if let Some(document) = out.push(line, Ok(value), warnings, piece.bytes.clone()) {
                document.nulls = loaded.nulls;
            }
        }
        Err(error) => {
            let error = instead.unwrap_or_else(|| explained(error, text));
            out.push(content_line(piece), Err(error), warnings, piece.bytes.clone());
        }
    }
}

fn in_order(mut warnings: Vec<Warning>, more: Option<Warning>) -> Vec<Warning> {
    warnings.extend(more);
    warnings.sort_by_key(|w| w.line);
    warnings
}

/// The first line of a piece that is neither blank nor a comment.
fn content_line(piece: &Piece<'_>) -> usize {
    let blank = piece
        .text
        .split(|b| *b == b'\n')
        .take_while(|row| matches!(first_visible(row), None | Some(b'#')))
        .count();
    piece.line + blank.min(newlines(piece.text))
}

fn wrong_encoding(text: &[u8]) -> Option<DocumentError> {
    (text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff])).then(|| DocumentError {
        line: 1,
        column: None,
        message: "the file is UTF-16; Kubernetes files are UTF-8".to_owned(),
    })
}

/// The text as UTF-8 without the control characters that YAML forbids, and a warning if it holds a
/// character that only YAML 1.1 takes for the end of a line.
fn checked(text: &[u8], line: usize) -> Result<(&str, Option<Warning>), DocumentError> {
    let line_of = |at: usize| line + newlines(&text[..at]);
    let wrong = |at: usize, message: String| DocumentError {
        line: line_of(at),
        column: None,
        message,
    };
    let decoded =
        std::str::from_utf8(text).map_err(|error| wrong(error.valid_up_to(), "the text is not UTF-8".to_owned()))?;
    let mut warning = None;
    for (at, c) in decoded.char_indices() {
        if is_forbidden(c) {
            let code = u32::from(c);
            return Err(wrong(at, format!("the control character U+{code:04X} is not allowed")));
        }
        if is_old_line_end(c) && warning.is_none() {
            warning = Some(Warning {
                line: line_of(at),
                message: format!(
                    "U+{:04X} ends the line for Kubernetes, but is read as text here: write it as an escape",
                    u32::from(c)
                ),
                kind: WarningKind::LineEnd,
            });
        }
    }
    Ok((decoded, warning))
}

/// Next line, line separator and paragraph separator.
pub(crate) fn is_old_line_end(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Characters that YAML does not allow, not even in quotes.
pub(crate) fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{fffe}' | '\u{ffff}')
}

/// Adds a hint where the text is most likely not meant to be YAML.
fn explained(mut error: DocumentError, text: &str) -> DocumentError {
    if text.contains("{{") {
        error
            .message
            .push_str(" (it holds {{: a template that was not rendered?)");
    }
    error
}
