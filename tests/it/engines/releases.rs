//! Flux: HelmReleases, with charts from the repository and from elsewhere, as helm-controller would install them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use insta::assert_snapshot;
use refloat::declared::helm::{Charts, Configuration};
use refloat::declared::{Known, Options};
use refloat::object::{DeclaredSet, Hook, ObjectId, ReadyWhen, Writer};
use refloat::plan::{self, PlanOptions};
use serde_json::{Value, json};

use super::{facts, kustomization, load_with, objects, problems};
use crate::charts::packed;
use crate::support::repo::Repo;
use crate::support::run::{refloat, tool_folder};
use crate::support::web::{Answer, Web};

const CANARY: &str = "canary-7f3a";

/// Templates that show what they are rendered with.
const OBJECTS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-config}\n\
    data:\n  colour: {{ .Values.colour | quote }}\n  size: {{ .Values.size | quote }}\n  chart: {{ .Chart.Name }}-{{ .Chart.Version }}\n\
    ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\n\
    spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: 'web:1'}]}\n\
    ---\napiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData: {password: {{ .Values.password | quote }}}\n\
    {{- if .Capabilities.APIVersions.Has \"monitoring.example.com/v1/Monitor\" }}\n\
    ---\napiVersion: monitoring.example.com/v1\nkind: Monitor\nmetadata: {name: {{ .Release.Name }}}\n{{- end }}\n";
const HOOK: &str = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: {{ .Release.Name }}-init, annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '2'}}\n\
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'}]}}}\n";
const VALUES: &str = "colour: red\nsize: small\npassword: none\n";
const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: monitors.monitoring.example.com}\n\
    spec:\n  group: monitoring.example.com\n  scope: Namespaced\n  names: {kind: Monitor, plural: monitors, singular: monitor}\n\
    \x20 versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n";

fn release(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  interval: 1h\n{spec}"
    )
}

fn repository(more: &[(&str, &str)]) -> Repo {
    let mut files = vec![
        ("clusters/prod/apps.yaml", kustomization("apps", "./apps", "")),
        (
            "apps/settings.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {values.yaml: 'size: large'}\n".to_owned(),
        ),
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n".to_owned()),
        ("charts/web/values.yaml", VALUES.to_owned()),
        ("charts/web/templates/objects.yaml", OBJECTS.to_owned()),
        ("charts/web/templates/hook.yaml", HOOK.to_owned()),
    ];
    files.extend(more.iter().map(|(path, text)| (*path, (*text).to_owned())));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &**text)).collect();
    Repo::with(&files)
}

fn options(known: Known) -> Options {
    Options {
        helm: Some(tool_folder("helm").join("helm")),
        inputs: known,
        charts: Arc::new(Charts::new(None, Vec::new(), Configuration::default(), false)),
        ..Options::default()
    }
}

fn read(repo: &Repo, known: Known) -> DeclaredSet {
    load_with(repo, "clusters/prod", options(known))
}

const LOCAL: &str = "  chart: {spec: {chart: ./charts/web, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}}\n";

#[test]
fn a_chart_of_the_repository_is_released_as_its_controller_would() {
    let spec = format!(
        "{LOCAL}  targetNamespace: prod\n  install: {{createNamespace: true}}\n  dependsOn: [{{name: db}}]\n\
         \x20 commonMetadata: {{labels: {{team: shop}}}}\n  valuesFrom: [{{kind: ConfigMap, name: settings}}, {{kind: Secret, name: secrets, valuesKey: pw, targetPath: password}}]\n\
         \x20 values: {{colour: blue}}\n\
         \x20 postRenderers:\n  - kustomize:\n      patches:\n      - target: {{kind: Deployment}}\n        patch: |\n          - {{op: add, path: /spec/replicas, value: 3}}\n      images: [{{name: web, newTag: '2'}}]\n"
    );
    let repo = repository(&[("apps/web.yaml", &release("web", &spec))]);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secrets", "namespace": "shop"}, "stringData": {"pw": CANARY}});
    let id = ObjectId::new("", "Secret", Some("shop"), "secrets");
    let set = read(&repo, Known::from([(id.clone(), Some(secret))]));
    assert_eq!(
        problems(&set),
        [
            "apps/web.yaml:1: HelmRelease/shop/web: it does not wait for HelmRelease/shop/db, on which it depends: nothing of that name is declared"
        ]
    );
    let objects = objects(&set);
    let config = objects["ConfigMap/prod/prod-web-config"];
    assert_eq!(
        config["data"],
        json!({"colour": "blue", "size": "large", "chart": "web-0.1.0"})
    );
    assert_eq!(
        config["metadata"]["labels"],
        json!({
            "app.kubernetes.io/managed-by": "Helm", "team": "shop",
            "helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop",
        })
    );
    assert_eq!(
        config["metadata"]["annotations"],
        json!({"meta.helm.sh/release-name": "prod-web", "meta.helm.sh/release-namespace": "prod"})
    );
    let web = objects["Deployment/prod/prod-web"];
    assert_eq!(web["spec"]["replicas"], 3);
    assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], "web:2");
    assert_eq!(objects["Secret/prod/prod-web"]["data"]["password"], "Y2FuYXJ5LTdmM2E=");
    assert_eq!(objects["Namespace/prod"]["metadata"]["labels"], json!({"name": "prod"}));
    let declared = |id: &str| {
        let found = set.objects.iter().find(|one| one.id.to_string() == id);
        found.expect("because it is declared")
    };
    let job = declared("Job/prod/prod-web-init");
    assert_eq!(
        job.hook,
        Some(Hook {
            after: false,
            weight: 2
        })
    );
    assert_eq!(job.writer, Writer::ServerSide("helm-controller".to_owned()));
    let labels = &job.manifest.value()["metadata"]["labels"];
    assert_eq!(
        labels["helm.toolkit.fluxcd.io/name"], "web",
        "hooks are post-rendered too"
    );
    assert_eq!(
        declared("Deployment/prod/prod-web").provenance.file,
        "charts/web/templates/objects.yaml"
    );
    let unit = &set.units[declared("Deployment/prod/prod-web").unit.0];
    let engine = unit.engine.as_ref().expect("because it is one of an engine");
    assert_eq!(unit.name, "HelmRelease/shop/web");
    assert_eq!(engine.ready, ReadyWhen::Healthy);
    assert_eq!(engine.after[0].to_string(), "HelmRelease/shop/db");
    assert!(set.wanted.is_empty());
    // Where the Secret is not there, nothing is rendered, and certainly not with an empty password.
    let without = read(&repo, Known::from([(id, None)]));
    assert_snapshot!(problems(&without).join("\n"), @r"
    apps/web.yaml:1: HelmRelease/shop/web: it does not wait for HelmRelease/shop/db, on which it depends: nothing of that name is declared
    apps/web.yaml:1: HelmRelease/shop/web: nothing of this HelmRelease is restored: its values come from Secret/shop/secrets, which is neither declared nor in the cluster
    ");
    assert!(super::objects(&without).contains_key("HelmRelease/shop/web"));
}

#[test]
fn charts_from_elsewhere_see_the_apis_of_the_whole_set() {
    let files = |name: &str| {
        let all = [
            ("values.yaml", VALUES),
            ("values-prod.yaml", "colour: green\n"),
            ("templates/objects.yaml", OBJECTS),
        ];
        packed(name, "1.4.2", &all)
    };
    let (web, monitors) = (
        files("web"),
        packed(
            "monitors",
            "2.0.0",
            &[
                ("crds/monitor.yaml", CRD),
                (
                    "crds/other.yaml",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray}\n",
                ),
            ],
        ),
    );
    let served = Web::start(move |asked| match asked.path.as_str() {
        "/index.yaml" => Answer::ok(
            "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 1.4.2, urls: [web.tgz]}\n  - {name: web, version: 2.0.0, urls: [no.tgz]}\n  monitors:\n  - {name: monitors, version: 2.0.0, urls: [monitors.tgz]}\n",
        ),
        "/web.tgz" => Answer::ok(web.clone()),
        "/monitors.tgz" => Answer::ok(monitors.clone()),
        _ => Answer::status(404),
    });
    let source = format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {{name: charts, namespace: shop}}\nspec: {{url: '{}'}}\n",
        served.address
    );
    let chart = |name: &str, version: &str, more: &str| {
        format!(
            "  chart: {{spec: {{chart: {name}, version: '{version}', sourceRef: {{kind: HelmRepository, name: charts}}{more}}}}}\n"
        )
    };
    let repo = repository(&[
        ("apps/source.yaml", &source),
        (
            "apps/a.yaml",
            &release(
                "a",
                &chart("web", "^1.0", ", valuesFiles: [values.yaml, values-prod.yaml]"),
            ),
        ),
        ("apps/b.yaml", &release("b", &chart("monitors", "*", ""))),
        ("apps/c.yaml", &release("c", &chart("web", ">=3.0", ""))),
        (
            "apps/d.yaml",
            &release("d", "  chartRef: {kind: OCIRepository, name: nowhere}\n"),
        ),
        (
            "apps/e.yaml",
            &release("e", &format!("{LOCAL}  kubeConfig: {{secretRef: {{name: far}}}}\n")),
        ),
        ("apps/f.yaml", &release("f", &format!("{LOCAL}  values: [no map]\n"))),
    ]);
    let set = read(&repo, Known::new());
    let objects = objects(&set);
    assert_eq!(
        objects["ConfigMap/shop/a-config"]["data"],
        json!({"colour": "green", "size": "small", "chart": "web-1.4.2+1"})
    );
    assert!(
        objects.contains_key("Monitor/shop/a"),
        "the definition comes with another release"
    );
    let definition = objects["CustomResourceDefinition/monitors.monitoring.example.com"];
    assert_eq!(definition["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"], "b");
    assert!(
        definition["metadata"]["labels"]
            .get("app.kubernetes.io/managed-by")
            .is_none()
    );
    assert!(
        !objects.contains_key("ConfigMap/shop/stray"),
        "crds folders are for definitions"
    );
    let places: BTreeMap<String, String> = set
        .objects
        .iter()
        .map(|one| (one.id.to_string(), one.provenance.place().to_string()))
        .collect();
    assert_eq!(places["Deployment/shop/a"], "apps/a.yaml:1");
    let told = problems(&set).join("\n").replace(&served.address, "http://charts");
    assert_snapshot!(told, @r"
    apps/c.yaml:1: HelmRelease/shop/c: nothing of this HelmRelease is restored: the chart web >=3.0 of http://charts/ is not at hand: no version satisfies >=3.0; the nearest are 2.0.0, 1.4.2
    apps/d.yaml:1: HelmRelease/shop/d: nothing of this HelmRelease is restored: nothing declares its source OCIRepository/shop/nowhere
    apps/e.yaml:1: HelmRelease/shop/e: nothing of this HelmRelease is restored: it is for another cluster (spec.kubeConfig)
    apps/f.yaml:1: HelmRelease/shop/f: nothing of this HelmRelease is restored: its values are no map
    ");
}

/// Source: source-controller (internal/controller/helmchart_controller.go: buildFromTarballArtifact).
#[test]
fn a_chart_that_is_packed_at_every_revision_has_the_commit_in_its_version() {
    let chart = |more: &str| {
        format!(
            "  chart: {{spec: {{chart: ./charts/web, reconcileStrategy: Revision{more}, sourceRef: {{kind: GitRepository, name: flux-system, namespace: flux-system}}}}}}\n"
        )
    };
    let repo = repository(&[
        ("apps/plain.yaml", &release("plain", &chart(""))),
        (
            "apps/valued.yaml",
            &release("valued", &chart(", valuesFiles: [charts/web/values.yaml]")),
        ),
        (
            "apps/given.yaml",
            &release("given", &chart("").replace("flux-system", "other")),
        ),
    ]);
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    let chart = folder.path().join("charts/web");
    std::fs::create_dir_all(&chart).expect("because the folder is ours");
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 0.1.0\n")
        .expect("because the folder is ours");
    let options = Options {
        sources: [(
            ("other".to_owned(), "other".to_owned()),
            folder.path().to_string_lossy().into_owned(),
        )]
        .into(),
        ..options(Known::new())
    };
    let set = load_with(&repo, "clusters/prod", options);
    let commit = set.repository.commit.clone().unwrap_or_default();
    let version = |name: &str| objects(&set)[&*format!("ConfigMap/shop/{name}-config")]["data"]["chart"].clone();
    assert_eq!(version("plain"), format!("web-0.1.0+{}", &commit[..12]));
    assert_eq!(version("valued"), format!("web-0.1.0+{}.1", &commit[..12]));
    let record = |name: &str| {
        let unit = set
            .units
            .iter()
            .find(|unit| unit.name == format!("HelmRelease/shop/{name}"));
        unit.and_then(|unit| unit.record.clone())
    };
    let by = |name: &str| record(name).map(|record| record.helm_chart.as_ref().map(ToString::to_string));
    assert_eq!(by("plain"), Some(None));
    assert_eq!(by("valued"), Some(Some("HelmChart/flux-system/shop-valued".to_owned())));
    // A plain folder has no commit.
    assert_eq!(by("given"), None);
    assert_eq!(
        problems(&set),
        [
            "apps/given.yaml:1: Helm will not know the release given: the version of its chart carries the revision of \
             GitRepository/other/other (reconcileStrategy: Revision), which is not known"
        ]
    );
}

/// What only earlier versions of the API have (helm-controller, `api/v2beta1`).
#[test]
fn older_versions_of_the_api_are_followed_too() {
    let spec = "  chart: {spec: {chart: ./charts/web, valuesFile: charts/web/first.yaml, valuesFiles: [charts/web/second.yaml], sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}}\n\
        \x20 postRenderers:\n  - kustomize:\n      patchesStrategicMerge:\n      - {apiVersion: v1, kind: ConfigMap, metadata: {name: web-config}, data: {merged: 'yes'}}\n\
        \x20     patchesJson6902:\n      - target: {version: v1, kind: ConfigMap, name: web-config}\n        patch: [{op: add, path: /data/added, value: 'yes'}]\n";
    let release = release("web", spec).replace("/v2\n", "/v2beta1\n");
    let repo = repository(&[
        ("apps/web.yaml", &release),
        ("charts/web/first.yaml", "colour: green\nsize: medium\npassword: none\n"),
        ("charts/web/second.yaml", "size: large\n"),
    ]);
    let set = read(&repo, Known::new());
    assert_eq!(problems(&set), Vec::<String>::new());
    assert_eq!(
        objects(&set)["ConfigMap/shop/web-config"]["data"],
        json!({"colour": "green", "size": "large", "chart": "web-0.1.0+1", "merged": "yes", "added": "yes"})
    );
}

#[test]
fn a_chart_that_looks_something_up_is_noted_and_nothing_wrong() {
    const LOOKUP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: found}\n\
        data: {known: '{{ if lookup \"v1\" \"Secret\" \"shop\" \"web\" }}yes{{ else }}no{{ end }}'}\n";
    let render = |more: &[(&str, &str)]| {
        let release = release("web", LOCAL);
        let repo = repository(&[&[("apps/web.yaml", &*release)], more].concat());
        let repository = repo.path().as_os_str();
        let args = [
            "render".as_ref(),
            repository,
            "--path".as_ref(),
            "clusters/prod".as_ref(),
            "--strict".as_ref(),
        ];
        refloat(args).with_tools(&["helm"]).run()
    };
    let looking = render(&[("charts/web/templates/found.yaml", LOOKUP)]);
    assert_eq!(looking.code, 0, "{}", looking.stderr);
    assert!(
        looking.stdout.contains("known: \"no\"") || looking.stdout.contains("known: 'no'"),
        "{}",
        looking.stdout
    );
    let note = "note: charts/web/Chart.yaml: templates look up what is in the cluster, and are told that nothing is: templates/found.yaml";
    assert!(looking.stderr.contains(note), "{}", looking.stderr);
    // What is in doubt is refused all the same.
    let twice = render(&[(
        "apps/twice.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, name: b, namespace: shop}\n",
    )]);
    assert_eq!(twice.code, 1, "{}", twice.stderr);
}

#[test]
fn a_chart_given_by_hand_is_taken_instead() {
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    let file = folder.path().join("web.tgz");
    let chart = packed(
        "web",
        "9.9.9",
        &[("values.yaml", VALUES), ("templates/objects.yaml", OBJECTS)],
    );
    std::fs::write(&file, chart).expect("because the folder is ours");
    let spec = "  chart: {spec: {chart: web, version: '^1.0', sourceRef: {kind: HelmRepository, name: charts}}}\n";
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: charts, namespace: shop}\nspec: {url: 'https://charts.invalid'}\n";
    let repo = repository(&[("apps/source.yaml", source), ("apps/web.yaml", &release("web", spec))]);
    let given = vec![("shop/charts".to_owned(), file)];
    let options = Options {
        charts: Arc::new(Charts::new(None, given, Configuration::default(), false)),
        ..options(Known::new())
    };
    let set = load_with(&repo, "clusters/prod", options);
    assert_eq!(objects(&set)["ConfigMap/shop/web-config"]["data"]["chart"], "web-9.9.9");
    assert!(
        problems(&set)[0].contains("has the version 9.9.9, not ^1.0"),
        "{:?}",
        problems(&set)
    );
}

#[test]
fn a_release_starts_after_those_it_depends_on_and_its_object_comes_last() {
    let repo = repository(&[
        (
            "apps/web.yaml",
            &release("web", &format!("{LOCAL}  dependsOn: [{{name: db}}]\n")),
        ),
        ("apps/db.yaml", &release("db", LOCAL)),
    ]);
    let set = read(&repo, Known::new());
    assert_eq!(problems(&set), Vec::<String>::new());
    let plan = plan::build(&set, &facts(), &PlanOptions::default()).expect("because it has no ring");
    let position = |id: &str| plan.steps.iter().position(|step| step.id.to_string() == id).expect(id);
    assert!(position("Deployment/shop/db") < position("ConfigMap/shop/web-config"));
    assert!(position("Deployment/shop/web") < position("HelmRelease/shop/web"));
    assert!(
        position("Job/shop/web-init") < position("ConfigMap/shop/web-config"),
        "its hook runs first"
    );
}

#[test]
fn releases_that_depend_on_each_other_are_named() {
    let on = |other: &str| format!("{LOCAL}  dependsOn: [{{name: {other}}}]\n");
    let repo = repository(&[
        ("apps/web.yaml", &release("web", &on("db"))),
        ("apps/db.yaml", &release("db", &on("web"))),
    ]);
    let set = read(&repo, Known::new());
    let refused = plan::build(&set, &facts(), &PlanOptions::default()).map(|plan| plan.steps.len());
    let said = refused.expect_err("because they are in a ring").to_string();
    for text in [
        "wait for each other in a ring",
        "HelmRelease/shop/web",
        "HelmRelease/shop/db",
    ] {
        assert!(said.contains(text), "{text} in {said}");
    }
}

#[test]
fn what_an_installation_leaves_out_is_left_out_and_its_record_lies_where_it_says() {
    let chart = [("charts/web/crds/monitor.yaml", CRD)];
    let read_with = |more: &str| {
        let release = release("web", &format!("{LOCAL}{more}"));
        let repo = repository(&[&[("apps/web.yaml", &*release)], &chart[..]].concat());
        let set = read(&repo, Known::new());
        assert_eq!(problems(&set), Vec::<String>::new());
        set
    };
    let (definition, hook) = (
        "CustomResourceDefinition/monitors.monitoring.example.com",
        "Job/shop/web-init",
    );
    let has = |set: &DeclaredSet, id: &str| objects(set).contains_key(id);
    let whole = read_with("");
    assert!(has(&whole, definition) && has(&whole, hook));
    let record = |set: &DeclaredSet| {
        let records = set.units.iter().filter_map(|unit| unit.record.as_ref());
        let mut names = records.map(|record| (record.secret.id().to_string(), record.status.clone()));
        names.next().expect("because there is a release")
    };
    assert_eq!(record(&whole).0, "Secret/shop/sh.helm.release.v1.web.v1");
    let small = read_with("  install: {crds: Skip, disableHooks: true}\n  storageNamespace: flux-system\n");
    assert!(!has(&small, definition) && !has(&small, hook));
    assert!(has(&small, "Deployment/shop/web"));
    let (name, status) = record(&small);
    assert_eq!(name, "Secret/flux-system/sh.helm.release.v1.web.v1");
    assert_eq!(
        status.expect("because Flux keeps one")["storageNamespace"],
        "flux-system"
    );
}

#[test]
fn a_post_renderer_that_takes_all_annotations_keeps_the_object() {
    let replaced = "  postRenderers:\n  - kustomize:\n      patches:\n      - target: {kind: Deployment}\n        patch: |\n          - {op: replace, path: /metadata/annotations, value: {only: this}}\n\
        \x20     - target: {kind: Secret}\n        patch: |\n          $patch: delete\n          apiVersion: v1\n          kind: Secret\n          metadata: {name: web}\n";
    let repo = repository(&[("apps/web.yaml", &release("web", &format!("{LOCAL}{replaced}")))]);
    let set = read(&repo, Known::new());
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects = objects(&set);
    assert_eq!(
        objects["Deployment/shop/web"]["metadata"]["annotations"],
        json!({"only": "this", "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}),
        "Helm marks what it is given"
    );
    assert!(
        !objects.contains_key("Secret/shop/web"),
        "and what is deleted stays away"
    );
    let place = set
        .objects
        .iter()
        .find(|one| one.id.kind == "Deployment")
        .map(|one| one.provenance.file.clone());
    assert_eq!(place.as_deref(), Some("charts/web/templates/objects.yaml"));
}

#[test]
fn no_chart_is_rendered_again_that_would_come_out_the_same() {
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    let (program, log) = (folder.path().join("helm"), folder.path().join("log"));
    let helm = tool_folder("helm").join("helm");
    let script = format!(
        "#!/bin/sh\necho \"$2\" >> {}\nexec {} \"$@\"\n",
        log.display(),
        helm.display()
    );
    std::fs::write(&program, script).expect("because the folder is ours");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("because it is ours");
    let repo = repository(&[
        (
            "apps/blind.yaml",
            &release(
                "blind",
                "  chart: {spec: {chart: ./charts/blind, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}}\n",
            ),
        ),
        (
            "apps/random.yaml",
            &release(
                "random",
                "  chart: {spec: {chart: ./charts/random, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}}\n",
            ),
        ),
        ("apps/seeing.yaml", &release("seeing", LOCAL)),
        (
            "charts/blind/Chart.yaml",
            "apiVersion: v2\nname: blind\nversion: 0.1.0\n",
        ),
        ("charts/blind/crds/monitor.yaml", CRD),
        (
            "charts/blind/templates/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: blind}\n",
        ),
        (
            "charts/random/Chart.yaml",
            "apiVersion: v2\nname: random\nversion: 0.1.0\n",
        ),
        (
            "charts/random/templates/secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: random}\nstringData: {password: '{{ randAlphaNum 12 }}'}\n",
        ),
    ]);
    let options = Options {
        helm: Some(program),
        ..options(Known::new())
    };
    let renderings = Arc::clone(&options.renderings);
    let set = load_with(&repo, "clusters/prod", options.clone());
    assert_eq!(problems(&set), Vec::<String>::new());
    assert!(
        objects(&set).contains_key("Monitor/shop/seeing"),
        "the kind comes in another chart"
    );
    let random = set
        .objects
        .iter()
        .find(|one| one.id.name == "random" && one.id.kind == "Secret");
    assert_eq!(random.expect("because it is declared").generated, ["/data/password"]);
    let ran = || {
        let text = std::fs::read_to_string(&log).expect("because helm ran");
        let mut times = BTreeMap::new();
        text.lines()
            .for_each(|name| *times.entry(name.to_owned()).or_insert(0) += 1);
        times
    };
    let expected =
        BTreeMap::from([("blind", 1), ("random", 2), ("seeing", 2)].map(|(name, times)| (name.to_owned(), times)));
    assert_eq!(ran(), expected);
    // Neither is it in a second reading of the same run.
    let again = Options { renderings, ..options };
    let second = load_with(&repo, "clusters/prod", again);
    assert_eq!(ran(), expected);
    assert_eq!(objects(&second), objects(&set));
}

#[test]
fn what_hooks_leave_behind_goes_as_their_policies_say() {
    let hook = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: gone, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-succeeded}}\n\
        spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'}]}}}\n";
    let repo = repository(&[
        ("apps/web.yaml", &release("web", LOCAL)),
        ("charts/web/templates/gone.yaml", hook),
    ]);
    let set = read(&repo, Known::new());
    let options = PlanOptions {
        old_cluster_is_gone: true,
        ..PlanOptions::default()
    };
    let plan = plan::build(&set, &facts(), &options).expect("because it has no ring");
    let of_hook = plan.steps.iter().filter(|step| step.id.to_string() == "Job/shop/gone");
    let gates = of_hook.filter_map(|step| plan.gate(step.cleanup.as_ref()?.succeeded?));
    let gates: Vec<&str> = gates.map(|gate| &*gate.name).collect();
    assert_eq!(gates, ["HelmRelease/shop/web, all pre-install hooks"]);
}

/// Source: `github.com/santhosh-tekuri/jsonschema/v6` (kind/kind.go), which quotes what does not fit.
#[test]
fn what_a_schema_says_of_secret_values_does_not_tell_them() {
    const PIN: u64 = 48_151_623;
    let from = |key: &str| format!("{{kind: Secret, name: secrets, valuesKey: {key}, targetPath: {key}}}");
    let spec = format!(
        "{LOCAL}  valuesFrom: [{}, {}, {}]\n",
        from("password"),
        from("mail"),
        from("pin")
    );
    let schema = r#"{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {
        "password": {"pattern": "^[0-9]+$"}, "mail": {"format": "email"}, "pin": {"maximum": 100, "multipleOf": 10}}}"#;
    let repo = repository(&[
        ("apps/web.yaml", &release("web", &spec)),
        ("charts/web/values.schema.json", schema),
    ]);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secrets", "namespace": "shop"},
        "stringData": {"password": format!("it's: '{CANARY}' does not"), "mail": format!("{CANARY} is not valid"), "pin": PIN.to_string()}});
    let id = ObjectId::new("", "Secret", Some("shop"), "secrets");
    let told = problems(&read(&repo, Known::from([(id, Some(secret))]))).join("\n");
    for said in [
        "at '/password': it does not match pattern '^[0-9]+$'",
        "at '/mail': it has not the format that the schema asks for",
        "at '/pin'",
        "maximum: it does not fit 100",
        "multipleOf: it does not fit 10",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    for secret in [CANARY, "48151623", "48,151,623", "4.8151623"] {
        assert!(!told.contains(secret), "{told}");
    }
}

/// Source: helm-controller (internal/action/install.go: newInstall; upgrade.go: "auto" goes by the record).
#[test]
fn a_record_tells_how_the_release_was_applied() {
    for (install, method) in [
        ("", "ssa"),
        ("  install: {serverSideApply: true}\n", "ssa"),
        ("  install: {serverSideApply: false}\n", "csa"),
    ] {
        let repo = repository(&[("apps/web.yaml", &release("web", &format!("{LOCAL}{install}")))]);
        let set = read(&repo, Known::new());
        let record = set
            .units
            .iter()
            .find_map(|unit| unit.record.clone())
            .expect("because there is a release");
        let data = record.secret.value()["data"]["release"].as_str().unwrap_or_default();
        let decoded = |text: &[u8]| BASE64_STANDARD.decode(text).expect("because it is base64");
        let mut plain = String::new();
        let packed = decoded(&decoded(data.as_bytes()));
        GzDecoder::new(&*packed)
            .read_to_string(&mut plain)
            .expect("because it is packed");
        let release: Value = serde_json::from_str(&plain).expect("because it is JSON");
        assert_eq!(release["apply_method"], method, "{install}");
    }
}

#[test]
fn a_chart_whose_signature_is_to_be_verified_is_told() {
    let spec = "  chart: {spec: {chart: ./charts/web, verify: {provider: cosign}, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}}\n";
    let repo = repository(&[
        ("apps/web.yaml", &release("web", spec)),
        ("apps/other.yaml", &release("other", LOCAL)),
    ]);
    assert_eq!(
        problems(&read(&repo, Known::new())),
        [
            "apps/web.yaml:1: HelmRelease/shop/web: its spec.chart.spec.verify is not acted on: it is released without verifying the signature of its chart"
        ]
    );
}
