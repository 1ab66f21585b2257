//! Changes tried at their places, and which of them are the cause of what was not meant.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::proof::{self, Around, Found, Rendered};
use super::spot::{Finder, Spot};
use super::work::Work;
use super::{Change, Changeset, Options, Unplaced};
use crate::object::ObjectId;

/// The places that are left to try for a change.
pub(super) struct Trial {
    spots: VecDeque<Spot>,
    /// The first one where others would change too.
    spare: Option<Spot>,
    others: Others,
    /// Why the last one was none.
    reason: String,
}

/// Whether others change because of a change, where it is tried now.
#[derive(PartialEq, Eq)]
enum Others {
    Unknown,
    No,
    /// They do, and it has no other place.
    Yes,
}

impl Trial {
    pub fn new(spots: Vec<Spot>) -> Self {
        Self {
            spots: spots.into(),
            spare: None,
            others: Others::Unknown,
            reason: "no file of the repository declares anything like it".to_owned(),
        }
    }

    fn refuse(&mut self, reason: String) {
        self.spots.pop_front();
        self.next(reason);
    }

    /// Others would change too: what comes after may do better.
    fn put_off(&mut self) {
        let spot = self.spots.pop_front();
        self.spare = self.spare.take().or(spot);
        self.next("others would change too".to_owned());
    }

    fn next(&mut self, reason: String) {
        self.reason = reason;
        self.others = Others::Unknown;
        if self.spots.is_empty()
            && let Some(spare) = self.spare.take()
        {
            self.spots.push_back(spare);
            self.others = Others::Yes;
        }
    }
}

/// Those of all changes.
pub(super) struct Trials<'a> {
    pub finder: &'a Finder<'a>,
    pub changes: &'a [Change],
    pub options: Options<'a>,
    pub before: Rendered,
    pub trials: Vec<Trial>,
    /// The other entries, read when they are needed.
    pub around: OnceCell<Around>,
}

/// Changes made together, and what comes of it.
pub(super) struct Attempt {
    made: Changeset,
    after: Rendered,
    /// Generated objects with another hash: as they are called now, as they were.
    renamed: BTreeMap<ObjectId, ObjectId>,
    found: Found,
}

impl Trials<'_> {
    /// All of them, each at the first place where it can be made.
    pub fn all(&mut self) -> Attempt {
        // What is made borrows what was before, and the places are used up meanwhile.
        let mut trials = std::mem::take(&mut self.trials);
        let mut work = self.work();
        for ((index, change), trial) in self.changes.iter().enumerate().zip(&mut trials) {
            while let Some(spot) = trial.spots.front() {
                match work.make(index, change, spot) {
                    Ok(()) => break,
                    Err(reason) => trial.refuse(reason),
                }
            }
        }
        let made = work.finish();
        self.trials = trials;
        self.attempted(made)
    }

    /// Some of them. What cannot be made without the others shows nothing.
    fn some(&self, which: &[usize]) -> Attempt {
        let mut work = self.work();
        for index in which {
            if let Some(spot) = self.trials[*index].spots.front() {
                let _ = work.make(*index, &self.changes[*index], spot);
            }
        }
        self.attempted(work.finish())
    }

    fn work(&self) -> Work<'_> {
        let Finder {
            tree,
            known,
            layers,
            reading,
            ..
        } = self.finder;
        Work::new(tree, (known, layers), reading, self.options, &self.before)
    }

    fn attempted(&self, made: Changeset) -> Attempt {
        let Finder { tree, reading, .. } = self.finder;
        let after = Rendered::of_changed(&tree.with(&made.files), reading);
        let tried = made.placed.iter();
        let tried = tried.filter_map(|placed| self.trials[placed.change].spots.front()?.carrier());
        let carriers: BTreeSet<ObjectId> = tried.filter_map(|carrier| self.before.written(&carrier)).collect();
        let renamed = after.renamed_since(&self.before);
        let seen = after.named_as_before(&renamed);
        let found = proof::compare(&self.before, &seen, self.changes, &made.placed, &carriers);
        Attempt {
            made,
            renamed,
            found,
            after,
        }
    }

    /// Others that change, here and in other entries.
    fn others(&self, attempt: &Attempt) -> Vec<String> {
        let here = proof::shown(&self.finder.known.set.entry.paths);
        let others = attempt.found.others.iter();
        let mut others: Vec<String> = others.map(|id| format!("{id} in {here}")).collect();
        if !attempt.made.files.is_empty() {
            let Finder {
                tree, known, reading, ..
            } = self.finder;
            let around = self.around.get_or_init(|| Around::of(tree, reading, known.set));
            let changed = tree.with(&attempt.made.files);
            others.extend(around.changes(&changed, (&self.before, &attempt.after)));
        }
        others.sort();
        others
    }

    /// What else changes by an attempt that is to stay; `None`: what it is not to stay for was refused.
    pub fn judge(&mut self, attempt: &Attempt) -> Option<Vec<String>> {
        let placed = attempt.made.placed.iter().map(|placed| placed.change);
        if let Some(error) = &attempt.found.error {
            let causes = self.causes(placed.collect(), &|part| part.found.error.is_some());
            for index in causes {
                self.trials[index].refuse(error.clone());
            }
            return None;
        }
        if !attempt.found.wrong.is_empty() {
            for (index, reason) in &attempt.found.wrong {
                self.trials[*index].refuse(reason.clone());
            }
            return None;
        }
        if !attempt.found.more.is_empty() {
            self.refuse_more(placed.collect(), &attempt.found.more);
            return None;
        }
        let others = self.others(attempt);
        if others.is_empty() {
            return Some(others);
        }
        let unknown: Vec<usize> = placed
            .filter(|index| self.trials[*index].others == Others::Unknown)
            .collect();
        let shows = |part: &Attempt| !self.others(part).is_empty();
        let causes = match !unknown.is_empty() && shows(&self.some(&unknown)) {
            true => self.causes(unknown.clone(), &shows),
            false => Vec::new(),
        };
        for index in unknown {
            match causes.contains(&index) {
                true => self.trials[index].put_off(),
                false => self.trials[index].others = Others::No,
            }
        }
        causes.is_empty().then_some(others)
    }

    /// Refuses what changes more of these objects than is meant: the changes of the objects themselves, else those of others.
    fn refuse_more(&mut self, placed: Vec<usize>, objects: &BTreeSet<ObjectId>) {
        let shows = |part: &Attempt| !part.found.more.is_disjoint(objects) || !part.found.others.is_disjoint(objects);
        let written = |index: &usize| self.before.written(&self.changes[*index].object());
        let is_own = |index: &usize| written(index).is_some_and(|id| objects.contains(&id));
        let own: Vec<usize> = placed.iter().copied().filter(is_own).collect();
        let by_themselves = shows(&self.some(&own));
        let causes = self.causes(if by_themselves { own } else { placed }, &shows);
        for index in causes {
            let trial = &mut self.trials[index];
            match by_themselves || trial.others == Others::Yes {
                true => trial.refuse("edited there, more would change than that".to_owned()),
                false => trial.put_off(),
            }
        }
    }

    /// Those of some changes that show something which all of them show: each alone, and where none does, all of them.
    fn causes(&self, of: Vec<usize>, shows: &dyn Fn(&Attempt) -> bool) -> Vec<usize> {
        if of.len() < 2 {
            return of;
        }
        let mut found = Vec::new();
        for half in of.chunks(of.len().div_ceil(2)) {
            if shows(&self.some(half)) {
                found.extend(self.causes(half.to_vec(), shows));
            }
        }
        if found.is_empty() { of } else { found }
    }

    /// What an attempt makes, with what has no place.
    pub fn made(self, attempt: Attempt, side_effects: Vec<String>) -> Changeset {
        let Attempt { mut made, renamed, .. } = attempt;
        made.side_effects = side_effects;
        for placed in &mut made.placed {
            let object = self.before.written(&self.changes[placed.change].object());
            if object.is_some_and(|object| renamed.values().any(|old| *old == object)) {
                placed.why.push_str("; its name gets another hash");
            }
            if self.trials[placed.change].others == Others::Yes {
                placed.why.push_str("; others change too");
            }
        }
        let trials = self.trials.into_iter().enumerate();
        let none = trials.filter(|(_, trial)| trial.spots.is_empty());
        made.unplaced = none
            .map(|(change, trial)| Unplaced {
                change,
                reason: trial.reason,
            })
            .collect();
        made
    }
}
