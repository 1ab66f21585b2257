//! Drift of declared objects: none after a restore, and exactly what was done by hand.

use std::collections::{BTreeMap, BTreeSet};

use refloat::cluster::{Cluster, CompareOptions, Compared, ConnectOptions, LiveOptions};
use refloat::object::{DeclaredSet, FactGap, FieldChange, LiveSet, Method, ServedKinds, Writer};
use serde_json::{Value, json};

use super::{bank, connect_as, declares, restore, root, send};
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::{Repo, case};

const DRY_RUN: CompareOptions = CompareOptions { dry_run: true };
const OFFLINE: CompareOptions = CompareOptions { dry_run: false };

/// What is served, and what is live.
fn seen(cluster: &Cluster) -> (ServedKinds, LiveSet) {
    wait(async {
        let (kinds, _) = cluster.discover().await.expect("because the core group answers");
        let live = cluster.live(&LiveOptions::default()).await;
        (kinds, live.expect("because the core group answers"))
    })
}

fn compare(cluster: &Cluster, set: &DeclaredSet, options: CompareOptions) -> Compared {
    compare_as_seen(cluster, set, &seen(cluster), options)
}

fn compare_as_seen(
    cluster: &Cluster,
    set: &DeclaredSet,
    (kinds, live): &(ServedKinds, LiveSet),
    options: CompareOptions,
) -> Compared {
    let compared = wait(cluster.compare(set, kinds, Some(live), &|_| true, options));
    assert!(
        !format!("{compared:?}").contains("canary"),
        "because Secret values stay where they are"
    );
    compared
}

/// `Kind/namespace/name change path (manager)` of every drift.
fn drift(compared: &Compared) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (id, comparison) in &compared.comparisons {
        for field in &comparison.fields {
            let manager = field
                .manager
                .map_or("nobody", |index| &comparison.live.managers[index].name);
            all.insert(format!("{id} {:?} {} ({manager})", field.change, field.path));
        }
    }
    all
}

/// A change as kubectl makes it: path after `/api`, field manager, body of a strategic merge patch, and the drift it is.
struct ByHand {
    path: &'static str,
    manager: &'static str,
    body: Value,
    found: &'static [&'static str],
}

fn by_hand(path: &'static str, manager: &'static str, body: Value, found: &'static [&'static str]) -> ByHand {
    ByHand {
        path,
        manager,
        body,
        found,
    }
}

/// A change of the pod template.
fn template(spec: Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

fn workloads() -> Vec<ByHand> {
    vec![
        by_hand(
            "s/apps/v1/namespaces/mobile/deployments/web",
            "kubectl-edit",
            template(json!({"containers": [{"name": "web", "image": "registry.example.com/bank/web:evil"}]})),
            &["Deployment/mobile/web Changed .spec.template.spec.containers[name=web].image (kubectl-edit)"],
        ),
        by_hand(
            "s/apps/v1/namespaces/mobile/deployments/web/scale",
            "kubectl",
            json!({"spec": {"replicas": 4}}),
            &["Deployment/mobile/web Changed .spec.replicas (kubectl)"],
        ),
        by_hand(
            "s/apps/v1/namespaces/mobile/deployments/mobile-backend",
            "kubectl-patch",
            template(
                json!({"containers": [{"name": "sniffer", "image": "registry.example.com/evil/sniffer", "ports": [{"containerPort": 99}]}]}),
            ),
            &["Deployment/mobile/mobile-backend Added .spec.template.spec.containers[name=sniffer] (kubectl-patch)"],
        ),
        by_hand(
            "s/apps/v1/namespaces/payments/deployments/payments-api",
            "kubectl-edit",
            template(json!({"hostNetwork": true})),
            &["Deployment/payments/payments-api Added .spec.template.spec.hostNetwork (kubectl-edit)"],
        ),
        by_hand(
            "s/apps/v1/namespaces/payments/deployments/payments-api",
            "kubectl-set",
            template(json!({"containers": [{"name": "api", "env": [{"name": "DEBUG", "value": "1"}]}]})),
            &[
                "Deployment/payments/payments-api Added .spec.template.spec.containers[name=api].env[name=DEBUG] (kubectl-set)",
            ],
        ),
        by_hand(
            "s/apps/v1/namespaces/accounts/deployments/accounts-api",
            "kubectl-edit",
            template(json!({"containers": [{"name": "api", "securityContext": {"readOnlyRootFilesystem": null}}]})),
            &[
                "Deployment/accounts/accounts-api Removed .spec.template.spec.containers[name=api].securityContext.readOnlyRootFilesystem (nobody)",
            ],
        ),
        by_hand(
            "s/apps/v1/namespaces/data/statefulsets/bank-db",
            "kubectl-edit",
            template(
                json!({"automountServiceAccountToken": null, "containers": [{"name": "database", "securityContext": {"allowPrivilegeEscalation": null}}]}),
            ),
            &[
                "StatefulSet/data/bank-db Removed .spec.template.spec.automountServiceAccountToken (nobody)",
                "StatefulSet/data/bank-db Removed .spec.template.spec.containers[name=database].securityContext.allowPrivilegeEscalation (nobody)",
            ],
        ),
        by_hand(
            "s/apps/v1/namespaces/accounts/deployments/accounts-api",
            "kubectl-rollout",
            json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05Z"}}}}}),
            &[
                "Deployment/accounts/accounts-api Added .spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt] (kubectl-rollout)",
            ],
        ),
        // An autoscaler owns these.
        by_hand(
            "s/apps/v1/namespaces/accounts/deployments/accounts-api/scale",
            "kubectl",
            json!({"spec": {"replicas": 5}}),
            &[],
        ),
        by_hand(
            "s/apps/v1/namespaces/data/statefulsets/bank-db",
            "kubectl-edit",
            // The default, and the declared value in another spelling.
            template(
                json!({"dnsPolicy": "ClusterFirst", "containers": [{"name": "database", "resources": {"limits": {"memory": "8192Mi"}}}]}),
            ),
            &[],
        ),
        by_hand(
            "s/batch/v1/namespaces/payments/cronjobs/settlement",
            "kubectl-patch",
            json!({"spec": {"suspend": true, "schedule": "0 0 1 1 *"}}),
            &[
                "CronJob/payments/settlement Added .spec.suspend (kubectl-patch)",
                "CronJob/payments/settlement Changed .spec.schedule (kubectl-patch)",
            ],
        ),
    ]
}

fn plain() -> Vec<ByHand> {
    vec![
        by_hand(
            "/v1/namespaces/mobile/configmaps/mobile-backend",
            "kubectl-label",
            json!({"metadata": {"labels": {"team": "night-shift"}}}),
            &["ConfigMap/mobile/mobile-backend Added .metadata.labels.team (kubectl-label)"],
        ),
        by_hand(
            "/v1/namespaces/mobile/configmaps/mobile-backend",
            "kubectl-edit",
            json!({"data": {"ACCOUNTS_URL": null, "EXTRA": "1", "PAYMENTS_URL": "http://evil.example"}}),
            &[
                "ConfigMap/mobile/mobile-backend Removed .data.ACCOUNTS_URL (nobody)",
                "ConfigMap/mobile/mobile-backend Added .data.EXTRA (kubectl-edit)",
                "ConfigMap/mobile/mobile-backend Changed .data.PAYMENTS_URL (kubectl-edit)",
            ],
        ),
        by_hand(
            "/v1/namespaces/payments",
            "kubectl-annotate",
            json!({"metadata": {"annotations": {"example.com/on-call": "nobody"}}}),
            &["Namespace/payments Added .metadata.annotations[example.com/on-call] (kubectl-annotate)"],
        ),
        by_hand(
            "/v1/namespaces/accounts/secrets/accounts-db",
            "kubectl-patch",
            // "canary", and in kubectl apply's memory.
            json!({"data": {"DB_PASSWORD": "Y2FuYXJ5LW5ldw==", "extra": "Y2FuYXJ5LW1vcmU="},
                "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"extra\":\"canary\"}}"}}}),
            &[
                "Secret/accounts/accounts-db Changed .data.DB_PASSWORD (kubectl-patch)",
                "Secret/accounts/accounts-db Added .data.extra (kubectl-patch)",
            ],
        ),
        by_hand(
            "/v1/namespaces/accounts/services/accounts-api",
            "kubectl-edit",
            json!({"spec": {"type": "NodePort", "ports": [{"name": "debug", "port": 9999}]}}),
            &[
                "Service/accounts/accounts-api Added .spec.ports[name=debug] (kubectl-edit)",
                "Service/accounts/accounts-api Added .spec.type (kubectl-edit)",
            ],
        ),
        by_hand(
            "/v1/namespaces/accounts/serviceaccounts/accounts-api",
            "kubectl-edit",
            json!({"metadata": {"finalizers": ["example.com/stay"]}}),
            &["ServiceAccount/accounts/accounts-api Added .metadata.finalizers (kubectl-edit)"],
        ),
        // An operator of its own kind protects what it uses.
        by_hand(
            "/v1/namespaces/data/serviceaccounts/bank-db",
            "bank-operator",
            json!({"metadata": {"finalizers": ["bank.example.com/in-use"]}}),
            &[],
        ),
        by_hand(
            "/v1/namespaces/mobile/resourcequotas/compute",
            "kubectl-edit",
            json!({"spec": {"hard": {"pods": "8k", "requests.cpu": "24000m"}}}),
            &["ResourceQuota/mobile/compute Changed .spec.hard.pods (kubectl-edit)"],
        ),
    ]
}

fn rights_and_rules() -> Vec<ByHand> {
    vec![
        by_hand(
            "s/rbac.authorization.k8s.io/v1/clusterroles/bank-operator",
            "kubectl-edit",
            json!({"rules": [
                {"apiGroups": ["bank.example.com"], "resources": ["paymentrails", "ledgers", "cardschemes"], "verbs": ["watch", "get", "list"]},
                {"apiGroups": ["bank.example.com"], "resources": ["paymentrails/status"], "verbs": ["*"]},
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
                {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]}]}),
            &["ClusterRole/bank-operator Changed .rules[1].verbs (kubectl-edit)"],
        ),
        by_hand(
            "s/rbac.authorization.k8s.io/v1/namespaces/accounts/rolebindings/accounts-api",
            "kubectl-edit",
            json!({"subjects": [
                {"kind": "ServiceAccount", "name": "accounts-api", "namespace": "accounts"},
                {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory"}]}),
            &["RoleBinding/accounts/accounts-api Added .subjects[name=mallory] (kubectl-edit)"],
        ),
        by_hand(
            "s/networking.k8s.io/v1/namespaces/payments/networkpolicies/payments",
            "kubectl-edit",
            json!({"spec": {"ingress": [{"from": [{"podSelector": {}}, {"namespaceSelector": {}}], "ports": [{"port": 8080}]}]}}),
            &[
                "NetworkPolicy/payments/payments Removed .spec.ingress[0].from[1].namespaceSelector.matchExpressions (nobody)",
            ],
        ),
        by_hand(
            "s/autoscaling/v2/namespaces/accounts/horizontalpodautoscalers/accounts-api",
            "kubectl-edit",
            json!({"spec": {"maxReplicas": 100}}),
            &["HorizontalPodAutoscaler/accounts/accounts-api Changed .spec.maxReplicas (kubectl-edit)"],
        ),
        by_hand(
            "s/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/workload-guard",
            "kubectl-edit",
            json!({"webhooks": [{"name": "workloads.guard.bank.example.com", "failurePolicy": "Ignore"}]}),
            &[
                "ValidatingWebhookConfiguration/workload-guard Changed .webhooks[name=workloads.guard.bank.example.com].failurePolicy (kubectl-edit)",
            ],
        ),
        by_hand(
            "s/storage.k8s.io/v1/storageclasses/bank-archive",
            "kubectl-patch",
            json!({"allowVolumeExpansion": true}),
            &["StorageClass/bank-archive Added .allowVolumeExpansion (kubectl-patch)"],
        ),
    ]
}

fn custom() -> Vec<ByHand> {
    vec![
        by_hand(
            "s/bank.example.com/v1/namespaces/payments/paymentrails/instant",
            "kubectl-edit",
            json!({"spec": {"endpoint": "https://evil.example", "dailyLimit": null}}),
            &[
                "PaymentRail/payments/instant Changed .spec.endpoint (kubectl-edit)",
                "PaymentRail/payments/instant Removed .spec.dailyLimit (nobody)",
            ],
        ),
        by_hand(
            "s/apiextensions.k8s.io/v1/customresourcedefinitions/ledgers.bank.example.com",
            "kubectl-edit",
            json!({"spec": {"names": {"shortNames": ["lg"]}}}),
            &["CustomResourceDefinition/ledgers.bank.example.com Added .spec.names.shortNames (kubectl-edit)"],
        ),
    ]
}

/// What is asked with each verb; every write must be a dry run, and every apply one of this manager.
fn requests(proxy: &FaultProxy, manager: &str) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for request in proxy.log() {
        // Metadata comes in pages of 2,500, whole objects in such.
        let whole = request.path.contains("limit=250&") || request.path.ends_with("limit=250");
        assert!(
            !(whole && request.path.contains("/secrets?")),
            "values of others would come along"
        );
        let dry = request.path.contains("dryRun=All");
        assert!(dry || request.method == "GET", "{request:?} changes something");
        let of = request
            .path
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix("fieldManager="));
        assert!(request.method != "PATCH" || of == Some(manager), "{request:?}");
        *count.entry(request.method).or_default() += 1;
    }
    proxy.clear_log();
    count
}

fn through(proxy: &FaultProxy) -> Cluster {
    let options = ConnectOptions {
        kubeconfig_text: Some(proxy.kubeconfig()),
        ..ConnectOptions::default()
    };
    let cluster = wait(Cluster::connect(options)).unwrap_or_else(|failure| panic!("{failure}"));
    proxy.clear_log();
    cluster
}

fn clean(plane: &Plane, set: &DeclaredSet) {
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let cluster = through(&proxy);
    let seen = seen(&cluster);
    proxy.clear_log();
    for options in [DRY_RUN, OFFLINE] {
        let compared = compare_as_seen(&cluster, set, &seen, options);
        assert_eq!(compared.comparisons.len(), 98);
        assert_eq!(drift(&compared), BTreeSet::new());
        assert_eq!(compared.gaps, []);
        let mut methods = compared.comparisons.values().map(|one| one.method == Method::DryRun);
        assert!(methods.all(|dry| dry == options.dry_run));
        let count = requests(&proxy, "refloat");
        // Most are read by lists; each Secret by itself.
        assert!((20..=85).contains(&count["GET"]), "{count:?}");
        assert_eq!(count.get("PATCH"), options.dry_run.then_some(&98));
        assert_eq!(count.get("PUT"), None, "because nobody else wrote anything");
    }
    // A webhook that acts on its own refuses dry runs; a busy server is asked again; a write in between is no drift.
    let refused = r#"admission webhook "x.example.com" does not support dry run"#;
    let maps = "/configmaps/";
    proxy.set([
        Fault::on("PATCH", maps, Act::Status(400, "BadRequest", refused, 0)),
        Fault::on("PATCH", "/services/", Act::Status(429, "TooManyRequests", "busy", 0)).times(3),
        Fault::on(
            "PATCH",
            "/secrets/",
            Act::Status(409, "Conflict", "the object has been modified", 0),
        )
        .times(1),
    ]);
    let compared = compare(&cluster, set, DRY_RUN);
    assert_eq!(drift(&compared), BTreeSet::new());
    for (id, comparison) in &compared.comparisons {
        let expected = match &*id.kind {
            "ConfigMap" => Method::Offline(format!("no dry run: {refused}")),
            _ => Method::DryRun,
        };
        assert_eq!(comparison.method, expected, "{id}");
    }
    // What cannot be read is a gap, one for each kind.
    proxy.set([Fault::on(
        "GET",
        "/secrets/",
        Act::Status(403, "Forbidden", "not you", 0),
    )]);
    let compared = compare(&cluster, set, DRY_RUN);
    let secrets = set
        .objects
        .iter()
        .filter(|declared| declared.id.kind == "Secret")
        .count();
    assert_eq!(compared.comparisons.len(), 98 - secrets);
    let gap = FactGap {
        what: format!("compare {secrets} of kind Secret"),
        reason: "not you".to_owned(),
    };
    assert_eq!(compared.gaps, [gap]);
}

fn change_by_hand(plane: &Plane) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for change in [workloads(), plain(), rights_and_rules(), custom()]
        .into_iter()
        .flatten()
    {
        let path = format!("/api{}?fieldManager={}", change.path, change.manager);
        let merged = change.path.contains("/scale") || change.path.contains("example.com");
        let form = if merged { "merge" } else { "strategic-merge" };
        send(
            plane,
            "PATCH",
            &path,
            &format!("application/{form}-patch+json"),
            &change.body,
        );
        expected.extend(change.found.iter().map(ToString::to_string));
    }
    expected
}

#[track_caller]
fn assert_drift(compared: &Compared, expected: &BTreeSet<String>) {
    let found = drift(compared);
    let missing: Vec<_> = expected.difference(&found).collect();
    let too_many: Vec<_> = found.difference(expected).collect();
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "missing: {missing:#?}\ntoo many: {too_many:#?}"
    );
}

/// Somebody who may read everything and change nothing.
fn reader(plane: &Plane) -> Cluster {
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({"metadata": {"name": "reader"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]});
    let binding = json!({"metadata": {"name": "reader"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "reader"}]});
    send(
        plane,
        "POST",
        &format!("{rbac}/clusterroles"),
        "application/json",
        &role,
    );
    send(
        plane,
        "POST",
        &format!("{rbac}/clusterrolebindings"),
        "application/json",
        &binding,
    );
    connect_as(plane, "reader")
}

#[test]
fn a_restored_bank_is_clean_and_changes_by_hand_are_found() {
    let plane = bank();
    let cluster = plane.connect();
    let set = declares(&cluster, &root("fixtures/mobile-bank"), &[]);
    clean(&plane, &set);

    let expected = change_by_hand(&plane);
    let compared = compare(&cluster, &set, DRY_RUN);
    assert_drift(&compared, &expected);
    let offline: Vec<_> = compared
        .comparisons
        .iter()
        .filter(|(_, one)| one.method != Method::DryRun)
        .collect();
    assert!(offline.is_empty(), "{offline:#?}");
    assert_drift(&compare(&cluster, &set, OFFLINE), &expected);
    let field = |name: &str, path: &str| {
        let found = compared.comparisons.iter().find(|(id, _)| id.to_string() == name);
        let fields = &found.unwrap_or_else(|| panic!("{name}")).1.fields;
        let field = fields.iter().find(|field| field.path == path);
        let field = field.unwrap_or_else(|| panic!("{path}"));
        (field.change, field.declared.clone(), field.live.clone())
    };
    assert_eq!(
        field("Deployment/mobile/web", ".spec.replicas"),
        (FieldChange::Changed, Some(json!(2)), Some(json!(4)))
    );
    assert_eq!(
        field("Secret/accounts/accounts-db", ".data.DB_PASSWORD"),
        (FieldChange::Changed, None, None)
    );
    let (_, declared, live) = field(
        "Deployment/mobile/mobile-backend",
        ".spec.template.spec.containers[name=sniffer]",
    );
    assert_eq!(
        (declared, &live.expect("because it was added")["image"]),
        (None, &json!("registry.example.com/evil/sniffer"))
    );

    // The new right takes the server a moment.
    let reader = reader(&plane);
    let could = |compared: &Compared| compared.gaps.is_empty();
    let mut compared = compare(&reader, &set, DRY_RUN);
    for _ in 0..50 {
        if could(&compared) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        compared = compare(&reader, &set, DRY_RUN);
    }
    assert_drift(&compared, &expected);
    for comparison in compared.comparisons.values() {
        assert!(
            matches!(&comparison.method, Method::Offline(why) if why.starts_with("no dry run: ") && why.contains("\"reader\" cannot patch")),
            "{:?}",
            comparison.method
        );
    }
    switched_off(&plane, &set, expected);
}

/// An autoscaler does nothing at 0, and one that is gone does nothing at all.
fn switched_off(plane: &Plane, set: &DeclaredSet, mut expected: BTreeSet<String>) {
    let scaler = "/apis/autoscaling/v2/namespaces/mobile/horizontalpodautoscalers/mobile-backend";
    send(plane, "DELETE", scaler, "application/json", &json!({}));
    for (name, replicas, owner) in [
        ("mobile/deployments/mobile-backend", 7, "kubectl"),
        // A 0 leaves no trace in managedFields.
        ("accounts/deployments/accounts-api", 0, "nobody"),
    ] {
        let path = format!("/apis/apps/v1/namespaces/{name}/scale?fieldManager=kubectl");
        let body = json!({"spec": {"replicas": replicas}});
        send(plane, "PATCH", &path, "application/merge-patch+json", &body);
        let name = name.replace("deployments/", "");
        expected.insert(format!("Deployment/{name} Changed .spec.replicas ({owner})"));
    }
    let cluster = plane.connect();
    for options in [DRY_RUN, OFFLINE] {
        assert_drift(&compare(&cluster, set, options), &expected);
    }
    // Where autoscalers may not be listed, the declared ones count.
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let refused = Act::Status(403, "Forbidden", "not you", 0);
    proxy.set([Fault::on("GET", "/autoscaling/v2/horizontalpodautoscalers?", refused)]);
    let seen = seen(&cluster);
    let compared = compare_as_seen(&through(&proxy), set, &seen, OFFLINE);
    expected.remove("Deployment/mobile/mobile-backend Changed .spec.replicas (kubectl)");
    assert_drift(&compared, &expected);
    let gap = FactGap {
        what: "compare 1 HorizontalPodAutoscaler.autoscaling".to_owned(),
        reason: "not you".to_owned(),
    };
    assert_eq!(compared.gaps, [gap]);
}

/// The server refuses a dry run through a webhook that has side effects: such an object is compared without, and that is said. Servers since
/// 1.22 take no new webhook of that sort, but keep those they have; so the refusal comes from a proxy, in the server's words.
#[test]
fn an_object_behind_a_webhook_with_side_effects_is_compared_offline() {
    let plane = fresh();
    let shop = Repo::with(&[(
        "shop.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: behind, namespace: shop}\ndata: {a: \"1\"}\n\
         ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: changed, namespace: shop}\ndata: {a: \"1\"}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: beside, namespace: shop}\n",
    )]);
    restore(&plane, shop.path(), &[]);
    let set = declares(&plane.connect(), shop.path(), &[]);
    let changed = json!({"data": {"a": "2"}});
    let path = "/api/v1/namespaces/shop/configmaps/changed?fieldManager=kubectl-edit";
    send(&plane, "PATCH", path, "application/merge-patch+json", &changed);
    let proxy = wait(FaultProxy::start(&std::path::PathBuf::from(plane.kubeconfig())));
    let said = "admission webhook \"books.example.com\" does not support dry run";
    proxy.set([Fault::on("PATCH", "/configmaps/", Act::Status(400, "BadRequest", said, 0)).times(1000)]);
    let compared = compare(&through(&proxy), &set, DRY_RUN);
    let method = |name: &str| {
        let found = compared.comparisons.iter().find(|(id, _)| id.name == name);
        found.unwrap_or_else(|| panic!("{name} is compared")).1.method.clone()
    };
    for name in ["behind", "changed"] {
        let method = method(name);
        assert!(
            matches!(&method, Method::Offline(why) if why.contains("does not support dry run")),
            "{name}: {method:?}"
        );
    }
    assert_eq!(method("beside"), Method::DryRun, "others are compared as ever");
    let expected = "ConfigMap/shop/changed Changed .data.a (kubectl-edit)".to_owned();
    assert_eq!(drift(&compared), BTreeSet::from([expected]));
}

#[test]
fn what_kubectl_applied_is_compared_as_kubectl_would() {
    let plane = fresh();
    restore(&plane, &root("fixtures/jx-mini"), &[]);
    let proxy = wait(FaultProxy::start(plane.kubeconfig().as_ref()));
    let cluster = through(&proxy);
    let set = declares(&cluster, &root("fixtures/jx-mini"), &[]);
    assert!(
        set.objects
            .iter()
            .all(|declared| matches!(declared.writer, Writer::ClientSide(_)))
    );
    proxy.clear_log();
    for options in [DRY_RUN, OFFLINE] {
        let compared = compare(&cluster, &set, options);
        // One is declared in a version that is not served and cannot be rewritten; it is not there.
        assert_eq!(compared.comparisons.len(), set.objects.len() - 1);
        assert_eq!(compared.gaps, []);
        assert_eq!(drift(&compared), BTreeSet::new());
        let count = requests(&proxy, "kubectl-client-side-apply");
        assert_eq!(count.get("PATCH"), None, "because kubectl would send nothing");
    }
    // Somebody applied a manifest of their own, with more in it than Git has; and somebody edited.
    let declared = set.objects.iter().find(|one| one.id.is("apps", "Deployment"));
    let declared = declared.expect("because jx-mini has one");
    let manager = declared.writer.manager();
    let namespace = declared.id.namespace.as_deref().expect("because it is namespaced");
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{}", declared.id.name);
    let mut theirs = declared.manifest.value().clone();
    theirs["spec"]["template"]["spec"]["hostPID"] = json!(true);
    let memory = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": theirs.to_string()}},
        "spec": {"template": {"spec": {"hostPID": true}}}});
    let form = "application/strategic-merge-patch+json";
    send(
        &plane,
        "PATCH",
        &format!("{path}?fieldManager={manager}"),
        form,
        &memory,
    );
    let edit = json!({"spec": {"minReadySeconds": 7}});
    send(
        &plane,
        "PATCH",
        &format!("{path}?fieldManager=kubectl-edit"),
        form,
        &edit,
    );
    let expected = [
        format!("{} Added .spec.minReadySeconds (kubectl-edit)", declared.id),
        format!("{} Added .spec.template.spec.hostPID ({manager})", declared.id),
    ];
    for options in [DRY_RUN, OFFLINE] {
        assert_drift(&compare(&cluster, &set, options), &expected.clone().into());
    }
    created_by_hand(&plane, &cluster, &proxy);
    // Once it is there it cannot be compared.
    let budget = json!({"metadata": {"name": "kitchen"}, "spec": {"minAvailable": 1, "selector": {}}});
    send(
        &plane,
        "POST",
        "/apis/policy/v1/namespaces/shop/poddisruptionbudgets",
        "application/json",
        &budget,
    );
    let gap = FactGap {
        what: "compare 1 PodDisruptionBudget.policy".to_owned(),
        reason: "declared as policy/v1beta1, which is not served".to_owned(),
    };
    assert_eq!(compare(&cluster, &set, OFFLINE).gaps, [gap]);
}

/// Whoever creates an object owns the server's defaults too: only the server can tell them from what was added.
fn created_by_hand(plane: &Plane, cluster: &Cluster, proxy: &FaultProxy) {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "size": {"type": "integer"}, "colour": {"type": "string", "default": "red"}, "shape": {"type": "string", "default": "round"}}}}});
    let crd = json!({"metadata": {"name": "things.audit.refloat.test"}, "spec": {"group": "audit.refloat.test", "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    send(plane, "POST", crds, "application/json", &crd);
    let things = "/apis/audit.refloat.test/v1/namespaces/default/things";
    let api = plane.api();
    let serves = || wait(api.get(things)).is_ok_and(|answer| answer.is_success());
    for _ in 0..100 {
        if serves() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let thing = json!({"apiVersion": "audit.refloat.test/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"size": 1, "shape": "square"}});
    let path = format!("{things}?fieldManager=kubectl-create");
    send(plane, "POST", &path, "application/json", &thing);
    let repo = Repo::with(&[(
        "thing.yaml",
        "apiVersion: audit.refloat.test/v1\nkind: Thing\nmetadata: {name: t, namespace: default}\nspec: {size: 1}\n",
    )]);
    let set = declares(cluster, repo.path(), &[]);
    proxy.clear_log();
    let compared = compare(cluster, &set, DRY_RUN);
    let found = ["Thing/default/t Added .spec.shape (kubectl-create)".to_owned()];
    assert_drift(&compared, &found.clone().into());
    assert!(compared.comparisons.values().all(|one| one.method == Method::DryRun));
    assert_eq!(requests(proxy, "refloat").get("PUT"), Some(&1));
    // Where that is not allowed it is said, and nothing is taken for a default that is not known as one.
    proxy.set([Fault::on(
        "PUT",
        "/things/",
        Act::Status(403, "Forbidden", "not you", 0),
    )]);
    let compared = compare(cluster, &set, DRY_RUN);
    let both = [
        "Thing/default/t Added .spec.colour (kubectl-create)".to_owned(),
        found[0].clone(),
    ];
    assert_drift(&compared, &both.into());
    let method = compared.comparisons.values().map(|one| &one.method).next();
    assert_eq!(method, Some(&Method::Offline("no dry run: not you".to_owned())));
}

#[test]
fn real_repositories_are_clean_after_a_restore() {
    for (name, paths) in [
        (
            "bank-of-anthos",
            ["kubernetes-manifests", "extras/jwt/jwt-secret.yaml"].as_slice(),
        ),
        ("jx3-eagle", &["config-root"]),
    ] {
        let Some((_folder, clone)) = case(name) else { continue };
        let plane = fresh();
        restore(&plane, &clone, paths);
        let cluster = plane.connect();
        let set = declares(&cluster, &clone, paths);
        for options in [DRY_RUN, OFFLINE] {
            let compared = compare(&cluster, &set, options);
            assert!(compared.comparisons.len() > 20, "{name}");
            assert_eq!(drift(&compared), BTreeSet::new(), "{name} {options:?}");
            let offline = compared.comparisons.values().filter(|one| one.method != Method::DryRun);
            let offline: BTreeSet<_> = offline.map(|one| format!("{:?}", one.method)).collect();
            assert!(offline.is_empty() || !options.dry_run, "{name}: {offline:#?}");
        }
    }
}
