//! Keys of the tests, and the real `sops`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sops::{Format, Identities, Layout, Rule};

/// A key of the tests.
pub fn key(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name);
    std::fs::read_to_string(path).expect("because it is part of the crate")
}

/// The public key in an age key file of the tests.
pub fn recipient(name: &str) -> String {
    let text = key(name);
    let line = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    line.expect("because age-keygen writes it").to_owned()
}

/// The key that files of the tests are encrypted for.
pub fn identities() -> Identities {
    with(&["age.txt"])
}

pub fn with(names: &[&str]) -> Identities {
    let mut identities = Identities::new();
    for name in names {
        match name.starts_with("ssh") {
            true => identities
                .add_ssh(key(name).as_bytes(), Some("test passphrase"))
                .expect("it is a key"),
            false => identities.add_age(&key(name)).expect("they are keys"),
        }
    }
    identities
}

pub fn rule() -> Rule {
    Rule::age([recipient("age.txt").as_str()])
}

/// A `.sops.yaml` with one rule, for the key of the tests.
pub fn config(more: &str) -> String {
    format!("creation_rules:\n  - age: {}\n{more}", recipient("age.txt"))
}

/// 2026-01-02T03:04:05Z.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

pub fn encrypt(format: Format, text: &[u8], rule: &Rule) -> Result<Vec<u8>, sops::Error> {
    sops::encrypt(format, format.read(text)?, rule, now(), &Layout::default())
}

/// What differs from run to run, made equal: encrypted values keep their type, data keys go, and the time too.
pub fn masked(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut out = String::new();
    let mut in_armor = false;
    for line in text.split_inclusive('\n') {
        let armor = line.contains("-----BEGIN AGE ENCRYPTED FILE-----");
        if (armor && !line.contains("-----END")) || in_armor {
            in_armor = !line.contains("-----END");
            if armor {
                out.push_str("ARMOR\n");
            }
            continue;
        }
        if line.contains("lastmodified") {
            out.push_str("LASTMODIFIED\n");
            continue;
        }
        let mut rest = line;
        if let (true, Some(at)) = (armor, rest.find("-----BEGIN")) {
            out.push_str(&rest[..at]);
            out.push_str("ARMOR\n");
            continue;
        }
        while let Some(at) = rest.find("ENC[") {
            out.push_str(&rest[..at]);
            let sealed = &rest[at..];
            let kind = sealed.find("type:").map_or(0, |kind| kind);
            let end = sealed.find(']').map_or(sealed.len(), |end| end + 1);
            out.push_str("ENC[");
            out.push_str(&sealed[kind.min(end)..end]);
            rest = &sealed[end..];
        }
        out.push_str(rest);
    }
    out
}

/// The real `sops`, in a folder of its own.
pub struct Sops {
    program: PathBuf,
    folder: PathBuf,
}

/// Runs a program to its end; its output, or what it said.
#[expect(clippy::disallowed_methods, reason = "tests run the program that they compare with")]
fn run(program: &Path) -> Command {
    Command::new(program)
}

fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

impl Sops {
    /// `None`, with a message, where `go` is not there to build it.
    pub fn find(name: &str) -> Option<Sops> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/build");
        if output(run(Path::new("go")).arg("version")).is_err() || !script.exists() {
            eprintln!("skipped: sops is not at hand, and go is not there to build it");
            return None;
        }
        let program = output(run(Path::new("bash")).arg(script).arg("sops"));
        let program = program.unwrap_or_else(|error| panic!("sops was not built: {error}"));
        let program = Path::new(String::from_utf8_lossy(&program).trim()).join("sops");
        let folder = std::env::temp_dir().join(format!("sops-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("because the system has a folder for it");
        Some(Sops { program, folder })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("because the folder is ours");
        path
    }

    fn command(&self) -> Command {
        let mut command = run(&self.program);
        let keys = ["age.txt", "age-other.txt"].map(key);
        let keys = keys.each_ref().map(|key| key.lines().last().unwrap_or_default());
        command
            .env_clear()
            .env("HOME", &self.folder)
            .env("PATH", "/usr/bin:/bin")
            .env("SOPS_AGE_KEY", keys.join(" "))
            .current_dir(&self.folder);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        output(self.command().args(arguments))
    }

    /// Encrypts by the rule that a configuration has for a file named `plain`.
    pub fn encrypt(&self, format: &str, text: &[u8], config: &str) -> Result<Vec<u8>, String> {
        self.put(".sops.yaml", config.as_bytes());
        let file = self.put("plain", text).display().to_string();
        self.run(&["encrypt", "--input-type", format, "--output-type", format, &file])
    }

    pub fn decrypt(&self, format: &str, text: &[u8]) -> Result<Vec<u8>, String> {
        let file = self.put("sealed", text).display().to_string();
        self.run(&["decrypt", "--input-type", format, "--output-type", format, &file])
    }

    /// Replaces the clear text of a file, as a person in an editor does.
    pub fn edit(&self, format: &str, sealed: &[u8], plain: &[u8]) -> Result<Vec<u8>, String> {
        let file = self.put("edited", sealed);
        self.put("wanted", plain);
        // sops opens the editor again, for ever, where it cannot read what comes out.
        let script = self.put("editor", b"rm -f \"$1\" && mv wanted \"$1\"\n");
        let editor = format!("sh {}", script.display());
        let mut command = self.command();
        command.env("EDITOR", editor);
        command
            .args(["edit", "--input-type", format, "--output-type", format])
            .arg(&file);
        output(&mut command)?;
        std::fs::read(file).map_err(|error| error.to_string())
    }
}

impl Drop for Sops {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The folder of a Go module; `None`, with a message, where it is not to be had.
pub fn go_module(module: &str) -> Option<PathBuf> {
    let folder = std::env::temp_dir();
    let told = output(
        run(Path::new("go"))
            .args(["mod", "download", "-json", module])
            .current_dir(folder),
    );
    let told = told
        .ok()
        .and_then(|told| serde_json::from_slice::<serde_json::Value>(&told).ok());
    let Some(path) = told.as_ref().and_then(|told| told["Dir"].as_str()) else {
        eprintln!("skipped: the Go module {module} is not at hand");
        return None;
    };
    Some(PathBuf::from(path))
}
