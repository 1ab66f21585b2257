use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rules::RULES;
use super::*;

/// An object of a kind with what else it has.
fn object(api_version: &str, kind: &str, spec: Value, status: Value) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "a", "generation": 2},
        "spec": spec,
        "status": status,
    })
}

fn conditions(conditions: &[(&str, &str, &str)]) -> Value {
    conditions
        .iter()
        .map(|(kind, status, reason)| json!({"type": kind, "status": status, "reason": reason}))
        .collect()
}

/// What an object of the kind is judged to be: one row a rule and state.
fn cases() -> Vec<(Value, Health, &'static str)> {
    use Health::{Current, Failed, InProgress, Terminating, Unknown};
    let core = |kind, spec, status| object("v1", kind, spec, status);
    let apps = |kind, spec, mut status: Value| {
        status["observedGeneration"] = json!(2);
        object("apps/v1", kind, spec, status)
    };
    let hook = |mut value: Value| {
        value["metadata"]["annotations"] = json!({"helm.sh/hook": "pre-install"});
        value
    };
    let job = |status| object("batch/v1", "Job", json!({}), status);
    let definition = |list: &[_]| {
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            json!({"conditions": conditions(list)}),
        )
    };
    let api_service = |list: &[_]| {
        object(
            "apiregistration.k8s.io/v1",
            "APIService",
            json!({}),
            json!({"conditions": conditions(list)}),
        )
    };
    let deployed = json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2,
        "conditions": conditions(&[("Progressing", "True", "NewReplicaSetAvailable"), ("Available", "True", "MinimumReplicasAvailable")])});
    let with = |base: &Value, changes: Value| {
        let mut merged = base.clone();
        for (key, value) in changes.as_object().expect("because the changes are a map") {
            merged[key] = value.clone();
        }
        merged
    };
    let two = json!({"replicas": 2, "progressDeadlineSeconds": 600});
    let set = json!({"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "updatedReplicas": 2, "currentRevision": "a-1", "updateRevision": "a-1"});
    let daemons = json!({"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3, "numberReady": 3});
    let replica_set = json!({"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 2, "readyReplicas": 2});
    let running = |list: &[_]| json!({"phase": "Running", "conditions": conditions(list)});
    vec![
        (
            core("Namespace", json!({}), json!({"phase": "Active"})),
            Current,
            "Active",
        ),
        (core("Namespace", json!({}), json!({})), InProgress, "has no phase yet"),
        (
            core("Namespace", json!({}), json!({"phase": "Terminating"})),
            Terminating,
            "Terminating",
        ),
        (
            core("PersistentVolume", json!({}), json!({})),
            InProgress,
            "has no phase yet",
        ),
        (
            core("PersistentVolume", json!({}), json!({"phase": "Pending"})),
            InProgress,
            "Pending",
        ),
        (
            core("PersistentVolume", json!({}), json!({"phase": "Available"})),
            Current,
            "Available",
        ),
        (
            core(
                "PersistentVolume",
                json!({}),
                json!({"phase": "Failed", "message": "no plugin deletes it"}),
            ),
            Failed,
            "no plugin deletes it",
        ),
        (
            core("PersistentVolumeClaim", json!({}), json!({"phase": "Bound"})),
            Current,
            "Bound",
        ),
        (
            core("PersistentVolumeClaim", json!({}), json!({"phase": "Pending"})),
            InProgress,
            "Pending, not bound to a volume",
        ),
        (
            core("PersistentVolumeClaim", json!({}), json!({})),
            InProgress,
            "has no phase yet",
        ),
        (
            core("PersistentVolumeClaim", json!({}), json!({"phase": "Lost"})),
            Failed,
            "its volume is lost",
        ),
        (core("Pod", json!({}), json!({})), InProgress, "has no phase yet"),
        (
            core("Pod", json!({}), json!({"phase": "Pending"})),
            InProgress,
            "Pending",
        ),
        (
            core(
                "Pod",
                json!({}),
                json!({"phase": "Pending", "conditions": conditions(&[("PodScheduled", "False", "Unschedulable")])}),
            ),
            InProgress,
            "Unschedulable",
        ),
        (
            core("Pod", json!({}), running(&[("Ready", "True", "")])),
            Current,
            "Ready",
        ),
        (
            core("Pod", json!({}), running(&[("Ready", "False", "ContainersNotReady")])),
            InProgress,
            "ContainersNotReady",
        ),
        (core("Pod", json!({}), running(&[])), InProgress, "running, not Ready"),
        (
            core(
                "Pod",
                json!({}),
                with(
                    &running(&[("Ready", "False", "")]),
                    json!({"containerStatuses": [
                {"name": "ok", "state": {"running": {}}}, {"name": "db", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
                ),
            ),
            Failed,
            "crash loop of db",
        ),
        (
            hook(core(
                "Pod",
                json!({"restartPolicy": "Never"}),
                running(&[("Ready", "True", "")]),
            )),
            InProgress,
            "running, not ended",
        ),
        (
            hook(core("Pod", json!({}), running(&[("Ready", "True", "")]))),
            Current,
            "Ready",
        ),
        (
            core("Pod", json!({}), json!({"phase": "Succeeded"})),
            Current,
            "completed",
        ),
        (
            core("Pod", json!({}), json!({"phase": "Failed"})),
            Failed,
            "ended in failure",
        ),
        (
            core(
                "Pod",
                json!({}),
                json!({"phase": "Failed", "message": "evicted\n\u{1b}[2J"}),
            ),
            Failed,
            "evicted \\u{1b}[2J",
        ),
        (
            core("Pod", json!({}), json!({"phase": "Unknown"})),
            Unknown,
            "phase Unknown",
        ),
        (
            core(
                "ReplicationController",
                json!({"replicas": 2}),
                with(&replica_set, json!({"observedGeneration": 2})),
            ),
            Current,
            "ready 2 of 2",
        ),
        (
            core("ReplicationController", json!({"replicas": 2}), json!({})),
            InProgress,
            "its controller has not seen it yet",
        ),
        (
            core(
                "ResourceQuota",
                json!({"hard": {"pods": "4"}}),
                json!({"hard": {"pods": "4"}}),
            ),
            Current,
            "counted",
        ),
        (
            core("ResourceQuota", json!({"hard": {"pods": "4"}}), json!({})),
            InProgress,
            "pods is not counted yet",
        ),
        (core("Service", json!({}), json!({})), Current, "ready"),
        (
            core("Service", json!({"type": "NodePort"}), json!({})),
            Current,
            "ready",
        ),
        (
            core("Service", json!({"type": "LoadBalancer"}), json!({})),
            InProgress,
            "has no cluster address yet",
        ),
        (
            core(
                "Service",
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
                json!({"loadBalancer": {}}),
            ),
            InProgress,
            "has no outside address yet",
        ),
        (
            core(
                "Service",
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
                json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}),
            ),
            Current,
            "ready",
        ),
        (apps("DaemonSet", json!({}), daemons.clone()), Current, "ready 3 of 3"),
        (
            apps("DaemonSet", json!({}), json!({})),
            InProgress,
            "its controller has not seen it yet",
        ),
        (
            object("apps/v1", "DaemonSet", json!({}), daemons.clone()),
            InProgress,
            "its controller has not seen it yet",
        ),
        (
            apps(
                "DaemonSet",
                json!({}),
                with(&daemons, json!({"currentNumberScheduled": 1})),
            ),
            InProgress,
            "scheduled 1 of 3",
        ),
        (
            apps(
                "DaemonSet",
                json!({}),
                with(&daemons, json!({"updatedNumberScheduled": 1})),
            ),
            InProgress,
            "updated 1 of 3",
        ),
        (
            apps("DaemonSet", json!({}), with(&daemons, json!({"numberAvailable": 2}))),
            InProgress,
            "available 2 of 3",
        ),
        (
            apps("DaemonSet", json!({}), with(&daemons, json!({"numberReady": 0}))),
            InProgress,
            "ready 0 of 3",
        ),
        (
            apps("Deployment", two.clone(), deployed.clone()),
            Current,
            "ready 2 of 2",
        ),
        (
            object("apps/v1", "Deployment", json!({"replicas": 0}), json!({})),
            InProgress,
            "its controller has not seen it yet",
        ),
        (
            apps("Deployment", two.clone(), with(&deployed, json!({"replicas": 1}))),
            InProgress,
            "created 1 of 2",
        ),
        (
            apps(
                "Deployment",
                two.clone(),
                with(&deployed, json!({"updatedReplicas": 1})),
            ),
            InProgress,
            "updated 1 of 2",
        ),
        (
            apps("Deployment", two.clone(), with(&deployed, json!({"replicas": 3}))),
            InProgress,
            "1 old pods are still there",
        ),
        (
            apps(
                "Deployment",
                two.clone(),
                with(&deployed, json!({"availableReplicas": 1})),
            ),
            InProgress,
            "available 1 of 2",
        ),
        (
            apps("Deployment", two.clone(), with(&deployed, json!({"readyReplicas": 0}))),
            InProgress,
            "ready 0 of 2",
        ),
        (
            apps(
                "Deployment",
                two.clone(),
                with(
                    &deployed,
                    json!({"conditions": conditions(&[("Available", "True", "")])}),
                ),
            ),
            InProgress,
            "its new pods are not available yet",
        ),
        (
            apps(
                "Deployment",
                json!({"replicas": 2}),
                with(
                    &deployed,
                    json!({"conditions": conditions(&[("Available", "True", "")])}),
                ),
            ),
            Current,
            "ready 2 of 2",
        ),
        (
            apps(
                "Deployment",
                json!({"replicas": 2}),
                with(
                    &deployed,
                    json!({"conditions": conditions(&[("Available", "False", "MinimumReplicasUnavailable")])}),
                ),
            ),
            InProgress,
            "MinimumReplicasUnavailable",
        ),
        (
            apps(
                "Deployment",
                json!({"replicas": 2}),
                with(&deployed, json!({"conditions": []})),
            ),
            InProgress,
            "not Available",
        ),
        (
            apps(
                "Deployment",
                two.clone(),
                json!({"conditions": conditions(&[("Progressing", "False", "ProgressDeadlineExceeded")])}),
            ),
            Failed,
            "ProgressDeadlineExceeded",
        ),
        (
            apps("ReplicaSet", two.clone(), replica_set.clone()),
            Current,
            "ready 2 of 2",
        ),
        (
            apps(
                "ReplicaSet",
                two.clone(),
                with(&replica_set, json!({"fullyLabeledReplicas": 1})),
            ),
            InProgress,
            "labelled 1 of 2",
        ),
        (
            apps(
                "ReplicaSet",
                two.clone(),
                with(&replica_set, json!({"availableReplicas": 1})),
            ),
            InProgress,
            "available 1 of 2",
        ),
        (
            apps(
                "ReplicaSet",
                two.clone(),
                with(&replica_set, json!({"readyReplicas": 1})),
            ),
            InProgress,
            "ready 1 of 2",
        ),
        (
            apps("ReplicaSet", two.clone(), with(&replica_set, json!({"replicas": 4}))),
            InProgress,
            "2 old pods are still there",
        ),
        (
            apps(
                "ReplicaSet",
                two.clone(),
                with(
                    &replica_set,
                    json!({"conditions": conditions(&[("ReplicaFailure", "True", "FailedCreate")])}),
                ),
            ),
            InProgress,
            "FailedCreate",
        ),
        (apps("StatefulSet", two.clone(), set.clone()), Current, "ready 2 of 2"),
        (
            object("apps/v1", "StatefulSet", json!({"replicas": 0}), json!({})),
            InProgress,
            "its controller has not seen it yet",
        ),
        (
            apps("StatefulSet", two.clone(), with(&set, json!({"replicas": 1}))),
            InProgress,
            "created 1 of 2",
        ),
        (
            apps("StatefulSet", two.clone(), with(&set, json!({"readyReplicas": 1}))),
            InProgress,
            "ready 1 of 2",
        ),
        (
            apps("StatefulSet", two.clone(), with(&set, json!({"replicas": 3}))),
            InProgress,
            "1 old pods are still there",
        ),
        (
            apps("StatefulSet", two.clone(), with(&set, json!({"currentReplicas": 1}))),
            InProgress,
            "current 1 of 2",
        ),
        (
            apps("StatefulSet", two.clone(), with(&set, json!({"updateRevision": "a-2"}))),
            InProgress,
            "some pods are still of the old revision",
        ),
        (
            apps(
                "StatefulSet",
                json!({"updateStrategy": {"type": "OnDelete"}}),
                json!({}),
            ),
            Current,
            "updated by hand (OnDelete)",
        ),
        (
            apps(
                "StatefulSet",
                json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}}),
                with(&set, json!({"updatedReplicas": 1, "updateRevision": "a-2"})),
            ),
            Current,
            "updated 1, the partition's rest is kept",
        ),
        (
            apps(
                "StatefulSet",
                json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}}),
                with(&set, json!({"updatedReplicas": 0})),
            ),
            InProgress,
            "updated 0 of 1",
        ),
        (job(json!({})), InProgress, "not started"),
        (
            job(json!({"startTime": "2026-01-01T00:00:00Z", "active": 1})),
            InProgress,
            "running: active 1, succeeded 0, failed 0",
        ),
        (
            job(json!({"conditions": conditions(&[("Complete", "True", "")])})),
            Current,
            "Complete",
        ),
        (
            job(json!({"conditions": conditions(&[("Failed", "True", "BackoffLimitExceeded")])})),
            Failed,
            "BackoffLimitExceeded",
        ),
        (
            job(json!({"conditions": conditions(&[("Suspended", "True", "JobSuspended")])})),
            Current,
            "suspended",
        ),
        (
            object(
                "policy/v1",
                "PodDisruptionBudget",
                json!({}),
                json!({"observedGeneration": 2, "disruptionsAllowed": 1}),
            ),
            Current,
            "allows 1 disruptions",
        ),
        (
            object("policy/v1", "PodDisruptionBudget", json!({}), json!({})),
            InProgress,
            "its controller has not seen it yet",
        ),
        (definition(&[]), InProgress, "not Established yet"),
        (
            definition(&[("Established", "False", "Installing")]),
            InProgress,
            "not Established yet",
        ),
        (
            definition(&[("NamesAccepted", "True", ""), ("Established", "True", "")]),
            Current,
            "Established",
        ),
        (
            definition(&[
                ("Established", "True", ""),
                ("NamesAccepted", "False", "PluralConflict"),
            ]),
            Failed,
            "PluralConflict",
        ),
        (
            definition(&[("Established", "False", "NotAccepted")]),
            Failed,
            "NotAccepted",
        ),
        (api_service(&[]), InProgress, "not Available"),
        (
            api_service(&[("Available", "False", "MissingEndpoints")]),
            InProgress,
            "MissingEndpoints",
        ),
        (api_service(&[("Available", "True", "Local")]), Current, "Available"),
    ]
}

#[test]
fn every_rule_fires_in_every_state() {
    let mut fired: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (live, health, message) in cases() {
        let found = assess(&live);
        let wanted = Assessment {
            health,
            basis: Basis::KindRule,
            message: message.to_owned(),
        };
        assert_eq!(found, wanted, "{live}");
        let live = Live(&live);
        let key = (live.group().to_owned(), live.text("/kind").to_owned());
        *fired.entry(key).or_default() += 1;
    }
    for rule in RULES {
        let times = fired.get(&(rule.groups[0].to_owned(), rule.kind.to_owned()));
        assert!(
            times.is_some_and(|n| *n >= 2),
            "{} needs a case that is current and one that is not",
            rule.kind
        );
    }
}

#[test]
fn what_any_object_says_comes_first() {
    let told = |live: &Value, health, message: &str| {
        let found = assess(live);
        assert_eq!(
            (found.health, found.basis, &*found.message),
            (health, Basis::Conditions, message),
            "{live}"
        );
    };
    let mut going = object("v1", "ConfigMap", json!({}), json!({}));
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    told(&going, Health::Terminating, "is being deleted");
    going["metadata"]["finalizers"] = json!(["a.io/x", "b.io/y"]);
    told(
        &going,
        Health::Terminating,
        "is being deleted, waits for a.io/x, b.io/y",
    );
    let old = object("apps/v1", "Deployment", json!({}), json!({"observedGeneration": 1}));
    told(&old, Health::InProgress, "generation 2 is not seen yet, only 1");
    let custom = |list: &[_]| object("x.io/v1", "Thing", json!({}), json!({"conditions": conditions(list)}));
    told(
        &custom(&[("Ready", "True", ""), ("Reconciling", "True", "Progressing")]),
        Health::InProgress,
        "Progressing",
    );
    told(
        &custom(&[("Stalled", "True", "BadSpec"), ("Ready", "False", "")]),
        Health::Failed,
        "BadSpec",
    );
    told(&custom(&[("Ready", "True", "Succeeded")]), Health::Current, "Succeeded");
    told(&custom(&[("Ready", "False", "")]), Health::InProgress, "not Ready");
    told(
        &custom(&[("Ready", "Unknown", "Waiting")]),
        Health::InProgress,
        "Waiting",
    );
    told(&Value::Null, Health::NotFound, "is not there");
}

#[test]
fn what_has_no_contract_is_said_to_have_none() {
    for (api_version, kind) in [
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("batch/v1", "CronJob"),
        ("networking.k8s.io/v1", "Ingress"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("x.io/v1", "Thing"),
    ] {
        let found = assess(&object(
            api_version,
            kind,
            json!({}),
            json!({"conditions": conditions(&[("Synced", "False", "")])}),
        ));
        assert_eq!(
            (found.health, found.basis),
            (Health::Current, Basis::NoContract),
            "{kind}"
        );
    }
    assert_eq!(assess(&json!([])).health, Health::Unknown);
}

#[test]
fn kinds_that_can_tell_nothing_are_not_watched() {
    for rule in RULES {
        assert!(
            rule.groups.iter().all(|group| has_contract(group, rule.kind)),
            "{}",
            rule.kind
        );
    }
    assert!(has_contract("cert-manager.io", "Certificate"));
    assert!(has_contract("gateway.networking.k8s.io", "Gateway"));
    for (group, kind) in [
        ("", "Secret"),
        ("", "ConfigMap"),
        ("", "ServiceAccount"),
        ("batch", "CronJob"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ] {
        assert!(!has_contract(group, kind), "{kind}");
    }
}
