//! `refloat history`: the revisions of what is declared, and what each changed.

use std::collections::BTreeMap;

use super::console::{self, Console};
use super::{declare, past as reading};
use crate::cli::{HistoryArgs, HistoryOutput, Output};
use crate::error::{Exit, Failure, Kind, printable};
use crate::event::Event;
use crate::object::{Declared, Edit, ObjectEdit, ObjectId, PastRevision, Revisions, builtin, edits};
use crate::source::path::resolve;
use crate::source::{self, Tree};
use crate::{declared, past, report};

pub(super) fn run(args: &HistoryArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(Output::Human);
    let options = reading::options(&args.past)?;
    let at = args.source.at.as_deref().map(source::parse_date).transpose()?;
    let shown = source::without_credentials(&args.source.repo);
    console.say(&Event::Progress(format!("reading the history of {shown}")));
    let from = source::Options {
        rev: args.source.rev.clone(),
        at,
        history: true,
        ..source::Options::default()
    };
    let tree = source::open(&args.source.repo, &from)?;
    for note in tree.notes() {
        console.say(&Event::Warned(note.clone()));
    }
    let paths = paths(&tree, args, &mut console);
    let limit = args.limit.get();
    let mut found = match &args.object {
        None => past::revisions(&tree, &paths, limit, &options)?,
        // What a kustomization or a chart does to it is in no file that declares it.
        Some(_) if args.render > 0 => past::revisions(&tree, &paths, args.render, &options)?,
        Some(name) => {
            let found = past::revisions_of(&tree, &paths, name, limit, &options)?;
            found.map_err(|unknown| nothing_of(name, &unknown))?
        }
    };
    if let Some(said) = &found.incomplete {
        console.say(&Event::Warned(said.clone()));
    }
    let is_there = render(args, &paths, &mut found, &mut console);
    let more = match args.object.as_deref().filter(|_| args.render > 0) {
        Some(name) => keep_those_of(name, is_there, limit, &mut found)?,
        None => ("--limit", limit),
    };
    console.pause();
    let about = report::HistoryOf {
        repository: tree.repository(),
        paths: &paths,
        object: args.object.as_deref(),
    };
    match args.output {
        HistoryOutput::Human => {
            let detail = report::Detail {
                fields: args.object.is_some() || args.verbose,
                all: args.verbose,
            };
            console::data(|out| report::history(&found, detail, out));
            console::talk(|out| report::history_end(&found, &about, more, out));
        }
        HistoryOutput::Json => console::data(|out| report::json::history(&found, &about, out)),
    }
    Ok(Exit::Done)
}

/// The folders and files whose history it is, from the root of the tree; none: all of it. What `--path` names may be gone by now.
fn paths(tree: &Tree, args: &HistoryArgs, console: &mut Console) -> Vec<String> {
    let there = |path: &String| tree.is_file(path) || tree.is_dir(path);
    let given = args.source.path.iter().map(|path| {
        let inside = resolve(tree.base(), path);
        let from_root = resolve("", path);
        let found = inside.clone().filter(there).or_else(|| from_root.filter(there));
        found.or(inside).unwrap_or_else(|| path.clone())
    });
    let given: Vec<String> = given.collect();
    if given.iter().any(String::is_empty) {
        return Vec::new();
    }
    if !given.is_empty() {
        return given;
    }
    let base = tree.base();
    match declared::entries(tree, base).as_slice() {
        [one] if one.path != base => {
            let said = format!("the history of {}; --path . takes all of it", printable(&one.path));
            console.say(&Event::Said(said));
            vec![one.path.clone()]
        }
        _ if base.is_empty() => Vec::new(),
        _ => vec![base.to_owned()],
    }
}

/// Keeps the rendered revisions that did something to an object, at most so many. Which option, now with this number, gives more of them.
fn keep_those_of(
    name: &str,
    is_there: bool,
    limit: usize,
    found: &mut Revisions,
) -> Result<(&'static str, usize), Failure> {
    let rendered = found.revisions.len();
    for revision in &mut found.revisions {
        revision.objects.retain(|edit| past::is_meant(&edit.id, name));
        revision.files.clear();
    }
    found.revisions.retain(|revision| !revision.objects.is_empty());
    if found.revisions.is_empty() && !is_there {
        return Err(nothing_rendered_of(name, rendered));
    }
    if found.revisions.len() > limit {
        found.more = true;
        found.revisions.truncate(limit);
        return Ok(("--limit", limit));
    }
    Ok(("--render", rendered))
}

fn no_history_of(name: &str) -> Failure {
    let failure = Failure::new(Kind::Input, format!("there is no history of {}", printable(name)));
    match name.contains('/') {
        true => failure,
        false => failure
            .because("it is no object's name")
            .hint("write Kind/name or Kind/namespace/name, such as Deployment/shop/checkout"),
    }
}

fn nothing_rendered_of(name: &str, rendered: usize) -> Failure {
    let failure = no_history_of(name);
    if !name.contains('/') {
        return failure;
    }
    let revisions = report::count(rendered, "revision");
    failure
        .because(format!("no rendering of the newest {revisions} declares it"))
        .hint("`refloat render REPO` prints what is declared; a larger --render goes further back")
}

fn nothing_of(name: &str, unknown: &past::Unknown) -> Failure {
    const MOST_NEAR: usize = 10;
    let failure = no_history_of(name);
    if !name.contains('/') {
        return failure;
    }
    let commits = report::count(unknown.walked, "commit");
    let failure = failure.because(format!("no file of the {commits} that were read declares it there"));
    let near: Vec<String> = unknown.near.iter().take(MOST_NEAR).cloned().collect();
    let failure = match near.is_empty() {
        true => failure,
        false => failure.hint(format!("there is {}", near.join(", "))),
    };
    failure.hint("what charts and kustomizations make by other names is in no file: with --render N they are looked for in the newest N revisions")
}

/// Puts what is declared after rendering in place of what is in files, for the newest revisions. Whether the object that is asked for is
/// declared in one of them.
fn render(args: &HistoryArgs, paths: &[String], found: &mut Revisions, console: &mut Console) -> bool {
    let mut is_there = false;
    for revision in found.revisions.iter_mut().take(args.render) {
        let id = revision.commit.id.clone();
        let after = rendered(args, paths, &id, console);
        let before = match is_first(args, &id) {
            true => Ok(BTreeMap::new()),
            false => rendered(args, paths, &format!("{id}^"), console),
        };
        match before.and_then(|before| Ok((before, after?))) {
            Ok((before, after)) => {
                is_there |= before.keys().chain(after.keys()).any(|id| is_wanted(args, id));
                compare(args, revision, before, after);
            }
            Err(failure) => {
                let short: String = id.chars().take(12).collect();
                console.say(&Event::Warned(format!(
                    "revision {short} is told by its files, since it could not be rendered: {}",
                    failure.causes.first().unwrap_or(&failure.consequence)
                )));
            }
        }
    }
    is_there
}

fn is_wanted(args: &HistoryArgs, id: &ObjectId) -> bool {
    args.object.as_deref().is_none_or(|name| id.is_named_by(name))
}

/// Whether a commit has none before it.
fn is_first(args: &HistoryArgs, id: &str) -> bool {
    let rev = Some(format!("{id}^"));
    let options = source::Options {
        rev,
        history: true,
        ..source::Options::default()
    };
    source::open(&args.source.repo, &options).is_err()
}

/// What is declared at a revision.
fn rendered(
    args: &HistoryArgs,
    paths: &[String],
    rev: &str,
    console: &mut Console,
) -> Result<BTreeMap<ObjectId, Declared>, Failure> {
    let version = args.kube_version.unwrap_or(builtin::NEWEST);
    let kinds = builtin::served_kinds(version);
    let mut source = args.source.clone();
    source.rev = Some(rev.to_owned());
    source.at = None;
    if !paths.is_empty() {
        source.path = paths.to_vec();
    }
    let target = declare::Target {
        kinds: &kinds,
        version,
        namespace: args.source.namespace.as_deref().unwrap_or("default"),
        cluster: None,
    };
    let set = declare::declare(&source, target, &mut |event| console.say(event))?;
    let objects = set.objects.into_iter();
    Ok(objects.map(|declared| (declared.manifest.id(), declared)).collect())
}

fn compare(
    args: &HistoryArgs,
    revision: &mut PastRevision,
    mut before: BTreeMap<ObjectId, Declared>,
    after: BTreeMap<ObjectId, Declared>,
) {
    revision.is_rendered = true;
    revision.objects.clear();
    for (id, new) in after {
        let file = new.provenance.file.clone();
        let (edit, fields) = match before.remove(&id) {
            None => (Edit::Added, Vec::new()),
            Some(old) => match edits(&id, old.manifest.value(), new.manifest.value()) {
                fields if fields.is_empty() => continue,
                fields => (Edit::Changed, fields),
            },
        };
        if is_wanted(args, &id) {
            revision.objects.push(ObjectEdit { id, edit, file, fields });
        }
    }
    for (id, old) in before.into_iter().filter(|(id, _)| is_wanted(args, id)) {
        revision.objects.push(ObjectEdit {
            id,
            edit: Edit::Removed,
            file: old.provenance.file.clone(),
            fields: Vec::new(),
        });
    }
    revision.objects.sort_by(|a, b| (&a.id, &a.file).cmp(&(&b.id, &b.file)));
}
