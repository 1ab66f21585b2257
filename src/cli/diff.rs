//! `refloat diff`.

use std::path::PathBuf;

use clap::Args;

use super::HistoryOutput;

/// What `refloat help diff` says first.
pub(super) const ABOUT: &str = "\
Compare two clusters, snapshots or revisions\n\n\
Says what was added, removed and changed from the first to the second. Each side is a snapshot, a cluster (cluster:CONTEXT), or what a repository \
declares (REPO or REPO@REV). Of what is live counts what somebody declared: \
not what belongs to another object, what the cluster makes by itself, status, \
or what the server fills in. Of Secrets it is said which keys differ, never a \
value. Nothing is written. Ends with exit code 3 if anything differs or could \
not be read.";

/// Compare two clusters, snapshots or revisions.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DiffArgs {
    /// What to compare: cluster: (the current context), cluster:CONTEXT, a
    /// snapshot, or a repository, at a revision with REPO@REV
    ///
    /// What looks like a cluster and is a folder is written ./cluster:x.
    #[arg(value_name = "A")]
    pub before: String,

    /// With what, likewise
    #[arg(value_name = "B")]
    pub after: String,

    /// Where the cluster is declared in a repository; may be given more than once
    #[arg(long, value_name = "PATH", help_heading = "Source")]
    pub path: Vec<String>,

    /// Namespace of objects that name none [default: default]
    #[arg(long, short = 'n', value_name = "NAME", help_heading = "Source")]
    pub namespace: Option<String>,

    /// Values file for Helm charts, a path in the repository; may be given more
    /// than once
    #[arg(long, value_name = "FILE", help_heading = "Source")]
    pub values: Vec<String>,

    /// A private key for what is encrypted with SOPS, in repositories and
    /// snapshots, as for `refloat restore`
    #[arg(long, value_name = "FILE", help_heading = "Source")]
    pub decryption_key: Vec<PathBuf>,

    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,

    /// How the difference is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: HistoryOutput,
}

const AFTER_HELP: &str = "\
Examples:
  refloat diff monday.tar.zst cluster:             what happened since
  refloat diff cluster:prod cluster:prod-2
  refloat diff ./gitops@v1.4 ./gitops@v1.5 --path clusters/production
  refloat diff ./gitops live.tar.zst --path clusters/production";
