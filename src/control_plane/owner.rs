//! A running control plane as its owner sees it: orders to the guard, and what happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::watch;

use super::guard::{Happened, Order};
use super::parts::{Part, Program, file};
use super::start;
use crate::error::{Failure, Kind};
use crate::net::Api;
use crate::process::Running;

/// How long the guard may take to kill the parts and remove the folder.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// What is known of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Being {
    /// It runs, with this process id.
    Running(u32),
    /// It does not, and how that came.
    Ended(String),
}

/// What is known of the guard and its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub parts: BTreeMap<Part, Being>,
    /// Further processes of KWOK, for kinds that came to be served.
    pub players: Vec<u32>,
    pub kept: bool,
    pub guard_gone: bool,
}

/// The guard, from its owner's side. Dropping it closes the pipe, which ends the control plane.
pub(super) struct Guard {
    running: Running,
    /// The control plane's folder.
    folder: PathBuf,
    orders: Option<ChildStdin>,
    pub seen: watch::Receiver<Seen>,
}

impl Guard {
    /// Takes over a guard that was just started for that folder.
    pub fn new(mut running: Running, folder: &Path) -> Guard {
        let orders = running.take_stdin();
        let (tell, seen) = watch::channel(Seen::default());
        if let Some(stdout) = running.take_stdout() {
            tokio::spawn(listen(stdout, tell));
        }
        Guard {
            running,
            folder: folder.to_owned(),
            orders,
            seen,
        }
    }

    pub fn id(&self) -> Option<u32> {
        self.running.id()
    }

    pub async fn order(&mut self, order: &Order) -> Result<(), Failure> {
        let lost = |cause: String| {
            Failure::new(Kind::Tool, "the throwaway control plane is lost")
                .because(format!("its guard process does not answer: {cause}"))
        };
        let mut line = serde_json::to_string(order).map_err(|error| lost(error.to_string()))?;
        line.push('\n');
        let pipe = self.orders.as_mut().ok_or_else(|| lost("its pipe is closed".into()))?;
        pipe.write_all(line.as_bytes())
            .await
            .map_err(|error| lost(error.to_string()))?;
        pipe.flush().await.map_err(|error| lost(error.to_string()))
    }

    /// Waits until what is known is as wanted, or the guard is gone.
    pub async fn until(&mut self, wanted: impl FnMut(&Seen) -> bool) -> Result<(), Failure> {
        let mut wanted = wanted;
        // An error means that the guard's stdout ended.
        let seen = self
            .seen
            .wait_for(|seen| wanted(seen) || seen.guard_gone)
            .await
            .map(|seen| seen.clone());
        match seen {
            Ok(seen) if wanted(&seen) => Ok(()),
            _ => {
                Err(Failure::new(Kind::Tool, "the throwaway control plane is lost")
                    .because("its guard process has ended"))
            }
        }
    }

    /// Ends the control plane and waits for that.
    pub async fn stop(mut self) {
        drop(self.orders.take());
        let ended = tokio::time::timeout(STOP_TIMEOUT, self.running.wait()).await;
        if !matches!(ended, Ok(Ok(status)) if status.success()) {
            self.sweep();
            let _ = self.running.wait().await;
        }
    }

    /// Does what a guard that was killed could not.
    fn sweep(&self) {
        self.running.kill_group();
        // Already gone is as good.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What is left when it was killed; when it ended by itself there is nothing, and nothing is done.
        if self.seen.borrow().guard_gone && self.folder.exists() {
            self.sweep();
        }
    }
}

async fn listen(stdout: ChildStdout, tell: watch::Sender<Seen>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(happened) = serde_json::from_str::<Happened>(&line) else {
            continue;
        };
        tell.send_modify(|seen| match happened {
            Happened::Started { part, pid } => drop(seen.parts.insert(part, Being::Running(pid))),
            Happened::Plays { pid } => seen.players.push(pid),
            Happened::Ended { part, how } => drop(seen.parts.insert(part, Being::Ended(how))),
            Happened::Kept => seen.kept = true,
        });
    }
    tell.send_modify(|seen| seen.guard_gone = true);
}

/// A running control plane. Dropping it ends it; [`stop`](Self::stop) also waits for that.
///
/// It lives on the runtime that started it: its pipe to the guard is served by that one.
pub struct ControlPlane {
    pub(super) guard: Guard,
    pub(super) folder: PathBuf,
    pub(super) api: Api,
    pub(super) server: String,
    pub(super) version: String,
    pub(super) kubeconfig: String,
    pub(super) request_log: bool,
    pub(super) launch: BTreeMap<Part, (Program, Vec<String>)>,
    pub(super) timeout: Duration,
}

/// A control plane that goes on without the refloat that started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The kubeconfig of its administrator; it goes with the control plane.
    pub kubeconfig: PathBuf,
    /// The command that ends it and removes all it made.
    pub stop_command: String,
}

impl ControlPlane {
    /// The administrator's kubeconfig, as text that needs no other file.
    #[must_use]
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// The same as a file.
    #[must_use]
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.folder.join(file::KUBECONFIG)
    }

    /// The API server's address, `https://127.0.0.1:port`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the API server says its version is, `v1.37.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its API server, spoken to as the administrator.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The folder that holds it all: logs, etcd's data, keys.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The API server's request log, one JSON event of `audit.k8s.io/v1` a line, where one was asked for.
    #[must_use]
    pub fn request_log(&self) -> Option<PathBuf> {
        self.request_log.then(|| self.folder.join(file::AUDIT_LOG))
    }

    /// The process ids of the guard and of each running part.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let seen = self.guard.seen.borrow();
        let parts = seen.parts.values().filter_map(|being| match being {
            Being::Running(pid) => Some(*pid),
            Being::Ended(_) => None,
        });
        let players = seen.players.iter().copied();
        self.guard.id().into_iter().chain(parts).chain(players).collect()
    }

    /// What broke: a part that should run and has ended, with the end of its log.
    #[must_use]
    pub fn broken(&self) -> Option<Failure> {
        start::broken(&self.guard.seen.borrow(), &self.folder)
    }

    /// Comes back when something has broken, with that.
    pub async fn until_broken(&self) -> Failure {
        let mut seen = self.guard.seen.clone();
        loop {
            if let Some(failure) = self.broken() {
                return failure;
            }
            if seen.changed().await.is_err() {
                // Its teller is gone, and with it the guard: that is seen by now.
                return self
                    .broken()
                    .unwrap_or_else(|| Failure::new(Kind::Tool, "the throwaway control plane is lost"));
            }
        }
    }

    /// Kills a part, as a crash would, and waits until it is gone.
    pub async fn kill_part(&mut self, part: Part) -> Result<(), Failure> {
        self.guard.order(&Order::Kill { part }).await?;
        self.guard
            .until(|seen| !matches!(seen.parts.get(&part), Some(Being::Running(_))))
            .await
    }

    /// Starts a part again with the arguments it had; for the API server, waits until it serves.
    pub async fn start_part(&mut self, part: Part) -> Result<(), Failure> {
        let (program, args) = self.launch.get(&part).cloned().ok_or_else(|| {
            Failure::new(Kind::Internal, format!("{part} could not be started"))
                .because("it was never part of this one")
        })?;
        self.guard.order(&Order::Start { part, program, args }).await?;
        self.guard
            .until(|seen| matches!(seen.parts.get(&part), Some(Being::Running(_))))
            .await?;
        if part == Part::KubeApiserver {
            start::until_serving(&self.api, &mut self.guard, &self.folder, self.timeout).await?;
        }
        Ok(())
    }

    /// Kills the API server and starts it again on the same port with the same data.
    pub async fn restart_api_server(&mut self) -> Result<(), Failure> {
        self.kill_part(Part::KubeApiserver).await?;
        self.start_part(Part::KubeApiserver).await
    }

    /// Lets it go on without this process.
    pub async fn keep(mut self) -> Result<Kept, Failure> {
        self.guard.order(&Order::Keep).await?;
        self.guard.until(|seen| seen.kept).await?;
        let pid = self
            .guard
            .id()
            .ok_or_else(|| Failure::new(Kind::Tool, "the control plane is not kept: it has ended"))?;
        Ok(Kept {
            kubeconfig: self.kubeconfig_path(),
            stop_command: format!("kill {pid}"),
        })
    }

    /// Ends it, removes its folder, and waits until both are done.
    pub async fn stop(self) {
        self.guard.stop().await;
    }
}
