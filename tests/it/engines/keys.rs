//! Private keys as operators have them: in gpg, typed at a prompt.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::key_services::encrypt;
use crate::support::repo::Repo;
use crate::support::run::{cache_home, refloat};
use crate::support::tools::at_hand;

const CANARY: &str = "canary-7f3a";
/// Made for the tests.
const KEY: &str = "AGE-SECRET-KEY-1F6CXQ2SVP0TM9QXXT3Y5MME2Q9EEYMVHT7KC34UXMVSAYK3D645SE54LQL";
const RECIPIENT: &str = "RECIPIENT";

fn repository(rule: &str, env: &[(&str, String)]) -> Repo {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: shop}}\nstringData: {{password: {CANARY}}}\n"
    );
    let rules = format!("creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  {rule}\n");
    let repo = Repo::with(&[(".sops.yaml", &*rules), ("apps/secret.yaml", &secret)]);
    encrypt(&repo, "apps/secret.yaml", env);
    repo.commit("encrypted");
    repo
}

fn shown() -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(CANARY)
}

/// A home of gpg, and its agent as long as the test runs.
struct Gpg(tempfile::TempDir);

impl Gpg {
    /// One with a new key that encrypts, and its fingerprint; `None` where there is no gpg.
    fn with_key() -> Option<(Self, String)> {
        let home = tempfile::tempdir().expect("because a temporary folder can be made");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(home.path(), private).expect("because the folder is ours");
        let gpg = Self(home);
        let me = "Ann <ann@example.invalid>";
        let quiet = ["--batch", "-q", "--passphrase", ""];
        gpg.run(
            "gpg",
            &[&quiet[..], &["--quick-gen-key", me, "default", "default", "never"]].concat(),
        )?;
        let listed = gpg.run("gpg", &["--list-keys", "--with-colons"])?;
        let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:"));
        let fingerprint = fingerprint.map(|line| line.trim_matches(':').to_owned());
        Some((gpg, fingerprint.expect("because a key was made")))
    }

    #[expect(clippy::disallowed_methods, reason = "tests run gpg itself")]
    fn run(&self, program: &str, args: &[&str]) -> Option<String> {
        let output = Command::new(program)
            .args(args)
            .env("GNUPGHOME", self.0.path())
            .output();
        let output = output.ok()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn env(&self) -> [(&'static str, String); 1] {
        [("GNUPGHOME", self.0.path().display().to_string())]
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = self.run("gpgconf", &["--kill", "all"]);
    }
}

#[test]
fn a_key_of_pgp_opens_through_sops() {
    if !at_hand("gpg") {
        return;
    }
    let (gpg, fingerprint) = Gpg::with_key().expect("because gpg is there");
    let env = gpg.env();
    let repo = repository(&format!("pgp: {fingerprint}"), &env);
    let place = repo.path().display().to_string();
    let run = |home: &str, more: &[&str]| {
        let args = ["render", &*place, "--path", "apps", "--show-secrets"];
        let run = refloat(args.iter().chain(more)).with_tools(&["sops"]);
        run.env("GNUPGHOME", home).run()
    };
    let opened = run(&env[0].1, &[]);
    assert_eq!(opened.code, 0, "{}", opened.stderr);
    assert!(opened.stdout.contains(&shown()), "{}", opened.stdout);

    // Where gpg has no key, the key of Flux's Secret does not help: it is said what does.
    let empty = tempfile::tempdir().expect("because a temporary folder can be made");
    let home = empty.path().display().to_string();
    let secret = empty.path().join("secret.yaml");
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: sops}}\nstringData: {{age.agekey: {KEY}, identity.asc: {CANARY}}}\n"
    );
    std::fs::write(&secret, text).expect("because the folder is ours");
    let given = secret.display().to_string();
    let told = run(&home, &["--decryption-key", &given]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    for said in [
        &*format!("it needs PGP {fingerprint}; you have age1"),
        "not used of the Secret that was given: identity.asc",
        "hint: import the private key into gpg (`gpg --import FILE`)",
    ] {
        assert!(told.stderr.contains(said), "{said} in {}", told.stderr);
    }
    assert!(!format!("{}{}", told.stdout, told.stderr).contains(CANARY));
}

/// `script` plays the terminal: what is typed goes to it, and what a person would see comes from it.
#[test]
fn a_key_is_asked_for_on_a_terminal_and_not_shown() {
    let mut identities = sops::Identities::new();
    identities.add_age(KEY).expect("because it is a key");
    let rule = format!("age: {RECIPIENT}").replace(RECIPIENT, &identities.recipients()[0]);
    let repo = repository(&rule, &[]);
    let typed = |text: &str| {
        let command = format!(
            "'{}' render '{}' --path apps --show-secrets --decryption-key -",
            env!("CARGO_BIN_EXE_refloat"),
            repo.path().display()
        );
        on_a_terminal(&command, text)
    };
    let (code, seen) = typed(&format!("{KEY}\n"));
    assert_eq!(code, 0, "{seen}");
    assert!(
        seen.contains("Private key (not shown): ") && seen.contains(&shown()),
        "{seen}"
    );
    assert!(!seen.contains("AGE-SECRET-KEY"), "{seen}");
    let (code, seen) = typed("no-key\n");
    assert_eq!(code, 1, "{seen}");
    assert!(
        seen.contains("the key in - cannot be used") && !seen.contains("no-key"),
        "{seen}"
    );
}

#[expect(clippy::disallowed_methods, reason = "tests run the binary as a user does")]
fn on_a_terminal(command: &str, text: &str) -> (i32, String) {
    use std::io::{Read, Write};
    let home = tempfile::tempdir().expect("because a temporary folder can be made");
    let mut child = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--echo",
            "never",
            "--command",
            command,
            "/dev/null",
        ])
        .env_clear()
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", cache_home())
        .env("PATH", "/usr/bin:/bin")
        .env("SHELL", Path::new("/bin/sh"))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("because script is there");
    let mut output = child.stdout.take().expect("because it is piped");
    let mut seen = Vec::new();
    // What is typed before the question would be echoed by the terminal.
    while !String::from_utf8_lossy(&seen).contains("(not shown): ") {
        let mut byte = [0];
        if output.read(&mut byte).expect("because it runs") == 0 {
            break;
        }
        seen.extend(byte);
    }
    let mut input = child.stdin.take().expect("because it is piped");
    input.write_all(text.as_bytes()).expect("because it reads");
    output.read_to_end(&mut seen).expect("because it runs");
    drop(input);
    let code = child.wait().expect("because it was started").code();
    (code.unwrap_or(-1), String::from_utf8_lossy(&seen).into_owned())
}
