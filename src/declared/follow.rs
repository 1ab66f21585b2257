//! Units yield further units: objects that engines act on are followed to what they declare.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::documents::{Findings, Found};
use super::flux::{self, Kustomization, SourceFound, Sources};
use super::inputs::Inputs;
use super::kustomize::Outside;
use super::{Options, in_parallel, inputs};
use crate::object::{ObjectId, Place, Problem, ProblemKind, Renderer, Unit, Writer};
use crate::source::Tree;

/// Something to render.
pub(super) enum Job {
    /// A Flux Kustomization.
    Flux(Kustomization),
}

/// A unit, rendered.
pub(super) struct Rendered {
    pub unit: Unit,
    pub writer: Writer,
    pub findings: Findings,
}

/// What objects yield: group, kind, and how they are read. A dialect is a row here and a file or folder beside.
type Row = (&'static str, &'static str, fn(&Value, Place, &str) -> Job);

const YIELDS: &[Row] = &[(
    flux::KUSTOMIZATION.0,
    flux::KUSTOMIZATION.1,
    |value, place, namespace| Job::Flux(Kustomization::read(value, place, namespace)),
)];

/// All that units are rendered with.
pub(super) struct World<'t> {
    namespace: String,
    strict_substitution: bool,
    /// Kustomizations that sync an entry.
    entries: BTreeSet<ObjectId>,
    pub sources: Sources<'t>,
    pub inputs: Inputs<'t>,
    pub outside: &'t Outside<'t>,
}

/// Jobs, as far as they can be rendered.
enum Step<'t> {
    /// Now, with this.
    Ready(Ready<'t>),
    /// Once more is declared.
    Waits,
    /// Not at all.
    Never(Problem),
}

enum Ready<'t> {
    Flux(Kustomization, flux::Root<'t>, BTreeMap<String, String>),
}

impl<'t> World<'t> {
    pub fn new(tree: &'t Tree, options: &'t Options, outside: &'t Outside<'t>) -> Self {
        Self {
            namespace: options.namespace.clone(),
            strict_substitution: false,
            entries: BTreeSet::new(),
            sources: Sources::new(tree, &options.sources),
            inputs: Inputs::new(&options.inputs),
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

    /// Takes note of what others may need, and gives what an object yields.
    pub fn look_at(&mut self, found: &Found) -> Option<Job> {
        let value = &found.value;
        self.sources.note(value, &self.namespace);
        self.inputs.note(value, &self.namespace);
        self.strict_substitution |= flux::is_strict(value);
        let text = |key: &str| value[key].as_str().unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        let row = YIELDS.iter().find(|row| row.0 == group && row.1 == text("kind"))?;
        let Job::Flux(kustomization) = (row.2)(value, found.provenance.place(), &self.namespace);
        // An entry is rendered already, and may declare itself.
        (!self.entries.contains(&kustomization.id)).then_some(Job::Flux(kustomization))
    }

    /// Renders those of the jobs that can be rendered; the others come back. `last` says that nothing more will be declared, so that
    /// none does.
    pub fn render(&mut self, jobs: Vec<Job>, last: bool) -> (Vec<Rendered>, Vec<Job>, Vec<Problem>) {
        let (mut ready, mut waiting, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            match self.step(&job, last) {
                Step::Ready(one) => ready.push(one),
                Step::Waits => waiting.push(job),
                Step::Never(problem) => problems.push(problem),
            }
        }
        let rendered = in_parallel(&ready, |one| match one {
            Ready::Flux(kustomization, root, variables) => Rendered {
                unit: Unit {
                    name: kustomization.id.to_string(),
                    path: kustomization.path().unwrap_or_default(),
                    renderer: Renderer::Kustomize,
                    engine: Some(kustomization.engine()),
                },
                writer: Writer::ServerSide("kustomize-controller".to_owned()),
                findings: kustomization.render(root, self.outside, variables.clone(), self.strict_substitution),
            },
        });
        (rendered, waiting, problems)
    }

    fn step(&mut self, job: &Job, last: bool) -> Step<'t> {
        let Job::Flux(kustomization) = job;
        if let Some(why) = kustomization.is_for_elsewhere() {
            let mut problem = kustomization.nothing(why);
            problem.kind = ProblemKind::Warning;
            return Step::Never(problem);
        }
        let source = kustomization.source();
        let root = match self.sources.find(&source, last) {
            SourceFound::Here(root) => root,
            SourceFound::Undeclared if !last => return Step::Waits,
            SourceFound::Undeclared => {
                let problem = kustomization.nothing(&format!("nothing declares its source {source}"));
                return Step::Never(problem.hint(source.how_to_give()));
            }
            SourceFound::Refused { why, hint } => return Step::Never(kustomization.nothing(&why).hint(hint)),
        };
        let mut variables = BTreeMap::new();
        for from in kustomization.variables_from() {
            if !last && !self.inputs.is_declared(&from.id) {
                return Step::Waits;
            }
            match self.inputs.read(&from.id) {
                Some(inputs::Texts(texts)) => {
                    variables.extend(texts.into_iter().map(|(name, value)| (name, flux::one_line(&value))));
                }
                None if from.optional => {}
                None => return Step::Never(missing(kustomization, &from.id)),
            }
        }
        Step::Ready(Ready::Flux(kustomization.clone(), root, variables))
    }
}

/// An input that nobody has: never rendered with empty values.
fn missing(kustomization: &Kustomization, id: &ObjectId) -> Problem {
    let problem = kustomization.nothing(&format!(
        "its variables come from {id}, which is neither declared nor in the cluster"
    ));
    problem.hint(format!("declare it, or give its content with --input {id}=FILE"))
}
