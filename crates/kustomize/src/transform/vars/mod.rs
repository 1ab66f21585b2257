//! `vars`: texts `$(NAME)` in the fields of `varReference` become values of fields of other objects.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Number, Value};

use crate::context::Context;
use crate::fieldspec::{Made, set_field};
use crate::id::{Id, split_api_version};
use crate::path;
use crate::plain;
use crate::resmap::ResMap;
use crate::schema::Schema;
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};

/// An entry of `vars`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Var {
    name: String,
    objref: Object,
    fieldref: Field,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Object {
    /// In place of group and version.
    api_version: String,
    group: String,
    version: String,
    kind: String,
    name: String,
    namespace: String,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Field {
    field_path: String,
}

/// The shape of `vars[]`.
pub(crate) const VAR: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    (
        "objref",
        Shape::Fields(&[
            ("apiVersion", Shape::Text),
            ("group", Shape::Text),
            ("version", Shape::Text),
            ("kind", Shape::Text),
            ("name", Shape::Text),
            ("namespace", Shape::Text),
        ]),
    ),
    ("fieldref", Shape::Fields(&[("fieldPath", Shape::Text)])),
]);

/// The vars of a kustomization and all below it: the path of the field, by name.
#[derive(Debug, Default)]
pub(crate) struct Vars(BTreeMap<String, String>);

impl Vars {
    /// Takes in the `vars` of a kustomization. Each object remembers the vars that are about it, under any identity it had.
    ///
    /// # Errors
    ///
    /// Where an entry is malformed, is about several objects, or has the name of another.
    pub fn add(&mut self, items: &[Value], map: &mut ResMap, schema: &Schema) -> Outcome<()> {
        for (at, item) in items.iter().enumerate() {
            let var: Var =
                read(item, &VAR, Manner::Strict).map_err(|trouble| trouble.in_field(format!("vars[{at}]")))?;
            let (field, name) = (format!("vars[{at}]"), var.name.clone());
            let found = map.matching_any_id(schema, |id| var.objref.is(id));
            if found.len() > 1 {
                let message = format!(
                    "var {name:?} is about {} objects, where it must be about one",
                    found.len()
                );
                return Err(Trouble::new(message).in_field(field));
            }
            if let Some(resource) = found.first().and_then(|at| map.list.get_mut(*at)) {
                resource.vars.push(name.clone());
            }
            let path = match var.fieldref.field_path.is_empty() {
                true => "metadata.name".to_owned(),
                false => var.fieldref.field_path,
            };
            self.insert(name, path).map_err(|trouble| trouble.in_field(field))?;
        }
        Ok(())
    }

    /// Takes in the vars of a base. A name that is there already is an error, even when it is about the same.
    pub fn merge(&mut self, other: Vars) -> Outcome<()> {
        other.0.into_iter().try_for_each(|(name, path)| self.insert(name, path))
    }

    fn insert(&mut self, name: String, path: String) -> Outcome<()> {
        match self.0.entry(name) {
            Entry::Vacant(place) => {
                place.insert(path);
                Ok(())
            }
            Entry::Occupied(place) => Err(Trouble::new(format!("var {:?} is there twice", place.key()))),
        }
    }

    /// Puts the values in. Those that are never asked for are no error.
    ///
    /// # Errors
    ///
    /// Where a var is about no object, its field is not there, or text is asked for where there is none.
    pub fn resolve(&self, map: &mut ResMap, cx: &Context<'_>) -> Outcome<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let values = self.values(map)?;
        for resource in &mut map.list {
            for spec in &cx.config.var_reference {
                set_field(resource, spec, Made::Nothing, &asks, &mut |field| {
                    expand_field(field, &values)
                })?;
            }
        }
        Ok(())
    }

    fn values(&self, map: &ResMap) -> Outcome<Values> {
        let value = |(name, path): (&String, &String)| {
            let about = map.list.iter().find(|resource| resource.vars.contains(name));
            let Some(resource) = about else {
                return Err(Trouble::new(format!("var {name:?} is about no object that is known")));
            };
            let parts: Vec<String> = path::split(path).into_iter().flat_map(places_apart).collect();
            match path::lookup(&resource.value, &parts) {
                Ok(Some(value)) => Ok((name.clone(), value.clone())),
                Ok(None) | Err(_) => Err(Trouble::new(format!(
                    "field {path:?} of var {name:?} is not in its object"
                ))),
            }
        };
        self.0.iter().map(value).collect()
    }
}

impl Object {
    /// Whether an identity is the one that is meant. Without a namespace any is.
    fn is(&self, id: Id<'_>) -> bool {
        let (group, version) = match self.api_version.matches('/').count() {
            0 if self.api_version.is_empty() => (self.group.as_str(), self.version.as_str()),
            0 => (self.group.as_str(), self.api_version.as_str()),
            1 => split_api_version(&self.api_version),
            _ => (self.group.as_str(), self.version.as_str()),
        };
        let gvkn = id.name == self.name && id.kind == self.kind && id.version == version && id.group == group;
        gvkn && (self.namespace.is_empty() || id.effective_namespace() == self.namespace)
    }
}

/// `ports[0]` as two parts of a path.
fn places_apart(part: String) -> Vec<String> {
    let place = part.strip_suffix(']').and_then(|part| part.rsplit_once('['));
    match place {
        Some((field, place)) if !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit()) => [field, place]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => vec![part],
    }
}

type Values = BTreeMap<String, Value>;

/// Whether a field may hold a reference, or cannot.
fn asks(field: &Value) -> bool {
    let has = |value: &Value| value.as_str().is_some_and(|text| text.contains('$'));
    match field {
        Value::Array(items) => items.iter().any(|item| has(item) || !item.is_string()),
        Value::Object(fields) => fields.values().any(has),
        scalar => has(scalar),
    }
}

/// Puts values into a text, the texts of a mapping, or a list of texts.
fn expand_field(field: &mut Value, values: &Values) -> Outcome<()> {
    let expand = |value: &mut Value| {
        if let Some(expanded) = value.as_str().map(|text| expand(text, values)) {
            *value = expanded;
        }
    };
    match field {
        Value::Array(items) => {
            if !items.iter().all(Value::is_string) {
                return Err(Trouble::new("a list where vars are referred to may have texts only"));
            }
            items.iter_mut().for_each(expand);
        }
        Value::Object(fields) => fields.values_mut().for_each(expand),
        scalar => expand(scalar),
    }
    Ok(())
}

/// A text with the values in their places: `$$` stands for `$`, and what is no reference to a known var stays. A text that is one
/// reference becomes the value with its type.
fn expand(text: &str, values: &Values) -> Value {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let reference = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        let Some((name, after)) = reference else {
            expanded.push('$');
            rest = after;
            continue;
        };
        match values.get(name).filter(|value| !value.is_array() && !value.is_object()) {
            // A text that is one reference: nothing before and nothing after.
            Some(value) if text.len() == name.len() + "$()".len() => return as_whole(value),
            Some(value) => expanded.push_str(&as_part(value)),
            None => {
                expanded.push_str("$(");
                expanded.push_str(name);
                expanded.push(')');
            }
        }
        rest = after;
    }
    expanded.push_str(rest);
    Value::String(expanded)
}

/// A value alone in its place. Null has no type of its own there.
fn as_whole(value: &Value) -> Value {
    match value {
        Value::Null => Value::String(String::new()),
        value => value.clone(),
    }
}

/// A value within a text, as Go's `%v` prints it.
fn as_part(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => float(number),
        value => plain::text(value),
    }
}

/// Go's `%v` of a float: the shortest digits, with an exponent when it is below -4 or above 5.
fn float(number: &Number) -> String {
    let float = number.as_f64().unwrap_or_default();
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match float != 0.0 && !(-4..6).contains(&exponent) {
        true => format!(
            "{mantissa}e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        ),
        false => format!("{float}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::generate::tests::Folder;
    use crate::resource::Resource;

    fn objects(text: &str) -> Vec<Value> {
        let documents = kube_yaml::parse(text.as_bytes()).into_iter();
        documents.map(|document| document.value.expect("YAML")).collect()
    }

    fn resolved(case: &Value) -> Outcome<Vec<Value>> {
        let list = objects(case["resources"].as_str().expect("objects")).into_iter();
        let mut map = ResMap {
            list: list
                .map(|object| Resource::new(object.into(), Default::default()))
                .collect(),
        };
        let items = objects(case["vars"].as_str().expect("vars")).remove(0);
        let (schema, config) = (Schema::builtin(), Config::builtin());
        let mut vars = Vars::default();
        vars.add(items.as_array().expect("a list"), &mut map, &schema)?;
        let cx = Context {
            schema: &schema,
            config: &config,
            files: &Folder::default(),
        };
        vars.resolve(&mut map, &cx)?;
        Ok(map.list.iter().map(|resource| Value::clone(&resource.value)).collect())
    }

    #[test]
    fn vars_are_resolved_as_kustomize_does() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("cases.json")).expect("cases");
        let by_name = |objects: &mut Vec<Value>| objects.sort_by_key(|object| object["metadata"].to_string());
        for (at, case) in cases.iter().enumerate() {
            let got = resolved(case);
            let Some(expected) = case["expected"].as_str() else {
                // A name that is no text is refused by the step that fixes names.
                let elsewhere = case["error"]
                    .as_str()
                    .is_some_and(|error| error.contains("configMapKeyRef"));
                assert!(got.is_err() || elsewhere, "case {at}: {case:#}");
                continue;
            };
            let (mut got, mut expected) = (got.expect("resolved"), objects(expected));
            by_name(&mut got);
            by_name(&mut expected);
            assert_eq!(got, expected, "case {at}");
        }
    }

    #[test]
    fn a_name_is_there_once() {
        let mut vars = Vars(BTreeMap::from([("A".to_owned(), "metadata.name".to_owned())]));
        assert_eq!(
            vars.merge(Vars(vars.0.clone())),
            Err(Trouble::new("var \"A\" is there twice"))
        );
    }
}
