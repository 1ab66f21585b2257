//! Go templates: recorded answers of `text/template` with sprig, and that library itself.
//!
//! `corpus/templates.txt` holds a template a line, all for the data of `corpus/data.json`; `corpus/templates.jsonl` holds what the library
//! makes of it with each option for missing keys, `null` where it fails. `REFLOAT_BLESS=1` asks the library again and writes those.

use std::path::Path;

use argo_cd::template::{MissingKey, render};
use serde_json::{Map, Value, json};

use crate::support::Oracle;

const TEMPLATES: &str = include_str!("corpus/templates.txt");

const OPTIONS: &[(&str, MissingKey)] = &[
    ("missingkey=default", MissingKey::NoValue),
    ("missingkey=zero", MissingKey::Zero),
    ("missingkey=error", MissingKey::Error),
];

pub fn data() -> Map<String, Value> {
    let data: Value = serde_json::from_str(include_str!("corpus/data.json")).expect("because it is JSON");
    data.as_object().expect("because it is a map").clone()
}

fn asked(oracle: &mut Oracle, text: &str, option: &str) -> Option<String> {
    oracle
        .ask(&json!({"mode": "template", "text": text, "options": [option], "data": data()}))
        .ok()
}

/// What the library made of each template when it was asked, by option.
fn recorded() -> Vec<Vec<Option<String>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/templates.jsonl");
    if let Some(mut oracle) = std::env::var_os("REFLOAT_BLESS").and_then(|_| Oracle::new()) {
        let lines = TEMPLATES.lines().map(|text| {
            let answers: Vec<_> = OPTIONS
                .iter()
                .map(|(option, _)| asked(&mut oracle, text, option))
                .collect();
            serde_json::to_string(&answers).expect("because it is JSON") + "\n"
        });
        std::fs::write(&path, lines.collect::<String>()).expect("because the corpus is ours");
    }
    let text = std::fs::read_to_string(path).expect("because the corpus is recorded");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("because it was written as JSON"))
        .collect()
}

#[test]
fn the_corpus_comes_out_as_recorded() {
    let recorded = recorded();
    assert_eq!(
        recorded.len(),
        TEMPLATES.lines().count(),
        "as many answers as templates"
    );
    let (data, mut wrong) = (data(), Vec::new());
    for (text, answers) in TEMPLATES.lines().zip(&recorded) {
        for ((option, missing), theirs) in OPTIONS.iter().zip(answers) {
            let ours = render(text, &data, *missing);
            if ours.as_ref().ok() != theirs.as_ref() {
                wrong.push(format!("{text} ({option})\n   ours   {ours:?}\n   theirs {theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        recorded.iter().filter(|answers| answers[0].is_some()).count() > 150,
        "most of them render"
    );
}

#[test]
fn the_library_still_says_what_is_recorded() {
    let Some(mut oracle) = Oracle::new() else { return };
    for (text, answers) in TEMPLATES.lines().zip(recorded()) {
        for ((option, _), recorded) in OPTIONS.iter().zip(answers) {
            assert_eq!(asked(&mut oracle, text, option), recorded, "{text} ({option})");
        }
    }
}
