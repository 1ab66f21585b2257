//! What an AppProject permits (`pkg/apis/application/v1alpha1/app_project_types.go`, `util/argo/argo.go`).

use serde_json::Value;

use crate::application::{Application, Cluster};
use crate::error::Error;
use crate::glob::Glob;
use crate::object::{group, kind, name, namespace, text};
use crate::read::Reader;
use crate::template;
use crate::url::normalized_git_url;

/// An AppProject, as far as it permits things.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Globs of repositories, some with `!` before them.
    pub source_repos: Vec<String>,
    /// Where its Applications may go.
    pub destinations: Vec<Destination>,
    /// Namespaces other than Argo CD's own in which its Applications may be: globs, or regular expressions in slashes.
    pub source_namespaces: Vec<String>,
    /// Cluster-scoped kinds that are permitted. None are where none are named.
    pub cluster_whitelist: Vec<Kinds>,
    /// Cluster-scoped kinds that are not.
    pub cluster_blacklist: Vec<Kinds>,
    /// Namespaced kinds that are permitted; all of them where the field is not there.
    pub namespace_whitelist: Option<Vec<Kinds>>,
    /// Namespaced kinds that are not.
    pub namespace_blacklist: Vec<Kinds>,
    /// Whether only clusters that are set down for the project are permitted.
    pub only_project_clusters: bool,
}

/// A destination of a project; each part may be a glob, and begin with `!`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destination {
    /// Address of the API server.
    pub server: String,
    /// Name of the cluster.
    pub name: String,
    /// Namespace.
    pub namespace: String,
}

/// Kinds of a project: globs of Go's `path.Match`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kinds {
    /// API group; `*` for all.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name; empty for all. Of cluster-scoped kinds only.
    pub name: String,
}

fn deny(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('!')
}

fn fits(pattern: &str, text: &str, separator: Option<char>) -> bool {
    pattern == "*" || Glob::argo(pattern, separator).is_some_and(|glob| glob.matches(text))
}

/// A glob that `!` turns round (`globMatch`).
fn permits(pattern: &str, text: &str, separator: Option<char>) -> bool {
    match deny(pattern) {
        Some(pattern) => !Glob::argo(pattern, separator).is_some_and(|glob| glob.matches(text)),
        None => fits(pattern, text, separator),
    }
}

impl Project {
    /// The project that Argo CD makes when there is none of that name: everything is permitted
    /// (`server/project`, `docs/user-guide/projects.md`).
    pub fn default_project() -> Self {
        let all = || {
            vec![Kinds {
                group: "*".to_owned(),
                kind: "*".to_owned(),
                name: String::new(),
            }]
        };
        Project {
            name: "default".to_owned(),
            source_repos: vec!["*".to_owned()],
            destinations: vec![Destination {
                server: "*".to_owned(),
                name: String::new(),
                namespace: "*".to_owned(),
            }],
            cluster_whitelist: all(),
            ..Project::default()
        }
    }

    /// Reads an AppProject.
    ///
    /// # Errors
    ///
    /// All fields that are of the wrong type, and lists that Argo CD refuses (`ValidateProject`): `!*`, something given twice.
    pub fn read(object: &Value) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let mut root = Reader::root(object, &mut errors);
        let mut spec = root.child("spec");
        let destinations = spec.maps("destinations", |map| Destination {
            server: map.text("server"),
            name: map.text("name"),
            namespace: map.text("namespace"),
        });
        let kinds = |map: &mut Reader| Kinds {
            group: map.text("group"),
            kind: map.text("kind"),
            name: map.text("name"),
        };
        let project = Project {
            name: name(object).to_owned(),
            source_repos: spec.texts("sourceRepos"),
            destinations,
            source_namespaces: spec.texts("sourceNamespaces"),
            cluster_whitelist: spec.maps("clusterResourceWhitelist", kinds),
            cluster_blacklist: spec.maps("clusterResourceBlacklist", kinds),
            namespace_whitelist: spec
                .has("namespaceResourceWhitelist")
                .then(|| spec.maps("namespaceResourceWhitelist", kinds)),
            namespace_blacklist: spec.maps("namespaceResourceBlacklist", kinds),
            only_project_clusters: spec.truth("permitOnlyProjectScopedClusters"),
        };
        project.check(&mut errors);
        match errors.is_empty() {
            true => Ok(project),
            false => Err(errors),
        }
    }

    fn check(&self, errors: &mut Vec<Error>) {
        let mut twice = |field: &str, items: Vec<String>| {
            for (at, item) in items.iter().enumerate() {
                if items[..at].contains(item) {
                    errors.push(Error::new(
                        format!("spec.{field}[{at}]"),
                        format!("{item:?} is given twice"),
                    ));
                }
                if item.split('\0').any(|part| part == "!*") {
                    errors.push(Error::new(format!("spec.{field}[{at}]"), "\"!*\" permits nothing"));
                }
            }
        };
        twice("sourceRepos", self.source_repos.clone());
        twice("sourceNamespaces", self.source_namespaces.clone());
        let key = |destination: &Destination| {
            let server = if destination.server.is_empty() {
                &destination.name
            } else {
                &destination.server
            };
            format!("{server}\0{}", destination.namespace)
        };
        twice("destinations", self.destinations.iter().map(key).collect());
    }

    /// Whether a repository may be a source (`IsSourcePermitted`).
    pub fn permits_source(&self, repo: &str) -> bool {
        let repo = normalized_git_url(repo);
        let mut any = false;
        for pattern in &self.source_repos {
            let pattern = match deny(pattern) {
                Some(pattern) => format!("!{}", normalized_git_url(pattern)),
                None => normalized_git_url(pattern),
            };
            match permits(&pattern, &repo, Some('/')) {
                true => any = true,
                false if deny(&pattern).is_some() => return false,
                false => {}
            }
        }
        any
    }

    /// Whether a namespace of a cluster may be a destination (`IsDestinationPermitted`).
    pub fn permits_destination(&self, cluster: &Cluster, namespace: &str) -> bool {
        let mut any = false;
        for item in &self.destinations {
            let by_name = !cluster.name.is_empty() && permits(&item.name, &cluster.name, None);
            let by_server = !cluster.server.is_empty() && permits(&item.server, &cluster.server, None);
            let in_namespace = permits(&item.namespace, namespace, None);
            let denied = |pattern: &str| deny(pattern).is_some();
            if (by_server || by_name) && in_namespace {
                any = true;
            } else if (!by_name && denied(&item.name))
                || (!by_server && denied(&item.server) && in_namespace)
                || (!in_namespace && denied(&item.namespace) && by_server)
            {
                return false;
            }
        }
        any && (!self.only_project_clusters || cluster.project.as_deref() == Some(self.name.as_str()))
    }

    /// Whether Applications may be in a namespace (`IsAppNamespacePermitted`).
    pub fn permits_app_namespace(&self, namespace: &str, argo_namespace: &str) -> bool {
        namespace.is_empty()
            || namespace == argo_namespace
            || self.source_namespaces.iter().any(|pattern| {
                let regex = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
                regex.is_some_and(|regex| template::matches_regex(regex, namespace)) || fits(pattern, namespace, None)
            })
    }

    /// Whether an object of some kind may be applied (`IsGroupKindNamePermitted`).
    pub fn permits_object(&self, group: &str, kind: &str, name: &str, namespaced: bool) -> bool {
        let fits = |pattern: &str, text: &str| Glob::path(pattern).is_some_and(|glob| glob.matches(text));
        let listed = |kinds: &[Kinds]| {
            kinds.iter().any(|item| {
                let named = namespaced || item.name.is_empty() || fits(&item.name, name);
                fits(&item.kind, kind) && fits(&item.group, group) && named
            })
        };
        match namespaced {
            true => self.namespace_whitelist.as_deref().is_none_or(listed) && !listed(&self.namespace_blacklist),
            false => listed(&self.cluster_whitelist) && !listed(&self.cluster_blacklist),
        }
    }

    /// Everything that the project forbids of an Application, in words. `cluster` is that of its destination.
    pub fn violations(&self, app: &Application, cluster: &Cluster, argo_namespace: &str) -> Vec<Error> {
        let mut found = Vec::new();
        if !self.permits_app_namespace(&app.namespace, argo_namespace) {
            let message = format!(
                "the project {} permits no Applications in the namespace {}",
                self.name, app.namespace
            );
            found.push(Error::new("metadata.namespace", message));
        }
        for source in &app.sources {
            if !self.permits_source(&source.repo_url) {
                let message = format!(
                    "the project {} does not permit the repository {}",
                    self.name, source.repo_url
                );
                found.push(Error::new(format!("{}.repoURL", source.field), message));
            }
        }
        if !self.permits_destination(cluster, &app.destination.namespace) {
            let message = format!(
                "the project {} does not permit the namespace {:?} of the cluster {}",
                self.name,
                app.destination.namespace,
                if app.destination.name.is_empty() {
                    &cluster.server
                } else {
                    &cluster.name
                },
            );
            found.push(Error::new("spec.destination", message));
        }
        found
    }

    /// What the project forbids of an object that an Application declares: its kind, or its namespace (`IsResourcePermitted`).
    pub fn object_violation(&self, object: &Value, namespaced: bool, cluster: &Cluster) -> Option<Error> {
        let (group, kind) = (group(object), kind(object));
        let of_group = if group.is_empty() {
            String::new()
        } else {
            format!(" of {group}")
        };
        if !self.permits_object(group, kind, name(object), namespaced) {
            let message = format!(
                "the project {} does not permit a {kind}{of_group} {}",
                self.name,
                text(object, &["metadata", "name"])
            );
            return Some(Error::new("kind", message));
        }
        let namespace = namespace(object);
        if namespaced && !namespace.is_empty() && !self.permits_destination(cluster, namespace) {
            let message = format!("the project {} does not permit the namespace {namespace}", self.name);
            return Some(Error::new("metadata.namespace", message));
        }
        None
    }
}

#[cfg(test)]
mod tests;
