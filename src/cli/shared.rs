//! Flags that several commands share.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::object::ObjectId;

/// Which repository, at which commit, from which place in it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// The repository: a folder, a clone, a bare repository, or a Git URL
    ///
    /// URLs may be https://, ssh://, git@host:path or file://. From a clone the
    /// last commit is read, not the working tree. A folder without Git is read
    /// as it stands, and so is what `refloat snapshot` wrote.
    #[arg(value_name = "REPO", help_heading = None)]
    pub repo: String,

    /// Where the cluster is declared in the repository; may be given more than once
    ///
    /// Such as clusters/production or config-root. Without it refloat looks for
    /// the place itself: one candidate is taken and named, several are listed.
    #[arg(long, value_name = "PATH")]
    pub path: Vec<String>,

    /// The commit to restore: branch, tag, commit id, main~3 [default: HEAD]
    #[arg(long, value_name = "REV", conflicts_with = "at")]
    pub rev: Option<String>,

    /// The state at a date: the last commit on the main line before it
    ///
    /// Such as 2026-11-20 or 2026-11-20T08:00:00Z.
    #[arg(long, value_name = "DATE")]
    pub at: Option<String>,

    /// Namespace of objects that name none [default: that of the context]
    #[arg(long, short = 'n', value_name = "NAME")]
    pub namespace: Option<String>,

    /// Values file for Helm charts, a path in the repository; may be given more
    /// than once
    #[arg(long, value_name = "FILE")]
    pub values: Vec<String>,

    /// Render kustomizations with this `kustomize` or `kubectl` instead of by itself
    #[arg(long, value_name = "PATH")]
    pub kustomize_binary: Option<PathBuf>,

    /// The `helm` to use [default: from PATH]
    #[arg(long, value_name = "PATH")]
    pub helm_binary: Option<PathBuf>,

    /// Where a source of Flux is, instead of the address that it declares:
    /// NAMESPACE/NAME=PATH or =URL; may be given more than once
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub source: Vec<((String, String), String)>,

    /// The manifest of a ConfigMap or Secret that units read while they are
    /// rendered and Git does not declare: Secret/flux-system/settings=FILE; may
    /// be given more than once
    ///
    /// Likewise an AppProject of Argo CD, and its settings:
    /// AppProject/argocd/shop=FILE, ConfigMap/argocd/argocd-cm=FILE.
    ///
    /// Otherwise it is read from the cluster; what is not there either keeps its
    /// unit from being rendered.
    #[arg(long, value_name = "INPUT", value_parser = input)]
    pub input: Vec<(ObjectId, PathBuf)>,

    /// The clusters that ApplicationSets of Argo CD generate for, where their
    /// Secrets are not in Git: a YAML list of name, server, labels, annotations
    ///
    /// Those of other names are read from the cluster, where it has them.
    #[arg(long, value_name = "FILE")]
    pub cluster_params: Option<PathBuf>,

    /// A chart to take from this machine, a folder or a .tgz, instead of from
    /// where it is declared: NAME=PATH; may be given more than once
    ///
    /// NAME is the chart's, REPOSITORY/NAME, or NAMESPACE/NAME of its Flux source.
    #[arg(long, value_name = "CHART", value_parser = chart)]
    pub chart: Vec<(String, PathBuf)>,

    /// A private key for files encrypted with SOPS: an age key file, an SSH key,
    /// or the manifest of the Secret that Flux decrypts with; - asks for it
    ///
    /// Beside it those are used that `sops` finds: SOPS_AGE_KEY, SOPS_AGE_KEY_FILE,
    /// its own file, and SSH keys without a passphrase.
    ///
    /// Of that Secret, what signs in with Vault, AWS, Google Cloud and Azure goes
    /// to `sops`; keys of PGP are to be imported into gpg.
    #[arg(long, value_name = "FILE")]
    pub decryption_key: Vec<PathBuf>,

    /// A backup of the keys of the sealed-secrets controller: the manifests of
    /// their Secrets; may be given more than once
    ///
    /// They are restored before the controller, which opens SealedSecrets with
    /// them.
    #[arg(long, value_name = "FILE")]
    pub sealed_secrets_key: Vec<PathBuf>,

    /// Open SealedSecrets with these keys, and restore the Secrets in them too
    ///
    /// So that nothing waits for the controller. Once it runs it takes them over.
    #[arg(long, requires = "sealed_secrets_key")]
    pub unseal: bool,

    /// Refuse to go on if anything in the repository is wrong or in doubt
    ///
    /// Otherwise what cannot be used is named and left out, and the rest goes on.
    #[arg(long)]
    pub strict: bool,
}

/// How much of the history is read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Source")]
pub struct PastArgs {
    /// Read history back to this date only
    ///
    /// Such as 2026-01-31 (from its beginning, UTC) or 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "DATE")]
    pub history_since: Option<String>,
}

/// Which of the declared objects, and which of them first.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArgs {
    /// Only what matches, and what it depends on; may be given more than once
    ///
    /// TERM is unit=PATH, namespace=NAME, kind=KIND[.group], label=KEY[=VALUE],
    /// an object (Deployment/shop/checkout) or, as a bare word, a namespace.
    #[arg(long, value_name = "TERM")]
    pub only: Vec<String>,

    /// Nothing that matches; the same terms; may be given more than once
    #[arg(long, value_name = "TERM")]
    pub except: Vec<String>,

    /// Do not pull in what the chosen objects depend on
    #[arg(long)]
    pub no_deps: bool,

    /// Bring back these namespaces before others, with what they depend on
    ///
    /// Several with commas, or the flag more than once.
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',')]
    pub first: Vec<String>,

    /// Do not rewrite API versions that the cluster no longer serves
    #[arg(long)]
    pub no_migrate: bool,
}

/// What else may be done.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub struct ChangeArgs {
    /// The old cluster no longer acts: let go what acts on the outside world
    ///
    /// Jobs, load balancers, DNS, backups and the like are held back otherwise,
    /// so that two clusters do not do the same thing twice.
    #[arg(long)]
    pub old_cluster_is_gone: bool,

    /// Delete and make anew what cannot be changed in place
    ///
    /// Never a Namespace, a CustomResourceDefinition, or a volume or its claim.
    #[arg(long)]
    pub recreate: bool,

    /// Who makes what Flux and Argo CD declare
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    pub mode: ModeArg,
}

/// Who makes what engines declare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// refloat renders and applies all
    #[default]
    Direct,
    /// Flux and Argo CD: refloat restores them, and waits for what they make
    Engine,
    /// refloat, and the engines what it cannot render
    Auto,
}

/// What is done beside when an older revision is restored.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rolling back")]
pub struct RollbackArgs {
    /// Delete what the revision restored before declared and this one does not
    ///
    /// Also what an engine in the cluster made of it last. All of it is listed
    /// first. What asks to be kept stays (prune: disabled, Prune=false,
    /// helm.sh/resource-policy: keep), what others made or own too, and every
    /// Namespace, CustomResourceDefinition, volume and claim that is not named:
    /// --prune-removed=Namespace/shop,PersistentVolumeClaim/bank/ledger.
    #[arg(
        long,
        value_name = "OBJECT",
        num_args = 0..,
        require_equals = true,
        value_delimiter = ','
    )]
    pub prune_removed: Option<Vec<String>>,

    /// Suspend the engines in the cluster that sync this repository
    ///
    /// Before the first write, and what is declared for them is written
    /// suspended: Kustomizations and HelmReleases of Flux, Applications of Argo
    /// CD. Without it nothing is restored that they would undo. `refloat resume`
    /// lets them go on.
    #[arg(long)]
    pub suspend_engines: bool,
}

/// Which cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct TargetArgs {
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// The context in the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// How a restore goes about it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// How long one object may take to be accepted and to become ready
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    pub timeout: Duration,

    /// How long to wait for what an object can also start without
    ///
    /// Such as the Secret of a Pod. After that it is applied all the same, and
    /// the summary says what it was applied without.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub soft_wait: Duration,

    /// At most so many requests in flight; fewer if the server is slow
    #[arg(long, value_name = "N", default_value = "64", value_parser = at_least_one)]
    pub concurrency: NonZeroUsize,
}

/// `NAMESPACE/NAME=PATH|URL`.
fn source(text: &str) -> Result<((String, String), String), String> {
    let parts = text
        .split_once('=')
        .and_then(|(name, place)| Some((name.split_once('/')?, place)));
    match parts {
        Some(((namespace, name), place)) if ![namespace, name, place].contains(&"") && !name.contains('/') => {
            Ok(((namespace.to_owned(), name.to_owned()), place.to_owned()))
        }
        _ => Err("write it as NAMESPACE/NAME=PATH or NAMESPACE/NAME=URL".to_owned()),
    }
}

/// `NAME=PATH`.
fn chart(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), PathBuf::from(path))),
        _ => Err("write it as NAME=PATH".to_owned()),
    }
}

/// `ConfigMap/NAMESPACE/NAME=FILE`, or likewise of a Secret or an AppProject.
fn input(text: &str) -> Result<(ObjectId, PathBuf), String> {
    let (object, file) = text.split_once('=').unwrap_or_default();
    match object.split('/').collect::<Vec<_>>()[..] {
        [kind @ ("ConfigMap" | "Secret" | "AppProject"), namespace, name] if ![namespace, name, file].contains(&"") => {
            let group = if kind == "AppProject" { "argoproj.io" } else { "" };
            Ok((ObjectId::new(group, kind, Some(namespace), name), PathBuf::from(file)))
        }
        _ => Err(
            "write it as ConfigMap/NAMESPACE/NAME=FILE, or with Secret or AppProject in place of ConfigMap".to_owned(),
        ),
    }
}

pub(super) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("{text:?} is no number from 1 on"))
}

/// How it is told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct ReportArgs {
    /// Also write the whole report to a file: JSON if its name ends in .json
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// List everything, also what is otherwise cut short
    #[arg(long, short = 'v')]
    pub verbose: bool,
}
