//! The table of contents, `snapshot.json`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Of, Piece, Values};
use crate::object::{FactGap, GroupKind, KubeVersion, ObjectId, Scope, ServedKind, ServedKinds, Standing};

/// Says what the file is.
const FORMAT: &str = "refloat snapshot";
/// What this program writes and reads.
const VERSION: u32 = 1;

/// `snapshot.json`, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    format: String,
    version: u32,
    /// Version of the server: `1.37`.
    kubernetes: String,
    /// Recipients of age that values are encrypted for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypted_to: Vec<String>,
    /// What could not be read, with the reason; sorted.
    gaps: Vec<Gap>,
    /// What the server serves, by group and kind.
    pub resources: Vec<Resource>,
    /// Every object, by group, kind, namespace and name.
    pub objects: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Gap {
    what: String,
    reason: String,
}

/// A kind that the server serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    group: String,
    kind: String,
    /// As in URLs: `deployments`.
    plural: String,
    namespaced: bool,
    /// The preferred one first.
    versions: Vec<String>,
    /// All objects of it are in the snapshot. Not so for what cannot be listed and changed, and for gaps.
    listed: bool,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(flatten)]
    id: Id,
    /// Path of its file.
    pub file: String,
    /// It belongs to this one in the end, which makes it anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owned_by: Option<Id>,
    /// The cluster makes it by itself, by the rule of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    built_in: Option<String>,
    /// Of what holds secrets: `left out` or `encrypted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Id {
    group: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Word {
    #[serde(rename = "left out")]
    LeftOut,
    #[serde(rename = "encrypted")]
    Encrypted,
}

impl Contents {
    pub(super) fn new(of: &Of<'_>, objects: Vec<Entry>) -> Self {
        let listed: BTreeSet<&GroupKind> = of.listed.iter().collect();
        let resource = |served: &ServedKind| Resource {
            group: served.kind.group.clone(),
            kind: served.kind.kind.clone(),
            plural: served.plural.clone(),
            namespaced: served.scope == Scope::Namespaced,
            versions: served.versions.clone(),
            listed: listed.contains(&served.kind),
        };
        let gap = |gap: &FactGap| Gap {
            what: gap.what.clone(),
            reason: gap.reason.clone(),
        };
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            kubernetes: of.version.to_string(),
            encrypted_to: of.recipients.to_vec(),
            gaps: of.gaps.iter().map(gap).collect(),
            resources: of.kinds.0.values().map(resource).collect(),
            objects,
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Whether a file looks like a table of contents, of whatever version.
    pub fn is_one(text: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        serde_json::from_slice::<Head>(text).is_ok_and(|head| head.format == FORMAT)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is damaged, or of a version that is not known here.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let head: Head = serde_json::from_slice(text).map_err(|error| format!("it is damaged: {error}"))?;
        if head.version != VERSION {
            return Err(format!(
                "it has version {}, and this program reads version {VERSION}",
                head.version
            ));
        }
        let contents: Self = serde_json::from_slice(text).map_err(|error| format!("it is damaged: {error}"))?;
        match contents.kubernetes.parse::<KubeVersion>() {
            Ok(_) => Ok(contents),
            Err(error) => Err(format!("it is damaged: {error}")),
        }
    }

    /// Version of the server.
    pub fn kubernetes(&self) -> Option<KubeVersion> {
        self.kubernetes.parse().ok()
    }

    /// What the server served.
    pub fn kinds(&self) -> ServedKinds {
        let served = |one: &Resource| {
            let kind = GroupKind::new(&*one.group, &*one.kind);
            let served = ServedKind {
                kind: kind.clone(),
                plural: one.plural.clone(),
                scope: match one.namespaced {
                    true => Scope::Namespaced,
                    false => Scope::Cluster,
                },
                versions: one.versions.clone(),
                watchable: one.listed,
            };
            (kind, served)
        };
        ServedKinds(self.resources.iter().map(served).collect())
    }

    /// Kinds of which all objects are there.
    pub fn listed(&self) -> impl Iterator<Item = GroupKind> {
        let listed = self.resources.iter().filter(|one| one.listed);
        listed.map(|one| GroupKind::new(&*one.group, &*one.kind))
    }

    /// What could not be read.
    pub fn gaps(&self) -> impl Iterator<Item = FactGap> {
        self.gaps.iter().map(|gap| FactGap {
            what: gap.what.clone(),
            reason: gap.reason.clone(),
        })
    }
}

impl Entry {
    pub(super) fn new(id: &ObjectId, piece: &Piece, standing: Option<&Standing>) -> Self {
        let (owned_by, built_in) = match standing {
            None | Some(Standing::Own) => (None, None),
            Some(Standing::Owned(owner)) => (Some(Id::from(owner)), None),
            Some(Standing::BuiltIn(rule)) => (None, Some(rule.clone())),
        };
        Self {
            id: Id::from(id),
            file: piece.file.clone(),
            owned_by,
            built_in,
            values: piece.values.map(|values| match values {
                Values::LeftOut => Word::LeftOut,
                Values::Encrypted => Word::Encrypted,
            }),
        }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::from(&self.id)
    }

    /// What it is by itself.
    pub fn standing(&self) -> Standing {
        match (&self.owned_by, &self.built_in) {
            (Some(owner), _) => Standing::Owned(owner.into()),
            (None, Some(rule)) => Standing::BuiltIn(rule.clone()),
            (None, None) => Standing::Own,
        }
    }

    /// Of what holds secrets: where its values are.
    pub fn values(&self) -> Option<Values> {
        self.values.map(|word| match word {
            Word::LeftOut => Values::LeftOut,
            Word::Encrypted => Values::Encrypted,
        })
    }
}

impl From<&ObjectId> for Id {
    fn from(id: &ObjectId) -> Self {
        Self {
            group: id.group.clone(),
            kind: id.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }
    }
}

impl From<&Id> for ObjectId {
    fn from(id: &Id) -> Self {
        ObjectId::new(&*id.group, &*id.kind, id.namespace.as_deref(), &*id.name)
    }
}
