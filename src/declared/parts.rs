//! What an entry is made of: files that are read as they stand, kustomizations, charts.

use std::collections::{BTreeMap, BTreeSet};

use super::appliers::{self, Applied};
use super::chart::{self, Chart};
use super::documents::is_manifest_name;
use super::flux;
use super::in_parallel;
use super::kustomization::{self, Kustomization};
use super::snapshot::is_snapshot;
use crate::object::Writer;
use crate::source::Tree;
use crate::source::path::{self, is_within, join};

/// What a place in the tree is recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// The rendered half of a Jenkins X repository, or a part of it.
    JenkinsX,
    /// A folder that Flux syncs.
    Flux,
    /// A folder with a kustomization file.
    Kustomization,
    /// A Helm chart.
    Chart,
    /// A folder of manifests, kustomizations and charts in it included.
    Folder,
    /// One file of manifests.
    File,
    /// Another tool renders it.
    Foreign,
    /// A snapshot of a cluster.
    Snapshot,
}

impl Dialect {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::JenkinsX => "Jenkins X config-root",
            Self::Flux => "Flux",
            Self::Kustomization => "kustomization",
            Self::Chart => "chart",
            Self::Folder => "manifests",
            Self::File => "manifest file",
            Self::Foreign => "for another tool",
            Self::Snapshot => "snapshot",
        }
    }

    /// Who writes objects that are read as they stand. Jenkins X applies with `kubectl apply`, so that a later one of its own
    /// finds its annotation and its manager.
    pub(super) fn writer(self) -> Writer {
        match self {
            Self::JenkinsX => Writer::ClientSide("kubectl-client-side-apply".to_owned()),
            _ => Writer::ServerSide("refloat".to_owned()),
        }
    }
}

/// A part of an entry that is rendered at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Files of one unit, read as they stand.
    Plain {
        /// The unit's path.
        unit: String,
        /// Files, sorted.
        files: Vec<String>,
    },
    /// A kustomization, rendered.
    Kustomization {
        /// Its folder.
        folder: String,
        /// Its file.
        file: String,
        /// It is a Component, which is nothing by itself.
        component: bool,
    },
    /// A chart, rendered.
    Chart(Chart),
    /// A folder that Flux syncs.
    Flux(String),
    /// What another tool renders.
    Foreign(Applied),
    /// A folder that is a snapshot.
    Snapshot(String),
}

/// What a path is, and what it is made of. `path` must exist in the tree.
pub(super) fn of_path(tree: &Tree, path: &str) -> (Dialect, Vec<Part>) {
    let plain = |unit: &str, file: &str| Part::Plain {
        unit: unit.to_owned(),
        files: vec![file.to_owned()],
    };
    if let Some(root) = config_root(tree, path) {
        return (Dialect::JenkinsX, jenkins_x(tree, path, &root));
    }
    if tree.is_file(path) {
        return match appliers::of_file(tree, path) {
            Some(applied) => (Dialect::Foreign, vec![Part::Foreign(applied)]),
            None => (Dialect::File, vec![plain(path, path)]),
        };
    }
    if is_snapshot(tree, path) {
        return (Dialect::Snapshot, vec![Part::Snapshot(path.to_owned())]);
    }
    if flux::is_entry(tree, path) {
        return (Dialect::Flux, vec![Part::Flux(path.to_owned())]);
    }
    if let Some(applied) = appliers::of_folder(tree, path).into_iter().find(Applied::is_whole) {
        return (Dialect::Foreign, vec![Part::Foreign(applied)]);
    }
    if let Some(kustomization) = kustomization::of_folder(tree, path) {
        let part = Part::Kustomization {
            folder: path.to_owned(),
            file: kustomization.file,
            component: kustomization.component,
        };
        return (Dialect::Kustomization, vec![part]);
    }
    if let Some(chart) = chart::of_folder(tree, path) {
        return (Dialect::Chart, vec![Part::Chart(chart)]);
    }
    (Dialect::Folder, folder(tree, path))
}

/// Folders that Jenkins X renders into (jx-gitops, `docs/git_layout.md`).
const JENKINS_X_FOLDERS: &[&str] = &["customresourcedefinitions", "cluster", "namespaces"];

/// The `config-root` of a Jenkins X repository that a path is, or lies in.
pub fn config_root(tree: &Tree, path: &str) -> Option<String> {
    let mut at = String::new();
    for part in path.split('/') {
        at = join(&at, part);
        let looks_so = || JENKINS_X_FOLDERS.iter().any(|name| tree.is_dir(&join(&at, name)));
        if part == "config-root" && looks_so() {
            return Some(at);
        }
    }
    None
}

/// Units are `customresourcedefinitions`, `cluster` and each folder of `namespaces`: what Jenkins X applies, by namespace.
///
/// Objects without a namespace below `namespaces/NAME` stay without: `jx gitops namespace` writes it when it renders, and what
/// it left out, `kubectl apply` puts into the context's namespace, not into that of the folder.
fn jenkins_x(tree: &Tree, path: &str, root: &str) -> Vec<Part> {
    let mut units: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in tree.files_within(path).filter(|file| is_manifest_name(file)) {
        let inside = file.strip_prefix(root).unwrap_or(file).trim_start_matches('/');
        let parts: Vec<&str> = inside.split('/').collect();
        let depth = match parts.first() {
            Some(&"namespaces") => 2,
            _ => 1,
        };
        let depth = depth.min(parts.len() - 1);
        let unit = join(root, &parts[..depth].join("/"));
        units.entry(unit).or_default().push(file.to_owned());
    }
    units
        .into_iter()
        .map(|(unit, files)| Part::Plain { unit, files })
        .collect()
}

/// A folder of manifests: each folder that holds some is a unit, and so is each kustomization that no other one in the folder
/// names, and each chart. Hidden folders, templates of charts and files that kustomizations take in are not read as they stand.
fn folder(tree: &Tree, path: &str) -> Vec<Part> {
    let kustomizations = kustomization::all_within(tree, path);
    let taken_in = taken_in(tree, &kustomizations);
    let mut parts = Vec::new();
    let mut foreign = Vec::new();
    let mut todo = vec![path.to_owned()];
    while let Some(folder) = todo.pop() {
        // What once was live is nothing that is declared, unless it is asked for.
        if is_snapshot(tree, &folder) {
            continue;
        }
        let applied = appliers::of_folder(tree, &folder);
        if let Some(whole) = applied.iter().find(|one| one.is_whole()) {
            foreign.push(whole.clone());
            continue;
        }
        if let Some(kustomization) = kustomizations.get(&folder) {
            if !kustomization.component && !taken_in.contains(&folder) {
                parts.push(Part::Kustomization {
                    folder,
                    file: kustomization.file.clone(),
                    component: false,
                });
            }
            continue;
        }
        if let Some(chart) = chart::of_folder(tree, &folder) {
            if !chart.library {
                parts.push(Part::Chart(chart));
            }
            continue;
        }
        let is_input = |one: &Applied| taken_in.contains(one.file());
        foreign.extend(applied.into_iter().filter(|one| !is_input(one)));
        let mut files = Vec::new();
        for name in tree.list(&folder) {
            let path = join(&folder, name);
            if tree.is_dir(&path) {
                if !name.starts_with('.') {
                    todo.push(path);
                }
            } else if is_manifest_name(name) && !taken_in.contains(&path) {
                files.push(path);
            }
        }
        if !files.is_empty() {
            parts.push(Part::Plain { unit: folder, files });
        }
    }
    let own: Vec<String> = foreign.iter().flat_map(|one| one.own_folders(tree)).collect();
    parts.retain(|part| !own.iter().any(|folder| is_within(part.place(), folder)));
    foreign.retain(|one| !own.iter().any(|folder| is_within(one.folder(), folder)));
    parts.extend(appliers::outermost(foreign).into_iter().map(Part::Foreign));
    parts
}

/// Files and folders that kustomizations name. A folder without a kustomization of its own cannot be named.
fn taken_in(tree: &Tree, kustomizations: &BTreeMap<String, Kustomization>) -> BTreeSet<String> {
    let mut taken_in = BTreeSet::new();
    for (folder, kustomization) in kustomizations {
        taken_in.extend(kustomization.files.iter().cloned());
        taken_in.extend(kustomization.folders.iter().filter(|named| *named != folder).cloned());
        // A base outside of the folder may name files inside of it.
        for (other, reached) in kustomization::closure(tree, folder) {
            if !kustomizations.contains_key(&other) {
                taken_in.extend(reached.files);
                taken_in.extend(reached.folders);
            }
        }
    }
    taken_in
}

impl Part {
    /// The folder that it is, or the file.
    fn place(&self) -> &str {
        match self {
            Self::Plain { unit, .. } => unit,
            Self::Kustomization { folder, .. } | Self::Flux(folder) | Self::Snapshot(folder) => folder,
            Self::Chart(chart) => &chart.folder,
            Self::Foreign(applied) => applied.folder(),
        }
    }

    /// Whether a file belongs to the part.
    fn reaches(&self, tree: &Tree, files: &mut BTreeSet<String>) {
        match self {
            Self::Plain { files: own, .. } => files.extend(own.iter().cloned()),
            Self::Chart(chart) => files.extend(tree.files_within(&chart.folder).map(str::to_owned)),
            Self::Flux(folder) | Self::Snapshot(folder) => {
                files.extend(tree.files_within(folder).map(str::to_owned));
            }
            Self::Foreign(applied) if applied.is_whole() => {
                files.extend(tree.files_within(applied.folder()).map(str::to_owned));
            }
            Self::Foreign(applied) => _ = files.insert(applied.file().to_owned()),
            Self::Kustomization { folder, .. } => {
                for (folder, reached) in kustomization::closure(tree, folder) {
                    files.extend(reached.files);
                    // Patches and generators' inputs stand beside.
                    files.extend(
                        tree.files_within(&folder)
                            .filter(|file| is_within(file, &folder))
                            .map(str::to_owned),
                    );
                }
            }
        }
    }
}

/// Documents with `apiVersion` and `kind` at the start of a line: counted without parsing.
pub(super) fn count(path: &str, text: &[u8]) -> usize {
    let has = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|window| window == word);
    if path.ends_with(".json") {
        return usize::from(has(text, b"\"apiVersion\"") && has(text, b"\"kind\""));
    }
    let (mut count, mut api_version, mut kind) = (0, false, false);
    for line in text.split(|byte| *byte == b'\n') {
        if line.starts_with(b"---") {
            count += usize::from(api_version && kind);
            (api_version, kind) = (false, false);
        }
        api_version |= line.starts_with(b"apiVersion:");
        kind |= line.starts_with(b"kind:");
    }
    count + usize::from(api_version && kind)
}

/// Objects in files that no part of the entry reaches, charts' templates aside: counted without parsing.
pub(super) fn unreached(tree: &Tree, parts: &[(Dialect, Vec<Part>)]) -> usize {
    const MOST_FILES: usize = 20_000;
    let mut reached = BTreeSet::new();
    for part in parts.iter().flat_map(|(_, parts)| parts) {
        part.reaches(tree, &mut reached);
    }
    let charts: Vec<&str> = tree
        .files()
        .filter(|file| file.rsplit('/').next() == Some("Chart.yaml"))
        .map(path::parent)
        .filter(|folder| chart::of_folder(tree, folder).is_some())
        .collect();
    let mut files: Vec<&str> = Vec::new();
    for file in tree
        .files()
        .filter(|file| is_manifest_name(file) && !kustomization::is_name(file))
    {
        let in_chart = charts.iter().any(|chart| path::is_within(file, chart));
        if !in_chart && !reached.contains(file) && files.len() < MOST_FILES {
            files.push(file);
        }
    }
    in_parallel(&files, |file| tree.read(file).map_or(0, |text| count(file, &text)))
        .iter()
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_counted() {
        assert_eq!(
            count(
                "a.yaml",
                b"kind: A\napiVersion: v1\n---\nkind: B\n---\napiVersion: v1\nkind: C"
            ),
            2
        );
        assert_eq!(count("a.json", b"{\"kind\": \"A\", \"apiVersion\": \"v1\"}"), 1);
        assert_eq!(count("a.yaml", b"a:\n  kind: A\n  apiVersion: v1\n"), 0);
    }
}
