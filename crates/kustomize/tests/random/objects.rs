//! Objects of many kinds that name each other.

use serde_json::{Map, Value, json};

use super::rng::Rng;

pub const NAMES: &[&str] = &["web", "db", "api", "conf"];
pub const NAMESPACES: &[&str] = &["shop", "prod", "default"];
pub const IMAGES: &[&str] = &[
    "nginx",
    "nginx:1.25",
    "ghcr.io/org/app:v1",
    "localhost:5000/app",
    "redis:7@sha256:1111111111111111111111111111111111111111111111111111111111111111",
    "app@sha256:2222222222222222222222222222222222222222222222222222222222222222",
    "library/redis:7",
];
const KINDS: &[(&str, &str)] = &[
    ("apps/v1", "Deployment"),
    ("apps/v1", "Deployment"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("batch/v1beta1", "CronJob"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "PersistentVolume"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1beta1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("autoscaling/v1", "HorizontalPodAutoscaler"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("example.com/v1", "Widget"),
    ("example.com/v1", "Widget"),
    ("other.io/v1alpha1", "Gadget"),
];

/// An object of any kind.
pub fn any(rng: &mut Rng) -> Value {
    let (api_version, kind) = *rng.pick(KINDS);
    let name = *rng.pick(NAMES);
    object(rng, api_version, kind, name)
}

/// An object of a kind.
pub fn object(rng: &mut Rng, api_version: &str, kind: &str, name: &str) -> Value {
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } });
    if rng.chance(25) {
        object["metadata"]["namespace"] = json!(rng.pick(NAMESPACES));
    }
    if rng.chance(50) {
        object["metadata"]["labels"] = labels(rng);
    }
    if rng.chance(20) {
        object["metadata"]["annotations"] = labels(rng);
    }
    if let Value::Object(fields) = body(rng, kind) {
        object.as_object_mut().expect("because it was just made").extend(fields);
    }
    object
}

pub fn labels(rng: &mut Rng) -> Value {
    let mut map = Map::new();
    for key in rng.some(&["app", "tier", "app.kubernetes.io/name"], 50) {
        map.insert(key.to_owned(), json!(rng.pick(&["web", "db", "x", "true", "5", ""])));
    }
    Value::Object(map)
}

fn body(rng: &mut Rng, kind: &str) -> Value {
    let name = *rng.pick(NAMES);
    match kind {
        "Deployment" | "DaemonSet" | "ReplicaSet" => {
            let mut spec = json!({ "selector": { "matchLabels": labels(rng) }, "template": template(rng) });
            if rng.chance(50) {
                spec["replicas"] = json!(rng.below(4));
            }
            if rng.chance(20) {
                spec["strategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1 } });
            }
            json!({ "spec": spec })
        }
        "StatefulSet" => json!({ "spec": {
            "serviceName": name, "replicas": 1, "template": template(rng),
            "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": { "storageClassName": rng.pick(NAMES) } }],
        } }),
        "Job" => json!({ "spec": { "template": template(rng) } }),
        "CronJob" => {
            json!({ "spec": { "schedule": "* * * * *", "jobTemplate": { "spec": { "template": template(rng) } } } })
        }
        "Pod" => json!({ "spec": pod(rng) }),
        "ReplicationController" => {
            json!({ "spec": { "selector": labels(rng), "replicas": 2, "template": template(rng) } })
        }
        "Service" => json!({ "spec": { "selector": labels(rng), "ports": ports(rng, "port") } }),
        "ConfigMap" => json!({ "data": data(rng) }),
        "Secret" => json!({ "type": "Opaque", "data": { "a": "YQ==", "key": "Yg==" }, "stringData": data(rng) }),
        "ServiceAccount" => json!({ "secrets": [{ "name": name }], "imagePullSecrets": [{ "name": rng.pick(NAMES) }] }),
        "PersistentVolumeClaim" => {
            json!({ "spec": { "storageClassName": name, "volumeName": rng.pick(NAMES), "accessModes": ["ReadWriteOnce"] } })
        }
        "PersistentVolume" => {
            json!({ "spec": { "storageClassName": name, "claimRef": { "name": rng.pick(NAMES), "namespace": "shop" } } })
        }
        "Ingress" => json!({ "spec": {
            "ingressClassName": name,
            "tls": [{ "secretName": rng.pick(NAMES), "hosts": ["a.example.com"] }],
            "rules": [{ "host": "a.example.com", "http": { "paths": [
                { "path": "/", "backend": { "service": { "name": rng.pick(NAMES), "port": { "number": 80 } } } },
                { "path": "/old", "backend": { "serviceName": rng.pick(NAMES), "servicePort": 80 } },
            ] } }],
        } }),
        "NetworkPolicy" => json!({ "spec": {
            "podSelector": { "matchLabels": labels(rng) },
            "ingress": [{ "from": [{ "podSelector": { "matchLabels": labels(rng) } }], "ports": [{ "port": 80 }] }],
        } }),
        "PodDisruptionBudget" => json!({ "spec": { "minAvailable": 1, "selector": { "matchLabels": labels(rng) } } }),
        "HorizontalPodAutoscaler" => json!({ "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": rng.pick(&["Deployment", "StatefulSet", "Widget"]), "name": name },
            "minReplicas": 1, "maxReplicas": 3,
        } }),
        "Role" | "ClusterRole" => json!({ "rules": [
            { "apiGroups": [""], "resources": [rng.pick(&["configmaps", "secrets"])], "resourceNames": [name, "else"], "verbs": ["get"] },
        ] }),
        "RoleBinding" | "ClusterRoleBinding" => json!({
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": rng.pick(&["Role", "ClusterRole"]), "name": name },
            "subjects": [
                { "kind": "ServiceAccount", "name": rng.pick(NAMES), "namespace": rng.pick(NAMESPACES) },
                { "kind": "ServiceAccount", "name": "default", "namespace": "x" },
                { "kind": "User", "name": name },
            ],
        }),
        "ValidatingWebhookConfiguration" => json!({ "webhooks": [
            { "name": "a.example.com", "clientConfig": { "service": { "name": name, "namespace": rng.pick(NAMESPACES) } } },
        ] }),
        "APIService" => {
            json!({ "spec": { "group": "example.com", "service": { "name": name, "namespace": rng.pick(NAMESPACES) } } })
        }
        "CustomResourceDefinition" => {
            json!({ "spec": { "group": "example.com", "names": { "kind": "Widget", "shortNames": ["w"] },
            "conversion": { "webhook": { "clientConfig": { "service": { "name": name, "namespace": "shop" } } } } } })
        }
        "Widget" | "Gadget" => json!({ "spec": {
            "image": rng.pick(IMAGES), "config": name, "secretName": rng.pick(NAMES), "text": "a-b-c", "replicas": 1,
            "selector": labels(rng), "list": [1, 2.5, "three", true, null],
            "items": [{ "name": "a", "value": "x" }, { "name": "b", "value": name }],
            "template": template(rng), "flag": rng.chance(50), "none": null, "empty": {},
        } }),
        _ => json!({}),
    }
}

fn data(rng: &mut Rng) -> Value {
    let mut map = Map::new();
    for key in rng.some(&["a", "b", "key", "file.txt"], 60) {
        map.insert(
            key.to_owned(),
            json!(rng.pick(&["1", "text", "a\nb\n", "", "true", "$(VAR)", "host.example.com"])),
        );
    }
    Value::Object(map)
}

fn ports(rng: &mut Rng, key: &str) -> Value {
    let mut list = Vec::new();
    for number in rng.some(&[80, 81, 443], 50) {
        let mut port = json!({ key: number });
        if rng.chance(40) {
            port["name"] = json!(format!("p{number}"));
        }
        if rng.chance(30) {
            port["protocol"] = json!(rng.pick(&["TCP", "UDP"]));
        }
        list.push(port);
    }
    Value::Array(list)
}

fn template(rng: &mut Rng) -> Value {
    let mut template = json!({ "spec": pod(rng) });
    if rng.chance(70) {
        template["metadata"] = json!({ "labels": labels(rng) });
    }
    template
}

fn pod(rng: &mut Rng) -> Value {
    let mut containers: Vec<Value> = Vec::new();
    for name in ["main", "side"] {
        if rng.chance(70) {
            containers.push(container(rng, name));
        }
    }
    let mut pod = json!({ "containers": containers });
    if rng.chance(25) {
        pod["initContainers"] = json!([container(rng, "init")]);
    }
    if rng.chance(40) {
        let volumes = [
            json!({ "name": "config", "configMap": { "name": rng.pick(NAMES) } }),
            json!({ "name": "secret", "secret": { "secretName": rng.pick(NAMES) } }),
            json!({ "name": "claim", "persistentVolumeClaim": { "claimName": rng.pick(NAMES) } }),
            json!({ "name": "mixed", "projected": { "sources": [{ "configMap": { "name": rng.pick(NAMES) } }, { "secret": { "name": rng.pick(NAMES) } }] } }),
            json!({ "name": "scratch", "emptyDir": {} }),
        ];
        pod["volumes"] = Value::Array(rng.some(&volumes, 50));
    }
    if rng.chance(25) {
        pod["serviceAccountName"] = json!(rng.pick(NAMES));
    }
    if rng.chance(10) {
        pod["imagePullSecrets"] = json!([{ "name": rng.pick(NAMES) }]);
    }
    if rng.chance(10) {
        pod["tolerations"] = json!([{ "key": rng.pick(NAMES), "operator": "Exists" }]);
    }
    if rng.chance(10) {
        pod["affinity"] = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{ "labelSelector": { "matchLabels": labels(rng) } }] } });
    }
    if rng.chance(10) {
        pod["topologySpreadConstraints"] = json!([{ "topologyKey": rng.pick(NAMES), "whenUnsatisfiable": "DoNotSchedule", "labelSelector": { "matchLabels": labels(rng) } }]);
    }
    pod
}

fn container(rng: &mut Rng, name: &str) -> Value {
    let mut container = json!({ "name": name, "image": rng.pick(IMAGES) });
    if rng.chance(40) {
        let env = [
            json!({ "name": "A", "value": rng.pick(&["1", "$(VAR)", "x"]) }),
            json!({ "name": "B", "valueFrom": { "configMapKeyRef": { "name": rng.pick(NAMES), "key": "a" } } }),
            json!({ "name": "C", "valueFrom": { "secretKeyRef": { "name": rng.pick(NAMES), "key": "a" } } }),
            json!({ "name": "D", "value": "" }),
        ];
        container["env"] = Value::Array(rng.some(&env, 60));
    }
    if rng.chance(30) {
        container["envFrom"] =
            json!([{ "configMapRef": { "name": rng.pick(NAMES) } }, { "secretRef": { "name": rng.pick(NAMES) } }]);
    }
    if rng.chance(30) {
        container["ports"] = ports(rng, "containerPort");
    }
    if rng.chance(20) {
        container["args"] = json!(["a", "$(VAR)", rng.pick(NAMES)]);
    }
    if rng.chance(20) {
        container["volumeMounts"] = json!([{ "name": "config", "mountPath": rng.pick(&["/a", "/b"]) }]);
    }
    if rng.chance(20) {
        container["resources"] = json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": 0.5 } });
    }
    container
}
