//! What is not among the files: remote bases and charts.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::files::Files;

/// What the caller says to a request for something from elsewhere.
#[derive(Debug, Clone)]
pub enum Answer<T> {
    /// It is at hand.
    Here(T),
    /// It can be had, but not now. The build goes on as far as it can, and all such requests come back together in
    /// [`Errors::later`](crate::Errors::later): the caller fetches them and builds again.
    Later,
    /// It cannot be had, and why.
    Refused(String),
}

/// A chart that a kustomization asks for, as its `helmCharts` entry says, with what kustomize adds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chart {
    /// The entry as JSON text with sorted keys: name, repo, version, releaseName, namespace, valuesFile, valuesInline, valuesMerge,
    /// includeCRDs, skipHooks, apiVersions, kubeVersion, nameTemplate, skipTests, debug, additionalValuesFiles, devel; and
    /// `chartHome` from `helmGlobals`.
    pub entry: String,
    /// Values in the order in which `helm` merges them, the last wins: each a YAML text.
    pub values: Vec<String>,
    /// The folder of the kustomization.
    pub folder: String,
    /// Where the chart lies among the files, if it is there.
    pub chart: Option<String>,
}

/// Gives the bytes of a file, or why it cannot.
pub type ReadFile<'p> = dyn Fn(&str) -> Result<Arc<[u8]>, String> + 'p;

/// A generator that is a program, not one of kustomize's own.
pub struct Program<'p> {
    /// The object that describes it.
    pub config: &'p Value,
    /// Reads a file that the kustomization may read, by its path from there.
    pub read: &'p ReadFile<'p>,
}

/// Brings what is not among the files.
pub trait Outside: Sync {
    /// A remote base or file: the tree that has it and the path in that tree. `url` is as the kustomization writes it.
    fn remote(&self, url: &str) -> Answer<(Arc<dyn Files + Send>, PathBuf)>;

    /// What a chart renders to, as a YAML stream (as `helm template` prints it).
    fn chart(&self, chart: &Chart) -> Answer<Arc<[u8]>>;

    /// What a generator that is a program makes, as a YAML stream. Programs are not run here: all are refused where the caller does not
    /// stand in for them.
    fn generate(&self, program: &Program<'_>) -> Answer<Vec<u8>> {
        Answer::Refused(not_run(program.config["kind"].as_str().unwrap_or_default()))
    }
}

/// That a program, container or function is refused.
pub(crate) fn not_run(kind: &str) -> String {
    format!("\"{kind}\" is an external plugin; programs, containers and functions are not run here")
}

/// Refuses everything: for builds that must not leave their files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Outside for Nothing {
    fn remote(&self, url: &str) -> Answer<(Arc<dyn Files + Send>, PathBuf)> {
        Answer::Refused(format!("{url} is not among the files"))
    }

    fn chart(&self, _: &Chart) -> Answer<Arc<[u8]>> {
        Answer::Refused("charts are not rendered here".to_owned())
    }
}
