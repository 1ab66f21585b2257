//! Phase, wave and hook of an object (`gitops-engine/pkg/sync/{sync_phase,hook,syncwaves}`, `controller/hook.go`).

use serde_json::Value;

use crate::object::{annotation, listed};

const HOOK: &str = "argocd.argoproj.io/hook";
const HELM_HOOK: &str = "helm.sh/hook";

/// A phase of a sync, in the order in which they run (`sync_tasks.go`, `syncPhaseOrder`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before anything else.
    PreSync,
    /// The objects themselves.
    Sync,
    /// After all objects of `Sync` are healthy.
    PostSync,
    /// Only when the sync failed.
    SyncFail,
}

/// A hook that runs when the Application is deleted, never in a sync (`controller/hook.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeleteHook {
    /// Before the objects go.
    PreDelete,
    /// After they went.
    PostDelete,
}

/// When a hook's object is deleted (`gitops-engine/pkg/sync/hook/delete_policy.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeletePolicy {
    /// Before it is made anew: what holds where nothing is said.
    BeforeHookCreation,
    /// Once it succeeded.
    HookSucceeded,
    /// Once it failed.
    HookFailed,
}

/// Where an object stands in a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The phases in which it is applied, in their order. Empty for what no sync applies: `Skip`, hooks on deletion, Helm hooks that Argo
    /// CD has nothing for (`test`, `pre-rollback`, …).
    pub phases: Vec<Phase>,
    /// Its wave; lower ones go first.
    pub wave: i64,
    /// Whether it is a hook: waited for and deleted by its policies, neither compared nor pruned.
    pub hook: bool,
    /// When the hook's object is deleted; empty for what is no hook.
    pub delete_policies: Vec<DeletePolicy>,
    /// The deletions on which it runs.
    pub on_delete: Vec<DeleteHook>,
}

/// Hooks of Argo CD and the phase of each.
const PHASES: &[(&str, Option<Phase>)] = &[
    ("PreSync", Some(Phase::PreSync)),
    ("Sync", Some(Phase::Sync)),
    ("PostSync", Some(Phase::PostSync)),
    ("SyncFail", Some(Phase::SyncFail)),
    ("Skip", None),
];

/// Hooks of Helm and the phase of each (`gitops-engine/pkg/sync/hook/helm/type.go`). `crd-install` marks a CRD and makes no hook of it.
const HELM_PHASES: &[(&str, Phase)] = &[
    ("pre-install", Phase::PreSync),
    ("pre-upgrade", Phase::PreSync),
    ("post-upgrade", Phase::PostSync),
    ("post-install", Phase::PostSync),
];

const DELETE_HOOKS: &[(&str, &str, DeleteHook)] = &[
    (HOOK, "PreDelete", DeleteHook::PreDelete),
    (HELM_HOOK, "pre-delete", DeleteHook::PreDelete),
    (HOOK, "PostDelete", DeleteHook::PostDelete),
    (HELM_HOOK, "post-delete", DeleteHook::PostDelete),
];

const DELETE_POLICIES: &[(&str, &str, DeletePolicy)] = &[
    (
        "BeforeHookCreation",
        "before-hook-creation",
        DeletePolicy::BeforeHookCreation,
    ),
    ("HookSucceeded", "hook-succeeded", DeletePolicy::HookSucceeded),
    ("HookFailed", "hook-failed", DeletePolicy::HookFailed),
];

/// The hook types of an object; `None` is `Skip`. Helm's count only where Argo CD's annotation names none that is known.
fn hook_types(object: &Value) -> Vec<Option<Phase>> {
    let of_argo = listed(object, HOOK).into_iter();
    let types: Vec<_> = of_argo
        .filter_map(|item| PHASES.iter().find(|(name, _)| *name == item).map(|(_, phase)| *phase))
        .collect();
    if !types.is_empty() {
        return types;
    }
    let of_helm = listed(object, HELM_HOOK).into_iter();
    of_helm
        .filter_map(|item| {
            HELM_PHASES
                .iter()
                .find(|(name, _)| *name == item)
                .map(|(_, phase)| Some(*phase))
        })
        .collect()
}

/// Where an object stands in a sync.
///
/// ```
/// use argo_cd::sync::{Phase, place};
/// let job = serde_json::json!({"kind": "Job", "metadata": {"annotations": {"helm.sh/hook": "pre-install", "helm.sh/hook-weight": "-5"}}});
/// assert_eq!((place(&job).phases, place(&job).wave), (vec![Phase::PreSync], -5));
/// ```
pub fn place(object: &Value) -> Place {
    let types = hook_types(object);
    let skip = types == [None];
    let hook = !skip
        && match annotation(object, HOOK) {
            Some(_) => true,
            None => annotation(object, HELM_HOOK).is_some_and(|value| value != "crd-install"),
        };
    let on_delete = on_delete(object);
    let phases = match (skip, hook) {
        (true, _) => Vec::new(),
        (_, false) => vec![Phase::Sync],
        (_, true) => {
            let mut phases: Vec<Phase> = types.into_iter().flatten().collect();
            phases.sort();
            phases.dedup();
            phases
        }
    };
    Place {
        phases,
        wave: wave(object),
        hook: hook || !on_delete.is_empty(),
        delete_policies: if hook || !on_delete.is_empty() {
            delete_policies(object)
        } else {
            Vec::new()
        },
        on_delete,
    }
}

fn on_delete(object: &Value) -> Vec<DeleteHook> {
    let mut hooks = Vec::new();
    for (key, name, hook) in DELETE_HOOKS {
        if listed(object, key).contains(name) && !hooks.contains(hook) {
            hooks.push(*hook);
        }
    }
    hooks
}

/// The wave: of `sync-wave`, else Helm's weight, else 0; what is no integer counts as not there (`syncwaves/waves.go`).
fn wave(object: &Value) -> i64 {
    let integer = |key| annotation(object, key).and_then(|text| text.parse().ok());
    integer("argocd.argoproj.io/sync-wave")
        .or_else(|| integer("helm.sh/hook-weight"))
        .unwrap_or(0)
}

fn delete_policies(object: &Value) -> Vec<DeletePolicy> {
    let mut policies = Vec::new();
    for item in listed(object, "argocd.argoproj.io/hook-delete-policy") {
        policies.extend(DELETE_POLICIES.iter().filter(|row| row.0 == item).map(|row| row.2));
    }
    for item in listed(object, "helm.sh/hook-delete-policy") {
        policies.extend(DELETE_POLICIES.iter().filter(|row| row.1 == item).map(|row| row.2));
    }
    if policies.is_empty() {
        policies.push(DeletePolicy::BeforeHookCreation);
    }
    policies.sort();
    policies.dedup();
    policies
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(annotations: Value) -> Place {
        place(&json!({"kind": "Job", "metadata": {"annotations": annotations}}))
    }

    /// `gitops-engine/pkg/sync/sync_phase_test.go`, `hook/hook_test.go`.
    #[test]
    fn hooks_of_argo_cd_name_their_phases() {
        assert_eq!(with(json!({})).phases, [Phase::Sync]);
        assert!(!with(json!({})).hook);
        for (name, phase) in PHASES {
            let place = with(json!({HOOK: name}));
            assert_eq!(place.phases, Vec::from_iter(*phase), "{name}");
            assert_eq!(place.hook, phase.is_some(), "{name}");
        }
        assert_eq!(
            with(json!({HOOK: "PostSync,PreSync"})).phases,
            [Phase::PreSync, Phase::PostSync]
        );
        assert_eq!(with(json!({HOOK: " Sync , ,Sync"})).phases, [Phase::Sync]);
        // Skip beside another is no skip.
        assert_eq!(with(json!({HOOK: "Skip,Sync"})).phases, [Phase::Sync]);
        // A hook of no known type is ignored (`ignore/ignore_test.go`).
        let garbage = with(json!({HOOK: "Garbage"}));
        assert!(garbage.hook && garbage.phases.is_empty());
        assert!(with(json!({HOOK: ""})).phases.is_empty());
    }

    /// `gitops-engine/pkg/sync/hook/helm/{hook,type}_test.go`, `hook_test.go`.
    #[test]
    fn hooks_of_helm_are_mapped() {
        for (name, phase) in HELM_PHASES {
            let place = with(json!({HELM_HOOK: name}));
            assert!(place.hook, "{name}");
            assert_eq!(place.phases, [*phase], "{name}");
        }
        let crd = with(json!({HELM_HOOK: "crd-install"}));
        assert!(!crd.hook);
        assert_eq!(crd.phases, [Phase::Sync]);
        for name in ["test", "test-success", "pre-rollback", "post-rollback"] {
            let place = with(json!({HELM_HOOK: name}));
            assert!(place.hook && place.phases.is_empty(), "{name}");
        }
        // Argo CD's annotation wins; one that names nothing known leaves it to Helm's.
        assert_eq!(
            with(json!({HOOK: "Sync", HELM_HOOK: "pre-install"})).phases,
            [Phase::Sync]
        );
        assert_eq!(
            with(json!({HOOK: "Garbage", HELM_HOOK: "pre-install"})).phases,
            [Phase::PreSync]
        );
        assert_eq!(
            with(json!({HELM_HOOK: "pre-install,pre-upgrade"})).phases,
            [Phase::PreSync]
        );
    }

    /// `controller/hook_test.go`.
    #[test]
    fn hooks_on_deletion_are_no_part_of_a_sync() {
        for (key, name, hook) in DELETE_HOOKS {
            let place = with(json!({*key: name}));
            assert_eq!(place.on_delete, [*hook], "{name}");
            assert!(place.hook && place.phases.is_empty(), "{name}");
        }
        let both = with(json!({HOOK: "PostSync,PostDelete"}));
        assert_eq!(
            (both.phases, both.on_delete),
            (vec![Phase::PostSync], vec![DeleteHook::PostDelete])
        );
        let helm = with(json!({HELM_HOOK: "post-install,post-delete"}));
        assert_eq!(
            (helm.phases, helm.on_delete),
            (vec![Phase::PostSync], vec![DeleteHook::PostDelete])
        );
    }

    /// `gitops-engine/pkg/sync/syncwaves/waves_test.go`.
    #[test]
    fn the_wave_is_an_integer_or_helms_weight() {
        let wave = |annotations| with(annotations).wave;
        assert_eq!(wave(json!({})), 0);
        assert_eq!(wave(json!({"argocd.argoproj.io/sync-wave": "1"})), 1);
        assert_eq!(wave(json!({"helm.sh/hook-weight": "1"})), 1);
        assert_eq!(
            wave(json!({"argocd.argoproj.io/sync-wave": "-3", "helm.sh/hook-weight": "1"})),
            -3
        );
        assert_eq!(
            wave(json!({"argocd.argoproj.io/sync-wave": "a", "helm.sh/hook-weight": "7"})),
            7
        );
        assert_eq!(wave(json!({"argocd.argoproj.io/sync-wave": "1.5"})), 0);
        assert_eq!(wave(json!({"argocd.argoproj.io/sync-wave": 5})), 0);
    }

    /// `gitops-engine/pkg/sync/hook/delete_policy_test.go`, `hook/helm/delete_policy_test.go`.
    #[test]
    fn delete_policies_of_both_count() {
        let policies = |mut annotations: Value| {
            annotations[HOOK] = json!("Sync");
            with(annotations).delete_policies
        };
        assert_eq!(policies(json!({})), [DeletePolicy::BeforeHookCreation]);
        for (argo, helm, policy) in DELETE_POLICIES {
            assert_eq!(
                policies(json!({"argocd.argoproj.io/hook-delete-policy": argo})),
                [*policy]
            );
            assert_eq!(policies(json!({"helm.sh/hook-delete-policy": helm})), [*policy]);
        }
        let both = json!({"argocd.argoproj.io/hook-delete-policy": "HookSucceeded", "helm.sh/hook-delete-policy": "hook-failed"});
        assert_eq!(policies(both), [DeletePolicy::HookSucceeded, DeletePolicy::HookFailed]);
        assert_eq!(
            policies(json!({"argocd.argoproj.io/hook-delete-policy": "Garbage"})),
            [DeletePolicy::BeforeHookCreation]
        );
        assert!(with(json!({})).delete_policies.is_empty());
    }
}
