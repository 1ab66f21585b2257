//! What an audit did not look into: a cluster that is not there, a list without end, a history that was bounded, names that are no proof.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::{Value, json};

use super::bad_input::{FORMATS, audit, found, gaps, kubeconfig_of, report, shop};
use super::send;
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::refloat;

const CREATE: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

#[test]
fn what_was_not_looked_into_is_said() {
    let plane = fresh();
    let shop = shop();
    super::restore(&plane, shop.path(), &[]);
    rights_by_hand(&plane, &shop);
    nobody_answers(&plane, &shop);
    no_credentials_any_more(&plane, &shop);
    a_list_without_end(&plane, &shop);
}

/// Rights under names that begin like those of the cluster's own.
fn rights_by_hand(plane: &Plane, shop: &Repo) {
    let make = |path: &str, kind: &str, name: &str, manager: &str, more: &Value| {
        let mut object =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}});
        for (key, value) in more.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        send(
            plane,
            "POST",
            &format!("{RBAC}/{path}?fieldManager={manager}"),
            CREATE,
            &object,
        );
    };
    let of = |kind: &str, name: &str| json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}});
    let rules = json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
    let system = "namespaces/kube-system";
    let hand = "kubectl-create";
    make(&format!("{system}/roles"), "Role", "system:evil", hand, &rules);
    make(
        &format!("{system}/rolebindings"),
        "RoleBinding",
        "kubeadm:evil",
        hand,
        &of("Role", "system:evil"),
    );
    make("clusterroles", "ClusterRole", "kubeadm:evil", hand, &rules);
    let admin = of("ClusterRole", "cluster-admin");
    make(
        "clusterrolebindings",
        "ClusterRoleBinding",
        "kubeadm:evil",
        hand,
        &admin,
    );
    // Under the very name, by a person; and by kubeadm, and changed by one since.
    make(
        "clusterrolebindings",
        "ClusterRoleBinding",
        "kubeadm:node-proxier",
        hand,
        &admin,
    );
    make(
        "clusterrolebindings",
        "ClusterRoleBinding",
        "kubeadm:get-nodes",
        "kubeadm",
        &of("ClusterRole", "kubeadm:get-nodes"),
    );
    make(
        "clusterrolebindings",
        "ClusterRoleBinding",
        "kubeadm:cluster-admins",
        "kubeadm",
        &admin,
    );
    let eve = json!({"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}]});
    let edited = format!("{RBAC}/clusterrolebindings/kubeadm:cluster-admins?fieldManager=kubectl-edit");
    send(plane, "PATCH", &edited, MERGE, &eve);
    let ran = audit(&plane.kubeconfig(), shop.path(), &["--output", "json"]);
    let mut told = found(&report(&ran));
    told.sort();
    let by_hand = [
        "ClusterRole/kubeadm:evil",
        "ClusterRoleBinding/kubeadm:cluster-admins",
        "ClusterRoleBinding/kubeadm:evil",
        "ClusterRoleBinding/kubeadm:node-proxier",
        "Role/system:evil",
        "RoleBinding/kubeadm:evil",
    ];
    assert_eq!(told, by_hand.map(|one| format!("never-in-git {one}")), "{}", ran.stderr);
    let all = [
        "kubeadm:evil",
        "kubeadm:cluster-admins",
        "kubeadm:node-proxier",
        "kubeadm:get-nodes",
    ];
    for name in all {
        send(
            plane,
            "DELETE",
            &format!("{RBAC}/clusterrolebindings/{name}"),
            "",
            &Value::Null,
        );
    }
    for path in [
        "clusterroles/kubeadm:evil".to_owned(),
        format!("{system}/roles/system:evil"),
        format!("{system}/rolebindings/kubeadm:evil"),
    ] {
        send(plane, "DELETE", &format!("{RBAC}/{path}"), "", &Value::Null);
    }
}

/// A kubeconfig that leads elsewhere.
fn leads_to(plane: &Plane, server: &str, folder: &std::path::Path) -> String {
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let mut value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    value["clusters"][0]["cluster"]["server"] = server.into();
    let file = folder.join("elsewhere");
    std::fs::write(&file, value.to_string()).expect("because the folder is ours");
    file.display().to_string()
}

/// No report in any format: an empty one would say that the cluster is clean.
fn nobody_answers(plane: &Plane, shop: &Repo) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("because loopback has free ports");
    let server = format!("https://{}", listener.local_addr().expect("because it is bound"));
    drop(listener);
    let away = leads_to(plane, &server, folder.path());
    let written = folder.path().join("report.html");
    for format in FORMATS {
        let more = ["--output", format, "--report", &written.display().to_string()];
        let ran = audit(&away, shop.path(), &more);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{format}: {}", ran.stderr);
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran.stderr.replace(&server, "ADDRESS"), @r#"
            Error: cluster "refloat-throwaway" could not be used
              because: context "refloat-throwaway" at ADDRESS: connection refused
              hint: is the cluster running, and is this its address?
            "#);
        }
        assert!(!written.exists(), "{format}");
    }
}

/// Credentials that are not taken, from the beginning or from the middle of it on.
fn no_credentials_any_more(plane: &Plane, shop: &Repo) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let expired = kubeconfig_of(plane, &json!({"token": "canary-of-last-year"}), folder.path());
    for format in FORMATS {
        let ran = audit(&expired, shop.path(), &["--output", format]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{format}: {}", ran.stderr);
        assert!(
            ran.stderr
                .contains("the server does not accept the credentials (401)\n  hint: they may have expired")
                && !ran.stderr.contains("canary"),
            "{format}: {}",
            ran.stderr
        );
    }
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let through = folder.path().join("through");
    std::fs::write(&through, proxy.kubeconfig()).expect("because the folder is ours");
    proxy.set([Fault::on(
        "GET",
        "limit=",
        Act::Status(401, "Unauthorized", "Unauthorized", 0),
    )]);
    let ran = audit(&through.display().to_string(), shop.path(), &["--output", "json"]);
    let told = report(&ran);
    assert_eq!(
        (ran.code, found(&told)),
        (3, Vec::new()),
        "nothing is taken for missing"
    );
    let gaps = gaps(&told);
    assert!(
        gaps.len() > 30
            && gaps.iter().any(|gap| gap.starts_with(
                "list configmaps: the server does not accept the credentials (401); they may have expired"
            )),
        "{gaps:#?}"
    );
}

/// A page of a list that never ends, with one object.
fn page(path: &str) -> Value {
    let before = path
        .split_once("continue=")
        .and_then(|(_, text)| text.split('&').next()?.parse::<u32>().ok());
    let number = before.unwrap_or_default() + 1;
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {"continue": number.to_string()},
        "items": [{"metadata": {"name": format!("n{number}"), "namespace": "shop", "uid": number.to_string()}}],
    })
}

/// The list of one kind has 10,000 pages and goes on: what was read of it is judged, and of the rest nothing is said.
fn a_list_without_end(plane: &Plane, shop: &Repo) {
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let through = folder.path().join("kubeconfig");
    std::fs::write(&through, proxy.kubeconfig()).expect("because the folder is ours");
    let through = through.display().to_string();
    proxy.set([Fault::on("GET", "/api/v1/configmaps?limit=", Act::Instead(page))]);
    let ran = audit(&through, shop.path(), &["--output", "json"]);
    let told = report(&ran);
    let reason = "list configmaps: the list does not end: 10000 objects were read of it, and more are there";
    assert_eq!((ran.code, gaps(&told)), (3, vec![reason.to_owned()]));
    let asked = proxy.log();
    let pages = asked
        .iter()
        .filter(|one| one.path.starts_with("/api/v1/configmaps?limit="));
    assert_eq!(pages.count(), 10_000);
    let found = found(&told);
    assert_eq!(found.len(), 10_000);
    assert!(found.iter().all(|one| one.starts_with("never-in-git ConfigMap/n")));
    assert_eq!(
        told["counts"]["not-compared"], 3,
        "the declared ones: {}",
        told["counts"]
    );
}

/// A repository of three revisions, of which the second does not declare any more what the first did.
fn grown() -> Repo {
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n");
    let repo = Repo::new();
    repo.write("shop.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    repo.write("kept.yaml", &map("kept"));
    repo.write("old.yaml", &map("old"));
    repo.git(&["add", "-A"]);
    repo.git_at("2026-01-01T00:00:00Z", &["commit", "-q", "-m", "declare"]);
    repo
}

#[test]
fn a_revision_before_the_date_is_not_looked_into() {
    let plane = fresh();
    let repo = grown();
    super::restore(&plane, repo.path(), &[]);
    let blob = repo.git(&["rev-parse", "HEAD:old.yaml"]).trim().to_owned();
    repo.git(&["rm", "-q", "old.yaml"]);
    repo.git_at("2026-01-03T00:00:00Z", &["commit", "-q", "-m", "drop the old one"]);
    repo.git_at(
        "2026-01-05T00:00:00Z",
        &["commit", "-q", "--allow-empty", "-m", "later"],
    );

    let audit = |more: &[&str]| {
        // Nothing is kept of an earlier one.
        let cache = tempfile::tempdir().expect("because a temporary folder can be made");
        let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
        let args = ["audit", &place, "--kubeconfig", &kubeconfig];
        let run = refloat(args.iter().chain(more).copied());
        run.env("XDG_CACHE_HOME", cache.path()).run()
    };
    let told = |since: &[&str]| {
        let since: Vec<&str> = since.iter().flat_map(|date| ["--history-since", date]).collect();
        let json = audit(&[&since[..], &["--output", "json"]].concat());
        let human = audit(&since);
        assert_eq!((json.code, human.code), (3, 3), "{}", human.stderr);
        let report = report(&json);
        let line = human.stdout.lines().find(|line| line.starts_with("History "));
        (
            found(&report),
            report["history"].clone(),
            line.unwrap_or_default().to_owned(),
        )
    };
    let (removed, never) = ("removed-from-git ConfigMap/old", "never-in-git ConfigMap/old");
    let (findings, history, line) = told(&[]);
    assert_eq!(
        (&*findings, &*line),
        (&[removed.to_owned()][..], "History     3 commits")
    );
    assert_eq!((&history["commits"], &history["incomplete"]), (&json!(3), &Value::Null));

    // Without what the first revision had: whoever looks into it misses it.
    let (folder, file) = blob.split_at(2);
    std::fs::remove_file(repo.path().join(".git/objects").join(folder).join(file)).expect("because it is loose");
    for (date, commits, shown) in [("2026-01-02", 2, "2 commits"), ("2026-01-04", 1, "1 commit")] {
        let (findings, history, line) = told(&[date]);
        let said = format!("history before {date} was not read, as asked for");
        assert_eq!(findings, [never], "{date}");
        assert_eq!(line, format!("History     {shown}; {said}"));
        assert_eq!(
            (&history["commits"], &history["incomplete"]),
            (&json!(commits), &json!(said))
        );
        assert_eq!(history["skipped"], json!({}), "{date}");
    }
    let (findings, history, line) = told(&[]);
    assert_eq!((findings, &history["commits"]), (vec![never.to_owned()], &json!(3)));
    assert_eq!(line, "History     3 commits; 1 file not read: 1 not in this clone");
    let wrong = audit(&["--history-since", "yesterday"]);
    assert!(
        wrong.code == 2 && wrong.stderr.contains("yesterday"),
        "{}",
        wrong.stderr
    );
}
