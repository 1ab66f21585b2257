//! Where a field could be decided: candidates, the likeliest first. Which one does is shown by rendering.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;
use yaml_splice::Step;

use super::add::folders;
use super::layers::{Layer, Layers, items, texts};
use super::work::{Known, at};
use super::{Change, path};
use crate::object::{Declared, GroupKind, ObjectId, Renderer};
use crate::source::Tree;
use crate::source::path::{parent, resolve};

/// A place for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    /// The document that declares the object.
    Document,
    /// A file of its own in this folder, for a new object.
    NewFile {
        /// The folder.
        folder: String,
    },
    /// An entry of `images`.
    Image {
        /// The kustomization.
        file: String,
        /// Index of the entry.
        entry: usize,
    },
    /// An entry of `replicas`.
    Replicas {
        /// The kustomization.
        file: String,
        /// Index of the entry.
        entry: usize,
    },
    /// A patch that has the field already.
    Patch {
        /// The file with the patch: the kustomization, where it stands in it.
        file: String,
        /// Index of the document in the file.
        document: usize,
        /// Where the text stands in that document; empty where the document is the patch.
        inline: Vec<Step>,
        /// The field in the patch.
        steps: Vec<Step>,
    },
    /// A literal of a generator.
    Literal {
        /// The kustomization.
        file: String,
        /// Where it stands.
        steps: Vec<Step>,
        /// The key.
        key: String,
    },
    /// A file that a generator puts into a value.
    Content {
        /// The file.
        file: String,
    },
    /// A value of a chart.
    Value {
        /// The file.
        file: String,
        /// Index of the document in the file.
        document: usize,
        /// Where it stands.
        steps: Vec<Step>,
        /// What it becomes.
        value: Value,
    },
    /// A patch behind a chart, in its HelmRelease.
    PostRenderer {
        /// The file with the HelmRelease.
        file: String,
        /// Index of the document in the file.
        document: usize,
    },
    /// A new patch in the kustomization of the unit.
    NewPatch {
        /// The kustomization.
        file: String,
    },
}

impl Spot {
    /// In words, for reviewers.
    pub fn words(&self) -> &'static str {
        match self {
            Self::NewFile { .. } => "a new file",
            Self::Document => "the document that declares it",
            Self::Image { .. } => "the images entry that sets it",
            Self::Replicas { .. } => "the replicas entry that sets it",
            Self::Patch { .. } => "the patch that sets it",
            Self::Literal { .. } => "the literal of the generator",
            Self::Content { .. } => "the file that the generator reads",
            Self::Value { .. } => "the value of the chart that sets it",
            Self::PostRenderer { .. } => "a patch behind the chart, since no value sets it",
            Self::NewPatch { .. } => "a patch of its own, since what declares it is shared or overruled",
        }
    }

    /// The file that is edited; `None`: the one that declares the object. Of a new object its folder.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Document => None,
            Self::NewFile { folder } => Some(folder),
            Self::Image { file, .. } | Self::Replicas { file, .. } | Self::Patch { file, .. } => Some(file),
            Self::Literal { file, .. } | Self::Content { file } | Self::NewPatch { file } => Some(file),
            Self::Value { file, .. } | Self::PostRenderer { file, .. } => Some(file),
        }
    }

    /// The document that changes together with what its chart makes.
    pub fn carrier(&self) -> Option<(&str, usize)> {
        match self {
            Self::Value { file, document, .. } | Self::PostRenderer { file, document } => Some((file, *document)),
            _ => None,
        }
    }

    /// Whether other objects may be decided there too.
    pub fn may_decide_others(&self) -> bool {
        !matches!(
            self,
            Self::Document | Self::NewFile { .. } | Self::NewPatch { .. } | Self::PostRenderer { .. }
        )
    }
}

/// Folders by namespace and kind.
pub(super) type Folders = BTreeMap<(Option<String>, GroupKind), Vec<String>>;

/// Finds them.
pub(super) struct Finder<'a> {
    pub tree: &'a Tree,
    pub layers: &'a Layers,
    pub known: &'a Known<'a>,
    /// Folders for new objects, by namespace and kind.
    pub folders: RefCell<Folders>,
}

impl Finder<'_> {
    /// The places for a change; what is shared with other overlays last.
    pub fn spots(&self, change: &Change) -> Vec<Spot> {
        if let Change::Add { manifest } = change {
            let key = (manifest.namespace().map(str::to_owned), manifest.group_kind());
            let mut known = self.folders.borrow_mut();
            let folders = known
                .entry(key)
                .or_insert_with(|| folders(self.tree, self.known.set, manifest));
            return folders.iter().cloned().map(|folder| Spot::NewFile { folder }).collect();
        }
        let Some(declared) = self.known.get(&change.object()) else {
            return vec![Spot::Document];
        };
        match declared.provenance.renderer {
            Renderer::Plain => return vec![Spot::Document],
            Renderer::Helm => return self.of_chart(declared, change),
            Renderer::Kustomize => {}
        }
        let unit = self.known.set.units.get(declared.unit.0).map_or("", |unit| &*unit.path);
        let layers = self.layers.from(unit);
        let mut spots = Vec::new();
        let field = match change {
            Change::Set { path, value, .. } => Some((path, Some(value))),
            Change::Unset { path, .. } => Some((path, None)),
            Change::Add { .. } | Change::Remove { .. } => None,
        };
        if let Some((path, new)) = field {
            for layer in &layers {
                self.deciders(layer, declared, path, new, &mut spots);
            }
        }
        spots.push(Spot::Document);
        let shared = |spot: &Spot| self.layers.is_shared(spot.file().unwrap_or(&declared.provenance.file));
        let (last, mut first): (Vec<Spot>, Vec<Spot>) = spots.into_iter().partition(shared);
        let outermost = layers.first().filter(|layer| parent(&layer.file) == unit);
        first.extend(outermost.map(|layer| Spot::NewPatch {
            file: layer.file.clone(),
        }));
        first.extend(last);
        first
    }

    /// What in a kustomization sets the field now.
    fn deciders(&self, layer: &Layer, declared: &Declared, path: &str, new: Option<&Value>, spots: &mut Vec<Spot>) {
        let file = || layer.file.clone();
        if let Some(new) = new {
            let now = path::steps(path, declared.manifest.value());
            let now = now
                .and_then(|steps| at(declared.manifest.value(), &steps))
                .and_then(Value::as_str);
            if path.ends_with(".image") && new.is_string() {
                let sets = |entry: &Value| now.is_some_and(|now| is_of(entry, now));
                let entries = items(&layer.value["images"])
                    .enumerate()
                    .filter(|(_, entry)| sets(entry));
                spots.extend(entries.map(|(entry, _)| Spot::Image { file: file(), entry }));
            }
            if path == ".spec.replicas" {
                let entries = items(&layer.value["replicas"]).enumerate();
                let named =
                    entries.filter(|(_, entry)| entry["name"].as_str().is_some_and(|name| is_part(name, &declared.id)));
                spots.extend(named.map(|(entry, _)| Spot::Replicas { file: file(), entry }));
            }
            if let Some(key) = data_key(path).filter(|_| declared.id.is("", "ConfigMap") && new.is_string()) {
                self.literals(layer, &declared.id, &key, spots);
            }
        }
        self.patches(layer, declared, path, spots);
    }

    fn literals(&self, layer: &Layer, id: &ObjectId, key: &str, spots: &mut Vec<Spot>) {
        for (index, generator) in items(&layer.value["configMapGenerator"]).enumerate() {
            if !generator["name"].as_str().is_some_and(|name| is_part(name, id)) {
                continue;
            }
            for (at, literal) in texts(&generator["literals"]).enumerate() {
                if literal.split_once('=').is_some_and(|(name, _)| name == key) {
                    spots.push(Spot::Literal {
                        file: layer.file.clone(),
                        steps: yaml_splice::path!["configMapGenerator", index, "literals", at],
                        key: key.to_owned(),
                    });
                }
            }
            for item in texts(&generator["files"]) {
                let (name, path) = item
                    .split_once('=')
                    .unwrap_or((item.rsplit('/').next().unwrap_or(item), item));
                let path = resolve(parent(&layer.file), path).filter(|path| self.tree.is_file(path));
                spots.extend(path.filter(|_| name == key).map(|file| Spot::Content { file }));
            }
        }
    }

    fn patches(&self, layer: &Layer, declared: &Declared, path: &str, spots: &mut Vec<Spot>) {
        let folder = parent(&layer.file);
        let named = |written: &str| resolve(folder, written).filter(|path| self.tree.is_file(path));
        for key in ["patches", "patchesJson6902"] {
            for (index, entry) in items(&layer.value[key]).enumerate() {
                let target = Some(&entry["target"]).filter(|target| target.is_object());
                if let Some(text) = entry["patch"].as_str() {
                    let inline = yaml_splice::path![key, index, "patch"];
                    in_text(text, &layer.file, inline, target, declared, path, spots);
                } else if let Some(file) = entry["path"].as_str().and_then(named) {
                    self.in_file(&file, target, declared, path, spots);
                }
            }
        }
        for (index, item) in texts(&layer.value["patchesStrategicMerge"]).enumerate() {
            match named(item) {
                Some(file) => self.in_file(&file, None, declared, path, spots),
                None => {
                    let inline = yaml_splice::path!["patchesStrategicMerge", index];
                    in_text(item, &layer.file, inline, None, declared, path, spots);
                }
            }
        }
    }

    fn in_file(&self, file: &str, target: Option<&Value>, declared: &Declared, path: &str, spots: &mut Vec<Spot>) {
        let Ok(bytes) = self.tree.read(file) else { return };
        if let Ok(text) = std::str::from_utf8(&bytes) {
            in_text(text, file, Vec::new(), target, declared, path, spots);
        }
    }
}

/// Places in the text of a patch that set the field.
fn in_text(
    text: &str,
    file: &str,
    inline: Vec<Step>,
    target: Option<&Value>,
    declared: &Declared,
    path: &str,
    spots: &mut Vec<Spot>,
) {
    for (document, parsed) in kube_yaml::parse(text.as_bytes()).into_iter().enumerate() {
        let Ok(value) = parsed.value else { continue };
        // Several documents of an inline patch cannot be told apart by its one place.
        if !inline.is_empty() && document > 0 {
            return;
        }
        let steps = match &value {
            Value::Array(operations) => target
                .filter(|target| is_target(target, &declared.id))
                .and_then(|_| operation(operations, declared.manifest.value(), path)),
            _ => {
                let is_of = value["kind"] == *declared.id.kind
                    && (value["metadata"]["name"]
                        .as_str()
                        .is_some_and(|name| is_part(name, &declared.id)))
                    || target.is_some_and(|target| is_target(target, &declared.id));
                let steps = path::steps(path, &value).filter(|steps| at(&value, steps).is_some());
                steps.filter(|_| is_of)
            }
        };
        spots.extend(steps.map(|steps| Spot::Patch {
            file: file.to_owned(),
            document,
            inline: inline.clone(),
            steps,
        }));
    }
}

/// The value of the operation of a JSON patch that sets the field.
fn operation(operations: &[Value], object: &Value, path: &str) -> Option<Vec<Step>> {
    let pointer = path::pointer(&path::steps(path, object)?);
    let sets = |one: &Value| one["path"] == *pointer && (one["op"] == "replace" || one["op"] == "add");
    let index = operations.iter().rposition(sets)?;
    Some(yaml_splice::path![index, "value"])
}

/// Whether an entry of `images` sets this image.
fn is_of(entry: &Value, image: &str) -> bool {
    let name = entry["newName"].as_str().or_else(|| entry["name"].as_str());
    name.is_some_and(|name| name == split_image(image).0)
}

/// `registry:5000/a/b:1@sha256:…` → name, what comes after `:`, what comes after `@`.
pub(super) fn split_image(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag), digest),
        _ => (rest, None, digest),
    }
}

/// Whether a name as it is written may have become the object's, by a prefix, a suffix or a hash.
fn is_part(name: &str, id: &ObjectId) -> bool {
    !name.is_empty() && id.name.contains(name)
}

fn is_target(target: &Value, id: &ObjectId) -> bool {
    let fits = |key: &str, is: &dyn Fn(&str) -> bool| target[key].as_str().is_none_or(is);
    fits("kind", &|kind| kind == id.kind) && fits("name", &|name| is_part(name, id))
}

/// The key of a field of `data`.
pub(super) fn data_key(path: &str) -> Option<String> {
    let rest = path.strip_prefix(".data")?;
    let bracketed = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bracketed.or_else(|| rest.strip_prefix('.')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_fall_into_their_parts() {
        for (image, parts) in [
            ("a", ("a", None, None)),
            ("r.example:5000/a", ("r.example:5000/a", None, None)),
            ("r.example:5000/a:1", ("r.example:5000/a", Some("1"), None)),
            ("a@sha256:0", ("a", None, Some("sha256:0"))),
            ("a:1@sha256:0", ("a", Some("1"), Some("sha256:0"))),
        ] {
            assert_eq!(split_image(image), parts);
        }
    }

    #[test]
    fn keys_of_data() {
        for (path, key) in [(".data.a", Some("a")), (".data[a.b]", Some("a.b")), (".spec.a", None)] {
            assert_eq!(data_key(path).as_deref(), key);
        }
    }
}
