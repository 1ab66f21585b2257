//! `refloat export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{PastArgs, SourceArgs, TargetArgs};

/// What `refloat help export` says first.
pub(super) const ABOUT: &str = "\
Turn what was done by hand into a change of the repository\n\n\
Audits the cluster, and finds for each thing that was made, changed or \
deleted by hand the place in the repository that should say so: the file is \
edited in place, and every line that is not part of the change stays as it \
is. The changed repository is rendered again, and what does not come out as \
meant is taken back and told. Unless told where to put it, the change is only \
printed, and nothing is written. The cluster is never changed, nor is a branch \
that people work on. Ends with exit code 3 if something could not be exported.";

/// Turn what was done by hand into a change of the repository.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ExportArgs {
    /// What to compare with, and to change.
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
    /// What is exported is proven by dry runs all the same.
    #[arg(long, help_heading = "Audit")]
    pub no_dry_run: bool,

    /// Audit log of the API server: JSON lines, also gzipped; may be given more
    /// than once
    #[arg(long, value_name = "FILE", help_heading = "Audit")]
    pub audit_log: Vec<PathBuf>,

    /// What is exported [default: never-in-git, drifted, missing]
    ///
    /// Several with commas, or the flag more than once.
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', value_parser = verdicts(), help_heading = "Choice")]
    pub verdict: Vec<String>,

    /// Only what matches; may be given more than once
    ///
    /// TERM is namespace=NAME, kind=KIND[.group], label=KEY[=VALUE], an object
    /// (Deployment/shop/checkout) or, as a bare word, a namespace.
    #[arg(long, value_name = "TERM", help_heading = "Choice")]
    pub only: Vec<String>,

    /// Nothing that matches; the same terms; may be given more than once
    #[arg(long, value_name = "TERM", help_heading = "Choice")]
    pub except: Vec<String>,

    /// Only what was changed since a date, as far as it is known when
    ///
    /// Such as 2026-01-31 (from its beginning, UTC) or 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "DATE", help_heading = "Choice")]
    pub since: Option<String>,

    /// Only what this tool or user changed: kubectl, "kubectl edit", Lens, alice;
    /// may be given more than once
    #[arg(long, value_name = "WHO", help_heading = "Choice")]
    pub by: Vec<String>,

    /// Show each and ask whether it is exported, as `git add -p` does
    #[arg(long, help_heading = "Choice")]
    pub interactive: bool,

    /// Also where other objects change too, in this entry or another of the
    /// repository
    ///
    /// Such as the other overlays of a base. They are listed.
    #[arg(long, help_heading = "Choice")]
    pub allow_side_effects: bool,

    /// Seal new Secrets, and what changed in SealedSecrets, for the sealed-secrets
    /// controller with its certificate, as `kubeseal --fetch-cert` gives it
    ///
    /// What changed is known with --sealed-secrets-key and --unseal. Otherwise new
    /// Secrets are encrypted with SOPS where a .sops.yaml says for whom, else named in
    /// an ExternalSecret as the others of their namespace are, or left out. What is
    /// sealed gets other bytes each time, so that a branch is written anew.
    #[arg(long, value_name = "FILE", help_heading = "Choice")]
    pub sealed_secrets_cert: Option<PathBuf>,

    /// Also edit what is rendered from something else: the config-root of Jenkins X
    ///
    /// The next rendering writes over it.
    #[arg(long, help_heading = "Choice")]
    pub edit_rendered: bool,

    /// Restore the changed repository into a throwaway control plane on this
    /// machine, and compare what was exported with what is live
    ///
    /// As `refloat drill` does. What cannot be made there, or comes out
    /// otherwise, is listed with its fields, and nothing is written. What does not become
    /// ready there is listed too, and written all the same: its nodes are simulated.
    #[arg(long, help_heading = "Delivery")]
    pub verify_in_drill: bool,

    /// Edit the files in the working tree; nothing is committed
    ///
    /// Refused where one of them has changes that are not committed.
    #[arg(long, help_heading = "Delivery")]
    pub write: bool,

    /// Write the files that change into a folder, by their paths
    #[arg(long, value_name = "DIR", help_heading = "Delivery")]
    pub output: Option<PathBuf>,

    /// Write a patch for `git am`; - prints it
    #[arg(long, value_name = "FILE", help_heading = "Delivery")]
    pub patch: Option<PathBuf>,

    /// Commit on this branch of the clone; the work tree stays as it is
    ///
    /// On top of the commit that was read, by the author and with the signature
    /// that git's configuration says. What an earlier export put there is
    /// replaced, other people's commits never.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = BRANCH, help_heading = "Delivery")]
    pub branch: Option<String>,

    /// Push the branch, with git, to where git would push it
    #[arg(long, help_heading = "Delivery")]
    pub push: bool,

    /// Open a pull request of the pushed branch, or update the open one; pushes too
    ///
    /// On GitHub, GitLab, Gitea or Forgejo. The token is taken from the environment
    /// (GITHUB_TOKEN, GITLAB_TOKEN, GITEA_TOKEN, …) or from git's credential helper.
    #[arg(long, help_heading = "Delivery")]
    pub pull_request: bool,

    /// The branch that the pull request is to be merged into [default: that of the
    /// project]
    #[arg(long, value_name = "BRANCH", requires = "pull_request", help_heading = "Delivery")]
    pub base: Option<String>,

    /// What the server of the remote is, where its address does not tell
    #[arg(
        long,
        value_name = "FORGE",
        value_enum,
        requires = "pull_request",
        help_heading = "Delivery"
    )]
    pub forge: Option<ForgeArg>,

    /// Where its API is, with its path, where that is elsewhere than usual
    #[arg(long, value_name = "URL", requires = "pull_request", help_heading = "Delivery")]
    pub forge_api: Option<String>,

    /// Add a Signed-off-by line to the commit
    #[arg(long, help_heading = "Delivery")]
    pub sign_off: bool,

    /// Also write a report to a file: JSON if its name ends in .json
    ///
    /// What was exported and left out, and where it was put; no values.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// What a server of repositories speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ForgeArg {
    /// GitHub, GitHub Enterprise
    Github,
    /// GitLab
    Gitlab,
    /// Gitea, Forgejo
    Gitea,
}

/// The branch that is written to where none is named.
pub const BRANCH: &str = "refloat/export";

/// The verdicts that can be exported.
fn verdicts() -> [&'static str; 5] {
    [
        "never-in-git",
        "managed-undeclared",
        "drifted",
        "missing",
        "removed-from-git",
    ]
}

const AFTER_HELP: &str = "\
Examples:
  refloat export ./gitops --path clusters/production
  refloat export ./gitops --only payments --by kubectl --write
  refloat export ./gitops --since 2026-11-20 --patch change.patch
  refloat export ./gitops --branch=after-the-outage --push
  refloat export ./gitops --by alice --pull-request";
