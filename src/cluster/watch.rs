//! Everything that happens to the objects of one kind, from the first list on.
//!
//! kube's watcher keeps more than is needed and decides itself when to give up; this one lists, watches from there, goes
//! on after the server restarts, and lists anew when the server no longer knows where we were (410). It keeps names and
//! uids only, to tell after a new list what was deleted in between.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::Cluster;
use super::ask::{Listed, Page};
use super::endpoint::Endpoint;
use super::live::{Cut, OBJECTS, PAGES, RESTARTS};
use super::wire::{Ask, Break, Broken, JSON, Status, Trouble, broken};
use crate::object::ObjectId;

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
    /// The object without managedFields; `None` when it was deleted.
    pub value: Option<Value>,
}

/// What a watch tells.
#[derive(Debug, Clone)]
pub enum WatchEvent<T = Observed> {
    /// An object is there, changed, or is gone.
    Observed(T),
    /// Everything that was there has been told; comes again after each new list.
    Listed,
    /// The connection is lost and is being made anew; said once per interruption.
    Interrupted(String),
    /// The connection is there again.
    Resumed,
    /// The server will not tell (403, or a kind that cannot be watched); the stream ends.
    Refused(String),
}

/// A stream of [`WatchEvent`]s; dropping it ends the watch.
#[derive(Debug)]
pub struct Watching<T = Observed> {
    events: mpsc::Receiver<WatchEvent<T>>,
    task: AbortHandle,
}

impl<T> Watching<T> {
    /// The next event; `None` after [`WatchEvent::Refused`].
    pub async fn next(&mut self) -> Option<WatchEvent<T>> {
        self.events.recv().await
    }
}

impl<T> Stream for Watching<T> {
    type Item = WatchEvent<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent<T>>> {
        self.events.poll_recv(cx)
    }
}

impl<T> Drop for Watching<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// In which form a watch asks for objects, and what it tells of them.
pub(super) trait Form: Send + Sync + 'static {
    /// One page of a list.
    type Page: DeserializeOwned + Send;
    /// The object of an event.
    type Event: DeserializeOwned + Send;
    /// An object as it was sent.
    type Sent: Send;
    /// What is told of an object.
    type Told: Send + 'static;

    /// `Accept` of lists, and of watches.
    fn accept(&self) -> (&'static str, &'static str);

    /// What a page holds.
    fn page(&mut self, page: Self::Page) -> Listed<Self::Sent>;

    /// The version that an event is of, and the object, which of a bookmark means nothing.
    fn event(&mut self, event: Self::Event) -> Option<(String, Self::Sent)>;

    /// Namespace ("" for cluster-scoped), name and uid.
    fn identity(sent: &Self::Sent) -> (String, String, String);

    /// What is told of an object that is there, or was until now.
    fn told(&self, id: ObjectId, sent: Self::Sent, deleted: bool) -> Self::Told;

    /// What is told of an object that went unseen.
    fn gone(&self, id: ObjectId, uid: String) -> Self::Told;
}

impl Cluster {
    /// Watches all objects of a kind, in one namespace or in all, beginning with those that are there. Must be called within
    /// a tokio runtime. At most 256 events are buffered; a slow reader slows the watch down, nothing is lost.
    pub fn watch(&self, at: &Endpoint, namespace: Option<&str>) -> Watching {
        let form = Whole { at: at.clone() };
        self.watch_as(form, at, namespace, HashMap::new(), None)
    }

    /// Likewise in this form. `known`: what is thought to be there, by namespace and name; what of it is not is told as gone.
    /// `lists`: how many may list at a time.
    pub(super) fn watch_as<F: Form>(
        &self,
        form: F,
        at: &Endpoint,
        namespace: Option<&str>,
        known: HashMap<(String, String), String>,
        lists: Option<Arc<Semaphore>>,
    ) -> Watching<F::Told> {
        let (events, receiver) = mpsc::channel(256);
        let watch = Watch {
            cluster: self.clone(),
            at: at.clone(),
            namespace: namespace.map(str::to_owned),
            form,
            events,
            known,
            lists,
            pause: FIRST_PAUSE,
            restarts: 0,
            said: false,
            told: false,
        };
        Watching {
            events: receiver,
            task: tokio::spawn(watch.run()).abort_handle(),
        }
    }
}

/// Whole objects.
struct Whole {
    at: Endpoint,
}

impl Form for Whole {
    type Page = Page<Value>;
    type Event = Value;
    type Sent = Value;
    type Told = Observed;

    fn accept(&self) -> (&'static str, &'static str) {
        (JSON, JSON)
    }

    fn page(&mut self, page: Page<Value>) -> Listed<Value> {
        page.into()
    }

    fn event(&mut self, event: Value) -> Option<(String, Value)> {
        let version = event.pointer("/metadata/resourceVersion")?.as_str()?.to_owned();
        Some((version, event))
    }

    fn identity(sent: &Value) -> (String, String, String) {
        let text = |key: &str| sent["metadata"][key].as_str().unwrap_or_default().to_owned();
        (text("namespace"), text("name"), text("uid"))
    }

    fn told(&self, id: ObjectId, mut value: Value, deleted: bool) -> Observed {
        let (_, _, uid) = Self::identity(&value);
        let resource_version = value["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let generation = value["metadata"]["generation"].as_i64().unwrap_or_default();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
            if self.at.is_secret()
                && let Some(Value::Object(annotations)) = metadata.get_mut("annotations")
            {
                // It repeats the data.
                annotations.shift_remove(super::write::LAST_APPLIED);
            }
        }
        // The server leaves these out of lists.
        if let Value::Object(map) = &mut value {
            map.insert("apiVersion".into(), self.at.api_version().into());
            map.insert("kind".into(), self.at.kind.kind.as_str().into());
        }
        Observed {
            id,
            uid,
            generation,
            resource_version,
            value: (!deleted).then_some(value),
        }
    }

    fn gone(&self, id: ObjectId, uid: String) -> Observed {
        Observed {
            id,
            uid,
            generation: 0,
            resource_version: String::new(),
            value: None,
        }
    }
}

/// Nobody reads any more, or there is nothing more to say.
struct Over;

struct Watch<F: Form> {
    cluster: Cluster,
    at: Endpoint,
    namespace: Option<String>,
    form: F,
    events: mpsc::Sender<WatchEvent<F::Told>>,
    /// Namespace and name to uid.
    known: HashMap<(String, String), String>,
    lists: Option<Arc<Semaphore>>,
    pause: Duration,
    /// How often a list started over since one succeeded.
    restarts: usize,
    said: bool,
    /// A list has succeeded.
    told: bool,
}

#[derive(Deserialize)]
#[serde(bound = "E: DeserializeOwned")]
struct Line<E> {
    #[serde(rename = "type")]
    what: String,
    object: E,
}

impl<F: Form> Watch<F> {
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

    async fn tell(&self, event: WatchEvent<F::Told>) -> Result<(), Over> {
        self.events.send(event).await.map_err(|_| Over)
    }

    /// Lists everything; gives the version to watch from, `None` to list again.
    async fn list(&mut self) -> Result<Option<String>, Over> {
        let lists = self.lists.clone();
        let mut before = self.known.clone();
        let listed = {
            // Nobody closes it.
            let _turn = match &lists {
                Some(lists) => lists.acquire().await.ok(),
                None => None,
            };
            self.pages(&mut before).await?
        };
        let version = match listed {
            Ok(version) => version,
            Err(cut) => return self.cut(cut).await.map(|()| None),
        };
        for ((namespace, name), uid) in before {
            let id = self.at.id(Some(&namespace), &name);
            self.known.remove(&(namespace, name));
            self.tell(WatchEvent::Observed(self.form.gone(id, uid))).await?;
        }
        self.well().await?;
        self.restarts = 0;
        self.told = true;
        self.tell(WatchEvent::Listed).await?;
        Ok(Some(version))
    }

    /// Tells all pages of a list, taking what is there out of `before`.
    async fn pages(&mut self, before: &mut HashMap<(String, String), String>) -> Result<Result<String, Cut>, Over> {
        let (accept, _) = self.form.accept();
        let mut next: Option<String> = None;
        let (mut pages, mut objects) = (0, 0);
        loop {
            let (cluster, at) = (self.cluster.clone(), self.at.clone());
            let page = cluster.page(&at, self.namespace.as_deref(), accept, next.as_deref());
            let page = match page.await {
                Ok(page) => self.form.page(page),
                Err(trouble) => return Ok(Err(Cut::Trouble(trouble))),
            };
            pages += 1;
            objects += page.items.len();
            for sent in page.items {
                let (namespace, name, _) = F::identity(&sent);
                before.remove(&(namespace, name));
                let told = self.observed(sent, false);
                self.tell(WatchEvent::Observed(told)).await?;
            }
            if page.next.is_none() {
                return Ok(Ok(page.resource_version));
            }
            if page.next == next || pages >= PAGES || objects >= OBJECTS {
                return Ok(Err(Cut::TooLong(objects)));
            }
            next = page.next;
        }
    }

    /// Before a list starts over; ends the stream if it does not end, or again and again has no snapshot to be cut from (410).
    async fn cut(&mut self, cut: Cut) -> Result<(), Over> {
        let gone = cut.code() == 410;
        match cut {
            Cut::Trouble(trouble) if !gone => self.trouble(trouble).await,
            Cut::Trouble(_) if self.restarts < RESTARTS => {
                self.restarts += 1;
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                Ok(())
            }
            cut => {
                self.tell(WatchEvent::Refused(cut.to_string())).await?;
                Err(Over)
            }
        }
    }

    /// Watches from a version on; gives the version to go on from, `None` to list again.
    async fn follow(&mut self, mut version: String) -> Result<Option<String>, Over> {
        let ask = Ask::get(format!(
            "{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}",
            self.at.collection(self.namespace.as_deref())
        ))
        .accept(self.form.accept().1);
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
        self.resumed().await?;
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
                    Next::At(next) => version = next,
                    Next::Again => return Ok(None),
                    Next::Nothing => {}
                }
            }
        }
    }

    async fn line(&mut self, line: &[u8]) -> Result<Next, Over> {
        // Half a line at the end of a broken connection is told again by the next watch.
        let Ok(Line { what, .. }) = serde_json::from_slice::<Line<IgnoredAny>>(line) else {
            return Ok(Next::Nothing);
        };
        if what == "ERROR" {
            let status = serde_json::from_slice::<Line<Status>>(line).map(|line| line.object);
            let status = status.unwrap_or_default();
            let expired = status.code == 410;
            self.trouble(Trouble::Refused(Box::new(status))).await?;
            return Ok(if expired { Next::Again } else { Next::Nothing });
        }
        self.well().await?;
        let event = serde_json::from_slice::<Line<F::Event>>(line).ok();
        let Some((version, sent)) = event.and_then(|line| self.form.event(line.object)) else {
            return Ok(Next::Nothing);
        };
        if what != "BOOKMARK" {
            let told = self.observed(sent, what == "DELETED");
            self.tell(WatchEvent::Observed(told)).await?;
        }
        Ok(Next::At(version))
    }

    fn observed(&mut self, sent: F::Sent, deleted: bool) -> F::Told {
        let (namespace, name, uid) = F::identity(&sent);
        let id = self.at.id(Some(&namespace), &name);
        if deleted {
            self.known.remove(&(namespace, name));
        } else {
            self.known.insert((namespace, name), uid);
        }
        self.form.told(id, sent, deleted)
    }

    async fn well(&mut self) -> Result<(), Over> {
        self.pause = FIRST_PAUSE;
        self.resumed().await
    }

    async fn resumed(&mut self) -> Result<(), Over> {
        if std::mem::take(&mut self.said) {
            self.tell(WatchEvent::Resumed).await?;
        }
        Ok(())
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

enum Next {
    At(String),
    Again,
    Nothing,
}

fn silent() -> Broken {
    Broken::new(Break::TimedOut, "the watch is silent")
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
