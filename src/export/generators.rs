//! Generators of ConfigMaps and Secrets: what in them says what a key is, and how it goes.

use serde_json::Value;
use yaml_splice::{Edit, Step};

use super::layers::{Layer, items, layer, texts};
use super::patches::is_part;
use super::spot::{Field, Finder, Site, Spot, data_key};
use super::work::{Work, at};
use crate::declared::is_kustomization;
use crate::object::{ObjectId, Place};
use crate::source::path::{parent, resolve};

impl Finder<'_> {
    /// The places for a change of a Secret that kustomizations make: what its generators read, and the document that declares it. A patch
    /// would have its values in clear.
    pub(super) fn of_secret(&self, layers: &[&Layer], field: Field<'_>) -> Vec<Spot> {
        let found = layers.iter().flat_map(|layer| self.in_generators(layer, field));
        let mut spots: Vec<Spot> = found.collect();
        if spots.is_empty() || !is_kustomization(&field.object.provenance.file) {
            spots.push(Spot::Document);
        }
        spots
    }

    /// The generators of a layer that may make an object.
    pub fn generators(&self, layer: &Layer, id: &ObjectId) -> Vec<(Site, Value)> {
        let list = match (&*id.group, &*id.kind) {
            ("", "ConfigMap") => "configMapGenerator",
            ("", "Secret") => "secretGenerator",
            _ => return Vec::new(),
        };
        let all = items(&layer.value[list]).enumerate();
        let of = all.filter(|(_, generator)| generator["name"].as_str().is_some_and(|name| is_part(name, id)));
        let site = |index| layer.root.below(yaml_splice::path![list, index]);
        of.map(|(index, generator)| (site(index), generator.clone())).collect()
    }

    /// Where generators of a layer say what a key of the data is, or could say so of a new one.
    pub fn in_generators(&self, layer: &Layer, field: Field<'_>) -> Vec<Spot> {
        let is_text = field.new.is_none_or(Value::is_string);
        let Some(key) = data_key(field.path).filter(|_| is_text) else {
            return Vec::new();
        };
        let is_secret = field.object.id.is("", "Secret");
        let mut spots = Vec::new();
        for (site, generator) in self.generators(layer, &field.object.id) {
            let list = |name: &str| site.below([Step::from(name)]);
            let has = |literal: &str| literal.split_once('=').is_some_and(|(name, _)| name == key);
            let is_new = field.now().is_none() && field.new.is_some() && !is_secret;
            if is_new || texts(&generator["literals"]).any(has) {
                spots.push(Spot::Literal {
                    site: list("literals"),
                    key: key.clone(),
                });
            }
            let file = self.content(&site, &generator, &key);
            spots.extend(file.map(|file| Spot::Content {
                site: list("files"),
                file,
            }));
            let settings = texts(&generator["envs"]).chain(generator["env"].as_str());
            let settings = settings
                .filter(|_| is_secret)
                .filter_map(|path| resolve(parent(&site.file), path))
                .filter(|file| self.tree.is_file(file) && self.has_setting(file, &key));
            let key = || key.clone();
            spots.extend(settings.map(|file| Spot::Setting { file, key: key() }));
        }
        spots
    }

    /// Whether a file of settings has a key: keys are never encrypted.
    fn has_setting(&self, file: &str, key: &str) -> bool {
        let text = self.tree.read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().any(|line| line.split('=').next() == Some(key))
    }

    /// The file that a generator puts into a key.
    pub fn content(&self, site: &Site, generator: &Value, key: &str) -> Option<String> {
        let mut named = texts(&generator["files"])
            .map(named_file)
            .filter(|(name, _)| *name == key);
        let file = named.find_map(|(_, path)| resolve(parent(&site.file), path))?;
        self.tree.is_file(&file).then_some(file)
    }
}

impl Work<'_> {
    /// Sets a literal, adds one or takes one out.
    pub fn literal(&mut self, list: &Site, key: &str, new: Option<&Value>) -> Result<Place, String> {
        let value = self.document_value(list)?;
        let now = at(&value, &list.steps).cloned().unwrap_or_default();
        let known = texts(&now).position(|one| one.split_once('=').is_some_and(|(name, _)| name == key));
        let Some(new) = new else {
            return self.take_out(list, known.ok_or("the literal is gone")?, texts(&now).count());
        };
        let text = format!("{key}={}", new.as_str().ok_or("it is no text")?);
        let item = |index: usize| list.below([Step::from(index)]).steps;
        let edit = match (known, now.as_array()) {
            (Some(index), _) => Edit::set(item(index), text),
            (None, Some(all)) => Edit::insert(item(all.len()), text),
            (None, None) => Edit::set(list.steps.clone(), vec![text]),
        };
        self.edit(list, &[edit])
    }

    /// Writes what a generator reads, or takes it out of the list and the file with it, where nothing else names it.
    pub fn content(&mut self, list: &Site, file: &str, new: Option<&Value>) -> Result<Place, String> {
        if let Some(new) = new {
            self.put(file, new.as_str().ok_or("it is no text")?.to_owned());
            return Ok(Place::file(file));
        }
        let value = self.document_value(list)?;
        let now = at(&value, &list.steps).cloned().unwrap_or_default();
        let is_it = |item: &str| resolve(parent(&list.file), named_file(item).1).as_deref() == Some(file);
        let index = texts(&now).position(is_it).ok_or("the file is gone from it")?;
        let place = self.take_out(list, index, texts(&now).count())?;
        self.drop_file(file);
        Ok(place)
    }

    /// Has a generator taken out in the end, with the files that nothing else names: until then others are found by their place in the list.
    pub fn generator(&mut self, site: &Site) -> Result<Place, String> {
        let value = self.document_value(site)?;
        let generator = at(&value, &site.steps).ok_or("the generator is gone")?;
        let [Step::Key(list), Step::Index(index)] = &site.steps[..] else {
            return Err("the generator is gone".to_owned());
        };
        let named = texts(&generator["files"]).chain(texts(&generator["envs"]));
        let files = named.filter_map(|item| resolve(parent(&site.file), named_file(item).1));
        let spent = self.spent.entry((site.file.clone(), list.clone())).or_default();
        spent.insert(*index, files.collect());
        Ok(Place::file(&site.file))
    }

    /// Takes an item out of a list, and the list with its last one.
    fn take_out(&mut self, list: &Site, index: usize, count: usize) -> Result<Place, String> {
        let steps = match count {
            1 => list.steps.clone(),
            _ => list.below([Step::from(index)]).steps,
        };
        self.edit(list, &[Edit::remove(steps)])
    }

    /// Removes a file that no kustomization names any more.
    pub(super) fn drop_file(&mut self, file: &str) {
        let mut kustomizations = self.tree.files().filter(|path| is_kustomization(path));
        let names = |kustomization: &str| {
            let text = self.text(kustomization).unwrap_or_default();
            let value = kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
            layer(self.tree, kustomization, value)
                .files()
                .any(|named| named == file)
        };
        if self.tree.is_file(file) && !kustomizations.any(names) {
            self.remove_file(file);
        }
    }
}

/// The key and the path of `[KEY=]PATH`.
pub(super) fn named_file(item: &str) -> (&str, &str) {
    item.split_once('=')
        .unwrap_or((item.rsplit('/').next().unwrap_or(item), item))
}
