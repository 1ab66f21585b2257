//! Secrets whose keys only `sops` can use: values that were changed by hand go through it, and nowhere else.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::secrets::{CANARIES, change, changed, lines, make_live, plane, run, without_canaries};
use crate::support::key_services::KeyService;
use crate::support::repo::Repo;
use crate::support::run::{Refloat, tool_folder};
use crate::support::tools::at_hand;

/// A key of PGP, with its agent; both go with it.
struct Pgp {
    home: tempfile::TempDir,
    fingerprint: String,
}

impl Pgp {
    fn new() -> Option<Self> {
        at_hand("gpg").then_some(())?;
        let home = tempfile::tempdir().expect("because a temporary folder can be made");
        let mut pgp = Self {
            home,
            fingerprint: String::new(),
        };
        pgp.gpg(
            "gpg",
            &[
                "--batch",
                "--passphrase",
                "",
                "--quick-generate-key",
                "tests@example.invalid",
                "default",
                "default",
                "never",
            ],
        );
        let listed = pgp.gpg("gpg", &["--batch", "--with-colons", "--list-keys"]);
        let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:"));
        pgp.fingerprint = fingerprint.expect("because it was made").trim_matches(':').to_owned();
        Some(pgp)
    }

    fn gpg(&self, program: &str, args: &[&str]) -> String {
        #[expect(clippy::disallowed_methods, reason = "tests make keys with gpg itself")]
        let output = Command::new(program)
            .args(args)
            .env("GNUPGHOME", self.home.path())
            .output()
            .expect("because gpg is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("because it is text")
    }
}

impl Drop for Pgp {
    fn drop(&mut self) {
        self.gpg("gpgconf", &["--kill", "all"]);
    }
}

/// A `sops` that writes down with what it is called and what it sees, and then is `sops`.
fn watched_sops(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let (real, canary) = (tool_folder("sops").join("sops"), CANARIES[0]);
    let script = format!(
        "#!/bin/sh\n{{ echo \"called: $*\"; /usr/bin/env; grep -rl {canary} \"$TMPDIR\" && echo in clear on disk; }} >> {log}\nexec {real} \"$@\"\n",
        log = folder.join("log").display(),
        real = real.display()
    );
    let file = folder.join("sops");
    std::fs::write(&file, script).expect("because the folder is ours");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("because it is ours");
}

/// Changes a value by hand that is encrypted as a rule says, and makes another Secret; both come into the repository by way of `sops`.
/// `names_key`: by what an encrypted file names the key.
fn goes_through_sops(
    namespace: &str,
    rule: &str,
    names_key: &str,
    encrypt: impl FnOnce(&Repo),
    signed_in: impl Fn(Refloat) -> Refloat,
) -> Repo {
    let repo = Repo::with(&[
        (
            ".sops.yaml",
            &format!("creation_rules:\n- path_regex: ^apps/\n  encrypted_regex: ^(data|stringData)$\n  {rule}\n"),
        ),
        (
            "apps/namespace.yaml",
            &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"),
        ),
        (
            "apps/login.yaml",
            &format!(
                "apiVersion: v1\nkind: Secret\nmetadata:\n    name: login\n    namespace: {namespace}\nstringData:\n    user: old\n    password: old\n"
            ),
        ),
    ]);
    let tools = tempfile::tempdir().expect("because a temporary folder can be made");
    let temporary = tempfile::tempdir().expect("because a temporary folder can be made");
    watched_sops(tools.path());
    let path = format!("{}:/usr/bin:/bin", tools.path().display());
    let with_sops = |run: Refloat| {
        let run = signed_in(run).env("TMPDIR", temporary.path()).env("PATH", &path);
        run.env("UNRELATED_TOKEN", "canary-of-the-environment")
    };
    encrypt(&repo);
    repo.commit("encrypted");
    make_live(namespace, &repo, &["--path", "apps"], with_sops);
    let canary = |more: &str| format!("{}-{more}", CANARIES[0]);
    change(
        namespace,
        "login",
        &json!({"stringData": {"password": canary("login")}}),
    );
    let new = format!("--from-literal=pin={}", canary("new"));
    plane().kubectl(&["create", "secret", "generic", "till", "-n", namespace, &new], "");

    let args = ["--path", "apps", "--only", namespace, "--write"];
    let without = run("export", &repo, &args, |run| run);
    assert!(
        without.code == 3 && without.stdout.contains("0 files changed"),
        "{}{}",
        without.stdout,
        without.stderr
    );
    let ran = run("export", &repo, &args, with_sops);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let diff = changed(&repo);
    let gone = lines(&diff, '-');
    assert!(
        !gone.iter().any(|line| line.contains("user:")) && gone.len() < 6,
        "{diff}"
    );
    let file = repo.git(&["diff", "--cached", "--name-only", "--diff-filter=A"]);
    let text = std::fs::read_to_string(repo.path().join(file.trim())).expect("because it is new");
    assert!(text.contains(names_key) && text.contains("pin: ENC["), "{text}");

    let log = std::fs::read_to_string(tools.path().join("log")).expect("because sops was called");
    without_canaries("what sops was called with", &log);
    assert!(
        log.contains("called: --config .sops.yaml encrypt ") && log.contains(" updatekeys "),
        "{log}"
    );
    assert!(
        !log.contains("canary-of-the-environment") && !log.contains("in clear on disk"),
        "{log}"
    );
    assert!(
        std::fs::read_dir(temporary.path()).is_ok_and(|left| left.count() == 0),
        "nothing is left"
    );

    repo.commit("what was done by hand");
    let again = run("export", &repo, &args, with_sops);
    assert_eq!(again.code, 2, "{}{}", again.stdout, again.stderr);
    assert!(
        again.stderr.contains(&format!("no finding matches {namespace}")),
        "{}",
        again.stderr
    );
    repo
}

#[test]
fn values_for_keys_of_pgp_go_through_sops_and_nowhere_else() {
    let (true, Some(pgp)) = (at_hand("kubectl"), Pgp::new()) else {
        return;
    };
    let encrypt = |repo: &Repo| {
        #[expect(clippy::disallowed_methods, reason = "tests encrypt with sops itself")]
        let encrypted = Command::new(tool_folder("sops").join("sops"))
            .args(["encrypt", "--in-place", "apps/login.yaml"])
            .current_dir(repo.path())
            .env("GNUPGHOME", pgp.home.path())
            .status();
        assert!(encrypted.is_ok_and(|status| status.success()));
    };
    let rule = format!("pgp: {}", pgp.fingerprint);
    goes_through_sops("pgp", &rule, &pgp.fingerprint, encrypt, |run| {
        run.env("GNUPGHOME", pgp.home.path())
    });
}

#[test]
fn values_for_keys_that_services_hold_go_through_sops_and_nowhere_else() {
    if !at_hand("kubectl") {
        return;
    }
    for (namespace, service, names_key) in [
        ("vault", KeyService::vault(), "key_name: shop"),
        ("kms", KeyService::kms(), "arn: arn:aws:kms:eu-central-1:"),
    ] {
        let encrypt = |repo: &Repo| service.encrypt(repo, "apps/login.yaml");
        let signed_in = |run: Refloat| service.known_to(run);
        let repo = goes_through_sops(namespace, &service.rule, names_key, encrypt, signed_in);

        // Where the key may not be used, nothing is changed, and it is said why.
        let again = format!("{}-again", CANARIES[0]);
        change(namespace, "login", &json!({"stringData": {"password": again}}));
        service.refuse(true);
        let with_sops = |run: Refloat| service.known_to(run.with_tools(&["sops"]));
        let audited = run("audit", &repo, &["--path", "apps"], with_sops);
        let delete = format!("kubectl delete secret/login -n {namespace}");
        assert!(
            audited.stdout.contains(&service.recipient) && !audited.stdout.contains(&delete),
            "it may be declared: {}",
            audited.stdout
        );
        let args = ["--path", "apps", "--only", namespace, "--write"];
        let ran = run("export", &repo, &args, with_sops);
        assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
        assert!(
            ran.stdout.contains("0 files changed") && ran.stderr.contains(&service.recipient),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        service.is_not_told(&format!("{}{}", ran.stdout, ran.stderr));
        assert_eq!(changed(&repo), "");
    }
}
