//! An admission webhook on loopback that a control plane of ours calls.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, Issuer, KeyPair};
use refloat::control_plane::Options;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::plane::{Plane, fresh_with, wait};

/// What a webhook answers to a request (`request` of an AdmissionReview): the `response`, without the uid.
pub type Review = fn(&Value) -> Value;

/// A control plane whose calls of webhooks leave for real servers instead of simulated backends.
pub fn plane() -> Plane {
    fresh_with(Options {
        api_server_args: vec!["--egress-selector-config-file=".to_owned()],
        ..Options::default()
    })
}

/// Serves reviews for a control plane; gives the address.
pub fn serve(plane: &Plane, review: Review) -> String {
    let kubeconfig = plane.kubeconfig();
    let folder = Path::new(&kubeconfig).parent().expect("because it is a file");
    let port = wait(listen(certified(folder), review));
    format!("https://127.0.0.1:{port}/")
}

async fn answer(request: Request<Incoming>, review: Review) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request
        .into_body()
        .collect()
        .await
        .expect("because the server sends it");
    let asked: Value = serde_json::from_slice(&body.to_bytes()).expect("because the server wrote it");
    let mut response = review(&asked["request"]);
    response["uid"] = asked["request"]["uid"].clone();
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}

/// A certificate for loopback, signed by the authority that the control plane's injector makes webhooks trust.
fn certified(folder: &Path) -> rustls::ServerConfig {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("because the control plane runs");
    let authority = KeyPair::from_pem(&read("backends.key")).expect("because refloat wrote it");
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = rcgen::DistinguishedName::new();
    issuer
        .distinguished_name
        .push(rcgen::DnType::CommonName, "refloat simulated backends");
    let key = KeyPair::generate().expect("because the machine has randomness");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("because the name is good");
    params.serial_number = Some(rcgen::SerialNumber::from(77));
    let certificate = params
        .signed_by(&key, &Issuer::new(issuer, authority))
        .expect("because they belong together");
    rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("because it was just made"),
        )
        .expect("because they belong together")
}

/// Serves reviews on loopback; gives the port.
async fn listen(tls: rustls::ServerConfig, review: Review) -> u16 {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("because loopback is there");
    let port = listener.local_addr().expect("because it is bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(|request| answer(request, review)))
                        .await;
                }
            });
        }
    });
    port
}
