//! Units yield further units: objects that engines act on are followed to what they declare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::argo::{self, App, Lack, Set};
use super::charted::Charted;
use super::documents::{Findings, Found};
use super::flux::{self, Dependencies, HelmRelease, Kustomization, SourceFound, Sources};
use super::followed::Followed;
use super::helm::Charts;
use super::inputs::{Input, Inputs};
use super::kustomize::Outside;
use super::releases::{self, Prepared, Step};
use super::secrets::Keys;
use super::{Options, in_parallel};
use crate::object::{ObjectId, Place, Problem, ProblemKind, Provenance, Renderer, Unit, Writer, api_group};
use crate::source::Tree;

/// Something to render.
pub(super) enum Job {
    /// A Flux Kustomization.
    Flux(Kustomization),
    /// A Flux HelmRelease.
    Release(Arc<HelmRelease>),
    /// An Application of Argo CD.
    Application(Arc<App>),
    /// An ApplicationSet of Argo CD.
    Set(Arc<Set>),
}

impl Job {
    /// The object that yields it.
    fn object(&self) -> ObjectId {
        match self {
            Self::Flux(kustomization) => kustomization.id.clone(),
            Self::Release(release) => release.id.clone(),
            Self::Application(app) => app.id.clone(),
            Self::Set(set) => set.id.clone(),
        }
    }

    /// Units that it depends on.
    fn after(&self) -> Vec<ObjectId> {
        match self {
            Self::Flux(kustomization) => kustomization.after(),
            Self::Release(release) => release.after(),
            Self::Application(_) | Self::Set(_) => Vec::new(),
        }
    }
}

/// A unit, rendered.
pub(super) struct Rendered {
    pub unit: Unit,
    pub writer: Writer,
    pub findings: Findings,
    /// The Application that it is.
    pub app: Option<Arc<App>>,
}

/// What came of jobs.
#[derive(Default)]
pub(super) struct Round {
    pub rendered: Vec<Rendered>,
    /// Charts that are at hand.
    pub charted: Vec<Charted>,
    /// What could not be rendered yet.
    pub waiting: Vec<Job>,
    pub problems: Vec<Problem>,
    /// Applications of which something could not be had: nothing of them is restored.
    pub failed: Vec<ObjectId>,
}

/// What objects yield: group, kind, and how they are read. A dialect is a row here and a file or folder beside.
type Row = (&'static str, &'static str, fn(&Value, Place, &str) -> Job);

const YIELDS: &[Row] = &[
    (
        flux::KUSTOMIZATION.0,
        flux::KUSTOMIZATION.1,
        |value, place, namespace| Job::Flux(Kustomization::read(value, place, namespace)),
    ),
    (flux::HELM_RELEASE.0, flux::HELM_RELEASE.1, |value, place, namespace| {
        Job::Release(Arc::new(HelmRelease::read(value, place, namespace)))
    }),
    (argo::APPLICATION.0, argo::APPLICATION.1, |value, place, namespace| {
        Job::Application(Arc::new(App::read(value, place, namespace)))
    }),
    (
        argo::APPLICATION_SET.0,
        argo::APPLICATION_SET.1,
        |value, place, namespace| Job::Set(Arc::new(Set::read(value, place, namespace))),
    ),
];

/// All that units are rendered with.
pub(super) struct World<'t> {
    namespace: String,
    strict_substitution: bool,
    /// Kustomizations that sync an entry.
    pub entries: BTreeSet<ObjectId>,
    tree: &'t Tree,
    keys: &'t Keys,
    charts: &'t Charts,
    pub sources: Sources<'t>,
    pub argo: argo::Known,
    pub dependencies: Dependencies,
    pub inputs: Inputs<'t>,
    pub followed: Followed,
    pub outside: &'t Outside<'t>,
}

/// What can be rendered now.
#[derive(Default)]
struct AtHand<'t> {
    kustomizations: Vec<Ready<'t>>,
    releases: Vec<Prepared<'t>>,
    applications: Vec<argo::Prepared<'t>>,
}

impl AtHand<'_> {
    fn is_empty(&self) -> bool {
        self.kustomizations.is_empty() && self.releases.is_empty() && self.applications.is_empty()
    }
}

/// What a Kustomization is rendered with.
struct Ready<'t> {
    kustomization: Kustomization,
    root: flux::Root<'t>,
    keys: Keys,
    variables: BTreeMap<String, String>,
}

impl<'t> World<'t> {
    pub fn new(tree: &'t Tree, options: &'t Options, outside: &'t Outside<'t>) -> Self {
        Self {
            namespace: options.namespace.clone(),
            // As Flux is by itself.
            strict_substitution: true,
            entries: BTreeSet::new(),
            tree,
            keys: &options.keys,
            charts: &options.charts,
            sources: Sources::new(tree, &options.sources, &options.charts),
            argo: argo::Known::new(options),
            dependencies: Dependencies::default(),
            inputs: Inputs::new(&options.inputs, &options.unread),
            followed: Followed::default(),
            outside,
        }
    }

    /// A folder that Flux syncs. Its source is the repository, whatever its address.
    pub fn entry(&mut self, tree: &Tree, folder: &str) -> Job {
        let kustomization = flux::entry(tree, folder, &self.namespace);
        self.sources.is_own(&kustomization.source());
        self.entries.insert(kustomization.id.clone());
        Job::Flux(kustomization)
    }

    /// Takes note of what others may need, and gives what an object of a unit yields. `namespace` is where the unit puts objects that name
    /// none.
    pub fn look_at(&mut self, found: &Found, unit: &str, namespace: Option<&str>) -> Option<Job> {
        let value = &found.value;
        let namespace = namespace.filter(|own| !own.is_empty()).unwrap_or(&self.namespace);
        self.sources.note(value, found.provenance.place(), namespace);
        self.argo.note(value, namespace);
        self.dependencies.note(value, namespace);
        self.inputs.note(value, namespace);
        if let Some(strict) = flux::strictness(value) {
            self.strict_substitution = strict;
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default();
        let group = api_group(text("apiVersion"));
        if flux::is_left_out(value) {
            return None;
        }
        let row = YIELDS.iter().find(|row| row.0 == group && row.1 == text("kind"))?;
        let job = (row.2)(value, found.provenance.place(), namespace);
        // An entry is rendered already, and may declare itself.
        let is_entry = matches!(&job, Job::Flux(one) if self.entries.contains(&one.id));
        let place = found.provenance.place();
        (!is_entry && self.followed.take(&job.object(), value, unit, place)).then_some(job)
    }

    /// Renders those of the jobs that can be rendered, and gets the charts of those that helm renders; the others come back. `last`
    /// says that nothing more will be declared, but by these jobs.
    pub fn turn(&mut self, jobs: Vec<Job>, last: bool) -> Round {
        let mut round = Round::default();
        let mut at_hand = AtHand::default();
        let mut left = jobs;
        while at_hand.is_empty() && round.rendered.is_empty() && !left.is_empty() {
            let (now, held) = if last { first_of(left) } else { (left, Vec::new()) };
            let mut refused = Vec::new();
            for job in now {
                match self.step(&job, last, &mut at_hand, &mut round) {
                    Step::Ready(()) => {}
                    Step::Waits => round.waiting.push(job),
                    Step::Never(problem) => refused.push((job, problem)),
                }
            }
            // What the others yield may be what these lack.
            let again = last && !(at_hand.is_empty() && round.rendered.is_empty());
            for (job, problem) in refused {
                match again {
                    true => round.waiting.push(job),
                    false => round.problems.push(problem),
                }
            }
            left = held;
        }
        round.waiting.extend(left);
        self.obtain(at_hand, &mut round);
        round
    }

    /// Whether a job can be done now, and what with.
    fn step(&mut self, job: &Job, last: bool, at_hand: &mut AtHand<'t>, round: &mut Round) -> Step<()> {
        match job {
            Job::Flux(kustomization) => {
                let step = self.kustomization(kustomization, last);
                step.map(|one| at_hand.kustomizations.push(one))
            }
            Job::Release(release) => self.release(release, last).map(|one| at_hand.releases.push(one)),
            Job::Application(app) => {
                let prepared = argo::prepare(app, &mut self.argo, &self.sources, last);
                step_of(prepared, |why| app.nothing(why)).map(|one| at_hand.applications.push(one))
            }
            Job::Set(set) => {
                let generated = set.generate(&mut self.argo, &self.sources, last);
                let step = step_of(generated, |why| set.nothing(why));
                step.map(|(made, remarks)| round.take_set(set, made, remarks))
            }
        }
    }

    /// Renders what is at hand.
    fn obtain(&self, at_hand: AtHand<'t>, round: &mut Round) {
        let rendered = in_parallel(&at_hand.kustomizations, |one| self.render(one));
        round.rendered.extend(rendered);
        let rendered = in_parallel(&at_hand.applications, |one| {
            one.render(self.tree, self.outside, self.keys, self.charts)
        });
        for (prepared, one) in at_hand.applications.iter().zip(rendered) {
            match one {
                Ok(one) => {
                    round.charted.extend(one.charted);
                    round.rendered.push(Rendered {
                        unit: one.unit,
                        writer: Writer::ServerSide("argocd-controller".to_owned()),
                        findings: one.findings,
                        app: Some(one.app),
                    });
                }
                Err(problem) => match prepared.again(&problem) {
                    Some(app) => round.waiting.push(Job::Application(app)),
                    None => {
                        round.failed.extend(problem.object.clone());
                        round.problems.push(*problem);
                    }
                },
            }
        }
        for obtained in in_parallel(&at_hand.releases, |one| one.obtain(self.tree, self.charts)) {
            match obtained {
                Ok(charted) => round.charted.push(charted),
                Err(problem) => round.problems.push(*problem),
            }
        }
    }

    fn render(&self, one: &Ready<'_>) -> Rendered {
        let kustomization = &one.kustomization;
        let (variables, strict) = (one.variables.clone(), self.strict_substitution);
        Rendered {
            unit: Unit {
                name: kustomization.id.to_string(),
                path: kustomization.path().unwrap_or_default(),
                renderer: Renderer::Kustomize,
                engine: Some(kustomization.engine()),
                record: None,
            },
            writer: Writer::ServerSide("kustomize-controller".to_owned()),
            findings: kustomization.render(&one.root, self.outside, &one.keys, variables, strict),
            app: None,
        }
    }

    fn release(&mut self, release: &Arc<HelmRelease>, last: bool) -> Step<Prepared<'t>> {
        match release.is_for_elsewhere() {
            Some(why) => Step::Never(elsewhere(release.nothing(why))),
            None => match release.starts(&mut self.dependencies, last) {
                Ok(()) => releases::prepare(release, &self.sources, &mut self.inputs, last),
                Err(lack) => lack.step(|why| release.nothing(why)),
            },
        }
    }

    fn kustomization(&mut self, kustomization: &Kustomization, last: bool) -> Step<Ready<'t>> {
        if let Some(why) = kustomization.is_for_elsewhere() {
            return Step::Never(elsewhere(kustomization.nothing(why)));
        }
        if let Err(lack) = kustomization.starts(&mut self.dependencies, last) {
            return lack.step(|why| kustomization.nothing(why));
        }
        let source = kustomization.source();
        let root = match self.sources.find(&source, &mut self.inputs, last) {
            SourceFound::Here(root) => root,
            SourceFound::Undeclared if !last => return Step::Waits,
            SourceFound::Undeclared => {
                let problem = kustomization.nothing(&format!("nothing declares its source {source}"));
                return Step::Never(problem.hint(source.how_to_give()));
            }
            SourceFound::Refused { why, hint } => return Step::Never(kustomization.nothing(&why).hint(hint)),
        };
        let mut keys = self.keys.clone();
        if let Some(id) = kustomization.decrypts_with() {
            match self.inputs.get(&id, last) {
                Input::Later => return Step::Waits,
                // Without it the operator's own keys may do; what does not open is told.
                Input::Nowhere | Input::Unread(_) => {}
                Input::Here(texts) => match keys.with(&texts) {
                    Ok(all) => keys = all,
                    Err(why) => return Step::Never(kustomization.nothing(&format!("its keys in {id}: {why}"))),
                },
            }
        }
        let mut variables = BTreeMap::new();
        for from in kustomization.variables_from() {
            match self.inputs.get(&from.id, last) {
                Input::Later => return Step::Waits,
                Input::Here(texts) => {
                    let texts = texts.texts();
                    variables.extend(texts.map(|(name, value)| (name.clone(), flux::one_line(&value))));
                }
                Input::Nowhere if from.optional => {}
                Input::Nowhere => {
                    let why = "is neither declared nor in the cluster";
                    return Step::Never(missing(kustomization, &from.id, why));
                }
                Input::Unread(why) => return Step::Never(missing(kustomization, &from.id, &why)),
            }
        }
        Step::Ready(Ready {
            kustomization: kustomization.clone(),
            root,
            keys,
            variables,
        })
    }
}

/// Those of the jobs that wait for none of the others, and the others; all, where they wait for each other in a ring.
fn first_of(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let all: BTreeSet<ObjectId> = jobs.iter().map(Job::object).collect();
    let waits = |job: &Job| job.after().iter().any(|unit| all.contains(unit));
    let (held, now): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(waits);
    match now.is_empty() {
        true => (held, now),
        false => (now, held),
    }
}

impl Round {
    /// The Applications of an ApplicationSet.
    fn take_set(&mut self, set: &Set, made: Vec<Value>, remarks: Vec<Problem>) {
        let (unit, writer) = set.unit();
        let provenance = Provenance {
            file: set.place.file.clone(),
            document: 0,
            line: set.place.line.unwrap_or_default(),
            renderer: Renderer::Plain,
        };
        let found = made.into_iter().map(|value| Found {
            value,
            provenance: provenance.clone(),
        });
        self.rendered.push(Rendered {
            unit,
            writer,
            findings: Findings {
                found: found.collect(),
                problems: remarks,
            },
            app: None,
        });
    }
}

/// What Argo CD's part says, as a step.
fn step_of<T>(prepared: Result<T, Lack>, nothing: impl Fn(&str) -> Problem) -> Step<T> {
    match prepared {
        Ok(one) => Step::Ready(one),
        Err(Lack::Yet) => Step::Waits,
        Err(Lack::Elsewhere(why)) => Step::Never(elsewhere(nothing(&why))),
        Err(Lack::Never(why, hint)) => {
            let problem = nothing(&why);
            Step::Never(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            })
        }
    }
}

/// What is for another cluster, or for later, is no error.
fn elsewhere(mut problem: Problem) -> Problem {
    problem.kind = ProblemKind::Warning;
    problem
}

/// An input that nobody has, or that is not known: never rendered with empty values.
fn missing(kustomization: &Kustomization, id: &ObjectId, why: &str) -> Problem {
    let problem = kustomization.nothing(&format!("its variables come from {id}, which {why}"));
    problem.hint(format!("declare it, or give its content with --input {id}=FILE"))
}
