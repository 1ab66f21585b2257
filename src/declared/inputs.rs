//! ConfigMaps and Secrets that units read while they are rendered: declared by others, given by the operator, or read from the target.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroize;

use crate::object::ObjectId;

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
}

/// All of them in a run.
pub(super) struct Inputs<'o> {
    known: &'o Known,
    declared: BTreeMap<ObjectId, Arc<Value>>,
    /// Those that were asked for and that nobody knows.
    wanted: BTreeSet<ObjectId>,
}

impl<'o> Inputs<'o> {
    /// None declared yet.
    pub fn new(known: &'o Known) -> Self {
        Self {
            known,
            declared: BTreeMap::new(),
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
            self.declared.insert(id, Arc::new(value.clone()));
        }
    }

    /// What it holds, by key. `last` says that nothing more will be declared: then the target is asked, and what nobody was asked
    /// about is noted as wanted.
    pub fn get(&mut self, id: &ObjectId, last: bool) -> Input {
        if !last && !self.declared.contains_key(id) {
            return Input::Later;
        }
        self.read(id).map_or(Input::Nowhere, Input::Here)
    }

    fn read(&mut self, id: &ObjectId) -> Option<Texts> {
        if let Some(value) = self.declared.get(id) {
            return Some(Texts::of(value));
        }
        match self.known.get(id) {
            Some(value) => value.as_ref().map(Texts::of),
            None => {
                self.wanted.insert(id.clone());
                None
            }
        }
    }

    /// What was asked for and nobody knows, not even by now.
    pub fn into_wanted(self) -> Vec<ObjectId> {
        let Self { wanted, declared, .. } = self;
        wanted.into_iter().filter(|id| !declared.contains_key(id)).collect()
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
    pub fn of(value: &Value) -> Self {
        let is_secret = value["kind"] == "Secret";
        let mut texts = BTreeMap::new();
        for (field, is_encoded) in [("binaryData", true), ("data", is_secret), ("stringData", false)] {
            for (key, value) in value[field].as_object().into_iter().flatten() {
                let text = value.as_str().unwrap_or_default();
                let decoded = is_encoded.then(|| STANDARD.decode(text.trim()).ok()).flatten();
                texts.insert(key.clone(), decoded.unwrap_or_else(|| text.as_bytes().to_vec()));
            }
        }
        Self(texts)
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
        let mut inputs = Inputs::new(&known);
        inputs.note(&map("declared"), "flux-system");
        let mut read = |name: &str| inputs.read(&id(name)).map(|texts| texts.0["k"].clone());
        assert_eq!(read("a").as_deref(), Some(&b"declared"[..]));
        assert_eq!(read("b").as_deref(), Some(&b"live"[..]));
        assert_eq!((read("c"), read("d")), (None, None));
        assert_eq!(inputs.into_wanted(), [id("d")]);
    }

    #[test]
    fn secrets_are_decoded_and_never_shown() {
        let secret = json!({"kind": "Secret", "data": {"a": "Y2FuYXJ5"}, "stringData": {"b": "plain"}});
        let texts = Texts::of(&secret);
        assert_eq!(texts.0["a"], b"canary");
        assert_eq!(texts.0["b"], b"plain");
        assert_eq!(format!("{texts:?}"), r#"["a", "b"]"#);
    }
}
