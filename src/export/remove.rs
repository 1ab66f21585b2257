//! An object that goes: its document, the file with its last one, the entry that names the file, and what is left with nothing to make.

use serde_json::Value;
use yaml_splice::Edit;

use super::layers::{items, texts};
use super::work::{Made, Work, at};
use crate::declared::is_encrypted;
use crate::object::{Declared, ObjectId, Place, Renderer};
use crate::source::path::{parent, resolve};

/// Lists of patches in a kustomization.
const PATCHES: [&str; 3] = ["patches", "patchesJson6902", "patchesStrategicMerge"];

impl Work<'_> {
    pub(super) fn remove(&mut self, object: &ObjectId) -> Result<Made, String> {
        let declared = self.declared(object)?;
        let (document, file) = (self.document(declared)?, &declared.provenance.file);
        let text = &document.text;
        if !document.steps.is_empty() && items(&document.value["items"]).count() > 1 {
            if is_encrypted(text.as_bytes()) {
                return Err(format!("{file} is encrypted as a whole, with others in it"));
            }
            let edit = Edit::remove(document.steps);
            let place = self.splice(declared.provenance.place(), file, document.index, &[edit])?;
            return Ok((place, "the item that declared it is gone from the list".to_owned()));
        }
        let left = yaml_splice::remove_document(text, document.index).map_err(|error| error.to_string())?;
        let written = at(&document.value, &document.steps).map(|object| object["metadata"]["name"].clone());
        let mut why = match kube_yaml::parse(left.as_bytes()).is_empty() {
            true => {
                self.remove_file(file);
                self.unlist(file)?;
                "the file that declared it alone is gone".to_owned()
            }
            false => {
                self.put(file, left);
                "the document that declared it is gone from the file".to_owned()
            }
        };
        let gone = self.gone.entry(file.clone()).or_default();
        gone.push(declared.provenance.document);
        if self.spend_patches(declared, written.as_ref().and_then(Value::as_str)) {
            why.push_str(", with its patches");
        }
        Ok((declared.provenance.place(), why))
    }

    /// Notes the patches of nothing but an object that goes, in the kustomizations that make it; whether there are some. Of no object they
    /// would be an error, or a riddle. They go in the end: until then others are found by their place in the list.
    fn spend_patches(&mut self, declared: &Declared, written: Option<&str>) -> bool {
        if declared.provenance.renderer != Renderer::Kustomize {
            return false;
        }
        let id = &declared.id;
        let is_it = |kind: &Value, name: &Value| {
            let names = [Some(&*id.name), written];
            *kind == *id.kind && name.as_str().is_some_and(|name| names.contains(&Some(name)))
        };
        let unit = self.known.set.units.get(declared.unit.0).map_or("", |unit| &*unit.path);
        let mut found = false;
        for layer in self.layers.from(unit) {
            let own = &layer.root.file;
            for key in PATCHES {
                for (index, item) in items(&layer.value[key]).enumerate() {
                    let says = item.as_str().or_else(|| item["path"].as_str()).unwrap_or_default();
                    let file = resolve(parent(own), says).filter(|file| self.tree.is_file(file));
                    let text = match (&file, item["patch"].as_str().or_else(|| item.as_str())) {
                        (Some(file), _) => self.text(file).unwrap_or_default(),
                        (None, text) => text.unwrap_or_default().to_owned(),
                    };
                    let values = kube_yaml::parse(text.as_bytes()).into_iter();
                    let values: Vec<Value> = values.map(|document| document.value.unwrap_or_default()).collect();
                    let is_its = match &item["target"] {
                        target @ Value::Object(_) => is_it(&target["kind"], &target["name"]),
                        _ => {
                            !values.is_empty() && values.iter().all(|one| is_it(&one["kind"], &one["metadata"]["name"]))
                        }
                    };
                    if is_its {
                        let list = self.spent.entry((own.clone(), key.to_owned())).or_default();
                        list.insert(index, file.into_iter().collect());
                        found = true;
                    }
                }
            }
        }
        found
    }

    /// Takes generators and patches that are spent out of their lists, and the files that nothing else names.
    pub(super) fn drop_spent(&mut self) {
        for ((kustomization, key), spent) in std::mem::take(&mut self.spent) {
            let Ok(text) = self.text(&kustomization) else { continue };
            let value = kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
            let indices = spent.keys().rev();
            let edits: Vec<Edit> = match items(&value[&key]).count() == spent.len() {
                true => vec![Edit::remove(yaml_splice::path![&*key])],
                false => indices
                    .map(|index| Edit::remove(yaml_splice::path![&*key, *index]))
                    .collect(),
            };
            // Where that fails nothing is made of them, which the proof finds.
            let _ = self.splice(Place::file(&*kustomization), &kustomization, 0, &edits);
            for file in spent.into_values().flatten() {
                self.drop_file(&file);
            }
        }
    }

    /// Takes a file or folder out of the lists of all kustomizations that name it. What is left with nothing to make goes too, where
    /// another names it.
    fn unlist(&mut self, path: &str) -> Result<(), String> {
        for kustomization in self.kustomizations() {
            let resources = self.resources(&kustomization);
            let names = |item: &Value| item.as_str().and_then(|item| resolve(parent(&kustomization), item));
            let Some(at) = items(&resources).position(|item| names(item).as_deref() == Some(path)) else {
                continue;
            };
            let edit = Edit::remove(yaml_splice::path!["resources", at]);
            self.splice(Place::file(&*kustomization), &kustomization, 0, &[edit])?;
            let folder = parent(&kustomization);
            let is_empty = items(&resources).count() == 1 && makes_nothing(&self.text(&kustomization)?);
            if is_empty && self.is_part_of_another(folder) {
                self.remove_file(&kustomization);
                self.unlist(folder)?;
            }
        }
        Ok(())
    }

    /// Whether a kustomization names a folder, and nothing else is built of it: that would miss it.
    fn is_part_of_another(&self, folder: &str) -> bool {
        let names = |kustomization: &String, key: &str| {
            let text = self.text(kustomization).unwrap_or_default();
            let value = kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
            texts(&value[key]).any(|item| resolve(parent(kustomization), item).as_deref() == Some(folder))
        };
        let all = self.kustomizations();
        all.iter().any(|one| names(one, "resources"))
            && !all.iter().any(|one| names(one, "bases") || names(one, "components"))
            && !self.known.set.units.iter().any(|unit| unit.path == folder)
            && !self
                .entries
                .contains_key(&self.kustomization(folder).unwrap_or_default())
    }
}

/// Whether a kustomization names nothing that it could make objects of.
fn makes_nothing(text: &str) -> bool {
    const SETTINGS: [&str; 11] = [
        "apiVersion",
        "kind",
        "metadata",
        "namespace",
        "namePrefix",
        "nameSuffix",
        "labels",
        "commonLabels",
        "commonAnnotations",
        "generatorOptions",
        "sortOptions",
    ];
    let value = kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
    let mut left = value.as_object().into_iter().flatten();
    left.all(|(key, value)| SETTINGS.contains(&&**key) || key == "resources" && items(value).count() == 0)
}
