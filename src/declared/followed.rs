//! What was followed already: an object that yields itself, alone or in a ring with others, would be followed for ever.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::{ObjectId, Place, Problem};

/// How deep units may come of units: deeper than any repository goes, and soon reached where each rendering yields another manifest.
const DEEPEST: usize = 100;

/// What was followed.
#[derive(Default)]
pub(super) struct Followed {
    /// By object the manifests of it.
    manifests: BTreeMap<ObjectId, Vec<Value>>,
    /// By unit how many units it took to come to it.
    depths: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

impl Followed {
    /// Whether an object that comes of a unit is to be followed. One that a second unit declares alike yields the same once more, and one
    /// that comes too deep never ends, which is told.
    pub fn take(&mut self, id: &ObjectId, value: &Value, unit: &str, place: Place) -> bool {
        let manifests = self.manifests.entry(id.clone()).or_default();
        if manifests.contains(value) {
            return false;
        }
        manifests.push(value.clone());
        let depth = self.depths.get(unit).map_or(0, |depth| depth + 1);
        if depth > DEEPEST {
            let message =
                format!("nothing more of it is restored: more than {DEEPEST} units come of each other in a row");
            let problem = Problem::error(place, message).of(id.clone());
            let hint = "look for what declares itself: a unit whose own folder or chart declares it anew each time";
            self.problems.push(problem.hint(hint));
            return false;
        }
        self.depths.insert(id.to_string(), depth);
        true
    }

    /// What was not followed, once nothing more will be declared.
    pub fn remarks(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }
}
