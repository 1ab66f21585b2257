//! Connecting, discovering, gathering facts, watching.

use std::time::Duration;

use refloat::cluster::write::{self, Answer};
use refloat::cluster::{Cluster, ConnectOptions, FactsOptions, Observed, WatchEvent, Watching};
use refloat::object::{
    Declared, DeclaredSet, Denied, Entry, ExistingChange, GroupKind, Manifest, Provenance, Renderer, Repository,
    UnitIndex, Writer,
};
use serde_json::json;

use super::{
    apply, apply_with, config_map, config_maps, connect, done, endpoint, kubeconfig, manifest, namespace, server_side,
};
use crate::support::fault_proxy::{Act, Fault, FaultProxy};

/// The test's kubeconfig, changed.
async fn changed(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let text = std::fs::read_to_string(kubeconfig().await).expect("because the control plane wrote it");
    let mut value = serde_yaml::from_str(&text).expect("because it is YAML");
    change(&mut value);
    value.to_string()
}

async fn connect_as(text: String) -> Result<Cluster, String> {
    let options = ConnectOptions {
        kubeconfig_text: Some(text),
        ..ConnectOptions::default()
    };
    Cluster::connect(options).await.map_err(|failure| failure.to_string())
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let cluster = connect().await;
    assert_eq!(cluster.context().nodes.map(|nodes| nodes < 100), Some(true));
    assert!(cluster.version().major == 1 && cluster.version().minor > 30);
    let stranger = changed(|value| {
        value["clusters"][0]["cluster"]["certificate-authority"] = json!(null);
        value["clusters"][0]["cluster"]["certificate-authority-data"] = json!(null);
    })
    .await;
    let error = connect_as(stranger).await.expect_err("because its CA is unknown");
    assert!(
        error.contains("its certificate is signed by an authority that the kubeconfig does not trust"),
        "{error}"
    );
    let token = changed(|value| value["users"][0]["user"] = json!({"token": "canary"})).await;
    let error = connect_as(token).await.expect_err("because the token is wrong");
    assert!(
        error.contains("the server does not accept the credentials (401)") && !error.contains("canary"),
        "{error}"
    );
}

#[tokio::test]
async fn one_broken_api_service_hides_nothing_else() {
    let cluster = connect().await;
    let service = manifest(json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.broken.refloat.test"},
        "spec": {"group": "broken.refloat.test", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 10,
            "insecureSkipTLSVerify": true, "service": {"name": "nobody", "namespace": "default"}},
    }));
    let uid = done(apply(&cluster, &service).await).uid;
    let mut found = None;
    for _ in 0..100 {
        let (kinds, gaps) = cluster.discover().await.expect("because the core group answers");
        let deployment = kinds
            .get(&GroupKind::new("apps", "Deployment"))
            .expect("because apps is always served");
        assert!(deployment.watchable && deployment.versions == ["v1"] && deployment.plural == "deployments");
        assert!(
            kinds.get(&GroupKind::new("autoscaling", "Scale")).is_none(),
            "because it is a subresource"
        );
        assert!(
            !kinds
                .get(&GroupKind::new("", "Binding"))
                .is_some_and(|kind| kind.watchable)
        );
        found = gaps
            .into_iter()
            .find(|gap| gap.what == "API group broken.refloat.test/v1");
        if found.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    write::delete(&cluster, &endpoint(&service), None, service.name(), &uid, false).await;
    assert!(
        found.is_some_and(|gap| !gap.reason.is_empty()),
        "because the group is stale"
    );
}

#[tokio::test]
async fn discovery_without_aggregation_finds_the_same() {
    let path = kubeconfig().await;
    let proxy = FaultProxy::start(&path).await;
    let cluster = connect_as(proxy.kubeconfig())
        .await
        .expect("because the proxy passes everything");
    let (aggregated, _) = cluster.discover().await.expect("because the core group answers");
    proxy.ignore_accept(true);
    proxy.set([Fault::on(
        "GET",
        "/apis/batch/v1",
        Act::Status(503, "ServiceUnavailable", "away", 0),
    )]);
    let (mut old, gaps) = cluster.discover().await.expect("because the core group answers");
    assert!(
        gaps.iter()
            .any(|gap| gap.what == "API group batch/v1" && gap.reason == "away"),
        "{gaps:?}"
    );
    proxy.set([]);
    assert!(old.get(&GroupKind::new("batch", "Job")).is_none());
    (old, _) = cluster.discover().await.expect("because the core group answers");
    // Another test adds a group of its own for a moment.
    let kinds = |kinds: refloat::object::ServedKinds| {
        kinds
            .0
            .into_iter()
            .filter(|(kind, _)| !kind.group.ends_with("test"))
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(old), kinds(aggregated));
}

fn declared(manifest: Manifest, writer: Writer) -> Declared {
    let provenance = Provenance {
        file: "a.yaml".into(),
        document: 0,
        line: 1,
        renderer: Renderer::Plain,
    };
    let (unit, generated, hook) = (UnitIndex(0), Vec::new(), None);
    Declared {
        id: manifest.id(),
        manifest,
        provenance,
        unit,
        writer,
        generated,
        namespace: None,
        waivers: Vec::new(),
        hook,
        turn: None,
    }
}

fn set(objects: Vec<Declared>) -> DeclaredSet {
    let repository = Repository {
        location: "x".into(),
        commit: None,
        subject: None,
        time: None,
        dirty: false,
    };
    let entry = Entry {
        paths: vec![String::new()],
        dialect: "manifests".into(),
        detected: true,
    };
    DeclaredSet {
        repository,
        entry,
        units: Vec::new(),
        objects,
        problems: Vec::new(),
        unreached: 0,
        wanted: Vec::new(),
        wanted_clusters: Vec::new(),
    }
}

#[tokio::test]
async fn facts_say_what_is_there_and_what_would_change() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let map = |name: &str, value: &str| config_map(&namespace, name, json!({"k": value}));
    for name in ["same", "changed"] {
        done(apply(&cluster, &map(name, "1")).await);
    }
    let them = Writer::ServerSide("them".to_owned());
    for name in ["theirs", "undeclared"] {
        done(apply_with(&cluster, &map(name, "1"), &them, |_| {}).await);
    }
    let kubectl = Writer::ClientSide("kubectl-client-side-apply".to_owned());
    for name in ["client-same", "client-changed"] {
        done(apply_with(&cluster, &map(name, "1"), &kubectl, |_| {}).await);
    }
    let secret = manifest(
        json!({"apiVersion": "v1", "kind": "Secret", "type": "a/b", "metadata": {"name": "s", "namespace": namespace}}),
    );
    done(apply(&cluster, &secret).await);
    let mut other = secret.clone();
    other.object_mut().insert("type".into(), "c/d".into());
    let objects = [
        ("same", "1", server_side()),
        ("changed", "2", server_side()),
        ("theirs", "2", server_side()),
        ("client-same", "1", kubectl.clone()),
        ("client-changed", "2", kubectl),
        ("absent", "1", server_side()),
    ];
    let mut objects: Vec<_> = objects
        .into_iter()
        .map(|(name, value, writer)| declared(map(name, value), writer))
        .collect();
    objects.push(declared(other, server_side()));
    let facts = cluster
        .facts(&set(objects), FactsOptions::default())
        .await
        .expect("because the server answers");
    let change = |kind: &str, name: &str| {
        let found = facts.existing.iter().find(|(id, _)| id.kind == kind && id.name == name);
        found.map(|(_, object)| object.change.clone())
    };
    let fields = || Some(Some(ExistingChange::Fields(vec![".data.k".to_owned()])));
    assert_eq!(change("ConfigMap", "same"), Some(Some(ExistingChange::None)));
    assert_eq!(change("ConfigMap", "changed"), fields());
    let overrides = ExistingChange::Overrides(vec![("them".to_owned(), ".data.k".to_owned())]);
    assert_eq!(change("ConfigMap", "theirs"), Some(Some(overrides)));
    assert_eq!(change("ConfigMap", "client-same"), Some(Some(ExistingChange::None)));
    assert_eq!(change("ConfigMap", "client-changed"), fields());
    assert_eq!(change("ConfigMap", "absent"), None);
    assert!(matches!(change("Secret", "s"), Some(Some(ExistingChange::Refused(why))) if why.contains("immutable")));
    let theirs = facts
        .existing
        .iter()
        .find(|(id, _)| id.name == "theirs")
        .expect("because it is there")
        .1;
    assert!(theirs.managers.contains("them") && theirs.managers.len() == 1);
    assert!(
        facts
            .present
            .contains(&config_maps().id(Some(&namespace), "undeclared"))
    );
    assert!(
        facts
            .present
            .contains(&config_maps().id(Some("kube-system"), "extension-apiserver-authentication"))
    );
    assert!(
        facts
            .foreign
            .iter()
            .any(|id| id.kind == "Namespace" && id.name.starts_with("it-")),
        "{:?}",
        facts.foreign
    );
    assert!(
        facts
            .foreign
            .iter()
            .all(|id| id.name != "kubernetes" && id.name != "default"),
        "{:?}",
        facts.foreign
    );
    assert!(facts.denied.is_empty());
}

#[tokio::test]
async fn rights_that_are_lacking_are_named() {
    let cluster = connect().await;
    let namespace = namespace(&cluster).await;
    let role = manifest(
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create"]}]}),
    );
    let binding = manifest(
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": namespace}]}),
    );
    done(apply(&cluster, &role).await);
    done(apply(&cluster, &binding).await);
    done(apply(&cluster, &config_map(&namespace, "a", json!({}))).await);
    let text = changed(|value| value["users"][0]["user"]["as"] = json!(namespace)).await;
    let limited = connect_as(text)
        .await
        .expect("because anybody logged in may ask for the version");
    assert_eq!(limited.context().nodes, None);
    let objects = vec![
        declared(config_map(&namespace, "a", json!({})), server_side()),
        declared(role, server_side()),
    ];
    // A new right takes the server a moment.
    let mut last = None;
    for _ in 0..50 {
        let facts = limited
            .facts(&set(objects.clone()), FactsOptions::default())
            .await
            .expect("because discovery is allowed");
        let there = facts.existing.keys().any(|id| id.kind == "ConfigMap");
        last = Some(facts);
        if there {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let facts = last.expect("because it was asked");
    assert!(
        facts.existing.keys().any(|id| id.kind == "ConfigMap"),
        "because its namespace may be listed"
    );
    let denied = |verb: &str, kind: GroupKind| {
        facts.denied.contains(&Denied {
            verb: verb.to_owned(),
            kind,
            namespace: Some(namespace.clone()),
        })
    };
    let (map, role) = (
        GroupKind::new("", "ConfigMap"),
        GroupKind::new("rbac.authorization.k8s.io", "Role"),
    );
    assert!(denied("patch", map.clone()) && !denied("create", map));
    assert!(denied("create", role.clone()) && denied("escalate", role));
    assert!(
        facts
            .gaps
            .iter()
            .any(|gap| gap.what == format!("list secrets in {namespace}")),
        "{:?}",
        facts.gaps
    );
}

async fn observed(watching: &mut Watching, name: &str) -> Observed {
    let next = async {
        loop {
            match watching.next().await.expect("because the watch goes on") {
                WatchEvent::Observed(observed) if observed.id.name == name => return observed,
                WatchEvent::Refused(why) => panic!("refused: {why}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), next)
        .await
        .expect("because it is told within a moment")
}

#[tokio::test]
async fn a_watch_loses_nothing() {
    let path = kubeconfig().await;
    let proxy = FaultProxy::start(&path).await;
    let cluster = connect().await;
    let proxied = connect_as(proxy.kubeconfig())
        .await
        .expect("because the proxy passes everything");
    let namespace = namespace(&cluster).await;
    let put = |name: &'static str, value: &'static str| {
        let (cluster, object) = (cluster.clone(), config_map(&namespace, name, json!({"k": value})));
        async move { done(apply(&cluster, &object).await) }
    };
    let first = put("a", "1").await;
    let mut watching = proxied.watch(&config_maps(), Some(&namespace));
    let seen = observed(&mut watching, "a").await;
    let value = seen.value.expect("because it is there");
    assert_eq!(
        (seen.uid, &value["kind"], &value["data"]["k"]),
        (first.uid.clone(), &json!("ConfigMap"), &json!("1"))
    );
    assert!(value["metadata"].get("managedFields").is_none());
    // The connection breaks, again and again, and things go on.
    for value in ["2", "3", "4"] {
        proxy.cut();
        put("a", value).await;
        let seen = observed(&mut watching, "a").await;
        assert_eq!(seen.value.expect("because it is there")["data"]["k"], value);
    }
    // The server forgets where the watch was, and meanwhile an object goes and comes anew.
    proxy.set([
        Fault::on(
            "GET",
            "watch=1",
            Act::Status(410, "Expired", "too old resource version", 0),
        )
        .times(1),
        Fault::on("GET", "limit=", Act::Status(503, "ServiceUnavailable", "away", 0)).times(4),
    ]);
    proxy.cut();
    let gone = write::delete(&cluster, &config_maps(), Some(&namespace), "a", &first.uid, false).await;
    assert!(matches!(gone, Answer::Done(_)));
    let told = observed(&mut watching, "a").await;
    assert_eq!((told.uid, told.value.is_none()), (first.uid, true));
    put("a", "5").await;
    assert_eq!(
        observed(&mut watching, "a").await.value.expect("because it is there")["data"]["k"],
        "5"
    );
}

#[tokio::test]
async fn a_watch_that_is_not_allowed_says_so() {
    let path = kubeconfig().await;
    let proxy = FaultProxy::start(&path).await;
    let proxied = connect_as(proxy.kubeconfig())
        .await
        .expect("because the proxy passes everything");
    proxy.set([Fault::on(
        "GET",
        "/configmaps",
        Act::Status(403, "Forbidden", "not you", 0),
    )]);
    let mut watching = proxied.watch(&config_maps(), None);
    assert!(matches!(watching.next().await, Some(WatchEvent::Refused(why)) if why == "not you"));
    assert!(watching.next().await.is_none());
    proxy.set([]);
    let mut watching = proxied.watch(&config_maps(), Some("kube-system"));
    observed(&mut watching, "extension-apiserver-authentication").await;
}
