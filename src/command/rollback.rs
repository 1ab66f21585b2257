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
    let at = declare::at_commit(source, commit);
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
    let said = Said {
        yes: args.right.yes,
        names_context: args.target.context.is_some(),
    };
    let asked = |text: &str| {
        io::stdin()
            .is_terminal()
            .then(|| right_cluster::types_name(&prepared.facts, text))
    };
    decide(number, said, &prepared.facts, asked)
}

/// What the operator said on the command line.
#[derive(Debug, Clone, Copy)]
struct Said {
    yes: bool,
    names_context: bool,
}

/// Whether so many objects may be deleted. `types_name` asks with a text, and tells whether the cluster's name was typed; `None` where
/// nobody can be asked.
fn decide(
    number: usize,
    said: Said,
    facts: &Facts,
    types_name: impl FnOnce(&str) -> Option<bool>,
) -> Result<(), Failure> {
    if number == 0 || said.yes && said.names_context {
        return Ok(());
    }
    let objects = match number {
        1 => "1 object".to_owned(),
        _ => format!("{number} objects"),
    };
    let refused = |why: &str| {
        let context = facts.context.as_ref().map_or("NAME", |context| &context.name);
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
    if said.yes {
        return Err(refused("--yes needs --context before anything is deleted"));
    }
    let are = match number {
        1 => "is",
        _ => "are",
    };
    match types_name(&format!("\nTo delete {objects} that {are} listed above")) {
        Some(true) => Ok(()),
        Some(false) => Err(refused("the name that was typed is not the cluster's")),
        None => Err(refused("nobody can be asked: this is no terminal")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{KubeVersion, ServedKinds};

    /// What is decided: nothing is asked, what is asked, or why not.
    fn told(number: usize, yes: bool, names_context: bool, typed: Option<bool>) -> (bool, String) {
        let facts = Facts::of_a_new_cluster(KubeVersion { major: 1, minor: 37 }, ServedKinds::default());
        let mut asked = String::new();
        let types_name = |text: &str| {
            text.trim().clone_into(&mut asked);
            typed
        };
        let decided = decide(number, Said { yes, names_context }, &facts, types_name);
        let allowed = decided.is_ok();
        (allowed, decided.err().map_or(asked, |failure| failure.in_one_line()))
    }

    #[test]
    fn nothing_is_deleted_unless_the_cluster_is_named() {
        assert_eq!(told(0, false, false, None), (true, String::new()));
        assert_eq!(told(2, true, true, None), (true, String::new()), "nobody is asked");
        assert_eq!(
            told(1, false, false, Some(true)),
            (true, "To delete 1 object that is listed above".to_owned())
        );
        assert_eq!(
            told(2, false, true, Some(true)),
            (true, "To delete 2 objects that are listed above".to_owned())
        );
        for (yes, names_context, typed, why) in [
            (
                false,
                false,
                Some(false),
                "the name that was typed is not the cluster's",
            ),
            (false, true, None, "nobody can be asked: this is no terminal"),
            (
                true,
                false,
                Some(true),
                "--yes needs --context before anything is deleted",
            ),
        ] {
            let (allowed, said) = told(2, yes, names_context, typed);
            assert!(!allowed && said.contains(why), "{said}");
            assert!(
                said.contains("2 objects would be deleted, which was not confirmed"),
                "{said}"
            );
        }
    }
}
