//! Which values of a document are encrypted.

use regex::bytes::Regex;

use crate::error::Error;
use crate::pattern::compile;
use crate::text::Text;

/// Which values are encrypted: one of the rules that a creation rule and the metadata of a file can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every value: binary files.
    All,
    /// All but those under a key that ends so. The default of SOPS is `_unencrypted`.
    UnencryptedSuffix(String),
    /// Those under a key that ends so.
    EncryptedSuffix(String),
    /// All but those under a key that matches.
    UnencryptedRegex(String),
    /// Those under a key that matches.
    EncryptedRegex(String),
    /// All but those behind a comment that matches, and what is in them.
    UnencryptedCommentRegex(String),
    /// Those behind a comment that matches, and what is in them.
    EncryptedCommentRegex(String),
}

impl Default for Selection {
    fn default() -> Self {
        Selection::UnencryptedSuffix("_unencrypted".to_owned())
    }
}

impl Selection {
    /// The names of the fields, in the order in which SOPS asks for them.
    pub(crate) const FIELDS: [&'static str; 6] = [
        "unencrypted_suffix",
        "encrypted_suffix",
        "unencrypted_regex",
        "encrypted_regex",
        "unencrypted_comment_regex",
        "encrypted_comment_regex",
    ];

    pub(crate) fn new(field: &str, text: String) -> Self {
        match field {
            "unencrypted_suffix" => Selection::UnencryptedSuffix(text),
            "encrypted_suffix" => Selection::EncryptedSuffix(text),
            "unencrypted_regex" => Selection::UnencryptedRegex(text),
            "encrypted_regex" => Selection::EncryptedRegex(text),
            "unencrypted_comment_regex" => Selection::UnencryptedCommentRegex(text),
            _ => Selection::EncryptedCommentRegex(text),
        }
    }

    /// Field and text, if it is written down at all.
    pub(crate) fn field(&self) -> Option<(&'static str, &str)> {
        let (at, text) = match self {
            Selection::All => return None,
            Selection::UnencryptedSuffix(text) => (0, text),
            Selection::EncryptedSuffix(text) => (1, text),
            Selection::UnencryptedRegex(text) => (2, text),
            Selection::EncryptedRegex(text) => (3, text),
            Selection::UnencryptedCommentRegex(text) => (4, text),
            Selection::EncryptedCommentRegex(text) => (5, text),
        };
        Some((Self::FIELDS[at], text))
    }

    pub(crate) fn compiled(&self) -> Result<Compiled<'_>, Error> {
        let regex = match self.field() {
            Some((field, text)) if field.ends_with("regex") => Some(compile(field, text)?),
            _ => None,
        };
        Ok(Compiled { selection: self, regex })
    }
}

pub(crate) struct Compiled<'s> {
    selection: &'s Selection,
    regex: Option<Regex>,
}

impl Compiled<'_> {
    /// Whether a value at these keys is encrypted. `comments` has, for each map and list that it is in, the comments right before it.
    pub(crate) fn encrypts<'k>(
        &self,
        mut keys: impl Iterator<Item = &'k str>,
        comments: &[Vec<Text>],
        is_comment: bool,
    ) -> bool {
        let matches = |text: &[u8]| self.regex.as_ref().is_some_and(|regex| regex.is_match(text));
        match self.selection {
            Selection::All => true,
            Selection::UnencryptedSuffix(suffix) => !keys.any(|key| key.ends_with(suffix)),
            Selection::EncryptedSuffix(suffix) => keys.any(|key| key.ends_with(suffix)),
            Selection::UnencryptedRegex(_) => !keys.any(|key| matches(key.as_bytes())),
            Selection::EncryptedRegex(_) => keys.any(|key| matches(key.as_bytes())),
            Selection::UnencryptedCommentRegex(_) => {
                !comments.iter().flatten().any(|comment| matches(comment.as_bytes()))
            }
            Selection::EncryptedCommentRegex(_) => {
                let all = comments.iter().flatten().count();
                // The comment that asks for encryption stays in clear itself.
                let asked = all - usize::from(is_comment);
                comments
                    .iter()
                    .flatten()
                    .take(asked)
                    .any(|comment| matches(comment.as_bytes()))
            }
        }
    }

    /// Whether an encrypted comment would be taken for one that keeps what follows in clear.
    pub(crate) fn confuses(&self, sealed_comment: &str) -> bool {
        matches!(self.selection, Selection::UnencryptedCommentRegex(_))
            && self
                .regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(sealed_comment.as_bytes()))
    }
}
