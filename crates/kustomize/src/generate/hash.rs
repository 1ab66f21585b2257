//! The hash that the names of generated objects end in.

use std::fmt::Write;

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use crate::id::text;
use crate::trouble::{Outcome, Trouble};

/// The hash of an object: ten characters.
///
/// It is that of a JSON text with sorted keys that has the kind, the data, and an empty name: kustomize looks for a field that is called
/// `metadata/name`, and there is none.
///
/// # Errors
///
/// For another kind than ConfigMap and Secret. kustomize hashes its parser's nodes then, with line, column, style and comments; it comes
/// to that only when a patch changes the kind of a generated object.
pub(crate) fn hash(object: &Value) -> Outcome<String> {
    let mut text = String::new();
    match text_of(object, "kind") {
        "ConfigMap" => {
            text.push('{');
            if let Some(binary) = object.get("binaryData").filter(|binary| binary.is_object()) {
                write_field(&mut text, "binaryData", binary);
            }
            write_field(&mut text, "data", data(object));
            text.push_str("\"kind\":\"ConfigMap\",\"name\":\"\"}");
        }
        "Secret" => {
            text.push('{');
            write_field(&mut text, "data", data(object));
            text.push_str("\"kind\":\"Secret\",\"name\":\"\",");
            if let Some(texts) = object.get("stringData").filter(|texts| texts.is_object()) {
                write_field(&mut text, "stringData", texts);
            }
            text.push_str("\"type\":");
            write_text(&mut text, text_of(object, "type"));
            text.push('}');
        }
        kind => {
            return Err(Trouble::new(format!(
                "no hash is known for the name of a generated {kind}"
            )));
        }
    }
    Ok(encode(&Sha256::digest(text.as_bytes())))
}

fn text_of<'a>(object: &'a Value, field: &'static str) -> &'a str {
    text(object, &[field])
}

/// The data; that which is missing counts as an empty text.
fn data(object: &Value) -> &Value {
    static NONE: Value = Value::String(String::new());
    object.get("data").unwrap_or(&NONE)
}

/// The first five bytes in hexadecimal, with other characters for those that could make words.
fn encode(digest: &[u8]) -> String {
    let nibbles = digest.iter().take(5).flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .map(|nibble| char::from(b"gh2k456789mbcdtf"[usize::from(nibble & 15)]))
        .collect()
}

fn write_field(text: &mut String, name: &str, value: &Value) {
    write_text(text, name);
    text.push(':');
    write_value(text, value);
    text.push(',');
}

/// JSON as Go's `encoding/json` writes it.
pub(crate) fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_number(text, number),
        Value::String(string) => write_text(text, string),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => write_object(text, fields),
    }
}

fn write_object(text: &mut String, fields: &Map<String, Value>) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| key.as_str());
    text.push('{');
    for (at, (key, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_text(text, key);
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

/// A number as Go writes one that it read as a 64-bit float: with an exponent only when very small or large.
fn write_number(text: &mut String, number: &Number) {
    let float = number.as_f64().unwrap_or_default();
    let size = float.abs();
    let written = if float != 0.0 && !(1e-6..1e21).contains(&size) {
        let scientific = format!("{float:e}");
        match scientific.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
            _ => scientific,
        }
    } else {
        format!("{float}")
    };
    text.push_str(&written);
}

/// A text in quotes. Go escapes what HTML and JavaScript could take amiss.
fn write_text(text: &mut String, string: &str) {
    text.push('"');
    let mut plain = 0;
    for (at, letter) in string.char_indices() {
        if !matches!(
            letter,
            '\0'..='\u{1f}' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}'
        ) {
            continue;
        }
        text.push_str(string.get(plain..at).unwrap_or_default());
        plain = at + letter.len_utf8();
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            letter => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            }
        }
    }
    text.push_str(string.get(plain..).unwrap_or_default());
    text.push('"');
}
