//! The Lease `kube-system/refloat`: keeps two restores apart, and notes what was restored.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Cluster;
use super::wire::{Ask, JSON, Trouble, null_is_default};
use super::write::{Head, MERGE_PATCH};
use crate::object::{ObjectId, RestoreRecord, Texts};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const NAME: &str = "refloat";
/// After this long without being renewed a Lease may be taken over.
const DURATION: Duration = Duration::from_secs(15);
const RENEW_EVERY: Duration = Duration::from_secs(5);

const REPOSITORY: &str = "refloat.dev/repository";
const ENTRY: &str = "refloat.dev/entry";
const REVISION: &str = "refloat.dev/revision";
/// The commit that was restored before that one: what it declared may still be there.
const BEFORE: &str = "refloat.dev/revision-before";
/// Jobs that this restore saw complete, `namespace/name`, and other hooks that it deleted since, `Kind.group/namespace/name`, joined by
/// commas.
const COMPLETED: &str = "refloat.dev/completed-jobs";

/// Why the Lease could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseRefused {
    /// Another restore is running.
    Held {
        /// Who holds it.
        holder: String,
        /// Since when (RFC 3339), as the holder wrote it.
        since: String,
    },
    /// The credentials do not allow it; the server's words.
    Forbidden(String),
    /// The server refused for another reason, or did not answer.
    Failed(String),
}

impl fmt::Display for LeaseRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { holder, since } => write!(f, "another restore is running: {holder}, since {since}"),
            Self::Forbidden(reason) | Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl From<Trouble> for LeaseRefused {
    fn from(trouble: Trouble) -> Self {
        match trouble.code() {
            401 | 403 => Self::Forbidden(trouble.to_string()),
            _ => Self::Failed(trouble.to_string()),
        }
    }
}

/// The Lease, held and renewed until [`release`](Self::release). Dropped without that, it expires by itself.
#[derive(Debug)]
pub struct Lease {
    cluster: Cluster,
    holder: String,
    lost: watch::Receiver<Option<String>>,
    renewing: JoinHandle<()>,
    completed: Completed,
    /// Something was noted.
    noted: Arc<Notify>,
}

/// What this restore saw done and does not do again, as the annotation has it.
#[derive(Debug, Clone, Default)]
struct Completed(Arc<Mutex<BTreeSet<ObjectId>>>);

impl Completed {
    /// What an earlier run of the same restore noted; nothing of another commit or entry.
    fn of(found: Option<&Found>, record: &RestoreRecord) -> Self {
        let annotations = found.map(|found| &found.metadata.annotations);
        let same = annotations.and_then(recorded);
        let same = same.is_some_and(|earlier| earlier.same_restore(record));
        let noted = annotations.filter(|_| same).map(done).unwrap_or_default();
        Self(Arc::new(Mutex::new(noted)))
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeSet<ObjectId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The annotation's value.
    fn text(&self) -> String {
        let all = self.all();
        let names = all.iter().map(|id| match (id.is("batch", "Job"), &id.namespace) {
            (true, Some(namespace)) => format!("{namespace}/{}", id.name),
            (_, namespace) => format!(
                "{}/{}/{}",
                id.group_kind(),
                namespace.as_deref().unwrap_or_default(),
                id.name
            ),
        });
        names.collect::<Vec<_>>().join(",")
    }
}

/// What the annotation names.
fn done(annotations: &Texts) -> BTreeSet<ObjectId> {
    let noted = annotations.get(COMPLETED).map(String::as_str).unwrap_or_default();
    let id = |name: &str| {
        let parts: Vec<&str> = name.split('/').collect();
        match parts[..] {
            [namespace, name] => Some(ObjectId::new("batch", "Job", Some(namespace), name)),
            [kind, namespace, name] => {
                let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
                Some(ObjectId::new(
                    group,
                    kind,
                    Some(namespace).filter(|name| !name.is_empty()),
                    name,
                ))
            }
            _ => None,
        }
    };
    noted.split(',').filter_map(id).collect()
}

fn recorded(annotations: &Texts) -> Option<RestoreRecord> {
    Some(RestoreRecord {
        repository: annotations.get(REPOSITORY)?.clone(),
        entry: annotations.get(ENTRY)?.clone(),
        revision: annotations.get(REVISION).cloned().unwrap_or_default(),
        before: annotations.get(BEFORE).cloned().unwrap_or_default(),
    })
}

#[derive(Deserialize)]
struct Found {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_version: String,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: Texts,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(deserialize_with = "null_is_default")]
    holder_identity: String,
    #[serde(deserialize_with = "null_is_default")]
    acquire_time: String,
    renew_time: Option<Timestamp>,
    lease_duration_seconds: Option<i64>,
    #[serde(deserialize_with = "null_is_default")]
    lease_transitions: i64,
}

impl Spec {
    fn is_held_by_another(&self, holder: &str, now: Timestamp) -> bool {
        let duration = SignedDuration::from_secs(self.lease_duration_seconds.unwrap_or(15));
        let fresh = self
            .renew_time
            .is_some_and(|renewed| now.duration_since(renewed) < duration);
        !self.holder_identity.is_empty() && self.holder_identity != holder && fresh
    }
}

impl Lease {
    /// Takes the Lease and notes what is being restored. `holder` must be unique to this run. `force` takes it from whoever has it.
    ///
    /// # Errors
    /// Another restore holds it, it is not allowed, or the server did not answer.
    pub async fn acquire(
        cluster: &Cluster,
        holder: &str,
        record: &RestoreRecord,
        force: bool,
    ) -> Result<Self, LeaseRefused> {
        for _ in 0..5 {
            let found = cluster.lease().await?;
            let now = Timestamp::now();
            if let Some(found) = &found
                && found.spec.is_held_by_another(holder, now)
                && !force
            {
                return Err(LeaseRefused::Held {
                    holder: found.spec.holder_identity.clone(),
                    since: found.spec.acquire_time.clone(),
                });
            }
            let completed = Completed::of(found.as_ref(), record);
            let mut body = body(found.as_ref(), holder, record, now);
            body["metadata"]["annotations"][COMPLETED] = completed.text().into();
            let body = body.to_string();
            let ask = match found {
                None => Ask::with(Method::POST, PATH, JSON, body),
                Some(_) => Ask::with(Method::PATCH, format!("{PATH}/{NAME}"), MERGE_PATCH, body),
            };
            match cluster.read::<Head>(&ask).await {
                Ok(head) => return Ok(Self::hold(cluster, holder, head.metadata.resource_version, completed)),
                // Someone was quicker: look again.
                Err(trouble) if matches!(trouble.code(), 404 | 409) => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Err(LeaseRefused::Failed(
            "others keep writing the Lease kube-system/refloat".to_owned(),
        ))
    }

    fn hold(cluster: &Cluster, holder: &str, version: String, completed: Completed) -> Self {
        let (tell, lost) = watch::channel(None);
        let noted = Arc::new(Notify::new());
        let renewing = Renewing {
            cluster: cluster.clone(),
            holder: holder.to_owned(),
            version,
            completed: completed.clone(),
            noted: noted.clone(),
        };
        let renewing = tokio::spawn(renewing.run(tell));
        Self {
            cluster: cluster.clone(),
            holder: holder.to_owned(),
            lost,
            renewing,
            completed,
            noted,
        }
    }

    /// What an earlier run of this restore (same repository, entry and commit) saw done.
    pub fn done(&self) -> BTreeSet<ObjectId> {
        self.completed.all().clone()
    }

    /// Notes that a Job completed, or a hook whose object goes, so that it is not run again should this restore be continued, even
    /// where it is not there any more by then. Written at once.
    pub fn note_done(&self, id: &ObjectId) {
        if self.completed.all().insert(id.clone()) {
            self.noted.notify_one();
        }
    }

    /// Resolves with the reason when the Lease is lost: another took it, or it could not be renewed in time. Never
    /// resolves otherwise.
    pub fn lost(&self) -> impl Future<Output = String> + Send + 'static + use<> {
        let mut lost = self.lost.clone();
        async move {
            loop {
                let reason = lost.borrow_and_update().clone();
                if let Some(reason) = reason {
                    return reason;
                }
                if lost.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Gives the Lease back; what was restored stays noted. Does nothing if another holds it by now.
    ///
    /// # Errors
    /// The server refused or did not answer; the Lease then expires by itself.
    pub async fn release(self) -> Result<(), LeaseRefused> {
        self.renewing.abort();
        for _ in 0..3 {
            let Some(found) = self.cluster.lease().await? else {
                return Ok(());
            };
            if found.spec.holder_identity != self.holder {
                return Ok(());
            }
            let body = json!({
                "metadata": {
                    "resourceVersion": found.metadata.resource_version,
                    "annotations": {COMPLETED: self.completed.text()},
                },
                "spec": {"holderIdentity": null, "renewTime": null},
            });
            let ask = Ask::with(Method::PATCH, format!("{PATH}/{NAME}"), MERGE_PATCH, body.to_string());
            match self.cluster.read::<Head>(&ask).await {
                Ok(_) => return Ok(()),
                // Our own renewal was still under way.
                Err(trouble) if trouble.code() == 409 => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Cluster {
    async fn lease(&self) -> Result<Option<Found>, Trouble> {
        match self.read::<Found>(&Ask::get(format!("{PATH}/{NAME}"))).await {
            Ok(found) => Ok(Some(found)),
            Err(trouble) if trouble.code() == 404 => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// What an earlier restore noted; `None` if there was none or it may not be read.
    pub async fn record(&self) -> Option<RestoreRecord> {
        Some(self.noted().await?.0)
    }

    /// Likewise, with what it saw done.
    pub(super) async fn noted(&self) -> Option<(RestoreRecord, BTreeSet<ObjectId>)> {
        let annotations = self.lease().await.ok()??.metadata.annotations;
        Some((recorded(&annotations)?, done(&annotations)))
    }
}

/// The commit that was restored before this one from the same place, as far as it is noted.
fn before(found: &Found, record: &RestoreRecord) -> Option<String> {
    let earlier = recorded(&found.metadata.annotations).filter(|earlier| earlier.same_place(record))?;
    let before = match earlier.revision == record.revision {
        true => earlier.before,
        false => earlier.revision,
    };
    Some(before).filter(|before| !before.is_empty())
}

fn body(found: Option<&Found>, holder: &str, record: &RestoreRecord, now: Timestamp) -> Value {
    let transitions = found.map_or(0, |found| found.spec.lease_transitions + 1);
    let mut body = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": NAME,
            "namespace": "kube-system",
            "annotations": {
                REPOSITORY: record.repository,
                ENTRY: record.entry,
                REVISION: record.revision,
            },
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION.as_secs(),
            "acquireTime": micro(now),
            "renewTime": micro(now),
            "leaseTransitions": transitions,
        },
    });
    if let Some(found) = found {
        body["metadata"]["annotations"][BEFORE] = before(found, record).into();
        // Taken only as it was seen.
        body["metadata"]["resourceVersion"] = found.metadata.resource_version.clone().into();
    }
    body
}

/// A `MicroTime`.
fn micro(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// What renews the Lease.
struct Renewing {
    cluster: Cluster,
    holder: String,
    version: String,
    completed: Completed,
    noted: Arc<Notify>,
}

impl Renewing {
    /// Renews until the Lease is lost, then says why.
    async fn run(mut self, tell: watch::Sender<Option<String>>) {
        let mut renewed = Instant::now();
        loop {
            // What was noted is written at once: its object may be gone in a moment.
            let _ = tokio::time::timeout(RENEW_EVERY, self.noted.notified()).await;
            let noted = self.completed.text();
            let reason = match renew_once(&self.cluster, &self.holder, &self.version, &noted).await {
                Ok(next) => {
                    self.version = next;
                    renewed = Instant::now();
                    continue;
                }
                Err(Lost::Taken(by)) => format!("the Lease kube-system/refloat was taken by {by}"),
                Err(Lost::Perhaps(_)) if renewed.elapsed() + RENEW_EVERY < DURATION => continue,
                Err(Lost::Perhaps(why)) => format!("the Lease kube-system/refloat could not be renewed: {why}"),
            };
            let _ = tell.send(Some(reason));
            return;
        }
    }
}

enum Lost {
    /// By another.
    Taken(String),
    /// Not renewed this time, because …
    Perhaps(String),
}

async fn renew_once(cluster: &Cluster, holder: &str, version: &str, completed: &str) -> Result<String, Lost> {
    let mut version = version.to_owned();
    for _ in 0..2 {
        let body = json!({
            "metadata": {"resourceVersion": version, "annotations": {COMPLETED: completed}},
            "spec": {"renewTime": micro(Timestamp::now())},
        });
        let ask = Ask::with(Method::PATCH, format!("{PATH}/{NAME}"), MERGE_PATCH, body.to_string());
        let limit = RENEW_EVERY - Duration::from_secs(1);
        let sent = tokio::time::timeout(limit, cluster.read::<Head>(&ask)).await;
        match sent {
            Ok(Ok(head)) => return Ok(head.metadata.resource_version),
            Ok(Err(trouble)) if trouble.code() == 409 => {}
            Ok(Err(trouble)) => return Err(Lost::Perhaps(trouble.to_string())),
            Err(_) => return Err(Lost::Perhaps("no answer in time".to_owned())),
        }
        match cluster.lease().await {
            Ok(Some(found)) if found.spec.holder_identity == holder => version = found.metadata.resource_version,
            Ok(Some(found)) => return Err(Lost::Taken(format!("{:?}", found.spec.holder_identity))),
            Ok(None) => return Err(Lost::Taken("someone who deleted it".to_owned())),
            Err(trouble) => return Err(Lost::Perhaps(trouble.to_string())),
        }
    }
    Err(Lost::Perhaps("others keep writing it".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_until_it_expires() {
        let now: Timestamp = "2026-11-24T00:00:20Z".parse().expect("because it is RFC 3339");
        let held = |holder: &str, renewed: &str| {
            let spec = Spec {
                holder_identity: holder.to_owned(),
                renew_time: Some(renewed.parse().expect("because it is RFC 3339")),
                lease_duration_seconds: Some(15),
                ..Spec::default()
            };
            spec.is_held_by_another("me", now)
        };
        assert!(held("you", "2026-11-24T00:00:10Z"));
        assert!(held("you", "2026-11-24T00:00:30Z"), "because their clock may be ahead");
        assert!(!held("you", "2026-11-24T00:00:04Z"));
        assert!(!held("me", "2026-11-24T00:00:10Z"));
        assert!(!held("", "2026-11-24T00:00:10Z"));
        assert_eq!(micro(now), "2026-11-24T00:00:20.000000Z");
    }
}
