//! `refloat restore`.

use clap::Args;

use super::{ChangeArgs, Output, ReportArgs, RollbackArgs, RunArgs, SelectionArgs, SourceArgs, TargetArgs};

/// What `refloat help restore` says first.
pub(super) const ABOUT: &str = "\
Restore everything a repository declares into a cluster\n\n\
Everything is applied in the order in which it depends on each other: an \
object starts as soon as what it waits for is there. A failure stops only \
what depends on it. Nothing is deleted unless that is asked for. To stop, \
press Ctrl-C; the same command again goes on from there.\n\n\
On a terminal refloat asks before it writes to a cluster that is not fresh, \
and before it deletes.";

/// Restore everything a repository declares into a cluster.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RestoreArgs {
    /// What to restore.
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
    /// Whether the cluster is the right one.
    #[command(flatten)]
    pub right: RightClusterArgs,
    /// How.
    #[command(flatten)]
    pub run: RunArgs,
    /// Print the plan and stop
    #[arg(long, help_heading = "Run")]
    pub dry_run: bool,
    /// How it is told
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: Output,
    /// Where else it is told.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Whether the cluster is the right one.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct RightClusterArgs {
    /// Do not ask; for a cluster that is not fresh, --context must name it
    #[arg(long)]
    pub yes: bool,

    /// Restore over what another repository or place was restored from
    #[arg(long)]
    pub force_entry: bool,

    /// Do not take the Lease kube-system/refloat that keeps two restores apart
    #[arg(long)]
    pub no_lease: bool,
}

const AFTER_HELP: &str = "\
Examples:
  Everything, into the current context:
    refloat restore ./gitops --path clusters/production

  The payments of the bank before its wiki:
    refloat restore ./gitops --first payments

  Only one namespace and what it needs, as it was on a day:
    refloat restore ./gitops --only payments --at 2026-11-20

  Back to the commit before, and away with what came since:
    refloat restore ./gitops --rev HEAD~1 --prune-removed

  In a pipeline:
    refloat restore https://git.example.com/gitops.git --rev v42 \\
      --context prod-2 --yes --output json --report restore.json";
