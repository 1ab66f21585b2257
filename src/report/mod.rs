//! What a run says: the same events and values for people, as JSON, and as progress bars.
//!
//! Everything is written to writers that are passed in. By custom the summary, the plan, rendered manifests and all JSON go
//! to standard output, everything else to standard error.

mod about;
mod audit;
mod diff;
mod drill;
mod exit;
mod export;
mod file;
mod gathered;
mod hints;
mod history;
mod human;
pub mod json;
mod preflight;
mod progress;
#[cfg(test)]
mod sample;
mod show;
mod snapshot;
mod summary;
mod tally;
mod text;
mod there;
mod tree;
mod words;
mod yaml;

pub use about::{About, about};
pub use audit::{Audited, divergences, revision, watched};
pub use diff::{Diff, SideOf};
pub use drill::{Verified, verified};
pub use exit::{counts_as_failure, exit_of, exit_of_audit};
pub use export::{Committed, Delivered, Exported, Requested};
pub use file::Report;
pub use history::{Detail, HistoryOf, history, history_end};
pub use human::Lines;
pub use preflight::{notes, problems};
pub use progress::Bars;
pub use show::{Show, Streams};
pub use snapshot::Taken;
pub use summary::summary;
pub use text::count;
pub use there::there;
pub use tree::{dot, named, tree, why};
pub use yaml::{Rendering, json_lines, yaml};
