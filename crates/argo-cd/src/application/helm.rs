//! Options of Helm.

use serde_json::Value;

use crate::read::{Reader, shape};

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
    /// What a text names.
    pub fn read(written: &str) -> Self {
        let other = written.strip_prefix('$').and_then(|rest| rest.split_once('/'));
        match other {
            Some((reference, path)) => ValueFile::Of {
                reference: reference.to_owned(),
                path: path.to_owned(),
            },
            None => ValueFile::of_no_other(written.to_owned()),
        }
    }

    fn of_no_other(written: String) -> Self {
        let is_scheme =
            |scheme: &str| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        match written.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) {
            true => ValueFile::Remote(written),
            false => ValueFile::Own(written),
        }
    }

    /// The same with its variables expanded. What is named as the ref of a source and is none, by `is_reference`, may be a variable itself.
    ///
    /// # Errors
    ///
    /// What `expand` says.
    pub fn expanded<E>(
        &self,
        is_reference: impl Fn(&str) -> bool,
        mut expand: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<Self, E> {
        Ok(match self {
            ValueFile::Of { reference, path } if is_reference(reference) => ValueFile::Of {
                reference: reference.clone(),
                path: expand(path)?,
            },
            ValueFile::Of { reference, path } => ValueFile::of_no_other(expand(&format!("${reference}/{path}"))?),
            ValueFile::Own(text) | ValueFile::Remote(text) => ValueFile::of_no_other(expand(text)?),
        })
    }

    /// Whether it stands for all files that match; only of files in repositories (`isGlobPath`).
    pub fn is_glob(&self) -> bool {
        match self {
            ValueFile::Own(path) | ValueFile::Of { path, .. } => path.contains(['*', '?', '[']),
            ValueFile::Remote(_) => false,
        }
    }

    /// Where it is, from the root of its repository; for a glob, what paths are compared with. `folder` is that of the source.
    pub fn path(&self, folder: &str) -> Option<String> {
        let path = match self {
            ValueFile::Own(path) if path.starts_with('/') => path.trim_start_matches('/').to_owned(),
            ValueFile::Own(path) => format!("{folder}/{path}"),
            ValueFile::Of { path, .. } => path.clone(),
            ValueFile::Remote(_) => return None,
        };
        // Nothing lies above the root.
        let path = crate::paths::clean(&format!("/{path}"));
        Some(path.trim_start_matches('/').to_owned())
    }

    /// The files of a glob among those of a repository, in the order of their names, with `**` for any number of folders. `folder` is that of
    /// the source. For what is no glob, the one path that it means. An answer may be a file that is not there.
    pub fn paths<'f>(&self, folder: &str, files: impl IntoIterator<Item = &'f str>) -> Vec<String> {
        let Some(path) = self.path(folder) else {
            return Vec::new();
        };
        if !self.is_glob() {
            return vec![path];
        }
        let Some(glob) = crate::glob::Glob::doublestar(&path) else {
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

impl Helm {
    pub(super) fn read(reader: &mut Reader) -> Self {
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
