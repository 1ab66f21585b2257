//! refloat and kubectl as users run them.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::shared::process::{Ran, command, run};

/// A restore that ended well.
pub struct Restored {
    /// From the first request of an object to the last answer.
    pub writing: Duration,
    /// What passed before the first write: reading, asking the cluster, planning.
    pub before: Duration,
    /// From the first write until everything was ready.
    pub whole: Duration,
    /// MB.
    pub peak: f64,
}

/// `refloat plan` of a repository, without a cluster.
pub fn plan(repo: &Path, folder: &Path) -> Ran {
    let mut refloat = command(env!("CARGO_BIN_EXE_refloat"));
    refloat.args(["plan", "--kube-version", "1.37"]).arg(repo);
    run(refloat, folder).unwrap_or_else(|error| panic!("refloat plan failed: {error}"))
}

/// The objects of a repository in the order in which refloat would like to write them: `ConfigMap/settings-1`.
pub fn order(repo: &Path, folder: &Path) -> Vec<String> {
    let mut refloat = command(env!("CARGO_BIN_EXE_refloat"));
    refloat
        .args(["plan", "--kube-version", "1.37", "--output", "json"])
        .arg(repo);
    run(refloat, folder).unwrap_or_else(|error| panic!("refloat plan failed: {error}"));
    let text = std::fs::read(folder.join("stdout")).expect("because it was written");
    let plan: Value = serde_json::from_slice(&text).expect("because it is JSON");
    let steps = plan["steps"].as_array().expect("because a plan has steps");
    let id = |step: &Value| {
        let of = |key: &str| step["object"][key].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", of("kind"), of("name"))
    };
    steps.iter().map(id).collect()
}

/// `refloat restore` into a namespace.
pub fn restore(repo: &Path, kubeconfig: &Path, namespace: &str, folder: &Path) -> Restored {
    let report = folder.join(format!("{namespace}.json"));
    let mut refloat = command(env!("CARGO_BIN_EXE_refloat"));
    refloat
        .args(["restore", "--yes", "--context", "refloat-throwaway"])
        .args(["--old-cluster-is-gone", "--force-entry", "--namespace", namespace])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--report")
        .arg(&report)
        .arg(repo);
    let ran = run(refloat, folder).unwrap_or_else(|error| panic!("refloat restore failed: {error}"));
    let text = std::fs::read(&report).expect("because --report wrote it");
    let report: Value = serde_json::from_slice(&text).expect("because it is JSON");
    let steps = report["steps"].as_array().expect("because the report has all steps");
    let times = |name: &str| -> Vec<f64> { steps.iter().filter_map(|step| step[name].as_f64()).collect() };
    let (sent, written) = (times("sent"), times("written"));
    assert_eq!(written.len(), steps.len(), "everything was written");
    let writing = written.into_iter().fold(0.0, f64::max) - sent.into_iter().fold(f64::MAX, f64::min);
    let whole = report["seconds"].as_f64().expect("because the report has it");
    let whole = Duration::from_secs_f64(whole);
    Restored {
        writing: Duration::from_secs_f64(writing),
        before: ran.wall.saturating_sub(whole),
        whole,
        peak: ran.peak,
    }
}

/// `kubectl apply --server-side` of a folder into a namespace; the error says why there is no figure.
pub fn kubectl(folder_of_files: &Path, kubeconfig: &Path, namespace: &str, folder: &Path) -> Result<Ran, String> {
    let mut kubectl = command("kubectl");
    kubectl
        .args(["apply", "--server-side", "--recursive", "--namespace", namespace])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--filename")
        .arg(folder_of_files);
    run(kubectl, folder)
}
