//! The ceiling: a client that does nothing but send the same bodies, over HTTP/1.1 with a fixed number of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How to reach the API server.
#[derive(Clone)]
pub struct Server {
    address: String,
    tls: TlsConnector,
}

/// One request: path with query, body.
pub struct Request {
    /// `/api/v1/namespaces/…?fieldManager=…`
    pub path: String,
    /// JSON.
    pub body: String,
}

/// What a list is asked for.
const JSON: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

impl Server {
    /// Reads a kubeconfig that carries its certificates.
    pub fn from_kubeconfig(text: &str) -> Self {
        let config = kube_yaml::parse_one(text.as_bytes())
            .value
            .expect("because refloat wrote it");
        let pem = |pointer: &str| {
            let encoded = config
                .pointer(pointer)
                .and_then(|v| v.as_str())
                .expect("because refloat embeds certificates");
            base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .expect("because it is base64")
        };
        let mut roots = rustls::RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(&pem("/clusters/0/cluster/certificate-authority-data"));
        roots
            .add(ca.expect("because it is PEM"))
            .expect("because it is a certificate");
        let certificate = CertificateDer::from_pem_slice(&pem("/users/0/user/client-certificate-data"));
        let key = PrivateKeyDer::from_pem_slice(&pem("/users/0/user/client-key-data"));
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![certificate.expect("because it is PEM")],
                key.expect("because it is PEM"),
            )
            .expect("because key and certificate belong together");
        let url = config
            .pointer("/clusters/0/cluster/server")
            .and_then(|v| v.as_str())
            .unwrap_or_default();
        Self {
            address: url.trim_start_matches("https://").trim_end_matches('/').to_owned(),
            tls: TlsConnector::from(Arc::new(tls)),
        }
    }

    /// The same server behind another address (a proxy that passes bytes on).
    pub fn behind(&self, address: &str) -> Self {
        Self {
            address: address.to_owned(),
            tls: self.tls.clone(),
        }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(&self.address)
            .await
            .expect("because the server listens");
        stream.set_nodelay(true).expect("because it is connected");
        let name = ServerName::try_from("127.0.0.1").expect("because it is an address");
        self.tls
            .connect(name, stream)
            .await
            .expect("because the server's certificate is ours")
    }

    /// Applies all over this many connections; how long it took. Panics on any answer but 200 and 201.
    pub async fn apply_all(&self, requests: Arc<Vec<Request>>, connections: usize) -> Duration {
        self.send_all("PATCH", requests, connections).await
    }

    /// Sends all requests over this many connections; how long it took. Panics on any answer but 200 and 201.
    pub async fn send_all(&self, method: &'static str, requests: Arc<Vec<Request>>, connections: usize) -> Duration {
        let next = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (server, requests, next) = (self.clone(), Arc::clone(&requests), Arc::clone(&next));
            tasks.spawn(async move {
                let mut stream = server.connect().await;
                let mut buffer = Vec::with_capacity(16 << 10);
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let code = send(&mut stream, method, JSON, request, &mut buffer).await;
                    assert!(
                        code == 200 || code == 201,
                        "HTTP {code}: {}",
                        String::from_utf8_lossy(&buffer)
                    );
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("because the server answers");
        }
        start.elapsed()
    }

    /// Lists the metadata of all objects of these collections, in pages of so many, one collection a connection at a time; how long
    /// it took, and how many objects there are.
    pub async fn list_all(&self, collections: Arc<Vec<String>>, connections: usize, page: usize) -> (Duration, usize) {
        let (next, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (server, collections) = (self.clone(), Arc::clone(&collections));
            let (next, count) = (Arc::clone(&next), Arc::clone(&count));
            tasks.spawn(async move {
                let mut stream = server.connect().await;
                let mut buffer = Vec::with_capacity(1 << 20);
                while let Some(collection) = collections.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut next = Some(String::new());
                    while let Some(token) = next {
                        let request = Request {
                            path: format!("{collection}?limit={page}{token}"),
                            body: String::new(),
                        };
                        let code = send(&mut stream, "GET", METADATA, &request, &mut buffer).await;
                        // Some kinds cannot be listed.
                        assert!(code == 200 || code == 405, "{collection}: HTTP {code}");
                        count.fetch_add(objects(&buffer), Ordering::Relaxed);
                        next = token_of(&buffer).map(|token| format!("&continue={token}"));
                    }
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("because the server answers");
        }
        (start.elapsed(), count.load(Ordering::Relaxed))
    }

    /// How much was ever written to the cluster, counted in writes.
    pub async fn revision(&self) -> u64 {
        let mut stream = self.connect().await;
        let request = Request {
            path: "/api/v1/namespaces?limit=1".to_owned(),
            body: String::new(),
        };
        let mut buffer = Vec::new();
        let code = send(&mut stream, "GET", JSON, &request, &mut buffer).await;
        assert!(code == 200, "HTTP {code}: {}", String::from_utf8_lossy(&buffer));
        let list: serde_json::Value = serde_json::from_slice(&buffer).expect("because it is JSON");
        let version = list["metadata"]["resourceVersion"].as_str();
        version
            .and_then(|text| text.parse().ok())
            .expect("because lists have a version")
    }

    /// One POST, for what a measurement needs beforehand.
    pub async fn create(&self, path: &str, body: String) {
        let mut stream = self.connect().await;
        let request = Request {
            path: path.to_owned(),
            body,
        };
        let code = send(&mut stream, "POST", JSON, &request, &mut Vec::new()).await;
        assert!(code == 201, "POST {path}: HTTP {code}");
    }
}

/// Writes one request, reads one answer; the body of the answer is left in `buffer`.
async fn send(
    stream: &mut TlsStream<TcpStream>,
    method: &str,
    accept: &str,
    request: &Request,
    buffer: &mut Vec<u8>,
) -> u16 {
    let kind = if method == "PATCH" {
        "application/apply-patch+yaml"
    } else {
        "application/json"
    };
    let message = format!(
        "{method} {} HTTP/1.1\r\nHost: kubernetes\r\nAccept: {accept}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{}",
        request.path,
        request.body.len(),
        request.body
    );
    stream
        .write_all(message.as_bytes())
        .await
        .expect("because the server reads");
    buffer.clear();
    let head = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, buffer).await;
    };
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let code = text[9..12].parse().expect("because it is a status line");
    if let Some(length) = text.split("content-length: ").nth(1) {
        let length: usize = length
            .split('\r')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("because it is a number");
        while buffer.len() < head + length {
            more(stream, buffer).await;
        }
        buffer.drain(..head);
    } else {
        while !buffer.ends_with(b"0\r\n\r\n") {
            more(stream, buffer).await;
        }
        buffer.drain(..head);
        unchunk(buffer);
    }
    code
}

/// Puts the chunks of a body together.
fn unchunk(buffer: &mut Vec<u8>) {
    let (mut read, mut written) = (0, 0);
    while let Some(end) = find(&buffer[read..], b"\r\n") {
        let size = std::str::from_utf8(&buffer[read..read + end]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("because a chunk begins with its size");
        let from = read + end + 2;
        buffer.copy_within(from..from + size, written);
        written += size;
        read = from + size + 2;
        if size == 0 {
            break;
        }
    }
    buffer.truncate(written);
}

/// How many objects are in a list of metadata.
fn objects(list: &[u8]) -> usize {
    const OBJECT: &[u8] = b"\"kind\":\"PartialObjectMetadata\"";
    let (mut count, mut rest) = (0, list);
    while let Some(at) = find(rest, OBJECT) {
        count += 1;
        rest = &rest[at + OBJECT.len()..];
    }
    count
}

/// Where the next page of a list begins; a list says it before its items.
fn token_of(list: &[u8]) -> Option<String> {
    let head = &list[..list.len().min(1024)];
    let at = find(head, b"\"continue\":\"")? + 12;
    let token = &list[at..];
    let token = &token[..find(token, b"\"")?];
    (!token.is_empty()).then(|| String::from_utf8_lossy(token).replace('=', "%3D"))
}

async fn more(stream: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>) {
    assert!(
        stream.read_buf(buffer).await.expect("because the server answers") > 0,
        "the server closed the connection"
    );
}

/// Most of what it is asked about is large, and has no needle near its beginning.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, mut from) = (*needle.first()?, 0);
    while let Some(at) = haystack.get(from..)?.iter().position(|byte| *byte == first) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
