//! What a rehearsal of the change tells, and how it ends when somebody ends it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::deliver::until;
use super::odd::{config_map, export, kubectl, live, said};
use super::secrets::plane;
use crate::support::run::refloat;

/// No simulated node has what it asks for.
fn without_a_node(namespace: &str) -> Value {
    let labels = json!({"app": "gpu"});
    let pod =
        json!({"nodeSelector": {"gpu": "yes"}, "containers": [{"name": "gpu", "image": "registry.example.com/gpu:1"}]});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gpu", "namespace": namespace},
        "spec": {
            "progressDeadlineSeconds": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    })
}

#[test]
fn what_does_not_become_ready_is_told_and_written() {
    let space = "late";
    let Some(repo) = live(space, &[("apps/web.yaml", &config_map(space, "web"))]) else {
        return;
    };
    kubectl(space, "patch configmap web -p {\"data\":{\"a\":\"c\"}}");
    plane().kubectl(&["create", "-f", "-"], &without_a_node(space).to_string());
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let report = folder.path().join("report.json");
    let told = report.display().to_string();
    let rehearse = ["--verify-in-drill", "--branch=late", "--report", &told];
    let ran = export(space, &repo, &rehearse);
    assert_eq!(ran.code, 3, "{}", said(&ran));
    let (_, verified) = ran
        .stdout
        .split_once("\nVerified: ")
        .unwrap_or_else(|| panic!("{}", said(&ran)));
    assert!(
        verified.starts_with(
            "in an empty control plane 2 exported objects came out as live.\n\n\
             There, but not ready in an empty control plane (1 of 2)\n  Deployment/late/gpu: "
        ) && verified.contains("ProgressDeadlineExceeded"),
        "{}",
        said(&ran)
    );
    let text = std::fs::read_to_string(&report).expect("because it was written");
    let document: Value = serde_json::from_str(&text).expect("because it is JSON");
    let (verified, object) = (
        &document["verified"],
        json!({"group": "apps", "kind": "Deployment", "namespace": space, "name": "gpu"}),
    );
    assert_eq!(
        (&verified["clean"], &verified["checked"]),
        (&json!(true), &json!(2)),
        "{text}"
    );
    let late = verified["not_ready"].as_array().expect("because it is a list");
    assert_eq!((late.len(), &late[0]["object"]), (1, &object), "{text}");
    assert_eq!(late[0]["outcome"]["readiness"], "failed", "{text}");
    let branch = repo.git(&["show", "--stat", "--format=", "late"]);
    assert!(branch.contains(" 2 files changed"), "{branch}");
}

/// The processes that have to do with a folder.
fn processes(folder: &Path) -> Vec<PathBuf> {
    let name = folder.display().to_string();
    let all = std::fs::read_dir("/proc").expect("because this is Linux");
    let all = all.filter_map(|entry| Some(entry.ok()?.path()));
    all.filter(|process| {
        let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&name)
    })
    .collect()
}

/// Waits until neither a process nor the folder of a control plane is left.
fn until_gone(folder: &Path) {
    let start = std::time::Instant::now();
    loop {
        let left = processes(folder);
        if left.is_empty() && !folder.exists() {
            return;
        }
        let named = |process: &PathBuf| std::fs::read_to_string(process.join("cmdline")).unwrap_or_default();
        let files = std::fs::read_dir(folder).into_iter().flatten();
        let files = files.filter_map(|entry| Some(entry.ok()?.file_name()));
        assert!(
            start.elapsed().as_secs() < 120,
            "left after two minutes: {:?}, {:?}\n{}",
            left.iter().map(named).collect::<Vec<_>>(),
            files.collect::<Vec<_>>(),
            std::fs::read_to_string(folder.join("guard.log")).unwrap_or_default()
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_rehearsal_that_is_interrupted_leaves_nothing() {
    let space = "ended";
    let Some(repo) = live(space, &[("apps/web.yaml", &config_map(space, "web"))]) else {
        return;
    };
    kubectl(space, "patch configmap web -p {\"data\":{\"a\":\"c\"}}");
    // It would be waited for longer than a test takes.
    let mut slow = without_a_node(space);
    slow["spec"]["progressDeadlineSeconds"] = json!(600);
    plane().kubectl(&["create", "-f", "-"], &slow.to_string());
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let report = folder.path().join("report.json").display().to_string();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).expect("because the folder is ours");
    let (kubeconfig, place) = (plane().kubeconfig(), repo.path().display().to_string());
    let args = [
        "export",
        &place,
        "--path",
        "apps",
        "--only",
        space,
        "--kubeconfig",
        &kubeconfig,
    ];
    let more = ["--verify-in-drill", "--write", "--branch=ended", "--report", &report];
    let run = refloat(args.iter().chain(&more).copied()).env("TMPDIR", &temporary);
    let seen = run.start_as_seen();
    until(&|| {
        seen.text()
            .contains("restoring the changed repository into the control plane")
    });
    let planes = std::fs::read_dir(&temporary).expect("because it was just made");
    let planes: Vec<PathBuf> = planes.filter_map(|entry| Some(entry.ok()?.path())).collect();
    assert_eq!(planes.len(), 1, "{planes:?}");
    assert!(processes(&planes[0]).len() > 4, "a guard and the parts");

    let (code, text) = seen.interrupt();
    assert_eq!(code, 130, "{text}");
    assert!(
        text.ends_with("\nError: nothing was written: the export was interrupted\n") && !text.contains("Verified"),
        "{text}"
    );
    until_gone(&planes[0]);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(repo.git(&["branch", "--list", "ended"]), "");
    assert!(!Path::new(&report).exists());
}
