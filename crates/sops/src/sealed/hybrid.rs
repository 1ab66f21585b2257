//! One value: two bytes of length, the session key encrypted with RSA, the content encrypted with the session key.

use aes_gcm::aead::rand_core::RngCore;
use aes_gcm::aead::{Aead, KeyInit, OsRng};
use aes_gcm::{Aes256Gcm, Nonce};
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A session key is used once, so its nonce may be zero.
const NONCE: [u8; 12] = [0; 12];

pub(super) fn seal(key: &RsaPublicKey, clear: &[u8], label: &str) -> Option<Vec<u8>> {
    let mut session = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(&mut *session);
    let padding = Oaep::new_with_label::<Sha256, _>(label);
    let wrapped = key.encrypt(&mut OsRng, padding, &*session).ok()?;
    let cipher = Aes256Gcm::new((&*session).into());
    let content = cipher.encrypt(Nonce::from_slice(&NONCE), clear).ok()?;
    let length = u16::try_from(wrapped.len()).ok()?;
    Some([&length.to_be_bytes() as &[u8], &wrapped, &content].concat())
}

/// A sealed value, cut into its parts.
pub(super) struct Parts<'b> {
    pub wrapped: &'b [u8],
    content: &'b [u8],
}

/// How a key fits a value.
pub(super) enum Fit {
    Opened(Zeroizing<Vec<u8>>),
    /// The key or the label is another.
    NotThis,
    /// The key fits and the content was changed.
    Tampered,
}

impl<'b> Parts<'b> {
    pub(super) fn of(bytes: &'b [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_at_checked(2)?;
        let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
        let (wrapped, content) = rest.split_at_checked(length)?;
        (!wrapped.is_empty() && content.len() >= 16).then_some(Parts { wrapped, content })
    }

    pub(super) fn open(&self, key: &RsaPrivateKey, label: &str) -> Fit {
        let padding = Oaep::new_with_label::<Sha256, _>(label);
        let Ok(session) = key.decrypt_blinded(&mut OsRng, padding, self.wrapped) else {
            return Fit::NotThis;
        };
        let session = Zeroizing::new(session);
        let Ok(cipher) = Aes256Gcm::new_from_slice(&session) else {
            return Fit::Tampered;
        };
        match cipher.decrypt(Nonce::from_slice(&NONCE), self.content) {
            Ok(clear) => Fit::Opened(Zeroizing::new(clear)),
            Err(_) => Fit::Tampered,
        }
    }
}
