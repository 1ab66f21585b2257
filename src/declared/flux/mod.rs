//! Flux: what its controllers would make of the objects that declare it.

mod artifact;
mod generate;
mod git;
mod glob;
mod honoured;
mod ignore;
mod kustomization;
mod opened;
mod ready;
mod release;
mod source;
mod substitute;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(super) use kustomization::{Kustomization, one_line};
pub(super) use ready::Dependencies;
pub(super) use release::{ChartOf, HelmRelease};
pub(super) use source::{Found as SourceFound, Root, SourceRef, Sources};

use super::documents;
use super::kustomization::is_name as is_kustomize_file;
use crate::object::{Declared, ObjectId};
use crate::source::Tree;
use crate::source::path::{self, is_within};

/// Group and kind of Flux's Kustomizations.
pub(super) const KUSTOMIZATION: (&str, &str) = (kustomization::GROUP, "Kustomization");

/// Group and kind of Flux's HelmReleases.
pub(super) const HELM_RELEASE: (&str, &str) = (release::GROUP, "HelmRelease");

/// Whether Flux, which renders this object, does not apply it: then nothing is made of it either.
pub(super) fn is_left_out(value: &Value) -> bool {
    let is = |key: &str, text: &str| {
        let maps = ["labels", "annotations"].map(|map| value["metadata"][map][key].as_str());
        maps.into_iter().flatten().any(|own| own.eq_ignore_ascii_case(text))
    };
    let is_of_flux = value["metadata"]["labels"][format!("{}/name", kustomization::GROUP)].is_string();
    is_of_flux && (is(Declared::SSA, "Ignore") || is(Declared::RECONCILE, "disabled"))
}

/// Why nothing of a unit with this `spec` is for this cluster now, if so: the consequence is the caller's.
fn is_for_elsewhere(spec: &Value) -> Option<&'static str> {
    if spec.get("kubeConfig").is_some_and(|value| !value.is_null()) {
        return Some("it is for another cluster (spec.kubeConfig)");
    }
    (spec["suspend"] == true).then_some("it is suspended in Git (spec.suspend)")
}

/// The units that `spec.dependsOn` names, of the same kind; those that name no namespace are in this one.
fn depends_on(spec: &Value, group: &str, kind: &str, namespace: &str) -> Vec<ObjectId> {
    let named = |one: &Value| {
        let text = |key: &str| one[key].as_str().filter(|text| !text.is_empty());
        let namespace = text("namespace").unwrap_or(namespace);
        ObjectId::new(group, kind, Some(namespace), text("name").unwrap_or_default())
    };
    let all = spec.get("dependsOn").and_then(Value::as_array);
    all.into_iter().flatten().map(named).collect()
}

/// Lays labels or annotations over those of an object's metadata.
fn merge_strings(metadata: &mut Value, field: &str, more: &Map<String, Value>) {
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    let entry = metadata.entry(field).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    if let Some(map) = entry.as_object_mut() {
        map.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// The first minor version of kustomize-controller 1 that is strict with variables by itself, and that of Flux 2 that brings it.
/// Source: kustomize-controller (internal/features/features.go, CHANGELOG.md).
const STRICT_SINCE: (u32, u32) = (9, 9);

/// Whether variables that are not set fail a build, if an object says so: the controller by its arguments or its version, a
/// FluxInstance by the version of Flux that it asks for.
pub(super) fn strictness(value: &Value) -> Option<bool> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text("/kind") == "FluxInstance" {
        let minor = minor_after("2.", text("/spec/distribution/version").trim_start_matches('v'));
        return minor.map(|minor| minor >= STRICT_SINCE.1);
    }
    if text("/kind") != "Deployment" || text("/metadata/name") != "kustomize-controller" {
        return None;
    }
    let containers = value.pointer("/spec/template/spec/containers");
    let containers = || containers.and_then(Value::as_array).into_iter().flatten();
    let args = containers()
        .filter_map(|container| container["args"].as_array())
        .flatten();
    let gates = args.filter_map(|arg| arg.as_str()?.strip_prefix("--feature-gates="));
    let mut said = gates.flat_map(|gates| gates.split(',')).filter_map(|gate| {
        let value = gate.trim().strip_prefix("StrictPostBuildSubstitutions=")?;
        value.parse().ok()
    });
    let image = containers().find_map(|container| container["image"].as_str()?.split_once("kustomize-controller:v"));
    let by_version = || minor_after("1.", image?.1).map(|minor| minor >= STRICT_SINCE.0);
    said.next_back().or_else(by_version)
}

/// The minor version of a version of this major one.
fn minor_after(major: &str, version: &str) -> Option<u32> {
    let minor = version.strip_prefix(major)?;
    let end = minor.find(|one: char| !one.is_ascii_digit()).unwrap_or(minor.len());
    minor[..end].parse().ok()
}

/// Whether Flux syncs a folder: files in it declare Kustomizations.
pub(super) fn is_entry(tree: &Tree, folder: &str) -> bool {
    entry_files(tree, folder).next().is_some()
}

fn entry_files<'t>(tree: &'t Tree, folder: &'t str) -> impl Iterator<Item = (&'t str, Arc<[u8]>)> {
    // One that is called as Kustomize's own files are is taken for such a file, and refused.
    let is_read = |file: &&str| (file.ends_with(".yaml") || file.ends_with(".yml")) && !is_kustomize_file(file);
    let files = tree.files_within(folder).filter(is_read);
    let read = files.filter_map(|file| Some((file, tree.read(file).ok()?)));
    read.filter(|(_, text)| declares_one(text))
}

/// The Kustomization that syncs a folder: of those declared in it the one whose path it is; where there is none, the one that
/// `flux bootstrap` and the Flux operator make.
pub(super) fn entry(tree: &Tree, folder: &str, namespace: &str) -> Kustomization {
    for (file, text) in entry_files(tree, folder) {
        let syncs = |one: &Kustomization| one.path().as_deref() == Some(folder) && one.source().is_git();
        if let Some(one) = kustomizations(file, &text, namespace).find(syncs) {
            return one;
        }
    }
    Kustomization::bootstrap(folder)
}

/// Folders below `base` that Flux syncs, sorted: the paths of Kustomizations that lie in what they sync, and the folders of those that
/// nothing else in the repository leads to.
pub(super) fn entries(tree: &Tree, base: &str) -> Vec<String> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (file, text) in entry_files(tree, base) {
        let folder = path::parent(file);
        all.extend(kustomizations(file, &text, "").filter_map(|one| Some((folder.to_owned(), one.path()?))));
    }
    let synced = all
        .iter()
        .filter(|(folder, path)| is_within(folder, path))
        .map(|(_, path)| path);
    let is_led_to = |folder: &String| all.iter().any(|(_, path)| is_within(folder, path));
    let first = all.iter().map(|(folder, _)| folder).filter(|folder| !is_led_to(folder));
    let found: BTreeSet<&String> = synced.chain(first).collect();
    // Of nested ones the outer.
    let is_inner = |one: &&String| found.iter().any(|other| other != one && is_within(one, other));
    found
        .iter()
        .filter(|one| !is_inner(one))
        .map(|one| (*one).clone())
        .collect()
}

/// The Kustomizations that a file declares.
fn kustomizations<'n>(file: &str, text: &[u8], namespace: &'n str) -> impl Iterator<Item = Kustomization> + use<'n> {
    let found = documents::of_file(file, text).found.into_iter();
    found.filter_map(move |found| {
        let text = |key: &str| found.value[key].as_str().unwrap_or_default();
        let is_one = text("apiVersion").starts_with(KUSTOMIZATION.0) && text("kind") == KUSTOMIZATION.1;
        is_one.then(|| Kustomization::read(&found.value, found.provenance.place(), namespace))
    })
}

/// Whether a file may declare a Kustomization: told without parsing.
fn declares_one(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"apiVersion: kustomize.toolkit.fluxcd.io/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_variables_must_be_set_is_known_by_the_controller() {
        let controller = |image: &str, args: &[&str]| {
            let container = json!({"image": image, "args": args});
            json!({
                "kind": "Deployment", "metadata": {"name": "kustomize-controller"},
                "spec": {"template": {"spec": {"containers": [container]}}},
            })
        };
        let (old, new) = (
            "ghcr.io/fluxcd/kustomize-controller:v1.8.2",
            "fluxcd/kustomize-controller:v1.10.0@sha256:0",
        );
        let gate = "--feature-gates=GroupChangeLog=true,StrictPostBuildSubstitutions=";
        let instance = |version: &str| json!({"kind": "FluxInstance", "spec": {"distribution": {"version": version}}});
        for (object, expected) in [
            (controller(old, &["--concurrent=20"]), Some(false)),
            (controller(new, &[]), Some(true)),
            (controller(old, &[&format!("{gate}true")]), Some(true)),
            (controller(new, &[&format!("{gate}false")]), Some(false)),
            (controller("mirror.example.com/flux:latest", &[]), None),
            (instance("2.8.x"), Some(false)),
            (instance("v2.9.0"), Some(true)),
            (instance("2.x"), None),
            (instance(">=2.7"), None),
            (json!({"kind": "Deployment", "metadata": {"name": "web"}}), None),
        ] {
            assert_eq!(strictness(&object), expected, "{object}");
        }
    }
}
