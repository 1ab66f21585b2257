//! What engines have elsewhere: units for other clusters, sources at addresses of Git, services that they talk to.

use refloat::declared::Options;
use refloat::plan::{self, PlanOptions, StepAction};
use serde_json::Value;

use super::hand_over::{definition, found};
use super::{facts, kustomization, load_with, objects, problems};
use crate::rollback::send;
use crate::support::plane::fresh;
use crate::support::repo::Repo;
use crate::support::run::refloat;

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: b}}\n")
}

/// What units aimed at another cluster declare is not applied to this one, and not missed in it either.
#[test]
fn what_is_for_another_cluster_is_neither_applied_nor_audited() {
    let definitions: String = [
        ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
        ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases"),
        ("argoproj.io", "v1alpha1", "Application", "applications"),
    ]
    .map(|(group, version, kind, plural)| definition(group, version, kind, plural))
    .concat();
    let namespaces = ["shop", "flux-system", "argocd"]
        .map(|name| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n"))
        .concat();
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: far, namespace: shop}\nspec:\n  interval: 1h\n\
        \x20 chart: {spec: {chart: ./charts/far, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}}\n\
        \x20 kubeConfig: {secretRef: {name: far}}\n";
    let application = |name: &str, server: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n\
             \x20 source: {{repoURL: 'https://git.example.com/shop.git', path: {name}}}\n  destination: {{server: '{server}', namespace: shop}}\n---\n"
        )
    };
    let applications = application("far-argo", "https://far.example.com")
        + &application("near-argo", "https://kubernetes.default.svc");
    let far = kustomization("far", "./far", "  kubeConfig: {secretRef: {name: far}}\n");
    let repo = Repo::with(&[
        ("clusters/prod/all.yaml", &(namespaces + &definitions)),
        ("clusters/prod/far.yaml", &far),
        ("clusters/prod/near.yaml", &kustomization("near", "./near", "")),
        ("clusters/prod/release.yaml", release),
        ("clusters/prod/argo.yaml", &applications),
        ("far/map.yaml", &map("far")),
        ("near/map.yaml", &map("near")),
        ("far-argo/map.yaml", &map("far-argo")),
        ("near-argo/map.yaml", &map("near-argo")),
        ("charts/far/Chart.yaml", "apiVersion: v2\nname: far\nversion: 0.1.0\n"),
        ("charts/far/templates/map.yaml", &map("far-chart")),
    ]);
    let plane = fresh();
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let run = |command: &str, more: &[&str]| {
        let args = [command, &*place, "--path", "clusters/prod", "--kubeconfig", &kubeconfig];
        refloat(args.iter().chain(more)).with_tools(&["helm"]).run()
    };
    let restored = run(
        "restore",
        &["--old-cluster-is-gone", "--timeout", "10s", "--soft-wait", "1s"],
    );
    assert!(
        matches!(restored.code, 0 | 3),
        "{}\n{}",
        restored.stdout,
        restored.stderr
    );
    let maps = found(&plane, "/api/v1/namespaces/shop/configmaps");
    let maps = maps["items"].as_array().into_iter().flatten();
    let mut names: Vec<&str> = maps.filter_map(|map| map["metadata"]["name"].as_str()).collect();
    names.retain(|name| *name != "kube-root-ca.crt");
    assert_eq!(names, ["near", "near-argo"]);

    let audited = run("audit", &["--output", "json"]);
    let report: Value = serde_json::from_str(&audited.stdout).expect("because it is JSON");
    let found = report["findings"].as_array().into_iter().flatten();
    let found: Vec<&Value> = found.filter(|one| one["object"]["name"] != "near").collect();
    assert_eq!(found, Vec::<&Value>::new(), "{}", audited.stderr);
    // It does look: what this cluster ought to have is missed.
    let _ = send(
        &plane,
        "DELETE",
        "/api/v1/namespaces/shop/configmaps/near-argo",
        "",
        None,
    );
    let audited = run("audit", &["--output", "json"]);
    let report: Value = serde_json::from_str(&audited.stdout).expect("because it is JSON");
    let missing = report["findings"].as_array().into_iter().flatten();
    let missing = missing.filter(|one| one["verdict"] == "missing");
    let missing: Vec<&str> = missing.filter_map(|one| one["object"]["name"].as_str()).collect();
    assert_eq!(missing, ["near-argo"], "{}", audited.stdout);
}

#[test]
fn a_source_is_read_from_the_address_that_is_given() {
    let other = Repo::with(&[("apps/map.yaml", &map("of-the-other"))]);
    let unit = kustomization("apps", "./apps", "").replace(
        "sourceRef: {kind: GitRepository, name: flux-system}",
        "sourceRef: {kind: GitRepository, name: other}",
    );
    let source_of = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: other, namespace: flux-system}\n\
        spec: {interval: 1m, url: 'https://git.example.invalid/other.git', ref: {branch: main}}\n";
    let repo = Repo::with(&[("cluster/unit.yaml", &unit), ("cluster/source.yaml", source_of)]);
    let place = repo.path().display().to_string();
    let bare = tempfile::tempdir().expect("because a temporary folder can be made");
    let clone = bare.path().join("other.git").display().to_string();
    other.git(&["clone", "-q", "--bare", ".", &clone]);
    let address = format!("flux-system/other=file://{clone}");
    let args = ["render", &*place, "--path", "cluster", "--source", &*address];
    let ran = refloat(args).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("name: of-the-other"), "{}", ran.stdout);
    let without = refloat(&args[..4]).run();
    assert_eq!(without.code, 3, "{}", without.stdout);
    assert!(
        without.stderr.contains("--source flux-system/other=") && !without.stdout.contains("of-the-other"),
        "{}",
        without.stderr
    );
}

/// Where nobody gives it, a source is fetched from its own address, at what it names.
/// Source: source-controller, `api/v1/gitrepository_types.go`.
#[test]
fn a_source_is_fetched_from_its_own_address() {
    let data = |value: &str| map("at").replace("{a: b}", &format!("{{at: {value}}}"));
    let other = Repo::with(&[("apps/map.yaml", &data("one"))]);
    let first = other.git(&["rev-parse", "HEAD"]).trim().to_owned();
    other.git(&["tag", "v1.0.0"]);
    other.git(&["branch", "staging"]);
    other.write("apps/map.yaml", &data("two"));
    other.commit("two");
    other.git(&["tag", "v1.1.0"]);
    other.git(&["tag", "v2.0.0-rc.1"]);
    other.write("apps/map.yaml", &data("three"));
    other.commit("three");
    let branch = other.git(&["branch", "--show-current"]).trim().to_owned();
    let bare = tempfile::tempdir().expect("because a temporary folder can be made");
    let clone = bare.path().join("other.git").display().to_string();
    other.git(&["clone", "-q", "--bare", ".", &clone]);
    let cases = [
        ("branch", format!("branch: {branch}"), Some("three")),
        ("staging", "branch: staging".to_owned(), Some("one")),
        ("tag", "tag: v1.1.0".to_owned(), Some("two")),
        ("range", "semver: 1.x, tag: v1.0.0".to_owned(), Some("two")),
        ("name", "name: refs/tags/v1.0.0".to_owned(), Some("one")),
        ("commit", format!("commit: {first}, branch: {branch}"), Some("one")),
        ("missing", "tag: v9".to_owned(), None),
        ("unsatisfied", "semver: '>=9'".to_owned(), None),
    ];
    let repo = Repo::with(&[("README.md", "")]);
    repo.git(&["remote", "add", "origin", "git@git.example.com:fleet.git"]);
    for (name, reference, _) in &cases {
        let unit = kustomization(name, "./apps", &format!("  namePrefix: {name}-\n"));
        let source = format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: {name}, namespace: flux-system}}\n\
             spec: {{interval: 1m, url: 'file://{clone}', ref: {{{reference}}}}}\n"
        );
        let unit = unit.replace("name: flux-system}\n", &format!("name: {name}}}\n"));
        repo.write(&format!("cluster/{name}.yaml"), &format!("{unit}---\n{source}"));
    }
    repo.commit("units");
    let set = load_with(&repo, "cluster", Options::default());
    let (all, told) = (objects(&set), problems(&set));
    for (name, _, expected) in &cases {
        let map = all.get(&format!("ConfigMap/shop/{name}-at"));
        assert_eq!(
            map.and_then(|map| map["data"]["at"].as_str()),
            *expected,
            "{name}: {told:?}"
        );
        let about = format!("Kustomization/flux-system/{name}: nothing of this Kustomization is restored");
        assert_eq!(
            told.iter().any(|one| one.contains(&about)),
            expected.is_none(),
            "{told:?}"
        );
    }
    assert_eq!(told.len(), 2, "{told:?}");
}

/// Alerts, webhooks and the automation of images are objects like others: nothing is rendered of them, and nothing is wrong with them. That
/// one of them acts outside of the cluster is the plan's to say.
#[test]
fn notifications_and_image_automation_are_plain_objects() {
    let kinds = [
        (
            "notification.toolkit.fluxcd.io",
            "v1beta3",
            "Provider",
            "providers",
            "type: slack, channel: shop, secretRef: {name: slack}",
        ),
        (
            "notification.toolkit.fluxcd.io",
            "v1beta3",
            "Alert",
            "alerts",
            "providerRef: {name: shop}, eventSources: [{kind: Kustomization, name: '*'}]",
        ),
        (
            "notification.toolkit.fluxcd.io",
            "v1",
            "Receiver",
            "receivers",
            "type: github, secretRef: {name: hook}, resources: [{kind: GitRepository, name: flux-system}]",
        ),
        (
            "image.toolkit.fluxcd.io",
            "v1",
            "ImageRepository",
            "imagerepositories",
            "interval: 1h, image: registry.example.com/web",
        ),
        (
            "image.toolkit.fluxcd.io",
            "v1",
            "ImagePolicy",
            "imagepolicies",
            "imageRepositoryRef: {name: shop}, policy: {semver: {range: 1.x}}",
        ),
        (
            "image.toolkit.fluxcd.io",
            "v1",
            "ImageUpdateAutomation",
            "imageupdateautomations",
            "interval: 1h, sourceRef: {kind: GitRepository, name: flux-system}",
        ),
    ];
    let definitions: String = kinds
        .map(|(group, version, kind, plural, _)| definition(group, version, kind, plural))
        .concat();
    let all: String = kinds
        .map(|(group, version, kind, _, spec)| {
            format!("apiVersion: {group}/{version}\nkind: {kind}\nmetadata: {{name: shop, namespace: flux-system}}\nspec: {{{spec}}}\n---\n")
        })
        .concat();
    let repo = Repo::with(&[
        ("cluster/unit.yaml", &kustomization("apps", "./apps", "")),
        ("apps/all.yaml", &all),
        ("apps/definitions.yaml", &definitions),
    ]);
    let set = load_with(&repo, "cluster", Options::default());
    assert_eq!(problems(&set), Vec::<String>::new());
    let declared = objects(&set);
    let gone = PlanOptions {
        old_cluster_is_gone: true,
        ..PlanOptions::default()
    };
    let plan = plan::build(&set, &facts(), &gone).expect("because there is no ring");
    for (_, _, kind, _, _) in kinds {
        let id = format!("{kind}/flux-system/shop");
        let value = declared[&id];
        assert_eq!(value["kind"], kind);
        let step = plan.steps.iter().find(|step| step.id.to_string() == id);
        let step = step.unwrap_or_else(|| panic!("{id} is not restored"));
        assert!(
            matches!(step.action, StepAction::Apply { .. }),
            "{id}: {:?}",
            step.action
        );
        assert!(!set.units.iter().any(|unit| unit.name == id), "{id} is no unit");
    }
}
