//! SOPS: files and values that are encrypted in the repository, opened in memory before anything is made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kustomize::{ContentId, Files, Kind, ReadError};
use serde_json::Value;
use sops::{Encrypted, Error, Format, Identities, Layout};
use zeroize::Zeroizing;

use super::inputs::Texts;
use crate::object::{Place, Problem};
use crate::process::{BASIC_ENVIRONMENT, Tool, which};

/// Longest that `sops` may take for a file: it may ask a service far away.
const LONGEST: Duration = Duration::from_secs(60);
/// What every encrypted value begins with.
const VALUE: &[u8] = b"ENC[AES256_GCM,";
/// What helps where a key is missing.
const HINT: &str = "give the key with --decryption-key FILE, or in SOPS_AGE_KEY_FILE";
/// The environment that `sops` finds its keys and services by, beside what every program needs.
const SOPS_ENVIRONMENT: [&str; 14] = [
    "SOPS_AGE_KEY_FILE",
    "GNUPGHOME",
    "GPG_AGENT_INFO",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_CONFIG_DIR",
    "AZURE_FEDERATED_TOKEN_FILE",
    "VAULT_ADDR",
    "VAULT_CACERT",
];

/// The private keys at hand. `Debug` shows their public halves.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    identities: Arc<Identities>,
    /// `sops`, for keys that only it can use; `None`: the one on PATH.
    program: Option<PathBuf>,
}

impl Keys {
    /// These, and `sops` for others.
    pub fn new(identities: Identities, program: Option<PathBuf>) -> Self {
        Self {
            identities: Arc::new(identities),
            program,
        }
    }

    /// With those of a Secret that Flux decrypts with: its keys that end in `.agekey`.
    ///
    /// # Errors
    /// Says what is wrong with one, without quoting it.
    pub(super) fn with(&self, secret: &Texts) -> Result<Self, String> {
        let mut identities = Identities::clone(&self.identities);
        for (name, text) in secret.0.iter().filter(|(name, _)| name.ends_with(".agekey")) {
            let text = std::str::from_utf8(text).map_err(|_| format!("{name}: not text"))?;
            identities.add_age(text).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(Self::new(identities, self.program.clone()))
    }

    /// A file in clear.
    ///
    /// # Errors
    /// Says why it does not open; nothing of it is quoted.
    pub(super) fn open(&self, path: &str, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        let format = format_of(path, text);
        let encrypted = Encrypted::read(format, text).map_err(|error| error.to_string())?;
        let plain = encrypted
            .decrypt(&self.identities)
            .and_then(|decrypted| decrypted.plain(&Layout::default()));
        match plain {
            Ok(plain) => Ok(plain),
            Err(Error::NoKey(needs)) if needs.beyond_process().next().is_some() => self
                .by_program(text, format)
                .map_err(|why| format!("no key fits: {needs}; {why}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// An encrypted file with other values: those that stay keep their bytes.
    ///
    /// # Errors
    /// Says why it does not open, or what `change` says; nothing of it is quoted.
    pub fn edit(
        &self,
        path: &str,
        text: &[u8],
        change: impl FnOnce(&mut sops::Tree) -> Result<(), String>,
    ) -> Result<Vec<u8>, String> {
        let encrypted = Encrypted::read(format_of(path, text), text).map_err(|error| error.to_string())?;
        let decrypted = encrypted.decrypt(&self.identities).map_err(|error| error.to_string())?;
        let mut tree = decrypted.tree().clone();
        change(&mut tree)?;
        let edited = decrypted.edit(tree, SystemTime::now(), &Layout::default());
        edited.map_err(|error| error.to_string())
    }

    /// With `sops` itself. It prints what is in clear, and nothing else of it.
    fn by_program(&self, text: &[u8], format: Format) -> Result<Zeroizing<Vec<u8>>, String> {
        let Some(program) = self.program.clone().or_else(|| which("sops")) else {
            return Err("sops, which could use them, was not found".to_owned());
        };
        let name = format.to_string().to_lowercase();
        let output = Tool::new(program)
            .args(["decrypt", "--input-type", &name, "--output-type", &name, "/dev/stdin"])
            .input(text)
            .inherit(BASIC_ENVIRONMENT)
            .inherit(SOPS_ENVIRONMENT)
            .timeout(LONGEST)
            .run()
            .map_err(|error| error.to_string())?;
        match output.code {
            Some(0) => Ok(Zeroizing::new(output.stdout)),
            _ => {
                let said = String::from_utf8_lossy(&output.stderr);
                let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
                Err(format!("sops said: {}", lines.take(4).collect::<Vec<_>>().join(" ")))
            }
        }
    }

    /// Opens the values of a Secret that are encrypted files themselves, as Flux does after a build: generators put files in whole.
    ///
    /// # Errors
    /// Says which does not open, and why.
    pub(super) fn open_values(&self, secret: &mut Value) -> Result<(), String> {
        let values = secret.get_mut("data").and_then(Value::as_object_mut);
        for (key, value) in values.into_iter().flatten() {
            let Some(bytes) = value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok()) else {
                continue;
            };
            if is_encrypted(&bytes) {
                let plain = self.open(key, &bytes).map_err(|why| format!("data.{key}: {why}"))?;
                *value = BASE64_STANDARD.encode(&*plain).into();
            }
        }
        Ok(())
    }
}

/// Whether a file, or a value, is one that SOPS encrypted.
pub fn is_encrypted(text: &[u8]) -> bool {
    let has = |what: &[u8]| text.windows(what.len()).any(|window| window == what);
    has(VALUE) && (has(b"sops_mac=") || has(b"[sops]") || has(b"mac: ENC[") || has(b"\"mac\""))
}

/// The format of an encrypted file: by its name, else by what it holds.
fn format_of(path: &str, text: &[u8]) -> Format {
    let has = |what: &[u8]| text.windows(what.len()).any(|window| window == what);
    match Format::of_path(path) {
        Format::Binary if has(b"sops_mac=") => Format::Dotenv,
        Format::Binary if has(b"[sops]") => Format::Ini,
        Format::Binary if has(b"mac: ENC[") => Format::Yaml,
        format => format,
    }
}

/// What helps with a problem, if a key is missing.
pub(super) fn hint(message: &str) -> Option<&'static str> {
    message.contains("no key fits").then_some(HINT)
}

/// That a file does not open.
pub(super) fn unopened(file: &str, why: &str) -> Problem {
    let problem = Problem::error(Place::file(file), format!("nothing of this file is restored: {why}"));
    match hint(why) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// A file in clear, or why it does not open.
type Opened = Result<Arc<[u8]>, String>;

/// Files, of which those that are encrypted are read in clear.
pub(super) struct Decrypting<'f> {
    files: &'f dyn Files,
    keys: Keys,
    /// Of each path that was read: what it holds in clear, if it is encrypted.
    opened: Mutex<BTreeMap<String, Option<Opened>>>,
}

impl<'f> Decrypting<'f> {
    /// Opened with these keys.
    pub fn new(files: &'f dyn Files, keys: Keys) -> Self {
        Self {
            files,
            keys,
            opened: Mutex::default(),
        }
    }

    fn opened(&self, path: &str, text: &[u8]) -> Option<Opened> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || self.keys.open(path, text).map(|plain| Arc::from(&**plain));
        let entry = opened.entry(path.to_owned());
        entry.or_insert_with(|| is_encrypted(text).then(open)).clone()
    }
}

impl Files for Decrypting<'_> {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        let text = self.files.read(path)?;
        match self.opened(path, &text) {
            None => Ok(text),
            Some(plain) => plain.map_err(ReadError::Failed),
        }
    }

    /// As Flux, which opens what Secrets are generated from and patches, and no file for a ConfigMap.
    /// Source: kustomize-controller (internal/decryptor/decryptor.go: decryptKustomizationSources).
    fn read_shut(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        self.files.read(path)
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError> {
        self.files.kind(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        self.files.list(path)
    }

    fn find(&self, path: &str) -> Result<Option<(Kind, String)>, ReadError> {
        self.files.find(path)
    }

    /// That of the tree is that of what is encrypted.
    fn id(&self, path: &str) -> Option<ContentId> {
        let text = self.files.read(path).ok()?;
        match self.opened(path, &text) {
            None => self.files.id(path),
            Some(_) => None,
        }
    }

    fn label(&self, path: &str) -> Option<String> {
        self.files.label(path)
    }
}
