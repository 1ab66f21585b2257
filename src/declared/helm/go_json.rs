//! JSON exactly as Go's `encoding/json` writes it, to the byte: for checksums that engines take over it. Pure.

use serde_json::{Map, Number, Value};

/// One value, without a line feed at the end. Keys are written in the order they have.
pub(super) fn encode(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

/// The same value with the keys of all maps in order, as Go writes maps.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries.into_iter().map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        leaf => leaf.clone(),
    }
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_text(out, key);
                out.push(':');
                write(out, value);
            }
            out.push('}');
        }
    }
}

/// Every number was a `float64` in between.
fn write_number(out: &mut String, number: &Number) {
    let value = number.as_f64().unwrap_or_default();
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let scientific = format!("{value:e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        out.push_str(&format!("{mantissa}e{sign}{exponent}"));
    } else {
        out.push_str(&value.to_string());
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Read off Go 1.26's `encoding/json`.
    #[test]
    fn writes_as_go_does() {
        let value = json!({"b": "<a href=\"x\">\u{2028}\u{7f}é\u{1}\u{8}", "a": [1, 1.0, 0.5, 1e20, 1e21, 1e-6, 1e-7, -2.5e-9, 9007199254740993u64]});
        assert_eq!(
            encode(&sorted(&value)),
            "{\"a\":[1,1,0.5,100000000000000000000,1e+21,0.000001,1e-7,-2.5e-9,9007199254740992],\"b\":\"\\u003ca href=\\\"x\\\"\\u003e\\u2028\u{7f}é\\u0001\\b\"}"
        );
    }
}
