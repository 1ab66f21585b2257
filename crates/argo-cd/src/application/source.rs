//! The sources of an Application.

use std::collections::BTreeMap;

use serde_json::Value;

use super::helm::Helm;
use crate::read::Reader;

/// One source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Source {
    /// Where it stands, such as `spec.sources[1]`.
    pub field: String,
    /// Address of a Git repository, a chart repository or a registry.
    pub repo_url: String,
    /// Branch, tag, commit, version or range of versions; empty for the default branch.
    pub target_revision: String,
    /// Folder in the repository.
    pub path: String,
    /// Name of a chart, in place of a folder.
    pub chart: String,
    /// Name by which value files of other sources mean this one, without the `$`.
    pub reference: String,
    /// A name for people.
    pub name: String,
    /// Options of plain manifests.
    pub directory: Option<Directory>,
    /// Options of Kustomize.
    pub kustomize: Option<Kustomize>,
    /// Options of Helm.
    pub helm: Option<Helm>,
    /// Options of a config management plugin.
    pub plugin: Option<Plugin>,
}

/// `directory`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// Folders below are read too.
    pub recurse: bool,
    /// Glob of files that are read; empty for all.
    pub include: String,
    /// Glob of files that are not.
    pub exclude: String,
    /// Files of any name are read, not only of manifests.
    pub disable_extension_filter: bool,
    /// Options of Jsonnet.
    pub jsonnet: Jsonnet,
}

/// `directory.jsonnet`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jsonnet {
    /// External variables.
    pub ext_vars: Vec<JsonnetVariable>,
    /// Arguments of the top level.
    pub tlas: Vec<JsonnetVariable>,
    /// Folders of libraries.
    pub libs: Vec<String>,
}

/// A variable of Jsonnet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonnetVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether the value is code, not a text.
    pub code: bool,
}

/// `kustomize`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kustomize {
    /// Put before names.
    pub name_prefix: String,
    /// Put behind names.
    pub name_suffix: String,
    /// The namespace of all objects.
    pub namespace: String,
    /// `[old=]new[:tag][@digest]`.
    pub images: Vec<String>,
    /// Numbers of replicas.
    pub replicas: Vec<KustomizeReplicas>,
    /// Labels of all objects.
    pub common_labels: BTreeMap<String, String>,
    /// Annotations of all objects.
    pub common_annotations: BTreeMap<String, String>,
    /// Labels that the kustomization sets are overridden.
    pub force_common_labels: bool,
    /// Annotations that it sets are overridden.
    pub force_common_annotations: bool,
    /// Values of annotations are expanded (`$ARGOCD_APP_NAME`, …).
    pub common_annotations_envsubst: bool,
    /// Labels do not go on selectors.
    pub label_without_selector: bool,
    /// Labels go on Pod templates all the same.
    pub label_include_templates: bool,
    /// Components.
    pub components: Vec<String>,
    /// Components that are not there are left out.
    pub ignore_missing_components: bool,
    /// Patches, as a kustomization has them.
    pub patches: Vec<Value>,
    /// Version of kustomize.
    pub version: String,
    /// Version of Kubernetes for charts; empty for the cluster's.
    pub kube_version: String,
    /// API versions for charts; empty for the cluster's.
    pub api_versions: Vec<String>,
}

/// An item of `kustomize.replicas`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KustomizeReplicas {
    /// Name of the objects.
    pub name: String,
    /// How many.
    pub count: i64,
}

/// `plugin`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plugin {
    /// Its name; empty where it is found by the files.
    pub name: String,
    /// Environment: names and values.
    pub env: Vec<(String, String)>,
    /// Parameters, as they are written.
    pub parameters: Vec<Value>,
}

impl Source {
    /// Reads a source. Options that are all empty count as not there (`util/argo/argo.go`, `NormalizeSource`).
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let source = Source {
            field: reader.path.clone(),
            repo_url: reader.text("repoURL"),
            target_revision: reader.text("targetRevision"),
            path: reader.text("path"),
            chart: reader.text("chart"),
            reference: reader.text("ref"),
            name: reader.text("name"),
            directory: reader
                .has("directory")
                .then(|| Directory::read(&mut reader.child("directory"))),
            kustomize: reader
                .has("kustomize")
                .then(|| Kustomize::read(&mut reader.child("kustomize"))),
            helm: reader.has("helm").then(|| Helm::read(&mut reader.child("helm"))),
            plugin: reader.has("plugin").then(|| Plugin::read(&mut reader.child("plugin"))),
        };
        let source = Source {
            directory: source.directory.filter(|directory| *directory != Directory::default()),
            kustomize: source.kustomize.filter(|kustomize| *kustomize != Kustomize::default()),
            helm: source.helm.filter(|helm| *helm != Helm::default()),
            ..source
        };
        let given = source.explicit_names();
        if given.len() > 1 {
            reader.error(given[1], format!("cannot be given beside {}", given[0]));
        }
        source
    }

    fn explicit_names(&self) -> Vec<&'static str> {
        let given = [
            ("kustomize", self.kustomize.is_some()),
            ("helm", self.helm.is_some()),
            ("directory", self.directory.is_some()),
            ("plugin", self.plugin.is_some()),
        ];
        given
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name)
            .collect()
    }

    /// Whether it gives only files to others: a `ref` without a path or a chart (`IsRef`).
    pub fn is_reference_only(&self) -> bool {
        !self.reference.is_empty() && self.path.is_empty() && self.chart.is_empty()
    }
}

impl Directory {
    fn read(reader: &mut Reader) -> Self {
        let variable = |reader: &mut Reader| JsonnetVariable {
            name: reader.text("name"),
            value: reader.text("value"),
            code: reader.truth("code"),
        };
        let mut directory = Directory {
            recurse: reader.truth("recurse"),
            include: reader.text("include"),
            exclude: reader.text("exclude"),
            disable_extension_filter: reader.truth("disableExtensionFilter"),
            jsonnet: Jsonnet::default(),
        };
        let mut jsonnet = reader.child("jsonnet");
        directory.jsonnet = Jsonnet {
            ext_vars: jsonnet.maps("extVars", variable),
            tlas: jsonnet.maps("tlas", variable),
            libs: jsonnet.texts("libs"),
        };
        directory
    }
}

impl Kustomize {
    fn read(reader: &mut Reader) -> Self {
        Kustomize {
            name_prefix: reader.text("namePrefix"),
            name_suffix: reader.text("nameSuffix"),
            namespace: reader.text("namespace"),
            images: reader.texts("images"),
            replicas: reader.maps("replicas", |reader| KustomizeReplicas {
                name: reader.text("name"),
                count: replica_count(reader),
            }),
            common_labels: reader.text_map("commonLabels"),
            common_annotations: reader.text_map("commonAnnotations"),
            force_common_labels: reader.truth("forceCommonLabels"),
            force_common_annotations: reader.truth("forceCommonAnnotations"),
            common_annotations_envsubst: reader.truth("commonAnnotationsEnvsubst"),
            label_without_selector: reader.truth("labelWithoutSelector"),
            label_include_templates: reader.truth("labelIncludeTemplates"),
            components: reader.texts("components"),
            ignore_missing_components: reader.truth("ignoreMissingComponents"),
            patches: values(reader, "patches"),
            version: reader.text("version"),
            kube_version: reader.text("kubeVersion"),
            api_versions: reader.texts("apiVersions"),
        }
    }
}

/// A number, or a text that is one (`KustomizeReplica.GetIntCount`).
fn replica_count(reader: &mut Reader) -> i64 {
    let count = match reader.any("count") {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    if count.is_none() {
        reader.error("count", "is no number");
    }
    count.unwrap_or(0)
}

/// The maps of a list, as they are.
fn values(reader: &mut Reader, key: &str) -> Vec<Value> {
    reader.maps(key, |_| ());
    let items = reader.any(key).and_then(Value::as_array).into_iter().flatten();
    items.filter(|item| item.is_object()).cloned().collect()
}

impl Plugin {
    fn read(reader: &mut Reader) -> Self {
        Plugin {
            name: reader.text("name"),
            env: reader.maps("env", |reader| (reader.text("name"), reader.text("value"))),
            parameters: values(reader, "parameters"),
        }
    }
}
