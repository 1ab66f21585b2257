//! `refloat history`.

use clap::{Args, ValueEnum};

use super::{PastArgs, SourceArgs};
use crate::object::KubeVersion;

/// What `refloat help history` says first.
pub(super) const ABOUT: &str = "\
List the revisions of what a repository declares, and what each changed\n\n\
Newest first, along the main line: merges count as one step. Each has the id \
that `refloat restore --rev` takes. Objects are those written in the changed \
files; other files (values, kustomizations) are named. Needs no cluster.\n\n\
Without --path, and where a repository has several places to choose from, it is the \
history of all of it. What was read of the history of objects is kept in \
~/.cache/refloat/past, without any values.";

/// List the revisions of what a repository declares, and what each changed.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct HistoryArgs {
    /// Whose history, within which paths of it.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How far back.
    #[command(flatten)]
    pub past: PastArgs,

    /// Only the revisions that changed this object, with the fields:
    /// Deployment/shop/checkout
    ///
    /// Manifests that name no namespace are taken for one of any. Values of
    /// Secrets are not shown.
    #[arg(value_name = "OBJECT", help_heading = None)]
    pub object: Option<String>,

    /// At most so many revisions
    #[arg(long, value_name = "N", default_value = "20", value_parser = super::shared::at_least_one, help_heading = "Output")]
    pub limit: std::num::NonZeroUsize,

    /// For the newest N of them, compare what is declared after rendering
    ///
    /// So it shows what changed values and kustomizations did to objects. With
    /// OBJECT, those of the newest N that did something to it are listed.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "Output"
    )]
    pub render: usize,

    /// The Kubernetes version that charts are rendered for, such as 1.37
    /// [default: the newest refloat knows]
    #[arg(long, value_name = "VERSION", requires = "render", help_heading = "Source")]
    pub kube_version: Option<KubeVersion>,

    /// How the history is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: HistoryOutput,

    /// List everything, also what is otherwise cut short
    #[arg(long, short = 'v', help_heading = "Output")]
    pub verbose: bool,
}

/// How a history is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum HistoryOutput {
    /// For people: a list
    #[default]
    Human,
    /// One JSON document
    Json,
}

const AFTER_HELP: &str = "\
Examples:
  refloat history ./gitops --path clusters/production
  refloat history ./gitops Deployment/shop/checkout
  refloat history ./gitops --render 1
  refloat history ./gitops Deployment/shop/my-checkout --render 20
  refloat history ./gitops --output json | jq -r '.revisions[].id'

To go back to one of them:
  refloat restore ./gitops --rev ID";
