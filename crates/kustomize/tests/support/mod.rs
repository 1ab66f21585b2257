//! What the tests and benches share.
#![allow(dead_code, reason = "not all of them need all of it")]

pub mod golden;
pub mod oracle;
pub mod ours;

use serde_json::Value;

/// Equal as JSON: the order of keys does not count, and neither does how a number is written.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || !(a.is_i64() && b.is_i64()) && near(a.as_f64(), b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// The reader of the recorded numbers may be off by the last bit.
fn near(a: Option<f64>, b: Option<f64>) -> bool {
    let (a, b) = (a.unwrap_or(f64::NAN), b.unwrap_or(f64::NAN));
    a == b || (a - b).abs() <= f64::EPSILON * a.abs()
}

/// Where two lists of objects begin to differ, in words; `None` where they are the same.
pub fn difference(ours: &[Value], theirs: &[Value]) -> Option<String> {
    let at = ours.iter().zip(theirs).position(|(a, b)| !same(a, b));
    match at {
        None if ours.len() == theirs.len() => None,
        None => {
            let (name, longer) = if ours.len() > theirs.len() {
                ("ours", ours)
            } else {
                ("kustomize's", theirs)
            };
            let first = &longer[ours.len().min(theirs.len())];
            Some(format!(
                "{} objects, not {}; {name} goes on with {first}",
                ours.len(),
                theirs.len()
            ))
        }
        Some(at) => {
            let (path, a, b) = first_difference(&ours[at], &theirs[at]);
            Some(format!(
                "object {at}{path}: {a}\n  but kustomize: {b}\n  in {}",
                theirs[at]
            ))
        }
    }
}

fn first_difference(a: &Value, b: &Value) -> (String, String, String) {
    let deeper = |key: &str, a: &Value, b: &Value| {
        let (path, a, b) = first_difference(a, b);
        (format!("/{key}{path}"), a, b)
    };
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            for (key, a) in x {
                match y.get(key) {
                    None => return (format!("/{key}"), a.to_string(), "nothing".to_owned()),
                    Some(b) if !same(a, b) => return deeper(key, a, b),
                    Some(_) => {}
                }
            }
            let missing = y.iter().find(|(key, _)| !x.contains_key(*key));
            match missing {
                Some((key, b)) => (format!("/{key}"), "nothing".to_owned(), b.to_string()),
                None => (String::new(), a.to_string(), b.to_string()),
            }
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            match x.iter().zip(y).position(|(a, b)| !same(a, b)) {
                Some(at) => deeper(&at.to_string(), &x[at], &y[at]),
                None => (String::new(), a.to_string(), b.to_string()),
            }
        }
        _ => (String::new(), a.to_string(), b.to_string()),
    }
}
