//! `images` (kustomize's ImageTagTransformer and `filters/imagetag`).

use serde_json::Value;

use crate::config::{FIELD_SPECS, FieldSpec};
use crate::context::Context;
use crate::fieldspec::{ByKind, Made, scalar, set_field, set_text, wrong_kind};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};

mod reference;

use reference::{Matcher, split};

/// An item of `images`: `name`, `newName`, `tagSuffix`, `newTag`, `digest`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Which images: a regular expression for the name, as kustomize takes it.
    pub name: String,
    pub new_name: String,
    pub tag_suffix: String,
    pub new_tag: String,
    pub digest: String,
}

const ENTRY: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    ("newName", Shape::Text),
    ("tagSuffix", Shape::Text),
    ("newTag", Shape::Text),
    ("digest", Shape::Text),
]);

impl Entry {
    /// Reads an item of `images`.
    #[cfg(test)]
    pub fn from_field(item: &Value) -> Outcome<Self> {
        read(item, &ENTRY, Manner::Strict)
    }

    /// What becomes of an image of that name.
    fn change(&self, image: &str) -> String {
        let (name, mut tag, mut digest) = split(image);
        let suffixed;
        match (self.new_tag.as_str(), self.digest.as_str()) {
            ("", "") if self.tag_suffix.is_empty() => {}
            ("", "") => {
                suffixed = format!("{tag}{}", self.tag_suffix);
                (tag, digest) = (&suffixed, "");
            }
            new => (tag, digest) = new,
        }
        let mut changed = if self.new_name.is_empty() { name } else { &self.new_name }.to_owned();
        for (mark, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                changed.push(mark);
                changed.push_str(part);
            }
        }
        changed
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Spec {
    /// One after the other.
    pub images: Vec<Entry>,
    /// Where to; `None` for those of the configuration.
    pub fields: Option<Vec<FieldSpec>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Plugin {
    image_tag: Entry,
    field_specs: Vec<FieldSpec>,
}

const PLUGIN: Shape = Shape::Fields(&[("imageTag", ENTRY), ("fieldSpecs", FIELD_SPECS)]);

impl Spec {
    /// As the field `images` of a kustomization asks for it: all of its items, or one.
    pub fn new(images: Vec<Entry>) -> Self {
        Spec { images, fields: None }
    }

    /// Reads an ImageTagTransformer: `imageTag`, `fieldSpecs`.
    pub fn from_plugin(value: &Value) -> Outcome<Self> {
        let plugin: Plugin = read(value, &PLUGIN, Manner::Lenient)?;
        Ok(Spec {
            images: vec![plugin.image_tag],
            fields: Some(plugin.field_specs),
        })
    }
}

/// An entry, ready to be compared.
struct Change<'s> {
    entry: &'s Entry,
    matcher: Matcher,
}

impl Change<'_> {
    /// Whether the value is an image that changes, or none at all.
    fn differs(&self, image: &Value) -> bool {
        scalar(image).map_or(true, |text| {
            self.matcher.matches(&text) && self.entry.change(&text) != text
        })
    }

    fn set(&self, image: &mut Value) -> Outcome<()> {
        let text = scalar(image)?;
        if !self.matcher.matches(&text) {
            return Ok(());
        }
        let changed = self.entry.change(&text);
        set_text(image, &changed)
    }
}

/// Changes the images: those of all lists named `containers` or `initContainers`, wherever they are, then those of the table.
///
/// # Errors
///
/// Where something else than text is where an image is due, and for a name that is no regular expression.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    let change = |entry| {
        Ok(Change {
            entry,
            matcher: Matcher::new(&entry.name)?,
        })
    };
    let changes: Vec<Change<'_>> = spec.images.iter().map(change).collect::<Outcome<_>>()?;
    let mut specs = ByKind::new(spec.fields.as_deref().unwrap_or(&cx.config.images));
    for resource in &mut map.list {
        if resource.kind() == "CustomResourceDefinition" {
            continue;
        }
        // One look for all entries: what one makes, another may match, so any match starts them all.
        let named = any_container(&resource.value, &|image| {
            changes.iter().any(|change| change.differs(image))
        });
        for change in &changes {
            if named {
                change_containers(resource, change)?;
            }
            for field in specs.of(resource.kind()) {
                set_field(
                    resource,
                    field,
                    Made::Nothing,
                    &|image| change.differs(image),
                    &mut |image| change.set(image),
                )?;
            }
        }
    }
    Ok(())
}

fn is_containers(key: &str) -> bool {
    matches!(key, "containers" | "initContainers")
}

/// Whether an image of some list of containers is wanted; an item that is no mapping is, so that it is met as an error.
fn any_container(value: &Value, wanted: &dyn Fn(&Value) -> bool) -> bool {
    let image = |item: &Value| match item {
        Value::Null => false,
        Value::Object(container) => container.get("image").is_some_and(wanted),
        _ => true,
    };
    match value {
        Value::Object(map) => map.iter().any(|(key, field)| {
            let list = if is_containers(key) { field.as_array() } else { None };
            list.is_some_and(|items| items.iter().any(image)) || any_container(field, wanted)
        }),
        Value::Array(items) => items.iter().any(|item| any_container(item, wanted)),
        _ => false,
    }
}

fn change_containers(resource: &mut Resource, change: &Change<'_>) -> Outcome<()> {
    if any_container(&resource.value, &|image| change.differs(image)) {
        let changed = each_container(resource.value_mut(), change);
        return changed.map_err(|trouble| in_containers(trouble, resource));
    }
    Ok(())
}

fn each_container(value: &mut Value, change: &Change<'_>) -> Outcome<()> {
    match value {
        Value::Object(map) => map.iter_mut().try_for_each(|(key, field)| {
            each_container(field, change)?;
            let list = if is_containers(key) { field.as_array_mut() } else { None };
            list.into_iter().flatten().try_for_each(|item| match item {
                Value::Null => Ok(()),
                Value::Object(container) => container.get_mut("image").map_or(Ok(()), |image| change.set(image)),
                other => Err(wrong_kind("MappingNode", other)),
            })
        }),
        Value::Array(items) => items.iter_mut().try_for_each(|item| each_container(item, change)),
        _ => Ok(()),
    }
}

fn in_containers(trouble: Trouble, resource: &Resource) -> Trouble {
    let message = format!(
        "images of {} {:?}: {}",
        resource.kind(),
        resource.name(),
        trouble.message
    );
    Trouble { message, ..trouble }
}
