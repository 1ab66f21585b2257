//! Templates of Applications and of generators (`applicationset/utils/utils.go`, `applicationset/controllers/template`).

use serde_json::{Map, Value, json};

use super::Mode;
use super::fasttemplate;
use super::params::Params;
use super::patch;
use crate::error::Error;
use crate::template::{Failure, MissingKey, render_value};

/// The engine of an ApplicationSet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Fast,
    Go(MissingKey),
}

/// Levels of a template.
const DEEPEST: usize = 200;
const FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";

impl Engine {
    /// One text.
    pub(crate) fn replace(self, text: &str, params: &Params) -> Result<String, Failure> {
        match self {
            Engine::Fast => fasttemplate::replace(text, params),
            Engine::Go(missing) => render_value(text, params.value(), missing),
        }
    }
}

/// All texts of a value, keys of maps too (`deeplyReplace`).
fn replaced(
    value: &Value,
    field: &str,
    depth: usize,
    each: &dyn Fn(&str) -> Result<String, Failure>,
) -> Result<Value, Error> {
    if depth > DEEPEST {
        return Err(Error::new(field, format!("has more than {DEEPEST} levels")));
    }
    let failed = |failure: Failure| Error::new(field, failure.message);
    Ok(match value {
        Value::String(text) => Value::String(each(text).map_err(failed)?),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let items: Result<Vec<_>, _> = items
                .map(|(at, item)| replaced(item, &format!("{field}[{at}]"), depth + 1, each))
                .collect();
            Value::Array(items?)
        }
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, item) in map {
                let item = replaced(item, &format!("{field}.{key}"), depth + 1, each)?;
                out.insert(each(key).map_err(failed)?, item);
            }
            Value::Object(out)
        }
        other => other.clone(),
    })
}

/// Generators that have `values`, whose keys are not rendered here.
const WITH_VALUES: &[&str] = &[
    "clusters",
    "git",
    "scmProvider",
    "clusterDecisionResource",
    "pullRequest",
    "plugin",
];

/// A generator with parameters of the one before it (`RenderGeneratorParams`). Of its `values`, one that names a key which is not there yet
/// stays as it is.
pub(crate) fn generator(generator: &Value, params: &Params, mode: Mode, field: &str) -> Result<Value, Error> {
    if params.is_empty() {
        return Ok(generator.clone());
    }
    let mut rest = generator.clone();
    let mut values = Vec::new();
    take_values(&mut rest, "", 0, &mut values);
    let mut rendered = replaced(&rest, field, 0, &|text| mode.engine.replace(text, params))?;
    let strict = match mode.engine {
        Engine::Go(_) => Engine::Go(MissingKey::Error),
        Engine::Fast => Engine::Fast,
    };
    for (pointer, map) in values {
        let mut out = Map::new();
        for (key, value) in map {
            let text = match value.as_str().map(|text| strict.replace(text, params)) {
                Some(Ok(text)) => Value::String(text),
                Some(Err(failure)) if !failure.missing_key => {
                    return Err(Error::new(
                        format!("{field}{}", pointer.replace('/', ".")),
                        failure.message,
                    ));
                }
                _ => value,
            };
            out.insert(key, text);
        }
        if let Some(place) = rendered.pointer_mut(&pointer) {
            place["values"] = Value::Object(out);
        }
    }
    Ok(rendered)
}

/// Takes the `values` of all generators out, each with the JSON pointer of its generator.
fn take_values(value: &mut Value, pointer: &str, depth: usize, into: &mut Vec<(String, Map<String, Value>)>) {
    let Some(map) = value.as_object_mut().filter(|_| depth < 8) else {
        return;
    };
    for (key, inner) in map {
        if WITH_VALUES.contains(&key.as_str())
            && let Some(Value::Object(values)) = inner.as_object_mut().and_then(|inner| inner.shift_remove("values"))
        {
            into.push((format!("{pointer}/{key}"), values));
        }
        let inners = inner
            .get_mut("generators")
            .filter(|_| matches!(key.as_str(), "matrix" | "merge"));
        for (at, item) in inners.and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
            take_values(item, &format!("{pointer}/{key}/generators/{at}"), depth + 1, into);
        }
    }
}

/// Whether `mergo` takes a value for none.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// The template of a generator, and of what it leaves empty that of the ApplicationSet (`mergeGeneratorTemplate`).
pub(crate) fn merged_template(own: Option<&Value>, base: &Value) -> Value {
    let mut merged = own.cloned().unwrap_or(Value::Null);
    fill(&mut merged, base, "", 0);
    merged
}

fn fill(into: &mut Value, from: &Value, key: &str, depth: usize) {
    match (&mut *into, from) {
        // Values of a chart are one, not a map.
        (Value::Object(map), Value::Object(others)) if key != "valuesObject" && depth < DEEPEST => {
            for (key, other) in others {
                fill(map.entry(key.clone()).or_insert(Value::Null), other, key, depth + 1);
            }
        }
        (there, other) if is_empty(there) => *into = other.clone(),
        _ => {}
    }
}

/// An Application of a template (`RenderTemplateParams`, `GenerateApplications`).
pub(crate) fn application(
    template: &Value,
    params: &Params,
    mode: Mode,
    preserve: bool,
    patch: Option<&str>,
) -> Result<Value, Error> {
    let part = |key: &str| {
        template
            .get(key)
            .filter(|value| !value.is_null())
            .cloned()
            .unwrap_or_else(|| json!({}))
    };
    let mut metadata = Map::new();
    for key in ["name", "labels", "annotations", "finalizers"] {
        if let Some(value) = part("metadata").get(key).filter(|value| !is_empty(value)) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    let mut app = json!({"metadata": metadata, "spec": part("spec")});
    // Without parameters nothing is rendered, and no finalizer is set.
    if !params.is_empty() {
        app = replaced(&app, "spec.template", 0, &|text| mode.engine.replace(text, params))?;
        if !preserve && app["metadata"].get("finalizers").is_none_or(is_empty) {
            app["metadata"]["finalizers"] = json!([FINALIZER]);
        }
    }
    if let Some(patch) = patch {
        let rendered = mode.engine.replace(patch, params);
        let rendered = rendered.map_err(|failure| Error::new("spec.templatePatch", failure.message))?;
        app = patch::patched(app, &rendered)?;
    }
    let mut out = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"});
    out["metadata"] = app["metadata"].take();
    out["spec"] = app["spec"].take();
    Ok(out)
}
