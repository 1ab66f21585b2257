//! Objects that the server refuses, or that never become what they should.

use serde_json::json;

use super::stopping::Running;
use super::{Admin, Given, many, own};
use crate::support::plane::wait;

fn crd(plural: &str, group: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: {plural}, singular: {plural}, kind: Gadget, listKind: GadgetList}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}

#[test]
fn a_crd_whose_names_are_taken() {
    let admin = Admin::of(own());
    let taken = value(&crd("gadgets", "conflict.example"));
    admin.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &taken);
    let gadget = "apiVersion: conflict.example/v2\nkind: Gadget\nmetadata: {name: g, namespace: default}\n";
    let second = crd("devices", "conflict.example").replace("name: v1", "name: v2");
    let given = Given::new(own(), &[("crd.yaml", &second), ("gadget.yaml", gadget)]);
    insta::assert_snapshot!(given.said(&given.restore(&["--timeout", "4s"]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        created     CustomResourceDefinition/devices.conflict.example (crd.yaml:1)  not ready after #s: ListKindConflict: "GadgetList" is already in use
        skipped     1 object, because of CustomResourceDefinition/devices.conflict.example
        --
        1 of 2 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created             1       -               -       1          -
        skipped             1       -               -       -          -

        There, but not ready: 1
          CustomResourceDefinition/devices.conflict.example (crd.yaml:1): ListKindConflict: "GadgetList" is already in use
            1 object not applied because of it: Gadget/default/g
            hint: another CustomResourceDefinition has this name (`kubectl get crds`): remove that one, or rename this one in Git

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}

const POLICY: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-free-money}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: policy}}
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
  validations:
  - expression: \"!has(object.data) || !('free' in object.data)\"
    message: free money needs the signature of two directors
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-free-money}
spec: {policyName: no-free-money, validationActions: [Deny]}
";

#[test]
fn a_policy_that_rejects() {
    let given = Given::new(own(), &[("policy.yaml", POLICY)]);
    let ran = given.restore(&[]).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // It is in force some moments after it is there.
    let admin = Admin::of(own());
    admin.create("/api/v1/namespaces", &json!({"metadata": {"name": "policy"}}));
    let probe = json!({"metadata": {"name": "probe"}, "data": {"free": "yes"}});
    let path = "/api/v1/namespaces/policy/configmaps?dryRun=All";
    while wait(admin.0.create(path, &probe))
        .expect("because the server runs")
        .is_success()
    {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let maps = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: policy}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: policy}\ndata: {free: '1'}\n";
    let given = Given::new(own(), &[("apps/maps.yaml", maps)]);
    insta::assert_snapshot!(given.said(&given.restore(&[]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        created     ConfigMap/policy/a
        failed      ConfigMap/policy/b (apps/maps.yaml:5): configmaps "b" is forbidden: ValidatingAdmissionPolicy 'no-free-money' with binding 'no-free-money' denied request: free money needs the signature of two directors
        --
        1 of 2 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created             1       -               1       -          -
        failed              1       -               -       -          -

        Failed: 1
          ConfigMap/policy/b (apps/maps.yaml:5): configmaps "b" is forbidden: ValidatingAdmissionPolicy 'no-free-money' with binding 'no-free-money' denied request: free money needs the signature of two directors
            hint: a policy of the cluster decides here: change the object, or the policy that is named, in Git

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}

/// A Deployment, a Job and a claim; `x` stands in fields that cannot be changed.
fn fixed(x: &str) -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: fixed}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: fixed}}
spec:
  selector: {{matchLabels: {{app: {x}}}}}
  template:
    metadata: {{labels: {{app: {x}}}}}
    spec: {{containers: [{{name: c, image: example.com/c}}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate, namespace: fixed}}
spec:
  template:
    spec: {{restartPolicy: Never, containers: [{{name: c, image: 'example.com/{x}'}}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: ledger, namespace: fixed}}
spec:
  storageClassName: {x}
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 1Gi}}}}
"
    )
}

#[test]
fn fields_that_cannot_be_changed() {
    let given = Given::new(own(), &[("bank.yaml", &fixed("one"))]);
    let args = ["--old-cluster-is-gone", "--timeout", "20s"];
    // Nothing binds the claim: that class has no provisioner.
    let ran = given.restore(&args).run();
    assert!(
        ran.stdout.contains("4 of 4 objects are in the cluster"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    given.write("bank.yaml", &fixed("two"));
    insta::assert_snapshot!(given.said(&given.restore(&args).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: Objects that others name are missing (1)
          StorageClass/two (bank.yaml:21): named by PersistentVolumeClaim/fixed/ledger, declared by nobody and not in the cluster
          hint: declare it, or make sure that something else makes it
        decide: There already, and would be changed (3)
          PersistentVolumeClaim/fixed/ledger (bank.yaml:21): exists, and the server refuses the change: PersistentVolumeClaim "ledger" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
          Deployment/fixed/web (bank.yaml:5): exists, and the server refuses the change: Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"two"}}: field is immutable
          Job/fixed/migrate (bank.yaml:14): exists, and the server refuses the change: Job.batch "migrate" is invalid: spec.template: Invalid value: …: field is immutable
          hint: it is never deleted to be made anew, since what it holds would go with it: correct it in Git
          hint: --recreate deletes and makes anew what cannot be changed in place
        decide: Acts on the world outside the cluster (1)
          Job/fixed/migrate (bank.yaml:14): acts outside the cluster: it runs its task again
        note: Git cannot bring this back; restore it from a backup or make it anew (1)
          PersistentVolumeClaim/fixed/ledger (bank.yaml:21): comes back empty: what was on the volume is not in Git
          hint: restore its content from a backup
        failed      Deployment/fixed/web (bank.yaml:5): Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"two"}}: field is immutable
        failed      Job/fixed/migrate (bank.yaml:14): Job.batch "migrate" is invalid: spec.template: Invalid value: …: field is immutable
        failed      PersistentVolumeClaim/fixed/ledger (bank.yaml:21): PersistentVolumeClaim "ledger" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
        unchanged   Namespace/fixed  ready after #s
        --
        1 of 4 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        unchanged           1       1               -       -          -
        failed              3       -               -       -          -

        Failed: 3
          PersistentVolumeClaim/fixed/ledger (bank.yaml:21): PersistentVolumeClaim "ledger" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
            hint: a volume and its claim are never made anew, since the data would go with them: correct them in Git, or move the data first
          Deployment/fixed/web (bank.yaml:5): Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"two"}}: field is immutable
            hint: --recreate deletes it and makes it anew; without it, it stays as it is in the cluster
          Job/fixed/migrate (bank.yaml:14): Job.batch "migrate" is invalid: spec.template: Invalid value: …: field is immutable
            hint: --recreate deletes it and makes it anew; without it, it stays as it is in the cluster

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
    let admin = Admin::of(own());
    let uid = || admin.get("/api/v1/namespaces/fixed/persistentvolumeclaims/ledger")["metadata"]["uid"].clone();
    let claim = uid();
    let recreate = ["--old-cluster-is-gone", "--timeout", "20s", "--recreate"];
    insta::assert_snapshot!(given.said(&given.restore(&recreate).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: Objects that others name are missing (1)
          StorageClass/two (bank.yaml:21): named by PersistentVolumeClaim/fixed/ledger, declared by nobody and not in the cluster
          hint: declare it, or make sure that something else makes it
        decide: There already, and would be changed (3)
          PersistentVolumeClaim/fixed/ledger (bank.yaml:21): exists, and the server refuses the change: PersistentVolumeClaim "ledger" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
          Deployment/fixed/web (bank.yaml:5): exists, and the server refuses the change: Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"two"}}: field is immutable
          Job/fixed/migrate (bank.yaml:14): exists, and the server refuses the change: Job.batch "migrate" is invalid: spec.template: Invalid value: …: field is immutable
          hint: it is never deleted to be made anew, since what it holds would go with it: correct it in Git
          hint: if it cannot be changed in place, it will be deleted and made anew, since --recreate is given
        decide: Acts on the world outside the cluster (1)
          Job/fixed/migrate (bank.yaml:14): acts outside the cluster: it runs its task again
        note: Git cannot bring this back; restore it from a backup or make it anew (1)
          PersistentVolumeClaim/fixed/ledger (bank.yaml:21): comes back empty: what was on the volume is not in Git
          hint: restore its content from a backup
        failed      PersistentVolumeClaim/fixed/ledger (bank.yaml:21): PersistentVolumeClaim "ledger" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
        recreated   Deployment/fixed/web  ready after #s
        recreated   Job/fixed/migrate  ready after #s
        retried     # requests: is being deleted
        unchanged   Namespace/fixed  ready after #s
        --
        3 of 4 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        unchanged           1       1               -       -          -
        recreated           2       2               -       -          -
        failed              1       -               -       -          -

        Failed: 1
          PersistentVolumeClaim/fixed/ledger (bank.yaml:21): PersistentVolumeClaim "ledger" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
            hint: a volume and its claim are never made anew, since the data would go with them: correct them in Git, or move the data first

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
    assert_eq!(uid(), claim, "a claim is never made anew");
}

#[test]
fn a_namespace_that_is_terminating() {
    let admin = Admin::of(own());
    admin.create("/api/v1/namespaces", &json!({"metadata": {"name": "leaving"}}));
    let held = json!({"metadata": {"name": "held", "finalizers": ["bank.example/ledger"]}});
    admin.create("/api/v1/namespaces/leaving/configmaps", &held);
    let gone = wait(admin.0.request("DELETE", "/api/v1/namespaces/leaving", "", None));
    assert!(gone.expect("because the server runs").is_success());
    let files = "apiVersion: v1\nkind: Namespace\nmetadata: {name: leaving}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: leaving}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: leaving}\ndata: {a: b}\n";
    let given = Given::new(own(), &[("bank.yaml", files)]);
    insta::assert_snapshot!(given.said(&given.restore(&["--timeout", "3s"]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: There already, and would be changed (2)
          ConfigMap/leaving/held (bank.yaml:9): exists, and would change in .data
          Namespace/leaving (bank.yaml:1): exists and is being deleted; it can be restored once it is gone
        failed      Namespace/leaving (bank.yaml:1): it is being deleted (sent # times, given up after #s)
        retried     # requests: it is being deleted
        skipped     2 objects, because of Namespace/leaving
        --
        0 of 3 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        skipped             2       -               -       -          -
        failed              1       -               -       -          -

        Failed: 1
          Namespace/leaving (bank.yaml:1): it is being deleted (sent # times, given up after #s)
            2 objects not applied because of it: ConfigMap/leaving/a, ConfigMap/leaving/held
            hint: wait until the old one is gone (its finalizers say what holds it), then run again

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}

#[test]
fn a_namespace_that_goes_while_it_is_waited_for() {
    let admin = Admin::of(own());
    admin.create("/api/v1/namespaces", &json!({"metadata": {"name": "going"}}));
    let held = json!({"metadata": {"name": "held", "finalizers": ["bank.example/ledger"]}});
    admin.create("/api/v1/namespaces/going/configmaps", &held);
    let delete = |path: &str| wait(admin.0.request("DELETE", path, "", None)).expect("because the server runs");
    assert!(delete("/api/v1/namespaces/going").is_success());
    let given = Given::new(own(), &[("bank.yaml", &many("going", 2))]);
    let mut child = given.restore(&[]).start();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let open = json!({"metadata": {"finalizers": null}});
    let patched = wait(admin.0.request(
        "PATCH",
        "/api/v1/namespaces/going/configmaps/held",
        "application/merge-patch+json",
        Some(&open),
    ));
    assert!(patched.expect("because the server runs").is_success());
    drop(child.stdin.take());
    let ended = child.wait_with_output().expect("because it was started");
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{stdout}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(stdout.starts_with("3 of 3 objects are in the cluster"), "{stdout}");
    assert_eq!(admin.maps("going"), 2);
}

#[test]
fn a_kind_that_its_operator_brings_late() {
    let operator = "apiVersion: apps/v1
kind: Deployment
metadata: {name: gizmo-operator, namespace: default}
spec:
  selector: {matchLabels: {app: gizmo}}
  template:
    metadata: {labels: {app: gizmo}}
    spec: {containers: [{name: c, image: example.com/gizmo}]}
";
    let gizmo = "apiVersion: late.example/v1\nkind: Gizmo\nmetadata: {name: g, namespace: default}\n";
    let given = Given::new(own(), &[("gizmo.yaml", gizmo), ("operator.yaml", operator)]);
    let mut running = Running::new(given.restore(&[]).start());
    running.until("Deployment/default/gizmo-operator  ready");
    let brought = crd("gizmos", "late.example").replace("Gadget", "Gizmo");
    Admin::of(own()).create(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        &value(&brought),
    );
    let ran = running.end();
    insta::assert_snapshot!(given.said(&ran), @r#"
        exit 0
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: The cluster does not serve these kinds and nothing declared is known to bring them; unless something does, these objects are left out (1)
          Gizmo/default/g (gizmo.yaml:1): 1 object of kind Gizmo.late.example can be restored only if an operator brings the kind: the cluster does not serve it and no CRD for it is declared
          hint: declare its CRD, or install its operator
        created     Deployment/default/gizmo-operator  ready after #s
        created     Gizmo/default/g
        --
        2 of 2 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created             2       1               1       -          -

        Slowest chain: #s of #s
        "#);
}

fn value(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).expect("because the test wrote it")
}
