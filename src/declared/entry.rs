//! From which place of a repository a cluster is declared.

use std::collections::{BTreeMap, BTreeSet};

use super::parts::{self, Dialect, Part};
use super::plain::Seen;
use super::{appliers, chart, documents, flux, in_parallel, kustomization};
use crate::error::{Failure, Kind, printable};
use crate::object::{Entry, api_group};
use crate::source::Tree;
use crate::source::path::{self, is_within, join, resolve};

/// A place that a cluster may be declared from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Path in the tree, "" for the root.
    pub path: String,
    /// What it is.
    pub dialect: Dialect,
    /// Objects in its files, counted without rendering; `None` where only rendering tells.
    pub objects: Option<usize>,
    /// Units it has.
    pub units: usize,
}

/// What each path of an entry is, and what it is made of.
pub(super) type Parts = Vec<(Dialect, Vec<Part>)>;

/// The entry that was chosen, or detected where it is not in doubt, and what it is made of.
pub(super) fn choose(tree: &Tree, paths: &[String], seen: &Seen) -> Result<(Entry, Parts), Failure> {
    if tree.is_file(tree.base()) && paths.is_empty() {
        return Ok(named(tree, &[tree.base().to_owned()]));
    }
    if !paths.is_empty() {
        let mut resolved = Vec::new();
        for path in paths {
            let path = find(tree, path)?;
            if !resolved.contains(&path) {
                resolved.push(path);
            }
        }
        return Ok(named(tree, &resolved));
    }
    let candidates = entries_seen(tree, tree.base(), seen);
    match candidates.as_slice() {
        [] => Err(nothing(tree)),
        [one] => {
            let (mut entry, parts) = named(tree, std::slice::from_ref(&one.path));
            entry.detected = true;
            Ok((entry, parts))
        }
        several => Err(question(tree, several)),
    }
}

fn named(tree: &Tree, paths: &[String]) -> (Entry, Parts) {
    let parts: Parts = paths.iter().map(|path| parts::of_path(tree, path)).collect();
    let dialects: BTreeSet<&str> = parts.iter().map(|(dialect, _)| dialect.label()).collect();
    let entry = Entry {
        paths: paths.to_vec(),
        dialect: dialects.into_iter().collect::<Vec<_>>().join(", "),
        detected: false,
    };
    (entry, parts)
}

/// A `--path`: from the folder that the reference named, else from the root.
fn find(tree: &Tree, given: &str) -> Result<String, Failure> {
    let there = |path: &String| tree.is_file(path) || tree.is_dir(path);
    let inside = resolve(tree.base(), given).filter(there);
    let found = inside.or_else(|| resolve("", given).filter(there));
    found.ok_or_else(|| {
        let shown = printable(given);
        let failure = Failure::new(
            Kind::Usage,
            format!(
                "nothing was read: there is no {shown} in {}",
                printable(&tree.repository().location)
            ),
        );
        let parent = resolve(tree.base(), given).map(|path| path::parent(&path).to_owned());
        let beside = parent
            .filter(|parent| tree.is_dir(parent))
            .unwrap_or_else(|| tree.base().to_owned());
        let names: Vec<String> = tree
            .children(&beside)
            .iter()
            .take(12)
            .map(|name| printable(name))
            .collect();
        failure.hint(format!("there is {}", names.join(", ")))
    })
}

fn nothing(tree: &Tree) -> Failure {
    let location = printable(&tree.repository().location);
    let failure = Failure::new(Kind::Input, format!("nothing to restore was found in {location}"));
    if let Some(foreign) = appliers::first_within(tree, tree.base()) {
        return failure.because(foreign.problem().to_string());
    }
    failure
        .because("it holds no manifests, no kustomization and no chart")
        .hint("--path names the folder or file that declares the cluster, --rev another revision")
}

/// Most candidates that are listed.
const MOST_LISTED: usize = 40;

fn question(tree: &Tree, candidates: &[Candidate]) -> Failure {
    let location = printable(&tree.repository().location);
    let width = candidates
        .iter()
        .take(MOST_LISTED)
        .map(|one| shown(&one.path).chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = vec!["a cluster may be declared from each of".to_owned()];
    for one in candidates.iter().take(MOST_LISTED) {
        let objects = one
            .objects
            .map(|count| format!(", {}", counted(count, "object")))
            .unwrap_or_default();
        let units = if one.units > 1 {
            format!(" in {} units", one.units)
        } else {
            String::new()
        };
        lines.push(format!(
            "  {:width$}  {}{objects}{units}",
            shown(&one.path),
            one.dialect.label()
        ));
    }
    if let Some(more) = candidates.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more"));
    }
    Failure::new(
        Kind::Usage,
        format!("nothing was read: {location} offers {} entries", candidates.len()),
    )
    .because(lines.join("\n"))
    .hint(format!(
        "choose with --path, such as --path {}; several --path are taken together",
        shown(&candidates[0].path)
    ))
}

fn shown(path: &str) -> String {
    if path.is_empty() {
        ".".to_owned()
    } else {
        printable(path)
    }
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// What a repository offers below `base`, sorted by path: its `config-root`, kustomization, chart and the folders of `clusters/`;
/// without any of these the folders that Flux syncs; without such the folder itself where it holds manifests, or, where its folders are alternatives to each other, these.
pub fn entries(tree: &Tree, base: &str) -> Vec<Candidate> {
    entries_seen(tree, base, &Seen::default())
}

fn entries_seen(tree: &Tree, base: &str, seen: &Seen) -> Vec<Candidate> {
    let mut paths = BTreeSet::new();
    let config_root = join(base, "config-root");
    if matches!(parts::of_path(tree, &config_root).0, Dialect::JenkinsX) {
        paths.insert(config_root);
    }
    let own = parts::of_path(tree, base);
    if matches!(
        own.0,
        Dialect::JenkinsX | Dialect::Kustomization | Dialect::Chart | Dialect::Snapshot
    ) {
        paths.insert(base.to_owned());
    }
    let clusters = join(base, "clusters");
    for name in tree.list(&clusters) {
        let path = join(&clusters, name);
        if tree.is_dir(&path) && !name.starts_with('.') && !parts::of_path(tree, &path).1.is_empty() {
            paths.insert(path);
        }
    }
    if paths.is_empty() {
        paths.extend(flux::entries(tree, base));
    }
    if paths.is_empty() {
        paths.extend(Alternatives::of(tree, base, seen).split(base));
    }
    let candidates: Vec<Candidate> = paths.into_iter().map(|path| candidate(tree, path, seen)).collect();
    candidates.into_iter().filter(|one| one.objects != Some(0)).collect()
}

fn candidate(tree: &Tree, path: String, seen: &Seen) -> Candidate {
    let (dialect, parts) = parts::of_path(tree, &path);
    let renders = |part: &Part| !matches!(part, Part::Plain { .. });
    let mut files = BTreeSet::new();
    for part in &parts {
        if let Part::Plain { files: own, .. } = part {
            files.extend(own.iter().cloned());
        }
    }
    let files: Vec<String> = files.into_iter().collect();
    let counts = in_parallel(&files, |file| seen.count(tree, file));
    Candidate {
        path,
        dialect,
        objects: (!parts.iter().any(renders)).then(|| counts.iter().sum()),
        units: parts.len(),
    }
}

/// Finds folders that are alternatives to each other, such as `production` and `staging`: taken together they would contradict
/// themselves. The signs are two kustomizations on the same base, and two folders of which one declares at least half (and at least two) of
/// the objects of the other.
struct Alternatives<'a> {
    tree: &'a Tree,
    /// Folder of each kustomization that is rendered by itself → folders of the bases it reaches, Components left out.
    roots: BTreeMap<String, BTreeSet<String>>,
    /// Folders that are rendered as a whole: kustomizations of any kind, and charts.
    whole: BTreeSet<String>,
    charts: BTreeSet<String>,
    /// File → identities in it.
    identities: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Alternatives<'a> {
    fn of(tree: &'a Tree, base: &str, seen: &Seen) -> Self {
        let all = kustomization::all_within(tree, base);
        let named: BTreeSet<&String> = all.values().flat_map(|one| &one.folders).collect();
        let is_component = |folder: &String| all.get(folder).is_some_and(|one| one.component);
        let roots = all
            .keys()
            .filter(|folder| !is_component(folder) && !named.contains(folder))
            .map(|folder| {
                let reached = kustomization::closure(tree, folder);
                let bases = reached
                    .into_iter()
                    .filter(|(_, one)| !one.component)
                    .map(|(folder, _)| folder);
                (folder.clone(), bases.collect())
            })
            .collect();
        let charts: BTreeSet<String> = tree
            .files_within(base)
            .filter(|file| file.ends_with("Chart.yaml"))
            .map(|file| path::parent(file).to_owned())
            .filter(|folder| chart::of_folder(tree, folder).is_some())
            .collect();
        let mut whole: BTreeSet<String> = all.keys().cloned().collect();
        whole.extend(charts.iter().cloned());
        let is_plain =
            |file: &&str| documents::is_manifest_name(file) && !ancestors(file).any(|folder| whole.contains(folder));
        let files: Vec<String> = tree.files_within(base).filter(is_plain).map(str::to_owned).collect();
        let sets: Vec<BTreeSet<String>> =
            in_parallel(&files, |file| seen.look(tree, file, identity).into_iter().collect());
        Self {
            tree,
            roots,
            identities: files.into_iter().zip(sets).filter(|(_, set)| !set.is_empty()).collect(),
            whole,
            charts,
        }
    }

    /// The folder itself if it is one thing, else what its folders come to.
    fn split(&self, folder: &str) -> Vec<String> {
        if !self.holds_any(folder) {
            return Vec::new();
        }
        if self.is_one(folder) {
            return vec![folder.to_owned()];
        }
        self.folders(folder)
            .iter()
            .flat_map(|child| self.split(child))
            .collect()
    }

    fn holds_any(&self, folder: &str) -> bool {
        let here = |path: &&String| is_within(path, folder);
        self.roots.keys().any(|root| here(&root))
            || self.charts.iter().any(|chart| here(&chart))
            || self.identities.keys().any(|file| here(&file))
    }

    fn folders(&self, folder: &str) -> Vec<String> {
        let visible = |name: &&str| !name.starts_with('.');
        self.tree
            .list(folder)
            .filter(visible)
            .map(|name| join(folder, name))
            .filter(|path| self.tree.is_dir(path))
            .collect()
    }

    fn is_one(&self, folder: &str) -> bool {
        let mut bases = BTreeSet::new();
        let mut reached = self
            .roots
            .iter()
            .filter(|(root, _)| is_within(root, folder))
            .flat_map(|(_, reached)| reached);
        if !reached.all(|base| bases.insert(base)) {
            return false;
        }
        self.whole.contains(folder)
            || (!self.folders_overlap(folder) && self.folders(folder).iter().all(|child| self.is_one(child)))
    }

    fn folders_overlap(&self, folder: &str) -> bool {
        let children = self.folders(folder);
        let declared = |child: &String| -> BTreeSet<&String> {
            let own = self.identities.iter().filter(|(file, _)| is_within(file, child));
            own.flat_map(|(_, set)| set).collect()
        };
        let sets: Vec<BTreeSet<&String>> = children.iter().map(declared).collect();
        let overlap = |a: &BTreeSet<&String>, b: &BTreeSet<&String>| {
            let smaller = a.len().min(b.len());
            a.intersection(b).count() >= smaller.div_ceil(2).max(2)
        };
        sets.iter()
            .enumerate()
            .any(|(index, a)| sets[..index].iter().any(|b| overlap(a, b)))
    }
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path::parent(path)), |path| {
        (!path.is_empty()).then(|| path::parent(path))
    })
}

fn identity(found: &documents::Found) -> String {
    let text = |pointer: &str| {
        let value = found.value.pointer(pointer);
        value.and_then(serde_json::Value::as_str).unwrap_or_default()
    };
    let group = api_group(text("/apiVersion"));
    format!(
        "{group} {} {} {}",
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name")
    )
}
