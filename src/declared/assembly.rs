//! A set as it comes together: parts of the entry, what engines make of them, charts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kustomize::Kustomize;
use serde_json::{Value, json};

use super::appliers;
use super::argo::{self, App, Sync};
use super::charted::{self, Charted};
use super::crd::{brought, status_is_data};
use super::documents::{Findings, Found};
use super::entry::Parts;
use super::follow::{Job, World};
use super::kustomize::{Outside, render};
use super::parts::{Dialect, Part};
use super::plain::{self, Seen};
use super::release::Origin;
use super::sealed::{self, Sealing};
use super::secrets::Decrypting;
use super::snapshot::read_snapshot;
use super::{Options, in_parallel, kustomization, load};
use crate::error::Failure;
use crate::object::{
    Declared, Hook, Manifest, ObjectId, Place, Problem, ProblemKind, Renderer, Repository, Standing, Turn, Unit,
    UnitIndex, Writer, normalize,
};
use crate::source::Tree;

/// An object on its way into the set.
struct Item {
    found: Found,
    unit: String,
    writer: Writer,
    /// Where it belongs if it names none.
    namespace: Option<String>,
    generated: Vec<String>,
    hook: Option<Hook>,
    turn: Option<Turn>,
    /// The Application that it belongs to.
    app: Option<Arc<App>>,
}

#[derive(Default)]
pub(super) struct Assembly {
    /// By name.
    units: BTreeMap<String, Unit>,
    items: Vec<Item>,
    /// Applications of which something could not be rendered.
    failed: BTreeSet<String>,
    pub problems: Vec<Problem>,
}

impl Assembly {
    /// Reads and renders: what stands as it is first, then what engines make of that, charts last.
    pub fn take_parts(
        &mut self,
        tree: &Tree,
        parts: Parts,
        options: &Options,
        world: &mut World<'_>,
        seen: &Seen,
    ) -> Result<(), Failure> {
        let mut jobs = Vec::new();
        let mut kustomizations = BTreeMap::new();
        let mut charts = BTreeMap::new();
        let mut files = BTreeMap::new();
        let mut snapshots = Vec::new();
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
                    Part::Foreign(applied) => self.problems.push(applied.problem()),
                    Part::Snapshot(folder) => snapshots.push(folder),
                }
            }
        }
        self.read_files(tree, files, options, seen);
        self.render_kustomizations(tree, kustomizations, options, world.outside)?;
        let charts = self.local_charts(tree, charts, options)?;
        self.follow(jobs, charts, world, options);
        // What engines made is in a snapshot itself, so that nothing in it is followed.
        snapshots
            .iter()
            .for_each(|folder| self.take_snapshot(tree, folder, options));
        Ok(())
    }

    /// The charts of the entry itself, ready to be rendered.
    fn local_charts(
        &mut self,
        tree: &Tree,
        charts: BTreeMap<String, super::chart::Chart>,
        options: &Options,
    ) -> Result<Vec<Charted>, Failure> {
        if charts.is_empty() {
            return Ok(Vec::new());
        }
        let disk = tree.on_disk()?;
        let values = load::values_files(tree, &disk, options)?;
        let mut charted = Vec::new();
        for chart in charts.into_values() {
            chart.link_folders(tree, &disk);
            let unit = self.unit(&chart.folder, Renderer::Helm);
            if let Err(problem) = chart.complete(&disk, &options.charts) {
                self.problems.push(*problem);
                continue;
            }
            let name = chart.release(options.release.as_deref());
            let mut call = chart.call(&disk, name, options.namespace.clone());
            call.files.clone_from(&values);
            charted.push(Charted {
                unit,
                writer: Writer::ServerSide("helm".to_owned()),
                origin: Origin::Folder(chart.folder),
                call,
                release: None,
                app: None,
                remarks: Vec::new(),
                oci_digest: None,
                helm_chart: None,
                unrecorded: None,
                _kept: None,
            });
        }
        Ok(charted)
    }

    /// Follows what is there to what engines make of it, until nothing more comes. Charts are rendered when nothing else is left: they
    /// see the APIs of all that, and may yield more.
    fn follow(&mut self, mut jobs: Vec<Job>, mut charts: Vec<Charted>, world: &mut World<'_>, options: &Options) {
        let target = load::target(options);
        let mut apis: BTreeSet<String> = target.api_versions.iter().cloned().collect();
        let mut seen = 0;
        let mut last = false;
        loop {
            let new = self.items[seen..].iter();
            jobs.extend(new.filter_map(|item| world.look_at(&item.found, &item.unit, item.namespace.as_deref())));
            let new = self.items[seen..].iter();
            let untold = new.filter_map(|item| {
                let namespace = item.namespace.as_deref().unwrap_or(&options.namespace);
                appliers::not_rendered(&item.found.value, item.found.provenance.place(), namespace)
            });
            self.problems.extend(untold);
            apis.extend(self.items[seen..].iter().flat_map(|item| brought(&item.found.value)));
            seen = self.items.len();
            let turn = world.turn(jobs, last);
            jobs = turn.waiting;
            self.problems.extend(turn.problems);
            self.failed.extend(turn.failed.iter().map(ToString::to_string));
            charts.extend(turn.charted);
            let comes_more = !turn.rendered.is_empty();
            for one in turn.rendered {
                let name = one.unit.name.clone();
                self.units.insert(name.clone(), one.unit);
                self.add(one.findings, &name, &one.writer, one.app.as_ref());
            }
            if comes_more {
                last = false;
            } else if !charts.is_empty() {
                let rendered = charted::render(std::mem::take(&mut charts), &target, &mut apis, world.outside, options);
                rendered.into_iter().for_each(|one| self.take_chart(one));
                last = false;
            } else if !last {
                // What still waits when nothing more comes waits for what nobody declares.
                last = true;
            } else if jobs.is_empty() {
                break;
            }
        }
        self.problems.extend(world.dependencies.remarks(&world.entries));
        self.problems.extend(world.sources.remarks());
        self.problems.extend(world.followed.remarks());
        let rendered: BTreeSet<String> = self
            .units
            .keys()
            .filter(|unit| !self.failed.contains(*unit))
            .cloned()
            .collect();
        // Nobody makes healthy here what is for another cluster, or what could not be rendered, which is told.
        let is_here = |on: &ObjectId| on.kind != argo::APPLICATION.1 || rendered.contains(&on.to_string());
        for engine in self.units.values_mut().filter_map(|unit| unit.engine.as_mut()) {
            let object = engine.object.clone();
            engine
                .after
                .retain(|on| is_here(on) && !world.dependencies.is_at_once(&object, on));
        }
    }

    fn take_chart(&mut self, one: charted::Rendered) {
        let unit = one.unit.name.clone();
        // Of an Application's sources the first names it.
        match one.app.is_some() {
            true => _ = self.units.entry(unit.clone()).or_insert(one.unit),
            false => _ = self.units.insert(unit.clone(), one.unit),
        }
        let is_broken = one.problems.iter().any(|problem| problem.kind == ProblemKind::Error);
        if is_broken && one.app.is_some() {
            self.failed.insert(unit.clone());
        }
        self.problems.extend(one.problems);
        if let Some((namespace, provenance)) = one.creates {
            self.items.push(Item {
                found: Found {
                    value: json!({
                        "apiVersion": "v1",
                        "kind": "Namespace",
                        "metadata": {"name": namespace, "labels": {"name": namespace}},
                    }),
                    provenance,
                },
                unit: unit.clone(),
                writer: one.writer.clone(),
                namespace: None,
                // Helm makes it where it is absent, and never looks at it again.
                generated: vec![Declared::MADE_ONCE.to_owned()],
                hook: None,
                turn: None,
                app: None,
            });
        }
        for object in one.objects {
            self.items.push(Item {
                found: object.found,
                unit: unit.clone(),
                writer: one.writer.clone(),
                namespace: Some(one.namespace.clone()),
                generated: object.generated,
                hook: object.hook,
                turn: None,
                app: one.app.clone(),
            });
        }
    }

    /// The Secrets of keys that were given, where nobody declares them.
    pub fn take_keys(&mut self, sealing: &Sealing) {
        let name = |value: &Value, key: &str| value["metadata"][key].as_str().map(str::to_owned);
        for found in sealing.secrets() {
            let is_it = |item: &Item| {
                let (own, other) = (&item.found.value, &found.value);
                own["kind"] == "Secret"
                    && ["namespace", "name"]
                        .iter()
                        .all(|key| name(own, key) == name(other, key))
            };
            if self.items.iter().any(is_it) {
                continue;
            }
            self.unit(sealed::UNIT, Renderer::Plain);
            let findings = Findings {
                found: vec![found],
                problems: Vec::new(),
            };
            self.add(findings, sealed::UNIT, &Writer::ServerSide("refloat".to_owned()), None);
        }
    }

    fn take_snapshot(&mut self, tree: &Tree, folder: &str, options: &Options) {
        let snapshot = match read_snapshot(tree, folder, &options.keys, |standing| *standing == Standing::Own) {
            Ok(snapshot) => snapshot,
            Err(problem) => return self.problems.push(*problem),
        };
        let (all, problems) = snapshot.declares();
        self.problems.extend(problems);
        let unit = self.unit(folder, Renderer::Plain).name;
        for (found, writer) in all {
            let findings = Findings {
                found: vec![found],
                problems: Vec::new(),
            };
            self.add(findings, &unit, &writer, None);
        }
    }

    fn unit(&mut self, path: &str, renderer: Renderer) -> Unit {
        let name = if path.is_empty() { "." } else { path };
        let unit = self.units.entry(name.to_owned()).or_insert_with(|| Unit {
            name: name.to_owned(),
            path: path.to_owned(),
            renderer,
            engine: None,
            record: None,
        });
        unit.clone()
    }

    fn add(&mut self, findings: Findings, unit: &str, writer: &Writer, app: Option<&Arc<App>>) {
        self.problems.extend(findings.problems);
        for found in findings.found {
            self.items.push(Item {
                found,
                unit: unit.to_owned(),
                writer: writer.clone(),
                namespace: app.map(|app| app.namespace().to_owned()),
                generated: Vec::new(),
                hook: None,
                turn: None,
                app: app.cloned(),
            });
        }
    }

    fn read_files(&mut self, tree: &Tree, files: BTreeMap<String, (String, Dialect)>, options: &Options, seen: &Seen) {
        let files: Vec<(String, (String, Dialect))> = files.into_iter().collect();
        let names: Vec<&str> = files.iter().map(|(file, _)| &**file).collect();
        let (all, problems) = plain::read(tree, &names, &options.keys, seen);
        self.problems.extend(problems);
        for ((_, (unit, dialect)), findings) in files.iter().zip(all) {
            self.add(findings, unit, &dialect.writer(), None);
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
        let files = Decrypting::new(tree, options.keys.clone(), BTreeSet::new);
        let kustomize = Kustomize::new(&files, outside, kustomize::Options::default());
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
            self.add(findings, folder, &writer, None);
        }
        Ok(())
    }

    /// The set; `argo` is what was declared beside Applications, of this repository.
    pub fn finish(self, argo: &argo::Known, repository: &Repository) -> (Vec<Unit>, Vec<Declared>, Vec<Problem>) {
        let Self {
            units,
            mut items,
            failed,
            mut problems,
        } = self;
        items.retain(|item| item.app.is_none() || !failed.contains(&item.unit));
        let sync = Sync::new(argo, repository, items.iter().map(|item| &item.found.value));
        sync_in_turns(&mut items, &sync, &mut problems);
        without_doubled_namespaces(&mut items);
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

/// Gives the objects of Applications their turns and marks, and takes away what no sync applies.
fn sync_in_turns(items: &mut Vec<Item>, sync: &Sync<'_>, problems: &mut Vec<Problem>) {
    let (of_apps, mut all): (Vec<Item>, Vec<Item>) =
        std::mem::take(items).into_iter().partition(|item| item.app.is_some());
    let mut by_unit: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for item in of_apps {
        by_unit.entry(item.unit.clone()).or_default().push(item);
    }
    without_sharers(&mut by_unit, sync, problems);
    for (unit, mut items) in by_unit {
        let Some(app) = items.first().and_then(|item| item.app.clone()) else {
            continue;
        };
        for item in &mut items {
            item.writer = app.writer(&item.found.value);
        }
        let values: Vec<Value> = items.iter().map(|item| item.found.value.clone()).collect();
        let created = app.creates_namespace(&values);
        for (item, turn) in items.iter_mut().zip(argo::turns(&values)) {
            item.turn = turn;
        }
        items.retain(|item| item.turn.is_some());
        let values: Vec<&Value> = items.iter().map(|item| &item.found.value).collect();
        if let Some(why) = sync.forbids(&app, &values) {
            problems.push(app.nothing(&why));
            continue;
        }
        for mut item in items {
            if let Some(turn) = item.turn {
                sync.name(&mut item.found.value, turn);
            }
            if let Err(why) = sync.mark(&app, &mut item.found.value) {
                let message = format!("this object cannot be marked as one of {}: {why}", app.id);
                problems.push(Problem::warning(item.found.provenance.place(), message));
            }
            all.push(item);
        }
        if let Some(value) = created {
            let provenance = Origin::Object(app.place.clone()).provenance(None, 0);
            let is_managed = value["metadata"].get("annotations").is_some();
            all.push(Item {
                writer: app.writer(&value),
                found: Found { value, provenance },
                unit,
                namespace: None,
                // Without metadata of its own Argo CD makes it where it is absent, and never looks at it again.
                generated: match is_managed {
                    true => Vec::new(),
                    false => vec![Declared::MADE_ONCE.to_owned()],
                },
                hook: None,
                turn: None,
                app: Some(app),
            });
        }
    }
    *items = all;
}

/// Takes away what an Application declares that is not to share objects with others (`FailOnSharedResource=true`), and does
/// (`controller/sync.go`): of several such all but the last.
fn without_sharers(by_unit: &mut BTreeMap<String, Vec<Item>>, sync: &Sync<'_>, problems: &mut Vec<Problem>) {
    let names: Vec<String> = by_unit.keys().cloned().collect();
    for name in names {
        let items = by_unit.get(&name).into_iter().flatten();
        let Some(app) = items
            .filter_map(|item| item.app.clone())
            .find(|app| app.shares_nothing())
        else {
            continue;
        };
        let of = |items: &[Item]| -> BTreeSet<ObjectId> {
            items
                .iter()
                .filter_map(|item| sync.identity(item.app.as_ref()?, &item.found.value))
                .collect()
        };
        let own = by_unit.get(&name).map(|items| of(items)).unwrap_or_default();
        let others = by_unit.iter().filter(|(other, _)| **other != name);
        let shared = others.filter_map(|(other, items)| Some((other, of(items).intersection(&own).next()?.clone())));
        let shared: Vec<String> = shared
            .map(|(other, object)| format!("{other} declares {object} too"))
            .collect();
        if !shared.is_empty() {
            let problem = app.nothing(&format!("it says FailOnSharedResource=true, and {}", shared.join(", ")));
            problems.push(problem.hint("keep the object in one of them"));
            by_unit.remove(&name);
        }
    }
}

/// A namespace that a release would make is not made by it where it is declared.
fn without_doubled_namespaces(items: &mut Vec<Item>) {
    let is_namespace = |item: &Item| item.found.value["apiVersion"] == "v1" && item.found.value["kind"] == "Namespace";
    let name = |item: &Item| {
        item.found.value["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let is_made = |item: &Item| is_namespace(item) && item.generated.iter().any(|at| at == Declared::MADE_ONCE);
    let mut known: BTreeSet<String> = items
        .iter()
        .filter(|item| is_namespace(item) && !is_made(item))
        .map(name)
        .collect();
    items.retain(|item| !is_made(item) || known.insert(name(item)));
}

/// Makes a clean manifest of an object, or says why it cannot be used.
fn declare(item: Item, unit: UnitIndex, keep_status: bool, problems: &mut Vec<Problem>) -> Option<Declared> {
    let Found { value, provenance } = item.found;
    let place = provenance.place();
    if normalize::is_encrypted(&value) {
        let (why, hint) = match value.pointer("/sops/mac") {
            Some(_) => (
                "what declares it does not say that it is decrypted",
                "set spec.decryption of its Kustomization",
            ),
            None => (
                "its MAC (sops.mac) is missing, so that nobody can tell whether it is what was encrypted",
                "take the file as it was from the history of Git, or encrypt the values anew",
            ),
        };
        let message = format!("this object is not restored: it is encrypted with SOPS, and {why}");
        problems.push(Problem::error(place, message).hint(hint));
        return None;
    }
    if let Some(remark) = normalize::unusable(&value) {
        problems.push(problem(place, remark));
        return None;
    }
    let moved = |pointer: String| match pointer
        .strip_prefix("/stringData/")
        .filter(|_| value["kind"] == "Secret")
    {
        // Where it stands once the object is clean.
        Some(key) => format!("/data/{key}"),
        None => pointer,
    };
    let generated = item.generated.into_iter().map(moved).collect();
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
        namespace: item.namespace,
        generated,
        waivers: Vec::new(),
        hook: item.hook,
        turn: item.turn,
    })
}

fn problem(place: Place, remark: normalize::Remark) -> Problem {
    let problem = match remark.kind {
        ProblemKind::Error => Problem::error(place, remark.message),
        ProblemKind::Warning => Problem::warning(place, remark.message),
        ProblemKind::Note => Problem::note(place, remark.message),
    };
    match remark.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
