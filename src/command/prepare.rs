//! From a cluster and a repository to a plan: what `restore`, `plan` and `drill` share.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::console::{self, Console};
use super::declare;
use super::rollback::{self, Removal};
use super::{engines, ignored, releases};
use crate::cli::{ChangeArgs, ModeArg, RollbackArgs, SelectionArgs, SourceArgs, TargetArgs};
use crate::cluster::{Cluster, ConnectOptions, FactsOptions};
use crate::error::Failure;
use crate::event::{Event, Summary};
use crate::object::{DeclaredSet, Facts, ServedKinds};
use crate::plan::{self, Known, Mode, Plan, PlanOptions, Selection};
use crate::report::{self, About, Report, Verified};

/// What is known before the first write.
pub(super) struct Prepared {
    pub set: DeclaredSet,
    pub facts: Facts,
    pub plan: Arc<Plan>,
    /// What is done beside.
    pub beside: Beside,
}

/// What is done beside restoring.
#[derive(Default)]
pub(super) struct Beside {
    /// What is deleted, where that was asked for.
    pub removal: Option<Removal>,
    /// Engines are suspended first.
    pub suspend_engines: bool,
}

impl Prepared {
    /// Plans again, with other choices.
    pub fn plan_again(&mut self, options: &PlanOptions) -> Result<(), Failure> {
        self.plan = Arc::new(build(&self.set, &self.facts, &self.beside, options)?);
        Ok(())
    }

    /// What the run is about.
    pub fn about(&self) -> About<'_> {
        About {
            repository: &self.set.repository,
            entry: &self.set.entry,
            unreached: self.set.unreached,
            context: self.facts.context.as_ref(),
        }
    }

    /// Tells people what the run is about.
    pub fn tell_about(&self, console: &mut Console) {
        console.pause();
        if console.is_human() {
            console::talk(|err| report::about(&self.about(), err));
        }
    }

    /// The whole report of a run.
    pub fn report<'a>(&'a self, summary: &'a Summary, verified: Option<&'a Verified>) -> Report<'a> {
        Report {
            about: self.about(),
            plan: &self.plan,
            summary,
            verified,
        }
    }
}

/// Reads the repository, asks the cluster, plans.
pub(super) async fn prepare(
    source: &SourceArgs,
    options: &PlanOptions,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<Prepared, Failure> {
    let (set, mut facts) = gather(source, options, cluster, console).await?;
    engines::narrow(&set, &BTreeSet::new(), &mut facts.engines);
    planned(set, facts, Beside::default(), options, console)
}

/// Likewise, with what is to be done beside when an older revision is restored.
pub(super) async fn prepare_rollback(
    source: &SourceArgs,
    rollback: &RollbackArgs,
    options: &mut PlanOptions,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<Prepared, Failure> {
    let (set, mut facts) = gather(source, options, cluster, console).await?;
    let removal = match &rollback.prune_removed {
        None => None,
        Some(named) => Some(rollback::look(source, named, &set, &facts, options, cluster, console).await?),
    };
    let mut removed = BTreeSet::new();
    if let Some(removal) = &removal {
        options.selection.known.clone_from(&removal.removed.terms);
        removed.extend(removal.removed.ids().chain(removal.removed.units()));
    }
    engines::narrow(&set, &removed, &mut facts.engines);
    let beside = Beside {
        removal,
        suspend_engines: rollback.suspend_engines,
    };
    planned(set, facts, beside, options, console)
}

/// Reads the repository and asks the cluster.
async fn gather(
    source: &SourceArgs,
    options: &PlanOptions,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<(DeclaredSet, Facts), Failure> {
    console.say(&Event::Progress("asking the cluster what it serves".to_owned()));
    let (kinds, _) = cluster.discover().await?;
    let (mut set, addresses) = declared(source, &kinds, options, cluster, console)?;
    console.say(&Event::Progress("asking the cluster what it has".to_owned()));
    let not_kept = ignored::keep(&mut set, &kinds, cluster).await;
    let mut facts = cluster.facts(&set, FactsOptions::default()).await?;
    facts.gaps.extend(not_kept);
    engines::of_repository(&set, &addresses, &mut facts.engines);
    releases::take_values(&mut set, &mut facts, cluster).await;
    releases::look_up(&set, &mut facts, cluster).await;
    let own = declare::record(&set);
    if !facts.record.as_ref().is_some_and(|record| record.same_restore(&own)) {
        facts.ran.clear();
    }
    Ok((set, facts))
}

/// What a repository declares for the cluster, under the identities that are written, and the repository's addresses.
pub(super) fn declared(
    source: &SourceArgs,
    kinds: &ServedKinds,
    options: &PlanOptions,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<(DeclaredSet, Vec<String>), Failure> {
    let target = declare::Target {
        kinds,
        version: cluster.version(),
        namespace: &options.namespace,
        cluster: Some(cluster),
    };
    // Reading and rendering block; nothing else runs meanwhile.
    let (set, addresses) = tokio::task::block_in_place(|| {
        let tree = declare::open(source, false, &mut |event| console.say(event))?;
        let set = declare::read(source, &tree, target, &mut |event| console.say(event))?;
        Ok::<_, Failure>((set, tree.addresses().to_vec()))
    })?;
    Ok((plan::with_written_ids(set, kinds, options), addresses))
}

fn build(set: &DeclaredSet, facts: &Facts, beside: &Beside, options: &PlanOptions) -> Result<Plan, Failure> {
    let mut plan = plan::build(set, facts, options)?;
    plan::record_releases(&mut plan, set, facts);
    if let Some(removal) = &beside.removal {
        let known = Known {
            live: &removal.live,
            gaps: &removal.gaps,
            engines: &facts.engines,
            suspends: beside.suspend_engines,
            named: &removal.named,
        };
        plan::prune(&mut plan, &removal.removed, known)?;
    }
    plan::suspend(
        &mut plan,
        facts,
        set.repository.commit.as_deref(),
        beside.suspend_engines,
    );
    Ok(plan)
}

/// Plans. Where that fails, what is wrong with the input is told all the same: it may be why.
pub(super) fn planned(
    set: DeclaredSet,
    facts: Facts,
    beside: Beside,
    options: &PlanOptions,
    console: &mut Console,
) -> Result<Prepared, Failure> {
    let built = build(&set, &facts, &beside, options);
    let plan = Arc::new(built.inspect_err(|_| console.preflight(&set.problems, &[], true))?);
    Ok(Prepared {
        set,
        facts,
        plan,
        beside,
    })
}

/// What the operator chose, for planning.
pub(super) fn plan_options(namespace: &str, selection: &SelectionArgs, change: &ChangeArgs) -> PlanOptions {
    PlanOptions {
        namespace: namespace.to_owned(),
        selection: Selection {
            only: selection.only.clone(),
            except: selection.except.clone(),
            no_deps: selection.no_deps,
            ..Selection::default()
        },
        first: selection.first.clone(),
        migrate: !selection.no_migrate,
        recreate: change.recreate,
        mode: match change.mode {
            ModeArg::Direct => Mode::Direct,
            ModeArg::Engine => Mode::Engine,
            ModeArg::Auto => Mode::Auto,
        },
        old_cluster_is_gone: change.old_cluster_is_gone,
        forgets: false,
        played: None,
    }
}

/// The cluster that the command line names.
pub(super) async fn connect(target: &TargetArgs) -> Result<Cluster, Failure> {
    Cluster::connect(ConnectOptions {
        kubeconfig: target.kubeconfig.clone(),
        context: target.context.clone(),
        ..ConnectOptions::default()
    })
    .await
}

/// `--namespace`, else the context's, else `default`.
pub(super) fn namespace<'a>(source: &'a SourceArgs, cluster: &'a Cluster) -> &'a str {
    let context = Some(&*cluster.context().namespace).filter(|name| !name.is_empty());
    source.namespace.as_deref().or(context).unwrap_or("default")
}
