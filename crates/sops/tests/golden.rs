//! Files that `sops` encrypted, and what it decrypts them to; `golden/make` made them. They need no program.

use std::path::{Path, PathBuf};

use sops::{Encrypted, Error, Format, Identities, Layout, RecipientKind};

use crate::support::{Sops, masked, now, with};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub fn golden(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check(name: &str, identities: &Identities) {
    let format = Format::of_path(name);
    let encrypted = Encrypted::read(format, &golden(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let decrypted = encrypted
        .decrypt(identities)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let plain = decrypted.plain(&Layout::default()).expect("it was written by sops");
    let want = golden(&format!("want/{name}"));
    assert_eq!(
        String::from_utf8_lossy(&plain),
        String::from_utf8_lossy(&want),
        "{name}"
    );
    assert_eq!(*plain, want, "{name}");
}

#[test]
fn every_format() {
    for name in ["all.yaml", "all.json", "all.env", "all.ini", "all.bin"] {
        check(name, &with(&["age.txt"]));
    }
}

#[test]
fn every_choice_of_values() {
    for name in ["regex.yaml", "comments.yaml"] {
        check(name, &with(&["age.txt"]));
    }
}

#[test]
fn any_of_several_keys_of_which_the_last_fits() {
    check("several.yaml", &with(&["age.txt"]));
    check("several.yaml", &with(&["age-other.txt"]));
    check(
        "all.yaml",
        &with(&["age-third.txt", "ssh_ed25519", "age-pq.txt", "age-other.txt", "age.txt"]),
    );
}

#[test]
fn ssh_keys() {
    for key in ["ssh_ed25519", "ssh_rsa", "ssh_ed25519_locked"] {
        check("ssh.yaml", &with(&[key]));
    }
}

#[test]
fn a_split_key_takes_as_many_groups_as_it_says() {
    check("groups.yaml", &with(&["age.txt", "age-third.txt"]));
    check("groups.yaml", &with(&["age-other.txt", "age.txt", "age-third.txt"]));
    let encrypted = Encrypted::read(Format::Yaml, &golden("groups.yaml")).expect("it is a file of sops");
    let one = with(&["age-other.txt"]);
    assert!(!encrypted.needs(&one).met());
    match encrypted.decrypt(&one) {
        Err(Error::NoKey(needs)) => {
            assert_eq!((needs.threshold, needs.groups.len()), (2, 3));
            let matched: Vec<usize> = needs.groups.iter().map(|group| group.matched.len()).collect();
            assert_eq!(matched, [0, 1, 0]);
            assert!(needs.to_string().starts_with("it needs 2 of 3 groups: age1"), "{needs}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_post_quantum_file_says_whom_it_takes() {
    let encrypted = Encrypted::read(Format::Yaml, &golden("post-quantum.yaml")).expect("it is a file of sops");
    let needs = encrypted.needs(&with(&["age-pq.txt"]));
    assert!(!needs.met());
    assert_eq!(needs.have, [crate::support::recipient("age-pq.txt")]);
    let mut bare = Identities::new();
    let text = crate::support::key("age-pq.txt");
    bare.add_age(text.lines().last().expect("it has a key"))
        .expect("it is a key");
    assert_eq!(bare.recipients(), ["a post-quantum age key"]);
    let kinds: Vec<RecipientKind> = needs.beyond_process().map(|recipient| recipient.kind).collect();
    assert_eq!(kinds, [RecipientKind::AgePostQuantum]);
}

/// Encrypted again unchanged, a file of sops is the same but for the MAC, which has the time in it.
#[test]
fn an_edit_that_changes_nothing_changes_the_mac_only() {
    for name in [
        "all.yaml",
        "all.json",
        "all.env",
        "all.ini",
        "regex.yaml",
        "groups.yaml",
    ] {
        let keys = with(&["age.txt", "age-other.txt", "age-third.txt"]);
        let sealed = golden(name);
        let encrypted = Encrypted::read(Format::of_path(name), &sealed).expect("it is a file of sops");
        let decrypted = encrypted.decrypt(&keys).expect("the key is there");
        let again = decrypted
            .edit(decrypted.tree().clone(), now(), &Layout::default())
            .expect("nothing is changed");
        let again_text = String::from_utf8_lossy(&again);
        let sealed_text = String::from_utf8_lossy(&sealed);
        let differing: Vec<(&str, &str)> = again_text
            .lines()
            .zip(sealed_text.lines())
            .filter(|(a, b)| a != b)
            .collect();
        for (a, b) in &differing {
            let vouching = |line: &str| line.contains("lastmodified") || line.contains("mac");
            // Where a comment was inline it goes in front when it is decrypted, as with sops.
            assert!(
                vouching(a) || (name.ends_with("yaml") && masked(&again) != masked(&sealed)),
                "{name}: {a} was {b}"
            );
        }
        assert!(differing.len() >= 2, "{name}: the MAC and the time are new");
        let reread = Encrypted::read(Format::of_path(name), &again).and_then(|file| file.decrypt(&keys));
        assert_eq!(reread.expect("it was just written").tree(), decrypted.tree(), "{name}");
    }
}

/// Metadata as they stand in files of other owners; they are not in the MAC.
const OTHERS: &str = r#"
    azure_kv:
        - created_at: "2026-01-02T03:04:05Z"
          enc: YQ
          name: key
          vault_url: https://vault.example
          version: "1"
    gcp_kms:
        - created_at: "2026-01-02T03:04:05Z"
          enc: YQ==
          resource_id: projects/p/locations/l/keyRings/r/cryptoKeys/k
    hc_vault:
        - created_at: "2026-01-02T03:04:05Z"
          enc: vault:v1:YQ==
          engine_path: transit
          key_name: key
          vault_address: https://vault.example
    kms:
        - arn: arn:aws:kms:us-east-1:111122223333:key/a
          aws_profile: ""
          context:
            Role: app
          created_at: "2026-01-02T03:04:05Z"
          enc: YQ==
          role: arn:aws:iam::111122223333:role/r
    pgp:
        - created_at: "2026-01-02T03:04:05Z"
          enc: |-
            -----BEGIN PGP MESSAGE-----

            YQ==
            -----END PGP MESSAGE-----
          fp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4"#;

#[test]
fn keys_of_others_stay_in_an_edited_file() {
    let file = String::from_utf8(golden("regex.yaml")).expect("it is text");
    let file = file.replace("\n    lastmodified:", &format!("{OTHERS}\n    lastmodified:"));
    let encrypted = Encrypted::read(Format::Yaml, file.as_bytes()).expect("it is a file of sops");
    let needs = encrypted.needs(&with(&["age.txt"]));
    assert!(needs.met());
    let beyond: Vec<String> = needs.beyond_process().map(ToString::to_string).collect();
    assert_eq!(
        beyond,
        [
            "AWS KMS arn:aws:kms:us-east-1:111122223333:key/a+arn:aws:iam::111122223333:role/r",
            "GCP KMS projects/p/locations/l/keyRings/r/cryptoKeys/k",
            "Azure Key Vault https://vault.example/keys/key/1",
            "Vault https://vault.example/v1/transit/keys/key",
            "PGP FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4",
        ]
    );
    let opened = encrypted.decrypt(&with(&["age.txt"])).expect("the key is there");
    let mut tree = opened.tree().clone();
    tree.documents[0].set("data", "new".into());
    let edited = opened
        .edit(tree.clone(), now(), &Layout::default())
        .expect("it can be encrypted");
    let text = String::from_utf8_lossy(&edited);
    for line in OTHERS.lines().filter(|line| !line.is_empty()) {
        assert!(text.contains(line), "{line} is gone from\n{text}");
    }
    if let Some(sops) = Sops::find("others") {
        let plain = Format::Yaml
            .write(&tree, &Layout::default())
            .expect("it can be written");
        let theirs = sops.edit("yaml", file.as_bytes(), &plain).expect("the key is there");
        assert_eq!(masked(&edited), masked(&theirs));
    }
}

#[test]
fn an_edit_raises_the_version_and_never_lowers_it() {
    for (was, is) in [
        ("3.7.3", "3.13.3"),
        ("3.13.3", "3.13.3"),
        ("1.14", "3.13.3"),
        ("9.0.0", "9.0.0"),
    ] {
        let file = String::from_utf8(golden("all.yaml")).expect("it is text");
        let file = file.replace("version: 3.13.3", &format!("version: \"{was}\""));
        let opened = Encrypted::read(Format::Yaml, file.as_bytes()).and_then(|file| file.decrypt(&with(&["age.txt"])));
        let opened = opened.expect("the version is not in the MAC");
        let edited = opened
            .edit(opened.tree().clone(), now(), &Layout::default())
            .expect("nothing is changed");
        assert!(
            String::from_utf8_lossy(&edited).contains(&format!("version: {is}\n")),
            "{was}"
        );
    }
}
