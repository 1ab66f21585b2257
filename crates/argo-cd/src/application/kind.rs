//! What a source is, and which of its files are read (`reposerver/repository/repository.go`, `util/app/discovery/discovery.go`).

use serde_json::{Map, Value};

use super::source::{Directory, Source};
use crate::error::Error;
use crate::glob::Glob;
use crate::read::{Reader, shape};

/// What a source is (`ApplicationSourceType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// Plain manifests, Jsonnet among them.
    Directory,
    /// A kustomization.
    Kustomize,
    /// A chart.
    Helm,
    /// Whatever a config management plugin makes of it.
    Plugin,
}

/// Names of kustomizations (`util/kustomize`, `KustomizationNames`).
const KUSTOMIZATIONS: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Ends of the names of manifests (`manifestFile`).
const MANIFESTS: &[&str] = &[".yaml", ".yml", ".json", ".jsonnet"];

/// What a source is: as it says, or else as the files right in its folder say. `files` are paths from that folder. A plugin that would find
/// itself is not known here.
///
/// Where a folder holds both a chart and a kustomization, the name that comes last wins, as it does in Argo CD.
pub fn source_kind<'f>(source: &Source, files: impl IntoIterator<Item = &'f str>) -> SourceKind {
    let explicit = [
        (source.kustomize.is_some(), SourceKind::Kustomize),
        (source.helm.is_some() || !source.chart.is_empty(), SourceKind::Helm),
        (source.directory.is_some(), SourceKind::Directory),
        (source.plugin.is_some(), SourceKind::Plugin),
    ];
    if let Some((_, kind)) = explicit.iter().find(|(given, _)| *given) {
        return *kind;
    }
    let mut names: Vec<&str> = files.into_iter().filter(|file| !file.contains('/')).collect();
    names.sort_unstable();
    let found = names.iter().rev().find_map(|name| match *name {
        name if KUSTOMIZATIONS.contains(&name) => Some(SourceKind::Kustomize),
        // By its end only: `MyChart.yaml` counts too.
        name if name.ends_with("Chart.yaml") => Some(SourceKind::Helm),
        _ => None,
    });
    found.unwrap_or(SourceKind::Directory)
}

/// The files in a source's folder that override the source, in the order in which they do (`mergeSourceParameters`).
pub fn override_files(app: &str) -> Vec<String> {
    let mut files = vec![".argocd-source.yaml".to_owned()];
    if !app.is_empty() {
        files.push(format!(".argocd-source-{app}.yaml"));
    }
    files
}

/// A source with what such files say merged over it, a JSON merge patch each. `source` is the value of the Application's field. What only says
/// where the source is cannot be overridden.
///
/// # Errors
///
/// A file that is no map, and fields of the merged source that are of the wrong type.
pub fn overridden(source: &Value, patches: &[Value]) -> Result<Value, Vec<Error>> {
    let mut errors = Vec::new();
    let mut merged = source.clone();
    for (at, patch) in patches.iter().enumerate() {
        match patch {
            Value::Object(_) => merge_patch(&mut merged, patch, 0),
            Value::Null => {}
            other => errors.push(Error::new(format!("[{at}]"), format!("is {}, not a map", shape(other)))),
        }
    }
    if let Some(map) = merged.as_object_mut() {
        for field in ["chart", "path", "repoURL", "targetRevision"] {
            match source.get(field) {
                Some(value) => map.insert(field.to_owned(), value.clone()),
                None => map.shift_remove(field),
            };
        }
    }
    Source::read(&mut Reader::root(&merged, &mut errors));
    match errors.is_empty() {
        true => Ok(merged),
        false => Err(errors),
    }
}

/// RFC 7386.
pub(crate) fn merge_patch(into: &mut Value, patch: &Value, depth: usize) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if depth > 200 {
        return;
    }
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Some(map) = into.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => {
                map.shift_remove(key);
            }
            value => merge_patch(map.entry(key).or_insert(Value::Null), value, depth + 1),
        }
    }
}

/// The files of a directory source that are read, in the order in which they are. `files` are paths from the source's folder of regular files, or
/// of links to such. A file that holds the text `+argocd:skip-file-rendering` is to be left out beside (`skipFileRenderingMarker`); one whose name
/// ends in `.jsonnet` is a program.
///
/// # Errors
///
/// A glob that does not compile. Argo CD takes it for one that matches nothing.
pub fn chosen_files<'f>(
    directory: &Directory,
    files: impl IntoIterator<Item = &'f str>,
) -> Result<Vec<&'f str>, Vec<Error>> {
    let mut errors = Vec::new();
    let mut glob = |field: &str, pattern: &str| {
        let glob = Glob::argo(pattern, None);
        if glob.is_none() {
            errors.push(Error::new(
                format!("directory.{field}"),
                format!("{pattern:?} is no glob"),
            ));
        }
        glob
    };
    let include = glob("include", &directory.include);
    let exclude = glob("exclude", &directory.exclude);
    let (Some(include), Some(exclude)) = (include, exclude) else {
        return Err(errors);
    };
    let mut chosen: Vec<&str> = files
        .into_iter()
        .filter(|file| directory.recurse || !file.contains('/'))
        .filter(|file| directory.disable_extension_filter || MANIFESTS.iter().any(|end| file.ends_with(end)))
        .filter(|file| directory.exclude.is_empty() || !exclude.matches(file))
        .filter(|file| directory.include.is_empty() || include.matches(file))
        .collect();
    // Names of each folder in their order, as Go walks.
    chosen.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    Ok(chosen)
}
