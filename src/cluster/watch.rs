//! Everything that happens to the objects of one kind, from the first list on.
//!
//! kube's watcher keeps more than is needed and decides itself when to give up; this one lists, watches from there, goes
//! on after the server restarts, and lists anew when the server no longer knows where we were (410). It keeps names and
//! uids only, to tell after a new list what was deleted in between.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Cluster;
use super::ask::Listed;
use super::endpoint::Endpoint;
use super::wire::{Ask, Break, Broken, JSON, METADATA_LIST, Status, Trouble, broken};
use crate::object::ObjectId;

/// `Accept` of a metadata-only watch.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// The server ends a watch after this long, and we begin the next.
const WATCH_SECONDS: u64 = 290;
/// Bookmarks come about once a minute; a watch that is silent for longer than this is dead.
const SILENCE: Duration = Duration::from_secs(150);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One object as it is now.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Which object.
    pub id: ObjectId,
    /// Its uid: another one means another object of the same name.
    pub uid: String,
    /// `metadata.generation`; 0 for kinds that have none.
    pub generation: i64,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// The object without managedFields; `None` when it was deleted. With `metadata_only`: apiVersion, kind and metadata.
    pub value: Option<Value>,
}

/// What a watch tells.
#[derive(Debug, Clone)]
pub enum WatchEvent {
    /// An object is there, changed, or is gone.
    Observed(Observed),
    /// Everything that was there has been told; comes again after each new list.
    Listed,
    /// The connection is lost and is being made anew; said once per interruption.
    Interrupted(String),
    /// The server will not tell (403, or a kind that cannot be watched); the stream ends.
    Refused(String),
}

/// A stream of [`WatchEvent`]s; dropping it ends the watch.
#[derive(Debug)]
pub struct Watching {
    events: mpsc::Receiver<WatchEvent>,
    task: AbortHandle,
}

impl Watching {
    /// The next event; `None` after [`WatchEvent::Refused`].
    pub async fn next(&mut self) -> Option<WatchEvent> {
        self.events.recv().await
    }
}

impl Stream for Watching {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        self.events.poll_recv(cx)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cluster {
    /// Watches all objects of a kind, in one namespace or in all, beginning with those that are there. Must be called within
    /// a tokio runtime. At most 256 events are buffered; a slow reader slows the watch down, nothing is lost.
    pub fn watch(&self, at: &Endpoint, namespace: Option<&str>, metadata_only: bool) -> Watching {
        let (events, receiver) = mpsc::channel(256);
        let watch = Watch {
            cluster: self.clone(),
            at: at.clone(),
            namespace: namespace.map(str::to_owned),
            metadata_only,
            events,
            known: HashMap::new(),
            pause: FIRST_PAUSE,
            said: false,
            told: false,
        };
        Watching {
            events: receiver,
            task: tokio::spawn(watch.run()).abort_handle(),
        }
    }
}

/// Nobody reads any more, or there is nothing more to say.
struct Over;

struct Watch {
    cluster: Cluster,
    at: Endpoint,
    namespace: Option<String>,
    metadata_only: bool,
    events: mpsc::Sender<WatchEvent>,
    /// Namespace and name to uid.
    known: HashMap<(String, String), String>,
    pause: Duration,
    said: bool,
    /// A list has succeeded.
    told: bool,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    what: String,
    object: Value,
}

impl Watch {
    async fn run(mut self) {
        let mut version = None;
        loop {
            let step = match version.take() {
                None => self.list().await,
                Some(version) => self.follow(version).await,
            };
            match step {
                Ok(next) => version = next,
                Err(Over) => return,
            }
        }
    }

    async fn tell(&self, event: WatchEvent) -> Result<(), Over> {
        self.events.send(event).await.map_err(|_| Over)
    }

    /// Lists everything; gives the version to watch from, `None` to list again.
    async fn list(&mut self) -> Result<Option<String>, Over> {
        let accept = if self.metadata_only { METADATA_LIST } else { JSON };
        let mut before = self.known.clone();
        let mut next: Option<String> = None;
        loop {
            let (cluster, at) = (self.cluster.clone(), self.at.clone());
            let page = cluster.list_page::<Value>(&at, self.namespace.as_deref(), accept, next.as_deref());
            let Listed {
                items,
                next: more,
                resource_version,
            } = match page.await {
                Ok(page) => page,
                Err(trouble) => return self.trouble(trouble).await.map(|()| None),
            };
            for item in items {
                if let Some(observed) = self.observed(item, false) {
                    before.remove(&key(&observed.id));
                    self.tell(WatchEvent::Observed(observed)).await?;
                }
            }
            if more.is_none() {
                for ((namespace, name), uid) in before {
                    self.known.remove(&(namespace.clone(), name.clone()));
                    let id = self.at.id(Some(&namespace), &name);
                    let gone = Observed {
                        id,
                        uid,
                        generation: 0,
                        resource_version: String::new(),
                        value: None,
                    };
                    self.tell(WatchEvent::Observed(gone)).await?;
                }
                self.well();
                self.told = true;
                self.tell(WatchEvent::Listed).await?;
                return Ok(Some(resource_version));
            }
            next = more;
        }
    }

    /// Watches from a version on; gives the version to go on from, `None` to list again.
    async fn follow(&mut self, mut version: String) -> Result<Option<String>, Over> {
        let ask = Ask::get(format!(
            "{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}",
            self.at.collection(self.namespace.as_deref())
        ))
        .accept(if self.metadata_only { METADATA } else { JSON });
        let opened = tokio::time::timeout(self.cluster.request_timeout(), self.cluster.open(&ask)).await;
        let response = match opened {
            Ok(Ok(response)) => response,
            Ok(Err(broken)) => return self.trouble(broken.into()).await.map(|()| Some(version)),
            Err(_) => return self.trouble(silent().into()).await.map(|()| Some(version)),
        };
        let (parts, mut body) = response.into_parts();
        if !parts.status.is_success() {
            let whole = tokio::time::timeout(SILENCE, body.collect()).await;
            let body = whole
                .ok()
                .and_then(Result::ok)
                .map(|body| body.to_bytes())
                .unwrap_or_default();
            let status = Status::of(&super::wire::Reply {
                status: parts.status,
                headers: parts.headers,
                body,
            });
            let again = (status.code != 410).then_some(version);
            return self.trouble(Trouble::Refused(Box::new(status))).await.map(|()| again);
        }
        let mut lines = Lines::default();
        let began = tokio::time::Instant::now();
        loop {
            let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                // The server ended it, as agreed or because it stops: the next request shows which.
                Ok(None) => {
                    if began.elapsed() < LONGEST_PAUSE {
                        tokio::time::sleep(self.pause).await;
                        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                    }
                    return Ok(Some(version));
                }
                Ok(Some(Err(error))) => {
                    let broken = broken(&error);
                    return self.trouble(broken.into()).await.map(|()| Some(version));
                }
                Err(_) => return self.trouble(silent().into()).await.map(|()| Some(version)),
            };
            let Ok(data) = frame.into_data() else { continue };
            for line in lines.feed(&data) {
                match self.line(&line).await? {
                    Told::At(next) => version = next,
                    Told::Again => return Ok(None),
                    Told::Nothing => {}
                }
            }
        }
    }

    async fn line(&mut self, line: &[u8]) -> Result<Told, Over> {
        // Half a line at the end of a broken connection is told again by the next watch.
        let Ok(Line { what, object }) = serde_json::from_slice::<Line>(line) else {
            return Ok(Told::Nothing);
        };
        if what == "ERROR" {
            let status: Status = serde_json::from_value(object).unwrap_or_default();
            let expired = status.code == 410;
            self.trouble(Trouble::Refused(Box::new(status))).await?;
            return Ok(if expired { Told::Again } else { Told::Nothing });
        }
        self.well();
        let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        let Some(version) = version.map(str::to_owned) else {
            return Ok(Told::Nothing);
        };
        if what != "BOOKMARK"
            && let Some(observed) = self.observed(object, what == "DELETED")
        {
            self.tell(WatchEvent::Observed(observed)).await?;
        }
        Ok(Told::At(version))
    }

    fn observed(&mut self, mut value: Value, deleted: bool) -> Option<Observed> {
        let metadata = value.get_mut("metadata")?.as_object_mut()?;
        metadata.shift_remove("managedFields");
        if self.at.is_secret()
            && let Some(Value::Object(annotations)) = metadata.get_mut("annotations")
        {
            // It repeats the data.
            annotations.shift_remove(super::write::LAST_APPLIED);
        }
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (namespace, name, uid) = (text("namespace"), text("name"), text("uid"));
        let resource_version = text("resourceVersion");
        let generation = metadata.get("generation").and_then(Value::as_i64).unwrap_or_default();
        let id = self.at.id(Some(&namespace), &name);
        if deleted {
            self.known.remove(&key(&id));
        } else {
            self.known.insert(key(&id), uid.clone());
            // The server leaves these out of lists.
            if !self.metadata_only
                && let Value::Object(map) = &mut value
            {
                map.insert("apiVersion".into(), self.at.api_version().into());
                map.insert("kind".into(), self.at.kind.kind.as_str().into());
            }
        }
        Some(Observed {
            id,
            uid,
            generation,
            resource_version,
            value: (!deleted).then_some(value),
        })
    }

    fn well(&mut self) {
        self.pause = FIRST_PAUSE;
        self.said = false;
    }

    /// Waits before the next try, or ends the stream if there is no use in one.
    async fn trouble(&mut self, trouble: Trouble) -> Result<(), Over> {
        // 404: a kind that is just being established, or whose server is away. 410: too late, list again.
        // 401 and 403 of a server that told before: it restarts, and does not know its roles yet.
        let passes = matches!(trouble.code(), 404 | 410) || (self.told && matches!(trouble.code(), 401 | 403));
        if !trouble.passes() && !passes {
            self.tell(WatchEvent::Refused(trouble.to_string())).await?;
            return Err(Over);
        }
        if trouble.code() == 410 {
            return Ok(());
        }
        if !self.said {
            self.said = true;
            self.tell(WatchEvent::Interrupted(trouble.to_string())).await?;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

enum Told {
    At(String),
    Again,
    Nothing,
}

fn silent() -> Broken {
    Broken::new(Break::TimedOut, "the watch is silent")
}

fn key(id: &ObjectId) -> (String, String) {
    (id.namespace.clone().unwrap_or_default(), id.name.clone())
}

/// Cuts a stream of bytes into lines.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, data: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut parts = data.split(|byte| *byte == b'\n');
        // split gives at least one part; the last one has no newline behind it.
        let mut part = parts.next().unwrap_or_default();
        for next in parts {
            self.rest.extend_from_slice(part);
            if !self.rest.is_empty() {
                lines.push(std::mem::take(&mut self.rest));
            }
            part = next;
        }
        self.rest.extend_from_slice(part);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_the_bytes_come() {
        let text = b"{\"a\":1}\n{\"b\":2}\n\n{\"c\":3}\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let all: Vec<_> = text.chunks(size).flat_map(|chunk| lines.feed(chunk)).collect();
            assert_eq!(all, [b"{\"a\":1}", b"{\"b\":2}", b"{\"c\":3}"], "chunks of {size}");
        }
    }
}
