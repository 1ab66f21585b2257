//! Patches of kustomizations, and of what engines add to them, read as YAML.

use regex::Regex;
use serde_json::Value;
use yaml_splice::Step;

use super::layers::{Layer, items, texts};
use super::path;
use super::spot::{Field, Finder, Site};
use super::work::at;
use crate::object::ObjectId;
use crate::source::path::{parent, resolve};

/// A patch of a kustomization, or of what an engine adds to one.
pub(super) struct Patch {
    /// Where it stands.
    pub site: Site,
    /// What it says.
    pub value: Value,
    target: Option<Value>,
}

impl Patch {
    /// Several documents of an inline patch cannot be told apart by its one place.
    fn inline(text: &str, site: &Site, target: Option<&Value>) -> Option<Self> {
        let value = kube_yaml::parse(text.as_bytes()).into_iter().next()?.value.ok()?;
        Some(Self {
            site: site.in_text(),
            value,
            target: target.cloned(),
        })
    }

    fn of_file(text: &[u8], file: &str, target: Option<&Value>) -> Vec<Self> {
        let documents = kube_yaml::parse(text).into_iter().enumerate();
        let patches = documents.filter_map(|(document, parsed)| {
            let site = Site {
                document,
                ..Site::of_file(file, Vec::new())
            };
            Some(Self {
                site,
                value: parsed.value.ok()?,
                target: target.cloned(),
            })
        });
        patches.collect()
    }

    /// Whether it may be one of an object.
    pub fn is_of(&self, id: &ObjectId) -> bool {
        let named = || {
            let name = self.value["metadata"]["name"].as_str();
            self.value["kind"] == *id.kind && name.is_some_and(|name| is_part(name, id))
        };
        self.target.as_ref().is_some_and(|target| is_target(target, id)) || !self.value.is_array() && named()
    }

    /// Where in it a field is set.
    pub fn setting(&self, field: Field<'_>) -> Option<Site> {
        if !self.is_of(&field.object.id) {
            return None;
        }
        let steps = match &self.value {
            Value::Array(operations) => operation(operations, field.object.manifest.value(), field.path)?,
            value => path::steps(field.path, value).filter(|steps| at(value, steps).is_some())?,
        };
        Some(self.site.below(steps))
    }
}

impl Finder<'_> {
    /// The patches of a layer, each with where it stands.
    pub fn patches(&self, layer: &Layer) -> Vec<Patch> {
        let mut found = Vec::new();
        let named = |written: &str| {
            let file = resolve(parent(&layer.root.file), written).filter(|path| self.tree.is_file(path))?;
            Some((self.tree.read(&file).ok()?, file))
        };
        let mut add = |site: Option<Site>, written: &str, target: Option<&Value>| match (site, named(written)) {
            (Some(inline), _) => found.extend(Patch::inline(written, &inline, target)),
            (None, Some((text, file))) => found.extend(Patch::of_file(&text, &file, target)),
            (None, None) => {}
        };
        for key in ["patches", "patchesJson6902"] {
            for (index, entry) in items(&layer.value[key]).enumerate() {
                let target = Some(&entry["target"]).filter(|target| target.is_object());
                match (entry["patch"].as_str(), entry["path"].as_str()) {
                    (Some(text), _) => {
                        let inline = layer.root.below(yaml_splice::path![key, index, "patch"]);
                        add(Some(inline), text, target);
                    }
                    (None, Some(path)) => add(None, path, target),
                    (None, None) => {}
                }
            }
        }
        for (index, item) in texts(&layer.value["patchesStrategicMerge"]).enumerate() {
            let inline = layer.root.below(yaml_splice::path!["patchesStrategicMerge", index]);
            add(Some(inline).filter(|_| named(item).is_none()), item, None);
        }
        found
    }
}

/// Where an operation of a JSON patch sets the field: it, or something around it.
fn operation(operations: &[Value], object: &Value, path: &str) -> Option<Vec<Step>> {
    let steps = path::steps(path, object)?;
    (1..=steps.len()).rev().find_map(|end| {
        let pointer = path::pointer(&steps[..end]);
        let sets = |one: &Value| {
            let is_there = at(&one["value"], &steps[end..]).is_some();
            one["path"] == *pointer && (one["op"] == "replace" || one["op"] == "add") && is_there
        };
        let index = operations.iter().rposition(sets)?;
        Some([yaml_splice::path![index, "value"], steps[end..].to_vec()].concat())
    })
}

/// Whether a name as it is written may have become the object's, by a prefix, a suffix or a hash.
pub(super) fn is_part(name: &str, id: &ObjectId) -> bool {
    !name.is_empty() && id.name.contains(name)
}

/// Whether a target may choose an object: its fields are expressions of whole texts.
fn is_target(target: &Value, id: &ObjectId) -> bool {
    let is = |wanted: &str, text: &str| {
        let whole = || Regex::new(&format!("^(?:{wanted})$"));
        wanted == text || whole().is_ok_and(|expression| expression.is_match(text))
    };
    let fits = |key: &str, is: &dyn Fn(&str) -> bool| target[key].as_str().is_none_or(is);
    fits("group", &|group| is(group, &id.group))
        && fits("kind", &|kind| is(kind, &id.kind))
        && fits("name", &|name| is(name, &id.name) || is_part(name, id))
}
