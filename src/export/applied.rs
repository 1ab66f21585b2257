//! What engines applied last, where that is another commit than the one at hand: what differs for that reason nobody did by hand, and an
//! export of it would revert Git. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::path;
use super::work::{Known, at};
use crate::audit::{self, Finding};
use crate::object::{DeclaredSet, FieldDrift, LiveUnit, ObjectId, differences};
use crate::source::path::is_within;

/// How deep a unit may lie in units.
const DEEPEST: usize = 16;

/// What engines applied of a repository.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The engines' own objects that are synced from it.
    pub units: Vec<LiveUnit>,
    /// What it declares at the commits that these applied last, but for the one at hand; `None`: it cannot be read.
    pub sets: BTreeMap<String, Option<DeclaredSet>>,
}

impl Applied {
    /// The commits that have to be read to know it, where this one is at hand.
    pub fn commits(&self, at_hand: &str) -> BTreeSet<String> {
        let synced = self.units.iter().map(|unit| unit.synced.clone());
        synced
            .filter(|commit| !commit.is_empty() && commit != at_hand)
            .collect()
    }
}

/// That beside what is declared now.
pub(super) struct Beside<'a> {
    units: &'a [LiveUnit],
    now: &'a Known<'a>,
    earlier: BTreeMap<&'a str, Option<Known<'a>>>,
}

impl<'a> Beside<'a> {
    pub fn new(applied: &'a Applied, now: &'a Known<'a>) -> Self {
        let earlier = applied.sets.iter();
        Self {
            units: &applied.units,
            now,
            earlier: earlier
                .map(|(commit, set)| (&**commit, set.as_ref().map(Known::of)))
                .collect(),
        }
    }

    /// Why a missing object is missing by its engine's doing and by nobody's hand; `None`: it is not, as far as can be told.
    pub fn missing(&self, finding: &Finding) -> Option<String> {
        match self.of(&finding.id)? {
            (unit, None) => Some(unread(unit)),
            (unit, Some(earlier)) if earlier.get(&finding.id).is_none() => {
                Some(format!("{}, which does not declare it", applied(unit)))
            }
            _ => None,
        }
    }

    /// Which fields of a drifted object its engine set so, or left out, and why that is known.
    pub fn fields<'f>(
        &self,
        finding: &Finding,
        fields: &'f [FieldDrift],
        live: &Value,
    ) -> Option<(Vec<&'f FieldDrift>, String)> {
        let (unit, earlier) = self.of(&finding.id)?;
        let by_hand = |field: &FieldDrift| finding.verdict.owner(field).is_some_and(audit::is_by_hand);
        let earlier = match earlier {
            None => None,
            // It was made by hand, and is declared since.
            Some(earlier) => Some(earlier.get(&finding.id)?.manifest.value()),
        };
        let is_its = |field: &&FieldDrift| {
            !by_hand(field)
                && earlier.is_none_or(
                    |earlier| match (value(&field.path, earlier), value(&field.path, live)) {
                        (None, None) => true,
                        (Some(earlier), Some(live)) => differences(earlier, live).is_empty(),
                        _ => false,
                    },
                )
        };
        let its: Vec<&FieldDrift> = fields.iter().filter(is_its).collect();
        let why = match earlier {
            None => unread(unit),
            Some(_) => format!("{}, which declares what is live", applied(unit)),
        };
        (!its.is_empty()).then_some((its, why))
    }

    /// The unit that applies an object, where it applied another commit last, and what that declares.
    fn of(&self, id: &ObjectId) -> Option<(&LiveUnit, Option<&Known<'a>>)> {
        let unit = self.unit_of(id)?;
        let earlier = self.earlier.get(&*unit.synced)?;
        Some((unit, earlier.as_ref()))
    }

    /// The engine's object that applies an object from Git, or else what it is made of.
    fn unit_of(&self, id: &ObjectId) -> Option<&LiveUnit> {
        if self.earlier.is_empty() {
            return None;
        }
        let mut id = id;
        for _ in 0..DEEPEST {
            let unit = self.now.set.units.get(self.now.get(id)?.unit.0)?;
            let Some(engine) = &unit.engine else {
                let holding = self.units.iter().filter(|live| is_within(&unit.path, &live.path));
                return holding.max_by_key(|live| live.path.len());
            };
            let live = self.units.iter().find(|live| live.id == engine.object);
            if let Some(live) = live.filter(|live| !live.synced.is_empty()) {
                return Some(live);
            }
            id = &engine.object;
        }
        None
    }
}

fn value<'v>(path: &str, of: &'v Value) -> Option<&'v Value> {
    at(of, &path::steps(path, of)?)
}

fn applied(unit: &LiveUnit) -> String {
    let commit: String = unit.synced.chars().take(12).collect();
    format!("{} applied {commit} last", unit.id)
}

fn unread(unit: &LiveUnit) -> String {
    format!(
        "{}, which cannot be read here: fetch it, so that what is late is told apart from what was done by hand",
        applied(unit)
    )
}
