//! From hand-made changes to a repository that declares them: the next audit finds nothing but what was left out, and says so.

use std::path::Path;

use refloat::control_plane::Options;
use serde_json::Value;

use super::deliver::{asked_and_refused, in_other_ways, rehearsed};
use super::{committed, run};
use crate::audit::whole::{act, table};
use crate::audit::{bank, restore, root};
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::{Repo, case, git_in};
use crate::support::run::Ran;

/// A control plane in which mobile-bank was restored, and all was done by hand that people do.
fn after_the_emergency() -> Option<Plane> {
    refloat::process::which("kubectl")?;
    let plane = bank();
    for (index, line) in table().iter().enumerate() {
        act(&plane, index + 1, line);
    }
    Some(plane)
}

/// What an audit finds, by object.
fn found(plane: &Plane, repo: &Path) -> Vec<String> {
    objects(&run("audit", plane, repo, &["--output", "json"]))
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

/// Exports, commits, and looks: the audit finds the two Secrets only, the next export has nothing to do, and of the lines that are
/// neither new nor gone none is another.
fn comes_back(plane: &Plane, repo: &Repo) -> String {
    let (diff, ran) = committed(&[], plane, repo, &["--write"]);
    let secrets = ["Secret/payments/partner-token", "Secret/payments/payments-credentials"];
    assert_eq!(found(plane, repo.path()), secrets, "{}", ran.stdout);
    let again = run("export", plane, repo.path(), &["--write"]);
    assert_eq!(again.code, 3, "{}", again.stderr);
    assert!(again.stdout.contains("0 files changed"), "{}", again.stdout);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    diff
}

/// Lines that went.
pub(super) fn gone(diff: &str) -> Vec<&str> {
    let lines = diff
        .lines()
        .filter(|line| line.starts_with('-') && !line.starts_with("---"));
    lines.collect()
}

#[test]
fn what_was_done_by_hand_is_declared_and_the_next_audit_is_clean() {
    let Some(plane) = after_the_emergency() else { return };
    let repo = Repo::of_folder(&root("fixtures/mobile-bank"));
    in_other_ways(&plane, &repo);
    asked_and_refused(&plane, &repo);
    rehearsed(&plane, &repo);
    let diff = comes_back(&plane, &repo);
    // Fields that changed, three objects that were deleted, a list that is empty now.
    assert!(gone(&diff).len() < 100, "{diff}");

    let kustomized = kustomized();
    let diff = comes_back(&plane, &kustomized);
    for line in ["+    newTag: 2.0.6-hotfix", "+    count: 5", "-    newTag: 2.0.5"] {
        assert!(diff.contains(line), "{line}\n{diff}");
    }
}

/// mobile-bank with a kustomization over all files, which sets an image and a number of replicas.
fn kustomized() -> Repo {
    let repo = Repo::of_folder(&root("fixtures/mobile-bank"));
    let files = repo.git(&["ls-files", "clusters/production"]);
    let resources: String = files
        .lines()
        .filter_map(|file| file.strip_prefix("clusters/production/"))
        .map(|file| format!("  - {file}\n"))
        .collect();
    let text = format!(
        "# The bank, as it runs.\nresources:\n{resources}images:\n  - name: registry.example.com/bank/card-gateway\n    newTag: 2.0.5 # tested\nreplicas:\n  - name: web\n    count: 2\n"
    );
    repo.write("clusters/production/kustomization.yaml", &text);
    repo.commit("a kustomization");
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
];

#[test]
fn a_repository_of_others_takes_what_was_done_by_hand() {
    let (Some((_folder, clone)), true) = (case("bank-of-anthos"), refloat::process::which("kubectl").is_some()) else {
        return;
    };
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
    let diff = git(&["diff", "--cached"]);
    git(&["commit", "-q", "-m", "what was done by hand"]);
    let audit = run("audit", &plane, &clone, &path);
    assert_eq!(audit.code, 0, "{}\n{diff}", audit.stdout);
    // Seven values, and the Service with its separator: 22 lines; the licence above it stays.
    assert!(gone(&diff).len() < 32, "{diff}");
    assert!(!diff.contains("-# Copyright"), "{diff}");
}
