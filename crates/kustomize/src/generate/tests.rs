//! Generated objects and their hashes, as kustomize 5.8.1 makes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::hash::hash;
use super::kv::{OPTIONS, Options};
use super::{config_map, secret};
use crate::config::Config;
use crate::context::{Context, Reads};
use crate::resmap::ResMap;
use crate::resource::{Behavior, Resource};
use crate::schema::Schema;
use crate::shape::{Manner, read};
use crate::transform;
use crate::trouble::{Outcome, Trouble};

/// Files for tests.
#[derive(Default)]
pub(crate) struct Folder(pub BTreeMap<&'static str, Vec<u8>>);

impl Reads for Folder {
    fn read(&self, path: &str) -> Outcome<(Arc<[u8]>, String)> {
        let bytes = self
            .0
            .get(path)
            .ok_or_else(|| Trouble::new(format!("{path} is not there")))?;
        Ok((bytes.as_slice().into(), path.to_owned()))
    }
}

impl Folder {
    pub fn with(files: impl IntoIterator<Item = (&'static str, impl Into<Vec<u8>>)>) -> Self {
        Folder(files.into_iter().map(|(path, bytes)| (path, bytes.into())).collect())
    }

    /// Runs a step with these files and nothing else around it.
    pub fn run<T>(&self, step: impl FnOnce(&Context<'_>) -> T) -> T {
        let (schema, config) = (Schema::builtin(), Config::default());
        step(&Context {
            schema: &schema,
            config: &config,
            files: self,
        })
    }
}

fn folder() -> Folder {
    let odd = "a<b>&c \u{2028} \u{8}\u{c}\u{1} \"q\" \\ \n";
    let binary: Vec<u8> = b"\xffhello".iter().copied().cycle().take(180).collect();
    let long_line = format!("A=1\nB={}\nC=3\n", "x".repeat(65536));
    let fits = format!("A=1\nB={}\nC=3\n", "x".repeat(65533));
    Folder::with([
        ("odd", odd.as_bytes().to_vec()),
        (
            "a.env",
            b"\xef\xbb\xbfA=1\n# c\n  B = 2 \nC\n=x\nD=\"q\"\r\nE=a=b\n".to_vec(),
        ),
        ("latin.env", b"A=1\nB=\xe9\n".to_vec()),
        ("twice.env", b"A=1\nA=2\n".to_vec()),
        ("long.env", long_line.into_bytes()),
        ("fits.env", fits.into_bytes()),
        ("dir/bin", binary),
        ("crlf", b"a\r\nb\r\n".to_vec()),
    ])
}

fn config_map(item: Value, global: Value) -> Outcome<Vec<Resource>> {
    let global: Options = read(&global, &OPTIONS, Manner::Strict)?;
    folder().run(|cx| config_map::generate(&config_map::Spec::from_field(&item, Some(&global))?, cx))
}

fn secret(item: Value) -> Outcome<Vec<Resource>> {
    folder().run(|cx| secret::generate(&secret::Spec::from_field(&item, None)?, cx))
}

/// The object after its name got its hash.
fn hashed(list: Outcome<Vec<Resource>>) -> Value {
    let mut map = ResMap {
        list: list.expect("a good generator"),
    };
    folder().run(|cx| transform::hash::apply(&mut map, cx)).expect("a hash");
    Value::clone(&map.list[0].value)
}

#[test]
fn config_maps_are_as_kustomize_makes_them() {
    let global = json!({"labels": {"a": "z", "q": "r"}, "annotations": {"g": "h"}});
    let metadata = |name: &str| json!({"name": name, "labels": {"a": "z", "q": "r"}, "annotations": {"g": "h"}});
    let folded = "/2hlbGxv".repeat(30);
    let folded: String = folded
        .as_bytes()
        .chunks(70)
        .flat_map(|line| line.iter().chain(b"\n"))
        .map(|byte| char::from(*byte))
        .collect();
    let rows = [
        (json!({"name": "empty"}), "empty-6ct58987ht", json!({})),
        (
            json!({"name": "env", "envs": ["a.env"]}),
            "env-9gf72fg7mf",
            json!({"data": {"A": "1", "B ": " 2 ", "C": "", "D": "\"q\"", "E": "a=b"}}),
        ),
        (
            json!({"name": "x", "files": ["f=odd"]}),
            "x-km924t48m7",
            json!({"data": {"f": "a<b>&c \u{2028} \u{8}\u{c}\u{1} \"q\" \\ \n"}}),
        ),
        (
            json!({"name": "b", "files": ["dir/bin"]}),
            "b-dcch6cm7m2",
            json!({"binaryData": {"bin": folded}}),
        ),
        (
            json!({"name": "c", "files": ["crlf"]}),
            "c-58897965db",
            json!({"data": {"crlf": "a\r\nb\r\n"}}),
        ),
    ];
    for (item, name, content) in rows {
        let mut expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name)});
        let fields = expected.as_object_mut().expect("an object");
        fields.extend(content.as_object().expect("an object").clone());
        assert_eq!(hashed(config_map(item, global.clone())), expected);
    }
}

#[test]
fn own_options_win_over_those_for_all() {
    let item = json!({
        "name": "lits",
        "namespace": "ns",
        "behavior": "merge",
        "literals": ["a=\"x\"", "b='y'", "c=\"", "d=", "e=''\"", "f=\"\""],
        "options": {"labels": {"a": "b"}, "annotations": {"c": "d"}, "immutable": true, "disableNameSuffixHash": false},
    });
    let global = json!({"labels": {"a": "z", "q": "r"}, "annotations": {"g": "h"}, "disableNameSuffixHash": true});
    let made = config_map(item, global).expect("a good generator");
    assert_eq!(made[0].behavior, Behavior::Merge);
    assert!(!made[0].needs_hash, "what is off for all cannot be on for one");
    let expected = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "lits",
            "namespace": "ns",
            "labels": {"a": "b", "q": "r"},
            "annotations": {"c": "d", "g": "h"},
        },
        "data": {"a": "x", "b": "y", "c": "\"", "d": "", "e": "''\"", "f": ""},
        "immutable": true,
    });
    assert_eq!(*made[0].value, expected);
}

#[test]
fn secrets_are_as_kustomize_makes_them() {
    let empty = hashed(secret(json!({"name": "sec"})));
    let expected = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sec-46f8b28mk5"}, "type": "Opaque", "data": {},
    });
    assert_eq!(empty, expected);
    let item = json!({"name": "sec", "type": "foo", "literals": ["a=b"], "files": ["dir/bin"]});
    let made = hashed(secret(item));
    assert_eq!(made["metadata"]["name"], "sec-c558bd98td");
    assert_eq!(made["data"]["a"], "Yg==");
    assert_eq!(made["type"], "foo");
}

#[test]
fn a_line_that_is_too_long_ends_an_environment_file() {
    for (file, keys) in [("long.env", vec!["A"]), ("fits.env", vec!["A", "B", "C"])] {
        let made = config_map(json!({"name": "l", "env": file}), json!({})).expect("a good generator");
        let data = made[0].value["data"].as_object().expect("data");
        assert_eq!(data.keys().map(String::as_str).collect::<Vec<_>>(), keys, "{file}");
    }
}

#[test]
fn plugins_may_take_their_own_name() {
    let config = json!({
        "apiVersion": "builtin", "kind": "SecretGenerator", "metadata": {"name": "plugin", "namespace": "there"},
        "literals": ["a=b"], "env": "a.env", "other": 1,
    });
    let made = folder()
        .run(|cx| secret::generate(&secret::Spec::from_plugin(&config)?, cx))
        .expect("a good generator");
    assert_eq!(
        made[0].value["metadata"],
        json!({"name": "plugin", "namespace": "there"})
    );
    assert_eq!(made[0].value["data"], json!({"a": "Yg=="}), "plugins do not know `env`");
}

#[test]
fn what_is_wrong_is_said_without_values() {
    let rows = [
        (json!({"literals": ["a=b"]}), "a generated Secret must have a name"),
        (
            json!({"name": "s", "literals": ["hunter2"]}),
            "literals[0] of \"s\" is not of the form key=value",
        ),
        (
            json!({"name": "s", "literals": ["=hunter2"]}),
            "literals[0] of \"s\" is not of the form key=value",
        ),
        (
            json!({"name": "s", "literals": [12345]}),
            "expected text but found a number at literals[0]",
        ),
        (
            json!({"name": "s", "literals": ["8080=x"]}),
            "the key \"8080\" of \"s\" is not text when it is written as YAML",
        ),
        (
            json!({"name": "s", "literals": ["a=1", "a=2"]}),
            "\"s\" repeats the key \"a\"",
        ),
        (
            json!({"name": "s", "envs": ["twice.env"]}),
            "\"s\" repeats the key \"A\"",
        ),
        (json!({"name": "s", "envs": ["latin.env"]}), "a line is not UTF-8"),
        (json!({"name": "s", "files": ["gone"]}), "gone is not there"),
        (
            json!({"name": "s", "files": ["a=b=c"]}),
            "key or path of file source \"a=b=c\" contains \"=\"",
        ),
        (
            json!({"name": "s", "files": ["=odd"]}),
            "missing key for path \"odd\" in file source \"=odd\"",
        ),
        (
            json!({"name": "s", "files": ["a="]}),
            "missing path for key \"a\" in file source \"a=\"",
        ),
        (json!({"name": "s", "filez": []}), "unknown field \"filez\""),
    ];
    for (item, message) in rows {
        let trouble = secret(item).expect_err("a bad generator");
        assert_eq!(trouble.message, message);
    }
    let trouble = secret(json!({"name": "s", "envs": ["latin.env"]})).expect_err("a bad file");
    assert_eq!((trouble.file.as_deref(), trouble.line), (Some("latin.env"), Some(2)));
    assert_eq!(
        config_map(json!({"name": "c", "type": "x"}), json!({}))
            .expect_err("ConfigMaps have no type")
            .message,
        "unknown field \"type\""
    );
}

#[test]
fn numbers_are_hashed_as_go_writes_them() {
    let data = json!({
        "a": "b", "f": 1.5, "i": 12_345_678_901_234_567_u64, "l": [1, {"a": 1}], "m": 1e21, "n": 1e-7, "t": true,
    });
    assert_eq!(
        hash(&json!({"kind": "ConfigMap", "data": data})).as_deref(),
        Ok("dhg6t7btkd")
    );
    assert!(hash(&json!({"kind": "Role"})).is_err());
}
