//! The table `reference/texts.jsonl`: values, and what go-yaml v2 writes of them, their keys sorted. `helm-oracle golden texts 1 350`
//! of tests/tools writes the rows.

use serde_json::Value;

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&map[key]))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        leaf => leaf.clone(),
    }
}

#[test]
fn writes_what_go_writes() {
    let rows: Vec<Value> = include_str!("reference/texts.jsonl")
        .lines()
        .map(|row| serde_json::from_str(row).expect("because the rows are JSON"))
        .collect();
    assert!(rows.len() >= 300);
    let mut wrong = Vec::new();
    for row in &rows {
        let found = kube_yaml::to_go_string(&sorted(&row[0]));
        if Some(&*found) != row[1].as_str() {
            wrong.push(format!(
                "{}\n{:?}\n{:?}",
                row[0],
                found,
                row[1].as_str().unwrap_or_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, such as\n{}", wrong.len(), wrong[0]);
}
