//! From a cluster and a repository to a plan: what `restore`, `plan` and `drill` share.

use std::sync::Arc;

use super::console::{self, Console};
use super::declare;
use crate::cli::{ChangeArgs, SelectionArgs, SourceArgs};
use crate::cluster::{Cluster, FactsOptions};
use crate::error::Failure;
use crate::event::{Event, Summary};
use crate::object::{DeclaredSet, Facts};
use crate::plan::{self, Plan, PlanOptions, Selection};
use crate::report::{self, About, Report, Verified};

/// What is known before the first write.
pub(super) struct Prepared {
    pub set: DeclaredSet,
    pub facts: Facts,
    pub plan: Arc<Plan>,
}

impl Prepared {
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
    console.say(&Event::Progress("asking the cluster what it serves".to_owned()));
    let (kinds, _) = cluster.discover().await?;
    let target = declare::Target {
        kinds: &kinds,
        version: cluster.version(),
        namespace: &options.namespace,
        cluster: Some(cluster),
    };
    // Reading and rendering block; nothing else runs meanwhile.
    let set = tokio::task::block_in_place(|| declare::declare(source, target, &mut |event| console.say(event)))?;
    let set = plan::with_written_ids(set, &kinds, options);
    console.say(&Event::Progress("asking the cluster what it has".to_owned()));
    let facts = cluster.facts(&set, FactsOptions::default()).await?;
    planned(set, facts, options, console)
}

/// Plans. Where that fails, what is wrong with the input is told all the same: it may be why.
pub(super) fn planned(
    set: DeclaredSet,
    facts: Facts,
    options: &PlanOptions,
    console: &mut Console,
) -> Result<Prepared, Failure> {
    let built = plan::build(&set, &facts, options);
    let plan = Arc::new(built.inspect_err(|_| console.preflight(&set.problems, &[], true))?);
    Ok(Prepared { set, facts, plan })
}

/// What the operator chose, for planning.
pub(super) fn plan_options(namespace: &str, selection: &SelectionArgs, change: &ChangeArgs) -> PlanOptions {
    PlanOptions {
        namespace: namespace.to_owned(),
        selection: Selection {
            only: selection.only.clone(),
            except: selection.except.clone(),
            no_deps: selection.no_deps,
        },
        first: selection.first.clone(),
        migrate: !selection.no_migrate,
        recreate: change.recreate,
        old_cluster_is_gone: change.old_cluster_is_gone,
        played: None,
    }
}

/// `--namespace`, else the context's, else `default`.
pub(super) fn namespace<'a>(source: &'a SourceArgs, cluster: &'a Cluster) -> &'a str {
    let context = Some(&*cluster.context().namespace).filter(|name| !name.is_empty());
    source.namespace.as_deref().or(context).unwrap_or("default")
}
