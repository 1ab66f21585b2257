//! From a change in the cluster to what is told of it. Pure: no clock, no cluster; the time is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::compares::Compares;
use super::input::{Answer, Basis, Command, Input, Message, Start};
use super::kinds::{self, Kinds};
use super::seen::{Change, Seen, is_autoscaler};
use super::waivers::Waivers;
use crate::audit::{self, Cause, Divergence, Finding, Findings, Log, News, Reach, Resolved, Told};
use crate::cluster::{Compared, Listable, Sighted, may_be_scaled};
use crate::object::{Comparison, DeclaredSet, FactGap, GroupKind, ObjectId, Problem, ProblemKind, ServedKinds};

/// What happens within this time is judged together.
const TOGETHER: Duration = Duration::from_millis(200);
/// Where judging takes long, it is done less often; so seldom at most.
const SELDOM: Duration = Duration::from_secs(1);
/// How often the repository is asked whether it moved.
const ASK: Duration = Duration::from_secs(30);
/// What is to be told waits so long for the repository's answer,
const PATIENCE: Duration = Duration::from_secs(1);
/// and so long once it is known that it moved.
const READING: Duration = Duration::from_secs(60);
/// Objects that are only passing through are told of when they still are there after this long.
const PASSING: Duration = Duration::from_secs(30);

/// The core.
pub(super) struct Machine {
    basis: Basis,
    /// What is declared, and whether an autoscaler may set its replicas.
    declared: HashMap<ObjectId, bool>,
    kinds: ServedKinds,
    plurals: BTreeMap<GroupKind, String>,
    seen: Seen,
    comparisons: BTreeMap<ObjectId, Comparison>,
    log: Option<Log>,
    reach: Reach,
    release: String,
    told: Told,
    watched: Kinds,
    compares: Compares,
    waivers: Waivers,
    /// When all is to be judged again.
    judge_at: Option<Duration>,
    together: Duration,
    has_judged: bool,
    /// Since when objects are found that are only passing through.
    passing: BTreeMap<ObjectId, Duration>,
    /// Objects that changed in the cluster since something was told last.
    touched: BTreeSet<ObjectId>,
    /// Objects whose declaration changed, and that were not compared since.
    redeclared: BTreeSet<ObjectId>,
    /// Nothing was told since the repository moved.
    just_moved: bool,
    repository: Asked,
    gaps: BTreeSet<FactGap>,
    warned: BTreeSet<String>,
}

/// How it stands with the repository.
#[derive(Debug, Default)]
struct Asked {
    /// It never moves.
    is_fixed: bool,
    /// A question is out since then.
    open: Option<Duration>,
    /// When it answered last.
    answered: Duration,
    /// What is to be told unless it moved, and until when that waits.
    held: Option<(Duration, Vec<Divergence>)>,
    /// Other kinds are served: it is to be read again.
    anew: bool,
}

impl Machine {
    /// Goes on from an audit. `is_fixed`: the repository never moves.
    pub fn new(start: Start, is_fixed: bool) -> Self {
        let namespaces = start.basis.set.objects.iter();
        let namespaces = namespaces.filter_map(|one| one.id.namespace.clone()).collect();
        let mut log = start.log;
        if let Some(log) = &mut log {
            log.follow();
        }
        Self {
            declared: declared(&start.basis.set),
            waivers: Waivers::new(start.units, &start.basis.set),
            basis: start.basis,
            plurals: plurals(&start.kinds),
            kinds: start.kinds,
            seen: Seen::new(start.live),
            comparisons: start.comparisons,
            log,
            release: start.release,
            reach: start.reach,
            told: Told::of(&start.findings),
            watched: Kinds::new(namespaces),
            compares: Compares::default(),
            judge_at: None,
            together: TOGETHER,
            has_judged: false,
            passing: BTreeMap::new(),
            touched: BTreeSet::new(),
            redeclared: BTreeSet::new(),
            just_moved: false,
            repository: Asked {
                is_fixed,
                ..Asked::default()
            },
            gaps: BTreeSet::new(),
            warned: BTreeSet::new(),
        }
    }

    /// What is declared now.
    pub fn set(&self) -> Arc<DeclaredSet> {
        Arc::clone(&self.basis.set)
    }

    /// Kinds that are served.
    pub fn kinds(&self) -> &ServedKinds {
        &self.kinds
    }

    /// The uids of the live objects of a kind, in a namespace or in all.
    pub fn known(&self, kind: &GroupKind, namespace: Option<&str>) -> Vec<(ObjectId, String)> {
        let of_kind = self.seen.of_kind(kind);
        let wanted = of_kind.filter(|(id, _)| namespace.is_none() || id.namespace.as_deref() == namespace);
        wanted.map(|(id, object)| (id.clone(), object.uid.clone())).collect()
    }

    /// What was told and is still so, and what is not known.
    pub fn end(self) -> (Told, Vec<FactGap>) {
        let live = self.seen.live.gaps.into_iter();
        let all: BTreeSet<FactGap> = live.chain(self.gaps).chain(self.watched.gaps().cloned()).collect();
        (self.told, all.into_iter().collect())
    }

    /// The last input took so long: where judging takes much, it is done less often.
    pub fn took(&mut self, time: Duration) {
        if std::mem::take(&mut self.has_judged) {
            self.together = time.saturating_mul(4).clamp(TOGETHER, SELDOM);
        }
    }

    /// Lines were added to an audit log.
    pub fn log(&mut self, file: &str, lines: Vec<String>) {
        if let Some(log) = &mut self.log {
            log.read(file, lines.into_iter().map(Ok));
        }
    }

    /// When the clock is needed next.
    pub fn wake(&self) -> Option<Duration> {
        let repository = &self.repository;
        let held = repository.held.as_ref().map(|(until, _)| *until);
        let judge = self.judge_at.filter(|_| held.is_none());
        let ask = repository.answered + ASK;
        let ask = Some(ask).filter(|_| repository.open.is_none() && !repository.is_fixed);
        let compare = [self.compares.next(), self.waivers.next()].into_iter().flatten().min();
        let compare = compare.filter(|_| !self.waivers.is_reading());
        let all = [held, judge, ask, compare, self.watched.next()];
        all.into_iter().flatten().min()
    }

    /// Takes in what happens; gives what is to be done.
    pub fn on(&mut self, input: Input, now: Duration) -> Vec<Command> {
        let mut commands = Vec::new();
        match input {
            Input::Sighted(sighted) => self.sighted(*sighted, now),
            Input::Listed(watched) => self.watched.listed(&watched, &mut self.seen.live, &mut commands),
            Input::Interrupted(watched, reason) => self.watched.interrupt(&watched, reason, now),
            Input::Resumed(watched) => self.watched.resume(&watched, &mut commands),
            Input::Refused(watched, reason) => {
                self.watched
                    .refused(&watched, &reason, &mut self.seen.live, &mut commands);
            }
            Input::Discovered(Ok(found)) => self.discovered(found, now, &mut commands),
            Input::Discovered(Err(reason)) => {
                self.warn(format!("what the cluster serves is not known: {reason}"), &mut commands);
                self.watched.is_unknown(now);
            }
            Input::Compared(asked, compared) => self.compared(asked, compared, now, &mut commands),
            Input::Units(units, gaps) => {
                self.waivers.read(units);
                // Another inventory may make another unit's of an object.
                self.judge_soon(now);
                for gap in gaps {
                    self.gap(gap, &mut commands);
                }
            }
            Input::Repository(answer) => self.answered(answer, now, &mut commands),
            Input::Tick => {}
        }
        self.go_on(now, &mut commands);
        commands
    }

    /// Does what is due.
    fn go_on(&mut self, now: Duration, commands: &mut Vec<Command>) {
        self.watched.tick(now, commands);
        if let Some((_, held)) = self.repository.held.take_if(|(until, _)| *until <= now) {
            self.tell(held, commands);
        }
        if self.repository.held.is_none() && self.judge_at.is_some_and(|at| at <= now) {
            self.judge(now, commands);
        }
        self.compare(now, commands);
        let repository = &mut self.repository;
        let anew = repository.anew;
        let late = !repository.is_fixed && repository.answered + ASK <= now;
        if repository.open.is_none() && (anew || late) {
            repository.anew = false;
            repository.open = Some(now);
            commands.push(Command::Ask { anew });
        }
    }

    /// Has compared what is due, by what units leave alone now.
    fn compare(&mut self, now: Duration, commands: &mut Vec<Command>) {
        let due = [self.compares.next(), self.waivers.next()];
        if self.waivers.is_reading() || !due.into_iter().flatten().any(|at| at <= now) {
            return;
        }
        let Basis { set, past, .. } = &mut self.basis;
        let live = &self.seen.live;
        let unread = self.waivers.unread(&audit::units_to_read(set, past, live), now);
        if !unread.is_empty() {
            commands.push(Command::Units(unread));
            return;
        }
        let gaps = audit::waive(Arc::make_mut(set), past, live, self.waivers.units());
        for id in self.waivers.noted(set) {
            if live.objects.contains_key(&id) {
                self.compares.want(id, now);
            }
        }
        for gap in gaps {
            self.gap(gap, commands);
        }
        let due = self.compares.due(now);
        if !due.is_empty() {
            commands.push(Command::Compare(due));
        }
    }

    fn sighted(&mut self, sighted: Sighted, now: Duration) {
        let id = sighted.id.clone();
        let kind = id.group_kind();
        let is_declared = self.declared.contains_key(&id);
        let is_unit = self.waivers.has(&id);
        let change = self.seen.take(sighted, is_declared || is_unit);
        if change == Change::default() {
            return;
        }
        if is_unit {
            self.waivers.written(&id);
        }
        self.touched.insert(id.clone());
        if kinds::decides(&kind) {
            self.watched.may_change(now);
        }
        if is_autoscaler(&kind) && (change.written || change.gone) {
            self.want_scaled(id.namespace.as_deref(), now);
        }
        if change.gone {
            self.comparisons.remove(&id);
            self.compares.forget(&id);
        }
        if is_declared && change.written {
            self.redeclared.remove(&id);
            let live = self.seen.live.objects.get(&id);
            let compared = self.comparisons.get(&id).map(|one| &one.live.resource_version);
            if compared != live.map(|live| &live.resource_version) {
                self.compares.want(id, now + TOGETHER);
            }
        } else if change.judge {
            self.judge_soon(now);
        }
    }

    /// What an autoscaler in a namespace may scale is compared again.
    fn want_scaled(&mut self, namespace: Option<&str>, now: Duration) {
        let scaled = self.declared.iter().filter(|(_, scaled)| **scaled);
        let beside = scaled.filter(|(id, _)| id.namespace.as_deref() == namespace);
        let live = beside.filter(|(id, _)| self.seen.live.objects.contains_key(id));
        for (id, _) in live {
            self.compares.want(id.clone(), now + TOGETHER);
        }
    }

    fn judge_soon(&mut self, now: Duration) {
        let at = now + self.together;
        self.judge_at = Some(self.judge_at.map_or(at, |before| before.min(at)));
    }

    fn discovered(&mut self, found: Listable, now: Duration, commands: &mut Vec<Command>) {
        let declared: BTreeSet<GroupKind> = self.declared.keys().map(ObjectId::group_kind).collect();
        // Mirror pods belong to their Node.
        let wanted = |kind: &GroupKind| {
            !audit::is_never_a_finding(kind) || declared.contains(kind) || *kind == GroupKind::new("", "Node")
        };
        for kind in self.watched.discovered(&found, wanted, commands) {
            for id in self.seen.lose_kind(&kind) {
                self.comparisons.remove(&id);
                self.compares.forget(&id);
                self.touched.insert(id);
            }
            self.judge_soon(now);
        }
        let live = &mut self.seen.live;
        live.gaps.retain(|gap| !gap.what.starts_with("API group"));
        live.gaps.extend(found.gaps.iter().cloned());
        live.gaps.sort();
        for gap in found.gaps {
            self.gap(gap, commands);
        }
        if found.kinds != self.kinds {
            self.plurals = plurals(&found.kinds);
            self.kinds = found.kinds;
            // What is declared may be of kinds that were not known.
            self.repository.anew = true;
            self.judge_soon(now);
        }
    }

    fn compared(&mut self, asked: BTreeSet<ObjectId>, compared: Compared, now: Duration, commands: &mut Vec<Command>) {
        self.compares.answered();
        let mut comparisons = compared.comparisons;
        for id in asked {
            if !self.declared.contains_key(&id) {
                continue;
            }
            match comparisons.remove(&id) {
                Some(comparison) => {
                    self.comparisons.insert(id, comparison);
                }
                // It could not be read, or went meanwhile, which its watch tells.
                None if self.seen.live.objects.contains_key(&id) => self.compares.want(id, now + TOGETHER),
                None => {}
            }
        }
        for gap in compared.gaps {
            self.gap(gap, commands);
        }
        self.judge_at = Some(now);
    }

    /// Judges all again, and tells the difference; what an engine may have made of a newer commit not before the repository was asked.
    fn judge(&mut self, now: Duration, commands: &mut Vec<Command>) {
        self.judge_at = None;
        self.has_judged = true;
        if let Some(log) = self.log.as_mut().filter(|log| log.is_large()) {
            let told = self.told.open().map(|finding| &finding.id);
            let ids = self.declared.keys().chain(self.seen.live.objects.keys()).chain(told);
            log.forget(ids, &self.plurals);
        }
        let options = audit::Options {
            ignore: &self.basis.ignore,
            log: self.log.as_ref(),
            units: self.waivers.units(),
            plurals: &self.plurals,
            release: &self.release,
            reach: &self.reach,
        };
        let Basis { set, past, .. } = &self.basis;
        // What goes while it is compared, its watch tells.
        let gone = BTreeSet::new();
        let findings = audit::classify(set, past, &self.seen.live, || (&self.comparisons, &gone), &options);
        let news = self.differences(&findings, now);
        let repository = &mut self.repository;
        if news.is_empty() || repository.is_fixed || self.just_moved {
            return self.tell(news, commands);
        }
        repository.held = Some((now + PATIENCE, news));
        if repository.open.is_none() {
            repository.open = Some(now);
            commands.push(Command::Ask { anew: false });
        }
    }

    fn differences(&mut self, findings: &Findings, now: Duration) -> Vec<Divergence> {
        let mut passing = BTreeMap::new();
        let cause = |id: &ObjectId| {
            let revision = self.redeclared.contains(id) || self.just_moved && !self.touched.contains(id);
            if revision { Cause::Revision } else { Cause::Cluster }
        };
        let is_open = |finding: &Finding, news: News| {
            let id = &finding.id;
            if self.compares.is_open(id) || self.watched.is_blind_for(id) {
                return true;
            }
            if news != News::New || self.declared.contains_key(id) || !self.seen.is_passing(id) {
                return false;
            }
            let since = self.passing.get(id).copied().unwrap_or(now);
            passing.insert(id.clone(), since);
            since + PASSING > now
        };
        let resolved = |id: &ObjectId| {
            let live = self.seen.live.objects.contains_key(id);
            match (live, self.declared.contains_key(id)) {
                (true, true) => Resolved::InSync,
                (false, false) => Resolved::Gone,
                _ => Resolved::AccountedFor,
            }
        };
        let news = self.told.differences(findings, cause, is_open, resolved);
        if let Some(since) = passing.values().min() {
            let at = (*since + PASSING).max(now + self.together);
            self.judge_at = Some(self.judge_at.map_or(at, |before| before.min(at)));
        }
        self.passing = passing;
        news
    }

    fn tell(&mut self, news: Vec<Divergence>, commands: &mut Vec<Command>) {
        self.told.note(&news);
        let compares = &self.compares;
        self.redeclared.retain(|id| compares.is_open(id));
        self.just_moved = false;
        self.touched.clear();
        if !news.is_empty() {
            commands.push(Command::Tell(Message::Diverged(news)));
        }
    }

    fn answered(&mut self, answer: Answer, now: Duration, commands: &mut Vec<Command>) {
        let repository = &mut self.repository;
        if matches!(answer, Answer::Moved) {
            if let Some((until, _)) = &mut repository.held {
                *until = now + READING;
            }
            return;
        }
        repository.open = None;
        repository.answered = now;
        let held = repository.held.take();
        match answer {
            // What was to be told is judged again by what is declared now.
            Answer::Read(basis) => {
                self.read(*basis, now, commands);
                self.judge_at = Some(now);
                return;
            }
            Answer::Unread(reason) => self.warn(reason, commands),
            Answer::Unchanged | Answer::Moved => {}
        }
        if let Some((_, held)) = held {
            self.tell(held, commands);
        }
    }

    /// Another state of the repository is compared with from now on.
    fn read(&mut self, basis: Basis, now: Duration, commands: &mut Vec<Command>) {
        let before = std::mem::replace(&mut self.basis, basis);
        let set = Arc::clone(&self.basis.set);
        if set.repository.commit != before.set.repository.commit {
            commands.push(Command::Tell(Message::Revision(set.repository.clone())));
        }
        let problems = set.problems.iter().filter(|one| one.kind == ProblemKind::Error);
        for problem in problems.filter(|one| !before.set.problems.contains(one)) {
            self.warn(in_words(problem), commands);
        }
        let redeclared = differing(&before.set, &set);
        self.declared = declared(&set);
        let scaled: BTreeSet<Option<String>> = redeclared
            .iter()
            .filter(|id| is_autoscaler(&id.group_kind()))
            .map(|id| id.namespace.clone())
            .collect();
        for namespace in scaled {
            self.want_scaled(namespace.as_deref(), now);
        }
        for id in redeclared {
            self.comparisons.remove(&id);
            if self.declared.contains_key(&id) && self.seen.live.objects.contains_key(&id) {
                self.compares.want(id.clone(), now);
            } else {
                self.compares.forget(&id);
            }
            self.redeclared.insert(id);
        }
        self.waivers.redeclared();
        self.just_moved = true;
        self.warned.clear();
        self.watched.may_change(now);
    }

    fn gap(&mut self, gap: FactGap, commands: &mut Vec<Command>) {
        if self.gaps.insert(gap.clone()) {
            commands.push(Command::Tell(Message::Gap(gap)));
        }
    }

    /// Says it once.
    fn warn(&mut self, text: String, commands: &mut Vec<Command>) {
        if self.warned.insert(text.clone()) {
            commands.push(Command::Tell(Message::Warned(text)));
        }
    }
}

fn in_words(problem: &Problem) -> String {
    let places: Vec<String> = problem.places.iter().map(ToString::to_string).collect();
    format!("{}: {}", places.join(" and "), problem.message)
}

fn declared(set: &DeclaredSet) -> HashMap<ObjectId, bool> {
    let objects = set.objects.iter();
    objects.map(|one| (one.id.clone(), may_be_scaled(one))).collect()
}

fn plurals(kinds: &ServedKinds) -> BTreeMap<GroupKind, String> {
    let served = kinds.0.iter();
    served
        .map(|(kind, served)| (kind.clone(), served.plural.clone()))
        .collect()
}

/// Objects that are declared in one of both only, or otherwise.
fn differing(before: &DeclaredSet, now: &DeclaredSet) -> BTreeSet<ObjectId> {
    let by_id = |set: &'_ DeclaredSet| -> BTreeMap<ObjectId, usize> {
        let numbered = set.objects.iter().enumerate();
        numbered.map(|(index, one)| (one.id.clone(), index)).collect()
    };
    let (old, new) = (by_id(before), by_id(now));
    let same = |id: &ObjectId| {
        let (Some(old), Some(new)) = (old.get(id), new.get(id)) else {
            return false;
        };
        let (old, new) = (&before.objects[*old], &now.objects[*new]);
        old.manifest.value() == new.manifest.value()
            && old.writer == new.writer
            && old.generated == new.generated
            && old.hook == new.hook
    };
    old.keys().chain(new.keys()).filter(|id| !same(id)).cloned().collect()
}
