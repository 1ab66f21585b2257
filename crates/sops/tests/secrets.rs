//! Nothing secret is shown: canaries in values, comments and keys, looked for in every `Debug` and message.

use sops::sealed::SealingKeys;
use sops::{Encrypted, Format, Layout};

use crate::support::{encrypt, identities, key, now, rule, with};

#[test]
fn debug_shows_no_values() {
    let texts = [
        (
            Format::Yaml,
            "# canary-comment\nkey: canary-text # canary-inline\nlist: [canary-item, 31337, 3.1337]\nopen_unencrypted: canary-open\n",
        ),
        (
            Format::Json,
            "{\"key\": \"canary-text\", \"list\": [\"canary-item\", 31337]}",
        ),
        (Format::Dotenv, "# canary-comment\nKEY=canary-text\n"),
        (Format::Ini, "[s]\n; canary-comment\nkey = canary-text\n"),
        (Format::Binary, "canary-data"),
    ];
    for (format, text) in texts {
        let tree = format.read(text.as_bytes()).expect("it is of its format");
        let sealed = encrypt(format, text.as_bytes(), &rule()).expect("it can be encrypted");
        let sealed_text = String::from_utf8_lossy(&sealed).replace("canary-open", "");
        let encrypted = Encrypted::read(format, &sealed).expect("it was just written");
        let decrypted = encrypted.decrypt(&identities()).expect("the key is there");
        let edited = decrypted
            .edit(tree.clone(), now(), &Layout::default())
            .expect("it can be encrypted");
        let edited = String::from_utf8_lossy(&edited).replace("canary-open", "");
        for shown in [
            format!("{tree:?}"),
            format!("{tree:#?}"),
            format!("{encrypted:?}"),
            format!("{decrypted:?}"),
            format!("{decrypted:#?}"),
            sealed_text,
            edited,
        ] {
            assert!(!shown.contains("canary"), "{format}: {shown}");
            assert!(!shown.contains("31337"), "{format}: {shown}");
        }
        assert!(format!("{decrypted:?}").contains("Decrypted"));
    }
}

#[test]
fn debug_shows_no_keys() {
    let all = with(&[
        "age.txt",
        "age-other.txt",
        "ssh_ed25519",
        "ssh_rsa",
        "ssh_ed25519_locked",
        "age-pq.txt",
    ]);
    let shown = format!("{all:?} {all:#?} {:?}", all.recipients());
    assert!(shown.contains("age1") && shown.contains("ssh-rsa AAAA"), "{shown}");
    for name in ["age.txt", "age-other.txt", "age-pq.txt"] {
        let text = key(name);
        let secret = text.lines().last().expect("it has a key");
        assert!(!shown.contains(&secret[..40]), "{shown}");
    }
    assert!(!shown.contains("SECRET"), "{shown}");
    for name in ["ssh_ed25519", "ssh_rsa"] {
        // The first half has the public key in it.
        let text = key(name);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('-')).collect();
        for line in lines.iter().skip(lines.len() * 2 / 3) {
            assert!(!shown.contains(line), "{line}");
        }
    }
    let mut sealing = SealingKeys::new();
    sealing.add(key("sealing.key").as_bytes()).expect("it is a key");
    let shown = format!("{sealing:?} {sealing:#?}");
    assert!(shown.contains("SHA256:"), "{shown}");
    for line in key("sealing.key").lines().filter(|line| line.len() > 40) {
        assert!(!shown.contains(line), "{line}");
    }
}
