//! An object that goes: its document, the file with its last one, the entry that names the file, and what is left with nothing to make.

use serde_json::Value;
use yaml_splice::Edit;

use super::layers::{items, texts};
use super::work::{Made, Work};
use crate::declared::is_encrypted;
use crate::object::{ObjectId, Place};
use crate::source::path::{parent, resolve};

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
        let why = match kube_yaml::parse(left.as_bytes()).is_empty() {
            true => {
                self.remove_file(file);
                self.unlist(file)?;
                "the file that declared it alone is gone"
            }
            false => {
                self.put(file, left);
                "the document that declared it is gone from the file"
            }
        };
        let gone = self.gone.entry(file.clone()).or_default();
        gone.push(declared.provenance.document);
        Ok((declared.provenance.place(), why.to_owned()))
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
