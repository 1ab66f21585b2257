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

/// One server-side apply: path with query, body.
pub struct Request {
    /// `/api/v1/namespaces/…?fieldManager=…`
    pub path: String,
    /// JSON.
    pub body: String,
}

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

    /// Sends all requests over this many connections; how long it took. Panics on any answer but 200 and 201.
    pub async fn apply_all(&self, requests: Arc<Vec<Request>>, connections: usize) -> Duration {
        let next = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (server, requests, next) = (self.clone(), Arc::clone(&requests), Arc::clone(&next));
            tasks.spawn(async move {
                let mut stream = server.connect().await;
                let mut buffer = Vec::with_capacity(16 << 10);
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let code = send(&mut stream, "PATCH", request, &mut buffer).await;
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

    /// How much was ever written to the cluster, counted in writes.
    pub async fn revision(&self) -> u64 {
        let mut stream = self.connect().await;
        let request = Request {
            path: "/api/v1/namespaces?limit=1".to_owned(),
            body: String::new(),
        };
        let mut buffer = Vec::new();
        let code = send(&mut stream, "GET", &request, &mut buffer).await;
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
        let code = send(&mut stream, "POST", &request, &mut Vec::new()).await;
        assert!(code == 201, "POST {path}: HTTP {code}");
    }
}

/// Writes one request, reads one answer; the body of the answer is left in `buffer`.
async fn send(stream: &mut TlsStream<TcpStream>, method: &str, request: &Request, buffer: &mut Vec<u8>) -> u16 {
    let kind = if method == "PATCH" {
        "application/apply-patch+yaml"
    } else {
        "application/json"
    };
    let message = format!(
        "{method} {} HTTP/1.1\r\nHost: kubernetes\r\nAccept: application/json\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{}",
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
    } else {
        while !buffer.ends_with(b"0\r\n\r\n") {
            more(stream, buffer).await;
        }
    }
    buffer.drain(..head);
    code
}

async fn more(stream: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>) {
    assert!(
        stream.read_buf(buffer).await.expect("because the server answers") > 0,
        "the server closed the connection"
    );
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
