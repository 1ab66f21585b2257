//! Argo CD: what it would make of Applications and ApplicationSets. The rules are those of the crate `argo-cd`.

mod clusters;
mod kustomization;
mod render;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use argo_cd::application::{Application, Cluster, Source};
use argo_cd::appset::{self, Generated, Repository, Surroundings};
use argo_cd::project::Project;
use argo_cd::sync::{ObjectOptions, Phase, order};
use argo_cd::tracking::{Tracking, instance_name};
use serde_json::{Map, Value};

pub use clusters::{CLUSTER_LABEL, ClusterParams, cluster_secret};
pub(super) use render::{Prepared, prepare};
pub(super) use sync::Sync;

use super::flux::{Root, SourceFound, Sources};
use crate::error::printable;
use crate::object::{EngineUnit, ObjectId, Place, Problem, ReadyWhen, Renderer, Turn, Unit, Writer};

/// API group of Argo CD.
const GROUP: &str = "argoproj.io";
/// Group and kind of Applications.
pub(super) const APPLICATION: (&str, &str) = (GROUP, "Application");
/// Group and kind of ApplicationSets.
pub(super) const APPLICATION_SET: (&str, &str) = (GROUP, "ApplicationSet");
/// Who writes the objects of Applications.
const MANAGER: &str = "argocd-controller";
/// Who writes the Applications of ApplicationSets.
const SET_MANAGER: &str = "argocd-applicationset-controller";
/// Where Argo CD is, where nothing declares its configuration.
const NAMESPACE: &str = "argocd";

/// An Application.
#[derive(Debug)]
pub(super) struct App {
    /// Which one.
    pub id: ObjectId,
    /// Where it is declared.
    pub place: Place,
    /// `spec`, as it stands.
    spec: Value,
    /// As it was read, or what is wrong with it.
    read: Result<Application, Vec<argo_cd::Error>>,
}

/// An ApplicationSet.
#[derive(Debug)]
pub(super) struct Set {
    /// Which one.
    pub id: ObjectId,
    /// Where it is declared.
    pub place: Place,
    value: Value,
}

/// What is declared beside Applications and that they need.
#[derive(Debug, Default)]
pub(super) struct Known {
    projects: BTreeMap<String, Arc<Value>>,
    /// Secrets of clusters and repositories.
    secrets: Vec<Value>,
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
}

impl Known {
    /// With clusters that the operator names or the target has, and Secrets of clusters and repositories that the operator gives.
    pub fn new(options: &super::Options) -> Self {
        let mut known = Self {
            clusters: options.clusters.iter().map(ClusterParams::secret).collect(),
            live: options.live_clusters.clone(),
            ..Self::default()
        };
        for (id, value) in options
            .inputs
            .iter()
            .filter_map(|(id, value)| Some((id, value.as_ref()?)))
        {
            // A project or a configuration is declared or not: only Secrets are given.
            if id.kind == "Secret" {
                known.note(value, id.namespace.as_deref().unwrap_or_default());
            }
        }
        known
    }

    /// All Secrets, those of clusters that are named as if they lay in this namespace. One that is declared goes before one of its name,
    /// and either before what the target has.
    fn secrets_in(&self, namespace: &str) -> Vec<Value> {
        let mut all = self.clusters.clone();
        for secret in &mut all {
            secret["metadata"]["namespace"] = namespace.into();
        }
        all.extend(self.secrets.iter().cloned());
        let names: BTreeSet<String> = appset::clusters(&all).into_iter().map(|cluster| cluster.name).collect();
        let is_new = |live: &&Value| {
            let cluster = appset::clusters(std::slice::from_ref(*live));
            let is_own = |other: &Value| other["metadata"]["name"] == live["metadata"]["name"];
            !all.iter().any(is_own) && cluster.iter().all(|cluster| !names.contains(&cluster.name))
        };
        let live: Vec<Value> = self.live.values().flatten().filter(is_new).cloned().collect();
        all.extend(live);
        all
    }

    /// Takes note that Secrets of clusters in a namespace are needed, unless they are known.
    fn want(&mut self, namespace: &str) {
        if !self.live.contains_key(namespace) {
            self.wanted.insert(namespace.to_owned());
        }
    }

    /// Namespaces that are to be asked for Secrets of clusters.
    pub fn into_wanted(self) -> Vec<String> {
        self.wanted.into_iter().collect()
    }

    /// The namespace of the Argo CD that acts on what lies in a namespace: that one, unless its settings are declared elsewhere only.
    fn home_of(&self, namespace: &str) -> String {
        let mut homes = self.homes.iter();
        match (homes.next(), homes.next()) {
            (Some(only), None) => only.clone(),
            _ => namespace.to_owned(),
        }
    }

    /// Takes note of an object. `namespace` is that of objects that name none.
    pub fn note(&mut self, value: &Value, namespace: &str) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let name = text("/metadata/name");
        let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
        match (group, text("/kind")) {
            (GROUP, "AppProject") => _ = self.projects.insert(name.to_owned(), Arc::new(value.clone())),
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
            ("", "ConfigMap") if name == "argocd-cm" => {
                let own = Some(text("/metadata/namespace")).filter(|own| !own.is_empty());
                let data = value["data"].as_object().cloned().unwrap_or_default();
                let home = own.unwrap_or(namespace).to_owned();
                self.homes.insert(home.clone());
                self.config = Some((home, data));
            }
            _ => {}
        }
    }

    fn namespace(&self) -> &str {
        self.config.as_ref().map_or(NAMESPACE, |(namespace, _)| namespace)
    }

    fn clusters(&self) -> Vec<Cluster> {
        appset::clusters(&self.secrets_in(NAMESPACE))
    }

    /// How objects are marked as an Application's.
    pub fn tracking(&self) -> Tracking {
        let none = Map::new();
        Tracking::from_config(self.config.as_ref().map_or(&none, |(_, data)| data)).0
    }

    /// The Application's name in marks.
    pub fn instance(&self, app: &App) -> String {
        let namespace = app.id.namespace.as_deref().unwrap_or_default();
        instance_name(&app.id.name, namespace, self.namespace())
    }
}

/// Why nothing of a unit comes now.
pub(super) enum Lack {
    /// More may be declared.
    Yet,
    /// It is for another cluster.
    Elsewhere(String),
    /// Why, and what helps.
    Never(String, Option<String>),
}

impl App {
    /// Reads one; `namespace` is that of objects that name none.
    pub fn read(value: &Value, place: Place, namespace: &str) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").unwrap_or(namespace);
        let name = text("/metadata/name").unwrap_or_default();
        Self {
            id: ObjectId::new(GROUP, "Application", Some(namespace), name),
            place,
            spec: value.get("spec").cloned().unwrap_or_default(),
            read: Application::read(value),
        }
    }

    /// A problem that keeps all of it from being restored.
    pub fn nothing(&self, why: &str) -> Problem {
        let message = format!("nothing of this Application is restored: {why}");
        Problem::error(self.place.clone(), message).of(self.id.clone())
    }

    /// The unit that it is.
    pub fn unit(&self, path: &str) -> Unit {
        Unit {
            name: self.id.to_string(),
            path: path.to_owned(),
            renderer: Renderer::Plain,
            engine: Some(EngineUnit {
                object: self.id.clone(),
                after: Vec::new(),
                ready: ReadyWhen::Healthy,
                checks: Vec::new(),
            }),
            record: None,
        }
    }

    /// Namespace of objects that name none.
    pub fn namespace(&self) -> &str {
        self.read.as_ref().map_or("", |app| &*app.destination.namespace)
    }

    /// What keeps it from this cluster, if anything: what it says wrong, where it aims, what its project forbids.
    fn checked<'a>(&'a self, known: &mut Known, last: bool) -> Result<&'a Application, Lack> {
        let never = |errors: &[argo_cd::Error]| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Lack::Never(printable(&all.join("; ")), None)
        };
        let app = self.read.as_ref().map_err(|errors| never(errors))?;
        if app.hydrated {
            let why = "its sourceHydrator is not worked out";
            return Err(Lack::Never(
                why.to_owned(),
                Some("its engine does it once Argo CD is there".to_owned()),
            ));
        }
        let cluster = match app.destination.cluster(&known.clusters()) {
            Some(cluster) => cluster,
            None if !last => return Err(Lack::Yet),
            None => {
                // By an address everything is known.
                if !app.destination.name.is_empty() {
                    let home = known.namespace().to_owned();
                    known.want(&home);
                }
                Cluster::default()
            }
        };
        if cluster.server.trim_end_matches('/') != Cluster::own().server {
            let name = if app.destination.name.is_empty() {
                &app.destination.server
            } else {
                &app.destination.name
            };
            return Err(Lack::Elsewhere(format!(
                "it is for another cluster ({})",
                printable(name)
            )));
        }
        let project = match known.projects.get(&app.project) {
            Some(project) => Project::read(project).map_err(|errors| never(&errors))?,
            None if app.project == "default" => Project::default_project(),
            None if !last => return Err(Lack::Yet),
            None => {
                let why = format!("nothing declares its project {}", printable(&app.project));
                return Err(Lack::Never(why, None));
            }
        };
        match project.violations(app, &cluster, known.namespace()) {
            violations if violations.is_empty() => Ok(app),
            violations => Err(never(&violations)),
        }
    }

    /// Who writes an object of it: `kubectl apply` and what comes from it on the client's side, unless somebody wants it otherwise. What
    /// is to be replaced carries no copy of itself either: it may be too large for one.
    pub fn writer(&self, object: &Value) -> Writer {
        let options = self.read.as_ref().map(|app| app.options.clone()).unwrap_or_default();
        let own = ObjectOptions::of(object);
        match own.applied_by_server(&options) || own.replaced(&options) {
            true => Writer::ServerSide(MANAGER.to_owned()),
            false => Writer::ClientSide(MANAGER.to_owned()),
        }
    }

    /// The Namespace that a sync would make first.
    pub fn creates_namespace(&self, objects: &[Value]) -> Option<Value> {
        self.read.as_ref().ok()?.created_namespace(objects)
    }
}

/// The turn of each object in a sync; `None` for what no sync applies.
pub(super) fn turns(objects: &[Value]) -> Vec<Option<Turn>> {
    let mut turns = vec![None; objects.len()];
    for step in order(objects) {
        let phase = match step.phase {
            Phase::PreSync => -1,
            Phase::Sync => 0,
            Phase::PostSync => 1,
            Phase::SyncFail => continue,
        };
        // Of several the first: it is there from then on.
        turns[step.object].get_or_insert(Turn { phase, wave: step.wave });
    }
    turns
}

impl Set {
    /// Reads one.
    pub fn read(value: &Value, place: Place, namespace: &str) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").unwrap_or(namespace);
        let name = text("/metadata/name").unwrap_or_default();
        Self {
            id: ObjectId::new(GROUP, "ApplicationSet", Some(namespace), name),
            place,
            value: value.clone(),
        }
    }

    /// A problem that keeps its Applications from being restored.
    pub fn nothing(&self, why: &str) -> Problem {
        let message = format!("no Application of this ApplicationSet is restored: {why}");
        Problem::error(self.place.clone(), message).of(self.id.clone())
    }

    /// The unit that it is, and who writes its Applications.
    pub fn unit(&self) -> (Unit, Writer) {
        let unit = Unit {
            name: self.id.to_string(),
            path: String::new(),
            renderer: Renderer::Plain,
            engine: Some(EngineUnit {
                object: self.id.clone(),
                after: Vec::new(),
                ready: ReadyWhen::Applied,
                checks: Vec::new(),
            }),
            record: None,
        };
        (unit, Writer::ServerSide(SET_MANAGER.to_owned()))
    }

    /// Its Applications, in the order of its generators, and what needs more than the repository. Clusters may be declared later.
    pub fn generate(
        &self,
        known: &mut Known,
        sources: &Sources<'_>,
        last: bool,
    ) -> Result<(Vec<Value>, Vec<Problem>), Lack> {
        let asks_for_clusters = self.value["spec"]["generators"].to_string().contains("\"clusters\"");
        if asks_for_clusters && !last {
            return Err(Lack::Yet);
        }
        let argo_namespace = &known.home_of(self.id.namespace.as_deref().unwrap_or_default());
        if asks_for_clusters {
            known.want(argo_namespace);
        }
        let files = |repository: &Repository| root_of(sources, repository).and_then(|root| render::walk(&root, ""));
        let read = |repository: &Repository, path: &str| {
            let root = root_of(sources, repository)?;
            let text = root.files.read(path).map_err(|why| why.to_string())?;
            Ok(text.to_vec())
        };
        let surroundings = Surroundings {
            secrets: &known.secrets_in(argo_namespace),
            argo_namespace,
            files: &files,
            read: &read,
            new_globbing: false,
            hidden_folders: false,
        };
        let Generated { made, errors, outside } = appset::generate(&self.value, &surroundings);
        if !errors.is_empty() {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            return Err(Lack::Never(printable(&all.join("; ")), None));
        }
        let remark = |error: &argo_cd::Error| {
            let message = format!(
                "this needs what is outside of the repository: {}",
                printable(&error.to_string())
            );
            Problem::warning(self.place.clone(), message).of(self.id.clone())
        };
        let namespace = self.id.namespace.clone().unwrap_or_default();
        let applications = made.into_iter().map(|made| {
            let mut application = made.application;
            application["apiVersion"] = "argoproj.io/v1alpha1".into();
            application["kind"] = "Application".into();
            application["metadata"]["namespace"] = (&*namespace).into();
            application
        });
        Ok((applications.collect(), outside.iter().map(remark).collect()))
    }
}

/// The files of a Git repository.
fn root_of<'t>(sources: &Sources<'t>, repository: &Repository) -> Result<Root<'t>, String> {
    match sources.at(&repository.url, &repository.revision, None) {
        SourceFound::Here(root) => Ok(root),
        SourceFound::Refused { why, .. } => Err(why),
        SourceFound::Undeclared => Err("it is not known".to_owned()),
    }
}

/// The files of a source. A repository that knows no address of its own may be any: the path decides.
fn root_of_source<'t>(sources: &Sources<'t>, app: &App, source: &Source) -> Result<Root<'t>, Lack> {
    let key = (
        app.id.namespace.clone().unwrap_or_default().to_string(),
        app.id.name.to_string(),
    );
    match sources.at(&source.repo_url, &source.target_revision, Some(&key)) {
        SourceFound::Here(root) => Ok(root),
        SourceFound::Refused { why, hint } => Err(Lack::Never(why, Some(hint))),
        SourceFound::Undeclared => Err(Lack::Yet),
    }
}
