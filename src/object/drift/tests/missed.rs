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
fn what_is_declared_and_changed_is_drift_where_nobody_injects() {
    let issuer = |bundle: &str| json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "a"}, "spec": {"vault": {"caBundle": bundle}}});
    let annotated = |kind: &str, key: &str, value: &str| {
        let mut object = map(kind, json!({}));
        object["metadata"]["annotations"] = json!({key: value});
        object
    };
    let ranges = "ingress.kubernetes.io/whitelist-source-range";
    let nodes = "openshift.io/node-selector";
    for (declared, live, expected) in [
        (issuer("TFMt"), issuer("ZXZpbA=="), ".spec.vault.caBundle"),
        (
            annotated("Ingress", ranges, "10.0.0.0/8"),
            annotated("Ingress", ranges, "0.0.0.0/0"),
            ".metadata.annotations[ingress.kubernetes.io/whitelist-source-range]",
        ),
        (
            annotated("Namespace", nodes, "pool=a"),
            annotated("Namespace", nodes, ""),
            ".metadata.annotations[openshift.io/node-selector]",
        ),
        (
            annotated("Namespace", "openshift.io/display-name", "Shop"),
            annotated("Namespace", "openshift.io/display-name", "Evil"),
            ".metadata.annotations[openshift.io/display-name]",
        ),
    ] {
        let found = offline(&flux(declared), &live, &LiveObject::default(), false);
        assert_eq!(found, [format!("Changed {expected}")]);
    }
}

#[test]
fn what_the_declarer_itself_added_is_a_suspect_where_the_server_is_asked() {
    let git = flux(deployment(
        json!({"template": {"spec": {"containers": [{"name": "web"}]}}}),
    ));
    let web = |more: Value| {
        let mut web = json!({"name": "web", "terminationMessagePath": "/dev/termination-log"});
        let object = web.as_object_mut().expect("because it is one");
        object.extend(more.as_object().cloned().unwrap_or_default());
        web
    };
    let with = |containers: Value| {
        deployment(json!({"progressDeadlineSeconds": 600, "template": {"spec": {"containers": containers}}}))
    };
    let of_web = |name: &str| {
        json!({"f:spec": {"f:progressDeadlineSeconds": {}, "f:template": {"f:spec": {"f:containers": {
        "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:terminationMessagePath": {}, (name): {}},
        "k:{\"name\":\"spy\"}": {".": {}, "f:name": {}, "f:terminationMessagePath": {}}}}}}})
    };
    let spy = json!({"name": "spy", "terminationMessagePath": "/dev/termination-log"});
    for (live, field, expected) in [
        // What the server fills in needs no asking, so that what is in sync costs nothing more.
        (with(json!([web(json!({}))])), "f:name", &[][..]),
        (
            with(json!([web(json!({"tty": true})), spy])),
            "f:tty",
            &[
                "Added .spec.template.spec.containers[name=spy]",
                "Added .spec.template.spec.containers[name=web].tty",
            ],
        ),
    ] {
        let object = by(vec![manager("kustomize-controller", "Update", of_web(field))]);
        let pair = Pair::new(&git, &live, &object, Scaling::Declared);
        assert!(pair.suspects(Some(&live), false).is_empty(), "{live}");
        let suspects = pair.suspects(Some(&live), true);
        assert_eq!(suspects.is_empty(), expected.is_empty(), "{live}");
        let replaced = Pair::without(&suspects, &live);
        let mut found = told(&pair.added(&suspects, &replaced));
        found.sort();
        assert_eq!(found, expected);
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
