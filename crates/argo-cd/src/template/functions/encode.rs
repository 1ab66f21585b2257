//! Functions that encode and decode (sprig's `crypto.go`, `functions.go`; Argo CD's `template_functions.go`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use super::super::print::{json, to_json};
use super::Type::{Any, Text};
use super::{Failure, Function, Value, fail, fixed, short, text};

type Result<T> = std::result::Result<T, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("b64enc", &[Text], |_, args| {
        short(STANDARD.encode(text(args, 0).as_bytes()))
    }),
    fixed("b64dec", &[Text], |_, args| b64dec(&text(args, 0))),
    fixed("sha256sum", &[Text], |_, args| {
        Ok(hex(&Sha256::digest(text(args, 0).as_bytes())))
    }),
    fixed("sha512sum", &[Text], |_, args| {
        Ok(hex(&Sha512::digest(text(args, 0).as_bytes())))
    }),
    fixed("toJson", &[Any], |_, args| {
        short(json(&args[0], false, true).unwrap_or_default())
    }),
    fixed("mustToJson", &[Any], |_, args| short(json(&args[0], false, true)?)),
    fixed("toPrettyJson", &[Any], |_, args| {
        short(json(&args[0], true, true).unwrap_or_default())
    }),
    fixed("mustToPrettyJson", &[Any], |_, args| short(json(&args[0], true, true)?)),
    fixed("toRawJson", &[Any], |_, args| short(json(&args[0], false, false)?)),
    fixed("mustToRawJson", &[Any], |_, args| short(json(&args[0], false, false)?)),
    fixed("fromJson", &[Text], |_, args| {
        Ok(from_json(&text(args, 0)).unwrap_or(Value::Nil))
    }),
    fixed("mustFromJson", &[Text], |_, args| from_json(&text(args, 0))),
    fixed("toYaml", &[Any], |_, args| {
        let yaml = kube_yaml::to_go_string(&to_json(&args[0])?);
        short(yaml.strip_suffix('\n').unwrap_or(&yaml).to_owned())
    }),
    fixed("fromYaml", &[Text], |_, args| match from_yaml(&text(args, 0))? {
        Value::Nil => Ok(Value::map([])),
        map @ Value::Map(_) => Ok(map),
        other => fail(format!("cannot unmarshal {} into a map", other.kind_name())),
    }),
    fixed("fromYamlArray", &[Text], |_, args| match from_yaml(&text(args, 0))? {
        Value::Nil => Ok(Value::list([])),
        list @ Value::List(_) => Ok(list),
        other => fail(format!("cannot unmarshal {} into a list", other.kind_name())),
    }),
];

fn hex(bytes: &[u8]) -> Value {
    Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// What cannot be decoded is answered with the reason, as sprig does.
fn b64dec(of: &str) -> Result<Value> {
    let plain: String = of.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    match STANDARD.decode(&plain) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Value::from(text)),
            Err(_) => fail("what is decoded is no text"),
        },
        Err(_) => {
            // Go names the first byte that is wrong; of those it is the one that no alphabet has, or the end.
            let bad = of
                .bytes()
                .position(|b| !(b.is_ascii_alphanumeric() || b"+/=\r\n".contains(&b)));
            Ok(Value::from(format!(
                "illegal base64 data at input byte {}",
                bad.unwrap_or(of.len().saturating_sub(of.len() % 4))
            )))
        }
    }
}

fn from_json(text: &str) -> Result<Value> {
    match serde_json::from_str(text) {
        Ok(json) => Value::from_json(&json),
        Err(error) => fail(format!("invalid JSON at line {}", error.line())),
    }
}

fn from_yaml(text: &str) -> Result<Value> {
    match kube_yaml::parse_one(text.as_bytes()).value {
        Ok(json) => Value::from_json(&json),
        Err(error) => fail(format!(
            "error converting YAML to JSON: line {}: {}",
            error.line, error.message
        )),
    }
}
