//! SOPS documents and SealedSecrets, decrypted and encrypted in process.
//!
//! It does what SOPS 3.13 does to a file: YAML (several documents and comments too), JSON, dotenv, INI and binary files, encrypted for keys of
//! [age](https://age-encryption.org) (X25519 and SSH). It knows no cluster, no Git and no network, starts no process, reads no
//! environment and no clock, and writes nothing to disk: bytes come in, bytes go out.
//!
//! ```
//! use std::time::SystemTime;
//! use sops::{Config, Encrypted, Format, Identities, Layout, Value};
//! # let (public, private) = {
//! #     let key = age::x25519::Identity::generate();
//! #     use age::secrecy::ExposeSecret;
//! #     (key.to_public().to_string(), key.to_string().expose_secret().to_owned())
//! # };
//!
//! // What .sops.yaml says of a file.
//! let config = Config::read(format!(
//!     "creation_rules:\n- path_regex: secret\\.yaml$\n  encrypted_regex: ^(data|stringData)$\n  age: {public}\n"
//! ).as_bytes())?;
//! let rule = config.rule_for("apps/secret.yaml")?.expect("there are rules");
//!
//! // A new file.
//! let plain = b"kind: Secret\nstringData:\n    user: admin\n    password: hunter2\n";
//! let tree = Format::Yaml.read(plain)?;
//! let file = sops::encrypt(Format::Yaml, tree, &rule, SystemTime::now(), &Layout::default())?;
//! assert!(file.starts_with(b"kind: Secret\nstringData:\n    user: ENC[AES256_GCM,data:"));
//!
//! // Reading it.
//! let mut identities = Identities::new();
//! identities.add_age(&private)?;
//! let encrypted = Encrypted::read(Format::Yaml, &file)?;
//! assert!(encrypted.needs(&identities).met());
//! let decrypted = encrypted.decrypt(&identities)?;
//! assert_eq!(&**decrypted.plain(&Layout::default())?, plain);
//!
//! // Changing one value: the others stay as they are, byte for byte.
//! let mut tree = decrypted.tree().clone();
//! if let Some(Value::Map(data)) = tree.documents[0].get_mut("stringData") {
//!     data.set("password", "correct horse".into());
//! }
//! let edited = decrypted.edit(tree, SystemTime::now(), &Layout::default())?;
//! let line = |file: &[u8], number| String::from_utf8_lossy(file).lines().nth(number).map(str::to_owned);
//! assert_eq!(line(&edited, 2), line(&file, 2));
//! assert_ne!(line(&edited, 3), line(&file, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Keys of others
//!
//! [`Encrypted::needs`] names whose keys a file takes (age, SSH, PGP, KMS and Vault) and which of them are at hand. A file that no age or SSH key
//! opens can be decrypted by `sops` itself; its output can be read with [`Format::read`]. To change one, let `sops updatekeys` encrypt a copy of it
//! for a key of [`Identities::generate`], and open it with [`Encrypted::decrypt_with`]: it keeps its own recipients.
//!
//! # Errors
//!
//! An [`Error`] tells a missing key from a damaged one, a value that was changed from one that was moved, and a wrong MAC from a damaged
//! one. It names values by their [`Path`]. No message, no `Debug` and no `Display` of this crate shows a value or a key; what holds
//! them is wiped when it is dropped: [`Text`], data keys, what is written and what is encrypted or decrypted in between. What the `age` and
//! `rsa` crates hold they wipe themselves. Not wiped are the caller's bytes, numbers and booleans, and what the parsers of YAML and JSON
//! hold of a file in clear while they read it.
//!
//! # SealedSecrets and ksops
//!
//! [`sealed`] seals and unseals SealedSecrets; [`Ksops`] reads generator files of ksops.
//!
//! RSA keys are used to decrypt for SSH recipients and SealedSecrets, with the `rsa` crate: RUSTSEC-2023-0071 says that the time which
//! that takes tells of the key to one who can measure it over many requests. This crate blinds, and serves no requests; do not put it
//! behind a service that decrypts for strangers.
#![doc = ""]
#![doc = include_str!("differences.md")]

mod cipher;
mod config;
mod document;
mod error;
mod format;
mod identity;
mod ksops;
mod metadata;
mod needs;
mod numbers;
mod pattern;
mod rules;
pub mod sealed;
mod shamir;
mod store;
mod text;
mod time;
mod tree;
mod walk;

pub use config::{Config, Rule};
pub use document::{Decrypted, Encrypted, encrypt};
pub use error::{Error, ValueError, ValueErrorKind};
pub use format::{Format, Layout};
pub use identity::Identities;
pub use ksops::{Ksops, KsopsSecret};
pub use needs::{Needs, NeedsGroup, Recipient, RecipientKind};
pub use rules::Selection;
pub use text::{Text, wipe};
pub use time::Timestamp;
pub use tree::{Comment, Entry, Item, Map, Path, Step, Tree, Value};
