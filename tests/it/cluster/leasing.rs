//! The Lease that keeps two restores apart.

use std::time::Duration;

use refloat::cluster::write;
use refloat::cluster::{Endpoint, Lease, LeaseRefused};
use refloat::object::{GroupKind, RestoreRecord, Scope};
use serde_json::json;

use super::connect;

#[tokio::test]
async fn two_restores_are_kept_apart() {
    let cluster = connect().await;
    let record = |entry: &str| RestoreRecord {
        repository: "https://git.example/bank".to_owned(),
        entry: entry.to_owned(),
        revision: "abc".to_owned(),
        before: String::new(),
    };
    let first = Lease::acquire(&cluster, "first", &record("clusters/a"), true)
        .await
        .expect("because it is forced");
    assert_eq!(cluster.record().await, Some(record("clusters/a")));
    let second = Lease::acquire(&cluster, "second", &record("clusters/b"), false).await;
    assert!(matches!(second, Err(LeaseRefused::Held { holder, since }) if holder == "first" && since.contains('T')));
    assert_eq!(
        cluster.record().await,
        Some(record("clusters/a")),
        "because a refused run notes nothing"
    );

    let lost = tokio::spawn(first.lost());
    let second = Lease::acquire(&cluster, "second", &record("clusters/b"), true)
        .await
        .expect("because it is forced");
    let reason = tokio::time::timeout(Duration::from_secs(12), lost).await;
    let reason = reason
        .expect("because the next renewal shows it")
        .expect("because it does not panic");
    assert_eq!(reason, "the Lease kube-system/refloat was taken by \"second\"");
    first.release().await.expect("because another's Lease is left alone");

    let third = Lease::acquire(&cluster, "third", &record("x"), false).await;
    assert!(third.is_err(), "because second still holds it");
    second.release().await.expect("because it holds it");
    assert_eq!(cluster.record().await, Some(record("clusters/b")));
    let third = Lease::acquire(&cluster, "third", &record("x"), false)
        .await
        .expect("because it is free");
    drop(third);
    let at = Endpoint::new(
        GroupKind::new("coordination.k8s.io", "Lease"),
        "v1",
        "leases",
        Scope::Namespaced,
    );
    let past = json!({"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}});
    write::patch_merge(&cluster, &at, Some("kube-system"), "refloat", "test", &past).await;
    let fourth = Lease::acquire(&cluster, "fourth", &record("x"), false)
        .await
        .expect("because it has expired");
    fourth.release().await.expect("because it holds it");

    // What was there before another commit of the same place is noted, and only that.
    let at_commit = |revision: &str, entry: &str| RestoreRecord {
        revision: revision.to_owned(),
        ..record(entry)
    };
    for (revision, entry, before) in [
        ("def", "x", "abc"),
        ("def", "x", "abc"),
        ("abc", "x", "def"),
        ("abc", "y", ""),
    ] {
        let restored = at_commit(revision, entry);
        let lease = Lease::acquire(&cluster, "fifth", &restored, false).await;
        lease
            .expect("because it is free")
            .release()
            .await
            .expect("because it holds it");
        let noted = cluster.record().await.expect("because it was noted");
        assert_eq!((&*noted.revision, &*noted.before), (revision, before), "{entry}");
    }
}
