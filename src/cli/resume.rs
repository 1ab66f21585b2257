//! `refloat resume`.

use clap::Args;

use super::{Output, TargetArgs};

/// What `refloat help resume` says first.
pub(super) const ABOUT: &str = "\
Let the engines go on that a restore suspended\n\n\
Lifts what `restore --suspend-engines` suspended in a cluster, and only that: \
what was suspended in Git or by anybody else stays so. Do it once Git \
declares what you want: the engines sync it within minutes.";

/// Let the engines go on that a restore suspended.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ResumeArgs {
    /// Where.
    #[command(flatten)]
    pub target: TargetArgs,

    /// Print what would be resumed and stop
    #[arg(long, help_heading = "Run")]
    pub dry_run: bool,

    /// How it is told
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: Output,
}

const AFTER_HELP: &str = "\
Examples:
  refloat resume --context prod-2 --dry-run
  refloat resume --context prod-2";
