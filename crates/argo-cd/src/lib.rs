//! What Argo CD makes of its objects, worked out without a cluster, Git, a network or a process: values come in, values go out.
//!
//! It follows Argo CD 3.6 (commit `37ee0097cf85`). Each rule names the file of Argo CD's repository that it was read in, each test the test
//! there that states the same fact. Templates and globs are compared with the Go libraries themselves.
//!
//! - [`application`]: Applications, what their sources are and which files they read;
//! - [`appset`]: the Applications that ApplicationSets make;
//! - [`project`]: what AppProjects permit;
//! - [`sync`]: phases, waves, hooks, order and options of a sync;
//! - [`tracking`]: how objects are marked as those of an Application;
//! - [`template`]: Go templates with the functions that ApplicationSets have.
#![doc = ""]
#![doc = include_str!("differences.md")]

pub mod application;
pub mod appset;
mod environment;
mod error;
mod glob;
mod names;
mod object;
#[cfg(test)]
mod oracle;
mod paths;
pub mod project;
mod read;
pub mod sync;
pub mod template;
pub mod tracking;
mod url;

pub use environment::expanded;
pub use error::Error;
pub use names::normalized;
pub use url::{is_below, same_repository};
