use serde_json::json;

use super::*;

fn config(value: Value) -> Tracking {
    let (tracking, error) = Tracking::from_config(value.as_object().expect("because it is one"));
    assert_eq!(error, None);
    tracking
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "my-service", "namespace": "default"}})
}

/// `util/settings/settings_test.go`, `TestGetTrackingMethod`, `TestGetAppInstanceLabelKey`.
#[test]
fn settings_have_defaults() {
    assert_eq!(config(json!({})), Tracking::default());
    assert_eq!(
        config(json!({"application.instanceLabelKey": "", "application.resourceTrackingMethod": ""})),
        Tracking::default()
    );
    let tracking = config(
        json!({"application.instanceLabelKey": "a/b", "application.resourceTrackingMethod": "annotation+label", "installationID": "one"}),
    );
    assert_eq!(tracking.method, TrackingMethod::AnnotationAndLabel);
    assert_eq!(
        (tracking.label_key.as_str(), tracking.installation_id.as_str()),
        ("a/b", "one")
    );
    let map = json!({"application.resourceTrackingMethod": "labels"});
    let (tracking, error) = Tracking::from_config(map.as_object().expect("because it is one"));
    assert_eq!(tracking.method, TrackingMethod::Annotation);
    assert_eq!(
        error.expect("because it is unknown").field,
        "data.application.resourceTrackingMethod"
    );
}

/// `util/argo/resource_tracking_test.go`, `TestSetAppInstance…`.
#[test]
fn each_method_sets_its_marks() {
    let mut object = service();
    Tracking::default()
        .mark(&mut object, "my-app", "other")
        .expect("because it is well formed");
    assert_eq!(
        object["metadata"],
        json!({"name": "my-service", "namespace": "default",
        "annotations": {"argocd.argoproj.io/tracking-id": "my-app:/Service:default/my-service"}})
    );

    let label = Tracking {
        method: TrackingMethod::Label,
        ..Tracking::default()
    };
    let mut object = service();
    let long = "a".repeat(70);
    label
        .mark(&mut object, &long, "other")
        .expect("because it is well formed");
    assert_eq!(
        object["metadata"]["labels"],
        json!({"app.kubernetes.io/instance": long})
    );
    assert_eq!(object["metadata"].get("annotations"), None);
    assert_eq!(label.app_of(&object), Some(long.clone()));

    let both = Tracking {
        method: TrackingMethod::AnnotationAndLabel,
        installation_id: "one".to_owned(),
        ..Tracking::default()
    };
    let mut object = service();
    both.mark(&mut object, &long, "other")
        .expect("because it is well formed");
    assert_eq!(
        object["metadata"]["labels"]["app.kubernetes.io/instance"],
        "a".repeat(63)
    );
    assert_eq!(
        object["metadata"]["annotations"]["argocd.argoproj.io/installation-id"],
        "one"
    );
    assert_eq!(both.app_of(&object), Some(long));
    let other = Tracking {
        installation_id: "two".to_owned(),
        ..Tracking::default()
    };
    assert_eq!(other.app_of(&object), None);
    // One installation takes off what another put there.
    Tracking::default()
        .mark(&mut object, "a", "b")
        .expect("because it is well formed");
    assert_eq!(
        object["metadata"]["annotations"].get("argocd.argoproj.io/installation-id"),
        None
    );
}

/// `UnstructuredToAppInstanceValue`: the destination's namespace stands in, for cluster-scoped objects too.
#[test]
fn the_destination_stands_in_for_a_namespace() {
    let mut object =
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}});
    Tracking::default()
        .mark(&mut object, "x", "shop")
        .expect("because it is well formed");
    assert_eq!(
        object["metadata"]["annotations"][ID],
        "x:rbac.authorization.k8s.io/ClusterRole:shop/a"
    );
}

/// `reposerver/repository/repository.go`, `GenerateManifests`.
#[test]
fn crds_are_not_marked() {
    let mut object =
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a"}});
    let before = object.clone();
    Tracking::default()
        .mark(&mut object, "x", "shop")
        .expect("because it is well formed");
    assert_eq!(object, before);
}

/// `util/kube/kube_test.go`, `TestSetLegacyLabels`, `TestSetLegacyJobLabel`.
#[test]
fn the_legacy_label_goes_on_pods() {
    let legacy = Tracking {
        method: TrackingMethod::Label,
        label_key: LEGACY_LABEL.to_owned(),
        ..Tracking::default()
    };
    for (api, kind, there) in [
        ("apps/v1", "Deployment", true),
        ("batch/v1", "Job", true),
        ("batch/v1", "CronJob", false),
        ("v1", "Service", false),
    ] {
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}});
        legacy.mark(&mut object, "x", "").expect("because it is well formed");
        assert_eq!(
            text(&object, &["spec", "template", "metadata", "labels", LEGACY_LABEL]) == "x",
            there,
            "{kind}"
        );
    }
}

/// `util/argo/resource_tracking_test.go`, `TestTruncateLabel`.
#[test]
fn labels_are_cut_where_they_may_end() {
    let cut = |text: String| cut_label(&text).ok();
    assert_eq!(cut("short-".to_owned()), Some("short-".to_owned()));
    assert_eq!(cut("a".repeat(64)), Some("a".repeat(63)));
    assert_eq!(cut(format!("{}--tail", "a".repeat(61))), Some("a".repeat(61)));
    assert_eq!(cut("-".repeat(64)), None);
    assert_eq!(cut(format!("{}é", "-".repeat(63))), None);
    assert_eq!(cut(format!("a{}", "é".repeat(40))), Some("a".to_owned()));
}

/// `util/argo/resource_tracking_test.go`, `TestParseAppInstanceValue…`.
#[test]
fn ids_are_read() {
    let id = TrackingId::parse("app:<group>/<kind>:<namespace>/<name>").expect("because it is one");
    assert_eq!(id.to_string(), "app:<group>/<kind>:<namespace>/<name>");
    assert_eq!(TrackingId::parse("app:<group>/<kind>/<namespace>/<name>"), None);
    assert_eq!(TrackingId::parse("app:<group>/<kind>/<namespace>:<name>"), None);
    // Names of RBAC objects may have colons.
    assert_eq!(
        TrackingId::parse("a:rbac/Role:n/system:x").map(|id| id.name),
        Some("system:x".to_owned())
    );
}

/// `util/argo/argo_test.go`, `Test_AppInstanceName`.
#[test]
fn applications_elsewhere_have_their_namespace() {
    assert_eq!(instance_name("a", "", "argocd"), "a");
    assert_eq!(instance_name("a", "argocd", "argocd"), "a");
    assert_eq!(instance_name("a", "team", "argocd"), "team_a");
}

#[test]
fn what_is_not_a_map_of_texts_is_refused() {
    for metadata in [json!([]), json!({"annotations": []}), json!({"annotations": {"a": 1}})] {
        let mut object = json!({"kind": "A", "metadata": metadata});
        let before = object.clone();
        let error = Tracking::default()
            .mark(&mut object, "a", "b")
            .expect_err("because it is no map");
        assert_eq!(error.field, "metadata.annotations");
        assert_eq!(object, before);
    }
    assert!(Tracking::default().mark(&mut json!("x"), "a", "b").is_err());
    let mut object = json!({"metadata": {"annotations": null}});
    assert!(Tracking::default().mark(&mut object, "a", "b").is_ok());
}
