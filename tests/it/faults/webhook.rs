//! An admission webhook that runs and says no.

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

use super::Given;
use crate::support::plane::{self, wait};

/// Allows all but what has `data.free`.
async fn review(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request
        .into_body()
        .collect()
        .await
        .expect("because the server sends it");
    let review: Value = serde_json::from_slice(&body.to_bytes()).expect("because the server wrote it");
    let free = review["request"]["object"]["data"]["free"].is_string();
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"], "allowed": !free,
            "status": {"message": "free money needs the signature of two directors"},
        },
    });
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
async fn serve(tls: rustls::ServerConfig) -> u16 {
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
                        .serve_connection(TokioIo::new(stream), service_fn(review))
                        .await;
                }
            });
        }
    });
    port
}

#[test]
fn a_webhook_that_rejects() {
    // Calls leave for the real server instead of a simulated backend.
    let plane = plane::fresh_with(Options {
        api_server_args: vec!["--egress-selector-config-file=".to_owned()],
        ..Options::default()
    });
    let kubeconfig = plane.kubeconfig();
    let folder = Path::new(&kubeconfig).parent().expect("because it is a file");
    let port = wait(serve(certified(folder)));
    let webhook = format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: no-free-money}}
webhooks:
- name: money.bank.example
  clientConfig: {{url: 'https://127.0.0.1:{port}/'}}
  rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}]
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: policy}}}}
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
"
    );
    let maps = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: policy}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: policy}\ndata: {free: '1'}\n";
    let files = [
        (
            "namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: policy}\n",
        ),
        ("webhook.yaml", &webhook),
    ];
    let ran = Given::new(&plane, &files).restore(&["--timeout", "10s"]).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let given = Given::new(&plane, &[("apps/maps.yaml", maps)]);
    insta::assert_snapshot!(given.said(&given.restore(&["--timeout", "10s"]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        created     ConfigMap/policy/a
        failed      ConfigMap/policy/b (apps/maps.yaml:5): admission webhook "money.bank.example" denied the request: free money needs the signature of two directors
        --
        1 of 2 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created             1       -               1       -          -
        failed              1       -               -       -          -

        Failed: 1
          ConfigMap/policy/b (apps/maps.yaml:5): admission webhook "money.bank.example" denied the request: free money needs the signature of two directors
            hint: a webhook decides here: see that the pods behind it run and what it asks for, then run again

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}
