//! One value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::rand_core::RngCore;
use aes_gcm::aead::{AeadInPlace, KeyInit, OsRng};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use crate::error::ValueErrorKind;
use crate::numbers;
use crate::text::Text;
use crate::time::Timestamp;
use crate::tree::Value;

/// SOPS takes nonces of 32 bytes.
type Cipher = AesGcm<Aes256, U32>;

/// The key that encrypts the values of one document.
#[derive(Clone)]
pub(crate) struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub(crate) fn generate() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *key);
        DataKey(key)
    }

    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(DataKey(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a value is in clear: a scalar, or a comment that was encrypted.
#[derive(Clone, PartialEq)]
pub(crate) enum Clear {
    Value(Value),
    Comment(Text),
}

impl Clear {
    /// The type and the bytes that are encrypted; for values also what the MAC is made of.
    pub(crate) fn bytes(&self) -> Option<(&'static str, Zeroizing<Vec<u8>>)> {
        let (kind, bytes) = match self {
            Clear::Comment(text) => ("comment", text.as_bytes().to_vec()),
            Clear::Value(value) => match value {
                Value::Text(text) => ("str", text.as_bytes().to_vec()),
                Value::Bool(true) => ("bool", b"True".to_vec()),
                Value::Bool(false) => ("bool", b"False".to_vec()),
                Value::Int(number) => ("int", number.to_string().into_bytes()),
                Value::Float(number) => ("float", numbers::plain(*number).into_bytes()),
                Value::Time(time) => ("time", time.to_string().into_bytes()),
                Value::Null | Value::List(_) | Value::Map(_) => return None,
            },
        };
        Some((kind, Zeroizing::new(bytes)))
    }
}

/// Encrypts; what is empty stays empty, and what is no scalar is not for this function.
pub(crate) fn encrypt(clear: &Clear, key: &DataKey, aad: &[u8]) -> String {
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    let Some((kind, mut bytes)) = clear.bytes().filter(|(_, bytes)| !bytes.is_empty()) else {
        return String::new();
    };
    let cipher = Cipher::new(key.bytes().into());
    let tag = cipher
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), aad, &mut bytes)
        .expect("because AES-GCM takes 64 GiB");
    format!(
        "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{kind}]",
        STANDARD.encode(&*bytes),
        STANDARD.encode(nonce),
        STANDARD.encode(tag)
    )
}

/// Decrypts a value that was encrypted under these keys.
pub(crate) fn decrypt(sealed: &str, key: &DataKey, aad: &[u8]) -> Result<Clear, ValueErrorKind> {
    if sealed.is_empty() {
        return Ok(Clear::Value(Value::Text(Text::default())));
    }
    let parts = Parts::of(sealed).ok_or(ValueErrorKind::Form)?;
    let bytes = parts.open(key, aad).ok_or(ValueErrorKind::Tampered)?;
    parts.typed(bytes).ok_or(ValueErrorKind::Type)
}

/// Whether a value decrypts under other keys than those it stands under.
pub(crate) fn opens_with(sealed: &str, key: &DataKey, aad: &[u8]) -> bool {
    Parts::of(sealed).is_some_and(|parts| parts.open(key, aad).is_some())
}

/// Whether a text looks like an encrypted value.
pub(crate) fn is_sealed(text: &[u8]) -> bool {
    text.starts_with(b"ENC[AES256_GCM,")
}

struct Parts<'t> {
    data: Vec<u8>,
    nonce: [u8; 32],
    tag: [u8; 16],
    kind: &'t str,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let rest = text.strip_prefix("ENC[AES256_GCM,data:")?.strip_suffix(']')?;
        let (data, rest) = rest.split_once(",iv:")?;
        let (nonce, rest) = rest.split_once(",tag:")?;
        let (tag, kind) = rest.split_once(",type:")?;
        Some(Parts {
            data: STANDARD.decode(data).ok().filter(|data| !data.is_empty())?,
            nonce: STANDARD.decode(nonce).ok()?.try_into().ok()?,
            tag: STANDARD.decode(tag).ok()?.try_into().ok()?,
            kind,
        })
    }

    fn open(&self, key: &DataKey, aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(self.data.clone());
        let cipher = Cipher::new(key.bytes().into());
        let opened = cipher.decrypt_in_place_detached(
            Nonce::from_slice(&self.nonce),
            aad,
            &mut bytes,
            Tag::from_slice(&self.tag),
        );
        opened.ok().map(|()| bytes)
    }

    fn typed(&self, mut bytes: Zeroizing<Vec<u8>>) -> Option<Clear> {
        let text = |bytes: &[u8]| {
            std::str::from_utf8(bytes)
                .ok()
                .map(|text| Zeroizing::new(text.to_owned()))
        };
        Some(Clear::Value(match self.kind {
            "str" | "bytes" => Value::Text(std::mem::take(&mut *bytes).into()),
            "comment" => return Some(Clear::Comment(std::mem::take(&mut *bytes).into())),
            "int" => Value::Int(text(&bytes)?.parse().ok()?),
            "float" => Value::Float(numbers::float(&text(&bytes)?)?),
            "bool" => match &*bytes as &[u8] {
                b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Value::Bool(true),
                b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Value::Bool(false),
                _ => return None,
            },
            "time" => {
                let text = text(&bytes)?;
                bytes.zeroize();
                Value::Time(Timestamp::rfc3339(&text)?)
            }
            _ => return None,
        }))
    }
}
