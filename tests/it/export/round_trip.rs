//! From hand-made changes to a repository that declares them: the next audit finds nothing but what was left out, and says so.

use refloat::control_plane::Options;
use serde_json::Value;

use super::deliver::{asked_and_refused, in_other_ways, rehearsed};
use super::{committed, encrypted_apart, rules, run};
use crate::audit::whole::{act, table};
use crate::audit::{bank, restore, root};
use crate::snapshot::key;
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::{Repo, case, git_in};
use crate::support::run::Ran;
use crate::support::tools::at_hand;

/// A control plane in which mobile-bank was restored, and all was done by hand that people do.
fn after_the_emergency() -> Option<Plane> {
    at_hand("kubectl").then_some(())?;
    let plane = bank();
    for (index, line) in table().iter().enumerate() {
        act(&plane, index + 1, line);
    }
    Some(plane)
}

/// The objects of a report.
pub(super) fn objects(ran: &Ran) -> Vec<String> {
    let report: Value = serde_json::from_str(&ran.stdout).expect("because it is a report");
    let findings = report["findings"].as_array().expect("because a report lists them");
    let name = |object: &Value| {
        let parts = ["kind", "namespace", "name"].map(|key| object[key].as_str());
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    };
    findings.iter().map(|one| name(&one["object"])).collect()
}

/// Exports, commits, and looks: the audit finds what could not be encrypted and nothing else, the next export has nothing to do, and of
/// the lines that are neither new nor gone none is another.
fn comes_back(plane: &Plane, repo: &Repo, args: &[&str], secrets: &[&str]) -> String {
    let write = [args, &["--write"]].concat();
    let (diff, ran) = committed(&[], plane, repo, &write, secrets.len());
    let audit = run("audit", plane, repo.path(), &[args, &["--output", "json"]].concat());
    assert_eq!(objects(&audit), secrets, "{}", ran.stdout);
    assert_eq!(audit.code, if secrets.is_empty() { 0 } else { 3 }, "{}", audit.stderr);
    let again = run("export", plane, repo.path(), &write);
    assert_eq!(again.code, audit.code, "{}", again.stderr);
    assert!(again.stdout.contains("0 files changed"), "{}", again.stdout);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    diff
}

/// Lines that went, without what SOPS makes anew each time.
pub(super) fn gone(diff: &str) -> String {
    let lines = diff
        .lines()
        .filter(|line| line.starts_with('-') && !line.starts_with("---"));
    let plain = |line: &str| match line.split_once(": ENC[").or_else(|| line.split_once(": \"20")) {
        Some((key, _)) => format!("{key}: …"),
        None => line.to_owned(),
    };
    lines.map(plain).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_was_done_by_hand_is_declared_and_the_next_audit_is_clean() {
    let Some(plane) = after_the_emergency() else { return };
    let repo = Repo::of_folder(&root("fixtures/mobile-bank"));
    in_other_ways(&plane, &repo);
    asked_and_refused(&plane, &repo);
    rehearsed(&plane, &repo);
    // In clear as they are there, values of Secrets are not written.
    let secrets = ["Secret/payments/partner-token", "Secret/payments/payments-credentials"];
    let diff = comes_back(&plane, &repo, &[], &secrets);
    // Fields that changed, three objects that were deleted, a list that is empty now.
    insta::assert_snapshot!(gone(&diff), @r#"
    -          image: registry.example.com/bank/database:16.4
    -apiVersion: policy/v1
    -kind: PodDisruptionBudget
    -metadata:
    -  name: bank-db
    -  namespace: data
    -  labels:
    -    app.kubernetes.io/name: bank-db
    -    app.kubernetes.io/component: database
    -    app.kubernetes.io/part-of: mobile-bank
    -spec:
    -  maxUnavailable: 1
    -  selector:
    -    matchLabels:
    -      app.kubernetes.io/name: bank-db
    -# Only the two services that own tables reach the database.
    -apiVersion: networking.k8s.io/v1
    -kind: NetworkPolicy
    -metadata:
    -  name: bank-db
    -  namespace: data
    -  labels:
    -    app.kubernetes.io/name: bank-db
    -    app.kubernetes.io/component: database
    -    app.kubernetes.io/part-of: mobile-bank
    -spec:
    -  podSelector:
    -    matchLabels:
    -      app.kubernetes.io/name: bank-db
    -  policyTypes: [Ingress]
    -  ingress:
    -    - from:
    -        - podSelector:
    -            matchLabels:
    -              app.kubernetes.io/name: bank-db
    -        - namespaceSelector:
    -            matchExpressions:
    -              - key: kubernetes.io/metadata.name
    -                operator: In
    -                values: [accounts, payments]
    -      ports:
    -        - port: 5432
    -    app.kubernetes.io/component: backend
    -  tls:
    -    - hosts: [api.bank.example.com, www.bank.example.com]
    -      secretName: bank-edge-tls
    -  replicas: 2
    -  minReplicas: 3
    -          image: registry.example.com/bank/card-gateway:2.0.5
    -  CARD_GATEWAY: http://card-gateway.payments.svc:8080
    -    - from:
    -        - podSelector: {}
    -        - namespaceSelector:
    -            matchExpressions:
    -              - key: kubernetes.io/metadata.name
    -                operator: In
    -                values: [mobile, monitoring]
    -      ports:
    -        - port: 8080
    -  dailyLimit: "25000000.00"
    -  name: batch
    -  labels:
    -    app.kubernetes.io/name: payments-api
    -    app.kubernetes.io/component: rail
    -    app.kubernetes.io/part-of: mobile-bank
    -  protocol: batch
    -  endpoint: https://batch.clearing.example
    -    app.kubernetes.io/part-of: mobile-bank
    -    verbs: [update, patch]
    -    pods: "80"
    "#);

    let (private, public) = key();
    let private = private.display().to_string();
    let layered = layered(&public);
    let args = ["--path", "clusters/production", "--decryption-key", &private];
    let diff = comes_back(&plane, &layered, &args, &[]);
    insta::assert_snapshot!(gone(&diff), @r#"
    -    db-password: …
    -    lastmodified: …
    -    mac: …
    -    newTag: 2.0.5 # tested
    -    count: 2
    -      - CARD_GATEWAY=http://card-gateway.payments.svc:8080 # inside
    -  minReplicas: 3 # one a zone
    "#);
    let files = layered.git(&["diff", "--name-only", "HEAD~1"]);
    assert!(
        files.lines().all(|file| file.starts_with("clusters/production/")),
        "{files}"
    );
}

/// What the overlay says of the base: a patch, an image, a number of replicas, a generator.
const OVERLAY: &str = "# The bank, as it runs.
resources:
  - ../../base
  - credentials.yaml
images:
  - name: registry.example.com/bank/card-gateway
    newTag: 2.0.5 # tested
replicas:
  - name: web
    count: 2
patches:
  - path: scaling.yaml
configMapGenerator:
  - name: payments-api
    namespace: payments
    literals:
      - DB_HOST=bank-db-0.bank-db.data.svc
      - CARD_GATEWAY=http://card-gateway.payments.svc:8080 # inside
    options:
      disableNameSuffixHash: true
      labels:
        app.kubernetes.io/name: payments-api
        app.kubernetes.io/component: api
        app.kubernetes.io/part-of: mobile-bank
";

/// mobile-bank as a base, the overlay that runs, with the Secret that is going to be changed encrypted, and another one that shares the base.
fn layered(recipient: &str) -> Repo {
    let bank = Repo::of_folder(&root("fixtures/mobile-bank/clusters/production"));
    let repo = Repo::new();
    let mut resources = String::new();
    for file in bank.git(&["ls-files"]).lines() {
        let text = std::fs::read_to_string(bank.path().join(file)).expect("because it was listed");
        let text = match file {
            "apps/payments/config.yaml" => {
                let (generated, rest) = text.split_once("---\n").expect("because it holds several");
                assert!(generated.contains("\n  CARD_GATEWAY: "), "{generated}");
                let (rest, sealed) = encrypted_apart(rest, recipient);
                repo.write("clusters/production/credentials.yaml", &sealed);
                rest
            }
            "apps/payments/api.yaml" => text.replace("  minReplicas: 3\n", "  minReplicas: 1\n"),
            "apps/mobile/web.yaml" => text.replace("  replicas: 2\n", "  replicas: 1\n"),
            _ => text,
        };
        repo.write(&format!("base/{file}"), &text);
        resources.push_str(&format!("  - {file}\n"));
    }
    repo.write("base/kustomization.yaml", &format!("resources:\n{resources}"));
    repo.write("clusters/production/kustomization.yaml", OVERLAY);
    repo.write(".sops.yaml", &rules(recipient));
    repo.write(
        "clusters/production/scaling.yaml",
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: payments-api, namespace: payments}\nspec:\n  minReplicas: 3 # one a zone\n",
    );
    let staging = "resources: [../../base]\nreplicas:\n  - {name: card-gateway, count: 1}\n";
    repo.write("clusters/staging/kustomization.yaml", staging);
    repo.commit("a base and two overlays");
    repo
}

/// What is done to bank-of-anthos past Git: object, command.
const TO_ANTHOS: &[(&str, &str)] = &[
    ("Deployment/default/frontend", "scale deployment frontend --replicas=3"),
    (
        "Deployment/default/contacts",
        "set image deployment/contacts *=registry.example.com/contacts:hotfix",
    ),
    (
        "Deployment/default/userservice",
        "set env deployment/userservice LOG_LEVEL=debug",
    ),
    (
        "Deployment/default/ledgerwriter",
        "set resources deployment/ledgerwriter --limits=memory=2Gi",
    ),
    (
        "StatefulSet/default/ledger-db",
        "label statefulset ledger-db looked-at=yes",
    ),
    ("Service/default/frontend", "annotate service frontend note=looked-at"),
    (
        "ConfigMap/default/environment-config",
        "patch configmap environment-config -p {\"data\":{\"LOCAL_ROUTING_NUM\":\"1\"}}",
    ),
    ("Service/default/balancereader", "delete service balancereader"),
    ("ConfigMap/default/made", "create configmap made --from-literal=a=b"),
    (
        "Deployment/default/tools",
        "create deployment tools --image=registry.example.com/tools:1",
    ),
    ("ServiceAccount/default/robot", "create serviceaccount robot"),
    (
        "RoleBinding/default/robot",
        "create rolebinding robot --clusterrole=view --serviceaccount=default:robot",
    ),
    (
        "Deployment/default/balancereader",
        "patch deployment balancereader --type=json -p [{\"op\":\"add\",\"path\":\"/spec/template/spec/hostNetwork\",\"value\":true}]",
    ),
    (
        "Deployment/default/transactionhistory",
        "patch deployment transactionhistory -p {\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"sniffer\",\"image\":\"registry.example.com/tools:1\"}]}}}}",
    ),
    (
        "Deployment/default/loadgenerator",
        "patch deployment loadgenerator --type=json -p [{\"op\":\"remove\",\"path\":\"/spec/template/spec/containers/0/resources/limits\"}]",
    ),
    (
        "StatefulSet/default/accounts-db",
        "set image statefulset/accounts-db *=registry.example.com/postgres:hotfix",
    ),
    ("Service/default/contacts", "label service contacts team-"),
    (
        "Service/default/userservice",
        "patch service userservice --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/ports/0/port\",\"value\":8081}]",
    ),
    (
        "Service/default/ledgerwriter",
        "annotate service ledgerwriter looked-at=yes",
    ),
    (
        "ServiceAccount/default/bank-of-anthos",
        "patch serviceaccount bank-of-anthos -p {\"automountServiceAccountToken\":false}",
    ),
    (
        "ConfigMap/default/service-api-config",
        "patch configmap service-api-config --type=json -p [{\"op\":\"remove\",\"path\":\"/data/CONTACTS_API_ADDR\"}]",
    ),
    (
        "ConfigMap/default/accounts-db-config",
        "patch configmap accounts-db-config -p {\"data\":{\"POSTGRES_DB\":\"other\"}}",
    ),
    (
        "ConfigMap/default/ledger-db-config",
        "label configmap ledger-db-config looked-at=yes",
    ),
    (
        "ConfigMap/default/demo-data-config",
        "delete configmap demo-data-config",
    ),
    ("Service/default/ledger-db", "delete service ledger-db"),
    ("Service/default/tools", "create service clusterip tools --tcp=80:8080"),
    (
        "CronJob/default/nightly",
        "create cronjob nightly --image=registry.example.com/tools:1 --schedule=@daily",
    ),
    (
        "Job/default/once",
        "create job once --image=registry.example.com/tools:1",
    ),
    (
        "Ingress/default/shop",
        "create ingress shop --rule=shop.example.com/*=frontend:80",
    ),
    ("Role/default/peek", "create role peek --verb=get --resource=secrets"),
    (
        "PodDisruptionBudget/default/front",
        "create poddisruptionbudget front --selector=app=frontend --min-available=1",
    ),
    ("ResourceQuota/default/compute", "create quota compute --hard=pods=99"),
    (
        "HorizontalPodAutoscaler/default/peaks",
        "autoscale deployment contacts --name=peaks --min=1 --max=3 --cpu-percent=80",
    ),
    ("PriorityClass/urgent", "create priorityclass urgent --value=1000"),
    ("Namespace/scratch", "create namespace scratch"),
    (
        "ClusterRole/peek",
        "create clusterrole peek --verb=get --resource=secrets",
    ),
    (
        "ClusterRoleBinding/contractor",
        "create clusterrolebinding contractor --clusterrole=peek --user=contractor@example.com",
    ),
    (
        "Pod/default/shell",
        "run shell --image=registry.example.com/tools:1 --restart=Never",
    ),
    (
        "Deployment/default/debug",
        "create deployment debug --image=registry.example.com/tools:1",
    ),
    (
        "Service/default/transactionhistory",
        "annotate service transactionhistory looked-at=yes",
    ),
];

#[test]
fn a_repository_of_others_takes_what_was_done_by_hand() {
    let (Some((_folder, clone)), true) = (case("bank-of-anthos"), at_hand("kubectl")) else {
        return;
    };
    assert!(TO_ANTHOS.len() >= 40, "40 different changes");
    let plane = fresh_with(Options::default());
    restore(&plane, &clone, &["kubernetes-manifests"]);
    for (_, command) in TO_ANTHOS {
        plane.kubectl(&command.split(' ').collect::<Vec<_>>(), "");
    }
    let git = |args: &[&str]| git_in(&clone, "2026-01-02T03:04:05Z", args);
    let path = ["--path", "kubernetes-manifests"];
    let ran = run("export", &plane, &clone, &[&path[..], &["--write"]].concat());
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    for (object, _) in TO_ANTHOS {
        assert!(
            ran.stdout.contains(&format!("\n  {object}")),
            "{object}\n{}",
            ran.stdout
        );
    }
    git(&["add", "-A"]);
    // So that a document which is new is not told as another one that changed in all its lines.
    let diff = git(&["diff", "--cached", "--patience"]);
    git(&["commit", "-q", "-m", "what was done by hand"]);
    let audit = run("audit", &plane, &clone, &path);
    assert_eq!(audit.code, 0, "{}\n{diff}", audit.stdout);
    // Fields that changed, and objects that were deleted: the licences above those stay.
    insta::assert_snapshot!(gone(&diff), @r#"
    -  POSTGRES_DB: accounts-db
    -          image: us-central1-docker.pkg.dev/bank-of-anthos-ci/bank-of-anthos/accounts-db:v0.6.10@sha256:d95c4094c75f69069b915ef3adc99a8f95e43077885140cdeeb90d807ea74eff
    -apiVersion: v1
    -kind: Service
    -metadata:
    -  labels:
    -    application: bank-of-anthos
    -    environment: development
    -    team: ledger
    -    tier: backend
    -  name: balancereader
    -spec:
    -  ports:
    -    - name: http
    -      port: 8080
    -      targetPort: 8080
    -  selector:
    -    app: balancereader
    -    application: bank-of-anthos
    -    environment: development
    -    team: ledger
    -    tier: backend
    -  type: ClusterIP
    -  LOCAL_ROUTING_NUM: "883745000"
    -  CONTACTS_API_ADDR: "contacts:8080"
    -kind: ConfigMap
    -metadata:
    -  name: demo-data-config
    -data:
    -  USE_DEMO_DATA: "True"
    -  DEMO_LOGIN_USERNAME: "testuser"
    -  # All demo user accounts are hardcoded to use the login password 'bankofanthos'
    -  DEMO_LOGIN_PASSWORD: "bankofanthos"
    -apiVersion: v1
    -    team: accounts
    -          image: us-central1-docker.pkg.dev/bank-of-anthos-ci/bank-of-anthos/contacts:v0.6.10@sha256:90d47594270e64f8dafa6da52c89ff70c2483cca0821dff2cc38b1450ac7a6b9
    -apiVersion: v1
    -kind: Service
    -metadata:
    -  labels:
    -    application: bank-of-anthos
    -    environment: development
    -    team: ledger
    -    tier: db
    -  name: ledger-db
    -spec:
    -  ports:
    -    - name: tcp
    -      port: 5432
    -      targetPort: 5432
    -  selector:
    -    app: ledger-db
    -    application: bank-of-anthos
    -    environment: development
    -    team: ledger
    -    tier: db
    -  type: ClusterIP
    -              memory: 512Mi
    -            limits:
    -              cpu: 250m
    -              memory: 1Gi
    -      port: 8080
    -              value: info
    "#);
    let again = run("export", &plane, &clone, &[&path[..], &["--write"]].concat());
    assert!(
        again.code == 0 && again.stdout.contains("0 files changed"),
        "{}",
        again.stdout
    );
    assert_eq!(git(&["status", "--porcelain"]), "");
}
