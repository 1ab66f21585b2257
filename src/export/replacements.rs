//! Replacements of kustomizations: the field of another object that a field is copied from.

use serde_json::Value;

use super::layers::{Layer, items, texts};
use super::patches::is_part;
use super::spot::{Field, Finder, Spot};
use super::values::instead;
use super::work::at;
use super::{Change, path};
use crate::object::{Declared, ObjectId};
use crate::source::path::{parent, resolve};

impl Finder<'_> {
    /// The places of what replacements of a layer copy into a field.
    pub fn sources(&self, layer: &Layer, field: Field<'_>) -> Vec<Spot> {
        let (Some(now), Some(new)) = (field.now(), field.new) else {
            return Vec::new();
        };
        let all = self.replacements(layer).into_iter();
        let of = all.filter(|one| items(&one["targets"]).any(|target| chooses(target, field)));
        let mut spots = Vec::new();
        for replacement in of {
            let source = &replacement["source"];
            let Some(path) = plain(source["fieldPath"].as_str().unwrap_or("metadata.name")) else {
                continue;
            };
            let is_it = |one: &&Declared| {
                one.unit == field.object.unit && one.id != field.object.id && is_named(source, &one.id)
            };
            let Some(object) = self.known.set.objects.iter().find(is_it) else {
                continue;
            };
            let manifest = object.manifest.value();
            let old = path::steps(&path, manifest).and_then(|steps| at(manifest, &steps));
            let Some(value) = old.and_then(|old| instead(old, now, new)) else {
                continue;
            };
            let change = Change::Set {
                object: object.id.clone(),
                path,
                value,
            };
            let places = self.direct(object, Field::of(object, &change));
            spots.extend(places.into_iter().map(|spot| Spot::Source {
                file: object.provenance.file.clone(),
                change: Box::new(change.clone()),
                spot: Box::new(spot),
            }));
        }
        spots
    }

    /// Those of a layer, of files too.
    fn replacements(&self, layer: &Layer) -> Vec<Value> {
        let of_file = |written: &str| {
            let file = resolve(parent(&layer.root.file), written)?;
            kube_yaml::parse_one(&self.tree.read(&file).ok()?).value.ok()
        };
        let mut found = Vec::new();
        for one in items(&layer.value["replacements"]) {
            match one["path"].as_str().map(of_file) {
                None => found.push(one.clone()),
                Some(Some(Value::Array(several))) => found.extend(several),
                Some(other) => found.extend(other),
            }
        }
        found
    }
}

/// Whether a target may be that field.
fn chooses(target: &Value, field: Field<'_>) -> bool {
    let object = field.object.manifest.value();
    let steps = path::steps(field.path, object);
    let is_field = |written: &str| plain(written).and_then(|path| path::steps(&path, object)) == steps;
    steps.is_some() && is_named(&target["select"], &field.object.id) && texts(&target["fieldPaths"]).any(is_field)
}

fn is_named(selector: &Value, id: &ObjectId) -> bool {
    selector["kind"].as_str().is_none_or(|kind| kind == id.kind)
        && selector["name"].as_str().is_none_or(|name| is_part(name, id))
}

/// A path as replacements write it (`spec.containers.[name=web].image`, `metadata.annotations.a\\.b/c`), as drift names it; `None` for one of
/// many fields.
fn plain(written: &str) -> Option<String> {
    let mut path = String::new();
    for part in written.replace("\\.", "\0").split('.') {
        let part = part.replace('\0', ".");
        match part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            _ if part == "*" || part.is_empty() => return None,
            Some(item) => path.push_str(&format!("[{item}]")),
            None if part.contains(['.', '/']) || part.parse::<usize>().is_ok() => path.push_str(&format!("[{part}]")),
            None => path.push_str(&format!(".{part}")),
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_drift() {
        for (written, path) in [
            ("metadata.name", Some(".metadata.name")),
            (
                "spec.containers.[name=web].env.0.value",
                Some(".spec.containers[name=web].env[0].value"),
            ),
            ("metadata.annotations.a\\.b/c", Some(".metadata.annotations[a.b/c]")),
            ("spec.containers.*.image", None),
        ] {
            assert_eq!(plain(written).as_deref(), path, "{written}");
        }
    }
}
