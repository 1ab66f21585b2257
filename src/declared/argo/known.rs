//! What is known beside Applications and that they need: projects, settings, Secrets of clusters and repositories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use argo_cd::application::{Cluster, Place as Destination};
use argo_cd::appset;
use argo_cd::project::Project;
use argo_cd::tracking::{Tracking, instance_name};
use serde_json::{Map, Value};

use super::build_options::{self, BuildOptions};
use super::{App, ClusterParams, GROUP, Lack, NAMESPACE, give_clusters};
use crate::declared::Options;
use crate::error::printable;
use crate::object::{ObjectId, Place, Problem, api_group};

/// Kind of projects.
const PROJECT: &str = "AppProject";
/// The project that every installation has.
const DEFAULT_PROJECT: &str = "default";
/// The ConfigMap with the settings.
const CONFIG: &str = "argocd-cm";

/// What is declared beside Applications and that they need.
#[derive(Debug, Default)]
pub(in crate::declared) struct Known {
    projects: BTreeMap<String, Arc<Value>>,
    /// Secrets of clusters and repositories.
    pub(super) secrets: Vec<Value>,
    /// Clusters that the operator names, as Secrets without a namespace.
    clusters: Vec<Value>,
    /// Secrets of clusters that the target has, by the namespaces that were asked.
    live: BTreeMap<String, Vec<Value>>,
    /// Namespaces that are to be asked for them.
    wanted: BTreeSet<String>,
    /// `argocd-cm`, and where it is.
    config: Option<(String, Map<String, Value>)>,
    /// Where there is one.
    homes: BTreeSet<String>,
    /// Settings and projects that the operator gives or the target has; `None`: it does not have it.
    given: BTreeMap<ObjectId, Option<Value>>,
    /// Those that are needed, with where that was first said.
    wanted_objects: BTreeMap<ObjectId, Place>,
    /// Applications of rolling syncs, with those of the steps before.
    pub(super) after: BTreeMap<ObjectId, Vec<ObjectId>>,
}

impl Known {
    /// With what the operator gives or the target has: clusters, Secrets of clusters and repositories, settings, projects.
    pub fn new(options: &Options) -> Self {
        let is_given = |id: &ObjectId| id.is(GROUP, PROJECT) || id.is("", "ConfigMap") && id.name == CONFIG;
        let given = options.inputs.iter().filter(|(id, _)| is_given(id));
        let mut known = Self {
            clusters: options.clusters.iter().map(ClusterParams::secret).collect(),
            live: options.live_clusters.clone(),
            given: given.map(|(id, value)| (id.clone(), value.clone())).collect(),
            ..Self::default()
        };
        for (id, value) in options
            .inputs
            .iter()
            .filter_map(|(id, value)| Some((id, value.as_ref()?)))
        {
            // The others are only used where nobody declares them.
            if id.kind == "Secret" {
                known.note(value, id.namespace.as_deref().unwrap_or_default());
            }
        }
        known
    }

    /// All Secrets, those of clusters that are named as if they lay in this namespace. One that is declared goes before one of its name,
    /// and either before what the target has.
    pub(super) fn secrets_in(&self, namespace: &str) -> Vec<Value> {
        let mut all = self.clusters.clone();
        for secret in &mut all {
            secret["metadata"]["namespace"] = namespace.into();
        }
        let name = |secret: &Value| {
            appset::clusters(std::slice::from_ref(secret))
                .pop()
                .map(|cluster| cluster.name)
        };
        let declared: BTreeSet<String> = self.secrets.iter().filter_map(name).collect();
        all.retain(|secret| name(secret).is_none_or(|name| !declared.contains(&name)));
        all.extend(self.secrets.iter().cloned());
        let names: BTreeSet<String> = all.iter().filter_map(name).collect();
        let is_new = |live: &&Value| {
            let is_own = |other: &Value| other["metadata"]["name"] == live["metadata"]["name"];
            !all.iter().any(is_own) && name(live).is_none_or(|name| !names.contains(&name))
        };
        let live: Vec<Value> = self.live.values().flatten().filter(is_new).cloned().collect();
        all.extend(live);
        all
    }

    /// Takes note that Secrets of clusters in a namespace are needed, unless they are known.
    pub(super) fn want(&mut self, namespace: &str) {
        if !self.live.contains_key(namespace) {
            self.wanted.insert(namespace.to_owned());
        }
    }

    /// Takes note that a project is needed by what is declared at a place.
    pub(super) fn want_project(&mut self, name: &str, by: &Place) {
        let id = self.project_id(name);
        self.wanted_objects.entry(id).or_insert_with(|| by.clone());
    }

    /// Takes note that an Application or ApplicationSet in a namespace is acted on: the settings of the Argo CD that does may be there.
    pub(super) fn want_settings(&mut self, namespace: &str, by: &Place) {
        for namespace in [NAMESPACE, namespace] {
            let id = ObjectId::new("", "ConfigMap", Some(namespace), CONFIG);
            self.wanted_objects.entry(id).or_insert_with(|| by.clone());
        }
    }

    /// Namespaces that are to be asked for Secrets of clusters, and objects that the target is to be asked for.
    pub fn into_wanted(self) -> (Vec<String>, Vec<ObjectId>) {
        let is_unknown = |id: &ObjectId| match &*id.kind {
            PROJECT => !self.projects.contains_key(&*id.name) && !self.given.contains_key(id),
            _ => self.config.is_none() && !self.given.contains_key(id),
        };
        let objects = self
            .wanted_objects
            .keys()
            .filter(|id| is_unknown(id))
            .cloned()
            .collect();
        (self.wanted.into_iter().collect(), objects)
    }

    /// Settings and projects that nobody declares and that count all the same.
    pub fn remarks(&self) -> Vec<Problem> {
        let counts = |id: &ObjectId| match &*id.kind {
            PROJECT => !self.projects.contains_key(&*id.name),
            _ => self.config.is_none() && Some(self.namespace()) == id.namespace.as_deref(),
        };
        let is_there = |id: &ObjectId| self.given.get(id).is_some_and(Option::is_some);
        let told = self.wanted_objects.iter().filter(|(id, _)| is_there(id) && counts(id));
        let message = "nobody declares it: what was given, or is in the cluster, says how Applications are restored";
        let mut remarks: Vec<Problem> = told
            .map(|(id, by)| Problem::note(by.clone(), message).of(id.clone()))
            .collect();
        let settings = ObjectId::new("", "ConfigMap", Some(self.namespace()), CONFIG);
        // Where no Application is, nothing goes by them.
        let by = self.wanted_objects.first_key_value().map(|(_, by)| by.clone());
        let wrong = self.settings().and_then(|(_, data)| Tracking::from_config(data).1);
        remarks.extend(
            wrong
                .zip(by)
                .map(|(wrong, by)| Problem::warning(by, printable(&wrong.to_string())).of(settings)),
        );
        remarks
    }

    /// The settings, with the namespace that they are in.
    fn settings(&self) -> Option<(&str, &Map<String, Value>)> {
        let declared = self.config.as_ref().map(|(namespace, data)| (&**namespace, data));
        declared.or_else(|| {
            // The usual place first.
            let all = self.given.iter().filter(|(id, _)| id.kind == "ConfigMap");
            let all =
                all.filter_map(|(id, value)| Some((id.namespace.as_deref()?, value.as_ref()?["data"].as_object()?)));
            let mut all: Vec<(&str, &Map<String, Value>)> = all.collect();
            all.sort_by_key(|(namespace, _)| *namespace != NAMESPACE);
            all.first().copied()
        })
    }

    /// What stands for a project in the cluster.
    pub(super) fn project_id(&self, name: &str) -> ObjectId {
        ObjectId::new(GROUP, PROJECT, Some(self.namespace()), name)
    }

    /// A project by its name. One that is called `default` and that nobody has permits all, as Argo CD makes it
    /// (`controller`, `docs/user-guide/projects.md`).
    pub(super) fn project(&self, name: &str) -> Option<Result<Project, Vec<argo_cd::Error>>> {
        let given = || self.given.get(&self.project_id(name)).and_then(Option::as_ref);
        match self.projects.get(name).map(|project| &**project).or_else(given) {
            Some(project) => Some(Project::read(project)),
            None => (name == DEFAULT_PROJECT).then(|| Ok(Project::default_project())),
        }
    }

    /// The namespace of the Argo CD that acts on what lies in a namespace: that one, unless its settings are declared elsewhere only.
    pub(super) fn home_of(&self, namespace: &str) -> String {
        let mut homes = self.homes.iter();
        match (homes.next(), homes.next()) {
            (Some(only), None) => only.clone(),
            (None, _) => self.settings().map_or(namespace, |(home, _)| home).to_owned(),
            _ => namespace.to_owned(),
        }
    }

    /// Takes note of an object. `namespace` is that of objects that name none.
    pub fn note(&mut self, value: &Value, namespace: &str) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let name = text("/metadata/name");
        let group = api_group(text("/apiVersion"));
        match (group, text("/kind")) {
            (GROUP, PROJECT) => _ = self.projects.insert(name.to_owned(), Arc::new(value.clone())),
            ("", "Secret") if !text("/metadata/labels/argocd.argoproj.io~1secret-type").is_empty() => {
                let mut value = value.clone();
                if text("/metadata/namespace").is_empty() {
                    value["metadata"]["namespace"] = namespace.into();
                }
                // What is declared goes before what was given.
                self.secrets
                    .retain(|other| other["metadata"]["name"] != value["metadata"]["name"]);
                self.secrets.push(value);
            }
            ("", "ConfigMap") if name == CONFIG => {
                let own = Some(text("/metadata/namespace")).filter(|own| !own.is_empty());
                let data = value["data"].as_object().cloned().unwrap_or_default();
                let home = own.unwrap_or(namespace).to_owned();
                self.homes.insert(home.clone());
                self.config = Some((home, data));
            }
            _ => {}
        }
    }

    pub(super) fn namespace(&self) -> &str {
        self.settings().map_or(NAMESPACE, |(namespace, _)| namespace)
    }

    /// The cluster that an Application is for; `None` where nothing that is known tells. Secrets beside its own Argo CD go before others.
    pub(super) fn cluster_of(&self, app: &App, destination: &Destination) -> Result<Option<Cluster>, argo_cd::Error> {
        let home = self.home_of(app.id.namespace.as_deref().unwrap_or_default());
        let is_near = |secret: &Value| secret["metadata"]["namespace"] == *home;
        let (near, far): (Vec<Value>, Vec<Value>) = self.secrets_in(&home).into_iter().partition(is_near);
        match destination.cluster(&appset::clusters(&near))? {
            Some(cluster) => Ok(Some(cluster)),
            None => destination.cluster(&appset::clusters(&far)),
        }
    }

    /// Why nothing comes of what is for a cluster by a name that nobody knows (`util/argo/argo.go`, `GetDestinationServer`).
    pub(super) fn unknown_cluster(&mut self, app: &App, name: &str) -> Lack {
        let home = self.home_of(app.id.namespace.as_deref().unwrap_or_default());
        let asked = match self.live.contains_key(&home) {
            true => "its Secret is neither declared nor in the target",
            false => "its Secret is not declared, and no target was asked for it",
        };
        self.want(&home);
        let why = format!(
            "no cluster of the name {} is known: {asked}; it may be this one",
            printable(name)
        );
        Lack::Never(why, Some(give_clusters(&home)))
    }

    /// What kustomizations are built with; nothing where there are no settings so far.
    pub(super) fn kustomize_options(&self) -> Option<BuildOptions> {
        let (_, data) = self.settings()?;
        let text = data.get(build_options::KEY).and_then(Value::as_str);
        Some(BuildOptions::read(text.unwrap_or_default()))
    }

    /// How objects are marked as an Application's.
    pub fn tracking(&self) -> Tracking {
        let none = Map::new();
        Tracking::from_config(self.settings().map_or(&none, |(_, data)| data)).0
    }

    /// The Application's name in marks.
    pub fn instance(&self, app: &App) -> String {
        let namespace = app.id.namespace.as_deref().unwrap_or_default();
        instance_name(&app.id.name, namespace, self.namespace())
    }
}
