//! What Git declares, after rendering.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{HealthCheck, Manifest, ObjectId, Place, Problem, Waiver};

/// Where a manifest comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The file in the tree, `/`-separated: of an object of a kustomization the file that declares it, of a generated one the
    /// kustomization, of a chart's its template.
    pub file: String,
    /// Index of the document in the file, from 0, empty documents not counted.
    pub document: usize,
    /// First line of the document in the file, 1-based; 0 where the renderer does not tell.
    pub line: usize,
    /// What made the manifest out of the file.
    pub renderer: Renderer,
}

impl Provenance {
    /// File and line, for messages.
    pub fn place(&self) -> Place {
        Place {
            file: self.file.clone(),
            line: Some(self.line).filter(|line| *line > 0),
        }
    }
}

/// What made a manifest out of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Renderer {
    /// Read as it stands.
    Plain,
    /// Built from a kustomization.
    Kustomize,
    /// `helm template`.
    Helm,
}

/// Who writes an object, and how, so that the declaring engine adopts it with nothing to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writer {
    /// Server-side apply under this field manager.
    ServerSide(String),
    /// Create or patch under this field manager with the annotation
    /// `kubectl.kubernetes.io/last-applied-configuration`, as `kubectl apply` does (Jenkins X).
    ClientSide(String),
}

impl Writer {
    /// The field manager.
    pub fn manager(&self) -> &str {
        match self {
            Self::ServerSide(manager) | Self::ClientSide(manager) => manager,
        }
    }
}

/// When a Helm install hook runs. Only `pre-install` and `post-install` hooks are declared; others never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// After the rest of its unit (`post-install`) or before it (`pre-install`).
    pub after: bool,
    /// `helm.sh/hook-weight`: lower runs first, and is ready before the next weight starts.
    pub weight: i64,
}

/// The turn of an object in its unit, where the engine goes through a unit in turns: what has an earlier one is ready first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Before the rest (−1), with it (0), after it (1).
    pub phase: i8,
    /// Within that: lower ones first.
    pub wave: i64,
}

/// Index of a unit in [`DeclaredSet::units`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitIndex(pub usize);

/// What a GitOps engine treats as one: a directory, a chart, a Flux Kustomization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// How people name it, unique in the set: the path in the tree, or the object by which an engine knows it.
    pub name: String,
    /// Path in its tree, `/`-separated; "" for the root.
    pub path: String,
    /// What renders it.
    pub renderer: Renderer,
    /// What its engine knows of it; `None` for folders and charts that are the entry's own.
    pub engine: Option<EngineUnit>,
    /// Of a release: what is kept of it once it is installed.
    pub record: Option<Arc<ReleaseRecord>>,
}

/// What Helm and the engine above it keep of a release once it is installed: with it they know the release for their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// The release's name.
    pub release: String,
    /// The Secret that is Helm's record of its first revision.
    pub secret: Manifest,
    /// The Flux HelmChart whose generation is in the version of the chart: that of one which nobody has changed.
    pub helm_chart: Option<ObjectId>,
    /// What the chart makes anew at each rendering: JSON pointers into objects as the record holds them, each object named with the
    /// release's namespace where it names none.
    pub generated: Vec<(ObjectId, Vec<String>)>,
    /// What the unit's object gets as its status, for generation 0.
    pub status: Option<Value>,
}

impl ReleaseRecord {
    /// The status for a generation of the object.
    pub fn status_at(status: &Value, generation: i64) -> Value {
        let mut status = status.clone();
        for key in ["observedGeneration", "lastAttemptedGeneration"] {
            status[key] = generation.into();
        }
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            condition["observedGeneration"] = generation.into();
        }
        status
    }
}

/// A unit as its engine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineUnit {
    /// The engine's own object that stands for it: `Kustomization/flux-system/apps`. It may be declared by nobody.
    pub object: ObjectId,
    /// Units, by their engines' objects, that have to be ready before anything of this one is written.
    pub after: Vec<ObjectId>,
    /// When those that come after it may go on.
    pub ready: ReadyWhen,
    /// By what its engine judges objects of some kinds when it waits for them, in place of what is known of these kinds.
    pub checks: Vec<HealthCheck>,
}

/// When an engine calls a unit ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadyWhen {
    /// All of it is written.
    Applied,
    /// All of it is ready.
    Healthy,
    /// All of it is written, and these are ready.
    These(Vec<ObjectId>),
}

/// One declared object.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Identity. Until [`resolve`](super::resolve()) has run, `namespace` is what the manifest says.
    pub id: ObjectId,
    /// The object, cleaned of what a manifest must not carry (status, uid, …).
    pub manifest: Manifest,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The unit it belongs to.
    pub unit: UnitIndex,
    /// Who writes it.
    pub writer: Writer,
    /// Where it belongs if it is namespaced and names no namespace; `None`: where the run says.
    pub namespace: Option<String>,
    /// JSON pointers of fields that come out differently at each rendering (random passwords, certificates), or
    /// [`Self::MADE_ONCE`]. An object with such fields is created only where absent, never overwritten, never drift.
    pub generated: Vec<String>,
    /// What the engine that keeps it is told not to compare.
    pub waivers: Vec<Waiver>,
    /// Set for Helm install hooks.
    pub hook: Option<Hook>,
    /// Set where an engine goes through the unit in turns (Argo CD).
    pub turn: Option<Turn>,
}

impl Declared {
    /// In [`Self::generated`] of a Namespace that an engine makes where it is absent and does not look at again: what others write
    /// into it is no drift.
    pub const MADE_ONCE: &str = "/metadata/labels";

    /// Whether a label or annotation has this value, in any case.
    pub fn is_marked(&self, key: &str, value: &str) -> bool {
        let is = |text: Option<&str>| text.is_some_and(|text| text.eq_ignore_ascii_case(value));
        is(self.manifest.annotation(key)) || is(self.manifest.label(key))
    }

    /// Why Flux does not make an object that Git declares, if so.
    /// Source: kustomize-controller (kustomization_controller.go: apply), `fluxcd/pkg/ssa` (manager_apply.go).
    pub fn left_out(&self) -> Option<&'static str> {
        let marks = [
            (Self::SSA, "Ignore", "kustomize.toolkit.fluxcd.io/ssa: Ignore"),
            (
                Self::RECONCILE,
                "disabled",
                "kustomize.toolkit.fluxcd.io/reconcile: disabled",
            ),
        ];
        let found = marks.iter().find(|(key, value, _)| self.is_marked(key, value));
        found.map(|(_, _, mark)| *mark)
    }

    /// Whether Flux makes it where it is absent, and never writes it again.
    pub fn is_made_once(&self) -> bool {
        self.is_marked(Self::SSA, "IfNotPresent")
    }

    /// Whether Flux applies it as part of a Kustomization: only then its marks count.
    pub fn is_of_kustomization(&self) -> bool {
        self.writer.manager() == "kustomize-controller"
    }

    /// How Flux applies it.
    pub const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
    /// Whether Flux applies it.
    pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
}

/// The repository a set was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// URL or path as given, without credentials.
    pub location: String,
    /// Full commit id; `None` for a plain directory.
    pub commit: Option<String>,
    /// Subject line of the commit.
    pub subject: Option<String>,
    /// Committer time, seconds since 1970.
    pub time: Option<i64>,
    /// The checkout has changes that are not committed, and they were not read.
    pub dirty: bool,
}

/// The place in a repository from which a cluster is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Paths in the tree, `/`-separated, "" for the root; several when `--path` was given more than once.
    pub paths: Vec<String>,
    /// What it was recognised as, for people: "manifests", "kustomization", "chart", "Jenkins X config-root".
    pub dialect: String,
    /// Chosen by detection, not by `--path`.
    pub detected: bool,
}

/// Everything that is declared from one entry, with everything wrong about it.
#[derive(Debug, Clone)]
pub struct DeclaredSet {
    /// Where it was read from.
    pub repository: Repository,
    /// From where in the repository.
    pub entry: Entry,
    /// Units, sorted by name.
    pub units: Vec<Unit>,
    /// Objects, in the order of files and documents.
    pub objects: Vec<Declared>,
    /// Everything wrong with the input, sorted by place.
    pub problems: Vec<Problem>,
    /// Objects in the repository that the entry does not reach: counted, never applied.
    pub unreached: usize,
    /// ConfigMaps and Secrets that units read, settings and projects of Argo CD, where nobody declares them: the target may have them.
    /// Sorted.
    pub wanted: Vec<ObjectId>,
    /// Namespaces in which Argo CD keeps Secrets of clusters that units need and that nobody declares: the target may have them. Sorted.
    pub wanted_clusters: Vec<String>,
}

impl DeclaredSet {
    /// Whether any problem is an error (something could not be used).
    pub fn has_errors(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.kind == super::ProblemKind::Error)
    }
}
