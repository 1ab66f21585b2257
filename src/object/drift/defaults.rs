//! Defaults of the API server, for when it cannot be asked itself. From the defaulting functions of the built-in types
//! (`SetDefaults_…` of Kubernetes 1.37; the older ones are the same since 1.20).

use serde_json::Value;

use super::by_design::matches;

/// Group and kind ("*" any), pattern of the path (`*` stands for anything), the default as JSON ("*" any value: the server
/// makes it of other fields).
type Row = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Pods, wherever they are templates.
    ("*", "*", "*.terminationMessagePath", "\"/dev/termination-log\""),
    ("*", "*", "*.terminationMessagePolicy", "\"File\""),
    ("*", "*", "*.imagePullPolicy", "*"),
    ("*", "*", "*ontainers[*].resources", "{}"),
    ("*", "*", "*ontainers[*].ports[*].protocol", "\"TCP\""),
    ("*", "*", "*ontainers[*].ports[*].hostPort", "*"),
    ("*", "*", "*Probe.timeoutSeconds", "1"),
    ("*", "*", "*Probe.periodSeconds", "10"),
    ("*", "*", "*Probe.successThreshold", "1"),
    ("*", "*", "*Probe.failureThreshold", "3"),
    ("*", "*", "*.httpGet.scheme", "\"HTTP\""),
    ("*", "*", "*.httpGet.path", "\"/\""),
    ("*", "*", "*.grpc.service", "\"\""),
    ("*", "*", "*.fieldRef.apiVersion", "\"v1\""),
    ("*", "*", "*.resourceFieldRef.divisor", "\"0\""),
    ("*", "*", "*.spec.restartPolicy", "\"Always\""),
    ("*", "*", "*.spec.dnsPolicy", "\"ClusterFirst\""),
    ("*", "*", "*.spec.schedulerName", "\"default-scheduler\""),
    ("*", "*", "*.spec.terminationGracePeriodSeconds", "30"),
    ("*", "*", "*.spec.securityContext", "{}"),
    ("*", "*", "*.spec.serviceAccount", "*"),
    ("*", "*", "*.spec.enableServiceLinks", "true"),
    ("*", "*", "*.topologySpreadConstraints[*].nodeAffinityPolicy", "\"Honor\""),
    ("*", "*", "*.defaultMode", "420"),
    ("*", "*", "*.emptyDir", "{}"),
    ("*", "*", "*.hostPath.type", "\"\""),
    ("*", "*", "*.serviceAccountToken.expirationSeconds", "3600"),
    ("*", "*", "*.creationTimestamp", "null"),
    ("*", "*", "*emplate.metadata", "{}"),
    ("*", "*", ".spec.volumeClaimTemplates[*].metadata", "{}"),
    ("resource.k8s.io", "ResourceClaimTemplate", ".spec.metadata", "{}"),
    // Pods alone: admission.
    ("", "Pod", ".spec.tolerations[key=node.kubernetes.io/not-ready,effect=NoExecute]", "*"),
    ("", "Pod", ".spec.tolerations[key=node.kubernetes.io/unreachable,effect=NoExecute]", "*"),
    ("", "Pod", ".spec.priority", "*"),
    ("", "Pod", ".spec.preemptionPolicy", "*"),
    ("", "Pod", ".spec.serviceAccountName", "\"default\""),
    // Workloads.
    ("apps", "*", ".spec.replicas", "1"),
    ("apps", "*", ".spec.revisionHistoryLimit", "10"),
    ("apps", "Deployment", ".spec.progressDeadlineSeconds", "600"),
    ("apps", "Deployment", ".spec.strategy.type", "\"RollingUpdate\""),
    ("apps", "Deployment", ".spec.strategy.rollingUpdate.maxSurge", "\"25%\""),
    ("apps", "Deployment", ".spec.strategy.rollingUpdate.maxUnavailable", "\"25%\""),
    ("apps", "StatefulSet", ".spec.podManagementPolicy", "\"OrderedReady\""),
    ("apps", "StatefulSet", ".spec.updateStrategy.type", "\"RollingUpdate\""),
    ("apps", "StatefulSet", ".spec.updateStrategy.rollingUpdate.partition", "0"),
    ("apps", "StatefulSet", ".spec.updateStrategy.rollingUpdate.maxUnavailable", "1"),
    ("apps", "StatefulSet", ".spec.persistentVolumeClaimRetentionPolicy.when*", "\"Retain\""),
    ("apps", "StatefulSet", ".spec.volumeClaimTemplates[*].apiVersion", "\"v1\""),
    ("apps", "StatefulSet", ".spec.volumeClaimTemplates[*].kind", "\"PersistentVolumeClaim\""),
    ("apps", "StatefulSet", ".spec.volumeClaimTemplates[*].status.phase", "\"Pending\""),
    ("apps", "DaemonSet", ".spec.updateStrategy.type", "\"RollingUpdate\""),
    ("apps", "DaemonSet", ".spec.updateStrategy.rollingUpdate.maxSurge", "0"),
    ("apps", "DaemonSet", ".spec.updateStrategy.rollingUpdate.maxUnavailable", "1"),
    ("batch", "*", "*.backoffLimit", "6"),
    ("batch", "*", "*.completions", "1"),
    ("batch", "*", "*.parallelism", "1"),
    ("batch", "*", "*.suspend", "false"),
    ("batch", "*", "*.completionMode", "\"NonIndexed\""),
    ("batch", "*", "*.manualSelector", "false"),
    ("batch", "*", "*.podReplacementPolicy", "\"TerminatingOrFailed\""),
    ("batch", "CronJob", ".spec.concurrencyPolicy", "\"Allow\""),
    ("batch", "CronJob", ".spec.successfulJobsHistoryLimit", "3"),
    ("batch", "CronJob", ".spec.failedJobsHistoryLimit", "1"),
    // Services and volumes.
    ("", "Service", ".spec.type", "\"ClusterIP\""),
    ("", "Service", ".spec.sessionAffinity", "\"None\""),
    ("", "Service", ".spec.sessionAffinityConfig.clientIP.timeoutSeconds", "10800"),
    ("", "Service", ".spec.internalTrafficPolicy", "\"Cluster\""),
    ("", "Service", ".spec.externalTrafficPolicy", "\"Cluster\""),
    ("", "Service", ".spec.allocateLoadBalancerNodePorts", "true"),
    ("", "Service", ".spec.ports[*].protocol", "\"TCP\""),
    ("", "Service", ".spec.ports[*].targetPort", "*"),
    ("*", "*", "*.volumeMode", "\"Filesystem\""),
    ("", "PersistentVolumeClaim", ".spec.storageClassName", "*"),
    ("", "PersistentVolume", ".spec.persistentVolumeReclaimPolicy", "\"Retain\""),
    ("storage.k8s.io", "StorageClass", ".reclaimPolicy", "\"Delete\""),
    ("storage.k8s.io", "StorageClass", ".volumeBindingMode", "\"Immediate\""),
    ("storage.k8s.io", "CSIDriver", ".spec.attachRequired", "true"),
    ("storage.k8s.io", "CSIDriver", ".spec.podInfoOnMount", "false"),
    ("storage.k8s.io", "CSIDriver", ".spec.volumeLifecycleModes", "[\"Persistent\"]"),
    ("storage.k8s.io", "CSIDriver", ".spec.storageCapacity", "false"),
    ("storage.k8s.io", "CSIDriver", ".spec.fsGroupPolicy", "\"ReadWriteOnceWithFSType\""),
    ("storage.k8s.io", "CSIDriver", ".spec.requiresRepublish", "false"),
    ("storage.k8s.io", "CSIDriver", ".spec.seLinuxMount", "false"),
    ("storage.k8s.io", "CSIDriver", ".spec.preventPodSchedulingIfMissing", "false"),
    ("", "Secret", ".type", "\"Opaque\""),
    // Rights.
    ("rbac.authorization.k8s.io", "*", ".subjects[*].apiGroup", "*"),
    ("rbac.authorization.k8s.io", "*", ".roleRef.apiGroup", "\"rbac.authorization.k8s.io\""),
    ("scheduling.k8s.io", "PriorityClass", ".preemptionPolicy", "\"PreemptLowerPriority\""),
    // Admission, kinds, autoscaling, network.
    ("admissionregistration.k8s.io", "*", "*.failurePolicy", "\"Fail\""),
    ("admissionregistration.k8s.io", "*", "*.matchPolicy", "\"Equivalent\""),
    ("admissionregistration.k8s.io", "*", "*.namespaceSelector", "{}"),
    ("admissionregistration.k8s.io", "*", "*.objectSelector", "{}"),
    ("admissionregistration.k8s.io", "*", "*.timeoutSeconds", "10"),
    ("admissionregistration.k8s.io", "*", "*.reinvocationPolicy", "\"Never\""),
    ("admissionregistration.k8s.io", "*", "*.scope", "\"*\""),
    ("admissionregistration.k8s.io", "*", "*.service.port", "443"),
    ("apiextensions.k8s.io", "*", ".spec.conversion.strategy", "\"None\""),
    ("apiextensions.k8s.io", "*", ".spec.names.listKind", "*"),
    ("apiextensions.k8s.io", "*", ".spec.names.singular", "*"),
    ("apiregistration.k8s.io", "*", ".spec.service.port", "443"),
    ("autoscaling", "*", ".spec.minReplicas", "1"),
    ("autoscaling", "*", ".spec.metrics", "*"),
    ("autoscaling", "*", ".spec.behavior.*", "*"),
    ("networking.k8s.io", "NetworkPolicy", ".spec.policyTypes", "*"),
    ("networking.k8s.io", "NetworkPolicy", "*.ports[*].protocol", "\"TCP\""),
    ("networking.k8s.io", "IngressClass", ".spec.parameters.scope", "\"Cluster\""),
    ("", "LimitRange", ".spec.limits[*].default*", "*"),
    ("discovery.k8s.io", "EndpointSlice", ".endpoints[*].conditions", "{}"),
    ("discovery.k8s.io", "EndpointSlice", ".ports[*].protocol", "\"TCP\""),
    ("discovery.k8s.io", "EndpointSlice", ".ports[*].name", "\"\""),
    ("", "Endpoints", ".subsets[*].ports[*].protocol", "\"TCP\""),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", ".spec.matchingPrecedence", "1000"),
    ("flowcontrol.apiserver.k8s.io", "*", ".spec.limited.nominalConcurrencyShares", "30"),
    ("flowcontrol.apiserver.k8s.io", "*", ".spec.limited.lendablePercent", "0"),
    ("flowcontrol.apiserver.k8s.io", "*", ".spec.limited.limitResponse.queuing.queues", "64"),
    ("flowcontrol.apiserver.k8s.io", "*", ".spec.limited.limitResponse.queuing.handSize", "8"),
    ("flowcontrol.apiserver.k8s.io", "*", ".spec.limited.limitResponse.queuing.queueLengthLimit", "50"),
    ("flowcontrol.apiserver.k8s.io", "*", ".spec.exempt.*", "0"),
    ("resource.k8s.io", "*", "*.exactly.allocationMode", "\"ExactCount\""),
    ("resource.k8s.io", "*", "*.exactly.count", "1"),
    ("resource.k8s.io", "*", "*.firstAvailable[*].allocationMode", "\"ExactCount\""),
    ("resource.k8s.io", "*", "*.firstAvailable[*].count", "1"),
];

/// Whether the server puts this value there itself.
pub(super) fn is_default(group: &str, kind: &str, path: &str, value: &Value) -> bool {
    let fits = |row: &&Row| {
        (row.0 == "*" || row.0 == group)
            && (row.1 == "*" || row.1 == kind)
            && matches(row.2, path)
            && (row.3 == "*" || serde_json::from_str(row.3).is_ok_and(|default: Value| default == *value))
    };
    ROWS.iter().any(|row| fits(&row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_row_fires_on_its_default_only() {
        for (group, kind, path, default) in ROWS {
            let (group, kind) = (group.replace('*', "x"), kind.replace('*', "X"));
            let path = path.replace('*', "x");
            let value: Value = match *default {
                "*" => json!("anything"),
                text => serde_json::from_str(text).expect("because the table holds JSON"),
            };
            assert!(is_default(&group, &kind, &path, &value), "{path}");
            if *default != "*" {
                assert!(!is_default(&group, &kind, &path, &json!("other")), "{path}");
            }
        }
        assert!(!is_default(
            "apps",
            "Deployment",
            ".spec.template.spec.hostNetwork",
            &json!(true)
        ));
    }
}
