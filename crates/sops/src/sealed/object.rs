//! The objects: from a Secret to a SealedSecret and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::hybrid::{self, Fit, Parts};
use super::{
    CLUSTER_WIDE, Certificate, NAMESPACE_WIDE, Scope, SealedError, SealedValueError, SealedValueErrorKind, SealingKeys,
    wrong,
};
use crate::text::Text;

/// What a server sets, and what kubeseal takes out of the template.
const SERVER_SET: [&str; 9] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Annotations that hold a copy of the Secret in clear.
const COPIES: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubecfg.ksonnet.io/last-applied-configuration",
];

fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Name and namespace that a scope binds to.
fn bound(object: &Value, scope: Scope) -> Result<(&str, &str), SealedError> {
    let (namespace, name) = (text(object, "namespace"), text(object, "name"));
    if name.is_empty() && scope == Scope::Strict {
        return Err(wrong("metadata.name", "it must have one, for it is bound to it"));
    }
    if namespace.is_empty() && scope != Scope::ClusterWide {
        return Err(wrong("metadata.namespace", "it must have one, for it is bound to it"));
    }
    Ok((namespace, name))
}

impl Certificate {
    /// Seals a Secret. The scope is that of its annotations, unless one is given. What a server sets is left out, and copies of the Secret
    /// in annotations are too.
    ///
    /// # Errors
    ///
    /// [`SealedError::Object`].
    pub fn seal(&self, secret: &Value, scope: Option<Scope>) -> Result<Value, SealedError> {
        if secret["kind"] != "Secret" || secret["apiVersion"] != "v1" {
            return Err(wrong("kind", "not a Secret of v1"));
        }
        let scope = scope.unwrap_or_else(|| Scope::of(secret));
        let (namespace, name) = bound(secret, scope)?;
        let mut values: Map<String, Value> = Map::new();
        for (key, clear) in values_of(secret)? {
            values.insert(
                key,
                Value::String(self.seal_value(clear.as_bytes(), namespace, name, scope)?),
            );
        }
        values.sort_keys();
        let mut metadata = secret["metadata"].as_object().cloned().unwrap_or_default();
        metadata.retain(|field, _| !SERVER_SET.contains(&field.as_str()));
        annotate(&mut metadata, scope);
        let mut own = Map::new();
        for field in ["name", "namespace"] {
            if let Some(value) = metadata.get(field) {
                own.insert(field.to_owned(), value.clone());
            }
        }
        annotate(&mut own, scope);
        let mut template = Map::from_iter([("metadata".to_owned(), Value::Object(metadata))]);
        for field in ["type", "immutable"] {
            if !secret[field].is_null() {
                template.insert(field.to_owned(), secret[field].clone());
            }
        }
        Ok(json!({
            "apiVersion": "bitnami.com/v1alpha1",
            "kind": "SealedSecret",
            "metadata": own,
            "spec": {"encryptedData": values, "template": template},
        }))
    }

    /// Seals one value, as it stands in `spec.encryptedData`: to change a single key of a SealedSecret.
    ///
    /// # Errors
    ///
    /// [`SealedError::Key`] if the key of the certificate is too short.
    pub fn seal_value(&self, clear: &[u8], namespace: &str, name: &str, scope: Scope) -> Result<String, SealedError> {
        let label = scope.label(namespace, name);
        let sealed = hybrid::seal(&self.key, clear, &label);
        let sealed =
            sealed.ok_or_else(|| SealedError::Key("sealing certificate: its RSA key cannot be used".to_owned()))?;
        Ok(STANDARD.encode(sealed))
    }
}

/// Sets the annotation of a scope and takes out those of others.
fn annotate(metadata: &mut Map<String, Value>, scope: Scope) {
    let annotations = metadata.remove("annotations");
    let mut annotations = match annotations {
        Some(Value::Object(annotations)) => annotations,
        _ => Map::new(),
    };
    annotations
        .retain(|name, _| ![NAMESPACE_WIDE, CLUSTER_WIDE].contains(&name.as_str()) && !COPIES.contains(&name.as_str()));
    if let Some(annotation) = scope.annotation() {
        annotations.insert(annotation.to_owned(), Value::String("true".to_owned()));
    }
    if !annotations.is_empty() {
        metadata.insert("annotations".to_owned(), Value::Object(annotations));
    }
}

/// The values of a Secret; those of `stringData` win.
fn values_of(secret: &Value) -> Result<Vec<(String, Text)>, SealedError> {
    let mut values: Vec<(String, Text)> = Vec::new();
    for field in ["data", "stringData"] {
        let map = match &secret[field] {
            Value::Null => continue,
            Value::Object(map) => map,
            _ => return Err(wrong(field, "not a map")),
        };
        for (key, value) in map {
            let place = || format!("{field}.{}", crate::tree::shown(key));
            let clear = match (field, value) {
                (_, Value::Null) => Text::default(),
                ("stringData", Value::String(text)) => Text::from(text.as_str()),
                ("data", Value::String(text)) => {
                    let bare: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
                    let bytes = STANDARD.decode(bare.as_bytes());
                    Text::from(bytes.map_err(|_| wrong(place(), "not base64"))?)
                }
                _ => return Err(wrong(place(), "not a text")),
            };
            values.retain(|(known, _)| known != key);
            values.push((key.clone(), clear));
        }
    }
    Ok(values)
}

/// A Secret that was unsealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsealed {
    /// The Secret without its values: `metadata`, `type` and `immutable` of the template, with the name and the namespace of the
    /// SealedSecret. It has no owner reference, which the controller sets.
    pub secret: Value,
    /// Keys and values, in the order of the SealedSecret and behind them those of the template.
    pub data: Vec<(String, Text)>,
}

impl Unsealed {
    /// The Secret with its values, in `data`.
    pub fn manifest(&self) -> Value {
        let data: Map<String, Value> = self
            .data
            .iter()
            .map(|(key, value)| (key.clone(), Value::String(STANDARD.encode(value.as_bytes()))))
            .collect();
        let mut manifest = self.secret.clone();
        manifest["data"] = Value::Object(data);
        manifest
    }
}

impl SealingKeys {
    /// Unseals a SealedSecret, with the first key that opens each value.
    ///
    /// `spec.template.data` is taken where it has no template actions: those (`{{ … }}`) are Go templates with the functions of sprig,
    /// which this crate does not render.
    ///
    /// # Errors
    ///
    /// [`SealedError::Values`], all of them; [`SealedError::Object`].
    pub fn unseal(&self, sealed: &Value) -> Result<Unsealed, SealedError> {
        if sealed["kind"] != "SealedSecret" {
            return Err(wrong("kind", "not a SealedSecret"));
        }
        let spec = &sealed["spec"];
        if !spec["data"].is_null() {
            return Err(wrong(
                "spec.data",
                "the form of before 2019, which controllers refuse too; seal the Secret again",
            ));
        }
        let scope = Scope::of(sealed);
        let (namespace, name) = bound(sealed, scope)?;
        let label = scope.label(namespace, name);
        let mut data = Vec::new();
        let mut failed = Vec::new();
        match &spec["encryptedData"] {
            Value::Null => {}
            Value::Object(values) => {
                for (key, value) in values {
                    match self.open(value, &label) {
                        Ok(clear) => data.push((key.clone(), clear)),
                        Err(kind) => failed.push(SealedValueError { key: key.clone(), kind }),
                    }
                }
            }
            _ => return Err(wrong("spec.encryptedData", "not a map")),
        }
        if !failed.is_empty() {
            return Err(SealedError::Values(failed));
        }
        template_data(&spec["template"]["data"], &mut data)?;
        Ok(Unsealed {
            secret: bare_secret(sealed),
            data,
        })
    }

    fn open(&self, value: &Value, label: &str) -> Result<Text, SealedValueErrorKind> {
        let text = value.as_str().ok_or(SealedValueErrorKind::Form)?;
        let bare: String = text.split_whitespace().collect();
        let bytes = STANDARD.decode(bare).map_err(|_| SealedValueErrorKind::Form)?;
        let parts = Parts::of(&bytes).ok_or(SealedValueErrorKind::Form)?;
        let mut tried = Vec::new();
        for key in &self.0 {
            if rsa::traits::PublicKeyParts::size(&key.key) != parts.wrapped.len() {
                continue;
            }
            match parts.open(&key.key, label) {
                Fit::Opened(clear) => return Ok(Text::from(clear.as_slice())),
                Fit::Tampered => return Err(SealedValueErrorKind::Tampered),
                Fit::NotThis => tried.push(key.fingerprint.clone()),
            }
        }
        Err(SealedValueErrorKind::NoKey {
            bits: parts.wrapped.len() * 8,
            tried,
        })
    }
}

/// What the template adds: null takes a key away, a text that is encrypted too does not take its place.
fn template_data(template: &Value, data: &mut Vec<(String, Text)>) -> Result<(), SealedError> {
    let map = match template {
        Value::Null => return Ok(()),
        Value::Object(map) => map,
        _ => return Err(wrong("spec.template.data", "not a map")),
    };
    let encrypted: Vec<String> = data.iter().map(|(key, _)| key.clone()).collect();
    for (key, value) in map {
        let place = || format!("spec.template.data.{}", crate::tree::shown(key));
        match value {
            Value::Null => data.retain(|(known, _)| known != key),
            Value::String(text) if text.contains("{{") => {
                return Err(wrong(
                    place(),
                    "a Go template, which is not rendered here; the controller renders it",
                ));
            }
            Value::String(_) if encrypted.contains(key) => {}
            Value::String(text) => data.push((key.clone(), text.as_str().into())),
            _ => return Err(wrong(place(), "not a text")),
        }
    }
    Ok(())
}

fn bare_secret(sealed: &Value) -> Value {
    let template = &sealed["spec"]["template"];
    let mut metadata = template["metadata"].as_object().cloned().unwrap_or_default();
    metadata.retain(|field, _| !SERVER_SET.contains(&field.as_str()));
    for field in ["name", "namespace"] {
        match sealed["metadata"].get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
    let mut secret = Map::from_iter([
        ("apiVersion".to_owned(), json!("v1")),
        ("kind".to_owned(), json!("Secret")),
        ("metadata".to_owned(), Value::Object(metadata)),
    ]);
    for field in ["type", "immutable"] {
        if !template[field].is_null() {
            secret.insert(field.to_owned(), template[field].clone());
        }
    }
    Value::Object(secret)
}
