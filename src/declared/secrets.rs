//! SOPS: files and values that are encrypted in the repository, opened in memory before anything is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kustomize::{ContentId, Files, Kind, ReadError};
use serde_json::Value;
use sops::{Config, Encrypted, Error, Format, Identities, Layout, Needs};
use zeroize::Zeroizing;

use super::decryption::{AGE, SignsIn};
use super::inputs::Texts;
use super::sops_program::Program;
use crate::object::{Place, Problem};

/// What every encrypted value begins with.
const VALUE: &[u8] = b"ENC[AES256_GCM,";
/// What helps where a key of age is missing.
const GIVE: &str = "give the key with --decryption-key FILE, or in SOPS_AGE_KEY_FILE";
/// What helps with keys that only `sops` uses, by what their names begin with.
const ELSEWHERE: [(&str, &str); 6] = [
    ("PGP ", "import the private key into gpg (`gpg --import FILE`)"),
    (
        "AWS KMS ",
        "sign in to AWS (AWS_PROFILE, or AWS_ACCESS_KEY_ID and what goes with it) as one who may decrypt with this key",
    ),
    (
        "GCP KMS ",
        "sign in to Google Cloud (GOOGLE_APPLICATION_CREDENTIALS) as one who may decrypt with this key",
    ),
    (
        "Huawei KMS ",
        "sign in to Huawei Cloud (HUAWEICLOUD_SDK_AK and what goes with it) as one who may decrypt with this key",
    ),
    (
        "Azure Key Vault ",
        "sign in to Azure (`az login`, or AZURE_CLIENT_ID and what goes with it) as one who may decrypt with this key",
    ),
    (
        "Vault http",
        "sign in to Vault (`vault login`, or VAULT_TOKEN) as one who may decrypt with this key",
    ),
];
/// The private keys at hand. `Debug` shows their public halves.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    identities: Arc<Identities>,
    /// `sops`, for keys that only it can use; `None`: the one on PATH.
    program: Option<PathBuf>,
    /// What it signs in with, beside what is in the environment.
    signs_in: Arc<SignsIn>,
}

impl Keys {
    /// These, and `sops` for others.
    pub fn new(identities: Identities, program: Option<PathBuf>) -> Self {
        Self {
            identities: Arc::new(identities),
            program,
            signs_in: Arc::default(),
        }
    }

    /// With those of the manifest of a Secret that Flux decrypts with.
    ///
    /// # Errors
    /// Says what is wrong with one, or that there is none that can be used; nothing of it is quoted.
    pub fn with_secret(&self, secret: &Value) -> Result<Self, String> {
        let texts = Texts::of(secret)?;
        let mut signs_in = SignsIn::default();
        signs_in.take(&texts);
        let has_age = texts.0.keys().any(|name| name.ends_with(AGE));
        match has_age || !signs_in.variables.is_empty() {
            true => self.with(&texts),
            false if signs_in.unused.is_empty() => {
                Err("it is a manifest without a key that Flux decrypts with".to_owned())
            }
            false => {
                let names: Vec<String> = signs_in.unused.into_iter().collect();
                Err(format!(
                    "of what it holds, {} cannot be used: keys of PGP are to be imported into gpg (`gpg --import FILE`), and with services that hold keys `sops` \
                     signs in as its environment says",
                    names.join(", ")
                ))
            }
        }
    }

    /// With those of a Secret that Flux decrypts with: its keys of age, and what it signs in with at services that hold keys.
    ///
    /// # Errors
    /// Says what is wrong with one, without quoting it.
    pub(super) fn with(&self, secret: &Texts) -> Result<Self, String> {
        let mut identities = Identities::clone(&self.identities);
        for (name, text) in secret.0.iter().filter(|(name, _)| name.ends_with(AGE)) {
            let text = std::str::from_utf8(text).map_err(|_| format!("{name}: not text"))?;
            identities.add_age(text).map_err(|error| format!("{name}: {error}"))?;
        }
        let mut signs_in = SignsIn::clone(&self.signs_in);
        signs_in.take(secret);
        Ok(Self {
            identities: Arc::new(identities),
            program: self.program.clone(),
            signs_in: Arc::new(signs_in),
        })
    }

    /// A file in clear, encrypted or not.
    ///
    /// # Errors
    /// Says why it does not open, and what helps; nothing of it is quoted.
    pub fn in_clear(&self, path: &str, text: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, (String, Option<String>)> {
        match is_encrypted(&text) {
            true => self.open(path, &text).map_err(|why| {
                let help = hint(&why);
                (why, help)
            }),
            false => Ok(text.into()),
        }
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
                .program_for(&needs)
                .and_then(|program| program.decrypt(text, format))
                .map_err(|why| format!("no key fits: {needs}; {why}{}", self.signs_in.told())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// `sops` to open a file that no key here fits, with what it signs in with, and with the keys of age where the file is for such keys.
    fn program_for(&self, needs: &Needs) -> Result<Program, String> {
        let program = Program::find(self.program.as_deref())?.signed_in(self.signs_in.variables.clone());
        Ok(match needs.age() {
            true => program.with_age_keys(self.identities.age_keys()),
            false => program,
        })
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
        let format = format_of(path, text);
        let encrypted = Encrypted::read(format, text).map_err(|error| error.to_string())?;
        let decrypted = match encrypted.decrypt(&self.identities) {
            Err(Error::NoKey(needs)) if needs.beyond_process().next().is_some() => {
                let (shared, own) = self
                    .program_for(&needs)
                    .and_then(|program| program.share(text, format))
                    .map_err(|why| format!("no key fits: {needs}; {why}{}", self.signs_in.told()))?;
                encrypted.decrypt_with(&shared, &own)
            }
            decrypted => decrypted,
        };
        let decrypted = decrypted.map_err(|error| error.to_string())?;
        let mut tree = decrypted.tree().clone();
        change(&mut tree)?;
        let edited = decrypted.edit(tree, SystemTime::now(), &Layout::default());
        edited.map_err(|error| error.to_string())
    }

    /// Whether two encrypted files hold the same, for the same recipients. What does not open is the same as nothing.
    pub fn same(&self, path: &str, one: &[u8], other: &[u8]) -> bool {
        let read = |text: &[u8]| {
            let encrypted = Encrypted::read(format_of(path, text), text).ok()?;
            let groups = encrypted.needs(&self.identities).groups;
            let recipients: Vec<_> = groups.into_iter().map(|group| group.recipients).collect();
            Some((recipients, encrypted.selection().clone(), self.open(path, text).ok()?))
        };
        is_encrypted(one) && is_encrypted(other) && read(one).is_some_and(|one| read(other) == Some(one))
    }

    /// An encrypted file with another content: what is the same in it keeps its bytes.
    ///
    /// # Errors
    /// Those of [`Keys::edit`], and when the content has not the form of the file.
    pub fn replace(&self, path: &str, text: &[u8], plain: &[u8]) -> Result<Vec<u8>, String> {
        let new = format_of(path, text).read(plain);
        let new = new.map_err(|error| format!("what is live has not the form of {path}: {error}"))?;
        self.edit(path, text, |tree| {
            *tree = new;
            Ok(())
        })
    }

    /// A new file of YAML, encrypted as the text of a `.sops.yaml` says: in process, or by `sops` for those that only it can encrypt for.
    /// `path` is that of the file, told from the folder of the `.sops.yaml`.
    ///
    /// # Errors
    /// The rules cannot be read, or have none for the file; `sops` is not there, or what it says. Nothing of the file is quoted.
    pub fn encrypt(&self, rules: &[u8], path: &str, plain: &[u8]) -> Result<Vec<u8>, String> {
        let config = Config::read(rules).map_err(|error| error.to_string())?;
        let rule = config.rule_for(path).map_err(|error| error.to_string())?;
        let rule = rule.ok_or_else(|| format!("it has no rule for {path}"))?;
        if let Some(recipient) = rule.beyond_process().next() {
            let program = Program::find(self.program.as_deref());
            let program = program.map(|program| program.signed_in(self.signs_in.variables.clone()));
            let encrypted = program.and_then(|program| program.encrypt(rules, path, Format::Yaml, plain));
            return encrypted.map_err(|why| format!("it is to be encrypted for {recipient}: {why}"));
        }
        let tree = Format::Yaml.read(plain).map_err(|error| error.to_string())?;
        let encrypted = sops::encrypt(Format::Yaml, tree, &rule, SystemTime::now(), &config.layout);
        encrypted.map_err(|error| error.to_string())
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
pub(super) fn hint(message: &str) -> Option<String> {
    let (_, needs) = message.split_once("no key fits")?;
    let (needs, rest) = needs.split_once("; you have").unwrap_or((needs, ""));
    // A name may stand within another: Azure's is a Key Vault.
    let is_named = |name: &str| {
        let before = ["needs ", " or ", ": ", "; "];
        before.iter().any(|before| needs.contains(&format!("{before}{name}")))
    };
    let named = ELSEWHERE.iter().filter(|(name, _)| is_named(name));
    let mut help: Vec<&str> = named.map(|(_, help)| *help).collect();
    if help.is_empty() || needs.contains("age1") || needs.contains("ssh-") {
        help.insert(0, GIVE);
    }
    let help = help.join(", or ");
    Some(match rest.contains("sops, which could use them, was not found") {
        true => format!("install sops; {help}"),
        false => help,
    })
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
    /// The files that are opened for whoever reads them.
    for_all: LazyLock<BTreeSet<String>, Box<dyn FnOnce() -> BTreeSet<String> + Send + 'f>>,
    /// Of each path that was read: what it holds in clear, if it is encrypted.
    opened: Mutex<BTreeMap<String, Option<Opened>>>,
}

impl<'f> Decrypting<'f> {
    /// Opened with these keys. `for_all` says which files are opened for whoever reads them, and is asked only where that matters.
    pub fn new(files: &'f dyn Files, keys: Keys, for_all: impl FnOnce() -> BTreeSet<String> + Send + 'f) -> Self {
        Self {
            files,
            keys,
            for_all: LazyLock::new(Box::new(for_all)),
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

    /// No file is opened for a ConfigMap, as in Flux, unless something else has it opened.
    /// Source: kustomize-controller (internal/decryptor/decryptor.go: decryptKustomizationSources).
    fn read_shut(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        let text = self.files.read(path)?;
        match is_encrypted(&text) && self.for_all.contains(path) {
            true => self.read(path),
            false => Ok(text),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of SOPS for a key that a service holds, as it stands in its metadata.
    fn told(key: &str) -> String {
        let text = format!(
            "a: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]\nsops:\n    {key}\n    lastmodified: \"2026-01-01T00:00:00Z\"\n    \
             mac: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]\n    version: 3.9.0\n"
        );
        let keys = Keys::new(Identities::new(), Some(PathBuf::from("/nowhere/sops")));
        let opened = keys.open("secret.yaml", text.as_bytes());
        opened.expect_err("because sops is nowhere")
    }

    #[test]
    fn every_kind_of_key_elsewhere_has_its_hint() {
        let made = "created_at: \"2026-01-01T00:00:00Z\", enc: none";
        let keys = [
            format!("pgp: [{{fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21, {made}}}]"),
            format!("kms: [{{arn: 'arn:aws:kms:eu-central-1:111122223333:key/1', aws_profile: \"\", {made}}}]"),
            format!("gcp_kms: [{{resource_id: projects/shop, {made}}}]"),
            format!("hckms: [{{key_id: 'eu:1', {made}}}]"),
            format!("azure_kv: [{{vault_url: 'https://shop.vault.azure.net', name: shop, version: '1', {made}}}]"),
            format!(
                "hc_vault: [{{vault_address: 'https://vault.example.com', engine_path: transit, key_name: shop, {made}}}]"
            ),
        ];
        assert_eq!(keys.len(), ELSEWHERE.len(), "a row for each, and a file for each row");
        for ((name, help), key) in ELSEWHERE.iter().zip(&keys) {
            let why = told(key);
            assert!(why.contains(&format!("it needs {name}")), "{key}: {why}");
            assert_eq!(hint(&why).as_deref(), Some(*help), "{key}");
        }
        let both =
            "no key fits: it needs age1abc or PGP 85D7; you have none; sops, which could use them, was not found";
        assert_eq!(hint(both), Some(format!("install sops; {GIVE}, or {}", ELSEWHERE[0].1)));
        assert_eq!(
            hint("no key fits: it needs age1abc; you have none").as_deref(),
            Some(GIVE)
        );
        assert_eq!(hint("the MAC does not fit"), None);
    }
}
