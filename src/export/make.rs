//! Changes made in what kustomizations say: entries, patches, generators.

use serde_json::{Value, json};
use yaml_splice::{Edit, Step};

use super::layers::items;
use super::spot::{Site, Spot, split_image};
use super::work::{Made, Work, at};
use super::{Change, path};
use crate::declared::is_kustomization;
use crate::object::{Declared, ObjectId, Place};

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
            Spot::Document
            | Spot::Template
            | Spot::NewFile { .. }
            | Spot::Behind { .. }
            | Spot::Setting { .. }
            | Spot::Sealed { .. }
            | Spot::Source { .. } => {
                return Err("it is no layer".to_owned());
            }
            Spot::Image(site) => self.image(site, new)?,
            Spot::Replicas(site) => {
                let count = new.cloned().ok_or("its number cannot be left open there")?;
                let edit = Edit::set(site.below([Step::from("count")]).steps, count);
                self.edit(site, &[edit])?
            }
            Spot::Patch(site) => {
                let edit = match (new, &site.steps[..]) {
                    (Some(new), steps) => Edit::set(steps.to_vec(), new.clone()),
                    // The operation of a JSON patch goes as a whole.
                    (None, [operation @ Step::Index(_), _]) => Edit::remove(vec![operation.clone()]),
                    (None, steps) => Edit::remove(steps.to_vec()),
                };
                self.edit(site, &[edit])?
            }
            Spot::Literal { site, key } => self.literal(site, key, new)?,
            Spot::Content { site, file } => self.content(site, file, new)?,
            Spot::Generator(site) => self.generator(site)?,
            Spot::Value { becomes } => {
                let mut place = None;
                for (site, value) in becomes {
                    place = Some(self.edit(site, &[Edit::set(site.steps.clone(), value.clone())])?);
                }
                place.ok_or("it is no value")?
            }
            Spot::NewPatch(site) => self.patch_behind(site, &id, field, new)?,
            Spot::PostRenderer(site) => {
                let patches = self.post_renderer(site)?;
                self.patch_behind(&patches, &id, field, new)?
            }
        };
        Ok((place, spot.words().to_owned()))
    }

    /// Edits what a site is in; edits have all steps from there.
    pub(super) fn edit(&mut self, site: &Site, edits: &[Edit]) -> Result<Place, String> {
        let (place, document) = (Place::file(&site.file), self.index_now(&site.file, site.document));
        if site.text.is_empty() {
            return self.splice(place, &site.file, document, edits);
        }
        let value = self.document_value(site)?;
        let text = at(&value, &site.text)
            .and_then(Value::as_str)
            .ok_or("the text is gone")?;
        let edited = self.spliced(&place, text, 0, edits)?;
        self.splice(place, &site.file, document, &[Edit::set(site.text.clone(), edited)])
    }

    fn image(&mut self, site: &Site, new: Option<&Value>) -> Result<Place, String> {
        let image = new.and_then(Value::as_str).ok_or("it is no image")?;
        let (name, tag, digest) = split_image(image);
        let value = self.document_value(site)?;
        let now = at(&value, &site.steps).ok_or("the entry is gone")?;
        if let Value::String(text) = now {
            // Argo CD's: the name that is replaced stays.
            let (of, made) = text
                .split_once('=')
                .map_or((None, &**text), |(of, made)| (Some(of), made));
            let of = of.unwrap_or(split_image(made).0);
            let text = if of == name {
                image.to_owned()
            } else {
                format!("{of}={image}")
            };
            return self.edit(site, &[Edit::set(site.steps.clone(), text)]);
        }
        let known = now["newName"].as_str().or_else(|| now["name"].as_str());
        let field = |key: &str| site.below([Step::from(key)]).steps;
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
        self.edit(site, &edits)
    }

    /// A patch of its own for an object: an operation of a JSON patch, beside those that it has already; of a whole object (`field` is
    /// empty) one that deletes it.
    fn patch_behind(&mut self, place: &Site, id: &ObjectId, field: &str, new: Option<&Value>) -> Result<Place, String> {
        let document = self.document_value(place)?;
        let outer = at(&document, &place.steps).cloned().unwrap_or_default();
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
        let list = place.below([Step::from("patches")]).steps;
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
        self.edit(place, &[edit])
    }

    /// The kustomize post-renderer of a HelmRelease; one is made where there is none.
    fn post_renderer(&mut self, release: &Site) -> Result<Site, String> {
        let value = self.document_value(release)?;
        let renderers = &value["spec"]["postRenderers"];
        let known = items(renderers).position(|one| one["kustomize"].is_object());
        let count = items(renderers).count();
        if known.is_none() {
            let new = json!({"kustomize": {"patches": []}});
            let edit = match count {
                0 => Edit::set(yaml_splice::path!["spec", "postRenderers"], json!([new])),
                _ => Edit::insert(yaml_splice::path!["spec", "postRenderers", count], new),
            };
            self.edit(release, &[edit])?;
        }
        Ok(release.below(yaml_splice::path![
            "spec",
            "postRenderers",
            known.unwrap_or(count),
            "kustomize"
        ]))
    }

    pub(super) fn document_value(&self, site: &Site) -> Result<Value, String> {
        let Site { file, document, .. } = site;
        let index = self.index_now(file, *document);
        let parsed = kube_yaml::parse(self.text(file)?.as_bytes()).into_iter().nth(index);
        let parsed = parsed.ok_or_else(|| format!("{file} has no such document"))?;
        parsed.value.map_err(|error| error.message.to_string())
    }

    /// What names an object to the patches of a kustomization: without the prefix, suffix and namespace that it sets only after them. A
    /// namespace that it does not set is named where another has the object's name.
    fn target(&self, kustomization: &Value, id: &ObjectId) -> Value {
        let affix = |key: &str| kustomization[key].as_str().unwrap_or_default();
        // A hash comes last of all.
        let is_generated = |declared: &&Declared| is_kustomization(&declared.provenance.file);
        let unhashed = self.known.get(id).filter(is_generated).and_then(|_| id.without_hash());
        let name = unhashed.unwrap_or(&id.name);
        let name = name.strip_prefix(affix("namePrefix")).unwrap_or(name);
        let name = name.strip_suffix(affix("nameSuffix")).unwrap_or(name);
        let mut target = json!({"kind": id.kind, "name": name});
        let sets_namespace = ["namespace", "targetNamespace"]
            .iter()
            .any(|key| !affix(key).is_empty());
        let is_ambiguous = self.known.has_namesakes(id) && !sets_namespace;
        if let (Some(namespace), true) = (id.namespace.as_deref(), is_ambiguous) {
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
