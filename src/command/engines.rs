//! Engines in the cluster that sync what is restored.

use std::collections::BTreeSet;

use crate::cli::{ModeArg, RestoreArgs};
use crate::error::{Failure, Kind, printable};
use crate::object::{DeclaredSet, Facts, LiveUnit, ObjectId, Unit};
use crate::plan::{self, Note, NoteKind, Plan, StepAction};
use crate::source::path::is_within;
use crate::source::same_repository;

/// Units named in a message.
const NAMED: usize = 5;

/// Leaves to units only the repositories that are this one (by its addresses): of others the commits say nothing here.
pub(super) fn of_repository(set: &DeclaredSet, addresses: &[String], units: &mut [LiveUnit]) {
    for unit in units {
        if !is_of(set, addresses, unit) {
            unit.repositories.clear();
        }
    }
}

/// Narrows units down to those that have to do with a restore: what syncs anything that is restored, what is declared or declared what
/// is no longer (`removed`), and what makes these.
pub(super) fn narrow(set: &DeclaredSet, removed: &BTreeSet<ObjectId>, units: &mut Vec<LiveUnit>) {
    let declared: BTreeSet<&ObjectId> = set.objects.iter().map(|one| &one.id).chain(removed).collect();
    let concerned =
        |unit: &LiveUnit| !unit.repositories.is_empty() && overlaps(set, unit) || declared.contains(&unit.id);
    let found = units.iter().filter(|unit| concerned(unit));
    let owners: BTreeSet<ObjectId> = found.filter_map(|unit| unit.owner.clone()).collect();
    units.retain(|unit| concerned(unit) || owners.contains(&unit.id));
}

/// Whether a unit is synced from this repository: by its address, or because what is restored was found through it and its source is
/// the one of the bootstrap.
fn is_of(set: &DeclaredSet, addresses: &[String], unit: &LiveUnit) -> bool {
    let own = |url: &String| addresses.iter().any(|own| same_repository(own, url));
    let bootstrap = ObjectId::new(
        "source.toolkit.fluxcd.io",
        "GitRepository",
        Some("flux-system"),
        "flux-system",
    );
    let followed = |of: &Unit| of.engine.as_ref().is_some_and(|engine| engine.object == unit.id);
    unit.repositories.iter().any(own) || unit.source.as_ref() == Some(&bootstrap) && set.units.iter().any(followed)
}

/// Whether what a unit syncs and what is restored lie in one another.
fn overlaps(set: &DeclaredSet, unit: &LiveUnit) -> bool {
    let paths = set.entry.paths.iter().chain(set.units.iter().map(|unit| &unit.path));
    let mut paths = paths.map(|path| path.trim_matches('/'));
    paths.any(|path| is_within(path, &unit.path) || is_within(&unit.path, path))
}

/// Refuses what cannot be had together with engines that make their units themselves.
///
/// # Errors
/// They are to be suspended, or another revision is asked for than the one they sync.
pub(super) fn check_mode(args: &RestoreArgs) -> Result<(), Failure> {
    if args.change.mode == ModeArg::Direct {
        return Ok(());
    }
    let nothing = || Failure::new(Kind::Usage, "nothing was restored");
    if args.rollback.suspend_engines {
        return Err(nothing()
            .because("engines that are suspended make nothing")
            .hint("leave --suspend-engines out, or use --mode direct"));
    }
    if args.change.mode == ModeArg::Engine && (args.source.rev.is_some() || args.source.at.is_some()) {
        return Err(nothing()
            .because("engines make what their sources point to, whatever revision is asked for here")
            .hint("use --mode direct with --rev and --at, or change the revision in the sources"));
    }
    Ok(())
}

/// Refuses to let engines make what acts on the outside world: where refloat makes it, it is held back.
///
/// # Errors
/// There is such among what is left to engines.
pub(super) fn refuse_to_let_go(plan: &Plan) -> Result<(), Failure> {
    let left = |note: &&Note| {
        let step = plan.steps.iter().find(|step| Some(&step.id) == note.object.as_ref());
        note.kind == NoteKind::ActsOutside && step.is_some_and(|step| matches!(step.action, StepAction::Await(_)))
    };
    let let_go: Vec<&Note> = plan.notes.iter().filter(left).collect();
    if let_go.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(
        Kind::Cluster,
        "nothing was restored: engines would let go what acts on the outside world",
    );
    let reason = |note: &&Note| {
        let object = note.object.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{object}: {}", note.message)
    };
    Err(because_of(failure, &let_go, reason)
        .hint("--old-cluster-is-gone once nothing else acts on the outside world any more")
        .hint("or --mode direct, which holds these back"))
}

/// Refuses to restore what an engine would undo.
///
/// # Errors
/// A unit syncs another revision and is not suspended.
pub(super) fn refuse(set: &DeclaredSet, facts: &Facts) -> Result<(), Failure> {
    let undoing = plan::undoing(facts, set.repository.commit.as_deref());
    if undoing.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(
        Kind::Cluster,
        "nothing was changed: an engine in the cluster would undo it within minutes",
    );
    let reason = |unit: &&LiveUnit| {
        let follows = match &*unit.follows {
            "" => String::new(),
            follows => format!(" ({follows})"),
        };
        let commit: String = unit.next.chars().take(12).collect();
        printable(&format!("{} syncs {commit}{follows}", unit.id))
    };
    Err(because_of(failure, &undoing, reason)
        .hint("--suspend-engines suspends all of them first; `refloat resume` lets them go on")
        .hint("or revert in Git, and let the engine do it"))
}

/// The failure with the first few of its causes, and how many others there are.
fn because_of<T>(failure: Failure, all: &[T], reason: impl Fn(&T) -> String) -> Failure {
    let named = all.iter().take(NAMED).map(reason);
    let others = Some(all.len().saturating_sub(NAMED)).filter(|count| *count > 0);
    named
        .chain(others.map(|count| format!("and {count} others")))
        .fold(failure, |failure, cause| failure.because(cause))
}
