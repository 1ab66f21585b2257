//! From what was done by hand to an open request: the whole command, a remote that Git pushes to, and a forge as its documentation has it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::PoisonError;

use refloat::forge::Kind;
use serde_json::json;

use super::secrets::{CANARIES, KEY, plane, recipient, run};
use crate::forge::{TOKEN, nothing, serve, status};
use crate::support::repo::{Repo, git_in};
use crate::support::run::{Ran, Refloat};
use crate::support::tools::at_hand;
use crate::support::web::{Asked, Web};

/// A forge, the name of its token, and its project.
const FORGES: [(Kind, &str, &str, &str); 3] = [
    (Kind::GitHub, "github", "GITHUB_TOKEN", "org/repo"),
    (Kind::GitLab, "gitlab", "GITLAB_TOKEN", "group/sub/repo"),
    (Kind::Gitea, "gitea", "GITEA_TOKEN", "org/repo"),
];

/// A clone, and the bare repository that ssh leads to from its remote's address.
struct Clone {
    repo: Repo,
    remote: tempfile::TempDir,
}

impl Clone {
    fn of(project: &str) -> Self {
        let repo = Repo::with(&[
            (
                ".sops.yaml",
                &format!(
                    "creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: {}\n",
                    recipient()
                ),
            ),
            (
                "apps/namespace.yaml",
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: asked}\n",
            ),
            (
                "apps/flags.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  namespace: asked\ndata:\n  colour: blue # as agreed\n",
            ),
        ]);
        let remote = tempfile::tempdir().expect("because a temporary folder can be made");
        let bare = remote.path().join("repo.git").display().to_string();
        repo.git(&["init", "-q", "--bare", "-b", "main", &bare]);
        repo.git(&["push", "-q", &bare, "main"]);
        let script = remote.path().join("ssh");
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in *git-receive-pack*) exec git receive-pack {bare} ;; *) exec git upload-pack {bare} ;; esac\n"
        );
        std::fs::write(&script, text).expect("because the folder is ours");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("because it is ours");
        for (key, value) in [
            ("user.name", "Dev"),
            ("user.email", "dev@example.invalid"),
            ("ssh.variant", "simple"),
            ("core.sshCommand", &script.display().to_string()),
            ("remote.origin.url", &format!("ssh://git@git.example.com/{project}.git")),
        ] {
            repo.git(&["config", key, value]);
        }
        Self { repo, remote }
    }

    /// Where the branch of the remote is.
    fn tip(&self) -> String {
        let bare = self.remote.path().join("repo.git");
        git_in(
            &bare,
            "2026-01-02T03:04:05Z",
            &["rev-parse", "refs/heads/refloat/export"],
        )
    }

    fn export(&self, web: &Web, forge: (&str, &str), more: &[&str]) -> Ran {
        let api = format!("{}/api", web.address);
        let args = [
            "--path",
            "apps",
            "--only",
            "asked",
            "--pull-request",
            "--forge",
            forge.0,
            "--forge-api",
            &api,
        ];
        let ran = run("export", &self.repo, &[&args[..], more].concat(), |run: Refloat| {
            run.env("SOPS_AGE_KEY", KEY).env(forge.1, TOKEN)
        });
        assert!(
            !ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        ran
    }
}

/// Whether a text stands in a file of a folder, or one below.
fn holds(folder: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(folder).expect("because the folder is there");
    entries
        .map(|entry| entry.expect("because it was just listed").path())
        .any(|path| match path.is_dir() {
            true => holds(&path, text),
            false => std::fs::read(&path).is_ok_and(|bytes| contains(&bytes, text)),
        })
}

/// Every object of a repository, unpacked: commits, trees and files.
fn objects(repository: &Path) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "tests look into repositories with git itself")]
    let output = Command::new("git")
        .args(["cat-file", "--batch-all-objects", "--batch"])
        .current_dir(repository)
        .output()
        .expect("because git is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Makes it live, once, and then does by hand what is to be exported.
fn by_hand() {
    let (colour, new) = (
        "{\"data\":{\"colour\":\"red\"}}",
        format!("--from-literal=pin={}", CANARIES[0]),
    );
    let flags = "apiVersion: v1\nkind: Namespace\nmetadata: {name: asked}\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags, namespace: asked}\ndata: {colour: blue}\n";
    plane().kubectl(&["apply", "--server-side", "-f", "-"], flags);
    plane().kubectl(&["patch", "configmap", "flags", "-n", "asked", "-p", colour], "");
    plane().kubectl(&["create", "secret", "generic", "till", "-n", "asked", &new], "");
    let made = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: tls, namespace: asked, annotations: {{cert-manager.io/certificate-name: tls}}}}\nstringData: {{key: {}}}\n",
        CANARIES[0]
    );
    plane().kubectl(&["create", "-f", "-"], &made);
}

#[test]
fn a_request_is_opened_updated_and_left_alone() {
    if !at_hand("kubectl") {
        return;
    }
    by_hand();
    for (kind, name, token, project) in FORGES {
        let (web, requests) = serve(kind, nothing);
        let clone = Clone::of(project);
        let forge = (name, token);
        let first = clone.export(&web, forge, &[]);
        assert_eq!(first.code, 3, "{}{}", first.stdout, first.stderr);
        assert!(
            first.stderr.contains("Pushed to ssh://git@git.example.com/")
                && first
                    .stderr
                    .contains(&format!("Opened {} 1: https://forge/", kind.request())),
            "{}",
            first.stderr
        );
        let tip = clone.tip();
        let of = |index: usize| requests.lock().unwrap_or_else(PoisonError::into_inner)[index].clone();
        let opened = of(0);
        assert_eq!(
            (&*opened.title, &*opened.branch, &*opened.base),
            ("Declare what was done by hand: 2 objects", "refloat/export", "trunk")
        );
        for line in [
            "\nNever in Git:\n\n- Secret/asked/till (kubectl",
            "\nDrifted:\n\n- ConfigMap/asked/flags: .data.colour (kubectl patch (user unknown), 20",
            "\nLeft out:\n\n- Secret/asked/tls: cert-manager makes it",
        ] {
            assert!(opened.body.contains(line), "{line}\n{}", opened.body);
        }

        // The Secret is encrypted anew, and what says the same stays: from this clone and from another that knows of no branch.
        let again = clone.export(&web, forge, &[]);
        assert!(
            again.stderr.contains("Already open, saying the same"),
            "{}",
            again.stderr
        );
        assert_eq!(clone.tip(), tip, "{}", again.stderr);
        clone.repo.git(&["update-ref", "-d", "refs/heads/refloat/export"]);
        clone.repo.git(&["gc", "-q", "--prune=now"]);
        let afresh = clone.export(&web, forge, &[]);
        assert!(
            afresh.stderr.contains("Already open, saying the same"),
            "{}",
            afresh.stderr
        );
        assert_eq!(clone.tip(), tip, "{}", afresh.stderr);

        let fewer = clone.export(&web, forge, &["--except", "Secret/asked/till"]);
        assert!(
            fewer.stderr.contains(&format!("Updated {} 1:", kind.request())),
            "{}",
            fewer.stderr
        );
        assert_ne!(clone.tip(), tip);
        assert_eq!(of(0).title, "Declare what was done by hand: ConfigMap/asked/flags");
        assert_eq!(requests.lock().unwrap_or_else(PoisonError::into_inner).len(), 1);

        for folder in [clone.repo.path(), clone.remote.path()] {
            assert!(!holds(folder, TOKEN) && !holds(folder, CANARIES[0]), "{name}");
        }
        for repository in [clone.repo.path(), &*clone.remote.path().join("repo.git")] {
            let objects = objects(repository);
            assert!(contains(&objects, "colour: red # as agreed"), "it is there to be found");
            assert!(CANARIES.iter().all(|canary| !contains(&objects, canary)), "{name}");
            assert!(!contains(&objects, TOKEN), "{name}");
        }
        let sent = |asked: &Asked| CANARIES.iter().any(|canary| asked.body.contains(canary));
        assert!(!web.asked().iter().any(sent), "{name}");
    }
    after_the_push();
    with_a_helper();
}

/// No token in the environment: what a credential helper of Git has for the forge's host is taken.
fn with_a_helper() {
    let (kind, name, _, project) = FORGES[0];
    let (web, requests) = serve(kind, nothing);
    let clone = Clone::of(project);
    let none = clone.export(&web, (name, "UNRELATED"), &[]);
    assert!(
        none.code == 1 && none.stderr.contains("because: there is no token for git.example.com"),
        "{}",
        none.stderr
    );
    let asked = clone.remote.path().join("asked");
    let helper = format!(
        "!f() {{ cat > {}; echo username=dev; echo password={TOKEN}; }}; f",
        asked.display()
    );
    clone.repo.git(&["config", "credential.helper", &helper]);
    let ran = clone.export(&web, (name, "UNRELATED"), &[]);
    assert!(ran.stderr.contains("Opened "), "{}", ran.stderr);
    assert_eq!(requests.lock().unwrap_or_else(PoisonError::into_inner).len(), 1);
    let asked = std::fs::read_to_string(asked).expect("because it was asked");
    assert!(asked.contains("protocol=https\nhost=git.example.com\n"), "{asked}");
}

/// What the forge refuses once the branch is there: it is said that it is, and what to do.
fn after_the_push() {
    let refusals = [
        (
            401,
            "hint: it may have expired, or be of another forge: give another, and run it again",
        ),
        (403, "hint: give the token what it needs: "),
        (404, "hint: check the remote's address"),
        (422, "hint: open it by hand on its page"),
        (429, "hint: wait as long as it says, and run it again"),
        (500, "hint: run it again later"),
    ];
    for (at, (code, hint)) in refusals.into_iter().enumerate() {
        let (kind, name, token, project) = FORGES[at % FORGES.len()];
        let (web, _) = serve(kind, move |asked: &Asked| {
            let body = json!({ "message": format!("no, {TOKEN}") });
            let answer = status(code, &body).with("retry-after", if code == 429 { "3600" } else { "" });
            (asked.method == "POST").then_some(answer)
        });
        let clone = Clone::of(project);
        let ran = clone.export(&web, (name, token), &[]);
        assert_eq!(ran.code, 1, "{code} {}", ran.stderr);
        let says = format!(
            "Error: refloat/export is pushed, but no {} was opened for it on git.example.com/",
            kind.request()
        );
        assert!(
            ran.stderr.contains(&says) && ran.stderr.contains(hint),
            "{code} {}",
            ran.stderr
        );
        assert!(!clone.tip().is_empty());
    }
}
