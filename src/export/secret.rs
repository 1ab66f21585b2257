//! Secrets: their values are written encrypted or sealed, or not at all.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sops::Map;
use sops::sealed::Scope;
use zeroize::Zeroizing;

use super::Change;
use super::spot::{Spot, data_key};
use super::work::{Made, Work};
use crate::declared::{Keys, is_encrypted, is_kustomization};
use crate::object::{Manifest, ObjectId, Place};
use crate::source::path::{join, upwards};
use crate::source::{Earlier, Files, Tree};

/// What says for whom files are encrypted.
const RULES: &str = ".sops.yaml";

/// Whether a repository says for whom files are encrypted.
pub fn says_for_whom(tree: &Tree) -> bool {
    tree.files().any(|file| file.rsplit('/').next() == Some(RULES))
}

/// Keeps of files that were encrypted what an earlier export made of the same content: each time that something is encrypted it gets other
/// bytes, which would be a change to look at that is none.
pub fn keep(files: &mut Files, keys: &Keys, earlier: impl FnOnce() -> Earlier) {
    let encrypted = files
        .iter_mut()
        .filter_map(|(path, content)| Some((path, content.as_mut()?)));
    let mut encrypted = encrypted.filter(|(_, content)| is_encrypted(content)).peekable();
    if encrypted.peek().is_none() {
        return;
    }
    let earlier = earlier();
    for (path, content) in encrypted {
        let mut versions = earlier.versions(path).into_iter();
        if let Some(known) = versions.find(|known| keys.same(path, known, content)) {
            *content = known;
        }
    }
}

impl Work<'_> {
    /// Makes a change of a Secret where what is in clear does not come to stand in a file.
    pub(super) fn secret(&mut self, change: &Change, spot: &Spot) -> Result<Made, String> {
        let in_place = |place: Place| (place, spot.words().to_owned());
        match spot {
            Spot::Document => self.in_document(change),
            Spot::Content { file, .. } => self.in_content(file, change).map(in_place),
            Spot::Setting { file, key } => self.in_setting(file, key, change).map(in_place),
            Spot::Sealed { object, .. } => self.seal_anew(object, change).map(in_place),
            Spot::Literal { site, .. } => Err(in_clear(&site.file)),
            _ => Err("its value would stand there in clear".to_owned()),
        }
    }

    fn in_document(&mut self, change: &Change) -> Result<Made, String> {
        match change {
            Change::Add { .. } => Err("it is not declared".to_owned()),
            Change::Set { object, path, value } => self.set_encrypted(object, path, Some(value)),
            Change::Unset { object, path } => self.set_encrypted(object, path, None),
            Change::Remove { object } => {
                let declared = self.declared(object)?;
                let file = &declared.provenance.file;
                let text = self.text(file)?;
                if is_encrypted(text.as_bytes()) && kube_yaml::parse(text.as_bytes()).len() > 1 {
                    return Err(format!("{file} is encrypted as a whole, with others in it"));
                }
                self.remove(object)
            }
        }
    }

    fn set_encrypted(&mut self, object: &ObjectId, path: &str, new: Option<&Value>) -> Result<Made, String> {
        let declared = self.declared(object)?;
        let provenance = &declared.provenance;
        if is_kustomization(&provenance.file) {
            return Err(format!("a generator of {} makes it", provenance.file));
        }
        self.edit_encrypted(&provenance.file, |tree| {
            let document = tree
                .documents
                .get_mut(provenance.document)
                .ok_or("it has no such document")?;
            set(document, path, new)
        })?;
        Ok((provenance.place(), "the encrypted document that declares it".to_owned()))
    }

    /// Edits a file that SOPS encrypted: what does not change keeps its bytes.
    fn edit_encrypted(
        &mut self,
        file: &str,
        change: impl FnOnce(&mut sops::Tree) -> Result<(), String>,
    ) -> Result<(), String> {
        let text = self.text(file)?;
        if !is_encrypted(text.as_bytes()) {
            return Err(in_clear(file));
        }
        let edited = self.reading.keys.edit(file, text.as_bytes(), change)?;
        self.put_bytes(file, edited)
    }

    fn put_bytes(&mut self, file: &str, bytes: Vec<u8>) -> Result<(), String> {
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        self.put(file, text);
        Ok(())
    }

    /// The encrypted file that a generator puts into a value.
    fn in_content(&mut self, file: &str, change: &Change) -> Result<Place, String> {
        let clear = new_value(change)?.ok_or("the generator would still have the key")?;
        let text = self.text(file)?;
        if !is_encrypted(text.as_bytes()) {
            return Err(in_clear(file));
        }
        let replaced = self.reading.keys.replace(file, text.as_bytes(), &clear)?;
        self.put_bytes(file, replaced)?;
        Ok(Place::file(file))
    }

    /// A line of the encrypted file of settings that a generator reads.
    fn in_setting(&mut self, file: &str, key: &str, change: &Change) -> Result<Place, String> {
        let clear = new_value(change)?;
        self.edit_encrypted(file, |tree| {
            let settings = tree.documents.first_mut().ok_or("it has no settings")?;
            let Some(clear) = clear else {
                settings.remove(key);
                return Ok(());
            };
            let text = std::str::from_utf8(&clear).map_err(|_| "it is no text, and a setting is".to_owned())?;
            settings.set(key, text.into());
            Ok(())
        })?;
        Ok(Place::file(file))
    }

    /// A value of a SealedSecret.
    fn seal_anew(&mut self, sealed: &ObjectId, change: &Change) -> Result<Place, String> {
        let (Change::Set { path, .. } | Change::Unset { path, .. }) = change else {
            return Err(format!("{sealed} declares it, and its controller makes it"));
        };
        let key = data_key(path).ok_or_else(|| format!("{sealed} declares it: change its template by hand"))?;
        let certificate = self
            .options
            .seal
            .ok_or_else(|| format!("{sealed} declares it: give --sealed-secrets-cert to seal anew what changed"))?;
        let scope = Scope::of(self.declared(sealed)?.manifest.value());
        let namespace = sealed.namespace.as_deref().unwrap_or_default();
        let value = match new_value(change)? {
            Some(clear) => {
                let value = certificate.seal_value(&clear, namespace, &sealed.name, scope);
                Some(Value::from(value.map_err(|error| error.to_string())?))
            }
            None => None,
        };
        let (place, _) = self.set_field(sealed, &format!(".spec.encryptedData[{key}]"), value.as_ref())?;
        Ok(place)
    }

    /// Writes a new Secret into a file of its own.
    pub(super) fn add_encrypted(&mut self, folder: &str, manifest: &Manifest) -> Result<Made, String> {
        let marked = self.tree.files().any(|file| file.contains(".sops.y"));
        let file = self.new_file(folder, manifest, if marked { ".sops" } else { "" })?;
        let text = Zeroizing::new(self.in_look_of(folder, &as_text(manifest.value())));
        let encrypted = self.encrypt(folder, &file, text.as_bytes())?;
        self.put_bytes(&file, encrypted)?;
        self.list(folder, &file);
        Ok((Place::file(file), "a new file, encrypted".to_owned()))
    }

    /// Encrypts a file for whom the nearest `.sops.yaml` says.
    fn encrypt(&self, folder: &str, file: &str, plain: &[u8]) -> Result<Vec<u8>, String> {
        let found = upwards(folder)
            .map(|folder| (folder, join(folder, RULES)))
            .find(|(_, rules)| self.tree.is_file(rules));
        let (folder, rules) = found
            .ok_or_else(|| format!("a Secret is not written in clear, and no {RULES} says for whom to encrypt it"))?;
        let relative = file.strip_prefix(folder).unwrap_or(file).trim_start_matches('/');
        let encrypted = self
            .reading
            .keys
            .encrypt(self.text(&rules)?.as_bytes(), relative, plain);
        encrypted.map_err(|why| format!("{rules}: {why}"))
    }
}

/// Why a file gets no live value.
fn in_clear(file: &str) -> String {
    format!(
        "{file} has its values in clear, and what is live is not written there: encrypt it (`sops encrypt --in-place {file}`) or seal it, then export again"
    )
}

/// What a field of `data` becomes, decoded; `None`: it goes.
fn new_value(change: &Change) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let Change::Set { path, value, .. } = change else {
        return Ok(None);
    };
    let clear = value.as_str().and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    let clear = clear.map(|clear| Some(Zeroizing::new(clear)));
    clear.ok_or_else(|| format!("{path} is no value of a Secret"))
}

/// Sets or takes out a field of a Secret in clear.
fn set(document: &mut Map, path: &str, new: Option<&Value>) -> Result<(), String> {
    let unknown = || format!("{path} is no field that can be set in an encrypted file");
    if let Some(key) = data_key(path) {
        let Some(new) = new else {
            for field in ["data", "stringData"] {
                if let Some(sops::Value::Map(map)) = document.get_mut(field) {
                    map.remove(&key);
                }
            }
            return Ok(());
        };
        let encoded = new.as_str().ok_or_else(unknown)?;
        let clear = BASE64_STANDARD
            .decode(encoded)
            .map(Zeroizing::new)
            .map_err(|_| unknown())?;
        let has = |document: &Map, field: &str| match document.get(field) {
            Some(sops::Value::Map(map)) => map.get(&key).is_some(),
            _ => false,
        };
        let in_texts = has(document, "stringData") || (!has(document, "data") && document.get("stringData").is_some());
        return match (in_texts, std::str::from_utf8(&clear)) {
            (true, Ok(text)) => put(document, "stringData", &key, text),
            (true, Err(_)) => Err("it is no text, and stands among texts".to_owned()),
            (false, _) => put(document, "data", &key, encoded),
        };
    }
    for field in ["labels", "annotations"] {
        let Some(rest) = path.strip_prefix(&format!(".metadata.{field}")) else {
            continue;
        };
        let bracketed = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let key = bracketed.or_else(|| rest.strip_prefix('.')).ok_or_else(unknown)?;
        let Some(sops::Value::Map(metadata)) = document.get_mut("metadata") else {
            return Err(unknown());
        };
        return match (new, metadata.get_mut(field)) {
            (Some(new), _) => put(metadata, field, key, new.as_str().ok_or_else(unknown)?),
            (None, Some(sops::Value::Map(map))) => {
                map.remove(key);
                Ok(())
            }
            (None, _) => Err(unknown()),
        };
    }
    Err(unknown())
}

fn put(map: &mut Map, field: &str, key: &str, text: &str) -> Result<(), String> {
    if map.get(field).is_none() {
        map.set(field, sops::Value::Map(Map::default()));
    }
    match map.get_mut(field) {
        Some(sops::Value::Map(inner)) => {
            inner.set(key, text.into());
            Ok(())
        }
        _ => Err(format!("{field} is no map")),
    }
}

/// A Secret with its values as texts, as people write it, where all of them are.
fn as_text(secret: &Value) -> Value {
    let mut secret = secret.clone();
    let texts = secret["data"].as_object().and_then(|data| {
        let text = |value: &Value| {
            let text = String::from_utf8(BASE64_STANDARD.decode(value.as_str()?).ok()?).ok()?;
            let plain = text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t');
            plain.then(|| Value::from(text))
        };
        let texts = data.iter().map(|(key, value)| Some((key.clone(), text(value)?)));
        texts.collect::<Option<serde_json::Map<_, _>>>()
    });
    let Some(object) = secret.as_object_mut() else {
        return secret;
    };
    if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
        object.shift_remove("data");
        object.insert("stringData".to_owned(), Value::Object(texts));
    }
    secret
}
