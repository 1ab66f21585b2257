//! An API server that is away, slow, busy, or gone in the middle.

use std::net::TcpListener;

use super::{Admin, Given, PROXIED, many, own, proxy};
use crate::support::fault_proxy::{Act, Fault};
use crate::support::run::refloat;

fn kubeconfig(address: &str) -> String {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "prod",
        "clusters": [{"name": "bank", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "prod", "context": {"cluster": "bank", "user": "me"}}],
    })
    .to_string()
}

fn restored_by(listener: TcpListener, answers: bool) -> String {
    let address = listener.local_addr().expect("because it is bound").to_string();
    let kept = answers.then_some(listener);
    let given = Given::new(own(), &[("a.yaml", &many("bank", 1))]).by(&kubeconfig(&address), "prod");
    let ran = given.restore(&[]).run();
    drop(kept);
    given.said(&ran)
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("because loopback has a free port")
}

#[test]
fn one_that_refuses_connections() {
    insta::assert_snapshot!(restored_by(listener(), false), @r#"
        exit 1
        Error: cluster "bank" could not be used
          because: context "prod" at http://SERVER: connection refused
          hint: is the cluster running, and is this its address?
        --
        "#);
}

#[test]
fn one_that_never_answers() {
    // The kernel accepts, and nobody reads.
    insta::assert_snapshot!(restored_by(listener(), true), @r#"
        exit 1
        Error: cluster "bank" could not be used
          because: context "prod" at http://SERVER: no answer within 15 s
          hint: check the address, VPN or proxy (HTTPS_PROXY, NO_PROXY, proxy-url)
        --
        "#);
}

#[test]
fn no_kubeconfig_at_all() {
    let given = Given::new(own(), &[("a.yaml", &many("bank", 1))]);
    let ran = refloat(["restore".into(), given.repo()]).run();
    insta::assert_snapshot!(given.said(&ran), @r#"
        exit 1
        Error: the kubeconfig could not be used
          because: there is no file TMP/.kube/config
          hint: name one with --kubeconfig FILE or KUBECONFIG
        --
        "#);
}

/// Restores 60 objects through these faults.
fn restored_through(namespace: &str, faults: impl IntoIterator<Item = Fault>) -> String {
    let proxy = proxy(own(), faults);
    let given = Given::new(own(), &[("a.yaml", &many(namespace, 60))]).by(&proxy.kubeconfig(), PROXIED);
    let ran = given.restore(&[]).run();
    let maps = Admin::of(own()).maps(namespace);
    assert_eq!(maps, 60);
    let said = given.said(&ran);
    let created = said
        .lines()
        .filter(|line| line.starts_with("created     ConfigMap"))
        .count();
    assert_eq!(created, 60, "{said}");
    let each = regex::Regex::new(r"/c\d+\b").expect("because it is written right");
    let kept = said.lines().filter(|line| !line.starts_with("created     ConfigMap"));
    kept.map(|line| format!("{}\n", each.replace_all(line, "/c#")))
        .collect()
}

#[test]
fn one_that_is_busy_and_says_when_to_come_again() {
    let busy = Act::Status(429, "TooManyRequests", "the server is busy", 1);
    let faults = [
        Fault::on("PATCH", "/configmaps/", busy.clone()).every(3).times(20),
        Fault::on("GET", "/apis", busy).times(2),
    ];
    insta::assert_snapshot!(restored_through("busy", faults), @r#"
        exit 0
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     proxied, context proxied, http://SERVER, 3 nodes
        created     Namespace/busy  ready after #s
        retried     # requests: the server is busy
        --
        61 of 61 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created            61       1              60       -          -

        Slowest chain: #s of #s
        "#);
}

#[test]
fn one_behind_a_balancer_that_is_unavailable() {
    let faults = [
        Fault::on("GET", "/api", Act::Status(503, "", "no healthy upstream", 0)).times(2),
        Fault::on("PATCH", "/configmaps/", Act::Status(503, "", "no healthy upstream", 0))
            .every(2)
            .times(30),
        Fault::on("PATCH", "/namespaces/", Act::Status(502, "", "bad gateway", 0)).times(1),
    ];
    insta::assert_snapshot!(restored_through("unavailable", faults), @r#"
        exit 0
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     proxied, context proxied, http://SERVER, 3 nodes
        created     Namespace/unavailable  ready after #s
        retried     # requests: no healthy upstream
        retried     1 request: bad gateway
        --
        61 of 61 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created            61       1              60       -          -

        Slowest chain: #s of #s
        "#);
}

#[test]
fn one_that_drops_connections() {
    let faults = [
        Fault::on("", "/configmaps/", Act::Drop).every(5).times(15),
        Fault::on("PATCH", "/configmaps/", Act::DropAnswer).every(7).times(5),
        Fault::on("GET", "", Act::Drop).every(4).times(4),
    ];
    insta::assert_snapshot!(restored_through("drops", faults), @r#"
        exit 0
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     proxied, context proxied, http://SERVER, 3 nodes
        created     Namespace/drops  ready after #s
        retried     # requests: the connection was dropped
        --
        61 of 61 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created            61       1              60       -          -

        Slowest chain: #s of #s
        "#);
}

#[test]
fn one_that_is_gone_for_good() {
    let proxy = proxy(own(), [Fault::on("PATCH", "", Act::Drop)]);
    let given = Given::new(own(), &[("a.yaml", &many("gone", 2))]).by(&proxy.kubeconfig(), PROXIED);
    insta::assert_snapshot!(given.said(&given.restore(&["--timeout", "2s"]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     proxied, context proxied, http://SERVER, 3 nodes
        failed      Namespace/gone (a.yaml:1): the connection was dropped (sent # times, given up after #s)
        retried     # requests: the connection was dropped
        skipped     2 objects, because of Namespace/gone
        --
        0 of 3 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        skipped             2       -               -       -          -
        failed              1       -               -       -          -

        Failed: 1
          Namespace/gone (a.yaml:1): the connection was dropped (sent # times, given up after #s)
            2 objects not applied because of it: ConfigMap/gone/c0, ConfigMap/gone/c1
            hint: see that the API server is well, then run again: what is there already stays as it is

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}
