//! Which units refloat leaves to their engines (`--mode engine`), and what it does of them all the same.
//!
//! The engine itself, its definitions and whatever comes with it are restored directly, and so are the objects by which it acts: it
//! makes the rest, and each object that it is to make is waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanOptions;
use crate::object::{Cel, Declared, DeclaredSet, HealthCheck, ObjectId, Problem, ProblemKind, UnitIndex, is_engines};

/// Who makes what units of engines declare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// refloat renders and applies all.
    #[default]
    Direct,
    /// Their engines: refloat restores these and the objects by which they act, and waits for the rest.
    Engine,
    /// refloat, but for units that it cannot render.
    Auto,
}

/// Units of Flux, which depend on others of their kind.
const FLUX: &[(&str, &str)] = &[
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"),
];
/// Definitions by which engines act: the unit that brings them brings the engine.
const DEFINITIONS: &[&str] = &[
    "kustomizations.kustomize.toolkit.fluxcd.io",
    "helmreleases.helm.toolkit.fluxcd.io",
    "gitrepositories.source.toolkit.fluxcd.io",
    "fluxinstances.fluxcd.controlplane.io",
    "applications.argoproj.io",
    "applicationsets.argoproj.io",
];
/// Names of the workloads that engines are.
const WORKLOADS: &[&str] = &[
    "source-controller",
    "kustomize-controller",
    "helm-controller",
    "flux-operator",
    "argocd-application-controller",
    "argocd-repo-server",
    "argocd-applicationset-controller",
];

/// The units that are left to their engines, with the object by which each is known to its engine.
pub(super) fn left<'a>(set: &'a DeclaredSet, options: &PlanOptions) -> BTreeMap<UnitIndex, &'a ObjectId> {
    if options.mode != Mode::Engine {
        return BTreeMap::new();
    }
    let declared: BTreeMap<&ObjectId, UnitIndex> = set.objects.iter().map(|one| (&one.id, one.unit)).collect();
    let engines: BTreeSet<UnitIndex> = set
        .objects
        .iter()
        .filter(|one| is_engine(one))
        .map(|one| one.unit)
        .collect();
    let units = (0..).map(UnitIndex).zip(&set.units);
    let known = units.filter_map(|(index, unit)| Some((index, &unit.engine.as_ref()?.object)));
    // What holds its own object is what its engine was set up with: nobody else makes that.
    known
        .filter(|(index, object)| declared.get(object).is_some_and(|unit| unit != index) && !engines.contains(index))
        .collect()
}

fn is_engine(declared: &Declared) -> bool {
    let (id, name) = (&declared.id, declared.id.name.as_str());
    let is_workload = id.is("apps", "Deployment") || id.is("apps", "StatefulSet");
    let is_definition = id.is("apiextensions.k8s.io", "CustomResourceDefinition");
    is_definition && DEFINITIONS.contains(&name) || is_workload && WORKLOADS.iter().any(|one| is_called(name, one))
}

/// Charts put the release's name in front.
fn is_called(name: &str, workload: &str) -> bool {
    let front = name.strip_suffix(workload);
    front.is_some_and(|front| front.is_empty() || front.ends_with('-'))
}

/// What of a unit that is left to its engine nobody waits for: hooks, which may be gone before they are seen. Those of Helm are hooks to
/// Argo CD too.
pub(super) fn comes_and_goes(declared: &Declared) -> bool {
    let is_marked = |hook| declared.manifest.annotation(hook).is_some();
    declared.hook.is_some() || is_marked("argocd.argoproj.io/hook") || is_marked("helm.sh/hook")
}

/// The declared objects of units of which nothing could be rendered, and why. What is suspended or for another cluster is no such: that
/// is as it should be.
pub(super) fn not_rendered(set: &DeclaredSet) -> BTreeMap<ObjectId, String> {
    let known: BTreeSet<&ObjectId> = set
        .objects
        .iter()
        .map(|one| &one.id)
        .filter(|id| is_engines(id))
        .collect();
    let made: BTreeSet<UnitIndex> = set.objects.iter().map(|one| one.unit).collect();
    let units = (0..)
        .map(UnitIndex)
        .zip(&set.units)
        .filter(|(index, _)| made.contains(index));
    let rendered: BTreeSet<&ObjectId> = units
        .filter_map(|(_, unit)| Some(&unit.engine.as_ref()?.object))
        .collect();
    let wrong = set.problems.iter().filter(|problem| problem.kind == ProblemKind::Error);
    let wrong = wrong.filter_map(|problem| Some((problem.object.clone()?, problem.message.clone())));
    let mut found = BTreeMap::new();
    for (object, why) in wrong.filter(|(object, _)| known.contains(object) && !rendered.contains(object)) {
        found.entry(object).or_insert(why);
    }
    found
}

/// Those of them that hold up what depends on them: Flux starts nothing until each unit that it depends on is ready. Where they are left to
/// their engine, these may still get ready.
pub(super) fn holding_up(
    not_rendered: &BTreeMap<ObjectId, String>,
    options: &PlanOptions,
) -> BTreeMap<ObjectId, String> {
    let holds_up = |id: &ObjectId| options.mode == Mode::Direct && FLUX.iter().any(|(group, kind)| id.is(group, kind));
    let all = not_rendered.iter().filter(|(id, _)| holds_up(id));
    all.map(|(id, why)| (id.clone(), why.clone())).collect()
}

/// Says of units that could not be rendered that they are left to their engines, where that was asked for: no error, since their
/// objects are restored and waited for. Gives these objects.
pub(super) fn leave_what_is_not_rendered(
    problems: &mut [Problem],
    not_rendered: &BTreeMap<ObjectId, String>,
    options: &PlanOptions,
) -> BTreeSet<ObjectId> {
    let mut left = BTreeSet::new();
    if options.mode == Mode::Direct {
        return left;
    }
    for problem in problems.iter_mut().filter(|problem| problem.kind == ProblemKind::Error) {
        let Some(object) = &problem.object else { continue };
        if not_rendered.contains_key(object) {
            problem.kind = ProblemKind::Warning;
            problem.message = format!("left to its engine: {}", problem.message);
            // An ApplicationSet has no status of what it made.
            if object.kind != "ApplicationSet" {
                left.insert(object.clone());
            }
        }
    }
    left
}

/// By what Argo CD tells that it has done its part; Flux has a condition for that.
/// Source: `pkg/apis/application/v1alpha1/types.go` (ApplicationStatus).
pub(super) fn check(object: &ObjectId) -> Option<HealthCheck> {
    let is_synced = "status.sync.status == 'Synced' && status.health.status == 'Healthy'";
    Some(HealthCheck {
        group: object.group.to_string(),
        kind: Some(object.kind.to_string()),
        current: Cel::parse(is_synced).ok().filter(|_| object.kind == "Application")?,
        failed: Cel::parse("status.health.status == 'Degraded'").ok(),
        in_progress: None,
        about: &["/status/sync/status", "/status/health/status"],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{edges, facts, set, yaml};
    use super::super::{Plan, StepAction, build};
    use super::*;
    use crate::object::Place;

    const SHOP: &str = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: flux-system, namespace: flux-system}, unit: flux-system/flux-system}\n---\n\
        {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: apps, namespace: flux-system}, unit: flux-system/flux-system}\n---\n\
        {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: flux, namespace: flux-system}, unit: flux-system/flux-system}\n---\n\
        {apiVersion: v1, kind: Namespace, metadata: {name: shop}, unit: flux-system/flux-system}\n---\n\
        {apiVersion: apps/v1, kind: Deployment, metadata: {name: flux-source-controller, namespace: flux-system}, unit: flux-system/flux}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: prices, namespace: shop}, unit: flux-system/apps}\n---\n\
        {apiVersion: batch/v1, kind: Job, metadata: {name: migrate, namespace: shop}, unit: flux-system/apps}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: hook, namespace: shop, annotations: {helm.sh/hook: pre-install}}, unit: flux-system/apps}";

    fn plan(mode: Mode) -> Plan {
        let options = PlanOptions {
            mode,
            ..PlanOptions::default()
        };
        build(&set(yaml(SHOP)), &facts(), &options).expect("because nothing is in a ring")
    }

    fn awaited(plan: &Plan) -> Vec<(String, &str)> {
        let steps = plan.steps.iter().filter_map(|step| match &step.action {
            StepAction::Await(who) => Some((step.id.to_string(), &**who)),
            _ => None,
        });
        let mut all: Vec<_> = steps.collect();
        all.sort();
        all
    }

    #[test]
    fn engines_make_their_units_and_refloat_the_engines() {
        let plan = plan(Mode::Engine);
        let by = "Kustomization/flux-system/apps makes it";
        let expected = [("ConfigMap/shop/prices", by), ("Job/shop/migrate", by)];
        assert_eq!(awaited(&plan), expected.map(|(id, by)| (id.to_owned(), by)));
        let names: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
        assert!(!names.contains(&"ConfigMap/shop/hook".to_owned()), "it comes and goes");
        let found = edges(&plan);
        let apps = "Kustomization/flux-system/apps";
        assert!(found.contains(&("ConfigMap/shop/prices".to_owned(), apps.to_owned(), "unit-maker")));
        assert!(
            !found
                .iter()
                .any(|(from, _, rule)| from == apps && *rule == "unit-object")
        );
        let job = plan.notes.iter().find(|note| note.message.contains("lets it go"));
        let job = job.expect("because Jobs act outside");
        assert!(job.hint.as_ref().is_some_and(|hint| hint.contains("--mode direct")));
    }

    #[test]
    fn otherwise_refloat_makes_all() {
        for mode in [Mode::Direct, Mode::Auto] {
            assert_eq!(awaited(&plan(mode)), []);
        }
    }

    #[test]
    fn what_is_not_rendered_is_left_to_its_engine_where_that_was_asked_for() {
        let mut set = set(yaml(
            "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: web, namespace: shop}}\n---\n\
             {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: half, namespace: shop}}\n---\n\
             {apiVersion: v1, kind: ConfigMap, metadata: {name: there}, unit: shop/half}",
        ));
        let place = Place {
            file: "web.yaml".to_owned(),
            line: None,
        };
        let unit = |name| ObjectId::new("kustomize.toolkit.fluxcd.io", "Kustomization", Some("shop"), name);
        set.problems = vec![
            Problem::error(place.clone(), "nothing of it is restored: its source is not to be had").of(unit("web")),
            Problem::error(place, "a file of it cannot be read").of(unit("half")),
        ];
        for (mode, kinds) in [
            (Mode::Direct, [ProblemKind::Error, ProblemKind::Error]),
            (Mode::Auto, [ProblemKind::Warning, ProblemKind::Error]),
        ] {
            let mut problems = set.problems.clone();
            let options = PlanOptions {
                mode,
                ..PlanOptions::default()
            };
            let left = leave_what_is_not_rendered(&mut problems, &not_rendered(&set), &options);
            assert_eq!(problems.iter().map(|one| one.kind).collect::<Vec<_>>(), kinds);
            assert_eq!(
                problems[0].message.starts_with("left to its engine: "),
                mode == Mode::Auto
            );
            // What is left is waited for by the status of its object.
            assert_eq!(left.contains(&unit("web")), mode == Mode::Auto);
            let plan = build(&set, &facts(), &options).expect("because nothing is in a ring");
            let waits = plan.steps.iter().filter(|step| step.has_contract);
            let waits: Vec<String> = waits.map(|step| step.id.to_string()).collect();
            match mode {
                Mode::Auto => assert_eq!(waits, ["Kustomization/shop/web"]),
                _ => assert_eq!(waits, Vec::<String>::new()),
            }
        }
    }

    #[test]
    fn what_depends_on_what_is_not_rendered_is_held_up() {
        let unit = |name: &str| ObjectId::new("kustomize.toolkit.fluxcd.io", "Kustomization", Some("shop"), name);
        let object = |name: &str, spec: &str| {
            format!(
                "{{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {{name: {name}, namespace: shop}}, spec: {{{spec}}}}}\n---\n"
            )
        };
        let text = [
            object("infra", ""),
            object("apps", "dependsOn: [{name: infra}]"),
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, unit: shop/apps}".to_owned(),
        ];
        let mut set = set(yaml(&text.concat()));
        let place = Place::file("infra.yaml");
        let held_up = "Kustomization/shop/apps: nothing of it is restored: it depends on Kustomization/shop/infra, of which nothing could be rendered";
        for (problem, mode, holds_up) in [
            (
                Problem::error(place.clone(), "there is no folder ./infra"),
                Mode::Direct,
                true,
            ),
            (
                Problem::error(place.clone(), "there is no folder ./infra"),
                Mode::Auto,
                false,
            ),
            // Suspended, or for another cluster.
            (Problem::warning(place, "it is suspended in Git"), Mode::Direct, false),
        ] {
            set.problems = vec![problem.of(unit("infra"))];
            let options = PlanOptions {
                mode,
                ..PlanOptions::default()
            };
            let plan = build(&set, &facts(), &options).expect("because nothing is in a ring");
            let case = format!("{mode:?} {holds_up}");
            assert_eq!(plan.not_rendered.contains_key(&unit("infra")), holds_up, "{case}");
            let told = plan
                .problems
                .iter()
                .any(|problem| problem.to_string().contains(held_up));
            assert_eq!(told, holds_up, "{case}: {:?}", plan.problems);
            // Not for the unit as it was rendered: there is nothing in it.
            let waits = edges(&plan);
            let waits = waits
                .iter()
                .any(|(_, to, rule)| to == "Kustomization/shop/infra" && *rule == "unit-after");
            let is_error = set.problems[0].kind == ProblemKind::Error;
            assert_eq!(waits, is_error, "{case}");
        }
    }
}
