//! HTTP and HTTPS servers on loopback that answer what a test says, and keep a log of what they were asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    /// What was posted.
    pub body: String,
}

impl Asked {
    /// A header, "" where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// One answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The connection ends after so many bytes of the body.
    cut: Option<usize>,
}

impl Answer {
    /// A status and nothing else.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// 200.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::status(200)
        }
    }

    /// Adds a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A redirect.
    pub fn redirect(to: &str) -> Self {
        Self::status(302).with("location", to)
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Ends the connection in the middle of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }
}

/// A server; it ends with the test program.
pub struct Web {
    /// `http://127.0.0.1:PORT` or `https://localhost:PORT`.
    pub address: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

type Handler = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// A certificate for localhost with its authority, and one for a client, all PEM.
pub struct Certificates {
    pub authority: String,
    pub client: String,
    server: (String, String),
}

impl Certificates {
    pub fn new() -> Self {
        let key = || KeyPair::generate().expect("keys can be made");
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut authority = named("authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = key();
        let authority_pem = authority.self_signed(&authority_key).expect("it is complete").pem();
        let issuer = Issuer::new(authority, authority_key);
        let sign = |params: CertificateParams| {
            let key = key();
            let signed = params.signed_by(&key, &issuer).expect("it is complete");
            (signed.pem(), key.serialize_pem())
        };
        let mut server = named("localhost");
        server.subject_alt_names = vec![SanType::DnsName("localhost".try_into().expect("it is a name"))];
        let client = sign(named("client"));
        Self {
            authority: authority_pem,
            client: format!("{}\n{}", client.0, client.1),
            server: sign(server),
        }
    }

    fn config(&self, ask_client: bool) -> ServerConfig {
        use rustls::pki_types::pem::PemObject;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("it is PEM");
        let builder = ServerConfig::builder();
        let builder = match ask_client {
            false => builder.with_no_client_auth(),
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(&self.authority)).expect("it is an authority");
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
                builder.with_client_cert_verifier(verifier.expect("there is a root"))
            }
        };
        let key = PrivateKeyDer::from_pem_slice(self.server.1.as_bytes()).expect("it is PEM");
        builder
            .with_single_cert(vec![certificate(&self.server.0)], key)
            .expect("they belong together")
    }
}

impl Web {
    /// A server over plain HTTP.
    pub fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::run(None, Box::new(handler))
    }

    /// A server over HTTPS, which may ask for a client certificate.
    pub fn start_tls(
        certificates: &Certificates,
        ask_client: bool,
        handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::run(Some(Arc::new(certificates.config(ask_client))), Box::new(handler))
    }

    /// A server of files by path; what is none is 404.
    pub fn of_files(files: &[(&str, &[u8])]) -> Self {
        let files: BTreeMap<String, Vec<u8>> = files
            .iter()
            .map(|(path, body)| ((*path).to_owned(), body.to_vec()))
            .collect();
        Self::start(move |asked| files.get(&asked.path).cloned().map_or(Answer::status(404), Answer::ok))
    }

    fn run(tls: Option<Arc<ServerConfig>>, handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let address = match tls {
            None => format!("http://127.0.0.1:{port}"),
            Some(_) => format!("https://localhost:{port}"),
        };
        let log: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, handler) = (log.clone(), Arc::new(handler));
        std::thread::spawn(move || {
            for connection in listener.incoming().filter_map(Result::ok) {
                let (tls, log, handler) = (tls.clone(), kept.clone(), handler.clone());
                std::thread::spawn(move || match tls {
                    None => serve(connection, &log, &handler),
                    Some(config) => {
                        let session = ServerConnection::new(config).expect("it is configured");
                        serve(StreamOwned::new(session, connection), &log, &handler);
                    }
                });
            }
        });
        Self { address, log }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The paths of what it was asked so far.
    pub fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).collect()
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        self.address.split("://").nth(1).unwrap_or_default()
    }
}

/// Requests of one connection, one after the other.
fn serve(connection: impl Read + Write, log: &Mutex<Vec<Asked>>, handler: &Handler) {
    let mut connection = BufReader::new(connection);
    while let Some(asked) = read(&mut connection) {
        let answer = handler(&asked);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let mut head = format!(
            "HTTP/1.1 {} Answer\r\ncontent-length: {}\r\n",
            answer.status,
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let body = &answer.body[..answer.cut.unwrap_or(answer.body.len())];
        let to = connection.get_mut();
        // Whoever asked may be gone.
        let sent = to
            .write_all(head.as_bytes())
            .and_then(|()| to.write_all(body))
            .and_then(|()| to.flush());
        if sent.is_err() || answer.cut.is_some() {
            return;
        }
    }
}

fn read(connection: &mut impl BufRead) -> Option<Asked> {
    let mut line = || {
        let mut line = String::new();
        connection.read_line(&mut line).ok().filter(|count| *count > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Asked {
        method,
        path,
        headers,
        body,
    })
}
