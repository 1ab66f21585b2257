//! Settings and projects of Argo CD that Git does not declare, and what Applications share.

use refloat::declared::{Known, Options};
use serde_json::{Value, json};

use super::{load_with, objects, problems};
use crate::rollback::live;
use crate::support::plane::{Plane, fresh};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

/// An Application of a folder with its name, for the namespace `shop`.
fn application(name: &str, project: &str, options: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: {project}\n\
         \x20 source: {{repoURL: 'https://git.example.com/shop.git', path: {name}}}\n\
         \x20 destination: {{server: 'https://kubernetes.default.svc', namespace: shop}}\n  syncPolicy: {{syncOptions: [{options}]}}\n"
    )
}

fn map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{data}}}\n")
}

const NAMESPACES: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

/// Four Applications, each of a project of its own.
fn repository() -> Repo {
    let mut files = vec![("clusters/prod/namespaces.yaml".to_owned(), NAMESPACES.to_owned())];
    for (name, project) in [
        ("free", "default"),
        ("wide", "wide"),
        ("narrow", "narrow"),
        ("lost", "nobody"),
    ] {
        files.push((format!("clusters/prod/{name}.yaml"), application(name, project, "")));
        files.push((format!("{name}/map.yaml"), map(name, "")));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    Repo::with(&files)
}

const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\n\
    data: {application.resourceTrackingMethod: label, application.instanceLabelKey: example.com/app, \
    resource.customizations.ignoreDifferences.ConfigMap: 'jsonPointers: [/data/scaled]'}\n";

fn project(name: &str, namespace: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: {name}, namespace: argocd}}\n\
         spec: {{sourceRepos: ['*'], destinations: [{{server: '*', namespace: {namespace}}}]}}\n"
    )
}

/// A cluster in which Argo CD was installed by hand.
fn installed() -> Plane {
    let plane = fresh();
    plane.serve("argoproj.io", "v1alpha1", "Application", "applications");
    plane.serve("argoproj.io", "v1alpha1", "AppProject", "appprojects");
    plane.kubectl(&["create", "namespace", "argocd"], "");
    let all = [
        SETTINGS.to_owned(),
        project("wide", "'*'"),
        project("narrow", "elsewhere"),
    ];
    plane.kubectl(&["apply", "-f", "-"], &all.join("---\n"));
    plane
}

fn run(command: &str, repo: &Repo, plane: &Plane, more: &[&str]) -> Ran {
    let (place, kubeconfig) = (repo.path().display().to_string(), plane.kubeconfig());
    let args = [
        command,
        &*place,
        "--path",
        "clusters/prod",
        "--kubeconfig",
        &*kubeconfig,
    ];
    refloat(args.iter().chain(more).copied()).run()
}

/// Changes the ConfigMap that an Application has.
fn by_hand(plane: &Plane, patch: &Value) {
    let args = ["--namespace", "shop", "patch", "configmap", "free", "--type", "merge"];
    plane.kubectl(&[&args[..], &["--patch", &patch.to_string()]].concat(), "");
}

#[test]
fn what_the_cluster_knows_of_argo_cd_is_gone_by() {
    let (plane, repo) = (installed(), repository());
    let ran = run(
        "restore",
        &repo,
        &plane,
        &["--yes", "--context", "refloat-throwaway", "--verbose"],
    );
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let found = |name: &str| live(&plane, &format!("/api/v1/namespaces/shop/configmaps/{name}"));
    for name in ["free", "wide"] {
        let metadata = found(name).unwrap_or_default()["metadata"].clone();
        assert_eq!(metadata["labels"], json!({"example.com/app": name}));
        assert_eq!(metadata["annotations"]["argocd.argoproj.io/tracking-id"], Value::Null);
    }
    assert!(found("narrow").is_none() && found("lost").is_none());
    for said in [
        "ConfigMap/argocd/argocd-cm: nobody declares it: what was given, or is in the cluster, says how Applications are restored",
        "AppProject/argocd/wide: nobody declares it",
        "Application/argocd/narrow: nothing of this Application is restored: spec.destination: the project narrow does not permit",
        "Application/argocd/lost: nothing of this Application is restored: its project nobody is neither declared nor in the cluster",
        "--input AppProject/argocd/nobody=FILE",
    ] {
        assert!(ran.stderr.contains(said), "{said} in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("was not read from the cluster"), "{}", ran.stderr);

    // What they say is not compared, an audit leaves alone, too.
    by_hand(&plane, &json!({"data": {"scaled": "3"}}));
    let drifted = |ran: &Ran| ran.stdout.contains("ConfigMap/shop/free");
    let audited = run("audit", &repo, &plane, &[]);
    assert!(!drifted(&audited), "{}", audited.stdout);
    by_hand(&plane, &json!({"data": {"other": "3"}}));
    let audited = run("audit", &repo, &plane, &[]);
    assert!(drifted(&audited), "{}", audited.stdout);
}

#[test]
fn what_is_given_goes_before_what_the_cluster_knows() {
    let (plane, repo) = (installed(), repository());
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let give = |id: &str, name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("because the folder is ours");
        ["--input".to_owned(), format!("{id}={}", file.display())]
    };
    let given = [
        give(
            "ConfigMap/argocd/argocd-cm",
            "settings",
            &SETTINGS.replace("example.com/app", "example.com/given"),
        ),
        give("AppProject/argocd/nobody", "nobody", &project("nobody", "shop")),
        give("AppProject/argocd/default", "default", &project("default", "elsewhere")),
    ]
    .concat();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let right = ["--yes", "--context", "refloat-throwaway"];
    let ran = run("restore", &repo, &plane, &[&right[..], &given].concat());
    let labels = |name: &str| {
        let map = live(&plane, &format!("/api/v1/namespaces/shop/configmaps/{name}"));
        map.map(|map| map["metadata"]["labels"].clone())
    };
    for name in ["wide", "lost"] {
        assert_eq!(labels(name), Some(json!({"example.com/given": name})), "{}", ran.stderr);
    }
    assert_eq!(labels("free"), None, "the project default permits less");
    // Without a cluster, too. What nobody knows is as Argo CD has it by itself.
    let place = repo.path().display().to_string();
    let args = ["render", &*place, "--path", "clusters/prod"];
    let rendered = refloat(args.iter().chain(&given).copied()).run().stdout;
    assert!(rendered.contains("example.com/given: lost"), "{rendered}");
    let rendered = refloat(args).run().stdout;
    assert!(
        rendered.contains("tracking-id: free:/ConfigMap:shop/free"),
        "{rendered}"
    );
    let wrong = refloat(args.iter().chain(&["--input", "Project/argocd/a=b"]).copied()).run();
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("with Secret or AppProject in place of ConfigMap"),
        "{}",
        wrong.stderr
    );
}

/// What is wrong with what Applications go by is told as such.
#[test]
fn wrong_settings_and_projects_are_told() {
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {application.resourceTrackingMethod: nonsense}\n";
    let repo = Repo::with(&[
        ("clusters/prod/settings.yaml", settings),
        (
            "clusters/prod/wrong.yaml",
            &format!("{}---\n{}", application("wrong", "odd", ""), project("odd", "7")),
        ),
        ("clusters/prod/free.yaml", &application("free", "default", "")),
        ("free/map.yaml", &map("free", "")),
    ]);
    let set = load_with(
        &repo,
        "clusters/prod",
        Options {
            inputs: Known::new(),
            ..Options::default()
        },
    );
    let told = problems(&set);
    assert_eq!(told.len(), 2, "{told:#?}");
    let nothing = "Application/argocd/wrong: nothing of this Application is restored: its project odd: spec.destinations[0].namespace: is a number";
    assert!(told.iter().any(|one| one.contains(nothing)), "{told:#?}");
    let method =
        "ConfigMap/argocd/argocd-cm: data.application.resourceTrackingMethod: \"nonsense\" is no tracking method";
    assert!(told.iter().any(|one| one.contains(method)), "{told:#?}");
    let annotations = objects(&set)["ConfigMap/shop/free"]["metadata"]["annotations"].clone();
    assert!(
        annotations["argocd.argoproj.io/tracking-id"].is_string(),
        "as Argo CD does"
    );
}

/// Two Applications, `one` and `two`, that declare the same object, with these options of a sync.
fn sharing(one: &str, two: &str) -> (Vec<String>, Vec<String>) {
    let repo = Repo::with(&[
        ("clusters/prod/one.yaml", &application("one", "default", one)),
        ("clusters/prod/two.yaml", &application("two", "default", two)),
        (
            "one/a.yaml",
            &format!("{}---\n{}", map("both", "by: one"), map("own-one", "")),
        ),
        // As a sync puts it: a namespace that is said and one that is not are the same.
        (
            "two/a.yaml",
            &format!("{}---\n{}", map("both, namespace: shop", "by: two"), map("own-two", "")),
        ),
    ]);
    let set = load_with(
        &repo,
        "clusters/prod",
        Options {
            inputs: Known::new(),
            ..Options::default()
        },
    );
    let all = objects(&set);
    let held = all.iter().filter(|(id, _)| id.starts_with("ConfigMap/"));
    let held = held.map(|(id, value)| format!("{id} {}", value["data"]["by"].as_str().unwrap_or("-")));
    (held.collect(), problems(&set))
}

#[test]
fn two_applications_that_declare_the_same_are_both_named() {
    let (held, told) = sharing("", "");
    assert_eq!(
        held,
        [
            "ConfigMap/shop/both two",
            "ConfigMap/shop/own-one -",
            "ConfigMap/shop/own-two -"
        ]
    );
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].starts_with("one/a.yaml:1 and two/a.yaml:1: ConfigMap/shop/both: "),
        "{told:#?}"
    );
    let fight = "declared by Application/argocd/one and by Application/argocd/two, which would take it from each other for ever; that of Application/argocd/two is used";
    assert!(told[0].contains(fight), "{told:#?}");
}

#[test]
fn an_application_that_is_to_share_nothing_is_not_restored_where_it_does() {
    const NOT: &str = "FailOnSharedResource=true";
    let nothing = |app: &str, other: &str| {
        format!(
            "Application/argocd/{app}: nothing of this Application is restored: it says {NOT}, and Application/argocd/{other} declares ConfigMap/shop/both too"
        )
    };
    let (one, two) = (
        vec!["ConfigMap/shop/both one", "ConfigMap/shop/own-one -"],
        vec!["ConfigMap/shop/both two", "ConfigMap/shop/own-two -"],
    );
    for (options, held, why) in [
        ((NOT, ""), two.clone(), nothing("one", "two")),
        (("", NOT), one, nothing("two", "one")),
        // Who comes last has it.
        ((NOT, NOT), two, nothing("one", "two")),
    ] {
        let (found, told) = sharing(options.0, options.1);
        assert_eq!(found, held, "{options:?}");
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].contains(&why), "{told:#?}");
    }
}

/// What `ignoreDifferences` names is not compared; with this option a sync does not write it either.
#[test]
fn ignored_fields_are_not_written_over_where_that_is_asked_for() {
    for (option, kept) in [("RespectIgnoreDifferences=true", true), ("", false)] {
        let plane = fresh();
        plane.serve("argoproj.io", "v1alpha1", "Application", "applications");
        let rules = "  ignoreDifferences: [{kind: ConfigMap, jsonPointers: [/data/scaled, /data/gone]}]\n";
        let all = "scaled: one, gone: one, own: one";
        let repo = Repo::with(&[
            ("clusters/prod/namespaces.yaml", NAMESPACES),
            (
                "clusters/prod/free.yaml",
                &format!("{}{rules}", application("free", "default", option)),
            ),
            ("free/map.yaml", &map("free", all)),
        ]);
        let right = ["--yes", "--context", "refloat-throwaway"];
        let restore = || {
            let ran = run("restore", &repo, &plane, &right);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        };
        let data = || live(&plane, "/api/v1/namespaces/shop/configmaps/free").unwrap_or_default()["data"].clone();
        restore();
        assert_eq!(
            data(),
            json!({"scaled": "one", "gone": "one", "own": "one"}),
            "it was not there"
        );
        by_hand(
            &plane,
            &json!({"data": {"scaled": "live", "gone": null, "own": "live"}}),
        );
        restore();
        let expected = match kept {
            true => json!({"scaled": "live", "own": "one"}),
            false => json!({"scaled": "one", "gone": "one", "own": "one"}),
        };
        assert_eq!(data(), expected, "{option:?}");
    }
}
