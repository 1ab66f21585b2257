//! Every object of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use refloat::cluster::{Cluster, ConnectOptions, LiveOptions};
use refloat::object::{GroupKind, LiveSet, ObjectId};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{connect_as, send};
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};

fn live(cluster: &Cluster, options: &LiveOptions) -> LiveSet {
    let set = wait(cluster.live(options)).expect("because the core group answers");
    assert!(
        !format!("{set:?}").contains("canary"),
        "because Secret values stay where they are"
    );
    set
}

fn connect(kubeconfig_text: String) -> Cluster {
    let options = ConnectOptions {
        kubeconfig_text: Some(kubeconfig_text),
        ..ConnectOptions::default()
    };
    wait(Cluster::connect(options)).unwrap_or_else(|failure| panic!("{failure}"))
}

fn create(plane: &Plane, path: &str, object: &Value) -> Value {
    send(plane, "POST", path, "application/json", object)
}

fn names(set: &LiveSet, kind: &str) -> BTreeSet<String> {
    let of_kind = set.objects.keys().filter(|id| id.kind == kind);
    of_kind.map(ObjectId::with_group).collect()
}

/// A namespace with Secrets, an Event, and more ConfigMaps than two pages hold.
fn fill(plane: &Plane) {
    create(plane, "/api/v1/namespaces", &json!({"metadata": {"name": "shop"}}));
    let namespace = "/api/v1/namespaces/shop";
    for (name, kind) in [("sh.helm.release.v1.web.v1", "helm.sh/release.v1"), ("db", "Opaque")] {
        let memory = json!({"kubectl.kubernetes.io/last-applied-configuration": "canary", "note": "kept"});
        let secret = json!({"metadata": {"name": name, "annotations": memory}, "type": kind, "stringData": {"release": "canary"}});
        create(plane, &format!("{namespace}/secrets?fieldManager=helm"), &secret);
    }
    let about = json!({"kind": "Namespace", "name": "shop", "namespace": "shop"});
    let event =
        json!({"metadata": {"name": "e"}, "involvedObject": about, "reason": "Made", "message": "m", "type": "Normal"});
    create(plane, &format!("{namespace}/events"), &event);
    let api = plane.api();
    wait(async {
        for batch in (0..2600).collect::<Vec<_>>().chunks(50) {
            let made = batch.iter().map(|number| {
                let map = json!({"metadata": {"name": format!("m{number:04}")}});
                let (api, path) = (api.clone(), format!("{namespace}/configmaps"));
                async move { api.create(&path, &map).await.is_ok_and(|answer| answer.is_success()) }
            });
            assert!(futures::future::join_all(made).await.into_iter().all(|made| made));
        }
    });
}

#[test]
fn everything_is_listed_once_and_what_is_not_is_a_gap() {
    let plane = fresh();
    fill(&plane);
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let cluster = connect(proxy.kubeconfig());
    proxy.clear_log();
    let set = live(&cluster, &LiveOptions::default());
    whole(&set, &proxy);
    eight_at_a_time(&cluster, &proxy);
    expired(&cluster, &proxy);
    odd_servers(&cluster, &proxy);
    denied(&plane);
    a_page_that_is_full(&plane, &cluster, &proxy);
    broken(&plane);
    managers(&plane.connect());
}

fn whole(set: &LiveSet, proxy: &FaultProxy) {
    assert_eq!(set.gaps, []);
    let has = |group: &str, kind: &str| set.listed.contains(&GroupKind::new(group, kind));
    assert!(has("", "Namespace") && has("apps", "Deployment") && has("rbac.authorization.k8s.io", "ClusterRole"));
    assert!(!has("", "Binding") && !has("autoscaling", "Scale") && !has("", "ComponentStatus"));
    assert!(has("", "Event") && !has("events.k8s.io", "Event"));
    // The server has events of its own under load.
    let events = names(set, "Event");
    let once = events.iter().all(|event| event.starts_with("Event/"));
    assert!(once && events.contains("Event/shop/e"), "{events:?}");
    assert_eq!(
        set.objects
            .keys()
            .filter(|id| id.name.starts_with('m') && id.kind == "ConfigMap")
            .count(),
        2600
    );
    assert!(names(set, "ClusterRole").contains("ClusterRole.rbac.authorization.k8s.io/cluster-admin"));
    let mut uids: Vec<&str> = set.objects.values().map(|object| &*object.uid).collect();
    uids.sort_unstable();
    let count = uids.len();
    uids.dedup();
    assert_eq!(uids.len(), count, "because no object is there twice");

    let secret = |name: &str| &set.objects[&ObjectId::new("", "Secret", Some("shop"), name)];
    assert_eq!(secret("sh.helm.release.v1.web.v1").secret_type, "helm.sh/release.v1");
    let db = secret("db");
    assert_eq!((&*db.secret_type, db.last_applied), ("Opaque", true));
    assert_eq!(
        db.annotations.iter().collect::<Vec<_>>(),
        [(&"note".to_owned(), &"kept".to_owned())]
    );
    assert_eq!((&*db.managers[0].name, &*db.managers[0].operation), ("helm", "Update"));
    assert!(!db.managers[0].time.is_empty() && !db.created.is_empty() && !db.terminating);

    // One request for each kind, and one for the second page; discovery and nothing else.
    let log = proxy.log();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for request in &log {
        assert_eq!((&*request.method, request.status), ("GET", Some(200)), "{request:?}");
        *count
            .entry(request.path.split('?').next().unwrap_or_default())
            .or_default() += 1;
    }
    assert_eq!(count["/api/v1/configmaps"], 2);
    assert_eq!(count["/api/v1/secrets"], 1);
    assert_eq!(count.len(), set.listed.len() + 2);
    assert_eq!(log.len(), set.listed.len() + 1 + 2);
}

fn eight_at_a_time(cluster: &Cluster, proxy: &FaultProxy) {
    let answered_after = Duration::from_millis(400);
    proxy.clear_log();
    proxy.delay(answered_after);
    live(cluster, &LiveOptions::default());
    proxy.delay(Duration::ZERO);
    let log = proxy.log();
    let lists = log.iter().filter(|request| request.path.contains("limit="));
    let came: Vec<Duration> = lists.map(|request| request.at).collect();
    assert!(came[7] - came[0] < answered_after, "{came:?}");
    assert!(came[8] - came[0] >= answered_after, "{came:?}");
}

/// A list that ends where a page does.
fn a_page_that_is_full(plane: &Plane, cluster: &Cluster, proxy: &FaultProxy) {
    const PAGE: usize = 2500;
    let maps = names(&live(cluster, &LiveOptions::default()), "ConfigMap").len();
    for number in PAGE..maps {
        let path = format!("/api/v1/namespaces/shop/configmaps/m{:04}", number - PAGE);
        send(plane, "DELETE", &path, "", &Value::Null);
    }
    proxy.clear_log();
    let set = live(cluster, &LiveOptions::default());
    assert_eq!((set.gaps.len(), names(&set, "ConfigMap").len()), (0, PAGE));
    let log = proxy.log();
    let pages = log
        .iter()
        .filter(|request| request.path.starts_with("/api/v1/configmaps?"));
    assert_eq!(pages.count(), 1);
}

/// Pages whose snapshot is gone are read anew, and not for ever.
fn expired(cluster: &Cluster, proxy: &FaultProxy) {
    let gone = |times| {
        Fault::on(
            "GET",
            "continue=",
            Act::Status(410, "Expired", "the continue token is too old", 0),
        )
        .times(times)
    };
    proxy.set([gone(2)]);
    let set = live(cluster, &LiveOptions::default());
    assert_eq!(set.gaps, []);
    assert_eq!(
        set.objects
            .keys()
            .filter(|id| id.name.starts_with('m') && id.kind == "ConfigMap")
            .count(),
        2600
    );
    proxy.set([gone(usize::MAX)]);
    let set = live(cluster, &LiveOptions::default());
    assert_eq!(set.gaps.len(), 1);
    assert_eq!(
        (&*set.gaps[0].what, &*set.gaps[0].reason),
        ("list configmaps", "the continue token is too old")
    );
    assert!(!set.listed.contains(&GroupKind::new("", "ConfigMap")));
    proxy.set([]);
}

/// Servers that make no tables, and those that answer with whole objects whatever they are asked for.
fn odd_servers(cluster: &Cluster, proxy: &FaultProxy) {
    proxy.set([Fault::on(
        "GET",
        "/secrets?",
        Act::Status(406, "NotAcceptable", "no tables here", 0),
    )
    .times(1)]);
    let set = live(cluster, &LiveOptions::default());
    assert_eq!((set.gaps.len(), names(&set, "Secret").len()), (0, 2));
    proxy.set([]);
    proxy.ignore_accept(true);
    let set = live(cluster, &LiveOptions::default());
    let db = &set.objects[&ObjectId::new("", "Secret", Some("shop"), "db")];
    assert_eq!((&*db.secret_type, db.annotations.len()), ("Opaque", 1));
    proxy.ignore_accept(false);
}

/// A user who may list ConfigMaps of one namespace.
fn denied(plane: &Plane) {
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    let role = json!({"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]});
    let binding = json!({"metadata": {"name": "r"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "limited"}]});
    create(plane, &format!("{rbac}/roles"), &role);
    create(plane, &format!("{rbac}/rolebindings"), &binding);
    let limited = connect_as(plane, "limited");
    let set = live(&limited, &LiveOptions::default());
    assert!(set.objects.is_empty() && set.listed.is_empty(), "{:?}", set.listed);
    assert!(
        set.gaps
            .iter()
            .any(|gap| gap.what == "list deployments.apps" && gap.reason.contains("cannot list"))
    );
    let options = LiveOptions {
        namespaces: BTreeSet::from(["shop".to_owned()]),
    };
    // The new right takes the server a moment.
    let mut set = live(&limited, &options);
    for _ in 0..50 {
        if !set.objects.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        set = live(&limited, &options);
    }
    assert_eq!(set.objects.len(), 2601, "because kube-root-ca.crt is there too");
    assert!(set.gaps.iter().any(|gap| gap.what == "list configmaps outside of shop"));
    assert!(set.gaps.iter().any(|gap| gap.what == "list secrets in shop"));
    let whole = (GroupKind::new("", "ConfigMap"), "shop".to_owned());
    assert_eq!(set.listed_within, BTreeSet::from([whole]));
    assert!(set.listed.is_empty());
}

fn broken(plane: &Plane) {
    let spec = json!({"group": "broken.refloat.test", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 10,
        "insecureSkipTLSVerify": true, "service": {"name": "nobody", "namespace": "default"}});
    let service = json!({"metadata": {"name": "v1.broken.refloat.test"}, "spec": spec});
    create(plane, "/apis/apiregistration.k8s.io/v1/apiservices", &service);
    let cluster = plane.connect();
    let gap = |set: &LiveSet| {
        set.gaps
            .iter()
            .any(|gap| gap.what == "API group broken.refloat.test/v1" && !gap.reason.is_empty())
    };
    let mut set = live(&cluster, &LiveOptions::default());
    for _ in 0..100 {
        if gap(&set) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        set = live(&cluster, &LiveOptions::default());
    }
    assert!(gap(&set), "{:?}", set.gaps);
    assert!(names(&set, "APIService").contains("APIService.apiregistration.k8s.io/v1.broken.refloat.test"));
    assert!(set.objects.len() > 1200, "because nothing else is hidden");
}

fn managers(cluster: &Cluster) {
    let id = ObjectId::new("", "Secret", Some("shop"), "db");
    let ids = [
        id.clone(),
        ObjectId::new("", "Secret", Some("shop"), "gone"),
        ObjectId::new("x", "Y", None, "z"),
    ];
    let (objects, gaps) = wait(cluster.with_managers(ids)).expect("because the core group answers");
    assert_eq!((objects.len(), gaps.len()), (1, 0));
    let fields = objects[&id].managers[0]
        .fields
        .as_ref()
        .expect("because they were asked for");
    assert_eq!(fields["f:data"]["f:release"], json!({}));
    assert!(!format!("{objects:?}").contains("canary"));
}

/// A server of one kind whose list never ends.
async fn endless(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let answer = match path {
        "/version" => json!({"major": "1", "minor": "37"}),
        "/api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
        "/apis" => json!({"kind": "APIGroupList", "groups": []}),
        "/api/v1" => {
            json!({"resources": [{"name": "things", "kind": "Thing", "namespaced": false, "verbs": ["list", "delete"]}]})
        }
        _ => {
            let query = request.uri().query().unwrap_or_default();
            let next: u32 = query
                .rsplit('=')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or_default();
            let next = if query.contains("continue") { next + 1 } else { 1 };
            json!({"metadata": {"continue": next.to_string()}, "items": [{"metadata": {"name": format!("n{next}"), "uid": next.to_string()}}]})
        }
    };
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}

#[test]
fn a_list_without_end_is_a_gap() {
    let address = wait(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("because loopback is there");
        let address = listener.local_addr().expect("because it is bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(endless)));
            }
        });
        address
    });
    let kubeconfig = json!({"clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}], "current-context": "c"});
    let set = live(&connect(kubeconfig.to_string()), &LiveOptions::default());
    assert_eq!(set.objects.len(), 10_000);
    assert!(set.listed.is_empty());
    assert_eq!(set.gaps.len(), 1);
    assert_eq!(
        (&*set.gaps[0].what, &*set.gaps[0].reason),
        (
            "list things",
            "the list does not end: 10000 objects were read of it, and more are there"
        )
    );
}
