//! A Flux HelmRelease: what it says, and what helm-controller does beside what Helm does.
//!
//! Source: helm-controller 1.6 (`api/v2/helmrelease_types.go`, `internal/action/install.go`, `internal/postrender`),
//! source-controller (`internal/helm/chart`).

use std::sync::Arc;

use kustomize::{Kustomize, LoadRestriction, Memory};
use serde_json::{Map, Value, json};

use super::super::helm::{Values, ValuesFrom, observe};
use super::super::kustomize::{Outside, render};
use super::super::packing::ValuesFiles;
use super::super::release::{Released, adopt};
use super::super::releases::Lack;
use super::generate::earlier_patches;
use super::ready::{Dependencies, health_checks};
use super::source::SourceRef;
use super::{depends_on, merge_strings};
use crate::object::{EngineUnit, Manifest, ObjectId, Place, Problem, ReadyWhen, release_name};

/// API group of HelmReleases.
pub(super) const GROUP: &str = "helm.toolkit.fluxcd.io";
/// The template of what has none, as Helm names it.
const NO_TEMPLATE: &str = "generated-by-postrender";
/// Marks an object while it is post-rendered.
const INDEX: &str = "refloat.dev/index";

/// A HelmRelease.
#[derive(Debug, Clone)]
pub(in crate::declared) struct HelmRelease {
    /// Which one.
    pub id: ObjectId,
    /// Where it is declared.
    pub place: Place,
    /// The entries of `spec.valuesFrom`, in order.
    pub values_from: Vec<ValuesFrom>,
    spec: Arc<Value>,
}

/// The chart of a HelmRelease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::declared) enum ChartOf {
    /// `spec.chart`: by name or path, of a repository or a tree.
    Named {
        source: SourceRef,
        chart: String,
        version: String,
        /// Files that take the place of the chart's own values; they may be missing if the second says so.
        values_files: ValuesFiles,
        /// Its version tells at which revision of the source it was packed.
        by_revision: bool,
    },
    /// `spec.chartRef`.
    Artifact(SourceRef),
}

impl ChartOf {
    /// What a HelmChart names.
    pub fn of_helm_chart(chart: &Value, namespace: &str) -> Option<Self> {
        Self::named(chart, "/spec", namespace)
    }

    /// What a chart's description at a JSON pointer names.
    fn named(value: &Value, at: &str, namespace: &str) -> Option<Self> {
        let at = value.pointer(at)?;
        let text = |pointer: &str| {
            let text = at.pointer(pointer).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let namespace = text("/sourceRef/namespace").unwrap_or(namespace);
        let kind = text("/sourceRef/kind").unwrap_or("HelmRepository");
        let files = at["valuesFiles"].as_array().into_iter().flatten();
        // Earlier API versions have one of its own, which goes first.
        let files = text("/valuesFile").into_iter().chain(files.filter_map(Value::as_str));
        Some(Self::Named {
            source: SourceRef::new(kind, namespace, text("/sourceRef/name")?),
            chart: text("/chart")?.to_owned(),
            version: text("/version").unwrap_or("*").to_owned(),
            values_files: (
                files.map(str::to_owned).collect(),
                at["ignoreMissingValuesFiles"] == true,
            ),
            by_revision: at["reconcileStrategy"] == "Revision",
        })
    }
}

impl HelmRelease {
    /// Reads one; `namespace` is that of objects that name none.
    pub fn read(value: &Value, place: Place, namespace: &str) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").unwrap_or(namespace);
        let name = text("/metadata/name").unwrap_or_default();
        let manifest = Manifest::new(value.clone());
        Self {
            id: ObjectId::new(GROUP, "HelmRelease", Some(namespace), name),
            place,
            values_from: manifest.map_or_else(|_| Vec::new(), |manifest| ValuesFrom::of_release(&manifest)),
            spec: Arc::new(value.get("spec").cloned().unwrap_or_default()),
        }
    }

    fn own_namespace(&self) -> &str {
        self.id.namespace.as_deref().unwrap_or_default()
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        let value = self.spec.pointer(pointer).and_then(Value::as_str);
        value.filter(|text| !text.is_empty())
    }

    fn is(&self, pointer: &str) -> bool {
        self.spec.pointer(pointer) == Some(&Value::Bool(true))
    }

    /// Why nothing of it is for this cluster now, if so: the consequence is the caller's.
    pub fn is_for_elsewhere(&self) -> Option<&'static str> {
        super::is_for_elsewhere(&self.spec)
    }

    /// A problem that keeps all of it from being restored.
    pub fn nothing(&self, why: &str) -> Problem {
        let message = format!("nothing of this HelmRelease is restored: {why}");
        Problem::error(self.place.clone(), message).of(self.id.clone())
    }

    /// The release's name.
    pub fn name(&self) -> String {
        let text = |pointer| self.text(pointer).unwrap_or_default();
        release_name(text("/releaseName"), text("/targetNamespace"), &self.id.name)
    }

    /// The release's namespace.
    pub fn namespace(&self) -> &str {
        self.text("/targetNamespace").unwrap_or(self.own_namespace())
    }

    /// The namespace in which Helm keeps its records.
    pub fn storage(&self) -> &str {
        self.text("/storageNamespace").unwrap_or(self.own_namespace())
    }

    /// The namespace that it makes, if it is told to make one.
    pub fn creates_namespace(&self) -> Option<&str> {
        let target = self.text("/targetNamespace")?;
        self.is("/install/createNamespace").then_some(target)
    }

    /// Its chart.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn chart(&self) -> Result<ChartOf, &'static str> {
        if let Some(name) = self.text("/chartRef/name") {
            let kind = self.text("/chartRef/kind").unwrap_or("OCIRepository");
            let namespace = self.text("/chartRef/namespace").unwrap_or(self.own_namespace());
            return Ok(ChartOf::Artifact(SourceRef::new(kind, namespace, name)));
        }
        ChartOf::named(&self.spec, "/chart/spec", self.own_namespace()).ok_or("it names neither chart nor chartRef")
    }

    /// The HelmChart that its controller makes of `spec.chart` (`api/v2`: GetHelmChartName).
    pub fn helm_chart(&self) -> ObjectId {
        let namespace = self
            .text("/chart/spec/sourceRef/namespace")
            .unwrap_or(self.own_namespace());
        SourceRef::new(
            "HelmChart",
            namespace,
            &format!("{}-{}", self.own_namespace(), self.id.name),
        )
        .id()
    }

    /// `spec.values`.
    ///
    /// # Errors
    /// When they are no map.
    pub fn values(&self) -> Result<Values, &'static str> {
        match self.spec.get("values") {
            None | Some(Value::Null) => Ok(Values::new()),
            Some(Value::Object(values)) => Ok(values.clone()),
            Some(_) => Err("its values are no map"),
        }
    }

    /// Whether the chart's `crds` folders, its hooks and its schema play their part.
    pub fn crds_hooks_schema(&self) -> (bool, bool, bool) {
        (
            self.text("/install/crds") != Some("Skip"),
            !self.is("/install/disableHooks"),
            !self.is("/install/disableSchemaValidation"),
        )
    }

    /// What it says that its controller does not act on.
    pub fn remarks(&self) -> Vec<String> {
        let skips = self.is("/install/skipCRDs").then(|| {
            format!(
                "spec.install.skipCRDs of {} is not acted on, as by its controller: `crds: Skip` in its place leaves out the chart's crds folder",
                self.id
            )
        });
        skips.into_iter().collect()
    }

    /// Adds to its status what its controller notes of what is done to the chart's objects.
    pub fn observe(&self, status: &mut Value) {
        observe(status, &self.spec);
    }

    /// Whether its controller installs it by server-side apply (helm-controller, `internal/action/install.go`).
    pub fn is_server_side(&self) -> bool {
        self.spec.pointer("/install/serverSideApply") != Some(&Value::Bool(false))
    }

    /// What its engine knows of it.
    pub fn engine(&self) -> EngineUnit {
        let does_not_wait = self.is("/install/disableWait");
        EngineUnit {
            object: self.id.clone(),
            after: self.after(),
            ready: if does_not_wait {
                ReadyWhen::Applied
            } else {
                ReadyWhen::Healthy
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
        depends_on(&self.spec, GROUP, "HelmRelease", self.own_namespace())
    }

    /// What the controller does to what a chart rendered: post-renderers, common metadata and the labels by which it knows its own. Of
    /// `crds` folders it takes only definitions.
    ///
    /// # Errors
    /// Says what is wrong with a post-renderer.
    pub fn finish(&self, released: Vec<Released>, outside: &Outside<'_>) -> Result<Vec<Released>, String> {
        let is_definition = |one: &Released| one.found.value["kind"] == "CustomResourceDefinition";
        let mut released = released;
        released.retain(|one| !one.is_of_crds || is_definition(one));
        let no_hooks = self.text("/postRenderStrategy") == Some("nohooks");
        let renderers = self.spec.get("postRenderers").and_then(Value::as_array);
        for renderer in renderers.into_iter().flatten() {
            if let Some(kustomize) = renderer.get("kustomize").filter(|kustomize| kustomize.is_object()) {
                released = post_render(kustomize, released, no_hooks, outside)?;
                // Helm marks what it is given by a post-renderer.
                for one in released.iter_mut().filter(|one| !one.is_of_crds && one.hook.is_none()) {
                    adopt(&mut one.found.value, &self.name(), self.namespace());
                }
            }
        }
        let labels = self.own_labels();
        for one in &mut released {
            let metadata = &mut one.found.value["metadata"];
            if one.is_of_crds {
                merge_strings(metadata, "labels", &labels);
            } else if !(no_hooks && one.hook.is_some()) {
                for map in ["labels", "annotations"] {
                    if let Some(common) = self.spec.pointer(&format!("/commonMetadata/{map}")) {
                        merge_strings(metadata, map, common.as_object().unwrap_or(&Map::new()));
                    }
                }
                merge_strings(metadata, "labels", &labels);
            }
        }
        Ok(released)
    }

    fn own_labels(&self) -> Map<String, Value> {
        let entry = |what: &str, value: &str| (format!("{GROUP}/{what}"), Value::from(value));
        Map::from_iter([entry("name", &self.id.name), entry("namespace", self.own_namespace())])
    }
}

/// A post-renderer: what it is given is built as a kustomization with its patches and images.
fn post_render(
    kustomize: &Value,
    released: Vec<Released>,
    no_hooks: bool,
    outside: &Outside<'_>,
) -> Result<Vec<Released>, String> {
    let is_given = |one: &Released| !(one.is_of_crds || (no_hooks && one.hook.is_some()));
    let (given, mut done): (Vec<Released>, Vec<Released>) = released.into_iter().partition(is_given);
    let mut input = String::new();
    for (index, one) in given.iter().enumerate() {
        let mut value = one.found.value.clone();
        let mark = Map::from_iter([(INDEX.to_owned(), Value::from(index.to_string()))]);
        merge_strings(&mut value["metadata"], "annotations", &mark);
        input.push_str("---\n");
        input.push_str(&kube_yaml::to_string(&value));
    }
    let mut build = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["helm-output.yaml"],
        "patches": kustomize.get("patches").cloned().unwrap_or_else(|| json!([])),
        "images": kustomize.get("images").cloned().unwrap_or_else(|| json!([])),
    });
    if let Some(fields) = build.as_object_mut() {
        earlier_patches(fields, kustomize);
    }
    let build = kube_yaml::to_string(&build);
    let files = Memory::from([("kustomization.yaml", &*build), ("helm-output.yaml", &*input)]);
    let options = kustomize::Options {
        load_restriction: LoadRestriction::None,
        ..kustomize::Options::default()
    };
    let built = render(
        &Kustomize::new(&files, outside, options),
        outside,
        "",
        "kustomization.yaml",
    );
    if let Some(problem) = built.problems.first() {
        return Err(format!("its postRenderers cannot be used: {}", problem.message));
    }
    let mut given: Vec<Option<Released>> = given.into_iter().map(Some).collect();
    let (mut marked, mut unmarked) = (Vec::new(), Vec::new());
    for mut found in built.found {
        let index = unmark(&mut found.value);
        match index.and_then(|index| given.get_mut(index)).and_then(Option::take) {
            Some(one) => marked.push(with(one, found.value)),
            None => unmarked.push(found),
        }
    }
    // A patch that replaces annotations takes the mark with them: then the identity tells, of what was not found by its mark.
    for found in unmarked {
        let is_it = |one: &&mut Option<Released>| {
            let one = one.as_ref().map(|one| &one.found.value);
            one.is_some_and(|one| identity(one) == identity(&found.value))
        };
        let taken = given.iter_mut().find(is_it).and_then(Option::take);
        marked.push(match taken {
            // What made it a hook went with the annotations.
            Some(one) => with(Released { hook: None, ..one }, found.value),
            None => Released {
                template: NO_TEMPLATE.to_owned(),
                found,
                is_of_crds: false,
                hook: None,
                generated: Vec::new(),
            },
        });
    }
    done.extend(marked);
    Ok(done)
}

fn with(mut one: Released, value: Value) -> Released {
    one.found.value = value;
    one
}

/// What tells an object apart from others.
fn identity(value: &Value) -> [&Value; 4] {
    let metadata = &value["metadata"];
    [
        &value["apiVersion"],
        &value["kind"],
        &metadata["namespace"],
        &metadata["name"],
    ]
}

/// Takes the mark from an object, and the annotations where there are no others.
fn unmark(value: &mut Value) -> Option<usize> {
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let index = annotations.shift_remove(INDEX)?;
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
    }
    index.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(spec: Value) -> HelmRelease {
        let value = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
        });
        HelmRelease::read(&value, Place::file("web.yaml"), "default")
    }

    #[test]
    fn names_and_namespaces_of_releases() {
        let plain = release(json!({}));
        assert_eq!((&*plain.name(), plain.namespace()), ("web", "shop"));
        let aimed = release(json!({"targetNamespace": "prod", "install": {"createNamespace": true}}));
        assert_eq!((&*aimed.name(), aimed.namespace()), ("prod-web", "prod"));
        assert_eq!(aimed.creates_namespace(), Some("prod"));
        let named = release(json!({"releaseName": "x", "targetNamespace": "prod"}));
        assert_eq!((&*named.name(), named.creates_namespace()), ("x", None));
        // helm-controller, internal/release/name_test.go
        let long = release(json!({"releaseName": "a-very-long-name-that-exceeds-the-limit-of-53-characters-by-far"}));
        assert_eq!(long.name().len(), 53);
        assert!(long.name().starts_with("a-very-long-name-that-exceeds-the-limit-"));
    }

    #[test]
    fn charts_are_named_in_two_ways() {
        let source = |kind: &str| SourceRef::new(kind, "shop", "charts");
        let artifact = release(json!({"chartRef": {"kind": "OCIRepository", "name": "charts"}}));
        assert_eq!(artifact.chart(), Ok(ChartOf::Artifact(source("OCIRepository"))));
        let named = release(
            json!({"chart": {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}}),
        );
        assert_eq!(
            named.chart(),
            Ok(ChartOf::Named {
                source: source("HelmRepository"),
                chart: "web".to_owned(),
                version: "*".to_owned(),
                values_files: (Vec::new(), false),
                by_revision: false,
            })
        );
        assert!(release(json!({})).chart().is_err());
        assert!(release(json!({"values": ["a"]})).values().is_err());
    }

    #[test]
    fn what_its_controller_does_not_act_on_is_told() {
        let remarks = |spec: Value| release(json!({"install": spec})).remarks();
        let told = remarks(json!({"skipCRDs": true}));
        assert!(
            told[0].starts_with("spec.install.skipCRDs of HelmRelease/shop/web is not acted on"),
            "{told:?}"
        );
        assert!(remarks(json!({"skipCRDs": false, "crds": "Skip"})).is_empty());
    }

    #[test]
    fn its_engine_waits_unless_told_otherwise() {
        let after = release(json!({"dependsOn": [{"name": "db"}, {"name": "x", "namespace": "infra"}]})).engine();
        let id = |namespace: &str, name: &str| ObjectId::new(GROUP, "HelmRelease", Some(namespace), name);
        assert_eq!(after.after, [id("shop", "db"), id("infra", "x")]);
        assert_eq!(after.ready, ReadyWhen::Healthy);
        assert_eq!(
            release(json!({"install": {"disableWait": true}})).engine().ready,
            ReadyWhen::Applied
        );
    }
}
