//! A new object: named and placed as its neighbours are.

use std::collections::BTreeMap;

use serde_json::Value;
use yaml_splice::Edit;

use super::layers::texts;
use super::work::{Made, Work};
use crate::declared::{is_encrypted, is_kustomization};
use crate::object::{Manifest, Place};
use crate::source::path::{is_within, join, parent, resolve, upwards};

/// Makes the name of a file, without its ending, of a kind in small letters and a name.
type FileName = fn(&str, &str) -> String;

/// How a file that holds one object may be called.
const NAMES: [FileName; 4] = [
    |kind, name| format!("{name}-{kind}"),
    |kind, name| format!("{kind}-{name}"),
    |kind, _| kind.to_owned(),
    |_, name| name.to_owned(),
];

/// A name that every file system takes and nobody has to quote.
pub(super) fn file_name(stem: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = stem.trim_start_matches('.').chars().map(plain).take(200).collect();
    name
}

impl Work<'_> {
    /// Writes a new object into a file of its own, or behind its like where a folder has many objects a file.
    pub(super) fn add(&mut self, folder: &str, manifest: &Manifest) -> Result<Made, String> {
        let file = self.new_file(folder, manifest, "")?;
        if let Some(made) = self.behind_its_like(folder, manifest) {
            return Ok(made);
        }
        self.add_file(folder, file, manifest)
    }

    /// Adds it to the file of the folder that has most objects of its kind, where most files of the folder have many.
    fn behind_its_like(&mut self, folder: &str, manifest: &Manifest) -> Option<Made> {
        if self.is_in_templates(folder) {
            return None;
        }
        // Documents, each with whether it is of the kind: one may stand for several objects.
        let mut files: BTreeMap<&str, BTreeMap<usize, bool>> = BTreeMap::new();
        for one in &self.known.set.objects {
            let (file, document) = (&one.provenance.file, one.provenance.document);
            if parent(file) == folder && !is_kustomization(file) {
                let alike = one.id.group_kind() == manifest.group_kind();
                files.entry(file).or_default().entry(document).or_insert(alike);
            }
        }
        let many = files.values().filter(|documents| documents.len() > 1).count();
        if many * 2 <= files.len() {
            return None;
        }
        let like = |documents: &BTreeMap<usize, bool>| documents.values().filter(|alike| **alike).count();
        let holders = files.values().filter(|documents| like(documents) > 0).count();
        let only = files.len() == 1;
        let (file, documents) = files.into_iter().max_by_key(|(_, documents)| like(documents))?;
        // Where each of several files holds one, each is about something of its own.
        let fits = only || like(&documents) > 1 || (like(&documents) == 1 && holders == 1);
        if !fits || documents.len() < 2 {
            return None;
        }
        self.add_behind(file, manifest, "at the end of the file with its like")
            .ok()
    }

    /// Adds it behind what a file declares.
    pub(super) fn add_behind(&mut self, file: &str, manifest: &Manifest, why: &str) -> Result<Made, String> {
        if self.known.get(&manifest.id()).is_some() {
            return Err("it is declared already".to_owned());
        }
        let text = self.text(file)?;
        if is_encrypted(text.as_bytes()) {
            return Err(format!("{file} is encrypted as a whole"));
        }
        let both = yaml_splice::append_document(&text, manifest.value()).map_err(|error| error.to_string())?;
        self.put(file, both);
        Ok((Place::file(file), why.to_owned()))
    }

    fn add_file(&mut self, folder: &str, file: String, manifest: &Manifest) -> Result<Made, String> {
        let text = self.in_look_of(folder, manifest.value());
        let is_template = self.is_in_templates(folder);
        if is_template && text.contains("{{") {
            return Err("there are braces in it, which a template would act on".to_owned());
        }
        self.put(&file, text);
        self.list(folder, &file);
        let why = match is_template {
            true => "a new template; helm takes the object over with --take-ownership",
            false => "a new file",
        };
        Ok((Place::file(file), why.to_owned()))
    }

    /// Whether a folder holds templates of a chart.
    fn is_in_templates(&self, folder: &str) -> bool {
        let charts = upwards(folder).filter(|above| self.tree.is_file(&join(above, "Chart.yaml")));
        let inside = charts.filter_map(|chart| folder.strip_prefix(chart)).next();
        inside.is_some_and(|inside| inside.trim_start_matches('/').starts_with("templates"))
    }

    /// The path of a file for a new object. `mark` comes before its ending.
    pub(super) fn new_file(&mut self, folder: &str, manifest: &Manifest, mark: &str) -> Result<String, String> {
        if self.known.get(&manifest.id()).is_some() {
            return Err("it is declared already".to_owned());
        }
        let stems = self.stems(folder, manifest);
        let free = stems.into_iter().find(|stem| {
            ["yaml", "yml"].iter().all(|end| {
                let file = join(folder, &format!("{stem}{mark}.{end}"));
                !self.tree.is_file(&file) && !self.made.files.contains_key(&file)
            })
        });
        let name = free.ok_or_else(|| format!("all names that fit are taken in {folder}"))?;
        Ok(join(folder, &format!("{name}{mark}.{}", self.ending(folder))))
    }

    /// Names that a file may have, those first that the files of the folder (or all) have most.
    fn stems(&mut self, folder: &str, manifest: &Manifest) -> Vec<String> {
        let kind = manifest.kind().to_lowercase();
        if !self.habits.contains_key(folder) {
            let order = self.habit(folder);
            self.habits.insert(folder.to_owned(), order);
        }
        let stems = self.habits[folder].iter().map(|at| NAMES[*at](&kind, manifest.name()));
        stems.map(|stem| file_name(&stem)).collect()
    }

    /// Indices into [`NAMES`].
    fn habit(&self, folder: &str) -> Vec<usize> {
        let mut counts = vec![(0, 0); NAMES.len()];
        for declared in &self.known.set.objects {
            let file = &declared.provenance.file;
            let stem = file
                .rsplit('/')
                .next()
                .and_then(|name| name.rsplit_once('.'))
                .map_or("", |(stem, _)| stem);
            let own = declared.id.kind.to_lowercase();
            let Some(at) = NAMES.iter().position(|name| name(&own, &declared.id.name) == stem) else {
                continue;
            };
            counts[at].0 += usize::from(parent(file) == folder);
            counts[at].1 += 1;
        }
        let mut order: Vec<usize> = (0..NAMES.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(counts[*at]));
        // Where the name that they have most is taken, one that is not its own says both.
        order[1..].sort_unstable();
        order
    }

    fn ending(&self, folder: &str) -> &'static str {
        let count = |end: &str| {
            self.tree
                .files_within(folder)
                .filter(|file| file.ends_with(end))
                .count()
        };
        if count(".yml") > count(".yaml") { "yml" } else { "yaml" }
    }

    /// The text of a file with one object, in the look of a file of the folder.
    pub(super) fn in_look_of(&self, folder: &str, value: &Value) -> String {
        let near = self
            .known
            .set
            .objects
            .iter()
            .map(|declared| declared.provenance.file.as_str());
        let near = near.filter(|file| parent(file) == folder && is_within(file, folder));
        let looks = near.filter_map(|file| {
            let text = self.text(file).ok()?;
            let both = yaml_splice::append_document(&text, value).ok()?;
            let document = kube_yaml::parse(both.as_bytes()).pop()?;
            Some(both[document.bytes].to_owned())
        });
        looks.into_iter().next().unwrap_or_else(|| kube_yaml::to_string(value))
    }

    /// Names a new file in the kustomization that names its neighbours, once all are known.
    pub(super) fn list(&mut self, folder: &str, file: &str) {
        for base in upwards(folder) {
            let Some(kustomization) = self.kustomization(base) else {
                continue;
            };
            let beside = |item: &str| {
                resolve(base, item).is_some_and(|path| parent(&path) == folder && self.tree.is_file(&path))
            };
            if base == folder || texts(&self.resources(&kustomization)).any(beside) {
                let name = file.strip_prefix(base).unwrap_or(file).trim_start_matches('/');
                let entry = (folder.to_owned(), name.to_owned());
                self.entries.entry(kustomization).or_default().push(entry);
                return;
            }
        }
    }

    pub(super) fn resources(&self, kustomization: &str) -> Value {
        let text = self.text(kustomization).unwrap_or_default();
        let value = kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
        value["resources"].clone()
    }

    /// Writes the new entries: in order where a list is sorted, else behind the last file of the same folder.
    pub(super) fn list_all(&mut self) {
        for (kustomization, entries) in std::mem::take(&mut self.entries) {
            let resources = self.resources(&kustomization);
            let mut items: Vec<String> = texts(&resources).map(str::to_owned).collect();
            let (sorted, base) = (items.is_sorted() && items.len() > 1, parent(&kustomization));
            let dotted = items.iter().any(|item| item.starts_with("./"));
            for (folder, name) in entries {
                let entry = format!("{}{name}", if dotted { "./" } else { "" });
                let beside = |item: &String| {
                    resolve(base, item).is_some_and(|path| parent(&path) == folder && !self.tree.is_dir(&path))
                };
                let at = match sorted {
                    true => items.partition_point(|item| *item < entry),
                    false => items.iter().rposition(beside).map_or(items.len(), |last| last + 1),
                };
                items.insert(at, entry);
            }
            let edit = Edit::set(yaml_splice::path!["resources"], items);
            // Where that fails the files are not rendered, which the proof finds.
            let _ = self.splice(Place::file(&*kustomization), &kustomization, 0, &[edit]);
        }
    }
}
