//! When two plain values are one.

use serde_json::Value;

/// Values that the server leaves out: `null`, empty maps and lists, and the zero values of fields with `omitempty`.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_nothing),
        Value::Array(list) => list.is_empty(),
        Value::Bool(flag) => !flag,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
    }
}

/// Equal, whatever the spelling.
pub(super) fn same_scalar(declared: &Value, live: &Value) -> bool {
    if declared == live || (is_nothing(declared) && is_nothing(live)) {
        return true;
    }
    if let (Some(declared), Some(live)) = (declared.as_f64(), live.as_f64()) {
        return declared == live;
    }
    match (quantity(declared), quantity(live)) {
        (Some(declared), Some(live)) => declared == live,
        _ => false,
    }
}

/// A Kubernetes quantity in billionths, rounded up; `None` for other values.
/// Suffixes as in apimachinery's `resource.Quantity`.
fn quantity(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+'));
    let (number, suffix) = text.split_at(split.unwrap_or(text.len()));
    if number.is_empty() {
        None
    } else {
        billionths(number, suffix)
    }
}

fn billionths(number: &str, suffix: &str) -> Option<i128> {
    let nano: i128 = 1_000_000_000;
    let factor: i128 = match suffix {
        "" => nano,
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "k" => nano * 1_000,
        "M" => nano * 1_000_000,
        "G" => nano * 1_000_000_000,
        "T" => nano * 1_000_000_000_000,
        "P" => nano * 1_000_000_000_000_000,
        "E" => nano * 1_000_000_000_000_000_000,
        "Ki" => nano << 10,
        "Mi" => nano << 20,
        "Gi" => nano << 30,
        "Ti" => nano << 40,
        "Pi" => nano << 50,
        "Ei" => nano << 60,
        _ => nano.checked_mul(10_i128.checked_pow(suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?)?,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole_value = if whole.is_empty() {
        0
    } else {
        whole.parse::<i128>().ok()?
    }
    .checked_mul(factor)?;
    if part.is_empty() {
        return Some(whole_value);
    }
    let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part_value = part.parse::<i128>().ok()?.checked_mul(factor)? / scale;
    Some(if whole.starts_with('-') {
        whole_value - part_value
    } else {
        whole_value + part_value
    })
}
