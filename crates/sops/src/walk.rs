//! Through a tree with a data key: decrypting, encrypting, and the MAC.

use std::collections::{BTreeSet, HashMap, VecDeque};

use sha2::{Digest, Sha256, Sha512};

use crate::cipher::{self, Clear, DataKey};
use crate::error::{Error, ValueError, ValueErrorKind};
use crate::metadata::Metadata;
use crate::rules::{Compiled, Selection};
use crate::text::Text;
use crate::tree::{Comment, Entry, Item, Map, Path, Step, Tree, Value};

/// Written first into a MAC that leaves out what is not encrypted, so that it never equals one that does not. It is SHA-256 of "sops".
const ENCRYPTED_ONLY: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];
/// Bytes that may be decrypted in search of where a value came from.
const SEARCH: usize = 64 << 20;

/// The encrypted values of a file, by what they are in clear; of this it has hashes only.
#[derive(Clone, Default)]
pub(crate) struct Kept(HashMap<[u8; 32], VecDeque<String>>);

impl Kept {
    fn name(clear: &Clear, key: &DataKey, aad: &[u8]) -> Option<[u8; 32]> {
        let (kind, bytes) = clear.bytes()?;
        let mut hash = Sha256::new();
        hash.update(key.bytes());
        for part in [aad, kind.as_bytes(), &bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Some(hash.finalize().into())
    }

    fn keep(&mut self, clear: &Clear, key: &DataKey, aad: &[u8], sealed: String) {
        if let Some(name) = Self::name(clear, key, aad).filter(|_| !sealed.is_empty()) {
            self.0.entry(name).or_default().push_back(sealed);
        }
    }

    /// What the value was encrypted as, each time once.
    fn take(&mut self, clear: &Clear, key: &DataKey, aad: &[u8]) -> Option<String> {
        self.0.get_mut(&Self::name(clear, key, aad)?)?.pop_front()
    }
}

/// Where the walk is.
struct Walk<'w> {
    rules: Compiled<'w>,
    key: &'w DataKey,
    mac: Sha512,
    mac_only_encrypted: bool,
    path: Path,
    by_comments: bool,
    comments: Vec<Vec<Text>>,
    failed: Vec<(ValueError, String)>,
    kept: Kept,
}

impl<'w> Walk<'w> {
    fn new(metadata: &'w Metadata, key: &'w DataKey, kept: Kept) -> Result<Self, Error> {
        let mut mac = Sha512::new();
        if metadata.mac_only_encrypted {
            mac.update(ENCRYPTED_ONLY);
        }
        Ok(Walk {
            rules: metadata.selection.compiled()?,
            key,
            mac,
            mac_only_encrypted: metadata.mac_only_encrypted,
            path: Path::default(),
            by_comments: matches!(
                metadata.selection,
                Selection::UnencryptedCommentRegex(_) | Selection::EncryptedCommentRegex(_)
            ),
            comments: Vec::new(),
            failed: Vec::new(),
            kept,
        })
    }

    fn aad(&self) -> Vec<u8> {
        aad(&self.path)
    }

    fn encrypts(&self, is_comment: bool) -> bool {
        self.rules.encrypts(self.path.keys(), &self.comments, is_comment)
    }

    /// Notes a comment, for it may decide about what comes behind it.
    fn pass(&mut self, comment: &Comment) {
        if let Some(open) = self.comments.last_mut().filter(|_| self.by_comments) {
            open.push(comment.text.clone());
        }
    }

    fn settle(&mut self) {
        if let Some(open) = self.comments.last_mut() {
            open.clear();
        }
    }

    /// Puts a value into the MAC.
    fn count(&mut self, value: &Value, encrypted: bool) {
        if (encrypted || !self.mac_only_encrypted)
            && let Some((_, bytes)) = Clear::Value(value.clone()).bytes()
        {
            self.mac.update(&*bytes);
        }
    }

    fn fail(&mut self, kind: ValueErrorKind, sealed: &str) {
        let path = self.path.clone();
        self.failed.push((ValueError { path, kind }, sealed.to_owned()));
    }

    fn digest(self) -> String {
        self.mac.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

fn aad(path: &Path) -> Vec<u8> {
    let keys: Vec<&str> = path.keys().collect();
    format!("{}:", keys.join(":")).into_bytes()
}

/// Decrypts a tree in place and checks its MAC. What comes back knows how each value was encrypted.
pub(crate) fn open(tree: &mut Tree, metadata: &Metadata, key: &DataKey) -> Result<Kept, Error> {
    let mut walk = Walk::new(metadata, key, Kept::default())?;
    for (document, map) in tree.documents.iter_mut().enumerate() {
        walk.path.document = document;
        open_map(&mut walk, map);
    }
    if !walk.failed.is_empty() {
        let failed = std::mem::take(&mut walk.failed);
        return Err(Error::Values(traced(failed, tree, key)));
    }
    let kept = std::mem::take(&mut walk.kept);
    let computed = walk.digest();
    let vouched = metadata.lastmodified.to_the_second();
    match cipher::decrypt(&metadata.mac, key, vouched.as_bytes()) {
        Ok(Clear::Value(Value::Text(mac))) if mac.as_bytes() == computed.as_bytes() => Ok(kept),
        Ok(Clear::Value(Value::Text(mac))) if !mac.is_empty() => Err(Error::MacMismatch),
        _ => Err(Error::MacDamaged),
    }
}

fn open_map(walk: &mut Walk<'_>, map: &mut Map) {
    walk.comments.push(Vec::new());
    for entry in &mut map.entries {
        match entry {
            Entry::Comment(comment) => {
                walk.pass(comment);
                open_comment(walk, comment);
            }
            Entry::Pair(key, value) => {
                walk.path.steps.push(Step::Key(key.clone()));
                if let Some(Clear::Comment(_)) = open_value(walk, value) {
                    walk.fail(ValueErrorKind::Type, "");
                }
                walk.path.steps.pop();
                walk.settle();
            }
        }
    }
    walk.comments.pop();
}

fn open_list(walk: &mut Walk<'_>, items: &mut [Item]) {
    walk.comments.push(Vec::new());
    for (at, item) in items.iter_mut().enumerate() {
        walk.path.steps.push(Step::Item(at));
        match item {
            Item::Comment(comment) => {
                walk.pass(comment);
                open_comment(walk, comment);
            }
            Item::Value(value) => {
                // A comment in a list is encrypted as an item.
                if let Some(Clear::Comment(text)) = open_value(walk, value) {
                    *item = Item::Comment(Comment { text, inline: false });
                }
                walk.settle();
            }
        }
        walk.path.steps.pop();
    }
    walk.comments.pop();
}

/// A comment that does not decrypt is one that was never encrypted, as far as SOPS is concerned: comments are not in the MAC.
fn open_comment(walk: &mut Walk<'_>, comment: &mut Comment) {
    if !walk.encrypts(true) {
        return;
    }
    let aad = walk.aad();
    let Some(sealed) = comment.text.as_str().filter(|text| cipher::is_sealed(text.as_bytes())) else {
        return;
    };
    let sealed = sealed.to_owned();
    match cipher::decrypt(&sealed, walk.key, &aad) {
        Ok(clear @ Clear::Comment(_)) => {
            walk.kept.keep(&clear, walk.key, &aad, sealed);
            if let Clear::Comment(text) = clear {
                *comment = Comment { text, inline: false };
            }
        }
        Ok(Clear::Value(Value::Text(text))) => comment.text = text,
        _ => {}
    }
}

/// Decrypts a value in place, unless it turns out to be a comment.
fn open_value(walk: &mut Walk<'_>, value: &mut Value) -> Option<Clear> {
    match value {
        Value::Map(map) => open_map(walk, map),
        Value::List(items) => open_list(walk, items),
        Value::Null => {}
        _ if !walk.encrypts(false) => walk.count(value, false),
        Value::Text(text) => {
            let aad = walk.aad();
            let sealed = text.as_str().unwrap_or_default().to_owned();
            let in_clear = !text.is_empty() && !cipher::is_sealed(text.as_bytes());
            let opened = match in_clear {
                true => Err(ValueErrorKind::InClear),
                false => cipher::decrypt(&sealed, walk.key, &aad),
            };
            match opened {
                Err(kind) => walk.fail(kind, &sealed),
                Ok(clear) => {
                    walk.kept.keep(&clear, walk.key, &aad, sealed);
                    match clear {
                        Clear::Value(clear) => {
                            walk.count(&clear, true);
                            *value = clear;
                        }
                        comment => return Some(comment),
                    }
                }
            }
        }
        _ => walk.fail(ValueErrorKind::InClear, ""),
    }
    None
}

/// Says of values that do not authenticate where they come from, if it is a place in this file.
fn traced(failed: Vec<(ValueError, String)>, tree: &Tree, key: &DataKey) -> Vec<ValueError> {
    let mut places = BTreeSet::new();
    for map in &tree.documents {
        collect(map, &mut Path::default(), &mut places);
    }
    let mut left = SEARCH;
    let traced = failed.into_iter().map(|(mut error, sealed)| {
        if error.kind == ValueErrorKind::Tampered {
            let from = places.iter().find(|place| {
                left = left.saturating_sub(sealed.len() + 256);
                left > 0 && cipher::opens_with(&sealed, key, place)
            });
            if let Some(place) = from {
                let from = String::from_utf8_lossy(place);
                let from = from.trim_end_matches(':').replace(':', ".");
                error.kind = ValueErrorKind::Moved { from };
            }
        }
        error
    });
    traced.collect()
}

fn collect(map: &Map, path: &mut Path, places: &mut BTreeSet<Vec<u8>>) {
    for (key, value) in map.pairs() {
        path.steps.push(Step::Key(key.to_owned()));
        collect_value(value, path, places);
        path.steps.pop();
    }
}

fn collect_value(value: &Value, path: &mut Path, places: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::Map(map) => collect(map, path, places),
        Value::List(items) => {
            for item in items {
                match item {
                    Item::Value(value) => collect_value(value, path, places),
                    Item::Comment(_) => {}
                }
            }
        }
        _ => {
            places.insert(aad(path));
        }
    }
}

/// Encrypts a tree in place, reusing what is in `kept`, and gives the MAC, still in clear.
pub(crate) fn seal(tree: &mut Tree, metadata: &Metadata, key: &DataKey, kept: Kept) -> Result<String, Error> {
    let mut walk = Walk::new(metadata, key, kept)?;
    for (document, map) in tree.documents.iter_mut().enumerate() {
        walk.path.document = document;
        seal_map(&mut walk, map)?;
    }
    Ok(walk.digest())
}

fn seal_map(walk: &mut Walk<'_>, map: &mut Map) -> Result<(), Error> {
    walk.comments.push(Vec::new());
    for entry in &mut map.entries {
        match entry {
            Entry::Comment(comment) => {
                walk.pass(comment);
                if let Some(sealed) = seal_comment(walk, comment)? {
                    comment.text = sealed.into();
                }
            }
            Entry::Pair(key, value) => {
                walk.path.steps.push(Step::Key(key.clone()));
                seal_value(walk, value)?;
                walk.path.steps.pop();
                walk.settle();
            }
        }
    }
    walk.comments.pop();
    Ok(())
}

fn seal_list(walk: &mut Walk<'_>, items: &mut Vec<Item>) -> Result<(), Error> {
    walk.comments.push(Vec::new());
    for mut item in std::mem::take(items) {
        walk.path.steps.push(Step::Item(items.len()));
        match &mut item {
            Item::Comment(comment) => {
                walk.pass(comment);
                match seal_comment(walk, comment)? {
                    None => items.push(item),
                    // SOPS takes an empty comment for an item, which would change the list.
                    Some(sealed) if sealed.is_empty() => {}
                    Some(sealed) => items.push(Item::Value(Value::Text(sealed.into()))),
                }
            }
            Item::Value(value) => {
                seal_value(walk, value)?;
                walk.settle();
                items.push(item);
            }
        }
        walk.path.steps.pop();
    }
    walk.comments.pop();
    Ok(())
}

fn seal_comment(walk: &mut Walk<'_>, comment: &Comment) -> Result<Option<String>, Error> {
    if !walk.encrypts(true) {
        return Ok(None);
    }
    let sealed = sealed(walk, &Clear::Comment(comment.text.clone()));
    if walk.rules.confuses(&sealed) {
        return Err(Error::Pattern {
            field: "unencrypted_comment_regex".to_owned(),
            message: "it matches encrypted comments too, so that the file could not be decrypted".to_owned(),
        });
    }
    Ok(Some(sealed))
}

fn seal_value(walk: &mut Walk<'_>, value: &mut Value) -> Result<(), Error> {
    match value {
        Value::Map(map) => return seal_map(walk, map),
        Value::List(items) => return seal_list(walk, items),
        Value::Null => return Ok(()),
        _ => {}
    }
    let encrypted = walk.encrypts(false);
    walk.count(value, encrypted);
    if encrypted {
        let clear = Clear::Value(std::mem::replace(value, Value::Null));
        *value = Value::Text(sealed(walk, &clear).into());
    }
    Ok(())
}

fn sealed(walk: &mut Walk<'_>, clear: &Clear) -> String {
    let aad = walk.aad();
    let kept = walk.kept.take(clear, walk.key, &aad);
    kept.unwrap_or_else(|| cipher::encrypt(clear, walk.key, &aad))
}
