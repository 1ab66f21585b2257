//! Bounds on what one build may take, so that no kustomization can make it endless.

use std::cell::Cell;

use serde_json::Value;

use crate::trouble::{Outcome, Trouble};

/// How much one build may take. What goes over a bound ends with an error. The defaults are far above anything that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Kustomizations within each other.
    pub depth: usize,
    /// Kustomizations read, each counted as often as it is named.
    pub kustomizations: usize,
    /// Files read, each counted as often as it is named.
    pub files: usize,
    /// Bytes of these files.
    pub bytes: usize,
    /// Objects at one time.
    pub objects: usize,
    /// Steps of work: one for each object that a transformer looks at, and for each value that it makes.
    pub work: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Budgets {
            depth: 64,
            kustomizations: 5_000,
            files: 50_000,
            bytes: 256 << 20,
            objects: 50_000,
            work: 4_000_000,
        }
    }
}

/// What is left of the budgets of a build.
#[derive(Debug)]
pub(crate) struct Meter {
    budgets: Budgets,
    kustomizations: Cell<usize>,
    files: Cell<usize>,
    bytes: Cell<usize>,
    work: Cell<usize>,
}

impl Meter {
    pub fn new(budgets: Budgets) -> Self {
        Meter {
            budgets,
            kustomizations: Cell::new(0),
            files: Cell::new(0),
            bytes: Cell::new(0),
            work: Cell::new(0),
        }
    }

    /// A kustomization within so many others is read.
    pub fn enter(&self, depth: usize) -> Outcome<()> {
        if depth > self.budgets.depth {
            return Err(over(
                "too many kustomizations are within each other",
                self.budgets.depth,
            ));
        }
        spend(
            &self.kustomizations,
            1,
            self.budgets.kustomizations,
            "too many kustomizations are included",
        )
    }

    /// A file is read.
    pub fn read(&self, bytes: usize) -> Outcome<()> {
        spend(&self.files, 1, self.budgets.files, "too many files are read")?;
        spend(&self.bytes, bytes, self.budgets.bytes, "too many bytes are read")
    }

    /// So many objects are there.
    pub fn objects(&self, count: usize) -> Outcome<()> {
        match count > self.budgets.objects {
            true => Err(over("there are too many objects", self.budgets.objects)),
            false => Ok(()),
        }
    }

    /// Work is done.
    pub fn work(&self, amount: usize) -> Outcome<()> {
        spend(&self.work, amount, self.budgets.work, "the build is too much work")
    }
}

/// Work that a copy of a value is: in all, copies then take some hundreds of megabytes at most.
pub(crate) fn weight(value: &Value) -> usize {
    const EACH: usize = 16;
    match value {
        Value::String(text) => EACH + text.len() / 4,
        Value::Array(items) => EACH + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => {
            EACH + map
                .iter()
                .map(|(key, value)| EACH + key.len() / 4 + weight(value))
                .sum::<usize>()
        }
        _ => EACH,
    }
}

fn spend(spent: &Cell<usize>, amount: usize, limit: usize, message: &str) -> Outcome<()> {
    spent.set(spent.get().saturating_add(amount));
    match spent.get() > limit {
        true => Err(over(message, limit)),
        false => Ok(()),
    }
}

fn over(message: &str, limit: usize) -> Trouble {
    Trouble::new(format!("{message}: the limit is {limit}"))
}
