//! Rolling back: what an older revision does not declare any more is found, and deleted where that is asked for.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use super::console::Console;
use super::prepare::{self, Prepared};
use super::{declare, right_cluster};
use crate::cli::{RestoreArgs, SourceArgs};
use crate::cluster::Cluster;
use crate::error::{Failure, Kind, printable};
use crate::object::{DeclaredSet, FactGap, Facts, LiveObject, LiveUnit, ObjectId};
use crate::plan::{self, Earlier, PlanOptions, Removed, StepAction};

/// What was declared before and is no longer, and what is in the cluster of it.
pub(super) struct Removal {
    pub removed: Removed,
    pub live: BTreeMap<ObjectId, LiveObject>,
    pub gaps: Vec<FactGap>,
    /// Objects of kinds that are never deleted otherwise.
    pub named: Vec<String>,
}

/// Finds what was declared at the revision that was restored last and is not declared now, and looks at it in the cluster.
///
/// # Errors
/// Nothing tells what was there before, the revision cannot be read, or not all of what is declared now could be.
pub(super) async fn look(
    source: &SourceArgs,
    named: &[String],
    set: &DeclaredSet,
    facts: &Facts,
    options: &PlanOptions,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<Removal, Failure> {
    if set.has_errors() {
        console.preflight(&set.problems, &[], true);
        return Err(
            not_known("not all of what this revision declares could be read, so what it lacks is not known")
                .hint("mend what is named above, or leave out --prune-removed"),
        );
    }
    let now = set.repository.commit.as_deref().unwrap_or_default();
    let before = before(set, facts);
    let mut synced: BTreeMap<&str, Vec<LiveUnit>> = BTreeMap::new();
    for unit in facts.engines.iter().filter(|unit| !unit.repositories.is_empty()) {
        synced.entry(&unit.synced).or_default().push(unit.clone());
    }
    synced.remove("");
    if before.is_none() && synced.is_empty() {
        return Err(not_known(
            "neither an earlier restore of this entry nor an engine in the cluster says what was there before",
        )
        .hint("leave out --prune-removed: what is left over is found by `refloat audit`"));
    }
    let restored = before.as_deref().map(|commit| (commit, None));
    let by_engines = synced
        .into_iter()
        .filter(|(commit, _)| before.as_deref() != Some(commit));
    let all = restored
        .into_iter()
        .chain(by_engines.map(|(commit, units)| (commit, Some(units))));
    let mut earlier = Vec::new();
    for (commit, synced) in all.filter(|(commit, _)| *commit != now) {
        let set = read(source, commit, set, facts, options, cluster, console)?;
        earlier.push(Earlier { set, synced });
    }
    let removed = plan::removed(set, &earlier, facts, options)?;
    let (live, gaps) = cluster.with_managers(removed.ids()).await?;
    Ok(Removal {
        removed,
        live,
        gaps,
        named: named.to_vec(),
    })
}

fn not_known(why: &str) -> Failure {
    Failure::new(Kind::Input, "nothing was changed: what is to be deleted is not known").because(why)
}

/// The commit that was restored last from the same place; where that is this one, the one before it.
fn before(set: &DeclaredSet, facts: &Facts) -> Option<String> {
    let (now, record) = (declare::record(set), facts.record.as_ref()?);
    if !record.same_place(&now) || record.revision.is_empty() {
        return None;
    }
    match record.revision == now.revision && !record.before.is_empty() {
        true => Some(record.before.clone()),
        false => Some(record.revision.clone()),
    }
}

/// What was declared at a commit, from the same place.
fn read(
    source: &SourceArgs,
    commit: &str,
    now: &DeclaredSet,
    facts: &Facts,
    options: &PlanOptions,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<DeclaredSet, Failure> {
    let short: String = printable(commit).chars().take(12).collect();
    let at = SourceArgs {
        rev: Some(commit.to_owned()),
        at: None,
        ..source.clone()
    };
    let read = prepare::declared(&at, &facts.kinds, options, cluster, console);
    let (earlier, _) = read.map_err(|failure| {
        let failure =
            not_known(&format!("{short} was there before, and cannot be read")).because(failure.in_one_line());
        failure.hint("fetch that commit into the clone, or leave out --prune-removed")
    })?;
    if earlier.entry.paths != now.entry.paths {
        let paths = |set: &DeclaredSet| printable(&set.entry.paths.join(", "));
        let why = format!("{short} is declared from {}, this is {}", paths(&earlier), paths(now));
        return Err(not_known(&why).hint("name the place with --path"));
    }
    Ok(earlier)
}

/// Asks before anything is deleted; all of it was listed.
///
/// # Errors
/// The operator did not confirm it.
pub(super) fn confirm(args: &RestoreArgs, prepared: &Prepared) -> Result<(), Failure> {
    let deletes = |step: &&plan::Step| matches!(step.action, StepAction::Delete { .. });
    let number = prepared.plan.steps.iter().filter(deletes).count();
    if number == 0 || args.right.yes && args.target.context.is_some() {
        return Ok(());
    }
    let objects = match number {
        1 => "1 object".to_owned(),
        _ => format!("{number} objects"),
    };
    let refused = |why: &str| {
        let context = prepared.facts.context.as_ref().map_or("NAME", |context| &context.name);
        Failure::new(
            Kind::Cluster,
            format!("nothing was changed: {objects} would be deleted, which was not confirmed"),
        )
        .because(why)
        .hint(format!(
            "to delete what is listed above: --yes --context {}",
            printable(context)
        ))
    };
    if args.right.yes {
        return Err(refused("--yes needs --context before anything is deleted"));
    }
    if !io::stdin().is_terminal() {
        return Err(refused("nobody can be asked: this is no terminal"));
    }
    match right_cluster::types_name(
        &prepared.facts,
        &format!(
            "\nTo delete {objects} that {} listed above",
            match number {
                1 => "is",
                _ => "are",
            }
        ),
    ) {
        true => Ok(()),
        false => Err(refused("the name that was typed is not the cluster's")),
    }
}
