//! What a write makes of a server, or a line to it, that fails.

use std::time::{Duration, Instant};

use refloat::cluster::write::{Answer, Effect};
use refloat::cluster::{Cluster, ConnectOptions};
use serde_json::json;

use super::{apply, config_map, connect, done, kubeconfig, namespace};
use crate::support::fault_proxy::{Act, Fault, FaultProxy};

#[tokio::test]
async fn each_fault_has_its_answer() {
    let path = kubeconfig().await;
    let direct = connect().await;
    let namespace = namespace(&direct).await;
    let proxy = FaultProxy::start(&path).await;
    let options = ConnectOptions {
        kubeconfig_text: Some(proxy.kubeconfig()),
        request_timeout: Some(Duration::from_secs(2)),
        ..ConnectOptions::default()
    };
    let cluster = Cluster::connect(options)
        .await
        .expect("because the proxy passes everything");
    let object = config_map(&namespace, "a", json!({}));
    let after = |act: Act| {
        proxy.set([Fault::on("PATCH", "", act)]);
        apply(&cluster, &object)
    };
    let retry = |reason: &str, after: Option<u64>| Answer::Retry {
        reason: reason.to_owned(),
        after: after.map(Duration::from_secs),
    };

    let busy = after(Act::Status(429, "TooManyRequests", "busy", 3)).await;
    assert_eq!(busy, retry("busy", Some(3)));
    assert_eq!(
        after(Act::Status(503, "", "", 0)).await,
        retry("Service Unavailable", None)
    );
    assert_eq!(after(Act::Drop).await, retry("the connection was dropped", None));
    let began = Instant::now();
    assert_eq!(after(Act::Swallow).await, retry("no answer within 2 s", None));
    assert!(began.elapsed() < Duration::from_secs(4));
    let quota = after(Act::Status(
        403,
        "Forbidden",
        "pods \"a\" is forbidden: status unknown for quota: q",
        0,
    ))
    .await;
    assert!(matches!(quota, Answer::Retry { .. }));
    let forbidden = after(Act::Status(403, "Forbidden", "not you", 0)).await;
    assert_eq!(
        forbidden,
        Answer::Refused {
            reason: "not you".to_owned(),
            immutable: false
        }
    );
    // The server did it and the answer was lost: the next try finds it done.
    assert_eq!(after(Act::DropAnswer).await, retry("the connection was dropped", None));
    proxy.set([]);
    proxy.clear_log();
    assert_eq!(done(apply(&cluster, &object).await).effect, Effect::Configured);
    let log = proxy.log();
    assert_eq!(log.len(), 1, "because one object is one request: {log:?}");
    assert_eq!((log[0].method.as_str(), log[0].status), ("PATCH", Some(200)));
    // A 401 may be a token that was renewed: asked once more.
    proxy.set([Fault::on("PATCH", "", Act::Status(401, "Unauthorized", "Unauthorized", 0)).times(1)]);
    done(apply(&cluster, &object).await);
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let path = kubeconfig().await;
    let proxy = FaultProxy::start(&path).await;
    let text = proxy.kubeconfig();
    let options = || ConnectOptions {
        kubeconfig_text: Some(text.clone()),
        ..ConnectOptions::default()
    };
    proxy.set([Fault::on("GET", "/version", Act::Status(503, "", "starting", 0)).times(1)]);
    let cluster = Cluster::connect(options())
        .await
        .expect("because it comes back at once");
    drop(proxy);
    // New connections are refused from here on.
    let object = config_map("default", "a", json!({}));
    let answer = apply(&cluster, &object).await;
    assert!(
        matches!(&answer, Answer::Retry { reason, .. } if reason.starts_with("connection refused") || reason.contains("dropped")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_slow_line_is_as_slow_as_said() {
    use crate::support::fault_proxy::SlowLine;
    let path = kubeconfig().await;
    let text = std::fs::read_to_string(&path).expect("because the control plane wrote it");
    let server = text
        .split("https://")
        .nth(1)
        .and_then(|rest| rest.split(['"', '\n', '\'', ',', ' ', '}']).next());
    let server = server.expect("because the kubeconfig names a server");
    let line = SlowLine::start(
        server.parse().expect("because it is a loopback address"),
        Duration::from_millis(40),
    )
    .await;
    let options = ConnectOptions {
        kubeconfig_text: Some(text.replace(server, &line.address().to_string())),
        ..ConnectOptions::default()
    };
    let cluster = Cluster::connect(options).await.expect("because bytes are passed on");
    let began = Instant::now();
    for _ in 0..5 {
        cluster
            .get(&super::config_maps(), Some("kube-system"), "x")
            .await
            .expect("because it may be read");
    }
    let each = began.elapsed() / 5;
    assert!(each >= Duration::from_millis(40), "{each:?}");
}
