//! The engine on a real API server.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use refloat::cluster::{Cluster, ConnectOptions};
use refloat::control_plane::{ControlPlane, Options as Start, Sources, start};
use refloat::engine::{Options, run};
use refloat::event::{Event, Summary};
use refloat::object::{
    Action, GroupKind, Manifest, ObjectId, Outcome, Readiness, Scope, SkipReason, Writer, has_contract,
};
use refloat::plan::{Edge, NodeIndex, Plan, Reason, Step, StepAction, Strength, Target, Until};
use serde_json::{Value, json};
use tokio::sync::mpsc;

async fn started() -> ControlPlane {
    let options = Start {
        sources: Sources::from_environment(None, |name| std::env::var_os(name)),
        guard_exe: Some(env!("CARGO_BIN_EXE_refloat").into()),
        ..Start::default()
    };
    match start(&options, &mut |_| {}).await {
        Ok(control_plane) => control_plane,
        Err(failure) => panic!("{failure}"),
    }
}

async fn connected(control_plane: &ControlPlane) -> Cluster {
    let options = ConnectOptions {
        kubeconfig: Some(control_plane.kubeconfig_path()),
        ..ConnectOptions::default()
    };
    match Cluster::connect(options).await {
        Ok(cluster) => cluster,
        Err(failure) => panic!("{failure}"),
    }
}

/// A plan made by hand.
#[derive(Default)]
struct Draft(Plan);

impl Draft {
    fn apply(&mut self, value: Value, plural: &str) -> NodeIndex {
        let manifest = Manifest::new(value).expect("because the test wrote it");
        let id = manifest.id();
        let target = Target {
            kind: id.group_kind(),
            version: manifest.version().to_owned(),
            plural: plural.to_owned(),
            scope: if id.namespace.is_some() {
                Scope::Namespaced
            } else {
                Scope::Cluster
            },
        };
        let action = StepAction::Apply {
            manifest,
            writer: Writer::ServerSide("refloat".to_owned()),
            create_only: false,
            recreate: true,
        };
        // What a CRD of the plan brings is not served yet.
        self.add(id, Some(target).filter(|target| target.kind.kind != "Widget"), action)
    }

    fn awaits(&mut self, id: ObjectId, plural: &str) -> NodeIndex {
        let target = Target {
            kind: id.group_kind(),
            version: "v1".to_owned(),
            plural: plural.to_owned(),
            scope: Scope::Namespaced,
        };
        self.add(
            id,
            Some(target),
            StepAction::Await("the controller manager makes it".to_owned()),
        )
    }

    fn add(&mut self, id: ObjectId, target: Option<Target>, action: StepAction) -> NodeIndex {
        self.0.steps.push(Step {
            has_contract: id.kind != "Widget" && has_contract(&id.group, &id.kind),
            id,
            target,
            action,
            provenance: None,
            unit: None,
            hook: None,
            cleanup: None,
        });
        NodeIndex(self.0.steps.len() as u32 - 1)
    }

    fn wait(&mut self, from: NodeIndex, to: NodeIndex, until: Until, strength: Strength) {
        let reason = Reason {
            rule: "test",
            text: "the test says so".to_owned(),
        };
        self.0.edges.push(Edge {
            from,
            to,
            until,
            strength,
            reason,
        });
        self.0.edges.sort_by_key(|edge| (edge.from, edge.to));
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": {"a": "b"}})
}

fn workload(kind: &str, api_version: &str, name: &str, label: &str, mut spec: Value) -> Value {
    let pod = json!({"containers": [{"name": "c", "image": "example.com/c"}], "restartPolicy": if kind == "Job" { "Never" } else { "Always" }});
    spec["template"] = json!({"metadata": {"labels": {"app": label}}, "spec": pod});
    if kind != "Job" {
        spec["selector"] = json!({"matchLabels": {"app": label}});
    }
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

fn widgets() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let names = json!({"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": names,
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}

/// A namespace, what lives in it, a CRD with its object, a rollout, a Job, and two things that go wrong.
fn shop(label: &str) -> Plan {
    let mut draft = Draft::default();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let widget =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}});
    // Steps in an order that only waiting makes right.
    let after = draft.apply(config_map("after"), "configmaps");
    let widget = draft.apply(widget, "widgets");
    let web = workload("Deployment", "apps/v1", "web", label, json!({"replicas": 2}));
    let web = draft.apply(web, "deployments");
    let job = draft.apply(workload("Job", "batch/v1", "migrate", "migrate", json!({})), "jobs");
    let crd = draft.apply(widgets(), "customresourcedefinitions");
    let wrong = draft.apply(config_map("Wrong_Name"), "configmaps");
    let behind = draft.apply(config_map("behind"), "configmaps");
    let account = ObjectId::new("", "ServiceAccount", Some("shop"), "default");
    let account = draft.awaits(account, "serviceaccounts");
    let namespace = draft.apply(namespace, "namespaces");
    for step in [after, widget, web, job, wrong, behind, account] {
        draft.wait(step, namespace, Until::Exists, Strength::Hard);
    }
    draft.wait(after, web, Until::Ready, Strength::Hard);
    draft.wait(after, job, Until::Ready, Strength::Hard);
    draft.wait(widget, crd, Until::Ready, Strength::Hard);
    draft.wait(web, account, Until::Exists, Strength::Soft);
    draft.wait(behind, wrong, Until::Exists, Strength::Hard);
    draft.0
}

async fn restored(plan: Plan, cluster: &Cluster, options: Options) -> (Summary, Vec<Event>) {
    let (_keep, interrupts) = mpsc::channel(1);
    let mut events = Vec::new();
    match run(Arc::new(plan), cluster, options, interrupts, pending(), |event| {
        events.push(event)
    })
    .await
    {
        Ok(summary) => (summary, events),
        Err(failure) => panic!("{failure}"),
    }
}

fn outcomes(summary: &Summary) -> BTreeMap<String, &Outcome> {
    summary
        .outcomes
        .iter()
        .map(|(id, outcome)| (id.to_string(), outcome))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_walked_in_its_order_and_again_without_a_change() {
    let control_plane = started().await;
    let cluster = connected(&control_plane).await;
    let options = Options {
        timeout: Duration::from_secs(60),
        ..Options::default()
    };
    let (summary, events) = restored(shop("one"), &cluster, options.clone()).await;
    let found = outcomes(&summary);
    for name in [
        "Namespace/shop",
        "CustomResourceDefinition/widgets.example.com",
        "Deployment/shop/web",
        "Job/shop/migrate",
    ] {
        assert_eq!(
            (&found[name].action, &found[name].readiness),
            (&Action::Created, &Readiness::Current),
            "{name}"
        );
    }
    for name in ["ConfigMap/shop/after", "Widget/shop/w"] {
        assert_eq!(
            (&found[name].action, &found[name].readiness),
            (&Action::Created, &Readiness::NotWaitedFor),
            "{name}"
        );
    }
    assert_eq!(found["ServiceAccount/shop/default"].action, Action::Awaited);
    assert!(found["Deployment/shop/web"].without.is_empty());
    let Action::Failed(reason) = &found["ConfigMap/shop/Wrong_Name"].action else {
        panic!("{:?}", found["ConfigMap/shop/Wrong_Name"]);
    };
    assert!(reason.contains("Invalid value"), "{reason}");
    let wrong = ObjectId::new("", "ConfigMap", Some("shop"), "Wrong_Name");
    assert_eq!(
        found["ConfigMap/shop/behind"].action,
        Action::Skipped(SkipReason::Dependency(wrong))
    );
    assert!(events.iter().any(|event| matches!(event, Event::Finished(_))));
    let path: Vec<_> = summary
        .critical_path
        .iter()
        .map(|node| summary.outcomes[node.0 as usize].0.kind.as_str())
        .collect();
    assert_eq!(path.first().copied(), Some("Namespace"), "{path:?}");

    // Nothing is done twice.
    let mut known = BTreeMap::new();
    for (id, plural) in [(ObjectId::new("", "ConfigMap", Some("shop"), "after"), "configmaps")] {
        let at = refloat::cluster::Endpoint::new(GroupKind::new("", "ConfigMap"), "v1", plural, Scope::Namespaced);
        let live = cluster.get(&at, id.namespace.as_deref(), &id.name).await;
        let live = live
            .expect("because the server runs")
            .expect("because it was just made");
        let version = live["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        known.insert(id, version);
    }
    let again = Options {
        known,
        ..options.clone()
    };
    let (summary, _) = restored(shop("one"), &cluster, again).await;
    let found = outcomes(&summary);
    assert_eq!(found["ConfigMap/shop/after"].action, Action::Unchanged);
    assert_eq!(found["Job/shop/migrate"].readiness, Readiness::Current);

    // A selector cannot be changed in place.
    let (summary, _) = restored(shop("two"), &cluster, options).await;
    let found = outcomes(&summary);
    let web = found["Deployment/shop/web"];
    assert_eq!((&web.action, &web.readiness), (&Action::Recreated, &Readiness::Current));
    control_plane.stop().await;
}

/// ConfigMaps that wait for nothing.
fn many(count: usize) -> Plan {
    let mut draft = Draft::default();
    for number in 0..count {
        let mut value = config_map(&format!("c{number}"));
        value["metadata"]["namespace"] = "default".into();
        draft.apply(value, "configmaps");
    }
    draft.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_in_the_middle_loses_nothing() {
    let mut control_plane = started().await;
    let cluster = connected(&control_plane).await;
    let mut draft = Draft(many(1_500));
    let mut web = workload("Deployment", "apps/v1", "web", "web", json!({"replicas": 2}));
    web["metadata"]["namespace"] = "default".into();
    let last = NodeIndex(1_499);
    let web = draft.apply(web, "deployments");
    draft.wait(web, last, Until::Exists, Strength::Hard);
    let (_keep, interrupts) = mpsc::channel(1);
    let (reached, mut middle) = mpsc::channel(1);
    let mut settled = 0;
    let restoring = run(
        Arc::new(draft.0),
        &cluster,
        Options::default(),
        interrupts,
        pending(),
        |event| {
            if matches!(event, Event::Settled { .. }) {
                settled += 1;
                if settled == 300 {
                    reached.try_send(()).expect("because there is room for one");
                }
            }
        },
    );
    let restarting = async {
        middle.recv().await;
        control_plane.restart_api_server().await
    };
    let (summary, restarted) = tokio::join!(restoring, restarting);
    let (Ok(summary), Ok(())) = (summary, restarted) else {
        panic!("the run or the restart failed");
    };
    let looked_at: Vec<_> = summary
        .outcomes
        .iter()
        .filter(|(_, outcome)| outcome.wants_a_look())
        .collect();
    assert!(looked_at.is_empty(), "{looked_at:?}");
    assert_eq!(
        outcomes(&summary)["Deployment/default/web"].readiness,
        Readiness::Current
    );
    control_plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_the_lease_stops_writing() {
    let control_plane = started().await;
    let cluster = connected(&control_plane).await;
    let (_keep, interrupts) = mpsc::channel(1);
    let (lost, mut lease) = mpsc::channel::<()>(1);
    let mut settled = 0;
    let stop = async {
        lease.recv().await;
        "another restore took the Lease".to_owned()
    };
    let summary = run(
        Arc::new(many(1_000)),
        &cluster,
        Options::default(),
        interrupts,
        stop,
        |event| {
            if matches!(event, Event::Settled { .. }) {
                settled += 1;
                if settled == 100 {
                    lost.try_send(()).expect("because there is room for one");
                }
            }
        },
    );
    let summary = match summary.await {
        Ok(summary) => summary,
        Err(failure) => panic!("{failure}"),
    };
    assert_eq!(summary.stopped.as_deref(), Some("another restore took the Lease"));
    let created = summary
        .outcomes
        .iter()
        .filter(|(_, outcome)| outcome.action == Action::Created)
        .count();
    assert!((100..200).contains(&created), "{created} created");
    control_plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_finishes_what_is_in_flight() {
    let control_plane = started().await;
    let cluster = connected(&control_plane).await;
    let (interrupt, interrupts) = mpsc::channel(2);
    let mut settled = 0;
    let summary = run(
        Arc::new(many(2_000)),
        &cluster,
        Options::default(),
        interrupts,
        pending(),
        |event| {
            if matches!(event, Event::Settled { .. }) {
                settled += 1;
                if settled == 200 {
                    interrupt.try_send(()).expect("because there is room for two");
                }
            }
        },
    );
    let summary = match summary.await {
        Ok(summary) => summary,
        Err(failure) => panic!("{failure}"),
    };
    assert!(summary.interrupted);
    let at = refloat::cluster::Endpoint::new(GroupKind::new("", "ConfigMap"), "v1", "configmaps", Scope::Namespaced);
    let live = cluster
        .list(&at, Some("default"))
        .await
        .expect("because the server runs");
    let live = live
        .iter()
        .filter(|map| map["metadata"]["name"] != "kube-root-ca.crt")
        .count();
    let created = summary
        .outcomes
        .iter()
        .filter(|(_, outcome)| outcome.action == Action::Created)
        .count();
    let skipped = SkipReason::Interrupted;
    let left = summary
        .outcomes
        .iter()
        .filter(|(_, outcome)| outcome.action == Action::Skipped(skipped.clone()));
    assert_eq!(
        (created, created + left.count()),
        (live, 2_000),
        "what is there is what was said to be made"
    );
    assert!((200..300).contains(&created), "{created} created");
    control_plane.stop().await;
}

/// Steps that delete these, if they still have these uids.
fn deletes(maps: &[(&str, &str)]) -> Plan {
    let mut draft = Draft::default();
    for (name, uid) in maps {
        let map = draft.apply(config_map(name), "configmaps");
        draft.0.steps[map.0 as usize].action = StepAction::Delete {
            uid: (*uid).to_owned(),
            revision: "0123456789ab".to_owned(),
        };
    }
    draft.0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_the_one_that_was_looked_at_and_gone_in_the_end() {
    let control_plane = started().await;
    let (cluster, api) = (connected(&control_plane).await, control_plane.api().clone());
    let maps = "/api/v1/namespaces/shop/configmaps";
    let made = async |name: &str, finalizers: Value| {
        let mut map = config_map(name);
        map["metadata"]["finalizers"] = finalizers;
        let made = api.create(maps, &map).await.expect("because the server runs");
        made.body["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
    };
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    assert!(
        api.create("/api/v1/namespaces", &shop)
            .await
            .is_ok_and(|made| made.is_success())
    );
    let held = json!(["example.com/hold"]);
    let (plain, held, freed) = (
        made("plain", json!([])).await,
        made("held", held.clone()).await,
        made("freed", held).await,
    );
    made("anew", json!([])).await;
    let options = Options {
        timeout: Duration::from_secs(8),
        ..Options::default()
    };
    let plan = deletes(&[
        ("plain", &plain),
        ("held", &held),
        ("freed", &freed),
        ("anew", "of-before"),
        ("none", "x"),
    ]);
    let free = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let form = "application/merge-patch+json";
        let patch = json!({"metadata": {"finalizers": null}});
        let freed = api.request("PATCH", &format!("{maps}/freed"), form, Some(&patch)).await;
        assert!(freed.is_ok_and(|freed| freed.is_success()));
    };
    let ((summary, events), ()) = tokio::join!(restored(plan, &cluster, options), free);
    let found = outcomes(&summary);
    for name in ["plain", "freed", "none"] {
        let found = found[&format!("ConfigMap/shop/{name}")];
        assert_eq!(
            (&found.action, &found.readiness),
            (&Action::Deleted, &Readiness::Current),
            "{name}"
        );
    }
    let told = events.iter().find_map(|event| match event {
        Event::Settled {
            step: NodeIndex(2), at, ..
        } => Some(*at),
        _ => None,
    });
    let told = told.expect("because it was freed");
    assert!(
        told < Duration::from_millis(5_700),
        "a watch tells that it is gone, after {told:?}"
    );
    let Readiness::TimedOut(why) = &found["ConfigMap/shop/held"].readiness else {
        panic!("{:?}", found["ConfigMap/shop/held"]);
    };
    assert!(why.contains("still there 8.0 s after its deletion"), "{why}");
    let Action::Failed(why) = &found["ConfigMap/shop/anew"].action else {
        panic!("{:?}", found["ConfigMap/shop/anew"]);
    };
    assert_eq!(
        why,
        "it was left: another object has its name now, which came after it was looked at"
    );
    let anew = api.get(&format!("{maps}/anew")).await.expect("because the server runs");
    assert!(anew.is_success());
    control_plane.stop().await;
}
