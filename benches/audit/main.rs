//! How long an audit of a large cluster takes, beside what the same API server gives a client that only lists and asks.
//!
//! ```text
//! cargo bench --bench audit               50,000 objects over 60 kinds, 1,000 of them declared
//! cargo bench --bench audit -- --quick    a tenth of that, fewer rounds
//! ```
//!
//! A fresh control plane is filled once; nothing that is not declared was ever in Git, so that nearly all is a finding. Then come
//! rounds, in each one after the other, so that a noisy machine troubles all alike:
//!
//! - **list**: the metadata of every object of every kind as kubectl lists: in JSON, in pages of 500; over 8 connections, made in that
//!   time; the answers are not parsed. The server has further pages in memory for some minutes after the last change, and gets them
//!   out of its storage later, which takes it several times as long
//! - **large pages**: the same in pages of 2,500, as the tool lists, of which most kinds need one: for comparison
//! - **offline**: the whole of `refloat audit --no-dry-run`: the process, its connections, discovery, the repository and its history,
//!   the lists (in the server's binary form, in pages of its own), the declared objects in full, the report in JSON
//! - **ask**: a dry-run apply of each declared object, with the server's validation of fields as it is unless asked for (the tool reads no
//!   such warnings, and asks for none), over 8 to 64 connections, made in that time; the best of them is the ceiling
//! - **dry runs**: the whole of `refloat audit`
//!
//! Lists, questions and audits come several times in a round, one right after the other, and count as their mean: the server collects its
//! garbage once in about four of them, which takes it as long as another list, and whoever is asking then waits for it. One of each in
//! turn would let the same one wait each time.
//!
//! Medians of the rounds are told, and what they may be: offline 1.3 × list and 300 MB, dry runs 1.1 × declared ÷ ceiling more than offline.

mod cluster;
#[path = "../shared/mod.rs"]
#[allow(dead_code, reason = "some of it is for other measurements")]
mod shared;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use refloat::cluster::{Cluster, ConnectOptions};
use refloat::control_plane::ControlPlane;

use cluster::Sizes;
use shared::process::{Ran, command, run_to};
use shared::raw::{Request, Server};
use shared::{control_plane, median, quiet, say};

/// Connections of the raw client when it asks for dry runs.
const CONNECTIONS: [usize; 4] = [8, 16, 32, 64];
/// How often each of them is done in a round.
const REPEATS: usize = 4;
/// Lists at a time, as an audit has them.
const LISTS: usize = 8;
/// Objects in a page, as kubectl lists.
const PAGE: usize = 500;
/// And as an audit does.
const LARGE_PAGE: usize = 2_500;
/// The most that an audit may take, as a share of listing.
const OFFLINE: f64 = 1.3;
/// And with dry runs in addition, as a share of asking.
const DRY_RUNS: f64 = 1.1;
/// The most memory, in MB.
const MEMORY: f64 = 300.0;

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let quick = std::env::args().any(|arg| arg == "--quick");
    let sizes = match quick {
        true => Sizes::new(5_000, 100),
        false => Sizes::new(50_000, 1_000),
    };
    let runtime = tokio::runtime::Runtime::new().expect("because threads can be started");
    runtime.block_on(measure(sizes, if quick { 2 } else { 5 }));
}

/// What the rounds came to, in seconds and MB.
#[derive(Default)]
struct Figures {
    list: Vec<f64>,
    large_pages: Vec<f64>,
    offline: Vec<f64>,
    ask: [Vec<f64>; CONNECTIONS.len()],
    dry_runs: Vec<f64>,
    peak: f64,
}

async fn measure(sizes: Sizes, rounds: usize) {
    let plane = control_plane().await;
    let server = Server::from_kubeconfig(plane.kubeconfig());
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let repo = folder.path().join("repo");
    cluster::repository(sizes, &repo);
    cluster::fill(&server, sizes, &repo, &plane.kubeconfig_path(), folder.path()).await;
    quiet(&server).await;
    let collections = Arc::new(collections(&plane).await);
    let requests = Arc::new(dry_runs(sizes));
    let audit = |more: &[&str]| audit(&repo, &plane.kubeconfig_path(), folder.path(), more);
    // The server's caches, and the tool's of the history.
    let (_, objects) = server.list_all(Arc::clone(&collections), LISTS, PAGE).await;
    tokio::task::block_in_place(|| audit(&[]));
    let (kinds, found) = told(folder.path());
    say(&format!(
        "{objects} objects of {kinds} kinds, {} of them declared, {found} findings",
        sizes.declared
    ));
    let mut figures = Figures::default();
    for round in 1..=rounds {
        for (times, page) in [(&mut figures.list, PAGE), (&mut figures.large_pages, LARGE_PAGE)] {
            let mut lists = Duration::ZERO;
            for _ in 0..REPEATS {
                lists += server.list_all(Arc::clone(&collections), LISTS, page).await.0;
            }
            times.push(lists.as_secs_f64() / REPEATS as f64);
        }
        let offline = tokio::task::block_in_place(|| several(|| audit(&["--no-dry-run"])));
        figures.offline.push(offline.wall.as_secs_f64());
        for (times, connections) in figures.ask.iter_mut().zip(CONNECTIONS) {
            let mut asks = Duration::ZERO;
            for _ in 0..REPEATS {
                asks += server.apply_all(Arc::clone(&requests), connections).await;
            }
            times.push(asks.as_secs_f64() / REPEATS as f64);
        }
        let asking = tokio::task::block_in_place(|| several(|| audit(&[])));
        figures.dry_runs.push(asking.wall.as_secs_f64());
        figures.peak = figures.peak.max(offline.peak).max(asking.peak);
        let ask = figures.ask.iter().filter_map(|times| times.last()).copied();
        say(&format!(
            "  round {round}: list {:.2} s, large pages {:.2} s, offline {:.2} s; ask {:.2} s, dry runs {:.2} s; {:.0} MB",
            figures.list[round - 1],
            figures.large_pages[round - 1],
            offline.wall.as_secs_f64(),
            ask.fold(f64::MAX, f64::min),
            asking.wall.as_secs_f64(),
            offline.peak.max(asking.peak),
        ));
    }
    verdicts(figures, sizes);
    plane.stop().await;
}

fn verdicts(figures: Figures, sizes: Sizes) {
    let (list, large_pages) = (median(figures.list), median(figures.large_pages));
    let (offline, dry_runs) = (median(figures.offline), median(figures.dry_runs));
    let ask: Vec<f64> = figures.ask.into_iter().map(median).collect();
    let best = ask.iter().copied().fold(f64::MAX, f64::min);
    let rates = ask.iter().zip(CONNECTIONS).map(|(took, connections)| {
        let rate = sizes.declared as f64 / took;
        format!("{rate:.0}/s over {connections}")
    });
    let rates: Vec<String> = rates.collect();
    say(&format!("list                {list:.2} s"));
    say(&format!(
        "large pages         {large_pages:.2} s: offline is {:.2} of that",
        offline / large_pages
    ));
    say(&format!(
        "offline             {offline:.2} s: {:.2} of listing (bound {OFFLINE})",
        offline / list
    ));
    say(&format!("dry runs, raw       {}", rates.join(", ")));
    say(&format!(
        "with dry runs       {dry_runs:.2} s: {:.2} of asking more than offline (bound {DRY_RUNS})",
        (dry_runs - offline) / best
    ));
    say(&format!(
        "all of it           {:.2} of {OFFLINE} × list + {DRY_RUNS} × declared ÷ ceiling (bound 1)",
        dry_runs / (OFFLINE * list + DRY_RUNS * best)
    ));
    say(&format!(
        "memory              {:.0} MB at most (bound {MEMORY})",
        figures.peak
    ));
}

/// Every kind that an audit lists.
async fn collections(plane: &ControlPlane) -> Vec<String> {
    let options = ConnectOptions {
        kubeconfig_text: Some(plane.kubeconfig().to_owned()),
        ..ConnectOptions::default()
    };
    let cluster = Cluster::connect(options).await.expect("because the control plane runs");
    let listable = cluster.listable().await.expect("because the control plane runs");
    listable.ends.iter().map(|at| at.collection(None)).collect()
}

/// What a dry run of each declared object sends.
fn dry_runs(sizes: Sizes) -> Vec<Request> {
    let query = "dryRun=All&fieldManager=refloat&force=true";
    cluster::applies(&cluster::declared(sizes), cluster::DECLARED, query)
}

/// The mean time of several runs, and the most memory of one.
fn several(mut run: impl FnMut() -> Ran) -> Ran {
    let runs: Vec<Ran> = (0..REPEATS).map(|_| run()).collect();
    Ran {
        wall: runs.iter().map(|one| one.wall).sum::<Duration>() / REPEATS as u32,
        peak: runs.iter().map(|one| one.peak).fold(0.0, f64::max),
    }
}

/// `refloat audit`; its report is left in the folder.
fn audit(repo: &Path, kubeconfig: &Path, folder: &Path, more: &[&str]) -> Ran {
    let mut refloat = command(env!("CARGO_BIN_EXE_refloat"));
    refloat.args(["audit", "--output", "json"]).args(more);
    refloat.arg("--namespace").arg(cluster::DECLARED);
    refloat.arg("--kubeconfig").arg(kubeconfig).arg(repo);
    // 3: it found what was never in Git.
    run_to(&[3], refloat, folder).unwrap_or_else(|error| panic!("refloat audit failed: {error}"))
}

/// Of the last audit: over how many kinds the objects are that it found, and how many it found. All that is declared is in sync.
fn told(folder: &Path) -> (usize, usize) {
    let text = std::fs::read(folder.join("stdout")).expect("because it was written");
    let report: serde_json::Value = serde_json::from_slice(&text).expect("because it is JSON");
    assert_eq!(report["counts"]["in-sync"], report["declared"], "{}", report["counts"]);
    assert_eq!(report["gaps"], serde_json::json!([]));
    let findings = report["findings"].as_array().expect("because a report lists them");
    let kinds = findings.iter().map(|one| one["object"]["kind"].to_string());
    (kinds.collect::<std::collections::BTreeSet<_>>().len(), findings.len())
}
