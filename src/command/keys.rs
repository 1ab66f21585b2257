//! Private keys for what is encrypted in the repository: given, in the environment, or where `sops` keeps them.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sops::Identities;
use zeroize::Zeroizing;

use crate::declared::{Keys, Sealing};
use crate::error::{Failure, Kind};

/// More than any file with keys has.
const LARGEST: u64 = 1 << 20;

type Variable<'v> = &'v dyn Fn(&str) -> Option<OsString>;

/// The keys given, and those that `sops` would find: in `SOPS_AGE_KEY`, `SOPS_AGE_KEY_FILE` or its own file, and SSH keys. `-` is asked
/// for on a terminal and read from standard input otherwise.
///
/// # Errors
/// When a key that somebody named cannot be used; nothing of it is quoted.
pub(super) fn keys(given: &[PathBuf], variable: Variable<'_>) -> Result<Keys, Failure> {
    let (mut identities, mut secrets) = (Identities::new(), Vec::new());
    for file in given {
        let shown = file.display().to_string();
        let text = match &*shown {
            "-" => asked(),
            _ => read(file),
        };
        let added = text.and_then(|text| add(&mut identities, &text, true));
        let secret = added.map_err(|why| failed(&shown, why))?;
        secrets.extend(secret.map(|secret| (shown, secret)));
    }
    if let Some(text) = variable("SOPS_AGE_KEY") {
        let text = Zeroizing::new(text.to_string_lossy().into_owned());
        let added = identities.add_age(&text);
        added.map_err(|error| failed("SOPS_AGE_KEY", error.to_string()))?;
    }
    for name in ["SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"] {
        if let Some(file) = variable(name).map(PathBuf::from) {
            let shown = format!("{} ({name})", file.display());
            let added = read(&file).and_then(|text| add(&mut identities, &text, true));
            let secret = added.map_err(|why| failed(&shown, why))?;
            secrets.extend(secret.map(|secret| (shown, secret)));
        }
    }
    for file in usual(variable) {
        // Not named by anybody: what is not there or locked is of no use, and no error.
        if let Ok(text) = read(&file) {
            let _ = add(&mut identities, &text, false);
        }
    }
    let mut keys = Keys::new(identities, None);
    for (shown, mut secret) in secrets {
        let all = keys.with_secret(&secret);
        sops::wipe(&mut secret);
        keys = all.map_err(|why| failed(&shown, why))?;
    }
    Ok(keys)
}

/// The keys of a controller of SealedSecrets, out of its backup.
///
/// # Errors
/// When a file cannot be read or holds none; nothing of it is quoted.
pub(super) fn sealing(files: &[PathBuf], unseal: bool) -> Result<Sealing, Failure> {
    let failed = |file: &str, why: String| {
        Failure::new(Kind::Input, format!("nothing was read: the sealing key in {file} cannot be used"))
            .because(why)
            .hint("back it up with `kubectl get secret -n kube-system -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml`")
    };
    let mut texts = Vec::new();
    for file in files {
        let shown = file.display().to_string();
        let text = read(file).map_err(|why| failed(&shown, why))?;
        texts.push((shown, text));
    }
    let all = texts.iter().map(|(file, text)| (&**file, &***text));
    Sealing::read(all, unseal).map_err(|(file, why)| failed(&file, why))
}

/// Where `sops` looks without being told.
fn usual(variable: Variable<'_>) -> Vec<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("HOME");
    let config = absolute("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
    let own = config.map(|config| config.join("sops/age/keys.txt"));
    let ssh = home.filter(|_| variable("SOPS_AGE_SSH_PRIVATE_KEY_FILE").is_none());
    let ssh = ssh
        .into_iter()
        .flat_map(|home| ["id_ed25519", "id_rsa"].map(|name| home.join(".ssh").join(name)));
    own.into_iter().chain(ssh).collect()
}

fn failed(what: &str, why: String) -> Failure {
    Failure::new(
        Kind::Input,
        format!("nothing was read: the key in {what} cannot be used"),
    )
    .because(why)
    .hint("give an age key file, an SSH private key, or the manifest of the Secret that Flux decrypts with")
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut text = Zeroizing::new(Vec::new());
    let opened = std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    opened.map(|_| text).map_err(|cause| cause.to_string())
}

fn asked() -> Result<Zeroizing<Vec<u8>>, String> {
    if io::stdin().is_terminal() {
        let key = rpassword::prompt_password("Private key (not shown): ").map_err(|cause| cause.to_string())?;
        return Ok(Zeroizing::new(key.into_bytes()));
    }
    let mut text = Zeroizing::new(Vec::new());
    let read = io::stdin().take(LARGEST).read_to_end(&mut text);
    read.map(|_| text).map_err(|cause| cause.to_string())
}

/// Adds what a file holds: age keys or an SSH key; or gives the Secret of a Flux Kustomization's `spec.decryption` that it is. Whoever named the
/// file may be asked for the passphrase of an SSH key.
fn add(identities: &mut Identities, text: &[u8], may_ask: bool) -> Result<Option<Value>, String> {
    if text.trim_ascii_start().starts_with(b"-----BEGIN") && !text.trim_ascii_start().starts_with(b"-----BEGIN AGE") {
        let added = identities.add_ssh(text, None);
        return match added {
            Err(error) if may_ask && error.to_string().contains("passphrase") && io::stdin().is_terminal() => {
                let passphrase = rpassword::prompt_password("Passphrase of the SSH key: ");
                let passphrase = Zeroizing::new(passphrase.map_err(|cause| cause.to_string())?);
                identities
                    .add_ssh(text, Some(&passphrase))
                    .map(|()| None)
                    .map_err(|error| error.to_string())
            }
            added => added.map(|()| None).map_err(|error| error.to_string()),
        };
    }
    let lines = std::str::from_utf8(text).map_err(|_| "it is not text".to_owned())?;
    if lines.contains("kind:") || lines.contains("\"kind\"") {
        let manifest = kube_yaml::parse_one(text).value.map_err(|error| error.message)?;
        // Else the word stands in a comment.
        if manifest.is_object() {
            return Ok(Some(manifest));
        }
    }
    let added = identities.add_age(lines).map(|()| None);
    added.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for this test.
    const KEY: &str = "AGE-SECRET-KEY-1F6CXQ2SVP0TM9QXXT3Y5MME2Q9EEYMVHT7KC34UXMVSAYK3D645SE54LQL";

    fn found(given: &[&Path], variables: &[(&str, &str)]) -> Result<String, String> {
        let given: Vec<PathBuf> = given.iter().map(|path| path.to_path_buf()).collect();
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let keys = keys(&given, &variable);
        keys.map(|keys| format!("{keys:?}"))
            .map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn keys_are_found_where_sops_finds_them() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let write = |path: &str, text: &str| {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().expect("because it has one")).expect("because the folder is ours");
            std::fs::write(&file, text).expect("because the folder is ours");
            file
        };
        let key = KEY.to_owned();
        let secret =
            format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: sops-age}}\nstringData:\n  age.agekey: {key}\n");
        let plain = write("key.txt", &format!("# public key: x\n{key}\n"));
        let secret = write("secret.yaml", &secret);
        write(".config/sops/age/keys.txt", &key);
        let home = folder.path().display().to_string();
        let file = plain.display().to_string();
        for (given, variables) in [
            (vec![&*plain], vec![]),
            (vec![&*secret], vec![]),
            (vec![], vec![("SOPS_AGE_KEY", &*key)]),
            (vec![], vec![("SOPS_AGE_KEY_FILE", &*file)]),
            (vec![], vec![("HOME", &*home)]),
        ] {
            let shown = found(&given, &variables).expect("because the key is good");
            assert!(
                shown.contains("age1") && !shown.contains(&key),
                "{variables:?}: {shown}"
            );
        }
        assert!(found(&[], &[]).is_ok_and(|shown| !shown.contains("age1")));
        let commented = write("commented.txt", &format!("# kind: of shop\n{key}\n"));
        assert!(found(&[&commented], &[]).is_ok_and(|shown| shown.contains("age1")));
    }

    /// Keys of the library's own tests.
    #[test]
    fn keys_of_ssh_are_found_where_they_are_given_named_or_usual() {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sops/tests/keys");
        let home = tempfile::tempdir().expect("because the tests need a temporary folder");
        let folder = home.path().join(".ssh");
        std::fs::create_dir(&folder).expect("because the folder is ours");
        let at_home = home.path().display().to_string();
        for name in ["ssh_ed25519", "ssh_rsa"] {
            let key = keys.join(name);
            let public = std::fs::read_to_string(keys.join(format!("{name}.pub"))).expect("because it is there");
            let public = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let file = key.display().to_string();
            let usual = folder.join(name.replace("ssh_", "id_"));
            std::fs::copy(&key, &usual).expect("because the folder is ours");
            for (given, variables) in [
                (vec![&*key], vec![]),
                (vec![], vec![("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &*file)]),
                (vec![], vec![("HOME", &*at_home)]),
            ] {
                let shown = found(&given, &variables).expect("because the key is good");
                assert!(shown.contains(&public), "{variables:?}: {shown}");
            }
            std::fs::remove_file(usual).expect("because the folder is ours");
        }
        // A locked one: an error where somebody named it, and of no use where it only lies there.
        let locked = keys.join("ssh_ed25519_locked");
        let error = found(&[&locked], &[]).expect_err("because nobody can be asked");
        assert!(error.contains("passphrase"), "{error}");
        std::fs::copy(&locked, folder.join("id_ed25519")).expect("because the folder is ours");
        assert!(found(&[], &[("HOME", &at_home)]).is_ok_and(|shown| !shown.contains("ssh-")));
    }

    #[test]
    fn a_secret_of_flux_gives_what_can_be_used_and_tells_what_cannot() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let of = |entries: &str| {
            let file = folder.path().join("secret.yaml");
            let secret = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: sops}}\nstringData: {{{entries}}}\n");
            std::fs::write(&file, secret).expect("because the folder is ours");
            found(&[&file], &[])
        };
        let mixed = of(&format!(
            "age.agekey: {KEY}, identity.asc: canary-7f3a, sops.vault-token: canary-7f3a"
        ));
        let shown = mixed.expect("because two of them are used");
        for name in ["age1", "VAULT_TOKEN", "identity.asc"] {
            assert!(shown.contains(name), "{name}: {shown}");
        }
        assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");
        for (entries, why) in [
            (
                "identity.asc: canary-7f3a",
                "of what it holds, identity.asc cannot be used",
            ),
            ("identity.asc: canary-7f3a", "(`gpg --import FILE`)"),
            ("password: canary-7f3a", "without a key that Flux decrypts with"),
            ("age.agekey: canary-7f3a", "age.agekey: "),
        ] {
            let error = of(entries).expect_err("because nothing of it can be used");
            assert!(error.contains(why) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_key_that_was_named_and_is_none_is_said() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let file = folder.path().join("key");
        std::fs::write(&file, "canary-7f3a").expect("because the folder is ours");
        let path = file.display().to_string();
        for error in [
            found(&[&file], &[]),
            found(&[], &[("SOPS_AGE_KEY", "canary-7f3a")]),
            found(&[], &[("SOPS_AGE_KEY_FILE", &path)]),
            found(&[Path::new("/nowhere")], &[]),
        ] {
            let error = error.expect_err("because it is no key");
            assert!(error.contains("cannot be used") && !error.contains("canary"), "{error}");
        }
    }
}
