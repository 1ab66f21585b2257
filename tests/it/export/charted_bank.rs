//! The round trip of mobile-bank where a chart makes it: by itself, and released by Flux. What a value decides goes into the value, all
//! else behind the chart or into its templates.

use refloat::control_plane::Options;

use super::round_trip::gone;
use super::{committed, encrypted_apart, rules, run_with};
use crate::audit::root;
use crate::audit::whole::{act, table};
use crate::snapshot::key;
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};
use crate::support::tools::at_hand;

const HELM: [&str; 1] = ["helm"];

/// What the chart takes from values: file, what it says there, what the template says instead.
const TAKEN: &[(&str, &str, &str)] = &[
    (
        "apps/mobile/web.yaml",
        "  replicas: 2\n",
        "  replicas: {{ .Values.web.replicas }}\n",
    ),
    (
        "apps/mobile/web.yaml",
        "image: registry.example.com/bank/web:5.2.1",
        "image: {{ .Values.registry }}/web:{{ .Values.web.tag }}",
    ),
    (
        "apps/payments/card-gateway.yaml",
        "  replicas: 2\n",
        "  replicas: {{ .Values.cardGateway.replicas }}\n",
    ),
    (
        "apps/payments/card-gateway.yaml",
        "/bank/card-gateway:2.0.5",
        "/bank/card-gateway:{{ .Values.cardGateway.tag | default \"latest\" }}",
    ),
    (
        "apps/payments/config.yaml",
        "http://card-gateway.payments.svc:8080",
        "http://{{ .Values.cardGateway.host }}:8080",
    ),
    (
        "apps/payments/api.yaml",
        "  minReplicas: 3\n",
        "  minReplicas: {{ .Values.payments.minReplicas }}\n",
    ),
    (
        "apps/data/database.yaml",
        "image: registry.example.com/bank/database:16.4",
        "{{- with .Values.database.image }}\n          image: \"{{ $.Values.registry }}/{{ .repository }}:{{ .tag }}\"\n          {{- end }}",
    ),
    (
        "infrastructure/namespaces/quotas.yaml",
        "    pods: \"80\"\n",
        "    pods: {{ .Values.mobile.pods | quote }}\n",
    ),
];

/// The values of the chart.
const VALUES: &str = "# Where all images are.
registry: registry.example.com/bank
web:
  replicas: 2 # one a zone
  tag: 5.2.1
cardGateway:
  replicas: 2
  tag: 2.0.5 # tested
  host: card-gateway.payments.svc
payments:
  minReplicas: 3
database:
  image: {repository: database, tag: '16.4'}
mobile:
  pods: 80
";

/// mobile-bank as the templates of a chart in `charts/bank`, but for the Secret that is going to be changed: it is encrypted, beside the
/// chart.
fn chart(repo: &Repo, recipient: &str) {
    let bank = Repo::of_folder(&root("fixtures/mobile-bank/clusters/production"));
    let mut taken = 0;
    for file in bank.git(&["ls-files"]).lines() {
        let text = std::fs::read_to_string(bank.path().join(file));
        let mut text = text.expect("because it was listed");
        if file == "apps/payments/config.yaml" {
            let (others, sealed) = encrypted_apart(&text, recipient);
            repo.write("secrets/credentials.yaml", &sealed);
            text = others;
        }
        for (_, now, instead) in TAKEN.iter().filter(|(of, _, _)| *of == file) {
            assert_eq!(text.matches(now).count(), 1, "{file}: {now}");
            text = text.replace(now, instead);
            taken += 1;
        }
        let target = match file.ends_with("/crds.yaml") {
            true => "charts/bank/crds/bank.yaml".to_owned(),
            false => format!("charts/bank/templates/{file}"),
        };
        let text = match file {
            "apps/mobile/web.yaml" => format!("{{{{- if .Values.web }}}}\n{text}{{{{- end }}}}\n"),
            _ => text,
        };
        repo.write(&target, &text);
    }
    assert_eq!(taken, TAKEN.len());
    repo.write(
        "charts/bank/Chart.yaml",
        "apiVersion: v2\nname: bank\nversion: 1.0.0\ndescription: The bank.\n",
    );
    repo.write("charts/bank/values.yaml", VALUES);
    repo.write(".sops.yaml", &rules(recipient));
}

fn run(command: &str, plane: &Plane, repo: &Repo, more: &[&str]) -> Ran {
    run_with(&HELM, command, plane, repo.path(), more)
}

fn restore(plane: &Plane, repo: &Repo, args: &[&str]) {
    let more = ["--old-cluster-is-gone", "--timeout", "10s", "--soft-wait", "1s"];
    let ran = run("restore", plane, repo, &[args, &more].concat());
    assert!(matches!(ran.code, 0 | 3), "{}\n{}", ran.stdout, ran.stderr);
    // It held back what would have undone it.
    let kubeconfig = plane.kubeconfig();
    let resumed = refloat(["resume", "--kubeconfig", &kubeconfig]).run();
    assert!(matches!(resumed.code, 0 | 3), "{}\n{}", resumed.stdout, resumed.stderr);
}

/// That nothing there is otherwise than it is declared.
#[track_caller]
fn clean(plane: &Plane, repo: &Repo, args: &[&str]) {
    let audit = run("audit", plane, repo, args);
    assert_eq!(audit.code, 0, "{}\n{}", audit.stdout, audit.stderr);
}

/// A control plane in which it was restored, and all was done by hand that people do.
fn after_the_emergency(repo: &Repo, args: &[&str]) -> Option<Plane> {
    at_hand("kubectl").then_some(())?;
    let plane = fresh_with(Options {
        simulate: vec![root("fixtures/simulate/bank-operator.yaml")],
        ..Options::default()
    });
    restore(&plane, repo, args);
    clean(&plane, repo, args);
    for (index, line) in table().iter().enumerate() {
        act(&plane, index + 1, line);
    }
    Some(plane)
}

/// Exports, commits, and applies the commit as its engine would: then the audit finds nothing, and the next export has nothing to do.
fn comes_back(plane: &Plane, repo: &Repo, args: &[&str]) -> (String, String) {
    let write = [args, &["--write"]].concat();
    let (diff, ran) = committed(&HELM, plane, repo, &write, 0);
    restore(plane, repo, args);
    clean(plane, repo, args);
    let again = run("export", plane, repo, &write);
    assert!(again.stdout.contains("0 files changed"), "{}", again.stdout);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    (diff, ran.stdout)
}

#[test]
fn a_chart_takes_what_was_done_by_hand() {
    let repo = Repo::new();
    let (private, public) = key();
    chart(&repo, &public);
    repo.commit("the bank as a chart");
    let private = private.display().to_string();
    let args = [
        "--path",
        "charts/bank",
        "--path",
        "secrets",
        "--decryption-key",
        &private,
    ];
    let Some(plane) = after_the_emergency(&repo, &args) else {
        return;
    };
    let (diff, told) = comes_back(&plane, &repo, &args);
    for line in [
        "-  replicas: 2 # one a zone\n+  replicas: 5 # one a zone",
        "-  tag: 2.0.5 # tested\n-  host: card-gateway.payments.svc\n+  tag: 2.0.6-hotfix # tested\n+  host: card-gateway.elsewhere.svc",
        "+  image: {repository: postgres, tag: 'hotfix'}",
        "+  pods: 99",
        "+  minReplicas: 9",
    ] {
        assert!(diff.contains(line), "{line}\n{diff}\n{told}");
    }
    insta::assert_snapshot!(gone(&diff), @r#"
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
    -  credentialsSecret: payments-credentials
    -apiVersion: bank.example.com/v1
    -kind: PaymentRail
    -metadata:
    -  name: batch
    -  namespace: payments
    -  labels:
    -    app.kubernetes.io/name: payments-api
    -    app.kubernetes.io/component: rail
    -    app.kubernetes.io/part-of: mobile-bank
    -spec:
    -  protocol: batch
    -  endpoint: https://batch.clearing.example
    -    app.kubernetes.io/part-of: mobile-bank
    -    verbs: [update, patch]
    -  replicas: 2 # one a zone
    -  tag: 2.0.5 # tested
    -  host: card-gateway.payments.svc
    -  minReplicas: 3
    -  image: {repository: database, tag: '16.4'}
    -  pods: 80
    -    db-password: …
    -    lastmodified: …
    -    mac: …
    "#);
}

#[test]
fn a_release_of_flux_takes_what_was_done_by_hand() {
    let repo = Repo::new();
    let (private, public) = key();
    chart(&repo, &public);
    for file in ["gotk-components.yaml", "gotk-sync.yaml", "kustomization.yaml"] {
        let path = format!("clusters/production/flux-system/{file}");
        let text = std::fs::read_to_string(root("fixtures/flux-shop").join(&path));
        repo.write(&path, &text.expect("because the fixture has it"));
    }
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: bank
  namespace: flux-system
spec:
  interval: 30m
  chart:
    spec:
      chart: ./charts/bank
      sourceRef:
        kind: GitRepository
        name: flux-system
  values:
    web:
      replicas: 2 # as long as nobody comes
    cardGateway: {tag: 2.0.5}
";
    repo.write("clusters/production/bank.yaml", release);
    let secrets = "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: secrets
  namespace: flux-system
spec:
  interval: 30m
  path: ./secrets
  prune: true
  decryption: {provider: sops}
  sourceRef:
    kind: GitRepository
    name: flux-system
";
    repo.write("clusters/production/secrets.yaml", secrets);
    repo.commit("the bank as a release");
    let private = private.display().to_string();
    let args = ["--path", "clusters/production", "--decryption-key", &private];
    let Some(plane) = after_the_emergency(&repo, &args) else {
        return;
    };
    let (diff, told) = comes_back(&plane, &repo, &args);
    for line in [
        "+      replicas: 5 # as long as nobody comes",
        "+    cardGateway: {tag: 2.0.6-hotfix}",
        "+  host: card-gateway.elsewhere.svc",
        "+  postRenderers:",
    ] {
        assert!(diff.contains(line), "{line}\n{diff}\n{told}");
    }
    insta::assert_snapshot!(gone(&diff), @r#"
    -  host: card-gateway.payments.svc
    -  minReplicas: 3
    -  image: {repository: database, tag: '16.4'}
    -  pods: 80
    -      replicas: 2 # as long as nobody comes
    -    cardGateway: {tag: 2.0.5}
    -    db-password: …
    -    lastmodified: …
    -    mac: …
    "#);
}
