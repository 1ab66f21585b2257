//! refloat and kubectl as users run them, with the time they take and the memory they need.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A process that ended well.
pub struct Ran {
    /// From start to end.
    pub wall: Duration,
    /// The most memory that it had at once (`VmHWM`), in MB; 0 where the system does not tell.
    pub peak: f64,
}

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

#[expect(clippy::disallowed_methods, reason = "the tools are measured as users run them")]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// Runs a program to its end; its output goes into files beside each other. The error says what went wrong.
fn run(mut command: Command, folder: &Path) -> Result<Ran, String> {
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    let file = |path: &PathBuf| File::create(path).map(Stdio::from).map_err(|error| error.to_string());
    let start = Instant::now();
    let mut child = command
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(file(&out)?)
        .stderr(file(&err)?)
        .spawn()
        .map_err(|error| error.to_string())?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0.0;
    loop {
        // The kernel forgets it when the process ends: what it grows in its last moments is missed.
        peak = peak_of(&status).unwrap_or(peak);
        if let Some(ended) = child.try_wait().map_err(|error| error.to_string())? {
            let wall = start.elapsed();
            return if ended.success() {
                Ok(Ran { wall, peak })
            } else {
                Err(std::fs::read_to_string(&err).unwrap_or_default())
            };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn peak_of(status: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1024.0)
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
