//! A chart as Helm keeps it in the record of a release (`pkg/chart/v2`). Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::files::Files;
use super::go_json;
use super::record::put;

/// Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// As `pkg/chart/v2/loader` sorts a chart's files.
pub(super) fn chart(files: &Files, version: Option<&str>) -> Result<Value, String> {
    let yaml = |path: &str| match files.get(path) {
        None => Ok(Value::Null),
        Some(text) => kube_yaml::parse_one(text)
            .value
            .map_err(|error| format!("{path}: {error}")),
    };
    let about = yaml("Chart.yaml")?;
    let is_first = about["apiVersion"].as_str().is_none_or(|version| version == "v1");
    let metadata = metadata(about, &yaml("requirements.yaml")?, version);
    let (mut templates, mut others) = (Vec::new(), Vec::new());
    for (path, content) in &files.0 {
        let file = json!({"name": path, "data": BASE64_STANDARD.encode(content)});
        match path.as_str() {
            "Chart.yaml" | "Chart.lock" | "values.yaml" | "values.schema.json" => {}
            "requirements.yaml" | "requirements.lock" if !is_first => {}
            path if path.starts_with("templates/") => templates.push(file),
            path if path.starts_with("charts/") && !path.ends_with(".prov") => {}
            _ => others.push(file),
        }
    }
    let lock = match files.get("Chart.lock") {
        Some(_) => yaml("Chart.lock")?,
        None => yaml("requirements.lock")?,
    };
    let schema = files.get("values.schema.json");
    Ok(json!({
        "metadata": metadata,
        "lock": lock_of(&lock),
        "templates": templates,
        "values": go_json::sorted(&yaml("values.yaml")?),
        "schema": schema.map(|schema| BASE64_STANDARD.encode(schema)),
        "schemamodtime": NEVER,
        "files": others,
    }))
}

/// What a field of `Chart.yaml` holds; what is something else is left out.
#[derive(Clone, Copy)]
enum Field {
    Text,
    Texts,
    Flag,
    /// Texts by name.
    Map,
    Maintainers,
    Dependencies,
    /// Anything.
    Any,
}

/// The fields in the order of Helm's type.
const METADATA: &[(&str, Field)] = &[
    ("name", Field::Text),
    ("home", Field::Text),
    ("sources", Field::Texts),
    ("version", Field::Text),
    ("description", Field::Text),
    ("keywords", Field::Texts),
    ("maintainers", Field::Maintainers),
    ("icon", Field::Text),
    ("apiVersion", Field::Text),
    ("condition", Field::Text),
    ("tags", Field::Text),
    ("appVersion", Field::Text),
    ("deprecated", Field::Flag),
    ("annotations", Field::Map),
    ("kubeVersion", Field::Text),
    ("dependencies", Field::Dependencies),
    ("type", Field::Text),
];

const MAINTAINER: &[(&str, Field)] = &[("name", Field::Text), ("email", Field::Text), ("url", Field::Text)];

const DEPENDENCY: &[(&str, Field)] = &[
    ("name", Field::Text),
    ("version", Field::Text),
    ("repository", Field::Text),
    ("condition", Field::Text),
    ("tags", Field::Texts),
    ("enabled", Field::Flag),
    ("import-values", Field::Any),
    ("alias", Field::Text),
];

/// What is set here and what is read come in the order of the type.
fn metadata(mut about: Value, requirements: &Value, version: Option<&str>) -> Map<String, Value> {
    if let Some(about) = about.as_object_mut() {
        if !requirements["dependencies"].is_null() {
            about.insert("dependencies".to_owned(), requirements["dependencies"].clone());
        }
        if let Some(version) = version {
            about.insert("version".to_owned(), version.into());
        }
        about.entry("apiVersion").or_insert_with(|| "v1".into());
    }
    fields(&about, METADATA)
}

fn fields(value: &Value, known: &[(&str, Field)]) -> Map<String, Value> {
    let mut found = Map::new();
    for (key, field) in known {
        put(&mut found, key, typed(&value[*key], *field));
    }
    found
}

fn typed(value: &Value, field: Field) -> Value {
    let each = |read: &dyn Fn(&Value) -> Value| {
        let items = value.as_array().into_iter().flatten().filter(|item| !item.is_null());
        items.map(read).collect::<Vec<_>>().into()
    };
    match field {
        // A number where a text is asked for is read as one.
        Field::Text => match value {
            Value::String(text) => text.clone().into(),
            Value::Number(number) => number.to_string().into(),
            Value::Bool(value) => value.to_string().into(),
            _ => Value::Null,
        },
        Field::Flag => Value::Bool(*value == true),
        Field::Texts => each(&|item| typed(item, Field::Text)),
        Field::Map => {
            let entries = value.as_object().into_iter().flatten();
            let texts: BTreeMap<&String, Value> =
                entries.map(|(key, value)| (key, typed(value, Field::Text))).collect();
            texts
                .into_iter()
                .map(|(key, value)| (key.clone(), value))
                .collect::<Map<_, _>>()
                .into()
        }
        Field::Maintainers => each(&|item| fields(item, MAINTAINER).into()),
        Field::Dependencies => each(&|item| dependency(item)),
        Field::Any => go_json::sorted(value),
    }
}

/// Name and repository are written even if they are empty.
fn dependency(value: &Value) -> Value {
    let found = fields(value, DEPENDENCY);
    let mut all = Map::new();
    for (key, _) in DEPENDENCY {
        match found.get(*key) {
            Some(value) => all.insert((*key).to_owned(), value.clone()),
            None if matches!(*key, "name" | "repository") => all.insert((*key).to_owned(), "".into()),
            None => None,
        };
    }
    all.into()
}

fn lock_of(lock: &Value) -> Value {
    if !lock.is_object() {
        return Value::Null;
    }
    json!({
        "generated": lock["generated"].as_str().filter(|time| time.parse::<Timestamp>().is_ok()).unwrap_or(NEVER),
        "digest": lock["digest"].as_str().unwrap_or_default(),
        "dependencies": typed(&lock["dependencies"], Field::Dependencies),
    })
}
