//! Random edits over the YAML files of real repositories (`../shared/cases`, skipped where not present). All bytes but those of the
//! change are kept, and the result is read as meant.
//!
//! A seeded sample; 5,000 with `REFLOAT_LONG=1`.

use std::io::Write;
use std::iter::Peekable;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle};
use yaml_splice::{Edit, Step, apply, edit};

const REPOSITORIES: [&str; 6] = [
    "bank-of-anthos",
    "flux2-kustomize-helm-example",
    "flux2-multi-tenancy",
    "gitops-catalog",
    "home-ops",
    "jx3-eagle",
];

fn git(arguments: &[&str]) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "bundles are cloned by git itself")]
    let output = Command::new("git")
        .args(arguments)
        .output()
        .expect("because git is there");
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// YAML files of the newest commit of a repository: name and text.
fn files(bundle: &Path) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    let clone = folder.path().join("clone");
    let (from, to) = (bundle.to_string_lossy(), clone.to_string_lossy());
    git(&["clone", "--quiet", "-b", "main", &from, &to]);
    let names =
        String::from_utf8(git(&["-C", &to, "ls-files", "-z", "*.yaml", "*.yml"])).expect("because names are UTF-8");
    let texts = names.split('\0').filter_map(|name| {
        let text = std::fs::read_to_string(clone.join(name)).ok()?;
        (text.len() < 200_000).then(|| (name.to_owned(), text))
    });
    texts.collect()
}

/// A generator of numbers: the same at each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }

    fn value(&mut self) -> Value {
        match self.roll(12) {
            0 => json!(self.roll(9000)),
            1 => json!(true),
            2 => json!("yes"),
            3 => json!("0644"),
            4 => json!("one line, of some length: with # marks and 'quotes'"),
            5 => json!("#!/bin/sh\nset -e\n  indented\n\nlast\n"),
            6 => json!("no line end\nat the end"),
            7 => json!({"name": "x", "ports": [{"port": 80}, 8080]}),
            8 => json!(["a", {"b": {"c": "d"}}]),
            9 => json!({}),
            10 => json!(""),
            _ => json!(format!("v{}", self.roll(100))),
        }
    }
}

/// Paths of all values below one, itself not included.
fn paths(value: &Value, at: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let children: Vec<(Step, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (Step::from(key.as_str()), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (Step::Index(index), item))
            .collect(),
        _ => return,
    };
    for (step, child) in children {
        at.push(step);
        found.push(at.clone());
        paths(child, at, found);
        at.pop();
    }
}

fn at<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// An edit somewhere in a document.
fn some_edit(value: &Value, dice: &mut Dice) -> Option<Edit> {
    let mut found = Vec::new();
    paths(value, &mut Vec::new(), &mut found);
    if found.is_empty() {
        return None;
    }
    let path = found[dice.roll(found.len())].clone();
    Some(match dice.roll(4) {
        0 => Edit::set(path, dice.value()),
        1 => Edit::remove(path),
        2 => match path.last()? {
            Step::Index(_) => Edit::insert(path, dice.value()),
            Step::Key(_) => {
                let mut path = path;
                *path.last_mut()? = Step::from(format!("new{}", dice.roll(100)));
                Edit::insert(path, dice.value())
            }
        },
        _ => {
            let scalars = found
                .into_iter()
                .filter(|path| at(value, path).is_some_and(|v| !v.is_object() && !v.is_array()));
            let scalars: Vec<Vec<Step>> = scalars.collect();
            let path = scalars.get(dice.roll(scalars.len()))?.clone();
            Edit::set(path, format!("v{}", dice.roll(1000)))
        }
    })
}

/// How many lines a text has, from both ends, in common with another; the lines between, of each.
fn between<'t>(old: &'t str, new: &'t str) -> (Vec<&'t str>, Vec<&'t str>) {
    let lines = |text: &'t str| text.split_inclusive('\n').collect::<Vec<&str>>();
    let (old, new) = (lines(old), lines(new));
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (
        old[head..old.len() - tail].to_vec(),
        new[head..new.len() - tail].to_vec(),
    )
}

/// Where a node stands in a document, read with nothing but the parser: bytes from its key, or what an item begins with, to its last.
struct Mark {
    start: usize,
    end: usize,
    /// Whether it ends with a block scalar, of which blank lines that follow are a part.
    is_open: bool,
    below: Vec<(Step, Mark)>,
}

impl Mark {
    fn child(&self, step: &Step) -> Option<&Mark> {
        self.below
            .iter()
            .rev()
            .find(|(known, _)| known == step)
            .map(|(_, mark)| mark)
    }
}

type Placed<'t> = (Event<'t>, Range<usize>);

fn marks(document: &str) -> Option<Mark> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut events = Vec::new();
    for event in Parser::new_from_str_with_options(document, options) {
        let (event, span) = event.ok()?;
        match event {
            Event::DocumentEnd => break,
            Event::StreamStart | Event::DocumentStart(..) | Event::StreamEnd => {}
            event => events.push((event, span.byte_range().unwrap_or_default())),
        }
    }
    mark(document, &mut events.into_iter().peekable())
}

fn mark<'t>(text: &str, events: &mut Peekable<impl Iterator<Item = Placed<'t>>>) -> Option<Mark> {
    let (event, span) = events.next()?;
    let end = |end: usize| text[..end].trim_end().len().max(span.start);
    let is_open = matches!(event, Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..));
    // The parser tells where the lines of a block scalar are, and not where `|` is.
    let header = text[..span.start].trim_end().len().saturating_sub(1);
    let mut here = Mark {
        start: if is_open { header } else { span.start },
        end: end(span.end),
        is_open,
        below: Vec::new(),
    };
    let is_map = match event {
        Event::MappingStart(..) => true,
        Event::SequenceStart(..) => false,
        _ => return Some(here),
    };
    loop {
        if let (Event::MappingEnd | Event::SequenceEnd, span) = events.peek()? {
            // In block style nothing ends it.
            let closes = text[span.clone()].starts_with(['}', ']']);
            here.end = here.end.max(if closes { span.end } else { 0 });
            events.next();
            return Some(here);
        }
        let key = match (is_map, events.peek()?) {
            (true, (Event::Scalar(key, ..), _)) => Some(Step::from(key.to_string())),
            _ => None,
        };
        let start = match is_map {
            true => Some(mark(text, events)?.start),
            false => None,
        };
        let mut child = mark(text, events)?;
        child.start = start.unwrap_or(child.start);
        child.end = child.end.max(child.start);
        here.end = here.end.max(child.end);
        here.is_open = child.is_open;
        let step = if is_map {
            key
        } else {
            Some(Step::Index(here.below.len()))
        };
        here.below.extend(step.map(|step| (step, child)));
    }
}

/// The lines of a document that a change may touch: those of the node, for what is new those of the map or list that it comes into.
/// `None`: it is not known where that stands (a merge, an alias).
fn may_change(document: &str, edit: &Edit) -> Option<Range<usize>> {
    let root = marks(document)?;
    let line = |at: usize| document[..at].matches('\n').count();
    let (step, above) = edit.path().split_last()?;
    let mut holders = vec![&root];
    for step in above {
        holders.push(holders.last()?.child(step)?);
    }
    let holder = *holders.last()?;
    if matches!(edit, Edit::Insert { .. }) {
        return Some(line(holder.start)..line(holder.end) + 1);
    }
    let node = holder.child(step)?;
    let mut lines = line(node.start)..line(node.end) + 1;
    let blank = document
        .lines()
        .skip(lines.end)
        .take_while(|line| line.trim().is_empty());
    lines.end += if node.is_open { blank.count() } else { 0 };
    if matches!(edit, Edit::Remove { .. }) {
        match &holder.below[..] {
            // What is left is `{}` or `[]`.
            [_] => lines.start = line(holder.start),
            // The next one comes to stand behind the dash.
            [(first, _), (_, next), ..] if first == step => lines.end = lines.end.max(line(next.start) + 1),
            _ => {}
        }
    }
    Some(lines)
}

/// Whether all lines but those that a change may touch are there as they were.
fn kept(old: &str, new: &str, document: Range<usize>, edit: &Edit) -> Result<(), String> {
    // Where there are aliases, what they stand for moves.
    let piece = &old[document.clone()];
    let Some(lines) = may_change(piece, edit).filter(|_| !piece.contains('&')) else {
        return Ok(());
    };
    let start = old[..document.start].matches('\n').count();
    let all: Vec<&str> = old.split_inclusive('\n').collect();
    let split = |at: usize| all[..(start + at).min(all.len())].concat();
    let (before, until) = (split(lines.start), split(lines.end));
    let after = &old[until.len()..];
    match new.starts_with(&before) && new.ends_with(after) && new.len() >= before.len() + after.len() {
        true => Ok(()),
        false => Err(format!("lines outside of {lines:?} changed: {:?}", between(old, new))),
    }
}

/// Lines that a value takes at the most in the old text, comments inside of it counted: unknown for what is no scalar of one line.
fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\n') && text.len() < 60,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

/// What of the old text a change may have touched, checked where it can be told without knowing how the change was made.
fn untouched(old: &str, new: &str, before: &Value, edit: &Edit) -> Result<(), String> {
    let (gone, come) = between(old, new);
    let counts = (gone.len(), come.len());
    let is_one_line =
        !old.contains('{') && !old.contains("[") && !old.contains(['&', '"', '\'']) && !old.contains(": >");
    let wrong = |what: &str| Err(format!("{what}: {gone:?} became {come:?}"));
    match edit {
        Edit::Set { path, value } => {
            let Some(was) = at(before, path) else { return Ok(()) };
            if is_short(was) && is_short(value) && is_one_line && counts != (1, 1) && !gone.is_empty() {
                return wrong("more than a line changed");
            }
            if let ([gone], [come]) = (gone.as_slice(), come.as_slice())
                && let (Some(at), false) = (gone.find(" # "), gone.contains(['"', '\'', '|']))
                && !come.ends_with(&gone[at..])
                && is_short(value)
            {
                return wrong("a comment was lost");
            }
        }
        Edit::Insert { .. } => {
            let flow = gone.len() == 1 && gone[0].contains(['[', '{']);
            let empty = gone.len() == 1 && (gone[0].trim_end().ends_with(['}', ']']));
            // A list that begins on the line of a dash, and a last line without an end.
            let shared = gone.len() == 1 && (gone[0].trim_start().starts_with('-') || !gone[0].ends_with('\n'));
            if !gone.is_empty() && !flow && !empty && !shared {
                return wrong("an insertion changed a line");
            }
        }
        Edit::Remove { .. } => {
            // Where there are aliases, a removal may have to write what they stand for.
            if come.len() > 1 && !old.contains('&') {
                return wrong("a removal wrote lines");
            }
        }
    }
    Ok(())
}

#[test]
fn random_edits_of_real_files() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let present: Vec<_> = REPOSITORIES
        .iter()
        .map(|name| cases.join(format!("{name}.bundle")))
        .filter(|path| path.is_file())
        .collect();
    if present.is_empty() {
        // Past what `cargo test` keeps of tests that pass.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: there are no repositories in ../shared/cases"
        );
        return;
    }
    let wanted = if std::env::var_os("REFLOAT_LONG").is_some() {
        5_000
    } else {
        600
    };
    let files: Vec<(String, String)> = present.iter().flat_map(|bundle| files(bundle)).collect();
    let mut dice = Dice(0x5eed_0007);
    let (mut done, mut again, mut wrong) = (0, Vec::new(), Vec::new());
    while done < wanted {
        let (name, text) = &files[dice.roll(files.len())];
        let documents = kube_yaml::parse(text.as_bytes());
        if documents.is_empty() {
            continue;
        }
        let index = dice.roll(documents.len());
        let Ok(before) = &documents[index].value else { continue };
        let Some(change) = some_edit(before, &mut dice) else {
            continue;
        };
        done += 1;
        let mut meant = before.clone();
        apply(&mut meant, &change).expect("because the path is one of the document's");
        let told = format!("{name} document {index} {change:?}");
        let edited = match edit(text, index, std::slice::from_ref(&change)) {
            Ok(edited) => edited,
            Err(error) => {
                wrong.push(format!("{told}: {error}"));
                continue;
            }
        };
        let after = kube_yaml::parse(edited.text.as_bytes());
        let found = after.get(index).and_then(|document| document.value.as_ref().ok());
        if after.len() != documents.len() || found != Some(&meant) {
            wrong.push(format!("{told}: it is read otherwise"));
        }
        match edited.reemitted {
            true => again.push(told),
            false => wrong.extend(
                untouched(text, &edited.text, before, &change)
                    .and_then(|()| kept(text, &edited.text, documents[index].bytes.clone(), &change))
                    .err()
                    .map(|why| format!("{told}: {why}")),
            ),
        }
    }
    assert!(wrong.is_empty(), "{} of {done}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        again.is_empty(),
        "{} of {done} written anew:\n{}",
        again.len(),
        again.join("\n")
    );
}
