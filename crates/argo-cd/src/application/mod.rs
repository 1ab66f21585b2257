//! Applications (`pkg/apis/application/v1alpha1/types.go`, `util/argo/argo.go`).

mod helm;
mod kind;
mod source;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use helm::{Helm, HelmFileParameter, HelmParameter, ValueFile};
pub use kind::{SourceKind, chosen_files, overridden, override_files, source_kind};
pub use source::{Directory, Jsonnet, JsonnetVariable, Kustomize, KustomizeReplicas, Plugin, Source};

use crate::error::Error;
use crate::read::Reader;
use crate::sync::AppOptions;

/// How Argo CD calls the cluster it runs in.
const IN_CLUSTER: (&str, &str) = ("in-cluster", "https://kubernetes.default.svc");

/// An Application.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its own namespace.
    pub namespace: String,
    /// Its project; `default` where it names none.
    pub project: String,
    /// Its sources, at least one but with [`Application::hydrated`].
    pub sources: Vec<Source>,
    /// Whether it has a `sourceHydrator`, of which nothing is worked out here.
    pub hydrated: bool,
    /// Where its objects go.
    pub destination: Place,
    /// Whether it is synced without being asked, and how.
    pub automated: Option<Automated>,
    /// The options of its syncs.
    pub options: AppOptions,
    /// Labels and annotations of the Namespace of its destination, where they are managed.
    pub namespace_metadata: Option<NamespaceMetadata>,
    /// Fields that are not compared.
    pub ignore_differences: Vec<IgnoreDifferences>,
    /// What is told to people: names and values.
    pub info: Vec<(String, String)>,
}

/// `spec.destination`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Address of the API server; empty where the cluster is named.
    pub server: String,
    /// Name of the cluster; empty where the address is given.
    pub name: String,
    /// Namespace of objects that name none.
    pub namespace: String,
}

/// A cluster that Argo CD knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Address of its API server.
    pub server: String,
    /// The project that it is set down for, if any.
    pub project: Option<String>,
}

impl Cluster {
    /// The cluster that Argo CD runs in.
    pub fn own() -> Self {
        Cluster {
            name: IN_CLUSTER.0.to_owned(),
            server: IN_CLUSTER.1.to_owned(),
            project: None,
        }
    }
}

/// `spec.syncPolicy.automated`, where it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Automated {
    /// Objects that are no longer declared are deleted.
    pub prune: bool,
    /// What is changed in the cluster is changed back.
    pub self_heal: bool,
    /// Everything may be pruned.
    pub allow_empty: bool,
}

/// `spec.syncPolicy.managedNamespaceMetadata`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamespaceMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// An item of `spec.ignoreDifferences`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IgnoreDifferences {
    /// API group; `*` for all.
    pub group: String,
    /// Kind; `*` for all.
    pub kind: String,
    /// Name; empty for all.
    pub name: String,
    /// Namespace; empty for all.
    pub namespace: String,
    /// Fields by RFC 6901.
    pub json_pointers: Vec<String>,
    /// Fields by jq.
    pub jq_path_expressions: Vec<String>,
    /// Fields by their managers.
    pub managed_fields_managers: Vec<String>,
}

impl Application {
    /// Reads an Application.
    ///
    /// ```
    /// use argo_cd::application::Application;
    /// let app = Application::read(&serde_json::json!({
    ///     "metadata": {"name": "shop", "namespace": "argocd"},
    ///     "spec": {"source": {"repoURL": "https://example.com/a.git", "path": "shop"}, "destination": {"name": "in-cluster"}},
    /// })).expect("it is well formed");
    /// assert!(app.destination.is_own() && app.project == "default");
    /// ```
    ///
    /// # Errors
    ///
    /// All fields that are of the wrong type, and what Argo CD calls an invalid spec (`ValidatePermissions`).
    pub fn read(object: &Value) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let mut root = Reader::root(object, &mut errors);
        let (name, namespace) = {
            let mut metadata = root.child("metadata");
            (metadata.text("name"), metadata.text("namespace"))
        };
        let mut spec = root.child("spec");
        let mut app = Application {
            name,
            namespace,
            project: Some(spec.text("project"))
                .filter(|project| !project.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
            hydrated: spec.has("sourceHydrator"),
            destination: Place::read(&mut spec.child("destination")),
            ignore_differences: spec.maps("ignoreDifferences", IgnoreDifferences::read),
            info: spec.maps("info", |info| (info.text("name"), info.text("value"))),
            ..Application::default()
        };
        app.read_policy(&mut spec.child("syncPolicy"));
        app.read_sources(&mut spec);
        match errors.is_empty() {
            true => Ok(app),
            false => Err(errors),
        }
    }

    fn read_policy(&mut self, policy: &mut Reader) {
        let options = policy.texts("syncOptions");
        self.options = AppOptions::read(options.iter().map(String::as_str));
        if policy.has("automated") {
            let mut automated = policy.child("automated");
            let on = automated.maybe_truth("enabled") != Some(false);
            let read = Automated {
                prune: automated.truth("prune"),
                self_heal: automated.truth("selfHeal"),
                allow_empty: automated.truth("allowEmpty"),
            };
            self.automated = on.then_some(read);
        }
        if policy.has("managedNamespaceMetadata") {
            let mut metadata = policy.child("managedNamespaceMetadata");
            self.namespace_metadata = Some(NamespaceMetadata {
                labels: metadata.text_map("labels"),
                annotations: metadata.text_map("annotations"),
            });
        }
    }

    /// `sources` come before `source` (`HasMultipleSources`).
    fn read_sources(&mut self, spec: &mut Reader) {
        if self.hydrated {
            return;
        }
        self.sources = spec.maps("sources", Source::read);
        let several = !self.sources.is_empty();
        if !several && spec.has("source") {
            self.sources = vec![Source::read(&mut spec.child("source"))];
        }
        if self.sources.is_empty() {
            return spec.error("source", "is missing, and so is sources");
        }
        for source in &self.sources {
            let field = source.field.strip_prefix("spec.").unwrap_or(&source.field);
            let none = source.path.is_empty() && source.chart.is_empty() && (!several || source.reference.is_empty());
            if source.repo_url.is_empty() {
                spec.error(&format!("{field}.repoURL"), "is missing");
            } else if none {
                spec.error(
                    &format!("{field}.path"),
                    format!("is missing, and so is chart{}", if several { " and ref" } else { "" }),
                );
            } else if !source.chart.is_empty() && source.target_revision.is_empty() {
                spec.error(
                    &format!("{field}.targetRevision"),
                    "is missing: a chart needs a version",
                );
            }
        }
        let mut seen: Vec<&str> = Vec::new();
        for source in self.sources.iter().filter(|source| !source.reference.is_empty()) {
            let field = source.field.strip_prefix("spec.").unwrap_or(&source.field);
            let letters = source
                .reference
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            if !letters {
                spec.error(&format!("{field}.ref"), "may have letters, digits, - and _ only");
            } else if seen.contains(&source.reference.as_str()) {
                spec.error(
                    &format!("{field}.ref"),
                    format!("{:?} is the ref of another source too", source.reference),
                );
            }
            seen.push(&source.reference);
        }
    }

    /// The Namespace that a sync makes first, in the phase PreSync, where the option `CreateNamespace` asks for it and `objects` do not hold
    /// it (`gitops-engine/pkg/sync/sync_context.go`, `controller/sync_namespace.go`). Where its metadata is managed the Namespace is applied
    /// by the server even if it is there; otherwise it is only made. It carries no tracking id.
    pub fn created_namespace(&self, objects: &[Value]) -> Option<Value> {
        let name = &self.destination.namespace;
        let there = objects.iter().any(|object| {
            crate::object::kind(object) == "Namespace"
                && crate::object::group(object).is_empty()
                && crate::object::name(object) == name
        });
        if !self.options.create_namespace || name.is_empty() || there {
            return None;
        }
        let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        if let Some(metadata) = &self.namespace_metadata {
            let mut annotations = metadata.annotations.clone();
            annotations.insert(
                "argocd.argoproj.io/sync-options".to_owned(),
                "ServerSideApply=true".to_owned(),
            );
            if !metadata.labels.is_empty() {
                namespace["metadata"]["labels"] = json!(metadata.labels);
            }
            namespace["metadata"]["annotations"] = json!(annotations);
        }
        Some(namespace)
    }
}

impl Place {
    fn read(reader: &mut Reader) -> Self {
        let place = Place {
            server: reader.text("server"),
            name: reader.text("name"),
            namespace: reader.text("namespace"),
        };
        match (place.server.is_empty(), place.name.is_empty()) {
            (true, true) => reader.error("server", "is missing, and so is name"),
            (false, false) => reader.error("name", "cannot be given beside server"),
            _ => {}
        }
        place
    }

    /// Whether it is the cluster that Argo CD runs in, as far as its name or address tells (`pkg/apis/application/v1alpha1/cluster_constants.go`;
    /// slashes at the end do not count, `util/argo/argo.go`).
    pub fn is_own(&self) -> bool {
        match self.server.is_empty() {
            true => self.name == IN_CLUSTER.0,
            false => self.server.trim_end_matches('/') == IN_CLUSTER.1,
        }
    }

    /// The cluster of some that it means; `None` where none has its name or address. The own cluster is known even if it is not among them.
    /// Of several with its address the first is as good as any (`util/argo/argo.go`, `GetDestinationServer`; `util/db/cluster.go`).
    ///
    /// # Errors
    ///
    /// Where several have its name.
    pub fn cluster(&self, clusters: &[Cluster]) -> Result<Option<Cluster>, Error> {
        let server = self.server.trim_end_matches('/');
        let is_it = |cluster: &&Cluster| match server.is_empty() {
            true => cluster.name == self.name,
            false => cluster.server.trim_end_matches('/') == server,
        };
        let found: Vec<&Cluster> = clusters.iter().filter(is_it).collect();
        match found.as_slice() {
            [first, _, ..] if server.is_empty() => {
                let message = format!("{} clusters have the name {}", found.len(), first.name);
                Err(Error::new("spec.destination.name", message))
            }
            [first, ..] => Ok(Some((*first).clone())),
            [] => Ok(self.is_own().then(Cluster::own)),
        }
    }
}

impl IgnoreDifferences {
    fn read(reader: &mut Reader) -> Self {
        IgnoreDifferences {
            group: reader.text("group"),
            kind: reader.text("kind"),
            name: reader.text("name"),
            namespace: reader.text("namespace"),
            json_pointers: reader.texts("jsonPointers"),
            jq_path_expressions: reader.texts("jqPathExpressions"),
            managed_fields_managers: reader.texts("managedFieldsManagers"),
        }
    }
}

#[cfg(test)]
mod tests;
