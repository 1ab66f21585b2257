//! Folders with a kustomization: what they reach, and how they are rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::documents::{self, Findings};
use crate::object::{Place, Problem, Provenance, Renderer};
use crate::process::{BASIC_ENVIRONMENT, Tool, ToolError, which};
use crate::source::Tree;
use crate::source::path::{join, parent, resolve};

/// Names that kustomize looks for, in its order.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Longest that one rendering may take.
const LONGEST: Duration = Duration::from_secs(120);

/// One kustomization file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kustomization {
    /// The file.
    pub file: String,
    /// A Component can only be part of another kustomization.
    pub component: bool,
    /// Folders of the tree that it names.
    pub folders: Vec<String>,
    /// Files of the tree that it names.
    pub files: Vec<String>,
}

/// Whether a file is named as kustomizations are.
pub(super) fn is_name(path: &str) -> bool {
    NAMES.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// The kustomization of a folder, if it has one. An engine's own object in a file of that name (a Flux Kustomization) is none.
pub(super) fn of_folder(tree: &Tree, folder: &str) -> Option<Kustomization> {
    let file = NAMES
        .iter()
        .map(|name| join(folder, name))
        .find(|file| tree.is_file(file))?;
    let bytes = tree.read(&file).ok()?;
    let value = kube_yaml::parse_one(&bytes).value.unwrap_or(Value::Null);
    let api_version = value["apiVersion"].as_str().unwrap_or_default();
    if !api_version.is_empty() && !api_version.starts_with("kustomize.config.k8s.io/") {
        return None;
    }
    let mut found = Kustomization {
        file,
        component: value["kind"] == "Component",
        ..Kustomization::default()
    };
    for field in [
        "resources",
        "bases",
        "components",
        "crds",
        "configurations",
        "generators",
        "transformers",
    ] {
        for entry in value[field].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let Some(path) = resolve(folder, entry) else { continue };
            if tree.is_dir(&path) {
                found.folders.push(path);
            } else if tree.is_file(&path) {
                found.files.push(path);
            }
        }
    }
    Some(found)
}

/// All kustomizations of a tree within a folder, by folder.
pub(super) fn all_within(tree: &Tree, folder: &str) -> BTreeMap<String, Kustomization> {
    let folders: BTreeSet<&str> = tree
        .files_within(folder)
        .filter(|file| is_name(file))
        .map(parent)
        .collect();
    folders
        .into_iter()
        .filter_map(|folder| Some((folder.to_owned(), of_folder(tree, folder)?)))
        .collect()
}

/// The folders of all kustomizations that one reaches, itself included.
pub(super) fn closure(tree: &Tree, folder: &str) -> BTreeMap<String, Kustomization> {
    let mut reached = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        if reached.contains_key(&folder) {
            continue;
        }
        if let Some(kustomization) = of_folder(tree, &folder) {
            todo.extend(kustomization.folders.iter().cloned());
            reached.insert(folder, kustomization);
        }
    }
    reached
}

/// The program that renders kustomizations: the one given, `kustomize`, or `kubectl`.
pub(super) fn program(given: Option<&Path>) -> Option<PathBuf> {
    given
        .map(Path::to_owned)
        .or_else(|| which("kustomize"))
        .or_else(|| which("kubectl"))
}

/// Renders the kustomization of a folder. `disk` is where the tree is laid out.
///
/// What it names by URL is fetched by kustomize itself, as with `kubectl apply -k`.
pub(super) fn render(disk: &Path, folder: &str, file: &str, program: Option<&Path>) -> Findings {
    let mut findings = Findings::default();
    let output = match run(disk, folder, program) {
        Ok(output) => output,
        Err((cause, hint)) => {
            let message = format!("nothing of this kustomization is restored: {cause}");
            let problem = Problem::error(Place::file(file), message);
            findings.problems.push(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
            return findings;
        }
    };
    for document in kube_yaml::parse(&output) {
        let provenance = Provenance {
            file: file.to_owned(),
            document: document.index,
            line: 0,
            renderer: Renderer::Kustomize,
        };
        documents::take(document, provenance, &mut findings);
    }
    findings
}

const INSTALL: &str = "install kustomize 5 or kubectl, so that it is on PATH";

fn run(disk: &Path, folder: &str, program: Option<&Path>) -> Result<Vec<u8>, (String, Option<&'static str>)> {
    let Some(program) = program else {
        return Err(("neither kustomize nor kubectl was found".to_owned(), Some(INSTALL)));
    };
    let is_kubectl = program
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains("kubectl"));
    let tool = Tool::new(program)
        .arg(if is_kubectl { "kustomize" } else { "build" })
        .arg(if folder.is_empty() { "." } else { folder })
        .folder(disk)
        .inherit(BASIC_ENVIRONMENT)
        .timeout(LONGEST);
    let output = tool.run().map_err(|error| {
        let hint = matches!(error, ToolError::NotFound { .. }).then_some(INSTALL);
        (error.to_string(), hint)
    })?;
    if output.code == Some(0) {
        return Ok(output.stdout);
    }
    let text = first_error(&output.stderr, disk);
    let hint = text
        .contains("--enable-helm")
        .then_some("charts of a kustomization (helmCharts) are not rendered: render them into the repository");
    Err((text, hint))
}

/// What a program said when it failed: its first line that has something, without paths of this machine.
pub(super) fn first_error(stderr: &[u8], disk: &Path) -> String {
    let text = String::from_utf8_lossy(stderr);
    let real = disk.canonicalize().unwrap_or_else(|_| disk.to_owned());
    let text = [&*real, disk].iter().fold(text.into_owned(), |text, path| {
        let path = path.display().to_string();
        text.replace(&format!("{path}/"), "").replace(&path, ".")
    });
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("WARNING"))
        .unwrap_or("it failed without a word");
    let line = line
        .strip_prefix("Error: ")
        .or_else(|| line.strip_prefix("error: "))
        .unwrap_or(line);
    line.chars().take(1_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_lose_paths_of_this_machine() {
        let disk = Path::new("/tmp/refloat-tree-x");
        let said = b"# Warning: 'bases' is deprecated\nError: accumulating resources from '../b' at /tmp/refloat-tree-x/a/b: no such file\nmore\n";
        assert_eq!(
            first_error(said, disk),
            "accumulating resources from '../b' at a/b: no such file"
        );
        assert_eq!(first_error(b"", disk), "it failed without a word");
    }
}
