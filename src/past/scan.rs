//! The identities in a content, line by line, without building the values: an order of magnitude faster than reading it whole.
//!
//! Only the plainest YAML is taken: block maps and lists with simple keys, scalars that end on their line, block scalars,
//! anchors on scalars. Anything else (flow maps, merge keys, tags, tabs, quotes over several lines, templates, JSON, repeated keys that
//! matter, wrong indentation) ends the scan with `None`, and the content is read by kube-yaml. What is taken gives what kube-yaml
//! gives; the tests compare the two, also on every content of the real repositories.

use super::names::{Names, identity};

/// Collections within each other that are followed.
const MAX_DEPTH: usize = 64;
/// Longest key: YAML takes up to 1024 characters.
const MAX_KEY: usize = 256;

/// The identities in a text, in the order of its documents; `None` when it is not plain enough.
pub(super) fn scan(text: &[u8]) -> Option<Names> {
    // Control characters and the bytes that begin the encoding of some (C1 controls, the byte order mark, non-characters).
    let odd = |byte: &u8| (*byte < b' ' && *byte != b'\n') || matches!(*byte, 0x7f | 0xc2 | 0xef);
    if text.iter().any(odd) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let mut names = Names::default();
    let mut document = Document::default();
    for line in text.split('\n') {
        if let Some(after) = line.strip_prefix("---") {
            is_ended(after).then_some(())?;
            std::mem::take(&mut document).end(&mut names)?;
        } else {
            document.line(line)?;
        }
    }
    document.end(&mut names)?;
    Some(names)
}

/// Whether nothing but a comment follows.
fn is_ended(rest: &str) -> bool {
    let trimmed = rest.trim_start_matches(' ');
    trimmed.is_empty() || (trimmed.starts_with('#') && trimmed.len() < rest.len())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Map,
    List,
}

/// A document as far as it was read.
#[derive(Default)]
struct Document<'t> {
    /// Open collections with their columns, outermost first.
    open: Vec<(usize, Shape)>,
    /// The last key or dash has no value yet.
    is_waiting: bool,
    /// Lines of a block scalar follow.
    block: Option<Block>,
    /// Anchors of scalars.
    anchors: Vec<&'t str>,
    api_version: Option<&'t str>,
    kind: Option<&'t str>,
    name: Option<&'t str>,
    namespace: Option<&'t str>,
    has_metadata: bool,
    has_items: bool,
    in_metadata: bool,
}

/// A block scalar.
#[derive(Clone, Copy)]
struct Block {
    /// Its lines are further right than this.
    beyond: usize,
    /// The column of its first line; the most that blank lines before it had.
    column: Option<usize>,
    blank: usize,
}

/// What stands after a key or a dash.
enum Written<'t> {
    Nothing,
    Block,
    /// A scalar, as text where that is what it is.
    Scalar(Option<&'t str>),
}

impl<'t> Document<'t> {
    fn end(self, names: &mut Names) -> Option<()> {
        let (Some(api_version), Some(kind)) = (self.api_version, self.kind) else {
            return Some(());
        };
        if api_version.is_empty() || kind.is_empty() {
            return Some(());
        }
        if self.has_items && kind.ends_with("List") {
            return None;
        }
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            let namespace = self.namespace.filter(|namespace| !namespace.is_empty());
            names.found.push(identity(api_version, kind, namespace, name));
        }
        Some(())
    }

    fn line(&mut self, line: &'t str) -> Option<()> {
        let content = line.trim_start_matches(' ');
        let column = line.len() - content.len();
        if let Some(block) = &mut self.block {
            match block.takes(column, content)? {
                true => return Some(()),
                false => self.block = None,
            }
        }
        if content.is_empty() || content.starts_with('#') {
            return Some(());
        }
        if column == 0 && (content.starts_with("...") || content.starts_with('%')) {
            return None;
        }
        self.node(column, content)
    }

    /// An entry of a map or a list that begins at a column, and what is nested in it on the same line.
    fn node(&mut self, mut column: usize, mut content: &'t str) -> Option<()> {
        let mut is_inline = false;
        loop {
            let after = content
                .strip_prefix('-')
                .filter(|after| after.is_empty() || after.starts_with(' '));
            let Some(after) = after else { break };
            self.enter(column, Shape::List, is_inline)?;
            let rest = after.trim_start_matches(' ');
            if rest.is_empty() || rest.starts_with('#') {
                self.is_waiting = true;
                return Some(());
            }
            column += content.len() - rest.len();
            (content, is_inline) = (rest, true);
        }
        match key(content)? {
            Some((key, rest)) => {
                self.enter(column, Shape::Map, is_inline)?;
                let written = self.value(column, rest)?;
                self.entry(key, &written)
            }
            None if is_inline => {
                let dash = self.open.last()?.0;
                self.value(dash, content).map(drop)
            }
            None => None,
        }
    }

    /// Makes a collection the innermost one: opens it, or closes those within it.
    fn enter(&mut self, column: usize, shape: Shape, is_inline: bool) -> Option<()> {
        let mut was_waiting = std::mem::take(&mut self.is_waiting);
        while self.open.last().is_some_and(|(open, _)| *open > column) {
            self.open.pop();
            // What waited was in the collection that ends here: it has no value.
            was_waiting = false;
            if self.open.last().is_none_or(|(open, _)| *open < column) {
                // Between the columns of two collections.
                return None;
            }
        }
        let may_open = is_inline || was_waiting || self.open.is_empty();
        match self.open.last() {
            Some((open, found)) if *open == column => match (found, shape) {
                (Shape::Map, Shape::Map) | (Shape::List, Shape::List) => Some(()),
                // A list may stand in the column of its key.
                (Shape::Map, Shape::List) if was_waiting => self.push(column, shape),
                (Shape::List, Shape::Map) => {
                    self.open.pop();
                    (self.open.last() == Some(&(column, Shape::Map))).then_some(())
                }
                (Shape::Map, Shape::List) => None,
            },
            _ if may_open => self.push(column, shape),
            _ => None,
        }
    }

    fn push(&mut self, column: usize, shape: Shape) -> Option<()> {
        self.open.push((column, shape));
        (self.open.len() <= MAX_DEPTH).then_some(())
    }

    /// What stands after a key, or after a dash, of a collection in this column.
    fn value(&mut self, column: usize, rest: &'t str) -> Option<Written<'t>> {
        let mut rest = rest.trim_start_matches(' ');
        if rest.is_empty() || rest.starts_with('#') {
            self.is_waiting = true;
            return Some(Written::Nothing);
        }
        if let Some(named) = rest.strip_prefix('&') {
            let (anchor, after) = anchor(named)?;
            rest = after.trim_start_matches(' ');
            self.anchors.retain(|known| *known != anchor);
            if rest.is_empty() || rest.starts_with('#') {
                // Of a collection or of nothing: aliases of it are left to kube-yaml.
                self.is_waiting = true;
                return Some(Written::Nothing);
            }
            (!rest.starts_with(['&', '*', '|', '>'])).then(|| self.anchors.push(anchor))?;
        }
        if let Some(named) = rest.strip_prefix('*') {
            let (anchor, after) = anchor(named)?;
            let is_known = self.anchors.contains(&anchor) && is_ended(after);
            return is_known.then_some(Written::Scalar(None));
        }
        if let Some(after) = rest.strip_prefix(['|', '>']) {
            is_ended(after.strip_prefix(['-', '+']).unwrap_or(after)).then_some(())?;
            self.block = Some(Block {
                beyond: column,
                column: None,
                blank: 0,
            });
            return Some(Written::Block);
        }
        scalar(rest).map(Written::Scalar)
    }

    /// Notes what makes the identity.
    fn entry(&mut self, key: &'t str, written: &Written<'t>) -> Option<()> {
        let text = match written {
            Written::Scalar(text) => *text,
            _ => None,
        };
        match self.open.len() {
            1 => {
                self.in_metadata = key == "metadata";
                match key {
                    "apiVersion" => once(&mut self.api_version, text),
                    "kind" => once(&mut self.kind, text),
                    "items" => {
                        self.has_items = true;
                        Some(())
                    }
                    "metadata" => {
                        let is_first = !std::mem::replace(&mut self.has_metadata, true);
                        (is_first && matches!(written, Written::Nothing)).then_some(())
                    }
                    _ => Some(()),
                }
            }
            2 if self.in_metadata => match key {
                "name" => once(&mut self.name, text),
                "namespace" => once(&mut self.namespace, text),
                _ => Some(()),
            },
            _ => Some(()),
        }
    }
}

/// A field that must be a text, and given once.
fn once<'t>(field: &mut Option<&'t str>, text: Option<&'t str>) -> Option<()> {
    let is_first = field.is_none();
    *field = Some(text?);
    is_first.then_some(())
}

impl Block {
    /// Whether a line belongs to it; `None` when that is not clear.
    fn takes(&mut self, column: usize, content: &str) -> Option<bool> {
        match self.column {
            _ if content.is_empty() => {
                if self.column.is_none() {
                    self.blank = self.blank.max(column);
                }
                Some(true)
            }
            Some(own) if column >= own => Some(true),
            _ if column <= self.beyond => Some(false),
            Some(_) => None,
            None if self.blank > column => None,
            None => {
                self.column = Some(column);
                Some(true)
            }
        }
    }
}

/// The key that a text begins with, and what follows its colon. `Some(None)`: it has none. `None`: an unusual one.
#[allow(
    clippy::option_option,
    reason = "the outer one is whether the line is plain, the inner one is the answer"
)]
fn key(content: &str) -> Option<Option<(&str, &str)>> {
    let quoted = |quote: char| {
        let rest = content.strip_prefix(quote)?;
        let (inside, after) = rest.split_once(quote)?;
        (!inside.contains('\\')).then_some((inside, after))
    };
    let (key, after) = match content.as_bytes().first()? {
        b'"' => quoted('"')?,
        b'\'' => quoted('\'')?,
        _ => {
            let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '$');
            content.split_at(content.find(|c| !is_key(c)).unwrap_or(content.len()))
        }
    };
    let Some(rest) = after
        .strip_prefix(':')
        .filter(|rest| rest.is_empty() || rest.starts_with(' '))
    else {
        return Some(None);
    };
    let is_quoted = key.len() + rest.len() + 1 < content.len();
    let is_plain = is_quoted || is_text(key);
    (is_plain && key.len() <= MAX_KEY).then_some(Some((key, rest)))
}

/// The name of an anchor, and what follows it.
fn anchor(text: &str) -> Option<(&str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let (name, after) = text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()));
    (!name.is_empty() && (after.is_empty() || after.starts_with(' '))).then_some((name, after))
}

/// A scalar or a simple list that ends on its line, as text where that is what it is; `None` when it is not plain enough.
#[allow(
    clippy::option_option,
    reason = "the outer one is whether the line is plain, the inner one is the answer"
)]
fn scalar(rest: &str) -> Option<Option<&str>> {
    match rest.as_bytes().first()? {
        b'"' => {
            let (text, after) = double_quoted(rest)?;
            is_ended(after).then_some(Some(text).filter(|text| !text.contains('\\')))
        }
        b'\'' => {
            let (text, after) = single_quoted(rest)?;
            is_ended(after).then_some(Some(text).filter(|text| !text.contains('\'')))
        }
        b'{' => is_ended(rest.strip_prefix("{}")?).then_some(None),
        b'[' => is_ended(simple_list(rest)?).then_some(None),
        b'!' | b'@' | b'`' | b'%' | b'&' | b'*' | b',' | b']' | b'}' | b'|' | b'>' | b':' | b'?' | b'=' | b'<' => None,
        _ => plain(rest),
    }
}

#[allow(clippy::option_option, reason = "as in scalar")]
fn plain(rest: &str) -> Option<Option<&str>> {
    let text = rest
        .find(" #")
        .map_or(rest, |comment| &rest[..comment])
        .trim_end_matches(' ');
    if text.contains(": ") || text.ends_with(':') || text == "-" || text.starts_with("- ") {
        return None;
    }
    if is_text(text) {
        return Some(Some(text));
    }
    // Numbers that are too large for JSON, infinity and what is not a number are left to kube-yaml.
    let digits = text.trim_start_matches(['-', '+']);
    let in_number = |c: char| c.is_ascii_hexdigit() || matches!(c, 'x' | 'X' | 'o' | 'O' | '_' | '.' | '+' | '-' | ':');
    let may_overflow = (text.len() > 15 || text.contains(['e', 'E'])) && text.chars().all(in_number);
    let is_no_number = [".inf", ".nan"].iter().any(|word| word.eq_ignore_ascii_case(digits));
    (!may_overflow && !is_no_number).then_some(None)
}

/// Whether a plain scalar or key is a text whatever follows: it begins with a letter, `_` or `$` and is none of the words that stand
/// for something else.
fn is_text(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
    ];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$'));
    begins && !(text.len() <= 5 && WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)))
}

/// A text in double quotes, with escapes as they are, and what follows it.
fn double_quoted(rest: &str) -> Option<(&str, &str)> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some((&rest[1..at], &rest[at + 1..])),
            b'\\' => {
                matches!(bytes.get(at + 1)?, b'"' | b'\\' | b'n' | b't' | b'r').then_some(())?;
                at += 2;
            }
            _ => at += 1,
        }
    }
}

/// A text in single quotes, with doubled quotes as they are, and what follows it.
fn single_quoted(rest: &str) -> Option<(&str, &str)> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return Some((&rest[1..at], &rest[at + 1..])),
            _ => at += 1,
        }
    }
}

/// What follows a list in brackets of quoted texts and plain words.
fn simple_list(rest: &str) -> Option<&str> {
    let mut rest = rest.strip_prefix('[')?.trim_start_matches(' ');
    if let Some(after) = rest.strip_prefix(']') {
        return Some(after);
    }
    loop {
        rest = match rest.as_bytes().first()? {
            b'"' => double_quoted(rest)?.1,
            b'\'' => single_quoted(rest)?.1,
            first if first.is_ascii_alphabetic() => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
                &rest[rest.find(|c| !is_word(c))?..]
            }
            _ => return None,
        };
        rest = rest.trim_start_matches(' ');
        if let Some(after) = rest.strip_prefix(']') {
            return Some(after);
        }
        rest = rest.strip_prefix(',')?.trim_start_matches(' ');
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::process::Command;

    use super::super::names::parsed;
    use super::*;
    use crate::source;

    const PLAIN: &[&str] = &[
        "",
        "# only a comment\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  replicas: 3\n",
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ntype: Opaque\n--- # next\nkind: X\n---\n\n---   \napiVersion: v1\nkind: ConfigMap\nmetadata:\n    namespace: 'a'\n    name: \"b\" # why\ndata:\n  a: |\n    kind: Other\n    metadata:\n      name: not this\n\n  # said\n  b: >-\n      x\n       y\n     \n",
        "kind: X\nmetadata:\n- name: a\napiVersion: v1\n",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    name: not this\n  name: a\nspec:\n  containers:\n  - name: c\n    args: [\"--a=b, c\", 'd', e]\n    command:\n    - --flag=x\n    - -v\n    -   - nested\n        - list\n      # comment\n    env: []\n    res: {}\n  tail: \"a \\\" b\"\n",
        "  apiVersion: v1\n  kind: Pod\n  metadata:\n    name: shifted\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: &app sonarr\n  labels:\n    x: *app\n",
        "apiVersion: v1\nkind: A\nmetadata:\nspec: {}\n",
        "apiVersion: \"\"\nkind: A\nmetadata:\n  name: b\n",
        "apiVersion: v1\nkind: FooList\nmetadata:\n  name: b\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: ${APP}\n  annotations:\n    \"a.b/c: d\": |-\n          deep\n            deeper\n",
        "apiVersion: v1\nkind: A\nmetadata: &m\n  name: b\nx:\n- ../../c\n- 1.2.3@sha256:0123456789abcdef\n- --flag=long-enough\n- &n\n  a: -1\n",
        "- a: 1\n  apiVersion: v1\n  kind: B\n  metadata:\n    name: c\n- 2\n",
        "a:\n- apiVersion: v1\n- kind: x\nb: on\nkind: z\n",
    ];

    /// What is left to kube-yaml; some of it is wrong, some only unusual.
    const ODD: &[&str] = &[
        "{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"name\": \"a\"}}",
        "apiVersion: v1\nkind: A\nmetadata: {name: b}\n",
        "apiVersion: v1\nkind: A\nkind: B\nmetadata:\n  name: b\n",
        "apiVersion: v1\nkind: on\nmetadata:\n  name: b\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: 12\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name:\n    b\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\n c: d\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\n    c: d\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nspec:\n\tx: y\n",
        "apiVersion: v1\r\nkind: A\r\nmetadata:\r\n  name: b\r\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b: c\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: {{ .Values.name }}\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\n{{- if x }}\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: \"y\nkind: z\"\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: [y,\nkind: z]\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: *nowhere\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: .inf\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: -1e999\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: &x\n  y: *x\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nnull: x\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\n<<: *x\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\n--- x\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\n...\nkind: c\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: |\n    y\n  z\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: |2\n    y\n",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata:\n    name: b\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: !!str y\n",
        "apiVersion: v1\nkind: A\nmetadata:\n  name: b\nx: \u{feff}\n",
        "metadata:\n  a:\n- apiVersion\n",
        " metadata:\n  a:\n - apiVersion\n",
    ];

    #[test]
    fn what_is_plain_is_read_as_kube_yaml_reads_it() {
        for text in PLAIN {
            let read = scan(text.as_bytes()).unwrap_or_else(|| panic!("not plain: {text}"));
            assert_eq!(read, parsed(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left() {
        for text in ODD {
            assert_eq!(scan(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_left_of_a_plain_text_is_read_alike_or_left() {
        for text in PLAIN {
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                let cut = [&text[..end], &text[end..]];
                let without = [&text[..end], text[end..].get(1..).unwrap_or_default()].concat();
                for part in [cut[0], cut[1], &without] {
                    if let Some(read) = scan(part.as_bytes()) {
                        assert_eq!(read, parsed(part.as_bytes()), "{part:?}");
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_lines_are_read_alike_or_left(
            lines in proptest::collection::vec(
                "( {0,4}(- )?(apiVersion|kind|metadata|name|namespace|a|\"b\"|'c'):?( (v1|A|\"x\"|'y'|\\||>-|&a b|\\*a|\\[\\]|\\{\\}|# d|x # y|1|: |-|off))?|---|)",
                0..12,
            )
        ) {
            let text = lines.join("\n");
            if let Some(read) = scan(text.as_bytes()) {
                proptest::prop_assert_eq!(read, parsed(text.as_bytes()), "{}", text);
            }
        }
    }

    /// Clones a case; `None`, with a message, where it is not present.
    fn case(name: &str) -> Option<tempfile::TempDir> {
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/cases/{name}.bundle"));
        if !bundle.exists() {
            // Past what `cargo test` keeps of tests that pass.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: {name}.bundle is not present beside the repository"
            );
            return None;
        }
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        #[expect(clippy::disallowed_methods, reason = "bundles are cloned by git itself")]
        let cloned = Command::new("git")
            .args(["clone", "-q", "-n", "-b", "main"])
            .args([&bundle, folder.path()])
            .status();
        assert!(cloned.is_ok_and(|status| status.success()), "git clones {name}");
        Some(folder)
    }

    /// Contents of real repositories: some of them, all with `REFLOAT_LONG`.
    #[test]
    fn real_files_are_read_alike() {
        let every = if std::env::var_os("REFLOAT_LONG").is_some() {
            1
        } else {
            40
        };
        for name in ["jx3-eagle", "home-ops", "gitops-catalog", "bank-of-anthos"] {
            let Some(folder) = case(name) else { return };
            let location = folder.path().display().to_string();
            let tree = source::open(&location, &source::Options::default()).expect("because it was cloned");
            let history = tree.history().expect("because it is a clone");
            let mut reader = history.reader();
            let (mut seen, mut plain, mut differ) = (std::collections::BTreeSet::new(), 0, Vec::new());
            for (at, revision) in history.walk().enumerate() {
                let revision = revision.expect("because the clone is whole");
                if at % every != 0 {
                    continue;
                }
                let changes = reader.changes(revision.tree_before, revision.tree, &source::path::is_manifest_name);
                for change in changes.expect("because the clone is whole") {
                    let Some(id) = change.after.filter(|id| seen.insert(*id)) else {
                        continue;
                    };
                    let text = reader.blob(id, 8 << 20).expect("because the clone is whole");
                    if let Some(read) = scan(&text) {
                        plain += 1;
                        if read != parsed(&text) {
                            differ.push(format!("{} {id}", change.path));
                        }
                    }
                }
            }
            assert!(differ.is_empty(), "{name}: {differ:?}");
            assert!(plain * 2 > seen.len(), "{name}: {plain} of {} are plain", seen.len());
        }
    }
}
