//! A [`Summary`] put in order for the human and the JSON report: counts, root failures with those that were skipped
//! because of them, what was held back, warnings, the slowest chain. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::text;
use crate::event::Summary;
use crate::object::{Action, ObjectId, Outcome, Place, Readiness, SkipReason};
use crate::plan::{Edge, NodeIndex, Plan, StepAction, Until};

/// Why something is not as it should be, with the message of whoever said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// The server refused it.
    Refused(String),
    /// It is there and its own status says that it failed.
    NotReady(String),
    /// It is there and was not ready at the deadline.
    TimedOut(String),
    /// What it waits for is still missing and nothing can move any more.
    Stalled(String),
    /// No server kind for it.
    NotServed(String),
    /// Held back; a root only where something that was not held back needs it.
    HeldBack(String),
    /// It is there, and what it stands for could not be rendered.
    NotRendered(String),
    /// None of these, and still something was skipped because of it.
    Other(&'static str),
}

impl Cause {
    /// The word in JSON.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NotReady(_) => "not-ready",
            Self::TimedOut(_) => "timed-out",
            Self::Stalled(_) => "stalled",
            Self::NotServed(_) => "not-served",
            Self::HeldBack(_) => "held-back",
            Self::NotRendered(_) => "not-rendered",
            Self::Other(_) => "other",
        }
    }

    /// What was said.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Refused(text)
            | Self::NotReady(text)
            | Self::TimedOut(text)
            | Self::Stalled(text)
            | Self::NotServed(text)
            | Self::HeldBack(text)
            | Self::NotRendered(text) => text,
            Self::Other(text) => text,
        }
    }
}

/// An object that others could not be applied for, or that itself went wrong.
#[derive(Debug)]
pub(super) struct Root<'a> {
    pub(super) id: &'a ObjectId,
    pub(super) cause: Cause,
    pub(super) place: Option<Place>,
    /// Skipped because of it, directly or through others, in the order of the plan.
    pub(super) dependants: Vec<&'a ObjectId>,
}

/// A warning of the server and the objects it was given for.
#[derive(Debug)]
pub(super) struct Warning<'a> {
    pub(super) text: String,
    pub(super) objects: Vec<&'a ObjectId>,
}

/// One link of the slowest chain.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) node: NodeIndex,
    /// From the end of the link before it to its own; `None` for gates and for what never came to its end.
    pub(super) took: Option<Duration>,
    /// Its own end, from the start of the run.
    pub(super) end: Option<Duration>,
    /// Why it waited for the link before it.
    pub(super) edge: Option<&'a Edge>,
}

/// A summary, put in order.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    /// In the cluster at the end, as far as is known.
    pub(super) there: usize,
    /// Skipped because of something else.
    pub(super) skipped: usize,
    /// Not started because of the interruption.
    pub(super) not_started: usize,
    /// Root causes, in the order of the plan.
    pub(super) roots: Vec<Root<'a>>,
    /// What would have been done → the objects that are held back.
    pub(super) held_back: BTreeMap<&'a str, Vec<&'a ObjectId>>,
    /// Left as they are because they are made only where absent.
    pub(super) generated: Vec<&'a ObjectId>,
    /// Applied although a soft dependency was not there.
    pub(super) without: Vec<(&'a ObjectId, &'a [ObjectId])>,
    /// By number of objects, most first.
    pub(super) warnings: Vec<Warning<'a>>,
    /// The slowest chain.
    pub(super) chain: Vec<Link<'a>>,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(plan: &'a Plan, summary: &'a Summary) -> Self {
        let outcomes = &summary.outcomes;
        let mut gathered = Self {
            there: there(plan, summary),
            skipped: 0,
            not_started: 0,
            roots: roots(plan, summary),
            held_back: BTreeMap::new(),
            generated: Vec::new(),
            without: Vec::new(),
            warnings: warnings(summary),
            chain: chain(plan, summary),
        };
        for (id, outcome) in outcomes {
            match &outcome.action {
                Action::Skipped(SkipReason::HeldBack(text)) => gathered.held_back.entry(text).or_default().push(id),
                Action::Skipped(SkipReason::Generated) => gathered.generated.push(id),
                Action::Skipped(SkipReason::Interrupted) => gathered.not_started += 1,
                Action::Skipped(_) => gathered.skipped += 1,
                _ => {}
            }
            if !outcome.without.is_empty() {
                gathered.without.push((id, &outcome.without));
            }
        }
        gathered
    }

    /// The roots of some sort.
    pub(super) fn roots_where(&self, which: impl Fn(&Cause) -> bool) -> Vec<&Root<'a>> {
        self.roots.iter().filter(|root| which(&root.cause)).collect()
    }
}

/// How many are there of what the plan restores.
fn there(plan: &Plan, summary: &Summary) -> usize {
    let restores = |index: usize| {
        let step = plan.steps.get(index);
        step.is_none_or(|step| !matches!(step.action, StepAction::Patch { .. }))
    };
    let outcomes = summary.outcomes.iter().enumerate();
    outcomes
        .filter(|(index, (_, outcome))| restores(*index) && is_there(outcome))
        .count()
}

/// Whether the object is in the cluster for all we know.
pub(super) fn is_there(outcome: &Outcome) -> bool {
    match &outcome.action {
        _ if outcome.readiness == Readiness::Done => false,
        Action::Created | Action::Configured | Action::Unchanged | Action::Recreated | Action::Awaited => true,
        Action::Skipped(SkipReason::Generated) => true,
        Action::Deleted | Action::Suspended | Action::Resumed | Action::Skipped(_) | Action::Failed(_) => false,
    }
}

/// Why an outcome is not as it should be; `None` where it is, or where something else is to blame.
fn cause(id: &ObjectId, outcome: &Outcome) -> Option<Cause> {
    let said = |text: &str| text::said_of(id, text);
    match (&outcome.action, &outcome.readiness) {
        (Action::Failed(text), _) => Some(Cause::Refused(said(text))),
        (Action::Skipped(SkipReason::Stalled(text)), _) => Some(Cause::Stalled(said(text))),
        (Action::Skipped(SkipReason::NotServed(text)), _) => Some(Cause::NotServed(said(text))),
        (Action::Skipped(_), _) => None,
        (_, Readiness::Failed(text)) => Some(Cause::NotReady(said(text))),
        (_, Readiness::TimedOut(text)) => Some(Cause::TimedOut(said(text))),
        _ => None,
    }
}

fn not_rendered(plan: &Plan, id: &ObjectId) -> Option<Cause> {
    plan.not_rendered.get(id).cloned().map(Cause::NotRendered)
}

/// Why something was skipped because of this outcome, though it is no failure.
fn quiet_cause(outcome: Option<&Outcome>) -> Option<Cause> {
    match outcome.map(|outcome| &outcome.action) {
        None => Some(Cause::Other("it is not part of this run")),
        // An interruption skips what waits; the summary counts these, and no one is to blame.
        Some(Action::Skipped(SkipReason::Interrupted)) => None,
        Some(Action::Skipped(SkipReason::HeldBack(text))) => Some(Cause::HeldBack(text.clone())),
        Some(Action::Skipped(SkipReason::Dependency(_))) => Some(Cause::Other("it waits for itself through others")),
        Some(_) => Some(Cause::Other("it was not there in time")),
    }
}

fn roots<'a>(plan: &'a Plan, summary: &'a Summary) -> Vec<Root<'a>> {
    let outcomes: HashMap<&ObjectId, &Outcome> = summary.outcomes.iter().map(|(id, outcome)| (id, outcome)).collect();
    let mut roots: Vec<Root<'a>> = Vec::new();
    let mut index: HashMap<&ObjectId, usize> = HashMap::new();
    for (step, (id, outcome)) in summary.outcomes.iter().enumerate() {
        if let Some(cause) = cause(id, outcome) {
            index.insert(id, roots.len());
            let place = plan.steps.get(step).and_then(|step| step.provenance.as_ref());
            roots.push(Root {
                id,
                cause,
                place: place.map(|provenance| provenance.place()),
                dependants: Vec::new(),
            });
        }
    }
    for (id, outcome) in &summary.outcomes {
        let Action::Skipped(SkipReason::Dependency(needed)) = &outcome.action else {
            continue;
        };
        let root = root_of(needed, &outcomes);
        if let Some(at) = index.get(root) {
            roots[*at].dependants.push(id);
        } else if let Some(cause) = not_rendered(plan, root).or_else(|| quiet_cause(outcomes.get(root).copied())) {
            index.insert(root, roots.len());
            roots.push(Root {
                id: root,
                cause,
                place: None,
                dependants: vec![id],
            });
        }
    }
    roots
}

/// Follows "skipped because of" to the one that was not; a ring ends where it closes.
fn root_of<'a>(from: &'a ObjectId, outcomes: &HashMap<&'a ObjectId, &'a Outcome>) -> &'a ObjectId {
    let mut seen = HashSet::new();
    let mut at = from;
    while seen.insert(at) {
        match outcomes.get(at).map(|outcome| &outcome.action) {
            Some(Action::Skipped(SkipReason::Dependency(next))) => at = next,
            _ => return at,
        }
    }
    at
}

fn warnings(summary: &Summary) -> Vec<Warning<'_>> {
    let mut by_text: BTreeMap<String, Vec<&ObjectId>> = BTreeMap::new();
    for (id, outcome) in &summary.outcomes {
        for warning in &outcome.warnings {
            by_text.entry(text::said_of(id, warning)).or_default().push(id);
        }
    }
    let mut warnings: Vec<Warning<'_>> = by_text
        .into_iter()
        .map(|(text, objects)| Warning { text, objects })
        .collect();
    warnings.sort_by_key(|warning| std::cmp::Reverse(warning.objects.len()));
    warnings
}

fn chain<'a>(plan: &'a Plan, summary: &'a Summary) -> Vec<Link<'a>> {
    let path = &summary.critical_path;
    let edge = |from: NodeIndex, to: NodeIndex| plan.waits_of(from).iter().find(|edge| edge.to == to);
    let mut before = Duration::ZERO;
    let mut links = Vec::with_capacity(path.len());
    for (place, &node) in path.iter().enumerate() {
        let times = summary.times.get(node.0 as usize);
        let awaited_until = path
            .get(place + 1)
            .and_then(|next| edge(*next, node))
            .map(|edge| edge.until);
        let end = times.and_then(|times| match awaited_until {
            Some(Until::Exists) => times.written.or(times.settled),
            _ => times.settled.or(times.written),
        });
        let took = end.map(|end| end.saturating_sub(before));
        before = end.unwrap_or(before);
        links.push(Link {
            node,
            took,
            end,
            edge: place.checked_sub(1).and_then(|place| edge(node, path[place])),
        });
    }
    links
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, id};
    use super::*;

    #[test]
    fn dependants_are_found_through_others() {
        let (plan, summary) = sample::troubled();
        let gathered = Gathered::new(&plan, &summary);
        let root = gathered
            .roots
            .iter()
            .find(|root| root.id.name == "accounts")
            .expect("because the sample refuses it");
        let names: Vec<&str> = root.dependants.iter().map(|id| &*id.name).collect();
        assert_eq!(names, ["ledger", "statements"]);
    }

    #[test]
    fn a_ring_of_skips_ends() {
        let (a, b) = (id("ConfigMap", "a"), id("ConfigMap", "b"));
        let summary = Summary {
            outcomes: vec![
                (a.clone(), sample::skipped(SkipReason::Dependency(b.clone()))),
                (b.clone(), sample::skipped(SkipReason::Dependency(a.clone()))),
            ],
            ..Summary::default()
        };
        let plan = Plan::default();
        let gathered = Gathered::new(&plan, &summary);
        assert_eq!(gathered.roots.len(), 2);
        assert_eq!(gathered.skipped, 2);
    }

    #[test]
    fn nobody_is_to_blame_for_an_interruption() {
        let (a, b) = (id("ConfigMap", "a"), id("ConfigMap", "b"));
        let summary = Summary {
            outcomes: vec![
                (a.clone(), sample::skipped(SkipReason::Interrupted)),
                (b, sample::skipped(SkipReason::Dependency(a))),
            ],
            interrupted: true,
            ..Summary::default()
        };
        let plan = Plan::default();
        assert!(Gathered::new(&plan, &summary).roots.is_empty());
    }
}
