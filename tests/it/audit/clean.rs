//! An untouched cluster, restored from its repository: an audit finds nothing, with and without dry runs.

use std::collections::BTreeSet;
use std::path::Path;

use refloat::control_plane::Options;
use serde_json::Value;

use super::root;
use crate::support::plane::{Plane, fresh, fresh_with};
use crate::support::repo::{Repo, case};
use crate::support::run::{Ran, refloat};

fn run(command: &str, plane: &Plane, repo: &Path, args: &[&str]) -> Ran {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.display().to_string());
    let all = [command, &repo, "--kubeconfig", &kubeconfig];
    refloat(all.iter().chain(args).copied()).with_tools(&["helm"]).run()
}

/// `verdict object: evidence; fields` of every finding, and the gaps; the same in both ways of comparing.
fn found(plane: &Plane, repo: &Path, args: &[&str]) -> Vec<String> {
    let audits = [&[][..], &["--no-dry-run"]].map(|more| {
        let ran = run("audit", plane, repo, &[args, &["--output", "json"], more].concat());
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let one = |finding: Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let object = ["kind", "namespace", "name"]
                .iter()
                .filter_map(|key| finding["object"][key].as_str());
            let object = object.collect::<Vec<_>>().join("/");
            let fields = list(&finding["fields"]).into_iter().map(|field| field.to_string());
            let told = list(&finding["evidence"])
                .iter()
                .map(text)
                .chain(fields)
                .collect::<Vec<_>>();
            format!("{} {object}: {}", text(&finding["verdict"]), told.join("; "))
        };
        let gaps = list(&report["gaps"]).into_iter().map(|gap| format!("gap {gap}"));
        list(&report["findings"])
            .into_iter()
            .map(one)
            .chain(gaps)
            .collect::<Vec<_>>()
    });
    let [with, without] = audits;
    assert_eq!(with, without, "both ways of comparing say the same");
    with
}

/// Whom the server was asked for: the managers of its dry runs of applying, without those of these requests.
fn asked_as(plane: &Plane, before: usize) -> BTreeSet<String> {
    let requests = plane.requests().into_iter().skip(before);
    let applies = requests.filter_map(|request| {
        let path = request["requestURI"].as_str()?.to_owned();
        let dry = request["verb"] == "patch" && path.contains("dryRun=All");
        let mut query = path.split(['?', '&']);
        dry.then(|| query.find_map(|part| Some(part.strip_prefix("fieldManager=")?.to_owned())))?
    });
    applies.collect()
}

/// Restores into a fresh cluster and audits it. Gives what was found, and the managers of the audit's dry runs.
fn audited(repo: &Path, args: &[&str], slow: bool) -> (Vec<String>, BTreeSet<String>) {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    let mut restore = [args, &["--old-cluster-is-gone"]].concat();
    // Some of what real repositories hold never gets ready here, which is not waited for long.
    restore.extend(["--timeout", "40s", "--soft-wait", "1s"].iter().filter(|_| slow));
    let ran = run("restore", &plane, repo, &restore);
    assert!(matches!(ran.code, 0 | 3), "{}\n{}", ran.stdout, ran.stderr);
    let before = plane.requests().len();
    (found(&plane, repo, args), asked_as(&plane, before))
}

/// What a restore could not restore is missing; which edit it needs is said.
const NEEDS_AN_EDIT: &str = "missing PodDisruptionBudget/shop/kitchen: not restored: policy/v1beta1 is not served, and the empty \
    selector matched no pod there and matches every pod of the namespace in policy/v1; delete it to keep what it did, or set \
    apiVersion: policy/v1 if every pod is meant";
const GONE: &str = ": not restored: policy/v1beta1 is not served, and PodSecurityPolicy is gone; label the namespaces with \
    pod-security.kubernetes.io/enforce, or write a ValidatingAdmissionPolicy; then delete this";

/// Each fixture, how it is entered, and what cannot be restored of it.
const FIXTURES: &[(&str, &[&str], &[&str])] = &[
    (
        "argo-shop",
        &["--path", "argocd", "--decryption-key", "fixtures/argo-shop.agekey"],
        &[],
    ),
    ("flux-shop", &["--decryption-key", "fixtures/flux-shop.agekey"], &[]),
    ("helm-shop", &["--values", "values-production.yaml"], &[]),
    ("jx-mini", &[], &[NEEDS_AN_EDIT]),
    ("kustomize-shop", &["--path", "overlays/production"], &[]),
    ("mobile-bank", &[], &[]),
];
/// By whom what a fixture declares is written: what the entry has by refloat, what engines make by these.
fn declarers(fixture: &str) -> &'static [&'static str] {
    match fixture {
        "argo-shop" => &["argocd-applicationset-controller", "argocd-controller", "refloat"],
        "flux-shop" => &["helm-controller", "kustomize-controller"],
        "helm-shop" => &["helm"],
        // Jenkins X applies as kubectl does: the patch is made here, and where nothing differs there is nothing to ask.
        "jx-mini" => &[],
        _ => &["refloat"],
    }
}

/// No repositories.
const OTHERS: [&str; 1] = ["simulate"];

#[test]
fn fixtures_are_clean_after_a_restore() {
    let folders = std::fs::read_dir(root("fixtures")).expect("because it is part of the repository");
    let folders = folders.map(|entry| entry.expect("because it was just listed"));
    let names = folders
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name());
    let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let known = FIXTURES.iter().map(|(name, ..)| *name).chain(OTHERS);
    assert_eq!(names, known.map(str::to_owned).collect(), "every fixture is audited");
    for (name, args, left) in FIXTURES {
        let repo = Repo::of_folder(&root(&format!("fixtures/{name}")));
        let (found, managers) = audited(repo.path(), args, false);
        assert_eq!(found, *left, "{name}");
        let managers: Vec<&str> = managers.iter().map(String::as_str).collect();
        assert_eq!(managers, declarers(name), "{name}");
    }
}

#[test]
fn real_repositories_are_clean_after_a_restore() {
    for (name, args, left) in [
        (
            "bank-of-anthos",
            &["--path", "kubernetes-manifests", "--path", "extras/jwt/jwt-secret.yaml"][..],
            &[][..],
        ),
        (
            "jx3-eagle",
            &["--path", "config-root"],
            &["grafana", "tekton-pipelines"],
        ),
    ] {
        let Some((_folder, clone)) = case(name) else { continue };
        let left: Vec<String> = left
            .iter()
            .map(|one| format!("missing PodSecurityPolicy/{one}{GONE}"))
            .collect();
        assert_eq!(audited(&clone, args, true).0, left, "{name}");
    }
}

/// Folders of a repository that needs kinds of elsewhere too.
const PRODUCTS: [&str; 3] = [
    "rhsso/rhsso-standalone/base",
    "nexus2/base",
    "groups-roles-bindings/base",
];

/// The audit finds missing what the restore said it did not restore, and nothing else.
#[test]
fn what_was_restored_of_a_repository_is_clean() {
    let Some((folder, clone)) = case("gitops-catalog") else {
        return;
    };
    let plane = fresh();
    let report = folder.path().join("report.json").display().to_string();
    let args: Vec<&str> = PRODUCTS.iter().flat_map(|path| ["--path", path]).collect();
    let more = [
        "--old-cluster-is-gone",
        "--timeout",
        "10s",
        "--soft-wait",
        "1s",
        "--report",
        &report,
    ];
    let ran = run("restore", &plane, &clone, &[&*args, &more].concat());
    assert!(matches!(ran.code, 0 | 3), "{}\n{}", ran.stdout, ran.stderr);
    let text = std::fs::read(&report).expect("because --report wrote it");
    let restored: Value = serde_json::from_slice(&text).expect("because it is JSON");
    let steps = restored["steps"].as_array().expect("because a report has steps");
    let (done, left): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step["action"] == "created");
    let object = |step: &Value| {
        let parts = ["kind", "namespace", "name"].map(|key| step["object"][key].as_str());
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    };
    let left: BTreeSet<String> = left
        .into_iter()
        .map(|step| format!("missing {}", object(step)))
        .collect();
    let found = found(&plane, &clone, &args);
    let found = found
        .iter()
        .map(|one| one.split(": ").next().unwrap_or_default().to_owned());
    assert_eq!(found.collect::<BTreeSet<_>>(), left);
    assert!(done.len() > 10 && left.len() > 2, "{} restored, {left:?}", done.len());
}
