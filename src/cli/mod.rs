//! The command line: clap structs and help texts, one file a command, no logic.

mod audit;
mod diff;
mod drill;
mod duration;
mod export;
mod guard;
mod history;
mod plan;
mod render;
mod restore;
mod resume;
mod shared;
mod snapshot;
mod words;

use clap::{Parser, Subcommand, ValueEnum};

pub use audit::{AuditArgs, AuditOutput};
pub use diff::DiffArgs;
pub use drill::DrillArgs;
pub use export::{BRANCH, ExportArgs, ForgeArg};
pub use guard::GuardArgs;
pub use history::{HistoryArgs, HistoryOutput};
pub use plan::{PlanArgs, PlanOutput};
pub use render::{RenderArgs, RenderOutput};
pub use restore::{RestoreArgs, RightClusterArgs};
pub use resume::ResumeArgs;
pub use shared::{
    ChangeArgs, ModeArg, PastArgs, ReportArgs, RollbackArgs, RunArgs, SelectionArgs, SourceArgs, TargetArgs,
};
pub use snapshot::SnapshotArgs;

/// Rebuild a Kubernetes cluster from Git, in dependency order.
#[derive(Debug, Parser)]
#[command(
    name = "refloat",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  refloat drill ./gitops             rehearse: restore into a throwaway cluster
  refloat plan ./gitops              what would be done, in which order, and why
  refloat restore ./gitops           do it
  refloat history ./gitops           what it declared before, to go back to

Exit codes:
  0    done, nothing to report
  1    could not do it; the message says what was changed so far
  2    wrong command line
  3    done, but look: objects failed, skipped, not ready; findings of an audit
  130  interrupted; the summary so far is printed

Data goes to standard output, everything else to standard error.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Restore everything a repository declares into a cluster
    #[command(long_about = restore::ABOUT)]
    Restore(Box<RestoreArgs>),
    /// Let the engines go on that a restore suspended
    #[command(long_about = resume::ABOUT)]
    Resume(ResumeArgs),
    /// Show what a restore would do, in which order, and why
    #[command(long_about = plan::ABOUT)]
    Plan(Box<PlanArgs>),
    /// Print everything a repository declares, as manifests
    #[command(long_about = render::ABOUT)]
    Render(Box<RenderArgs>),
    /// Find what was made or changed by hand, and what is missing
    #[command(long_about = audit::ABOUT)]
    Audit(Box<AuditArgs>),
    /// Turn what was done by hand into a change of the repository
    #[command(long_about = export::ABOUT)]
    Export(Box<ExportArgs>),
    /// List the revisions of what a repository declares, and what each changed
    #[command(long_about = history::ABOUT)]
    History(Box<HistoryArgs>),
    /// Write down everything that is in a cluster
    #[command(long_about = snapshot::ABOUT)]
    Snapshot(SnapshotArgs),
    /// Compare two clusters, snapshots or revisions
    #[command(long_about = diff::ABOUT)]
    Diff(DiffArgs),
    /// Rehearse: restore into a throwaway control plane on this machine
    #[command(long_about = drill::ABOUT)]
    Drill(Box<DrillArgs>),
    /// Ends a throwaway control plane when its parent is gone.
    #[command(name = "__guard", hide = true)]
    Guard(GuardArgs),
}

/// How a run is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: progress and a summary
    #[default]
    Human,
    /// One JSON event a line, the summary last
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The help of a command as `refloat help NAME` prints it at 80 columns; of refloat itself for "".
    fn help(name: &str) -> String {
        let mut command = Cli::command().term_width(80);
        command.build();
        let command = match name {
            "" => &mut command,
            _ => command.find_subcommand_mut(name).expect("because it is declared above"),
        };
        let text = command.clone().term_width(80).render_long_help().to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// What comes after a flag's value is no other value of it.
    #[test]
    fn a_repository_may_come_after_any_flag() {
        for line in [
            "refloat audit --audit-log a --audit-log b REPO",
            "refloat audit --fail-on missing,drifted REPO",
            "refloat audit --fail-on missing --fail-on drifted REPO",
        ] {
            let Ok(Command::Audit(args)) = parsed(line).map(|cli| cli.command) else {
                panic!("{line}");
            };
            assert_eq!(args.source.repo, "REPO", "{line}");
            assert_eq!(args.audit_log.len() + args.fail_on.len(), 2, "{line}");
        }
        for line in [
            "refloat export --audit-log a --audit-log b REPO",
            "refloat export --verdict missing,drifted REPO",
        ] {
            let Ok(Command::Export(args)) = parsed(line).map(|cli| cli.command) else {
                panic!("{line}");
            };
            assert_eq!(args.source.repo, "REPO", "{line}");
            assert_eq!(args.audit_log.len() + args.verdict.len(), 2, "{line}");
        }
        assert!(parsed("refloat audit REPO --audit-log a b").is_err());
    }

    #[test]
    fn every_help_fits_80_columns() {
        for name in [
            "", "restore", "resume", "plan", "render", "audit", "export", "history", "snapshot", "diff", "drill",
        ] {
            for line in help(name).lines() {
                assert!(line.chars().count() <= 80, "{name}: {line}");
            }
        }
    }

    #[test]
    fn help_of_refloat() {
        insta::assert_snapshot!(help(""), @r"
        Rebuild a Kubernetes cluster from Git, in dependency order

        Usage: refloat <COMMAND>

        Commands:
          restore   Restore everything a repository declares into a cluster
          resume    Let the engines go on that a restore suspended
          plan      Show what a restore would do, in which order, and why
          render    Print everything a repository declares, as manifests
          audit     Find what was made or changed by hand, and what is missing
          export    Turn what was done by hand into a change of the repository
          history   List the revisions of what a repository declares, and what each
                    changed
          snapshot  Write down everything that is in a cluster
          diff      Compare two clusters, snapshots or revisions
          drill     Rehearse: restore into a throwaway control plane on this machine
          help      Print this message or the help of the given subcommand(s)

        Options:
          -h, --help
                  Print help

          -V, --version
                  Print version

        Examples:
          refloat drill ./gitops             rehearse: restore into a throwaway cluster
          refloat plan ./gitops              what would be done, in which order, and why
          refloat restore ./gitops           do it
          refloat history ./gitops           what it declared before, to go back to

        Exit codes:
          0    done, nothing to report
          1    could not do it; the message says what was changed so far
          2    wrong command line
          3    done, but look: objects failed, skipped, not ready; findings of an audit
          130  interrupted; the summary so far is printed

        Data goes to standard output, everything else to standard error.
        ");
    }

    #[test]
    fn help_of_restore() {
        insta::assert_snapshot!(help("restore"), @r#"
        Restore everything a repository declares into a cluster

        Everything is applied in the order in which it depends on each other: an object
        starts as soon as what it waits for is there. A failure stops only what depends
        on it. Nothing is deleted unless that is asked for. To stop, press Ctrl-C; the
        same command again goes on from there.

        On a terminal refloat asks before it writes to a cluster that is not fresh, and
        before it deletes.

        Usage: refloat restore [OPTIONS] <REPO>

        Arguments:
          <REPO>
                  The repository: a folder, a clone, a bare repository, or a Git URL

                  URLs may be https://, ssh://, git@host:path or file://. From a clone
                  the last commit is read, not the working tree. A folder without Git is
                  read as it stands, and so is what `refloat snapshot` wrote.

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Source:
              --path <PATH>
                  Where the cluster is declared in the repository; may be given more
                  than once

                  Such as clusters/production or config-root. Without it refloat looks
                  for the place itself: one candidate is taken and named, several are
                  listed.

              --rev <REV>
                  The commit to restore: branch, tag, commit id, main~3 [default: HEAD]

              --at <DATE>
                  The state at a date: the last commit on the main line before it

                  Such as 2026-11-20 or 2026-11-20T08:00:00Z.

          -n, --namespace <NAME>
                  Namespace of objects that name none [default: that of the context]

              --values <FILE>
                  Values file for Helm charts, a path in the repository; may be given
                  more than once

              --kustomize-binary <PATH>
                  Render kustomizations with this `kustomize` or `kubectl` instead of by
                  itself

              --helm-binary <PATH>
                  The `helm` to use [default: from PATH]

              --source <SOURCE>
                  Where a source of Flux is, instead of the address that it declares:
                  NAMESPACE/NAME=PATH or =URL; may be given more than once

              --input <INPUT>
                  The manifest of a ConfigMap or Secret that units read while they are
                  rendered and Git does not declare: Secret/flux-system/settings=FILE;
                  may be given more than once

                  Likewise an AppProject of Argo CD, and its settings:
                  AppProject/argocd/shop=FILE, ConfigMap/argocd/argocd-cm=FILE.

                  Otherwise it is read from the cluster; what is not there either keeps
                  its unit from being rendered.

              --cluster-params <FILE>
                  The clusters that ApplicationSets of Argo CD generate for, where their
                  Secrets are not in Git: a YAML list of name, server, labels,
                  annotations

                  Those of other names are read from the cluster, where it has them.

              --chart <CHART>
                  A chart to take from this machine, a folder or a .tgz, instead of from
                  where it is declared: NAME=PATH; may be given more than once

                  NAME is the chart's, REPOSITORY/NAME, or NAMESPACE/NAME of its Flux
                  source.

              --decryption-key <FILE>
                  A private key for files encrypted with SOPS: an age key file, an SSH
                  key, or the manifest of the Secret that Flux decrypts with; - asks for
                  it

                  Beside it those are used that `sops` finds: SOPS_AGE_KEY,
                  SOPS_AGE_KEY_FILE, its own file, and SSH keys without a passphrase.

                  Of that Secret, what signs in with Vault, AWS, Google Cloud and Azure
                  goes to `sops`; keys of PGP are to be imported into gpg.

              --sealed-secrets-key <FILE>
                  A backup of the keys of the sealed-secrets controller: the manifests
                  of their Secrets; may be given more than once

                  They are restored before the controller, which opens SealedSecrets
                  with them.

              --unseal
                  Open SealedSecrets with these keys, and restore the Secrets in them
                  too

                  So that nothing waits for the controller. Once it runs it takes them
                  over.

              --strict
                  Refuse to go on if anything in the repository is wrong or in doubt

                  Otherwise what cannot be used is named and left out, and the rest goes
                  on.

        Selection:
              --only <TERM>
                  Only what matches, and what it depends on; may be given more than once

                  TERM is unit=PATH, namespace=NAME, kind=KIND[.group],
                  label=KEY[=VALUE], an object (Deployment/shop/checkout) or, as a bare
                  word, a namespace.

              --except <TERM>
                  Nothing that matches; the same terms; may be given more than once

              --no-deps
                  Do not pull in what the chosen objects depend on

              --first <NAMESPACE>
                  Bring back these namespaces before others, with what they depend on

                  Several with commas, or the flag more than once.

              --no-migrate
                  Do not rewrite API versions that the cluster no longer serves

              --old-cluster-is-gone
                  The old cluster no longer acts: let go what acts on the outside world

                  Jobs, load balancers, DNS, backups and the like are held back
                  otherwise, so that two clusters do not do the same thing twice.

              --recreate
                  Delete and make anew what cannot be changed in place

                  Never a Namespace, a CustomResourceDefinition, or a volume or its
                  claim.

              --mode <MODE>
                  Who makes what Flux and Argo CD declare

                  Possible values:
                  - direct: refloat renders and applies all
                  - engine: Flux and Argo CD: refloat restores them, and waits for what
                    they make
                  - auto:   refloat, and the engines what it cannot render

                  [default: direct]

        Rolling back:
              --prune-removed[=<OBJECT>...]
                  Delete what the revision restored before declared and this one does
                  not

                  Also what an engine in the cluster made of it last. All of it is
                  listed first. What asks to be kept stays (prune: disabled,
                  Prune=false, helm.sh/resource-policy: keep), what others made or own
                  too, and every Namespace, CustomResourceDefinition, volume and claim
                  that is not named:
                  --prune-removed=Namespace/shop,PersistentVolumeClaim/bank/ledger.

              --suspend-engines
                  Suspend the engines in the cluster that sync this repository

                  Before the first write, and what is declared for them is written
                  suspended: Kustomizations and HelmReleases of Flux, Applications of
                  Argo CD. Without it nothing is restored that they would undo. `refloat
                  resume` lets them go on.

        Cluster:
              --kubeconfig <FILE>
                  The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]

              --context <NAME>
                  The context in the kubeconfig [default: its current one]

              --yes
                  Do not ask; for a cluster that is not fresh, --context must name it

              --force-entry
                  Restore over what another repository or place was restored from

              --no-lease
                  Do not take the Lease kube-system/refloat that keeps two restores
                  apart

        Run:
              --timeout <TIME>
                  How long one object may take to be accepted and to become ready

                  [default: 10m]

              --soft-wait <TIME>
                  How long to wait for what an object can also start without

                  Such as the Secret of a Pod. After that it is applied all the same,
                  and the summary says what it was applied without.

                  [default: 60s]

              --concurrency <N>
                  At most so many requests in flight; fewer if the server is slow

                  [default: 64]

              --dry-run
                  Print the plan and stop

        Output:
              --output <FORMAT>
                  How it is told

                  Possible values:
                  - human: For people: progress and a summary
                  - json:  One JSON event a line, the summary last

                  [default: human]

              --report <FILE>
                  Also write the whole report to a file: JSON if its name ends in .json

          -v, --verbose
                  List everything, also what is otherwise cut short

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
            refloat restore https://git.example.com/gitops.git --rev v42 \
              --context prod-2 --yes --output json --report restore.json
        "#);
    }

    #[test]
    fn help_of_resume() {
        insta::assert_snapshot!(help("resume"), @r#"
        Let the engines go on that a restore suspended

        Lifts what `restore --suspend-engines` suspended in a cluster, and only that:
        what was suspended in Git or by anybody else stays so. Do it once Git declares
        what you want: the engines sync it within minutes.

        Usage: refloat resume [OPTIONS]

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Cluster:
              --kubeconfig <FILE>
                  The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]

              --context <NAME>
                  The context in the kubeconfig [default: its current one]

        Run:
              --dry-run
                  Print what would be resumed and stop

        Output:
              --output <FORMAT>
                  How it is told

                  Possible values:
                  - human: For people: progress and a summary
                  - json:  One JSON event a line, the summary last

                  [default: human]

        Examples:
          refloat resume --context prod-2 --dry-run
          refloat resume --context prod-2
        "#);
    }

    #[test]
    fn help_of_audit() {
        insta::assert_snapshot!(help("audit"), @r#"
        Find what was made or changed by hand, and what is missing

        Compares a live cluster with what the repository declares and ever declared.
        Says of each object that differs what it is, who wrote it, with what and when,
        and which command puts it right. Nothing is written. Ends with exit code 3 if
        anything was found or could not be read.

        Usage: refloat audit [OPTIONS] <REPO>

        Arguments:
          <REPO>
                  The repository: a folder, a clone, a bare repository, or a Git URL

                  URLs may be https://, ssh://, git@host:path or file://. From a clone
                  the last commit is read, not the working tree. A folder without Git is
                  read as it stands, and so is what `refloat snapshot` wrote.

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Source:
              --path <PATH>
                  Where the cluster is declared in the repository; may be given more
                  than once

                  Such as clusters/production or config-root. Without it refloat looks
                  for the place itself: one candidate is taken and named, several are
                  listed.

              --rev <REV>
                  The commit to restore: branch, tag, commit id, main~3 [default: HEAD]

              --at <DATE>
                  The state at a date: the last commit on the main line before it

                  Such as 2026-11-20 or 2026-11-20T08:00:00Z.

          -n, --namespace <NAME>
                  Namespace of objects that name none [default: that of the context]

              --values <FILE>
                  Values file for Helm charts, a path in the repository; may be given
                  more than once

              --kustomize-binary <PATH>
                  Render kustomizations with this `kustomize` or `kubectl` instead of by
                  itself

              --helm-binary <PATH>
                  The `helm` to use [default: from PATH]

              --source <SOURCE>
                  Where a source of Flux is, instead of the address that it declares:
                  NAMESPACE/NAME=PATH or =URL; may be given more than once

              --input <INPUT>
                  The manifest of a ConfigMap or Secret that units read while they are
                  rendered and Git does not declare: Secret/flux-system/settings=FILE;
                  may be given more than once

                  Likewise an AppProject of Argo CD, and its settings:
                  AppProject/argocd/shop=FILE, ConfigMap/argocd/argocd-cm=FILE.

                  Otherwise it is read from the cluster; what is not there either keeps
                  its unit from being rendered.

              --cluster-params <FILE>
                  The clusters that ApplicationSets of Argo CD generate for, where their
                  Secrets are not in Git: a YAML list of name, server, labels,
                  annotations

                  Those of other names are read from the cluster, where it has them.

              --chart <CHART>
                  A chart to take from this machine, a folder or a .tgz, instead of from
                  where it is declared: NAME=PATH; may be given more than once

                  NAME is the chart's, REPOSITORY/NAME, or NAMESPACE/NAME of its Flux
                  source.

              --decryption-key <FILE>
                  A private key for files encrypted with SOPS: an age key file, an SSH
                  key, or the manifest of the Secret that Flux decrypts with; - asks for
                  it

                  Beside it those are used that `sops` finds: SOPS_AGE_KEY,
                  SOPS_AGE_KEY_FILE, its own file, and SSH keys without a passphrase.

                  Of that Secret, what signs in with Vault, AWS, Google Cloud and Azure
                  goes to `sops`; keys of PGP are to be imported into gpg.

              --sealed-secrets-key <FILE>
                  A backup of the keys of the sealed-secrets controller: the manifests
                  of their Secrets; may be given more than once

                  They are restored before the controller, which opens SealedSecrets
                  with them.

              --unseal
                  Open SealedSecrets with these keys, and restore the Secrets in them
                  too

                  So that nothing waits for the controller. Once it runs it takes them
                  over.

              --strict
                  Refuse to go on if anything in the repository is wrong or in doubt

                  Otherwise what cannot be used is named and left out, and the rest goes
                  on.

              --history-since <DATE>
                  Read history back to this date only

                  Such as 2026-01-31 (from its beginning, UTC) or 2026-01-31T08:00:00Z.

        Cluster:
              --kubeconfig <FILE>
                  The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]

              --context <NAME>
                  The context in the kubeconfig [default: its current one]

        Audit:
              --no-dry-run
                  Compare offline, without asking the server what an apply would change

                  Dry runs change nothing, but they need the right to patch and update.

              --audit-log <FILE>
                  Audit log of the API server: JSON lines, also gzipped; may be given
                  more than once

                  Only it can tell users, and who deleted an object or removed a field.
                  With --watch files that are not gzipped are followed.

              --fail-on <VERDICT>
                  Exit with 3 for these verdicts only [default: any]

                  Several with commas, or the flag more than once.

                  What could not be read ends with 3 all the same.

                  [possible values: never-in-git, managed-undeclared, drifted, missing,
                  removed-from-git, not-reached]

              --write-ignore <FILE>
                  Write a .refloatignore that would hide what was found, to be read and
                  given reasons

        Watch:
              --watch
                  Do not end: tell what comes, changes and goes from now on, within 2 s

                  The cluster is watched. The repository is asked every 30 s, and before
                  anything is told, whether it moved; not if --rev is a commit id or
                  with --at. Ctrl-C ends it with exit code 130, after saying what is
                  still open. --report and --write-ignore are about the audit at the
                  beginning.

              --notify <URL>
                  Post what is found as JSON to a webhook

                  The audit, if it ends with 3, and with --watch each divergence; with
                  --fail-on those of these verdicts. It is sent again until it arrives,
                  for some minutes. The address is never shown but for its host.

                  [env: REFLOAT_NOTIFY]

        Output:
              --output <FORMAT>
                  How the findings are printed; with --watch human, or json: one event a
                  line

                  Possible values:
                  - human: For people: by verdict and namespace, worst first
                  - json:  One JSON document
                  - sarif: SARIF 2.1.0, for code scanning
                  - html:  One page, to be opened in a browser

                  [default: human]

              --report <FILE>
                  Also write the report to a file: by its name JSON (.json), SARIF
                  (.sarif), HTML (.html) or text

        Examples:
          refloat audit ./gitops --path clusters/production
          refloat audit ./gitops --audit-log /var/log/kubernetes/audit.log
          refloat audit ./gitops --fail-on never-in-git --output json
          refloat audit ./gitops --report audit.html
          refloat audit ./gitops --watch --notify https://hooks.example.com/drift
        "#);
    }

    #[test]
    fn help_of_plan() {
        insta::assert_snapshot!(help("plan"), @r#"
        Show what a restore would do, in which order, and why

        Nothing is written. Says what the cluster lacks, what exists already and would
        change, what is held back, and what Git cannot bring back. Ends with exit code 3
        if any of it would stay open.

        Usage: refloat plan [OPTIONS] <REPO>

        Arguments:
          <REPO>
                  The repository: a folder, a clone, a bare repository, or a Git URL

                  URLs may be https://, ssh://, git@host:path or file://. From a clone
                  the last commit is read, not the working tree. A folder without Git is
                  read as it stands, and so is what `refloat snapshot` wrote.

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Source:
              --path <PATH>
                  Where the cluster is declared in the repository; may be given more
                  than once

                  Such as clusters/production or config-root. Without it refloat looks
                  for the place itself: one candidate is taken and named, several are
                  listed.

              --rev <REV>
                  The commit to restore: branch, tag, commit id, main~3 [default: HEAD]

              --at <DATE>
                  The state at a date: the last commit on the main line before it

                  Such as 2026-11-20 or 2026-11-20T08:00:00Z.

          -n, --namespace <NAME>
                  Namespace of objects that name none [default: that of the context]

              --values <FILE>
                  Values file for Helm charts, a path in the repository; may be given
                  more than once

              --kustomize-binary <PATH>
                  Render kustomizations with this `kustomize` or `kubectl` instead of by
                  itself

              --helm-binary <PATH>
                  The `helm` to use [default: from PATH]

              --source <SOURCE>
                  Where a source of Flux is, instead of the address that it declares:
                  NAMESPACE/NAME=PATH or =URL; may be given more than once

              --input <INPUT>
                  The manifest of a ConfigMap or Secret that units read while they are
                  rendered and Git does not declare: Secret/flux-system/settings=FILE;
                  may be given more than once

                  Likewise an AppProject of Argo CD, and its settings:
                  AppProject/argocd/shop=FILE, ConfigMap/argocd/argocd-cm=FILE.

                  Otherwise it is read from the cluster; what is not there either keeps
                  its unit from being rendered.

              --cluster-params <FILE>
                  The clusters that ApplicationSets of Argo CD generate for, where their
                  Secrets are not in Git: a YAML list of name, server, labels,
                  annotations

                  Those of other names are read from the cluster, where it has them.

              --chart <CHART>
                  A chart to take from this machine, a folder or a .tgz, instead of from
                  where it is declared: NAME=PATH; may be given more than once

                  NAME is the chart's, REPOSITORY/NAME, or NAMESPACE/NAME of its Flux
                  source.

              --decryption-key <FILE>
                  A private key for files encrypted with SOPS: an age key file, an SSH
                  key, or the manifest of the Secret that Flux decrypts with; - asks for
                  it

                  Beside it those are used that `sops` finds: SOPS_AGE_KEY,
                  SOPS_AGE_KEY_FILE, its own file, and SSH keys without a passphrase.

                  Of that Secret, what signs in with Vault, AWS, Google Cloud and Azure
                  goes to `sops`; keys of PGP are to be imported into gpg.

              --sealed-secrets-key <FILE>
                  A backup of the keys of the sealed-secrets controller: the manifests
                  of their Secrets; may be given more than once

                  They are restored before the controller, which opens SealedSecrets
                  with them.

              --unseal
                  Open SealedSecrets with these keys, and restore the Secrets in them
                  too

                  So that nothing waits for the controller. Once it runs it takes them
                  over.

              --strict
                  Refuse to go on if anything in the repository is wrong or in doubt

                  Otherwise what cannot be used is named and left out, and the rest goes
                  on.

        Selection:
              --only <TERM>
                  Only what matches, and what it depends on; may be given more than once

                  TERM is unit=PATH, namespace=NAME, kind=KIND[.group],
                  label=KEY[=VALUE], an object (Deployment/shop/checkout) or, as a bare
                  word, a namespace.

              --except <TERM>
                  Nothing that matches; the same terms; may be given more than once

              --no-deps
                  Do not pull in what the chosen objects depend on

              --first <NAMESPACE>
                  Bring back these namespaces before others, with what they depend on

                  Several with commas, or the flag more than once.

              --no-migrate
                  Do not rewrite API versions that the cluster no longer serves

              --old-cluster-is-gone
                  The old cluster no longer acts: let go what acts on the outside world

                  Jobs, load balancers, DNS, backups and the like are held back
                  otherwise, so that two clusters do not do the same thing twice.

              --recreate
                  Delete and make anew what cannot be changed in place

                  Never a Namespace, a CustomResourceDefinition, or a volume or its
                  claim.

              --mode <MODE>
                  Who makes what Flux and Argo CD declare

                  Possible values:
                  - direct: refloat renders and applies all
                  - engine: Flux and Argo CD: refloat restores them, and waits for what
                    they make
                  - auto:   refloat, and the engines what it cannot render

                  [default: direct]

        Rolling back:
              --prune-removed[=<OBJECT>...]
                  Delete what the revision restored before declared and this one does
                  not

                  Also what an engine in the cluster made of it last. All of it is
                  listed first. What asks to be kept stays (prune: disabled,
                  Prune=false, helm.sh/resource-policy: keep), what others made or own
                  too, and every Namespace, CustomResourceDefinition, volume and claim
                  that is not named:
                  --prune-removed=Namespace/shop,PersistentVolumeClaim/bank/ledger.

              --suspend-engines
                  Suspend the engines in the cluster that sync this repository

                  Before the first write, and what is declared for them is written
                  suspended: Kustomizations and HelmReleases of Flux, Applications of
                  Argo CD. Without it nothing is restored that they would undo. `refloat
                  resume` lets them go on.

        Cluster:
              --kubeconfig <FILE>
                  The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]

              --context <NAME>
                  The context in the kubeconfig [default: its current one]

              --kube-version <VERSION>
                  Plan without a cluster, for a fresh one of this version, such as 1.37

        Output:
              --why <OBJECT>
                  Show only what this object waits for, and why:
                  Deployment/shop/checkout

              --output <FORMAT>
                  How the plan is printed

                  Possible values:
                  - human: For people: a tree with reasons
                  - json:  One JSON document
                  - dot:   A graph for Graphviz

                  [default: human]

          -v, --verbose
                  List everything, also what is otherwise cut short

        Examples:
          refloat plan ./gitops
          refloat plan ./gitops --why Deployment/shop/checkout
          refloat plan ./gitops --kube-version 1.37 --output dot | dot -Tsvg > plan.svg
        "#);
    }

    #[test]
    fn help_of_render() {
        insta::assert_snapshot!(help("render"), @r#"
        Print everything a repository declares, as manifests

        Kustomizations and charts are rendered. Values of Secrets are masked. Needs no
        cluster.

        Usage: refloat render [OPTIONS] <REPO>

        Arguments:
          <REPO>
                  The repository: a folder, a clone, a bare repository, or a Git URL

                  URLs may be https://, ssh://, git@host:path or file://. From a clone
                  the last commit is read, not the working tree. A folder without Git is
                  read as it stands, and so is what `refloat snapshot` wrote.

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Source:
              --path <PATH>
                  Where the cluster is declared in the repository; may be given more
                  than once

                  Such as clusters/production or config-root. Without it refloat looks
                  for the place itself: one candidate is taken and named, several are
                  listed.

              --rev <REV>
                  The commit to restore: branch, tag, commit id, main~3 [default: HEAD]

              --at <DATE>
                  The state at a date: the last commit on the main line before it

                  Such as 2026-11-20 or 2026-11-20T08:00:00Z.

          -n, --namespace <NAME>
                  Namespace of objects that name none [default: that of the context]

              --values <FILE>
                  Values file for Helm charts, a path in the repository; may be given
                  more than once

              --kustomize-binary <PATH>
                  Render kustomizations with this `kustomize` or `kubectl` instead of by
                  itself

              --helm-binary <PATH>
                  The `helm` to use [default: from PATH]

              --source <SOURCE>
                  Where a source of Flux is, instead of the address that it declares:
                  NAMESPACE/NAME=PATH or =URL; may be given more than once

              --input <INPUT>
                  The manifest of a ConfigMap or Secret that units read while they are
                  rendered and Git does not declare: Secret/flux-system/settings=FILE;
                  may be given more than once

                  Likewise an AppProject of Argo CD, and its settings:
                  AppProject/argocd/shop=FILE, ConfigMap/argocd/argocd-cm=FILE.

                  Otherwise it is read from the cluster; what is not there either keeps
                  its unit from being rendered.

              --cluster-params <FILE>
                  The clusters that ApplicationSets of Argo CD generate for, where their
                  Secrets are not in Git: a YAML list of name, server, labels,
                  annotations

                  Those of other names are read from the cluster, where it has them.

              --chart <CHART>
                  A chart to take from this machine, a folder or a .tgz, instead of from
                  where it is declared: NAME=PATH; may be given more than once

                  NAME is the chart's, REPOSITORY/NAME, or NAMESPACE/NAME of its Flux
                  source.

              --decryption-key <FILE>
                  A private key for files encrypted with SOPS: an age key file, an SSH
                  key, or the manifest of the Secret that Flux decrypts with; - asks for
                  it

                  Beside it those are used that `sops` finds: SOPS_AGE_KEY,
                  SOPS_AGE_KEY_FILE, its own file, and SSH keys without a passphrase.

                  Of that Secret, what signs in with Vault, AWS, Google Cloud and Azure
                  goes to `sops`; keys of PGP are to be imported into gpg.

              --sealed-secrets-key <FILE>
                  A backup of the keys of the sealed-secrets controller: the manifests
                  of their Secrets; may be given more than once

                  They are restored before the controller, which opens SealedSecrets
                  with them.

              --unseal
                  Open SealedSecrets with these keys, and restore the Secrets in them
                  too

                  So that nothing waits for the controller. Once it runs it takes them
                  over.

              --strict
                  Refuse to go on if anything in the repository is wrong or in doubt

                  Otherwise what cannot be used is named and left out, and the rest goes
                  on.

              --kube-version <VERSION>
                  The Kubernetes version that charts are rendered for, such as 1.37
                  [default: the newest refloat knows]

        Output:
              --with-provenance
                  Say for each object which file, line, unit and commit it comes from

                  As comments in YAML; in JSON each line is then an object with the
                  fields "provenance" and "object".

              --show-secrets
                  Print the values of Secrets in clear

              --output <FORMAT>
                  How the manifests are printed

                  Possible values:
                  - yaml: One YAML stream, a document an object
                  - json: One JSON object a line

                  [default: yaml]

        Examples:
          refloat render ./gitops --path charts/shop --values charts/shop/prod.yaml
          refloat render ./gitops --with-provenance | less
          refloat render ./gitops --output json | jq -r .kind | sort | uniq -c
        "#);
    }

    #[test]
    fn help_of_history() {
        insta::assert_snapshot!(help("history"), @r#"
        List the revisions of what a repository declares, and what each changed

        Newest first, along the main line: merges count as one step. Each has the id
        that `refloat restore --rev` takes. Objects are those written in the changed
        files; other files (values, kustomizations) are named. Needs no cluster.

        Without --path, and where a repository has several places to choose from, it is
        the history of all of it. What was read of the history of objects is kept in
        ~/.cache/refloat/past, without any values.

        Usage: refloat history [OPTIONS] <REPO> [OBJECT]

        Arguments:
          <REPO>
                  The repository: a folder, a clone, a bare repository, or a Git URL

                  URLs may be https://, ssh://, git@host:path or file://. From a clone
                  the last commit is read, not the working tree. A folder without Git is
                  read as it stands, and so is what `refloat snapshot` wrote.

          [OBJECT]
                  Only the revisions that changed this object, with the fields:
                  Deployment/shop/checkout

                  Manifests that name no namespace are taken for one of any. Values of
                  Secrets are not shown.

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Source:
              --path <PATH>
                  Where the cluster is declared in the repository; may be given more
                  than once

                  Such as clusters/production or config-root. Without it refloat looks
                  for the place itself: one candidate is taken and named, several are
                  listed.

              --rev <REV>
                  The commit to restore: branch, tag, commit id, main~3 [default: HEAD]

              --at <DATE>
                  The state at a date: the last commit on the main line before it

                  Such as 2026-11-20 or 2026-11-20T08:00:00Z.

          -n, --namespace <NAME>
                  Namespace of objects that name none [default: that of the context]

              --values <FILE>
                  Values file for Helm charts, a path in the repository; may be given
                  more than once

              --kustomize-binary <PATH>
                  Render kustomizations with this `kustomize` or `kubectl` instead of by
                  itself

              --helm-binary <PATH>
                  The `helm` to use [default: from PATH]

              --source <SOURCE>
                  Where a source of Flux is, instead of the address that it declares:
                  NAMESPACE/NAME=PATH or =URL; may be given more than once

              --input <INPUT>
                  The manifest of a ConfigMap or Secret that units read while they are
                  rendered and Git does not declare: Secret/flux-system/settings=FILE;
                  may be given more than once

                  Likewise an AppProject of Argo CD, and its settings:
                  AppProject/argocd/shop=FILE, ConfigMap/argocd/argocd-cm=FILE.

                  Otherwise it is read from the cluster; what is not there either keeps
                  its unit from being rendered.

              --cluster-params <FILE>
                  The clusters that ApplicationSets of Argo CD generate for, where their
                  Secrets are not in Git: a YAML list of name, server, labels,
                  annotations

                  Those of other names are read from the cluster, where it has them.

              --chart <CHART>
                  A chart to take from this machine, a folder or a .tgz, instead of from
                  where it is declared: NAME=PATH; may be given more than once

                  NAME is the chart's, REPOSITORY/NAME, or NAMESPACE/NAME of its Flux
                  source.

              --decryption-key <FILE>
                  A private key for files encrypted with SOPS: an age key file, an SSH
                  key, or the manifest of the Secret that Flux decrypts with; - asks for
                  it

                  Beside it those are used that `sops` finds: SOPS_AGE_KEY,
                  SOPS_AGE_KEY_FILE, its own file, and SSH keys without a passphrase.

                  Of that Secret, what signs in with Vault, AWS, Google Cloud and Azure
                  goes to `sops`; keys of PGP are to be imported into gpg.

              --sealed-secrets-key <FILE>
                  A backup of the keys of the sealed-secrets controller: the manifests
                  of their Secrets; may be given more than once

                  They are restored before the controller, which opens SealedSecrets
                  with them.

              --unseal
                  Open SealedSecrets with these keys, and restore the Secrets in them
                  too

                  So that nothing waits for the controller. Once it runs it takes them
                  over.

              --strict
                  Refuse to go on if anything in the repository is wrong or in doubt

                  Otherwise what cannot be used is named and left out, and the rest goes
                  on.

              --history-since <DATE>
                  Read history back to this date only

                  Such as 2026-01-31 (from its beginning, UTC) or 2026-01-31T08:00:00Z.

              --kube-version <VERSION>
                  The Kubernetes version that charts are rendered for, such as 1.37
                  [default: the newest refloat knows]

        Output:
              --limit <N>
                  At most so many revisions

                  [default: 20]

              --render <N>
                  For the newest N of them, compare what is declared after rendering

                  So it shows what changed values and kustomizations did to objects.
                  With OBJECT, those of the newest N that did something to it are
                  listed.

              --output <FORMAT>
                  How the history is printed

                  Possible values:
                  - human: For people: a list
                  - json:  One JSON document

                  [default: human]

          -v, --verbose
                  List everything, also what is otherwise cut short

        Examples:
          refloat history ./gitops --path clusters/production
          refloat history ./gitops Deployment/shop/checkout
          refloat history ./gitops --render 1
          refloat history ./gitops Deployment/shop/my-checkout --render 20
          refloat history ./gitops --output json | jq -r '.revisions[].id'

        To go back to one of them:
          refloat restore ./gitops --rev ID
        "#);
    }

    #[test]
    fn help_of_diff() {
        insta::assert_snapshot!(help("diff"), @r#"
        Compare two clusters, snapshots or revisions

        Says what was added, removed and changed from the first to the second. Each side
        is a snapshot, a cluster (cluster:CONTEXT), or what a repository declares (REPO
        or REPO@REV). Of what is live counts what somebody declared: not what belongs to
        another object, what the cluster makes by itself, status, or what the server
        fills in. Of Secrets it is said which keys differ, never a value. Nothing is
        written. Ends with exit code 3 if anything differs or could not be read.

        Usage: refloat diff [OPTIONS] <A> <B>

        Arguments:
          <A>
                  What to compare: cluster: (the current context), cluster:CONTEXT, a
                  snapshot, or a repository, at a revision with REPO@REV

                  What looks like a cluster and is a folder is written ./cluster:x.

          <B>
                  With what, likewise

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Source:
              --path <PATH>
                  Where the cluster is declared in a repository; may be given more than
                  once

          -n, --namespace <NAME>
                  Namespace of objects that name none [default: default]

              --values <FILE>
                  Values file for Helm charts, a path in the repository; may be given
                  more than once

              --decryption-key <FILE>
                  A private key for what is encrypted with SOPS, in repositories and
                  snapshots, as for `refloat restore`

        Cluster:
              --kubeconfig <FILE>
                  The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]

        Output:
              --output <FORMAT>
                  How the difference is printed

                  Possible values:
                  - human: For people: a list
                  - json:  One JSON document

                  [default: human]

        Examples:
          refloat diff monday.tar.zst cluster:             what happened since
          refloat diff cluster:prod cluster:prod-2
          refloat diff ./gitops@v1.4 ./gitops@v1.5 --path clusters/production
          refloat diff ./gitops live.tar.zst --path clusters/production
        "#);
    }

    #[test]
    fn help_of_snapshot() {
        insta::assert_snapshot!(help("snapshot"), @r#"
        Write down everything that is in a cluster

        Every object of every kind that can be listed, in full, with a table of contents
        and checksums: as an archive, or as a folder with a file an object. The same
        state gives the same bytes. It can be restored from and audited against. What
        cannot be read is named, and ends with exit code 3. Nothing is written to the
        cluster.

        Values of Secrets are left out, unless --encrypt-to says for whom to encrypt
        them. What is in volumes is in no snapshot.

        Usage: refloat snapshot [OPTIONS] --out <FILE|DIR>

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Cluster:
              --kubeconfig <FILE>
                  The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]

              --context <NAME>
                  The context in the kubeconfig [default: its current one]

        Snapshot:
          -o, --out <FILE|DIR>
                  Where to: an archive if it ends in .tar.zst, else a folder

                  Written whole or not at all; an older snapshot that is there is
                  replaced. Only its owner may read it.

              --encrypt-to <AGE-RECIPIENT>
                  Keep the values of Secrets, encrypted with SOPS for a key of age
                  (age1... or an SSH public key); may be given more than once

                  Encryption is new each time: the files of Secrets are then never the
                  same bytes. --decryption-key opens them when the snapshot is read.

        Output:
              --output <FORMAT>
                  How it is told

                  Possible values:
                  - human: For people: progress and a summary
                  - json:  One JSON event a line, the summary last

                  [default: human]

        Examples:
          refloat snapshot -o live.tar.zst --encrypt-to age1...
          refloat snapshot -o live/ && git diff --stat live/
          refloat restore live.tar.zst --decryption-key keys.txt --context new
          refloat audit live.tar.zst
        "#);
    }

    #[test]
    fn help_of_drill() {
        insta::assert_snapshot!(help("drill"), @r#"
        Rehearse: restore into a throwaway control plane on this machine

        Starts a real API server with its controllers and simulated nodes, restores into
        it, checks that every declared object is there and as declared and that a second
        restore changes nothing, prints the times, and stops it again. No cluster is
        touched, and nothing is called outside this machine.

        The times are those of the API: pulling images and bringing back volumes come on
        top in a real restore.

        Usage: refloat drill [OPTIONS] <REPO>

        Arguments:
          <REPO>
                  The repository: a folder, a clone, a bare repository, or a Git URL

                  URLs may be https://, ssh://, git@host:path or file://. From a clone
                  the last commit is read, not the working tree. A folder without Git is
                  read as it stands, and so is what `refloat snapshot` wrote.

        Options:
          -h, --help
                  Print help (see a summary with '-h')

        Source:
              --path <PATH>
                  Where the cluster is declared in the repository; may be given more
                  than once

                  Such as clusters/production or config-root. Without it refloat looks
                  for the place itself: one candidate is taken and named, several are
                  listed.

              --rev <REV>
                  The commit to restore: branch, tag, commit id, main~3 [default: HEAD]

              --at <DATE>
                  The state at a date: the last commit on the main line before it

                  Such as 2026-11-20 or 2026-11-20T08:00:00Z.

          -n, --namespace <NAME>
                  Namespace of objects that name none [default: that of the context]

              --values <FILE>
                  Values file for Helm charts, a path in the repository; may be given
                  more than once

              --kustomize-binary <PATH>
                  Render kustomizations with this `kustomize` or `kubectl` instead of by
                  itself

              --helm-binary <PATH>
                  The `helm` to use [default: from PATH]

              --source <SOURCE>
                  Where a source of Flux is, instead of the address that it declares:
                  NAMESPACE/NAME=PATH or =URL; may be given more than once

              --input <INPUT>
                  The manifest of a ConfigMap or Secret that units read while they are
                  rendered and Git does not declare: Secret/flux-system/settings=FILE;
                  may be given more than once

                  Likewise an AppProject of Argo CD, and its settings:
                  AppProject/argocd/shop=FILE, ConfigMap/argocd/argocd-cm=FILE.

                  Otherwise it is read from the cluster; what is not there either keeps
                  its unit from being rendered.

              --cluster-params <FILE>
                  The clusters that ApplicationSets of Argo CD generate for, where their
                  Secrets are not in Git: a YAML list of name, server, labels,
                  annotations

                  Those of other names are read from the cluster, where it has them.

              --chart <CHART>
                  A chart to take from this machine, a folder or a .tgz, instead of from
                  where it is declared: NAME=PATH; may be given more than once

                  NAME is the chart's, REPOSITORY/NAME, or NAMESPACE/NAME of its Flux
                  source.

              --decryption-key <FILE>
                  A private key for files encrypted with SOPS: an age key file, an SSH
                  key, or the manifest of the Secret that Flux decrypts with; - asks for
                  it

                  Beside it those are used that `sops` finds: SOPS_AGE_KEY,
                  SOPS_AGE_KEY_FILE, its own file, and SSH keys without a passphrase.

                  Of that Secret, what signs in with Vault, AWS, Google Cloud and Azure
                  goes to `sops`; keys of PGP are to be imported into gpg.

              --sealed-secrets-key <FILE>
                  A backup of the keys of the sealed-secrets controller: the manifests
                  of their Secrets; may be given more than once

                  They are restored before the controller, which opens SealedSecrets
                  with them.

              --unseal
                  Open SealedSecrets with these keys, and restore the Secrets in them
                  too

                  So that nothing waits for the controller. Once it runs it takes them
                  over.

              --strict
                  Refuse to go on if anything in the repository is wrong or in doubt

                  Otherwise what cannot be used is named and left out, and the rest goes
                  on.

        Selection:
              --only <TERM>
                  Only what matches, and what it depends on; may be given more than once

                  TERM is unit=PATH, namespace=NAME, kind=KIND[.group],
                  label=KEY[=VALUE], an object (Deployment/shop/checkout) or, as a bare
                  word, a namespace.

              --except <TERM>
                  Nothing that matches; the same terms; may be given more than once

              --no-deps
                  Do not pull in what the chosen objects depend on

              --first <NAMESPACE>
                  Bring back these namespaces before others, with what they depend on

                  Several with commas, or the flag more than once.

              --no-migrate
                  Do not rewrite API versions that the cluster no longer serves

        Control plane:
              --control-plane <DIR>
                  Folder with etcd, kube-apiserver, kube-controller-manager,
                  kube-scheduler and kwok [default: cached, else downloaded, else built
                  with Go]

                  [env: KUBEBUILDER_ASSETS]

              --simulate <FILE>
                  KWOK Stages that simulate more: custom resources, slower pods; may be
                  given more than once

              --keep
                  Leave the control plane running and print how to reach it

        Run:
              --timeout <TIME>
                  How long one object may take to be accepted and to become ready

                  [default: 10m]

              --soft-wait <TIME>
                  How long to wait for what an object can also start without

                  Such as the Secret of a Pod. After that it is applied all the same,
                  and the summary says what it was applied without.

                  [default: 60s]

              --concurrency <N>
                  At most so many requests in flight; fewer if the server is slow

                  [default: 64]

        Output:
              --output <FORMAT>
                  How it is told

                  Possible values:
                  - human: For people: progress and a summary
                  - json:  One JSON event a line, the summary last

                  [default: human]

              --report <FILE>
                  Also write the whole report to a file: JSON if its name ends in .json

          -v, --verbose
                  List everything, also what is otherwise cut short

        Examples:
          refloat drill fixtures/mobile-bank
          refloat drill ./gitops --path clusters/production --report drill.json
          refloat drill ./gitops --keep
        "#);
    }

    #[test]
    fn every_flag_of_restore_is_read() {
        let cli = parsed(
            "refloat restore git@x:y.git --path a --path b --rev main~2 --values v.yaml --namespace shop \
             --kubeconfig k --context c --yes --only namespace=pay --only Deployment/web --except kind=Job --no-deps \
             --first pay,core --old-cluster-is-gone --timeout 1h30m --soft-wait 90s --concurrency 8 --no-lease \
             --force-entry --recreate --mode auto --strict --no-migrate --dry-run --report r.json --output json --verbose \
             --kustomize-binary kz --helm-binary hm",
        )
        .expect("because all of these are flags");
        let Command::Restore(args) = cli.command else {
            panic!("restore was asked for");
        };
        assert_eq!(args.source.path, ["a", "b"]);
        assert_eq!(args.selection.first, ["pay", "core"]);
        assert_eq!(args.selection.only, ["namespace=pay", "Deployment/web"]);
        assert_eq!(args.run.timeout.as_secs(), 5400);
        assert_eq!(args.run.soft_wait.as_secs(), 90);
        assert_eq!(args.run.concurrency.get(), 8);
        assert!(args.dry_run && args.right.yes && args.source.strict);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "refloat restore",
            "refloat restore r --rev a --at 2026-01-01",
            "refloat restore r --timeout soon",
            "refloat restore r --concurrency 0",
            "refloat plan r --kube-version 1.37 --context c",
            "refloat plan r --kube-version latest",
            "refloat render r --output dot",
            "refloat history r --limit 0",
        ] {
            let error = parsed(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_plan_needs_no_cluster() {
        let cli = parsed("refloat plan r --kube-version v1.37.2 --why Deployment/web --output dot")
            .expect("because all of these are flags");
        let Command::Plan(args) = cli.command else {
            panic!("plan was asked for");
        };
        assert_eq!(
            args.kube_version.map(|version| version.to_string()).as_deref(),
            Some("1.37")
        );
        assert_eq!(args.output, PlanOutput::Dot);
    }

    #[test]
    fn the_guard_takes_what_it_is_given() {
        let cli = parsed("refloat __guard --anything 3 4").expect("because it takes all");
        let Command::Guard(args) = cli.command else {
            panic!("the guard was asked for");
        };
        assert_eq!(args.rest, ["--anything", "3", "4"]);
    }
}
