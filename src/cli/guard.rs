//! `refloat __guard`: not for people.

use clap::Args;

/// What the control plane gives its guard; only `control_plane` knows the meaning.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct GuardArgs {
    /// All of it, as it stands.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}
