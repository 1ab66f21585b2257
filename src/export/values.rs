//! Values of charts: the leaves of which a rendered field may be made, and the place behind the chart where anything can be patched.

use serde_json::Value;
use yaml_splice::Step;

use super::path;
use super::spot::{Finder, Spot};
use super::work::at;
use super::{Change, layers::items};
use crate::object::{Declared, Renderer};
use crate::source::path::join;

/// Leaves that are tried for a field at most.
const MOST_LEAVES: usize = 20;

/// A map of values in a file.
struct Values {
    file: String,
    document: usize,
    steps: Vec<Step>,
    value: Value,
}

impl Finder<'_> {
    /// The places for a change of what a chart makes: values, those of the release before those of the chart, then a patch behind it.
    pub(super) fn of_chart(&self, declared: &Declared, change: &Change) -> Vec<Spot> {
        let mut spots = Vec::new();
        let release = self.release(declared);
        if let Change::Set { path, value: new, .. } = change {
            let old = path::steps(path, declared.manifest.value());
            let old = old.and_then(|steps| at(declared.manifest.value(), &steps).cloned());
            let mut values = release.map_or_else(Vec::new, |release| self.values_of(release));
            let unit = self.known.set.units.get(declared.unit.0);
            let own = unit.map(|unit| join(&unit.path, "values.yaml"));
            values.extend(own.and_then(|file| self.document(&file, 0, Vec::new())));
            for values in values {
                leaves(&values.value, &mut values.steps.clone(), &mut |steps, leaf| {
                    if let Some(value) = old.as_ref().and_then(|old| instead(leaf, old, new)) {
                        spots.push(Spot::Value {
                            file: values.file.clone(),
                            document: values.document,
                            steps: steps.to_vec(),
                            value,
                        });
                    }
                });
            }
            spots.truncate(MOST_LEAVES);
        }
        let release = release.filter(|release| release.id.kind == "HelmRelease");
        spots.extend(release.map(|release| Spot::PostRenderer {
            file: release.provenance.file.clone(),
            document: release.provenance.document,
        }));
        spots.push(Spot::Document);
        spots
    }

    /// The engine's object that stands for the release, where a file declares it.
    fn release(&self, declared: &Declared) -> Option<&Declared> {
        let unit = self.known.set.units.get(declared.unit.0)?;
        let id = &unit.engine.as_ref()?.object;
        let found = self.known.get(id)?;
        let is_file = found.provenance.renderer != Renderer::Helm && self.tree.is_file(&found.provenance.file);
        is_file.then_some(found)
    }

    fn values_of(&self, release: &Declared) -> Vec<Values> {
        let (file, document) = (&release.provenance.file, release.provenance.document);
        let mut places = vec![
            yaml_splice::path!["spec", "values"],
            yaml_splice::path!["spec", "source", "helm", "valuesObject"],
        ];
        let sources = items(&release.manifest.value()["spec"]["sources"]).count();
        places.extend((0..sources).map(|index| yaml_splice::path!["spec", "sources", index, "helm", "valuesObject"]));
        let found = places
            .into_iter()
            .filter_map(|steps| self.document(file, document, steps));
        found.collect()
    }

    fn document(&self, file: &str, document: usize, steps: Vec<Step>) -> Option<Values> {
        if !self.tree.is_file(file) {
            return None;
        }
        let bytes = self.tree.read(file).ok()?;
        let value = kube_yaml::parse(&bytes).into_iter().nth(document)?.value.ok()?;
        let value = at(&value, &steps)?.clone();
        Some(Values {
            file: file.to_owned(),
            document,
            steps,
            value,
        })
    }
}

/// Calls `found` with each scalar in a value and the steps to it.
fn leaves(value: &Value, steps: &mut Vec<Step>, found: &mut dyn FnMut(&[Step], &Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                steps.push(Step::Key(key.clone()));
                leaves(value, steps, found);
                steps.pop();
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                steps.push(Step::Index(index));
                leaves(value, steps, found);
                steps.pop();
            }
        }
        Value::Null => {}
        _ => found(steps, value),
    }
}

/// What a leaf has to be for a field to become `new`, if the field is now made of the leaf and of constants around it.
fn instead(leaf: &Value, old: &Value, new: &Value) -> Option<Value> {
    if leaf == old {
        return Some(new.clone());
    }
    let shown = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let (leaf_text, old, new) = (shown(leaf)?, shown(old)?, shown(new)?);
    let start = Some(&*leaf_text)
        .filter(|text| !text.is_empty())
        .and_then(|text| old.find(text))?;
    let (before, after) = (&old[..start], &old[start + leaf_text.len()..]);
    let middle = new.strip_prefix(before)?.strip_suffix(after)?;
    match leaf {
        Value::Number(_) => middle.parse::<i64>().ok().map(Value::from),
        _ => Some(middle.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_that_determine_a_field() {
        for (leaf, old, new, expected) in [
            (json!(1), json!(1), json!(3), Some(json!(3))),
            (json!("1.0"), json!("r/a:1.0"), json!("r/a:1.1"), Some(json!("1.1"))),
            (json!("r/a"), json!("r/a:1.0"), json!("r/b:1.0"), Some(json!("r/b"))),
            (json!("1.0"), json!("r/a:1.0"), json!("r/b:1.1"), None),
            (json!(80), json!("http://x:80/"), json!("http://x:81/"), Some(json!(81))),
            (json!(true), json!(false), json!(true), None),
            (json!(""), json!("a"), json!("b"), None),
        ] {
            assert_eq!(instead(&leaf, &old, &new), expected, "{leaf} {old} {new}");
        }
    }
}
