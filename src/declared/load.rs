//! Reads and renders the parts of an entry and puts the set together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kustomize::Kustomize;

use super::chart::{Chart, Settings};
use super::crd::{brought, status_is_data};
use super::documents::{self, Findings, Found};
use super::entry::Parts;
use super::follow::{Job, World};
use super::kustomize::{Outside, render};
use super::parts::{self, Dialect, Part};
use super::{Options, entry, in_parallel, kustomization, release};
use crate::error::{Failure, Kind, printable};
use crate::object::{
    Declared, DeclaredSet, Hook, Manifest, Place, Problem, ProblemKind, Renderer, Unit, UnitIndex, Writer, normalize,
};
use crate::source::Tree;
use crate::source::path;

/// Everything that is declared from one entry.
///
/// # Errors
/// When a path is not there, no entry can be found or several are offered, or there is no room for rendering. What is wrong with a
/// document, an object or a unit is in [`DeclaredSet::problems`].
pub fn load(tree: &Tree, options: &Options) -> Result<DeclaredSet, Failure> {
    let (entry, parts) = entry::choose(tree, &options.paths)?;
    let mut assembly = Assembly::default();
    for path in &entry.paths {
        assembly.problems.extend(tree.problems_within(path).cloned());
    }
    let unreached = parts::unreached(tree, &parts);
    let outside = Outside::of(tree, in_kustomizations(options));
    let mut world = World::new(tree, options, &outside);
    assembly.take_parts(tree, parts, options, &mut world)?;
    let wanted = world.inputs.into_wanted();
    let (units, objects, mut problems) = assembly.finish();
    if objects.is_empty() && problems.is_empty() {
        let places: Vec<String> = entry
            .paths
            .iter()
            .map(|path| if path.is_empty() { "." } else { path })
            .map(printable)
            .collect();
        return Err(
            Failure::new(Kind::Input, format!("nothing is declared in {}", places.join(", ")))
                .because("no document there has apiVersion and kind")
                .hint("--path names the folder or file that declares the cluster"),
        );
    }
    problems
        .sort_by(|a, b| (&a.places, a.kind, &a.object, &a.message).cmp(&(&b.places, b.kind, &b.object, &b.message)));
    problems.dedup();
    Ok(DeclaredSet {
        repository: tree.repository().clone(),
        entry,
        units,
        objects,
        problems,
        unreached,
        wanted,
    })
}

/// An object on its way into the set.
struct Item {
    found: Found,
    unit: String,
    writer: Writer,
    generated: Vec<String>,
    hook: Option<Hook>,
}

#[derive(Default)]
struct Assembly {
    /// By name.
    units: BTreeMap<String, Unit>,
    items: Vec<Item>,
    problems: Vec<Problem>,
}

impl Assembly {
    /// Reads and renders: what stands as it is first, then what engines make of that, charts last.
    fn take_parts(
        &mut self,
        tree: &Tree,
        parts: Parts,
        options: &Options,
        world: &mut World<'_>,
    ) -> Result<(), Failure> {
        let mut jobs = Vec::new();
        let mut kustomizations = BTreeMap::new();
        let mut charts = BTreeMap::new();
        let mut files = BTreeMap::new();
        for (dialect, parts) in parts {
            for part in parts {
                match part {
                    Part::Plain { unit, files: own } => {
                        self.unit(&unit, Renderer::Plain);
                        for file in own {
                            files.entry(file).or_insert((unit.clone(), dialect));
                        }
                    }
                    Part::Kustomization {
                        folder,
                        file,
                        component,
                    } => {
                        kustomizations.insert(folder, (file, component));
                    }
                    Part::Chart(chart) => {
                        charts.insert(chart.folder.clone(), chart);
                    }
                    Part::Flux(folder) => jobs.push(world.entry(tree, &folder)),
                }
            }
        }
        self.read_files(tree, files);
        self.render_kustomizations(tree, kustomizations, options, world.outside)?;
        self.follow(jobs, world);
        if !charts.is_empty() {
            let disk = tree.on_disk()?;
            let charts: Vec<Chart> = charts.into_values().collect();
            for chart in &charts {
                chart.link_folders(tree, &disk);
            }
            let settings = settings(tree, &disk, options)?;
            self.render_charts(&disk, &charts, settings);
        }
        Ok(())
    }

    /// Follows what is there to what engines make of it, until nothing more comes.
    fn follow(&mut self, mut jobs: Vec<Job>, world: &mut World<'_>) {
        let mut seen = 0;
        loop {
            jobs.extend(self.items[seen..].iter().filter_map(|item| world.look_at(&item.found)));
            seen = self.items.len();
            let (rendered, waiting, problems) = world.render(jobs, false);
            // What still waits when nothing more comes waits for what nobody declares.
            let (rendered, waiting, more) = match rendered.is_empty() {
                true => world.render(waiting, true),
                false => (rendered, waiting, Vec::new()),
            };
            self.problems.extend(problems.into_iter().chain(more));
            if rendered.is_empty() {
                return;
            }
            jobs = waiting;
            for one in rendered {
                let name = one.unit.name.clone();
                self.units.insert(name.clone(), one.unit);
                self.add(one.findings, &name, &one.writer);
            }
        }
    }

    fn unit(&mut self, path: &str, renderer: Renderer) {
        let name = if path.is_empty() { "." } else { path };
        self.units.entry(name.to_owned()).or_insert_with(|| Unit {
            name: name.to_owned(),
            path: path.to_owned(),
            renderer,
            engine: None,
        });
    }

    fn add(&mut self, findings: Findings, unit: &str, writer: &Writer) {
        self.problems.extend(findings.problems);
        for found in findings.found {
            self.items.push(Item {
                found,
                unit: unit.to_owned(),
                writer: writer.clone(),
                generated: Vec::new(),
                hook: None,
            });
        }
    }

    fn read_files(&mut self, tree: &Tree, files: BTreeMap<String, (String, Dialect)>) {
        let files: Vec<(String, (String, Dialect))> = files.into_iter().collect();
        let read = |(file, _): &(String, (String, Dialect))| match tree.read(file) {
            Ok(text) => without_other_occasions(documents::of_file(file, &text)),
            Err(problem) => Findings {
                found: Vec::new(),
                problems: vec![*problem],
            },
        };
        let all = in_parallel(&files, read);
        for ((_, (unit, dialect)), findings) in files.iter().zip(all) {
            self.add(findings, unit, &dialect.writer());
        }
    }

    fn render_kustomizations(
        &mut self,
        tree: &Tree,
        all: BTreeMap<String, (String, bool)>,
        options: &Options,
        outside: &Outside<'_>,
    ) -> Result<(), Failure> {
        let program = options.kustomize.as_deref().filter(|_| !all.is_empty());
        let program = program
            .map(|program| Ok::<_, Failure>((program, tree.on_disk()?)))
            .transpose()?;
        let kustomize = Kustomize::new(tree, outside, kustomize::Options::default());
        let all: Vec<(String, (String, bool))> = all.into_iter().collect();
        let rendered = in_parallel(&all, |(folder, (file, component))| {
            if *component {
                let message = "nothing of this kustomization is restored: a Component is only a part of others";
                let problem = Problem::error(Place::file(file), message);
                return Findings {
                    found: Vec::new(),
                    problems: vec![problem.hint("give the kustomization that names it")],
                };
            }
            match &program {
                Some((program, disk)) => kustomization::render(tree, disk, folder, file, program),
                None => render(&kustomize, outside, folder, file),
            }
        });
        let writer = Writer::ServerSide("refloat".to_owned());
        for ((folder, _), findings) in all.iter().zip(rendered) {
            self.unit(folder, Renderer::Kustomize);
            self.add(findings, folder, &writer);
        }
        Ok(())
    }

    /// Charts are rendered until the set brings no API any more that they have not seen, at most three times.
    fn render_charts(&mut self, disk: &Path, charts: &[Chart], mut settings: Settings) {
        const MOST_ROUNDS: usize = 3;
        let mut apis: BTreeSet<String> = std::mem::take(&mut settings.api_versions).into_iter().collect();
        apis.extend(self.items.iter().flat_map(|item| brought(&item.found.value)));
        for round in 1..=MOST_ROUNDS {
            settings.api_versions = apis.iter().cloned().collect();
            let first = in_parallel(charts, |chart| chart.render(disk, &settings));
            let known = apis.len();
            for (output, _) in first.iter().flatten() {
                apis.extend(
                    kube_yaml::parse(output)
                        .into_iter()
                        .filter_map(|d| d.value.ok())
                        .flat_map(|v| brought(&v)),
                );
            }
            if apis.len() > known && round < MOST_ROUNDS {
                continue;
            }
            let second = in_parallel(charts, |chart| chart.render(disk, &settings));
            for ((chart, first), second) in charts.iter().zip(first).zip(second) {
                self.take_chart(chart, &settings, first, second);
            }
            return;
        }
    }

    fn take_chart(&mut self, chart: &Chart, settings: &Settings, first: Rendered, second: Rendered) {
        self.unit(&chart.folder, Renderer::Helm);
        let ((first, remarks), (second, _)) = match (first, second) {
            (Ok(first), Ok(second)) => (first, second),
            (Err(problem), _) | (_, Err(problem)) => {
                self.problems.push(*problem);
                return;
            }
        };
        self.problems.extend(remarks);
        let name = chart.release(settings.release.as_deref());
        let (released, problems) = release::read(chart, &name, &settings.namespace, &first, &second);
        self.problems.extend(problems);
        for one in released {
            self.items.push(Item {
                found: one.found,
                unit: chart.folder.clone(),
                writer: Writer::ServerSide("helm".to_owned()),
                generated: one.generated,
                hook: one.hook,
            });
        }
    }

    fn finish(self) -> (Vec<Unit>, Vec<Declared>, Vec<Problem>) {
        let Self {
            units,
            mut items,
            mut problems,
        } = self;
        items.sort_by(|a, b| {
            let (a, b) = (&a.found.provenance, &b.found.provenance);
            (&a.file, a.document).cmp(&(&b.file, b.document))
        });
        let index: BTreeMap<&str, usize> = units.keys().enumerate().map(|(index, name)| (&**name, index)).collect();
        let plain_status: BTreeSet<(String, String)> = items
            .iter()
            .flat_map(|item| status_is_data(&item.found.value))
            .collect();
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let unit = if item.unit.is_empty() { "." } else { &item.unit };
            let unit = UnitIndex(index.get(unit).copied().unwrap_or_default());
            let text = |key: &str| item.found.value[key].as_str().unwrap_or_default().to_owned();
            let keep = plain_status.contains(&(text("apiVersion"), text("kind")));
            objects.extend(declare(item, unit, keep, &mut problems));
        }
        (units.into_values().collect(), objects, problems)
    }
}

type Rendered = Result<(Vec<u8>, Vec<Problem>), Box<Problem>>;

/// Makes a clean manifest of an object, or says why it cannot be used.
fn declare(item: Item, unit: UnitIndex, keep_status: bool, problems: &mut Vec<Problem>) -> Option<Declared> {
    let Found { value, provenance } = item.found;
    let place = provenance.place();
    if let Some(remark) = normalize::unusable(&value) {
        problems.push(problem(place, remark));
        return None;
    }
    let (value, remarks) = normalize::clean(value, keep_status);
    let kind = value["kind"].as_str().unwrap_or("object").to_owned();
    let manifest = match Manifest::new(value) {
        Ok(manifest) => manifest,
        Err(missing) => {
            let problem = Problem::error(place, format!("this {kind} is not restored: it {missing}"));
            problems.push(problem.hint("complete it, or move the file out of the entry"));
            return None;
        }
    };
    let id = manifest.id();
    problems.extend(
        remarks
            .into_iter()
            .map(|remark| problem(place.clone(), remark).of(id.clone())),
    );
    Some(Declared {
        id,
        manifest,
        provenance,
        unit,
        writer: item.writer,
        generated: item.generated,
        waivers: Vec::new(),
        hook: item.hook,
    })
}

fn problem(place: Place, remark: normalize::Remark) -> Problem {
    let problem = match remark.kind {
        ProblemKind::Error => Problem::error(place, remark.message),
        ProblemKind::Warning => Problem::warning(place, remark.message),
    };
    match remark.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Rendered charts in a repository hold their hooks too. Jenkins X and `kubectl apply` apply them as any object, and so does
/// refloat, except those that Helm would only run when something is tested, deleted or rolled back.
fn without_other_occasions(mut findings: Findings) -> Findings {
    let Findings { found, problems } = &mut findings;
    found.retain(|one| {
        let Some(occasions) = release::is_for_other_occasions(&one.value) else {
            return true;
        };
        let message = format!(
            "this object is not restored: it is a Helm hook that only runs at {}",
            printable(occasions)
        );
        problems.push(Problem::warning(one.provenance.place(), message).hint("take it out of the manifests"));
        false
    });
    findings
}

fn settings(tree: &Tree, disk: &Path, options: &Options) -> Result<Settings, Failure> {
    let mut values = Vec::new();
    for given in &options.values {
        let in_tree = [path::resolve(tree.base(), given), path::resolve("", given)];
        let in_tree = in_tree
            .into_iter()
            .flatten()
            .find(|path| tree.is_file(path))
            .map(|path| disk.join(path));
        let here = || PathBuf::from(given).canonicalize().ok().filter(|path| path.is_file());
        values.push(in_tree.or_else(here).ok_or_else(|| {
            let shown = printable(given);
            Failure::new(
                Kind::Usage,
                format!("nothing was rendered: there is no values file {shown}"),
            )
            .hint("it is looked for in the repository, from the folder given and from the root, then on this machine")
        })?);
    }
    Ok(Settings {
        program: options.helm.clone(),
        namespace: options.namespace.clone(),
        release: options.release.clone(),
        values,
        kube_version: options.kube_version.clone(),
        api_versions: options.api_versions.clone(),
        crds: true,
    })
}

/// What charts of kustomizations are rendered with; the rest is in their entries.
fn in_kustomizations(options: &Options) -> Settings {
    Settings {
        program: options.helm.clone(),
        kube_version: options.kube_version.clone(),
        api_versions: options.api_versions.clone(),
        ..Settings::default()
    }
}
