//! SealedSecrets: the controller's keys out of a backup, restored with the rest, and what they open.

use std::sync::Arc;

use serde_json::{Map, Value};
use sops::sealed::SealingKeys;

use super::documents::{self, Found};
use crate::object::{Declared, Manifest, ObjectId, Problem, ProblemKind, Provenance, Renderer, Waived, Waiver, Writer};

/// By which a controller knows its keys.
const KEY_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";
/// With it a controller takes over a Secret that it did not make.
const MANAGED: &str = "sealedsecrets.bitnami.com/managed";
/// The unit of the keys that were given.
pub(super) const UNIT: &str = "sealed-secrets-key";

/// The backed-up keys of a controller of SealedSecrets. `Debug` shows their fingerprints.
#[derive(Debug, Clone, Default)]
pub struct Sealing {
    keys: Arc<SealingKeys>,
    secrets: Vec<Key>,
    /// Secrets are made of what they open.
    unseal: bool,
}

/// The Secret of a key.
#[derive(Clone)]
struct Key {
    value: Value,
    provenance: Provenance,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.provenance.place())
    }
}

impl Sealing {
    /// Reads backups, each with the name of its file: Secrets with the label of such keys, a List of them, or a private key in PEM, which
    /// only opens. `unseal` says that Secrets are to be made of what they open.
    ///
    /// # Errors
    /// The file, and why no key is found in it; nothing of it is quoted.
    pub fn read<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>, unseal: bool) -> Result<Self, (String, String)> {
        let (mut keys, mut secrets) = (SealingKeys::new(), Vec::new());
        for (file, text) in files {
            let failed = |why: String| (file.to_owned(), why);
            keys.add(text).map_err(|error| failed(error.to_string()))?;
            if text.trim_ascii_start().starts_with(b"-----BEGIN") {
                continue;
            }
            for found in documents::of_file(file, text).found {
                secrets.extend(key(found).map_err(|why| failed(why.to_owned()))?);
            }
        }
        Ok(Self {
            keys: Arc::new(keys),
            secrets,
            unseal,
        })
    }

    /// The Secrets of the keys, as they are restored: a controller that finds one uses it, and makes none of its own.
    pub(super) fn secrets(&self) -> Vec<Found> {
        let found = |key: &Key| Found {
            value: key.value.clone(),
            provenance: key.provenance.clone(),
        };
        self.secrets.iter().map(found).collect()
    }

    /// Adds the Secrets that SealedSecrets hold, where that is asked for, and tells which do not open. `namespace` is that of objects that
    /// name none.
    pub(super) fn open(&self, objects: &mut Vec<Declared>, problems: &mut Vec<Problem>, namespace: &str) {
        if self.keys.is_empty() {
            return;
        }
        let mut made: Vec<Declared> = Vec::new();
        for one in objects.iter().filter(|one| one.id.is("bitnami.com", "SealedSecret")) {
            let mut value = one.manifest.value().clone();
            let namespace = one
                .id
                .namespace
                .as_deref()
                .or(one.namespace.as_deref())
                .unwrap_or(namespace);
            value["metadata"]["namespace"] = namespace.into();
            let failed = |why: String| {
                let message = match self.unseal {
                    true => format!("no Secret is made of this SealedSecret: {why}"),
                    false => format!("its controller will make no Secret of it: {why}"),
                };
                let mut problem = Problem::error(one.provenance.place(), message).of(one.id.clone());
                problem.kind = match self.unseal {
                    true => ProblemKind::Error,
                    false => ProblemKind::Warning,
                };
                problem.hint("give the key that it was sealed with too, with another --sealed-secrets-key FILE")
            };
            match self.keys.unseal(&value) {
                Ok(_) if !self.unseal => {}
                Ok(unsealed) => {
                    let mut secret = unsealed.manifest();
                    mark(&mut secret);
                    match Manifest::new(secret) {
                        Ok(manifest) => made.push(Declared {
                            id: manifest.id(),
                            manifest,
                            writer: Writer::ServerSide("refloat".to_owned()),
                            waivers: vec![taken_over(&one.id)],
                            ..one.clone()
                        }),
                        Err(missing) => problems.push(failed(format!("it {missing}"))),
                    }
                }
                Err(error) => problems.push(failed(error.to_string())),
            }
        }
        objects.extend(made);
    }
}

/// One that the controller made has no such mark.
fn taken_over(sealed: &ObjectId) -> Waiver {
    Waiver {
        by: sealed.to_string(),
        what: Waived::Pointer(format!("/metadata/annotations/{}", MANAGED.replace('/', "~1"))),
    }
}

/// Lets the controller take it over.
fn mark(secret: &mut Value) {
    let annotations = &mut secret["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = Value::Object(Map::new());
    }
    annotations[MANAGED] = "true".into();
}

/// A key as it is restored: without what a server sets.
fn key(found: Found) -> Result<Option<Key>, &'static str> {
    let Found { mut value, provenance } = found;
    if value["kind"] != "Secret" || value["data"]["tls.key"].is_null() && value["stringData"]["tls.key"].is_null() {
        return Ok(None);
    }
    if value["metadata"]["labels"][KEY_LABEL].is_null() {
        return Err("a Secret in it has not the label by which a controller knows its keys");
    }
    if value["metadata"]["namespace"].as_str().is_none_or(str::is_empty) {
        return Err("a Secret in it says no namespace, which is that of the controller");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| ["name", "namespace", "labels"].contains(&&**field));
    }
    if let Some(object) = value.as_object_mut() {
        object.retain(|field, _| ["apiVersion", "kind", "metadata", "type", "data", "stringData"].contains(&&**field));
    }
    let provenance = Provenance {
        renderer: Renderer::Plain,
        ..provenance
    };
    Ok(Some(Key { value, provenance }))
}
