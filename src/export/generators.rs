//! What generators of ConfigMaps and Secrets make a value of.

use super::layers::{Layer, items, texts};
use super::patches::is_part;
use super::spot::{Field, Finder, Spot, data_key};
use super::work::is_kustomization;
use crate::object::ObjectId;
use crate::source::path::{parent, resolve};

impl Finder<'_> {
    /// The places for a change of a Secret that kustomizations make: what its generators read, and the document that declares it. A patch
    /// would have its values in clear.
    pub(super) fn of_secret(&self, layers: &[&Layer], field: Field<'_>) -> Vec<Spot> {
        let declared = field.object;
        let key = data_key(field.path);
        let found = key.iter().flat_map(|key| {
            let of_layer = |layer: &&Layer| self.generated(layer, &declared.id, key);
            layers.iter().flat_map(of_layer)
        });
        let mut spots: Vec<Spot> = found.collect();
        if spots.is_empty() || !is_kustomization(&declared.provenance.file) {
            spots.push(Spot::Document);
        }
        spots
    }

    /// Where generators of a kustomization have the value of a key.
    pub(super) fn generated(&self, layer: &Layer, id: &ObjectId, key: &str) -> Vec<Spot> {
        let is_secret = id.is("", "Secret");
        let list = if is_secret {
            "secretGenerator"
        } else {
            "configMapGenerator"
        };
        let there = |path: &str| resolve(parent(&layer.root.file), path).filter(|path| self.tree.is_file(path));
        let mut spots = Vec::new();
        for (index, generator) in items(&layer.value[list]).enumerate() {
            if !generator["name"].as_str().is_some_and(|name| is_part(name, id)) {
                continue;
            }
            for (at, literal) in texts(&generator["literals"]).enumerate() {
                if literal.split_once('=').is_some_and(|(name, _)| name == key) {
                    spots.push(Spot::Literal {
                        site: layer.root.below(yaml_splice::path![list, index, "literals", at]),
                        key: key.to_owned(),
                    });
                }
            }
            for item in texts(&generator["files"]) {
                let (name, path) = item
                    .split_once('=')
                    .unwrap_or((item.rsplit('/').next().unwrap_or(item), item));
                let file = there(path).filter(|_| name == key);
                spots.extend(file.map(|file| Spot::Content { file }));
            }
            let settings = texts(&generator["envs"]).chain(generator["env"].as_str());
            let settings = settings.filter(|_| is_secret).filter_map(there);
            spots.extend(
                settings
                    .filter(|file| self.has_setting(file, key))
                    .map(|file| Spot::Setting {
                        file,
                        key: key.to_owned(),
                    }),
            );
        }
        spots
    }

    /// Whether a file of settings has a key: keys are never encrypted.
    fn has_setting(&self, file: &str, key: &str) -> bool {
        let text = self.tree.read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().any(|line| line.split('=').next() == Some(key))
    }
}
