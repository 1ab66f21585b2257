//! Secrets that were changed by hand come back encrypted or sealed, where their values are kept already, or not at all.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use ::sops::sealed::Certificate;
use ::sops::{Format, Identities, Layout, Rule};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use refloat::control_plane::Options;
use refloat::process::which;
use serde_json::json;

use crate::audit::root;
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::{Ran, Refloat, refloat, tool_folder};

/// Made for the tests.
pub(super) const KEY: &str = "AGE-SECRET-KEY-1F6CXQ2SVP0TM9QXXT3Y5MME2Q9EEYMVHT7KC34UXMVSAYK3D645SE54LQL";
/// What stands in every value, and nowhere else; and how it begins in base64.
pub(super) const CANARIES: [&str; 2] = ["canary-77c1", "Y2FuYXJ5LTc3Yz"];

/// The control plane of these tests: each has a namespace of its own.
pub(super) fn plane() -> &'static Plane {
    static PLANE: OnceLock<Plane> = OnceLock::new();
    PLANE.get_or_init(|| {
        let plane = fresh_with(Options::default());
        plane.serve("bitnami.com", "v1alpha1", "SealedSecret", "sealedsecrets");
        plane.serve("external-secrets.io", "v1", "ExternalSecret", "externalsecrets");
        plane
    })
}

pub(super) fn recipient() -> String {
    let mut identities = Identities::new();
    identities.add_age(KEY).expect("because it is a key");
    identities.recipients().remove(0)
}

fn encrypted(format: Format, plain: &str) -> String {
    let tree = format.read(plain.as_bytes()).expect("because it is of that format");
    let file = ::sops::encrypt(
        format,
        tree,
        &Rule::age([&*recipient()]),
        SystemTime::now(),
        &Layout::default(),
    );
    String::from_utf8(file.expect("because it can be encrypted")).expect("because it is text")
}

pub(super) fn without_canaries(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what}: {text}");
    }
}

/// Runs it on a repository; what was said holds no value.
pub(super) fn run(command: &str, repo: &Repo, more: &[&str], with: impl FnOnce(Refloat) -> Refloat) -> Ran {
    let (kubeconfig, place) = (plane().kubeconfig(), repo.path().display().to_string());
    let args = [command, &place, "--kubeconfig", &kubeconfig];
    let ran = with(refloat(args.iter().chain(more).copied())).run();
    without_canaries("stdout", &ran.stdout);
    without_canaries("stderr", &ran.stderr);
    ran
}

/// What a repository declares comes to be in the cluster.
fn make_live(namespace: &str, repo: &Repo, more: &[&str], with: impl FnOnce(Refloat) -> Refloat) {
    let place = repo.path().display().to_string();
    let ran = with(refloat(
        ["render", &*place, "--show-secrets"].iter().chain(more).copied(),
    ))
    .run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    plane().kubectl(&["create", "namespace", namespace], "");
    plane().kubectl(&["apply", "--server-side", "-f", "-"], &ran.stdout);
}

/// Changes values of a live Secret.
fn change(namespace: &str, secret: &str, patch: &serde_json::Value) {
    plane().kubectl(
        &["patch", "secret", secret, "-n", namespace, "-p", &patch.to_string()],
        "",
    );
}

/// Every file of the work tree that is not as it was committed, with its lines that came (`+`) and went (`-`).
fn changed(repo: &Repo) -> String {
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached", "-U0"]);
    without_canaries("the change", &diff);
    diff
}

fn lines(diff: &str, of: char) -> Vec<&str> {
    let is = |line: &&str| line.starts_with(of) && !line.starts_with("---") && !line.starts_with("+++");
    diff.lines().filter(is).collect()
}

fn sealed() -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "login", "namespace": "kept"},
        "stringData": {"user": "old", "password": "old"},
    });
    let certificate = std::fs::read(root("crates/sops/tests/keys/sealing.crt")).expect("because it is kept here");
    let certificate = Certificate::read(&certificate).expect("because it is one");
    let sealed = certificate.seal(&secret, None).expect("because it can be sealed");
    format!("# For the till.\n{}", kube_yaml::to_string(&sealed))
}

fn external(name: &str) -> String {
    format!(
        "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: {name}, namespace: kept}}\n\
         spec:\n  refreshInterval: 1h\n  secretStoreRef: {{kind: ClusterSecretStore, name: vault}}\n  target: {{name: {name}}}\n  data:\n  \
         - {{secretKey: url, remoteRef: {{key: kept/{name}, property: url}}}}\n"
    )
}

/// Secrets in every way in which a repository keeps them.
fn kept() -> Repo {
    let generators = "namespace: kept\nresources: [namespace.yaml, sealed.yaml, external.yaml, clear.yaml]\nsecretGenerator:\n\
        - name: made\n  envs: [settings.env]\n  files: [token.json, key=key.bin]\n  literals: [plain=old]\n  options: {disableNameSuffixHash: true}\n\
        - name: hashed\n  envs: [other.env]\n";
    Repo::with(&[
        ("kustomization.yaml", generators),
        (
            "namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: kept}\n",
        ),
        ("sealed.yaml", &sealed()),
        ("external.yaml", &(external("db") + &external("mq"))),
        (
            "clear.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: clear, namespace: kept}\nstringData: {a: old}\n",
        ),
        ("other.env", &encrypted(Format::Dotenv, "PASSWORD=old\n")),
        ("settings.env", &encrypted(Format::Dotenv, "USER=old\nPASSWORD=old\n")),
        (
            "token.json",
            &encrypted(Format::Json, "{\"id\": \"old\", \"token\": \"old\"}"),
        ),
        ("key.bin", &encrypted(Format::Binary, "old\n")),
    ])
}

const OPENED: [&str; 3] = ["--sealed-secrets-key", "crates/sops/tests/keys/sealing.key", "--unseal"];

/// All that somebody does to them by hand.
fn by_hand() {
    let canary = |more: &str| format!("{}-{more}", CANARIES[0]);
    change("kept", "login", &json!({"stringData": {"password": canary("login")}}));
    let token = [
        "get",
        "secret",
        "made",
        "-n",
        "kept",
        "-o",
        "jsonpath={.data.token\\.json}",
    ];
    let token = BASE64_STANDARD
        .decode(plane().kubectl(&token, ""))
        .expect("because it is base64");
    let token = String::from_utf8(token).expect("because it is text");
    let made = json!({"stringData": {
        "PASSWORD": canary("setting"), "key": canary("key"), "plain": canary("literal"),
        "token.json": token.replace("\"token\": \"old\"", &format!("\"token\": \"{}\"", canary("token"))),
    }});
    change("kept", "made", &made);
    change("kept", "clear", &json!({"stringData": {"a": canary("clear")}}));
    let hashed = plane().kubectl(&["get", "secret", "-n", "kept", "-o", "name"], "");
    let hashed = hashed
        .lines()
        .find_map(|name| name.strip_prefix("secret/").filter(|name| name.starts_with("hashed-")));
    let hashed = hashed.expect("because it is generated");
    change("kept", hashed, &json!({"stringData": {"PASSWORD": canary("hashed")}}));
    let new = format!("--from-literal=pin={}", canary("new"));
    plane().kubectl(&["create", "secret", "generic", "till", "-n", "kept", &new], "");
}

#[test]
fn values_come_back_where_they_are_kept_or_not_at_all() {
    if which("kubectl").is_none() {
        return;
    }
    let repo = kept();
    let with_key = |run: Refloat| run.env("SOPS_AGE_KEY", KEY);
    make_live("kept", &repo, &OPENED, with_key);
    by_hand();

    let only = ["--only", "kept", "--verdict", "drifted,never-in-git", "--write"];
    let unsealed = run("export", &repo, &[&only[..], &OPENED].concat(), with_key);
    assert!(
        unsealed.stdout.contains(
            "Secret/kept/login .data.password: SealedSecret/kept/login declares it: give --sealed-secrets-cert to seal anew what changed"
        ),
        "{}{}",
        unsealed.stdout, unsealed.stderr
    );
    repo.git(&["checkout", "-q", "--", "."]);
    repo.git(&["clean", "-fdq"]);

    let certificate = ["--sealed-secrets-cert", "crates/sops/tests/keys/sealing.crt"];
    // The stub is for repositories that do not seal.
    let sealed = [&only[..], &OPENED, &certificate, &["--except", "Secret/kept/till"]].concat();
    let ran = run("export", &repo, &sealed, with_key);
    let ran_too = run("export", &repo, &["--only", "Secret/kept/till", "--write"], with_key);
    assert!(
        ran_too.stdout.contains(
            "first: put its values into ClusterSecretStore vault before this is merged: kept/till property pin"
        ),
        "{}{}",
        ran_too.stdout,
        ran_too.stderr
    );
    for left in [
        "Secret/kept/clear .data.a: clear.yaml has its values in clear, and what is live is not written there: encrypt it (`sops encrypt --in-place clear.yaml`)",
        "Secret/kept/made .data.plain: kustomization.yaml has its values in clear",
    ] {
        assert!(ran.stdout.contains(left), "{left}\n{}{}", ran.stdout, ran.stderr);
    }
    let renamed = ".data.PASSWORD  other.env: the file that the generator reads; its name gets another hash";
    assert!(ran.stdout.contains(renamed), "{}{}", ran.stdout, ran.stderr);
    let diff = changed(&repo);
    let files = repo.git(&["diff", "--cached", "--name-only"]);
    let expected = [
        "externalsecret.yaml",
        "key.bin",
        "kustomization.yaml",
        "other.env",
        "sealed.yaml",
        "settings.env",
        "token.json",
    ];
    assert_eq!(files.lines().collect::<Vec<_>>(), expected, "{diff}\n{}", ran.stdout);
    // Of a file only the value that changed, and what vouches for the whole.
    let gone = lines(&diff, '-');
    assert!(
        !gone
            .iter()
            .any(|line| line.contains("user:") || line.contains("\"id\"")),
        "{gone:?}"
    );
    assert!(gone.iter().any(|line| line.contains("password:")), "{gone:?}");

    // What was exported is in sync from now on, the rest is as it was.
    repo.commit("what was done by hand");
    let audit = run("audit", &repo, &[&OPENED[..], &["--output", "json"]].concat(), with_key);
    let report: serde_json::Value = serde_json::from_str(&audit.stdout).expect("because it is a report");
    let findings = report["findings"]
        .as_array()
        .expect("because a report lists them")
        .iter();
    // The SealedSecret itself is to be applied yet.
    let of = findings.filter(|one| one["object"]["namespace"] == "kept" && one["object"]["kind"] == "Secret");
    let found: Vec<&str> = of.filter_map(|one| one["object"]["name"].as_str()).collect();
    assert!(!found.contains(&"login") && found.contains(&"clear"), "{found:?}");
    let again = run("export", &repo, &["--only", "Secret/kept/till", "--write"], with_key);
    assert!(
        again
            .stdout
            .contains("Secret/kept/till: ExternalSecret/kept/till declares it, and its store has the values"),
        "{}",
        again.stdout
    );
}

/// A key of PGP, with its agent; both go with it.
struct Pgp {
    home: tempfile::TempDir,
    fingerprint: String,
}

impl Pgp {
    fn new() -> Option<Self> {
        if which("gpg").is_none() {
            #[expect(clippy::print_stderr, reason = "a skipped test says so")]
            {
                eprintln!("skipped: gpg is not here");
            }
            return None;
        }
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

#[test]
fn values_for_keys_of_pgp_go_through_sops_and_nowhere_else() {
    let (true, Some(pgp)) = (which("kubectl").is_some(), Pgp::new()) else {
        return;
    };
    let repo = Repo::with(&[
        (
            ".sops.yaml",
            &format!(
                "creation_rules:\n- path_regex: ^apps/\n  encrypted_regex: ^(data|stringData)$\n  pgp: {}\n",
                pgp.fingerprint
            ),
        ),
        (
            "apps/namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: pgp}\n",
        ),
        (
            "apps/login.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n    name: login\n    namespace: pgp\nstringData:\n    user: old\n    password: old\n",
        ),
    ]);
    let tools = tempfile::tempdir().expect("because a temporary folder can be made");
    let temporary = tempfile::tempdir().expect("because a temporary folder can be made");
    watched_sops(tools.path());
    let path = format!("{}:/usr/bin:/bin", tools.path().display());
    let with_sops = |run: Refloat| {
        let run = run.env("GNUPGHOME", pgp.home.path()).env("TMPDIR", temporary.path());
        run.env("PATH", &path)
            .env("UNRELATED_TOKEN", "canary-of-the-environment")
    };
    #[expect(clippy::disallowed_methods, reason = "tests encrypt with sops itself")]
    let encrypted = Command::new(tool_folder("sops").join("sops"))
        .args(["encrypt", "--in-place", "apps/login.yaml"])
        .current_dir(repo.path())
        .env("GNUPGHOME", pgp.home.path())
        .status();
    assert!(encrypted.is_ok_and(|status| status.success()));
    repo.commit("encrypted");
    make_live("pgp", &repo, &["--path", "apps"], with_sops);
    let canary = |more: &str| format!("{}-{more}", CANARIES[0]);
    change("pgp", "login", &json!({"stringData": {"password": canary("login")}}));
    let new = format!("--from-literal=pin={}", canary("new"));
    plane().kubectl(&["create", "secret", "generic", "till", "-n", "pgp", &new], "");

    let args = ["--path", "apps", "--only", "pgp", "--write"];
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
    assert!(text.contains(&pgp.fingerprint) && text.contains("pin: ENC["), "{text}");

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
    assert!(again.stderr.contains("no finding matches pgp"), "{}", again.stderr);
}
