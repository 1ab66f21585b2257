//! What happens to live objects, from their metadata: for whoever keeps an audit up to date.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::Semaphore;

use super::ask;
use super::listed::{Column, Metadata, Row, Summed, type_column};
use super::live::Page;
use super::watch::{Form, Watching};
use super::wire::{METADATA_LIST, null_is_default};
use super::{Cluster, Endpoint};
use crate::object::{LiveObject, ObjectId};

/// `Accept` of watches.
const WATCH: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// Of Secrets tables, which have the types, else metadata alone. No other form is accepted: no values leave the server.
const SECRETS: &str =
    "application/json;as=Table;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const SECRETS_WATCH: &str =
    "application/json;as=Table;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// A live object as it is now.
#[derive(Debug, Clone)]
pub struct Sighted {
    /// Which object.
    pub id: ObjectId,
    /// The object, without what its managers own, and its mark; `None` when it was deleted.
    pub object: Option<(LiveObject, Mark)>,
}

/// What tells whether an object changed beside its status, without the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// `metadata.generation`; 0 for kinds that have none.
    pub generation: i64,
    /// Sum over its metadata and over who owns which fields, status and resource version left out.
    pub content: u64,
    /// Sum over who owns which fields of its status.
    pub status: u64,
}

impl Mark {
    /// Whether an object that had this mark was written to, and only its status was. A kind without a generation may have been
    /// written to by the same manager twice within a second, which only the resource version tells: that is no change of the status.
    pub fn is_only_status(self, before: Self) -> bool {
        let same = self.generation == before.generation && self.content == before.content;
        same && (self.generation > 0 || self.status != before.status)
    }
}

impl Cluster {
    /// Watches the objects of a kind by their metadata, in one namespace or in all, beginning with those that are there; of Secrets
    /// the type too. `known`: the objects that are thought to be there, with their uids; what of them is not is told as gone. `lists`:
    /// how many may list at a time. Otherwise as [`watch`](Self::watch).
    pub fn watch_live(
        &self,
        at: &Endpoint,
        namespace: Option<&str>,
        known: impl IntoIterator<Item = (ObjectId, String)>,
        lists: &Arc<Semaphore>,
    ) -> Watching<Sighted> {
        let known = known
            .into_iter()
            .map(|(id, uid)| ((id.namespace.unwrap_or_default(), id.name), uid));
        let known: HashMap<_, _> = known.collect();
        let form = Live {
            is_secret: at.is_secret(),
            types: None,
        };
        self.watch_as(form, at, namespace, known, Some(Arc::clone(lists)))
    }
}

/// Metadata.
struct Live {
    is_secret: bool,
    /// The column of tables that has the types: only the first table of a watch names its columns.
    types: Option<usize>,
}

/// The object of an event: its metadata, or a table with one row.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    metadata: Metadata<Summed>,
    #[serde(default, deserialize_with = "null_is_default")]
    column_definitions: Vec<Column>,
    #[serde(default = "Vec::new", deserialize_with = "null_is_default")]
    rows: Vec<Row<Summed>>,
}

impl Form for Live {
    type Page = Page<Summed>;
    type Event = Event;
    type Sent = (Metadata<Summed>, String);
    type Told = Sighted;

    fn accept(&self) -> (&'static str, &'static str) {
        match self.is_secret {
            true => (SECRETS, SECRETS_WATCH),
            false => (METADATA_LIST, WATCH),
        }
    }

    fn page(&mut self, page: Page<Summed>) -> ask::Listed<Self::Sent> {
        let next = Some(page.metadata.next.clone()).filter(|text| !text.is_empty());
        let resource_version = page.metadata.resource_version.clone();
        let typed = page.into_typed(&mut self.types);
        ask::Listed {
            items: typed
                .map(|(listed, secret_type)| (listed.metadata, secret_type))
                .collect(),
            next,
            resource_version,
        }
    }

    fn event(&mut self, event: Event) -> Option<(String, Self::Sent)> {
        self.types = type_column(&event.column_definitions).or(self.types);
        let row = event.rows.into_iter().next().map(|row| row.typed(self.types));
        let (metadata, secret_type) = match row {
            Some((listed, secret_type)) => (listed.metadata, secret_type),
            None => (event.metadata, String::new()),
        };
        let version = metadata.resource_version.clone();
        (!version.is_empty()).then_some((version, (metadata, secret_type)))
    }

    fn identity((metadata, _): &Self::Sent) -> (String, String, String) {
        (metadata.namespace.clone(), metadata.name.clone(), metadata.uid.clone())
    }

    fn told(&self, id: ObjectId, (metadata, secret_type): Self::Sent, deleted: bool) -> Sighted {
        let mark = metadata.mark();
        let object = (!deleted).then(|| (metadata.into_live(secret_type), mark));
        Sighted { id, object }
    }

    fn gone(&self, id: ObjectId, _: String) -> Sighted {
        Sighted { id, object: None }
    }
}
