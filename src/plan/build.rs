//! The straight line from what is declared to the plan.

use std::collections::BTreeMap;

use super::checks;
use super::edges::{self, Draft, Missing, RULES, Sink};
use super::index::Index;
use super::item::{Content, Item};
use super::{
    Cut, Edge, Gate, NodeIndex, Note, Plan, PlanOptions, Reason, Step, StepAction, Target, Until, graph, hooks, modes,
    order, preflight, prepare, selection,
};
use crate::error::{Failure, Kind};
use crate::object::{
    Declared, DeclaredSet, Facts, ObjectId, Problem, ProblemKind, Scope, has_contract, is_never_deleted,
};

/// Plans what is declared for a target. The set must have been through [`resolve`](crate::object::resolve).
///
/// Pure: the same set in any order gives the same plan.
///
/// # Errors
/// A term of the selection that matches nothing (wrong use), and rings of dependencies that people wrote (wrong input; printed
/// with file and line of each).
pub fn build(set: &DeclaredSet, facts: &Facts, options: &PlanOptions) -> Result<Plan, Failure> {
    let mut notes = Vec::new();
    let mut problems = set.problems.clone();
    let not_rendered = modes::not_rendered(set);
    let left = modes::leave_what_is_not_rendered(&mut problems, &not_rendered, options);
    let holding_up = modes::holding_up(&not_rendered, options);
    let items = prepare::items(set, facts, options, &mut notes, &mut problems);
    let index = Index::new(&items, facts, &set.units, &not_rendered);
    let mut found = edges::find(&index);
    edges::strongest(&mut found.edges);
    let alive = selection::select(&index, found.gate_names.len(), &found.edges, options)?;
    unknown_references(&found, &index, &alive, &mut problems);
    held_up(&holding_up, &index, &alive, &mut problems);

    let outside = preflight::held_back(&index, options);
    let mut drafts = std::mem::take(&mut found.edges);
    drafts.retain(|edge| alive[edge.from as usize] && alive[edge.to as usize]);
    for edge in &mut drafts {
        // What is held back on purpose holds nothing else up.
        if outside.contains_key(&edge.to) && edge.until != Until::Settled {
            edge.until = Until::Settled;
        }
    }
    let cuts =
        graph::cut_rings(alive.len(), &mut drafts).map_err(|rings| written_rings(&rings, &index, &found.gate_names))?;

    let places = Places::new(&items, found.gate_names.len(), &alive, &drafts, options);
    let missing: Vec<&Missing> = found
        .missing
        .iter()
        .filter(|missing| alive[missing.by as usize])
        .collect();
    notes.retain(|note: &Note| {
        note.object
            .as_ref()
            .is_none_or(|id| index.get(id).is_none_or(|n| alive[n as usize]))
    });
    let cuts = places.cuts(cuts, &items);
    preflight::notes(&index, &alive, &missing, &cuts, options, &mut notes);
    notes.sort_by(|a, b| (a.kind, &a.object, &a.message).cmp(&(b.kind, &b.object, &b.message)));
    notes.dedup();
    problems.sort_by(|a, b| (&a.places, &a.object, &a.message).cmp(&(&b.places, &b.object, &b.message)));

    let gates = places.gates(&found.gate_names);
    let mut plan = Plan {
        edges: places.edges(&drafts),
        gates,
        notes,
        problems,
        cuts,
        ..Plan::default()
    };
    plan.checks = checks::of_units(&index);
    plan.checks
        .extend(left.iter().filter_map(|id| Some((id.clone(), modes::check(id)?))));
    plan.withheld = withheld(&index, &alive);
    plan.not_rendered = holding_up;
    let scaled = preflight::scaled(&index);
    let shapes: Vec<_> = (places.steps.iter())
        .map(|node| {
            (
                target(&index, index.item(*node)),
                scaled.contains(node),
                outside.get(node).cloned(),
                hooks::ran(&index, index.item(*node)),
            )
        })
        .collect();
    drop(index);
    let mut items: Vec<Option<Item<'_>>> = items.into_iter().map(Some).collect();
    plan.steps = (places.steps.iter().zip(shapes))
        .filter_map(|(node, (target, scaled, outside, ran))| {
            let item = items[*node as usize].take()?;
            let has_check = plan.checks.contains_key(&item.id) || left.contains(&item.id);
            let tells = (has_check || tells(&item)) && options.is_played(&item.id);
            let mut step = step(item, target, tells, scaled, outside, facts, options);
            if let Some(why) = ran {
                let left = facts.existing.get(&step.id).map(|existing| existing.uid.clone());
                step.action = StepAction::Done { why, left };
            }
            Some(step)
        })
        .collect();
    hooks::clean(&mut plan, set, facts, options);
    Ok(plan)
}

/// The objects of units of which something is left out that the target has not: their engines would make it.
fn withheld(index: &Index<'_>, alive: &[bool]) -> BTreeMap<ObjectId, String> {
    let mut withheld = BTreeMap::new();
    for (object, unit) in &index.units_by_object {
        let is_left_out = |node: &&u32| {
            let item = index.item(**node);
            let is_there = alive[**node as usize] || index.facts.existing.contains_key(&item.id);
            !is_there && item.left_to.is_none() && item.id != **object
        };
        let runs = index.facts.existing.contains_key(*object);
        if let Some(missing) = index.members(*unit).iter().find(is_left_out).filter(|_| !runs) {
            let missing = &index.item(*missing).id;
            let why = format!("{missing} of its unit was left out, and its engine would make it");
            withheld.insert((*object).clone(), why);
        }
    }
    withheld
}

/// How to reach an item's kind, if the target serves it in the version declared, or a declared CRD will.
pub(super) fn target(index: &Index<'_>, item: &Item<'_>) -> Option<Target> {
    let kind = item.id.group_kind();
    let served = index.facts.kinds.get(&kind);
    let Some(manifest) = item.manifest() else {
        let served = served?;
        return Some(Target {
            version: served.versions.first()?.clone(),
            plural: served.plural.clone(),
            scope: served.scope,
            kind,
        });
    };
    let version = manifest.version().to_owned();
    if let Some(served) = served.filter(|_| index.facts.kinds.serves(&kind, &version)) {
        return Some(Target {
            plural: served.plural.clone(),
            scope: served.scope,
            version,
            kind,
        });
    }
    let crd = index.item(index.crd(&kind.group, &kind.kind)?);
    let serves = |v: &serde_json::Value| {
        v.get("name").and_then(serde_json::Value::as_str) == Some(&*version)
            && v.get("served").and_then(serde_json::Value::as_bool) == Some(true)
    };
    crd.list("/spec/versions").iter().any(serves).then(|| Target {
        plural: crd.text("/spec/names/plural").to_owned(),
        scope: match crd.text("/spec/scope") {
            "Cluster" => Scope::Cluster,
            _ => Scope::Namespaced,
        },
        version,
        kind,
    })
}

/// Whether there is anything to wait for once it is written. Of Services only load balancers have: an address.
fn tells(item: &Item<'_>) -> bool {
    let at_once = item.is("", "Service") && item.text("/spec/type") != "LoadBalancer";
    !at_once && has_contract(&item.id.group, &item.id.kind)
}

fn step(
    item: Item<'_>,
    target: Option<Target>,
    has_contract: bool,
    scaled: bool,
    outside: Option<String>,
    facts: &Facts,
    options: &PlanOptions,
) -> Step {
    let declared = item.declared();
    // What runs anew has to be deleted first where it cannot be changed.
    let anew = declared
        .and_then(Declared::hook_policy)
        .is_some_and(|policy| policy.before);
    let recreate = (options.recreate || anew) && !is_never_deleted(&item.id);
    let action = match (item.content, outside) {
        (Content::Declared(..), _) if item.left_to.is_some() => {
            let engine = item.left_to.map(ToString::to_string).unwrap_or_default();
            StepAction::Await(format!("{engine} makes it"))
        }
        (Content::MadeBy(maker), _) => StepAction::Await(format!("{maker} makes it")),
        (Content::Declared(..), Some(why)) if !options.old_cluster_is_gone => StepAction::HoldBack(why),
        (Content::Declared(declared, manifest), _) => {
            let mut manifest = manifest.into_owned();
            let replicas = facts.existing.get(&item.id).and_then(|existing| existing.replicas);
            if let Some(replicas) = replicas.filter(|_| scaled) {
                preflight::leave_replicas(&mut manifest, replicas);
            }
            preflight::drop_placeholder_bundles(&mut manifest);
            StepAction::Apply {
                manifest,
                writer: declared.writer.clone(),
                create_only: !declared.generated.is_empty()
                    || declared.is_made_once() && declared.is_of_kustomization(),
                recreate,
            }
        }
    };
    Step {
        id: item.id,
        target,
        action,
        provenance: declared.map(|declared| declared.provenance.clone()),
        unit: declared.map(|declared| declared.unit),
        hook: declared.and_then(|declared| declared.hook.clone()),
        cleanup: None,
        has_contract,
    }
}

fn unknown_references(found: &Sink<'_, '_>, index: &Index<'_>, alive: &[bool], problems: &mut Vec<Problem>) {
    for (node, text) in found.written_unknown.iter().filter(|(node, _)| alive[*node as usize]) {
        let item = index.item(*node);
        let (why, hint) = match (edges::written::named(index, text), edges::written::is_reference(text)) {
            (Some(_), _) => ("it is that object itself", "take that out of the annotation"),
            (None, true) => (
                "nothing of that name is declared",
                "declare it, or take it out of the annotation config.kubernetes.io/depends-on",
            ),
            (None, false) => (
                "that names no object",
                "config.kubernetes.io/depends-on takes group/namespaces/NAMESPACE/Kind/name or group/Kind/name, the core group left empty",
            ),
        };
        problems.push(Problem {
            kind: ProblemKind::Error,
            places: item
                .declared()
                .map(|declared| declared.provenance.place())
                .into_iter()
                .collect(),
            object: Some(item.id.clone()),
            message: format!("it does not wait for {text}: {why}"),
            hint: Some(hint.to_owned()),
        });
    }
}

/// Says of units that they depend on others of which nothing could be rendered: they are skipped.
fn held_up(holding_up: &BTreeMap<ObjectId, String>, index: &Index<'_>, alive: &[bool], problems: &mut Vec<Problem>) {
    let engines = index.units.iter().filter_map(|unit| unit.engine.as_ref());
    for engine in engines.filter(|engine| !index.not_rendered.contains_key(&engine.object)) {
        let node = index.get(&engine.object).filter(|node| alive[*node as usize]);
        let declared = node.and_then(|node| index.item(node).declared());
        let Some(on) = engine.after.iter().find(|on| holding_up.contains_key(on)) else {
            continue;
        };
        let message = format!("nothing of it is restored: it depends on {on}, of which nothing could be rendered");
        let hint = "mend what is said of that one, or give --mode auto: then it is left to its engine, and waited for";
        problems.push(Problem {
            kind: ProblemKind::Error,
            places: declared
                .map(|declared| declared.provenance.place())
                .into_iter()
                .collect(),
            object: Some(engine.object.clone()),
            message,
            hint: Some(hint.to_owned()),
        });
    }
}

fn written_rings(rings: &[Vec<u32>], index: &Index<'_>, gates: &[String]) -> Failure {
    let mut failure = Failure::new(
        Kind::Input,
        "nothing was planned: objects wait for each other in a ring",
    );
    for ring in rings {
        let first = (0..ring.len()).min_by_key(|at| ring[*at]).unwrap_or_default();
        let names: Vec<String> = (ring[first..].iter().chain(&ring[..=first]))
            .map(|node| match index.items.get(*node as usize) {
                Some(item) => match item.declared() {
                    Some(declared) => format!("{} ({})", item.id, declared.provenance.place()),
                    None => item.id.to_string(),
                },
                None => gates[*node as usize - index.items.len()].clone(),
            })
            .collect();
        failure = failure.because(names.join("\n→ waits for "));
    }
    failure.hint("take one dependsOn or one annotation config.kubernetes.io/depends-on or kapp.k14s.io/change-rule out of each ring")
}

/// Where nodes come to stand: steps in tie-break order, then gates.
struct Places {
    steps: Vec<u32>,
    gates: Vec<u32>,
    place: Vec<Option<NodeIndex>>,
}

impl Places {
    fn new(items: &[Item<'_>], gates: usize, alive: &[bool], drafts: &[Draft], options: &PlanOptions) -> Self {
        let mut steps = order::tie_break(items, gates, drafts, options);
        steps.retain(|node| alive[*node as usize]);
        let mut waited = vec![false; alive.len()];
        for edge in drafts {
            waited[edge.to as usize] = true;
        }
        let gates: Vec<u32> = (items.len() as u32..alive.len() as u32)
            .filter(|gate| alive[*gate as usize] && waited[*gate as usize])
            .collect();
        let mut place = vec![None; alive.len()];
        for (index, node) in (0..).zip(steps.iter().chain(&gates)) {
            place[*node as usize] = Some(NodeIndex(index));
        }
        Self { steps, gates, place }
    }

    fn gates(&self, names: &[String]) -> Vec<Gate> {
        let items = self.place.len() - names.len();
        let name = |gate: &u32| names[*gate as usize - items].clone();
        self.gates.iter().map(|gate| Gate { name: name(gate) }).collect()
    }

    fn edge(&self, draft: &Draft) -> Option<Edge> {
        let row = &RULES[usize::from(draft.rule)];
        Some(Edge {
            from: self.place[draft.from as usize]?,
            to: self.place[draft.to as usize]?,
            until: draft.until,
            strength: draft.strength,
            reason: Reason {
                rule: row.name,
                text: row.reason.to_owned(),
            },
        })
    }

    fn edges(&self, drafts: &[Draft]) -> Vec<Edge> {
        let mut edges: Vec<Edge> = drafts.iter().filter_map(|draft| self.edge(draft)).collect();
        edges.sort_by_key(|edge| (edge.from, edge.to));
        edges
    }

    /// Cuts with gates left out of the ring.
    fn cuts(&self, cuts: Vec<graph::Cutting>, items: &[Item<'_>]) -> Vec<Cut> {
        let id = |node: &u32| items.get(*node as usize).map(|item| item.id.clone());
        (cuts.iter())
            .filter_map(|cut| {
                Some(Cut {
                    ring: cut.ring.iter().filter_map(id).collect(),
                    edge: self.edge(&cut.edge)?,
                    weakened_to: None,
                })
            })
            .collect()
    }
}
