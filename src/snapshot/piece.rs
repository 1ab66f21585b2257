//! One object on its way into a snapshot.

use std::time::SystemTime;

use serde_json::{Map, Value};
use sops::{Format, Layout, Rule, Selection};
use zeroize::Zeroizing;

use super::{confidential, name, still};
use crate::object::{LiveObject, ObjectId};

/// Which values SOPS encrypts: the fields of [`confidential`].
const ENCRYPTED: &str = "^(data|stringData|binaryData)$";

/// Encrypts values for the holders of keys.
#[derive(Debug, Clone)]
pub struct Seal(Rule);

/// What became of the values of an object that holds secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// They are not there, only their keys.
    LeftOut,
    /// They are encrypted.
    Encrypted,
}

/// One object as it is kept.
pub struct Piece {
    /// Its metadata, as far as it tells whose it is: without what managers own.
    pub object: LiveObject,
    /// Its file.
    pub file: String,
    /// What the file holds.
    pub bytes: Vec<u8>,
    /// Of an object that holds secrets: where its values are.
    pub values: Option<Values>,
}

impl Seal {
    /// For these recipients of age: public keys (`age1…`) or SSH keys.
    ///
    /// # Errors
    /// Says which cannot be used.
    pub fn new(recipients: &[String]) -> Result<Self, String> {
        let rule = |recipients: &[String]| Rule {
            selection: Selection::EncryptedRegex(ENCRYPTED.to_owned()),
            ..Rule::age(recipients.iter().map(String::as_str))
        };
        for one in recipients {
            let tried = Self(rule(std::slice::from_ref(one))).encrypt(b"data:\n  a: b\n");
            tried?;
        }
        Ok(Self(rule(recipients)))
    }

    fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, String> {
        let tree = Format::Yaml.read(plain).map_err(|error| error.to_string())?;
        sops::encrypt(Format::Yaml, tree, &self.0, SystemTime::now(), &Layout::default())
            .map_err(|error| error.to_string())
    }
}

impl Piece {
    /// Of an object as the server gives it; `resource` is its plural and group, `deployments.apps`. Without a seal, values of secrets are
    /// left out.
    ///
    /// # Errors
    /// Says why its values cannot be encrypted.
    pub fn new(resource: &str, id: &ObjectId, mut value: Value, seal: Option<&Seal>) -> Result<Self, String> {
        still::still(&id.group, &id.kind, &mut value);
        let mut object = LiveObject::of(&value);
        object.managers.iter_mut().for_each(|manager| manager.fields = None);
        let value = in_order(value);
        let (bytes, values) = match confidential::is_confidential(id) {
            false => (kube_yaml::to_string(&value).into_bytes(), None),
            true => {
                let (bytes, values) = keep(value, seal)?;
                (bytes, Some(values))
            }
        };
        let file = name::file(id, resource);
        Ok(Self {
            object,
            file,
            bytes,
            values,
        })
    }
}

/// An object that holds secrets.
fn keep(mut value: Value, seal: Option<&Seal>) -> Result<(Vec<u8>, Values), String> {
    confidential::drop_copies(&mut value);
    match seal {
        None => {
            confidential::leave_out(&mut value);
            Ok((kube_yaml::to_string(&value).into_bytes(), Values::LeftOut))
        }
        Some(seal) => {
            let plain = Zeroizing::new(kube_yaml::to_string(&value));
            Ok((seal.encrypt(plain.as_bytes())?, Values::Encrypted))
        }
    }
}

/// `apiVersion`, `kind` and `metadata` first, as everybody writes them: lists have them elsewhere.
fn in_order(value: Value) -> Value {
    let Value::Object(mut map) = value else { return value };
    let mut ordered = Map::with_capacity(map.len());
    for key in ["apiVersion", "kind", "metadata"] {
        if let Some(value) = map.shift_remove(key) {
            ordered.insert(key.to_owned(), value);
        }
    }
    ordered.extend(map);
    Value::Object(ordered)
}
