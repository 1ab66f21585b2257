//! What goes wrong around an audit is said, and is neither taken for a finding nor for a clean cluster.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::send;
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

pub(super) const FORMATS: [&str; 4] = ["human", "json", "sarif", "html"];
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";
const MAPS: &str = "/api/v1/namespaces/shop/configmaps";

/// What is declared; `zz` comes last in every list.
pub(super) fn shop() -> Repo {
    let maps: String = ["a", "b", "zz"]
        .iter()
        .map(|name| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: \"1\"}}\n"))
        .collect();
    let account = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: shop}\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    Repo::with(&[("shop.yaml", &format!("{namespace}{maps}{account}"))])
}

pub(super) fn audit(kubeconfig: &str, repo: &Path, more: &[&str]) -> Ran {
    let repo = repo.display().to_string();
    let args = ["audit", &repo, "--kubeconfig", kubeconfig];
    refloat(args.iter().chain(more).copied()).run()
}

pub(super) fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

/// `verdict kind/name` of every finding.
pub(super) fn found(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("because a report lists them");
    let one = |finding: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &finding["object"];
        format!(
            "{} {}/{}",
            text(&finding["verdict"]),
            text(&object["kind"]),
            text(&object["name"])
        )
    };
    findings.iter().map(one).collect()
}

pub(super) fn gaps(report: &Value) -> Vec<String> {
    let gaps = report["gaps"].as_array().expect("because a report lists them");
    let text = |gap: &Value, key: &str| gap[key].as_str().unwrap_or_default().to_owned();
    gaps.iter()
        .map(|gap| format!("{}: {}", text(gap, "what"), text(gap, "reason")))
        .collect()
}

/// A kubeconfig of this user of the plane, in a folder.
pub(super) fn kubeconfig_of(plane: &Plane, user: &Value, folder: &Path) -> String {
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let mut value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    if user.get("as").is_some() {
        value["users"][0]["user"]["as"] = user["as"].clone();
    } else {
        value["users"][0]["user"] = user.clone();
    }
    let file = folder.join("kubeconfig");
    std::fs::write(&file, value.to_string()).expect("because the folder is ours");
    file.display().to_string()
}

fn server(plane: &Plane) -> String {
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    let server = value["clusters"][0]["cluster"]["server"].as_str();
    server.expect("because it names a server").to_owned()
}

#[test]
fn what_goes_wrong_is_said() {
    let plane = fresh();
    let shop = shop();
    super::restore(&plane, shop.path(), &[]);
    expired_credentials(&plane, &shop);
    some_kinds_only(&plane, &shop);
    one_namespace_only(&plane, &shop);
    lists_of_different_instants(&plane, &shop);
    a_group_that_does_not_answer(&plane, &shop);
    a_list_that_breaks(&plane, &shop);
    no_managed_fields(&plane, &shop);
    logs(&plane, &shop);
    a_broken_ignore_file(&plane, &shop);
}

/// A line that cannot be read could hide what it is not about: nothing is audited, and each such line is shown.
fn a_broken_ignore_file(plane: &Plane, shop: &Repo) {
    shop.write(".refloatignore", "ConfigMap/shop/b\nnonsense\n\nConfigMap/a b  # why\n");
    shop.commit("ignore something");
    for format in FORMATS {
        let ran = audit(&plane.kubeconfig(), shop.path(), &["--output", format]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{format}: {}", ran.stderr);
        let said = ran.stderr.split_once("Error: ").map_or("", |(_, said)| said);
        insta::allow_duplicates! {
            insta::assert_snapshot!(said, @r#"
            nothing was audited
              because: .refloatignore:2: nonsense: has not two or three parts; write Kind.group/namespace/name
              because: .refloatignore:4: ConfigMap/a b: has a space in it, and a reason goes after " #"; write Kind.group/namespace/name
              hint: mend the lines in Git: a broken line could hide what it is not about
            "#);
        }
    }
}

fn expired_credentials(plane: &Plane, shop: &Repo) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let expired = kubeconfig_of(plane, &json!({"token": "canary-of-last-year"}), folder.path());
    let ran = audit(&expired, shop.path(), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    insta::assert_snapshot!(ran.stderr.replace(&server(plane), "ADDRESS"), @r#"
    Error: cluster "refloat-throwaway" could not be used
      because: context "refloat-throwaway" at ADDRESS: the server does not accept the credentials (401)
      hint: they may have expired; log in again, then try `kubectl --context refloat-throwaway get namespaces`
    "#);
    assert!(!ran.stderr.contains("canary"));
}

/// What may not be listed is not known: it is neither missing nor in sync, and what may be is judged all the same.
fn some_kinds_only(plane: &Plane, shop: &Repo) {
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({"metadata": {"name": "maps"}, "rules": [{"apiGroups": [""], "resources": ["configmaps", "namespaces"], "verbs": ["get", "list"]}]});
    let binding = json!({"metadata": {"name": "maps"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "maps"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "limited"}]});
    send(plane, "POST", &format!("{rbac}/clusterroles"), JSON, &role);
    send(plane, "POST", &format!("{rbac}/clusterrolebindings"), JSON, &binding);
    send(
        plane,
        "PATCH",
        &format!("{MAPS}/a?fieldManager=kubectl-edit"),
        MERGE,
        &json!({"data": {"a": "2"}}),
    );
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let limited = kubeconfig_of(plane, &json!({"as": "limited"}), folder.path());
    // The new right takes the server a moment.
    let mut told = Value::Null;
    for _ in 0..50 {
        let ran = audit(&limited, shop.path(), &["--output", "json"]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        told = report(&ran);
        if !gaps(&told).iter().any(|gap| gap.starts_with("list configmaps")) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    // Namespaces and ConfigMaps that nobody declares are there too: those that every cluster has.
    assert_eq!(found(&told), ["drifted ConfigMap/a"], "{told}");
    assert_eq!(told["counts"]["not-compared"], 1, "the ServiceAccount: {told}");
    // Who may only read has nothing applied for a trial: that is said of what did not drift, too.
    let offline = told["offline"].as_array().expect("because a report lists them");
    let kinds: Vec<(&Value, &Value)> = offline.iter().map(|one| (&one["kind"], &one["objects"])).collect();
    assert_eq!(
        kinds,
        [(&json!("ConfigMap"), &json!(3)), (&json!("Namespace"), &json!(1))],
        "{told}"
    );
    let denied = |one: &Value| {
        one["reason"]
            .as_str()
            .is_some_and(|why| why.contains("cannot patch resource"))
    };
    assert!(offline.iter().all(denied), "{told}");
    for format in FORMATS {
        let ran = audit(&limited, shop.path(), &["--output", format]);
        let said = match format {
            "json" => "\"offline\": [",
            _ => "4 declared objects compared offline, without the server",
        };
        assert!(ran.stdout.contains(said), "{format}: {}", ran.stdout);
    }
    let gaps = gaps(&told);
    let denied = |what: &str| {
        gaps.iter()
            .any(|gap| gap.starts_with(what) && gap.contains("cannot list"))
    };
    assert!(
        denied("list serviceaccounts") && denied("list secrets") && denied("list deployments.apps"),
        "{gaps:#?}"
    );
    // --fail-on does not make a gap good.
    assert_eq!(audit(&limited, shop.path(), &["--fail-on", "missing"]).code, 3);
    send(
        plane,
        "PATCH",
        &format!("{MAPS}/a?fieldManager=kubectl-edit"),
        MERGE,
        &json!({"data": {"a": "1"}}),
    );
    for kind in ["clusterroles", "clusterrolebindings"] {
        send(plane, "DELETE", &format!("{rbac}/{kind}/maps"), "", &json!({}));
    }
}

/// Whoever may list a kind in one namespace knows what is missing there.
fn one_namespace_only(plane: &Plane, shop: &Repo) {
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    let role = json!({"metadata": {"name": "maps"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]});
    let binding = json!({"metadata": {"name": "maps"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "maps"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "local"}]});
    send(plane, "POST", &format!("{rbac}/roles"), JSON, &role);
    send(plane, "POST", &format!("{rbac}/rolebindings"), JSON, &binding);
    send(plane, "DELETE", &format!("{MAPS}/zz"), "", &json!({}));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let local = kubeconfig_of(plane, &json!({"as": "local"}), folder.path());
    // The new right takes the server a moment.
    let mut told = Value::Null;
    for _ in 0..50 {
        told = report(&audit(&local, shop.path(), &["--output", "json"]));
        if gaps(&told)
            .iter()
            .any(|gap| gap.starts_with("list configmaps outside of shop: "))
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(found(&told), ["missing ConfigMap/zz"], "{told}");
    assert_eq!(
        told["counts"]["not-compared"], 2,
        "the Namespace and the ServiceAccount: {told}"
    );
    super::restore(plane, shop.path(), &[]);
    for kind in ["roles", "rolebindings"] {
        send(plane, "DELETE", &format!("{rbac}/{kind}/maps"), "", &json!({}));
    }
}

/// A Pod whose owner was made after owners were listed has one, and one that is gone by now is nothing to tell of.
fn lists_of_different_instants(plane: &Plane, shop: &Repo) {
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let through = folder.path().join("kubeconfig");
    std::fs::write(&through, proxy.kubeconfig()).expect("because the folder is ours");
    let through = through.display().to_string();
    let controller = "fieldManager=kube-controller-manager";
    let owned_by = |version: &str, kind: &str, owner: &Value| {
        json!([{"apiVersion": version, "kind": kind, "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "controller": true}])
    };
    let pods = "/api/v1/namespaces/shop/pods";
    let sets = "/apis/apps/v1/namespaces/shop/replicasets";
    let container = json!([{"name": "a", "image": "a"}]);
    let make = |name: &str| {
        // Its own owner is declared.
        let map = wait(plane.api().get(&format!("{MAPS}/a")))
            .expect("because the server runs")
            .body;
        let template = json!({"metadata": {"labels": {"a": name}}, "spec": {"containers": container}});
        let set = json!({"metadata": {"name": name, "ownerReferences": owned_by("v1", "ConfigMap", &map)},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"a": name}}, "template": template}});
        let set = send(plane, "POST", &format!("{sets}?{controller}"), JSON, &set);
        let pod = json!({"metadata": {"name": name, "labels": {"a": name}, "ownerReferences": owned_by("apps/v1", "ReplicaSet", &set)},
            "spec": {"containers": container}});
        send(plane, "POST", &format!("{pods}?{controller}"), JSON, &pod);
    };
    let drop = |name: &str| {
        let at_once = json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        send(plane, "DELETE", &format!("{sets}/{name}"), JSON, &at_once);
        let now = json!({"gracePeriodSeconds": 0});
        let _ = wait(
            plane
                .api()
                .request("DELETE", &format!("{pods}/{name}"), JSON, Some(&now)),
        );
    };
    // While one list is held back, the other one is taken; then something is done.
    let meanwhile = |held: &str, other: &str, act: &dyn Fn()| {
        proxy.clear_log();
        proxy.set([Fault::on("GET", held, Act::Delay(std::time::Duration::from_secs(4))).times(1)]);
        std::thread::scope(|scope| {
            let running = scope.spawn(|| audit(&through, shop.path(), &["--output", "json"]));
            let listed = || {
                let log = proxy.log();
                log.iter().any(|one| one.path.contains(other) && one.status.is_some())
            };
            for _ in 0..300 {
                if listed() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            act();
            report(&running.join().expect("because it does not panic"))
        })
    };
    let told = meanwhile("/api/v1/pods?", "/apis/apps/v1/replicasets?", &|| make("late"));
    assert_eq!(found(&told), Vec::<String>::new(), "{told}");
    assert!(told["counts"]["owned"].as_u64() >= Some(2), "{told}");
    let told = meanwhile("/apis/apps/v1/replicasets?", "/api/v1/pods?", &|| drop("late"));
    assert_eq!(found(&told), Vec::<String>::new(), "{told}");
}

fn a_group_that_does_not_answer(plane: &Plane, shop: &Repo) {
    let spec = json!({"group": "broken.refloat.test", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 10,
        "insecureSkipTLSVerify": true, "service": {"name": "nobody", "namespace": "default"}});
    let service = json!({"metadata": {"name": "v1.broken.refloat.test"}, "spec": spec});
    let services = "/apis/apiregistration.k8s.io/v1/apiservices";
    send(plane, "POST", services, JSON, &service);
    let mut told = Value::Null;
    for _ in 0..100 {
        let ran = audit(&plane.kubeconfig(), shop.path(), &["--output", "json"]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        told = report(&ran);
        if gaps(&told)
            .iter()
            .any(|gap| gap.starts_with("API group broken.refloat.test/v1: "))
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(gaps(&told).len(), 1, "nothing else is hidden: {told}");
    assert_eq!(found(&told), ["never-in-git APIService/v1.broken.refloat.test"]);
    for format in FORMATS {
        let ran = audit(&plane.kubeconfig(), shop.path(), &["--output", format]);
        assert!(
            ran.code == 3 && ran.stdout.contains("API group broken.refloat.test/v1"),
            "{format}: {}",
            ran.stdout
        );
    }
    send(
        plane,
        "DELETE",
        &format!("{services}/v1.broken.refloat.test"),
        "",
        &json!({}),
    );
}

/// The pages of a list are read anew when their snapshot is gone; if that does not end, what is on the later ones is not known.
fn a_list_that_breaks(plane: &Plane, shop: &Repo) {
    let api = plane.api();
    wait(async {
        for batch in (0..2600).collect::<Vec<_>>().chunks(50) {
            let made = batch.iter().map(|number| {
                let map = json!({"metadata": {"name": format!("m{number:04}"), "labels": {"made": "up"}}});
                let api = api.clone();
                async move { api.create(MAPS, &map).await.is_ok_and(|answer| answer.is_success()) }
            });
            assert!(futures::future::join_all(made).await.into_iter().all(|made| made));
        }
    });
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let through = folder.path().join("kubeconfig");
    std::fs::write(&through, proxy.kubeconfig()).expect("because the folder is ours");
    let through = through.display().to_string();
    let expired = Act::Status(410, "Expired", "the continue token is too old", 0);
    proxy.set([Fault::on("GET", "continue=", expired.clone()).times(1)]);
    let told = report(&audit(&through, shop.path(), &["--output", "json"]));
    assert_eq!((found(&told).len(), gaps(&told).len()), (2600, 0));
    proxy.set([Fault::on("GET", "continue=", expired)]);
    let ran = audit(&through, shop.path(), &["--output", "json"]);
    let told = report(&ran);
    assert_eq!(
        (ran.code, gaps(&told)),
        (3, vec!["list configmaps: the continue token is too old".to_owned()])
    );
    assert!(
        found(&told)
            .iter()
            .all(|one| one.starts_with("never-in-git ConfigMap/m")),
        "{:?}",
        found(&told)
    );
    assert_eq!(
        told["counts"]["not-compared"], 1,
        "the one on the second page: {}",
        told["counts"]
    );
    // A list that ends in the middle of an answer.
    proxy.set([Fault::on("GET", "continue=", Act::Drop)]);
    let told = report(&audit(&through, shop.path(), &["--output", "json"]));
    assert!(
        gaps(&told).len() == 1 && gaps(&told)[0].starts_with("list configmaps: "),
        "{:?}",
        gaps(&told)
    );
    proxy.set([]);
    send(
        plane,
        "DELETE",
        &format!("{MAPS}?labelSelector=made%3Dup"),
        "",
        &json!({}),
    );
}

/// Somebody cleared them: what differs is found all the same, and nobody is blamed.
fn no_managed_fields(plane: &Plane, shop: &Repo) {
    let cleared = json!({"metadata": {"managedFields": [{}]}});
    send(plane, "PATCH", &format!("{MAPS}/b"), MERGE, &cleared);
    assert_eq!(
        audit(&plane.kubeconfig(), shop.path(), &[]).code,
        0,
        "that alone is no drift"
    );
    send(
        plane,
        "PATCH",
        &format!("{MAPS}/b"),
        MERGE,
        &json!({"data": {"a": "2", "more": "3"}}),
    );
    send(plane, "PATCH", &format!("{MAPS}/b"), MERGE, &cleared);
    let map = json!({"metadata": {"name": "by-hand"}});
    send(plane, "POST", MAPS, JSON, &map);
    send(plane, "PATCH", &format!("{MAPS}/by-hand"), MERGE, &cleared);
    for (way, drifted, unknown) in [
        (&[][..], &[".data.a", ".data.more"][..], &[][..]),
        (
            &["--no-dry-run"],
            &[".data.a"],
            &["compare 1 ConfigMap: without managedFields and without dry runs, added fields are not known"],
        ),
    ] {
        let told = report(&audit(
            &plane.kubeconfig(),
            shop.path(),
            &[&["--output", "json"], way].concat(),
        ));
        assert_eq!(
            found(&told),
            ["never-in-git ConfigMap/by-hand", "drifted ConfigMap/b"],
            "{way:?}"
        );
        for (verdict, code) in [("drifted", 3), ("never-in-git", 3), ("missing", 0)] {
            let ran = audit(&plane.kubeconfig(), shop.path(), &["--fail-on", verdict]);
            assert_eq!(ran.code, code, "{verdict}: {}", ran.stdout);
        }
        let findings = told["findings"].as_array().expect("because a report lists them");
        assert!(findings.iter().all(|one| one["authors"] == json!([])), "{told}");
        let fields = findings[1]["fields"].as_array().expect("because it drifted");
        let paths: Vec<&str> = fields.iter().filter_map(|field| field["path"].as_str()).collect();
        assert_eq!(
            (paths, gaps(&told)),
            (drifted.to_vec(), unknown.iter().map(ToString::to_string).collect()),
            "{way:?}"
        );
    }
    for name in ["by-hand", "b"] {
        send(plane, "DELETE", &format!("{MAPS}/{name}"), "", &json!({}));
    }
    super::restore(plane, shop.path(), &[]);
}

/// Logs that are cut off, packed and cut off, empty, or no logs: said with file and line; what is whole counts.
fn logs(plane: &Plane, shop: &Repo) {
    send(
        plane,
        "POST",
        &format!("{MAPS}?fieldManager=kubectl-create"),
        JSON,
        &json!({"metadata": {"name": "logged"}, "data": {"a": "1"}}),
    );
    let event = |user: &str| {
        json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
            "requestURI": format!("{MAPS}?fieldManager=kubectl-create"), "userAgent": "kubectl/v1.37.2", "verb": "create", "user": {"username": user}, "sourceIPs": ["10.1.2.3"],
            "objectRef": {"resource": "configmaps", "namespace": "shop", "name": "logged", "apiVersion": "v1"},
            "responseStatus": {"code": 201}, "requestReceivedTimestamp": "2026-01-02T03:04:05.000000Z"})
        .to_string()
    };
    let line = event("alice");
    let cut = format!("{line}\n{}", &line[..100]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // What does not pack: a cut within it leaves the first line whole.
    let noise: String = (0..20_000_u64)
        .map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    packed
        .write_all(format!("{line}\n\n{noise}\n").as_bytes())
        .expect("because a Vec takes all");
    let packed = packed.finish().expect("because a Vec takes all");
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let file = folder.path().join("audit.log");
    let told = |bytes: &[u8]| {
        std::fs::write(&file, bytes).expect("because the folder is ours");
        let ran = audit(
            &plane.kubeconfig(),
            shop.path(),
            &["--audit-log", &file.display().to_string()],
        );
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        ran.stdout.replace(&file.display().to_string(), "LOG")
    };
    let text = told(cut.as_bytes());
    assert!(
        text.contains("LOG:2: the last line is cut off or no audit event; what came after it is not known"),
        "{text}"
    );
    assert!(text.contains("by: alice with kubectl create"), "{text}");
    let text = told(&packed[..packed.len() / 2]);
    assert!(
        text.contains("LOG:3: the log ends here: ") && text.contains("later changes are not known"),
        "{text}"
    );
    assert!(text.contains("by: alice with kubectl create"), "{text}");
    let text = told(b"\xff\xfe\x00\x01 nonsense\n{}\n[1]\n");
    assert!(
        text.contains("LOG: 3 of 3 lines are no audit events and were left out: 1, 2, 3"),
        "{text}"
    );
    assert!(text.contains("by: kubectl create (user unknown)"), "{text}");
    let text = told(b"");
    assert!(text.contains("Audit log   0 lines"), "{text}");
    // Whoever names herself so does not move the cursor of whoever reads it.
    let text = told(event("\u{1b}[2Jeve\r\n").as_bytes());
    assert!(text.contains(r"by: \u{1b}[2Jeve"), "{text}");
}

/// Objects as large as the server takes them, with small and large changes.
#[test]
fn an_object_of_one_and_a_half_megabytes() {
    let plane = fresh();
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: blobs.audit.refloat.test}\nspec: {group: audit.refloat.test, scope: Namespaced, names: {plural: blobs, kind: Blob}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}\n";
    let large = "x".repeat(1_500_000 - 3000);
    let blob = format!(
        "apiVersion: audit.refloat.test/v1\nkind: Blob\nmetadata: {{name: large, namespace: default}}\nspec: {{size: 1, text: {large}}}\n"
    );
    let repo = Repo::with(&[("crd.yaml", definition), ("blob.yaml", &blob)]);
    super::restore(&plane, repo.path(), &[]);
    for way in [&[][..], &["--no-dry-run"]] {
        let ran = audit(&plane.kubeconfig(), repo.path(), way);
        assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    }
    let path = "/apis/audit.refloat.test/v1/namespaces/default/blobs";
    let edited = json!({"spec": {"size": 2, "text": "y".repeat(1_499_000)}});
    send(
        &plane,
        "PATCH",
        &format!("{path}/large?fieldManager=kubectl-edit"),
        MERGE,
        &edited,
    );
    let other = json!({"apiVersion": "audit.refloat.test/v1", "kind": "Blob", "metadata": {"name": "by-hand"}, "spec": {"text": large}});
    send(
        &plane,
        "POST",
        &format!("{path}?fieldManager=kubectl-create"),
        JSON,
        &other,
    );
    for way in [&[][..], &["--no-dry-run"]] {
        let ran = audit(&plane.kubeconfig(), repo.path(), way);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(ran.stdout.contains("changed  .spec.size: 1 → 2"), "{way:?}");
        assert!(
            ran.stdout.contains("changed  .spec.text: \"xxx") && ran.stdout.len() < 10_000,
            "{way:?}"
        );
        assert!(ran.stdout.contains("Blob/default/by-hand") && !ran.stdout.contains("compared offline: no dry run"));
    }
}

/// History that is not whole, or not what it was, is told in every format: what it lacks may have declared what seems to be in no Git.
#[test]
fn a_history_that_is_not_whole() {
    let plane = fresh();
    let shop = shop();
    shop.write("later.txt", "x");
    shop.commit("later");
    super::restore(&plane, shop.path(), &[]);
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let clone = folder.path().join("clone");
    let from = format!("file://{}", shop.path().display());
    shop.git(&["clone", "-q", "--depth", "1", &from, &clone.display().to_string()]);
    for format in FORMATS {
        let ran = audit(&plane.kubeconfig(), &clone, &["--output", format]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let said = "history is incomplete before 2026-01-02 (commit ";
        assert!(
            ran.stdout.contains(said) && ran.stdout.contains("git fetch --unshallow"),
            "{format}: {}",
            ran.stdout
        );
    }
    // What is kept of the history ends with a commit that is no longer part of it.
    let cache = folder.path().join("cache");
    let run = |format: &str| {
        let args = ["audit", ".", "--kubeconfig", &plane.kubeconfig(), "--output", format];
        refloat(args).cwd(shop.path()).env("XDG_CACHE_HOME", &cache).run()
    };
    assert!(!run("human").stdout.contains("rewritten"));
    shop.git(&["commit", "-q", "--amend", "-m", "said otherwise"]);
    for format in FORMATS {
        let ran = run(format);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stdout.contains("history was rewritten: commit "),
            "{format}: {}",
            ran.stdout
        );
    }
}

/// Names that would write on the terminal of whoever reads them are escaped, in every format.
#[test]
fn names_with_control_characters() {
    let plane = fresh();
    let evil = "\u{1b}[2J\u{9b}31m";
    let repo = Repo::new();
    let map = |name: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\ndata: {{a: \"{value}\"}}\n"
        )
    };
    repo.write(&format!("a{evil}\n.yaml"), &map("a", "1"));
    repo.write(&format!("gone{evil}.yaml"), &map("gone", "1"));
    repo.commit(&format!("declare {evil}"));
    super::restore(&plane, repo.path(), &[]);
    repo.git(&["rm", "-q", &format!("gone{evil}.yaml")]);
    repo.commit(&format!("drop {evil}"));
    let maps = "/api/v1/namespaces/default/configmaps";
    let edited = json!({"metadata": {"annotations": {"note": evil}}, "data": {"a": evil}});
    send(
        &plane,
        "PATCH",
        &format!("{maps}/a?fieldManager=kubectl-edit"),
        MERGE,
        &edited,
    );
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let mut value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    // YAML itself has none of the others.
    value["contexts"][0]["name"] = "\u{1b}[2J".into();
    value["current-context"] = "\u{1b}[2J".into();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, value.to_string()).expect("because the folder is ours");
    let proposal = folder.path().join("proposal").display().to_string();
    for format in FORMATS {
        let more = ["--output", format, "--write-ignore", &proposal];
        let ran = audit(&kubeconfig.display().to_string(), repo.path(), &more);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(['\u{1b}', '\u{9b}']), "{format}: {text:?}");
        }
        assert!(
            ran.stdout.contains("ConfigMap") && ran.stdout.contains("[2J"),
            "{format}: {}",
            ran.stdout
        );
    }
    let text = std::fs::read_to_string(&proposal).expect("because it was written");
    assert!(
        !text.contains('\u{1b}') && text.contains("ConfigMap/default/gone"),
        "{text:?}"
    );
}
