//! `helmCharts`, and the plugin `HelmChartInflationGenerator`: what a chart renders to comes from [`Outside`](crate::Outside).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::annotate;
use crate::context::{Reads, parse_strictly};
use crate::error::Request;
use crate::files::Kind;
use crate::objects;
use crate::outside::{Answer, Chart};
use crate::resource::Resource;
use crate::trouble::{Outcome, Trouble};
use crate::walk::reader::Reader;

/// Marks objects whose namespace is not kustomize's business.
const GENERATED: &str = "internal.config.kubernetes.io/helm-generated";

/// A chart that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    /// The fields of the entry, and of `helmGlobals`.
    entry: Map<String, Value>,
    name: String,
    /// Folder of charts.
    home: String,
    merge: Merge,
}

/// What becomes of `valuesInline` beside the file of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    /// The inline ones win.
    Override,
    /// Those of the file win.
    Fill,
    /// Only the inline ones count.
    Replace,
}

/// Fields that a plugin's configuration has beside those of the chart.
const OF_PLUGINS: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Spec {
    /// An entry of `helmCharts`, with `helmGlobals`, and the namespace of the kustomization.
    pub fn from_field(chart: &Map<String, Value>, globals: &Map<String, Value>, namespace: &str) -> Outcome<Spec> {
        let mut entry = chart.clone();
        if !namespace.is_empty() && text(&entry, "namespace").is_empty() {
            entry.insert("namespace".to_owned(), Value::from(namespace));
        }
        entry.extend(globals.clone());
        Spec::new(entry)
    }

    /// The configuration of a plugin.
    pub fn from_plugin(config: &Value) -> Outcome<Spec> {
        let fields = config.as_object().into_iter().flatten();
        let of_chart = fields.filter(|(key, _)| !OF_PLUGINS.contains(&key.as_str()));
        Spec::new(of_chart.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn new(entry: Map<String, Value>) -> Outcome<Spec> {
        let name = text(&entry, "name").to_owned();
        if name.is_empty() {
            return Err(Trouble::new("the name of the chart is empty"));
        }
        let merge = match text(&entry, "valuesMerge") {
            "" | "override" => Merge::Override,
            "merge" => Merge::Fill,
            "replace" => Merge::Replace,
            _ => return Err(Trouble::new("valuesMerge should be one of merge, override, replace")),
        };
        let mut home = match text(&entry, "chartHome") {
            "" => "charts".to_owned(),
            home => home.to_owned(),
        };
        let (version, repository) = (text(&entry, "version"), text(&entry, "repo"));
        if !version.is_empty() && !repository.is_empty() {
            home = format!("{home}/{name}-{version}");
        }
        Ok(Spec {
            name,
            home,
            merge,
            entry,
        })
    }
}

/// What the chart renders to.
pub(crate) fn generate(spec: &Spec, reader: &Reader<'_, '_>) -> Outcome<Vec<Resource>> {
    let place = reader.place.enter(&format!("{}/{}", spec.home, spec.name));
    let chart = Chart {
        entry: sorted(&spec.entry),
        values: values(spec, reader)?,
        folder: reader.place.folder.to_string(),
        chart: place.ok().map(|place| place.folder.to_string()),
    };
    let rendered = match reader.walk.kustomize.outside.chart(&chart) {
        Answer::Here(rendered) => rendered,
        Answer::Later => {
            reader.walk.postpone(Request::Chart(chart));
            return Err(Trouble::new(format!("chart {} is still to be rendered", spec.name)));
        }
        Answer::Refused(why) => return Err(Trouble::new(format!("chart {} cannot be rendered: {why}", spec.name))),
    };
    reader.walk.meter.read(rendered.len())?;
    let objects = parse_strictly(&rendered).and_then(|documents| objects::of(&documents));
    let objects = objects.map_err(|trouble| {
        Trouble::new(format!(
            "what chart {} renders to is no list of objects: {}",
            spec.name, trouble.message
        ))
    })?;
    let resource = |parsed: &crate::context::Parsed| {
        let mut resource = Resource::new(parsed.value.clone(), Default::default());
        annotate::set(&mut resource, GENERATED, "true");
        resource
    };
    Ok(objects.iter().map(resource).collect())
}

/// The texts of values, the last wins.
fn values(spec: &Spec, reader: &Reader<'_, '_>) -> Outcome<Vec<String>> {
    let own = format!("{}/{}/values.yaml", spec.home, spec.name);
    let file = match text(&spec.entry, "valuesFile") {
        "" if is_file(reader, &own) => Some(own.as_str()),
        // The chart is elsewhere, and so are its values.
        "" => None,
        file => Some(file),
    };
    let inline = spec
        .entry
        .get("valuesInline")
        .filter(|it| it.as_object().is_some_and(|it| !it.is_empty()));
    let mut texts = Vec::new();
    match (file, inline) {
        (_, Some(inline)) if spec.merge == Merge::Replace => texts.push(kube_yaml::to_string(inline)),
        (None, Some(inline)) => texts.push(kube_yaml::to_string(inline)),
        (Some(file), None) => texts.push(read(reader, file)?),
        (None, None) => {}
        (Some(file), Some(inline)) => {
            let (documents, _) = reader.documents(file)?;
            let from_file = documents
                .first()
                .map(|first| (*first.value).clone())
                .unwrap_or_default();
            let merged = match spec.merge {
                Merge::Fill => merged(inline.clone(), &from_file),
                _ => merged(from_file, inline),
            };
            texts.push(kube_yaml::to_string(&merged));
        }
    }
    for file in spec
        .entry
        .get("additionalValuesFiles")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        texts.push(read(reader, file.as_str().unwrap_or_default())?);
    }
    Ok(texts)
}

fn is_file(reader: &Reader<'_, '_>, path: &str) -> bool {
    let joined = crate::files::join(&reader.place.folder, path);
    joined.is_some_and(|path| matches!(reader.place.tree.files().kind(&path), Ok(Some(Kind::File))))
}

fn read(reader: &Reader<'_, '_>, path: &str) -> Outcome<String> {
    let (bytes, file) = reader.read(path)?;
    let text = std::str::from_utf8(&bytes).map(str::to_owned);
    text.map_err(|_| Trouble::new("values are not UTF-8").in_file(file, None))
}

/// `over` laid over `under`: maps are merged, a null removes, everything else replaces.
fn merged(under: Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (key, value) in over {
                match under.get_mut(key) {
                    _ if value.is_null() => drop(under.shift_remove(key)),
                    Some(place) => *place = merged(std::mem::take(place), value),
                    None => drop(under.insert(key.clone(), value.clone())),
                }
            }
            Value::Object(under)
        }
        (_, over) => over.clone(),
    }
}

/// As JSON with sorted keys.
fn sorted(entry: &Map<String, Value>) -> String {
    let sorted: BTreeMap<&String, &Value> = entry.iter().collect();
    serde_json::to_string(&sorted).unwrap_or_default()
}

fn text<'e>(entry: &'e Map<String, Value>, key: &str) -> &'e str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}
