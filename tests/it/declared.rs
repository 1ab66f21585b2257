//! From repositories to what they declare: with the real kustomize and helm, on fixtures, bad input and real cases.

use std::path::{Path, PathBuf};

use refloat::declared::{self, Options, entries};
use refloat::object::{Declared, DeclaredSet, Hook, ProblemKind, Renderer, Writer};
use refloat::source::{self, Tree};

use crate::support::repo::{Repo, case};
use crate::support::run::tool_folder;
use crate::support::tools::at_hand;

fn fixture(name: &str) -> Repo {
    Repo::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name))
}

fn tree(folder: &Path) -> Tree {
    let reference = folder.to_str().expect("because temporary paths are UTF-8");
    source::open(reference, &source::Options::default()).expect("because it is a repository")
}

/// Options with paths, and programs that are nowhere.
fn options(paths: &[&str]) -> Options {
    Options {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        namespace: "default".to_owned(),
        helm: Some(PathBuf::from("/nowhere/helm")),
        ..Options::default()
    }
}

fn with_helm(mut options: Options) -> Options {
    options.helm = Some(tool_folder("helm").join("helm"));
    options
}

fn with_kustomize(mut options: Options) -> Options {
    options.kustomize = Some(tool_folder("kustomize").join("kustomize"));
    options
}

fn load(folder: &Path, options: &Options) -> DeclaredSet {
    declared::load(&tree(folder), options).expect("because there is something to read")
}

fn refusal(repo: &Repo, options: &Options) -> String {
    let failure = declared::load(&tree(repo.path()), options).expect_err("because it cannot be read");
    failure
        .to_string()
        .replace(repo.path().to_str().expect("because temporary paths are UTF-8"), "REPO")
}

fn problems(set: &DeclaredSet) -> Vec<String> {
    set.problems.iter().map(ToString::to_string).collect()
}

/// `id file:line`.
fn objects(set: &DeclaredSet) -> Vec<String> {
    set.objects
        .iter()
        .map(|one| format!("{} {}", one.id, one.provenance.place()))
        .collect()
}

fn units(set: &DeclaredSet) -> Vec<(&str, Renderer)> {
    set.units
        .iter()
        .map(|unit| (unit.name.as_str(), unit.renderer))
        .collect()
}

fn find<'a>(set: &'a DeclaredSet, id: &str) -> &'a Declared {
    set.objects
        .iter()
        .find(|one| one.id.to_string() == id)
        .unwrap_or_else(|| panic!("{id} is declared in {:?}", objects(set)))
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

#[test]
fn the_mobile_bank_is_detected_and_clean() {
    let repo = fixture("mobile-bank");
    let set = load(repo.path(), &options(&[]));
    assert_eq!(set.entry.paths, ["clusters/production"]);
    assert!(set.entry.detected && set.objects.len() >= 80, "{}", set.objects.len());
    assert_eq!(problems(&set), Vec::<String>::new());
    assert!(
        set.units
            .iter()
            .any(|unit| unit.name == "clusters/production/apps/payments")
    );
    assert!(
        set.objects
            .iter()
            .all(|one| one.writer == Writer::ServerSide("refloat".to_owned()))
    );
}

#[test]
fn a_jenkins_x_repository_is_written_as_jenkins_x_does() {
    let repo = fixture("jx-mini");
    let set = load(repo.path(), &options(&[]));
    assert_eq!(set.entry.dialect, "Jenkins X config-root");
    assert_eq!(
        units(&set).iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        [
            "config-root/cluster",
            "config-root/customresourcedefinitions",
            "config-root/namespaces/jx",
            "config-root/namespaces/jx-staging",
            "config-root/namespaces/shop"
        ]
    );
    assert!(
        set.objects
            .iter()
            .all(|one| one.writer == Writer::ClientSide("kubectl-client-side-apply".to_owned()))
    );
    // A part of it is still Jenkins X's.
    let part = load(repo.path(), &options(&["config-root/namespaces/shop"]));
    assert_eq!(part.entry.dialect, "Jenkins X config-root");
    assert!(part.unreached > 0);
}

#[test]
fn hooks_of_rendered_charts_are_plain_unless_they_would_harm() {
    let hook = |name: &str, hook: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{helm.sh/hook: \"{hook}\"}}}}\n")
    };
    let repo = Repo::with(&[
        (
            "config-root/namespaces/a/a.yaml",
            &hook("setup", "post-install,post-upgrade"),
        ),
        ("config-root/namespaces/a/b.yaml", &hook("test", "test-success")),
        ("config-root/namespaces/a/c.yaml", &hook("wipe", "pre-delete")),
    ]);
    let set = load(repo.path(), &options(&[]));
    assert_eq!(objects(&set), ["Pod/setup config-root/namespaces/a/a.yaml:1"]);
    assert_eq!(set.objects[0].hook, None);
    assert_eq!(
        problems(&set),
        [
            "config-root/namespaces/a/b.yaml:1: this object is not restored: it is a Helm hook that only runs at test-success\n  hint: take it out of the manifests",
            "config-root/namespaces/a/c.yaml:1: this object is not restored: it is a Helm hook that only runs at pre-delete\n  hint: take it out of the manifests",
        ]
    );
}

#[test]
fn a_chart_is_rendered_as_helm_would_install_it() {
    let repo = fixture("helm-shop");
    let set = load(
        repo.path(),
        &with_helm(Options {
            namespace: "shop".to_owned(),
            ..options(&[])
        }),
    );
    assert_eq!(problems(&set), Vec::<String>::new());
    assert_eq!(
        (set.entry.dialect.as_str(), units(&set)),
        ("chart", vec![(".", Renderer::Helm)])
    );
    let hooks: Vec<(String, Hook)> = set
        .objects
        .iter()
        .filter_map(|one| Some((one.id.to_string(), one.hook.clone()?)))
        .collect();
    let hook = |id: &str, after, weight| (id.to_owned(), Hook { after, weight });
    assert_eq!(
        hooks,
        [
            hook("Job/helm-shop-announce", true, 5),
            hook("Job/helm-shop-seed", true, 0),
            hook("Job/helm-shop-migrate", false, 0),
            hook("ConfigMap/helm-shop-tables", false, -5),
        ]
    );
    let secret = find(&set, "Secret/helm-shop");
    assert_eq!(secret.generated, ["/data/admin-password"]);
    assert_eq!(
        secret.manifest.annotation("meta.helm.sh/release-namespace"),
        Some("shop")
    );
    assert_eq!(secret.manifest.label("app.kubernetes.io/managed-by"), Some("Helm"));
    assert_eq!(secret.provenance.file, "templates/secret.yaml");
    assert!(
        set.objects
            .iter()
            .all(|one| one.writer == Writer::ServerSide("helm".to_owned()))
    );
    assert!(set.objects.iter().any(|one| one.id.kind == "CustomResourceDefinition"));
}

const SMALL_CHART: &str = "apiVersion: v2\nname: small\nversion: 1.0.0\n";

#[test]
fn charts_see_the_apis_that_the_set_brings() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.one.example.com}\nspec:\n  group: one.example.com\n  names: {kind: A}\n  versions: [{name: v1, served: true, storage: true}]\n";
    let second = crd.replace("one.", "two.");
    let when = |api: &str, text: &str| {
        format!("{{{{- if .Capabilities.APIVersions.Has \"{api}\" }}}}\n{text}{{{{- end }}}}\n")
    };
    let repo = Repo::with(&[
        ("crds.yaml", crd),
        ("a/Chart.yaml", SMALL_CHART),
        ("a/templates/x.yaml", &when("one.example.com/v1/A", &second)),
        ("b/Chart.yaml", SMALL_CHART),
        ("b/templates/x.yaml", &when("two.example.com/v1", &config_map("seen"))),
        ("b/values.yaml", "name: x\n"),
    ]);
    let set = load(repo.path(), &with_helm(options(&[])));
    assert_eq!(problems(&set), Vec::<String>::new());
    assert_eq!(
        objects(&set),
        [
            "CustomResourceDefinition/as.two.example.com a/templates/x.yaml",
            "ConfigMap/seen b/templates/x.yaml",
            "CustomResourceDefinition/as.one.example.com crds.yaml:1",
        ]
    );
    assert_eq!(
        find(&set, "ConfigMap/seen")
            .manifest
            .annotation("meta.helm.sh/release-name"),
        Some("b")
    );
}

/// Each chart of a chain waits for what the one before brings: rendering does not go on until all of it has come, and says so.
#[test]
fn apis_that_charts_bring_too_late_for_the_others_are_told() {
    let crd = |group: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: as.{group}.example.com}}\nspec:\n\
             \x20 group: {group}.example.com\n  names: {{kind: A}}\n  versions: [{{name: v1, served: true, storage: true}}]\n"
        )
    };
    let when = |group: &str, text: &str| {
        format!("{{{{- if .Capabilities.APIVersions.Has \"{group}.example.com/v1\" }}}}\n{text}{{{{- end }}}}\n")
    };
    let chain = |length: usize| {
        let names = ["zero", "one", "two", "three", "four"];
        let repo = Repo::with(&[
            ("zero/Chart.yaml", SMALL_CHART),
            ("zero/templates/x.yaml", &crd("zero")),
        ]);
        for pair in names[..length].windows(2) {
            repo.write(&format!("{}/Chart.yaml", pair[1]), SMALL_CHART);
            repo.write(&format!("{}/templates/x.yaml", pair[1]), &when(pair[0], &crd(pair[1])));
        }
        repo.commit("the chain");
        load(repo.path(), &with_helm(options(&["."])))
    };
    let three = chain(3);
    assert_eq!(
        problems(&three),
        Vec::<String>::new(),
        "nobody asks for what comes last"
    );
    assert_eq!(objects(&three).len(), 3);
    let four = chain(4);
    assert_eq!(
        objects(&four),
        [
            "CustomResourceDefinition/as.one.example.com one/templates/x.yaml",
            "CustomResourceDefinition/as.two.example.com two/templates/x.yaml",
            "CustomResourceDefinition/as.zero.example.com zero/templates/x.yaml",
        ],
        "the fourth is told of nothing"
    );
    assert_eq!(
        problems(&four),
        [
            "two/Chart.yaml: other charts may lack what they render only where the cluster has two.example.com/v1/A: this chart brings that only when it sees what others bring, and charts were rendered 3 times by then\n  hint: declare its CustomResourceDefinition beside the charts, or restore twice: then the cluster has it"
        ]
    );
    assert_eq!(four.problems[0].kind, ProblemKind::Warning);
}

#[test]
fn what_a_chart_needs_must_be_in_the_repository() {
    let needs = |repository: &str| {
        format!("{SMALL_CHART}dependencies:\n- {{name: lib, version: 1.2.3, repository: \"{repository}\"}}\n")
    };
    let repo = Repo::with(&[
        ("far/Chart.yaml", &needs("@charts")),
        ("near/Chart.yaml", &needs("file://../lib")),
        ("near/values.yaml", "lib: {name: from-near}\n"),
        (
            "lib/Chart.yaml",
            "apiVersion: v2\nname: lib\nversion: 1.2.3\ntype: application\n",
        ),
        ("lib/values.yaml", "name: from-lib\n"),
        (
            "lib/templates/x.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Values.name }}\"}\n",
        ),
        ("own.yaml", "lib: {name: from-own}\n"),
    ]);
    let far = load(repo.path(), &with_helm(options(&["far", "lib"])));
    assert_eq!(
        problems(&far),
        [
            "far/Chart.yaml: nothing of this chart is restored: it needs lib 1.2.3 of @charts, which is not in its charts folder; the chart lib is of the repository charts, which Helm does not know here\n  hint: run `helm dependency build far` and commit its charts folder, or give it with --chart lib=PATH"
        ]
    );
    assert_eq!(objects(&far), ["ConfigMap/from-lib lib/templates/x.yaml"]);
    let near = load(repo.path(), &with_helm(options(&["near"])));
    assert_eq!(objects(&near), ["ConfigMap/from-near near/charts/lib/templates/x.yaml"]);
    let values = vec!["own.yaml".to_owned()];
    let own = load(
        repo.path(),
        &with_helm(Options {
            values,
            ..options(&["near"])
        }),
    );
    assert_eq!(objects(&own), ["ConfigMap/from-own near/charts/lib/templates/x.yaml"]);
    let values = vec!["none.yaml".to_owned()];
    assert_eq!(
        refusal(
            &repo,
            &Options {
                values,
                ..options(&["near"])
            }
        ),
        "Error: nothing was rendered: there is no values file none.yaml\n  hint: it is looked for in the repository, from the folder given and from the root, then on this machine"
    );
}

#[test]
fn a_failing_or_missing_renderer_is_a_problem_of_its_unit_alone() {
    let repo = Repo::with(&[
        ("bad/Chart.yaml", SMALL_CHART),
        ("bad/templates/x.yaml", "{{ fail \"no luck\" }}"),
        ("kustomized/kustomization.yaml", "resources: [missing.yaml]\n"),
        ("plain/x.yaml", &config_map("good")),
    ]);
    let nowhere = Options {
        kustomize: Some(PathBuf::from("/nowhere/kustomize")),
        ..options(&["."])
    };
    let missing = load(repo.path(), &nowhere);
    assert_eq!(objects(&missing), ["ConfigMap/good plain/x.yaml:1"]);
    assert_eq!(
        problems(&missing),
        [
            "bad/Chart.yaml: nothing of this chart is restored: /nowhere/helm was not found\n  hint: install helm 3.16 or newer, so that it is on PATH, or name it with --helm-binary",
            "kustomized/kustomization.yaml: nothing of this kustomization is restored: /nowhere/kustomize was not found\n  hint: leave out --kustomize-binary: refloat renders kustomizations by itself",
        ]
    );
    let failing = load(repo.path(), &with_helm(with_kustomize(options(&["."]))));
    assert_eq!(objects(&failing), ["ConfigMap/good plain/x.yaml:1"]);
    let problems = problems(&failing);
    assert!(
        problems[0].starts_with("bad/Chart.yaml: nothing of this chart is restored: ")
            && problems[0].contains("no luck"),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("kustomized/kustomization.yaml: nothing of this kustomization is restored: "),
        "{problems:?}"
    );
    assert!(
        problems[1].contains("missing.yaml") && !problems[1].contains("/tmp"),
        "{problems:?}"
    );
}

#[test]
fn alternatives_are_a_question() {
    let repo = fixture("kustomize-shop");
    assert_eq!(
        refusal(&repo, &options(&[])),
        "Error: nothing was read: REPO offers 2 entries\n  because: a cluster may be declared from each of\n      overlays/production  kustomization\n      overlays/staging     kustomization\n  hint: choose with --path, such as --path overlays/production; several --path are taken together"
    );
    let set = load(repo.path(), &options(&["overlays/production"]));
    assert_eq!(problems(&set), Vec::<String>::new());
    assert_eq!(units(&set), [("overlays/production", Renderer::Kustomize)]);
    assert!(set.objects.len() > 5 && set.objects.iter().any(|one| one.provenance.line > 0));
    assert_eq!(set.unreached, 1, "the other overlay's namespace");
}

#[test]
fn what_a_kustomization_names_elsewhere_is_told_without_its_password() {
    // As `main` does; another test may have done it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let repo = Repo::with(&[
        (
            "a/kustomization.yaml",
            "resources: ['https://ann:canary@127.0.0.1:1/bank/base?ref=main']\n",
        ),
        ("plain/x.yaml", &config_map("good")),
    ]);
    let set = load(repo.path(), &options(&["."]));
    assert_eq!(objects(&set), ["ConfigMap/good plain/x.yaml:1"]);
    let problems = problems(&set);
    assert!(
        problems.len() == 1 && problems[0].contains("127.0.0.1:1/bank/base") && !problems[0].contains("canary"),
        "{problems:?}"
    );
}

#[test]
fn programs_render_kustomizations_too() {
    if !at_hand("kubectl") {
        return;
    }
    let repo = fixture("kustomize-shop");
    let paths = options(&["overlays/production"]);
    let with_it = Options {
        kustomize: refloat::process::which("kubectl"),
        ..paths.clone()
    };
    let set = load(repo.path(), &with_it);
    assert_eq!(problems(&set), Vec::<String>::new());
    for other in [with_kustomize(paths.clone()), paths] {
        let mut ids: Vec<_> = load(repo.path(), &other)
            .objects
            .into_iter()
            .map(|one| one.id)
            .collect();
        let mut same: Vec<_> = set.objects.iter().map(|one| one.id.clone()).collect();
        ids.sort();
        same.sort();
        assert_eq!(ids, same);
    }
}

#[test]
fn a_schema_that_points_to_the_network_does_not_stop_a_chart() {
    let repo = Repo::with(&[
        ("a/Chart.yaml", SMALL_CHART),
        ("a/templates/x.yaml", &config_map("x")),
        (
            "a/values.schema.json",
            r#"{"$ref": "https://schemas.example.com/x.json"}"#,
        ),
    ]);
    let set = load(repo.path(), &with_helm(options(&["a"])));
    assert_eq!(objects(&set), ["ConfigMap/x a/templates/x.yaml"]);
    assert_eq!(set.problems.len(), 1);
    assert!(
        problems(&set)[0].starts_with("a/Chart.yaml: the chart's values were not checked against its schema: "),
        "{:?}",
        problems(&set)
    );
}

#[test]
fn values_that_do_not_fit_the_schema_stop_a_chart() {
    let repo = Repo::with(&[
        ("a/Chart.yaml", SMALL_CHART),
        ("a/templates/x.yaml", &config_map("x")),
        ("a/values.yaml", "replicas: many\n"),
        (
            "a/values.schema.json",
            r#"{"type": "object", "properties": {"replicas": {"type": "integer"}}}"#,
        ),
    ]);
    let set = load(repo.path(), &with_helm(options(&["a"])));
    assert_eq!(objects(&set), Vec::<String>::new());
    let told = problems(&set);
    assert!(
        told[0].starts_with(
            "a/Chart.yaml: nothing of this chart is restored: values don't meet the specifications of the schema"
        ),
        "{told:?}"
    );
    assert!(told[0].contains("replicas"), "it says which: {told:?}");
}

#[test]
fn folders_that_declare_the_same_are_alternatives() {
    let both = format!("{}---\n{}", config_map("a"), config_map("b"));
    let repo = Repo::with(&[("prod/x.yaml", &both), ("staging/x.yaml", &both), ("clusters.md", "")]);
    let found: Vec<(String, Option<usize>)> = entries(&tree(repo.path()), "")
        .into_iter()
        .map(|one| (one.path, one.objects))
        .collect();
    assert_eq!(found, [("prod".to_owned(), Some(2)), ("staging".to_owned(), Some(2))]);
    // One object declared twice is a mistake, and no alternative.
    let repo = Repo::with(&[("a/x.yaml", &both), ("b/x.yaml", &config_map("a"))]);
    let set = load(repo.path(), &options(&[]));
    assert_eq!(
        (set.entry.paths.as_slice(), set.objects.len()),
        ([String::new()].as_slice(), 3)
    );
}

#[test]
fn a_folder_leaves_out_what_is_no_manifest_and_what_others_render() {
    let repo = Repo::with(&[
        ("apps/web/x.yaml", &config_map("web")),
        ("apps/web/values.yaml", "replicas: 3\n"),
        ("apps/web/compose.yml", "services: {}\n"),
        (
            "apps/web/more.json",
            r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}"#,
        ),
        ("apps/.hidden/x.yaml", &config_map("hidden")),
        ("apps/.x.yaml", &config_map("hidden")),
        ("apps/db/base/kustomization.yaml", "resources: [x.yaml]\n"),
        ("apps/db/base/x.yaml", &config_map("db")),
        (
            "apps/db/prod/kustomization.yaml",
            "namePrefix: prod-\nresources: [../base, ../../shared/y.yaml]\n",
        ),
        ("apps/shared/y.yaml", &config_map("shared")),
        (
            "apps/flux/kustomization.yaml",
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\n",
        ),
        (
            "apps/lib/Chart.yaml",
            "apiVersion: v2\nname: lib\ntype: library\nversion: 1.0.0\n",
        ),
        ("apps/lib/templates/_x.yaml", "{{ nonsense"),
        ("other/z.yaml", &config_map("other")),
    ]);
    let set = load(repo.path(), &options(&["apps"]));
    assert_eq!(
        objects(&set),
        [
            "Kustomization/apps apps/flux/kustomization.yaml:1",
            "Secret/s apps/web/more.json:1",
            "ConfigMap/web apps/web/x.yaml:1",
        ]
    );
    assert_eq!(find(&set, "Secret/s").manifest.text("/data/a"), "Yg==");
    let problems = problems(&set);
    let starts = [
        "apps/db/prod/kustomization.yaml:2: ",
        "apps/flux/kustomization.yaml:1: ",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
    assert_eq!(
        units(&set),
        [
            ("apps/db/prod", Renderer::Kustomize),
            ("apps/flux", Renderer::Plain),
            ("apps/web", Renderer::Plain)
        ]
    );
    assert_eq!(set.unreached, 1);
}

#[test]
fn everything_wrong_is_shown_at_once_and_the_rest_goes_on() {
    let repo = Repo::with(&[
        (
            "a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n---\nkind: ConfigMap\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Secret\nmetadata: {labels: {a: b}}\n",
        ),
        (
            "b.yaml",
            "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: job-}\n",
        ),
        (
            "c.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: old\n  uid: 3c0d3a1c\n  creationTimestamp: \"2020-01-01T00:00:00Z\"\n  ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: x}]\nstatus: {phase: Done}\n",
        ),
        ("d.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}\n"),
    ]);
    let set = load(repo.path(), &options(&[]));
    assert_eq!(objects(&set), ["ConfigMap/b a.yaml:1", "ConfigMap/old c.yaml:1"]);
    assert_eq!(
        problems(&set),
        [
            "a.yaml:5: name is given again in metadata: this one overrides line 4",
            "a.yaml:7: this document is not restored: it has no apiVersion\n  hint: write its apiVersion, or move the file out of the entry",
            "a.yaml:10: this Secret is not restored: it has no metadata.name\n  hint: complete it, or move the file out of the entry",
            "b.yaml:1: this Job is not restored: it has metadata.generateName and no name, so that each restore would make one more of it\n  hint: give it a metadata.name",
            "c.yaml:1: ConfigMap/old: its status was dropped: the cluster writes it\n  hint: take it out of the manifest",
            "c.yaml:1: ConfigMap/old: metadata.ownerReferences was dropped: the owner is of another cluster, and the object would be collected as an orphan\n  hint: take it out of the manifest; what its owner makes anew need not be in Git",
            "c.yaml:1: ConfigMap/old: metadata.uid, metadata.creationTimestamp were dropped: only the cluster writes that\n  hint: take it out of the manifest",
            "d.yaml:1: this ConfigMap is not restored: YAML reads its metadata.name as 12, which is no text\n  hint: put the name in quotes",
        ]
    );
}

#[test]
fn a_status_is_kept_where_the_definition_has_no_subresource_for_it() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.x.example.com}\nspec:\n  group: x.example.com\n  names: {kind: A}\n  versions: [{name: v1}, {name: v2, subresources: {status: {}}}]\n";
    let object = |version: &str| {
        format!(
            "apiVersion: x.example.com/{version}\nkind: A\nmetadata: {{name: {version}}}\nstatus: {{phase: Done}}\n"
        )
    };
    let repo = Repo::with(&[
        ("crd.yaml", crd),
        ("v1.yaml", &object("v1")),
        ("v2.yaml", &object("v2")),
    ]);
    let set = load(repo.path(), &options(&[]));
    assert_eq!(find(&set, "A/v1").manifest.text("/status/phase"), "Done");
    assert_eq!(find(&set, "A/v2").manifest.text("/status/phase"), "");
    assert_eq!(
        problems(&set),
        ["v2.yaml:1: A/v2: its status was dropped: the cluster writes it\n  hint: take it out of the manifest"]
    );
}

#[test]
fn bad_entries_are_said() {
    let repo = Repo::with(&[
        ("a/x.yaml", "replicas: 3\n"),
        ("b/kustomization.yaml", "kind: Component\n"),
    ]);
    assert_eq!(
        refusal(&repo, &options(&[])),
        "Error: nothing to restore was found in REPO\n  because: it holds no manifests, no kustomization and no chart\n  hint: --path names the folder or file that declares the cluster, --rev another revision"
    );
    assert_eq!(
        refusal(&repo, &options(&["a"])),
        "Error: nothing is declared in a\n  because: no document there has apiVersion and kind\n  hint: --path names the folder or file that declares the cluster"
    );
    assert_eq!(
        refusal(&repo, &options(&["a/y.yaml"])),
        "Error: nothing was read: there is no a/y.yaml in REPO\n  hint: there is a/x.yaml"
    );
    let component = load(repo.path(), &options(&["b"]));
    assert_eq!(
        problems(&component),
        [
            "b/kustomization.yaml: nothing of this kustomization is restored: a Component is only a part of others\n  hint: give the kustomization that names it"
        ]
    );
}

#[test]
fn paths_are_taken_from_the_folder_given_and_from_the_root() {
    let repo = Repo::with(&[("x/a/a.yaml", &config_map("a")), ("b/b.yaml", &config_map("b"))]);
    let set = load(&repo.path().join("x"), &options(&["./a/", "b/b.yaml", "a"]));
    assert_eq!(set.entry.paths, ["x/a", "b/b.yaml"]);
    assert_eq!(objects(&set), ["ConfigMap/b b/b.yaml:1", "ConfigMap/a x/a/a.yaml:1"]);
    let file = load(&repo.path().join("x/a/a.yaml"), &options(&[]));
    assert_eq!(
        (file.entry.paths.as_slice(), file.objects.len()),
        (["x/a/a.yaml".to_owned()].as_slice(), 1)
    );
}

#[test]
fn bank_of_anthos_is_read_whole() {
    let Some((_folder, clone)) = case("bank-of-anthos") else {
        return;
    };
    let set = load(
        &clone,
        &options(&["kubernetes-manifests", "extras/jwt/jwt-secret.yaml"]),
    );
    assert_eq!((set.objects.len(), problems(&set).len()), (24, 0));
    assert!(set.unreached > 100);
    assert!(refusal_of(&clone).contains("\n      kubernetes-manifests "));
}

fn refusal_of(clone: &Path) -> String {
    declared::load(&tree(clone), &options(&[]))
        .expect_err("because it offers several entries")
        .to_string()
}

#[test]
fn jx3_eagle_is_read_whole() {
    let Some((_folder, clone)) = case("jx3-eagle") else {
        return;
    };
    let set = load(&clone, &options(&[]));
    assert_eq!(
        (set.entry.paths.as_slice(), set.entry.detected),
        (["config-root".to_owned()].as_slice(), true)
    );
    assert_eq!(set.objects.len(), 411);
    assert_eq!(
        set.objects
            .iter()
            .filter(|one| one.id.kind == "CustomResourceDefinition")
            .count(),
        24
    );
    assert_eq!(
        problems(&set),
        [
            "config-root/namespaces/jx/jmc/jmc-deploy.yaml:28: serviceAccountName is given again in spec.template.spec: this one overrides line 27",
            "config-root/namespaces/tekton-pipelines/tekton-pipeline-tekton/feature-flags-cm.yaml:14: enable-api-fields is given again in data: this one overrides line 8",
        ]
    );
}

/// `kubectl kustomize` of another version rendered the same folders: every object must come out the same.
#[test]
fn kustomizations_of_bank_of_anthos_come_out_as_kubectl_renders_them() {
    let Some((folder, clone)) = case("bank-of-anthos") else {
        return;
    };
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/bank-of-anthos.golden.tar.zst");
    let unpacked = refloat::process::Tool::new("tar")
        .args(["--zstd", "-xf"])
        .arg(archive)
        .arg("-C")
        .arg(folder.path())
        .inherit(refloat::process::BASIC_ENVIRONMENT)
        .run();
    assert_eq!(unpacked.expect("because tar is there").code, Some(0));
    let golden: Vec<(String, PathBuf)> = std::fs::read_dir(folder.path())
        .expect("because it was unpacked")
        .map(|entry| entry.expect("because it was just listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| {
            let name = path
                .file_stem()
                .expect("because it has a name")
                .to_string_lossy()
                .replace("__", "/");
            (name, path)
        })
        .collect();
    assert_eq!(golden.len(), 43);
    let paths: Vec<&str> = golden.iter().map(|(path, _)| path.as_str()).collect();
    let set = load(&clone, &options(&paths));
    assert_eq!(problems(&set), Vec::<String>::new());
    for (path, file) in &golden {
        let text = std::fs::read(file).expect("because it was unpacked");
        let wanted = kube_yaml::parse(&text)
            .into_iter()
            .map(|document| document.value.expect("because kubectl wrote it"));
        let wanted = sorted(wanted.map(|value| refloat::object::normalize::clean(value, false).0));
        let unit = set
            .units
            .iter()
            .position(|unit| unit.path == *path)
            .expect("because it was rendered");
        let ours = set.objects.iter().filter(|one| one.unit.0 == unit);
        assert_eq!(sorted(ours.map(|one| one.manifest.value().clone())), wanted, "{path}");
    }
}

fn sorted(values: impl Iterator<Item = serde_json::Value>) -> Vec<String> {
    let in_order = |mut value: serde_json::Value| {
        value.sort_all_objects();
        kube_yaml::to_string(&value)
    };
    let mut texts: Vec<String> = values.map(in_order).collect();
    texts.sort();
    texts
}

/// A place of another tool: what it is, its files, and what is told of it.
type Foreign = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const FOREIGN: &[Foreign] = &[
    (
        "a project of kluctl is its own as a whole",
        &[
            ("k/.kluctl.yml", "targets: [{name: prod}]\n"),
            ("k/deployment.yaml", "deployments: [{path: web}]\n"),
            (
                "k/web/web.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ target }}\"}\n",
            ),
        ],
        "k/.kluctl.yml: nothing of this kluctl project is restored: kluctl renders it, refloat does not\n  hint: `kluctl render -t TARGET --print-all` in k prints it, `kluctl deploy -t TARGET` applies it",
    ),
    (
        "a library of kluctl",
        &[
            ("l/.kluctl-library.yaml", "args: []\n"),
            ("l/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        ],
        "l/.kluctl-library.yaml: nothing of this kluctl library is restored: kluctl renders it, refloat does not\n  hint: the project that includes it renders it: `kluctl render -t TARGET --print-all`",
    ),
    (
        "a part of a project of kluctl",
        &[
            ("d/deployment.yaml", "deployments:\n- path: x\n"),
            ("d/x/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        ],
        "d/deployment.yaml: nothing of this kluctl deployment is restored: kluctl renders it, refloat does not\n  hint: `kluctl render -t TARGET --print-all` in d prints it, `kluctl deploy -t TARGET` applies it",
    ),
    (
        "a bundle of Fleet, though it is a kustomization too",
        &[
            ("f/fleet.yaml", "defaultNamespace: shop\nkustomize: {dir: .}\n"),
            ("f/kustomization.yaml", "resources: [x.yaml]\n"),
            ("f/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        ],
        "f/fleet.yaml: nothing of this Fleet bundle is restored: Fleet renders it, refloat does not\n  hint: Fleet applies it once its GitRepo is there; `fleet apply -o - NAME f` prints it as a Bundle",
    ),
    (
        "a helmfile, with the chart that it gives values",
        &[
            (
                "h/helmfile.yaml.gotmpl",
                "releases:\n- name: web\n  chart: ./charts/web\n  values: [values.yaml]\n",
            ),
            ("h/values.yaml", "replicas: 3\n"),
            ("h/charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ],
        "h/helmfile.yaml.gotmpl: nothing of this helmfile is restored: helmfile renders it, refloat does not\n  hint: `helmfile -f h/helmfile.yaml.gotmpl template` prints it, `helmfile -f h/helmfile.yaml.gotmpl apply` applies it",
    ),
    (
        "a helmfile of several files",
        &[
            ("g/helmfile.d/10-web.yaml", "releases: []\n"),
            ("g/helmfile.d/20-db.yaml", "releases: []\n"),
        ],
        "g/helmfile.d/10-web.yaml: nothing of this helmfile is restored: helmfile renders it, refloat does not\n  hint: `helmfile -f g/helmfile.d template` prints it, `helmfile -f g/helmfile.d apply` applies it",
    ),
    (
        "an environment of Tanka",
        &[
            ("environments/prod/main.jsonnet", "{}\n"),
            (
                "environments/prod/spec.json",
                "{\"apiVersion\": \"tanka.dev/v1alpha1\", \"kind\": \"Environment\"}\n",
            ),
        ],
        "environments/prod/main.jsonnet: nothing of this Tanka environment is restored: Tanka renders it, refloat does not\n  hint: `tk show environments/prod` prints it, `tk apply environments/prod` applies it",
    ),
    (
        "jsonnet, told once for a project",
        &[
            ("j/jsonnetfile.json", "{\"version\": 1}\n"),
            ("j/web.jsonnet", "{}\n"),
            ("j/more/db.jsonnet", "{}\n"),
            (
                "j/vendor/lib/example.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
            ),
        ],
        "j/jsonnetfile.json: nothing of this jsonnet project is restored: jsonnet renders it, refloat does not\n  hint: `jb install` in j and then `jsonnet -J vendor` with each file of it print it",
    ),
    (
        "jsonnet without a project",
        &[("o/web.jsonnet", "{}\n")],
        "o/web.jsonnet: nothing of this jsonnet is restored: jsonnet renders it, refloat does not\n  hint: `jsonnet o/web.jsonnet` prints it",
    ),
    (
        "templates of ytt, with what they are given together with",
        &[
            ("y/values.yaml", "#@data/values\n---\nname: x\n"),
            ("y/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        ],
        "y/values.yaml: nothing of this folder of ytt templates is restored: ytt renders it, refloat does not\n  hint: `ytt -f y` prints it, `ytt -f y | kapp deploy -a NAME -f -` applies it",
    ),
];

#[test]
fn what_other_tools_apply_is_told_with_what_to_run() {
    for (what, files, told) in FOREIGN {
        let kept = config_map("kept");
        let mut all = vec![("kept.yaml", &*kept), ("c/kept.yaml", &*kept)];
        all.extend_from_slice(files);
        let set = load(Repo::with(&all).path(), &options(&["."]));
        assert_eq!(problems(&set), [*told], "{what}");
        let expected = ["ConfigMap/kept c/kept.yaml:1", "ConfigMap/kept kept.yaml:1"];
        assert_eq!(objects(&set), expected, "{what}");
        // It is found by itself too, and where nothing else is there, it is told what it is for.
        let alone = Repo::with(files);
        let file = told.split_once(": ").expect("because a place comes first").0;
        let named = load(alone.path(), &options(&[file]));
        assert!(named.objects.is_empty() && !named.problems.is_empty(), "{what}");
        match declared::load(&tree(alone.path()), &options(&[])) {
            Ok(set) => assert!(
                problems(&set).iter().any(|one| one == told),
                "{what}: {:?}",
                problems(&set)
            ),
            Err(failure) => assert!(
                failure
                    .to_string()
                    .contains(told.split('\n').next().expect("because it has lines")),
                "{what}: {failure}"
            ),
        }
    }
}
