//! Values that mean nothing by themselves (`false`, `0`, `""`, `{}`, `[]`): which of them the server keeps where they were declared,
//! so that one that is not there was taken out.
//!
//! A custom resource is kept as it was sent, but for `null`. Built-in kinds are types of Go, and `omitempty` leaves such a value
//! out of a plain field and never out of a pointer or of a map's values.

use serde_json::Value;

use super::by_design::matches;
use super::path::{Path, Step};
use super::scalar::is_nothing;
use super::walk::TEXT_MAPS;
use crate::object::builtin::BUILTINS;

/// Groups that aggregated servers keep as types of Go, too: those of OpenShift's own (`openshift-apiserver`,
/// `oauth-apiserver`).
const TYPED: &[&str] = &[
    "apps.openshift.io",
    "authorization.openshift.io",
    "build.openshift.io",
    "image.openshift.io",
    "oauth.openshift.io",
    "project.openshift.io",
    "quota.openshift.io",
    "route.openshift.io",
    "security.openshift.io",
    "template.openshift.io",
    "user.openshift.io",
];

/// Group and kind ("*" any), pattern of the path (`*` stands for anything).
type Row = (&'static str, &'static str, &'static str);

/// Fields of built-in kinds whose types are pointers, and values of maps. From the `types.go` of `k8s.io/api`,
/// `k8s.io/apiextensions-apiserver` and `k8s.io/apimachinery` 0.37: those of which such a value says something.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Pods, wherever they are templates.
    ("*", "*", "*.allowPrivilegeEscalation"),
    ("*", "*", "*.automountServiceAccountToken"),
    ("*", "*", "*.enableServiceLinks"),
    ("*", "*", "*.fsGroup"),
    ("*", "*", "*.hostProcess"),
    ("*", "*", "*.hostUsers"),
    ("*", "*", "*.hostnameOverride"),
    ("*", "*", "*.optional"),
    ("*", "*", "*.privileged"),
    ("*", "*", "*.readOnlyRootFilesystem"),
    ("*", "*", "*.runAsGroup"),
    ("*", "*", "*.runAsNonRoot"),
    ("*", "*", "*.runAsUser"),
    ("*", "*", "*.runtimeClassName"),
    ("*", "*", "*.setHostnameAsFQDN"),
    ("*", "*", "*.shareProcessNamespace"),
    ("*", "*", "*.activeDeadlineSeconds"),
    ("*", "*", "*.terminationGracePeriodSeconds"),
    ("*", "*", "*.tolerationSeconds"),
    ("*", "*", "*.defaultMode"),
    ("*", "*", "*.items[*].mode"),
    ("*", "*", "*.hostPath.type"),
    ("*", "*", "*.volumes[*].csi.readOnly"),
    ("*", "*", "*.azureDisk.readOnly"),
    ("*", "*", "*resources.limits.*"),
    ("*", "*", "*resources.limits[*"),
    ("*", "*", "*resources.requests.*"),
    ("*", "*", "*resources.requests[*"),
    ("*", "*", "*olumeClaimTemplate*.spec.storageClassName"),
    // Which objects others are about: none given is another choice than all of them.
    ("*", "*", "*.labelSelector"),
    ("*", "*", "*.namespaceSelector"),
    ("*", "*", "*.objectSelector"),
    ("*", "*", "*.podSelector"),
    ("policy", "PodDisruptionBudget", ".spec.selector"),
    // Workloads.
    ("*", "*", ".spec.replicas"),
    ("apps", "*", ".spec.revisionHistoryLimit"),
    ("apps", "*", ".spec.progressDeadlineSeconds"),
    ("apps", "*", "*.rollingUpdate.*"),
    ("batch", "*", "*.suspend"),
    ("batch", "*", "*.backoffLimit"),
    ("batch", "*", "*.backoffLimitPerIndex"),
    ("batch", "*", "*.maxFailedIndexes"),
    ("batch", "*", "*.completions"),
    ("batch", "*", "*.parallelism"),
    ("batch", "*", "*.manualSelector"),
    ("batch", "*", "*.ttlSecondsAfterFinished"),
    ("batch", "CronJob", ".spec.startingDeadlineSeconds"),
    ("batch", "CronJob", ".spec.*JobsHistoryLimit"),
    ("policy", "PodDisruptionBudget", ".spec.minAvailable"),
    ("policy", "PodDisruptionBudget", ".spec.maxUnavailable"),
    ("autoscaling", "*", ".spec.minReplicas"),
    ("autoscaling", "*", "*.stabilizationWindowSeconds"),
    ("autoscaling", "*", "*.tolerance"),
    // Configuration, network, volumes.
    ("", "ConfigMap", ".immutable"),
    ("", "Secret", ".immutable"),
    ("", "ResourceQuota", ".spec.hard.*"),
    ("", "ResourceQuota", ".spec.hard[*"),
    ("", "Service", ".spec.allocateLoadBalancerNodePorts"),
    ("", "PersistentVolumeClaim", ".spec.storageClassName"),
    ("networking.k8s.io", "Ingress", ".spec.ingressClassName"),
    ("discovery.k8s.io", "EndpointSlice", "*.conditions.*"),
    ("storage.k8s.io", "*", ".parameters.*"),
    ("storage.k8s.io", "*", ".parameters[*"),
    ("storage.k8s.io", "StorageClass", ".allowVolumeExpansion"),
    ("storage.k8s.io", "CSIDriver", ".spec.attachRequired"),
    ("storage.k8s.io", "CSIDriver", ".spec.podInfoOnMount"),
    ("storage.k8s.io", "CSIDriver", ".spec.requiresRepublish"),
    ("storage.k8s.io", "CSIDriver", ".spec.seLinuxMount"),
    ("storage.k8s.io", "CSIDriver", ".spec.storageCapacity"),
    // Schemas, and how the server shares its time out.
    ("apiextensions.k8s.io", "*", "*.default"),
    ("apiextensions.k8s.io", "*", "*.minimum"),
    ("apiextensions.k8s.io", "*", "*.maximum"),
    ("apiextensions.k8s.io", "*", "*.minLength"),
    ("apiextensions.k8s.io", "*", "*.maxLength"),
    ("apiextensions.k8s.io", "*", "*.minItems"),
    ("apiextensions.k8s.io", "*", "*.maxItems"),
    ("apiextensions.k8s.io", "*", "*.minProperties"),
    ("apiextensions.k8s.io", "*", "*.maxProperties"),
    ("flowcontrol.apiserver.k8s.io", "*", "*.nominalConcurrencyShares"),
    ("flowcontrol.apiserver.k8s.io", "*", "*.lendablePercent"),
    ("flowcontrol.apiserver.k8s.io", "*", "*.borrowingLimitPercent"),
];

/// Whether the server leaves out what is declared here, or would.
pub(super) fn is_left_out(group: &str, kind: &str, value: &Value, path: &Path) -> bool {
    if value.is_null() || !is_nothing(value) || !is_typed(group, path) {
        return value.is_null();
    }
    let text = value.is_string() && TEXT_MAPS.iter().any(|name| path.has(name));
    if text || is_kept(group, kind, path) {
        return false;
    }
    let within = |(key, value): (&String, &Value)| {
        let path = path.child(Step::Field(key.clone()));
        is_left_out(group, kind, value, &path)
    };
    value.as_object().is_none_or(|map| map.iter().all(within))
}

/// Whether an empty text stands for what the server fills in here (`imagePullPolicy`, `clusterIP`).
pub(super) fn is_filled_in(group: &str, kind: &str, path: &Path) -> bool {
    is_typed(group, path) && !is_kept(group, kind, path)
}

/// Whether what stands there is of a Go type: every object's metadata is.
fn is_typed(group: &str, path: &Path) -> bool {
    path.begins(&["metadata"]) || TYPED.contains(&group) || BUILTINS.iter().any(|row| row.group == group)
}

fn is_kept(group: &str, kind: &str, path: &Path) -> bool {
    is_row(group, kind, &path.to_string())
}

fn is_row(group: &str, kind: &str, path: &str) -> bool {
    ROWS.iter().any(|row| fits(row, group, kind, path))
}

fn fits(row: &Row, group: &str, kind: &str, path: &str) -> bool {
    (row.0 == "*" || row.0 == group) && (row.1 == "*" || row.1 == kind) && matches(row.2, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_row_fires_first_on_its_own_field() {
        for row in ROWS {
            let (group, kind) = (row.0.replace('*', "apps"), row.1.replace('*', "X"));
            let path = row.2.replace('*', ".x");
            let first = ROWS.iter().find(|row| fits(row, &group, &kind, &path));
            assert_eq!(first, Some(row), "never fires");
            if row.0 != "*" {
                assert!(!is_row("node.k8s.io", "Other", &path), "{path}");
            }
            assert!(
                !is_row(&group, &kind, &format!("{path}Other.z")) || row.2.ends_with('*'),
                "{path}"
            );
        }
        for group in TYPED {
            assert!(
                is_filled_in(group, "X", &Path(vec![Step::Field("spec".to_owned())])),
                "{group}"
            );
        }
    }

    #[test]
    fn what_is_left_out_of_a_type_is_kept_of_a_custom_resource() {
        let field = |name: &str| Step::Field(name.to_owned());
        let at = |names: &[&str]| Path(names.iter().map(|name| field(name)).collect());
        for (path, value) in [
            (&["spec", "paused"][..], json!(false)),
            (&["spec", "minReadySeconds"], json!(0)),
            (&["spec", "clusterIP"], json!("")),
            (&["spec", "strategy"], json!({"a": {}, "b": []})),
        ] {
            assert!(is_left_out("apps", "Deployment", &value, &at(path)), "{path:?}");
            assert!(!is_left_out("acme.example.com", "Shop", &value, &at(path)), "{path:?}");
        }
        for (path, value) in [
            (&["spec", "hostUsers"][..], json!(false)),
            (&["spec", "securityContext"], json!({"runAsUser": 0})),
            (&["spec", "resources"], json!({"limits": {"a.b/gpu": 0}})),
            (&["metadata", "labels"], json!({"a": ""})),
        ] {
            assert!(!is_left_out("", "Pod", &value, &at(path)), "{path:?}");
        }
        let labels = at(&["metadata", "labels"]);
        assert!(is_left_out("acme.example.com", "Shop", &json!({}), &labels));
        assert!(is_left_out("acme.example.com", "Shop", &json!(null), &at(&["spec"])));
    }
}
