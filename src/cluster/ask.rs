//! Reading objects: one, or all of a kind.

use std::collections::BTreeMap;
use std::fmt;

use futures::{StreamExt, stream};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::Cluster;
use super::endpoint::{Endpoint, segment};
use super::wire::{Ask, JSON, METADATA_LIST, Trouble, null_is_default};
use crate::object::{FactGap, ObjectId, ServedKind, ServedKinds};

/// Objects in one page of a list, as kubectl asks.
pub(super) const PAGE: usize = 500;
/// How often a list starts over because its snapshot is gone from the server (410).
const RESTARTS: usize = 3;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// HTTP status, or 0 if the server did not answer at all.
    pub code: u16,
    /// The server's words, or ours.
    pub reason: String,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<Trouble> for NoAnswer {
    fn from(trouble: Trouble) -> Self {
        Self {
            code: trouble.code(),
            reason: trouble.to_string(),
        }
    }
}

/// Metadata of a live object, without annotations: `last-applied-configuration` may hold a Secret's content.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub namespace: String,
    pub uid: String,
    pub resource_version: String,
    #[serde(deserialize_with = "null_is_default")]
    pub generation: i64,
    pub deletion_timestamp: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub owner_references: Vec<serde::de::IgnoredAny>,
    #[serde(deserialize_with = "null_is_default")]
    pub managed_fields: Vec<Managed>,
}

/// Who manages fields, without the fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Managed {
    pub manager: String,
    pub subresource: String,
}

/// An object of which only the metadata matters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Partial {
    pub metadata: Metadata,
}

/// One page of a list as it is sent.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Page<T> {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default = "Vec::new", deserialize_with = "null_is_default")]
    items: Vec<T>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: String,
    resource_version: String,
}

/// One page of a list and where it goes on.
pub(super) struct Listed<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    pub resource_version: String,
}

impl<T> From<Page<T>> for Listed<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            items: page.items,
            next: Some(page.metadata.next).filter(|text| !text.is_empty()),
            resource_version: page.metadata.resource_version,
        }
    }
}

impl Cluster {
    /// One object as the server holds it; `None` if it is not there.
    ///
    /// # Errors
    /// The server refused or did not answer.
    pub async fn get(&self, at: &Endpoint, namespace: Option<&str>, name: &str) -> Result<Option<Value>, NoAnswer> {
        self.get_as(at, namespace, name).await.map_err(NoAnswer::from)
    }

    /// These objects as the server holds them, each in the version that it prefers. What is not there is left out; what could not
    /// be read is a gap.
    pub async fn get_all(
        &self,
        kinds: &ServedKinds,
        ids: impl IntoIterator<Item = ObjectId>,
    ) -> (BTreeMap<ObjectId, Value>, Vec<FactGap>) {
        let at = |id: ObjectId| Some((Endpoint::preferred(kinds.get(&id.group_kind())?)?, id));
        let asked = stream::iter(ids.into_iter().filter_map(at)).map(|(at, id)| async move {
            let answer = self.get(&at, id.namespace.as_deref(), &id.name).await;
            (id, answer)
        });
        let (mut found, mut gaps) = (BTreeMap::new(), Vec::new());
        for (id, answer) in asked.buffer_unordered(self.in_flight()).collect::<Vec<_>>().await {
            match answer {
                Ok(Some(value)) => _ = found.insert(id, value),
                Ok(None) => {}
                Err(why) => gaps.push(FactGap {
                    what: format!("get {id}"),
                    reason: why.reason,
                }),
            }
        }
        gaps.sort();
        (found, gaps)
    }

    /// Whether an object is there, in whatever version; what cannot be asked may be.
    pub(super) async fn may_be_there(&self, served: &ServedKind, id: &ObjectId) -> bool {
        let Some(at) = Endpoint::preferred(served) else {
            return true;
        };
        let read = self.get_as::<IgnoredAny>(&at, id.namespace.as_deref(), &id.name).await;
        !matches!(read, Ok(None))
    }

    pub(super) async fn get_as<T: DeserializeOwned>(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<T>, Trouble> {
        match self.read(&Ask::get(at.object(namespace, name))).await {
            Ok(value) => Ok(Some(value)),
            Err(Trouble::Refused(status)) if status.code == 404 => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// All objects of a kind as the server holds them, in one namespace or in all.
    ///
    /// # Errors
    /// The server refused or did not answer.
    pub async fn list(&self, at: &Endpoint, namespace: Option<&str>) -> Result<Vec<Value>, NoAnswer> {
        let mut all: Vec<Value> = self.list_as(at, namespace, JSON).await?;
        all.iter_mut().for_each(|value| at.complete(value));
        Ok(all)
    }

    /// All objects of a kind in a namespace that have a label of this value.
    ///
    /// # Errors
    /// The server refused or did not answer.
    pub async fn list_labelled(
        &self,
        at: &Endpoint,
        namespace: &str,
        (label, value): (&str, &str),
    ) -> Result<Vec<Value>, NoAnswer> {
        let (path, selector) = (at.collection(Some(namespace)), segment(&format!("{label}={value}")));
        let page: Page<Value> = self.read(&Ask::get(format!("{path}?labelSelector={selector}"))).await?;
        Ok(page.items)
    }

    pub(super) async fn list_metadata(&self, at: &Endpoint, namespace: Option<&str>) -> Result<Vec<Partial>, Trouble> {
        self.list_as(at, namespace, METADATA_LIST).await
    }

    async fn list_as<T: DeserializeOwned>(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        accept: &'static str,
    ) -> Result<Vec<T>, Trouble> {
        let mut restarts = 0;
        'over: loop {
            let (mut all, mut next) = (Vec::new(), None);
            loop {
                match self.page::<Page<T>>(at, namespace, accept, next.as_deref()).await {
                    Ok(page) => {
                        let page = Listed::from(page);
                        all.extend(page.items);
                        next = page.next;
                    }
                    // The snapshot that the pages are cut from is gone: a mix of two would miss objects.
                    Err(trouble) if trouble.code() == 410 && restarts < RESTARTS => {
                        restarts += 1;
                        continue 'over;
                    }
                    Err(trouble) => return Err(trouble),
                }
                if next.is_none() {
                    return Ok(all);
                }
            }
        }
    }

    /// One page of a list, the first one or the next.
    pub(super) async fn page<P: DeserializeOwned>(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        accept: &'static str,
        next: Option<&str>,
    ) -> Result<P, Trouble> {
        let path = page_path(at, namespace, PAGE, next);
        self.read(&Ask::get(path).accept(accept)).await
    }
}

/// The path of a page of a list, the first one or the next.
pub(super) fn page_path(at: &Endpoint, namespace: Option<&str>, limit: usize, next: Option<&str>) -> String {
    let mut path = format!("{}?limit={limit}", at.collection(namespace));
    if let Some(next) = next {
        path.push_str("&continue=");
        path.push_str(&segment(next));
    }
    path
}
