//! What one rendering may take.

use super::{Failure, Value};

/// Nodes and commands that one rendering may take.
const STEPS: usize = 500_000;
/// Bytes that one rendering may write.
pub(crate) const LONGEST: usize = 1 << 20;
/// Collections of collections that one rendering may make, which bounds their levels.
const NESTED: usize = 500;

/// What a rendering has used up.
pub(crate) struct Bounds {
    limited: bool,
    steps: usize,
    nested: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            limited: true,
            steps: 0,
            nested: 0,
        }
    }
}

impl Bounds {
    /// For what is bounded by its input.
    pub(crate) fn unlimited() -> Self {
        Bounds {
            limited: false,
            ..Bounds::default()
        }
    }

    pub(crate) fn step(&mut self, count: usize) -> Result<(), Failure> {
        self.steps = self.steps.saturating_add(count);
        match self.limited && self.steps > STEPS {
            true => Err(Failure::new(format!("the template takes more than {STEPS} steps"))),
            false => Ok(()),
        }
    }

    /// Counts the work that a value makes for a function.
    pub(crate) fn weigh(&mut self, value: &Value) -> Result<(), Failure> {
        let length = value.len().unwrap_or(0);
        self.step(if value.is_collection() { length } else { length / 32 })
    }

    /// Counts what may hold other collections.
    pub(crate) fn nest(&mut self) -> Result<(), Failure> {
        self.nested += 1;
        match self.limited && self.nested > NESTED {
            true => Err(Failure::new(format!(
                "the template makes more than {NESTED} lists or maps of lists or maps"
            ))),
            false => Ok(()),
        }
    }
}
