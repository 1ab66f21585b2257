//! The right cluster, and one restore at a time.

use std::time::Duration;

use serde_json::{Value, json};

use super::stopping::Running;
use super::{Admin, CONTEXT, Given, PROXIED, many, proxy};
use crate::support::plane::{self, wait};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/refloat";

fn patch(admin: &Admin, path: &str, patch: &Value) {
    let patched = wait(
        admin
            .0
            .request("PATCH", path, "application/merge-patch+json", Some(patch)),
    );
    assert!(patched.expect("because the server runs").is_success(), "{path}");
}

/// Holder, entry and transitions, as noted.
fn noted(admin: &Admin) -> Value {
    let lease = admin.get(LEASE);
    json!([
        lease["spec"]["holderIdentity"],
        lease["metadata"]["annotations"]["refloat.dev/entry"]
    ])
}

/// One cluster's life, in order: what is refused depends on what was there before.
#[test]
fn a_cluster_is_not_taken_for_another() {
    let plane = plane::fresh();
    let admin = Admin::of(&plane);
    let given = Given::new(
        &plane,
        &[
            ("production/a.yaml", &many("bank", 2)),
            ("staging/a.yaml", &many("bank", 2)),
        ],
    );
    let production = ["--path", "production"];

    // A ConfigMap is enough to show that somebody uses it.
    let notes = "/api/v1/namespaces/default/configmaps";
    admin.create(notes, &json!({"metadata": {"name": "notes"}}));
    let ran = given.command("restore", &production).run();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("not declared: ConfigMap/default/notes\n"),
        "{}",
        ran.stderr
    );
    admin.delete(&format!("{notes}/notes"));

    // Fresh: nobody is asked.
    let ran = given.command("restore", &production).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(noted(&admin), json!([null, "production"]));
    // Restored from the same place before: nobody is asked, whatever Secrets were made there since.
    admin.create(
        "/api/v1/namespaces/bank/secrets",
        &json!({"metadata": {"name": "certificate"}}),
    );
    let ran = given.command("restore", &production).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    // Another place.
    let staging = ["--path", "staging", "--yes", "--context", CONTEXT];
    insta::assert_snapshot!(given.said(&given.command("restore", &staging).run()), @r#"
        exit 1
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       staging: manifests; 3 objects elsewhere are left alone
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        Error: nothing was changed: this cluster was restored from another place
          because: the cluster says it was restored from production of TMP/repo
          because: this run would restore staging of TMP/repo
          hint: is it the right cluster? If so, give --force-entry
        --
        "#);
    assert_eq!(
        noted(&admin),
        json!([null, "production"]),
        "a refused run notes nothing"
    );

    // Somebody else's objects.
    for number in 0..7 {
        let service = json!({"metadata": {"name": format!("wiki-{number}")}, "spec": {"ports": [{"port": 80}]}});
        admin.create("/api/v1/namespaces/default/services", &service);
    }
    insta::assert_snapshot!(given.said(&given.command("restore", &production).run()), @r#"
        exit 1
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       production: manifests; 3 objects elsewhere are left alone
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        Error: nothing was changed: the cluster is not fresh and was not confirmed
          because: context refloat-throwaway, cluster refloat-throwaway, server https://SERVER
          because: 3 nodes
          because: it holds objects that are not declared: Service/default/wiki-0, Service/default/wiki-1, Service/default/wiki-2, Service/default/wiki-3, Service/default/wiki-4 and others
          because: nobody can be asked: this is no terminal
          hint: if it is the right cluster: --yes --context refloat-throwaway
        --
        "#);
    let unnamed = ["--path", "production", "--yes"];
    insta::assert_snapshot!(given.said(&given.command("restore", &unnamed).run()), @r#"
        exit 1
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       production: manifests; 3 objects elsewhere are left alone
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        Error: nothing was changed: the cluster is not fresh and was not confirmed
          because: context refloat-throwaway, cluster refloat-throwaway, server https://SERVER
          because: 3 nodes
          because: it holds objects that are not declared: Service/default/wiki-0, Service/default/wiki-1, Service/default/wiki-2, Service/default/wiki-3, Service/default/wiki-4 and others
          because: --yes needs --context for a cluster that is not fresh
          hint: if it is the right cluster: --yes --context refloat-throwaway
        --
        "#);
    let named = ["--path", "production", "--yes", "--context", CONTEXT];
    assert_eq!(given.command("restore", &named).run().code, 0);

    // Another restore runs.
    let renewed = now();
    patch(
        &admin,
        LEASE,
        &json!({"spec": {"holderIdentity": "ann@ops-1-77", "acquireTime": "2026-01-02T03:04:05.000000Z", "renewTime": renewed}}),
    );
    insta::assert_snapshot!(given.said(&given.command("restore", &named).run()), @r#"
        exit 1
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       production: manifests; 3 objects elsewhere are left alone
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        Error: nothing was changed: only one restore at a time
          because: another restore is running: ann@ops-1-77, since 2026-01-02T03:04:05.000000Z
          hint: wait for it to end; if it died, its Lease kube-system/refloat is free after 15 s
        --
        "#);
    // Forcing the entry does not push the other restore aside.
    let forced = ["--path", "staging", "--yes", "--context", CONTEXT, "--force-entry"];
    let ran = given.command("restore", &forced).run();
    assert!(
        ran.code == 1 && ran.stderr.contains("another restore is running"),
        "{}",
        ran.stderr
    );
    // One that died is not waited for.
    patch(
        &admin,
        LEASE,
        &json!({"spec": {"renewTime": "2026-01-02T03:04:05.000000Z"}}),
    );
    assert_eq!(given.command("restore", &forced).run().code, 0);
    assert_eq!(noted(&admin), json!([null, "staging"]));

    // The Lease is taken away in the middle.
    let proxy = proxy(&plane, []);
    proxy.delay(Duration::from_millis(20));
    let given = Given::new(&plane, &[("staging/a.yaml", &many("lost", 3000))]).by(&proxy.kubeconfig(), PROXIED);
    let mut running = Running::new(
        given
            .command(
                "restore",
                &[
                    "--path",
                    "staging",
                    "--yes",
                    "--context",
                    PROXIED,
                    "--force-entry",
                    "--concurrency",
                    "4",
                ],
            )
            .start(),
    );
    running.until("ConfigMap/lost/");
    patch(
        &admin,
        LEASE,
        &json!({"spec": {"holderIdentity": "ann@ops-1-77", "renewTime": now()}}),
    );
    let ran = running.end();
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let there = admin.maps("lost");
    assert!(there < 3000, "{there}");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(admin.maps("lost"), there, "nothing is written any more");
    assert_eq!(noted(&admin)[0], "ann@ops-1-77", "it is left to the other");
    let first = ran.stdout.lines().next().unwrap_or_default();
    assert_eq!(
        super::normal(first),
        r#"Stopped after #s: the Lease kube-system/refloat was taken by "ann@ops-1-77""#
    );
}

/// Now, as Kubernetes writes it.
fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

fn role(name: &str, rules: &Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

/// Gives a user these rights, and the kubeconfig of who acts as that user.
fn user(plane: &plane::Plane, name: &str, rules: &Value) -> String {
    let admin = Admin::of(plane);
    admin.create("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role(name, rules));
    admin.create(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        &json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        }),
    );
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    text.replacen("  user:\n", &format!("  user:\n    as: {name}\n"), 1)
}

const RBAC: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: clerk, namespace: rights}
rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: clerk, namespace: rights}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: clerk}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: ann}]
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: rights}
";

#[test]
fn a_user_who_may_not_do_everything() {
    let all = ["get", "list", "watch", "create", "patch", "update"];
    let rules = json!([
        {"apiGroups": [""], "resources": ["namespaces", "configmaps", "nodes"], "verbs": all},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": all},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": all},
    ]);
    let kubeconfig = user(super::own(), "ann", &rules);
    let given =
        Given::new(super::own(), &[("a.yaml", &many("rights", 1)), ("rbac.yaml", RBAC)]).by(&kubeconfig, CONTEXT);
    insta::assert_snapshot!(given.said(&given.restore(&["--timeout", "5s"]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: Permissions that the user of this kubeconfig lacks (3)
          Secret/rights/db (rbac.yaml:12): you may not create, get, list, patch, watch Secret in namespace rights: 1 declared
          Role/rights/clerk (rbac.yaml:1): you may not escalate Role.rbac.authorization.k8s.io in namespace rights, which is needed to grant rights that you do not have: 1 declared
          RoleBinding/rights/clerk (rbac.yaml:6): you may not bind Role.rbac.authorization.k8s.io in namespace rights, which is needed to grant rights that you do not have: 1 declared
          hint: ask for the permission, or use another account
        note: Could not be found out about the cluster (20)
          not known: list clusterroles: clusterroles.rbac.authorization.k8s.io is forbidden: User "ann" cannot list resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope
          not known: list cronjobs in rights: cronjobs.batch is forbidden: User "ann" cannot list resource "cronjobs" in API group "batch" in the namespace "rights"
          not known: list customresourcedefinitions: customresourcedefinitions.apiextensions.k8s.io is forbidden: User "ann" cannot list resource "customresourcedefinitions" in API group "apiextensions.k8s.io" at the cluster scope
          not known: list daemonsets in rights: daemonsets.apps is forbidden: User "ann" cannot list resource "daemonsets" in API group "apps" in the namespace "rights"
          not known: list deployments in rights: deployments.apps is forbidden: User "ann" cannot list resource "deployments" in API group "apps" in the namespace "rights"
          not known: list ingressclasses: ingressclasses.networking.k8s.io is forbidden: User "ann" cannot list resource "ingressclasses" in API group "networking.k8s.io" at the cluster scope
          not known: list ingresses in rights: ingresses.networking.k8s.io is forbidden: User "ann" cannot list resource "ingresses" in API group "networking.k8s.io" in the namespace "rights"
          not known: list jobs in rights: jobs.batch is forbidden: User "ann" cannot list resource "jobs" in API group "batch" in the namespace "rights"
          not known: list mutatingwebhookconfigurations: mutatingwebhookconfigurations.admissionregistration.k8s.io is forbidden: User "ann" cannot list resource "mutatingwebhookconfigurations" in API group "admissionregistration.k8s.io" at the cluster scope
          not known: list persistentvolumeclaims in rights: persistentvolumeclaims is forbidden: User "ann" cannot list resource "persistentvolumeclaims" in API group "" in the namespace "rights"
          … and 10 more; --verbose lists them all
        created     ConfigMap/rights/c0
        created     Namespace/rights  ready after #s
        failed      Role/rights/clerk (rbac.yaml:1): roles.rbac.authorization.k8s.io "clerk" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
            {APIGroups:[""], Resources:["secrets"], Verbs:["get"]}
        failed      RoleBinding/rights/clerk (rbac.yaml:6): rolebindings.rbac.authorization.k8s.io "clerk" not found
        failed      Secret/rights/db (rbac.yaml:12): secrets "db" is forbidden: User "ann" cannot patch resource "secrets" in API group "" in the namespace "rights"
        --
        2 of 5 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created             2       1               1       -          -
        failed              3       -               -       -          -

        Failed: 3
          Role/rights/clerk (rbac.yaml:1): roles.rbac.authorization.k8s.io "clerk" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
              {APIGroups:[""], Resources:["secrets"], Verbs:["get"]}
            hint: the user of this kubeconfig may not grant what it does not have: use one that is cluster-admin
          RoleBinding/rights/clerk (rbac.yaml:6): rolebindings.rbac.authorization.k8s.io "clerk" not found
          Secret/rights/db (rbac.yaml:12): secrets "db" is forbidden: User "ann" cannot patch resource "secrets" in API group "" in the namespace "rights"
            hint: the user of this kubeconfig lacks the permission: `kubectl auth can-i --list` shows what it has

        Applied without what was not there yet: 1
          RoleBinding/rights/clerk without Role/rights/clerk

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}

#[test]
fn a_user_who_may_only_read() {
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]);
    let kubeconfig = user(super::own(), "auditor", &rules);
    let given = Given::new(super::own(), &[("a.yaml", &many("read-only", 1))]).by(&kubeconfig, CONTEXT);
    let with_lease = given.command("restore", &["--yes", "--context", CONTEXT]).run();
    insta::assert_snapshot!(given.said(&with_lease), @r#"
        exit 1
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: Permissions that the user of this kubeconfig lacks (2)
          ConfigMap/read-only/c0 (a.yaml:5): you may not create, patch ConfigMap in namespace read-only: 1 declared
          Namespace/read-only (a.yaml:1): you may not create, patch Namespace: 1 declared
          hint: ask for the permission, or use another account
        Error: nothing was changed: the Lease kube-system/refloat, which keeps two restores apart, could not be taken
          because: leases.coordination.k8s.io is forbidden: User "auditor" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "kube-system"
          hint: make sure that nobody else restores into this cluster, and give --no-lease
        --
        "#);
    insta::assert_snapshot!(given.said(&given.restore(&[]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: Permissions that the user of this kubeconfig lacks (2)
          ConfigMap/read-only/c0 (a.yaml:5): you may not create, patch ConfigMap in namespace read-only: 1 declared
          Namespace/read-only (a.yaml:1): you may not create, patch Namespace: 1 declared
          hint: ask for the permission, or use another account
        failed      Namespace/read-only (a.yaml:1): namespaces "read-only" is forbidden: User "auditor" cannot patch resource "namespaces" in API group "" in the namespace "read-only"
        skipped     1 object, because of Namespace/read-only
        --
        0 of 2 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        skipped             1       -               -       -          -
        failed              1       -               -       -          -

        Failed: 1
          Namespace/read-only (a.yaml:1): namespaces "read-only" is forbidden: User "auditor" cannot patch resource "namespaces" in API group "" in the namespace "read-only"
            1 object not applied because of it: ConfigMap/read-only/c0
            hint: the user of this kubeconfig lacks the permission: `kubectl auth can-i --list` shows what it has

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
    // Planning needs no more.
    let plan = given.command("plan", &[]).run();
    assert_eq!(plan.code, 3, "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stdout.starts_with("Plan: 2 objects to apply."), "{}", plan.stdout);
}
