//! Values of Secrets come out of nothing: no output or report of any format, no proposal, no notification, no cache.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::send;
use super::watch::{collect, read};
use crate::support::fault_proxy::FaultProxy;
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, interrupt, refloat};
use crate::support::web::{Answer, Web};

/// How all values of Secrets begin here, as they are and as the API has them.
const CANARIES: [&str; 2] = ["canary-not-a-secret", "Y2FuYXJ5LW5vdC1hLXNlY3JldC"];
const NAMESPACE: &str = "/api/v1/namespaces/shop";

fn secret(name: &str, rest: &str) -> String {
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shop}}\n{rest}\n")
}

/// Secrets in every state: with other values before, valid and not, and one that is in no file any more.
fn shop() -> Repo {
    let repo = Repo::new();
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let db = |value: &str| secret("db", &format!("stringData: {{password: canary-not-a-secret-{value}}}"));
    repo.write("shop.yaml", &[namespace, &db("before")].concat());
    repo.write(
        "dropped.yaml",
        &secret("dropped", "stringData: {a: canary-not-a-secret-dropped}"),
    );
    repo.commit("begin");
    let declared = [
        namespace.to_owned(),
        db("declared"),
        secret("frozen", "stringData: {a: canary-not-a-secret-frozen}"),
        secret("gone", "stringData: {a: canary-not-a-secret-gone}"),
        // What the server says of these two would quote them.
        secret("undecoded", "data: {a: canary-not-a-secret-undecoded}"),
        secret(
            "docker",
            "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: canary-not-a-secret-docker}",
        ),
        secret(
            "applied",
            "stringData: {a: canary-not-a-secret-applied}",
        )
        .replace(
            "namespace: shop",
            "namespace: shop, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"data\":{\"a\":\"canary-not-a-secret-memory\"}}'}",
        ),
    ];
    repo.write("shop.yaml", &declared.concat());
    repo.commit("another password");
    repo
}

/// What people do: other values, more values, some that the server then refuses to compare, memories of `kubectl apply`.
fn by_hand(plane: &Plane) {
    let memory = |value: &str| {
        let text = json!({"data": {"a": value}, "stringData": {"a": "canary-not-a-secret-memory"}}).to_string();
        json!({"kubectl.kubernetes.io/last-applied-configuration": text})
    };
    let merge = |name: &str, body: &Value| {
        let path = format!("{NAMESPACE}/secrets/{name}?fieldManager=kubectl-edit");
        send(plane, "PATCH", &path, "application/merge-patch+json", body);
    };
    let make = |name: &str, body: &Value| {
        let mut body = body.clone();
        body["metadata"]["name"] = name.into();
        let path = format!("{NAMESPACE}/secrets?fieldManager=kubectl-client-side-apply");
        send(plane, "POST", &path, "application/json", &body);
    };
    merge(
        "db",
        &json!({"metadata": {"annotations": memory("Y2FuYXJ5LW5vdC1hLXNlY3JldC1tZW1vcnk=")},
            "stringData": {"password": "canary-not-a-secret-live", "more": "canary-not-a-secret-added"}}),
    );
    merge(
        "frozen",
        &json!({"immutable": true, "stringData": {"a": "canary-not-a-secret-thawed"}}),
    );
    merge("applied", &json!({"data": null}));
    let gone = wait(
        plane
            .api()
            .request("DELETE", &format!("{NAMESPACE}/secrets/gone"), "", None),
    );
    assert!(gone.is_ok_and(|answer| answer.is_success()));
    make(
        "undecoded",
        &json!({"stringData": {"a": "canary-not-a-secret-by-hand"}}),
    );
    let docker = json!({"auths": {"r": {"auth": "canary-not-a-secret-by-hand"}}}).to_string();
    make(
        "docker",
        &json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": docker}}),
    );
    make(
        "partner",
        &json!({"metadata": {"annotations": memory("canary-not-a-secret-partner")}, "stringData": {"a": "canary-not-a-secret-partner"}}),
    );
    let labels = json!({"owner": "helm", "name": "web", "status": "deployed", "version": "1"});
    make(
        "sh.helm.release.v1.web.v1",
        &json!({"metadata": {"labels": labels}, "type": "helm.sh/release.v1", "stringData": {"release": "canary-not-a-secret-release"}}),
    );
}

/// An audit log of a level that holds bodies.
fn log() -> String {
    let body = json!({"kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "stringData": {"password": "canary-not-a-secret-live"}});
    let event = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "stage": "ResponseComplete",
        "requestURI": format!("{NAMESPACE}/secrets/db"), "verb": "patch", "user": {"username": "alice"}, "sourceIPs": ["10.1.2.3"],
        "objectRef": {"resource": "secrets", "namespace": "shop", "name": "db", "apiVersion": "v1"}, "responseStatus": {"code": 200},
        "requestObject": body, "responseObject": body, "requestReceivedTimestamp": "2026-01-02T03:04:05.000000Z"});
    // The second one is cut off in the middle of a value.
    let line = event.to_string();
    let cut = line.rfind("-live").expect("because it is in the body");
    format!("{line}\n{}", &line[..cut])
}

/// All that came out, each with what it came from.
struct Told {
    texts: Vec<(String, String)>,
    /// The folder of caches, and of reports.
    folder: tempfile::TempDir,
}

impl Told {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&mut self, args: &[&str]) -> Ran {
        let ran = refloat(args.iter().copied())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .run();
        self.texts.push((format!("{args:?}, stdout"), ran.stdout.clone()));
        self.texts.push((format!("{args:?}, stderr"), ran.stderr.clone()));
        ran
    }

    /// Files of the folder, caches included.
    fn files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("because it is there") {
            let path = entry.expect("because it was just listed").path();
            if path.is_dir() {
                self.files(&path);
            } else {
                let bytes = std::fs::read(&path).expect("because the folder is ours");
                self.texts
                    .push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
}

#[test]
fn values_of_secrets_come_out_of_nothing() {
    let plane = fresh();
    let shop = shop();
    // The one that is no longer declared is live all the same.
    shop.git(&["checkout", "-q", "HEAD~1"]);
    super::restore(&plane, shop.path(), &[]);
    shop.git(&["checkout", "-q", "main"]);
    super::restore(&plane, shop.path(), &["."]);
    shop.git(&["rm", "-q", "dropped.yaml"]);
    shop.commit("drop one");
    by_hand(&plane);

    let mut told = Told {
        texts: Vec::new(),
        folder: tempfile::tempdir().expect("because a temporary folder can be made"),
    };
    let (kubeconfig, repo) = (plane.kubeconfig(), shop.path().display().to_string());
    let logged = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    std::fs::write(logged.path(), log()).expect("because the file is ours");
    let logged = logged.path().display().to_string();
    let base = ["audit", &*repo, "--kubeconfig", &*kubeconfig];
    audits(&mut told, &base, &logged);
    history(&mut told, &repo);
    only_declared_ones_are_asked_for(&mut told, &repo, &plane);
    watching(&mut told, &base, &plane);

    let folder = told.folder.path().to_owned();
    told.files(&folder);
    assert!(
        told.texts.iter().any(|(from, _)| from.contains("/cache/")),
        "something is cached"
    );
    for (from, text) in &told.texts {
        for canary in CANARIES {
            let found: Vec<&str> = text.lines().filter(|line| line.contains(canary)).collect();
            assert!(found.is_empty(), "{from}: {found:#?}");
        }
    }
}

/// Audits in every format, to every place.
fn audits(told: &mut Told, base: &[&str], log: &str) {
    let with = |more: &[&str]| -> Vec<String> { base.iter().chain(more).map(ToString::to_string).collect() };
    let run = |told: &mut Told, more: &[&str]| {
        let args = with(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        told.run(&args)
    };
    for way in [&["--audit-log", log][..], &["--no-dry-run"]] {
        for format in ["human", "json", "sarif", "html"] {
            let report = told.path(&format!("report-{}.{format}", way[0]));
            let ran = run(told, &[&["--output", format, "--report", &report], way].concat());
            assert_eq!(ran.code, 3, "{}", ran.stderr);
            if format == "json" {
                findings(&ran.stdout);
            } else {
                assert!(
                    ran.stdout.contains(".data.password") && ran.stdout.contains("partner"),
                    "{}",
                    ran.stdout
                );
            }
        }
    }
    let webhook = Web::start(|_| Answer::status(204));
    let url = format!("{}/canary-not-a-secret-in-the-address", webhook.address);
    let proposal = told.path("proposal");
    let ran = run(told, &["--notify", &url, "--write-ignore", &proposal]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let posts: Vec<String> = webhook.asked().into_iter().map(|asked| asked.body).collect();
    assert!(posts.len() == 1 && posts[0].contains(".data.password"), "{posts:?}");
    told.texts
        .extend(posts.into_iter().map(|post| ("the webhook".to_owned(), post)));
}

/// Of Secrets that are not declared no request asks for more than names and metadata: their values never leave the server.
fn only_declared_ones_are_asked_for(told: &mut Told, repo: &str, plane: &Plane) {
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let kubeconfig = told.path("kubeconfig");
    std::fs::write(&kubeconfig, proxy.kubeconfig()).expect("because the folder is ours");
    let ran = told.run(&["audit", repo, "--kubeconfig", &kubeconfig, "--output", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    findings(&ran.stdout);
    let is_metadata = |form: &str| form.contains(";as=Table;") || form.contains(";as=PartialObjectMetadata");
    let mut whole = BTreeSet::new();
    let mut lists = 0;
    for asked in proxy.log() {
        let path = asked.path.split('?').next().unwrap_or_default();
        let name = match path.split_once("/secrets") {
            Some((_, name)) => name.trim_start_matches('/').to_owned(),
            None => continue,
        };
        lists += usize::from(name.is_empty());
        if !asked.accept.split(',').all(is_metadata) {
            whole.insert(name);
        }
    }
    assert!(lists > 0, "Secrets are listed");
    let declared = ["applied", "db", "docker", "frozen", "gone", "undecoded"].map(str::to_owned);
    assert_eq!(whole, BTreeSet::from(declared));
}

/// Each Secret is found with its verdict: what is asked for above is not asked of nothing.
fn findings(report: &str) {
    let report: Value = serde_json::from_str(report).expect("because it is JSON");
    let found = report["findings"].as_array().expect("because a report lists them");
    let found = found.iter().map(|one| {
        let paths = one["fields"].as_array().into_iter().flatten();
        let paths: Vec<&str> = paths.filter_map(|field| field["path"].as_str()).collect();
        format!(
            "{} {} {}",
            one["verdict"].as_str().unwrap_or_default(),
            one["object"]["name"].as_str().unwrap_or_default(),
            paths.join(" ")
        )
    });
    let mut found: Vec<String> = found.collect();
    found.sort();
    assert_eq!(
        found,
        [
            "drifted applied .data",
            "drifted db .data.more .data.password",
            "drifted docker .data[.dockerconfigjson]",
            "drifted frozen .data.a .immutable",
            "drifted undecoded .data.a",
            "missing gone ",
            "never-in-git partner ",
            "never-in-git sh.helm.release.v1.web.v1 ",
            "removed-from-git dropped ",
        ]
    );
}

fn history(told: &mut Told, repo: &str) {
    for more in [
        &[][..],
        &["Secret/shop/db"],
        &["Secret/shop/db", "--output", "json"],
        &["--output", "json"],
        &["--render", "2"],
        &["--path", "shop.yaml"],
    ] {
        let ran = told.run(&[&["history", repo], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("db") || more.is_empty(), "{}", ran.stdout);
    }
}

/// A watching audit for people; that for programs is in `watch.rs`.
fn watching(told: &mut Told, base: &[&str], plane: &Plane) {
    let args = base.iter().copied().chain(["--watch"]);
    let mut child = refloat(args).env("XDG_CACHE_HOME", told.path("cache")).start();
    let data = collect(child.stdout.take().expect("because it is piped"));
    let talk = collect(child.stderr.take().expect("because it is piped"));
    let until = |lines, what: &str| {
        let began = Instant::now();
        while !read(lines).iter().any(|(_, line)| line.contains(what)) {
            assert!(began.elapsed() < Duration::from_secs(90), "{what}: {:#?}", read(lines));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until(&talk, "watching ");
    let again = json!({"stringData": {"password": "canary-not-a-secret-again"}});
    let path = format!("{NAMESPACE}/secrets/db?fieldManager=kubectl-edit");
    send(plane, "PATCH", &path, "application/merge-patch+json", &again);
    let late = json!({"metadata": {"name": "late"}, "stringData": {"a": "canary-not-a-secret-late"}});
    send(
        plane,
        "POST",
        &format!("{NAMESPACE}/secrets"),
        "application/json",
        &late,
    );
    until(&data, "Never in Git: Secret/shop/late");
    interrupt(&child);
    let ended = child.wait().expect("because it was started");
    assert_eq!(ended.code(), Some(130));
    for (name, lines) in [("stdout", data), ("stderr", talk)] {
        let text = read(&lines).into_iter().map(|(_, line)| line + "\n").collect();
        told.texts.push((format!("a watching audit, {name}"), text));
    }
}
