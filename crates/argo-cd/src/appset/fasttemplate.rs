//! Templates without `goTemplate` (`valyala/fasttemplate`, as `applicationset/utils/utils.go` uses it).

use super::params::Params;
use crate::template::{Failure, Value};

/// A text with its `{{ name }}` replaced by parameters that are texts; all others stay as they are.
///
/// # Errors
///
/// `{{` without an end, in a text that has both marks on one line.
pub(crate) fn replace(text: &str, params: &Params) -> Result<String, Failure> {
    let marked = |line: &str| line.find("{{").is_some_and(|at| line[at + 2..].contains("}}"));
    if !text.split('\n').any(marked) {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let inside = &rest[start + 2..];
        let Some(end) = inside.find("}}") else {
            return Err(Failure::new("cannot find the end tag \"}}\" in the template"));
        };
        out.push_str(&rest[..start]);
        let tag = &inside[..end];
        match params.entries.get(tag.trim()) {
            Some(Value::Text(value)) if !tag.trim().is_empty() => out.push_str(value),
            _ => {
                out.push_str("{{");
                out.push_str(tag);
                out.push_str("}}");
            }
        }
        rest = &inside[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}
