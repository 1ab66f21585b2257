//! Generators, one by one (`applicationset/generators/{generator_spec_processor,list,value_interpolation}.go`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value as Json;

use super::params::Params;
use super::render::Engine;
use super::selector::Selector;
use super::{MOST, Mode, Surroundings, clusters, combine, git, render};
use crate::error::Error;
use crate::read::{Reader, shape};
use crate::template::Value;

/// The kinds of generators, in the order in which those of one entry come.
const KINDS: &[&str] = &[
    "list",
    "clusters",
    "git",
    "scmProvider",
    "clusterDecisionResource",
    "pullRequest",
    "matrix",
    "merge",
    "plugin",
];

/// Those that need what is outside, and what that is.
const OUTSIDE: &[(&str, &str)] = &[
    ("scmProvider", "the repositories of an SCM provider"),
    (
        "clusterDecisionResource",
        "a resource of the cluster that names clusters",
    ),
    ("pullRequest", "the pull requests of a repository"),
    ("plugin", "what a plugin answers"),
];

/// Keys of an entry that are no generators.
const OTHERS: &[&str] = &["selector"];

/// What all generators of an ApplicationSet share.
pub(crate) struct Generators<'s> {
    pub mode: Mode,
    pub surroundings: &'s Surroundings<'s>,
    /// Generators of clusters that found none.
    pub unmatched: RefCell<Vec<Error>>,
}

type Sets = Vec<(&'static str, Vec<Params>)>;

impl Generators<'_> {
    /// The sets of each generator that an entry names (`Transform`). `params` are those of the generator before it in a matrix. `depth` is how
    /// many it stands in: a matrix may stand in one other, but no deeper.
    pub(crate) fn transform(
        &self,
        entry: &Json,
        params: Option<&Params>,
        depth: usize,
        field: &str,
        outside: &mut Vec<Error>,
    ) -> Result<Sets, Vec<Error>> {
        let Some(map) = entry.as_object() else {
            return Err(vec![Error::new(field, format!("is {}, not a map", shape(entry)))]);
        };
        let selector = match entry.get("selector").filter(|selector| !selector.is_null()) {
            Some(selector) => Some(Selector::read(Some(selector), &format!("{field}.selector"))?),
            None => None,
        };
        known_keys(map, field)?;
        let rendered = match params {
            Some(params) => render::generator(entry, params, self.mode, field).map_err(|error| vec![error])?,
            None => entry.clone(),
        };
        let (mut sets, mut errors) = (Vec::new(), Vec::new());
        for kind in KINDS {
            let Some(value) = rendered.get(kind).filter(|value| !value.is_null()) else {
                continue;
            };
            let place = format!("{field}.{kind}");
            if let Some((_, needs)) = OUTSIDE.iter().find(|(outside, _)| outside == kind) {
                outside.push(Error::new(place, format!("needs {needs}, which is outside")));
                continue;
            }
            if depth > 1 && matches!(*kind, "matrix" | "merge") {
                errors.push(Error::new(
                    place,
                    "stands too deep: a matrix or merge may stand in one other only",
                ));
                continue;
            }
            match self.one(kind, value, &place, depth, outside) {
                Ok(found) => sets.push((*kind, found)),
                Err(found) => errors.extend(found),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if let Some(selector) = selector {
            for (_, sets) in &mut sets {
                *sets = selected(std::mem::take(sets), &selector, field)?;
            }
        }
        if sets.is_empty() && outside.is_empty() && depth == 0 {
            return Err(vec![Error::new(field, "names no generator")]);
        }
        Ok(sets)
    }

    fn one(
        &self,
        kind: &str,
        value: &Json,
        field: &str,
        depth: usize,
        outside: &mut Vec<Error>,
    ) -> Result<Vec<Params>, Vec<Error>> {
        match kind {
            "list" => self.list(value, field),
            "git" => git::params(self, value, field),
            "clusters" => clusters::params(self, value, field),
            "matrix" => combine::matrix(self, value, field, depth, outside),
            _ => combine::merge(self, value, field, depth, outside),
        }
    }

    fn list(&self, value: &Json, field: &str) -> Result<Vec<Params>, Vec<Error>> {
        let mut errors = Vec::new();
        let mut reader = Reader::at(field.to_owned(), Some(value), &mut errors);
        reader.maps("elements", |_| ());
        let elements = reader.any("elements").and_then(Json::as_array).into_iter().flatten();
        let yaml = reader.text("elementsYaml");
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut sets = Vec::new();
        for (at, element) in elements.enumerate() {
            let place = format!("{field}.elements[{at}]");
            let map = element.as_object().cloned().unwrap_or_default();
            sets.push(match self.mode.engine {
                Engine::Go(_) => Params::from_json(&map).map_err(|failure| vec![Error::new(place, failure.message)])?,
                Engine::Fast => of_texts(&map, &place)?,
            });
        }
        let place = format!("{field}.elementsYaml");
        let more = match kube_yaml::parse_one(yaml.as_bytes()).value {
            Ok(Json::Null) => Vec::new(),
            Ok(Json::Array(items)) => items,
            Ok(other) => {
                return Err(vec![Error::new(
                    place,
                    format!("is {}, not a list of maps", shape(&other)),
                )]);
            }
            Err(error) => {
                return Err(vec![Error::new(
                    place,
                    format!("line {}: {}", error.line, error.message),
                )]);
            }
        };
        for (at, item) in more.iter().enumerate() {
            let params = match item {
                Json::Object(map) => {
                    Params::from_json(map).map_err(|failure| vec![Error::new(place.as_str(), failure.message)])?
                }
                Json::Null => Params::default(),
                other => {
                    return Err(vec![Error::new(
                        place,
                        format!("item {at} is {}, not a map", shape(other)),
                    )]);
                }
            };
            sets.push(params);
        }
        match sets.len() > MOST {
            true => Err(vec![Error::new(field, format!("has more than {MOST} elements"))]),
            false => Ok(sets),
        }
    }

    /// Adds `values`, each rendered with the parameters but not with one another (`appendTemplatedValues`).
    pub(crate) fn append_values(
        &self,
        values: &BTreeMap<String, String>,
        params: &mut Params,
        field: &str,
    ) -> Result<(), Vec<Error>> {
        let mut rendered: BTreeMap<Rc<str>, Rc<str>> = BTreeMap::new();
        for (key, value) in values {
            let text = self.mode.engine.replace(value, params);
            let text = text.map_err(|failure| vec![Error::new(format!("{field}.values.{key}"), failure.message)])?;
            rendered.insert(key.as_str().into(), text.into());
        }
        match self.mode.engine {
            Engine::Go(_) if rendered.is_empty() => {}
            Engine::Go(_) => params.set("values", Value::TextMap(Rc::new(rendered))),
            Engine::Fast => {
                for (key, value) in rendered {
                    params.set(&format!("values.{key}"), Value::Text(value));
                }
            }
        }
        Ok(())
    }
}

/// An element without Go templates: texts only, and `values` as a map of texts.
fn of_texts(map: &serde_json::Map<String, Json>, field: &str) -> Result<Params, Vec<Error>> {
    let mut params = Params::default();
    let not_text = |place: String, value: &Json| {
        vec![Error::new(
            place,
            format!("is {}, not a text, as it must be without goTemplate", shape(value)),
        )]
    };
    for (key, value) in map {
        match (key.as_str(), value) {
            ("values", Json::Object(values)) => {
                for (name, value) in values {
                    match value {
                        Json::String(text) => params.set(&format!("values.{name}"), text.as_str()),
                        other => return Err(not_text(format!("{field}.values.{name}"), other)),
                    }
                }
            }
            ("values", other) => {
                return Err(vec![Error::new(
                    format!("{field}.values"),
                    format!("is {}, not a map", shape(other)),
                )]);
            }
            (_, Json::String(text)) => params.set(key, text.as_str()),
            (_, other) => return Err(not_text(format!("{field}.{key}"), other)),
        }
    }
    Ok(params)
}

/// Those that a selector wants.
fn selected(sets: Vec<Params>, selector: &Selector, field: &str) -> Result<Vec<Params>, Vec<Error>> {
    let mut kept = Vec::new();
    for params in sets {
        let flat = params
            .flat()
            .map_err(|failure| vec![Error::new(field, failure.message)])?;
        if selector.matches(&flat) {
            kept.push(params);
        }
    }
    Ok(kept)
}

fn known_keys(entry: &serde_json::Map<String, Json>, field: &str) -> Result<(), Vec<Error>> {
    let is_known = |key: &str| KINDS.contains(&key) || OTHERS.contains(&key);
    match entry.keys().find(|key| !is_known(key)) {
        Some(key) => Err(vec![Error::new(
            format!("{field}.{key}"),
            "is no generator that is known",
        )]),
        None => Ok(()),
    }
}
