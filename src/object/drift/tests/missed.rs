//! What must not be taken for no drift.

use super::*;

#[test]
fn what_says_nothing_is_missed_where_the_server_keeps_it() {
    let pod = |spec: Value| deployment(json!({"template": {"spec": spec}}));
    let shop = |spec: Value| json!({"apiVersion": "acme.example.com/v1", "kind": "Shop", "metadata": {"name": "a"}, "spec": spec});
    let account = map("ServiceAccount", json!({"automountServiceAccountToken": false}));
    for (declared, live, expected) in [
        (
            account,
            map("ServiceAccount", json!({})),
            &["Removed .automountServiceAccountToken"][..],
        ),
        (
            pod(
                json!({"enableServiceLinks": false, "hostPID": false, "containers": [{"name": "a", "tty": false,
                "securityContext": {"allowPrivilegeEscalation": false, "runAsUser": 0}}]}),
            ),
            pod(json!({"containers": [{"name": "a", "securityContext": {}}]})),
            &[
                "Removed .spec.template.spec.containers[name=a].securityContext.allowPrivilegeEscalation",
                "Removed .spec.template.spec.containers[name=a].securityContext.runAsUser",
                "Removed .spec.template.spec.enableServiceLinks",
            ],
        ),
        // With what is around it.
        (
            pod(json!({"securityContext": {"runAsNonRoot": false}})),
            pod(json!({})),
            &["Removed .spec.template.spec.securityContext"],
        ),
        (
            shop(json!({"enabled": false, "count": 0, "mode": "", "hosts": [], "more": {}, "none": null})),
            shop(json!({"mode": "open"})),
            &[
                "Changed .spec.mode",
                "Removed .spec.count",
                "Removed .spec.enabled",
                "Removed .spec.hosts",
                "Removed .spec.more",
            ],
        ),
        (
            map(
                "PersistentVolumeClaim",
                json!({"spec": {"storageClassName": "", "volumeName": ""}}),
            ),
            map(
                "PersistentVolumeClaim",
                json!({"spec": {"storageClassName": "fast", "volumeName": "a"}}),
            ),
            &["Changed .spec.storageClassName"],
        ),
    ] {
        let found = offline(&flux(declared), &live, &LiveObject::default(), false);
        assert_eq!(found, expected, "{live}");
    }
}

#[test]
fn what_was_switched_off_under_an_autoscaler_is_drift_unless_it_goes_so_low_itself() {
    let git = flux(deployment(json!({"replicas": 2})));
    let hpa = |spec: Value| Scaling::by("HorizontalPodAutoscaler", &json!({"spec": spec}));
    let keda = Scaling::by("ScaledObject", &json!({"spec": {"minReplicaCount": 1}}));
    for (live, scaling, expected) in [
        (0, hpa(json!({})), &["Changed .spec.replicas"][..]),
        (0, hpa(json!({"minReplicas": 3})), &["Changed .spec.replicas"]),
        (0, hpa(json!({"minReplicas": 0})), &[]),
        (0, keda, &[]),
        (5, hpa(json!({})), &[]),
        (5, keda, &[]),
        (5, Scaling::Declared, &["Changed .spec.replicas"]),
    ] {
        let live = deployment(json!({"replicas": live}));
        let object = LiveObject::default();
        let pair = Pair::new(&git, &live, &object, scaling);
        assert_eq!(told(&pair.changed_offline()), expected, "{live} {scaling:?}");
        assert_eq!(
            told(&pair.changed_by(git.manifest.value())),
            expected,
            "{live} {scaling:?}"
        );
    }
}
