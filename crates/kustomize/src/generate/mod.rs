//! The built-in generators. Each is a spec, as kustomization files and plugin files write it, and a function that makes the objects:
//!
//! ```text
//! pub(crate) fn generate(spec: &Spec, cx: &Context<'_>) -> Outcome<Vec<Resource>>
//! ```
//!
//! What becomes of an object whose identity is there already is said by its [`behavior`](crate::resource::Behavior) and done by the
//! walk.

pub(crate) mod config_map;
pub(crate) mod external;
pub(crate) mod hash;
pub(crate) mod helm;
pub(crate) mod iam;
pub(crate) mod kv;
pub(crate) mod secret;

#[cfg(test)]
pub(crate) mod tests;
