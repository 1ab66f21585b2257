//! SealedSecrets of Bitnami: sealed with the certificate of a controller, unsealed with its backed-up keys.
//!
//! Each value is encrypted by itself: AES-256-GCM with a key of its own, which is encrypted with the controller's RSA key (OAEP,
//! SHA-256). Name and namespace, as far as the scope binds the Secret to them, are the label of the RSA encryption. The source is
//! `pkg/crypto` and `pkg/apis/sealedsecrets/v1alpha1` of [sealed-secrets](https://github.com/bitnami-labs/sealed-secrets) v0.40.
//!
//! ```no_run
//! use sops::sealed::{Certificate, SealingKeys};
//!
//! let certificate = Certificate::read(&std::fs::read("pub-cert.pem")?)?;
//! let secret = serde_json::json!({
//!     "apiVersion": "v1", "kind": "Secret",
//!     "metadata": {"name": "login", "namespace": "shop"},
//!     "stringData": {"password": "…"},
//! });
//! let sealed = certificate.seal(&secret, None)?;
//!
//! let mut keys = SealingKeys::new();
//! keys.add(&std::fs::read("sealed-secrets-keys.yaml")?)?;
//! let unsealed = keys.unseal(&sealed)?;
//! assert_eq!(unsealed.data[0].0, "password");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod hybrid;
mod keys;
mod object;

use std::fmt;

use serde_json::Value;

pub use keys::{Certificate, SealingKeys};
pub use object::Unsealed;

/// To what a SealedSecret is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// To its namespace and its name.
    #[default]
    Strict,
    /// To its namespace.
    NamespaceWide,
    /// To nothing.
    ClusterWide,
}

const NAMESPACE_WIDE: &str = "sealedsecrets.bitnami.com/namespace-wide";
const CLUSTER_WIDE: &str = "sealedsecrets.bitnami.com/cluster-wide";

impl Scope {
    /// The scope that the annotations of an object give it.
    pub fn of(object: &Value) -> Scope {
        let annotations = &object["metadata"]["annotations"];
        match () {
            () if annotations[CLUSTER_WIDE] == "true" => Scope::ClusterWide,
            () if annotations[NAMESPACE_WIDE] == "true" => Scope::NamespaceWide,
            () => Scope::Strict,
        }
    }

    /// The annotation that says so.
    fn annotation(self) -> Option<&'static str> {
        match self {
            Scope::Strict => None,
            Scope::NamespaceWide => Some(NAMESPACE_WIDE),
            Scope::ClusterWide => Some(CLUSTER_WIDE),
        }
    }

    fn label(self, namespace: &str, name: &str) -> String {
        match self {
            Scope::Strict => format!("{namespace}/{name}"),
            Scope::NamespaceWide => namespace.to_owned(),
            Scope::ClusterWide => String::new(),
        }
    }
}

/// Why something could not be sealed or unsealed. No message quotes a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// A certificate or a key file cannot be used.
    #[error("{0}")]
    Key(String),
    /// The object is not a Secret, or not a SealedSecret, that can be handled.
    #[error("{field}: {message}")]
    Object {
        /// The field.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// Values that no key opens: all of them.
    #[error("{}", Listed(.0))]
    Values(Vec<SealedValueError>),
}

/// A value that no key opens.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedValueError {
    /// Its key in `spec.encryptedData`.
    pub key: String,
    /// Why.
    pub kind: SealedValueErrorKind,
}

/// Why a value does not open.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SealedValueErrorKind {
    /// Not base64, or cut.
    Form,
    /// No key at hand fits, or the value is for another name, namespace or scope: the format does not tell which. It tells the size of
    /// the key.
    NoKey {
        /// Bits of the RSA key that it was sealed with.
        bits: usize,
        /// Fingerprints of the keys of this size that were tried.
        tried: Vec<String>,
    },
    /// A key and its label fit, and the value was changed.
    Tampered,
}

impl fmt::Display for SealedValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spec.encryptedData.{}: ", crate::tree::shown(&self.key))?;
        match &self.kind {
            SealedValueErrorKind::Form => f.write_str("not base64, or cut"),
            SealedValueErrorKind::Tampered => f.write_str("does not authenticate: it was changed"),
            SealedValueErrorKind::NoKey { bits, tried } => {
                write!(
                    f,
                    "no key opens it: it takes the RSA key of {bits} bits that it was sealed with, and the name, namespace and scope that it was sealed for"
                )?;
                match tried.as_slice() {
                    [] => write!(f, "; there is no key of this size"),
                    tried => write!(f, "; tried {}", tried.join(", ")),
                }
            }
        }
    }
}

struct Listed<'e>(&'e [SealedValueError]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let gap = if at > 0 { "\n" } else { "" };
            write!(f, "{gap}{error}")?;
        }
        Ok(())
    }
}

fn wrong(field: impl Into<String>, message: impl Into<String>) -> SealedError {
    SealedError::Object {
        field: field.into(),
        message: message.into(),
    }
}
