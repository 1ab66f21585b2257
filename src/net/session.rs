//! Requests of callers that are not asynchronous, several at once: with credentials, certificates, conditions and patience.
//!
//! Credentials go to the server they are for, and to no other: a redirect elsewhere is followed without them. Answers that are to be
//! tried again (429, 5xx, connections that broke) are, as long as the server asks for (`Retry-After`), within bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Method, Response, StatusCode, Url};

use super::{CONNECT_TIMEOUT, NetError, SILENCE_TIMEOUT, broken, choose_cryptography, innermost, parse, shown};

/// How often one address is asked.
const TRIES: u32 = 4;
/// How long the second try waits; each later one twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 10;

/// Who asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authorization {
    /// User and password.
    Basic(String, String),
    /// A token.
    Bearer(String),
}

/// How a server is spoken to. `Debug` shows no secrets.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Sent to the server that is asked; to others only where `everywhere` is set.
    pub authorization: Option<Authorization>,
    /// The authorization also goes to other servers, which a repository may name for its files.
    pub everywhere: bool,
    /// Authorities to trust beside those of the system, PEM.
    pub authorities: Option<String>,
    /// A client certificate and its key, PEM.
    pub identity: Option<String>,
    /// The server's certificate is not checked.
    pub unchecked: bool,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("authorization", &self.authorization.is_some())
            .field("everywhere", &self.everywhere)
            .field("authorities", &self.authorities.is_some())
            .field("identity", &self.identity.is_some())
            .field("unchecked", &self.unchecked)
            .finish()
    }
}

impl Access {
    /// The same without anything secret, for another server.
    #[must_use]
    pub fn for_strangers(&self) -> Self {
        Self {
            authorities: self.authorities.clone(),
            ..Self::default()
        }
    }
}

/// One question.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The address.
    pub address: String,
    /// How its server is spoken to.
    pub access: Access,
    /// Content types that are wanted, as `Accept` lists them; none: all.
    pub accept: String,
    /// How many bytes the answer may be.
    pub limit: usize,
    /// Answer with 304 where this is still so: `ETag` and `Last-Modified` of an earlier answer.
    pub known: Stamp,
    /// A form to POST instead of a GET.
    pub form: Option<Vec<(String, String)>>,
    /// JSON to send with this method (`POST`, `PUT`, `PATCH`) instead of a GET. What is tried again may have arrived before.
    pub json: Option<(&'static str, serde_json::Value)>,
}

/// By what a server tells whether something has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
}

/// One answer: any status that is not one to try again.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    address: String,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status, address, body, ..
        } = self;
        write!(f, "{address} answered {status}, {} bytes", body.len())
    }
}

impl Reply {
    /// The first header of a name, "" where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// All headers of a name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
    }

    /// Its stamp, to ask again with.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let text = |name| Some(self.header(name).to_owned()).filter(|text| !text.is_empty());
        Stamp {
            etag: text("etag"),
            modified: text("last-modified"),
        }
    }

    /// Itself, if it is one of success.
    ///
    /// # Errors
    /// Its status.
    pub fn success(self) -> Result<Self, NetError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(NetError::Status {
            address: self.address,
            status: self.status,
        })
    }
}

/// Connections that are kept and shared by threads.
#[derive(Default)]
pub struct Session {
    runtime: OnceLock<Option<tokio::runtime::Runtime>>,
    /// By what of the access matters to a connection.
    clients: Arc<Mutex<BTreeMap<Access, Client>>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // From within an asynchronous task it could not be waited for.
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl Session {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When there is none, none of a bearable size, or a redirect leads nowhere.
    pub fn ask(&self, question: Question) -> Result<Reply, NetError> {
        let clients = self.clients.clone();
        self.wait(async move { ask(&clients, &question).await })?
    }

    fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, NetError> {
        let runtime = self.runtime.get_or_init(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(1).enable_all().build().ok()
        });
        let lost = || NetError::Setup("its thread could not be started, or ended".to_owned());
        let runtime = runtime.as_ref().ok_or_else(lost)?;
        let (to, from) = std::sync::mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Whoever asked is gone, if it cannot be sent.
            let _ = to.send(work.await);
        });
        from.recv().map_err(|_| lost())
    }
}

type Clients = Mutex<BTreeMap<Access, Client>>;

fn client(clients: &Clients, access: &Access) -> Result<Client, NetError> {
    let key = Access {
        authorization: None,
        everywhere: false,
        ..access.clone()
    };
    let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = clients.get(&key) {
        return Ok(client.clone());
    }
    choose_cryptography();
    let setup = |error: reqwest::Error| NetError::Setup(innermost(&error));
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("refloat/", env!("CARGO_PKG_VERSION")));
    if let Some(authorities) = &key.authorities {
        let certificates = Certificate::from_pem_bundle(authorities.as_bytes()).map_err(setup)?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(identity) = &key.identity {
        builder = builder.identity(Identity::from_pem(identity.as_bytes()).map_err(setup)?);
    }
    if key.unchecked {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    let client = builder.build().map_err(setup)?;
    clients.insert(key, client.clone());
    Ok(client)
}

async fn ask(clients: &Clients, question: &Question) -> Result<Reply, NetError> {
    let first = parse(&question.address)?;
    let mut wait = FIRST_WAIT;
    for attempt in 1.. {
        let last = attempt == TRIES;
        match once(clients, question, &first).await {
            Ok(Answer::Whole(reply)) => return Ok(reply),
            Ok(Answer::Later { reply, after }) => {
                if last || after.is_some_and(|after| after > LONGEST_WAIT) {
                    return Ok(reply);
                }
                tokio::time::sleep(after.unwrap_or(wait)).await;
            }
            Err(Unanswered { error, final_ }) if last || final_ => return Err(error),
            Err(_) => tokio::time::sleep(wait).await,
        }
        wait *= 2;
    }
    unreachable!("because the last try returns")
}

enum Answer {
    Whole(Reply),
    /// To be tried again, after what the server says.
    Later {
        reply: Reply,
        after: Option<Duration>,
    },
}

struct Unanswered {
    error: NetError,
    /// Trying again makes no difference.
    final_: bool,
}

impl From<NetError> for Unanswered {
    fn from(error: NetError) -> Self {
        Self { error, final_: true }
    }
}

/// Asks once, following redirects.
async fn once(clients: &Clients, question: &Question, first: &Url) -> Result<Answer, Unanswered> {
    let mut url = first.clone();
    for _ in 0..=MOST_REDIRECTS {
        let own = url.origin() == first.origin();
        let downgraded = first.scheme() == "https" && url.scheme() == "http";
        let access = match own || (question.access.everywhere && !downgraded) {
            true => question.access.clone(),
            false => question.access.for_strangers(),
        };
        let request = request(&client(clients, &access)?, question, &access, &url);
        let response = request.send().await.map_err(|error| unanswered(&url, &error))?;
        let status = response.status();
        match target(&response, &url) {
            Some(next) if question.form.is_none() && question.json.is_none() => url = next,
            _ => {
                let after = retry_after(&response);
                let reply = whole(response, &url, question.limit).await?;
                let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
                return Ok(match again {
                    true => Answer::Later { reply, after },
                    false => Answer::Whole(reply),
                });
            }
        }
    }
    Err(NetError::Redirects { address: shown(first) }.into())
}

fn request(client: &Client, question: &Question, access: &Access, url: &Url) -> reqwest::RequestBuilder {
    let mut request = match (&question.form, &question.json) {
        (None, None) => client.get(url.clone()),
        (_, Some((method, value))) => {
            let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST);
            let request = client.request(method, url.clone());
            request
                .header(header::CONTENT_TYPE, "application/json")
                .body(value.to_string())
        }
        (Some(form), None) => {
            let body: String = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(form)
                .finish();
            let form = "application/x-www-form-urlencoded";
            client.post(url.clone()).header(header::CONTENT_TYPE, form).body(body)
        }
    };
    if !question.accept.is_empty() {
        request = request.header(header::ACCEPT, &question.accept);
    }
    for (name, value) in [
        (header::IF_NONE_MATCH, &question.known.etag),
        (header::IF_MODIFIED_SINCE, &question.known.modified),
    ] {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
            request = request.header(name, value);
        }
    }
    match &access.authorization {
        None => request,
        Some(Authorization::Basic(user, password)) => request.basic_auth(user, Some(password)),
        Some(Authorization::Bearer(token)) => request.bearer_auth(token),
    }
}

/// Where a redirect leads. What it says of users and passwords is not used.
fn target(response: &Response, url: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let mut next = url.join(location).ok()?;
    let _ = next.set_username("");
    let _ = next.set_password(None);
    matches!(next.scheme(), "http" | "https").then_some(next)
}

/// Seconds, or a time.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(time.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

async fn whole(response: Response, url: &Url, limit: usize) -> Result<Reply, Unanswered> {
    let too_much = || NetError::TooMuch {
        address: shown(url),
        limit,
    };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_much().into());
    }
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| unanswered(url, &error))?);
        if body.len() > limit {
            return Err(too_much().into());
        }
    }
    Ok(Reply {
        status,
        headers,
        body,
        address: shown(url),
    })
}

/// A connection that cannot be made is not tried again: whoever waits for it wants to know.
fn unanswered(url: &Url, error: &reqwest::Error) -> Unanswered {
    Unanswered {
        error: broken(url, error),
        final_: error.is_connect(),
    }
}

/// The address that a reference in a document at `base` means, a folder: with the query of `base`, as Helm resolves the addresses of
/// charts (`pkg/repo/v1`, `ResolveReferenceURL`).
///
/// # Errors
/// When one of them is no address.
pub fn resolve(base: &str, reference: &str) -> Result<String, NetError> {
    if let Ok(url) = Url::parse(reference) {
        return Ok(url.to_string());
    }
    let mut folder = parse(base)?;
    let path = format!("{}/", folder.path().trim_end_matches('/'));
    folder.set_path(&path);
    let mut url = folder.join(reference).map_err(|error| NetError::Address {
        address: super::without_user(reference),
        reason: error.to_string(),
    })?;
    url.set_query(folder.query());
    Ok(url.to_string())
}

/// An address as it may be shown; a text that is none, without what could be a password.
#[must_use]
pub fn public(address: &str) -> String {
    Url::parse(address).map_or_else(|_| super::without_user(address), |url| shown(&url))
}

/// Whether two addresses are of the same server.
#[must_use]
pub fn same_server(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        _ => false,
    }
}
