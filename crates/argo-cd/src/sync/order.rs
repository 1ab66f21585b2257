//! The order of a sync (`gitops-engine/pkg/sync/sync_tasks.go`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::phase::{Phase, place};
use crate::object::{group, is_crd, kind, name, namespace, text};

/// Kinds in the order in which they are applied; a kind that is not here comes after all of them.
const KINDS: &[&str] = &[
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];

/// One application of an object in a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Index of the object.
    pub object: usize,
    /// The phase. It differs from the object's own for a Namespace or a CRD that is moved before what needs it.
    pub phase: Phase,
    /// The wave, moved likewise.
    pub wave: i64,
}

/// The place of a kind among its likes; `0`, the last, for one that is not in the table.
pub fn kind_rank(kind: &str) -> i32 {
    let at = KINDS.iter().position(|known| *known == kind);
    at.map_or(0, |at| {
        i32::try_from(at).unwrap_or(0) - i32::try_from(KINDS.len()).unwrap_or(0)
    })
}

/// The steps of a sync of some objects, first to last: by phase, wave, kind and name, then a Namespace before the first object in it and a
/// CRD before its first object, with the phase and wave of that object. A hook of several phases has a step in each. Objects that are
/// equal in all of that keep the order in which they are given.
///
/// `metadata.namespace` must be set on what lives in a namespace, as Argo CD sets it before.
pub fn order(objects: &[Value]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (object, value) in objects.iter().enumerate() {
        let place = place(value);
        steps.extend(place.phases.iter().map(|phase| Step {
            object,
            phase: *phase,
            wave: place.wave,
        }));
    }
    let rank: Vec<(i32, &str)> = objects
        .iter()
        .map(|object| (kind_rank(kind(object)), name(object)))
        .collect();
    steps.sort_by_key(|step| (step.phase, step.wave, rank[step.object]));
    let steps = pull_up(
        steps,
        |step| {
            let object = &objects[step.object];
            (kind(object) == "Namespace" && group(object).is_empty()).then(|| name(object).to_owned())
        },
        |step| Some(namespace(&objects[step.object]).to_owned()).filter(|namespace| !namespace.is_empty()),
    );
    pull_up(
        steps,
        |step| {
            let object = &objects[step.object];
            let kind = text(object, &["spec", "names", "kind"]);
            (is_crd(object) && !kind.is_empty()).then(|| format!("{}/{kind}", text(object, &["spec", "group"])))
        },
        |step| {
            let object = &objects[step.object];
            Some(format!("{}/{}", group(object), kind(object)))
        },
    )
}

/// Moves what others need before the first that needs it (`adjustDeps`).
fn pull_up(
    steps: Vec<Step>,
    gives: impl Fn(&Step) -> Option<String>,
    needs: impl Fn(&Step) -> Option<String>,
) -> Vec<Step> {
    // A step is given a place before that of the first which needs it, and after those put there before.
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut before: BTreeMap<usize, Vec<Step>> = BTreeMap::new();
    let mut kept: Vec<Step> = Vec::new();
    for step in steps {
        match gives(&step) {
            Some(key) => match first.get(&key) {
                Some(index) => before.entry(*index).or_default().push(Step {
                    phase: kept[*index].phase,
                    wave: kept[*index].wave,
                    ..step
                }),
                None => kept.push(step),
            },
            None => {
                if let Some(key) = needs(&step) {
                    first.entry(key).or_insert(kept.len());
                }
                kept.push(step);
            }
        }
    }
    let mut steps = Vec::new();
    for (index, step) in kept.into_iter().enumerate() {
        steps.extend(before.remove(&index).unwrap_or_default());
        steps.push(step);
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(objects: &[Value]) -> Vec<String> {
        let steps = order(objects).into_iter();
        steps
            .map(|step| format!("{}/{}", kind(&objects[step.object]), name(&objects[step.object])))
            .collect()
    }

    /// `sync_tasks_test.go`, `Test_syncTasks_kindOrder`.
    #[test]
    fn kinds_have_ranks() {
        assert_eq!(kind_rank("Namespace"), -35);
        assert_eq!(kind_rank("APIService"), -1);
        assert_eq!(kind_rank("MyCRD"), 0);
    }

    /// `sync_tasks_test.go`, `TestSortSyncTask`.
    #[test]
    fn phase_then_wave_then_kind_then_name() {
        let with = |kind: &str, name: &str, annotations: Value| json!({"kind": kind, "metadata": {"name": name, "annotations": annotations}});
        let objects = [
            with("Pod", "", json!({})),
            with("Service", "", json!({})),
            with("PersistentVolume", "", json!({})),
            with("Job", "fail", json!({"argocd.argoproj.io/hook": "SyncFail"})),
            with("", "late", json!({"argocd.argoproj.io/sync-wave": "1"})),
            with("", "b", json!({})),
            with("", "a", json!({})),
            with("", "early", json!({"argocd.argoproj.io/sync-wave": "-1"})),
            with("Job", "pre", json!({"argocd.argoproj.io/hook": "PreSync"})),
            with("Job", "post", json!({"argocd.argoproj.io/hook": "PostSync"})),
            with("Job", "never", json!({"argocd.argoproj.io/hook": "Skip"})),
        ];
        let expected = [
            "Job/pre",
            "/early",
            "PersistentVolume/",
            "Service/",
            "Pod/",
            "/a",
            "/b",
            "/late",
            "Job/post",
            "Job/fail",
        ];
        assert_eq!(names(&objects), expected);
    }

    /// `sync_tasks_test.go`, `TestSyncNamespaceAgainstCRD` and `TestSyncTasksSort_NamespaceAndObjectInNamespace`.
    #[test]
    fn a_namespace_goes_before_what_is_in_it() {
        let objects = [
            json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "pre", "namespace": "shop",
                "annotations": {"argocd.argoproj.io/hook": "PreSync"}}}),
            json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "shop"}}),
            json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "other"}}),
        ];
        let steps = order(&objects);
        assert_eq!(
            steps[0],
            Step {
                object: 1,
                phase: Phase::PreSync,
                wave: 0
            }
        );
        assert_eq!(
            steps[1],
            Step {
                object: 0,
                phase: Phase::PreSync,
                wave: 0
            }
        );
        assert_eq!(
            steps[2],
            Step {
                object: 2,
                phase: Phase::Sync,
                wave: 0
            }
        );
    }

    /// `sync_tasks_test.go`, `TestSyncTasksSort_CRDAndCR`.
    #[test]
    fn a_crd_goes_before_its_objects() {
        let crd = json!({"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "metadata": {"name": "crontabs.stable.example.com"},
            "spec": {"group": "stable.example.com", "names": {"kind": "CronTab"}}});
        let object = json!({"kind": "CronTab", "apiVersion": "stable.example.com/v1", "metadata": {"name": "a",
            "annotations": {"argocd.argoproj.io/sync-wave": "-4"}}});
        let steps = order(&[crd, object]);
        assert_eq!(
            steps[0],
            Step {
                object: 0,
                phase: Phase::Sync,
                wave: -4
            }
        );
        assert_eq!(steps[1].object, 1);
    }

    /// Those moved to one place keep their order, and both a namespace and a CRD may move.
    #[test]
    fn several_are_pulled_up_in_their_order() {
        let early = |kind: &str, api: &str, namespace: &str| {
            json!({"kind": kind, "apiVersion": api, "metadata": {"name": "x", "namespace": namespace,
                "annotations": {"argocd.argoproj.io/sync-wave": "-1"}}})
        };
        let objects = [
            json!({"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "metadata": {"name": "c"},
                "spec": {"group": "g", "names": {"kind": "K"}}}),
            json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "n"}}),
            early("K", "g/v1", "n"),
        ];
        assert_eq!(names(&objects), ["Namespace/n", "CustomResourceDefinition/c", "K/x"]);
    }

    #[test]
    fn hooks_of_two_phases_have_two_steps() {
        let objects = [
            json!({"kind": "Job", "metadata": {"name": "a", "annotations": {"argocd.argoproj.io/hook": "PostSync,PreSync"}}}),
        ];
        let phases: Vec<Phase> = order(&objects).iter().map(|step| step.phase).collect();
        assert_eq!(phases, [Phase::PreSync, Phase::PostSync]);
    }
}
