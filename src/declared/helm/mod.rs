//! Helm charts: where they come from, in which version, with which values, and what is kept of their releases.
//!
//! [`Charts::get`] gives a chart as a file or folder on this machine; [`Charts::complete`] brings what a chart in the repository needs
//! from elsewhere. The values are put together by [`merge`], [`of_flux`], [`set_parameter`] and [`set_file`]. After a release was
//! installed, [`Record`] is what Helm keeps of it, and [`status`] what Flux's helm-controller notes.

mod cache;
mod charts;
mod credentials;
mod dependencies;
mod files;
mod go_json;
#[cfg(test)]
mod golden;
mod ignore;
mod index;
mod live;
mod observed;
mod record;
mod recorded_chart;
mod registry;
mod set;
mod snapshot;
mod tokens;
mod values;
mod version;
mod wanted;

pub use charts::Charts;
pub use credentials::{Configuration, Credentials};
pub use dependencies::Dependency;
pub use files::Files;
pub use live::{status_of_known, with_live_values};
pub use observed::observe;
pub use record::{Document, Record, Release, documents};
pub use snapshot::{config_digest, snapshot, status, version_of_artifact};
pub use values::{Data, Values, ValuesCause, ValuesError, ValuesFrom, merge, of_flux, parse, set_file, set_parameter};
pub(super) use version::{Range, Version};
pub use wanted::{Artifact, ArtifactRef, CHART_LAYER, ChartRef, ChartSource, Fetched, NotObtained, Reference};
