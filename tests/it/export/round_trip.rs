//! From hand-made changes to a repository that declares them: the next audit finds nothing but what was left out, and says so.

use std::path::Path;

use crate::audit::whole::{act, table};
use crate::audit::{bank, root};
use crate::support::plane::Plane;
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

/// What no output and no file may hold: values of Secrets, as they are and as the API has them.
const CANARIES: [&str; 3] = [
    "canary-not-a-secret-by-hand",
    "canary-not-a-secret-other",
    "Y2FuYXJ5LW5vdC1hLXNlY3JldC",
];

fn run(command: &str, plane: &Plane, repo: &Path, more: &[&str]) -> Ran {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.display().to_string());
    let args = [command, &repo, "--kubeconfig", &kubeconfig];
    let ran = refloat(args.iter().chain(more).copied()).run();
    for canary in CANARIES {
        assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary), "{more:?}");
    }
    ran
}

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
    let ran = run("audit", plane, repo, &["--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("because it is a report");
    let findings = report["findings"].as_array().expect("because a report lists them");
    let name = |object: &serde_json::Value| {
        let parts = ["kind", "namespace", "name"].map(|key| object[key].as_str());
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    };
    findings.iter().map(|one| name(&one["object"])).collect()
}

/// Exports, commits, and looks: the audit finds the two Secrets only, the next export has nothing to do, and of the lines that are
/// neither new nor gone none is another.
fn comes_back(plane: &Plane, repo: &Repo) -> String {
    let ran = run("export", plane, repo.path(), &["--write"]);
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Left out (2)"), "{}", ran.stdout);
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached"]);
    assert!(CANARIES.iter().all(|canary| !diff.contains(canary)));
    repo.commit("what was done by hand");
    let secrets = ["Secret/payments/partner-token", "Secret/payments/payments-credentials"];
    assert_eq!(found(plane, repo.path()), secrets, "{}", ran.stdout);
    let again = run("export", plane, repo.path(), &["--write"]);
    assert_eq!(again.code, 3, "{}", again.stderr);
    assert!(again.stdout.contains("0 files changed"), "{}", again.stdout);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    diff
}

/// Lines that went.
fn gone(diff: &str) -> Vec<&str> {
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
    let diff = comes_back(&plane, &repo);
    // Fields that changed, three objects that were deleted, a list that is empty now.
    assert!(gone(&diff).len() < 100, "{diff}");

    let kustomized = kustomized();
    let diff = comes_back(&plane, &kustomized);
    for line in ["+    newTag: 2.0.6-hotfix", "+    count: 5", "-    newTag: 2.0.5"] {
        assert!(diff.contains(line), "{line}\n{diff}");
    }
}

/// A preview, a patch, files elsewhere, and a branch that is pushed: the same change each time, and the working tree is untouched.
fn in_other_ways(plane: &Plane, repo: &Repo) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let (patch, files) = (folder.path().join("change.patch"), folder.path().join("files"));
    let remote = folder.path().join("remote.git");
    let [patch, files, remote] = [&patch, &files, &remote].map(|path| path.display().to_string());
    repo.git(&["init", "-q", "--bare", "-b", "main", &remote]);
    repo.git(&["remote", "add", "origin", &remote]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.git(&["config", "user.name", "Dev"]);
    repo.git(&["config", "user.email", "dev@example.invalid"]);
    let preview = run("export", plane, repo.path(), &[]);
    assert!(preview.stdout.contains("\n+  replicas: 5\n"), "{}", preview.stdout);
    assert!(preview.stderr.contains("Nothing was written"), "{}", preview.stderr);
    let ran = run(
        "export",
        plane,
        repo.path(),
        &["--patch", &patch, "--output", &files, "--branch", "--push"],
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let again = run("export", plane, repo.path(), &["--branch", "--push"]);
    assert!(again.stderr.contains("as it was there already"), "{}", again.stderr);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    let on_branch = repo.git(&[
        "--git-dir",
        &remote,
        "log",
        "--format=%an %s%n%b",
        "-1",
        "refloat/export",
    ]);
    assert!(
        on_branch.starts_with("Dev Declare what was done by hand: 42 objects\n"),
        "{on_branch}"
    );
    assert!(
        on_branch.contains("- Deployment/mobile/web: .spec.replicas (kubectl scale"),
        "{on_branch}"
    );
    assert!(CANARIES.iter().all(|canary| !on_branch.contains(canary)));

    repo.git(&["am", "-q", &patch]);
    assert_eq!(repo.git(&["diff", "HEAD", "refloat/export"]), "");
    let written = std::fs::read_to_string(folder.path().join("files/clusters/production/apps/mobile/web.yaml"));
    let there = std::fs::read_to_string(repo.path().join("clusters/production/apps/mobile/web.yaml"));
    assert_eq!(written.ok(), there.ok());
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
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
