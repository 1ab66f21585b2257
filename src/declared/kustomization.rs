//! Folders with a kustomization: what they reach, and how they are rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::documents::{self, Findings};
use crate::object::{Place, Problem, Provenance, Renderer};
use crate::process::{BASIC_ENVIRONMENT, Tool, ToolError};
use crate::source::Tree;
use crate::source::path::{join, parent, resolve};

/// Names that kustomize looks for, in its order.
pub(super) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

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
    /// What it names that is neither in the tree nor an address elsewhere, as written.
    pub absent: Vec<String>,
}

/// Whether a file is named as kustomizations are.
pub fn is_name(path: &str) -> bool {
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
            match resolve(folder, entry) {
                Some(path) if tree.is_dir(&path) => found.folders.push(path),
                Some(path) if tree.is_file(&path) => found.files.push(path),
                _ if is_elsewhere(entry) => {}
                _ => found.absent.push(entry.to_owned()),
            }
        }
    }
    let patches = value["patches"].as_array().into_iter().flatten();
    for path in patches.filter_map(|patch| patch["path"].as_str()) {
        if !resolve(folder, path).is_some_and(|path| tree.is_file(&path)) && !is_elsewhere(path) {
            found.absent.push(path.to_owned());
        }
    }
    Some(found)
}

/// Whether an entry is fetched from elsewhere, or is an object written into the list.
fn is_elsewhere(entry: &str) -> bool {
    let host = entry.split(['/', ':']).next().unwrap_or_default();
    let is_host = host.contains('@') || host.trim_matches('.').contains('.') && entry.contains('/');
    entry.contains("://") || entry.contains("?ref=") || entry.contains('\n') || is_host
}

/// What the kustomizations that one reaches name and the repository does not have: in words, the first such.
fn absent(tree: &Tree, folder: &str) -> Option<String> {
    let reached = closure(tree, folder);
    let one = reached.iter().find(|(_, one)| !one.absent.is_empty());
    one.map(|(at, one)| {
        let names = one.absent.join(", ");
        let by = if at == folder { "it" } else { &one.file };
        format!("{by} names {names}, which the repository does not have")
    })
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

/// Renders the kustomization of a folder with a program, `kustomize` or `kubectl`. `disk` is where the tree is laid out.
///
/// What it names by URL is fetched by the program itself.
pub(super) fn render(tree: &Tree, disk: &Path, folder: &str, file: &str, program: &Path) -> Findings {
    let mut findings = Findings::default();
    let output = match run(disk, folder, program) {
        Ok(output) => output,
        Err(Refusal { cause, hint, said }) => {
            // What is said of a file that is not there is long and tells of folders of this machine.
            let cause = said.then(|| absent(tree, folder)).flatten().unwrap_or(cause);
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

const INSTALL: &str = "leave out --kustomize-binary: refloat renders kustomizations by itself";

struct Refusal {
    cause: String,
    hint: Option<&'static str>,
    /// Said by the program itself.
    said: bool,
}

fn run(disk: &Path, folder: &str, program: &Path) -> Result<Vec<u8>, Refusal> {
    let not_run = |cause: String, hint| Refusal {
        cause,
        hint,
        said: false,
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
        not_run(error.to_string(), hint)
    })?;
    if output.code == Some(0) {
        return Ok(output.stdout);
    }
    let text = first_error(&output.stderr, disk);
    let hint = text
        .contains("--enable-helm")
        .then_some("charts of a kustomization (helmCharts) are not rendered: render them into the repository");
    Err(Refusal {
        cause: text,
        hint,
        said: true,
    })
}

/// What programs say around a cause, and what is said instead. Some of them quote what they read, which may be a Secret:
/// from where that begins, nothing of theirs is shown.
const SAID: &[(&str, &str, Rest)] = &[
    (
        "literal source",
        "a literal of a secretGenerator or configMapGenerator is not of the form key=value",
        Rest::Cut,
    ),
    (
        "config: `",
        "one of its patches, generators or transformers cannot be used",
        Rest::Cut,
    ),
    (
        "map[string]interface {}",
        "one of its files is not valid YAML, or gives a key twice",
        Rest::Cut,
    ),
    (
        "unknown anchor",
        "not valid YAML: an alias (*name) without its anchor, or a text beginning with * that is not in quotes",
        Rest::Cut,
    ),
    ("accumulating resources: ", "", Rest::Kept),
    ("cannot unmarshal yaml document: ", "", Rest::Kept),
    ("error converting YAML to JSON: yaml: ", "not valid YAML: ", Rest::Kept),
    ("MalformedYAMLError: yaml: ", "not valid YAML: ", Rest::Kept),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Kept,
    Cut,
}

/// A line of a program in plainer words, and without what it may quote.
fn plain(line: &str) -> String {
    let mut text = line.to_owned();
    for (sign, instead, rest) in SAID {
        match (text.find(sign), rest) {
            (None, _) => {}
            (Some(_), Rest::Cut) => return (*instead).to_owned(),
            (Some(_), Rest::Kept) => text = text.replace(sign, instead),
        }
    }
    unquoted(&text)
}

/// What could not be read as a number or a date is a value of somebody.
fn unquoted(text: &str) -> String {
    const SIGN: &str = "parsing \"";
    let Some((head, tail)) = text.split_once(SIGN) else {
        return text.to_owned();
    };
    let rest = tail.split_once("\":").map_or("", |(_, rest)| rest);
    format!("{head}parsing ***:{}", unquoted(rest))
}

/// What a program said when it failed: its first line that has something, without paths of this machine.
pub(super) fn first_error(stderr: &[u8], disk: &Path) -> String {
    let text = String::from_utf8_lossy(stderr);
    let real = disk.canonicalize().unwrap_or_else(|_| disk.to_owned());
    let text = [&*real, disk].iter().fold(text.into_owned(), |text, path| {
        let path = path.display().to_string();
        text.replace(&format!("{path}/"), "").replace(&path, ".")
    });
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim().is_empty() || line.starts_with('#') || line.starts_with("WARNING"));
    let first = lines.next().unwrap_or("it failed without a word").trim();
    // Helm 4 tells on indented lines what it means by a place, and below a colon what does not fit a schema.
    let goes_on = first.ends_with(':');
    let more = lines
        .take_while(|line| line.starts_with("  ") || goes_on && !line.is_empty())
        .map(str::trim);
    let all: Vec<&str> = std::iter::once(first).chain(more).collect();
    let line = all.join(" ");
    let line = line
        .strip_prefix("Error: ")
        .or_else(|| line.strip_prefix("error: "))
        .unwrap_or(&line);
    plain(line).chars().take(1_000).collect()
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

    #[test]
    fn errors_of_tools_quote_no_values() {
        for (sign, instead, rest) in SAID {
            let text = plain(&format!("x: {sign}canary"));
            match rest {
                Rest::Cut => assert_eq!(text, *instead),
                Rest::Kept => assert_eq!(text, format!("x: {instead}canary")),
            }
        }
        let said = b"Error: web.yaml:5:42\n  executing \"web.yaml\" at <atoi .Values.a>:\n    error calling atoi: parsing \"canary\": invalid syntax\n\nUse --debug\n";
        assert_eq!(
            first_error(said, Path::new("/nowhere")),
            "web.yaml:5:42 executing \"web.yaml\" at <atoi .Values.a>: error calling atoi: parsing ***: invalid syntax"
        );
    }
}
