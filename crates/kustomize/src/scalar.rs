//! Scalars as texts: kustomize compares and selects them by the text that the YAML has.

use std::borrow::Cow;

use serde_json::Value;

/// The text of a scalar; empty for null, lists and objects, as kyaml's nodes have none.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Cow::Borrowed(""),
    }
}
