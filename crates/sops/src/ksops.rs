//! Generator files of ksops (`viaduct.ai/v1`, kind `ksops`): which encrypted files they name, and what becomes of each.
//!
//! Parsing only: reading the files, decrypting them and putting the objects together is up to the caller. The fields are those of
//! `ksops.go` of [kustomize-sops](https://github.com/viaduct-ai/kustomize-sops).

use serde_json::Value;

use crate::error::{Error, config as wrong};

/// A generator.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ksops {
    /// Encrypted manifests, by their paths from the folder of the generator. Each is decrypted in the format of its name
    /// ([`Format::of_path`](crate::Format::of_path)), and all of its documents become objects.
    pub files: Vec<String>,
    /// Secrets that are put together of encrypted files.
    pub secrets: Vec<KsopsSecret>,
}

/// A Secret that is put together of encrypted files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KsopsSecret {
    /// `metadata` of the Secret, as it stands there.
    pub metadata: Value,
    /// `type` of the Secret.
    pub kind: Option<String>,
    /// Keys of `stringData` and the files whose content they get.
    pub files: Vec<(String, String)>,
    /// Keys of `data` and the files whose content they get, in base64.
    pub binary_files: Vec<(String, String)>,
    /// Dotenv files whose names and values become `stringData`. ksops reads them, once decrypted, with quotes, blanks, `export` and
    /// variables, as shells do, and not as SOPS does.
    pub envs: Vec<String>,
}

impl Ksops {
    /// Whether an object is such a generator.
    pub fn is(object: &Value) -> bool {
        let api = object["apiVersion"].as_str().unwrap_or_default();
        api.starts_with("viaduct.ai/") && object["kind"] == "ksops"
    }

    /// Reads a generator.
    ///
    /// # Errors
    ///
    /// [`Error::Config`]: a field is not of its type, or there is neither `files` nor `secretFrom`.
    pub fn read(object: &Value) -> Result<Self, Error> {
        let secrets = match &object["secretFrom"] {
            Value::Null => Vec::new(),
            Value::Array(items) => {
                let each = items.iter().enumerate();
                each.map(|(at, item)| secret(item, &format!("secretFrom[{at}]")))
                    .collect::<Result<_, _>>()?
            }
            _ => return Err(wrong("secretFrom", "not a list")),
        };
        if object["files"].is_null() && object["secretFrom"].is_null() {
            return Err(wrong("files", "a ksops generator needs `files` or `secretFrom`"));
        }
        Ok(Ksops {
            files: texts(object, "", "files")?,
            secrets,
        })
    }

    /// Every file that it names.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let secrets = self.secrets.iter().flat_map(|secret| {
            let keyed = secret.files.iter().chain(&secret.binary_files);
            keyed
                .map(|(_, path)| path.as_str())
                .chain(secret.envs.iter().map(String::as_str))
        });
        self.files.iter().map(String::as_str).chain(secrets)
    }
}

fn secret(item: &Value, place: &str) -> Result<KsopsSecret, Error> {
    if !item.is_object() {
        return Err(wrong(place, "not a map"));
    }
    let keyed = |field: &str| -> Result<Vec<(String, String)>, Error> {
        let texts = texts(item, place, field)?;
        let pairs: Option<Vec<_>> = texts.iter().map(|text| key_and_path(text)).collect();
        pairs.ok_or_else(|| wrong(format!("{place}.{field}"), "more than one `=` in an entry"))
    };
    let kind = match &item["type"] {
        Value::Null => None,
        Value::String(kind) => Some(kind.clone()),
        _ => return Err(wrong(format!("{place}.type"), "not a text")),
    };
    Ok(KsopsSecret {
        metadata: item["metadata"].clone(),
        kind,
        files: keyed("files")?,
        binary_files: keyed("binaryFiles")?,
        envs: texts(item, place, "envs")?,
    })
}

/// `KEY=PATH`, or a path whose last part is the key.
fn key_and_path(text: &str) -> Option<(String, String)> {
    let (key, path) = match text.split_once('=') {
        Some((key, path)) => (key, path),
        None => (text.rsplit('/').next().unwrap_or(text), text),
    };
    (!path.contains('=')).then(|| (key.to_owned(), path.to_owned()))
}

fn texts(map: &Value, place: &str, field: &str) -> Result<Vec<String>, Error> {
    let gap = if place.is_empty() { "" } else { "." };
    let field_place = format!("{place}{gap}{field}");
    match &map[field] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            texts.ok_or_else(|| wrong(field_place, "not a list of paths"))
        }
        _ => Err(wrong(field_place, "not a list")),
    }
}
