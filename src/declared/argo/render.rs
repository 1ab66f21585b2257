//! The sources of an Application, rendered as the repo-server does (`reposerver/repository/repository.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use argo_cd::application::{Application, Source, SourceKind};
use argo_cd::application::{chosen_files, overridden, override_files, source_kind};
use kustomize::{Kind, Kustomize, Memory, Overlay};
use serde_json::{Value, json};

use super::super::charted::Charted;
use super::super::documents::{self, Findings};
use super::super::flux::Root;
use super::super::helm::{ChartRef, ChartSource, Charts};
use super::super::kustomization::NAMES;
use super::super::kustomize::{Outside, render};
use super::super::release::Origin;
use super::super::releases::{self, Made};
use super::super::secrets::{self, Decrypting, Keys, is_encrypted};
use super::super::template::{Call, Sees};
use super::build_options::{self, BuildOptions};
use super::environment::Environment;
use super::{App, Known, Lack, kustomization, repositories, root_of_source};
use crate::error::printable;
use crate::object::{ObjectId, Problem, Unit, Writer};
use crate::source::Tree;
use crate::source::path::{join, resolve};

/// Files of a source that are looked at.
const MOST_FILES: usize = 50_000;
/// A file that holds this is left out.
const SKIP: &str = "+argocd:skip-file-rendering";

/// An Application whose sources are at hand, charts from elsewhere aside.
pub(in crate::declared) struct Prepared<'t> {
    app: Arc<App>,
    /// The sources that are rendered; of charts from elsewhere there are no files.
    sources: Vec<(Source, Option<Root<'t>>)>,
    /// The files of sources by their `ref`.
    pub(super) references: BTreeMap<String, Root<'t>>,
    /// It as its objects are marked.
    instance: String,
    /// Secrets of repositories.
    repositories: Vec<Value>,
    /// What kustomizations are built with, where settings are declared.
    build_options: Option<BuildOptions>,
    /// Whether nothing more will be declared.
    last: bool,
    /// Applications that are to be healthy before.
    after: Vec<ObjectId>,
}

/// What came of an Application.
pub(in crate::declared) struct Rendered {
    pub unit: Unit,
    pub app: Arc<App>,
    pub findings: Findings,
    /// Its charts, that are still to be rendered.
    pub charted: Vec<Charted>,
}

/// Why a source is not rendered, and what helps.
pub(super) type Failed = (String, Option<String>);

/// Finds the sources of an Application. `last` says that nothing more will be declared.
pub(in crate::declared) fn prepare<'t>(
    app: &Arc<App>,
    known: &mut Known,
    sources: &super::Sources<'t>,
    last: bool,
) -> Result<Prepared<'t>, Lack> {
    let read = app.checked(known, last)?;
    let (mut found, mut references) = (Vec::new(), BTreeMap::new());
    for one in &read.sources {
        let root = match one.chart.is_empty() {
            true => Some(root_of_source(sources, app, one)?),
            false => None,
        };
        if let Some(root) = root.as_ref().filter(|_| !one.reference.is_empty()) {
            references.insert(one.reference.clone(), root.clone());
        }
        if !one.is_reference_only() {
            found.push((one.clone(), root));
        }
    }
    Ok(Prepared {
        app: app.clone(),
        sources: found,
        references,
        instance: known.instance(app),
        repositories: known.secrets.clone(),
        build_options: known.kustomize_options(),
        last,
        after: known.after.get(&app.id).cloned().unwrap_or_default(),
    })
}

impl Prepared<'_> {
    /// The Application again, where settings that may be declared yet could permit what was refused.
    pub fn again(&self, problem: &Problem) -> Option<Arc<App>> {
        let may_change = !self.last && self.build_options.is_none() && is_restricted(&problem.message);
        may_change.then(|| self.app.clone())
    }

    fn unit(&self, path: &str) -> Unit {
        let mut unit = self.app.unit(path);
        if let Some(engine) = &mut unit.engine {
            engine.after.clone_from(&self.after);
        }
        unit
    }

    /// Renders all of it but charts, or nothing.
    pub fn render(
        &self,
        tree: &Tree,
        outside: &Outside<'_>,
        keys: &Keys,
        charts: &Charts,
    ) -> Result<Rendered, Box<Problem>> {
        let path = self.sources.first().map_or("", |(source, _)| &*source.path);
        let path = resolve("", path).unwrap_or_default();
        let mut rendered = Rendered {
            unit: self.unit(&path),
            app: self.app.clone(),
            findings: Findings::default(),
            charted: Vec::new(),
        };
        for (one, root) in &self.sources {
            let done = match root {
                Some(root) => self.of_tree(one, root, tree, outside, keys, charts, &mut rendered),
                None => self.of_chart(one, charts, &mut rendered),
            };
            done.map_err(|(why, hint)| {
                let problem = self.app.nothing(&why);
                Box::new(match hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                })
            })?;
        }
        Ok(rendered)
    }

    #[expect(clippy::too_many_arguments, reason = "all that a source may need, once")]
    fn of_tree(
        &self,
        source: &Source,
        root: &Root<'_>,
        tree: &Tree,
        outside: &Outside<'_>,
        keys: &Keys,
        charts: &Charts,
        rendered: &mut Rendered,
    ) -> Result<(), Failed> {
        let folder = resolve("", &source.path).ok_or(("its path leads out of its source".to_owned(), None))?;
        if !matches!(root.files.kind(&folder), Ok(Some(Kind::Folder))) {
            return Err((format!("there is no folder {folder} in {}", root.name), None));
        }
        let source = &self.with_overrides(source, root, &folder)?;
        let files = walk(root, &folder).map_err(|why| (why, None))?;
        match source_kind(source, files.iter().map(String::as_str)) {
            SourceKind::Directory => directory(source, root, &folder, &files, keys, &mut rendered.findings),
            SourceKind::Kustomize => self.kustomize(source, root, &folder, outside, keys, &mut rendered.findings),
            SourceKind::Helm => {
                let made = releases::in_folder(root, &folder, &Default::default(), tree, charts)?;
                let origin = match root.is_own {
                    true => Origin::Folder(folder.clone()),
                    false => Origin::Object(self.app.place.clone()),
                };
                let env = self.environment(source, root.commit.as_deref());
                let charted = self.charted(source, &env, (root, &folder), made, origin)?;
                rendered.charted.push(charted);
                Ok(())
            }
            SourceKind::Plugin => {
                let why = "a config management plugin renders it, which only its engine has";
                Err((
                    why.to_owned(),
                    Some("its engine does it once Argo CD is there".to_owned()),
                ))
            }
        }
    }

    /// The source with what files in its folder say over it.
    fn with_overrides(&self, source: &Source, root: &Root<'_>, folder: &str) -> Result<Source, Failed> {
        let mut patches = Vec::new();
        for name in override_files(&self.app.id.name) {
            if let Ok(text) = root.files.read(&join(folder, &name)) {
                let value = kube_yaml::parse_one(&text).value;
                patches.push(value.map_err(|error| (format!("{name}: {}", error.message), None))?);
            }
        }
        if patches.is_empty() {
            return Ok(source.clone());
        }
        let pointer = source
            .field
            .replacen("spec.", "/", 1)
            .replace('[', "/")
            .replace(']', "");
        let written = self.app.spec.pointer(&pointer).cloned().unwrap_or_default();
        let failed = |errors: Vec<argo_cd::Error>| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            (all.join("; "), None)
        };
        let merged = overridden(&written, &patches).map_err(failed)?;
        let mut spec = self.app.spec.clone();
        spec["sources"] = Value::Null;
        spec["source"] = merged;
        let app =
            Application::read(&json!({"metadata": {"name": &*self.app.id.name}, "spec": spec})).map_err(failed)?;
        Ok(app.sources.into_iter().next().unwrap_or_else(|| source.clone()))
    }

    fn kustomize(
        &self,
        source: &Source,
        root: &Root<'_>,
        folder: &str,
        outside: &Outside<'_>,
        keys: &Keys,
        findings: &mut Findings,
    ) -> Result<(), Failed> {
        let file = NAMES.iter().map(|name| join(folder, name));
        let file = file
            .filter_map(|file| Some((root.files.read(&file).ok()?, file)))
            .next();
        let (content, file) = file.ok_or((format!("there is no kustomization in {folder}"), None))?;
        // Generators of ksops are given files in clear.
        let opened = Decrypting::new(&*root.files, keys.clone(), BTreeSet::new);
        let mut overlay = Overlay::new(&opened);
        if let Some(options) = &source.kustomize {
            let options = &self.environment(source, root.commit.as_deref()).of_kustomize(options)?;
            let exists = |component: &str| {
                let at = resolve(folder, component);
                at.is_some_and(|at| matches!(root.files.kind(&at), Ok(Some(_))))
            };
            let edited = kustomization::edited(&content, options, &exists).map_err(|why| (why, None))?;
            let label = format!("{} of {}", root.shown(&file), self.app.id);
            overlay.put(&file, edited.as_bytes(), Some(&label));
        }
        let sees = source.kustomize.as_ref().map(|options| Sees {
            kube_version: options.kube_version.clone(),
            api_versions: options.api_versions.clone(),
        });
        let outside = &outside.seeing(&sees.unwrap_or_default());
        let options = kustomize::Options {
            load_restriction: self
                .build_options
                .as_ref()
                .map(|options| options.load_restriction)
                .unwrap_or_default(),
            ..kustomize::Options::default()
        };
        let kustomize = Kustomize::new(&overlay, outside, options);
        let mut built = render(&kustomize, outside, folder, &file);
        for found in &mut built.found {
            found.provenance.file = root.shown(&found.provenance.file);
        }
        match built
            .problems
            .iter()
            .find(|problem| problem.kind == crate::object::ProblemKind::Error)
        {
            Some(problem) => {
                let hint = || {
                    let (key, flag) = (build_options::KEY, build_options::UNRESTRICTED);
                    format!("`{key}: {flag}` in argocd-cm lets kustomizations read it, here as in Argo CD")
                };
                let own = problem.hint.clone();
                Err((
                    problem.message.clone(),
                    own.or_else(|| is_restricted(&problem.message).then(hint)),
                ))
            }
            None => {
                findings.problems.extend(self.build_options_told());
                findings.found.extend(built.found);
                findings.problems.extend(built.problems);
                Ok(())
            }
        }
    }

    /// Flags for kustomizations that are not acted on.
    fn build_options_told(&self) -> Option<Problem> {
        let unknown = self.build_options.as_ref().map(|options| options.unknown.join(", "))?;
        let message = format!(
            "kustomizations are built without what {} of argocd-cm says: {}",
            build_options::KEY,
            printable(&unknown)
        );
        (!unknown.is_empty()).then(|| Problem::warning(self.app.place.clone(), message).of(self.app.id.clone()))
    }

    fn of_chart(&self, source: &Source, charts: &Charts, rendered: &mut Rendered) -> Result<(), Failed> {
        let credentials = repositories::credentials(&self.repositories, &source.repo_url, self.project());
        let mut credentials = credentials.map_err(|why| (why, None))?;
        credentials.access.everywhere = source.helm.as_ref().is_some_and(|helm| helm.pass_credentials);
        let url = source.repo_url.clone();
        let place = match url.contains("://") {
            true if url.starts_with("oci://") => ChartSource::Oci { url, credentials },
            true => ChartSource::Http { url, credentials },
            // Registries are written without a scheme.
            false => ChartSource::Oci {
                url: format!("oci://{url}"),
                credentials,
            },
        };
        let wanted = ChartRef {
            source: place,
            name: source.chart.clone(),
            version: source.target_revision.clone(),
            called: vec![format!(
                "{}/{}",
                self.app.id.namespace.as_deref().unwrap_or_default(),
                self.app.id.name
            )],
        };
        let made = releases::elsewhere(&wanted, &Default::default(), charts)?;
        let env = self.environment(source, made.version.as_deref());
        let root = in_chart(source, &made)?;
        let origin = Origin::Object(self.app.place.clone());
        let charted = self.charted(source, &env, (&root, ""), made, origin)?;
        rendered.charted.push(charted);
        Ok(())
    }

    fn environment(&self, source: &Source, revision: Option<&str>) -> Environment {
        Environment::new(&self.instance, self.app.namespace(), self.project(), source, revision)
    }

    fn project(&self) -> &str {
        let project = self.app.spec["project"].as_str();
        project.filter(|project| !project.is_empty()).unwrap_or("default")
    }

    fn charted(
        &self,
        source: &Source,
        env: &Environment,
        place: (&Root<'_>, &str),
        made: Made,
        origin: Origin,
    ) -> Result<Charted, Failed> {
        let helm = source.helm.clone().unwrap_or_default();
        let values = self.values(&helm, env, place)?;
        let or = |text: &str, other: &str| {
            if text.is_empty() {
                other.to_owned()
            } else {
                text.to_owned()
            }
        };
        let namespace = or(&helm.namespace, self.app.namespace());
        let call = Call {
            folder: made.folder,
            chart: made.chart,
            named: made.named,
            release: or(&helm.release_name, &self.app.id.name),
            namespace: or(&namespace, "default"),
            files: Vec::<PathBuf>::new(),
            values: Some(kube_yaml::to_string(&Value::Object(values)).into_bytes()),
            crds: !helm.skip_crds,
            hooks: true,
            schema: !helm.skip_schema_validation,
            sees: Sees {
                kube_version: helm.kube_version.clone(),
                api_versions: helm.api_versions.clone(),
            },
        };
        Ok(Charted {
            unit: self.unit(place.1),
            writer: Writer::ClientSide(super::MANAGER.to_owned()),
            origin,
            call,
            release: None,
            app: Some(self.app.clone()),
            remarks: made.remarks,
            oci_digest: None,
            helm_chart: None,
            unrecorded: None,
            _kept: made.kept,
        })
    }
}

/// Whether a build was refused since a file lies beside its kustomization's folder.
fn is_restricted(message: &str) -> bool {
    message.contains("is not in or below \"")
}

/// The files of a chart from elsewhere, where some of them are asked for: it is its own repository (`reposerver/repository/repository.go`,
/// `runRepoOperation`).
fn in_chart(source: &Source, made: &Made) -> Result<Root<'static>, Failed> {
    let mut files = Memory::default();
    let is_asked =
        |helm: &argo_cd::application::Helm| !(helm.value_files.is_empty() && helm.file_parameters.is_empty());
    if source.helm.as_ref().is_some_and(is_asked) {
        for (path, content) in releases::files_of(&made.folder.join(&made.chart))?.0 {
            files.put(&path, content, None);
        }
    }
    Ok(Root {
        files: Arc::new(files),
        name: format!("the chart {}", source.chart),
        is_own: false,
        commit: None,
    })
}

/// Plain manifests.
fn directory(
    source: &Source,
    root: &Root<'_>,
    folder: &str,
    files: &[String],
    keys: &Keys,
    findings: &mut Findings,
) -> Result<(), Failed> {
    let options = source.directory.clone().unwrap_or_default();
    let chosen = chosen_files(&options, files.iter().map(String::as_str));
    let chosen = chosen.map_err(|errors| {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        (all.join("; "), None)
    })?;
    for file in chosen {
        let path = join(folder, file);
        let text = root.files.read(&path).map_err(|why| (format!("{path}: {why}"), None))?;
        if file.ends_with(".jsonnet") {
            let hint = format!("write what `jsonnet {path}` prints into the repository");
            return Err((format!("{path} is Jsonnet, which is not rendered"), Some(hint)));
        }
        if text.windows(SKIP.len()).any(|window| window == SKIP.as_bytes()) {
            continue;
        }
        let shown = root.shown(&path);
        let read = match is_encrypted(&text) {
            true => {
                let plain = keys
                    .open(&path, &text)
                    .map_err(|why| (format!("{path}: {why}"), secrets::hint(&why)))?;
                documents::of_file(&shown, &plain)
            }
            false => documents::of_file(&shown, &text),
        };
        findings.found.extend(read.found);
        findings.problems.extend(read.problems);
    }
    Ok(())
}

/// All files in a folder, by their paths from there.
pub(super) fn walk(root: &Root<'_>, folder: &str) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    let mut todo = vec![String::new()];
    while let Some(at) = todo.pop() {
        let names = root
            .files
            .list(&join(folder, &at))
            .map_err(|why| format!("{at}: {why}"))?;
        for name in names.iter().filter(|name| *name != ".git") {
            let inside = join(&at, name);
            match root.files.kind(&join(folder, &inside)) {
                Ok(Some(Kind::Folder)) => todo.push(inside),
                Ok(Some(Kind::File)) => files.push(inside),
                _ => {}
            }
            if files.len() > MOST_FILES {
                return Err(format!("there are more than {MOST_FILES} files in it"));
            }
        }
    }
    files.sort();
    Ok(files)
}
