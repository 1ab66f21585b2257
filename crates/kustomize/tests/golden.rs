//! Recorded outputs of real repositories, where they are present beside this one.

use kustomize::{Error, Folder, Kustomize, Nothing};
use serde_json::Value;

use crate::support::golden::{Golden, Row, golden, rows};
use crate::support::{difference, ours};

fn recorded(golden: &Golden, root: &str) -> Vec<Value> {
    let name = format!("{}.yaml", root.replace('/', "__"));
    let text = std::fs::read(golden.outputs.join(name)).expect("because each good root has an output");
    let documents = kube_yaml::parse(&text).into_iter();
    documents
        .filter_map(|document| document.value.ok())
        .filter(|value| !value.is_null())
        .collect()
}

/// An error that says where it is and what is missing: the file or folder of the manifest's cause, or an address.
fn names(error: &Error, cause: &str) -> bool {
    let Some((folder, _)) = error
        .file
        .rsplit_once('/')
        .filter(|(_, file)| file.to_lowercase().contains("kustomization"))
    else {
        return false;
    };
    let quoted = error.message.split('"').nth(1).unwrap_or_default();
    let missing = match cause.rsplit_once(": ") {
        Some((_, missing)) => format!("{folder}/{}", quoted.trim_start_matches("./")).starts_with(missing),
        None => error.message.contains("https://"),
    };
    missing && !error.field.is_empty()
}

fn check(name: &str, good: usize, bad: usize) {
    let Some(golden) = golden(name) else { return };
    let files = Folder::open(&golden.clone).expect("because it was just cloned");
    let kustomize = Kustomize::new(&files, &Nothing, ours::options(false));
    let (mut wrong, mut counts) = (Vec::new(), (0, 0));
    for Row { root, cause } in rows(&golden) {
        match (kustomize.build(&root), cause) {
            (Ok(build), None) => {
                counts.0 += 1;
                let objects: Vec<Value> = build.objects.iter().map(|object| Value::clone(&object.value)).collect();
                let what = difference(&objects, &recorded(&golden, &root));
                wrong.extend(what.map(|what| format!("{root}: {what}")));
            }
            (Err(errors), Some(cause)) => {
                counts.1 += 1;
                if !errors.errors.iter().any(|error| names(error, &cause)) {
                    wrong.push(format!("{root}: {errors}\n  does not name {cause}"));
                }
            }
            (Ok(_), Some(cause)) => wrong.push(format!("{root} does not fail: {cause}")),
            (Err(errors), None) => wrong.push(format!("{root}: {errors}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{name}: {} roots are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(counts, (good, bad), "{name}: roots that are good, and that fail");
}

#[test]
fn bank_of_anthos_comes_out_as_recorded() {
    check("bank-of-anthos", 43, 0);
}

#[test]
fn flux_examples_come_out_as_recorded() {
    check("flux2-multi-tenancy", 6, 0);
    check("flux2-kustomize-helm-example", 6, 0);
}

#[test]
fn gitops_catalog_comes_out_as_recorded() {
    check("gitops-catalog", 283, 46);
}

#[test]
fn home_ops_comes_out_as_recorded() {
    check("home-ops", 108, 2);
}

#[test]
fn jx3_eagle_fails_as_recorded() {
    check("jx3-eagle", 0, 1);
}
