//! What engines add to a kustomization: the patches, images and variables of a Kustomization of Flux, the options of an Application.

use serde_json::Value;
use yaml_splice::Step;

use super::layers::{Layer, items};
use super::spot::{Field, Finder, Site, Spot};
use super::values::Values;
use crate::object::{Declared, ObjectId, Renderer};

/// Whether `flux bootstrap` writes a file, and writes over it.
pub(super) fn is_bootstrapped(file: &str) -> bool {
    file.rsplit('/').next().is_some_and(|name| name.starts_with("gotk-"))
}

impl Finder<'_> {
    /// The engine's object that stands for the unit of an object, where a file declares it as it stands.
    pub fn unit_object(&self, declared: &Declared) -> Option<&Declared> {
        let unit = self.known.set.units.get(declared.unit.0)?;
        let found = self.known.get(&unit.engine.as_ref()?.object)?;
        let file = &found.provenance.file;
        let is_file = found.provenance.renderer != Renderer::Helm && self.tree.is_file(file);
        (is_file && !is_bootstrapped(file)).then_some(found)
    }

    /// What its engine adds to the kustomization of an object.
    pub fn engine_layers(&self, declared: &Declared) -> Vec<Layer> {
        let Some(unit) = self.unit_object(declared) else {
            return Vec::new();
        };
        let places = match (&*unit.id.group, &*unit.id.kind) {
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => vec![yaml_splice::path!["spec"]],
            ("argoproj.io", "Application") => sources(unit, "kustomize"),
            _ => return Vec::new(),
        };
        let layer = |steps: Vec<Step>| {
            // The options may be missing, what is around them not.
            self.values_at(Site::of_object(
                unit,
                steps[..steps.len().saturating_sub(1).max(1)].to_vec(),
            ))?;
            let root = Site::of_object(unit, steps);
            let value = self.values_at(root.clone()).map_or(Value::Null, |values| values.value);
            Some(Layer::added(root, value))
        };
        places.into_iter().filter_map(layer).collect()
    }

    /// The variables that decide a field if one of them does: of those that Flux sets in what a file of the unit says.
    pub fn variables(&self, field: Field<'_>, layers: &[&Layer], spots: &mut Vec<Spot>) {
        let Some(unit) = self.unit_object(field.object) else {
            return;
        };
        let substitution = &unit.manifest.value()["spec"]["postBuild"];
        if substitution.is_null() {
            return;
        }
        let own = Site::of_object(unit, yaml_splice::path!["spec", "postBuild", "substitute"]);
        let mut values: Vec<Values> = self.values_at(own).into_iter().collect();
        for from in items(&substitution["substituteFrom"]) {
            let name = from["name"]
                .as_str()
                .filter(|_| from["kind"] == "ConfigMap")
                .unwrap_or_default();
            let id = ObjectId::new("", "ConfigMap", unit.id.namespace.as_deref(), name);
            let declared = self.known.get(&id);
            values.extend(declared.and_then(|one| self.values_at(Site::of_object(one, yaml_splice::path!["data"]))));
        }
        let mut files: Vec<&str> = vec![&field.object.provenance.file];
        files.extend(layers.iter().flat_map(|layer| layer.files()).map(String::as_str));
        let texts: Vec<String> = files
            .into_iter()
            .filter_map(|file| Some(String::from_utf8_lossy(&self.tree.read(file).ok()?).into_owned()))
            .collect();
        let is_used = |name: &String| texts.iter().any(|text| text.contains(&format!("${{{name}")));
        for values in &mut values {
            if let Value::Object(map) = &mut values.value {
                map.retain(|name, _| is_used(name));
            }
        }
        spots.extend(super::values::deciding(&values, field));
    }
}

/// Where the sources of an Application have an option.
pub(super) fn sources(application: &Declared, option: &str) -> Vec<Vec<Step>> {
    let mut places = vec![yaml_splice::path!["spec", "source", option]];
    let sources = items(&application.manifest.value()["spec"]["sources"]).count();
    places.extend((0..sources).map(|index| yaml_splice::path!["spec", "sources", index, option]));
    places
}
