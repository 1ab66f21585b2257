//! A throwaway control plane on this machine, without containers: real etcd, kube-apiserver, kube-controller-manager and
//! kube-scheduler; KWOK for the kubelets; and refloat for everything that webhooks call.
//!
//! | file | what it does |
//! |---|---|
//! | `obtain`, `cache`, `download`, `build` | where the programs come from |
//! | `certificates`, `parts`, `folder`, `simulate`, `stages` | what they are given |
//! | `start`, `owner` | starts them through the guard, waits until they serve, stops them |
//! | `guard` | the child that owns them and ends them whatever happens |
//! | `egress`, `answer`, `injector` | the simulated backends behind webhooks, hosted by the guard |
//!
//! Everything is in one folder, which is the user's alone and is removed at the end. Only the API server listens on a
//! port (of 127.0.0.1, with client certificates); all else goes over Unix sockets in that folder. Nothing calls out of
//! the machine.
//!
//! Ready in some 3 s, of which the API server takes nearly all; the other parts start when it serves, since they would
//! only wait for it with growing pauses.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

mod answer;
mod build;
mod cache;
mod certificates;
mod download;
mod egress;
mod folder;
pub mod guard;
mod injector;
pub mod obtain;
mod owner;
mod parts;
mod simulate;
mod stages;
mod start;

pub use obtain::{Obtained, Sources};
pub use owner::{ControlPlane, Kept};
pub use parts::{Part, Program};
pub use start::start;

/// The version of Kubernetes that a control plane has unless another is asked for.
pub const KUBERNETES_VERSION: &str = "v1.37.2";
/// The version of etcd, whatever that of Kubernetes.
pub const ETCD_VERSION: &str = "v3.7.0";
/// The version of KWOK, whatever that of Kubernetes.
pub const KWOK_VERSION: &str = "v0.8.0";

/// What sort of control plane.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the programs may come from.
    pub sources: Sources,
    /// The version of Kubernetes, `v1.37.2`; without it, that of the programs in [`Sources::folder`], else
    /// [`KUBERNETES_VERSION`].
    pub version: Option<String>,
    /// Files of KWOK Stages beside refloat's own. Those of a kind that is not served yet play as soon as it is.
    pub simulate: Vec<PathBuf>,
    /// Whether the API server logs its requests (level Metadata, when received and when answered): [`ControlPlane::request_log`].
    pub request_log: bool,
    /// The refloat program, for the guard; without it, the running program.
    pub guard_exe: Option<PathBuf>,
    /// More arguments of the API server; of one given twice, the last counts.
    pub api_server_args: Vec<String>,
    /// Where etcd keeps its data; without it, in the folder that is removed at the end.
    pub etcd_folder: Option<PathBuf>,
    /// How many nodes.
    pub nodes: u32,
    /// More labels of every node.
    pub node_labels: BTreeMap<String, String>,
    /// How long starting may take, once the programs are there.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            sources: Sources::default(),
            version: None,
            simulate: Vec::new(),
            request_log: false,
            guard_exe: None,
            api_server_args: Vec::new(),
            etcd_folder: None,
            nodes: 3,
            node_labels: BTreeMap::new(),
            timeout: Duration::from_secs(120),
        }
    }
}

/// What is going on while a control plane is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something is not as it should be, and goes on otherwise.
    Warning(String),
    /// One source does not have a program; the next is tried.
    Unavailable(String),
    /// Another process is filling this folder; it is waited for.
    Waiting(PathBuf),
    /// A program is being downloaded: bytes so far and, if known, in all.
    Downloading {
        /// Which.
        part: Part,
        /// Bytes.
        so_far: u64,
        /// Bytes.
        total: Option<u64>,
    },
    /// Go builds this, which takes minutes.
    Building(&'static str),
    /// A part was started.
    Starting(Part),
    /// The control plane is ready, this long after its first part was started.
    Ready(Duration),
}

impl std::fmt::Display for Progress {
    /// One line for people. Downloads are told in tenths, so that equal texts in a row can be told once.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Progress::Warning(text) => f.write_str(text),
            Progress::Unavailable(text) => write!(f, "{text}; trying the next source"),
            Progress::Waiting(folder) => {
                write!(f, "another refloat is filling {}; waiting for it", folder.display())
            }
            Progress::Downloading { part, so_far, total } => match total.filter(|total| *total > 0) {
                Some(total) => write!(f, "downloading {part}: {} %", so_far * 10 / total * 10),
                None => write!(f, "downloading {part}: {} MB", (so_far >> 20) / 10 * 10),
            },
            Progress::Building(what) => write!(f, "building {what} with Go; the first time takes some minutes"),
            Progress::Starting(part) => write!(f, "starting {part}"),
            Progress::Ready(after) => write!(f, "the control plane is ready after {:.1} s", after.as_secs_f64()),
        }
    }
}
