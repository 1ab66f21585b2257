//! What an earlier revision declares and this one does not: deleted once all else is applied, dependants before what they depend on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::item::{Content, Item};
use super::{
    Edge, NodeIndex, Note, NoteKind, Plan, PlanOptions, Selection, Step, StepAction, Strength, Until, build, selection,
};
use crate::error::{Failure, Kind};
use crate::object::{
    Declared, DeclaredBy, DeclaredSet, FactGap, Facts, LiveObject, LiveUnit, Manifest, ObjectId, is_engines,
    is_never_deleted, kept_by, owner,
};

/// The row of its edges.
const RULE: &str = "removed";

/// What was declared before.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// All of it, under the identities that were written.
    pub set: DeclaredSet,
    /// Only what these engines sync; `None`: everything.
    pub synced: Option<Vec<LiveUnit>>,
}

impl Earlier {
    /// Its commit, short, for people.
    fn revision(&self) -> String {
        let commit = self.set.repository.commit.as_deref().unwrap_or_default();
        commit.chars().take(12).collect()
    }

    fn unit_of(&self, declared: &Declared) -> Option<&ObjectId> {
        let unit = self.set.units.get(declared.unit.0)?;
        unit.engine.as_ref().map(|engine| &engine.object)
    }

    /// Whether it was there: all of it, or as a part of what an engine syncs. Of units that no engine knows by name the path tells.
    fn was_there(&self, declared: &Declared) -> bool {
        let Some(synced) = &self.synced else { return true };
        let path = self.set.units.get(declared.unit.0).map_or("", |unit| &unit.path);
        let below = |folder: &str| folder.is_empty() || path == folder || path.starts_with(&format!("{folder}/"));
        synced.iter().any(|unit| match self.unit_of(declared) {
            Some(object) => *object == unit.id,
            None => below(&unit.path),
        })
    }
}

/// One object that was declared before and is no longer.
#[derive(Debug, Clone)]
struct Candidate {
    /// Its step in the plan of the revision that declared it.
    step: Step,
    declared: Declared,
    revision: String,
    /// The revision by place, and the step's node in its plan.
    at: (usize, NodeIndex),
    /// The unit that declared it.
    unit: Option<ObjectId>,
    /// As it was declared.
    unit_manifest: Option<Manifest>,
    /// It is declared still, and was not rendered: whether the object would be there nobody knows.
    unrendered: bool,
    /// It is declared no longer.
    unit_is_gone: bool,
}

/// Everything that was declared before and is no longer.
#[derive(Debug, Clone)]
pub struct Removed {
    candidates: Vec<Candidate>,
    /// The plans of the earlier revisions: who waits for whom.
    plans: Vec<Plan>,
    /// Terms of the selection that name any of it.
    pub terms: BTreeSet<String>,
}

impl Removed {
    /// The objects, to be looked at in the cluster.
    pub fn ids(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.candidates.iter().map(|one| one.step.id.clone())
    }

    /// The units, by their engines' objects, that declared them: where they go on, they make them anew.
    pub fn units(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.candidates.iter().filter_map(|one| one.unit.clone())
    }
}

/// What earlier revisions declare and `now` does not, as far as the selection goes. An object that was moved to another file or unit
/// is declared still. All sets must be under the identities that are written ([`with_written_ids`](super::with_written_ids)).
///
/// # Errors
/// A ring of dependencies that people wrote into an earlier revision.
pub fn removed(
    now: &DeclaredSet,
    earlier: &[Earlier],
    facts: &Facts,
    options: &PlanOptions,
) -> Result<Removed, Failure> {
    let declared: BTreeSet<&ObjectId> = now.objects.iter().map(|one| &one.id).collect();
    let everything = PlanOptions {
        selection: Selection::default(),
        first: Vec::new(),
        old_cluster_is_gone: true,
        ..options.clone()
    };
    let (mut found, mut plans, mut terms) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
    for (place, earlier) in earlier.iter().enumerate() {
        let objects: HashMap<&ObjectId, &Declared> = earlier.set.objects.iter().map(|one| (&one.id, one)).collect();
        let plan = build(&earlier.set, facts, &everything)?;
        for (node, step) in (0..).map(NodeIndex).zip(&plan.steps) {
            let Some(one) = objects.get(&step.id).filter(|_| !declared.contains(&step.id)) else {
                continue;
            };
            let unit = earlier.unit_of(one);
            let item = Item {
                id: step.id.clone(),
                content: Content::Declared(one, Cow::Borrowed(&one.manifest)),
                left_to: None,
            };
            if !earlier.was_there(one) || !selection::takes(&options.selection, &item, &earlier.set.units, &mut terms) {
                continue;
            }
            let rendered = |unit: &ObjectId| {
                let engines = now.units.iter().filter_map(|unit| unit.engine.as_ref());
                engines.into_iter().any(|engine| engine.object == *unit)
            };
            let candidate = || Candidate {
                step: step.clone(),
                declared: (*one).clone(),
                revision: earlier.revision(),
                at: (place, node),
                unit: unit.cloned(),
                unit_manifest: unit.and_then(|unit| Some(objects.get(unit)?.manifest.clone())),
                unit_is_gone: unit.is_some_and(|unit| !declared.contains(unit)),
                unrendered: unit.is_some_and(|unit| declared.contains(unit) && !rendered(unit)),
            };
            found.entry(step.id.clone()).or_insert_with(candidate);
        }
        plans.push(plan);
    }
    Ok(Removed {
        candidates: found.into_values().collect(),
        plans,
        terms,
    })
}

/// What is in the cluster of what was removed, and what the operator says to it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// The objects.
    pub live: &'k BTreeMap<ObjectId, LiveObject>,
    /// What could not be read.
    pub gaps: &'k [FactGap],
    /// What engines sync.
    pub engines: &'k [LiveUnit],
    /// All of these are suspended first.
    pub suspends: bool,
    /// Objects of kinds that are never deleted otherwise, by name.
    pub named: &'k [String],
}

/// Adds to a plan the deletion of what was removed, with a remark on each object that is deleted and each that stays.
///
/// # Errors
/// A name that is no object's that was removed.
pub fn prune(plan: &mut Plan, removed: &Removed, known: Known<'_>) -> Result<(), Failure> {
    unknown_names(removed, known.named)?;
    let there = removed.candidates.iter().filter_map(|one| {
        let object = known.live.get(&one.step.id).filter(|object| !object.terminating)?;
        Some((one, object, stays(one, object, known)))
    });
    let judged: Vec<_> = there.collect();
    let left: Vec<&ObjectId> = judged
        .iter()
        .filter(|(.., why)| why.is_some())
        .map(|(one, ..)| &one.step.id)
        .collect();
    let mut doomed = Vec::new();
    for &(one, object, ref why) in &judged {
        let (kind, message) = match why.clone().or_else(|| holds(one, &left, known.gaps)) {
            Some(why) => (NoteKind::Kept, why),
            None => {
                doomed.push((one, object));
                (NoteKind::Removed, goes(one))
            }
        };
        plan.notes.push(Note {
            kind,
            object: Some(one.step.id.clone()),
            place: None,
            message,
            hint: None,
        });
    }
    plan.notes.extend(known.gaps.iter().map(|gap| Note {
        kind: NoteKind::Gap,
        object: None,
        place: None,
        message: format!(
            "not deleted, since it is not known whether it is there: {}: {}",
            gap.what, gap.reason
        ),
        hint: None,
    }));
    add(plan, &doomed, &removed.plans);
    plan.put_in_order();
    Ok(())
}

fn unknown_names(removed: &Removed, named: &[String]) -> Result<(), Failure> {
    let known = |name: &&String| removed.candidates.iter().any(|one| one.step.id.is_named_by(name));
    let unknown: Vec<&String> = named.iter().filter(|name| !known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(
        Kind::Usage,
        "nothing was changed: --prune-removed names what is not removed",
    );
    for name in unknown {
        failure = failure.because(format!(
            "no object of that name was declared before and is no longer: {name}"
        ));
    }
    let kept = removed.candidates.iter().filter(|one| is_never_deleted(&one.step.id));
    let kept: Vec<String> = kept.map(|one| one.step.id.to_string()).collect();
    Err(match kept.is_empty() {
        true => failure.hint(
            "it takes only names of Namespaces, CustomResourceDefinitions, volumes and claims; all else goes without",
        ),
        false => failure.hint(format!("what may be named: {}", kept.join(", "))),
    })
}

/// Why an object stays.
fn stays(one: &Candidate, live: &LiveObject, known: Known<'_>) -> Option<String> {
    let id = &one.step.id;
    if let Some(unit) = one.unit.as_ref().filter(|_| one.unrendered) {
        return Some(format!(
            "{unit} is declared and was not rendered, so it may still be declared"
        ));
    }
    if let Some(whose) = owner(live, &one.declared.manifest, &one.declared.writer) {
        return Some(format!("it {whose}"));
    }
    let by = DeclaredBy {
        unit: one.unit_manifest.as_ref(),
        is_gone: one.unit_is_gone,
    };
    if let Some(why) = kept_by(live, &one.declared.manifest, by) {
        return Some(why);
    }
    if is_engines(id) {
        return engine_stays(id, known);
    }
    let is_named = known.named.iter().any(|name| id.is_named_by(name));
    (is_never_deleted(id) && !is_named).then(|| format!("a {} goes only if it is named: --prune-removed={id}", id.kind))
}

/// Why an object stays that would take with it what is left: something in a Namespace, of a kind of a CustomResourceDefinition.
fn holds(one: &Candidate, left: &[&ObjectId], gaps: &[FactGap]) -> Option<String> {
    let text = |pointer: &str| one.declared.manifest.text(pointer);
    let is_within = |id: &ObjectId| match &*one.step.id.kind {
        "Namespace" => id.namespace.as_deref() == Some(&*one.step.id.name),
        "CustomResourceDefinition" => id.is(text("/spec/group"), text("/spec/names/kind")),
        _ => false,
    };
    match left.iter().find(|id| is_within(id)) {
        Some(id) => Some(format!("{id} would go with it")),
        None if !gaps.is_empty() && is_never_deleted(&one.step.id) => {
            Some("not all that would go with it could be read".to_owned())
        }
        None => None,
    }
}

/// Why an engine's own object stays: with it its engine would delete all that it made, of whatever kind.
fn engine_stays(id: &ObjectId, known: Known<'_>) -> Option<String> {
    let unit = known.engines.iter().find(|unit| unit.id == *id);
    let why = match unit {
        None => "what goes with it is not known",
        Some(unit) if unit.cascades => "all that it made would go with it, of whatever kind",
        Some(unit) if !unit.suspended && !known.suspends => {
            "its engine would delete all that it made, of whatever kind, unless it is suspended: --suspend-engines"
        }
        Some(_) => return None,
    };
    Some(why.to_owned())
}

fn goes(one: &Candidate) -> String {
    let takes = match (&*one.step.id.group, &*one.step.id.kind) {
        ("", "Namespace") => ", with everything in it",
        ("apiextensions.k8s.io", _) => ", with every object of its kind",
        ("", "PersistentVolumeClaim" | "PersistentVolume") => ", perhaps with the data on the volume",
        _ => "",
    };
    format!(
        "declared at {} by {}{takes}",
        one.revision,
        one.declared.provenance.place()
    )
}

/// Appends steps that delete these. Nodes of gates move up by as many.
fn add(plan: &mut Plan, doomed: &[(&Candidate, &LiveObject)], plans: &[Plan]) {
    if doomed.is_empty() {
        return;
    }
    let applied: Vec<NodeIndex> = (0..)
        .map(NodeIndex)
        .zip(&plan.steps)
        .filter(|(_, step)| matches!(step.action, StepAction::Apply { .. }))
        .map(|(node, _)| node)
        .collect();
    let first = plan.steps.len() as u32;
    plan.make_room(first, doomed.len() as u32);
    // Dependants first: the order of the earlier plan, backwards.
    let mut order: Vec<&(&Candidate, &LiveObject)> = doomed.iter().collect();
    order.sort_by_key(|(one, _)| (one.at.0, std::cmp::Reverse(one.at.1)));
    let steps = order.iter().map(|(one, live)| Step {
        action: StepAction::Delete {
            uid: live.uid.clone(),
            revision: one.revision.clone(),
        },
        hook: None,
        cleanup: None,
        unit: None,
        has_contract: false,
        ..one.step.clone()
    });
    plan.steps.extend(steps);
    let after = plan.add_gate("all that is applied".to_owned());
    let is_there = applied
        .into_iter()
        .map(|node| Edge::hard(after, node, Until::Exists, RULE, "it is declared"));
    plan.edges.extend(is_there);
    let mut nodes: HashMap<(usize, NodeIndex), NodeIndex> = HashMap::new();
    for (node, (one, _)) in (first..).map(NodeIndex).zip(&order) {
        nodes.insert(one.at, node);
        plan.edges.push(Edge::hard(
            node,
            after,
            Until::Exists,
            RULE,
            "what replaces it comes first",
        ));
    }
    for (place, earlier) in plans.iter().enumerate() {
        backwards(plan, earlier, place, &mut nodes);
    }
}

/// Adds the waits of an earlier plan the other way round, among what is deleted; its gates stand between still.
fn backwards(plan: &mut Plan, earlier: &Plan, place: usize, nodes: &mut HashMap<(usize, NodeIndex), NodeIndex>) {
    for edge in between(earlier, |node| nodes.contains_key(&(place, node))) {
        for node in [edge.from, edge.to] {
            if let Some(gate) = earlier.gate(node) {
                nodes
                    .entry((place, node))
                    .or_insert_with(|| plan.add_gate(format!("deleting {}", gate.name)));
            }
        }
        let until = match edge.strength {
            Strength::Soft => Until::Settled,
            Strength::Hard | Strength::Written => Until::Ready,
        };
        let (first, then) = (nodes[&(place, edge.from)], nodes[&(place, edge.to)]);
        plan.edges
            .push(Edge::hard(then, first, until, RULE, "that one depends on it"));
    }
}

/// The edges among some steps, and those of the gates that stand between them.
fn between(plan: &Plan, is_one: impl Fn(NodeIndex) -> bool) -> Vec<&Edge> {
    let mut edges: Vec<&Edge> = plan.edges.iter().collect();
    loop {
        let before = edges.len();
        let gates = |nodes: Vec<NodeIndex>| nodes.into_iter().filter(|node| plan.gate(*node).is_some()).collect();
        let waiting: BTreeSet<NodeIndex> = gates(edges.iter().map(|edge| edge.from).collect());
        let waited: BTreeSet<NodeIndex> = gates(edges.iter().map(|edge| edge.to).collect());
        edges.retain(|edge| {
            (is_one(edge.from) || waited.contains(&edge.from)) && (is_one(edge.to) || waiting.contains(&edge.to))
        });
        if edges.len() == before {
            return edges;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{edges, facts, set, yaml};
    use super::*;
    use crate::object::{Manager, resolve};

    const NEWER: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n\
        {apiVersion: v1, kind: ServiceAccount, metadata: {name: worker, namespace: shop}}\n---\n\
        {apiVersion: apps/v1, kind: Deployment, metadata: {name: worker, namespace: shop}, spec: {template: {spec: {serviceAccountName: worker}}}}\n---\n\
        {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com}, spec: {group: example.com, scope: Namespaced, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true}]}}\n---\n\
        {apiVersion: example.com/v1, kind: Widget, metadata: {name: w, namespace: shop}}";

    fn declared(text: &str) -> DeclaredSet {
        let mut set = resolve(set(yaml(text)), &facts().kinds, "default");
        set.repository.commit = Some("0123456789abcdef".to_owned());
        set
    }

    fn known<'k>(live: &'k BTreeMap<ObjectId, LiveObject>, named: &'k [String]) -> Known<'k> {
        Known {
            live,
            gaps: &[],
            engines: &[],
            suspends: false,
            named,
        }
    }

    fn earlier(text: &str) -> Earlier {
        Earlier {
            set: declared(text),
            synced: None,
        }
    }

    fn live(removed: &Removed) -> BTreeMap<ObjectId, LiveObject> {
        let object = LiveObject {
            uid: "u".to_owned(),
            managers: vec![Manager {
                name: "refloat".to_owned(),
                operation: "Apply".to_owned(),
                subresource: String::new(),
                time: String::new(),
                fields: None,
            }],
            ..LiveObject::default()
        };
        removed.ids().map(|id| (id, object.clone())).collect()
    }

    /// The plan for the namespace alone after all of it, with what was removed.
    fn pruned(options: &PlanOptions, named: &[&str]) -> Result<(Plan, Removed), Failure> {
        let now = declared("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
        let removed = removed(&now, &[earlier(NEWER)], &facts(), options)?;
        let mut plan = build(&now, &facts(), &PlanOptions::default())?;
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        prune(&mut plan, &removed, known(&live(&removed), &named))?;
        Ok((plan, removed))
    }

    fn deleted(plan: &Plan) -> Vec<String> {
        let steps = plan.steps.iter();
        let deleted = steps.filter(|step| matches!(step.action, StepAction::Delete { .. }));
        deleted.map(|step| step.id.to_string()).collect()
    }

    #[test]
    fn dependants_go_before_what_they_depend_on_and_all_after_what_is_applied() {
        let (plan, _) = pruned(
            &PlanOptions::default(),
            &["CustomResourceDefinition/widgets.example.com"],
        )
        .expect("because all of it is right");
        let crd = "CustomResourceDefinition/widgets.example.com";
        let (account, web, widget) = ("ServiceAccount/shop/worker", "Deployment/shop/worker", "Widget/shop/w");
        let found = edges(&plan);
        for (from, to) in [
            (account, web),
            (crd, widget),
            (account, "[all that is applied]"),
            (web, "[all that is applied]"),
            ("[all that is applied]", "Namespace/shop"),
        ] {
            let edge = (from.to_owned(), to.to_owned(), "removed");
            assert!(found.contains(&edge), "{from} → {to} in {found:#?}");
        }
        let position = |name: &str| deleted(&plan).iter().position(|one| one == name);
        assert!(position(web) < position(account) && position(widget) < position(crd));
        assert_eq!(deleted(&plan).len(), 4);
        let note = plan
            .notes
            .iter()
            .find(|note| note.object.as_ref().is_some_and(|id| id.to_string() == crd));
        let message = note.map(|note| &*note.message);
        let expected = "declared at 0123456789ab by all/00003.yaml:1, with every object of its kind";
        assert_eq!(message, Some(expected));
    }

    #[test]
    fn what_was_not_selected_stays() {
        let options = PlanOptions {
            selection: Selection {
                only: vec!["kind=Deployment".to_owned(), "kind=Widget".to_owned()],
                except: vec!["Widget/shop/w".to_owned(), "namespace=none".to_owned()],
                ..Selection::default()
            },
            ..PlanOptions::default()
        };
        let (plan, removed) = pruned(&options, &[]).expect("because all of it is right");
        assert_eq!(deleted(&plan), ["Deployment/shop/worker"]);
        let terms: Vec<&String> = removed.terms.iter().collect();
        assert_eq!(terms, ["Widget/shop/w", "kind=Deployment", "kind=Widget"]);
    }

    #[test]
    fn a_name_of_what_is_not_removed_is_refused() {
        let refused = pruned(&PlanOptions::default(), &["Namespace/shop"]).expect_err("because it is declared still");
        let text = refused.to_string();
        assert!(
            text.contains("what may be named: CustomResourceDefinition/widgets.example.com"),
            "{text}"
        );
    }

    #[test]
    fn what_holds_something_that_stays_stays_too() {
        let now = declared("{apiVersion: v1, kind: Namespace, metadata: {name: other}}");
        let removed = removed(&now, &[earlier(NEWER)], &facts(), &PlanOptions::default()).expect("because it is right");
        let names = ["Namespace/shop", "CustomResourceDefinition/widgets.example.com"].map(str::to_owned);
        let deleted_with = |kept: &str, gaps: &[FactGap]| {
            let mut live = live(&removed);
            for (_, object) in live.iter_mut().filter(|(id, _)| id.kind == kept) {
                let mark = ("helm.sh/resource-policy".to_owned(), "keep".to_owned());
                object.annotations.extend([mark]);
            }
            let mut plan = Plan::default();
            let known = Known {
                gaps,
                ..known(&live, &names)
            };
            prune(&mut plan, &removed, known).expect("because the names are right");
            deleted(&plan)
        };
        assert_eq!(deleted_with("none", &[]).len(), 5);
        let widget = deleted_with("Widget", &[]);
        assert!(!widget.iter().any(|id| names.contains(id)), "{widget:?}");
        let account = deleted_with("ServiceAccount", &[]);
        assert!(
            !account.contains(&names[0]) && account.contains(&names[1]),
            "{account:?}"
        );
        let gap = FactGap {
            what: "get secrets".to_owned(),
            reason: "forbidden".to_owned(),
        };
        assert!(!deleted_with("none", &[gap]).iter().any(|id| names.contains(id)));
    }

    #[test]
    fn what_is_gone_or_going_is_let_be() {
        let now = declared("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
        let removed = removed(&now, &[earlier(NEWER)], &facts(), &PlanOptions::default()).expect("because it is right");
        let mut live = live(&removed);
        live.retain(|id, _| id.kind != "Widget");
        for (_, object) in live.iter_mut().filter(|(id, _)| id.kind == "Deployment") {
            object.terminating = true;
        }
        let mut plan = Plan::default();
        prune(&mut plan, &removed, known(&live, &[])).expect("because it names nothing");
        assert_eq!(deleted(&plan), ["ServiceAccount/shop/worker"]);
    }

    #[test]
    fn what_a_unit_that_was_not_rendered_declared_stays() {
        let unit = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: apps, namespace: flux-system}}";
        let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}, unit: flux-system/apps}";
        let earlier = [earlier(&format!("{unit}\n---\n{map}"))];
        let options = PlanOptions::default();
        let deleted_with = |now: &DeclaredSet| {
            let removed = removed(now, &earlier, &facts(), &options).expect("because it is right");
            let mut plan = Plan::default();
            prune(&mut plan, &removed, known(&live(&removed), &[])).expect("because it names nothing");
            deleted(&plan)
        };
        let mut now = declared(unit);
        assert_eq!(deleted_with(&now), ["ConfigMap/shop/c"], "rendered, and without it");
        now.units.retain(|unit| unit.engine.is_none());
        assert_eq!(deleted_with(&now), Vec::<String>::new(), "suspended in Git, say");
    }

    #[test]
    fn what_an_application_keeps_stays() {
        let application = |option: &str| {
            format!(
                "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: apps, namespace: argocd}}, \
                 spec: {{syncPolicy: {{syncOptions: [{option}]}}}}}}"
            )
        };
        let deleted_with = |option: &str, now: &str| {
            let unit = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: apps, namespace: flux-system}}";
            let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}, unit: flux-system/apps}";
            let mut set = declared(&format!("{unit}\n---\n{}\n---\n{map}", application(option)));
            // The units of these tests are Flux's: this one is made Argo CD's.
            set.objects.retain(|one| one.id.kind != "Kustomization");
            for engine in set.units.iter_mut().filter_map(|unit| unit.engine.as_mut()) {
                engine.object = ObjectId::new("argoproj.io", "Application", Some("argocd"), "apps");
            }
            let earlier = [Earlier { set, synced: None }];
            let mut now = declared(now);
            now.units.clone_from(&earlier[0].set.units);
            let removed = removed(&now, &earlier, &facts(), &PlanOptions::default()).expect("because it is right");
            let mut plan = Plan::default();
            prune(&mut plan, &removed, known(&live(&removed), &[])).expect("because it names nothing");
            deleted(&plan)
        };
        let (there, gone) = (
            application("CreateNamespace=true"),
            "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
        );
        let nothing = Vec::<String>::new();
        assert_eq!(deleted_with("Prune=true", &there), ["ConfigMap/shop/c"]);
        assert_eq!(deleted_with("Prune=false", &there), nothing);
        assert_eq!(
            deleted_with("Delete=false", &there),
            ["ConfigMap/shop/c"],
            "only with the Application"
        );
        assert_eq!(deleted_with("Delete=true", gone), ["ConfigMap/shop/c"]);
        assert_eq!(deleted_with("Delete=false", gone), nothing);
    }

    #[test]
    fn an_engines_own_object_goes_only_if_nothing_goes_with_it() {
        let unit = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: apps, namespace: flux-system}}";
        let removed = removed(
            &declared("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"),
            &[earlier(unit)],
            &facts(),
            &PlanOptions::default(),
        )
        .expect("because it is right");
        let live = live(&removed);
        let said = |engines: &[LiveUnit], suspends: bool| {
            let mut plan = Plan::default();
            let known = Known {
                engines,
                suspends,
                ..known(&live, &[])
            };
            prune(&mut plan, &removed, known).expect("because it names nothing");
            plan.notes[0].message.clone()
        };
        let value = yaml(unit).remove(0);
        let running = LiveUnit::of(&value, &BTreeMap::new()).expect("because it is an engine's");
        let gone = |engines: &[LiveUnit], suspends| said(engines, suspends).starts_with("declared at");
        assert!(said(std::slice::from_ref(&running), false).contains("--suspend-engines"));
        assert!(gone(std::slice::from_ref(&running), true));
        let suspended = LiveUnit {
            suspended: true,
            ..running.clone()
        };
        assert!(gone(std::slice::from_ref(&suspended), false));
        let cascades = LiveUnit {
            cascades: true,
            ..suspended
        };
        assert!(said(&[cascades], true).contains("all that it made would go with it"));
        assert!(said(&[], true).contains("not known"));
    }
}
