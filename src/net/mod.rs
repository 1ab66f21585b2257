//! The only HTTP client beside kube's: files and texts from the network, JSON to webhooks, and the plain JSON of one API server.
//!
//! Proxies are taken from the environment as usual, except for an API server of our own. Addresses in errors have no
//! user, password or query.

mod hook;
mod session;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use reqwest::{Certificate, Client, Identity, Method, StatusCode, Url};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use hook::{Hook, Unposted};
pub use session::{Access, Authorization, Question, Reply, Session, Stamp, public, resolve, same_server};

/// How long making a connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server may say nothing in the middle of an answer.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why something did not come over the network.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The address cannot be used.
    #[error("{address} is no usable address: {reason}")]
    Address {
        /// As it was given, without credentials where it could be parsed.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection, or one that broke.
    #[error("{address}: {reason}")]
    Connection {
        /// Without credentials.
        address: String,
        /// The innermost cause.
        reason: String,
    },
    /// An answer other than success.
    #[error("{address} answered {status}")]
    Status {
        /// Without credentials.
        address: String,
        /// The HTTP status code.
        status: u16,
    },
    /// What came is not what its publisher's checksum says.
    #[error("{address} has the wrong checksum: expected sha256 {expected}, got {actual}")]
    Checksum {
        /// Without credentials.
        address: String,
        /// What was asked for, in lower case hexadecimal.
        expected: String,
        /// What came.
        actual: String,
    },
    /// The file could not be written.
    #[error("{path} could not be written: {source}")]
    Write {
        /// Where to.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The answer is longer than it may be.
    #[error("{address} answered with more than {limit} bytes")]
    TooMuch {
        /// Without credentials.
        address: String,
        /// How many bytes it may be.
        limit: usize,
    },
    /// It leads from one address to the next, without end.
    #[error("{address} redirects too often, or in a ring")]
    Redirects {
        /// Without credentials.
        address: String,
    },
    /// TLS or the client could not be set up.
    #[error("the HTTP client could not be set up: {0}")]
    Setup(String),
}

impl NetError {
    /// Whether the far end could not be reached at all, as opposed to its answering something unwanted.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        matches!(self, NetError::Connection { .. })
    }
}

/// An address as it may be shown: without user, password, query and fragment.
#[must_use]
pub fn shown(address: &Url) -> String {
    let mut plain = address.clone();
    // Only addresses without a host refuse these, and those have no credentials.
    let _ = plain.set_username("");
    let _ = plain.set_password(None);
    plain.set_query(None);
    plain.set_fragment(None);
    plain.to_string()
}

fn parse(address: &str) -> Result<Url, NetError> {
    let url = Url::parse(address).map_err(|error| NetError::Address {
        address: without_user(address),
        reason: error.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(NetError::Address {
            address: shown(&url),
            reason: format!("{} is not http or https", url.scheme()),
        });
    }
    Ok(url)
}

/// The same for text that is no address: whatever stands before the last `@` could be a password.
fn without_user(address: &str) -> String {
    address.rsplit_once('@').map_or(address, |(_, rest)| rest).to_owned()
}

/// The innermost cause: the outer ones only repeat the address.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(deeper) = at.source() {
        at = deeper;
    }
    at.to_string()
}

fn broken(url: &Url, error: &reqwest::Error) -> NetError {
    let reason = if error.is_timeout() && error.is_connect() {
        format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())
    } else if error.is_timeout() {
        format!("silent for {} s", SILENCE_TIMEOUT.as_secs())
    } else {
        innermost(error)
    };
    NetError::Connection {
        address: shown(url),
        reason,
    }
}

/// rustls wants to be told once in a process which cryptography to use; main has done so, a test may not have.
fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn client() -> Result<Client, NetError> {
    choose_cryptography();
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_TIMEOUT)
        .user_agent(concat!("refloat/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| NetError::Setup(innermost(&error)))
}

async fn get(url: &Url) -> Result<reqwest::Response, NetError> {
    let response = client()?
        .get(url.clone())
        .send()
        .await
        .map_err(|error| broken(url, &error))?;
    if response.status() != StatusCode::OK {
        return Err(NetError::Status {
            address: shown(url),
            status: response.status().as_u16(),
        });
    }
    Ok(response)
}

/// The text at an address, of at most `limit` bytes.
pub async fn get_text(address: &str, limit: usize) -> Result<String, NetError> {
    let url = parse(address)?;
    let mut chunks = get(&url).await?.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| broken(&url, &error))?);
        if bytes.len() > limit {
            return Err(NetError::TooMuch {
                address: shown(&url),
                limit,
            });
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The text at an address, of at most `limit` bytes, for callers that are not asynchronous.
pub fn get_now(address: &str, limit: usize) -> Result<String, NetError> {
    let unable = |reason: &dyn std::fmt::Display| NetError::Address {
        address: address.to_owned(),
        reason: reason.to_string(),
    };
    // A thread of its own: a runtime cannot be entered from within another.
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .map_err(|cause| unable(&cause))?
                .block_on(get_text(address, limit))
        });
        fetching.join().unwrap_or_else(|_| Err(unable(&"it was not fetched")))
    })
}

/// Fetches a file: into a temporary file in the same folder first, renamed to `file` once it is whole, on the disk, and has
/// the SHA-256 checksum `sha256` (hexadecimal) where one is given. `progress` is told bytes so far and, if known, in all.
pub async fn download(
    address: &str,
    file: &Path,
    sha256: Option<&str>,
    progress: &mut (dyn FnMut(u64, Option<u64>) + Send),
) -> Result<(), NetError> {
    let url = parse(address)?;
    let unwritten = |source| NetError::Write {
        path: file.display().to_string(),
        source,
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    let response = get(&url).await?;
    let total = response.content_length();
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(unwritten)?;
    let mut hash = Sha256::new();
    let mut so_far = 0;
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| broken(&url, &error))?;
        part.write_all(&chunk).map_err(unwritten)?;
        hash.update(&chunk);
        so_far += chunk.len() as u64;
        progress(so_far, total);
    }
    let actual = hexadecimal(&hash.finalize());
    if let Some(expected) = sha256
        .map(str::to_ascii_lowercase)
        .filter(|expected| *expected != actual)
    {
        return Err(NetError::Checksum {
            address: shown(&url),
            expected,
            actual,
        });
    }
    let fsync: fn(&File) -> std::io::Result<()> = File::sync_all;
    fsync(part.as_file()).map_err(unwritten)?;
    part.persist(file).map_err(|error| unwritten(error.error))?;
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One API server, spoken to in plain JSON with a client certificate. For servers of our own on this machine: proxies of
/// the environment are not used.
#[derive(Clone, Debug)]
pub struct Api {
    base: Url,
    client: Client,
}

/// What an API server answered: any status, and the body (`Null` when it is no JSON).
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// Whether the status is one of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a Kubernetes `Status` says, else the number of the HTTP status.
    #[must_use]
    pub fn message(&self) -> String {
        self.body["message"]
            .as_str()
            .map_or_else(|| format!("HTTP status {}", self.status), str::to_owned)
    }
}

impl Api {
    /// `base` is `https://host:port`; certificates and key are PEM.
    pub fn new(base: &str, authority: &str, certificate: &str, key: &str) -> Result<Api, NetError> {
        choose_cryptography();
        let setup = |error: reqwest::Error| NetError::Setup(innermost(&error));
        let authority = Certificate::from_pem(authority.as_bytes()).map_err(setup)?;
        let identity = Identity::from_pem(format!("{certificate}\n{key}").as_bytes()).map_err(setup)?;
        let client = Client::builder()
            .no_proxy()
            .http1_only()
            .tls_certs_only([authority])
            .identity(identity)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(setup)?;
        Ok(Api {
            base: parse(base)?,
            client,
        })
    }

    /// One request: `path` begins with a slash and may have a query; `content` names the content type of `body`. It may
    /// take 30 s.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<Answer, NetError> {
        let url = self.url(path)?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| NetError::Address {
            address: shown(&url),
            reason: error.to_string(),
        })?;
        let mut request = self.client.request(method, url.clone()).timeout(SILENCE_TIMEOUT);
        if let Some(body) = body {
            request = request.header("content-type", content).body(body.to_string());
        }
        let response = request.send().await.map_err(|error| broken(&url, &error))?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(|error| broken(&url, &error))?;
        Ok(Answer {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Answer, NetError> {
        self.request("GET", path, "", None).await
    }

    /// POST of an object.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Answer, NetError> {
        self.request("POST", path, "application/json", Some(object)).await
    }

    /// Follows a watch: calls `each` with every event until the server ends it (then `Ok`) or the connection breaks.
    pub async fn watch(&self, path: &str, each: &mut (dyn FnMut(Value) + Send)) -> Result<u16, NetError> {
        let url = self.url(path)?;
        let response = self
            .client
            .get(url.clone())
            .send()
            .await
            .map_err(|error| broken(&url, &error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Ok(status);
        }
        let mut chunks = response.bytes_stream();
        let mut pending = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| broken(&url, &error))?;
            for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
                pending.extend_from_slice(piece);
                if piece.ends_with(b"\n") {
                    if let Ok(event) = serde_json::from_slice(&pending) {
                        each(event);
                    }
                    pending.clear();
                }
            }
        }
        Ok(status)
    }

    fn url(&self, path: &str) -> Result<Url, NetError> {
        self.base.join(path).map_err(|error| NetError::Address {
            address: path.to_owned(),
            reason: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    /// A server for one answer.
    pub(super) fn serve(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("the test connects");
            let mut lines = BufReader::new(connection.try_clone().expect("a socket can be shared")).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            connection.write_all(answer).expect("the test reads");
        });
        format!("http://{address}")
    }

    const ABC: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
    const SHA_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[tokio::test]
    async fn a_file_arrives_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("abc");
        let mut seen = Vec::new();
        let address = serve(ABC);
        download(&address, &file, Some(SHA_ABC), &mut |so_far, total| {
            seen.push((so_far, total))
        })
        .await
        .expect("it is served");
        assert_eq!(std::fs::read(&file).expect("it was written"), b"abc");
        assert_eq!(seen, [(3, Some(3))]);
    }

    #[tokio::test]
    async fn a_wrong_checksum_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("abc");
        let address = serve(ABC);
        let error = download(&address, &file, Some("00"), &mut |_, _| {})
            .await
            .expect_err("the checksum is wrong");
        assert_eq!(
            error.to_string(),
            format!("{address}/ has the wrong checksum: expected sha256 00, got {SHA_ABC}")
        );
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }

    #[tokio::test]
    async fn a_cut_answer_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
        let error = download(&address, &folder.path().join("abc"), None, &mut |_, _| {})
            .await
            .expect_err("it was cut");
        assert!(error.is_connection(), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }

    #[tokio::test]
    async fn errors_show_no_credentials() {
        let address =
            serve(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").replace("http://", "http://me:secret@");
        let error = get_text(&format!("{address}/x?token=secret"), 10)
            .await
            .expect_err("it is not there")
            .to_string();
        assert!(
            error.ends_with("/x answered 404") && !error.contains("secret"),
            "{error}"
        );
        let error = get_text("ht tp://me:secret@host", 10)
            .await
            .expect_err("it is no address")
            .to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn too_much_text_is_refused() {
        let error = get_text(&serve(ABC), 2)
            .await
            .expect_err("three bytes are more than two")
            .to_string();
        assert!(error.ends_with("answered with more than 2 bytes"), "{error}");
    }
}
