//! Private keys at hand, and the data key that they open.

use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;

use age::secrecy::{ExposeSecret, SecretString};
use age::{Decryptor, Encryptor, armor, ssh, x25519};
use zeroize::Zeroizing;

use crate::error::{Error, config};
use crate::needs::{Recipient, RecipientKind};

/// Private keys that this crate decrypts with. `Debug` shows their recipients only.
#[derive(Clone, Default)]
pub struct Identities(Vec<Identity>);

#[derive(Clone)]
enum Identity {
    Age(x25519::Identity),
    /// With its public part, for SSH keys that are still locked have one too.
    Ssh(Box<ssh::Identity>, Option<String>),
    /// One of those that only `sops` can use: its kind, or its public key where a comment tells it, and the key.
    Foreign(String, Zeroizing<String>),
}

/// More than any SSH key file has. It is parsed anew with each line.
const MAX_SSH_KEY: usize = 64 << 10;

impl Identities {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One key of age, made now: what is encrypted for it nobody else can read.
    pub fn generate() -> Self {
        Self(vec![Identity::Age(x25519::Identity::generate())])
    }

    /// Adds the keys of an age key file, or of `SOPS_AGE_KEY`: separated by blanks or lines; lines with `#` are comments.
    ///
    /// Post-quantum keys and those of plugins are remembered for [`Identities::recipients`] and [`Identities::age_keys`], and not used.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the line; nothing is added then.
    pub fn add_age(&mut self, text: &str) -> Result<(), Error> {
        if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE") {
            return Err(config(
                "age keys",
                "the file is encrypted with a passphrase itself: decrypt it with age first",
            ));
        }
        let mut found = Vec::new();
        let mut public = None;
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with('#') {
                public = line.strip_prefix("# public key: ").or(public);
                continue;
            }
            for word in line.split_whitespace() {
                let identity = age_identity(word, public.take());
                found.push(identity.map_err(|message| config(format!("age keys, line {number}"), message))?);
            }
        }
        self.0.extend(found);
        Ok(())
    }

    /// Adds an SSH private key, in the format of OpenSSH or PEM: Ed25519 or RSA. One with a passphrase is unlocked with it.
    ///
    /// # Errors
    ///
    /// [`Error::Config`]: not such a key, the passphrase is missing or wrong.
    pub fn add_ssh(&mut self, key: &[u8], passphrase: Option<&str>) -> Result<(), Error> {
        let wrong = |message: &str| config("SSH key", message);
        if key.len() > MAX_SSH_KEY {
            return Err(wrong("larger than any key"));
        }
        // The parser wants the line ends that ssh-keygen writes, the last one too.
        let text = std::str::from_utf8(key).map_err(|_| wrong("not text"))?;
        let mut text = Zeroizing::new(text.trim_start().replace("\r\n", "\n"));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let parsed = ssh::Identity::from_buffer(text.as_bytes(), None);
        let identity = match parsed.map_err(|_| wrong("not an SSH private key of type Ed25519 or RSA"))? {
            ssh::Identity::Encrypted(locked) => {
                let Some(passphrase) = passphrase else {
                    return Err(wrong("it has a passphrase, and none is given"));
                };
                let opened = locked.decrypt(SecretString::from(passphrase.to_owned()));
                ssh::Identity::Unencrypted(opened.map_err(|_| wrong("the passphrase does not fit"))?)
            }
            ssh::Identity::Unsupported(_) => {
                return Err(wrong(
                    "of a type or encryption that age does not use; Ed25519 and RSA in OpenSSH's format are used",
                ));
            }
            identity => identity,
        };
        let public = ssh::Recipient::try_from(identity.clone()).ok();
        let public = public.map(|recipient| recipient.to_string());
        self.0.push(Identity::Ssh(Box::new(identity), public));
        Ok(())
    }

    /// Adds all of the others'.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The public key of each, as it stands in `.sops.yaml`. Of those that only `sops` can use it is known where age-keygen has put it in a
    /// comment before the key; else they are named by kind.
    pub fn recipients(&self) -> Vec<String> {
        let name = |identity: &Identity| match identity {
            Identity::Age(key) => key.to_public().to_string(),
            Identity::Ssh(_, public) => public.clone().unwrap_or_else(|| "an SSH key".to_owned()),
            Identity::Foreign(name, _) => name.clone(),
        };
        self.0.iter().map(name).collect()
    }

    /// The private keys of age, one a line, as `sops` reads them in `SOPS_AGE_KEY`. SSH keys are not among them.
    pub fn age_keys(&self) -> Zeroizing<String> {
        let mut lines = Zeroizing::new(String::new());
        for identity in &self.0 {
            match identity {
                Identity::Age(key) => lines.push_str(key.to_string().expose_secret()),
                Identity::Foreign(_, key) => lines.push_str(key),
                Identity::Ssh(..) => continue,
            }
            lines.push('\n');
        }
        lines
    }

    /// Whether one of them belongs to this recipient, by name.
    pub(crate) fn match_name(&self, recipient: &Recipient) -> bool {
        let wanted = without_comment(&recipient.id);
        recipient.kind.in_process() && self.recipients().contains(&wanted)
    }

    /// What was encrypted for one of them. `Ok(None)`: it was for others.
    pub(crate) fn open(&self, armored: &str) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
        let reader = armor::ArmoredReader::new(armored.trim_start().as_bytes());
        let decryptor = Decryptor::new_buffered(reader).map_err(|_| "not an age file")?;
        let usable = self.0.iter().filter_map(|identity| match identity {
            Identity::Age(key) => Some(key as &dyn age::Identity),
            Identity::Ssh(key, _) => Some(&**key as &dyn age::Identity),
            Identity::Foreign(..) => None,
        });
        let mut reader = match decryptor.decrypt(usable) {
            Ok(reader) => reader,
            Err(age::DecryptError::NoMatchingKeys) => return Ok(None),
            Err(_) => return Err("its age header was changed"),
        };
        let mut key = Zeroizing::new(Vec::with_capacity(64));
        let whole = reader.by_ref().take(1024).read_to_end(&mut key);
        whole.map_err(|_| "its age file was changed or cut")?;
        Ok(Some(key))
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.recipients()).finish()
    }
}

fn age_identity(word: &str, public: Option<&str>) -> Result<Identity, &'static str> {
    let foreign = |kind: &str| {
        let name = public.unwrap_or(kind).trim().to_owned();
        Ok(Identity::Foreign(name, Zeroizing::new(word.to_owned())))
    };
    match word {
        word if word.starts_with("AGE-SECRET-KEY-PQ-1") => foreign("a post-quantum age key"),
        word if word.starts_with("AGE-PLUGIN-") => foreign("an age key of a plugin"),
        word if word.starts_with("AGE-SECRET-KEY-1") => {
            let key = x25519::Identity::from_str(word);
            key.map(Identity::Age)
                .map_err(|_| "a damaged age key: its check sum does not fit")
        }
        _ => Err("not an age key (AGE-SECRET-KEY-1…)"),
    }
}

/// An SSH public key often has a comment behind it.
fn without_comment(recipient: &str) -> String {
    let words: Vec<&str> = recipient.split_whitespace().take(2).collect();
    words.join(" ")
}

/// Encrypts for one recipient of age, armored, as SOPS keeps it.
pub(crate) fn seal(bytes: &[u8], recipient: &str) -> Result<String, Error> {
    let kind = RecipientKind::of_age(recipient);
    let recipient: Box<dyn age::Recipient> = match kind {
        RecipientKind::Age => Box::new(
            x25519::Recipient::from_str(recipient.trim())
                .map_err(|_| config(recipient, "not an age public key: its check sum does not fit"))?,
        ),
        RecipientKind::AgeSsh => Box::new(ssh::Recipient::from_str(recipient.trim()).map_err(|_| {
            config(
                recipient,
                "not an SSH public key of type Ed25519 or RSA (2048 bits or more)",
            )
        })?),
        _ => return Err(Error::NotInProcess(recipient.to_owned())),
    };
    let sealed = || -> std::io::Result<Vec<u8>> {
        let encryptor =
            Encryptor::with_recipients(std::iter::once(&*recipient)).map_err(|_| std::io::ErrorKind::InvalidInput)?;
        let armored = armor::ArmoredWriter::wrap_output(Vec::new(), armor::Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armored)?;
        writer.write_all(bytes)?;
        writer.finish()?.finish()
    };
    let sealed = sealed().map_err(|_| config("age", "cannot encrypt for this recipient"))?;
    Ok(String::from_utf8_lossy(&sealed).replace("\r\n", "\n"))
}
