//! What is fuzzed: any bytes as a file in clear, which must come back when it is encrypted and decrypted; as an encrypted file; as a
//! configuration and as keys. Also called by the tests, with seeds made a little different.

use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use sops::sealed::{Certificate, SealingKeys};
use sops::{
    Config, Encrypted, Entry, Error, Format, Identities, Item, Ksops, Layout, Map, Rule, Selection, Tree, Value,
};

const KEY: &str = include_str!("../tests/keys/age.txt");

const FORMATS: [Format; 5] = [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini, Format::Binary];

/// The first byte says what the rest is.
pub fn any(bytes: &[u8]) {
    let Some((&what, file)) = bytes.split_first() else {
        return;
    };
    match what {
        0..160 => {
            let format = FORMATS[usize::from(what) % FORMATS.len()];
            in_clear(format, file);
            encrypted(format, file);
        }
        160..200 => {
            if let Ok(config) = Config::read(file) {
                for path in ["a.yaml", "", "clusters/prod/secret.env"] {
                    told(config.rule_for(path).err());
                }
            }
        }
        200..230 => {
            let mut identities = Identities::new();
            if let Ok(text) = std::str::from_utf8(file) {
                told(identities.add_age(text).err());
            }
            told(identities.add_ssh(file, None).err());
        }
        _ => {
            let _ = SealingKeys::new().add(file);
            let _ = Certificate::read(file);
            if let Ok(object) = serde_json::from_slice(file) {
                let _ = SealingKeys::new().unseal(&object);
                told(Ksops::read(&object).err());
            }
        }
    }
}

/// An error must say something.
fn told(error: Option<Error>) {
    if let Some(error) = error {
        assert!(!error.to_string().is_empty());
    }
}

fn identities() -> &'static (Identities, Rule) {
    static KEYS: OnceLock<(Identities, Rule)> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut identities = Identities::new();
        identities.add_age(KEY).expect("because it is a key");
        let recipients = identities.recipients();
        let mut rule = Rule::age(recipients.iter().map(String::as_str));
        rule.selection = Selection::EncryptedRegex("^".to_owned());
        (identities, rule)
    })
}

/// What can be read and encrypted is there again when it is decrypted.
fn in_clear(format: Format, file: &[u8]) {
    let tree = match format.read(file) {
        Ok(tree) => tree,
        Err(error) => return told(Some(error)),
    };
    let (identities, rule) = identities();
    let layout = Layout::default();
    told(format.write(&tree, &layout).err());
    let sealed = match sops::encrypt(format, tree.clone(), rule, UNIX_EPOCH, &layout) {
        Ok(sealed) => sealed,
        Err(error) => return told(Some(error)),
    };
    let opened = Encrypted::read(format, &sealed).and_then(|file| file.decrypt(identities));
    let opened = opened.unwrap_or_else(|error| panic!("what was encrypted does not decrypt: {error}"));
    assert_eq!(
        bare(opened.tree(), format),
        bare(&tree, format),
        "it is not what it was"
    );
    let edited = opened
        .edit(tree.clone(), UNIX_EPOCH, &layout)
        .expect("because it was just encrypted");
    let again = Encrypted::read(format, &edited).and_then(|file| file.decrypt(identities));
    let again = again.unwrap_or_else(|error| panic!("what was edited does not decrypt: {error}"));
    assert_eq!(
        bare(again.tree(), format),
        bare(&tree, format),
        "it is not what it was edited to"
    );
}

fn encrypted(format: Format, file: &[u8]) {
    let (identities, _) = identities();
    match Encrypted::read(format, file) {
        Err(error) => told(Some(error)),
        Ok(encrypted) => {
            assert!(!encrypted.needs(identities).to_string().is_empty());
            told(encrypted.decrypt(identities).err());
        }
    }
}

/// Without comments, which move; and without sections that are empty, which INI does not always keep.
fn bare(tree: &Tree, format: Format) -> Tree {
    Tree {
        documents: tree.documents.iter().map(|map| bare_map(map, format)).collect(),
    }
}

fn bare_map(map: &Map, format: Format) -> Map {
    let pairs = map
        .pairs()
        .map(|(key, value)| Entry::Pair(key.to_owned(), bare_value(value, format)));
    let empty = |entry: &Entry| matches!(entry, Entry::Pair(_, Value::Map(map)) if map.entries.is_empty());
    Map {
        entries: pairs.filter(|entry| format != Format::Ini || !empty(entry)).collect(),
    }
}

fn bare_value(value: &Value, format: Format) -> Value {
    match value {
        Value::Map(map) => Value::Map(bare_map(map, format)),
        Value::List(items) => {
            let values = items.iter().filter_map(|item| match item {
                Item::Value(value) => Some(Item::Value(bare_value(value, format))),
                Item::Comment(_) => None,
            });
            Value::List(values.collect())
        }
        // All of these are one when they are written.
        Value::Float(number) if number.is_nan() => Value::Null,
        value => value.clone(),
    }
}
