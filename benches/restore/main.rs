//! How fast a restore is, as a share of what the same API server gives a client that only sends the same bodies.
//!
//! ```text
//! cargo bench --bench restore                    all scenarios (some 10 minutes on 2 cores)
//! cargo bench --bench restore -- --quick         fewer objects, 3 pairs
//! cargo bench --bench restore -- --only ms       scenarios whose name holds this
//! ```
//!
//! Each scenario runs in pairs, raw client and refloat in turn (the order alternates), into a fresh namespace each time, each
//! pair on a fresh control plane that was warmed up; the share is taken pair by pair, and the median is told, so that a noisy
//! machine troubles both alike. refloat's time is that of its writes, from the first request of an object to the last
//! answer, as its own report tells them; what passes before (reading, asking the cluster, planning) and until all is ready
//! is told beside it, and so is the most memory that it had. Distance is a proxy on loopback that holds every byte for 10 ms
//! in each direction. Where kubectl is on the PATH, the same files are applied with it.
//!
//! The control plane comes from where `refloat drill` takes it (`KUBEBUILDER_ASSETS`, the cache, downloads).

mod distance;
#[path = "../shared/mod.rs"]
#[allow(dead_code, reason = "some of it is for other measurements")]
mod shared;
mod tool;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use refloat::control_plane::ControlPlane;

use shared::objects::{self, Set};
use shared::raw::{Request, Server};
use shared::{control_plane, create_namespace, median, process, quiet, say};

/// Requests that a fresh API server answers before anything is measured: it builds schemas and grows its heap on them.
const WARM_UP: usize = 300;

/// One thing to measure.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    set: Set,
    count: usize,
    pairs: usize,
    /// Connections of the raw client: the best number for this distance.
    connections: usize,
    far: bool,
    /// Objects that kubectl applies: it needs minutes for what takes seconds here, and a part is enough for a rate.
    kubectl: usize,
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args: Vec<String> = std::env::args().collect();
    let quick = args.iter().any(|arg| arg == "--quick");
    let only = args.iter().skip_while(|arg| *arg != "--only").nth(1);
    let chosen = |name: &str| only.is_none_or(|only| name.contains(only.as_str()));
    let runtime = tokio::runtime::Runtime::new().expect("because threads can be started");
    for set in [Set::ConfigMaps, Set::Mixed] {
        let name = format!("planning 10000 {}", set.name());
        if chosen(&name) {
            planning(&name, set, 10_000);
        }
    }
    for scenario in scenarios(quick).into_iter().filter(|scenario| chosen(scenario.name)) {
        runtime.block_on(measure(scenario));
    }
}

fn scenarios(quick: bool) -> Vec<Scenario> {
    let size = |all, few| if quick { few } else { all };
    let near = Scenario {
        name: "ConfigMaps",
        set: Set::ConfigMaps,
        count: size(2_000, 500),
        pairs: size(5, 3),
        connections: 32,
        far: false,
        kubectl: 500,
    };
    vec![
        near,
        Scenario {
            count: size(10_000, 2_000),
            ..near
        },
        Scenario {
            name: "mixed kinds",
            set: Set::Mixed,
            ..near
        },
        Scenario {
            name: "ConfigMaps, 20 ms away",
            connections: 64,
            far: true,
            kubectl: size(300, 100),
            ..near
        },
    ]
}

fn planning(name: &str, set: Set, count: usize) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let repo = folder.path().join("repo");
    objects::write(set, count, &repo);
    let runs: Vec<process::Ran> = (0..5).map(|_| tool::plan(&repo, folder.path())).collect();
    say(&format!(
        "{name}: {:.2} s for the whole of `refloat plan`, at most {:.0} MB",
        median(runs.iter().map(|ran| ran.wall.as_secs_f64()).collect()),
        runs.iter().map(|ran| ran.peak).fold(0.0, f64::max)
    ));
}

/// A control plane, and the way to it.
struct Place {
    plane: ControlPlane,
    /// The server itself.
    near: Server,
    /// The server as it is measured.
    server: Server,
    folder: tempfile::TempDir,
}

impl Place {
    async fn open(far: bool) -> Self {
        let plane = control_plane().await;
        let near = Server::from_kubeconfig(plane.kubeconfig());
        let mut address = plane.server().trim_start_matches("https://").to_owned();
        if far {
            address = distance::start(&address, Duration::from_millis(10)).await;
        }
        let folder = tempfile::tempdir().expect("because a temporary folder can be made");
        let text = plane
            .kubeconfig()
            .replace(plane.server(), &format!("https://{address}"));
        std::fs::write(folder.path().join("kubeconfig"), text).expect("because the folder is ours");
        create_namespace(&near, "warm-up").await;
        let warm_up = raw_requests(Set::ConfigMaps, WARM_UP, "warm-up");
        near.apply_all(Arc::new(warm_up), 16).await;
        let warm_up = raw_requests(Set::Mixed, WARM_UP, "warm-up");
        near.apply_all(Arc::new(warm_up), 16).await;
        let server = near.behind(&address);
        Self {
            plane,
            near,
            server,
            folder,
        }
    }

    fn kubeconfig(&self) -> std::path::PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A namespace in a cluster in which nothing goes on.
    async fn namespace(&self, name: &str) {
        create_namespace(&self.near, name).await;
        quiet(&self.near).await;
    }
}

/// What the pairs of a scenario came to.
#[derive(Default)]
struct Figures {
    shares: Vec<f64>,
    rates: Vec<f64>,
    raw: Vec<f64>,
    before: Vec<f64>,
    peaks: Vec<f64>,
    kubectl: Vec<f64>,
}

async fn measure(scenario: Scenario) {
    let repo = tempfile::tempdir().expect("because a temporary folder can be made");
    let (all, part) = (repo.path().join("all"), repo.path().join("part"));
    objects::write(scenario.set, scenario.count, &all);
    objects::write(scenario.set, scenario.kubectl, &part);
    say(&format!("{} {}:", scenario.count, scenario.name));
    let mut figures = Figures::default();
    for number in 0..scenario.pairs {
        let place = Place::open(scenario.far).await;
        pair(scenario, number, &place, &all, &mut figures).await;
        // Once is enough for a peer; it does not get faster.
        if number < 2 {
            beside_kubectl(scenario, &place, &part, &mut figures).await;
        }
        place.plane.stop().await;
    }
    let (rate, raw) = (median(figures.rates), median(figures.raw));
    say(&format!(
        "  median: {:.0} % of the ceiling; raw {raw:.0}/s, refloat {rate:.0}/s, {:.2} s before the first write, at most {:.0} MB",
        median(figures.shares) * 100.0,
        median(figures.before),
        figures.peaks.into_iter().fold(0.0, f64::max)
    ));
    if !figures.kubectl.is_empty() {
        let peer = figures.kubectl.into_iter().fold(0.0, f64::max);
        say(&format!(
            "  kubectl apply --server-side of {}: {peer:.0}/s; refloat is {:.1} times as fast, raw {:.1} times",
            scenario.kubectl,
            rate / peer,
            raw / peer
        ));
    }
}

async fn pair(scenario: Scenario, number: usize, place: &Place, repo: &Path, figures: &mut Figures) {
    let (mut raw, mut restored) = (Duration::ZERO, None);
    for who in if number.is_multiple_of(2) { [0, 1] } else { [1, 0] } {
        let namespace = format!("bench-{who}");
        place.namespace(&namespace).await;
        if who == 0 {
            let requests = Arc::new(in_order(scenario, repo, place, &namespace));
            raw = place.server.apply_all(requests, scenario.connections).await;
        } else {
            let (kubeconfig, folder) = (place.kubeconfig(), place.folder.path());
            restored = Some(tokio::task::block_in_place(|| {
                tool::restore(repo, &kubeconfig, &namespace, folder)
            }));
        }
    }
    let restored = restored.expect("because each of the two had its turn");
    let rate = |time: Duration| scenario.count as f64 / time.as_secs_f64();
    let share = raw.as_secs_f64() / restored.writing.as_secs_f64();
    say(&format!(
        "  pair {}: raw {:.0}/s, refloat {:.0}/s: {:.0} % ({:.2} s to write, {:.2} s until ready, {:.2} s before, {:.0} MB)",
        number + 1,
        rate(raw),
        rate(restored.writing),
        share * 100.0,
        restored.writing.as_secs_f64(),
        restored.whole.as_secs_f64(),
        restored.before.as_secs_f64(),
        restored.peak
    ));
    figures.shares.push(share);
    figures.raw.push(rate(raw));
    figures.rates.push(rate(restored.writing));
    figures.before.push(restored.before.as_secs_f64());
    figures.peaks.push(restored.peak);
}

fn raw_requests(set: Set, count: usize, namespace: &str) -> Vec<Request> {
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
    objects::all(set, count).into_iter().map(request).collect()
}

/// The requests in the order of refloat's plan: what the cluster's controllers make of a workload must not slow down one
/// client more than the other.
fn in_order(scenario: Scenario, repo: &Path, place: &Place, namespace: &str) -> Vec<Request> {
    let order = tokio::task::block_in_place(|| tool::order(repo, place.folder.path()));
    let at: HashMap<String, usize> = order.into_iter().zip(0..).collect();
    let ids = objects::all(scenario.set, scenario.count)
        .into_iter()
        .map(|object| at[&object.id()]);
    let requests = raw_requests(scenario.set, scenario.count, namespace);
    let mut numbered: Vec<(usize, Request)> = ids.zip(requests).collect();
    numbered.sort_by_key(|(place, _)| *place);
    numbered.into_iter().map(|(_, request)| request).collect()
}

async fn beside_kubectl(scenario: Scenario, place: &Place, part: &Path, figures: &mut Figures) {
    place.namespace("bench-kubectl").await;
    let (kubeconfig, folder) = (place.kubeconfig(), place.folder.path());
    match tokio::task::block_in_place(|| tool::kubectl(part, &kubeconfig, "bench-kubectl", folder)) {
        Ok(ran) => figures.kubectl.push(scenario.kubectl as f64 / ran.wall.as_secs_f64()),
        Err(error) => say(&format!("  no figure of kubectl: {}", error.trim())),
    }
}
