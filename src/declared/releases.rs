//! HelmReleases: where their charts are and what values they get, until helm can render them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::chart;
use super::charted::Charted;
use super::flux::{ChartOf, HelmRelease, Root, SourceFound, SourceRef, Sources};
use super::helm::{
    ArtifactRef, ChartRef, ChartSource, Charts, Credentials, Files, NotObtained, Reference, Values, ValuesCause,
    of_flux, version_of_artifact,
};
use super::inputs::{Input, Inputs};
use super::packing::{self, Packing};
use super::release::Origin;
use super::template::{Call, Sees};
use crate::object::{ObjectId, Problem, Renderer, Unit, Writer};
use crate::source::Tree;
use crate::source::path::{join, resolve};

/// A HelmRelease whose values and chart are known; the chart is not at hand yet.
pub(super) struct Prepared<'t> {
    release: Arc<HelmRelease>,
    values: Values,
    chart: Wanted<'t>,
}

enum Wanted<'t> {
    /// From a repository or registry.
    Elsewhere(Box<ChartRef>, Packing),
    /// A folder of a source.
    Folder(Root<'t>, String, Packing),
}

/// Whether something can be prepared.
pub(super) enum Step<T> {
    Ready(T),
    /// Once more is declared.
    Waits,
    Never(Problem),
}

impl<T> Step<T> {
    /// Does something with what is ready.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Ready(one) => Step::Ready(with(one)),
            Self::Waits => Step::Waits,
            Self::Never(problem) => Step::Never(problem),
        }
    }
}

/// Why a thing is not known.
pub(super) enum Lack {
    /// More may be declared.
    Yet,
    /// Why, and what helps.
    Never(String, Option<String>),
}

impl Lack {
    /// Waiting, or a problem of the unit that lacks it.
    pub fn step<T>(self, nothing: impl Fn(&str) -> Problem) -> Step<T> {
        match self {
            Self::Yet => Step::Waits,
            Self::Never(why, None) => Step::Never(nothing(&why)),
            Self::Never(why, Some(hint)) => Step::Never(nothing(&why).hint(hint)),
        }
    }
}

impl From<String> for Lack {
    fn from(why: String) -> Self {
        Self::Never(why, None)
    }
}

/// Finds a release's values and where its chart is. `last` says that nothing more will be declared.
pub(super) fn prepare<'t>(
    release: &Arc<HelmRelease>,
    sources: &Sources<'t>,
    inputs: &mut Inputs<'_>,
    last: bool,
) -> Step<Prepared<'t>> {
    let found = wanted(release, sources, inputs, last).and_then(|chart| Ok((chart, values(release, inputs, last)?)));
    match found {
        Ok((chart, values)) => Step::Ready(Prepared {
            release: release.clone(),
            values,
            chart,
        }),
        Err(lack) => lack.step(|why| release.nothing(why)),
    }
}

fn values(release: &HelmRelease, inputs: &mut Inputs<'_>, last: bool) -> Result<Values, Lack> {
    let id = |kind: &str, name: &str| ObjectId::new("", kind, release.id.namespace.as_deref(), name);
    let mut lack = None;
    let own = release.values().map_err(|why| Lack::from(why.to_owned()))?;
    let composed = of_flux(&own, &release.values_from, &mut |from| {
        let id = id(&from.kind, &from.name);
        match inputs.get(&id, last) {
            Input::Here(mut texts) => Some(std::mem::take(&mut texts.0)),
            Input::Later => {
                lack = lack.take().or(Some(Lack::Yet));
                None
            }
            Input::Nowhere => None,
            Input::Unread(why) => {
                let why = format!("its values come from {id}, which {why}");
                lack = Some(Lack::Never(why, Some(how_to_give(&id))));
                None
            }
        }
    });
    if let Some(lack) = lack {
        return Err(lack);
    }
    composed.map_err(|error| match error.cause {
        ValuesCause::NoObject => {
            let id = id(&error.from.kind, &error.from.name);
            let why = format!("its values come from {id}, which is neither declared nor in the cluster");
            Lack::Never(why, Some(how_to_give(&id)))
        }
        _ => error.to_string().into(),
    })
}

fn how_to_give(id: &ObjectId) -> String {
    format!("declare it, or give its content with --input {id}=FILE")
}

fn wanted<'t>(
    release: &HelmRelease,
    sources: &Sources<'t>,
    inputs: &mut Inputs<'_>,
    last: bool,
) -> Result<Wanted<'t>, Lack> {
    let mut chart = release.chart().map_err(|why| Lack::from(why.to_owned()))?;
    let mut packed_as = release.helm_chart();
    if let ChartOf::Artifact(source) = &chart
        && source.kind() == "HelmChart"
        && sources.given(source).is_none()
    {
        let value = declared(sources, source, last)?;
        packed_as = source.id();
        chart = ChartOf::of_helm_chart(&value, source.namespace())
            .ok_or_else(|| Lack::from(format!("its {source} names no chart")))?;
    }
    match chart {
        ChartOf::Artifact(source) if source.kind() == "ExternalArtifact" && sources.given(&source).is_none() => {
            generated(&source, sources, inputs, last)
        }
        ChartOf::Artifact(source) => artifact(&source, sources, inputs, last),
        ChartOf::Named {
            source,
            chart,
            version,
            values_files,
            by_revision: _,
        } if source.kind() == "HelmRepository" => {
            let called = vec![source.called()];
            let place = match sources.given(&source) {
                Some(path) => ChartSource::Given(Path::new(path).join(&chart)),
                None => {
                    let value = declared(sources, &source, last)?;
                    let text = |key: &str| value["spec"][key].as_str().unwrap_or_default();
                    let url = text("url").to_owned();
                    let credentials = credentials(&value, source.namespace(), inputs, last)?;
                    match text("type") == "oci" || url.starts_with("oci://") {
                        true => ChartSource::Oci { url, credentials },
                        false => ChartSource::Http { url, credentials },
                    }
                }
            };
            let wanted = ChartRef {
                source: place,
                name: chart,
                version,
                called,
            };
            Ok(Wanted::Elsewhere(
                Box::new(wanted),
                Packing::new(values_files, None, packed_as),
            ))
        }
        ChartOf::Named {
            source,
            chart,
            values_files,
            by_revision,
            ..
        } => {
            let root = root_of(&source, sources, inputs, last)?;
            let revision = by_revision.then(|| packing::revision(&source, &root));
            let folder = resolve("", &chart);
            let folder = folder.ok_or_else(|| Lack::from("its chart's path leads out of its source".to_owned()))?;
            Ok(Wanted::Folder(
                root,
                folder,
                Packing::new(values_files, revision, packed_as),
            ))
        }
    }
}

fn root_of<'t>(
    source: &SourceRef,
    sources: &Sources<'t>,
    inputs: &mut Inputs<'_>,
    last: bool,
) -> Result<Root<'t>, Lack> {
    match sources.find(source, inputs, last) {
        SourceFound::Here(root) => Ok(root),
        SourceFound::Undeclared => Err(undeclared(source, last)),
        SourceFound::Refused { why, hint } => Err(Lack::Never(why, Some(hint))),
    }
}

/// The chart that a generator puts together. Helm reads it as a packed chart, which has all in one folder.
fn generated<'t>(
    source: &SourceRef,
    sources: &Sources<'t>,
    inputs: &mut Inputs<'_>,
    last: bool,
) -> Result<Wanted<'t>, Lack> {
    let root = root_of(source, sources, inputs, last)?;
    let folders = root.files.list("").map_err(|why| Lack::from(why.to_string()))?;
    let is_chart = |folder: &&String| {
        let about = root.files.kind(&join(folder, "Chart.yaml"));
        matches!(about, Ok(Some(kustomize::Kind::File)))
    };
    let Some(folder) = folders.iter().find(is_chart).cloned() else {
        return Err(Lack::from(format!(
            "{source} has no folder at its top with a Chart.yaml in it"
        )));
    };
    // Its files are not those of a folder of the repository, wherever they come from.
    let root = Root { is_own: false, ..root };
    Ok(Wanted::Folder(root, folder, Packing::default()))
}

fn undeclared(source: &SourceRef, last: bool) -> Lack {
    match last {
        false => Lack::Yet,
        true => Lack::Never(
            format!("nothing declares its source {source}"),
            Some(source.how_to_give()),
        ),
    }
}

fn declared(sources: &Sources<'_>, source: &SourceRef, last: bool) -> Result<Arc<Value>, Lack> {
    sources.declared(source).ok_or_else(|| undeclared(source, last))
}

fn artifact<'t>(
    source: &SourceRef,
    sources: &Sources<'t>,
    inputs: &mut Inputs<'_>,
    last: bool,
) -> Result<Wanted<'t>, Lack> {
    let place = match sources.given(source) {
        Some(path) => ChartSource::Given(PathBuf::from(path)),
        None if source.kind() == "OCIRepository" => {
            let value = declared(sources, source, last)?;
            let credentials = credentials(&value, source.namespace(), inputs, last)?;
            ChartSource::Artifact(artifact_of(&value, credentials))
        }
        None => {
            let why = format!("what {source} holds is not in the repository");
            return Err(Lack::Never(why, Some(source.how_to_give())));
        }
    };
    let url = match &place {
        ChartSource::Artifact(artifact) => artifact.url.trim_end_matches('/').rsplit('/').next(),
        _ => None,
    };
    let wanted = ChartRef {
        name: url.unwrap_or(source.name()).to_owned(),
        source: place,
        version: String::new(),
        called: vec![source.called()],
    };
    Ok(Wanted::Elsewhere(Box::new(wanted), Packing::default()))
}

/// What an OCIRepository names.
pub(super) fn artifact_of(repository: &Value, credentials: Credentials) -> ArtifactRef {
    let text = |pointer: &str| {
        let text = repository.pointer(pointer).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let reference = match (
        text("/spec/ref/digest"),
        text("/spec/ref/semver"),
        text("/spec/ref/tag"),
    ) {
        (Some(digest), _, _) => Reference::Digest(digest),
        (None, Some(range), _) => Reference::Range {
            range,
            filter: text("/spec/ref/semverFilter").unwrap_or_default(),
        },
        (None, None, tag) => Reference::Tag(tag.unwrap_or_else(|| "latest".to_owned())),
    };
    ArtifactRef {
        url: text("/spec/url").unwrap_or_default(),
        reference,
        layer: text("/spec/layerSelector/mediaType"),
        credentials,
    }
}

/// What a source says of whom it is asked as.
pub(super) fn credentials(
    source: &Value,
    namespace: &str,
    inputs: &mut Inputs<'_>,
    last: bool,
) -> Result<Credentials, Lack> {
    let mut credentials = Credentials {
        insecure: source["spec"]["insecure"] == true,
        ..Credentials::default()
    };
    credentials.access.everywhere = source["spec"]["passCredentials"] == true;
    for field in ["secretRef", "certSecretRef"] {
        let Some(name) = source["spec"][field]["name"].as_str() else {
            continue;
        };
        let id = ObjectId::new("", "Secret", Some(namespace), name);
        match inputs.get(&id, last) {
            Input::Here(texts) => credentials.add_secret(&texts.0).map_err(|why| format!("{id}: {why}"))?,
            Input::Later => return Err(Lack::Yet),
            Input::Unread(why) => {
                let why = format!("its source is asked with {id}, which {why}");
                return Err(Lack::Never(why, Some(how_to_give(&id))));
            }
            Input::Nowhere => {
                let why = format!("its source is asked with {id}, which is neither declared nor in the cluster");
                return Err(Lack::Never(why, Some(how_to_give(&id))));
            }
        }
    }
    Ok(credentials)
}

/// A chart that could not be made ready: why, and what helps.
pub(super) type Unready = (String, Option<String>);

impl From<NotObtained> for Lack {
    fn from(not: NotObtained) -> Self {
        Self::Never(not.cause, Some(not.hint))
    }
}

impl Prepared<'_> {
    /// Gets the chart.
    pub fn obtain(&self, tree: &Tree, charts: &Charts) -> Result<Charted, Box<Problem>> {
        let Self { release, values, chart } = self;
        let values = Some(kube_yaml::to_string(&Value::Object(values.clone())).into_bytes());
        let (crds, hooks, schema) = release.crds_hooks_schema();
        let call = |folder: PathBuf, chart: PathBuf, named: (String, String)| Call {
            folder,
            chart,
            named,
            release: release.name(),
            namespace: release.namespace().to_owned(),
            files: Vec::new(),
            values: values.clone(),
            crds,
            hooks,
            schema,
            sees: Sees::default(),
        };
        let (made, packing) = match chart {
            Wanted::Elsewhere(wanted, packing) => (elsewhere(wanted, packing, charts), packing),
            Wanted::Folder(root, folder, packing) => (in_folder(root, folder, packing, tree, charts), packing),
        };
        let made = made.map_err(|(why, hint)| {
            let problem = release.nothing(&why);
            Box::new(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            })
        })?;
        let own = match chart {
            Wanted::Folder(root, folder, _) if root.is_own => Some(folder.clone()),
            _ => None,
        };
        Ok(Charted {
            unit: Unit {
                name: release.id.to_string(),
                path: own.clone().unwrap_or_default(),
                renderer: Renderer::Helm,
                engine: Some(release.engine()),
                record: None,
            },
            writer: Writer::ServerSide("helm-controller".to_owned()),
            origin: own.map_or_else(|| Origin::Object(release.place.clone()), Origin::Folder),
            call: call(made.folder, made.chart, made.named),
            release: Some(release.clone()),
            app: None,
            remarks: [made.remarks, release.remarks()].concat(),
            oci_digest: made.oci_digest,
            helm_chart: packing.by_generation().cloned(),
            unrecorded: packing.unknown().map(str::to_owned),
            _kept: made.kept,
        })
    }
}

/// A chart that helm can read.
pub(super) struct Made {
    pub folder: PathBuf,
    pub chart: PathBuf,
    pub named: (String, String),
    pub remarks: Vec<String>,
    /// Of an artifact.
    pub oci_digest: Option<String>,
    /// Of a chart from elsewhere.
    pub version: Option<String>,
    /// The folder that it lies in, gone with it.
    pub kept: Option<TempDir>,
}

impl Made {
    fn new(folder: PathBuf, chart: PathBuf, named: (String, String)) -> Self {
        Self {
            folder,
            chart,
            named,
            remarks: Vec::new(),
            oci_digest: None,
            version: None,
            kept: None,
        }
    }
}

/// Gets a chart from elsewhere.
pub(super) fn elsewhere(wanted: &ChartRef, packing: &Packing, charts: &Charts) -> Result<Made, Unready> {
    let fetched = charts.get(wanted).map_err(|not| (not.cause, Some(not.hint)))?;
    let named = (fetched.name.clone(), format!("{}/", fetched.name));
    let folder = fetched.path.parent().unwrap_or(Path::new("/")).to_owned();
    let remarks = fetched.remarks.clone();
    let version = Some(fetched.version.clone());
    if packing.is_none() && fetched.revision.is_none() {
        return Ok(Made {
            remarks,
            version,
            ..Made::new(folder, fetched.path, named)
        });
    }
    let mut files = files_of(&fetched.path)?;
    let own = files.clone();
    packing.repack(&mut files, &|path| own.get(path).map(<[u8]>::to_vec))?;
    let mut oci_digest = None;
    if let Some(revision) = &fetched.revision {
        let (version, digest) = version_of_artifact(&fetched.version, revision).map_err(|why| (why, None))?;
        packing::set_version(&mut files, &version);
        oci_digest = Some(digest);
    }
    Ok(Made {
        remarks,
        oci_digest,
        version,
        ..unpacked(&files, named)?
    })
}

pub(super) fn files_of(path: &Path) -> Result<Files, Unready> {
    let read = match path.is_dir() {
        true => Files::of_folder(path),
        false => std::fs::read(path)
            .map_err(|cause| cause.to_string())
            .and_then(|bytes| Files::of_chart(&bytes)),
    };
    read.map_err(|why| (format!("its chart cannot be read: {why}"), None))
}

/// A chart in a folder of a source: that of the repository itself is completed with what it depends on.
pub(super) fn in_folder(
    root: &Root<'_>,
    folder: &str,
    packing: &Packing,
    tree: &Tree,
    charts: &Charts,
) -> Result<Made, Unready> {
    let about = root.files.read(&join(folder, "Chart.yaml"));
    let about = about.map_err(|_| (format!("there is no chart in {folder} of {}", root.name), None))?;
    let about = kube_yaml::parse_one(&about).value.unwrap_or_default();
    let name = about["name"].as_str().unwrap_or_default().to_owned();
    let read = |path: &str| {
        resolve("", path)
            .and_then(|path| root.files.read(&path).ok())
            .map(|text| text.to_vec())
    };
    let failed = |cause: &dyn std::fmt::Display| (format!("its chart could not be laid out: {cause}"), None);
    if root.is_own {
        let disk = tree.on_disk().map_err(|failure| (failure.in_one_line(), None))?;
        let chart = chart::of_folder(tree, folder)
            .ok_or_else(|| (format!("Chart.yaml in {folder} does not declare a chart"), None))?;
        chart.link_folders(tree, &disk);
        chart.complete(&disk, charts).map_err(|problem| {
            let cause = problem.message.replace("nothing of this chart is restored: ", "");
            (cause, problem.hint)
        })?;
        let named = (name, join(folder, "templates/").replace("templates/", ""));
        if packing.is_none() {
            let chart = if folder.is_empty() { "." } else { folder };
            return Ok(Made::new(disk, PathBuf::from(chart), named));
        }
        let mut files = files_of(&disk.join(folder))?;
        packing.repack(&mut files, &read)?;
        return unpacked(&files, named);
    }
    let mut files = Files::default();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        for name in root.files.list(&at).map_err(|why| failed(&why))? {
            let path = join(&at, &name);
            match root.files.kind(&path).map_err(|why| failed(&why))? {
                Some(kustomize::Kind::Folder) => todo.push(path),
                Some(kustomize::Kind::File) => {
                    let text = root.files.read(&path).map_err(|why| failed(&why))?;
                    let inside = path.strip_prefix(folder).unwrap_or(&path).trim_start_matches('/');
                    files.0.insert(inside.to_owned(), text.to_vec());
                }
                None => {}
            }
        }
    }
    packing.repack(&mut files, &read)?;
    unpacked(&files, (name.clone(), format!("{name}/")))
}

fn unpacked(files: &Files, named: (String, String)) -> Result<Made, Unready> {
    let made = tempfile::Builder::new().prefix("refloat-chart-").tempdir();
    let folder = made.and_then(|folder| files.unpack(folder.path()).map(|()| folder));
    let folder = folder.map_err(|cause| (format!("its chart could not be laid out: {cause}"), None))?;
    let at = folder.path().to_owned();
    Ok(Made {
        kept: Some(folder),
        ..Made::new(at, PathBuf::from("."), named)
    })
}
