//! The Secret that Flux decrypts with, beside its keys of age: what it signs in with at services that hold keys, and keys of PGP.
//!
//! Source: kustomize-controller (`internal/decryptor/decryptor.go`: `ImportKeys`),
//! <https://fluxcd.io/flux/components/kustomize/kustomizations/#controller-global-decryption>; for what `sops` reads,
//! <https://getsops.io/docs/>.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zeroize::Zeroizing;

use super::inputs::Texts;

/// Keys of age are in entries that end so.
pub(super) const AGE: &str = ".agekey";
/// Keys of PGP are in entries that end so. `gpg` has keys only from a disk.
const PGP: &str = ".asc";

/// By entry: the field of the YAML in it ("": the whole text), the variable in which `sops` reads it, and whether it has to be there.
const SIGNS_IN: [(&str, &str, &str, bool); 9] = [
    ("sops.vault-token", "", "VAULT_TOKEN", true),
    ("sops.gcp-kms", "", "GOOGLE_CREDENTIALS", true),
    ("sops.aws-kms", "aws_access_key_id", "AWS_ACCESS_KEY_ID", true),
    ("sops.aws-kms", "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", true),
    ("sops.aws-kms", "aws_session_token", "AWS_SESSION_TOKEN", false),
    ("sops.azure-kv", "tenantId", "AZURE_TENANT_ID", true),
    ("sops.azure-kv", "clientId", "AZURE_CLIENT_ID", true),
    ("sops.azure-kv", "clientSecret", "AZURE_CLIENT_SECRET", true),
    ("sops.azure-kv", "authorityHost", "AZURE_AUTHORITY_HOST", false),
];

/// What `sops` signs in with, and what is of no use. `Debug` shows names only.
#[derive(Clone, Default)]
pub(super) struct SignsIn {
    /// By variable.
    pub variables: BTreeMap<&'static str, Zeroizing<String>>,
    /// Entries that are known and cannot be used.
    pub unused: BTreeSet<String>,
}

impl fmt::Debug for SignsIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.variables.keys())
            .entries(&self.unused)
            .finish()
    }
}

impl SignsIn {
    /// Takes what a Secret has of it; what it has wins over what was there.
    pub fn take(&mut self, secret: &Texts) {
        for (entry, text) in &secret.0 {
            let rows = SIGNS_IN.iter().filter(|(of, ..)| of == entry);
            let read = rows.map(|(_, field, variable, must)| {
                let found = value(text, field);
                (!must || !found.is_empty()).then_some((*variable, found))
            });
            match read.collect::<Option<Vec<_>>>() {
                // What it lacks is empty, not what was there: that belongs to somebody else.
                Some(found) if !entry.ends_with(PGP) => self.variables.extend(found),
                _ => _ = self.unused.insert(entry.clone()),
            }
        }
    }

    /// What is of no use, to be put behind why a file does not open.
    pub fn told(&self) -> String {
        let names: Vec<&str> = self.unused.iter().map(String::as_str).collect();
        match names.is_empty() {
            true => String::new(),
            false => format!("; not used of the Secret that was given: {}", names.join(", ")),
        }
    }
}

/// A field of YAML, or the whole text.
fn value(text: &[u8], field: &str) -> Zeroizing<String> {
    let text = Zeroizing::new(String::from_utf8_lossy(text).trim().to_owned());
    if field.is_empty() {
        return text;
    }
    let read = kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
    Zeroizing::new(read[field].as_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-7f3a";

    fn taken(entries: &[(&str, &str)]) -> SignsIn {
        let texts = entries
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        let mut signs_in = SignsIn::default();
        signs_in.take(&Texts(texts.collect()));
        let shown = format!("{signs_in:?}{}", signs_in.told());
        assert!(!shown.contains(CANARY), "{shown}");
        signs_in
    }

    #[test]
    fn every_entry_gives_its_variables() {
        for (entry, field, variable, _) in SIGNS_IN {
            let rows = SIGNS_IN.iter().filter(|(of, ..)| *of == entry);
            let text = match field {
                "" => format!("{CANARY}-\n"),
                _ => rows
                    .map(|(_, field, ..)| format!("{field}: {CANARY}-{field}\n"))
                    .collect(),
            };
            let taken = taken(&[(entry, &text)]);
            let found = taken.variables.get(variable).map(|value| &***value);
            assert_eq!(found, Some(&*format!("{CANARY}-{field}")), "{entry} {field}");
            assert_eq!(taken.told(), "");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (entry, field, _, must) in SIGNS_IN.iter().filter(|(_, field, ..)| !field.is_empty()) {
            let rows = SIGNS_IN.iter().filter(|(of, other, ..)| of == entry && other != field);
            let others: String = rows.map(|(_, field, ..)| format!("{field}: {CANARY}\n")).collect();
            let unused = taken(&[(entry, &others)]).unused;
            assert_eq!(unused.contains(*entry), *must, "{entry} without {field}");
        }
        let mixed = [
            ("age.agekey", CANARY),
            ("identity.asc", CANARY),
            ("other.txt", CANARY),
            ("sops.azure-kv", "clientCertificate: canary-7f3a"),
            ("sops.vault-token", CANARY),
        ];
        let taken = taken(&mixed);
        assert_eq!(
            taken.told(),
            "; not used of the Secret that was given: identity.asc, sops.azure-kv"
        );
        assert!(taken.variables.keys().eq(&["VAULT_TOKEN"]));
    }

    #[test]
    fn what_belongs_together_is_not_mixed_with_what_was_there() {
        let keys = "aws_access_key_id: a\naws_secret_access_key: b\n";
        let taken = taken(&[("sops.aws-kms", keys)]);
        assert_eq!(
            taken.variables.get("AWS_SESSION_TOKEN").map(|token| &***token),
            Some("")
        );
    }
}
