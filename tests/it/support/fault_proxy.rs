//! A proxy in front of a real API server: it delays, refuses, drops and swallows on command, and keeps a log of requests.
//!
//! [`FaultProxy`] speaks HTTP on loopback and TLS with the user's credentials to the server, so that it can answer in the
//! server's place. [`SlowLine`] passes bytes on, later: it costs next to nothing, and clients keep their TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::{Body, Client};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// What happens to a request that a [`Fault`] fits.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answered with this status, reason and message; with a Retry-After in seconds if that is not 0.
    Status(u16, &'static str, &'static str, u64),
    /// The connection is closed before the server hears of it.
    Drop,
    /// The server does it, and the connection is closed before the answer.
    DropAnswer,
    /// Nothing is ever answered.
    Swallow,
    /// Passed on after this long.
    Delay(Duration),
    /// Answered with this JSON, made of path and query.
    Instead(fn(&str) -> Value),
}

/// A fault and the requests it befalls.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Method, "" for any.
    pub method: &'static str,
    /// Part of path and query, "" for any.
    pub path: String,
    /// Befalls every n-th that fits: 1 for all.
    pub every: usize,
    /// And at most this many.
    pub times: usize,
    /// What happens.
    pub act: Act,
    seen: usize,
    fired: usize,
}

impl Fault {
    /// A fault that befalls every request whose path holds `path`.
    pub fn on(method: &'static str, path: impl Into<String>, act: Act) -> Self {
        Self {
            method,
            path: path.into(),
            every: 1,
            times: usize::MAX,
            act,
            seen: 0,
            fired: 0,
        }
    }

    /// Only every n-th.
    pub fn every(mut self, every: usize) -> Self {
        self.every = every;
        self
    }

    /// At most so many times.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn befalls(&mut self, method: &str, path: &str) -> bool {
        let fits = (self.method.is_empty() || self.method == method) && path.contains(&self.path);
        if !fits || self.fired == self.times {
            return false;
        }
        self.seen += 1;
        let fires = self.seen.is_multiple_of(self.every);
        self.fired += usize::from(fires);
        fires
    }
}

/// One request, in the order they came.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header `Accept`; empty without.
    pub accept: String,
    /// When it came, from the start of the proxy.
    pub at: Duration,
    /// What was answered; `None` while open, and if nothing was.
    pub status: Option<u16>,
}

struct Inner {
    upstream: Client,
    started: Instant,
    faults: Mutex<Vec<Fault>>,
    log: Mutex<Vec<Logged>>,
    delay: Mutex<Duration>,
    ignore_accept: AtomicBool,
    cuts: watch::Sender<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client that does nothing but send, as the user of a kubeconfig's current context.
pub async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("because the control plane wrote it");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("because the control plane wrote it");
    config.default_retry = false;
    config.disable_compression = true;
    config.proxy_url = None;
    Client::try_from(config).expect("because the control plane's certificates are good")
}

/// The proxy; stops when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: AbortHandle,
}

impl FaultProxy {
    /// Starts before the server of a kubeconfig's current context; speaks to it as that context's user.
    pub async fn start(kubeconfig: &Path) -> Self {
        let upstream = client(kubeconfig).await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("because loopback has free ports");
        let address = listener.local_addr().expect("because it is bound");
        let inner = Arc::new(Inner {
            upstream,
            started: Instant::now(),
            faults: Mutex::default(),
            log: Mutex::default(),
            delay: Mutex::default(),
            ignore_accept: AtomicBool::new(false),
            cuts: watch::channel(0).0,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&inner))).abort_handle();
        Self {
            address,
            inner,
            accepting,
        }
    }

    /// A kubeconfig that leads through the proxy.
    pub fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxied", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "proxied", "context": {"cluster": "proxied", "user": "nobody"}}],
            "current-context": "proxied",
        })
        .to_string()
    }

    /// Replaces all faults.
    pub fn set(&self, faults: impl IntoIterator<Item = Fault>) {
        *lock(&self.inner.faults) = faults.into_iter().collect();
    }

    /// Passes every request on so much later.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.inner.delay) = delay;
    }

    /// Answers as servers do that know plain JSON only.
    pub fn ignore_accept(&self, ignore: bool) {
        self.inner.ignore_accept.store(ignore, Ordering::Relaxed);
    }

    /// Closes every open connection.
    pub fn cut(&self) {
        self.inner.cuts.send_modify(|count| *count += 1);
    }

    /// The requests so far.
    pub fn log(&self) -> Vec<Logged> {
        lock(&self.inner.log).clone()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        lock(&self.inner.log).clear();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A delayed packet would count as the server's slowness.
        let _ = stream.set_nodelay(true);
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            let mut cuts = inner.cuts.subscribe();
            let service = service_fn(|request| pass(Arc::clone(&inner), request));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                _ = serving => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

/// Ends the connection.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

type Answer = Response<http_body_util::combinators::UnsyncBoxBody<Bytes, kube::Error>>;

async fn pass(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let method = request.method().to_string();
    let path = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let accept = accept.unwrap_or_default().to_owned();
    let index = {
        let mut log = lock(&inner.log);
        log.push(Logged {
            method: method.clone(),
            path: path.clone(),
            accept,
            at: inner.started.elapsed(),
            status: None,
        });
        log.len() - 1
    };
    let delay = *lock(&inner.delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let act = lock(&inner.faults)
        .iter_mut()
        .find_map(|fault| fault.befalls(&method, &path).then(|| fault.act.clone()));
    let answer = match act {
        Some(Act::Status(code, reason, message, after)) => Ok(refuse(code, reason, message, after)),
        Some(Act::Instead(make)) => Ok(json_answer(&make(&path))),
        Some(Act::Drop) => Err(Dropped),
        Some(Act::Swallow) => std::future::pending().await,
        Some(Act::DropAnswer) => {
            let _ = forward(&inner, request).await;
            Err(Dropped)
        }
        Some(Act::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            forward(&inner, request).await
        }
        None => forward(&inner, request).await,
    };
    if let (Ok(answer), Some(entry)) = (&answer, lock(&inner.log).get_mut(index)) {
        entry.status = Some(answer.status().as_u16());
    }
    answer
}

async fn forward(inner: &Inner, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    for name in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        parts.headers.remove(name);
    }
    if inner.ignore_accept.load(Ordering::Relaxed) {
        parts
            .headers
            .insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    }
    let request = Request::from_parts(parts, Body::from(body));
    // A server that is away looks so from behind the proxy too.
    let response = inner.upstream.send(request).await.map_err(|_| Dropped)?;
    Ok(response.map(BodyExt::boxed_unsync))
}

fn refuse(code: u16, reason: &str, message: &str, after: u64) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    let mut response = json_answer(&body);
    *response.status_mut() = StatusCode::from_u16(code).expect("because the test gives a real code");
    if after > 0 {
        response.headers_mut().insert(header::RETRY_AFTER, after.into());
    }
    response
}

fn json_answer(body: &Value) -> Answer {
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

/// A line to a server that is far away: bytes arrive half a round trip later in each direction. Stops when dropped.
pub struct SlowLine {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl SlowLine {
    /// A line to `upstream` with this round trip.
    pub async fn start(upstream: SocketAddr, round_trip: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("because loopback has free ports");
        let address = listener.local_addr().expect("because it is bound");
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(upstream).await else {
                        return;
                    };
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    let half = round_trip / 2;
                    tokio::join!(later(near_in, far_out, half), later(far_in, near_out, half));
                });
            }
        });
        Self {
            address,
            accepting: accepting.abort_handle(),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SlowLine {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn later(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, delay: Duration) {
    let (send, mut receive) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    let reading = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let due = tokio::time::Instant::now() + delay;
            if send.send((due, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = receive.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}
