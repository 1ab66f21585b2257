//! Where the API server's calls to webhooks, converters, aggregated APIs and kubelets end: here.
//!
//! The API server is told to send them through a proxy (`--egress-selector-config-file`, HTTPConnect on a Unix socket,
//! for both `cluster` and `controlplane`). This is that proxy, and also every backend behind it: once the Pods of the
//! Service that is called are Ready it ends the TLS connection itself and gives the [answer](super::answer) of a
//! backend that allows all; before that it refuses, as a Service without endpoints would. It dials nothing.
//!
//! What arrives for a Service is `CLUSTER-IP:PORT` (`NAME.NAMESPACE.svc:PORT` for a headless one), for a webhook with a
//! `url` its host. Such a host is outside the cluster and nothing a restore brings: it answers from the start.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::answer::answer;
use super::certificates::{Authority, BACKENDS, Pair};
use crate::error::Failure;
use crate::net::Api;

/// How long it is remembered that a Service has a Ready Pod. That it has none is not remembered.
const READY_FOR: Duration = Duration::from_millis(500);
/// How large a review may be; the API server itself takes objects of at most 3 MiB.
const LIMIT: usize = 64 << 20;

/// The simulated backends.
pub struct Backends {
    api: Api,
    authority: Authority,
    /// By host as called: the TLS configuration, with a certificate for it.
    configurations: Mutex<BTreeMap<String, Arc<ServerConfig>>>,
    ready: Mutex<BTreeMap<String, Instant>>,
}

/// What stands behind a host that is called.
#[derive(Debug, PartialEq, Eq)]
enum Behind {
    /// A Service that can answer, with the names it is known by.
    Backend(Vec<String>),
    /// Nothing, for this reason.
    Nothing(String),
}

impl Backends {
    /// Backends whose certificates are signed by that authority (PEM).
    pub fn new(api: Api, certificate: String, key: String) -> Result<Backends, Failure> {
        Ok(Backends {
            api,
            authority: Authority::load(BACKENDS, Pair { certificate, key })?,
            configurations: Mutex::default(),
            ready: Mutex::default(),
        })
    }

    async fn behind(&self, host: &str) -> Behind {
        let service = if let Ok(address) = host.parse::<IpAddr>() {
            let path = format!("/api/v1/services?fieldSelector=spec.clusterIP%3D{address}");
            match self.list(&path).await.as_deref() {
                Some([service, ..]) => service.clone(),
                _ => return Behind::Nothing(format!("no Service has the address {host}")),
            }
        } else if let Some((name, namespace)) = service_name(host) {
            match self
                .api
                .get(&format!("/api/v1/namespaces/{namespace}/services/{name}"))
                .await
            {
                Ok(found) if found.is_success() => found.body,
                _ => return Behind::Nothing(format!("there is no Service {namespace}/{name}")),
            }
        } else {
            return Behind::Backend(vec![host.to_owned()]);
        };
        self.behind_service(&service, host).await
    }

    async fn behind_service(&self, service: &Value, host: &str) -> Behind {
        let of = |field: &str| service["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (name, namespace) = (of("name"), of("namespace"));
        let names = vec![format!("{name}.{namespace}.svc"), host.to_owned()];
        let Some(selector) = service["spec"]["selector"]
            .as_object()
            .filter(|selector| !selector.is_empty())
        else {
            // Its endpoints are written by hand and lie outside.
            return Behind::Backend(names);
        };
        let labels: Vec<String> = selector
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        let labels = labels.join(",").replace('/', "%2F").replace('=', "%3D");
        let pods = self
            .list(&format!("/api/v1/namespaces/{namespace}/pods?labelSelector={labels}"))
            .await;
        if pods.unwrap_or_default().iter().any(is_ready) {
            Behind::Backend(names)
        } else {
            Behind::Nothing(format!("the Service {namespace}/{name} has no Pod that is Ready"))
        }
    }

    async fn list(&self, path: &str) -> Option<Vec<Value>> {
        let found = self.api.get(path).await.ok()?;
        found.body["items"].as_array().cloned()
    }

    /// The TLS configuration for a host, or why nothing is there.
    async fn configuration(&self, host: &str) -> Result<Arc<ServerConfig>, String> {
        let known = locked(&self.configurations).get(host).cloned();
        let recently = locked(&self.ready)
            .get(host)
            .is_some_and(|since| since.elapsed() < READY_FOR);
        if let (Some(known), true) = (known.clone(), recently) {
            return Ok(known);
        }
        let names = match self.behind(host).await {
            Behind::Backend(names) => names,
            Behind::Nothing(reason) => return Err(reason),
        };
        locked(&self.ready).insert(host.to_owned(), Instant::now());
        if let Some(known) = known {
            return Ok(known);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let pair = self.authority.server(&names).map_err(|failure| failure.to_string())?;
        let configuration = Arc::new(configure(&pair)?);
        // An address may be given to another Service later; a certificate is cheap, so that is only kept while few.
        let mut all = locked(&self.configurations);
        if all.len() > 1000 {
            all.clear();
        }
        all.insert(host.to_owned(), Arc::clone(&configuration));
        Ok(configuration)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn configure(pair: &Pair) -> Result<ServerConfig, String> {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).map_err(|error| error.to_string())?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|error| error.to_string())
}

/// Name and namespace of `NAME.NAMESPACE.svc`, with or without the cluster's domain.
fn service_name(host: &str) -> Option<(&str, &str)> {
    let short = host.strip_suffix(".cluster.local").unwrap_or(host);
    let (name, namespace) = short.strip_suffix(".svc")?.split_once('.')?;
    (!namespace.contains('.')).then_some((name, namespace))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions
            .into_iter()
            .flatten()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// Binds the socket that the API server is told to connect to.
pub fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    UnixListener::bind(socket)
}

/// Serves until it is dropped.
pub async fn serve(listener: UnixListener, backends: Backends) {
    let backends = Arc::new(backends);
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                let backends = Arc::clone(&backends);
                tokio::spawn(async move { serve_one(connection, &backends).await });
            }
            // Out of file descriptors; connections that end will free some.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve_one(mut connection: UnixStream, backends: &Backends) {
    let Some(target) = read_connect(&mut connection).await else {
        return;
    };
    let host = target.rsplit_once(':').map_or(target.as_str(), |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    let configuration = match backends.configuration(host).await {
        Ok(configuration) => configuration,
        Err(reason) => {
            let refusal = format!("HTTP/1.1 503 {reason}\r\ncontent-length: 0\r\n\r\n");
            // The API server may have given up waiting.
            let _ = connection.write_all(refusal.as_bytes()).await;
            return;
        }
    };
    if connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_err() {
        return;
    }
    let Ok(stream) = TlsAcceptor::from(configuration).accept(connection).await else {
        return;
    };
    // A connection that breaks is the API server's to report.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), hyper::service::service_fn(respond))
        .await;
}

/// The target of `CONNECT host:port HTTP/1.1`; reads up to the empty line and not one byte further, for TLS follows.
async fn read_connect(connection: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 8192 {
            return None;
        }
        head.push(connection.read_u8().await.ok()?);
    }
    target(&head)
}

fn target(head: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let mut words = line.split(' ');
    (words.next()? == "CONNECT").then_some(())?;
    words.next().map(str::to_owned)
}

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (about, body) = request.into_parts();
    let body = match Limited::new(body, LIMIT).collect().await {
        Ok(body) => serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null),
        Err(_) => Value::Null,
    };
    let (status, body) = answer(about.method.as_str(), about.uri.path(), &body);
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_target_of_a_connect() {
        assert_eq!(
            target(b"CONNECT 10.0.0.9:443 HTTP/1.1\r\nHost: x\r\n\r\n").as_deref(),
            Some("10.0.0.9:443")
        );
        assert_eq!(target(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(target(b"\xff\r\n\r\n"), None);
    }

    #[test]
    fn names_of_services() {
        assert_eq!(service_name("hook.shop.svc"), Some(("hook", "shop")));
        assert_eq!(service_name("hook.shop.svc.cluster.local"), Some(("hook", "shop")));
        assert_eq!(service_name("hooks.example.com"), None);
        assert_eq!(service_name("svc"), None);
    }

    #[test]
    fn a_pod_on_its_way_out_is_not_ready() {
        let mut pod = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "metadata": {}});
        assert!(is_ready(&pod));
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(!is_ready(&pod));
        assert!(!is_ready(
            &json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
        ));
    }
}
