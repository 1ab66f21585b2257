//! Helm charts that are kept in the repository: what they need, and how they are rendered.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::kustomization::first_error;
use crate::object::{Place, Problem};
use crate::process::{Tool, ToolError, which};
use crate::source::Tree;
use crate::source::path::{join, resolve};

/// Longest that one rendering may take.
const LONGEST: Duration = Duration::from_secs(120);

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

/// What all charts of a run are rendered with.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// `helm`.
    pub program: Option<PathBuf>,
    /// Release namespace.
    pub namespace: String,
    /// Release name instead of the folder's name.
    pub release: Option<String>,
    /// Values files on this machine, later ones win.
    pub values: Vec<PathBuf>,
    /// Version of Kubernetes that templates see.
    pub kube_version: Option<String>,
    /// APIs that templates see, sorted: `group/version` and `group/version/Kind`.
    pub api_versions: Vec<String>,
    /// Whether the definitions in its `crds` folder are part of it.
    pub crds: bool,
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

    /// Renders it once. The second half of the result are remarks.
    pub fn render(&self, disk: &Path, settings: &Settings) -> Result<(Vec<u8>, Vec<Problem>), Box<Problem>> {
        let place = || Place::file(self.file());
        let failed = |cause: &str| Problem::error(place(), format!("nothing of this chart is restored: {cause}"));
        let missing = self.missing(disk);
        if !missing.is_empty() {
            let names: Vec<String> = missing
                .iter()
                .map(|d| format!("{} {} of {}", d.name, d.version, d.repository))
                .collect();
            let problem = failed(&format!(
                "it needs {}, which is not in its charts folder",
                names.join(", ")
            ));
            return Err(Box::new(problem.hint(format!(
                "run `helm dependency build {}` and commit its charts folder",
                if self.folder.is_empty() { "." } else { &self.folder }
            ))));
        }
        let Some(program) = settings.program.clone().or_else(|| which("helm")) else {
            return Err(Box::new(failed("helm was not found").hint(INSTALL)));
        };
        match self.run(&program, disk, settings, false) {
            Ok(output) => Ok((output, Vec::new())),
            // A schema may name another one by URL, which is not fetched.
            Err(Refusal::Said(text)) if text.contains("schema") => {
                let output = self
                    .run(&program, disk, settings, true)
                    .map_err(|e| Box::new(e.problem(&failed)))?;
                let message =
                    format!("the chart's values were not checked against its schema, or do not fit it: {text}");
                Ok((output, vec![Problem::warning(place(), message)]))
            }
            Err(error) => Err(Box::new(error.problem(&failed))),
        }
    }

    fn run(&self, program: &Path, disk: &Path, settings: &Settings, skip_schema: bool) -> Result<Vec<u8>, Refusal> {
        // A home of its own: neither the user's repositories nor plugins play a part.
        let home = tempfile::Builder::new()
            .prefix("refloat-helm-")
            .tempdir()
            .map_err(|e| Refusal::Said(e.to_string()))?;
        let mut tool = Tool::new(program)
            .arg("template")
            .arg(self.release(settings.release.as_deref()))
            .arg(if self.folder.is_empty() { "." } else { &self.folder })
            .args(["--namespace", &settings.namespace])
            .folder(disk)
            .env("HOME", home.path())
            .inherit(["PATH", "TMPDIR"])
            .timeout(LONGEST);
        for (name, folder) in [
            ("HELM_CACHE_HOME", "cache"),
            ("HELM_CONFIG_HOME", "config"),
            ("HELM_DATA_HOME", "data"),
            ("HELM_PLUGINS", "plugins"),
        ] {
            tool = tool.env(name, home.path().join(folder));
        }
        // Nothing is fetched: rendering must come out the same wherever it is done.
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            tool = tool.env(name, "http://127.0.0.1:9");
        }
        for file in &settings.values {
            tool = tool.arg("--values").arg(file);
        }
        if let Some(version) = &settings.kube_version {
            tool = tool.args(["--kube-version", version]);
        }
        for api in &settings.api_versions {
            tool = tool.args(["--api-versions", api]);
        }
        if settings.crds {
            tool = tool.arg("--include-crds");
        }
        if skip_schema {
            tool = tool.arg("--skip-schema-validation");
        }
        let output = tool.run().map_err(Refusal::Tool)?;
        match output.code {
            Some(0) => Ok(output.stdout),
            _ => {
                // A template is named from the chart's name on.
                let own = format!("{}/templates/", self.name);
                let text = first_error(&output.stderr, disk);
                Err(Refusal::Said(text.replace(&own, &join(&self.folder, "templates/"))))
            }
        }
    }
}

const INSTALL: &str = "install helm 3.16 or newer, so that it is on PATH, or name it with --helm-binary";

enum Refusal {
    Said(String),
    Tool(ToolError),
}

impl Refusal {
    fn problem(self, failed: &dyn Fn(&str) -> Problem) -> Problem {
        match self {
            Self::Said(text) => failed(&text),
            Self::Tool(error @ ToolError::NotFound { .. }) => failed(&error.to_string()).hint(INSTALL),
            Self::Tool(error) => failed(&error.to_string()),
        }
    }
}
