//! Helm releases: those that objects name, that Git declares, and that it had.

use super::Verdict;
use super::managed::{HELM_CHART, HELM_RELEASE, is};
use super::was::{is_in, is_in_path, past_of};
use crate::object::{Declared, LiveObject, ObjectId, PastIdentity, PastSet, release_name};

/// The release that an object names, and its namespace.
pub(super) fn release<'o>(id: &'o ObjectId, object: &'o LiveObject) -> Option<(&'o str, &'o str)> {
    if id.is("", "Secret") || id.is("", "ConfigMap") {
        let stored = object.secret_type == "helm.sh/release.v1" || id.name.starts_with("sh.helm.release.v1.");
        if stored
            && let Some((name, _)) = id
                .name
                .strip_prefix("sh.helm.release.v1.")
                .and_then(|rest| rest.rsplit_once(".v"))
        {
            return Some((name, id.namespace.as_deref()?));
        }
    }
    let release = object.annotations.get("meta.helm.sh/release-name")?;
    let namespace = object.annotations.get("meta.helm.sh/release-namespace")?;
    Some((release, namespace))
}

/// The Helm releases that a declared object stands for: (namespace, name).
pub(super) fn releases_of(declared: &Declared) -> Vec<(String, String)> {
    let (id, manifest) = (&declared.id, &declared.manifest);
    let namespace = id.namespace.clone().unwrap_or_default();
    if let (Some(name), Some(namespace)) = (
        manifest.annotation("meta.helm.sh/release-name"),
        manifest.annotation("meta.helm.sh/release-namespace"),
    ) {
        return vec![(namespace.to_owned(), name.to_owned())];
    }
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    if is(id, HELM_RELEASE) {
        let target = manifest.text("/spec/targetNamespace");
        let name = release_name(manifest.text("/spec/releaseName"), target, &id.name);
        // Helm keeps what it knows of the release elsewhere than what it installs.
        let stored = or(manifest.text("/spec/storageNamespace"), &namespace);
        let target = or(target, &namespace);
        return match stored == target {
            true => vec![(target, name)],
            false => vec![(target, name.clone()), (stored, name)],
        };
    }
    if is(id, HELM_CHART) {
        return vec![(or(manifest.text("/spec/targetNamespace"), &namespace), id.name.clone())];
    }
    Vec::new()
}

/// What became of the objects that Git had and that make such a release. The name of a release may hold that of its namespace;
/// where neither that nor the manifest tells the namespace, the path has to.
pub(super) fn past_release(past: &PastSet, namespace: &str, release: &str) -> Option<Verdict> {
    let there = |one: &PastIdentity| is_in(one, Some(namespace)) || is_in_path(one, namespace);
    // The HelmCharts of k3s stand there, whatever namespace they install into.
    let of_k3s = |one: &PastIdentity| there(one) || one.namespace.as_deref() == Some("kube-system");
    let short = || {
        let short = release.strip_prefix(namespace)?.strip_prefix('-')?;
        past_of(past, HELM_RELEASE, short, |_| true)
    };
    past_of(past, HELM_RELEASE, release, there)
        .or_else(|| past_of(past, HELM_CHART, release, of_k3s))
        .or_else(short)
}
