//! Hooks of Helm and Argo CD: which ran before, and whose objects go again.
//!
//! Sources: `execHook` in Helm's `pkg/action/hooks.go`; `Sync` and `runTasks` in Argo CD's `gitops-engine/pkg/sync/sync_context.go`,
//! `sync_task.go` and `hook/delete_policy.go`. Helm deletes hooks that succeeded once all of their event (`pre-install`, `post-install`)
//! did, Argo CD once the whole sync did. Beside these, and so that nothing runs twice: a hook that succeeded stays where another one
//! failed, until that was mended, and one that is there and did not fail is not deleted to run again.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::index::Index;
use super::item::Item;
use super::{Cleanup, Edge, NodeIndex, Plan, PlanOptions, StepAction, Until};
use crate::object::{Declared, DeclaredSet, Facts, HookPolicy, ObjectId, UnitIndex, is_never_deleted};

/// The row of the edges by which deletions wait.
const RULE: &str = "hook-cleanup";

/// How it is known that something ran before and is not to be run again, for people. Of a hook that is there its object tells.
pub(super) fn ran(index: &Index<'_>, item: &Item<'_>) -> Option<String> {
    let declared = item.declared().filter(|_| item.left_to.is_none())?;
    if index.facts.ran.contains(&item.id) {
        return Some("an earlier run of this restore saw it done".to_owned());
    }
    let policy = declared.hook_policy()?;
    let record = index.units.get(declared.unit.0)?.record.as_ref()?;
    let goes = policy.succeeded && !is_never_deleted(&item.id) || item.is("batch", "Job") || item.is("", "Pod");
    let is_gone = goes && !index.facts.existing.contains_key(&item.id);
    let deployed = is_gone && index.facts.deployed.contains(&record.secret.id());
    deployed.then(|| format!("it ran when the release {} was installed", record.release))
}

/// What has to be over before the objects of hooks are deleted: an event of a release, or a whole sync.
type Whole = (UnitIndex, Option<bool>);

/// Says of each hook what becomes of its object.
pub(super) fn clean(plan: &mut Plan, set: &DeclaredSet, facts: &Facts, options: &PlanOptions) {
    let declared: HashMap<&ObjectId, &Declared> = set.objects.iter().map(|one| (&one.id, one)).collect();
    let mut hooks: Vec<(usize, &Declared, HookPolicy)> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let acts = matches!(
            step.action,
            StepAction::Apply { .. } | StepAction::Done { left: Some(_), .. }
        );
        let one = declared.get(&step.id).filter(|_| acts && !is_never_deleted(&step.id));
        hooks.extend(one.and_then(|one| Some((at, *one, one.hook_policy()?))));
    }
    if hooks.is_empty() {
        return;
    }
    let known = known(plan, set, options);
    let mut gates: BTreeMap<Whole, NodeIndex> = BTreeMap::new();
    for (at, one, policy) in hooks {
        let existing = facts.existing.get(&one.id).filter(|existing| existing.failed);
        let whole = (
            one.unit,
            one.hook.as_ref().filter(|_| one.turn.is_none()).map(|hook| hook.after),
        );
        let goes = policy.succeeded && known.contains(&one.unit);
        let cleanup = Cleanup {
            before: existing.filter(|_| policy.before).map(|existing| existing.uid.clone()),
            succeeded: goes.then(|| *gates.entry(whole).or_insert_with(|| gate(plan, set, &declared, whole))),
            failed: policy.failed,
        };
        plan.steps[at].cleanup = Some(cleanup).filter(|cleanup| *cleanup != Cleanup::default());
    }
    plan.put_in_order();
}

/// The units of which a later run will know that their hooks ran.
fn known(plan: &Plan, set: &DeclaredSet, options: &PlanOptions) -> HashSet<UnitIndex> {
    let mut left: HashMap<UnitIndex, usize> = HashMap::new();
    for one in &set.objects {
        *left.entry(one.unit).or_default() += 1;
    }
    for unit in plan.steps.iter().filter_map(|step| step.unit) {
        left.entry(unit).and_modify(|left| *left = left.saturating_sub(1));
    }
    let is_recorded = |unit: &UnitIndex| left.get(unit) == Some(&0) && set.units[unit.0].record.is_some();
    let all = (0..set.units.len()).map(UnitIndex);
    all.filter(|unit| !options.forgets || is_recorded(unit)).collect()
}

/// A gate behind all that has to be over.
fn gate(plan: &mut Plan, set: &DeclaredSet, declared: &HashMap<&ObjectId, &Declared>, whole: Whole) -> NodeIndex {
    let (unit, after) = whole;
    let name = set.units.get(unit.0).map_or("", |unit| &*unit.name);
    let engine = set.units.get(unit.0).and_then(|unit| unit.engine.as_ref());
    let gate = plan.add_gate(match after {
        Some(true) => format!("{name}, all post-install hooks"),
        Some(false) => format!("{name}, all pre-install hooks"),
        None => format!("{name}, all of its sync"),
    });
    let text = match after {
        Some(_) => "Helm deletes hooks that succeeded once all of their event did",
        None => "Argo CD deletes hooks that succeeded once the sync did",
    };
    for (step, at) in plan.steps.iter().zip(0..) {
        let Some(one) = declared.get(&step.id).filter(|one| one.unit == unit) else {
            continue;
        };
        let is_hook = one.hook_policy().is_some();
        let counts = match after {
            Some(after) => one.hook.as_ref().is_some_and(|hook| hook.after == after),
            None => engine.is_none_or(|engine| engine.object != one.id),
        };
        if counts {
            let until = if is_hook { Until::Ready } else { Until::Exists };
            plan.edges.push(Edge::hard(gate, NodeIndex(at), until, RULE, text));
        }
    }
    gate
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::json;

    use super::super::build;
    use super::super::testing::{edges, existing, facts, set, yaml};
    use super::*;
    use crate::object::{ExistingObject, Manifest, ReleaseRecord, resolve};

    /// Hooks of a chart, with a Deployment.
    const SHOP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: tables, namespace: shop, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-succeeded}}}\n---\n\
        {apiVersion: batch/v1, kind: Job, metadata: {name: migrate, namespace: shop, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded,hook-failed'}}}\n---\n\
        {apiVersion: batch/v1, kind: Job, metadata: {name: seed, namespace: shop, annotations: {helm.sh/hook: post-install}}}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: rights, namespace: shop, annotations: {helm.sh/hook: pre-install}}}\n---\n\
        {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk, namespace: shop, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-succeeded}}}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}}";
    /// Hooks of an Application.
    const SYNC: &str = "{apiVersion: batch/v1, kind: Job, metadata: {name: migrate, namespace: shop, annotations: {argocd.argoproj.io/hook: Sync, argocd.argoproj.io/sync-wave: '-1', argocd.argoproj.io/hook-delete-policy: HookSucceeded}}}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop, annotations: {argocd.argoproj.io/sync-wave: '1'}}}";

    fn id(group: &str, kind: &str, name: &str) -> ObjectId {
        ObjectId::new(group, kind, Some("shop"), name)
    }

    fn failed() -> ExistingObject {
        ExistingObject {
            failed: true,
            ..existing()
        }
    }

    fn planned(text: &str, facts: &Facts, options: &PlanOptions, recorded: bool) -> Plan {
        let mut set = set(yaml(text));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sh.helm.release.v1.web.v1", "namespace": "shop"}});
        set.units[0].record = recorded.then(|| {
            Arc::new(ReleaseRecord {
                helm_chart: None,
                release: "web".to_owned(),
                secret: Manifest::new(secret).expect("because it is whole"),
                generated: Vec::new(),
                status: None,
            })
        });
        build(&resolve(set, &facts.kinds, "default"), facts, options).expect("because it has no ring")
    }

    fn gone() -> PlanOptions {
        PlanOptions {
            old_cluster_is_gone: true,
            ..PlanOptions::default()
        }
    }

    /// What is asked for, by name: whether it failed before, once it is done, once it failed.
    fn cleanups(plan: &Plan) -> BTreeMap<&str, (bool, bool, bool)> {
        let all = plan.steps.iter().filter_map(|step| {
            let cleanup = step.cleanup.as_ref()?;
            let asked = (cleanup.before.is_some(), cleanup.succeeded.is_some(), cleanup.failed);
            Some((&*step.id.name, asked))
        });
        all.collect()
    }

    #[test]
    fn each_hook_gets_what_its_policy_asks_for() {
        let mut facts = facts();
        let plan = planned(SHOP, &facts, &gone(), true);
        let expected = BTreeMap::from([("tables", (false, true, false)), ("migrate", (false, true, true))]);
        assert_eq!(cleanups(&plan), expected, "a claim is never deleted");
        let gate = "[all, all pre-install hooks]";
        let waits: Vec<_> = edges(&plan).into_iter().filter(|(from, ..)| from == gate).collect();
        let hooks = [
            "ConfigMap/shop/rights",
            "ConfigMap/shop/tables",
            "Job/shop/migrate",
            "PersistentVolumeClaim/shop/disk",
        ];
        assert_eq!(waits, hooks.map(|hook| (gate.to_owned(), hook.to_owned(), RULE)));

        facts.existing.insert(id("batch", "Job", "migrate"), failed());
        facts.existing.insert(id("batch", "Job", "seed"), failed());
        let plan = planned(SHOP, &facts, &gone(), true);
        assert_eq!((cleanups(&plan)["migrate"].0, cleanups(&plan)["seed"].0), (true, true));
        facts.existing.insert(id("batch", "Job", "seed"), existing());
        let plan = planned(SHOP, &facts, &gone(), true);
        assert!(!cleanups(&plan).contains_key("seed"), "what succeeded is not run again");
    }

    #[test]
    fn an_application_is_whole_before_its_hooks_go() {
        let plan = planned(SYNC, &facts(), &gone(), false);
        assert_eq!(cleanups(&plan), BTreeMap::from([("migrate", (false, true, false))]));
        let gate = "[all, all of its sync]";
        let waits: Vec<_> = edges(&plan).into_iter().filter(|(from, ..)| from == gate).collect();
        let of = |object: &str| (gate.to_owned(), object.to_owned(), RULE);
        assert_eq!(waits, [of("ConfigMap/shop/web"), of("Job/shop/migrate")]);
    }

    #[test]
    fn nothing_goes_of_which_nobody_will_know_that_it_ran() {
        let forgets = PlanOptions {
            forgets: true,
            ..gone()
        };
        let goes = |text, recorded| {
            let plan = planned(text, &facts(), &forgets, recorded);
            cleanups(&plan)
                .get("migrate")
                .is_some_and(|(_, succeeded, _)| *succeeded)
        };
        assert!(goes(SHOP, true), "the record of its release will tell");
        assert!(!goes(SHOP, false) && !goes(SYNC, false));
    }

    #[test]
    fn what_ran_before_is_not_run_again() {
        let done = |facts: &Facts| {
            let plan = planned(SHOP, facts, &PlanOptions::default(), true);
            let held = |step: &&super::super::Step| matches!(step.action, StepAction::HoldBack(_));
            let held: Vec<String> = plan
                .steps
                .iter()
                .filter(held)
                .map(|step| step.id.name.clone())
                .collect();
            let done = plan.steps.iter().filter_map(|step| match &step.action {
                StepAction::Done { why, left } => Some((step.id.name.clone(), why.clone(), left.is_some())),
                _ => None,
            });
            let mut done: Vec<_> = done.collect();
            done.sort();
            (done, held)
        };
        let mut known = facts();
        assert_eq!(done(&known), (vec![], vec!["migrate".to_owned(), "seed".to_owned()]));
        known.deployed.insert(id("", "Secret", "sh.helm.release.v1.web.v1"));
        known.existing.insert(id("batch", "Job", "seed"), existing());
        let why = "it ran when the release web was installed";
        let of = |name: &str, why: &str, left| (name.to_owned(), why.to_owned(), left);
        // What was to stay and is gone (the map of rights) is made anew.
        let expected = vec![of("migrate", why, false), of("tables", why, false)];
        assert_eq!(done(&known), (expected, vec!["seed".to_owned()]));

        let mut known = facts();
        known.ran.insert(id("batch", "Job", "migrate"));
        known.existing.insert(id("batch", "Job", "migrate"), existing());
        let why = "an earlier run of this restore saw it done";
        let (told, held) = done(&known);
        assert_eq!((told, held), (vec![of("migrate", why, true)], vec!["seed".to_owned()]));
    }
}
