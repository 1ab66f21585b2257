//! A file of SOPS: encrypted, decrypted, and changed.

use std::fmt;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::cipher::{self, Clear, DataKey};
use crate::config::Rule;
use crate::error::{Error, config};
use crate::format::{Format, Layout};
use crate::identity::Identities;
use crate::metadata::{Master, Metadata, VERSION};
use crate::needs::Needs;
use crate::rules::Selection;
use crate::store;
use crate::time::Timestamp;
use crate::tree::{Tree, Value};
use crate::walk::{self, Kept};

/// An encrypted file that was read.
#[derive(Clone)]
pub struct Encrypted {
    format: Format,
    tree: Tree,
    metadata: Metadata,
}

impl Encrypted {
    /// Reads a file; nothing is decrypted yet.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`], [`Error::NotEncrypted`], [`Error::Metadata`].
    pub fn read(format: Format, file: &[u8]) -> Result<Self, Error> {
        let (tree, metadata) = store::read_sealed(format, file)?;
        Ok(Encrypted {
            format,
            tree,
            metadata: Metadata::read(&metadata)?,
        })
    }

    /// Whose keys the file needs, and which of these are at hand.
    pub fn needs(&self, identities: &Identities) -> Needs {
        self.metadata.needs(identities)
    }

    /// Which of its values are encrypted.
    pub fn selection(&self) -> &Selection {
        &self.metadata.selection
    }

    /// The tree as it stands in the file: keys in clear, values encrypted.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Decrypts it, and makes sure by its MAC that it is what was encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`] with whom it takes; [`Error::DataKey`]; [`Error::Values`], all of them; [`Error::MacDamaged`],
    /// [`Error::MacMismatch`].
    pub fn decrypt(&self, identities: &Identities) -> Result<Decrypted, Error> {
        self.decrypt_with(self, identities)
    }

    /// Decrypts it with the data key of another file: the same one encrypted for others, as `sops updatekeys` writes it.
    ///
    /// # Errors
    ///
    /// Those of [`Encrypted::decrypt`].
    pub fn decrypt_with(&self, other: &Encrypted, identities: &Identities) -> Result<Decrypted, Error> {
        let key = other.metadata.data_key(identities)?;
        let mut tree = self.tree.clone();
        let kept = walk::open(&mut tree, &self.metadata, &key)?;
        Ok(Decrypted {
            format: self.format,
            tree,
            metadata: self.metadata.clone(),
            key,
            kept,
        })
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted")
            .field("format", &self.format)
            .field("tree", &self.tree)
            .finish_non_exhaustive()
    }
}

/// A file in clear, with what it takes to encrypt it again. `Debug` shows keys and types.
#[derive(Clone)]
pub struct Decrypted {
    format: Format,
    tree: Tree,
    metadata: Metadata,
    key: DataKey,
    kept: Kept,
}

impl Decrypted {
    /// The tree in clear.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The file in clear, as `sops decrypt` writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Unwritable`].
    pub fn plain(&self, layout: &Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.format.write(&self.tree, layout)
    }

    /// The content of a binary file.
    pub fn data(&self) -> Option<&[u8]> {
        match self.tree.documents.first()?.get("data")? {
            Value::Text(text) if self.format == Format::Binary => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The encrypted file with another tree in it, as `sops edit` writes it: for the same recipients, with the same data key and rules.
    /// What does not change (value, comment and the keys above it) stays encrypted as it was, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Encrypted`], [`Error::Unwritable`].
    pub fn edit(&self, tree: Tree, now: SystemTime, layout: &Layout) -> Result<Vec<u8>, Error> {
        let mut metadata = self.metadata.clone();
        metadata.raise_version();
        seal(self.format, tree, metadata, &self.key, self.kept.clone(), now, layout)
    }
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decrypted")
            .field("format", &self.format)
            .field("tree", &self.tree)
            .finish_non_exhaustive()
    }
}

/// Encrypts a new file by a rule, as `sops encrypt` does.
///
/// # Errors
///
/// [`Error::Encrypted`], [`Error::Unwritable`], [`Error::Pattern`], [`Error::Config`]; [`Error::NotInProcess`] if a recipient is none of
/// age's.
pub fn encrypt(format: Format, tree: Tree, rule: &Rule, now: SystemTime, layout: &Layout) -> Result<Vec<u8>, Error> {
    let groups: Vec<Vec<Master>> = rule
        .groups
        .iter()
        .map(|group| {
            let masters = group.iter().map(|recipient| match recipient.kind.in_process() {
                true => Ok(Master::age(&recipient.id)),
                false => Err(Error::NotInProcess(recipient.to_string())),
            });
            masters.collect()
        })
        .collect::<Result<_, _>>()?;
    if groups.is_empty() || groups.len() > 255 || groups.iter().any(Vec::is_empty) {
        return Err(config("key_groups", "not one to 255 groups with a key in each"));
    }
    let threshold = match (groups.len(), rule.threshold) {
        (1, threshold) => threshold,
        (groups, 0) => groups as u8,
        (groups, threshold) if (2..=groups).contains(&usize::from(threshold)) => threshold,
        (groups, _) => {
            let message = format!("not from 2 to the number of groups, {groups}");
            return Err(config("shamir_threshold", message));
        }
    };
    let single = format == Format::Binary;
    let mut metadata = Metadata {
        groups,
        threshold,
        selection: if single { Selection::All } else { rule.selection.clone() },
        mac_only_encrypted: rule.mac_only_encrypted && !single,
        lastmodified: Timestamp::of(now),
        mac: String::new(),
        version: VERSION.to_owned(),
    };
    let key = DataKey::generate();
    metadata.seal(&key)?;
    seal(format, tree, metadata, &key, Kept::default(), now, layout)
}

fn seal(
    format: Format,
    mut tree: Tree,
    mut metadata: Metadata,
    key: &DataKey,
    kept: Kept,
    now: SystemTime,
    layout: &Layout,
) -> Result<Vec<u8>, Error> {
    store::check(format, &tree)?;
    let mac = walk::seal(&mut tree, &metadata, key, kept)?;
    metadata.lastmodified = Timestamp::of(now);
    let vouched = metadata.lastmodified.to_the_second();
    metadata.mac = cipher::encrypt(&Clear::Value(Value::Text(mac.into())), key, vouched.as_bytes());
    store::write_sealed(format, &tree, &metadata.write(), layout)
}
