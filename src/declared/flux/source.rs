//! What Flux's objects are read from: the repository itself, others, and parts that are put together of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use kustomize::{Files, Memory};
use serde_json::Value;

use super::super::helm::{self, Charts};
use super::super::inputs::Inputs;
use super::super::releases::{self, Lack};
use super::ignore::Kept;
use super::{HELM_RELEASE, artifact, honoured};
use crate::error::printable;
use crate::object::{ObjectId, Place, Problem, api_group};
use crate::source::{self, Meant, Tree, same_repository};

/// API group of Flux's sources.
const GROUP: &str = "source.toolkit.fluxcd.io";
/// Namespace and name of the source that `flux bootstrap` and the Flux operator make of the repository that they sync.
pub(super) const BOOTSTRAP: (&str, &str) = ("flux-system", "flux-system");

/// How many generators may be made of each other.
const MOST_GENERATORS: usize = 16;

/// Which source: its kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::declared) struct SourceRef {
    kind: String,
    namespace: String,
    name: String,
}

impl SourceRef {
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(GROUP, &*self.kind, Some(&*self.namespace), &*self.name)
    }

    /// Whether it is a GitRepository.
    pub fn is_git(&self) -> bool {
        self.kind == "GitRepository"
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Namespace and name, as `NAMESPACE/NAME`.
    pub fn called(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How the operator can give it.
    pub fn how_to_give(&self) -> String {
        how_to_give(&self.id())
    }
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.id().to_string()))
    }
}

/// The files of a source.
#[derive(Clone)]
pub(in crate::declared) struct Root<'t> {
    /// The files, from the source's own root.
    pub files: Arc<dyn Files + Send + Sync + 't>,
    /// For people.
    pub name: String,
    /// Whether it is the repository itself.
    pub is_own: bool,
    /// The commit that they are of, where it is known.
    pub commit: Option<String>,
}

impl Root<'_> {
    /// A path as places show it: of other sources with the source before it.
    pub fn shown(&self, path: &str) -> String {
        match self.is_own {
            true => path.to_owned(),
            false => format!("{}:{path}", self.name),
        }
    }
}

impl Root<'_> {
    /// A file of it as places show it.
    pub fn shown_of(&self, file: &str) -> String {
        self.files.label(file).unwrap_or_else(|| self.shown(file))
    }
}

/// What is known of a source.
pub(in crate::declared) enum Found<'t> {
    /// Its files.
    Here(Root<'t>),
    /// Nothing declares it, so far.
    Undeclared,
    /// It is declared and cannot be had: why, and what helps.
    Refused { why: String, hint: String },
}

/// All sources of a run.
pub(in crate::declared) struct Sources<'t> {
    pub(super) tree: &'t Tree,
    /// Where the operator says that sources are, by namespace and name.
    pub(super) given: &'t BTreeMap<(String, String), String>,
    /// Gets artifacts from registries.
    charts: &'t Charts,
    declared: BTreeMap<ObjectId, Arc<Value>>,
    places: BTreeMap<ObjectId, Place>,
    /// What names charts.
    releases: BTreeMap<ObjectId, (Arc<Value>, Place)>,
    /// Sources that are the repository itself whatever their address: an entry is synced from them.
    own: BTreeSet<ObjectId>,
    opened: Mutex<BTreeMap<ObjectId, Result<Root<'t>, String>>>,
    /// The tags of the repository itself.
    pub(super) tags: OnceLock<Vec<String>>,
    /// What names of revisions mean in the repository itself.
    pub(super) meant: Mutex<BTreeMap<String, Meant>>,
    /// The repository itself, by what is left out of it.
    kept: Mutex<BTreeMap<Option<String>, Arc<Kept<'t>>>>,
}

impl<'t> Sources<'t> {
    /// None declared yet.
    pub fn new(tree: &'t Tree, given: &'t BTreeMap<(String, String), String>, charts: &'t Charts) -> Self {
        Self {
            tree,
            given,
            charts,
            declared: BTreeMap::new(),
            places: BTreeMap::new(),
            releases: BTreeMap::new(),
            own: BTreeSet::new(),
            opened: Mutex::default(),
            tags: OnceLock::new(),
            meant: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    /// Takes note of an object, if it is a source. `namespace` is that of objects that name none.
    pub fn note(&mut self, value: &Value, place: Place, namespace: &str) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let group = api_group(text("/apiVersion"));
        let namespace = match text("/metadata/namespace") {
            "" => namespace,
            own => own,
        };
        if (group, text("/kind")) == HELM_RELEASE {
            let id = ObjectId::new(group, text("/kind"), Some(namespace), text("/metadata/name"));
            self.releases.insert(id, (Arc::new(value.clone()), place));
            return;
        }
        if ![GROUP, "source.extensions.fluxcd.io"].contains(&group) {
            return;
        }
        let id = SourceRef::new(text("/kind"), namespace, text("/metadata/name")).id();
        self.places.insert(id.clone(), place);
        self.declared.insert(id, Arc::new(value.clone()));
    }

    /// What of sources that are read from elsewhere is not acted on.
    pub fn remarks(&self) -> Vec<Problem> {
        let sources = self.declared.iter().filter_map(|(id, value)| {
            let key = (id.namespace.as_deref()?.to_owned(), id.name.to_string());
            let url = value["spec"]["url"].as_str().unwrap_or_default();
            let is_own = self.own.contains(id) || self.tree.addresses().iter().any(|own| same_repository(own, url));
            let place = self
                .places
                .get(id)
                .filter(|_| !is_own && !self.given.contains_key(&key))?;
            Some((id, &**value, place))
        });
        let releases = self.releases.iter().map(|(id, (value, place))| (id, &**value, place));
        honoured::remarks(sources.chain(releases))
    }

    /// An entry of the repository is synced from this source: so it is the repository.
    pub fn is_own(&mut self, source: &SourceRef) {
        self.own.insert(source.id());
    }

    /// Where the operator says that a source is.
    pub fn given(&self, source: &SourceRef) -> Option<&'t str> {
        let key = (source.namespace.clone(), source.name.clone());
        self.given.get(&key).map(String::as_str)
    }

    /// The object that declares a source, so far.
    pub fn declared(&self, source: &SourceRef) -> Option<Arc<Value>> {
        self.declared.get(&source.id()).cloned()
    }

    /// The files of a source; `inputs` hold what it is asked with. `last` says that nothing more will be declared.
    pub fn find(&self, source: &SourceRef, inputs: &mut Inputs<'_>, last: bool) -> Found<'t> {
        self.find_within(source, inputs, last, MOST_GENERATORS)
    }

    fn find_within(&self, source: &SourceRef, inputs: &mut Inputs<'_>, last: bool, left: usize) -> Found<'t> {
        let id = source.id();
        if let Some(place) = self.given(source) {
            return self.open(&id, place, None);
        }
        if self.own.contains(&id) {
            return Found::Here(self.own_root(&id));
        }
        let Some(value) = self.declared.get(&id) else {
            let bootstrap = source.kind == "GitRepository" && (&*source.namespace, &*source.name) == BOOTSTRAP;
            return match (&*source.kind, last && bootstrap) {
                ("ExternalArtifact", _) => self.generated(source, inputs, last, left),
                (_, true) => Found::Here(self.own_root(&id)),
                (_, false) => Found::Undeclared,
            };
        };
        match &*source.kind {
            "GitRepository" => self.git(&id, value),
            "ExternalArtifact" => self.generated(source, inputs, last, left),
            "OCIRepository" => self.artifact(&id, value, inputs, last),
            kind => Found::Refused {
                why: format!("what the {kind} {} holds is not in the repository", id.name),
                hint: how_to_give(&id),
            },
        }
    }

    /// What a generator puts together.
    fn generated(&self, source: &SourceRef, inputs: &mut Inputs<'_>, last: bool, left: usize) -> Found<'t> {
        let id = source.id();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(root)) = opened.get(&id) {
            return Found::Here(root.clone());
        }
        drop(opened);
        let generators = self.declared.iter().filter(|(generator, _)| {
            generator.kind == "ArtifactGenerator" && generator.namespace.as_deref() == Some(&*source.namespace)
        });
        for (generator, value) in generators {
            let spec = &value["spec"];
            let mut of_alias = |alias: &str| self.aliased(generator, spec, alias, (inputs, last, left));
            let made = artifact::of_name(spec, &source.name, &mut of_alias).and_then(|found| {
                let files = found.map(|artifact| artifact.files(&mut of_alias)).transpose()?;
                Ok(files)
            });
            let files = match made {
                Ok(Some(files)) => files,
                Ok(None) => continue,
                Err(lacks) => return lacks.0,
            };
            let root = Root {
                files: Arc::new(files),
                name: id.to_string(),
                // Its files say themselves where they come from.
                is_own: true,
                commit: None,
            };
            opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.insert(id, Ok(root.clone()));
            return Found::Here(root);
        }
        Found::Undeclared
    }

    /// The files of a generator's source.
    fn aliased(
        &self,
        generator: &ObjectId,
        spec: &Value,
        alias: &str,
        (inputs, last, left): (&mut Inputs<'_>, bool, usize),
    ) -> Result<Root<'t>, Lacks<'t>> {
        let mut all = spec["sources"].as_array().into_iter().flatten();
        let one = all.find(|one| one["alias"] == alias);
        let one = one.ok_or_else(|| format!("{generator} has no source {alias}"))?;
        let text = |key: &str| one[key].as_str().filter(|text| !text.is_empty());
        let own = generator.namespace.as_deref().unwrap_or_default();
        let namespace = text("namespace").unwrap_or(own);
        let source = SourceRef::new(
            text("kind").unwrap_or_default(),
            namespace,
            text("name").unwrap_or_default(),
        );
        let Some(left) = left.checked_sub(1) else {
            return Err(format!("{generator} is made of itself").into());
        };
        match self.find_within(&source, inputs, last, left) {
            Found::Here(root) => Ok(root),
            other => Err(Lacks(other)),
        }
    }

    /// The repository itself, less what this source leaves out of it.
    pub(super) fn own_root(&self, id: &ObjectId) -> Root<'t> {
        let ignore = self.ignore(id);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let files = kept.entry(ignore.clone()).or_insert_with(|| {
            let kept = Kept::of(Arc::new(Own(self.tree)), ignore.as_deref());
            Arc::new(kept)
        });
        self.own_root_with(files.clone())
    }

    pub(super) fn own_root_with(&self, files: Arc<dyn Files + Send + Sync + 't>) -> Root<'t> {
        Root {
            files,
            name: "the repository".to_owned(),
            is_own: true,
            commit: self.tree.repository().commit.clone(),
        }
    }

    /// `spec.ignore` of a source, as far as it is declared.
    fn ignore(&self, id: &ObjectId) -> Option<String> {
        let text = self.declared.get(id)?.pointer("/spec/ignore")?.as_str()?;
        Some(text.to_owned())
    }

    /// What lies in a registry, as source-controller unpacks it.
    fn artifact(&self, id: &ObjectId, value: &Value, inputs: &mut Inputs<'_>, last: bool) -> Found<'t> {
        let namespace = id.namespace.as_deref().unwrap_or_default();
        let credentials = match releases::credentials(value, namespace, inputs, last) {
            Ok(credentials) => credentials,
            Err(Lack::Yet) => return Found::Undeclared,
            Err(Lack::Never(why, hint)) => {
                let hint = hint.unwrap_or_else(|| how_to_give(id));
                return Found::Refused { why, hint };
            }
        };
        self.once(id, || {
            let wanted = releases::artifact_of(value, credentials);
            let got = self.charts.artifact(&wanted).map_err(|not| not.cause)?;
            let files = helm::Files::of_artifact(&got.content)
                .map_err(|why| format!("the artifact {} cannot be unpacked: {why}", got.revision))?;
            let mut unpacked = Memory::default();
            for (path, content) in files.0 {
                unpacked.put(&path, content, None);
            }
            Ok(Root {
                files: Arc::new(Kept::of(Arc::new(unpacked), self.ignore(id).as_deref())),
                name: id.to_string(),
                is_own: false,
                commit: None,
            })
        })
    }

    pub(super) fn root_of(&self, id: &ObjectId, tree: Tree) -> Root<'t> {
        Root {
            commit: tree.repository().commit.clone(),
            files: match &*id.group {
                GROUP => Arc::new(Kept::of(Arc::new(tree), self.ignore(id).as_deref())),
                _ => Arc::new(tree),
            },
            name: id.to_string(),
            is_own: false,
        }
    }

    /// Opens a source once for all that ask.
    pub(super) fn once(&self, id: &ObjectId, open: impl FnOnce() -> Result<Root<'t>, String>) -> Found<'t> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match opened.entry(id.clone()).or_insert_with(open) {
            Ok(root) => Found::Here(root.clone()),
            Err(why) => Found::Refused {
                why: format!("{} could not be read: {why}", printable(&id.to_string())),
                hint: how_to_give(id),
            },
        }
    }

    /// Opens a place.
    pub(super) fn open(&self, id: &ObjectId, place: &str, rev: Option<&str>) -> Found<'t> {
        self.once(id, || self.read(id, place, rev))
    }

    pub(super) fn read(&self, id: &ObjectId, place: &str, rev: Option<&str>) -> Result<Root<'t>, String> {
        let options = source::Options {
            rev: rev.map(str::to_owned),
            ..source::Options::default()
        };
        let tree = source::open(place, &options).map_err(|failure| failure.in_one_line())?;
        Ok(self.root_of(id, tree))
    }
}

/// What keeps an artifact from being put together.
struct Lacks<'t>(Found<'t>);

impl From<String> for Lacks<'_> {
    fn from(why: String) -> Self {
        Self(Found::Refused {
            why: printable(&why),
            hint: "mend its ArtifactGenerator".to_owned(),
        })
    }
}

fn how_to_give(id: &ObjectId) -> String {
    let namespace = id.namespace.as_deref().unwrap_or_default();
    format!("give a copy of it with --source {namespace}/{}=PATH", id.name)
}

/// The repository itself.
pub(super) struct Own<'t>(pub(super) &'t Tree);

impl Files for Own<'_> {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, kustomize::ReadError> {
        Files::read(self.0, path)
    }

    fn kind(&self, path: &str) -> Result<Option<kustomize::Kind>, kustomize::ReadError> {
        Files::kind(self.0, path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, kustomize::ReadError> {
        Files::list(self.0, path)
    }

    fn find(&self, path: &str) -> Result<Option<(kustomize::Kind, String)>, kustomize::ReadError> {
        Files::find(self.0, path)
    }

    fn id(&self, path: &str) -> Option<kustomize::ContentId> {
        Files::id(self.0, path)
    }
}
