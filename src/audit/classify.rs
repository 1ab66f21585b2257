//! The verdicts: declared, past and live in, findings out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use serde_json::Value;

use super::author::Records;
use super::managed::{Known, Unit, Units};
use super::owner::{Owned, Owners};
use super::remedy::{Commands, unusable};
use super::rules::{Ruled, Rules};
use super::tally::in_order_of_report;
use super::tools::{By, Hands, hands};
use super::unread::Unread;
use super::was::{Namesakes, Was, was};
use super::{Finding, Findings, Ignore, Log, Match, Verdict};
use crate::object::{
    Comparison, Declared, DeclaredSet, GroupKind, LiveObject, LiveSet, Manager, Method, ObjectId, PastSet, Problem,
    ProblemKind,
};

/// Declared objects whose kind could not be read, or that were not compared: neither in sync nor anything else.
pub const NOT_COMPARED: &str = "not-compared";

/// Objects that are not worth a thread of their own.
const AT_ONCE: usize = 2000;

/// What an audit is told beside the three sets.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What reports leave out.
    pub ignore: &'a Ignore,
    /// The audit log of the API server, if one was given.
    pub log: Option<&'a Log>,
    /// The [units that were read](super::units_to_read).
    pub units: &'a BTreeMap<ObjectId, Value>,
    /// Plural resource names of the kinds that are served: the log names objects by them.
    pub plurals: &'a BTreeMap<GroupKind, String>,
    /// The version that the server tells, with what distributions put behind it.
    pub release: &'a str,
    /// How the cluster and what it is compared with are reached, for the commands that put findings right.
    pub reach: &'a Reach,
}

/// How the cluster and what is declared for it are reached by command-line tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The kubeconfig, where it is not the one that tools take by themselves.
    pub kubeconfig: Option<String>,
    /// The context.
    pub context: Option<String>,
    /// How the repository is read, in the words that refloat was given, but for where and at which commit.
    pub source: Vec<String>,
    /// Another commit than the latest was asked for: commands name it.
    pub pinned: bool,
}

/// How declared objects differ, and which were not there any more when they were to be compared.
pub type Compared<'a> = (&'a BTreeMap<ObjectId, Comparison>, &'a BTreeSet<ObjectId>);

/// Judges every declared and every live object.
///
/// An object gets the first verdict that fits: declared (in sync, drifted, missing) · owned, by an owner that exists and not by a
/// person's word alone · built in · removed from Git, where the unit that made it is declared and known to be without it · managed by a
/// unit that Git declares · made by a unit that Git declared, or declares elsewhere (one finding for the unit: removed, not reached) ·
/// known to the past itself (likewise) · managed by a unit that Git never declared (one finding for the unit) · never in Git.
///
/// `compare` gives how declared objects differ, and which were not there when they were to be compared; it is called once, while what
/// is not declared is being judged.
pub fn classify<'a>(
    declared: &DeclaredSet,
    past: &PastSet,
    live: &LiveSet,
    compare: impl FnOnce() -> Compared<'a>,
    options: &Options<'_>,
) -> Findings {
    let by_id: BTreeMap<&ObjectId, &Declared> = declared.objects.iter().map(|one| (&one.id, one)).collect();
    let all = Sets {
        set: declared,
        past,
        live,
        options,
        records: Records {
            log: options.log,
            plurals: options.plurals,
        },
        owners: Owners::new(live, &by_id, Unread::new(live, options.plurals)),
        units: Units::new(live, &by_id, past, options.units),
        unread: Unread::new(live, options.plurals),
        rules: Rules::of(options.release, live, options.plurals.keys()),
        namesakes: Namesakes::new(past, live),
        commands: Commands::new(declared, options.reach),
        rendered: OnceLock::new(),
    };
    let others = in_order_of_report(&undeclared(live, &by_id));
    let share = others.len().div_ceil(threads()).max(AT_ONCE);
    let mut audit = Audit::new(&all);
    std::thread::scope(|scope| {
        let all = &all;
        let parts = others.chunks(share).enumerate().map(|(number, part)| {
            // The first takes in the others.
            let most = if number == 0 { others.len() } else { part.len() };
            scope.spawn(move || {
                let mut audit = Audit::new(all);
                audit.found.findings.reserve_exact(most);
                part.iter().for_each(|(id, object)| audit.undeclared(id, object));
                audit
            })
        });
        let parts: Vec<_> = parts.collect();
        let compared = compare();
        let mut of_declared = Audit::new(all);
        for one in by_id.values() {
            of_declared.declared(one, compared);
        }
        for part in parts {
            match part.join() {
                Ok(part) => audit.take_in(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        audit.take_in(of_declared);
    });
    audit.units();
    audit.found.sort();
    audit.tell_owned();
    audit.found
}

/// What is live and not declared. Both are in order.
fn undeclared<'a>(live: &'a LiveSet, declared: &BTreeMap<&ObjectId, &Declared>) -> Vec<(&'a ObjectId, &'a LiveObject)> {
    let mut declared = declared.keys().copied().peekable();
    let mut is_declared = |id: &ObjectId| {
        while declared.next_if(|first| *first < id).is_some() {}
        declared.peek().is_some_and(|first| *first == id)
    };
    live.iter().filter(|(id, _)| !is_declared(id)).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// All that objects are judged by.
pub(super) struct Sets<'a> {
    pub set: &'a DeclaredSet,
    pub past: &'a PastSet,
    pub live: &'a LiveSet,
    pub options: &'a Options<'a>,
    pub records: Records<'a>,
    owners: Owners<'a>,
    pub units: Units<'a>,
    unread: Unread<'a>,
    rules: Rules,
    pub namesakes: Namesakes<'a>,
    pub commands: Commands<'a>,
    /// Units of which declared objects are. Looked for when one is first asked for.
    rendered: OnceLock<BTreeSet<Unit>>,
}

impl Sets<'_> {
    /// Whether what a unit makes is known: something that is declared is its.
    pub fn is_rendered(&self, unit: &Unit) -> bool {
        let rendered = || {
            let live = |one: &Declared| self.live.objects.get(&one.id);
            let of = |one: &Declared| live(one).and_then(|object| self.units.of(&one.id, object));
            self.set.objects.iter().filter_map(of).collect()
        };
        self.rendered.get_or_init(rendered).contains(unit)
    }
}

pub(super) struct Audit<'a> {
    pub all: &'a Sets<'a>,
    /// Objects of units that Git does not declare.
    pub undeclared: BTreeMap<Unit, Vec<&'a ObjectId>>,
    /// What Git knows of a unit, and how many objects are silent for it.
    pub known: BTreeMap<Unit, (Known, usize)>,
    /// What belongs to a top owner.
    pub owned: HashMap<ObjectId, Vec<&'a ObjectId>>,
    pub found: Findings,
}

impl<'a> Audit<'a> {
    fn new(all: &'a Sets<'a>) -> Self {
        Self {
            all,
            undeclared: BTreeMap::new(),
            known: BTreeMap::new(),
            owned: HashMap::new(),
            found: Findings::default(),
        }
    }

    /// Takes in what was found of other objects, later ones.
    fn take_in(&mut self, part: Self) {
        for (unit, members) in part.undeclared {
            self.undeclared.entry(unit).or_default().extend(members);
        }
        for (unit, (_, silent)) in part.known {
            self.tell_unit(&unit, silent);
        }
        for (top, objects) in part.owned {
            self.owned.entry(top).or_default().extend(objects);
        }
        self.found.take_in(part.found);
    }

    fn declared(&mut self, declared: &Declared, (compared, gone): Compared<'_>) {
        let id = &declared.id;
        if !self.all.live.objects.contains_key(id) || gone.contains(id) {
            if self.all.unread.is(id) {
                self.found.count(NOT_COMPARED, 1);
            } else if goes_by_itself(declared) || declared.left_out().is_some() {
                self.silent(id, &Verdict::InSync);
            } else {
                let mut finding = Finding::new(id.clone(), Verdict::Missing);
                finding.place = Some(declared.provenance.place());
                finding.matched = Match::Exact;
                finding.authors = self.all.records.of_missing(id);
                let about =
                    |problem: &&Problem| problem.object.as_ref() == Some(id) && problem.kind == ProblemKind::Error;
                let problem = self.all.set.problems.iter().find(about);
                if let Some(Problem { message, hint, .. }) = problem {
                    finding.evidence.push(message.clone());
                    finding.evidence.extend(hint.clone());
                } else if self.all.options.plurals.contains_key(&id.group_kind()) {
                    finding.remedy = self.all.commands.of(id, &finding.verdict);
                } else {
                    finding
                        .evidence
                        .push(format!("the cluster does not serve {}", id.group_kind()));
                }
                self.found(finding);
            }
            return;
        }
        let Some(comparison) = compared.get(id) else {
            self.found.count(NOT_COMPARED, 1);
            return;
        };
        if let Method::Offline(reason) = &comparison.method {
            self.found.compared_offline(id.group_kind(), 1, reason);
        }
        let (waived, fields): (Vec<_>, Vec<_>) =
            comparison.fields.iter().cloned().partition(|one| one.waived.is_some());
        for by in waived.into_iter().filter_map(|field| field.waived) {
            *self.found.waived.entry(by).or_default() += 1;
        }
        if fields.is_empty() {
            self.silent(id, &Verdict::InSync);
            return;
        }
        let authors = self
            .all
            .records
            .of_drift(id, declared.writer.manager(), &fields, &comparison.live);
        // Who owns which fields, the fields tell.
        let managers = comparison.live.managers.iter().map(|one| Manager {
            name: one.name.clone(),
            operation: one.operation.clone(),
            subresource: one.subresource.clone(),
            time: one.time.clone(),
            fields: None,
        });
        let verdict = Verdict::Drifted {
            fields,
            managers: managers.collect(),
            method: comparison.method.clone(),
        };
        let mut finding = Finding::new(id.clone(), verdict);
        finding.place = Some(declared.provenance.place());
        finding.matched = Match::Exact;
        finding.authors = authors;
        if let Method::Offline(reason) = &comparison.method {
            finding.evidence.push(format!("compared offline: {reason}"));
        }
        finding.remedy = self.all.commands.of(id, &finding.verdict);
        finding.evidence.extend(self.all.commands.leaves(id, &finding.verdict));
        self.found(finding);
    }

    fn undeclared(&mut self, id: &'a ObjectId, object: &'a LiveObject) {
        let hands = hands(object);
        let mut evidence = Vec::new();
        match self.all.owners.of(id, object) {
            Owned::By(owner) | Owned::ByUnread(owner) if hands == Hands::Only => {
                evidence.push(format!(
                    "it names {owner} as its owner, and only a person's tool wrote it"
                ));
            }
            Owned::By(top) | Owned::ByUnread(top) => return self.owned(top, id, object),
            Owned::Gone(owner) => {
                evidence.push(format!("its owner {owner} does not exist"));
                self.found.lost.push((id.clone(), owner));
            }
            Owned::Ring(owner) => evidence.push(format!("its owners own each other: {owner}")),
            Owned::No => {}
        }
        let by_hand = |id| self.all.records.is_changed_by(id, |tool| tool.by == By::Hand);
        let ruled = match self.all.rules.judge(id, object) {
            Ruled::BuiltIn(rule) if !rule.by_hand && by_hand(id) => Ruled::ChangedByHand(rule),
            ruled => ruled,
        };
        match ruled {
            Ruled::BuiltIn(rule) => {
                *self.found.by_rule.entry(&rule.rule).or_default() += 1;
                return self.silent(id, &Verdict::BuiltIn(&rule.rule));
            }
            Ruled::ChangedByHand(rule) => {
                evidence.push(format!(
                    "the cluster makes it ({}: {}); changed by hand since",
                    rule.rule, rule.reason
                ));
                let mut finding = self.finding(id, object, Verdict::NeverInGit, evidence);
                finding.remedy = Some(self.all.commands.edit(id));
                return self.found(finding);
            }
            Ruled::No => {}
        }
        if let Some(unit) = self.all.units.maker(id, object) {
            self.found.count("managed", 1);
            return self.tell_unit(unit, 1);
        }
        let unit = self.unit(id, object, hands, &mut evidence);
        if let Some(unit) = &unit {
            match self.git_has(unit) {
                (Known::Declared, _) => {
                    let Some(was) = self.left_behind(id, object, unit) else {
                        self.git_has(unit).1 += 1;
                        return self.found.count("managed", 1);
                    };
                    let (tool, name) = (unit.tool, &unit.name);
                    evidence.push(format!("it still belongs to {tool} {name}, which did not prune it"));
                    return self.known_to_the_past(id, object, was, evidence);
                }
                (Known::Otherwise(_), _) => return self.undeclared.entry(unit.clone()).or_default().push(id),
                (Known::Never, _) => {}
            }
        }
        match was(id, self.all.past, &self.all.namesakes) {
            Ok(was) => self.known_to_the_past(id, object, was, evidence),
            Err(doubt) => {
                evidence.extend(doubt);
                match unit {
                    Some(unit) => self.undeclared.entry(unit).or_default().push(id),
                    None => {
                        let finding = self.finding(id, object, Verdict::NeverInGit, evidence);
                        self.found(finding);
                    }
                }
            }
        }
    }

    fn known_to_the_past(&mut self, id: &ObjectId, object: &LiveObject, was: Was, evidence: Vec<String>) {
        let mut finding = self.finding(id, object, was.verdict, evidence);
        finding.matched = was.matched;
        finding.evidence.insert(0, was.matched.words().to_owned());
        if let Some(problem) = unusable(self.all.set, &finding.verdict) {
            finding.evidence.push(problem.message.clone());
            finding.remedy = None;
        }
        self.found(finding);
    }

    pub(super) fn finding(
        &self,
        id: &ObjectId,
        object: &LiveObject,
        verdict: Verdict,
        evidence: Vec<String>,
    ) -> Finding {
        let mut finding = Finding::new(id.clone(), verdict);
        finding.authors = self.all.records.of_live(id, object);
        finding.evidence = evidence;
        // As large as it has to be: most have nothing else.
        finding.evidence.reserve_exact(1);
        if !object.created.is_empty() {
            finding.evidence.push(format!("created {}", object.created));
        }
        if object.terminating {
            finding.evidence.push("it is being deleted".to_owned());
        }
        finding.evidence.extend(until(&finding.verdict, "it"));
        finding.remedy = self.all.commands.of(id, &finding.verdict);
        finding
    }

    /// A verdict that nobody needs to look at.
    pub(super) fn silent(&mut self, id: &ObjectId, verdict: &Verdict) {
        self.found.count(verdict.name(), 1);
        self.cover(id, verdict);
    }

    pub(super) fn found(&mut self, finding: Finding) {
        if self.all.options.ignore.hides(&finding.id) {
            self.found.ignored += 1;
            return;
        }
        self.found.count(finding.verdict.name(), 1);
        self.cover(&finding.id, &finding.verdict);
        self.found.findings.push(finding);
    }

    fn cover(&mut self, id: &ObjectId, verdict: &Verdict) {
        let in_sync = matches!(verdict, Verdict::InSync) && self.all.live.objects.contains_key(id);
        let counts = in_sync
            || matches!(
                verdict,
                Verdict::Drifted { .. } | Verdict::NeverInGit | Verdict::RemovedFromGit { .. }
            );
        if counts {
            self.found.cover(id.namespace.as_deref(), in_sync);
        }
    }
}

/// Which commit ended what Git had.
pub(super) fn until(verdict: &Verdict, what: &str) -> Option<String> {
    let Verdict::RemovedFromGit {
        commit: (id, subject, date),
        path,
    } = verdict
    else {
        return None;
    };
    let id: String = id.chars().take(12).collect();
    Some(format!("{path} had {what} until commit {id} \"{subject}\" ({date})"))
}

/// Declared objects that are not there after a while, as meant: hooks, and Jobs that are collected when they are done.
fn goes_by_itself(declared: &Declared) -> bool {
    let manifest = &declared.manifest;
    let collected = declared.id.is("batch", "Job") && !manifest.value()["spec"]["ttlSecondsAfterFinished"].is_null();
    let hook = declared.hook.is_some()
        || manifest.annotation("helm.sh/hook").is_some()
        || manifest.annotation("argocd.argoproj.io/hook").is_some();
    collected || hook
}
