//! `refloat plan`.

use clap::{Args, ValueEnum};

use super::{ChangeArgs, RollbackArgs, SelectionArgs, SourceArgs, TargetArgs};
use crate::object::KubeVersion;

/// What `refloat help plan` says first.
pub(super) const ABOUT: &str = "\
Show what a restore would do, in which order, and why\n\n\
Nothing is written. Says what the cluster lacks, what exists already and \
would change, what is held back, and what Git cannot bring back. Ends with \
exit code 3 if any of it would stay open.";

/// Show what a restore would do, in which order, and why.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PlanArgs {
    /// What to plan for.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Which part of it.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// What else may be done.
    #[command(flatten)]
    pub change: ChangeArgs,
    /// What is done beside when an older revision is restored.
    #[command(flatten)]
    pub rollback: RollbackArgs,
    /// Where to.
    #[command(flatten)]
    pub target: TargetArgs,

    /// Plan without a cluster, for a fresh one of this version, such as 1.37
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["kubeconfig", "context", "prune_removed", "suspend_engines"], help_heading = "Cluster")]
    pub kube_version: Option<KubeVersion>,

    /// Show only what this object waits for, and why: Deployment/shop/checkout
    #[arg(long, value_name = "OBJECT", help_heading = "Output")]
    pub why: Option<String>,

    /// How the plan is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: PlanOutput,

    /// List everything, also what is otherwise cut short
    #[arg(long, short = 'v', help_heading = "Output")]
    pub verbose: bool,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people: a tree with reasons
    #[default]
    Human,
    /// One JSON document
    Json,
    /// A graph for Graphviz
    Dot,
}

const AFTER_HELP: &str = "\
Examples:
  refloat plan ./gitops
  refloat plan ./gitops --why Deployment/shop/checkout
  refloat plan ./gitops --kube-version 1.37 --output dot | dot -Tsvg > plan.svg";
