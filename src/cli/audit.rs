//! `refloat audit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{PastArgs, SourceArgs, TargetArgs};

/// What `refloat help audit` says first.
pub(super) const ABOUT: &str = "\
Find what was made or changed by hand, and what is missing\n\n\
Compares a live cluster with what the repository declares and ever declared. \
Says of each object that differs what it is, who wrote it, with what and \
when, and which command puts it right. Nothing is written. Ends with exit \
code 3 if anything was found or could not be read.";

/// Find what was made or changed by hand, and what is missing.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AuditArgs {
    /// What to compare with.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How far back.
    #[command(flatten)]
    pub past: PastArgs,
    /// Which cluster.
    #[command(flatten)]
    pub target: TargetArgs,

    /// Compare offline, without asking the server what an apply would change
    ///
    /// Dry runs change nothing, but they need the right to patch and update.
    #[arg(long, help_heading = "Audit")]
    pub no_dry_run: bool,

    /// Audit log of the API server: JSON lines, also gzipped; may be given more
    /// than once
    ///
    /// Only it can tell users, and who deleted an object or removed a field.
    /// With --watch files that are not gzipped are followed.
    #[arg(long, value_name = "FILE", help_heading = "Audit")]
    pub audit_log: Vec<PathBuf>,

    /// Exit with 3 for these verdicts only [default: any]
    ///
    /// Several with commas, or the flag more than once.
    ///
    /// What could not be read ends with 3 all the same.
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', value_parser = verdicts(), help_heading = "Audit")]
    pub fail_on: Vec<String>,

    /// Do not end: tell what comes, changes and goes from now on, within 2 s
    ///
    /// The cluster is watched. The repository is asked every 30 s, and before
    /// anything is told, whether it moved; not if --rev is a commit id or with
    /// --at. Ctrl-C ends it with exit code 130, after saying what is still open.
    /// --report and --write-ignore are about the audit at the beginning.
    #[arg(long, help_heading = "Watch")]
    pub watch: bool,

    /// Post what is found as JSON to a webhook
    ///
    /// The audit, if it ends with 3, and with --watch each divergence; with
    /// --fail-on those of these verdicts. It is sent again until it arrives, for
    /// some minutes. The address is never shown but for its host.
    #[arg(
        long,
        value_name = "URL",
        env = "REFLOAT_NOTIFY",
        hide_env_values = true,
        help_heading = "Watch"
    )]
    pub notify: Option<String>,

    /// Write a .refloatignore that would hide what was found, to be read and
    /// given reasons
    #[arg(long, value_name = "FILE", help_heading = "Audit")]
    pub write_ignore: Option<PathBuf>,

    /// How the findings are printed; with --watch human, or json: one event a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: AuditOutput,

    /// Also write the report to a file: by its name JSON (.json), SARIF (.sarif),
    /// HTML (.html) or text
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// The verdicts that findings have.
fn verdicts() -> [&'static str; 6] {
    [
        "never-in-git",
        "managed-undeclared",
        "drifted",
        "missing",
        "removed-from-git",
        "not-reached",
    ]
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AuditOutput {
    /// For people: by verdict and namespace, worst first
    #[default]
    Human,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// One page, to be opened in a browser
    Html,
}

const AFTER_HELP: &str = "\
Examples:
  refloat audit ./gitops --path clusters/production
  refloat audit ./gitops --audit-log /var/log/kubernetes/audit.log
  refloat audit ./gitops --fail-on never-in-git --output json
  refloat audit ./gitops --report audit.html
  refloat audit ./gitops --watch --notify https://hooks.example.com/drift";
