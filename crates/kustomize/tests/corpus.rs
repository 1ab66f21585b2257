//! Small cases, one for each thing that kustomize does, with recorded outputs.
//!
//! `corpus/TOPIC.yaml` holds a case a document: `name`, `root` (the top folder where it is not said), `files` by path,
//! `unrestricted`, `differs`. `corpus/TOPIC.jsonl` holds what kustomize v5.8.1 makes of it, a line a case. `REFLOAT_BLESS=1` asks the Go
//! library again and writes those.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::oracle::{Built, Oracle};
use crate::support::{difference, ours};

/// A case, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    root: String,
    files: BTreeMap<String, String>,
    #[serde(default)]
    unrestricted: bool,
    /// Why this crate does something else on purpose.
    #[serde(default)]
    differs: Option<String>,
}

/// What kustomize makes of a case.
#[derive(Serialize, Deserialize)]
struct Recorded {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    objects: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn topics() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = std::fs::read_dir(folder).expect("because the corpus is there");
    let paths = entries.map(|entry| entry.expect("because it was just listed").path());
    let mut topics: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    topics.sort();
    topics
}

fn cases(topic: &Path) -> Vec<Case> {
    let text = std::fs::read(topic).expect("because it was just listed");
    let documents = kube_yaml::parse(&text).into_iter();
    let values = documents.map(|document| {
        let value = document
            .value
            .unwrap_or_else(|error| panic!("{}: {error:?}", topic.display()));
        serde_json::from_value(value).unwrap_or_else(|error| panic!("{}:{}: {error}", topic.display(), document.line))
    });
    values.collect()
}

/// The files of all cases, by their paths.
pub fn texts() -> Vec<(String, String)> {
    topics()
        .iter()
        .flat_map(|topic| cases(topic))
        .flat_map(|case| case.files)
        .collect()
}

fn record(topic: &Path, cases: &[Case], oracle: &mut Oracle) {
    let lines = cases.iter().map(|case| {
        let (objects, error) = match oracle.build(&case.files, &case.root, case.unrestricted) {
            Ok(objects) => (Some(objects), None),
            Err(error) => (None, Some(without_addresses(&error))),
        };
        let recorded = Recorded {
            name: case.name.clone(),
            objects,
            error,
        };
        serde_json::to_string(&recorded).expect("because it is JSON") + "\n"
    });
    std::fs::write(topic.with_extension("jsonl"), lines.collect::<String>()).expect("because the corpus is ours");
}

/// Go prints addresses, which differ each time.
fn without_addresses(error: &str) -> String {
    let mut parts = error.split("0x");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "0x…" + part.trim_start_matches(|digit: char| digit.is_ascii_hexdigit())
    })
}

fn recorded(topic: &Path) -> BTreeMap<String, Built> {
    let text = std::fs::read_to_string(topic.with_extension("jsonl")).expect("because each topic is recorded");
    let rows = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("because it was written as JSON"));
    rows.map(|row: Recorded| (row.name, row.objects.ok_or(row.error.unwrap_or_default())))
        .collect()
}

#[test]
fn the_corpus_comes_out_as_recorded() {
    let mut oracle = std::env::var_os("REFLOAT_BLESS").and_then(|_| Oracle::new());
    let (mut wrong, mut count) = (Vec::new(), 0);
    for topic in topics() {
        let cases = cases(&topic);
        if let Some(oracle) = &mut oracle {
            record(&topic, &cases, oracle);
        }
        let recorded = recorded(&topic);
        assert_eq!(
            recorded.len(),
            cases.len(),
            "{}: as many names as cases",
            topic.display()
        );
        for case in cases {
            count += 1;
            let theirs = recorded
                .get(&case.name)
                .unwrap_or_else(|| panic!("{} is not recorded", case.name));
            let ours = ours::build(&case.files, &case.root, case.unrestricted);
            let what = match (&ours, theirs) {
                (Ok(ours), Ok(theirs)) => difference(ours, theirs),
                (Err(_), Err(_)) => None,
                (Err(ours), Ok(_)) => Some(format!("fails: {ours}")),
                (Ok(_), Err(theirs)) => Some(format!("does not fail; kustomize: {theirs}")),
            };
            let what = match case.differs {
                None => what,
                Some(_) if what.is_some() => None,
                Some(_) => Some("does not differ any more".to_owned()),
            };
            wrong.extend(what.map(|what| format!("{} / {}: {what}", topic.display(), case.name)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} cases differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
