//! What was changed by hand, and what is no file of SOPS: each is an error of its own that names the place and no value.

use sops::{Encrypted, Error, Format, Identities, Layout, Selection, ValueErrorKind};

use crate::golden::golden;
use crate::support::{encrypt, identities, rule, with};

const PLAIN: &str = "user: canary-user\npassword: canary-password\nlist:\n    - canary-one\n    - canary-two\nopen_unencrypted: in clear\n";

fn file() -> String {
    let sealed = encrypt(Format::Yaml, PLAIN.as_bytes(), &rule()).expect("it can be encrypted");
    String::from_utf8(sealed).expect("it is text")
}

fn value<'f>(file: &'f str, key: &str) -> &'f str {
    let line = file.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")));
    line.expect("the key is there")
}

fn error(file: &str) -> Error {
    let opened = Encrypted::read(Format::Yaml, file.as_bytes()).and_then(|file| file.decrypt(&identities()));
    let error = opened.expect_err("it was changed");
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("canary"), "{text}");
        assert!(!text.contains("ENC[AES256_GCM,data:"), "{text}");
    }
    error
}

fn values(error: Error) -> Vec<(String, ValueErrorKind)> {
    match error {
        Error::Values(errors) => errors
            .into_iter()
            .map(|error| (error.path.to_string(), error.kind))
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// Another character of base64 in place of one in the middle of the data.
fn flipped(sealed: &str) -> String {
    let at = sealed.find("data:").expect("it is encrypted") + 6;
    let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &sealed[..at], &sealed[at + 1..])
}

#[test]
fn a_changed_value() {
    let file = file();
    let sealed = value(&file, "password");
    let changed = file.replace(sealed, &flipped(sealed));
    assert_eq!(
        values(error(&changed)),
        [("password".to_owned(), ValueErrorKind::Tampered)]
    );
}

#[test]
fn a_value_moved_to_another_key() {
    let file = file();
    let (user, password) = (value(&file, "user").to_owned(), value(&file, "password").to_owned());
    let swapped = file
        .replace(&user, "X")
        .replace(&password, &user)
        .replace(": X", &format!(": {password}"));
    let moved = |from: &str| ValueErrorKind::Moved { from: from.to_owned() };
    assert_eq!(
        values(error(&swapped)),
        [
            ("user".to_owned(), moved("password")),
            ("password".to_owned(), moved("user"))
        ]
    );
}

#[test]
fn a_renamed_key() {
    let renamed = file().replace("password: ENC", "passphrase: ENC");
    assert_eq!(
        values(error(&renamed)),
        [("passphrase".to_owned(), ValueErrorKind::Tampered)]
    );
}

#[test]
fn values_in_a_list_have_their_place() {
    let file = file();
    let line = file
        .lines()
        .filter(|line| line.trim_start().starts_with("- ENC"))
        .nth(1)
        .expect("there are two");
    let changed = file.replace(
        line,
        &format!("    - {}", flipped(line.trim().trim_start_matches("- "))),
    );
    assert_eq!(
        values(error(&changed)),
        [("list[1]".to_owned(), ValueErrorKind::Tampered)]
    );
}

#[test]
fn a_value_in_clear_and_one_that_is_cut() {
    let file = file();
    let in_clear = file.replace(value(&file, "user"), "canary");
    assert_eq!(values(error(&in_clear)), [("user".to_owned(), ValueErrorKind::InClear)]);
    let cut = file.replace(value(&file, "user"), "ENC[AES256_GCM,data:AAAA");
    assert_eq!(values(error(&cut)), [("user".to_owned(), ValueErrorKind::Form)]);
    let base64 = file.replace(value(&file, "user"), &value(&file, "user").replace("iv:", "iv:*"));
    assert_eq!(values(error(&base64)), [("user".to_owned(), ValueErrorKind::Form)]);
    let typed = file.replace(
        value(&file, "user"),
        &value(&file, "user").replace("type:str", "type:int"),
    );
    assert_eq!(values(error(&typed)), [("user".to_owned(), ValueErrorKind::Type)]);
}

#[test]
fn the_mac() {
    let file = file();
    assert_eq!(error(&file.replace("in clear", "changed")), Error::MacMismatch);
    let mut lines: Vec<&str> = file.lines().collect();
    lines.swap(0, 1);
    assert_eq!(error(&lines.join("\n")), Error::MacMismatch);
    lines.remove(0);
    assert_eq!(error(&lines.join("\n")), Error::MacMismatch);
    let mac = file
        .lines()
        .find_map(|line| line.strip_prefix("    mac: "))
        .expect("it has one");
    assert_eq!(error(&file.replace(mac, &flipped(mac))), Error::MacDamaged);
    assert_eq!(error(&file.replace(mac, "\"\"")), Error::MacDamaged);
    assert_eq!(error(&file.replace(mac, value(&file, "user"))), Error::MacDamaged);
    assert_eq!(
        error(&file.replace("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z")),
        Error::MacDamaged
    );
}

#[test]
fn the_wrong_key_and_no_key() {
    let file = file();
    let encrypted = Encrypted::read(Format::Yaml, file.as_bytes()).expect("it is a file of SOPS");
    for (keys, said) in [
        (with(&["age-other.txt"]), "you have age1"),
        (with(&["ssh_ed25519"]), "you have ssh-ed25519 AAAA"),
        (Identities::new(), "you have none"),
    ] {
        match encrypted.decrypt(&keys) {
            Err(error @ Error::NoKey(_)) => {
                let text = error.to_string();
                assert!(
                    text.starts_with("no key fits: it needs age1") && text.contains(said),
                    "{text}"
                );
                assert!(!text.contains("SECRET"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(encrypted.needs(&identities()).met());
}

#[test]
fn a_damaged_data_key() {
    let file = file();
    let armor = file
        .lines()
        .position(|line| line.contains("BEGIN AGE"))
        .expect("it has one");
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let last = armor + 4;
    lines[last] = lines[last].replace(char::is_alphanumeric, "A");
    match error(&lines.join("\n")) {
        Error::DataKey { recipient, .. } => assert!(recipient.starts_with("age1")),
        other => panic!("{other:?}"),
    }
    lines.truncate(armor + 2);
    lines.push("    lastmodified: \"2026-01-02T03:04:05Z\"\n    mac: x\n    version: 3.13.3".to_owned());
    assert!(matches!(error(&lines.join("\n")), Error::DataKey { .. }));
}

#[test]
fn metadata_that_cannot_be() {
    let file = file();
    let field = |file: &str| match Encrypted::read(Format::Yaml, file.as_bytes()) {
        Err(Error::Metadata { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        Encrypted::read(Format::Yaml, PLAIN.as_bytes()).expect_err("plain"),
        Error::NotEncrypted
    );
    assert_eq!(field("a: b\nsops: text\n"), "sops");
    assert_eq!(field("a: b\nsops: [list]\n"), "sops");
    assert_eq!(field("a: b\nsops: {}\n"), "lastmodified");
    assert_eq!(
        field(&file.replace("2026-01-02T03:04:05Z", "yesterday")),
        "lastmodified"
    );
    assert_eq!(field(&file.replace("version: 3.13.3", "version: three")), "version");
    assert_eq!(field(&file.replace("    version: 3.13.3\n", "")), "version");
    assert_eq!(field(&file.replace("    age:", "    aged:")), "age");
    assert_eq!(
        field(&file.replace(
            "unencrypted_suffix: _unencrypted",
            "unencrypted_suffix: a\n    encrypted_suffix: b"
        )),
        "encrypted_suffix"
    );
    assert!(matches!(
        error(&file.replace("unencrypted_suffix: _unencrypted", "encrypted_regex: \"(\"")),
        Error::Pattern { .. }
    ));
    // A newer SOPS is taken at its word.
    let newer = file.replace("version: 3.13.3", "version: 9.0.0");
    assert!(
        Encrypted::read(Format::Yaml, newer.as_bytes())
            .and_then(|file| file.decrypt(&identities()))
            .is_ok()
    );
}

#[test]
fn what_is_no_text_or_no_format() {
    for (format, bytes, line) in [
        (Format::Yaml, b"a: b\nc: \xff\n" as &[u8], 2),
        (Format::Json, b"{\"a\": \"\xff\"}", 1),
        (Format::Ini, b"[a]\n\nb = \xff\n", 3),
        (Format::Yaml, b"a: 1\nb: [1\n", 2),
        (Format::Yaml, b"a: 1\na: 2\n", 2),
        (Format::Yaml, b"1: 2\n", 1),
        (Format::Yaml, b"a: *b\n", 1),
        (Format::Yaml, b"a: &b [*b]\n", 1),
        (Format::Yaml, b"- a\n", 1),
        (Format::Json, b"{\"a\": 1,\n \"a\": 2}", 2),
        (Format::Json, b"[1]", 1),
        (Format::Json, b"{\"a\": 1}\n}", 2),
        (Format::Json, b"{\"a\":", 1),
        (Format::Dotenv, b"A=1\nB\n", 2),
        (Format::Ini, b"[a\n", 1),
        (Format::Ini, b"[a]\nb\n", 2),
        (Format::Ini, b"[a]\nb = \"\"\"x\n", 2),
    ] {
        match format.read(bytes) {
            Err(Error::Syntax { line: found, .. }) => {
                assert_eq!(found, line, "{format}: {}", String::from_utf8_lossy(bytes))
            }
            other => panic!("{format} {}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }
}

/// All beginnings of each file, all formats: an error or a tree, and no more than that.
#[test]
fn cut_files_and_the_wrong_format() {
    for name in ["all.yaml", "all.json", "all.env", "all.ini", "all.bin", "groups.yaml"] {
        let file = golden(name);
        for format in [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini, Format::Binary] {
            let step = if format == Format::of_path(name) { 7 } else { 211 };
            for end in (0..file.len()).step_by(step) {
                let _ = Encrypted::read(format, &file[..end]);
                let _ = format.read(&file[..end]);
            }
        }
    }
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark() {
    for name in ["all.yaml", "regex.yaml"] {
        let file = String::from_utf8(golden(name)).expect("it is text");
        let windows = format!("\u{feff}{}", file.replace('\n', "\r\n"));
        let opened = Encrypted::read(Format::Yaml, windows.as_bytes()).and_then(|file| file.decrypt(&identities()));
        let plain = Encrypted::read(Format::Yaml, file.as_bytes()).and_then(|file| file.decrypt(&identities()));
        let text = |opened: Result<sops::Decrypted, Error>| {
            let opened = opened.unwrap_or_else(|error| panic!("{name}: {error}"));
            let plain = opened.plain(&Layout::default()).expect("it can be written");
            String::from_utf8_lossy(&plain)
                .lines()
                .filter(|line| !line.contains('#'))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(text(opened), text(plain), "{name}");
    }
}

#[test]
fn deep_and_large_files() {
    for (format, text) in [
        (
            Format::Yaml,
            format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        ),
        (
            Format::Yaml,
            (0..5_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        ),
        (Format::Yaml, format!("a: {}1\n", "- ".repeat(50_000))),
        (
            Format::Json,
            format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000)),
        ),
        (Format::Json, format!("{{\"a\": {}", "{\"a\":".repeat(100_000))),
    ] {
        assert!(
            matches!(format.read(text.as_bytes()), Err(Error::Syntax { .. })),
            "{format}"
        );
    }
    let many: String = (0..200_000).map(|at| format!("key{at} = x\n")).collect();
    let tree = Format::Ini.read(many.as_bytes()).expect("it is INI");
    assert_eq!(
        Format::Ini.write(&tree, &Layout::default()).expect("it was read").len(),
        {
            // Aligned to the longest name.
            200_000 * ("key199999 = x\n".len())
        }
    );
    let bomb = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, at| {
        format!("{text}a{}: &a{} [*a{at}, *a{at}]\n", at + 1, at + 1)
    });
    assert!(matches!(Format::Yaml.read(bomb.as_bytes()), Err(Error::Syntax { .. })));
    // A large value, there and back.
    let long = std::env::var("REFLOAT_LONG").is_ok_and(|value| value == "1");
    let large = "x".repeat(if long { 50 << 20 } else { 2 << 20 });
    let text = format!("data:\n  big: {large}\n");
    let mut rule = rule();
    rule.selection = Selection::EncryptedRegex("^data$".to_owned());
    let sealed = encrypt(Format::Yaml, text.as_bytes(), &rule).expect("it can be encrypted");
    let opened = Encrypted::read(Format::Yaml, &sealed).and_then(|file| file.decrypt(&identities()));
    assert_eq!(
        *opened.expect("it can be decrypted").tree(),
        Format::Yaml.read(text.as_bytes()).expect("it is YAML")
    );
}

#[test]
fn keys_that_are_none() {
    let mut identities = Identities::new();
    for (text, line) in [
        ("# comment\n\nAGE-SECRET-KEY-1QQQQ\n", "line 3"),
        ("canary\n", "line 1"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "passphrase"),
    ] {
        let error = identities.add_age(text).expect_err("it is no key");
        assert!(
            error.to_string().contains(line) && !error.to_string().contains("canary"),
            "{error}"
        );
        assert!(!error.to_string().contains("QQQQ"), "{error}");
    }
    let locked = crate::support::key("ssh_ed25519_locked");
    for (key, passphrase, said) in [
        (locked.as_str(), None, "has a passphrase"),
        (locked.as_str(), Some("canary"), "does not fit"),
        ("canary", None, "not an SSH private key"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n-----END OPENSSH PRIVATE KEY-----\n",
            None,
            "not an SSH private key",
        ),
        ("", None, "not an SSH private key"),
    ] {
        let error = identities
            .add_ssh(key.as_bytes(), passphrase)
            .expect_err("it is no key");
        assert!(
            error.to_string().contains(said) && !error.to_string().contains("canary"),
            "{error}"
        );
    }
    assert!(identities.is_empty());
    // All keys on one line, as in SOPS_AGE_KEY.
    let words: Vec<String> = ["age.txt", "age-other.txt"]
        .iter()
        .map(|name| crate::support::key(name).lines().last().unwrap().to_owned())
        .collect();
    identities.add_age(&words.join(" ")).expect("they are keys");
    assert_eq!(identities.recipients().len(), 2);
}

#[test]
fn what_cannot_be_encrypted() {
    let refused =
        |format: Format, text: &str| encrypt(format, text.as_bytes(), &rule()).expect_err("it cannot be encrypted");
    assert_eq!(refused(Format::Yaml, "sops: 1\n"), Error::Encrypted);
    assert_eq!(refused(Format::Dotenv, "sops_x=1\n"), Error::Encrypted);
    assert!(matches!(refused(Format::Yaml, ""), Error::Unwritable { .. }));
    assert!(matches!(
        refused(Format::Yaml, "a: 18446744073709551615\n"),
        Error::Syntax { line: 1, .. }
    ));
    assert!(matches!(refused(Format::Ini, "[a]\n- = x\n"), Error::Unwritable { .. }));
    let mut others = rule();
    others.groups[0][0].kind = sops::RecipientKind::Pgp;
    assert!(matches!(
        encrypt(Format::Yaml, b"a: b\n", &others).expect_err("no PGP here"),
        Error::NotInProcess(_)
    ));
}
