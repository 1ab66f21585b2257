//! A Flux Kustomization: what it says, and what kustomize-controller would make of it.
//!
//! Source: kustomize-controller (internal/controller/kustomization_controller.go: build, apply), `github.com/fluxcd/pkg/kustomize`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kustomize::{Files, Kustomize, LoadRestriction, Overlay};
use serde_json::{Map, Value, json};

use super::super::documents::Findings;
use super::super::inputs::{NO_TEXT, text};
use super::super::kustomize::{Outside, render};
use super::super::releases::Lack;
use super::super::secrets::{Decrypting, Keys};
use super::opened::sources;
use super::ready::{Dependencies, health_checks};
use super::source::{self, Root, SourceRef};
use super::substitute::{IS_STRICT, is_name, substitute};
use super::{generate, merge_strings};
use crate::object::{EngineUnit, ObjectId, Place, Problem, ProblemKind, ReadyWhen, api_group};
use crate::source::path::resolve;

/// API group of Flux's Kustomizations.
pub(super) const GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// What helps where a variable is not set, and when it need not be. Source: kustomize-controller (internal/features/features.go).
const GIVE_A_VALUE: &str = "give it in spec.postBuild (substitute or substituteFrom), or with a default: ${NAME:=value}; an empty one is allowed by \
    kustomize-controller before 1.9 (Flux 2.9) and by its feature gate StrictPostBuildSubstitutions=false, which refloat sees in its Deployment or in \
    a FluxInstance where that is declared outside of charts";
/// On an object: `disabled` keeps its text as it is.
const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// On an object: `disabled` keeps it encrypted.
const DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";

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
        super::is_for_elsewhere(&self.spec)
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

    /// The Secret whose keys open what is encrypted in it, where it decrypts and names one.
    pub fn decrypts_with(&self) -> Option<ObjectId> {
        let name = self.text("/decryption/secretRef/name").filter(|_| self.decrypts())?;
        Some(ObjectId::new("", "Secret", Some(self.namespace()), name))
    }

    fn decrypts(&self) -> bool {
        self.text("/decryption/provider") == Some("sops")
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
        let check = |one: &Value| {
            let text = |key: &str| one[key].as_str().unwrap_or_default();
            let group = api_group(text("apiVersion"));
            let namespace = Some(text("namespace")).filter(|namespace| !namespace.is_empty());
            ObjectId::new(group, text("kind"), namespace, text("name"))
        };
        let checks: Vec<ObjectId> = self.list("/healthChecks").map(check).collect();
        EngineUnit {
            object: self.id.clone(),
            after: self.after(),
            ready: match (self.spec["wait"] == true, checks.is_empty()) {
                (true, _) => ReadyWhen::Healthy,
                (false, true) => ReadyWhen::Applied,
                (false, false) => ReadyWhen::These(checks),
            },
            // Wrong ones keep it from being rendered.
            checks: health_checks(&self.spec).unwrap_or_default(),
        }
    }

    /// Says why its engine would refuse what it says of readiness, and takes note of when it starts.
    pub fn starts(&self, dependencies: &mut Dependencies, last: bool) -> Result<(), Lack> {
        health_checks(&self.spec)?;
        dependencies.judge(&self.id, &self.spec, &self.place, last)
    }

    /// The units that it depends on.
    pub fn after(&self) -> Vec<ObjectId> {
        super::depends_on(&self.spec, GROUP, "Kustomization", self.namespace())
    }

    /// What it declares: built, with variables replaced and marked as the controller marks it. `given` are its variables from
    /// ConfigMaps and Secrets; `keys` open what is encrypted.
    pub fn render(
        &self,
        root: &Root<'_>,
        outside: &Outside<'_>,
        keys: &Keys,
        given: BTreeMap<String, String>,
        strict: bool,
    ) -> Findings {
        let mut findings = Findings::default();
        let built = match self.decrypts() {
            true => {
                let path = self.path().unwrap_or_default();
                let opened = Decrypting::new(&*root.files, keys.clone(), || sources(&*root.files, &path));
                let built = self.build(&opened, root, outside, &mut findings);
                built.and_then(|()| open_values(&mut findings, keys))
            }
            false => self.build(&*root.files, root, outside, &mut findings),
        };
        if let Err(why) = built {
            findings.found.clear();
            findings.problems.push(self.nothing(&why));
            return findings;
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

    /// `files` are those of its source, in clear.
    fn build(
        &self,
        files: &dyn Files,
        root: &Root<'_>,
        outside: &Outside<'_>,
        findings: &mut Findings,
    ) -> Result<(), String> {
        let path = self.path().ok_or("its path leads out of its source")?;
        if !matches!(files.kind(&path), Ok(Some(kustomize::Kind::Folder))) {
            return Err(format!("there is no folder {path} in {}", root.name));
        }
        let generated = generate::kustomization(files, &path, &self.spec)?;
        for field in &generated.unknown {
            let message = format!("Flux takes no notice of the field {field}");
            findings
                .problems
                .push(Problem::warning(Place::file(root.shown_of(&generated.path)), message));
        }
        let mut overlay = Overlay::new(files);
        if let Some(content) = &generated.content {
            let label = format!("{} of {}", root.shown_of(&generated.path), self.id);
            overlay.put(&generated.path, content.as_bytes(), Some(&label));
        }
        let options = kustomize::Options {
            load_restriction: LoadRestriction::None,
            ..kustomize::Options::default()
        };
        let kustomize = Kustomize::new(&overlay, outside, options);
        let Findings { found, problems } = render(&kustomize, outside, &path, &generated.path);
        // What keeps all of it away is said of the unit.
        let of_unit = |problem: Problem| match found.is_empty() && problem.kind == ProblemKind::Error {
            true => problem.of(self.id.clone()),
            false => problem,
        };
        findings.problems.extend(problems.into_iter().map(of_unit));
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
            let value = text(value).ok_or_else(|| {
                let why = format!("its postBuild.substitute.{name} {NO_TEXT}");
                Box::new(self.nothing(&why))
            })?;
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
            // Its quotes are those in which variables are replaced.
            let text = kube_yaml::to_go_string(&found.value);
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
                Box::new(match why.ends_with(IS_STRICT) {
                    true => problem.hint(GIVE_A_VALUE),
                    false => problem,
                })
            })?;
        }
        Ok(())
    }

    /// The labels by which the controller knows what is its own, and `spec.commonMetadata`, which goes before them.
    fn mark(&self, value: &mut Value) {
        let entry = |what: &str, value: &str| (format!("{GROUP}/{what}"), Value::from(value));
        let owner = Map::from_iter([entry("name", &self.id.name), entry("namespace", self.namespace())]);
        let Some(metadata) = value.get_mut("metadata").filter(|metadata| metadata.is_object()) else {
            return;
        };
        merge_strings(metadata, "labels", &owner);
        for map in ["labels", "annotations"] {
            let common = self.spec.pointer(&format!("/commonMetadata/{map}"));
            if let Some(common) = common.and_then(Value::as_object) {
                merge_strings(metadata, map, common);
            }
        }
    }
}

/// Opens what is encrypted in Secrets' values.
fn open_values(findings: &mut Findings, keys: &Keys) -> Result<(), String> {
    for found in &mut findings.found {
        if found.value["kind"] == "Secret" && !is_disabled(&found.value, DECRYPT) {
            let name = found.value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let opened = keys.open_values(&mut found.value);
            opened.map_err(|why| format!("Secret/{name}: {why}"))?;
        }
    }
    Ok(())
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
