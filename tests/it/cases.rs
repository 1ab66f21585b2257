//! Real repositories, where they are present beside this one.

use serde_json::Value;

use crate::support::repo::case;
use crate::support::run::{Ran, refloat};

/// A drill of a case; `None` where it is not present.
fn drill(name: &str, args: &[&str]) -> Option<(Ran, Value)> {
    let (folder, clone) = case(name)?;
    let report = folder.path().join("report.json");
    let shown = report.display().to_string();
    let mut all = vec!["drill", "--report", &shown];
    all.extend(args);
    let clone = clone.display().to_string();
    all.push(&clone);
    let ran = refloat(all).run();
    let text = std::fs::read(&report).unwrap_or_else(|_| panic!("{}\n{}", ran.stdout, ran.stderr));
    Some((ran, serde_json::from_slice(&text).expect("because the report is JSON")))
}

/// How many objects ended with this action, and the names of those that did not become what was declared.
fn actions(report: &Value, action: &str) -> Vec<String> {
    let steps = report["steps"].as_array().expect("because a report has steps");
    let text = |step: &Value, key: &str| step["object"][key].as_str().unwrap_or_default().to_owned();
    let of = steps.iter().filter(|step| step["action"] == action);
    of.map(|step| format!("{}/{}", text(step, "kind"), text(step, "name")))
        .collect()
}

#[test]
fn bank_of_anthos_comes_back_whole() {
    let paths = ["--path", "kubernetes-manifests", "--path", "extras/jwt/jwt-secret.yaml"];
    let Some((ran, report)) = drill("bank-of-anthos", &paths) else {
        return;
    };
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(actions(&report, "created").len(), 24);
    assert_eq!(report["verified"]["clean"], true, "{}", ran.stdout);
}

#[test]
fn jx3_eagle_comes_back_but_for_what_kubernetes_dropped() {
    let Some((ran, report)) = drill("jx3-eagle", &["--path", "config-root"]) else {
        return;
    };
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(actions(&report, "created").len(), 409, "{}", ran.stdout);
    assert_eq!(
        actions(&report, "skipped"),
        ["PodSecurityPolicy/grafana", "PodSecurityPolicy/tekton-pipelines"]
    );
    assert_eq!(report["verified"]["clean"], true, "{}", ran.stdout);
    let problems = report["problems"].as_array().expect("because a report has problems");
    assert_eq!(problems.len(), 2, "two keys given twice: {problems:?}");
}
