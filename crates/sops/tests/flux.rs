//! The encrypted files that Flux's kustomize-controller is tested with, read from its Go module.

use std::path::{Path, PathBuf};

use sops::{Encrypted, Error, Format, Identities, Layout, RecipientKind};

use crate::support::go_module;

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn folder() -> Option<PathBuf> {
    let module = go_module("github.com/fluxcd/kustomize-controller@v1.9.6")?;
    Some(module.join("internal/controller/testdata/sops"))
}

fn identities(folder: &Path) -> Identities {
    let mut identities = Identities::new();
    for name in ["age.txt", "age-global.txt", "age-pq.txt"] {
        let text = String::from_utf8(read(folder, &format!("keys/{name}"))).expect("keys are text");
        identities.add_age(&text).expect("they are keys");
    }
    identities
}

fn plain(folder: &Path, format: Format, file: &[u8]) -> Result<String, Error> {
    let decrypted = Encrypted::read(format, file)?.decrypt(&identities(folder))?;
    let plain = decrypted.plain(&Layout::default())?;
    Ok(String::from_utf8_lossy(&plain).into_owned())
}

#[test]
fn the_files_of_flux_decrypt() {
    let Some(folder) = folder() else { return };
    for (name, format, holds) in [
        ("algorithms/age.yaml", Format::Yaml, "key: value"),
        ("envs/env.env", Format::Dotenv, "key=value"),
        ("component/env.env", Format::Dotenv, "key=value"),
        ("remote/env.env", Format::Dotenv, "key=value"),
        ("files/file.txt", Format::Binary, "value"),
        ("global/secret.yaml", Format::Yaml, "kind: Secret"),
        ("patches/merge1.yaml", Format::Yaml, "merge1"),
        ("patches/merge2.yaml", Format::Yaml, "merge2"),
    ] {
        let text = plain(&folder, format, &read(&folder, name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            text.to_lowercase().contains(&holds.to_lowercase()),
            "{name} holds {holds}: {text}"
        );
        assert!(!text.contains("ENC["), "{name} is in clear");
    }
}

/// A Secret in clear whose values are encrypted files, each in the format of its key.
#[test]
fn files_inside_of_a_secret_decrypt() {
    let Some(folder) = folder() else { return };
    use base64::Engine as _;
    let document = kube_yaml::parse_one(&read(&folder, "inside/secret.yaml"));
    let secret = document.value.expect("it is YAML");
    let data = secret["data"].as_object().expect("it has data");
    assert!(!data.is_empty());
    for (key, value) in data {
        let file = base64::engine::general_purpose::STANDARD
            .decode(value.as_str().expect("a text"))
            .expect("base64");
        let text = plain(&folder, Format::of_path(key), &file).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(!text.contains("ENC["), "{key} is in clear");
    }
}

#[test]
fn what_takes_other_keys_is_said() {
    let Some(folder) = folder() else { return };
    for (name, kind) in [
        ("algorithms/age-pq.yaml", RecipientKind::AgePostQuantum),
        ("algorithms/pgp.yaml", RecipientKind::Pgp),
    ] {
        let encrypted = Encrypted::read(Format::Yaml, &read(&folder, name)).expect("it is a file of SOPS");
        let needs = encrypted.needs(&identities(&folder));
        assert!(!needs.met());
        assert_eq!(
            needs
                .beyond_process()
                .map(|recipient| recipient.kind)
                .collect::<Vec<_>>(),
            [kind]
        );
        match encrypted.decrypt(&identities(&folder)) {
            Err(Error::NoKey(told)) => assert_eq!(*told, needs),
            other => panic!("{name}: {other:?}"),
        }
    }
}
