//! The keys of a controller: the certificate to seal with, and what its backup holds to unseal with.

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use x509_cert::Certificate as X509;
use x509_cert::der::{DecodePem, Encode};
use zeroize::Zeroizing;

use super::SealedError;
use crate::text::wipe;

/// Longer than any key or certificate in PEM.
const MAX_PEM: usize = 1 << 20;

/// The certificate of a controller (`kubeseal --fetch-cert`), to seal with.
#[derive(Clone)]
pub struct Certificate {
    pub(super) key: RsaPublicKey,
    until: SystemTime,
}

impl Certificate {
    /// Reads a certificate in PEM.
    ///
    /// # Errors
    ///
    /// [`SealedError::Key`].
    pub fn read(pem: &[u8]) -> Result<Self, SealedError> {
        let wrong = |message: &str| SealedError::Key(format!("sealing certificate: {message}"));
        if pem.len() > MAX_PEM {
            return Err(wrong("larger than any certificate"));
        }
        let start = find(pem, b"-----BEGIN CERTIFICATE-----").ok_or_else(|| wrong("not a certificate in PEM"))?;
        let end_mark = b"-----END CERTIFICATE-----";
        let length = find(&pem[start..], end_mark).ok_or_else(|| wrong("it is cut"))?;
        let first = &pem[start..start + length + end_mark.len()];
        let certificate = X509::from_pem(first).map_err(|_| wrong("not a certificate in PEM"))?;
        let spki = certificate.tbs_certificate.subject_public_key_info.to_der();
        let spki = spki.map_err(|_| wrong("its public key cannot be read"))?;
        let key = rsa::pkcs8::DecodePublicKey::from_public_key_der(&spki);
        let key: RsaPublicKey = key.map_err(|_| wrong("its public key is not one of RSA"))?;
        if key.size() < 128 {
            return Err(wrong("its RSA key is too short to seal with"));
        }
        Ok(Certificate {
            key,
            until: certificate.tbs_certificate.validity.not_after.to_system_time(),
        })
    }

    /// The fingerprint of its key, as OpenSSH writes it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.key)
    }

    /// Until when it is valid. kubeseal does not seal with one that is out of date; the controller still unseals what was.
    pub fn valid_until(&self) -> SystemTime {
        self.until
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint()).finish()
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}

/// What `ssh-keygen -l` shows of an RSA key.
fn fingerprint(key: &RsaPublicKey) -> String {
    let mut wire = Vec::new();
    let mut field = |bytes: &[u8]| {
        wire.extend((bytes.len() as u32).to_be_bytes());
        wire.extend(bytes);
    };
    field(b"ssh-rsa");
    for number in [key.e(), key.n()] {
        let mut bytes = number.to_bytes_be();
        // Numbers have a sign there.
        if bytes.first().is_some_and(|byte| *byte >= 0x80) {
            bytes.insert(0, 0);
        }
        field(&bytes);
    }
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&wire)))
}

/// Private keys of controllers, newest first. `Debug` shows their fingerprints.
#[derive(Default)]
pub struct SealingKeys(pub(super) Vec<SealingKey>);

pub(super) struct SealingKey {
    pub key: RsaPrivateKey,
    pub fingerprint: String,
    /// `creationTimestamp` of its Secret; RFC 3339 in UTC, so that it sorts as text.
    created: String,
}

impl SealingKeys {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds keys: a private key in PEM (PKCS #1 or #8), or the backup of a controller, which is a Secret of type `kubernetes.io/tls`, a
    /// List of them, or a stream of them, in YAML or JSON. Secrets without `tls.key` are passed over.
    ///
    /// # Errors
    ///
    /// [`SealedError::Key`]: there is no key in it, or one that cannot be read. Nothing is added then.
    pub fn add(&mut self, file: &[u8]) -> Result<(), SealedError> {
        let wrong = |message: &str| SealedError::Key(format!("sealing keys: {message}"));
        let mut found = Vec::new();
        if find(&file[..file.len().min(4096)], b"-----BEGIN")
            .is_some_and(|at| file[..at].iter().all(u8::is_ascii_whitespace))
        {
            found.push(key_of_pem(file, "")?);
        } else {
            for document in kube_yaml::parse(file) {
                let at = |error: kube_yaml::DocumentError| wrong(&format!("line {}: {}", error.line, error.message));
                let mut value = document.value.map_err(at)?;
                let objects = match &value["items"] {
                    Value::Array(items) => items.iter().collect(),
                    _ => vec![&value],
                };
                let keys: Result<Vec<_>, _> = objects.into_iter().map(key_of_secret).collect();
                wipe(&mut value);
                found.extend(keys?.into_iter().flatten());
            }
        }
        if found.is_empty() {
            return Err(wrong(
                "no private key is in it: neither PEM nor a Secret with `tls.key`",
            ));
        }
        self.0.extend(found);
        self.0.sort_by(|a, b| b.created.cmp(&a.created));
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fingerprint of each, newest first.
    pub fn fingerprints(&self) -> Vec<String> {
        self.0.iter().map(|key| key.fingerprint.clone()).collect()
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingKeys").field(&self.fingerprints()).finish()
    }
}

fn key_of_pem(pem: &[u8], created: &str) -> Result<SealingKey, SealedError> {
    let wrong = |message: &str| SealedError::Key(format!("sealing keys: {message}"));
    let text = std::str::from_utf8(pem).map_err(|_| wrong("not text"))?;
    if text.len() > MAX_PEM {
        return Err(wrong("larger than any key"));
    }
    let key = ["RSA PRIVATE KEY", "PRIVATE KEY"].into_iter().find_map(|name| {
        let (begin, end) = (format!("-----BEGIN {name}-----"), format!("-----END {name}-----"));
        let start = text.find(&begin)?;
        let length = text[start..].find(&end)? + end.len();
        let block = &text[start..start + length];
        match name.starts_with("RSA") {
            true => RsaPrivateKey::from_pkcs1_pem(block).ok(),
            false => RsaPrivateKey::from_pkcs8_pem(block).ok(),
        }
    });
    let key = key.ok_or_else(|| wrong("not a private key of RSA in PEM"))?;
    Ok(SealingKey {
        fingerprint: fingerprint(&key.to_public_key()),
        key,
        created: created.to_owned(),
    })
}

fn key_of_secret(object: &Value) -> Result<Option<SealingKey>, SealedError> {
    if object["kind"] != "Secret" {
        return Ok(None);
    }
    let name = object["metadata"]["name"].as_str().unwrap_or("without a name");
    let created = object["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
    let at = |error: SealedError| SealedError::Key(format!("Secret {}: {error}", crate::tree::shown(name)));
    if let Some(pem) = object["stringData"]["tls.key"].as_str() {
        return key_of_pem(pem.as_bytes(), created).map(Some).map_err(at);
    }
    let Some(encoded) = object["data"]["tls.key"].as_str() else {
        return Ok(None);
    };
    let bare: Zeroizing<String> = Zeroizing::new(encoded.split_whitespace().collect());
    let pem = STANDARD.decode(bare.as_bytes());
    let pem = Zeroizing::new(pem.map_err(|_| at(SealedError::Key("`tls.key` is not base64".to_owned())))?);
    key_of_pem(&pem, created).map(Some).map_err(at)
}
