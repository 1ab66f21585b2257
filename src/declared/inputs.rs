//! ConfigMaps and Secrets that units read while they are rendered: declared by others, given by the operator, or read from the target.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroize;

use crate::object::{ObjectId, normalize};

/// What is known of the ConfigMaps and Secrets that only the target has, by identity; `None`: it does not have it.
pub type Known = BTreeMap<ObjectId, Option<Value>>;

/// What is known of one.
pub(super) enum Input {
    /// This is in it.
    Here(Texts),
    /// It may be declared yet.
    Later,
    /// Nobody has it.
    Nowhere,
    /// It is there, or may be, and what it holds is not known; why, after "which".
    Unread(String),
}

/// All of them in a run.
pub(super) struct Inputs<'o> {
    known: &'o Known,
    unread: &'o BTreeMap<ObjectId, String>,
    declared: BTreeMap<ObjectId, Arc<Value>>,
    /// Those that are declared and that nobody has opened.
    encrypted: BTreeSet<ObjectId>,
    /// Those that were asked for and that nobody knows.
    wanted: BTreeSet<ObjectId>,
}

impl<'o> Inputs<'o> {
    /// None declared yet. `unread` are those that the target was asked for in vain, and why.
    pub fn new(known: &'o Known, unread: &'o BTreeMap<ObjectId, String>) -> Self {
        Self {
            known,
            unread,
            declared: BTreeMap::new(),
            encrypted: BTreeSet::new(),
            wanted: BTreeSet::new(),
        }
    }

    /// Takes note of an object, if it is a ConfigMap or Secret. `namespace` is that of objects that name none.
    pub fn note(&mut self, value: &Value, namespace: &str) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/apiVersion") == "v1" && matches!(text("/kind"), "ConfigMap" | "Secret") {
            let namespace = match text("/metadata/namespace") {
                "" => namespace,
                own => own,
            };
            let id = ObjectId::new("", text("/kind"), Some(namespace), text("/metadata/name"));
            // What its values are is not what stands there.
            match normalize::is_encrypted(value) {
                true => _ = self.encrypted.insert(id),
                false => _ = self.declared.insert(id, Arc::new(value.clone())),
            }
        }
    }

    /// What it holds, by key. `last` says that nothing more will be declared: then the target is asked, and what nobody was asked
    /// about is noted as wanted.
    pub fn get(&mut self, id: &ObjectId, last: bool) -> Input {
        if !last && !self.declared.contains_key(id) {
            return Input::Later;
        }
        self.read(id)
    }

    fn read(&mut self, id: &ObjectId) -> Input {
        let known = self.known.get(id);
        let unread = self.unread.get(id);
        let is_known = known.is_some() || unread.is_some();
        let value = self.declared.get(id).map(|value| &**value);
        match value.or_else(|| known.and_then(Option::as_ref)).map(Texts::of) {
            Some(Ok(texts)) => return Input::Here(texts),
            Some(Err(why)) => return Input::Unread(format!("cannot be used: {why}")),
            None if !is_known => _ = self.wanted.insert(id.clone()),
            None => {}
        }
        match (self.encrypted.contains(id), unread) {
            (true, _) => Input::Unread("is encrypted where it is declared".to_owned()),
            (false, Some(why)) => Input::Unread(format!("could not be read from the cluster: {why}")),
            (false, None) => Input::Nowhere,
        }
    }

    /// What was asked for and nobody knows, not even by now.
    pub fn into_wanted(self) -> Vec<ObjectId> {
        let Self { wanted, declared, .. } = self;
        wanted.into_iter().filter(|id| !declared.contains_key(id)).collect()
    }
}

/// What is to be said of a value that YAML reads as a number, a boolean or more.
pub(super) const NO_TEXT: &str = "is no text: put it in quotes";

/// A text; nothing is an empty one, as the server has it.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Null => Some(""),
        value => value.as_str(),
    }
}

/// What a ConfigMap or Secret holds, by key, decoded. `Debug` shows the keys only; it is wiped in the end.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Texts(pub BTreeMap<String, Vec<u8>>);

impl Drop for Texts {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Texts {
    /// Those of a manifest.
    ///
    /// # Errors
    /// Names a value that the server would refuse, and says why; it is not quoted.
    pub fn of(value: &Value) -> Result<Self, String> {
        let is_secret = value["kind"] == "Secret";
        let mut texts = Self::default();
        for (field, is_encoded) in [("binaryData", true), ("data", is_secret), ("stringData", false)] {
            for (key, value) in value[field].as_object().into_iter().flatten() {
                let text = text(value).ok_or_else(|| format!("its {field}.{key} {NO_TEXT}"))?;
                // As the server reads it: line breaks are no part of it.
                let joined = || text.split(['\n', '\r']).collect::<String>();
                let bytes = match is_encoded {
                    true => STANDARD
                        .decode(joined())
                        .map_err(|_| format!("its {field}.{key} is no base64"))?,
                    false => text.as_bytes().to_vec(),
                };
                texts.0.insert(key.clone(), bytes);
            }
        }
        Ok(texts)
    }

    /// As text, by key.
    pub fn texts(&self) -> impl Iterator<Item = (&String, std::borrow::Cow<'_, str>)> {
        self.0.iter().map(|(key, bytes)| (key, String::from_utf8_lossy(bytes)))
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn declared_goes_before_known_and_what_is_not_known_is_wanted() {
        let id = |name: &str| ObjectId::new("", "ConfigMap", Some("flux-system"), name);
        let map = |value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": value}});
        let known = Known::from([
            (id("a"), Some(map("live"))),
            (id("b"), Some(map("live"))),
            (id("c"), None),
        ]);
        let unread = BTreeMap::from([(id("e"), "forbidden".to_owned())]);
        let mut inputs = Inputs::new(&known, &unread);
        inputs.note(&map("declared"), "flux-system");
        let mut read = |name: &str| told(inputs.read(&id(name)));
        assert_eq!(read("a"), "declared");
        assert_eq!(read("b"), "live");
        assert_eq!((&*read("c"), &*read("d")), ("nowhere", "nowhere"));
        assert_eq!(read("e"), "could not be read from the cluster: forbidden");
        assert_eq!(inputs.into_wanted(), [id("d")]);
    }

    /// What is at the key `k`, or why nothing is.
    fn told(input: Input) -> String {
        match input {
            Input::Here(texts) => String::from_utf8_lossy(&texts.0["k"]).into_owned(),
            Input::Later => "later".to_owned(),
            Input::Nowhere => "nowhere".to_owned(),
            Input::Unread(why) => why,
        }
    }

    #[test]
    fn what_is_encrypted_or_wrong_is_no_input() {
        let id = |name: &str| ObjectId::new("", "Secret", Some("flux-system"), name);
        let secret = |name: &str, more: Value| {
            let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
            secret
                .as_object_mut()
                .expect("because it is one")
                .extend(more.as_object().cloned().unwrap_or_default());
            secret
        };
        let shut = |name: &str| {
            secret(
                name,
                json!({"stringData": {"k": "ENC[AES256_GCM,…]"}, "sops": {"mac": "ENC[…]"}}),
            )
        };
        let known = Known::from([
            (id("live"), Some(secret("live", json!({"data": {"k": "bGl2ZQ=="}})))),
            (id("gone"), None),
        ]);
        let unread = BTreeMap::new();
        let mut inputs = Inputs::new(&known, &unread);
        for value in [
            shut("live"),
            shut("gone"),
            shut("asked"),
            secret("broken", json!({"data": {"k": "ENC[AES256_GCM,…]"}})),
            secret("number", json!({"stringData": {"k": 3}})),
            secret("lines", json!({"data": {"k": "Y2Fu\nYXJ5\n"}})),
            secret("empty", json!({"stringData": {"k": null}})),
        ] {
            inputs.note(&value, "flux-system");
        }
        let mut read = |name: &str| told(inputs.get(&id(name), true));
        let is_shut = "is encrypted where it is declared";
        for (name, expected) in [
            ("live", "live"),
            ("gone", is_shut),
            ("asked", is_shut),
            ("broken", "cannot be used: its data.k is no base64"),
            (
                "number",
                "cannot be used: its stringData.k is no text: put it in quotes",
            ),
            ("lines", "canary"),
            ("empty", ""),
        ] {
            assert_eq!(read(name), expected, "{name}");
        }
        assert_eq!(inputs.into_wanted(), [id("asked")], "the target may have it in clear");
    }

    #[test]
    fn secrets_are_decoded_and_never_shown() {
        let secret = json!({"kind": "Secret", "data": {"a": "Y2FuYXJ5"}, "stringData": {"b": "plain"}});
        let texts = Texts::of(&secret).expect("because it is right");
        assert_eq!(texts.0["a"], b"canary");
        assert_eq!(texts.0["b"], b"plain");
        assert_eq!(format!("{texts:?}"), r#"["a", "b"]"#);
    }
}
