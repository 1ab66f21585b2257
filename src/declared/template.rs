//! `helm template`: how it is called, and what it says.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::kustomization::first_error;
use crate::object::{Place, Problem};
use crate::process::{Tool, ToolError, which};

/// Longest that one rendering may take.
const LONGEST: Duration = Duration::from_secs(120);
/// Most bytes that a chart may render.
const LARGEST_OUTPUT: usize = 256 << 20;
const INSTALL: &str = "install helm 3.16 or newer, so that it is on PATH, or name it with --helm-binary";

/// What charts see of the target, and who renders them.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    /// `helm`; `None`: the one on PATH.
    pub program: Option<PathBuf>,
    /// Version of Kubernetes that templates see.
    pub kube_version: Option<String>,
    /// APIs that templates see, sorted: `group/version` and `group/version/Kind`.
    pub api_versions: Vec<String>,
}

/// A rendering of a chart.
#[derive(Clone)]
pub(super) struct Call {
    /// Where helm runs: paths in its errors are shown from here.
    pub folder: PathBuf,
    /// The chart: a folder or an archive.
    pub chart: PathBuf,
    /// The chart's name, by which helm names its templates in errors, and where they are shown to be: a path, or nothing.
    pub named: (String, String),
    /// The release's name.
    pub release: String,
    /// The release's namespace.
    pub namespace: String,
    /// Values files on this machine, later ones win.
    pub files: Vec<PathBuf>,
    /// Values that win over all files. They may be secret, and are never written to disk.
    pub values: Option<Vec<u8>>,
    /// Whether the definitions in `crds` folders are part of it.
    pub crds: bool,
    /// Whether its hooks are.
    pub hooks: bool,
    /// Whether its values are checked against its schema.
    pub schema: bool,
    /// What it is told to see of the target, whatever that is.
    pub sees: Sees,
}

/// What templates are told of a cluster, where whoever declares a chart says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sees {
    /// Version of Kubernetes; empty: the target's.
    pub kube_version: String,
    /// APIs; none: the target's.
    pub api_versions: Vec<String>,
}

impl Sees {
    /// The target as they are told of it.
    pub fn over(&self, target: &Target) -> Target {
        Target {
            program: target.program.clone(),
            kube_version: Some(self.kube_version.clone())
                .filter(|version| !version.is_empty())
                .or_else(|| target.kube_version.clone()),
            api_versions: match self.api_versions.is_empty() {
                true => target.api_versions.clone(),
                false => self.api_versions.clone(),
            },
        }
    }
}

/// What helm printed, and remarks.
pub(super) type Output = Result<(Vec<u8>, Vec<String>), Refusal>;

/// Why a chart was not rendered.
pub(super) enum Refusal {
    /// As helm says it.
    Said(String),
    /// It was not run to its end.
    Tool(ToolError),
    /// It is not there.
    NoHelm,
}

impl Refusal {
    /// As a problem of what is rendered, which `failed` makes of a cause.
    pub fn problem(self, failed: &dyn Fn(&str) -> Problem) -> Problem {
        match self {
            Self::Said(text) => failed(&text),
            Self::NoHelm => failed("helm was not found").hint(INSTALL),
            Self::Tool(error @ ToolError::NotFound { .. }) => failed(&error.to_string()).hint(INSTALL),
            Self::Tool(error) => failed(&error.to_string()),
        }
    }
}

/// A problem with a whole chart at a place, as [`Refusal::problem`] wants it.
pub(super) fn nothing_of_chart(place: Place) -> impl Fn(&str) -> Problem {
    move |cause| Problem::error(place.clone(), format!("nothing of this chart is restored: {cause}"))
}

/// Whether helm says that it could not load a schema, or a part of one: what does not fit one that it has is refused, as by an
/// installation. Source: `github.com/santhosh-tekuri/jsonschema/v6` (loader.go: LoadURLError) for Helm 3.18 and newer,
/// `github.com/xeipuu/gojsonschema` (jsonLoader.go) for older ones.
fn is_unloaded_schema(said: &str) -> bool {
    let unloaded = ["failing loading ", "Could not read schema from HTTP", "Get \"http"];
    said.contains("schema") && unloaded.iter().any(|text| said.contains(text))
}

/// What helm says of values that do not fit a schema, without those values, which may be secret.
/// Source: `github.com/santhosh-tekuri/jsonschema/v6` (kind/kind.go: Pattern, Format, Minimum and so on), for Helm 3.18 and newer.
fn without_values(said: &str) -> String {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| regex("(?m)': .* does not match pattern "));
    static FORMAT: LazyLock<Regex> = LazyLock::new(|| regex("(?m)': .* is not valid .*$"));
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| regex("(?m)(minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf): got .*, want "));
    let said = PATTERN.replace_all(said, "': it does not match pattern ");
    let said = FORMAT.replace_all(&said, "': it has not the format that the schema asks for");
    NUMBER.replace_all(&said, "$1: it does not fit ").into_owned()
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("because it stands here")
}

impl Call {
    /// Renders it once. A schema that names another one by URL cannot be used, since nothing is fetched: then the values go unchecked,
    /// and that is a remark.
    pub fn run(&self, target: &Target) -> Output {
        let target = &self.sees.over(target);
        let Some(program) = target.program.clone().or_else(|| which("helm")) else {
            return Err(Refusal::NoHelm);
        };
        match self.once(&program, target, self.schema) {
            Ok(output) => Ok((output, Vec::new())),
            Err(Refusal::Said(text)) if self.schema && is_unloaded_schema(&text) => {
                let output = self.once(&program, target, false)?;
                let remark = format!("the chart's values were not checked against its schema: {text}");
                Ok((output, vec![remark]))
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn once(&self, program: &Path, target: &Target, schema: bool) -> Result<Vec<u8>, Refusal> {
        // A home of its own: neither the user's repositories nor plugins play a part.
        let home = tempfile::Builder::new()
            .prefix("refloat-helm-")
            .tempdir()
            .map_err(|e| Refusal::Said(e.to_string()))?;
        let mut tool = Tool::new(program)
            .arg("template")
            .arg(&self.release)
            .arg(&self.chart)
            .args(["--namespace", &self.namespace])
            .folder(&self.folder)
            .env("HOME", home.path())
            .inherit(["PATH", "TMPDIR"])
            .limit(LARGEST_OUTPUT)
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
        for file in &self.files {
            tool = tool.arg("--values").arg(file);
        }
        if let Some(values) = &self.values {
            tool = tool.args(["--values", "-"]).input(values.clone());
        }
        if let Some(version) = &target.kube_version {
            tool = tool.args(["--kube-version", version]);
        }
        for api in &target.api_versions {
            tool = tool.args(["--api-versions", api]);
        }
        for (flag, is_set) in [
            ("--include-crds", self.crds),
            ("--no-hooks", !self.hooks),
            ("--skip-schema-validation", !schema),
        ] {
            if is_set {
                tool = tool.arg(flag);
            }
        }
        let output = tool.run().map_err(Refusal::Tool)?;
        match output.code {
            Some(0) => Ok(output.stdout),
            _ => {
                let (name, shown) = &self.named;
                let said = without_values(&String::from_utf8_lossy(&output.stderr));
                let text = first_error(said.as_bytes(), &self.folder);
                Err(Refusal::Said(
                    text.replace(&format!("{name}/templates/"), &format!("{shown}templates/")),
                ))
            }
        }
    }
}
