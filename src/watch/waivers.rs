//! What units leave alone, kept up to date: an Application says so in the cluster, and may say something else at any time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use crate::object::{DeclaredSet, ObjectId, Waiver};

/// A unit is read again so often at most: engines write their status to it all the time.
const EVERY: Duration = Duration::from_secs(10);

/// The units that say what they leave alone, and what that came to.
#[derive(Debug, Default)]
pub(super) struct Waivers {
    units: BTreeMap<ObjectId, Value>,
    /// Read, or could not be.
    tried: BTreeSet<ObjectId>,
    /// Written to since.
    again: BTreeSet<ObjectId>,
    read_at: Duration,
    /// An answer is out.
    is_reading: bool,
    /// What is declared is another set, or a unit says something else.
    is_stale: bool,
    /// What each object is left alone with.
    last: HashMap<ObjectId, Vec<Waiver>>,
}

impl Waivers {
    pub fn new(units: BTreeMap<ObjectId, Value>, set: &DeclaredSet) -> Self {
        Self {
            tried: units.keys().cloned().collect(),
            units,
            last: of(set),
            ..Self::default()
        }
    }

    /// What the units say.
    pub fn units(&self) -> &BTreeMap<ObjectId, Value> {
        &self.units
    }

    /// Whether an object is one of the units.
    pub fn has(&self, id: &ObjectId) -> bool {
        self.tried.contains(id)
    }

    /// A unit was written to.
    pub fn written(&mut self, id: &ObjectId) {
        self.again.insert(id.clone());
    }

    /// Something else is declared.
    pub fn redeclared(&mut self) {
        self.is_stale = true;
    }

    /// When the clock is needed next.
    pub fn next(&self) -> Option<Duration> {
        let stale = self.is_stale.then_some(Duration::ZERO);
        let again = (!self.again.is_empty()).then_some(self.read_at + EVERY);
        stale.or(again).filter(|_| !self.is_reading)
    }

    /// Whether what units leave alone is known well enough to compare.
    pub fn is_reading(&self) -> bool {
        self.is_reading
    }

    /// The units to read of those that are wanted.
    pub fn unread(&mut self, wanted: &BTreeSet<ObjectId>, now: Duration) -> BTreeSet<ObjectId> {
        let again = self.read_at + EVERY <= now;
        let is_unread = |id: &&ObjectId| !self.tried.contains(*id) || again && self.again.contains(*id);
        let ids: BTreeSet<ObjectId> = wanted.iter().filter(is_unread).cloned().collect();
        if again {
            self.again.clear();
        }
        if !ids.is_empty() {
            self.is_reading = true;
            self.read_at = now;
            self.tried.extend(ids.iter().cloned());
        }
        ids
    }

    /// They were read.
    pub fn read(&mut self, units: BTreeMap<ObjectId, Value>) {
        self.is_reading = false;
        self.is_stale = true;
        self.units.extend(units);
    }

    /// What units leave alone was noted in this set. Gives the objects of which something else is left alone than before.
    pub fn noted(&mut self, set: &DeclaredSet) -> Vec<ObjectId> {
        self.is_stale = false;
        let before = std::mem::replace(&mut self.last, of(set));
        let differs = |id: &&ObjectId| before.get(*id) != self.last.get(*id);
        let all: BTreeSet<&ObjectId> = before.keys().chain(self.last.keys()).collect();
        all.into_iter().filter(differs).cloned().collect()
    }
}

fn of(set: &DeclaredSet) -> HashMap<ObjectId, Vec<Waiver>> {
    let waived = set.objects.iter().filter(|one| !one.waivers.is_empty());
    waived.map(|one| (one.id.clone(), one.waivers.clone())).collect()
}
