//! Where a change is put, what is asked and refused before, and how it is told.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::{CANARIES, run};
use crate::support::plane::Plane;
use crate::support::repo::Repo;
use crate::support::run::refloat;

/// A preview, a patch, files elsewhere, and a branch that is pushed: the same change each time, and the working tree is untouched.
pub(super) fn in_other_ways(plane: &Plane, repo: &Repo) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let (patch, files) = (folder.path().join("change.patch"), folder.path().join("files"));
    let remote = folder.path().join("remote.git");
    let report = folder.path().join("report.json");
    let [patch, files, remote, told] = [&patch, &files, &remote, &report].map(|path| path.display().to_string());
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
        &[
            "--patch", &patch, "--output", &files, "--branch", "--push", "--report", &told,
        ],
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    reported(
        &report,
        [&files, &patch, &remote],
        repo.git(&["rev-parse", "refloat/export"]).trim(),
    );
    let again = run("export", plane, repo.path(), &["--branch", "--push"]);
    assert!(again.stderr.contains("as it was there already"), "{}", again.stderr);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    let unopened = run("export", plane, repo.path(), &["--branch=asked-for", "--pull-request"]);
    assert_eq!(unopened.code, 1, "{}", unopened.stderr);
    assert_eq!(repo.git(&["branch", "--list", "asked-for"]), "", "a folder is no forge");
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
    interrupted(plane, repo);
}

/// The report for programs: what stands in the one for people, and no value.
fn reported(report: &Path, [files, patch, remote]: [&str; 3], commit: &str) {
    let text = std::fs::read_to_string(report).expect("because it was written");
    assert!(!text.contains("canary"), "{text}");
    let report: Value = serde_json::from_str(&text).expect("because it is JSON");
    let list = |key: &str| report[key].as_array().expect("because it is a list").clone();
    let (exported, left) = (list("exported"), list("left_out"));
    assert_eq!((exported.len(), left.len()), (42, 2), "{text}");
    let of = |list: &[Value], name: &str| list.iter().find(|one| one["object"]["name"] == name).cloned();
    let web = of(&exported, "web").expect("because it was scaled");
    let (author, change) = (&web["authors"][0], &web["changes"][0]);
    assert_eq!(
        (&web["verdict"], &author["tool"]),
        (&json!("drifted"), &json!("kubectl scale"))
    );
    let place = json!({"file": "clusters/production/apps/mobile/web.yaml", "line": 1});
    assert_eq!(
        (&change["change"], &change["path"], &change["place"]),
        (&json!("set"), &json!(".spec.replicas"), &place)
    );
    assert!(
        of(&left, "partner-token").is_some_and(|one| one["reason"].is_string()),
        "{text}"
    );
    let commit = json!({"branch": "refloat/export", "id": commit, "was": "created"});
    let delivered = json!({"folder": files, "patch": patch, "commit": commit, "pushed_to": remote});
    assert_eq!(report["delivered"], delivered);
}

/// Ctrl-C before anything is written: nothing is, and that is said. Later, what is being written is written to its end.
fn interrupted(plane: &Plane, repo: &Repo) {
    let (kubeconfig, path) = (plane.kubeconfig(), repo.path().display().to_string());
    let args = ["export", &path, "--kubeconfig", &kubeconfig];
    let seen = refloat(args.iter().chain(&["--write"]).copied()).start_as_seen();
    until(&|| seen.text().contains("asking the cluster what it serves"));
    let (code, text) = seen.interrupt();
    assert_eq!(code, 130, "{text}");
    assert!(
        text.ends_with("\nError: nothing was written: the export was interrupted\n"),
        "{text}"
    );
    assert_eq!(repo.git(&["status", "--porcelain"]), "");

    let (hook, pushing) = (".git/hooks/pre-push", repo.path().join(".git/pushing"));
    repo.write(hook, &format!("#!/bin/sh\ntouch {}\nsleep 1\n", pushing.display()));
    let hook = repo.path().join(hook);
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("because the file is ours");
    let seen = refloat(args.iter().chain(&["--branch=interrupted", "--push"]).copied()).start_as_seen();
    until(&|| pushing.exists());
    let (code, text) = seen.interrupt();
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("Interrupted: what is being written is written to its end") && text.contains("\nPushed to "),
        "{text}"
    );
    std::fs::remove_file(hook).expect("because the file is ours");
}

/// Waits until it is so.
pub(super) fn until(so: &dyn Fn() -> bool) {
    let start = std::time::Instant::now();
    while !so() {
        assert!(start.elapsed().as_secs() < 120, "it never came to that");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// One answer each, as `git add -p` asks; and what is refused, with nothing written.
pub(super) fn asked_and_refused(plane: &Plane, repo: &Repo) {
    let (kubeconfig, path) = (plane.kubeconfig(), repo.path().display().to_string());
    let args = |more: &[&str]| {
        let args = ["export", &path, "--kubeconfig", &kubeconfig];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect::<Vec<_>>()
    };
    let chosen = refloat(args(&["--interactive", "--only", "mobile", "--verdict", "drifted"]))
        .stdin("n\ny\nd\n")
        .run();
    assert_eq!(chosen.code, 0, "{}", chosen.stderr);
    assert!(
        chosen.stderr.contains("- .spec.replicas: 2\n+ .spec.replicas: 5\n"),
        "{}",
        chosen.stderr
    );
    assert!(chosen.stdout.contains("1 file changed"), "{}", chosen.stdout);
    let none = refloat(args(&["--interactive"])).stdin("q\n").run();
    assert!(
        none.code == 0 && none.stderr.contains("Nothing was exported."),
        "{}",
        none.stderr
    );

    let refused = |more: &[&str], code: i32, why: &str| {
        let ran = refloat(args(more)).run();
        assert_eq!(ran.code, code, "{more:?} {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{more:?} {}", ran.stderr);
    };
    refused(&["--only", "paymnts"], 2, "no finding matches paymnts");
    refused(&["--by", "nobody"], 2, "no finding matches nobody");
    refused(&["--branch=main"], 1, "it is checked out");
    refused(
        &["--sealed-secrets-cert", "README.md"],
        1,
        "--sealed-secrets-cert cannot be used",
    );
    refused(&["--since", "yesterday"], 2, "is not understood");
    refused(
        &["--output", "/proc/none", "--only", "mobile"],
        1,
        "nothing was written",
    );
    let sealed = [
        "--only",
        "Secret/payments/partner-token",
        "--sealed-secrets-cert",
        "crates/sops/tests/keys/sealing.crt",
    ];
    let sealed = run("export", plane, repo.path(), &sealed);
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    assert!(
        sealed.stdout.contains("+kind: SealedSecret") && sealed.stdout.contains("+    token: A"),
        "{}",
        sealed.stdout
    );
    // What cannot be read may declare it.
    repo.write("clusters/production/apps/mobile/broken.yaml", "a: [\n");
    repo.commit("broken");
    let new = ["--verdict", "never-in-git"];
    let in_doubt = refloat(args(&new)).run();
    assert!(
        in_doubt.code == 3 && in_doubt.stdout.contains("may declare it: name it with --only"),
        "{}",
        in_doubt.stdout
    );
    assert!(in_doubt.stdout.contains("0 files changed"), "{}", in_doubt.stdout);
    let named = refloat(args(
        &[&new[..], &["--only", "ConfigMap/payments/feature-flags"]].concat(),
    ))
    .run();
    assert!(named.stdout.contains("1 file changed"), "{}", named.stdout);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.write("clusters/production/apps/mobile/web.yaml", "somebody is at it\n");
    refused(
        &["--write", "--only", "mobile"],
        1,
        "web.yaml is not as it was committed",
    );
    repo.git(&["checkout", "-q", "--", "."]);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

/// The changed repository, restored into an empty control plane: all comes out there as it is live, but for an object whose definition is
/// not exported with it.
pub(super) fn rehearsed(plane: &Plane, repo: &Repo) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let report = folder.path().join("report.json");
    let told = report.display().to_string();
    let rehearse = ["--verify-in-drill", "--report", &told];
    // Whose new pods admission refuses: what depends on them would not be made.
    let sound = [
        "--except",
        "Deployment/payments/payments-api",
        "--except",
        "Deployment/ingress/edge-proxy",
    ];
    let ran = run(
        "export",
        plane,
        repo.path(),
        &[&rehearse[..], &sound, &["--branch=rehearsed"]].concat(),
    );
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout
            .contains("\nVerified: in an empty control plane 40 exported objects came out as live.\n")
            && !ran.stdout.contains("not ready"),
        "{}",
        ran.stdout
    );
    assert_ne!(repo.git(&["branch", "--list", "rehearsed"]), "");

    let alone = ["--branch=refuted", "--only", "Widget/monitoring/first"];
    let ran = run("export", plane, repo.path(), &[&rehearse[..], &alone].concat());
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout
            .contains("\nOtherwise in an empty control plane (1 of 1)\n  Widget/monitoring/first: the server does not serve Widget.acme.example.com\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains("Error: nothing was written\n  because: in an empty control plane"),
        "{}",
        ran.stderr
    );
    assert_eq!(repo.git(&["branch", "--list", "refuted"]), "");
    let text = std::fs::read_to_string(&report).expect("because it was written all the same");
    let report: Value = serde_json::from_str(&text).expect("because it is JSON");
    assert_eq!(report["delivered"], json!({}));
    let verified = &report["verified"];
    assert_eq!(
        (
            &verified["clean"],
            &verified["otherwise"][0]["there"],
            &verified["not_ready"]
        ),
        (&json!(false), &json!(false), &json!([]))
    );
    assert_eq!(verified["otherwise"][0]["outcome"]["skip"], "not-served", "{text}");
}
