//! Puts the hash of their content at the end of the names of generated objects: the last step of a build before names are fixed.

use crate::context::Context;
use crate::generate::hash::hash;
use crate::resmap::ResMap;
use crate::trouble::Outcome;

/// Gives their hash to all that need one.
pub(crate) fn apply(map: &mut ResMap, cx: &Context<'_>) -> Outcome<()> {
    for resource in map.list.iter_mut().filter(|resource| resource.needs_hash) {
        let name = format!("{}-{}", resource.name(), hash(&resource.value)?);
        resource.remember_id(cx.schema);
        resource.set_name(&name);
    }
    Ok(())
}
