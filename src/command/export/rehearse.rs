//! `--verify-in-drill`: the changed repository, restored into an empty control plane.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::task;

use super::interrupted;
use crate::cli::RunArgs;
use crate::cluster::{Cleaned, Cluster, FactsOptions, Wanted};
use crate::command::audit::Audit;
use crate::command::console::Console;
use crate::command::prepare::{self, Beside, Prepared};
use crate::command::{drill, restore};
use crate::control_plane::{self, Sources};
use crate::declared;
use crate::error::{Failure, Kind};
use crate::event::{Event, Summary};
use crate::export::{self, Changeset, Intent, Rehearsed};
use crate::object::{ObjectId, resolve};
use crate::plan::{self, PlanOptions};

/// Simulated nodes are quick: what takes longer does not come.
const TIMEOUT: Duration = Duration::from_secs(60);
const SOFT_WAIT: Duration = Duration::from_secs(5);
const IN_FLIGHT: usize = 64;

/// Restores what the changed repository declares into a throwaway control plane, and compares what was exported with what came of it.
///
/// # Errors
/// When there is no control plane, or it cannot be restored into.
pub(super) async fn rehearse(
    audited: &Audit,
    intent: &Intent,
    made: &Changeset,
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    console: &mut Console,
) -> Result<Rehearsed, Failure> {
    let options = control_plane::Options {
        sources: Sources::from_environment(None, |name| std::env::var_os(name)),
        ..control_plane::Options::default()
    };
    let plane = drill::start(&options, console).await?;
    let work = async {
        let cluster = drill::connect(&plane).await?;
        let (prepared, summary) = restored(audited, made, &cluster, console).await?;
        console.say(&Event::Progress(
            "comparing what came of it with what is live".to_owned(),
        ));
        compare(intent, made, cleaned, (&prepared, &summary), &cluster).await
    };
    let rehearsed = tokio::select! {
        rehearsed = work => rehearsed,
        broken = plane.until_broken() => Err(broken),
    };
    plane.stop().await;
    rehearsed
}

async fn restored(
    audited: &Audit,
    made: &Changeset,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<(Prepared, Summary), Failure> {
    let (kinds, _) = cluster.discover().await?;
    let changed = audited.tree.with(&made.files);
    let set = task::block_in_place(|| declared::load(&changed, &audited.options))?;
    let options = PlanOptions {
        namespace: audited.options.namespace.clone(),
        // Nothing in a throwaway control plane reaches the outside world.
        old_cluster_is_gone: true,
        played: Some(BTreeSet::new()),
        ..PlanOptions::default()
    };
    let set = plan::with_written_ids(resolve(set, &kinds, &options.namespace), &kinds, &options);
    console.say(&Event::Progress(
        "restoring the changed repository into the control plane".to_owned(),
    ));
    let facts = cluster.facts(&set, FactsOptions::default()).await?;
    let prepared = prepare::planned(set, facts, Beside::default(), &options, console)?;
    let run = RunArgs {
        timeout: TIMEOUT,
        soft_wait: SOFT_WAIT,
        concurrency: NonZeroUsize::new(IN_FLIGHT).unwrap_or(NonZeroUsize::MIN),
    };
    let summary = restore::walk(&prepared, cluster, &run, false, None, &mut Console::silent()).await?;
    match &summary.stopped {
        _ if summary.interrupted => Err(interrupted()),
        Some(why) => Err(not_rehearsed(why)),
        None => Ok((prepared, summary)),
    }
}

async fn compare(
    intent: &Intent,
    made: &Changeset,
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    (prepared, summary): (&Prepared, &Summary),
    cluster: &Cluster,
) -> Result<Rehearsed, Failure> {
    let (kinds, _) = cluster.discover().await?;
    let asked = export::to_rehearse(intent, made, &prepared.set);
    let wanted = asked.iter().map(|(id, declared)| Wanted {
        id,
        declared: *declared,
    });
    let (there, gaps) = cluster.clean(&kinds, &wanted.collect::<Vec<_>>()).await;
    if let Some(gap) = gaps.first() {
        return Err(not_rehearsed(&format!("{}: {}", gap.what, gap.reason)));
    }
    Ok(export::rehearsed(intent, made, cleaned, &there, &summary.outcomes))
}

fn not_rehearsed(why: &str) -> Failure {
    Failure::new(
        Kind::Tool,
        "nothing was written: the changed repository could not be restored into a throwaway control plane",
    )
    .because(why)
    .hint("run it again; without --verify-in-drill the change is proven by rendering alone")
}
