//! Where a field could be decided: candidates, the likeliest first. Which one does is shown by rendering.

use std::cell::OnceCell;

use serde_json::Value;
use yaml_splice::Step;

use super::common::common;
use super::homes::Homes;
use super::layers::{Layer, Layers, items};
use super::patches::is_part;
use super::work::{Known, at};
use super::{Change, path};
use crate::declared;
use crate::object::{Declared, ObjectId, Renderer};
use crate::source::Tree;
use crate::source::path::parent;

/// Where something stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// The file.
    pub file: String,
    /// Index of the document in the file.
    pub document: usize,
    /// Steps to a text in which YAML stands again; empty where the document itself is meant.
    pub text: Vec<Step>,
    /// Steps from there.
    pub steps: Vec<Step>,
    /// The object that changes together with what is made of it: a release, an engine's unit, a ConfigMap of values.
    pub carrier: Option<ObjectId>,
}

impl Site {
    /// In the only document of a file that stands for no object.
    pub fn of_file(file: &str, steps: Vec<Step>) -> Self {
        Self {
            file: file.to_owned(),
            document: 0,
            text: Vec::new(),
            steps,
            carrier: None,
        }
    }

    /// In the document that declares an object, which changes with it.
    pub fn of_object(declared: &Declared, steps: Vec<Step>) -> Self {
        Self {
            document: declared.provenance.document,
            carrier: Some(declared.id.clone()),
            ..Self::of_file(&declared.provenance.file, steps)
        }
    }

    /// Further in.
    pub fn below(&self, steps: impl IntoIterator<Item = Step>) -> Self {
        let mut site = self.clone();
        site.steps.extend(steps);
        site
    }

    /// In the text that stands here.
    pub fn in_text(&self) -> Self {
        Self {
            text: self.steps.clone(),
            steps: Vec::new(),
            ..self.clone()
        }
    }
}

/// A place for a change.
#[derive(Debug, Clone)]
pub(super) enum Spot {
    /// The document that declares the object.
    Document,
    /// The template of the repository's own chart that declares the object.
    Template,
    /// A file of its own in this folder, for a new object.
    NewFile {
        /// The folder.
        folder: String,
    },
    /// The end of a file, for a new object of the app that the file is of.
    Behind {
        /// The file.
        file: String,
    },
    /// An entry of `images`.
    Image(Site),
    /// An entry of `replicas`.
    Replicas(Site),
    /// A patch that has the field already: the field in it.
    Patch(Site),
    /// A literal of a generator.
    Literal {
        /// The list in which it stands, or will.
        site: Site,
        /// The key.
        key: String,
    },
    /// A file that a generator puts into a value.
    Content {
        /// The list that names it.
        site: Site,
        /// The file.
        file: String,
    },
    /// A line of a file of settings that a generator reads.
    Setting {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// The SealedSecret that holds the values of a Secret.
    Sealed {
        /// The file.
        file: String,
        /// What it declares.
        object: ObjectId,
    },
    /// A generator, of which nothing else is left.
    Generator(Site),
    /// Values of a chart or of a unit.
    Value {
        /// Where they stand, what they become.
        becomes: Vec<(Site, Value)>,
    },
    /// The field of another object that a replacement copies.
    Source {
        /// The file that declares that object.
        file: String,
        /// What becomes of the field.
        change: Box<Change>,
        /// Where.
        spot: Box<Spot>,
    },
    /// A patch behind a chart, in the document of its HelmRelease.
    PostRenderer(Site),
    /// A new patch in what has `patches`: the kustomization of the unit, or what its engine adds.
    NewPatch(Site),
}

impl Spot {
    /// In words, for reviewers.
    pub fn words(&self) -> &'static str {
        match self {
            Self::NewFile { .. } => "a new file",
            Self::Behind { .. } => "at the end of the file of its app",
            Self::Document => "the document that declares it",
            Self::Template => "the chart's template that declares it",
            Self::Image(_) => "the images entry that sets it",
            Self::Replicas(_) => "the replicas entry that sets it",
            Self::Patch(_) => "the patch that sets it",
            Self::Literal { .. } => "the literal of the generator",
            Self::Content { .. } | Self::Setting { .. } => "the file that the generator reads",
            Self::Sealed { .. } => "sealed anew in the SealedSecret that declares it",
            Self::Generator(_) => "the generator that made it is gone",
            Self::Value { .. } => "the value that sets it",
            Self::Source { .. } => "the field that a replacement copies from",
            Self::PostRenderer(_) => "a patch behind the chart, since no value sets it",
            Self::NewPatch(_) => "a patch of its own, since what declares it is shared or overruled",
        }
    }

    fn site(&self) -> Option<&Site> {
        match self {
            Self::Document | Self::Template | Self::NewFile { .. } | Self::Behind { .. } => None,
            Self::Setting { .. } | Self::Sealed { .. } | Self::Source { .. } => None,
            Self::Value { becomes } => becomes.first().map(|(site, _)| site),
            Self::Image(site) | Self::Replicas(site) | Self::Patch(site) => Some(site),
            Self::Literal { site, .. } | Self::Content { site, .. } | Self::Generator(site) => Some(site),
            Self::PostRenderer(site) | Self::NewPatch(site) => Some(site),
        }
    }

    /// The file that is edited; `None`: the one that declares the object. Of a new object its folder.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::NewFile { folder } => Some(folder),
            Self::Behind { file } => Some(file),
            Self::Content { file, .. } | Self::Setting { file, .. } | Self::Sealed { file, .. } => Some(file),
            Self::Source { file, spot, .. } => Some(spot.file().unwrap_or(file)),
            _ => self.site().map(|site| &*site.file),
        }
    }

    /// The object that changes together with what is made of it.
    pub fn carrier(&self) -> Option<ObjectId> {
        match self {
            Self::Sealed { object, .. } => Some(object.clone()),
            Self::Source { change, .. } => Some(change.object()),
            _ => self.site()?.carrier.clone(),
        }
    }

    /// Whether it is not where the object's values are kept.
    pub fn is_elsewhere(&self) -> bool {
        !matches!(self, Self::Document | Self::Sealed { .. })
    }
}

/// Finds them.
pub(super) struct Finder<'a> {
    pub tree: &'a Tree,
    pub layers: &'a Layers,
    pub known: &'a Known<'a>,
    pub reading: &'a declared::Options,
    /// Places for new objects.
    pub homes: OnceCell<Homes<'a>>,
}

/// A field that changes.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub object: &'a Declared,
    pub path: &'a str,
    /// What it becomes; `None`: it goes.
    pub new: Option<&'a Value>,
}

impl<'a> Field<'a> {
    pub fn of(object: &'a Declared, change: &'a Change) -> Option<Self> {
        let (path, new) = match change {
            Change::Set { path, value, .. } => (path, Some(value)),
            Change::Unset { path, .. } => (path, None),
            Change::Add { .. } | Change::Remove { .. } => return None,
        };
        Some(Self { object, path, new })
    }

    /// What it is now.
    pub fn now(&self) -> Option<&'a Value> {
        let object = self.object.manifest.value();
        at(object, &path::steps(self.path, object)?)
    }
}

impl Finder<'_> {
    /// The places for a change; what is shared with other overlays last.
    pub fn spots(&self, change: &Change) -> Vec<Spot> {
        if let Change::Add { manifest } = change {
            return self.homes.get_or_init(|| Homes::of(self)).spots(manifest);
        }
        let Some(declared) = self.known.get(&change.object()) else {
            return vec![Spot::Document];
        };
        if let Some(sealed) = self.known.sealed(&declared.id) {
            return vec![Spot::Sealed {
                file: sealed.provenance.file.clone(),
                object: sealed.id.clone(),
            }];
        }
        let field = Field::of(declared, change);
        match declared.provenance.renderer {
            Renderer::Plain => vec![Spot::Document],
            Renderer::Helm => self.of_chart(declared, field),
            Renderer::Kustomize => {
                let layers = self.layers.from(self.unit_path(declared));
                // What is copied over anything else.
                let copied = field.filter(|_| !declared.id.is("", "Secret")).into_iter();
                let copied = copied.flat_map(|field| layers.iter().flat_map(move |layer| self.sources(layer, field)));
                let mut spots: Vec<Spot> = copied.collect();
                spots.extend(self.direct(declared, field));
                spots
            }
        }
    }

    fn unit_path(&self, declared: &Declared) -> &str {
        self.known.set.units.get(declared.unit.0).map_or("", |unit| &*unit.path)
    }

    /// The places for a change of what a kustomization makes, in what says it itself.
    pub fn direct(&self, declared: &Declared, field: Option<Field<'_>>) -> Vec<Spot> {
        let unit = self.unit_path(declared);
        let (engines, layers) = (self.engine_layers(declared), self.layers.from(unit));
        if let Some(field) = field.filter(|_| declared.id.is("", "Secret")) {
            return self.of_secret(&layers, field);
        }
        let mut spots = Vec::new();
        if let Some(field) = field {
            self.variables(field, &layers, &mut spots);
            for layer in engines.iter().chain(layers.iter().copied()) {
                self.deciders(layer, field, &mut spots);
            }
        } else if declared.id.is("", "ConfigMap") || declared.id.is("", "Secret") {
            let generators = layers.iter().flat_map(|layer| self.generators(layer, &declared.id));
            spots.extend(generators.map(|(site, _)| Spot::Generator(site)));
        }
        spots.push(Spot::Document);
        let shared = |spot: &Spot| self.layers.is_shared(spot.file().unwrap_or(&declared.provenance.file));
        let outermost = layers.first().filter(|layer| parent(&layer.root.file) == unit);
        let patches = outermost.into_iter().copied().chain(&engines);
        let patches = patches.map(|layer| Spot::NewPatch(layer.root.clone()));
        let (mut last, mut first): (Vec<Spot>, Vec<Spot>) = spots.into_iter().partition(shared);
        let (shared_patches, own_patches): (Vec<Spot>, Vec<Spot>) = patches.partition(shared);
        first.extend(own_patches);
        first.append(&mut last);
        first.extend(shared_patches);
        first
    }

    /// What in a kustomization, or in what an engine adds to one, sets the field now.
    fn deciders(&self, layer: &Layer, field: Field<'_>, spots: &mut Vec<Spot>) {
        let Field { object, path, new } = field;
        if let Some(new) = new {
            let now = field.now().and_then(Value::as_str);
            if path.ends_with(".image") && new.is_string() {
                let sets = |entry: &Value| now.is_some_and(|now| is_of(entry, now));
                let entries = items(&layer.value["images"])
                    .enumerate()
                    .filter(|(_, entry)| sets(entry));
                spots.extend(
                    entries.map(|(entry, _)| Spot::Image(layer.root.below(yaml_splice::path!["images", entry]))),
                );
            }
            if path == ".spec.replicas" {
                let entries = items(&layer.value["replicas"]).enumerate();
                let named =
                    entries.filter(|(_, entry)| entry["name"].as_str().is_some_and(|name| is_part(name, &object.id)));
                let entry = |entry| layer.root.below(yaml_splice::path!["replicas", entry]);
                spots.extend(named.map(|(index, _)| Spot::Replicas(entry(index))));
            }
        }
        spots.extend(self.in_generators(layer, field));
        spots.extend(self.in_charts(layer, field));
        for patch in self.patches(layer) {
            spots.extend(patch.setting(field).map(Spot::Patch));
        }
        spots.extend(common(layer, field));
    }
}

/// Whether an entry of `images` sets this image. Argo CD's are texts: `[NAME=]NEW[:TAG][@DIGEST]`.
fn is_of(entry: &Value, image: &str) -> bool {
    let name = match entry {
        Value::String(text) => Some(split_image(text.split_once('=').map_or(text, |(_, new)| new)).0),
        entry => entry["newName"].as_str().or_else(|| entry["name"].as_str()),
    };
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
