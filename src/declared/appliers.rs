//! What other tools apply: recognised, and told with what to run, since refloat does not render it.
//!
//! Sources: the documentation of kluctl (`.kluctl.yaml`, `deployment.yaml`), of Fleet (`fleet.yaml`), of helmfile (`helmfile.yaml`,
//! `helmfile.d`), of ytt (annotations in comments), of jsonnet-bundler and of Tanka (`main.jsonnet` beside `spec.json`).

use serde_json::Value;

use crate::object::{ObjectId, Place, Problem, ProblemKind, api_group};
use crate::source::Tree;
use crate::source::path::{join, parent, resolve};

/// How a tool's place is known.
#[derive(Debug, PartialEq, Eq)]
enum Sign {
    /// A file of one of these names.
    Named(&'static [&'static str]),
    /// A file of one of these names whose content has this field, and is no object.
    WithField(&'static [&'static str], &'static str),
    /// A file of the first name with one of the second beside it.
    Beside(&'static str, &'static str),
    /// A file whose name ends so.
    Ending(&'static str),
    /// A folder of this name: its first file.
    Folder(&'static str),
}

/// What else in the folder is the tool's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All that is in it.
    All,
    /// The charts that it names, which get other values from it than their own.
    Charts,
    /// The folder `vendor`, and what else of the kind is below: the whole project is told once.
    Project,
    /// Nothing: what stands beside is read as ever.
    Nothing,
}

/// A kind of place that another tool renders.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// What it is, for people.
    what: &'static str,
    tool: &'static str,
    sign: Sign,
    extent: Extent,
    /// What to run; FILE and FOLDER stand for the place.
    run: &'static str,
}

const fn row(what: &'static str, tool: &'static str, sign: Sign, extent: Extent, run: &'static str) -> Row {
    Row {
        what,
        tool,
        sign,
        extent,
        run,
    }
}

const KLUCTL: &str = "`kluctl render -t TARGET --print-all` in FOLDER prints it, `kluctl deploy -t TARGET` applies it";
const HELMFILE: &str = "`helmfile -f FILE template` prints it, `helmfile -f FILE apply` applies it";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("kluctl project", "kluctl", Sign::Named(&[".kluctl.yaml", ".kluctl.yml"]), Extent::All, KLUCTL),
    row("kluctl library", "kluctl", Sign::Named(&[".kluctl-library.yaml", ".kluctl-library.yml"]), Extent::All,
        "the project that includes it renders it: `kluctl render -t TARGET --print-all`"),
    row("kluctl deployment", "kluctl", Sign::WithField(&["deployment.yaml", "deployment.yml"], "deployments"), Extent::All, KLUCTL),
    row("Fleet bundle", "Fleet", Sign::Named(&["fleet.yaml"]), Extent::All,
        "Fleet applies it once its GitRepo is there; `fleet apply -o - NAME FOLDER` prints it as a Bundle"),
    row("helmfile", "helmfile", Sign::Named(&["helmfile.yaml", "helmfile.yml", "helmfile.yaml.gotmpl", "helmfile.yml.gotmpl"]),
        Extent::Charts, HELMFILE),
    row("helmfile", "helmfile", Sign::Folder("helmfile.d"), Extent::All,
        "`helmfile -f FOLDER template` prints it, `helmfile -f FOLDER apply` applies it"),
    row("Tanka environment", "Tanka", Sign::Beside("main.jsonnet", "spec.json"), Extent::Nothing,
        "`tk show FOLDER` prints it, `tk apply FOLDER` applies it"),
    row("jsonnet project", "jsonnet", Sign::Named(&["jsonnetfile.json"]), Extent::Project,
        "`jb install` in FOLDER and then `jsonnet -J vendor` with each file of it print it"),
    row("jsonnet", "jsonnet", Sign::Ending(".jsonnet"), Extent::Project, "`jsonnet FILE` prints it"),
];

/// By what it holds: see [`is_ytt`].
const YTT: Row = row(
    "folder of ytt templates",
    "ytt",
    Sign::Ending(".yaml"),
    Extent::Nothing,
    "`ytt -f FOLDER` prints it, `ytt -f FOLDER | kapp deploy -a NAME -f -` applies it",
);

/// A place that another tool renders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    row: &'static Row,
    /// By which it is known.
    file: String,
}

impl Applied {
    /// The file by which it is known.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its folder.
    pub fn folder(&self) -> &str {
        parent(&self.file)
    }

    /// Whether all that is in its folder is its own.
    pub fn is_whole(&self) -> bool {
        self.row.extent == Extent::All
    }

    /// Whether another of the same kind further down belongs to it.
    fn takes_in(&self, other: &Self) -> bool {
        let within = crate::source::path::is_within(&other.file, self.folder());
        self.row.extent == Extent::Project && other.row.extent == Extent::Project && within
    }

    /// Folders that are not to be looked into by themselves.
    pub fn own_folders(&self, tree: &Tree) -> Vec<String> {
        match self.row.extent {
            Extent::Project => vec![join(self.folder(), "vendor")],
            Extent::Charts => tree
                .read(&self.file)
                .map_or_else(|_| Vec::new(), |text| charts(self.folder(), &text)),
            Extent::All | Extent::Nothing => Vec::new(),
        }
    }

    /// That nothing of it is restored, and what to run.
    pub fn problem(&self) -> Problem {
        let Row { what, tool, run, .. } = self.row;
        let folder = match self.folder() {
            "" => ".",
            folder => folder,
        };
        let run = run.replace("FILE", &self.file).replace("FOLDER", folder);
        Problem::error(
            Place::file(&*self.file),
            format!("nothing of this {what} is restored: {tool} renders it, refloat does not"),
        )
        .hint(run)
    }
}

impl Sign {
    fn fits(&self, tree: &Tree, folder: &str, name: &str) -> bool {
        let path = join(folder, name);
        if !tree.is_file(&path) {
            return false;
        }
        match self {
            Self::Named(names) => names.contains(&name),
            Self::WithField(names, field) => names.contains(&name) && has_field(tree, &path, field),
            Self::Beside(first, second) => name == *first && tree.is_file(&join(folder, second)),
            Self::Ending(ending) => name.ends_with(ending),
            Self::Folder(own) => folder.rsplit('/').next() == Some(own),
        }
    }
}

/// Whether a file has a list of that name, and is no object.
fn has_field(tree: &Tree, path: &str, field: &str) -> bool {
    let value = tree.read(path).map(|text| kube_yaml::parse_one(&text).value);
    matches!(value, Ok(Ok(value)) if value[field].is_array() && value["kind"].is_null())
}

/// What other tools render in a folder, the folders in it aside.
pub(super) fn of_folder(tree: &Tree, folder: &str) -> Vec<Applied> {
    let mut found: Vec<Applied> = Vec::new();
    for row in ROWS {
        let mut names = tree.list(folder);
        let Some(name) = names.find(|name| row.sign.fits(tree, folder, name)) else {
            continue;
        };
        // One tool is told once, by the first of its rows.
        let is_known = |one: &Applied| one.row.tool == row.tool || (one.row.tool == "Tanka" && row.tool == "jsonnet");
        if !found.iter().any(is_known) {
            let file = join(folder, name);
            found.push(Applied { row, file });
        }
    }
    found
}

/// What a file is by itself.
pub(super) fn of_file(tree: &Tree, path: &str) -> Option<Applied> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let row = ROWS.iter().find(|row| row.sign.fits(tree, parent(path), name))?;
    Some(Applied {
        row,
        file: path.to_owned(),
    })
}

/// All of it in a tree.
pub(super) fn first_within(tree: &Tree, base: &str) -> Option<Applied> {
    tree.files_within(base).find_map(|file| of_file(tree, file))
}

/// Those that are not part of others.
pub(super) fn outermost(all: Vec<Applied>) -> Vec<Applied> {
    let is_inner = |one: &Applied| {
        all.iter()
            .any(|other| other != one && other.takes_in(one) && !one.takes_in(other))
    };
    all.iter().filter(|one| !is_inner(one)).cloned().collect()
}

/// The charts beside that a helmfile names: told by its lines, since it may be a template itself.
fn charts(folder: &str, text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let named = text.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("- ").trim_start();
        let chart = line.strip_prefix("chart:")?.trim().trim_matches(['"', '\'']);
        resolve(folder, chart).filter(|_| chart.starts_with('.'))
    });
    named.collect()
}

/// Marks of ytt in comments: those that its own documentation gives to modules, and code at the end of a value.
const YTT_MARKS: &[&str] = &[
    "#@data/values",
    "#@overlay/",
    "#@schema/",
    "#@library/",
    "#@yaml/",
    "#@ load(",
    "#@ end",
];

/// Whether a file is a template of ytt.
pub(super) fn is_ytt(text: &[u8]) -> bool {
    // Most files hold no such comment at all.
    if !text.windows(2).any(|two| two == b"#@") {
        return false;
    }
    let text = String::from_utf8_lossy(text);
    text.lines().any(|line| {
        let line = line.trim_start();
        let is_value = line
            .split_once(": #@ ")
            .is_some_and(|(key, _)| !key.contains([' ', '#']));
        is_value || YTT_MARKS.iter().any(|mark| line.starts_with(mark))
    })
}

/// The outermost folders of these files, each as a place of ytt's.
pub(super) fn of_ytt<'f>(files: impl Iterator<Item = &'f str>) -> Vec<Applied> {
    let mut found: Vec<Applied> = Vec::new();
    for file in files {
        let is_in = |one: &Applied| crate::source::path::is_within(file, one.folder());
        if !found.iter().any(is_in) {
            found.retain(|one| !crate::source::path::is_within(one.folder(), parent(file)));
            found.push(Applied {
                row: &YTT,
                file: file.to_owned(),
            });
        }
    }
    found
}

/// Objects of which controllers make others that are not rendered: group, kind, who makes them.
const MAKERS: &[(&str, &str, &str)] = &[
    ("fleet.cattle.io", "GitRepo", "Fleet"),
    ("fleet.cattle.io", "HelmOp", "Fleet"),
    ("fleet.cattle.io", "Bundle", "Fleet"),
    ("fluxcd.controlplane.io", "ResourceSet", "the Flux operator"),
    ("gitops.kluctl.io", "KluctlDeployment", "kluctl-controller"),
    ("helm.cattle.io", "HelmChart", "helm-controller of k3s"),
    ("kappctrl.k14s.io", "App", "kapp-controller"),
    ("packaging.carvel.dev", "PackageInstall", "kapp-controller"),
];

/// Where Fleet keeps what is for the cluster that it runs in. Source: its documentation, "Namespaces".
const FLEET_LOCAL: &str = "fleet-local";

/// That what an object brings is not restored, if a controller makes it.
pub(super) fn not_rendered(value: &Value, place: Place, namespace: &str) -> Option<Problem> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = api_group(text("/apiVersion"));
    let (_, kind, maker) = MAKERS.iter().find(|row| row.0 == group && row.1 == text("/kind"))?;
    let namespace = match text("/metadata/namespace") {
        "" => namespace,
        own => own,
    };
    let id = ObjectId::new(group, *kind, Some(namespace), text("/metadata/name"));
    if *maker == "Fleet" && namespace != FLEET_LOCAL {
        let message = format!("nothing that this {kind} brings is restored: it is for other clusters");
        let mut problem = Problem::error(place, message).of(id);
        problem.kind = ProblemKind::Warning;
        return Some(problem);
    }
    let message = format!("nothing that this {kind} brings is restored: {maker} makes it in the cluster");
    let hint = format!("it comes once {maker} runs there; what must be there sooner has to be in Git as it is applied");
    Some(Problem::error(place, message).of(id).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_of_ytt_are_known_by_their_comments() {
        for text in [
            "#@data/values\n---\nreplicas: 1\n",
            "#@ load(\"@ytt:data\", \"data\")\n",
            "spec:\n  replicas: #@ data.values.replicas\n",
            "  #@overlay/match missing_ok=True\n  a: 1\n",
            "#@ if x:\n#@ end\n",
        ] {
            assert!(is_ytt(text.as_bytes()), "{text}");
        }
        for text in [
            "a: 1 # @default -- x\n",
            "# -- @ignored\na: b\n",
            "script: |\n  #@echo off\n  echo a: #@ b\n",
            "mail: a#@b\n",
        ] {
            assert!(!is_ytt(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn ytt_is_told_once_for_folders_in_each_other() {
        let files = ["a/b/x.yaml", "a/y.yaml", "a/c/z.yaml", "d/w.yaml"];
        let folders: Vec<String> = of_ytt(files.into_iter())
            .iter()
            .map(|one| one.folder().to_owned())
            .collect();
        assert_eq!(folders, ["a", "d"]);
    }

    #[test]
    fn a_helmfile_names_the_charts_beside() {
        let text = "releases:\n- name: a\n  chart: ./charts/a\n- chart: \"../b\"\n- chart: stable/c\n  # chart: ./d\n";
        assert_eq!(charts("x", text.as_bytes()), ["x/charts/a", "b"]);
    }

    #[test]
    fn every_object_of_which_others_are_made_is_told() {
        for (group, kind, _) in MAKERS {
            let value = json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "a"}});
            let told = |namespace: &str| not_rendered(&value, Place::file("a.yaml"), namespace).map(|one| one.kind);
            assert_eq!(told(FLEET_LOCAL), Some(ProblemKind::Error), "{kind}");
            let elsewhere = match *group == "fleet.cattle.io" {
                true => ProblemKind::Warning,
                false => ProblemKind::Error,
            };
            assert_eq!(told("fleet-default"), Some(elsewhere), "{kind}");
        }
        let other = json!({"apiVersion": "v1", "kind": "GitRepo"});
        assert_eq!(not_rendered(&other, Place::file("a.yaml"), ""), None);
    }
}
