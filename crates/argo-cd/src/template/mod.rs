//! Go templates with the functions of sprig, as Argo CD renders ApplicationSets with `goTemplate: true`
//! (`applicationset/utils/utils.go`, `Replace`; `text/template` of Go 1.26; `Masterminds/sprig` 3.3).
//!
//! Everything has bounds: steps, output, levels. Nothing reads the clock, the environment, files or random numbers: sprig's functions that do
//! are refused by name, and so are those that this crate does not have.

mod argument;
mod bounds;
mod exec;
mod functions;
mod lex;
mod node;
mod parse;
mod print;
mod printf;
mod value;

use serde_json::{Map, Value as Json};

pub(crate) use functions::merge_over;
pub(crate) use print::{display, to_json};
pub(crate) use value::Value;

/// What stands in for a key that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// `<no value>`; Go's `default` and `invalid`.
    #[default]
    NoValue,
    /// The zero value of the map's type: of `map[string]any` still `<no value>`, of labels the empty text.
    Zero,
    /// Nothing: it is an error.
    Error,
}

/// Why a template was not rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Whether a key or field that is not there is the reason (`isMissingKeyError`).
    pub missing_key: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            missing_key: false,
        }
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            missing_key: true,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Reads `goTemplateOptions`; the last that is given counts.
///
/// # Errors
///
/// An option that `text/template` does not know, at which Argo CD's controller would end.
pub fn missing_key<'a>(options: impl IntoIterator<Item = &'a str>) -> Result<MissingKey, Failure> {
    let mut found = MissingKey::default();
    for option in options {
        found = match option {
            "missingkey=default" | "missingkey=invalid" => MissingKey::NoValue,
            "missingkey=zero" => MissingKey::Zero,
            "missingkey=error" => MissingKey::Error,
            other => return Err(Failure::new(format!("{other:?} is no option of Go templates"))),
        };
    }
    Ok(found)
}

/// Renders a template with some parameters.
///
/// ```
/// use argo_cd::template::{MissingKey, render};
/// let params = serde_json::json!({"cluster": "eu-1", "labels": {"env": "prod"}});
/// let params = params.as_object().expect("it is a map");
/// let text = render("{{ .cluster | upper }}{{ if eq .labels.env \"prod\" }}!{{ end }}", params, MissingKey::Error)?;
/// assert_eq!(text, "EU-1!");
/// let failure = render("{{ .nmae }}", params, MissingKey::Error).expect_err("there is no such key");
/// assert_eq!(failure.to_string(), "map has no entry for key \"nmae\"");
/// # Ok::<(), argo_cd::template::Failure>(())
/// ```
///
/// # Errors
///
/// A template that does not parse, that fails, or that goes beyond its bounds.
pub fn render(text: &str, params: &Map<String, Json>, missing: MissingKey) -> Result<String, Failure> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let entries = params.iter();
    let entries: Result<Vec<_>, Failure> = entries
        .map(|(key, value)| Ok((key.as_str().into(), Value::from_json(value)?)))
        .collect();
    render_value(text, Value::map(entries?), missing)
}

/// Renders a template with parameters of Go's types.
pub(crate) fn render_value(text: &str, params: Value, missing: MissingKey) -> Result<String, Failure> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let templates = parse::parse(text, &functions::known)?;
    exec::execute(&templates, params, missing)
}

/// Whether a text has a match of a regular expression of Go; not for one that cannot be read.
pub(crate) fn matches_regex(pattern: &str, text: &str) -> bool {
    functions::compile(pattern).is_ok_and(|regex| regex.is_match(text))
}
