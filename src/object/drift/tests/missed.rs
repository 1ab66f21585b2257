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
