//! The kustomizations of a tree, and what each is made of. Pure but for reading the tree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::generators::named_file;
use super::spot::Site;
use crate::declared::is_kustomization;
use crate::source::Tree;
use crate::source::path::{parent, resolve};

/// A kustomization, or what an engine adds to one.
pub(super) struct Layer {
    /// Where it stands.
    pub root: Site,
    /// What it says.
    pub value: Value,
    /// Folders with kustomizations that it is built on, in its order.
    below: Vec<String>,
    /// Other files that it names.
    files: Vec<String>,
}

impl Layer {
    /// What an engine adds.
    pub fn added(root: Site, value: Value) -> Self {
        Self {
            root,
            value,
            below: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Its own file and those that it names.
    pub fn files(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.root.file).chain(&self.files)
    }
}

/// All of them, by folder.
pub(super) struct Layers {
    by_folder: BTreeMap<String, Layer>,
    /// Files of which more than one thing is built that is built on nothing else: the overlays of a base.
    shared: BTreeSet<String>,
}

impl Layers {
    pub fn of(tree: &Tree) -> Self {
        let files = tree.files().filter(|path| is_kustomization(path));
        let read = files.filter_map(|file| {
            let value = kube_yaml::parse_one(&tree.read(file).ok()?).value.ok()?;
            Some((parent(file).to_owned(), layer(tree, file, value)))
        });
        let mut layers = Self {
            by_folder: read.collect(),
            shared: BTreeSet::new(),
        };
        layers.shared = layers.find_shared(tree);
        layers
    }

    /// The kustomization of a folder and those that it is built on, the outermost first.
    pub fn from(&self, folder: &str) -> Vec<&Layer> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let mut next = vec![folder];
        while !next.is_empty() {
            let mut deeper = Vec::new();
            for folder in next {
                if let Some(layer) = self.by_folder.get(folder).filter(|_| seen.insert(folder)) {
                    found.push(layer);
                    deeper.extend(layer.below.iter().map(String::as_str));
                }
            }
            next = deeper;
        }
        found
    }

    /// Of the kustomizations that lead from that of a folder to a file, the one nearest to the file that is not shared.
    pub fn nearest<'l>(&'l self, folder: &'l str, file: &str) -> &'l str {
        let leads = |below: &&String| {
            let own = self.by_folder.get(*below).map(|layer| &layer.root.file);
            let mut files = self.from(below).into_iter().flat_map(Layer::files);
            own.is_some_and(|own| !self.is_shared(own)) && files.any(|named| named == file)
        };
        let mut here = folder;
        // As many steps as there can be without a ring.
        for _ in 0..self.by_folder.len() {
            let below = self.by_folder.get(here).into_iter().flat_map(|layer| &layer.below);
            match below.into_iter().find(leads) {
                Some(next) => here = next,
                None => break,
            }
        }
        here
    }

    /// Whether a folder has one.
    pub fn has(&self, folder: &str) -> bool {
        self.by_folder.contains_key(folder)
    }

    /// Whether several overlays are built on a file.
    pub fn is_shared(&self, file: &str) -> bool {
        self.shared.contains(file)
    }

    /// Files of several roots: kustomizations on which no other is built, and folders of which engines build something.
    fn find_shared(&self, tree: &Tree) -> BTreeSet<String> {
        let within: BTreeSet<&String> = self.by_folder.values().flat_map(|layer| &layer.below).collect();
        let built = built_of(tree);
        let is_root = |folder: &&String| !within.contains(folder) && !built.contains(folder);
        let roots = self.by_folder.keys().filter(is_root).chain(&built);
        let (mut once, mut more) = (BTreeSet::new(), BTreeSet::new());
        for root in roots {
            let layers = self.from(root);
            let files: BTreeSet<&str> = match layers.is_empty() {
                true => tree.files_within(root).collect(),
                false => layers
                    .iter()
                    .flat_map(|layer| layer.files())
                    .map(String::as_str)
                    .collect(),
            };
            for file in files {
                if !once.insert(file.to_owned()) {
                    more.insert(file.to_owned());
                }
            }
        }
        more
    }
}

/// The folders of which Kustomizations of Flux build something, one of each.
fn built_of(tree: &Tree) -> Vec<String> {
    const GROUP: &str = "kustomize.toolkit.fluxcd.io/";
    let mut found = Vec::new();
    for file in tree
        .files()
        .filter(|file| file.ends_with(".yaml") || file.ends_with(".yml"))
    {
        let Ok(text) = tree.read(file) else { continue };
        if !text.windows(GROUP.len()).any(|part| part == GROUP.as_bytes()) {
            continue;
        }
        for value in kube_yaml::parse(&text)
            .into_iter()
            .filter_map(|document| document.value.ok())
        {
            let is_one = value["kind"] == "Kustomization"
                && value["apiVersion"]
                    .as_str()
                    .is_some_and(|version| version.starts_with(GROUP));
            let path = value["spec"]["path"].as_str().filter(|_| is_one);
            found.extend(path.and_then(|path| resolve("", path)).filter(|path| !path.is_empty()));
        }
    }
    found
}

/// What a kustomization says, and what it names.
pub(super) fn layer(tree: &Tree, file: &str, value: Value) -> Layer {
    let folder = parent(file);
    let (mut below, mut files) = (Vec::new(), Vec::new());
    for key in ["resources", "bases", "components"] {
        for item in texts(&value[key]) {
            match resolve(folder, item) {
                Some(path) if tree.is_file(&path) => files.push(path),
                Some(path) if tree.is_dir(&path) => below.push(path),
                _ => {}
            }
        }
    }
    let mut named: Vec<&str> = texts(&value["patchesStrategicMerge"]).collect();
    for key in ["patches", "patchesJson6902"] {
        named.extend(items(&value[key]).filter_map(|item| item["path"].as_str()));
    }
    for generator in items(&value["configMapGenerator"]).chain(items(&value["secretGenerator"])) {
        for key in ["files", "envs"] {
            named.extend(texts(&generator[key]).map(|item| named_file(item).1));
        }
    }
    for chart in items(&value["helmCharts"]) {
        named.extend(chart["valuesFile"].as_str());
        named.extend(texts(&chart["additionalValuesFiles"]));
    }
    let there = named.into_iter().filter_map(|item| resolve(folder, item));
    files.extend(there.filter(|path| tree.is_file(path)));
    Layer {
        root: Site::of_file(file, Vec::new()),
        value,
        below,
        files,
    }
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).filter_map(Value::as_str)
}
