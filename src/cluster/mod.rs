//! The cluster: the only room that knows kube.
//!
//! kube is used for what it does well: kubeconfigs, credentials, TLS. Requests are our own (`wire`), because kube's
//! request functions hide what is needed here: whether an object was created (201) or changed (200), warnings, Retry-After,
//! and answers that are not its own types.

mod again;
mod ask;
mod batch;
mod buffered;
mod clean;
mod client_side;
mod compare;
mod connect;
mod discover;
mod dry_run;
mod endpoint;
mod engines;
mod facts;
mod foreign;
mod lanes;
mod lease;
mod listed;
mod live;
mod merge;
mod protobuf;
mod proxy;
mod refusal;
mod rights;
mod scaled;
mod sight;
mod unknown;
mod watch;
mod whole;
mod wire;
pub mod write;

pub use ask::NoAnswer;
pub use clean::{Cleaned, Proof, Wanted};
pub use compare::{CompareOptions, Compared};
pub use connect::{Cluster, ConnectOptions};
pub use endpoint::Endpoint;
pub use facts::FactsOptions;
pub use lease::{Lease, LeaseRefused};
pub use live::{Listable, Listing, LiveOptions};
pub use scaled::{AUTOSCALERS, may_be_scaled};
pub use sight::{Mark, Sighted};
pub use watch::{Observed, WatchEvent, Watching};
pub use whole::{Make, Whole};
