//! Changes made in what kustomizations say: entries, patches, generators.

use serde_json::{Value, json};
use yaml_splice::{Edit, Step};

use super::layers::items;
use super::spot::{Spot, split_image};
use super::work::{Made, Work, at};
use super::{Change, path};
use crate::object::{ObjectId, Place};

impl Work<'_> {
    /// Makes a change of a field at a place other than the document that declares the object.
    pub(super) fn make_at(&mut self, spot: &Spot, change: &Change) -> Result<Made, String> {
        let id = change.object();
        let (field, new) = match change {
            Change::Set { path, value, .. } => (path.as_str(), Some(value)),
            Change::Unset { path, .. } => (path.as_str(), None),
            Change::Remove { .. } => ("", None),
            Change::Add { .. } => return Err("a new object has no patch".to_owned()),
        };
        let place = match spot {
            Spot::Document | Spot::NewFile { .. } => return Err("it is no layer".to_owned()),
            Spot::Image { file, entry } => self.image(file, *entry, new)?,
            Spot::Replicas { file, entry } => {
                let count = new.cloned().ok_or("its number cannot be left open there")?;
                let edit = Edit::set(yaml_splice::path!["replicas", *entry, "count"], count);
                self.edit(file, 0, &[edit])?
            }
            Spot::Patch {
                file,
                document,
                inline,
                steps,
            } => self.patch(file, *document, inline, steps, new)?,
            Spot::Literal { file, steps, key } => {
                let text = new.and_then(Value::as_str).ok_or("it is no text")?;
                self.edit(file, 0, &[Edit::set(steps.clone(), format!("{key}={text}"))])?
            }
            Spot::Content { file } => {
                let text = new.and_then(Value::as_str).ok_or("it is no text")?;
                self.put(file, text.to_owned());
                Place::file(file.clone())
            }
            Spot::NewPatch { file } => match change {
                Change::Remove { .. } => self.delete_by_patch(file, &id)?,
                _ => self.new_patch(file, &id, field, new)?,
            },
        };
        Ok((place, spot.words().to_owned()))
    }

    fn edit(&mut self, file: &str, document: usize, edits: &[Edit]) -> Result<Place, String> {
        let text = self.text(file)?;
        let edited = yaml_splice::edit(&text, document, edits).map_err(|error| error.to_string())?;
        let place = Place::file(file.to_owned());
        if edited.reemitted && !self.made.reemitted.contains(&place) {
            self.made.reemitted.push(place.clone());
        }
        self.put(file, edited.text);
        Ok(place)
    }

    fn kustomization_value(&self, file: &str) -> Result<Value, String> {
        let value = kube_yaml::parse_one(self.text(file)?.as_bytes()).value;
        value.map_err(|error| error.message.to_string())
    }

    fn image(&mut self, file: &str, entry: usize, new: Option<&Value>) -> Result<Place, String> {
        let image = new.and_then(Value::as_str).ok_or("it is no image")?;
        let (name, tag, digest) = split_image(image);
        let value = self.kustomization_value(file)?;
        let now = &value["images"][entry];
        let known = now["newName"].as_str().or_else(|| now["name"].as_str());
        let field = |key: &str| yaml_splice::path!["images", entry, key];
        let mut edits = Vec::new();
        if known != Some(name) {
            edits.push(Edit::set(field("newName"), name));
        }
        for (key, new) in [("newTag", tag), ("digest", digest)] {
            match new {
                Some(new) if now[key] != *new => edits.push(Edit::set(field(key), new)),
                None if !now[key].is_null() => edits.push(Edit::remove(field(key))),
                _ => {}
            }
        }
        self.edit(file, 0, &edits)
    }

    fn patch(
        &mut self,
        file: &str,
        document: usize,
        inline: &[Step],
        steps: &[Step],
        new: Option<&Value>,
    ) -> Result<Place, String> {
        let edit = match new {
            Some(new) => Edit::set(steps.to_vec(), new.clone()),
            // The operation of a JSON patch goes as a whole.
            None if matches!(steps.first(), Some(Step::Index(_))) => Edit::remove(steps[..1].to_vec()),
            None => Edit::remove(steps.to_vec()),
        };
        if inline.is_empty() {
            return self.edit(file, document, &[edit]);
        }
        let value = self.kustomization_value(file)?;
        let text = at(&value, inline).and_then(Value::as_str).ok_or("the patch is gone")?;
        let edited = yaml_splice::edit(text, 0, &[edit]).map_err(|error| error.to_string())?;
        self.edit(file, 0, &[Edit::set(inline.to_vec(), edited.text)])
    }

    /// An operation of a JSON patch, beside those that an object has already.
    fn new_patch(&mut self, file: &str, id: &ObjectId, field: &str, new: Option<&Value>) -> Result<Place, String> {
        let rendered = self.shadow(id).ok_or("it is not rendered")?;
        let operation = operation(rendered, field, new).ok_or_else(|| format!("it has no place {field}"))?;
        let added = kube_yaml::to_string(&Value::Array(vec![operation]));
        let value = self.kustomization_value(file)?;
        let target = self.target(&value, id);
        let same = |patch: &Value| patch["target"] == target && patch["patch"].as_str().is_some_and(is_json_patch);
        let known = items(&value["patches"]).position(same);
        if let Some(index) = known {
            let mut text = value["patches"][index]["patch"].as_str().unwrap_or_default().to_owned();
            if !text.ends_with('\n') {
                text.push('\n');
            }
            let field = yaml_splice::path!["patches", index, "patch"];
            return self.edit(file, 0, &[Edit::set(field, text + &added)]);
        }
        self.append_patch(file, &value, json!({"target": target, "patch": added}))
    }

    fn delete_by_patch(&mut self, file: &str, id: &ObjectId) -> Result<Place, String> {
        let rendered = self.shadow(id).ok_or("it is not rendered")?;
        let version = rendered["apiVersion"].clone();
        let value = self.kustomization_value(file)?;
        let target = self.target(&value, id);
        let metadata = json!({"name": target["name"]});
        let patch = json!({"apiVersion": version, "kind": id.kind, "metadata": metadata, "$patch": "delete"});
        let text = kube_yaml::to_string(&patch);
        self.append_patch(file, &value, json!({"target": target, "patch": text}))
    }

    fn append_patch(&mut self, file: &str, kustomization: &Value, entry: Value) -> Result<Place, String> {
        let edit = match kustomization["patches"].as_array() {
            Some(patches) => Edit::insert(yaml_splice::path!["patches", patches.len()], entry),
            None => Edit::set(yaml_splice::path!["patches"], json!([entry])),
        };
        self.edit(file, 0, &[edit])
    }

    /// What names an object to the patches of a kustomization: without the prefix, suffix and namespace that it sets only after them. A
    /// namespace is named where another has the object's name.
    fn target(&self, kustomization: &Value, id: &ObjectId) -> Value {
        let affix = |key: &str| kustomization[key].as_str().unwrap_or_default();
        let name = id.name.strip_prefix(affix("namePrefix")).unwrap_or(&id.name);
        let name = name.strip_suffix(affix("nameSuffix")).unwrap_or(name);
        let mut target = json!({"kind": id.kind, "name": name});
        let namesake =
            |other: &ObjectId| other.kind == id.kind && other.name == id.name && other.namespace != id.namespace;
        let namespace = id.namespace.as_deref();
        if let (Some(namespace), true) = (namespace, self.set.objects.iter().any(|one| namesake(&one.id))) {
            target["namespace"] = namespace.into();
        }
        target
    }
}

fn is_json_patch(text: &str) -> bool {
    kube_yaml::parse_one(text.as_bytes())
        .value
        .is_ok_and(|value| value.is_array())
}

/// The operation of RFC 6902 that changes a field of an object.
fn operation(object: &Value, field: &str, new: Option<&Value>) -> Option<Value> {
    let steps = path::steps(field, object)?;
    let there = |steps: &[Step]| at(object, steps).is_some();
    let Some(new) = new else {
        return there(&steps).then(|| json!({"op": "remove", "path": path::pointer(&steps)}));
    };
    let missing = (1..=steps.len()).find(|end| !there(&steps[..*end]));
    let Some(end) = missing else {
        return Some(json!({"op": "replace", "path": path::pointer(&steps), "value": new}));
    };
    let value = steps[end..].iter().rev().fold(new.clone(), |value, step| match step {
        Step::Key(key) => json!({ key.as_str(): value }),
        Step::Index(_) => json!([value]),
    });
    let mut pointer = path::pointer(&steps[..end]);
    if let Some(Step::Index(_)) = steps.get(end - 1) {
        pointer.truncate(pointer.rfind('/')?);
        pointer.push_str("/-");
    }
    Some(json!({"op": "add", "path": pointer, "value": value}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations() {
        let object =
            json!({"metadata": {"name": "a"}, "spec": {"replicas": 1, "containers": [{"name": "web", "args": ["x"]}]}});
        for (field, new, expected) in [
            (
                ".spec.replicas",
                Some(json!(2)),
                json!({"op": "replace", "path": "/spec/replicas", "value": 2}),
            ),
            (
                ".spec.replicas",
                None,
                json!({"op": "remove", "path": "/spec/replicas"}),
            ),
            (
                ".metadata.annotations[a/b~c]",
                Some(json!("1")),
                json!({"op": "add", "path": "/metadata/annotations", "value": {"a/b~c": "1"}}),
            ),
            (
                ".spec.containers[name=spy]",
                Some(json!({"name": "spy"})),
                json!({"op": "add", "path": "/spec/containers/-", "value": {"name": "spy"}}),
            ),
        ] {
            assert_eq!(operation(&object, field, new.as_ref()), Some(expected), "{field}");
        }
        assert_eq!(operation(&object, ".spec.paused", None), None);
    }
}
