//! The built-in transformers. Each is a spec, as kustomization files and plugin files write it, and a function that applies it:
//!
//! ```text
//! pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()>
//! ```
//!
//! A transformer changes an object only through [`value_mut`](crate::resource::Resource::value_mut), and only where the value really
//! differs, so that what is untouched stays shared. Who set a field is found out by the walk, which compares before and after.

pub(crate) mod affix;
pub(crate) mod annotations;
pub(crate) mod hash;
pub(crate) mod images;
pub(crate) mod labels;
pub(crate) mod names;
pub(crate) mod namespace;
pub(crate) mod patches;
pub(crate) mod replacements;
pub(crate) mod replicas;
pub(crate) mod sort;
pub(crate) mod value_add;
pub(crate) mod vars;

#[cfg(test)]
mod tests;
