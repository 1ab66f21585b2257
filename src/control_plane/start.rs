//! Starts a control plane and waits until it serves.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use super::certificates::Certificates;
use super::guard::Order;
use super::obtain::{Obtained, obtain};
use super::owner::{Being, ControlPlane, Guard, Seen};
use super::parts::{Part, arguments, file};
use super::stages::{self, Stages};
use super::{Options, Progress, folder, simulate};
use crate::error::{Failure, Kind};
use crate::net::Api;
use crate::process::{BASIC_ENVIRONMENT, Tool};

/// How often another port is tried when somebody else took the first.
const ATTEMPTS: u32 = 5;
/// How many lines of a log go into an error.
const TAIL: usize = 12;

/// Starts a control plane: obtains the programs where needed, starts them, and comes back once the API server serves all its
/// groups, the default ServiceAccount is there and the nodes are Ready.
pub async fn start(options: &Options, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<ControlPlane, Failure> {
    let stages = stages::read(&options.simulate)?;
    let obtained = obtain(&options.sources, options.version.as_deref(), progress).await?;
    let started = start_somewhere(&obtained, options, &stages, progress).await;
    if let (Err(_), Some(folder)) = (&started, &obtained.temporary) {
        // Already gone is as good.
        let _ = std::fs::remove_dir_all(folder);
    }
    started
}

async fn start_somewhere(
    obtained: &Obtained,
    options: &Options,
    stages: &Stages,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ControlPlane, Failure> {
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        match start_on(port, obtained, options, stages, progress).await {
            Err(Attempt::PortTaken(_)) if attempt < ATTEMPTS => attempt += 1,
            Err(Attempt::PortTaken(failure) | Attempt::Failed(failure)) => return Err(failure),
            Ok(mut control_plane) => {
                if let Some(folder) = obtained.temporary.clone() {
                    control_plane.guard.order(&Order::AlsoRemove { folder }).await?;
                }
                return Ok(control_plane);
            }
        }
    }
}

/// Why one attempt failed.
enum Attempt {
    PortTaken(Failure),
    Failed(Failure),
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Attempt::Failed(failure)
    }
}

fn not_started() -> Failure {
    Failure::new(Kind::Tool, folder::NOT_STARTED)
}

fn free_port() -> Result<u16, Failure> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port())
        .map_err(|error| not_started().because(format!("no free port on 127.0.0.1: {error}")))
}

async fn start_on(
    port: u16,
    obtained: &Obtained,
    options: &Options,
    stages: &Stages,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ControlPlane, Attempt> {
    let began = Instant::now();
    let server = format!("https://127.0.0.1:{port}");
    let certificates = Certificates::new()?;
    let folder = folder::make()?;
    let kubeconfig = folder::write(folder.path(), &server, &certificates)?;
    let pair = &certificates.admin;
    let api = Api::new(
        &server,
        &certificates.authority.pair.certificate,
        &pair.certificate,
        &pair.key,
    )
    .map_err(|error| not_started().because(error))?;
    let guard = start_guard(folder.path(), options)?;
    // From here on removing it is the guard's task.
    let folder = folder.keep();
    let launch = obtained
        .programs
        .iter()
        .map(|(part, program)| (*part, (program.clone(), arguments(*part, &folder, port, options))))
        .collect();
    let timeout = options.timeout;
    let mut control_plane = ControlPlane {
        guard,
        folder,
        api,
        server,
        version: obtained.version.clone(),
        kubeconfig,
        request_log: options.request_log,
        launch,
        timeout,
    };
    let started = tokio::time::timeout(timeout, bring_up(&mut control_plane, options, stages, progress)).await;
    let failure = match started {
        Ok(Ok(())) => {
            progress(Progress::Ready(began.elapsed()));
            return Ok(control_plane);
        }
        Ok(Err(failure)) => failure,
        Err(_) => late(&control_plane, timeout),
    };
    let taken = port_is_taken(&control_plane.folder);
    control_plane.stop().await;
    Err(if taken {
        Attempt::PortTaken(failure)
    } else {
        Attempt::Failed(failure)
    })
}

fn start_guard(folder: &Path, options: &Options) -> Result<Guard, Failure> {
    let program = match &options.guard_exe {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(|error| not_started().because(format!("own program: {error}")))?,
    };
    let log = File::create(folder.join(file::GUARD_LOG)).map_err(|error| not_started().because(error))?;
    let running = Tool::new(program)
        .args(["__guard".as_ref(), folder.as_os_str()])
        .inherit(BASIC_ENVIRONMENT)
        .spawn_in_group(log)
        .map_err(|error| not_started().because(format!("the guard: {error}")))?;
    Ok(Guard::new(running, folder))
}

async fn bring_up(
    control_plane: &mut ControlPlane,
    options: &Options,
    stages: &Stages,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Failure> {
    for part in [Part::Etcd, Part::KubeApiserver] {
        launch(control_plane, part, progress).await?;
    }
    let ControlPlane {
        api,
        guard,
        folder,
        timeout,
        ..
    } = control_plane;
    until_serving(api, guard, folder, *timeout).await?;
    play(control_plane, stages).await?;
    for part in [Part::KubeControllerManager, Part::KubeScheduler, Part::Kwok] {
        launch(control_plane, part, progress).await?;
    }
    let api = &control_plane.api;
    for number in 1..=options.nodes {
        let made = api
            .create(
                "/api/v1/nodes",
                &simulate::node(number, &control_plane.version, &options.node_labels),
            )
            .await;
        let made = made.map_err(|error| not_started().because(error))?;
        if !made.is_success() && made.status != 409 {
            return Err(not_started().because(format!("the node {number} was refused: {}", made.message())));
        }
    }
    let mut wanted = vec!["/api/v1/namespaces/default/serviceaccounts/default".to_owned()];
    wanted.extend((1..=options.nodes).map(|number| format!("/api/v1/nodes/{}", simulate::node_name(number))));
    for path in wanted {
        poll(&mut control_plane.guard, &control_plane.folder, async || {
            let found = control_plane.api.get(&path).await;
            found.is_ok_and(|found| found.is_success() && (found.body["kind"] != "Node" || is_ready(&found.body)))
        })
        .await?;
    }
    let version = control_plane
        .api
        .get("/version")
        .await
        .map_err(|error| not_started().because(error))?;
    control_plane.version = version.body["gitVersion"].as_str().unwrap_or("unknown").to_owned();
    Ok(())
}

/// Sorts the user's Stages by whether their kind is there, and leaves the others to the guard.
async fn play(control_plane: &mut ControlPlane, stages: &Stages) -> Result<(), Failure> {
    let Some((kwok, _)) = control_plane.launch.get(&Part::Kwok) else {
        return Ok(());
    };
    let players = stages::write(stages, &control_plane.api, &control_plane.folder, kwok)
        .await
        .map_err(|error| not_started().because(error))?;
    for player in players {
        control_plane.guard.order(&Order::Play(player)).await?;
    }
    Ok(())
}

fn is_ready(node: &serde_json::Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|one| one["type"] == "Ready" && one["status"] == "True")
}

async fn launch(
    control_plane: &mut ControlPlane,
    part: Part,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Failure> {
    progress(Progress::Starting(part));
    let Some((program, args)) = control_plane.launch.get(&part).cloned() else {
        return Ok(());
    };
    control_plane.guard.order(&Order::Start { part, program, args }).await
}

/// Waits until the API server says it is ready: its groups are served, its own roles are there.
pub(super) async fn until_serving(
    api: &Api,
    guard: &mut Guard,
    folder: &Path,
    timeout: Duration,
) -> Result<(), Failure> {
    let serving = poll(guard, folder, async || {
        api.get("/readyz").await.is_ok_and(|answer| answer.is_success())
    });
    match tokio::time::timeout(timeout, serving).await {
        Ok(done) => done,
        Err(_) => Err(not_started().because(format!("the API server did not serve within {} s", timeout.as_secs()))),
    }
}

/// Asks again and again, first often, until it is so or a part has ended.
async fn poll(guard: &mut Guard, folder: &Path, mut is_so: impl AsyncFnMut() -> bool) -> Result<(), Failure> {
    let mut pause = Duration::from_millis(10);
    while !is_so().await {
        if let Some(failure) = broken(&guard.seen.borrow(), folder) {
            return Err(failure);
        }
        // What happens to a part is known at once; what the server has become is not.
        let _ = tokio::time::timeout(pause, guard.seen.changed()).await;
        pause = (pause * 5 / 4).min(Duration::from_millis(200));
    }
    Ok(())
}

/// A part that has ended, or the guard, with the end of the log.
pub(super) fn broken(seen: &Seen, folder: &Path) -> Option<Failure> {
    let lost = Failure::new(Kind::Tool, "the throwaway control plane does not run");
    for (part, being) in &seen.parts {
        if let Being::Ended(how) = being {
            return Some(with_tail(
                lost.because(format!("{part} ended: {how}")),
                &part.log(folder),
            ));
        }
    }
    seen.guard_gone.then(|| {
        with_tail(
            lost.because("its guard process has ended"),
            &folder.join(file::GUARD_LOG),
        )
    })
}

fn late(control_plane: &ControlPlane, timeout: Duration) -> Failure {
    let failure = not_started().because(format!("it was not ready within {} s", timeout.as_secs()));
    with_tail(failure, &Part::KubeApiserver.log(&control_plane.folder))
}

/// Adds the last lines of a log, where there are any.
fn with_tail(failure: Failure, log: &Path) -> Failure {
    let text = read_tail(log);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(TAIL)..];
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    if last.is_empty() {
        failure
    } else {
        failure.because(format!("the end of {name}:\n{}", last.join("\n")))
    }
}

fn read_tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(16 << 10)..]).into_owned()
}

fn port_is_taken(folder: &Path) -> bool {
    read_tail(&Part::KubeApiserver.log(folder)).contains("address already in use")
}
