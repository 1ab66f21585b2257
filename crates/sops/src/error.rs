//! What can be wrong. No message ever quotes a value.

use std::fmt;

use crate::format::Format;
use crate::needs::Needs;
use crate::tree::Path;

/// Why a document could not be read, decrypted or encrypted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not of its format.
    #[error("line {line}: not {format}: {message}")]
    Syntax {
        /// The format that was expected.
        format: Format,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// There is no SOPS metadata: the file is not encrypted, or was cut.
    #[error("not a SOPS file: it has no metadata (`sops`)")]
    NotEncrypted,
    /// There is SOPS metadata already, so the file is not to be encrypted again.
    #[error("encrypted already: it has an entry `sops`, which is where SOPS keeps its metadata")]
    Encrypted,
    /// The metadata cannot be used.
    #[error("SOPS metadata: {field}: {message}")]
    Metadata {
        /// The field, such as `lastmodified` or `age[1].enc`.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// None of the identities fits.
    #[error("no key fits: {0}")]
    NoKey(Box<Needs>),
    /// A recipient's copy of the data key, or its part of it, does not decrypt although the identity fits.
    #[error("the data key for {recipient} is damaged: {message}")]
    DataKey {
        /// Whom it is encrypted for.
        recipient: String,
        /// What is wrong with it.
        message: String,
    },
    /// Values that do not decrypt: all of them.
    #[error("{}", ValueErrors(.0))]
    Values(Vec<ValueError>),
    /// There is no MAC, or it does not decrypt with the data key and `lastmodified`.
    #[error("the MAC does not decrypt: it or `lastmodified` was changed by hand")]
    MacDamaged,
    /// Values decrypt, but they are not those, or not in the order, that were encrypted.
    #[error(
        "the MAC does not fit: values that are not encrypted were changed, or values were moved, added or removed by hand"
    )]
    MacMismatch,
    /// A pattern of `.sops.yaml` or of the metadata is none.
    #[error("{field}: not a regular expression: {message}")]
    Pattern {
        /// The field that has it.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// A configuration (`.sops.yaml`), a ksops generator or a key file cannot be used.
    #[error("{field}: {message}")]
    Config {
        /// The field, such as `creation_rules[0].age`.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// A tree that this format cannot hold.
    #[error("{path}: cannot be written as {format}: {message}")]
    Unwritable {
        /// The format.
        format: Format,
        /// Which value.
        path: Path,
        /// Why not.
        message: String,
    },
    /// A recipient that this crate cannot encrypt for: `sops` itself can.
    #[error("cannot encrypt for {0} in process: sops itself can")]
    NotInProcess(String),
}

/// A value that does not decrypt.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueError {
    /// Which.
    pub path: Path,
    /// Why.
    pub kind: ValueErrorKind,
}

/// Why a value does not decrypt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// It is in clear where the rules of the file want it encrypted.
    InClear,
    /// It is not of the form `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, or not base64.
    Form,
    /// It was encrypted for another key of this file, and copied or moved here.
    Moved {
        /// The keys under which it decrypts, as they are joined for authentication.
        from: String,
    },
    /// It does not authenticate: it was changed, its key was renamed, or it comes from another file.
    Tampered,
    /// It decrypts, and is not of the type that stands with it.
    Type,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.kind {
            ValueErrorKind::InClear => write!(f, "{path}: in clear, where the file's rules want it encrypted"),
            ValueErrorKind::Form => write!(f, "{path}: not an encrypted value of SOPS"),
            ValueErrorKind::Moved { from } => write!(f, "{path}: moved here by hand: it was encrypted as {from}"),
            ValueErrorKind::Tampered => write!(
                f,
                "{path}: does not authenticate: it was changed, its key was renamed, or it comes from another file"
            ),
            ValueErrorKind::Type => write!(f, "{path}: decrypts to something that is not of its type"),
        }
    }
}

struct ValueErrors<'e>(&'e [ValueError]);

impl fmt::Display for ValueErrors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

pub(crate) fn metadata(field: impl Into<String>, message: impl Into<String>) -> Error {
    Error::Metadata {
        field: field.into(),
        message: message.into(),
    }
}

pub(crate) fn config(field: impl Into<String>, message: impl Into<String>) -> Error {
    Error::Config {
        field: field.into(),
        message: message.into(),
    }
}
