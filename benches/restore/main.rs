//! How fast a restore is, as a share of what the same API server gives a client that only sends the same bodies.
//!
//! ```text
//! cargo bench --bench restore                 all scenarios (some 10 minutes on 2 cores)
//! cargo bench --bench restore -- --quick      fewer objects, 3 pairs
//! ```
//!
//! Each scenario runs in pairs, raw client and refloat in turn (the order alternates), into a fresh namespace each time; the
//! share is taken pair by pair, and the median is told, so that a noisy machine troubles both alike. refloat's time is that of
//! the engine, from its first to its last event; reading, planning and asking the cluster beforehand is told beside it.
//! Distance is a proxy on loopback that holds every byte for 10 ms in each direction. Where kubectl is on the PATH, the same
//! files are applied with it once.

mod distance;
mod objects;
mod raw;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use refloat::control_plane::{self, ControlPlane, Sources};

use objects::Set;
use raw::{Request, Server};

/// One thing to measure.
struct Scenario {
    name: &'static str,
    set: Set,
    count: usize,
    pairs: usize,
    /// Connections of the raw client: the best number for this distance.
    connections: usize,
    far: bool,
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let quick = std::env::args().any(|arg| arg == "--quick");
    let pairs = if quick { 3 } else { 5 };
    let size = |all, few| if quick { few } else { all };
    let scenarios = [
        Scenario {
            name: "ConfigMaps",
            set: Set::ConfigMaps,
            count: size(2_000, 500),
            pairs,
            connections: 32,
            far: false,
        },
        Scenario {
            name: "ConfigMaps",
            set: Set::ConfigMaps,
            count: size(10_000, 2_000),
            pairs,
            connections: 32,
            far: false,
        },
        Scenario {
            name: "mixed kinds",
            set: Set::Mixed,
            count: size(2_000, 500),
            pairs,
            connections: 32,
            far: false,
        },
        Scenario {
            name: "ConfigMaps, 20 ms away",
            set: Set::ConfigMaps,
            count: size(2_000, 600),
            pairs,
            connections: 64,
            far: true,
        },
    ];
    let runtime = tokio::runtime::Runtime::new().expect("because threads can be started");
    for scenario in &scenarios {
        runtime.block_on(measure(scenario));
    }
}

/// Prints one line; a benchmark is for people.
fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").expect("because somebody reads the figures");
}

async fn measure(scenario: &Scenario) {
    let options = control_plane::Options {
        sources: Sources::from_environment(None, |name| std::env::var_os(name)),
        guard_exe: Some(env!("CARGO_BIN_EXE_refloat").into()),
        ..control_plane::Options::default()
    };
    let plane = control_plane::start(&options, &mut |_| {})
        .await
        .unwrap_or_else(|failure| panic!("{failure}"));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let repo = folder.path().join("repo");
    objects::write(scenario.set, scenario.count, &repo);
    let address = plane.server().trim_start_matches("https://").to_owned();
    let far = if scenario.far {
        Some(distance::start(&address, Duration::from_millis(10)).await)
    } else {
        None
    };
    let address = far.unwrap_or(address);
    let kubeconfig = folder.path().join("kubeconfig");
    let text = plane
        .kubeconfig()
        .replace(plane.server(), &format!("https://{address}"));
    std::fs::write(&kubeconfig, text).expect("because the folder is ours");
    let near = Server::from_kubeconfig(plane.kubeconfig());
    let server = near.behind(&address);

    let mut shares = Vec::new();
    for pair in 0..scenario.pairs {
        let mut times = [Duration::ZERO; 2];
        let mut before = Duration::ZERO;
        let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
        for who in order {
            let namespace = format!("bench-{pair}-{who}");
            create_namespace(&near, &namespace).await;
            if who == 0 {
                let requests = Arc::new(raw_requests(scenario, &namespace));
                times[0] = server.apply_all(requests, scenario.connections).await;
            } else {
                (times[1], before) = restore(&repo, &kubeconfig, &namespace, folder.path());
            }
        }
        let share = times[0].as_secs_f64() / times[1].as_secs_f64();
        let rate = |time: Duration| scenario.count as f64 / time.as_secs_f64();
        say(&format!(
            "  pair {}: raw {:.0}/s, refloat {:.0}/s ({:.2} s, and {:.2} s before the first write): {:.0} %",
            pair + 1,
            rate(times[0]),
            rate(times[1]),
            times[1].as_secs_f64(),
            before.as_secs_f64(),
            share * 100.0
        ));
        shares.push((share, rate(times[1])));
    }
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (share, _) = shares[shares.len() / 2];
    shares.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (_, rate) = shares[shares.len() / 2];
    say(&format!(
        "{} {}: median {:.0} % of the ceiling, {rate:.0}/s",
        scenario.count,
        scenario.name,
        share * 100.0
    ));
    beside_kubectl(scenario, &near, &repo, &kubeconfig, rate).await;
    stop(plane).await;
}

async fn stop(plane: ControlPlane) {
    plane.stop().await;
}

async fn create_namespace(server: &Server, name: &str) {
    let body = format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"}}}}"#);
    server.create("/api/v1/namespaces", body).await;
    // The quota and service-account admission of a namespace needs a moment in which nobody should be measured.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

fn raw_requests(scenario: &Scenario, namespace: &str) -> Vec<Request> {
    let objects = objects::all(scenario.set, scenario.count);
    let request = |object: objects::Object| {
        let mut body = object.body;
        body["metadata"]["namespace"] = namespace.into();
        let (api, plural, name) = (object.api, object.plural, object.name);
        let query = "fieldManager=refloat&force=true&fieldValidation=Warn";
        Request {
            path: format!("{api}/namespaces/{namespace}/{plural}/{name}?{query}"),
            body: body.to_string(),
        }
    };
    objects.into_iter().map(request).collect()
}

/// Restores with the binary; the engine's time, and the rest of the process' time.
fn restore(repo: &Path, kubeconfig: &Path, namespace: &str, folder: &Path) -> (Duration, Duration) {
    let report = folder.join(format!("{namespace}.json"));
    let start = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "the tool is measured as users run it")]
    let output = Command::new(env!("CARGO_BIN_EXE_refloat"))
        .args([
            "restore",
            "--yes",
            "--context",
            "refloat",
            "--old-cluster-is-gone",
            "--force-entry",
        ])
        .args(["--namespace", namespace])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--report")
        .arg(&report)
        .arg(repo)
        .env("HOME", folder)
        .output()
        .expect("because it was built");
    let wall = start.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read(&report).expect("because --report wrote it");
    let report: serde_json::Value = serde_json::from_slice(&text).expect("because it is JSON");
    let seconds = report["seconds"].as_f64().expect("because the report has it");
    let engine = Duration::from_secs_f64(seconds);
    (engine, wall.saturating_sub(engine))
}

async fn beside_kubectl(scenario: &Scenario, near: &Server, repo: &Path, kubeconfig: &Path, rate: f64) {
    // kubectl needs minutes for what takes seconds here: a part is enough for a rate.
    let few = 300.min(scenario.count);
    let part = repo.with_file_name("part");
    objects::write(scenario.set, few, &part);
    create_namespace(near, "bench-kubectl").await;
    let start = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "a peer is measured as users run it")]
    let output = Command::new("kubectl")
        .args([
            "apply",
            "--server-side",
            "--recursive",
            "--namespace",
            "bench-kubectl",
            "--kubeconfig",
        ])
        .arg(kubeconfig)
        .arg("--filename")
        .arg(&part)
        .env("HOME", repo)
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let peer = few as f64 / start.elapsed().as_secs_f64();
            say(&format!(
                "  kubectl apply --server-side of {few}: {peer:.0}/s; refloat is {:.1} times as fast",
                rate / peer
            ));
        }
        Ok(output) => say(&format!(
            "  kubectl failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(_) => say("  kubectl is not on the PATH: not compared"),
    }
}
