//! One build: from a root through all that it names to its objects.

pub(crate) mod accumulate;
pub(crate) mod finish;
pub(crate) mod generators;
pub(crate) mod place;
pub(crate) mod plugins;
pub(crate) mod reader;
pub(crate) mod steps;
pub(crate) mod target;
#[cfg(test)]
mod tests;
