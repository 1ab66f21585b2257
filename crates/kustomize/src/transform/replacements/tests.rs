//! Replacements as kustomize 5.8.1 makes them: `cases.json` has what its binary printed, or the error.

use serde_json::Value;

use super::{Spec, apply};
use crate::generate::tests::Folder;
use crate::resmap::ResMap;
use crate::resource::Resource;

fn objects(text: &str) -> Vec<Value> {
    let documents = kube_yaml::parse(text.as_bytes());
    documents
        .into_iter()
        .map(|document| document.value.expect("YAML"))
        .filter(|value| !value.is_null())
        .collect()
}

fn by_name(objects: &mut [Value]) {
    objects.sort_by_key(|object| object["metadata"]["name"].to_string());
}

/// The objects after the replacements of a case, without the source that most cases have in common when it is as before.
fn replaced(case: &Value, source: &[Value]) -> Result<Vec<Value>, String> {
    let text = |field: &str| case[field].as_str().unwrap_or_default();
    let list = source.iter().cloned().chain(objects(text("resources")));
    let mut map = ResMap {
        list: list
            .map(|object| Resource::new(object.into(), Default::default()))
            .collect(),
    };
    let replacements = objects(text("replacements")).remove(0);
    let mut folder = Folder::default();
    if let Some(content) = case["files"]["f.yaml"].as_str() {
        folder.0.insert("f.yaml", content.into());
    }
    let items = replacements.as_array().expect("a list");
    folder
        .run(|cx| apply(&mut map, &Spec::from_field(items, cx)?, cx))
        .map_err(|trouble| trouble.message)?;
    Ok(map
        .list
        .into_iter()
        .map(|resource| Value::clone(&resource.value))
        .collect())
}

/// 1.0 is 1.
fn plain(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 1e15)
            {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        Value::Object(fields) => fields.values_mut().for_each(plain),
        _ => {}
    }
}

#[test]
fn replacements_are_made_as_kustomize_makes_them() {
    let file: Value = serde_json::from_str(include_str!("cases.json")).expect("cases");
    let source = objects(file["source"].as_str().expect("a source"));
    let cases = file["cases"].as_array().expect("cases");
    let mut wrong = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let has_source = if case["source"] == true { source.as_slice() } else { &[] };
        let got = replaced(case, has_source).map(|mut got| {
            got.retain(|object| !source.contains(object));
            got
        });
        let same = match (&got, case["expected"].as_str()) {
            (Ok(got), Some(expected)) => {
                let (mut got, mut expected) = (got.clone(), objects(expected));
                by_name(&mut got);
                by_name(&mut expected);
                got.iter_mut().chain(&mut expected).for_each(plain);
                got == expected
            }
            (Err(_), None) => true,
            _ => false,
        };
        if !same {
            let got = got.map(|got| got.iter().map(kube_yaml::to_string).collect::<Vec<_>>().join("---\n"));
            wrong.push(format!("case {at}: {case:#}\ngot {got:#?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
