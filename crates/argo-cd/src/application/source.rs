//! The sources of an Application.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::read::{Reader, shape};

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

/// `helm`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Helm {
    /// The release's name; empty for the Application's.
    pub release_name: String,
    /// Value files, later ones over earlier ones.
    pub value_files: Vec<ValueFile>,
    /// Value files that are not there are left out.
    pub ignore_missing_value_files: bool,
    /// Values as YAML text, over the files. Empty where `values_object` is given, which goes before it.
    pub values: String,
    /// Values, over the files.
    pub values_object: Option<Value>,
    /// Single values, over all others.
    pub parameters: Vec<HelmParameter>,
    /// Single values that are contents of files.
    pub file_parameters: Vec<HelmFileParameter>,
    /// Custom resource definitions are left out.
    pub skip_crds: bool,
    /// Tests are left out.
    pub skip_tests: bool,
    /// Values are not checked against the chart's schema.
    pub skip_schema_validation: bool,
    /// Credentials go to all hosts.
    pub pass_credentials: bool,
    /// Namespace for the templates; empty for the destination's.
    pub namespace: String,
    /// Version of Kubernetes; empty for the cluster's.
    pub kube_version: String,
    /// API versions; empty for the cluster's.
    pub api_versions: Vec<String>,
    /// Version of Helm.
    pub version: String,
}

/// A value of `helm.parameters`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HelmParameter {
    /// Path of the value, as `helm --set` has it.
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether it stays a text: `--set-string`.
    pub force_string: bool,
}

/// A value of `helm.fileParameters`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HelmFileParameter {
    /// Path of the value.
    pub name: String,
    /// Path of the file.
    pub path: String,
}

/// A value file (`reposerver/repository/repository.go`, `getResolvedValueFiles`; `util/helm`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueFile {
    /// A file or glob of the repository of the source: below its folder, or with `/` before it below the root.
    Own(String),
    /// A file or glob below the root of the repository of another source.
    Of {
        /// The `ref` of that source.
        reference: String,
        /// Path from the root of its repository.
        path: String,
    },
    /// An address.
    Remote(String),
}

impl ValueFile {
    fn read(written: &str) -> Self {
        let other = written.strip_prefix('$').and_then(|rest| rest.split_once('/'));
        match other {
            Some((reference, path)) => ValueFile::Of {
                reference: reference.to_owned(),
                path: path.to_owned(),
            },
            None if written.split_once("://").is_some_and(|(scheme, _)| {
                !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            }) =>
            {
                ValueFile::Remote(written.to_owned())
            }
            None => ValueFile::Own(written.to_owned()),
        }
    }

    /// Whether it stands for all files that match; only of files in repositories (`isGlobPath`).
    pub fn is_glob(&self) -> bool {
        match self {
            ValueFile::Own(path) | ValueFile::Of { path, .. } => path.contains(['*', '?', '[']),
            ValueFile::Remote(_) => false,
        }
    }

    /// The files of a glob among those of a repository, in the order of their names, with `**` for any number of folders. `folder` is that of
    /// the source. For what is no glob, the one path that it means. An answer may be a file that is not there.
    pub fn paths<'f>(&self, folder: &str, files: impl IntoIterator<Item = &'f str>) -> Vec<String> {
        let path = match self {
            ValueFile::Own(path) if path.starts_with('/') => path.trim_start_matches('/').to_owned(),
            ValueFile::Own(path) => format!("{folder}/{path}"),
            ValueFile::Of { path, .. } => path.clone(),
            ValueFile::Remote(_) => return Vec::new(),
        };
        // Nothing lies above the root.
        let path = crate::paths::clean(&format!("/{path}"));
        let path = path.trim_start_matches('/');
        if !self.is_glob() {
            return vec![path.to_owned()];
        }
        let Some(glob) = crate::glob::Glob::doublestar(path) else {
            return Vec::new();
        };
        let mut found: Vec<String> = files
            .into_iter()
            .filter(|file| glob.matches(file))
            .map(str::to_owned)
            .collect();
        found.sort();
        found
    }
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

impl Helm {
    fn read(reader: &mut Reader) -> Self {
        let values_object = reader.any("valuesObject").cloned();
        if let Some(other) = values_object.as_ref().filter(|value| !value.is_object()) {
            reader.error("valuesObject", format!("is {}, not a map", shape(other)));
        }
        let values = reader.text("values");
        Helm {
            release_name: reader.text("releaseName"),
            value_files: reader
                .texts("valueFiles")
                .iter()
                .map(|file| ValueFile::read(file))
                .collect(),
            ignore_missing_value_files: reader.truth("ignoreMissingValueFiles"),
            values: if values_object.is_some() { String::new() } else { values },
            values_object,
            parameters: reader.maps("parameters", |reader| HelmParameter {
                name: reader.text("name"),
                value: reader.text("value"),
                force_string: reader.truth("forceString"),
            }),
            file_parameters: reader.maps("fileParameters", |reader| HelmFileParameter {
                name: reader.text("name"),
                path: reader.text("path"),
            }),
            skip_crds: reader.truth("skipCrds"),
            skip_tests: reader.truth("skipTests"),
            skip_schema_validation: reader.truth("skipSchemaValidation"),
            pass_credentials: reader.truth("passCredentials"),
            namespace: reader.text("namespace"),
            kube_version: reader.text("kubeVersion"),
            api_versions: reader.texts("apiVersions"),
            version: reader.text("version"),
        }
    }
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
