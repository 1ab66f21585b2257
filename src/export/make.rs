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
            Spot::Value {
                file,
                document,
                steps,
                value,
            } => self.edit(file, *document, &[Edit::set(steps.clone(), value.clone())])?,
            Spot::NewPatch { file } => self.patch_behind(&Patches::of_kustomization(file), &id, field, new)?,
            Spot::PostRenderer { file, document } => {
                let patches = self.post_renderer(file, *document)?;
                self.patch_behind(&patches, &id, field, new)?
            }
        };
        Ok((place, spot.words().to_owned()))
    }

    fn edit(&mut self, file: &str, document: usize, edits: &[Edit]) -> Result<Place, String> {
        self.splice(Place::file(file), file, document, edits)
    }

    fn image(&mut self, file: &str, entry: usize, new: Option<&Value>) -> Result<Place, String> {
        let image = new.and_then(Value::as_str).ok_or("it is no image")?;
        let (name, tag, digest) = split_image(image);
        let value = self.document_value(file, 0)?;
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
        let value = self.document_value(file, 0)?;
        let text = at(&value, inline).and_then(Value::as_str).ok_or("the patch is gone")?;
        let edited = yaml_splice::edit(text, 0, &[edit]).map_err(|error| error.to_string())?;
        self.edit(file, 0, &[Edit::set(inline.to_vec(), edited.text)])
    }

    /// A patch of its own for an object: an operation of a JSON patch, beside those that it has already; of a whole object (`field` is
    /// empty) one that deletes it.
    fn patch_behind(
        &mut self,
        place: &Patches,
        id: &ObjectId,
        field: &str,
        new: Option<&Value>,
    ) -> Result<Place, String> {
        let document = self.document_value(&place.file, place.document)?;
        let outer = at(&document, &place.above).cloned().unwrap_or_default();
        let target = self.target(&outer, id);
        let rendered = self.shadow(id).ok_or("it is not rendered")?;
        let text = if field.is_empty() {
            let metadata = json!({"name": target["name"]});
            let version = &rendered["apiVersion"];
            kube_yaml::to_string(
                &json!({"apiVersion": version, "kind": id.kind, "metadata": metadata, "$patch": "delete"}),
            )
        } else {
            let operation = operation(rendered, field, new).ok_or_else(|| format!("it has no place {field}"))?;
            kube_yaml::to_string(&Value::Array(vec![operation]))
        };
        let same = |patch: &Value| patch["target"] == target && patch["patch"].as_str().is_some_and(is_json_patch);
        let list = [&place.above[..], &[Step::from("patches")]].concat();
        let known = items(&outer["patches"]).position(same).filter(|_| !field.is_empty());
        let edit = match (known, outer["patches"].as_array()) {
            (Some(index), _) => {
                let mut before = outer["patches"][index]["patch"].as_str().unwrap_or_default().to_owned();
                if !before.ends_with('\n') {
                    before.push('\n');
                }
                let field = [&list[..], &[Step::from(index), Step::from("patch")]].concat();
                Edit::set(field, before + &text)
            }
            (None, Some(patches)) => {
                let last = [&list[..], &[Step::from(patches.len())]].concat();
                Edit::insert(last, json!({"target": target, "patch": text}))
            }
            (None, None) => Edit::set(list, json!([{"target": target, "patch": text}])),
        };
        self.edit(&place.file, place.document, &[edit])
    }

    /// The kustomize post-renderer of a HelmRelease; one is made where there is none.
    fn post_renderer(&mut self, file: &str, document: usize) -> Result<Patches, String> {
        let value = self.document_value(file, document)?;
        let renderers = &value["spec"]["postRenderers"];
        let known = items(renderers).position(|one| one["kustomize"].is_object());
        let count = items(renderers).count();
        if known.is_none() {
            let new = json!({"kustomize": {"patches": []}});
            let edit = match count {
                0 => Edit::set(yaml_splice::path!["spec", "postRenderers"], json!([new])),
                _ => Edit::insert(yaml_splice::path!["spec", "postRenderers", count], new),
            };
            self.edit(file, document, &[edit])?;
        }
        Ok(Patches {
            file: file.to_owned(),
            document,
            above: yaml_splice::path!["spec", "postRenderers", known.unwrap_or(count), "kustomize"],
        })
    }

    fn document_value(&self, file: &str, document: usize) -> Result<Value, String> {
        let parsed = kube_yaml::parse(self.text(file)?.as_bytes()).into_iter().nth(document);
        let parsed = parsed.ok_or_else(|| format!("{file} has no such document"))?;
        parsed.value.map_err(|error| error.message.to_string())
    }

    /// What names an object to the patches of a kustomization: without the prefix, suffix and namespace that it sets only after them. A
    /// namespace is named where another has the object's name.
    fn target(&self, kustomization: &Value, id: &ObjectId) -> Value {
        let affix = |key: &str| kustomization[key].as_str().unwrap_or_default();
        let name = id.name.strip_prefix(affix("namePrefix")).unwrap_or(&id.name);
        let name = name.strip_suffix(affix("nameSuffix")).unwrap_or(name);
        let mut target = json!({"kind": id.kind, "name": name});
        if let (Some(namespace), true) = (id.namespace.as_deref(), self.known.has_namesakes(id)) {
            target["namespace"] = namespace.into();
        }
        target
    }
}

/// Where a list of patches stands.
struct Patches {
    file: String,
    document: usize,
    /// The steps to what has `patches`.
    above: Vec<Step>,
}

impl Patches {
    fn of_kustomization(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            document: 0,
            above: Vec::new(),
        }
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
