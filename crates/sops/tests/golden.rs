//! Files that `sops` encrypted, and what it decrypts them to; `golden/make` made them. They need no program.

use std::path::{Path, PathBuf};

use sops::{Encrypted, Error, Format, Identities, Layout, RecipientKind};

use crate::support::{masked, now, with};

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
    assert_eq!(needs.have, ["a post-quantum age key"]);
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
