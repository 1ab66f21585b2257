//! One request and its answer, and why there is none.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use kube::client::{AuthError, Body};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Cluster;

/// `Accept` of metadata-only requests (PartialObjectMetadata, Kubernetes 1.15 and later).
pub(super) const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/// Likewise of one object. No other form is accepted: it may be a Secret.
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// What a 401 comes to.
pub(super) const NOT_ACCEPTED: &str = "the server does not accept the credentials (401)";
/// `Accept` of everything else.
pub(super) const JSON: &str = "application/json";

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub method: Method,
    pub path: String,
    pub accept: &'static str,
    pub content_type: &'static str,
    pub body: Bytes,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Self {
        Self::with(Method::GET, path, JSON, Bytes::new())
    }

    pub fn with(method: Method, path: impl Into<String>, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            method,
            path: path.into(),
            accept: JSON,
            content_type,
            body: body.into(),
        }
    }

    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    fn request(&self) -> Result<Request<Body>, Broken> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::ACCEPT, self.accept)
            // Kubernetes 1.37 compresses watches event by event, which kube's decoder cannot read; the rest is not worth it.
            .header(header::ACCEPT_ENCODING, "identity");
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.content_type);
        }
        request
            .body(Body::from(self.body.clone()))
            .map_err(|error| Broken::new(Break::Other, format!("the request could not be made: {error}")))
    }
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// Whether it is a success of this media type.
    pub fn is(&self, media_type: &str) -> bool {
        let content = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let content = content.and_then(|value| value.split(';').next());
        self.status.is_success() && content.is_some_and(|value| value.trim() == media_type)
    }

    /// The body as `T`, or the refusal that it holds.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        if !self.status.is_success() {
            return Err(Trouble::Refused(Box::new(Status::of(self))));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde_json's text may quote a value of the object; where it stands is enough.
            let text = format!(
                "the answer cannot be read (line {}, column {})",
                error.line(),
                error.column()
            );
            Trouble::Broken(Broken::new(Break::Other, text))
        })
    }
}

/// A `metav1.Status`, as far as it is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub code: u16,
    pub reason: String,
    pub message: String,
    #[serde(deserialize_with = "null_is_default")]
    pub details: Details,
}

/// `metav1.StatusDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Details {
    pub name: String,
    pub kind: String,
    #[serde(deserialize_with = "null_is_default")]
    pub causes: Vec<Cause>,
    pub retry_after_seconds: u64,
}

/// `metav1.StatusCause`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Cause {
    pub reason: String,
    pub message: String,
    pub field: String,
}

pub(super) fn null_is_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

impl Status {
    /// The refusal in a reply; a body that is no Status (a proxy's page, plain text) becomes its message, shortened.
    pub fn of(reply: &Reply) -> Self {
        let code = reply.status.as_u16();
        match serde_json::from_slice::<Self>(&reply.body) {
            // All that the server says of a token that has expired.
            Ok(status) if code == 401 && status.message == "Unauthorized" => Self {
                code,
                message: format!("{NOT_ACCEPTED}; they may have expired: log in again"),
                ..status
            },
            Ok(status) if !status.message.is_empty() => Self { code, ..status },
            _ => {
                let text = String::from_utf8_lossy(&reply.body[..reply.body.len().min(300)])
                    .trim()
                    .to_owned();
                let message = if text.is_empty() || text.starts_with(['<', '{']) {
                    reply.status.canonical_reason().unwrap_or("no reason given").to_owned()
                } else {
                    text
                };
                Self {
                    code,
                    message,
                    ..Self::default()
                }
            }
        }
    }
}

impl fmt::Display for Status {
    /// `403: the message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// Nobody listens there.
    ConnectionRefused,
    /// The name is unknown.
    Name,
    /// No answer in time.
    TimedOut,
    /// The connection broke.
    Dropped,
    /// TLS: the certificate, or the server's opinion of ours.
    Certificate,
    /// The credentials could not be had (exec plugin, token file, OIDC).
    Login,
    /// Anything else.
    Other,
}

/// No reply, in our own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub at: Break,
    pub text: String,
}

impl Broken {
    pub fn new(at: Break, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

/// No answer that can be used: a refusal, or none at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    Refused(Box<Status>),
    Broken(Broken),
}

impl Trouble {
    /// The HTTP status of a refusal, or 0.
    pub fn code(&self) -> u16 {
        match self {
            Self::Refused(status) => status.code,
            Self::Broken(_) => 0,
        }
    }

    /// Whether asking again may help.
    pub fn passes(&self) -> bool {
        match self {
            Self::Refused(status) => status.code == 429 || status.code == 408 || status.code >= 500,
            Self::Broken(broken) => matches!(
                broken.at,
                Break::ConnectionRefused | Break::TimedOut | Break::Dropped | Break::Name | Break::Other
            ),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => f.write_str(&status.message),
            Self::Broken(broken) => f.write_str(&broken.text),
        }
    }
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Cluster {
    /// Sends one request and reads the whole answer. Not repeated, but for a 401, once: the credentials may have been
    /// renewed in between.
    pub(super) async fn send(&self, ask: &Ask) -> Result<Reply, Broken> {
        let reply = self.send_once(ask).await?;
        if reply.status == StatusCode::UNAUTHORIZED {
            return self.send_once(ask).await;
        }
        Ok(reply)
    }

    async fn send_once(&self, ask: &Ask) -> Result<Reply, Broken> {
        let limit = self.request_timeout();
        let whole = async {
            let (parts, body) = self.open(ask).await?.into_parts();
            let body = body.collect_bytes().await.map_err(|error| broken(&error))?;
            Ok(Reply {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        };
        tokio::time::timeout(limit, whole)
            .await
            .unwrap_or_else(|_| Err(late(limit)))
    }

    /// Sends one request and gives the answer once its head is there.
    pub(super) async fn open(&self, ask: &Ask) -> Result<http::Response<Body>, Broken> {
        self.client().send(ask.request()?).await.map_err(|error| broken(&error))
    }

    /// Sends one request and reads the answer as `T`. What may pass is asked again, at most twice.
    pub(super) async fn read<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, Trouble> {
        self.read_with(ask, Reply::read).await
    }

    /// Likewise, read in this way.
    pub(super) async fn read_with<T>(
        &self,
        ask: &Ask,
        read: impl Fn(&Reply) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut pause = Duration::from_millis(100);
        for _ in 0..2 {
            let answer = match self.send(ask).await {
                Ok(reply) => read(&reply),
                Err(broken) => Err(Trouble::Broken(broken)),
            };
            match answer {
                Err(trouble)
                    if trouble.passes() && !matches!(&trouble, Trouble::Broken(b) if b.at == Break::TimedOut) =>
                {
                    tokio::time::sleep(pause).await;
                    pause *= 4;
                }
                other => return other,
            }
        }
        read(&self.send(ask).await?)
    }
}

fn late(limit: Duration) -> Broken {
    Broken::new(
        Break::TimedOut,
        format!("no answer within {} s", limit.as_secs_f32().ceil()),
    )
}

/// What went wrong, found in the chain of causes; never the client library's own text.
pub(super) fn broken(error: &kube::Error) -> Broken {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    let mut last = None;
    // Chains are some six links long; the bound is against a cause that names itself.
    for _ in 0..20 {
        let Some(error) = at else { break };
        if let Some(found) = known(error) {
            return found;
        }
        last = Some(error);
        at = error.source();
    }
    let text = last.map_or_else(String::new, ToString::to_string);
    if text.contains("connection closed") || text.contains("connection error") {
        return Broken::new(Break::Dropped, "the connection was dropped");
    }
    Broken::new(Break::Other, format!("the request failed: {text}"))
}

fn known(error: &(dyn StdError + 'static)) -> Option<Broken> {
    if let Some(auth) = error.downcast_ref::<AuthError>() {
        return Some(Broken::new(Break::Login, login(auth)));
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(Broken::new(Break::Certificate, certificate(tls)));
    }
    let io = error.downcast_ref::<io::Error>()?;
    // An io::Error does not name the error it wraps as its source, but that error's source.
    if let Some(inner) = io.get_ref()
        && let Some(found) = known(inner)
    {
        return Some(found);
    }
    let found = match io.kind() {
        io::ErrorKind::ConnectionRefused => Broken::new(Break::ConnectionRefused, "connection refused"),
        io::ErrorKind::TimedOut => Broken::new(Break::TimedOut, "the connection timed out"),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Broken::new(Break::Dropped, "the connection was dropped"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Broken::new(Break::Other, "the network does not reach it")
        }
        _ if io.to_string().contains("lookup address") => Broken::new(Break::Name, "its name cannot be resolved"),
        _ => return None,
    };
    Some(found)
}

/// What is wrong with the server's certificate, or with ours.
fn certificate(error: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error};
    match error {
        Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => "its certificate is signed by an authority that the kubeconfig does not trust".into(),
            Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired".into(),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "its certificate is not valid yet (is this machine's clock right?)".into()
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "its certificate is for another name than the one in the kubeconfig".into()
            }
            _ => "its certificate is not valid".into(),
        },
        Error::AlertReceived(Alert::CertificateExpired) => "it says that our client certificate has expired".into(),
        Error::AlertReceived(
            Alert::BadCertificate | Alert::UnknownCA | Alert::CertificateUnknown | Alert::CertificateRequired,
        ) => "it does not accept our client certificate".into(),
        Error::InvalidMessage(_) => "it does not speak TLS there (is the address an http:// one?)".into(),
        _ => "the TLS handshake failed".into(),
    }
}

/// Why there are no credentials. The output of exec plugins is not shown: it may hold a token.
fn login(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(io) if io.kind() == io::ErrorKind::NotFound => {
            "the kubeconfig's login program is not installed or not in PATH".into()
        }
        AuthError::AuthExecStart(io) => format!("the kubeconfig's login program could not be started: {io}"),
        AuthError::AuthExecRun { cmd, out } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.trim().lines().last().unwrap_or_default();
            let said = said.chars().take(300).collect::<String>();
            format!("the kubeconfig's login program {cmd:?} failed ({}): {said}", out.status)
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed | AuthError::AuthExec(_) => {
            "the kubeconfig's login program answered with something that is no credential".into()
        }
        AuthError::MissingCommand => "the kubeconfig's exec section names no command".into(),
        AuthError::ReadTokenFile(io, path) => format!("the token file {} cannot be read: {io}", path.display()),
        AuthError::InvalidBearerToken(_) | AuthError::InvalidBasicAuth(_) => {
            "the kubeconfig's token or password holds characters that a header cannot".into()
        }
        AuthError::Oidc(_) => "the OIDC token could not be renewed".into(),
        _ => "the kubeconfig's credentials cannot be used".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(code).expect("because the test gives a real code"),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn a_refusal_is_read_whatever_its_form() {
        let status = Status::of(&reply(
            403,
            r#"{"kind":"Status","status":"Failure","message":"no","reason":"Forbidden","details":null,"code":403}"#,
        ));
        assert_eq!(
            (status.to_string().as_str(), status.reason.as_str()),
            ("403: no", "Forbidden")
        );
        assert_eq!(
            Status::of(&reply(404, "404 page not found\n")).to_string(),
            "404: 404 page not found"
        );
        assert_eq!(
            Status::of(&reply(502, "<html>secret</html>")).to_string(),
            "502: Bad Gateway"
        );
        assert_eq!(Status::of(&reply(503, "")).to_string(), "503: Service Unavailable");
    }

    #[test]
    fn causes_are_found_behind_wrappers() {
        let wrapped = io::Error::other(rustls::Error::InvalidCertificate(
            rustls::CertificateError::UnknownIssuer,
        ));
        let error = kube::Error::Service(Box::new(io::Error::other(wrapped)));
        assert_eq!(broken(&error).at, Break::Certificate);
        let error = kube::Error::ReadEvents(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(
            broken(&error),
            Broken::new(Break::Dropped, "the connection was dropped")
        );
        let missing = io::Error::from(io::ErrorKind::NotFound);
        let error = kube::Error::Auth(AuthError::AuthExecStart(missing));
        assert_eq!(
            broken(&error).text,
            "the kubeconfig's login program is not installed or not in PATH"
        );
    }
}
