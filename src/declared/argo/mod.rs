//! Argo CD: what it would make of Applications and ApplicationSets. The rules are those of the crate `argo-cd`.

mod build_options;
mod clusters;
mod environment;
mod known;
mod kustomization;
mod render;
mod repositories;
mod sync;
mod values;

use std::collections::BTreeMap;

use argo_cd::application::{Application, Cluster, Source};
use argo_cd::appset::{self, Generated, Repository, Surroundings};
use argo_cd::sync::{ObjectOptions, Phase, order};
use serde_json::Value;

pub use clusters::{CLUSTER_LABEL, ClusterParams, cluster_secret};
pub(super) use known::Known;
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

/// How the operator tells of clusters.
fn give_clusters(home: &str) -> String {
    format!(
        "say which clusters there are with --cluster-params FILE, or give a cluster's Secret with --input Secret/{home}/NAME=FILE"
    )
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
        known.want_settings(self.id.namespace.as_deref().unwrap_or_default(), &self.place);
        known.want_project(&app.project, &self.place);
        let name = &app.destination.name;
        let cluster = match known.cluster_of(self, &app.destination) {
            Ok(Some(cluster)) => cluster,
            Ok(None) | Err(_) if !last => return Err(Lack::Yet),
            Ok(None) if !name.is_empty() => return Err(known.unknown_cluster(self, name)),
            // An address that nobody knows is not this cluster's.
            Ok(None) => Cluster::default(),
            Err(error) => return Err(never(&[error])),
        };
        if cluster.server.trim_end_matches('/') != Cluster::own().server {
            let name = if name.is_empty() { &app.destination.server } else { name };
            return Err(Lack::Elsewhere(format!(
                "it is for another cluster ({})",
                printable(name)
            )));
        }
        let project = match known.project(&app.project) {
            Some(project) => project.map_err(|errors| match never(&errors) {
                Lack::Never(why, hint) => Lack::Never(format!("its project {}: {why}", printable(&app.project)), hint),
                other => other,
            })?,
            None if !last => return Err(Lack::Yet),
            None => {
                let id = known.project_id(&app.project);
                let why = format!(
                    "its project {} is neither declared nor in the cluster, and without it Argo CD syncs nothing",
                    printable(&app.project)
                );
                let hint = format!("declare it, or give its content with --input {id}=FILE");
                return Err(Lack::Never(why, Some(hint)));
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

    /// Whether a sync of it fails where another Application has one of its objects.
    pub fn shares_nothing(&self) -> bool {
        self.read.as_ref().is_ok_and(|app| app.options.fail_on_shared_resource)
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
        let own = self.id.namespace.as_deref().unwrap_or_default();
        known.want_settings(own, &self.place);
        let argo_namespace = &known.home_of(own);
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
        let generated = appset::generate(&self.value, &surroundings);
        let Generated {
            made,
            errors,
            outside,
            unmatched,
            rollout,
        } = generated;
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
        let unmatched = unmatched.iter().map(|error| {
            let message = format!("a generator makes no Application: {}", printable(&error.to_string()));
            let problem = Problem::warning(self.place.clone(), message).of(self.id.clone());
            problem.hint(give_clusters(argo_namespace))
        });
        let rollout = rollout.iter().map(|error| {
            let message = format!("a step of its rolling sync is wrong: {}", printable(&error.to_string()));
            Problem::warning(self.place.clone(), message).of(self.id.clone())
        });
        let remarks = outside.iter().map(remark).chain(unmatched).chain(rollout).collect();
        let namespace = self.id.namespace.clone().unwrap_or_default();
        known.after.extend(by_step(&made, &namespace));
        let applications = made.into_iter().map(|made| {
            let mut application = made.application;
            application["apiVersion"] = "argoproj.io/v1alpha1".into();
            application["kind"] = "Application".into();
            application["metadata"]["namespace"] = (&*namespace).into();
            application
        });
        Ok((applications.collect(), remarks))
    }
}

/// Which Applications of a rolling sync wait for which: for those of all steps before, since one of them may have none that is restored
/// (`applicationset/progressivesync/progressive_sync.go`, `getAppsToSync`).
fn by_step(made: &[appset::Made], namespace: &str) -> BTreeMap<ObjectId, Vec<ObjectId>> {
    let mut steps: BTreeMap<usize, Vec<ObjectId>> = BTreeMap::new();
    for (one, step) in made.iter().filter_map(|one| Some((one, one.step?))) {
        let name = one.application["metadata"]["name"].as_str().unwrap_or_default();
        let id = ObjectId::new(GROUP, "Application", Some(namespace), name);
        steps.entry(step).or_default().push(id);
    }
    let (mut after, mut before) = (BTreeMap::new(), Vec::new());
    for step in steps.into_values() {
        after.extend(step.iter().map(|id| (id.clone(), before.clone())));
        before.extend(step);
    }
    after
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
