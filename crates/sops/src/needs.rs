//! Whose keys a file needs.

use std::fmt;

/// What kind of key a data key is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecipientKind {
    /// An X25519 key of age (`age1…`).
    Age,
    /// An SSH key (`ssh-ed25519 …`, `ssh-rsa …`), through age.
    AgeSsh,
    /// A post-quantum key of age (`age1pq1…`).
    AgePostQuantum,
    /// A key that a plugin of age has (`age1yubikey1…`).
    AgePlugin,
    /// An OpenPGP key, by its fingerprint.
    Pgp,
    /// A key of AWS KMS, by its ARN.
    AwsKms,
    /// A key of Google Cloud KMS, by its resource id.
    GcpKms,
    /// A key of Huawei Cloud KMS.
    HuaweiKms,
    /// A key of Azure Key Vault, by its address.
    AzureKeyVault,
    /// A transit key of HashiCorp Vault, by its address.
    HcVault,
}

impl RecipientKind {
    pub(crate) fn of_age(recipient: &str) -> Self {
        match recipient.trim() {
            text if text.starts_with("age1pq1") => RecipientKind::AgePostQuantum,
            text if text.starts_with("ssh-") => RecipientKind::AgeSsh,
            text if text.starts_with("age1") && text.matches('1').count() > 1 => RecipientKind::AgePlugin,
            _ => RecipientKind::Age,
        }
    }

    /// Whether this crate can decrypt and encrypt with such a key. `sops` can with every kind.
    pub fn in_process(self) -> bool {
        matches!(self, RecipientKind::Age | RecipientKind::AgeSsh)
    }

    fn word(self) -> &'static str {
        match self {
            RecipientKind::Age | RecipientKind::AgePostQuantum | RecipientKind::AgePlugin => "",
            RecipientKind::AgeSsh => "",
            RecipientKind::Pgp => "PGP ",
            RecipientKind::AwsKms => "AWS KMS ",
            RecipientKind::GcpKms => "GCP KMS ",
            RecipientKind::HuaweiKms => "Huawei KMS ",
            RecipientKind::AzureKeyVault => "Azure Key Vault ",
            RecipientKind::HcVault => "Vault ",
        }
    }
}

/// One whom a data key is encrypted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// The kind of key.
    pub kind: RecipientKind,
    /// The public name of the key, as SOPS shows it: an age or SSH public key, a fingerprint, an ARN, an address.
    pub id: String,
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.word(), self.id)
    }
}

/// A group of recipients each of whom can get at the same thing: the data key or, where there are several groups, a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsGroup {
    /// All of them.
    pub recipients: Vec<Recipient>,
    /// Those that an identity at hand belongs to.
    pub matched: Vec<Recipient>,
}

/// Whose keys a file needs, and which of them are at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// How many of the groups it takes.
    pub threshold: usize,
    /// The groups: one, unless the data key is split.
    pub groups: Vec<NeedsGroup>,
    /// The recipients of the identities at hand.
    pub have: Vec<String>,
}

impl Needs {
    /// Whether the identities at hand are enough. It compares names only; only decrypting tells for sure.
    pub fn met(&self) -> bool {
        let open = self.groups.iter().filter(|group| !group.matched.is_empty()).count();
        open >= self.threshold.max(1)
    }

    /// Whether keys of age, other than SSH keys, could help.
    pub fn age(&self) -> bool {
        let age = [
            RecipientKind::Age,
            RecipientKind::AgePostQuantum,
            RecipientKind::AgePlugin,
        ];
        let mut all = self.groups.iter().flat_map(|group| &group.recipients);
        all.any(|recipient| age.contains(&recipient.kind))
    }

    /// Whether `sops` could do more than this crate: recipients whose keys it does not handle.
    pub fn beyond_process(&self) -> impl Iterator<Item = &Recipient> {
        let all = self.groups.iter().flat_map(|group| &group.recipients);
        all.filter(|recipient| !recipient.kind.in_process())
    }
}

impl fmt::Display for Needs {
    /// `it needs age1abc… or PGP 85D7…; you have age1xyz…`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |recipients: &[Recipient]| {
            let names: Vec<String> = recipients.iter().map(Recipient::to_string).collect();
            names.join(" or ")
        };
        match self.groups.as_slice() {
            [group] => write!(f, "it needs {}", list(&group.recipients))?,
            groups => {
                write!(f, "it needs {} of {} groups: ", self.threshold, groups.len())?;
                for (at, group) in groups.iter().enumerate() {
                    let gap = if at > 0 { "; " } else { "" };
                    write!(f, "{gap}{}", list(&group.recipients))?;
                }
            }
        }
        match self.have.is_empty() {
            true => f.write_str("; you have none"),
            false => write!(f, "; you have {}", self.have.join(", ")),
        }
    }
}
