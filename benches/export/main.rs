//! How long it takes to export what was never in Git, with its proofs.
//!
//! ```text
//! cargo bench --bench export               5,000 objects over 58 kinds beside 100 that are declared
//! cargo bench --bench export -- --quick    a tenth of that
//! ```
//!
//! A fresh control plane is filled once. Each round is the whole of `refloat export --output`: the audit, a manifest of each object with
//! its dry runs, the places in the repository, and the proof by rendering. The median is told; where it is more than 60 s the bench fails.

#[path = "../audit/cluster.rs"]
#[allow(dead_code, reason = "some of it is for other measurements")]
mod cluster;
#[path = "../shared/mod.rs"]
#[allow(dead_code, reason = "some of it is for other measurements")]
mod shared;

use std::process::ExitCode;

use cluster::Sizes;
use shared::process::{command, run_to};
use shared::raw::Server;
use shared::{control_plane, median, quiet, say};

/// The most that an export may take, in seconds.
const BOUND: f64 = 60.0;
/// Done, but something was left out: Secrets, for which the repository says nobody to encrypt them for.
const LOOK: i32 = 3;

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (sizes, rounds) = match quick {
        true => (Sizes::new(550, 50), 1),
        false => (Sizes::new(5_100, 100), 3),
    };
    let runtime = tokio::runtime::Runtime::new().expect("because threads can be started");
    let took = runtime.block_on(measure(sizes, rounds));
    if took > BOUND {
        say(&format!("bound missed: {took:.1} s are more than {BOUND} s"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The median of some rounds, in seconds.
async fn measure(sizes: Sizes, rounds: usize) -> f64 {
    let plane = control_plane().await;
    let server = Server::from_kubeconfig(plane.kubeconfig());
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let repo = folder.path().join("repo");
    cluster::repository(sizes, &repo);
    cluster::fill(&server, sizes, &repo, &plane.kubeconfig_path(), folder.path()).await;
    quiet(&server).await;
    let (mut times, mut peak) = (Vec::new(), 0.0_f64);
    for round in 1..=rounds {
        let files = folder.path().join(format!("files-{round}"));
        let mut refloat = command(env!("CARGO_BIN_EXE_refloat"));
        refloat.args([
            "export",
            "--context",
            "refloat-throwaway",
            "--namespace",
            cluster::DECLARED,
        ]);
        refloat.arg("--kubeconfig").arg(plane.kubeconfig_path());
        refloat.arg("--output").arg(&files).arg(&repo);
        let ran = tokio::task::block_in_place(|| run_to(&[LOOK], refloat, folder.path()));
        let ran = ran.unwrap_or_else(|error| panic!("refloat export failed: {error}"));
        let told = std::fs::read_to_string(folder.path().join("stdout")).expect("because it was written");
        let last = told.lines().last().unwrap_or_default();
        say(&format!(
            "  round {round}: {:.1} s, {:.0} MB; {last}",
            ran.wall.as_secs_f64(),
            ran.peak
        ));
        times.push(ran.wall.as_secs_f64());
        peak = peak.max(ran.peak);
    }
    let took = median(times);
    say(&format!(
        "export              {took:.1} s (bound {BOUND}), {peak:.0} MB at most"
    ));
    plane.stop().await;
    took
}
