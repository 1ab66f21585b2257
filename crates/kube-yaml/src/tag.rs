//! Scalars with a tag, as go-yaml v2 reads them.

use std::borrow::Cow;

use serde_yaml::granit_parser::Tag;

use crate::document::shown;
use crate::scalar::{Scalar, looks_like_date, resolve};

const CORE: &str = "tag:yaml.org,2002:";

/// `int` of `tag:yaml.org,2002:int`, however it is written.
pub(crate) fn core_suffix(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace(CORE)
}

/// A scalar with a tag. Tags that YAML does not define are dropped and leave text.
pub(crate) fn tagged<'t>(tag: &Tag, text: Cow<'t, str>) -> Result<Scalar<'t>, String> {
    let suffix = core_suffix(tag);
    let wanted = suffix.as_deref().unwrap_or_default();
    let refused = || Err(format!("the value is not what its tag !!{} says", shown(wanted)));
    match wanted {
        "binary" => {
            let bytes = base64(&text).ok_or("the value of a !!binary tag is not base64")?;
            Ok(Scalar::Text(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())))
        }
        "timestamp" => match looks_like_date(&text) {
            true => Ok(Scalar::Text(text)),
            false => refused(),
        },
        "bool" | "int" | "float" | "null" => match (wanted, resolve(text)) {
            ("null", Scalar::Null) => Ok(Scalar::Null),
            ("bool", Scalar::Bool(value)) => Ok(Scalar::Bool(value)),
            ("int", Scalar::Int(value)) => Ok(Scalar::Int(value)),
            ("int", Scalar::Uint(value)) => Ok(Scalar::Uint(value)),
            ("float", Scalar::Float(value)) => Ok(Scalar::Float(value)),
            ("float", Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
            _ => refused(),
        },
        _ => Ok(Scalar::Text(text)),
    }
}

/// Standard base64 with padding; line breaks are skipped, as Go's decoder does.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held, mut seen, mut padding) = (0u32, 0u32, 0usize, 0usize);
    for byte in text.bytes() {
        let six = match byte {
            b'\n' | b'\r' => continue,
            b'=' => {
                padding += 1;
                seen += 1;
                continue;
            }
            _ if padding > 0 => return None,
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        seen += 1;
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    (seen % 4 == 0 && padding <= 2).then_some(out)
}
