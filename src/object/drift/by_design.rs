//! Fields that are not the declarer's to keep: other controllers own them by design. Tables, each row with its reason.

use serde_json::Value;

use super::clean::is_mark;
use super::path::Path;

/// A field that a controller writes into declared objects: group and kind ("*" any), pattern of its path (`*` stands for
/// anything; what is below counts too), why.
struct Row {
    group: &'static str,
    kind: &'static str,
    path: &'static str,
    /// How much of the pattern comes before its first `*`: rows are looked through for every field of every object.
    start: usize,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the table"))]
    why: &'static str,
}

const fn row(group: &'static str, kind: &'static str, path: &'static str, why: &'static str) -> Row {
    let mut start = 0;
    while start < path.len() && path.as_bytes()[start] != b'*' {
        start += 1;
    }
    Row {
        group,
        kind,
        path,
        start,
        why,
    }
}

/// Fields that are no drift even where they are declared.
#[rustfmt::skip]
const ALWAYS: &[Row] = &[
    // The server's own book-keeping.
    row("*", "*", ".apiVersion", "the version it was read in"),
    row("*", "*", ".kind", "the kind it was read as"),
    row("*", "*", ".metadata.uid", "given by the server"),
    row("*", "*", ".metadata.resourceVersion", "given by the server"),
    row("*", "*", ".metadata.generation", "counted by the server"),
    row("*", "*", ".metadata.creationTimestamp", "given by the server"),
    row("*", "*", ".metadata.deletionTimestamp", "being deleted is another matter than drift"),
    row("*", "*", ".metadata.deletionGracePeriodSeconds", "likewise"),
    row("*", "*", ".metadata.managedFields", "who wrote what, not what was written"),
    row("*", "*", ".metadata.selfLink", "given by servers before 1.20"),
    row("*", "*", ".metadata.generateName", "the name was made of it"),
    row("*", "*", ".metadata.name", "they are one object"),
    row("*", "*", ".metadata.namespace", "they are one object"),
    row("*", "*", ".metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]", "kubectl apply's memory; it may carry Secret values"),
    row("*", "*", "*.metadata.creationTimestamp", "Go programs write null into every metadata"),
    // Certificates that are injected.
    row("admissionregistration.k8s.io", "*", "*.caBundle", "injected: by cert-manager, an operator, the cluster"),
    row("apiregistration.k8s.io", "APIService", "*.caBundle", "likewise"),
    row("apiextensions.k8s.io", "CustomResourceDefinition", "*.caBundle", "likewise"),
    // Workloads.
    row("apps", "*", ".metadata.annotations[deployment.kubernetes.io/*", "the Deployment controller numbers its revisions"),
    row("apps", "*", ".metadata.annotations[deprecated.daemonset.template.generation]", "the DaemonSet controller"),
    row("batch", "Job", "*.annotations[batch.kubernetes.io/job-tracking]", "the Job controller"),
    row("autoscaling", "HorizontalPodAutoscaler", ".metadata.annotations[autoscaling.alpha.kubernetes.io/*", "what version 1 has no field for"),
    // Volumes.
    row("*", "*", ".metadata.annotations[pv.kubernetes.io/*", "the volume binder and provisioners"),
    row("*", "*", ".metadata.annotations[volume.kubernetes.io/*", "the volume binder and provisioners"),
    row("*", "*", ".metadata.annotations[volume.beta.kubernetes.io/storage-*", "the volume binder and provisioners"),
    // Network.
    row("*", "*", ".metadata.annotations[endpoints.kubernetes.io/*", "the endpoints controller"),
    row("*", "*", ".metadata.annotations[cloud.google.com/neg-status]", "GKE's load balancers"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/backends]", "GKE's load balancers report here (ingress-gce)"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/forwarding-rule]", "likewise"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/https-forwarding-rule]", "likewise"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/https-target-proxy]", "likewise"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/ssl-cert]", "likewise"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/static-ip]", "likewise"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/target-proxy]", "likewise"),
    row("*", "*", ".metadata.annotations[ingress.kubernetes.io/url-map]", "likewise"),
    row("*", "*", ".metadata.annotations[field.cattle.io/publicEndpoints]", "Rancher reports here"),
    // Elections.
    row("*", "*", ".metadata.annotations[control-plane.alpha.kubernetes.io/leader]", "leader elections"),
    // Namespaces, accounts, rights.
    row("", "Namespace", ".metadata.annotations[openshift.io/sa.scc.*", "OpenShift gives each ids and ranges"),
    row("", "Namespace", ".metadata.annotations[cattle.io/status]", "Rancher reports here"),
    row("", "Namespace", ".metadata.annotations[lifecycle.cattle.io/*", "Rancher reports here"),
    row("", "Namespace", ".metadata.annotations[field.cattle.io/projectId]", "Rancher puts namespaces into projects"),
    // Nodes.
    row("", "Node", ".metadata.annotations[node.alpha.kubernetes.io/ttl]", "the node controllers"),
    row("", "Node", ".metadata.annotations[volumes.kubernetes.io/controller-managed-attach-detach]", "the kubelet"),
    // What asks an engine to look again.
    row("*", "*", ".metadata.annotations[reconcile.fluxcd.io/*", "asks Flux to reconcile now"),
    row("*", "*", ".metadata.annotations[argocd.argoproj.io/refresh]", "asks Argo CD to compare now"),
    row("*", "*", ".metadata.annotations[argocd.argoproj.io/tracking-id]", "Argo CD marks what it manages"),
];

/// Fields that are no drift unless they are declared: what Git does say is to hold.
#[rustfmt::skip]
const UNDECLARED: &[Row] = &[
    // Workloads.
    row("batch", "Job", ".spec.selector", "the server makes it of the Job's uid"),
    row("batch", "Job", ".spec.template.metadata.labels[batch.kubernetes.io/*", "the server labels a Job's pods"),
    row("batch", "Job", ".spec.template.metadata.labels.controller-uid", "likewise"),
    row("batch", "Job", ".spec.template.metadata.labels.job-name", "likewise"),
    row("batch", "Job", ".metadata.labels[batch.kubernetes.io/*", "a Job without labels gets those of its pods"),
    row("batch", "Job", ".metadata.labels.controller-uid", "likewise"),
    row("batch", "Job", ".metadata.labels.job-name", "likewise"),
    row("batch", "Job", ".metadata.ownerReferences", "its CronJob: also of one that kubectl create job --from made"),
    row("", "Pod", ".spec.nodeName", "the scheduler"),
    row("", "Pod", ".metadata.labels[topology.kubernetes.io/*", "the server copies them from the node"),
    row("", "Pod", "*.volumes[name=kube-api-access-*", "the service account's token is mounted by admission"),
    row("", "Pod", "*.volumeMounts[name=kube-api-access-*", "likewise"),
    // Volumes.
    row("", "PersistentVolumeClaim", ".spec.volumeName", "the volume binder"),
    row("", "PersistentVolume", ".spec.claimRef", "the volume binder"),
    // Network.
    row("", "Service", ".spec.clusterIP", "allocated by the server"),
    row("", "Service", ".spec.clusterIPs", "allocated by the server"),
    row("", "Service", ".spec.ipFamilies", "chosen by the server"),
    row("", "Service", ".spec.ipFamilyPolicy", "chosen by the server"),
    row("", "Service", ".spec.healthCheckNodePort", "allocated by the server"),
    row("", "Service", ".spec.ports*.nodePort", "allocated by the server"),
    // Namespaces, accounts, rights.
    row("", "Namespace", ".spec.finalizers", "the server"),
    row("", "Namespace", ".metadata.labels[kubernetes.io/metadata.name]", "the server labels each with its name"),
    row("", "Namespace", ".metadata.annotations[openshift.io/requester]", "OpenShift notes who asked for it"),
    row("", "Namespace", ".metadata.annotations[openshift.io/description]", "what was asked for it with, be it nothing"),
    row("", "Namespace", ".metadata.annotations[openshift.io/display-name]", "likewise"),
    row("", "ServiceAccount", ".secrets", "the token controller, before 1.24 and in OpenShift"),
    row("", "ServiceAccount", ".imagePullSecrets[name=*-dockercfg-*", "OpenShift's image registry"),
    row("apiregistration.k8s.io", "APIService", ".metadata.labels[kube-aggregator.kubernetes.io/automanaged]", "the aggregator"),
    // Nodes.
    row("", "Node", ".spec.podCIDR", "the node controllers"),
    row("", "Node", ".spec.podCIDRs", "the node controllers"),
    row("", "Node", ".spec.providerID", "the cloud's controller"),
];

/// Managers whose additions are never drift: what they write they own by design. A `*` stands for anything.
/// (pattern, why)
const CONTROLLERS: &[(&str, &str)] = &[
    ("kube-controller-manager", "the cluster's own controllers"),
    ("kube-scheduler", "binds pods"),
    ("kube-apiserver", "the server itself"),
    ("kubelet", "reports on nodes and pods"),
    ("clusterrole-aggregation-controller", "fills aggregated ClusterRoles"),
    ("*cloud-controller-manager", "the cloud's controllers"),
    ("csi-*", "provisions, attaches and resizes volumes"),
    ("external-provisioner", "provisions volumes"),
    ("snapshot-controller", "binds snapshots"),
    ("cainjector", "cert-manager's injector of certificates"),
    ("cert-manager-*", "cert-manager's controllers"),
    (
        "kube-webhook-certgen",
        "injects certificates into webhook configurations",
    ),
    ("cluster-autoscaler", "scales node groups"),
    ("karpenter", "scales nodes"),
    ("keda*", "scales what a ScaledObject targets"),
    ("vpa-*", "sets requests as a VerticalPodAutoscaler says"),
    ("*load-balancer-controller", "provisions load balancers"),
    ("glbc", "GKE's load balancers"),
    ("Reloader", "restarts workloads whose settings changed"),
];

/// Programs that people work with. What controllers put into `finalizers` and `ownerReferences` is theirs by design, whatever
/// they are called; what one of these puts there was put by hand.
const HANDS: &[&str] = &[
    "kubectl*",
    "oc",
    "k9s",
    "Lens*",
    "OpenLens*",
    "FreeLens*",
    "node-fetch",
    "Mozilla",
    "dashboard*",
    "headlamp*",
    "curl",
    "python-requests",
    "rancher",
];

/// Whether a field of this kind is nobody's drift.
pub(super) fn field(group: &str, kind: &str, path: &str, declared: bool) -> bool {
    let fits = |row: &Row| {
        path.as_bytes().starts_with(&row.path.as_bytes()[..row.start])
            && (row.group == "*" || row.group == group)
            && (row.kind == "*" || row.kind == kind)
            && is_or_is_below(row.path, path)
    };
    ALWAYS.iter().any(fits) || (!declared && UNDECLARED.iter().any(fits))
}

/// Whether a declared object gets these fields from elsewhere as a whole: the rules of a ClusterRole that aggregates others; of what is
/// declared without labels those of its pods (`SetDefaults_Job`, `SetDefaults_ReplicationController`).
pub(super) fn filled(declared: &Value, path: &Path) -> bool {
    let aggregated = || declared.get("aggregationRule").is_some() && path.begins(&["rules"]);
    let copied = || {
        let kind = declared["kind"].as_str().unwrap_or_default();
        let labels = Path(path.0.iter().skip(2).cloned().collect());
        ["Job", "ReplicationController"].contains(&kind)
            && path.begins(&["metadata", "labels"])
            && path.0.len() > 2
            && declared
                .pointer("/metadata/labels")
                .is_none_or(|labels| is_mark(".metadata.labels", labels))
            && declared
                .pointer("/spec/template/metadata/labels")
                .is_some_and(|copied| labels.at(copied).is_some())
    };
    aggregated() || copied()
}

/// Whether what a manager adds is never drift.
pub(super) fn controller(manager: &str) -> bool {
    CONTROLLERS.iter().any(|(pattern, _)| matches(pattern, manager))
}

/// Whether a manager is a program that people work with.
pub(super) fn by_hand(manager: &str) -> bool {
    HANDS.iter().any(|pattern| matches(pattern, manager))
}

/// Whether a path is the pattern's, or below it.
fn is_or_is_below(pattern: &str, path: &str) -> bool {
    let ends = path
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | '['))
        .map(|(at, _)| at);
    matches(pattern, path) || ends.skip(1).any(|end| matches(pattern, &path[..end]))
}

/// A pattern in which each `*` stands for anything.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            rest.is_empty()
                || text
                    .char_indices()
                    .map(|(at, _)| at)
                    .chain([text.len()])
                    .any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_fires_in_its_kind_only() {
        let rows = || ALWAYS.iter().chain(UNDECLARED);
        for (number, row) in rows().enumerate() {
            let held = number >= ALWAYS.len();
            let (group, kind) = (row.group.replace('*', "x"), row.kind.replace('*', "X"));
            let mut path = row.path.replace('*', "x");
            if path.contains('[') && !path.ends_with(']') {
                path.push(']');
            }
            assert!(!row.why.is_empty());
            for below in ["", ".x", "[0]"] {
                let path = format!("{path}{below}");
                assert!(field(&group, &kind, &path, false), "{path}");
                assert_eq!(field(&group, &kind, &path, true), !held, "{path}");
            }
            let same = |other: &&Row| (other.group, other.kind) == (row.group, row.kind);
            let first = rows().filter(same).find(|other| is_or_is_below(other.path, &path));
            assert_eq!(first.map(|row| row.path), Some(row.path), "never fires");
            if row.kind != "*" {
                assert!(!field("other.example", "Other", &path, false), "{path}");
            }
        }
        for (pattern, why) in CONTROLLERS {
            let name = pattern.replace('*', "x");
            assert!(controller(&name) && !by_hand(&name) && !why.is_empty(), "{pattern}");
        }
        for pattern in HANDS {
            let name = pattern.replace('*', "-edit");
            assert!(by_hand(&name) && !controller(&name), "{pattern}");
        }
    }

    #[test]
    fn what_people_write_is_in_no_row() {
        for path in [
            ".spec.template.spec.hostNetwork",
            ".spec.replicas",
            ".metadata.labels.team",
            ".metadata.annotations[example.com/a]",
            ".spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]",
            ".spec.ports[port=80].targetPort",
            ".secrets",
            ".spec.vault.caBundle",
            ".spec.provider.vault.caBundle",
            ".metadata.annotations[ingress.kubernetes.io/whitelist-source-range]",
            ".metadata.annotations[openshift.io/node-selector]",
        ] {
            for (group, kind) in [("apps", "Deployment"), ("cert-manager.io", "Issuer"), ("", "Namespace")] {
                assert!(!field(group, kind, path, false), "{path}");
            }
        }
        assert!(!matches("a*b", "ab-c") && matches("a*b*", "axbc") && !matches("abc", "ab"));
    }
}
