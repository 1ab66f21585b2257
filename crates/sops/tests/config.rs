//! `.sops.yaml`: which rule a file is encrypted by, as SOPS finds it; and generator files of ksops.

use serde_json::json;
use sops::{Config, Error, Format, Ksops, Layout, Recipient, RecipientKind, Selection};

use crate::support::{Sops, encrypt, masked, recipient};

fn config(text: &str) -> Config {
    let text = text
        .replace("ONE", &recipient("age.txt"))
        .replace("TWO", &recipient("age-other.txt"));
    Config::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

pub const RULES: &str = r#"
creation_rules:
  - path_regex: ^clusters/prod/
    age: [ONE, TWO]
    encrypted_regex: ^(data|stringData)$
    mac_only_encrypted: true
  - path_regex: \.env$
    age: "ONE, TWO,"
    unencrypted_suffix: _open
  - path_regex: ^split/
    shamir_threshold: 2
    key_groups:
      - age: [ONE]
        pgp: [FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4]
      - merge:
          - age: [TWO, TWO]
            kms: [{arn: "arn:aws:kms:us-east-1:1:key/a", role: r}]
        gcp_kms: [{resource_id: projects/x}]
        azure_keyvault: [{vaultUrl: "https://v", key: k, version: "1"}]
        hc_vault: ["https://vault/v1/transit/keys/k"]
  - pgp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4
    age: ONE
stores:
  yaml: {indent: 2}
  json: {indent: 2}
"#;

#[test]
fn the_first_rule_that_matches() {
    let config = config(RULES);
    let rule = |path: &str| {
        config
            .rule_for(path)
            .expect("the rule is good")
            .expect("there are rules")
    };
    let age = |name: &str| Recipient {
        kind: RecipientKind::Age,
        id: recipient(name),
    };
    let prod = rule("clusters/prod/app.env");
    assert_eq!(prod.groups, [[age("age.txt"), age("age-other.txt")]]);
    assert_eq!(
        prod.selection,
        Selection::EncryptedRegex("^(data|stringData)$".to_owned())
    );
    assert!(prod.mac_only_encrypted);
    let env = rule("clusters/dev/prod.env");
    assert_eq!(env.groups, [[age("age.txt"), age("age-other.txt")]]);
    assert_eq!(env.selection, Selection::UnencryptedSuffix("_open".to_owned()));
    let split = rule("split/a.yaml");
    assert_eq!((split.threshold, split.groups.len()), (2, 2));
    let names: Vec<String> = split.groups[1].iter().map(Recipient::to_string).collect();
    assert_eq!(
        names,
        [
            recipient("age-other.txt").as_str(),
            "AWS KMS arn:aws:kms:us-east-1:1:key/a",
            "GCP KMS projects/x",
            "Azure Key Vault https://v/keys/k/1",
            "Vault https://vault/v1/transit/keys/k",
        ]
    );
    let last = rule("other.yaml");
    assert_eq!(last.selection, Selection::default());
    assert_eq!(last.beyond_process().count(), 1);
    assert_eq!((config.layout.yaml_indent, config.layout.json_indent), (2, Some(2)));
}

#[test]
fn rules_that_cannot_be_used() {
    let field = |text: &str| {
        let error = Config::read(text.as_bytes()).and_then(|config| config.rule_for("a.yaml"));
        match error.expect_err("it cannot be used") {
            Error::Config { field, .. } | Error::Pattern { field, .. } => field,
            Error::Syntax { line, .. } => format!("line {line}"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(field("creation_rules: [{path_regex: ^b}]"), "creation_rules");
    assert_eq!(
        field("creation_rules: [{path_regex: \"(\"}]"),
        "creation_rules[0].path_regex"
    );
    assert_eq!(field("creation_rules: [{encrypted_regex: \"(\"}]"), "encrypted_regex");
    assert_eq!(
        field("creation_rules: [{encrypted_regex: a, encrypted_suffix: b}]"),
        "creation_rules[0].encrypted_regex"
    );
    assert_eq!(field("creation_rules: [{age: {a: b}}]"), "creation_rules[0].age");
    assert_eq!(field("creation_rules: [{age: [1]}]"), "creation_rules[0].age");
    assert_eq!(
        field("creation_rules: [{key_groups: [{age: x}]}]"),
        "creation_rules[0].key_groups[0].age"
    );
    assert_eq!(field("creation_rules: [text]"), "creation_rules[0]");
    assert_eq!(field("creation_rules: {}"), "creation_rules");
    assert_eq!(field("a: [\n"), "line 1");
    assert_eq!(field("[]"), ".sops.yaml");
    assert_eq!(
        Config::read(b"")
            .and_then(|config| config.rule_for("a"))
            .expect("it says nothing"),
        None
    );
    // A public key with a slip of the pen.
    let mut wrong = recipient("age.txt");
    wrong.replace_range(20..21, if wrong.as_bytes()[20] == b'q' { "p" } else { "q" });
    let rule = sops::Rule::age([wrong.as_str()]);
    assert!(matches!(
        encrypt(Format::Yaml, b"a: b\n", &rule),
        Err(Error::Config { .. })
    ));
}

/// Groups, several recipients, suffixes and indentation: what sops writes by the same configuration.
#[test]
fn sops_writes_the_same_by_the_same_configuration() {
    let Some(sops) = Sops::find("config") else { return };
    let texts = [
        "creation_rules: [{age: 'ONE,TWO'}]\n",
        "creation_rules: [{path_regex: ^other, age: TWO}, {path_regex: plain, age: ONE, encrypted_suffix: word}]\n",
        "creation_rules: [{key_groups: [{age: [ONE]}, {age: [TWO]}]}]\n",
        "creation_rules: [{shamir_threshold: 2, key_groups: [{age: [ONE]}, {merge: [{age: [TWO]}], age: [TWO, ONE]}, {age: [TWO]}]}]\n",
        "creation_rules: [{age: ONE}]\nstores: {yaml: {indent: 2}, json: {indent: 1}}\n",
    ];
    for text in texts {
        let text = text
            .replace("ONE", &recipient("age.txt"))
            .replace("TWO", &recipient("age-other.txt"));
        let config = Config::read(text.as_bytes()).expect("it is good");
        let rule = config.rule_for("plain").expect("it is good").expect("there is one");
        for (format, name, plain) in [
            (Format::Yaml, "yaml", "password:\n  a: [1, {b: c}]\nuser: x\n"),
            (Format::Json, "json", "{\"password\": {\"a\": [1]}}"),
            (Format::Dotenv, "dotenv", "password=a\n"),
            (Format::Ini, "ini", "[password]\na = b\n"),
            (Format::Binary, "binary", "text"),
        ] {
            let tree = format.read(plain.as_bytes()).expect("it is of its format");
            let ours = sops::encrypt(format, tree, &rule, crate::support::now(), &config.layout).expect("it can be");
            let theirs = sops.encrypt(name, plain.as_bytes(), &text).expect("it can be");
            assert_eq!(masked(&ours), masked(&theirs), "{name} by {text}");
            let back = sops.decrypt(name, &ours).expect("it has the keys");
            let tree = format.read(plain.as_bytes()).expect("it is of its format");
            let clear = format.write(&tree, &config.layout).expect("it was read");
            assert_eq!(
                String::from_utf8_lossy(&back),
                String::from_utf8_lossy(&clear),
                "{name} by {text}"
            );
        }
    }
    assert_eq!(Layout::default().yaml_indent, 4);
}

#[test]
fn generators_of_ksops() {
    let generator = json!({
        "apiVersion": "viaduct.ai/v1", "kind": "ksops", "metadata": {"name": "g"},
        "files": ["a.enc.yaml", "sub/b.enc.yaml"],
        "secretFrom": [{
            "metadata": {"name": "s", "labels": {"app": "x"}}, "type": "Opaque",
            "files": ["sub/c.txt", "key=d.json"], "binaryFiles": ["e.bin"], "envs": ["f.env"],
        }],
    });
    assert!(Ksops::is(&generator));
    assert!(!Ksops::is(&json!({"apiVersion": "v1", "kind": "ksops"})));
    let ksops = Ksops::read(&generator).expect("it is one");
    assert_eq!(
        ksops.paths().collect::<Vec<_>>(),
        ["a.enc.yaml", "sub/b.enc.yaml", "sub/c.txt", "d.json", "e.bin", "f.env"]
    );
    let secret = &ksops.secrets[0];
    let keys: Vec<&str> = secret
        .files
        .iter()
        .chain(&secret.binary_files)
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(keys, ["c.txt", "key", "e.bin"]);
    assert_eq!(
        (secret.kind.as_deref(), &secret.metadata["name"]),
        (Some("Opaque"), &json!("s"))
    );
    for (wrong, field) in [
        (json!({}), "files"),
        (json!({"files": "a"}), "files"),
        (json!({"files": [1]}), "files"),
        (json!({"secretFrom": {}}), "secretFrom"),
        (json!({"secretFrom": [1]}), "secretFrom[0]"),
        (json!({"secretFrom": [{"files": ["a=b=c"]}]}), "secretFrom[0].files"),
        (json!({"secretFrom": [{"type": 1}]}), "secretFrom[0].type"),
    ] {
        match Ksops::read(&wrong) {
            Err(Error::Config { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{wrong}: {other:?}"),
        }
    }
}
