//! A Flux Kustomization: what it says, and what kustomize-controller would make of it.
//!
//! Source: kustomize-controller (internal/controller/kustomization_controller.go: build, apply), `github.com/fluxcd/pkg/kustomize`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kustomize::{Kustomize, LoadRestriction, Overlay};
use serde_json::{Map, Value, json};

use super::super::documents::Findings;
use super::super::kustomize::{Outside, render};
use super::generate;
use super::source::{self, Root, SourceRef};
use super::substitute::{is_name, substitute};
use crate::object::{EngineUnit, ObjectId, Place, Problem, ReadyWhen};
use crate::source::path::resolve;

/// API group of Flux's Kustomizations.
pub(super) const GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// On an object: `disabled` keeps its text as it is.
const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// A Flux Kustomization.
#[derive(Debug, Clone)]
pub(in crate::declared) struct Kustomization {
    /// Which one.
    pub id: ObjectId,
    /// Where it is declared.
    pub place: Place,
    spec: Arc<Value>,
}

/// A ConfigMap or Secret with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::declared) struct VariablesFrom {
    /// Which one.
    pub id: ObjectId,
    /// It may be missing.
    pub optional: bool,
}

impl Kustomization {
    /// Reads one; `namespace` is that of objects that name none.
    pub fn read(value: &Value, place: Place, namespace: &str) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").unwrap_or(namespace);
        let name = text("/metadata/name").unwrap_or_default();
        Self {
            id: ObjectId::new(GROUP, "Kustomization", Some(namespace), name),
            place,
            spec: Arc::new(value.get("spec").cloned().unwrap_or_default()),
        }
    }

    /// The one that `flux bootstrap` and the Flux operator make for the folder that they sync.
    pub fn bootstrap(folder: &str) -> Self {
        let (namespace, name) = source::BOOTSTRAP;
        Self {
            id: ObjectId::new(GROUP, "Kustomization", Some(namespace), name),
            place: Place::file(folder),
            spec: Arc::new(json!({"path": folder, "sourceRef": {"kind": "GitRepository", "name": name}})),
        }
    }

    fn namespace(&self) -> &str {
        self.id.namespace.as_deref().unwrap_or_default()
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.spec
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    fn list(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        self.spec
            .pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    /// Why nothing of it is for this cluster now, if so: the consequence is the caller's.
    pub fn is_for_elsewhere(&self) -> Option<&'static str> {
        if self.spec.get("kubeConfig").is_some_and(|value| !value.is_null()) {
            return Some("it is for another cluster (spec.kubeConfig)");
        }
        (self.spec["suspend"] == true).then_some("it is suspended in Git (spec.suspend)")
    }

    /// What it is read from.
    pub fn source(&self) -> SourceRef {
        let namespace = self.text("/sourceRef/namespace").unwrap_or(self.namespace());
        let kind = self.text("/sourceRef/kind").unwrap_or("GitRepository");
        SourceRef::new(kind, namespace, self.text("/sourceRef/name").unwrap_or_default())
    }

    /// Its folder, from the root of its source; `None` where that leads out of it.
    pub fn path(&self) -> Option<String> {
        resolve("", self.text("/path").unwrap_or_default())
    }

    /// What its variables come from, in order: later ones go before.
    pub fn variables_from(&self) -> Vec<VariablesFrom> {
        let one = |from: &Value| VariablesFrom {
            id: ObjectId::new(
                "",
                from["kind"].as_str().unwrap_or_default(),
                Some(self.namespace()),
                from["name"].as_str().unwrap_or_default(),
            ),
            optional: from["optional"] == true,
        };
        self.list("/postBuild/substituteFrom").map(one).collect()
    }

    /// What its engine knows of it.
    pub fn engine(&self) -> EngineUnit {
        let named = |group: &str, one: &Value| {
            let text = |key: &str| one[key].as_str();
            let namespace = text("namespace").unwrap_or(self.namespace());
            ObjectId::new(
                group,
                text("kind").unwrap_or("Kustomization"),
                Some(namespace),
                text("name").unwrap_or_default(),
            )
        };
        let check = |one: &Value| {
            let version = one["apiVersion"].as_str().unwrap_or_default();
            let mut id = named(version.split_once('/').map_or("", |(group, _)| group), one);
            if one["namespace"].as_str().is_none_or(str::is_empty) {
                id.namespace = None;
            }
            id
        };
        let checks: Vec<ObjectId> = self.list("/healthChecks").map(check).collect();
        EngineUnit {
            object: self.id.clone(),
            after: self.list("/dependsOn").map(|one| named(GROUP, one)).collect(),
            ready: match (self.spec["wait"] == true, checks.is_empty()) {
                (true, _) => ReadyWhen::Healthy,
                (false, true) => ReadyWhen::Applied,
                (false, false) => ReadyWhen::These(checks),
            },
        }
    }

    /// What it declares: built, with variables replaced and marked as the controller marks it. `given` are its variables from
    /// ConfigMaps and Secrets.
    pub fn render(
        &self,
        root: &Root<'_>,
        outside: &Outside<'_>,
        given: BTreeMap<String, String>,
        strict: bool,
    ) -> Findings {
        let mut findings = Findings::default();
        match self.build(root, outside, &mut findings) {
            Ok(()) => {}
            Err(why) => {
                findings.problems.push(self.nothing(&why));
                return findings;
            }
        }
        if let Err(problem) = self.replace_variables(&mut findings, given, strict) {
            findings.found.clear();
            findings.problems.push(*problem);
            return findings;
        }
        for found in &mut findings.found {
            self.mark(&mut found.value);
        }
        findings
    }

    /// A problem that keeps all of it from being restored.
    pub fn nothing(&self, why: &str) -> Problem {
        let message = format!("nothing of this Kustomization is restored: {why}");
        Problem::error(self.place.clone(), message).of(self.id.clone())
    }

    fn build(&self, root: &Root<'_>, outside: &Outside<'_>, findings: &mut Findings) -> Result<(), String> {
        let path = self.path().ok_or("its path leads out of its source")?;
        if !matches!(root.files.kind(&path), Ok(Some(kustomize::Kind::Folder))) {
            return Err(format!("there is no folder {path} in {}", root.name));
        }
        let generated = generate::kustomization(&*root.files, &path, &self.spec)?;
        for field in &generated.unknown {
            let message = format!("Flux takes no notice of the field {field}");
            findings
                .problems
                .push(Problem::warning(Place::file(root.shown(&generated.path)), message));
        }
        let mut overlay = Overlay::new(&*root.files);
        if let Some(content) = &generated.content {
            let label = format!("{} of {}", root.shown(&generated.path), self.id);
            overlay.put(&generated.path, content.as_bytes(), Some(&label));
        }
        let options = kustomize::Options {
            load_restriction: LoadRestriction::None,
            ..kustomize::Options::default()
        };
        let kustomize = Kustomize::new(&overlay, outside, options);
        let Findings { found, problems } = render(&kustomize, outside, &path, &generated.path);
        findings.problems.extend(problems);
        findings.found = found;
        for found in &mut findings.found {
            found.provenance.file = root.shown(&found.provenance.file);
        }
        Ok(())
    }

    fn replace_variables(
        &self,
        findings: &mut Findings,
        mut variables: BTreeMap<String, String>,
        strict: bool,
    ) -> Result<(), Box<Problem>> {
        let Some(post_build) = self.spec.get("postBuild").and_then(Value::as_object) else {
            return Ok(());
        };
        let own = post_build.get("substitute").and_then(Value::as_object);
        for (name, value) in own.into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            variables.insert(name.clone(), one_line(value));
        }
        if variables.is_empty() && post_build.get("substituteStrategy") != Some(&json!("Always")) {
            return Ok(());
        }
        if let Some(name) = variables.keys().find(|name| !is_name(name)) {
            return Err(Box::new(
                self.nothing(&format!("{name} cannot be the name of a variable")),
            ));
        }
        for found in &mut findings.found {
            if is_disabled(&found.value, SUBSTITUTE) {
                continue;
            }
            let text = kube_yaml::to_string(&found.value);
            if !text.contains('$') {
                continue;
            }
            let replaced = substitute(&text, &variables, strict).and_then(|text| {
                let value = kube_yaml::parse_one(text.as_bytes()).value;
                value.map_err(|error| format!("with its variables replaced it is not valid YAML: {}", error.message))
            });
            found.value = replaced.map_err(|why| {
                let text = |pointer: &str| found.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let object = format!("{}/{}", text("/kind"), text("/metadata/name"));
                let mut problem = self.nothing(&format!("in {object}: {why}"));
                problem.places.push(found.provenance.place());
                Box::new(problem)
            })?;
        }
        Ok(())
    }

    /// The labels by which the controller knows what is its own, and `spec.commonMetadata`, which goes before them.
    fn mark(&self, value: &mut Value) {
        let owner = json!({
            format!("{GROUP}/name"): self.id.name,
            format!("{GROUP}/namespace"): self.namespace(),
        });
        set(value, "labels", owner.as_object());
        set(
            value,
            "labels",
            self.spec.pointer("/commonMetadata/labels").and_then(Value::as_object),
        );
        set(
            value,
            "annotations",
            self.spec
                .pointer("/commonMetadata/annotations")
                .and_then(Value::as_object),
        );
    }
}

/// Variables are one line each.
pub(in crate::declared) fn one_line(value: &str) -> String {
    value.replace('\n', "")
}

/// Whether a label or an annotation says `disabled`.
fn is_disabled(value: &Value, key: &str) -> bool {
    ["labels", "annotations"]
        .iter()
        .any(|field| value["metadata"][field][key] == "disabled")
}

fn set(value: &mut Value, field: &str, more: Option<&Map<String, Value>>) {
    let (Some(more), Some(metadata)) = (more, value.get_mut("metadata").and_then(Value::as_object_mut)) else {
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
