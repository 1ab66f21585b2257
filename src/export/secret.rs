//! Secrets: their values are written encrypted, or not at all.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sops::{Config, Format, Layout, Map};
use std::time::SystemTime;
use zeroize::Zeroizing;

use super::Change;
use super::spot::data_key;
use super::work::{Made, Work};
use crate::declared::is_encrypted;
use crate::object::{Manifest, ObjectId, Place};
use crate::source::path::{join, upwards};

/// What says for whom files are encrypted.
const RULES: &str = ".sops.yaml";

impl Work<'_> {
    /// Makes a change of a Secret in a file that SOPS encrypted, or in a new one.
    pub(super) fn secret(&mut self, change: &Change) -> Result<Made, String> {
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
        let text = self.text(&provenance.file)?;
        if !is_encrypted(text.as_bytes()) {
            return Err(format!(
                "{} is not encrypted, and a Secret is not written in clear",
                provenance.file
            ));
        }
        let edited = self.reading.keys.edit(&provenance.file, text.as_bytes(), |tree| {
            let document = tree
                .documents
                .get_mut(provenance.document)
                .ok_or("it has no such document")?;
            set(document, path, new)
        })?;
        let edited = String::from_utf8(edited).map_err(|_| "it is not UTF-8".to_owned())?;
        self.put(&provenance.file, edited);
        Ok((provenance.place(), "the encrypted document that declares it".to_owned()))
    }

    /// Writes a new Secret into a file of its own.
    pub(super) fn add_encrypted(&mut self, folder: &str, manifest: &Manifest) -> Result<Made, String> {
        let marked = self.tree.files().any(|file| file.contains(".sops.y"));
        let file = self.new_file(folder, manifest, if marked { ".sops" } else { "" })?;
        let rule = self.rule(folder, &file)?;
        let text = Zeroizing::new(self.in_look_of(folder, &as_text(manifest.value())));
        let tree = Format::Yaml.read(text.as_bytes()).map_err(|error| error.to_string())?;
        let encrypted = sops::encrypt(Format::Yaml, tree, &rule, SystemTime::now(), &Layout::default());
        let encrypted = encrypted.map_err(|error| error.to_string())?;
        self.put(
            &file,
            String::from_utf8(encrypted).map_err(|_| "it is not UTF-8".to_owned())?,
        );
        self.list(folder, &file);
        Ok((Place::file(file), "a new file, encrypted".to_owned()))
    }

    /// For whom a file is encrypted: what the nearest `.sops.yaml` says.
    fn rule(&self, folder: &str, file: &str) -> Result<sops::Rule, String> {
        let found = upwards(folder)
            .map(|folder| (folder, join(folder, RULES)))
            .find(|(_, rules)| self.tree.is_file(rules));
        let (folder, rules) = found
            .ok_or_else(|| format!("a Secret is not written in clear, and no {RULES} says for whom to encrypt it"))?;
        let config = Config::read(self.text(&rules)?.as_bytes()).map_err(|error| format!("{rules}: {error}"))?;
        let relative = file.strip_prefix(folder).unwrap_or(file).trim_start_matches('/');
        let rule = config.rule_for(relative).map_err(|error| format!("{rules}: {error}"))?;
        let rule = rule.ok_or_else(|| format!("{rules} has no rule for {file}"))?;
        if let Some(recipient) = rule.beyond_process().next() {
            return Err(format!(
                "{rules} wants it encrypted for {recipient}, which only sops can: encrypt it with `sops` by hand"
            ));
        }
        Ok(rule)
    }
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
