//! The table `reference/cases.jsonl`: what Kubernetes' own code reads. Each row has a `text`, the `documents`
//! that apimachinery's `YAMLOrJSONDecoder` (0.37) gives for it, and `error` if it ends with one. `parse_one`
//! must give what `sigs.k8s.io/yaml` (1.6) gives: the first document, or `one` where that says otherwise.
//! `reference/main.go` writes the rows again from their texts.

use kube_yaml::{Document, parse, parse_one};
use serde_json::Value;

/// JSON numbers are compared as Kubernetes compares them: integers within i64, else as f64.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || !(a.is_i64() && b.is_i64()) && a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn reads(found: &[Document], row: &Value) -> bool {
    let expected = row["documents"].as_array().expect("because every row has documents");
    let good = found.iter().take(expected.len());
    let prefix = good.len() == expected.len()
        && good
            .zip(expected)
            .all(|(found, expected)| found.value.as_ref().is_ok_and(|v| same(v, expected)));
    let rest = &found[expected.len().min(found.len())..];
    match row["error"] == true {
        // Kubernetes stops at the error; this crate reads on.
        true => prefix && rest.first().is_some_and(|d| d.value.is_err()),
        false => prefix && rest.is_empty(),
    }
}

fn reads_one(found: &Document, row: &Value) -> bool {
    let first = match &row["one"] {
        Value::String(word) if word == "differs" => return true,
        Value::String(_) => None,
        Value::Object(one) => Some(&one["value"]),
        _ if row["error"] == true && row["documents"][0].is_null() => None,
        _ => Some(&row["documents"][0]),
    };
    match (first, &found.value) {
        (Some(expected), Ok(value)) => same(value, expected),
        (expected, value) => expected.is_none() && value.is_err(),
    }
}

#[test]
fn reads_what_kubernetes_reads() {
    let table = include_str!("reference/cases.jsonl");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let row: Value = serde_json::from_str(line).expect("because the table is JSON");
        let text = row["text"].as_str().expect("because every row has a text");
        let documents = parse(text.as_bytes());
        if !reads(&documents, &row) {
            wrong.push(format!("parse: {row}\n  gives {documents:?}"));
        }
        let one = parse_one(text.as_bytes());
        if !reads_one(&one, &row) {
            wrong.push(format!("parse_one: {row}\n  gives {:?}", one.value));
        }
    }
    assert!(table.lines().count() > 700, "the table is cut short");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
