//! Changes inside of texts that are YAML or JSON themselves, such as a file in a ConfigMap.
//!
//! kustomize writes changed YAML with its comments, quotes and flow style; here it is written anew without them.

use serde_json::Value;

use super::source::Source;
use super::visit::{Make, Spot, visit};
use crate::path;
use crate::plain::Tag;
use crate::trouble::{Outcome, Trouble};

/// What the text of a scalar is as YAML.
pub(crate) fn parse(scalar: &Value) -> Outcome<Value> {
    let text = crate::plain::text(scalar);
    let nothing = || Trouble::new("expected a mapping but found nothing");
    let first = kube_yaml::parse_kustomize(text.as_bytes())
        .into_iter()
        .next()
        .ok_or_else(nothing)?;
    match first.value.map_err(|error| Trouble::new(error.message))? {
        Value::Null => Err(nothing()),
        value => Ok(value),
    }
}

/// Puts a value into the text that a path goes through. `None` where it goes through none, or anything is in the way: kustomize then
/// takes the path for one of the object alone.
pub(crate) fn set(target: &mut Value, source: &Source, parts: &[String], make: Option<Make>) -> Option<()> {
    let (through, inner, mut parsed) = (1..parts.len()).find_map(|at| {
        let (through, inner) = parts.split_at_checked(at)?;
        let found = path::lookup(target, through).ok().flatten()?;
        let is_text = !found.is_array() && !found.is_object();
        is_text
            .then(|| parse(found).ok())
            .flatten()
            .map(|parsed| (through, inner, parsed))
    })?;
    // Options do not count here.
    let mut put = |Spot { value, open, .. }: Spot<'_>| {
        *value = match open.map_or(Tag::of(value), |_| Some(Tag::Open)) {
            Some(tag) => tag.read(source.text())?,
            None => source.value()?,
        };
        Ok(())
    };
    let count = visit(&mut parsed, inner, make, &mut put).ok()?;
    let field = path::lookup_mut(target, through).ok().flatten().filter(|_| count > 0)?;
    let before = crate::plain::text(field);
    let tag = Tag::of(field)?;
    *field = tag.read(&write(&parsed, &before)).ok()?;
    Some(())
}

/// The changed content, as JSON where it was JSON.
fn write(value: &Value, before: &str) -> String {
    if !before.trim_start().starts_with(['{', '[']) {
        return kube_yaml::to_string(value).trim().to_owned();
    }
    let mut text = String::new();
    crate::generate::hash::write_value(&mut text, value);
    if !(before.contains('\n') && before.contains("  ")) {
        return text;
    }
    indent(&text)
}

/// Compact JSON in lines, each level two spaces further in; what is empty stays on its line.
fn indent(compact: &str) -> String {
    let mut text = String::with_capacity(compact.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    let mut letters = compact.chars().peekable();
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(letter) = letters.next() {
        if quoted {
            text.push(letter);
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            '{' | '[' => {
                text.push(letter);
                match letters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => text.push(end),
                    None => {
                        depth += 1;
                        line(&mut text, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(letter);
            }
            ',' => {
                text.push(',');
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            letter => {
                quoted = letter == '"';
                text.push(letter);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_as_go_does() {
        let compact = r#"{"a":{"e":[],"l":[1,{"q":null}],"o":{},"z":"x: {\"[,\\"},"b":1}"#;
        let value: Value = serde_json::from_str(compact).expect("JSON");
        assert_eq!(indent(compact), serde_json::to_string_pretty(&value).expect("JSON"));
    }
}
