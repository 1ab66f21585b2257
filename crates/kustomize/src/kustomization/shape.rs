//! The shape of a kustomization file, as a table: which fields there are and what each takes.
//!
//! kustomize decodes with Go's JSON decoder: names of fields match without regard to case, `null` is as good as absent, and an
//! unknown field is refused. Checking against a table finds all that is wrong at once, each with its path.

use serde_json::{Map, Value};

use crate::shape::Shape;
use crate::trouble::Trouble;

use Shape::{Any, Fields, Flag, List, Text, Texts, Whole};

const TEXT_LIST: Shape = List(&Text);

const FIELD_SPEC: Shape = Fields(&[
    ("group", Text),
    ("version", Text),
    ("kind", Text),
    ("path", Text),
    ("create", Flag),
]);

const LABEL: Shape = Fields(&[
    ("pairs", Texts),
    ("includeSelectors", Flag),
    ("includeTemplates", Flag),
    ("fields", List(&FIELD_SPEC)),
]);

/// What objects are chosen by.
pub(crate) const SELECTOR: Shape = Fields(&[
    ("group", Text),
    ("version", Text),
    ("kind", Text),
    ("name", Text),
    ("namespace", Text),
    ("annotationSelector", Text),
    ("labelSelector", Text),
]);

/// An entry of `patches`.
pub(crate) const PATCH: Shape = Fields(&[
    ("path", Text),
    ("patch", Text),
    ("target", SELECTOR),
    (
        "options",
        Fields(&[("allowNameChange", Flag), ("allowKindChange", Flag)]),
    ),
]);

const IMAGE: Shape = Fields(&[
    ("name", Text),
    ("newName", Text),
    ("tagSuffix", Text),
    ("newTag", Text),
    ("digest", Text),
]);

const FIELD_OPTIONS: Shape = Fields(&[
    ("delimiter", Text),
    ("index", Whole),
    ("encoding", Text),
    ("create", Flag),
]);

const REPLACEMENT: Shape = Fields(&[
    ("path", Text),
    (
        "source",
        Fields(&[
            ("group", Text),
            ("version", Text),
            ("kind", Text),
            ("name", Text),
            ("namespace", Text),
            ("fieldPath", Text),
            ("options", FIELD_OPTIONS),
        ]),
    ),
    (
        "targets",
        List(&Fields(&[
            ("select", SELECTOR),
            ("reject", List(&SELECTOR)),
            ("fieldPaths", TEXT_LIST),
            ("options", FIELD_OPTIONS),
        ])),
    ),
    ("sourceValue", Text),
]);

const VAR: Shape = Fields(&[
    ("name", Text),
    (
        "objref",
        Fields(&[
            ("apiVersion", Text),
            ("group", Text),
            ("version", Text),
            ("kind", Text),
            ("name", Text),
            ("namespace", Text),
        ]),
    ),
    ("fieldref", Fields(&[("fieldPath", Text)])),
]);

const GENERATOR_OPTIONS: Shape = Fields(&[
    ("labels", Texts),
    ("annotations", Texts),
    ("disableNameSuffixHash", Flag),
    ("immutable", Flag),
]);

const CONFIG_MAP: Shape = Fields(&[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", TEXT_LIST),
    ("files", TEXT_LIST),
    ("envs", TEXT_LIST),
    ("env", Text),
    ("options", GENERATOR_OPTIONS),
]);

const SECRET: Shape = Fields(&[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", TEXT_LIST),
    ("files", TEXT_LIST),
    ("envs", TEXT_LIST),
    ("env", Text),
    ("options", GENERATOR_OPTIONS),
    ("type", Text),
]);

const HELM_CHART: Shape = Fields(&[
    ("name", Text),
    ("version", Text),
    ("repo", Text),
    ("releaseName", Text),
    ("namespace", Text),
    ("additionalValuesFiles", TEXT_LIST),
    ("valuesFile", Text),
    ("valuesInline", Any),
    ("valuesMerge", Text),
    ("includeCRDs", Flag),
    ("skipHooks", Flag),
    ("apiVersions", TEXT_LIST),
    ("kubeVersion", Text),
    ("nameTemplate", Text),
    ("skipTests", Flag),
    ("debug", Flag),
    ("devel", Flag),
]);

const OLD_HELM_CHART: Shape = Fields(&[
    ("chartName", Text),
    ("chartVersion", Text),
    ("chartRepoUrl", Text),
    ("chartHome", Text),
    ("chartRepoName", Text),
    ("helmBin", Text),
    ("helmHome", Text),
    ("values", Text),
    ("valuesLocal", Any),
    ("valuesMerge", Text),
    ("releaseName", Text),
    ("releaseNamespace", Text),
    ("extraArgs", TEXT_LIST),
]);

const METADATA: Shape = Fields(&[
    ("name", Text),
    ("namespace", Text),
    ("labels", Texts),
    ("annotations", Texts),
]);

const SORT_OPTIONS: Shape = Fields(&[
    ("order", Text),
    (
        "legacySortOptions",
        Fields(&[("orderFirst", TEXT_LIST), ("orderLast", TEXT_LIST)]),
    ),
]);

/// A kustomization file.
pub(crate) const KUSTOMIZATION: Shape = Fields(&[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", METADATA),
    ("openapi", Texts),
    ("namePrefix", Text),
    ("nameSuffix", Text),
    ("namespace", Text),
    ("commonLabels", Texts),
    ("labels", List(&LABEL)),
    ("commonAnnotations", Texts),
    ("patchesStrategicMerge", TEXT_LIST),
    ("patchesJson6902", List(&PATCH)),
    ("patches", List(&PATCH)),
    ("images", List(&IMAGE)),
    ("imageTags", List(&IMAGE)),
    ("replacements", List(&REPLACEMENT)),
    ("replicas", List(&Fields(&[("name", Text), ("count", Whole)]))),
    ("vars", List(&VAR)),
    ("sortOptions", SORT_OPTIONS),
    ("resources", TEXT_LIST),
    ("components", TEXT_LIST),
    ("crds", TEXT_LIST),
    ("bases", TEXT_LIST),
    ("configMapGenerator", List(&CONFIG_MAP)),
    ("secretGenerator", List(&SECRET)),
    ("helmGlobals", Fields(&[("chartHome", Text), ("configHome", Text)])),
    ("helmCharts", List(&HELM_CHART)),
    ("helmChartInflationGenerator", List(&OLD_HELM_CHART)),
    ("generatorOptions", GENERATOR_OPTIONS),
    ("configurations", TEXT_LIST),
    ("generators", TEXT_LIST),
    ("transformers", TEXT_LIST),
    ("validators", TEXT_LIST),
    ("buildMetadata", TEXT_LIST),
]);

/// The value with the spellings of the table and without nulls; and what does not fit. `path` is where it stands.
pub(crate) fn fit(value: Value, shape: Shape, path: &str, troubles: &mut Vec<Trouble>) -> Option<Value> {
    match (shape, value) {
        (_, Value::Null) => None,
        (Text, value @ Value::String(_)) | (Flag, value @ Value::Bool(_)) | (Any, value @ Value::Object(_)) => {
            Some(value)
        }
        (Whole, value @ Value::Number(_)) if value.is_i64() => Some(value),
        (Texts, Value::Object(map)) => {
            let mut found = Map::new();
            for (key, value) in map {
                let path = format!("{path}.{key}");
                // A null in a map of texts is the empty text.
                let value = match value.is_null() {
                    true => Some(Value::String(String::new())),
                    false => fit(value, Text, &path, troubles),
                };
                found.extend(value.map(|value| (key, value)));
            }
            Some(Value::Object(found))
        }
        (List(item), Value::Array(list)) => {
            let fit_item = |(at, value): (usize, Value)| {
                fit(value, *item, &format!("{path}[{at}]"), troubles).unwrap_or_else(|| zero(*item))
            };
            Some(Value::Array(list.into_iter().enumerate().map(fit_item).collect()))
        }
        (Fields(fields), Value::Object(map)) => Some(Value::Object(fit_fields(map, fields, path, troubles))),
        (shape, value) => {
            let hint = match (shape, &value) {
                (Text, Value::Bool(_) | Value::Number(_)) => "; in quotes it is a string",
                _ => "",
            };
            let message = format!(
                "{} was expected here, and {} is here{hint}",
                expected(shape),
                found(&value)
            );
            troubles.push(Trouble::new(message).in_field(path));
            None
        }
    }
}

fn fit_fields(
    map: Map<String, Value>,
    fields: &[(&'static str, Shape)],
    path: &str,
    troubles: &mut Vec<Trouble>,
) -> Map<String, Value> {
    let mut result = Map::new();
    for (key, value) in map {
        let exact = fields.iter().find(|(name, _)| *name == key);
        let place = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        match exact.or_else(|| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&key))) {
            Some((name, shape)) => {
                if let Some(value) = fit(value, *shape, &place, troubles) {
                    result.insert((*name).to_owned(), value);
                }
            }
            None => troubles.push(Trouble::new(format!("unknown field \"{key}\"")).in_field(place)),
        }
    }
    result
}

/// What Go makes of a null in a list.
fn zero(shape: Shape) -> Value {
    match shape {
        Text => Value::String(String::new()),
        Flag => Value::Bool(false),
        Whole => Value::from(0),
        List(_) => Value::Array(Vec::new()),
        Texts | Any | Fields(_) => Value::Object(Map::new()),
    }
}

fn expected(shape: Shape) -> &'static str {
    match shape {
        Text => "a string",
        Flag => "true or false",
        Whole => "a whole number",
        List(_) => "a list",
        Texts => "a map of strings",
        Any | Fields(_) => "a map",
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(value: Value) -> Vec<String> {
        let mut troubles = Vec::new();
        fit(value, KUSTOMIZATION, "", &mut troubles);
        let show = |trouble: &Trouble| format!("{}: {}", trouble.field.as_deref().unwrap_or_default(), trouble.message);
        troubles.iter().map(show).collect()
    }

    #[test]
    fn everything_wrong_is_found_at_once() {
        let value = json!({
            "resource": [], "namePrefix": 1, "images": [{"name": "a", "tag": "b"}], "commonLabels": {"a": true},
            "replicas": [{"name": "a", "count": "1"}], "patches": {},
        });
        assert_eq!(
            problems(value),
            [
                "resource: unknown field \"resource\"",
                "namePrefix: a string was expected here, and a number is here; in quotes it is a string",
                "images[0].tag: unknown field \"tag\"",
                "commonLabels.a: a string was expected here, and true or false is here; in quotes it is a string",
                "replicas[0].count: a whole number was expected here, and a string is here",
                "patches: a list was expected here, and a map is here",
            ]
        );
    }

    #[test]
    fn names_match_without_case_and_nulls_go() {
        let value =
            json!({"NamePrefix": "a-", "resources": ["a", null], "namespace": null, "COMMONLABELS": {"a": null}});
        let mut troubles = Vec::new();
        let fitted = fit(value, KUSTOMIZATION, "", &mut troubles);
        assert_eq!(troubles, []);
        assert_eq!(
            fitted,
            Some(json!({"namePrefix": "a-", "resources": ["a", ""], "commonLabels": {"a": ""}}))
        );
    }
}
