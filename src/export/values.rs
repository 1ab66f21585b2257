//! Values of charts and of units: those of which a rendered field may be made, and the place behind the chart where anything can be
//! patched.

use std::collections::BTreeSet;

use serde_json::Value;
use yaml_splice::Step;

use super::engine::sources;
use super::layers::{Layer, items, texts};
use super::spot::{Field, Finder, Site, Spot, split_image};
use super::work::{at, field_edit};
use super::{path, template};
use crate::declared::is_kustomization;
use crate::object::{Declared, ObjectId};
use crate::source::path::{parent, resolve};

/// Values that are tried for a field at most.
const MOST_VALUES: usize = 20;

/// Values as they stand in a file.
pub(super) struct Values {
    pub site: Site,
    pub value: Value,
}

impl Finder<'_> {
    /// The places for a change of what a chart makes: values, those of the release before those of the chart, then a patch behind it, then
    /// its template.
    pub(super) fn of_chart(&self, declared: &Declared, field: Option<Field<'_>>) -> Vec<Spot> {
        let mut spots = field.map_or_else(Vec::new, |field| deciding(&self.values_of(declared), field));
        let release = self.helm_release(declared);
        spots.extend(release.map(|release| Spot::PostRenderer(Site::of_object(release, Vec::new()))));
        spots.push(Spot::Template);
        spots
    }

    /// The HelmRelease that makes an object.
    pub fn helm_release(&self, declared: &Declared) -> Option<&Declared> {
        self.unit_object(declared).filter(|unit| unit.id.kind == "HelmRelease")
    }

    /// The values of the chart that makes an object, those that go before others first.
    fn values_of(&self, declared: &Declared) -> Vec<Values> {
        let chart = self.known.set.units.get(declared.unit.0).map_or("", |unit| &*unit.path);
        let mut found = match self.unit_object(declared) {
            Some(unit) if unit.id.kind == "HelmRelease" => self.values_of_release(unit),
            Some(unit) => self.values_of_application(unit, chart),
            None => self.files(self.reading.values.iter().map(String::as_str), self.tree.base()),
        };
        if template::is_of_template(self.tree, declared) {
            found.extend(self.files(["values.yaml"], chart));
        }
        found
    }

    /// Files of values, each named from a folder or from the root; the last goes before the others.
    fn files<'n>(&self, names: impl IntoIterator<Item = &'n str>, folder: &str) -> Vec<Values> {
        let one = |name: &str| {
            let paths = [resolve(folder, name), resolve("", name)].into_iter().flatten();
            let file = paths.into_iter().find(|path| self.tree.is_file(path))?;
            self.values_at(Site::of_file(&file, Vec::new()))
        };
        let mut found: Vec<Values> = names.into_iter().filter_map(one).collect();
        found.reverse();
        found
    }

    /// The values of the charts that a kustomization asks for, those that go before others first.
    fn values_of_charts(&self, layer: &Layer) -> Vec<Values> {
        let folder = parent(&layer.root.file);
        let home = layer.value["helmGlobals"]["chartHome"].as_str().unwrap_or("charts");
        let mut found = Vec::new();
        for (index, chart) in items(&layer.value["helmCharts"]).enumerate() {
            let inline = layer
                .root
                .below(yaml_splice::path!["helmCharts", index, "valuesInline"]);
            found.extend(self.files(texts(&chart["additionalValuesFiles"]), folder));
            found.extend(self.values_at(inline));
            found.extend(self.files(chart["valuesFile"].as_str(), folder));
            let own = chart["name"].as_str().map(|name| format!("{home}/{name}/values.yaml"));
            found.extend(self.files(own.as_deref(), folder));
        }
        found
    }

    /// The values of a kustomization's charts that may decide a field of what one of them makes.
    pub(super) fn in_charts(&self, layer: &Layer, field: Field<'_>) -> Vec<Spot> {
        match is_kustomization(&field.object.provenance.file) {
            true => deciding(&self.values_of_charts(layer), field),
            false => Vec::new(),
        }
    }

    fn values_of_release(&self, release: &Declared) -> Vec<Values> {
        let own = yaml_splice::path!["spec", "values"];
        let mut found = Vec::new();
        let unit = self.known.set.units.get(release.unit.0).map_or("", |unit| &*unit.path);
        for layer in self.layers.from(unit) {
            let patches = self.patches(layer).into_iter().filter(|patch| patch.is_of(&release.id));
            found.extend(patches.filter_map(|patch| {
                let value = at(&patch.value, &own)?.clone();
                let mut site = patch.site.below(own.clone());
                site.carrier = Some(release.id.clone());
                Some(Values { site, value })
            }));
        }
        found.extend(self.values_at(Site::of_object(release, own)));
        let spec = &release.manifest.value()["spec"];
        let from: Vec<&Value> = items(&spec["valuesFrom"]).collect();
        found.extend(
            from.into_iter()
                .rev()
                .filter_map(|from| self.values_from(from, release)),
        );
        found.extend(self.files(texts(&spec["chart"]["spec"]["valuesFiles"]), ""));
        found
    }

    /// What a ConfigMap gives to a release.
    fn values_from(&self, from: &Value, release: &Declared) -> Option<Values> {
        let name = from["name"].as_str().filter(|_| from["kind"] == "ConfigMap")?;
        let key = from["valuesKey"].as_str().unwrap_or("values.yaml");
        let map = self
            .known
            .get(&ObjectId::new("", "ConfigMap", release.id.namespace.as_deref(), name))?;
        let unit = self.known.set.units.get(map.unit.0).map_or("", |unit| &*unit.path);
        let generated = self.layers.from(unit).into_iter().find_map(|layer| {
            let mut generators = self.generators(layer, &map.id).into_iter();
            generators.find_map(|(site, generator)| self.content(&site, &generator, key))
        });
        let site = match generated {
            Some(file) => Site {
                carrier: Some(map.id.clone()),
                ..Site::of_file(&file, Vec::new())
            },
            None => {
                let text = Site::of_object(map, yaml_splice::path!["data", key]);
                match from["targetPath"].is_string() {
                    true => text,
                    false => text.in_text(),
                }
            }
        };
        self.values_at(site)
    }

    fn values_of_application(&self, application: &Declared, chart: &str) -> Vec<Values> {
        let mut found = Vec::new();
        for helm in sources(application, "helm") {
            let site = Site::of_object(application, helm);
            let option = |option: &str| site.below([Step::from(option)]);
            let places = [option("parameters"), option("valuesObject"), option("values").in_text()];
            found.extend(places.into_iter().filter_map(|site| self.values_at(site)));
            let options = at(application.manifest.value(), &site.steps);
            found.extend(self.files(options.into_iter().flat_map(|helm| texts(&helm["valueFiles"])), chart));
        }
        found
    }

    /// What stands at a site.
    pub fn values_at(&self, site: Site) -> Option<Values> {
        let document = kube_yaml::parse(&self.tree.read(&site.file).ok()?)
            .into_iter()
            .nth(site.document)?;
        let mut value = document.value.ok()?;
        if !site.text.is_empty() {
            let text = at(&value, &site.text)?.as_str()?;
            value = kube_yaml::parse_one(text.as_bytes()).value.ok()?;
        }
        let value = at(&value, &site.steps)?.clone();
        Some(Values { site, value })
    }
}

/// The values that decide a field if one of them does: those whose names are most like what it is called first.
pub(super) fn deciding(values: &[Values], field: Field<'_>) -> Vec<Spot> {
    let wanted = around(field);
    let called = words(&format!(
        "{} {} {}",
        field.object.id.kind, field.object.id.name, field.path
    ));
    let mut found: Vec<(usize, Spot)> = Vec::new();
    for values in values {
        nodes(&values.value, &mut Vec::new(), &mut |steps, node| {
            let site = || values.site.below(steps.iter().cloned());
            let becomes = match node {
                Value::Null => None,
                node => wanted
                    .iter()
                    .find_map(|(old, new)| instead(node, old, new))
                    .map(|new| vec![(site(), new)]),
            };
            let becomes = becomes.or_else(|| {
                let both = name_and_tag(node, field.now()?.as_str()?, field.new?.as_str()?)?;
                Some(
                    both.into_iter()
                        .map(|(key, value)| (site().below([key]), value))
                        .collect(),
                )
            });
            let names = steps.iter().filter_map(|step| match step {
                Step::Key(key) => Some(&**key),
                Step::Index(_) => None,
            });
            let alike = words(&names.collect::<Vec<_>>().join(" "))
                .intersection(&called)
                .count();
            found.extend(becomes.map(|becomes| (alike, Spot::Value { becomes })));
        });
    }
    found.sort_by_key(|(alike, _)| std::cmp::Reverse(*alike));
    found.truncate(MOST_VALUES);
    found.into_iter().map(|(_, spot)| spot).collect()
}

/// A field and what is around it, as they are and as they are to be.
fn around(field: Field<'_>) -> Vec<(Value, Value)> {
    let object = field.object.manifest.value();
    let (Some(steps), Some(edit)) = (
        path::steps(field.path, object),
        field_edit(object, field.path, field.new),
    ) else {
        return Vec::new();
    };
    let mut changed = object.clone();
    if yaml_splice::apply(&mut changed, &edit).is_err() {
        return Vec::new();
    }
    let both = (2..=steps.len()).rev().filter_map(|end| {
        let (old, new) = (at(object, &steps[..end])?, at(&changed, &steps[..end])?);
        Some((old.clone(), new.clone()))
    });
    both.collect()
}

/// Calls `found` with each node of a value and the steps to it.
fn nodes(value: &Value, steps: &mut Vec<Step>, found: &mut dyn FnMut(&[Step], &Value)) {
    found(steps, value);
    let children: Vec<(Step, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(at, value)| (Step::Index(at), value))
            .collect(),
        _ => return,
    };
    for (step, value) in children {
        steps.push(step);
        nodes(value, steps, found);
        steps.pop();
    }
}

/// The words of names in small letters: `cardGateway.image-tag` has four.
fn words(text: &str) -> BTreeSet<String> {
    let mut spaced = String::new();
    for c in text.chars() {
        if c.is_uppercase() || !c.is_alphanumeric() {
            spaced.push(' ');
        }
        if c.is_alphanumeric() {
            spaced.extend(c.to_lowercase());
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// The two values of a map of which an image is made, as they have to be for another.
fn name_and_tag(node: &Value, old: &str, new: &str) -> Option<[(Step, Value); 2]> {
    let map = node.as_object()?;
    let made_of = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let texts: Vec<(&String, String)> = map.iter().map(|(key, value)| (key, made_of(value))).collect();
    let pairs = texts.iter().flat_map(|name| texts.iter().map(move |tag| (name, tag)));
    let mut whole = pairs.filter_map(|((name, a), (tag, b))| {
        let registry = old
            .strip_suffix(&format!("{a}:{b}"))
            .filter(|_| !a.is_empty() && !b.is_empty())?;
        (registry.is_empty() || registry.ends_with('/')).then_some((*name, *tag, registry))
    });
    let (name, tag, registry) = whole.next()?;
    let (new_name, Some(new_tag), None) = split_image(new) else {
        return None;
    };
    let of = |key: &String, text: &str| (Step::Key(key.clone()), Value::from(text));
    Some([of(name, new_name.strip_prefix(registry)?), of(tag, new_tag)])
}

/// What a value has to be for a field to become `new`, if the field is now made of the value and of constants around it.
pub(super) fn instead(leaf: &Value, old: &Value, new: &Value) -> Option<Value> {
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
            (json!({"a": 1}), json!({"a": 1}), json!({"a": 2}), Some(json!({"a": 2}))),
            (json!({"a": 1}), json!({"a": 1, "b": 1}), json!({}), None),
        ] {
            assert_eq!(instead(&leaf, &old, &new), expected, "{leaf} {old} {new}");
        }
    }

    #[test]
    fn images_of_two_values() {
        let node = json!({"pullPolicy": "Always", "repository": "bank/database", "tag": 16.4});
        let new = |old: &str, new: &str| {
            let both = name_and_tag(&node, old, new)?;
            Some(both.map(|(_, value)| value.as_str().unwrap_or_default().to_owned()))
        };
        let both = |name: &str, tag: &str| Some([name.to_owned(), tag.to_owned()]);
        assert_eq!(
            new("r.example/bank/database:16.4", "r.example/bank/postgres:17"),
            both("bank/postgres", "17")
        );
        assert_eq!(new("bank/database:16.4", "pg:17"), both("pg", "17"));
        assert_eq!(new("r.example/bank/database:16.4", "other.example/pg:17"), None);
        assert_eq!(new("bank/database:16.4", "pg@sha256:0"), None);
        assert_eq!(new("a:1", "a:2"), None);
    }

    #[test]
    fn names_fall_into_words() {
        let found: Vec<String> = words("cardGateway.image-tag").into_iter().collect();
        assert_eq!(found, ["card", "gateway", "image", "tag"]);
    }
}
