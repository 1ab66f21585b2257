//! Argo CD: Applications and ApplicationSets, followed as its controllers would.

use std::sync::Arc;

use refloat::declared::helm::{Charts, Configuration};
use refloat::declared::{Known, Options};
use refloat::object::{DeclaredSet, ObjectId, ProblemKind, Turn, Writer};
use refloat::plan::{self, PlanOptions};
use serde_json::{Value, json};

use super::{facts, load_with, objects, problems};
use crate::charts::packed;
use crate::support::repo::Repo;
use crate::support::run::{refloat, tool_folder};
use crate::support::web::{Answer, Web};

pub(super) const URL: &str = "https://git.example.com/bank/shop.git";

pub(super) fn application(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  destination: {{server: 'https://kubernetes.default.svc', namespace: shop}}\n{spec}---\n"
    )
}

pub(super) fn source(path: &str, more: &str) -> String {
    format!("  source: {{repoURL: '{URL}', path: {path}{more}}}\n")
}

pub(super) fn config_map(name: &str, annotations: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n---\n")
}

pub(super) fn read(repo: &Repo, path: &str) -> DeclaredSet {
    let options = Options {
        helm: Some(tool_folder("helm").join("helm")),
        charts: Arc::new(Charts::new(None, Vec::new(), Configuration::default(), false)),
        inputs: Known::new(),
        ..Options::default()
    };
    load_with(repo, path, options)
}

fn turn(set: &DeclaredSet, id: &str) -> (i8, i64) {
    let found = set.objects.iter().find(|one| one.id.to_string() == id);
    let turn = found.unwrap_or_else(|| panic!("{id} is not declared")).turn;
    let Turn { phase, wave } = turn.unwrap_or_else(|| panic!("{id} has no turn"));
    (phase, wave)
}

/// An app of apps: plain manifests with waves and hooks, a kustomization with options, a chart.
fn repository() -> Repo {
    let wave = |wave: i64| format!("argocd.argoproj.io/sync-wave: '{wave}'");
    let hook = |hook: &str| format!("argocd.argoproj.io/hook: {hook}");
    let plain = [
        config_map("second", &wave(2)),
        config_map("first", &wave(-1)),
        config_map("before", &hook("PreSync")),
        config_map("after", &hook("PostSync")),
        config_map("among", &format!("{}, {}", hook("Sync"), wave(3))),
        config_map("never", &hook("Skip")),
        config_map("when-it-fails", &hook("SyncFail")),
        config_map("at-the-server", "argocd.argoproj.io/sync-options: ServerSideApply=true"),
    ]
    .concat();
    let apps = [
        application("plain", &format!("{}  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n", source("plain", ", directory: {exclude: '*.bak.yaml'}"))),
        application("built", &source("built", ", kustomize: {namePrefix: a-, images: ['web=registry.example.com/web:2']}"))
            .replace("namespace: argocd}", "namespace: argocd, annotations: {argocd.argoproj.io/sync-wave: '1'}}"),
        application("chart", &source("chart", ", helm: {valueFiles: [/values/prod.yaml, missing.yaml], ignoreMissingValueFiles: true, valuesObject: {size: 5}, parameters: [{name: colour, value: $ARGOCD_APP_NAME}]}")),
    ]
    .concat();
    Repo::with(&[
        ("root.yaml", &application("root", &source("apps", ""))),
        ("apps/apps.yaml", &apps),
        ("plain/all.yaml", &plain),
        ("plain/old.bak.yaml", &config_map("old", "")),
        ("plain/deep/not-read.yaml", &config_map("deep", "")),
        ("built/kustomization.yaml", "resources: [web.yaml]\n"),
        (
            "built/web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: web}]}\n",
        ),
        ("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n"),
        ("chart/values.yaml", "colour: red\nsize: 1\nshape: round\n"),
        ("values/prod.yaml", "shape: square\n"),
        (
            "chart/templates/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {all: '{{ .Values.colour }} {{ .Values.size }} {{ .Values.shape }}'}\n",
        ),
        (
            "chart/templates/hook.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: post-install, helm.sh/hook-weight: '3'}}\n",
        ),
        (
            "chart/templates/test.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: test, annotations: {helm.sh/hook: test}}\n",
        ),
    ])
}

#[test]
fn an_app_of_apps_is_followed_to_what_it_declares() {
    let repo = repository();
    repo.git(&["remote", "add", "origin", "git@git.example.com:bank/shop"]);
    let set = read(&repo, "root.yaml");
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects = objects(&set);
    let names: Vec<&str> = objects.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "Application/argocd/built",
            "Application/argocd/chart",
            "Application/argocd/plain",
            "Application/argocd/root",
            "ConfigMap/shop/after",
            "ConfigMap/shop/among",
            "ConfigMap/shop/at-the-server",
            "ConfigMap/shop/before",
            "ConfigMap/shop/chart",
            "ConfigMap/shop/first",
            "ConfigMap/shop/hook",
            "ConfigMap/shop/second",
            "Deployment/shop/a-web",
            "Namespace/shop",
        ]
    );
    let web = objects["Deployment/shop/a-web"];
    assert_eq!(
        web["spec"]["template"]["spec"]["containers"][0]["image"],
        "registry.example.com/web:2"
    );
    assert_eq!(
        web["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"],
        "built:apps/Deployment:shop/a-web"
    );
    assert_eq!(objects["ConfigMap/shop/chart"]["data"]["all"], "chart 5 square");
    for (name, expected) in [
        ("first", (0, -1)),
        ("second", (0, 2)),
        ("before", (-1, 0)),
        ("among", (0, 3)),
        ("after", (1, 0)),
        ("hook", (1, 3)),
    ] {
        assert_eq!(turn(&set, &format!("ConfigMap/shop/{name}")), expected, "{name}");
    }
    let writer = |id: &str| {
        let found = set.objects.iter().find(|one| one.id.to_string() == id);
        found.expect("because it is declared").writer.clone()
    };
    let manager = "argocd-controller".to_owned();
    assert_eq!(writer("ConfigMap/shop/first"), Writer::ClientSide(manager.clone()));
    assert_eq!(
        writer("ConfigMap/shop/at-the-server"),
        Writer::ServerSide(manager.clone())
    );
    assert_eq!(writer("Application/argocd/plain"), Writer::ClientSide(manager));
}

#[test]
fn turns_are_waited_for_and_applications_come_after_what_they_declare() {
    let set = read(&repository(), "root.yaml");
    let plan = plan::build(&set, &facts(), &PlanOptions::default()).expect("because it has no ring");
    let position = |id: &str| plan.steps.iter().position(|step| step.id.to_string() == id).expect(id);
    let in_order = |ids: &[&str]| {
        for pair in ids.windows(2) {
            assert!(position(pair[0]) < position(pair[1]), "{pair:?}");
        }
    };
    in_order(&[
        "ConfigMap/shop/before",
        "ConfigMap/shop/first",
        "ConfigMap/shop/at-the-server",
        "ConfigMap/shop/second",
        "ConfigMap/shop/after",
        "Application/argocd/plain",
        "Deployment/shop/a-web",
        "Application/argocd/built",
        "Application/argocd/root",
    ]);
    let reasons: Vec<&str> = plan.edges.iter().map(|edge| edge.reason.rule).collect();
    assert!(reasons.contains(&"sync-wave") && reasons.contains(&"unit-object"));
}

#[test]
fn application_sets_make_applications() {
    let set = |name: &str, generators: &str, path: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  goTemplate: true\n  generators: {generators}\n  template:\n    metadata: {{name: '{name}-{{{{ {path} }}}}'}}\n    spec:\n      project: default\n      source: {{repoURL: '{URL}', path: 'regions/{{{{ {path} }}}}'}}\n      destination: {{name: in-cluster, namespace: shop}}\n---\n"
        )
    };
    let sets = [
        set(
            "folders",
            &format!("[{{git: {{repoURL: '{URL}', directories: [{{path: 'regions/*'}}]}}}}]"),
            ".path.basename",
        ),
        set("broken", "[{list: {elements: [{a: b}]}}]", "fail \"no\""),
        set("unknown", "[{list: {elements: [{a: b}]}}]", "nosuch .a"),
        set("far", "[{pullRequest: {github: {owner: a, repo: b}}}]", ".number"),
    ]
    .concat();
    let repo = Repo::with(&[
        ("clusters/prod/sets.yaml", &sets),
        ("regions/eu/map.yaml", &config_map("eu", "")),
        ("regions/us/map.yaml", &config_map("us", "")),
    ]);
    let set = read(&repo, "clusters/prod");
    let objects = objects(&set);
    for id in [
        "Application/argocd/folders-eu",
        "Application/argocd/folders-us",
        "ConfigMap/shop/eu",
        "ConfigMap/shop/us",
    ] {
        assert!(objects.contains_key(id), "{id} in {:?}", objects.keys());
    }
    let made = set.objects.iter().find(|one| one.id.name.contains("folders-eu"));
    assert_eq!(
        made.expect("because it is declared").writer,
        Writer::ServerSide("argocd-applicationset-controller".to_owned())
    );
    let told = problems(&set).join("\n");
    assert!(
        told.contains("ApplicationSet/argocd/broken: no Application of this ApplicationSet is restored"),
        "{told}"
    );
    let unknown = problems(&set).into_iter().find(|one| one.contains("argocd/unknown"));
    assert!(
        unknown.as_deref().is_some_and(
            |one| one.contains("no Application of this") && one.contains("function \"nosuch\" not defined")
        ),
        "{told}"
    );
    assert!(
        told.contains("ApplicationSet/argocd/far: this needs what is outside of the repository"),
        "{told}"
    );
}

/// Source: `applicationset/progressivesync/progressive_sync.go`, `buildAppDependencyList`, `getAppsToSync`: a step is synced once all of those before
/// are healthy.
#[test]
fn steps_of_a_rolling_sync_wait_for_those_before() {
    let step = |operator: &str, values: &str| {
        format!("{{matchExpressions: [{{key: env, operator: {operator}, values: [{values}]}}]}}")
    };
    let steps = [
        step("In", "test"),
        step("In", "nobody"),
        step("In", "far, stage"),
        step("NotIn", "'test'"),
    ]
    .join(", ");
    let elements = ["prod", "stage", "test", "far"].map(|env| {
        let server = if env == "far" {
            "https://far.example.com"
        } else {
            "https://kubernetes.default.svc"
        };
        format!("{{env: {env}, server: '{server}'}}")
    });
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: shops, namespace: argocd}}\nspec:\n  goTemplate: true\n\
         \x20 strategy: {{type: RollingSync, rollingSync: {{steps: [{steps}]}}}}\n  generators: [{{list: {{elements: [{}]}}}}]\n\
         \x20 template:\n    metadata: {{name: '{{{{ .env }}}}', labels: {{env: '{{{{ .env }}}}'}}}}\n    spec:\n      project: default\n\
         \x20     source: {{repoURL: '{URL}', path: shop, kustomize: {{namePrefix: '{{{{ .env }}}}-'}}}}\n      destination: {{server: '{{{{ .server }}}}', namespace: shop}}\n",
        elements.join(", ")
    );
    let repo = Repo::with(&[
        ("apps/set.yaml", &*set),
        ("shop/kustomization.yaml", "resources: [map.yaml]\n"),
        ("shop/map.yaml", &*config_map("shop", "")),
    ]);
    let set = read(&repo, "apps");
    let told = problems(&set);
    assert!(
        told.len() == 1 && told[0].contains("it is for another cluster"),
        "{told:#?}"
    );
    let after = |name: &str| {
        let id = format!("Application/argocd/{name}");
        let unit = set.units.iter().find(|unit| unit.name == id);
        let engine = unit
            .and_then(|unit| unit.engine.clone())
            .expect("because it is rendered");
        engine.after.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(after("test"), Vec::<String>::new());
    assert_eq!(
        after("stage"),
        ["Application/argocd/test"],
        "a step that selects none is passed over"
    );
    let both = ["Application/argocd/test", "Application/argocd/stage"];
    assert_eq!(after("prod"), both, "what is for another cluster is not waited for");
    let plan = plan::build(&set, &facts(), &PlanOptions::default()).expect("because it has no ring");
    let position = |env: &str| {
        let id = format!("ConfigMap/shop/{env}-shop");
        plan.steps.iter().position(|step| step.id.to_string() == id).expect(env)
    };
    assert!(position("test") < position("stage") && position("stage") < position("prod"));
}

#[test]
fn what_cannot_be_rendered_is_named_and_the_rest_carries_on() {
    let chart = packed(
        "web",
        "1.2.3",
        &[(
            "templates/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far}\n",
        )],
    );
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/index.yaml" => {
            Answer::ok("apiVersion: v1\nentries:\n  web: [{name: web, version: 1.2.3, urls: [web.tgz]}]\n")
        }
        "/web.tgz" => Answer::ok(chart.clone()),
        _ => Answer::status(404),
    });
    let remote = |chart: &str| {
        format!(
            "  source: {{repoURL: '{}', chart: {chart}, targetRevision: '1.*'}}\n",
            web.address
        )
    };
    let project = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: small, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: other}]\n---\n";
    let apps = [
        project.to_owned(),
        application("far", &remote("web")),
        application("missing", &remote("none")),
        application("nowhere", &source("none", "")),
        application("forbidden", &format!("{}  project: small\n", source("good", ""))),
        application("unknown", &format!("{}  project: nobody\n", source("good", ""))),
        application("elsewhere", &source("good", ""))
            .replace("server: 'https://kubernetes.default.svc'", "name: other"),
        application("far-away", &source("good", ""))
            .replace("https://kubernetes.default.svc", "https://far.example.com"),
        application("plugin", &source("good", ", plugin: {name: cdk}")),
        application("jsonnet", &source("jsonnet", "")),
        application("wrong", "  source: {path: [a]}\n"),
        application("good", &source("good", "")),
    ]
    .concat();
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &apps),
        ("good/map.yaml", &config_map("good", "")),
        ("jsonnet/a.jsonnet", "{}\n"),
        ("jsonnet/map.yaml", &config_map("half", "")),
    ]);
    let set = read(&repo, "clusters/prod");
    let objects = objects(&set);
    assert!(objects.contains_key("ConfigMap/shop/good") && objects.contains_key("ConfigMap/shop/far"));
    assert!(
        !objects.contains_key("ConfigMap/shop/half"),
        "an Application is rendered whole or not"
    );
    assert_eq!(
        objects.keys().filter(|id| id.starts_with("Application/")).count(),
        11,
        "all are restored as they are"
    );
    let told = problems(&set);
    for (name, why) in [
        ("missing", "its index has no chart named none"),
        ("nowhere", "there is no folder none in the repository"),
        ("forbidden", "the project small does not permit the namespace \"shop\""),
        ("unknown", "its project nobody is neither declared nor in the cluster"),
        // As Argo CD has it: `util/argo/argo.go`, `GetDestinationServer`.
        (
            "elsewhere",
            "no cluster of the name other is known: its Secret is not declared, and no target was asked for it; it may be this one",
        ),
        ("far-away", "it is for another cluster (https://far.example.com)"),
        ("plugin", "a config management plugin renders it"),
        ("jsonnet", "is Jsonnet, which is not rendered"),
        ("wrong", "repoURL"),
    ] {
        let found = told.iter().filter(|one| {
            one.contains(&format!(
                "Application/argocd/{name}: nothing of this Application is restored"
            )) && one.contains(why)
        });
        assert_eq!(found.count(), 1, "{name} in {told:#?}");
    }
    assert_eq!(told.len(), 9, "{told:#?}");
    let of = |name: &str| {
        let found = set
            .problems
            .iter()
            .find(|one| one.object.as_ref().is_some_and(|id| id.name == name));
        found.expect("because it is told").clone()
    };
    let unknown = of("elsewhere");
    assert_eq!(
        (unknown.kind, of("far-away").kind),
        (ProblemKind::Error, ProblemKind::Warning)
    );
    let hint = "say which clusters there are with --cluster-params FILE, or give a cluster's Secret with --input Secret/argocd/NAME=FILE";
    assert_eq!(unknown.hint.as_deref(), Some(hint));
    assert_eq!(
        objects["ConfigMap/shop/far"]["metadata"]["annotations"],
        json!({"argocd.argoproj.io/tracking-id": "far:/ConfigMap:shop/far"})
    );
}

#[test]
fn clusters_that_are_given_make_applications_of_their_own() {
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: all, namespace: argocd}}\nspec:\n  goTemplate: true\n\
         \x20 generators: [{{clusters: {{selector: {{matchLabels: {{tier: prod}}}}}}}}]\n  template:\n    metadata: {{name: 'shop-{{{{ .name }}}}'}}\n\
         \x20   spec:\n      project: default\n      source: {{repoURL: '{URL}', path: shop}}\n\
         \x20     destination: {{server: '{{{{ .server }}}}', namespace: '{{{{ .metadata.labels.region }}}}'}}\n"
    );
    let repo = Repo::with(&[
        ("clusters/prod/set.yaml", &set),
        ("shop/map.yaml", &config_map("shop", "")),
    ]);
    let file = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    let clusters = "- {name: here, server: 'https://kubernetes.default.svc', labels: {tier: prod, region: eu}}\n\
        - {name: there, server: 'https://us.example.com', labels: {tier: prod, region: us}}\n\
        - {name: test, server: 'https://test.example.com', labels: {tier: test, region: eu}}\n";
    std::fs::write(file.path(), clusters).expect("because it is ours");
    let (place, params) = (repo.path().display().to_string(), file.path().display().to_string());
    let args = ["render", &*place, "--path", "clusters/prod"];
    let ran = refloat(args.into_iter().chain(["--cluster-params", &*params])).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for name in ["name: shop-here\n", "name: shop-there\n", "namespace: eu\n"] {
        assert!(ran.stdout.contains(name), "{name} in {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("shop-test"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains(
            "Application/argocd/shop-there: nothing of this Application is restored: it is for another cluster"
        ),
        "{}",
        ran.stderr
    );
    let none = refloat(args).run();
    assert!(!none.stdout.contains("shop-here"), "{}", none.stdout);
    let said = "ApplicationSet/argocd/all: a generator makes no Application: spec.generators[0].clusters.selector: no cluster that is known has the labels that it wants";
    assert!(
        none.stderr.contains(said) && none.stderr.contains("--cluster-params FILE"),
        "{}",
        none.stderr
    );
    std::fs::write(file.path(), "- {name: here}\n").expect("because it is ours");
    let wrong = refloat(args.into_iter().chain(["--cluster-params", &*params])).run();
    assert_eq!(wrong.code, 1);
    for said in [
        "the clusters were not given",
        "missing field `server`",
        "a YAML list of maps",
    ] {
        assert!(wrong.stderr.contains(said), "{}", wrong.stderr);
    }
}

#[test]
fn charts_see_the_versions_that_their_application_names() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n\
        data: {kube: {{ .Capabilities.KubeVersion.Version | quote }}, has: {{ .Capabilities.APIVersions.Has \"example.com/v7\" | quote }}}\n";
    let versions = ", kubeVersion: '1.28.3', apiVersions: [example.com/v7]";
    let apps = [
        application("plain", &source("chart", "")),
        application("told", &source("chart", &format!(", helm: {{{}}}", &versions[2..]))),
        application(
            "inflated",
            &source("built", &format!(", kustomize: {{{}}}", &versions[2..])),
        ),
    ]
    .concat();
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &apps),
        ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("chart/templates/map.yaml", template),
        (
            "built/kustomization.yaml",
            "helmGlobals: {chartHome: charts}\nhelmCharts: [{name: web, releaseName: inflated}]\n",
        ),
        (
            "built/charts/web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\n",
        ),
        ("built/charts/web/templates/map.yaml", template),
    ]);
    let set = read(&repo, "clusters/prod");
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects = objects(&set);
    let data = |name: &str| objects[&*format!("ConfigMap/shop/{name}")]["data"].clone();
    assert_eq!(data("plain")["has"], "false");
    for name in ["told", "inflated"] {
        assert_eq!(data(name), json!({"kube": "v1.28.3", "has": "true"}), "{name}");
    }
}

#[test]
fn sources_see_the_files_of_others_and_every_form_of_values() {
    let sources = format!(
        "  sources:\n  - {{repoURL: '{URL}', path: chart, helm: {{valueFiles: [$config/prod/values.yaml], values: 'size: 3', \
         fileParameters: [{{name: text, path: notes.txt}}], skipCrds: true, releaseName: web}}}}\n  - {{repoURL: '{URL}', ref: config}}\n  - {{repoURL: '{URL}', path: more}}\n"
    );
    let with_crds = source("chart", ", helm: {releaseName: other}");
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {all: '{{ .Values.colour }} {{ .Values.size }} {{ .Values.text | trim }}'}\n";
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n\
        spec: {group: example.com, scope: Namespaced, names: {kind: Thing, plural: things}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}\n";
    let repo = Repo::with(&[
        ("apps/all.yaml", &application("all", &sources)),
        ("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n"),
        ("chart/values.yaml", "colour: red\nsize: 1\ntext: none\n"),
        ("chart/notes.txt", "from a file\n"),
        ("chart/templates/map.yaml", template),
        ("chart/crds/thing.yaml", definition),
        ("prod/values.yaml", "colour: blue\nsize: 2\n"),
        ("more/map.yaml", &config_map("more", "")),
    ]);
    let set = read(&repo, "apps");
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects_of_it = objects(&set);
    assert_eq!(objects_of_it["ConfigMap/shop/web"]["data"]["all"], "blue 3 from a file");
    assert!(objects_of_it.contains_key("ConfigMap/shop/more"));
    let definition = "CustomResourceDefinition/things.example.com";
    assert!(!objects_of_it.contains_key(definition), "skipCrds");
    repo.write("apps/all.yaml", &application("other", &with_crds));
    repo.commit("with definitions");
    assert!(objects(&read(&repo, "apps")).contains_key(definition));
}

#[test]
fn a_chart_that_looks_something_up_is_noted() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {known: '{{ lookup \"v1\" \"Secret\" \"shop\" \"web\" | len }}'}\n";
    let repo = Repo::with(&[
        ("apps/all.yaml", &application("all", &source("chart", ""))),
        ("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n"),
        ("chart/templates/map.yaml", template),
    ]);
    let told = problems(&read(&repo, "apps"));
    assert_eq!(
        told,
        [
            "chart/Chart.yaml: templates look up what is in the cluster, and are told that nothing is: templates/map.yaml"
        ]
    );
}

#[test]
fn a_source_at_another_revision_is_rendered_from_that() {
    let at = |name: &str, rev: &str| {
        application(
            name,
            &source(
                "good",
                &format!(", targetRevision: '{rev}', kustomize: {{namePrefix: {name}-}}"),
            ),
        )
    };
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: folders, namespace: argocd}}\nspec:\n  goTemplate: true\n\
         \x20 generators: [{{git: {{repoURL: '{URL}', revision: v1.0.0, directories: [{{path: 'regions/*'}}]}}}}]\n  template:\n    metadata: {{name: '{{{{ .path.basename }}}}'}}\n\
         \x20   spec: {{project: default, source: {{repoURL: '{URL}', path: good, targetRevision: HEAD}}, destination: {{name: in-cluster, namespace: shop}}}}\n"
    );
    let data =
        |value: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: at}}\ndata: {{at: {value}}}\n");
    let repo = Repo::with(&[
        ("good/kustomization.yaml", "resources: [map.yaml]\n"),
        ("good/map.yaml", &data("one")),
        ("regions/old/a.txt", ""),
    ]);
    repo.git(&["remote", "add", "origin", URL]);
    repo.git(&["tag", "v1.0.0"]);
    let branch = repo.git(&["branch", "--show-current"]).trim().to_owned();
    repo.git(&["mv", "regions/old", "regions/new"]);
    repo.write("good/map.yaml", &data("two"));
    let apps = [
        at("head", "HEAD"),
        at("branch", &branch),
        at("tag", "v1.0.0"),
        at("range", "v1.*"),
        at("missing", "v9"),
        set,
    ]
    .concat();
    repo.write("clusters/prod/apps.yaml", &apps);
    repo.commit("two");
    let set = read(&repo, "clusters/prod");
    let objects = objects(&set);
    for (name, expected) in [
        ("head-at", "two"),
        ("branch-at", "two"),
        ("tag-at", "one"),
        ("range-at", "one"),
    ] {
        assert_eq!(
            objects[&*format!("ConfigMap/shop/{name}")]["data"]["at"],
            expected,
            "{name}"
        );
    }
    assert!(!objects.contains_key("ConfigMap/shop/missing-at"));
    assert!(objects.contains_key("Application/argocd/old") && !objects.contains_key("Application/argocd/new"));
    let told = problems(&set).join("\n");
    assert!(
        told.contains(
            "Application/argocd/missing: nothing of this Application is restored: the clone has no revision v9"
        ),
        "{told}"
    );
}

#[test]
fn what_a_project_forbids_of_objects_keeps_the_application_away() {
    let project = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: small, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n\
        \x20 destinations: [{server: '*', namespace: shop}]\n  namespaceResourceBlacklist: [{group: '', kind: Secret}]\n---\n";
    let app = |name: &str| application(name, &format!("{}  project: small\n", source(name, "")));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: secret}\n";
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: role}\n";
    let elsewhere = config_map("elsewhere", "").replace("annotations: {}", "namespace: other");
    let repo = Repo::with(&[
        (
            "apps/all.yaml",
            &[
                project.to_owned(),
                app("good"),
                app("secret"),
                app("role"),
                app("elsewhere"),
            ]
            .concat(),
        ),
        ("good/map.yaml", &config_map("good", "")),
        ("secret/map.yaml", &config_map("beside", "")),
        ("secret/secret.yaml", secret),
        ("role/role.yaml", role),
        ("elsewhere/map.yaml", &elsewhere),
    ]);
    let set = read(&repo, "apps");
    let all = objects(&set);
    assert!(all.contains_key("ConfigMap/shop/good"));
    for id in [
        "Secret/shop/secret",
        "ConfigMap/shop/beside",
        "ClusterRole/role",
        "ConfigMap/other/elsewhere",
    ] {
        assert!(
            !all.keys().any(|one| one.contains(id)),
            "a sync would apply nothing: {id}"
        );
    }
    let told = problems(&set);
    for (name, why) in [
        ("secret", "does not permit a Secret secret"),
        (
            "role",
            "does not permit a ClusterRole of rbac.authorization.k8s.io role",
        ),
        ("elsewhere", "does not permit the namespace other"),
    ] {
        let about =
            format!("Application/argocd/{name}: nothing of this Application is restored: the project small {why}");
        assert!(told.iter().any(|one| one.contains(&about)), "{about} in {told:#?}");
    }
    assert_eq!(told.len(), 3, "{told:#?}");
}

#[test]
fn hooks_get_their_names_and_what_is_replaced_carries_no_copy() {
    let job = |name: &str, hook: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{{name}, annotations: {{argocd.argoproj.io/hook: {hook}}}}}\nspec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: 'a:1'}}]}}}}}}\n---\n"
        )
    };
    let all = [
        job("generateName: migrate-", "PreSync"),
        config_map("large", "argocd.argoproj.io/sync-options: Replace=true"),
        config_map("small", ""),
    ]
    .concat();
    let repo = Repo::with(&[
        ("apps/all.yaml", &application("all", &source("plain", ""))),
        ("plain/all.yaml", &all),
    ]);
    let set = read(&repo, "apps");
    assert_eq!(problems(&set), Vec::<String>::new());
    let commit: String = repo.git(&["rev-parse", "HEAD"]).chars().take(7).collect();
    let time = repo.git(&["log", "-1", "--format=%ct"]).trim().to_owned();
    let id = format!("Job/shop/migrate-{commit}-presync-{time}");
    assert_eq!(turn(&set, &id).0, -1);
    assert!(objects(&set)[&*id]["metadata"].get("generateName").is_none());
    let writer = |name: &str| {
        let found = set.objects.iter().find(|one| one.id.name == name);
        found.expect("because it is declared").writer.clone()
    };
    assert_eq!(writer("large"), Writer::ServerSide("argocd-controller".to_owned()));
    assert_eq!(writer("small"), Writer::ClientSide("argocd-controller".to_owned()));
}

/// Source: `docs/user-guide/resource_tracking.md`. The settings may be declared by an Application themselves.
#[test]
fn objects_are_marked_as_the_settings_say() {
    let marks = |settings: &str| {
        let config = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: argocd-cm}}\ndata: {{{settings}}}\n");
        let itself = application("argo", &source("argo", "")).replace("namespace: shop}", "namespace: argocd}");
        let repo = Repo::with(&[
            ("apps/a-shop.yaml", &application("shop", &source("shop", ""))),
            ("apps/b-argo.yaml", &itself),
            ("shop/map.yaml", &config_map("shop", "")),
            ("argo/settings.yaml", &config),
        ]);
        let set = read(&repo, "apps");
        assert_eq!(problems(&set), Vec::<String>::new());
        let metadata = &objects(&set)["ConfigMap/shop/shop"]["metadata"];
        let of = |kind: &str, key: &str| metadata[kind][key].clone();
        let tracking = of("annotations", "argocd.argoproj.io/tracking-id");
        [
            tracking,
            of("labels", "app.kubernetes.io/instance"),
            of("labels", "example.com/app"),
        ]
    };
    let (id, name) = (json!("shop:/ConfigMap:shop/shop"), json!("shop"));
    let method = "application.resourceTrackingMethod";
    let key = "application.instanceLabelKey: example.com/app";
    for (settings, expected) in [
        ("".to_owned(), [id.clone(), Value::Null, Value::Null]),
        (format!("{method}: label"), [Value::Null, name.clone(), Value::Null]),
        (format!("{method}: annotation+label, {key}"), [id, Value::Null, name]),
    ] {
        assert_eq!(marks(&settings), expected, "{settings}");
    }
}

#[test]
fn clusters_are_known_by_secrets_that_are_given() {
    let app = application("far", &source("shop", "")).replace("server: 'https://kubernetes.default.svc'", "name: same");
    let repo = Repo::with(&[("apps/all.yaml", &app), ("shop/map.yaml", &config_map("shop", ""))]);
    let secret = |server: &str| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "cluster-same", "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
            "stringData": {"name": "same", "server": server},
        });
        Known::from([(
            ObjectId::new("", "Secret", Some("argocd"), "cluster-same"),
            Some(secret),
        )])
    };
    let read = |inputs: Known| {
        load_with(
            &repo,
            "apps",
            Options {
                inputs,
                ..Options::default()
            },
        )
    };
    let unknown = read(Known::new());
    assert!(!objects(&unknown).contains_key("ConfigMap/shop/shop"));
    let told = problems(&unknown);
    assert!(
        told.len() == 1 && told[0].contains("no cluster of the name same is known"),
        "{told:?}"
    );
    let here = read(secret("https://kubernetes.default.svc"));
    assert!(
        objects(&here).contains_key("ConfigMap/shop/shop"),
        "{:?}",
        problems(&here)
    );
    let there = read(secret("https://eu.example.com"));
    assert!(
        problems(&there)[0].contains("it is for another cluster (same)"),
        "{:?}",
        problems(&there)
    );
    // Two of one name: Argo CD cannot choose (`util/argo/argo.go`, `GetDestinationServer`).
    let mut both = secret("https://kubernetes.default.svc");
    let more = secret("https://eu.example.com").into_values().next().flatten();
    let mut more = more.expect("because it was made");
    more["metadata"]["name"] = json!("cluster-also");
    both.insert(ObjectId::new("", "Secret", Some("argocd"), "cluster-also"), Some(more));
    let both = read(both);
    assert!(!objects(&both).contains_key("ConfigMap/shop/shop"));
    let told = problems(&both);
    assert!(
        told.len() == 1 && told[0].contains("spec.destination.name: 2 clusters have the name same"),
        "{told:?}"
    );
    // As the operator gives it.
    let file = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: cluster-same, namespace: argocd, labels: {argocd.argoproj.io/secret-type: cluster}}\n\
        stringData: {name: same, server: 'https://kubernetes.default.svc'}\n";
    std::fs::write(file.path(), text).expect("because it is ours");
    let input = format!("Secret/argocd/cluster-same={}", file.path().display());
    let place = repo.path().display().to_string();
    let ran = refloat(["render", &*place, "--path", "apps", "--input", &*input]).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("name: shop\n"), "{}", ran.stdout);
}
