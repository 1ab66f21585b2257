//! Namespaces that no manifest declares: a unit makes them where they are not there yet.
//!
//! Sources: Argo CD's `CreateNamespace=true`, Flux's `spec.install.createNamespace`, `spec.createNamespace` of the HelmCharts of
//! k3s, Helm's `--create-namespace`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::glob::fits;
use super::managed::{APPLICATION, APPLICATION_SET, HELM_CHART, HELM_RELEASE, Unit, is};
use crate::object::{Declared, LiveObject, ObjectId};

/// What declared units make Namespaces.
pub(super) struct Namespaces {
    /// By name.
    named: BTreeMap<String, Unit>,
    /// By pattern, of units that an ApplicationSet makes: only where Argo CD wrote the Namespace.
    patterns: Vec<(String, Unit)>,
    /// Those into which releases are installed: only where Helm wrote the Namespace.
    of_releases: BTreeMap<String, Unit>,
}

impl Namespaces {
    pub fn new<'a>(
        declared: impl Iterator<Item = &'a Declared>,
        releases: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let (mut named, mut patterns) = (BTreeMap::new(), Vec::new());
        for one in declared {
            let Some((tool, namespace)) = made_by(one).filter(|(_, namespace)| !namespace.is_empty()) else {
                continue;
            };
            let unit = Unit {
                tool,
                name: one.id.to_string(),
                object: Some(one.id.clone()),
            };
            match pattern(&namespace) {
                Some(pattern) => patterns.push((pattern, unit)),
                None => _ = named.entry(namespace).or_insert(unit),
            }
        }
        let release = |(namespace, name): (String, String)| {
            let unit = Unit {
                tool: "Helm",
                name: format!("{namespace}/{name}"),
                object: None,
            };
            (namespace, unit)
        };
        Self {
            named,
            patterns,
            of_releases: releases.map(release).collect(),
        }
    }

    /// The declared unit that makes a Namespace.
    pub fn maker(&self, id: &ObjectId, object: &LiveObject) -> Option<&Unit> {
        if !id.is("", "Namespace") {
            return None;
        }
        let wrote = |pattern: &str| object.managers.iter().any(|manager| fits(pattern, &manager.name));
        let by_pattern = || {
            let mut patterns = self.patterns.iter().filter(|_| wrote("argocd-*"));
            patterns
                .find(|(pattern, _)| fits(pattern, &id.name))
                .map(|(_, unit)| unit)
        };
        let by_helm = || {
            self.of_releases
                .get(&id.name)
                .filter(|_| wrote("helm*") || wrote("Helm"))
        };
        self.named.get(&id.name).or_else(by_pattern).or_else(by_helm)
    }
}

/// The tool and the Namespace that a declared object has it make.
fn made_by(declared: &Declared) -> Option<(&'static str, String)> {
    let (id, value) = (&declared.id, declared.manifest.value());
    let own = || id.namespace.clone().unwrap_or_default();
    let target = || match declared.manifest.text("/spec/targetNamespace") {
        "" => own(),
        namespace => namespace.to_owned(),
    };
    let is_true = |pointer: &str| value.pointer(pointer) == Some(&Value::Bool(true));
    let application = |spec: &Value| {
        let mut options = spec["syncPolicy"]["syncOptions"].as_array().into_iter().flatten();
        let makes = options.any(|option| option == "CreateNamespace=true");
        let namespace = spec["destination"]["namespace"].as_str().unwrap_or_default();
        makes.then(|| ("Argo CD", namespace.to_owned()))
    };
    if is(id, APPLICATION) {
        application(&value["spec"])
    } else if is(id, APPLICATION_SET) {
        application(&value["spec"]["template"]["spec"])
    } else if is(id, HELM_RELEASE) {
        is_true("/spec/install/createNamespace").then(|| ("Flux", target()))
    } else if is(id, HELM_CHART) {
        is_true("/spec/createNamespace").then(|| ("Helm", target()))
    } else {
        None
    }
}

/// What an ApplicationSet's template may come to: `{{.team}}-apps` → `*-apps`. `None` where it is no template.
fn pattern(namespace: &str) -> Option<String> {
    let (mut pattern, mut rest) = (String::new(), namespace);
    while let Some((before, after)) = rest.split_once("{{") {
        pattern.push_str(before);
        pattern.push('*');
        rest = after.split_once("}}").map_or("", |(_, rest)| rest);
    }
    (rest.len() < namespace.len()).then(|| pattern + rest)
}
