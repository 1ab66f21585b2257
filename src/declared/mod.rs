//! From a tree to what it declares.
//!
//! An **entry** is chosen with `--path` or detected ([`entries`]). It falls into **units**: folders of manifests that are
//! read as they stand, kustomizations, charts, the folders of a Jenkins X `config-root`. Whatever is wrong with the input becomes a
//! [`Problem`] of its document, object or unit, and the rest goes on.
//!
//! What engines act on (Flux Kustomizations) is a unit too: it is followed to what the engine would make of it, which may yield
//! further units. Each dialect is a row in the table of `follow` and a file or folder of its own.
//!
//! A snapshot of a cluster ([`read_snapshot`]) declares what is in it and nobody else's; nothing in it is followed, since what engines made is in
//! it too.
//!
//! What other tools render (kluctl, Fleet, helmfile, ytt, jsonnet) is known by the table of `appliers`, and told.
//!
//! Charts are rendered last: their templates see the APIs that everything else in the set brings, and again what other charts
//! bring, until nothing is added.

mod appliers;
mod argo;
mod assembly;
mod chart;
mod charted;
mod crd;
mod decryption;
mod documents;
mod entry;
mod flux;
mod follow;
mod followed;
pub mod helm;
mod inputs;
mod ksops;
mod kustomization;
mod kustomize;
mod load;
mod packing;
mod parts;
mod plain;
mod release;
mod releases;
mod renderings;
mod sealed;
mod secrets;
mod snapshot;
mod sops_program;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use crate::object::ObjectId;
#[cfg(doc)]
use crate::object::Problem;

pub use argo::{CLUSTER_LABEL, ClusterParams, cluster_secret};
pub use entry::{Candidate, entries};
pub use inputs::Known;
pub use kustomization::is_name as is_kustomization;
pub use load::load;
pub use parts::{Dialect, config_root};
pub use renderings::Renderings;
pub use sealed::Sealing;
pub use secrets::{Keys, is_encrypted};
pub use snapshot::{Kept, Snapshot, declaration, is_snapshot, read_snapshot, statuses_are_data};

/// How a tree is read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Files and folders that together are the entry, from the tree's base or its root; none: it is detected.
    pub paths: Vec<String>,
    /// Release namespace of charts.
    pub namespace: String,
    /// Release name of charts; `None`: the chart's folder name (at the root, the chart's own).
    pub release: Option<String>,
    /// Values files for charts: from the tree's base, its root, or on this machine; later ones win.
    pub values: Vec<String>,
    /// Version of Kubernetes that charts see, such as `v1.33.1`; `None`: helm's own.
    pub kube_version: Option<String>,
    /// APIs that the target serves, as `group/version` and `group/version/Kind`, beside those that helm knows and those that the
    /// set brings.
    pub api_versions: Vec<String>,
    /// `kustomize` or `kubectl`, to render with instead of in process.
    pub kustomize: Option<PathBuf>,
    /// `helm`; `None`: the one on PATH.
    pub helm: Option<PathBuf>,
    /// Where the sources of engines are (a path or an address), by namespace and name.
    pub sources: BTreeMap<(String, String), String>,
    /// ConfigMaps and Secrets that units read, settings and projects of Argo CD, where nobody declares them.
    pub inputs: Known,
    /// Those that the target was asked for and that could not be read, and why.
    pub unread: BTreeMap<ObjectId, String>,
    /// Clusters that ApplicationSets know and nobody declares.
    pub clusters: Vec<ClusterParams>,
    /// Secrets of clusters that the target has, as [`cluster_secret`] leaves them, by the namespaces that were asked.
    pub live_clusters: BTreeMap<String, Vec<serde_json::Value>>,
    /// Private keys that open what is encrypted.
    pub keys: Keys,
    /// The keys of the controller of SealedSecrets.
    pub sealing: Sealing,
    /// When what is rendered is said to have been installed; whole seconds count.
    pub time: Timestamp,
    /// Gets charts from elsewhere.
    pub charts: Arc<helm::Charts>,
    /// What charts were rendered to before in this run.
    pub renderings: Arc<Renderings>,
}

/// Does something with each item on several threads; the results are in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const MOST_THREADS: usize = 8;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = cores.clamp(2, MOST_THREADS).min(items.len());
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::in_parallel;

    #[test]
    fn what_is_done_in_parallel_is_done_at_once_and_given_back_in_order() {
        let items: Vec<usize> = (0..20).collect();
        // The first two wait for each other.
        let (to_first, at_first) = std::sync::mpsc::channel();
        let (to_second, at_second) = std::sync::mpsc::channel();
        let (at_first, at_second, threads) = (Mutex::new(at_first), Mutex::new(at_second), Mutex::new(BTreeSet::new()));
        let done = in_parallel(&items, |item| {
            let longest = Duration::from_secs(30);
            let met = match item {
                0 => {
                    to_second.send(()).expect("because it waits");
                    at_first.lock().is_ok_and(|waits| waits.recv_timeout(longest).is_ok())
                }
                1 => {
                    to_first.send(()).expect("because it waits");
                    at_second.lock().is_ok_and(|waits| waits.recv_timeout(longest).is_ok())
                }
                _ => true,
            };
            let thread = format!("{:?}", std::thread::current().id());
            threads
                .lock()
                .map(|mut all| all.insert(thread))
                .expect("because nobody panics");
            (item * 2, met)
        });
        let expected: Vec<(usize, bool)> = items.iter().map(|item| (item * 2, true)).collect();
        assert_eq!(done, expected);
        assert!(threads.lock().expect("because nobody panics").len() > 1);
    }
}
