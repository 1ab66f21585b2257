//! The kustomization file: read, checked, and brought to its modern spelling.

pub(crate) mod lines;
pub(crate) mod shape;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::generate::kv;
use crate::transform::patches::Patch;
use crate::transform::{images, labels, replicas};
use crate::trouble::Trouble;

/// Names under which a kustomization is looked for.
pub(crate) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const KIND: &str = "Kustomization";
const COMPONENT: &str = "Component";
const VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

/// A kustomization file, with deprecated spellings folded into the modern ones. Entries that a step reads by itself are left as values.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Kustomization {
    pub kind: String,
    pub api_version: String,
    pub openapi: Map<String, Value>,
    pub name_prefix: String,
    pub name_suffix: String,
    pub namespace: String,
    pub common_labels: BTreeMap<String, String>,
    pub labels: Vec<labels::Entry>,
    pub common_annotations: BTreeMap<String, String>,
    pub patches_strategic_merge: Vec<String>,
    #[serde(rename = "patchesJson6902")]
    pub patches_json6902: Vec<Patch>,
    pub patches: Vec<Patch>,
    pub images: Vec<images::Entry>,
    image_tags: Vec<images::Entry>,
    pub replacements: Vec<Value>,
    pub replicas: Vec<replicas::Entry>,
    pub vars: Vec<Value>,
    pub sort_options: Option<SortOptions>,
    pub resources: Vec<String>,
    pub components: Vec<String>,
    pub crds: Vec<String>,
    bases: Vec<String>,
    pub config_map_generator: Vec<Value>,
    pub secret_generator: Vec<Value>,
    pub helm_globals: Map<String, Value>,
    pub helm_charts: Vec<Map<String, Value>>,
    helm_chart_inflation_generator: Vec<Map<String, Value>>,
    pub generator_options: Option<kv::Options>,
    pub configurations: Vec<String>,
    pub generators: Vec<String>,
    pub transformers: Vec<String>,
    pub validators: Vec<String>,
    pub build_metadata: Vec<String>,
    /// How many of `resources` stand under that name; the others stand under `bases`.
    #[serde(skip)]
    pub own_resources: usize,
    /// How many of `images` stand under that name; the others stand under `imageTags`.
    #[serde(skip)]
    pub own_images: usize,
    /// What is deprecated in it.
    #[serde(skip)]
    pub deprecated: Vec<&'static str>,
}

/// The order of the output.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SortOptions {
    pub order: String,
    pub legacy_sort_options: Option<LegacySortOptions>,
}

/// Kinds that come first and last.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LegacySortOptions {
    pub order_first: Vec<String>,
    pub order_last: Vec<String>,
}

/// Fields that kustomize warns of, and what it recommends.
const DEPRECATED: &[(&str, &str)] = &[
    ("bases", "'bases' is deprecated, 'resources' takes its place"),
    ("commonLabels", "'commonLabels' is deprecated, 'labels' takes its place"),
    ("imageTags", "'imageTags' is deprecated, 'images' takes its place"),
    (
        "patchesJson6902",
        "'patchesJson6902' is deprecated, 'patches' takes its place",
    ),
    (
        "patchesStrategicMerge",
        "'patchesStrategicMerge' is deprecated, 'patches' takes its place",
    ),
    ("vars", "'vars' is deprecated, 'replacements' takes its place"),
];

/// Fields that may be empty lists in an empty kustomization, because they are moved elsewhere before it is judged.
const MOVED: &[&str] = &["bases", "imageTags", "helmChartInflationGenerator"];

/// Reads a kustomization file.
///
/// # Errors
///
/// All that is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<Kustomization, Vec<Trouble>> {
    let value = kube_yaml::parse_one(bytes).value.map_err(|error| {
        let mut trouble = Trouble::new(format!("the kustomization is invalid: {}", error.message));
        trouble.line = Some(error.line);
        vec![trouble]
    })?;
    let mut troubles = Vec::new();
    let fitted = shape::fit(value, shape::KUSTOMIZATION, "", &mut troubles);
    let value = fitted.unwrap_or_else(|| Value::Object(Map::new()));
    if !troubles.is_empty() {
        return Err(placed(troubles, bytes));
    }
    if is_empty(&value) {
        return Err(vec![Trouble::new("the kustomization is empty")]);
    }
    let deprecated = DEPRECATED.iter().filter(|(field, _)| value.get(field).is_some());
    let deprecated = deprecated.map(|(_, warning)| *warning).collect();
    let mut read: Kustomization = serde_json::from_value(value)
        .map_err(|error| vec![Trouble::new(format!("the kustomization is invalid: {error}"))])?;
    read.deprecated = deprecated;
    read.modernize();
    let troubles = read.troubles_of_kind();
    match troubles.is_empty() {
        true => Ok(read),
        false => Err(placed(troubles, bytes)),
    }
}

/// Troubles with the lines of their fields.
fn placed(mut troubles: Vec<Trouble>, bytes: &[u8]) -> Vec<Trouble> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        for trouble in troubles.iter_mut().filter(|trouble| trouble.line.is_none()) {
            trouble.line = trouble.field.as_deref().and_then(|field| lines::line_of(text, field));
        }
    }
    troubles
}

/// Whether nothing is asked for (kustomize's `CheckEmpty`: an empty list is something, an empty text is not).
fn is_empty(value: &Value) -> bool {
    let says = |(key, value): (&String, &Value)| match value {
        _ if key == "apiVersion" || key == "kind" => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty() || !MOVED.contains(&key.as_str()),
        _ => true,
    };
    !value.as_object().is_some_and(|fields| fields.iter().any(says))
}

impl Kustomization {
    /// Whether it is a component.
    pub fn is_component(&self) -> bool {
        self.kind == COMPONENT
    }

    /// The field and place of a resource.
    pub fn field_of_resource(&self, at: usize) -> String {
        match at.checked_sub(self.own_resources) {
            None => format!("resources[{at}]"),
            Some(at) => format!("bases[{at}]"),
        }
    }

    /// The field and place of an image.
    pub fn field_of_image(&self, at: usize) -> String {
        match at.checked_sub(self.own_images) {
            None => format!("images[{at}]"),
            Some(at) => format!("imageTags[{at}]"),
        }
    }

    /// Whether `buildMetadata` has a word.
    pub fn builds_metadata(&self, word: &str) -> bool {
        self.build_metadata.iter().any(|it| it == word)
    }

    /// Fills in what may be left out, and moves deprecated fields (kustomize's `FixKustomization`).
    fn modernize(&mut self) {
        if self.kind.is_empty() {
            self.kind = KIND.to_owned();
        }
        if self.api_version.is_empty() {
            self.api_version = if self.is_component() {
                COMPONENT_VERSION
            } else {
                VERSION
            }
            .to_owned();
        }
        self.own_resources = self.resources.len();
        self.resources.append(&mut self.bases);
        self.own_images = self.images.len();
        self.images.append(&mut self.image_tags);
        self.fold_old_charts();
    }

    /// `helmChartInflationGenerator` as `helmCharts` and `helmGlobals`.
    fn fold_old_charts(&mut self) {
        const NEW_NAMES: [(&str, &str); 7] = [
            ("chartName", "name"),
            ("chartVersion", "version"),
            ("chartRepoUrl", "repo"),
            ("values", "valuesFile"),
            ("valuesLocal", "valuesInline"),
            ("valuesMerge", "valuesMerge"),
            ("releaseName", "releaseName"),
        ];
        let mut globals = Map::new();
        for mut old in std::mem::take(&mut self.helm_chart_inflation_generator) {
            for (from, to) in [("helmHome", "configHome"), ("chartHome", "chartHome")] {
                if let Some(value) = old.get(from).filter(|value| value.as_str() != Some("")) {
                    globals.insert(to.to_owned(), value.clone());
                }
            }
            let moved = NEW_NAMES
                .iter()
                .filter_map(|(from, to)| Some(((*to).to_owned(), old.shift_remove(*from)?)));
            self.helm_charts.push(moved.collect());
        }
        if self.helm_globals.is_empty() {
            self.helm_globals = globals;
        }
    }

    fn troubles_of_kind(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        if self.kind != KIND && self.kind != COMPONENT {
            troubles.push(Trouble::new(format!("kind should be {KIND} or {COMPONENT}")).in_field("kind"));
        }
        let required = if self.is_component() {
            COMPONENT_VERSION
        } else {
            VERSION
        };
        if self.api_version != required {
            let message = format!("apiVersion for {} should be {required}", self.kind);
            troubles.push(Trouble::new(message).in_field("apiVersion"));
        }
        troubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let troubles = read(text.as_bytes()).expect_err("it is wrong");
        troubles.into_iter().map(|trouble| trouble.message).collect()
    }

    #[test]
    fn an_empty_one_is_refused() {
        for text in [
            "",
            "kind: Kustomization\n",
            "namePrefix: \"\"\n",
            "bases: []\n",
            "resources: null\n",
            "imageTags: []\n",
        ] {
            assert_eq!(problems(text), ["the kustomization is empty"], "{text:?}");
        }
        for text in [
            "resources: []\n",
            "metadata: {}\n",
            "commonLabels: {}\n",
            "generatorOptions: {}\n",
        ] {
            assert!(read(text.as_bytes()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn kind_and_version_are_checked() {
        assert_eq!(
            problems("kind: A\nresources: []\n"),
            ["kind should be Kustomization or Component"]
        );
        assert_eq!(
            problems("kind: Component\napiVersion: kustomize.config.k8s.io/v1beta1\nresources: []\n"),
            ["apiVersion for Component should be kustomize.config.k8s.io/v1alpha1"]
        );
    }

    #[test]
    fn deprecated_spellings_are_folded() {
        let text = "bases: [b]\nresources: [a]\nimageTags: [{name: x}]\n\
            helmChartInflationGenerator: [{chartName: nginx, chartHome: h, values: v}]\n";
        let read = read(text.as_bytes()).expect("it is right");
        assert_eq!(read.resources, ["a", "b"]);
        assert_eq!(read.field_of_resource(1), "bases[0]");
        assert_eq!(read.field_of_image(0), "imageTags[0]");
        assert_eq!(read.helm_charts[0]["valuesFile"], "v");
        assert_eq!(read.helm_globals["chartHome"], "h");
        assert_eq!(read.deprecated.len(), 2);
    }
}
