//! What an edit in place comes to: what it does to others, what it costs in comments, and where it cannot be written.

use serde_json::{Value, json};

use super::odd::{config_map, export, found, kubectl, live, said};
use super::secrets::{make_live, plane, run};
use crate::support::repo::{Repo, git_in};
use crate::support::run::Ran;
use crate::support::tools::{at_hand, skipped};

const PRODUCTION: [&str; 4] = ["--path", "clusters/production", "--only", "ConfigMap/both/web"];

/// An entry on which another one is built.
fn one_on_the_other() -> Option<Repo> {
    at_hand("kubectl").then_some(())?;
    let repo = Repo::with(&[
        (
            "clusters/production/kustomization.yaml",
            "resources: [flags.yaml, web.yaml]\n",
        ),
        ("clusters/production/flags.yaml", &config_map("both", "flags")),
        ("clusters/production/web.yaml", &config_map("both", "web")),
        (
            "clusters/staging/kustomization.yaml",
            "namespace: staging\nresources: [../production]\n",
        ),
    ]);
    for (key, value) in [("user.name", "Dev"), ("user.email", "dev@example.invalid")] {
        repo.git(&["config", key, value]);
    }
    make_live("both", &repo, &PRODUCTION[..2], |run| run);
    Some(repo)
}

#[test]
fn what_would_change_another_entry_is_refused_listed_and_accepted() {
    let Some(repo) = one_on_the_other() else { return };
    kubectl("both", "patch configmap web -p {\"data\":{\"a\":\"c\"}}");
    let exported = |more: &[&str]| run("export", &repo, &[&PRODUCTION[..], more].concat(), |run| run);
    let listed = "\nThese change too (1)\n  ConfigMap/staging/web in clusters/staging\n";
    for way in ["--write", "--branch=both"] {
        let ran = exported(&[way]);
        assert_eq!(ran.code, 1, "{}", said(&ran));
        assert!(ran.stdout.contains(listed), "{}", said(&ran));
        assert!(
            ran.stderr.contains(
                "Error: nothing was written\n  because: other objects would change too (see above)\n  hint: --allow-side-effects accepts that"
            ),
            "{}",
            said(&ran)
        );
    }
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(repo.git(&["branch", "--list", "both"]), "");

    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let report = folder.path().join("report.json");
    let told = report.display().to_string();
    let ran = exported(&["--allow-side-effects", "--branch=both", "--report", &told]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    assert!(ran.stdout.contains(listed), "{}", said(&ran));
    let report: Value =
        serde_json::from_slice(&std::fs::read(&report).expect("because it was written")).expect("because it is JSON");
    assert_eq!(
        report["side_effects"],
        json!(["ConfigMap/staging/web in clusters/staging"])
    );
    let message = repo.git(&["log", "-1", "--format=%b", "both"]);
    assert!(
        message.contains("\nThese change too:\n\n- ConfigMap/staging/web in clusters/staging\n"),
        "{message}"
    );
    let diff = repo.git(&["diff", "-U0", "main", "both"]);
    assert!(diff.contains("-  a: b\n+  a: c\n"), "{diff}");
}

#[test]
fn what_is_written_anew_is_said() {
    let space = "anew";
    // Keys behind a question mark cannot be edited in place.
    let part = "? resources\n: - web.yaml # ours\nconfigMapGenerator:\n- name: made\n  namespace: anew\n  literals: [a=b]\n  options: {disableNameSuffixHash: true}\n";
    let Some(repo) = live(
        space,
        &[
            ("apps/kustomization.yaml", "resources: [namespace.yaml, part]\n"),
            ("apps/part/kustomization.yaml", part),
            ("apps/part/web.yaml", &config_map(space, "web")),
        ],
    ) else {
        return;
    };
    kubectl(space, "delete configmap web");
    let ran = export(space, &repo, &["--branch=anew"]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    assert!(
        ran.stdout
            .contains("\nComments may be lost at apps/part/kustomization.yaml: it could not be edited in place\n"),
        "{}",
        said(&ran)
    );
    let message = repo.git(&["log", "-1", "--format=%b", "anew"]);
    assert!(
        message.contains("\nWritten anew, where comments may be lost:\n\n- apps/part/kustomization.yaml\n"),
        "{message}"
    );
}

#[test]
fn an_object_of_a_megabyte_is_edited_in_place() {
    let space = "large";
    let lines = "    all work and no play\n".repeat(24_500);
    let text = format!(
        "{}  # Not read by anybody.\n  text: |\n{lines}    and some rest\n{lines}  mode: fast # for now\n",
        config_map(space, "large")
    );
    assert!(text.len() > 1_000_000);
    let Some(repo) = live(space, &[("apps/large.yaml", &text)]) else {
        return;
    };
    let get = ["get", "configmap", "large", "-n", space, "-o", "json"];
    let live: Value = serde_json::from_str(&plane().kubectl(&get, "")).expect("because it is JSON");
    let mut changed = live.clone();
    let played = live["data"]["text"]
        .as_str()
        .map(|text| text.replace("some rest", "no rest"));
    changed["data"]["text"] = played.expect("because it is text").into();
    changed["data"]["mode"] = "slow".into();
    plane().kubectl(&["replace", "-f", "-"], &changed.to_string());

    let ran = export(space, &repo, &["--write"]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    assert!(!ran.stdout.contains("not proven"), "{}", said(&ran));
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached", "-U0"]);
    let is_line = |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("---") && !line.starts_with("+++");
    assert_eq!(
        diff.lines().filter(is_line).collect::<Vec<_>>(),
        [
            "-    and some rest",
            "+    and no rest",
            "-  mode: fast # for now",
            "+  mode: slow # for now"
        ]
    );
    repo.commit("what was done by hand");
    assert_eq!(found(space, &repo), Vec::<String>::new());
}

/// A file system that may only be read, with a clone in it; `None` where this user may not mount one.
struct ReadOnly(tempfile::TempDir);

impl ReadOnly {
    fn clone_of(repo: &Repo) -> Option<Self> {
        let disk = Self(tempfile::tempdir().expect("because a temporary folder can be made"));
        if !disk.mount("mount", &["-t", "tmpfs", "tmpfs"]) {
            skipped("a checkout on a file system that may only be read: only root may mount one");
            return None;
        }
        repo.git(&["clone", "-q", ".", &disk.place().display().to_string()]);
        for (key, value) in [("user.name", "Dev"), ("user.email", "dev@example.invalid")] {
            git_in(&disk.place(), "2026-01-02T03:04:05Z", &["config", key, value]);
        }
        assert!(disk.mount("mount", &["-o", "remount,ro"]));
        Some(disk)
    }

    fn place(&self) -> std::path::PathBuf {
        self.0.path().join("clone")
    }

    #[expect(clippy::disallowed_methods, reason = "a test mounts a small disk")]
    fn mount(&self, command: &str, args: &[&str]) -> bool {
        let mut command = std::process::Command::new(command);
        let status = command.args(args).arg(self.0.path()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        self.mount("umount", &[]);
    }
}

#[test]
fn of_a_checkout_that_may_only_be_read_a_patch_is_made_and_nothing_else() {
    let space = "readonly";
    let Some(repo) = live(space, &[("apps/web.yaml", &config_map(space, "web"))]) else {
        return;
    };
    let Some(disk) = ReadOnly::clone_of(&repo) else { return };
    kubectl(space, "patch configmap web -p {\"data\":{\"a\":\"c\"}}");
    let clone = disk.place();
    let exported = |more: &[&str]| -> Ran {
        let args = ["--path", "apps", "--only", space];
        super::run("export", plane(), &clone, &[&args[..], more].concat())
    };
    let status = || {
        git_in(
            &clone,
            "2026-01-02T03:04:05Z",
            &["status", "--porcelain", "--ignored", "--branch"],
        )
    };
    let before = status();
    for (way, what) in [
        ("--write", "nothing was written"),
        ("--branch=readonly", "nothing was committed on readonly"),
    ] {
        let ran = exported(&[way]);
        assert_eq!(ran.code, 1, "{}", said(&ran));
        assert!(
            ran.stderr.contains(&format!("Error: {what}\n")) && ran.stderr.contains("Read-only file system"),
            "{}",
            said(&ran)
        );
    }
    assert_eq!(status(), before);
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let patch = folder.path().join("change.patch").display().to_string();
    let ran = exported(&["--patch", &patch]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    repo.git(&["am", "-q", &patch]);
    assert_eq!(found(space, &repo), Vec::<String>::new());
}
