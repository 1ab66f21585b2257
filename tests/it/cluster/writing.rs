//! The write verbs.

use std::time::Duration;

use refloat::cluster::write::{self, Answer, Apply, Effect, LAST_APPLIED};
use refloat::object::{Manifest, Writer};
use serde_json::{Value, json};

use super::{apply, apply_with, config_map, connect, done, endpoint, manifest, namespace, refused, server_side};

fn deployment(namespace: &str, app: &str, containers: Value) -> Manifest {
    manifest(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers}}},
    }))
}

#[tokio::test]
async fn created_unchanged_configured() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let object = config_map(&namespace, "a", json!({"k": "1"}));
    let first = done(apply(&cluster, &object).await);
    assert_eq!(
        (first.effect, first.generation, first.warnings.len()),
        (Effect::Created, 0, 0)
    );
    let known = |version: String| {
        let (cluster, object) = (cluster.clone(), object.clone());
        async move {
            let (at, writer, known) = (endpoint(&object), server_side(), Some(version.as_str()));
            let (manifest, force, create_only, strict) = (&object, true, false, false);
            done(
                write::apply(
                    &cluster,
                    &Apply {
                        at: &at,
                        manifest,
                        writer: &writer,
                        force,
                        create_only,
                        strict,
                        known,
                    },
                )
                .await,
            )
        }
    };
    let second = known(first.resource_version.clone()).await;
    assert_eq!((second.effect, &second.uid), (Effect::Unchanged, &first.uid));
    assert_eq!(known("1".to_owned()).await.effect, Effect::Configured);
    let web = done(
        apply(
            &cluster,
            &deployment(&namespace, "web", json!([{"name": "c", "image": "x"}])),
        )
        .await,
    );
    assert_eq!((web.effect, web.generation), (Effect::Created, 1));
}

#[tokio::test]
async fn unknown_fields_are_warned_of_or_refused() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let mut object = config_map(&namespace, "a", json!({}));
    object.object_mut().insert("dat".into(), json!({}));
    let warned = done(apply(&cluster, &object).await);
    assert_eq!(warned.warnings, ["unknown field \"dat\""]);
    let pod = manifest(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace}, "foo": 1,
        "spec": {"foo": 1, "containers": [{"name": "c", "image": "x", "foo": 1, "env": [{"name": "A", "foo": 1}]}]}}),
    );
    let mut warned = done(apply(&cluster, &pod).await).warnings;
    warned.sort();
    let c = "spec.containers[name=\\\"c\\\"]";
    let expected = [
        "foo",
        &format!("{c}.env[name=\\\"A\\\"].foo"),
        &format!("{c}.foo"),
        "spec.foo",
    ];
    assert_eq!(warned, expected.map(|field| format!("unknown field \"{field}\"")));
    let strict = apply_with(&cluster, &object, &server_side(), |ask| ask.strict = true).await;
    assert!(refused(strict).0.contains("dat"));
}

#[tokio::test]
async fn refusals_in_the_servers_words() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let containers = || json!([{"name": "c", "image": "x"}]);
    done(apply(&cluster, &deployment(&namespace, "web", containers())).await);
    let (reason, immutable) = refused(apply(&cluster, &deployment(&namespace, "other", containers())).await);
    assert!(immutable && reason.ends_with("field is immutable"), "{reason}");
    // Server-side apply answers 500 to this one: asking again would never end.
    let wrong = manifest(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "wrong", "namespace": namespace}, "spec": {"replicas": "many"}}));
    assert!(
        refused(apply(&cluster, &wrong).await)
            .0
            .contains(".spec.replicas: expected numeric")
    );
    let nowhere = config_map("no-such-namespace", "a", json!({}));
    let expected = "namespaces \"no-such-namespace\" not found".to_owned();
    assert_eq!(refused(apply(&cluster, &nowhere).await), (expected, false));
    let unserved = manifest(
        json!({"apiVersion": "no.such/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": namespace}}),
    );
    assert!(matches!(apply(&cluster, &unserved).await, Answer::Retry { .. }));
}

#[tokio::test]
async fn fields_of_others_are_taken_only_by_force() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let theirs = Writer::ServerSide("them".to_owned());
    done(
        apply_with(
            &cluster,
            &config_map(&namespace, "a", json!({"k": "1"})),
            &theirs,
            |_| {},
        )
        .await,
    );
    let ours = config_map(&namespace, "a", json!({"k": "2"}));
    let (reason, immutable) = refused(apply_with(&cluster, &ours, &server_side(), |ask| ask.force = false).await);
    assert_eq!(
        (reason.as_str(), immutable),
        ("Apply failed with 1 conflict: conflict with \"them\": .data.k", false)
    );
    assert_eq!(done(apply(&cluster, &ours).await).effect, Effect::Configured);
}

#[tokio::test]
async fn secrets_stay_secret_in_refusals() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    for (data, writer) in [
        (json!({"password": "canary-not-base64"}), server_side()),
        (json!({"password": 123_456_789}), server_side()),
        (json!({"bad key!": "Y2FuYXJ5"}), server_side()),
        (
            json!({"password": "canary-not-base64"}),
            Writer::ClientSide("kubectl-client-side-apply".to_owned()),
        ),
        (
            json!({"password": 123_456_789}),
            Writer::ClientSide("kubectl-client-side-apply".to_owned()),
        ),
    ] {
        let secret = manifest(json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "s", "namespace": namespace}, "data": data}));
        let (reason, _) = refused(apply_with(&cluster, &secret, &writer, |_| {}).await);
        for value in ["canary", "123456789", "Y2FuYXJ5"] {
            assert!(!reason.contains(value), "{reason}");
        }
    }
}

#[tokio::test]
async fn what_is_there_is_left_by_create_only() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    for writer in [server_side(), Writer::ClientSide("helm".to_owned())] {
        let name = writer.manager().to_owned();
        let create = |value: &'static str| {
            let object = config_map(&namespace, &name, json!({"k": value}));
            let (cluster, writer) = (cluster.clone(), writer.clone());
            async move { done(apply_with(&cluster, &object, &writer, |ask| ask.create_only = true).await) }
        };
        let first = create("1").await;
        assert_eq!(first.effect, Effect::Created);
        let second = create("2").await;
        assert_eq!(
            (second.effect, second.uid, second.resource_version),
            (Effect::Unchanged, first.uid, first.resource_version)
        );
    }
}

#[tokio::test]
async fn client_side_merges_as_kubectl_does() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let writer = Writer::ClientSide("kubectl-client-side-apply".to_owned());
    let put = |containers: Value| {
        let object = deployment(&namespace, "web", containers);
        let (cluster, writer) = (cluster.clone(), writer.clone());
        async move { done(apply_with(&cluster, &object, &writer, |_| {}).await) }
    };
    let before =
        json!([{"name": "web", "image": "a", "env": [{"name": "OLD", "value": "1"}]}, {"name": "old", "image": "a"}]);
    assert_eq!(put(before.clone()).await.effect, Effect::Created);
    assert_eq!(put(before).await.effect, Effect::Unchanged);
    // Someone adds a container of their own; ours change around it.
    let at = endpoint(&deployment(&namespace, "web", json!([])));
    let live = cluster
        .get(&at, Some(&namespace), "web")
        .await
        .expect("because it may be read")
        .expect("because it is there");
    let mut containers = live["spec"]["template"]["spec"]["containers"].clone();
    containers
        .as_array_mut()
        .expect("because a Deployment has containers")
        .push(json!({"name": "injected", "image": "x"}));
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    done(write::patch_merge(&cluster, &at, Some(&namespace), "web", "them", &patch).await);
    let after =
        json!([{"name": "new", "image": "a"}, {"name": "web", "image": "b", "env": [{"name": "NEW", "value": "1"}]}]);
    assert_eq!(put(after.clone()).await.effect, Effect::Configured);
    assert_eq!(put(after).await.effect, Effect::Unchanged);
    let live = cluster
        .get(&at, Some(&namespace), "web")
        .await
        .expect("because it may be read")
        .expect("because it is there");
    let containers = live["spec"]["template"]["spec"]["containers"]
        .as_array()
        .expect("because a Deployment has containers");
    let named: Vec<_> = containers
        .iter()
        .map(|c| (c["name"].as_str(), c["image"].as_str()))
        .collect();
    // Where others' containers go is the server's.
    assert_eq!(
        named,
        [
            (Some("injected"), Some("x")),
            (Some("new"), Some("a")),
            (Some("web"), Some("b"))
        ]
    );
    assert_eq!(containers[2]["env"], json!([{"name": "NEW", "value": "1"}]));
    let kept = live["metadata"]["annotations"][LAST_APPLIED]
        .as_str()
        .expect("because it was applied client-side");
    assert!(
        kept.starts_with(r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{},"name":"web""#)
            && kept.ends_with("}\n"),
        "{kept}"
    );
}

#[tokio::test]
async fn deleting_needs_the_uid() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let object = config_map(&namespace, "a", json!({}));
    let at = endpoint(&object);
    let uid = done(apply(&cluster, &object).await).uid;
    let delete = |uid: String| {
        let (cluster, at, namespace) = (cluster.clone(), at.clone(), namespace.clone());
        async move { write::delete(&cluster, &at, Some(&namespace), "a", &uid, false).await }
    };
    assert_eq!(
        delete("00000000-0000-0000-0000-000000000000".to_owned()).await,
        Answer::Gone
    );
    assert_eq!(done(delete(uid.clone()).await).effect, Effect::Deleted);
    assert_eq!(delete(uid).await, Answer::Gone);
    let patched = write::patch_merge(&cluster, &at, Some(&namespace), "a", "x", &json!({"data": {}})).await;
    assert_eq!(patched, Answer::Gone);
}

#[tokio::test]
async fn a_real_ca_bundle_is_kept() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let webhook = |bundle: &str| {
        manifest(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": namespace},
            "webhooks": [{"name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore",
                "rules": [{"apiGroups": ["no.such"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}],
                "clientConfig": {"caBundle": bundle, "service": {"name": "s", "namespace": "default"}}}],
        }))
    };
    let at = endpoint(&webhook(""));
    let live = || async {
        let live = cluster.get(&at, None, &namespace).await;
        let live = live.expect("because it may be read").expect("because it is there");
        live["webhooks"][0]["clientConfig"]["caBundle"].clone()
    };
    assert_eq!(done(apply(&cluster, &webhook("")).await).effect, Effect::Created);
    // The control plane plays the injector of certificates, for whatever names an authority.
    let theirs = webhook("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==");
    done(apply_with(&cluster, &theirs, &Writer::ServerSide("injector".to_owned()), |_| {}).await);
    let injecting = async {
        while live().await == theirs.value()["webhooks"][0]["clientConfig"]["caBundle"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), injecting)
        .await
        .expect("because it is injected");
    let real = live().await;
    for writer in [
        server_side(),
        Writer::ClientSide("kubectl-client-side-apply".to_owned()),
    ] {
        for placeholder in ["", "Cg=="] {
            let written = done(apply_with(&cluster, &webhook(placeholder), &writer, |_| {}).await);
            assert_eq!(live().await, real, "{writer:?} {placeholder:?}");
            // Nor was it away for a moment: that would have been two writes more.
            let now = cluster
                .get(&at, None, &namespace)
                .await
                .expect("because it may be read")
                .expect("because it is there");
            assert_eq!(now["metadata"]["resourceVersion"], written.resource_version);
        }
    }
    let uid = done(apply(&cluster, &webhook("")).await).uid;
    assert!(matches!(
        write::delete(&cluster, &at, None, &namespace, &uid, false).await,
        Answer::Done(_)
    ));
}
