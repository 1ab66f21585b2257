//! The values a chart is rendered with: how several sources of them become one. Pure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::set::{self, Shared};
use crate::object::Manifest;

/// Values of a release.
pub type Values = Map<String, Value>;

/// Reads values.
///
/// # Errors
/// Says that it is no YAML or no map; never quotes it.
pub fn parse(text: &[u8]) -> Result<Values, String> {
    match kube_yaml::parse_one(text).value {
        Ok(Value::Object(values)) => Ok(values),
        Ok(Value::Null) => Ok(Values::new()),
        Ok(_) => Err("the values are no map".to_owned()),
        Err(error) => Err(format!("the values are no YAML: {error}")),
    }
}

/// Lays values over others as `helm --values` does: maps are merged to any depth, all else is replaced; a null stays, and makes Helm
/// drop the chart's default (`pkg/chart/v2/loader`, `MergeMaps`).
pub fn merge(under: Values, over: Values) -> Values {
    let mut merged = under;
    for (key, value) in over {
        let value = match (merged.shift_remove(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => Value::Object(merge(under, over)),
            (_, value) => value,
        };
        merged.insert(key, value);
    }
    merged
}

/// One parameter of an Argo CD Application, laid over the others as `helm template --set NAME=VALUE` (`--set-string` where
/// `force_string`) would: Argo CD takes the meaning from commas outside of `{}` (`util/helm/cmd.go`, `cleanSetParameters`).
///
/// # Errors
/// Says what is wrong with it, without quoting it.
pub fn set_parameter(values: &mut Values, name: &str, value: &str, force_string: bool) -> Result<(), String> {
    let line = format!("{name}={}", without_commas(value));
    match force_string {
        true => assign(values, &line, &mut set::text),
        false => assign(values, &line, &mut set::typed),
    }
}

/// One file parameter of an Argo CD Application: the value is the content of a file, which `read` gives.
///
/// # Errors
/// Those of `read`, and what is wrong with the name.
pub fn set_file(
    values: &mut Values,
    name: &str,
    path: &str,
    read: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<(), String> {
    let line = format!("{name}={}", without_commas(path));
    assign(values, &line, &mut |path| read(&path).map(Value::String))
}

fn assign(values: &mut Values, line: &str, reader: set::Reader<'_>) -> Result<(), String> {
    let shared = Shared::from(&Value::Object(std::mem::take(values)));
    let result = set::assign(line, &shared, reader);
    if let Value::Object(map) = Value::from(&shared) {
        *values = map;
    }
    result
}

fn without_commas(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut before = None;
    for c in value.chars() {
        if c == ',' && before != Some('\\') {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
    out
}

/// An entry of a HelmRelease's `spec.valuesFrom`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesFrom {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Its name, in the HelmRelease's namespace.
    pub name: String,
    /// The key in its data.
    pub key: String,
    /// Where its content goes; the content is the values themselves where there is none.
    pub target_path: Option<String>,
    /// Left out where object or key are not there.
    pub optional: bool,
    /// With a target path: the content is text as it is.
    pub literal: bool,
}

impl ValuesFrom {
    /// Those of a HelmRelease, in their order.
    pub fn of_release(release: &Manifest) -> Vec<Self> {
        let entries = release.value()["spec"]["valuesFrom"].as_array();
        let text = |entry: &Value, key: &str| entry[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let read = |entry: &Value| Self {
            kind: text(entry, "kind").unwrap_or_default(),
            name: text(entry, "name").unwrap_or_default(),
            key: text(entry, "valuesKey").unwrap_or_else(|| "values.yaml".to_owned()),
            target_path: text(entry, "targetPath"),
            optional: entry["optional"] == true,
            literal: entry["literal"] == true,
        };
        entries.into_iter().flatten().map(read).collect()
    }
}

/// Why values could not be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesError {
    /// The entry concerned.
    pub from: ValuesFrom,
    /// What is wrong.
    pub cause: ValuesCause,
}

/// What is wrong with a source of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuesCause {
    /// The object is not there: it can be given or read from the cluster.
    NoObject,
    /// The object has no such key.
    NoKey,
    /// Its content, without quoting it.
    Content(String),
}

impl std::fmt::Display for ValuesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ValuesFrom { kind, name, key, .. } = &self.from;
        match &self.cause {
            ValuesCause::NoObject => write!(f, "valuesFrom names {kind} {name}, which is not declared"),
            ValuesCause::NoKey => write!(f, "valuesFrom names {key} of {kind} {name}, which has no such key"),
            ValuesCause::Content(what) => write!(f, "{key} of {kind} {name}, which valuesFrom names: {what}"),
        }
    }
}

/// The data of a ConfigMap or Secret, decoded.
pub type Data = BTreeMap<String, Vec<u8>>;

/// The values of a HelmRelease as helm-controller composes them (fluxcd/pkg `chartutil.ChartValuesFromReferences`): `valuesFrom` in
/// order, then `values`. What has a target path is set into both as they stand then, and wins over `values` as long as no earlier
/// entry brought the map in which it is set: there, `values` win.
///
/// # Errors
/// The first entry that cannot be used.
pub fn of_flux(
    values: &Values,
    sources: &[ValuesFrom],
    look: &mut dyn FnMut(&ValuesFrom) -> Option<Data>,
) -> Result<Values, Box<ValuesError>> {
    let own = Entries::from(values);
    let mut result = Entries::default();
    for from in sources {
        let failed = |cause| {
            Box::new(ValuesError {
                from: from.clone(),
                cause,
            })
        };
        let content = match look(from) {
            None => Err(ValuesCause::NoObject),
            Some(mut data) => data.remove(&from.key).ok_or(ValuesCause::NoKey),
        };
        let content = match content {
            Err(_) if from.optional => continue,
            content => content.map_err(failed)?,
        };
        match &from.target_path {
            None => {
                let values = parse(&content).map_err(|what| failed(ValuesCause::Content(what)))?;
                result = overlay(&result, &Entries::from(&values));
            }
            Some(path) => {
                result = overlay(&result, &own);
                let text = String::from_utf8_lossy(&content);
                set_at(&result, path, &text, from.literal).map_err(|what| failed(ValuesCause::Content(what)))?;
            }
        }
    }
    match Value::from(&Shared::Map(overlay(&result, &own).0)) {
        Value::Object(values) => Ok(values),
        _ => unreachable!("because a map was given"),
    }
}

/// A map whose inner maps may be shared with others.
#[derive(Default)]
struct Entries(Rc<RefCell<BTreeMap<String, Shared>>>);

impl From<&Values> for Entries {
    fn from(values: &Values) -> Self {
        let entries = values.iter().map(|(key, value)| (key.clone(), value.into()));
        Self(Rc::new(RefCell::new(entries.collect())))
    }
}

/// As [`merge`], but what only one of the two has is shared with it.
fn overlay(under: &Entries, over: &Entries) -> Entries {
    let mut merged = under.0.borrow().clone();
    for (key, value) in over.0.borrow().iter() {
        let value = match (merged.get(key), value) {
            (Some(Shared::Map(under)), Shared::Map(over)) => {
                Shared::Map(overlay(&Entries(under.clone()), &Entries(over.clone())).0)
            }
            _ => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Entries(Rc::new(RefCell::new(merged)))
}

/// A quoted value is text, without its quotes. The path is never escaped: it is written in the grammar.
fn set_at(result: &Entries, path: &str, content: &str, literal: bool) -> Result<(), String> {
    let result = Shared::Map(result.0.clone());
    if literal {
        let escaped = content.chars().flat_map(|c| {
            let needs = matches!(c, '\\' | ',' | '[' | ']' | '{' | '}');
            needs.then_some('\\').into_iter().chain([c])
        });
        let line: String = path.chars().chain(['=']).chain(escaped).collect();
        return set::assign(&line, &result, &mut set::text);
    }
    let is_quoted = |quote| content.starts_with(quote) && content.ends_with(quote);
    match is_quoted('\'') || is_quoted('"') {
        true => set::assign(
            &format!("{path}={}", content.trim_matches(['\'', '"'])),
            &result,
            &mut set::text,
        ),
        false => set::assign(&format!("{path}={content}"), &result, &mut set::typed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::helm::golden;
    use serde_json::json;

    fn map(value: &Value) -> Values {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn maps_are_merged_and_all_else_is_replaced() {
        let under = json!({"image": {"tag": "1", "repository": "web"}, "list": [1, 2], "gone": 1, "map": {"a": 1}});
        let over = json!({"image": {"tag": "2"}, "list": [3], "gone": null, "map": "text", "new": {"b": null}});
        let expected = json!({"image": {"tag": "2", "repository": "web"}, "list": [3], "gone": null, "map": "text", "new": {"b": null}});
        assert_eq!(Value::Object(merge(map(&under), map(&over))), expected);
    }

    #[test]
    fn what_is_no_map_is_refused_without_quoting_it() {
        assert_eq!(parse(b"- CANARY"), Err("the values are no map".to_owned()));
        assert!(
            parse(b"a: [CANARY")
                .is_err_and(|error| error.starts_with("the values are no YAML: line 1") && !error.contains("CANARY"))
        );
        assert_eq!(parse(b"# nothing\n"), Ok(Values::new()));
    }

    fn from(path: &str, literal: bool, name: usize) -> ValuesFrom {
        ValuesFrom {
            kind: "Secret".to_owned(),
            name: name.to_string(),
            key: "values.yaml".to_owned(),
            target_path: Some(path.to_owned()).filter(|path| !path.is_empty()),
            optional: false,
            literal,
        }
    }

    /// `golden/composed.jsonl`, written by what fluxcd/pkg does around Helm's own strvals.
    #[test]
    fn values_are_composed_as_flux_composes_them() {
        let rows = golden::rows("composed", include_str!("golden/composed.jsonl"));
        assert!(rows.len() >= 500);
        let mut wrong = Vec::new();
        for row in &rows {
            let given: Vec<&Value> = row[1].as_array().into_iter().flatten().collect();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let sources: Vec<ValuesFrom> = given
                .iter()
                .enumerate()
                .map(|(index, source)| from(&text(&source["path"]), source["literal"] == true, index))
                .collect();
            let mut look = |from: &ValuesFrom| {
                let index: usize = from.name.parse().expect("it is an index");
                Some(Data::from([(
                    from.key.clone(),
                    text(&given[index]["content"]).into_bytes(),
                )]))
            };
            let found = of_flux(&map(&row[0]), &sources, &mut look).map_or(Value::Null, Value::Object);
            if found != row[2] {
                wrong.push(format!("{row} but {found}"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {} wrong, such as\n{}",
            wrong.len(),
            rows.len(),
            wrong[0]
        );
    }

    /// The controller merges `values` again at the end: a second target path loses to them, the first one does not.
    #[test]
    fn a_target_path_wins_as_long_as_its_map_is_that_of_the_values() {
        let values = map(&json!({"auth": {"user": "", "password": ""}, "top": ""}));
        let sources = [
            from("auth.user", false, 0),
            from("auth.password", false, 1),
            from("top", false, 2),
        ];
        let mut look = |from: &ValuesFrom| Some(Data::from([(from.key.clone(), b"given".to_vec())]));
        let found = of_flux(&values, &sources, &mut look).expect("it is right");
        assert_eq!(
            Value::Object(found),
            json!({"auth": {"user": "given", "password": ""}, "top": ""})
        );
    }

    #[test]
    fn sources_of_values_are_read_and_missing_ones_told() {
        let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "web"}, "spec": {"valuesFrom": [
            {"kind": "ConfigMap", "name": "maybe", "optional": true},
            {"kind": "Secret", "name": "db", "valuesKey": "password", "targetPath": "db.password"},
        ]}});
        let sources = ValuesFrom::of_release(&Manifest::new(release).expect("it is complete"));
        let compose = |data: Option<Data>| {
            of_flux(&Values::new(), &sources, &mut |from| {
                data.clone().filter(|_| from.name == "db")
            })
        };
        assert_eq!(
            compose(None).expect_err("the Secret is missing").to_string(),
            "valuesFrom names Secret db, which is not declared"
        );
        assert_eq!(
            compose(Some(Data::new())).expect_err("the key is missing").to_string(),
            "valuesFrom names password of Secret db, which has no such key"
        );
        let canary = Data::from([("password".to_owned(), b"a,CANARY".to_vec())]);
        assert_eq!(
            compose(Some(canary)).expect_err("the comma begins a name").to_string(),
            "password of Secret db, which valuesFrom names: a name has no value"
        );
        let quoted = Data::from([("password".to_owned(), b"'0123'".to_vec())]);
        assert_eq!(
            Value::Object(compose(Some(quoted)).expect("it is right")),
            json!({"db": {"password": "0123"}})
        );
    }

    #[test]
    fn parameters_of_argo_cd_are_set_as_it_sets_them() {
        let mut values = map(&json!({"a": {"b": 1}}));
        for (name, value, force) in [
            ("a.c", "x,y", false),
            ("a.d", "x\\,y", false),
            ("list", "{1,two}", false),
            ("version", "1.10", true),
            ("port", "80", true),
            ("on", "true", false),
        ] {
            set_parameter(&mut values, name, value, force).expect("it is right");
        }
        set_file(&mut values, "file", "a.txt", &mut |path| {
            Ok(format!("content of {path}"))
        })
        .expect("it is there");
        let expected = json!({"a": {"b": 1, "c": "x,y", "d": "x,y"}, "file": "content of a.txt", "list": [1, "two"], "on": true, "port": "80", "version": "1.10"});
        assert_eq!(Value::Object(values), expected);
    }
}
