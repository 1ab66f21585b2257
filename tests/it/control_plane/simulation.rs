//! What plays kubelets, provisioners and load balancers.

use refloat::control_plane::Options;
use serde_json::{Value, json};

use super::{condition, create, options, started, until};

fn template(name: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {
            "readinessGates": [{"conditionType": "bank.io/open"}],
            "initContainers": [
                {"name": "migrate", "image": "migrate:1"},
                {"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"},
            ],
            "containers": [{"name": "main", "image": "main:1"}],
        },
    })
}

fn selector(name: &str) -> Value {
    json!({"matchLabels": {"app": name}})
}

#[tokio::test]
async fn a_repository_finds_what_it_waits_for() {
    let control_plane = started(&options()).await;
    let api = control_plane.api();
    assert_eq!(control_plane.version(), "v1.37.2");
    let node = until(api, "/api/v1/nodes/simulated-3", |node| {
        condition(node, "Ready") == Some("True")
    })
    .await;
    assert_eq!(node["status"]["addresses"][0]["address"], "10.132.0.3", "{node:#}");
    assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.37.2", "{node:#}");

    let web = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": selector("web"), "template": template("web")},
    });
    create(api, "/apis/apps/v1/namespaces/default/deployments", web).await;
    let mut claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let mut database = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "database"},
        "spec": {
            "replicas": 2, "serviceName": "database", "selector": selector("database"),
            "template": template("database"), "volumeClaimTemplates": [claim],
        },
    });
    database["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "data", "mountPath": "/data"}]);
    create(api, "/apis/apps/v1/namespaces/default/statefulsets", database).await;
    claim["metadata"]["name"] = json!("of-a-class-that-only-the-cloud-has");
    claim["spec"]["storageClassName"] = json!("managed-premium");
    create(api, "/api/v1/namespaces/default/persistentvolumeclaims", claim).await;
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "seed"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "seed", "image": "seed:1"}],
        }}},
    });
    create(api, "/apis/batch/v1/namespaces/default/jobs", job).await;
    let daemon = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "logs"},
        "spec": {"selector": selector("logs"), "template": template("logs")},
    });
    create(api, "/apis/apps/v1/namespaces/default/daemonsets", daemon).await;
    let front = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 443}]},
    });
    create(api, "/api/v1/namespaces/default/services", front).await;

    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    until(api, path, |web| web["status"]["availableReplicas"] == 3).await;
    let path = "/apis/apps/v1/namespaces/default/statefulsets/database";
    until(api, path, |database| database["status"]["readyReplicas"] == 2).await;
    let path = "/api/v1/namespaces/default/persistentvolumeclaims/of-a-class-that-only-the-cloud-has";
    until(api, path, |claim| claim["status"]["phase"] == "Bound").await;
    until(api, "/apis/batch/v1/namespaces/default/jobs/seed", |job| {
        condition(job, "Complete") == Some("True")
    })
    .await;
    until(api, "/apis/apps/v1/namespaces/default/daemonsets/logs", |logs| {
        logs["status"]["numberReady"] == 3
    })
    .await;
    let path = "/api/v1/namespaces/default/services/front";
    until(api, path, |front| {
        front["status"]["loadBalancer"]["ingress"][0]["ip"].is_string()
    })
    .await;

    let pods = "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb";
    let pods = until(api, pods, |pods| {
        pods["items"].as_array().is_some_and(|pods| pods.len() == 3)
    })
    .await;
    let pod = &pods["items"][0];
    assert_eq!(condition(pod, "bank.io/open"), Some("True"), "{pod:#}");
    assert_eq!(condition(pod, "PodScheduled"), Some("True"), "{pod:#}");
    assert_eq!(
        pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"], 0,
        "{pod:#}"
    );
    assert!(
        pod["status"]["initContainerStatuses"][1]["state"]["running"].is_object(),
        "{pod:#}"
    );
    control_plane.stop().await;
}

#[tokio::test]
async fn what_is_deleted_goes_and_a_declared_volume_is_taken() {
    let control_plane = started(&Options { nodes: 1, ..options() }).await;
    let api = control_plane.api();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    create(api, "/api/v1/namespaces", namespace).await;
    until(api, "/api/v1/namespaces/shop/serviceaccounts/default", |found| {
        found["kind"] == "ServiceAccount"
    })
    .await;
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "declared"},
        "spec": {
            "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
            "hostPath": {"path": "/data"},
        },
    });
    create(api, "/api/v1/persistentvolumes", volume).await;
    until(api, "/api/v1/persistentvolumes/declared", |volume| {
        volume["status"]["phase"] == "Available"
    })
    .await;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
            "resources": {"requests": {"storage": "5Gi"}},
        },
    });
    create(api, "/api/v1/namespaces/shop/persistentvolumeclaims", claim).await;
    let path = "/api/v1/namespaces/shop/persistentvolumeclaims/data";
    let claim = until(api, path, |claim| claim["status"]["phase"] == "Bound").await;
    assert_eq!(claim["spec"]["volumeName"], "declared");
    let made = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "more"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    create(api, "/api/v1/namespaces/shop/persistentvolumeclaims", made).await;
    let path = "/api/v1/namespaces/shop/persistentvolumeclaims/more";
    until(api, path, |claim| claim["status"]["phase"] == "Bound").await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"},
        "spec": {"containers": [{"name": "main", "image": "main:1"}]},
    });
    create(api, "/api/v1/namespaces/shop/pods", pod).await;
    until(api, "/api/v1/namespaces/shop/pods/one", |pod| {
        condition(pod, "Ready") == Some("True")
    })
    .await;

    let gone = api
        .request("DELETE", "/api/v1/namespaces/shop", "", None)
        .await
        .expect("because the server runs");
    assert!(gone.is_success(), "{}", gone.message());
    until(api, "/api/v1/namespaces/shop", |shop| shop["reason"] == "NotFound").await;
    let volumes = |list: &Value| list["items"].as_array().map_or(0, Vec::len);
    let left = until(api, "/api/v1/persistentvolumes", |list| volumes(list) == 1).await;
    assert_eq!(
        left["items"][0]["metadata"]["name"], "declared",
        "only what was made goes with its claim"
    );
    control_plane.stop().await;
}

#[tokio::test]
async fn a_stage_of_the_users_plays_a_controller() {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let stages = folder.path().join("stages.yaml");
    let text = r#"apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: gateway-accepted
spec:
  resourceRef:
    apiGroup: networking.k8s.io/v1
    kind: Ingress
  selector:
    matchExpressions:
      - key: '.status.loadBalancer.ingress'
        operator: DoesNotExist
  next:
    statusTemplate: |
      loadBalancer:
        ingress:
        - hostname: front.example.com
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: rail-ready
spec:
  resourceRef:
    apiGroup: bank.io/v1
    kind: Rail
  selector:
    matchExpressions:
      - key: '.status.ready'
        operator: DoesNotExist
  next:
    statusTemplate: |
      ready: true
"#;
    std::fs::write(&stages, text).expect("because the folder is there");
    let control_plane = started(&Options {
        simulate: vec![stages],
        nodes: 1,
        ..options()
    })
    .await;
    let api = control_plane.api();
    let front = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "front"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    });
    create(api, "/apis/networking.k8s.io/v1/namespaces/default/ingresses", front).await;
    let path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/front";
    until(api, path, |front| {
        front["status"]["loadBalancer"]["ingress"][0]["hostname"] == "front.example.com"
    })
    .await;
    assert_eq!(control_plane.processes().len(), 6, "nothing plays what is not served");
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let rails = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "rails.bank.io"},
        "spec": {
            "group": "bank.io", "scope": "Cluster", "names": {"kind": "Rail", "plural": "rails"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    });
    create(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", rails).await;
    until(api, "/apis/bank.io/v1", |found| found["resources"].is_array()).await;
    let rail = json!({"apiVersion": "bank.io/v1", "kind": "Rail", "metadata": {"name": "instant"}});
    create(api, "/apis/bank.io/v1/rails", rail).await;
    until(api, "/apis/bank.io/v1/rails/instant", |rail| {
        rail["status"]["ready"] == true
    })
    .await;
    assert_eq!(
        control_plane.processes().len(),
        7,
        "one more KWOK plays what came to be served"
    );
    assert_eq!(control_plane.broken().map(|failure| failure.to_string()), None);
    control_plane.stop().await;
}
