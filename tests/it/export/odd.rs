//! What goes wrong, and what is unusual: each with what is written then, and what is said.

use std::path::Path;
use std::process::Command;

use refloat::process::which;
use serde_json::{Value, json};

use super::secrets::{CANARIES, plane, run};
use crate::support::repo::{Repo, git_in};
use crate::support::run::{Ran, refloat};
use crate::support::tools::{at_hand, skipped};

/// A namespace, declared and live, with these files.
pub(super) fn live(namespace: &str, files: &[(&str, &str)]) -> Option<Repo> {
    at_hand("kubectl").then_some(())?;
    let own = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
    let repo = Repo::with(&[&[("apps/namespace.yaml", &*own)], files].concat());
    for (key, value) in [("user.name", "Dev"), ("user.email", "dev@example.invalid")] {
        repo.git(&["config", key, value]);
    }
    plane().kubectl(&["apply", "--server-side", "-f", "-"], &own);
    let place = repo.path().display().to_string();
    let rendered = refloat(["render", &*place, "--path", "apps", "--show-secrets"]).run();
    plane().kubectl(&["apply", "--server-side", "-f", "-"], &rendered.stdout);
    Some(repo)
}

pub(super) fn export(namespace: &str, repo: &Repo, more: &[&str]) -> Ran {
    let args = ["--path", "apps", "--only", namespace];
    run("export", repo, &[&args[..], more].concat(), |run| run)
}

pub(super) fn kubectl(namespace: &str, command: &str) {
    let args: Vec<&str> = command.split(' ').chain(["-n", namespace]).collect();
    plane().kubectl(&args, "");
}

/// What an audit finds of a namespace.
pub(super) fn found(namespace: &str, repo: &Repo) -> Vec<String> {
    let ran = run("audit", repo, &["--path", "apps", "--output", "json"], |run| {
        run.with_tools(&["helm"])
    });
    let report: Value = serde_json::from_str(&ran.stdout).expect("because it is a report");
    let findings = report["findings"].as_array().expect("because a report lists them");
    let of = findings.iter().filter(|one| one["object"]["namespace"] == namespace);
    of.filter_map(|one| one["object"]["name"].as_str())
        .map(str::to_owned)
        .collect()
}

pub(super) fn said(ran: &Ran) -> String {
    format!("exit {}\n{}{}", ran.code, ran.stdout, ran.stderr)
}

pub(super) fn config_map(namespace: &str, name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\ndata:\n  a: b\n")
}

#[test]
fn a_preview_shows_no_secret_that_is_in_clear_in_git() {
    let space = "clear";
    let secret = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {space}}}\nstringData:\n  password: {}-{name}\n",
            CANARIES[0]
        )
    };
    let both = config_map(space, "flags") + "---\n" + &secret("beside");
    let Some(repo) = live(space, &[("apps/both.yaml", &both), ("apps/gone.yaml", &secret("gone"))]) else {
        return;
    };
    kubectl(space, "delete secret gone");
    kubectl(space, "patch configmap flags -p {\"data\":{\"a\":\"c\"}}");
    let ran = export(space, &repo, &[]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    for line in ["-  password: '***'\n", "-  a: b\n+  a: c\n", " kind: Secret\n"] {
        assert!(ran.stdout.contains(line), "{line}\n{}", said(&ran));
    }
    // What is written is the file as it is.
    let ran = export(space, &repo, &["--write"]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    let kept = std::fs::read_to_string(repo.path().join("apps/both.yaml")).expect("because it stays");
    assert!(kept.contains(&format!("password: {}-beside\n", CANARIES[0])), "{kept}");
}

#[test]
fn what_would_change_others_is_refused_listed_and_accepted() {
    let space = "others";
    let Some(repo) = live(
        space,
        &[
            (
                "apps/kustomization.yaml",
                "resources: [namespace.yaml, a.yaml, b.yaml]\ncommonAnnotations: {team: shop}\n",
            ),
            ("apps/a.yaml", &config_map(space, "a")),
            ("apps/b.yaml", &config_map(space, "b")),
        ],
    ) else {
        return;
    };
    kubectl(space, "annotate configmap a team=web --overwrite");
    let branch = ["--branch=others"];
    let ran = export(space, &repo, &branch);
    assert_eq!(ran.code, 1, "{}", said(&ran));
    assert!(
        ran.stdout
            .contains("\nThese change too (2)\n  ConfigMap/others/b in apps\n  Namespace/others in apps\n")
            && ran
                .stdout
                .contains("kustomization.yaml: the value that sets it; others change too\n"),
        "{}",
        said(&ran)
    );
    assert!(
        ran.stderr
            .contains("Error: nothing was written\n  because: other objects would change too"),
        "{}",
        said(&ran)
    );
    assert_eq!(repo.git(&["branch", "--list", "others"]), "");
    let ran = export(space, &repo, &[&branch[..], &["--allow-side-effects"]].concat());
    assert_eq!(ran.code, 0, "{}", said(&ran));
    let message = repo.git(&["log", "-1", "--format=%b", "others"]);
    assert!(
        message.contains("\nThese change too:\n\n- ConfigMap/others/b in apps\n"),
        "{message}"
    );
    let diff = repo.git(&["diff", "-U0", "main", "others"]);
    assert!(diff.contains("+commonAnnotations: {team: web}\n"), "{diff}");
}

#[test]
fn what_has_no_place_is_laid_aside() {
    let space = "aside";
    let web = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {space}}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers: [{{name: web, image: 'example.com/web:1'}}]\n"
    );
    let Some(repo) = live(
        space,
        &[
            (
                "apps/kustomization.yaml",
                "resources: [namespace.yaml, web.yaml]\ntransformers: [tag.yaml]\n",
            ),
            (
                "apps/tag.yaml",
                "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: tag}\nimageTag: {name: example.com/web, newTag: '2'}\n",
            ),
            ("apps/web.yaml", &web),
        ],
    ) else {
        return;
    };
    kubectl(space, "set image deployment/web web=example.com/web:3");
    let ran = export(space, &repo, &["--write"]);
    let file = "refloat-export/aside/deployment.apps-web.yaml";
    assert_eq!(ran.code, 3, "{}", said(&ran));
    assert!(
        ran.stdout.contains("something in between decides")
            && ran.stdout.contains(&format!("what is live is in {file}\n")),
        "{}",
        said(&ran)
    );
    assert_eq!(repo.git(&["status", "--porcelain", "-uall"]), format!("?? {file}\n"));
    let text = std::fs::read_to_string(repo.path().join(file)).expect("because it was just listed");
    assert!(
        text.starts_with("# As it is live. It has no place in the repository yet:\n# - .spec.template.spec.containers[name=web].image: edited there,")
            && text.contains("image: example.com/web:3\n"),
        "{text}"
    );
    // Said by hand, nothing is left to lay aside.
    repo.write(
        "apps/tag.yaml",
        "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: tag}\nimageTag: {name: example.com/web, newTag: '3'}\n",
    );
    repo.commit("by hand");
    assert_eq!(found(space, &repo), Vec::<String>::new());
}

#[test]
fn parts_that_cannot_be_read_leave_what_they_may_declare() {
    let space = "unread";
    let map = config_map(space, "made");
    let Some(repo) = live(space, &[]) else { return };
    kubectl(space, "create configmap made --from-literal=a=b");
    let templated = map.replace("a: b", "a: {{ .Values.a }}");
    for files in [
        &[("apps/part/made.yaml", &*templated)][..],
        &[
            ("apps/part/kustomization.yaml", "generators: [exec.yaml]\n"),
            (
                "apps/part/exec.yaml",
                "apiVersion: example.com/v1\nkind: Makes\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./make.sh}\n",
            ),
        ],
    ] {
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.commit("a part that cannot be read");
        let new = ["--path", "apps", "--verdict", "never-in-git", "--write"];
        let ran = run("export", &repo, &new, |run| run);
        assert_eq!(ran.code, 3, "{}", said(&ran));
        assert!(
            ran.stdout.contains(
                "ConfigMap/unread/made: a part of the repository could not be read (see above), and may declare it"
            ),
            "{}",
            said(&ran)
        );
        assert_eq!(repo.git(&["status", "--porcelain"]), "", "{}", said(&ran));
        repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    }
}

#[test]
fn names_and_sizes_of_all_sorts_come_back() {
    let space = "sorts";
    let Some(repo) = live(space, &[]) else { return };
    for role in ["odd:one", "odd-one", "Odd One"] {
        let create = ["create", "role", role, "-n", space, "--verb=get", "--resource=pods"];
        plane().kubectl(&create, "");
    }
    let big = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big", "namespace": space},
        "data": {"text": "all work and no play\n".repeat(49_000)}});
    plane().kubectl(&["create", "-f", "-"], &big.to_string());
    let ran = export(space, &repo, &["--write"]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    let new = repo.git(&["status", "--porcelain", "-uall"]);
    assert_eq!(new.lines().count(), 4, "{new}");
    let plain = |c: char| c.is_ascii_alphanumeric() || "?/-. \n".contains(c);
    assert!(new.chars().all(plain), "{new}");
    repo.commit("what was done by hand");
    let size = |file: &str| std::fs::metadata(repo.path().join(file)).map_or(0, |file| file.len());
    let files = repo.git(&["ls-files", "apps"]);
    assert!(files.lines().any(|file| size(file) > 1_000_000), "{files}");
    assert_eq!(found(space, &repo), Vec::<String>::new());
    let again = export(space, &repo, &["--write"]);
    assert_eq!(again.code, 2, "{}", said(&again));
}

/// A folder in which nothing can be made, not even by root; can be again when it is dropped.
struct Closed<'a>(&'a Path);

impl<'a> Closed<'a> {
    fn new(folder: &'a Path) -> Option<Self> {
        let closed = Self(folder);
        closed.set("a-w", "+i");
        if std::fs::write(folder.join("try"), "").is_ok() {
            skipped("a checkout that cannot be written to: root may write everywhere here");
            std::fs::remove_file(folder.join("try")).expect("because it was just made");
            return None;
        }
        Some(closed)
    }

    fn set(&self, mode: &str, flag: &str) {
        for (program, how) in [("chmod", mode), ("chattr", flag)] {
            if let Some(program) = which(program) {
                #[expect(clippy::disallowed_methods, reason = "tests close folders as an administrator does")]
                let _ = Command::new(program).arg(how).arg(self.0).output();
            }
        }
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.set("u+w", "-i");
        // With the flag it could not be.
        self.set("u+w", "-i");
    }
}

#[test]
fn a_checkout_that_cannot_be_written_to_stays_as_it_is() {
    let space = "closed";
    let Some(repo) = live(
        space,
        &[("apps/web/web.yaml", &config_map(space, "web")), ("other/a.txt", "")],
    ) else {
        return;
    };
    kubectl(space, "create configmap made --from-literal=a=b");
    kubectl(space, "patch configmap web -p {\"data\":{\"a\":\"c\"}}");
    let folder = repo.path().join("apps/web");
    let Some(closed) = Closed::new(&folder) else { return };
    let ran = export(space, &repo, &["--write"]);
    drop(closed);
    assert_eq!(ran.code, 1, "{}", said(&ran));
    assert!(
        ran.stderr.contains("Error: nothing was written\n")
            && ran.stderr.contains("hint: give a folder that can be written to"),
        "{}",
        said(&ran)
    );
    assert_eq!(repo.git(&["status", "--porcelain", "--ignored"]), "");
}

#[test]
fn clones_of_all_sorts_get_a_branch() {
    let space = "clones";
    let Some(repo) = live(space, &[("apps/web.yaml", &config_map(space, "web"))]) else {
        return;
    };
    repo.commit("one more");
    kubectl(space, "patch configmap web -p {\"data\":{\"a\":\"c\"}}");
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let bare = folder.path().join("bare.git").display().to_string();
    repo.git(&["clone", "-q", "--bare", ".", &bare]);
    let git = |at: &Path, args: &[&str]| git_in(at, "2026-01-02T03:04:05Z", args);
    let address = format!("file://{bare}");
    for (name, args, at) in [
        ("shallow", &["--depth=1"][..], "main"),
        ("detached", &[], "HEAD~1"),
        ("refused", &["--depth=1"], "main"),
    ] {
        let clone = folder.path().join(name);
        let place = clone.display().to_string();
        repo.git(&[&["clone", "-q"], args, &[&*address, &*place]].concat());
        git(&clone, &["config", "user.name", "Dev"]);
        git(&clone, &["config", "user.email", "dev@example.invalid"]);
        if name == "detached" {
            git(&clone, &["checkout", "-q", "--detach", at]);
        }
        if name == "refused" {
            let hook = Path::new(&bare).join("hooks/pre-receive");
            std::fs::write(&hook, "#!/bin/sh\necho not from you >&2\nexit 1\n").expect("because the folder is ours");
            std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .expect("because the file is ours");
        }
        let branch = format!("--branch=of-{name}");
        let args = ["--path", "apps", "--only", space, &*branch, "--push", "--sign-off"];
        let ran = super::run("export", plane(), &clone, &args);
        let commit = git(&clone, &["rev-parse", &format!("refs/heads/of-{name}")]);
        let committed = format!("Committed as {} on of-{name}, a new branch.\n", &commit[..12]);
        assert!(ran.stderr.contains(&committed), "{}", said(&ran));
        assert_eq!(
            git(&clone, &["rev-parse", &format!("of-{name}~1")]),
            git(&clone, &["rev-parse", "HEAD"])
        );
        let signed = git(
            &clone,
            &[
                "log",
                "-1",
                "--format=%(trailers:key=Signed-off-by)",
                &format!("of-{name}"),
            ],
        );
        assert_eq!(signed.trim(), "Signed-off-by: Dev <dev@example.invalid>");
        if name == "refused" {
            assert_eq!(ran.code, 1, "{}", said(&ran));
            assert!(ran.stderr.contains("not from you"), "{}", said(&ran));
            continue;
        }
        assert_eq!(ran.code, 0, "{}", said(&ran));
        assert_eq!(
            git(Path::new(&bare), &["rev-parse", &format!("of-{name}")]),
            commit,
            "{}",
            said(&ran)
        );
    }
}

#[test]
fn secrets_that_something_makes_are_left_to_it() {
    let space = "makers";
    let Some(repo) = live(space, &[]) else { return };
    for (name, kind, mark, of) in [
        (
            "token",
            "kubernetes.io/service-account-token",
            "kubernetes.io/service-account.name",
            "default",
        ),
        ("tls", "Opaque", "cert-manager.io/certificate-name", "tls"),
    ] {
        let metadata = json!({"name": name, "namespace": space, "annotations": {mark: of}});
        let values = json!({"tls.key": CANARIES[0]});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "stringData": values});
        plane().kubectl(&["create", "-f", "-"], &secret.to_string());
    }
    let rules = format!(
        "creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: {}\n",
        super::secrets::recipient()
    );
    repo.write(".sops.yaml", &rules);
    repo.commit("for whom");
    let ran = export(space, &repo, &["--write"]);
    assert_eq!(ran.code, 3, "{}", said(&ran));
    for line in [
        "Secret/makers/tls: cert-manager makes it\n",
        "Secret/makers/token: the cluster makes the token\n",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{}", said(&ran));
    }
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn what_one_user_did_or_what_was_done_since_is_exported_alone() {
    let space = "whose";
    if !at_hand("kubectl") {
        return;
    }
    let plane = crate::support::plane::shared();
    let own = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {space}}}\n");
    let maps = config_map(space, "one") + "---\n" + &config_map(space, "two");
    let repo = Repo::with(&[("apps/namespace.yaml", &own), ("apps/maps.yaml", &maps)]);
    plane.kubectl(&["apply", "--server-side", "-f", "-"], &format!("{own}---\n{maps}"));
    let change = |user: &str, name: &str| {
        let who = format!("--as={user}");
        let patch = "{\"data\":{\"a\":\"c\"}}";
        let group = "--as-group=system:masters";
        plane.kubectl(&["patch", "configmap", name, "-n", space, "-p", patch, &who, group], "");
    };
    change("eve", "one");
    // Times are told to the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let between = jiff::Timestamp::now().to_string();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    change("mallory", "two");
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let log = folder.path().join("audit.log");
    let lines: String = plane.requests().iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&log, lines).expect("because the folder is ours");
    let log = log.display().to_string();
    let exported = |more: &[&str]| {
        let args = ["--path", "apps", "--only", space, "--audit-log", &log];
        let ran = super::run("export", plane, repo.path(), &[&args[..], more].concat());
        assert_eq!(ran.code, 0, "{}", said(&ran));
        ["one", "two"].map(|name| ran.stdout.contains(&format!("\n  ConfigMap/whose/{name}  by ")))
    };
    assert_eq!(exported(&["--by", "refloat-admin as eve"]), [true, false]);
    assert_eq!(exported(&["--by", "refloat-admin as mallory"]), [false, true]);
    assert_eq!(exported(&["--by", "kubectl"]), [true, true]);
    assert_eq!(exported(&["--since", &between]), [false, true]);
    plane.kubectl(&["label", "configmap", "two", "-n", space, "looked-at=yes"], "");
    assert_eq!(exported(&["--except", "label=looked-at"]), [true, false]);
    assert_eq!(exported(&["--except", "label=looked-at=yes"]), [true, false]);
}

/// What Jenkins X renders is written over at its next release: it is changed there on demand only.
#[test]
fn what_is_rendered_is_edited_on_demand_only() {
    let space = "rendered";
    if !at_hand("kubectl") {
        return;
    }
    let own = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {space}}}\n");
    let web = "config-root/namespaces/rendered/web/web.yaml";
    let repo = Repo::with(&[
        ("config-root/cluster/namespaces/rendered.yaml", &own),
        (web, &config_map(space, "web")),
    ]);
    let path = ["--path", "config-root"];
    super::secrets::make_live(space, &repo, &path, |run| run);
    kubectl(space, "patch configmap web -p {\"data\":{\"a\":\"c\"}}");
    let exported = |more: &[&str]| {
        let args = [&path[..], &["--only", "ConfigMap/rendered/web", "--write"], more].concat();
        run("export", &repo, &args, |run| run)
    };
    let ran = exported(&[]);
    assert_eq!(ran.code, 3, "{}", said(&ran));
    let why =
        "config-root is rendered from helmfiles and written over: change the values there, or add --edit-rendered";
    assert!(ran.stdout.contains(why), "{}", said(&ran));
    assert_eq!(repo.git(&["diff", "--name-only"]), "", "{}", said(&ran));
    repo.git(&["clean", "-fdq"]);
    let ran = exported(&["--edit-rendered"]);
    assert_eq!(ran.code, 0, "{}", said(&ran));
    let diff = repo.git(&["diff", "-U0"]);
    assert!(diff.contains("-  a: b\n+  a: c\n") && diff.contains(web), "{diff}");
    assert_eq!(repo.git(&["diff", "--name-only"]).lines().count(), 1, "{diff}");
}
