//! The verdicts: declared, past and live in, findings out.

use std::collections::{BTreeMap, BTreeSet};

use super::author::Records;
use super::managed::{Unit, Units};
use super::owner::{Owned, Owners};
use super::remedy::Commands;
use super::rules::{Ruled, judge};
use super::tally::place;
use super::tools::{Hands, hands};
use super::waive::is_left_out;
use super::was::{Namesakes, Was, was};
use super::{Finding, Findings, Ignore, Log, Match, Verdict};
use crate::object::{
    Comparison, Declared, DeclaredSet, GroupKind, LiveObject, LiveSet, Method, ObjectId, PastSet, Problem, ProblemKind,
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
    /// Plural resource names of the kinds that are served: the log names objects by them.
    pub plurals: &'a BTreeMap<GroupKind, String>,
    /// How the cluster is reached, for the commands that put findings right.
    pub reach: &'a Reach,
}

/// How a cluster is reached by command-line tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The kubeconfig, where it is not the one that tools take by themselves.
    pub kubeconfig: Option<String>,
    /// The context.
    pub context: Option<String>,
}

/// Judges every declared and every live object.
///
/// An object gets the first verdict that fits: declared (in sync, drifted, missing) · owned, by an owner that exists and not by a
/// person's word alone · built in · managed by a unit that Git declares or did · known to the past (removed, not reached) · managed by
/// a unit that Git never declared (one finding for the unit) · never in Git.
///
/// `compare` gives how declared objects differ; it is called once, while what is not declared is being judged.
pub fn classify<'a>(
    declared: &DeclaredSet,
    past: &PastSet,
    live: &LiveSet,
    compare: impl FnOnce() -> &'a BTreeMap<ObjectId, Comparison>,
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
        owners: Owners::new(live, &by_id),
        units: Units::new(live, &by_id, past),
        listed: live.listed.iter().collect(),
        namesakes: Namesakes::new(past, live),
        commands: Commands::new(declared, options.reach),
    };
    let mut audit = Audit::new(&all);
    let mut others = undeclared(live, &by_id);
    let count = others.len();
    let share = count.div_ceil(threads()).max(AT_ONCE);
    std::thread::scope(|scope| {
        let all = &all;
        let parts = others.chunks_mut(share).enumerate().map(|(number, part)| {
            // The first takes in the others.
            let most = if number == 0 { count } else { part.len() };
            scope.spawn(move || {
                // In the order of the report: references are put in order more easily than findings.
                part.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)));
                let mut audit = Audit::new(all);
                audit.found.findings.reserve_exact(most);
                part.iter().for_each(|(id, object)| audit.undeclared(id, object));
                audit
            })
        });
        let parts: Vec<_> = parts.collect();
        let compared = compare();
        for one in by_id.values() {
            audit.declared(one, compared);
        }
        for part in parts {
            match part.join() {
                Ok(part) => audit.take_in(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    audit.units();
    audit.found.sort();
    audit.found
}

/// What is live and not declared. Both are in order.
fn undeclared<'a>(live: &'a LiveSet, declared: &BTreeMap<&ObjectId, &Declared>) -> Vec<(&'a ObjectId, &'a LiveObject)> {
    let mut declared = declared.keys().copied().peekable();
    let mut is_declared = |id: &ObjectId| {
        while declared.next_if(|first| *first < id).is_some() {}
        declared.peek().is_some_and(|first| *first == id)
    };
    live.objects.iter().filter(|(id, _)| !is_declared(id)).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// All that objects are judged by.
struct Sets<'a> {
    set: &'a DeclaredSet,
    past: &'a PastSet,
    live: &'a LiveSet,
    options: &'a Options<'a>,
    records: Records<'a>,
    owners: Owners<'a>,
    units: Units<'a>,
    listed: BTreeSet<&'a GroupKind>,
    namesakes: Namesakes<'a>,
    commands: Commands<'a>,
}

struct Audit<'a> {
    all: &'a Sets<'a>,
    /// Objects of units that Git does not declare.
    undeclared: BTreeMap<Unit, Vec<&'a ObjectId>>,
    /// Whether Git declares a unit, or did.
    known: BTreeMap<Unit, bool>,
    found: Findings,
}

impl<'a> Audit<'a> {
    fn new(all: &'a Sets<'a>) -> Self {
        Self {
            all,
            undeclared: BTreeMap::new(),
            known: BTreeMap::new(),
            found: Findings::default(),
        }
    }

    /// Takes in what was found of other objects, later ones.
    fn take_in(&mut self, part: Self) {
        for (unit, members) in part.undeclared {
            self.undeclared.entry(unit).or_default().extend(members);
        }
        self.found.take_in(part.found);
    }

    fn declared(&mut self, declared: &Declared, compared: &BTreeMap<ObjectId, Comparison>) {
        let id = &declared.id;
        if !self.all.live.objects.contains_key(id) {
            if self.is_unread(&id.group_kind()) {
                self.found.count(NOT_COMPARED, 1);
            } else if goes_by_itself(declared) || is_left_out(declared) {
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
        let verdict = Verdict::Drifted {
            fields,
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
        self.found(finding);
    }

    /// A kind that is served and was not listed whole, or whose group did not answer.
    fn is_unread(&self, kind: &GroupKind) -> bool {
        if self.all.listed.contains(kind) {
            return false;
        }
        let group_is_a_gap =
            !kind.group.is_empty() && self.all.live.gaps.iter().any(|gap| gap.what.contains(&kind.group));
        self.all.options.plurals.contains_key(kind) || group_is_a_gap
    }

    fn undeclared(&mut self, id: &'a ObjectId, object: &'a LiveObject) {
        let hands = hands(object);
        let mut evidence = Vec::new();
        match self.all.owners.of(id, object) {
            Owned::By(top) | Owned::ByUnread(top) if hands != Hands::Only => {
                return self.silent(id, &Verdict::Owned(top));
            }
            Owned::By(owner) | Owned::ByUnread(owner) => {
                evidence.push(format!(
                    "it names {owner} as its owner, and only a person's tool wrote it"
                ));
            }
            Owned::Gone(owner) => evidence.push(format!("its owner {owner} does not exist")),
            Owned::Ring(owner) => evidence.push(format!("its owners own each other: {owner}")),
            Owned::No => {}
        }
        let ruled = match judge(id, object) {
            Ruled::BuiltIn(rule) if !rule.by_hand && self.all.records.is_changed_by_hand(id) => {
                Ruled::ChangedByHand(rule)
            }
            ruled => ruled,
        };
        match ruled {
            Ruled::BuiltIn(rule) => return self.silent(id, &Verdict::BuiltIn(&rule.rule)),
            Ruled::ChangedByHand(rule) => {
                evidence.push(format!(
                    "the cluster makes it ({}: {}); changed by hand since",
                    rule.rule, rule.reason
                ));
                let mut finding = self.finding(id, object, Verdict::NeverInGit, evidence);
                finding.remedy = finding
                    .remedy
                    .map(|command| command.replace("kubectl delete", "kubectl edit"));
                return self.found(finding);
            }
            Ruled::No => {}
        }
        if let Some(unit) = self.all.units.maker(id, object) {
            return self.silent(id, &managed(unit, true));
        }
        let unit = self.unit(id, object, hands, &mut evidence);
        if let Some(unit) = &unit
            && self.git_has(unit)
        {
            return self.silent(id, &managed(unit, true));
        }
        match was(id, self.all.past, &self.all.namesakes) {
            Ok(Was { verdict, matched }) => {
                let mut finding = self.finding(id, object, verdict, evidence);
                finding.matched = matched;
                finding.evidence.insert(0, matched.words().to_owned());
                self.found(finding);
            }
            Err(doubt) => {
                evidence.extend(doubt);
                match unit {
                    Some(unit) => {
                        self.found.count("managed-undeclared", 1);
                        self.undeclared.entry(unit).or_default().push(id);
                    }
                    None => {
                        let finding = self.finding(id, object, Verdict::NeverInGit, evidence);
                        self.found(finding);
                    }
                }
            }
        }
    }

    /// Whether Git declares a unit, or did; asked once for each.
    fn git_has(&mut self, unit: &Unit) -> bool {
        if let Some(known) = self.known.get(unit) {
            return *known;
        }
        let declared = self.all.units.is_declared(unit);
        self.known.insert(unit.clone(), declared);
        declared
    }

    /// The unit that made an object. Labels that came along with a copied manifest are none of its doing.
    fn unit(&self, id: &ObjectId, object: &LiveObject, hands: Hands, evidence: &mut Vec<String>) -> Option<Unit> {
        let unit = self.all.units.of(id, object);
        match unit {
            Some(unit) if hands == Hands::Only && unit.tool != "ApplySet" => {
                let (tool, name) = (unit.tool, &unit.name);
                evidence.push(format!(
                    "it has the marks of {tool} {name}, and only a person's tool wrote it"
                ));
                None
            }
            Some(unit) => Some(unit),
            None => self.all.units.earlier_generation(id).filter(|_| hands != Hands::Only),
        }
    }

    fn finding(&self, id: &ObjectId, object: &LiveObject, verdict: Verdict, evidence: Vec<String>) -> Finding {
        let mut finding = Finding::new(id.clone(), verdict);
        finding.authors = self.all.records.of_live(id, object);
        finding.evidence = evidence;
        if !object.created.is_empty() {
            finding.evidence.push(format!("created {}", object.created));
        }
        if object.terminating {
            finding.evidence.push("it is being deleted".to_owned());
        }
        if let Verdict::RemovedFromGit {
            commit: (id, subject, date),
            path,
        } = &finding.verdict
        {
            let id: String = id.chars().take(12).collect();
            finding
                .evidence
                .push(format!("{path} had it until commit {id} \"{subject}\" ({date})"));
        }
        finding.remedy = self.all.commands.of(id, &finding.verdict);
        finding
    }

    /// One finding for each unit that Git does not declare. Where the object that stands for the unit has a finding of its own, that
    /// one tells of what it manages.
    fn units(&mut self) {
        for (unit, members) in std::mem::take(&mut self.undeclared) {
            let count = members.len();
            let manages = match count {
                1 => "it manages 1 object".to_owned(),
                _ => format!("it manages {count} objects"),
            };
            for id in &members {
                self.found.cover(id.namespace.as_deref(), false);
            }
            if let Some(object) = &unit.object
                && let Some(own) = self.found.findings.iter_mut().find(|finding| finding.id == *object)
            {
                own.evidence.push(manages);
                continue;
            }
            let by_object = unit
                .object
                .as_ref()
                .filter(|object| self.all.live.objects.contains_key(object));
            let Some(id) = by_object.or(members.iter().copied().min()) else {
                continue;
            };
            let empty = LiveObject::default();
            let object = self.all.live.objects.get(id).unwrap_or(&empty);
            let mut finding = Finding::new(id.clone(), managed(&unit, false));
            finding.authors = self.all.records.of_live(id, object);
            finding.evidence = vec![
                manages,
                format!("Git neither declares nor declared {} {}", unit.tool, unit.name),
            ];
            finding.remedy = self.all.commands.of_unit(&unit, id);
            if self.all.options.ignore.hides(id) {
                self.found.ignored += 1;
            } else {
                self.found.findings.push(finding);
            }
        }
    }

    /// A verdict that nobody needs to look at.
    fn silent(&mut self, id: &ObjectId, verdict: &Verdict) {
        self.found.count(verdict.name(), 1);
        self.cover(id, verdict);
    }

    fn found(&mut self, finding: Finding) {
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

fn managed(unit: &Unit, declared: bool) -> Verdict {
    Verdict::Managed {
        tool: unit.tool,
        unit: unit.name.clone(),
        declared,
    }
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
