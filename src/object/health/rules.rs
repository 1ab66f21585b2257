//! The kinds that have a status contract of their own, one row each.

use serde_json::Value;

use super::Health;
use super::live::{Condition, Live};

/// How one kind is judged, once nothing general decides.
pub(super) struct Rule {
    pub groups: &'static [&'static str],
    pub kind: &'static str,
    /// Whether its controller always writes `status.observedGeneration`.
    pub observed: bool,
    pub judge: fn(Live<'_>) -> (Health, String),
}

const fn rule(
    groups: &'static [&'static str],
    kind: &'static str,
    observed: bool,
    judge: fn(Live<'_>) -> (Health, String),
) -> Rule {
    Rule {
        groups,
        kind,
        observed,
        judge,
    }
}

const CORE: &[&str] = &[""];
const APPS: &[&str] = &["apps", "extensions"];

pub(super) const RULES: &[Rule] = &[
    rule(CORE, "Namespace", false, namespace),
    rule(CORE, "PersistentVolume", false, volume),
    rule(CORE, "PersistentVolumeClaim", false, claim),
    rule(CORE, "Pod", false, pod),
    rule(CORE, "ReplicationController", true, replica_set),
    rule(CORE, "ResourceQuota", false, quota),
    rule(CORE, "Service", false, service),
    rule(APPS, "DaemonSet", true, daemon_set),
    rule(APPS, "Deployment", true, deployment),
    rule(APPS, "ReplicaSet", true, replica_set),
    rule(&["apps"], "StatefulSet", true, stateful_set),
    rule(&["batch"], "Job", false, job),
    rule(&["policy"], "PodDisruptionBudget", true, disruption_budget),
    rule(&["apiextensions.k8s.io"], "CustomResourceDefinition", false, definition),
    rule(&["apiregistration.k8s.io"], "APIService", false, api_service),
];

/// Custom kinds whose controllers are known to tell with a condition Ready (of Gateways: Programmed, Accepted) how an object
/// is doing. Others may never say anything, so nothing waits for them.
pub(super) const TELLING: &[(&str, &[&str])] = &[
    ("cert-manager.io", &["Certificate", "ClusterIssuer", "Issuer"]),
    (
        "external-secrets.io",
        &[
            "ClusterExternalSecret",
            "ClusterSecretStore",
            "ExternalSecret",
            "SecretStore",
        ],
    ),
    ("bitnami.com", &["SealedSecret"]),
    ("gateway.networking.k8s.io", &["Gateway", "GatewayClass"]),
];

pub(super) fn rule_of(group: &str, kind: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| rule.kind == kind && rule.groups.contains(&group))
}

fn current(message: impl Into<String>) -> (Health, String) {
    (Health::Current, message.into())
}

fn waiting(message: impl Into<String>) -> (Health, String) {
    (Health::InProgress, message.into())
}

fn failed(message: impl Into<String>) -> (Health, String) {
    (Health::Failed, message.into())
}

/// The first count that falls short of what is wanted, as a message.
fn short_of(wanted: i64, counts: &[(&str, i64)]) -> Option<(Health, String)> {
    let (word, count) = counts.iter().find(|(_, count)| *count < wanted)?;
    Some(waiting(format!("{word} {count} of {wanted}")))
}

/// Pods that are more than wanted, as a message.
fn too_many(wanted: i64, there: i64) -> Option<(Health, String)> {
    (there > wanted).then(|| waiting(format!("{} old pods are still there", there - wanted)))
}

fn replicas(live: Live<'_>) -> i64 {
    live.number("/spec/replicas").unwrap_or(1)
}

fn namespace(live: Live<'_>) -> (Health, String) {
    match live.text("/status/phase") {
        "Active" => current("Active"),
        "Terminating" => (Health::Terminating, "Terminating".to_owned()),
        _ => waiting("has no phase yet"),
    }
}

fn claim(live: Live<'_>) -> (Health, String) {
    match live.text("/status/phase") {
        "Bound" => current("Bound"),
        "Lost" => failed("its volume is lost"),
        "" => waiting("has no phase yet"),
        phase => waiting(format!("{phase}, not bound to a volume")),
    }
}

/// A volume without a phase was not seen yet by the controller that binds; whether anything claims it is not its own matter.
fn volume(live: Live<'_>) -> (Health, String) {
    match live.text("/status/phase") {
        "" => waiting("has no phase yet"),
        "Pending" => waiting("Pending"),
        "Failed" => failed(match live.text("/status/message") {
            "" => "Failed",
            message => message,
        }),
        phase => current(phase),
    }
}

fn pod(live: Live<'_>) -> (Health, String) {
    match live.text("/status/phase") {
        "Succeeded" => current("completed"),
        "Failed" => failed(match live.text("/status/message") {
            "" => "ended in failure",
            message => message,
        }),
        // It does what it is for once it ends.
        "Running" if is_hook(live) => waiting("running, not ended"),
        "Running" => match live.condition("Ready") {
            Some(ready) if ready.is_true() => current("Ready"),
            ready => match crash_looping(live).as_slice() {
                [] => waiting(ready.map_or("running, not Ready".to_owned(), |c| c.because("running, not Ready"))),
                names => failed(format!("crash loop of {}", names.join(", "))),
            },
        },
        "Pending" => match live.condition("PodScheduled") {
            Some(scheduled) if scheduled.is_false() => waiting(scheduled.because("not scheduled")),
            _ => waiting("Pending"),
        },
        "" => waiting("has no phase yet"),
        phase => (Health::Unknown, format!("phase {phase}")),
    }
}

/// Whether a Pod is a hook that ends (`health_pod.go` of Argo CD's gitops-engine; Helm waits for all that are hooks).
fn is_hook(live: Live<'_>) -> bool {
    let annotations = live.0.pointer("/metadata/annotations");
    let is = |key: &str| annotations.is_some_and(|all| all[key].is_string());
    let ends = matches!(live.text("/spec/restartPolicy"), "Never" | "OnFailure");
    ends && (is("helm.sh/hook") || is("argocd.argoproj.io/hook"))
}

fn crash_looping(live: Live<'_>) -> Vec<&str> {
    let looping = |container: &&Value| Live(container).text("/state/waiting/reason") == "CrashLoopBackOff";
    let containers = live.list("/status/containerStatuses").iter();
    containers.filter(looping).map(|c| Live(c).text("/name")).collect()
}

/// Pods of a namespace with a quota are refused until its use is counted ("status unknown for quota").
fn quota(live: Live<'_>) -> (Health, String) {
    let limits = |pointer| live.0.pointer(pointer).and_then(Value::as_object);
    let counted = limits("/status/hard");
    let missing = limits("/spec/hard")
        .into_iter()
        .flat_map(|hard| hard.keys())
        .find(|key| counted.is_none_or(|counted| !counted.contains_key(*key)));
    match missing {
        Some(key) => waiting(format!("{key} is not counted yet")),
        None => current("counted"),
    }
}

fn service(live: Live<'_>) -> (Health, String) {
    match live.text("/spec/type") {
        "LoadBalancer" if live.text("/spec/clusterIP").is_empty() => waiting("has no cluster address yet"),
        "LoadBalancer" if live.list("/status/loadBalancer/ingress").is_empty() => waiting("has no outside address yet"),
        _ => current("ready"),
    }
}

fn daemon_set(live: Live<'_>) -> (Health, String) {
    let Some(wanted) = live.number("/status/desiredNumberScheduled") else {
        return waiting("its controller has not seen it yet");
    };
    let counts = [
        ("scheduled", live.count("currentNumberScheduled")),
        ("updated", live.count("updatedNumberScheduled")),
        ("available", live.count("numberAvailable")),
        ("ready", live.count("numberReady")),
    ];
    short_of(wanted, &counts).unwrap_or_else(|| current(format!("ready {wanted} of {wanted}")))
}

fn deployment(live: Live<'_>) -> (Health, String) {
    let wanted = replicas(live);
    let (there, updated) = (live.count("replicas"), live.count("updatedReplicas"));
    let progressing = live.condition("Progressing");
    if let Some(condition) = &progressing
        && condition.reason == "ProgressDeadlineExceeded"
    {
        return failed(condition.because("took longer than progressDeadlineSeconds"));
    }
    let found = short_of(wanted, &[("created", there), ("updated", updated)])
        .or_else(|| too_many(wanted, there))
        .or_else(|| short_of(updated, &[("available", live.count("availableReplicas"))]))
        .or_else(|| short_of(wanted, &[("ready", live.count("readyReplicas"))]));
    if let Some(found) = found {
        return found;
    }
    // Without a deadline the controller writes no Progressing condition.
    let deadline = live
        .number("/spec/progressDeadlineSeconds")
        .unwrap_or(i64::from(i32::MAX));
    let progressed = progressing.is_some_and(|c| c.is_true() && c.reason == "NewReplicaSetAvailable");
    if deadline != i64::from(i32::MAX) && !progressed {
        return waiting("its new pods are not available yet");
    }
    match live.condition("Available") {
        Some(available) if available.is_true() => current(format!("ready {wanted} of {wanted}")),
        Some(available) => waiting(available.because("not Available")),
        None => waiting("not Available"),
    }
}

/// ReplicaSets and ReplicationControllers.
fn replica_set(live: Live<'_>) -> (Health, String) {
    if let Some(failure) = live.condition("ReplicaFailure").filter(Condition::is_true) {
        return waiting(failure.because("cannot make pods"));
    }
    let wanted = replicas(live);
    let counts = [
        ("labelled", live.count("fullyLabeledReplicas")),
        ("available", live.count("availableReplicas")),
        ("ready", live.count("readyReplicas")),
    ];
    short_of(wanted, &counts)
        .or_else(|| too_many(wanted, live.count("replicas")))
        .unwrap_or_else(|| current(format!("ready {wanted} of {wanted}")))
}

fn stateful_set(live: Live<'_>) -> (Health, String) {
    if live.text("/spec/updateStrategy/type") == "OnDelete" {
        return current("updated by hand (OnDelete)");
    }
    let (wanted, there) = (replicas(live), live.count("replicas"));
    let found = short_of(wanted, &[("created", there), ("ready", live.count("readyReplicas"))])
        .or_else(|| too_many(wanted, there));
    if let Some(found) = found {
        return found;
    }
    let updated = live.count("updatedReplicas");
    if let Some(partition) = live.number("/spec/updateStrategy/rollingUpdate/partition") {
        return short_of(wanted - partition, &[("updated", updated)])
            .unwrap_or_else(|| current(format!("updated {updated}, the partition's rest is kept")));
    }
    if let Some(found) = short_of(wanted, &[("current", live.count("currentReplicas"))]) {
        return found;
    }
    match live.text("/status/currentRevision") == live.text("/status/updateRevision") {
        true => current(format!("ready {wanted} of {wanted}")),
        false => waiting("some pods are still of the old revision"),
    }
}

fn job(live: Live<'_>) -> (Health, String) {
    let is = |kind| live.condition(kind).filter(Condition::is_true);
    if is("Complete").is_some() {
        return current("Complete");
    }
    if let Some(failure) = is("Failed") {
        return failed(failure.because("failed"));
    }
    if is("Suspended").is_some() {
        return current("suspended");
    }
    match live.text("/status/startTime") {
        "" => waiting("not started"),
        _ => waiting(format!(
            "running: active {}, succeeded {}, failed {}",
            live.count("active"),
            live.count("succeeded"),
            live.count("failed")
        )),
    }
}

/// That its controller has seen it is all that a budget can tell; `assess` has made sure of that.
fn disruption_budget(live: Live<'_>) -> (Health, String) {
    current(format!("allows {} disruptions", live.count("disruptionsAllowed")))
}

fn definition(live: Live<'_>) -> (Health, String) {
    if let Some(names) = live.condition("NamesAccepted").filter(Condition::is_false) {
        return failed(names.because("its names are taken"));
    }
    match live.condition("Established") {
        Some(established) if established.is_true() => current("Established"),
        Some(established) if established.is_false() && established.reason != "Installing" => {
            failed(established.because("not Established"))
        }
        _ => waiting("not Established yet"),
    }
}

fn api_service(live: Live<'_>) -> (Health, String) {
    match live.condition("Available") {
        Some(available) if available.is_true() => current("Available"),
        Some(available) => waiting(available.because("not Available")),
        None => waiting("not Available"),
    }
}
