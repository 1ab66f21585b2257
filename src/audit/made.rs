//! What units made: silent for a unit that Git declares, one finding for each of the others. What owners made: the top one tells of it.

use std::collections::BTreeMap;

use super::classify::{Audit, until};
use super::managed::{Known, Unit};
use super::remedy::unusable;
use super::tally::place;
use super::tools::{Hands, Tool, is_changed_by_people, is_without_deployer};
use super::was::{Was, was};
use super::{Finding, MadeBy, Match, Verdict};
use crate::object::{GroupKind, LiveObject, ObjectId, ProblemKind};

impl<'a> Audit<'a> {
    /// What Git knows of a unit, asked once for each, and how many objects are silent for it.
    pub(super) fn git_has(&mut self, unit: &Unit) -> &mut (Known, usize) {
        // Looked up first: most objects are of a unit that others are of, too.
        if !self.known.contains_key(unit) {
            self.known.insert(unit.clone(), (self.all.units.known(unit), 0));
        }
        self.known.get_mut(unit).expect("because it was put there")
    }

    /// So many objects more are silent for a unit.
    pub(super) fn tell_unit(&mut self, unit: &Unit, silent: usize) {
        if silent > 0 {
            *self.found.by_unit.entry(made_by(unit)).or_default() += silent;
        }
    }

    /// The unit that made an object. Labels that came along with a copied manifest are none of its doing.
    pub(super) fn unit(
        &self,
        id: &ObjectId,
        object: &LiveObject,
        hands: Hands,
        evidence: &mut Vec<String>,
    ) -> Option<Unit> {
        let unit = self.all.units.of(id, object);
        let is_copied = || is_without_deployer(object);
        let Some(unit) = unit else {
            return self.all.units.earlier_generation(id).filter(|_| !is_copied());
        };
        let but = if unit.tool != "ApplySet" && is_copied() {
            match hands {
                Hands::Only => "and only a person's tool wrote it",
                _ => "and a person's tool wrote it and no deployer",
            }
        } else if self.all.units.disowns(&unit, id, object) {
            "which does not list it in its inventory"
        } else {
            return Some(unit);
        };
        evidence.push(format!("it has the marks of {} {}, {but}", unit.tool, unit.name));
        None
    }

    /// What Git knew of an object that a unit of Git made and does not make any more, where that is sure: Git had it by this identity,
    /// and what the unit makes now is known and does not have it.
    pub(super) fn left_behind(&self, id: &ObjectId, object: &LiveObject, unit: &Unit) -> Option<Was> {
        let all = self.all;
        let was = was(id, all.past, &all.namesakes).ok()?;
        let is_removed = was.matched == Match::Exact && matches!(was.verdict, Verdict::RemovedFromGit { .. });
        // What else a chart has in hooks is made when they run, and declared nowhere.
        let is_hook = || object.annotations.contains_key("helm.sh/hook");
        let is_broken = || {
            let mut errors = all.set.problems.iter().filter(|one| one.kind == ProblemKind::Error);
            errors.any(|one| one.object.is_some() && one.object == unit.object)
        };
        let is_sure = is_removed && !is_hook() && all.is_rendered(unit) && !is_broken();
        (is_sure && unusable(all.set, &was.verdict).is_none()).then_some(was)
    }

    /// One finding for each unit that Git does not declare. Where the object that stands for the unit has a finding of its own, that
    /// one tells of what it manages.
    pub(super) fn units(&mut self) {
        for (unit, members) in std::mem::take(&mut self.undeclared) {
            let manages = format!("it manages {}", objects(members.len()));
            let verdict = match &self.git_has(&unit).0 {
                Known::Otherwise(verdict) => verdict.clone(),
                Known::Declared | Known::Never => Verdict::Managed {
                    tool: unit.tool,
                    unit: unit.name.clone(),
                    declared: false,
                },
            };
            let own = unit.object.as_ref();
            let own = own.and_then(|object| self.found.findings.iter_mut().find(|finding| finding.id == *object));
            if let Some(own) = own {
                own.evidence.push(manages);
                self.made(&members, &verdict);
                continue;
            }
            let by_object = unit
                .object
                .as_ref()
                .filter(|object| self.all.live.objects.contains_key(object));
            let Some(id) = by_object.or(members.iter().copied().min()) else {
                continue;
            };
            if self.all.options.ignore.hides(id) {
                self.found.ignored += 1;
                continue;
            }
            self.made(&members, &verdict);
            let finding = self.unit_finding(&unit, id, verdict, manages);
            self.found.findings.push(finding);
        }
    }

    /// What belongs to somebody is silent, unless a person changed it since: the owner may undo that, or not.
    pub(super) fn owned(&mut self, top: ObjectId, id: &'a ObjectId, object: &LiveObject) {
        let by_log = || self.all.records.is_changed_by(id, Tool::is_of_people_only);
        if !is_changed_by_people(id, object) && !by_log() {
            return self.owned_by(top, id);
        }
        let evidence = vec![format!("it belongs to {top}; changed by hand since")];
        let mut finding = self.finding(id, object, Verdict::NeverInGit, evidence);
        // Not all of a Pod can be changed back, and its owner makes another.
        if !id.is("", "Pod") {
            finding.remedy = Some(self.all.commands.edit(id));
        }
        finding.owner = Some(Box::new(top));
        self.found(finding);
    }

    /// An object that has no verdict of its own, since its top owner has.
    fn owned_by(&mut self, top: ObjectId, id: &'a ObjectId) {
        let verdict = Verdict::Owned(top);
        self.silent(id, &verdict);
        if let Verdict::Owned(top) = verdict {
            self.owned.entry(top).or_default().push(id);
        }
    }

    /// Findings about what Git does not declare tell what goes and stays with them. They must be in order.
    pub(super) fn tell_owned(&mut self) {
        for (top, owned) in std::mem::take(&mut self.owned) {
            let of_top = (0..Verdict::FINDINGS.len()).find_map(|rank| {
                let at = |one: &Finding| (one.verdict.rank(), place(&one.id)).cmp(&(rank, place(&top)));
                self.found.findings.binary_search_by(at).ok()
            });
            let Some(finding) = of_top.map(|number| &mut self.found.findings[number]) else {
                continue;
            };
            if matches!(finding.verdict, Verdict::Drifted { .. }) {
                continue;
            }
            let mut kinds: BTreeMap<GroupKind, usize> = BTreeMap::new();
            for id in &owned {
                *kinds.entry(id.group_kind()).or_default() += 1;
            }
            let kinds: Vec<String> = kinds.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
            finding
                .evidence
                .push(format!("it owns {}: {}", objects(owned.len()), kinds.join(", ")));
        }
    }

    fn unit_finding(&self, unit: &Unit, id: &ObjectId, verdict: Verdict, manages: String) -> Finding {
        let what = format!("{} {}", unit.tool, unit.name);
        let mut finding = Finding::new(id.clone(), verdict);
        if let Some(object) = self.all.live.objects.get(id) {
            finding.authors = self.all.records.of_live(id, object);
        }
        if matches!(finding.verdict, Verdict::Managed { .. }) {
            finding.evidence = vec![manages, format!("Git neither declares nor declared {what}")];
        } else {
            finding.matched = Match::MadeByUnit;
            finding.evidence = vec![Match::MadeByUnit.words().to_owned(), manages];
            finding.evidence.extend(until(&finding.verdict, &what));
        }
        finding.unit = Some(Box::new(made_by(unit)));
        finding.remedy = self.all.commands.of_unit(unit, id, &finding.verdict);
        finding
    }

    /// Counts what a unit made that Git does not declare.
    fn made(&mut self, members: &[&ObjectId], verdict: &Verdict) {
        self.found.count(verdict.name(), members.len());
        // What is in the repository, for another entry, counts for neither side.
        if !matches!(verdict, Verdict::NotReached { .. }) {
            for id in members {
                self.found.cover(id.namespace.as_deref(), false);
            }
        }
    }
}

fn objects(count: usize) -> String {
    match count {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    }
}

fn made_by(unit: &Unit) -> MadeBy {
    MadeBy {
        tool: unit.tool,
        unit: unit.name.clone(),
    }
}
