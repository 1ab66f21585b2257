//! `patches`, `patchesStrategicMerge` and `patchesJson6902`, and the same as plugins.

mod documents;
mod onto;

use crate::context::Context;
use crate::resmap::ResMap;
use crate::selector::Selector;
use crate::trouble::{Outcome, Trouble};
use documents::Documents;

/// An entry of `patches` and of `patchesJson6902`, and the PatchTransformer plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Patch {
    /// A file of patches.
    pub path: String,
    /// Patches in place.
    pub patch: String,
    /// The objects they are for; without one, each is for the object that it names.
    pub target: Option<Selector>,
    /// Not in `patchesJson6902`, where kustomize reads it and does nothing with it.
    pub options: Option<PatchOptions>,
}

/// What strategic merge patches may change beside content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PatchOptions {
    pub allow_name_change: bool,
    pub allow_kind_change: bool,
}

/// The PatchStrategicMergeTransformer plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct PatchStrategicMerge {
    /// Files, or patches in place, as in `patchesStrategicMerge`.
    pub paths: Vec<String>,
    /// More patches in place.
    pub patches: String,
}

/// The PatchJson6902Transformer plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PatchJson6902 {
    pub target: Option<Selector>,
    pub path: String,
    pub json_op: String,
}

/// Applies `patches` in turn.
///
/// # Errors
///
/// A patch that cannot be read, fits no object, or does not fit one: with its place, `patches[2]`.
#[cfg(test)]
pub(crate) fn apply(map: &mut ResMap, patches: &[Patch], cx: &Context<'_>) -> Outcome<()> {
    for (at, patch) in patches.iter().enumerate() {
        apply_one(map, patch, cx).map_err(|trouble| trouble.in_field(format!("patches[{at}]")))?;
    }
    Ok(())
}

/// Applies one entry of `patches`, or a PatchTransformer plugin.
///
/// # Errors
///
/// As `apply`.
pub(crate) fn apply_one(map: &mut ResMap, patch: &Patch, cx: &Context<'_>) -> Outcome<()> {
    let documents = match (patch.patch.trim(), &*patch.path) {
        ("", "") => return Err(Trouble::new("a patch needs one of patch and path")),
        ("", path) => Documents::file(path, cx)?,
        (text, "") => Documents::inline(text)?,
        _ => return Err(Trouble::new("a patch cannot have both patch and path")),
    };
    if let Some(operations) = documents.operations()?
        && !operations.is_empty()
    {
        let line = documents.found.first().map(|document| document.line);
        return onto::json(map, patch.target.as_ref(), operations, true, cx)
            .map_err(|trouble| documents.blame(trouble, line));
    }
    let mut objects = documents.objects()?;
    let options = patch.options.unwrap_or_default();
    match (&patch.target, &mut objects[..]) {
        (_, []) => Ok(()),
        (None, objects) => objects.iter_mut().try_for_each(|(object, line)| {
            onto::by_name(map, object, options, false, cx).map_err(|trouble| documents.blame(trouble, Some(*line)))
        }),
        (Some(target), [(object, line)]) => {
            onto::by_target(map, target, object, options, cx).map_err(|trouble| documents.blame(trouble, Some(*line)))
        }
        (Some(_), _) => {
            let message = "several strategic merge patches in one entry of patches cannot have a target";
            Err(documents.blame(Trouble::new(message), None))
        }
    }
}

/// Applies `patchesStrategicMerge`, or a PatchStrategicMergeTransformer plugin.
///
/// # Errors
///
/// As `apply`, with the place `patchesStrategicMerge[2]`.
pub(crate) fn apply_strategic_merge(map: &mut ResMap, spec: &PatchStrategicMerge, cx: &Context<'_>) -> Outcome<()> {
    if spec.paths.is_empty() && spec.patches.is_empty() {
        return Err(Trouble::new("neither paths nor patches are given"));
    }
    // All are read before any is applied.
    let mut all = Vec::new();
    for (at, path) in spec.paths.iter().enumerate() {
        let field = format!("patchesStrategicMerge[{at}]");
        let documents = Documents::in_place(path).map_or_else(|| Documents::file(path, cx), Ok);
        all.push((documents.map_err(|trouble| trouble.in_field(field.clone()))?, field));
    }
    if !spec.patches.is_empty() {
        all.push((Documents::inline(&spec.patches)?, "patches".to_owned()));
    }
    let mut objects = Vec::new();
    for (documents, field) in &all {
        let found = documents.objects().map_err(|trouble| trouble.in_field(field.clone()))?;
        objects.extend(found.into_iter().map(|(object, line)| (object, line, documents, field)));
    }
    if objects.is_empty() {
        return Err(Trouble::new("the patches are empty"));
    }
    for (mut object, line, documents, field) in objects {
        let options = PatchOptions::default();
        onto::by_name(map, &mut object, options, true, cx)
            .map_err(|trouble| documents.blame(trouble, Some(line)).in_field(field.clone()))?;
    }
    Ok(())
}

/// Applies `patchesJson6902`.
///
/// # Errors
///
/// As `apply`, with the place `patchesJson6902[2]`.
#[cfg(test)]
pub(crate) fn apply_json6902(map: &mut ResMap, patches: &[Patch], cx: &Context<'_>) -> Outcome<()> {
    for (at, patch) in patches.iter().enumerate() {
        let spec = PatchJson6902 {
            target: patch.target.clone(),
            path: patch.path.clone(),
            json_op: patch.patch.clone(),
        };
        apply_json6902_one(map, &spec, cx).map_err(|trouble| trouble.in_field(format!("patchesJson6902[{at}]")))?;
    }
    Ok(())
}

/// Applies a PatchJson6902Transformer plugin.
///
/// # Errors
///
/// As `apply`.
pub(crate) fn apply_json6902_one(map: &mut ResMap, spec: &PatchJson6902, cx: &Context<'_>) -> Outcome<()> {
    if spec.target.as_ref().is_none_or(|target| target.name.is_empty()) {
        return Err(Trouble::new("a JSON patch must specify the name of its target"));
    }
    let documents = match (&*spec.path, &*spec.json_op) {
        ("", "") => return Err(Trouble::new("a JSON patch needs a file or operations in place")),
        (path, "") => Documents::file(path, cx)?,
        ("", text) => Documents::inline(text)?,
        _ => {
            return Err(Trouble::new(
                "a JSON patch cannot have both a file and operations in place",
            ));
        }
    };
    let line = documents.found.first().map(|document| document.line);
    let blame = |trouble| documents.blame(trouble, line);
    match documents.operations()? {
        Some(operations) if !operations.is_empty() => {
            onto::json(map, spec.target.as_ref(), operations, false, cx).map_err(blame)
        }
        Some(_) => Err(blame(Trouble::new("the patch has no operations"))),
        None if documents.found.is_empty() => Err(blame(Trouble::new("the patch is empty"))),
        None => Err(blame(Trouble::new("the patch is no list of JSON patch operations"))),
    }
}

#[cfg(test)]
mod tests;
