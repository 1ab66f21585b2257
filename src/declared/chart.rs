//! Helm charts that are kept in the repository: what they need, and how they are rendered.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::helm::Charts;
use super::template::{Call, Sees, nothing_of_chart};
use crate::object::{Place, Problem};
use crate::source::Tree;
use crate::source::path::{join, resolve};

/// A chart in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chart {
    /// Its folder.
    pub folder: String,
    /// Its name in `Chart.yaml`.
    pub name: String,
    /// Of type `library`: part of other charts, nothing by itself.
    pub library: bool,
    /// What it needs in `charts/`.
    pub dependencies: Vec<Dependency>,
}

/// A chart that a chart is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Name.
    pub name: String,
    /// Version or range.
    pub version: String,
    /// Where it is to be fetched; `file://…` for a folder beside.
    pub repository: String,
}

/// The chart of a folder, if it is one.
pub(super) fn of_folder(tree: &Tree, folder: &str) -> Option<Chart> {
    let value = one(tree, &join(folder, "Chart.yaml"))?;
    let name = value["name"].as_str()?.to_owned();
    value["apiVersion"].as_str()?;
    // Charts of version 1 list what they need in a file of its own.
    let listed = match value["dependencies"].is_array() {
        true => value["dependencies"].clone(),
        false => one(tree, &join(folder, "requirements.yaml")).map_or(Value::Null, |v| v["dependencies"].clone()),
    };
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let dependency = |value: &Value| Dependency {
        name: text(value, "name"),
        version: text(value, "version"),
        repository: text(value, "repository"),
    };
    Some(Chart {
        folder: folder.to_owned(),
        name,
        library: value["type"] == "library",
        dependencies: listed.as_array().into_iter().flatten().map(dependency).collect(),
    })
}

fn one(tree: &Tree, file: &str) -> Option<Value> {
    if !tree.is_file(file) {
        return None;
    }
    let bytes = tree.read(file).ok()?;
    kube_yaml::parse_one(&bytes).value.ok()
}

impl Chart {
    /// `Chart.yaml`, where problems of the whole chart are shown.
    pub fn file(&self) -> String {
        join(&self.folder, "Chart.yaml")
    }

    /// The release's name: the one chosen, else the folder's, else (at the root) the chart's.
    pub fn release(&self, chosen: Option<&str>) -> String {
        let folder = self.folder.rsplit('/').next().unwrap_or_default();
        let own = if folder.is_empty() { &*self.name } else { folder };
        chosen.unwrap_or(own).to_owned()
    }

    /// What of its dependencies is not in `charts/`: neither unpacked nor packed.
    fn missing(&self, disk: &Path) -> Vec<&Dependency> {
        let charts = disk.join(&self.folder).join("charts");
        let names: Vec<String> = std::fs::read_dir(&charts)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        let is_there = |dependency: &&Dependency| {
            let packed = format!("{}-", dependency.name);
            let is_packed = |name: &String| {
                let version = name.strip_prefix(&packed).and_then(|rest| rest.strip_suffix(".tgz"));
                version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit() || c == 'v'))
            };
            charts.join(&dependency.name).is_dir() || names.iter().any(is_packed)
        };
        self.dependencies
            .iter()
            .filter(|dependency| !is_there(dependency))
            .collect()
    }

    /// Puts dependencies that are folders of the tree (`file://../other`) where Helm looks for them, in the copy on disk,
    /// as `helm dependency build` would; and so on for theirs.
    pub fn link_folders(&self, tree: &Tree, disk: &Path) {
        self.link_folders_to(tree, disk, 0);
    }

    fn link_folders_to(&self, tree: &Tree, disk: &Path, depth: usize) {
        const DEEPEST: usize = 16;
        for dependency in self.missing(disk) {
            let Some(path) = dependency.repository.strip_prefix("file://") else {
                continue;
            };
            let Some(folder) = resolve(&self.folder, path) else {
                continue;
            };
            let Some(chart) = of_folder(tree, &folder).filter(|_| depth < DEEPEST) else {
                continue;
            };
            chart.link_folders_to(tree, disk, depth + 1);
            let charts = disk.join(&self.folder).join("charts");
            let made = std::fs::create_dir_all(&charts);
            // What fails here is still missing when the chart is rendered, and is said then.
            let _ = made.and_then(|()| std::os::unix::fs::symlink(disk.join(&folder), charts.join(&dependency.name)));
        }
    }

    /// Why it cannot be rendered, if something that it needs is neither in its folder nor can be had. `disk` is the copy of the tree.
    pub fn complete(&self, disk: &Path, charts: &Charts) -> Result<(), Box<Problem>> {
        let missing = self.missing(disk);
        if missing.is_empty() {
            return Ok(());
        }
        let fetched = charts.complete(&disk.join(&self.folder), &missing);
        let causes = fetched.err().into_iter().flatten().map(|failure| failure.cause);
        let causes: String = causes.map(|cause| format!("; {cause}")).collect();
        let missing = self.missing(disk);
        let Some(first) = missing.first() else {
            return Ok(());
        };
        let names: Vec<String> = missing
            .iter()
            .map(|d| format!("{} {} of {}", d.name, d.version, d.repository))
            .collect();
        let names = names.join(", ");
        let failed = nothing_of_chart(Place::file(self.file()));
        let problem = failed(&format!("it needs {names}, which is not in its charts folder{causes}"));
        let folder = if self.folder.is_empty() { "." } else { &self.folder };
        let hint = format!(
            "run `helm dependency build {folder}` and commit its charts folder, or give it with --chart {}=PATH",
            first.name
        );
        Err(Box::new(problem.hint(hint)))
    }

    /// How it is rendered in the copy of the tree on disk.
    pub fn call(&self, disk: &Path, release: String, namespace: String) -> Call {
        let chart = if self.folder.is_empty() { "." } else { &self.folder };
        Call {
            folder: disk.to_owned(),
            chart: PathBuf::from(chart),
            named: (
                self.name.clone(),
                join(&self.folder, "templates/").replace("templates/", ""),
            ),
            release,
            namespace,
            files: Vec::new(),
            values: None,
            crds: true,
            hooks: true,
            schema: true,
            sees: Sees::default(),
        }
    }
}
