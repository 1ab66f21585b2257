//! The guard: a child of refloat, `refloat __guard FOLDER`, that starts the parts of a control plane, plays the world
//! around its API server (`egress`, `injector`), and ends it all when its stdin ends.
//!
//! A pipe ends when the last process that holds its other end is gone, however that happened: so nothing outlives a
//! refloat that was killed. The guard is the parent of the parts and knows them by itself. It hosts the simulated world
//! in every mode, because a control plane that is kept must go on working without the refloat that started it.
//!
//! Protocol: orders come as lines of JSON on stdin, what happened goes out as lines of JSON on stdout.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::egress;
use super::folder;
use super::injector;
use super::parts::{Part, Program, file};
use super::stages::{self, Player};
use crate::net::Api;
use crate::process::{BASIC_ENVIRONMENT, Tool};

/// What the guard reads from its folder before it does anything.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    /// The API server, `https://127.0.0.1:port`.
    pub api: String,
}

/// A line on the guard's stdin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Start a part.
    Start {
        part: Part,
        program: Program,
        args: Vec<String>,
    },
    /// Start another KWOK once the kind that it plays is served.
    Play(Player),
    /// Kill a part.
    Kill { part: Part },
    /// Remove this folder too at the end.
    AlsoRemove { folder: PathBuf },
    /// Go on when stdin ends.
    Keep,
}

/// A line on the guard's stdout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Happened {
    /// A part runs.
    Started { part: Part, pid: u32 },
    /// Another KWOK runs.
    Plays { pid: u32 },
    /// A part is there no more: killed, or by itself.
    Ended { part: Part, how: String },
    /// The guard will go on when stdin ends.
    Kept,
}

/// The whole life of a guard; the one argument is the control plane's folder.
///
/// It says what it cannot do in its log, `guard.log` in the folder, which is its stderr.
#[must_use]
pub fn run(args: &[String]) -> ExitCode {
    let [folder] = args else {
        // Only `start` calls it, and gives it one.
        return ExitCode::FAILURE;
    };
    let folder = Path::new(folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(guard(folder)),
        Err(error) => Err(format!("no runtime: {error}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log is in a folder that may be gone: there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn guard(folder: &Path) -> Result<(), String> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let task: Task = serde_json::from_str(&read(file::GUARD)?).map_err(|error| format!("{}: {error}", file::GUARD))?;
    let authority = read(file::AUTHORITY)?;
    let api = Api::new(
        &task.api,
        &authority,
        &read(file::SIMULATOR)?,
        &read(file::SIMULATOR_KEY)?,
    )
    .map_err(|error| error.to_string())?;
    let backends = egress::Backends::new(api.clone(), read(file::BACKENDS)?, read(file::BACKENDS_KEY)?)
        .map_err(|failure| failure.to_string())?;
    let socket = egress::listen(&folder.join(file::EGRESS_SOCKET)).map_err(|error| format!("egress: {error}"))?;
    tokio::spawn(egress::serve(socket, backends));
    tokio::spawn(injector::inject(api.clone(), read(file::BACKENDS)?));

    let mut parts = Parts::new(folder, api);
    let mut ended = until_the_end(&mut parts).await;
    parts.end_all().await;
    for folder in parts.remove.iter().chain([&parts.folder]) {
        ended = ended.and(folder::remove(folder).await);
    }
    ended
}

/// Follows orders until stdin ends or a signal comes.
async fn until_the_end(parts: &mut Parts) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    // A terminal that is closed must not end a control plane that is kept.
    let _hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let mut orders = Some(read_orders());
    let mut keep = false;
    loop {
        tokio::select! {
            line = next(&mut orders) => match line.as_deref().map(serde_json::from_str) {
                Some(Ok(Order::Keep)) => { keep = true; say(&Happened::Kept); }
                Some(Ok(Order::Start { part, program, args })) => parts.start(part, &program, &args),
                Some(Ok(Order::Play(player))) => parts.play_once_served(player, 1),
                Some(Ok(Order::Kill { part })) => parts.kill(part),
                Some(Ok(Order::AlsoRemove { folder })) => parts.remove.push(folder),
                Some(Err(error)) => return Err(format!("an order that is none: {error}")),
                None if keep => orders = None,
                None => return Ok(()),
            },
            Some((player, attempt)) = parts.served.recv() => parts.play(player, attempt),
            Some((who, how)) = parts.ended.recv() => {
                parts.running.remove(&who);
                if parts.play_again(who) {
                    continue;
                }
                say(&Happened::Ended { part: who.part, how });
                if keep && parts.running.is_empty() {
                    return Ok(());
                }
            }
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// The lines of stdin. A thread of its own reads them, which ends with the process and holds nothing up.
fn read_orders() -> mpsc::Receiver<String> {
    let (send, orders) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let sent = line.ok().map(|line| send.blocking_send(line));
            if !matches!(sent, Some(Ok(()))) {
                return;
            }
        }
    });
    orders
}

/// The next order; `None` at the end of stdin, and never again once `orders` is `None`.
async fn next(orders: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match orders {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

fn say(what: &Happened) {
    if let Ok(line) = serde_json::to_string(what) {
        // Nobody listens any more once it is kept.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// How long to wait before it is asked again whether a kind is served.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How often a player is started. While kinds come and go the server's list of them is torn for moments, and KWOK ends when it
/// sees that.
const ATTEMPTS: u32 = 5;

/// A part, or another process of the same program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    part: Part,
    /// 0: the part itself; the others are numbered.
    number: usize,
}

impl From<Part> for Who {
    fn from(part: Part) -> Who {
        Who { part, number: 0 }
    }
}

/// The running parts, each with a task that waits for its end.
struct Parts {
    folder: PathBuf,
    api: Api,
    running: BTreeMap<Who, mpsc::Sender<()>>,
    ended: mpsc::Receiver<(Who, String)>,
    end: mpsc::Sender<(Who, String)>,
    /// Players whose kind has come to be served.
    served: mpsc::Receiver<(Player, u32)>,
    serve: mpsc::Sender<(Player, u32)>,
    /// All players that were started, by number from 1, and the how many-th attempt that was.
    players: Vec<(Player, u32)>,
    /// What is to be removed beside the folder.
    remove: Vec<PathBuf>,
}

impl Parts {
    fn new(folder: &Path, api: Api) -> Parts {
        let (end, ended) = mpsc::channel(16);
        let (serve, served) = mpsc::channel(16);
        Parts {
            folder: folder.to_owned(),
            api,
            running: BTreeMap::new(),
            ended,
            end,
            served,
            serve,
            players: Vec::new(),
            remove: Vec::new(),
        }
    }

    fn start(&mut self, part: Part, program: &Program, args: &[String]) {
        let how = match self.try_start(part.into(), program, args) {
            Ok(pid) => return say(&Happened::Started { part, pid }),
            Err(how) => how,
        };
        say(&Happened::Ended { part, how });
    }

    /// Asks until the kind is served. Nothing tells of that: when its definition is established, it is not served yet.
    fn play_once_served(&self, player: Player, attempt: u32) {
        let (api, serve) = (self.api.clone(), self.serve.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(ASK_AGAIN).await;
                if stages::is_playable(&api, &player.played).await {
                    break;
                }
            }
            // The receiver lives as long as the guard.
            let _ = serve.send((player, attempt)).await;
        });
    }

    fn play(&mut self, player: Player, attempt: u32) {
        let who = Who {
            part: Part::Kwok,
            number: self.players.len() + 1,
        };
        match self.try_start(who, &player.program, &player.args) {
            Ok(pid) => say(&Happened::Plays { pid }),
            Err(how) => say(&Happened::Ended { part: who.part, how }),
        }
        self.players.push((player, attempt));
    }

    /// Whether it was a player that ended, and is tried again.
    fn play_again(&self, who: Who) -> bool {
        let ended = who.number.checked_sub(1).and_then(|index| self.players.get(index));
        let again = ended.filter(|(_, attempt)| *attempt < ATTEMPTS);
        if let Some((player, attempt)) = again {
            self.play_once_served(player.clone(), attempt + 1);
        }
        again.is_some()
    }

    fn try_start(&mut self, who: Who, program: &Program, args: &[String]) -> Result<u32, String> {
        let part = who.part;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(part.log(&self.folder))
            .map_err(|error| format!("its log could not be opened: {error}"))?;
        let mut tool = Tool::new(&program.file)
            .args(program.part.map(Part::name))
            .args(args)
            .folder(&self.folder)
            // Not the proxies: nothing leaves this machine.
            .inherit(
                BASIC_ENVIRONMENT
                    .into_iter()
                    .filter(|name| !name.to_ascii_lowercase().ends_with("_proxy")),
            )
            .env("HOME", &self.folder);
        if part == Part::KubeApiserver {
            // Webhook configurations without a caBundle are called with the system's authorities.
            tool = tool
                .env("SSL_CERT_FILE", self.folder.join(file::BACKENDS))
                .env("SSL_CERT_DIR", "/nonexistent");
        }
        let mut process = tool.spawn_logged(log).map_err(|error| error.to_string())?;
        let pid = process.id().ok_or("it ended at once")?;
        let (kill, mut killed) = mpsc::channel(1);
        let end = self.end.clone();
        tokio::spawn(async move {
            let how = tokio::select! {
                how = process.wait() => match how {
                    Ok(status) => status.to_string(),
                    Err(error) => error.to_string(),
                },
                _ = killed.recv() => match process.kill().await {
                    Ok(()) => "killed".to_owned(),
                    Err(error) => error.to_string(),
                },
            };
            // The receiver lives as long as the guard.
            let _ = end.send((who, how)).await;
        });
        self.running.insert(who, kill);
        Ok(pid)
    }

    fn kill(&mut self, part: Part) {
        match self.running.get(&part.into()) {
            // A full channel means that it is being killed already.
            Some(kill) => drop(kill.try_send(())),
            None => say(&Happened::Ended {
                part,
                how: "was not running".into(),
            }),
        }
    }

    /// Kills all parts and waits until they are gone.
    async fn end_all(&mut self) {
        for kill in self.running.values() {
            let _ = kill.try_send(());
        }
        while !self.running.is_empty() {
            match self.ended.recv().await {
                Some((who, _)) => self.running.remove(&who),
                None => return,
            };
        }
    }
}
