//! Declared objects beside live ones.

mod missed;

use serde_json::{Value, json};

use super::{Pair, Scaling};
use crate::object::{
    Declared, Expression, FieldDrift, LiveObject, Manager, Manifest, Provenance, Renderer, UnitIndex, Waived, Waiver,
    Writer,
};

fn declared(value: Value, writer: Writer) -> Declared {
    let manifest = Manifest::new(value).expect("because tests write whole objects");
    Declared {
        id: manifest.id(),
        manifest,
        provenance: Provenance {
            file: "a.yaml".into(),
            document: 0,
            line: 1,
            renderer: Renderer::Plain,
        },
        unit: UnitIndex(0),
        writer,
        generated: Vec::new(),
        namespace: None,
        waivers: Vec::new(),
        hook: None,
        turn: None,
    }
}

fn flux(value: Value) -> Declared {
    declared(value, Writer::ServerSide("kustomize-controller".into()))
}

fn manager(name: &str, operation: &str, fields: Value) -> Manager {
    Manager {
        name: name.into(),
        operation: operation.into(),
        subresource: String::new(),
        time: String::new(),
        fields: Some(Box::new(fields)),
    }
}

fn by(managers: Vec<Manager>) -> LiveObject {
    LiveObject {
        managers,
        ..LiveObject::default()
    }
}

fn told(fields: &[FieldDrift]) -> Vec<String> {
    fields
        .iter()
        .map(|field| format!("{:?} {}", field.change, field.path))
        .collect()
}

fn offline(declared: &Declared, live: &Value, object: &LiveObject, scaled: bool) -> Vec<String> {
    let scaling = if scaled { Scaling::FromOne } else { Scaling::Declared };
    let pair = Pair::new(declared, live, object, scaling);
    let mut all = told(&pair.changed_offline());
    all.extend(told(&pair.added_offline(&pair.suspects(None, false))));
    all.sort();
    all
}

fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
}

fn map(kind: &str, rest: Value) -> Value {
    let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "shop"}});
    let object = value.as_object_mut().expect("because it is one");
    object.extend(rest.as_object().cloned().unwrap_or_default());
    value
}

fn webhook(bundle: &str) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "w"},
        "webhooks": [{"name": "w", "clientConfig": {"caBundle": bundle}}]})
}

#[test]
fn spellings_and_orders_are_no_drift_offline() {
    for (declared, live) in [
        (
            deployment(json!({"limits": {"cpu": "1000m", "memory": "0.5Gi"}})),
            deployment(json!({"limits": {"cpu": "1", "memory": "512Mi"}})),
        ),
        (
            map("Secret", json!({"data": {"a": "Y2Fu\nYXJ5\n"}})),
            map("Secret", json!({"data": {"a": "Y2FuYXJ5"}})),
        ),
        (
            map("Role", json!({"rules": [{"verbs": ["get", "list"]}]})),
            map("Role", json!({"rules": [{"verbs": ["list", "get"]}]})),
        ),
        (
            map("Service", json!({"spec": {"clusterIP": "", "a": null}})),
            map("Service", json!({"spec": {"clusterIP": "10.0.0.1"}})),
        ),
        (webhook("Cg=="), webhook("TFMt")),
        (
            deployment(json!({"serviceAccount": "a", "serviceAccountName": "b"})),
            deployment(json!({"serviceAccount": "b", "serviceAccountName": "b"})),
        ),
        (
            deployment(json!({"env": [{"name": "A", "value": ""}], "paused": false})),
            deployment(json!({"env": [{"name": "A"}]})),
        ),
        (
            map("ClusterRole", json!({"aggregationRule": {}, "rules": []})),
            map(
                "ClusterRole",
                json!({"aggregationRule": {}, "rules": [{"verbs": ["*"]}]}),
            ),
        ),
    ] {
        let found = offline(&flux(declared.clone()), &live, &LiveObject::default(), false);
        assert_eq!(found, Vec::<String>::new(), "{declared} {live}");
    }
}

#[test]
fn texts_that_look_like_numbers_are_compared_as_texts() {
    for (declared, live, path) in [
        (
            map("ConfigMap", json!({"data": {"a": "1.0"}})),
            map("ConfigMap", json!({"data": {"a": "1"}})),
            ".data.a",
        ),
        (
            map("ConfigMap", json!({"data": {"memory": "1000m"}})),
            map("ConfigMap", json!({"data": {"memory": "1"}})),
            ".data.memory",
        ),
        (
            map("X", json!({"spec": {"version": "1.10"}})),
            map("X", json!({"spec": {"version": "1.1"}})),
            ".spec.version",
        ),
        (
            deployment(json!({"args": ["a", "b"]})),
            deployment(json!({"args": ["b", "a"]})),
            ".spec.args",
        ),
        (
            deployment(json!({"env": [{"name": "A", "value": "1k"}]})),
            deployment(json!({"env": [{"name": "A", "value": "1000"}]})),
            ".spec.env[name=A].value",
        ),
    ] {
        let found = offline(&flux(declared), &live, &LiveObject::default(), false);
        assert_eq!(found, [format!("Changed {path}")]);
    }
    let empty = map("ConfigMap", json!({"data": {"a": ""}}));
    let found = offline(
        &flux(empty),
        &map("ConfigMap", json!({"data": {}})),
        &LiveObject::default(),
        false,
    );
    assert_eq!(found, ["Removed .data.a"]);
}

#[test]
fn what_is_added_is_told_from_defaults_and_controllers() {
    let git = deployment(json!({"template": {"spec": {"containers": [{"name": "web"}]}}}));
    let live = json!({"apiVersion": "apps/v1", "kind": "Deployment", "status": {"replicas": 1},
        "metadata": {"name": "web", "namespace": "shop", "uid": "1", "annotations": {"deployment.kubernetes.io/revision": "3", "note": "x"}},
        "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}, "paused": true, "template": {"spec": {"containers": [
            {"name": "web", "terminationMessagePath": "/dev/termination-log"},
            {"name": "spy", "image": "spy", "terminationMessagePath": "/dev/termination-log"}]}}}});
    let all = json!({"f:metadata": {"f:annotations": {"f:note": {}}}, "f:spec": {"f:strategy": {"f:type": {}, "f:rollingUpdate": {"f:maxSurge": {}, "f:maxUnavailable": {}}},
        "f:paused": {}, "f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"web\"}": {"f:terminationMessagePath": {}},
            "k:{\"name\":\"spy\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}});
    let added = [
        "Added .metadata.annotations.note",
        "Added .spec.paused",
        "Added .spec.strategy.rollingUpdate.maxUnavailable",
        "Added .spec.template.spec.containers[name=spy]",
    ];
    let git = flux(git);
    for (name, operation, expected) in [
        ("kubectl-edit", "Update", added.as_slice()),
        ("kustomize-controller", "Update", &[]),
        ("kube-controller-manager", "Update", &[]),
        // What the declarer applied and Git no longer declares.
        ("kustomize-controller", "Apply", &added),
    ] {
        let object = by(vec![manager(name, operation, all.clone())]);
        assert_eq!(offline(&git, &live, &object, false), expected, "{name} {operation}");
    }
    assert_eq!(offline(&git, &live, &by(Vec::new()), false), Vec::<String>::new());

    // The server says which of them are defaults.
    let object = by(vec![manager("kubectl-edit", "Update", all)]);
    for object in [object, by(Vec::new())] {
        let pair = Pair::new(&git, &live, &object, Scaling::Declared);
        let suspects = pair.suspects(Some(&live), true);
        let mut replaced = Pair::without(&suspects, &live);
        assert!(!replaced.to_string().contains("spy") && !replaced.to_string().contains("paused"));
        replaced["spec"]["strategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
        replaced["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = "/dev/termination-log".into();
        let mut found = told(&pair.added(&suspects, &replaced));
        found.sort();
        assert_eq!(found, added);
    }
}

#[test]
fn what_the_server_would_do_besides_is_no_drift() {
    let git = flux(deployment(json!({"replicas": 2, "image": "a"})));
    let live = deployment(json!({"replicas": 5, "stamp": "old", "gone": 1}));
    let then = deployment(json!({"replicas": 2, "image": "a", "stamp": "new", "injected": true}));
    let object = LiveObject::default();
    let pair = Pair::new(&git, &live, &object, Scaling::Declared);
    let mut found = told(&pair.changed_by(&then));
    found.sort();
    assert_eq!(
        found,
        ["Added .spec.gone", "Changed .spec.replicas", "Removed .spec.image"]
    );
    let found = told(&Pair::new(&git, &live, &object, Scaling::FromOne).changed_by(&then));
    assert!(
        !found.iter().any(|field| field.contains("replicas")),
        "because an autoscaler owns them"
    );
}

#[test]
fn generated_fields_are_no_drift() {
    let value = |password: &str, sum: &str| {
        let mut value = map(
            "Secret",
            json!({"data": {"password": password, "user": "dQ=="}, "args": ["a", sum]}),
        );
        value["metadata"]["annotations"] = json!({"checksum/x": sum});
        value
    };
    let mut git = flux(value("YQ==", "1"));
    let live = value("Yg==", "2");
    assert_eq!(offline(&git, &live, &LiveObject::default(), false).len(), 3);
    git.generated = ["/data/password", "/metadata/annotations/checksum~1x", "/args/1"]
        .map(str::to_owned)
        .into();
    assert_eq!(
        offline(&git, &live, &LiveObject::default(), false),
        Vec::<String>::new()
    );
    let gone = map("Secret", json!({}));
    let found = offline(&git, &gone, &LiveObject::default(), false);
    assert!(found.contains(&"Removed .data".to_owned()), "{found:?}");
}

#[test]
fn of_a_secret_no_value_is_told() {
    let mut git = map(
        "Secret",
        json!({"type": "a", "data": {"k": "Y2FuYXJ5"}, "stringdata": {"k": "canary"}}),
    );
    git["metadata"]["annotations"] = json!({"copy": "canary"});
    git["metadata"]["labels"] = json!({"l": "1"});
    let live = map(
        "Secret",
        json!({"type": "b", "data": {"k": "b3RoZXI=", "more": "Y2FuYXJ5"}}),
    );
    let git = flux(git);
    let object = by(vec![manager(
        "kubectl-edit",
        "Update",
        json!({"f:data": {"f:k": {}, "f:more": {}}}),
    )]);
    let pair = Pair::new(&git, &live, &object, Scaling::Declared);
    let mut all = pair.changed_offline();
    all.extend(pair.added_offline(&pair.suspects(None, false)));
    assert_eq!(all.len(), 6, "{all:#?}");
    let shown: Vec<_> = all
        .iter()
        .filter(|field| field.declared.is_some() || field.live.is_some())
        .collect();
    assert_eq!(
        shown.iter().map(|field| &*field.path).collect::<Vec<_>>(),
        [".metadata.labels.l", ".type"]
    );
    let changed = all
        .iter()
        .find(|field| field.path == ".data.k")
        .expect("because it differs");
    assert_eq!(changed.manager, Some(0));
    // Another value is told from it all the same.
    let mut other = live.clone();
    let digest = |live: &Value| {
        let fields = Pair::new(&git, live, &object, Scaling::Declared).changed_offline();
        let of_key = fields.iter().find(|field| field.path == ".data.k");
        of_key.expect("because it differs").digest
    };
    other["data"]["more"] = "b3RoZXI=".into();
    assert_eq!(digest(&live), digest(&other));
    other["data"]["k"] = "dGhpcmQ=".into();
    assert_ne!(digest(&live), digest(&other));
    assert!(shown.iter().all(|field| field.digest == 0));
}

#[test]
fn what_is_left_alone_keeps_what_is_live() {
    let containers = |web: &str, log: &str| json!([{"name": "web", "image": web}, {"name": "log", "image": log}]);
    let mut git = flux(deployment(json!({"replicas": 2, "paused": true, "minReadySeconds": 5,
        "template": {"spec": {"containers": containers("web:1", "log:1")}}})));
    let live = deployment(json!({"replicas": 7, "minReadySeconds": 9,
        "template": {"spec": {"containers": containers("web:2", "log:2")}}}));
    let object = by(vec![manager(
        "scaler",
        "Update",
        json!({"f:spec": {"f:minReadySeconds": {}}}),
    )]);
    let images = Expression::parse(".spec.template.spec.containers[] | select(.name == \"log\") | .image");
    let what = [
        Waived::Pointer("/spec/replicas".to_owned()),
        Waived::Pointer("/spec/paused".to_owned()),
        Waived::Expression(images.expect("because it is one")),
        Waived::Managers(vec!["scaler".to_owned()]),
    ];
    let spec = |git: &Declared| Pair::new(git, &live, &object, Scaling::Declared).left_alone()["spec"].clone();
    assert_eq!(spec(&git), git.manifest.value()["spec"], "nothing is said");
    git.waivers = what
        .map(|what| Waiver {
            by: "unit".to_owned(),
            what,
        })
        .to_vec();
    assert_eq!(
        spec(&git),
        json!({"replicas": 7, "minReadySeconds": 9, "template": {"spec": {"containers": containers("web:1", "log:2")}}})
    );
}

#[test]
fn what_kubectl_apply_owns_and_did_not_apply_is_a_default() {
    let git = flux(map("ConfigMap", json!({"data": {"a": "1"}})));
    let mut live = map(
        "ConfigMap",
        json!({"data": {"a": "1", "more": "1"}, "spec": {"defaulted": true}}),
    );
    let applied = json!({"data": {"a": "1", "more": "1"}}).to_string();
    live["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": applied});
    let fields = json!({"f:data": {"f:a": {}, "f:more": {}}, "f:spec": {"f:defaulted": {}}});
    let object = by(vec![manager("kubectl-client-side-apply", "Update", fields)]);
    assert_eq!(offline(&git, &live, &object, false), ["Added .data.more"]);
    // The same of a declarer that applies as kubectl does.
    let git = declared(
        git.manifest.value().clone(),
        Writer::ClientSide("kubectl-client-side-apply".into()),
    );
    assert_eq!(offline(&git, &live, &object, false), ["Added .data.more"]);
}

#[test]
fn malformed_objects_do_not_panic() {
    let git = flux(deployment(
        json!({"a": [1], "b": {"c": 1}, "d": "x", "containers": [{"name": "a"}]}),
    ));
    for live in [
        json!(null),
        json!([]),
        deployment(json!({"a": {"x": 1}, "b": [1], "d": {"y": []}, "containers": [null, {"name": 1}, []]})),
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "not json"}, "labels": []}}),
    ] {
        let fields = json!({"f:spec": {"k:{": {}, "k:[1]": {}, "f:containers": {"v:": {}, "i:x": {}, "": {}}}});
        let object = by(vec![manager("m", "Update", fields), manager("n", "Update", json!([1]))]);
        let pair = Pair::new(&git, &live, &object, Scaling::Declared);
        pair.changed_by(&json!({"spec": 1}));
        let suspects = pair.suspects(Some(&json!(1)), true);
        pair.added(&suspects, &Pair::without(&suspects, &json!("x")));
        assert!(!offline(&git, &live, &object, false).is_empty());
    }
}

#[test]
fn a_job_without_labels_gets_those_of_its_pods() {
    let job = |metadata: Value| {
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "namespace": "shop"},
            "spec": {"template": {"metadata": {"labels": {"app": "a"}}}}});
        let object = job["metadata"].as_object_mut().expect("because it is one");
        object.extend(metadata.as_object().cloned().unwrap_or_default());
        job
    };
    let live = job(
        json!({"labels": {"app": "a", "team": "b"}, "ownerReferences": [{"kind": "CronJob", "name": "c", "uid": "1"}]}),
    );
    let fields = json!({"f:metadata": {"f:labels": {"f:app": {}, "f:team": {}}, "f:ownerReferences": {}}});
    let object = by(vec![manager("kubectl-create", "Update", fields)]);
    let added = |metadata: Value| offline(&flux(job(metadata)), &live, &object, false);
    assert_eq!(added(json!({})), ["Added .metadata.labels.team"]);
    let both = ["Added .metadata.labels.app", "Added .metadata.labels.team"];
    assert_eq!(added(json!({"labels": {"x": "1"}}))[..2], both);
    // An engine adds its mark to those that were copied.
    let marked = json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}});
    assert!(!added(marked).contains(&both[0].to_owned()));
}

#[test]
fn marks_of_engines_that_were_copied_are_no_drift() {
    let labels =
        |labels: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": labels}});
    let live = labels(json!({"app": "a", "helm.toolkit.fluxcd.io/name": "bank", "team": "b"}));
    let fields = json!({"f:metadata": {"f:labels": {"f:helm.toolkit.fluxcd.io/name": {}, "f:team": {}}}});
    let object = by(vec![manager("kubectl-expose", "Update", fields)]);
    let found = offline(&flux(labels(json!({"app": "a"}))), &live, &object, false);
    assert_eq!(found, ["Added .metadata.labels.team"]);
    // Whoever marks it by an annotation took it over.
    let tracked = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": {"app": "a"},
        "annotations": {"kapp.k14s.io/original": "{}"}}});
    let fields = json!({"f:metadata": {"f:annotations": {"f:kapp.k14s.io/original": {}}}});
    let object = by(vec![manager("kubectl-annotate", "Update", fields)]);
    let found = offline(&flux(labels(json!({"app": "a"}))), &tracked, &object, false);
    assert_eq!(found, ["Added .metadata.annotations[kapp.k14s.io/original]"]);
}

#[test]
fn a_number_of_replicas_that_was_scaled_by_hand_is_drift_though_git_leaves_it_open() {
    let git = declared(
        deployment(json!({"template": {}})),
        Writer::ServerSide("kubectl".into()),
    );
    let live = deployment(json!({"replicas": 3, "template": {}}));
    let mut scale = manager("kubectl", "Update", json!({"f:spec": {"f:replicas": {}}}));
    scale.subresource = "scale".into();
    assert_eq!(offline(&git, &live, &by(vec![scale]), false), ["Added .spec.replicas"]);
    // Nobody owned it, so nobody does now.
    let applied = || manager("kubectl", "Apply", json!({"f:spec": {"f:template": {}}}));
    assert_eq!(
        offline(&git, &live, &by(vec![applied()]), false),
        ["Added .spec.replicas"]
    );
    assert_eq!(offline(&git, &live, &by(vec![applied()]), true), Vec::<String>::new());
    let one = deployment(json!({"replicas": 1, "template": {}}));
    assert_eq!(offline(&git, &one, &by(vec![applied()]), false), Vec::<String>::new());
}
