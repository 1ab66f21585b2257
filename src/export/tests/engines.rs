//! What engines add to kustomizations and charts.

use serde_json::json;

use super::*;

const FLUX: &[(&str, &str)] = &[
    (
        "clusters/prod/apps.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: one, namespace: flux-system}
spec:
  path: ./apps/web
  prune: true
  targetNamespace: one
  commonMetadata:
    labels: {team: shop}
  sourceRef: {kind: GitRepository, name: flux-system}
  images:
    - name: log
      newTag: '2' # with colours
  postBuild:
    substitute:
      REPLICAS: \"3\" # enough
      DOMAIN: shop.example.com
  patches:
    - target: {kind: Deploy.*, name: web}
      patch: |
        # Not now.
        - op: add
          path: /spec/paused
          value: false
    - patch: |
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec: {minReadySeconds: 5}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: two, namespace: flux-system}
spec:
  path: ./apps/web
  prune: true
  targetNamespace: two
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild:
    substitute: {REPLICAS: \"1\"}
",
    ),
    (
        "apps/web/web.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${REPLICAS}
  revisionHistoryLimit: 3
  template:
    spec:
      containers:
      - name: web
        image: web:1
        args: ['--host=www.${DOMAIN:=example.org}']
      - {name: log, image: 'log:1'}
",
    ),
];

#[test]
fn what_a_unit_of_flux_adds_is_edited_there() {
    let case = Case::files(FLUX, "clusters/prod");
    let web = "Deployment/one/web";
    let container = |name: &str, field: &str| format!(".spec.template.spec.containers[name={name}].{field}");
    for (path, value, expected) in [
        (
            &*container("log", "image"),
            json!("log:3"),
            &["-      newTag: '2' # with colours", "+      newTag: '3' # with colours"][..],
        ),
        (
            ".spec.replicas",
            json!(7),
            &["-      REPLICAS: \"3\" # enough", "+      REPLICAS: \"7\" # enough"],
        ),
        (
            &container("web", "args[0]"),
            json!("--host=www.other.example"),
            &["-      DOMAIN: shop.example.com", "+      DOMAIN: other.example"],
        ),
        (
            ".metadata.labels.team",
            json!("web"),
            &["-    labels: {team: shop}", "+    labels: {team: web}"],
        ),
        (
            ".spec.paused",
            json!(true),
            &["-          value: false", "+          value: true"],
        ),
        (
            ".spec.minReadySeconds",
            json!(9),
            &[
                "-        spec: {minReadySeconds: 5}",
                "+        spec: {minReadySeconds: 9}",
            ],
        ),
        (
            // What the folder says is for the other unit, too.
            ".spec.revisionHistoryLimit",
            json!(5),
            &[
                "+    - target:",
                "+        kind: Deployment",
                "+        name: web",
                "+      patch: |",
                "+        - op: replace",
                "+          path: /spec/revisionHistoryLimit",
                "+          value: 5",
            ],
        ),
    ] {
        let made = case.place(&[case.set(web, path, value)]);
        assert_eq!(reasons(&made), [], "{path}");
        let lines: Vec<String> = case.diff(&made);
        assert_eq!(lines[0], "clusters/prod/apps.yaml", "{path}");
        assert_eq!(lines[1..], *expected, "{path}");
        assert_eq!(made.side_effects, Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_unit_that_adds_nothing_yet_gets_a_patch() {
    let case = Case::files(FLUX, "clusters/prod");
    let made = case.place(&[case.set("Deployment/two/web", ".spec.revisionHistoryLimit", json!(5))]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    let patch = [
        "+  patches:",
        "+    - target:",
        "+        kind: Deployment",
        "+        name: web",
        "+      patch: |",
        "+        - op: replace",
        "+          path: /spec/revisionHistoryLimit",
        "+          value: 5",
    ];
    assert_eq!(case.diff(&made)[1..], patch);
    let made = case.place(&[Change::Remove {
        object: case.id("Deployment/one/web"),
    }]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    assert_eq!(
        case.diff(&made).last().map(String::as_str),
        Some("+        $patch: delete")
    );
}

#[test]
fn an_error_is_that_of_its_cause() {
    let case = Case::files(FLUX, "clusters/prod");
    let made = case.place(&[
        case.set("Deployment/two/web", ".spec.minReadySeconds", json!(5)),
        case.set("Kustomization/flux-system/one", ".spec.path", json!("./gone")),
        case.set("Deployment/one/web", ".spec.paused", json!(true)),
    ]);
    let placed: Vec<usize> = made.placed.iter().map(|placed| placed.change).collect();
    assert_eq!(placed, [0, 2], "{:?}", reasons(&made));
    let [(1, why)] = reasons(&made)[..] else {
        panic!("{:?}", reasons(&made));
    };
    assert!(why.starts_with("the repository would have an error more: "), "{why}");
}

const ARGO: &[(&str, &str)] = &[
    (
        "argocd/web.yaml",
        "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  destination: {server: https://kubernetes.default.svc, namespace: shop}
  source:
    repoURL: https://git.example.com/shop.git
    path: web
    kustomize:
      images: ['log=mirror.example/log:2', 'web:1.1']
      replicas:
        - {name: web, count: 2} # one a zone
      patches:
        - target: {kind: Deployment}
          patch: |-
            - op: add
              path: /spec/paused
              value: false
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: db, namespace: argocd}
spec:
  project: default
  destination: {server: https://kubernetes.default.svc, namespace: shop}
  source:
    repoURL: https://git.example.com/shop.git
    path: plain
",
    ),
    ("web/kustomization.yaml", "resources: [web.yaml]\n"),
    (
        "web/web.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - {name: web, image: 'web:1'}
      - {name: log, image: log}
",
    ),
    ("plain/kustomization.yaml", "namePrefix: my-\nresources: [db.yaml]\n"),
    (
        "plain/db.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\ndata: {a: b}\n",
    ),
];

#[test]
fn what_an_application_adds_is_edited_there() {
    let case = Case::files(ARGO, "argocd");
    let web = "Deployment/web";
    let image = |name: &str| format!(".spec.template.spec.containers[name={name}].image");
    let images = |log: &str, web: &str| format!("      images: ['{log}', '{web}']");
    let before = format!("-{}", images("log=mirror.example/log:2", "web:1.1"));
    for (path, value, expected) in [
        (
            &*image("log"),
            json!("mirror.example/log:3"),
            [
                before.clone(),
                format!("+{}", images("log=mirror.example/log:3", "web:1.1")),
            ],
        ),
        (
            &image("web"),
            json!("other:2"),
            [
                before.clone(),
                format!("+{}", images("log=mirror.example/log:2", "web=other:2")),
            ],
        ),
        (
            ".spec.replicas",
            json!(7),
            [
                "-        - {name: web, count: 2} # one a zone".to_owned(),
                "+        - {name: web, count: 7} # one a zone".to_owned(),
            ],
        ),
        (
            ".spec.paused",
            json!(true),
            [
                "-              value: false".to_owned(),
                "+              value: true".to_owned(),
            ],
        ),
    ] {
        let made = case.place(&[case.set(web, path, value)]);
        assert_eq!(reasons(&made), [], "{path}");
        assert_eq!(case.diff(&made)[1..], expected, "{path}");
        assert_eq!(made.side_effects, Vec::<String>::new(), "{path}");
    }
}
