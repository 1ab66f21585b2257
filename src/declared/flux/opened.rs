//! The files that Flux opens before it builds: whoever reads them then, a ConfigMap too, has them in clear.
//!
//! Source: kustomize-controller (internal/decryptor/decryptor.go: DecryptSources, recurseKustomizationFiles).

use std::collections::BTreeSet;

use kustomize::{Files, Kind};
use serde_json::Value;

use super::super::kustomization::NAMES;
use crate::source::path::{join, resolve};

/// What the kustomizations of a folder, and of those that it is built on, make Secrets of or patch with.
pub(in crate::declared) fn sources(files: &dyn Files, folder: &str) -> BTreeSet<String> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut next = vec![folder.to_owned()];
    while let Some(folder) = next.pop() {
        if !seen.insert(folder.clone()) || !matches!(files.kind(&folder), Ok(Some(Kind::Folder))) {
            continue;
        }
        let text = NAMES.iter().find_map(|name| files.read(&join(&folder, name)).ok());
        let Some(value) = text.and_then(|text| kube_yaml::parse_one(&text).value.ok()) else {
            continue;
        };
        let here = |written: &str| resolve(&folder, written);
        for generator in items(&value["secretGenerator"]) {
            let named = texts(&generator["files"]).map(|item| item.split_once('=').map_or(item, |(_, path)| path));
            found.extend(named.chain(texts(&generator["envs"])).filter_map(here));
        }
        let patches = items(&value["patches"]).filter_map(|patch| patch["path"].as_str());
        found.extend(patches.filter_map(here));
        next.extend(
            ["resources", "components"]
                .iter()
                .flat_map(|list| texts(&value[*list]))
                .filter_map(here),
        );
    }
    found
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).filter_map(Value::as_str)
}
