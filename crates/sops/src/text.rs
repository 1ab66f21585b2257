//! Bytes that may be secret.

use std::fmt;

use serde_json::Value;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A text (or, in a binary file, any bytes) that may be secret: wiped when it is dropped, and not shown by `Debug`.
///
/// SOPS keeps values as bytes; all but those of binary, dotenv and ini files and of `!!binary` are UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, Default, Zeroize, ZeroizeOnDrop)]
pub struct Text(Vec<u8>);

impl Text {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(text.as_bytes().to_vec())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text.into_bytes())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Text(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Text(bytes)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// Bytes that are written one after the other. Where they move to a larger place, the former is wiped.
#[derive(Default)]
pub(crate) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    pub(crate) fn put(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity()).max(256)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn done(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Wipes the texts of a manifest that held a key: they are empty then, and what was in them is no longer in memory.
///
/// ```
/// let mut secret = serde_json::json!({"data": {"age.agekey": "AGE-SECRET-KEY-1…"}, "list": ["AGE-SECRET-KEY-1…"]});
/// sops::wipe(&mut secret);
/// assert_eq!(secret, serde_json::json!({"data": {"age.agekey": ""}, "list": [""]}));
/// ```
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}
