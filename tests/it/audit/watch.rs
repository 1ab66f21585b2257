//! A watching audit as users run it: what is done to a cluster is told at once, and nothing else is.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::BodyExt;
use kube::client::{Body, Client};
use refloat::control_plane::Options;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{root, send};
use crate::support::fault_proxy::{Act, Fault, FaultProxy, client};
use crate::support::plane::{Plane, fresh, fresh_with, wait};
use crate::support::repo::Repo;
use crate::support::run::{interrupt, refloat};
use crate::support::web::{Answer, Web};

/// What no output may hold.
const CANARIES: [&str; 2] = ["canary-not-a-secret", "Y2FuYXJ5LW5vdC1hLXNlY3JldC"];
/// What is done is to be told within this time, on a machine that has the time.
const PROMISE: Duration = Duration::from_secs(2);
/// It has the time where a change and a bare watch of it take no longer, as a rule; where they take twice as long, so may it.
const AT_EASE: Duration = Duration::from_millis(20);
/// Nothing takes longer, however much else the machine has to do.
const AT_MOST: Duration = Duration::from_secs(90);

/// What is listed while it watches, each for a reason of its own.
const MAY_BE_LISTED: [&str; 2] = ["horizontalpodautoscalers", "scaledobjects"];

/// Lines and when they came.
pub(super) type Lines = Arc<Mutex<Vec<(Instant, String)>>>;

/// A running `refloat audit --watch --output json`.
struct Watcher {
    child: Child,
    data: Lines,
    talk: Lines,
}

pub(super) fn collect(stream: impl std::io::Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((Instant::now(), line));
        }
    });
    lines
}

pub(super) fn read(lines: &Lines) -> Vec<(Instant, String)> {
    lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Watcher {
    /// Starts it, and waits until it watches.
    fn start(kubeconfig: &str, repo: &Repo, more: &[&str]) -> Self {
        let repo = repo.path().display().to_string();
        let args = [
            "audit",
            &repo,
            "--kubeconfig",
            kubeconfig,
            "--watch",
            "--output",
            "json",
        ];
        let mut child = refloat(args.iter().chain(more).copied()).start();
        let watcher = Self {
            data: collect(child.stdout.take().expect("because it is piped")),
            talk: collect(child.stderr.take().expect("because it is piped")),
            child,
        };
        watcher.until("it watches", |line| {
            line["event"] == "said" && line["text"].as_str().is_some_and(|text| text.starts_with("watching "))
        });
        watcher
    }

    fn lines(&self) -> Vec<(Instant, Value)> {
        let parsed = |(at, line): (Instant, String)| {
            let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            (at, line)
        };
        read(&self.data).into_iter().map(parsed).collect()
    }

    /// Waits for a line; gives when it came.
    fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let began = Instant::now();
        loop {
            if let Some(line) = self.lines().into_iter().find(|(_, line)| is_it(line)) {
                return line;
            }
            assert!(
                began.elapsed() < AT_MOST,
                "{what}: not told\n{:#?}\n{:#?}",
                read(&self.data),
                read(&self.talk)
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn divergence(&self, news: &str, object: &str) -> (Instant, Value) {
        self.until(&format!("{news} {object}"), |line| {
            line["event"] == "divergence" && line["news"] == news && name(&line["object"]) == object
        })
    }

    /// All that differed, as `news verdict object`, in the order in which it was told.
    fn divergences(&self) -> Vec<String> {
        let lines = self.lines().into_iter().map(|(_, line)| line);
        let told = lines.filter(|line| line["event"] == "divergence");
        told.map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", text("news"), text("verdict"), name(&line["object"]))
        })
        .collect()
    }

    /// Ends it with Ctrl-C; gives all that it wrote.
    fn end(mut self) -> (i32, String, String) {
        interrupt(&self.child);
        let status = self.child.wait().expect("because it was started");
        // The rest is on its way from one thread to another.
        std::thread::sleep(Duration::from_millis(200));
        let text = |lines: &Lines| read(lines).into_iter().map(|(_, line)| line + "\n").collect::<String>();
        (status.code().unwrap_or(-1), text(&self.data), text(&self.talk))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// A receiver that answers the first post so, and all others so.
fn receiver(first: u16, then: u16) -> Web {
    let first = AtomicU16::new(first);
    Web::start(move |_| Answer::status(first.swap(then, Ordering::Relaxed)))
}

/// Its address; what is secret in it says so.
fn url(webhook: &Web) -> String {
    format!("{}/hooks/canary-not-a-secret-hook", webhook.address)
}

fn posts(webhook: &Web) -> Vec<String> {
    webhook.asked().into_iter().map(|asked| asked.body).collect()
}

fn name(object: &Value) -> String {
    let text = |key: &str| object[key].as_str();
    let parts = [text("kind"), text("namespace"), text("name")];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
}

/// A change: method, path, form and body, and what is to be told of it.
struct Change {
    method: &'static str,
    path: &'static str,
    form: &'static str,
    body: Value,
    news: &'static str,
    object: &'static str,
}

fn changes() -> Vec<Change> {
    let change = |method, path, form, body, news, object| Change {
        method,
        path,
        form,
        body,
        news,
        object,
    };
    let make = |path, body, object| change("POST", path, "application/json", body, "new", object);
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.acme.example.com"},
        "spec": {"group": "acme.example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "contractor"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "contractor"}]});
    let image = |tag: &str| {
        let image = format!("registry.example.com/bank/card-gateway:{tag}");
        json!({"spec": {"template": {"spec": {"containers": [{"name": "gateway", "image": image}]}}}})
    };
    let gateway = "/apis/apps/v1/namespaces/payments/deployments/card-gateway?fieldManager=kubectl-set";
    vec![
        make(
            "/api/v1/namespaces/payments/configmaps?fieldManager=kubectl-create",
            config_map("by-hand"),
            "ConfigMap/payments/by-hand",
        ),
        change(
            "PATCH",
            gateway,
            STRATEGIC,
            image("hotfix"),
            "new",
            "Deployment/payments/card-gateway",
        ),
        change(
            "PATCH",
            "/api/v1/namespaces/payments/secrets/payments-credentials?fieldManager=kubectl-patch",
            MERGE,
            json!({"stringData": {"db-password": "canary-not-a-secret-live"}}),
            "new",
            "Secret/payments/payments-credentials",
        ),
        change(
            "PATCH",
            "/api/v1/namespaces/payments/secrets/payments-credentials?fieldManager=kubectl-patch",
            MERGE,
            json!({"stringData": {"db-password": "canary-not-a-secret-again"}}),
            "changed",
            "Secret/payments/payments-credentials",
        ),
        change(
            "DELETE",
            "/apis/networking.k8s.io/v1/namespaces/data/networkpolicies/bank-db",
            "",
            Value::Null,
            "new",
            "NetworkPolicy/data/bank-db",
        ),
        make(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            binding,
            "ClusterRoleBinding/contractor",
        ),
        make(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            definition,
            "CustomResourceDefinition/widgets.acme.example.com",
        ),
        make(
            "/apis/acme.example.com/v1/namespaces/monitoring/widgets",
            json!({"apiVersion": "acme.example.com/v1", "kind": "Widget", "metadata": {"name": "first"}}),
            "Widget/monitoring/first",
        ),
        change(
            "PATCH",
            "/apis/apps/v1/namespaces/mobile/deployments/web/scale?fieldManager=kubectl",
            MERGE,
            json!({"spec": {"replicas": 5}}),
            "new",
            "Deployment/mobile/web",
        ),
        change(
            "PATCH",
            "/api/v1/namespaces/payments?fieldManager=kubectl-label",
            MERGE,
            json!({"metadata": {"labels": {"team": "x"}}}),
            "new",
            "Namespace/payments",
        ),
        make(
            "/api/v1/namespaces/payments/secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "partner"}, "stringData": {"token": "canary-not-a-secret-made"}}),
            "Secret/payments/partner",
        ),
        change(
            "PATCH",
            gateway,
            STRATEGIC,
            image("hotfix-2"),
            "changed",
            "Deployment/payments/card-gateway",
        ),
        change(
            "DELETE",
            "/api/v1/namespaces/payments/secrets/partner",
            "",
            Value::Null,
            "resolved",
            "Secret/payments/partner",
        ),
        change(
            "PATCH",
            "/apis/apps/v1/namespaces/mobile/deployments/web/scale?fieldManager=kubectl",
            MERGE,
            json!({"spec": {"replicas": 2}}),
            "resolved",
            "Deployment/mobile/web",
        ),
    ]
}

impl Change {
    /// The list that the object is in, and its name.
    fn place(&self) -> (&str, &str) {
        let path = self.path.split('?').next().unwrap_or_default();
        match self.body["metadata"]["name"].as_str().filter(|_| self.method == "POST") {
            Some(name) => (path, name),
            None => {
                let object = path.strip_suffix("/scale").unwrap_or(path);
                object.rsplit_once('/').expect("because it is the path of an object")
            }
        }
    }
}

/// A watch that does nothing but wait for a change of an object: when it sees one. None of a kind that just came: of that
/// the server is asked nothing but what refloat asks, and the change itself.
fn watch_barely(client: &Client, change: &Change) -> Option<JoinHandle<Option<Instant>>> {
    let (list, name) = change.place();
    if list.starts_with("/apis/acme.example.com/") {
        return None;
    }
    let path = format!("{list}?watch=1&fieldSelector=metadata.name%3D{name}");
    let request = Request::get(path).body(Body::empty());
    let request = request.expect("because it is one");
    wait(async {
        let answer = client.send(request).await.expect("because the server runs");
        assert!(answer.status().is_success(), "{list} {name}");
        let mut body = answer.into_body();
        // What is there comes first.
        if change.method != "POST" {
            assert!(body.frame().await.is_some_and(|there| there.is_ok()), "{list} {name}");
        }
        Some(tokio::spawn(async move { body.frame().await.map(|_| Instant::now()) }))
    })
}

/// Sends it, for as long as the server does not know the kind yet: when it was sent and done.
fn act(plane: &Plane, change: &Change) -> (Instant, Instant) {
    let body = Some(&change.body).filter(|body| !body.is_null());
    let began = Instant::now();
    loop {
        let sent = Instant::now();
        let answer = wait(plane.api().request(change.method, change.path, change.form, body));
        let answer = answer.expect("because the server runs");
        if answer.is_success() {
            return (sent, Instant::now());
        }
        assert!(
            answer.status == 404 && began.elapsed() < AT_MOST,
            "{}: {}",
            change.object,
            answer.message()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_done_is_told_at_once_and_nothing_else() {
    let plane = fresh_with(Options {
        request_log: true,
        simulate: vec![root("fixtures/simulate/bank-operator.yaml")],
        ..Options::default()
    });
    let bank = Repo::of_folder(&root("fixtures/mobile-bank"));
    super::restore(&plane, bank.path(), &[]);
    let webhook = receiver(503, 204);
    let watcher = Watcher::start(&plane.kubeconfig(), &bank, &["--notify", &url(&webhook)]);
    let began = jiff::Timestamp::now();

    let mut expected = Vec::new();
    let (mut latencies, mut bare) = (Vec::new(), Vec::new());
    let client = wait(client(plane.kubeconfig().as_ref()));
    for change in changes() {
        let watched = watch_barely(&client, &change);
        let (sent, done) = act(&plane, &change);
        let (told, line) = watcher.divergence(change.news, change.object);
        latencies.push(told.saturating_duration_since(done));
        let seen = watched.and_then(|watched| wait(watched).expect("because it does not panic"));
        bare.extend(seen.map(|seen| seen - sent));
        expected.push(format!(
            "{} {} {}",
            change.news,
            line["verdict"].as_str().unwrap_or_default(),
            change.object
        ));
        assert_eq!(line["cause"], "cluster");
    }
    latencies.sort();
    #[expect(clippy::print_stderr, reason = "the distribution is worth knowing")]
    {
        eprintln!("told after {latencies:?}, seen after {bare:?}");
    }
    assert_eq!(bare.len(), latencies.len() - 1, "all but the kind that came");
    bare.sort();
    let slowness = bare[bare.len() / 2].div_duration_f64(AT_EASE).max(1.0);
    let granted = PROMISE.mul_f64(slowness);
    let longest = latencies.last().copied().unwrap_or_default();
    assert!(longest < granted, "told after {latencies:?}, seen after {bare:?}");
    assert_eq!(watcher.divergences(), expected);

    noise(&plane);
    merges(&plane, &bank, &watcher, &mut expected);
    // All that the noise came to is seen by now, since what came after it was told.
    assert_eq!(watcher.divergences(), expected);
    // It watches, and does not poll.
    assert_eq!(
        listed_since(&plane, began),
        ["widgets"],
        "a kind that came to be served"
    );

    notified(&webhook, &watcher, &expected);
    let (code, data, talk) = watcher.end();
    assert_eq!(code, 130, "{talk}");
    let last = data
        .lines()
        .last()
        .and_then(|line| serde_json::from_str::<Value>(line).ok());
    let last = last.expect("because every line is JSON");
    assert_eq!(last["event"], "stopped");
    assert_eq!(
        last["open"],
        json!({"drifted": 3, "missing": 2, "never-in-git": 3}),
        "{last}"
    );
    assert!(
        talk.contains(&format!("a notification to http://{} did not arrive", webhook.host())),
        "{talk}"
    );
    let posted: String = posts(&webhook).concat();
    for canary in CANARIES {
        for text in [&data, &talk, &posted] {
            assert!(!text.contains(canary), "{canary}");
        }
    }
    once(&plane, &bank);
}

/// The kinds that were listed since, but for what scales others, which comparing has to know.
fn listed_since(plane: &Plane, began: jiff::Timestamp) -> Vec<String> {
    let lists = plane.requests().into_iter().filter(|line| {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let since = text("requestReceivedTimestamp").parse::<jiff::Timestamp>();
        text("verb") == "list" && line["user"]["username"] == "refloat-admin" && since.is_ok_and(|time| time > began)
    });
    let kinds = lists.map(|line| line["objectRef"]["resource"].as_str().unwrap_or_default().to_owned());
    let mut kinds: Vec<String> = kinds.filter(|kind| !MAY_BE_LISTED.contains(&kind.as_str())).collect();
    kinds.dedup();
    kinds
}

/// What goes on in any cluster: a rollout's status, an autoscaler at work, pods that come and go, heartbeats.
fn noise(plane: &Plane) {
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader", "namespace": "payments"},
        "spec": {"holderIdentity": "a"}});
    let leases = "/apis/coordination.k8s.io/v1/namespaces/payments/leases";
    send(plane, "POST", leases, "application/json", &lease);
    for holder in ["b", "c", "d"] {
        let renewed = json!({"spec": {"holderIdentity": holder}});
        send(plane, "PATCH", &format!("{leases}/leader"), MERGE, &renewed);
    }
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "noise", "namespace": "payments"},
        "involvedObject": {"kind": "Pod", "namespace": "payments", "name": "x"}, "reason": "Noise", "message": "x"});
    send(
        plane,
        "POST",
        "/api/v1/namespaces/payments/events",
        "application/json",
        &event,
    );
    let scaled = "/apis/apps/v1/namespaces/payments/deployments/payments-api";
    let manager = "?fieldManager=kube-controller-manager";
    send(
        plane,
        "PATCH",
        &format!("{scaled}/scale{manager}"),
        MERGE,
        &json!({"spec": {"replicas": 5}}),
    );
    let condition = json!([{"type": "Progressing", "status": "True", "reason": "Noise", "message": "x"}]);
    send(
        plane,
        "PATCH",
        &format!("{scaled}/status{manager}"),
        MERGE,
        &json!({"status": {"conditions": condition}}),
    );
    let autoscaler = "/apis/autoscaling/v2/namespaces/payments/horizontalpodautoscalers/payments-api/status";
    let desired = json!({"status": {"currentReplicas": 5, "desiredReplicas": 5}});
    send(plane, "PATCH", &format!("{autoscaler}{manager}"), MERGE, &desired);
    // All pods of a namespace, made anew by their owners.
    let gone = wait(
        plane
            .api()
            .request("DELETE", "/api/v1/namespaces/mobile/pods", "", None),
    );
    assert!(gone.is_ok_and(|answer| answer.is_success()));
}

/// A commit that declares what was made by hand silences it; what is applied from a new commit is no finding.
fn merges(plane: &Plane, bank: &Repo, watcher: &Watcher, expected: &mut Vec<String>) {
    let file = |name: &str| format!("clusters/production/apps/payments/{name}.yaml");
    let declare = |name: &str| {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: payments}}\ndata: {{a: \"1\"}}\n"
        );
        bank.write(&file(name), &text);
        bank.commit(&format!("declare {name}"))
    };
    let apply = |name: &str| {
        let mut object = config_map(name);
        object["metadata"]["namespace"] = "payments".into();
        let path =
            format!("/api/v1/namespaces/payments/configmaps/{name}?fieldManager=kustomize-controller&force=true");
        send(plane, "PATCH", &path, "application/apply-patch+yaml", &object);
    };
    let commit = declare("merged");
    apply("merged");
    let is_compared = |line: &Value| line["event"] == "revision" && line["repository"]["commit"] == *commit;
    watcher.until("the new commit", is_compared);
    declare("by-hand");
    // So that the repository is asked now, and not when its time has come.
    let merged = "/api/v1/namespaces/payments/configmaps/merged";
    let gone = wait(plane.api().request("DELETE", merged, "", None));
    assert!(gone.is_ok_and(|answer| answer.is_success()));
    watcher.divergence("new", "ConfigMap/payments/merged");
    expected.push("new missing ConfigMap/payments/merged".to_owned());
    let (_, line) = watcher.divergence("resolved", "ConfigMap/payments/by-hand");
    assert_eq!((&line["now"], &line["cause"]), (&json!("in-sync"), &json!("revision")));
    expected.push("resolved never-in-git ConfigMap/payments/by-hand".to_owned());
}

/// All that was told was posted, too, in order, with what it is about; the first one twice, since it was refused at first.
fn notified(webhook: &Web, watcher: &Watcher, expected: &[String]) {
    let began = Instant::now();
    while posts(webhook).len() <= expected.len() {
        assert!(
            began.elapsed() < AT_MOST,
            "{:#?}\n{:#?}",
            posts(webhook),
            read(&watcher.talk)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let posts = posts(webhook);
    assert_eq!(posts[0], posts[1], "the first one was refused");
    let told = posts[1..].iter().map(|body| {
        let line: Value = serde_json::from_str(body).expect("because it is JSON");
        assert_eq!(line["version"], 1);
        assert_eq!(line["about"]["cluster"]["context"], "refloat-throwaway");
        assert!(line["about"]["repository"]["commit"].is_string());
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("news"), text("verdict"), name(&line["object"]))
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// Without `--watch` the audit itself is posted, if there is something to look at.
fn once(plane: &Plane, bank: &Repo) {
    let (kubeconfig, repo) = (plane.kubeconfig(), bank.path().display().to_string());
    let audit = |more: &[&str]| {
        let args = ["audit", &repo, "--kubeconfig", &kubeconfig];
        refloat(args.iter().chain(more).copied())
    };
    let webhook = receiver(204, 204);
    let quiet = audit(&["--notify", &url(&webhook), "--fail-on", "not-reached"]).run();
    assert_eq!((quiet.code, posts(&webhook).len()), (0, 0), "{}", quiet.stderr);
    let ran = audit(&[]).env("REFLOAT_NOTIFY", url(&webhook)).run();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let posts = posts(&webhook);
    let report: Value = serde_json::from_str(&posts[0]).expect("because it is JSON");
    assert_eq!(
        (
            posts.len(),
            &report["event"],
            report["findings"].as_array().map(Vec::len)
        ),
        (1, &json!("audit"), Some(8))
    );
    let refused = receiver(403, 403);
    let ran = audit(&["--notify", &url(&refused)]).run();
    assert_eq!(ran.code, 1);
    let expected = format!(
        "http://{} does not take a notification: it answered 403 Forbidden",
        refused.host()
    );
    assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
    assert!(ran.stderr.contains("Error: the findings were not posted") && ran.stdout.contains("Never in Git ("));
    for canary in CANARIES {
        assert!(
            !ran.stderr.contains(canary) && !posts[0].contains(canary),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_broken_connection_and_few_rights_are_no_reason_to_be_blind() {
    let plane = fresh();
    let shop = Repo::with(&[(
        "shop.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {a: \"1\"}\n",
    )]);
    super::restore(&plane, shop.path(), &[]);
    broken(&plane, &shop);
    lists_without_end(&plane, &shop);
    few_rights(&plane, &shop);
}

/// A page of a list that never ends; nothing is in it.
fn page(path: &str) -> Value {
    let before = path
        .split_once("continue=")
        .and_then(|(_, text)| text.split('&').next()?.parse::<u32>().ok());
    let next = before.unwrap_or_default() + 1;
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {"continue": next.to_string()}, "items": []})
}

/// A list that does not end, and one whose snapshot is always gone, are given up and said; the others are watched.
fn lists_without_end(plane: &Plane, shop: &Repo) {
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let through = folder.path().join("kubeconfig");
    std::fs::write(&through, proxy.kubeconfig()).expect("because the folder is ours");
    let gone = |path: &str| Fault::on("GET", path, Act::Status(410, "Expired", "that is too old", 0));
    let endless = || Fault::on("GET", "/api/v1/configmaps?limit=", Act::Instead(page));
    for (faults, reason) in [
        (vec![endless()], "the list does not end"),
        (vec![gone("continue="), endless()], "that is too old"),
    ] {
        proxy.set([]);
        let watcher = Watcher::start(&through.display().to_string(), shop, &[]);
        let lost = gone("/api/v1/configmaps?watch=1");
        proxy.set([vec![lost], faults].concat());
        proxy.cut();
        watcher.until("it is given up", |line| {
            let text = line["text"].as_str().unwrap_or_default();
            text.contains("watch configmaps") && text.contains(reason)
        });
        let asked = proxy.log().len();
        std::thread::sleep(Duration::from_secs(1));
        let more = proxy.log().len() - asked;
        assert!(more < 20, "{more} requests since");
        assert_eq!(watcher.end().0, 130);
    }
}

fn make(plane: &Plane, namespace: &str, name: &str) {
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    send(plane, "POST", &path, "application/json", &config_map(name));
}

/// The connections break, the server forgets where the watches were, and is away for a while.
fn broken(plane: &Plane, shop: &Repo) {
    let kubeconfig = std::path::PathBuf::from(plane.kubeconfig());
    let proxy = wait(FaultProxy::start(&kubeconfig));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let through = folder.path().join("kubeconfig");
    std::fs::write(&through, proxy.kubeconfig()).expect("because the folder is ours");
    let watcher = Watcher::start(&through.display().to_string(), shop, &[]);
    for (number, namespace) in ["shop", "default", "kube-system"].into_iter().enumerate() {
        proxy.cut();
        let name = format!("broken-{number}");
        make(plane, namespace, &name);
        watcher.divergence("new", &format!("ConfigMap/{namespace}/{name}"));
    }
    let gone = |act| Fault::on("GET", "watch=1", act);
    proxy.set([gone(Act::Status(410, "Expired", "too old resource version", 0)).times(100)]);
    proxy.cut();
    make(plane, "shop", "forgotten");
    let deleted = wait(
        plane
            .api()
            .request("DELETE", "/api/v1/namespaces/shop/configmaps/broken-0", "", None),
    );
    assert!(deleted.is_ok_and(|answer| answer.is_success()));
    watcher.divergence("new", "ConfigMap/shop/forgotten");
    watcher.divergence("resolved", "ConfigMap/shop/broken-0");
    // Away for long enough that people want to know.
    proxy.set([Fault::on("GET", "", Act::Drop)]);
    proxy.cut();
    make(plane, "shop", "unseen");
    let (_, warned) = watcher.until("it is cut off", |line| {
        line["event"] == "warned"
            && line["text"]
                .as_str()
                .is_some_and(|text| text.contains("is interrupted"))
    });
    assert!(
        warned["text"]
            .as_str()
            .is_some_and(|text| text.contains("the watch of ")),
        "{warned}"
    );
    proxy.set([]);
    watcher.divergence("new", "ConfigMap/shop/unseen");
    watcher.until("it is back", |line| {
        line["event"] == "said" && line["text"] == "all watches are back"
    });
    let (code, _, talk) = watcher.end();
    assert_eq!(code, 130, "{talk}");
}

/// A user who may read one namespace only, and ConfigMaps and namespaces at that, is told of those.
fn few_rights(plane: &Plane, shop: &Repo) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}]});
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    send(plane, "POST", &format!("{path}/roles"), "application/json", &role);
    send(
        plane,
        "POST",
        &format!("{path}/rolebindings"),
        "application/json",
        &binding,
    );
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let mut value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    value["users"][0]["user"]["as"] = "reader".into();
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, value.to_string()).expect("because the folder is ours");
    let watcher = Watcher::start(&file.display().to_string(), shop, &[]);
    make(plane, "default", "elsewhere");
    let changed = json!({"data": {"a": "2"}});
    send(plane, "PATCH", "/api/v1/namespaces/shop/configmaps/a", MERGE, &changed);
    let (_, line) = watcher.divergence("new", "ConfigMap/shop/a");
    assert_eq!(
        (&line["verdict"], &line["compared"]),
        (&json!("drifted"), &json!("offline"))
    );
    make(plane, "shop", "here");
    watcher.divergence("new", "ConfigMap/shop/here");
    let told = watcher.divergences();
    assert_eq!(
        told,
        ["new drifted ConfigMap/shop/a", "new never-in-git ConfigMap/shop/here"]
    );
    let (code, data, _) = watcher.end();
    let last = data
        .lines()
        .last()
        .and_then(|line| serde_json::from_str::<Value>(line).ok());
    let gaps = last.expect("because every line is JSON")["gaps"]
        .as_array()
        .map(Vec::len);
    assert_eq!(code, 130);
    assert!(gaps.is_some_and(|gaps| gaps > 30), "{gaps:?} kinds cannot be read");
}

#[test]
fn what_cannot_be_watched_is_refused_before_anything_is_asked() {
    let shop = Repo::with(&[("a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")]);
    let repo = shop.path().display().to_string();
    for format in ["sarif", "html"] {
        let ran = refloat(["audit", &repo, "--watch", "--output", format]).run();
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("--watch prints human or json"), "{}", ran.stderr);
    }
    let ran = refloat(["audit", &repo, "--notify", "ftp://me:canary@host/canary"]).run();
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
}
