//! What SOPS keeps beside the values: who can decrypt them, by which rules they were chosen, and what vouches for them.

pub(crate) mod flat;
mod master;

use crate::cipher::DataKey;
use crate::error::{Error, metadata as wrong};
use crate::identity::Identities;
use crate::needs::{Needs, NeedsGroup};
use crate::rules::Selection;
use crate::shamir;
use crate::text::Text;
use crate::time::Timestamp;
use crate::tree::{Entry, Item, Map, Value};

pub(crate) use master::Master;

/// More keys than any file has. Each is tried with each identity.
const MAX_KEYS: usize = 4096;
/// The version of SOPS whose files these are.
pub(crate) const VERSION: &str = "3.13.3";

#[derive(Clone)]
pub(crate) struct Metadata {
    /// One group, unless the data key is split.
    pub groups: Vec<Vec<Master>>,
    pub threshold: u8,
    pub selection: Selection,
    pub mac_only_encrypted: bool,
    pub lastmodified: Timestamp,
    pub mac: String,
    pub version: String,
}

impl Metadata {
    pub(crate) fn read(map: &Map) -> Result<Self, Error> {
        let lastmodified = text(map, "lastmodified")?;
        let lastmodified = Timestamp::rfc3339(&lastmodified)
            .ok_or_else(|| wrong("lastmodified", "not a point in time such as 2026-11-28T20:49:10Z"))?;
        let selection = selection(map)?;
        let groups = groups(map)?;
        if groups.iter().map(Vec::len).sum::<usize>() > MAX_KEYS {
            return Err(wrong("age", "more keys than any file has"));
        }
        let threshold = threshold(map, groups.len())?;
        let version = text(map, "version")?;
        check_version(&version)?;
        let mac_only_encrypted = match map.get("mac_only_encrypted") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(it)) => *it,
            Some(Value::Text(it)) if matches!(it.as_str(), Some("true" | "True" | "1")) => true,
            Some(Value::Text(it)) if matches!(it.as_str(), Some("false" | "False" | "0" | "")) => false,
            Some(_) => return Err(wrong("mac_only_encrypted", "neither true nor false")),
        };
        Ok(Metadata {
            groups,
            threshold,
            selection,
            mac_only_encrypted,
            lastmodified,
            mac: text(map, "mac")?,
            version,
        })
    }

    /// The map to be written, sorted by keys as SOPS has it.
    pub(crate) fn write(&self) -> Map {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        let mut set = |key: &str, value: Value| pairs.push((key.to_owned(), value));
        match self.groups.as_slice() {
            [group] => {
                for (field, masters) in master::lists(group) {
                    set(field, masters);
                }
            }
            groups => {
                let groups = groups.iter().map(|group| Item::Value(Value::Map(master::group(group))));
                set("key_groups", Value::List(groups.collect()));
            }
        }
        if self.threshold > 0 {
            set("shamir_threshold", Value::Int(self.threshold.into()));
        }
        if let Some((field, text)) = self.selection.field() {
            set(field, text.into());
        }
        if self.mac_only_encrypted {
            set("mac_only_encrypted", Value::Bool(true));
        }
        set("lastmodified", (&*self.lastmodified.to_the_second()).into());
        set("mac", (&*self.mac).into());
        set("version", (&*self.version).into());
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        Map {
            entries: pairs.into_iter().map(|(key, value)| Entry::Pair(key, value)).collect(),
        }
    }

    /// Whose keys it takes, and which of them are at hand.
    pub(crate) fn needs(&self, identities: &Identities) -> Needs {
        let groups = self.groups.iter().map(|group| {
            let recipients: Vec<_> = group.iter().map(Master::recipient).collect();
            NeedsGroup {
                matched: recipients
                    .iter()
                    .filter(|r| identities.match_name(r))
                    .cloned()
                    .collect(),
                recipients,
            }
        });
        Needs {
            threshold: usize::from(self.threshold).max(1),
            groups: groups.collect(),
            have: identities.recipients(),
        }
    }

    /// The data key, from the first recipient of each group that an identity fits.
    pub(crate) fn data_key(&self, identities: &Identities) -> Result<DataKey, Error> {
        let mut parts = Vec::new();
        let mut damaged = None;
        for group in &self.groups {
            let ages = group
                .iter()
                .filter_map(|master| master.age_file().map(|file| (master, file)));
            for (master, file) in ages {
                match identities.open(file) {
                    Ok(None) => {}
                    Ok(Some(part)) => {
                        parts.push(part);
                        break;
                    }
                    Err(message) => {
                        damaged.get_or_insert(Error::DataKey {
                            recipient: master.recipient().to_string(),
                            message: message.to_owned(),
                        });
                    }
                }
            }
        }
        let enough = match self.groups.len() {
            1 => !parts.is_empty(),
            _ => parts.len() >= usize::from(self.threshold).max(2),
        };
        if !enough {
            return Err(damaged.unwrap_or_else(|| Error::NoKey(Box::new(self.needs(identities)))));
        }
        let whole = match self.groups.len() {
            1 => parts.into_iter().next(),
            _ => shamir::combine(&parts),
        };
        whole
            .and_then(|key| DataKey::new(&key))
            .ok_or_else(|| wrong("age", "what decrypts is not a data key of 32 bytes, nor parts of one"))
    }

    /// Encrypts a data key for everybody.
    pub(crate) fn seal(&mut self, key: &DataKey) -> Result<(), Error> {
        let whole = zeroize::Zeroizing::new(key.bytes().to_vec());
        let parts = match self.groups.len() {
            1 => vec![whole],
            groups => shamir::split(&whole, groups as u8, self.threshold),
        };
        for (group, part) in self.groups.iter_mut().zip(&parts) {
            for master in group {
                master.seal(part)?;
            }
        }
        Ok(())
    }
}

/// The text of a field; nothing if it is absent. Numbers count as text here, as they do for SOPS.
fn text(map: &Map, field: &str) -> Result<String, Error> {
    match map.get(field) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::Text(text)) => {
            let text = text.as_str().ok_or_else(|| wrong(field, "not UTF-8"))?;
            Ok(text.to_owned())
        }
        Some(Value::Int(number)) => Ok(number.to_string()),
        Some(Value::Time(time)) => Ok(time.to_string()),
        Some(_) => Err(wrong(field, "not a text")),
    }
}

fn selection(map: &Map) -> Result<Selection, Error> {
    let mut found = Vec::new();
    for field in Selection::FIELDS {
        let text = text(map, field)?;
        if !text.is_empty() {
            found.push((field, text));
        }
    }
    match found.as_slice() {
        [] => Ok(Selection::default()),
        [_] => Ok(found.remove(0)).map(|(field, text)| Selection::new(field, text)),
        [(first, _), .., (last, _)] => Err(wrong(*last, format!("not together with {first}"))),
    }
}

fn groups(map: &Map) -> Result<Vec<Vec<Master>>, Error> {
    let top = master::read(map, "")?;
    if !top.is_empty() {
        return Ok(vec![top]);
    }
    let groups = match map.get("key_groups") {
        Some(Value::List(items)) => items,
        _ => return Err(wrong("age", "no keys are there that could decrypt the file")),
    };
    let maps = groups.iter().filter_map(|item| match item {
        Item::Comment(_) => None,
        Item::Value(Value::Map(map)) => Some(Ok(map)),
        Item::Value(_) => Some(Err(wrong("key_groups", "not a list of maps"))),
    });
    let groups: Vec<_> = maps
        .enumerate()
        .map(|(at, map)| master::read(map?, &format!("key_groups[{at}].")))
        .collect::<Result<_, _>>()?;
    if groups.is_empty() || groups.len() > 255 {
        return Err(wrong("key_groups", "not one to 255 groups"));
    }
    Ok(groups)
}

fn threshold(map: &Map, groups: usize) -> Result<u8, Error> {
    let text = text(map, "shamir_threshold")?;
    let threshold = if text.is_empty() { Some(0) } else { text.parse().ok() };
    threshold
        .filter(|threshold| groups == 1 || usize::from(*threshold) <= groups)
        .ok_or_else(|| {
            wrong(
                "shamir_threshold",
                format!("not a number of groups; there are {groups}"),
            )
        })
}

/// SOPS refuses what is no version. A newer one it takes, and so does this.
fn check_version(version: &str) -> Result<(), Error> {
    parts_of_version(version)
        .map(|_| ())
        .ok_or_else(|| wrong("version", "not a version such as 3.13.3"))
}

fn parts_of_version(version: &str) -> Option<[u64; 3]> {
    if version.starts_with("1.") {
        return Some([1, 0, 0]);
    }
    let version = version.strip_prefix('v').unwrap_or(version);
    let core = version.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

impl Metadata {
    /// Notes that this version of SOPS wrote the file, unless a newer one did.
    pub(crate) fn raise_version(&mut self) {
        if parts_of_version(&self.version) < parts_of_version(VERSION) {
            self.version = VERSION.to_owned();
        }
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::Text(Text::from(text.as_str()))
    }
}
